"""Follows the entities of mapped players, and those of their conditions: states in, observations out."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
import logging
from math import inf
from typing import Final

from homeassistant.const import ATTR_ENTITY_ID, STATE_UNAVAILABLE
from homeassistant.core import (
    CALLBACK_TYPE,
    DOMAIN as HOMEASSISTANT_DOMAIN,
    Event,
    EventStateChangedData,
    HomeAssistant,
    State,
    callback,
)
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.event import async_call_later, async_track_state_change_event
from homeassistant.util import dt as dt_util

from ..scrobbling.calls import Moment
from ..scrobbling.observation import Ignored, Observation, PlayerState, Rank, observe
from ..scrobbling.sources import source_of
from .player import Player, integration_of
from .source_ids import person_of

_LOGGER = logging.getLogger(__name__)

ATTR_ACTIVE_CHILD: Final = "active_child"
"""Where universal players say which entity they repeat."""
UNREPEATED: Final = frozenset({"media_library_title"})
"""What such players leave out of what they repeat, though it is named like the rest."""
UPDATE_ENTITY: Final = "update_entity"
FIRST_POLL: Final = 2.0
"""Seconds after a report that a player which can't be trusted with its position is asked for it,"""
POLL_EVERY: Final = 30.0
"""and between two such questions."""
ANSWERS_WITHIN: Final = 1.0
"""Seconds after a player was asked during which what it reports is the answer: states are heard a moment late."""

NOISE: Final = frozenset(
    {
        "volume_level",
        "is_volume_muted",
        "entity_picture",
        "entity_picture_local",
        "friendly_name",
        "icon",
        "supported_features",
        "source_list",
        "sound_mode_list",
        "sound_mode",
        "shuffle",
        "repeat",
        "device_class",
    }
)
"""Attributes that say nothing of what plays."""

ACTIVE: Final = frozenset(
    {PlayerState.PLAYING, PlayerState.PAUSED, PlayerState.BUFFERING}
)

type Spawn = Callable[[Coroutine[None, None, None], str], object]
"""Runs a coroutine in the background, under a name."""


@dataclass(slots=True, eq=False)
class _Ear:
    """A player being listened to."""

    player: Player
    entity_id: str | None = None
    source: str = ""
    child: str | None = None
    """The entity whose report it repeats."""
    reported: tuple[str, Mapping[str, object]] | None = None
    """The state seen last, without what is noise."""
    state: PlayerState = PlayerState.UNAVAILABLE
    permitted: bool = True
    """Whether its condition held when it was looked at last."""
    answers_until: float = -inf
    """It was asked for its position, and what it reports before this moment (monotonic) is the answer."""
    stop_polling: CALLBACK_TYPE | None = None


class Listening:
    """Hears what players report, and tells what of it matters."""

    def __init__(
        self,
        hass: HomeAssistant,
        hear: Callable[[str, Observation], None],
        *,
        now: Callable[[], Moment],
        spawn: Spawn,
    ) -> None:
        """Tell `hear` what players (by id) do; nothing before `start`."""
        self._hass = hass
        self._hear = hear
        self._now = now
        self._spawn = spawn
        self._ears: dict[str, _Ear] = {}
        self._by_entity: dict[str, list[_Ear]] = {}
        self._by_condition: dict[str, list[_Ear]] = {}
        self._listens = False
        self._stop_states: CALLBACK_TYPE | None = None
        self._stop_registry: CALLBACK_TYPE | None = None

    def entity_id(self, player: str) -> str | None:
        """Return the present entity id of a player; None when its entity was removed."""
        ear = self._ears.get(player)
        return ear.entity_id if ear else None

    def source(self, player: str) -> str:
        """Return the integration that a player belongs to; "" when nobody knows."""
        ear = self._ears.get(player)
        return ear.source if ear else ""

    def teller(self, player: str) -> str | None:
        """Return the entity that says what a player plays: its own, or the one that it repeats."""
        ear = self._ears.get(player)
        return (ear.child or ear.entity_id) if ear else None

    @callback
    def start(self) -> None:
        """Look at every player once, and listen to them from now on."""
        self._listens = True
        self._stop_registry = self._hass.bus.async_listen(
            er.EVENT_ENTITY_REGISTRY_UPDATED, self._registry_changed
        )
        self._listen()
        for ear in self._ears.values():
            self._look_now(ear)

    @callback
    def stop(self) -> None:
        """Listen to nobody any more."""
        self._listens = False
        for stop in (self._stop_states, self._stop_registry):
            if stop is not None:
                stop()
        self._stop_states = self._stop_registry = None
        for ear in self._ears.values():
            _stop_polling(ear)

    @callback
    def follow(self, players: Iterable[Player]) -> None:
        """Listen to these players and no others; look at those that are new or mapped otherwise than before."""
        present = {player.id: player for player in players}
        gone = [
            self._ears.pop(known) for known in [*self._ears] if known not in present
        ]
        for ear in gone:
            _stop_polling(ear)
        changed: list[_Ear] = []
        for player in present.values():
            known = self._ears.get(player.id)
            if known is None or known.player != player:
                ear = self._ears.setdefault(player.id, _Ear(player=player))
                ear.player = player
                changed.append(ear)
        if gone or changed:
            self._listen()
        for ear in changed:
            self._look_again(ear)

    @callback
    def look(self, player: str) -> None:
        """Look at a player anew, whether it changed or not."""
        if (ear := self._ears.get(player)) is not None:
            self._look_again(ear)

    # whom to listen to ----------------------------------------------------------------------------------------

    @callback
    def _listen(self) -> None:
        """Listen to the players' entities as they are called now, and to those of their conditions."""
        self._by_entity.clear()
        self._by_condition.clear()
        for ear in self._ears.values():
            ear.entity_id = ear.player.entity_id(self._hass)
            ear.source = ear.player.source(self._hass)
            if ear.entity_id is not None:
                self._by_entity.setdefault(ear.entity_id, []).append(ear)
            if (condition := ear.player.condition_id(self._hass)) is not None:
                self._by_condition.setdefault(condition, []).append(ear)
        if self._stop_states is not None:
            self._stop_states()
            self._stop_states = None
        if self._listens:
            self._stop_states = async_track_state_change_event(
                self._hass, {*self._by_entity, *self._by_condition}, self._changed
            )

    @callback
    def _registry_changed(
        self, event: Event[er.EventEntityRegistryUpdatedData]
    ) -> None:
        """Follow entities that are renamed, removed, or come back."""
        names = {event.data["entity_id"], event.data.get("old_entity_id")}
        known = self._by_entity.keys() | self._by_condition.keys()
        lost = any(ear.entity_id is None for ear in self._ears.values())
        if not lost and not names & known:
            return
        before = {player: ear.entity_id for player, ear in self._ears.items()}
        self._listen()
        for player, ear in self._ears.items():
            met = ear.player.condition_met(self._hass)
            if ear.entity_id != before[player] or met is not ear.permitted:
                self._look_again(ear)

    # what they report -----------------------------------------------------------------------------------------

    @callback
    def _changed(self, event: Event[EventStateChangedData]) -> None:
        entity_id = event.data["entity_id"]
        for ear in self._by_entity.get(entity_id, ()):
            self._look(ear, event.data["new_state"])
        for ear in self._by_condition.get(entity_id, ()):
            if ear.player.condition_met(self._hass) is not ear.permitted:
                self._look_again(ear)

    @callback
    def _look_again(self, ear: _Ear) -> None:
        ear.reported = None
        self._look_now(ear)

    @callback
    def _look_now(self, ear: _Ear) -> None:
        if self._listens:
            self._look(
                ear, self._hass.states.get(ear.entity_id) if ear.entity_id else None
            )

    @callback
    def _look(self, ear: _Ear, state: State | None) -> None:
        """Take in the state of a player, unless that says nothing new."""
        name = STATE_UNAVAILABLE if state is None else state.state
        attributes = {} if state is None else state.attributes
        told = {key: value for key, value in attributes.items() if key not in NOISE}
        if ear.reported == (name, told):
            return
        ear.reported = (name, told)
        seen = self._observed(ear, name, told)
        ear.state = seen.state
        ear.permitted = ear.player.condition_met(self._hass)
        self._plan_poll(ear)
        self._hear(ear.player.id, self._permitted(ear, seen))

    def _observed(
        self, ear: _Ear, state: str, attributes: Mapping[str, object]
    ) -> Observation:
        now = self._now()
        # what is not registered has an integration only once it is there
        ear.source = ear.source or ear.player.source(self._hass)
        ear.child = self._child(ear, attributes)
        seen = observe(
            state,
            {**self._unrepeated(ear), **attributes},
            source=self._told_by(ear),
            monotonic=now.monotonic,
            at=now.at,
            zone=dt_util.get_default_time_zone(),
        )
        if ear.child is None or seen.media is None:
            return seen
        # as good as what the other says, which leads where it is mapped itself
        return replace(seen, media=replace(seen.media, rank=Rank.GROUP))

    def _child(self, ear: _Ear, attributes: Mapping[str, object]) -> str | None:
        """Return the entity that a universal player repeats, where it says so."""
        child = attributes.get(ATTR_ACTIVE_CHILD)
        if not source_of(ear.source).group or not isinstance(child, str):
            return None
        return child if integration_of(self._hass, child) else None

    def _unrepeated(self, ear: _Ear) -> Mapping[str, object]:
        """Return what the other player says that one which repeats it does not: for whom it plays, from where."""
        state = self._hass.states.get(ear.child) if ear.child else None
        return {
            key: value
            for key, value in (state.attributes if state else {}).items()
            if key in UNREPEATED or not key.startswith("media_")
        }

    def _told_by(self, ear: _Ear) -> str:
        """Return the integration that says what a player plays: its own, or that of the one which it repeats."""
        return integration_of(self._hass, ear.child) if ear.child else ear.source

    def _permitted(self, ear: _Ear, seen: Observation) -> Observation:
        """Have ignored what plays for others, or while the player's condition is not met."""
        if seen.media is None or seen.media.ignored is not None:
            return seen
        teller = ear.child or ear.entity_id
        if seen.person is None and ear.player.persons and teller:
            source = integration_of(self._hass, teller)
            seen = replace(seen, person=person_of(self._hass, teller, source))
        reason: Ignored | None = None
        if not ear.player.plays_for(seen.person):
            reason = Ignored.OTHER_PERSON
        elif not ear.permitted:
            reason = Ignored.CONDITION
        if reason is None or seen.media is None:
            return seen
        return replace(seen, media=replace(seen.media, ignored=reason))

    # asking for positions -------------------------------------------------------------------------------------

    @callback
    def _plan_poll(self, ear: _Ear) -> None:
        """Have a player asked for its position soon, where it does not tell that by itself, as long as it plays."""
        if ear.state not in ACTIVE or not source_of(self._told_by(ear)).polled:
            _stop_polling(ear)
        elif self._now().monotonic > ear.answers_until:
            self._ask_in(ear, FIRST_POLL)

    @callback
    def _ask_in(self, ear: _Ear, seconds: float) -> None:
        _stop_polling(ear)

        @callback
        def ask(_: datetime) -> None:
            self._spawn(self._ask(ear), f"Scrobbling asks {ear.entity_id}")

        ear.stop_polling = async_call_later(self._hass, seconds, ask)

    async def _ask(self, ear: _Ear) -> None:
        self._ask_in(ear, POLL_EVERY)
        # what it reports meanwhile is the answer, and no reason to ask again soon
        ear.answers_until = inf
        try:
            await self._hass.services.async_call(
                HOMEASSISTANT_DOMAIN,
                UPDATE_ENTITY,
                {ATTR_ENTITY_ID: ear.child or ear.entity_id},
                blocking=True,
            )
        except HomeAssistantError as error:
            _LOGGER.debug("%s can't be asked: %s", ear.entity_id, error)
        finally:
            ear.answers_until = self._now().monotonic + ANSWERS_WITHIN


def _stop_polling(ear: _Ear) -> None:
    if ear.stop_polling is not None:
        ear.stop_polling()
        ear.stop_polling = None
