"""Do in the demo's real Home Assistant what a person would, and check what is seen. Run by `scripts/e2e`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
import json
import os
from pathlib import Path
import sys
import time
from typing import Any

import aiohttp
from checks import Failed, check, figure, step
from e2e_account import LIVE, Account
from e2e_players import Evening
from home_assistant import Client, DemoError

from simulators.catalogue import generate
from simulators.clock import Clock

AIRS_BY_TIMER = ("trakt", "simkl")
"""Services that tell what will air, so that a count rises without asking; the others are asked."""
SILENT = ("trakt_v1",)
"""Services that tell of an airing only with something else: all is read again after hours."""
SAYS_NOT_WHAT_PLAYS = ("simkl",)
"""Services of which only the players tell what plays, whether the service answers or not."""
GATES = ("activities", "/watching", "/sync/history")
"""How the paths end by which services are asked whether anything has changed, and what was watched."""
ELSEWHERE = 500_037
"""A movie that nobody has watched or begun, by its number in the simulated catalogue."""
MAY_BE_UNKNOWN = frozenset({"subscription_end", "now_watching", "last_watched"})
EVER = 10**9

type Json = dict[str, Any]


class Run:
    """The steps, in order; each does the same with all accounts at once."""

    def __init__(
        self, client: Client, accounts: list[Account], airs_at: float | None
    ) -> None:
        """Run against these accounts; `airs_at` is the wall time of the scheduled airing."""
        self.client = client
        self.accounts = accounts
        self.airs_at = airs_at
        self.catalogue = generate(Clock().now())
        movie = self.catalogue.movies[-1]
        self.movie = {
            "type": "movie",
            "title": movie.title,
            "year": movie.year,
            "ids": {"imdb": str(movie.ids["imdb"])},
        }
        """A movie that was not watched. Not every service finds it by its ids alone."""

    @property
    def counting(self) -> list[Account]:
        """Return the accounts that know what is unwatched, all of which can be changed."""
        return [account for account in self.accounts if account.knows_unwatched]

    async def all(self) -> None:
        """Do everything."""
        step("States after signing in")
        await each(self.accounts, self.read)
        evening = Evening(
            self.client, {account.tracker: account for account in self.accounts}
        )
        step("Something plays")
        await evening.begins()
        step("Mark a whole season in one batch, and undo it")
        await each(self.counting, self.mark_season)
        step("Something is watched elsewhere")
        await self.elsewhere()
        step("A scheduled airing")
        await self.airing()
        step("What played is watched, and what was not recognized gets its name")
        await evening.ends()
        step("Toggle an episode: the count falls by one at once and stays so")
        await each(self.counting, self.toggle_watched)
        step("Toggle the watchlist twice")
        await each(self.counting, self.toggle_watchlist)
        step("Restart with the services down")
        before = await self.restart_with_services_down()
        step("Bring the services back")
        await each(self.accounts, partial(self.bring_back, before))

    # one account ----------------------------------------------------------------------------------------------

    async def read(self, account: Account) -> None:
        """Read the states, and compare them with the service's own counts."""
        await account.find()
        values = await account.all_values()
        unknown = {k for k, v in values.items() if v in ("unavailable", "unknown")}
        await account.agrees()
        check(
            not unknown - MAY_BE_UNKNOWN,
            f"{account.title}: {', '.join(f'{key} {value}' for key, value in values.items())}",
        )
        for key, name in (("next_episode", "queue"), ("last_watched", "recent")):
            if key in account.entities:
                # it may still be asked for
                await until(partial(self._listed, account, name), 10)

    async def _listed(self, account: Account, name: str) -> None:
        """Look at a list on the dashboard."""
        entity = f"sensor.up_next_{account.tracker}_{name}"
        rows = (await account.client.state(entity))["attributes"].get("rows")
        if not rows:
            raise Failed(f"{account.title}: {entity} is empty")
        figure(f"{account.title}: {len(rows)} rows in {entity}")

    async def toggle_watched(self, account: Account) -> None:
        """Mark the next episode watched: the count falls at once, and stays so after a refresh."""
        count = await account.number("unwatched_episodes")
        toggled = await account.value("next_episode")
        fields = await account.next_episode()
        action = asyncio.create_task(account.do("toggle_watched", **fields))
        seconds = await account.becomes("unwatched_episodes", count - 1, 10)
        result = (await action)["result"]
        check(
            result == "done",
            f"{account.title}: {toggled}: {result}, {count} -> {count - 1} after {seconds * 1000:.0f} ms",
        )
        await account.stays("unwatched_episodes", count - 1)

    async def toggle_watchlist(self, account: Account) -> None:
        """Put a movie on the watchlist and take it off, or the other way round."""
        if "watchlist" not in account.entities:
            figure(f"{account.title}: this account has no watchlist that can be read")
            return
        count = await account.number("watchlist")
        first = await account.do("toggle_watchlist", **self.movie)
        middle = await account.number("watchlist")
        second = await account.do("toggle_watchlist", **self.movie)
        now = await account.number("watchlist")
        check(
            first["result"] == second["result"] == "done"
            and abs(middle - count) == 1
            and now == count,
            f"{account.title}: {count} -> {middle} -> {now}",
        )
        await account.stays("watchlist", count)

    async def mark_season(self, account: Account) -> None:
        """Mark a season that was not begun, in one batch, and undo it."""
        count = await account.number("unwatched_episodes")
        show, season, size = await self._untouched_season(account)
        fields = {"ids": show["item"]["ids"], "season": season}
        await account.client.forget(account.simulator)
        await account.do("mark_watched", **fields)
        after = await account.number("unwatched_episodes")
        # Simkl takes no other write for 20 seconds after it was told of a playback
        await account.becomes("pending_writes", 0, 60)
        sent = await account.writes()
        check(
            count - after == size and len(sent) == 1,
            f"{account.title}: {show['label']}, season {season}: {count} -> {after} ({size} episodes)"
            f" by {', '.join(sent)}",
        )
        await account.stays("unwatched_episodes", after)
        answer = await account.do("mark_unwatched", **fields)
        now = await account.number("unwatched_episodes")
        check(
            now == count,
            f"{account.title}: undone, {after} -> {now}, {len(answer['plays'])} plays returned",
        )
        await account.stays("unwatched_episodes", count)

    async def _untouched_season(self, account: Account) -> tuple[Json, int, int]:
        """Return a show in progress, and a later season of it with its number of episodes, all aired."""
        yesterday = Clock().now() - timedelta(days=1)
        for row in (await account.do("get_unwatched"))["shows"]:
            following = row["next_episode"]
            show = self.catalogue.find_show({}, row["item"]["title"])
            if not following or show is None:
                continue
            begun = following["item"]["season"]
            for season in range(begun + 1, max(show.seasons()) + 1):
                episodes = [e for e in show.episodes if e.season == season]
                if all(e.first_aired < yesterday for e in episodes):
                    return row, season, len(episodes)
        raise Failed(f"{account.title}: no show has a whole season left")

    # other apps -----------------------------------------------------------------------------------------------

    async def elsewhere(self) -> None:
        """Let people watch with other apps, at the services that are only read or seldom changed from here."""
        known = {account.tracker: account for account in self.accounts}
        await asyncio.gather(
            self._on_plex(known["tautulli"]),
            self._one_more(known["letterboxd"], "watched_movies", "watch"),
            self._one_more(known["firstlight"], "in_progress", "pause"),
            self._on_a_server(known["trakt_v1"]),
        )

    async def _on_plex(self, account: Account) -> None:
        await account.plays("on")
        await account.elsewhere("stop")
        await account.plays("off")
        await self._one_more(account, "watched_movies", "watch")
        await account.elsewhere("start", movie=ELSEWHERE, offset=60)
        await account.plays("on")

    async def _on_a_server(self, account: Account) -> None:
        await account.plays("off")
        await account.elsewhere("start_watching", **await self._coming(account))
        # a quiet refresh asks only half
        await account.refresh()
        await account.plays("on")

    async def _one_more(self, account: Account, key: str, what: str) -> None:
        """Check that a count rises by one with a movie, and that what was watched last follows."""
        count = await account.number(key)
        await account.elsewhere(what, movie=ELSEWHERE)
        now = await account.number(key)
        title = self.catalogue.movies[ELSEWHERE - 500_000].title
        last = title
        if "last_watched" in account.entities:
            last = await account.value("last_watched")
        check(
            now == count + 1 and last.startswith(title),
            f"{account.title}: {last}: {key} {count} -> {now}",
        )
        await account.agrees()

    async def _coming(self, account: Account) -> Json:
        """Return the next episode of an account as the simulated services know it."""
        episode = (await account.state("next_episode"))["attributes"]
        show = self.catalogue.find_show({}, episode["show"])
        assert show is not None
        numbers = {"season": episode["season"], "number": episode["episode"]}
        return {"show": show.ids["trakt"], **numbers}

    # an airing ------------------------------------------------------------------------------------------------

    async def airing(self) -> None:
        """Pass the scheduled airing."""
        if self.airs_at is None:
            figure("left out: the demo was started without --airing-in")
            return
        await each(self.counting, Account.settles)
        left = self.airs_at - time.time()
        if left < 5:
            raise Failed(f"the airing was {-left:.0f} s ago: begin with more time")
        figure(f"in {left:.0f} s ...")
        await asyncio.sleep(left - 2)
        await each(self.counting, partial(self._airs, self.airs_at))

    async def _airs(self, airs_at: float, account: Account) -> None:
        """Wait until the count has risen: by itself, or with the next reading that tells it."""
        count = await account.number("unwatched_episodes")
        await account.client.forget(account.simulator)
        if account.tracker in AIRS_BY_TIMER:
            await account.becomes("unwatched_episodes", count + 1, 8)
            late = time.time() - airs_at
            rows = await account.client.recorded(account.simulator)
            paths = [f"{row['method']} {row['path']}" for row in rows]
            # a scheduled look for changes may fall into these seconds; it tells nothing of airings
            asked = [path for path in paths if not path.endswith(GATES)]
            check(
                not asked,
                f"{account.title}: {count} -> {count + 1}, {late:.1f} s after the airing,"
                f" without a request {paths or ''}",
            )
        # each service has begun to count the seconds at a time of its own
        await until(partial(self._has_aired, account, count + 1), 10)
        if account.tracker in SILENT:
            same = await account.number("unwatched_episodes")
            figure(f"{account.title}: {same} until it is told something else")
            await account.elsewhere("watch", **await self._coming(account))
            await account.agrees()
        else:
            await account.stays("unwatched_episodes", count + 1)

    async def _has_aired(self, account: Account, wanted: int) -> None:
        if await account.unwatched_there() != wanted:
            raise Failed(f"{account.title}: nothing has aired at the service")

    # an outage ------------------------------------------------------------------------------------------------

    async def restart_with_services_down(self) -> dict[str, dict[str, str]]:
        """Restart Home Assistant while no service answers: the last values are on screen."""
        before = {
            account.tracker: await account.all_values() for account in self.accounts
        }
        for account in self.accounts:
            await account.client.control(
                account.simulator, "fail", kind="reset", match="", times=EVER
            )
        began = time.monotonic()
        with suppress(aiohttp.ClientError, DemoError):  # it may go without an answer
            await self.client.http("POST", "/api/services/homeassistant/restart", {})
        await self._down()
        for client in (self.client, *(account.client for account in self.accounts)):
            await client.close()
        await self.client.running()
        figure(f"Home Assistant is back after {time.monotonic() - began:.1f} s")
        await each(self.accounts, partial(self._as_before, before))
        await each(self.counting, self._queues)
        return before

    async def _as_before(
        self, before: dict[str, dict[str, str]], account: Account
    ) -> None:
        await until(account.find, 20)
        after = await account.all_values()
        lasting = {
            key: value
            for key, value in before[account.tracker].items()
            # the time is shown to within five minutes while refreshing works, exactly once it fails
            if key not in (*LIVE, "last_refresh")
        }
        changed = {
            key: (value, after.get(key))
            for key, value in lasting.items()
            if after.get(key) != value
        }
        check(
            not changed,
            f"{account.title}: {len(lasting)} values as before, last refresh {after['last_refresh']} {changed or ''}",
        )
        live = await account.live_values()
        if live and account.tracker not in SAYS_NOT_WHAT_PLAYS:
            check(
                set(live.values()) == {"unknown"},
                f"{account.title}: live values are unknown {live}",
            )

    async def _queues(self, account: Account) -> None:
        """Toggle an episode that can't be sent."""
        answer = await account.do("toggle_watched", **await account.next_episode())
        pending = await account.number("pending_writes")
        check(
            answer["result"] == "queued" and pending == 1,
            f"{account.title}: an episode toggled meanwhile is {answer['result']},"
            f" {pending} write pending, {await account.number('unwatched_episodes')} unwatched",
        )

    async def bring_back(
        self, before: dict[str, dict[str, str]], account: Account
    ) -> None:
        """Let the service answer again: everything recovers, and what waited is sent once."""
        values = before[account.tracker]
        await account.client.control(account.simulator, "recover")
        await account.client.forget(account.simulator)
        began = time.monotonic()
        await until(account.refresh, 30)
        if account.knows_unwatched:
            await account.becomes("pending_writes", 0, 120)
            wanted = int(values["unwatched_episodes"]) - 1
            await account.becomes("unwatched_episodes", wanted, 10)
            sent = await account.writes()
            check(len(sent) == 1, f"{account.title}: sent: {', '.join(sent)}")
        await account.settles()
        live = await account.live_values()
        check(
            "unknown" not in live.values(),
            f"{account.title}: recovered after {time.monotonic() - began:.1f} s {live or ''}",
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


async def each(
    accounts: Sequence[Account], call: Callable[[Account], Awaitable[None]]
) -> None:
    """Do the same with all accounts at once. Raises the first failure."""
    await asyncio.gather(*map(call, accounts))


async def until(call: Callable[[], Awaitable[Any]], seconds: float) -> None:
    """Try until it succeeds, for so long at most. Raises the last failure."""
    end = time.monotonic() + seconds
    while True:
        try:
            await call()
        except (DemoError, Failed, KeyError):
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.5)
        else:
            return


async def main(demo: Json) -> int:
    """Run all steps; returns the exit code."""
    async with aiohttp.ClientSession() as session:
        client = Client(url=demo["url"], token=demo["token"], session=session)
        accounts = [
            Account(replace(client), tracker, simulator)
            for tracker, simulator in demo["simulators"].items()
        ]
        began = time.monotonic()
        try:
            await Run(client, accounts, demo["airs_at"]).all()
        except (Failed, DemoError, aiohttp.ClientError, KeyError) as error:
            print(f"\nFAILED: {type(error).__name__}: {error}", file=sys.stderr)
            return 1
        finally:
            for one in (client, *(account.client for account in accounts)):
                await one.close()
    print(
        f"\nEverything as it must be, with Home Assistant {demo['release']}, in {time.monotonic() - began:.0f} s."
    )
    return 0


if __name__ == "__main__":
    sys.exit(
        asyncio.run(main(json.loads(Path(os.environ["UP_NEXT_DEMO"]).read_text())))
    )
