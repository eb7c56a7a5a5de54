"""Where something that plays stands, estimated between reports, and how much of it was really played."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from statistics import median
from typing import Final

EPSILON: Final = 1e-6
"""Seconds and percent that come from rounding."""
FORWARD: Final = 20.0
"""Seconds that a report may be ahead of the estimate without being a seek: players report late."""
BACK: Final = 10.0
"""Seconds that a report may be behind the estimate without being a seek."""
FASTER: Final = 1.2
"""How much further than the clock a report may be: it is playing at double speed, and is late."""
FASTER_FOR: Final = 60.0
STILL: Final = 2.0
"""A report that moved by less stands still: it was buffering without saying so."""
STILL_WITHIN: Final = 120.0
SLOW_WITHIN: Final = 30.0
REGULAR: Final = 5
"""So many reports at like intervals are a rhythm."""
SILENT: Final = 90.0
"""Seconds, at least, after which a player that used to report regularly is no longer believed to play."""
SILENT_INTERVALS: Final = 5
LATCH: Final = 95.0
"""Percent from which on nothing undoes that it was watched: a scene seen again is no unwatching."""
CREDIT: Final = 60.0
"""Seconds that must really have been played, in short things a share of the length."""
CREDIT_SHARE: Final = 0.1
ENOUGH: Final = 0.5
"""The share of the length that is evidence enough, however the end was reached."""


@dataclass(slots=True, kw_only=True)
class Timeline:
    """Position and played time of one item in one viewing. Seconds; `at` is the monotonic time it is true for.

    How far it moves depends only on what was reported and when, never on how often `advance` is called.
    """

    at: float
    threshold: float = 80.0
    """Percent from which on it counts as watched."""
    length: float | None = None
    position: float | None = None
    """None until the player says it."""
    opened: float | None = None
    """Where it was opened."""
    moving: bool = False
    played: float = 0.0
    """Seconds of the item, not of the clock: at double speed it grows twice as fast."""
    beyond: float | None = None
    """Of these, those after the threshold was passed without playing up to it; None when it was played up to."""
    peak: float | None = None
    """The highest percentage since it was latched as watched; None while it is not."""
    ended_at: float | None = None
    """Since when the estimate stands at the end."""
    _reported: float | None = None
    _reported_at: float | None = None
    _running: float = 0.0
    _age: float = 0.0
    _first: float | None = None
    _intervals: tuple[float, ...] = ()

    @property
    def here(self) -> float:
        """Return the position, or how much was played when the position is unknown."""
        return self.played if self.position is None else self.position

    @property
    def progress(self) -> float | None:
        """Return the position in percent; None when no length is known."""
        return self.percent(self.here)

    def percent(self, position: float) -> float | None:
        """Return a position in percent; None when no length is known."""
        if self.length is None:
            return None
        return max(0.0, min(100.0, 100.0 * position / self.length))

    @property
    def at_end(self) -> bool:
        """Say whether the estimate stands at the end."""
        return self.length is not None and self.here >= self.length - EPSILON

    @property
    def credited(self) -> bool:
        """Say whether so much was really played that a position beyond the threshold is no accident."""
        if self.length is None:
            return False
        credit = self.played if self.beyond is None else self.beyond
        need = min(CREDIT, CREDIT_SHARE * self.length)
        return credit >= need - EPSILON or self.played >= ENOUGH * self.length - EPSILON

    @property
    def watched(self) -> bool:
        """Say whether it counts as watched if it ends here."""
        return self.peak is not None or (self._past(self.threshold) and self.credited)

    @property
    def watched_at(self) -> float | None:
        """Return when it will begin to count as watched; None when it does, or will not as things stand."""
        if self.length is None or self.watched:
            return None
        credit = self.played if self.beyond is None else self.beyond
        need = min(CREDIT, CREDIT_SHARE * self.length)
        return self.moves_by(
            max(
                self.threshold / 100.0 * self.length - self.here,
                min(need - credit, ENOUGH * self.length - self.played),
            )
        )

    @property
    def silent_at(self) -> float | None:
        """Return when a player that reported regularly is no longer believed to play; None for any other player."""
        if (
            not self.moving
            or self._reported_at is None
            or len(self._intervals) < REGULAR
        ):
            return None
        usual = median(self._intervals)
        if max(self._intervals) > 2 * usual or min(self._intervals) < usual / 2:
            return None
        return self._reported_at + max(SILENT, SILENT_INTERVALS * usual)

    @property
    def ends_at(self) -> float | None:
        """Return when the estimate reaches, or reached, the end; None when it will not as things stand."""
        if not self.moving or self.length is None:
            return None
        if self.ended_at is not None:
            return self.ended_at
        return self.moves_by(self.length - self.here)

    def plays_until(self, played: float) -> float | None:
        """Return when so much will have been played; None when it will not as things stand."""
        return self.moves_by(played - self.played)

    def moves_by(self, seconds: float) -> float | None:
        """Return when it will have moved on by so much; None when it will not as things stand."""
        if not self.moving or seconds > self._room() + EPSILON:
            return None
        return self.at + max(0.0, seconds)

    def advance(self, now: float) -> None:
        """Let time pass."""
        elapsed = now - self.at
        if elapsed <= 0:
            return
        if self.moving:
            self._move(min(elapsed, self._room()))
            self._running += elapsed
        self.at = now

    def move(self, moving: bool) -> None:
        """Begin or cease to move."""
        if moving is self.moving:
            return
        self.moving = moving
        self._intervals = ()
        self._mind_end()

    def may_have_run(self, seconds: float) -> None:
        """Note that it may have gone on playing unseen for so long."""
        self._running += max(0.0, seconds)

    def forget_rhythm(self) -> None:
        """Note that reports come from another player from now on."""
        self._intervals = ()
        self._reported = self._reported_at = None

    def shift(self, seconds: float) -> None:
        """Measure from another point: the item turned out to begin elsewhere in the file. What it was is forgotten."""
        if self.position is not None:
            self.position = max(0.0, self.position + seconds)
            self.played = min(self.played, self.position)
        if self.opened is not None:
            self.opened = max(0.0, self.opened + seconds)
        if self._reported is not None:
            self._reported += seconds
        self.beyond = self.peak = self.ended_at = None

    def stretch(self, length: float | None, threshold: float) -> None:
        """Take in what is known of length and threshold by now."""
        if length == self.length and threshold == self.threshold:
            return
        was_past = self._past(self.threshold)
        self.length, self.threshold = length, threshold
        if length is None:
            self.peak = None
        elif self.position is not None:
            self.position = min(self.position, length)
        if not self._past(threshold):
            self.beyond = None
        elif not was_past and self.beyond is None and self.opened is not None:
            self._pass_threshold(skipped=self._past(threshold, self.opened))
        self._mind_end()

    def report(self, position: float, *, age: float = 0.0, slack: float = 0.0) -> float:
        """Take in a position that was true `age` seconds ago. Returns how far it was a seek; 0 for no seek.

        `slack` are seconds that may have been played unseen beside.
        """
        place = position + age
        if self.length is not None:
            place = min(place, self.length)
        if self.position is None:
            self._place(place, skipped=True)
            self.opened = self._first = place
            self._note(position, age)
            return 0.0
        if self._was_misdated(position):
            if self.opened == self._first:
                self.opened = place
            self._place(place, skipped=True)
            self._note(position, age)
            return 0.0
        drift = place - self.position
        usual = max(FASTER * min(self._running, FASTER_FOR), slack)
        if drift > max(FORWARD, usual) or (drift < -BACK and not self._stalled(place)):
            self._place(place, skipped=True)
            self._note(position, age)
            self._intervals = ()
            return drift
        self._play(min(drift, usual))
        self._place(place, skipped=drift > usual + EPSILON)
        regular = self.moving and self._reported_at is not None
        interval = self.at - (self._reported_at or 0.0)
        self._note(position, age)
        if regular and interval > 0:
            self._intervals = (*self._intervals, interval)[-REGULAR:]
        return 0.0

    def _note(self, position: float, age: float) -> None:
        self._reported, self._reported_at = position, self.at
        self._running, self._age = 0.0, age
        self._mind_end()

    def _mind_end(self) -> None:
        if not self.moving or not self.at_end:
            self.ended_at = None
        elif self.ended_at is None:
            self.ended_at = self.at

    def _was_misdated(self, position: float) -> bool:
        """Say whether the former report was not as old as its date said: the player's clock is wrong."""
        if self._age <= BACK or self._reported is None:
            return False
        return abs(position - self._reported - self._running) <= BACK

    def _stalled(self, place: float) -> bool:
        """Say whether a report behind the estimate shows that it stood still, or played slowly, for a while."""
        if self._reported is None:
            return False
        moved = place - self._reported - self._age
        if abs(moved) <= STILL:
            return self._running <= STILL_WITHIN
        return 0.0 <= moved < self._running <= SLOW_WITHIN

    def _play(self, seconds: float) -> None:
        self.played = max(0.0, self.played + seconds)
        if self.beyond is not None:
            self.beyond = max(0.0, self.beyond + seconds)

    def _place(self, position: float, *, skipped: bool) -> None:
        """Stand elsewhere. `skipped`: not by playing up to there."""
        was_past = self._past(self.threshold)
        self.position = position
        if not was_past or not self._past(self.threshold):
            self._pass_threshold(skipped=skipped)
        self._latch()

    def _pass_threshold(self, *, skipped: bool) -> None:
        self.beyond = 0.0 if skipped and self._past(self.threshold) else None

    def _move(self, seconds: float) -> None:
        if self.position is not None:
            self.position += seconds
        self._play(seconds)
        if self.at_end and self.ended_at is None:
            self.ended_at = self.at + seconds
        self._latch()

    def _room(self) -> float:
        """Return how many seconds it can still move before it stands at the end, or is no longer believed."""
        room = inf
        if self.length is not None:
            room = max(0.0, self.length - self.here)
        if (silent := self.silent_at) is not None:
            room = min(room, max(0.0, silent - self.at))
        return room

    def _past(self, percent: float, position: float | None = None) -> bool:
        reached = self.percent(self.here if position is None else position)
        return reached is not None and reached >= percent - EPSILON

    def _latch(self) -> None:
        if not self._past(max(LATCH, self.threshold)) or not self.credited:
            return
        self.peak = max(self.peak or 0.0, self.progress or 0.0)
