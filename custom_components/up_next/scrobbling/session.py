"""One viewing, from a candidate to its end."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from . import telling
from .calls import Call, Moment, Phase, PlayerSettings, Resolution, View
from .observation import Media, PlayerState
from .position import EPSILON, Timeline
from .sources import source_of
from .subject import Subject
from .telling import START_SHARE, Terms, Told

LATE: Final = 80.0
"""Percent. What is opened beyond is perhaps only looked at: it must play for longer before anything is told."""
LATE_DWELL: Final = 60.0
RETURN_FROM: Final = 90.0
"""Percent. A jump from beyond to the very start is most often the next title, whose name is about to follow."""
RETURN_TO: Final = 30.0
"""Seconds that are the very start, or"""
RETURN_TO_SHARE: Final = 0.02
"""this share of the length."""
RETURN_WAIT: Final = 15.0
"""Seconds that must play at the start before the jump is believed."""
END_WAIT: Final = 60.0
"""Seconds at the end of the estimate after which a viewing is over: some players never say so."""
ALIKE_LENGTH: Final = 2.0
ALIKE_POSITION: Final = 5.0
"""Seconds within which two players stand at the same place."""
DOWN_FASTER: Final = 1.25
"""What played while Home Assistant was not running may have got this much further than the clock,"""
DOWN_SLACK: Final = 60.0
"""and so many seconds: what was saved last is as old as that."""


class Away(StrEnum):
    """Why the leading player shows a viewing no more."""

    IDLE = "idle"
    UNAVAILABLE = "unavailable"
    INTERRUPTED = "interrupted"
    """Something plays that is never scrobbled: an advertisement, perhaps."""
    RESTART = "restart"


@dataclass(slots=True, kw_only=True)
class Member:
    """A player that shows a viewing now. A shadow only looks like it, and never leads."""

    state: PlayerState
    media: Media
    signature: str
    duration: float | None = None
    shadow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a player reported last of a viewing: under which name, where it stood, and when that was true."""

    signature: str
    position: float | None
    position_at: datetime | None


@dataclass(slots=True, kw_only=True, eq=False)
class Session:
    """One viewing of one item by one audience. Only the leading player moves it."""

    terms: Terms
    viewing: str
    started_at: datetime
    leader: str
    subject: Subject
    timeline: Timeline
    members: dict[str, Member] = field(default_factory=dict)
    reports: dict[str, Report] = field(default_factory=dict)
    """What each player reported last of it, also those that show it no more."""
    state: PlayerState = PlayerState.PLAYING
    """What the leader does, or did when it left."""
    since: float = 0.0
    """Since when it does so, or is away (monotonic)."""
    away: Away | None = None
    held_until: float = 0.0
    confirmed: bool = False
    """It played long enough to be told of."""
    told: Told | None = None
    untold_seek: bool = False
    returned: Timeline | None = None
    """The play from the start after a jump there, until it is clear what the jump meant."""
    restored_from: datetime | None = None
    """Since when nothing is known of it, for want of a running Home Assistant."""
    closed: bool = False
    successor: Session | None = None
    """The viewing that goes on where this one closed."""

    @property
    def settings(self) -> PlayerSettings:
        """Return the leading player's settings."""
        return self.terms.settings(self.leader)

    @property
    def opened(self) -> float | None:
        """Return where it was opened, in percent."""
        opened = self.timeline.opened
        return None if opened is None else self.timeline.percent(opened)

    @property
    def paused_since(self) -> float | None:
        """Return since when it is paused, or will be if it goes on buffering; None when it plays."""
        if self.away is not None or self.state is PlayerState.PLAYING:
            return None
        buffering = self.state is PlayerState.BUFFERING
        return self.since + (self.settings.buffering if buffering else 0.0)

    def looks_like(self, other: Session) -> bool:
        """Say whether both play at the same place of something of the same length."""
        for one in (self, other):
            if one.away is not None or one.state is not PlayerState.PLAYING:
                return False
        if self.members.keys() & other.members.keys():
            return False
        mine, theirs = self.timeline.position, other.timeline.position
        length, other_length = self.subject.whole, other.subject.whole
        if mine is None or theirs is None or not length or not other_length:
            return False
        apart = abs(self.subject.offset + mine - other.subject.offset - theirs)
        return abs(length - other_length) <= ALIKE_LENGTH and apart <= ALIKE_POSITION

    # what it is

    def resolve(self, resolution: Resolution, now: Moment) -> list[Call]:
        """Take in what it was identified as. Another item than before makes it another viewing."""
        subject = self.subject
        before, had_item = subject.tokens, subject.item is not None
        parts, offset = subject.parts, subject.offset
        subject.resolution = resolution
        calls: list[Call] = []
        if subject.parts != parts:
            calls = self._split(offset + self.timeline.here, now)
            self.timeline.shift(offset - subject.offset)
            self._drop_return()
        if had_item and not before & subject.tokens:
            self.viewing = self.terms.new_viewing()
            self.told = None
        self.measure()
        return calls

    def _split(self, here: float, now: Moment) -> list[Call]:
        """Become the item of the file that plays now; those before it end as of now, if they were played."""
        subject, timeline = self.subject, self.timeline
        subject.part = 0
        subject.part = subject.part_at(here)
        calls: list[Call] = []
        length, opened = subject.length or 0.0, timeline.opened or 0.0
        skipped = max(0.0, here - opened - timeline.played)
        for part in range(subject.part):
            seen = min(length, (part + 1) * length - opened) - skipped
            earlier = self._next(
                Timeline(
                    at=timeline.at,
                    position=length,
                    played=max(0.0, seen),
                    beyond=0.0,
                ),
                part,
                now,
            )
            earlier.started_at, earlier.confirmed = self.started_at, self.confirmed
            calls += earlier.close(now)
        return calls

    def describe(
        self, media: Media, resolution: Resolution | None, now: Moment
    ) -> list[Call]:
        """Take in how the leading player describes it. What names it worse than before is no news."""
        subject, signature = self.subject, media.signature
        if signature == subject.signature:
            subject.media = media
            return []
        if subject.item is not None:
            poorer = media.episode is None and subject.media.episode is not None
            if poorer or resolution is None or not resolution.items:
                return []
        subject.media, subject.signature = media, signature
        if resolution is not None:
            return self.resolve(resolution, now)
        subject.resolution = None
        return []

    def hand_over(self, player: str, resolution: Resolution | None) -> None:
        """Let another player lead, with its own name for the item."""
        member, subject = self.members[player], self.subject
        self.leader, subject.media = player, member.media
        subject.signature = member.signature
        part = None if resolution is None else subject.part_of(resolution)
        if part is not None:
            subject.part, subject.resolution = part, resolution
        self.timeline.forget_rhythm()
        self.measure(member.duration)

    def measure(self, duration: float | None = None) -> None:
        """Take in how long it is, and what counts as watched."""
        subject = self.subject
        subject.duration = duration or subject.duration
        threshold = self.settings.thresholds.of(subject.item, subject.media.kind)
        self.timeline.stretch(subject.length, threshold)
        if self.returned is not None:
            self.returned.stretch(subject.length, threshold)

    # what happens to it

    def advance(self, now: float) -> None:
        """Let time pass."""
        self.timeline.advance(now)
        if self.returned is not None:
            self.returned.advance(now)

    def follow(self, state: PlayerState, now: float) -> None:
        """Take over what the leader does: it plays, is paused or buffers."""
        if self.away is not None or state is not self.state:
            self.since = now
        self.away, self.state = None, state
        (self.returned or self.timeline).move(state is PlayerState.PLAYING)

    def leave(self, reason: Away, now: float) -> None:
        """Note that no player shows it any more, for a reason that leaves it some time to come back."""
        # after a restart, unavailable is how players begin
        waits = (self.away, reason) == (Away.RESTART, Away.UNAVAILABLE)
        if self.away is reason or waits:
            return
        if self.away is None:
            self.since, self.held_until = now, now + self._grace(reason)
        elif reason is Away.INTERRUPTED:
            self.held_until = self.since + self._grace(reason)
        else:
            self.held_until = min(self.held_until, now + self._grace(reason))
        self.away = reason
        (self.returned or self.timeline).move(False)

    def _grace(self, reason: Away) -> float:
        settings = self.settings
        match reason:
            case Away.IDLE:
                return max(settings.idle, source_of(self.subject.media.source).idle)
            case Away.UNAVAILABLE:
                return settings.unavailable
            case Away.INTERRUPTED:
                return settings.interrupted
            case Away.RESTART:
                return settings.restart

    def come_back(self, now: Moment) -> float:
        """Return how many seconds may have been played while Home Assistant was not running."""
        if self.away is Away.UNAVAILABLE:
            self.timeline.may_have_run(now.monotonic - self.since)
        if self.restored_from is None:
            return 0.0
        down = max(0.0, (now.at - self.restored_from).total_seconds())
        self.restored_from = None
        return down * DOWN_FASTER + DOWN_SLACK

    def report(self, position: float, *, age: float = 0.0, slack: float = 0.0) -> None:
        """Take in a position in the file that was true `age` seconds ago.

        `slack` are seconds that may have been played unseen. All are seconds.
        """
        position = max(0.0, position - self.subject.offset)
        if self.returned is not None:
            moved = self.returned.report(position, age=age)
            if not moved or self._is_start(position + age):
                return
            self._drop_return()
        elif self._returns(position + age):
            timeline = self.timeline
            self.returned = Timeline(
                at=timeline.at,
                threshold=timeline.threshold,
                length=timeline.length,
                moving=timeline.moving,
            )
            self.returned.report(position, age=age)
            timeline.move(False)
            return
        if seconds := self.timeline.report(position, age=age, slack=slack):
            telling.sought(self, seconds)

    def _is_start(self, position: float) -> bool:
        length = self.timeline.length or 0.0
        return position <= max(RETURN_TO, RETURN_TO_SHARE * length)

    def _returns(self, position: float) -> bool:
        progress = self.timeline.progress
        if self.timeline.position is None or progress is None:
            return False
        return progress >= RETURN_FROM and self._is_start(position)

    def _drop_return(self) -> None:
        if self.returned is not None:
            self.timeline.move(self.returned.moving)
            self.returned = None

    def part_from_here(self, part: int, now: Moment) -> Session:
        """Return a viewing of another item of the file that goes on from here."""
        return self._next(Timeline(at=self.timeline.at), part, now)

    # what follows

    def due(self) -> float | None:
        """Return the monotonic time at which `check` has something to do, if nothing happens before."""
        now = self.timeline.at + EPSILON
        times = (time for time in self._times() if time is not None and time > now)
        return min(times, default=None)

    def _times(self) -> Iterator[float | None]:
        if self.away is not None:
            yield self.held_until
            return
        timeline = self.timeline
        yield self.paused_since
        yield timeline.silent_at
        yield timeline.watched_at
        yield self._forsaken_at()
        yield from telling.times(self)
        if self.returned is not None:
            yield self.returned.plays_until(RETURN_WAIT)
        if not self.confirmed and (dwell := self._dwell()) is not None:
            yield timeline.plays_until(dwell)
        if (end := timeline.ends_at) is not None:
            yield end
            yield end + END_WAIT

    def check(self, now: Moment) -> list[Call]:
        """Do what is to be done by now."""
        self.advance(now.monotonic)
        self.measure()
        if (anew := self._begins_anew()) is not None:
            self.successor = self._next(anew, self.subject.part, now)
            return self.close(now)
        self._confirm()
        calls = telling.tell(self, now)
        if self._ends_part(now.monotonic):
            timeline = Timeline(at=self.timeline.at, position=0.0, opened=0.0)
            timeline.move(True)
            self.successor = self._next(timeline, self.subject.part + 1, now)
            calls += self.close(now)
        elif self._is_over(now.monotonic):
            calls += self.close(now)
        return calls

    def close(self, now: Moment) -> list[Call]:
        """End the viewing where it stands."""
        self.closed = True
        return telling.end(self, now)

    def _begins_anew(self) -> Timeline | None:
        """Return the timeline of another viewing of the item, if the player went back to the start for one."""
        timeline, returned = self.timeline, self.returned
        if returned is not None and returned.played >= RETURN_WAIT - EPSILON:
            self.returned = None
            if timeline.peak is not None:
                returned.played = 0.0  # it has to prove itself like any other
                return returned
            distance = returned.here - timeline.here
            returned.played += timeline.played
            returned.opened = timeline.opened
            self.timeline = returned
            telling.sought(self, distance)
        timeline, progress = self.timeline, self.timeline.progress
        if timeline.peak is None or progress is None or progress > START_SHARE:
            return None
        return Timeline(
            at=timeline.at,
            position=timeline.position,
            opened=timeline.position,
            moving=timeline.moving,
        )

    def _next(self, timeline: Timeline, part: int, now: Moment) -> Session:
        """Return the viewing that goes on from here."""
        subject = replace(
            self.subject, part=part, signatures=set(self.subject.signatures)
        )
        following = Session(
            terms=self.terms,
            viewing=self.terms.new_viewing(),
            started_at=now.at,
            leader=self.leader,
            subject=subject,
            timeline=timeline,
            members=dict(self.members),
            reports=dict(self.reports),
            state=self.state,
            since=self.since,
        )
        following.measure()
        return following

    def _dwell(self) -> float | None:
        """Return how long it must play before anything is told; None when nothing ever is."""
        dwell, opened = self.settings.dwell, self.opened
        if opened is None or opened < LATE:
            return dwell
        return max(dwell, LATE_DWELL) if opened < telling.OVER else None

    def _confirm(self) -> None:
        dwell = self._dwell()
        if dwell is not None and self.timeline.played >= dwell - EPSILON:
            self.confirmed = True

    def _ends_part(self, now: float) -> bool:
        if self.subject.part >= self.subject.parts - 1:
            return False
        end = self.timeline.ends_at
        return end is not None and end <= now + EPSILON

    def _forsaken_at(self) -> float | None:
        """Return when it is over because it is paused, or nothing is heard of it, for too long."""
        since = self.paused_since
        if since is None:
            since = self.timeline.silent_at
        if since is None:
            return None
        settings = self.settings
        watched = self.timeline.watched
        return since + (settings.pause_watched if watched else settings.pause_ends)

    def _is_over(self, now: float) -> bool:
        if self.away is not None:
            return now >= self.held_until - EPSILON
        end, forsaken = self.timeline.ends_at, self._forsaken_at()
        if end is not None and now >= end + END_WAIT - EPSILON:
            return True
        return forsaken is not None and now >= forsaken - EPSILON

    # what is to be seen

    def view(self, now: float) -> View:
        """Return what is to be seen of it."""
        timeline, subject = copy(self.returned or self.timeline), self.subject
        timeline.advance(now)
        resolution = subject.resolution
        return View(
            phase=self._phase(now),
            signature=subject.signature,
            media=subject.media,
            item=subject.item,
            resolved=None if resolution is None else bool(resolution.items),
            position=timeline.here,
            duration=timeline.length,
            progress=timeline.progress,
            played=timeline.played,
            watched=self.timeline.watched or timeline.watched,
            silent=telling.is_silent(self) or not subject.eligible,
            viewing=self.viewing,
            started_at=self.started_at,
        )

    def _phase(self, now: float) -> Phase:
        if not self.confirmed or self.subject.resolution is None:
            return Phase.CANDIDATE
        if self.away is not None:
            return Phase.HELD
        paused = self.paused_since
        if paused is not None and paused <= now + EPSILON:
            return Phase.PAUSED
        return Phase.PLAYING
