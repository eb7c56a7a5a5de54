"""A catalogue in memory, and the titles that the tests are about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from custom_components.up_next.library import EpisodeDetail, ShowDetail
from custom_components.up_next.media import (
    Episode,
    Ids,
    MediaItem,
    MediaType,
    Movie,
    Show,
)
from custom_components.up_next.scrobbling.identify import CatalogueUnavailable, Decision


async def run[*Ts, T](function: Callable[[*Ts], T], /, *args: *Ts) -> T:
    """Call the function at once, where Home Assistant would use its executor."""
    return function(*args)


@dataclass
class FakeCatalogue:
    """Titles, episodes by show, and what was asked.

    `own` are those of the library. Searching finds the titles with all words of the text in one of their names,
    which `aliases` adds to. While `down`, a service can't be asked.
    """

    all: Sequence[Movie | Show] = ()
    own: Sequence[Movie | Show] = ()
    details: Mapping[Show, ShowDetail] = field(default_factory=dict)
    near: Mapping[tuple[str, int, int], Episode] = field(default_factory=dict)
    """Episodes known without a request, by the show's title."""
    aliases: Mapping[str, Sequence[str]] = field(default_factory=dict)
    down: bool = False
    requests: list[tuple[str, ...]] = field(default_factory=list)

    def titles(self) -> Iterable[Movie | Show]:
        return self.own

    def episode(self, show: Show, season: int, number: int) -> Episode | None:
        return self.near.get((show.title, season, number))

    async def search(
        self, text: str, types: frozenset[MediaType], year: int | None
    ) -> Sequence[Movie | Show]:
        self._ask("search", text, str(year or ""))
        words = text.casefold().split()
        return [
            title
            for title in self.all
            if title.type in types
            and (year is None or title.year == year)
            and any(
                all(word in name.casefold() for word in words)
                for name in (title.title, *self.aliases.get(title.title, ()))
            )
        ]

    async def by_ids(
        self, ids: Ids, types: frozenset[MediaType]
    ) -> Sequence[MediaItem]:
        self._ask("by_ids", *sorted(f"{n}:{v}" for n, v in ids.values.items()))
        items: list[MediaItem] = [*self.all]
        for detail in self.details.values():
            items.extend(row.episode for row in detail.episodes)
        return [item for item in items if item.type in types and item.ids.shares(ids)]

    async def detail(self, show: Show) -> ShowDetail | None:
        self._ask("detail", show.title)
        return next(
            (
                detail
                for known, detail in self.details.items()
                if known == show or known.ids.shares(show.ids)
            ),
            None,
        )

    def _ask(self, *request: str) -> None:
        if self.down:
            raise CatalogueUnavailable("the service is down")
        self.requests.append(request)

    def asked(self, kind: str) -> list[tuple[str, ...]]:
        """Return the requests of one kind."""
        return [request[1:] for request in self.requests if request[0] == kind]


@dataclass
class FakeDecisions:
    """Decisions in memory, with how long the answers are kept."""

    kept: dict[str, Decision] = field(default_factory=dict)
    lasts: dict[str, timedelta] = field(default_factory=dict)

    def get(self, signature: str) -> Decision | None:
        return self.kept.get(signature)

    async def remember(
        self, signature: str, decision: Decision, lasts: timedelta
    ) -> None:
        assert not decision.by_person
        self.kept[signature] = decision
        self.lasts[signature] = lasts


def detail_of(
    show: Show,
    seasons: Mapping[int, int | Sequence[str | Episode]],
    runtime: int | None = None,
) -> ShowDetail:
    """Return a show's episodes: how many each season has, or their titles, or themselves."""
    rows: list[EpisodeDetail] = []
    for season, listed in seasons.items():
        entries: Sequence[str | Episode | None] = (
            [None] * listed if isinstance(listed, int) else listed
        )
        for number, entry in enumerate(entries, start=1):
            episode = (
                entry
                if isinstance(entry, Episode)
                else Episode(
                    show=show,
                    season=season,
                    number=number,
                    title=entry,
                    runtime=runtime,
                )
            )
            rows.append(EpisodeDetail(episode=episode, watched=False))
    return ShowDetail(show=show, episodes=tuple(rows), key=show.title)


HEAT = Movie(
    title="Heat",
    year=1995,
    runtime=10200,
    ids=Ids.of(imdb="tt0113277", tmdb=949, trakt=648),
)
THE_HEAT = Movie(
    title="The Heat",
    year=2013,
    runtime=7020,
    ids=Ids.of(imdb="tt2404463", tmdb=136795, trakt=81234),
)
BREAKING_BAD = Show(
    title="Breaking Bad",
    year=2008,
    runtime=2820,
    ids=Ids.of(imdb="tt0903747", tmdb=1396, tvdb=81189, trakt=1388),
)
"""In real life its episodes run 47 minutes."""


def breaking_bad() -> ShowDetail:
    """Return the first seasons of Breaking Bad, with the ids of two episodes."""
    first: Sequence[tuple[str, Mapping[str, object]]] = (
        ("Pilot", {}),
        ("Cat's in the Bag...", {"imdb": "tt1054724", "tmdb": 62086, "tvdb": 349235}),
        (
            "...And the Bag's in the River",
            {"imdb": "tt1054725", "tmdb": 62087, "tvdb": 349238},
        ),
        ("Cancer Man", {}),
        ("Gray Matter", {}),
        ("Crazy Handful of Nothin'", {}),
        ("A No-Rough-Stuff-Type Deal", {}),
    )
    episodes = [
        Episode(
            show=BREAKING_BAD,
            season=1,
            number=number,
            title=title,
            ids=Ids.of(ids),
            runtime=2880,
        )
        for number, (title, ids) in enumerate(first, start=1)
    ]
    return detail_of(BREAKING_BAD, {1: episodes, 2: 13})
