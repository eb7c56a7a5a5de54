"""A made-up catalogue of shows and movies, and a made-up viewer, from a seed and a few numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
import random

_ADJECTIVES = [
    "Silent",
    "Crimson",
    "Hollow",
    "Golden",
    "Broken",
    "Northern",
    "Electric",
    "Velvet",
    "Distant",
    "Paper",
    "Quiet",
    "Burning",
    "Glass",
    "Second",
    "Hidden",
    "Winter",
    "Iron",
    "Restless",
    "Pale",
    "Midnight",
    "Wandering",
    "Copper",
    "Forgotten",
    "Salt",
    "Narrow",
    "Bright",
    "Stolen",
    "Emerald",
    "Lonely",
    "Final",
]
_NOUNS = [
    "Harbour",
    "Orchard",
    "Signal",
    "Meridian",
    "Lantern",
    "Kingdom",
    "Archive",
    "Station",
    "Garden",
    "Compass",
    "Verdict",
    "Tide",
    "Mirror",
    "Province",
    "Engine",
    "Chapel",
    "Horizon",
    "Ledger",
    "Summit",
    "Canal",
    "Workshop",
    "Frontier",
    "Letter",
    "Island",
    "Parade",
    "Witness",
    "Carousel",
    "Bridge",
    "Hour",
]
_EPISODE_WORDS = [
    "Arrival",
    "Debts",
    "Snowfall",
    "Crossing",
    "Embers",
    "Inheritance",
    "Static",
    "Homecoming",
    "Masks",
    "Undertow",
    "Silence",
    "Relics",
    "Promises",
    "Thaw",
    "Shelter",
    "Departure",
    "Echoes",
    "Fractures",
    "Daybreak",
    "Ashes",
    "Strangers",
    "Bargain",
    "Threshold",
    "Drift",
    "Reunion",
    "Vigil",
]


@dataclass(slots=True)
class CatalogueEpisode:
    """One episode; season 0 holds specials. `first_aired` is an instant in UTC, `runtime` is in seconds."""

    season: int
    number: int
    title: str
    first_aired: datetime
    runtime: int
    ids: dict[str, int | str] = field(default_factory=dict)


@dataclass(slots=True)
class CatalogueShow:
    """One show. `ids` has slug, trakt, imdb, tmdb, tvdb, simkl, kinopub (and mal, anidb, anilist for anime)."""

    title: str
    year: int
    ids: dict[str, int | str]
    episodes: list[CatalogueEpisode]
    anime: bool = False
    ended: bool = False
    runtime: int = 2700

    def episode(self, season: int, number: int) -> CatalogueEpisode | None:
        """Return the episode with these numbers, or None."""
        return next(
            (e for e in self.episodes if (e.season, e.number) == (season, number)), None
        )

    def seasons(self) -> list[int]:
        """Return the season numbers in order, specials included."""
        return sorted({e.season for e in self.episodes})

    def aired(self, now: datetime, *, specials: bool = False) -> list[CatalogueEpisode]:
        """Return what has aired by `now`, in order; without specials unless asked for."""
        return [
            e
            for e in self.episodes
            if e.first_aired <= now and (specials or e.season > 0)
        ]


@dataclass(slots=True)
class CatalogueMovie:
    """One movie; `runtime` is in seconds."""

    title: str
    year: int
    ids: dict[str, int | str]
    released: datetime
    runtime: int = 6600


@dataclass(slots=True)
class Viewer:
    """What one simulated person has watched so far, as (catalogue object, when) in order of time."""

    episodes: list[tuple[CatalogueShow, CatalogueEpisode, datetime]] = field(
        default_factory=list
    )
    movies: list[tuple[CatalogueMovie, datetime]] = field(default_factory=list)
    show_watchlist: list[CatalogueShow] = field(default_factory=list)
    movie_watchlist: list[CatalogueMovie] = field(default_factory=list)


class Catalogue:
    """All shows and movies that the simulated services know."""

    def __init__(
        self, shows: list[CatalogueShow], movies: list[CatalogueMovie]
    ) -> None:
        """Index the given shows and movies by their ids."""
        self.shows = shows
        self.movies = movies
        self._by_id: dict[tuple[str, str, str], CatalogueShow | CatalogueMovie] = {}
        for kind, titles in (("show", shows), ("movie", movies)):
            for title in titles:
                for namespace, value in title.ids.items():
                    self._by_id[kind, namespace, str(value)] = title

    def show(self, namespace: str, value: int | str) -> CatalogueShow | None:
        """Find a show by one external id."""
        found = self._by_id.get(("show", namespace, str(value)))
        return found if isinstance(found, CatalogueShow) else None

    def movie(self, namespace: str, value: int | str) -> CatalogueMovie | None:
        """Find a movie by one external id."""
        found = self._by_id.get(("movie", namespace, str(value)))
        return found if isinstance(found, CatalogueMovie) else None

    def find_show(
        self, ids: dict[str, object], title: str | None = None, year: int | None = None
    ) -> CatalogueShow | None:
        """Find a show by any of its ids, then by exact title (and year, when given)."""
        for namespace, value in ids.items():
            if value and (found := self.show(namespace, str(value))):
                return found
        return next(
            (
                s
                for s in self.shows
                if title and s.title == title and year in (None, s.year)
            ),
            None,
        )

    def find_movie(
        self, ids: dict[str, object], title: str | None = None, year: int | None = None
    ) -> CatalogueMovie | None:
        """Find a movie by any of its ids, then by exact title (and year, when given)."""
        for namespace, value in ids.items():
            if value and (found := self.movie(namespace, str(value))):
                return found
        return next(
            (
                m
                for m in self.movies
                if title and m.title == title and year in (None, m.year)
            ),
            None,
        )

    def add_episode(
        self, show: CatalogueShow, first_aired: datetime, season: int | None = None
    ) -> CatalogueEpisode:
        """Append an episode to the last (or given) season and return it."""
        season = season if season is not None else max(show.seasons())
        number = (
            max((e.number for e in show.episodes if e.season == season), default=0) + 1
        )
        episode = _episode(show.ids, season, number, first_aired, show.runtime)
        show.episodes.append(episode)
        show.episodes.sort(key=lambda e: (e.season, e.number))
        return episode


def _episode(
    ids: dict[str, int | str], season: int, number: int, aired: datetime, runtime: int
) -> CatalogueEpisode:
    base = int(ids["trakt"]) * 1000 + season * 50 + number
    word = _EPISODE_WORDS[base % len(_EPISODE_WORDS)]
    return CatalogueEpisode(
        season=season,
        number=number,
        title=word if number % 3 else f"{word}, Part {number}",
        first_aired=aired,
        runtime=runtime,
        ids={
            "trakt": base,
            "tvdb": 20_000_000 + base,
            "tmdb": 40_000_000 + base,
            "simkl": 60_000_000 + base,
            "kinopub": 80_000_000 + base,
        },
    )


def _title(rng: random.Random, index: int) -> str:
    count = len(_ADJECTIVES) * len(_NOUNS)
    adjective, noun = divmod((index * 67) % count, len(_NOUNS))
    suffix = "" if index < count else f" {index // count + 1}"
    return (
        f"The {_ADJECTIVES[adjective]} {_NOUNS[noun]}{suffix}"
        if rng.random() < 0.5
        else f"{_ADJECTIVES[adjective]} {_NOUNS[noun]}{suffix}"
    )


def generate(
    now: datetime,
    *,
    shows: int = 50,
    movies: int = 40,
    seed: int = 1,
    airing_in: float | None = None,
) -> Catalogue:
    """Make a catalogue as of `now`.

    Every tenth show is an anime, every third has ended, every fifth has a season of specials.
    Shows that go on have weekly episodes up to five weeks ahead; with `airing_in` (seconds), the first
    of them airs its next episode exactly then.
    """
    rng = random.Random(seed)
    all_shows = [_show(rng, index, now) for index in range(shows)]
    all_movies = [_movie(rng, index, now) for index in range(movies)]
    catalogue = Catalogue(all_shows, all_movies)
    running = next((s for s in all_shows if not s.ended and not s.anime), None)
    if airing_in is not None and running is not None:
        running.episodes = [e for e in running.episodes if e.first_aired <= now]
        catalogue.add_episode(running, now + timedelta(seconds=airing_in))
    return catalogue


def _show(rng: random.Random, index: int, now: datetime) -> CatalogueShow:
    anime, ended = index % 10 == 9, index % 3 == 2
    runtime = 1440 if anime else rng.choice((1500, 2520, 2700, 3300))
    seasons = 1 if anime else rng.randint(1, 4)
    per_season = 12 if anime else rng.choice((6, 8, 10))
    number = 1000 + index
    title = _title(rng, index)
    slug = title.lower().replace(" ", "-")
    ids: dict[str, int | str] = {
        "trakt": number,
        "slug": slug,
        "tvdb": 300_000 + number,
        "imdb": f"tt{5_000_000 + number:07d}",
        "tmdb": 100_000 + number,
        "simkl": 700_000 + number,
        "kinopub": 20_000 + number,
    }
    if anime:
        ids |= {
            "mal": 30_000 + number,
            "anidb": 12_000 + number,
            "anilist": 90_000 + number,
        }
    last = (
        now - timedelta(days=rng.randint(200, 2000))
        if ended
        else now - timedelta(days=rng.uniform(0.5, 6.5))
    )
    episodes: list[CatalogueEpisode] = []
    for back, season in enumerate(range(seasons, 0, -1)):
        end = last - timedelta(days=365 * back)
        # a running show has two weekly episodes of its last season still to come
        ahead = 0 if ended or back else min(5, per_season - 2)
        for position in range(per_season, 0, -1):
            aired = end + timedelta(weeks=ahead + position - per_season)
            episodes.append(_episode(ids, season, position, aired, runtime))
    if index % 5 == 0 and not anime:
        episodes += [
            _episode(ids, 0, n, last - timedelta(days=100 * n + 30), runtime)
            for n in (1, 2)
        ]
    episodes.sort(key=lambda e: (e.season, e.number))
    first = min(e.first_aired for e in episodes)
    return CatalogueShow(
        title=title,
        year=first.year,
        ids=ids,
        episodes=episodes,
        anime=anime,
        ended=ended,
        runtime=runtime,
    )


def _movie(rng: random.Random, index: int, now: datetime) -> CatalogueMovie:
    number = 500_000 + index
    title = _title(rng, index + 311)
    released = now - timedelta(days=rng.randint(30, 12_000))
    return CatalogueMovie(
        title=title,
        year=released.year,
        ids={
            "trakt": number,
            "slug": f"{title.lower().replace(' ', '-')}-{released.year}",
            "imdb": f"tt{7_000_000 + number:07d}",
            "tmdb": 200_000 + number,
            "simkl": 900_000 + number,
            "kinopub": 50_000 + number - 500_000,
        },
        released=released,
        runtime=rng.choice((5400, 6600, 7320, 8400)),
    )


def watch(
    catalogue: Catalogue,
    now: datetime,
    *,
    watched: int = 60,
    in_progress: int | None = None,
    seed: int = 2,
) -> Viewer:
    """Make a viewer who has watched `watched` percent of the titles.

    Of the watched shows `in_progress` (all that run or lag, when None; capped by their number) have something
    aired left to watch; the rest are caught up. Titles not watched start to fill the watchlist.
    """
    rng = random.Random(seed)
    viewer = Viewer()
    count = len(catalogue.shows) * watched // 100
    wanted = count if in_progress is None else in_progress
    for index, show in enumerate(catalogue.shows):
        aired = show.aired(now)
        if index >= count or not aired:
            if len(viewer.show_watchlist) < 12:
                viewer.show_watchlist.append(show)
            continue
        lags = (
            wanted > 0
            and (in_progress is not None or index % 4 != 3)
            and len(aired) > 1
        )
        wanted -= lags
        seen = aired[: rng.randint(1, len(aired) - 1)] if lags else aired
        end = now - timedelta(minutes=rng.randint(90, 60 * 24 * 90))
        for back, episode in enumerate(reversed(seen)):
            viewer.episodes.append(
                (show, episode, _minute(end - timedelta(hours=20 * back)))
            )
    for index, movie in enumerate(catalogue.movies):
        if index < len(catalogue.movies) * watched // 100:
            viewer.movies.append(
                (movie, _minute(now - timedelta(hours=30 * (index + 1))))
            )
        elif len(viewer.movie_watchlist) < 12:
            viewer.movie_watchlist.append(movie)
    viewer.episodes.sort(key=lambda row: row[2])
    viewer.movies.sort(key=lambda row: row[1])
    return viewer


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)
