"""Which accounts an action is for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr

from ..account import Capability
from ..const import CONF_TRACKER, DOMAIN
from ..coordinator import AccountCoordinator, UpNextConfigEntry
from ..trackers import TRACKERS
from .texts import invalid


def chosen(
    hass: HomeAssistant, given: Sequence[str], action: str, needs: Capability
) -> list[AccountCoordinator]:
    """Return the accounts that `given` names (device ids or entry ids), or the only one that can do the action.

    `needs` holds what the action takes; one of these is enough. Raises ServiceValidationError.
    """
    if not given:
        return [_only(hass, action, needs)]
    found = [_named(hass, name) for name in dict.fromkeys(given)]
    accounts = list(dict.fromkeys(_loaded(entry) for entry in found))
    demand(accounts, action, needs)
    return accounts


def loaded(hass: HomeAssistant, given: Sequence[str]) -> list[AccountCoordinator]:
    """Return the accounts that `given` names, or all that are loaded. Raises ServiceValidationError."""
    if given:
        return [_loaded(_named(hass, name)) for name in dict.fromkeys(given)]
    entries = [
        entry for entry in _entries(hass) if entry.state is ConfigEntryState.LOADED
    ]
    if not entries:
        raise invalid("no_account_loaded")
    return [entry.runtime_data for entry in entries]


def demand(
    accounts: Iterable[AccountCoordinator], action: str, needs: Capability
) -> None:
    """Raise ServiceValidationError, naming them, when some accounts can do none of what the action takes."""
    names = [
        account.config_entry.title
        for account in accounts
        if not account.data.library.account.can & needs
    ]
    if names:
        raise invalid("account_cannot", accounts=", ".join(names), action=action)


def _entries(hass: HomeAssistant) -> list[UpNextConfigEntry]:
    """Return the enabled accounts, loaded or not."""
    return [
        entry
        for entry in hass.config_entries.async_entries(
            DOMAIN, include_ignore=False, include_disabled=False
        )
        if entry.data.get(CONF_TRACKER) in TRACKERS
    ]


def _only(hass: HomeAssistant, action: str, needs: Capability) -> AccountCoordinator:
    # an account that is not loaded counts: what an action without account means must not change with an outage
    able = [entry for entry in _entries(hass) if _can(entry) & needs]
    if not able:
        raise invalid("no_account", action=action)
    if len(able) > 1:
        names = ", ".join(sorted(entry.title for entry in able))
        raise invalid("account_needed", accounts=names, action=action)
    return _loaded(able[0])


def _can(entry: UpNextConfigEntry) -> Capability:
    if entry.state is ConfigEntryState.LOADED:
        return entry.runtime_data.data.library.account.can
    return TRACKERS[entry.data[CONF_TRACKER]].may


def _named(hass: HomeAssistant, name: str) -> UpNextConfigEntry:
    """Return the account with this entry id, or of this device."""
    entry = hass.config_entries.async_get_entry(name)
    if entry is None and (device := dr.async_get(hass).async_get(name)) is not None:
        entry = next(
            (
                owner
                for domain, unique_id in device.identifiers
                if domain == DOMAIN
                and (
                    owner := hass.config_entries.async_entry_for_domain_unique_id(
                        DOMAIN, unique_id
                    )
                )
            ),
            None,
        )
    if entry is None or entry.domain != DOMAIN or CONF_TRACKER not in entry.data:
        raise invalid("account_unknown", account=name)
    return entry


def _loaded(entry: UpNextConfigEntry) -> AccountCoordinator:
    if entry.state is not ConfigEntryState.LOADED:
        raise invalid("account_not_loaded", account=entry.title)
    return entry.runtime_data
