"""What every entity of a mapped player shares."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from homeassistant.core import callback
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.entity import Entity, EntityDescription
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from ..const import DOMAIN, SCROBBLING
from .player import Player
from .scrobbler import Scrobbler


class PlayerEntity(Entity):
    """An entity of one mapped player's service device."""

    _attr_has_entity_name = True
    _attr_should_poll = False

    def __init__(
        self, scrobbler: Scrobbler, player: Player, description: EntityDescription
    ) -> None:
        """Belong to `player`."""
        self.scrobbler = scrobbler
        self.player = player
        self.entity_description = description
        self._attr_translation_key = description.key
        self._attr_unique_id = f"{SCROBBLING}_{player.id}_{description.key}"
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, f"{SCROBBLING}_{player.id}")},
            name=player.name,
            entry_type=DeviceEntryType.SERVICE,
        )


@callback
def follow_players(
    scrobbler: Scrobbler,
    async_add_entities: AddConfigEntryEntitiesCallback,
    make: Callable[[Player], Iterable[PlayerEntity]],
) -> Callable[[], None]:
    """Add the entities of every player, now and whenever one is mapped. Returns what ends it.

    Those of a removed player go with its subentry.
    """

    @callback
    def add(player: Player) -> None:
        async_add_entities(make(player), config_subentry_id=player.id)

    return scrobbler.async_follow_players(add)
