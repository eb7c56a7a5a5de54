"""All simulated services start side by side, each on a port of its own."""

from __future__ import annotations

import asyncio
from pathlib import Path
import signal
import socket
import sys

import aiohttp

from custom_components.up_next.trackers import TRACKERS
from simulators.__main__ import SERVICES

ROOT = Path(__file__).parents[2]


def free(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) != 0


def test_every_tracker_has_one() -> None:
    assert {service.name for service in SERVICES} == set(TRACKERS)
    ports = {service.port for service in SERVICES}
    assert len(ports) == len(SERVICES)


async def test_all_at_once(socket_enabled: None) -> None:
    ports = {service.name: service.port for service in SERVICES}
    offset = next(
        n for n in range(20_000, 40_000, 50) if all(free(p + n) for p in ports.values())
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulators", "--shows", "5", "--movies", "5", "--port-offset", str(offset),
        cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            lines = [(await process.stdout.readline()).decode() for _ in SERVICES]
        urls = dict(line.strip().split(": ") for line in lines)
        assert urls == {
            name: f"http://127.0.0.1:{port + offset}" for name, port in ports.items()
        }
        async with aiohttp.ClientSession() as session:
            for url in urls.values():
                async with session.get(f"{url}/_control/state") as answer:
                    assert answer.status == 200
    finally:
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
