"""Finding titles and episodes in a library, and among what a search found. Pure.

Two names are the same when nothing but case, accents, punctuation or "&" sets them apart; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
import re
from typing import Final
import unicodedata

from ..effects import same
from ..library import Library
from ..media import Episode, Ids, MediaItem, MediaType, Movie, Show, show_of

type Title = Movie | Show

_WITH_YEAR: Final = re.compile(r"(.+?)\s*\((\d{4})\)", re.ASCII)
_BETWEEN_NAMES: Final = " / "
_DROPPED: Final = re.compile(r"[.'\u2019`]")
_NOT_WORDS: Final = re.compile(r"[\W_]+")


@lru_cache(maxsize=20_000)
def normalised(name: str) -> str:
    """Return a name without case, accents and punctuation: "Shōgun" and "shogun" are the same."""
    plain = "".join(
        char
        for char in unicodedata.normalize("NFKD", name.casefold().replace("&", " and "))
        if not unicodedata.combining(char)
    )
    # dots and apostrophes are dropped (S.W.A.T., Schitt's), what else is no letter or digit parts words
    words = _NOT_WORDS.sub(" ", _DROPPED.sub("", plain)).strip()
    return words or name.casefold().strip()


def split_year(name: str) -> tuple[str, int | None]:
    """Take the year off a name such as "Dune (2021)"."""
    match = _WITH_YEAR.fullmatch(name.strip())
    return (match[1], int(match[2])) if match else (name, None)


def named(titles: Iterable[Title], name: str, year: int | None) -> list[Title]:
    """Return those titles that have this very name, and are of that year: give or take one where none is exactly.

    A title of unknown year is of no given year. Services write local and original names as "one / other".
    """
    key = normalised(name)
    fitting = [title for title in titles if key in _names(title)]
    if year is None:
        return fitting
    exact = [title for title in fitting if title.year == year]
    return exact or [
        title
        for title in fitting
        if title.year is not None and abs(title.year - year) == 1
    ]


def _names(title: Title) -> set[str]:
    names = [title.title]
    if _BETWEEN_NAMES in title.title:
        names += title.title.split(_BETWEEN_NAMES)
    return {normalised(name) for name in names}


def by_name(
    library: Library, types: frozenset[MediaType], name: str, year: int | None
) -> list[Title]:
    """Return the titles of a library that have this name (and year), each once."""
    titles = [title for title in titles_of(library) if title.type in types]
    if found := named(titles, name, year):
        return distinct(found)
    short, own_year = split_year(name)
    if own_year is None or year not in (None, own_year):
        return []
    return distinct(named(titles, short, own_year))


def by_ids(library: Library, types: frozenset[MediaType], ids: Ids) -> list[Title]:
    """Return the titles of a library that share an id, each once."""
    return distinct(
        title
        for title in titles_of(library)
        if title.type in types and title.ids.shares(ids)
    )


def titles_of(library: Library) -> Iterator[Title]:
    """Go through all movies and shows that a library knows; the same one may come more than once."""
    for progress in library.shows.values():
        yield progress.show
    for state in library.movies.values():
        yield state.movie
    for item in _others(library):
        if isinstance(item, Movie):
            yield item
        elif (show := show_of(item)) is not None:
            yield show


def episodes_of(library: Library) -> Iterator[Episode]:
    """Go through the episodes that a library happens to know."""
    for item in _others(library):
        if isinstance(item, Episode):
            yield item
    for progress in library.shows.values():
        if progress.next_episode is not None:
            yield progress.next_episode
    for airings in library.airings.values():
        yield from airings


def episode_in(
    library: Library, show: Show, season: int, number: int
) -> Episode | None:
    """Return the episode with these numbers, where the library knows more of it."""
    return next(
        (
            episode
            for episode in episodes_of(library)
            if (episode.season, episode.number) == (season, number)
            and same(episode.show, show)
        ),
        None,
    )


def episodes_with(library: Library, ids: Ids) -> list[Episode]:
    """Return the episodes that a library knows by these ids of their own, each once."""
    return distinct(
        episode for episode in episodes_of(library) if episode.ids.shares(ids)
    )


def distinct[T: MediaItem](items: Iterable[T]) -> list[T]:
    """Return each media item once, where it came first."""
    found: list[T] = []
    for item in items:
        if not any(same(item, other) for other in found):
            found.append(item)
    return found


def _others(library: Library) -> Iterator[MediaItem]:
    for entry in library.watchlist:
        yield entry.item
    for playback in library.playbacks:
        yield playback.item
    if library.watching is not None:
        yield library.watching.item
    for play in library.plays:
        yield play.item
