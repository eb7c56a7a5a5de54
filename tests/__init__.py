"""Tests of Up Next, from the outside: real HTTP on loopback against the simulators."""
