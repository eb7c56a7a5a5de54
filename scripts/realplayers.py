"""Prove with a real player that what it plays is scrobbled, once and completely. Run by `scripts/realplayers`."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path
import shutil
import signal
import sys
import tempfile
import time
from typing import Protocol

import aiohttp
from checks import BEGAN, Failed, check, figure, happens, step, until
from home_assistant import DemoError
from realplayers_home import RUNTIME, Home, Told, new_home
from realplayers_kodi import kodi
from realplayers_vlc import vlc

from simulators.catalogue import CatalogueEpisode

HIGHEST = 79.99
"""Percent; what is told of a playback below is a position to go on from, above it was watched."""
CLOSE_TO_THE_END = 135
"""Seconds; less than two minutes from where the playback is, which would be told of as another start."""


class Player(Protocol):
    """A real player."""

    async def play(self, episode: CatalogueEpisode) -> None:
        """Play an episode of the show from its start."""

    async def pause(self) -> None:
        """Pause."""

    async def resume(self) -> None:
        """Go on."""

    async def seek(self, position: int) -> None:
        """Go to a position (seconds)."""

    async def position(self) -> float | None:
        """Return where it is, in seconds; None when it plays nothing."""


class Run:
    """The steps, in order."""

    def __init__(self, home: Home, player: Player) -> None:
        """Watch with `player`."""
        self.home = home
        self.player = player

    async def asked(self, episode: CatalogueEpisode) -> None:
        """Watch an episode that nobody has named yet: nothing is told before somebody has."""
        step(
            f"Watch {label(self.home, episode)}, of which the player says a title only"
        )
        home = self.home
        home.forget()
        await self.player.play(episode)
        seen = await home.becomes("needs_decision")
        figure(f"seen as {seen['reported']!r}, taken for {seen.get('match_certainty')}")
        await self.reaches(25)
        await self.player.seek(CLOSE_TO_THE_END)
        await self.ends()
        await until("no repair issue asks what it was", home.asks)
        told = [line for service in home.services for line in home.told(service)]
        check(not told, "a repair issue asks what it was; nothing was told meanwhile")
        chosen = await home.answer()
        check(chosen.startswith(home.show.title), f"answered: {chosen}")
        await self.is_counted(episode)
        check(not await home.asks(), "the issue is gone")

    async def unasked(self, episode: CatalogueEpisode) -> None:
        """Watch an episode that is known, with a pause: every service hears of it as it wants to."""
        step(f"Watch {label(self.home, episode)}, with a pause")
        home, player = self.home, self.player
        home.forget()
        await player.play(episode)
        seen = await home.becomes("playing")
        figure(f"seen as {seen['reported']!r}, known by {seen.get('match_method')}")
        await self.is_told("start")
        await self.reaches(30)
        await player.pause()
        await self.is_told("start", "pause")
        await player.resume()
        await self.is_told("start", "pause", "start")
        await self.reaches(50)
        await player.seek(CLOSE_TO_THE_END)
        await self.ends()
        await self.is_counted(episode)
        await self.is_told("start", "pause", "start", "watched")
        for service in home.services:
            told = ", ".join(map(str, home.told(service)))
            figure(f"{service.name} was told: {told}")
        simkl = next(s for s in home.services if s.name == "simkl")
        actions = [line.action for line in home.told(simkl)]
        # it wants to hear of pauses of a minute and more
        check(actions == ["start", "stop"], f"simkl: {', '.join(actions)}, once each")

    async def reaches(self, position: float) -> None:
        """Wait until the player is at a position (seconds)."""

        async def look() -> bool:
            return (await self.player.position() or 0) >= position

        await self._watch(look, f"the player is not at {position} s")

    async def ends(self) -> None:
        """Wait until the player has come to the end by itself, and Up Next has seen it."""

        async def look() -> bool:
            return await self.player.position() is None

        await self._watch(look, "the player does not come to the end")
        figure("came to its end")
        await self.home.becomes("idle", 60)

    async def _watch(self, look: Callable[[], Awaitable[bool]], otherwise: str) -> None:
        # nobody answers Home Assistant's pings meanwhile: it would close the connection
        await self.home.client.close()
        await until(otherwise, look, RUNTIME)

    async def is_told(self, *wanted: str) -> None:
        """Wait until Trakt was told just this."""
        trakt = next(s for s in self.home.services if s.name == "trakt")

        async def look() -> bool:
            return len(self.home.told(trakt)) >= len(wanted)

        await happens(look)
        told = self.home.told(trakt)
        text = ", ".join(map(str, told)) or "nothing"
        check([meaning(line) for line in told] == [*wanted], f"trakt was told: {text}")

    async def is_counted(self, episode: CatalogueEpisode) -> None:
        """Wait until each service has one play of an episode, and no other of the show by now."""
        counts: dict[str, int] = {}

        async def look() -> bool:
            nonlocal counts
            counts = self.home.plays(episode)
            return all(counts.values())

        await happens(look)
        check(
            set(counts.values()) == {1},
            f"plays of {label(self.home, episode)}: {counts}",
        )


def meaning(told: Told) -> str:
    """Return what Trakt makes of what it is told: it has one word for a pause and for an end."""
    if told.action == "stop":
        return "pause" if told.progress < HIGHEST else "watched"
    return told.action


def label(home: Home, episode: CatalogueEpisode) -> str:
    """Return an episode for people."""
    return f"{home.show.title} {episode.season}x{episode.number:02d}"


async def with_vlc(folder: Path, home: Home) -> None:
    """Watch two episodes of a show with VLC, which knows the names of files: a person has to name the show once."""
    first, second, *_ = (e for e in home.show.episodes if e.season > 0)
    async with vlc(folder, home) as player:
        figure(f"VLC plays as {home.player}")
        steps = Run(home, player)
        await steps.asked(first)
        await steps.unasked(second)


async def with_kodi(folder: Path, home: Home) -> None:
    """Watch an episode with Kodi, whose library has ids."""
    first, second, *_ = (e for e in home.show.episodes if e.season > 0)
    async with kodi(folder, home, (first, second)) as player:
        figure(f"Kodi plays as {home.player}")
        await Run(home, player).unasked(first)


PLAYERS = {"vlc": with_vlc, "kodi": with_kodi}


async def main(which: str, folder: Path) -> int:
    """Do everything with one player; returns the exit code."""
    task = asyncio.current_task()
    assert task is not None
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, task.cancel)
    try:
        async with new_home(folder, figure) as home:
            await PLAYERS[which](folder, home)
            figure("stopping ...")
    except asyncio.CancelledError:
        return 130
    except (Failed, DemoError, aiohttp.ClientError, KeyError, OSError) as error:
        print(f"\nFAILED: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(
        f"\nEverything as it must be, with Home Assistant {version('homeassistant')},"
        f" in {time.monotonic() - BEGAN:.0f} s."
    )
    return 0


def start() -> int:
    """Read the command line, and run in a folder of its own; returns the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/realplayers", description=__doc__)
    parser.add_argument("player", choices=PLAYERS)
    parser.add_argument("--keep", action="store_true", help="keep the files and logs")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="up-next-"))
    folder.chmod(0o755)  # the player may run as another user
    code = asyncio.run(main(options.player, folder))
    if options.keep or code == 1:
        print(f"The logs are in {folder}.", file=sys.stderr)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return code


if __name__ == "__main__":
    sys.exit(start())
