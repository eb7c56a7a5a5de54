"""Finding titles: search, external ids, a title's page (apis/simkl.md section 11)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
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
NAMESAKES: Final = 50
"""So many results of a search are looked through for titles of one name."""
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

    async def confirmed(self, title: Movie | Show) -> Movie | Show:
        """Return a title that Simkl will not have to guess, with more ids if need be. Raises NotFound.

        What Simkl does not know by any id it matches by name, and any namesake will do.
        """
        if title.ids.get("simkl") is not None:
            return title
        if any(title.ids.get(namespace) for namespace in _REDIRECTS):
            kind = "movie" if isinstance(title, Movie) else "tv"
            word, _ = await self.redirect(title.ids, kind)
            if word != "anime" and (word == "movies") is not isinstance(title, Movie):
                raise NotFound(f"{title.title}: these are the ids of something else")
            return title
        return await self._named(title)

    async def _named(self, title: Movie | Show) -> Movie | Show:
        """Find the one title of this name and year. Anime has to have ids: by its name a season can't be told."""
        if not _plain(title.title) or title.year is None:
            raise NotFound("no name and year")
        word = "movie" if isinstance(title, Movie) else "tv"
        found = [
            row.ids
            for row in await self._rows(word, title.title, NAMESAKES)
            if row.year == title.year
            and _plain(title.title) in (_plain(row.title), _plain(row.title_en))
        ]
        if len(found) != 1:
            raise NotFound(f"{len(found)} titles of this name and year")
        return replace(title, ids=title.ids.merged(found[0]))

    async def search(self, query: Query) -> Sequence[Candidate]:
        """Search by ids, else by text: one request for each kind of title."""
        if query.ids:
            return await self._by_ids(query)
        words = [w for t, w in _SEARCHED if t in query.types]
        if not query.text.strip():
            return []
        found: list[Candidate] = []
        for word in words:
            rows = await self._rows(word, query.text, query.limit)
            found += [Candidate(item=self._found(word, row)) for row in rows]
        if query.year is not None:
            # a stable sort: the service's order within the year and outside it
            found.sort(key=lambda c: getattr(c.item, "year", None) != query.year)
        return found[: query.limit]

    async def _rows(self, word: str, text: str, limit: int) -> list[Found]:
        params: Values = {"q": text, "limit": min(50, max(1, limit))}
        rows = await self._api.read(f"search/{word}", list_decoder(Found), params)
        return [row for row in rows if row.title and row.ids]

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


def _plain(name: str | None) -> str:
    """Leave nothing of a name but letters and digits."""
    return "".join(sign for sign in (name or "").casefold() if sign.isalnum())
