"""An account at a tracker, and what it can know and do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Flag, auto
from typing import Final


class Capability(Flag):
    """What a tracker, or one account of it, can know and do. Entities and actions follow from it."""

    # reading
    UNWATCHED = auto()
    """Counts of unwatched episodes and the next episode of each show."""
    WATCHLIST = auto()
    PLAYBACKS = auto()
    """Resume positions: continue watching."""
    NOW_WATCHING = auto()
    HISTORY = auto()
    """Plays with their time."""
    TOTALS = auto()
    """How many movies and episodes were watched in all."""
    AIRINGS = auto()
    """When episodes air: counts rise by themselves."""
    QUOTA = auto()
    """A daily number of requests that the service counts."""
    SUBSCRIPTION = auto()
    """A paid subscription with an end."""
    SEARCH = auto()
    # writing
    MARK_WATCHED = auto()
    MARK_DATED = auto()
    """A viewing can be given its own time."""
    REWATCH = auto()
    """A title can have more than one play."""
    REMOVE_PLAY = auto()
    """A single play can be removed."""
    LIST_MOVIES = auto()
    """Movies can be put on the watchlist."""
    LIST_SHOWS = auto()
    """Shows can be put on the watchlist."""
    RATE = auto()
    SET_PROGRESS = auto()
    CLEAR_PROGRESS = auto()
    HIDE_SHOW = auto()
    # scrobbling
    SCROBBLE = auto()
    """Can be told what a player plays."""
    CHECK_IN = auto()
    """Can be told that watching begins, and counts it by itself once its length has passed."""
    HEARTBEAT = auto()
    """The service wants the start of what is being watched repeated every 15 minutes."""
    # asking for one title (last: cached libraries hold the numbers of all that stand before)
    LOOK_UP_PLAYBACK = auto()
    """The resume position of one title can be asked for by the service's own id: `Tracker.bookmark`."""

    NONE = 0


WRITING: Final = (
    Capability.MARK_WATCHED
    | Capability.REMOVE_PLAY
    | Capability.LIST_MOVIES
    | Capability.LIST_SHOWS
    | Capability.RATE
    | Capability.SET_PROGRESS
    | Capability.CLEAR_PROGRESS
    | Capability.HIDE_SHOW
    | Capability.SCROBBLE
    | Capability.CHECK_IN
)
"""Everything that changes an account: one that can do nothing of it is only read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who signed in. `id` never changes; `name` is for people; `plan` is the service's word ("free", "vip")."""

    id: str
    name: str
    can: Capability
    plan: str | None = None
    subscription_end: datetime | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Requests the service still allows until `resets_at` (UTC)."""

    remaining: int
    limit: int | None = None
    resets_at: datetime | None = None
