"""How long the event loop was kept from other work, and by what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
import gc
import sys
import threading
import time
import traceback

TICK = 0.001
"""Seconds between two looks."""
LONG = 0.012
"""Seconds after which it is noted what the loop's thread is at."""


@dataclass(slots=True)
class Stall:
    """The longest delay of a 1 ms ticker, in milliseconds, and what ran 12 ms into it."""

    longest: float = 0
    where: str = ""
    collecting: float = 0
    """The longest garbage collection, in milliseconds; no thread runs meanwhile."""
    _ticked: float = field(default_factory=time.perf_counter)
    _seen: str = ""

    def tick(self) -> None:
        """Note that the loop came round."""
        now = time.perf_counter()
        late = (now - self._ticked - TICK) * 1000
        if late > self.longest:
            self.longest, self.where = late, self._seen
        self._ticked, self._seen = now, ""

    def look(self, thread: int) -> None:
        """Note, from another thread, what keeps the loop's thread."""
        if not self._seen and time.perf_counter() - self._ticked > LONG:
            frames = sys._current_frames()  # noqa: SLF001  # there is no public way
            stack = traceback.extract_stack(frames[thread])
            ours = [f for f in stack if "asyncio" not in f.filename][-3:]
            self._seen = " < ".join(
                f"{f.filename.rsplit('/', 1)[-1]}:{f.lineno} {f.name}"
                for f in reversed(ours)
            )


@asynccontextmanager
async def watched() -> AsyncIterator[Stall]:
    """Measure the longest stall inside the `async with`."""
    stall = Stall()
    over = threading.Event()
    loop_thread = threading.get_ident()

    async def tick() -> None:
        while True:
            await asyncio.sleep(TICK)
            stall.tick()

    def look() -> None:
        while not over.wait(0.002):
            stall.look(loop_thread)

    began = 0.0

    def collect(phase: str, _: object) -> None:
        nonlocal began
        if phase == "start":
            began = time.perf_counter()
        else:
            took = (time.perf_counter() - began) * 1000
            stall.collecting = max(stall.collecting, took)

    gc.collect()
    gc.freeze()  # what was there before does not count: only our own objects are gone through
    gc.callbacks.append(collect)
    observer = threading.Thread(target=look, daemon=True)
    observer.start()
    ticker = asyncio.create_task(tick())
    await asyncio.sleep(0.05)
    stall.longest = stall.collecting = 0
    try:
        yield stall
    finally:
        await asyncio.sleep(0.01)
        over.set()
        gc.callbacks.remove(collect)
        gc.unfreeze()
        ticker.cancel()
