"""The flow that pages through the titles that wait: choose what it was, search for it, or say that it is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import voluptuous as vol

from homeassistant.components.repairs import RepairsFlow
from homeassistant.helpers.selector import BooleanSelector
from homeassistant.util import dt as dt_util

from .deciding import async_drop, scrobbler_of
from .matches import WaitingTitle
from .scrobbler import Scrobbler
from .title_question import CONF_WHOLE_SHOW, EPISODE, PICK, SEARCH, Question

if TYPE_CHECKING:
    # newer than the oldest Home Assistant that is supported
    from homeassistant.components.repairs import RepairsFlowResult  # type: ignore[attr-defined, unused-ignore]


class WaitingTitlesFlow(RepairsFlow):
    """Pages through the titles that nobody could be sure about.

    What is answered is about the title on screen, and no other: it may have been decided elsewhere meanwhile.
    """

    def __init__(self) -> None:
        """Begin with the one that waits longest."""
        self._left: set[str] = set()
        self._question: Question | None = None

    async def async_step_init(
        self, user_input: Mapping[str, object] | None = None
    ) -> RepairsFlowResult:
        """Begin."""
        return await self.async_step_title()

    async def async_step_title(
        self, user_input: Mapping[str, object] | None = None
    ) -> RepairsFlowResult:
        """Show one title and what can be done about it; end when none is left."""
        scrobbler = scrobbler_of(self.hass)
        if scrobbler is None:
            return self.async_abort(reason="not_loaded")
        waiting = scrobbler.matches.waiting
        rest = [title for title in waiting if title.signature not in self._left]
        if not rest:
            if waiting:
                return self.async_abort(reason="left_for_later")
            return self.async_create_entry(data={})
        title = rest[0]
        self._question = Question(
            scrobbler,
            title.media,
            title.label,
            player=title.player,
            candidates=title.candidates,
        )
        options = ["search", "drop", "never", "later"]
        return self.async_show_menu(
            step_id="title",
            menu_options=["pick", *options] if title.candidates else options,
            description_placeholders={
                "title": title.label,
                "player": _player(scrobbler, title),
                "when": _local(title),
                "plays": str(title.viewings),
                "count": str(len(rest)),
            },
        )

    async def async_step_pick(
        self, user_input: Mapping[str, object] | None = None
    ) -> RepairsFlowResult:
        """Choose among the titles that were thought of, or found."""
        return await self._ask(PICK, user_input)

    async def async_step_search(
        self, user_input: Mapping[str, object] | None = None
    ) -> RepairsFlowResult:
        """Search for what it was."""
        return await self._ask(SEARCH, user_input)

    async def async_step_episode(
        self, user_input: Mapping[str, object] | None = None
    ) -> RepairsFlowResult:
        """Name the episode of the show that was chosen."""
        return await self._ask(EPISODE, user_input)

    async def async_step_drop(
        self, user_input: Mapping[str, object] | None = None
    ) -> RepairsFlowResult:
        """Forget the plays; the next one asks again."""
        scrobbler, title = self._shown()
        if scrobbler is not None and title is not None:
            if user_input is None:
                return self._confirm("drop", title)
            await async_drop(scrobbler, title.plays)
        return await self.async_step_title()

    async def async_step_never(
        self, user_input: Mapping[str, object] | None = None
    ) -> RepairsFlowResult:
        """Never scrobble this title."""
        _, title = self._shown()
        if title is not None and self._question is not None:
            if user_input is None:
                return self._confirm(
                    "never", title, whole=bool(self._question.show_signature)
                )
            whole_show = bool(user_input.get(CONF_WHOLE_SHOW))
            await self._question.never(whole_show=whole_show)
        return await self.async_step_title()

    async def async_step_later(
        self, user_input: Mapping[str, object] | None = None
    ) -> RepairsFlowResult:
        """Go on to the next one."""
        if self._question is not None:
            self._left.add(self._question.signature)
        return await self.async_step_title()

    # helpers --------------------------------------------------------------------------------------------------

    async def _ask(
        self, step: str, user_input: Mapping[str, object] | None
    ) -> RepairsFlowResult:
        _, title = self._shown()
        if title is None or self._question is None:
            return await self.async_step_title()
        form = await self._question.step(step, user_input)
        if form is None:
            return await self.async_step_title()
        return self.async_show_form(
            step_id=form.step,
            data_schema=form.schema,
            errors=dict(form.errors),
            description_placeholders=form.placeholders,
        )

    def _confirm(
        self, step: str, title: WaitingTitle, *, whole: bool = False
    ) -> RepairsFlowResult:
        # a second click on the menu must not be taken for an answer about the next title
        show = {vol.Required(CONF_WHOLE_SHOW, default=False): BooleanSelector()}
        return self.async_show_form(
            step_id=step,
            data_schema=vol.Schema(show if whole else {}),
            description_placeholders={
                "title": title.label,
                "plays": str(title.viewings),
            },
        )

    def _shown(self) -> tuple[Scrobbler | None, WaitingTitle | None]:
        """Return the title on screen, if it still waits."""
        scrobbler, question = scrobbler_of(self.hass), self._question
        if scrobbler is None or question is None or not question.is_open(scrobbler):
            return scrobbler, None
        titles = {title.signature: title for title in scrobbler.matches.waiting}
        return scrobbler, titles.get(question.signature)


def _player(scrobbler: Scrobbler, title: WaitingTitle) -> str:
    subentry = scrobbler.config_entry.subentries.get(title.player)
    return subentry.title if subentry else "?"


def _local(title: WaitingTitle) -> str:
    return dt_util.as_local(title.plays[-1].at).strftime("%Y-%m-%d %H:%M")
