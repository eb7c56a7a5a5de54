"""Changing what an account follows: the settings that its tracker declares."""

from __future__ import annotations

from collections.abc import Mapping

import voluptuous as vol

from homeassistant.config_entries import ConfigEntryState, ConfigFlowResult, OptionsFlow

from .const import CONF_TRACKER
from .context import make_context
from .coordinator import UpNextConfigEntry
from .forms import Problem, UserInput, option_selector, suggest
from .storage import TokensOnDisk
from .trackers import TRACKERS
from .trackers.tracker import Tracker


class UpNextOptionsFlow(OptionsFlow):
    """Changes what an account follows."""

    config_entry: UpNextConfigEntry

    def __init__(self) -> None:
        """Make the step of every tracker, so that each has its own texts."""
        for key in TRACKERS:
            setattr(self, f"async_step_{key}_options", self.async_step_init)

    async def async_step_init(self, user_input: UserInput = None) -> ConfigFlowResult:
        """Show the settings that the tracker declares, and save them."""
        entry = self.config_entry
        tracker_class = TRACKERS.get(entry.data[CONF_TRACKER])
        if tracker_class is None or not tracker_class.options:
            return self.async_abort(reason="no_options")
        if user_input is not None:
            return self._save(tracker_class, user_input)
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
        placeholders = {"account": entry.title}
        if problem is not None:
            placeholders |= problem.placeholders
        return self.async_show_form(
            step_id=f"{tracker.key}_options",
            data_schema=vol.Schema(schema),
            errors={"base": problem.key} if problem else {},
            description_placeholders=placeholders,
        )

    def _tracker(self, tracker_class: type[Tracker]) -> Tracker:
        """Return the account's own tracker while it is set up: two must not refresh the same grant."""
        entry = self.config_entry
        if entry.state is ConfigEntryState.LOADED:
            return entry.runtime_data.tracker
        tokens = TokensOnDisk(self.hass, str(entry.unique_id))
        return tracker_class(make_context(self.hass, entry.data, entry.options, tokens))

    def _save(
        self, tracker_class: type[Tracker], user_input: Mapping[str, object]
    ) -> ConfigFlowResult:
        entry = self.config_entry
        options = dict(entry.options) | {
            option.name: user_input.get(option.name, [] if option.multiple else "")
            for option in tracker_class.options
        }
        # the reload reads the entry, so it has to be updated before (platform.md 4.4)
        if self.hass.config_entries.async_update_entry(entry, options=options):
            self.hass.config_entries.async_schedule_reload(entry.entry_id)
        return self.async_create_entry(data=options)
