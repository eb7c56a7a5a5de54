"""A new Home Assistant with Up Next and a mapped player, for the runs with real players; the services are simulated."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
import json
from pathlib import Path
import sys
from typing import Any

import aiohttp
from checks import happens, until
from demo_requirements import LEFT_OUT
from demo_services import SimulatedService
from home_assistant import DOMAIN, FLOWS, Client, DemoError, Process
from realplayers_tools import free_port

from simulators.catalogue import (
    Catalogue,
    CatalogueEpisode,
    CatalogueShow,
    generate,
    watch,
)
from simulators.clock import Clock
from simulators.service import Service
from simulators.simkl import Simkl
from simulators.trakt import Trakt

ROOT = Path(__file__).parent.parent
MODULES = Path(__file__).parent / "demo_modules"
RUNTIME = 180
"""Seconds that an episode of the show lasts, so that watching it takes no evening."""
REPAIRS = "/api/repairs/issues/fix"
WAITING = "waiting_titles"
"""The repair issue about titles that a person has to name."""
CONFIGURATION = """\
homeassistant:
  name: Players
  time_zone: Europe/Amsterdam
  country: NL
  currency: EUR
  unit_system: metric
config:
frontend:
media_source:
repairs:
logger:
  default: warning
  logs:
    custom_components.up_next: debug
"""

type Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """What a service was told of a playback; `progress` in percent."""

    action: str
    progress: float

    def __str__(self) -> str:
        """Return it as "start 12 %"."""
        return f"{self.action} {self.progress:.0f} %"


@dataclass(slots=True)
class Home:
    """Home Assistant, the services behind its accounts, and the player that feeds them."""

    client: Client
    services: Sequence[Service]
    show: CatalogueShow
    scrobbling: str
    """The config entry of *Scrobbling*."""
    player: str = ""
    """The mapped media player."""

    def told(self, service: Service) -> list[Told]:
        """Return what a service was told of playbacks, in order."""
        return [
            Told(r.path.rpartition("/")[2], json.loads(r.body)["progress"])
            for r in service.requests
            if r.path.startswith("/scrobble/") and r.status < 300
        ]

    def forget(self) -> None:
        """Forget what the services were told so far."""
        for service in self.services:
            service.requests.clear()

    def plays(self, episode: CatalogueEpisode) -> dict[str, int]:
        """Return how many plays of an episode of the show each service has."""
        found: dict[str, int] = {}
        for service in self.services:
            if isinstance(service, Trakt):
                key = ("episode", int(episode.ids["trakt"]))
                found[service.name] = len(service.account.by_media.get(key, ()))
            elif isinstance(service, Simkl):
                found[service.name] = sum(
                    (episode.season, episode.number) in entry.watched
                    for entry in service.shelf.entries.values()
                    if entry.simkl == self.show.ids["simkl"]
                )
        return found

    async def add_player(self, integration: str, *steps: Json) -> str:
        """Set up an integration through its config flow, and map its player to all accounts; returns the player."""
        flow = await self.client.http("POST", FLOWS, {"handler": integration})
        for answers in steps:
            path = f"{FLOWS}/{flow['flow_id']}"
            flow = await self.client.http("POST", path, answers)
        if flow["type"] != "create_entry":
            raise DemoError(f"{integration} could not be set up: {flow}")

        async def entity() -> str | None:
            rows = await self.client.ws("config/entity_registry/list")
            found = (row["entity_id"] for row in rows if row["platform"] == integration)
            return next((e for e in found if e.startswith("media_player.")), None)

        self.player = await until(f"{integration} has no player", entity)
        unique_ids = await self.client.unique_ids()
        await self.client.add_subentry(
            self.scrobbling,
            "player",
            entity=self.player,
            accounts=list(unique_ids.values()),
        )
        return self.player

    async def playback(self) -> Json:
        """Return the state of the sensor that shows what Up Next makes of the player."""
        entities = (await self.client.entities()).get(self.scrobbling, {})
        return await self.client.state(entities["playback"])

    async def becomes(self, phase: str, timeout: float = 45) -> Json:
        """Wait until the player's sensor shows a phase; returns its attributes."""

        async def look() -> Json | None:
            shown = await self.playback()
            return shown if shown["state"] == phase else None

        if (found := await happens(look, timeout)) is None:
            raise DemoError(
                f"Not {phase} after {timeout:.0f} s, but {await self.playback()}\n"
                f"The player: {await self.client.state(self.player)}"
            )
        attributes: Json = found["attributes"]
        return attributes

    async def asks(self) -> bool:
        """Say whether there is a repair issue about titles that wait."""
        issues = (await self.client.ws("repairs/list_issues"))["issues"]
        return any((i["domain"], i["issue_id"]) == (DOMAIN, WAITING) for i in issues)

    async def answer(self) -> str:
        """Go through the repair flow, and choose the first title it offers; returns that."""
        flow = await self.client.http(
            "POST", REPAIRS, {"handler": DOMAIN, "issue_id": WAITING}
        )
        path = f"{REPAIRS}/{flow['flow_id']}"
        form = await self.client.http("POST", path, {"next_step_id": "pick"})
        first: Json = form["data_schema"][0]["selector"]["select"]["options"][0]
        end = await self.client.http("POST", path, {"choice": first["value"]})
        if end["type"] != "create_entry":
            raise DemoError(f"The repair flow did not end: {end}")
        return str(first["label"])


def short_show(catalogue: Catalogue) -> CatalogueShow:
    """Return a show that nobody has begun, with short episodes."""
    now = Clock().now()
    show = next(
        show
        for show in catalogue.shows[len(catalogue.shows) * 60 // 100 :]
        if not show.anime and len(show.aired(now)) >= 3
    )
    show.runtime = RUNTIME
    for episode in show.episodes:
        episode.runtime = RUNTIME
    return show


@asynccontextmanager
async def new_home(folder: Path, say: Callable[[str], None]) -> AsyncIterator[Home]:
    """Run services and Home Assistant, with an account of each service and *Scrobbling*; its files go to `folder`."""
    clock = Clock()
    catalogue = generate(clock.now(), shows=20, movies=10)
    show = short_show(catalogue)
    viewer = watch(catalogue, clock.now(), watched=60)
    services = [Trakt(catalogue, viewer, clock), Simkl(catalogue, viewer, clock)]
    async with AsyncExitStack() as stack:
        for service in services:
            await stack.enter_async_context(service.serve())
        port = free_port()
        config = folder / "config"
        write_configuration(config, port)
        process = Process(
            "Home Assistant", folder / "home-assistant.log",
            sys.executable, "-m", "homeassistant", "-c", str(config),
            "--skip-pip-packages", ",".join(LEFT_OUT),
            environment={"PYTHONPATH": str(MODULES)},
        )  # fmt: skip
        session = await stack.enter_async_context(aiohttp.ClientSession())
        client = Client(url=f"http://127.0.0.1:{port}", session=session)
        say(f"Starting Home Assistant {version('homeassistant')} ...")
        stack.push_async_callback(process.stop)
        await process.start()
        stack.push_async_callback(client.close)
        await client.answering()
        await client.onboard("demo", "demo")
        await client.running()
        for service in services:
            url = service.base_url
            entry = await client.add_account(
                SimulatedService(tracker=service.name, url=url)
            )
            say(f"Signed in to {entry['title']}.")
        scrobbling = await client.add_entry("scrobbling")
        yield Home(client, services, show, scrobbling["entry_id"])


def write_configuration(config: Path, port: int) -> None:
    """Write the files of a Home Assistant that nobody has used yet."""
    (config / "custom_components").mkdir(parents=True)
    (config / "custom_components" / DOMAIN).symlink_to(
        ROOT / "custom_components" / DOMAIN
    )
    (config / ".storage").mkdir()
    http = {"server_host": ["127.0.0.1"], "server_port": port}
    # from 2026.8 the address is a stored setting, and YAML only a trial of five minutes
    stored = tuple(map(int, version("homeassistant").split(".")[:2])) >= (2026, 8)
    if stored:
        store(config, "http", 1, http)
    yaml = "" if stored else f"http: {json.dumps(http)}\n"
    (config / "configuration.yaml").write_text(CONFIGURATION + yaml)
    done = ["core_config", "analytics", "integration"]
    store(config, "onboarding", 4, {"done": done})


def store(config: Path, key: str, number: int, data: Json) -> None:
    """Write one of Home Assistant's own files."""
    text = json.dumps({"version": number, "minor_version": 1, "key": key, "data": data})
    (config / ".storage" / key).write_text(text)
