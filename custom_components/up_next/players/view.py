"""What the entities of a mapped player show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from ..library import Playback, PlaybackState
from ..media import Playable
from ..scrobbling.calls import Moment, Phase, View
from ..scrobbling.identify import Certainty, Identification, Method
from ..scrobbling.observation import Ignored, Media, Observation, PlayerState


class PlayerPhase(StrEnum):
    """What a player does, as a person would say it. The values are states of the player's sensor."""

    IDLE = "idle"
    IDENTIFYING = "identifying"
    PLAYING = "playing"
    PAUSED = "paused"
    WATCHED = "watched"
    """It plays on, and counts as watched by now."""
    NEEDS_DECISION = "needs_decision"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayerView:
    """A player at a glance.

    `position` and `duration` are seconds, `progress` is percent; they were true at `updated_at` (UTC) and do not
    tick. `score` says how well the title fitted, as points; None where it was not compared.
    """

    phase: PlayerPhase = PlayerPhase.IDLE
    media: Media | None = None
    item: Playable | None = None
    method: Method | None = None
    certainty: Certainty | None = None
    score: float | None = None
    ignored: Ignored | None = None
    position: float | None = None
    duration: float | None = None
    progress: float | None = None
    updated_at: datetime | None = None
    started_at: datetime | None = None


JUMP: Final = 5.0
"""Seconds by which a position may differ from what follows from the one shown before it is shown anew."""
_ACTIVE: Final = frozenset(
    {PlayerState.PLAYING, PlayerState.PAUSED, PlayerState.BUFFERING}
)
type _Precedence = tuple[bool, float, int]
"""Whether it plays, when it began and which player shows it: the greatest is shown."""

NOT_FOR_US: Final = frozenset({Ignored.OTHER_PERSON, Ignored.CONDITION})
"""Why something is ignored that would be scrobbled for somebody else, or at another time."""


def player_view(
    before: PlayerView,
    seen: Observation | None,
    view: View | None,
    identification: Identification | None,
    now: Moment,
) -> PlayerView:
    """Return what a player shows now; `before` itself where nothing worth showing has changed."""
    if view is None:
        return _without_viewing(seen)
    if _is_away(view, seen):
        lasts = before.media is not None and before.phase is not PlayerPhase.IGNORED
        return before if lasts and _may_return(view, seen) else _without_viewing(seen)
    found = PlayerView(
        phase=_phase(seen, view, identification),
        media=view.media,
        item=view.item,
        method=identification.method if identification else None,
        certainty=identification.certainty if identification else None,
        score=identification.score if identification else None,
        ignored=identification.ignored if identification else None,
        position=view.position,
        duration=view.duration,
        progress=view.progress,
        updated_at=now.at,
        started_at=view.started_at,
    )
    runs = seen is not None and seen.state is PlayerState.PLAYING
    return before if _says_the_same(before, found, runs=runs) else found


def _is_away(view: View, seen: Observation | None) -> bool:
    """Say whether a player shows its viewing no more, or has not yet shown it again."""
    if view.phase is Phase.HELD or seen is None or seen.state not in _ACTIVE:
        return True
    return seen.media is not None and seen.media.ignored is not None


def _may_return(view: View, seen: Observation | None) -> bool:
    """Say whether a viewing that its player shows no more is still to be seen: the player flickers, or advertises."""
    if seen is None:
        return False
    if view.phase is Phase.CANDIDATE:
        return seen.state is PlayerState.IDLE
    return seen.media is None or seen.media.ignored not in NOT_FOR_US


def _without_viewing(seen: Observation | None) -> PlayerView:
    if seen is None or seen.media is None or seen.state not in _ACTIVE:
        return PlayerView()
    if seen.media.ignored is not None:
        return PlayerView(
            phase=PlayerPhase.IGNORED, media=seen.media, ignored=seen.media.ignored
        )
    return PlayerView()


def _phase(
    seen: Observation | None, view: View, identification: Identification | None
) -> PlayerPhase:
    if identification is not None and _is_nothing(identification):
        return PlayerPhase.IGNORED
    if view.resolved is None:
        return PlayerPhase.IDENTIFYING
    if not view.resolved:
        return PlayerPhase.NEEDS_DECISION
    if view.watched:
        return PlayerPhase.WATCHED
    if _is_paused(view, seen):
        return PlayerPhase.PAUSED
    return PlayerPhase.PLAYING


def _is_nothing(identification: Identification) -> bool:
    """Say whether it is nothing to be scrobbled: too short, or by a person's word."""
    if identification.ignored is not None:
        return True
    return identification.method is Method.CORRECTION and not identification.candidates


def _is_paused(view: View, seen: Observation | None) -> bool:
    if view.phase is Phase.CANDIDATE:
        return seen is not None and seen.state is PlayerState.PAUSED
    return view.phase is Phase.PAUSED


def _says_the_same(before: PlayerView, found: PlayerView, *, runs: bool) -> bool:
    """Say whether only time has passed."""
    if before.updated_at is None or found.updated_at is None:
        return False
    if _lasting(before) != _lasting(found):
        return False
    return _as_expected(
        before.position, before.updated_at, found.position, found.updated_at, runs=runs
    )


def _lasting(view: PlayerView) -> PlayerView:
    return replace(view, position=None, progress=None, updated_at=None)


def _as_expected(
    before: float | None,
    then: datetime,
    found: float | None,
    now: datetime,
    *,
    runs: bool,
) -> bool:
    if before is None or found is None:
        return before is found
    passed = (now - then).total_seconds() if runs else 0.0
    return abs(before + passed - found) < JUMP


class AccountView:
    """What the players of an account play: of several, what plays before what is paused, then the latest."""

    def __init__(self) -> None:
        """Begin with players that show nothing."""
        self._shown: dict[str, _Precedence] = {}
        self._away: dict[str, str] = {}
        """Viewings that players may come back to."""

    def note(
        self, player: str, place: int, view: View | None, seen: Observation | None
    ) -> None:
        """Take in what a player shows, and what it reported last; the first `place` counts most among equals."""
        self._shown.pop(player, None)
        self._away.pop(player, None)
        if view is None or view.item is None:
            return
        if not _is_away(view, seen):
            began = view.started_at.timestamp()
            self._shown[player] = (not _is_paused(view, seen), began, -place)
        elif _may_return(view, seen):
            self._away[player] = view.viewing

    def playback(
        self,
        before: Playback | None,
        look: Callable[[str], tuple[View | None, Observation | None]],
        now: Moment,
    ) -> Playback | None:
        """Return what plays now; `before` itself where only time has passed. `look` gives what `note` takes."""
        latest: Playback | None = None
        player = max(self._shown, key=self._shown.__getitem__, default=None)
        if player is not None:
            view, seen = look(player)
            if view is not None and view.item is not None:
                latest = _playback(view, view.item, seen, now)
        if before is None:
            return latest
        if before.id in self._away.values() and (
            latest is None or _precedence(before) > _precedence(latest)
        ):
            return before
        return before if latest and _is_still(before, latest) else latest


def _precedence(playback: Playback) -> tuple[bool, float]:
    began = playback.started_at
    plays = playback.state is PlaybackState.PLAYING
    return plays, began.timestamp() if began else 0.0


def _playback(
    view: View, item: Playable, seen: Observation | None, now: Moment
) -> Playback:
    paused = _is_paused(view, seen)
    return Playback(
        item=item,
        state=PlaybackState.PAUSED if paused else PlaybackState.PLAYING,
        updated_at=now.at,
        progress=view.progress,
        position=view.position,
        duration=view.duration,
        started_at=view.started_at,
        id=view.viewing,
    )


def _is_still(before: Playback, found: Playback) -> bool:
    """Say whether only time has passed."""
    if (before.id, before.item, before.state, before.duration) != (
        found.id,
        found.item,
        found.state,
        found.duration,
    ):
        return False
    return _as_expected(
        before.position,
        before.updated_at,
        found.position,
        found.updated_at,
        runs=found.state is PlaybackState.PLAYING,
    )
