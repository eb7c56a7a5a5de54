"""The simulated services in a process of their own, so that their work does not count as ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
import sys
from typing import Any

import aiohttp

ROOT = Path(__file__).parent.parent
OFFSET = 20_000
"""Added to the usual ports, so that a running demo is not disturbed."""
PORTS = {"trakt": 8871, "simkl": 8872, "kinopub": 8873}

type Json = dict[str, Any]


@dataclass(slots=True)
class Simulated:
    """The three services; `now` is their clock, which `advance` moves for all of them."""

    session: aiohttp.ClientSession
    ahead: timedelta = field(default_factory=timedelta)

    def url(self, tracker: str) -> str:
        """Return the base URL of a service."""
        return f"http://127.0.0.1:{PORTS[tracker] + OFFSET}"

    def now(self) -> datetime:
        """Return the simulated time (UTC)."""
        return datetime.now(UTC) + self.ahead

    async def control(self, tracker: str, what: str, **data: Any) -> Json:
        """Make a control call."""
        async with self.session.post(
            f"{self.url(tracker)}/_control/{what}", json=data
        ) as response:
            response.raise_for_status()
            answer: Json = await response.json()
            return answer

    async def advance(self, seconds: float) -> None:
        """Move the clock that all services share."""
        await self.control("trakt", "advance", seconds=seconds)
        self.ahead += timedelta(seconds=seconds)

    async def take(self, tracker: str) -> list[Json]:
        """Return the requests since the last call, and forget them."""
        url = f"{self.url(tracker)}/_control/requests"
        async with self.session.get(url) as response:
            rows: list[Json] = (await response.json())["requests"]
        async with self.session.delete(url) as response:
            response.raise_for_status()
        return rows


@asynccontextmanager
async def simulated(
    shows: int, in_progress: int, arguments: Sequence[str] = ()
) -> AsyncIterator[Simulated]:
    """Run the services with so many shows, all of them watched or begun."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulators", "--shows", str(shows), "--in-progress", str(in_progress),
        "--watched", "100", "--auto-approve", "--port-offset", str(OFFSET), *arguments,
        cwd=ROOT, stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with aiohttp.ClientSession() as session:
            services = Simulated(session)
            async with asyncio.timeout(60):
                for tracker in PORTS:
                    await _answers(session, f"{services.url(tracker)}/_control/state")
            yield services
    finally:
        process.terminate()
        await process.wait()


async def _answers(session: aiohttp.ClientSession, url: str) -> None:
    while True:
        try:
            async with session.get(url):
                return
        except aiohttp.ClientError:
            await asyncio.sleep(0.1)
