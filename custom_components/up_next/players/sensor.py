"""The sensor of a mapped player: what it does, what that was taken for, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
)

from ..media import Episode, Movie
from ..pictures import picture_path
from ..scrobbling.observation import Media
from .entity import PlayerEntity
from .matches import reported
from .view import PlayerPhase

PLAYBACK: Final = SensorEntityDescription(
    key="playback",
    device_class=SensorDeviceClass.ENUM,
    options=[phase.value for phase in PlayerPhase],
)


class PlaybackSensor(PlayerEntity, SensorEntity):
    """What a player does, and what is scrobbled of it."""

    _unrecorded_attributes = frozenset(
        {
            "entity_picture",
            "ids",
            "show_ids",
            "position",
            "duration",
            "progress",
            "updated_at",
            "reported",
            "score",
        }
    )

    async def async_added_to_hass(self) -> None:
        """Follow what the player does."""
        self.async_on_remove(
            self.scrobbler.async_listen(self.player.id, self.async_write_ha_state)
        )

    @property
    def native_value(self) -> str:
        """Return the phase."""
        return self.scrobbler.view(self.player.id).phase.value

    @property
    def extra_state_attributes(self) -> Mapping[str, object] | None:
        """Return what plays, and how it was recognized. Attributes appear with their values only."""
        view = self.scrobbler.view(self.player.id)
        if view.media is None:
            return None
        found: dict[str, object] = {
            "reported": _reported(view.media),
            "reason": view.ignored.value if view.ignored else None,
            "match_method": view.method.value if view.method else None,
            "match_certainty": view.certainty.value if view.certainty else None,
            "score": None if view.score is None else round(view.score),
            "progress": None if view.progress is None else round(view.progress, 1),
            "position": None if view.position is None else round(view.position),
            "duration": None if view.duration is None else round(view.duration),
            "updated_at": view.updated_at.isoformat() if view.updated_at else None,
            "started_at": view.started_at.isoformat() if view.started_at else None,
        }
        if (item := view.item) is not None:
            found |= {"label": item.label[:255], "type": item.type.value}
            found["title"] = item.title
            found["ids"] = dict(item.ids.values)
        if isinstance(item, Episode):
            found |= {"show": item.show.title, "season": item.season}
            found |= {"episode": item.number, "show_ids": dict(item.show.ids.values)}
        elif isinstance(item, Movie):
            found["year"] = item.year
        return {name: value for name, value in found.items() if value is not None}

    @property
    def entity_picture(self) -> str | None:
        """Return the path of the poster at Home Assistant itself."""
        item = self.scrobbler.view(self.player.id).item
        if item is None:
            return None
        url = item.picture
        if isinstance(item, Episode):
            url = url or item.show.picture
        for account in self.scrobbler.accounts_of(self.player.id):
            if path := picture_path(self.hass, account, url):
                return path
        return None


def _reported(media: Media) -> str | None:
    """Return what the player itself says, for people to compare."""
    return reported(media)[:255] if media.series or media.title else None
