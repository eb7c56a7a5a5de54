"""What System information shows: how many accounts there are, what waits, and which services can be reached."""

from __future__ import annotations

from homeassistant.components import system_health
from homeassistant.core import HomeAssistant, callback

from .const import DOMAIN
from .coordinator import AccountCoordinator


@callback
def async_register(
    hass: HomeAssistant, register: system_health.SystemHealthRegistration
) -> None:
    """Register what is shown."""
    register.async_register_info(system_health_info)


async def system_health_info(hass: HomeAssistant) -> dict[str, object]:
    """Return what is shown.

    Whether a service can be reached is what its accounts found out last: a request from here would go round its
    pace and quota.
    """
    accounts = [
        entry.runtime_data
        for entry in hass.config_entries.async_loaded_entries(DOMAIN)
        if isinstance(entry.runtime_data, AccountCoordinator)
    ]
    info: dict[str, object] = {
        "accounts": len(accounts),
        "pending_writes": sum(len(account.outbox.pending) for account in accounts),
        "failed_writes": sum(len(account.outbox.failed) for account in accounts),
    }
    # no address and no account's name: this page is made to be copied into a bug report
    for account in sorted(accounts, key=lambda account: account.live):
        info[account.tracker.name] = _reached(account)
    return info


def _reached(account: AccountCoordinator) -> str | dict[str, str]:
    """Say how the last refresh went, in the form of a check that the frontend knows."""
    error = account.last_exception
    if account.live or error is None:
        return "ok"
    key = getattr(error, "translation_key", None) or type(error).__name__
    return {"type": "failed", "error": key.replace("_", " ")}
