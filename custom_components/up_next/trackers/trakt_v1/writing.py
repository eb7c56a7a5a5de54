"""Writing (apis/trakt.md section 14).

v1 does not say what it does with an episode that is marked again, so every mark goes out after a look at what is;
that also makes repeating after a lost answer safe.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from ...library import Play, ShowProgress
from ...media import Episode, MediaItem, Movie, Season, Show, show_of
from ...writes import (
    MarkUnwatched,
    MarkWatched,
    Outcome,
    Receipt,
    RemovePlays,
    SetWatchlisted,
    Write,
    subject,
)
from ..errors import NotFound, Refused
from ..tracker import QueuedWrite
from ..transport import Json
from .client import Client
from .wire import Numbers, ProgressRow, Reply, Title, read_list

TOGETHER: Final = 100
"""Media items in one request; no limit is known."""
DONE: Final = Receipt(outcome=Outcome.DONE)
ALREADY: Final = Receipt(outcome=Outcome.ALREADY)
NOT_FOUND: Final = Receipt(outcome=Outcome.NOT_FOUND, reason="not_found")


def refused(reason: str) -> Receipt:
    """Return a refusal with the key of its text."""
    return Receipt(outcome=Outcome.REFUSED, reason=reason)


class Writer:
    """Carries out the writes of one account."""

    def __init__(self, client: Client, now: Callable[[], datetime]) -> None:
        """Send through `client`; `now` returns UTC."""
        self._client = client
        self._now = now

    def combine(self, writes: Sequence[Write]) -> int:
        """Take movies of one kind together, and marks of one show's episodes.

        Shows go on the list one by one: what was skipped is only counted there, not named.
        """
        first = writes[0]
        number = 1
        while number < min(len(writes), TOGETHER) and _goes_with(first, writes[number]):
            number += 1
        return number

    async def send(self, writes: Sequence[QueuedWrite]) -> Sequence[Receipt]:
        """Carry out writes that go together. A refusal of several at once is raised: it tells nothing of each."""
        try:
            return await self._send(writes)
        except Refused as error:
            if len(writes) > 1:
                raise
            return [NOT_FOUND if isinstance(error, NotFound) else refused("refused")]

    async def _send(self, writes: Sequence[QueuedWrite]) -> Sequence[Receipt]:
        write = writes[0].write
        item = subject(write)
        match write:
            case MarkWatched() | MarkUnwatched() if isinstance(item, Movie):
                return await self._mark_movies(writes)
            case MarkWatched() | MarkUnwatched():
                show = show_of(item)
                assert show is not None
                return await self._mark_episodes(writes, show)
            case RemovePlays() if not write.play_ids:
                # v1 knows no single plays: what there is is one mark
                mark = MarkUnwatched(item=write.item)
                return await self._send([replace(writes[0], write=mark)])
            case SetWatchlisted() if isinstance(item, (Movie, Show)):
                return await self._list(writes, listed=write.listed)
            case _:
                return [refused("not_supported")] * len(writes)

    # movies ---------------------------------------------------------------------------------------------------

    async def _mark_movies(self, writes: Sequence[QueuedWrite]) -> Sequence[Receipt]:
        """Mark movies as (un)seen. Which were seen before is not known here; for "seen", the answer tells."""
        refusals = [_refusal(queued.write) for queued in writes]
        rows: list[Json] = [
            title_row(_title(queued.write))
            | _played(queued.write, _title(queued.write))
            for queued, refusal in zip(writes, refusals, strict=True)
            if refusal is None
        ]
        if not rows:
            return [refusal or NOT_FOUND for refusal in refusals]
        seen = isinstance(writes[0].write, MarkWatched)
        reply = await self._client.post(
            "movie/seen" if seen else "movie/unseen", {"movies": rows}
        )
        return [
            refusal or _movie_receipt(queued, reply, alone=len(rows) == 1)
            for queued, refusal in zip(writes, refusals, strict=True)
        ]

    # episodes -------------------------------------------------------------------------------------------------

    async def _mark_episodes(
        self, writes: Sequence[QueuedWrite], show: Show
    ) -> Sequence[Receipt]:
        """Mark what of one show is not yet so."""
        seen = isinstance(writes[0].write, MarkWatched)
        marking = _Marking(await self._client.progress(show), seen=seen)
        wanted = [marking.targets(queued.write) for queued in writes]
        rows: dict[Numbers, dict[str, Json]] = {}
        for queued, targets in zip(writes, wanted, strict=True):
            for episode in targets if not isinstance(targets, Receipt) else ():
                rows.setdefault(
                    (episode.season, episode.number),
                    {"season": episode.season, "episode": episode.number}
                    | _played(queued.write, episode),
                )
        if rows:
            named = marking.row.show.show() if marking.row else show
            await self._client.post(
                "show/episode/seen" if seen else "show/episode/unseen",
                {**title_row(named), "episodes": list(rows.values())},
            )
        progress = marking.progress(set(rows), self._now())
        return [
            _episodes_receipt(queued, targets, progress)
            for queued, targets in zip(writes, wanted, strict=True)
        ]

    # watchlist ------------------------------------------------------------------------------------------------

    async def _list(
        self, writes: Sequence[QueuedWrite], *, listed: bool
    ) -> Sequence[Receipt]:
        """Put on the watchlist, or take off, what is not yet so."""
        kind = subject(writes[0].write).type.value
        present = await self._client.read(
            read_list(Title), f"watchlist/{kind}s.json/{{key}}/{{user}}"
        )
        items = [_title(queued.write) for queued in writes]
        wanted = [
            item for item in items if any(row.means(item) for row in present) != listed
        ]
        reply = Reply()
        if wanted:
            method = f"{kind}/watchlist" if listed else f"{kind}/unwatchlist"
            rows: list[Json] = [title_row(item) for item in wanted]
            reply = await self._client.post(method, {f"{kind}s": rows})
        receipts = []
        for queued, item in zip(writes, items, strict=True):
            if item not in wanted:
                receipts.append(DONE if queued.unsure else ALREADY)
            elif _was_skipped(reply, item, alone=len(wanted) == 1):
                receipts.append(NOT_FOUND)
            else:
                receipts.append(DONE)
        return receipts


class _Marking:
    """What marks mean for one show, and what they make of it. `row` is None when nothing of it was watched."""

    def __init__(self, row: ProgressRow | None, *, seen: bool) -> None:
        self.row = row
        self._seen = seen
        self._detail = row.detail() if row else None

    def targets(self, write: Write) -> Sequence[Episode] | Receipt:
        """Return the episodes to change, or the receipt of a write that can't be carried out."""
        item = subject(write)
        if isinstance(item, Episode):
            if (refusal := _refusal(write)) is not None:
                return refusal
            watched = self.row.watched(_numbers(item)) if self.row else False
            return [] if watched is self._seen else [item]
        if self.row is None or self._detail is None:
            return refused("episodes_unknown") if self._seen else []
        season = item.number if isinstance(item, Season) else None
        meant = [
            row
            for row in self._detail.episodes
            if (
                row.episode.season == season
                if season is not None
                else row.episode.season > 0 or not self._seen
            )
            and (row.released or not self._seen)
        ]
        if not meant:
            return self._without_episodes(season)
        if isinstance(write, MarkWatched) and write.watched_at == "released":
            return refused("date_unknown")
        return [row.episode for row in meant if row.watched is not self._seen]

    def _without_episodes(self, season: int | None) -> Sequence[Episode] | Receipt:
        """Return what becomes of a whole show or season none of whose episodes the server tells."""
        assert self.row is not None
        if self.row.seasons and season != 0:
            return NOT_FOUND if self._seen else []
        finished = season != 0 and self.row.watched((1, 1)) is True
        return [] if finished and self._seen else refused("episodes_unknown")

    def progress(self, changed: set[Numbers], now: datetime) -> ShowProgress | None:
        """Count the show as it stands after the marks; None where its episodes are not known."""
        if self.row is None or self._detail is None or not self._detail.episodes:
            return None
        if changed - {_numbers(row.episode) for row in self._detail.episodes}:
            return None
        after = tuple(
            replace(row, watched=self._seen, plays=int(self._seen))
            if _numbers(row.episode) in changed
            else row
            for row in self._detail.episodes
        )
        counted = [
            row for row in after if row.episode.season not in self.row.hidden_seasons
        ]
        return replace(self._detail, episodes=tuple(counted)).progress(now)


def _goes_with(first: Write, other: Write) -> bool:
    if first.kind != other.kind:
        return False
    one, two = subject(first), subject(other)
    if isinstance(first, (MarkWatched, MarkUnwatched)):
        if isinstance(one, Episode) and isinstance(two, Episode):
            return _same_show(one.show, two.show)
        return isinstance(one, Movie) and isinstance(two, Movie)
    return (
        isinstance(first, SetWatchlisted)
        and isinstance(other, SetWatchlisted)
        and first.listed == other.listed
        and isinstance(one, Movie)
        and isinstance(two, Movie)
    )


def _same_show(one: Show, other: Show) -> bool:
    return one is other or (one.ids.shares(other.ids) if one.ids else one == other)


def _numbers(episode: Episode) -> Numbers:
    return episode.season, episode.number


def _title(write: Write) -> Movie | Show:
    """Return the movie or show that a write is about; the caller knows that it is one."""
    item = subject(write)
    assert isinstance(item, (Movie, Show))
    return item


def title_row(item: Movie | Show) -> dict[str, Json]:
    """Return how v1 is told of a movie or a show."""
    second = "tmdb" if isinstance(item, Movie) else "tvdb"
    row: dict[str, Json] = {
        "imdb_id": item.ids.get("imdb"),
        f"{second}_id": item.ids.number(second),
        "title": item.title,
        "year": item.year,
    }
    return {name: value for name, value in row.items() if value}


def _refusal(write: Write) -> Receipt | None:
    """Return why a mark of a movie or an episode can't be sent, if so."""
    if not isinstance(write, MarkWatched) or write.watched_at != "released":
        return None
    known = isinstance(write.item, Episode) and write.item.first_aired
    return None if known else refused("date_unknown")


def _played(write: Write, item: MediaItem) -> dict[str, Json]:
    """Return when it was watched, in epoch seconds; left out where nobody knows."""
    at = write.watched_at if isinstance(write, MarkWatched) else None
    if at == "released" and isinstance(item, Episode):
        at = item.first_aired
    return {"last_played": int(at.timestamp())} if isinstance(at, datetime) else {}


def _plays(write: Write, items: Sequence[Movie | Episode]) -> tuple[Play, ...]:
    at = write.watched_at if isinstance(write, MarkWatched) else None
    return tuple(
        Play(
            item=item,
            watched_at=at
            if isinstance(at, datetime)
            else item.first_aired
            if at == "released" and isinstance(item, Episode)
            else None,
        )
        for item in items
    )


def _was_skipped(reply: Reply, item: Movie | Show, *, alone: bool) -> bool:
    if alone:
        return reply.skipped > 0
    return any(row.means(item) for row in reply.skipped_movies)


def _movie_receipt(queued: QueuedWrite, reply: Reply, *, alone: bool) -> Receipt:
    write = queued.write
    item = subject(write)
    assert isinstance(item, Movie)
    if _was_skipped(reply, item, alone=alone):
        return NOT_FOUND
    if isinstance(write, MarkUnwatched):
        return DONE
    before = (
        reply.already_exist > 0
        if alone
        else any(row.means(item) for row in reply.already_exist_movies)
    )
    if before and not queued.unsure:
        return ALREADY
    return replace(DONE, plays=_plays(write, [item]))


def _episodes_receipt(
    queued: QueuedWrite,
    targets: Sequence[Episode] | Receipt,
    progress: ShowProgress | None,
) -> Receipt:
    if isinstance(targets, Receipt):
        return targets
    if not targets and not queued.unsure:
        return replace(ALREADY, progress=progress)
    item = subject(queued.write)
    if not targets and isinstance(item, Episode):
        # the attempt whose answer was lost did it
        targets = [item]
    return replace(DONE, plays=_plays(queued.write, targets), progress=progress)
