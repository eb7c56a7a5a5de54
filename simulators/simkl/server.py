"""The simulated Simkl: who may ask, how often, and what each path does."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
import re
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web

from ..catalogue import Catalogue, Viewer
from ..clock import Clock
from .answers import BUCKETS, Refused, answer, instant, refusal, stamp
from .gate import Gate
from .grants import CLIENT_ID, Grant, Grants
from .lock import Lock
from .player import AlreadyWatched, Player
from .rows import Calendars, row
from .shelf import Entry, Shelf
from .titles import Titles
from .user import User
from .writes import Writes

type Json = dict[str, Any]

QUOTAS = {"free": 500, "pro": 1000, "vip": 10000}
KEEP_DAYS = {"free": 7, "pro": 30, "vip": 90}
NEW_YORK = ZoneInfo("America/New_York")
FREE = re.compile(r"^/(movies|tv|anime)/(episodes/?)?\d*$")
"""The cached catalogue: no token, neither quota nor rate (section 4)."""
CDN = re.compile(r"^/(calendar|posters|fanart|episodes)/")
LOCKED = re.compile(r"^/(scrobble/|sync/(history|add-to-list|ratings|watched))")
LOCK_SECONDS = 20.0
BLOCK_SECONDS = 5.0


class Simkl(User, Titles):
    """Simkl with one user. `self.pacing` switches rates and the write lock; the daily quota always counts."""

    name = "simkl"
    port = 8872

    def __init__(self, catalogue: Catalogue, viewer: Viewer, clock: Clock) -> None:
        """Set the account's limits, all of which tests and the control endpoint can change."""
        self.plan = "free"
        self.account_id = 12345
        self.user_name = "example_user"
        self.quota: int | None = None
        """Requests a day; None takes the plan's."""
        self.used = 0
        self.gated = True
        """Whether /sync/all-items on a timer gets the client id refused (section 6.5)."""
        self.suspended = False
        self.null_client = False
        """Older client ids get a top-level null where newer ones get {} (section 5)."""
        self.max_episodes = 200_000
        """Episode rows of one all-items answer before it is `max_items`."""
        self.lock_seconds = LOCK_SECONDS
        super().__init__(catalogue, viewer, clock)

    def seed(self, viewer: Viewer) -> None:
        self.shelf = Shelf(self.catalogue, self.clock, viewer)
        self.player = Player(self.shelf)
        self.writes = Writes(self.shelf, self.player.rewatch)
        self.grants = Grants(self.clock)
        self.calendars = Calendars(self.shelf)
        self.gate = Gate(self.clock)
        self._reset_at = self._next_midnight()
        self._gets: deque[float] = deque()
        self._last_post = 0.0
        self._blocked_until = 0.0
        self._locked = Lock(self.clock)
        """Held by scrobbles, against every write."""
        self._busy = Lock(self.clock)
        """Held by other writes, against scrobbles."""
        self._writing = False

    def approve(self, code: str | None = None, *, deny: bool = False) -> None:
        self.grants.approve(code, deny=deny)

    def expire_tokens(self) -> None:
        for grant in self.grants.grants:
            grant.access_until = self.clock.now()

    def revoke_tokens(self) -> None:
        self.grants.grants.clear()

    def unknown_route(self, request: web.Request, status: int) -> web.StreamResponse:
        return refusal(404, "url_failed")

    def state(self) -> Json:
        self.shelf.settle()
        self.player.settle()
        entries = list(self.shelf.entries.values())
        unwatched = behind = 0
        for entry in entries:
            left = self._left(entry)
            unwatched += left
            behind += left > 0
        lists = {name: sum(1 for e in entries if e.status == name) for name in BUCKETS}
        return {
            "unwatched": unwatched,
            "unwatched_shows": behind,
            "plays": sum(len(e.watched) for e in entries),
            "watchlist": lists["plantowatch"],
            "ratings": sum(1 for e in entries if e.rating is not None),
            "lists": lists,
            "playbacks": len(self.player.paused),
            "watching": self.player.session is not None,
            "rewatches": sum(map(len, self.player.rewatches.values())),
            "quota": self._limit(),
            "used": self.used,
            "grants": len(self.grants.grants),
        }

    def _left(self, entry: Entry) -> int:
        """Count unwatched by the project's word list: 0 where the service says caught up."""
        if entry.kind == "movie" or entry.status != "watching" or not entry.watched:
            return 0
        count = self.shelf.count(entry)
        return (
            0
            if count.next is None
            else max(0, count.total - count.not_aired - count.watched)
        )

    # who may ask ----------------------------------------------------------------------------------------------

    async def guard(self, request: web.Request) -> web.StreamResponse | None:
        """Refuse what Simkl refuses before it looks at the path."""
        self.grants.auto_approve = self.auto_approve
        self.grants.pace_polls = self.pacing
        path = request.path
        if CDN.match(path):
            return None
        if (refused := self._identity(request)) is not None:
            return refused
        if path.startswith(("/oauth2/", "/oauth/", "/.well-known/")):
            return None
        if FREE.match(path) and "Authorization" not in request.headers:
            return None
        return self._user(request)

    def _identity(self, request: web.Request) -> web.Response | None:
        agent = request.headers.get("User-Agent", "")
        if not re.match(r"^[\w.-]+/[\w.-]+", agent) or re.match(
            r"(?i)python|aiohttp|curl|okhttp", agent
        ):
            # which word Simkl uses for a library's user agent is not documented
            return refusal(
                403, "forbidden", "A User-Agent with the name of the app is required"
            )
        client = request.query.get("client_id") or request.headers.get("simkl-api-key")
        oauth = request.path.startswith("/oauth2/")
        if (client != CLIENT_ID and not oauth) or self.suspended:
            return refusal(
                412, "client_id_failed", "Your client_id is wrong. Try another one"
            )
        for name in ("app-name", "app-version"):
            if not request.query.get(name):
                return refusal(400, "empty_field", f'Missed "{name}" parameter')
        return None

    def _user(self, request: web.Request) -> web.Response | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            message = "This client_id requires a user access token on every request"
            return refusal(
                401, "user_token_required", message, _challenge("user_token_required")
            )
        grant = self.grants.find(token)
        if grant is None:
            return refusal(
                401,
                "invalid_token",
                "Access token has expired",
                _challenge("invalid_token"),
            )
        if request.method != "GET" and not grant.may_write:
            return refusal(
                403,
                "insufficient_scope",
                'This action requires the "media:read media:write" scope',
                {
                    "WWW-Authenticate": 'Bearer error="insufficient_scope", scope="media:read media:write"'
                },
            )
        if "debug_limit" in request.query:
            word = "app" if request.query["debug_limit"] == "app" else "user"
            return self._over(f"{word}_limit_exceeded")
        if self.pacing and (refused := self._pace(request)) is not None:
            return refused
        return self._spend(request, grant)

    def _pace(self, request: web.Request) -> web.Response | None:
        """10 GET/s, 1 POST/s; too many POSTs block the client for a while, longer when it goes on."""
        now = self.clock.monotonic()
        if now < self._blocked_until:
            self._blocked_until = now + BLOCK_SECONDS
            return refusal(
                412, "client_id_failed", "Your client_id is wrong. Try another one"
            )
        if request.method == "GET":
            while self._gets and self._gets[0] <= now - 1:
                self._gets.popleft()
            self._gets.append(now)
            return refusal(429, "rate_limit") if len(self._gets) > 10 else None
        early = now - self._last_post < 1
        self._last_post = now
        if early:
            self._blocked_until = now + BLOCK_SECONDS
            return refusal(429, "rate_limit")
        return None

    def _limit(self) -> int:
        return QUOTAS[self.plan] if self.quota is None else self.quota

    def _next_midnight(self) -> datetime:
        local = self.clock.now().astimezone(NEW_YORK)
        return datetime.combine(
            local.date() + timedelta(days=1), datetime.min.time(), NEW_YORK
        )

    def _over(self, word: str) -> web.Response:
        left = int((self._next_midnight() - self.clock.now()).total_seconds()) + 1
        headers = {"Retry-After": str(left)}
        if word == "user_limit_exceeded":
            headers |= {
                "X-RateLimit-Limit": str(self._limit()),
                "X-RateLimit-Remaining": "0",
            }
        return refusal(
            429, word, "This user has reached their daily API request limit", headers
        )

    def _spend(self, request: web.Request, grant: Grant) -> web.Response | None:
        if self.clock.now() >= self._reset_at:
            self.used, self._reset_at = 0, self._next_midnight()
        if self.used >= self._limit():
            return self._over("user_limit_exceeded")
        self.used += 1
        if not grant.fresh:
            remaining = str(self._limit() - self.used)
            request["quota"] = {
                "X-RateLimit-Limit": str(self._limit()),
                "X-RateLimit-Remaining": remaining,
            }
        grant.fresh = False
        request["grant"] = grant
        return None

    # paths ----------------------------------------------------------------------------------------------------

    def routes(self) -> list[web.RouteDef]:
        read, write = self._reading, self._writes
        return [
            *self.grants.routes(),
            web.get("/sync/activities", read(self._activities)),
            *(
                web.get(f"/sync/all-items{tail}", read(self._all_items))
                for tail in ("", "/{type}", "/{type}/{status}")
            ),
            *(
                web.get(f"/sync/ratings{tail}", read(self._ratings))
                for tail in ("", "/{type}", "/{type}/{scores}")
            ),
            web.get("/sync/playback", read(self._playback)),
            web.get("/sync/playback/{kind}", read(self._playback)),
            web.delete("/sync/playback/{id}", read(self._delete_playback)),
            web.post(
                "/sync/history",
                write(lambda b, r: self.writes.history(b, dict(r.query))),
            ),
            web.post("/sync/history/remove", write(lambda b, r: self.writes.remove(b))),
            web.post(
                "/sync/add-to-list", write(lambda b, r: self.writes.add_to_list(b))
            ),
            web.post("/sync/ratings", write(lambda b, r: self.writes.rate(b))),
            web.post("/sync/ratings/remove", write(lambda b, r: self.writes.unrate(b))),
            web.post("/sync/watched", read(self._watched)),
            web.post("/scrobble/{action}", read(self._scrobble)),
            web.get("/users/settings", read(self._settings)),
            web.post("/users/settings", read(self._settings)),
            web.get("/search/id", read(self._search_id)),
            web.post("/search/random", read(self._search_random)),
            web.get("/search/{type}", read(self._search)),
            web.get("/redirect", read(self._redirect)),
            *(
                web.get(f"/{word}/episodes/{{id}}", self._episodes)
                for word in ("tv", "anime")
            ),
            *(web.get(f"/{word}/episodes", self._no_id) for word in ("tv", "anime")),
            *(
                web.get(f"/{word}/{{id}}", self._page)
                for word in ("movies", "tv", "anime")
            ),
            web.get("/calendar/v2/{name}.json", self._calendar),
            web.get("/calendar/v2/{year}/{month}/{name}.json", self._calendar),
            web.get("/posters/{folder}/{name}", self._poster),
        ]

    def _reading(
        self, handle: Callable[[web.Request], web.Response]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Wrap a handler: refusals become envelopes, and the answer carries the quota."""

        async def handler(request: web.Request) -> web.Response:
            request["body"] = await _body(request)
            try:
                response = handle(request)
            except Refused as error:
                response = refusal(error.status, error.error, error.message)
            except AlreadyWatched as error:
                expires = stamp(error.at + timedelta(hours=1))
                response = answer(
                    {
                        "error": "already_watched",
                        "watched_at": stamp(error.at),
                        "expires_at": expires,
                    },
                    409,
                )
            response.headers.update(request.get("quota", {}))
            return response

        return handler

    def _writes(
        self, change: Callable[[Json, web.Request], Json]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Wrap a change of the library: a locked user is refused, the reply is 201."""

        def handle(request: web.Request) -> web.Response:
            self.player.plan = self.plan
            if self.pacing and self._locked:
                text = "Another sync is in progress for this user, please retry later."
                return answer({"error": "rate_limit", "error_description": text}, 400)
            self._busy.set(self.lock_seconds)
            body = request["body"]
            return answer(change(body if isinstance(body, dict) else {}, request), 201)

        return self._reading(handle)

    def lock(self, seconds: float) -> None:
        """Hold the write lock for so many seconds, as a write from elsewhere would."""
        self._locked.set(seconds)

    # sync -----------------------------------------------------------------------------------------------------

    def _activities(self, request: web.Request) -> web.Response:
        self.player.settle()
        body = self.shelf.activities()
        self.gate.asked(request["grant"].refresh, body)
        return answer(body)

    def _all_items(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        wanted = request.match_info.get("type", "all")
        status = request.match_info.get("status", "all")
        if self.gated and not self.gate.allows(
            request["grant"].refresh, wanted, status, query
        ):
            raise Refused(
                412, "client_id_failed", "Your client_id is wrong. Try another one"
            )
        self.shelf.settle()
        since = (
            instant(query["date_from"], "date_from") if query.get("date_from") else None
        )
        if query.get("extended", "").startswith("full") and not query.get("date_from"):
            self._check_size(query)
        body: Json = {}
        for entry in self.shelf.entries.values():
            name = {"tv": "shows", "anime": "anime", "movie": "movies"}[entry.kind]
            # an unknown word falls through to everything (section 5)
            if wanted in ("shows", "movies", "anime") and wanted != name:
                continue
            if status in BUCKETS and entry.status != status:
                continue
            if since is not None and entry.changed <= since:
                continue
            body.setdefault(name, []).append(row(self.shelf, entry, query))
        return answer(None if self.null_client and not body else body)

    def _check_size(self, query: dict[str, str]) -> None:
        every = query.get("include_all_episodes") in ("yes", "original")
        shown = [
            e
            for e in self.shelf.entries.values()
            if every or e.status not in ("completed", "dropped")
        ]
        if sum(len(e.watched) for e in shown) > self.max_episodes:
            raise Refused(400, "max_items", "Too many episodes: …")

    def _ratings(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        since = (
            instant(query["date_from"], "date_from") if query.get("date_from") else None
        )
        wanted = request.match_info.get("type")
        scores = request.match_info.get("scores")
        body: Json = {}
        for entry in self.shelf.entries.values():
            name = {"tv": "shows", "anime": "anime", "movie": "movies"}[entry.kind]
            if entry.rating_changed is None or (
                wanted in ("shows", "movies", "anime") and wanted != name
            ):
                continue
            if since is None and entry.rating is None:
                continue
            if since is not None and entry.rating_changed <= since:
                continue
            if scores and str(entry.rating) not in scores.split(","):
                continue
            body.setdefault(name, []).append(row(self.shelf, entry, {}))
        return answer(None if self.null_client and not body else body)

    def _playback(self, request: web.Request) -> web.Response:
        kind = request.match_info.get("kind")
        if kind not in (None, "movies", "episodes"):
            raise Refused(404, "url_failed")
        self.player.keep = timedelta(days=KEEP_DAYS[self.plan])
        return answer(self.player.rows(kind, dict(request.query)))

    def _delete_playback(self, request: web.Request) -> web.Response:
        number = request.match_info["id"]
        if not number.isdigit() or int(number) == 0:
            raise Refused(404, "url_failed")
        if not self.player.delete(int(number)):
            raise Refused(404, "empty")
        return web.Response(status=204)

    def _watched(self, request: web.Request) -> web.Response:
        if self.gated and self.gate.pulled(request["grant"].refresh):
            # next to a cached library this is a suspension pattern (section 6.5)
            raise Refused(
                412, "client_id_failed", "Your client_id is wrong. Try another one"
            )
        items = request["body"] if isinstance(request["body"], list) else []
        if "extended" in request.query and len(items) > 100:
            raise Refused(400, "max_items")
        return answer([self._watched_one(item) for item in items] or None)

    def _watched_one(self, item: Json) -> Json:
        title = self.shelf.match(item, "show") or self.shelf.match(item, "movie")
        if title is None:
            return {"ids": item.get("ids"), "result": "not_found"}
        entry = self.shelf.entries.get(int(title.ids["simkl"]))
        body: Json = {
            "ids": item.get("ids"),
            "result": bool(entry and entry.watched),
            "simkl": title.ids["simkl"],
        }
        body |= {"list": entry.status if entry else None}
        return body | {
            "last_watched_at": stamp(entry.last_watched_at) if entry else None
        }

    def _scrobble(self, request: web.Request) -> web.Response:
        action = request.match_info["action"]
        if action not in ("start", "pause", "stop", "checkin"):
            raise Refused(404, "url_failed")
        if self.pacing and (self._locked or self._busy):
            raise Refused(400, "RATE_LIMIT")
        body = request["body"]
        self.player.plan = self.plan
        again = request.query.get("allow_rewatch") == "yes"
        reply = self.player.take(
            action, body if isinstance(body, dict) else {}, again=again
        )
        self._locked.set(self.lock_seconds)
        return answer(reply, 201)

    # the user and titles --------------------------------------------------------------------------------------

    def _settings(self, request: web.Request) -> web.Response:
        user = {
            "name": self.user_name,
            "joined_at": "2018-01-15T00:00:00Z",
            "gender": "",
            "avatar": "https://simkl.in/avatars/1/1_100.jpg",
            "bio": "",
            "loc": "",
            "age": "",
        }
        account = {
            "id": self.account_id,
            "timezone": "Europe/Lisbon",
            "type": self.plan,
        }
        return answer(
            {"user": user, "account": account, "connections": {"facebook": False}}
        )


def _challenge(word: str) -> dict[str, str]:
    return {"WWW-Authenticate": f'Bearer realm="api.simkl.com", error="{word}"'}


async def _body(request: web.Request) -> Any:
    if request.method != "POST":
        return None
    try:
        return await request.json()
    except ValueError:
        return None
