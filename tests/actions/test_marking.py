"""mark_watched, mark_unwatched, toggle_watched, undo_play: at every tracker, one after the other and all at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
import json
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.up_next import const
from custom_components.up_next.actions import writing
from custom_components.up_next.library import find_show
from custom_components.up_next.trackers.errors import Unavailable
from homeassistant.core import HomeAssistant
from simulators.clock import Clock
from simulators.kinopub import KinoPub
from simulators.service import Fault, Service
from simulators.simkl import Simkl
from simulators.trakt import Trakt

from ..accounts import House, coordinator_of, linger, until
from ..conftest import AddAccount, Serve
from .conftest import (
    SERVICES,
    Act,
    down,
    fields,
    left,
    next_episode,
    quick,
    started,
    unwatched,
)

type Refusal = Callable[..., Awaitable[str]]

WRITES = {
    Trakt: r"POST /sync/history",
    Simkl: r"POST /sync/history",
    KinoPub: r"GET /v1/watching/toggle",
}


@pytest.mark.parametrize("kind", SERVICES)
async def test_the_next_episode(
    house: House, serve: Serve, add_account: AddAccount, act: Act, kind: type[Service]
) -> None:
    """The count falls by one at once, before the service has answered, and stays so after the refresh."""
    service, entry = await started(serve, add_account, kind)
    episode = next_episode(entry)
    title = episode.show.title
    before = left(entry, title)
    service.requests.clear()
    answer = await act("mark_watched", **fields(episode))
    (part,) = answer["accounts"]
    assert part["account"] == entry.title
    assert part["entry_id"] == entry.entry_id
    assert part["result"] == "done"
    (play,) = part["plays"]
    assert play["item"]["type"] == "episode"
    assert (play["item"]["season"], play["item"]["episode"]) == (
        episode.season,
        episode.number,
    )
    assert left(entry, title) == before - 1
    assert service.count(WRITES[kind]) == 1
    await coordinator_of(entry).async_refresh()
    assert left(entry, title) == before - 1
    json.dumps(answer)


@pytest.mark.parametrize("kind", SERVICES)
async def test_at_once(
    house: House, serve: Serve, add_account: AddAccount, act: Act, kind: type[Service]
) -> None:
    """Count and next episode change in one step, before the service has answered."""
    _, entry = await started(serve, add_account, kind)
    row = next(
        row
        for row in coordinator_of(entry).data.overview.shows
        if row.next_episode and row.unwatched > 1
    )
    episode, seen = row.next_episode, []
    assert episode is not None
    title = episode.show.title

    def look() -> None:
        rows = coordinator_of(entry).data.overview.shows
        found = next(r for r in rows if r.show.title == title)
        assert found.next_episode is not None
        seen.append((found.unwatched, found.next_episode.number))

    look()
    forget = coordinator_of(entry).async_add_listener(look)
    await act("mark_watched", **fields(episode))
    await coordinator_of(entry).async_refresh()
    forget()
    assert list(dict.fromkeys(seen)) == [
        (row.unwatched, episode.number),
        (row.unwatched - 1, episode.number + 1),
    ]


@pytest.mark.parametrize("kind", SERVICES)
async def test_toggle_twice(
    house: House, serve: Serve, add_account: AddAccount, act: Act, kind: type[Service]
) -> None:
    _, entry = await started(serve, add_account, kind)
    episode = next_episode(entry)
    title = episode.show.title
    before = left(entry, title)
    answer = await act("toggle_watched", **fields(episode))
    assert answer["watched"] is True
    assert left(entry, title) == before - 1
    answer = await act("toggle_watched", **fields(episode))
    assert answer["watched"] is False
    assert left(entry, title) == before
    await coordinator_of(entry).async_refresh()
    assert left(entry, title) == before


@pytest.mark.parametrize("kind", SERVICES)
async def test_double_click(
    house: House, serve: Serve, add_account: AddAccount, act: Act, kind: type[Service]
) -> None:
    """Two clicks at the same time are two toggles: nothing has changed in the end, and neither is decided twice."""
    service, entry = await started(serve, add_account, kind)
    episode = next_episode(entry)
    title = episode.show.title
    before, state = left(entry, title), service.state()["unwatched"]
    answers = await asyncio.gather(
        act("toggle_watched", **fields(episode)),
        act("toggle_watched", **fields(episode)),
    )
    assert sorted(answer["watched"] for answer in answers) == [False, True]
    assert left(entry, title) == before
    await coordinator_of(entry).async_refresh()
    assert left(entry, title) == before
    assert service.state()["unwatched"] == state


@pytest.mark.parametrize("kind", SERVICES)
async def test_season_and_show(
    house: House, serve: Serve, add_account: AddAccount, act: Act, kind: type[Service]
) -> None:
    """A whole season and a whole show are toggled as one, and what was removed is returned."""
    service, entry = await started(serve, add_account, kind)
    show = next(
        show
        for show in service.catalogue.shows
        if len(show.seasons()) > 1
        and 0 not in show.seasons()
        and left(entry, show.title) > 1
    )
    before = left(entry, show.title)
    answer = await act("toggle_watched", title=show.title, type="show")
    assert answer["watched"] is True
    assert left(entry, show.title) == 0
    assert len(answer["accounts"][0]["plays"]) == before
    aired = [e for e in show.aired(house.clock.now()) if e.season == 1]
    answer = await act("toggle_watched", title=show.title, season=1)
    assert answer["watched"] is False
    removed = answer["accounts"][0]["plays"]
    assert sorted(play["item"]["episode"] for play in removed) == [
        episode.number for episode in aired
    ]
    assert {play["item"]["season"] for play in removed} == {1}
    await coordinator_of(entry).async_refresh()
    # where all is watched up to the last episode, Simkl calls the show caught up, gaps or not
    assert left(entry, show.title) == (0 if kind is Simkl else len(aired))


@pytest.mark.parametrize("kind", SERVICES)
async def test_movie(
    house: House, serve: Serve, add_account: AddAccount, act: Act, kind: type[Service]
) -> None:
    """A movie that is in no library is found by its name, marked, and toggled back."""
    service, entry = await started(serve, add_account, kind)
    movie = service.catalogue.movies[-1]
    answer = await act("toggle_watched", title=movie.title, type="movie")
    assert answer["watched"] is True
    assert answer["accounts"][0]["result"] == "done"
    await coordinator_of(entry).async_refresh()
    answer = await act(
        "toggle_watched",
        type="movie",
        ids={"imdb": movie.ids["imdb"]},
        title=movie.title,
    )
    assert answer["watched"] is False
    assert answer["accounts"][0]["result"] == "done"


async def test_already(account: MockConfigEntry, trakt: Trakt, act: Act) -> None:
    """What is watched is left alone; rewatch adds a play, and undo_play takes it back."""
    episode = next_episode(account)
    await act("mark_watched", **fields(episode))
    plays = trakt.state()["plays"]
    answer = await act("mark_watched", **fields(episode))
    assert answer["accounts"][0]["result"] == "already"
    assert answer["accounts"][0]["plays"] == []
    answer = await act("mark_watched", **fields(episode), rewatch=True)
    assert answer["accounts"][0]["result"] == "done"
    assert trakt.state()["plays"] == plays + 1
    answer = await act("undo_play", **fields(episode))
    assert answer["accounts"][0]["result"] == "done"
    assert len(answer["accounts"][0]["plays"]) == 1
    assert trakt.state()["plays"] == plays
    answer = await act("mark_unwatched", **fields(episode))
    assert trakt.state()["plays"] == plays - 1
    answer = await act("mark_unwatched", **fields(episode))
    assert answer["accounts"][0]["result"] == "already"


async def test_undo_by_id(
    account: MockConfigEntry, trakt: Trakt, act: Act, refusal: Refusal
) -> None:
    """A play can be named by the id that get_history gave, alone where the library knows it."""
    plays = trakt.state()["plays"]
    history = await act("get_history", limit=5)
    row = history["accounts"][0]["plays"][3]
    await act("undo_play", play=row["play"], **row["item"])
    assert trakt.state()["plays"] == plays - 1
    known = coordinator_of(account).data.library.plays
    assert known
    await act("undo_play", play=int(known[0].id or 0))
    assert trakt.state()["plays"] == plays - 2
    text = await refusal("undo_play", play="424242")
    assert text == (
        "ServiceValidationError: The play 424242 is not among the recent plays of"
        f" {account.title}. Give its title or IDs as well"
    )
    assert "Say what is meant" in await refusal("undo_play")
    assert "not possible with the type show" in await refusal(
        "undo_play", title=next_episode(account).show.title, type="show"
    )


# when ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("2026-11-20T21:30:00+01:00", "2026-11-20T20:30:00"),
        ("2026-11-20T20:30:00Z", "2026-11-20T20:30:00"),
        # without a time zone: Home Assistant's own, which is US/Pacific in tests
        ("2026-11-20 12:30", "2026-11-20T20:30:00"),
        (
            datetime(2026, 11, 20, 12, 30),  # noqa: DTZ001
            "2026-11-20T20:30:00",
        ),
    ],
)
async def test_watched_at(
    *,
    hass: HomeAssistant,
    account: MockConfigEntry,
    trakt: Trakt,
    clock: Clock,
    act: Act,
    given: Any,
    stored: str,
) -> None:
    assert hass.config.time_zone == "US/Pacific"
    clock.advance(
        max(
            0.0,
            (
                datetime.fromisoformat("2026-11-21T00:00:00Z") - clock.now()
            ).total_seconds(),
        )
    )
    answer = await act(
        "mark_watched", **fields(next_episode(account)), watched_at=given
    )
    (play,) = answer["accounts"][0]["plays"]
    assert play["watched_at"].startswith(stored)
    history = await act("get_history", **fields(next_episode(account)) | play["item"])
    assert history["accounts"][0]["plays"][0]["watched_at"].startswith(stored)


async def test_released_and_unknown(
    account: MockConfigEntry, trakt: Trakt, act: Act
) -> None:
    episode = next_episode(account)
    answer = await act("mark_watched", **fields(episode), watched_at=" Released ")
    assert answer["accounts"][0]["result"] == "done"
    assert b'"released"' in trakt.requests[-1].body or any(
        b'"released"' in request.body for request in trakt.requests
    )
    answer = await act(
        "mark_watched", **fields(next_episode(account)), watched_at="unknown"
    )
    assert answer["accounts"][0]["plays"][0]["watched_at"] is None
    assert any(b'"unknown"' in request.body for request in trakt.requests)


async def test_now_is_when_it_was_called(
    account: MockConfigEntry,
    trakt: Trakt,
    clock: Clock,
    act: Act,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is delivered later keeps the time of the call."""
    quick(monkeypatch)
    called, episode = clock.now(), next_episode(account)
    down(trakt)
    answer = await act("mark_watched", **fields(episode), watched_at="")
    assert answer["accounts"][0] == {
        "account": account.title,
        "entry_id": account.entry_id,
        "result": "queued",
        "plays": [],
    }
    trakt.faults.clear()
    clock.advance(3600)
    await act("refresh")
    coordinator = coordinator_of(account)
    await until(lambda: not coordinator.outbox.pending, "the write is delivered")
    history = await act("get_history", **fields(episode))
    watched = datetime.fromisoformat(history["accounts"][0]["plays"][0]["watched_at"])
    assert abs(watched - called) <= timedelta(minutes=1)


async def test_refused_times(
    account: MockConfigEntry, clock: Clock, trakt: Trakt, refusal: Refusal
) -> None:
    episode = fields(next_episode(account))
    trakt.requests.clear()
    later = (clock.now() + timedelta(minutes=2)).isoformat()
    assert await refusal("mark_watched", **episode, watched_at=later) == (
        f"ServiceValidationError: {later} is in the future. Give a time in the past,"
        " or leave watched_at out for now"
    )
    for wrong in ("yesterday", "2026-11-20", "12:30", 1763640000, "2026-13-45 10:00"):
        assert "is not a date and time. Write it as" in await refusal(
            "mark_watched", **episode, watched_at=wrong
        )
    assert not trakt.requests


async def test_accounts_without_dates(
    *,
    house: House,
    serve: Serve,
    add_account: AddAccount,
    clock: Clock,
    act: Act,
    refusal: Refusal,
) -> None:
    """KinoPub records only now; a time close to it counts as that."""
    service, entry = await started(serve, add_account, KinoPub)
    episode = fields(next_episode(entry))
    service.requests.clear()
    for given in ("unknown", "released", "2020-01-01 10:00"):
        assert await refusal("mark_watched", **episode, watched_at=given) == (
            f"ServiceValidationError: The service of {entry.title} takes only what was"
            " watched just now. Leave watched_at out"
        )
    assert "does not keep more than one play" in await refusal(
        "mark_watched", **episode, rewatch="yes"
    )
    assert not service.requests
    recent = (clock.now() - timedelta(minutes=5)).isoformat()
    answer = await act("mark_watched", **episode, watched_at=recent)
    assert answer["accounts"][0]["result"] == "done"


# when the service does not answer -----------------------------------------------------------------------------


async def test_offline(
    *,
    account: MockConfigEntry,
    trakt: Trakt,
    clock: Clock,
    act: Act,
    refusal: Refusal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A write is kept and shown; a toggle goes by what is on screen; what can't be known is said."""
    quick(monkeypatch)
    coordinator = coordinator_of(account)
    episode, before = next_episode(account), unwatched(account)
    down(trakt)
    await coordinator.async_refresh()
    assert not coordinator.last_update_success
    assert (await act("toggle_watched", **fields(episode)))["watched"] is True
    assert unwatched(account) == before - 1
    answer = await act("toggle_watched", **fields(episode))
    assert (answer["watched"], answer["accounts"][0]["result"]) == (False, "queued")
    assert (await act("toggle_watched", **fields(episode)))["watched"] is True
    assert len(coordinator.outbox.pending) == 3
    text = await refusal("toggle_watched", title=episode.show.title, season=1)
    assert text.startswith(
        f"HomeAssistantError: Whether {episode.show.title} season 1 is watched at"
        f" {account.title} can't be told now: The service of"
    )
    assert "Use mark_watched or mark_unwatched instead" in text
    movie = trakt.catalogue.movies[0]
    assert "can't be told now" in await refusal(
        "toggle_watched", type="movie", ids={"trakt": movie.ids["trakt"]}
    )
    # a whole show needs no look: it is queued
    queued = await act("mark_unwatched", title=episode.show.title, type="show")
    assert queued["accounts"][0]["result"] == "queued"
    trakt.faults.clear()
    clock.advance(120)
    await act("refresh")
    await until(lambda: not coordinator.outbox.pending, "everything is delivered", 15)
    assert not trakt.account.progress(trakt.catalogue.shows[0]).completed


async def test_slow_details(
    account: MockConfigEntry, trakt: Trakt, act: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The episodes of a show are not waited for long."""
    monkeypatch.setattr(writing, "DETAIL_TIMEOUT", 0.1)
    trakt.faults.append(Fault(kind="hang", match=r"GET /shows/", times=1, seconds=0.4))
    before = unwatched(account)
    answer = await act("mark_watched", **fields(next_episode(account)))
    assert answer["accounts"][0]["result"] == "done"
    assert unwatched(account) == before - 1
    await asyncio.sleep(0.5)  # until the simulator has done with what nobody waits for


async def test_signed_out(
    account: MockConfigEntry, trakt: Trakt, act: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account that waits for its sign-in keeps nobody waiting."""
    trakt.revoke_tokens()
    coordinator = coordinator_of(account)
    await coordinator.async_refresh()
    assert coordinator.sign_in_required
    monkeypatch.setattr(const, "RECEIPT_TIMEOUT", 60)
    async with asyncio.timeout(5):
        answer = await act("mark_watched", **fields(next_episode(account)))
    assert answer["accounts"][0]["result"] == "queued"
    await linger()  # until the outbox has seen it, too


async def test_refused(
    account: MockConfigEntry, trakt: Trakt, act: Act, refusal: Refusal
) -> None:
    """What the service does not know, and what it refuses, is told with title, account and reason."""
    text = await refusal("mark_watched", type="movie", ids={"imdb": "tt0000042"})
    assert text == (
        f"ServiceValidationError: imdb tt0000042 was not changed at {account.title}:"
        f" {account.title} does not know it"
    )
    for data, name in (
        ({"type": "show"}, "tvdb 1"),
        ({"season": 2}, "tvdb 1 season 2"),
        ({"season": 2, "episode": 3}, "tvdb 1 S02E03"),
    ):
        text = await refusal("mark_watched", ids={"tvdb": 1}, **data)
        assert text.startswith(f"ServiceValidationError: {name} was not changed")
    trakt.faults.append(
        Fault(
            kind="status",
            match=r"POST /sync/history",
            status=420,
            headers={"X-Account-Limit": "100"},
            times=5,
        )
    )
    before = unwatched(account)
    text = await refusal("mark_watched", **fields(next_episode(account)))
    assert text.startswith("HomeAssistantError: ")
    assert f"was not changed at {account.title}: A limit of {account.title}" in text
    assert unwatched(account) == before
    assert not coordinator_of(account).outbox.failed, "the caller has heard"


async def test_toggle_what_only_the_service_knows(
    account: MockConfigEntry, trakt: Trakt, act: Act
) -> None:
    """An episode that is not the next one, of which the library says nothing: one look decides."""
    episode = next_episode(account)
    first = fields(episode) | {"episode": 1}
    later = fields(episode) | {"episode": episode.number + 1}
    assert (await act("toggle_watched", **first))["watched"] is False
    assert (await act("toggle_watched", **later))["watched"] is True
    assert trakt.count("POST /sync/history") == 2


async def test_unknown_episode(
    account: MockConfigEntry, act: Act, refusal: Refusal
) -> None:
    show = next_episode(account).show
    assert (
        await refusal("toggle_watched", title=show.title, season=1, episode=99)
        == f"ServiceValidationError: {account.title} does not know the episode {show.title} S01E99"
    )
    assert (
        await refusal("toggle_watched", ids={"tvdb": 1}, season=1, episode=1)
        == f"HomeAssistantError: {account.title} does not know it"
    )


async def test_an_unknown_movie_is_not_watched(
    account: MockConfigEntry, refusal: Refusal
) -> None:
    """It is then marked, and the service says that it does not know it."""
    text = await refusal("toggle_watched", type="movie", ids={"imdb": "tt0000042"})
    assert "was not changed" in text


# several accounts ---------------------------------------------------------------------------------------------


@pytest.fixture
async def three(
    house: House, serve: Serve, add_account: AddAccount
) -> list[tuple[Service, MockConfigEntry]]:
    """Return three accounts, all with the same viewer."""
    return [await started(serve, add_account, kind) for kind in SERVICES]


async def test_everywhere(
    three: list[tuple[Service, MockConfigEntry]], act: Act
) -> None:
    """One call changes all accounts; a toggle evens them out first."""
    entries = [entry for _, entry in three]
    accounts = [entry.entry_id for entry in entries]
    episode = next_episode(entries[0])
    before = [unwatched(entry) for entry in entries]
    await act("mark_watched", account=accounts[1], **fields(episode))
    answer = await act("toggle_watched", account=accounts, **fields(episode))
    assert answer["watched"] is True
    assert [part["result"] for part in answer["accounts"]] == [
        "done",
        "already",
        "done",
    ]
    assert [part["account"] for part in answer["accounts"]] == [
        e.title for e in entries
    ]
    assert [unwatched(entry) for entry in entries] == [count - 1 for count in before]
    answer = await act("toggle_watched", account=accounts, **fields(episode))
    assert answer["watched"] is False
    assert [part["result"] for part in answer["accounts"]] == ["done"] * 3
    assert [unwatched(entry) for entry in entries] == before


async def test_some_refuse(
    three: list[tuple[Service, MockConfigEntry]],
    refusal: Refusal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All accounts have answered before the error, which tells what each did."""
    (trakt, first), (simkl, second), (kinopub, third) = three
    quick(monkeypatch, 1.0)
    trakt.faults.append(
        Fault(kind="status", match=r"POST /sync/history", status=420, times=5)
    )
    down(kinopub, r"GET /v1/watching/toggle")
    text = await refusal(
        "mark_watched",
        account=[first.entry_id, second.entry_id, third.entry_id],
        **fields(next_episode(first)),
    )
    assert text.startswith("HomeAssistantError: ")
    assert "was not changed everywhere. " in text
    assert f"{first.title}: A limit of {first.title} is reached" in text
    assert f"{second.title}: Done." in text
    assert f"{third.title}: Not answered yet, will be sent" in text
    assert simkl.state()["unwatched"] == unwatched(second)


async def test_nothing_is_written_anywhere_before_all_is_clear(
    three: list[tuple[Service, MockConfigEntry]], refusal: Refusal
) -> None:
    accounts = [entry.entry_id for _, entry in three]
    episode = fields(next_episode(three[0][1]))
    for service, _ in three:
        service.requests.clear()
    text = await refusal("mark_watched", account=accounts, **episode, rewatch=True)
    names = f"{three[1][1].title}, {three[2][1].title}"
    assert text == (
        f"ServiceValidationError: The service or plan of {names} does not keep more than"
        " one play of a title. Leave rewatch out"
    )
    text = await refusal("rate", account=accounts, **episode, rating=8)
    assert text == (
        f"ServiceValidationError: The action rate is not possible with {three[2][1].title}:"
        " the service or the account's plan does not allow it"
    )
    assert not any(service.count(r"POST|toggle") for service, _ in three)


async def test_marks_made_while_details_are_read(
    account: MockConfigEntry, trakt: Trakt, act: Act
) -> None:
    """Two marks in a row: the second one's count has the first one in it, though the service may not yet."""
    row = next(
        row for row in coordinator_of(account).data.overview.shows if row.unwatched > 3
    )
    episode, before = row.next_episode, unwatched(account)
    assert episode is not None
    await asyncio.gather(
        act("mark_watched", **fields(episode)),
        act("mark_watched", **fields(episode) | {"episode": episode.number + 1}),
    )
    assert unwatched(account) == before - 2
    found = find_show(coordinator_of(account).data.library, episode.show.ids)
    assert found is not None
    assert found[1].next_episode is not None
    await coordinator_of(account).async_refresh()
    assert unwatched(account) == before - 2


async def test_reading_the_details_fails(
    account: MockConfigEntry, act: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mark needs no details."""

    async def fail(*_: object) -> None:
        raise Unavailable

    coordinator = coordinator_of(account)
    monkeypatch.setattr(coordinator, "async_detail", fail)
    before = unwatched(account)
    answer = await act("mark_watched", **fields(next_episode(account)))
    assert answer["accounts"][0]["result"] == "done"
    assert unwatched(account) == before - 1
