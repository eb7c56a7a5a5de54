"""Asking a person what a title is: choose, search, name the episode. Flows show the forms that come of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import voluptuous as vol

from homeassistant.core import HomeAssistant
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
)
from homeassistant.helpers.translation import async_get_translations

from ..account import Capability
from ..const import DOMAIN
from ..coordinator import AccountCoordinator
from ..effects import same
from ..media import Episode, MediaType, Movie, Show
from ..scrobbling.identify import CatalogueUnavailable
from ..scrobbling.observation import Media, MediaKind
from .catalogue import Catalogue
from .deciding import EpisodeNeeded, EpisodeUnknown, Word, async_resolve
from .scrobbler import Scrobbler

CONF_CHOICE: Final = "choice"
CONF_TEXT: Final = "text"
CONF_SEASON: Final = "season"
CONF_EPISODE: Final = "episode"
CONF_WHOLE_SHOW: Final = "whole_show"
CONF_MOVE: Final = "move"

PICK: Final = "pick"
SEARCH: Final = "search"
EPISODE: Final = "episode"
MOST_FOUND: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A form to be shown."""

    step: str
    schema: vol.Schema
    placeholders: Mapping[str, str]
    errors: Mapping[str, str] = field(default_factory=dict)


class Question:
    """What one title is. Its steps return the next form, or None once it is answered and done."""

    def __init__(
        self,
        scrobbler: Scrobbler,
        media: Media,
        label: str,
        *,
        player: str = "",
        candidates: Sequence[Movie | Show] = (),
        show: Show | None = None,
        finished: bool = False,
    ) -> None:
        """Ask about `media`, called `label`, that `player` played. What it may be: `candidates`, an episode of `show`.

        `finished`: offer to correct the last play, too.
        """
        self.signature = media.signature
        self.show_signature = media.show_signature
        """What names the show of an episode; "" for none."""
        self._scrobbler = scrobbler
        self._media = media
        self._label = label
        self._player = player
        self._offered = tuple(candidates)
        self._finished = finished
        self._move = finished
        self._show = show

    def is_open(self, scrobbler: Scrobbler | None) -> bool:
        """Say whether it can be answered: not once scrobbling was set up anew, which knows other plays."""
        return scrobbler is self._scrobbler

    async def step(self, step: str, answer: Mapping[str, object] | None) -> Form | None:
        """Take what was answered in a step, None to see its form."""
        match step:
            case "pick":
                return await self._pick(answer)
            case "search":
                return await self._search(answer)
            case _:
                return await self._name_episode(answer)

    async def never(self, *, whole_show: bool = False) -> None:
        """Have it never scrobbled, or nothing of its show."""
        await async_resolve(
            self._scrobbler,
            self._media,
            Word(item=None, whole_show=whole_show),
            player=self._player,
            move=self._finished,
        )

    # steps ----------------------------------------------------------------------------------------------------

    async def _pick(self, answer: Mapping[str, object] | None) -> Form | None:
        names = await _names(self._scrobbler.hass, self._offered)
        error = ""
        if answer is not None:
            self._move = bool(answer.get(CONF_MOVE, self._move))
            chosen = dict(zip(names, self._offered, strict=True)).get(
                str(answer[CONF_CHOICE])
            )
            if chosen is None:  # of a list that was shown before
                return await self._pick(None)
            if isinstance(chosen, Show) and self._media.kind is MediaKind.MOVIE:
                self._show = chosen
                return await self._name_episode(None)
            error = await self._answer(Word(item=chosen))
            if error == EPISODE:
                assert isinstance(chosen, Show)
                self._show = chosen
                return await self._name_episode(None)
            if not error:
                return None
        selector = SelectSelector(
            SelectSelectorConfig(
                options=[
                    SelectOptionDict(value=value, label=name)
                    for value, name in names.items()
                ],
                mode=SelectSelectorMode.LIST,
            )
        )
        first = next(iter(names), vol.UNDEFINED)
        return self._form(
            PICK, {vol.Required(CONF_CHOICE, default=first): selector}, error
        )

    async def _search(self, answer: Mapping[str, object] | None) -> Form | None:
        error = ""
        text = self._media.series or self._media.title
        if answer is not None:
            text = str(answer[CONF_TEXT]).strip()
            try:
                found = await async_search(self._scrobbler, self._player, text)
            except CatalogueUnavailable:
                error = "search_failed"
            else:
                if found:
                    self._offered = tuple(found)
                    return await self._pick(None)
                error = "nothing_found"
        fields = {vol.Required(CONF_TEXT, default=text): TextSelector()}
        return self._form(SEARCH, fields, error, moves=False)

    async def _name_episode(self, answer: Mapping[str, object] | None) -> Form | None:
        if self._show is None:
            return await self._search(None)
        media, error = self._media, ""
        if answer is not None:
            self._move = bool(answer.get(CONF_MOVE, self._move))
            error = await self._answer(self._named(self._show, answer))
            if not error:
                return None
            error = "episode_unknown" if error == EPISODE else error
        number = NumberSelector(
            NumberSelectorConfig(min=0, max=99999, step=1, mode=NumberSelectorMode.BOX)
        )
        season = 1 if media.season is None else media.season
        episode = 1 if media.episode is None else media.episode
        fields: dict[vol.Marker, object] = {
            vol.Required(CONF_SEASON, default=season): number,
            vol.Required(CONF_EPISODE, default=episode): number,
        }
        if self._counts:
            fields[vol.Required(CONF_WHOLE_SHOW, default=False)] = BooleanSelector()
        return self._form(EPISODE, fields, error, show=self._show.title)

    @property
    def _counts(self) -> bool:
        """Say whether the player says numbers, so that those of other episodes can follow from one."""
        media = self._media
        return bool(media.show_signature and media.numbered)

    def _named(self, show: Show, answer: Mapping[str, object]) -> Word:
        season, number = _whole(answer[CONF_SEASON]), _whole(answer[CONF_EPISODE])
        media = self._media
        if not answer.get(CONF_WHOLE_SHOW) or not self._counts:
            return Word(item=Episode(show=show, season=season, number=number))
        return Word(
            item=show,
            season_shift=season - (media.season or 0),
            shift=number - (media.episode or 0),
        )

    async def _answer(self, word: Word) -> str:
        """Have a word carried out; return the key of what went wrong, "" when nothing did."""
        try:
            await async_resolve(
                self._scrobbler,
                self._media,
                word,
                player=self._player,
                move=self._finished and self._move,
            )
        except (EpisodeNeeded, EpisodeUnknown):
            return EPISODE
        except CatalogueUnavailable:
            return "search_failed"
        return ""

    def _form(
        self,
        step: str,
        fields: Mapping[vol.Marker, object],
        error: str = "",
        *,
        moves: bool = True,
        **placeholders: str,
    ) -> Form:
        shown = dict(fields)
        if self._finished and moves:
            shown[vol.Required(CONF_MOVE, default=self._move)] = BooleanSelector()
        return Form(
            step=step,
            schema=vol.Schema(shown),
            placeholders={"title": self._label, **placeholders},
            errors={"base": error} if error else {},
        )


# searching ----------------------------------------------------------------------------------------------------------


async def async_search(
    scrobbler: Scrobbler, player: str, text: str
) -> list[Movie | Show]:
    """Search at the services of a player, all of them; at any other's only when these find nothing.

    What several find comes once, with the ids of all. Raises CatalogueUnavailable when none could be asked.
    """
    own = list(scrobbler.accounts_of(player))
    others = [one for one in scrobbler.accounts_of("") if one not in own]
    if not text:
        return []
    found: list[Movie | Show] = []
    unreachable: CatalogueUnavailable | None = None
    for accounts in (own, others):
        for answer in await asyncio.gather(
            *(_search(scrobbler.hass, account, text) for account in accounts)
        ):
            if isinstance(answer, CatalogueUnavailable):
                unreachable = answer
            else:
                _merge(found, answer)
        if found:
            return found[:MOST_FOUND]
    if unreachable is not None:
        raise unreachable
    return []


async def _search(
    hass: HomeAssistant, account: AccountCoordinator, text: str
) -> Sequence[Movie | Show] | CatalogueUnavailable:
    if Capability.SEARCH not in account.can:
        return ()
    types = frozenset({MediaType.MOVIE, MediaType.SHOW})
    try:
        return await Catalogue(hass=hass, accounts=[account]).search(text, types, None)
    except CatalogueUnavailable as error:
        return error


def _merge(found: list[Movie | Show], more: Sequence[Movie | Show]) -> None:
    for item in more:
        for place, known in enumerate(found):
            if same(known, item):
                found[place] = replace(known, ids=known.ids.merged(item.ids))
                break
        else:
            found.append(item)


async def _names(hass: HomeAssistant, titles: Sequence[Movie | Show]) -> dict[str, str]:
    """Return how to call titles to choose from, by a value that names each of them and no other."""
    texts = await async_get_translations(
        hass, hass.config.language, "selector", [DOMAIN]
    )
    found: dict[str, str] = {}
    for number, title in enumerate(titles):
        kind = texts.get(
            f"component.{DOMAIN}.selector.title_type.options.{title.type}", title.type
        )
        name = f"{title.title} ({title.year})" if title.year else title.title
        mark = next(iter(title.ids.values.items()), ("", ""))
        found[f"{number}:{title.type}:{':'.join(mark)}"] = f"{name} · {kind}"
    return found


def _whole(value: object) -> int:
    assert isinstance(value, (int, float))
    return int(value)
