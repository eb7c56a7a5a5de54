"""Watching: on while something plays, unknown when that is not known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from custom_components.up_next.library import Playback, PlaybackState
from custom_components.up_next.media import Movie
from custom_components.up_next.trackers.tracker import Refresh
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from simulators.service import Fault
from simulators.trakt import Trakt

from .accounts import House, coordinator_of
from .conftest import AddAccount, Serve


async def test_watching(house: House, serve: Serve, add_account: AddAccount) -> None:
    service = await serve(Trakt)
    entry = await add_account(service)
    coordinator = coordinator_of(entry)
    assert house.value(entry, "watching") == "off"

    service.play(movie=500_000)
    await coordinator.async_refresh()
    assert house.value(entry, "watching") == "on"

    # lights hang on it: the moment it is not known, it says so, and after that it is true again
    service.faults.append(Fault(kind="reset", times=1000))
    await coordinator.async_refresh()
    assert house.value(entry, "watching") == STATE_UNKNOWN
    service.faults.clear()
    await coordinator.async_refresh()
    assert house.value(entry, "watching") == "on"

    service.stop_playing()
    await coordinator.async_refresh()
    assert house.value(entry, "watching") == "off"

    service.revoke_tokens()
    await coordinator.async_refresh()
    assert house.value(entry, "watching") == STATE_UNAVAILABLE


async def test_a_pause_is_off(
    house: House,
    serve: Serve,
    add_account: AddAccount,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = await add_account(await serve(Trakt))
    coordinator = coordinator_of(entry)
    playback = Playback(
        item=Movie(title="Heretic"),
        state=PlaybackState.PAUSED,
        updated_at=house.clock.now(),
    )
    library = replace(coordinator.data.library, watching=playback)

    async def refresh(_: object) -> Refresh:
        return Refresh(library=library, next_in=60)

    monkeypatch.setattr(coordinator.tracker, "refresh", refresh)
    await coordinator.async_refresh()
    assert house.value(entry, "watching") == "off"
    assert house.value(entry, "now_watching") == "Heretic"
    assert house.state(entry, "now_watching").attributes["state"] == "paused"
