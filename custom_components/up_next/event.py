"""What happens at a mapped player, for automations."""

from __future__ import annotations

from typing import Final

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .players.entity import PlayerEntity, follow_players
from .players.events import EVENT_TYPES, PlayerEvent
from .players.scrobbler import ScrobblingConfigEntry

PARALLEL_UPDATES = 0

SCROBBLE: Final = EventEntityDescription(
    key="scrobble",
    event_types=list(EVENT_TYPES),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: ScrobblingConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add an event entity for every player."""
    scrobbler = entry.runtime_data
    entry.async_on_unload(
        follow_players(
            scrobbler,
            async_add_entities,
            lambda player: [ScrobbleEvent(scrobbler, player, SCROBBLE)],
        )
    )


class ScrobbleEvent(PlayerEntity, EventEntity):
    """Something happened at a player: a title was started, paused, resumed, stopped, watched, or needs a decision."""

    entity_description: EventEntityDescription

    async def async_added_to_hass(self) -> None:
        """Follow what happens."""
        self.async_on_remove(
            self.scrobbler.async_listen_for_events(self.player.id, self._happened)
        )

    @callback
    def _happened(self, event: PlayerEvent) -> None:
        self._trigger_event(event.type, dict(event.data))
        self.async_write_ha_state()
