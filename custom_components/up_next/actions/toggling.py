"""What a toggle means: decided when it is called, by what is on screen, with the writes on their way counted in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from homeassistant.util import dt as dt_util

from ..coordinator import AccountCoordinator
from ..effects import marks, same
from ..library import ShowDetail, find_show, parse_seen
from ..media import Episode, MediaItem, Movie, Season, Show
from ..trackers.errors import NotFound, TrackerError
from ..writes import SetWatchlisted, Write, subject
from .texts import failed, from_tracker, invalid, text
from .writing import name


@asynccontextmanager
async def deciding(accounts: Sequence[AccountCoordinator]) -> AsyncIterator[None]:
    """Let no other toggle of these accounts be decided meanwhile: a double click is two clicks, one after the other."""
    async with AsyncExitStack() as stack:
        for account in sorted(accounts, key=lambda one: one.config_entry.entry_id):
            await stack.enter_async_context(account.deciding)
        yield


async def is_watched(
    account: AccountCoordinator, item: MediaItem
) -> tuple[bool, ShowDetail | None]:
    """Say whether an item is watched; a show or season is when all its aired (regular) episodes are.

    The episodes of its show come with it where they were needed. Raises HomeAssistantError where the state is not
    to be had, ServiceValidationError for an episode that does not exist.
    """
    if (written := _last_mark(account.unconfirmed, item)) is not None:
        return written, None
    if isinstance(item, Movie):
        return await _movie_is_watched(account, item), None
    if isinstance(item, Episode) and (known := _on_screen(account, item)) is not None:
        return known, None
    detail = await _detail(account, item)
    if isinstance(item, Episode):
        episode = detail.find(item.season, item.number)
        if episode is None:
            raise invalid(
                "episode_unknown", title=name(item), account=account.config_entry.title
            )
        return episode.watched, detail
    season = item.number if isinstance(item, Season) else None
    aired = detail.aired(dt_util.utcnow(), season)
    return bool(aired) and all(episode.watched for episode in aired), detail


def is_listed(account: AccountCoordinator, item: MediaItem) -> bool:
    """Say whether an item is on the watchlist."""
    return any(same(entry.item, item) for entry in account.data.library.watchlist)


def list_is_silent(account: AccountCoordinator, item: MediaItem) -> bool:
    """Say whether the watchlist tells nothing of this type of item, so that not being on it is no proof.

    KinoPub's shows can be listed, but their list can't be read.
    """
    return not any(
        entry.item.type is item.type
        for entry in account.data.library.watchlist
        if not any(
            isinstance(write, SetWatchlisted) and same(write.item, entry.item)
            for write in account.unconfirmed
        )
    )


def _last_mark(writes: Sequence[Write], item: MediaItem) -> bool | None:
    """Return what the last unconfirmed write about this very item makes of it."""
    for write in reversed(writes):
        watched = marks(write)
        if watched is not None and same(subject(write), item):
            return watched
    return None


async def _movie_is_watched(account: AccountCoordinator, movie: Movie) -> bool:
    for state in account.data.library.movies.values():
        if same(state.movie, movie):
            return state.watched
    try:
        return bool((await account.tracker.history(item=movie)).items)
    except NotFound:
        return False
    except TrackerError as error:
        raise await _unknown(account, movie, error) from error


def _on_screen(account: AccountCoordinator, episode: Episode) -> bool | None:
    """Return whether an episode is watched, as the library has it; None where it does not say."""
    if (found := find_show(account.data.library, episode.show.ids)) is None:
        return None
    _, row = found
    number = (episode.season, episode.number)
    if row.seen is not None:
        return number in parse_seen(row.seen)
    following = row.next_episode
    if following is not None and (following.season, following.number) == number:
        return False
    return None


async def _detail(
    account: AccountCoordinator, item: Show | Season | Episode
) -> ShowDetail:
    show = item if isinstance(item, Show) else item.show
    try:
        return await account.async_detail(show.ids)
    except NotFound as error:
        raise from_tracker(account, error) from error
    except TrackerError as error:
        raise await _unknown(account, item, error) from error


async def _unknown(
    account: AccountCoordinator, item: MediaItem, error: TrackerError
) -> Exception:
    return failed(
        "state_unknown",
        title=name(item),
        account=account.config_entry.title,
        reason=await text(account, error.translation_key, **error.placeholders),
    )
