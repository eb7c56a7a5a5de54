"""A player of the demo. Up Next knows it by the name of its integration."""

from __future__ import annotations

from demo_player import DemoPlayer

from homeassistant.const import CONF_NAME
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddEntitiesCallback
from homeassistant.helpers.typing import ConfigType, DiscoveryInfoType


async def async_setup_platform(
    hass: HomeAssistant,
    config: ConfigType,
    async_add_entities: AddEntitiesCallback,
    discovery_info: DiscoveryInfoType | None = None,
) -> None:
    """Add one player with the name that the configuration gives."""
    async_add_entities([DemoPlayer("zidoo", config.get(CONF_NAME, "Player"))])
