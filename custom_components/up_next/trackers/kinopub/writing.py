"""Writing (sections 3.4 and 3.6).

Every mark goes out with its wanted state, so that a repetition changes nothing, and only after a look at what is:
marking again would overwrite when a title was watched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from ...library import EpisodeDetail, Play, ShowProgress
from ...media import Episode, Ids, MediaItem, Movie, Playable, Season, Show, show_of
from ...writes import (
    CheckIn,
    ClearProgress,
    MarkUnwatched,
    MarkWatched,
    Outcome,
    Rate,
    Receipt,
    RemovePlays,
    Scrobble,
    SetHidden,
    SetProgress,
    SetWatchlisted,
    Write,
)
from ..errors import NotFound, Refused
from ..tracker import QueuedWrite, TrackerContext
from .client import Client
from .finding import Finder
from .reading import Reader
from .shapes import Shapes, enriched, progress, watched_at
from .wire import (
    NEVER,
    STARTED,
    WATCHED,
    Added,
    Flipped,
    Item,
    ItemFolders,
    OneItem,
    Toggled,
    Video,
)

TOGETHER: Final = 100
NOW: Final = timedelta(minutes=15)
"""A viewing this close to when it was asked for counts as watched now; the service takes no other time."""
SLACK: Final = timedelta(minutes=2)
NOT_FOUND: Final = Receipt(outcome=Outcome.NOT_FOUND, reason="not_found")
ALREADY: Final = Receipt(outcome=Outcome.ALREADY)

type Numbers = tuple[int, int]


def refused(reason: str) -> Receipt:
    """Return a refusal with the key of its text."""
    return Receipt(outcome=Outcome.REFUSED, reason=reason)


class Writer:
    """Carries out the writes of one account."""

    def __init__(
        self,
        context: TrackerContext,
        client: Client,
        shapes: Shapes,
        finder: Finder,
        reader: Reader,
        *,
        folder: int,
    ) -> None:
        """Put movies into the bookmark folder with the id `folder`; 0 when none was chosen."""
        self._now = context.now
        self._client = client
        self._shapes = shapes
        self._finder = finder
        self._reader = reader
        self._folder = folder

    def combine(self, writes: Sequence[Write]) -> int:
        """Take marks of episodes of one show together: its state is read once, whole seasons go out as one."""
        first = writes[0]
        if not isinstance(first, MarkWatched | MarkUnwatched) or not isinstance(
            first.item, Episode
        ):
            return 1
        show = first.item.show
        number = 1
        for write in writes[1:TOGETHER]:
            if not (
                isinstance(write, MarkWatched | MarkUnwatched)
                and write.kind == first.kind
                and isinstance(write.item, Episode)
                and _same_show(write.item.show, show)
            ):
                break
            number += 1
        return number

    async def send(self, writes: Sequence[QueuedWrite]) -> Sequence[Receipt]:
        """Carry out one write, or marks of one show's episodes."""
        try:
            return await self._send(writes)
        except NotFound:
            return [NOT_FOUND] * len(writes)
        except Refused:
            return [refused("refused")] * len(writes)

    async def _send(self, writes: Sequence[QueuedWrite]) -> Sequence[Receipt]:
        write = writes[0].write
        match write:
            case MarkWatched() | MarkUnwatched():
                return await self._mark(writes, watched=isinstance(write, MarkWatched))
            case RemovePlays() if (
                not write.play_ids
            ):  # there is at most one play of a title, and it has no id
                unmark = replace(writes[0], write=MarkUnwatched(item=write.item))
                return await self._mark([unmark], watched=False)
            case SetWatchlisted():
                return [await self._list(write)]
            case SetProgress():
                return [await self._set_progress(write)]
            case ClearProgress():
                return [await self._clear_progress(write.item)]
            case Rate() | SetHidden() | RemovePlays() | Scrobble() | CheckIn():
                return [refused("not_supported")]

    async def find(self, item: MediaItem) -> int:
        """Return the service's id of what an item is or belongs to, and have it looked at again. Raises NotFound."""
        title = show_of(item)
        if title is None:
            assert isinstance(item, Movie)
            title_or_movie: Movie | Show = item
        else:
            title_or_movie = title
        item_id = await self._finder.find(title_or_movie)
        self._reader.own.titles.add(item_id)
        return item_id

    # marks ----------------------------------------------------------------------------------------------------

    async def _mark(
        self, writes: Sequence[QueuedWrite], *, watched: bool
    ) -> Sequence[Receipt]:
        """Mark, or unmark, what the writes mean: all of them are about one title."""
        takes = [_takes_date(write) for write in writes]
        if not any(takes):
            return [refused("date_not_kept")] * len(writes)
        item = await self._reader.state(await self.find(_subject(writes[0])))
        taken = [
            write for write, takes_it in zip(writes, takes, strict=True) if takes_it
        ]
        receipts = iter(await self.mark(taken, item, watched=watched))
        return [
            next(receipts) if takes_it else refused("date_not_kept")
            for takes_it in takes
        ]

    async def mark(
        self, writes: Sequence[QueuedWrite], item: Item, *, watched: bool
    ) -> Sequence[Receipt]:
        """Mark, or unmark, what the writes mean of the title `item`, whose state was just read."""
        subject = _subject(writes[0])
        if isinstance(subject, Movie):
            if not item.videos:
                return [NOT_FOUND]
            return [await self._mark_movie(writes[0], subject, item, watched=watched)]
        show = show_of(subject)
        assert show is not None
        if not item.seasons:
            return [NOT_FOUND] * len(writes)
        marking = _Marking(self._shapes, item, show, self._now(), watched=watched)
        for write in writes:
            marking.add(write)
        for season, number in marking.calls():
            await self._toggle(item.id, season, number, watched=watched)
        return [marking.receipt(write) for write in writes]

    async def _mark_movie(
        self, queued: QueuedWrite, movie: Movie, item: Item, *, watched: bool
    ) -> Receipt:
        """Mark all parts of a movie."""
        wanted = [v for v in item.videos if (v.status == WATCHED) != watched]
        times = [time for v in item.videos if (time := watched_at(v))]
        if not wanted:
            if watched and _carried_out(queued, times):
                play = Play(item=movie, watched_at=max(times))
                return Receipt(outcome=Outcome.DONE, plays=(play,))
            return ALREADY
        for video in wanted:
            await self._toggle(item.id, None, video.number, watched=watched)
        at = self._now() if watched else max(times, default=None)
        return Receipt(outcome=Outcome.DONE, plays=(Play(item=movie, watched_at=at),))

    async def _toggle(
        self, item_id: int, season: int | None, number: int | None, *, watched: bool
    ) -> None:
        """Set the state of one video, or of a whole season; movies have no season. Raises NotFound, Refused."""
        params = {"id": item_id, "season": season, "video": number}
        reply = await self._client.flip(
            Toggled,
            "toggle",
            **{key: value for key, value in params.items() if value is not None},
            status=int(watched),
        )
        if reply.watched == int(not watched):
            raise Refused(f"toggle of {item_id} had no effect")

    # watchlist ------------------------------------------------------------------------------------------------

    async def _list(self, write: SetWatchlisted) -> Receipt:
        match write.item:
            case Movie():
                return await self._list_movie(write.item, listed=write.listed)
            case Show():
                return await self._list_show(write.item, listed=write.listed)
            case _:
                return refused("not_supported")

    async def _list_movie(self, movie: Movie, *, listed: bool) -> Receipt:
        if not self._folder:
            return refused("no_folder")
        item_id = await self.find(movie)
        if not listed:
            held = await self._client.get(
                ItemFolders, "bookmarks/get-item-folders", item=item_id
            )
            if all(row.id != self._folder for row in held.folders):
                return ALREADY
            await self._client.post(
                "bookmarks/remove-item", item=item_id, folder=self._folder
            )
            return Receipt(outcome=Outcome.DONE)
        answer = await self._client.post(
            "bookmarks/add", item=item_id, folder=self._folder
        )
        added = await self._client.decode(Added, answer)
        return ALREADY if added.exists else Receipt(outcome=Outcome.DONE)

    async def _list_show(self, show: Show, *, listed: bool) -> Receipt:
        """Flip the will-watch flag if it differs: there is no way to set it."""
        item_id = await self.find(show)
        item = (await self._client.get(OneItem, f"items/{item_id}", nolinks=1)).item
        if not item.series:
            return NOT_FOUND
        if item.in_watchlist == listed:
            return ALREADY
        for _ in range(2):  # a second time when somebody else flipped it meanwhile
            reply = await self._client.flip(Flipped, "togglewatchlist", id=item_id)
            if reply.watching == listed:
                return Receipt(outcome=Outcome.DONE)
        return refused("refused")

    # progress -------------------------------------------------------------------------------------------------

    async def _set_progress(self, write: SetProgress) -> Receipt:
        item_id = await self.find(write.item)
        position, runtime = write.position, write.item.runtime
        season, number = _numbers(write.item)
        if position is None:
            if not runtime:
                video = _video(await self._reader.state(item_id), write.item)
                runtime = video.duration if video else 0
            position = (write.progress or 0.0) * (runtime or 0) / 100
        if position < 1:
            return refused("position_too_short")
        await self.mark_time(item_id, season, number, int(position))
        return Receipt(outcome=Outcome.DONE)

    async def _clear_progress(self, playable: Playable) -> Receipt:
        """Forget a position: what was only started becomes never watched, what was watched stays so."""
        item_id = await self.find(playable)
        video = _video(await self._reader.state(item_id), playable)
        if video is None:
            return NOT_FOUND
        season, _ = _numbers(playable)
        if video.status == STARTED:
            await self._toggle(item_id, season, video.number, watched=False)
        elif video.status == WATCHED and video.time:
            await self.mark_time(item_id, season, video.number, 0)
        else:
            return ALREADY
        return Receipt(outcome=Outcome.DONE)

    async def mark_time(
        self, item_id: int, season: int | None, number: int, seconds: int
    ) -> None:
        """Set the position of one video, in seconds; movies have no season. Raises NotFound."""
        where = {} if season is None else {"season": season}
        await self._client.change(
            "marktime", id=item_id, video=number, time=seconds, **where
        )
        self._reader.own.positions[item_id, season or 0, number] = self._now()


class _Marking:
    """The marks of one show: which calls they take, and what each write becomes."""

    def __init__(
        self, shapes: Shapes, item: Item, show: Show, now: datetime, *, watched: bool
    ) -> None:
        own = Ids.of(kinopub=item.id)
        known = replace(show, ids=Ids({**own.values, **show.ids.values, **own.values}))
        described = (
            enriched(known, shapes.show(item)) if show.title else shapes.show(item)
        )
        self._item = item
        self._now = now
        self._watched = watched
        self.detail = shapes.detail(item, described)
        self._targets: set[Numbers] = set()
        self._made: ShowProgress | None = None

    def _meant(self, write: QueuedWrite) -> list[EpisodeDetail]:
        """Return the episodes a write means: those that are out, regular ones for a whole show."""
        subject = _subject(write)
        match subject:
            case Episode():
                found = self.detail.find(subject.season, subject.number)
                return [found] if found else []
            case Season():
                return self.detail.aired(self._now, subject.number)
            case _ if self._watched:
                return self.detail.aired(self._now)
            case _:
                return list(self.detail.episodes)

    def add(self, write: QueuedWrite) -> None:
        """Take a write in."""
        self._targets |= {
            (row.episode.season, row.episode.number)
            for row in self._meant(write)
            if row.watched != self._watched
        }

    def calls(self) -> list[tuple[int, int | None]]:
        """Return (season number, episode number) to toggle; None for the number is a whole season, in one call.

        A season goes out whole only where that changes nothing else: marking a watched episode again would
        overwrite when it was watched, and unmarking a started one would lose its position.
        """
        sizes = Counter(season for season, _ in self._targets)
        calls: list[tuple[int, int | None]] = []
        for season in sorted(sizes):
            rest = [
                v for v in self._others(season) if self._watched or v.status != NEVER
            ]
            if sizes[season] > 1 and not rest:
                calls.append((season, None))
            else:
                calls.extend(t for t in sorted(self._targets) if t[0] == season)
        return calls

    def _others(self, season: int) -> Iterable[Video]:
        for row in self._item.seasons:
            if row.number == season:
                yield from (
                    video
                    for video in row.episodes
                    if (season, video.number) not in self._targets
                )

    def receipt(self, write: QueuedWrite) -> Receipt:
        """Return what became of a write, all calls having been carried out."""
        meant = self._meant(write)
        if not meant:
            return NOT_FOUND
        changed = [
            row
            for row in meant
            if (row.episode.season, row.episode.number) in self._targets
            or (
                self._watched
                and row.last_watched_at
                and _carried_out(write, [row.last_watched_at])
            )
        ]
        return Receipt(
            outcome=Outcome.DONE if changed else Outcome.ALREADY,
            plays=tuple(
                Play(
                    item=row.episode,
                    watched_at=(row.last_watched_at or self._now)
                    if self._watched
                    else row.last_watched_at,
                )
                for row in changed
            ),
            progress=self._progress(),
        )

    def _progress(self) -> ShowProgress:
        """Count the show as it stands now."""
        if self._made is None:
            after = replace(
                self.detail, episodes=tuple(map(self._after, self.detail.episodes))
            )
            self._made = progress(after, self._still_started(), self._now)
        return self._made

    def _after(self, row: EpisodeDetail) -> EpisodeDetail:
        if (row.episode.season, row.episode.number) not in self._targets:
            return row
        return replace(
            row,
            watched=self._watched,
            plays=int(self._watched),
            last_watched_at=self._now if self._watched else None,
        )

    def _still_started(self) -> Item:
        seasons = [
            replace(
                season,
                episodes=[
                    video
                    for video in season.episodes
                    if (season.number, video.number) not in self._targets
                ],
            )
            for season in self._item.seasons
        ]
        return replace(self._item, seasons=seasons)


def _subject(queued: QueuedWrite) -> MediaItem:
    write = queued.write
    return write.show if isinstance(write, SetHidden) else write.item


def _same_show(one: Show, other: Show) -> bool:
    return one is other or (one.ids.shares(other.ids) if one.ids else one == other)


def _takes_date(queued: QueuedWrite) -> bool:
    """Say whether the service can record this viewing's time: now, or not at all."""
    write = queued.write
    if not isinstance(write, MarkWatched) or write.watched_at == "unknown":
        return True
    return (
        isinstance(write.watched_at, datetime)
        and abs(write.watched_at - queued.created_at) <= NOW
    )


def _carried_out(queued: QueuedWrite, times: Sequence[datetime]) -> bool:
    """Say whether an attempt whose answer was lost did it: the mark is younger than the wish."""
    return queued.unsure and any(time >= queued.created_at - SLACK for time in times)


def _numbers(item: Playable) -> tuple[int | None, int]:
    """Return the season and video numbers the service asks for; a movie has no season, and one video."""
    return (item.season, item.number) if isinstance(item, Episode) else (None, 1)


def _video(item: Item, playable: Playable) -> Video | None:
    """Find the video of a playable in its title's state; of a movie in parts the started one, else the first."""
    if isinstance(playable, Episode):
        videos = [
            video
            for season in item.seasons
            if season.number == playable.season
            for video in season.episodes
            if video.number == playable.number
        ]
    else:
        videos = sorted(item.videos, key=lambda v: (v.status != STARTED, v.number))
    return videos[0] if videos else None
