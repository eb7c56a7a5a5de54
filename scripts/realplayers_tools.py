"""What the runs with real players share: ports, programs, and a video to play."""

from __future__ import annotations

import asyncio
from pathlib import Path
import shutil
import socket

from home_assistant import DemoError

PICTURE = "testsrc=size=160x90:rate=4"


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
