"""A strict stand-in for Trakt (API v2 as of 2026-11, apis/trakt.md): one account, all hosts on one base URL."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aiohttp import web

from simulators.catalogue import CatalogueEpisode, CatalogueShow

from .browsing import Browsing
from .oauth import CLIENT_ID, CLIENT_SECRET, Grant
from .reading import Reading
from .scrobbling import Found, Scrobbling
from .state import Play, season_id

__all__ = ["CLIENT_ID", "CLIENT_SECRET", "Trakt"]


class Trakt(Reading, Browsing, Scrobbling):
    """The simulated service; the methods below are what the user does outside Home Assistant."""

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/oauth/device/code", self._device_code),
            web.post("/oauth/device/token", self._device_token),
            web.post("/oauth/token", self._token_route),
            web.post("/oauth/revoke", self._revoke),
            *self.reads(),
            *self.browses(),
            *self.writes(),
            *self.scrobbles(),
        ]

    # sign-in --------------------------------------------------------------------------------------------------

    async def _device_code(self, request: web.Request) -> web.StreamResponse:
        return self.oauth.start_device(await self.body(request), self.base_url)

    async def _device_token(self, request: web.Request) -> web.StreamResponse:
        return self.oauth.poll_device(
            await self.body(request), auto=self.auto_approve, pacing=self.pacing
        )

    async def _token_route(self, request: web.Request) -> web.StreamResponse:
        return self.oauth.token(await self.body(request))

    async def _revoke(self, request: web.Request) -> web.StreamResponse:
        return self.oauth.revoke(await self.body(request))

    def grant(self) -> Grant:
        """Hand out a token pair without the device flow."""
        return self.oauth.issue()

    def approve(self, code: str | None = None, *, deny: bool = False) -> None:
        self.oauth.approve(code, deny=deny)

    def expire_tokens(self) -> None:
        self.oauth.expire()

    def revoke_tokens(self) -> None:
        self.oauth.grants.clear()

    # what the user does elsewhere -----------------------------------------------------------------------------

    def _episode(
        self, show: int, season: int, number: int
    ) -> tuple[CatalogueShow, CatalogueEpisode]:
        found = self.account.show(show)
        episode = found.episode(season, number)
        if episode is None:
            raise KeyError((show, season, number))
        return found, episode

    def watch(
        self, show: int, season: int, number: int, at: datetime | None = None
    ) -> Play:
        """Watch one episode (show = Trakt id) now or at `at`."""
        return self.account.add_play(
            *self._episode(show, season, number), at or self.clock.now()
        )

    def watch_movie(self, movie: int, at: datetime | None = None) -> Play:
        """Watch a movie now or at `at`."""
        return self.account.add_play(
            self.account.movie(movie), None, at or self.clock.now()
        )

    def unwatch(self, show: int, season: int, number: int) -> int:
        """Remove all plays of one episode; return how many there were."""
        episode = self._episode(show, season, number)[1]
        return self._forget(("episode", int(episode.ids["trakt"])))

    def unwatch_movie(self, movie: int) -> int:
        """Remove all plays of a movie; return how many there were."""
        return self._forget(("movie", movie))

    def _forget(self, key: tuple[str, int]) -> int:
        plays = list(self.account.by_media.get(key, []))
        for play in plays:
            self.account.remove_play(play.id)
        return len(plays)

    def watchlist_add(
        self, *, show: int | None = None, movie: int | None = None
    ) -> bool:
        """Put a show or movie on the watchlist."""
        return self.account.enlist(_key(show, movie))

    def watchlist_remove(
        self, *, show: int | None = None, movie: int | None = None
    ) -> bool:
        """Take a show or movie off the watchlist."""
        return self.account.unlist(_key(show, movie))

    def drop(self, show: int, *, on: bool = True) -> bool:
        """Drop a show, or take it up again."""
        return self.account.hide("dropped", ("show", show), on=on)

    def hide(
        self, section: str, show: int, season: int | None = None, *, on: bool = True
    ) -> bool:
        """Hide a show or one of its seasons in a section."""
        key = ("show", show)
        if season is not None:
            key = ("season", season_id(self.account.show(show), season))
        return self.account.hide(section, key, on=on)

    def play(
        self,
        *,
        show: int | None = None,
        season: int = 1,
        number: int = 1,
        movie: int | None = None,
        progress: float = 0.0,
    ) -> None:
        """Start to watch something on another device."""
        self.start_watching(self._found(show, season, number, movie), progress)

    def _found(
        self, show: int | None, season: int, number: int, movie: int | None
    ) -> Found:
        if movie is not None:
            return self.account.movie(movie), None
        assert show is not None
        return self._episode(show, season, number)

    def finish(
        self,
        *,
        show: int | None = None,
        season: int = 1,
        number: int = 1,
        movie: int | None = None,
    ) -> Play:
        """Scrobble the end of something from another player, now."""
        return self.keep_play(self._found(show, season, number, movie))

    def check_in(
        self,
        *,
        show: int | None = None,
        season: int = 1,
        number: int = 1,
        movie: int | None = None,
    ) -> None:
        """Check in on the website."""
        self.start_checkin(self._found(show, season, number, movie))

    def stop_playing(self) -> None:
        """Stop whatever plays, without saving a position."""
        self.account.watching = None

    def pause(
        self,
        *,
        show: int | None = None,
        season: int = 1,
        number: int = 1,
        movie: int | None = None,
        progress: float = 40.0,
    ) -> int:
        """Save a position; return its playback id."""
        self.account.watching = None
        if movie is not None:
            return self.account.save_playback(("movie", movie), progress).id
        assert show is not None
        episode = self._episode(show, season, number)[1]
        key = ("episode", int(episode.ids["trakt"]))
        return self.account.save_playback(key, progress).id

    def state(self) -> dict[str, Any]:
        account = self.account
        rows = [
            (show, account.progress(show))
            for show in account.started()
            if not account.is_hidden(show)
        ]
        left = [len(p.aired) - len(p.completed) for _, p in rows]
        return {
            "unwatched": sum(left),
            "shows_in_progress": sum(1 for n in left if n),
            "shows_started": len(account.started()),
            "plays": len(account.plays),
            "episode_plays": len(account.ordered["episode"]),
            "movie_plays": len(account.ordered["movie"]),
            "watchlist": len(account.watchlist),
            "ratings": len(account.ratings),
            "playback": len(account.saved()),
            "dropped": len(account.hidden.get("dropped", {})),
            "watching": account.watching is not None,
            "tokens": len(self.oauth.grants),
        }

    async def control(self, what: str, data: dict[str, Any]) -> web.StreamResponse:
        match what:
            case "watch" if "movie" in data:
                return web.json_response(
                    {"id": self.watch_movie(data["movie"], _at(data)).id}
                )
            case "watch":
                return web.json_response(
                    {"id": self.watch(*_triple(data), _at(data)).id}
                )
            case "unwatch" if "movie" in data:
                return web.json_response({"removed": self.unwatch_movie(data["movie"])})
            case "unwatch":
                return web.json_response({"removed": self.unwatch(*_triple(data))})
            case "watchlist_add":
                return web.json_response({"changed": self.watchlist_add(**data)})
            case "watchlist_remove":
                return web.json_response({"changed": self.watchlist_remove(**data)})
            case "drop":
                changed = self.drop(data["show"], on=bool(data.get("on", True)))
                return web.json_response({"changed": changed})
            case "hide":
                return web.json_response({"changed": self.hide(**data)})
            case "start_watching":
                self.play(**data)
            case "finish":
                return web.json_response({"id": self.finish(**data).id})
            case "check_in":
                self.check_in(**data)
            case "stop_watching":
                self.stop_playing()
            case "pause":
                return web.json_response({"id": self.pause(**data)})
            case "rate":
                key = _key(data.get("show"), data.get("movie"))
                self.account.rate(key, data.get("rating"), self.clock.now())
            case "settings":
                self._set(data)
            case _:
                return await super().control(what, data)
        return web.json_response({"now": self.clock.now().isoformat()})

    def _set(self, data: dict[str, Any]) -> None:
        """Change how the service behaves: nitro, stale, locked, deactivated, vip, limits, vip_only, and so on."""
        for name, value in data.items():
            match name:
                case "stale":
                    self.account.stale = float(value)
                case "app_deleted" | "interval" | "expires_in" | "lifetime":
                    setattr(self.oauth, name, value)
                case "limits":
                    self.limits |= value
                case "vip_only":
                    self.vip_only = set(value)
                case "scrobble_permission" | "checkin_permission":
                    setattr(self, name, bool(value))
                case "nitro" | "locked" | "deactivated" | "vip":
                    setattr(self, name, value)
                case _:
                    raise web.HTTPBadRequest(text=f"unknown setting {name}")
        if {"vip", "limits"} & set(data):
            self.account.touch("account", "settings_at")


def _key(show: int | None, movie: int | None) -> tuple[str, int]:
    if movie is not None:
        return ("movie", movie)
    assert show is not None
    return ("show", show)


def _triple(data: dict[str, Any]) -> tuple[int, int, int]:
    return data["show"], data["season"], data["number"]


def _at(data: dict[str, Any]) -> datetime | None:
    return datetime.fromisoformat(data["at"]) if data.get("at") else None
