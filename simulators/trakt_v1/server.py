"""A simulated self-hosted server that speaks Trakt's legacy API v1 (apis/trakt.md section 14).

Where the page does not say what the service does, this takes what is worse for a client, and a comment says so.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
import hashlib
import json
from typing import Any, ClassVar

from aiohttp import web

from simulators.catalogue import CatalogueEpisode, CatalogueMovie, CatalogueShow, Viewer
from simulators.service import Service

from .rows import (
    Body,
    Failure,
    Numbers,
    Watched,
    body_of,
    counts,
    epoch,
    failed,
    inserted,
    int_of,
    json_response,
    key_of,
    label,
    list_of,
    movie_row,
    named,
    need,
    progress_row,
    show_row,
    success,
    url,
)

API_KEY = "0123456789abcdef0123456789abcdef"
USERNAME = "example_user"
PASSWORD = "up-next-password"
VERSIONS = ("plugin_version", "media_center_version", "media_center_date")
SORTS = frozenset({
    "title", "activity", "most-completed", "least-completed", "recently-aired", "previously-aired",
})  # fmt: skip
HEARTBEAT = 15 * 60
"""Seconds: "call watching every 15 minutes". That a start not repeated ends then is not confirmed."""
OVER_CAPACITY = "server is over capacity"


@dataclass(slots=True)
class Playing:
    """What is being watched until `until` (epoch seconds)."""

    action: str
    title: CatalogueShow | CatalogueMovie
    episode: CatalogueEpisode | None
    until: float


class TraktV1(Service):
    """One user of a server with the legacy API."""

    name: ClassVar[str] = "trakt_v1"
    port: ClassVar[int] = 8874

    def seed(self, viewer: Viewer) -> None:
        self.api_key = API_KEY
        self.username = USERNAME
        self.password = PASSWORD
        self.private = False
        """Whether reading takes the user's credentials; a public profile only takes the key."""
        self.knows_basic = True
        """Whether HTTP Basic is understood; only one client of 2014 is known to have used it."""
        self.may_scrobble = True
        self.over_capacity = False
        self.bare_finished = False
        """Whether finished shows come without their seasons, as in the page's second sample."""
        self.counts_lists = True
        """Whether show/watchlist tells counts: inferred from its sibling for movies."""
        self.shows: dict[int, Watched] = {}
        self.movies: dict[int, list[int]] = {}
        self.listed: dict[str, dict[int, int]] = {"movie": {}, "show": {}}
        self.playing: Playing | None = None
        self.scrobbled: dict[tuple[int, Numbers | None], int] = {}
        self.activity: dict[str, dict[str, int]] = {
            "movie": dict.fromkeys(
                ("watched", "scrobble", "seen", "checkin", "collection", "rating", "watchlist", "comment", "review", "shout"), 0
            ),
            "show": dict.fromkeys(("rating", "watchlist", "comment", "review", "shout"), 0),
            "episode": dict.fromkeys(
                ("watched", "scrobble", "seen", "checkin", "collection", "rating", "watchlist", "comment", "review", "shout"), 0
            ),
        }  # fmt: skip
        for show, episode, at in viewer.episodes:
            self._play_episode(show, (episode.season, episode.number), epoch(at))
        for movie, at in viewer.movies:
            self.movies.setdefault(key_of(movie), []).append(epoch(at))
        now = epoch(self.clock.now())
        for title in viewer.show_watchlist:
            self.listed["show"][key_of(title)] = now
        for movie in viewer.movie_watchlist:
            self.listed["movie"][key_of(movie)] = now
        newest = {
            "episode": max((w.last for w in self.shows.values()), default=0),
            "movie": max((max(p) for p in self.movies.values()), default=0),
        }
        for kind, when in newest.items():
            self.activity[kind]["watched"] = when
            self.activity[kind]["scrobble"] = when
        for kind, listed in self.listed.items():
            self.activity[kind]["watchlist"] = now if listed else 0

    def routes(self) -> list[web.RouteDef]:
        posts: dict[str, Callable[[Body], Body]] = {
            "account/test": lambda _: success("all good!"),
            "movie/seen": self._movies_seen,
            "movie/unseen": self._movies_unseen,
            "movie/watchlist": lambda body: self._list("movie", body),
            "movie/unwatchlist": lambda body: self._unlist("movie", body),
            "show/watchlist": lambda body: self._list("show", body),
            "show/unwatchlist": lambda body: self._unlist("show", body),
            "show/episode/seen": lambda body: self._episodes(body, seen=True),
            "show/episode/unseen": lambda body: self._episodes(body, seen=False),
            "movie/watching": lambda body: self._watching("movie", body),
            "show/watching": lambda body: self._watching("show", body),
            "movie/scrobble": lambda body: self._scrobble("movie", body),
            "show/scrobble": lambda body: self._scrobble("show", body),
            "movie/cancelwatching": lambda _: self._cancel(),
            "show/cancelwatching": lambda _: self._cancel(),
        }
        progress = "/user/progress/watched.json/{key}/{user}"
        reads: dict[str, Callable[[web.Request], str]] = {
            "/user/lastactivity.json/{key}/{user}": lambda _: json.dumps(
                self._last_activity()
            ),
            "/user/watching.json/{key}/{user}": lambda _: json.dumps(self._now()),
            "/user/watchlist/{what:movies|shows}.json/{key}/{user}": self._watchlist,
            progress: self._progress,
            progress + "/{title}": self._progress,
            progress + "/{title}/{sort}": self._progress,
            progress + "/{title}/{sort}/{extended:normal|full}": self._progress,
        }
        return [
            *(
                web.post(f"/{path}/{{key}}", self._post(call))
                for path, call in posts.items()
            ),
            *(
                route(path, self._read(call))
                for path, call in reads.items()
                for route in (_get, web.post)
            ),
        ]

    # the doorman ----------------------------------------------------------------------------------------------

    def _post(self, call: Callable[[Body], Body]) -> Any:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                self._check_key(request)
                body = await body_of(request)
                self._check_login(request, body)
                return json_response(json.dumps(call(body)))
            except Failure as failure:
                return failed(failure)

        return handle

    def _read(self, call: Callable[[web.Request], str]) -> Any:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                self._check_key(request)
                body = await body_of(request)
                if self.private or "username" in body:
                    self._check_login(request, body)
                if request.match_info["user"].lower() != self.username:
                    raise Failure("user not found", 404)  # noqa: TRY301
                return json_response(call(request))
            except Failure as failure:
                return failed(failure)

        return handle

    async def guard(self, request: web.Request) -> web.StreamResponse | None:
        return failed(Failure(OVER_CAPACITY, 503)) if self.over_capacity else None

    def _check_key(self, request: web.Request) -> None:
        if request.match_info["key"] != self.api_key:
            raise Failure("invalid API key", 401)
        needs_scrobbling = request.path.startswith((
            "/movie/watching", "/movie/scrobble", "/movie/cancel", "/show/watching", "/show/scrobble", "/show/cancel",
        ))  # fmt: skip
        if needs_scrobbling and not self.may_scrobble:
            raise Failure("invalid development API permission (scrobble)", 401)

    def _check_login(self, request: web.Request, body: Body) -> None:
        """Take the name and the SHA-1 of the password from the body, or from HTTP Basic."""
        given = (str(body.get("username", "")), str(body.get("password", "")))
        scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
        if "username" not in body and scheme.lower() == "basic" and self.knows_basic:
            name, _, word = base64.b64decode(encoded).decode().partition(":")
            given = (name, word)
        sha1 = hashlib.sha1(self.password.encode()).hexdigest()
        if (given[0].lower(), given[1]) != (self.username, sha1):
            raise Failure("failed authentication", 401)

    def unknown_route(self, request: web.Request, status: int) -> web.StreamResponse:
        return web.Response(
            status=status, text="<html>Not Found</html>", content_type="text/html"
        )

    # reading --------------------------------------------------------------------------------------------------

    def _last_activity(self) -> Body:
        newest = max(max(row.values()) for row in self.activity.values())
        return {"all": newest, **self.activity}

    def _now(self) -> Body | list[Body]:
        playing = self.playing
        if playing is None or playing.until <= self.clock.now().timestamp():
            self.playing = None
            return []
        title, episode = playing.title, playing.episode
        if isinstance(title, CatalogueMovie):
            movie = {
                "title": title.title,
                "year": title.year,
                "url": url(title),
                "imdb_id": title.ids["imdb"],
                "tmdb_id": str(title.ids["tmdb"]),
            }
            return {"type": "movie", "action": playing.action, "movie": movie}
        assert episode is not None
        show = {
            "title": title.title,
            "url": url(title),
            "imdb_id": title.ids["imdb"],
            "tvdb_id": str(title.ids["tvdb"]),
            "tvrage_id": str(title.ids["trakt"]),
        }
        shown = {
            "season": episode.season,
            "number": episode.number,
            "title": episode.title,
            "url": f"{url(title)}/season/{episode.season}/episode/{episode.number}",
            "first_aired": epoch(episode.first_aired),
        }
        return {
            "type": "episode",
            "action": playing.action,
            "show": show,
            "episode": shown,
        }

    def _watchlist(self, request: web.Request) -> str:
        if request.match_info["what"] == "movies":
            movies = [
                {**movie_row(movie, self.picture), "inserted": at}
                for key, at in self.listed["movie"].items()
                if (movie := self.catalogue.movie("trakt", key)) is not None
            ]
            return json.dumps(movies)
        shows = [
            {**show_row(show, self.picture), "inserted": at}
            for key, at in self.listed["show"].items()
            if (show := self.catalogue.show("trakt", key)) is not None
        ]
        return json.dumps(shows)

    def _progress(self, request: web.Request) -> str:
        wanted = request.match_info.get("title", "all")
        sort = request.match_info.get("sort", "title")
        if sort not in SORTS:
            raise Failure("invalid sort")
        rows = [
            (show, watched)
            for key, watched in self.shows.items()
            if watched.plays
            and (show := self.catalogue.show("trakt", key)) is not None
            and (
                wanted == "all" or named(show, wanted.split(","))
            )  # a show nothing of which was watched is not in here: not confirmed
        ]
        if sort == "activity":
            rows.sort(key=lambda row: row[1].last, reverse=True)
        else:
            rows.sort(key=lambda row: row[0].title)
        return f"[{','.join(self._row(*row) for row in rows)}]"

    def _row(self, show: CatalogueShow, watched: Watched) -> str:
        now = self.clock.now()
        until, count = watched.valid
        if now.timestamp() >= until or count != len(show.episodes):
            watched.row = json.dumps(
                progress_row(
                    show, watched, now, self.picture, bare_finished=self.bare_finished
                )
            )
            coming = [
                e.first_aired.timestamp()
                for e in show.episodes
                if e.first_aired > now and e.season
            ]
            watched.valid = (min(coming, default=float("inf")), len(show.episodes))
        return watched.row

    # writing --------------------------------------------------------------------------------------------------

    def _touch(self, kind: str, *parts: str) -> None:
        for part in parts:
            self.activity[kind][part] = epoch(self.clock.now())

    def _play_episode(
        self, show: CatalogueShow, numbers: Numbers, at: int | None = None
    ) -> None:
        at = epoch(self.clock.now()) if at is None else at
        watched = self.shows.setdefault(key_of(show), Watched())
        watched.plays.setdefault(numbers, []).append(at)
        watched.last = max(watched.last, at)
        watched.valid = (0.0, -1)

    def _find_movie(self, row: Body) -> CatalogueMovie | None:
        ids = {"imdb": row.get("imdb_id"), "tmdb": row.get("tmdb_id")}
        return self.catalogue.find_movie(
            dict(ids), row.get("title"), int_of(row, "year")
        )

    def _find_show(self, row: Body) -> CatalogueShow | None:
        ids = {"tvdb": row.get("tvdb_id"), "imdb": row.get("imdb_id")}
        return self.catalogue.find_show(
            dict(ids), row.get("title"), int_of(row, "year")
        )

    def _movies_seen(self, body: Body) -> Body:
        new: list[Body] = []
        old: list[Body] = []
        skipped: list[Body] = []
        for row in list_of(body, "movies"):
            movie = self._find_movie(row)
            if movie is None:
                skipped.append(row)
            elif self.movies.get(key_of(movie)):
                old.append(row)
            else:
                at = int_of(row, "last_played") or epoch(self.clock.now())
                self.movies[key_of(movie)] = [at]
                new.append(row)
        if new:
            self._touch("movie", "seen")
        return inserted(f"{len(new)} movies inserted", new, old, skipped)

    def _movies_unseen(self, body: Body) -> Body:
        gone = [
            movie
            for row in list_of(body, "movies")
            if (movie := self._find_movie(row)) is not None
            and self.movies.pop(key_of(movie), None) is not None
        ]
        if gone:
            self._touch("movie", "seen")
        return success(f"{len(gone)} movies removed")

    def _list(self, kind: str, body: Body) -> Body:
        new: list[Body] = []
        old: list[Body] = []
        skipped: list[Body] = []
        for row in list_of(body, f"{kind}s"):
            title = self._find_movie(row) if kind == "movie" else self._find_show(row)
            if title is None:
                skipped.append(row)
            elif key_of(title) in self.listed[kind]:
                old.append(row)
            else:
                self.listed[kind][key_of(title)] = epoch(self.clock.now())
                new.append(row)
        if new:
            self._touch(kind, "watchlist")
        message = f"{len(new)} {kind}s added to watchlist"
        answer = inserted(message, new, old, skipped)
        if kind == "show":
            del answer["skipped_movies"], answer["already_exist_movies"]
            return answer if self.counts_lists else success(message)
        return answer

    def _unlist(self, kind: str, body: Body) -> Body:
        gone = [
            title
            for row in list_of(body, f"{kind}s")
            if (
                title := self._find_movie(row)
                if kind == "movie"
                else self._find_show(row)
            )
            is not None
            and self.listed[kind].pop(key_of(title), None) is not None
        ]
        if gone:
            self._touch(kind, "watchlist")
        return success(f"{len(gone)} {kind}s removed from watchlist")

    def _episodes(self, body: Body, *, seen: bool) -> Body:
        show = self._find_show(body)
        if show is None:
            raise Failure("show not found")  # wording not confirmed
        known = [
            (numbers, int_of(row, "last_played"))
            for row in list_of(body, "episodes")
            if (numbers := (need(row, "season"), need(row, "episode")))
            and show.episode(*numbers) is not None
        ]
        if not known:
            raise Failure("episode not found")  # wording not confirmed
        for numbers, at in known:
            if seen:
                # whether an episode that was seen gets one more play is not known
                self._play_episode(show, numbers, at)
            elif (watched := self.shows.get(key_of(show))) is not None:
                watched.plays.pop(numbers, None)
                watched.valid = (0.0, -1)
        self._touch("episode", "seen")
        return success(
            f"{len(known)} episodes marked as {'seen' if seen else 'unseen'}"
        )

    # playing --------------------------------------------------------------------------------------------------

    def _subject(
        self, kind: str, body: Body
    ) -> tuple[CatalogueShow | CatalogueMovie, CatalogueEpisode | None]:
        missing = [name for name in VERSIONS if not body.get(name)]
        if missing:
            raise Failure(f"missing {missing[0]}")  # wording not confirmed
        if need(body, "duration") < 1 or not 0 <= need(body, "progress") <= 100:
            raise Failure("invalid progress")
        if not body.get("title") or not body.get("year"):
            raise Failure("missing title or year")
        if kind == "movie":
            movie = self._find_movie(body)
            if movie is None:
                raise Failure("movie not found")
            return movie, None
        show = self._find_show(body)
        if show is None:
            raise Failure("show not found")
        episode = show.episode(need(body, "season"), need(body, "episode"))
        if episode is None:
            raise Failure("episode not found")
        return show, episode

    def _watching(self, kind: str, body: Body) -> Body:
        title, episode = self._subject(kind, body)
        self._play("watching", title, episode)
        # nothing in lastactivity is known to move here
        answer = success(f"watching {label(title, episode)}")
        ids = {"imdb_id": title.ids["imdb"]}
        shown = {"title": title.title, "year": str(title.year), **ids}
        if episode is None:
            answer["movie"] = {**shown, "tmdb_id": str(title.ids["tmdb"])}
        else:
            answer["show"] = {
                **shown,
                "tvdb_id": str(title.ids["tvdb"]),
                "tvrage_id": str(title.ids["trakt"]),
            }
            answer["season"] = str(episode.season)
            answer["episode"] = {"number": str(episode.number), "title": episode.title}
        return {**answer, "facebook": False, "twitter": False, "tumblr": False}

    def _scrobble(self, kind: str, body: Body) -> Body:
        title, episode = self._subject(kind, body)
        numbers = (episode.season, episode.number) if episode else None
        now = epoch(self.clock.now())
        before = self.scrobbled.get((key_of(title), numbers), 0)
        if now - before < need(body, "duration") * 60:
            raise Failure(f"{label(title, episode)} scrobbled already")
        self.scrobbled[key_of(title), numbers] = now
        self._count_play(title, episode)
        return success(f"scrobbled {label(title, episode)}")

    def _cancel(self) -> Body:
        self.playing = None
        return success("cancelled watching")

    def _play(
        self,
        action: str,
        title: CatalogueShow | CatalogueMovie,
        episode: CatalogueEpisode | None,
        seconds: float = HEARTBEAT,
    ) -> None:
        until = self.clock.now().timestamp() + seconds
        self.playing = Playing(action, title, episode, until)

    def _count_play(
        self, title: CatalogueShow | CatalogueMovie, episode: CatalogueEpisode | None
    ) -> None:
        """Add a play by scrobbling; it ends what is being watched."""
        self.playing = None
        if isinstance(title, CatalogueShow):
            assert episode is not None
            self._play_episode(title, (episode.season, episode.number))
            self._touch("episode", "watched", "scrobble")
        else:
            now = epoch(self.clock.now())
            self.movies.setdefault(key_of(title), []).append(now)
            self._touch("movie", "watched", "scrobble")

    # the user elsewhere ---------------------------------------------------------------------------------------

    def show(self, trakt: int) -> CatalogueShow:
        """Return a show by its catalogue trakt id; raises KeyError."""
        found = self.catalogue.show("trakt", trakt)
        if found is None:
            raise KeyError(trakt)
        return found

    def movie(self, trakt: int) -> CatalogueMovie:
        """Return a movie by its catalogue trakt id; raises KeyError."""
        found = self.catalogue.movie("trakt", trakt)
        if found is None:
            raise KeyError(trakt)
        return found

    def watch(self, show: int, season: int, number: int) -> None:
        """Scrobble an episode from another player, now."""
        title = self.show(show)
        self._count_play(title, title.episode(season, number))

    def watch_movie(self, movie: int) -> None:
        """Scrobble a movie from another player, now."""
        self._count_play(self.movie(movie), None)

    def unwatch(self, show: int, season: int, number: int) -> None:
        """Unmark an episode on the server's page."""
        rows = [{"season": season, "episode": number}]
        tvdb = self.show(show).ids["tvdb"]
        self._episodes({"tvdb_id": tvdb, "episodes": rows}, seen=False)

    def start_watching(self, data: Body, action: str = "watching") -> None:
        """Start {"show", "season", "number"} or {"movie"} on another player, or check in ("checkin")."""
        title, episode = self._titled(data)
        if action == "checkin":
            self._play(action, title, episode, title.runtime)
            self._touch("movie" if episode is None else "episode", "checkin")
        else:
            self._play(action, title, episode)

    def stop_watching(self) -> None:
        """Stop on the other player before it counts as watched."""
        self._cancel()

    def watchlist(self, data: Body, *, listed: bool) -> None:
        """Put {"show"} or {"movie"} on the watchlist, or take it off, on the server's page."""
        kind = "movie" if "movie" in data else "show"
        title = self._titled({**data, "season": None})[0]
        name = "tmdb" if kind == "movie" else "tvdb"
        change = self._list if listed else self._unlist
        change(kind, {f"{kind}s": [{f"{name}_id": title.ids[name]}]})

    def rate(self) -> None:
        """Rate something on the server's page: activity that is of no interest here."""
        self._touch("episode", "rating")

    def _titled(
        self, data: Body
    ) -> tuple[CatalogueShow | CatalogueMovie, CatalogueEpisode | None]:
        if "movie" in data:
            return self.movie(data["movie"]), None
        show = self.show(data["show"])
        if data["season"] is None:
            return show, None
        return show, show.episode(data["season"], data["number"])

    async def control(self, what: str, data: Body) -> web.StreamResponse:
        match what:
            case "watch" if "movie" in data:
                self.watch_movie(data["movie"])
            case "watch":
                self.watch(data["show"], data["season"], data["number"])
            case "unwatch":
                self.unwatch(data["show"], data["season"], data["number"])
            case "start_watching":
                self.start_watching(data, str(data.get("action", "watching")))
            case "stop_watching" | "pause":
                self.stop_watching()
            case "watchlist_add" | "watchlist_remove":
                self.watchlist(data, listed=what == "watchlist_add")
            case "private":
                self.private = bool(data["on"])
            case "over_capacity":
                self.over_capacity = bool(data["on"])
            case _:
                return await super().control(what, data)
        return web.json_response(self.state())

    def approve(self, code: str | None = None, *, deny: bool = False) -> None:
        """Do nothing: there are no device codes."""

    def expire_tokens(self) -> None:
        """Do nothing: there are no tokens."""

    def revoke_tokens(self) -> None:
        """Change the password on the server's page."""
        self.password = f"{self.password}-changed"

    def state(self) -> dict[str, Any]:
        now = self.clock.now()
        left: list[int] = []
        for key, watched in self.shows.items():
            if any(season for season, _ in watched.plays):
                left.append(counts(self.show(key).aired(now), watched)["left"])
        return {
            "unwatched": sum(left),
            "shows_with_unwatched": sum(1 for number in left if number),
            "shows": sum(1 for watched in self.shows.values() if watched.plays),
            "plays": sum(
                len(times) for w in self.shows.values() for times in w.plays.values()
            )
            + sum(len(times) for times in self.movies.values()),
            "watched_episodes": sum(
                1 for w in self.shows.values() for season, _ in w.plays if season
            ),
            "watched_movies": len(self.movies),
            "watchlist": sum(len(listed) for listed in self.listed.values()),
            "watching": self._now() != [],
        }


def _get(path: str, handler: Any) -> web.RouteDef:
    return web.get(path, handler, allow_head=False)
