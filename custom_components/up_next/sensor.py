"""Sensors of an account: what is unwatched, comes next, plays and was watched last, and how the account is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import EntityCategory, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .account import WRITING, Capability
from .coordinator import AccountCoordinator, UpNextConfigEntry
from .entity import (
    AccountEntity,
    AccountEntityDescription,
    Validity,
    follow_capabilities,
)
from .library import Library, Overview, Play, newest
from .media import Episode, MediaItem, Movie, Playable
from .pictures import picture_path
from .players.entity import follow_players
from .players.scrobbler import ScrobblingConfigEntry, is_scrobbling
from .players.sensor import PLAYBACK, PlaybackSensor

PARALLEL_UPDATES = 0

NOTHING: Final = "nothing"
"""The state that says that there is nothing to show, which is known; `unknown` says that it is not known."""
LONGEST_STATE: Final = 255
EVERY: Final = timedelta(minutes=5)

type Value = str | int | datetime | None
type Attributes = Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class AccountSensorDescription(SensorEntityDescription, AccountEntityDescription):
    """A sensor of an account: its value, attributes and picture come from the coordinator."""

    value_fn: Callable[[AccountCoordinator], Value]
    attributes_fn: Callable[[AccountCoordinator], Attributes] | None = None
    picture_fn: Callable[[AccountCoordinator], str | None] = lambda _: None


def _count(
    function: Callable[[Library, Overview], int | None],
) -> Callable[[AccountCoordinator], Value]:
    """Return a value function that counts only in a library that was read whole."""

    def count(coordinator: AccountCoordinator) -> Value:
        data = coordinator.data
        return function(data.library, data.overview) if data.library.complete else None

    return count


def _next_episode(coordinator: AccountCoordinator) -> Value:
    data = coordinator.data
    if (episode := data.overview.next_episode) is not None:
        return _label(episode)
    # something is unwatched, but which episode comes next is not known before the next refresh
    return NOTHING if data.library.complete and not data.overview.unwatched else None


def _next_episode_attributes(coordinator: AccountCoordinator) -> Attributes:
    if (episode := coordinator.data.overview.next_episode) is None:
        return {}
    return {
        **_numbers(episode),
        "title": episode.title,
        "aired": _iso(episode.first_aired),
        **_references(episode),
    }


def _now_watching(coordinator: AccountCoordinator) -> Value:
    if not coordinator.knows_watching:
        return None
    watching = coordinator.watching
    return NOTHING if watching is None else _label(watching.item)


def _now_watching_attributes(coordinator: AccountCoordinator) -> Attributes:
    watching = coordinator.watching if coordinator.knows_watching else None
    if watching is None:
        return {}
    return {
        **_titles(watching.item),
        "state": watching.state.value,
        "position": _whole(watching.position),
        "duration": _whole(watching.duration),
        "progress": None if watching.progress is None else round(watching.progress, 1),
        "updated_at": _iso(watching.updated_at),
        "expires_at": _iso(watching.expires_at),
        **_references(watching.item),
    }


def _watching_picture(coordinator: AccountCoordinator) -> str | None:
    watching = coordinator.watching if coordinator.knows_watching else None
    return _picture(watching.item) if watching else None


def _last_play(coordinator: AccountCoordinator) -> Play | None:
    """Return the newest play; among plays of unknown time, none is known to be the newest."""
    play = newest(coordinator.data.library.plays)
    return play if play and (play.watched_at or play.watched_on) else None


def _last_watched(coordinator: AccountCoordinator) -> Value:
    play = _last_play(coordinator)
    return _label(play.item) if play else None


def _last_watched_attributes(coordinator: AccountCoordinator) -> Attributes:
    """Return the newest play. Of what not every service tells, only what is known."""
    if (play := _last_play(coordinator)) is None:
        return {}
    told = {
        "watched_at": _iso(play.watched_at),
        "watched_on": play.watched_on.isoformat() if play.watched_on else None,
        "rating": play.rating,
        "rewatch": play.rewatch or None,
        "liked": play.liked,
    }
    return {
        **_titles(play.item),
        **{key: value for key, value in told.items() if value is not None},
        **_references(play.item),
    }


def _last_watched_picture(coordinator: AccountCoordinator) -> str | None:
    play = _last_play(coordinator)
    return _picture(play.item) if play else None


def _requests_left(coordinator: AccountCoordinator) -> Value:
    quota = coordinator.tracker.quota
    return quota.remaining if quota else None


def _quota_attributes(coordinator: AccountCoordinator) -> Attributes:
    quota = coordinator.tracker.quota
    if quota is None:
        return {}
    return {"limit": quota.limit, "resets_at": _iso(quota.resets_at)}


def _label(item: MediaItem) -> str:
    return item.label[:LONGEST_STATE]


def _titles(item: Playable) -> dict[str, object]:
    """Return what a movie or an episode is called, and when the movie or show began."""
    return {
        "type": item.type.value,
        **(_numbers(item) if isinstance(item, Episode) else {}),
        "year": item.year if isinstance(item, Movie) else item.show.year,
        "title": item.title,
    }


def _numbers(episode: Episode) -> dict[str, object]:
    return {
        "show": episode.show.title,
        "season": episode.season,
        "episode": episode.number,
    }


def _references(item: Playable) -> dict[str, object]:
    """Return where else to find an item. A show's ids and an episode's never share a field."""
    found: dict[str, object] = {"ids": dict(item.ids.values)}
    if isinstance(item, Episode):
        found["show_ids"] = dict(item.show.ids.values)
    found["link"] = item.url or (item.show.url if isinstance(item, Episode) else None)
    return found


def _picture(item: Playable | None) -> str | None:
    if isinstance(item, Episode):
        return item.picture or item.show.picture
    return item.picture if item else None


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds)


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


SENSORS: Final = (
    AccountSensorDescription(
        key="unwatched_episodes",
        needs=Capability.UNWATCHED,
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=_count(lambda _, overview: overview.unwatched),
    ),
    AccountSensorDescription(
        key="unwatched_shows",
        needs=Capability.UNWATCHED,
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=_count(lambda _, overview: len(overview.shows)),
    ),
    AccountSensorDescription(
        key="watchlist",
        needs=Capability.WATCHLIST,
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=_count(lambda library, _: len(library.watchlist)),
    ),
    AccountSensorDescription(
        key="in_progress",
        needs=Capability.PLAYBACKS,
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=_count(lambda library, _: len(library.playbacks)),
    ),
    AccountSensorDescription(
        key="watched_movies",
        needs=Capability.TOTALS,
        known_fn=lambda library: library.totals.movies is not None,
        state_class=SensorStateClass.TOTAL,
        value_fn=_count(lambda library, _: library.totals.movies),
    ),
    AccountSensorDescription(
        key="watched_episodes",
        needs=Capability.TOTALS,
        known_fn=lambda library: library.totals.episodes is not None,
        state_class=SensorStateClass.TOTAL,
        value_fn=_count(lambda library, _: library.totals.episodes),
    ),
    AccountSensorDescription(
        key="next_episode",
        needs=Capability.UNWATCHED,
        value_fn=_next_episode,
        attributes_fn=_next_episode_attributes,
        picture_fn=lambda coordinator: _picture(coordinator.data.overview.next_episode),
    ),
    AccountSensorDescription(
        key="now_watching",
        needs=Capability.NOW_WATCHING,
        validity=Validity.LIVE,
        value_fn=_now_watching,
        attributes_fn=_now_watching_attributes,
        picture_fn=_watching_picture,
    ),
    AccountSensorDescription(
        key="last_watched",
        needs=Capability.HISTORY,
        value_fn=_last_watched,
        attributes_fn=_last_watched_attributes,
        picture_fn=_last_watched_picture,
    ),
    AccountSensorDescription(
        key="last_refresh",
        validity=Validity.ALWAYS,
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda coordinator: coordinator.refreshed_at,
    ),
    AccountSensorDescription(
        key="pending_writes",
        needs_any=WRITING,
        validity=Validity.ALWAYS,
        state_class=SensorStateClass.MEASUREMENT,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda coordinator: len(coordinator.outbox.pending),
    ),
    AccountSensorDescription(
        key="requests_left",
        needs=Capability.QUOTA,
        state_class=SensorStateClass.MEASUREMENT,
        entity_category=EntityCategory.DIAGNOSTIC,
        # it changes with every request
        entity_registry_enabled_default=False,
        value_fn=_requests_left,
        attributes_fn=_quota_attributes,
    ),
    AccountSensorDescription(
        key="subscription_end",
        needs=Capability.SUBSCRIPTION,
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda coordinator: coordinator.data.library.account.subscription_end,
    ),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: UpNextConfigEntry | ScrobblingConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the sensors that the account can have, or one for every player."""
    if is_scrobbling(entry):
        scrobbler = entry.runtime_data
        entry.async_on_unload(
            follow_players(
                scrobbler,
                async_add_entities,
                lambda player: [PlaybackSensor(scrobbler, player, PLAYBACK)],
            )
        )
        return
    coordinator = entry.runtime_data

    def add(descriptions: list[AccountSensorDescription]) -> None:
        async_add_entities(
            LastRefreshSensor(coordinator, description)
            if description.key == "last_refresh"
            else AccountSensor(coordinator, description)
            for description in descriptions
        )

    follow_capabilities(coordinator, Platform.SENSOR, SENSORS, add)


class AccountSensor(AccountEntity, SensorEntity):
    """A sensor of one account."""

    entity_description: AccountSensorDescription
    _unrecorded_attributes = frozenset(
        {
            "entity_picture",
            "ids",
            "show_ids",
            "link",
            "position",
            "duration",
            "progress",
            "updated_at",
            "expires_at",
            "limit",
            "resets_at",
        }
    )

    @property
    def native_value(self) -> Value:
        """Return what there is to show."""
        return self.entity_description.value_fn(self.coordinator)

    @property
    def extra_state_attributes(self) -> Attributes | None:
        """Return what belongs to the value."""
        function = self.entity_description.attributes_fn
        return function(self.coordinator) if function else None

    @property
    def entity_picture(self) -> str | None:
        """Return the path of the picture at Home Assistant itself."""
        url = self.entity_description.picture_fn(self.coordinator)
        return picture_path(self.hass, self.coordinator, url)


class LastRefreshSensor(AccountSensor):
    """When the account was last refreshed: to within five minutes while that works, exactly once it fails.

    An exact time would fill the recorder with a row for every refresh.
    """

    _shown: datetime | None = None

    @property
    def native_value(self) -> datetime | None:
        """Return the time of the last successful refresh."""
        exact = self.coordinator.refreshed_at
        if (
            exact is None
            or self._shown is None
            or not self.coordinator.last_update_success
            or not timedelta() <= exact - self._shown < EVERY
        ):
            self._shown = exact
        return self._shown
