"""The options of *Scrobbling*: what persons said about titles, and what was counted lately, to be put right."""

from __future__ import annotations

from collections.abc import Mapping

import voluptuous as vol

from homeassistant.config_entries import ConfigFlowResult, OptionsFlow
from homeassistant.core import HomeAssistant
from homeassistant.helpers.selector import (
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)
from homeassistant.helpers.translation import async_get_translations
from homeassistant.util import dt as dt_util

from ..const import DOMAIN
from ..forms import UserInput
from ..media import Episode, Playable, Show, show_of
from ..scrobbling.identify import Decision
from .deciding import async_forget, scrobbler_of
from .finished_plays import async_move
from .matches import reported
from .scrobbler import Scrobbler
from .store import CountedPlay
from .title_question import CONF_CHOICE, EPISODE, PICK, SEARCH, Question

MOST_PLAYS = 50
NEVER = f"component.{DOMAIN}.entity.sensor.playback.state_attributes.reason.state.never"


class CorrectionsFlow(OptionsFlow):
    """Lists corrections and finished plays, and changes or takes back one of them."""

    def __init__(self) -> None:
        """Begin with the menu."""
        self._signature = ""
        self._viewing = ""
        """The play on screen."""
        self._question: Question | None = None

    async def async_step_init(self, user_input: UserInput = None) -> ConfigFlowResult:
        """Show what there is to put right."""
        scrobbler = scrobbler_of(self.hass)
        if scrobbler is None:
            return self.async_abort(reason="not_loaded")
        return self.async_show_menu(
            step_id="init", menu_options=["corrections", "plays"]
        )

    # corrections ----------------------------------------------------------------------------------------------

    async def async_step_corrections(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Choose a correction, the latest first."""
        scrobbler = scrobbler_of(self.hass)
        if scrobbler is None:
            return self.async_abort(reason="not_loaded")
        if user_input is not None:
            self._signature = str(user_input[CONF_CHOICE])
            return await self.async_step_correction()
        corrections = list(reversed([*scrobbler.matches.corrections.items()]))
        if not corrections:
            return self.async_abort(reason="no_corrections")
        names = {
            signature: await _described(self.hass, decision, signature)
            for signature, decision in corrections
        }
        return self._choice("corrections", names)

    async def async_step_correction(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Say what can be done about a correction."""
        scrobbler = scrobbler_of(self.hass)
        if scrobbler is None:
            return self.async_abort(reason="not_loaded")
        decision = scrobbler.matches.corrections.get(self._signature)
        if decision is None:
            return await self.async_step_corrections()
        options = ["remove"]
        if decision.media is not None:
            show = decision.show or _show(decision.items)
            self._question = Question(
                scrobbler,
                decision.media,
                reported(decision.media),
                show=show,
                finished=True,
            )
            changes = ["search"] if decision.never else ["search", "never"]
            options = [*(["episode"] if show else []), *changes, "remove"]
        return self.async_show_menu(
            step_id="correction",
            menu_options=options,
            description_placeholders={
                "title": await _described(self.hass, decision, self._signature)
            },
        )

    async def async_step_remove(self, user_input: UserInput = None) -> ConfigFlowResult:
        """Forget a correction: the title is recognized anew the next time."""
        scrobbler = scrobbler_of(self.hass)
        if scrobbler is not None:
            await async_forget(scrobbler, self._signature)
        return self._done()

    # finished plays -------------------------------------------------------------------------------------------

    async def async_step_plays(self, user_input: UserInput = None) -> ConfigFlowResult:
        """Choose a finished play, the latest first."""
        scrobbler = scrobbler_of(self.hass)
        if scrobbler is None:
            return self.async_abort(reason="not_loaded")
        if user_input is not None:
            self._signature = str(user_input[CONF_CHOICE])
            return await self.async_step_play()
        plays = _last_plays(scrobbler)
        if not plays:
            return self.async_abort(reason="no_plays")
        return self._choice(
            "plays", {signature: _told(play) for signature, play in plays.items()}
        )

    async def async_step_play(self, user_input: UserInput = None) -> ConfigFlowResult:
        """Say what can be done about a finished play."""
        scrobbler = scrobbler_of(self.hass)
        play = _last_plays(scrobbler).get(self._signature) if scrobbler else None
        if scrobbler is None or play is None or play.media is None:
            return await self.async_step_plays()
        assert play.item is not None
        self._viewing = play.viewing
        show = show_of(play.item)
        self._question = Question(
            scrobbler,
            play.media,
            reported(play.media),
            player=play.player,
            show=show,
            finished=True,
        )
        options = ["search", "undo", "never"]
        return self.async_show_menu(
            step_id="play",
            menu_options=["episode", *options] if show else options,
            description_placeholders={
                "title": reported(play.media),
                "item": play.item.label,
                "when": _local(play),
            },
        )

    async def async_step_undo(self, user_input: UserInput = None) -> ConfigFlowResult:
        """Take a finished play back."""
        scrobbler = scrobbler_of(self.hass)
        if scrobbler is not None:
            async with scrobbler.matches.deciding:
                plays = scrobbler.history.of_signature(self._signature)
                # taken back elsewhere meanwhile, an earlier one stands there
                if any(play.viewing == self._viewing for play in plays):
                    await async_move(scrobbler, plays, ())
        return self._done()

    # what it was ----------------------------------------------------------------------------------------------

    async def async_step_pick(self, user_input: UserInput = None) -> ConfigFlowResult:
        """Choose among the titles found."""
        return await self._ask(PICK, user_input)

    async def async_step_search(self, user_input: UserInput = None) -> ConfigFlowResult:
        """Search for what it is."""
        return await self._ask(SEARCH, user_input)

    async def async_step_episode(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Name the episode."""
        return await self._ask(EPISODE, user_input)

    async def async_step_never(self, user_input: UserInput = None) -> ConfigFlowResult:
        """Never scrobble this title."""
        if (question := self._open_question()) is None:
            return await self.async_step_init()
        # of a correction for a whole show, that is the title
        await question.never(whole_show=self._signature == question.show_signature)
        return self._done()

    async def _ask(self, step: str, user_input: UserInput) -> ConfigFlowResult:
        if (question := self._open_question()) is None:
            return await self.async_step_init()
        form = await question.step(step, user_input)
        if form is None:
            return self._done()
        return self.async_show_form(
            step_id=form.step,
            data_schema=form.schema,
            errors=dict(form.errors),
            description_placeholders=form.placeholders,
        )

    # helpers --------------------------------------------------------------------------------------------------

    def _open_question(self) -> Question | None:
        question = self._question
        if question is None or not question.is_open(scrobbler_of(self.hass)):
            return None
        return question

    def _choice(self, step: str, names: Mapping[str, str]) -> ConfigFlowResult:
        selector = SelectSelector(
            SelectSelectorConfig(
                options=[
                    SelectOptionDict(value=value, label=name)
                    for value, name in names.items()
                ],
                mode=SelectSelectorMode.DROPDOWN,
            )
        )
        return self.async_show_form(
            step_id=step,
            data_schema=vol.Schema({vol.Required(CONF_CHOICE): selector}),
        )

    def _done(self) -> ConfigFlowResult:
        return self.async_create_entry(data=dict(self.config_entry.options))


def _last_plays(scrobbler: Scrobbler) -> dict[str, CountedPlay]:
    """Return the last counted play of each title by its signature, the latest first."""
    found: dict[str, CountedPlay] = {}
    for play in scrobbler.history.newest():
        if len(found) == MOST_PLAYS:
            break
        if play.item is not None and play.media is not None:
            found.setdefault(play.signature, play)
    return found


def _told(play: CountedPlay) -> str:
    assert play.item is not None
    return f"{_local(play)} · {play.item.label}"


def _local(play: CountedPlay) -> str:
    return dt_util.as_local(play.at).strftime("%Y-%m-%d %H:%M")


def _show(items: tuple[Playable, ...]) -> Show | None:
    first = items[0] if items else None
    return first.show if isinstance(first, Episode) else None


async def _described(hass: HomeAssistant, decision: Decision, signature: str) -> str:
    """Return a correction for people: what the player says, and what that is."""
    media, show = decision.media, decision.show
    said = reported(media) if media else signature
    if media is not None and media.series and signature == media.show_signature:
        said = media.series
    if show is not None:
        shifts = "".join(
            f" {letter}{shift:+d}"
            for letter, shift in (("S", decision.season_shift), ("E", decision.shift))
            if shift
        )
        year = f" ({show.year})" if show.year else ""
        return f"{said} → {show.title}{year}{shifts}"
    if decision.items:
        return f"{said} → {', '.join(item.label for item in decision.items)}"
    texts = await async_get_translations(hass, hass.config.language, "entity", [DOMAIN])
    return f"{said} → {texts.get(NEVER, '')}"
