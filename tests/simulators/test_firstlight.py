"""The simulated Firstlight server refuses what section 8 says it refuses, in the shapes of the payloads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest

from simulators.catalogue import Viewer, generate, watch
from simulators.clock import Clock
from simulators.firstlight import IAM_TOKEN, USER_TOKEN, Firstlight

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LOGIN = {"Authorization": f"Bearer {IAM_TOKEN}", "X-Authorization": USER_TOKEN}
LIST = "/user/bookmark/list"
NEWEST = f"{LIST}?pageNumber=1&pageSize=100&sort=timestamp&order=desc"


@pytest.fixture(autouse=True)
def _sockets(socket_enabled: None) -> None:
    """Allow loopback: the tests speak real HTTP."""


def make(*, shows: int = 30, empty: bool = False) -> Firstlight:
    clock = Clock()
    clock.freeze(NOW)
    catalogue = generate(NOW, shows=shows, movies=20)
    viewer = Viewer() if empty else watch(catalogue, NOW)
    return Firstlight(catalogue, viewer, clock)


@pytest.fixture
def service() -> Firstlight:
    return make()


class Client:
    """Calls with the login unless told otherwise, and returns (status, body)."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self.session, self.base = session, base

    async def __call__(
        self, path: str, headers: dict[str, str] | None = None, method: str = "GET"
    ) -> tuple[int, Any]:
        sent = LOGIN if headers is None else headers
        async with self.session.request(
            method, self.base + path, headers=sent
        ) as response:
            if response.content_type == "application/json":
                return response.status, await response.json()
            return response.status, await response.text()

    async def good(self, path: str) -> Any:
        status, body = await self(path)
        assert status == 200, body
        return body

    async def code(self, path: str, headers: dict[str, str] | None = None) -> str:
        _, body = await self(path, headers)
        assert body["header"]["code"] == -1
        assert body["header"]["message"] == "Failure"
        assert "data" not in body
        (error,) = body["header"]["errors"]
        assert error["description"]
        return str(error["code"])


@pytest.fixture
async def client(service: Firstlight) -> AsyncIterator[Client]:
    async with service.serve() as base, aiohttp.ClientSession() as session:
        yield Client(session, base)


# who may come in


async def test_the_iam_token(client: Client) -> None:
    for wrong in ({}, {"Authorization": IAM_TOKEN}, {"Authorization": "Bearer x"}):
        status, body = await client(NEWEST, {"X-Authorization": USER_TOKEN} | wrong)
        assert status == 401
        assert "header" not in body


async def test_the_user_token(client: Client, service: Firstlight) -> None:
    iam = {"Authorization": f"Bearer {IAM_TOKEN}"}
    for wrong in ({}, {"X-Authorization": f"Bearer {USER_TOKEN}"}):
        assert await client.code(NEWEST, iam | wrong) == "40080401"
        lookup = await client.code("/user/bookmark/lookup/x", iam | wrong)
        assert lookup == "40080301"
    service.error_status = 200
    status, body = await client(NEWEST, iam)
    assert (status, body["header"]["source"]) == (200, "008-04")


async def test_tokens_end(client: Client, service: Firstlight) -> None:
    service.revoke_tokens()
    assert await client.code(NEWEST) == "40080401"
    service.expire_tokens()
    assert (await client(NEWEST))[0] == 401


async def test_the_tracking_id(client: Client) -> None:
    mine = str(uuid4())
    _, body = await client(NEWEST, LOGIN | {"X-Tracking-Id": mine})
    assert body["header"]["tracking_id"] == mine
    for other in ({}, {"X-Tracking-Id": "nonsense"}):
        _, body = await client(NEWEST, LOGIN | other)
        assert str(UUID(body["header"]["tracking_id"])) not in (mine, "nonsense")


# bookmarks


async def test_the_list(client: Client, service: Firstlight) -> None:
    body = await client.good(NEWEST)
    rows = body["data"]
    assert body["header"] == {
        "source": "008-04",
        "code": 0,
        "message": "Success",
        "system_time": 1795262400000,
        "tracking_id": body["header"]["tracking_id"],
        "start": 1,
        "rows": len(rows),
        "count": len(rows),
    }
    times = [row["ut"] for row in rows]
    assert times == sorted(times, reverse=True)
    assert all(time > 1e12 for time in times)
    state = service.state()
    assert len(rows) == state["bookmarks"] == state["shows"] + state["movies"]
    assert sum("episodeId" in row for row in rows) == state["shows"] > 0
    assert state["movies"] == 4
    for row in rows:
        assert ("seasonId" in row) == ("episodeId" in row)
    # the default order is the other one
    assert (await client.good(LIST))["data"] == rows[::-1]
    # the names of the sibling services do nothing here
    other = await client.good(f"{LIST}?sortBy=timestamp&sortOrder=desc")
    assert other["data"] == rows[::-1]


async def test_pages(client: Client) -> None:
    everything = (await client.good(NEWEST))["data"]
    found: list[Any] = []
    number = 1
    path = f"{LIST}?sort=timestamp&order=desc&pageSize=3&pageNumber="
    while True:
        status, body = await client(f"{path}{number}")
        if status != 200:
            break
        assert body["header"]["start"] == len(found) + 1
        found += body["data"]
        number += 1
    assert found == everything
    assert body["header"]["errors"][0]["code"] == "40080406"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("pageNumber=0", "40080402"),
        ("pageNumber=one", "40080402"),
        ("pageNumber=", "40080402"),
        ("pageSize=0", "40080403"),
        ("pageSize=101", "40080403"),
        ("pageSize=-1", "40080403"),
        ("sort=title", "40080404"),
        ("order=newest", "40080405"),
    ],
)
async def test_refused_lists(client: Client, query: str, code: str) -> None:
    assert await client.code(f"{LIST}?{query}") == code


async def test_no_records() -> None:
    service = make(empty=True)
    service.bookmarks.clear()
    async with service.serve() as base, aiohttp.ClientSession() as session:
        client = Client(session, base)
        assert await client.code(NEWEST) == "40080406"
        service.foreign_empty = True
        _, body = await client(NEWEST)
        assert body["header"]["source"] == "001-04"
        assert body["header"]["code"] == "-1"
        assert body["header"]["errors"][0]["code"] == "40010406"


async def test_faults_and_strings(client: Client, service: Firstlight) -> None:
    service.string_codes = True
    assert (await client.good(NEWEST))["header"]["code"] == "0"
    service.error_status, service.failing = 500, "91"
    status, body = await client(NEWEST)
    assert (status, body["header"]["code"]) == (500, "-1")
    service.string_codes = False
    assert await client.code(NEWEST) == "40080491"
    service.failing = "90"
    assert await client.code("/user/bookmark/lookup/x") == "40080390"


async def test_units(client: Client, service: Firstlight) -> None:
    item = service.pause(movie=500_000, position=600)
    path = f"/user/bookmark/lookup/{item}"
    body = await client.good(path)
    assert body["data"] == {"itemId": item, "offset": 600_000, "ut": 1795262400000}
    assert body["header"]["source"] == "008-03"
    service.offsets_in_seconds = service.times_in_seconds = True
    data = (await client.good(path))["data"]
    assert (data["offset"], data["ut"]) == (600, 1795262400)


async def test_lookup(client: Client, service: Firstlight) -> None:
    service.forget(movie=500_000)
    free = service.item_id(service.catalogue.movies[0])
    assert await client.code(f"/user/bookmark/lookup/{free}") == "40080303"
    for wrong in ("", "%20", "a%2Fb"):
        assert await client.code(f"/user/bookmark/lookup/{wrong}") == "40080302"
    show = service.catalogue.shows[0]
    trakt = int(show.ids["trakt"])
    item = service.pause(show=trakt, season=1, number=2, position=60)
    row = (await client.good(f"/user/bookmark/lookup/{item}"))["data"]
    assert (row["itemId"], row["offset"]) == (item, 60_000)
    service.pause(show=trakt, season=1, number=3)
    after = (await client.good(f"/user/bookmark/lookup/{item}"))["data"]
    assert after["seasonId"] == row["seasonId"]
    assert after["episodeId"] != row["episodeId"]


async def test_nothing_can_be_written(client: Client) -> None:
    for method, path in (
        ("PUT", "/user/bookmark/create"),
        ("DELETE", "/user/bookmark/delete/x"),
        ("POST", LIST),
    ):
        status, body = await client(path, method=method)
        assert status in (404, 405)
        assert "<html>" in body


# content


async def test_a_movie(client: Client, service: Firstlight) -> None:
    movie = service.catalogue.movies[0]
    path = f"/content/title/{service.item_id(movie)}"
    status, body = await client(path, {})
    assert status == 200
    assert (body["message"], body["code"]) == ("success", 0)
    assert "header" not in body
    data = body["data"]
    assert (data["titleType"], data["title"]) == ("movie", movie.title)
    assert data["runtime"] == movie.runtime
    assert data["releaseDate"] == ""
    assert "seasons" not in data


async def test_a_series(client: Client, service: Firstlight) -> None:
    show = service.catalogue.shows[0]
    item = service.pause(show=int(show.ids["trakt"]), season=1, number=1)
    episode = (await client.good(f"/user/bookmark/lookup/{item}"))["data"]["episodeId"]
    data = (await client.good(f"/content/title/{item}"))["data"]
    assert (data["titleType"], data["runtime"]) == ("series", 0)
    seasons = (await client.good(f"/content/{item.upper()}/seasons"))["data"]
    assert seasons == data["seasons"]
    season = next(s for s in seasons if s["seasonNumber"] == 1)
    assert season["numEpisodes"] == len(season["episodes"])
    first = season["episodes"][0]
    assert first["id"] == episode.upper()
    assert first["seasonId"] == season["id"]
    known = show.episode(1, first["episodeNumber"])
    assert known is not None
    assert first["playDuration"] == known.runtime
    service.bare_titles = True
    data = (await client.good(f"/content/title/{item}"))["data"]
    assert "seasons" not in data


async def test_content_refusals(client: Client, service: Firstlight) -> None:
    movie = service.item_id(service.catalogue.movies[0])
    for path, code in (
        ("/content/title/content123", 1),
        (f"/content/title/{uuid4()}", 2),
        (f"/content/{movie}/seasons", 2),
        ("/content/x/seasons", 1),
    ):
        body = await client.good(path)
        assert (body["message"], body["code"]) == ("failure", code)
        assert "data" not in body
    service.forbidden.add(movie)
    assert (await client.good(f"/content/title/{movie}"))["code"] == 3
    service.has_content = False
    for path in (f"/content/title/{movie}", f"/content/{movie}/seasons"):
        assert (await client(path))[0] == 404


# control


async def test_control(client: Client, service: Firstlight) -> None:
    async def control(what: str, **data: Any) -> int:
        url = f"{client.base}/_control/{what}"
        async with client.session.post(url, json=data) as response:
            return response.status

    service.bookmarks.clear()
    assert await control("pause", movie=500_000, position=10) == 200
    assert await control("watch", show=1000, season=1, number=1) == 200
    assert await control("watch_movie", movie=500_001) == 200
    assert service.state() == {"bookmarks": 3, "shows": 1, "movies": 2}
    assert await control("unwatch", movie=500_000) == 200
    assert await control("unwatch", show=1000) == 200
    assert service.state()["bookmarks"] == 1
    assert await control("watch", show=1, season=1, number=1) == 404
    assert await control("watch", show=1000, season=99, number=1) == 404
    assert await control("watch_movie") == 404
    assert await control("dance") == 404
    assert await control("revoke_tokens") == 200
    assert await client.code(NEWEST) == "40080401"
