"""The closed set of changes one can ask of a tracker, and the receipt that tells what became of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Literal

from .library import Play, ShowProgress
from .media import MediaItem, Playable, Show

type WatchedAt = datetime | Literal["released", "unknown"]
"""When something was watched: an instant (UTC), on its release, or nobody knows (never filled with now)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkWatched:
    """Mark as watched. A show or season stands for its aired, unwatched, regular episodes.

    What is watched already is skipped, unless `rewatch` asks for one more play.
    """

    item: MediaItem
    watched_at: WatchedAt
    rewatch: bool = False
    kind: Literal["mark_watched"] = "mark_watched"


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkUnwatched:
    """Remove every play of the item (of all episodes for a show or season). The receipt holds what was removed."""

    item: MediaItem
    kind: Literal["mark_unwatched"] = "mark_unwatched"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovePlays:
    """Remove single plays: those with the service's ids `play_ids`, or the newest one of `item` when empty."""

    item: Playable
    play_ids: tuple[str, ...] = ()
    kind: Literal["remove_plays"] = "remove_plays"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetWatchlisted:
    """Put on the watchlist, or take off."""

    item: MediaItem
    listed: bool
    kind: Literal["set_watchlisted"] = "set_watchlisted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Rate from 1 to 10; None removes the rating."""

    item: MediaItem
    rating: int | None
    kind: Literal["rate"] = "rate"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetProgress:
    """Set the resume position, in percent (0-100), in seconds, or both when both are known."""

    item: Playable
    progress: float | None = None
    position: float | None = None
    kind: Literal["set_progress"] = "set_progress"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearProgress:
    """Forget the resume position."""

    item: Playable
    kind: Literal["clear_progress"] = "clear_progress"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetHidden:
    """Hide (drop) a show from progress, or bring it back."""

    show: Show
    hidden: bool
    kind: Literal["set_hidden"] = "set_hidden"


class ScrobbleAction(StrEnum):
    """What a player did, as trackers are told."""

    START = "start"
    PAUSE = "pause"
    STOP = "stop"
    """Ended too early to count: what remains is a resume point."""
    WATCHED = "watched"
    """Ended, and counts as watched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrobble:
    """Tell about a playback.

    `progress` (percent 0-100) and `position` (seconds) were true at `at` (UTC); None where no length is known.
    `viewing` names the viewing: the same for all that is told of it, and for no other. It began at `started_at`
    (UTC). `rewatch` says that the account has counted an earlier viewing of the item.
    """

    item: Playable
    action: ScrobbleAction
    at: datetime
    viewing: str
    started_at: datetime
    progress: float | None = None
    position: float | None = None
    rewatch: bool = False
    kind: Literal["scrobble"] = "scrobble"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckIn:
    """Say that watching begins now, with no player to follow; the service counts it once its length has passed."""

    item: Playable
    kind: Literal["check_in"] = "check_in"


type Write = (
    MarkWatched
    | MarkUnwatched
    | RemovePlays
    | SetWatchlisted
    | Rate
    | SetProgress
    | ClearProgress
    | SetHidden
    | Scrobble
    | CheckIn
)


def subject(write: Write) -> MediaItem:
    """Return the media item that a write is about."""
    return write.show if isinstance(write, SetHidden) else write.item


_KEEP: Final = timedelta(days=30)
_KEEP_SCROBBLE: Final = {
    ScrobbleAction.START: timedelta(minutes=5),
    ScrobbleAction.PAUSE: timedelta(minutes=5),
    ScrobbleAction.STOP: timedelta(days=1),
}


def keeps(write: Write) -> timedelta:
    """Return for how long a write is worth sending: that something began is worthless when late."""
    match write:
        case Scrobble():
            return _KEEP_SCROBBLE.get(write.action, _KEEP)
        case CheckIn():
            return _KEEP_SCROBBLE[ScrobbleAction.START]
        case _:
            return _KEEP


def supersedes(write: Write, earlier: Write) -> bool:
    """Say whether an earlier write, not sent yet, need not be sent any more because of this one.

    Of what plays, an account needs to hear the latest only; that something was watched is never dropped. What is told
    late says nothing of what plays now.
    """
    if not isinstance(earlier, Scrobble) or not isinstance(write, Scrobble):
        return False
    if write.at < earlier.at:
        return False
    match earlier.action:
        case ScrobbleAction.START | ScrobbleAction.PAUSE:
            return True
        case ScrobbleAction.STOP:
            return write.viewing == earlier.viewing
        case ScrobbleAction.WATCHED:
            return False


class Outcome(StrEnum):
    """What became of a write."""

    DONE = "done"
    ALREADY = "already"
    NOT_FOUND = "not_found"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the service did.

    `reason` is a translation key of "exceptions" that tells a person why (with `placeholders`), set when the
    outcome is not found or refused. `plays` are those added or removed, with the service's ids where it has any.
    `progress` is the show as it stands after the write, where the tracker knows.
    """

    outcome: Outcome
    reason: str | None = None
    placeholders: Mapping[str, str] = field(default_factory=dict)
    plays: tuple[Play, ...] = ()
    progress: ShowProgress | None = None
