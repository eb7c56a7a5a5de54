"""Whether something is being watched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from homeassistant.components.binary_sensor import (
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .account import Capability
from .coordinator import UpNextConfigEntry
from .entity import (
    AccountEntity,
    AccountEntityDescription,
    Validity,
    follow_capabilities,
)
from .library import PlaybackState

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class AccountBinarySensorDescription(
    BinarySensorEntityDescription, AccountEntityDescription
):
    """A binary sensor of an account."""


WATCHING: Final = AccountBinarySensorDescription(
    key="watching", needs=Capability.NOW_WATCHING, validity=Validity.LIVE
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: UpNextConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the binary sensor, for accounts that know what is playing."""
    coordinator = entry.runtime_data

    def add(descriptions: list[AccountBinarySensorDescription]) -> None:
        async_add_entities(WatchingSensor(coordinator, d) for d in descriptions)

    follow_capabilities(coordinator, Platform.BINARY_SENSOR, (WATCHING,), add)


class WatchingSensor(AccountEntity, BinarySensorEntity):
    """On while something plays; a pause is off, and unknown is unknown: lights hang on it."""

    entity_description: AccountBinarySensorDescription

    @property
    def is_on(self) -> bool | None:
        """Return whether something plays now."""
        if not self.coordinator.knows_watching:
            return None
        watching = self.coordinator.watching
        return watching is not None and watching.state is PlaybackState.PLAYING
