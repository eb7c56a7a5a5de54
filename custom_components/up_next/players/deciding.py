"""What a person's word about a title sets off: it is remembered, waiting plays are sent, finished ones corrected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.core import HomeAssistant

from ..actions.lookup import distinct
from ..const import DOMAIN, SCROBBLING
from ..media import Episode, Ids, Movie, Playable, Show
from ..scrobbling.identify import (
    CatalogueUnavailable,
    Decision,
    Identification,
    Method,
    choose,
)
from ..scrobbling.observation import Media
from ..writes import Scrobble, ScrobbleAction, Write
from .catalogue import Catalogue
from .finished_plays import async_move
from .history import counted_as
from .matches import offered
from .player import USUAL_THRESHOLD, Player
from .scrobbler import Scrobbler
from .store import CountedPlay, WaitingPlay

NEAR: Final = timedelta(minutes=30)
"""An item counted this near to the end of a play, or as near as it is long, was seen by another player: once."""


class EpisodeNeeded(Exception):
    """A show was chosen, but the numbers that the player says are of no episode of it: one has to be named."""


class EpisodeUnknown(Exception):
    """The show has no such episode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What a person says a title is.

    A show stands for all its episodes, whose numbers are those that the player says plus the shifts. `item` is None
    for what is never to be scrobbled: the title, or with `whole_show` all that the player calls by the name of its show.
    """

    item: Movie | Show | Episode | None
    season_shift: int = 0
    shift: int = 0
    whole_show: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What came of a person's word.

    `signature` is that of the title or of the whole show: under it the word is remembered. `items` are what the title
    is now; `moved` says at how many accounts a finished play was corrected.
    """

    signature: str
    items: tuple[Playable, ...]
    moved: int = 0


def scrobbler_of(hass: HomeAssistant) -> Scrobbler | None:
    """Return what follows the players; None while scrobbling is not set up."""
    entry = hass.config_entries.async_entry_for_domain_unique_id(DOMAIN, SCROBBLING)
    if entry is None or entry.state is not ConfigEntryState.LOADED:
        return None
    assert isinstance(entry.runtime_data, Scrobbler)
    return entry.runtime_data


async def async_resolve(
    scrobbler: Scrobbler, media: Media, word: Word, *, player: str = "", move: bool
) -> Decided:
    """Remember what a title is, do what waited for that, and (`move`) correct the last play that was counted for it.

    `player` names the one that played it: its accounts are asked. Raises EpisodeNeeded, EpisodeUnknown, and
    CatalogueUnavailable where a service can't be asked: then nothing has changed.
    """
    matches = scrobbler.matches
    async with matches.deciding:
        signature, decision, items = await _understood(scrobbler, media, word, player)
        plays = scrobbler.history.of_signature(media.signature) if move else []
        if signature != media.signature:
            await matches.forget(media.signature)
        await matches.correct(signature, replace(decision, media=media))
        moved = await async_move(scrobbler, plays, items) if plays else 0
        await _carry_out(scrobbler, {media.signature, signature})
    return Decided(signature=signature, items=items, moved=moved)


async def async_forget(scrobbler: Scrobbler, signature: str) -> bool:
    """Forget a correction; say whether there was one."""
    async with scrobbler.matches.deciding:
        known = await scrobbler.matches.forget(signature)
        if known:
            await _carry_out(scrobbler, {signature})
    return known


async def async_drop(scrobbler: Scrobbler, plays: Sequence[WaitingPlay]) -> None:
    """Forget plays that wait: they never were."""
    uncounted = [one for play in plays for one in scrobbler.history.waited(play)]
    scrobbler.history.drop(uncounted)
    scrobbler.delivery.put(uncounted=uncounted, settled=[play.id for play in plays])
    scrobbler.matches.settle(plays)
    scrobbler.recount({play.account for play in plays})
    await scrobbler.delivery.flush()


# what a word means --------------------------------------------------------------------------------------------------


async def _understood(
    scrobbler: Scrobbler, media: Media, word: Word, player: str
) -> tuple[str, Decision, tuple[Playable, ...]]:
    """Return what to remember under which signature, and what the title is."""
    accounts = scrobbler.accounts_of(player)
    catalogue = Catalogue(hass=scrobbler.hass, accounts=accounts)
    match word.item:
        case None:
            show_signature = media.show_signature if word.whole_show else ""
            return show_signature or media.signature, Decision(by_person=True), ()
        case Show() as show:
            found = await choose(
                media,
                show,
                catalogue,
                scrobbler.async_run,
                season_shift=word.season_shift,
                shift=word.shift,
            )
            if not found.items:
                raise EpisodeNeeded
            decision = Decision(
                by_person=True,
                show=show,
                season_shift=word.season_shift,
                shift=word.shift,
            )
            if found.show_signature:
                return found.show_signature, decision, found.items
            items = found.items
        case Episode() as episode:
            items = await _episodes(catalogue, episode, _count(media))
        case movie:
            items = (movie,)
    return media.signature, Decision(by_person=True, items=items), items


async def _episodes(
    catalogue: Catalogue, first: Episode, count: int
) -> tuple[Episode, ...]:
    """Return an episode, and those that follow in the same file, as a service knows them."""
    try:
        detail = await catalogue.detail(first.show)
    except CatalogueUnavailable:
        detail = None
    if detail is None:
        others = (
            replace(first, number=first.number + more, title=None, ids=Ids())
            for more in range(1, count)
        )
        return (first, *others)
    rows = [detail.find(first.season, first.number + more) for more in range(count)]
    found = tuple(row.episode for row in rows if row is not None)
    if rows[0] is None:
        raise EpisodeUnknown
    return found


def _count(media: Media) -> int:
    """Return how many episodes are in a file, as the player says."""
    if media.episode is None or media.last_episode is None:
        return 1
    return max(1, media.last_episode - media.episode + 1)


# what follows from it -----------------------------------------------------------------------------------------------


async def _carry_out(scrobbler: Scrobbler, signatures: set[str]) -> None:
    """Do what waited for a decision under one of these signatures: that of a title, or of its show."""
    waiting = [
        play
        for play in scrobbler.matches.plays
        if {play.media.signature, play.media.show_signature} & signatures
    ]
    await async_review(scrobbler, waiting)
    scrobbler.reconsider(signatures)


async def async_review(
    scrobbler: Scrobbler, plays: Iterable[WaitingPlay]
) -> list[WaitingPlay]:
    """Identify anew what waits, and send what is recognized; return the plays of which no service could be asked."""
    titles: dict[tuple[str, str], list[WaitingPlay]] = {}
    for play in plays:
        titles.setdefault((play.signature, play.player), []).append(play)
    unknown: list[WaitingPlay] = []
    for waiting in titles.values():
        try:
            await _review(scrobbler, waiting)
        except CatalogueUnavailable:
            unknown += waiting
    return unknown


async def _review(scrobbler: Scrobbler, plays: Sequence[WaitingPlay]) -> None:
    last = plays[-1]
    accounts = scrobbler.accounts_of(last.player)
    found = await scrobbler.async_identify(last.media, last.duration, accounts)
    if scrobbler.matches.has_word_on(found):
        # it was said meanwhile
        found = await scrobbler.async_identify(last.media, last.duration, accounts)
    waiting = [play for play in plays if scrobbler.matches.waits(play)]
    if scrobbler.matches.is_ignored(last.media) or found.ignored is not None:
        await async_drop(scrobbler, waiting)
    elif found.items and found.unasked:
        await _send(scrobbler, waiting, found.items)
    else:
        await _offer(scrobbler, waiting, found)


async def _offer(
    scrobbler: Scrobbler, plays: Sequence[WaitingPlay], found: Identification
) -> None:
    """Keep what there is to choose from by now with the plays that wait on."""
    said = found.method is Method.CORRECTION
    fresh = [
        replace(
            play,
            media=found.media,
            guess=found.items,
            candidates=tuple(
                distinct([*offered(found), *(play.candidates if said else ())])
            )
            or play.candidates,
            looked_up=True,
        )
        for play in plays
    ]
    changed = [(old, new) for old, new in zip(plays, fresh, strict=True) if old != new]
    if changed:
        scrobbler.delivery.put(
            settled=[old.id for old, _ in changed], waiting=[new for _, new in changed]
        )
        scrobbler.matches.settle([old for old, _ in changed])
        # until they are stored nobody sees them
        await scrobbler.delivery.flush()


async def _send(
    scrobbler: Scrobbler, plays: Sequence[WaitingPlay], items: Sequence[Playable]
) -> None:
    """Send plays that waited, each with its own time; several items are the parts of one file."""
    history = scrobbler.history
    writes: dict[str, list[Write]] = {}
    uncounted: list[CountedPlay] = []
    counted: list[CountedPlay] = []
    for play in plays:
        waited = history.waited(play)
        history.drop(waited)
        uncounted += waited
        entry = account_entry(scrobbler.hass, play.account)
        if entry is None:
            continue
        for scrobble in _viewings(play, items, _threshold(scrobbler, play.player)):
            earlier = [one.at for one in history.counted(play.account, scrobble.item)]
            once = _reach(play, scrobble.item)
            seen = any(abs(at - scrobble.at) <= once for at in earlier)
            if not seen:
                again = any(at < scrobble.at for at in earlier)
                writes.setdefault(entry.entry_id, []).append(
                    replace(scrobble, rewatch=again)
                )
            one = counted_as(
                play,
                scrobble.item,
                audience=play.account,
                viewing=scrobble.viewing,
                at=scrobble.at,
                alone=len(items) == 1,
                added=False if seen else None,
            )
            counted.append(history.replace(one))
    scrobbler.delivery.put(
        writes=writes,
        settled=[play.id for play in plays],
        uncounted=uncounted,
        counted=counted,
    )
    scrobbler.matches.settle(plays)
    scrobbler.recount({play.account for play in plays})
    await scrobbler.delivery.flush()


def _viewings(
    play: WaitingPlay, items: Sequence[Playable], threshold: float
) -> Iterator[Scrobble]:
    """Yield what was watched: of a file with several items, those that it got far enough into."""
    count = len(items)
    length = (play.at - play.started_at) / count
    for part, item in enumerate(items):
        progress = play.progress
        if count > 1 and progress is not None:
            progress = min(100.0, progress * count - 100.0 * part)
            if progress < threshold:
                return
        yield Scrobble(
            item=item,
            action=ScrobbleAction.WATCHED,
            at=play.at - length * (count - 1 - part),
            viewing=play.viewing if count == 1 else f"{play.viewing}:{part}",
            started_at=play.started_at + length * part,
            progress=progress,
        )


def _reach(play: WaitingPlay, item: Playable) -> timedelta:
    return max(NEAR, timedelta(seconds=item.runtime or play.duration or 0))


def _threshold(scrobbler: Scrobbler, player: str) -> float:
    subentry = scrobbler.config_entry.subentries.get(player)
    return Player.of(subentry).episode_threshold if subentry else USUAL_THRESHOLD


def account_entry(hass: HomeAssistant, account: str) -> ConfigEntry | None:
    """Return an account by its unique id, loaded or not; None when it was removed."""
    return hass.config_entries.async_entry_for_domain_unique_id(DOMAIN, account)
