"""When to ask again: often while something plays, seldom when nothing does."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from .counting import busy
from .draft import Draft, parse

PLAYING, USUAL, QUIET = 30.0, 60.0, 300.0
"""Seconds until the next refresh: while something plays, usually, and when nothing was watched for an hour."""
LATELY: Final = timedelta(hours=1)


def next_in(draft: Draft, activities: Mapping[str, str], now: datetime) -> float:
    """Say in how many seconds to ask again."""
    if busy(draft):
        # the way without up next spends most of the allowance
        return USUAL
    if draft.watching is not None:
        return PLAYING
    watched = [
        parse(activities.get(f"{section}.{key}"))
        for section in ("movies", "episodes")
        for key in ("watched_at", "paused_at")
    ]
    latest = max((at for at in watched if at), default=None)
    lately = latest is not None and now - latest <= LATELY
    return _settling(draft, now, USUAL if lately else QUIET)


def while_fed(draft: Draft, now: datetime) -> float:
    """Say the same for while our own players play: what Trakt says of that is what they told it."""
    return USUAL if busy(draft) else _settling(draft, now, QUIET)


def _settling(draft: Draft, now: datetime, seconds: float) -> float:
    """Return `seconds`, or less when something has to be looked at once more before."""
    if (again := draft.settles()) is None:
        return seconds
    return min(seconds, max(PLAYING, (again - now).total_seconds()))
