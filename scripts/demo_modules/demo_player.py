"""A media player that plays nothing: it keeps the time, and says what it was told to say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from homeassistant.components.media_player import MediaPlayerEntity
from homeassistant.components.media_player.const import (
    MediaPlayerEntityFeature,
    MediaPlayerState,
    MediaType,
)
from homeassistant.const import CONF_NAME, CONF_PLATFORM
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddEntitiesCallback
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.typing import ConfigType, DiscoveryInfoType
from homeassistant.util import dt as dt_util

KNOWN = (
    "app_name",
    "media_episode",
    "media_season",
    "media_series_title",
    "media_title",
)
"""What Home Assistant itself knows of what plays, apart from the times."""


class DemoPlayer(MediaPlayerEntity):
    """Plays what `media_player.play_media` describes in its `extra`: `duration` and `position` in seconds, attributes.

    Attributes that Home Assistant does not know are shown as the integration's own.
    """

    _attr_should_poll = False
    _attr_supported_features = (
        MediaPlayerEntityFeature.PLAY
        | MediaPlayerEntityFeature.PAUSE
        | MediaPlayerEntityFeature.STOP
        | MediaPlayerEntityFeature.SEEK
        | MediaPlayerEntityFeature.PLAY_MEDIA
    )

    def __init__(self, domain: str, name: str) -> None:
        """Stand in for a player of an integration, switched on and idle."""
        self._attr_unique_id = f"{domain}_{name}"
        self._attr_name = name
        self._attr_state = MediaPlayerState.IDLE
        self._stop_timer: Callable[[], None] | None = None

    async def async_play_media(
        self, media_type: MediaType | str, media_id: str, **kwargs: Any
    ) -> None:
        told = dict(kwargs.get("extra") or {})
        self._forget()
        self._attr_media_content_type = media_type
        self._attr_media_content_id = media_id
        self._attr_media_duration = told.pop("duration")
        position = told.pop("position", 0)
        for name in KNOWN:
            setattr(self, f"_attr_{name}", told.pop(name, None))
        self._attr_extra_state_attributes = told
        self._go(MediaPlayerState.PLAYING, position)

    async def async_media_play(self) -> None:
        if self._attr_media_duration is not None:
            self._go(MediaPlayerState.PLAYING, self._here())

    async def async_media_pause(self) -> None:
        if self._attr_media_duration is not None:
            self._go(MediaPlayerState.PAUSED, self._here())

    async def async_media_seek(self, position: float) -> None:
        if self._attr_state is not None and self._attr_media_duration is not None:
            self._go(self._attr_state, position)

    async def async_media_stop(self) -> None:
        self._forget()
        self.async_write_ha_state()

    async def async_will_remove_from_hass(self) -> None:
        self._no_timer()

    def _here(self) -> float:
        """Return the position now, in seconds."""
        position = float(self._attr_media_position or 0)
        since = self._attr_media_position_updated_at
        if self._attr_state is MediaPlayerState.PLAYING and since is not None:
            position += (dt_util.utcnow() - since).total_seconds()
        return min(position, self._attr_media_duration or 0)

    def _go(self, state: MediaPlayerState, position: float) -> None:
        self._no_timer()
        self._attr_state = state
        self._attr_media_position = int(position)
        self._attr_media_position_updated_at = dt_util.utcnow()
        if state is MediaPlayerState.PLAYING:
            left = max(0, (self._attr_media_duration or 0) - position)
            self._stop_timer = async_call_later(self.hass, left, self._ended)
        self.async_write_ha_state()

    async def _ended(self, _: datetime) -> None:
        self._stop_timer = None
        await self.async_media_stop()

    def _no_timer(self) -> None:
        if self._stop_timer is not None:
            self._stop_timer()
            self._stop_timer = None

    def _forget(self) -> None:
        self._no_timer()
        for name in (*KNOWN, "media_content_id", "media_content_type"):
            setattr(self, f"_attr_{name}", None)
        self._attr_media_duration = None
        self._attr_media_position = None
        self._attr_media_position_updated_at = None
        self._attr_extra_state_attributes = {}
        self._attr_state = MediaPlayerState.IDLE


async def async_setup_platform(
    hass: HomeAssistant,
    config: ConfigType,
    async_add_entities: AddEntitiesCallback,
    discovery_info: DiscoveryInfoType | None = None,
) -> None:
    """Add one player, of the integration and with the name that the configuration gives."""
    async_add_entities([DemoPlayer(config[CONF_PLATFORM], config[CONF_NAME])])
