"""The simulated Letterboxd serves one feed in the shape of the sample, and turns everything else away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from xml.etree import ElementTree as ET

import aiohttp
from multidict import CIMultiDictProxy
import pytest

from simulators.catalogue import generate, watch
from simulators.clock import Clock
from simulators.letterboxd import Letterboxd

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
AGENT = "UpNext/0.0.0 (tests)"
LB, TMDB = "{https://letterboxd.com}", "{https://themoviedb.org}"


@pytest.fixture
def service() -> Letterboxd:
    clock = Clock()
    clock.freeze(NOW)
    catalogue = generate(NOW, shows=0, movies=100)
    return Letterboxd(catalogue, watch(catalogue, NOW, watched=80), clock)


class Client:
    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self.session, self.base = session, base

    async def __call__(
        self, path: str = "/someone/rss/", method: str = "GET", **headers: str
    ) -> tuple[int, str, CIMultiDictProxy[str]]:
        sent = {"User-Agent": AGENT} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        async with self.session.request(
            method, self.base + path, headers=sent, allow_redirects=False
        ) as response:
            return response.status, await response.text(), response.headers

    async def items(self) -> list[ET.Element]:
        status, body, _ = await self()
        assert status == 200
        return ET.fromstring(body).findall("channel/item")

    async def control(self, what: str, data: dict[str, object]) -> int:
        async with self.session.post(
            f"{self.base}/_control/{what}", json=data
        ) as response:
            return response.status


@pytest.fixture
async def client(service: Letterboxd) -> AsyncIterator[Client]:
    async with service.serve() as base, aiohttp.ClientSession() as session:
        yield Client(session, base)


async def test_the_feed_has_the_shape_of_the_sample(
    service: Letterboxd, client: Client
) -> None:
    entry = service.watch_movie(500_090, date(2026, 11, 20))
    service.edit(entry, rating=4.5, like=True)
    status, body, headers = await client()
    assert (status, headers["Content-Type"]) == (
        200,
        "application/rss+xml;charset=UTF-8",
    )
    channel = ET.fromstring(body)[0]
    assert channel.findtext("title") == "Letterboxd - Someone"
    item = channel.findall("item")[0]
    assert [child.tag for child in item] == [
        "title",
        "link",
        "guid",
        "pubDate",
        f"{LB}watchedDate",
        f"{LB}rewatch",
        f"{LB}filmTitle",
        f"{LB}filmYear",
        f"{LB}memberRating",
        f"{LB}memberLike",
        f"{TMDB}movieId",
        "description",
        "{http://purl.org/dc/elements/1.1/}creator",
    ]
    assert item.findtext("title") == f"{entry.title}, {entry.year} - ★★★★½"
    assert (
        item.findtext("pubDate") == "Sun, 22 Nov 2026 01:00:00 +1300"
    )  # New Zealand's summer
    assert item.findtext(f"{LB}watchedDate") == "2026-11-20"
    assert item.findtext(f"{LB}rewatch") == "No"
    assert item.findtext(f"{LB}memberLike") == "Yes"
    description = item.findtext("description") or ""
    assert '<p><img src="' in description
    assert "Watched on Friday November 20, 2026." in description


async def test_only_the_newest_50_then_the_lists(
    service: Letterboxd, client: Client
) -> None:
    assert len(service.entries) == 80
    items = await client.items()
    films = [i for i in items if i.find(f"{LB}filmTitle") is not None]
    assert len(films) == 50
    assert items[:50] == films
    assert (items[50].findtext("guid") or "").startswith("letterboxd-list-")
    assert items[50].find(f"{LB}filmTitle") is None


async def test_the_order_can_be_that_of_watching(
    service: Letterboxd, client: Client
) -> None:
    late = service.watch_movie(500_090, date(1999, 1, 1))
    assert (await client.items())[0].findtext("guid") == late.guid
    service.order = "watched"
    assert late.guid not in {i.findtext("guid") for i in await client.items()}


async def test_odd_entries(service: Letterboxd, client: Client) -> None:
    odd = service.add_oddities()
    rows = {i.findtext("guid"): i for i in await client.items()}

    def text(name: str, tag: str) -> str | None:
        return rows[odd[name].guid].findtext(tag)

    assert text("no_year", f"{LB}filmYear") is None
    assert text("no_year", f"{TMDB}movieId") is None
    assert text("no_year", "title") == "Untitled"
    assert text("no_rating", f"{LB}memberRating") is None
    assert text("no_rating", f"{LB}memberLike") is None
    assert (text("tv", f"{TMDB}movieId"), text("tv", f"{TMDB}tvId")) == (None, "114461")
    assert text("undated", f"{LB}watchedDate") is None
    assert odd["undated"].guid.startswith("letterboxd-review-")
    assert text("again", "title") == "Crimes, Lies - ★, 2001 - ★★★★★"
    assert (text("again", "link") or "").endswith("/film/crimes-lies/1/")
    assert text("again", f"{LB}watchedDate") == text("first", f"{LB}watchedDate")


async def test_a_review_gives_an_entry_another_id(service: Letterboxd) -> None:
    entry = service.watch_movie(500_090)
    before = entry.guid
    service.edit(entry, review="Late thoughts.")
    assert entry.guid.startswith("letterboxd-review-")
    assert entry.guid.rpartition("-")[2] != before.rpartition("-")[2]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/someone/",
        "/someone/rss",
        "/someone/films/diary/",
        "/someone/watchlist/rss/",
        "/someone/list/top/rss/",
        "/film/inception/",
        "/api/v0/films",
        "/user/login.do",
        "/settings/data/",
    ],
)
async def test_nothing_but_feeds(client: Client, path: str) -> None:
    status, body, headers = await client(path)
    assert (status, headers["Server"]) == (403, "cloudflare")
    assert "<html" in body


@pytest.mark.parametrize(
    "agent",
    [
        "",
        "Python/3.13 aiohttp/3.11",
        "python-requests/2.32",
        "feedparser/6.0",
        "curl/8",
    ],
)
async def test_libraries_are_turned_away(client: Client, agent: str) -> None:
    assert (await client(User_Agent=agent))[0] == 403


async def test_other_methods_and_a_block(service: Letterboxd, client: Client) -> None:
    assert (await client(method="POST"))[0] == 403
    service.blocked = True
    assert (await client())[0] == 403


async def test_unknown_and_private(service: Letterboxd, client: Client) -> None:
    status, body, headers = await client("/nobody/rss/")
    assert (status, headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert "Not Found" in body
    service.private = "404"
    assert (await client())[0] == 404
    service.private = "empty"
    assert await client.items() == []


async def test_conditional_requests(service: Letterboxd, client: Client) -> None:
    _, _, headers = await client()
    etag, modified = headers["ETag"], headers["Last-Modified"]
    assert (await client(If_None_Match=etag))[:2] == (304, "")
    assert (await client(If_Modified_Since=modified))[0] == 304
    assert (await client(If_None_Match='"other"', If_Modified_Since=modified))[0] == 200
    service.clock.advance(60)
    service.watch_movie(500_090)
    assert (await client(If_None_Match=etag))[0] == 200
    assert (await client(If_Modified_Since=modified))[0] == 200
    service.validators = frozenset()
    _, _, headers = await client(If_None_Match=etag)
    assert "ETag" not in headers
    assert "Last-Modified" not in headers


async def test_control(service: Letterboxd, client: Client) -> None:
    assert await client.control("watch", {"movie": 500_090, "on": "2026-11-01"}) == 200
    assert service.entries[-1].watched_on == date(2026, 11, 1)
    assert await client.control("unwatch", {"movie": 500_090}) == 200
    assert service.state() == {
        "unwatched": 0,
        "watchlist": 0,
        "entries": 80,
        "plays": 80,
        "movies": 80,
        "in_feed": 50,
    }
    assert await client.control("oddities", {}) == 200
    assert (service.state()["entries"], service.state()["plays"]) == (86, 85)
    assert await client.control("wrong_namespace", {}) == 200
    assert "https://www.themoviedb.org" in (await client())[1]
    assert await client.control("validators", {"which": ["etag"]}) == 200
    assert "Last-Modified" not in (await client())[2]
    assert await client.control("private", {}) == 200
    assert await client.control("blocked", {"on": True}) == 200
    assert (await client())[0] == 403
    assert await client.control("nonsense", {}) == 404
    with pytest.raises(KeyError):
        service.watch_movie(1)


async def test_there_is_nothing_to_sign_in_to(
    service: Letterboxd, client: Client
) -> None:
    service.approve()
    service.expire_tokens()
    service.revoke_tokens()
    assert (await client())[0] == 200


async def test_the_wall_clock_of_the_feed_follows_the_season(
    service: Letterboxd, client: Client
) -> None:
    service.clock.advance(timedelta(days=200).total_seconds())
    service.watch_movie(500_090)
    assert ((await client.items())[0].findtext("pubDate") or "").endswith("+1200")
