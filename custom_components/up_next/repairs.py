"""The flow that pages through the writes that wait for a person: try again, choose another title, or drop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final, cast

import voluptuous as vol

from homeassistant.components.repairs import RepairsFlow
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.selector import (
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
)
from homeassistant.helpers.translation import async_get_translations
from homeassistant.util import dt as dt_util

from .account import Capability
from .const import DOMAIN, RECEIPT_TIMEOUT
from .issues import CONF_ENTRY_ID, WAITING_TITLES
from .media import Episode, Ids, MediaItem, MediaType, Movie, Season, Show, show_of
from .outbox import OutboxEntry
from .players.waiting_flow import WaitingTitlesFlow
from .trackers.errors import TrackerError
from .trackers.tracker import Query
from .writes import Rate, SetHidden, SetWatchlisted, Write, subject

if TYPE_CHECKING:
    # newer than the oldest Home Assistant that is supported
    from homeassistant.components.repairs import RepairsFlowResult  # type: ignore[attr-defined, unused-ignore]

    from .coordinator import AccountCoordinator

NOT_FOUND: Final = "not_found"
CONF_TEXT: Final = "text"
CONF_CHOICE: Final = "choice"


async def async_create_fix_flow(
    hass: HomeAssistant,
    issue_id: str,
    data: dict[str, str | int | float | None] | None,
) -> RepairsFlow:
    """Return the flow of an issue that a person can fix: writes that failed, or titles that wait."""
    if issue_id == WAITING_TITLES:
        return WaitingTitlesFlow()
    return FailedWritesFlow(str((data or {}).get(CONF_ENTRY_ID, "")))


class FailedWritesFlow(RepairsFlow):
    """Pages through an account's failed writes: retry, choose another title, drop, or leave for later."""

    def __init__(self, entry_id: str) -> None:
        """Page through the failed writes of the config entry `entry_id`."""
        self._entry_id = entry_id
        self._current = 0
        self._left: set[int] = set()
        self._found: dict[str, MediaItem] = {}

    async def async_step_init(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Begin with the oldest."""
        return await self.async_step_write()

    async def async_step_write(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Show one failed write and what can be done about it; end when none is left."""
        if (coordinator := self._coordinator()) is None:
            return self.async_abort(reason="not_loaded")
        failed = coordinator.outbox.failed
        waiting = [entry for entry in failed if entry.id not in self._left]
        if not waiting:
            if failed:
                return self.async_abort(reason="left_for_later")
            return self.async_create_entry(data={})
        entry = waiting[0]
        self._current = entry.id
        return self.async_show_menu(
            step_id="write",
            menu_options=_choices(coordinator, entry, len(waiting)),
            description_placeholders=await self._described(
                coordinator, entry, len(waiting)
            ),
        )

    async def async_step_retry(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Send the write once more."""
        return await self._retry(None)

    async def async_step_choose(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Search for the title that was meant."""
        coordinator, entry = self._chosen()
        if coordinator is None or entry is None:
            return await self.async_step_write()
        item = subject(entry.write)
        errors: dict[str, str] = {}
        text = (show_of(item) or item).label
        if user_input is not None:
            text = user_input[CONF_TEXT].strip()
            movie = isinstance(item, Movie)
            kind = MediaType.MOVIE if movie else MediaType.SHOW
            try:
                found = await coordinator.tracker.search(
                    Query(text=text, types=frozenset({kind}))
                )
            except TrackerError:
                errors["base"] = "search_failed"
            else:
                self._found = {
                    str(n): c.item for n, c in enumerate(found) if c.item.type is kind
                }
                if self._found:
                    return await self.async_step_pick()
                errors["base"] = "nothing_found"
        schema = vol.Schema({vol.Required(CONF_TEXT, default=text): TextSelector()})
        return self.async_show_form(
            step_id="choose",
            data_schema=schema,
            errors=errors,
            description_placeholders={"title": item.label},
        )

    async def async_step_pick(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Take one of the titles found, and send the write with it."""
        coordinator, entry = self._chosen()
        if coordinator is None or entry is None:
            return await self.async_step_write()
        if user_input is not None:
            return await self._retry(
                _about(entry.write, self._found[user_input[CONF_CHOICE]])
            )
        options = [
            SelectOptionDict(value=value, label=_described_title(item))
            for value, item in self._found.items()
        ]
        selector = SelectSelector(
            SelectSelectorConfig(options=options, mode=SelectSelectorMode.LIST)
        )
        return self.async_show_form(
            step_id="pick",
            data_schema=vol.Schema({vol.Required(CONF_CHOICE): selector}),
            description_placeholders={"title": subject(entry.write).label},
        )

    async def async_step_drop(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Forget the write."""
        coordinator, entry = self._chosen()
        if coordinator is not None and entry is not None:
            await coordinator.outbox.drop(entry.id)
        return await self.async_step_write()

    async def async_step_later(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Go on to the next one."""
        self._left.add(self._current)
        return await self.async_step_write()

    async def async_step_retry_all(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Send every write that was not left for later once more."""
        if (coordinator := self._coordinator()) is not None:
            failed = [e for e in coordinator.outbox.failed if e.id not in self._left]
            await self._send(coordinator, failed, None)
        return await self.async_step_write()

    async def async_step_drop_all(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Forget every write that was not left for later."""
        if (coordinator := self._coordinator()) is not None:
            for entry in coordinator.outbox.failed:
                if entry.id not in self._left:
                    await coordinator.outbox.drop(entry.id)
        return await self.async_step_write()

    # helpers --------------------------------------------------------------------------------------------------

    async def _retry(self, write: Write | None) -> RepairsFlowResult:
        coordinator, entry = self._chosen()
        if coordinator is not None and entry is not None:
            await self._send(coordinator, [entry], write)
        return await self.async_step_write()

    async def _send(
        self,
        coordinator: AccountCoordinator,
        entries: Sequence[OutboxEntry],
        write: Write | None,
    ) -> None:
        """Retry, and wait a while for what becomes of it: what fails again is then shown again."""
        before = {entry.id for entry in coordinator.outbox.pending}
        for entry in entries:
            await coordinator.async_retry(entry.id, write)
        sent = {entry.id for entry in coordinator.outbox.pending} - before
        done = asyncio.Event()

        @callback
        def look() -> None:
            if sent.isdisjoint(entry.id for entry in coordinator.outbox.pending):
                done.set()

        stop: Callable[[], None] = coordinator.async_add_listener(look)
        try:
            look()
            async with asyncio.timeout(RECEIPT_TIMEOUT):
                await done.wait()
        except TimeoutError:
            pass
        finally:
            stop()

    def _coordinator(self) -> AccountCoordinator | None:
        """Return the account; None when it was removed, disabled or failed to load meanwhile."""
        entry = self.hass.config_entries.async_get_entry(self._entry_id)
        if entry is None or entry.state is not ConfigEntryState.LOADED:
            return None
        return cast("AccountCoordinator", entry.runtime_data)

    def _chosen(self) -> tuple[AccountCoordinator | None, OutboxEntry | None]:
        """Return the account and the write on screen, as far as they still exist."""
        if (coordinator := self._coordinator()) is None:
            return None, None
        failed = {entry.id: entry for entry in coordinator.outbox.failed}
        return coordinator, failed.get(self._current)

    async def _described(
        self, coordinator: AccountCoordinator, entry: OutboxEntry, count: int
    ) -> dict[str, str]:
        title = subject(entry.write).label
        account = coordinator.config_entry.title
        names = await self._texts("selector")
        change = _change(entry.write)
        reason = await self._reason(
            entry.reason or "refused",
            {"account": account, "title": title, **entry.placeholders},
        )
        return {
            "account": account,
            "count": str(count),
            "title": title,
            "change": names.get(
                f"component.{DOMAIN}.selector.change.options.{change}", change
            ),
            "created_at": _local(entry.created_at),
            "reason": reason,
        }

    async def _reason(self, key: str, placeholders: Mapping[str, str]) -> str:
        texts = await self._texts("exceptions")
        text = texts.get(f"component.{DOMAIN}.exceptions.{key}.message", key)
        try:
            return text.format(**placeholders)
        except (KeyError, IndexError, ValueError):
            return text

    async def _texts(self, category: str) -> dict[str, str]:
        return await async_get_translations(
            self.hass, self.hass.config.language, category, [DOMAIN]
        )


def _choices(
    coordinator: AccountCoordinator, entry: OutboxEntry, count: int
) -> list[str]:
    can = coordinator.data.library.account.can
    choices = ["retry"]
    if entry.reason == NOT_FOUND and Capability.SEARCH in can:
        choices.insert(0, "choose")
    choices += ["drop", "later"]
    if count > 1:
        choices += ["retry_all", "drop_all"]
    return choices


def _change(write: Write) -> str:
    """Return the key of the text for what a write does."""
    match write:
        case SetWatchlisted(listed=False):
            return "unlist"
        case Rate(rating=None):
            return "unrate"
        case SetHidden(hidden=False):
            return "unhide"
        case _:
            return write.kind


def _about(write: Write, found: MediaItem) -> Write:
    """Return the write, about the title found; an episode's own ids went with the wrong title."""
    if isinstance(write, SetHidden):
        return replace(write, show=found) if isinstance(found, Show) else write
    item = write.item
    changed: MediaItem = found
    if isinstance(item, Episode) and isinstance(found, Show):
        changed = replace(item, show=found, ids=Ids(), url=None, picture=None)
    elif isinstance(item, Season) and isinstance(found, Show):
        changed = replace(item, show=found, ids=Ids())
    # the type of title is that searched for, which is that of the write: the fields' types hold
    return replace(write, item=changed)  # type: ignore[arg-type]


def _described_title(item: MediaItem) -> str:
    year = item.year if isinstance(item, (Movie, Show)) else None
    return f"{item.label} ({year})" if isinstance(item, Show) and year else item.label


def _local(moment: datetime) -> str:
    return dt_util.as_local(moment).strftime("%Y-%m-%d %H:%M")
