"""Push: what comes to an account's webhook makes it be read at once, and what else may come does no harm."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from ipaddress import ip_address
import json
import logging
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

from aiohttp import web
from aiohttp.test_utils import TestClient
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import (
    ClientSessionGenerator,
    WebSocketGenerator,
)
from yarl import URL

from custom_components.up_next import push
from custom_components.up_next.const import DOMAIN
from custom_components.up_next.storage import LibraryCache
from custom_components.up_next.trackers import TRACKERS
from custom_components.up_next.trackers.tautulli import IDLE, PAUSED, PLAYING, Tautulli
from custom_components.up_next.trackers.tracker import Push
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import STATE_OFF, STATE_ON
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.setup import async_setup_component
from simulators.catalogue import Viewer
from simulators.service import Fault
from simulators.tautulli import API_KEY, Tautulli as Simulator
from simulators.tautulli.items import movie_key
from simulators.trakt import Trakt

from .accounts import House, coordinator_of, linger, until
from .conftest import AddAccount, Serve
from .flows import TOY_TEXTS, Driver, Toy, again, options

MOVIE = movie_key(500000)
OF_OURS = {"user_id": "1001"}
OF_ANOTHER = {"user_id": "1002"}
AWAY = "203.0.113.7"

type Post = Callable[..., Awaitable[int]]


@pytest.fixture
async def sim(serve: Serve) -> Simulator:
    service: Simulator = await serve(Simulator, shows=12, movies=12, viewer=Viewer())
    return service


@pytest.fixture
async def hass(hass: HomeAssistant) -> HomeAssistant:
    await hass.config.async_update(
        internal_url="http://192.168.1.2:8123", external_url="https://home.example"
    )
    return hass


@pytest.fixture
async def entry(
    house: House, sim: Simulator, add_account: AddAccount
) -> MockConfigEntry:
    return await add_account(sim)


@pytest.fixture
def post(hass_client_no_auth: ClientSessionGenerator) -> Post:
    """Return a function that posts to a webhook as Tautulli does, and returns the status."""
    clients: list[TestClient[Any, Any]] = []

    async def post(path: str, told: object = OF_OURS) -> int:
        if not clients:
            clients.append(await hass_client_no_auth())
        body = told if isinstance(told, bytes) else json.dumps(told).encode()
        headers = {"Content-Type": "application/json"}
        answer = await clients[0].post(path, data=body, headers=headers)
        return answer.status

    return post


@pytest.fixture
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read again as soon as something comes."""
    monkeypatch.setattr(push, "REST", 0.0)


async def shown(hass: HomeAssistant, entry: MockConfigEntry, **values: bool) -> Driver:
    """Submit an account's settings."""
    flow = await options(hass, entry.entry_id)
    assert flow.at["step_id"] == "tautulli_options"
    await flow.send(values)
    await hass.async_block_till_done()
    return flow


async def switch_on(
    hass: HomeAssistant, entry: MockConfigEntry, *, local_only: bool = True
) -> str:
    """Switch push on, and return the path of the URL that is shown."""
    flow = await shown(hass, entry, push=True, local_only=local_only)
    assert flow.at["step_id"] == "tautulli_push"
    url = URL(flow.at["description_placeholders"]["url"])
    await flow.send({})
    assert flow.at["type"] is FlowResultType.CREATE_ENTRY
    await settled(entry)
    return url.path


async def settled(entry: MockConfigEntry) -> None:
    """Wait until an account that was set up from its cache has read its service."""
    coordinator = coordinator_of(entry)
    await until(lambda: coordinator.live, "read after the reload")
    await until(lambda: not coordinator._asking.locked(), "read to the end")


def interval(entry: MockConfigEntry) -> float:
    """Return in how many seconds the account is read again."""
    found = coordinator_of(entry).update_interval
    assert found is not None
    return found.total_seconds()


def commands(sim: Simulator) -> list[str]:
    """Return what was asked since the last call."""
    asked = [arguments["cmd"] for arguments in sim.asked]
    sim.asked.clear()
    return asked


READING = ["get_activity", "get_history"]


async def read_once(sim: Simulator) -> None:
    """Wait until the account was read, and assert that it was not read more than once."""
    await until(lambda: len(sim.asked) >= len(READING), "read")
    await linger(0.1)
    assert commands(sim) == READING


# what it is for ------------------------------------------------------------------------------------------------


async def test_a_push_is_read_at_once(
    house: House, sim: Simulator, entry: MockConfigEntry, post: Post
) -> None:
    path = await switch_on(house.hass, entry)
    assert interval(entry) == IDLE
    commands(sim)
    session = sim.start(MOVIE)
    assert house.value(entry, "watching") == STATE_OFF
    assert await post(path) == 200
    await house.shows(entry, "watching", STATE_ON)
    assert commands(sim) == READING
    assert interval(entry) == 5 * PLAYING

    await house.advance(60)
    assert commands(sim) == [], "asked as often as without push"
    sim.set_state(session, "paused")
    assert await post(path) == 200
    await house.shows(entry, "watching", STATE_OFF)
    assert interval(entry) == 5 * PAUSED

    await house.advance(60)
    sim.set_state(session, "playing")
    await house.advance(sim.item(MOVIE).runtime)
    sim.stop(session)
    assert await post(path) == 200
    await house.shows(entry, "watched_movies", 1)
    assert interval(entry) == 5 * IDLE


async def test_polling_goes_on(
    house: House, sim: Simulator, entry: MockConfigEntry, post: Post
) -> None:
    """What no push told is found in five minutes; six hours without a push, and asking is as often as ever."""
    path = await switch_on(house.hass, entry)
    assert await post(path) == 200
    await until(lambda: interval(entry) == 5 * IDLE)
    commands(sim)
    sim.start(MOVIE)
    await house.advance(4 * IDLE)
    assert commands(sim) == []
    await house.advance(IDLE + 2)
    await house.shows(entry, "watching", STATE_ON)
    assert commands(sim) == READING

    await house.advance(6 * 3600)
    await until(lambda: interval(entry) == PLAYING)


async def test_one_account_each(
    house: House, sim: Simulator, add_account: AddAccount, post: Post
) -> None:
    ours = await add_account(sim)
    other = await add_account(sim, credentials={"api_key": API_KEY, "user": "1002"})
    path, path_of_other = [
        await switch_on(house.hass, account) for account in (ours, other)
    ]
    assert path != path_of_other
    commands(sim)
    sim.start(MOVIE, user=1002)
    assert await post(path, OF_ANOTHER) == 200
    assert await post(path_of_other, OF_ANOTHER) == 200
    await house.shows(other, "watching", STATE_ON)
    await linger()
    assert {a.get("user_id") for a in sim.asked} == {None, "1002"}
    assert commands(sim) == READING
    assert (interval(ours), interval(other)) == (IDLE, 5 * PLAYING)

    await shown(house.hass, other, push=False, local_only=True)
    sim.start(MOVIE)
    assert await post(path) == 200
    await house.shows(ours, "watching", STATE_ON)


# what else may come --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "told",
    [
        b"",
        b"no JSON",
        b"\xff\xfe\x00",
        b"[" * 5000,
        {},
        [],
        None,
        "1002",
        {"user_id": None},
        {"user_id": ""},
        {"user_id": []},
        {"user_id": True},
        {"user_id": "{user_id}"},
        {"user": "somebody"},
        {"user_id": 1001},
    ],
    ids=lambda told: str(told)[:20],
)
@pytest.mark.usefixtures("no_rest")
async def test_unclear_pushes_are_read(
    house: House, sim: Simulator, entry: MockConfigEntry, post: Post, told: object
) -> None:
    path = await switch_on(house.hass, entry)
    commands(sim)
    assert await post(path, told) == 200
    await until(lambda: interval(entry) == 5 * IDLE)
    assert commands(sim) == READING


@pytest.mark.parametrize("told", [OF_ANOTHER, {"user_id": 1002}, {"user_id": "0"}])
async def test_other_users_are_passed_over(
    house: House, sim: Simulator, entry: MockConfigEntry, post: Post, told: object
) -> None:
    path = await switch_on(house.hass, entry)
    commands(sim)
    assert await post(path, told) == 200
    await linger()
    assert commands(sim) == []
    await coordinator_of(entry).async_refresh()
    assert interval(entry) == IDLE, "slowed down by what tells nothing of this user"
    assert coordinator_of(entry).pushed_at is not None


@pytest.fixture
def gate(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[asyncio.Event]:
    """Return what has to be set for the server to answer."""
    opened = asyncio.Event()

    async def guard(request: web.Request) -> None:
        await opened.wait()

    monkeypatch.setattr(sim, "guard", guard)
    opened.set()
    yield opened
    opened.set()


async def test_a_burst(
    house: House,
    sim: Simulator,
    entry: MockConfigEntry,
    post: Post,
    gate: asyncio.Event,
) -> None:
    """However many come: one reading under way, and one after it, a second later."""
    path = await switch_on(house.hass, entry)
    commands(sim)
    gate.clear()
    assert await post(path) == 200, "answered before the account was read"
    sim.start(MOVIE)
    assert [await post(path) for _ in range(20)] == [200] * 20
    gate.set()
    await until(lambda: len(sim.asked) == 2)
    await linger()
    assert commands(sim) == READING
    await house.advance(2)
    await until(lambda: len(sim.asked) == 2)
    await house.advance(2)
    await linger()
    assert commands(sim) == READING
    assert house.value(entry, "watching") == STATE_ON

    assert await post(path) == 200
    await until(lambda: len(sim.asked) == 2, "read again, later on")


async def test_a_burst_while_the_server_is_down(
    house: House, sim: Simulator, entry: MockConfigEntry, post: Post
) -> None:
    path = await switch_on(house.hass, entry)
    fault = Fault("status", status=502, times=1000)
    sim.faults.append(fault)
    assert [await post(path) for _ in range(20)] == [200] * 20
    await until(lambda: not coordinator_of(entry).last_update_success)
    await linger()
    one = 1000 - fault.times
    assert one <= 3, "more than a reading with its repetitions"
    await house.advance(2)
    await linger()
    assert 1000 - fault.times <= 2 * one

    sim.faults.clear()
    await house.advance(2)
    sim.start(MOVIE)
    assert await post(path) == 200
    await house.shows(entry, "watching", STATE_ON)


@pytest.mark.usefixtures("no_rest")
async def test_a_limit_is_kept(
    house: House, sim: Simulator, entry: MockConfigEntry, post: Post
) -> None:
    """What says when to ask again is not asked before, whatever is pushed."""
    path = await switch_on(house.hass, entry)
    sim.faults.append(
        Fault("status", status=429, headers={"Retry-After": "600"}, times=1)
    )
    assert await post(path) == 200
    await until(lambda: not coordinator_of(entry).last_update_success)
    assert interval(entry) == 600
    commands(sim)
    for _ in range(3):
        assert await post(path) == 200
        await linger(0.05)
    assert commands(sim) == []
    await house.advance(602)
    await read_once(sim)
    assert await post(path) == 200
    await read_once(sim)


async def test_what_is_refused(
    house: House,
    sim: Simulator,
    entry: MockConfigEntry,
    hass_client_no_auth: ClientSessionGenerator,
) -> None:
    path = await switch_on(house.hass, entry)
    client = await hass_client_no_auth()
    commands(sim)
    for method, status in (
        ("GET", 405),
        ("PUT", 405),
        ("DELETE", 405),
        ("PATCH", 405),
        ("HEAD", 200),
    ):
        answer = await client.request(method, path, json=OF_OURS)
        assert answer.status == status, method

    async def stream() -> Any:
        for _ in range(20):
            yield b" " * 1024

    too_big = b" " * (push.LARGEST + 1)
    assert (await client.post(path, data=too_big)).status == 413
    assert (await client.post(path, data=stream())).status == 413
    await linger()
    assert commands(sim) == []
    assert coordinator_of(entry).pushed_at is None

    biggest = json.dumps(OF_OURS).encode().ljust(push.LARGEST)
    assert (await client.post(path, data=biggest)).status == 200
    await read_once(sim)


@pytest.mark.parametrize("leaves", [True, False])
async def test_half_a_push(
    house: House,
    sim: Simulator,
    entry: MockConfigEntry,
    *,
    hass_client_no_auth: ClientSessionGenerator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    leaves: bool,
) -> None:
    """A body that never comes to its end is nothing, and Home Assistant has no error to log."""
    path = await switch_on(house.hass, entry)
    monkeypatch.setattr(push, "PATIENCE", 10.0 if leaves else 0.05)
    client = await hass_client_no_auth()
    commands(sim)
    caplog.clear()
    caplog.set_level(logging.DEBUG, push.__name__)
    reader, writer = await asyncio.open_connection(client.host, client.port)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
    writer.write(head.encode() + b'{"user_id"')
    await writer.drain()
    if not leaves:
        assert b" 400 " in await reader.readline()
    await linger(0.05)
    writer.close()
    await writer.wait_closed()
    await linger()
    assert ("Lost a push" in caplog.text) is not leaves
    assert commands(sim) == []
    assert coordinator_of(entry).pushed_at is None
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


@pytest.mark.parametrize("local_only", [True, False])
async def test_from_elsewhere(
    house: House, sim: Simulator, entry: MockConfigEntry, post: Post, local_only: bool
) -> None:
    path = await switch_on(house.hass, entry, local_only=local_only)
    commands(sim)
    with patch(
        "homeassistant.components.webhook.ip_address", return_value=ip_address(AWAY)
    ):
        assert await post(path) == 200
    await linger()
    assert commands(sim) == ([] if local_only else READING)


# on, off and on again ------------------------------------------------------------------------------------------


async def webhooks(client: Any) -> list[dict[str, Any]]:
    """Return the webhooks of the integration."""
    await client.send_json_auto_id({"type": "webhook/list"})
    listed = (await client.receive_json())["result"]
    return [hook for hook in listed if hook["domain"] == DOMAIN]


async def test_on_and_off(
    house: House,
    sim: Simulator,
    entry: MockConfigEntry,
    post: Post,
    hass_ws_client: WebSocketGenerator,
) -> None:
    hass = house.hass
    client = await hass_ws_client(hass)
    assert await webhooks(client) == []
    flow = await options(hass, entry.entry_id)
    fields = {str(key): key.default() for key in flow.at["data_schema"].schema}
    assert fields == {"push": False, "local_only": True}
    coordinator = coordinator_of(entry)
    await flow.send({"push": False, "local_only": True})
    assert flow.at["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options == {}
    assert coordinator_of(entry) is coordinator

    flow = await shown(hass, entry, push=True, local_only=True)
    told = flow.at["description_placeholders"]
    assert Tautulli.push is not None
    assert told["template"] == Tautulli.push.template
    url = URL(told["url"])
    assert str(url.origin()) == "http://192.168.1.2:8123"
    (hook,) = await webhooks(client)
    assert url.path == f"/api/webhook/{hook['webhook_id']}"
    assert len(hook["webhook_id"]) == 64
    assert hook["local_only"] is True
    assert coordinator_of(entry) is not coordinator
    commands(sim)
    await settled(entry)
    assert await post(url.path) == 200, "works before the last step is confirmed"
    await until(lambda: coordinator_of(entry).pushed_at)
    # closed without confirming: it is on all the same
    hass.config_entries.options.async_abort(flow.id)

    flow = await options(hass, entry.entry_id)
    fields = {str(key): key.default() for key in flow.at["data_schema"].schema}
    assert fields == {"push": True, "local_only": True}
    await flow.send({"push": True, "local_only": False})
    await hass.async_block_till_done()
    told = flow.at["description_placeholders"]
    assert told["url"] == f"https://home.example{url.path}", "the id changed"
    await flow.send({})
    (changed,) = await webhooks(client)
    assert changed == hook | {"local_only": False}

    await shown(hass, entry, push=False, local_only=False)
    assert entry.options == {}
    assert await webhooks(client) == []
    await settled(entry)
    commands(sim)
    assert await post(url.path) == 200
    await linger()
    assert commands(sim) == []
    assert await switch_on(hass, entry) != url.path


async def test_looking_at_the_url_again_changes_nothing(
    house: House, entry: MockConfigEntry
) -> None:
    path = await switch_on(house.hass, entry)
    coordinator = coordinator_of(entry)
    assert await switch_on(house.hass, entry) == path
    assert coordinator_of(entry) is coordinator


async def test_switched_off_meanwhile(house: House, entry: MockConfigEntry) -> None:
    """Two windows: the one that still shows the URL does not switch push on again."""
    first = await shown(house.hass, entry, push=True, local_only=True)
    await shown(house.hass, entry, push=False, local_only=True)
    await first.send({})
    assert first.at["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options == {}


async def test_without_a_known_address(house: House, entry: MockConfigEntry) -> None:
    await house.hass.config.async_update(internal_url=None, external_url=None)
    assert house.hass.config.api is not None
    house.hass.config.api.local_ip = "127.0.0.1"
    flow = await shown(house.hass, entry, push=True, local_only=True)
    assert flow.at["errors"] == {"base": "no_url"}
    hook = push.Webhook.of(entry.options)
    assert hook is not None
    assert flow.at["description_placeholders"]["url"] == f"/api/webhook/{hook.id}"
    await flow.send({})
    assert flow.at["type"] is FlowResultType.CREATE_ENTRY


async def test_reload_restart_and_removal(
    house: House, sim: Simulator, entry: MockConfigEntry, post: Post
) -> None:
    path = await switch_on(house.hass, entry)
    entries = house.hass.config_entries
    assert await entries.async_reload(entry.entry_id)
    await settled(entry)
    sim.start(MOVIE)
    assert await post(path) == 200
    await house.shows(entry, "watching", STATE_ON)

    assert await entries.async_unload(entry.entry_id)
    commands(sim)
    assert await post(path) == 200
    await linger()
    assert commands(sim) == []

    # a server that is down as Home Assistant starts: nothing listens until it is back
    sim.faults.append(Fault("status", status=502, times=1000))
    await LibraryCache(house.hass, entry.entry_id).remove()
    await entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert await post(path) == 200
    sim.faults.clear()
    await house.advance(60)
    await until(lambda: entry.state is ConfigEntryState.LOADED)
    commands(sim)
    assert await post(path) == 200
    await read_once(sim)

    assert await entries.async_remove(entry.entry_id)
    commands(sim)
    assert await post(path) == 200
    await linger()
    assert commands(sim) == []


async def test_unloaded_while_it_is_read(
    house: House,
    sim: Simulator,
    entry: MockConfigEntry,
    post: Post,
    gate: asyncio.Event,
) -> None:
    path = await switch_on(house.hass, entry)
    commands(sim)
    gate.clear()
    assert await post(path) == 200
    assert await house.hass.config_entries.async_unload(entry.entry_id)
    gate.set()
    await house.advance(10)
    await linger()
    assert len(commands(sim)) <= 1


async def test_switched_on_while_the_account_is_down(
    house: House, sim: Simulator, add_account: AddAccount, post: Post
) -> None:
    entry = await add_account(sim, setup=False)
    sim.faults.append(Fault("status", status=502, times=1000))
    await house.hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    flow = await shown(house.hass, entry, push=True, local_only=True)
    path = URL(flow.at["description_placeholders"]["url"]).path
    sim.faults.clear()
    await flow.send({})
    await house.advance(60)
    await until(lambda: entry.state is ConfigEntryState.LOADED)
    sim.start(MOVIE)
    assert await post(path) == 200
    await house.shows(entry, "watching", STATE_ON)


async def test_signing_in_again_keeps_the_webhook(
    house: House, sim: Simulator, entry: MockConfigEntry, post: Post
) -> None:
    path = await switch_on(house.hass, entry)
    flow = again(house.hass, await entry.start_reconfigure_flow(house.hass))
    sim.revoke_tokens()
    await flow.send({"base_url": sim.base_url, "api_key": sim.api_key})
    await flow.send({"user": "1001"})
    assert flow.at["reason"] == "reconfigure_successful"
    await house.hass.async_block_till_done()
    await settled(entry)
    sim.start(MOVIE)
    assert await post(path) == 200
    await house.shows(entry, "watching", STATE_ON)


# what gets out -------------------------------------------------------------------------------------------------


async def test_nobody_learns_the_id(
    house: House,
    sim: Simulator,
    entry: MockConfigEntry,
    *,
    hass_client: ClientSessionGenerator,
    post: Post,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    assert await async_setup_component(house.hass, "diagnostics", {})
    client = await hass_client()
    where = f"/api/diagnostics/config_entry/{entry.entry_id}"

    async def told() -> dict[str, Any]:
        found: dict[str, Any] = (await (await client.get(where)).json())["data"]
        return found

    assert (await told())["push"] == {
        "on": False,
        "local_only": None,
        "pushed_at": None,
    }
    path = await switch_on(house.hass, entry)
    hook = push.Webhook.of(entry.options)
    assert hook is not None
    assert (await told())["push"] == {
        "on": True,
        "local_only": True,
        "pushed_at": None,
    }
    assert await post(path, OF_ANOTHER) == 200
    pushed_at = coordinator_of(entry).pushed_at
    assert pushed_at is not None
    all_told = await told()
    assert all_told["push"]["pushed_at"] == pushed_at.isoformat()
    assert all_told["options"] == {"push": True}
    assert hook.id not in json.dumps(all_told)
    assert hook.id not in repr(hook)

    # nor do logs at the usual level, whatever comes; nor ours at any
    assert (await client.get(path)).status == 405
    assert (await client.post(path, data=b" " * 99_999)).status == 413
    with patch.object(Tautulli, "nudge", side_effect=ZeroDivisionError):
        assert await post(path) in (200, 400)
    for record in caplog.records:
        if record.levelno >= logging.WARNING or "up_next" in record.name:
            assert hook.id not in record.getMessage()
            assert hook.id not in str(record.exc_info)
    for state in house.hass.states.async_all():
        assert hook.id not in json.dumps(state.as_dict(), default=str)


# other trackers ------------------------------------------------------------------------------------------------


async def test_a_tracker_that_can_not_push_offers_nothing(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    entry = await add_account(await serve(Trakt))
    flow = await options(house.hass, entry.entry_id)
    assert {str(key) for key in flow.at["data_schema"].schema} == {"lists"}


@pytest.mark.usefixtures("no_rest", "enable_custom_integrations")
async def test_any_tracker_may_push(
    hass: HomeAssistant,
    post: Post,
    monkeypatch: pytest.MonkeyPatch,
    hass_ws_client: WebSocketGenerator,
) -> None:
    class Pushing(Toy):
        push: ClassVar[Push | None] = Push(template="anything")
        reads: ClassVar[list[int]] = []

        async def refresh(self, previous: Any) -> Any:
            self.reads.append(1)
            return await super().refresh(previous)

    monkeypatch.setitem(TRACKERS, "toy", Pushing)
    for name in ("push", "local_only"):
        for kind in ("data", "data_description"):
            key = f"options.step.toy_options.{kind}.{name}"
            monkeypatch.setitem(TOY_TEXTS, key, "x")
    for key in ("title", "description"):
        text = "{account} {url} {template}"
        monkeypatch.setitem(TOY_TEXTS, f"options.step.toy_push.{key}", text)
    entry = MockConfigEntry(
        domain=DOMAIN,
        unique_id="toy:1",
        data={
            "tracker": "toy",
            "account_id": "1",
            "base_url": "http://toy.local",
            "credentials": {"key": "secret", "viewer": "1"},
        },
    )
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    client = await hass_ws_client(hass)
    flow = await options(hass, entry.entry_id)
    await flow.send(
        {"order": "newest", "lists": ["7"], "push": True, "local_only": True}
    )
    await hass.async_block_till_done()
    assert flow.at["step_id"] == "toy_push"
    assert flow.at["description_placeholders"]["template"] == "anything"
    assert entry.options["lists"] == ["7"]
    await settled(entry)
    Pushing.reads.clear()
    path = URL(flow.at["description_placeholders"]["url"]).path
    assert await post(path, b"something") == 200
    await until(lambda: Pushing.reads == [1])

    assert len(await webhooks(client)) == 1
    # a version of the integration in which it can push no more
    monkeypatch.setattr(Pushing, "push", None)
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert await webhooks(client) == []


def test_the_template() -> None:
    """It is JSON before and after it is filled in, and stands in the documentation as it is."""
    assert Tautulli.push is not None
    template = Tautulli.push.template
    filled = {k: v.format(user_id=1001) for k, v in json.loads(template).items()}
    assert filled == OF_OURS
    docs = Path(__file__).parent.parent / "docs" / "trackers" / "tautulli.md"
    assert template in docs.read_text(encoding="utf-8")
