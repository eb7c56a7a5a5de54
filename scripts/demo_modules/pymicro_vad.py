"""Stands in for voice detection in the demo: the real one takes a C++ compiler and minutes to build."""


class MicroVad:
    """Imported by Home Assistant's voice pipeline, never used here."""
