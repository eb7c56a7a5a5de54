"""Requests that reading costs, as the services counted them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta
import re

from custom_components.up_next.library import Library, Play, overview
from custom_components.up_next.media import Episode
from custom_components.up_next.trackers import TRACKERS
from custom_components.up_next.trackers.oauth import MemoryTokenStore, wait_for_tokens
from custom_components.up_next.trackers.tracker import (
    ArchiveCount,
    ArchivedPlay,
    Tracker,
    TrackerContext,
)
from simulators.logins import APP, LOGINS

from .report import Report
from .simulated import Json, Simulated

IDLE = {
    "trakt": 2,
    "simkl": 1,
    "kinopub": 3,
    "tautulli": 2,
    "letterboxd": 1,
    "trakt_v1": 1,
    "firstlight": 1,
}
FIRST = {"trakt": 15, "simkl": 6, "letterboxd": 1, "trakt_v1": 5}
FILMS = {"tautulli": "watch", "letterboxd": "watch", "firstlight": "pause"}
"""What a person does with a film at services that do not know what is unwatched."""
MORE = 3
"""Requests that one newly watched episode may cost beyond an idle refresh."""
PAGE = 100
"""Titles in progress; one more request may be made for each page of so many, as Firstlight's list comes in pages."""
CATALOGUE_IDS = {
    "trakt": 0,
    "tmdb": 100_000,
    "tvdb": 300_000,
    "simkl": 700_000,
    "kinopub": 20_000,
}
"""How far a show's ids are from its Trakt id in the simulated catalogue."""
_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f-]{36}")
"""Keys and ids in paths, of no interest here."""
WINDOW = timedelta(minutes=5)
"""Of Trakt's rate limit: 1,000 reads."""
CYCLES = 200
"""A bounded first reading takes several refreshes; this many would be too many."""


class MemoryArchive:
    """An archive of plays that lives as long as the process."""

    def __init__(self) -> None:
        """Begin empty."""
        self._plays: dict[tuple[str, date | None], Play] = {}

    async def put(
        self, source: str, plays: Sequence[ArchivedPlay], *, window: bool = False
    ) -> None:
        """Add plays; nothing is taken back here."""
        self._plays |= {(row.title, row.play.watched_on): row.play for row in plays}

    async def read(self, limit: int | None = None, offset: int = 0) -> Sequence[Play]:
        """Return plays, those watched last first."""
        plays = sorted(
            self._plays.values(),
            key=lambda play: play.watched_on or date.min,
            reverse=True,
        )
        return plays[offset : None if limit is None else offset + limit]

    async def count(self) -> ArchiveCount:
        """Return how much is kept."""
        titles = {title for title, _ in self._plays}
        return ArchiveCount(plays=len(self._plays), titles=len(titles))


async def signed_in(services: Simulated, key: str) -> Tracker:
    """Return a tracker that went through its sign-in."""
    tracker_class = TRACKERS[key]
    tokens = MemoryTokenStore()
    tracker = tracker_class(
        TrackerContext(
            session=services.session,
            user_agent="UpNext/0.0.0 (benchmark)",
            tokens=tokens,
            credentials=tracker_class.keep(LOGINS.get(key, APP)),
            base_url=services.url(key),
            now=services.now,
            archive=MemoryArchive(),
        )
    )
    if key not in LOGINS:
        sign_in = tracker.device_sign_in()
        grant = await sign_in.start()
        await tokens.save(await wait_for_tokens(sign_in, grant))
    return tracker


def counted(rows: Sequence[Json]) -> int:
    """Return how many requests count against a quota."""
    return sum(1 for row in rows if row["counted"])


def listed(rows: Sequence[Json]) -> str:
    """Name the requests, the most frequent first."""
    paths = Counter(f"{row['method']} {_ID.sub('*', row['path'])}" for row in rows)
    names = [path if n == 1 else f"{path} x{n}" for path, n in paths.most_common(6)]
    return ", ".join(names) + (" ..." if len(paths) > 6 else "")


async def watch_next(
    services: Simulated, key: str, library: Library, *, later: float = 180
) -> str:
    """Let the person watch the next episode elsewhere, or a film, `later` seconds from now; returns its label."""
    if key in FILMS:
        if later:
            await services.advance(later)
        movie = services.another_movie()
        await services.control(key, FILMS[key], movie=movie)
        return f"the film {movie}"
    for row in overview(library, services.now()).shows:
        episode = row.next_episode
        if episode is not None and (show := catalogue_id(episode)) is not None:
            if later:
                await services.advance(later)
            await services.control(
                key, "watch", show=show, season=episode.season, number=episode.number
            )
            return episode.label
    raise RuntimeError(f"{key} has no next episode to watch")


def catalogue_id(episode: Episode) -> int | None:
    """Return the number by which the simulators' control endpoints know an episode's show."""
    for name, offset in CATALOGUE_IDS.items():
        if value := episode.show.ids.values.get(name):
            return int(value) - offset
    return None


async def first_load(
    services: Simulated, key: str, tracker: Tracker
) -> tuple[Library, list[Json], int]:
    """Read a library until it is complete; returns it, all requests, and the most of them in five minutes.

    Between refreshes the services' clock is moved on by as long as the tracker would wait.
    """
    await services.take(key)
    library: Library | None = None
    rows: list[Json] = []
    when: list[datetime] = []
    most = 0
    for _ in range(CYCLES):
        refresh = await tracker.refresh(library)
        library = refresh.library
        taken = await services.take(key)
        rows += taken
        now = services.now()
        when += [now] * len(taken)
        most = max(most, sum(1 for moment in when if now - moment < WINDOW))
        if library.complete:
            return library, rows, most
        await services.advance(refresh.next_in)
    raise RuntimeError(f"{key} was not complete after {CYCLES} refreshes")


async def count_requests(
    report: Report, services: Simulated, shows: int, *, limits: bool = True
) -> None:
    """Count what first load, nothing, one episode, and six hours cost for every tracker."""
    for key in TRACKERS:
        tracker = await signed_in(services, key)
        library, rows, _ = await first_load(services, key, tracker)
        big = limits and shows >= 5000
        size = sum(row["bytes"] for row in rows) / 1e6
        report.figure(
            f"{key}: first load",
            counted(rows),
            "requests",
            FIRST.get(key) if big else None,
        )
        report.note(f"    {size:.1f} MB, {len(rows)} requests in all: {listed(rows)}")
        library, rows = await all_known(services, key, tracker, library)
        if rows:
            report.note(f"    {len(rows)} more until all is known: {listed(rows)}")
        same, rows = await refreshed(services, key, tracker, library)
        report.figure(f"{key}: idle refresh", len(rows), "requests", IDLE[key])
        report.figure(
            f"{key}: idle refresh returns the same library (0 = yes)",
            same is not library,
            "",
            0,
        )
        await watch_next(services, key, library)
        library, rows = await refreshed(services, key, tracker, library)
        watched = "film" if key in FILMS else "episode"
        report.figure(
            f"{key}: refresh after one newly watched {watched}",
            len(rows),
            "requests",
            IDLE[key] + MORE + len(library.playbacks) // PAGE,
        )
        report.note(f"    {listed(rows)}")
        await services.advance(6 * 3600 + 60)
        library, rows = await refreshed(services, key, tracker, library)
        report.figure(
            f"{key}: refresh after six quiet hours (calendars)", len(rows), "requests"
        )
        report.note(f"    {listed(rows)}")


async def all_known(
    services: Simulated, key: str, tracker: Tracker, library: Library
) -> tuple[Library, list[Json]]:
    """Refresh until nothing new is learnt; returns the library, and the requests of the refreshes that learnt."""
    learnt: list[Json] = []
    for _ in range(CYCLES):
        again, rows = await refreshed(services, key, tracker, library)
        await services.advance(60)
        if again is library:
            return library, learnt
        library = again
        learnt += rows
    raise RuntimeError(f"{key} goes on reading after {CYCLES} refreshes")


async def refreshed(
    services: Simulated, key: str, tracker: Tracker, library: Library
) -> tuple[Library, list[Json]]:
    """Refresh once; returns the library and the requests it took."""
    refresh = await tracker.refresh(library)
    return refresh.library, await services.take(key)


async def count_fallback(report: Report, services: Simulated) -> None:
    """Count what Trakt costs where its fast route is not there."""
    await services.control("trakt", "settings", nitro="404")
    # the simulator's limit is one of real time, and here the clock is moved on: it is counted instead
    await services.control("trakt", "pacing", on=False)
    tracker = await signed_in(services, "trakt")
    library, rows, most = await first_load(services, "trakt", tracker)
    report.figure("trakt without its fast route: first load", len(rows), "requests")
    report.figure(
        "trakt without its fast route: most in five minutes", most, "requests", 1000
    )
    await services.advance(60)
    library, rows = await refreshed(services, "trakt", tracker, library)
    report.figure(
        "trakt without its fast route: idle refresh",
        len(rows),
        "requests",
        IDLE["trakt"],
    )
    await watch_next(services, "trakt", library)
    library, rows = await refreshed(services, "trakt", tracker, library)
    report.figure(
        "trakt without its fast route: after one episode", len(rows), "requests"
    )
    report.note(f"    {listed(rows)}")
    await services.control("trakt", "pacing", on=True)
    await services.control("trakt", "settings", nitro="on")
