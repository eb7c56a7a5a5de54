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

from .const import CONF_TRACKER, DOMAIN
from .context import make_context
from .coordinator import AccountCoordinator, UpNextConfigEntry
from .issues import forget_issues, forget_scrobbling_issues
from .pictures import async_setup_pictures
from .players.coexistence import async_watch_for_scrobblers
from .players.player import is_fed
from .players.scrobbler import Scrobbler, ScrobblingConfigEntry, is_scrobbling
from .players.store import ScrobblingTables
from .players.waiting_plays import async_look_after_waiting_plays
from .push import async_setup_push
from .services import async_setup_services
from .storage import (
    DATABASE,
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
PLAYER_PLATFORMS: Final = (Platform.EVENT, Platform.SENSOR)


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


async def async_setup_entry(
    hass: HomeAssistant, entry: UpNextConfigEntry | ScrobblingConfigEntry
) -> bool:
    """Set up one account, or the entry that holds the players."""
    if is_scrobbling(entry):
        return await _async_setup_scrobbling(hass, entry)
    return await _async_setup_account(hass, entry)


async def _async_setup_scrobbling(
    hass: HomeAssistant, entry: ScrobblingConfigEntry
) -> bool:
    scrobbler = Scrobbler(hass, entry, ScrobblingTables(hass.data[DATABASE]))
    entry.runtime_data = scrobbler
    await scrobbler.async_start()
    async_look_after_waiting_plays(scrobbler)
    async_watch_for_scrobblers(hass, entry)
    await hass.config_entries.async_forward_entry_setups(entry, PLAYER_PLATFORMS)
    return True


async def _async_setup_account(hass: HomeAssistant, entry: UpNextConfigEntry) -> bool:
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
    coordinator.fed = is_fed(hass, account)
    entry.runtime_data = coordinator
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    async_setup_push(hass, entry)
    return True


async def async_unload_entry(
    hass: HomeAssistant, entry: UpNextConfigEntry | ScrobblingConfigEntry
) -> bool:
    """Stop one account, or following players; what is pending stays stored."""
    platforms = PLAYER_PLATFORMS if is_scrobbling(entry) else PLATFORMS
    if not await hass.config_entries.async_unload_platforms(entry, platforms):
        return False
    await entry.runtime_data.async_stop()
    return True


async def async_remove_entry(
    hass: HomeAssistant, entry: UpNextConfigEntry | ScrobblingConfigEntry
) -> None:
    """Delete what was kept. Of an account, that is all but its archive of plays; its grant is given back.

    What scrobbling counted stays known, so that nothing is counted twice should it come back.
    """
    if is_scrobbling(entry):
        await ScrobblingTables(hass.data[DATABASE]).clear()
        forget_scrobbling_issues(hass)
        for account in hass.config_entries.async_loaded_entries(DOMAIN):
            account.runtime_data.async_show_playback(None, fed=False)
        return
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
