"""A real Kodi on a screen that nobody sees, with a library of its own, controlled over its JSON-RPC."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from pathlib import Path
import secrets
import sqlite3
from typing import Any
from xml.sax.saxutils import escape

import aiohttp
from checks import happens, until
from home_assistant import DemoError, Process
from realplayers_home import RUNTIME, Home
from realplayers_tools import free_port, make_video, need

from simulators.catalogue import CatalogueEpisode

INTEGRATION = "kodi"
PACKAGES = "kodi xvfb ffmpeg"
USER = "kodi"
PROGRAMS = ("/usr/lib/x86_64-linux-gnu/kodi/kodi.bin", "/usr/lib/kodi/kodi.bin")
"""The player itself: the script around it would be what we end."""
ID_NAMES = ("imdb", "tmdb", "tvdb")
NO_SOUND = "pcm.!default { type null }\nctl.!default { type null }\n"
ADVANCED = """\
<advancedsettings version="1.0">
  <jsonrpc><tcpport>{port}</tcpport></jsonrpc>
</advancedsettings>
"""

type Json = dict[str, Any]


class Kodi:
    """Kodi, and the files in its library."""

    def __init__(
        self, folder: Path, home: Home, episodes: Sequence[CatalogueEpisode]
    ) -> None:
        """Keep everything in `folder`; `episodes` are those it has."""
        program = next((path for path in PROGRAMS if Path(path).exists()), "kodi")
        need(PACKAGES, program, "Xvfb", "ffmpeg")
        self.folder = folder
        self.home = home
        self.episodes = episodes
        self.port = free_port()
        self.socket_port = free_port()
        self.password = secrets.token_hex(8)
        self.screen = Process(
            "Xvfb", folder / "xvfb.log",
            "Xvfb", "-displayfd", "1", "-screen", "0", "640x360x24", "-nolisten", "tcp",
        )  # fmt: skip
        self.process = Process(
            "Kodi", folder / "kodi.log", program, "--windowing=x11", "--audio-backend=alsa"
        )  # fmt: skip
        self._ids: dict[tuple[int, int], int] = {}
        """Season and number -> the number of an episode in the library."""

    async def start(self) -> None:
        """Start it, make its library, and have it in Home Assistant."""
        self._write_settings()
        await self._write_media()
        await self.screen.start()

        async def display() -> str | None:
            return self.screen.tail(1) if self.screen.tail(1).isdigit() else None

        number = await until("there is no screen", display, 20)
        self.process.environment |= {
            "HOME": str(self.folder),
            "DISPLAY": f":{number}",
            "LIBGL_ALWAYS_SOFTWARE": "1",
        }
        # its database comes with the first start, and where the files are is only read at a start
        await self._start()
        await self._quit()
        self._add_sources()
        await self._start()
        await self._call("VideoLibrary.Scan", showdialogs=False)
        await until("the library stays empty", self._scanned)
        await self.home.add_player(
            INTEGRATION,
            {"host": "127.0.0.1", "port": self.port, "ssl": False},
            {"username": USER, "password": self.password},
            {"ws_port": self.socket_port},
        )

    async def stop(self) -> None:
        """End it, and its screen."""
        await self.process.stop()
        await self.screen.stop()

    async def play(self, episode: CatalogueEpisode) -> None:
        """Play an episode of the library."""
        number = self._ids[episode.season, episode.number]
        await self._call("Player.Open", item={"episodeid": number})

    async def pause(self) -> None:
        """Pause."""
        await self._call("Player.PlayPause", playerid=1, play=False)

    async def resume(self) -> None:
        """Go on."""
        await self._call("Player.PlayPause", playerid=1, play=True)

    async def seek(self, position: int) -> None:
        """Go to a position (seconds)."""
        minutes, seconds = divmod(position, 60)
        time = {"hours": 0, "minutes": minutes, "seconds": seconds, "milliseconds": 0}
        await self._call("Player.Seek", playerid=1, value={"time": time})

    async def position(self) -> float | None:
        """Return where it is, in seconds; None when it plays nothing."""
        if not await self._call("Player.GetActivePlayers"):
            return None
        answer = await self._call(
            "Player.GetProperties", playerid=1, properties=["time"]
        )
        time = answer["time"]
        return float(time["hours"] * 3600 + time["minutes"] * 60 + time["seconds"])

    async def _call(self, method: str, **params: Any) -> Any:
        """Call a method of its JSON-RPC. Raises DemoError when it refuses."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        async with self.home.client.session.post(
            f"http://127.0.0.1:{self.port}/jsonrpc",
            json=body,
            auth=aiohttp.BasicAuth(USER, self.password),
        ) as response:
            answer: Json = await response.json(content_type=None)
        if "error" in answer:
            raise DemoError(f"Kodi, {method}: {answer['error']}")
        return answer["result"]

    async def _start(self) -> None:
        await self.process.start()

        async def answers() -> bool:
            with suppress(aiohttp.ClientError):
                return bool(await self._call("JSONRPC.Ping"))
            return False

        if not await happens(answers, 60):
            raise DemoError(f"Kodi does not start:\n{self.process.tail()}")

    async def _quit(self) -> None:
        await self._call("Application.Quit")
        await self.process.ended()

    async def _scanned(self) -> bool:
        answer = await self._call(
            "VideoLibrary.GetEpisodes", properties=["season", "episode"]
        )
        rows: list[Json] = answer.get("episodes", [])
        self._ids = {(r["season"], r["episode"]): r["episodeid"] for r in rows}
        return len(self._ids) == len(self.episodes)

    # files ----------------------------------------------------------------------------------------------------

    @property
    def _shows(self) -> Path:
        return self.folder / "shows"

    def _write_settings(self) -> None:
        user = self.folder / ".kodi" / "userdata"
        user.mkdir(parents=True)
        settings = {
            "services.webserver": "true",
            "services.webserverport": str(self.port),
            "services.webserverauthentication": "true",
            "services.webserverusername": USER,
            "services.webserverpassword": self.password,
            "services.esenabled": "true",
            "services.esallinterfaces": "false",
            "services.zeroconf": "false",
            "services.upnp": "false",
            "general.addonupdates": "2",
        }
        rows = (
            f'<setting id="{key}">{value}</setting>' for key, value in settings.items()
        )
        (user / "guisettings.xml").write_text(
            f'<settings version="2">{"".join(rows)}</settings>'
        )
        (user / "advancedsettings.xml").write_text(
            ADVANCED.format(port=self.socket_port)
        )
        (self.folder / ".asoundrc").write_text(NO_SOUND)

    async def _write_media(self) -> None:
        """Make a video and a description of each episode, with ids as media managers write them."""
        show = self.home.show
        folder = self._shows / show.title
        folder.mkdir(parents=True)
        (folder / "tvshow.nfo").write_text(
            f"<tvshow><title>{escape(show.title)}</title><year>{show.year}</year>{ids(show.ids)}</tvshow>"
        )
        video = self.folder / "video.mkv"
        await make_video(video, RUNTIME)
        for episode in self.episodes:
            name = f"{show.title} S{episode.season:02d}E{episode.number:02d}"
            (folder / f"{name}.mkv").hardlink_to(video)
            (folder / f"{name}.nfo").write_text(
                f"<episodedetails><title>{escape(episode.title)}</title><season>{episode.season}</season>"
                f"<episode>{episode.number}</episode>{ids(episode.ids)}</episodedetails>"
            )

    def _add_sources(self) -> None:
        """Say which folder has shows, which is not to be said by JSON-RPC."""
        (path,) = (self.folder / ".kodi/userdata/Database").glob("MyVideos*.db")
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(
                "INSERT INTO path (strPath, strContent, strScraper, scanRecursive, useFolderNames, noUpdate, exclude)"
                " VALUES (?, 'tvshows', 'metadata.local', 0, 0, 0, 0)",
                (f"{self._shows}/",),
            )


def ids(known: dict[str, int | str]) -> str:
    """Return external ids as they stand in a description."""
    return "".join(
        f'<uniqueid type="{name}" default="{str(name == "tvdb").lower()}">{known[name]}</uniqueid>'
        for name in ID_NAMES
        if name in known
    )


@asynccontextmanager
async def kodi(
    folder: Path, home: Home, episodes: Sequence[CatalogueEpisode]
) -> AsyncIterator[Kodi]:
    """Run Kodi as a player of Home Assistant."""
    own = folder / "kodi"
    own.mkdir()
    player = Kodi(own, home, episodes)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(player.stop)
        await player.start()
        yield player
