"""Stands in for a box that plays files: it tells their names."""
