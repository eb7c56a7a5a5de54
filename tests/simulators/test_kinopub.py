"""The simulated KinoPub refuses what the real one refuses, and answers in its shapes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
import time
from typing import Any

import aiohttp
import pytest

from simulators.catalogue import generate, watch
from simulators.clock import Clock
from simulators.kinopub import CLIENT_ID, CLIENT_SECRET, KinoPub

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
AGENT = {"User-Agent": "UpNext/0.1.0"}
CLIENT = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}


@pytest.fixture(autouse=True)
def _sockets(socket_enabled: None) -> None:
    """Allow loopback: the tests speak real HTTP."""


def make(shows: int = 30, movies: int = 40) -> KinoPub:
    clock = Clock()
    clock.freeze(NOW)
    catalogue = generate(NOW, shows=shows, movies=movies, airing_in=3600)
    service = KinoPub(catalogue, watch(catalogue, NOW), clock)
    service.pacing = False
    return service


@pytest.fixture
def service() -> KinoPub:
    return make()


class Client:
    """Calls with a token and returns (status, body)."""

    def __init__(self, session: aiohttp.ClientSession, base: str, token: str) -> None:
        self.session, self.base, self.token = session, base, token

    async def __call__(
        self, method: str, path: str, form: dict[str, Any] | None = None, **query: Any
    ) -> tuple[int, Any]:
        headers = AGENT | {"Authorization": f"Bearer {self.token}"}
        async with self.session.request(
            method, self.base + path, data=form, params=query, headers=headers
        ) as response:
            if response.content_type == "application/json":
                return response.status, await response.json()
            return response.status, await response.text()

    async def get(self, path: str, **query: Any) -> Any:
        status, body = await self("GET", path, **query)
        assert status == 200, body
        return body


@pytest.fixture
async def client(service: KinoPub) -> AsyncIterator[Client]:
    async with service.serve() as base, aiohttp.ClientSession() as session:
        yield Client(session, base, service.grants.new_pair().access)


async def device(client: Client, **form: str) -> tuple[int, Any]:
    return await client("POST", "/oauth2/device", form=CLIENT | form)


# who may come in


async def test_library_user_agents_are_blocked_with_html(client: Client) -> None:
    for agent in (
        "Python/3.13 aiohttp/3.11",
        "HomeAssistant/2025.4 aiohttp/3.11 Python/3.13",
        "Python-urllib/3.13",
        "",
    ):
        async with client.session.get(
            f"{client.base}/v1/user", headers={"User-Agent": agent}
        ) as response:
            assert response.status == 403
            assert response.content_type == "text/html"


async def test_401_without_a_living_token(client: Client, service: KinoPub) -> None:
    assert (await client("GET", "/v1/user"))[0] == 200
    service.expire_tokens()
    assert await client("GET", "/v1/user") == (
        401,
        {"status": 401, "error": "unauthorized"},
    )


async def test_unknown_path_is_html_404(client: Client) -> None:
    status, body = await client("GET", "/v1/items/media-links", mid=1)
    assert (status, body) == (404, "<html>Not Found</html>")
    assert (await client("GET", "/v1/bookmarks/add", item=1))[0] == 405


async def test_parallel_requests_are_throttled(
    client: Client, service: KinoPub
) -> None:
    service.pacing = True
    answers = await asyncio.gather(
        client("GET", "/v1/user"), client("GET", "/v1/watching/movies")
    )
    assert sorted(status for status, _ in answers) == [200, 429]
    service.service_time = 0
    series = [(await client("GET", "/v1/user"))[0] for _ in range(60)]
    assert series.count(429) > 5
    assert series[0] == 200


async def test_the_mirror_prefix_answers_the_same(client: Client) -> None:
    assert await client("GET", "/api/v1/user") == await client("GET", "/v1/user")
    assert (
        await client("POST", "/api/oauth2/token", form=CLIENT | {"grant_type": "x"})
    )[0] == 400


# sign-in


async def test_device_flow(client: Client, service: KinoPub) -> None:
    service.pacing = True
    status, code = await device(client, grant_type="device_code")
    assert status == 200
    assert set(code) == {
        "code",
        "user_code",
        "verification_uri",
        "expires_in",
        "interval",
    }
    poll = {"grant_type": "device_token", "code": code["code"]}
    assert await device(client, **poll) == (400, {"error": "authorization_pending"})
    assert await device(client, **poll) == (400, {"error": "slow_down"})
    service.approve(code["user_code"])
    service.clock.advance(5)
    status, pair = await device(client, **poll)
    assert status == 200
    assert pair["expires_in"] == 3600
    assert pair["scope"] is None
    assert await device(client, **poll) == (400, {"error": "code_expired"})
    client.token = pair["access_token"]
    await client("POST", "/v1/device/notify", form={"title": "Home Assistant"})
    assert service.state()["devices"][-1] == {"title": "Home Assistant"}
    assert (await client("POST", "/v1/device/unlink"))[0] == 200
    assert (await client("GET", "/v1/user"))[0] == 401


async def test_device_code_is_the_wrong_parameter_name(client: Client) -> None:
    _, code = await device(client, grant_type="device_code")
    status, body = await device(
        client, grant_type="device_token", device_code=code["code"]
    )
    assert status == 200
    assert body["code"] != code["code"]


async def test_denied_expired_and_strangers(client: Client, service: KinoPub) -> None:
    _, code = await device(client, grant_type="device_code")
    service.approve(deny=True)
    poll = {"grant_type": "device_token", "code": code["code"]}
    assert await device(client, **poll) == (400, {"error": "access_denied"})
    service.clock.advance(8600)
    assert await device(client, **poll) == (400, {"error": "code_expired"})
    assert (await device(client, grant_type="password"))[1] == {
        "error": "unsupported_grant_type"
    }
    status, body = await client(
        "POST", "/oauth2/device", form={"grant_type": "device_code", "client_id": "x"}
    )
    assert (status, body["error"]) == (400, "invalid_client")


async def test_auto_approve(client: Client, service: KinoPub) -> None:
    service.auto_approve = True
    _, code = await device(client, grant_type="device_code")
    assert (await device(client, grant_type="device_token", code=code["code"]))[
        0
    ] == 200


async def test_refresh_rotates_and_kills_the_old_pair(
    client: Client, service: KinoPub
) -> None:
    pair = service.grants.new_pair()
    client.token = pair.access
    form = CLIENT | {"grant_type": "refresh_token", "refresh_token": pair.refresh}
    status, new = await client("POST", "/oauth2/token", form=form)
    assert status == 200
    assert new["refresh_token"] != pair.refresh
    assert (await client("GET", "/v1/user"))[0] == 401
    assert await client("POST", "/oauth2/token", form=form) == (
        400,
        {"error": "invalid_refresh_token"},
    )
    service.clock.advance(31 * 86400)
    form["refresh_token"] = new["refresh_token"]
    assert await client("POST", "/oauth2/token", form=form) == (
        400,
        {"error": "authorization_expired"},
    )
    service.revoke_tokens()
    assert (await client("POST", "/oauth2/token", form=form))[0] == 400


# reading


async def test_serials_have_totals_as_strings_and_vanish_when_caught_up(
    client: Client, service: KinoPub
) -> None:
    rows = (await client.get("/v1/watching/serials"))["items"]
    row = next(r for r in rows if r["watched"])
    assert isinstance(row["total"], str)
    assert row["new"] == int(row["total"]) - row["watched"]
    assert any(r["watched"] == 0 for r in rows), "will-watch rows are in the list"
    only = (await client.get("/v1/watching/serials", subscribed=1))["items"]
    assert {r["id"] for r in only} == service.viewing.subscribed
    state = (await client.get("/v1/watching", id=row["id"]))["item"]
    for season in state["seasons"]:
        await client.get(
            "/v1/watching/toggle", id=row["id"], season=season["number"], status=1
        )
    rows = (await client.get("/v1/watching/serials"))["items"]
    assert row["id"] not in {r["id"] for r in rows}


async def test_an_episode_exists_from_its_airing_on(
    client: Client, service: KinoPub
) -> None:
    show = next(
        s
        for s in service.catalogue.shows
        if s.episodes[-1].first_aired == NOW + timedelta(hours=1)
    )
    item, last = service.item(show=int(show.ids["trakt"])), show.episodes[-1]
    query = {"id": item.id, "season": last.season, "video": last.number}
    assert await client("GET", "/v1/watching/toggle", **query, status=1) == (
        404,
        {"status": 404, "error": "Requested item or video not found."},
    )
    service.viewing.play((item.id, 1, 1))
    before = service.state()["unwatched"]
    service.clock.advance(3601)
    client.token = service.grants.new_pair().access
    assert service.state()["unwatched"] == before + 1
    assert (await client.get("/v1/watching/toggle", **query, status=1))["watched"] == 1


async def test_watching_item_shapes(client: Client, service: KinoPub) -> None:
    serial = next(i for i in service.viewing.items.values() if i.show)
    body = (await client.get("/v1/watching", id=serial.id))["item"]
    assert "status" not in body
    assert body["watched"] <= len(body["seasons"])
    one = (await client.get("/v1/watching", id=serial.id, season=1, video=2))["item"]
    assert [[e["number"] for e in s["episodes"]] for s in one["seasons"]] == [[2]]
    multi = next(i for i in service.viewing.items.values() if i.subtype == "multi")
    await client.get("/v1/watching/toggle", id=multi.id, video=1, status=0)
    body = (await client.get("/v1/watching", id=multi.id))["item"]
    assert body["status"] == 0
    assert [v["status"] for v in body["videos"]] == [-1, 1]
    assert body["videos"][0]["updated"] == int(NOW.timestamp())
    started = (await client.get("/v1/watching/movies"))["items"]
    assert [r["id"] for r in started] == [multi.id]
    assert "year" not in started[0]
    assert (await client("GET", "/v1/watching", id=1))[1]["error"] == (
        "Requested item not found."
    )


async def test_history_is_capped_at_50_and_clamps_the_page(client: Client) -> None:
    body = await client.get("/v1/history", perpage=100)
    assert len(body["history"]) == body["pagination"]["perpage"] == 50
    seen = [r["last_seen"] for r in body["history"]]
    assert seen == sorted(seen, reverse=True)
    assert len((await client.get("/v1/history"))["history"]) == 20
    beyond = await client.get("/v1/history", page=9999)
    assert beyond["pagination"]["current"] == beyond["pagination"]["total"]


async def test_history_clears_by_global_id(client: Client) -> None:
    row = (await client.get("/v1/history"))["history"][0]
    assert await client(
        "POST", "/v1/history/clear-for-media", id=row["media"]["number"]
    ) == (200, None)
    assert (await client.get("/v1/history"))["history"][0] == row
    assert await client(
        "POST", "/v1/history/clear-for-media", id=row["media"]["id"]
    ) == (200, None)
    assert (await client.get("/v1/history"))["history"][0] != row
    row = (await client.get("/v1/history"))["history"][0]
    await client("POST", "/v1/history/clear-for-item", id=row["item"]["id"])
    rows = (await client.get("/v1/history"))["history"]
    assert row["item"]["id"] not in {r["item"]["id"] for r in rows}
    assert (await client("POST", "/v1/history/clear-for-season"))[0] == 400


async def test_items_without_nolinks_hand_out_links(
    client: Client, service: KinoPub
) -> None:
    item = next(iter(service.viewing.items))
    body = await client.get(f"/v1/items/{item}", nolinks=1)
    assert "files" not in body["item"]["seasons"][0]["episodes"][0]
    assert service.paths.links_served == 0
    body = await client.get(f"/v1/items/{item}")
    assert "files" in body["item"]["seasons"][0]["episodes"][0]
    assert service.paths.links_served == 1
    assert (await client("GET", "/v1/items/1", nolinks=1))[0] == 404


async def test_search(client: Client, service: KinoPub) -> None:
    item = next(i for i in service.viewing.items.values() if " / " in i.title)
    local, _, original = item.title.partition(" / ")
    for q in (local, original):
        body = await client.get("/v1/items/search", q=q)
        assert item.id in {r["id"] for r in body["items"]}
    body = await client.get(
        "/v1/items", title=original, type=item.kind, year=f"{item.year}-{item.year}"
    )
    assert item.id in {r["id"] for r in body["items"]}
    assert (await client("GET", "/v1/items", title="ab"))[0] == 400
    assert (await client("GET", "/v1/items/search"))[0] == 400
    sectioned = await client.get("/v1/items/search", q=original, sectioned=1)
    assert item.kind in sectioned["items"]


# changing


async def test_toggle_takes_numbers_status_and_flips_without(client: Client) -> None:
    row = (await client.get("/v1/watching/serials"))["items"][0]
    season = (await client.get("/v1/watching", id=row["id"]))["item"]["seasons"][-1]
    episode = season["episodes"][-1]
    query = {"id": row["id"], "season": season["number"]}
    by_id = await client("GET", "/v1/watching/toggle", **query, video=episode["id"])
    assert by_id[0] == 404
    assert (await client("GET", "/v1/watching/toggle", id=row["id"], video=1))[0] == 404
    assert (await client("GET", "/v1/watching/toggle", id=row["id"]))[0] == 404
    query["video"] = episode["number"]
    for _ in range(2):
        reply = await client.get("/v1/watching/toggle", **query, status=1)
        assert reply == {"status": 200, "watched": 1, "watching": {"status": 1}}
    reply = await client.get("/v1/watching/toggle", **query)
    assert reply == {"status": 200, "watched": 0, "watching": {"status": -1}}


async def test_watching_refuses_a_form(client: Client) -> None:
    row = (await client.get("/v1/watching/serials"))["items"][0]
    form = {"id": row["id"], "season": 1, "video": 1, "status": 1}
    assert (await client("POST", "/v1/watching/toggle", form=form))[0] == 400
    assert (await client("POST", "/v1/watching/marktime", form=form))[0] == 400
    assert (await client("POST", "/v1/watching/togglewatchlist", form=form))[0] == 400
    assert (await client("POST", "/v1/watching/toggle", **form))[0] == 200


async def test_marktime_moves_history_and_marks_nothing(
    client: Client, service: KinoPub
) -> None:
    item = service.item(movie=500_039)
    query = {"id": item.id, "video": 1}
    assert (await client("GET", "/v1/watching/marktime", **query))[0] == 400
    assert (await client("GET", "/v1/watching/marktime", id=item.id, video=2, time=9))[
        0
    ] == 404
    await client.get("/v1/watching/marktime", **query, time=6000)
    assert (await client.get("/v1/watching/movies"))["items"][0]["id"] == item.id
    row = (await client.get("/v1/history"))["history"][0]
    assert (row["item"]["id"], row["media"]["snumber"], row["time"]) == (
        item.id,
        0,
        6000,
    )


async def test_marktime_may_mark_as_watched(client: Client, service: KinoPub) -> None:
    service.viewing.watched_from = 90
    item = service.item(movie=500_039)
    duration = item.videos(service.clock.now())[0].duration
    for percent, status in ((89, 0), (91, 1)):
        time = duration * percent // 100
        await client.get("/v1/watching/marktime", id=item.id, video=1, time=time)
        assert service.viewing.status(item) == status


async def test_togglewatchlist_only_flips(client: Client, service: KinoPub) -> None:
    item = next(i for i in service.viewing.items.values() if i.show)
    before = item.id in service.viewing.subscribed
    reply = await client.get("/v1/watching/togglewatchlist", id=item.id, status=1)
    assert reply == {"status": 200, "watching": not before}
    movie = service.item(movie=500_000)
    status, _ = await client("GET", "/v1/watching/togglewatchlist", id=movie.id)
    assert status == 404


async def test_bookmarks(client: Client, service: KinoPub) -> None:
    folders = (await client.get("/v1/bookmarks"))["items"]
    assert all(isinstance(f["count"], str) for f in folders)
    _, made = await client("POST", "/v1/bookmarks/create", form={"title": "New"})
    folder, item = made["folder"]["id"], service.item(movie=500_000).id
    form = {"item": item, "folder": folder}
    add = await client("POST", "/v1/bookmarks/add", form=form)
    assert add == (200, {"status": 200})
    assert await client("POST", "/v1/bookmarks/add", form=form) == (
        200,
        {"status": 200, "exists": True},
    )
    assert (await client("POST", "/v1/bookmarks/add", **form))[0] == 400
    assert (
        await client("POST", "/v1/bookmarks/add", form={"item": 1, "folder": folder})
    )[0] == 404
    held = (await client.get("/v1/bookmarks/get-item-folders", item=item))["folders"]
    assert [f["id"] for f in held] == [folder]
    body = await client.get(f"/v1/bookmarks/{folder}")
    assert [r["id"] for r in body["items"]] == [item]
    assert "total_items" not in body["pagination"]
    assert body["folder"]["updated"] > made["folder"]["updated"]
    await client("POST", "/v1/bookmarks/toggle-item", form=form)
    assert service.viewing.folders[folder].items == []
    await client("POST", "/v1/bookmarks/add", form=form)
    await client("POST", "/v1/bookmarks/remove-item", form={"item": item})
    assert service.viewing.folders[folder].items == []
    await client("POST", "/v1/bookmarks/remove-folder", form={"folder": folder})
    assert (await client("GET", f"/v1/bookmarks/{folder}"))[0] == 404


# control and size


async def test_control(client: Client, service: KinoPub) -> None:
    async def control(what: str, **data: Any) -> Any:
        async with client.session.post(
            f"{client.base}/_control/{what}", json=data
        ) as response:
            return await response.json()

    serial = next(i for i, _, watched in service.viewing.unfinished() if watched)
    show = next(s for s in service.catalogue.shows if s is serial.show)
    last = show.aired(NOW)[-1]
    numbers = {
        "show": show.ids["trakt"],
        "season": last.season,
        "number": last.number,
    }
    unwatched = service.state()["unwatched"]
    assert (await control("watch", **numbers))["unwatched"] == unwatched - 1
    assert (await control("unwatch", **numbers))["unwatched"] == unwatched
    assert (await control("start_watching", movie=500_038))["started_movies"] == 1
    size = service.state()["watchlist"]
    assert (await control("watchlist_add", movie=500_000))["watchlist"] == size + 1
    assert (await control("watchlist_remove", movie=500_000))["watchlist"] == size
    flagged = len(service.viewing.subscribed)
    assert (await control("watchlist_add", show=1000))["subscribed"] == flagged + 1
    assert (await control("watchlist_remove", show=1000))["subscribed"] == flagged
    await control("watch", movie=500_038)
    assert service.state()["started_movies"] == 0
    await control("withdraw", movie=500_038)
    withdrawn = service.item(movie=500_038)
    assert (await client("GET", f"/v1/items/{withdrawn.id}", nolinks=1))[0] == 404
    assert (await client("GET", "/v1/watching", id=withdrawn.id))[0] == 200
    await control("subscription_end", at=int(NOW.timestamp()) - 1)
    user = (await client.get("/v1/user"))["user"]
    assert user["subscription"]["active"] is False
    assert "error" in await control("nonsense")


async def test_big_lists_are_answered_quickly() -> None:
    service = make(shows=5000, movies=500)
    async with service.serve() as base, aiohttp.ClientSession() as session:
        client = Client(session, base, service.grants.new_pair().access)
        for path in ("/v1/watching/serials", "/v1/history", "/v1/watching/movies"):
            await client.get(path)
            start = time.perf_counter()
            await client.get(path)
            assert time.perf_counter() - start < 0.5, path
