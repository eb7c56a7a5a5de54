"""Finding titles: search, external ids, a title's page (apis/simkl.md section 11)."""

from __future__ import annotations

from collections.abc import Sequence
import re
from typing import Final

from ...media import Ids, MediaItem, MediaType, Movie, Show
from ..errors import NotFound
from ..tracker import Candidate, Query
from ..transport import Values
from .api import Api
from .payloads import Found, Title, decoder, list_decoder
from .reading import Builder

_PAGE_OF: Final = re.compile(r"/(tv|anime|movies)/(\d+)(?:/|$)")
_REDIRECTS: Final = ("imdb", "tvdb", "mal", "anidb", "anilist", "tmdb")
_SEARCHED: Final = (
    (MediaType.MOVIE, "movie"),
    (MediaType.SHOW, "tv"),
    (MediaType.SHOW, "anime"),
)


class Titles:
    """Looks titles up: pages are free, searches and external ids count."""

    def __init__(self, api: Api, builder: Builder) -> None:
        self._api = api
        self._builder = builder

    async def redirect(self, ids: Ids, kind: str) -> tuple[str, str]:
        """Ask where an external id leads: the word of its page and the Simkl id. Raises NotFound."""
        for namespace in _REDIRECTS:
            if (value := ids.get(namespace)) is not None:
                params = {"to": "simkl", namespace: value}
                if namespace == "tmdb":
                    params["type"] = kind
                match = _PAGE_OF.search(await self._api.location(params))
                if match is not None:
                    return match[1], match[2]
        raise NotFound("no id that Simkl knows")

    async def page(self, key: str, words: Sequence[str]) -> tuple[str, Title]:
        """Read a title's page, which is free. Raises NotFound: unknown ids are a 200 with []."""
        for word in words:
            page = await self._api.free(f"{word}/{key}", decoder(Title))
            if page.title and page.ids.get("simkl") == key:
                return word, page
        raise NotFound(f"no title {key}")

    async def search(self, query: Query) -> Sequence[Candidate]:
        """Search by ids, else by text: one request for each kind of title."""
        if query.ids:
            return await self._by_ids(query)
        words = [w for t, w in _SEARCHED if t in query.types]
        if not query.text.strip():
            return []
        found: list[Candidate] = []
        for word in words:
            params: Values = {"q": query.text, "limit": min(50, max(1, query.limit))}
            rows = await self._api.read(f"search/{word}", list_decoder(Found), params)
            found += [
                Candidate(item=self._found(word, row))
                for row in rows
                if row.title and row.ids
            ]
        if query.year is not None:
            # a stable sort: the service's order within the year and outside it
            found.sort(key=lambda c: getattr(c.item, "year", None) != query.year)
        return found[: query.limit]

    def _found(self, word: str, row: Found) -> Movie | Show:
        title = Title(
            title=row.title_en or row.title,
            year=row.year,
            poster=row.poster,
            ids=row.ids,
        )
        if word == "movie" or row.type == "movie":
            return self._builder.movie(title, anime=word == "anime")
        return self._builder.show(title, anime=word == "anime")

    async def _by_ids(self, query: Query) -> list[Candidate]:
        kind = "movie" if query.types == {MediaType.MOVIE} else "tv"
        try:
            if (key := query.ids.get("simkl")) is not None:
                word, page = await self.page(key, ("tv", "anime", "movies"))
            else:
                word, key = await self.redirect(query.ids, kind)
                word, page = await self.page(key, (word,))
        except NotFound:
            return []
        if word == "movies":
            item: MediaItem = self._builder.movie(page)
        else:
            item = self._builder.show(
                page, anime=word == "anime" or page.type == "anime"
            )
        return [Candidate(item=item)] if item.type in query.types else []
