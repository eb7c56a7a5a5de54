"""Telling Simkl what a player plays (apis/simkl.md section 8).

Simkl counts a viewing once: a stop is answered 409 for an hour, marking what is watched changes nothing. Its replies
name the title that it matched, which is compared with the one that was meant.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from ...library import Play
from ...media import Episode, Movie, Show
from ...writes import CheckIn, MarkWatched, Outcome, Receipt, Scrobble, ScrobbleAction
from ..errors import BadAnswer, NotFound, Refused, Unsure
from ..tracker import QueuedWrite
from ..transport import Values
from .api import Api, WriteLocked
from .echo import Echo
from .planning import as_known, is_anime_elsewhere, last_watched, was_watched
from .sending import Sender
from .writing import (
    ALREADY,
    MATCHED,
    NOT_FOUND,
    REWATCH,
    Plan,
    Unmatchable,
    refused,
    scrobble_body,
    stamp,
)

if TYPE_CHECKING:
    from .tracker import Simkl

FINISHED: Final = 80.0
"""Percent from which a stop counts as watched; fixed at the service."""
BELOW: Final = 79.9
"""Percent to which a resume point is lowered: with more, the next start would count the viewing."""
LATE: Final = timedelta(minutes=15)
"""What was watched longer ago is given its own time; a stop counts as watched at the moment it arrives."""
RESERVE: Final = 0.1
"""Share of the daily allowance that is kept from starts and pauses."""
RESERVED: Final = 50
"""The same in requests, where the allowance is not known."""
COUNTING: Final = frozenset({ScrobbleAction.WATCHED})
"""What adds a play at once."""
REMEMBERED: Final = 100
"""So many items are remembered as known to Simkl; each costs a request or two to find out."""
PAID: Final = frozenset({"pro", "vip"})
"""The plans that record another viewing of the same item."""
ALLOW_REWATCH: Final[Values] = {"allow_rewatch": "yes"}
USUAL: Final = {"movie": 5400.0, "tv": 2700.0, "anime": 1500.0}
"""Seconds that Simkl itself assumes for a title whose length it does not know."""


class Scrobbler:
    """Scrobbles and check-ins of one account."""

    def __init__(self, tracker: Simkl, api: Api, sender: Sender) -> None:
        """Mark through `sender` what can't be told as a playback any more."""
        self._tracker = tracker
        self._api = api
        self._sender = sender
        self._started: str | None = None
        """The viewing that Simkl takes to be going on."""
        self._mismatched: set[tuple[str, Movie | Episode]] = set()
        """Viewings whose start was taken for something else: their end would count for that."""
        self._met: dict[Movie | Episode, Movie | Episode] = {}
        """Items that Simkl is known to match as they are meant, with the ids to send."""

    async def send(self, queued: QueuedWrite) -> Receipt:
        """Carry out one. Raises WriteLocked before Simkl would refuse it: something newer may come meanwhile."""
        write = queued.write
        try:
            if isinstance(write, CheckIn):
                return await self._check_in(write)
            assert isinstance(write, Scrobble)
            if (write.viewing, write.item) in self._mismatched:
                await self._take_back(write)
                return NOT_FOUND
            if self._can_be_spared(write):
                return refused("quota_low")
            return await self._scrobble(queued, write)
        except (NotFound, Unmatchable):
            return NOT_FOUND
        except Refused:
            return refused("refused")

    def _can_be_spared(self, write: Scrobble) -> bool:
        """Say whether the rest of the daily allowance is better kept for something else.

        The pause of what Simkl takes to be going on is needed: it would count the viewing when the next one starts.
        """
        if write.action is ScrobbleAction.PAUSE:
            needed = write.viewing == self._started
        else:
            needed = write.action is not ScrobbleAction.START
        quota = self._tracker.quota
        if needed or quota is None:
            return False
        reserve = quota.limit * RESERVE if quota.limit else RESERVED
        return quota.remaining < reserve

    def _wait_for_lock(self) -> None:
        if (left := self._api.locked_for) > 0:
            raise WriteLocked(left, "too soon after the last write")

    async def _scrobble(self, queued: QueuedWrite, write: Scrobble) -> Receipt:
        self._wait_for_lock()
        item = await self._meant(write.item, counts=write.action in COUNTING)
        match write.action:
            case ScrobbleAction.START:
                percent = _told(write, item.runtime)
                return await self._tell(write, item, "start", percent or 0.0)
            case ScrobbleAction.PAUSE | ScrobbleAction.STOP:
                percent = min(BELOW, await self._percent(write, item))
                return await self._tell(write, item, write.action.value, percent)
            case ScrobbleAction.WATCHED:
                return await self._finish(queued, write, item)

    async def _tell(
        self, write: Scrobble, item: Movie | Episode, action: str, percent: float
    ) -> Receipt:
        echo = await self._api.scrobble(action, scrobble_body(item, percent))
        starts = write.action is ScrobbleAction.START
        self._started = write.viewing if starts else None
        if echo is None:
            return ALREADY
        if not echo.means(item):
            return self._mismatch(write)
        if echo.proves(item):
            self._remember(write.item, item)
        return Receipt(outcome=Outcome.DONE)

    async def _meant(self, item: Movie | Episode, *, counts: bool) -> Movie | Episode:
        """Return an item with the ids to send. Raises NotFound for one that Simkl could only guess.

        What only starts or pauses may be guessed wrong if it has ids: the reply tells that. What `counts` may not, as
        then it is too late.
        """
        if (met := self._met.get(item)) is not None:
            return met
        known = as_known(item, self._tracker.library)
        assert isinstance(known, (Movie, Episode))
        title = known.show if isinstance(known, Episode) else known
        if title.ids.get("simkl") is not None or (
            not counts and any(title.ids.get(namespace) for namespace in MATCHED)
        ):
            return known
        if isinstance(title, Show) and is_anime_elsewhere(self._tracker.library, title):
            return known
        found = await self._tracker.titles.confirmed(title)
        if isinstance(known, Episode) and isinstance(found, Show):
            known = replace(known, show=found)
        elif isinstance(found, Movie):
            known = found
        self._remember(item, known)
        return known

    def _remember(self, item: Movie | Episode, met: Movie | Episode) -> None:
        if len(self._met) >= REMEMBERED:
            self._met.clear()
        self._met[item] = met

    def _mismatch(self, write: Scrobble) -> Receipt:
        self._mismatched.add((write.viewing, write.item))
        return NOT_FOUND

    async def _take_back(self, write: Scrobble) -> None:
        """End what Simkl took for something else, and leave no trace: the next start would count it as watched."""
        if write.viewing != self._started or write.action is ScrobbleAction.START:
            return
        self._wait_for_lock()
        item = await self._meant(write.item, counts=False)
        echo = await self._api.scrobble("stop", scrobble_body(item, 0.0))
        self._started = None
        if echo is not None and echo.id:
            await self._api.delete(f"sync/playback/{echo.id}")

    # the end --------------------------------------------------------------------------------------------------

    async def _finish(
        self, queued: QueuedWrite, write: Scrobble, item: Movie | Episode
    ) -> Receipt:
        """Count a viewing: by a stop while it is fresh, else with its own time, which may be repeated at any time."""
        library = self._tracker.library
        known = was_watched(library, item)
        # whether Simkl would take two days' distance to an earlier viewing as enough is left to it
        again = known and write.rewatch and library.account.plan in PAID
        late = self._tracker.context.now() - write.at > LATE
        if not late and not queued.unsure and (write.progress or 0.0) >= FINISHED:
            echo = await self._stop(write, item, again=again)
            self._started = None
            if echo is None:
                return ALREADY
            if not echo.means(item):
                return self._mismatch(write)
            if echo.action != "pause":
                return await self._counted(write, item, echo, known=known)
        mark = MarkWatched(item=item, watched_at=write.at)
        receipt = await self._sender.mark(mark, ALLOW_REWATCH if again else None)
        self._started = None
        if again:
            return _named_rewatch(receipt)
        if queued.unsure and receipt.outcome is Outcome.ALREADY:
            at = last_watched(library, item)
            if not known or (at is not None and at >= write.started_at):
                # the attempt whose answer was lost did it
                return Receipt(outcome=Outcome.DONE, plays=(_play(write, item),))
        return receipt

    async def _stop(
        self, write: Scrobble, item: Movie | Episode, *, again: bool
    ) -> Echo | None:
        body = scrobble_body(item, write.progress or 0.0)
        try:
            return await self._api.scrobble(
                "stop", body, ALLOW_REWATCH if again else None, counts=True
            )
        except BadAnswer as error:
            raise Unsure(str(error), key=error.translation_key) from error

    async def _counted(
        self, write: Scrobble, item: Movie | Episode, echo: Echo, *, known: bool
    ) -> Receipt:
        if echo.rewatch_id is not None:
            once_more = Receipt(outcome=Outcome.DONE, plays=(_play(write, item),))
            return _named_rewatch(once_more, str(echo.rewatch_id))
        if known:
            return ALREADY
        plays = (_play(write, item),)
        plan = Plan(
            write=write,
            item=item,
            decided=Receipt(outcome=Outcome.DONE, plays=plays),
            plays=plays,
        )
        if isinstance(item, Episode):
            plan.episodes = {(item.season, item.number): stamp(write.at)}
        return await self._sender.take_in(plan)

    # positions ------------------------------------------------------------------------------------------------

    async def _percent(self, write: Scrobble, item: Movie | Episode) -> float:
        """Return how far a viewing came; what nobody reports is reckoned from its length, as Simkl does."""
        if (percent := _told(write, item.runtime)) is not None:
            return percent
        seconds = write.position
        if seconds is None:
            seconds = max(0.0, (write.at - write.started_at).total_seconds())
        return min(100.0, seconds / await self._length(item) * 100)

    async def _length(self, item: Movie | Episode) -> float:
        try:
            runtime = await self._sender.runtime(item)
        except NotFound:
            runtime = None
        if runtime:
            return float(runtime)
        if isinstance(item, Movie):
            return USUAL["movie"]
        return USUAL["anime" if item.show.anime else "tv"]

    # check-ins ------------------------------------------------------------------------------------------------

    async def _check_in(self, write: CheckIn) -> Receipt:
        self._wait_for_lock()
        item = await self._meant(write.item, counts=True)
        echo = await self._api.scrobble("checkin", scrobble_body(item))
        self._started = None
        if echo is None:
            return ALREADY
        return Receipt(outcome=Outcome.DONE) if echo.means(item) else NOT_FOUND


def _told(write: Scrobble, runtime: float | None) -> float | None:
    """Return how far a viewing came, in percent, without asking anybody."""
    if write.progress is not None:
        return write.progress
    if write.position is not None and runtime:
        return min(100.0, write.position / runtime * 100)
    return None


def _named_rewatch(receipt: Receipt, number: str = "") -> Receipt:
    """Have it known by the plays' ids that they can't be taken back: that would take back the first viewing, too."""
    plays = (replace(p, id=f"{REWATCH}{number}", rewatch=True) for p in receipt.plays)
    return replace(receipt, plays=tuple(plays))


def _play(write: Scrobble, item: Movie | Episode) -> Play:
    return Play(item=item, watched_at=write.at.replace(microsecond=0))
