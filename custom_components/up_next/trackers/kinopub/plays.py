"""Plays: what the history opened and the watching state confirms (sections 3.2 and 3.5)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from ...library import Play
from ...media import Episode, MediaItem, Movie, Season, Show
from ..errors import NotFound
from ..tracker import Page
from .client import Client
from .reading import Reader
from .shapes import (
    Shapes,
    instant,
    movie_runtime,
    movie_status,
    regular_order,
    watched_at,
)
from .wire import WATCHED, History, HistoryRow, Item

ROWS: Final = 20
"""Rows a page; each title among them costs a request of its own."""
_UNKNOWN: Final = datetime.fromtimestamp(0, UTC)


async def read_page(
    client: Client, reader: Reader, shapes: Shapes, cursor: str | None
) -> Page[Play]:
    """Read one page of all plays.

    A history row means opened, not finished, so the state of each of its titles is asked for. `Page.total` is not
    known: the service counts rows.
    """
    number = int(cursor) if cursor else 1
    answer = await client.get(History, "history", page=number, perpage=ROWS)
    states: dict[int, Item | None] = {}
    plays: list[Play] = []
    for row in answer.history:
        if row.item.id < 1:
            continue
        if row.item.id not in states:
            states[row.item.id] = await _state(reader, row.item.id)
        state = states[row.item.id]
        if state is not None:
            plays.extend(_play(shapes, row, state))
    more = answer.history and number < answer.pagination.total
    return Page(items=tuple(plays), cursor=str(number + 1) if more else None)


async def _state(reader: Reader, item_id: int) -> Item | None:
    try:
        return await reader.state(item_id)
    except NotFound:
        return None


def _play(shapes: Shapes, row: HistoryRow, state: Item) -> Iterator[Play]:
    media = row.media
    if not row.item.series:
        if movie_status(state) == WATCHED:
            runtime = movie_runtime(state) or media.duration
            movie = shapes.movie(row.item, runtime)
            yield Play(item=movie, watched_at=instant(row.last_seen))
        return
    for season in state.seasons:
        for video in season.episodes:
            if (season.number, video.number) == (media.season, media.number) and (
                video.status == WATCHED
            ):
                episode = shapes.episode(shapes.show(row.item), media.season, media)
                yield Play(item=episode, watched_at=watched_at(video))


def plays_of(
    shapes: Shapes, state: Item, title: Movie | Show, wanted: MediaItem
) -> list[Play]:
    """Return the plays of one item, newest first; a title has at most one."""
    if isinstance(title, Movie):
        times = [time for v in state.videos if (time := watched_at(v))]
        if movie_status(state) != WATCHED:
            return []
        return [Play(item=title, watched_at=max(times, default=None))]
    plays = [
        Play(
            item=shapes.episode(title, season.number, video),
            watched_at=watched_at(video),
        )
        for season in regular_order(state)
        for video in season.episodes
        if video.status == WATCHED and _within(wanted, season.number, video.number)
    ]
    return sorted(plays, key=lambda play: play.watched_at or _UNKNOWN, reverse=True)


def _within(wanted: MediaItem, season: int, number: int) -> bool:
    match wanted:
        case Episode():
            return (wanted.season, wanted.number) == (season, number)
        case Season():
            return wanted.number == season
        case _:
            return True
