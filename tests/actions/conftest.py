"""A house with accounts, and a way to call the actions in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.up_next import const
from custom_components.up_next.const import DOMAIN
from custom_components.up_next.media import Episode
from custom_components.up_next.trackers.transport import Transport
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from simulators.clock import Clock
from simulators.kinopub import KinoPub
from simulators.service import Fault, Service
from simulators.simkl import Simkl
from simulators.trakt import Trakt

from ..accounts import House, coordinator_of, make_house
from ..conftest import AddAccount, Serve

type Act = Callable[..., Awaitable[Any]]

SERVICES: tuple[type[Service], ...] = (Trakt, Simkl, KinoPub)
BIG = 10_000


@pytest.fixture
def house(
    hass: HomeAssistant, clock: Clock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> House:
    """Return a Home Assistant that lives by the simulators' clock, and does not wait ten seconds for a receipt."""
    monkeypatch.setattr(const, "RECEIPT_TIMEOUT", 5.0)
    return make_house(hass, clock, monkeypatch, tmp_path)


@pytest.fixture
def act(hass: HomeAssistant) -> Act:
    """Return a function that calls an action and returns its answer."""

    async def call(action: str, **data: Any) -> Any:
        return await hass.services.async_call(
            DOMAIN, action, data, blocking=True, return_response=True
        )

    return call


@pytest.fixture
def refusal(act: Act) -> Callable[..., Awaitable[str]]:
    """Return a function that calls an action which has to fail, and returns the error's class and text."""

    async def call(action: str, **data: Any) -> str:
        with pytest.raises(HomeAssistantError) as caught:
            await act(action, **data)
        error = caught.value
        assert error.translation_domain == DOMAIN
        assert str(error) != error.translation_key, "no text"
        assert "{" not in str(error)
        # older versions of Home Assistant drop the full stop
        return f"{type(error).__name__}: {error}".rstrip(".")

    return call


@pytest.fixture
async def trakt(house: House, serve: Serve) -> Trakt:
    """Return a running Trakt, whose last movies nobody watched or listed."""
    service: Trakt = await serve(Trakt, movies=40)
    service.pacing = False
    return service


@pytest.fixture
async def account(trakt: Trakt, add_account: AddAccount) -> MockConfigEntry:
    """Return an account at Trakt."""
    return await add_account(trakt)


def next_episode(entry: MockConfigEntry) -> Episode:
    """Return the episode on screen."""
    episode = coordinator_of(entry).data.overview.next_episode
    assert episode is not None
    return episode


def fields(episode: Episode) -> dict[str, Any]:
    """Return the fields by which an episode is named."""
    return {
        "title": episode.show.title,
        "season": episode.season,
        "episode": episode.number,
    }


def unwatched(entry: MockConfigEntry) -> int:
    """Return the count on screen."""
    return coordinator_of(entry).data.overview.unwatched


def down(service: Service, match: str = "", kind: str = "reset", **more: Any) -> None:
    """Let everything that matches fail until `service.faults.clear()`."""
    service.faults.append(Fault(kind=kind, match=match, times=BIG, **more))


def quick(monkeypatch: pytest.MonkeyPatch, seconds: float = 0.3) -> None:
    """Wait only so long for receipts."""
    monkeypatch.setattr(const, "RECEIPT_TIMEOUT", seconds)
    monkeypatch.setattr(Transport, "retry_delays", ())


async def started(
    serve: Serve, add_account: AddAccount, kind: type[Service], **options: Any
) -> tuple[Any, MockConfigEntry]:
    """Return a running service, whose last movies nobody watched or listed, and an account there."""
    service: Service = await serve(kind, movies=40)
    service.pacing = False
    return service, await add_account(service, **options)


def left(entry: MockConfigEntry, title: str) -> int:
    """Return how many episodes of a show are unwatched, on screen.

    KinoPub's total corrects itself meanwhile: only a closer look tells which of its unwatched episodes are specials.
    """
    rows = coordinator_of(entry).data.overview.shows
    return next((row.unwatched for row in rows if row.show.title == title), 0)
