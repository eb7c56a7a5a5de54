"""Media players for tests: what they report, and an entry that maps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
import json
from typing import Any

from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.up_next.const import DOMAIN, PLAYER, SCROBBLING
from custom_components.up_next.media import Episode, Movie, Playable
from homeassistant.config_entries import ConfigSubentryData
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import entity_registry as er
from simulators.clock import Clock
from simulators.service import Service

from .accounts import House
from .travel import Travel


class Player:
    """A media player in Home Assistant's state machine, of some integration."""

    def __init__(
        self, hass: HomeAssistant, clock: Clock, name: str, platform: str
    ) -> None:
        self.hass = hass
        self.clock = clock
        self.entity_id = f"media_player.{name}"
        registry = er.async_get(hass)
        self.registered = registry.async_get_or_create(
            "media_player", platform, name, suggested_object_id=name
        )

    def report(self, state: str, **attributes: Any) -> None:
        """Set the state as it is."""
        self.hass.states.async_set(self.entity_id, state, attributes)

    def play(
        self,
        item: Playable,
        position: float | None = 0,
        *,
        state: str = "playing",
        **more: Any,
    ) -> None:
        """Report that an item plays from this position (seconds) on."""
        attributes: dict[str, Any] = {"media_duration": item.runtime, **about(item)}
        if position is not None:
            attributes["media_position"] = position
            attributes["media_position_updated_at"] = self.clock.now()
        self.report(state, **{**attributes, **more})

    def pause(self, item: Playable, position: float) -> None:
        """Report a pause."""
        self.play(item, position, state="paused")

    def stop(self) -> None:
        """Report that nothing plays."""
        self.report("idle")


class Home:
    """A house with accounts and players, in which time stands still until it is moved."""

    def __init__(
        self, house: House, travel: Travel, serve: Any, add_account: Any
    ) -> None:
        self.hass = house.hass
        self.clock = house.clock
        self.house = house
        self.travel = travel
        self._serve = serve
        self._add_account = add_account

    async def sign_in[S: Service](
        self, kind: type[S], **more: Any
    ) -> tuple[S, MockConfigEntry]:
        """Return a service that never asks for patience, and an account there."""
        service: S = await self._serve(kind, **more)
        service.pacing = False
        return service, await self._add_account(service)

    async def sign_in_again(self, service: Service) -> MockConfigEntry:
        """Return an account of the same user."""
        entry: MockConfigEntry = await self._add_account(service)
        return entry

    def player(self, name: str = "tv", platform: str = "plex") -> Player:
        """Return a media player."""
        return Player(self.hass, self.clock, name, platform)

    async def feed(
        self, *accounts: MockConfigEntry, **data: Any
    ) -> tuple[Player, MockConfigEntry]:
        """Return a Plex player that feeds these accounts, and the entry that says so."""
        tv = self.player()
        return tv, await scrobble(self.hass, mapping(tv, *accounts, **data))

    async def settle(self) -> None:
        """Let everything happen that needs no time to pass."""
        await self.travel.settle()

    async def wait(self, seconds: float) -> None:
        """Let time pass."""
        await self.travel.wait(seconds)

    def shows(self, account: MockConfigEntry) -> tuple[str, str]:
        """Return what an account shows as being watched, and whether that plays."""
        house = self.house
        return house.value(account, "now_watching"), house.value(account, "watching")

    def playback(self, entry: MockConfigEntry, index: int = 0) -> State:
        """Return the state of a player's sensor."""
        return entity_of(self.hass, entry, "playback", index)

    def event(self, entry: MockConfigEntry) -> State:
        """Return the state of a player's event entity."""
        return entity_of(self.hass, entry, "scrobble")


def next_episode(account: MockConfigEntry) -> Episode:
    """Return the episode that comes next at an account, with a length: services may not tell it."""
    found = account.runtime_data.data.overview.next_episode
    assert isinstance(found, Episode)
    return replace(found, runtime=found.runtime or found.show.runtime or 2700)


def unseen_movie(account: MockConfigEntry) -> Movie:
    """Return a movie on an account's watchlist."""
    for entry in account.runtime_data.data.library.watchlist:
        if isinstance(entry.item, Movie):
            return replace(entry.item, runtime=entry.item.runtime or 6600)
    raise AssertionError("there is none")


def told(service: Service) -> list[tuple[str, int | None]]:
    """Return what a service was told of playbacks: what, and at which percentage (at KinoPub, which second)."""
    found: list[tuple[str, int | None]] = []
    for request in service.requests:
        what = request.path.rpartition("/")[2]
        if request.path.startswith(("/scrobble/", "/checkin")):
            progress = json.loads(request.body).get("progress")
            found.append((what, None if progress is None else round(progress)))
        elif request.method == "POST" and request.path == "/sync/history":
            found.append(("history", None))
        elif what in ("marktime", "toggle"):
            second = request.query.get("time")
            found.append((what, int(second) if second else None))
    return found


def about(item: Playable) -> Mapping[str, Any]:
    """Return what a well-behaved player says of an item."""
    if isinstance(item, Episode):
        return {
            "media_content_type": "tvshow",
            "media_series_title": item.show.title,
            "media_season": item.season,
            "media_episode": item.number,
            "media_title": item.title or "",
        }
    assert isinstance(item, Movie)
    return {
        "media_content_type": "movie",
        "media_title": f"{item.title} ({item.year})" if item.year else item.title,
    }


def mapping(
    player: Player, *accounts: MockConfigEntry, **data: Any
) -> ConfigSubentryData:
    """Return the subentry that maps a player to accounts."""
    return ConfigSubentryData(
        data={
            "entity": player.registered.id,
            "accounts": [str(account.unique_id) for account in accounts],
            **data,
        },
        subentry_type=PLAYER,
        title=player.entity_id.partition(".")[2],
        unique_id=player.registered.id,
    )


async def scrobble(
    hass: HomeAssistant, *players: ConfigSubentryData, setup: bool = True
) -> MockConfigEntry:
    """Add the entry that holds these players."""
    entry = MockConfigEntry(
        domain=DOMAIN,
        unique_id=SCROBBLING,
        title="Scrobbling",
        data={},
        version=1,
        minor_version=1,
        subentries_data=players,
    )
    entry.add_to_hass(hass)
    if setup:
        assert await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done()
    return entry


def entity_of(
    hass: HomeAssistant, entry: MockConfigEntry, key: str = "playback", index: int = 0
) -> State:
    """Return the state of an entity of a player."""
    subentry = list(entry.subentries.values())[index]
    platform = "event" if key == "scrobble" else "sensor"
    entity_id = er.async_get(hass).async_get_entity_id(
        platform, DOMAIN, f"{SCROBBLING}_{subentry.subentry_id}_{key}"
    )
    assert entity_id is not None
    state = hass.states.get(entity_id)
    assert state is not None
    return state


async def wait(hass: HomeAssistant, clock: Clock, seconds: float) -> None:
    """Let time pass, step by step, so that every timer fires about when it should."""
    end = clock.now().timestamp() + seconds
    while (left := end - clock.now().timestamp()) > 0:
        clock.advance(min(left, 5.0))
        async_fire_time_changed(hass, clock.now())
        await hass.async_block_till_done(wait_background_tasks=False)
