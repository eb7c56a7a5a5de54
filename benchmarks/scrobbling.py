"""Scrobbling: how quickly it answers, what it costs, and how many requests a film takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
import gc
from time import perf_counter
import tracemalloc

import aiohttp
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.up_next.const import DOMAIN
from custom_components.up_next.library import overview
from custom_components.up_next.media import Episode, Movie
from custom_components.up_next.players.events import EVENT_SCROBBLE
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.event import async_track_state_change_event
from simulators.catalogue import generate
from tests.home import Player, mapping, scrobble

from .instance import TIMES, add_entry, home, report_stall
from .report import Report
from .requests import listed, signed_in
from .simulated import Json, Simulated, simulated
from .stall import Stall, watched
from .travel import Traveller, travelling

SHOWS, MOVIES = 500, 40
PLAYERS = 200
TO_THE_WIRE = 50.0
"""Milliseconds from a decision to its request."""
TO_THE_STATE = 50.0
"""Milliseconds from what a player reports to what the account shows."""
OF_NO_INTEREST = 50.0
"""Microseconds that a report may cost of which nothing follows."""
OF_A_POSITION = 2000.0
"""Microseconds that the report of a position may cost, however many others play into the same account."""
OF_A_FILM = 6
"""Requests by which one is told of a film of two hours with a pause; four say it all."""
TELLING_READS = ("/sync/history/", "/watching/marktime", "/watching/toggle")
"""What paths hold that are read to see what was told before, or, at KinoPub, to tell."""
STEP = 2.0
"""Seconds by which the clocks are moved where delays are measured, so that few timers fire together by that."""
PATIENCE = 60.0
"""Seconds of real time until something that never comes is given up."""


async def measure_scrobbling(report: Report, *, quick: bool) -> None:
    """Measure everything."""
    more = ("--movies", str(MOVIES), "--watched", "60")
    async with simulated(SHOWS, PLAYERS, more) as services:
        report.heading("Scrobbling: how soon")
        await measure_delays(report, services, 25 if quick else 60)
        report.heading("Scrobbling: a film of two hours with a pause")
        await count_film(report, services)
        report.heading(f"Scrobbling: {PLAYERS} players that feed one account")
        await measure_many(report, services)
        await measure_player_memory(report, services)


# a Home Assistant in which time can be moved ------------------------------------------------------------------------


@dataclass(slots=True)
class Watcher:
    """Notes when something was decided to be told, and when its request went out (seconds of `perf_counter`)."""

    decided: list[float] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)

    @callback
    def decide(self, _: Event) -> None:
        """Hear of a decision."""
        self.decided.append(perf_counter())

    async def all_sent(self, count: int) -> None:
        """Wait until so many were decided, and sent."""
        await until(lambda: len(self.decided) >= count and len(self.sent) >= count)
        assert len(self.decided) == len(self.sent) == count

    def trace(self) -> aiohttp.TraceConfig:
        """Return what notes requests; the body goes out just after this is called."""
        config = aiohttp.TraceConfig()

        async def send(
            _: aiohttp.ClientSession,
            __: object,
            params: aiohttp.TraceRequestChunkSentParams,
        ) -> None:
            if "/scrobble/" in params.url.path:
                self.sent.append(perf_counter())

        # some versions of aiohttp type it wrongly
        config.on_request_chunk_sent.append(send)  # type: ignore[arg-type, unused-ignore]
        config.freeze()
        return config


@dataclass(slots=True)
class Household:
    """A Home Assistant with accounts, and the time in which it lives."""

    hass: HomeAssistant
    traveller: Traveller
    accounts: dict[str, MockConfigEntry]

    def player(self, number: int) -> Player:
        """Return a media player as Plex has them, which is told of by no account yet."""
        return Player(self.hass, self.traveller.clock, f"plex_{number}", "plex")

    async def map(self, players: Sequence[Player]) -> MockConfigEntry:
        """Have all accounts fed by these players."""
        accounts = self.accounts.values()
        return await scrobble(self.hass, *(mapping(p, *accounts) for p in players))

    def sensor(self, tracker: str) -> str:
        """Return the entity that shows what an account's person watches now."""
        unique_id = f"{self.accounts[tracker].unique_id}_now_watching"
        found = er.async_get(self.hass).async_get_entity_id("sensor", DOMAIN, unique_id)
        assert found is not None
        return found

    def episodes(self, count: int) -> list[Episode]:
        """Return the next episodes of so many shows."""
        library = self.accounts["trakt"].runtime_data.data.library
        rows = overview(library, self.traveller.clock.now()).shows
        found = [row.next_episode for row in rows if row.next_episode is not None]
        assert len(found) >= count, f"{len(found)} shows have a next episode"
        return found[:count]


@asynccontextmanager
async def household(services: Simulated, *trackers: str) -> AsyncIterator[Household]:
    """Run a Home Assistant with an account of each tracker."""
    for tracker in trackers:
        # limits of real time mean nothing where time is moved
        await services.control(tracker, "pacing", on=False)
    async with travelling(services) as traveller, home() as hass:
        accounts: dict[str, MockConfigEntry] = {}
        for tracker in trackers:
            entry = await add_entry(hass, await signed_in(services, tracker))
            await hass.config_entries.async_setup(entry.entry_id)
            accounts[tracker] = entry
        house = Household(hass, traveller, accounts)
        await settled(hass)
        for _ in range(200):
            if all(e.runtime_data.data.library.complete for e in accounts.values()):
                break
            await traveller.wait(60, step=60)
        try:
            yield house
        finally:
            for entry in hass.config_entries.async_entries(DOMAIN):
                await hass.config_entries.async_unload(entry.entry_id)


async def settled(hass: HomeAssistant) -> None:
    """Wait until nothing but what always runs is under way."""
    await hass.async_block_till_done(wait_background_tasks=False)


async def until(condition: Callable[[], object]) -> None:
    """Wait in real time until a condition holds."""
    began = perf_counter()
    while not condition():
        if perf_counter() - began > PATIENCE:
            raise RuntimeError("something that should have happened did not")
        await asyncio.sleep(0.002)


# how soon -----------------------------------------------------------------------------------------------------------


async def measure_delays(report: Report, services: Simulated, count: int) -> None:
    """Measure from what a player reports to what the account shows, and from a decision to its request."""
    async with household(services, "trakt") as house:
        player = house.player(0)
        await house.map([player])
        fresh: list[list[float]] = []
        known: list[list[float]] = []
        sent: list[list[float]] = []
        episodes = house.episodes(count * TIMES)
        for run in range(TIMES):
            mine = episodes[run * count : (run + 1) * count]
            fresh.append(await shown(house, player, mine))
            known.append(await shown(house, player, mine))
            sent.append(await told(house, player, mine[0], count))
        for name, runs in (("not seen before", fresh), ("known", known)):
            report_delays(
                report, f"report to now watching, title {name}", runs, TO_THE_STATE
            )
        report_delays(report, "decision to request", sent, TO_THE_WIRE)


def report_delays(
    report: Report, name: str, runs: Sequence[Sequence[float]], limit: float
) -> None:
    """Print the usual delay and the one that only a hundredth exceeds, of the run in which each was smallest."""
    for percent in (50, 99):
        values = [1000 * at_percent(run, percent) for run in runs]
        report.figure(f"{name}: p{percent}", min(values), "ms", limit)
        report.note(f"    runs: {', '.join(f'{value:.1f}' for value in values)}")


def at_percent(times: Sequence[float], percent: int) -> float:
    """Return what so many percent do not exceed."""
    return sorted(times)[min(len(times) - 1, len(times) * percent // 100)]


async def shown(
    house: Household, player: Player, episodes: Sequence[Episode]
) -> list[float]:
    """Begin one episode after the other; return the seconds after which the account shows each."""
    times: list[float] = []
    for episode in episodes:
        times.append(await until_shown(house, player, episode))
        player.report("off")
        # what was learned of the title is stored meanwhile
        await house.traveller.wait(1)
        await settled(house.hass)
    return times


async def until_shown(house: Household, player: Player, episode: Episode) -> float:
    """Begin an episode; return the seconds after which the account shows it."""
    shown_at = asyncio.get_running_loop().create_future()

    @callback
    def change(event: Event[EventStateChangedData]) -> None:
        state = event.data["new_state"]
        if state is not None and state.state == episode.label and not shown_at.done():
            shown_at.set_result(perf_counter())

    stop = async_track_state_change_event(house.hass, house.sensor("trakt"), change)
    began = perf_counter()
    player.play(episode, 0)
    async with asyncio.timeout(PATIENCE):
        took: float = await shown_at - began
    stop()
    return took


async def told(
    house: Household, player: Player, episode: Episode, count: int
) -> list[float]:
    """Pause an episode and go on with it, again and again; return the seconds from each decision to its request."""
    watcher = Watcher()
    stop_listening = house.hass.bus.async_listen(EVENT_SCROBBLE, watcher.decide)
    traces = house.accounts["trakt"].runtime_data.tracker.context.session.trace_configs
    traces.append(watcher.trace())
    player.play(episode, 0)
    await house.traveller.wait(60, step=STEP)
    await watcher.all_sent(1)
    for number in range(2, count, 2):
        player.pause(episode, 60)
        # a pause is told of after some seconds, and between two writes there are some as well
        await house.traveller.wait(6, step=STEP)
        await watcher.all_sent(number)
        await house.traveller.wait(2, step=STEP)
        player.play(episode, 60)
        await watcher.all_sent(number + 1)
        await house.traveller.wait(2, step=STEP)
    stop_listening()
    traces.clear()
    player.report("off")
    await house.traveller.wait(2, step=STEP)
    return [
        sent - decided
        for decided, sent in zip(watcher.decided, watcher.sent, strict=True)
    ]


# how many requests --------------------------------------------------------------------------------------------------


async def count_film(report: Report, services: Simulated) -> None:
    """Watch a film that is on the watchlist, and count the requests of every service."""
    trackers = ("trakt", "simkl", "kinopub")
    async with household(services, *trackers) as house:
        movies = generate(services.now(), shows=SHOWS, movies=MOVIES).movies
        unwatched = movies[MOVIES * 60 // 100 :][:12]
        found = min(unwatched, key=lambda movie: abs(movie.runtime - 7200))
        movie = Movie(title=found.title, year=found.year, runtime=found.runtime)
        player = house.player(0)
        await house.map([player])
        await house.traveller.wait(600)
        length = found.runtime + 600.0
        idle = await passed(services, trackers, house.traveller.wait(length))
        film = await passed(services, trackers, watch(house, player, movie))
        for tracker in trackers:
            rows = film[tracker]
            said = [row for row in rows if is_told(row)]
            report.figure(
                f"{tracker}: requests that tell of it", len(said), "requests", OF_A_FILM
            )
            report.note(f"    {listed(said) or 'none'}")
            asked = [row for row in rows if row not in said]
            report.figure(
                f"{tracker}: other requests meanwhile", len(asked), "requests"
            )
            report.note(f"    {listed(asked)}")
            report.note(f"    {len(idle[tracker])} when nothing plays for as long")


def is_told(row: Json) -> bool:
    """Say whether a request tells of something that plays, or looks what was told before."""
    if row["method"] == "GET":
        return any(part in row["path"] for part in TELLING_READS)
    return "oauth" not in row["path"]


async def passed(
    services: Simulated, trackers: Sequence[str], happening: Awaitable[None]
) -> dict[str, list[Json]]:
    """Return the requests of each service while something happens."""
    for tracker in trackers:
        await services.take(tracker)
    await happening
    return {tracker: await services.take(tracker) for tracker in trackers}


async def watch(house: Household, player: Player, movie: Movie) -> None:
    """Watch a film almost to its end, with ten minutes of a pause."""
    length = float(movie.runtime or 0)
    break_at, end_at = round(length * 0.4), round(length * 0.98)
    player.play(movie, 0)
    await house.traveller.wait(break_at)
    player.pause(movie, break_at)
    await house.traveller.wait(600)
    player.play(movie, break_at)
    await house.traveller.wait(end_at - break_at)
    player.stop()
    await house.traveller.wait(length - end_at)


# how much it costs --------------------------------------------------------------------------------------------------


async def measure_many(report: Report, services: Simulated) -> None:
    """Let many players report."""
    async with household(services, "trakt") as house:
        players = [house.player(number) for number in range(PLAYERS)]
        pairs = list(zip(players, house.episodes(PLAYERS), strict=True))
        entry = await house.map(players)
        (player, episode), *_ = pairs
        await until_all_play(entry, pairs[:1])
        took = await reporting(pairs[:1], range(1, 101))
        report.figure(
            "a report of a position, one plays", 1e6 * took, "µs", OF_A_POSITION
        )
        report.figure(
            "a report of no interest (volume)",
            1e6 * await cost(house, player, episode),
            "µs",
            OF_NO_INTEREST,
        )
        async with watched() as stall:
            await until_all_play(entry, pairs)
        report_stall(report, "longest stall: all begin at once", [stall], None)
        async with watched() as stall:
            await house.traveller.wait(16, step=16)
            await settled(house.hass)
        report_stall(report, "longest stall: all are told of at once", [stall], None)
        for name, turns in (("at once", False), ("one after the other", True)):
            stalls: list[Stall] = []
            for run in range(TIMES):
                await house.traveller.wait(10)
                async with watched() as stall:
                    for player, episode in pairs:
                        player.play(episode, 26 + 10 * (run + TIMES * turns))
                        if turns:
                            await asyncio.sleep(0)
                    await settled(house.hass)
                stalls.append(stall)
            name = f"longest stall: all report their position {name}"
            report_stall(report, name, stalls, None)
        took = await reporting(pairs, range(90, 92))
        report.figure(
            "a report of a position, all play", 1e6 * took, "µs", OF_A_POSITION
        )
        report.figure(
            "a report of no interest (volume), all play",
            1e6 * await cost(house, player, episode),
            "µs",
            OF_NO_INTEREST,
        )


async def until_all_play(
    entry: MockConfigEntry, pairs: Sequence[tuple[Player, Episode]]
) -> None:
    """Begin at once, and wait until it is known of every player what it plays."""
    scrobbler = entry.runtime_data
    mapped = list(entry.subentries)[: len(pairs)]
    for player, episode in pairs:
        player.play(episode, 0)
    await until(lambda: all(scrobbler.view(m).phase == "playing" for m in mapped))


async def reporting(
    pairs: Sequence[tuple[Player, Episode]], positions: Sequence[int]
) -> float:
    """Let players report positions, one after the other; return the seconds that one report takes."""
    began = perf_counter()
    for position in positions:
        for player, episode in pairs:
            player.play(episode, position)
    await asyncio.sleep(0)  # older versions tell listeners in the next turn of the loop
    return (perf_counter() - began) / (len(positions) * len(pairs))


async def cost(house: Household, player: Player, episode: Episode) -> float:
    """Return the seconds that a change of the volume costs at a mapped player, beyond what it costs at any other."""
    stranger = Player(house.hass, house.traveller.clock, "stranger", "plex")
    stranger.play(episode, 0)
    differences: list[float] = []
    for _ in range(TIMES):
        mapped = await changing_volume(house.hass, player)
        differences.append(mapped - await changing_volume(house.hass, stranger))
    return min(differences)


async def changing_volume(
    hass: HomeAssistant, player: Player, count: int = 2000
) -> float:
    """Return the seconds that a change of the volume takes."""
    state = hass.states.get(player.entity_id)
    assert state is not None
    attributes = dict(state.attributes)
    began = perf_counter()
    for number in range(count):
        attributes["volume_level"] = number / count
        hass.states.async_set(player.entity_id, state.state, attributes)
    await asyncio.sleep(0)
    return (perf_counter() - began) / count


async def measure_player_memory(report: Report, services: Simulated) -> None:
    """Measure what a mapped player that plays occupies."""
    async with household(services, "trakt") as house:
        players = [house.player(number) for number in range(PLAYERS)]
        episodes = house.episodes(PLAYERS)
        for player in players:
            player.report("idle")
        await settled(house.hass)
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        await house.map(players)
        gc.collect()
        mapped = tracemalloc.get_traced_memory()[0]
        for player, episode in zip(players, episodes, strict=True):
            player.play(episode, 0)
        await house.traveller.wait(30)
        await settled(house.hass)
        gc.collect()
        plays = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        for name, size in (("idle", mapped), ("playing", plays)):
            each = (size - before) / PLAYERS / 1000
            report.figure(f"memory of a mapped player, {name}", each, "kB")
