"""A player as one audience knows it: what it showed last, and what of its reports is news."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from .calls import Moment
from .observation import Media, Observation, PlayerState
from .saved import SavedSession
from .session import Session

DONE: Final = 4
"""So many closed viewings of a player are remembered, to know their last reports when they are repeated."""

_STOPPED: Final = frozenset({PlayerState.PAUSED, PlayerState.IDLE, PlayerState.OFF})


@dataclass(slots=True, kw_only=True, eq=False)
class Player:
    """A player, and what it reported last."""

    name: str
    seen: Observation | None = None
    session: Session | None = None
    """The viewing that it shows."""
    _known_at: float | None = None
    """When it was last there to tell what it does (monotonic)."""
    _reported: tuple[float, datetime | None] | None = None
    """The last position and its date."""
    done: dict[str, SavedSession] = field(default_factory=dict)
    """Viewings that closed, by signature: what repeats their last report is no new viewing."""

    def repeats(self, seen: Observation) -> bool:
        """Say whether nothing that matters differs from the last observation."""
        last = self.seen
        return (
            last is not None
            and seen.state is last.state
            and seen.position == last.position
            and seen.position_at == last.position_at
            and seen.duration == last.duration
            and (seen.media is last.media or seen.media == last.media)
        )

    def note(self, seen: Observation, now: Moment) -> None:
        """Remember an observation that was dealt with."""
        if seen.state is not PlayerState.UNAVAILABLE:
            self._known_at = now.monotonic
        if seen.position is not None:
            self._reported = (seen.position, seen.position_at)
        self.seen = seen

    def media(self, seen: Observation) -> Media | None:
        """Return what plays; a pause or buffering of which nothing is said is that of what played before."""
        silent = seen.media is None and seen.state is not PlayerState.PLAYING
        if silent and self.session is not None:
            return self.session.members[self.name].media
        return seen.media

    def goes_on_with(self, media: Media) -> bool:
        """Say whether this is what it showed before, perhaps better or worse described."""
        if self.session is None:
            return False
        member = self.session.members[self.name]
        return media.signature == member.signature or _describes(member.media, media)

    def position(
        self, seen: Observation, now: Moment, *, joins: bool, clock_set: float
    ) -> tuple[float, float] | None:
        """Return a position and its age in seconds; None if it says nothing new of what is shown.

        `joins`: it did not show that before. Dates from before `clock_set` (monotonic) tell no age.
        """
        date, last = seen.position_at, self.seen
        if seen.position is None or (seen.position, date) == self._reported:
            return None
        if joins and date is not None and self._reported is not None:
            before = self._reported[1]
            if before is not None and date <= before:
                return None  # that of what was shown before
        if date is None or seen.state is not PlayerState.PLAYING:
            return seen.position, 0.0
        if last is not None and last.state is not PlayerState.UNAVAILABLE:
            return seen.position, 0.0
        age = max(0.0, (now.at - date).total_seconds())
        if age > now.monotonic - clock_set:
            return seen.position, 0.0
        if self._known_at is not None:
            age = min(age, now.monotonic - self._known_at)
        return seen.position, age

    def is_done(self, signature: str, seen: Observation) -> bool:
        """Say whether this is still what was reported of a viewing that closed."""
        done, last = self.done.get(signature), self.seen
        if done is None:
            return False
        stopped = last is not None and last.state in _STOPPED
        if done.position_at is None and stopped:
            # without a date only this tells that it plays once more
            return seen.state is not PlayerState.PLAYING
        if seen.position is None:
            return True
        return (seen.position, seen.position_at) == (done.reported, done.position_at)

    def finish(self, done: SavedSession) -> None:
        """Remember a viewing that closed."""
        self.done.pop(done.signature, None)
        self.done[done.signature] = done
        for signature in list(self.done)[:-DONE]:
            del self.done[signature]


def _describes(before: Media, after: Media) -> bool:
    """Say whether a player describes the same item better, or worse, than before."""
    source, content = before.source, before.content_id
    if not content or (source, content) != (after.source, after.content_id):
        return False
    for old, new in (
        (before.series, after.series),
        (before.season, after.season),
        (before.episode, after.episode),
    ):
        if old not in ("", None) and new not in ("", None) and old != new:
            return False
    return (
        before.title == after.title
        or not before.title
        or not after.title
        or (before.episode is None) is not (after.episode is None)
    )
