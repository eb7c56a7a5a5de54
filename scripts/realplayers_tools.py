"""What the runs with real players share: waiting, ports, programs, and a video to play."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
import shutil
import socket
import time

from home_assistant import DemoError

PICTURE = "testsrc=size=160x90:rate=4"


async def happens[T](
    look: Callable[[], Awaitable[T | None]], timeout: float = 45
) -> T | None:
    """Look again and again until there is something; None when nothing came in so many seconds."""
    end = time.monotonic() + timeout
    while not (found := await look()) and time.monotonic() < end:  # noqa: ASYNC110 (anything can be looked at)
        await asyncio.sleep(0.3)
    return found or None


async def until[T](
    otherwise: str, look: Callable[[], Awaitable[T | None]], timeout: float = 45
) -> T:
    """Look again and again until there is something. Raises DemoError, with what is wrong `otherwise`."""
    if (found := await happens(look, timeout)) is None:
        raise DemoError(f"After {timeout:.0f} s {otherwise}")
    return found


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def need(packages: str, *programs: str) -> None:
    """Raise DemoError when a program is not there; `packages` are those of Debian that have them."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        raise DemoError(
            f"{', '.join(missing)} is missing. On Debian: apt-get install --no-install-recommends {packages}"
        )


async def make_video(path: Path, seconds: int) -> None:
    """Make a small video that plays for so long."""
    process = await asyncio.create_subprocess_exec(
        "ffmpeg", "-hide_banner", "-loglevel", "error", "-f", "lavfi", "-i", PICTURE,
        "-c:v", "libx264", "-preset", "ultrafast", "-crf", "40", "-g", "8", "-t", str(seconds), "-an", str(path),
    )  # fmt: skip
    if await process.wait():
        raise DemoError(f"ffmpeg could not make {path.name}.")
