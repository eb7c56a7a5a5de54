"""Warns of another integration that scrobbles: what both follow would be counted twice."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from homeassistant.config_entries import (
    SIGNAL_CONFIG_ENTRY_CHANGED,
    ConfigEntry,
    ConfigEntryChange,
    ConfigEntryState,
)
from homeassistant.const import EVENT_COMPONENT_LOADED
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.setup import EventComponentLoaded

from ..const import DOMAIN, PLAYER
from ..issues import update_other_scrobbler_issue
from .player import Player

SCROBBLERS: Final[Mapping[str, str]] = MappingProxyType(
    {"trakt_scrobbler": "Trakt Scrobbler"}
)
"""Integrations that tell a tracker what media players play: domain -> name."""


@callback
def async_watch_for_scrobblers(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Raise an issue while another scrobbler runs and a player of `entry` feeds an account; take it back after."""
    watch = _Watch(hass, entry)
    entry.async_on_unload(
        hass.bus.async_listen(EVENT_COMPONENT_LOADED, watch.component_loaded)
    )
    entry.async_on_unload(
        async_dispatcher_connect(hass, SIGNAL_CONFIG_ENTRY_CHANGED, watch.entry_changed)
    )
    watch.look()


class _Watch:
    """Looks for other scrobblers whenever one may have come or gone."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry) -> None:
        self._hass = hass
        self._entry = entry
        self._had_entries: set[str] = set()
        """Those set up by config entries: their code stays when the entries go."""

    @callback
    def component_loaded(self, event: Event[EventComponentLoaded]) -> None:
        """Look when a scrobbler was set up."""
        if event.data["component"] in SCROBBLERS:
            self.look()

    @callback
    def entry_changed(self, _: ConfigEntryChange, entry: ConfigEntry) -> None:
        """Look when a scrobbler came or went, or our players are mapped otherwise."""
        if entry.domain in (DOMAIN, *SCROBBLERS):
            self.look()

    @callback
    def look(self) -> None:
        """Raise the issue or take it back, as things stand."""
        names = [name for domain, name in SCROBBLERS.items() if self._runs(domain)]
        told = ", ".join(names) if names and self._feeds() else None
        update_other_scrobbler_issue(self._hass, told)

    def _runs(self, domain: str) -> bool:
        if entries := self._hass.config_entries.async_entries(domain):
            self._had_entries.add(domain)
            return any(entry.state is ConfigEntryState.LOADED for entry in entries)
        return domain in self._hass.config.components - self._had_entries

    def _feeds(self) -> bool:
        """Say whether a player feeds an account."""
        return any(
            Player.of(subentry).fed
            for subentry in self._entry.subentries.values()
            if subentry.subentry_type == PLAYER
        )
