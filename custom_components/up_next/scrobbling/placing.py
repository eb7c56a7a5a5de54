"""From a show and what a player says of the episode to the episodes that are meant."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ..library import ShowDetail
from ..media import Episode, Show
from .lookup import Lookup
from .observation import Media
from .titles import VARIANT, similarity

MOST_IN_A_FILE: Final = 10


class Placement(StrEnum):
    """How the numbers that a player says lead to episodes."""

    EXACT = "exact"
    """There is an episode with these numbers."""
    ABSOLUTE = "absolute"
    """The number counts through all seasons, as is usual for anime."""
    TITLE = "title"
    """The player says no numbers, but one episode has just that title."""
    UNCHECKED = "unchecked"
    """Nobody knows which episodes there are."""
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """The episodes that are meant; none when they are missing."""

    how: Placement
    episodes: tuple[Episode, ...] = ()


_MISSING: Final = Placed(how=Placement.MISSING)


async def place(
    show: Show, media: Media, lookup: Lookup, *, season_shift: int = 0, shift: int = 0
) -> Placed:
    """Find the episodes of `show` that a player means. The shifts are added to the numbers it says."""
    if media.episode is None:
        return await _by_title(show, media.title, lookup)
    season = None if media.season is None else media.season + season_shift
    first = media.episode + shift
    if first < 0 or media.parts > MOST_IN_A_FILE:
        return _MISSING
    wanted = range(first, first + media.parts)
    if season is not None:
        known = [lookup.episode(show, season, number) for number in wanted]
        if found := _all(known):
            return Placed(how=Placement.EXACT, episodes=found)
    detail = await lookup.detail(show)
    if detail is None:
        if season is None:
            return _MISSING
        return Placed(
            how=Placement.UNCHECKED,
            episodes=tuple(
                Episode(show=show, season=season, number=number) for number in wanted
            ),
        )
    if season is not None:
        rows = [detail.find(season, number) for number in wanted]
        if found := _all([row.episode if row else None for row in rows]):
            return Placed(how=Placement.EXACT, episodes=found)
    counted = season is None or (season == 1 and detail.find(1, first) is None)
    if counted and (found := absolute(detail, wanted)):
        return Placed(how=Placement.ABSOLUTE, episodes=found)
    return _MISSING


def absolute(detail: ShowDetail, wanted: range) -> tuple[Episode, ...]:
    """Return the episodes with these numbers when they are counted through all seasons but that of the specials."""
    regular = sorted(
        (row.episode for row in detail.episodes if row.episode.season > 0),
        key=lambda episode: (episode.season, episode.number),
    )
    if wanted.start < 1 or wanted.stop - 1 > len(regular):
        return ()
    return tuple(regular[number - 1] for number in wanted)


async def _by_title(show: Show, title: str, lookup: Lookup) -> Placed:
    detail = await lookup.detail(show) if title else None
    fitting = [
        row.episode
        for row in (detail.episodes if detail else ())
        if similarity(title, row.episode.title or "") >= VARIANT
    ]
    if len(fitting) != 1:
        return _MISSING
    return Placed(how=Placement.TITLE, episodes=(fitting[0],))


def _all(episodes: list[Episode | None]) -> tuple[Episode, ...]:
    """Return the episodes, none when one of them is missing."""
    found = tuple(episode for episode in episodes if episode is not None)
    return found if len(found) == len(episodes) else ()
