"""The simulators' own clock: real time plus an offset that the control endpoint can move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
import time


class Clock:
    """UTC wall time of the simulated services; moves on by itself and by `advance`."""

    def __init__(self, start: datetime | None = None) -> None:
        """Start at `start` (timezone-aware), or at the real time."""
        self._offset = timedelta() if start is None else start - datetime.now(UTC)
        self._frozen: datetime | None = None

    def now(self) -> datetime:
        """Return the simulated time, timezone-aware UTC."""
        return self._frozen or datetime.now(UTC) + self._offset

    def advance(self, seconds: float) -> None:
        """Move the clock; a negative value moves it back."""
        if self._frozen is not None:
            self._frozen += timedelta(seconds=seconds)
        else:
            self._offset += timedelta(seconds=seconds)

    def freeze(self, at: datetime | None = None) -> None:
        """Stop the clock at `at`, or now; only `advance` moves it from then on."""
        self._frozen = at or self.now()

    @staticmethod
    def monotonic() -> float:
        """Return real monotonic seconds: rate limits are enforced in real time."""
        return time.monotonic()
