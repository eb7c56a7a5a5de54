"""Hours in seconds: the clocks of Home Assistant and of the services, moved on together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
import time
from unittest.mock import patch

from custom_components.up_next.players import scrobbler
from homeassistant.helpers import event
from homeassistant.util import dt as dt_util
from simulators.clock import Clock

from .simulated import Simulated

QUIET = 0.02
"""Seconds of real time that what is due gets before the clocks are moved again."""


@dataclass(slots=True)
class Traveller:
    """Moves the clocks. Home Assistant must be set up while this is in force."""

    services: Simulated
    clock: Clock = field(default_factory=Clock)
    """Home Assistant's wall clock."""
    ahead: float = 0.0
    """Seconds by which everything is ahead of real time."""

    async def wait(self, seconds: float, step: float = 15.0) -> None:
        """Let time pass; no timer fires more than `step` seconds late."""
        while seconds > 0:
            ahead = min(seconds, step)
            seconds -= ahead
            await self.services.advance(ahead)
            self.clock.advance(ahead)
            self.ahead += ahead
            await asyncio.sleep(QUIET)


@asynccontextmanager
async def travelling(services: Simulated) -> AsyncIterator[Traveller]:
    """Have everything in this process go by clocks that can be moved."""
    traveller = Traveller(services)
    traveller.clock.advance(services.ahead.total_seconds())
    loop = asyncio.get_running_loop()
    loop_time, wall_time, monotonic = loop.time, time.time, time.monotonic

    def wall() -> float:
        return wall_time() + traveller.ahead

    with ExitStack() as stack:
        for target, name, moved in (
            # what is scheduled fires by itself, in order, when the loop's own clock has moved
            (loop, "time", lambda: loop_time() + traveller.ahead),
            (time, "time", wall),
            (event, "time_tracker_timestamp", wall),
            (event, "time_tracker_utcnow", traveller.clock.now),
            (dt_util, "utcnow", traveller.clock.now),
            (scrobbler, "monotonic", lambda: monotonic() + traveller.ahead),
        ):
            stack.enter_context(patch.object(target, name, moved))
        yield traveller
