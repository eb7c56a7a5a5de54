"""The actions that answer with what a tracker knows, and `refresh`."""

from __future__ import annotations

from typing import Final

from homeassistant.core import ServiceCall, ServiceResponse
from homeassistant.util.json import JsonValueType

from ..account import Capability
from ..coordinator import AccountCoordinator
from ..library import Play
from ..media import MediaItem, MediaType
from ..trackers.errors import NotFound, TrackerError
from ..trackers.tracker import Query
from . import answers
from .accounts import chosen, loaded
from .changing import ATTR_ACCOUNT, TITLES
from .resolve import find
from .texts import failed, from_tracker
from .wanted import ATTR_TYPE, ATTR_YEAR, wanted

ATTR_ITEM_ID: Final = "item_id"
ATTR_LIMIT: Final = "limit"
ATTR_QUERY: Final = "query"


async def search(call: ServiceCall) -> ServiceResponse:
    """Search the catalogue of a service."""
    kind: MediaType | None = call.data.get(ATTR_TYPE)
    query = Query(
        text=call.data[ATTR_QUERY],
        types=frozenset({kind}) if kind else TITLES,
        year=call.data.get(ATTR_YEAR),
        limit=call.data[ATTR_LIMIT],
    )
    found: list[JsonValueType] = []
    for account in _accounts(call, Capability.SEARCH):
        try:
            candidates = await account.tracker.search(query)
        except NotFound:
            candidates = ()
        except TrackerError as error:
            raise from_tracker(account, error) from error
        results: list[JsonValueType] = [
            answers.described(account, candidate.item)
            for candidate in candidates[: query.limit]
        ]
        found.append(answers.of(account, results=results))
    return {"accounts": found}


async def get_next_episodes(call: ServiceCall) -> ServiceResponse:
    """Return the next episode of each show with something to watch, that of the show watched last first."""
    limit: int = call.data[ATTR_LIMIT]
    found: list[JsonValueType] = []
    for account in _readable(call, Capability.UNWATCHED):
        rows = [
            (row, row.next_episode)
            for row in account.data.overview.shows
            if row.next_episode is not None
        ]
        episodes: list[JsonValueType] = [
            answers.next_episode(account, row, episode) for row, episode in rows[:limit]
        ]
        found.append(
            answers.of(
                account, complete=account.data.library.complete, episodes=episodes
            )
        )
    return {"accounts": found}


async def get_unwatched(call: ServiceCall) -> ServiceResponse:
    """Return the shows with unwatched episodes, that watched last first."""
    limit: int | None = call.data.get(ATTR_LIMIT)
    found: list[JsonValueType] = []
    for account in _readable(call, Capability.UNWATCHED):
        overview, complete = account.data.overview, account.data.library.complete
        shows: list[JsonValueType] = [
            answers.unwatched_show(account, row) for row in overview.shows[:limit]
        ]
        found.append(
            answers.of(
                account,
                complete=complete,
                # a count of a part would look like the whole
                unwatched_episodes=overview.unwatched if complete else None,
                unwatched_shows=len(overview.shows) if complete else None,
                shows=shows,
            )
        )
    return {"accounts": found}


async def get_watchlist(call: ServiceCall) -> ServiceResponse:
    """Return the watchlist."""
    kind: MediaType | None = call.data.get(ATTR_TYPE)
    limit: int | None = call.data.get(ATTR_LIMIT)
    found: list[JsonValueType] = []
    for account in _readable(call, Capability.WATCHLIST):
        entries = [
            entry
            for entry in account.data.library.watchlist
            if kind is None or entry.item.type is kind
        ]
        listed: list[JsonValueType] = [
            answers.watchlist_entry(account, entry) for entry in entries[:limit]
        ]
        found.append(answers.of(account, total=len(entries), entries=listed))
    return {"accounts": found}


async def get_history(call: ServiceCall) -> ServiceResponse:
    """Return plays, the newest first: all of them, or those of one item."""
    item = wanted(call.data)
    found: list[JsonValueType] = []
    for account in _accounts(call, Capability.HISTORY):
        about = await find(account, item) if item else None
        viewings = await _history(account, about, call.data[ATTR_LIMIT])
        plays: list[JsonValueType] = [answers.play(account, one) for one in viewings]
        found.append(answers.of(account, plays=plays))
    return {"accounts": found}


async def get_playback(call: ServiceCall) -> ServiceResponse:
    """Return where one title was stopped, which the service knows by its own id; None when it was not."""
    found: list[JsonValueType] = []
    for account in _accounts(call, Capability.LOOK_UP_PLAYBACK):
        try:
            stopped = await account.tracker.bookmark(call.data[ATTR_ITEM_ID])
        except TrackerError as error:
            raise from_tracker(account, error) from error
        playback = answers.playback(account, stopped) if stopped else None
        found.append(answers.of(account, playback=playback))
    return {"accounts": found}


async def refresh(call: ServiceCall) -> ServiceResponse:
    """Ask the services what is new, now. How often that is possible, trackers decide."""
    accounts = loaded(call.hass, call.data[ATTR_ACCOUNT])
    for account in accounts:
        await account.async_request_refresh()
    for account in accounts:
        if not account.last_update_success:
            raise failed("refresh_failed", account=account.config_entry.title)
    return {
        "accounts": [
            answers.of(account, refreshed=answers.when(account.refreshed_at))
            for account in accounts
        ]
    }


def _accounts(call: ServiceCall, needs: Capability) -> list[AccountCoordinator]:
    return chosen(call.hass, call.data[ATTR_ACCOUNT], call.service, needs)


def _readable(call: ServiceCall, needs: Capability) -> list[AccountCoordinator]:
    """Return the accounts, all of which have values that are still good."""
    accounts = _accounts(call, needs)
    for account in accounts:
        if not account.available:
            raise failed("data_too_old", account=account.config_entry.title)
    return accounts


async def _history(
    account: AccountCoordinator, item: MediaItem | None, limit: int
) -> list[Play]:
    plays: list[Play] = []
    cursor: str | None = None
    try:
        while True:
            page = await account.tracker.history(cursor, item)
            plays.extend(page.items)
            cursor = page.cursor
            if cursor is None or len(plays) >= limit:
                return plays[:limit]
    except NotFound:
        return plays
    except TrackerError as error:
        raise from_tracker(account, error) from error
