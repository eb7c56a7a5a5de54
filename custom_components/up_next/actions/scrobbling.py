"""The actions about scrobbling: by hand, checking in, and what titles are taken for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonObjectType, JsonValueType

from ..account import Capability
from ..coordinator import AccountCoordinator
from ..media import Episode, MediaItem, MediaType, Movie, Playable, Show
from ..players.catalogue import Catalogue
from ..players.deciding import (
    EpisodeNeeded,
    EpisodeUnknown,
    Word,
    account_entry,
    async_forget,
    async_resolve,
    scrobbler_of,
)
from ..players.matches import WaitingTitle, reported
from ..players.scrobbler import Scrobbler
from ..scrobbling.identify import CatalogueUnavailable, Decision
from ..scrobbling.ledger import tokens_of
from ..scrobbling.observation import Media
from ..writes import CheckIn, Scrobble, ScrobbleAction
from . import answers
from .accounts import loaded
from .changing import ATTR_ACCOUNT, ATTR_PROGRESS, PLAYABLES, playable, send, targets_of
from .resolve import filled, find
from .texts import failed, invalid
from .wanted import Wanted, wanted
from .writing import Planned, detail_for, name

ATTR_ACTION: Final = "action"
ATTR_IGNORE: Final = "ignore"
ATTR_MATCH: Final = "match"
ATTR_MOVE: Final = "move"
ATTR_PLAYER: Final = "player"
ATTR_WHOLE_SHOW: Final = "whole_show"
THRESHOLD: Final = 80.0
"""Percent from which a stop by hand counts as watched."""
AMBIGUOUS: Final = "title_ambiguous"


async def scrobble(call: ServiceCall) -> ServiceResponse:
    """Tell accounts by hand what plays, for what no player reports."""
    action = ScrobbleAction(call.data[ATTR_ACTION])
    progress: float | None = call.data.get(ATTR_PROGRESS)
    if progress is None:
        if action is not ScrobbleAction.START:
            raise invalid("scrobble_progress_missing")
        progress = 0.0
    if action is ScrobbleAction.STOP and progress >= THRESHOLD:
        action = ScrobbleAction.WATCHED
    now = dt_util.utcnow()
    planned = []
    for target in await targets_of(call, Capability.SCROBBLE, PLAYABLES):
        detail = await detail_for(target.account, target.item)
        item = playable(filled(target.item, detail))
        position = item.runtime * progress / 100 if item.runtime else None
        write = Scrobble(
            item=item,
            action=action,
            at=now,
            # who says "pause" or "stop" can't name the viewing: of an item, it is the one that goes on
            viewing=f"by hand {min(tokens_of(item))}",
            started_at=now - timedelta(seconds=position or 0),
            progress=progress,
            position=position,
        )
        planned.append(Planned(account=target.account, write=write, detail=detail))
    return await send(planned)


async def check_in(call: ServiceCall) -> ServiceResponse:
    """Say that watching begins now, where no player can be followed: at the cinema, say."""
    planned = []
    for target in await targets_of(call, Capability.CHECK_IN, PLAYABLES):
        detail = await detail_for(target.account, target.item)
        item = playable(filled(target.item, detail))
        planned.append(Planned(account=target.account, write=CheckIn(item=item)))
    return await send(planned)


async def get_matches(call: ServiceCall) -> ServiceResponse:
    """Return what waits for a decision, and the corrections that were made."""
    scrobbler = _scrobbler(call.hass)
    waiting: list[JsonValueType] = [
        _waiting(scrobbler, title) for title in scrobbler.matches.waiting
    ]
    corrections: list[JsonValueType] = [
        _correction(signature, decision)
        for signature, decision in reversed([*scrobbler.matches.corrections.items()])
    ]
    return {"waiting": waiting, "corrections": corrections}


async def resolve_match(call: ServiceCall) -> ServiceResponse:
    """Say what a title is that a player reports, now or lately, and correct what was already counted."""
    scrobbler = _scrobbler(call.hass)
    media, player = _meant(scrobbler, call)
    title = reported(media)
    if call.data[ATTR_IGNORE]:
        if wanted(call.data) is not None:
            raise invalid("ignore_or_item")
        word = _never(media, call)
    else:
        word = _word(media, await _chosen(scrobbler, call), call)
    try:
        decided = await async_resolve(
            scrobbler, media, word, player=player, move=call.data[ATTR_MOVE]
        )
    except EpisodeNeeded:
        raise invalid("episode_needed", title=title) from None
    except EpisodeUnknown:
        raise invalid("episode_missing", title=_named(word)) from None
    except CatalogueUnavailable as error:
        raise failed("match_unavailable", title=title) from error
    return {
        "match": decided.signature,
        "label": title,
        "items": _described(decided.items),
        "moved": decided.moved,
    }


async def forget_match(call: ServiceCall) -> ServiceResponse:
    """Forget a correction."""
    scrobbler = _scrobbler(call.hass)
    signature: str = call.data[ATTR_MATCH]
    if not await async_forget(scrobbler, signature):
        raise invalid("match_unknown", match=signature)
    return {"match": signature}


def _scrobbler(hass: HomeAssistant) -> Scrobbler:
    found = scrobbler_of(hass)
    if found is None:
        raise invalid("no_scrobbling")
    return found


# what is meant ------------------------------------------------------------------------------------------------


def _meant(scrobbler: Scrobbler, call: ServiceCall) -> tuple[Media, str]:
    """Return what a player said, and which: that named by the call, else what the player shows or showed last."""
    signature: str | None = call.data.get(ATTR_MATCH)
    given: str | None = call.data.get(ATTR_PLAYER)
    if given:
        player = scrobbler.player_named(given)
        if player is None:
            raise invalid("player_unknown", player=given)
    elif signature:
        player = ""
    else:
        raise invalid("match_missing")
    if signature:
        media = scrobbler.media_named(signature)
        if media is None:
            raise invalid("match_unknown", match=signature)
        return media, player
    media = scrobbler.media_of(player)
    if media is None:
        raise invalid("nothing_played", player=given or player)
    return media, player


def _word(media: Media, item: Movie | Show | Episode, call: ServiceCall) -> Word:
    """Return what the call says about a title."""
    if not isinstance(item, Episode) or not call.data[ATTR_WHOLE_SHOW]:
        return Word(item=item)
    if media.season is None or media.episode is None or not media.show_signature:
        raise invalid("show_without_numbers", title=reported(media))
    return Word(
        item=item.show,
        season_shift=item.season - media.season,
        shift=item.number - media.episode,
    )


def _never(media: Media, call: ServiceCall) -> Word:
    whole_show: bool = call.data[ATTR_WHOLE_SHOW]
    if whole_show and not media.show_signature:
        raise invalid("show_without_numbers", title=reported(media))
    return Word(item=None, whole_show=whole_show)


async def _chosen(scrobbler: Scrobbler, call: ServiceCall) -> Movie | Show | Episode:
    """Return what the call says it is, as the first account knows it that does.

    What several titles of an account may be is refused, though others may know only one of them.
    """
    item = wanted(call.data)
    if item is None:
        raise invalid("item_missing")
    problem: HomeAssistantError | None = None
    for account in _knowing(call.hass, call.data[ATTR_ACCOUNT], scrobbler):
        try:
            return await _found(account, item)
        except HomeAssistantError as error:
            if error.translation_key == AMBIGUOUS:
                raise
            problem = problem or error
    raise problem or invalid("no_account_loaded")


async def _found(account: AccountCoordinator, item: Wanted) -> Movie | Show | Episode:
    found = await find(account, item)
    if isinstance(found, Episode):
        detail = await detail_for(account, found)
        if detail is not None and detail.find(found.season, found.number) is None:
            raise invalid(
                "episode_unknown",
                account=account.config_entry.title,
                title=name(found),
            )
        found = filled(found, detail)
        assert isinstance(found, Episode)
        return found
    if isinstance(found, (Movie, Show)):
        return await _titled(account, found)
    raise invalid("fields_for_episode")


async def _titled(account: AccountCoordinator, item: Movie | Show) -> Movie | Show:
    """Return a title of which only ids were given with its name, where the service can be asked for it."""
    if item.title:
        return item
    catalogue = Catalogue(hass=account.hass, accounts=[account])
    kind = MediaType.MOVIE if isinstance(item, Movie) else MediaType.SHOW
    try:
        known: Sequence[MediaItem] = await catalogue.by_ids(item.ids, frozenset({kind}))
    except CatalogueUnavailable:
        return item
    return next((one for one in known if isinstance(one, type(item))), item)


def _knowing(
    hass: HomeAssistant, given: Sequence[str], scrobbler: Scrobbler
) -> Sequence[AccountCoordinator]:
    """Return the accounts that are named, else all that know titles."""
    return loaded(hass, given) if given else scrobbler.accounts_of("")


# answers ------------------------------------------------------------------------------------------------------


def _waiting(scrobbler: Scrobbler, title: WaitingTitle) -> JsonObjectType:
    """Return a title that waits, the plays that do, and what it may be, best first."""
    subentry = scrobbler.config_entry.subentries.get(title.player)
    plays: list[JsonValueType] = []
    for play in title.plays:
        entry = account_entry(scrobbler.hass, play.account)
        plays.append(
            {
                "account": entry.title if entry else None,
                "watched_at": answers.when(play.at),
                "progress": None if play.progress is None else round(play.progress, 1),
            }
        )
    return {
        "match": title.signature,
        "label": title.label,
        "player": subentry.title if subentry else None,
        "plays": plays,
        "guess": _described(title.guess),
        "candidates": _described(title.candidates),
    }


def _correction(signature: str, decision: Decision) -> JsonObjectType:
    """Return what a person said of a title, or (`whole_show`) of a show."""
    media, show = decision.media, decision.show
    label = reported(media) if media else signature
    whole = media is not None and signature == media.show_signature
    if whole and media is not None and media.series:
        label = media.series
    return {
        "match": signature,
        "label": label,
        "whole_show": whole or show is not None,
        "ignored": decision.never,
        "items": _described([show] if show else decision.items),
        "season_shift": decision.season_shift,
        "episode_shift": decision.shift,
    }


def _described(items: Sequence[Playable | Show]) -> list[JsonValueType]:
    return [{"item": answers.item_fields(one), "label": one.label} for one in items]


def _named(word: Word) -> str:
    return name(word.item) if word.item is not None else ""
