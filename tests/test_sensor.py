"""The sensors of an account, seen from outside."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
import json
from pathlib import Path

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.up_next.account import WRITING, Account, Capability, Quota
from custom_components.up_next.const import DOMAIN
from custom_components.up_next.coordinator import AccountCoordinator
from custom_components.up_next.library import Library, Playback, PlaybackState, Totals
from custom_components.up_next.media import Episode, Ids, Movie, Show
from custom_components.up_next.sensor import SENSORS
from custom_components.up_next.trackers import TRACKERS
from custom_components.up_next.trackers.tracker import Refresh
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN, EntityCategory
from homeassistant.helpers import entity_registry as er
from simulators.kinopub import KinoPub
from simulators.letterboxd import Letterboxd
from simulators.service import Fault
from simulators.simkl import Simkl
from simulators.trakt import Trakt

from .accounts import House, coordinator_of
from .conftest import AddAccount, Serve

ROOT = Path(__file__).parent.parent / "custom_components" / DOMAIN
LONG = 4096


def keys(house: House, entry: MockConfigEntry) -> set[str]:
    """Return the keys of an account's entities, disabled ones too."""
    registry = er.async_get(house.hass)
    return {
        found.unique_id.removeprefix(f"{entry.unique_id}_")
        for found in er.async_entries_for_config_entry(registry, entry.entry_id)
    }


async def show(
    coordinator: AccountCoordinator, monkeypatch: pytest.MonkeyPatch, library: Library
) -> None:
    """Let the next refresh read this library."""

    async def refresh(_: Library | None) -> Refresh:
        return Refresh(library=library, next_in=60)

    monkeypatch.setattr(coordinator.tracker, "refresh", refresh)
    await coordinator.async_refresh()
    await coordinator.hass.async_block_till_done()


async def test_what_an_account_shows(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Trakt, shows=30, movies=20)
    service.pause(movie=500_003, progress=30)
    entry = await add_account(service)
    told = service.state()
    assert house.value(entry, "unwatched_episodes") == str(told["unwatched"])
    assert house.value(entry, "unwatched_shows") == str(told["shows_in_progress"])
    assert house.value(entry, "watchlist") == str(told["watchlist"])
    assert house.value(entry, "in_progress") == "1"
    assert house.value(entry, "watched_movies") == str(told["movie_plays"])
    assert house.value(entry, "watched_episodes") == str(told["episode_plays"])
    assert house.value(entry, "pending_writes") == "0"
    assert house.value(entry, "now_watching") == "nothing"
    read_at = datetime.fromisoformat(house.value(entry, "last_refresh"))
    assert abs(read_at - house.clock.now()) < timedelta(seconds=30)


async def test_the_next_episode(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Trakt)
    entry = await add_account(service)
    state = house.state(entry, "next_episode")
    show = service.catalogue.show("trakt", state.attributes["show_ids"]["trakt"])
    assert show is not None
    episode = show.episode(state.attributes["season"], state.attributes["episode"])
    assert episode is not None
    assert state.attributes["show"] == show.title
    assert state.attributes["title"] == episode.title
    assert state.state == (
        f"{show.title} S{episode.season:02d}E{episode.number:02d} {episode.title}"
    )
    aired = datetime.fromisoformat(state.attributes["aired"])
    assert abs(aired - episode.first_aired) < timedelta(seconds=1)
    assert state.attributes["ids"]["trakt"] == str(episode.ids["trakt"])
    assert state.attributes["link"].startswith("https://app.trakt.tv/shows/")
    assert state.attributes["entity_picture"].startswith("/api/up_next/pictures/")


@pytest.mark.parametrize("movie", [True, False])
async def test_now_watching(
    house: House, serve: Serve, add_account: AddAccount, movie: bool
) -> None:
    service = await serve(Trakt)
    if movie:
        service.play(movie=500_000, progress=10)
    else:
        service.play(show=1000, season=1, number=1, progress=10)
    entry = await add_account(service)
    state = house.state(entry, "now_watching")
    found = service.catalogue.shows[0], service.catalogue.movies[0]
    title = found[movie]
    assert state.attributes["year"] == title.year
    assert state.attributes["state"] == "playing"
    assert state.attributes["duration"] > 0
    assert datetime.fromisoformat(state.attributes["updated_at"]).tzinfo is not None
    assert datetime.fromisoformat(state.attributes["expires_at"]) > house.clock.now()
    if movie:
        assert state.state == f"{title.title} ({title.year})"
        assert state.attributes["type"] == "movie"
        assert state.attributes["title"] == title.title
        assert state.attributes["ids"]["trakt"] == "500000"
        assert not {"show", "season", "episode", "show_ids"} & set(state.attributes)
    else:
        assert state.state.startswith(f"{title.title} S01E01")
        assert state.attributes["type"] == "episode"
        assert state.attributes["show"] == title.title
        assert (state.attributes["season"], state.attributes["episode"]) == (1, 1)
        assert state.attributes["show_ids"]["trakt"] == "1000"
    assert state.attributes["link"]
    assert state.attributes["entity_picture"]

    service.stop_playing()
    await coordinator_of(entry).async_refresh()
    state = house.state(entry, "now_watching")
    assert state.state == "nothing"
    assert not {"title", "entity_picture", "position"} & set(state.attributes)

    # nothing playing and not knowing are two things
    service.faults.append(Fault(kind="status", status=503, times=100))
    await coordinator_of(entry).async_refresh()
    assert house.value(entry, "now_watching") == STATE_UNKNOWN


async def test_attributes_stay_small_and_out_of_the_recorder(
    house: House,
    serve: Serve,
    add_account: AddAccount,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever the titles are: states fit, attributes are under 2 KB, and what changes all the time is not kept."""
    service = await serve(Trakt, shows=1, movies=1, watched=100, in_progress=1)
    entry = await add_account(service)
    coordinator = coordinator_of(entry)
    library = coordinator.data.library
    (key,) = library.shows
    progress = library.shows[key]
    long = Show(title="x" * 300, ids=progress.show.ids, url="https://example.com/s")
    episode = Episode(show=long, season=1, number=2, title="y" * 300)
    watching = Playback(
        item=episode,
        state=PlaybackState.PAUSED,
        updated_at=house.clock.now(),
        progress=12.345,
        position=99.6,
        duration=1000,
    )
    await show(
        coordinator,
        monkeypatch,
        replace(
            library,
            shows={key: replace(progress, show=long, next_episode=episode)},
            watching=watching,
        ),
    )
    for name in ("next_episode", "now_watching"):
        state = house.state(entry, name)
        assert len(state.state) == 255
        assert len(json.dumps(dict(state.attributes), default=str)) < 2048
        assert state.attributes["link"] == "https://example.com/s"
    state = house.state(entry, "now_watching")
    assert state.attributes["progress"] == 12.3
    assert state.attributes["position"] == 100
    assert state.attributes["expires_at"] is None
    assert state.state_info is not None
    assert {"position", "updated_at", "progress", "ids", "entity_picture"} <= set(
        state.state_info["unrecorded_attributes"]
    )
    kept = set(state.attributes) - set(state.state_info["unrecorded_attributes"])
    assert kept == {
        "type", "show", "season", "episode", "year", "title", "state", "friendly_name",
    }  # fmt: skip


async def test_what_is_not_known_yet_is_not_zero(
    house: House,
    serve: Serve,
    add_account: AddAccount,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = await add_account(await serve(Trakt))
    coordinator = coordinator_of(entry)
    library = coordinator.data.library
    await show(
        coordinator,
        monkeypatch,
        replace(library, complete=False, shows={}, watchlist=(), airings={}),
    )
    for key in ("unwatched_episodes", "unwatched_shows", "watchlist", "in_progress"):
        assert house.value(entry, key) == STATE_UNKNOWN
    assert house.value(entry, "next_episode") == STATE_UNKNOWN


async def test_caught_up_and_not_known_which(
    house: House,
    serve: Serve,
    add_account: AddAccount,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = await add_account(await serve(Trakt, in_progress=1))
    coordinator = coordinator_of(entry)
    library = coordinator.data.library
    blank = {k: replace(row, next_episode=None) for k, row in library.shows.items()}
    await show(coordinator, monkeypatch, replace(library, shows=blank, airings={}))
    assert house.value(entry, "next_episode") == STATE_UNKNOWN
    assert "show" not in house.state(entry, "next_episode").attributes
    await show(coordinator, monkeypatch, replace(library, shows={}))
    assert house.value(entry, "next_episode") == "nothing"
    assert house.value(entry, "unwatched_episodes") == "0"


# which entities there are -------------------------------------------------------------------------------------


async def test_what_an_account_cannot_know_is_absent(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    trakt = await add_account(await serve(Trakt))
    service = await serve(KinoPub)
    service.pacing = False
    kinopub = await add_account(service)
    simkl_service = await serve(Simkl)
    simkl_service.pacing = False
    simkl = await add_account(simkl_service)
    for entry in (trakt, kinopub, simkl):
        can = coordinator_of(entry).data.library.account.can
        shown = keys(house, entry)
        for description in SENSORS:
            assert (description.key in shown) == (
                description.fits(can)
                and description.known_fn(coordinator_of(entry).data.library)
            ), description.key
    assert "subscription_end" in keys(house, kinopub)
    assert "subscription_end" not in keys(house, trakt) | keys(house, simkl)
    assert "requests_left" in keys(house, simkl)
    assert "requests_left" not in keys(house, trakt) | keys(house, kinopub)
    assert house.value(kinopub, "subscription_end") != STATE_UNKNOWN


async def test_entities_come_and_go_with_what_the_account_can(
    house: House,
    serve: Serve,
    add_account: AddAccount,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = await add_account(await serve(Trakt))
    coordinator = coordinator_of(entry)
    monkeypatch.setattr(type(coordinator.tracker), "may", ~Capability.NONE)
    library = coordinator.data.library
    end = datetime(2027, 1, 1, tzinfo=UTC)

    def able(can: Capability) -> Library:
        account = replace(library.account, can=can, subscription_end=end)
        return replace(library, account=account)

    await show(coordinator, monkeypatch, able(Capability.SUBSCRIPTION))
    assert keys(house, entry) == {"subscription_end", "last_refresh"}
    assert house.value(entry, "subscription_end") == end.isoformat()
    assert house.find(entry, "unwatched_episodes") is None

    everything = ~Capability.NONE
    # it could have totals, but its service does not tell them
    untold = replace(able(everything), totals=Totals())
    await show(coordinator, monkeypatch, untold)
    totals_of = {"watched_movies", "watched_episodes"}
    assert keys(house, entry) == {d.key for d in SENSORS} - totals_of | {"watching"}

    await show(coordinator, monkeypatch, able(everything))
    assert keys(house, entry) == {d.key for d in SENSORS} | {"watching"}
    assert house.value(entry, "unwatched_episodes") == str(
        coordinator.data.overview.unwatched
    )

    totals = replace(able(everything), totals=Totals(movies=3))
    await show(coordinator, monkeypatch, totals)
    assert house.value(entry, "watched_movies") == "3"
    assert house.value(entry, "watched_episodes") == STATE_UNKNOWN


async def test_requests_left(
    house: House,
    serve: Serve,
    add_account: AddAccount,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = await add_account(await serve(Trakt))
    coordinator = coordinator_of(entry)
    kind = type(coordinator.tracker)
    monkeypatch.setattr(kind, "may", ~Capability.NONE)
    library = coordinator.data.library
    account = replace(library.account, can=~Capability.NONE)
    await show(coordinator, monkeypatch, replace(library, account=account))
    entity_id = house.entity_id(entry, "requests_left")
    assert entity_id
    registry = er.async_get(house.hass)
    found = registry.async_get(entity_id)
    assert found
    assert found.disabled_by is er.RegistryEntryDisabler.INTEGRATION
    registry.async_update_entity(entity_id, disabled_by=None)
    house.hass.config_entries.async_schedule_reload(entry.entry_id)
    await house.advance(60)
    coordinator = coordinator_of(entry)
    await show(coordinator, monkeypatch, replace(library, account=account))
    assert house.value(entry, "requests_left") == STATE_UNKNOWN

    resets = datetime(2027, 1, 1, tzinfo=UTC)
    quota = Quota(remaining=17, limit=1000, resets_at=resets)
    monkeypatch.setattr(kind, "quota", property(lambda _: quota))
    await coordinator.async_refresh()
    state = house.state(entry, "requests_left")
    assert state.state == "17"
    assert state.attributes["limit"] == 1000
    assert state.attributes["resets_at"] == resets.isoformat()


async def test_last_refresh_moves_in_steps_while_all_is_well(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Trakt)
    entry = await add_account(service)
    first = house.value(entry, "last_refresh")
    house.clock.advance(200)
    await coordinator_of(entry).async_refresh()
    assert house.value(entry, "last_refresh") == first
    house.clock.advance(200)
    await coordinator_of(entry).async_refresh()
    second = house.value(entry, "last_refresh")
    assert second > first
    house.clock.advance(100)
    await coordinator_of(entry).async_refresh()
    assert house.value(entry, "last_refresh") == second
    read_at = coordinator_of(entry).refreshed_at
    assert read_at
    # and is exact once it matters
    service.faults.append(Fault(kind="status", status=503, times=100))
    await coordinator_of(entry).async_refresh()
    shown = datetime.fromisoformat(house.value(entry, "last_refresh"))
    assert shown == read_at.replace(microsecond=0) > datetime.fromisoformat(second)


async def test_categories_units_and_classes(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    entry = await add_account(await serve(Trakt))
    registry = er.async_get(house.hass)
    own = {"last_refresh", "pending_writes", "requests_left", "subscription_end"}
    for key in keys(house, entry) - {"watching"}:
        entity_id = house.entity_id(entry, key)
        found = registry.async_get(entity_id) if entity_id else None
        assert found is not None
        category = EntityCategory.DIAGNOSTIC if key in own else None
        assert found.entity_category is category
        assert found.translation_key == key
    unit = "unit_of_measurement"
    assert house.state(entry, "unwatched_episodes").attributes[unit] == "episodes"
    assert house.state(entry, "unwatched_shows").attributes[unit] == "shows"
    assert house.state(entry, "watched_movies").attributes["state_class"] == "total"
    assert (
        house.state(entry, "watchlist").attributes["friendly_name"]
        == f"{entry.title} Watchlist"
    )


async def test_unavailable_is_for_what_the_service_tells_only(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Trakt)
    entry = await add_account(service)
    service.revoke_tokens()
    await coordinator_of(entry).async_refresh()
    shown = {key: house.value(entry, key) for key in keys(house, entry)}
    assert {k for k, value in shown.items() if value != STATE_UNAVAILABLE} == {
        "last_refresh",
        "pending_writes",
    }


def test_every_entity_has_its_text_and_icon() -> None:
    texts = json.loads((ROOT / "translations" / "en.json").read_text())["entity"]
    icons = json.loads((ROOT / "icons.json").read_text())["entity"]
    expected = {d.key for d in SENSORS} | {"playback"}
    assert set(texts["sensor"]) == set(icons["sensor"]) == expected
    for description in SENSORS:
        text = texts["sensor"][description.key]
        assert text["name"]
        assert ("unit_of_measurement" in text) == (description.state_class is not None)
    assert set(texts["binary_sensor"]) == set(icons["binary_sensor"]) == {"watching"}


def test_a_movie_without_a_page_has_no_link() -> None:
    from custom_components.up_next.sensor import _references

    movie = Movie(title="Heretic", ids=Ids.of(imdb="tt1"))
    assert _references(movie) == {"ids": {"imdb": "tt0000001"}, "link": None}


def test_an_account_is_what_its_service_says() -> None:
    account = Account(id="1", name="one", can=Capability.NONE)
    always = {d.key for d in SENSORS if d.fits(account.can)}
    assert always == {"last_refresh"}


def test_what_cannot_write_only_reads() -> None:
    """Every capability is one of reading, of writing, or says how something else is written."""
    how = Capability.MARK_DATED | Capability.REWATCH | Capability.HEARTBEAT
    assert {found.name for found in ~Capability.NONE & ~WRITING & ~how} == {
        "UNWATCHED", "WATCHLIST", "PLAYBACKS", "NOW_WATCHING", "HISTORY", "TOTALS", "AIRINGS", "QUOTA", "SUBSCRIPTION",
        "SEARCH", "LOOK_UP_PLAYBACK",
    }  # fmt: skip
    assert {key for key, tracker in TRACKERS.items() if not tracker.may & WRITING} == {
        "tautulli",
        "letterboxd",
        "firstlight",
    }


async def test_pending_writes_go_where_nothing_can_be_written(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    """Also one that an earlier version registered."""
    service = await serve(Letterboxd)
    entry = await add_account(service)
    await house.hass.config_entries.async_unload(entry.entry_id)
    registry = er.async_get(house.hass)
    registry.async_get_or_create(
        "sensor",
        DOMAIN,
        f"{entry.unique_id}_pending_writes",
        config_entry=entry,
    )
    assert "pending_writes" in keys(house, entry)
    await house.hass.config_entries.async_setup(entry.entry_id)
    await house.hass.async_block_till_done()
    assert "pending_writes" not in keys(house, entry)
    assert "last_refresh" in keys(house, entry)


async def test_pending_writes_come_with_any_way_to_write(
    house: House,
    serve: Serve,
    add_account: AddAccount,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = await add_account(await serve(Letterboxd))
    coordinator = coordinator_of(entry)
    monkeypatch.setattr(type(coordinator.tracker), "may", ~Capability.NONE)
    library = coordinator.data.library
    for can in WRITING:
        for now in (can | Capability.HISTORY, Capability.HISTORY):
            account = replace(library.account, can=now)
            await show(coordinator, monkeypatch, replace(library, account=account))
            assert ("pending_writes" in keys(house, entry)) == (can in now), can
