"""A player of the demo. Up Next knows it by the name of its integration."""

from __future__ import annotations

from demo_player import async_setup_platform

__all__ = ["async_setup_platform"]
