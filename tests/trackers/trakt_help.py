"""What the tests of the Trakt tracker share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from custom_components.up_next.library import Library, overview
from custom_components.up_next.media import Episode, Ids, Movie, Show
from custom_components.up_next.trackers.oauth import MemoryTokenStore, Tokens
from custom_components.up_next.trackers.tracker import QueuedWrite, TrackerContext
from custom_components.up_next.trackers.trakt import Trakt
from custom_components.up_next.writes import Receipt, Write
from simulators import trakt as simulator
from simulators.catalogue import CatalogueEpisode, CatalogueMovie, CatalogueShow


@dataclass
class House:
    """A simulator, a tracker signed in to it, and the waits the tracker asked for."""

    service: simulator.Trakt
    tracker: Trakt
    tokens: MemoryTokenStore
    context: TrackerContext
    naps: list[float] = field(default_factory=list)
    library: Library | None = None

    async def refresh(self) -> Library:
        """Refresh from the last library."""
        result = await self.tracker.refresh(self.library)
        self.library = result.library
        return result.library

    async def counted(self, action: Callable[[], Any]) -> int:
        """Return how many requests an awaited action cost."""
        before = len(self.service.requests)
        await action()
        return len(self.service.requests) - before

    def paths(self, since: int = 0) -> list[str]:
        """Return "METHOD path" of the requests since the given one."""
        return [f"{r.method} {r.path}" for r in self.service.requests[since:]]

    def unwatched(self) -> int:
        """Return what the library counts now."""
        assert self.library is not None
        return overview(self.library, self.service.clock.now()).unwatched

    async def send(self, *writes: Write, unsure: bool = False) -> list[Receipt]:
        """Send writes as the outbox does, in the batches the tracker asks for."""
        receipts: list[Receipt] = []
        rest = list(writes)
        while rest:
            count = self.tracker.combine(rest)
            batch = [
                QueuedWrite(
                    write=write, created_at=self.service.clock.now(), unsure=unsure
                )
                for write in rest[:count]
            ]
            receipts += await self.tracker.send(batch)
            rest = rest[count:]
        return receipts


def enter(service: simulator.Trakt, context: TrackerContext) -> House:
    """Sign in and return the house; naps pass at once and move the simulators' clock."""
    grant = service.grant()
    tokens = MemoryTokenStore(
        Tokens(
            access=grant.access,
            refresh=grant.refresh,
            expires_at=service.clock.now() + timedelta(days=7),
        )
    )
    naps: list[float] = []

    async def sleep(seconds: float) -> None:
        naps.append(seconds)
        service.clock.advance(seconds)

    context = replace(context, tokens=tokens, sleep=sleep)
    return House(service, Trakt(context), tokens, context, naps)


def show(of: CatalogueShow, *only: str) -> Show:
    """Return a catalogue show as media, with all of Trakt's ids or only some."""
    names = only or ("trakt", "imdb", "tmdb", "tvdb", "slug")
    ids = Ids.of({name: of.ids[name] for name in names})
    return Show(title=of.title, year=of.year, ids=ids)


def movie(of: CatalogueMovie, *only: str) -> Movie:
    """Return a catalogue movie as media."""
    names = only or ("trakt", "imdb", "tmdb", "slug")
    ids = Ids.of({name: of.ids[name] for name in names})
    return Movie(title=of.title, year=of.year, ids=ids)


def episode(
    of: CatalogueShow, which: CatalogueEpisode, *only: str, own: tuple[str, ...] = ()
) -> Episode:
    """Return a catalogue episode as media: its show's ids as `show`, its own as `own`."""
    return Episode(
        show=show(of, *only),
        season=which.season,
        number=which.number,
        title=which.title,
        ids=Ids.of({name: which.ids[name] for name in own}),
        first_aired=which.first_aired,
    )


def lagging(
    service: simulator.Trakt, at_least: int = 2
) -> tuple[CatalogueShow, list[CatalogueEpisode]]:
    """Return a show in progress and its unwatched episodes."""
    for each in service.account.started():
        progress = service.account.progress(each)
        left = [e for e in progress.aired if e not in progress.completed]
        if len(left) >= at_least:
            return each, left
    raise AssertionError("no show lags")


def caught_up(service: simulator.Trakt) -> CatalogueShow:
    """Return a started show with nothing left that goes on."""
    for each in service.account.started():
        progress = service.account.progress(each)
        if len(progress.aired) == len(progress.completed) and not each.ended:
            return each
    raise AssertionError("no show is caught up")
