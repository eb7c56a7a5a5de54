"""What a scripted run prints: its steps, what was seen, and what was checked."""

from __future__ import annotations

import time

BEGAN = time.monotonic()


class Failed(Exception):
    """A check failed."""


def step(text: str) -> None:
    """Begin a step, and tell how many seconds the run has taken so far."""
    print(f"\n{text}  ({time.monotonic() - BEGAN:.0f} s)", flush=True)


def figure(text: str) -> None:
    """Print what was seen."""
    print(f"  {text}", flush=True)


def check(good: bool, text: str) -> None:
    """Print what was seen; raise when it is not as it must be."""
    print(f"  {'ok    ' if good else 'FAILED'} {text}", flush=True)
    if not good:
        raise Failed(text)
