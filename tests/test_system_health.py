"""System information: how many, what waits, and what can be reached."""

from __future__ import annotations

import json

from pytest_homeassistant_custom_component.common import get_system_health_info

from custom_components.up_next.const import DOMAIN
from custom_components.up_next.writes import MarkWatched
from homeassistant.setup import async_setup_component
from simulators.kinopub import KinoPub
from simulators.service import Fault
from simulators.trakt import Trakt

from .accounts import House, coordinator_of
from .conftest import AddAccount, Serve


async def test_system_health(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Trakt)
    entry = await add_account(service)
    other = await serve(KinoPub)
    other.pacing = False
    await add_account(other)
    assert await async_setup_component(house.hass, "system_health", {})
    await house.hass.async_block_till_done()
    asked = service.count()
    assert await get_system_health_info(house.hass, DOMAIN) == {
        "accounts": 2,
        "pending_writes": 0,
        "failed_writes": 0,
        "Trakt": "ok",
        "KinoPub": "ok",
    }
    assert service.count() == asked

    service.faults.append(Fault(kind="status", status=429, times=1000))
    await coordinator_of(entry).async_refresh()
    episode = coordinator_of(entry).data.overview.next_episode
    assert episode
    write = MarkWatched(item=episode, watched_at="unknown")
    await coordinator_of(entry).async_write([write], 0.2)
    info = await get_system_health_info(house.hass, DOMAIN)
    assert info["pending_writes"] == 1
    assert info["Trakt"] == {"type": "failed", "error": "rate limited"}
    assert info["KinoPub"] == "ok"
    assert entry.title not in json.dumps(info)
    assert "127.0.0.1" not in json.dumps(info)


async def test_without_accounts(house: House, enable_custom_integrations: None) -> None:
    assert await async_setup_component(house.hass, DOMAIN, {})
    assert await async_setup_component(house.hass, "system_health", {})
    await house.hass.async_block_till_done()
    assert await get_system_health_info(house.hass, DOMAIN) == {
        "accounts": 0,
        "pending_writes": 0,
        "failed_writes": 0,
    }
