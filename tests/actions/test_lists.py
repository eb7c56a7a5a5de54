"""The watchlist, ratings, progress and hidden shows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.up_next.account import Capability
from custom_components.up_next.library import ShowStatus, find_show
from custom_components.up_next.media import Movie, Show
from simulators.kinopub import KinoPub
from simulators.service import Fault, Service
from simulators.simkl import Simkl
from simulators.trakt import Trakt

from ..accounts import House, coordinator_of, until
from ..conftest import AddAccount, Serve
from .conftest import SERVICES, Act, down, fields, left, next_episode, quick, started

type Refusal = Callable[..., Awaitable[str]]


def listed(entry: MockConfigEntry, title: str) -> bool:
    """Say whether a title is on the watchlist on screen."""
    return any(
        isinstance(row.item, (Movie, Show)) and row.item.title == title
        for row in coordinator_of(entry).data.library.watchlist
    )


# watchlist ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Trakt, Simkl])
@pytest.mark.parametrize("what", ["movie", "show"])
async def test_toggle_watchlist_twice(
    *,
    house: House,
    serve: Serve,
    add_account: AddAccount,
    act: Act,
    kind: type[Service],
    what: str,
) -> None:
    service: Any = await serve(kind, shows=40, movies=40, watched=50)
    service.pacing = False
    entry = await add_account(service)
    title = (service.catalogue.movies if what == "movie" else service.catalogue.shows)[
        -1
    ]
    size = service.state()["watchlist"]
    assert not listed(entry, title.title)
    answer = await act("toggle_watchlist", title=title.title, type=what)
    assert answer["listed"] is True
    assert answer["accounts"] == [
        {
            "account": entry.title,
            "entry_id": entry.entry_id,
            "result": "done",
            "plays": [],
        }
    ]
    assert listed(entry, title.title)
    assert service.state()["watchlist"] == size + 1
    answer = await act("toggle_watchlist", title=title.title, type=what)
    assert answer["listed"] is False
    assert not listed(entry, title.title)
    assert service.state()["watchlist"] == size
    await coordinator_of(entry).async_refresh()
    assert not listed(entry, title.title)


async def test_add_and_remove(account: MockConfigEntry, trakt: Trakt, act: Act) -> None:
    """Adding and removing twice changes nothing more."""
    title = trakt.catalogue.movies[-1]
    results = []
    for action in ("add_to_watchlist",) * 2 + ("remove_from_watchlist",) * 2:
        answer = await act(action, ids={"imdb": title.ids["imdb"]}, type="movie")
        results.append(answer["accounts"][0]["result"])
    assert results == ["done", "already", "done", "already"]


async def test_only_titles_are_listed(
    account: MockConfigEntry, trakt: Trakt, refusal: Refusal
) -> None:
    episode = next_episode(account)
    trakt.requests.clear()
    assert await refusal("add_to_watchlist", **fields(episode)) == (
        "ServiceValidationError: The action add_to_watchlist is not possible with the"
        " type episode. Possible: movie, show"
    )
    ids = {"trakt": episode.ids.get("trakt")}
    assert "with the type episode" in await refusal("toggle_watchlist", episode_ids=ids)
    assert "with the type movie. Possible: show" in await refusal(
        "hide_show", type="movie", title="Dune"
    )
    assert not trakt.requests


async def test_double_click_offline(
    account: MockConfigEntry,
    trakt: Trakt,
    act: Act,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Clicks with the service down are queued one after the other, and delivered."""
    quick(monkeypatch)
    row = next(
        row
        for row in coordinator_of(account).data.library.watchlist
        if isinstance(row.item, Movie)
    )
    assert isinstance(row.item, Movie)
    title = row.item.title
    size = trakt.state()["watchlist"]
    down(trakt)
    answers = await asyncio.gather(
        *(act("toggle_watchlist", title=title, type="movie") for _ in range(3))
    )
    assert sorted(answer["listed"] for answer in answers) == [False, False, True]
    assert {answer["accounts"][0]["result"] for answer in answers} == {"queued"}
    assert not listed(account, title)
    assert trakt.state()["watchlist"] == size
    trakt.faults.clear()
    await act("refresh")
    coordinator = coordinator_of(account)
    await until(lambda: not coordinator.outbox.pending, "all are delivered", 15)
    assert trakt.state()["watchlist"] == size - 1


async def test_a_list_that_can_not_be_read(
    house: House, serve: Serve, add_account: AddAccount, act: Act
) -> None:
    """KinoPub does not tell which shows are listed: the answer to adding tells, also after a restart."""
    service, entry = await started(serve, add_account, KinoPub)
    title = service.catalogue.shows[-1].title
    size = service.state()["subscribed"]
    answers = []
    for _ in range(4):
        answers.append(
            (await act("toggle_watchlist", title=title, type="show"))["listed"]
        )
        await house.hass.config_entries.async_reload(entry.entry_id)
        await house.hass.async_block_till_done()
    assert answers in ([True, False] * 2, [False, True] * 2)
    assert service.state()["subscribed"] == size


async def test_everywhere_on_the_list(
    house: House, serve: Serve, add_account: AddAccount, act: Act
) -> None:
    """A toggle of several accounts puts the title on every list first, then takes it off all."""
    trakt, first = await started(serve, add_account, Trakt)
    _, second = await started(serve, add_account, Simkl)
    accounts = [first.entry_id, second.entry_id]
    title = trakt.catalogue.movies[-1].title
    await act("add_to_watchlist", account=first.entry_id, title=title)
    answer = await act("toggle_watchlist", account=accounts, title=title)
    assert answer["listed"] is True
    assert [part["result"] for part in answer["accounts"]] == ["already", "done"]
    answer = await act("toggle_watchlist", account=accounts, title=title)
    assert answer["listed"] is False
    assert [part["result"] for part in answer["accounts"]] == ["done", "done"]


async def test_movies_need_a_folder(
    house: House, serve: Serve, add_account: AddAccount, refusal: Refusal
) -> None:
    """What the account's settings are missing is said."""
    service, entry = await started(serve, add_account, KinoPub)
    movie = service.catalogue.movies[-1]
    text = await refusal("toggle_watchlist", title=movie.title, type="movie")
    assert text.endswith(
        f"was not changed at {entry.title}: No bookmark folder is chosen for"
        f" {entry.title}. Choose one in its settings"
    )


async def test_service_takes_movies_only(
    account: MockConfigEntry,
    act: Act,
    refusal: Refusal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An account that can list movies but no shows is told apart by the type, given or found."""
    coordinator = coordinator_of(account)
    owner = coordinator.data.library.account
    coordinator.data = replace(
        coordinator.data,
        library=replace(
            coordinator.data.library,
            account=replace(owner, can=owner.can & ~Capability.LIST_SHOWS),
        ),
    )
    title = next_episode(account).show.title
    assert "No account can do add_to_watchlist" in await refusal(
        "add_to_watchlist", title=title, type="show"
    )
    assert f"is not possible with {account.title}" in await refusal(
        "add_to_watchlist", title=title
    )


# ratings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Trakt, Simkl])
async def test_rate(
    house: House, serve: Serve, add_account: AddAccount, act: Act, kind: type[Service]
) -> None:
    service, entry = await started(serve, add_account, kind)
    title = next_episode(entry).show.title
    ratings = service.state()["ratings"]
    answer = await act("rate", title=title, type="show", rating=9)
    assert answer["accounts"][0]["result"] == "done"
    assert service.state()["ratings"] == ratings + 1
    await act("unrate", title=title, type="show")
    assert service.state()["ratings"] == ratings


async def test_rate_a_season_and_an_episode(
    account: MockConfigEntry, trakt: Trakt, act: Act
) -> None:
    episode = fields(next_episode(account))
    for data in (episode, {**episode, "episode": None, "type": "season"}):
        assert (await act("rate", **data, rating="10"))["accounts"][0][
            "result"
        ] == "done"
    assert trakt.state()["ratings"] == 2


# progress -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SERVICES)
@pytest.mark.parametrize("given", [{"progress": "40"}, {"position": 600}])
async def test_progress(
    *,
    house: House,
    serve: Serve,
    add_account: AddAccount,
    act: Act,
    kind: type[Service],
    given: dict[str, Any],
) -> None:
    """Percent and seconds both do, whatever the service wants; it is shown and can be forgotten."""
    _, entry = await started(serve, add_account, kind)
    episode = next_episode(entry)
    answer = await act("set_progress", **fields(episode), **given)
    assert answer["accounts"][0]["result"] == "done"
    coordinator = coordinator_of(entry)
    await coordinator.async_refresh()
    playback = coordinator.data.library.playbacks[0]
    assert playback.item.label.startswith(episode.show.title)
    assert playback.progress
    length = episode.runtime or playback.item.runtime
    if "position" in given and length:
        assert playback.progress == pytest.approx(600 / length * 100, abs=1)
    count = len(coordinator.data.library.playbacks)
    answer = await act("clear_progress", **fields(episode))
    assert answer["accounts"][0]["result"] == "done"
    assert len(coordinator.data.library.playbacks) == count - 1


async def test_progress_of_an_episode_that_is_not_in_the_library(
    account: MockConfigEntry, trakt: Trakt, act: Act
) -> None:
    """Its length is looked up, so that seconds become percent."""
    show = trakt.catalogue.shows[-1]
    answer = await act(
        "set_progress", title=show.title, season=1, episode=2, position=show.runtime / 2
    )
    assert answer["accounts"][0]["result"] == "done"
    assert trakt.account.saved()[0].progress == pytest.approx(50, abs=0.1)


async def test_progress_needs_a_number(
    account: MockConfigEntry, refusal: Refusal
) -> None:
    episode = fields(next_episode(account))
    for blank in ({}, {"progress": None}, {"position": " "}):
        assert "Give progress in percent or position in seconds" in await refusal(
            "set_progress", **episode, **blank
        )
    assert "Possible: movie, episode" in await refusal(
        "set_progress", title=episode["title"], progress=5
    )


# hidden shows -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Trakt, Simkl])
async def test_hide(
    house: House, serve: Serve, add_account: AddAccount, act: Act, kind: type[Service]
) -> None:
    service, entry = await started(serve, add_account, kind)
    episode = next_episode(entry)
    title, before = episode.show.title, left(entry, episode.show.title)
    state = service.state()["unwatched"]
    answer = await act("hide_show", title=title)
    assert answer["accounts"][0]["result"] == "done"
    assert left(entry, title) == 0
    await coordinator_of(entry).async_refresh()
    assert left(entry, title) == 0
    assert service.state()["unwatched"] == state - before
    await act("unhide_show", title=title)
    assert service.state()["unwatched"] == state
    found = find_show(coordinator_of(entry).data.library, episode.show.ids)
    assert found is not None
    assert found[1].status is ShowStatus.WATCHING


async def test_unexpected_status(
    account: MockConfigEntry, trakt: Trakt, refusal: Refusal
) -> None:
    trakt.faults.append(
        Fault(kind="status", match=r"POST /sync/ratings", status=422, times=9)
    )
    text = await refusal("rate", **fields(next_episode(account)), rating=3)
    assert text.endswith(f": The service of {account.title} refused it")
