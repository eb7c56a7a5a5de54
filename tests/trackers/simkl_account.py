"""What the tests of the Simkl tracker share: a signed-in account, an empty clock, media items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from custom_components.up_next.library import Library, overview
from custom_components.up_next.media import Episode, Ids, Movie, Show
from custom_components.up_next.trackers.oauth import MemoryTokenStore, Tokens
from custom_components.up_next.trackers.simkl import Simkl
from custom_components.up_next.trackers.tracker import QueuedWrite, TrackerContext
from custom_components.up_next.writes import Receipt, Write
from simulators.catalogue import CatalogueMovie, CatalogueShow
from simulators.service import Recorded
from simulators.simkl import Simkl as Service

COUNTED = r"^(GET|POST|DELETE) /(sync|users|scrobble|search|redirect|oauth2)"


class Waits:
    """A sleep that takes no time and remembers how long it should have been."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


class Account:
    """A tracker signed in at a simulated service."""

    def __init__(
        self, service: Service, context: TrackerContext, store: MemoryTokenStore
    ) -> None:
        self.service, self.store = service, store
        self.waits = Waits()
        self.context = replace(context, sleep=self.waits)
        self.sign_in()
        self.tracker = Simkl(self.context)
        self.library: Library | None = None

    def sign_in(self) -> None:
        """Put a new grant into the store, as signing in does."""
        grant = self.service.grants.issue()
        self.store.tokens = Tokens(
            access=grant.access,
            expires_at=self.service.clock.now() + timedelta(days=7),
            refresh=grant.refresh,
            scope=grant.scope,
        )

    async def refresh(self) -> list[Recorded]:
        """Refresh and return the requests it took that count."""
        self.service.requests.clear()
        self.library = (await self.tracker.refresh(self.library)).library
        return [r for r in self.service.requests if r.counted]

    async def send(self, *writes: Write, unsure: bool = False) -> Sequence[Receipt]:
        """Send writes as one batch."""
        self.service.requests.clear()
        now = self.service.clock.now()
        assert self.tracker.combine(writes) == len(writes)
        queued = [QueuedWrite(write=w, created_at=now, unsure=unsure) for w in writes]
        return await self.tracker.send(queued)

    @property
    def known(self) -> Library:
        """Return the library, which must have been read."""
        assert self.library is not None
        return self.library

    @property
    def unwatched(self) -> int:
        """Count as a screen would at this moment."""
        return overview(self.known, self.service.clock.now()).unwatched

    def paths(self) -> list[str]:
        """Return what was asked, free things left out."""
        return [f"{r.method} {r.path}" for r in self.service.requests if r.counted]

    def entry(self, title: CatalogueShow | CatalogueMovie) -> Any:
        """Return the service's own entry of a title."""
        return self.service.shelf.entries.get(int(title.ids["simkl"]))

    def behind(self) -> CatalogueShow:
        """Return a running show that is watched up to some point."""
        for entry in self.service.shelf.entries.values():
            title = entry.title
            if (
                isinstance(title, CatalogueShow)
                and not title.anime
                and self.service._left(entry) > 1
            ):
                return title
        raise AssertionError("nobody lags")


def show_item(show: CatalogueShow, *namespaces: str) -> Show:
    """Return a show as another tracker knows it; with Simkl's own id unless told otherwise."""
    names = namespaces or ("simkl", "tvdb", "imdb")
    return Show(
        title=show.title,
        year=show.year,
        ids=Ids.of({n: show.ids[n] for n in names}),
        anime=show.anime and "simkl" in names,
    )


def episode_item(
    show: CatalogueShow, season: int, number: int, *namespaces: str
) -> Episode:
    """Return an episode."""
    return Episode(show=show_item(show, *namespaces), season=season, number=number)


def movie_item(movie: CatalogueMovie, *namespaces: str) -> Movie:
    """Return a movie."""
    names = namespaces or ("simkl", "imdb", "tmdb")
    return Movie(
        title=movie.title, year=movie.year, ids=Ids.of({n: movie.ids[n] for n in names})
    )
