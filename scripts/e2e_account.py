"""One account of the demo as the scripted run sees it: in Home Assistant, and at its simulated service."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
import re
import time
from typing import Any

from checks import Failed, check
from home_assistant import Client

COUNTS: Mapping[str, Mapping[str, str]] = {
    "trakt": {"unwatched_episodes": "unwatched", "in_progress": "playback"},
    "simkl": {"unwatched_episodes": "unwatched", "watchlist": "watchlist"},
    # it counts in its own way
    "kinopub": {"unwatched_episodes": "unwatched_by_service"},
    "tautulli": {"watched_movies": "movies", "watched_episodes": "episodes"},
    "letterboxd": {"watched_movies": "movies"},
    "trakt_v1": {
        "unwatched_episodes": "unwatched",
        "watchlist": "watchlist",
        "watched_episodes": "watched_episodes",
    },
    "firstlight": {"in_progress": "bookmarks"},
}
"""Tracker -> what is compared: key of an entity -> what the simulated service calls the same."""
LIVE = ("watching", "now_watching")
"""Entities that show what happens now."""
SETTLES_WITHIN = 100
"""Seconds."""
WRITES = re.compile(
    r"(POST(?! .*/(account/test|user/[a-z/]+\.json)/)|DELETE|PUT) |GET .*/(toggle|togglewatchlist|marktime)$"
)
"""What is more than reading: KinoPub is marked with GETs, and a Trakt v1 server is read with POSTs."""
type Json = dict[str, Any]


class Account:
    """One account in Home Assistant, and its simulated service."""

    def __init__(self, client: Client, tracker: str, simulator: str) -> None:
        """Belong to the service `tracker` at `simulator`; `find` looks up the rest. `client` is its own."""
        self.client = client
        self.tracker = tracker
        self.simulator = simulator
        self.entry_id = ""
        self.title = ""
        self.entities: dict[str, str] = {}

    @property
    def counts(self) -> Mapping[str, str]:
        """Return what is compared with the service."""
        return COUNTS[self.tracker]

    @property
    def knows_unwatched(self) -> bool:
        """Say whether it knows what is unwatched; these accounts can also be changed."""
        return "unwatched_episodes" in self.entities

    async def find(self) -> None:
        """Look up the config entry and its entities."""
        entry = (await self.client.accounts()).get(self.tracker)
        if entry is None or entry["state"] != "loaded":
            raise Failed(f"{self.tracker} has no account that runs: {entry}")
        self.entry_id, self.title = entry["entry_id"], entry["title"]
        self.entities = (await self.client.entities()).get(self.entry_id, {})

    async def state(self, key: str) -> Json:
        """Return the state object of the entity with this key."""
        return await self.client.state(self.entities[key])

    async def value(self, key: str) -> str:
        """Return the state of the entity with this key."""
        state: str = (await self.state(key))["state"]
        return state

    async def number(self, key: str) -> int:
        """Return a state that must be a number."""
        value = await self.value(key)
        if not value.lstrip("-").isdigit():
            raise Failed(f"{self.title}: {key} is {value}")
        return int(value)

    async def all_values(self) -> dict[str, str]:
        """Return the state of every entity."""
        return {key: await self.value(key) for key in self.entities}

    async def live_values(self) -> dict[str, str]:
        """Return the states of the entities that show what happens now."""
        return {key: await self.value(key) for key in LIVE if key in self.entities}

    async def there(self) -> dict[str, int]:
        """Return what the service itself counts, by the key of the entity that shows the same."""
        async with self.client.session.get(
            f"{self.simulator}/_control/state"
        ) as response:
            state: Json = await response.json()
        return {key: int(state[name]) for key, name in self.counts.items()}

    async def unwatched_there(self) -> int:
        """Return the service's own count of unwatched episodes."""
        return (await self.there())["unwatched_episodes"]

    async def agrees(self) -> None:
        """Check that the account shows what the service counts."""
        here = {key: await self.number(key) for key in self.counts}
        there = await self.there()
        told = ", ".join(f"{number} {key}" for key, number in here.items())
        check(here == there, f"{self.title}: {told}; the service says the same {there}")

    async def settles(self) -> None:
        """Wait until it shows what the service counts. Raises Failed.

        Trakt tells changes by the minute: a second one in the same minute is seen when the minute is over.
        """
        began = time.monotonic()
        while {key: await self.number(key) for key in self.counts} != (
            await self.there()
        ):
            if time.monotonic() - began > SETTLES_WITHIN:
                break
            await asyncio.sleep(2)
            await self.refresh()
        await self.agrees()

    async def do(self, action: str, **data: Any) -> Json:
        """Perform an action on this account; returns the account's part of the response."""
        answer = await self.client.action(
            f"up_next.{action}", account=self.entry_id, **data
        )
        accounts: list[Json] = answer["accounts"]
        return accounts[0]

    async def next_episode(self) -> Json:
        """Return the fields of the next episode, as actions take them."""
        attributes = (await self.state("next_episode"))["attributes"]
        return {
            "ids": attributes["show_ids"],
            "season": attributes["season"],
            "episode": attributes["episode"],
        }

    async def elsewhere(self, what: str, **data: Any) -> None:
        """Let the person do something at the service, and refresh."""
        await self.client.control(self.simulator, what, **data)
        await self.refresh()

    async def plays(self, wanted: str) -> None:
        """Check what the live entities show; `wanted` is on or off."""
        live = await self.live_values()
        known = live["now_watching"] not in ("nothing", "unknown", "unavailable")
        check(
            live["watching"] == wanted and known == (wanted == "on"),
            f"{self.title}: {live['now_watching']} ({live['watching']})",
        )

    async def stays(self, key: str, wanted: int) -> None:
        """Check that a count is the same after a refresh, and that the service counts no different."""
        # what was just sent has to settle
        await asyncio.sleep(1)
        await self.refresh()
        now = await self.number(key)
        check(now == wanted, f"{self.title}: {now} {key} after a refresh")
        await self.agrees()

    async def refresh(self) -> None:
        """Refresh now: ask until the answer tells of a refresh that ended after we asked."""
        asked = datetime.now(UTC)
        for _ in range(60):
            answer = await self.do("refresh")
            if datetime.fromisoformat(answer["refreshed"]) >= asked:
                return
            await asyncio.sleep(0.5)
        raise Failed(f"{self.title}: no refresh within 30 s")

    async def becomes(self, key: str, wanted: int, within: float) -> float:
        """Wait until a count has a value; returns the seconds it took. Raises Failed."""
        began = time.monotonic()
        while True:
            value = await self.value(key)
            if value == str(wanted):
                return time.monotonic() - began
            if time.monotonic() - began > within:
                raise Failed(
                    f"{self.title}: {key} is {value} after {within:.0f} s, not {wanted}"
                )
            await asyncio.sleep(0.02)

    async def writes(self) -> list[str]:
        """Return the requests that changed something, since they were last forgotten."""
        rows = await self.client.recorded(self.simulator)
        asked = (f"{r['method']} {r['path']}" for r in rows if r["status"] < 400)
        return [request for request in asked if WRITES.match(request)]
