"""From what is to be told to the outboxes: stored first, in order, nothing lost and nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
import logging
from typing import Final

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util

from ..coordinator import AccountCoordinator
from ..outbox import OutboxEntry
from ..scrobbling.saved import SavedSession
from ..writes import Write
from .store import Batch, CountedPlay, ScrobblingTables, WaitingPlay

_LOGGER = logging.getLogger(__name__)

AGAIN: Final = 30.0
"""Seconds until storing is tried again: the disk may be full."""


class Deliverer:
    """Stores what comes, and hands it to the outboxes of the accounts."""

    def __init__(
        self,
        hass: HomeAssistant,
        tables: ScrobblingTables,
        waits: Callable[[Sequence[WaitingPlay]], None],
    ) -> None:
        """Tell `waits` of plays that were stored to wait for a decision."""
        self._hass = hass
        self._tables = tables
        self._waits = waits
        self._next = Batch()
        self._any = asyncio.Event()
        self._storing = asyncio.Lock()
        self._left: dict[str, list[OutboxEntry]] = {}
        """What was stored for accounts while they were being set up, by config entry id."""

    def put(
        self,
        *,
        sessions: Mapping[str, Sequence[SavedSession]] | None = None,
        uncounted: Sequence[CountedPlay] = (),
        counted: Sequence[CountedPlay] = (),
        waiting: Sequence[WaitingPlay] = (),
        settled: Sequence[int] = (),
        writes: Mapping[str, Sequence[Write]] | None = None,
    ) -> None:
        """Add to what is stored next, all of it in one transaction."""
        self._next = _joined(
            self._next,
            Batch(
                sessions=sessions or {},
                uncounted=uncounted,
                counted=counted,
                waiting=waiting,
                settled=settled,
                writes=writes or {},
            ),
        )
        self._any.set()

    async def run(self) -> None:
        """Store and deliver, for good; ends by cancellation only."""
        while True:
            await self._any.wait()
            try:
                await self.flush()
            except Exception:
                # nothing is told that is not stored; it stays to be stored later
                _LOGGER.exception("Scrobbles could not be stored")
                await asyncio.sleep(AGAIN)

    async def flush(self) -> None:
        """Store and deliver what there is. Raises what storing raises, and then keeps it."""
        async with self._storing:
            self._any.clear()
            if not self._next:
                return
            batch, self._next = self._next, Batch()
            storing = asyncio.ensure_future(self._tables.store(batch, dt_util.utcnow()))
            cancelled = not await _over(storing)
            if error := storing.exception():
                self._next = _joined(batch, self._next)
                self._any.set()
                raise error
            entries, waiting = storing.result()
            for entry_id, stored in entries.items():
                self._hand_over(entry_id, stored)
            if waiting or batch.settled:
                self._waits(waiting)
            if cancelled:
                raise asyncio.CancelledError

    def _hand_over(self, entry_id: str, stored: Sequence[OutboxEntry]) -> None:
        """Give entries to an account that is set up; any other finds them when it is."""
        entry = self._hass.config_entries.async_get_entry(entry_id)
        if entry is None:
            return
        if entry.state is ConfigEntryState.LOADED:
            coordinator: AccountCoordinator = entry.runtime_data
            coordinator.async_adopt(stored)
        elif entry.state is ConfigEntryState.SETUP_IN_PROGRESS:
            # it may have looked already
            self._left.setdefault(entry_id, []).extend(stored)

    @callback
    def welcome(self, account: AccountCoordinator) -> None:
        """Give an account that was just set up what it may have missed; what it knows it does not take twice."""
        if left := self._left.pop(account.config_entry.entry_id, None):
            account.async_adopt(left)


async def _over[T](work: asyncio.Future[T]) -> bool:
    """Wait until something is over, come what may; say whether that was not interrupted.

    What is being stored is stored though its caller is cancelled: put back, it would be told twice.
    """
    calm = True
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError:
            calm = False
    return calm


def _joined(first: Batch, second: Batch) -> Batch:
    writes = {key: list(value) for key, value in first.writes.items()}
    for key, value in second.writes.items():
        writes.setdefault(key, []).extend(value)
    gone = {(play.audience, play.viewing) for play in second.uncounted}
    kept = [p for p in first.counted if (p.audience, p.viewing) not in gone]
    return replace(
        second,
        sessions={**first.sessions, **second.sessions},
        uncounted=[*first.uncounted, *second.uncounted],
        counted=[*kept, *second.counted],
        waiting=[*first.waiting, *second.waiting],
        settled=[*first.settled, *second.settled],
        writes=writes,
    )
