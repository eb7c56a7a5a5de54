"""Signing in again, changing an account and its settings: through the real flow manager, against the simulators."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.up_next.const import DOMAIN
from custom_components.up_next.media import Ids, Movie
from custom_components.up_next.storage import DATABASE, OutboxTable, TokensOnDisk
from custom_components.up_next.trackers import TRACKERS
from custom_components.up_next.trackers.errors import RateLimited, Unavailable
from custom_components.up_next.trackers.oauth import Tokens
from custom_components.up_next.writes import MarkWatched
from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntry, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
from simulators.kinopub import KinoPub
from simulators.service import Fault, Service
from simulators.simkl import Simkl
from simulators.trakt import Trakt

from .accounts import House, until
from .conftest import CREDENTIALS, AddAccount, Serve
from .flows import Driver, Toy, again, options
from .test_config_flow import SERVER, SERVICES, START, WHOSE, quick, toy, typed

__all__ = ["quick", "toy"]


def become_another(service: Service) -> None:
    """From now on somebody else signs in."""
    if isinstance(service, Trakt):
        service.uuid, service.username = "another", "other-viewer"
    elif isinstance(service, Simkl):
        service.account_id, service.user_name = 777, "other_viewer"
    elif isinstance(service, KinoPub):
        service.username = "other_viewer"


async def reauth(
    hass: HomeAssistant, entry: MockConfigEntry, service: Service
) -> Driver:
    """Let the grant die, and go as far as the first form of signing in again."""
    service.revoke_tokens()
    await entry.runtime_data.async_refresh()
    await hass.async_block_till_done()
    (waiting,) = hass.config_entries.flow.async_progress()
    assert waiting["context"]["source"] == SOURCE_REAUTH
    service.pacing = False
    flow = again(
        hass, await hass.config_entries.flow.async_configure(waiting["flow_id"])
    )
    assert flow.at["step_id"] == "reauth_confirm"
    assert flow.at["description_placeholders"]["account"] == entry.title
    await flow.send({})
    return flow


async def done(flow: Driver, service: Service, reason: str) -> None:
    """Approve the code and wait for the end."""
    assert flow.at["type"] is FlowResultType.SHOW_PROGRESS
    service.approve()
    await flow.wait()
    assert flow.at["type"] is FlowResultType.ABORT
    assert flow.at["reason"] == reason
    await flow.hass.async_block_till_done()


async def given_back() -> None:
    """Wait until an unwanted grant was given back."""
    async with asyncio.timeout(5):
        await asyncio.gather(
            *(t for t in asyncio.all_tasks() if t.get_name().endswith(" sign-out"))
        )


# signing in again ---------------------------------------------------------------------------------------------


@SERVICES
async def test_reauth(
    hass: HomeAssistant,
    serve: Serve,
    add_account: AddAccount,
    service_class: type[Service],
) -> None:
    service = await serve(service_class)
    entry = await add_account(service)
    before = dict(entry.data)
    old = await TokensOnDisk(hass, str(entry.unique_id)).load()
    flow = await reauth(hass, entry, service)
    assert flow.at["step_id"] == f"{service.name}_credentials"
    assert flow.shown == {
        "client_id": CREDENTIALS["client_id"],
        "advanced.base_url": service.base_url,
    }  # the secret stays where it is
    sent = typed(service)
    sent.pop("client_secret", None)
    await flow.send(sent)
    await done(flow, service, "reauth_successful")
    assert entry.data["credentials"].items() <= before["credentials"].items()
    assert {**entry.data, "credentials": 0} == {**before, "credentials": 0}
    new = await TokensOnDisk(hass, str(entry.unique_id)).load()
    assert old is not None
    assert new is not None
    assert new.access != old.access
    assert entry.state is ConfigEntryState.LOADED
    assert entry.runtime_data.last_update_success
    assert not hass.config_entries.flow.async_progress()
    assert len(hass.config_entries.async_entries(DOMAIN)) == 1


async def test_reauth_while_the_old_grant_is_renewed(
    hass: HomeAssistant, house: House, serve: Serve, add_account: AddAccount
) -> None:
    """The newest sign-in counts, though the answer to an older request comes after it."""
    service = await serve(Trakt)
    service.pacing = False
    entry = await add_account(service)

    async def stored() -> Tokens | None:
        return await TokensOnDisk(hass, str(entry.unique_id)).load()

    house.clock.advance(6.995 * 86_400)
    entry.async_start_reauth(hass)
    await hass.async_block_till_done()
    (waiting,) = hass.config_entries.flow.async_progress()
    flow = again(
        hass, await hass.config_entries.flow.async_configure(waiting["flow_id"])
    )
    await flow.send({})
    sent = typed(service)
    sent.pop("client_secret", None)
    await flow.send(sent)

    late = Fault(kind="late", match="POST /oauth/token", seconds=1)
    service.faults.append(late)
    renewing = hass.async_create_background_task(
        entry.runtime_data.tracker.account(), "renewing"
    )
    await until(lambda: late.times == 0)
    await done(flow, service, "reauth_successful")
    granted = await stored()
    await renewing
    assert any(r.path == "/oauth/token" for r in service.requests)
    assert await stored() == granted
    assert entry.runtime_data.last_update_success


@SERVICES
async def test_reauth_with_the_wrong_account(
    hass: HomeAssistant,
    serve: Serve,
    add_account: AddAccount,
    service_class: type[Service],
) -> None:
    service = await serve(service_class)
    entry = await add_account(service)
    before = dict(entry.data)
    old = await TokensOnDisk(hass, str(entry.unique_id)).load()
    flow = await reauth(hass, entry, service)
    await flow.send(typed(service))
    become_another(service)
    await done(flow, service, "wrong_account")
    assert flow.at["description_placeholders"]["account"] == entry.title
    assert flow.at["description_placeholders"]["other"].startswith("other")
    assert entry.data == before
    assert await TokensOnDisk(hass, str(entry.unique_id)).load() == old
    assert not any(
        p.name.startswith(f"up_next.tokens.{service.name}") and "other" in p.name
        for p in await hass.async_add_executor_job(_storage, hass)
    )
    await given_back()
    if service.name == "trakt":  # the unwanted grant was given back
        assert service.count("POST /oauth/revoke") == 1
        assert service.state()["tokens"] == 0


def _storage(hass: HomeAssistant) -> list[Any]:
    from pathlib import Path

    return list(Path(hass.config.path(".storage")).iterdir())


async def test_grant_of_another_entry_stays(
    hass: HomeAssistant, serve: Serve, add_account: AddAccount
) -> None:
    """Signing in as an account that has an entry of its own: its grants are left alone."""
    service = await serve(Trakt)
    first = await add_account(service)
    become_another(service)
    second = await add_account(service)
    service.uuid, service.username = first.data["account_id"], "demo-viewer"
    service.oauth.grants.clear()
    flow = await reauth(hass, second, service)
    await flow.send(typed(service))
    await done(flow, service, "wrong_account")
    await given_back()
    assert service.count("POST /oauth/revoke") == 0


async def test_outbox_survives_reauth(
    hass: HomeAssistant, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Trakt)
    entry = await add_account(service)
    movie = service.catalogue.movies[0]
    service.unwatch_movie(movie.ids["trakt"])
    plays = service.state()["movie_plays"]
    service.revoke_tokens()
    item = Movie(title=movie.title, ids=Ids.of(movie.ids))
    write = MarkWatched(item=item, watched_at=datetime(2026, 1, 2, 3, 4, tzinfo=UTC))
    receipts = await entry.runtime_data.async_write([write], 0.5)
    assert receipts == [None]
    table = OutboxTable(hass.data[DATABASE], entry.entry_id)
    assert [row.write for row in await table.load()] == [write]
    flow = await reauth(hass, entry, service)
    await flow.send(typed(service))
    assert [row.write for row in await table.load()] == [write]
    await done(flow, service, "reauth_successful")
    async with asyncio.timeout(10):
        while await table.load():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert service.state()["movie_plays"] == plays + 1


async def test_reauth_with_new_credentials(
    hass: HomeAssistant, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Trakt)
    entry = await add_account(service)
    stale = {"client_id": "deleted", "client_secret": "gone"}
    hass.config_entries.async_update_entry(
        entry, data={**entry.data, "credentials": stale}
    )
    flow = await reauth(hass, entry, service)
    sent = typed(service, client_id="deleted")
    await flow.send({k: v for k, v in sent.items() if k != "client_secret"})
    assert flow.at["errors"] == {"base": "invalid_client"}
    assert flow.shown == {
        "client_id": "deleted",
        "advanced.base_url": service.base_url,
    }
    await flow.send(typed(service))
    await done(flow, service, "reauth_successful")
    assert entry.data["credentials"] == CREDENTIALS


async def test_reauth_recovers(
    hass: HomeAssistant, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Trakt)
    entry = await add_account(service)
    flow = await reauth(hass, entry, service)
    service.faults.append(Fault("reset", START["trakt"], times=9))
    await flow.send(typed(service))
    assert flow.at["errors"] == {"base": "cannot_connect"}
    service.faults.clear()
    await flow.send(typed(service))
    service.approve(deny=True)
    await flow.wait()
    assert flow.at["errors"] == {"base": "sign_in_denied"}
    assert flow.at["description_placeholders"]["account"] == entry.title
    await flow.send({})
    await done(flow, service, "reauth_successful")


@pytest.mark.parametrize("way", ["start_reauth_flow", "start_reconfigure_flow"])
async def test_tracker_that_is_gone(hass: HomeAssistant, quick: None, way: str) -> None:
    entry = _toy_entry("gone")
    entry.add_to_hass(hass)
    flow = again(hass, await getattr(entry, way)(hass))
    assert flow.at["type"] is FlowResultType.ABORT
    assert flow.at["reason"] == "unknown_tracker"


# changing -----------------------------------------------------------------------------------------------------


async def reconfigure(
    hass: HomeAssistant, entry: MockConfigEntry, service: Service
) -> Driver:
    service.pacing = False
    service.requests.clear()
    return again(hass, await entry.start_reconfigure_flow(hass))


@SERVICES
async def test_new_base_url(
    hass: HomeAssistant,
    serve: Serve,
    add_account: AddAccount,
    service_class: type[Service],
) -> None:
    """Another address of the same service: the present grant does."""
    service = await serve(service_class)
    entry = await add_account(service)
    before = dict(entry.data)
    granted = await TokensOnDisk(hass, str(entry.unique_id)).load()
    credentials = typed(service)
    credentials.pop("advanced")
    hass.config_entries.async_update_entry(
        entry, data={**before, "credentials": credentials}
    )
    flow = await reconfigure(hass, entry, service)
    assert flow.shown == {
        "client_id": CREDENTIALS["client_id"],
        "advanced.base_url": service.base_url,
    }
    async with service.serve() as mirror:
        assert mirror != before["base_url"]
        await flow.send(
            {"client_id": credentials["client_id"], "advanced": {"base_url": mirror}}
        )
        assert flow.at["type"] is FlowResultType.ABORT
        assert flow.at["reason"] == "reconfigure_successful"
        await hass.async_block_till_done()
        assert service.count(START[service.name]) == 0
        assert entry.state is ConfigEntryState.LOADED
    assert entry.data == {**before, "base_url": mirror, "credentials": credentials}
    assert await TokensOnDisk(hass, str(entry.unique_id)).load() == granted


async def test_base_url_of_somebody_else(
    hass: HomeAssistant, serve: Serve, add_account: AddAccount
) -> None:
    """The other server does not know the grant: a new sign-in is needed there."""
    service, other = await serve(Trakt), await serve(Trakt)
    entry = await add_account(service)
    other.pacing = False
    flow = await reconfigure(hass, entry, service)
    await flow.send(
        {
            "client_id": CREDENTIALS["client_id"],
            "advanced": {"base_url": "http://127.0.0.1:9"},
        }
    )
    assert flow.at["errors"] == {"base": "cannot_connect"}
    assert entry.data["base_url"] == service.base_url
    await flow.send(typed(other))
    await done(flow, other, "reconfigure_successful")
    assert entry.data["base_url"] == other.base_url
    assert entry.state is ConfigEntryState.LOADED


@pytest.mark.parametrize("service_class", [Trakt, KinoPub])
async def test_new_credentials_need_a_sign_in(
    hass: HomeAssistant,
    serve: Serve,
    add_account: AddAccount,
    service_class: type[Service],
) -> None:
    service = await serve(service_class)
    entry = await add_account(service)
    hass.config_entries.async_update_entry(
        entry,
        data={**entry.data, "credentials": {"client_id": "a", "client_secret": "b"}},
    )
    flow = await reconfigure(hass, entry, service)
    await flow.send(typed(service, client_secret="mistyped"))
    await flow.wait()
    assert flow.at["errors"] == {"base": "invalid_client"}
    await flow.send(typed(service))
    await done(flow, service, "reconfigure_successful")
    assert entry.data["credentials"] == CREDENTIALS
    assert entry.state is ConfigEntryState.LOADED


@SERVICES
async def test_reconfigure_with_the_wrong_account(
    hass: HomeAssistant,
    serve: Serve,
    add_account: AddAccount,
    service_class: type[Service],
) -> None:
    service = await serve(service_class)
    entry = await add_account(service)
    hass.config_entries.async_update_entry(
        entry,
        data={**entry.data, "credentials": {"client_id": "a", "client_secret": "b"}},
    )
    before = dict(entry.data)
    flow = await reconfigure(hass, entry, service)
    await flow.send(typed(service))
    become_another(service)
    await done(flow, service, "wrong_account")
    assert entry.data == before


async def test_reconfigure_without_tokens(
    hass: HomeAssistant, toy: None, quick: None
) -> None:
    """Where the credentials are the sign-in, they are tried, and what was chosen is asked again."""
    entry = _toy_entry()
    entry.add_to_hass(hass)
    flow = again(hass, await entry.start_reconfigure_flow(hass))
    assert flow.shown == {"base_url": "http://toy.local"}
    await flow.send({"base_url": "http://toy.local:8181"})
    assert flow.at["step_id"] == "toy_viewer"
    await flow.send({"viewer": "2"})
    assert flow.at["reason"] == "wrong_account"
    await given_back()
    assert Toy.signed_out == ["2"]
    flow = again(hass, await entry.start_reconfigure_flow(hass))
    await flow.send(SERVER)
    Toy.raises["sign_out"] = Unavailable("down")
    await flow.send({"viewer": "2"})
    assert flow.at["reason"] == "wrong_account"
    await given_back()
    flow = again(hass, await entry.start_reconfigure_flow(hass))
    await flow.send({"base_url": "http://toy.local:8181"})
    await flow.send({"viewer": "1"})
    assert flow.at["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    assert entry.data["base_url"] == "http://toy.local:8181"
    assert entry.data["credentials"] == {"key": "secret", "viewer": "1"}


# settings -----------------------------------------------------------------------------------------------------


def _toy_entry(tracker: str = "toy", **settings: Any) -> MockConfigEntry:
    return MockConfigEntry(
        domain=DOMAIN,
        unique_id=f"{tracker}:1",
        title="Toy (Ann)",
        version=1,
        minor_version=1,
        data={
            "tracker": tracker,
            "account_id": "1",
            "base_url": "http://toy.local",
            "credentials": {"key": "secret", "viewer": "1"},
        },
        options=settings,
    )


def offered(flow: Driver, name: str) -> list[str]:
    """Return what can be chosen for an option."""
    return [
        option["value"] if isinstance(option, dict) else option
        for option in flow.at["data_schema"].schema[name].config["options"]
    ]


async def test_bookmark_folder(
    hass: HomeAssistant, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(KinoPub)
    service.pacing = False
    entry = await add_account(service)
    coordinator = entry.runtime_data
    flow = await options(hass, entry.entry_id)
    assert flow.at["step_id"] == "kinopub_options"
    assert flow.shown == {"names": "original"}
    folder = offered(flow, "folder")[0]
    await flow.send({"folder": folder, "names": "local"})
    assert flow.at["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    assert entry.options == {"folder": folder, "names": "local"}
    assert entry.state is ConfigEntryState.LOADED
    assert entry.runtime_data is not coordinator  # reloaded, and with the new settings
    assert entry.runtime_data.tracker.context.options == entry.options

    service.faults.append(Fault("status", "GET /v1/bookmarks", status=502, times=99))
    flow = await options(hass, entry.entry_id)
    assert flow.at["errors"] == {"base": "unavailable"}
    assert offered(flow, "folder") == [folder]
    assert flow.shown == {"folder": folder, "names": "local"}
    service.faults.clear()
    await flow.send({"names": "local"})
    assert flow.at["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    assert entry.options == {"folder": "", "names": "local"}


@pytest.mark.parametrize("service_class", [Trakt, Simkl])
async def test_lists(
    hass: HomeAssistant,
    serve: Serve,
    add_account: AddAccount,
    service_class: type[Service],
) -> None:
    service = await serve(service_class)
    entry = await add_account(service)
    flow = await options(hass, entry.entry_id)
    assert flow.shown["lists"] == offered(flow, "lists")
    await flow.send({"lists": ["movies"]})
    await hass.async_block_till_done()
    assert entry.options == {"lists": ["movies"]}
    await entry.runtime_data.async_refresh()
    assert {e.item.type for e in entry.runtime_data.data.library.watchlist} <= {"movie"}


async def test_unchanged_settings_do_not_reload(
    hass: HomeAssistant, serve: Serve, add_account: AddAccount
) -> None:
    entry = await add_account(await serve(Trakt), options={"lists": ["movies"]})
    coordinator = entry.runtime_data
    flow = await options(hass, entry.entry_id)
    await flow.send({"lists": ["movies"]})
    await hass.async_block_till_done()
    assert entry.runtime_data is coordinator


async def test_settings_of_an_account_that_is_down(
    hass: HomeAssistant, serve: Serve, add_account: AddAccount
) -> None:
    """An account that can't be set up shows and changes its settings all the same."""
    service = await serve(KinoPub)
    service.pacing = False
    entry = await add_account(service, setup=False)
    service.faults.append(Fault("status", WHOSE["kinopub"], status=502, times=99))
    service.faults.append(Fault("status", "GET /v1/watching", status=502, times=99))
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.SETUP_RETRY
    flow = await options(hass, entry.entry_id)
    assert not flow.at["errors"]
    assert offered(flow, "folder")
    service.faults.clear()
    await flow.send({"names": "local"})
    await hass.async_block_till_done()
    assert entry.options["names"] == "local"
    assert entry.state is ConfigEntryState.LOADED


async def test_every_kind_of_setting(
    hass: HomeAssistant, toy: None, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Toy] = []

    async def choices(self: Toy, name: str) -> dict[str, str]:
        asked.append(self)
        return Toy.lists

    monkeypatch.setattr(Toy, "choices", choices)
    entry = _toy_entry(order="gone", lists=["9"], other="kept")
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    asked.clear()
    flow = await options(hass, entry.entry_id)
    assert {id(tracker) for tracker in asked} == {id(entry.runtime_data.tracker)}
    assert flow.shown == {"kinds": ["movies", "shows"], "order": "gone", "lists": ["9"]}
    assert offered(flow, "order") == ["newest", "oldest", "gone"]
    assert offered(flow, "lists") == ["9", "7", "8"]
    with pytest.raises(InvalidData):
        await flow.send({"order": "newest", "lists": ["10"]})
    with pytest.raises(InvalidData):
        await flow.send({"kinds": []})
    await flow.send(
        {"kinds": [], "order": "newest", "lists": ["7", "8"], "folder": "8"}
    )
    await hass.async_block_till_done()
    assert entry.options == {
        "kinds": [],
        "order": "newest",
        "lists": ["7", "8"],
        "folder": "8",
        "other": "kept",
    }
    flow = await options(hass, entry.entry_id)
    assert flow.shown == {"order": "newest", "lists": ["7", "8"], "folder": "8"}
    await flow.send({"order": "newest"})
    await hass.async_block_till_done()
    assert entry.options == {
        "kinds": [],
        "order": "newest",
        "lists": [],
        "folder": "",
        "other": "kept",
    }


@pytest.mark.parametrize(
    ("error", "key"),
    [(RateLimited(60), "rate_limited"), (ZeroDivisionError(), "unknown")],
)
async def test_choices_not_to_be_had(
    hass: HomeAssistant, toy: None, quick: None, error: Exception, key: str
) -> None:
    entry = _toy_entry(lists=["8"])
    entry.add_to_hass(hass)
    Toy.raises["lists"] = error
    flow = await options(hass, entry.entry_id)
    assert flow.at["errors"] == {"base": key}
    assert offered(flow, "lists") == ["8"]
    assert offered(flow, "folder") == ["7", "8"]
    await flow.send({"order": "oldest", "lists": ["8"]})
    assert flow.at["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


async def test_nothing_to_set(
    hass: HomeAssistant, toy: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Toy, "options", ())
    entry: ConfigEntry = _toy_entry()
    entry.add_to_hass(hass)  # type: ignore[attr-defined]
    assert not entry.supports_options
    assert (await options(hass, entry.entry_id)).at["reason"] == "no_options"
    monkeypatch.delitem(TRACKERS, "toy")
    assert (await options(hass, entry.entry_id)).at["reason"] == "no_options"
