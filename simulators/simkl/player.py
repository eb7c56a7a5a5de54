"""Scrobbling and paused playbacks (apis/simkl.md section 8)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ..catalogue import CatalogueEpisode, CatalogueMovie, CatalogueShow
from .answers import Refused, stamp
from .rows import full_ids, kind_of
from .shelf import Shelf

FINISHED = 80.0
"""Percent from which a stop counts as watched; fixed on the server."""
AGAIN = timedelta(hours=1)
APART = timedelta(days=2)
"""How long a viewing must be over before another one of the same item is recorded."""
MOST = 50
"""Rewatches recorded of one item."""
PAID = ("pro", "vip")
USUAL = {"movie": 90 * 60, "tv": 45 * 60, "anime": 25 * 60}
"""Seconds that the server assumes for what it has no length of."""


@dataclass(slots=True)
class Playing:
    """Something being watched or paused; progress is in percent, `at` is when it was reported."""

    title: CatalogueShow | CatalogueMovie
    episode: CatalogueEpisode | None
    progress: float
    at: datetime
    id: int = 0
    checkin: bool = False

    @property
    def runtime(self) -> float:
        """Length in seconds."""
        own = self.episode.runtime if self.episode else self.title.runtime
        return own or USUAL[kind_of(self.title)]

    def progress_at(self, now: datetime) -> float:
        """Extrapolate, as the server does."""
        return min(
            100.0, self.progress + (now - self.at).total_seconds() / self.runtime * 100
        )

    @property
    def key(self) -> tuple[int, int, int]:
        """What tells one viewing from another."""
        place = (self.episode.season, self.episode.number) if self.episode else (0, 0)
        return int(self.title.ids["simkl"]), *place


class Player:
    """The one session a user has, the paused ones, and what was finished lately."""

    def __init__(self, shelf: Shelf) -> None:
        """Report what is finished to this library."""
        self.shelf = shelf
        self.session: Playing | None = None
        self.paused: dict[int, Playing] = {}
        self.finished: dict[tuple[int, int, int], datetime] = {}
        self.rewatches: dict[tuple[int, int, int], list[datetime]] = {}
        self.plan = "free"
        self.keep = timedelta(days=7)
        self._next_id = 10916890

    def settle(self) -> None:
        """End what ran out: a check-in becomes watched, a started session just goes."""
        now = self.shelf.clock.now()
        if self.session is not None and self.session.progress_at(now) >= 100:
            session, self.session = self.session, None
            if session.checkin:
                self._finish(session)

    def take(
        self, action: str, body: dict[str, Any], *, again: bool = False
    ) -> dict[str, Any]:
        """Carry out start, pause, stop or checkin and return the reply; `again` is the query's `allow_rewatch`."""
        self.settle()
        now = self.shelf.clock.now()
        playing = self._read(action, body, now)
        previous = self.session
        same = previous is not None and previous.key == playing.key
        if (
            previous is not None
            and not same
            and action in ("start", "checkin")
            and previous.progress_at(now) >= FINISHED
        ):
            self._finish(previous)
        if action in ("start", "checkin"):
            self.session = playing
            playing.checkin = action == "checkin"
            if action == "checkin":
                playing.id = 9876543210123
            return _reply(action, playing)
        if same:
            self.session = None
        if action == "stop" and playing.progress >= FINISHED:
            before = self.finished.get(playing.key)
            if before is not None and now - before < AGAIN:
                raise AlreadyWatched(before)
            known = self._seen_at(playing.key)
            self._finish(playing)
            playing.id = self._id()
            reply = _reply("scrobble", playing)
            if again and known is not None and self.rewatch(playing.key, now):
                reply |= {"rewatch_id": self._id(), "rewatch_status": "active"}
            return reply
        self.pause(playing)
        return _reply("pause", playing)

    def _seen_at(self, key: tuple[int, int, int]) -> datetime | None:
        entry = self.shelf.entries.get(key[0])
        return None if entry is None else entry.watched.get(key[1:])

    def rewatch(self, key: tuple[int, int, int], at: datetime) -> bool:
        """Record one more viewing of what was watched before, where the plan and the time since allow that."""
        made = self.rewatches.get(key, [])
        first = self._seen_at(key)
        before = max([*made, *([first] if first else [])], default=at)
        if self.plan not in PAID or at - before < APART or len(made) >= MOST:
            return False
        self.rewatches[key] = [*made, at]
        return True

    def pause(self, playing: Playing) -> None:
        """Keep a resumable playback: at most one per title."""
        playing.id = self._id()
        self.paused[int(playing.title.ids["simkl"])] = playing
        self.shelf.played(kind_of(playing.title), self.shelf.tick())

    def delete(self, number: int) -> bool:
        """Forget a paused playback."""
        for simkl, playing in self.paused.items():
            if playing.id == number:
                del self.paused[simkl]
                self.shelf.played(kind_of(playing.title), self.shelf.tick())
                return True
        return False

    def rows(self, kind: str | None, query: dict[str, str]) -> list[dict[str, Any]]:
        """Return /sync/playback: newest first, not older than the plan keeps them."""
        self.settle()
        oldest = self.shelf.clock.now() - self.keep
        found = [p for p in self.paused.values() if p.at > oldest]
        if kind is not None:
            found = [p for p in found if (p.episode is None) == (kind == "movies")]
        if query.get("hide_watched", "true") != "false":
            found = [p for p in found if not self._watched(p)]
        if "date_from" in query:
            found = [p for p in found if (stamp(p.at) or "") > query["date_from"]]
        if "date_to" in query:
            found = [p for p in found if (stamp(p.at) or "") < query["date_to"]]
        found.sort(key=lambda p: p.at, reverse=True)
        limit = min(int(query.get("limit", "10000")), 10000)
        return [_row(p) for p in found[:limit]]

    def _watched(self, playing: Playing) -> bool:
        entry = self.shelf.entries.get(int(playing.title.ids["simkl"]))
        return (
            entry is not None
            and playing.key[1:] in entry.watched
            and (entry.watched[playing.key[1:]] >= playing.at)
        )

    def _finish(self, playing: Playing) -> None:
        at = self.shelf.tick()
        entry = self.shelf.file(playing.title)
        self.shelf.mark_watched(entry, [playing.key[1:]], None, at)
        self.finished[playing.key] = self.shelf.clock.now()
        if self.session is not None and self.session.key == playing.key:
            self.session = None
        if self.paused.pop(int(playing.title.ids["simkl"]), None) is not None:
            self.shelf.played(kind_of(playing.title), at)

    def _id(self) -> int:
        self._next_id += 1
        return self._next_id

    def _read(self, action: str, body: dict[str, Any], now: datetime) -> Playing:
        given = [
            name
            for name in ("movie", "show", "anime")
            if isinstance(body.get(name), dict)
        ]
        if len(given) != 1:
            raise Refused(400, "empty_field")
        progress = body.get("progress", 0 if action == "checkin" else None)
        if progress is None:
            raise Refused(400, "empty_field", 'Missed "progress" parameter')
        if (
            isinstance(progress, bool)
            or not isinstance(progress, int | float)
            or not 0 <= progress <= 100
            or round(progress, 2) != progress
        ):
            raise Refused(400, "wrong_parameter", 'Wrong "progress" parameter')
        title = self.shelf.match(
            body[given[0]], "movie" if given[0] == "movie" else "show"
        )
        if title is None:
            raise Refused(404, "id_err")
        if isinstance(title, CatalogueMovie):
            return Playing(title, None, round(float(progress), 2), now)
        return Playing(title, _episode(title, body), round(float(progress), 2), now)


def _episode(show: CatalogueShow, body: dict[str, Any]) -> CatalogueEpisode:
    """Find the episode by numbers (the key is `number`, not `episode`) or by its tvdb id."""
    wanted = body.get("episode")
    wanted = wanted if isinstance(wanted, dict) else {}
    tvdb = (wanted.get("ids") or {}).get("tvdb")
    if tvdb is not None:
        episode = next(
            (e for e in show.episodes if str(e.ids["tvdb"]) == str(tvdb)), None
        )
    elif "number" in wanted:
        season = wanted.get("season", 1 if show.anime else None)
        episode = (
            None if season is None else show.episode(int(season), int(wanted["number"]))
        )
    else:
        raise Refused(400, "empty_field", 'Missed "episode" parameter')
    if episode is None:
        raise Refused(404, "id_err")
    return episode


class AlreadyWatched(Exception):
    """The same thing was finished less than an hour ago: HTTP 409, which means success."""

    def __init__(self, at: datetime) -> None:
        """Remember when."""
        super().__init__("already_watched")
        self.at = at


def _reply(action: str, playing: Playing) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": playing.id,
        "action": action,
        "progress": playing.progress,
    }
    kind = kind_of(playing.title)
    block: dict[str, Any] = {"title": playing.title.title, "year": playing.title.year}
    if kind != "tv":
        block["anime_type"] = "tv" if kind == "anime" else None
    block["ids"] = full_ids(playing.title)
    body[{"tv": "show"}.get(kind, kind)] = block
    if playing.episode is not None:
        episode: dict[str, Any] = {
            "season": playing.episode.season,
            "number": playing.episode.number,
            "title": playing.episode.title,
        }
        if kind == "anime":
            episode |= {
                "tvdb_season": playing.episode.season,
                "tvdb_number": playing.episode.number,
            }
        body["episode"] = episode
    return body


def _row(playing: Playing) -> dict[str, Any]:
    kind = kind_of(playing.title)
    body: dict[str, Any] = {
        "id": playing.id,
        "progress": playing.progress,
        "paused_at": stamp(playing.at),
        "type": "movie" if playing.episode is None else "episode",
    }
    if playing.episode is not None:
        body["episode"] = {
            "season": playing.episode.season,
            "episode": playing.episode.number,
            "title": playing.episode.title,
            "tvdb_season": playing.episode.season,
            "tvdb_number": playing.episode.number,
        }
    block = {
        "title": playing.title.title,
        "year": playing.title.year,
        "ids": full_ids(playing.title),
    }
    body[{"tv": "show"}.get(kind, kind)] = block
    return body
