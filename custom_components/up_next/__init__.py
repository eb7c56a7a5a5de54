"""Up Next: what a household watches, in Home Assistant."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE, Platform
from homeassistant.core import Event, HomeAssistant
from homeassistant.exceptions import ConfigEntryError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.typing import ConfigType
from homeassistant.util.hass_dict import HassKey

from .const import CONF_TRACKER, DOMAIN
from .context import make_context
from .coordinator import AccountCoordinator, UpNextConfigEntry
from .issues import forget_issues
from .pictures import async_setup_pictures
from .services import async_setup_services
from .storage import (
    FILE,
    ArchiveTable,
    Database,
    LibraryCache,
    OutboxTable,
    TokensOnDisk,
)
from .trackers import TRACKERS
from .trackers.errors import TrackerError

_LOGGER = logging.getLogger(__name__)

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)
PLATFORMS: Final = (Platform.BINARY_SENSOR, Platform.SENSOR)
DATABASE: HassKey[Database] = HassKey(f"{DOMAIN}_database")


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Open the database, register the actions and the picture view."""
    database = Database(Path(hass.config.path(".storage", FILE)))
    await database.open()
    hass.data[DATABASE] = database

    async def close(_: Event) -> None:
        await database.close()

    hass.bus.async_listen_once(EVENT_HOMEASSISTANT_FINAL_WRITE, close)
    async_setup_services(hass)
    await async_setup_pictures(hass)
    return True


async def async_migrate_entry(hass: HomeAssistant, entry: UpNextConfigEntry) -> bool:
    """Refuse an entry that a newer major version wrote; there is nothing older than 1.1 to migrate."""
    return entry.version == 1


async def async_setup_entry(hass: HomeAssistant, entry: UpNextConfigEntry) -> bool:
    """Set up one account."""
    tracker_class = TRACKERS.get(entry.data[CONF_TRACKER])
    if tracker_class is None:
        raise ConfigEntryError(
            translation_domain=DOMAIN, translation_key="unknown_tracker"
        )
    account = str(entry.unique_id)
    tracker = tracker_class(
        make_context(
            hass,
            entry.data,
            entry.options,
            TokensOnDisk(hass, account),
            ArchiveTable(hass.data[DATABASE], account),
        )
    )
    coordinator = AccountCoordinator(
        hass, entry, tracker, OutboxTable(hass.data[DATABASE], entry.entry_id)
    )
    await coordinator.async_start()
    entry.runtime_data = coordinator
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    return True


async def async_unload_entry(hass: HomeAssistant, entry: UpNextConfigEntry) -> bool:
    """Stop one account; what is pending stays stored."""
    if not await hass.config_entries.async_unload_platforms(entry, PLATFORMS):
        return False
    await entry.runtime_data.async_stop()
    return True


async def async_remove_entry(hass: HomeAssistant, entry: UpNextConfigEntry) -> None:
    """Sign out where the service can, and delete what was kept of the account: all but its archive of plays."""
    tokens = TokensOnDisk(hass, str(entry.unique_id))
    if tracker_class := TRACKERS.get(entry.data[CONF_TRACKER]):
        try:
            await tracker_class(
                make_context(hass, entry.data, entry.options, tokens)
            ).sign_out()
        except TrackerError as error:
            _LOGGER.warning("Could not sign out of %s: %s", tracker_class.name, error)
    await OutboxTable(hass.data[DATABASE], entry.entry_id).clear()
    await LibraryCache(hass, entry.entry_id).remove()
    await tokens.remove()
    forget_issues(hass, entry)
