"""What stands beside scrobbling: the warning of another scrobbler, the logbook, diagnostics."""

from __future__ import annotations

import json

from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.up_next import logbook
from custom_components.up_next.const import DOMAIN
from custom_components.up_next.diagnostics import async_get_config_entry_diagnostics
from custom_components.up_next.issues import OTHER_SCROBBLER
from custom_components.up_next.players.events import EVENT_SCROBBLE
from homeassistant.config_entries import (
    SIGNAL_CONFIG_ENTRY_CHANGED,
    ConfigEntryChange,
    ConfigEntryState,
)
from homeassistant.const import EVENT_COMPONENT_LOADED
from homeassistant.core import Event
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.dispatcher import async_dispatcher_send
from simulators.trakt import Trakt

from ..home import Home, mapping, scrobble, unseen_movie

OTHER = "trakt_scrobbler"


def issue(home: Home) -> ir.IssueEntry | None:
    """Return the warning."""
    return ir.async_get(home.hass).async_get_issue(DOMAIN, OTHER_SCROBBLER)


async def test_another_scrobbler_comes_and_goes(home: Home) -> None:
    _, account = await home.sign_in(Trakt)
    await home.feed(account)
    assert issue(home) is None
    other = MockConfigEntry(domain=OTHER, state=ConfigEntryState.LOADED)
    other.add_to_hass(home.hass)
    home.hass.config.components.add(OTHER)
    home.hass.bus.async_fire(EVENT_COMPONENT_LOADED, {"component": OTHER})
    await home.hass.async_block_till_done()
    found = issue(home)
    assert found is not None
    assert found.translation_placeholders == {"integration": "Trakt Scrobbler"}
    other.mock_state(home.hass, ConfigEntryState.NOT_LOADED)
    async_dispatcher_send(
        home.hass, SIGNAL_CONFIG_ENTRY_CHANGED, ConfigEntryChange.UPDATED, other
    )
    await home.hass.async_block_till_done()
    assert issue(home) is None


async def test_another_scrobbler_without_entries(home: Home) -> None:
    """It is set up by YAML, and there before us."""
    home.hass.config.components.add(OTHER)
    _, account = await home.sign_in(Trakt)
    _, entry = await home.feed(account)
    assert issue(home) is not None
    await home.hass.config_entries.async_remove(entry.entry_id)
    await home.hass.async_block_till_done()
    assert issue(home) is None


async def test_another_scrobbler_beside_observing(home: Home) -> None:
    """Who only observes counts nothing twice."""
    home.hass.config.components.add(OTHER)
    _, account = await home.sign_in(Trakt)
    tv = home.player()
    await scrobble(home.hass, mapping(tv, account, observe_only=True))
    home.hass.bus.async_fire(EVENT_COMPONENT_LOADED, {"component": "light"})
    await home.hass.async_block_till_done()
    assert issue(home) is None


def test_logbook(home: Home) -> None:
    described: dict[tuple[str, str], logbook.Describe] = {}

    def describe(domain: str, event: str, function: logbook.Describe) -> None:
        described[domain, event] = function

    logbook.async_describe_events(home.hass, describe)
    function = described[DOMAIN, EVENT_SCROBBLE]
    event = {"action": "started", "player": "TV", "label": "Silo S01E01"}
    assert function(
        Event(EVENT_SCROBBLE, {**event, "entity_id": "media_player.tv"})
    ) == {
        "name": "TV",
        "message": "started Silo S01E01",
        "entity_id": "media_player.tv",
    }
    asked = function(Event(EVENT_SCROBBLE, {**event, "action": "needs_decision"}))
    assert asked["message"] == "can't tell what this is: Silo S01E01"
    assert asked["entity_id"] is None


async def test_diagnostics(home: Home) -> None:
    _, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    tv, entry = await home.feed(account, persons=["Anna"])
    tv.play(movie, username="Anna")
    await home.wait(20)
    told = await async_get_config_entry_diagnostics(home.hass, entry)
    assert told["players"] == {
        "count": 1,
        "by_integration": {"plex": 1},
        "by_phase": {"playing": 1},
        "observe_only": 0,
        "with_condition": 0,
        "with_persons": 1,
    }
    assert told["accounts_fed"] == 1
    assert told["waiting_titles"] == 0
    text = json.dumps(told)
    for secret in (movie.title, "Anna", str(account.unique_id), tv.entity_id):
        assert secret not in text
