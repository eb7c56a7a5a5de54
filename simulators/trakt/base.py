"""What every request to the simulated Trakt passes: headers, key, token, locks and pace."""

from __future__ import annotations

from collections import deque
from datetime import timedelta
import json
import re
from typing import Any, ClassVar

from aiohttp import web
import orjson

from simulators.catalogue import CatalogueShow, Viewer
from simulators.service import Service

from .oauth import CLIENT_ID, OAuth
from .shapes import Shapes
from .state import State, iso

CLOUDFLARE = (
    "<!DOCTYPE html><html><head><title>Attention Required! | Cloudflare</title></head>"
    "<body><h1>Sorry, you have been blocked</h1></body></html>"
)
_LIBRARY = re.compile(
    r"^(Python|python-requests|aiohttp|HomeAssistant|curl|Wget|Go-http-client|Java|okhttp)\b"
)
_PUBLIC = re.compile(
    r"^/(shows/[^/]+(/seasons|/next_episode)?|movies/[^/]+|search/.+|calendars/all/.+)$"
)
UPGRADE = "https://app.trakt.tv/vip"
GET_PERIOD, GET_LIMIT = 300.0, 1000


def reply(
    data: object, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    """Answer JSON."""
    return web.Response(
        body=orjson.dumps(data),
        status=status,
        headers={"Content-Type": "application/json; charset=utf-8"} | (headers or {}),
    )


def extended(request: web.Request) -> set[str]:
    """Return what `extended` asks for."""
    return {part for part in request.query.get("extended", "").split(",") if part}


def flag(request: web.Request, name: str) -> bool:
    """Read a boolean query parameter."""
    return request.query.get(name, "").lower() in ("true", "1")


def paginate[T](
    request: web.Request, items: list[T], *, default: int = 100, cap: int = 250
) -> tuple[list[T], dict[str, str]]:
    """Cut one page; a limit above the cap is clamped silently, the headers tell the truth."""
    limit = min(_number(request, "limit", default), cap)
    page = _number(request, "page", 1)
    headers = {
        "X-Pagination-Page": str(page),
        "X-Pagination-Limit": str(limit),
        "X-Pagination-Page-Count": str(-(-len(items) // limit)),
        "X-Pagination-Item-Count": str(len(items)),
    }
    return items[(page - 1) * limit : page * limit], headers


def _number(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, "")
    return max(1, int(text)) if text.isdigit() else default


class TraktBase(Service):
    """State, shapes and the guard; the routes are in the subclasses."""

    name: ClassVar[str] = "trakt"
    port: ClassVar[int] = 8871

    def seed(self, viewer: Viewer) -> None:
        self.account = State(self.catalogue, viewer, self.clock)
        self.oauth = OAuth(self.clock)
        self.shapes = Shapes(self.account, self.picture)
        self.uuid = "938a591b1337dcca76a513377bb25c6646057284"
        self.username = "demo-viewer"
        self.vip = False
        self.limits = {
            "history": 100_000,
            "ratings": 10_000,
            "watchlist": 250,
            "lists": 5,
            "list_items": 250,
            "favorites": 100,
        }
        self.nitro = "on"
        """on, empty, or the status with which up_next_nitro is refused ("404", "403", "426")."""
        self.locked = False
        self.deactivated = False
        self.vip_only: set[str] = set()
        """Regular expressions of "METHOD path" that answer 426."""
        self.scrobble_permission = True
        self.checkin_permission = True
        self._gets: deque[float] = deque()
        self._last_write = float("-inf")

    async def guard(self, request: web.Request) -> web.StreamResponse | None:
        agent = request.headers.get("User-Agent", "")
        if not agent or _LIBRARY.match(agent):
            return web.Response(
                status=403,
                text=CLOUDFLARE,
                content_type="text/html",
                headers={"Server": "cloudflare", "CF-RAY": "a061dc1dc9f98b1f-MIA"},
            )
        if request.content_type != "application/json":
            return web.Response(status=412)
        if request.path.startswith("/oauth/"):
            return None
        if request.headers.get("trakt-api-key") != CLIENT_ID or self.oauth.app_deleted:
            return web.Response(status=403, text="Forbidden")
        if request.headers.get("trakt-api-version") != "2":
            return web.Response(status=412)
        if (refusal := self._token(request)) is not None:
            return refusal
        if self.locked or self.deactivated:
            return web.Response(
                status=423,
                headers={
                    "X-Account-Locked": str(self.locked).lower(),
                    "X-Account-Deactivated": str(self.deactivated).lower(),
                },
            )
        if self.pacing and (refusal := self._pace(request)) is not None:
            return refusal
        if any(re.search(p, f"{request.method} {request.path}") for p in self.vip_only):
            return self.needs_vip()
        self.account.tick()
        return None

    def _token(self, request: web.Request) -> web.Response | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if not token and request.method == "GET" and _PUBLIC.match(request.path):
            return None
        if scheme != "Bearer" or not self.oauth.accepts(token):
            return web.Response(status=401)
        return None

    def _pace(self, request: web.Request) -> web.Response | None:
        now = self.clock.monotonic()
        if request.method == "GET":
            while self._gets and self._gets[0] <= now - GET_PERIOD:
                self._gets.popleft()
            if len(self._gets) >= GET_LIMIT:
                wait = self._gets[0] + GET_PERIOD - now
                return self._too_fast("AUTHED_API_GET_LIMIT", 300, GET_LIMIT, wait)
            self._gets.append(now)
            return None
        if now - self._last_write < 1:
            wait = self._last_write + 1 - now
            return self._too_fast("AUTHED_API_POST_LIMIT", 1, 1, wait)
        self._last_write = now
        return None

    def _too_fast(
        self, name: str, period: int, limit: int, wait: float
    ) -> web.Response:
        detail = {
            "name": name,
            "period": period,
            "limit": limit,
            "remaining": 0,
            "until": iso(self.clock.now() + timedelta(seconds=wait)),
        }
        return web.Response(
            status=429,
            headers={
                "Retry-After": str(int(wait) + 1),
                "X-Ratelimit": json.dumps(detail),
            },
        )

    def needs_vip(self) -> web.Response:
        """426: the account would need VIP."""
        return web.Response(
            status=426,
            headers={"X-Upgrade-URL": UPGRADE, "X-VIP-User": str(self.vip).lower()},
        )

    def over_limit(self, limit: int) -> web.Response:
        """420: an account limit would be passed."""
        return web.Response(
            status=420,
            headers={
                "X-Account-Limit": str(limit),
                "X-Upgrade-URL": UPGRADE,
                "X-VIP-User": str(self.vip).lower(),
            },
        )

    def find_show(self, text: str) -> CatalogueShow:
        """Find a show by Trakt id, slug or IMDb id; 404 when there is none."""
        for namespace in ("trakt", "slug", "imdb"):
            if (show := self.catalogue.show(namespace, text)) is not None:
                return show
        raise web.HTTPNotFound(text="", content_type="application/json")

    @staticmethod
    async def body(request: web.Request) -> dict[str, Any]:
        """Parse a JSON object; 400 when it is none."""
        try:
            data = orjson.loads(await request.read() or b"{}")
        except orjson.JSONDecodeError as error:
            raise web.HTTPBadRequest(text="") from error
        if not isinstance(data, dict):
            raise web.HTTPBadRequest(text="")
        return data
