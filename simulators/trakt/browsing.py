"""Calendars, media and search of the simulated Trakt API."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
import re
from typing import Any

from aiohttp import web

from simulators.catalogue import CatalogueMovie, CatalogueShow

from .base import TraktBase, extended, paginate, reply
from .state import iso


class Browsing(TraktBase):
    """GET routes of the catalogue."""

    def browses(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/calendars/my/shows/{start}/{days}", self._calendar_shows),
            web.get("/calendars/my/movies/{start}/{days}", self._calendar_movies),
            web.get("/shows/{id}", self._show),
            web.get("/shows/{id}/seasons", self._seasons),
            web.get("/shows/{id}/next_episode", self._next_episode),
            web.get("/movies/{id}", self._movie),
            web.get("/search/{type}", self._search),
            web.get("/search/{type}/{id}", self._search_id),
        ]

    # calendars ------------------------------------------------------------------------------------------------

    async def _calendar_shows(self, request: web.Request) -> web.StreamResponse:
        span = _span(request)
        if span is None:
            return web.Response(status=400)
        start, end = span
        account = self.account
        mine = {number for number, watched in account.watched.items() if watched.plays}
        mine |= {number for kind, number in account.watchlist if kind == "show"}
        mine -= {n for kind, n in account.hidden.get("calendar", {}) if kind == "show"}
        rows = [
            (episode.first_aired, show, episode)
            for show in map(account.show, mine)
            for episode in show.episodes
            if start <= episode.first_aired < end
        ]
        rows.sort(key=lambda row: (row[0], str(row[1].ids["slug"])))
        wanted = extended(request)
        return reply(
            [
                {
                    "first_aired": iso(at),
                    "episode": self.shapes.episode(show, episode, wanted)
                    | {
                        "first_aired": iso(at),
                        "episode_type": self.shapes.episode_type(show, episode),
                    },
                    "show": self.shapes.show(show, wanted),
                }
                for at, show, episode in rows
            ]
        )

    async def _calendar_movies(self, request: web.Request) -> web.StreamResponse:
        span = _span(request)
        if span is None:
            return web.Response(status=400)
        start, end = span
        movies = [
            self.account.movie(number)
            for kind, number in self.account.watchlist
            if kind == "movie"
        ]
        return reply(
            [
                {
                    "released": movie.released.date().isoformat(),
                    "movie": self.shapes.movie(movie, extended(request)),
                }
                for movie in sorted(movies, key=lambda m: m.released)
                if start <= movie.released < end
            ]
        )

    # media ----------------------------------------------------------------------------------------------------

    async def _show(self, request: web.Request) -> web.StreamResponse:
        show = self.find_show(request.match_info["id"])
        return reply(self.shapes.show(show, extended(request)))

    async def _seasons(self, request: web.Request) -> web.StreamResponse:
        show = self.find_show(request.match_info["id"])
        wanted = extended(request)
        return reply(
            [self.shapes.season(show, number, wanted) for number in show.seasons()]
        )

    async def _next_episode(self, request: web.Request) -> web.StreamResponse:
        show = self.find_show(request.match_info["id"])
        now = self.clock.now()
        coming = [e for e in show.episodes if e.first_aired > now]
        if not coming:
            return web.Response(status=204)
        first = min(coming, key=lambda e: e.first_aired)
        return reply(self.shapes.episode(show, first, extended(request)))

    async def _movie(self, request: web.Request) -> web.StreamResponse:
        text = request.match_info["id"]
        for namespace in ("trakt", "slug", "imdb"):
            if (movie := self.catalogue.movie(namespace, text)) is not None:
                return reply(self.shapes.movie(movie, extended(request)))
        return web.Response(status=404)

    async def _search(self, request: web.Request) -> web.StreamResponse:
        kinds = request.match_info["type"].split(",")
        query = re.sub(r"\\(.)", r"\1", request.query.get("query", "")).casefold()
        if not query:
            return web.Response(status=400)
        words = set(re.findall(r"\w+", query))
        years = request.query.get("years", "")
        found: list[tuple[float, str, CatalogueShow | CatalogueMovie]] = []
        pool: list[tuple[str, CatalogueShow | CatalogueMovie]] = []
        if "movie" in kinds:
            pool += [("movie", m) for m in self.catalogue.movies]
        if "show" in kinds:
            pool += [("show", s) for s in self.catalogue.shows]
        for kind, title in pool:
            name = title.title.casefold()
            common = len(words & set(re.findall(r"\w+", name)))
            if not common or (years and not _in_years(title.year, years)):
                continue
            score = 1000.5 if name == query else 100.25 * common / len(words)
            found.append((score, kind, title))
        found.sort(key=lambda row: -row[0])
        page, headers = paginate(request, found, default=50)
        return reply(
            [
                {"type": kind, "score": score}
                | self.shapes.title(title, None, extended(request))
                for score, kind, title in page
            ],
            headers=headers,
        )

    async def _search_id(self, request: web.Request) -> web.StreamResponse:
        namespace, text = request.match_info["type"], request.match_info["id"]
        if namespace not in ("trakt", "imdb", "tmdb", "tvdb"):
            return web.Response(status=404)
        kinds = [k for k in request.query.get("type", "").split(",") if k]
        if namespace == "imdb":
            kinds = []
        hits: list[tuple[str, dict[str, Any]]] = []
        wanted = extended(request)
        if (movie := self.catalogue.movie(namespace, text)) is not None:
            hits.append(("movie", {"movie": self.shapes.movie(movie, wanted)}))
        if (show := self.catalogue.show(namespace, text)) is not None:
            hits.append(("show", {"show": self.shapes.show(show, wanted)}))
        if text.isdigit() and (found := self.account.episode(namespace, int(text))):
            hits.append(("episode", self.shapes.title(*found, wanted)))
        return reply(
            [
                {"type": kind, "score": 1000} | body
                for kind, body in hits
                if not kinds or kind in kinds
            ]
        )


def _span(request: web.Request) -> tuple[datetime, datetime] | None:
    """Return the instants a calendar request covers (UTC days), None when it asks for more than 33 days."""
    try:
        first = date.fromisoformat(request.match_info["start"])
        days = int(request.match_info["days"])
    except ValueError:
        return None
    if not 1 <= days <= 33:
        return None
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    return start, start + timedelta(days=days)


def _in_years(year: int, text: str) -> bool:
    first, _, last = text.partition("-")
    return int(first) <= year <= int(last or first)
