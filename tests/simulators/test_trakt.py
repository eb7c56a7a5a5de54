"""The simulated Trakt refuses what the real one refuses, and answers in its shapes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
import json
from time import perf_counter
from typing import Any

import aiohttp
import pytest

from simulators.catalogue import generate, watch
from simulators.clock import Clock
from simulators.service import Fault
from simulators.trakt import CLIENT_ID, CLIENT_SECRET, Trakt

NOW = datetime(2026, 11, 21, 12, 0, 30, tzinfo=UTC)
CLIENT = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
BASIC = {"User-Agent": "UpNext/0.1.0 (+tests)", "Content-Type": "application/json"}
HEADERS = BASIC | {"trakt-api-version": "2", "trakt-api-key": CLIENT_ID}


def make(shows: int = 20, movies: int = 10, **viewing: Any) -> Trakt:
    clock = Clock()
    clock.freeze(NOW)
    catalogue = generate(NOW, shows=shows, movies=movies, airing_in=3600)
    service = Trakt(catalogue, watch(catalogue, NOW, **viewing), clock)
    service.pacing = False
    return service


@pytest.fixture
def service() -> Trakt:
    return make()


class Client:
    """Calls with a token; remembers the headers of the last answer."""

    def __init__(self, session: aiohttp.ClientSession, base: str, token: str) -> None:
        self.session, self.base = session, base
        self.headers = HEADERS | {"Authorization": f"Bearer {token}"}
        self.last: dict[str, str] = {}

    async def __call__(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: dict[str, str] | None = None,
        **query: Any,
    ) -> tuple[int, Any]:
        async with self.session.request(
            method,
            self.base + path,
            data=None if body is None else json.dumps(body),
            params=query,
            headers=self.headers if headers is None else headers,
            skip_auto_headers=["Content-Type", "User-Agent"],
        ) as response:
            self.last = dict(response.headers)
            raw = await response.read()
            try:
                return response.status, json.loads(raw)
            except ValueError:
                return response.status, raw.decode()

    async def get(self, path: str, **query: Any) -> Any:
        status, body = await self("GET", path, **query)
        assert status == 200, (path, status, body)
        return body

    async def post(self, path: str, body: object) -> Any:
        status, answer = await self("POST", path, body)
        assert status in (200, 201), (path, status, answer)
        return answer


@pytest.fixture
async def client(service: Trakt) -> AsyncIterator[Client]:
    async with service.serve() as base, aiohttp.ClientSession() as session:
        yield Client(session, base, service.grant().access)


def lagging(service: Trakt, at_least: int = 2) -> Any:
    """Return a show with something left, and its progress."""
    for show in service.account.started():
        progress = service.account.progress(show)
        if len(progress.aired) - len(progress.completed) >= at_least:
            return show, progress
    raise AssertionError("no show lags")


# who may come in


@pytest.mark.parametrize(
    ("left_out", "status"),
    [
        ("User-Agent", 403),
        ("Content-Type", 412),
        ("trakt-api-key", 403),
        ("trakt-api-version", 412),
        ("Authorization", 401),
    ],
)
async def test_a_missing_header_is_refused(
    client: Client, left_out: str, status: int
) -> None:
    headers = {k: v for k, v in client.headers.items() if k != left_out}
    assert (await client("GET", "/users/settings", headers=headers))[0] == status


async def test_library_user_agents_meet_the_firewall(client: Client) -> None:
    for agent in ("Python/3.13 aiohttp/3.11", "HomeAssistant/2025.4 aiohttp/3.11"):
        headers = client.headers | {"User-Agent": agent}
        status, body = await client("GET", "/users/settings", headers=headers)
        assert status == 403
        assert "you have been blocked" in body
        assert client.last["Content-Type"].startswith("text/html")
        assert client.last["CF-RAY"]


async def test_public_routes_need_no_token_but_no_dead_one_either(
    client: Client, service: Trakt
) -> None:
    assert (await client("GET", "/shows/1000", headers=HEADERS))[0] == 200
    assert (await client("GET", "/shows/1000/progress/watched", headers=HEADERS))[
        0
    ] == 401
    service.revoke_tokens()
    assert (await client("GET", "/shows/1000"))[0] == 401


async def test_app_gone_account_locked_vip_needed(
    client: Client, service: Trakt
) -> None:
    service.vip_only = {"^GET /users/me/stats"}
    assert (await client("GET", "/users/me/stats"))[0] == 426
    assert client.last["X-VIP-User"] == "false"
    service.locked = True
    assert (await client("GET", "/sync/last_activities"))[0] == 423
    assert client.last["X-Account-Locked"] == "true"
    service.oauth.app_deleted = True
    assert await client("GET", "/sync/last_activities") == (403, "Forbidden")
    refresh = {
        "grant_type": "refresh_token",
        "refresh_token": "x",
        "redirect_uri": "urn:ietf:wg:oauth:2.0:oob",
    }
    status, body = await client("POST", "/oauth/token", CLIENT | refresh, BASIC)
    assert (status, body["error"]) == (400, "invalid_client")


async def test_pace(client: Client, service: Trakt) -> None:
    service.pacing = True
    assert (await client("POST", "/sync/history", {}))[0] == 201
    assert (await client("POST", "/sync/history", {}))[0] == 429
    assert client.last["Retry-After"] == "1"
    assert json.loads(client.last["X-Ratelimit"])["name"] == "AUTHED_API_POST_LIMIT"
    for _ in range(1000):
        await client("GET", "/users/me/watching")
    assert (await client("GET", "/users/me/watching"))[0] == 429
    assert json.loads(client.last["X-Ratelimit"])["limit"] == 1000


async def test_unknown_routes_and_broken_bodies(client: Client) -> None:
    assert (await client("GET", "/sync/nothing"))[0] == 404
    assert (await client("POST", "/sync/history", [1]))[0] == 400
    assert (await client("POST", "/sync/history", {"movies": {}}))[0] == 422
    bad = {"movies": [{"ids": {"trakt": 500000}, "watched_at": "yesterday"}]}
    assert (await client("POST", "/sync/history", bad))[0] == 422


# sign-in


async def start(client: Client) -> dict[str, Any]:
    status, code = await client("POST", "/oauth/device/code", CLIENT, BASIC)
    assert status == 200
    assert code["interval"] == 5
    return CLIENT | {"code": code["device_code"]}


async def poll(client: Client, body: dict[str, Any]) -> tuple[int, Any]:
    return await client("POST", "/oauth/device/token", body, BASIC)


async def test_device_flow(client: Client, service: Trakt) -> None:
    assert (await client("POST", "/oauth/device/code", {"client_id": "x"}, BASIC))[
        0
    ] == 401
    body = await start(client)
    assert (await poll(client, body | {"client_secret": "x"}))[0] == 401
    assert (await poll(client, body | {"code": "x"}))[0] == 404
    assert await poll(client, body) == (400, "")
    service.pacing = True
    assert (await poll(client, body))[0] == 429
    service.clock.advance(5)
    service.approve()
    status, pair = await poll(client, body)
    assert (status, pair["token_type"], pair["expires_in"]) == (200, "bearer", 604800)
    service.clock.advance(5)
    assert (await poll(client, body))[0] == 409


async def test_device_flow_denied_and_expired(client: Client, service: Trakt) -> None:
    body = await start(client)
    service.approve(deny=True)
    assert (await poll(client, body))[0] == 418
    body = await start(client)
    service.clock.advance(601)
    assert (await poll(client, body))[0] == 410


async def test_refresh_tokens_are_used_once_and_revoke_ends_them(
    client: Client, service: Trakt
) -> None:
    grant = service.grant()
    service.expire_tokens()
    assert (await client("GET", "/users/settings"))[0] == 401
    refresh = CLIENT | {
        "grant_type": "refresh_token",
        "refresh_token": grant.refresh,
        "redirect_uri": "urn:ietf:wg:oauth:2.0:oob",
    }
    status, pair = await client("POST", "/oauth/token", refresh, BASIC)
    assert status == 200
    status, body = await client("POST", "/oauth/token", refresh, BASIC)
    assert (status, body["error"]) == (400, "invalid_grant")
    client.headers["Authorization"] = f"Bearer {pair['access_token']}"
    await client.get("/users/settings")
    end = CLIENT | {"token": pair["access_token"]}
    assert await client("POST", "/oauth/revoke", end, BASIC) == (200, "")
    assert (await client("GET", "/users/settings"))[0] == 401


# reading


async def test_pages_are_clamped_and_told_truthfully(client: Client) -> None:
    page = await client.get("/sync/history/episodes", limit=1000, page=2)
    total = int(client.last["X-Pagination-Item-Count"])
    assert client.last["X-Pagination-Limit"] == "250"
    assert client.last["X-Pagination-Page-Count"] == str(-(-total // 250))
    assert len(page) == max(0, total - 250)
    await client.get("/sync/watched/shows", limit=250, extended="progress")
    assert client.last["X-Pagination-Limit"] == "100"


async def test_up_next_counts_gaps_but_does_not_go_back_to_them(
    client: Client, service: Trakt
) -> None:
    show, before = lagging(service)
    last = before.aired[-1]
    service.watch(show.ids["trakt"], last.season, last.number)
    rows = await client.get("/sync/progress/up_next_nitro", intent="continue")
    row = next(r for r in rows if r["show"]["ids"]["trakt"] == show.ids["trakt"])
    left = row["progress"]["aired"] - row["progress"]["completed"]
    assert left == len(before.aired) - len(before.completed) - 1
    assert row["progress"]["next_episode"] is None
    assert not row["show"]["images"]["poster"][0].startswith("http")


async def test_up_next_leaves_out_dropped_hidden_and_caught_up(
    client: Client, service: Trakt
) -> None:
    show, _ = lagging(service)
    number = show.ids["trakt"]

    async def ids(intent: str = "continue") -> set[int]:
        rows = await client.get(
            "/sync/progress/up_next_nitro", intent=intent, limit=250
        )
        return {r["show"]["ids"]["trakt"] for r in rows}

    assert number in await ids()
    service.drop(number)
    assert number not in await ids()
    service.drop(number, on=False)
    service.hide("progress_watched", number)
    assert number not in await ids()
    assert number not in await ids("completed")
    assert await ids("start") <= {
        n for kind, n in service.account.watchlist if kind == "show"
    }
    assert len(await ids("all")) == len(await ids()) + len(
        await ids("completed")
    ) + len(await ids("start"))


@pytest.mark.parametrize(
    ("nitro", "status"), [("404", 404), ("403", 403), ("426", 426)]
)
async def test_up_next_can_be_switched_off(
    client: Client, service: Trakt, nitro: str, status: int
) -> None:
    service.nitro = nitro
    assert (await client("GET", "/sync/progress/up_next_nitro"))[0] == status
    service.nitro = "empty"
    assert await client.get("/sync/progress/up_next_nitro") == []
    assert await client.get("/sync/progress/watched", hide_completed="true")


async def test_sorting_of_up_next(client: Client) -> None:
    async def rows(by: str) -> list[Any]:
        path = "/sync/progress/up_next_nitro"
        return list(await client.get(path, intent="continue", sort_by=by))

    left = [r["progress"]["stats"]["minutes_left"] > 0 for r in await rows("remaining")]
    assert all(left)
    titles = [r["show"]["title"] for r in await rows("title")]
    assert titles == sorted(titles)
    seen = [r["progress"]["last_watched_at"] for r in await rows("activity")]
    assert seen == sorted(seen, reverse=True)


async def test_progress_of_one_show(client: Client, service: Trakt) -> None:
    show, progress = lagging(service)
    number = show.ids["trakt"]
    service.hide("progress_watched", number, progress.aired[0].season)
    body = await client.get(f"/shows/{number}/progress/watched", extended="full")
    assert [s["number"] for s in body["hidden_seasons"]] == [progress.aired[0].season]
    assert body["aired"] == sum(s["aired"] for s in body["seasons"])
    assert (await client("GET", "/shows/999999/progress/watched"))[0] == 404


async def test_specials_are_listed_only_when_asked_for(
    client: Client, service: Trakt
) -> None:
    show = next(s for s in service.account.started() if 0 in s.seasons())
    path = f"/shows/{show.ids['slug']}/progress/watched"
    plain = await client.get(path)
    listed = await client.get(path, specials="true", count_specials="false")
    counted = await client.get(path, specials="true", count_specials="true")
    assert plain["aired"] == listed["aired"] == counted["aired"] - 2
    assert listed["seasons"][0]["number"] == 0
    assert 0 not in [s["number"] for s in plain["seasons"]]


async def test_the_latest_play_decides_when_asked(
    client: Client, service: Trakt
) -> None:
    show, progress = lagging(service, 3)
    last = progress.aired[-1]
    service.watch(
        show.ids["trakt"], last.season, last.number, NOW - timedelta(days=900)
    )
    path = f"/shows/{show.ids['trakt']}/progress/watched"
    assert (await client.get(path))["next_episode"] is None
    body = await client.get(path, last_activity="watched")
    assert body["next_episode"] is not None


async def test_progress_stays_stale_after_a_write(
    client: Client, service: Trakt
) -> None:
    show, progress = lagging(service)
    service.account.stale = 8
    path = f"/shows/{show.ids['trakt']}/progress/watched"
    before = (await client.get(path))["completed"]
    following = progress.next_episode
    service.watch(show.ids["trakt"], following.season, following.number)
    assert (await client.get(path))["completed"] == before
    service.clock.advance(9)
    assert (await client.get(path))["completed"] == before + 1


async def test_airing_moves_counts_but_no_marker(
    client: Client, service: Trakt
) -> None:
    markers = await client.get("/sync/last_activities")
    before = service.state()["unwatched"]
    service.clock.advance(3601)
    assert service.state()["unwatched"] == before + 1
    assert await client.get("/sync/last_activities") == markers


async def test_watched_lists(client: Client, service: Trakt) -> None:
    plain = await client.get("/sync/watched/shows", limit=250)
    assert "seasons" not in plain[0]
    full = await client.get("/sync/watched/shows", extended="progress")
    minimal = await client.get(
        "/sync/watched/shows", extended="min", season_numbers="true", specials="false"
    )
    assert {str(r["show"]["ids"]["trakt"]) for r in full} == set(minimal)
    row = full[0]
    key = next(iter(minimal[str(row["show"]["ids"]["trakt"])]))
    assert key.endswith(f"|{row['seasons'][0]['number']}")
    movies = await client.get("/sync/watched/movies")
    assert {str(r["movie"]["ids"]["trakt"]) for r in movies} == set(
        await client.get("/sync/watched/movies", extended="min")
    )


async def test_calendar(client: Client, service: Trakt) -> None:
    start = NOW.date().isoformat()
    rows = await client.get(f"/calendars/my/shows/{start}/33", extended="full")
    assert rows
    times = [r["first_aired"] for r in rows]
    assert times == sorted(times)
    assert (await client("GET", f"/calendars/my/shows/{start}/34"))[0] == 400
    number = rows[0]["show"]["ids"]["trakt"]
    service.hide("calendar", number)
    rows = await client.get(f"/calendars/my/shows/{start}/33")
    assert number not in {r["show"]["ids"]["trakt"] for r in rows}
    assert await client.get("/calendars/my/movies/1990-01-01/33") == []


async def test_media_and_search(client: Client, service: Trakt) -> None:
    show, movie = service.catalogue.shows[0], service.catalogue.movies[0]
    assert set(await client.get("/shows/1000")) == {"title", "year", "ids"}
    seasons = await client.get("/shows/1000/seasons", extended="full,episodes")
    assert sum(len(s["episodes"]) for s in seasons) == len(show.episodes)
    assert (await client.get("/shows/1000/next_episode"))["season"]
    assert (await client("GET", "/shows/1002/next_episode"))[0] == 204
    assert (await client.get(f"/movies/{movie.ids['imdb']}"))["year"] == movie.year
    assert (await client("GET", "/movies/1"))[0] == 404
    found = await client.get("/search/movie,show", query=show.title)
    assert found[0]["show"]["ids"]["trakt"] == 1000
    assert isinstance(found[0]["score"], float)
    assert await client.get("/search/show", query=show.title, years="1900") == []
    assert await client.get("/search/imdb/tt0") == []
    hit = await client.get(f"/search/tmdb/{show.ids['tmdb']}", type="show")
    assert hit[0]["type"] == "show"
    episode = show.episodes[-1]
    hit = await client.get(f"/search/trakt/{episode.ids['trakt']}", type="episode")
    assert hit[0]["episode"]["number"] == episode.number


# writing


async def test_history_is_not_deduplicated_and_shows_expand_to_what_aired(
    client: Client, service: Trakt
) -> None:
    show, progress = lagging(service)
    body = {"shows": [{"ids": {"trakt": show.ids["trakt"]}, "watched_at": "released"}]}
    before = service.state()["episode_plays"]
    for _ in range(2):
        answer = await client.post("/sync/history", body)
        assert answer["added"]["episodes"] == len(progress.aired)
    assert service.state()["episode_plays"] == before + 2 * len(progress.aired)


async def test_history_finds_by_ids_and_by_numbers(
    client: Client, service: Trakt
) -> None:
    show = service.catalogue.shows[-1]
    first, second, third = [e for e in show.episodes if e.season == 1][:3]
    body = {
        "movies": [
            {"ids": {"tmdb": service.catalogue.movies[0].ids["tmdb"]}},
            {"ids": {"imdb": "tt0000111"}},
        ],
        "shows": [
            {
                "ids": {"tvdb": show.ids["tvdb"]},
                "seasons": [
                    {
                        "number": 1,
                        "episodes": [{"number": first.number}, {"number": 99}],
                    },
                    {"number": 77},
                ],
            }
        ],
        "episodes": [
            {"ids": {"tvdb": second.ids["tvdb"]}, "watched_at": "unknown"},
            {"ids": {"tmdb": third.ids["tmdb"]}},
        ],
    }
    answer = await client.post("/sync/history", body)
    assert answer["added"] == {"movies": 1, "episodes": 2}
    assert answer["not_found"]["movies"] == [{"ids": {"imdb": "tt0000111"}}]
    assert answer["not_found"]["episodes"] == [
        {"number": 99},
        {"ids": {"tmdb": third.ids["tmdb"]}},
    ]
    assert answer["not_found"]["seasons"][0]["number"] == 77
    rows = await client.get(f"/sync/history/episodes/{second.ids['trakt']}")
    assert rows[0]["watched_at"].startswith("1970")
    rows = await client.get(f"/sync/history/shows/{show.ids['trakt']}")
    assert all(r["watched_at"].endswith(":00.000Z") for r in rows)
    season = (await client.get(f"/shows/{show.ids['trakt']}/seasons"))[-1]["ids"][
        "trakt"
    ]
    assert (await client("GET", f"/sync/history/seasons/{season}"))[0] == 200


async def test_history_limit(client: Client, service: Trakt) -> None:
    service.limits["history"] = len(service.account.plays)
    status, _ = await client(
        "POST", "/sync/history", {"movies": [{"ids": {"trakt": 500000}}]}
    )
    assert status == 420
    assert client.last["X-Account-Limit"] == str(service.limits["history"])


async def test_plays_are_removed_by_id_or_altogether(
    client: Client, service: Trakt
) -> None:
    number = int(service.catalogue.movies[0].ids["trakt"])
    service.watch_movie(number, NOW)
    service.watch_movie(number, NOW)
    rows = await client.get(f"/sync/history/movies/{number}")
    answer = await client.post("/sync/history/remove", {"ids": [rows[0]["id"], 7]})
    assert answer["deleted"] == {"movies": 1, "episodes": 0}
    assert answer["not_found"]["ids"] == [7]
    await client.post("/sync/history/remove", {"movies": [{"ids": {"trakt": number}}]})
    assert await client.get(f"/sync/history/movies/{number}") == []


async def test_watching_takes_off_the_watchlist_and_moves_its_markers(
    client: Client, service: Trakt
) -> None:
    show = int(service.catalogue.shows[-1].ids["trakt"])
    service.watchlist_add(show=show)
    before = await client.get("/sync/last_activities")
    service.clock.advance(120)
    service.watch(show, 1, 1)
    after = await client.get("/sync/last_activities")
    moved = {
        f"{section}.{key}"
        for section, keys in after.items()
        if isinstance(keys, dict)
        for key, at in keys.items()
        if at != before[section][key]
    }
    assert moved == {
        "episodes.watched_at",
        "shows.watchlisted_at",
        "watchlist.updated_at",
    }
    assert show not in [n for _, n in service.account.watchlist]


async def test_watchlist(client: Client, service: Trakt) -> None:
    service.account.watchlist.clear()
    body = {"shows": [{"ids": {"trakt": 1000}}, {"ids": {"trakt": 1}}]}
    answer = await client.post("/sync/watchlist", body)
    assert (answer["added"]["shows"], answer["list"]["item_count"]) == (1, 1)
    assert answer["not_found"]["shows"] == [{"ids": {"trakt": 1}}]
    answer = await client.post("/sync/watchlist", body)
    assert answer["existing"]["shows"] == 1
    service.limits["watchlist"] = 1
    status, _ = await client(
        "POST", "/sync/watchlist", {"movies": [{"ids": {"trakt": 500000}}]}
    )
    assert status == 420
    rows = await client.get("/sync/watchlist/shows/added/desc", extended="full,images")
    assert rows[0]["show"]["images"]
    assert await client.get("/sync/watchlist/movies") == []
    answer = await client.post("/sync/watchlist/remove", body)
    assert answer["deleted"]["shows"] == 1


async def test_ratings(client: Client) -> None:
    for rating in (0, 11, 7.5, None, True):
        body = {"movies": [{"ids": {"trakt": 500000}, "rating": rating}]}
        assert (await client("POST", "/sync/ratings", body))[0] == 422
    body = {"movies": [{"ids": {"trakt": 500000}, "rating": 8}]}
    assert (await client.post("/sync/ratings", body))["added"]["movies"] == 1
    assert (await client.get("/sync/ratings/movies/8"))[0]["rating"] == 8
    assert (await client.get("/sync/ratings/movies/7")) == []
    answer = await client.post("/sync/ratings/remove", body)
    assert answer["deleted"]["movies"] == 1


async def test_hidden_sections(client: Client) -> None:
    body = {"shows": [{"ids": {"trakt": 1000}}]}
    answer = await client.post("/users/hidden/dropped", body)
    assert answer["added"] == {"movies": 0, "shows": 1, "season": 0}
    assert (await client.get("/users/hidden/dropped", type="show"))[0]["hidden_at"]
    assert await client.get("/users/hidden/dropped", type="season") == []
    answer = await client.post("/users/hidden/dropped/remove", body)
    assert answer["deleted"]["shows"] == 1
    assert (await client("POST", "/users/hidden/nowhere", body))[0] == 404


async def test_rewatch_needs_vip_and_forgets_older_plays(
    client: Client, service: Trakt
) -> None:
    show, _ = lagging(service)
    path = f"/shows/{show.ids['trakt']}/progress/watched"
    assert (await client("POST", f"{path}/reset", {}))[0] == 426
    service.vip = True
    assert (await client("POST", f"{path}/reset", {}))[0] == 200
    body = await client.get(path)
    assert (body["completed"], bool(body["reset_at"])) == (0, True)
    assert (await client("DELETE", f"{path}/reset"))[0] == 204


# scrobbling


async def test_scrobbles(client: Client, service: Trakt) -> None:
    show = service.catalogue.shows[-1]
    item = {
        "show": {"ids": {"tvdb": show.ids["tvdb"]}},
        "episode": {"season": 1, "number": 1},
    }
    answer = await client.post("/scrobble/start", item | {"progress": 10})
    assert (answer["id"], answer["action"]) == (0, "start")
    watching = await client.get("/users/me/watching", extended="full")
    assert watching["episode"]["number"] == 1
    assert (await client.post("/scrobble/pause", item | {"progress": 45.5}))["id"] == 0
    assert (await client("GET", "/users/me/watching"))[0] == 204
    saved = await client.get("/sync/playback/episodes")
    assert saved[0]["progress"] == 45.5
    assert (await client("DELETE", f"/sync/playback/{saved[0]['id']}"))[0] == 204
    assert (await client("DELETE", f"/sync/playback/{saved[0]['id']}"))[0] == 404
    assert (await client("POST", "/scrobble/pause", item | {"progress": 90}))[0] == 422
    assert (await client("POST", "/scrobble/stop", item | {"progress": 0.5}))[0] == 422
    assert (await client("POST", "/scrobble/stop", item | {"progress": 101.7}))[
        0
    ] == 422
    answer = await client.post("/scrobble/stop", item | {"progress": 60})
    assert answer["action"] == "pause"
    answer = await client.post("/scrobble/stop", item | {"progress": 97})
    assert (answer["action"], answer["id"] > 0) == ("scrobble", True)
    assert await client.get("/sync/playback") == []
    status, body = await client("POST", "/scrobble/stop", item | {"progress": 97})
    assert status == 409
    assert body["watched_at"] < body["expires_at"]
    unknown = {"movie": {"ids": {"tmdb": 1}}, "progress": 10}
    assert (await client("POST", "/scrobble/start", unknown))[0] == 404
    service.scrobble_permission = False
    assert (await client("POST", "/scrobble/start", unknown))[0] == 403


async def test_playing_ends_by_itself_and_a_check_in_becomes_a_play(
    client: Client, service: Trakt
) -> None:
    body = {"movie": {"ids": {"trakt": 500000}}}
    before = service.state()["movie_plays"]
    assert (await client.post("/checkin", body))["movie"]["title"]
    status, answer = await client("POST", "/checkin", body)
    assert (status, list(answer)) == (409, ["expires_at"])
    assert (await client("POST", "/scrobble/start", body | {"progress": 1}))[0] == 409
    service.clock.advance(5 * 3600)
    assert (await client("GET", "/users/me/watching"))[0] == 204
    assert service.state()["movie_plays"] == before + 1
    await client.post("/checkin", body)
    assert (await client("DELETE", "/checkin"))[0] == 204
    assert (await client("GET", "/users/me/watching"))[0] == 204


async def test_what_others_scrobble_and_check_in_is_in_the_way(
    client: Client, service: Trakt
) -> None:
    body = {"movie": {"ids": {"trakt": 500000}}}
    before = service.state()["movie_plays"]
    made = (await client.post("/_control/finish", {"movie": 500000}))["id"]
    assert made in service.account.plays
    for progress in (97, 40, 0.5):
        status, answer = await client(
            "POST", "/scrobble/stop", body | {"progress": progress}
        )
        assert (status, set(answer)) == (409, {"watched_at", "expires_at"})
    assert (await client.post("/scrobble/start", body | {"progress": 1}))["id"] == 0
    # later it is another viewing
    service.clock.advance(service.account.movie(500000).runtime + 1)
    answer = await client.post("/scrobble/stop", body | {"progress": 97})
    assert answer["id"] != made
    assert service.state()["movie_plays"] == before + 2
    await client.post("/_control/check_in", {"movie": 500001})
    for call in ("start", "pause", "stop"):
        status, answer = await client(
            "POST", f"/scrobble/{call}", body | {"progress": 40}
        )
        assert (status, set(answer)) == (409, {"expires_at"})


async def test_scrobbles_that_make_no_sense(client: Client, service: Trakt) -> None:
    movie = {"movie": {"ids": {"trakt": 500000}}}
    episode = {"episode": {"ids": {"trakt": 1}}}
    for body in ({}, movie | episode):
        status, _ = await client("POST", "/scrobble/start", body | {"progress": 1})
        assert status == 422
    assert (await client("POST", "/scrobble/start", movie))[0] == 422
    assert (await client("POST", "/scrobble/pause", movie | {"progress": 0.9}))[
        0
    ] == 422
    await client.post("/_control/settings", {"checkin_permission": False})
    assert (await client("POST", "/checkin", movie))[0] == 403
    service.limits["history"] = 1
    status, _ = await client("POST", "/scrobble/stop", movie | {"progress": 97})
    assert status == 420


async def test_an_answer_may_come_too_late(client: Client, service: Trakt) -> None:
    body = {"movie": {"ids": {"trakt": 500000}}, "progress": 97}
    before = service.state()["movie_plays"]
    service.faults.append(Fault("late", match="stop", seconds=60))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await client("POST", "/scrobble/stop", body)
    assert service.state()["movie_plays"] == before + 1
    service.faults.append(Fault("late", match="stop", seconds=0.01))
    assert (await client("POST", "/scrobble/stop", body))[0] == 409


async def test_absolute_numbers(client: Client) -> None:
    item = {"show": {"ids": {"trakt": 1009}}, "episode": {"number_abs": 3}}
    answer = await client.post("/scrobble/start", item | {"progress": 1})
    assert answer["episode"]["number"] == 3


# control


async def test_control_calls(client: Client, service: Trakt) -> None:
    show, progress = lagging(service)
    following = progress.next_episode
    triple = {
        "show": show.ids["trakt"],
        "season": following.season,
        "number": following.number,
    }
    plays = service.state()["plays"]
    await client.post("/_control/watch", triple)
    await client.post("/_control/watch", {"movie": 500000, "at": NOW.isoformat()})
    assert service.state()["plays"] == plays + 2
    await client.post("/_control/unwatch", triple)
    await client.post("/_control/unwatch", {"movie": 500000})
    await client.post("/_control/watchlist_add", {"show": 1000})
    await client.post("/_control/watchlist_remove", {"show": 1000})
    await client.post("/_control/drop", {"show": 1000})
    await client.post("/_control/hide", {"section": "calendar", "show": 1000})
    await client.post("/_control/start_watching", triple | {"progress": 20})
    assert service.state()["watching"]
    await client.post("/_control/stop_watching", {})
    await client.post("/_control/pause", triple | {"progress": 20})
    await client.post("/_control/pause", {"movie": 500001})
    await client.post("/_control/rate", {"movie": 500001, "rating": 3})
    await client.post(
        "/_control/settings",
        {
            "nitro": "404",
            "vip": True,
            "limits": {"watchlist": 5},
            "stale": 2,
            "interval": 1,
        },
    )
    state = await client.get("/_control/state")
    assert (state["playback"], state["ratings"], state["dropped"]) == (2, 1, 1)
    assert (service.nitro, service.oauth.interval) == ("404", 1)
    assert (await client("POST", "/_control/settings", {"x": 1}))[0] == 400
    assert (await client("POST", "/_control/nonsense", {}))[0] == 404


async def test_big_libraries_are_served_quickly() -> None:
    service = make(shows=5000, movies=0, in_progress=1000)
    async with service.serve() as base, aiohttp.ClientSession() as session:
        client = Client(session, base, service.grant().access)
        paths = (
            ("/sync/progress/up_next_nitro", {"intent": "continue", "limit": 250}),
            ("/sync/watched/shows", {"extended": "min", "season_numbers": "true"}),
            ("/sync/history/episodes", {"limit": 100}),
            ("/users/me/stats", {}),
        )
        await client.get(*paths[0][:1], **paths[0][1])
        for path, query in paths:
            start_at = perf_counter()
            await client.get(path, **query)
            assert perf_counter() - start_at < 2, path
