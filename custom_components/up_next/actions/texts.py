"""Errors with translated texts, and texts that are part of another text."""

from __future__ import annotations

from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.translation import async_get_translations

from ..const import DOMAIN
from ..coordinator import AccountCoordinator
from ..trackers.errors import TrackerError


def invalid(key: str, **placeholders: str) -> ServiceValidationError:
    """Return the error for something the caller has to change; `key` is its text under "exceptions"."""
    return ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key=key,
        translation_placeholders=placeholders,
    )


def failed(key: str, **placeholders: str) -> HomeAssistantError:
    """Return the error for something that went wrong; `key` is its text under "exceptions"."""
    return HomeAssistantError(
        translation_domain=DOMAIN,
        translation_key=key,
        translation_placeholders=placeholders,
    )


def from_tracker(
    account: AccountCoordinator, error: TrackerError
) -> HomeAssistantError:
    """Return what a tracker's error means to a person."""
    return failed(
        error.translation_key,
        **{"account": account.config_entry.title, **error.placeholders},
    )


async def text(account: AccountCoordinator, key: str, **placeholders: str) -> str:
    """Return a text of "exceptions" that becomes part of another one, in Home Assistant's own language."""
    hass = account.hass
    texts = await async_get_translations(
        hass, hass.config.language, "exceptions", [DOMAIN]
    )
    message = texts.get(f"component.{DOMAIN}.exceptions.{key}.message", key)
    try:
        message = message.format(
            **{"account": account.config_entry.title, **placeholders}
        )
    except (KeyError, IndexError, ValueError):
        return message
    return message
