"""Tests of the trackers against their simulators."""
