"""The simulated Tautulli: its API, the Plex sessions it watches, and the history it keeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
import itertools
import secrets
from typing import Any, ClassVar, Final

from aiohttp import web

from ..catalogue import Viewer
from ..service import Service
from .items import TEMPLATES, Item, episode_key, find, movie_key
from .rows import USERS, Row, Session, User, history_row, running_row, session_object

API_KEY: Final = "0123456789abcdef0123456789abcdef"
SERVER_ID: Final = "0000111122223333444455556666777788889999"

_SHORTEST: Final = 120
"""Seconds; shorter plays are not stored."""
_BAD_ARGUMENT: Final = "Check the logs for errors"

_LIST_FILTERS: Final = (
    "rating_key",
    "parent_rating_key",
    "grandparent_rating_key",
    "media_type",
)
_TITLE_FILTERS: Final = frozenset({*_LIST_FILTERS, "guid", "search"})

type Arguments = dict[str, str]


class Tautulli(Service):
    """A Tautulli server with three users; the viewer is user 1001."""

    name = "tautulli"
    port = 8875

    root = ""
    """The path below which it lives (`http_root`), as "/tautulli"; set it before serving."""

    _commands: ClassVar[dict[str, str]] = {
        name: f"_{name}"
        for name in (
            "status",
            "server_status",
            "get_server_info",
            "get_server_identity",
            "get_tautulli_info",
            "get_users",
            "get_user_names",
            "get_activity",
            "get_history",
            "get_metadata",
        )
    }

    # state ----------------------------------------------------------------------------------------------------

    def seed(self, viewer: Viewer) -> None:
        """Store one row for each of the viewer's plays, and one of another user's."""
        self.api_key = API_KEY
        self.api_enabled = True
        self.plex_down = False
        self.zone = timezone(timedelta(hours=-8))
        """The server's local time, in which it understands dates."""
        self.users = list(USERS)
        self.rows: list[Row] = []
        self.sessions: dict[int, Session] = {}
        self.deleted: set[int] = set()
        self.asked: list[Arguments] = []
        """The arguments of every request that got as far as its command."""
        self._last: dict[tuple[int, int], Row] = {}
        """The last row of each user's item: a new one may go on from there."""
        self._ids = itertools.count(1)
        self._session_keys = itertools.count(27)
        plays: list[tuple[Item, datetime]] = [
            (Item(show, episode), at) for show, episode, at in viewer.episodes
        ]
        plays += [(Item(movie), at) for movie, at in viewer.movies]
        for item, at in sorted(plays, key=lambda play: play[1]):
            self._store(USERS[1], item, 0, 100, at.timestamp())
        if plays:
            self._store(USERS[2], plays[0][0], 0, 95, plays[-1][1].timestamp() + 60)

    def item(self, key: int) -> Item:
        """Return what has this rating key."""
        found = find(self.catalogue, key)
        assert found is not None
        return found

    def user(self, user_id: int) -> User:
        """Return a user."""
        return next(user for user in self.users if user.id == user_id)

    def _store(
        self,
        user: User,
        item: Item,
        start: float,
        end: float,
        stopped: float,
        *,
        paused: float = 0,
        live: bool = False,
    ) -> Row | None:
        """Store a stretch from `start` to `end` percent that stopped then; None when it is too short to be stored."""
        seconds = round((end - start) / 100 * item.runtime)
        if seconds < _SHORTEST:
            return None
        number = next(self._ids)
        row = Row(
            id=number,
            reference_id=number,
            user=user,
            item=item,
            started=round(stopped - seconds - paused),
            stopped=round(stopped),
            paused=round(paused),
            percent=100 if live else round(end),
            live=live,
        )
        previous = self._last.get((user.id, item.key))
        if previous and previous.status < 1 and previous.percent <= round(start) + 1:
            row.reference_id = previous.reference_id
        self._last[user.id, item.key] = row
        self.rows.append(row)
        return row

    # what people do -------------------------------------------------------------------------------------------

    def finish(
        self,
        key: int,
        *parts: tuple[float, float],
        user: int = 1001,
        at: datetime | None = None,
        gap: float = 600,
    ) -> list[Row]:
        """Play in stretches of percent, (0, 100) unless told otherwise, with `gap` seconds between; the last ends `at`.

        A stretch that ends at 85 % or later is watched.
        """
        item, person = self.item(key), self.user(user)
        stopped = (at or self.clock.now()).timestamp()
        ends: list[tuple[tuple[float, float], float]] = []
        for part in reversed(parts or ((0.0, 100.0),)):
            ends.append((part, stopped))
            stopped -= (part[1] - part[0]) / 100 * item.runtime + gap
        rows = [self._store(person, item, *part, end) for part, end in reversed(ends)]
        return [row for row in rows if row is not None]

    def watch(
        self, show: int, season: int, number: int, at: datetime | None = None
    ) -> None:
        """Let the viewer watch an episode."""
        self.finish(episode_key(show, season, number), at=at)

    def watch_movie(self, movie: int, at: datetime | None = None) -> None:
        """Let the viewer watch a movie."""
        self.finish(movie_key(movie), at=at)

    def start(
        self,
        key: int,
        *,
        user: int = 1001,
        offset: float = 0,
        media_type: str | None = None,
        live: bool = False,
    ) -> Session:
        """Start playing at `offset` seconds; `media_type` "track" or "clip" makes something else of it."""
        now = self.clock.now().timestamp()
        item = self.item(key)
        session = Session(
            key=next(self._session_keys),
            user=self.user(user),
            item=item,
            state="playing",
            offset=offset,
            since=now,
            started=now,
            media_type=media_type or item.kind,
            live=live,
            begun_at=offset,
        )
        self.sessions[session.key] = session
        return session

    def set_state(self, session: Session, state: str) -> None:
        """Make a session playing, paused or buffering."""
        now = self.clock.now().timestamp()
        session.offset = session.at(now)
        if session.state != "playing":
            session.paused += now - session.since
        session.since, session.state = now, state

    def stop(self, session: Session) -> Row | None:
        """End a session, and store it."""
        self.set_state(session, "stopped")
        del self.sessions[session.key]
        runtime = session.item.runtime
        end = runtime if runtime - session.offset <= 10 else session.offset
        return self._store(
            session.user,
            session.item,
            session.begun_at / runtime * 100,
            end / runtime * 100,
            self.clock.now().timestamp(),
            paused=session.paused,
            live=session.live,
        )

    def revoke_tokens(self) -> None:
        """Make a new API key: the old one stops working."""
        self.api_key = secrets.token_hex(16)

    def state(self) -> dict[str, Any]:
        """Return counts of the viewer's rows and of all sessions."""
        mine = [row for row in self.rows if row.user.id == 1001]
        watched = [row for row in mine if row.status == 1 and not row.live]
        return {
            "rows": len(mine),
            "plays": len({(row.reference_id, row.item.key) for row in watched}),
            "movies": len({r.item.key for r in watched if r.item.kind == "movie"}),
            "episodes": len({r.item.key for r in watched if r.item.kind == "episode"}),
            "sessions": len(self.sessions),
        }

    async def control(self, what: str, data: dict[str, Any]) -> web.StreamResponse:
        """Handle start, pause, resume, stop, watch (in "parts"), plex_down, api_enabled and delete_item."""
        user = int(data.get("user", 1001))
        if what == "plex_down":
            self.plex_down = bool(data.get("on", True))
            return web.json_response({})
        if what == "api_enabled":
            self.api_enabled = bool(data.get("on", True))
            return web.json_response({})
        if what in ("pause", "resume", "stop"):
            running = [s for s in self.sessions.values() if s.user.id == user]
            if not running:
                return web.json_response({"error": "no session"}, status=404)
            if what == "stop":
                self.stop(running[-1])
            else:
                state = "paused" if what == "pause" else "playing"
                self.set_state(running[-1], state)
            return web.json_response(self.state())
        if what not in ("start", "watch", "delete_item"):
            return await super().control(what, data)
        key = (
            movie_key(int(data["movie"]))
            if "movie" in data
            else episode_key(
                int(data["show"]), int(data["season"]), int(data["number"])
            )
        )
        if find(self.catalogue, key) is None:
            return web.json_response({"error": "no such item"}, status=404)
        if what == "start":
            self.start(key, user=user, offset=float(data.get("offset", 0)))
        elif what == "watch":
            parts = [(float(a), float(b)) for a, b in data.get("parts", [])]
            self.finish(key, *parts, user=user)
        else:
            self.deleted.add(key)
        return web.json_response(self.state())

    # serving --------------------------------------------------------------------------------------------------

    def routes(self) -> list[web.RouteDef]:
        """Return the API below `root`, and the home page that sends people there."""
        routes = [
            web.get(f"{self.root}/api/v2", self._api),
            web.post(f"{self.root}/api/v2", self._api),
            web.get(f"{self.root}/api/v1", self._old_api),
        ]
        if self.root:
            routes.append(web.get("/", self._home))
        return routes

    def unknown_route(self, request: web.Request, status: int) -> web.StreamResponse:
        """Answer as CherryPy does."""
        return web.json_response(
            {
                "status": "404 Not Found",
                "message": f"The path '{request.path}' was not found.",
                "error": True,
            },
            status=404,
        )

    async def _home(self, request: web.Request) -> web.StreamResponse:
        return web.Response(status=303, headers={"Location": self.root})

    async def _old_api(self, request: web.Request) -> web.StreamResponse:
        return _error("Please use the /api/v2 endpoint.", 200)

    async def _api(self, request: web.Request) -> web.StreamResponse:
        arguments: Arguments = dict(request.query)
        if request.content_type == "application/x-www-form-urlencoded":
            form = await request.post()
            arguments |= {name: str(value) for name, value in form.items()}
        if not self.api_enabled:
            return _error("API not enabled")
        if "apikey" not in arguments:
            return _error("Parameter apikey is required")
        if arguments["apikey"] != self.api_key:
            return _error("Invalid apikey")
        if "cmd" not in arguments:
            return _error("Parameter cmd is required. Possible commands are: ...")
        command = arguments["cmd"]
        if command not in self._commands:
            return _error(f"Unknown command: {command}. Possible commands are: ...")
        self.asked.append(arguments)
        handler: Callable[[Arguments], Any] = getattr(self, self._commands[command])
        try:
            data = handler(arguments)
        except ValueError:
            return _error(_BAD_ARGUMENT, 500)
        message = "Ok" if command == "status" else None
        return web.json_response(
            {"response": {"result": "success", "message": message, "data": data}}
        )

    def _status(self, arguments: Arguments) -> Any:
        return {}

    def _server_status(self, arguments: Arguments) -> Any:
        return {"connected": not self.plex_down}

    def _get_server_info(self, arguments: Arguments) -> Any:
        return {
            "pms_name": "Loopback PMS",
            "pms_version": "1.41.0.0-stub",
            "pms_platform": "Linux",
            "pms_ip": "127.0.0.1",
            "pms_port": 13240,
            "pms_ssl": 0,
            "pms_url": "http://127.0.0.1:13240",
            "pms_url_manual": 1,
            "pms_identifier": SERVER_ID,
            "pms_plexpass": 0,
        }

    def _get_server_identity(self, arguments: Arguments) -> Any:
        if self.plex_down:
            return {}
        return {"machine_identifier": SERVER_ID, "version": "1.41.0.0-stub"}

    def _get_tautulli_info(self, arguments: Arguments) -> Any:
        return {
            "tautulli_install_type": "source",
            "tautulli_version": "v2.17.2",
            "tautulli_branch": "master",
            "tautulli_commit": None,
        }

    def _get_users(self, arguments: Arguments) -> Any:
        return [
            TEMPLATES["user"]
            | {
                "row_id": number,
                "user_id": user.id,
                "username": user.username,
                "friendly_name": user.friendly_name,
                "email": f"{user.username}@example.org" if user.id else None,
                "is_admin": int(user.id == 1001),
            }
            for number, user in enumerate(self.users, 1)
        ]

    def _get_user_names(self, arguments: Arguments) -> Any:
        return [
            {"user_id": user.id, "friendly_name": user.friendly_name}
            for user in self.users
        ]

    def _get_metadata(self, arguments: Arguments) -> Any:
        key = int(arguments.get("rating_key") or 0)
        item = find(self.catalogue, key)
        if self.plex_down or item is None or key in self.deleted:
            return {}
        return TEMPLATES["metadata"] | item.texts()

    def _get_activity(self, arguments: Arguments) -> Any:
        if self.plex_down:
            return {}
        count, now = len(self.sessions), self.clock.now().timestamp()
        return {
            "stream_count": str(count),
            "sessions": [session_object(s, now) for s in self.sessions.values()],
            "stream_count_direct_play": count,
            "stream_count_direct_stream": 0,
            "stream_count_transcode": 0,
            "total_bandwidth": 25318 * count,
            "lan_bandwidth": 25318 * count,
            "wan_bandwidth": 0,
        }

    # history --------------------------------------------------------------------------------------------------

    def _get_history(self, arguments: Arguments) -> Any:
        start = int(arguments.get("start") or 0)
        length = int(arguments.get("length") or 25)
        rows = [row for row in self.rows if self._fits(row, arguments)]
        # both are on unless switched off
        groups: list[list[Row]] = [[row] for row in rows]
        if arguments.get("grouping", "1") != "0":
            by_reference: dict[int, list[Row]] = {}
            for row in rows:
                by_reference.setdefault(row.reference_id, []).append(row)
            groups = list(by_reference.values())
        now = self.clock.now().timestamp()
        running: list[Session] = []
        if arguments.get("include_activity", "1") != "0":
            running = [
                session
                for session in self.sessions.values()
                if self._user_fits(session.user, arguments)
            ]
        answers: list[list[Row] | Session] = [*groups, *running]
        answers.sort(key=_date)
        if arguments.get("order_dir", "desc") == "desc":
            answers.reverse()
        return {
            "recordsFiltered": len(answers),
            "recordsTotal": len(self.rows),
            "data": [
                running_row(answer, now)
                if isinstance(answer, Session)
                else history_row(answer)
                for answer in answers[start : start + length]
            ],
            "draw": 1,
            "filter_duration": _text(sum(row.played for row in rows)),
            "total_duration": _text(sum(row.played for row in self.rows)),
        }

    @staticmethod
    def _user_fits(user: User, arguments: Arguments) -> bool:
        wanted, name = arguments.get("user_id"), arguments.get("user")
        return (not wanted or str(user.id) in wanted.split(",")) and (
            not name or user.username == name
        )

    def _fits(self, row: Row, arguments: Arguments) -> bool:
        if not self._user_fits(row.user, arguments):
            return False
        after, before = _day(arguments.get("after")), _day(arguments.get("before"))
        if after or before:
            day = datetime.fromtimestamp(row.started, UTC).astimezone(self.zone).date()
            if (after and day < after) or (before and day > before):
                return False
        if not arguments.keys() & _TITLE_FILTERS:
            return True
        numbers = row.item.numbers()
        numbers["media_type"] = "live" if row.live else row.item.kind
        for name in _LIST_FILTERS:
            wanted = arguments.get(name)
            if wanted and str(numbers[name]) not in wanted.split(","):
                return False
        return (
            str(numbers["guid"]).startswith(arguments.get("guid", ""))
            and arguments.get("search", "").lower() in row.item.full_title.lower()
        )


def _date(answer: Sequence[Row] | Session) -> float:
    """Return the `date` of what becomes a row: the only order that is simulated."""
    return answer.started if isinstance(answer, Session) else answer[-1].started


def _day(text: str | None) -> date | None:
    """Read a date; what is none is not refused, it filters nothing."""
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None


def _text(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    return f"{hours} hrs {rest // 60} mins {rest % 60} secs"


def _error(message: str, status: int = 400) -> web.Response:
    return web.json_response(
        {"response": {"result": "error", "message": message, "data": {}}},
        status=status,
    )
