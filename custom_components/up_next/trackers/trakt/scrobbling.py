"""Telling Trakt what a player plays (docs/trackers/trakt.md, "Scrobbling").

Trakt keeps every play it is sent, so that a viewing was watched is told once: by the end of its playback while that is
fresh, else with its own time and only after a look at the plays around it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
import math
from typing import Final

from ...library import Play
from ...media import Episode, Movie, Playable
from ...writes import CheckIn, Outcome, Receipt, Scrobble, ScrobbleAction
from ..errors import AccessDenied, BadAnswer, NotFound, TrackerError, Unsure
from ..tracker import QueuedWrite
from .api import Api, Conflict, lacks_permission
from .bodies import Body, is_missing, playing, same, stamp
from .convert import Converter
from .lookup import MINUTE, Lookup
from .payloads import ScrobbleBody, decode_scrobble, decode_watching, decode_write
from .receipts import ALREADY, DONE, NOT_FOUND, refused

START_PATH: Final = "/scrobble/start"
STOP_PATH: Final = "/scrobble/stop"
PAUSE_PATH: Final = STOP_PATH
"""A stop saves the position too, and ends "watching", which /scrobble/pause was seen not to do."""
WATCHED_FROM: Final = 80.0
"""Percent; from here on Trakt takes a stop for watched."""
SURELY_WATCHED: Final = 80.01
"""What Trakt makes of exactly 80 % is not documented."""
RESUMABLE: Final = (1.0, 79.9)
"""The lowest and highest percentage that are kept as a resume point."""
LATE: Final = timedelta(minutes=15)
"""What ended longer ago is told with its own time: Trakt takes a stop for the present."""
NEAR: Final = timedelta(minutes=30)
"""A play this near to the end of a viewing, or as near as the item is long, is the play of that viewing."""


class Scrobbler:
    """Scrobbles and check-ins of one account."""

    def __init__(self, api: Api, convert: Converter, lookup: Lookup) -> None:
        """Look with `lookup`, post through `api`."""
        self._api = api
        self._convert = convert
        self._lookup = lookup

    async def send(self, queued: QueuedWrite) -> Receipt:
        """Carry out one scrobble or check-in."""
        write = queued.write
        assert isinstance(write, (Scrobble, CheckIn))
        item = await self._lookup.named(write.item)
        if not isinstance(item, (Movie, Episode)):
            return NOT_FOUND
        if isinstance(write, CheckIn):
            return await self._check_in(item, unsure=queued.unsure)
        progress = write.progress or 0.0
        match write.action:
            case ScrobbleAction.START:
                return await self._tell(START_PATH, item, _within(progress, 0.0, 100.0))
            case ScrobbleAction.PAUSE:
                return await self._tell(PAUSE_PATH, item, _within(progress, *RESUMABLE))
            case ScrobbleAction.STOP:
                return await self._tell(STOP_PATH, item, _within(progress, *RESUMABLE))
            case ScrobbleAction.WATCHED:
                return await self._watched(write, item, unsure=queued.unsure)

    async def _tell(self, path: str, item: Playable, progress: float) -> Receipt:
        """Tell of what may be told any number of times."""
        body = {**playing(item), "progress": progress}
        try:
            await self._api.write(path, body, idempotent=True)
        except Conflict:
            # it was counted a moment ago, or a check-in goes before: there is nothing left to tell
            return ALREADY
        except NotFound:
            return NOT_FOUND
        except AccessDenied as error:
            if not lacks_permission(error):
                raise
            return refused("no_scrobble_permission")
        return DONE

    # watched --------------------------------------------------------------------------------------------------

    async def _watched(
        self, write: Scrobble, item: Playable, *, unsure: bool
    ) -> Receipt:
        """Make one play of a viewing: never two, and never none."""
        late = self._api.context.now() - write.at > LATE
        if unsure or late or (write.progress or 0.0) < WATCHED_FROM:
            return await self._record(write, item)
        progress = _within(write.progress or 0.0, SURELY_WATCHED, 100.0)
        try:
            answer = await self._api.write(
                STOP_PATH, {**playing(item), "progress": progress}
            )
        except Conflict as conflict:
            counted = conflict.watched_at
            if counted is not None and (
                not write.rewatch or counted >= _begin(write) - MINUTE
            ):
                return ALREADY
            if counted is None and await self._is_checked_in(item):
                # it counts by itself
                return ALREADY
            # another check-in goes before, or what was counted is an earlier viewing
            return await self._record(write, item)
        except NotFound:
            return NOT_FOUND
        except AccessDenied as error:
            if not lacks_permission(error):
                raise
            return await self._record(write, item)
        try:
            told = await self._api.http.decode(decode_scrobble, answer)
        except BadAnswer as error:
            # it may have been counted: look before repeating
            raise Unsure(str(error)) from error
        if told.action != "scrobble":
            return await self._record(write, item)
        return await self._counted(write, item, told)

    async def _counted(
        self, write: Scrobble, item: Playable, told: ScrobbleBody
    ) -> Receipt:
        item = self._convert.playable(told) or item
        self._lookup.wrote([item], watched=True)
        play = Play(
            item=item, id=str(told.id) if told.id else None, watched_at=write.at
        )
        progress = await self._lookup.progress_of(item)
        return Receipt(outcome=Outcome.DONE, plays=(play,), progress=progress)

    async def _record(self, write: Scrobble, item: Playable) -> Receipt:
        """Add the play with its own time, unless it is there already."""
        known = item if item.ids.get("trakt") else await self._lookup.resolve(item)
        if not isinstance(known, (Movie, Episode)):
            return NOT_FOUND
        if (play := await self._play_of(write, known)) is not None:
            return Receipt(outcome=Outcome.ALREADY, plays=(play,))
        body = Body()
        body.add(known, watched_at=stamp(write.at))
        answer = await self._api.write("/sync/history", body.json())
        try:
            told = await self._api.http.decode(decode_write, answer)
        except BadAnswer as error:
            raise Unsure(str(error)) from error
        if is_missing(known, told.not_found):
            return NOT_FOUND
        if told.added is not None and told.added.total == 0:
            return ALREADY
        self._lookup.wrote([known], watched=True)
        try:
            play = await self._play_of(write, known)
        except TrackerError:
            # it is done: without its id it can't be undone by itself, which is no reason to fail it
            play = None
        return Receipt(
            outcome=Outcome.DONE,
            plays=(play or Play(item=known, watched_at=write.at),),
            progress=await self._lookup.progress_of(known),
        )

    async def _play_of(self, write: Scrobble, item: Playable) -> Play | None:
        """Return the play of this viewing, whoever told it to Trakt; the nearest one where there are several."""
        begin, end = _begin(write) - MINUTE, write.at + _reach(write)
        plays = await self._lookup.plays(item, between=(begin, end))
        near = [
            (abs(play.watched_at - write.at), play)
            for play in plays
            if play.watched_at is not None and begin <= play.watched_at <= end
        ]
        return min(near, key=lambda pair: pair[0])[1] if near else None

    # check-in -------------------------------------------------------------------------------------------------

    async def _check_in(self, item: Playable, *, unsure: bool) -> Receipt:
        if unsure and await self._is_checked_in(item):
            return ALREADY
        try:
            await self._api.write("/checkin", playing(item))
        except Conflict as conflict:
            if conflict.expires_at is None:
                return refused()
            left = conflict.expires_at - self._api.context.now()
            minutes = max(1, math.ceil(left / timedelta(minutes=1)))
            return refused("check_in_active", minutes=str(minutes))
        except NotFound:
            return NOT_FOUND
        except AccessDenied as error:
            if not lacks_permission(error):
                raise
            return refused("no_scrobble_permission")
        return DONE

    async def _is_checked_in(self, item: Playable) -> bool:
        answer = await self._api.http.get("/users/me/watching")
        if answer.status == 204 or not answer.body:
            return False
        body = await self._api.http.decode(decode_watching, answer)
        watching = self._convert.playable(body)
        return (
            body.action == "checkin" and watching is not None and same(watching, item)
        )


def _within(progress: float, least: float, most: float) -> float:
    """Return a percentage between two, with the two decimals that Trakt keeps."""
    return round(min(most, max(least, progress)), 2)


def _reach(write: Scrobble) -> timedelta:
    return max(NEAR, timedelta(seconds=write.item.runtime or 0))


def _begin(write: Scrobble) -> datetime:
    """Return from when on a play may be that of this viewing.

    Where an earlier viewing was counted, its play may be near too: only the second half of this one is looked at.
    """
    begin = write.at - _reach(write)
    if not write.rewatch:
        return begin
    return max(begin, write.started_at + (write.at - write.started_at) / 2)
