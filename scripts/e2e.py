"""Do in the demo's real Home Assistant what a person would, and check what is seen. Run by `scripts/e2e`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
import json
import os
from pathlib import Path
import sys
import time
from typing import Any

import aiohttp
from home_assistant import Client, DemoError

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

AIRS_BY_TIMER = ("trakt", "simkl")
"""Services that tell what will air, so that a count rises without asking; the others are asked."""
GATES = ("activities", "/watching")
"""How the paths end by which services are asked whether anything has changed."""
WRITING_PATHS = ("/toggle", "/togglewatchlist", "/marktime")
"""How the paths end by which KinoPub is written to: all its requests are GETs."""
MOVIE = {"type": "movie", "ids": {"imdb": "tt7500039"}}
"""The last movie of the simulated catalogue (simulators/catalogue.py): not watched."""
EVER = 10**9

type Json = dict[str, Any]


class Failed(Exception):
    """A check failed."""


def step(text: str) -> None:
    """Begin a step."""
    print(f"\n{text}", flush=True)


def figure(text: str) -> None:
    """Print what was seen."""
    print(f"  {text}", flush=True)


def check(good: bool, text: str) -> None:
    """Print what was seen; raise when it is not as it must be."""
    print(f"  {'ok    ' if good else 'FAILED'} {text}", flush=True)
    if not good:
        raise Failed(text)


class Account:
    """One account in Home Assistant, and its simulated service."""

    def __init__(self, client: Client, tracker: str, simulator: str) -> None:
        """Belong to the service `tracker` at `simulator`; `find` looks up the rest."""
        self.client = client
        self.tracker = tracker
        self.simulator = simulator
        self.entry_id = ""
        self.title = ""
        self.entities: dict[str, str] = {}

    async def find(self) -> None:
        """Look up the config entry and its entities."""
        names = {"trakt": "Trakt", "simkl": "Simkl", "kinopub": "KinoPub"}
        for entry in await self.client.entries():
            if entry["title"].startswith(names[self.tracker]):
                self.entry_id, self.title = entry["entry_id"], entry["title"]
        if not self.entry_id:
            raise Failed(f"{self.tracker} has no account")
        self.entities = (await self.client.entities()).get(self.entry_id, {})

    async def value(self, key: str) -> str:
        """Return the state of the entity with this key."""
        state: str = (await self.client.state(self.entities[key]))["state"]
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

    async def there(self) -> Json:
        """Return how things stand at the service."""
        async with self.client.session.get(
            f"{self.simulator}/_control/state"
        ) as response:
            state: Json = await response.json()
            return state

    async def unwatched_there(self) -> int:
        """Return the service's own count of unwatched episodes, which KinoPub counts in its own way."""
        there = await self.there()
        count: int = there.get("unwatched_by_service") or there["unwatched"]
        return count

    async def do(self, action: str, **data: Any) -> Json:
        """Perform an action on this account; returns the account's part of the response."""
        answer = await self.client.action(
            f"up_next.{action}", account=self.entry_id, **data
        )
        accounts: list[Json] = answer["accounts"]
        return accounts[0]

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
        """Return the requests that were not mere reading, since they were last forgotten."""
        return [
            f"{row['method']} {row['path']}"
            for row in await self.client.recorded(self.simulator)
            if row["method"] != "GET" or row["path"].endswith(WRITING_PATHS)
        ]


class Run:
    """The steps, in order."""

    def __init__(
        self, client: Client, accounts: list[Account], airs_at: float | None
    ) -> None:
        """Run against these accounts; `airs_at` is the wall time of the scheduled airing."""
        self.client = client
        self.accounts = accounts
        self.airs_at = airs_at

    async def all(self) -> None:
        """Do everything."""
        await self.read()
        await self.toggle_watched()
        await self.toggle_watchlist()
        await self.mark_season()
        await self.airing()
        before = await self.restart_with_services_down()
        await self.bring_back(before)

    async def read(self) -> None:
        """Read the states, and compare them with the services' own count."""
        step("States after signing in")
        for account in self.accounts:
            await account.find()
            count = await account.number("unwatched_episodes")
            there = await account.unwatched_there()
            check(
                count == there,
                f"{account.title}: {count} unwatched episodes, {there} at the service",
            )
            values = await account.all_values()
            figure(", ".join(f"{key} {value}" for key, value in values.items()))
            unknown = [
                key
                for key, value in values.items()
                if value in ("unavailable", "unknown")
            ]
            check(
                not set(unknown) - {"subscription_end", "now_watching"},
                f"no entity without a value {unknown or ''}",
            )

    async def toggle_watched(self) -> None:
        """Mark the next episode watched: the count falls at once, and stays so after a refresh."""
        step("Toggle an episode: the count falls by one at once and stays so")
        for account in self.accounts:
            count = await account.number("unwatched_episodes")
            episode = (await account.client.state(account.entities["next_episode"]))[
                "attributes"
            ]
            fields = {
                "ids": episode["show_ids"],
                "season": episode["season"],
                "episode": episode["episode"],
            }
            action = asyncio.create_task(account.do("toggle_watched", **fields))
            seconds = await account.becomes("unwatched_episodes", count - 1, 10)
            answer = await action
            check(
                answer["result"] == "done",
                f"{account.title}: {episode['show']} {episode['season']}x{episode['episode']}:"
                f" {answer['result']}, {count} -> {count - 1} after {seconds * 1000:.0f} ms",
            )
            await asyncio.sleep(1)
            await account.refresh()
            check(
                await account.number("unwatched_episodes") == count - 1,
                f"{account.title}: {count - 1} after a refresh",
            )
            there = await account.unwatched_there()
            check(there == count - 1, f"{account.title}: {there} at the service")

    async def toggle_watchlist(self) -> None:
        """Put a movie on the watchlist and take it off, or the other way round."""
        step("Toggle the watchlist twice")
        for account in self.accounts:
            if "watchlist" not in account.entities:
                figure(
                    f"{account.title}: this account has no watchlist that can be read"
                )
                continue
            count = await account.number("watchlist")
            first = await account.do("toggle_watchlist", **MOVIE)
            middle = await account.number("watchlist")
            check(
                first["result"] == "done" and abs(middle - count) == 1,
                f"{account.title}: {count} -> {middle}",
            )
            second = await account.do("toggle_watchlist", **MOVIE)
            check(
                second["result"] == "done"
                and await account.number("watchlist") == count,
                f"{account.title}: {middle} -> {count}",
            )
            await asyncio.sleep(1)
            await account.refresh()
            check(
                await account.number("watchlist") == count,
                f"{account.title}: {count} after a refresh",
            )

    async def mark_season(self) -> None:
        """Mark a season that was not begun, in one batch, and undo it."""
        step("Mark a whole season in one batch, and undo it")
        for account in self.accounts:
            count = await account.number("unwatched_episodes")
            show, season, size = await self._untouched_season(account)
            fields = {"ids": show["item"]["ids"], "season": season}
            await self.client.forget(account.simulator)
            answer = await account.do("mark_watched", **fields)
            sent = await account.writes()
            after = await account.number("unwatched_episodes")
            check(
                answer["result"] == "done" and count - after == size,
                f"{account.title}: {show['label']}, season {season}: {count} -> {after} ({size} episodes)",
            )
            check(
                len(sent) == 1,
                f"{account.title}: {len(sent)} writing request(s): {', '.join(sent)}",
            )
            await asyncio.sleep(1)
            await account.refresh()
            check(
                await account.number("unwatched_episodes") == after,
                f"{account.title}: {after} after a refresh",
            )
            answer = await account.do("mark_unwatched", **fields)
            check(
                await account.number("unwatched_episodes") == count,
                f"{account.title}: undone, {after} -> {count}, {len(answer['plays'])} plays returned",
            )
            await asyncio.sleep(1)
            await account.refresh()
            now = await account.number("unwatched_episodes")
            there = await account.unwatched_there()
            check(
                now == there == count,
                f"{account.title}: {now} after a refresh, {there} at the service",
            )

    async def _untouched_season(self, account: Account) -> tuple[Json, int, int]:
        """Return a show in progress, and a later season of it with its number of episodes, all aired."""
        from simulators.catalogue import generate
        from simulators.clock import Clock

        now = Clock().now()
        catalogue = {show.title: show for show in generate(now).shows}
        for row in (await account.do("get_unwatched"))["shows"]:
            following = row["next_episode"]
            show = catalogue.get(row["item"]["title"])
            if not following or show is None:
                continue
            for season in range(
                following["item"]["season"] + 1, max(show.seasons()) + 1
            ):
                episodes = [e for e in show.episodes if e.season == season]
                if all(
                    e.first_aired.timestamp() < now.timestamp() - 86400
                    for e in episodes
                ):
                    return row, season, len(episodes)
        raise Failed(f"{account.title}: no show has a whole season left")

    async def airing(self) -> None:
        """Pass the scheduled airing."""
        step("A scheduled airing")
        if self.airs_at is None:
            figure("left out: the demo was started without --airing-in")
            return
        left = self.airs_at - time.time()
        if left < 5:
            raise Failed(f"the airing was {-left:.0f} s ago: begin with more time")
        figure(f"in {left:.0f} s ...")
        await asyncio.sleep(left - 2)
        before = {
            account.tracker: await account.number("unwatched_episodes")
            for account in self.accounts
        }
        for account in self.accounts:
            await self.client.forget(account.simulator)
        for account in self.accounts:
            count = before[account.tracker]
            if account.tracker in AIRS_BY_TIMER:
                await account.becomes("unwatched_episodes", count + 1, 8)
                late = time.time() - self.airs_at
                rows = await self.client.recorded(account.simulator)
                paths = [f"{row['method']} {row['path']}" for row in rows]
                # a scheduled look for changes may fall into these seconds; it tells nothing of airings
                asked = [path for path in paths if not path.endswith(GATES)]
                check(
                    not asked,
                    f"{account.title}: {count} -> {count + 1}, {late:.1f} s after the airing,"
                    f" without a request {paths or ''}",
                )
        for account in self.accounts:
            count = before[account.tracker]
            if account.tracker not in AIRS_BY_TIMER:
                same = await account.number("unwatched_episodes")
                figure(f"{account.title}: {same} before its next poll")
            # each service has begun to count the seconds at a time of its own
            await self._until(partial(self._has_aired, account, count + 1), 10)
            await account.refresh()
            now = await account.number("unwatched_episodes")
            there = await account.unwatched_there()
            check(
                now == there == count + 1,
                f"{account.title}: {now} after its next poll, {there} at the service",
            )

    async def _has_aired(self, account: Account, wanted: int) -> None:
        if await account.unwatched_there() != wanted:
            raise Failed(f"{account.title}: nothing has aired at the service")

    async def restart_with_services_down(self) -> dict[str, dict[str, str]]:
        """Restart Home Assistant while no service answers: the last values are on screen."""
        step("Restart with the services down")
        before = {
            account.tracker: await account.all_values() for account in self.accounts
        }
        for account in self.accounts:
            await self.client.control(
                account.simulator, "fail", kind="reset", match="", times=EVER
            )
        began = time.monotonic()
        with suppress(aiohttp.ClientError, DemoError):  # it may go without an answer
            await self.client.http("POST", "/api/services/homeassistant/restart", {})
        await self.client.close()
        await self._down()
        await self.client.running()
        figure(f"Home Assistant is back after {time.monotonic() - began:.1f} s")
        for account in self.accounts:
            await self._until(account.find, 20)
            after = await account.all_values()
            # shown to within five minutes while refreshing works, exactly once it fails
            lists = {"now_watching", "watching", "last_refresh"}
            changed = {
                key: (value, after.get(key))
                for key, value in before[account.tracker].items()
                if key not in lists and after.get(key) != value
            }
            check(
                not changed,
                f"{account.title}: {len(before[account.tracker]) - len(lists & set(after))} values as before,"
                f" {before[account.tracker]['unwatched_episodes']} unwatched, last refresh"
                f" {after['last_refresh']} {changed or ''}",
            )
            live = {
                key: after[key] for key in ("now_watching", "watching") if key in after
            }
            check(
                set(live.values()) <= {"unknown", "unavailable"},
                f"{account.title}: live values are unknown {live or ''}",
            )
        for account in self.accounts:
            answer = await account.do("toggle_watched", **await self._next(account))
            pending = await account.number("pending_writes")
            check(
                answer["result"] == "queued" and pending == 1,
                f"{account.title}: an episode toggled meanwhile is {answer['result']},"
                f" {pending} write pending, {await account.number('unwatched_episodes')} unwatched",
            )
        return before

    async def _next(self, account: Account) -> Json:
        """Return the fields of the next episode."""
        attributes = (await self.client.state(account.entities["next_episode"]))[
            "attributes"
        ]
        return {
            "ids": attributes["show_ids"],
            "season": attributes["season"],
            "episode": attributes["episode"],
        }

    async def bring_back(self, before: dict[str, dict[str, str]]) -> None:
        """Let the services answer again: everything recovers, and what waited is sent once."""
        step("Bring the services back")
        for account in self.accounts:
            await self.client.control(account.simulator, "recover")
            await self.client.forget(account.simulator)
        for account in self.accounts:
            began = time.monotonic()
            await self._until(account.refresh, 30)
            await account.becomes("pending_writes", 0, 120)
            wanted = int(before[account.tracker]["unwatched_episodes"]) - 1
            await account.becomes("unwatched_episodes", wanted, 10)
            there = await account.unwatched_there()
            sent = await account.writes()
            check(
                there == wanted,
                f"{account.title}: recovered after {time.monotonic() - began:.1f} s, {wanted} unwatched,"
                f" {there} at the service, sent: {', '.join(sent)}",
            )
            check(
                await account.value("last_refresh")
                != before[account.tracker]["last_refresh"],
                f"{account.title}: refreshed at {await account.value('last_refresh')}",
            )

    async def _down(self) -> None:
        for _ in range(600):
            try:
                async with self.client.session.get(self.client.url + "/manifest.json"):
                    pass
            except aiohttp.ClientError:
                return
            await asyncio.sleep(0.05)
        raise Failed("Home Assistant did not go down")

    @staticmethod
    async def _until(call: Callable[[], Awaitable[Any]], seconds: float) -> None:
        until = time.monotonic() + seconds
        while True:
            try:
                await call()
            except (DemoError, Failed, KeyError):
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(0.5)
            else:
                return


async def main(demo: Json) -> int:
    """Run all steps; returns the exit code."""
    async with aiohttp.ClientSession() as session:
        client = Client(url=demo["url"], token=demo["token"], session=session)
        accounts = [
            Account(client, tracker, simulator)
            for tracker, simulator in demo["simulators"].items()
        ]
        began = time.monotonic()
        try:
            await Run(client, accounts, demo["airs_at"]).all()
        except (Failed, DemoError, aiohttp.ClientError, KeyError) as error:
            print(f"\nFAILED: {type(error).__name__}: {error}", file=sys.stderr)
            return 1
        finally:
            await client.close()
    print(
        f"\nEverything as it must be, with Home Assistant {demo['release']}, in {time.monotonic() - began:.0f} s."
    )
    return 0


if __name__ == "__main__":
    sys.exit(
        asyncio.run(main(json.loads(Path(os.environ["UP_NEXT_DEMO"]).read_text())))
    )
