"""An account in a real Home Assistant, against the simulators over real HTTP: it stays right whatever happens."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
import logging
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.up_next import coordinator as coordinator_module
from custom_components.up_next.const import DOMAIN
from custom_components.up_next.media import Episode, Ids, Movie, Show
from custom_components.up_next.outbox import State
from custom_components.up_next.writes import (
    MarkUnwatched,
    MarkWatched,
    Outcome,
    SetWatchlisted,
)
from homeassistant.const import (
    EVENT_HOMEASSISTANT_FINAL_WRITE,
    STATE_UNAVAILABLE,
    STATE_UNKNOWN,
)
from homeassistant.core import callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.event import async_track_state_change_event
from homeassistant.setup import async_setup_component
from simulators.clock import Clock
from simulators.kinopub import KinoPub
from simulators.service import Fault, Service
from simulators.simkl import Simkl
from simulators.trakt import Trakt

from .accounts import House, coordinator_of, linger, until
from .conftest import AddAccount, Serve

HOUR = 3600.0
COUNTS = ("unwatched_episodes", "unwatched_shows", "watchlist", "next_episode")
LIVE = ("now_watching", "watching")
OWN = ("last_refresh", "pending_writes")


def down(service: Trakt, match: str = "", kind: str = "reset", **more: Any) -> None:
    """Let everything that matches fail until `service.faults.clear()`."""
    service.faults.append(Fault(kind=kind, match=match, times=10_000, **more))


def next_episode(entry: MockConfigEntry) -> Episode:
    """Return the episode on screen."""
    episode = coordinator_of(entry).data.overview.next_episode
    assert episode is not None
    return episode


def mark(entry: MockConfigEntry, clock: Clock) -> MarkWatched:
    """Return the write that marks the episode on screen as watched."""
    return MarkWatched(item=next_episode(entry), watched_at=clock.now())


async def restart(house: House, entry: MockConfigEntry) -> None:
    """Stop the account as Home Assistant does, and start it again."""
    assert await house.hass.config_entries.async_unload(entry.entry_id)
    assert await house.hass.config_entries.async_setup(entry.entry_id)
    await house.hass.async_block_till_done()


# start-up -----------------------------------------------------------------------------------------------------


async def test_last_values_before_any_request(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Trakt)
    service.play(movie=500_000)
    entry = await add_account(service)
    before = {key: house.value(entry, key) for key in COUNTS}
    assert house.value(entry, "watching") == "on"
    assert int(before["unwatched_episodes"]) == service.state()["unwatched"] > 0

    assert await house.hass.config_entries.async_unload(entry.entry_id)
    service.requests.clear()
    down(service, kind="hang", seconds=60)
    assert await house.hass.config_entries.async_setup(entry.entry_id)
    await house.hass.async_block_till_done()

    assert {key: house.value(entry, key) for key in COUNTS} == before
    # what was playing then says nothing about now
    assert {house.value(entry, key) for key in LIVE} == {STATE_UNKNOWN}
    assert not [r for r in service.requests if r.status == 200]


@pytest.mark.parametrize("kind", [Simkl, KinoPub])
async def test_the_same_with_every_service(
    house: House, serve: Serve, add_account: AddAccount, kind: type[Service]
) -> None:
    """Values, a write, a restart with the service down, and the service back."""
    service = await serve(kind)
    service.pacing = False
    entry = await add_account(service)
    before = int(house.value(entry, "unwatched_episodes"))
    # KinoPub counts specials, too (docs/trackers/kinopub.md)
    told = "unwatched_by_service" if kind is KinoPub else "unwatched"
    assert before == service.state()[told] > 0
    (receipt,) = await coordinator_of(entry).async_write([mark(entry, house.clock)], 10)
    assert receipt is not None
    assert receipt.outcome is Outcome.DONE
    assert house.value(entry, "unwatched_episodes") == str(before - 1)
    await house.advance(1)
    await until(lambda: not coordinator_of(entry).unconfirmed)

    assert await house.hass.config_entries.async_unload(entry.entry_id)
    service.faults.append(Fault(kind="status", status=503, times=10_000))
    assert await house.hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: not coordinator_of(entry).last_update_success)
    assert house.value(entry, "unwatched_episodes") == str(before - 1)
    service.faults.clear()
    await coordinator_of(entry).async_refresh()
    assert house.value(entry, "unwatched_episodes") == str(before - 1)
    assert service.state()[told] == before - 1


async def test_after_a_restart_all_is_brought_up_to_date(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Trakt)
    entry = await add_account(service)
    before = int(house.value(entry, "unwatched_episodes"))
    episode = next_episode(entry)
    assert await house.hass.config_entries.async_unload(entry.entry_id)
    service.clock.advance(120)
    service.watch(int(episode.show.ids.values["trakt"]), episode.season, episode.number)
    assert await house.hass.config_entries.async_setup(entry.entry_id)
    await house.shows(entry, "unwatched_episodes", before - 1)
    await house.shows(entry, "watching", "off")


@pytest.mark.parametrize("damage", ["text", "shape", "missing", "newer"])
async def test_a_broken_cache_is_read_anew(
    house: House,
    serve: Serve,
    add_account: AddAccount,
    hass_storage: dict[str, Any],
    damage: str,
) -> None:
    service = await serve(Trakt)
    entry = await add_account(service)
    before = house.value(entry, "unwatched_episodes")
    assert await house.hass.config_entries.async_unload(entry.entry_id)
    stored = hass_storage[f"{DOMAIN}.library.{entry.entry_id}"]["data"]
    if damage == "newer":
        hass_storage[f"{DOMAIN}.library.{entry.entry_id}"]["version"] = 99
    elif damage == "text":
        stored["library"] = "{"
    elif damage == "shape":
        stored["library"] = '{"account": 1}'
    else:
        del stored["refreshed_at"]
    service.requests.clear()
    assert await house.hass.config_entries.async_setup(entry.entry_id)
    await house.hass.async_block_till_done()
    assert house.value(entry, "unwatched_episodes") == before
    assert service.count("GET /sync/progress")


# staleness ----------------------------------------------------------------------------------------------------


async def test_counts_keep_for_a_day_live_values_do_not(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Trakt)
    entry = await add_account(service)
    before = {key: house.value(entry, key) for key in COUNTS}
    coordinator = coordinator_of(entry)
    read_at = coordinator.refreshed_at
    down(service, kind="status", status=503)

    await coordinator.async_refresh()
    assert {key: house.value(entry, key) for key in COUNTS} == before
    assert {house.value(entry, key) for key in LIVE} == {STATE_UNKNOWN}

    await house.advance(23.9 * HOUR)
    await linger()
    assert {key: house.value(entry, key) for key in COUNTS} == before

    await house.advance(0.2 * HOUR)
    assert {house.value(entry, key) for key in COUNTS} == {STATE_UNAVAILABLE}
    assert read_at is not None
    shown = datetime.fromisoformat(house.value(entry, "last_refresh"))
    assert shown == read_at.replace(microsecond=0)
    assert house.value(entry, "pending_writes") == "0"

    # and it recovers by itself, at the next poll
    service.faults.clear()
    await house.advance(HOUR)
    await house.shows(entry, "unwatched_episodes", service.state()["unwatched"])
    assert house.value(entry, "watching") == "off"


async def test_a_cached_library_grows_stale_too(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Trakt)
    entry = await add_account(service)
    down(service)
    await house.advance(23 * HOUR)
    before = house.value(entry, "unwatched_episodes")
    await restart(house, entry)
    await until(lambda: not coordinator_of(entry).last_update_success)
    assert house.value(entry, "unwatched_episodes") == before
    await house.advance(2 * HOUR)
    assert {house.value(entry, key) for key in COUNTS} == {STATE_UNAVAILABLE}


async def test_an_idle_account_is_not_stale_after_a_power_cut(
    house: House, serve: Serve, add_account: AddAccount, hass_storage: dict[str, Any]
) -> None:
    """What is cached knows when the service was last heard of, though nothing has changed since."""
    service = await serve(Trakt)
    entry = await add_account(service)
    name = f"{DOMAIN}.library.{entry.entry_id}"
    await house.advance(31)
    await until(lambda: name in hass_storage)
    first = coordinator_of(entry).refreshed_at
    for _ in range(3):
        await house.advance(HOUR)
        await linger(0.05)
    await until(lambda: coordinator_of(entry).refreshed_at != first)
    await house.advance(31)

    def lag() -> timedelta:
        stored = datetime.fromisoformat(hass_storage[name]["data"]["refreshed_at"])
        return house.clock.now() - stored

    await until(lambda: lag() <= timedelta(hours=1, minutes=2))


async def test_what_was_read_last_is_kept_when_home_assistant_stops(
    house: House, serve: Serve, add_account: AddAccount, hass_storage: dict[str, Any]
) -> None:
    service = await serve(Trakt)
    entry = await add_account(service)
    name = f"{DOMAIN}.library.{entry.entry_id}"
    assert name not in hass_storage
    house.hass.bus.async_fire(EVENT_HOMEASSISTANT_FINAL_WRITE)
    await house.hass.async_block_till_done()
    assert name in hass_storage


@pytest.mark.parametrize("failing_before", [False, True])
async def test_dead_sign_in_makes_unavailable_at_once(
    house: House, serve: Serve, add_account: AddAccount, failing_before: bool
) -> None:
    service = await serve(Trakt)
    entry = await add_account(service)
    if failing_before:
        down(service, kind="status", status=502)
        await coordinator_of(entry).async_refresh()
        assert house.value(entry, "watchlist") != STATE_UNAVAILABLE
        service.faults.clear()
    service.revoke_tokens()
    await coordinator_of(entry).async_refresh()
    assert {house.value(entry, key) for key in (*COUNTS, *LIVE)} == {STATE_UNAVAILABLE}
    assert STATE_UNAVAILABLE not in {house.value(entry, key) for key in OWN}
    (flow,) = house.hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert flow["context"]["source"] == "reauth"


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="html"),
        Fault(kind="empty"),
        Fault(kind="broken_json"),
        Fault(kind="drop"),
        Fault(kind="reset"),
        Fault(kind="status", status=500, body="oops"),
        Fault(kind="status", status=418, body="{}"),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
async def test_what_cannot_be_understood_changes_nothing(
    house: House, serve: Serve, add_account: AddAccount, fault: Fault
) -> None:
    service = await serve(Trakt)
    entry = await add_account(service)
    before = {key: house.value(entry, key) for key in COUNTS}
    down(service, kind=fault.kind, status=fault.status, body=fault.body)
    await coordinator_of(entry).async_refresh()
    assert not coordinator_of(entry).last_update_success
    assert {key: house.value(entry, key) for key in COUNTS} == before
    assert {house.value(entry, key) for key in LIVE} == {STATE_UNKNOWN}
    service.faults.clear()
    await coordinator_of(entry).async_refresh()
    assert {key: house.value(entry, key) for key in COUNTS} == before
    assert house.value(entry, "watching") == "off"


async def test_a_defect_of_ours_changes_nothing(
    house: House,
    serve: Serve,
    add_account: AddAccount,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    service = await serve(Trakt)
    entry = await add_account(service)
    before = house.value(entry, "unwatched_episodes")
    with monkeypatch.context() as patch:

        async def broken(_: object) -> None:
            raise ZeroDivisionError

        patch.setattr(coordinator_of(entry).tracker, "refresh", broken)
        await coordinator_of(entry).async_refresh()
    assert "ZeroDivisionError" in caplog.text
    caplog.clear()
    assert house.value(entry, "unwatched_episodes") == before
    assert house.value(entry, "watching") == STATE_UNKNOWN
    await coordinator_of(entry).async_refresh()
    assert house.value(entry, "watching") == "off"


async def test_being_asked_to_slow_down(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Trakt)
    entry = await add_account(service)
    before = house.value(entry, "unwatched_episodes")
    usual = coordinator_of(entry).update_interval
    down(service, kind="status", status=429, headers={"Retry-After": "700"})
    await coordinator_of(entry).async_refresh()
    assert coordinator_of(entry).update_interval == timedelta(seconds=700)
    asked = service.count()
    await house.advance(650)
    await linger()
    assert service.count() == asked
    assert house.value(entry, "unwatched_episodes") == before
    service.faults.clear()
    await house.advance(60)
    await until(lambda: coordinator_of(entry).update_interval == usual)


async def test_failing_slows_down_to_half_an_hour(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Trakt)
    entry = await add_account(service)
    down(service)
    intervals = []
    for _ in range(8):
        await coordinator_of(entry).async_refresh()
        interval = coordinator_of(entry).update_interval
        assert interval is not None
        intervals.append(interval)
    assert intervals == sorted(intervals)
    assert intervals[-1] == timedelta(minutes=30)


async def test_refused_access_is_an_issue_until_it_works_again(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Trakt)
    entry = await add_account(service)
    down(service, kind="html", status=403)
    await coordinator_of(entry).async_refresh()
    registry = ir.async_get(house.hass)
    issue = registry.async_get_issue(DOMAIN, f"access_denied_{entry.entry_id}")
    assert issue is not None
    assert issue.translation_key == "blocked"
    service.faults.clear()
    await coordinator_of(entry).async_refresh()
    assert not registry.async_get_issue(DOMAIN, f"access_denied_{entry.entry_id}")


# time ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Trakt, Simkl])
async def test_an_airing_counts_without_a_request(
    house: House, serve: Serve, add_account: AddAccount, kind: type[Service]
) -> None:
    service = await serve(kind, airing_in=40)
    service.pacing = False
    entry = await add_account(service)
    before = int(house.value(entry, "unwatched_episodes"))
    service.requests.clear()
    await house.advance(41)
    assert house.value(entry, "unwatched_episodes") == str(before + 1)
    assert service.requests == []
    await coordinator_of(entry).async_refresh()
    assert service.requests
    assert house.value(entry, "unwatched_episodes") == str(before + 1)
    assert service.state()["unwatched"] == before + 1


async def test_a_poll_sees_an_airing_where_the_service_has_no_calendar(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(KinoPub, airing_in=40)
    service.pacing = False
    entry = await add_account(service)
    before = int(house.value(entry, "unwatched_episodes"))
    await house.advance(41)
    await coordinator_of(entry).async_refresh()
    assert house.value(entry, "unwatched_episodes") == str(before + 1)


async def test_what_plays_is_over_when_its_time_is(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Trakt)
    service.play(movie=500_000)
    entry = await add_account(service)
    assert house.value(entry, "watching") == "on"
    expires = datetime.fromisoformat(
        house.state(entry, "now_watching").attributes["expires_at"]
    )
    down(service, kind="hang", seconds=60)
    await house.advance((expires - house.clock.now()).total_seconds() + 1)
    assert house.value(entry, "watching") == "off"
    assert house.value(entry, "now_watching") == "nothing"


@pytest.mark.parametrize("days", [-3, 3])
async def test_a_changed_clock_heals_with_the_next_refresh(
    house: House, serve: Serve, add_account: AddAccount, days: int
) -> None:
    service = await serve(Trakt)
    entry = await add_account(service)
    house.clock.advance(days * 24 * HOUR)
    await coordinator_of(entry).async_refresh()
    unwatched = service.state()["unwatched"] if days > 0 else None
    assert house.value(entry, "unwatched_episodes") != STATE_UNAVAILABLE
    if unwatched is not None:
        assert house.value(entry, "unwatched_episodes") == str(unwatched)
    shown = datetime.fromisoformat(house.value(entry, "last_refresh"))
    assert abs(house.clock.now() - shown) < timedelta(minutes=1)


# refreshing ---------------------------------------------------------------------------------------------------


async def test_refreshes_asked_for_together_are_one_more_at_most(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Trakt)
    entry = await add_account(service)
    coordinator = coordinator_of(entry)
    service.requests.clear()
    await coordinator.async_refresh()
    once = service.count()
    service.requests.clear()
    await asyncio.gather(*(coordinator.async_refresh() for _ in range(6)))
    assert service.count() <= 2 * once
    assert coordinator.last_update_success


async def test_home_assistant_can_be_asked_to_update(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    assert await async_setup_component(house.hass, "homeassistant", {})
    service = await serve(Trakt)
    entry = await add_account(service)
    service.play(movie=500_000)
    await house.hass.services.async_call(
        "homeassistant",
        "update_entity",
        {"entity_id": house.entity_id(entry, "watching")},
        blocking=True,
    )
    await house.shows(entry, "watching", "on")


@pytest.mark.parametrize("scheduled", [False, True])
async def test_a_slow_refresh_does_not_undo_a_later_one(
    house: House,
    serve: Serve,
    add_account: AddAccount,
    monkeypatch: pytest.MonkeyPatch,
    scheduled: bool,
) -> None:
    service = await serve(Trakt)
    entry = await add_account(service)
    coordinator = coordinator_of(entry)
    before = int(house.value(entry, "unwatched_episodes"))
    real, go_on = coordinator.tracker.refresh, asyncio.Event()

    async def slow(previous: Any) -> Any:
        found = await real(previous)
        await go_on.wait()
        return found

    monkeypatch.setattr(coordinator.tracker, "refresh", slow)
    if scheduled:
        assert coordinator.update_interval
        await house.advance(coordinator.update_interval.total_seconds() + 1)
    first = asyncio.create_task(linger(0) if scheduled else coordinator.async_refresh())
    await linger(0.1)
    episode = next_episode(entry)
    service.clock.advance(120)
    service.watch(int(episode.show.ids.values["trakt"]), episode.season, episode.number)
    monkeypatch.setattr(coordinator.tracker, "refresh", real)
    second = asyncio.create_task(coordinator.async_refresh())
    await linger(0.1)
    go_on.set()
    await asyncio.gather(first, second)
    await linger(0.1)
    assert house.value(entry, "unwatched_episodes") == str(before - 1)


async def test_details_are_read_once_and_know_what_is_on_its_way(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Trakt)
    entry = await add_account(service)
    coordinator = coordinator_of(entry)
    episode = next_episode(entry)
    service.requests.clear()
    detail = await coordinator.async_detail(episode.show.ids)
    asked = service.count()
    assert asked
    assert await coordinator.async_detail(episode.show.ids) == detail
    assert service.count() == asked

    down(service, "POST", kind="hang", seconds=60)
    await coordinator.async_write([mark(entry, house.clock)], 0, detail)
    detail = await coordinator.async_detail(episode.show.ids)
    row = detail.find(episode.season, episode.number)
    assert row is not None
    assert row.watched
    assert coordinator.unconfirmed


# writing ------------------------------------------------------------------------------------------------------


async def test_a_write_shows_at_once_and_is_confirmed(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Trakt)
    entry = await add_account(service)
    coordinator = coordinator_of(entry)
    before = int(house.value(entry, "unwatched_episodes"))
    label = house.value(entry, "next_episode")
    plays = service.state()["plays"]
    service.clock.advance(90)

    seen: list[tuple[str, str, int]] = []

    @callback
    def see(_: object) -> None:
        shown = [
            house.value(entry, k) for k in ("unwatched_episodes", "pending_writes")
        ]
        seen.append((shown[0], shown[1], service.state()["plays"]))

    async_track_state_change_event(
        house.hass, [house.state(entry, "unwatched_episodes").entity_id], see
    )
    (receipt,) = await coordinator.async_write([mark(entry, house.clock)], 10)
    # on screen before the service knew
    assert seen[0] == (str(before - 1), "1", plays)
    assert receipt is not None
    assert receipt.outcome is Outcome.DONE
    assert house.value(entry, "pending_writes") == "0"
    assert service.state()["plays"] == plays + 1
    await house.advance(1)
    await until(lambda: not coordinator.unconfirmed, "the write is confirmed")
    assert house.value(entry, "unwatched_episodes") == str(before - 1)
    assert service.state()["unwatched"] == before - 1
    assert house.value(entry, "next_episode") not in (label, STATE_UNKNOWN)


async def test_a_refused_write_is_taken_back(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Trakt)
    entry = await add_account(service)
    coordinator = coordinator_of(entry)
    before = house.value(entry, "unwatched_episodes")
    label = house.value(entry, "next_episode")
    service.faults.append(
        Fault(kind="status", match="POST /sync/history", status=422, times=5)
    )
    (receipt,) = await coordinator.async_write([mark(entry, house.clock)], 10)
    assert receipt is not None
    assert receipt.outcome is Outcome.REFUSED
    assert house.value(entry, "unwatched_episodes") == before
    assert house.value(entry, "next_episode") == label
    # whoever asked has heard of it: nothing waits for a person
    assert not coordinator.outbox.failed


async def test_a_write_refused_later_waits_for_a_person(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Trakt)
    entry = await add_account(service)
    coordinator = coordinator_of(entry)
    before = house.value(entry, "unwatched_episodes")
    service.faults.append(
        Fault(kind="status", match="POST /sync/history", status=422, times=1)
    )
    assert await coordinator.async_write([mark(entry, house.clock)], 0) == [None]
    await until(lambda: coordinator.outbox.failed)
    assert house.value(entry, "unwatched_episodes") == before
    registry = ir.async_get(house.hass)
    assert registry.async_get_issue(DOMAIN, f"failed_writes_{entry.entry_id}")

    (failed,) = coordinator.outbox.failed
    await coordinator.async_retry(failed.id)
    await house.shows(entry, "unwatched_episodes", int(before) - 1)
    await until(lambda: not coordinator.outbox.pending)
    assert not registry.async_get_issue(DOMAIN, f"failed_writes_{entry.entry_id}")
    assert service.state()["unwatched"] == int(before) - 1


async def test_reading_waits_until_the_service_has_settled(
    house: House,
    serve: Serve,
    add_account: AddAccount,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service = await serve(Trakt)
    entry = await add_account(service)
    coordinator = coordinator_of(entry)
    monkeypatch.setattr(type(coordinator.tracker), "settles_after", 0.6)
    before = int(house.value(entry, "unwatched_episodes"))
    await coordinator.async_write([mark(entry, house.clock)], 10)
    service.requests.clear()
    await coordinator.async_refresh()
    assert service.requests == []
    assert house.value(entry, "unwatched_episodes") == str(before - 1)
    assert house.value(entry, "watching") == "off"
    await until(lambda: service.requests, "it reads by itself once settled", 3)
    await until(lambda: not coordinator.unconfirmed)


async def test_waiting_for_a_service_to_settle_is_not_knowing_what_plays(
    house: House,
    serve: Serve,
    add_account: AddAccount,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where refreshing failed before the write, what was playing before that is not brought back."""
    service = await serve(Trakt)
    service.play(movie=500_000)
    entry = await add_account(service)
    coordinator = coordinator_of(entry)
    monkeypatch.setattr(type(coordinator.tracker), "settles_after", 30.0)
    down(service, "GET", kind="status", status=503)
    await coordinator.async_refresh()
    assert house.value(entry, "watching") == STATE_UNKNOWN
    listed = Movie(title="Nowhere", ids=Ids.of(trakt=500_009))
    await coordinator.async_write([SetWatchlisted(item=listed, listed=True)], 10)
    await coordinator.async_refresh()
    assert coordinator.last_update_success
    assert house.value(entry, "watching") == STATE_UNKNOWN


async def test_what_the_service_never_shows_is_believed_in_the_end(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    """A write that was carried out, but changed nothing there: the service is right after three refreshes."""
    service = await serve(Trakt)
    entry = await add_account(service)
    coordinator = coordinator_of(entry)
    listed = Show(title="Nowhere", ids=Ids.of(trakt=1019))
    service.watchlist_add(show=1019)
    await coordinator.async_refresh()
    (receipt,) = await coordinator.async_write(
        [SetWatchlisted(item=listed, listed=True)], 10
    )
    assert receipt is not None
    for _ in range(coordinator_module.CONFIRMED_AFTER + 1):
        await coordinator.async_refresh()
    assert not coordinator.unconfirmed
    assert int(house.value(entry, "watchlist")) == service.state()["watchlist"]


async def test_a_full_outbox_survives_a_restart(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Trakt)
    service.pacing = False
    entry = await add_account(service)
    coordinator = coordinator_of(entry)
    before = int(house.value(entry, "unwatched_episodes"))
    plays = service.state()["plays"]
    episodes = [
        show.next_episode
        for show in coordinator.data.overview.shows[:4]
        if show.next_episode
    ]
    assert len(episodes) == 4
    down(service)
    writes = [MarkWatched(item=e, watched_at=house.clock.now()) for e in episodes]
    assert await coordinator.async_write(writes, 0.3) == [None] * 4
    assert house.value(entry, "unwatched_episodes") == str(before - 4)

    await restart(house, entry)
    assert house.value(entry, "pending_writes") == "4"
    assert house.value(entry, "unwatched_episodes") == str(before - 4)
    await until(lambda: not coordinator_of(entry).last_update_success)
    assert service.state()["plays"] == plays

    service.faults.clear()
    await coordinator_of(entry).async_refresh()
    await house.shows(entry, "pending_writes", 0)
    assert service.state()["plays"] == plays + 4
    assert service.state()["unwatched"] == before - 4
    await house.shows(entry, "unwatched_episodes", before - 4)


@pytest.mark.parametrize("kind", ["lost", "hang"])
async def test_killed_between_request_and_answer(
    house: House, serve: Serve, add_account: AddAccount, kind: str
) -> None:
    """Carried out (lost) or not (hang): after the restart there is one play, not two and not none."""
    service = await serve(Trakt)
    entry = await add_account(service)
    plays = service.state()["plays"]
    before = int(house.value(entry, "unwatched_episodes"))
    service.faults.append(Fault(kind=kind, match="POST /sync/history$", seconds=1))
    write = mark(entry, house.clock)
    assert await coordinator_of(entry).async_write([write], 0.3) == [None]
    assert service.state()["plays"] == plays + (kind == "lost")

    await restart(house, entry)
    await house.shows(entry, "pending_writes", 0)
    assert service.state()["plays"] == plays + 1
    await house.shows(entry, "unwatched_episodes", before - 1)
    await linger(1)  # the service, too, is done with the request it hung on


async def test_sign_in_dead_while_sending_keeps_the_writes(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Trakt)
    entry = await add_account(service)
    coordinator = coordinator_of(entry)
    service.revoke_tokens()
    assert await coordinator.async_write([mark(entry, house.clock)], 0.5) == [None]
    assert house.value(entry, "pending_writes") == "1"
    assert house.value(entry, "unwatched_episodes") == STATE_UNAVAILABLE
    assert house.hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    (pending,) = coordinator.outbox.pending
    assert pending.state is State.PENDING


async def test_refused_access_while_sending_keeps_the_writes(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Trakt)
    entry = await add_account(service)
    coordinator = coordinator_of(entry)
    down(service, "POST", kind="status", status=423)
    assert await coordinator.async_write([mark(entry, house.clock)], 0.5) == [None]
    registry = ir.async_get(house.hass)
    issue = registry.async_get_issue(DOMAIN, f"access_denied_{entry.entry_id}")
    assert issue is not None
    assert issue.translation_key == "account_locked"
    service.faults.clear()
    await coordinator.async_refresh()
    await house.shows(entry, "pending_writes", 0)
    assert not registry.async_get_issue(DOMAIN, f"access_denied_{entry.entry_id}")


async def test_unwatching_counts_up_again(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Trakt)
    service.pacing = False
    entry = await add_account(service)
    coordinator = coordinator_of(entry)
    before = int(house.value(entry, "unwatched_episodes"))
    write = mark(entry, house.clock)
    await coordinator.async_write([write], 10)
    assert house.value(entry, "unwatched_episodes") == str(before - 1)
    detail = await coordinator.async_detail(write.item.show.ids)  # type: ignore[union-attr]
    (receipt,) = await coordinator.async_write(
        [MarkUnwatched(item=write.item)], 10, detail
    )
    assert receipt is not None
    assert receipt.outcome is Outcome.DONE
    assert house.value(entry, "unwatched_episodes") == str(before)
    await coordinator.async_refresh()
    await house.shows(entry, "unwatched_episodes", before)
    assert service.state()["unwatched"] == before


async def test_nothing_secret_is_logged(
    house: House,
    serve: Serve,
    add_account: AddAccount,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    service = await serve(Trakt)
    entry = await add_account(service)
    service.expire_tokens()
    await coordinator_of(entry).async_refresh()
    service.revoke_tokens()
    await coordinator_of(entry).async_refresh()
    ours = "\n".join(
        r.getMessage() for r in caplog.records if r.name.startswith("custom_components")
    )
    assert ours
    assert "up-next-secret" not in ours
    assert "Bearer" not in ours
