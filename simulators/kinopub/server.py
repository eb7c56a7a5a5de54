"""The HTTP face of the simulated KinoPub: paths, refusals and payload shapes."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from aiohttp import web

from simulators.catalogue import Viewer
from simulators.service import HTML, Handler, Service

from .grants import CLIENT_ID, CLIENT_SECRET, Grants, OAuthError, Pair
from .items import Item
from .paths import Paths
from .viewing import WATCHED, Key, Viewing

LIBRARY_AGENTS = (
    "aiohttp", "python", "urllib", "requests", "httpx", "curl", "wget", "go-http", "okhttp", "java/",
)  # fmt: skip
BURST = 30
PER_SECOND = 5.0
"""The real figure is not published: parallel calls "reliably" earn 429, and so do fast series of calls."""


class KinoPub(Service):
    """KinoPub. The same API answers under `/api` too, as on the mirrors."""

    name: ClassVar[str] = "kinopub"
    port: ClassVar[int] = 8873

    def seed(self, viewer: Viewer) -> None:
        self.viewing = Viewing(self.catalogue, viewer, self.clock)
        self.grants = Grants(self.clock)
        self.username = "example_user"
        self.subscription_end = self.viewing.now() + 159 * 86400 + 43200
        self.service_time = 0.01
        """Seconds one request occupies the account while `pacing` is on; a second one meanwhile earns 429."""
        self.retry_after: int | None = None
        self.paths = Paths(self.viewing, self.clock, lambda: self.base_url)
        self._busy = False
        self._tokens, self._filled = float(BURST), self.clock.monotonic()

    def routes(self) -> list[web.RouteDef]:
        paths = self.paths
        table: list[tuple[str, str, Handler]] = [
            ("POST", "/oauth2/device", self._device),
            ("POST", "/oauth2/token", self._token),
            ("GET", "/v1/user", self._user),
            ("GET", "/v1/watching", paths.watching),
            ("GET", "/v1/watching/serials", paths.serials),
            ("GET", "/v1/watching/movies", paths.movies),
            *((m, f"/v1/watching/{path}", handler) for m in ("GET", "POST") for path, handler in (
                ("marktime", paths.marktime), ("toggle", paths.toggle), ("togglewatchlist", paths.togglewatchlist),
            )),
            ("GET", "/v1/history", paths.history),
            *((m, "/v1/history/clear-for-{what:media|season|item}", paths.clear) for m in ("GET", "POST")),
            ("GET", "/v1/bookmarks", paths.folders),
            ("GET", "/v1/bookmarks/get-item-folders", paths.item_folders),
            ("GET", "/v1/bookmarks/{folder:\\d+}", paths.folder),
            ("POST", "/v1/bookmarks/{what:create|add|remove-item|toggle-item|remove-folder}", paths.change_bookmarks),
            ("GET", "/v1/items/search", paths.search),
            ("GET", "/v1/items", paths.browse),
            ("GET", "/v1/items/{id:\\d+}", paths.item),
            ("POST", "/v1/device/notify", self._notify),
            ("POST", "/v1/device/unlink", self._unlink),
        ]  # fmt: skip
        return [
            web.route(method, prefix + path, handler)
            for prefix in ("", "/api")
            for method, path, handler in table
        ]

    # the doorman ----------------------------------------------------------------------------------------------

    async def guard(self, request: web.Request) -> web.StreamResponse | None:
        agent = request.headers.get("User-Agent", "").lower()
        if not agent or any(name in agent for name in LIBRARY_AGENTS):
            return web.Response(status=403, text=HTML, content_type="text/html")
        if self.pacing and not await self._admit():
            headers = {"Retry-After": str(self.retry_after)} if self.retry_after else {}
            return web.Response(status=429, headers=headers)
        path = request.path.removeprefix("/api")
        if path.startswith("/v1/") and self._pair(request) is None:
            return web.json_response(
                {"status": 401, "error": "unauthorized"}, status=401
            )
        return None

    async def _admit(self) -> bool:
        """Take one request at a time, and none above the pace."""
        if self._busy:
            return False
        now = self.clock.monotonic()
        self._tokens = min(BURST, self._tokens + (now - self._filled) * PER_SECOND)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        self._busy = True
        try:
            await asyncio.sleep(self.service_time)
        finally:
            self._busy = False
        return True

    def _pair(self, request: web.Request) -> Pair | None:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer":
            token = request.query.get("access_token", "")
        return self.grants.valid(token)

    def unknown_route(self, request: web.Request, status: int) -> web.StreamResponse:
        return web.Response(
            status=status, text="<html>Not Found</html>", content_type="text/html"
        )

    # sign-in --------------------------------------------------------------------------------------------------

    async def _oauth_form(self, request: web.Request) -> dict[str, str]:
        """Parameters may come in the form or in the query string."""
        form = {k: str(v) for k, v in (await request.post()).items()}
        data = dict(request.query) | form
        pair = (data.get("client_id"), data.get("client_secret"))
        if pair != (CLIENT_ID, CLIENT_SECRET):
            raise OAuthError("invalid_client")
        return data

    async def _device(self, request: web.Request) -> web.StreamResponse:
        try:
            data = await self._oauth_form(request)
            match data.get("grant_type"):
                case "device_code":
                    return self._new_code(request)
                case "device_token" if "code" in data:
                    pair = self.grants.poll(
                        data["code"],
                        pacing=self.pacing,
                        auto_approve=self.auto_approve,
                    )
                    return _pair_response(pair, scope=True)
                case (
                    "device_token"
                ):  # `device_code` is not the parameter's name: this mints a new code
                    return self._new_code(request)
                case _:
                    raise OAuthError("unsupported_grant_type")  # noqa: TRY301
        except OAuthError as error:
            return _oauth_error(error)

    def _new_code(self, request: web.Request) -> web.Response:
        code = self.grants.new_code()
        return web.json_response(
            {
                "code": code.code,
                "user_code": code.user_code,
                "verification_uri": f"{request.scheme}://{request.host}/device",
                "expires_in": 8600,
                "interval": 5,
            }
        )

    async def _token(self, request: web.Request) -> web.StreamResponse:
        try:
            data = await self._oauth_form(request)
            if data.get("grant_type") != "refresh_token":
                raise OAuthError("unsupported_grant_type")  # noqa: TRY301
            return _pair_response(self.grants.refresh(data.get("refresh_token", "")))
        except OAuthError as error:
            return _oauth_error(error)

    def approve(self, code: str | None = None, *, deny: bool = False) -> None:
        self.grants.approve(code, deny=deny)

    def expire_tokens(self) -> None:
        self.grants.expire_access()

    def revoke_tokens(self) -> None:
        self.grants.revoke()

    async def _notify(self, request: web.Request) -> web.StreamResponse:
        pair = self._pair(request)
        assert pair is not None
        pair.device = {k: str(v) for k, v in (await request.post()).items()}
        return web.json_response({"status": 200})

    async def _unlink(self, request: web.Request) -> web.StreamResponse:
        pair = self._pair(request)
        assert pair is not None
        self.grants.end(pair)
        return web.json_response({"status": 200})

    async def _user(self, request: web.Request) -> web.StreamResponse:
        left = self.subscription_end - self.viewing.now()
        user = {
            "username": self.username,
            "reg_date": 1421907985,
            "subscription": {
                "active": left > 0,
                "end_time": self.subscription_end,
                "days": max(0, round(left / 86400, 2)),
            },
            "settings": {"show_erotic": False, "show_uncertain": False},
            "profile": {
                "name": "",
                "avatar": "http://www.gravatar.com/avatar/00000000000000000000000000000000",
            },
        }
        return web.json_response({"status": 200, "user": user})

    # the user elsewhere ---------------------------------------------------------------------------------------

    def item(self, *, show: int | None = None, movie: int | None = None) -> Item:
        """Return the item of a show or movie by its catalogue trakt id; raises KeyError."""
        for item in self.viewing.items.values():
            source = item.show if show is not None else item.movie
            if source is not None and source.ids["trakt"] == (
                movie if show is None else show
            ):
                return item
        raise KeyError(show or movie)

    def _key(self, data: dict[str, Any]) -> Key:
        if "movie" in data:
            return self.item(movie=data["movie"]).id, 0, int(data.get("number", 1))
        return self.item(show=data["show"]).id, data["season"], data["number"]

    def watch(self, show: int, season: int, number: int) -> None:
        """Watch an episode to its end in the service's own player, ending now."""
        self.viewing.play((self.item(show=show).id, season, number))

    def watch_movie(self, movie: int) -> None:
        """Watch all parts of a movie to their end."""
        item = self.item(movie=movie)
        for video in item.videos(self.clock.now()):
            self.viewing.play((item.id, 0, video.number))

    def unwatch(self, show: int, season: int, number: int) -> None:
        """Take the watched mark off an episode."""
        self.viewing.set_watched((self.item(show=show).id, season, number), False)

    def start_watching(self, data: dict[str, Any], seconds: int = 60) -> None:
        """Report a position from the service's own player: {"show", "season", "number"} or {"movie"}."""
        self.viewing.mark_time(self._key(data), seconds)

    def watchlist(self, data: dict[str, Any], wanted: bool) -> None:
        """Flag a show, or put a movie into the first folder (or take it out)."""
        if "movie" in data:
            folder = next(iter(self.viewing.folders.values()))
            self.viewing.bookmark(folder, self.item(movie=data["movie"]).id, wanted)
        elif wanted:
            self.viewing.subscribed.add(self.item(show=data["show"]).id)
        else:
            self.viewing.subscribed.discard(self.item(show=data["show"]).id)

    async def control(self, what: str, data: dict[str, Any]) -> web.StreamResponse:
        match what:
            case "watch" if "movie" in data:
                self.watch_movie(data["movie"])
            case "watch":
                self.watch(data["show"], data["season"], data["number"])
            case "unwatch":
                self.viewing.set_watched(self._key(data), False)
            case "start_watching" | "pause":
                self.start_watching(data, int(data.get("seconds", 60)))
            case "watchlist_add" | "watchlist_remove":
                self.watchlist(data, what == "watchlist_add")
            case "withdraw":
                kind = "movie" if "movie" in data else "show"
                self.item(**{kind: data[kind]}).withdrawn = True
            case "subscription_end":
                self.subscription_end = int(data["at"])
            case _:
                return await super().control(what, data)
        return web.json_response(self.state())

    def state(self) -> dict[str, Any]:
        viewing = self.viewing
        watched = {"episodes": 0, "movies": 0}
        for item_id, number in viewing.watched.items():
            item = viewing.items[item_id]
            if item.series:
                watched["episodes"] += number
            else:
                watched["movies"] += viewing.status(item) == WATCHED
        return {
            "unwatched": viewing.unwatched(),
            "unwatched_by_service": sum(t - w for _, t, w in viewing.unfinished() if w),
            "shows_with_unwatched": sum(1 for _, _, w in viewing.unfinished() if w),
            "plays": len(viewing.rows),
            "watched_episodes": watched["episodes"],
            "watched_movies": watched["movies"],
            "started_movies": len(viewing.started_movies()),
            "watchlist": len(next(iter(viewing.folders.values())).items),
            "subscribed": len(viewing.subscribed),
            "links_served": self.paths.links_served,
            "devices": [p.device for p in self.grants.pairs],
        }


def _oauth_error(error: OAuthError) -> web.Response:
    body = {"error": str(error)}
    if str(error) == "invalid_client":
        body["error_description"] = "The client credentials are invalid"
    return web.json_response(body, status=400)


def _pair_response(pair: Pair, *, scope: bool = False) -> web.Response:
    body: dict[str, Any] = {
        "access_token": pair.access,
        "token_type": "bearer",
        "expires_in": 3600,
        "refresh_token": pair.refresh,
    }
    return web.json_response(body | ({"scope": None} if scope else {}))
