"""Telling a Trakt v1 server what a player plays (docs/trackers/trakt_v1.md, "Scrobbling").

A scrobble adds a play whatever the progress, and counts for the present. What can't be told that way is marked as seen
instead, after a look at what is: late ends, ends whose answer was lost, and everything where the key may not scrobble.
"""

from __future__ import annotations

from datetime import datetime, timedelta
import re
from typing import Final

from ...library import Play
from ...media import Episode, Movie, Playable
from ...writes import MarkWatched, Outcome, Receipt, Scrobble, ScrobbleAction
from ..errors import AccessDenied, BadAnswer, NotFound, Refused, Unsure
from ..tracker import QueuedWrite, TrackerContext
from ..transport import Json
from .client import Client, lacks_permission
from .writing import ALREADY, DONE, NOT_FOUND, Writer, refused, title_row

LATE: Final = timedelta(minutes=15)
"""What ended longer ago is marked with its own time."""
USUAL: Final = {"movie": 100, "episode": 45}
"""Minutes that are told for a title whose length nobody knows: the server wants some."""


class Scrobbler:
    """Scrobbles of one account."""

    def __init__(self, client: Client, writer: Writer, context: TrackerContext) -> None:
        """Send through `client`; mark with `writer`."""
        self._client = client
        self._writer = writer
        self._context = context
        self._playing: str | None = None
        """The viewing that the server was told of last; None when that is over, or not known after a restart."""

    async def send(self, queued: QueuedWrite, write: Scrobble) -> Receipt:
        """Carry out one scrobble."""
        try:
            match write.action:
                case ScrobbleAction.START:
                    await self._client.post(
                        f"{_kind(write.item)}/watching", self._body(write)
                    )
                    self._playing = write.viewing
                    return DONE
                case ScrobbleAction.PAUSE | ScrobbleAction.STOP:
                    return await self._cancel(write)
                case ScrobbleAction.WATCHED:
                    return await self._watched(queued, write)
        except NotFound:
            return NOT_FOUND
        except Refused:
            return refused("refused")
        except AccessDenied as error:
            if not lacks_permission(error):
                raise
            return refused("no_scrobble_permission")

    async def _cancel(self, write: Scrobble) -> Receipt:
        """End what is being watched; not when it is something else by now: cancelling names no title."""
        if self._playing not in (None, write.viewing):
            return ALREADY
        await self._client.post(f"{_kind(write.item)}/cancelwatching")
        self._playing = None
        return DONE

    async def _watched(self, queued: QueuedWrite, write: Scrobble) -> Receipt:
        """Make one play of a viewing."""
        late = self._context.now() - write.at > LATE
        # whether a special was seen can't be read: a server refuses to count one viewing twice
        special = isinstance(write.item, Episode) and write.item.season == 0
        if late or (queued.unsure and not special):
            return await self._mark(queued, write)
        try:
            await self._client.post(f"{_kind(write.item)}/scrobble", self._body(write))
        except BadAnswer as error:
            # it may have been counted: look before repeating
            raise Unsure(str(error)) from error
        except NotFound:
            raise
        except Refused as error:
            if re.search(r"\balready\b", str(error)):
                self._end(write)
                return ALREADY
            return await self._mark(queued, write)
        except AccessDenied as error:
            if not lacks_permission(error):
                raise
            return await self._mark(queued, write)
        self._end(write)
        play = Play(item=write.item, watched_at=write.at)
        return Receipt(outcome=Outcome.DONE, plays=(play,))

    async def _mark(self, queued: QueuedWrite, write: Scrobble) -> Receipt:
        """Mark as seen what is not."""
        mark = MarkWatched(item=write.item, watched_at=write.at)
        instead = QueuedWrite(
            write=mark, created_at=queued.created_at, unsure=queued.unsure
        )
        (receipt,) = await self._writer.send([instead])
        self._end(write)
        return receipt

    def _end(self, write: Scrobble) -> None:
        if self._playing == write.viewing:
            self._playing = None

    def _body(self, write: Scrobble) -> dict[str, Json]:
        item, progress = write.item, min(100.0, max(0.0, write.progress or 0.0))
        seconds = float(item.runtime or 0)
        if not seconds and write.position and progress:
            seconds = write.position / progress * 100
        body: dict[str, Json] = {
            **title_row(item.show if isinstance(item, Episode) else item),
            "duration": round(seconds / 60) or USUAL[item.type.value],
            "progress": int(progress),
            **self._versions(),
        }
        if isinstance(item, Episode):
            body |= {"season": item.season, "episode": item.number}
            if tvdb := item.ids.number("tvdb"):
                body["episode_tvdb_id"] = tvdb
        return body

    def _versions(self) -> dict[str, Json]:
        """Return what v1 asks about the program that scrobbles."""
        found = re.search(r"/(\S+)", self._context.user_agent)
        version = found[1] if found else "1"
        return {
            "plugin_version": version,
            "media_center_version": version,
            "media_center_date": _date(self._context.now()),
        }


def _kind(item: Playable) -> str:
    return "movie" if isinstance(item, Movie) else "show"


def _date(at: datetime) -> str:
    """Write a date as v1 does: "Jun 1 2014"."""
    return f"{at:%b} {at.day} {at.year}"
