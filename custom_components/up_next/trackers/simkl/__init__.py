"""Simkl (apis/simkl.md): sign-in V2, a library kept by deltas, a daily quota shared with the user's other apps."""

from __future__ import annotations

from .tracker import Simkl

__all__ = ["Simkl"]
