"""Figures that tests do not show: requests, stalls, memory. Run by scripts/bench."""

# it replaces some libraries, which nothing may import before
import homeassistant  # noqa: F401
