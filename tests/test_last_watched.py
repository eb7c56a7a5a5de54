"""The sensor of what was watched last, seen from outside."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
import json
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.up_next.const import DOMAIN, STALE_AFTER
from custom_components.up_next.library import Library, Play
from custom_components.up_next.media import Episode, Ids, Movie, Show
from custom_components.up_next.trackers.tracker import Refresh
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from simulators.catalogue import CatalogueMovie, Viewer, watch
from simulators.firstlight import Firstlight
from simulators.kinopub import KinoPub
from simulators.letterboxd import Letterboxd
from simulators.service import Fault, Service
from simulators.simkl import Simkl
from simulators.tautulli import Tautulli
from simulators.trakt import Trakt
from simulators.trakt_v1 import TraktV1

from .accounts import House, coordinator_of
from .conftest import AddAccount, Serve

KEY = "last_watched"
IDLE = {Trakt: 2, Simkl: 1, KinoPub: 3, Tautulli: 2, Letterboxd: 1}
"""Requests of a refresh when nothing moved: this sensor costs none."""


async def opened(
    serve: Serve, add_account: AddAccount, kind: type[Service], **kwargs: Any
) -> tuple[Any, MockConfigEntry]:
    """Return a running service and an account there."""
    service = await serve(kind, movies=40, **kwargs)
    service.pacing = False
    return service, await add_account(service)


async def refresh(house: House, entry: MockConfigEntry, after: float = 60) -> None:
    """Let time pass and read what is new."""
    house.clock.advance(after)
    await coordinator_of(entry).async_refresh()
    await house.hass.async_block_till_done()


async def give(
    house: House,
    entry: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
    *plays: Play,
) -> None:
    """Let the next refresh read these plays."""
    coordinator = coordinator_of(entry)
    library = replace(coordinator.data.library, plays=plays)

    async def read(_: Library | None) -> Refresh:
        return Refresh(library=library, next_in=60)

    monkeypatch.setattr(coordinator.tracker, "refresh", read)
    await refresh(house, entry)


@pytest.mark.parametrize("kind", [Trakt, Simkl, KinoPub, Tautulli])
async def test_what_was_watched_last(
    house: House, serve: Serve, add_account: AddAccount, kind: type[Service]
) -> None:
    service, entry = await opened(serve, add_account, kind)
    seen = watch(service.catalogue, house.clock.now())
    rows: list[tuple[Any, datetime]] = [
        *((show, at) for show, _, at in seen.episodes),
        *seen.movies,
    ]
    title, at = max(rows, key=lambda row: row[1])
    state = house.state(entry, KEY)
    assert state.attributes["title"] == title.title
    assert isinstance(title, CatalogueMovie)
    assert state.state == f"{title.title} ({title.year})"
    told = datetime.fromisoformat(state.attributes["watched_at"])
    assert told.utcoffset() == timedelta()
    assert abs(told - at) < timedelta(hours=3)

    # an episode is watched elsewhere
    show = service.catalogue.shows[-1]
    number = int(show.ids["trakt"])
    house.clock.advance(60)
    service.watch(number, 1, 1)
    watched_at = house.clock.now()
    await refresh(house, entry)
    state = house.state(entry, KEY)
    assert state.attributes["type"] == "episode"
    assert state.attributes["show"] == show.title
    assert state.attributes["year"] == show.year
    assert (state.attributes["season"], state.attributes["episode"]) == (1, 1)
    assert state.state.startswith(f"{show.title} ")
    assert state.attributes["show_ids"]
    told = datetime.fromisoformat(state.attributes["watched_at"])
    assert abs(told - watched_at) < timedelta(minutes=2)

    # then a movie
    movie = service.catalogue.movies[-1]
    house.clock.advance(3600)
    service.watch_movie(int(movie.ids["trakt"]))
    await refresh(house, entry)
    state = house.state(entry, KEY)
    assert state.state == f"{movie.title} ({movie.year})"
    assert state.attributes["type"] == "movie"
    assert state.attributes["ids"]
    assert not {"show", "season", "episode", "show_ids", "watched_on"} & set(
        state.attributes
    )
    # nothing is said of what the service does not tell
    assert not {"rating", "rewatch", "liked"} & set(state.attributes)

    await refresh(house, entry)
    service.requests.clear()
    await refresh(house, entry)
    assert len(service.requests) == IDLE[kind]


async def test_what_is_marked_and_taken_back(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    _, entry = await opened(serve, add_account, Trakt)
    before = house.value(entry, KEY)
    following = house.state(entry, "next_episode")
    about = {
        "type": "episode",
        "title": following.attributes["show"],
        "season": following.attributes["season"],
        "episode": following.attributes["episode"],
    }
    await house.hass.services.async_call(DOMAIN, "mark_watched", about, blocking=True)
    await refresh(house, entry)
    assert house.value(entry, KEY) == following.state
    await house.hass.services.async_call(DOMAIN, "undo_play", about, blocking=True)
    await refresh(house, entry)
    assert house.value(entry, KEY) == before


@pytest.mark.parametrize("kind", [Trakt, Simkl, KinoPub, Tautulli, Letterboxd])
async def test_nothing_yet(
    house: House, serve: Serve, add_account: AddAccount, kind: type[Service]
) -> None:
    _, entry = await opened(serve, add_account, kind, viewer=Viewer())
    state = house.state(entry, KEY)
    assert state.state == STATE_UNKNOWN
    assert not {"title", "type", "ids", "watched_at", "entity_picture"} & set(
        state.attributes
    )


@pytest.mark.parametrize("kind", [TraktV1, Firstlight])
async def test_what_keeps_no_history_has_no_sensor(
    house: House, serve: Serve, add_account: AddAccount, kind: type[Service]
) -> None:
    _, entry = await opened(serve, add_account, kind)
    assert house.find(entry, "last_refresh") is not None
    assert house.find(entry, KEY) is None


async def test_picture(
    house: House,
    serve: Serve,
    add_account: AddAccount,
    hass_client_no_auth: ClientSessionGenerator,
) -> None:
    _, entry = await opened(serve, add_account, Trakt)
    path = house.state(entry, KEY).attributes["entity_picture"]
    assert path.startswith("/api/up_next/pictures/")
    answer = await (await hass_client_no_auth()).get(path)
    assert answer.status == 200
    assert answer.content_type == "image/png"


async def test_too_old(house: House, serve: Serve, add_account: AddAccount) -> None:
    service, entry = await opened(serve, add_account, Trakt)
    before = house.value(entry, KEY)
    service.faults.append(Fault(kind="status", status=503, times=1000))
    await refresh(house, entry)
    assert house.value(entry, KEY) == before
    await house.advance(STALE_AFTER.total_seconds())
    assert house.value(entry, KEY) == STATE_UNAVAILABLE


# Simkl: a first reading tells no episodes of finished and dropped shows -------------------------------------------


@pytest.mark.parametrize("how", ["completed", "dropped", "large"])
async def test_what_a_first_reading_does_not_list(
    house: House, serve: Serve, add_account: AddAccount, how: str
) -> None:
    service = await serve(Simkl, movies=40)
    service.pacing = False
    ended = how == "completed"
    show = next(
        show
        for show in service.catalogue.shows
        if show.ended is ended and not show.anime and len(show.aired(house.clock.now()))
    )
    number = int(show.ids["trakt"])
    episodes = [e for e in show.episodes if e.season > 0]
    for episode in episodes if ended else episodes[:2]:
        service.watch(number, episode.season, episode.number)
    last = episodes[-1] if ended else episodes[1]
    if how == "dropped":
        service.drop(number)
    if how == "large":
        service.max_episodes = 0
    entry = await add_account(service)
    if how != "large":
        assert service.shelf.entries[int(show.ids["simkl"])].status == how
    attributes = house.state(entry, KEY).attributes
    assert attributes["show"] == show.title
    assert (attributes["season"], attributes["episode"]) == (last.season, last.number)
    assert sum("date_from" in r.query for r in service.requests) == 1
    service.requests.clear()
    await refresh(house, entry)
    assert len(service.requests) == IDLE[Simkl]


async def test_what_a_first_reading_lists_is_not_asked_again(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    service, _ = await opened(serve, add_account, Simkl)
    assert not any("date_from" in r.query for r in service.requests)


async def test_what_stays_untold_is_no_failure(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    """The service may find even that too much: then the newest of what it did tell is shown."""
    service = await serve(Simkl, movies=40)
    service.pacing = False
    show = service.catalogue.shows[-1]
    service.watch(int(show.ids["trakt"]), 1, 1)
    service.drop(int(show.ids["trakt"]))
    too_many = '{"error":"max_items","code":400}'
    path = r"GET /sync/all-items$"
    service.faults.append(
        Fault(kind="status", match=path, status=400, body=too_many, times=9)
    )
    entry = await add_account(service)
    assert house.state(entry, KEY).attributes["type"] == "movie"
    assert house.value(entry, "last_refresh") != STATE_UNKNOWN


# Letterboxd: days, ratings, likes ---------------------------------------------------------------------------------


async def test_a_diary(house: House, serve: Serve, add_account: AddAccount) -> None:
    service, entry = await opened(serve, add_account, Letterboxd, shows=0)
    today = house.clock.now().date()
    movies = service.catalogue.movies
    service.log(movies[-1], today, rating=4.5, rewatch=True, like=True)
    await refresh(house, entry)
    state = house.state(entry, KEY)
    assert state.state == f"{movies[-1].title} ({movies[-1].year})"
    assert state.attributes["watched_on"] == today.isoformat()
    assert state.attributes["rating"] == 9
    assert state.attributes["rewatch"] is True
    assert state.attributes["liked"] is True
    assert "watched_at" not in state.attributes
    assert state.attributes["ids"]["tmdb"] == str(movies[-1].ids["tmdb"])
    assert state.attributes["entity_picture"]

    # what was logged later, though watched earlier or nobody knows when, was not watched last
    service.log(movies[-2], today - timedelta(days=400))
    service.log(movies[-3], None, rating=1, review="Seen it once.")
    await refresh(house, entry)
    assert house.value(entry, KEY) == state.state

    # of two films of one day, the one that was logged later
    service.log(movies[-4], today, like=False)
    await refresh(house, entry)
    state = house.state(entry, KEY)
    assert state.attributes["title"] == movies[-4].title
    assert state.attributes["liked"] is False
    assert not {"rating", "rewatch"} & set(state.attributes)
    service.requests.clear()
    await refresh(house, entry)
    assert len(service.requests) == IDLE[Letterboxd]


async def test_only_reviews_without_a_date(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    """Nobody knows which of them was watched last, nor when."""
    service, entry = await opened(serve, add_account, Letterboxd, viewer=Viewer())
    for movie in service.catalogue.movies[:2]:
        service.log(movie, None, rating=3)
    await refresh(house, entry)
    assert house.value(entry, "watched_movies") == "2"
    assert house.value(entry, KEY) == STATE_UNKNOWN


async def test_history_tells_what_was_thought_of_it(
    house: House, serve: Serve, add_account: AddAccount, hass: HomeAssistant
) -> None:
    service, entry = await opened(serve, add_account, Letterboxd, viewer=Viewer())
    today = house.clock.now().date()
    liked, plain = service.catalogue.movies[:2]
    service.log(plain, today - timedelta(days=1), like=None)
    service.log(liked, today, rating=0.5, rewatch=True, like=True)
    await refresh(house, entry)
    answer: Any = await hass.services.async_call(
        DOMAIN, "get_history", {}, blocking=True, return_response=True
    )
    assert json.loads(json.dumps(answer)) == answer
    first, second = answer["accounts"][0]["plays"]
    told = ("label", "watched_at", "watched_on", "rating", "rewatch", "liked")
    assert [first[key] for key in told] == [
        f"{liked.title} ({liked.year})", None, today.isoformat(), 1, True, True,
    ]  # fmt: skip
    assert [second[key] for key in told[3:]] == [None, None, None]


# whatever there is ------------------------------------------------------------------------------------------------


async def test_attributes_stay_small_and_out_of_the_recorder(
    house: House,
    serve: Serve,
    add_account: AddAccount,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, entry = await opened(serve, add_account, Trakt)
    show = Show(title="x" * 300, ids=Ids.of(trakt=1), url="https://example.com/s")
    await give(
        house,
        entry,
        monkeypatch,
        Play(item=Movie(title="Whenever")),
        Play(item=Movie(title="Earlier"), watched_on=date(2026, 1, 1)),
        Play(
            item=Episode(show=show, season=1, number=2, title="y" * 300),
            watched_at=datetime(2026, 2, 3, 4, 5, tzinfo=UTC),
            rating=7,
            rewatch=True,
            liked=False,
        ),
    )
    state = house.state(entry, KEY)
    assert len(state.state) == 255
    assert len(json.dumps(dict(state.attributes), default=str)) < 2048
    assert state.attributes["link"] == "https://example.com/s"
    assert state.attributes["watched_at"] == "2026-02-03T04:05:00+00:00"
    assert state.state_info is not None
    kept = set(state.attributes) - set(state.state_info["unrecorded_attributes"])
    assert kept == {
        "type", "show", "season", "episode", "year", "title", "watched_at", "rating",
        "rewatch", "liked", "friendly_name",
    }  # fmt: skip
