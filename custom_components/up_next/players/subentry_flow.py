"""Adding a player to *Scrobbling*, and changing what it feeds. What is saved applies at once, without a reload."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import voluptuous as vol

from homeassistant.config_entries import ConfigSubentryFlow, SubentryFlowResult
from homeassistant.const import PERCENTAGE, Platform
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.selector import (
    BooleanSelector,
    EntitySelector,
    EntitySelectorConfig,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)

from ..account import Capability
from ..const import CONF_TRACKER, DOMAIN
from ..forms import UserInput, suggest
from ..scrobbling.sources import source_of
from ..trackers import TRACKERS
from .player import (
    CONF_ACCOUNTS,
    CONF_CONDITION,
    CONF_ENTITY,
    CONF_EPISODE_THRESHOLD,
    CONF_MOVIE_THRESHOLD,
    CONF_OBSERVE_ONLY,
    CONF_PERSONS,
    HIGHEST_THRESHOLD,
    LOWEST_THRESHOLD,
    USUAL_THRESHOLD,
    Player,
    integration_of,
)
from .source_ids import person_of

CONDITIONS: Final = (
    "binary_sensor",
    "device_tracker",
    "input_boolean",
    "person",
    "schedule",
    "switch",
)
"""What can be "on" or "home"."""


class PlayerFlow(ConfigSubentryFlow):
    """Maps one `media_player` to accounts."""

    _warned: str | None = None
    """The entity of which it was told that nothing can be scrobbled."""

    async def async_step_user(self, user_input: UserInput = None) -> SubentryFlowResult:
        """Add a player."""
        return self._form("user", user_input, None)

    async def async_step_reconfigure(
        self, user_input: UserInput = None
    ) -> SubentryFlowResult:
        """Change a player."""
        player = Player.of(self._get_reconfigure_subentry())
        return self._form("reconfigure", user_input, player)

    def _form(
        self, step: str, user_input: UserInput, present: Player | None
    ) -> SubentryFlowResult:
        errors: dict[str, str] = {}
        shown = self._shown(present)
        if user_input is not None:
            errors = self._wrong(user_input, present)
            if not errors:
                return self._save(user_input, present)
            shown = user_input
        return self.async_show_form(
            step_id=step,
            data_schema=self._schema(shown, present),
            errors=errors,
            description_placeholders={"name": present.name if present else ""},
        )

    def _wrong(
        self, user_input: Mapping[str, object], present: Player | None
    ) -> dict[str, str]:
        """Return what can't be saved, by field."""
        entity_id = str(user_input[CONF_ENTITY])
        # one mapped before it was registered goes by its entity id
        names = {entity_id, self._registered(entity_id)}
        others = (Player.of(other) for other in self._get_entry().subentries.values())
        if any(o.entity in names for o in others if not present or o.id != present.id):
            return {CONF_ENTITY: "player_known"}
        if not user_input.get(CONF_ACCOUNTS) and not user_input.get(CONF_OBSERVE_ONLY):
            return {CONF_ACCOUNTS: "account_missing"}
        return self._tells_nothing(entity_id, present)

    def _tells_nothing(self, entity_id: str, present: Player | None) -> dict[str, str]:
        """Warn once of a player that never says what it plays; whoever knows better may go on."""
        if self._warned == entity_id or (
            present and present.entity_id(self.hass) == entity_id
        ):
            return {}
        if source_of(integration_of(self.hass, entity_id)).tells:
            return {}
        self._warned = entity_id
        return {CONF_ENTITY: "tells_nothing"}

    def _save(
        self, user_input: Mapping[str, object], present: Player | None
    ) -> SubentryFlowResult:
        entity_id = str(user_input[CONF_ENTITY])
        entity = self._registered(entity_id)
        data = {**user_input, CONF_ENTITY: entity}
        if condition := user_input.get(CONF_CONDITION):
            data[CONF_CONDITION] = self._registered(str(condition))
        state = self.hass.states.get(entity_id)
        title = state.name if state else entity_id
        if present is None:
            return self.async_create_entry(title=title, data=data, unique_id=entity)
        return self.async_update_and_abort(
            self._get_entry(),
            self._get_reconfigure_subentry(),
            data=data,
            title=present.name if entity == present.entity else title,
            unique_id=entity,
        )

    def _registered(self, entity_id: str) -> str:
        """Return what keeps naming an entity when it is renamed."""
        registered = er.async_get(self.hass).async_get(entity_id)
        return registered.id if registered else entity_id

    def _shown(self, present: Player | None) -> Mapping[str, object]:
        if present is None:
            accounts = self._accounts()
            return {CONF_ACCOUNTS: list(accounts) if len(accounts) == 1 else []}
        return {
            **self._get_reconfigure_subentry().data,
            CONF_ENTITY: present.entity_id(self.hass),
            CONF_CONDITION: present.condition_id(self.hass),
        }

    def _accounts(self) -> dict[str, str]:
        """Return the accounts that can be fed: unique id -> name."""
        return {
            str(entry.unique_id): entry.title
            for entry in self.hass.config_entries.async_entries(
                DOMAIN, include_ignore=False
            )
            if (tracker := TRACKERS.get(entry.data.get(CONF_TRACKER, "")))
            and Capability.SCROBBLE in tracker.may
        }

    def _persons(self, shown: Mapping[str, object]) -> list[str]:
        """Return the names that players report now, and those chosen before."""
        names: dict[str, str] = {}
        for state in self.hass.states.async_all(Platform.MEDIA_PLAYER):
            platform = integration_of(self.hass, state.entity_id)
            person = source_of(platform).person
            name = str(state.attributes.get(person) or "").strip() if person else ""
            name = name or person_of(self.hass, state.entity_id, platform) or ""
            names.setdefault(name.casefold(), name)
        chosen = shown.get(CONF_PERSONS)
        for name in chosen if isinstance(chosen, list) else ():
            names[str(name).casefold()] = str(name)
        return sorted(filter(None, names.values()), key=str.casefold)

    def _schema(
        self, shown: Mapping[str, object], present: Player | None
    ) -> vol.Schema:
        accounts = self._accounts()
        for kept in present.accounts if present else ():
            accounts.setdefault(kept, kept)

        def optional(key: str) -> vol.Optional:
            value = shown.get(key)
            description = {"suggested_value": value} if value else None
            return vol.Optional(key, description=description)

        def percent(key: str) -> vol.Required:
            return vol.Required(key, default=shown.get(key, USUAL_THRESHOLD))

        threshold = NumberSelector(
            NumberSelectorConfig(
                min=LOWEST_THRESHOLD,
                max=HIGHEST_THRESHOLD,
                step=1,
                unit_of_measurement=PERCENTAGE,
                mode=NumberSelectorMode.SLIDER,
            )
        )
        return vol.Schema(
            {
                vol.Required(
                    CONF_ENTITY, description=suggest(str(shown.get(CONF_ENTITY) or ""))
                ): EntitySelector(EntitySelectorConfig(domain=Platform.MEDIA_PLAYER)),
                optional(CONF_ACCOUNTS): SelectSelector(
                    SelectSelectorConfig(
                        options=[
                            SelectOptionDict(value=value, label=label)
                            for value, label in accounts.items()
                        ],
                        multiple=True,
                        mode=SelectSelectorMode.LIST,
                    )
                ),
                optional(CONF_PERSONS): SelectSelector(
                    SelectSelectorConfig(
                        options=self._persons(shown), multiple=True, custom_value=True
                    )
                ),
                optional(CONF_CONDITION): EntitySelector(
                    EntitySelectorConfig(domain=list(CONDITIONS))
                ),
                percent(CONF_MOVIE_THRESHOLD): threshold,
                percent(CONF_EPISODE_THRESHOLD): threshold,
                optional(CONF_OBSERVE_ONLY): BooleanSelector(),
            }
        )
