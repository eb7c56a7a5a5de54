"""What Plex knows of an item, by its rating key. History rows and media players give hardly more than that key."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from ...media import Episode, Playable, Show
from ..tracker import TrackerContext
from .api import Api
from .viewings import Viewing
from .wire import Metadata, read_metadata

_FRESH: Final = timedelta(hours=1)
"""How long an answer is believed: a rating key may come to mean something else."""
_MOST: Final = 2000


class Lookup:
    """Asks for metadata, and remembers it for a while."""

    def __init__(self, api: Api, context: TrackerContext) -> None:
        """Nothing is asked yet."""
        self._api = api
        self._now = context.now
        self._known: dict[str, tuple[datetime, Metadata]] = {}
        self._shows: dict[str, Show] = {}

    async def item(self, rating_key: str) -> Playable | None:
        """Return a movie or an episode with all its ids; None when Plex has it no more, or is down."""
        metadata = await self._metadata(rating_key)
        return metadata.item() if metadata else None

    async def fuller(self, viewing: Viewing) -> Playable:
        """Return what was watched with the ids that its row does not tell: at most one request a movie or show."""
        row, item = viewing.row, viewing.item
        if isinstance(item, Episode):
            show = self._shows.get(row.grandparent_rating_key)
            if show is not None and show.title == item.show.title:
                return replace(item, show=show)
        metadata = await self._metadata(row.rating_key)
        if metadata is None or metadata.key != row.key:
            return item
        found = metadata.item()
        if isinstance(item, Episode) and isinstance(found, Episode):
            # the row's own place in its show stays: it is what was watched then
            found = replace(found, season=item.season, number=item.number)
        return found or item

    async def _metadata(self, rating_key: str) -> Metadata | None:
        now = self._now()
        read_at, known = self._known.get(rating_key, (None, None))
        if read_at is not None and now - read_at < _FRESH:
            return known
        metadata = await self._api.ask(
            "get_metadata", read_metadata, rating_key=rating_key
        )
        if metadata is None:
            return None
        _make_room(self._known)
        self._known[rating_key] = (now, metadata)
        item = metadata.item()
        if isinstance(item, Episode):
            _make_room(self._shows)
            self._shows[metadata.grandparent_rating_key] = item.show
        return metadata


def _make_room[T](cache: dict[str, T]) -> None:
    if len(cache) >= _MOST:
        cache.clear()
