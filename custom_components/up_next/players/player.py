"""A mapped player: what its subentry of the *Scrobbling* entry says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import STATE_HOME, STATE_ON
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity import entity_sources

from ..const import DOMAIN, PLAYER, SCROBBLING
from ..scrobbling.calls import Thresholds

CONF_ENTITY: Final = "entity"
CONF_ACCOUNTS: Final = "accounts"
CONF_PERSONS: Final = "persons"
CONF_CONDITION: Final = "condition"
CONF_MOVIE_THRESHOLD: Final = "movie_threshold"
CONF_EPISODE_THRESHOLD: Final = "episode_threshold"
CONF_OBSERVE_ONLY: Final = "observe_only"

LOWEST_THRESHOLD: Final = 50
HIGHEST_THRESHOLD: Final = 95
USUAL_THRESHOLD: Final = 80

_MET: Final = frozenset({STATE_ON, STATE_HOME})


@dataclass(frozen=True, slots=True, kw_only=True)
class Player:
    """A `media_player` and whom it feeds.

    `entity` is its id in the entity registry, or its entity id where it has none. `accounts` are the unique ids of
    config entries. `persons` are whom it must play for, in lower case; empty: anybody. While the state of the entity
    `condition` (named like `entity`) is neither "on" nor "home", nothing is scrobbled. Thresholds are percent of the
    length.
    """

    id: str
    name: str
    entity: str
    accounts: tuple[str, ...] = ()
    persons: frozenset[str] = frozenset()
    condition: str | None = None
    movie_threshold: float = USUAL_THRESHOLD
    episode_threshold: float = USUAL_THRESHOLD
    observe_only: bool = False

    @classmethod
    def of(cls, subentry: ConfigSubentry) -> Player:
        """Read a subentry; what is missing or no longer makes sense gets its usual value."""
        data = subentry.data
        return cls(
            id=subentry.subentry_id,
            name=subentry.title,
            entity=str(data.get(CONF_ENTITY) or ""),
            accounts=_texts(data, CONF_ACCOUNTS),
            persons=frozenset(name.casefold() for name in _texts(data, CONF_PERSONS)),
            condition=str(data.get(CONF_CONDITION) or "") or None,
            movie_threshold=_threshold(data, CONF_MOVIE_THRESHOLD),
            episode_threshold=_threshold(data, CONF_EPISODE_THRESHOLD),
            observe_only=bool(data.get(CONF_OBSERVE_ONLY)),
        )

    @property
    def thresholds(self) -> Thresholds:
        """Return from where on what it plays counts as watched."""
        return Thresholds(movie=self.movie_threshold, episode=self.episode_threshold)

    @property
    def fed(self) -> tuple[str, ...]:
        """Return the accounts that are told of what it plays."""
        return () if self.observe_only else self.accounts

    def entity_id(self, hass: HomeAssistant) -> str | None:
        """Return the present entity id; None when the entity was removed."""
        return er.async_resolve_entity_id(er.async_get(hass), self.entity)

    def source(self, hass: HomeAssistant) -> str:
        """Return the integration that the player belongs to; "" when nobody knows."""
        entity_id = self.entity_id(hass)
        return integration_of(hass, entity_id) if entity_id else ""

    def plays_for(self, person: str | None) -> bool:
        """Say whether what it plays for this person is scrobbled; with a filter, an unknown person's is not."""
        return not self.persons or (
            person is not None and person.strip().casefold() in self.persons
        )

    def condition_id(self, hass: HomeAssistant) -> str | None:
        """Return the present entity id of its condition; None when it has none, or the entity was removed."""
        if self.condition is None:
            return None
        return er.async_resolve_entity_id(er.async_get(hass), self.condition)

    def condition_met(self, hass: HomeAssistant) -> bool:
        """Say whether its condition, if it has one, holds now; one that can't be read does not hold."""
        if self.condition is None:
            return True
        entity_id = self.condition_id(hass)
        state = hass.states.get(entity_id) if entity_id else None
        return state is not None and state.state in _MET


def integration_of(hass: HomeAssistant, entity_id: str) -> str:
    """Return the integration of an entity, be it registered or from YAML; "" when nobody knows."""
    if registered := er.async_get(hass).async_get(entity_id):
        return registered.platform
    source = entity_sources(hass).get(entity_id)
    return source["domain"] if source else ""


def is_fed(hass: HomeAssistant, account: str) -> bool:
    """Say whether a player is mapped to the account with this unique id."""
    entry = hass.config_entries.async_entry_for_domain_unique_id(DOMAIN, SCROBBLING)
    if entry is None or entry.disabled_by is not None:
        return False
    return any(
        account in Player.of(subentry).fed
        for subentry in entry.subentries.values()
        if subentry.subentry_type == PLAYER
    )


def _texts(data: Mapping[str, object], key: str) -> tuple[str, ...]:
    value = data.get(key)
    if isinstance(value, str) or not isinstance(value, Sequence):
        return ()
    texts = dict.fromkeys(str(one).strip() for one in value)
    return tuple(text for text in texts if text)


def _threshold(data: Mapping[str, object], key: str) -> float:
    value = data.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return USUAL_THRESHOLD
    return min(max(float(value), LOWEST_THRESHOLD), HIGHEST_THRESHOLD)
