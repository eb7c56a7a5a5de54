"""A Trakt v1 account at the simulator, for the tests of the tracker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from custom_components.up_next.library import Library, overview
from custom_components.up_next.media import Episode, Ids, Movie, Show
from custom_components.up_next.trackers.tracker import QueuedWrite, TrackerContext
from custom_components.up_next.trackers.trakt_v1 import TraktV1
from custom_components.up_next.writes import Receipt, Write
from simulators.catalogue import CatalogueEpisode, CatalogueShow
from simulators.trakt_v1 import API_KEY, PASSWORD, USERNAME, TraktV1 as Simulator

CREDENTIALS = {"api_key": API_KEY, "username": USERNAME, "password": PASSWORD}


@dataclass(kw_only=True)
class Account:
    """The simulator, the tracker, and how long it slept."""

    sim: Simulator
    tracker: TraktV1
    context: TrackerContext
    sleeps: list[float] = field(default_factory=list)

    async def refresh(self, previous: Library | None = None) -> Library:
        return (await self.tracker.refresh(previous)).library

    async def settled(self) -> Library:
        """Return a library just read, with nothing asked yet."""
        library = await self.refresh()
        self.asked()
        return library

    def asked(self) -> list[str]:
        """Return what was asked since the last call, refused requests too, without the key and the name."""
        paths = [
            f"{r.method} {r.path.replace(f'/{API_KEY}', '').replace(f'/{USERNAME}', '')}"
            for r in self.sim.requests
        ]
        self.sim.requests.clear()
        return paths

    def unwatched(self, library: Library) -> int:
        return overview(library, self.sim.clock.now()).unwatched

    async def send(self, *writes: Write, unsure: bool = False) -> Sequence[Receipt]:
        now = self.sim.clock.now()
        assert self.tracker.combine(writes) == len(writes)
        return await self.tracker.send(
            [QueuedWrite(write=w, created_at=now, unsure=unsure) for w in writes]
        )

    def begun(self, *, left: int = 1) -> CatalogueShow:
        """Return a show with something watched and at least `left` episodes unwatched."""
        return next(
            self.sim.show(trakt)
            for trakt in self.sim.shows
            if len(self.left(self.sim.show(trakt))) >= left
        )

    def finished(self) -> CatalogueShow:
        """Return a show with nothing left."""
        return next(
            self.sim.show(trakt)
            for trakt in self.sim.shows
            if not self.left(self.sim.show(trakt))
        )

    def fresh(self) -> CatalogueShow:
        """Return a show nothing of which was watched, and all of which is out."""
        return next(
            show
            for show in self.sim.catalogue.shows
            if show.ended and int(show.ids["trakt"]) not in self.sim.shows
        )

    def left(self, show: CatalogueShow) -> list[CatalogueEpisode]:
        return [
            e
            for e in show.aired(self.sim.clock.now())
            if not self.plays(show, e.season, e.number)
        ]

    def plays(self, show: CatalogueShow, season: int, number: int) -> list[int]:
        watched = self.sim.shows.get(int(show.ids["trakt"]))
        return watched.plays.get((season, number), []) if watched else []


def show_of(show: CatalogueShow, *names: str) -> Show:
    """Return the show as another tracker may know it: with only some ids."""
    ids = {name: show.ids[name] for name in names or ("tvdb", "imdb")}
    return Show(title=show.title, year=show.year, ids=Ids.of(ids))


def episode_of(show: CatalogueShow, episode: CatalogueEpisode) -> Episode:
    return Episode(show=show_of(show), season=episode.season, number=episode.number)


def movie_of(account: Account, trakt: int) -> Movie:
    movie = account.sim.movie(trakt)
    ids = Ids.of(imdb=movie.ids["imdb"], tmdb=movie.ids["tmdb"])
    return Movie(title=movie.title, year=movie.year, ids=ids)


async def open_account(
    serve: Callable[..., Any],
    make_context: Callable[..., TrackerContext],
    *,
    credentials: dict[str, str] | None = None,
    path: str = "",
    **catalogue: Any,
) -> Account:
    """Start the simulator and return an account; its waiting takes no time."""
    sim: Simulator = await serve(Simulator, **{"shows": 30, "movies": 40, **catalogue})
    sleeps: list[float] = []

    async def sleep(seconds: float) -> None:
        sleeps.append(seconds)

    kept = dict(TraktV1.keep(CREDENTIALS | (credentials or {})))
    context = replace(make_context(sim.base_url + path, credentials=kept), sleep=sleep)
    return Account(sim=sim, tracker=TraktV1(context), context=context, sleeps=sleeps)
