"""Run Up Next in a real Home Assistant against the simulated services. `scripts/demo` makes the environment."""

from __future__ import annotations

import argparse
import asyncio
from contextlib import AsyncExitStack
from importlib.metadata import version
import json
import os
from pathlib import Path
import shutil
import signal
import socket
import subprocess
import sys
import time
from typing import Any

import aiohttp
from demo_dashboard import LISTS, SCRIPTS, Account, dashboard, list_sensors
from demo_players import COMPONENTS, CONFIGURATION as MEDIA_PLAYERS, PLAYERS
from demo_requirements import LEFT_OUT
from demo_scene import Scene
from demo_services import PORTS, SETTINGS, SimulatedService, simulated_services
from home_assistant import FLOWS, RESTART_EXIT_CODE, Client, DemoError, Process

ROOT = Path(__file__).parent.parent
NAME = PASSWORD = "demo"
DASHBOARD = "up-next"

CONFIGURATION = f"""\
homeassistant:
  name: Demo
  latitude: 52.37
  longitude: 4.89
  elevation: 0
  unit_system: metric
  time_zone: Europe/Amsterdam
  currency: EUR
  country: NL
  language: en
frontend:
config:
recorder:
  exclude:
    entity_globs: {json.dumps(LISTS)}
history:
logbook:
media_source:
repairs:
media_player: {json.dumps(MEDIA_PLAYERS)}
script: !include scripts.yaml
template: !include templates.yaml
logger:
  default: warning
  logs:
    custom_components.up_next: info
"""
HTTP = """\
http:
  server_host: 127.0.0.1
  server_port: {port}
"""

type Json = dict[str, Any]


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument("--port", type=int)
    parser.add_argument("--shows", type=int, default=50)
    parser.add_argument("--movies", type=int, default=40)
    parser.add_argument("--in-progress", type=int)
    parser.add_argument("--airing-in", type=float)
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--once", metavar="COMMAND")
    return parser.parse_args()


class Demo:
    """The simulators and Home Assistant, and what is prepared in it."""

    def __init__(
        self, options: argparse.Namespace, session: aiohttp.ClientSession
    ) -> None:
        """Choose folders and ports; former ones when there is something to keep."""
        self.options = options
        self.began = time.monotonic()
        self.airs_at: float | None = None
        """When the scheduled airing is, in seconds since 1970; the simulators begin to count a moment later."""
        self.release = version("homeassistant")
        self.folder = ROOT / ".demo" / self.release
        self.config = self.folder / "config"
        self.file = self.folder / "demo.json"
        former: Json = json.loads(self.file.read_text()) if self.file.exists() else {}
        if former and not _free(former["port"]):
            raise DemoError(
                f"A demo, or something else, still runs at port {former['port']}: end it first."
            )
        if options.fresh and self.folder.exists():
            shutil.rmtree(self.folder)
            former = {}
        self.kept = bool(former)
        offset = former.get("offset", 0)
        if not _ports_free(offset):
            offset = next(n for n in range(100, 10_000, 100) if _ports_free(n))
        if former and offset != former["offset"]:
            raise DemoError(
                "The simulators' ports are taken. End the other demo, or begin anew with --fresh."
            )
        self.offset: int = offset
        port = (
            options.port
            or former.get("port")
            or next(p for p in range(8123, 8223) if _free(p))
        )
        if not _free(port):
            raise DemoError(f"Port {port} is taken. Choose another one with --port.")
        self.port: int = port
        self.client = Client(url=f"http://127.0.0.1:{port}", session=session)
        self.simulators = simulated_services(offset)
        self.services = Process(
            "The simulated services", self.folder / "simulators.log", sys.executable, "-m", "simulators",
            "--shows", str(options.shows), "--movies", str(options.movies), "--port-offset", str(offset),
            *(("--in-progress", str(options.in_progress)) if options.in_progress is not None else ()),
            *(("--airing-in", str(options.airing_in)) if options.airing_in is not None else ()),
        )  # fmt: skip
        self.home = Process(
            "Home Assistant", self.folder / "home-assistant.log",
            # -P: what stands beside the demo is not to be found, only what its configuration folder holds
            sys.executable, "-P", "-m", "homeassistant", "-c", str(self.config),
            "--skip-pip-packages", ",".join(LEFT_OUT),
            environment={"PYTHONPATH": str(Path(__file__).parent / "demo_modules")},
        )  # fmt: skip

    def say(self, text: str) -> None:
        """Tell the person at the terminal, with the seconds since the start."""
        print(f"{time.monotonic() - self.began:5.1f} s  {text}", flush=True)

    async def run(self) -> int:
        """Start everything, wait, and stop everything; returns the exit code."""
        async with AsyncExitStack() as stack:
            self.say("Starting the simulated services ...")
            await self.services.start()
            if self.options.airing_in is not None:
                self.airs_at = time.time() + self.options.airing_in
            stack.push_async_callback(self.services.stop)
            await self._simulators_answer()
            self.say(
                f"Starting Home Assistant {self.release} (the first start installs what it needs) ..."
            )
            self._write_configuration()
            await self.home.start()
            stack.push_async_callback(self.home.stop)
            stack.push_async_callback(self.client.close)
            supervised = asyncio.create_task(self._supervise())
            stack.callback(supervised.cancel)
            prepared = asyncio.create_task(self._prepare())
            stack.callback(prepared.cancel)
            await asyncio.wait(
                (supervised, prepared), return_when=asyncio.FIRST_COMPLETED
            )
            if not prepared.done():
                raise DemoError(f"Home Assistant ended:\n{self.home.tail()}")
            link = await prepared
            if self.options.once:
                return await self._once(self.options.once)
            self._announce(link)
            await supervised
            raise DemoError(f"Home Assistant ended:\n{self.home.tail()}")

    async def _simulators_answer(self) -> None:
        for service in self.simulators:
            until = time.monotonic() + 30
            while True:
                try:
                    async with self.client.session.get(
                        f"{service.url}/_control/state"
                    ) as response:
                        response.raise_for_status()
                    break
                except aiohttp.ClientError:
                    ended = (
                        self.services.process is None
                        or self.services.process.returncode is not None
                    )
                    if ended or time.monotonic() > until:
                        raise DemoError(
                            f"The simulated services did not start:\n{self.services.tail()}"
                        ) from None
                await asyncio.sleep(0.1)

    async def _supervise(self) -> None:
        """Start Home Assistant again when it ended in order to restart, as a supervisor would."""
        while await self.home.ended() == RESTART_EXIT_CODE:
            self.say("Home Assistant restarts ...")
            await self.home.start()

    # preparing Home Assistant ---------------------------------------------------------------------------------

    def _write_configuration(self) -> None:
        storage = self.config / ".storage"
        for folder in (storage, self.config / "www", self.config / "custom_components"):
            folder.mkdir(parents=True, exist_ok=True)
        for integration in (
            ROOT / "custom_components" / "up_next",
            *COMPONENTS.glob("[a-z]*"),
        ):
            link = self.config / "custom_components" / integration.name
            if not link.is_symlink():
                link.symlink_to(integration)
        (self.config / "scripts.yaml").write_text(json.dumps(SCRIPTS, indent=2))
        if not (self.config / "templates.yaml").exists():
            (self.config / "templates.yaml").write_text("[]")
        # from 2026.8 the address is a stored setting, and YAML only a trial of five minutes
        stored = tuple(int(part) for part in self.release.split(".")[:2]) >= (2026, 8)
        (self.config / "configuration.yaml").write_text(
            CONFIGURATION if stored else CONFIGURATION + HTTP.format(port=self.port)
        )
        if stored:
            # the oldest form, which every newer version takes over
            _store(
                storage,
                "http",
                1,
                {"server_port": self.port, "server_host": ["127.0.0.1"]},
            )
        if not self.kept:
            _store(
                storage,
                "onboarding",
                4,
                {"done": ["core_config", "analytics", "integration"]},
            )

    async def _prepare(self) -> str:
        """Bring a started Home Assistant into the state of the demo; returns the link that is logged in."""
        await self.client.answering()
        tokens = await (
            self.client.login(NAME, PASSWORD)
            if self.kept
            else self.client.onboard(NAME, PASSWORD)
        )
        await self.client.running()
        self.say("Home Assistant runs.")
        if self.kept:
            await self._sign_in_again()
        else:
            await asyncio.gather(*map(self._sign_in, self.simulators))
        urls = {service.tracker: service.url for service in self.simulators}
        shows, movies = self.options.shows, self.options.movies
        await Scene(self.client, urls, shows=shows, movies=movies).play()
        await self._make_dashboard()
        page = self._login_page(tokens)
        self._save(tokens)
        return f"{self.client.url}/local/{page.name}"

    async def _sign_in(self, service: SimulatedService) -> None:
        entry = await self.client.add_account(service)
        self.say(f"Signed in to {entry['title']}.")
        if service.tracker in SETTINGS:
            setting, brings = SETTINGS[service.tracker]
            await self.client.choose_first(entry["entry_id"], setting)
            await self.client.entity(entry["entry_id"], brings)

    async def _sign_in_again(self) -> None:
        """Sign in anew at the services that forget the grants they gave."""
        accounts = await self.client.accounts()
        for service in self.simulators:
            entry = accounts.get(service.tracker)
            if entry is None or service.lasting:
                continue
            until = time.monotonic() + 30
            while time.monotonic() < until:
                flows = await self.client.ws("config_entries/flow/progress")
                flow = next(
                    (
                        f
                        for f in flows
                        if f["context"].get("entry_id") == entry["entry_id"]
                    ),
                    None,
                )
                if flow is not None:
                    path = f"{FLOWS}/{flow['flow_id']}"
                    await self.client.follow(
                        await self.client.http("GET", path), service
                    )
                    self.say(f"Signed in to {entry['title']} again.")
                    break
                await asyncio.sleep(0.3)
            else:
                self.say(f"{entry['title']} did not ask to be signed in again.")

    async def _make_dashboard(self) -> None:
        boards = await self.client.ws("lovelace/dashboards/list")
        if any(board["url_path"] == DASHBOARD for board in boards):
            return
        await self.client.ws(
            "lovelace/dashboards/create",
            url_path=DASHBOARD,
            title="Up Next",
            icon="mdi:skip-next",
            mode="storage",
            show_in_sidebar=True,
            require_admin=False,
        )
        entities = await self.client.entities()
        entries = await self.client.accounts()
        accounts = [
            Account(
                tracker=service.tracker,
                entry_id=entry["entry_id"],
                title=entry["title"],
                entities=entities.get(entry["entry_id"], {}),
            )
            for service in self.simulators
            if (entry := entries.get(service.tracker))
        ]
        (self.config / "templates.yaml").write_text(
            json.dumps(list_sensors(accounts), indent=2)
        )
        await self.client.action("template.reload")
        await self.client.ws(
            "lovelace/config/save",
            url_path=DASHBOARD,
            config=dashboard(accounts, PLAYERS),
        )
        # newer versions keep a user's default dashboard here, older ones in the browser (see the login page)
        await self.client.ws(
            "frontend/set_user_data", key="core", value={"default_panel": DASHBOARD}
        )

    def _login_page(self, tokens: Json) -> Path:
        """Write a page that logs a browser in; it is served to this machine only, like the demo."""
        data = {**tokens, "clientId": self.client.client_id}
        page = self.config / "www" / "login.html"
        page.write_text(
            "<!DOCTYPE html><title>Up Next demo</title><script>\n"
            f"const tokens = {json.dumps(data)};\n"
            "tokens.hassUrl = location.origin;\n"
            "tokens.expires = Date.now() + 1000 * tokens.expires_in;\n"
            'localStorage.setItem("hassTokens", JSON.stringify(tokens));\n'
            f'localStorage.setItem("defaultPanel", JSON.stringify("{DASHBOARD}"));\n'
            f'const to = new URLSearchParams(location.search).get("to") || "/{DASHBOARD}";\n'
            'location.replace(to.startsWith("/") ? to : "/");\n'
            "</script>\n"
        )
        return page

    def _save(self, tokens: Json) -> None:
        """Write what another program needs to know of this demo."""
        self.file.write_text(
            json.dumps(
                {
                    "url": self.client.url,
                    "port": self.port,
                    "offset": self.offset,
                    "token": tokens["access_token"],
                    "login": {"name": NAME, "password": PASSWORD},
                    "simulators": {s.tracker: s.url for s in self.simulators},
                    "release": self.release,
                    "config": str(self.config),
                    "airs_at": self.airs_at,
                },
                indent=2,
            )
        )

    def _announce(self, link: str) -> None:
        self.say("Ready.\n")
        print(
            f"  Home Assistant {self.release}  {self.client.url}   user {NAME}, password {PASSWORD}"
        )
        print(f"  Logged in already:        {link}")
        for service in self.simulators:
            print(f"  Simulated {service.tracker:<15} {service.url}/_control/state")
        print(f"  Logs                      {self.folder.relative_to(ROOT)}/*.log")
        print("\nPress Ctrl-C to stop.", flush=True)

    async def _once(self, command: str) -> int:
        self.say(f"Ready. Running {command} ...")
        process = await asyncio.create_subprocess_shell(
            command,
            stdin=subprocess.DEVNULL,
            env={
                **os.environ,
                "UP_NEXT_DEMO": str(self.file),
                "UP_NEXT_PYTHON": sys.executable,
            },
        )
        try:
            return await process.wait()
        finally:
            if process.returncode is None:
                process.terminate()


def _ports_free(offset: int) -> bool:
    return all(_free(port + offset) for port in PORTS.values())


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _store(folder: Path, key: str, version_: int, data: Json) -> None:
    (folder / key).write_text(
        json.dumps({"version": version_, "minor_version": 1, "key": key, "data": data})
    )


async def main() -> int:
    """Run the demo until it is interrupted; returns the exit code."""
    options = arguments()
    task = asyncio.current_task()
    assert task is not None
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, task.cancel)
    try:
        async with aiohttp.ClientSession() as session:
            return await Demo(options, session).run()
    except asyncio.CancelledError:
        print("\nStopped.", flush=True)
        return 0 if not options.once else 130
    except (DemoError, aiohttp.ClientError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(asyncio.run(main()))
