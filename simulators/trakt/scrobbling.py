"""Scrobbles and check-ins of the simulated Trakt."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from aiohttp import web

from simulators.catalogue import CatalogueEpisode, CatalogueMovie, CatalogueShow

from .base import reply
from .state import MediaKey, Play, Watching, iso, minute
from .writing import Writing, known

type Found = tuple[CatalogueShow | CatalogueMovie, CatalogueEpisode | None]
WATCHED_FROM = 80.0


class Scrobbling(Writing):
    """The /scrobble and /checkin routes."""

    def scrobbles(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.post("/scrobble/start", self._start),
            web.post("/scrobble/pause", self._pause),
            web.post("/scrobble/stop", self._stop),
            web.post("/checkin", self._checkin),
            web.delete("/checkin", self._end_checkin),
        ]

    def _wanted(self, body: dict[str, Any]) -> Found | None:
        """Find what a scrobble body names."""
        movie, show, episode = (body.get(k) for k in ("movie", "show", "episode"))
        if isinstance(movie, dict):
            ids = known(movie.get("ids") or {}, "trakt", "imdb", "tmdb", "slug")
            found = self.catalogue.find_movie(
                ids, movie.get("title"), movie.get("year")
            )
            return (found, None) if found else None
        if not isinstance(episode, dict):
            return None
        pair = self.find_episode(episode.get("ids") or {})
        if pair is not None:
            return pair
        if not isinstance(show, dict):
            return None
        ids = known(show.get("ids") or {}, "trakt", "imdb", "tmdb", "tvdb", "slug")
        series = self.catalogue.find_show(ids, show.get("title"), show.get("year"))
        if series is None:
            return None
        regular = [e for e in series.episodes if e.season > 0]
        number = episode.get("number_abs")
        if isinstance(number, int) and 1 <= number <= len(regular):
            return series, regular[number - 1]
        exact = series.episode(episode.get("season", -1), episode.get("number", -1))
        return (series, exact) if exact else None

    async def _scrobble(
        self, request: web.Request
    ) -> tuple[Found, float, MediaKey] | web.Response:
        if not self.scrobble_permission:
            return web.Response(status=403, text="Forbidden")
        body = await self.body(request)
        if ("movie" in body) == ("episode" in body):
            return web.Response(status=422)
        progress = body.get("progress")
        if isinstance(progress, bool) or not isinstance(progress, (int, float)):
            return web.Response(status=422)
        if not 0 <= progress <= 100:
            return web.Response(status=422)
        found = self._wanted(body)
        if found is None:
            return web.Response(status=404)
        title, episode = found
        if episode is not None:
            key = ("episode", int(episode.ids["trakt"]))
        else:
            key = ("movie", int(title.ids["trakt"]))
        current = self.account.watching
        if current is not None and current.action == "checkin":
            return reply({"expires_at": iso(current.expires_at)}, 409)
        return found, float(progress), key

    def _answer_scrobble(
        self, action: str, found: Found, progress: float, number: int = 0
    ) -> web.Response:
        body = {"id": number, "action": action, "progress": progress}
        return reply(body | self.shapes.title(*found, set()), 201)

    async def _start(self, request: web.Request) -> web.StreamResponse:
        parsed = await self._scrobble(request)
        if isinstance(parsed, web.Response):
            return parsed
        found, progress, key = parsed
        for paused in [p for p in self.account.playback.values() if p.key == key]:
            self.account.clear_playback(paused.id)
        self.start_watching(found, progress)
        return self._answer_scrobble("start", found, progress)

    def start_watching(self, found: Found, progress: float = 0.0) -> None:
        """Set what is playing; it ends by itself after the remaining runtime."""
        title, episode = found
        runtime = timedelta(seconds=(episode or title).runtime)
        started = self.clock.now() - runtime * (progress / 100)
        self.account.watching = Watching(
            title, episode, started, started + runtime, "scrobble"
        )

    async def _pause(self, request: web.Request) -> web.StreamResponse:
        parsed = await self._scrobble(request)
        if isinstance(parsed, web.Response):
            return parsed
        found, progress, key = parsed
        if not 1 <= progress < WATCHED_FROM:
            return web.Response(status=422)
        self.account.watching = None
        self.account.save_playback(key, progress)
        return self._answer_scrobble("pause", found, progress)

    async def _stop(self, request: web.Request) -> web.StreamResponse:
        parsed = await self._scrobble(request)
        if isinstance(parsed, web.Response):
            return parsed
        found, progress, key = parsed
        account = self.account
        now = self.clock.now()
        before = account.scrobbled.get(key)
        if before is not None and before[1] > now:
            return reply(
                {"watched_at": iso(before[0]), "expires_at": iso(before[1])}, 409
            )
        if progress < 1:
            return web.Response(status=422)
        account.watching = None
        if progress < WATCHED_FROM:
            account.save_playback(key, progress)
            return self._answer_scrobble("pause", found, progress)
        if len(account.plays) >= self.limits["history"]:
            return self.over_limit(self.limits["history"])
        play = self.keep_play(found)
        return self._answer_scrobble("scrobble", found, progress, play.id)

    def keep_play(self, found: Found) -> Play:
        """Add a play by scrobbling; for the item's length the same is not counted again (how long is not known)."""
        now = self.clock.now()
        self.account.watching = None
        play = self.account.add_play(*found, now, "scrobble")
        runtime = timedelta(seconds=(found[1] or found[0]).runtime)
        self.account.scrobbled[play.key] = (minute(now), now + runtime)
        return play

    async def _checkin(self, request: web.Request) -> web.StreamResponse:
        if not self.checkin_permission:
            return web.Response(status=403, text="Forbidden")
        current = self.account.watching
        if current is not None and current.action == "checkin":
            return reply({"expires_at": iso(current.expires_at)}, 409)
        found = self._wanted(await self.body(request))
        if found is None:
            return web.Response(status=404)
        current = self.start_checkin(found)
        return reply(
            {
                "id": 11_923_850_001,
                "watched_at": iso(minute(current.expires_at)),
                "sharing": {"twitter": False, "mastodon": False, "tumblr": False},
            }
            | self.shapes.title(*found, set()),
            201,
        )

    def start_checkin(self, found: Found) -> Watching:
        """Check in; it becomes a play by itself."""
        self.start_watching(found)
        current = self.account.watching
        assert current is not None
        current.action = "checkin"
        return current

    async def _end_checkin(self, request: web.Request) -> web.StreamResponse:
        current = self.account.watching
        if current is not None and current.action == "checkin":
            self.account.watching = None
        return web.Response(status=204)
