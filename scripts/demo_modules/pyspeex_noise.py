"""Stands in for noise suppression in the demo: the real one takes a C++ compiler and minutes to build."""


class AudioProcessor:
    """Imported by Home Assistant's voice pipeline, never used here."""
