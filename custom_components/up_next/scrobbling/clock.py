"""The time as one audience reads it."""

from __future__ import annotations

from math import inf
from typing import Final

from .calls import Moment

CLOCK_JUMP: Final = 30.0
"""Seconds. When the wall clock jumped by more, dates from before tell no age any more."""


class Clock:
    """Reads the time, never back, and notices when the wall clock jumped."""

    def __init__(self) -> None:
        self.last: Moment | None = None
        """The time that was read last."""
        self.set_at = -inf
        """When the wall clock jumped last (monotonic)."""

    def read(self, now: Moment) -> Moment:
        """Return now, never before the time that was read last."""
        last = self.last
        if last is not None:
            if now.monotonic < last.monotonic:
                now = Moment(monotonic=last.monotonic, at=now.at)
            gone = (now.at - last.at).total_seconds()
            if abs(gone - (now.monotonic - last.monotonic)) > CLOCK_JUMP:
                self.set_at = now.monotonic
        self.last = now
        return now
