"""KinoPub: reading on request, and every failure, against the simulator over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from custom_components.up_next.library import find_show
from custom_components.up_next.media import Ids, MediaType, Season
from custom_components.up_next.trackers.errors import (
    AccessDenied,
    BadAnswer,
    NotFound,
    RateLimited,
    Unavailable,
)
from custom_components.up_next.trackers.kinopub import KinoPub
from custom_components.up_next.trackers.tracker import Query
from simulators.service import Fault

from .kinopub_account import Account, episode_of, movie_of, show_of, sign_in

SERIALS, MOVIES, HISTORY = (
    "/v1/watching/serials",
    "/v1/watching/movies",
    "/v1/history",
)
IDLE = [SERIALS, MOVIES, HISTORY]

type Start = Callable[..., Awaitable[Account]]


@pytest.fixture
def start(serve: Any, make_context: Any, tokens: Any) -> Start:
    async def start(**arguments: Any) -> Account:
        return await sign_in(serve, make_context, tokens, **arguments)

    return start


@pytest.fixture
async def account(start: Start) -> Account:
    return await start(shows=40, movies=30)


# on request


async def test_show(account: Account) -> None:
    show = account.begun()
    detail = await account.tracker.show(Ids.of(kinopub=show.ids["kinopub"]))
    assert detail.show.ids.get("imdb") == show.ids["imdb"]
    now = account.sim.clock.now()
    assert len(detail.aired(now)) == len(show.aired(now))
    await account.refresh()
    by_imdb = await account.tracker.show(detail.show.ids)
    assert [e.watched for e in by_imdb.episodes] == [e.watched for e in detail.episodes]
    assert any(e.last_watched_at for e in by_imdb.episodes)
    with pytest.raises(NotFound):
        await account.tracker.show(Ids.of(imdb="tt0000009"))
    with pytest.raises(NotFound):
        await account.tracker.show(Ids.of(kinopub=account.sim.item(movie=500_000).id))
    with pytest.raises(NotFound):
        await account.tracker.show(Ids.of(kinopub=1))


async def test_show_by_a_foreign_id_in_the_library(account: Account) -> None:
    library = await account.refresh()
    row = next(r for r in library.shows.values() if r.show.ids.get("imdb"))
    detail = await account.tracker.show(Ids.of(imdb=row.show.ids.get("imdb")))
    assert find_show(library, detail.show.ids)


async def test_history_has_what_was_finished(account: Account) -> None:
    account.sim.start_watching({"movie": 500_025}, 60)
    page = await account.tracker.history()
    assert page.cursor == "2"
    assert all(play.watched_at for play in page.items)
    movie = movie_of(account, 500_025)
    assert not any(p.item.ids.shares(movie.ids) for p in page.items)
    newest = [p.watched_at for p in page.items if p.watched_at]
    assert newest == sorted(newest, reverse=True)
    pages = 1
    while page.cursor:
        page = await account.tracker.history(page.cursor)
        pages += 1
    assert pages == -(-len(account.sim.viewing.rows) // 20)


async def test_history_of_one_item(account: Account) -> None:
    show = account.begun()
    seen = [
        e
        for e in show.aired(account.sim.clock.now())
        if account.status(show, e.season, e.number) == 1
    ]
    page = await account.tracker.history(item=show_of(show))
    assert len(page.items) == len(seen)
    one = await account.tracker.history(item=episode_of(show, seen[0]))
    assert len(one.items) == 1
    season = await account.tracker.history(
        item=Season(show=show_of(show), number=seen[0].season)
    )
    assert len(season.items) == sum(e.season == seen[0].season for e in seen)
    watched = await account.tracker.history(item=movie_of(account, 500_000))
    assert len(watched.items) == 1
    assert not (await account.tracker.history(item=movie_of(account, 500_029))).items


async def test_history_leaves_out_what_is_unknown(account: Account) -> None:
    body = '{"status":404,"error":"Requested item not found."}'
    account.sim.faults.append(Fault("status", r"/v1/watching$", 99, 404, body))
    assert not (await account.tracker.history()).items


async def test_search(account: Account) -> None:
    show = account.begun()
    item = account.sim.item(show=int(show.ids["trakt"]))
    found = await account.tracker.search(Query(text=show.title))
    assert show.ids["imdb"] in {c.item.ids.get("imdb") for c in found}
    only = await account.tracker.search(
        Query(text=show.title, types=frozenset({MediaType.MOVIE}))
    )
    assert not [c for c in only if c.item.type is MediaType.SHOW]
    dated = await account.tracker.search(
        Query(text=show.title, year=show.year, ids=Ids.of(imdb=show.ids["imdb"]))
    )
    assert dated[0].item.ids.get("kinopub") == str(item.id)
    native = await account.tracker.search(Query(ids=Ids.of(kinopub=item.id)))
    assert native[0].item.ids.get("imdb") == show.ids["imdb"]
    both = next(i for i in account.sim.viewing.items.values() if " / " in i.title)
    for name in both.title.split(" / "):
        found = await account.tracker.search(Query(text=name))
        assert both.title in {c.item.label.split(" (")[0] for c in found}
    limited = await account.tracker.search(Query(text="the", limit=3))
    assert len(limited) == 3
    assert await account.tracker.search(Query(ids=Ids.of(imdb="tt1"))) == []
    assert account.sim.paths.links_served == 0


# failures: the table of section 2.5, and what networks do


@pytest.mark.parametrize(
    ("fault", "error", "key"),
    [
        (Fault("status", SERIALS, 1, 403, "<html>"), AccessDenied, "blocked"),
        (Fault("html", SERIALS, 1, 403), AccessDenied, "blocked"),
        (Fault("status", SERIALS, 9, 429), RateLimited, "rate_limited"),
        (Fault("status", SERIALS, 9, 500, "<html>"), Unavailable, "unavailable"),
        (Fault("status", SERIALS, 9, 502), Unavailable, "unavailable"),
        (Fault("html", SERIALS, 1, 404), BadAnswer, "bad_answer"),
        (Fault("html", SERIALS, 1), BadAnswer, "bad_answer"),
        (Fault("status", SERIALS, 1, 302), BadAnswer, "bad_answer"),
        (Fault("empty", SERIALS), BadAnswer, "bad_answer"),
        (Fault("broken_json", SERIALS), BadAnswer, "bad_answer"),
        (Fault("status", SERIALS, 1, 200, '{"status":200}'), BadAnswer, "bad_answer"),
        (Fault("status", SERIALS, 1, 200, "null"), BadAnswer, "bad_answer"),
        (Fault("status", HISTORY, 1, 200, '{"items":[]}'), BadAnswer, "bad_answer"),
        (Fault("reset", SERIALS, 9), Unavailable, "unreachable"),
        (Fault("drop", SERIALS, 9), Unavailable, "unreachable"),
        (Fault("status", "/v1/user", 1, 400), Exception, "refused"),
        (
            Fault("status", "/v1/user", 1, 200, '{"user":{}}'),
            BadAnswer,
            "bad_answer",
        ),
    ],
)
async def test_failures(
    account: Account, fault: Fault, error: type[Exception], key: str
) -> None:
    account.sim.faults.append(
        Fault(fault.kind, fault.match, fault.times, fault.status, fault.body)
    )
    with pytest.raises(error) as raised:
        await account.refresh()
    assert raised.value.translation_key == key  # type: ignore[attr-defined]


async def test_a_host_that_cannot_be_reached(account: Account) -> None:
    tracker = KinoPub(replace(account.context, base_url="http://127.0.0.1:9"))
    with pytest.raises(Unavailable) as raised:
        await tracker.refresh(None)
    assert raised.value.translation_key == "unreachable"


async def test_a_timeout(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "custom_components.up_next.trackers.transport.TIMEOUT",
        aiohttp.ClientTimeout(total=0.2),
    )
    account.sim.faults.append(Fault("hang", SERIALS, 9, seconds=0.4))
    with pytest.raises(Unavailable) as raised:
        await account.refresh()
    assert raised.value.translation_key == "unreachable"
    await asyncio.sleep(0.5)  # until the simulator has let go


async def test_throttling_backs_off_5_15_60(account: Account) -> None:
    library = await account.refresh()
    account.sim.faults.append(Fault("status", SERIALS, 99, 429))
    waits = []
    for _ in range(4):
        with pytest.raises(RateLimited) as raised:
            await account.refresh(library)
        waits.append(raised.value.retry_after)
    assert 5.0 in account.sleeps, "the first one is waited out"
    assert waits == [15, 60, 60, 60]
    account.sim.faults.clear()
    await account.refresh()
    account.sim.faults.append(
        Fault("status", SERIALS, 1, 429, headers={"Retry-After": "40"})
    )
    with pytest.raises(RateLimited) as raised:
        await account.refresh()
    assert raised.value.retry_after == 40


async def test_blocked_after_the_subscription_ended(account: Account) -> None:
    account.sim.subscription_end = account.sim.viewing.now() + 60
    library = await account.refresh()
    account.sim.clock.advance(120)
    account.sim.faults.append(Fault("html", SERIALS, 1, 403))
    with pytest.raises(AccessDenied) as raised:
        await account.refresh(library)
    assert raised.value.translation_key == "plan_required"


async def test_a_library_user_agent_is_blocked(account: Account) -> None:
    tracker = KinoPub(
        replace(account.context, user_agent="HomeAssistant/2026.10 aiohttp/3")
    )
    with pytest.raises(AccessDenied):
        await tracker.refresh(None)


async def test_a_mirror_has_a_path_of_its_own(start: Start) -> None:
    account = await start(path="/api/")
    await account.refresh()
    assert all(path.startswith("/api/v1/") for path in account.asked())


def test_pictures_come_from_the_services_own_hosts(make_context: Any) -> None:
    tracker = KinoPub(make_context("http://127.0.0.1:1/api"))
    assert tracker.can_picture("https://m.pushbr.com/poster/item/big/1.jpg")
    assert not tracker.can_picture("https://example.com/poster.jpg")
