"""Firstlight: units of positions, and titles that are not told, against the simulator over real HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
import logging
from typing import Any

import orjson
import pytest

from custom_components.up_next.media import Episode, Ids, Movie
from simulators.catalogue import Viewer
from simulators.firstlight import IAM_TOKEN, USER_TOKEN
from simulators.service import Fault

from .firstlight_account import LIST, Account, open_account, trakt

type Start = Callable[..., Awaitable[Account]]


@pytest.fixture
def start(serve: Any, make_context: Any) -> Start:
    async def start(**arguments: Any) -> Account:
        return await open_account(serve, make_context, **arguments)

    return start


@pytest.fixture
async def account(start: Start) -> Account:
    return await start()


# units


async def test_seconds(start: Start) -> None:
    account = await start(options={"unit": "seconds"})
    account.sim.offsets_in_seconds = account.sim.times_in_seconds = True
    movie = account.movie()
    account.sim.pause(movie=trakt(movie), position=movie.runtime / 2)
    playback = account.of(await account.refresh(), movie)
    assert (playback.position, playback.progress) == (movie.runtime / 2, 50)
    now = account.sim.clock.now()
    assert now - playback.updated_at < timedelta(minutes=1)


async def test_the_other_unit_applies_to_what_is_known(account: Account) -> None:
    account.sim.offsets_in_seconds = True
    movie = account.movie()
    account.sim.pause(movie=trakt(movie), position=600)
    library = await account.settled()
    assert account.of(library, movie).position == 0.6
    account.another(options={"unit": "seconds"})
    after = await account.refresh(library)
    assert account.of(after, movie).position == 600
    assert account.asked() == [LIST]


async def test_a_position_beyond_the_end(account: Account) -> None:
    movie = account.movie()
    for position in (movie.runtime, movie.runtime + 1):
        account.sim.pause(movie=trakt(movie), position=position)
        playback = account.of(await account.refresh(), movie)
        if position == movie.runtime:
            assert playback.progress == 100
        else:
            assert (playback.position, playback.progress) == (None, None)
            assert playback.duration == movie.runtime


@pytest.mark.parametrize(
    ("unit", "in_seconds", "warns"),
    [
        ("milliseconds", False, False),
        ("milliseconds", True, True),
        ("seconds", True, False),
        ("seconds", False, True),
    ],
)
async def test_the_wrong_unit_is_noticed(
    start: Start,
    caplog: pytest.LogCaptureFixture,
    unit: str,
    in_seconds: bool,
    warns: bool,
) -> None:
    account = await start(options={"unit": unit})
    account.sim.offsets_in_seconds = in_seconds
    library = await account.refresh()
    account.sim.pause(movie=500_000)
    await account.refresh(library)
    warnings = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warnings) == warns
    assert USER_TOKEN not in caplog.text
    assert IAM_TOKEN not in caplog.text


async def test_few_bookmarks_prove_nothing(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    account = await start(viewer=Viewer())
    account.sim.offsets_in_seconds = True
    account.sim.pause(movie=500_000)
    account.sim.pause(movie=500_001)
    await account.refresh()
    assert not [r for r in caplog.records if r.levelno == logging.WARNING]


# titles that are not told


async def test_a_title_that_is_not_told(account: Account) -> None:
    movie, show = account.movie(), account.show()
    item = account.sim.pause(movie=trakt(movie), position=90)
    account.sim.forbidden = {item, account.sim.item_id(show)}
    library = await account.settled()
    assert len(library.playbacks) == account.sim.state()["bookmarks"]
    playback = account.of(library, movie)
    assert isinstance(playback.item, Movie)
    assert (playback.item.title, playback.item.ids) == (item, Ids.of(firstlight=item))
    assert (playback.position, playback.progress) == (90, None)
    of_show = account.of(library, show)
    assert isinstance(of_show.item, Episode)
    assert of_show.item.show.title == account.sim.item_id(show)
    assert (of_show.item.season, of_show.item.number) == (0, 0)
    # for a day, that is not asked again
    assert await account.refresh(library) is library
    assert account.asked() == [LIST]
    account.sim.clock.advance(86_400)
    account.sim.forbidden.clear()
    library = await account.refresh(library)
    assert account.asked() == [LIST, "title", "title"]
    assert account.of(library, movie).item.title == movie.title
    assert account.of(library, movie).progress == 90 / movie.runtime * 100
    assert await account.refresh(library) is library


async def test_titles_of_no_use(account: Account) -> None:
    movie = account.movie()
    account.sim.bookmarks.clear()
    item = account.sim.pause(movie=trakt(movie))
    body = '{"message":"success","code":0,"data":{"title":null,"runtime":"0"}}'
    account.sim.faults.append(Fault("status", match="content", status=200, body=body))
    library = await account.settled()
    assert library.playbacks[0].item == Movie(title=item, ids=Ids.of(firstlight=item))
    assert await account.refresh(library) is library
    assert account.asked() == [LIST]
    account.sim.clock.advance(86_400)
    library = await account.refresh(library)
    assert library.playbacks[0].item.title == movie.title


async def test_an_episode_that_is_not_told(account: Account) -> None:
    show = account.show()
    item = account.sim.item_id(show)
    account.sim.bookmarks = {item: account.sim.bookmarks[item]}
    account.sim.bare_titles = True
    account.sim.faults.append(Fault("status", match="seasons", status=404))
    library = await account.settled()
    playback = library.playbacks[0]
    assert isinstance(playback.item, Episode)
    assert playback.item.show.title == show.title
    assert (playback.item.season, playback.item.number) == (0, 0)
    assert await account.refresh(library) is library
    account.asked()
    account.sim.clock.advance(86_400)
    library = await account.refresh(library)
    assert account.asked() == [LIST, "title", "seasons"]
    item_now = library.playbacks[0].item
    assert isinstance(item_now, Episode)
    assert item_now.number > 0


async def test_a_series_without_episode(account: Account) -> None:
    show = account.show()
    item = account.sim.item_id(show)
    account.sim.bookmarks = {item: account.sim.bookmarks[item]}
    account.sim.bookmarks[item].episode = None
    (playback,) = (await account.refresh()).playbacks
    assert isinstance(playback.item, Episode)
    assert playback.item.show.title == show.title
    assert account.asked() == [LIST, "title"]


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", match="content", times=99, status=503),
        Fault("status", match="content", times=99, status=429),
        Fault("status", match="content", times=99, status=401),
        Fault("status", match="content", times=99, status=404),
        Fault("html", match="content", times=99, status=403),
        Fault("broken_json", match="content", times=99),
        Fault("reset", match="content", times=99),
    ],
    ids=lambda fault: f"{fault.kind} {fault.status}",
)
async def test_a_content_service_that_does_not_work(
    account: Account, fault: Fault
) -> None:
    account.sim.faults.append(replace(fault))
    refresh = await account.tracker.refresh(None)
    library = refresh.library
    assert len(library.playbacks) == account.sim.state()["bookmarks"]
    assert refresh.next_in == 300
    assert 1 <= account.asked().count("title") <= 3
    # it is left alone for half an hour
    account.sim.clock.advance(300)
    assert await account.refresh(library) is library
    assert account.asked() == [LIST]
    account.sim.clock.advance(1500)
    account.sim.faults.clear()
    library = await account.refresh(library)
    assert account.asked().count("title") == len(library.playbacks)
    assert all(p.duration for p in library.playbacks)
    assert await account.refresh(library) is library


async def test_one_title_that_fails_does_not_keep_back_the_others(
    account: Account,
) -> None:
    item = account.sim.pause(movie=500_000)
    account.sim.faults.append(Fault("status", match=item, times=99, status=500))
    library = await account.refresh()
    assert library.playbacks[0].id == item
    assert not any(p.duration for p in library.playbacks)
    account.sim.clock.advance(1800)
    library = await account.refresh(library)
    assert [p.id for p in library.playbacks if not p.duration] == [item]
    account.asked()
    account.sim.clock.advance(300)
    assert await account.refresh(library) is library
    assert account.asked() == [LIST]


async def test_a_title_is_still_wanted_after_the_list_moved(account: Account) -> None:
    movie = account.movie()
    item = account.sim.pause(movie=trakt(movie))
    account.sim.forbidden = {item}
    library = await account.settled()
    account.sim.clock.advance(3600)
    account.sim.pause(movie=trakt(movie), position=90)
    library = await account.refresh(library)
    assert account.of(library, movie).item.title == item
    assert account.asked() == [LIST]
    account.sim.forbidden.clear()
    account.sim.clock.advance(86_400 - 3600)
    library = await account.refresh(library)
    assert account.of(library, movie).item.title == movie.title
    assert account.of(library, movie).position == 90


async def test_an_id_stays_in_its_place_in_the_path(account: Account) -> None:
    rows = [{"itemId": item, "offset": 1} for item in ("../user", "a/b", "..")]
    body = orjson.dumps({"header": {"code": 0}, "data": rows}).decode()
    account.sim.faults.append(Fault("status", match="list", status=200, body=body))
    library = await account.refresh()
    assert {p.item.label for p in library.playbacks} == {"../user", "a/b", ".."}
    # the content service refused them as ids: not for want of such a path
    assert account.asked() == [LIST, "title", "title"]
