"""Asking what titles there are: the account's own library, then its service, sparingly."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, Protocol

from ..library import ShowDetail
from ..media import Episode, Ids, MediaItem, MediaType, Movie, Show
from .matching import LEAST_SIMILAR, Candidate, Question, resemblance

MOST_SEARCHES: Final = 3
MOST_DETAILS: Final = 4
"""How many shows are read whole to tell them apart."""


class CatalogueUnavailable(Exception):
    """A catalogue could not be asked: that says nothing about the title, so the answer must not be kept."""


class Catalogue(Protocol):
    """The titles that are known. What asks a service raises CatalogueUnavailable when it can't."""

    def titles(self) -> Iterable[Movie | Show]:
        """Go through the titles of the own library, without a request."""

    def episode(self, show: Show, season: int, number: int) -> Episode | None:
        """Return an episode that is known without a request."""

    async def search(
        self, text: str, types: frozenset[MediaType], year: int | None
    ) -> Sequence[Movie | Show]:
        """Search by name."""

    async def by_ids(
        self, ids: Ids, types: frozenset[MediaType]
    ) -> Sequence[MediaItem]:
        """Return what has one of these ids."""

    async def detail(self, show: Show) -> ShowDetail | None:
        """Return all episodes of a show; None when nobody knows it."""


class Run(Protocol):
    """Calls a function that takes its time off the event loop, as an executor does."""

    def __call__[*Ts, T](
        self, function: Callable[[*Ts], T], /, *args: *Ts
    ) -> Awaitable[T]:
        """Call the function."""


class Lookup:
    """One identification's way to the catalogue: nothing is asked twice, and not too much."""

    def __init__(self, catalogue: Catalogue, run: Run) -> None:
        """Ask `catalogue`; `run` calls what takes its time."""
        self._catalogue = catalogue
        self._run = run
        self._details: dict[Show, ShowDetail | None] = {}
        self._searches = MOST_SEARCHES
        self.asked = False
        """Whether the service was asked anything."""

    async def own(self, ids: Ids, item_type: MediaType) -> Movie | Show | None:
        """Return the title of the own library that has one of these ids."""
        if not ids:
            return None
        titles = tuple(self._catalogue.titles())
        return await self._run(_with_ids, titles, ids, item_type)

    async def shortlist(self, question: Question) -> list[Movie | Show]:
        """Return the titles of the own library whose names are like the one asked for."""
        titles = tuple(self._catalogue.titles())
        return await self._run(_like, titles, question)

    async def shows_named(self, names: tuple[str, ...]) -> list[Show]:
        """Return the shows of the own library with names like these."""
        return await self._run(_shows_named, tuple(self._catalogue.titles()), names)

    async def by_ids(self, ids: Ids, *types: MediaType) -> Sequence[MediaItem]:
        """Return what has one of these ids, what shares most of them first."""
        self.asked = True
        found = await self._catalogue.by_ids(ids, frozenset(types))
        fitting = [
            item
            for item in found
            if item.type in types and agreement(ids, item.ids) > 0
        ]
        return sorted(fitting, key=lambda item: -agreement(ids, item.ids))

    async def search(
        self, text: str, question: Question, year: int | None
    ) -> Sequence[Movie | Show]:
        """Search by name; nothing when enough was searched."""
        if not self._searches or not text:
            return ()
        self._searches -= 1
        self.asked = True
        return await self._catalogue.search(text, question.types, year)

    async def detail(self, show: Show) -> ShowDetail | None:
        """Return all episodes of a show; None when nobody knows it."""
        if show not in self._details:
            self.asked = True
            self._details[show] = await self._catalogue.detail(show)
        return self._details[show]

    def episode(self, show: Show, season: int, number: int) -> Episode | None:
        """Return an episode, if it is known without a request."""
        detail = self._details.get(show)
        found = detail.find(season, number) if detail else None
        if found is not None:
            return found.episode
        return self._catalogue.episode(show, season, number)

    async def knowing(self, candidate: Candidate, question: Question) -> Candidate:
        """Return a show with what is known of the episode asked for, all its episodes if need be."""
        show, season, number = candidate.item, question.season, question.episode
        if not isinstance(show, Show) or season is None or number is None:
            return candidate
        known = self.episode(show, season, number)
        if known is not None:
            return Candidate(
                item=show,
                aliases=candidate.aliases,
                votes=candidate.votes,
                country=candidate.country,
                episodes={(season, number): known},
            )
        if show not in self._details and len(self._details) >= MOST_DETAILS:
            return candidate
        return candidate.knowing(await self.detail(show))


def agreement(ids: Ids, other: Ids) -> int:
    """Return in how many namespaces two agree, less those in which they do not; slugs are no proof."""
    total = 0
    for namespace, value in ids.values.items():
        if namespace != "slug" and namespace in other.values:
            total += 1 if other.values[namespace] == value else -1
    return total


def _with_ids(
    titles: tuple[Movie | Show, ...], ids: Ids, item_type: MediaType
) -> Movie | Show | None:
    fitting = [
        title for title in titles if title.type is item_type and title.ids.shares(ids)
    ]
    return max(fitting, key=lambda title: agreement(ids, title.ids), default=None)


def _like(titles: tuple[Movie | Show, ...], question: Question) -> list[Movie | Show]:
    names = tuple(wording.name for wording in question.wordings)
    return [
        title
        for title in titles
        if title.type in question.types and resemblance(names, title) >= LEAST_SIMILAR
    ]


def _shows_named(
    titles: tuple[Movie | Show, ...], names: tuple[str, ...]
) -> list[Show]:
    return [
        title
        for title in titles
        if isinstance(title, Show) and resemblance(names, title) >= LEAST_SIMILAR
    ]
