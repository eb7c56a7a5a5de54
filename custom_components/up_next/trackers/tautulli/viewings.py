"""From stretches of playing to viewings, and from viewings to the library. Pure (section 3.4 of the page)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Final

from ...library import MovieState, Play, ShowProgress, Totals, format_seen, parse_seen
from ...media import Episode, Movie, Playable
from .wire import Row, instant

_TOGETHER: Final = 6 * 3600
"""Seconds; who goes on with something watched within this time, or twice its length, is still at the same viewing."""
_SHORT: Final = 0.4
"""A second viewing that is shorter than this part of the first is the rest of it, whenever that was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewing:
    """One viewing to the end, or near it: the row in which it got there, and what was watched."""

    row: Row
    item: Playable

    def play(self, item: Playable | None = None) -> Play:
        """Return the play, with `item` where more is known of it. Its id stays, though the viewing may go on."""
        return Play(
            item=item or self.item,
            id=str(self.row.row_id),
            watched_at=instant(self.row.stopped),
        )


@dataclass(slots=True)
class _Group:
    """The stretches that Tautulli itself takes for one viewing, in order."""

    rows: list[Row]

    @property
    def started(self) -> int:
        return self.rows[0].started

    @property
    def stopped(self) -> int:
        return self.rows[-1].stopped

    @property
    def length(self) -> int:
        return sum(row.play_duration for row in self.rows)


def viewings(rows: Iterable[Row]) -> list[Viewing]:
    """Return the viewings of one user, oldest first.

    Tautulli begins a new group when somebody stops behind the threshold and later watches the rest: both groups are
    watched then, and are one viewing here.
    """
    groups: dict[tuple[str, int], _Group] = {}
    for row in sorted(rows, key=attrgetter("row_id")):
        place = (row.key, row.reference_id or row.row_id)
        groups.setdefault(place, _Group([])).rows.append(row)
    by_item: dict[str, list[_Group]] = {}
    for (key, _), group in groups.items():
        by_item.setdefault(key, []).append(group)
    found: list[Viewing] = []
    for of_item in by_item.values():
        found += [
            Viewing(row=row, item=item)
            for row in _first_watched(of_item)
            if (item := row.item()) is not None
        ]
    return sorted(found, key=lambda viewing: (viewing.row.stopped, viewing.row.row_id))


def _first_watched(groups: list[_Group]) -> Iterable[Row]:
    """Yield the first watched row of each viewing of one item.

    Nothing tells its length: the longest time that somebody spent on it stands for that.
    """
    length = max(group.length for group in groups)
    together = max(2 * length, _TOGETHER)
    ended: int | None = None
    for group in sorted(groups, key=attrgetter("started")):
        row = next((row for row in group.rows if row.watched), None)
        if row is None:
            continue
        goes_on = ended is not None and (
            group.started - ended < together or group.length < _SHORT * length
        )
        ended = max(ended or 0, group.stopped)
        if not goes_on:
            yield row


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What was ever watched: it tells new titles from known ones and gives the totals.

    Tautulli does not say what a show has besides: an entry of `shows` counts what was watched and leaves nothing.
    """

    movies: Mapping[str, MovieState]
    shows: Mapping[str, ShowProgress]

    def knows(self, row: Row) -> bool:
        """Say whether this was watched before."""
        if row.key in self.movies:
            return True
        show = self.shows.get(row.show_key)
        numbers = (row.parent_media_index, row.media_index)
        return show is not None and numbers in parse_seen(show.seen)

    def totals(self) -> Totals:
        """Count distinct titles, specials included."""
        episodes = sum(len(parse_seen(show.seen)) for show in self.shows.values())
        return Totals(movies=len(self.movies), shows=len(self.shows), episodes=episodes)

    def with_more(
        self, found: Iterable[tuple[Viewing, Playable]], now: datetime
    ) -> Watched:
        """Return it with further viewings, each with what is known of its item."""
        movies, shows = dict(self.movies), dict(self.shows)
        by_show: dict[str, list[tuple[datetime | None, Episode]]] = {}
        for viewing, item in found:
            at = instant(viewing.row.stopped)
            if isinstance(item, Movie):
                state = MovieState(movie=item, watched=True, watched_at=at)
                movies[viewing.row.key] = state
            else:
                by_show.setdefault(viewing.row.show_key, []).append((at, item))
        for key, watched in by_show.items():
            shows[key] = _progress(watched, shows.get(key), now)
        return Watched(movies=movies, shows=shows)


def _progress(
    watched: list[tuple[datetime | None, Episode]],
    old: ShowProgress | None,
    now: datetime,
) -> ShowProgress:
    seen = parse_seen(old.seen if old else None)
    seen |= {(episode.season, episode.number) for _, episode in watched}
    regular = sum(1 for season, _ in seen if season > 0)
    times = [at for at, _ in watched] + [old.last_watched_at if old else None]
    return ShowProgress(
        show=watched[-1][1].show,
        aired=regular,
        watched=regular,
        counted_at=now,
        last_watched_at=max(filter(None, times), default=None),
        caught_up=True,
        seen=format_seen(seen),
    )
