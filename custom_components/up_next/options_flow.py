"""Changing what an account follows: the settings that its tracker declares."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TypeGuard

import voluptuous as vol

from homeassistant.config_entries import ConfigEntryState, ConfigFlowResult, OptionsFlow
from homeassistant.helpers.network import NoURLAvailableError
from homeassistant.helpers.selector import BooleanSelector

from .const import CONF_LOCAL_ONLY, CONF_PUSH, CONF_TRACKER
from .context import make_context
from .coordinator import UpNextConfigEntry
from .forms import Problem, UserInput, option_selector, suggest
from .push import Webhook
from .storage import TokensOnDisk
from .trackers import TRACKERS
from .trackers.tracker import Push, Tracker


def has_settings(tracker: type[Tracker] | None) -> TypeGuard[type[Tracker]]:
    """Say whether an account of this tracker has anything to set; None is one that this version does not know."""
    return tracker is not None and bool(tracker.options or tracker.push)


class UpNextOptionsFlow(OptionsFlow):
    """Changes what an account follows."""

    config_entry: UpNextConfigEntry

    def __init__(self) -> None:
        """Make the steps of every tracker, so that each has its own texts."""
        for key, tracker in TRACKERS.items():
            setattr(self, f"async_step_{key}_options", self.async_step_init)
            if tracker.push is not None:
                handler = partial(self._async_push_step, key, tracker.push)
                setattr(self, f"async_step_{key}_push", handler)

    async def async_step_init(self, user_input: UserInput = None) -> ConfigFlowResult:
        """Show the settings that the tracker declares, and save them."""
        entry = self.config_entry
        tracker_class = TRACKERS.get(entry.data[CONF_TRACKER])
        if not has_settings(tracker_class):
            return self.async_abort(reason="no_options")
        if user_input is not None:
            return await self._save(tracker_class, user_input)
        tracker = self._tracker(tracker_class)
        schema: dict[vol.Marker, object] = {}
        problem: Problem | None = None
        for option in tracker_class.options:
            chosen = tracker.context.chosen(option)
            offered: Mapping[str, str] | None = None
            if not option.choices:
                try:
                    offered = await tracker.choices(option.name)
                except Exception as error:  # noqa: BLE001  # what is chosen now can still be kept
                    problem, offered = Problem.of(error), {}
            value = list(chosen) if option.multiple else next(iter(chosen), "")
            one_of_ours = option.choices and not option.multiple
            marker = vol.Required if one_of_ours else vol.Optional
            schema[marker(option.name, description=suggest(value))] = option_selector(
                tracker.key, option, chosen, offered
            )
        if tracker_class.push is not None:
            schema |= self._push_fields()
        placeholders = {"account": entry.title}
        if problem is not None:
            placeholders |= problem.placeholders
        return self.async_show_form(
            step_id=f"{tracker.key}_options",
            data_schema=vol.Schema(schema),
            errors={"base": problem.key} if problem else {},
            description_placeholders=placeholders,
        )

    def _push_fields(self) -> dict[vol.Marker, object]:
        hook = Webhook.of(self.config_entry.options)
        local_only = hook.local_only if hook else True
        return {
            vol.Required(CONF_PUSH, default=hook is not None): BooleanSelector(),
            vol.Required(CONF_LOCAL_ONLY, default=local_only): BooleanSelector(),
        }

    async def _async_push_step(
        self, tracker: str, push: Push, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Show what has to be entered at the service. All is saved before: what is copied from here works at once."""
        entry = self.config_entry
        hook = Webhook.of(entry.options)
        if user_input is not None or hook is None:
            return self.async_create_entry(data=dict(entry.options))
        errors: dict[str, str] = {}
        try:
            url = hook.url(self.hass)
        except NoURLAvailableError:
            errors["base"] = "no_url"
            url = hook.path
        return self.async_show_form(
            step_id=f"{tracker}_push",
            data_schema=vol.Schema({}),
            errors=errors,
            description_placeholders={
                "account": entry.title,
                "url": url,
                "template": push.template,
            },
        )

    def _tracker(self, tracker_class: type[Tracker]) -> Tracker:
        """Return the account's own tracker while it is set up: two must not refresh the same grant."""
        entry = self.config_entry
        if entry.state is ConfigEntryState.LOADED:
            return entry.runtime_data.tracker
        tokens = TokensOnDisk(self.hass, str(entry.unique_id))
        return tracker_class(make_context(self.hass, entry.data, entry.options, tokens))

    async def _save(
        self, tracker_class: type[Tracker], user_input: Mapping[str, object]
    ) -> ConfigFlowResult:
        entry = self.config_entry
        options = dict(entry.options) | {
            option.name: user_input.get(option.name, [] if option.multiple else "")
            for option in tracker_class.options
        }
        if tracker_class.push is not None:
            on, local_only = user_input[CONF_PUSH], user_input[CONF_LOCAL_ONLY]
            options = Webhook.changed(options, on=bool(on), local_only=bool(local_only))
        # the reload reads the entry, so it has to be updated before
        if self.hass.config_entries.async_update_entry(entry, options=options):
            self.hass.config_entries.async_schedule_reload(entry.entry_id)
        if tracker_class.push is not None and Webhook.of(options) is not None:
            return await self._async_push_step(tracker_class.key, tracker_class.push)
        return self.async_create_entry(data=options)
