"""The simulated Letterboxd: one member's public RSS feed, and a firewall before everything else.

Source: apis/letterboxd_tvtime_tautulli_plex.md sections 1.1 and 1.2. What that page calls unconfirmed (validators,
the order of the feed, what a private profile answers) can be switched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.utils import format_datetime, parsedate_to_datetime
import hashlib
import html
import re
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from aiohttp import web

from .catalogue import CatalogueMovie, Viewer
from .service import Service

USERNAME: Final = "someone"
DISPLAY_NAME: Final = "Someone"
FEED_LENGTH: Final = 50
AUCKLAND: Final = ZoneInfo("Pacific/Auckland")
CLOUDFLARE: Final = (
    "<!DOCTYPE html><html lang='en'><head><title>Just a moment...</title></head>"
    "<body><h1>letterboxd.com</h1><p>Enable JavaScript and cookies to continue</p></body></html>"
)
NOT_FOUND: Final = (
    "<!DOCTYPE html><html><head><title>Letterboxd - Not Found</title></head>"
    "<body><h1>Sorry, this page was not found.</h1></body></html>"
)
_LIBRARY: Final = re.compile(
    r"^(Python|python-requests|aiohttp|httpx|HomeAssistant|curl|Wget|Go-http-client|Java|okhttp|feedparser)\b"
)
_FEED: Final = re.compile(r"/[A-Za-z0-9_]+/rss/")
_HEAD: Final = (
    "<?xml version='1.0' encoding='utf-8'?>\n"
    '<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom"'
    ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:letterboxd="https://letterboxd.com" xmlns:tmdb="{tmdb}">\n'
)


@dataclass(slots=True, kw_only=True)
class Entry:
    """A diary entry, or a review without a date. `rating` is 0.5-5 in halves; `like` None leaves the element out."""

    number: int
    title: str
    logged_at: datetime
    slug: str
    watched_on: date | None = None
    year: int | None = None
    rating: float | None = None
    rewatch: bool = False
    like: bool | None = False
    movie_id: int | None = None
    tv_id: int | None = None
    review: str | None = None
    review_number: int | None = None
    nth: int = 0

    @property
    def guid(self) -> str:
        """Return the entry's id in the feed; another one when it has review text (unconfirmed)."""
        if self.review is not None:
            return f"letterboxd-review-{self.review_number or self.number}"
        return f"letterboxd-watch-{self.number}"


@dataclass(slots=True, kw_only=True)
class ListEntry:
    """A published list; the feed names it after the diary."""

    number: int
    title: str
    slug: str
    published_at: datetime


class Letterboxd(Service):
    """One member's feed."""

    name = "letterboxd"
    port = 8876

    def seed(self, viewer: Viewer) -> None:
        """Log every movie that the viewer has watched, and publish one list."""
        self.username = USERNAME
        self.display_name = DISPLAY_NAME
        self.blocked = False
        """Whether the firewall turns everybody away."""
        self.private: Literal["", "empty", "404"] = ""
        """How a private profile answers (unconfirmed)."""
        self.validators: frozenset[str] = frozenset({"etag", "last_modified"})
        """What the feed offers for conditional requests (unconfirmed): "etag", "last_modified"."""
        self.order: Literal["logged", "watched"] = "logged"
        """What makes an entry one of the newest (unconfirmed)."""
        self.tmdb_namespace = "https://themoviedb.org"
        self.entries: list[Entry] = []
        self.lists: list[ListEntry] = []
        self._number = 1_285_580_000
        self._changed_at = self.clock.now()
        for index, (movie, at) in enumerate(viewer.movies):
            self.log(
                movie,
                at.date(),
                logged_at=at,
                rating=None if index % 7 == 3 else (index % 10 + 1) / 2,
                rewatch=index % 6 == 5,
                like=index % 4 == 0,
                review="Better than the book." if index % 9 == 8 else None,
            )
        self.publish("Rainy Sundays")

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/{username}/rss/", self._rss)]

    async def guard(self, request: web.Request) -> web.StreamResponse | None:
        """Let nothing but feeds through, and no client that looks like a library."""
        agent = request.headers.get("User-Agent", "")
        allowed = request.method == "GET" and _FEED.fullmatch(request.path)
        if self.blocked or not allowed or not agent or _LIBRARY.match(agent):
            return web.Response(
                status=403,
                text=CLOUDFLARE,
                content_type="text/html",
                headers={"Server": "cloudflare", "cf-mitigated": "challenge"},
            )
        return None

    # the member acts ------------------------------------------------------------------------------------------

    def log(
        self,
        movie: CatalogueMovie,
        watched_on: date | None = None,
        *,
        logged_at: datetime | None = None,
        rating: float | None = None,
        rewatch: bool = False,
        like: bool | None = False,
        review: str | None = None,
    ) -> Entry:
        """Log a movie of the catalogue; without a date it is a review only."""
        return self.add(
            title=movie.title,
            year=movie.year,
            slug=str(movie.ids["slug"]),
            movie_id=int(movie.ids["tmdb"]),
            watched_on=watched_on,
            logged_at=logged_at,
            rating=rating,
            rewatch=rewatch,
            like=like,
            review=review,
        )

    def add(
        self, *, title: str, slug: str, logged_at: datetime | None = None, **more: Any
    ) -> Entry:
        """Log anything, as odd as it may be. `more` are fields of `Entry`."""
        number = self._next()
        entry = Entry(
            number=number,
            title=title,
            slug=slug,
            logged_at=logged_at or self.clock.now(),
            nth=sum(e.slug == slug for e in self.entries),
            **more,
        )
        self.entries.append(entry)
        return entry

    def remove(self, entry: Entry) -> None:
        """Take an entry out of the diary."""
        self.entries.remove(entry)
        self._touch()

    def edit(self, entry: Entry, **changes: Any) -> None:
        """Change fields of an entry. Review text gives it another id in the feed."""
        for name, value in changes.items():
            setattr(entry, name, value)
        if changes.get("review") is not None:
            entry.review_number = self._next()
        self._touch()

    def publish(self, title: str) -> None:
        """Publish a list."""
        slug = re.sub(r"\W+", "-", title.lower())
        self.lists.append(
            ListEntry(
                number=self._next(),
                title=title,
                slug=slug,
                published_at=self.clock.now(),
            )
        )

    def add_oddities(self) -> dict[str, Entry]:
        """Log one of each odd kind and return them by name."""
        today = self.clock.now().date()
        return {
            "no_year": self.add(title="Untitled", slug="untitled", watched_on=today),
            "no_rating": self.add(
                title="Playtime",
                slug="playtime",
                year=1967,
                movie_id=10227,
                watched_on=today,
                like=None,
            ),
            "tv": self.add(
                title="Ahsoka",
                slug="ahsoka",
                year=2023,
                tv_id=114461,
                watched_on=today,
                review="A review without a rating.",
            ),
            "undated": self.add(
                title="Alien",
                slug="alien",
                year=1979,
                movie_id=348,
                rating=4.5,
                review="In space <no one> can hear & so on.",
            ),
            "first": self.add(
                title="Crimes, Lies - ★",
                slug="crimes-lies",
                year=2001,
                movie_id=9001,
                rating=0.5,
                watched_on=today,
            ),
            "again": self.add(
                title="Crimes, Lies - ★",
                slug="crimes-lies",
                year=2001,
                movie_id=9001,
                rating=5,
                rewatch=True,
                watched_on=today,
            ),
        }

    def _next(self) -> int:
        self._number += 7
        self._touch()
        return self._number

    def _touch(self) -> None:
        self._changed_at = self.clock.now()

    # the feed -------------------------------------------------------------------------------------------------

    async def _rss(self, request: web.Request) -> web.StreamResponse:
        unknown = request.match_info["username"] != self.username
        if unknown or self.private == "404":
            return web.Response(status=404, text=NOT_FOUND, content_type="text/html")
        body = self.feed().encode()
        headers: dict[str, str] = {}
        if "etag" in self.validators:
            headers["ETag"] = f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'
        if "last_modified" in self.validators:
            headers["Last-Modified"] = format_datetime(self._changed_at, usegmt=True)
        if self._unchanged(request, headers):
            return web.Response(status=304, headers=headers)
        return web.Response(
            body=body,
            headers=headers | {"Content-Type": "application/rss+xml;charset=UTF-8"},
        )

    def _unchanged(self, request: web.Request, headers: dict[str, str]) -> bool:
        """Compare validators; If-None-Match comes before If-Modified-Since (RFC 9110 section 13.2.2)."""
        known = request.headers.get("If-None-Match")
        if known is not None and "ETag" in headers:
            return known == headers["ETag"]
        since = request.headers.get("If-Modified-Since")
        if since is None or "Last-Modified" not in headers:
            return False
        return self._changed_at.replace(microsecond=0) <= parsedate_to_datetime(since)

    def feed(self) -> str:
        """Return the feed: the newest entries, then the lists."""
        entries: Sequence[Entry] = [] if self.private else self.newest()
        lists: Sequence[ListEntry] = [] if self.private else self.lists
        name, home = html.escape(self.display_name), self._home
        return "".join(
            [
                _HEAD.format(tmdb=self.tmdb_namespace),
                f"<channel>\n  <title>Letterboxd - {name}</title>\n  <link>{home}</link>\n",
                f"  <description>Letterboxd - {name}</description>\n",
                f'  <atom:link rel="self" href="{home}rss/" type="application/rss+xml"/>\n',
                *(self._item(entry) for entry in entries),
                *(self._list_item(row) for row in lists),
                "</channel></rss>\n",
            ]
        )

    def newest(self) -> list[Entry]:
        """Return the entries that the feed tells."""

        def rank(entry: Entry) -> tuple[date, datetime, int]:
            day = entry.watched_on or entry.logged_at.date()
            return (
                day if self.order == "watched" else date.min,
                entry.logged_at,
                entry.number,
            )

        return sorted(self.entries, key=rank, reverse=True)[:FEED_LENGTH]

    @property
    def _home(self) -> str:
        return f"https://letterboxd.com/{self.username}/"

    def _item(self, entry: Entry) -> str:
        title = html.escape(entry.title, quote=False)
        shown = title + (f", {entry.year}" if entry.year else "")
        if entry.rating:
            shown += f" - {'★' * int(entry.rating)}{'½' if entry.rating % 1 else ''}"
        link = f"{self._home}film/{entry.slug}/" + (
            f"{entry.nth}/" if entry.nth else ""
        )
        picture = self.picture(entry.slug)
        text = html.escape(entry.review or "") or (
            f"Watched on {entry.watched_on:%A %B} {entry.watched_on.day}, {entry.watched_on.year}."
            if entry.watched_on
            else ""
        )
        rows = [
            ("title", shown),
            ("link", link),
            ('guid isPermaLink="false"', entry.guid),
            ("pubDate", _pub_date(entry.logged_at)),
            (
                "letterboxd:watchedDate",
                entry.watched_on.isoformat() if entry.watched_on else None,
            ),
            ("letterboxd:rewatch", _yes_no(entry.rewatch)),
            ("letterboxd:filmTitle", title),
            ("letterboxd:filmYear", entry.year),
            (
                "letterboxd:memberRating",
                f"{entry.rating:.1f}" if entry.rating else None,
            ),
            (
                "letterboxd:memberLike",
                None if entry.like is None else _yes_no(entry.like),
            ),
            ("tmdb:movieId", entry.movie_id),
            ("tmdb:tvId", entry.tv_id),
            (
                "description",
                f'<![CDATA[ <p><img src="{picture}?v=x&amp;w=600"/></p> <p>{text}</p> ]]>',
            ),
            ("dc:creator", html.escape(self.display_name)),
        ]
        return _xml(rows)

    def _list_item(self, row: ListEntry) -> str:
        return _xml(
            [
                ("title", html.escape(row.title)),
                ("link", f"{self._home}list/{row.slug}/"),
                ('guid isPermaLink="false"', f"letterboxd-list-{row.number}"),
                ("pubDate", _pub_date(row.published_at)),
                ("description", "<![CDATA[ <p>A list of films.</p> ]]>"),
                ("dc:creator", html.escape(self.display_name)),
            ]
        )

    # control --------------------------------------------------------------------------------------------------

    def watch_movie(self, movie: int, on: date | None = None) -> Entry:
        """Log a movie by its catalogue id, as watched today unless a date is given."""
        found = self.catalogue.movie("trakt", movie)
        if found is None:
            raise KeyError(movie)
        return self.log(found, on or self.clock.now().date())

    async def control(self, what: str, data: dict[str, Any]) -> web.StreamResponse:
        match what:
            case "watch" if "movie" in data:
                on = date.fromisoformat(data["on"]) if data.get("on") else None
                self.watch_movie(data["movie"], on)
            case "unwatch" if "movie" in data:
                movie = self.catalogue.movie("trakt", data["movie"])
                tmdb = int(movie.ids["tmdb"]) if movie else 0
                for entry in [e for e in self.entries if e.movie_id == tmdb]:
                    self.remove(entry)
            case "oddities":
                self.add_oddities()
            case "private":
                self.private = data.get("how", "404")
            case "blocked":
                self.blocked = bool(data["on"])
            case "validators":
                self.validators = frozenset(data["which"])
            case "wrong_namespace":
                self.tmdb_namespace = "https://www.themoviedb.org"
            case _:
                return await super().control(what, data)
        return web.json_response(self.state())

    def approve(self, code: str | None = None, *, deny: bool = False) -> None:
        """Do nothing: there is no sign-in."""

    def expire_tokens(self) -> None:
        """Do nothing: there are no tokens."""

    def revoke_tokens(self) -> None:
        """Do nothing: there are no tokens."""

    def state(self) -> dict[str, Any]:
        dated = {(e.slug, e.watched_on) for e in self.entries}
        return {
            "unwatched": 0,
            "watchlist": 0,
            "entries": len(self.entries),
            "plays": len(dated),
            "movies": len({e.slug for e in self.entries}),
            "in_feed": len(self.newest()),
        }


def _pub_date(at: datetime) -> str:
    """Write an instant as the feed does: in New Zealand's time."""
    return format_datetime(at.astimezone(UTC).astimezone(AUCKLAND))


def _yes_no(value: bool) -> str:
    return "Yes" if value else "No"


def _xml(rows: Sequence[tuple[str, object]]) -> str:
    """Write an item; what is None is left out."""
    lines = [
        f"    <{tag}>{value}</{tag.split()[0]}>\n"
        for tag, value in rows
        if value is not None
    ]
    return f"  <item>\n{''.join(lines)}  </item>\n"
