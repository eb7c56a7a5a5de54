"""Time that stands still until a test moves it: Home Assistant's, the simulators' and the event loop's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
import time
from typing import Any

import pytest

from custom_components.up_next.players import scrobbler
from custom_components.up_next.trackers.transport import Transport
from homeassistant.core import HomeAssistant
from homeassistant.helpers import event
from simulators.clock import Clock

PATIENCE = 5.0
"""Seconds of real time that a thread gets to finish what it does,"""
HANGING = 0.05
"""and a request, while nothing happens at either end of it: both are here."""
AT_REST = 3
"""So many turns of the event loop without anything to do."""


def _let_others_work() -> None:
    """Leave the processor to a thread, or to the network."""
    time.sleep(0.0001)


class Travel:
    """Moves all clocks at once, from one timer to the next: each fires exactly when it is due.

    Nothing that waits for a timer goes on by itself, so that what takes real time (a request, a thread) is over
    before any time passes.
    """

    def __init__(
        self, hass: HomeAssistant, clock: Clock, patch: pytest.MonkeyPatch
    ) -> None:
        """Stop the clocks."""
        self._loop: Any = hass.loop
        self.clock = clock
        self._threads = 0
        self._requests = 0
        self._now: float = self._loop.time()
        clock.freeze()
        patch.setattr(self._loop, "time", lambda: self._now)
        patch.setattr(scrobbler, "monotonic", lambda: self._now)
        patch.setattr(event, "time_tracker_utcnow", clock.now)
        patch.setattr(event, "time_tracker_timestamp", lambda: clock.now().timestamp())
        self._mind_threads(patch)
        self._mind_requests(patch)

    def _mind_threads(self, patch: pytest.MonkeyPatch) -> None:
        run = self._loop.run_in_executor

        def counted(
            executor: Executor | None, function: Callable[..., Any], *args: Any
        ) -> asyncio.Future[Any]:
            future: asyncio.Future[Any] = run(executor, function, *args)
            self._threads += 1
            future.add_done_callback(ended)
            return future

        def ended(_: object) -> None:
            self._threads -= 1

        patch.setattr(self._loop, "run_in_executor", counted)

    def _mind_requests(self, patch: pytest.MonkeyPatch) -> None:
        request = Transport.request

        async def counted(transport: Transport, *args: Any, **more: Any) -> Any:
            self._requests += 1
            try:
                return await request(transport, *args, **more)
            finally:
                self._requests -= 1

        async def at_once(transport: Transport, kind: str) -> None:
            """Take no turns: how fast a service may be asked is tested elsewhere."""

        patch.setattr(Transport, "request", counted)
        patch.setattr(Transport, "_wait_turn", at_once)

    @property
    def now(self) -> float:
        """Return the event loop's time, in seconds."""
        return self._now

    async def settle(self) -> None:
        """Let everything happen that needs no time to pass."""
        rest, quiet = 0, time.monotonic()
        while rest < AT_REST:
            await asyncio.sleep(0)
            if self._loop._ready:
                rest, quiet = 0, time.monotonic()
                continue
            patience = PATIENCE if self._threads else HANGING
            waited = time.monotonic() - quiet
            if (self._threads or self._requests) and waited < patience:
                _let_others_work()
            else:
                rest += 1

    async def wait(self, seconds: float) -> None:
        """Let time pass."""
        end = self._now + seconds
        await self.settle()
        while (due := self._next_timer()) is not None and due <= end:
            self._go_to(due)
            await self.settle()
        self._go_to(end)
        await self.settle()

    async def until(
        self, condition: Callable[[], object], within: float = 60.0, what: object = ""
    ) -> None:
        """Let time pass until a condition holds; fail when that takes more than `within` seconds."""
        end = self._now + within
        await self.settle()
        while not condition():
            due = self._next_timer()
            if due is None or due > end:
                pytest.fail(f"it never came about: {what or condition}")
            self._go_to(due)
            await self.settle()

    def skip(self, seconds: float) -> None:
        """Let time pass at once: what was due meanwhile is done when something happens next."""
        self._go_to(self._now + seconds)

    def jump(self, seconds: float) -> None:
        """Set the wall clock, as if somebody had turned it."""
        self.clock.advance(seconds)

    def _go_to(self, moment: float) -> None:
        if moment > self._now:
            self.clock.advance(moment - self._now)
            self._now = moment

    def _next_timer(self) -> float | None:
        return min(
            (timer.when() for timer in self._loop._scheduled if not timer.cancelled()),
            default=None,
        )
