"""What the simulated viewer did on KinoPub: marks, history, the will-watch list and bookmark folders."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

from simulators.catalogue import Catalogue, Viewer
from simulators.clock import Clock

from .items import Item, Video, movie_item, show_item

NEVER, STARTED, WATCHED = -1, 0, 1
type Key = tuple[int, int, int]
"""Item id, season number (0 for movies), video number."""


@dataclass(slots=True)
class Mark:
    """The watching state of one video; `time` in seconds, `updated` in epoch seconds (kept after un-watching)."""

    status: int = NEVER
    time: int = 0
    updated: int | None = None


@dataclass(slots=True)
class Row:
    """One history row: a video that was opened at least once (epoch seconds)."""

    video: Video
    item: Item
    first_seen: int
    last_seen: int
    time: int
    counter: int = 1


@dataclass(slots=True)
class Folder:
    """One bookmark folder; `updated` moves when its content does."""

    id: int
    title: str
    created: int
    updated: int
    views: int | None = None
    items: list[int] = field(default_factory=list)


class Viewing:
    """The account's state. Numbers are what the API speaks: season and video NUMBERS, seconds."""

    def __init__(self, catalogue: Catalogue, viewer: Viewer, clock: Clock) -> None:
        """Make the items and take over what the viewer has watched."""
        self._clock = clock
        self.items: dict[int, Item] = {}
        for index, show in enumerate(catalogue.shows):
            item = show_item(show, index)
            self.items[item.id] = item
        for index, movie in enumerate(catalogue.movies):
            item = movie_item(movie, index)
            self.items[item.id] = item
        self.marks: dict[int, dict[tuple[int, int], Mark]] = {}
        self.watched: dict[int, int] = {}
        self.rows: dict[Key, Row] = {}
        self._sorted: list[Row] | None = None
        self.subscribed: set[int] = set()
        self.watched_from: float | None = None
        """Percent from which a position marks as watched. Whether the service does that at all is not known."""
        self.folders: dict[int, Folder] = {}
        self._folder_ids = count(161701)
        for show, episode, at in viewer.episodes:
            key = (int(show.ids["kinopub"]), episode.season, episode.number)
            self.play(key, at=at)
        for movie, at in viewer.movies:
            for video in self.items[int(movie.ids["kinopub"])].videos(clock.now()):
                self.play((int(movie.ids["kinopub"]), 0, video.number), at=at)
        for show in viewer.show_watchlist:
            self.subscribed.add(int(show.ids["kinopub"]))
        watchlist = self.create_folder("Watchlist")
        watchlist.items = [int(m.ids["kinopub"]) for m in viewer.movie_watchlist]
        self.create_folder("General").items = list(self.items)[:1]

    def now(self) -> int:
        """Return the time in epoch seconds."""
        return int(self._clock.now().timestamp())

    def video(self, key: Key) -> Video | None:
        """Find the video that these numbers mean, when it is out."""
        item = self.items.get(key[0])
        return item.video(key[1], key[2], self._clock.now()) if item else None

    def mark(self, item_id: int, season: int, number: int) -> Mark:
        """Return the state of one video; a fresh one when it was never touched."""
        return self.marks.get(item_id, {}).get((season, number)) or Mark()

    def _change(self, key: Key, status: int, time: int, at: int) -> None:
        marks = self.marks.setdefault(key[0], {})
        mark = marks.setdefault(key[1:], Mark())
        step = (status == WATCHED) - (mark.status == WATCHED)
        self.watched[key[0]] = self.watched.get(key[0], 0) + step
        mark.status, mark.time, mark.updated = status, time, at

    def set_watched(self, key: Key, watched: bool, at: int | None = None) -> None:
        """Toggle to a given state; a video never started gets time == duration, an unwatched one 0."""
        video = self.video(key)
        assert video is not None
        before = self.mark(*key)
        time = (before.time or video.duration) if watched else 0
        self._change(key, WATCHED if watched else NEVER, time, at or self.now())

    def mark_time(self, key: Key, time: int, at: int | None = None) -> None:
        """Set the resume point, and open a history row; whether that marks as watched is `watched_from`'s affair."""
        at = at or self.now()
        before = self.mark(*key)
        status = STARTED if before.status == NEVER and time > 0 else before.status
        video = self.video(key)
        if (
            self.watched_from is not None
            and video is not None
            and time >= video.duration * self.watched_from / 100
        ):
            status = WATCHED
        self._change(key, status, time, at)
        self._see(key, time, at)

    def play(self, key: Key, *, at: datetime | None = None) -> None:
        """Watch to the end at `at`, as in the service's own player."""
        video = self.video(key)
        assert video is not None
        when = int(at.timestamp()) if at else self.now()
        time = int(video.duration * 0.97)
        self._change(key, WATCHED, time, when)
        self._see(key, time, when)

    def _see(self, key: Key, time: int, at: int) -> None:
        self._sorted = None
        row = self.rows.get(key)
        if row is not None:
            row.last_seen, row.time = max(at, row.last_seen), time
            row.counter += 1
            return
        video = self.video(key)
        assert video is not None
        self.rows[key] = Row(video, self.items[key[0]], at, at, time)

    def history(self) -> list[Row]:
        """Return the rows, newest `last_seen` first."""
        if self._sorted is None:
            self._sorted = sorted(self.rows.values(), key=lambda r: -r.last_seen)
        return self._sorted

    def clear(self, what: str, number: int) -> bool:
        """Clear history by a GLOBAL id of a media, season or item; says whether anything was there."""
        keys = [
            key
            for key, row in self.rows.items()
            if (what == "media" and row.video.id == number)
            or (what == "item" and key[0] == number)
            or (what == "season" and row.item.season_id(key[1]) == number)
        ]
        for key in keys:
            del self.rows[key]
        self._sorted = None
        return bool(keys)

    def unfinished(self) -> list[tuple[Item, int, int]]:
        """Return (item, total, watched) of the serials with something left that are begun or on the will-watch list."""
        now = self._clock.now()
        found = []
        for item in self.items.values():
            if not item.series:
                continue
            marks = self.marks.get(item.id, {})
            begun = any(m.status != NEVER for m in marks.values())
            if not begun and item.id not in self.subscribed:
                continue
            watched = self.watched.get(item.id, 0)
            total = item.total(now)
            if total > watched:
                found.append((item, total, watched))
        return found

    def status(self, item: Item) -> int:
        """Return a movie's status: watched when all parts are, started when any is."""
        states = [
            self.mark(item.id, 0, v.number).status
            for v in item.videos(self._clock.now())
        ]
        if states and all(s == WATCHED for s in states):
            return WATCHED
        return NEVER if all(s == NEVER for s in states) else STARTED

    def started_movies(self) -> list[Item]:
        """Return the movies that are started and unfinished."""
        return [
            item
            for item_id in self.marks
            if not (item := self.items[item_id]).series and self.status(item) == STARTED
        ]

    def create_folder(self, title: str) -> Folder:
        """Add a bookmark folder."""
        folder = Folder(next(self._folder_ids), title, self.now(), self.now())
        self.folders[folder.id] = folder
        return folder

    def bookmark(self, folder: Folder, item_id: int, wanted: bool) -> bool:
        """Put an item into a folder or take it out; says whether that changed anything."""
        if (item_id in folder.items) == wanted:
            return False
        if wanted:
            folder.items.append(item_id)
        else:
            folder.items.remove(item_id)
        folder.updated = max(self.now(), folder.updated + 1)
        return True

    def unwatched(self) -> int:
        """Count by the project's word list: regular episodes that are out, of shows with one watched."""
        now, number = self._clock.now(), 0
        for item in self.items.values():
            if item.series and self.watched.get(item.id, 0):
                number += sum(
                    v.season > 0
                    and self.mark(item.id, v.season, v.number).status != WATCHED
                    for v in item.videos(now)
                )
        return number
