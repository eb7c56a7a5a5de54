"""A library in the making, and the notes that tell the next refresh what to ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Final

from ...account import Account
from ...library import (
    Library,
    Play,
    Playback,
    ShowProgress,
    ShowStatus,
    Totals,
    WatchlistEntry,
)
from ...media import Episode

VERSION: Final = "1"
"""Of the notes in `Library.markers`; another version means: read everything afresh."""

SECTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "settings": ("account.settings_at",),
    "history": ("movies.watched_at", "episodes.watched_at"),
    "hidden": ("shows.hidden_at", "shows.dropped_at", "seasons.hidden_at"),
    "playback": ("movies.paused_at", "episodes.paused_at"),
    "watchlist": (
        "watchlist.updated_at",
        "movies.watchlisted_at",
        "shows.watchlisted_at",
        "seasons.watchlisted_at",
        "episodes.watchlisted_at",
    ),
}
"""Which activity markers belong to which part of the library (apis/trakt.md section 7)."""

MINUTE: Final = timedelta(seconds=65)
"""Markers have minute precision: within its own minute a marker cannot show a second change."""


@dataclass(slots=True)
class Draft:
    """The parts of a library, changeable; `finish` makes the library."""

    account: Account
    shows: dict[str, ShowProgress] = field(default_factory=dict)
    watchlist: tuple[WatchlistEntry, ...] = ()
    playbacks: tuple[Playback, ...] = ()
    watching: Playback | None = None
    plays: tuple[Play, ...] = ()
    airings: Mapping[str, tuple[Episode, ...]] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)
    started: frozenset[str] = frozenset()
    markers: dict[str, str] = field(default_factory=dict)
    complete: bool = True

    @classmethod
    def of(cls, library: Library) -> Draft:
        """Start from a library; what is not replaced stays the very same object."""
        draft = cls(account=library.account)
        for each in fields(cls):
            setattr(draft, each.name, getattr(library, each.name))
        draft.shows = dict(library.shows)
        draft.markers = dict(library.markers)
        return draft

    def finish(self, previous: Library | None, now: datetime) -> Library:
        """Return the library: `previous` itself when nothing differs."""
        if previous is not None and all(
            getattr(self, each.name) == getattr(previous, each.name)
            for each in fields(self)
        ):
            return previous
        return Library(
            account=self.account,
            read_at=now,
            shows=self.shows,
            watchlist=self.watchlist,
            playbacks=self.playbacks,
            watching=self.watching,
            plays=self.plays,
            airings=self.airings,
            totals=self.totals,
            started=self.started,
            markers=self.markers,
            complete=self.complete,
        )

    # notes ----------------------------------------------------------------------------------------------------

    def moved(self, section: str, activities: Mapping[str, str]) -> bool:
        """Say whether the markers of a section differ from those noted at its last reading."""
        return self.markers.get(section) != _fingerprint(section, activities)

    def due(self, section: str, activities: Mapping[str, str], now: datetime) -> bool:
        """Say whether a section has to be read: its markers moved, or its last reading was too early to be sure."""
        if self.moved(section, activities):
            return True
        settles = self.time(f"settle.{section}")
        return settles is not None and settles <= now

    def read(self, section: str, activities: Mapping[str, str], now: datetime) -> None:
        """Note that a section was read, and whether it has to be looked at once more.

        A marker of the present minute does not move for another change in that minute.
        """
        self.markers[section] = _fingerprint(section, activities)
        self.note(f"settle.{section}", None)
        for key in SECTIONS[section]:
            at = parse(activities.get(key))
            if at is not None and at + MINUTE > now:
                self.note(f"settle.{section}", at + MINUTE)

    def fresh(self, section: str, activities: Mapping[str, str], now: datetime) -> bool:
        """Say whether a section changed just now: other answers of the service may not know of it yet."""
        times = (parse(activities.get(key)) for key in SECTIONS[section])
        return any(at is not None and at + MINUTE > now for at in times)

    def note(self, name: str, at: datetime | None) -> None:
        """Note a time, or forget it."""
        if at is None:
            self.markers.pop(name, None)
        else:
            self.markers[name] = at.isoformat()

    def time(self, name: str) -> datetime | None:
        """Return a noted time."""
        return parse(self.markers.get(name))

    def settles(self) -> datetime | None:
        """Return when the next section wants to be looked at once more."""
        times = [
            at
            for name in self.markers
            if name.startswith("settle.") and (at := self.time(name)) is not None
        ]
        return min(times, default=None)

    @property
    def settled(self) -> bool:
        """Say whether the counts are sure to know of every play that the history does (trakt-api #773)."""
        return not self.markers.get("stale") and self.time("settle.count") is None

    # hidden shows ---------------------------------------------------------------------------------------------

    def concealed(self) -> set[str]:
        """Return the keys of the dropped and hidden shows."""
        return {
            key
            for key, row in self.shows.items()
            if row.status in (ShowStatus.DROPPED, ShowStatus.HIDDEN)
        }

    def hidden_seasons(self) -> set[tuple[str, int]]:
        """Return the hidden seasons as (key of the show, number)."""
        pairs = (
            part.split(":") for part in self.markers.get("hidden_seasons", "").split()
        )
        return {(show, int(number)) for show, number in pairs}


def _fingerprint(section: str, activities: Mapping[str, str]) -> str:
    return " ".join(activities.get(key, "-") for key in SECTIONS[section])


def parse(text: str | None) -> datetime | None:
    """Read a time with its zone; None for anything else."""
    try:
        at = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return at if at.tzinfo else None
