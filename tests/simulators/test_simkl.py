"""The simulated Simkl refuses what the real one refuses, and answers in its shapes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
import json
import time
from typing import Any

import aiohttp
import pytest

from simulators.catalogue import generate, watch
from simulators.clock import Clock
from simulators.service import Fault
from simulators.simkl import Simkl
from simulators.simkl.grants import DEVICE_GRANT, READ, WRITE

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
APP = {"client_id": "up-next-client", "app-name": "up-next", "app-version": "0.1"}
AGENT = {"User-Agent": "UpNext/0.1.0 (tests)"}

type Reply = tuple[int, Any, Any]


class Client:
    """Calls as an app that does everything right, unless told otherwise."""

    def __init__(self, session: aiohttp.ClientSession, service: Simkl) -> None:
        self.session, self.service = session, service
        self.token = service.grants.issue().access

    async def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        form: Any = None,
        headers: dict[str, str] | None = None,
        **query: Any,
    ) -> Reply:
        sent = (
            AGENT | {"Authorization": f"Bearer {self.token}"}
            if headers is None
            else headers
        )
        async with self.session.request(
            method,
            self.service.base_url + path,
            params=APP | {k.replace("__", "-"): v for k, v in query.items()},
            json=body,
            data=form,
            headers=sent,
            allow_redirects=False,
        ) as response:
            text = await response.text()
            try:
                return (
                    response.status,
                    json.loads(text) if text else None,
                    response.headers,
                )
            except ValueError:
                return response.status, text, response.headers

    async def get(self, path: str, **query: Any) -> Any:
        status, body, _ = await self("GET", path, **query)
        assert status == 200, body
        return body

    async def post(self, path: str, body: Any, **query: Any) -> Any:
        status, reply, _ = await self("POST", path, body, **query)
        assert status == 201, reply
        return reply

    async def items(self, path: str = "", **query: Any) -> Any:
        await self.get("/sync/activities")
        return await self.get(f"/sync/all-items{path}", **query)


def make(shows: int = 20, **limits: Any) -> Simkl:
    clock = Clock()
    clock.freeze(NOW)
    catalogue = generate(NOW, shows=shows, movies=10, airing_in=3600)
    service = Simkl(catalogue, watch(catalogue, NOW), clock)
    service.pacing = False
    for name, value in limits.items():
        setattr(service, name, value)
    return service


@pytest.fixture
def service() -> Simkl:
    return make()


@pytest.fixture
async def call(service: Simkl) -> AsyncIterator[Client]:
    async with service.serve(), aiohttp.ClientSession() as session:
        yield Client(session, service)


def error(reply: Reply) -> tuple[int, str]:
    return reply[0], reply[1]["error"]


# who may ask ------------------------------------------------------------------------------------------------


async def test_identity(call: Client) -> None:
    bearer = AGENT | {"Authorization": f"Bearer {call.token}"}
    for agent in ({}, {"User-Agent": "python-requests/2"}, {"User-Agent": "nothing"}):
        assert error(
            await call(
                "GET", "/sync/activities", headers=bearer | agent if agent else {}
            )
        ) == (403, "forbidden")
    path = "/sync/activities"
    assert error(await call("GET", path, client_id="else")) == (412, "client_id_failed")
    assert error(await call("GET", path, app__name="")) == (400, "empty_field")
    assert error(await call("GET", path, app__version="")) == (400, "empty_field")
    assert error(await call("GET", path, headers=AGENT)) == (401, "user_token_required")
    reply = await call(
        "GET", path, headers=AGENT | {"Authorization": "Bearer nonsense"}
    )
    assert error(reply) == (401, "invalid_token")
    assert 'error="invalid_token"' in reply[2]["WWW-Authenticate"]
    assert error(await call("GET", "/nowhere")) == (404, "url_failed")
    call.service.suspended = True
    assert error(await call("GET", path)) == (412, "client_id_failed")


async def test_read_only_scope_may_not_write(call: Client) -> None:
    call.token = call.service.grants.issue(READ).access
    await call.get("/sync/activities")
    for path in (
        "/sync/history",
        "/sync/watched",
        "/scrobble/start",
        "/users/settings",
    ):
        status, body, headers = await call("POST", path, {})
        assert (status, body["error"]) == (403, "insufficient_scope")
        assert "media:write" in headers["WWW-Authenticate"]
    assert (await call("DELETE", "/sync/playback/1"))[0] == 403


async def test_device_flow(call: Client) -> None:
    service = call.service
    service.pacing = True
    assert (await call("POST", "/oauth2/device", form={"client_id": "v1"}))[0] == 401
    form = {"client_id": "up-next-client", "scope": WRITE}
    status, device, _ = await call("POST", "/oauth2/device", form=form, headers=AGENT)
    assert status == 200
    assert device["verification_uri_complete"].endswith(device["user_code"])
    assert (device["expires_in"], device["interval"]) == (900, 5)
    poll = {
        "client_id": "up-next-client",
        "grant_type": DEVICE_GRANT,
        "device_code": device["device_code"],
    }

    async def ask() -> Reply:
        return await call("POST", "/oauth2/token", form=poll, headers=AGENT)

    assert error(await ask()) == (400, "authorization_pending")
    assert "code" not in (await ask())[1]
    service.approve(deny=True)
    service.clock.advance(60)
    assert error(await ask()) == (400, "authorization_pending")
    assert error(await ask()) == (400, "slow_down")
    service.clock.advance(6)
    assert error(await ask()) == (400, "slow_down")
    service.clock.advance(60)
    service.approve(device["user_code"].lower().replace("-", ""))
    status, tokens, _ = await ask()
    assert (status, tokens["scope"], tokens["expires_in"]) == (200, WRITE, 604800)
    assert error(await ask()) == (400, "expired_token")
    poll["client_id"] = "else"
    assert error(await ask()) == (401, "invalid_client")


async def test_device_code_expires_and_misspelled_scope_is_read_only(
    call: Client,
) -> None:
    for scope in ("", "media:read media:wirte", "media:read"):
        form = {"client_id": "up-next-client", "scope": scope}
        _, device, _ = await call("POST", "/oauth2/device", {**form}, headers=AGENT)
        poll = {
            "client_id": "up-next-client",
            "grant_type": DEVICE_GRANT,
            "device_code": device["device_code"],
        }
        call.service.approve()
        _, tokens, _ = await call("POST", "/oauth2/token", form=poll, headers=AGENT)
        assert tokens["scope"] == READ
    _, device, _ = await call(
        "POST", "/oauth2/device", {"client_id": "up-next-client"}, headers=AGENT
    )
    call.service.clock.advance(901)
    poll["device_code"] = device["device_code"]
    assert error(await call("POST", "/oauth2/token", form=poll, headers=AGENT)) == (
        400,
        "expired_token",
    )


async def test_refresh_and_revoke(call: Client) -> None:
    grant = call.service.grants.grants[0]
    form = {
        "client_id": "up-next-client",
        "grant_type": "refresh_token",
        "refresh_token": grant.refresh,
    }
    old = call.token
    _, tokens, _ = await call("POST", "/oauth2/token", form=form, headers=AGENT)
    assert tokens["refresh_token"] == form["refresh_token"]
    assert error(await call("GET", "/sync/activities")) == (401, "invalid_token")
    call.token = tokens["access_token"]
    assert call.token != old
    call.service.expire_tokens()
    assert error(await call("GET", "/sync/activities")) == (401, "invalid_token")
    wider = form | {"scope": "media:read media:write admin"}
    assert error(await call("POST", "/oauth2/token", form=wider, headers=AGENT)) == (
        400,
        "invalid_scope",
    )
    other = form | {"grant_type": "client_credentials"}
    assert error(await call("POST", "/oauth2/token", form=other, headers=AGENT)) == (
        400,
        "unsupported_grant_type",
    )
    gone = {"client_id": "up-next-client", "token": grant.access}
    assert error(
        await call(
            "POST", "/oauth2/revoke", form=gone | {"client_id": "x"}, headers=AGENT
        )
    ) == (401, "invalid_client")
    assert (await call("POST", "/oauth2/revoke", form=gone, headers=AGENT))[:2] == (
        200,
        None,
    )
    assert error(await call("POST", "/oauth2/token", form=form, headers=AGENT)) == (
        400,
        "invalid_grant",
    )
    call.token = call.service.grants.issue().access
    call.service.revoke_tokens()
    assert error(await call("GET", "/sync/activities")) == (401, "invalid_token")
    assert error(await call("GET", "/oauth/pin", headers=AGENT)) == (
        400,
        "unauthorized_client",
    )
    assert (
        await call("GET", "/.well-known/oauth-authorization-server", headers=AGENT)
    )[0] == 200


async def test_refresh_token_dies_after_180_idle_days(call: Client) -> None:
    grant = call.service.grants.grants[0]
    form = {
        "client_id": "up-next-client",
        "grant_type": "refresh_token",
        "refresh_token": grant.refresh,
    }
    call.service.clock.advance(179 * 86400)
    assert (await call("POST", "/oauth2/token", form=form, headers=AGENT))[0] == 200
    call.service.clock.advance(181 * 86400)
    assert error(await call("POST", "/oauth2/token", form=form, headers=AGENT)) == (
        400,
        "invalid_grant",
    )


async def test_quota(call: Client) -> None:
    service = call.service
    service.quota = 3
    assert "X-RateLimit-Remaining" not in (await call("GET", "/sync/activities"))[2]
    assert (await call("GET", "/sync/activities"))[2]["X-RateLimit-Remaining"] == "1"
    assert error(await call("GET", "/sync/activities", debug_limit="user")) == (
        429,
        "user_limit_exceeded",
    )
    assert error(await call("GET", "/sync/activities", debug_limit="app")) == (
        429,
        "app_limit_exceeded",
    )
    assert (await call("GET", "/sync/activities"))[2]["X-RateLimit-Remaining"] == "0"
    status, body, headers = await call("GET", "/sync/activities")
    assert (status, body["error"]) == (429, "user_limit_exceeded")
    # noon UTC in November is 7 o'clock in New York: 17 hours to go
    assert int(headers["Retry-After"]) == 17 * 3600 + 1
    assert (await call("GET", "/tv/episodes/701000", headers=AGENT))[0] == 200
    service.clock.advance(17 * 3600 + 1)
    assert (await call("GET", "/sync/activities"))[2]["X-RateLimit-Remaining"] == "2"


async def test_the_catalogue_is_free_only_without_a_token(call: Client) -> None:
    for path in (
        "/tv/701000",
        "/tv/episodes/701000",
        "/calendar/v2/tv.json",
    ):
        assert (await call("GET", path, headers=AGENT))[0] == 200
    picture = call.service.base_url + "/posters/18/18ab_m.webp"
    async with call.session.get(picture) as response:
        assert response.content_type == "image/png"
    assert call.service.used == 0
    assert not any(r.counted for r in call.service.requests)
    await call.get("/tv/701000")
    assert call.service.used == 1
    assert call.service.requests[-1].counted


async def test_pacing(call: Client) -> None:
    service = call.service
    service.pacing = True
    replies = [await call("GET", "/sync/activities") for _ in range(11)]
    assert error(replies[-1]) == (429, "rate_limit")
    assert all(r[0] == 200 for r in replies[:10])
    await call("POST", "/sync/history", {})
    assert error(await call("POST", "/sync/history", {})) == (429, "rate_limit")
    assert error(await call("POST", "/sync/history", {})) == (412, "client_id_failed")
    assert error(await call("GET", "/sync/activities")) == (412, "client_id_failed")


async def test_write_lock(call: Client) -> None:
    service = call.service
    service.pacing = True
    service.lock(30)
    status, body, _ = await call("POST", "/sync/history", {})
    assert (status, body["error"], "code" in body) == (400, "rate_limit", False)
    service._last_post = 0
    assert error(
        await call("POST", "/scrobble/start", {"progress": 1, "movie": {}})
    ) == (400, "RATE_LIMIT")
    # a scrobble holds everything up, another write only scrobbles; then time opens the lock
    service.clock.advance(30)
    service._last_post = 0
    await call.post("/sync/history", {})
    service._last_post = 0
    await call.post("/sync/history", {})
    service._last_post = 0
    assert error(await call("POST", "/scrobble/stop", _playing(20))) == (
        400,
        "RATE_LIMIT",
    )
    service.clock.advance(20)
    service._last_post = 0
    await call.post("/scrobble/stop", _playing(20))
    service._last_post = 0
    status, body, _ = await call("POST", "/sync/history", {})
    assert (status, body["error"]) == (400, "rate_limit")


# reading ----------------------------------------------------------------------------------------------------


async def test_activities_shape(call: Client) -> None:
    body = await call.get("/sync/activities")
    movies = {"all", "rated_at", "playback", "plantowatch", "completed", "dropped"}
    movies.add("removed_from_list")
    assert set(body["movies"]) == movies
    assert set(body["anime"]) == set(body["tv_shows"]) == movies | {"watching", "hold"}
    assert set(body["custom_lists"]["lists"]) >= {"all", "regular", "favorites"}
    assert body["tv_shows"]["removed_from_list"] is None
    assert body["settings"] == {"all": None}
    assert body["all"].endswith("Z")


async def test_all_items(call: Client) -> None:
    service = call.service
    body = await call.items()
    rows = body["shows"]
    assert {r["status"] for r in rows} == {"watching", "completed", "plantowatch"}
    behind = next(r for r in rows if r["status"] == "watching" and r["next_to_watch"])
    assert behind["next_to_watch"].startswith("S0")
    assert isinstance(behind["show"]["ids"]["simkl"], int)
    assert isinstance(behind["show"]["ids"]["tvdb"], str)
    assert "trakt" not in behind["show"]["ids"]
    assert body["anime"][0]["anime_type"] == "tv"
    assert any((r["next_to_watch"] or "E").startswith("E") for r in body["anime"])
    movie = body["movies"][0]
    assert "next_to_watch" not in movie
    assert movie["total_episodes_count"] == 0
    total = sum(
        r["total_episodes_count"]
        - r["not_aired_episodes_count"]
        - r["watched_episodes_count"]
        for r in rows + body["anime"]
        if r["status"] == "watching" and r["next_to_watch"]
    )
    assert total == service.state()["unwatched"] > 0
    assert (await call.items("/movies/watching")) == {}
    assert set(await call.items("/shows/watching")) == {"shows"}
    full = await call.items(
        "/shows/watching",
        extended="full",
        episode_watched_at="yes",
        next_watch_info="yes",
    )
    assert full["shows"][0]["seasons"][0]["episodes"][0]["watched_at"].endswith("Z")
    done = (await call.items("/shows/completed", extended="full"))["shows"]
    assert "seasons" not in done[0]
    done = (
        await call.items(
            "/shows/completed", extended="full", include_all_episodes="original"
        )
    )["shows"]
    assert "seasons" in done[0]
    ids = (await call.items(extended="simkl_ids_only"))["shows"][0]
    assert set(ids["show"]["ids"]) == {"simkl", "slug"}
    assert "tmdb" in (await call.items(extended="ids_only"))["shows"][0]["show"]["ids"]
    anime = (await call.items("/anime", extended="full_anime_seasons"))["anime"]
    assert any("mapped_tvdb_seasons" in r for r in anime)
    assert "memo" in (await call.items("/movies", memos="yes"))["movies"][0]
    assert error(await call("GET", "/sync/all-items", date_from="yesterday")) == (
        400,
        "wrong_parameter",
    )
    service.max_episodes = 1
    assert error(await call("GET", "/sync/all-items/shows/hold", extended="full")) == (
        400,
        "max_items",
    )


async def test_delta_is_strictly_after_and_empty_buckets_are_missing(
    call: Client,
) -> None:
    service = call.service
    before = (await call.get("/sync/activities"))["all"]
    assert await call.items(date_from=before) == {}
    service.null_client = True
    assert await call.items(date_from=before) is None
    service.watch(1000, 1, 1)
    service.unwatch(1000, 1, 1)
    after = await call.get("/sync/activities")
    assert after["all"] == after["tv_shows"]["watching"] > before
    body = await call.items(date_from=before)
    assert [r["show"]["ids"]["simkl"] for r in body["shows"]] == [701000]
    assert set(body) == {"shows"}


async def test_removals_are_in_no_delta_and_ratings_neither(call: Client) -> None:
    service = call.service
    before = (await call.get("/sync/activities"))["all"]
    service.watchlist_remove(show=1000)
    service.rate(8, show=1001)
    service.rate(3, movie=500000)
    service.rate(None, movie=500000)
    marks = await call.get("/sync/activities")
    assert marks["tv_shows"]["removed_from_list"] > before
    assert marks["tv_shows"]["rated_at"] > before
    assert await call.items(date_from=before) == {}
    rated = await call.get("/sync/ratings", date_from=before)
    assert [r["user_rating"] for r in rated["shows"]] == [8]
    assert [r["user_rating"] for r in rated["movies"]] == [None]
    assert await call.get("/sync/ratings/movies/3") == {}
    assert set(await call.get("/sync/ratings")) == {"shows"}
    # what comes back comes with its history, without its rating
    service.watchlist_add(show=1000)
    row = (await call.items(date_from=before))["shows"][0]
    assert (row["watched_episodes_count"] > 0, row["user_rating"]) == (True, None)


async def test_airing_moves_the_markers_of_the_caught_up_only(call: Client) -> None:
    service = call.service
    before = await call.get("/sync/activities")
    show = next(s for s in service.catalogue.shows if not s.ended and not s.anime)
    for episode in show.aired(service.clock.now())[:-1]:
        service.watch(int(show.ids["trakt"]), episode.season, episode.number)
    behind = await call.get("/sync/activities")
    service.clock.advance(3700)
    assert (await call.get("/sync/activities"))["all"] == behind["all"] > before["all"]
    for episode in show.aired(service.clock.now()):
        service.watch(int(show.ids["trakt"]), episode.season, episode.number)
    caught = await call.get("/sync/activities")
    service.catalogue.add_episode(show, service.clock.now() + timedelta(minutes=5))
    assert (await call.get("/sync/activities")) == caught
    service.clock.advance(301)
    moved = await call.get("/sync/activities")
    assert moved["tv_shows"]["watching"] > caught["tv_shows"]["watching"]
    rows = (await call.items(date_from=caught["all"]))["shows"]
    assert len(rows) == 1 and rows[0]["next_to_watch"]


async def test_polling_all_items_is_refused(call: Client) -> None:
    assert error(await call("GET", "/sync/all-items")) == (412, "client_id_failed")
    await call.items("/shows")
    await call.items("/movies")
    await call.items("/shows")
    assert error(await call("GET", "/sync/all-items/shows")) == (
        412,
        "client_id_failed",
    )
    await call.items(date_from="2026-11-01T00:00:00Z")
    call.service.clock.advance(601)
    refused = await call("GET", "/sync/all-items", date_from="2026-11-01T00:00:00Z")
    assert error(refused) == (412, "client_id_failed")
    call.service.gated = False
    assert (await call("GET", "/sync/all-items/shows"))[0] == 200


async def test_ids_only_is_allowed_once_more_for_every_removal(call: Client) -> None:
    for show in (1000, 1001, 1002, 1003):
        call.service.watchlist_remove(show=show)
        await call.items(extended="simkl_ids_only")
    await call.items(extended="simkl_ids_only")
    again = await call("GET", "/sync/all-items", extended="simkl_ids_only")
    assert error(again) == (412, "client_id_failed")


async def test_watched_lookup(call: Client) -> None:
    items: list[Any] = [{"ids": {"simkl": 701000}}, {"ids": {"simkl": 1}}]
    status, body, _ = await call("POST", "/sync/watched", items)
    assert (status, body[0]["list"], body[1]["result"]) == (
        200,
        "watching",
        "not_found",
    )
    assert (await call("POST", "/sync/watched", []))[1] is None
    assert error(
        await call("POST", "/sync/watched", items * 51, extended="episodes")
    ) == (400, "max_items")
    await call.items("/shows")
    assert error(await call("POST", "/sync/watched", items)) == (
        412,
        "client_id_failed",
    )


async def test_titles_search_and_users(call: Client) -> None:
    show = call.service.catalogue.shows[0]
    pages = await call("GET", "/tv/episodes/701000", headers=AGENT)
    regular = [e for e in pages[1] if e["type"] == "episode"]
    assert regular[0]["date"].endswith("T00:00:00-05:00")
    special = next(e for e in pages[1] if e["type"] == "special")
    assert "season" not in special and "episode" not in special
    anime = (await call("GET", "/anime/episodes/701009", headers=AGENT))[1]
    assert "season" not in anime[0] and anime[0]["date"].endswith("+09:00")
    assert (await call("GET", "/tv/1", headers=AGENT))[1] == []
    assert (await call("GET", "/movies/1400000", headers=AGENT))[1]["type"] == "movie"
    assert (await call("GET", "/anime/701009", headers=AGENT))[1]["anime_type"] == "tv"
    assert error(await call("GET", "/tv/episodes", headers=AGENT)) == (400, "empty_id")
    assert await call.get("/search/tv") == []
    assert await call.get("/search/nothing", q="x") is None
    status, found, headers = await call(
        "GET", "/search/tv", q=show.title, extended="full"
    )
    assert (status, found[0]["ids"]["simkl_id"], headers["X-Pagination-Page"]) == (
        200,
        701000,
        "1",
    )
    assert found[0]["url"].startswith("/tv/701000/")
    assert error(await call("GET", "/search/tv", headers=AGENT, q="x")) == (
        401,
        "user_token_required",
    )
    assert (await call.get("/search/id", imdb=str(show.ids["imdb"])))[0]["type"] == "tv"
    assert await call.get("/search/id", imdb="tt1") == []
    assert (await call("POST", "/search/random", {}))[1] == {"error": "not_found"}
    reply = await call("GET", "/redirect", to="simkl", imdb=str(show.ids["imdb"]))
    assert (reply[0], reply[2]["Location"].startswith("//simkl.com/tv/701000")) == (
        301,
        True,
    )
    assert (await call("GET", "/redirect", to="simkl", imdb="tt1"))[2][
        "Location"
    ] == "//simkl.com"
    movie = call.service.catalogue.movies[0]
    assert (await call.get("/search/id", tmdb=str(movie.ids["tmdb"]), type="movie"))[0][
        "type"
    ] == "movies"
    settings = await call.get("/users/settings")
    assert (settings["account"]["id"], settings["account"]["type"]) == (12345, "free")


async def test_calendars(call: Client) -> None:
    status, body, headers = await call("GET", "/calendar/v2/tv.json", headers={})
    assert status == 200 and "Last-Modified" in headers
    first = body["calendar"][0]
    assert str(first["simkl_id"]) in body["metadata"]
    assert first["date"].endswith("Z") and first["episode"]["season"] > 0
    anime = (await call("GET", "/calendar/v2/anime.json", headers=AGENT))[1]
    assert all("season" not in r["episode"] for r in anime["calendar"])
    movies = (
        await call("GET", "/calendar/v2/2026/10/movie_release.json", headers=AGENT)
    )[1]
    assert all("episode" not in r for r in movies["calendar"])
    assert (await call("GET", "/calendar/v2/2026/11/tv.json", headers=AGENT))[1][
        "calendar"
    ]
    for path in ("2027/4/tv", "2026/01/tv", "nothing"):
        status, text, _ = await call("GET", f"/calendar/v2/{path}.json", headers=AGENT)
        assert (status, text) == (404, "Not Found")


# writing ----------------------------------------------------------------------------------------------------


def _episode(season: int, number: int, **ids: Any) -> dict[str, Any]:
    return {
        "ids": ids or {"simkl": 701000},
        "seasons": [{"number": season, "episodes": [{"number": number}]}],
    }


async def test_history(call: Client) -> None:
    service = call.service
    service.unwatch(1000, 1, 1)
    reply = await call.post("/sync/history", {"shows": [_episode(1, 1)]})
    assert reply["added"]["episodes"] == 1
    assert reply["added"]["statuses"][0]["response"]["simkl_type"] == "tv"
    again = await call.post("/sync/history", {"shows": [_episode(1, 1)]})
    assert again["added"] == {"movies": 0, "shows": 0, "episodes": 0, "statuses": []}
    lost = await call.post(
        "/sync/history",
        {
            "shows": [_episode(9, 9), {"ids": {"simkl": 5}}],
            "movies": [{"ids": {"simkl": 99999991}}],
            "episodes": [{"ids": {"tvdb": 1}}],
        },
    )
    missing = lost["not_found"]
    assert [len(missing[k]) for k in ("movies", "shows", "episodes")] == [1, 1, 2]
    assert (await call.post("/sync/history", {}))["added"]["episodes"] == 0
    bad = {"movies": [{"ids": {"simkl": 1400000}, "watched_at": "2026-11-20T20:00:00"}]}
    assert error(await call("POST", "/sync/history", bad)) == (400, "wrong_parameter")


async def test_whole_titles_follow_the_rules(call: Client) -> None:
    shelf = call.service.shelf
    shows = call.service.catalogue.shows
    ended = next(
        s
        for s in shows
        if s.ended and shelf.entries[int(s.ids["simkl"])].status == "plantowatch"
    )
    running = next(
        s
        for s in shows
        if not s.ended and shelf.entries[int(s.ids["simkl"])].status == "plantowatch"
    )
    for show, status in ((ended, "completed"), (running, "watching")):
        reply = await call.post(
            "/sync/history", {"shows": [{"ids": {"simkl": show.ids["simkl"]}}]}
        )
        assert reply["added"]["statuses"][0]["response"]["status"] == status
        assert reply["added"]["shows"] == 1
        seen = len(shelf.entries[int(show.ids["simkl"])].watched)
        assert seen == len(show.aired(NOW))
    call.service.unwatch(int(ended.ids["trakt"]), 1, 1)
    assert shelf.entries[int(ended.ids["simkl"])].status == "watching"
    season = {"shows": [{"title": ended.title, "seasons": [{"number": 1}]}]}
    assert (await call.post("/sync/history", season))["added"]["episodes"] == 1
    flat = {"anime": [{"ids": {"mal": 31009}, "episodes": [{"number": 12}]}]}
    assert (await call.post("/sync/history/remove", flat))["deleted"]["episodes"] == 0
    moved = {"shows": [{"ids": {"simkl": running.ids["simkl"]}, "status": "hold"}]}
    await call.post("/sync/history", moved)
    assert shelf.entries[int(running.ids["simkl"])].status == "hold"


async def test_history_can_move_rate_and_note(call: Client) -> None:
    shelf = call.service.shelf
    path = "/sync/history"
    body = {
        "movies": [
            {"ids": {"simkl": 1400000}, "status": "dropped"},
            {"ids": {"simkl": 1400009}, "rating": 9, "memo": {"text": "classic"}},
        ],
        "shows": [{"ids": {"simkl": 701000}, "status": "completed"}],
    }
    await call.post(path, body)
    assert shelf.entries[1400000].status == "dropped"
    noted = shelf.entries[1400009]
    assert (noted.rating, noted.memo["text"]) == (9, "classic")
    assert shelf.entries[701000].status == "watching"
    assert call.service._left(shelf.entries[701000]) == 0
    for kind in ("movies", "shows"):
        wrong = {
            kind: [
                {
                    "ids": {"simkl": 1400000 if kind == "movies" else 701000},
                    "status": "later",
                }
            ]
        }
        assert error(await call("POST", path, wrong)) == (400, "wrong_parameter")
    assert error(await call("POST", path, {"shows": {"ids": 1}})) == (
        400,
        "wrong_parameter",
    )
    unnumbered = {"shows": [{"ids": {"simkl": 701000}, "seasons": [{}]}]}
    assert error(await call("POST", path, unnumbered)) == (400, "empty_field")
    nothing = {"shows": [{"ids": {"simkl": 701000}, "seasons": [{"number": 44}]}]}
    assert (await call.post(path, nothing))["not_found"]["episodes"]
    show = call.service.catalogue.shows[0].episode(1, 1)
    assert show is not None
    call.service.unwatch(1000, 1, 1)
    reply = await call.post(path, {"episodes": [{"ids": {"tvdb": show.ids["tvdb"]}}]})
    assert reply["added"]["episodes"] == 1
    unknown = {"movies": [{"ids": {"simkl": 1}}]}
    assert (await call.post("/sync/history/remove", unknown))["not_found"]["movies"]


async def test_remove(call: Client) -> None:
    shelf = call.service.shelf
    anime = call.service.catalogue.show("trakt", 1009)
    assert anime is not None
    number = min(n for _, n in shelf.entries[701009].watched)
    one = {
        "ids": {"simkl": 701009},
        "seasons": [{"number": 1, "episodes": [{"number": number}]}],
    }
    assert (await call.post("/sync/history/remove", {"anime": [one]}))["deleted"][
        "episodes"
    ] == 0
    assert (await call.post("/sync/history/remove", {"shows": [one]}))["deleted"][
        "episodes"
    ] == 1
    gone = {
        "shows": [{"ids": {"simkl": 701000}}, {"ids": {"simkl": 4}}],
        "movies": [{"ids": {"simkl": 1400000}}],
    }
    reply = await call.post("/sync/history/remove", gone)
    assert (reply["deleted"]["shows"], reply["deleted"]["movies"]) == (1, 1)
    assert len(reply["not_found"]["shows"]) == 1
    assert 701000 not in shelf.entries
    assert (await call.post("/sync/history/remove", gone))["deleted"]["shows"] == 0


async def test_add_to_list(call: Client) -> None:
    path = "/sync/add-to-list"
    show = {"ids": {"simkl": 701000}}
    assert error(await call("POST", path, {"to": "hold", "shows": [show]})) == (
        400,
        "empty_field",
    )
    assert error(await call("POST", path, {"to": "hold"})) == (400, "empty_field")
    assert error(await call("POST", path, {"shows": [show | {"to": "later"}]})) == (
        400,
        "wrong_parameter",
    )
    body = {
        "shows": [show | {"to": "completed"}, {"ids": {"simkl": 4}, "to": "hold"}],
        "movies": [{"ids": {"tmdb": "700000"}, "to": "watching"}],
    }
    reply = await call.post(path, body)
    assert reply["added"]["shows"][0]["to"] == "watching"
    assert reply["added"]["movies"][0]["to"] == "completed"
    assert reply["added"]["movies"][0]["ids"]["simkl"] == 1400000
    assert len(reply["not_found"]["shows"]) == 1


async def test_ratings(call: Client) -> None:
    body = {
        "movies": [
            {"ids": {"simkl": 1400000}, "rating": 8},
            {"ids": {"simkl": 1400001}, "rating": 11},
        ],
        "anime": [
            {"ids": {"mal": 31009}, "rating": 10, "rated_at": "2026-05-15T20:00:00Z"}
        ],
    }
    reply = await call.post("/sync/ratings", body)
    assert (reply["added"]["movies"], reply["added"]["shows"]) == (1, 1)
    assert len(reply["not_found"]["movies"]) == 1
    gone = {"movies": [{"ids": {"simkl": 1400000}}, {"ids": {"simkl": 1}}]}
    reply = await call.post("/sync/ratings/remove", gone)
    assert reply["deleted"]["movies"] == 1 and len(reply["not_found"]["movies"]) == 1


# scrobbling -------------------------------------------------------------------------------------------------


def _playing(progress: Any, number: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "progress": progress,
        "show": {"ids": {"simkl": 701000}},
        "episode": {"season": 1, "number": number},
    } | more


async def test_scrobble(call: Client) -> None:
    service = call.service
    service.unwatch(1000, 1, 1)
    service.unwatch(1000, 1, 2)
    assert (await call.post("/scrobble/start", _playing(10.5)))["action"] == "start"
    assert service.state()["watching"]
    assert (await call.post("/scrobble/pause", _playing(45.5)))["id"] > 0
    rows = await call.get("/sync/playback")
    assert (rows[0]["progress"], rows[0]["episode"]["episode"], rows[0]["type"]) == (
        45.5,
        1,
        "episode",
    )
    assert await call.get("/sync/playback/movies") == []
    assert (
        await call.get(
            "/sync/playback", limit="0", date_from="2026-11-01", date_to="2026-12-01"
        )
        == []
    )
    assert (await call.post("/scrobble/stop", _playing(79.99)))["action"] == "pause"
    assert (await call.post("/scrobble/stop", _playing(80)))["action"] == "scrobble"
    assert await call.get("/sync/playback") == []
    reply = await call("POST", "/scrobble/stop", _playing(95))
    assert (
        error(reply) == (409, "already_watched")
        and reply[1]["expires_at"] > reply[1]["watched_at"]
    )
    service.clock.advance(3601)
    assert (await call.post("/scrobble/stop", _playing(95)))["action"] == "scrobble"
    assert (1, 1) in service.shelf.entries[701000].watched


async def test_scrobble_finishes_what_went_before(call: Client) -> None:
    service = call.service
    service.unwatch(1000, 1, 1)
    await call.post("/scrobble/start", _playing(79))
    service.clock.advance(300)
    await call.post("/scrobble/checkin", {"movie": {"ids": {"simkl": 1400000}}})
    assert (1, 1) in service.shelf.entries[701000].watched
    service.clock.advance(9000)
    assert not service.state()["watching"]


async def test_a_check_in_counts_once_its_length_has_passed(call: Client) -> None:
    service = call.service
    for movie, minutes in zip(
        (m for m in service.catalogue.movies), (90, 60), strict=False
    ):
        # what the server knows no length of takes the usual one
        movie.runtime = 0 if minutes == 90 else minutes * 60
        service.watchlist_remove(movie=int(movie.ids["trakt"]))
        before = service.state()["plays"]
        body = {"movie": {"ids": {"simkl": movie.ids["simkl"]}}}
        assert (await call.post("/scrobble/checkin", body))["progress"] == 0
        service.clock.advance(minutes * 60 - 1)
        assert service.state()["plays"] == before
        service.clock.advance(2)
        assert service.state()["plays"] == before + 1
        assert not service.state()["watching"]


async def test_another_viewing_needs_a_plan_and_two_days(call: Client) -> None:
    service = call.service
    service.unwatch(1000, 1, 1)
    show = {"ids": {"simkl": 701000}}
    marked = {"seasons": [{"number": 1, "episodes": [{"number": 1}]}]}

    async def stop() -> bool:
        service.clock.advance(3601)
        call.token = service.grants.issue().access
        reply = await call.post("/scrobble/stop", _playing(95), allow_rewatch="yes")
        return "rewatch_id" in reply

    async def mark(**query: str) -> int:
        body = {"shows": [show | marked]}
        number: int = (await call.post("/sync/history", body, **query))["added"][
            "episodes"
        ]
        return number

    service.plan = "pro"
    assert not await stop(), "the first one is none"
    assert not await stop(), "too soon"
    service.clock.advance(2 * 86400)
    service.plan = "free"
    assert not await stop()
    service.plan = "vip"
    assert await stop()
    assert not await stop()
    assert await mark(allow_rewatch="yes") == 0
    service.clock.advance(2 * 86400)
    call.token = service.grants.issue().access
    assert await mark() == 0
    assert await mark(allow_rewatch="yes") == 1
    service.clock.advance(2 * 86400)
    call.token = service.grants.issue().access
    unwatched = next(
        e.simkl
        for e in service.shelf.entries.values()
        if e.kind == "movie" and not e.watched
    )
    movie = {"movies": [{"ids": {"simkl": unwatched}}]}
    assert (await call.post("/sync/history", movie))["added"]["movies"] == 1
    again = await call.post("/sync/history", movie, allow_rewatch="yes")
    assert again["added"]["movies"] == 0
    assert service.state()["rewatches"] == 2


async def test_scrobble_refusals(call: Client) -> None:
    path = "/scrobble/start"
    for body, expected in (
        ({}, (400, "empty_field")),
        ({"progress": 1}, (400, "empty_field")),
        ({"movie": {"ids": {"simkl": 1400000}}}, (400, "empty_field")),
        (_playing(101), (400, "wrong_parameter")),
        (_playing("12"), (400, "wrong_parameter")),
        (_playing(12.345), (400, "wrong_parameter")),
        (_playing(1, movie={"ids": {"simkl": 1400000}}), (400, "empty_field")),
        (_playing(1, number=99), (404, "id_err")),
        (_playing(1, episode={"season": 1, "episode": 1}), (400, "empty_field")),
        (_playing(1, show={"ids": {"simkl": 5}}), (404, "id_err")),
    ):
        assert error(await call("POST", path, body)) == expected, body
    assert error(await call("POST", "/scrobble/resume", {})) == (404, "url_failed")
    tvdb = {"ids": {"tvdb": call.service.catalogue.shows[0].episode(1, 1).ids["tvdb"]}}  # type: ignore[union-attr]
    assert (await call.post(path, _playing(1, episode=tvdb)))["episode"]["number"] == 1
    anime = {"progress": 1, "anime": {"ids": {"mal": 31009}}, "episode": {"number": 3}}
    assert (await call.post(path, anime))["episode"]["tvdb_number"] == 3


async def test_playback_is_kept_for_the_plan_and_can_be_deleted(call: Client) -> None:
    service = call.service
    service.pause(40, movie=500009)
    service.pause(40, show=1000, season=1, number=1)
    rows = await call.get("/sync/playback")
    assert {r["type"] for r in rows} == {"movie", "episode"}
    assert (await call("DELETE", f"/sync/playback/{rows[0]['id']}"))[0] == 204
    assert error(await call("DELETE", f"/sync/playback/{rows[0]['id']}")) == (
        404,
        "empty",
    )
    assert error(await call("DELETE", "/sync/playback/0")) == (404, "url_failed")
    assert error(await call("GET", "/sync/playback/things")) == (404, "url_failed")
    service.clock.advance(8 * 86400)
    call.token = service.grants.issue().access
    assert await call.get("/sync/playback") == []
    service.plan = "pro"
    assert len(await call.get("/sync/playback")) == 1


# control ----------------------------------------------------------------------------------------------------


async def test_control(call: Client) -> None:
    async def control(what: str, **data: Any) -> Any:
        return (await call("POST", f"/_control/{what}", data))[1]

    before = call.service.state()
    await control("unwatch", show=1000, season=1, number=1)
    assert (
        await control(
            "watch", show=1000, season=1, number=1, at="2026-11-01T00:00:00+00:00"
        )
    )["plays"] == before["plays"]
    assert (await control("watch_movie", movie=500009))["plays"] == before["plays"] + 1
    left = before["watchlist"] - 1
    assert (await control("watchlist_add", movie=500009))["watchlist"] == left + 1
    assert (await control("watchlist_remove", movie=500008))["watchlist"] == left
    assert (await control("drop", show=1000))["lists"]["dropped"] == 1
    assert (await control("hold", show=1000))["lists"]["hold"] == 1
    await control("start_watching", show=1000)
    assert (await control("rate", show=1000, rating=7))["ratings"] == 1
    assert (await control("pause", show=1000, season=1, number=1, progress=20))[
        "playbacks"
    ] == 1
    assert (await control("limits", quota=7, plan="vip"))["quota"] == 7
    await control("lock", seconds=0)
    await control("settings")
    assert (await call.get("/sync/activities"))["settings"]["all"]
    assert "error" in await control("watch", show=1)
    assert "error" in await control("nonsense")
    await control("lose_refresh")
    assert call.service.faults == [Fault("lost", "POST /oauth2/token")]


async def test_big_lists_are_quick() -> None:
    service = make(5000)
    async with service.serve(), aiohttp.ClientSession() as session:
        call = Client(session, service)
        slow = {}
        for path in ("/sync/activities", "/sync/all-items/shows"):
            await call.get(path, extended="full", episode_watched_at="yes")
            start = time.perf_counter()
            await call.get(path, extended="full", episode_watched_at="yes")
            slow[path] = time.perf_counter() - start
    # 200 ms on a quiet machine; the bound leaves room for a busy one
    assert max(slow.values()) < 1.5, slow
