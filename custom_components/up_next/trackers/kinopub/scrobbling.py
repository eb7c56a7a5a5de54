"""Telling KinoPub what a player plays: positions when it pauses or stops, a mark at the end (sections 3.4 and 4).

What KinoPub has is looked at before every change: the numbers of its episodes may differ from those of other services,
and what is watched already is left alone, since any change would overwrite when it was watched.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ...media import Episode, Playable
from ...writes import CheckIn, MarkWatched, Outcome, Receipt, Scrobble, ScrobbleAction
from ..errors import NotFound, Refused
from ..tracker import QueuedWrite
from .reading import Reader
from .shapes import is_placeholder, movie_runtime, names, regular_order
from .wire import STARTED, WATCHED, Item, Video
from .writing import ALREADY, NOT_FOUND, SLACK, Writer, refused

type Place = tuple[int | None, Video]
"""A season's number (None for movies) and the video."""

SHORTEST: Final = 1.0
"""Seconds; a position before this is the beginning."""


class Scrobbler:
    """Scrobbles of one account."""

    def __init__(self, writer: Writer, reader: Reader) -> None:
        """Look through `reader`, change through `writer`."""
        self._writer = writer
        self._reader = reader

    async def send(self, queued: QueuedWrite) -> Receipt:
        """Carry out one."""
        write = queued.write
        if isinstance(write, CheckIn):
            return refused("not_supported")
        assert isinstance(write, Scrobble)
        try:
            match write.action:
                case ScrobbleAction.START:
                    # KinoPub has no word for it: its players just report positions
                    return ALREADY
                case ScrobbleAction.PAUSE | ScrobbleAction.STOP:
                    return await self._keep_position(write)
                case ScrobbleAction.WATCHED:
                    return await self._mark(queued, write.item)
        except NotFound:
            return NOT_FOUND
        except Refused:
            return refused("refused")

    async def _keep_position(self, write: Scrobble) -> Receipt:
        if write.position is None and write.progress is None:
            return ALREADY
        item_id = await self._writer.find(write.item)
        item = await self._reader.state(item_id)
        if isinstance(write.item, Episode):
            place = episode_of(item, write.item)
            seconds = _seconds(write, place[1].duration if place else 0)
        else:
            seconds = _seconds(write, movie_runtime(item))
            place = part_of(item, seconds or 0.0)
            if place is not None:
                seconds = (seconds or 0.0) - _before(item, place[1])
        if place is None:
            return NOT_FOUND
        season, video = place
        if seconds is None or seconds < SHORTEST or video.status == WATCHED:
            return ALREADY
        if video.status == STARTED and (
            video.time == int(seconds) or video.updated > (write.at + SLACK).timestamp()
        ):
            # there already, or watched on elsewhere since
            return ALREADY
        await self._writer.mark_time(item_id, season, video.number, int(seconds))
        return Receipt(outcome=Outcome.DONE)

    async def _mark(self, queued: QueuedWrite, playable: Playable) -> Receipt:
        """Mark as watched. It counts as watched now, whenever it was: KinoPub takes no other time."""
        item = await self._reader.state(await self._writer.find(playable))
        if isinstance(playable, Episode):
            place = episode_of(item, playable)
            if place is None:
                return NOT_FOUND
            playable = replace(playable, season=place[0] or 0, number=place[1].number)
        mark = MarkWatched(item=playable, watched_at="unknown")
        receipts = await self._writer.mark(
            [replace(queued, write=mark)], item, watched=True
        )
        return receipts[0]


def episode_of(item: Item, episode: Episode) -> Place | None:
    """Find an episode: by KinoPub's own id, by its title within the season, by its numbers.

    Specials only by id or title: KinoPub puts them inside seasons, where other services have others or none.
    """
    places = [(s.number, v) for s in regular_order(item) for v in s.episodes]
    own = episode.ids.number("kinopub")
    if own and (found := [place for place in places if place[1].id == own]):
        return found[0]
    called = [place for place in places if _is_called(place[1], episode.title)]
    if episode.season == 0:
        return called[0] if len(called) == 1 else None
    called = [place for place in called if place[0] == episode.season]
    if len(called) == 1:
        return called[0]
    numbers = (episode.season, episode.number)
    return next((p for p in places if (p[0], p[1].number) == numbers), None)


def part_of(item: Item, seconds: float) -> Place | None:
    """Find the part of a movie that a position (seconds from the start of the first part) is in; the last at most."""
    videos = sorted(item.videos, key=lambda video: video.number)
    for video in videos[:-1]:
        if seconds < video.duration:
            return None, video
        seconds -= video.duration
    return (None, videos[-1]) if videos else None


def _before(item: Item, part: Video) -> int:
    """Return the seconds of a movie before a part."""
    return sum(v.duration for v in item.videos if v.number < part.number)


def _seconds(write: Scrobble, duration: int) -> float | None:
    """Return the position; reckoned from the percentage where the player tells no more, None without a length."""
    if write.position is not None:
        return write.position
    length = duration or write.item.runtime
    return (write.progress or 0.0) * length / 100 if length else None


def _is_called(video: Video, title: str | None) -> bool:
    wanted = _plain(title or "")
    if not wanted or is_placeholder(title or ""):
        return False
    return wanted in {_plain(name) for name in (*names(video.title), video.title)}


def _plain(title: str) -> str:
    """Leave nothing but letters and digits."""
    return "".join(sign for sign in title.casefold() if sign.isalnum())
