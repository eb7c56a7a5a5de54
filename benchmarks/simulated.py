"""The simulated services in a process of their own, so that their work does not count as ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
import socket
import sys
from typing import Any

import aiohttp

from simulators.__main__ import SERVICES

ROOT = Path(__file__).parent.parent
OFFSETS = range(20_000, 25_000, 100)
"""What is added to the usual ports, so that neither a running demo nor another benchmark is disturbed."""
PORTS: Mapping[str, int] = {service.name: service.port for service in SERVICES}
MOVIES = 40
"""In the simulated catalogue, numbered from `FIRST_MOVIE` on."""
FIRST_MOVIE = 500_000

type Json = dict[str, Any]


@dataclass(slots=True)
class Simulated:
    """All services; `now` is their clock, which `advance` moves for all of them."""

    session: aiohttp.ClientSession
    offset: int
    ahead: timedelta = field(default_factory=timedelta)
    _turn: int = 0

    def url(self, tracker: str) -> str:
        """Return the base URL of a service."""
        return f"http://127.0.0.1:{PORTS[tracker] + self.offset}"

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

    def another_movie(self) -> int:
        """Return the number of a movie, another one each time."""
        self._turn += 1
        return FIRST_MOVIE + self._turn % MOVIES

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
    offset = next(offset for offset in OFFSETS if _free(offset))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulators", "--shows", str(shows), "--in-progress", str(in_progress),
        "--watched", "100", "--auto-approve", "--port-offset", str(offset), *arguments,
        cwd=ROOT, stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with aiohttp.ClientSession() as session:
            services = Simulated(session, offset)
            async with asyncio.timeout(60):
                for tracker in PORTS:
                    url = f"{services.url(tracker)}/_control/state"
                    while not await _answers(session, url):
                        if process.returncode is not None:
                            raise RuntimeError("The simulated services did not start.")
                        await asyncio.sleep(0.1)
            yield services
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


def _free(offset: int) -> bool:
    for port in PORTS.values():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port + offset))
            except OSError:
                return False
    return True


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url):
            return True
    except aiohttp.ClientError:
        return False
