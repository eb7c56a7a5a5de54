"""Tools for tests of accounts in a real Home Assistant: a clock that both sides share, and waiting for what comes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.up_next.const import DOMAIN
from custom_components.up_next.trackers import TRACKERS
from custom_components.up_next.trackers.trakt import reading as trakt_reading
from custom_components.up_next.trackers.transport import Transport
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
from simulators.clock import Clock
from simulators.firstlight import Firstlight
from simulators.letterboxd import Letterboxd
from simulators.service import Service
from simulators.tautulli import Tautulli
from simulators.trakt_v1 import TraktV1

if TYPE_CHECKING:
    from custom_components.up_next.coordinator import AccountCoordinator

type Serve = Callable[..., Any]
"""Starts a simulator of a kind; returns it."""
type AddAccount = Callable[..., Awaitable[MockConfigEntry]]
"""Adds an account at a simulator; returns its entry."""


async def until(
    condition: Callable[[], object], what: str = "", timeout: float = 8
) -> None:
    """Wait until a condition holds; fail when it does not within `timeout` seconds."""
    try:
        async with asyncio.timeout(timeout):
            while not condition():  # noqa: ASYNC110 (anything can be a condition)
                await asyncio.sleep(0.01)
    except TimeoutError:
        pytest.fail(f"it never came about: {what or condition}")


async def linger(seconds: float = 0.2) -> None:
    """Give what should not happen the time to happen."""
    await asyncio.sleep(seconds)


class House:
    """A Home Assistant whose integration lives by the simulators' clock."""

    def __init__(self, hass: HomeAssistant, clock: Clock) -> None:
        self.hass = hass
        self.clock = clock

    async def advance(self, seconds: float) -> None:
        """Move both sides' clock, and fire what is due then."""
        self.clock.advance(seconds)
        async_fire_time_changed(self.hass, self.clock.now())
        await self.hass.async_block_till_done()

    def entity_id(self, entry: MockConfigEntry, key: str) -> str | None:
        """Return the id of an account's entity by its key."""
        registry = er.async_get(self.hass)
        for platform in ("sensor", "binary_sensor"):
            found = registry.async_get_entity_id(
                platform, DOMAIN, f"{entry.unique_id}_{key}"
            )
            if found:
                return found
        return None

    def find(self, entry: MockConfigEntry, key: str) -> State | None:
        """Return the state of an account's entity; None when there is none."""
        entity_id = self.entity_id(entry, key)
        return self.hass.states.get(entity_id) if entity_id else None

    def state(self, entry: MockConfigEntry, key: str) -> State:
        """Return the state of an account's entity."""
        found = self.find(entry, key)
        assert found is not None, f"no entity {key}"
        return found

    def value(self, entry: MockConfigEntry, key: str) -> str:
        """Return what an account's entity shows."""
        return self.state(entry, key).state

    async def shows(
        self, entry: MockConfigEntry, key: str, value: str | int, timeout: float = 8
    ) -> None:
        """Wait until an account's entity shows a value."""
        await until(
            lambda: (found := self.find(entry, key)) and found.state == str(value),
            f"{key} shows {value}, not {self.find(entry, key)}",
            timeout,
        )


def typed_login(service: Service) -> dict[str, str]:
    """Return what signs in to a simulator without a code, as typed and chosen; nothing for those with a code."""
    match service:
        case Tautulli():
            return {"api_key": service.api_key, "user": "1001"}
        case Letterboxd():
            return {"username": service.username}
        case TraktV1():
            return {
                "api_key": service.api_key,
                "username": service.username,
                "password": service.password,
            }
        case Firstlight():
            return {
                "iam_token": service.iam_token,
                "user_token": service.user_token,
            }
    return {}


def coordinator_of(entry: MockConfigEntry) -> AccountCoordinator:
    """Return the coordinator of a loaded account."""
    coordinator: AccountCoordinator = entry.runtime_data
    return coordinator


def make_house(
    hass: HomeAssistant, clock: Clock, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> House:
    """Share the clock, leave out the waits that only a real service needs, and keep files in `folder`."""
    hass.config.config_dir = str(folder)
    monkeypatch.setattr(dt_util, "utcnow", clock.now)
    monkeypatch.setattr(Transport, "retry_delays", (0.0, 0.0))
    monkeypatch.setattr(trakt_reading, "REST_AFTER_WRITE", 0.0, raising=False)
    for tracker in TRACKERS.values():
        monkeypatch.setattr(tracker, "settles_after", 0.0)
    return House(hass, clock)
