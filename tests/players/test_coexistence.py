"""The warning that another integration scrobbles, too."""

from __future__ import annotations

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.up_next.const import DOMAIN
from custom_components.up_next.issues import OTHER_SCROBBLER
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import EVENT_COMPONENT_LOADED
from homeassistant.helpers import issue_registry as ir
from simulators.trakt import Trakt

from ..home import Home

OTHER = "trakt_scrobbler"


def warning(home: Home) -> ir.IssueEntry | None:
    return ir.async_get(home.hass).async_get_issue(DOMAIN, OTHER_SCROBBLER)


def other(home: Home) -> MockConfigEntry:
    """Add another scrobbler that runs."""
    entry = MockConfigEntry(domain=OTHER)
    entry.add_to_hass(home.hass)
    load(home, entry)
    return entry


def load(home: Home, entry: MockConfigEntry) -> None:
    """Do what Home Assistant does when an integration was set up by an entry."""
    home.hass.config.components.add(entry.domain)
    entry._async_set_state(home.hass, ConfigEntryState.LOADED, None)


async def test_other_scrobbler_comes_and_goes(home: Home) -> None:
    _, account = await home.sign_in(Trakt)
    await home.feed(account)
    assert warning(home) is None
    entry = other(home)
    found = warning(home)
    assert found is not None
    assert found.translation_placeholders == {"integration": "Trakt Scrobbler"}
    entry._async_set_state(home.hass, ConfigEntryState.NOT_LOADED, None)
    assert warning(home) is None
    load(home, entry)
    assert warning(home) is not None
    # its code stays in memory, which means nothing
    await home.hass.config_entries.async_remove(entry.entry_id)
    await home.settle()
    assert warning(home) is None


async def test_other_scrobbler_was_there_before(home: Home) -> None:
    _, account = await home.sign_in(Trakt)
    other(home)
    _, entry = await home.feed(account)
    assert warning(home) is not None
    await home.hass.config_entries.async_remove(entry.entry_id)
    await home.settle()
    assert warning(home) is None


async def test_other_scrobbler_without_an_entry(home: Home) -> None:
    """It may be set up by YAML."""
    _, account = await home.sign_in(Trakt)
    await home.feed(account)
    home.hass.config.components.add(OTHER)
    home.hass.bus.async_fire(EVENT_COMPONENT_LOADED, {"component": "sun"})
    assert warning(home) is None
    home.hass.bus.async_fire(EVENT_COMPONENT_LOADED, {"component": OTHER})
    assert warning(home) is not None


@pytest.mark.parametrize("observe_only", [True, False])
async def test_only_where_something_would_count_twice(
    home: Home, observe_only: bool
) -> None:
    _, account = await home.sign_in(Trakt)
    _, entry = await home.feed(account, observe_only=observe_only)
    other(home)
    assert (warning(home) is None) is observe_only
    (subentry,) = entry.subentries.values()
    home.hass.config_entries.async_update_subentry(
        entry, subentry, data={**subentry.data, "observe_only": not observe_only}
    )
    assert (warning(home) is None) is not observe_only
