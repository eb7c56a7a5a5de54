"""What is told of a viewing, and when."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from ..writes import ScrobbleAction
from .calls import Call, Moment, PlayerSettings, Rhythm
from .ledger import AGAIN, Counted, Ledger
from .observation import PlayerState
from .position import EPSILON

if TYPE_CHECKING:
    from .session import Session

OVER: Final = 99.0
"""Percent. Beyond, nothing begins any more."""
START_SHARE: Final = 10.0
"""Percent. What is opened before was begun from the start."""
SEEK: Final = 120.0
"""Seconds, at least, that make a seek worth telling,"""
SEEK_SHARE: Final = 0.05
"""and this share of the length."""
SEEK_APART: Final = 10.0
"""Seconds after the last call before a seek is told: while one looks for a scene, nothing is."""
PAUSE_FROM: Final = 1.0
"""Percent. Before, there is no position to keep."""
PAUSE_TO: Final = 80.0
"""Percent. From here on services take a position for the end, or refuse it; 79.9 they keep."""
STOP_TO: Final = 79.9
SAME_PAUSE: Final = 1.0
"""Percent. A stop this near to the pause that was told says nothing new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What all viewings of one audience share."""

    rhythm: Rhythm
    ledger: Ledger
    settings: Callable[[str], PlayerSettings]
    new_viewing: Callable[[], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The last call of a viewing: a start or a pause. `at` is monotonic; `progress` in percent (0-100)."""

    action: ScrobbleAction
    at: float
    progress: float | None


def sought(session: Session, seconds: float) -> None:
    """Note that the viewing goes on elsewhere."""
    timeline = session.timeline
    if session.told is None:
        timeline.opened = timeline.position
    elif abs(seconds) >= max(SEEK, SEEK_SHARE * (timeline.length or 0.0)):
        session.untold_seek = True


def is_silent(session: Session) -> bool:
    """Say whether nothing is told of it because it only goes on with what was counted already.

    It does if it was opened beyond the beginning of an item that was counted lately and not begun anew since.
    """
    entry = _recent(session)
    if session.told is not None or entry is None or entry.again:
        return False
    opened = session.opened
    if opened is not None and opened <= START_SHARE:
        return False
    return not _played_again(session, entry)


def tell(session: Session, now: Moment) -> list[Call]:
    """Return what is to be told by now of a viewing that goes on."""
    subject = session.subject
    if not session.confirmed or subject.item is None or not subject.eligible:
        return []
    if is_silent(session):
        return []
    action = None
    if _is_start_due(session, now.monotonic):
        action = ScrobbleAction.START
    elif _is_pause_due(session, now.monotonic):
        action = ScrobbleAction.PAUSE
    if action is None:
        return []
    before, progress = session.told, session.timeline.progress
    session.told = Told(action=action, at=now.monotonic, progress=progress)
    session.untold_seek = False
    paused = before is not None and before.action is ScrobbleAction.PAUSE
    call = _call(session, action, progress, now)
    return [replace(call, resumed=paused and action is ScrobbleAction.START)]


def times(session: Session) -> Iterator[float | None]:
    """Yield the monotonic times at which there may be something to tell."""
    told, rhythm = session.told, session.terms.rhythm
    if (paused := session.paused_since) is not None:
        yield paused + rhythm.pause_after
    elif told is not None:
        if session.untold_seek:
            yield told.at + SEEK_APART
        if rhythm.heartbeat is not None:
            yield told.at + rhythm.heartbeat
    elif (entry := _recent(session)) is not None and session.timeline.length:
        played = AGAIN * session.timeline.length - entry.played_since
        yield session.timeline.plays_until(played)


def end(session: Session, now: Moment) -> list[Call]:
    """Return what is told at the end of a viewing, and note in the ledger what was played."""
    entry, timeline, told = _recent(session), session.timeline, session.told
    watched = session.confirmed and session.subject.eligible and timeline.watched
    if watched and (entry is None or _played_again(session, entry)):
        return [_count(session, now)]
    if entry is not None:
        opened = session.opened
        again = session.confirmed and opened is not None and opened <= START_SHARE
        session.terms.ledger.played(entry, timeline.played, again=again)
    if watched or told is None:
        return []
    progress = timeline.progress
    if progress is not None:
        if (
            told.action is ScrobbleAction.PAUSE
            and told.progress is not None
            and abs(progress - told.progress) <= SAME_PAUSE
        ):
            return []
        highest = min(timeline.threshold - 0.1, STOP_TO)
        progress = max(PAUSE_FROM, min(progress, highest))
    return [_call(session, ScrobbleAction.STOP, progress, now)]


def _is_start_due(session: Session, now: float) -> bool:
    if session.away is not None or session.state is not PlayerState.PLAYING:
        return False
    told, rhythm, timeline = session.told, session.terms.rhythm, session.timeline
    progress = timeline.progress
    if told is None:
        return progress is None or progress < OVER
    if told.action is ScrobbleAction.PAUSE:
        return True
    if session.untold_seek and now >= told.at + SEEK_APART - EPSILON:
        session.untold_seek = False
        if rhythm.seeks and progress is not None and progress < timeline.threshold:
            return True
    if rhythm.heartbeat is None or timeline.at_end:
        return False
    return now >= told.at + rhythm.heartbeat - EPSILON


def _is_pause_due(session: Session, now: float) -> bool:
    told, paused = session.told, session.paused_since
    progress = session.timeline.progress
    if told is None or told.action is not ScrobbleAction.START:
        return False
    if paused is None or now < paused + session.terms.rhythm.pause_after - EPSILON:
        return False
    if progress is None:
        return False
    return PAUSE_FROM <= progress < min(session.timeline.threshold, PAUSE_TO)


def _recent(session: Session) -> Counted | None:
    tokens = session.subject.all_tokens
    return session.terms.ledger.recent(tokens, session.started_at)


def _played_again(session: Session, entry: Counted) -> bool:
    """Say whether so much was played since a viewing was counted that this is another."""
    length = session.timeline.length
    played = entry.played_since + session.timeline.played
    return length is not None and played >= AGAIN * length - EPSILON


def _count(session: Session, now: Moment) -> Call:
    timeline, subject = session.timeline, session.subject
    progress = timeline.progress
    call = _call(session, ScrobbleAction.WATCHED, progress, now)
    if timeline.peak is not None and timeline.length is not None:
        progress = max(timeline.peak, progress or 0.0)
        call = replace(
            call, progress=progress, position=progress * timeline.length / 100
        )
    # the name of a file with several items is not that of one of them
    tokens = subject.all_tokens if subject.parts == 1 else subject.tokens
    counted = Counted(viewing=session.viewing, tokens=tokens, at=call.at)
    return replace(call, counted=session.terms.ledger.add(counted))


def _call(
    session: Session, action: ScrobbleAction, progress: float | None, now: Moment
) -> Call:
    subject, timeline = session.subject, session.timeline
    earlier = session.terms.ledger.earlier(subject.all_tokens)
    return Call(
        action=action,
        signature=subject.signature,
        item=subject.item,
        progress=progress,
        position=timeline.here,
        duration=timeline.length,
        # what never came back after a restart ended when it was last known to play
        at=session.restored_from or now.at,
        started_at=session.started_at,
        viewing=session.viewing,
        player=session.leader,
        rewatch=earlier is not None,
        media=subject.media,
    )
