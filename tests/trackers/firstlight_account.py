"""A Firstlight account at the simulator, for the tests of the tracker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from custom_components.up_next.library import Library, Playback
from custom_components.up_next.trackers.firstlight import Firstlight
from custom_components.up_next.trackers.tracker import TrackerContext
from simulators.catalogue import CatalogueMovie, CatalogueShow
from simulators.firstlight import IAM_TOKEN, USER_TOKEN, Firstlight as Simulator

CREDENTIALS = {"iam_token": IAM_TOKEN, "user_token": USER_TOKEN}
LIST = "GET /user/bookmark/list"


@dataclass(kw_only=True)
class Account:
    """The simulator, the tracker, and how long it slept."""

    sim: Simulator
    context: TrackerContext
    sleeps: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tracker = Firstlight(self.context)

    async def refresh(self, previous: Library | None = None) -> Library:
        return (await self.tracker.refresh(previous)).library

    async def settled(self) -> Library:
        """Return a library just read, with nothing asked yet."""
        library = await self.refresh()
        self.asked()
        return library

    def asked(self) -> list[str]:
        """Return what was asked since the last call; "title" and "seasons" stand for the content service's paths."""
        paths = [f"{r.method} {r.path}" for r in self.sim.requests]
        self.sim.requests.clear()
        return [
            "title" if "/title/" in p else "seasons" if p.endswith("/seasons") else p
            for p in paths
        ]

    def another(self, **changes: Any) -> None:
        """Start the tracker anew, as after a restart."""
        self.context = replace(self.context, **changes)
        self.tracker = Firstlight(self.context)

    def movie(self, index: int = 0) -> CatalogueMovie:
        return self.sim.catalogue.movies[index]

    def show(self) -> CatalogueShow:
        """Return a show with a bookmark and one more episode out."""
        now = self.sim.clock.now()
        return next(
            b.title
            for b in self.sim.bookmarks.values()
            if isinstance(b.title, CatalogueShow)
            and b.episode is not b.title.aired(now)[-1]
        )

    def of(self, library: Library, title: CatalogueMovie | CatalogueShow) -> Playback:
        item = self.sim.item_id(title)
        return next(p for p in library.playbacks if p.id == item)


async def open_account(
    serve: Callable[..., Any],
    make_context: Callable[..., TrackerContext],
    *,
    credentials: dict[str, str] | None = None,
    options: dict[str, str] | None = None,
    path: str = "",
    **catalogue: Any,
) -> Account:
    """Start the simulator and return an account; its waiting takes no time."""
    sim: Simulator = await serve(Simulator, **{"movies": 20, **catalogue})
    sleeps: list[float] = []

    async def sleep(seconds: float) -> None:
        sleeps.append(seconds)

    context = make_context(
        sim.base_url + path,
        credentials=CREDENTIALS | (credentials or {}),
        options=options,
    )
    return Account(sim=sim, context=replace(context, sleep=sleep), sleeps=sleeps)


def trakt(title: CatalogueMovie | CatalogueShow) -> int:
    """Return the id by which control calls know a title."""
    return int(title.ids["trakt"])
