"""What changes the library: /sync/history, /sync/history/remove, /sync/add-to-list, /sync/ratings (section 7)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from ..catalogue import CatalogueMovie, CatalogueShow
from .answers import BUCKETS, Refused, instant
from .shelf import Entry, Shelf

type Json = dict[str, Any]
type Rewatch = Callable[[tuple[int, int, int], datetime], bool]

SIMKL_TYPES = {"tv": "tv", "anime": "anime", "movie": "movie"}


def _items(body: Json, *names: str) -> list[tuple[str, Json]]:
    """Return (kind, item) of every item; anime are matched as shows and counted as shows."""
    found: list[tuple[str, Json]] = []
    for name in names:
        items = body.get(name) or []
        if not isinstance(items, list):
            raise Refused(400, "wrong_parameter", f'Wrong "{name}" parameter')
        kind = "movie" if name == "movies" else "show"
        found += [(kind, item) for item in items if isinstance(item, dict)]
    return found


def _echo(item: Json, kind: str) -> Json:
    keep = ("title", "year", "ids", "watched_at", "rating")
    return {k: item[k] for k in keep if k in item} | {"type": kind}


class Writes:
    """The write endpoints, as functions of a body."""

    def __init__(self, shelf: Shelf, rewatch: Rewatch) -> None:
        """Write to this library; `rewatch` records one more viewing of what was watched before."""
        self.shelf = shelf
        self.rewatch = rewatch

    # history --------------------------------------------------------------------------------------------------

    def history(self, body: Json, query: dict[str, str]) -> Json:
        """Mark watched: 201 whatever was found."""
        added: Json = {"movies": 0, "shows": 0, "episodes": 0, "statuses": []}
        missing: Json = {"movies": [], "shows": [], "episodes": []}
        fill = query.get("skip_auto_watching") != "yes"
        at = self.shelf.tick()
        for kind, item in _items(body, "movies", "shows", "anime"):
            title = self.shelf.match(item, kind)
            if title is None:
                missing["movies" if kind == "movie" else "shows"].append(
                    _echo(item, kind)
                )
                continue
            when = (
                instant(item["watched_at"], "watched_at")
                if item.get("watched_at")
                else None
            )
            listed = int(title.ids["simkl"]) in self.shelf.entries
            entry = self.shelf.file(title)
            known = set(entry.watched)
            if isinstance(title, CatalogueMovie):
                count = self._history_movie(entry, item, when, at)
                if query.get("allow_rewatch") == "yes":
                    count += self._again(entry, known, [((0, 0), when)], at)
                added["movies"] += count
            else:
                whole, count, lost = self._history_show(
                    entry, title, item, when, at, fill=fill
                )
                if query.get("allow_rewatch") == "yes":
                    count += self._again(entry, known, _named(item), at)
                added["shows"] += whole
                added["episodes"] += 0 if whole else count
                if lost:
                    missing["episodes"].append(_echo(item, kind) | {"seasons": lost})
                count += whole
                if lost and not count and not listed:
                    # nothing was marked: the title was not added either
                    del self.shelf.entries[entry.simkl]
                    continue
            self._extras(entry, item, at)
            if count:
                added["statuses"].append(
                    {"request": _echo(item, kind), "response": _status(entry)}
                )
        for item in body.get("episodes") or []:
            added["episodes"] += self._history_episode(item, missing, at)
        return {"added": added, "not_found": missing}

    def _again(
        self,
        entry: Entry,
        known: set[tuple[int, int]],
        named: list[tuple[tuple[int, int], datetime | None]],
        at: datetime,
    ) -> int:
        return sum(
            key in known and self.rewatch((entry.simkl, *key), when or at)
            for key, when in named
        )

    def _history_movie(self, entry: Entry, item: Json, when: Any, at: Any) -> int:
        status = item.get("status")
        if status is not None and status not in BUCKETS:
            raise Refused(400, "wrong_parameter", 'Wrong "status" parameter')
        if status in ("plantowatch", "dropped"):
            self.shelf.move(entry, status, at)
            return 1
        return self.shelf.mark_watched(entry, [(0, 0)], when, at)

    def _history_show(
        self,
        entry: Entry,
        show: CatalogueShow,
        item: Json,
        when: Any,
        at: Any,
        *,
        fill: bool,
    ) -> tuple[int, int, list[Json]]:
        """Return whether the whole title was meant and did something, how many episodes, and what is unknown."""
        seasons = item.get("seasons")
        if not seasons and item.get("episodes"):
            seasons = [{"number": 1, "episodes": item["episodes"]}]
        if seasons:
            return 0, *self._history_seasons(entry, show, seasons, when, at)
        status = item.get("status")
        if status is not None:
            if status not in BUCKETS:
                raise Refused(400, "wrong_parameter", 'Wrong "status" parameter')
            if status != "completed" or not fill:
                self.shelf.move(entry, status, at)
                return 1, 0, []
        aired = [(e.season, e.number) for e in show.aired(self.shelf.clock.now())]
        marked = self.shelf.mark_watched(entry, aired, when, at)
        if not aired:
            self.shelf.move(entry, "watching", at)
        return int(bool(marked) or not aired), marked, []

    def _history_seasons(
        self, entry: Entry, show: CatalogueShow, seasons: list[Json], when: Any, at: Any
    ) -> tuple[int, list[Json]]:
        count = 0
        lost: list[Json] = []
        for season in seasons:
            number = season.get("number")
            if not isinstance(number, int):
                raise Refused(400, "empty_field", 'Missed "number" parameter')
            given = season.get("episodes")
            if not given:
                now = self.shelf.clock.now()
                keys = [
                    (e.season, e.number)
                    for e in show.episodes
                    if e.season == number and e.first_aired <= now
                ]
                if not keys:
                    lost.append({"number": number})
                count += self.shelf.mark_watched(entry, keys, when, at)
                continue
            unknown: list[Json] = []
            for one in given:
                episode = show.episode(number, int(one.get("number", -1)))
                if episode is None:
                    unknown.append({"number": one.get("number")})
                    continue
                own = (
                    instant(one["watched_at"], "watched_at")
                    if one.get("watched_at")
                    else when
                )
                count += self.shelf.mark_watched(
                    entry, [(number, episode.number)], own, at
                )
            if unknown:
                lost.append({"number": number, "episodes": unknown})
        return count, lost

    def _history_episode(self, item: Json, missing: Json, at: Any) -> int:
        wanted = str((item.get("ids") or {}).get("tvdb", ""))
        for show in self.shelf.catalogue.shows:
            for episode in show.episodes:
                if str(episode.ids["tvdb"]) == wanted:
                    entry = self.shelf.file(show)
                    return self.shelf.mark_watched(
                        entry, [(episode.season, episode.number)], None, at
                    )
        missing["episodes"].append(item)
        return 0

    def _extras(self, entry: Entry, item: Json, at: Any) -> None:
        rating = item.get("rating")
        if isinstance(rating, int) and 1 <= rating <= 10:
            self.shelf.rate(entry, rating, at)
        if isinstance(item.get("memo"), dict):
            entry.memo = item["memo"]

    # removing -------------------------------------------------------------------------------------------------

    def remove(self, body: Json) -> Json:
        """Unmark episodes or delete whole titles; a top-level `anime` is ignored."""
        deleted = {
            "movies": 0,
            "shows": 0,
            "episodes": 0,
            "rewatches": 0,
            "rewatch_episodes": 0,
        }
        missing: Json = {"movies": [], "shows": [], "episodes": []}
        at = self.shelf.tick()
        for kind, item in _items(body, "movies", "shows"):
            title = self.shelf.match(item, kind)
            name = "movies" if kind == "movie" else "shows"
            if title is None:
                missing[name].append(_echo(item, kind))
                continue
            entry = self.shelf.entries.get(int(title.ids["simkl"]))
            if entry is None:
                continue
            seasons = item.get("seasons")
            if not seasons and item.get("episodes"):
                seasons = [{"number": 1, "episodes": item["episodes"]}]
            if kind == "show" and seasons:
                deleted["episodes"] += self._unmark(entry, seasons, at)
            else:
                self.shelf.remove(entry, at)
                deleted[name] += 1
        return {"deleted": deleted, "not_found": missing}

    def _unmark(self, entry: Entry, seasons: list[Json], at: Any) -> int:
        keys: list[tuple[int, int]] = []
        for season in seasons:
            number = season.get("number")
            wanted = {e.get("number") for e in season.get("episodes") or []}
            keys += [
                k
                for k in entry.watched
                if k[0] == number and (not wanted or k[1] in wanted)
            ]
        return self.shelf.unmark(entry, keys, at)

    # lists ----------------------------------------------------------------------------------------------------

    def add_to_list(self, body: Json) -> Json:
        """Move titles to lists: every item needs its own `to`."""
        items = _items(body, "movies", "shows", "anime")
        for _, item in items:
            if not item.get("to"):
                raise Refused(400, "empty_field", 'Missed "to" parameter')
            if item["to"] not in BUCKETS:
                raise Refused(400, "wrong_parameter", 'Wrong "to" parameter')
        if not items and body.get("to"):
            raise Refused(400, "empty_field", 'Missed "to" parameter')
        added: Json = {"movies": [], "shows": []}
        missing: Json = {"movies": [], "shows": []}
        at = self.shelf.tick()
        for kind, item in items:
            name = "movies" if kind == "movie" else "shows"
            title = self.shelf.match(item, kind)
            if title is None:
                missing[name].append(_echo(item, kind) | {"to": item["to"]})
                continue
            entry = self.shelf.file(title)
            if isinstance(title, CatalogueShow) and item["to"] == "completed":
                aired = [
                    (e.season, e.number) for e in title.aired(self.shelf.clock.now())
                ]
                self.shelf.mark_watched(entry, aired, None, at)
            to = self.shelf.move(entry, item["to"], at)
            if entry.kind == "movie" and to == "completed":
                self.shelf.mark_watched(entry, [(0, 0)], None, at)
            ids = {"simkl": entry.simkl} | dict(item.get("ids") or {})
            added[name].append({"to": to, "ids": ids, "type": kind})
        return {"added": added, "not_found": missing}

    # ratings --------------------------------------------------------------------------------------------------

    def rate(self, body: Json) -> Json:
        """Rate 1 to 10; anything else is 201 and not found. An unlisted title is filed."""
        added: Json = {"movies": 0, "shows": 0, "statuses": []}
        missing: Json = {"movies": [], "shows": []}
        at = self.shelf.tick()
        for kind, item in _items(body, "movies", "shows", "anime"):
            name = "movies" if kind == "movie" else "shows"
            title = self.shelf.match(item, kind)
            rating = item.get("rating")
            if title is None or not isinstance(rating, int) or not 1 <= rating <= 10:
                missing[name].append(_echo(item, kind))
                continue
            listed = int(title.ids["simkl"]) in self.shelf.entries
            entry = self.shelf.file(title)
            if not listed:
                self.shelf.move(
                    entry, "completed" if kind == "movie" else "watching", at
                )
            when = (
                instant(item["rated_at"], "rated_at") if item.get("rated_at") else None
            )
            self.shelf.rate(entry, rating, at, when)
            added[name] += 1
            request = {k: v for k, v in _echo(item, kind).items() if k != "type"}
            added["statuses"].append(
                {"request": request, "response": {"status": entry.status}}
            )
        return {"added": added, "not_found": missing}

    def unrate(self, body: Json) -> Json:
        """Take ratings away."""
        deleted = {"movies": 0, "shows": 0}
        missing: Json = {"movies": [], "shows": []}
        at = self.shelf.tick()
        for kind, item in _items(body, "movies", "shows", "anime"):
            name = "movies" if kind == "movie" else "shows"
            title = self.shelf.match(item, kind)
            if title is None:
                missing[name].append(_echo(item, kind))
                continue
            entry = self.shelf.entries.get(int(title.ids["simkl"]))
            if entry is not None and entry.rating is not None:
                self.shelf.rate(entry, None, at)
                deleted[name] += 1
        return {"deleted": deleted, "not_found": missing}


def _named(item: Json) -> list[tuple[tuple[int, int], datetime | None]]:
    """Return the episodes that an item names one by one, each with its own time."""
    seasons = item.get("seasons") or [
        {"number": 1, "episodes": item.get("episodes") or []}
    ]
    return [
        (
            (season["number"], int(one.get("number", -1))),
            instant(one["watched_at"], "watched_at") if one.get("watched_at") else None,
        )
        for season in seasons
        for one in season.get("episodes") or []
    ]


def _status(entry: Entry) -> Json:
    return {
        "status": entry.status,
        "simkl_type": SIMKL_TYPES[entry.kind],
        "anime_type": "tv" if entry.kind == "anime" else None,
    }
