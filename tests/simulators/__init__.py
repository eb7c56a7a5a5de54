"""Tests of the simulators: they refuse what the real services refuse."""
