"""From what an action's data says to the media item that one account knows. Ambiguous is refused, never guessed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..account import Capability
from ..coordinator import AccountCoordinator
from ..library import ShowDetail
from ..media import Episode, MediaItem, MediaType, Movie, Season, Show
from ..trackers.errors import NotFound, TrackerError
from ..trackers.tracker import Query
from .lookup import (
    Title,
    by_ids,
    by_name,
    distinct,
    episode_in,
    episodes_with,
    named,
    split_year,
)
from .texts import failed, from_tracker, invalid, text
from .wanted import Wanted, name_ids

CANDIDATES_NAMED = 5
SEARCH_LIMIT = 20


async def find(account: AccountCoordinator, wanted: Wanted) -> MediaItem:
    """Return the media item that is meant, as full as the account knows it.

    By ids first, which need no lookup at the service; then by name in the account's library; then by the service's
    search. Raises ServiceValidationError (not found, ambiguous), HomeAssistantError (the service can't be asked).
    """
    if not wanted.title and not wanted.ids:
        return await _in_thread(account, _episode_by_its_ids, account, wanted)
    title = await _find_title(account, wanted)
    if isinstance(title, Movie):
        return title
    if wanted.type is None and wanted.unnumbered:
        raise invalid("show_by_accident", title=title.title or wanted.name)
    if wanted.type is MediaType.SEASON:
        assert wanted.season is not None
        return Season(show=title, number=wanted.season)
    if wanted.type is MediaType.EPISODE:
        return await _find_episode(account, title, wanted)
    return title


async def _find_title(account: AccountCoordinator, wanted: Wanted) -> Title:
    library = account.data.library
    if wanted.ids:
        found = await _in_thread(
            account, by_ids, library, wanted.title_types, wanted.ids
        )
        if not found:
            return await _not_in_library(account, wanted)
    else:
        found = await _in_thread(
            account, by_name, library, wanted.title_types, wanted.title, wanted.year
        )
        if not found:
            return await _search_name(account, wanted)
    return _only(account, wanted, found)


async def _not_in_library(account: AccountCoordinator, wanted: Wanted) -> Title:
    """Return a title that has nothing but its ids, for the service to look up; ask only for what it is."""
    if wanted.type is None:
        known = [
            title
            for title in await _search(
                account, wanted, Query(text=wanted.title, ids=wanted.ids)
            )
            if title.ids.shares(wanted.ids)
        ]
        if not known:
            raise invalid("type_missing", title=wanted.name)
        return _only(account, wanted, known)
    if wanted.type is MediaType.MOVIE:
        return Movie(title=wanted.title, year=wanted.year, ids=wanted.ids)
    return Show(title=wanted.title, year=wanted.year, ids=wanted.ids)


async def _search_name(account: AccountCoordinator, wanted: Wanted) -> Title:
    name, year = wanted.title, wanted.year
    short, own_year = split_year(name)
    if own_year is not None and year in (None, own_year):
        name, year = short, own_year
    seen: list[Title] = []
    # by year first: of a common name, the wanted one may be far down the list
    for narrowed in (year, None) if year is not None else (None,):
        query = Query(
            text=name, types=wanted.title_types, year=narrowed, limit=SEARCH_LIMIT
        )
        seen = distinct(await _search(account, wanted, query))
        if found := named(seen, name, year):
            title = _only(account, wanted, found)
            library = account.data.library
            known = await _in_thread(
                account, by_ids, library, wanted.title_types, title.ids
            )
            return known[0] if len(known) == 1 else title
    if not seen:
        raise invalid("title_unknown", title=wanted.name, account=_name(account))
    raise invalid(
        "title_unknown_but",
        title=wanted.name,
        account=_name(account),
        candidates=_list(seen),
    )


async def _search(
    account: AccountCoordinator, wanted: Wanted, query: Query
) -> list[Title]:
    if not account.data.library.account.can & Capability.SEARCH:
        raise invalid("title_unknown", title=wanted.name, account=_name(account))
    try:
        candidates = await account.tracker.search(query)
    except NotFound:
        return []
    except TrackerError as error:
        raise failed(
            "lookup_failed",
            title=wanted.name,
            account=_name(account),
            reason=await text(account, error.translation_key, **error.placeholders),
        ) from error
    return [
        candidate.item
        for candidate in candidates
        if isinstance(candidate.item, (Movie, Show))
        and candidate.item.type in query.types & wanted.title_types
    ]


def _only(account: AccountCoordinator, wanted: Wanted, found: Sequence[Title]) -> Title:
    if len(found) > 1:
        raise invalid(
            "title_ambiguous",
            title=wanted.name,
            account=_name(account),
            candidates=_list(found),
        )
    return found[0]


def _list(titles: Sequence[Title]) -> str:
    """Name up to five candidates, with what tells them apart."""
    names = [
        f"{title.title or '?'} ({', '.join(_marks(title))})"
        for title in titles[:CANDIDATES_NAMED]
    ]
    return "; ".join([*names, "…"] if len(titles) > CANDIDATES_NAMED else names)


def _marks(title: Title) -> list[str]:
    year = str(title.year) if title.year else ""
    return [mark for mark in (year, title.type, name_ids(title.ids)) if mark]


# episodes -----------------------------------------------------------------------------------------------------


def _episode_by_its_ids(account: AccountCoordinator, wanted: Wanted) -> Episode:
    """Return an episode of which only its own ids are given: the library has to know it."""
    found = episodes_with(account.data.library, wanted.episode_ids)
    if len(found) != 1:
        raise invalid("episode_needs_show", title=wanted.name)
    return found[0]


async def _find_episode(
    account: AccountCoordinator, show: Show, wanted: Wanted
) -> Episode:
    if wanted.season is None or wanted.episode is None:
        return await _episode_in_detail(account, show, wanted)
    known = await _in_thread(
        account, episode_in, account.data.library, show, wanted.season, wanted.episode
    )
    if known is not None:
        return known
    return Episode(
        show=show, season=wanted.season, number=wanted.episode, ids=wanted.episode_ids
    )


async def _episode_in_detail(
    account: AccountCoordinator, show: Show, wanted: Wanted
) -> Episode:
    """Return an episode that is given by its show and its own ids, without numbers."""
    try:
        detail = await account.async_detail(show.ids)
    except TrackerError as error:
        raise from_tracker(account, error) from error
    for row in detail.episodes:
        if row.episode.ids.shares(wanted.episode_ids):
            return row.episode
    raise invalid("episode_needs_numbers", title=show.title or wanted.name)


def filled(item: MediaItem, detail: ShowDetail | None) -> MediaItem:
    """Return an episode as the show's detail describes it, which is more than its numbers."""
    if isinstance(item, Episode) and detail is not None:
        row = detail.find(item.season, item.number)
        return row.episode if row else item
    return item


async def _in_thread[*Args, T](
    account: AccountCoordinator, function: Callable[[*Args], T], *args: *Args
) -> T:
    """Run what goes through a whole library off the event loop; libraries are immutable."""
    return await account.hass.async_add_executor_job(function, *args)


def _name(account: AccountCoordinator) -> str:
    return account.config_entry.title
