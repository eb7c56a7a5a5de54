"""Identifying by the external ids that a player reports: verified where somebody knows them, else taken at their word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..media import Episode, Ids, MediaItem, MediaType, Movie, Playable, Show
from .lookup import CatalogueUnavailable, Lookup
from .matching import LEAST_SIMILAR, Certainty, disagree, resemblance
from .observation import Media, MediaKind
from .placing import Placement, place
from .titles import VARIANT, similarity


@dataclass(frozen=True, slots=True, kw_only=True)
class ById:
    """What ids say.

    `show` is the one they name when it has no such episode: then there are no items. `settled` is False when the
    service could not be asked whether it is so.
    """

    items: tuple[Playable, ...] = ()
    certainty: Certainty = Certainty.SURE
    show: Show | None = None
    settled: bool = True


async def by_ids(media: Media, lookup: Lookup) -> ById | None:
    """Return what the ids of a movie or an episode, or of its show, name; None when they are of no use.

    The player must have reported some. Raises CatalogueUnavailable when they are of no use without being looked up.
    """
    try:
        if media.kind is MediaKind.EPISODE or media.numbered:
            return await _episode(media, lookup)
        return await _movie(media, lookup)
    except CatalogueUnavailable:
        if (said := _as_said(media)) is None:
            raise
        return ById(items=said, settled=False)


def _as_said(media: Media) -> tuple[Playable, ...] | None:
    """Make the item from what the player says alone; None when that is too little."""
    if media.kind is MediaKind.MOVIE:
        return (Movie(title=media.title, ids=media.ids, year=media.year),)
    show = Show(title=media.series, ids=media.show_ids, year=media.year)
    return _numbered(show, media)


def _numbered(show: Show, media: Media) -> tuple[Playable, ...] | None:
    """Make the episodes of a file by their numbers; the ids are the first one's."""
    if media.season is None or media.episode is None:
        return None
    # without the show's ids, those after the first would be named by nothing
    last = media.episode + (media.parts if show.ids else 1) - 1
    first = Episode(
        show=show,
        season=media.season,
        number=media.episode,
        title=media.title or None,
        ids=media.ids,
    )
    others = (
        Episode(show=show, season=media.season, number=number)
        for number in range(media.episode + 1, last + 1)
    )
    return (first, *others)


# movies -------------------------------------------------------------------------------------------------------------


async def _movie(media: Media, lookup: Lookup) -> ById | None:
    own = await lookup.own(media.ids, MediaType.MOVIE)
    if isinstance(own, Movie) and not _other_film(media, own):
        return ById(items=(_with_ids(own, media.ids),))
    types = [MediaType.MOVIE]
    if media.kind is not MediaKind.MOVIE:
        types.append(MediaType.EPISODE)
    found = await lookup.by_ids(media.ids, *types)
    for item in found:
        if isinstance(item, Movie) and not _other_film(media, item):
            return ById(items=(_with_ids(item, media.ids),))
        if isinstance(item, Episode):
            return ById(items=(item,))
    if found or media.kind is not MediaKind.MOVIE:
        return None
    said = _as_said(media)
    return ById(items=said) if said else None


def _other_film(media: Media, movie: Movie) -> bool:
    """Say whether name and year both speak against it: then the ids are wrong, not only translated."""
    if media.year is None or movie.year is None or not media.title:
        return False
    names = (media.title, *media.titles)
    return abs(media.year - movie.year) > 2 and resemblance(names, movie) < 0.5


def _with_ids(movie: Movie, ids: Ids) -> Movie:
    return replace(movie, ids=movie.ids.merged(ids))


# episodes -----------------------------------------------------------------------------------------------------------


async def _episode(media: Media, lookup: Lookup) -> ById | None:
    show = await _show(media, lookup)
    placed = None if show is None else await place(show, media, lookup)
    if show is not None and placed is not None:
        exact = placed.how is Placement.EXACT
        if exact and not disagree(media.ids, placed.episodes[0].ids):
            return ById(items=_first_with_ids(placed.episodes, media.ids))
        if placed.how is Placement.UNCHECKED:
            return _found(_numbered(show, media))
    if media.ids and (found := await _by_own_ids(media, lookup)):
        return found if found.items else None
    if show is None or placed is None:
        return _found(_as_said(media))
    if placed.episodes:
        return ById(items=placed.episodes, certainty=Certainty.LIKELY)
    if media.ids:
        return _found(_numbered(show, media))
    return ById(certainty=Certainty.AMBIGUOUS, show=show)


async def _by_own_ids(media: Media, lookup: Lookup) -> ById | None:
    """Look an episode up by its own ids; None when nobody knows them, no items when they are another's."""
    answers = await lookup.by_ids(media.ids, MediaType.EPISODE, MediaType.SHOW)
    for item in answers:
        if isinstance(item, Episode) and _is_meant(media, item):
            return ById(items=await _with_following(item, media, lookup))
    if copied := _copied_show(media, answers):
        placed = await place(copied, media, lookup)
        if placed.how in (Placement.EXACT, Placement.UNCHECKED):
            return ById(items=placed.episodes)
    return ById() if answers else None


def _found(items: tuple[Playable, ...] | None) -> ById | None:
    return ById(items=items) if items else None


async def _show(media: Media, lookup: Lookup) -> Show | None:
    """Return the show that the player's ids of it name; one that nobody knows is None."""
    if not media.show_ids:
        return await _own_show(media, lookup)
    own = await lookup.own(media.show_ids, MediaType.SHOW)
    if isinstance(own, Show):
        return replace(own, ids=own.ids.merged(media.show_ids))
    found = await lookup.by_ids(media.show_ids, MediaType.SHOW)
    show = next((item for item in found if isinstance(item, Show)), None)
    return show and replace(show, ids=show.ids.merged(media.show_ids))


async def _own_show(media: Media, lookup: Lookup) -> Show | None:
    """Return the show of the own library whose episode has the very ids that the player reports."""
    if media.season is None or media.episode is None:
        return None
    for show in await lookup.shows_named((media.series, *media.titles)):
        episode = lookup.episode(show, media.season, media.episode)
        if episode is not None and episode.ids.shares(media.ids):
            return show
    return None


def _first_with_ids(episodes: Sequence[Episode], ids: Ids) -> tuple[Playable, ...]:
    first, *others = episodes
    return (replace(first, ids=first.ids.merged(ids)), *others)


def _is_meant(media: Media, episode: Episode) -> bool:
    """Say whether anything but the ids speaks for an episode: ids of a show stand in the wrong place often enough."""
    if (media.season, media.episode) == (episode.season, episode.number):
        return True
    if media.show_ids.shares(episode.show.ids):
        return True
    names = (media.series, *media.titles)
    return (
        resemblance(names, episode.show) >= LEAST_SIMILAR
        or similarity(media.title, episode.title or "") >= LEAST_SIMILAR
    )


def _copied_show(media: Media, answers: Sequence[MediaItem]) -> Show | None:
    """Return the show whose ids the player gave for the episode's, when its name agrees."""
    names = (media.series, *media.titles)
    return next(
        (
            item
            for item in answers
            if isinstance(item, Show) and resemblance(names, item) >= VARIANT
        ),
        None,
    )


async def _with_following(
    episode: Episode, media: Media, lookup: Lookup
) -> tuple[Playable, ...]:
    """Return an episode found by its ids, and those that are in the same file."""
    first = replace(episode, ids=episode.ids.merged(media.ids))
    if media.parts == 1:
        return (first,)
    as_found = replace(
        media,
        season=episode.season,
        episode=episode.number,
        last_episode=episode.number + media.parts - 1,
    )
    placed = await place(episode.show, as_found, lookup)
    return (first, *placed.episodes[1:])
