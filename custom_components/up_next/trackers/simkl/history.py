"""When which episode was watched: pulled once when somebody asks, then kept up by deltas (section 6.4)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from ...library import Play
from ...media import Episode
from ..tracker import TrackerContext
from .api import Api, TooMany
from .payloads import activities, moment
from .reading import Builder, Dates, Rows, newest_plays

EVERYTHING: Final = {
    "extended": "full",
    "episode_watched_at": "yes",
    "include_all_episodes": "original",
}
FRESH: Final = timedelta(minutes=1)


def since(all_marker: str) -> str:
    """Return the `date_from` that misses nothing after `all_marker` (the activities' saved top-level `all`).

    Rows come strictly after it and times are whole seconds: one second earlier, so that a change within the
    second of the marker is not lost.
    """
    at = moment(all_marker)
    if at is None:
        return "1970-01-01T00:00:00Z"
    return (at - timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


class History:
    """The viewings of one account by kind: shows, anime, movies. Lives in memory only."""

    def __init__(self, context: TrackerContext, api: Api, builder: Builder) -> None:
        self._context = context
        self._api = api
        self._builder = builder
        self._rows: dict[str, Rows] = {}
        self._anchor: dict[str, tuple[str, str]] = {}
        self._checked: dict[str, datetime] = {}

    async def kind(self, kind: str) -> Rows:
        """Return all rows of a kind with their dates: 2 requests the first time, then 1 or 2, at most once a minute.

        Raises TooMany when the library is too large to be told in one answer.
        """
        now = self._context.now()
        if kind in self._rows and now - self._checked[kind] < FRESH:
            return self._rows[kind]
        marks = await self._api.read("sync/activities", activities)
        block = {"shows": "tv_shows"}.get(kind, kind)
        anchor = (marks["all"], marks.get(f"{block}.removed_from_list", ""))
        former = self._anchor.get(kind)
        path = f"sync/all-items/{kind}"
        if former is None or former[1] != anchor[1]:
            rows = await self._api.read(path, self._builder.rows(now), EVERYTHING)
            self._rows[kind] = rows
        elif former[0] != anchor[0]:
            params = EVERYTHING | {"date_from": since(former[0])}
            rows = await self._api.read(path, self._builder.rows(now), params)
            self._merge(kind, rows)
        self._anchor[kind] = anchor
        self._checked[kind] = now
        return self._rows[kind]

    def _merge(self, kind: str, rows: Rows) -> None:
        held = self._rows[kind]
        for key in rows.keys:
            former = held.dates.pop(key, {})
            held.movies.pop(key, None)
            row = rows.shows.get(key)
            if row is None:
                continue
            fresh = rows.dates.pop(key, {})
            # a delta may list only what changed: then the rest is as it was
            rows.dates[key] = fresh if row.seen is not None else former | fresh
        held.update(rows)

    def forget(self) -> None:
        """Let the next question look again: something was just written."""
        self._checked = dict.fromkeys(
            self._checked, datetime.min.replace(tzinfo=self._context.now().tzinfo)
        )

    async def dates(self, kind: str, key: str) -> Dates:
        """Return when the episodes of one show were watched."""
        return (await self.kind(kind)).dates.get(key, {})

    async def since(self, cut: datetime) -> list[Play]:
        """Return what was watched after `cut`, newest first; a viewing moves its row, so a delta tells. 2 requests."""
        await self._api.read("sync/activities", activities)
        return await self._since(cut)

    async def newest(self, rows: Rows) -> list[Play]:
        """Return the newest plays of a first reading, the newest first.

        That lists no episodes of shows that are completed or dropped, nor any of a very large library. Where the last
        viewing is among these, what changed since is asked for whole: one request more.
        """
        plays = await self._context.run(rows.plays)
        listed = plays[0].watched_at if plays else None
        last = max(
            (
                row.last_watched_at
                for key, row in rows.shows.items()
                if key not in rows.dates and row.last_watched_at
            ),
            default=None,
        )
        if last is None or (listed is not None and last <= listed):
            return plays
        try:
            unlisted = await self._since(last - timedelta(seconds=1))
        except TooMany:
            return plays
        return newest_plays([*unlisted, *plays])

    async def _since(self, cut: datetime) -> list[Play]:
        params = EVERYTHING | {"date_from": cut.strftime("%Y-%m-%dT%H:%M:%SZ")}
        now = self._context.now()
        rows = await self._api.read("sync/all-items", self._builder.rows(now), params)
        return [
            p
            for p in all_plays(rows)
            if p.watched_at is not None and p.watched_at > cut
        ]


def all_plays(rows: Rows, key: str | None = None) -> list[Play]:
    """Return the viewings of all rows or of one, newest first, those of unknown time last."""
    plays: list[Play] = []
    for number, state in rows.movies.items():
        if state.watched and key in (None, number):
            plays.append(Play(item=state.movie, watched_at=state.watched_at))
    for number, dates in rows.dates.items():
        if key in (None, number):
            show = rows.shows[number].show
            plays += [
                Play(item=Episode(show=show, season=s, number=n), watched_at=at)
                for (s, n), at in dates.items()
            ]
    plays.sort(
        key=lambda play: play.watched_at.timestamp() if play.watched_at else 0.0,
        reverse=True,
    )
    return plays
