"""The lock that lets one write of a user through at a time (apis/simkl.md section 4)."""

from __future__ import annotations

from datetime import timedelta

from ..clock import Clock


class Lock:
    """True while it holds. Real time opens it, and so does the simulated one where that is moved."""

    def __init__(self, clock: Clock) -> None:
        """Start open."""
        self._clock = clock
        self._real = 0.0
        self._simulated = clock.now()

    def set(self, seconds: float) -> None:
        """Hold for so long from now on."""
        self._real = self._clock.monotonic() + seconds
        self._simulated = self._clock.now() + timedelta(seconds=seconds)

    def __bool__(self) -> bool:
        return (
            self._clock.monotonic() < self._real and self._clock.now() < self._simulated
        )
