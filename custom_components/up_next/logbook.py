"""What happens at players, as Home Assistant's logbook tells it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from homeassistant.components.logbook.const import (
    LOGBOOK_ENTRY_ENTITY_ID,
    LOGBOOK_ENTRY_MESSAGE,
    LOGBOOK_ENTRY_NAME,
)
from homeassistant.const import ATTR_ENTITY_ID
from homeassistant.core import Event, HomeAssistant, callback

from .const import DOMAIN
from .players.events import EVENT_SCROBBLE, NEEDS_DECISION

type Description = dict[str, str | None]
type Describe = Callable[[Event[Mapping[str, str | None]]], Description]

_ASKS: Final = "can't tell what this is:"


@callback
def async_describe_events(
    hass: HomeAssistant,
    async_describe_event: Callable[[str, str, Describe], None],
) -> None:
    """Say how the logbook describes scrobbles: "TV started Silo S01E01 Freedom Day"."""

    @callback
    def describe(event: Event[Mapping[str, str | None]]) -> Description:
        data = event.data
        action = data["action"]
        verb = _ASKS if action == NEEDS_DECISION else action
        return {
            LOGBOOK_ENTRY_NAME: data["player"],
            LOGBOOK_ENTRY_MESSAGE: f"{verb} {data['label']}",
            LOGBOOK_ENTRY_ENTITY_ID: data.get(ATTR_ENTITY_ID),
        }

    async_describe_event(DOMAIN, EVENT_SCROBBLE, describe)
