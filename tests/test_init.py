"""The life of an account's entry: set up, unload, reload, remove; and the files it leaves or does not leave."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
import sqlite3
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.up_next.const import CONF_TRACKER, DOMAIN
from custom_components.up_next.storage import (
    DATABASE,
    FILE,
    Database,
    OutboxTable,
    TokensOnDisk,
)
from custom_components.up_next.writes import MarkWatched
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE, STATE_UNAVAILABLE
from homeassistant.helpers import device_registry as dr, issue_registry as ir
from homeassistant.setup import async_setup_component
from simulators.kinopub import KinoPub
from simulators.service import Fault
from simulators.trakt import Trakt

from .accounts import House, coordinator_of, until
from .conftest import AddAccount, Serve


async def test_one_service_device_per_account(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    trakt = await add_account(await serve(Trakt))
    kinopub_service = await serve(KinoPub)
    kinopub_service.pacing = False
    kinopub = await add_account(kinopub_service)
    registry = dr.async_get(house.hass)
    for entry, maker in ((trakt, "Trakt"), (kinopub, "KinoPub")):
        (device,) = dr.async_entries_for_config_entry(registry, entry.entry_id)
        assert device.identifiers == {(DOMAIN, entry.unique_id)}
        assert device.manufacturer == maker
        assert device.name == entry.title
        assert device.entry_type is dr.DeviceEntryType.SERVICE


async def test_unload_and_load_again(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Trakt)
    entry = await add_account(service)
    before = house.value(entry, "unwatched_episodes")
    assert await house.hass.config_entries.async_unload(entry.entry_id)
    assert house.value(entry, "unwatched_episodes") == STATE_UNAVAILABLE
    service.requests.clear()
    await house.advance(3600)
    assert service.requests == []
    assert await house.hass.config_entries.async_setup(entry.entry_id)
    await house.hass.async_block_till_done()
    assert house.value(entry, "unwatched_episodes") == before


async def test_reload(house: House, serve: Serve, add_account: AddAccount) -> None:
    entry = await add_account(await serve(Trakt))
    first = coordinator_of(entry)
    assert await house.hass.config_entries.async_reload(entry.entry_id)
    await house.hass.async_block_till_done()
    assert coordinator_of(entry) is not first
    assert entry.state is ConfigEntryState.LOADED


async def test_platforms_that_do_not_unload_keep_the_account(
    house: House,
    serve: Serve,
    add_account: AddAccount,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service = await serve(Trakt)
    entry = await add_account(service)
    with monkeypatch.context() as patch:

        async def refuse(*_: object) -> bool:
            return False

        patch.setattr(house.hass.config_entries, "async_unload_platforms", refuse)
        assert not await house.hass.config_entries.async_unload(entry.entry_id)
    await coordinator_of(entry).async_refresh()
    assert coordinator_of(entry).last_update_success
    # so that nothing is left running
    await house.hass.config_entries.async_unload_platforms(
        entry, ("sensor", "binary_sensor")
    )
    await coordinator_of(entry).async_stop()


async def test_removing_signs_out_and_leaves_nothing(
    house: House, serve: Serve, add_account: AddAccount, hass_storage: dict[str, Any]
) -> None:
    service = await serve(Trakt)
    entry = await add_account(service)
    service.faults.append(Fault(kind="reset", match="POST /sync", times=1000))
    episode = coordinator_of(entry).data.overview.next_episode
    assert episode
    write = MarkWatched(item=episode, watched_at="unknown")
    await coordinator_of(entry).async_write([write], 0)
    ir.async_create_issue(
        house.hass,
        DOMAIN,
        f"access_denied_{entry.entry_id}",
        is_fixable=False,
        severity=ir.IssueSeverity.ERROR,
        translation_key="blocked",
    )
    assert [key for key in hass_storage if "tokens" in key]
    assert service.state()["tokens"] == 1

    assert await house.hass.config_entries.async_remove(entry.entry_id)
    await house.hass.async_block_till_done()
    assert service.state()["tokens"] == 0
    assert not [
        key for key in hass_storage if key.startswith((f"{DOMAIN}.t", f"{DOMAIN}.l"))
    ]
    table = OutboxTable(house.hass.data[DATABASE], entry.entry_id)
    assert await table.load() == []
    assert not [
        issue
        for (domain, _), issue in ir.async_get(house.hass).issues.items()
        if domain == DOMAIN
    ]
    assert house.hass.states.async_all() == []


async def test_removing_while_the_service_is_down_leaves_nothing_either(
    house: House,
    serve: Serve,
    add_account: AddAccount,
    hass_storage: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    service = await serve(Trakt)
    entry = await add_account(service)
    service.faults.append(Fault(kind="status", status=503, times=1000))
    assert await house.hass.config_entries.async_remove(entry.entry_id)
    assert "Could not sign out of Trakt" in caplog.text
    assert not [key for key in hass_storage if "tokens" in key]


async def test_a_tracker_that_is_gone(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    entry = await add_account(await serve(Trakt), setup=False)
    house.hass.config_entries.async_update_entry(
        entry, data={**entry.data, CONF_TRACKER: "gone"}
    )
    assert not await house.hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_ERROR
    assert entry.error_reason_translation_key == "unknown_tracker"
    assert await house.hass.config_entries.async_remove(entry.entry_id)


async def test_the_first_reading_decides(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Trakt)
    entry = await add_account(service, setup=False)
    service.faults.append(Fault(kind="status", status=503, times=1000))
    assert not await house.hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    service.faults.clear()
    await house.advance(60)
    await until(lambda: entry.state is ConfigEntryState.LOADED)
    await house.shows(entry, "unwatched_episodes", service.state()["unwatched"])


async def test_dead_sign_in_at_the_first_reading(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Trakt)
    entry = await add_account(service, setup=False)
    service.revoke_tokens()
    assert not await house.hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_ERROR
    (flow,) = house.hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert flow["context"]["source"] == "reauth"


async def test_two_accounts_of_one_tracker_share_nothing(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    first = await add_account(await serve(Trakt))
    second_service = await serve(Trakt, watched=30)
    second = await add_account(second_service, setup=False)
    house.hass.config_entries.async_update_entry(second, unique_id="trakt:another")
    # the tokens are kept by account
    tokens = await TokensOnDisk(house.hass, str(first.unique_id)).load()
    assert tokens
    grant = second_service.grant()
    await TokensOnDisk(house.hass, "trakt:another").save(
        replace(tokens, access=grant.access, refresh=grant.refresh)
    )
    assert await house.hass.config_entries.async_setup(second.entry_id)
    await house.hass.async_block_till_done()
    unwatched = house.value(second, "unwatched_episodes")
    assert unwatched == str(second_service.state()["unwatched"])
    assert unwatched != house.value(first, "unwatched_episodes")


async def test_home_assistant_stops(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    await add_account(await serve(Trakt))
    database = house.hass.data[DATABASE]
    house.hass.bus.async_fire(EVENT_HOMEASSISTANT_FINAL_WRITE)
    await house.hass.async_block_till_done()
    with pytest.raises(RuntimeError):
        await database.run(lambda connection: connection.total_changes)


# the database -------------------------------------------------------------------------------------------------


async def test_a_database_of_a_newer_version_is_left_alone(
    house: House, enable_custom_integrations: None, caplog: pytest.LogCaptureFixture
) -> None:
    path = Path(house.hass.config.path(".storage", FILE))
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version=99")
    MockConfigEntry(domain=DOMAIN).add_to_hass(house.hass)
    assert not await async_setup_component(house.hass, DOMAIN, {})
    assert "newer version of Up Next" in caplog.text
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (99,)


async def test_what_fails_in_the_database_changes_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path / FILE)
    await database.open()
    table = OutboxTable(database, "one")

    def half(connection: sqlite3.Connection) -> None:
        connection.execute(
            "INSERT INTO outbox (account, write, created_at, state) VALUES ('one', '{}', '', 'pending')"
        )
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.run(half)
    assert await table.load() == []
    await table.update([])
    await database.close()


async def test_a_row_that_cannot_be_read_is_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database(tmp_path / FILE)
    await database.open()
    await database.run(
        lambda connection: connection.execute(
            "INSERT INTO outbox (account, write, created_at, state) VALUES ('one', '{}', '', 'pending')"
        )
    )
    assert await OutboxTable(database, "one").load() == []
    assert "can't be read" in caplog.text
    await database.close()

    again = Database(tmp_path / FILE)
    await again.open()
    (count,) = await again.run(
        lambda connection: connection.execute("SELECT count(*) FROM outbox").fetchone()
    )
    assert count == 1
    await again.close()


@pytest.mark.parametrize(("version", "state"), [(1, "loaded"), (2, "migration_error")])
async def test_an_entry_of_a_newer_version_is_refused(
    house: House, serve: Serve, add_account: AddAccount, version: int, state: str
) -> None:
    entry = await add_account(await serve(Trakt), setup=False)
    house.hass.config_entries.async_update_entry(entry, version=version)
    await house.hass.config_entries.async_setup(entry.entry_id)
    assert entry.state.value == state
