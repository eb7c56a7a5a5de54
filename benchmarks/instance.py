"""The whole integration in a Home Assistant without a frontend: stalls, memory, recorded attributes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import gc
import json
from pathlib import Path
import tempfile
import tracemalloc
from unittest.mock import patch

import aiohttp
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_test_home_assistant,
)

from custom_components.up_next.const import DOMAIN
from custom_components.up_next.coordinator import AccountData
from custom_components.up_next.storage import TokensOnDisk
from custom_components.up_next.trackers import TRACKERS
from custom_components.up_next.trackers.tracker import Tracker
from homeassistant import loader
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import MAJOR_VERSION, MINOR_VERSION
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import frame
from homeassistant.helpers.json import json_bytes
from homeassistant.setup import async_setup_component

from .report import Report
from .requests import first_load, signed_in, watch_next
from .simulated import Simulated
from .stall import Stall, watched

NEVER_RECORDED = {"attribution", "restored", "supported_features"}
"""Attributes that the recorder leaves out for every domain."""
RESOLVER = "homeassistant.helpers.aiohttp_client._async_make_resolver"
PORT = 28123
ATTRIBUTES = 2048
FIRST_STALL = 50
REFRESH_STALL = 20
TIMES = 3
"""Each stall is the smallest of so many runs: what else the machine does can only make it larger."""


@asynccontextmanager
async def home() -> AsyncIterator[HomeAssistant]:
    """Run a Home Assistant with an empty configuration folder."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / ".storage").mkdir()
        http = {"server_host": ["127.0.0.1"], "server_port": PORT}
        # from 2026.8 the address is a stored setting, and YAML only a trial of five minutes
        stored = (MAJOR_VERSION, MINOR_VERSION) >= (2026, 8)
        if stored:
            kept = {"version": 1, "minor_version": 1, "key": "http", "data": http}
            (Path(folder) / ".storage" / "http").write_text(json.dumps(kept))
        async with async_test_home_assistant(config_dir=folder) as hass:
            # the usual one looks for devices on the network
            with patch(RESOLVER, lambda _: aiohttp.ThreadedResolver()):
                frame.async_setup(hass)
                hass.data.pop(loader.DATA_CUSTOM_COMPONENTS, None)
                yaml = {} if stored else {"http": http}
                assert await async_setup_component(hass, "http", yaml)
                # so that only the account itself is measured, not Python's imports
                for domain in ("sensor", "binary_sensor", DOMAIN):
                    assert await async_setup_component(hass, domain, {})
                try:
                    yield hass
                finally:
                    await hass.async_stop(force=True)


async def add_entry(hass: HomeAssistant, tracker: Tracker) -> MockConfigEntry:
    """Add a config entry as the config flow makes it, without setting it up."""
    account = await tracker.account()
    tokens = await tracker.context.tokens.load()
    entry = MockConfigEntry(
        domain=DOMAIN,
        title=f"{tracker.name} ({account.name})",
        unique_id=f"{tracker.key}:{account.id}",
        version=1,
        minor_version=1,
        data={
            "tracker": tracker.key,
            "account_id": account.id,
            "base_url": tracker.context.base_url,
            "credentials": dict(tracker.context.credentials),
        },
    )
    if tokens is not None:
        await TokensOnDisk(hass, str(entry.unique_id)).save(tokens)
    entry.add_to_hass(hass)
    return entry


async def measure_instance(report: Report, services: Simulated) -> None:
    """Set up each tracker's account as a new one, and let it refresh."""
    for key in TRACKERS:
        first: list[Stall] = []
        for run in range(TIMES):
            # one first load a grant is what a service expects
            tracker = await signed_in(services, key)
            async with home() as hass:
                entry = await add_entry(hass, tracker)
                async with watched() as stall:
                    await hass.config_entries.async_setup(entry.entry_id)
                    await hass.async_block_till_done()
                first.append(stall)
                assert entry.state is ConfigEntryState.LOADED, entry.reason
                if run == TIMES - 1:
                    report_stall(
                        report,
                        f"{key}: longest stall, set-up with first load",
                        first,
                        FIRST_STALL,
                    )
                    await measure_refreshes(report, services, key, hass, entry)
                await hass.config_entries.async_unload(entry.entry_id)


async def measure_refreshes(
    report: Report,
    services: Simulated,
    key: str,
    hass: HomeAssistant,
    entry: MockConfigEntry,
) -> None:
    """Measure refreshes of an account that is set up, and its attributes."""
    coordinator = entry.runtime_data
    idle: list[Stall] = []
    more: list[Stall] = []
    for _ in range(TIMES):
        async with watched() as stall:
            await coordinator.async_refresh()
            await hass.async_block_till_done()
        idle.append(stall)
    for _ in range(TIMES):
        before = shown(coordinator.data)
        await watch_next(services, key, coordinator.data.library, later=0)
        async with watched() as stall:
            await coordinator.async_refresh()
            await hass.async_block_till_done()
        if shown(coordinator.data) != before:
            more.append(stall)
    report_stall(report, f"{key}: longest stall, idle refresh", idle, REFRESH_STALL)
    report_stall(
        report, f"{key}: longest stall, incremental refresh", more, REFRESH_STALL
    )
    sizes = {
        state.entity_id: recorded_bytes(state) for state in hass.states.async_all()
    }
    largest = max(sizes, key=lambda name: sizes[name])
    report.figure(
        f"{key}: largest recorded attributes", sizes[largest], "bytes", ATTRIBUTES
    )
    report.note(f"    {largest}, of {len(sizes)} entities")


def shown(data: AccountData) -> tuple[object, ...]:
    """Return what changes when something was watched."""
    library = data.library
    return data.overview.unwatched, library.plays, library.playbacks


def report_stall(
    report: Report, name: str, stalls: list[Stall], limit: float | None
) -> None:
    """Print the smallest of several stalls, and what caused it where it is over its limit."""
    if not stalls:
        raise RuntimeError(f"{name}: nothing was read")
    stall = min(stalls, key=lambda stall: stall.longest)
    report.figure(name, stall.longest, "ms", limit)
    report.note(f"    runs: {', '.join(f'{s.longest:.1f}' for s in stalls)}")
    if stall.longest > (REFRESH_STALL if limit is None else limit):
        report.note(f"    at {stall.where or 'an unknown place'}")
        report.note(f"    longest garbage collection: {stall.collecting:.1f} ms")


def recorded_bytes(state: State) -> int:
    """Return the size of what the recorder would keep of a state's attributes."""
    left_out = set(NEVER_RECORDED)
    if state.state_info is not None:
        left_out |= state.state_info["unrecorded_attributes"]
    return len(
        json_bytes({k: v for k, v in state.attributes.items() if k not in left_out})
    )


async def measure_memory(report: Report, services: Simulated) -> None:
    """Measure what one loaded library occupies."""
    for key in TRACKERS:
        tracker = await signed_in(services, key)
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        library, _, _ = await first_load(services, key, tracker)
        gc.collect()
        after, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        shows = len(library.shows)
        report.figure(
            f"{key}: memory of the library ({shows} shows)",
            (after - before) / 1e6,
            "MB",
        )
        report.figure(f"{key}: peak while loading it", (peak - before) / 1e6, "MB")
