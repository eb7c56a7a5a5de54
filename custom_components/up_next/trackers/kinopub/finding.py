"""From a media item to KinoPub's own id, and searching.

There is no look-up by external id: titles are searched by name, and `imdb` compared (section 3.7).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Final

from ...library import Library, find_show
from ...media import Ids, MediaType, Movie, Show
from ..errors import NotFound
from ..tracker import Candidate, Query
from .client import Client
from .shapes import Shapes, ids, names
from .wire import Head, Heads, OneItem

ROWS: Final = 40
_NATIVE: Final = ("kinopub", "imdb", "kinopoisk")


class Finder:
    """Finds titles; what was found once is remembered as long as the account is set up."""

    def __init__(self, client: Client, shapes: Shapes) -> None:
        """Search through this client."""
        self._client = client
        self._shapes = shapes
        self._found: dict[tuple[MediaType, Ids], int] = {}
        self.library: Library | None = None
        """The newest library, whose titles need no search."""

    async def find(self, item: Movie | Show) -> int:
        """Return the service's id of a movie or show: by its ids, else by its exact title and year when unique.

        Raises NotFound.
        """
        if native := item.ids.number("kinopub"):
            return native
        if known := self._known(item):
            return known
        key = (item.type, item.ids)
        if item.ids and key in self._found:
            return self._found[key]
        heads = await self._by_name(item.title, item.type)
        head = _by_ids(heads, item.ids) or _by_title(heads, item)
        if head is None:
            raise NotFound(f"no item for {item.title}")
        if item.ids:
            self._found[key] = head.id
        return head.id

    def _known(self, item: Movie | Show) -> int | None:
        if self.library is None or not item.ids:
            return None
        if isinstance(item, Show):
            found = find_show(self.library, item.ids)
            return found[1].show.ids.number("kinopub") if found else None
        movies = chain(
            (state.movie for state in self.library.movies.values()),
            (playback.item for playback in self.library.playbacks),
            (entry.item for entry in self.library.watchlist),
        )
        return next(
            (
                movie.ids.number("kinopub")
                for movie in movies
                if isinstance(movie, Movie) and movie.ids.shares(item.ids)
            ),
            None,
        )

    def known_show(self, item_id: int) -> Show | None:
        """Return a show of the library that needs no description any more."""
        row = self.library.shows.get(str(item_id)) if self.library else None
        return row.show if row and row.show.year else None

    async def search(self, query: Query) -> Sequence[Candidate]:
        """Search by text; ids alone can be looked up only when they are the service's own."""
        if native := query.ids.number("kinopub"):
            answer = await self._client.get(OneItem, f"items/{native}", nolinks=1)
            return [self._candidate(answer.item)]
        if not query.text.strip():
            return []
        found = await self._client.get(
            Heads, "items/search", q=query.text.strip(), field="title", perpage=ROWS
        )
        heads = [
            head
            for head in found.items
            if head.id > 0
            and _type(head) in query.types
            and query.year in (None, head.year)
        ]
        if query.ids:
            heads.sort(key=lambda head: not ids(head).shares(query.ids))
        return [self._candidate(head) for head in heads[: query.limit]]

    def _candidate(self, head: Head) -> Candidate:
        """Make a candidate with both of its names: whoever searched may have meant either."""
        item: Movie | Show = (
            self._shapes.show(head) if head.series else self._shapes.movie(head)
        )
        return Candidate(item=replace(item, title=head.title or item.title))

    async def _by_name(self, title: str, kind: MediaType) -> list[Head]:
        text = names(title)[1]
        if not text:
            return []
        answer = await self._client.get(
            Heads, "items/search", q=text, field="title", perpage=ROWS
        )
        return [head for head in answer.items if head.id > 0 and _type(head) is kind]


def _type(head: Head) -> MediaType:
    return MediaType.SHOW if head.series else MediaType.MOVIE


def _by_ids(heads: Iterable[Head], wanted: Ids) -> Head | None:
    """Return the item with the same id; of a film in 2D and 3D the former."""
    same = [head for head in heads if ids(head).shares(wanted)]
    return min(same, key=lambda head: head.type == "3d", default=None)


def _by_title(heads: Iterable[Head], item: Movie | Show) -> Head | None:
    """Return the one item of this exact name (either of its two) and year that no id speaks against."""
    wanted = {name.casefold() for name in (*names(item.title), item.title)}
    same = [
        head
        for head in heads
        if wanted & {name.casefold() for name in (*names(head.title), head.title)}
        and item.year in (None, head.year)
        and not _differs(ids(head), item.ids)
    ]
    flat = [head for head in same if head.type != "3d"] or same
    return flat[0] if len(flat) == 1 else None


def _differs(one: Ids, other: Ids) -> bool:
    """Say whether both have an id in the same namespace, and not the same one."""
    pairs = ((one.get(namespace), other.get(namespace)) for namespace in _NATIVE)
    return any(a and b and a != b for a, b in pairs)
