"""Keeping the library up to date: one request while nothing moves, deltas when something did (section 6.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
import logging
from typing import Final

from ...account import Account
from ...library import Library
from ..errors import TrackerError
from ..tracker import TrackerContext
from .api import Api, TooMany
from .history import History, since
from .payloads import Paused, activities, list_decoder, moment
from .planning import dropped_movies
from .reading import (
    Builder,
    Calendar,
    Rows,
    airings,
    calendar_index,
    newest_plays,
    playbacks,
    title_key,
    totals,
    watchlist,
    with_former,
)

_LOGGER = logging.getLogger(__name__)

CALENDAR_LIFE: Final = timedelta(hours=6)
LISTS: Final = frozenset({"plantowatch", "watching", "completed", "hold", "dropped"})
PULL: Final[Mapping[str, str]] = {
    "extended": "full",
    "episode_watched_at": "yes",
    "next_watch_info": "yes",
}
LESS: Final[Mapping[str, str]] = {"next_watch_info": "yes"}
PREFIX: Final = "at."


class Refresher:
    """Refreshes the library of one account."""

    def __init__(
        self,
        context: TrackerContext,
        api: Api,
        builder: Builder,
        history: History,
        *,
        account: Callable[[], Awaitable[Account]],
        lists: str,
    ) -> None:
        """Ask `account` who signed in; `lists` are the kinds to follow ("movies,shows")."""
        self._context = context
        self._api = api
        self._builder = builder
        self._history = history
        self._account = account
        self._lists = lists
        self._calendar: Calendar | None = None

    async def refresh(self, previous: Library | None) -> Library:
        """Return the library as it is now; `previous` itself when nothing moved."""
        # read before the pulls that it anchors: what changes meanwhile comes again next time
        marks = await self._api.read("sync/activities", activities)
        if previous is None or f"{PREFIX}all" not in previous.markers:
            library = await self._first(marks)
        elif _marks(previous) != marks:
            library = await self._changes(previous, marks)
        else:
            library = previous
        if library.markers.get("lists") != self._lists:
            library = await self._relist(library)
        return await self._with_calendar(library)

    async def _first(self, marks: Mapping[str, str]) -> Library:
        """Read everything: 6 requests that count (section 6.4, phase 1)."""
        now = self._context.now()
        rows = Rows()
        for kind in ("shows", "movies", "anime"):
            extra = {} if kind == "movies" else PULL
            rows.update(await self._pull(f"sync/all-items/{kind}", extra, now))
        paused = await self._api.read("sync/playback", list_decoder(Paused))
        account = await self._account()
        return Library(
            account=account,
            read_at=now,
            shows=rows.shows,
            movies=rows.movies,
            watchlist=watchlist(rows.listed.values(), self._lists.split(",")),
            playbacks=playbacks(paused, self._builder, now),
            plays=tuple(await self._history.newest(rows)),
            totals=totals(rows.shows, rows.movies),
            markers=_markers(
                marks, {"lists": self._lists, "dropped": _joined(rows.dropped)}
            ),
        )

    async def _pull(self, path: str, extra: Mapping[str, str], now: datetime) -> Rows:
        decode = self._builder.rows(now)
        try:
            return await self._api.read(path, decode, extra)
        except TooMany:
            # without single episodes; which ones were watched is asked when somebody opens a show
            less = {k: v for k, v in extra.items() if k == "date_from"}
            return await self._api.read(path, decode, {**LESS, **less})

    async def _changes(self, previous: Library, marks: Mapping[str, str]) -> Library:
        """Read what moved (section 6.4, phase 2). Nothing is kept unless every call succeeds."""
        former = _marks(previous)
        moved = {key for key, value in marks.items() if former.get(key) != value}
        names = {key.partition(".")[2] for key in moved}
        now = self._context.now()
        library = previous
        if names & LISTS or _unexplained(moved):
            library = await self._delta(library, former.get("all", ""), now)
        if "removed_from_list" in names:
            library = await self._without_removed(library, now)
        if "playback" in names:
            paused = await self._api.read("sync/playback", list_decoder(Paused))
            library = replace(library, playbacks=playbacks(paused, self._builder, now))
        if "settings.all" in moved:
            library = replace(library, account=await self._account())
        notes = {k: v for k, v in library.markers.items() if not k.startswith(PREFIX)}
        return replace(library, read_at=now, markers=_markers(marks, notes))

    async def _delta(self, library: Library, anchor: str, now: datetime) -> Library:
        extra = {**PULL, "include_all_episodes": "original", "date_from": since(anchor)}
        rows = await self._pull("sync/all-items", extra, now)
        shows, movies = dict(library.shows), dict(library.movies)
        for key in rows.keys:
            # an item may change its kind
            former = shows.pop(key, None)
            movies.pop(key, None)
            if (row := rows.shows.get(key)) is not None:
                given = frozenset(rows.dates.get(key, {}))
                shows[key] = with_former(row, given, former)
        movies |= rows.movies
        kept = [
            e for e in library.watchlist if e.item.ids.get("simkl") not in rows.keys
        ]
        plays = [p for p in library.plays if title_key(p.item) not in rows.keys]
        lists = library.markers.get("lists", "").split(",")
        index = self._calendar or {}
        touched = {key: row for key, row in shows.items() if key in rows.keys}
        held = {
            key: value for key, value in library.airings.items() if key not in rows.keys
        }
        fresh = airings(
            touched, library.airings, index if self._calendar else None, now
        )
        return replace(
            library,
            shows=shows,
            movies=movies,
            watchlist=watchlist([*kept, *rows.listed.values()], lists),
            plays=tuple(newest_plays([*plays, *rows.plays()])),
            airings=held | fresh,
            totals=totals(shows, movies),
            markers={
                **library.markers,
                "dropped": _joined(
                    (dropped_movies(library) - rows.keys) | rows.dropped
                ),
            },
        )

    async def _without_removed(self, library: Library, now: datetime) -> Library:
        """Find out what vanished: no delta says it, an ids-only pull does by omission."""
        params = {"extended": "simkl_ids_only"}
        rows = await self._api.read("sync/all-items", self._builder.rows(now), params)
        shows = {key: row for key, row in library.shows.items() if key in rows.keys}
        movies = {key: row for key, row in library.movies.items() if key in rows.keys}
        return replace(
            library,
            shows=shows,
            movies=movies,
            watchlist=tuple(
                e for e in library.watchlist if e.item.ids.get("simkl") in rows.keys
            ),
            plays=tuple(p for p in library.plays if title_key(p.item) in rows.keys),
            airings={
                key: value for key, value in library.airings.items() if key in rows.keys
            },
            totals=totals(shows, movies),
        )

    async def _relist(self, library: Library) -> Library:
        """Build the watchlist anew after other lists were chosen; a list's rows come without the rest."""
        decode = self._builder.rows(self._context.now())
        rows = await self._api.read("sync/all-items/all/plantowatch", decode)
        markers = {**library.markers, "lists": self._lists}
        entries = watchlist(rows.listed.values(), self._lists.split(","))
        return replace(library, watchlist=entries, markers=markers)

    # airings --------------------------------------------------------------------------------------------------

    async def _with_calendar(self, library: Library) -> Library:
        """Add what airs, from the calendar files: at most one set in six hours, outside every quota."""
        now = self._context.now()
        read_at = moment(library.markers.get("calendar_at"))
        if read_at is not None and abs(now - read_at) < CALENDAR_LIFE:
            return library
        try:
            tv, anime = await asyncio.gather(
                self._api.data("calendar/v2/tv.json", calendar_index),
                self._api.data("calendar/v2/anime.json", calendar_index),
            )
        except TrackerError as error:
            # counts still rise with what is known; the next refresh tries again
            _LOGGER.debug("Simkl's calendar can't be read: %s", error)
            return library
        self._calendar = {**tv, **anime}
        found = await self._context.run(
            airings, library.shows, library.airings, self._calendar, now
        )
        markers = {**library.markers, "calendar_at": now.isoformat()}
        return replace(library, airings=found, markers=markers)


def _marks(library: Library) -> dict[str, str]:
    size = len(PREFIX)
    return {k[size:]: v for k, v in library.markers.items() if k.startswith(PREFIX)}


def _markers(marks: Mapping[str, str], notes: Mapping[str, str]) -> dict[str, str]:
    return {**{f"{PREFIX}{key}": value for key, value in marks.items()}, **notes}


def _joined(keys: Iterable[str]) -> str:
    return ",".join(sorted(keys))


def _unexplained(moved: set[str]) -> bool:
    """Say whether something moved for a reason that is not among the known ones."""
    blocks = {
        key.partition(".")[0]
        for key in moved
        if "." in key and not key.endswith(".all")
    }
    loose = {key.partition(".")[0] for key in moved if key.endswith(".all")}
    loose -= {"settings", "custom_lists"}
    return bool(loose - blocks)
