"""External ids of what a player plays, from an account that knows the player's media server."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
import logging

from ..coordinator import AccountCoordinator
from ..media import Episode, Ids, Playable
from ..scrobbling.matching import LEAST_SIMILAR
from ..scrobbling.observation import Media
from ..scrobbling.titles import similarity
from ..trackers.errors import TrackerError

_LOGGER = logging.getLogger(__name__)


async def with_server_ids(
    accounts: Iterable[AccountCoordinator], media: Media
) -> Media:
    """Return what plays with the ids that an account's media server knows; as it is when none does.

    The signatures stay the same.
    """
    if media.ids or media.show_ids or not media.content_id:
        return media
    for account in accounts:
        if account.tracker.media_server != media.source:
            continue
        try:
            item = await account.tracker.item_of(media.content_id)
        except TrackerError as error:
            _LOGGER.debug("%s tells no ids: %s", account.name, error)
            continue
        if item is not None and _is_meant(media, item):
            return media.learned(_named(media, item))
    return media


def _is_meant(media: Media, item: Playable) -> bool:
    """Say whether the item is what the player says, and not one of another server with the same id."""
    if isinstance(item, Episode):
        numbers = (media.season, media.episode) == (item.season, item.number)
        return numbers and similarity(media.series, item.show.title) >= LEAST_SIMILAR
    if media.numbered:
        return False
    return similarity(media.title, item.title) >= LEAST_SIMILAR


def _named(media: Media, item: Playable) -> Media:
    show_ids = item.show.ids if isinstance(item, Episode) else Ids()
    year = item.show.year if isinstance(item, Episode) else item.year
    return replace(media, ids=item.ids, show_ids=show_ids, year=media.year or year)
