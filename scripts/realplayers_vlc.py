"""A real VLC without a screen, controlled over its telnet interface."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
import os
from pathlib import Path
import secrets

from checks import until
from home_assistant import DemoError, Process
from realplayers_home import RUNTIME, Home
from realplayers_tools import free_port, make_video, need

from simulators.catalogue import CatalogueEpisode

NOBODY = 65534
"""The user and group that VLC runs as where we are root, which it refuses to be."""
INTEGRATION = "vlc_telnet"
PACKAGES = "vlc-bin vlc-plugin-base ffmpeg"
PROMPT = b"> "


class Vlc:
    """VLC, and the files it plays."""

    def __init__(self, folder: Path, home: Home) -> None:
        """Keep its files in `folder`, which other users can read."""
        self.folder = folder
        self.home = home
        self.port = free_port()
        self.password = secrets.token_hex(8)
        command = [
            "vlc", "-I", "telnet", "--telnet-host", "127.0.0.1", "--telnet-port", str(self.port),
            "--telnet-password", self.password, "--vout", "dummy", "--aout", "dummy", "--no-media-library",
        ]  # fmt: skip
        if os.geteuid() == 0:
            user = ("--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups")
            command = ["setpriv", *user, *command]
        need(PACKAGES, command[0], "vlc", "ffmpeg")
        self.process = Process(
            "VLC", folder / "vlc.log", *command, environment={"HOME": str(folder)}
        )
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def start(self) -> None:
        """Start it, log in to it, and have it in Home Assistant."""
        await self.process.start()

        async def connect() -> bool:
            with suppress(OSError):
                self._streams = await asyncio.open_connection("127.0.0.1", self.port)
            return self._streams is not None

        await until(f"VLC does not listen:\n{self.process.tail()}", connect, 20)
        await self._read(b"Password: ")
        await self._command(self.password)
        await self.home.add_player(
            INTEGRATION,
            {"host": "127.0.0.1", "port": self.port, "password": self.password},
        )

    async def stop(self) -> None:
        """End it."""
        if self._streams is not None:
            self._streams[1].close()
        await self.process.stop()

    async def play(self, episode: CatalogueEpisode) -> None:
        """Play a file with the name of an episode, made when it is needed."""
        name = self.home.show.title.replace(" ", ".")
        numbers = f"S{episode.season:02d}E{episode.number:02d}"
        path = self.folder / f"{name}.{numbers}.720p.WEB.x264.mkv"
        if not path.exists():
            await make_video(path, RUNTIME)
        await self._command("clear")
        await self._command(f"add {path}")

    async def pause(self) -> None:
        """Pause."""
        await self._command("pause")

    async def resume(self) -> None:
        """Go on; VLC has one command for both."""
        await self._command("pause")

    async def seek(self, position: int) -> None:
        """Go to a position (seconds)."""
        await self._command(f"seek {position}")

    async def position(self) -> float | None:
        """Return where it is, in seconds; None when it plays nothing."""
        answer = await self._command("get_time")
        return float(answer) if answer.isdigit() else None

    async def _command(self, command: str) -> str:
        """Send a line; returns the answer."""
        assert self._streams is not None
        self._streams[1].write(f"{command}\n".encode())
        return (await self._read(PROMPT)).strip()

    async def _read(self, end: bytes) -> str:
        assert self._streams is not None
        try:
            async with asyncio.timeout(10):
                answer = await self._streams[0].readuntil(end)
        except (EOFError, TimeoutError):
            raise DemoError(f"VLC does not answer:\n{self.process.tail()}") from None
        return answer.removesuffix(end).decode(errors="replace")


@asynccontextmanager
async def vlc(folder: Path, home: Home) -> AsyncIterator[Vlc]:
    """Run VLC as a player of Home Assistant."""
    media = folder / "vlc"
    media.mkdir()
    if os.geteuid() == 0:
        os.chown(media, NOBODY, NOBODY)
    player = Vlc(media, home)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(player.stop)
        await player.start()
        yield player
