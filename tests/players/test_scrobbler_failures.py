"""Whatever fails when a film ends, it is one play in the end: never two, never none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
import sqlite3
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
)

from custom_components.up_next.actions.lookup import titles_of
from custom_components.up_next.const import DOMAIN
from custom_components.up_next.coordinator import AccountCoordinator
from custom_components.up_next.media import Episode
from custom_components.up_next.outbox import Outbox, OutboxEntry
from custom_components.up_next.players.events import EVENT_SCROBBLE
from custom_components.up_next.players.store import ScrobblingTables
from custom_components.up_next.storage import DATABASE, FILE, Database
from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE, STATE_ON
from homeassistant.core import CoreState, Event
from homeassistant.helpers import issue_registry as ir
from simulators.kinopub import KinoPub
from simulators.kinopub.viewing import WATCHED
from simulators.service import Fault, Service
from simulators.simkl import Simkl
from simulators.trakt import Trakt

from ..accounts import coordinator_of
from ..home import Home, Player, next_episode, told, unseen_movie

MINUTE = 60.0
HOUR = 3600.0
ENDS = r"POST /scrobble/stop|POST /sync/history|/v1/watching/toggle"
"""The requests that tell that something was watched."""


def plays(service: Service, episode: Episode) -> int:
    """Return how often a service counted an episode."""
    show = service.catalogue.find_show(dict(episode.show.ids.values))
    assert show is not None
    key = (episode.season, episode.number)
    match service:
        case Trakt():
            return sum(
                play.title is show
                and play.episode is not None
                and (play.episode.season, play.episode.number) == key
                for play in service.account.plays.values()
            )
        case Simkl():
            entry = service.shelf.entries.get(int(show.ids["simkl"]))
            again = service.player.rewatches.get((int(show.ids["simkl"]), *key), ())
            return len(again) + (entry is not None and key in entry.watched)
        case KinoPub():
            mark = service.viewing.mark(int(show.ids["kinopub"]), *key)
            return int(mark.status == WATCHED)
    raise AssertionError(service)


async def begin(
    home: Home, kind: type[Service] = Trakt
) -> tuple[Service, MockConfigEntry, MockConfigEntry, Player, Episode]:
    """Return a service, its account, the players' entry, and a player that has played an episode almost to its end."""
    service, account = await home.sign_in(kind)
    episode = next_episode(account)
    tv, entry = await home.feed(account)
    assert plays(service, episode) == 0
    tv.play(episode)
    assert episode.runtime is not None
    await home.wait(episode.runtime - 60)
    return service, account, entry, tv, episode


# the service fails at the very end ------------------------------------------------------------------------------------

USUAL = [
    Fault("reset", ENDS, times=3),
    Fault("lost", ENDS),
    Fault("status", ENDS, times=2, status=503),
    Fault("status", ENDS, status=429, headers={"Retry-After": "120"}),
]
RARE = [
    Fault("drop", ENDS),
    Fault("hang", ENDS, seconds=120),
    Fault("late", ENDS, seconds=120),
    Fault("broken_json", ENDS),
    Fault("empty", ENDS),
    Fault("html", ENDS),
    Fault("html", ENDS, status=502),
    Fault("status", ENDS, status=500),
]
"""The same code in front of every service deals with these."""


def named(kind: type[Service], fault: Fault) -> Any:
    return pytest.param(kind, fault, id=f"{kind.name}-{fault.kind}-{fault.status}")


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        *(named(kind, fault) for kind in (Trakt, Simkl, KinoPub) for fault in USUAL),
        *(named(Trakt, fault) for fault in RARE),
    ],
)
async def test_request_fails(home: Home, kind: type[Service], fault: Fault) -> None:
    service, account, _, tv, episode = await begin(home, kind)
    service.faults.append(replace(fault))
    tv.stop()
    await home.wait(15 * MINUTE)
    assert fault not in service.faults
    assert plays(service, episode) == 1
    outbox = coordinator_of(account).outbox
    assert not outbox.pending
    assert not outbox.failed


@pytest.mark.parametrize("kind", [Trakt, Simkl, KinoPub], ids=lambda one: one.name)
async def test_network_is_cut(home: Home, kind: type[Service]) -> None:
    """An hour before anything gets through: the play keeps its time."""
    service, account, _, tv, episode = await begin(home, kind)
    service.faults.append(Fault("reset", times=100_000))
    tv.stop()
    ended = home.clock.now()
    await home.wait(HOUR)
    assert plays(service, episode) == 0
    service.faults.clear()
    await home.wait(HOUR)
    assert plays(service, episode) == 1
    assert not coordinator_of(account).outbox.pending
    if isinstance(service, Trakt):
        (play,) = [
            p
            for p in service.account.plays.values()
            if p.at >= ended.replace(second=0, microsecond=0)
        ]
        assert (play.at - ended).total_seconds() < 60


@pytest.mark.parametrize("kind", [Trakt, Simkl, KinoPub], ids=lambda one: one.name)
async def test_token_has_expired(home: Home, kind: type[Service]) -> None:
    service, _, _, tv, episode = await begin(home, kind)
    service.expire_tokens()
    tv.stop()
    await home.wait(2 * MINUTE)
    assert plays(service, episode) == 1


async def test_sign_in_is_dead(home: Home) -> None:
    """It waits for a person to sign in again."""
    service, account, _, tv, episode = await begin(home)
    service.revoke_tokens()
    tv.stop()
    await home.wait(MINUTE)
    assert plays(service, episode) == 0
    flows = home.hass.config_entries.flow.async_progress()
    assert [flow["context"]["source"] for flow in flows] == ["reauth"]
    assert len(coordinator_of(account).outbox.pending) == 1
    home.hass.config_entries.flow.async_abort(flows[0]["flow_id"])


async def test_somebody_else_counted_it(home: Home) -> None:
    """Another app told of the same viewing: 409 is as good as done."""
    service, account, _, tv, episode = await begin(home)
    show = service.catalogue.find_show(dict(episode.show.ids.values))
    assert show is not None
    assert isinstance(service, Trakt)
    service.keep_play((show, show.episode(episode.season, episode.number)))
    tv.stop()
    await home.wait(MINUTE)
    assert plays(service, episode) == 1
    assert not coordinator_of(account).outbox.failed


async def test_account_is_full(home: Home) -> None:
    """A limit of the account is for a person to lift; then it is told once."""
    service, account, _, tv, episode = await begin(home)
    assert isinstance(service, Trakt)
    service.limits["history"] = 0
    tv.stop()
    await home.wait(MINUTE)
    coordinator = coordinator_of(account)
    (failed,) = coordinator.outbox.failed
    issue = f"failed_writes_{account.entry_id}"
    assert ir.async_get(home.hass).async_get_issue(DOMAIN, issue) is not None
    service.limits["history"] = 100_000
    await coordinator.async_retry(failed.id)
    await home.wait(MINUTE)
    assert plays(service, episode) == 1
    assert ir.async_get(home.hass).async_get_issue(DOMAIN, issue) is None


# Home Assistant is killed ---------------------------------------------------------------------------------------------


class Crash:
    """The end of Home Assistant at any moment: what was not on disk then is lost."""

    def __init__(self, home: Home, *entries: MockConfigEntry) -> None:
        self.home = home
        self.entries = entries
        self.path = Path(home.hass.config.path(".storage", FILE))
        self.image = self.path.with_suffix(".crash")

    def happens(self) -> None:
        """Remember the disk as it is now."""
        self.image.unlink(missing_ok=True)
        with sqlite3.connect(self.path) as disk, sqlite3.connect(self.image) as image:
            disk.backup(image)

    async def over(self, *players: Player) -> None:
        """Begin again from what was on disk."""
        hass = self.home.hass
        for entry in self.entries:
            assert await hass.config_entries.async_unload(entry.entry_id)
        await hass.data[DATABASE].close()
        for rest in self.path.parent.glob(f"{FILE}*"):
            rest.unlink()
        self.image.rename(self.path)
        database = hass.data[DATABASE] = Database(self.path)
        await database.open()

        async def close(_: Event) -> None:
            await database.close()

        hass.bus.async_listen_once(EVENT_HOMEASSISTANT_FINAL_WRITE, close)
        for player in players:
            hass.states.async_remove(player.entity_id)

    async def restart(self) -> None:
        """Set everything up again."""
        for entry in self.entries:
            assert await self.home.hass.config_entries.async_setup(entry.entry_id)
        await self.home.settle()


async def test_killed_between_storing_and_sending(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, account, entry, tv, episode = await begin(home)
    crash = Crash(home, entry, account)
    adopt = AccountCoordinator.async_adopt

    def die(self: AccountCoordinator, entries: Sequence[OutboxEntry]) -> None:
        crash.happens()

    monkeypatch.setattr(AccountCoordinator, "async_adopt", die)
    tv.stop()
    await home.wait(MINUTE)
    assert plays(service, episode) == 0
    await crash.over(tv)
    monkeypatch.setattr(AccountCoordinator, "async_adopt", adopt)
    await home.wait(5 * MINUTE)
    await crash.restart()
    await home.wait(10 * MINUTE)
    assert plays(service, episode) == 1
    # and it is known that this was counted
    tv.play(episode, 2000)
    await home.wait(MINUTE)
    tv.stop()
    await home.wait(MINUTE)
    assert plays(service, episode) == 1


@pytest.mark.parametrize("kind", [Trakt, Simkl, KinoPub], ids=lambda one: one.name)
@pytest.mark.parametrize("carried_out", [True, False])
async def test_killed_between_request_and_answer(
    home: Home, kind: type[Service], carried_out: bool
) -> None:
    service, account, entry, tv, episode = await begin(home, kind)
    crash = Crash(home, entry, account)
    what = "late" if carried_out else "hang"
    service.faults.append(Fault(what, ENDS, seconds=10_000))
    tv.stop()
    # the request is under way now
    await home.wait(11)
    assert not service.faults
    assert plays(service, episode) == carried_out
    crash.happens()
    await crash.over(tv)
    await home.wait(5 * MINUTE)
    await crash.restart()
    await home.wait(2 * HOUR)
    assert plays(service, episode) == 1
    assert not coordinator_of(account).outbox.pending


async def test_killed_in_the_middle(home: Home) -> None:
    """A minute at most is forgotten; the player goes on, and so does the viewing."""
    service, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    tv, entry = await home.feed(account)
    before = len(service.account.plays)
    tv.play(movie)
    await home.wait(30 * MINUTE + 50)
    crash = Crash(home, entry, account)
    crash.happens()
    await crash.over(tv)
    await home.wait(2 * MINUTE)
    await crash.restart()
    # it is not known to play until it is seen
    assert home.house.value(account, "now_watching") != movie.label or (
        home.house.value(account, "watching") == STATE_ON
    )
    await home.wait(20)
    tv.play(movie, 33 * MINUTE + 10)
    await home.wait(MINUTE)
    assert told(service) == [("start", 0)]
    assert movie.runtime is not None
    await home.wait(movie.runtime - 35 * MINUTE)
    tv.stop()
    await home.wait(MINUTE)
    assert [what for what, _ in told(service)] == ["start", "stop"]
    assert len(service.account.plays) == before + 1


@pytest.mark.parametrize("share", [0.5, 0.97])
@pytest.mark.parametrize("seen", [True, False])
async def test_stopped_while_killed(home: Home, share: float, seen: bool) -> None:
    """Nobody saw it end: it counts as it stood, and at that time."""
    service, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    tv, entry = await home.feed(account)
    before = set(service.account.plays)
    tv.play(movie)
    assert movie.runtime is not None
    await home.wait(movie.runtime * share)
    ended = home.clock.now()
    crash = Crash(home, entry, account)
    crash.happens()
    await crash.over(tv)
    await home.wait(3 * 24 * HOUR)
    await crash.restart()
    if seen:
        tv.stop()
        await home.wait(MINUTE)
    else:
        await home.wait(5 * MINUTE)
    made = [service.account.plays[one] for one in set(service.account.plays) - before]
    if share < 0.8:
        assert not made
        # where it stopped is worth nothing after days
        assert [what for what, _ in told(service)] == ["start"]
    else:
        (play,) = made
        assert abs((play.at - ended).total_seconds()) < 3 * MINUTE
    # nothing of it is left
    await home.wait(HOUR)
    assert len(service.account.plays) == len(before) + len(made)


async def test_restart_in_good_order(home: Home) -> None:
    """Everything is stored when Home Assistant stops, before other integrations take their players away."""
    service, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    tv, _ = await home.feed(account)
    tv.play(movie)
    await home.wait(10 * MINUTE + 30)
    events = async_capture_events(home.hass, EVENT_SCROBBLE)

    async def leave(_: object) -> None:
        tv.report("off")

    home.hass.bus.async_listen_once("homeassistant_stop", leave)
    await home.hass.async_stop(force=True)
    assert not events
    assert told(service) == [("start", 0)]
    disk = sqlite3.connect(home.hass.config.path(".storage", FILE))
    rows = disk.execute(
        "SELECT session FROM session WHERE audience = ?", (account.unique_id,)
    ).fetchall()
    disk.close()
    assert len(rows) == 1
    assert '"position":630.0' in rows[0][0]


# the disk fails -------------------------------------------------------------------------------------------------------


async def test_disk_is_full(
    home: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What can't be stored is not told, and told when it can be; that something began hours ago is not told then."""
    service, account = await home.sign_in(Trakt)
    episode = next_episode(account)
    tv, _ = await home.feed(account)
    store = ScrobblingTables.store

    async def fail(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(ScrobblingTables, "store", fail)
    tv.play(episode)
    assert episode.runtime is not None
    await home.wait(episode.runtime - 30)
    tv.stop()
    await home.wait(20 * MINUTE)
    assert told(service) == []
    assert "could not be stored" in caplog.text
    monkeypatch.setattr(ScrobblingTables, "store", store)
    await home.wait(MINUTE)
    assert told(service) == [("history", None)]
    assert plays(service, episode) == 1


async def test_disk_is_full_when_scrobbling_stops(
    home: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _, account = await home.sign_in(Trakt)
    tv, entry = await home.feed(account)
    tv.play(unseen_movie(account))
    await home.wait(MINUTE)

    async def fail(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(ScrobblingTables, "store", fail)
    assert await home.hass.config_entries.async_unload(entry.entry_id)
    assert "What plays could not be stored" in caplog.text


# nothing can be looked up ---------------------------------------------------------------------------------------------


async def test_service_is_back_in_time(home: Home) -> None:
    """A title that no library knows is looked up as soon as that is possible; then it is told."""
    service, account = await home.sign_in(Trakt, movies=40, watched=20)
    movie = stranger(service, account)
    tv, entry = await home.feed(account)
    service.faults.append(Fault("reset", times=10_000))
    tv.report(
        "playing", **movie, media_position=0, media_position_updated_at=home.clock.now()
    )
    await home.wait(5 * MINUTE)
    assert home.playback(entry).state == "identifying"
    service.faults.clear()
    await home.wait(5 * MINUTE)
    assert home.playback(entry).state == "playing"
    assert [what for what, _ in told(service) if what != "history"] == ["start"]
    await home.wait(movie["media_duration"] - 11 * MINUTE)
    tv.stop()
    before = len(service.account.plays)
    await home.wait(MINUTE)
    assert len(service.account.plays) == before + 1


async def test_service_is_back_too_late(home: Home) -> None:
    """It ended before anybody could say what it was: it is told then, at its own time, and nobody is asked."""
    service, account = await home.sign_in(Trakt, movies=40, watched=20)
    movie = stranger(service, account)
    tv, entry = await home.feed(account)
    before = set(service.account.plays)
    events = async_capture_events(home.hass, EVENT_SCROBBLE)
    service.faults.append(Fault("reset", times=10_000))
    tv.report(
        "playing", **movie, media_position=0, media_position_updated_at=home.clock.now()
    )
    await home.wait(movie["media_duration"] - 60)
    tv.stop()
    ended = home.clock.now()
    await home.wait(HOUR)
    assert ir.async_get(home.hass).async_get_issue(DOMAIN, "waiting_titles") is None
    assert not events
    # not even a restart makes it forgotten
    assert await home.hass.config_entries.async_reload(entry.entry_id)
    service.faults.clear()
    await home.wait(30 * MINUTE)
    (play,) = [
        service.account.plays[one] for one in set(service.account.plays) - before
    ]
    assert abs((play.at - ended).total_seconds()) < 2 * MINUTE
    assert ir.async_get(home.hass).async_get_issue(DOMAIN, "waiting_titles") is None


def stranger(service: Service, account: MockConfigEntry) -> dict[str, Any]:
    """Return what a player says of a movie that is in no library."""
    library = coordinator_of(account).data.library
    known = {item.title for item in titles_of(library)}
    movie = next(one for one in service.catalogue.movies if one.title not in known)
    return {
        "media_content_type": "movie",
        "media_title": f"{movie.title} ({movie.year})",
        "media_duration": movie.runtime,
    }


# things that happen at once -------------------------------------------------------------------------------------------


async def test_account_is_being_set_up_when_a_film_ends(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has read its outbox already, and can't be told yet."""
    service, account, _, tv, episode = await begin(home)
    assert await home.hass.config_entries.async_unload(account.entry_id)
    load, gate = Outbox.load, asyncio.Event()

    async def slow(self: Outbox) -> None:
        await load(self)
        await gate.wait()

    monkeypatch.setattr(Outbox, "load", slow)
    setup = home.hass.async_create_task(
        home.hass.config_entries.async_setup(account.entry_id)
    )
    await home.settle()
    tv.stop()
    await home.wait(MINUTE)
    assert plays(service, episode) == 0
    gate.set()
    assert await setup
    await home.wait(MINUTE)
    assert plays(service, episode) == 1


async def test_stopped_while_storing(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is being stored is stored once, though whoever asked for it is cancelled."""
    service, _, entry, tv, episode = await begin(home)
    store, gate = ScrobblingTables.store, asyncio.Event()
    batches: list[Any] = []

    async def slow(self: ScrobblingTables, batch: Any, *more: Any) -> Any:
        batches.append(batch)
        if batch.writes:
            await gate.wait()
        return await store(self, batch, *more)

    monkeypatch.setattr(ScrobblingTables, "store", slow)
    tv.stop()
    await home.wait(11)
    assert any(batch.writes for batch in batches)
    unload = home.hass.async_create_task(
        home.hass.config_entries.async_unload(entry.entry_id)
    )
    for task in asyncio.all_tasks():
        if "Scrobbling delivery" in task.get_name():
            task.cancel()
    await home.settle()
    gate.set()
    assert await unload
    assert sum(len(batch.writes) for batch in batches) == 1
    await home.wait(MINUTE)
    assert plays(service, episode) == 1
    assert await home.hass.config_entries.async_setup(entry.entry_id)
    await home.wait(10 * MINUTE)
    assert plays(service, episode) == 1


async def test_never_started(home: Home) -> None:
    """Home Assistant may stop, or the entry be unloaded, before the players were ever followed."""
    _, account = await home.sign_in(Trakt)
    tv, entry = await home.feed(account)
    tv.play(unseen_movie(account))
    await home.wait(MINUTE)
    assert await home.hass.config_entries.async_unload(entry.entry_id)
    home.hass.set_state(CoreState.starting)
    assert await home.hass.config_entries.async_setup(entry.entry_id)
    tv.play(unseen_movie(account), 100)
    await home.wait(MINUTE)
    assert home.playback(entry).state == "idle"
    assert await home.hass.config_entries.async_unload(entry.entry_id)
    home.hass.set_state(CoreState.running)
    # what was kept is still there
    assert await home.hass.config_entries.async_setup(entry.entry_id)
    await home.settle()
    assert home.playback(entry).state == "playing"
    assert home.playback(entry).attributes["progress"] > 0


async def test_set_up_again_and_again(home: Home) -> None:
    """Nothing of an earlier run goes on listening."""
    service, account = await home.sign_in(Trakt)
    episode = next_episode(account)
    tv, entry = await home.feed(account)

    def listeners() -> dict[str, int]:
        coordinator = coordinator_of(account)
        counts = dict(home.hass.bus.async_listeners())
        # of whatever is about to be saved
        counts.pop(EVENT_HOMEASSISTANT_FINAL_WRITE, None)
        return {
            **counts,
            "receipts": len(coordinator._receipt_listeners),
            "writes": len(coordinator._write_listeners),
        }

    assert await home.hass.config_entries.async_reload(entry.entry_id)
    await home.settle()
    usual = listeners()
    for _ in range(3):
        tv.play(episode)
        await home.wait(10)
        assert await home.hass.config_entries.async_reload(entry.entry_id)
        await home.settle()
    assert listeners() == usual
    events = async_capture_events(home.hass, EVENT_SCROBBLE)
    await home.wait(MINUTE)
    assert len(events) == 1
    assert [what for what, _ in told(service)] == ["start"]


async def test_what_nobody_follows_is_forgotten(home: Home) -> None:
    """A player that was removed while scrobbling was off leaves nothing behind."""
    service, account = await home.sign_in(Trakt)
    tv, entry = await home.feed(account)
    tv.play(unseen_movie(account))
    await home.wait(MINUTE)
    assert await home.hass.config_entries.async_unload(entry.entry_id)
    home.hass.config_entries.async_remove_subentry(entry, next(iter(entry.subentries)))
    count: Callable[[sqlite3.Connection], int] = lambda connection: connection.execute(  # noqa: E731
        "SELECT COUNT(*) FROM session"
    ).fetchone()[0]
    assert await home.hass.data[DATABASE].run(count) == 2
    assert await home.hass.config_entries.async_setup(entry.entry_id)
    await home.settle()
    assert await home.hass.data[DATABASE].run(count) == 0
    assert [what for what, _ in told(service)] == ["start"]
