"""Fixtures that every test shares."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

from hypothesis import HealthCheck, settings
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.up_next.const import (
    CONF_ACCOUNT_ID,
    CONF_BASE_URL,
    CONF_CREDENTIALS,
    CONF_TRACKER,
    DOMAIN,
)
from custom_components.up_next.context import make_context
from custom_components.up_next.storage import TokensOnDisk
from custom_components.up_next.trackers import TRACKERS
from custom_components.up_next.trackers.oauth import MemoryTokenStore, Tokens
from custom_components.up_next.trackers.tracker import DeviceCode, Tracker
from homeassistant.core import HomeAssistant
from simulators.catalogue import Viewer, generate, watch
from simulators.clock import Clock
from simulators.service import Service

from .accounts import AddAccount, House, Serve, make_house, typed_login
from .couch import Couch, Evening, make_evening
from .home import Home
from .travel import Travel


@pytest.fixture(autouse=True)
def loopback(socket_enabled: None) -> None:
    """Let tests talk to the simulators; other addresses stay closed."""


# the first text drawn builds Unicode tables, and the machine may be busy
settings.register_profile(
    "up_next", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("up_next")


@pytest.fixture
def hass(hass: HomeAssistant, tmp_path: Path) -> HomeAssistant:
    """Return a Home Assistant with files of its own; the harness has one folder for all tests, even across runs."""
    hass.config.config_dir = str(tmp_path)
    return hass


CREDENTIALS = {"client_id": "up-next-client", "client_secret": "up-next-secret"}


@pytest.fixture
def clock() -> Clock:
    """Return the simulators' clock, at real time."""
    return Clock()


@pytest.fixture
async def serve(clock: Clock) -> AsyncIterator[Serve]:
    """Return a function that starts a simulator and returns it.

    As in `await serve(Trakt, shows=50, movies=40, watched=60)`.

    Its keyword arguments are those of `generate` and `watch`; `viewer=Viewer()` starts with an empty account.
    """
    async with AsyncExitStack() as stack:

        async def start[S: Service](
            service_class: type[S],
            *,
            shows: int = 20,
            movies: int = 10,
            watched: int = 60,
            in_progress: int | None = None,
            airing_in: float | None = None,
            viewer: Viewer | None = None,
        ) -> S:
            catalogue = generate(
                clock.now(), shows=shows, movies=movies, airing_in=airing_in
            )
            if viewer is None:
                viewer = watch(
                    catalogue, clock.now(), watched=watched, in_progress=in_progress
                )
            service = service_class(catalogue, viewer, clock)
            await stack.enter_async_context(service.serve())
            return service

        yield start


async def _enter_code(tracker: Tracker, service: Service) -> Tokens:
    """Sign in by a device code."""
    sign_in = tracker.device_sign_in()
    grant = await sign_in.start()
    service.approve()
    granted = await sign_in.poll(grant)
    assert granted is not None
    return granted


@pytest.fixture
def add_account(hass: HomeAssistant, enable_custom_integrations: None) -> AddAccount:
    """Return a function that signs in to a simulator and sets its account up.

    As in `entry = await add_account(service)`.

    The grant comes from the service's real device flow, where it has one. `credentials` are typed instead of those
    that fit. `setup=False` only adds the entry.
    """

    async def add(
        service: Service,
        *,
        options: dict[str, str | list[str]] | None = None,
        credentials: dict[str, str] | None = None,
        setup: bool = True,
    ) -> MockConfigEntry:
        tracker_class = TRACKERS[service.name]
        typed = credentials or typed_login(service) or CREDENTIALS
        data = {
            CONF_TRACKER: service.name,
            CONF_BASE_URL: service.base_url,
            CONF_CREDENTIALS: dict(tracker_class.keep(typed)),
        }
        tokens = MemoryTokenStore()
        tracker = tracker_class(make_context(hass, data, options or {}, tokens))
        pacing, service.pacing = service.pacing, False
        granted: Tokens | None = None
        if any(isinstance(step, DeviceCode) for step in tracker_class.sign_in):
            granted = await _enter_code(tracker, service)
            await tokens.save(granted)
        account = await tracker.account()
        service.pacing = pacing
        service.requests.clear()
        unique_id = f"{service.name}:{account.id}"
        if granted is not None:
            await TokensOnDisk(hass, unique_id).save(granted)
        entry = MockConfigEntry(
            domain=DOMAIN,
            unique_id=unique_id,
            title=account.name,
            version=1,
            minor_version=1,
            data={**data, CONF_ACCOUNT_ID: account.id},
            options=options or {},
        )
        entry.add_to_hass(hass)
        if setup:
            assert await hass.config_entries.async_setup(entry.entry_id)
            await hass.async_block_till_done()
        return entry

    return add


@pytest.fixture
def house(
    hass: HomeAssistant, clock: Clock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> House:
    """Return a Home Assistant that lives by the simulators' clock, with files of its own."""
    return make_house(hass, clock, monkeypatch, tmp_path)


@pytest.fixture
def travel(
    hass: HomeAssistant, house: House, monkeypatch: pytest.MonkeyPatch
) -> Travel:
    """Return what moves time, which stands still otherwise."""
    return Travel(hass, house.clock, monkeypatch)


@pytest.fixture
def home(house: House, travel: Travel, serve: Serve, add_account: AddAccount) -> Home:
    """Return a house with players, in which time stands still until it is moved."""
    return Home(house, travel, serve, add_account)


@pytest.fixture
async def evening(
    hass: HomeAssistant,
    house: House,
    serve: Serve,
    add_account: AddAccount,
    monkeypatch: pytest.MonkeyPatch,
) -> Evening:
    """Return an evening in front of a television that feeds an account at Trakt."""
    return await make_evening(hass, house, serve, add_account, monkeypatch)


@pytest.fixture
def couch(evening: Evening) -> Couch:
    """Return the couch."""
    return evening.couch
