"""What every entity of an account shares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from homeassistant.const import Platform
from homeassistant.core import callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.entity import EntityDescription
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .account import Capability
from .const import DOMAIN
from .coordinator import AccountCoordinator
from .library import Library


class Validity(Enum):
    """How long what an entity shows holds when refreshing fails (docs/architecture.md)."""

    LASTING = auto()
    """Counts and lists: the last good value, for 24 hours; unavailable at once when sign-in is dead."""
    LIVE = auto()
    """What happens now: unknown at once; the entity itself stays available until sign-in is dead."""
    ALWAYS = auto()
    """What we know ourselves."""


@dataclass(frozen=True, kw_only=True)
class AccountEntityDescription(EntityDescription):
    """An entity of an account, for accounts that have the capabilities it needs."""

    needs: Capability = Capability.NONE
    """All of this."""
    needs_any: Capability = Capability.NONE
    """And one of these, if there are any."""
    validity: Validity = Validity.LASTING
    known_fn: Callable[[Library], bool] = lambda _: True
    """Says whether the account has this at all, where a capability does not tell."""

    def fits(self, can: Capability) -> bool:
        """Say whether an account that can do this has the entity."""
        return self.needs in can and (not self.needs_any or bool(self.needs_any & can))


class AccountEntity(CoordinatorEntity[AccountCoordinator]):
    """An entity of one account's service device."""

    entity_description: AccountEntityDescription
    _attr_has_entity_name = True

    def __init__(
        self, coordinator: AccountCoordinator, description: AccountEntityDescription
    ) -> None:
        """Belong to the account of `coordinator`."""
        super().__init__(coordinator)
        self.entity_description = description
        entry = coordinator.config_entry
        self._attr_translation_key = description.key
        self._attr_unique_id = f"{entry.unique_id}_{description.key}"
        self._attr_attribution = coordinator.tracker.attribution
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, str(entry.unique_id))},
            name=entry.title,
            manufacturer=coordinator.tracker.name,
            entry_type=DeviceEntryType.SERVICE,
            configuration_url=coordinator.data.library.account.url,
        )

    @property
    def available(self) -> bool:
        """Say whether the last good value is still good."""
        match self.entity_description.validity:
            case Validity.LASTING:
                return self.coordinator.available
            case Validity.LIVE:
                return not self.coordinator.sign_in_required
            case Validity.ALWAYS:
                return True


@callback
def follow_capabilities[D: AccountEntityDescription](
    coordinator: AccountCoordinator,
    platform: Platform,
    descriptions: Sequence[D],
    add: Callable[[list[D]], None],
) -> None:
    """Add the entities that the account can have, now and whenever it can more; remove those it lost."""
    entry = coordinator.config_entry
    registry = er.async_get(coordinator.hass)
    added: set[str] = set()
    before: Capability | None = None

    @callback
    def follow() -> None:
        nonlocal before
        library = coordinator.data.library
        can = coordinator.can
        if can != before:
            before = can
            for description in descriptions:
                if not description.fits(can):
                    added.discard(description.key)
                    unique_id = f"{entry.unique_id}_{description.key}"
                    if entity_id := registry.async_get_entity_id(
                        platform, DOMAIN, unique_id
                    ):
                        registry.async_remove(entity_id)
        fresh = [
            description
            for description in descriptions
            if description.key not in added
            and description.fits(can)
            and description.known_fn(library)
        ]
        if fresh:
            added.update(description.key for description in fresh)
            add(fresh)

    follow()
    entry.async_on_unload(coordinator.async_add_listener(follow))
