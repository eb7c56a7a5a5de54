"""A simulated Firstlight server: bookmarks and the content service (apis/kinopub_firstlight.md section 8).

Where the page does not say what the service does, this takes what is worse for a client, and a comment says so.
Creating and deleting bookmarks over HTTP is not confirmed by any source, so those paths do not exist here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from aiohttp import web

from .catalogue import CatalogueEpisode, CatalogueMovie, CatalogueShow, Viewer
from .service import HTML, Service

IAM_TOKEN: Final = "up-next-iam-token"
USER_TOKEN: Final = "up-next-user-token"
LARGEST_PAGE: Final = 100
"""Rows; that more are refused is not confirmed: 100 is the default."""

LOOKUP: Final = "03"
LIST: Final = "04"
WORDS: Final = {
    "0301": "Invalid X-Authorization",
    "0302": "Invalid or missing item identifier",
    "0303": "Item not found",
    "0390": "Subsystem failure",
    "0391": "Unknown failure",
    "0401": "Invalid X-Authorization",
    "0402": "Invalid or missing page number",
    "0403": "Invalid or missing page size",
    "0404": "Invalid or missing sort by",
    "0405": "Invalid or missing sort order",
    "0406": "Item not found / No record found",
    "0490": "Subsystem failure",
    "0491": "Unknown failure",
}

type Title = CatalogueShow | CatalogueMovie


class Failure(Exception):
    """A refusal by an operation of the bookmark service: "0406"."""

    def __init__(self, code: str) -> None:
        super().__init__(WORDS[code])
        self.code = code


@dataclass(slots=True)
class Bookmark:
    """Where the user stopped, in seconds. A series has one bookmark: that of its current episode."""

    title: Title
    episode: CatalogueEpisode | None
    position: float
    at: datetime


class Firstlight(Service):
    """One user of one operator's server."""

    name: ClassVar[str] = "firstlight"
    port: ClassVar[int] = 8877

    def seed(self, viewer: Viewer) -> None:
        self.iam_token = IAM_TOKEN
        self.user_token = USER_TOKEN
        self.error_status = 400
        """The HTTP status of failures in the envelope; which one goes with which is not known."""
        self.string_codes = False
        """Whether header.code comes as a string, as in some samples."""
        self.foreign_empty = False
        """Whether "no records" carries the code of another service, as in the page's sample."""
        self.offsets_in_seconds = False
        self.times_in_seconds = False
        self.has_content = True
        """Whether there is a content service at this address."""
        self.bare_titles = False
        """Whether titles come without their seasons."""
        self.failing: str | None = None
        """A reason ("90", "91") with which every bookmark operation fails."""
        self.forbidden: set[str] = set()
        """Titles that the content service may not tell."""
        self._ids: dict[int, str] = {}
        self._titles: dict[str, Title] = {}
        for kind, titles in (
            ("movie", self.catalogue.movies),
            ("show", self.catalogue.shows),
        ):
            for title in titles:
                item_id = str(uuid5(NAMESPACE_URL, f"{kind}/{title.ids['trakt']}"))
                self._ids[id(title)] = item_id
                self._titles[item_id] = title
        self.bookmarks: dict[str, Bookmark] = {}
        self._seed_bookmarks(viewer)

    def _seed_bookmarks(self, viewer: Viewer) -> None:
        """Stop in the middle of the next episode of every show in progress, and in some movies."""
        now = self.clock.now()
        seen: dict[int, tuple[CatalogueShow, datetime]] = {}
        numbers: dict[int, set[tuple[int, int]]] = {}
        for show, episode, at in viewer.episodes:
            seen[id(show)] = (show, at)
            numbers.setdefault(id(show), set()).add((episode.season, episode.number))
        for key, (show, at) in seen.items():
            left = [
                e for e in show.aired(now) if (e.season, e.number) not in numbers[key]
            ]
            if left:
                self._put(show, left[0], left[0].runtime * 0.4, at)
        for index, movie in enumerate(viewer.movie_watchlist[:4]):
            self._put(movie, None, movie.runtime * 0.25, now - timedelta(days=index))

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/user/bookmark/list", self._list),
            web.get("/user/bookmark/lookup/{item:.*}", self._lookup),
            web.get("/content/title/{item}", self._title),
            web.get("/content/{item}/seasons", self._seasons),
        ]

    def unknown_route(self, request: web.Request, status: int) -> web.StreamResponse:
        return web.Response(status=status, text=HTML, content_type="text/html")

    # bookmarks ------------------------------------------------------------------------------------------------

    async def _list(self, request: web.Request) -> web.StreamResponse:
        if (refusal := self._iam(request)) is not None:
            return refusal
        try:
            self._user(request, LIST)
            query = request.query
            # the default order is not stated: the one that nobody wants
            order = query.get("order", "asc")
            number = _whole(query.get("pageNumber", "1"), "0402")
            size = _whole(query.get("pageSize", "100"), "0403", LARGEST_PAGE)
            if query.get("sort", "timestamp") != "timestamp":
                raise Failure("0404")  # noqa: TRY301
            if order not in ("asc", "desc"):
                raise Failure("0405")  # noqa: TRY301
            rows = sorted(
                self.bookmarks, key=lambda item: self.bookmarks[item].at.timestamp()
            )
            if order == "desc":
                rows.reverse()
            page = rows[(number - 1) * size : number * size]
            if not page:
                raise Failure("0406")  # noqa: TRY301
        except Failure as failure:
            return self._failed(request, failure)
        header = self._header(request, LIST, 0)
        header |= {
            "start": (number - 1) * size + 1,
            "rows": len(page),
            "count": len(page),
        }
        return web.json_response(
            {"header": header, "data": [self._row(item) for item in page]}
        )

    async def _lookup(self, request: web.Request) -> web.StreamResponse:
        if (refusal := self._iam(request)) is not None:
            return refusal
        try:
            self._user(request, LOOKUP)
            item = request.match_info["item"]
            # what an identifier may look like is not stated
            if not item or any(c in "/ ?#" for c in item):
                raise Failure("0302")  # noqa: TRY301
            if item not in self.bookmarks:
                raise Failure("0303")  # noqa: TRY301
        except Failure as failure:
            return self._failed(request, failure)
        return web.json_response(
            {"header": self._header(request, LOOKUP, 0), "data": self._row(item)}
        )

    def _iam(self, request: web.Request) -> web.Response | None:
        """Refuse an unknown app. The gateway's own words are not known: here they are not the envelope."""
        if request.headers.get("Authorization") == f"Bearer {self.iam_token}":
            return None
        return web.json_response({"message": "Unauthorized"}, status=401)

    def _user(self, request: web.Request, operation: str) -> None:
        if request.headers.get("X-Authorization") != self.user_token:
            raise Failure(f"{operation}01")
        if self.failing is not None:
            raise Failure(f"{operation}{self.failing}")

    def _failed(self, request: web.Request, failure: Failure) -> web.Response:
        operation, reason = failure.code[:2], failure.code[2:]
        header = self._header(request, operation, -1)
        service = "008"
        if self.foreign_empty and failure.code == "0406":
            service = "001"
            header |= {"source": "001-04", "code": "-1"}
        header["errors"] = [
            {
                "code": f"4{service}{operation}{reason}",
                "description": WORDS[failure.code],
            }
        ]
        return web.json_response({"header": header}, status=self.error_status)

    def _header(
        self, request: web.Request, operation: str, code: int
    ) -> dict[str, Any]:
        try:
            tracking = str(UUID(request.headers.get("X-Tracking-Id", "")))
        except ValueError:
            tracking = str(uuid4())
        return {
            "source": f"008-{operation}",
            "code": str(code) if self.string_codes else code,
            "message": "Failure" if code else "Success",
            "system_time": _milliseconds(self.clock.now()),
            "tracking_id": tracking,
        }

    def _row(self, item: str) -> dict[str, Any]:
        bookmark = self.bookmarks[item]
        time = _milliseconds(bookmark.at)
        row: dict[str, Any] = {
            "itemId": item,
            "offset": round(
                bookmark.position * (1 if self.offsets_in_seconds else 1000)
            ),
            "ut": time // 1000 if self.times_in_seconds else time,
        }
        if bookmark.episode is not None:
            row["seasonId"] = _season_id(item, bookmark.episode.season)
            row["episodeId"] = _episode_id(item, bookmark.episode)
        return row

    # content --------------------------------------------------------------------------------------------------

    async def _title(self, request: web.Request) -> web.StreamResponse:
        item = request.match_info["item"].lower()
        if (refusal := self._content_refusal(item)) is not None:
            return refusal
        title = self._titles.get(item)
        if title is None:
            return self._content(2)
        is_series = isinstance(title, CatalogueShow)
        data: dict[str, Any] = {
            "id": item.upper(),
            "title": title.title,
            "originalTitle": title.title,
            "titleType": "series" if is_series else "movie",
            "description": "...",
            "shortDescription": "...",
            "hrPosterUrl": self.picture(f"{item}-16x9"),
            "vrPosterUrl": self.picture(f"{item}-2x3"),
            "releaseDate": "",
            "runtime": 0 if isinstance(title, CatalogueShow) else title.runtime,
            "genres": [],
            "languages": ["Telugu"],
            "directors": [],
            "principalCast": [],
            "isFinal": False,
            "deeplink": f"https://www.example/player/{item}",
        }
        if isinstance(title, CatalogueShow) and not self.bare_titles:
            data["seasons"] = self._season_rows(item, title)
        return self._content(0, data)

    async def _seasons(self, request: web.Request) -> web.StreamResponse:
        item = request.match_info["item"].lower()
        if (refusal := self._content_refusal(item)) is not None:
            return refusal
        title = self._titles.get(item)
        if not isinstance(title, CatalogueShow):
            return self._content(2)
        return self._content(0, self._season_rows(item, title))

    def _content_refusal(self, item: str) -> web.Response | None:
        if not self.has_content:
            return web.Response(status=404, text=HTML, content_type="text/html")
        try:
            UUID(item)
        except ValueError:
            return self._content(1)
        return self._content(3) if item in self.forbidden else None

    def _content(self, code: int, data: object = None) -> web.Response:
        """Answer in the envelope of the content service; 200 is the only status that the page lists."""
        body: dict[str, Any] = {
            "message": "failure" if code else "success",
            "code": str(code) if self.string_codes else code,
            "timestamp": int(self.clock.now().timestamp()),
        }
        if not code:
            body["data"] = data
        return web.json_response(body)

    def _season_rows(self, item: str, show: CatalogueShow) -> list[dict[str, Any]]:
        """Return seasons; ids are in capitals here and not in bookmarks, as in the samples."""
        now = self.clock.now()
        return [
            {
                "id": _season_id(item, number).upper(),
                "showId": item.upper(),
                "title": f"Season {number}",
                "seasonNumber": number,
                "numEpisodes": len(episodes),
                "episodes": [
                    {
                        "id": _episode_id(item, episode).upper(),
                        "showId": item.upper(),
                        "seasonId": _season_id(item, number).upper(),
                        "episodeNumber": episode.number,
                        "title": episode.title,
                        "playDuration": episode.runtime,
                        "previewUrl": self.picture(f"{item}-{number}-{episode.number}"),
                        "deeplink": f"https://www.example/player/{_episode_id(item, episode)}",
                    }
                    for episode in episodes
                ],
            }
            for number in show.seasons()
            if (
                episodes := [
                    e for e in show.aired(now, specials=True) if e.season == number
                ]
            )
        ]

    # the user, outside Home Assistant -------------------------------------------------------------------------

    def item_id(self, title: Title) -> str:
        """Return the id by which this server knows a title."""
        return self._ids[id(title)]

    def pause(
        self,
        *,
        show: int | None = None,
        season: int = 1,
        number: int = 1,
        movie: int | None = None,
        position: float | None = None,
    ) -> str:
        """Stop in a movie or an episode (catalogue trakt ids) at `position` seconds, or half-way; return the item id."""
        title = self._find(show, movie)
        episode = None
        if isinstance(title, CatalogueShow):
            episode = title.episode(season, number)
            if episode is None:
                raise LookupError("no such episode")
        length = title.runtime if episode is None else episode.runtime
        where = length / 2 if position is None else position
        return self._put(title, episode, where, self.clock.now())

    def forget(self, *, show: int | None = None, movie: int | None = None) -> None:
        """Take a title off the list."""
        self.bookmarks.pop(self.item_id(self._find(show, movie)), None)

    def _find(self, show: int | None, movie: int | None) -> Title:
        title: Title | None = None
        if show is not None:
            title = self.catalogue.show("trakt", show)
        elif movie is not None:
            title = self.catalogue.movie("trakt", movie)
        if title is None:
            raise LookupError("no such title")
        return title

    def _put(
        self,
        title: Title,
        episode: CatalogueEpisode | None,
        position: float,
        at: datetime,
    ) -> str:
        item = self.item_id(title)
        self.bookmarks[item] = Bookmark(title, episode, position, at)
        return item

    def expire_tokens(self) -> None:
        self.iam_token = f"{uuid4()}"

    def revoke_tokens(self) -> None:
        self.user_token = f"{uuid4()}"

    async def control(self, what: str, data: dict[str, Any]) -> web.StreamResponse:
        try:
            match what:
                case "pause" | "watch" | "watch_movie":
                    self.pause(**data)
                case "unwatch":
                    self.forget(show=data.get("show"), movie=data.get("movie"))
                case _:
                    return await super().control(what, data)
        except LookupError as error:
            return web.json_response({"error": str(error)}, status=404)
        return web.json_response({"now": self.clock.now().isoformat()})

    def state(self) -> dict[str, Any]:
        shows = sum(b.episode is not None for b in self.bookmarks.values())
        return {
            "bookmarks": len(self.bookmarks),
            "shows": shows,
            "movies": len(self.bookmarks) - shows,
        }


def _whole(text: str, code: str, most: int = 1_000_000) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= number <= most:
        raise Failure(code)
    return number


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _season_id(item: str, number: int) -> str:
    return str(uuid5(UUID(item), f"season {number}"))


def _episode_id(item: str, episode: CatalogueEpisode) -> str:
    return str(uuid5(UUID(item), f"episode {episode.season} {episode.number}"))
