"""Tests of the actions, through the outside."""
