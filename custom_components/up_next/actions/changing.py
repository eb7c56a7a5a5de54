"""The actions that change something at a tracker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from homeassistant.core import ServiceCall, ServiceResponse
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonValueType

from ..account import Capability
from ..coordinator import AccountCoordinator
from ..library import ShowDetail
from ..media import Episode, MediaItem, MediaType, Movie, Playable, Show
from ..writes import (
    ClearProgress,
    MarkUnwatched,
    MarkWatched,
    Outcome,
    Rate,
    RemovePlays,
    SetHidden,
    SetProgress,
    SetWatchlisted,
    WatchedAt,
    Write,
)
from .accounts import chosen, demand
from .resolve import filled, find
from .texts import invalid
from .toggling import deciding, is_listed, is_watched, list_is_silent
from .wanted import Wanted, is_blank, wanted
from .writing import Planned, answer, detail_for, put, receipts

ATTR_ACCOUNT: Final = "account"
ATTR_PLAY: Final = "play"
ATTR_POSITION: Final = "position"
ATTR_PROGRESS: Final = "progress"
ATTR_RATING: Final = "rating"
ATTR_REWATCH: Final = "rewatch"
ATTR_WATCHED_AT: Final = "watched_at"

RELEASED: Final = "released"
UNKNOWN: Final = "unknown"
NOW: Final = timedelta(minutes=15)
"""So close to the call, a viewing counts as watched now, for accounts that take no other time."""

ANY: Final = frozenset(MediaType)
TITLES: Final = frozenset({MediaType.MOVIE, MediaType.SHOW})
PLAYABLES: Final = frozenset({MediaType.MOVIE, MediaType.EPISODE})
SHOWS: Final = frozenset({MediaType.SHOW})


@dataclass(frozen=True, slots=True)
class Target:
    """An account, and the media item as it knows it."""

    account: AccountCoordinator
    item: MediaItem


async def mark_watched(call: ServiceCall) -> ServiceResponse:
    """Mark an item as watched."""
    now = dt_util.utcnow()
    watched_at = moment(call.data.get(ATTR_WATCHED_AT), now)
    rewatch: bool = call.data[ATTR_REWATCH]
    targets = await targets_of(call, Capability.MARK_WATCHED, ANY)
    if not _is_now(watched_at, now):
        _demand(targets, Capability.MARK_DATED, "cannot_date")
    if rewatch:
        _demand(targets, Capability.REWATCH, "cannot_rewatch")
    return await send(
        await _detailed(
            targets,
            lambda item: MarkWatched(item=item, watched_at=watched_at, rewatch=rewatch),
        )
    )


async def mark_unwatched(call: ServiceCall) -> ServiceResponse:
    """Remove all plays of an item."""
    targets = await targets_of(call, Capability.MARK_WATCHED, ANY)
    return await send(await _detailed(targets, lambda item: MarkUnwatched(item=item)))


async def toggle_watched(call: ServiceCall) -> ServiceResponse:
    """Mark as watched, or unwatched when it is watched on every account."""
    now = dt_util.utcnow()
    targets = await targets_of(call, Capability.MARK_WATCHED, ANY)
    async with deciding([target.account for target in targets]):
        states = [await is_watched(target.account, target.item) for target in targets]
        watched = not all(state for state, _ in states)

        def write(item: MediaItem) -> Write:
            if watched:
                return MarkWatched(item=item, watched_at=now)
            return MarkUnwatched(item=item)

        details = [detail for _, detail in states]
        sent = await put(await _detailed(targets, write, details))
    return {"watched": watched, "accounts": await answer(sent, await receipts(sent))}


async def undo_play(call: ServiceCall) -> ServiceResponse:
    """Remove one play: the one with the given id, else the newest of the item."""
    play: str | None = call.data.get(ATTR_PLAY)
    item = wanted(call.data)
    if item is None and play is not None:
        targets = [
            Target(account, _played(account, play))
            for account in _accounts(call, Capability.REMOVE_PLAY)
        ]
    else:
        targets = await targets_of(call, Capability.REMOVE_PLAY, PLAYABLES)
    return await send(
        [
            Planned(
                account=target.account,
                write=RemovePlays(
                    item=playable(target.item), play_ids=(play,) if play else ()
                ),
            )
            for target in targets
        ]
    )


async def add_to_watchlist(call: ServiceCall) -> ServiceResponse:
    """Put a movie or show on the watchlist."""
    return await _set_listed(call, listed=True)


async def remove_from_watchlist(call: ServiceCall) -> ServiceResponse:
    """Take a movie or show off the watchlist."""
    return await _set_listed(call, listed=False)


async def toggle_watchlist(call: ServiceCall) -> ServiceResponse:
    """Put on the watchlist, or take off when it is on every account's."""
    targets = await _listable(call)
    async with deciding([target.account for target in targets]):
        listed = not all(is_listed(target.account, target.item) for target in targets)
        silent = (
            listed
            and len(targets) == 1
            and list_is_silent(targets[0].account, targets[0].item)
        )
        sent = await put(_listing(targets, listed=listed))
        if silent:
            came = await receipts(sent)
            if came[0] is None or came[0].outcome is not Outcome.ALREADY:
                return {"listed": True, "accounts": await answer(sent, came)}
            # the account knew what the library could not tell: it was on the list
            listed = False
            sent = await put(_listing(targets, listed=False))
    return {"listed": listed, "accounts": await answer(sent, await receipts(sent))}


async def rate(call: ServiceCall) -> ServiceResponse:
    """Rate an item."""
    return await _rate(call, call.data[ATTR_RATING])


async def unrate(call: ServiceCall) -> ServiceResponse:
    """Remove an item's rating."""
    return await _rate(call, None)


async def set_progress(call: ServiceCall) -> ServiceResponse:
    """Set where to resume."""
    progress: float | None = call.data.get(ATTR_PROGRESS)
    position: float | None = call.data.get(ATTR_POSITION)
    if progress is None and position is None:
        raise invalid("progress_missing")
    targets = await targets_of(call, Capability.SET_PROGRESS, PLAYABLES)
    planned = []
    for target in targets:
        item = target.item
        if isinstance(item, Episode) and not item.runtime:
            # services want percent or seconds: its length turns one into the other
            item = filled(item, await detail_for(target.account, item))
        write = SetProgress(item=playable(item), progress=progress, position=position)
        planned.append(Planned(account=target.account, write=write))
    return await send(planned)


async def clear_progress(call: ServiceCall) -> ServiceResponse:
    """Forget where to resume."""
    targets = await targets_of(call, Capability.CLEAR_PROGRESS, PLAYABLES)
    return await send(
        [
            Planned(
                account=target.account,
                write=ClearProgress(item=playable(target.item)),
            )
            for target in targets
        ]
    )


async def hide_show(call: ServiceCall) -> ServiceResponse:
    """Hide (drop) a show."""
    return await _set_hidden(call, hidden=True)


async def unhide_show(call: ServiceCall) -> ServiceResponse:
    """Bring a hidden show back."""
    return await _set_hidden(call, hidden=False)


# what they share ----------------------------------------------------------------------------------------------


def moment(value: Any, now: datetime) -> WatchedAt:
    """Read when something was watched: nothing is now, text without a time zone is Home Assistant's.

    Raises ServiceValidationError for what is in the future or no instant.
    """
    if is_blank(value):
        return now
    if isinstance(value, str):
        word = value.strip().lower()
        if word == RELEASED:
            return "released"
        if word == UNKNOWN:
            return "unknown"
        read = _instant(value.strip())
    else:
        read = value if isinstance(value, datetime) else None
    if read is None:
        shown = value.isoformat() if isinstance(value, date) else str(value)
        raise invalid("watched_at_invalid", value=shown)
    instant = dt_util.as_utc(read)
    if instant > now:
        raise invalid("watched_at_future", value=str(value))
    return instant


def _instant(value: str) -> datetime | None:
    # a date alone is no instant, though it could be read as midnight
    if ":" not in value:
        return None
    try:
        return dt_util.parse_datetime(value)
    except ValueError:  # the thirteenth month
        return None


def _is_now(watched_at: WatchedAt, now: datetime) -> bool:
    return isinstance(watched_at, datetime) and now - watched_at <= NOW


def _accounts(call: ServiceCall, needs: Capability) -> list[AccountCoordinator]:
    return chosen(call.hass, call.data[ATTR_ACCOUNT], call.service, needs)


def _item(call: ServiceCall, types: frozenset[MediaType]) -> Wanted:
    item = wanted(call.data)
    if item is None:
        raise invalid("item_missing")
    if item.type is not None:
        _check_type(call, item.type, types)
    return item


def _check_type(
    call: ServiceCall, given: MediaType, types: frozenset[MediaType]
) -> None:
    if given not in types:
        raise invalid(
            "type_not_possible",
            action=call.service,
            given=given.value,
            types=", ".join(kind for kind in MediaType if kind in types),
        )


async def targets_of(
    call: ServiceCall, needs: Capability, types: frozenset[MediaType]
) -> list[Target]:
    """Return the accounts, all of which can do it, and the item at each; nothing is written before all is clear."""
    item = _item(call, types)
    targets = [
        Target(account, await find(account, item)) for account in _accounts(call, needs)
    ]
    for target in targets:
        _check_type(call, target.item.type, types)
    return targets


def _demand(targets: Sequence[Target], needs: Capability, key: str) -> None:
    """Raise ServiceValidationError with the text `key`, naming the accounts that lack a capability."""
    names = [
        target.account.config_entry.title
        for target in targets
        if not target.account.data.library.account.can & needs
    ]
    if names:
        raise invalid(key, accounts=", ".join(names))


async def _detailed(
    targets: Sequence[Target],
    write: Callable[[MediaItem], Write],
    known: Sequence[ShowDetail | None] = (),
) -> list[Planned]:
    """Plan a write with the episodes of its show, which make the count on screen exact at once."""
    details = [*known] or [None] * len(targets)
    missing = await asyncio.gather(
        *(
            detail_for(target.account, target.item)
            for target, detail in zip(targets, details, strict=True)
            if detail is None
        )
    )
    rest = iter(missing)
    found = [next(rest) if detail is None else detail for detail in details]
    return [
        Planned(
            account=target.account,
            write=write(filled(target.item, detail)),
            detail=detail,
        )
        for target, detail in zip(targets, found, strict=True)
    ]


async def send(planned: Sequence[Planned]) -> dict[str, JsonValueType]:
    """Have writes sent, and answer with what became of them. Raises what `writing.answer` raises."""
    sent = await put(planned)
    return {"accounts": await answer(sent, await receipts(sent))}


def playable(item: MediaItem) -> Playable:
    """Return an item whose type was checked."""
    assert isinstance(item, (Movie, Episode))
    return item


def _played(account: AccountCoordinator, play: str) -> Playable:
    """Return what a play that the library knows is of."""
    for known in account.data.library.plays:
        if known.id == play:
            return known.item
    raise invalid("play_unknown", play=play, account=account.config_entry.title)


def _listing_needs(kind: MediaType | None) -> Capability:
    match kind:
        case MediaType.MOVIE:
            return Capability.LIST_MOVIES
        case MediaType.SHOW:
            return Capability.LIST_SHOWS
        case _:
            return Capability.LIST_MOVIES | Capability.LIST_SHOWS


async def _listable(call: ServiceCall) -> list[Target]:
    needs = _listing_needs(_item(call, TITLES).type)
    targets = await targets_of(call, needs, TITLES)
    for target in targets:
        demand([target.account], call.service, _listing_needs(target.item.type))
    return targets


def _listing(targets: Sequence[Target], *, listed: bool) -> list[Planned]:
    return [
        Planned(
            account=target.account,
            write=SetWatchlisted(item=target.item, listed=listed),
        )
        for target in targets
    ]


async def _set_listed(call: ServiceCall, *, listed: bool) -> ServiceResponse:
    return await send(_listing(await _listable(call), listed=listed))


async def _rate(call: ServiceCall, rating: int | None) -> ServiceResponse:
    targets = await targets_of(call, Capability.RATE, ANY)
    return await send(
        [
            Planned(account=target.account, write=Rate(item=target.item, rating=rating))
            for target in targets
        ]
    )


async def _set_hidden(call: ServiceCall, *, hidden: bool) -> ServiceResponse:
    planned = []
    for target in await targets_of(call, Capability.HIDE_SHOW, SHOWS):
        assert isinstance(target.item, Show)
        write = SetHidden(show=target.item, hidden=hidden)
        planned.append(Planned(account=target.account, write=write))
    return await send(planned)
