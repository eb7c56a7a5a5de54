"""Adding an account, signing in again, changing it: driven by what each tracker says its sign-in takes.

Step ids are `<tracker>_<step>` and their handlers come from the registry, so that a new tracker needs nothing here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
import logging
from typing import Final

import voluptuous as vol

from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigFlow,
    ConfigFlowResult,
    ConfigSubentryFlow,
    OptionsFlow,
)
from homeassistant.core import callback
from homeassistant.data_entry_flow import AbortFlow, UnknownFlow, section

from .const import (
    CONF_ACCOUNT_ID,
    CONF_BASE_URL,
    CONF_CREDENTIALS,
    CONF_TRACKER,
    DOMAIN,
    PLAYER,
    SCROBBLING,
)
from .context import make_context
from .coordinator import UpNextConfigEntry
from .forms import (
    Problem,
    UserInput,
    checked_url,
    choice_schema,
    suggest,
    text_selector,
)
from .options_flow import UpNextOptionsFlow, has_settings
from .players.corrections_flow import CorrectionsFlow
from .players.subentry_flow import PlayerFlow
from .storage import TokensOnDisk
from .trackers import TRACKERS
from .trackers.errors import SignInRequired, TrackerError
from .trackers.oauth import DeviceGrant, MemoryTokenStore, TokenStore, wait_for_tokens
from .trackers.tracker import Choice, DeviceCode, FieldKind, Fields, SignInStep, Tracker

_LOGGER = logging.getLogger(__name__)

ADVANCED: Final = "advanced"
BAD_CREDENTIALS: Final = frozenset({"app_rejected", "invalid_client"})
"""Errors that only other credentials can mend: they lead back to the form that asks for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A device code that is shown, and the task that waits until it was entered."""

    step: DeviceCode
    grant: DeviceGrant
    typed: tuple[dict[str, str], str]
    """The credentials and the base URL that it was asked for with."""
    waiting: asyncio.Task[None]


class UpNextConfigFlow(ConfigFlow, domain=DOMAIN):
    """Signs in to an account: the first time, again, or with other credentials."""

    VERSION = 1
    MINOR_VERSION = 1

    def __init__(self) -> None:
        """Make the steps of every tracker."""
        self._lock = asyncio.Lock()
        self._over = False
        self._tracker_class: type[Tracker] | None = None
        self._entry: UpNextConfigEntry | None = None
        """The account that is signed in again or changed."""
        self._values: dict[str, str] = {}
        """The credentials as typed or chosen so far."""
        self._saved: Mapping[str, str] = {}
        """The credentials of `_entry`."""
        self._base_url = ""
        self._tokens = MemoryTokenStore()
        self._code: Code | None = None
        self._problem: Problem | None = None
        """What forms show, until the next submission."""
        self._mends: Fields | None = None
        """The form that can mend it; None: the form that offers another try."""
        self._again: SignInStep | None = None
        """Where another try begins; None: with the question whose account it is."""
        for key, tracker in TRACKERS.items():
            for step in tracker.sign_in:
                handler = partial(self._async_sign_in_step, tracker, step)
                setattr(self, f"async_step_{key}_{step.name}", handler)

    @staticmethod
    @callback
    def async_get_options_flow(config_entry: ConfigEntry) -> OptionsFlow:
        """Return the flow that changes an account's settings, or corrects what scrobbling made of titles."""
        if config_entry.unique_id == SCROBBLING:
            return CorrectionsFlow()
        return UpNextOptionsFlow()

    @classmethod
    @callback
    def async_supports_options_flow(cls, config_entry: ConfigEntry) -> bool:
        """Say whether an entry has settings: *Scrobbling* has, an account if its tracker declares any."""
        if config_entry.unique_id == SCROBBLING:
            return True
        return has_settings(TRACKERS.get(config_entry.data[CONF_TRACKER]))

    @classmethod
    @callback
    def async_get_supported_subentry_types(
        cls, config_entry: ConfigEntry
    ) -> dict[str, type[ConfigSubentryFlow]]:
        """Offer to add players to *Scrobbling*; an account has no parts."""
        return {PLAYER: PlayerFlow} if config_entry.unique_id == SCROBBLING else {}

    # steps ----------------------------------------------------------------------------------------------------

    async def async_step_user(self, user_input: UserInput = None) -> ConfigFlowResult:
        """Let the user choose a tracker, or set up scrobbling."""
        options = [
            f"{key}_{tracker.sign_in[0].name}" for key, tracker in TRACKERS.items()
        ]
        scrobbling = self.hass.config_entries.async_entry_for_domain_unique_id(
            DOMAIN, SCROBBLING
        )
        if scrobbling is None:
            options.append(SCROBBLING)
        return self.async_show_menu(step_id="user", menu_options=options)

    async def async_step_scrobbling(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Add the entry that holds the players; there is one."""
        if await self.async_set_unique_id(SCROBBLING) is not None:
            return self.async_abort(reason="scrobbling_known")
        return self.async_create_entry(title="Scrobbling", data={})

    async def async_step_reauth(
        self, entry_data: Mapping[str, object]
    ) -> ConfigFlowResult:
        """Sign in again: the grant is dead."""
        self._load(self._get_reauth_entry())
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Say which account has to be signed in again."""
        if user_input is None:
            return self._form("reauth_confirm")
        return await self._alone(partial(self._go_on, None, self._class.sign_in[0]))

    async def async_step_reconfigure(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Change the credentials or the base URL of an account."""
        self._load(self._get_reconfigure_entry())
        return await self._alone(partial(self._go_on, None, self._class.sign_in[0]))

    async def async_step_account(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Ask the service whose account it is, once the code was entered."""
        return await self._alone(self._account, looks=True)

    async def async_step_failed(self, user_input: UserInput = None) -> ConfigFlowResult:
        """Say what went wrong and offer another try."""
        handle = partial(self._failed, user_input)
        return await self._alone(handle, looks=user_input is None)

    async def _async_sign_in_step(
        self, tracker: type[Tracker], step: SignInStep, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Handle `async_step_<tracker>_<step>`."""
        self._tracker_class = tracker
        if isinstance(step, Fields):
            handle = partial(self._fields, step, user_input)
        elif isinstance(step, Choice):
            handle = partial(self._choice, step, user_input)
        else:
            return await self._alone(partial(self._device, step), looks=True)
        return await self._alone(handle, looks=user_input is None)

    async def _alone(
        self, handle: Callable[[], Awaitable[ConfigFlowResult]], *, looks: bool = False
    ) -> ConfigFlowResult:
        """Handle one submission at a time: a second click must not make a second account or ask for a second code.

        Who only `looks` sees the code as long as it can be entered: Home Assistant looks by itself when a progress
        step ends, and late looks must not lead the flow back.
        """
        async with self._lock:
            if self._over:
                raise UnknownFlow(self.flow_id)
            if looks and self._code is not None and not self._code.waiting.done():
                return self._progress(self._code)
            return await handle()

    # one kind of step each ------------------------------------------------------------------------------------

    async def _fields(self, step: Fields, user_input: UserInput) -> ConfigFlowResult:
        if user_input is None:
            return self._fields_form(step)
        self._problem = None
        if errors := self._take(step, user_input):
            return self._fields_form(step, errors)
        return await self._go_on(step, self._after(step))

    async def _choice(self, step: Choice, user_input: UserInput) -> ConfigFlowResult:
        if user_input is None:
            return await self._go_on(None, step)
        self._values[step.name] = str(user_input[step.name])
        return await self._go_on(step, self._after(step))

    async def _account(self) -> ConfigFlowResult:
        # of two windows that are led here, the late one sees what has come of it
        if self._problem is not None:
            return self._show_problem()
        return await self._go_on(None, None)

    async def _failed(self, user_input: UserInput) -> ConfigFlowResult:
        if user_input is None:
            return self._form("failed")
        self._problem = None
        return await self._go_on(None, self._again)

    async def _device(self, step: DeviceCode) -> ConfigFlowResult:
        """Get a code; once it was entered (or not), lead on. Who asks late, or twice, is led the same way."""
        if self._code is None:
            return await self._go_on(None, step)
        if (error := self._code.waiting.exception()) is None:
            following = self._after(step)
            name = self._step_id(following) if following else "account"
        else:
            self._note(error, step, step)
            name = self._step_id(self._mends) if self._mends else "failed"
        return self.async_show_progress_done(next_step_id=name)

    # from one step to the next --------------------------------------------------------------------------------

    async def _go_on(
        self, current: SignInStep | None, following: SignInStep | None
    ) -> ConfigFlowResult:
        """Do what follows on `current`; when that fails, show the problem where it can be mended."""
        try:
            return await self._enter(following)
        except AbortFlow:
            raise
        except Exception as error:  # noqa: BLE001  # a flow has no one to raise to
            self._note(error, current, following)
        return self._show_problem()

    async def _enter(self, step: SignInStep | None) -> ConfigFlowResult:
        """Show a step; None is the end: the account. Raises TrackerError."""
        if step is None:
            return await self._finish(self._tokens)
        if isinstance(step, Fields):
            return self._fields_form(step)
        if isinstance(step, Choice):
            offered = await self._tracker(self._tokens).choices(step.name)
            if not offered:
                raise TrackerError(f"no {step.name}", key="nothing_to_choose")
            schema = choice_schema(step, offered, self._values.get(step.name, ""))
            return self._form(self._step_id(step), schema)
        if self._entry and self._keeps_grant():
            present = TokensOnDisk(self.hass, str(self._entry.unique_id))
            try:
                return await self._finish(present)
            except SignInRequired:
                _LOGGER.debug("The present grant is of no use: signing in again")
        return self._progress(await self._ask_for_code(step))

    def _note(
        self,
        error: BaseException,
        current: SignInStep | None,
        following: SignInStep | None,
    ) -> None:
        """Remember what went wrong between two steps, and where it can be mended or tried again."""
        self._problem = problem = Problem.of(error)
        steps = self._class.sign_in
        form = next((s for s in reversed(steps) if isinstance(s, Fields)), None)
        code = next((s for s in steps if isinstance(s, DeviceCode)), None)
        by_typing = problem.key in BAD_CREDENTIALS or (
            problem.ends_grant and code is None
        )
        self._mends = form if by_typing else None
        if isinstance(current, Fields):
            self._mends = current
        self._again = code if problem.ends_grant else following

    def _show_problem(self) -> ConfigFlowResult:
        return self._fields_form(self._mends) if self._mends else self._form("failed")

    def _keeps_grant(self) -> bool:
        """Say whether only the base URL was changed: then the present grant may do."""
        return self.source == SOURCE_RECONFIGURE and self._credentials == self._saved

    async def _ask_for_code(self, step: DeviceCode) -> Code:
        """Get a device code and wait in the background until it was entered."""
        typed = (self._credentials, self._base_url)
        if self._code is not None and not self._code.waiting.done():
            if typed == self._code.typed:
                return self._code
            self._code.waiting.cancel()
        tracker = self._tracker(self._tokens)
        sign_in = tracker.device_sign_in()
        grant = await sign_in.start()

        async def wait() -> None:
            tokens = await wait_for_tokens(sign_in, grant, sleep=tracker.context.sleep)
            await self._tokens.save(tokens)

        name = f"{DOMAIN} {tracker.key} sign-in"
        waiting = self.hass.async_create_background_task(wait(), name)
        self._code = Code(step=step, grant=grant, typed=typed, waiting=waiting)
        return self._code

    async def _finish(self, tokens: TokenStore) -> ConfigFlowResult:
        """Ask whose account it is, and add or update its entry. Raises TrackerError and AbortFlow."""
        tracker = self._tracker(tokens)
        account = await tracker.account()
        unique_id = f"{tracker.key}:{account.id}"
        existing = await self.async_set_unique_id(unique_id)
        if self._entry is not None and unique_id != self._entry.unique_id:
            if existing is None:
                self.hass.async_create_background_task(
                    _sign_out(tracker), f"{DOMAIN} {tracker.key} sign-out"
                )
            names = {"account": self._entry.title, "other": account.name}
            raise AbortFlow("wrong_account", names)
        if self._entry is None and existing is not None:
            raise AbortFlow("already_configured", {"account": existing.title})
        if tokens is self._tokens and (granted := await tokens.load()) is not None:
            await TokensOnDisk(self.hass, unique_id).replace(granted)
        self._over = True
        data = {**self._data(), CONF_ACCOUNT_ID: account.id}
        if self._entry is not None:
            return self.async_update_reload_and_abort(self._entry, data=data)
        return self.async_create_entry(
            title=f"{tracker.name} ({account.name})", data=data
        )

    # what is known so far -------------------------------------------------------------------------------------

    def _load(self, entry: UpNextConfigEntry) -> None:
        """Start from what an account has now."""
        if entry.unique_id == SCROBBLING:
            raise AbortFlow("scrobbling_has_players")
        self._tracker_class = TRACKERS.get(entry.data[CONF_TRACKER])
        if self._tracker_class is None:
            raise AbortFlow("unknown_tracker", {"account": entry.title})
        self._entry = entry
        self._saved = dict(entry.data[CONF_CREDENTIALS])
        self._values = dict(self._saved)
        self._base_url = entry.data[CONF_BASE_URL] or ""

    def _take(self, step: Fields, user_input: Mapping[str, object]) -> dict[str, str]:
        """Take over what was typed, and return the errors by field."""
        errors: dict[str, str] = {}
        for asked in step.fields:
            text = str(user_input.get(asked.name) or "")
            if asked.kind is not FieldKind.PASSWORD:
                text = text.strip()
            if not text and asked.secret:
                text = self._saved.get(asked.name, "")
            if asked.required and not text:
                errors[asked.name] = "required"
            if asked.kind is FieldKind.URL:
                text = checked_url(text, asked.name, errors)
            if asked.name == CONF_BASE_URL:
                self._base_url = text
            else:
                self._values[asked.name] = text
        advanced = user_input.get(ADVANCED)
        if isinstance(advanced, Mapping):
            text = str(advanced.get(CONF_BASE_URL) or "").strip()
            self._base_url = checked_url(text, ADVANCED, errors)
        return errors

    @property
    def _class(self) -> type[Tracker]:
        assert self._tracker_class is not None
        return self._tracker_class

    @property
    def _credentials(self) -> dict[str, str]:
        """What is kept of what was typed and chosen so far."""
        known = {name: value for name, value in self._values.items() if value}
        return dict(self._class.keep(known))

    def _data(self) -> dict[str, object]:
        return {
            CONF_TRACKER: self._class.key,
            CONF_BASE_URL: self._base_url or None,
            CONF_CREDENTIALS: self._credentials,
        }

    def _tracker(self, tokens: TokenStore) -> Tracker:
        options = self._entry.options if self._entry else {}
        return self._class(make_context(self.hass, self._data(), options, tokens))

    def _after(self, step: SignInStep) -> SignInStep | None:
        """Return the step after this one; None at the end."""
        steps = self._class.sign_in
        return next(iter(steps[steps.index(step) + 1 :]), None)

    def _step_id(self, step: SignInStep) -> str:
        return f"{self._class.key}_{step.name}"

    # showing --------------------------------------------------------------------------------------------------

    def _fields_form(
        self, step: Fields, errors: Mapping[str, str] | None = None
    ) -> ConfigFlowResult:
        """Show credentials as far as they are known; a secret that is kept already is not shown again."""
        schema: dict[vol.Marker, object] = {}
        for asked in step.fields:
            kept = asked.secret and asked.name in self._saved
            value = self._values.get(asked.name, asked.default)
            if asked.name == CONF_BASE_URL:
                value = self._base_url or asked.default
            elif kept and value == self._saved[asked.name]:
                value = ""
            marker = vol.Required if asked.required and not kept else vol.Optional
            shown = bool(value) if asked.kind is FieldKind.SWITCH else value
            schema[marker(asked.name, description=suggest(shown))] = text_selector(
                asked.kind
            )
        if all(asked.name != CONF_BASE_URL for asked in step.fields):
            base_url = vol.Optional(CONF_BASE_URL, description=suggest(self._base_url))
            schema[vol.Required(ADVANCED)] = section(
                vol.Schema({base_url: text_selector(FieldKind.URL)}),
                {"collapsed": not self._base_url},
            )
        return self._form(
            self._step_id(step), vol.Schema(schema), errors=errors, links=step.links
        )

    def _progress(self, code: Code) -> ConfigFlowResult:
        return self.async_show_progress(
            step_id=self._step_id(code.step),
            progress_action=self._step_id(code.step),
            description_placeholders={
                "code": code.grant.user_code,
                "url": code.grant.verification_url,
                "link": code.grant.link,
            },
            progress_task=code.waiting,
        )

    def _form(
        self,
        step_id: str,
        schema: vol.Schema | None = None,
        *,
        errors: Mapping[str, str] | None = None,
        links: Mapping[str, str] | None = None,
    ) -> ConfigFlowResult:
        """Show a form, with the present problem when no field has an error of its own."""
        placeholders = {"account": self._class.name, **(links or {})}
        if self._entry is not None:
            placeholders["account"] = self._entry.title
        shown = dict(errors or {})
        if self._problem is not None:
            placeholders |= self._problem.placeholders
            shown.setdefault("base", self._problem.key)
        return self.async_show_form(
            step_id=step_id,
            data_schema=schema,
            errors=shown,
            description_placeholders=placeholders,
        )


async def _sign_out(tracker: Tracker) -> None:
    """Give back the grant of an account that was not wanted."""
    try:
        await tracker.sign_out()
    except TrackerError as error:
        _LOGGER.debug("Could not sign out: %s", error)
