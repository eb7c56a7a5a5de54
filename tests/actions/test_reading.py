"""The actions that answer with what a tracker knows, and refresh."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
import json
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.up_next.actions import answers
from custom_components.up_next.const import DOMAIN, STALE_AFTER
from custom_components.up_next.library import Play
from custom_components.up_next.media import Season
from custom_components.up_next.trackers.errors import NotFound
from custom_components.up_next.trackers.tracker import Page
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from simulators.clock import Clock
from simulators.service import Fault, Service
from simulators.trakt import Trakt

from ..accounts import House, coordinator_of
from ..conftest import AddAccount, Serve
from .conftest import SERVICES, Act, down, fields, next_episode, started, unwatched

type Refusal = Callable[..., Awaitable[str]]

ITEM = {"type", "title", "year", "ids"}


def part(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the answer's only account's part, after making sure that it is plain JSON."""
    assert json.loads(json.dumps(answer)) == answer
    (found,) = answer["accounts"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("kind", SERVICES)
async def test_next_episodes(
    house: House, serve: Serve, add_account: AddAccount, act: Act, kind: type[Service]
) -> None:
    service, entry = await started(serve, add_account, kind)
    service.requests.clear()
    found = part(await act("get_next_episodes"))
    assert not service.requests
    assert (found["account"], found["complete"]) == (entry.title, True)
    episode = next_episode(entry)
    first = found["episodes"][0]
    assert set(first) == {
        "item", "label", "link", "picture", "runtime", "episode_title", "aired",
        "unwatched", "last_watched",
    }  # fmt: skip
    assert first["label"] == episode.label
    assert set(first["item"]) == ITEM | {"season", "episode", "episode_ids"}
    assert first["item"]["ids"] == dict(episode.show.ids.values)
    assert first["picture"].startswith("/api/up_next/pictures/")
    rows = coordinator_of(entry).data.overview.shows
    assert [row["unwatched"] for row in found["episodes"]] == [
        row.unwatched for row in rows if row.next_episode
    ][:10]
    assert len(part(await act("get_next_episodes", limit="1"))["episodes"]) == 1
    assert datetime.fromisoformat(first["last_watched"]).tzinfo is not None


async def test_pictures_open(
    hass: HomeAssistant,
    account: MockConfigEntry,
    act: Act,
    hass_client_no_auth: ClientSessionGenerator,
) -> None:
    found = part(await act("get_unwatched", limit=1))
    client = await hass_client_no_auth()
    answer = await client.get(found["shows"][0]["picture"])
    assert answer.status == 200
    assert answer.content_type == "image/png"


@pytest.mark.parametrize("kind", SERVICES)
async def test_unwatched(
    house: House, serve: Serve, add_account: AddAccount, act: Act, kind: type[Service]
) -> None:
    service, entry = await started(serve, add_account, kind)
    service.requests.clear()
    found = part(await act("get_unwatched"))
    assert not service.requests
    rows = coordinator_of(entry).data.overview.shows
    assert found["complete"] is True
    assert found["unwatched_episodes"] == unwatched(entry) > 10
    assert found["unwatched_shows"] == len(rows) == len(found["shows"])
    assert sum(row["unwatched"] for row in found["shows"]) == unwatched(entry)
    first = found["shows"][0]
    assert set(first) == {
        "item", "label", "link", "picture", "runtime", "unwatched", "last_watched",
        "next_episode",
    }  # fmt: skip
    assert first["item"]["type"] == "show"
    assert first["next_episode"]["item"]["type"] == "episode"
    limited = part(await act("get_unwatched", limit=1))
    assert len(limited["shows"]) == 1
    assert limited["unwatched_episodes"] == found["unwatched_episodes"]


async def test_incomplete(account: MockConfigEntry, act: Act) -> None:
    """While a first reading goes on, a count of a part is not told as the whole."""
    coordinator = coordinator_of(account)
    coordinator.data = replace(
        coordinator.data, library=replace(coordinator.data.library, complete=False)
    )
    found = part(await act("get_unwatched"))
    assert found["complete"] is False
    assert found["unwatched_episodes"] is None
    assert found["unwatched_shows"] is None
    assert found["shows"]
    assert part(await act("get_next_episodes"))["complete"] is False


async def test_show_without_next_episode(account: MockConfigEntry, act: Act) -> None:
    """It has no row among the next episodes."""
    coordinator = coordinator_of(account)
    overview = coordinator.data.overview
    first = replace(overview.shows[0], next_episode=None)
    coordinator.data = replace(
        coordinator.data, overview=replace(overview, shows=(first, *overview.shows[1:]))
    )
    assert part(await act("get_unwatched"))["shows"][0]["next_episode"] is None
    titles = [
        row["item"]["title"]
        for row in part(await act("get_next_episodes", limit=100))["episodes"]
    ]
    assert titles
    assert first.show.title not in titles


async def test_too_old(
    account: MockConfigEntry, trakt: Trakt, clock: Clock, refusal: Refusal
) -> None:
    """Lists become unavailable when the entities do, instead of being told as if they were true."""
    down(trakt)
    clock.advance(STALE_AFTER.total_seconds() + 60)
    for action in ("get_next_episodes", "get_unwatched", "get_watchlist"):
        assert await refusal(action) == (
            f"HomeAssistantError: The data of {account.title} is too old to be shown."
            " Its sensor Last refresh tells since when"
        )


async def test_watchlist(account: MockConfigEntry, trakt: Trakt, act: Act) -> None:
    trakt.requests.clear()
    found = part(await act("get_watchlist"))
    assert found["total"] == len(found["entries"]) == trakt.state()["watchlist"]
    first = found["entries"][0]
    assert set(first) == {
        "item", "label", "link", "picture", "runtime", "listed"
    }  # fmt: skip
    movies = part(await act("get_watchlist", type="movie", limit=1))
    shows = part(await act("get_watchlist", type="show"))
    assert movies["total"] + shows["total"] == found["total"]
    assert len(movies["entries"]) == 1
    assert movies["entries"][0]["item"]["type"] == "movie"
    assert not trakt.requests


@pytest.mark.parametrize("kind", SERVICES)
async def test_search(
    house: House, serve: Serve, add_account: AddAccount, act: Act, kind: type[Service]
) -> None:
    service, _ = await started(serve, add_account, kind)
    show = service.catalogue.shows[3]
    found = part(await act("search", query=show.title))
    names = [row["item"]["title"] for row in found["results"]]
    assert any(name.endswith(show.title) for name in names)
    found = part(
        await act("search", query=show.title, type="show", year=show.year, limit=1)
    )
    (row,) = found["results"]
    assert set(row) == {"item", "label", "link", "picture", "runtime"}
    assert (row["item"]["type"], row["item"]["year"]) == ("show", show.year)
    assert row["item"]["ids"]
    assert part(await act("search", query="Zzyzx Qqq"))["results"] == []


async def test_search_fails(
    account: MockConfigEntry,
    trakt: Trakt,
    act: Act,
    refusal: Refusal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trakt.faults.append(
        Fault(
            kind="status",
            match="GET /search",
            status=429,
            headers={"Retry-After": "77"},
            times=9,
        )
    )
    assert await refusal("search", query="Dune") == (
        f"HomeAssistantError: Too many requests for {account.title} just now. Try again in"
        " 77 seconds"
    )

    async def nothing(*_: object) -> None:
        raise NotFound

    monkeypatch.setattr(coordinator_of(account).tracker, "search", nothing)
    assert part(await act("search", query="Dune"))["results"] == []
    assert "knows no movie or show called Dune" in await refusal(
        "mark_watched", title="Dune"
    )


@pytest.mark.parametrize("kind", SERVICES)
async def test_history(
    house: House, serve: Serve, add_account: AddAccount, act: Act, kind: type[Service]
) -> None:
    """The newest plays first; of one item, only its own."""
    _, entry = await started(serve, add_account, kind)
    found = part(await act("get_history"))
    assert len(found["plays"]) == 20
    times = [row["watched_at"] for row in found["plays"]]
    assert times == sorted(times, reverse=True)
    assert set(found["plays"][0]) >= {
        "item", "label", "link", "picture", "runtime", "play", "watched_at", "watched_on",
    }  # fmt: skip
    row = next(r for r in found["plays"] if r["item"]["type"] == "episode")
    about = part(await act("get_history", **row["item"]))
    assert [r["label"] for r in about["plays"]] == [row["label"]]
    assert about["plays"][0]["watched_at"] == row["watched_at"]
    episode = next_episode(entry)
    assert part(await act("get_history", **fields(episode)))["plays"] == []
    show = part(await act("get_history", type="show", title=episode.show.title))
    assert {r["item"]["title"] for r in show["plays"]} == {episode.show.title}


async def test_history_is_paged(
    account: MockConfigEntry, trakt: Trakt, act: Act
) -> None:
    trakt.requests.clear()
    plays = part(await act("get_history", limit=130))["plays"]
    assert len(plays) == 130
    assert len({row["play"] for row in plays}) == 130
    assert trakt.count("GET /sync/history") == 2


async def test_history_fails(
    account: MockConfigEntry,
    trakt: Trakt,
    act: Act,
    refusal: Refusal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    down(trakt, "GET /sync/history", kind="html", status=200)
    assert await refusal("get_history") == (
        f"HomeAssistantError: Something answered for {account.title} that can't be"
        " understood. Try again later"
    )

    async def nothing(*_: object) -> Page[Play]:
        raise NotFound

    monkeypatch.setattr(coordinator_of(account).tracker, "history", nothing)
    assert part(await act("get_history"))["plays"] == []


def test_days_and_unknown_times(account: MockConfigEntry) -> None:
    """A date stays a date, and nothing is made up for what nobody knows."""
    coordinator = coordinator_of(account)
    episode = next_episode(account)
    assert answers.play_times(Play(item=episode, watched_on=date(2026, 11, 20))) == {
        "play": None,
        "watched_at": None,
        "watched_on": "2026-11-20",
    }
    assert answers.play_times(Play(item=episode))["watched_on"] is None
    season = answers.described(coordinator, Season(show=episode.show, number=2))
    assert season["label"] == f"{episode.show.title} season 2"
    assert season["link"] == episode.show.url
    assert season["item"] == {
        "type": "season",
        "title": episode.show.title,
        "year": episode.show.year,
        "ids": dict(episode.show.ids.values),
        "season": 2,
    }


async def test_refresh(
    *,
    house: House,
    serve: Serve,
    add_account: AddAccount,
    act: Act,
    refusal: Refusal,
    clock: Clock,
) -> None:
    """All accounts, or the given ones; whether it worked is told."""
    started_accounts = [await started(serve, add_account, kind) for kind in SERVICES]
    clock.advance(60)
    for service, _ in started_accounts:
        service.requests.clear()
    answer = await act("refresh")
    assert [row["entry_id"] for row in answer["accounts"]] == [
        entry.entry_id for _, entry in started_accounts
    ]
    for row in answer["accounts"]:
        assert clock.now() - datetime.fromisoformat(row["refreshed"]) < timedelta(
            seconds=5
        )
    assert all(service.requests for service, _ in started_accounts)
    service, entry = started_accounts[0]
    down(service)
    # the debouncer of Home Assistant lets one through every ten seconds
    await house.advance(11)
    await house.hass.async_block_till_done()
    assert await refusal("refresh", account=entry.entry_id) == (
        f"HomeAssistantError: {entry.title} could not be refreshed. What was last known stays"
    )


async def test_only_with_a_response(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """Reading without wanting the answer is refused by Home Assistant; writing answers only when asked."""
    with pytest.raises(ServiceValidationError):
        await hass.services.async_call(DOMAIN, "get_history", {}, blocking=True)
    episode = next_episode(account)
    assert (
        await hass.services.async_call(
            DOMAIN, "mark_watched", fields(episode), blocking=True
        )
        is None
    )
