"""One user's library at Simkl: entries, their statuses, and the activity markers that move with them."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ..catalogue import (
    Catalogue,
    CatalogueEpisode,
    CatalogueMovie,
    CatalogueShow,
    Viewer,
)
from ..clock import Clock
from .answers import BUCKETS, KINDS, stamp

KNOWN_IDS = ("simkl", "imdb", "tmdb", "tvdb", "mal", "anidb", "anilist")
"""The namespaces that Simkl matches by (section 6.3): no numeric Trakt id, and slugs only in replies."""


@dataclass(slots=True)
class Schedule:
    """The regular episodes of a show in order, and when they air; rebuilt when the catalogue gains one."""

    count: int
    episodes: list[CatalogueEpisode]
    times: list[datetime]

    @classmethod
    def of(cls, show: CatalogueShow) -> Schedule:
        """Index a show."""
        episodes = [e for e in show.episodes if e.season > 0]
        # the airing times are sorted by themselves: a gap in the order must not break the bisection
        return cls(
            len(show.episodes), episodes, sorted(e.first_aired for e in episodes)
        )


@dataclass(slots=True)
class Entry:
    """A title in the user's library. `watched` is {(season, number): when}; a movie's one key is (0, 0)."""

    title: CatalogueShow | CatalogueMovie
    kind: str
    status: str
    added: datetime
    changed: datetime
    watched: dict[tuple[int, int], datetime] = field(default_factory=dict)
    last_watched_at: datetime | None = None
    rating: int | None = None
    rated_at: datetime | None = None
    rating_changed: datetime | None = None
    memo: dict[str, Any] = field(default_factory=dict)
    caught_up: bool = False

    @property
    def simkl(self) -> int:
        """The key of everything."""
        return int(self.title.ids["simkl"])


@dataclass(frozen=True, slots=True)
class Count:
    """What Simkl counts on a row, and its two markers as episodes."""

    watched: int
    total: int
    not_aired: int
    last: CatalogueEpisode | None
    next: CatalogueEpisode | None


class Shelf:
    """The library and every rule about what moves when."""

    def __init__(self, catalogue: Catalogue, clock: Clock, viewer: Viewer) -> None:
        """File what the viewer watched and wants to watch."""
        self.catalogue = catalogue
        self.clock = clock
        self.entries: dict[int, Entry] = {}
        self.buried: dict[int, dict[tuple[int, int], datetime]] = {}
        """Histories of removed titles: they come back when the title does, without the rating (6.4)."""
        self.marks: dict[str, dict[str, datetime]] = {v: {} for v in KINDS.values()}
        self.settings: datetime | None = None
        self._schedules: dict[int, Schedule] = {}
        self._last = datetime.min.replace(tzinfo=clock.now().tzinfo)
        self._seed(viewer)

    def _seed(self, viewer: Viewer) -> None:
        for show, episode, at in viewer.episodes:
            entry = self.entries.get(int(show.ids["simkl"])) or self._new(show, at)
            entry.watched[episode.season, episode.number] = at
            entry.changed = entry.last_watched_at = at
        for movie, at in viewer.movies:
            entry = self._new(movie, at)
            entry.status = "completed"
            entry.watched[0, 0] = entry.last_watched_at = at
        wanted = self.clock.now() - timedelta(days=3)
        for show in viewer.show_watchlist:
            self._new(show, wanted)
        for movie in viewer.movie_watchlist:
            self._new(movie, wanted)
        for entry in self.entries.values():
            if entry.watched and entry.kind != "movie":
                entry.status = self.natural(entry)
            entry.caught_up = self.is_caught_up(entry)
            self._mark(entry, entry.status, entry.changed)

    def _new(self, title: CatalogueShow | CatalogueMovie, at: datetime) -> Entry:
        kind = (
            "movie"
            if isinstance(title, CatalogueMovie)
            else ("anime" if title.anime else "tv")
        )
        at = at.replace(microsecond=0)
        entry = Entry(title, kind, "plantowatch", added=at, changed=at)
        self.entries[entry.simkl] = entry
        return entry

    # time -----------------------------------------------------------------------------------------------------

    def tick(self) -> datetime:
        """Return the time of a change: whole seconds, later than every change before it.

        Two changes within one second get two seconds, so that "strictly after" never hides one of them.
        """
        now = self.clock.now().replace(microsecond=0)
        self._last = max(now, self._last + timedelta(seconds=1))
        return self._last

    def settle(self) -> None:
        """Let what aired since the last look move the rows of users who were caught up, and nothing else."""
        for entry in self.entries.values():
            if entry.caught_up and not self.is_caught_up(entry):
                entry.caught_up = False
                self.touch(entry)

    def schedule(self, show: CatalogueShow) -> Schedule:
        """Return the show's regular episodes with their times."""
        key = int(show.ids["simkl"])
        found = self._schedules.get(key)
        if found is None or found.count != len(show.episodes):
            found = self._schedules[key] = Schedule.of(show)
        return found

    # counting -------------------------------------------------------------------------------------------------

    def count(self, entry: Entry) -> Count:
        """Count a show's episodes as of now. `next` is what comes after the furthest watched one, if aired."""
        if not isinstance(entry.title, CatalogueShow):
            return Count(0, 0, 0, None, None)
        schedule = self.schedule(entry.title)
        now = self.clock.now()
        regular = sum(1 for season, _ in entry.watched if season > 0)
        aired = bisect_right(schedule.times, now)
        last = upcoming = None
        if regular:
            place = max(
                (
                    i
                    for i, e in enumerate(schedule.episodes)
                    if (e.season, e.number) in entry.watched
                ),
                default=-1,
            )
            last = schedule.episodes[place] if place >= 0 else None
            after = (
                schedule.episodes[place + 1]
                if place + 1 < len(schedule.episodes)
                else None
            )
        else:
            after = schedule.episodes[0] if schedule.episodes else None
        if after is not None and (
            after.first_aired <= now or (not regular and entry.status == "plantowatch")
        ):
            upcoming = after
        if entry.status == "completed":
            last = upcoming = None
        return Count(
            regular,
            len(schedule.episodes),
            len(schedule.episodes) - aired,
            last,
            upcoming,
        )

    def is_caught_up(self, entry: Entry) -> bool:
        """Say whether the user follows the show and has nothing to watch next."""
        return (
            entry.kind != "movie"
            and entry.status == "watching"
            and self.count(entry).next is None
        )

    def natural(self, entry: Entry) -> str:
        """Return the status that follows from what was watched: completed only once a show has ended."""
        if not isinstance(entry.title, CatalogueShow):
            return "completed"
        regular = [e for e in entry.title.episodes if e.season > 0]
        whole = all((e.season, e.number) in entry.watched for e in regular)
        return "completed" if entry.title.ended and whole and regular else "watching"

    # finding --------------------------------------------------------------------------------------------------

    def match(
        self, item: dict[str, Any], kind: str
    ) -> CatalogueShow | CatalogueMovie | None:
        """Match simkl, then the other ids, then title and year, then the title (section 7)."""
        given = item.get("ids")
        given = given if isinstance(given, dict) else {}
        ids = {name: given[name] for name in KNOWN_IDS if given.get(name)}
        title, year = item.get("title"), item.get("year")
        if kind == "movie":
            return self.catalogue.find_movie(
                ids, title, year
            ) or self.catalogue.find_movie({}, title)
        return self.catalogue.find_show(ids, title, year) or self.catalogue.find_show(
            {}, title
        )

    def file(self, title: CatalogueShow | CatalogueMovie) -> Entry:
        """Return the title's entry; a title that was not in the library gets a new one."""
        entry = self.entries.get(int(title.ids["simkl"]))
        if entry is None:
            entry = self._new(title, self.clock.now())
            entry.watched = self.buried.pop(entry.simkl, {})
            entry.last_watched_at = max(entry.watched.values(), default=None)
        return entry

    # changing -------------------------------------------------------------------------------------------------

    def touch(
        self, entry: Entry, *, left: str | None = None, at: datetime | None = None
    ) -> None:
        """Record that the row changed, in its list and in the list it left."""
        entry.changed = at or self.tick()
        entry.caught_up = self.is_caught_up(entry)
        if left is not None and left != entry.status:
            self._mark(entry, left, entry.changed)
        self._mark(entry, entry.status, entry.changed)

    def _mark(self, entry: Entry, what: str, at: datetime) -> None:
        marks = self.marks[KINDS[entry.kind]]
        for name in (what, "all"):
            marks[name] = max(at, marks.get(name, at))

    def move(self, entry: Entry, status: str, at: datetime) -> str:
        """Put an entry on a list and return the list it got: Simkl rewrites some (section 7)."""
        left = entry.status
        if entry.kind == "movie":
            status = "completed" if status in ("watching", "hold") else status
        elif (
            status == "completed"
            and isinstance(entry.title, CatalogueShow)
            and not entry.title.ended
        ):
            status = "watching"
        entry.status = status
        self.touch(entry, left=left, at=at)
        return status

    def mark_watched(
        self,
        entry: Entry,
        episodes: list[tuple[int, int]],
        when: datetime | None,
        at: datetime,
    ) -> int:
        """Mark what is not watched yet and return how many that were; a repetition changes nothing."""
        new = [key for key in episodes if key not in entry.watched]
        for key in new:
            entry.watched[key] = when or at
        if new:
            moment = when or at
            entry.last_watched_at = max(entry.last_watched_at or moment, moment)
            left, entry.status = entry.status, self.natural(entry)
            self.touch(entry, left=left, at=at)
        return len(new)

    def unmark(
        self, entry: Entry, episodes: list[tuple[int, int]], at: datetime
    ) -> int:
        """Take episodes out of the history; the title stays in the library."""
        gone = [key for key in episodes if entry.watched.pop(key, None) is not None]
        if gone:
            entry.last_watched_at = max(entry.watched.values(), default=None)
            left = entry.status
            if entry.status == "completed":
                entry.status = "watching"
            self.touch(entry, left=left, at=at)
        return len(gone)

    def remove(self, entry: Entry, at: datetime) -> None:
        """Delete a title with its rating: no delta will ever say which one it was."""
        del self.entries[entry.simkl]
        self.buried[entry.simkl] = entry.watched
        self._mark(entry, "removed_from_list", at)

    def rate(
        self,
        entry: Entry,
        rating: int | None,
        at: datetime,
        when: datetime | None = None,
    ) -> None:
        """Rate; the row itself does not change, so no all-items delta shows it (6.4)."""
        entry.rating = rating
        entry.rated_at = None if rating is None else (when or at)
        entry.rating_changed = at
        self._mark(entry, "rated_at", at)

    def played(self, kind: str, at: datetime) -> None:
        """Record that the paused playbacks changed."""
        marks = self.marks[KINDS[kind]]
        marks["playback"] = marks["all"] = max(at, marks.get("all", at))

    # the gate -------------------------------------------------------------------------------------------------

    def activities(self) -> dict[str, Any]:
        """Return `GET /sync/activities`: movies have neither watching nor hold, never is null."""
        self.settle()
        body: dict[str, Any] = {}
        newest = [m["all"] for m in self.marks.values() if "all" in m]
        newest += [self.settings] if self.settings else []
        body["all"] = stamp(max(newest, default=None))
        body["settings"] = {"all": stamp(self.settings)}
        for kind, name in KINDS.items():
            lists = [
                b for b in BUCKETS if kind != "movie" or b not in ("watching", "hold")
            ]
            keys = ("all", "rated_at", "playback", *lists, "removed_from_list")
            body[name] = {key: stamp(self.marks[name].get(key)) for key in keys}
        keys = ("all", "regular", "favorites", "recommendations", "auto")
        body["custom_lists"] = {"lists": dict.fromkeys(keys)}
        return body
