"""Repair issues: a service that refuses access, and writes that wait for a person (their flow: repairs.py)."""

from __future__ import annotations

from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.loader import async_get_loaded_integration

from .const import CONF_TRACKER, DOMAIN
from .trackers.errors import TrackerError

ACCESS_KEYS: Final = frozenset(
    {
        "account_locked",
        "api_disabled",
        "app_rejected",
        "blocked",
        "plan_required",
        "user_not_found",
    }
)
"""The reasons of AccessDenied (trackers/errors.py) that have a text of their own."""
CONF_ENTRY_ID: Final = "entry_id"
WAITING_TITLES: Final = "waiting_titles"
OTHER_SCROBBLER: Final = "other_scrobbler"


def update_access_issue(
    hass: HomeAssistant, entry: ConfigEntry, error: TrackerError | None
) -> None:
    """Tell that a service refuses access and why, or (None) that it does no more."""
    if error is None:
        ir.async_delete_issue(hass, DOMAIN, _access_id(entry))
        return
    key = error.translation_key
    ir.async_create_issue(
        hass,
        DOMAIN,
        _access_id(entry),
        is_fixable=False,
        severity=ir.IssueSeverity.ERROR,
        translation_key=key if key in ACCESS_KEYS else "app_rejected",
        translation_placeholders={"account": entry.title, **error.placeholders},
        learn_more_url=_help(hass, entry),
    )


def update_failed_writes_issue(
    hass: HomeAssistant, entry: ConfigEntry, count: int
) -> None:
    """Tell how many writes of an account wait for a person; 0 takes the issue back."""
    if not count:
        ir.async_delete_issue(hass, DOMAIN, _failed_id(entry))
        return
    ir.async_create_issue(
        hass,
        DOMAIN,
        _failed_id(entry),
        is_fixable=True,
        severity=ir.IssueSeverity.WARNING,
        translation_key="failed_writes",
        translation_placeholders={"account": entry.title, "count": str(count)},
        data={CONF_ENTRY_ID: entry.entry_id},
    )


def update_waiting_issue(hass: HomeAssistant, count: int) -> None:
    """Tell how many titles wait for a person to say what they were; 0 takes the issue back."""
    if not count:
        ir.async_delete_issue(hass, DOMAIN, WAITING_TITLES)
        return
    ir.async_create_issue(
        hass,
        DOMAIN,
        WAITING_TITLES,
        is_fixable=True,
        severity=ir.IssueSeverity.WARNING,
        translation_key=WAITING_TITLES,
        translation_placeholders={"count": str(count)},
    )


def update_other_scrobbler_issue(hass: HomeAssistant, name: str | None) -> None:
    """Warn of another integration that scrobbles, or (None) take that back."""
    if name is None:
        ir.async_delete_issue(hass, DOMAIN, OTHER_SCROBBLER)
        return
    ir.async_create_issue(
        hass,
        DOMAIN,
        OTHER_SCROBBLER,
        is_fixable=False,
        severity=ir.IssueSeverity.WARNING,
        translation_key=OTHER_SCROBBLER,
        translation_placeholders={"integration": name},
    )


def forget_issues(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Delete the account's issues."""
    ir.async_delete_issue(hass, DOMAIN, _access_id(entry))
    ir.async_delete_issue(hass, DOMAIN, _failed_id(entry))


def forget_scrobbling_issues(hass: HomeAssistant) -> None:
    """Delete the issues of scrobbling."""
    update_waiting_issue(hass, 0)
    update_other_scrobbler_issue(hass, None)


def _access_id(entry: ConfigEntry) -> str:
    return f"access_denied_{entry.entry_id}"


def _failed_id(entry: ConfigEntry) -> str:
    return f"failed_writes_{entry.entry_id}"


def _help(hass: HomeAssistant, entry: ConfigEntry) -> str:
    """Return the address of the page about the account's tracker."""
    home = async_get_loaded_integration(hass, DOMAIN).documentation
    return f"{home}/blob/main/docs/trackers/{entry.data[CONF_TRACKER]}.md"
