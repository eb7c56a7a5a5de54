"""A viewing as it is kept over a restart: times of the wall clock, nothing that means something in one run only."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ..media import Playable
from ..writes import ScrobbleAction
from .calls import Moment, Resolution
from .observation import Media
from .position import Timeline
from .session import Away, Report, Session
from .subject import Subject
from .telling import Terms, Told


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedSession:
    """A viewing, true at `saved_at` (UTC).

    `position`, `played`, `beyond` and `opened` are seconds, `peak` and `told_progress` percent (0-100). `items` are
    None while it is not known whether there are any. The player last reported `reported` seconds, true at
    `position_at` (UTC). `closed`: only kept because the player may report just that again, which is no new viewing.
    """

    viewing: str
    player: str
    signature: str
    media: Media
    saved_at: datetime
    started_at: datetime
    signatures: tuple[str, ...] = ()
    items: tuple[Playable, ...] | None = None
    tokens: tuple[str, ...] = ()
    runtime: float | None = None
    part: int = 0
    duration: float | None = None
    position: float | None = None
    opened: float | None = None
    played: float = 0.0
    beyond: float | None = None
    peak: float | None = None
    confirmed: bool = False
    told: ScrobbleAction | None = None
    told_at: datetime | None = None
    told_progress: float | None = None
    reported: float | None = None
    position_at: datetime | None = None
    closed: bool = False

    @property
    def resolution(self) -> Resolution | None:
        """Return what it was identified as."""
        if self.items is None:
            return None
        return Resolution(
            items=self.items, tokens=frozenset(self.tokens), runtime=self.runtime
        )


def save(session: Session, now: Moment) -> SavedSession:
    """Return a viewing as it stands now; what becomes due meanwhile is left to be done."""
    timeline, subject, told = copy(session.timeline), session.subject, session.told
    timeline.advance(now.monotonic)
    resolution, report = subject.resolution, session.reports.get(session.leader)
    return SavedSession(
        viewing=session.viewing,
        player=session.leader,
        signature=subject.signature,
        media=subject.media,
        saved_at=now.at,
        started_at=session.started_at,
        signatures=tuple(sorted(subject.signatures)),
        items=None if resolution is None else resolution.items,
        tokens=() if resolution is None else tuple(sorted(resolution.tokens)),
        runtime=None if resolution is None else resolution.runtime,
        part=subject.part,
        duration=subject.duration,
        position=timeline.position,
        opened=timeline.opened,
        played=timeline.played,
        beyond=timeline.beyond,
        peak=timeline.peak,
        confirmed=session.confirmed,
        told=None if told is None else told.action,
        told_at=None if told is None else now.earlier(told.at).at,
        told_progress=None if told is None else told.progress,
        reported=None if report is None else report.position,
        position_at=None if report is None else report.position_at,
    )


def save_closed(
    session: Session, player: str, report: Report, now: Moment
) -> SavedSession:
    """Return what a player reported last of a viewing that closed. It is named apart: each player may repeat it."""
    return replace(
        save(session, now),
        viewing=f"{session.viewing} {player}",
        player=player,
        signature=report.signature,
        reported=report.position,
        position_at=report.position_at,
        closed=True,
    )


def restore(saved: SavedSession, terms: Terms, now: Moment) -> Session:
    """Return the viewing as one that its player may come back to."""
    told = None
    if saved.told is not None:
        told = Told(
            action=saved.told,
            at=now.monotonic - _ago(saved.told_at, now),
            progress=saved.told_progress,
        )
    timeline = Timeline(
        at=now.monotonic,
        position=saved.position,
        opened=saved.opened,
        played=saved.played,
    )
    report = Report(
        signature=saved.signature,
        position=saved.reported,
        position_at=saved.position_at,
    )
    session = Session(
        terms=terms,
        viewing=saved.viewing,
        started_at=saved.started_at,
        leader=saved.player,
        subject=Subject(
            media=saved.media,
            signature=saved.signature,
            signatures={saved.signature, *saved.signatures},
            resolution=saved.resolution,
            part=saved.part,
            duration=saved.duration,
        ),
        timeline=timeline,
        reports={saved.player: report},
        since=now.monotonic,
        confirmed=saved.confirmed,
        told=told,
        restored_from=saved.saved_at,
    )
    session.measure()
    timeline.beyond, timeline.peak = saved.beyond, saved.peak
    session.leave(Away.RESTART, now.monotonic)
    return session


def _ago(at: datetime | None, now: Moment) -> float:
    return 0.0 if at is None else max(timedelta(), now.at - at).total_seconds()
