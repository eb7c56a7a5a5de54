"""The durable, ordered, paced queue of writes of one account.

A write is stored before anything is sent, sent in order, repeated where that is safe, and looked up before it is
repeated where it is not (scrobbling.md section 8.9).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
import contextlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
import logging
import random
from typing import Final, Protocol

from .queued import OutboxEntry, State, hasty, superseded, undoes, undone
from .trackers.errors import (
    AccessDenied,
    LimitReached,
    RateLimited,
    Refused,
    SignInRequired,
    TrackerError,
    Unavailable,
    Unsure,
)
from .trackers.tracker import QueuedWrite, Tracker
from .writes import Outcome, Receipt, Scrobble, ScrobbleAction, Write, keeps

__all__ = ["Listener", "Outbox", "OutboxEntry", "OutboxStore", "State"]

_LOGGER = logging.getLogger(__name__)

BACK_OFF: Final = (30.0, 120.0, 600.0, 3600.0, 21600.0)
"""Seconds before each repetition, the last one for good; +-20 %."""
ANSWERED_ATTEMPTS: Final = 5
"""Attempts that the service may answer with an error of its own before a write is set aside."""
KEEP: Final = timedelta(days=30)
"""A write that could not be delivered for so long is set aside; what tells of the present is worth less (`keeps`)."""
TOO_LATE: Final = Receipt(outcome=Outcome.REFUSED, reason="too_late")
DONE: Final = Receipt(outcome=Outcome.DONE)


class OutboxStore(Protocol):
    """Where the entries of one account are kept; every method returns when the change is on disk."""

    async def load(self) -> Sequence[OutboxEntry]:
        """Return all entries in order."""

    async def add(
        self, writes: Sequence[Write], created_at: datetime
    ) -> Sequence[OutboxEntry]:
        """Store new writes, in order."""

    async def update(self, entries: Sequence[OutboxEntry]) -> None:
        """Store the changed state of entries."""

    async def remove(self, ids: Sequence[int]) -> None:
        """Forget entries."""


class Listener(Protocol):
    """Who wants to know what becomes of the writes."""

    def settled(self, settled: Sequence[tuple[OutboxEntry, Receipt]]) -> None:
        """Hear that writes got their receipts, or were given up (`Outcome.REFUSED`)."""

    def changed(self) -> None:
        """Hear that the number of pending or failed writes changed."""

    def halted(self, error: SignInRequired | AccessDenied) -> None:
        """Hear that sending stopped until `resume`: a person has to act."""


class Outbox:
    """Sends the writes of one account, in order."""

    def __init__(
        self,
        tracker: Tracker,
        store: OutboxStore,
        listener: Listener,
        *,
        now: Callable[[], datetime],
    ) -> None:
        """Tell `listener` what happens; `now` returns UTC."""
        self._tracker = tracker
        self._store = store
        self._listener = listener
        self._now = now
        self._pending: list[OutboxEntry] = []
        self._failed: dict[int, OutboxEntry] = {}
        self._known: set[int] = set()
        """Every entry that was taken up in this run, settled ones too: none is taken up twice."""
        self._waiting: dict[int, asyncio.Future[Receipt]] = {}
        self._wake = asyncio.Event()
        self._not_before: datetime | None = None
        self._halted = False
        self._offline = False
        self._tried_at: datetime | None = None
        """When sending failed last."""
        self._waits_for = 0
        """The entry that `_not_before` was set for; 0: it holds for all."""
        self._in_turn_until = datetime.min.replace(tzinfo=UTC)
        """Until then (UTC) nothing is sent out of turn."""
        self._answered: dict[int, int] = {}
        """How often the service answered an entry with an error of its own."""
        self._singly_until = 0
        """The last entry of a batch that failed as a whole: up to it, writes are sent one by one."""
        self._sending = asyncio.Lock()

    @property
    def pending(self) -> Sequence[OutboxEntry]:
        """Return the writes still to be sent, in order."""
        return tuple(self._pending)

    @property
    def failed(self) -> Sequence[OutboxEntry]:
        """Return the writes that were set aside and wait for a person."""
        return tuple(self._failed.values())

    async def load(self) -> None:
        """Take up what an earlier run left behind."""
        interrupted: list[OutboxEntry] = []
        found: list[OutboxEntry] = []
        for entry in await self._store.load():
            if entry.id in self._known:
                continue
            if entry.state is State.FAILED:
                self._known.add(entry.id)
                self._failed[entry.id] = entry
                continue
            if entry.state is State.SENDING:
                entry = replace(entry, state=State.UNSURE)
                interrupted.append(entry)
            found.append(entry)
        self._take(found)
        if interrupted:
            await self._store.update(interrupted)
        self._listener.changed()

    async def put(
        self, writes: Sequence[Write], *, waited_for: bool = False
    ) -> Sequence[OutboxEntry]:
        """Store writes and get them sent. Returns as soon as they are on disk.

        `waited_for` promises that `receipts` will be asked: what is refused meanwhile is then told there, and only
        there. Otherwise what is refused is set aside for a person.
        """
        entries = await self._store.add(writes, self._now())
        if waited_for:
            loop = asyncio.get_running_loop()
            self._waiting.update((entry.id, loop.create_future()) for entry in entries)
        self._take(entries)
        self._hurry()
        return entries

    def adopt(self, entries: Sequence[OutboxEntry]) -> None:
        """Get entries sent that were stored by somebody else, together with something that belongs to them.

        Entries that are known already are left as they are.
        """
        self._take(entries)
        self._hurry()

    def _take(self, entries: Sequence[OutboxEntry]) -> None:
        """Line up entries not known yet, in the order in which they were stored."""
        fresh = [entry for entry in entries if entry.id not in self._known]
        self._known.update(entry.id for entry in fresh)
        self._pending = sorted(self._pending + fresh, key=lambda entry: entry.id)

    def _hurry(self) -> None:
        """Say that there is something new, and get it sent.

        A service that could not be reached is tried again soon: it may be back, and what has just begun can't wait
        for hours because older writes do.
        """
        if self._offline and self._not_before and self._tried_at:
            soon = self._tried_at + timedelta(seconds=BACK_OFF[0])
            self._not_before = min(self._not_before, soon)
        self._listener.changed()
        self._wake.set()

    async def receipts(
        self, entries: Sequence[OutboxEntry], timeout: float
    ) -> list[Receipt | None]:
        """Wait up to `timeout` seconds for what became of writes put with `waited_for`; None: still on their way."""
        futures = [self._waiting[entry.id] for entry in entries]
        try:
            if futures:
                await asyncio.wait(futures, timeout=timeout)
        finally:
            for entry in entries:
                self._waiting.pop(entry.id, None)
        return [future.result() if future.done() else None for future in futures]

    async def run(self) -> None:
        """Send what is pending, for good; ends by cancellation only."""
        while True:
            self._wake.clear()
            try:
                pause = await self.flush()
            except Exception:
                # a full disk, for one: nothing is lost, as what can't be stored is not sent
                _LOGGER.exception("The outbox of %s stumbled", self._tracker.name)
                pause = BACK_OFF[0]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()

    async def flush(self) -> float | None:
        """Send what can be sent now. Returns the seconds to wait before the next try, None when nothing is due."""
        async with self._sending:
            await self._tidy()
            while self._pending and not self._halted:
                if self._not_before is not None:
                    if (pause := (self._not_before - self._now()).total_seconds()) > 0:
                        sooner = await self._overtake()
                        if sooner is None:
                            return pause
                        if sooner > 0:
                            return min(pause, sooner)
                        continue
                    self._not_before = None
                await self._send_batch(self._next_batch())
                await self._tidy()
            return None

    def resume(self) -> None:
        """Go on sending: the account was signed in again, or its service can be reached again."""
        self._halted = False
        if self._offline:
            self._offline = False
            self._not_before = None
        self._wake.set()

    async def retry(self, entry_id: int, write: Write | None = None) -> OutboxEntry:
        """Send a failed write once more, changed to `write` when given."""
        entry = self._failed.pop(entry_id)
        (fresh,) = await self._store.add([write or entry.write], self._now())
        # it may have been carried out before it was set aside
        fresh = replace(fresh, state=State.UNSURE)
        await self._store.update([fresh])
        await self._store.remove([entry_id])
        self._take([fresh])
        self._hurry()
        return fresh

    async def drop(self, entry_id: int) -> None:
        """Forget a failed write."""
        del self._failed[entry_id]
        await self._store.remove([entry_id])
        self._listener.changed()

    async def _tidy(self) -> None:
        """Give up what is not worth sending any more: it came too late, or something newer says it all."""
        late = [entry for entry in self._pending if self._is_late(entry)]
        if gone := late + [e for e in superseded(self._pending) if e not in late]:
            _LOGGER.debug(
                "%s need not hear of %d write(s) any more",
                self._tracker.name,
                len(gone),
            )
            await self._settle([(entry, TOO_LATE) for entry in gone])
        for play, removal in undone(self._pending):
            _LOGGER.debug("%s need not hear of an undone play", self._tracker.name)
            await self._settle([(play, TOO_LATE), (removal, DONE)], for_good=True)

    def _is_late(self, entry: OutboxEntry) -> bool:
        """Say whether an entry is not worth even a first attempt. What is kept for long gets its attempt first."""
        keep = keeps(entry.write)
        return keep < KEEP and self._now() - entry.created_at > keep

    async def _overtake(self) -> float | None:
        """Send what plays now, though the service fails to carry out what was asked before.

        Returns the seconds to wait before that, None when there is nothing. How it fares changes nothing for what it
        overtakes: that is tried again in its own time.
        """
        if self._offline or not self._waits_for or self._not_before is None:
            return None
        if (entry := hasty(self._pending)) is None:
            return None
        if (pause := (self._in_turn_until - self._now()).total_seconds()) > 0:
            return pause
        waits_for, not_before = self._waits_for, self._not_before
        await self._send_batch([entry])
        if self._not_before != not_before:
            self._in_turn_until = self._not_before
            self._not_before = max(not_before, self._not_before)
            self._waits_for = waits_for
        await self._tidy()
        return 0.0

    def _next_batch(self) -> list[OutboxEntry]:
        writes = [entry.write for entry in self._pending]
        singly = self._pending[0].id <= self._singly_until
        count = 1 if singly else self._tracker.combine(writes)
        return self._pending[: max(1, count)]

    async def _send_batch(self, batch: Sequence[OutboxEntry]) -> None:
        queued = [
            QueuedWrite(
                write=entry.write,
                created_at=entry.created_at,
                unsure=entry.state is State.UNSURE,
            )
            for entry in batch
        ]
        await self._store.update(
            [replace(entry, state=State.SENDING) for entry in batch]
        )
        try:
            receipts = await self._tracker.send(queued)
        except asyncio.CancelledError:
            # whether it was carried out is not known: the stored state says so to the next run
            self._replace([replace(entry, state=State.UNSURE) for entry in batch])
            raise
        except TrackerError as error:
            await self._failed_to_send(batch, error)
        except Exception as error:
            _LOGGER.exception("Sending to %s failed unexpectedly", self._tracker.name)
            await self._failed_to_send(
                batch, Unsure(type(error).__name__, key="unexpected"), answered=True
            )
        else:
            await self._settle(list(zip(batch, receipts, strict=True)))

    async def _failed_to_send(
        self,
        batch: Sequence[OutboxEntry],
        error: TrackerError,
        *,
        answered: bool = False,
    ) -> None:
        _LOGGER.debug(
            "%s did not take %d write(s): %s", self._tracker.name, len(batch), error
        )
        if isinstance(error, (LimitReached, Refused)):
            if len(batch) > 1:
                self._singly_until = batch[-1].id
                await self._keep(batch, unsure=False)
                return
            await self._settle([(batch[0], _refusal(error))])
            return
        if isinstance(error, (SignInRequired, AccessDenied)):
            self._halted = True
            await self._keep(batch, unsure=False)
            self._listener.halted(error)
            return
        if isinstance(error, RateLimited):
            self._offline = False
            self._waits_for = 0
            self._not_before = self._now() + timedelta(seconds=error.retry_after)
            await self._keep(batch, unsure=False)
            return
        unsure = isinstance(error, Unsure)
        answered = answered or (isinstance(error, Unavailable) and error.answered)
        if answered and len(batch) > 1:
            self._singly_until = batch[-1].id
        self._offline = not answered
        self._tried_at = self._now()
        self._waits_for = batch[0].id
        attempts = batch[0].attempts + 1
        delay = BACK_OFF[min(attempts, len(BACK_OFF)) - 1] * random.uniform(0.8, 1.2)  # noqa: S311
        self._not_before = self._now() + timedelta(seconds=delay)
        if answered:
            for entry in batch:
                self._answered[entry.id] = self._answered.get(entry.id, 0) + 1
        kept = [replace(entry, attempts=attempts) for entry in batch]
        given_up = [
            entry
            for entry in kept
            if self._answered.get(entry.id, 0) >= ANSWERED_ATTEMPTS
            or self._now() - entry.created_at > keeps(entry.write)
        ]
        await self._keep(
            [entry for entry in kept if entry not in given_up], unsure=unsure
        )
        if given_up:
            await self._settle([(entry, _refusal(error)) for entry in given_up])

    async def _keep(self, batch: Sequence[OutboxEntry], *, unsure: bool) -> None:
        """Put a batch back; what was unsure stays so until an answer settles it."""
        kept = [
            replace(
                entry,
                state=State.UNSURE
                if unsure or entry.state is State.UNSURE
                else State.PENDING,
            )
            for entry in batch
        ]
        await self._store.update(kept)
        self._replace(kept)

    def _replace(self, entries: Sequence[OutboxEntry]) -> None:
        changed = {entry.id: entry for entry in entries}
        self._pending = [changed.get(entry.id, entry) for entry in self._pending]

    async def _settle(
        self,
        settled: Sequence[tuple[OutboxEntry, Receipt]],
        *,
        for_good: bool = False,
    ) -> None:
        """Close entries: forget them, or set aside what was refused with nobody waiting to hear of it.

        What tells of something that is over by now is never set aside: a person could do nothing about it. Nor is
        anything when it is `for_good`.
        """
        settled = [*settled, *self._in_vain(settled)]
        failed = [
            replace(
                entry,
                state=State.FAILED,
                reason=receipt.reason or receipt.outcome.value,
                placeholders=receipt.placeholders,
            )
            for entry, receipt in settled
            if receipt.outcome in (Outcome.NOT_FOUND, Outcome.REFUSED)
            and not self._is_heard(entry)
            and not _passes(entry.write)
            and not for_good
        ]
        set_aside = {entry.id for entry in failed}
        await self._store.update(failed)
        await self._store.remove(
            [entry.id for entry, _ in settled if entry.id not in set_aside]
        )
        self._failed.update((entry.id, entry) for entry in failed)
        closed = {entry.id for entry, _ in settled}
        if self._not_before is not None and self._waits_for in closed:
            # it grew long for one that is gone now
            soon = self._now() + timedelta(seconds=BACK_OFF[0])
            self._not_before = min(self._not_before, soon)
        self._pending = [entry for entry in self._pending if entry.id not in closed]
        self._listener.settled(settled)
        self._listener.changed()
        for entry, receipt in settled:
            self._answered.pop(entry.id, None)
            if _passes(entry.write) and receipt.reason:
                _LOGGER.debug("Forgotten by %s: %s", self._tracker.name, receipt.reason)
            if (future := self._waiting.get(entry.id)) and not future.done():
                future.set_result(receipt)

    def _in_vain(
        self, settled: Sequence[tuple[OutboxEntry, Receipt]]
    ) -> list[tuple[OutboxEntry, Receipt]]:
        """Close what takes back a play that added nothing: what there is was there before it."""
        closed = {entry.id for entry, _ in settled}
        found: list[tuple[OutboxEntry, Receipt]] = []
        for entry, receipt in settled:
            if receipt.outcome is not Outcome.ALREADY or receipt.plays:
                continue
            for later in self._pending:
                if later.id > entry.id and undoes(later.write, entry.write):
                    if later.id not in closed:
                        closed.add(later.id)
                        found.append((later, receipt))
                    break
        return found

    def _is_heard(self, entry: OutboxEntry) -> bool:
        future = self._waiting.get(entry.id)
        return future is not None and not future.done()


def _passes(write: Write) -> bool:
    """Say whether a write tells only how far a playback is."""
    return isinstance(write, Scrobble) and write.action is not ScrobbleAction.WATCHED


def _refusal(error: TrackerError) -> Receipt:
    return Receipt(
        outcome=Outcome.REFUSED,
        reason=error.translation_key,
        placeholders=error.placeholders,
    )
