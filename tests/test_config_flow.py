"""Adding an account: through the real flow manager, against the simulators."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from custom_components import up_next
from custom_components.up_next import config_flow, options_flow
from custom_components.up_next.const import DOMAIN
from custom_components.up_next.context import make_context
from custom_components.up_next.forms import normalise_url
from custom_components.up_next.storage import TokensOnDisk
from custom_components.up_next.trackers import TRACKERS
from custom_components.up_next.trackers.oauth import wait_for_tokens
from custom_components.up_next.trackers.tracker import TrackerContext
from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, UnknownFlow
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.setup import async_setup_component
from simulators.kinopub import KinoPub
from simulators.service import Fault, Service
from simulators.simkl import Simkl
from simulators.trakt import Trakt

from .conftest import CREDENTIALS, AddAccount, Serve
from .flows import Driver, Toy, add

START = {
    "trakt": "POST /oauth/device/code",
    "simkl": "POST /oauth2/device",
    "kinopub": "POST /oauth2/device",
}
POLL = {
    "trakt": "POST /oauth/device/token",
    "simkl": "POST /oauth2/token",
    "kinopub": "POST /oauth2/device",
}
WHOSE = {
    "trakt": "GET /users/settings",
    "simkl": "GET /users/settings",
    "kinopub": "GET /v1/user",
}
SERVICES = pytest.mark.parametrize("service_class", [Trakt, Simkl, KinoPub])
SERVER = {"base_url": "http://toy.local:8181/", "key": "secret"}
"""What signs in to the tests' own tracker."""


@pytest.fixture(autouse=True)
def quick(
    monkeypatch: pytest.MonkeyPatch, enable_custom_integrations: None
) -> Iterator[None]:
    """Wait for codes in hundredths of a second; leave nothing of the test's own tracker."""

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.02))

    def context(*args: Any) -> TrackerContext:
        return replace(make_context(*args), sleep=sleep)

    monkeypatch.setattr(config_flow, "make_context", context)
    monkeypatch.setattr(options_flow, "make_context", context)
    monkeypatch.setattr(up_next, "make_context", context)
    yield
    Toy.raises.clear()
    Toy.signed_out.clear()


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the tests' own tracker into the registry."""
    monkeypatch.setitem(TRACKERS, "toy", Toy)


def typed(service: Service, **changes: str) -> dict[str, Any]:
    """Return what a user types into the first form."""
    wanted = {f.name for f in TRACKERS[service.name].sign_in[0].fields}
    return {
        **{k: v for k, v in CREDENTIALS.items() if k in wanted},
        "advanced": {"base_url": service.base_url},
        **changes,
    }


async def begin(hass: HomeAssistant, service: Service, **changes: str) -> Driver:
    """Go as far as the first submission."""
    service.pacing = False
    flow = await add(hass)
    await flow.choose(f"{service.name}_credentials")
    await flow.send(typed(service, **changes))
    return flow


async def finish(flow: Driver, service: Service) -> ConfigEntry:
    """Approve the code and wait for the entry."""
    assert flow.at["type"] is FlowResultType.SHOW_PROGRESS
    service.approve()
    result = await flow.wait()
    assert result["type"] is FlowResultType.CREATE_ENTRY, result.get("errors")
    await flow.hass.async_block_till_done()
    entry: ConfigEntry = result["result"]
    assert entry.state is ConfigEntryState.LOADED
    return entry


# adding -------------------------------------------------------------------------------------------------------


async def test_menu_is_the_registry(hass: HomeAssistant, toy: None) -> None:
    flow = await add(hass)
    assert flow.at["type"] is FlowResultType.MENU
    shown = flow.at["menu_options"]
    assert [option.partition("_")[0] for option in shown[:3]] == [
        "trakt",
        "simkl",
        "kinopub",
    ]
    assert shown[-2:] == ["toy_server", "scrobbling"]
    assert len(shown) == len(TRACKERS) + 1


@SERVICES
async def test_add(
    hass: HomeAssistant, serve: Serve, service_class: type[Service]
) -> None:
    service = await serve(service_class)
    name = service.name
    service.pacing = False
    flow = await add(hass)
    await flow.choose(f"{name}_credentials")
    assert flow.at["step_id"] == f"{name}_credentials"
    assert not flow.at["errors"]
    await flow.send(
        typed(service, client_id=f"  {CREDENTIALS['client_id']}\n")
        | {"advanced": {"base_url": f" {service.base_url}/ "}}
    )
    assert flow.at["type"] is FlowResultType.SHOW_PROGRESS
    assert flow.at["step_id"] == flow.at["progress_action"] == f"{name}_device"
    placeholders = flow.at["description_placeholders"]
    page = {"trakt": "activate", "simkl": "pin", "kinopub": "device"}[name]
    assert placeholders["url"] == f"{service.base_url}/{page}"
    filled_in = f"?user_code={placeholders['code']}" if name == "simkl" else ""
    assert placeholders["link"] == placeholders["url"] + filled_in
    assert not hass.config_entries.async_entries(DOMAIN)

    service.approve(placeholders["code"])  # the code shown is the one that works
    await flow.wait()
    await hass.async_block_till_done()

    assert flow.at["type"] is FlowResultType.CREATE_ENTRY
    entry = flow.at["result"]
    account_id = entry.data["account_id"]
    kept = {"client_id": CREDENTIALS["client_id"]}
    assert entry.data == {
        "tracker": name,
        "account_id": account_id,
        "base_url": service.base_url,
        "credentials": kept if name == "simkl" else CREDENTIALS,
    }
    assert account_id
    assert entry.unique_id == f"{name}:{account_id}"
    assert (entry.version, entry.minor_version) == (1, 1)
    assert entry.options == {}
    assert (
        entry.title
        == {
            "trakt": "Trakt (demo-viewer)",
            "simkl": "Simkl (example_user)",
            "kinopub": "KinoPub (example_user)",
        }[name]
    )
    assert entry.state is ConfigEntryState.LOADED
    assert await TokensOnDisk(hass, entry.unique_id).load() is not None
    assert not flow.running


async def test_device_and_entity_names(hass: HomeAssistant, serve: Serve) -> None:
    service = await serve(Trakt)
    entry = await finish(await begin(hass, service), service)
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    entities = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    assert {d.name for d in devices} <= {"Trakt (demo-viewer)"}
    assert all(".trakt_demo_viewer_" in e.entity_id for e in entities)


async def test_tokens_are_on_disk_before_the_entry(
    hass: HomeAssistant, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = await serve(Trakt)
    seen: list[object] = []

    async def set_up(hass: HomeAssistant, entry: ConfigEntry) -> bool:
        seen.append(await TokensOnDisk(hass, str(entry.unique_id)).load())
        return True

    monkeypatch.setattr(up_next, "async_setup_entry", set_up)
    await finish(await begin(hass, service), service)
    assert len(seen) == 1
    assert seen[0] is not None


async def test_accounts_side_by_side(hass: HomeAssistant, serve: Serve) -> None:
    first, second = await serve(Trakt), await serve(Trakt)
    second.uuid, second.username = "another", "other-viewer"
    entries = [await finish(await begin(hass, s), s) for s in (first, second)]
    assert len({entry.unique_id for entry in entries}) == 2
    assert all(entry.state is ConfigEntryState.LOADED for entry in entries)


@SERVICES
async def test_duplicate_is_refused(
    hass: HomeAssistant,
    serve: Serve,
    add_account: AddAccount,
    service_class: type[Service],
) -> None:
    service = await serve(service_class)
    entry = await add_account(service)
    kept = await TokensOnDisk(hass, str(entry.unique_id)).load()
    flow = await begin(hass, service)
    service.approve()
    await flow.wait()
    assert flow.at["type"] is FlowResultType.ABORT
    assert flow.at["reason"] == "already_configured"
    assert flow.at["description_placeholders"] == {"account": entry.title}
    assert len(hass.config_entries.async_entries(DOMAIN)) == 1
    assert await TokensOnDisk(hass, str(entry.unique_id)).load() == kept
    await entry.runtime_data.async_refresh()
    assert entry.runtime_data.last_update_success


async def test_two_windows_for_one_account(hass: HomeAssistant, serve: Serve) -> None:
    service = await serve(Trakt)
    first, second = await begin(hass, service), await begin(hass, service)
    assert {f.at["description_placeholders"]["code"] for f in (first, second)} == {
        d.user_code for d in service.oauth.devices.values()
    }
    service.auto_approve = True
    results = await asyncio.gather(first.wait(), second.wait())
    await hass.async_block_till_done()
    assert sorted(r["type"] for r in results) == ["abort", "create_entry"]
    assert len(hass.config_entries.async_entries(DOMAIN)) == 1


# what is typed ------------------------------------------------------------------------------------------------


async def test_empty_and_wrong_fields(hass: HomeAssistant, serve: Serve) -> None:
    service = await serve(Trakt)
    service.pacing = False
    flow = await add(hass)
    await flow.choose("trakt_credentials")
    assert flow.shown == {}
    wrong = {"client_id": "  ", "client_secret": "", "advanced": {"base_url": "kino"}}
    await flow.send(wrong)
    assert flow.at["errors"] == {
        "client_id": "required",
        "client_secret": "required",
        "advanced": "invalid_url",
    }
    assert flow.shown == {"advanced.base_url": "kino"}
    await flow.send(typed(service))
    await finish(flow, service)


async def test_base_url_may_stay_empty(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without one the service's own address is used; here, what is asked there never leaves the machine."""
    asked: list[str | None] = []

    def context(*args: Any) -> TrackerContext:
        made = make_context(*args)
        asked.append(made.base_url)
        return replace(made, base_url="http://127.0.0.1:9")

    monkeypatch.setattr(config_flow, "make_context", context)
    flow = await add(hass)
    await flow.choose("trakt_credentials")
    await flow.send({**CREDENTIALS, "advanced": {}})
    assert asked == [None]
    assert flow.at["errors"] == {"base": "cannot_connect"}
    assert flow.shown == CREDENTIALS
    section = flow.at["data_schema"].schema["advanced"]
    assert section.options == {"collapsed": True}


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("https://api.example.org/", "https://api.example.org"),
        ("HTTP://Mirror.example.org:8080/kino/", "http://mirror.example.org:8080/kino"),
        ("http://[::1]:8123", "http://[::1]:8123"),
    ],
)
def test_addresses(text: str, plain: str) -> None:
    assert normalise_url(text) == plain


@pytest.mark.parametrize(
    "text",
    [
        "mirror.example.org",
        "ftp://example.org",
        "https://",
        "https:///path",
        "https://user:secret@example.org",
        "https://@example.org",
        "https://example.org?key=1",
        "https://example.org/#top",
        "https://example.org:99999",
        "https://exam ple.org",
    ],
)
def test_addresses_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # yarl raises some of them
        normalise_url(text)


# what goes wrong, and recovery --------------------------------------------------------------------------------


@SERVICES
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "reset"}, "cannot_connect"),
        ({"kind": "drop"}, "cannot_connect"),
        ({"kind": "status", "status": 500}, "unavailable"),
        ({"kind": "status", "status": 503}, "unavailable"),
        (
            {"kind": "status", "status": 429, "headers": {"Retry-After": "77"}},
            "rate_limited",
        ),
        ({"kind": "html", "status": 403}, "blocked"),
        ({"kind": "html"}, "bad_answer"),
        ({"kind": "empty"}, "bad_answer"),
        ({"kind": "broken_json"}, "bad_answer"),
    ],
)
async def test_errors_at_the_start(
    hass: HomeAssistant,
    serve: Serve,
    service_class: type[Service],
    fault: dict[str, Any],
    error: str,
) -> None:
    service = await serve(service_class)
    name = service.name
    if name == "kinopub" and error == "cannot_connect":
        error = "unreachable"
    service.faults.append(Fault(match=START[name], times=9, **fault))
    flow = await begin(hass, service)
    assert flow.at["type"] is FlowResultType.FORM
    assert flow.at["step_id"] == f"{name}_credentials"
    assert flow.at["errors"] == {"base": error}
    if error == "rate_limited" and name == "trakt":
        assert flow.at["description_placeholders"]["seconds"] == "77"
    expected = typed(service)
    expected["advanced.base_url"] = expected.pop("advanced")["base_url"]
    assert flow.shown == expected  # nothing has to be typed again
    service.faults.clear()
    await flow.send(typed(service))
    await finish(flow, service)


@SERVICES
async def test_nobody_there(
    hass: HomeAssistant, serve: Serve, service_class: type[Service]
) -> None:
    service = await serve(service_class)
    nowhere = {"advanced": {"base_url": "http://127.0.0.1:9"}}
    flow = await add(hass)
    await flow.choose(f"{service.name}_credentials")
    await flow.send(typed(service) | nowhere)
    assert flow.at["errors"]["base"] in ("cannot_connect", "unreachable")
    service.pacing = False
    await flow.send(typed(service))
    await finish(flow, service)


@SERVICES
async def test_unknown_client_id(
    hass: HomeAssistant, serve: Serve, service_class: type[Service]
) -> None:
    service = await serve(service_class)
    flow = await begin(hass, service, client_id="mistyped")
    assert flow.at["errors"] == {"base": "invalid_client"}
    assert flow.shown["client_id"] == "mistyped"
    await flow.send(typed(service))
    await finish(flow, service)


@pytest.mark.parametrize("service_class", [Trakt, KinoPub])
async def test_wrong_secret_leads_back(
    hass: HomeAssistant, serve: Serve, service_class: type[Service]
) -> None:
    """Trakt looks at the secret only when the code is polled."""
    service = await serve(service_class)
    flow = await begin(hass, service, client_secret="mistyped")
    await flow.wait()
    assert flow.at["type"] is FlowResultType.FORM
    assert flow.at["step_id"] == f"{service.name}_credentials"
    assert flow.at["errors"] == {"base": "invalid_client"}
    assert flow.shown["client_secret"] == "mistyped"
    await flow.send()  # a reloaded page still says so
    assert flow.at["errors"] == {"base": "invalid_client"}
    await flow.send(typed(service))
    await finish(flow, service)


@pytest.mark.parametrize("service_class", [Trakt, KinoPub])
async def test_declined(
    hass: HomeAssistant, serve: Serve, service_class: type[Service]
) -> None:
    service = await serve(service_class)
    flow = await begin(hass, service)
    first = flow.at["description_placeholders"]["code"]
    service.approve(deny=True)
    await flow.wait()
    assert flow.at["step_id"] == "failed"
    assert flow.at["errors"] == {"base": "sign_in_denied"}
    await flow.send()
    assert flow.at["errors"] == {"base": "sign_in_denied"}
    await flow.send({})
    assert flow.at["description_placeholders"]["code"] != first
    await finish(flow, service)


@SERVICES
async def test_code_expired(
    hass: HomeAssistant, serve: Serve, service_class: type[Service]
) -> None:
    service = await serve(service_class)
    flow = await begin(hass, service)
    service.clock.advance(3 * 3600)
    await flow.wait()
    assert flow.at["errors"] == {"base": "sign_in_expired"}
    await flow.send({})
    await finish(flow, service)


@SERVICES
async def test_no_new_code_to_be_had(
    hass: HomeAssistant, serve: Serve, service_class: type[Service]
) -> None:
    service = await serve(service_class)
    flow = await begin(hass, service)
    service.clock.advance(3 * 3600)
    await flow.wait()
    service.faults.append(Fault("status", START[service.name], status=502, times=9))
    await flow.send({})
    assert flow.at["step_id"] == "failed"
    assert flow.at["errors"] == {"base": "unavailable"}
    service.faults.clear()
    await flow.send({})
    await finish(flow, service)


@SERVICES
async def test_outage_while_waiting_is_survived(
    hass: HomeAssistant, serve: Serve, service_class: type[Service]
) -> None:
    service = await serve(service_class)
    flow = await begin(hass, service)
    for kind in ("reset", "status", "html", "empty"):
        service.faults.append(Fault(kind, POLL[service.name], status=502))
    async with asyncio.timeout(5):
        while service.faults:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await finish(flow, service)


@SERVICES
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("status", status=500), "unavailable"),
        (Fault("html", status=403), "blocked"),
        (Fault("broken_json"), "bad_answer"),
    ],
)
async def test_account_not_told(
    hass: HomeAssistant,
    serve: Serve,
    service_class: type[Service],
    fault: Fault,
    error: str,
) -> None:
    """The code was entered, then the service fails: what was granted is kept for another try."""
    service = await serve(service_class)
    flow = await begin(hass, service)
    service.faults.append(replace(fault, match=WHOSE[service.name], times=9))
    service.approve()
    await flow.wait()
    assert flow.at["step_id"] == "failed"
    assert flow.at["errors"] == {"base": error}
    await flow.send({})
    assert flow.at["errors"] == {"base": error}
    codes = service.count(START[service.name])
    service.faults.clear()
    result = await flow.send({})
    assert result["type"] is FlowResultType.CREATE_ENTRY, result.get("errors")
    if service.name != "kinopub":  # KinoPub polls where it hands out codes
        assert service.count(START[service.name]) == codes
    await hass.async_block_till_done()


@SERVICES
async def test_grant_dies_at_once(
    hass: HomeAssistant, serve: Serve, service_class: type[Service]
) -> None:
    """The code was entered, but the grant is no good: another try begins with a new code."""
    service = await serve(service_class)
    flow = await begin(hass, service)
    service.faults.append(Fault("status", WHOSE[service.name], status=401, times=9))
    service.approve()
    await flow.wait()
    assert flow.at["step_id"] == "failed"
    assert flow.at["errors"] == {"base": "sign_in_required"}
    service.faults.clear()
    await flow.send({})
    await finish(flow, service)


async def test_locked_account(hass: HomeAssistant, serve: Serve) -> None:
    service = await serve(Trakt)
    service.locked = True
    flow = await begin(hass, service)
    service.approve()
    await flow.wait()
    assert flow.at["errors"] == {"base": "account_locked"}
    service.locked = False
    result = await flow.send({})
    assert result["type"] is FlowResultType.CREATE_ENTRY, result.get("errors")
    await hass.async_block_till_done()


async def test_app_deleted_meanwhile(hass: HomeAssistant, serve: Serve) -> None:
    service = await serve(Trakt)
    flow = await begin(hass, service)
    service.faults.append(
        Fault("status", "GET /users/settings", status=403, body="Forbidden", times=9)
    )
    service.approve()
    await flow.wait()
    assert flow.at["step_id"] == "trakt_credentials"
    assert flow.at["errors"] == {"base": "app_rejected"}
    service.faults.clear()
    await flow.send(typed(service))
    await finish(flow, service)


async def test_read_only_grant(
    hass: HomeAssistant, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = await serve(Simkl)
    flow = await begin(hass, service)
    service.grants.devices[-1].scope = "media:read"
    service.approve()
    await flow.wait()
    assert flow.at["step_id"] == "failed"
    assert flow.at["errors"] == {"base": "read_only_grant"}
    await flow.send({})
    await finish(flow, service)


async def test_unexpected_error(
    hass: HomeAssistant,
    serve: Serve,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    service = await serve(Trakt)

    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(config_flow, "wait_for_tokens", broken)
    flow = await begin(hass, service)
    await flow.wait()
    assert flow.at["errors"] == {"base": "unknown"}
    assert "ZeroDivisionError" in caplog.text
    monkeypatch.setattr(config_flow, "wait_for_tokens", wait_for_tokens)
    await flow.send({})
    await finish(flow, service)


# clicks and closed windows ------------------------------------------------------------------------------------


@SERVICES
async def test_closing_the_window(
    hass: HomeAssistant, serve: Serve, service_class: type[Service]
) -> None:
    service = await serve(service_class)
    flow = await begin(hass, service)
    task = next(
        t
        for t in asyncio.all_tasks()
        if t.get_name() == f"up_next {service.name} sign-in"
    )
    hass.config_entries.flow.async_abort(flow.id)
    await asyncio.sleep(0.01)
    assert task.cancelled()
    service.requests.clear()
    service.approve()
    await asyncio.sleep(0.1)
    assert service.requests == []
    assert not hass.config_entries.flow.async_progress()
    assert not hass.config_entries.async_entries(DOMAIN)
    storage = Path(hass.config.path(".storage"))
    assert not list(storage.glob("up_next.tokens*"))  # noqa: ASYNC240


@SERVICES
async def test_submitted_twice(
    hass: HomeAssistant, serve: Serve, service_class: type[Service]
) -> None:
    service = await serve(service_class)
    service.pacing = False
    flow = await add(hass)
    await flow.choose(f"{service.name}_credentials")
    results = await asyncio.gather(
        flow.manager.async_configure(flow.id, typed(service)),
        flow.manager.async_configure(flow.id, typed(service)),
    )
    assert results[0] == results[1]
    flow.take(results[0])
    if service.name != "kinopub":
        assert service.count(START[service.name]) == 1
    await finish(flow, service)


async def test_submitted_twice_with_a_change(hass: HomeAssistant, serve: Serve) -> None:
    service, other = await serve(Trakt), await serve(Trakt)
    other.pacing = False
    flow = await add(hass)
    await flow.choose("trakt_credentials")
    _, second = await asyncio.gather(
        flow.manager.async_configure(flow.id, typed(service)),
        flow.manager.async_configure(flow.id, typed(other)),
    )
    flow.take(second)
    entry = await finish(flow, other)
    assert entry.data["base_url"] == other.base_url
    service.requests.clear()
    await asyncio.sleep(0.1)
    assert service.requests == []


async def test_finished_twice(hass: HomeAssistant, serve: Serve) -> None:
    """Two windows look at the same flow as it ends: one account, and the late one hears that it is over."""
    service = await serve(Trakt)
    service.locked = True
    flow = await begin(hass, service)
    service.approve()
    await flow.wait()
    assert flow.at["step_id"] == "failed"
    service.locked = False
    results = await asyncio.gather(
        flow.manager.async_configure(flow.id, {}),
        flow.manager.async_configure(flow.id, {}),
        return_exceptions=True,
    )
    await hass.async_block_till_done()
    assert results[0]["type"] is FlowResultType.CREATE_ENTRY
    assert isinstance(results[1], UnknownFlow)
    assert len(hass.config_entries.async_entries(DOMAIN)) == 1


async def test_looks_that_come_late(hass: HomeAssistant, serve: Serve) -> None:
    """A look that was overtaken by another try is led to the new code, and does not try the old grant again."""
    service = await serve(Trakt)
    flow = await begin(hass, service)
    service.approve()
    service.faults.append(Fault("status", WHOSE["trakt"], status=500, times=9))
    await flow.wait()
    handler = hass.config_entries.flow._progress[flow.id]
    service.requests.clear()
    look = await handler.async_step_account()
    assert look["step_id"] == "failed"
    assert service.requests == []
    service.faults.clear()
    service.revoke_tokens()
    await flow.send({})
    assert flow.at["errors"] == {"base": "sign_in_required"}
    await flow.send({})
    service.requests.clear()
    for late in ("account", "failed", "trakt_credentials", "trakt_device"):
        look = await getattr(handler, f"async_step_{late}")()
        assert look["step_id"] == "trakt_device"
        assert look["description_placeholders"] == flow.at["description_placeholders"]
    assert not service.requests or service.count(WHOSE["trakt"]) == 0
    await finish(flow, service)


async def test_progress_asked_late(hass: HomeAssistant, serve: Serve) -> None:
    """A look that waited while the code was entered is led on, and gets no second code."""
    service = await serve(Trakt)
    flow = await begin(hass, service)
    handler = hass.config_entries.flow._progress[flow.id]
    service.approve()
    async with asyncio.timeout(5):
        while not handler._code.waiting.done():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    looks = [await handler.async_step_trakt_device() for _ in range(2)]
    assert [look["step_id"] for look in looks] == ["account", "account"]
    assert service.count(START["trakt"]) == 1
    await flow.send()
    assert flow.at["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


# the outside --------------------------------------------------------------------------------------------------


async def test_over_rest(
    hass: HomeAssistant, serve: Serve, hass_client: Any, toy: None
) -> None:
    """The frontend's own way: every form can be sent to a browser, and no secret or device code goes with it."""
    assert await async_setup_component(hass, "config", {})
    # what it depends on adds paths, which the tests' server takes only before it starts
    assert await async_setup_component(hass, DOMAIN, {})
    service = await serve(Trakt)
    service.pacing = False
    client = await hass_client()

    async def post(path: str, data: dict[str, Any]) -> dict[str, Any]:
        response = await client.post(
            f"/api/config/config_entries/flow{path}", json=data
        )
        assert response.status == 200, await response.text()
        return dict(await response.json())

    at = await post("", {"handler": DOMAIN})
    path = f"/{at['flow_id']}"
    at = await post(path, {"next_step_id": "trakt_credentials"})
    assert [field["name"] for field in at["data_schema"]] == [
        "client_id",
        "client_secret",
        "advanced",
    ]
    assert at["data_schema"][2]["type"] == "expandable"
    at = await post(path, typed(service))
    assert at["type"] == "progress"
    assert next(iter(service.oauth.devices)) not in str(at)
    service.approve()
    async with asyncio.timeout(5):
        while at["type"] == "progress":
            await asyncio.sleep(0.02)
            at = await (
                await client.get(f"/api/config/config_entries/flow{path}")
            ).json()
    assert at["type"] == "create_entry"
    assert "up-next-secret" not in str(at)
    await hass.async_block_till_done()

    at = await post("", {"handler": DOMAIN})
    at = await post(f"/{at['flow_id']}", {"next_step_id": "toy_server"})
    at = await post(f"/{at['flow_id']}", SERVER)
    assert at["data_schema"][0]["name"] == "viewer"
    at = await post(f"/{at['flow_id']}", {"viewer": "1"})
    entry_id = at["result"]["entry_id"]
    await hass.async_block_till_done()
    response = await client.post(
        "/api/config/config_entries/options/flow", json={"handler": entry_id}
    )
    at = await response.json()
    assert [field["name"] for field in at["data_schema"]] == [
        "kinds",
        "order",
        "lists",
        "folder",
    ]


# versions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "minor", "state"),
    [
        (1, 1, ConfigEntryState.LOADED),
        (1, 2, ConfigEntryState.LOADED),
        (2, 1, ConfigEntryState.MIGRATION_ERROR),
    ],
)
async def test_versions(  # noqa: PLR0917
    hass: HomeAssistant,
    serve: Serve,
    add_account: AddAccount,
    version: int,
    minor: int,
    state: ConfigEntryState,
) -> None:
    entry = await add_account(await serve(Trakt), setup=False)
    assert (entry.version, entry.minor_version) == (1, 1)
    data = dict(entry.data)
    hass.config_entries.async_update_entry(entry, version=version, minor_version=minor)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert entry.state is state
    assert entry.data == data
    assert (entry.version, entry.minor_version) == (version, minor)
