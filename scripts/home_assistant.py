"""A real Home Assistant as its browser sees it: process, login, HTTP and WebSocket API. For the demo and its tests."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
import json
import os
from pathlib import Path
import sys
import time
from typing import Any

import aiohttp
from demo_services import SimulatedService

DOMAIN = "up_next"
FLOWS = "/api/config/config_entries/flow"
OPTIONS_FLOWS = "/api/config/config_entries/options/flow"
SUBENTRY_FLOWS = "/api/config/config_entries/subentries/flow"
IDLE = 20
"""Seconds; a socket that nobody reads from answers no pings, so Home Assistant closes it after a while."""
RESTART_EXIT_CODE = 100
"""What Home Assistant ends with when it was asked to restart."""

type Json = dict[str, Any]


class DemoError(Exception):
    """Something did not go as it must; the message is for the person at the terminal."""


@dataclass(kw_only=True)
class Client:
    """A logged-in user of a Home Assistant at `url`."""

    url: str
    token: str = ""
    session: aiohttp.ClientSession
    _socket: aiohttp.ClientWebSocketResponse | None = field(init=False, default=None)
    _id: int = field(init=False, default=0)
    _used: float = field(init=False, default=0)
    """When the socket was last used (monotonic seconds)."""
    _lock: asyncio.Lock = field(init=False, default_factory=asyncio.Lock)

    # HTTP -----------------------------------------------------------------------------------------------------

    async def http(self, method: str, path: str, data: Any = None) -> Any:
        """Call the REST API; returns the JSON answer. Raises DemoError for an error status."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        async with self.session.request(
            method, self.url + path, json=data, headers=headers
        ) as response:
            text = await response.text()
            if response.status >= 400:
                raise DemoError(f"{method} {path}: {response.status} {text[:500]}")
            return json.loads(text) if text else None

    async def running(self, timeout: float = 300) -> Json:
        """Wait until Home Assistant has started; returns its configuration."""
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            try:
                config: Json = await self.http("GET", "/api/config")
            except (aiohttp.ClientError, TimeoutError, DemoError):
                pass
            else:
                if config["state"] == "RUNNING":
                    return config
            await asyncio.sleep(0.2)
        raise DemoError("Home Assistant did not start in time.")

    async def answering(self, timeout: float = 300) -> None:
        """Wait until the web server answers at all."""
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            try:
                async with self.session.get(self.url + "/manifest.json") as response:
                    if response.status == 200:
                        return
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(0.2)
        raise DemoError("Home Assistant did not answer in time.")

    async def onboard(self, name: str, password: str) -> Json:
        """Create the owner and log in; returns the tokens."""
        user = {
            "name": name.title(),
            "username": name,
            "password": password,
            "language": "en",
        }
        answer = await self.http(
            "POST", "/api/onboarding/users", {"client_id": self.client_id, **user}
        )
        return await self._exchange(
            {"grant_type": "authorization_code", "code": answer["auth_code"]}
        )

    async def login(self, name: str, password: str) -> Json:
        """Log in with a password; returns the tokens."""
        flow = await self.http(
            "POST",
            "/auth/login_flow",
            {
                "client_id": self.client_id,
                "handler": ["homeassistant", None],
                "redirect_uri": self.client_id,
            },
        )
        answer = await self.http(
            "POST",
            f"/auth/login_flow/{flow['flow_id']}",
            {"client_id": self.client_id, "username": name, "password": password},
        )
        return await self._exchange(
            {"grant_type": "authorization_code", "code": answer["result"]}
        )

    async def _exchange(self, grant: Mapping[str, str]) -> Json:
        async with self.session.post(
            self.url + "/auth/token", data={"client_id": self.client_id, **grant}
        ) as response:
            if response.status != 200:
                raise DemoError(f"login: {response.status} {await response.text()}")
            tokens: Json = await response.json()
        self.token = tokens["access_token"]
        return tokens

    @property
    def client_id(self) -> str:
        """Return what a frontend at this address identifies itself by."""
        return self.url + "/"

    # WebSocket ------------------------------------------------------------------------------------------------

    async def ws(self, type_: str, **data: Any) -> Any:
        """Send one WebSocket command and return its result. Raises DemoError when it is refused."""
        async with self._lock:
            if time.monotonic() - self._used > IDLE:
                await self.close()
            if self._socket is None or self._socket.closed:
                self._socket = await self.session.ws_connect(
                    self.url + "/api/websocket", max_msg_size=0
                )
                await self._socket.receive_json()
                await self._socket.send_json(
                    {"type": "auth", "access_token": self.token}
                )
                answer = await self._socket.receive_json()
                if answer["type"] != "auth_ok":
                    raise DemoError(f"WebSocket login refused: {answer}")
            self._id += 1
            await self._socket.send_json({"id": self._id, "type": type_, **data})
            while True:
                try:
                    message = await self._socket.receive_json(timeout=120)
                except (TypeError, aiohttp.ClientError) as error:
                    raise DemoError("The WebSocket was closed.") from error
                if message.get("id") == self._id and message["type"] == "result":
                    break
            self._used = time.monotonic()
        if not message["success"]:
            raise DemoError(
                f"{type_}: {message['error']['code']}: {message['error']['message']}"
            )
        return message["result"]

    async def close(self) -> None:
        """Close the WebSocket."""
        if self._socket is not None:
            await self._socket.close()
        self._socket = None

    async def action(self, name: str, /, **data: Any) -> Any:
        """Perform an action as "up_next.refresh" and return its response; only ours are asked for one."""
        domain, service = name.split(".")
        respond = domain == DOMAIN
        result = await self.ws(
            "call_service",
            domain=domain,
            service=service,
            service_data=data,
            return_response=respond,
        )
        return result.get("response") if respond else None

    async def state(self, entity_id: str) -> Json:
        """Return the state object of an entity."""
        state: Json = await self.http("GET", f"/api/states/{entity_id}")
        return state

    # accounts -------------------------------------------------------------------------------------------------

    async def entries(self) -> list[Json]:
        """Return the config entries of Up Next."""
        entries: list[Json] = await self.ws("config_entries/get", domain=DOMAIN)
        return entries

    async def accounts(self) -> dict[str, Json]:
        """Return the config entries of the accounts by tracker; the demo has one account of each."""
        entries = {entry["entry_id"]: entry for entry in await self.entries()}
        return {
            unique_id.partition(":")[0]: entries[entry_id]
            for unique_id, entry_id in await self._accounts()
            if entry_id in entries
        }

    async def unique_ids(self) -> dict[str, str]:
        """Return the unique ids of the accounts by tracker."""
        return {one.partition(":")[0]: one for one, _ in await self._accounts()}

    async def _accounts(self) -> list[tuple[str, str]]:
        """Return the unique id and the config entry id of every account."""
        devices: list[Json] = await self.ws("config/device_registry/list")
        # the identifier of an account's device is "<tracker>:<account id>"; a player's has no colon
        return [
            (identifier, device["primary_config_entry"])
            for device in devices
            for domain, identifier in device["identifiers"]
            if domain == DOMAIN and ":" in identifier
        ]

    async def entities(self) -> dict[str, dict[str, str]]:
        """Return the entity ids of Up Next: config entry id -> key -> entity id. Disabled ones are left out."""
        rows: list[Json] = await self.ws("config/entity_registry/list")
        found: dict[str, dict[str, str]] = {}
        for row in rows:
            if row["platform"] != DOMAIN or row["disabled_by"]:
                continue
            # a unique id is "<tracker>:<account id>_<key>"; the translation key is the key
            found.setdefault(row["config_entry_id"], {})[row["translation_key"]] = row[
                "entity_id"
            ]
        return found

    async def add_entry(self, choice: str) -> Json:
        """Add what the menu of the config flow offers as `choice` and asks nothing about; returns the config entry."""
        flow: Json = await self.http("POST", FLOWS, {"handler": DOMAIN})
        flow = await self.http(
            "POST", f"{FLOWS}/{flow['flow_id']}", {"next_step_id": choice}
        )
        entry: Json = _made(flow, choice)["result"]
        return entry

    async def add_account(self, service: SimulatedService) -> Json:
        """Go through the config flow as a user would; returns the new config entry."""
        flow: Json = await self.http("POST", FLOWS, {"handler": DOMAIN})
        flow = await self.follow(flow, service)
        entry: Json = _made(flow, service.tracker)["result"]
        return entry

    async def choose_first(self, entry_id: str, name: str) -> None:
        """Set one of an account's settings to the first choice there is."""
        flow: Json = await self.http("POST", OPTIONS_FLOWS, {"handler": entry_id})
        schema: list[Json] = flow["data_schema"]
        choices = next(row for row in schema if row["name"] == name)["selector"]
        first = choices["select"]["options"][0]["value"]
        path = f"{OPTIONS_FLOWS}/{flow['flow_id']}"
        _made(await self.http("POST", path, fill(schema, {name: first})), name)

    async def entity(self, entry_id: str, key: str, timeout: float = 20) -> str:
        """Wait until an account has the entity with this key; returns its id."""
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            found = (await self.entities()).get(entry_id, {})
            if key in found:
                return found[key]
            await asyncio.sleep(0.2)
        raise DemoError(f"The account {entry_id} has no entity {key}.")

    async def add_subentry(self, entry_id: str, kind: str, **answers: Any) -> None:
        """Go through the flow that adds a part to a config entry, for example a player.

        `answers` are what is typed in and chosen, by the name of its field.
        """
        flow: Json = await self.http(
            "POST", SUBENTRY_FLOWS, {"handler": [entry_id, kind]}
        )
        while flow["type"] == "form":
            _check(flow, kind)
            flow = await self.http(
                "POST",
                f"{SUBENTRY_FLOWS}/{flow['flow_id']}",
                fill(flow["data_schema"] or [], answers),
            )
        _made(flow, kind)

    async def follow(self, flow: Json, service: SimulatedService) -> Json:
        """Answer every step of a flow until it ends; a device code is approved at the simulated service."""
        approved = False
        until = time.monotonic() + 60
        while time.monotonic() < until:
            path = f"{FLOWS}/{flow['flow_id']}"
            match flow["type"]:
                case "create_entry" | "abort":
                    return flow
                case "menu":
                    chosen = first_step(flow["menu_options"], service.tracker)
                    flow = await self.http("POST", path, {"next_step_id": chosen})
                case "form":
                    _check(flow, service.tracker)
                    answers = fill(flow["data_schema"] or [], service.answers)
                    flow = await self.http("POST", path, answers)
                case "progress" if not approved:
                    await self.control(service.url, "approve")
                    approved = True
                case "progress":
                    await asyncio.sleep(0.3)
                    flow = await self.http("GET", path)
                case "progress_done":
                    flow = await self.http("POST", path, {})
                case other:
                    raise DemoError(
                        f"{service.tracker}: unexpected step {other}: {flow}"
                    )
        raise DemoError(
            f"{service.tracker}: signing in took too long; last step {flow.get('step_id')}"
        )

    # simulators -----------------------------------------------------------------------------------------------

    async def control(self, simulator: str, what: str, **data: Any) -> Any:
        """Tell a simulated service to do something."""
        async with self.session.post(
            f"{simulator}/_control/{what}", json=data
        ) as response:
            if response.status >= 400:
                raise DemoError(
                    f"{simulator} {what}: {response.status} {await response.text()}"
                )
            return await response.json()

    async def recorded(self, simulator: str) -> list[Json]:
        """Return the requests that a simulated service has answered since they were last forgotten."""
        async with self.session.get(f"{simulator}/_control/requests") as response:
            rows: list[Json] = (await response.json())["requests"]
        return rows

    async def forget(self, simulator: str) -> None:
        """Let a simulated service forget the requests it has counted."""
        async with self.session.delete(f"{simulator}/_control/requests") as response:
            response.raise_for_status()


def first_step(offered: Sequence[str], tracker: str) -> str:
    """Return what the menu offers for a tracker: its first step, as "<tracker>_credentials"."""
    # "trakt_" also begins the steps of trakt_v1
    return min(
        (option for option in offered if option.startswith(f"{tracker}_")), key=len
    )


def fill(schema: Sequence[Json], answers: Mapping[str, Any]) -> Json:
    """Fill in a form: what there is an answer for, what it suggests, and defaults."""
    values: Json = {}
    for row in schema:
        name = row["name"]
        if row.get("type") == "expandable":
            values[name] = fill(row["schema"], answers)
        elif name in answers:
            values[name] = answers[name]
        elif (
            suggested := (row.get("description") or {}).get("suggested_value")
        ) is not None:
            values[name] = suggested
        elif "default" in row:
            values[name] = row["default"]
    return values


def _check(flow: Json, name: str) -> None:
    if flow.get("errors"):
        raise DemoError(f"{name}, step {flow['step_id']}: {flow['errors']}")


def _made(flow: Json, name: str) -> Json:
    """Return a flow that made what it is for. Raises DemoError."""
    if flow["type"] != "create_entry":
        raise DemoError(f"{name} could not be added: {flow.get('reason') or flow}")
    return flow


class Process:
    """A child process whose output goes to a file; in a session of its own, so that Ctrl-C reaches only us."""

    def __init__(
        self,
        name: str,
        log: Path,
        *command: str,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Get ready to run `command`; `environment` is added to ours."""
        self.environment = {**os.environ, **(environment or {})}
        self.name = name
        self.log = log
        self.command = command
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self.process = await asyncio.create_subprocess_exec(
                *self.command,
                env=self.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )

    async def ended(self) -> int:
        """Wait for its end and return the exit code."""
        assert self.process is not None
        return await self.process.wait()

    async def stop(self, patience: float = 30) -> None:
        """Ask it to end, and insist after `patience` seconds."""
        if self.process is None or self.process.returncode is not None:
            return
        self.process.terminate()
        try:
            async with asyncio.timeout(patience):
                await self.process.wait()
        except TimeoutError:
            print(f"{self.name} did not end by itself.", file=sys.stderr)
            self.process.kill()
            await self.process.wait()

    def tail(self, lines: int = 25) -> str:
        """Return the last lines of its output."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
