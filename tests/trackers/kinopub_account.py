"""A signed-in KinoPub account at the simulator, for the tests of the tracker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from custom_components.up_next.library import Library, overview
from custom_components.up_next.media import Episode, Ids, Movie, Show
from custom_components.up_next.trackers.kinopub import KinoPub
from custom_components.up_next.trackers.oauth import MemoryTokenStore, Tokens
from custom_components.up_next.trackers.tracker import QueuedWrite, TrackerContext
from custom_components.up_next.writes import Receipt, Write
from simulators.catalogue import CatalogueEpisode, CatalogueShow
from simulators.kinopub import KinoPub as Simulator

FOLDER = 161701


@dataclass(kw_only=True)
class Account:
    """The simulator, the tracker, its token store, and how long it slept."""

    sim: Simulator
    tracker: KinoPub
    store: MemoryTokenStore
    context: TrackerContext
    sleeps: list[float] = field(default_factory=list)

    async def refresh(self, previous: Library | None = None) -> Library:
        return (await self.tracker.refresh(previous)).library

    def asked(self) -> list[str]:
        """Return the paths asked since the last call, refused ones too."""
        paths = [r.path for r in self.sim.requests]
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

    def begun(self, *, seasons: int = 1, left: int = 1) -> CatalogueShow:
        """Return a show with something watched and at least `left` regular episodes unwatched."""
        for item, total, watched in self.sim.viewing.unfinished():
            if watched and total - watched >= left and item.show is not None:
                regular = [s for s in item.show.seasons() if s]
                if len(regular) >= seasons and not item.specials:
                    return item.show
        raise AssertionError("no such show")

    def fresh(self) -> CatalogueShow:
        """Return a show nothing of which was opened, with at least two seasons, all out."""
        for item in self.sim.viewing.items.values():
            show = item.show
            if (
                show is not None
                and show.ended
                and not item.specials
                and item.id not in self.sim.viewing.marks
                and len(show.seasons()) > 1
            ):
                return show
        raise AssertionError("no such show")

    def next_of(self, show: CatalogueShow) -> CatalogueEpisode:
        """Return the first episode that is out and unwatched."""
        for episode in show.aired(self.sim.clock.now()):
            mark = self.sim.viewing.mark(
                int(show.ids["kinopub"]), episode.season, episode.number
            )
            if mark.status != 1:
                return episode
        raise AssertionError("nothing left")

    def status(self, show: CatalogueShow, season: int, number: int) -> int:
        return self.sim.viewing.mark(int(show.ids["kinopub"]), season, number).status


def show_of(show: CatalogueShow, *, native: bool = True) -> Show:
    """Return the show as Up Next knows it: with the service's id, or only with its IMDb id."""
    ids = Ids.of(kinopub=show.ids["kinopub"] if native else None, imdb=show.ids["imdb"])
    return Show(title=show.title, year=show.year, ids=ids)


def episode_of(show: CatalogueShow, episode: CatalogueEpisode) -> Episode:
    return Episode(show=show_of(show), season=episode.season, number=episode.number)


def movie_of(account: Account, trakt: int, *, native: bool = True) -> Movie:
    item = account.sim.item(movie=trakt)
    assert item.movie is not None
    ids = Ids.of(kinopub=item.id if native else None, imdb=item.movie.ids["imdb"])
    return Movie(
        title=item.movie.title, year=item.year, ids=ids, runtime=item.movie.runtime
    )


async def sign_in(
    serve: Callable[..., Any],
    make_context: Callable[..., TrackerContext],
    tokens: MemoryTokenStore,
    *,
    options: dict[str, str] | None = None,
    path: str = "",
    specials: bool = False,
    **catalogue: Any,
) -> Account:
    """Start the simulator and return an account that is signed in; its waiting takes no time.

    No show has specials unless asked for: whether a serial's row counts them is not known for sure.
    """
    sim: Simulator = await serve(Simulator, **catalogue)
    if not specials:
        for item in sim.viewing.items.values():
            item.specials = False
            item._known = -1
    sim.pacing = False
    pair = sim.grants.new_pair()
    await tokens.save(
        Tokens(
            access=pair.access,
            refresh=pair.refresh,
            expires_at=sim.clock.now() + timedelta(hours=1),
        )
    )
    sleeps: list[float] = []

    async def sleep(seconds: float) -> None:
        sleeps.append(seconds)

    context = replace(make_context(sim.base_url + path, options=options), sleep=sleep)
    return Account(
        sim=sim,
        tracker=KinoPub(context),
        store=tokens,
        context=context,
        sleeps=sleeps,
    )
