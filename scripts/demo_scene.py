"""What the people of the demo have just watched and are watching, so that there is something to see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from demo_players import Couch
from home_assistant import Client

from simulators.catalogue import Catalogue, generate
from simulators.clock import Clock

DOINGS: Mapping[str, Sequence[str]] = {
    "trakt": ("pause", "pause", "start_watching"),
    "simkl": ("watch",),
    "kinopub": ("watch",),
}
"""Tracker -> what is done with the episodes that come next, one after the other."""

type Json = dict[str, Any]


class Scene:
    """Plays, pauses and finishes things at the simulated services, as other apps would."""

    def __init__(
        self, client: Client, urls: Mapping[str, str], *, shows: int, movies: int
    ) -> None:
        """Act at the services at `urls` (by tracker), which know so many shows and movies."""
        self.client = client
        self.urls = urls
        self.catalogue: Catalogue = generate(Clock().now(), shows=shows, movies=movies)

    async def play(self) -> None:
        """Do everything, and let Home Assistant see it at once."""
        accounts = {
            tracker: entry["entry_id"]
            for tracker, entry in (await self.client.accounts()).items()
            if tracker in self.urls
        }
        for tracker in DOINGS:
            if tracker in accounts:
                await self._next_episodes(tracker, accounts[tracker])
        await self._on_plex()
        for movie in self.catalogue.movies[-2:-1]:
            await self._do("letterboxd", "watch", movie=movie.ids["trakt"])
        await self.client.action("up_next.refresh", account=list(accounts.values()))
        couch = Couch(client=self.client, catalogue=self.catalogue)
        await couch.map_players()
        await couch.play_episode()
        await couch.play_file(self.catalogue.movies[-3])

    async def _next_episodes(self, tracker: str, entry_id: str) -> None:
        """Do something with what comes next."""
        doings = DOINGS[tracker]
        answer = await self.client.action(
            "up_next.get_next_episodes", account=entry_id, limit=len(doings)
        )
        rows: list[Json] = answer["accounts"][0]["episodes"]
        for what, row in zip(doings, rows, strict=False):
            item = row["item"]
            if (show := self.catalogue.find_show({}, item["title"])) is None:
                continue
            place = {"season": item["season"], "number": item["episode"]}
            stopped = {} if what == "watch" else {"progress": 35}
            await self._do(tracker, what, show=show.ids["trakt"], **place, **stopped)

    async def _on_plex(self) -> None:
        """Finish an episode and begin a movie."""
        now = Clock().now()
        for show in self.catalogue.shows[-1:]:
            for episode in show.aired(now)[:1]:
                place = {"season": episode.season, "number": episode.number}
                await self._do("tautulli", "watch", show=show.ids["trakt"], **place)
        for movie in self.catalogue.movies[-1:]:
            await self._do("tautulli", "start", movie=movie.ids["trakt"], offset=1500)

    async def _do(self, tracker: str, what: str, **data: Any) -> None:
        await self.client.control(self.urls[tracker], what, **data)
