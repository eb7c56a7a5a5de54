"""Trakt (API v2 as of 2026-11)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar, Final

from ...account import Account, Capability
from ...library import EpisodeDetail, Library, Play, ShowDetail
from ...media import Ids, MediaItem, MediaType, Show
from ...writes import Receipt, Write
from ..errors import NotFound
from ..oauth import DeviceSignIn
from ..tracker import (
    Candidate,
    DeviceCode,
    Field,
    FieldKind,
    Fields,
    Option,
    Page,
    Query,
    QueuedWrite,
    Refresh,
    ScrobbleRhythm,
    SignInStep,
    Tracker,
    TrackerContext,
)
from .api import Api
from .convert import Converter
from .lookup import Lookup, belongs, escape, history_path
from .payloads import (
    SearchRow,
    decode_history,
    decode_progress,
    decode_search,
    decode_seasons,
    decode_title,
)
from .reading import Reader
from .writing import Writer, combine

__all__ = ["Trakt"]

LISTS: Final = ("movies", "shows", "seasons", "episodes")
_ID_SEARCHES: Final = ("trakt", "imdb", "tmdb", "tvdb")
_SEARCHED: Final = (MediaType.MOVIE, MediaType.SHOW)


class Trakt(Tracker):
    """An account at Trakt, through an API app of the user's own."""

    key: ClassVar[str] = "trakt"
    name: ClassVar[str] = "Trakt"
    may: ClassVar[Capability] = (
        Capability.UNWATCHED
        | Capability.WATCHLIST
        | Capability.PLAYBACKS
        | Capability.NOW_WATCHING
        | Capability.HISTORY
        | Capability.TOTALS
        | Capability.AIRINGS
        | Capability.SEARCH
        | Capability.MARK_WATCHED
        | Capability.MARK_DATED
        | Capability.REWATCH
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
    sign_in: ClassVar[tuple[SignInStep, ...]] = (
        Fields(
            fields=(
                Field(name="client_id"),
                Field(name="client_secret", kind=FieldKind.SECRET),
            ),
            links={
                "apps_url": "https://app.trakt.tv/settings/apps/api",
                "redirect_device": "urn:ietf:wg:oauth:2.0:oob",
                "redirect_web": "https://my.home-assistant.io/redirect/oauth",
            },
        ),
        DeviceCode(),
    )
    options: ClassVar[tuple[Option, ...]] = (
        Option(name="lists", choices=LISTS, multiple=True, default=LISTS),
    )
    image_hosts: ClassVar[frozenset[str]] = frozenset(
        {
            "media.trakt.tv",
            "walter.trakt.tv",
            "walter-r2.trakt.tv",
            "image.tmdb.org",
            "assets.fanart.tv",
        }
    )

    rhythm: ClassVar[ScrobbleRhythm] = ScrobbleRhythm(seeks=True)

    def __init__(self, context: TrackerContext) -> None:
        """Connect to Trakt, or to whatever `context.base_url` names."""
        super().__init__(context)
        self._api = Api(context)
        self._convert = Converter(context.base_url)
        self._lookup = Lookup(self._api, self._convert)
        self._reader = Reader(
            self._api, self._convert, self.may, context.chosen(self.options[0])
        )
        self._writer = Writer(self._api, self._convert, self._lookup)

    def device_sign_in(self) -> DeviceSignIn:
        return self._api.sign_in

    async def account(self) -> Account:
        return await self._reader.read_account()

    async def refresh(self, previous: Library | None) -> Refresh:
        return await self._reader.refresh(previous)

    async def show(self, show: Ids) -> ShowDetail:
        found = await self._lookup.show(Show(title="", ids=show)) if show else None
        key = found.ids.get("trakt") if found else None
        if key is None:
            raise NotFound("no such show")
        body, seasons, progress = await asyncio.gather(
            self._api.one(decode_title, f"/shows/{key}", {"extended": "full,images"}),
            self._api.one(
                decode_seasons,
                f"/shows/{key}/seasons",
                {"extended": "full,images,episodes"},
            ),
            self._api.one(
                decode_progress,
                f"/shows/{key}/progress/watched",
                {"hidden": "true", "specials": "true", "count_specials": "false"},
            ),
        )
        media = self._convert.show(body)
        if media is None:
            raise NotFound("no such show")
        listed = progress.listed()
        details: list[EpisodeDetail] = []
        for season in sorted(seasons, key=lambda s: s.number or 0):
            for each in season.episodes:
                episode = self._convert.episode(media, each)
                if episode is None:
                    continue
                row = listed.get((episode.season, episode.number))
                watched = row is not None and row.completed
                details.append(
                    EpisodeDetail(
                        episode=episode,
                        watched=watched,
                        last_watched_at=row.last_watched_at if row else None,
                        plays=1 if watched else 0,
                    )
                )
        return ShowDetail(show=media, episodes=tuple(details), key=key)

    async def history(
        self, cursor: str | None = None, item: MediaItem | None = None
    ) -> Page[Play]:
        path = "/sync/history"
        if item is not None:
            item = await self._lookup.resolve(item)
            own = history_path(item) if item else None
            if own is None:
                raise NotFound("no such title")
            path = own
        number = int(cursor) if cursor and cursor.isdigit() else 1
        rows, pages, total = await self._api.page(
            decode_history, path, {"extended": "full,images"}, page=number, limit=100
        )
        plays = (self._convert.play(row) for row in rows)
        return Page(
            items=tuple(
                play
                for play in plays
                if play and (item is None or belongs(play.item, item))
            ),
            cursor=str(number + 1) if rows and number < pages else None,
            total=total,
        )

    async def search(self, query: Query) -> Sequence[Candidate]:
        kinds = [str(kind) for kind in _SEARCHED if kind in query.types]
        if not kinds:
            return []
        for name in _ID_SEARCHES:
            if value := query.ids.get(name):
                rows = await self._api.one(
                    decode_search,
                    f"/search/{name}/{value}",
                    {"type": ",".join(kinds), "extended": "full,images"},
                )
                if found := self._candidates(rows, kinds, query.limit):
                    return found
        if not query.text.strip():
            return []
        params: dict[str, str | int | float] = {
            "query": escape(query.text.strip()),
            "extended": "full,images",
            "limit": query.limit,
            "page": 1,
        }
        if query.year is not None:
            params["years"] = str(query.year)
        rows = await self._api.one(decode_search, f"/search/{','.join(kinds)}", params)
        return self._candidates(rows, kinds, query.limit)

    def _candidates(
        self, rows: Sequence[SearchRow], kinds: Sequence[str], limit: int
    ) -> list[Candidate]:
        items = (self._convert.item(row) for row in rows if row.type in kinds)
        return [Candidate(item=item) for item in items if item is not None][:limit]

    def combine(self, writes: Sequence[Write]) -> int:
        return combine(writes)

    async def send(self, writes: Sequence[QueuedWrite]) -> Sequence[Receipt]:
        return await self._writer.send(writes)

    async def sign_out(self) -> None:
        tokens = await self.context.tokens.load()
        if tokens is not None:
            await self._api.sign_in.revoke(tokens)
