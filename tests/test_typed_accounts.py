"""Accounts at Tautulli, Letterboxd, a Trakt v1 server and Firstlight: entities, issues, writes and removal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.up_next.const import DOMAIN
from custom_components.up_next.trackers import TRACKERS
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr, issue_registry as ir
from simulators.firstlight import Firstlight
from simulators.letterboxd import Letterboxd
from simulators.service import Fault, Service
from simulators.tautulli import Tautulli
from simulators.tautulli.items import episode_key, movie_key
from simulators.trakt_v1 import TraktV1

from .accounts import House, coordinator_of, typed_login
from .conftest import AddAccount, Serve

TYPED = pytest.mark.parametrize(
    "service_class", [Tautulli, Letterboxd, TraktV1, Firstlight]
)
COUNTS = {
    "tautulli": {"watched_movies": "movies", "watched_episodes": "episodes"},
    "letterboxd": {"watched_movies": "movies"},
    "trakt_v1": {
        "unwatched_episodes": "unwatched",
        "unwatched_shows": "shows_with_unwatched",
        "watchlist": "watchlist",
        "watched_episodes": "watched_episodes",
    },
    "firstlight": {"in_progress": "bookmarks"},
}
"""What an account counts, and where the simulator tells the same."""
LIVE = {"tautulli", "trakt_v1"}
OTHERS = {
    "unwatched_episodes", "unwatched_shows", "next_episode", "watchlist", "in_progress", "watched_movies",
    "watched_episodes", "requests_left", "subscription_end",
}  # fmt: skip


def issue_of(house: House, entry: MockConfigEntry) -> ir.IssueEntry | None:
    """Return the account's issue about access."""
    registry = ir.async_get(house.hass)
    return registry.async_get_issue(DOMAIN, f"access_denied_{entry.entry_id}")


async def refreshed(entry: MockConfigEntry) -> None:
    await coordinator_of(entry).async_refresh()
    await coordinator_of(entry).hass.async_block_till_done()


# what they show -----------------------------------------------------------------------------------------------


@TYPED
async def test_what_an_account_shows(
    house: House,
    serve: Serve,
    add_account: AddAccount,
    service_class: type[Service],
) -> None:
    service = await serve(service_class, shows=30, movies=40)
    entry = await add_account(service)
    told = service.state()
    counts = COUNTS[service.name]
    shown = {key: house.value(entry, key) for key in counts}
    assert shown == {key: str(told[name]) for key, name in counts.items()}
    assert "0" not in shown.values()
    writes = service_class is TraktV1
    assert (house.entity_id(entry, "pending_writes") is not None) == writes
    for key in OTHERS - counts.keys() - {"next_episode"}:
        assert house.entity_id(entry, key) is None, key
    assert (house.entity_id(entry, "now_watching") is None) == (
        service.name not in LIVE
    )
    assert (house.entity_id(entry, "next_episode") is None) == (
        "unwatched_episodes" not in counts
    )
    (device,) = dr.async_entries_for_config_entry(
        dr.async_get(house.hass), entry.entry_id
    )
    assert device.name == entry.title
    assert device.manufacturer == TRACKERS[service.name].name


async def test_what_plays_on_plex(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Tautulli, shows=12, movies=12)
    entry = await add_account(service)
    assert house.value(entry, "now_watching") == "nothing"
    assert house.value(entry, "watching") == "off"
    session = service.start(episode_key(1000, 1, 2), offset=300)
    service.start(movie_key(500_000), user=1002)  # somebody else
    await refreshed(entry)
    state = house.state(entry, "now_watching")
    show = service.catalogue.show("trakt", 1000)
    assert show is not None
    assert state.state.startswith(f"{show.title} S01E02")
    assert state.attributes["state"] == "playing"
    assert state.attributes["position"] == 300
    assert state.attributes["show_ids"]["imdb"] == show.ids["imdb"]
    assert house.value(entry, "watching") == "on"

    service.plex_down = True
    await refreshed(entry)
    assert house.value(entry, "now_watching") == STATE_UNKNOWN
    assert house.value(entry, "watched_episodes") == str(service.state()["episodes"])
    service.plex_down = False

    before = service.state()["episodes"]
    house.clock.advance(show.runtime)
    service.stop(session)
    await refreshed(entry)
    assert house.value(entry, "now_watching") == "nothing"
    assert service.state()["episodes"] >= before
    await house.shows(entry, "watched_episodes", service.state()["episodes"])


async def test_a_film_that_is_logged(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Letterboxd, movies=40)
    entry = await add_account(service)
    before = int(house.value(entry, "watched_movies"))
    service.watch_movie(500_000 + 39)
    await refreshed(entry)
    assert house.value(entry, "watched_movies") == str(before + 1)
    (play, *_) = coordinator_of(entry).data.library.plays
    assert play.item.title == service.catalogue.movies[39].title


async def test_what_comes_next_at_a_server_of_ones_own(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(TraktV1)
    entry = await add_account(service)
    state = house.state(entry, "next_episode")
    show = service.show(
        next(
            s.ids["trakt"]
            for s in service.catalogue.shows
            if s.title == state.attributes["show"]
        )
    )
    season, number = state.attributes["season"], state.attributes["episode"]
    data = {"show": show.ids["trakt"], "season": season, "number": number}
    service.start_watching(data)
    await refreshed(entry)
    await refreshed(entry)  # what plays and what has changed are asked for by turns
    assert house.value(entry, "watching") == "on"
    assert house.state(entry, "now_watching").attributes["show"] == show.title
    unwatched = int(house.value(entry, "unwatched_episodes"))
    house.clock.advance(60)
    service.watch(show.ids["trakt"], season, number)
    await refreshed(entry)
    assert house.value(entry, "unwatched_episodes") == str(unwatched - 1)
    assert house.value(entry, "watching") == "off"


async def test_what_was_stopped_half_way(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Firstlight, movies=40)
    entry = await add_account(service)
    before = int(house.value(entry, "in_progress"))
    service.pause(movie=500_000 + 39, position=600)
    await refreshed(entry)
    assert house.value(entry, "in_progress") == str(before + 1)
    (playback, *_) = coordinator_of(entry).data.library.playbacks
    assert playback.position == 600
    assert playback.item.title == service.catalogue.movies[39].title
    service.forget(movie=500_000 + 39)
    await refreshed(entry)
    assert house.value(entry, "in_progress") == str(before)


# what goes wrong ----------------------------------------------------------------------------------------------


@TYPED
async def test_an_outage(
    house: House,
    serve: Serve,
    add_account: AddAccount,
    service_class: type[Service],
) -> None:
    service = await serve(service_class, movies=40)
    entry = await add_account(service)
    before = {key: house.value(entry, key) for key in COUNTS[service.name]}
    service.faults.append(Fault("reset", times=1000))
    await refreshed(entry)
    assert not coordinator_of(entry).last_update_success
    assert {key: house.value(entry, key) for key in before} == before
    if service.name in LIVE:
        assert house.value(entry, "now_watching") == STATE_UNKNOWN
    await house.advance(25 * 3600)
    assert {house.value(entry, key) for key in before} == {STATE_UNAVAILABLE}
    service.faults.clear()
    await refreshed(entry)
    assert coordinator_of(entry).last_update_success
    assert STATE_UNAVAILABLE not in {house.value(entry, key) for key in before}


@pytest.mark.parametrize(
    ("service_class", "name", "value", "key"),
    [
        (Tautulli, "api_enabled", False, "api_disabled"),
        (Letterboxd, "private", "404", "user_not_found"),
        (Letterboxd, "blocked", True, "blocked"),
        (TraktV1, "api_key", "another", "app_rejected"),
    ],
)
async def test_refused_access(  # noqa: PLR0917
    house: House,
    serve: Serve,
    add_account: AddAccount,
    service_class: type[Service],
    name: str,
    value: Any,
    key: str,
) -> None:
    service = await serve(service_class, movies=40)
    entry = await add_account(service)
    counts = {k: house.value(entry, k) for k in COUNTS[service.name]}
    before = getattr(service, name)
    setattr(service, name, value)
    await refreshed(entry)
    issue = issue_of(house, entry)
    assert issue is not None
    assert issue.translation_key == key
    assert issue.translation_placeholders == {"account": entry.title}
    assert issue.learn_more_url is not None
    assert issue.learn_more_url.endswith(f"/docs/trackers/{service.name}.md")
    page = Path(__file__).parents[1] / "docs/trackers" / f"{service.name}.md"
    assert page.is_file()
    # nobody has to sign in again, and what was known stays
    assert not house.hass.config_entries.flow.async_progress()
    assert {k: house.value(entry, k) for k in counts} == counts
    setattr(service, name, before)
    await refreshed(entry)
    assert coordinator_of(entry).last_update_success
    assert issue_of(house, entry) is None


# writing ------------------------------------------------------------------------------------------------------


async def test_marking_at_a_server_of_ones_own(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(TraktV1)
    entry = await add_account(service)
    before = service.state()
    attributes = house.state(entry, "next_episode").attributes
    answer: Any = await house.hass.services.async_call(
        DOMAIN,
        "mark_watched",
        {
            "title": attributes["show"],
            "season": attributes["season"],
            "episode": attributes["episode"],
        },
        blocking=True,
        return_response=True,
    )
    assert [a["result"] for a in answer["accounts"]] == ["done"]
    assert service.state()["plays"] == before["plays"] + 1
    await house.shows(entry, "unwatched_episodes", before["unwatched"] - 1)
    await house.shows(entry, "pending_writes", 0)


@pytest.mark.parametrize("service_class", [Tautulli, Letterboxd, Firstlight])
async def test_what_only_reads_says_so(
    house: House,
    serve: Serve,
    add_account: AddAccount,
    service_class: type[Service],
) -> None:
    service = await serve(service_class)
    entry = await add_account(service)
    with pytest.raises(HomeAssistantError) as caught:
        await house.hass.services.async_call(
            DOMAIN,
            "mark_watched",
            {"title": "Anything", "type": "movie", "account": [entry.entry_id]},
            blocking=True,
            return_response=True,
        )
    assert caught.value.translation_key == "account_cannot"
    assert not coordinator_of(entry).outbox.pending


# removal ------------------------------------------------------------------------------------------------------


@TYPED
async def test_removing_leaves_nothing(
    house: House,
    serve: Serve,
    add_account: AddAccount,
    hass_storage: dict[str, Any],
    service_class: type[Service],
) -> None:
    service = await serve(service_class)
    entry = await add_account(service)
    await house.hass.config_entries.async_unload(entry.entry_id)
    assert [key for key in hass_storage if key.startswith(f"{DOMAIN}.library")]
    assert await house.hass.config_entries.async_setup(entry.entry_id)
    await house.hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED
    await refreshed(entry)
    service.requests.clear()
    assert await house.hass.config_entries.async_remove(entry.entry_id)
    await house.hass.async_block_till_done()
    assert not [
        key for key in hass_storage if key.startswith((f"{DOMAIN}.t", f"{DOMAIN}.l"))
    ]
    assert house.hass.states.async_all() == []
    assert not house.hass.config_entries.async_entries(DOMAIN)
    assert service.requests == []  # there is nothing to sign out of
    folder = Path(house.hass.config.config_dir)
    files = await house.hass.async_add_executor_job(
        lambda: [p.read_bytes() for p in folder.rglob("*") if p.is_file()]
    )
    on_disk = b"".join(files) + repr(hass_storage).encode()
    # what Letterboxd tells is public, and the archive of it is meant to stay
    secrets = set(typed_login(service).values()) - {"1001", "someone"}
    assert not [secret for secret in secrets if secret.encode() in on_disk]


async def test_a_diary_outlives_its_account(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    service = await serve(Letterboxd, movies=40)
    entry = await add_account(service)
    before = house.value(entry, "watched_movies")
    assert await house.hass.config_entries.async_remove(entry.entry_id)
    service.private = "empty"  # and the feed tells nothing of it any more
    again = await add_account(service)
    assert again.entry_id != entry.entry_id
    assert house.value(again, "watched_movies") == before != "0"
