"""The simulated Trakt v1 server refuses what section 14 says it refuses, and answers in the shapes of the payloads."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import UTC, datetime
import hashlib
import time
from typing import Any

import aiohttp
import pytest

from simulators.catalogue import CatalogueMovie, CatalogueShow, generate, watch
from simulators.clock import Clock
from simulators.trakt_v1 import API_KEY, PASSWORD, USERNAME, TraktV1

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SHA1 = hashlib.sha1(PASSWORD.encode()).hexdigest()
LOGIN = {"username": USERNAME, "password": SHA1}
VERSIONS = {
    "plugin_version": "1.0",
    "media_center_version": "13.1",
    "media_center_date": "Jun 1 2014",
}
BAD_LOGIN = (401, {"status": "failure", "error": "failed authentication"})


@pytest.fixture(autouse=True)
def _sockets(socket_enabled: None) -> None:
    """Allow loopback: the tests speak real HTTP."""


def make(shows: int = 30, movies: int = 40) -> TraktV1:
    clock = Clock()
    clock.freeze(NOW)
    catalogue = generate(NOW, shows=shows, movies=movies, airing_in=3600)
    return TraktV1(catalogue, watch(catalogue, NOW), clock)


@pytest.fixture
def service() -> TraktV1:
    return make()


class Client:
    """Calls and returns (status, body)."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self.session, self.base = session, base

    async def __call__(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, Any]:
        async with self.session.request(
            method, self.base + path, json=body, headers=headers
        ) as response:
            if response.content_type == "application/json":
                return response.status, await response.json()
            return response.status, await response.text()

    async def get(self, path: str) -> Any:
        status, body = await self("GET", path)
        assert status == 200, body
        return body

    async def post(self, path: str, **body: Any) -> Any:
        status, answer = await self("POST", f"/{path}/{API_KEY}", LOGIN | body)
        assert status == 200, answer
        return answer


@pytest.fixture
async def client(service: TraktV1) -> AsyncIterator[Client]:
    async with service.serve() as base, aiohttp.ClientSession() as session:
        yield Client(session, base)


def user(method: str, rest: str = "") -> str:
    return f"/user/{method}.json/{API_KEY}/{USERNAME}{rest}"


def begun(service: TraktV1) -> tuple[CatalogueShow, int, int]:
    """Return a show with something left, and the numbers of its first unwatched episode."""
    for trakt, watched in service.shows.items():
        show = service.show(trakt)
        for episode in show.aired(NOW):
            if (episode.season, episode.number) not in watched.plays:
                return show, episode.season, episode.number
    raise AssertionError


def movie_ids(movie: CatalogueMovie) -> dict[str, Any]:
    return {
        "imdb_id": movie.ids["imdb"],
        "title": movie.title,
        "year": str(movie.year),
    }


# who may come in


async def test_account_test(client: Client, service: TraktV1) -> None:
    assert await client.post("account/test") == {
        "status": "success",
        "message": "all good!",
    }
    assert await client("POST", "/account/test/other", LOGIN) == (
        401,
        {"status": "failure", "error": "invalid API key"},
    )
    for wrong in (
        {},
        {"username": USERNAME},
        {"username": USERNAME, "password": PASSWORD},
        {"username": "somebody", "password": SHA1},
        ["not", "an", "object"],
    ):
        assert await client("POST", f"/account/test/{API_KEY}", wrong) == BAD_LOGIN
    service.revoke_tokens()
    assert await client("POST", f"/account/test/{API_KEY}", LOGIN) == BAD_LOGIN


async def test_a_public_profile_takes_only_the_key(client: Client) -> None:
    assert (await client("GET", user("lastactivity")))[0] == 200
    assert (await client("GET", f"/user/watching.json/other/{USERNAME}"))[0] == 401
    status, body = await client("GET", f"/user/watching.json/{API_KEY}/nobody")
    assert (status, body["status"]) == (404, "failure")
    assert (await client("POST", user("watching"), LOGIN))[0] == 200
    wrong = LOGIN | {"password": PASSWORD}
    assert await client("POST", user("watching"), wrong) == BAD_LOGIN


async def test_a_private_profile_takes_the_login(
    client: Client, service: TraktV1
) -> None:
    service.private = True
    assert await client("GET", user("watching")) == BAD_LOGIN
    assert (await client("POST", user("watching"), LOGIN))[0] == 200
    login = b64encode(f"{USERNAME}:{SHA1}".encode()).decode()
    header = {"Authorization": f"Basic {login}"}
    assert (await client("GET", user("watching"), **header))[0] == 200
    service.knows_basic = False
    assert await client("GET", user("watching"), **header) == BAD_LOGIN


async def test_over_capacity_and_what_is_not_there(
    client: Client, service: TraktV1
) -> None:
    service.over_capacity = True
    assert await client("GET", user("watching")) == (
        503,
        {"status": "failure", "error": "server is over capacity"},
    )
    service.over_capacity = False
    assert (await client("GET", "/user/nothing"))[0] == 404
    assert (await client("GET", f"/movie/seen/{API_KEY}"))[0] == 405


# reading


async def test_progress(client: Client, service: TraktV1) -> None:
    show, season, number = begun(service)
    rows = await client.get(user("progress/watched", "/all/activity/normal"))
    assert len(rows) == service.state()["shows"]
    row = next(r for r in rows if r["show"]["tvdb_id"] == show.ids["tvdb"])
    assert set(row) == {
        "show",
        "progress",
        "seasons",
        "hidden_seasons",
        "stats",
        "next_episode",
    }
    assert row["next_episode"]["season"] == season
    assert row["next_episode"]["number"] == number
    own = next(s for s in row["seasons"] if s["season"] == season)
    assert own["episodes"][str(number)] is False
    assert row["progress"]["left"] == sum(s["left"] for s in row["seasons"])
    assert sum(r["progress"]["left"] for r in rows) == service.state()["unwatched"]
    finished = next(r for r in rows if not r["progress"]["left"])
    assert finished["next_episode"] is False
    assert finished["seasons"]
    service.bare_finished = True
    service.shows.update(
        {
            key: type(watched)(watched.plays, watched.last)
            for key, watched in service.shows.items()
        }
    )
    rows = await client.get(user("progress/watched", "/all/title/full"))
    assert all(bool(r["seasons"]) == bool(r["progress"]["left"]) for r in rows)


async def test_progress_of_one_show(client: Client, service: TraktV1) -> None:
    show, _, _ = begun(service)
    for name in (show.ids["tvdb"], show.ids["slug"]):
        rows = await client.get(user("progress/watched", f"/{name}/title/normal"))
        assert [r["show"]["imdb_id"] for r in rows] == [show.ids["imdb"]]
    assert await client.get(user("progress/watched", "/1/title/normal")) == []
    answer = await client.get(user("progress/watched", "/all/sideways"))
    assert answer["status"] == "failure"


async def test_watchlists(client: Client, service: TraktV1) -> None:
    movies = await client.get(user("watchlist/movies"))
    shows = await client.get(user("watchlist/shows"))
    assert len(movies) + len(shows) == service.state()["watchlist"]
    assert isinstance(movies[0]["tmdb_id"], str)
    assert isinstance(shows[0]["tvdb_id"], str)
    assert isinstance(movies[0]["inserted"], int)
    service.listed = {"movie": {}, "show": {}}
    assert await client.get(user("watchlist/movies")) == []


async def test_an_episode_that_airs_counts_but_moves_nothing(
    client: Client, service: TraktV1
) -> None:
    show = next(s for s in service.catalogue.shows if not s.ended and not s.anime)
    service.watch(int(show.ids["trakt"]), 1, 1)
    before = await client.get(user("lastactivity"))
    path = user("progress/watched", f"/{show.ids['tvdb']}/title/normal")
    ((first,),) = [await client.get(path)]
    service.clock.advance(3601)
    ((second,),) = [await client.get(path)]
    assert second["progress"]["aired"] == first["progress"]["aired"] + 1
    assert await client.get(user("lastactivity")) == before


# marks


async def test_movies_seen_and_unseen(client: Client, service: TraktV1) -> None:
    new, old = service.movie(500_030), service.movie(500_000)
    stranger = {"imdb_id": "tt0000001", "title": "Nobody knows", "year": 1999}
    service.clock.advance(60)
    answer = await client.post(
        "movie/seen",
        movies=[movie_ids(new) | {"last_played": 1}, movie_ids(old), stranger],
    )
    assert (answer["inserted"], answer["already_exist"], answer["skipped"]) == (1, 1, 1)
    assert answer["skipped_movies"] == [stranger]
    assert answer["already_exist_movies"] == [movie_ids(old)]
    assert service.movies[500_030] == [1]
    moved = await client.get(user("lastactivity"))
    assert (
        moved["movie"]["seen"] == moved["all"] == int(service.clock.now().timestamp())
    )
    service.clock.advance(60)
    answer = await client.post("movie/unseen", movies=[movie_ids(new), stranger])
    assert answer["message"] == "1 movies removed"
    assert (await client.get(user("lastactivity")))["all"] == moved["all"] + 60
    assert (await client.post("movie/seen"))["status"] == "failure"


async def test_episodes_seen_and_unseen(client: Client, service: TraktV1) -> None:
    show, season, number = begun(service)
    ids = {"tvdb_id": str(show.ids["tvdb"])}
    rows = [{"season": str(season), "episode": number, "last_played": 1_400_000_000}]
    answer = await client.post("show/episode/seen", **ids, episodes=rows)
    assert answer == {"status": "success", "message": "1 episodes marked as seen"}
    watched = service.shows[int(show.ids["trakt"])]
    assert watched.plays[season, number] == [1_400_000_000]
    await client.post("show/episode/seen", **ids, episodes=rows)
    assert len(watched.plays[season, number]) == 2
    assert (await client.get(user("lastactivity")))["episode"]["seen"] == int(
        NOW.timestamp()
    )
    await client.post("show/episode/unseen", **ids, episodes=rows)
    assert (season, number) not in watched.plays
    for wrong in (
        {"tvdb_id": 1, "episodes": rows},
        {**ids, "episodes": [{"season": 99, "episode": 1}]},
        {**ids, "episodes": [{"season": 1}]},
        {**ids, "episodes": []},
    ):
        answer = await client.post("show/episode/seen", **wrong)
        assert answer["status"] == "failure"


async def test_lists(client: Client, service: TraktV1) -> None:
    service.listed = {"movie": {}, "show": {}}
    movie, show = movie_ids(service.movie(500_030)), service.show(1005)
    answer = await client.post("movie/watchlist", movies=[movie])
    assert (answer["inserted"], answer["already_exist"]) == (1, 0)
    answer = await client.post("movie/watchlist", movies=[movie, {"title": "?"}])
    assert (answer["already_exist"], answer["skipped"]) == (1, 1)
    row = {"tvdb_id": show.ids["tvdb"], "title": show.title, "year": show.year}
    answer = await client.post("show/watchlist", shows=[row])
    assert (answer["inserted"], "skipped_movies" in answer) == (1, False)
    assert service.state()["watchlist"] == 2
    assert (await client.get(user("lastactivity")))["show"]["watchlist"] == int(
        NOW.timestamp()
    )
    service.counts_lists = False
    assert "inserted" not in await client.post("show/watchlist", shows=[row])
    await client.post("movie/unwatchlist", movies=[movie])
    answer = await client.post("show/unwatchlist", shows=[row])
    assert answer["message"] == "1 shows removed from watchlist"
    assert service.state()["watchlist"] == 0


# playing


async def test_watching_a_movie(client: Client, service: TraktV1) -> None:
    before = await client.get(user("lastactivity"))
    body = movie_ids(service.movie(500_030)) | {"duration": 100, "progress": 25}
    for name in VERSIONS:
        less = {key: value for key, value in VERSIONS.items() if key != name}
        answer = await client.post("movie/watching", **body, **less)
        assert answer == {"status": "failure", "error": f"missing {name}"}
    answer = await client.post("movie/watching", **body, **VERSIONS)
    assert answer["message"].startswith("watching ")
    assert isinstance(answer["movie"]["year"], str)
    watching = await client.get(user("watching"))
    assert (watching["type"], watching["action"]) == ("movie", "watching")
    assert isinstance(watching["movie"]["tmdb_id"], str)
    assert await client.get(user("lastactivity")) == before
    service.clock.advance(15 * 60)
    assert await client.get(user("watching")) == []
    await client.post("movie/watching", **body, **VERSIONS)
    await client.post("movie/cancelwatching")
    assert await client.get(user("watching")) == []
    for wrong in (
        {"progress": 101},
        {"duration": 0},
        {"title": ""},
        {"imdb_id": "tt0000001", "title": "Nobody knows"},
    ):
        answer = await client.post("movie/watching", **{**body, **VERSIONS, **wrong})
        assert answer["status"] == "failure"


async def test_scrobbling_an_episode(client: Client, service: TraktV1) -> None:
    show, season, number = begun(service)
    body: dict[str, Any] = {
        "tvdb_id": show.ids["tvdb"],
        "title": show.title,
        "year": show.year,
        "season": season,
        "episode": number,
        "duration": 45,
        "progress": 5,
        **VERSIONS,
    }
    answer = await client.post("show/watching", **body)
    assert answer["season"] == str(season)
    assert answer["episode"]["number"] == str(number)
    watching = await client.get(user("watching"))
    assert watching["show"]["tvdb_id"] == str(show.ids["tvdb"])
    assert watching["episode"]["number"] == number
    left = service.state()["unwatched"]
    # a play, whatever the progress
    assert (await client.post("show/scrobble", **body))["status"] == "success"
    assert service.state()["unwatched"] == left - 1
    assert await client.get(user("watching")) == []
    moved = (await client.get(user("lastactivity")))["episode"]
    assert moved["scrobble"] == moved["watched"] == int(NOW.timestamp())
    assert (await client.post("show/scrobble", **body))["status"] == "failure"
    for wrong in (
        {"episode": 99},
        {"tvdb_id": 1, "title": "?"},
        {"season": None},
    ):
        answer = await client.post("show/scrobble", **{**body, **wrong})
        assert answer["status"] == "failure"
    service.may_scrobble = False
    assert await client("POST", f"/show/scrobble/{API_KEY}", LOGIN | body) == (
        401,
        {
            "status": "failure",
            "error": "invalid development API permission (scrobble)",
        },
    )
    assert (await client.post("account/test"))["status"] == "success"


# the user elsewhere


async def test_control(client: Client, service: TraktV1) -> None:
    show, season, number = begun(service)
    episode = {"show": show.ids["trakt"], "season": season, "number": number}

    async def control(what: str, **data: Any) -> Any:
        return (await client("POST", f"/_control/{what}", data))[1]

    before = service.state()
    assert (await control("start_watching", **episode))["watching"]
    assert not (await control("stop_watching"))["watching"]
    assert (await control("start_watching", movie=500_030, action="checkin"))[
        "watching"
    ]
    assert (await client.get(user("watching")))["action"] == "checkin"
    after = await control("watch", **episode)
    assert after["unwatched"] == before["unwatched"] - 1
    assert await control("unwatch", **episode) | {"watching": False} == before
    assert (await control("watch", movie=500_030))["watched_movies"] == 25
    listed = await control("watchlist_add", show=1000)
    assert listed["watchlist"] == before["watchlist"] + 1
    assert (await control("watchlist_remove", show=1000))["watchlist"] == before[
        "watchlist"
    ]
    await control("watchlist_add", movie=500_000)
    await control("private", on=True)
    assert await client("GET", user("watching")) == BAD_LOGIN
    await control("over_capacity", on=True)
    assert (await client("GET", user("watching")))[0] == 503
    assert (await client("POST", "/_control/nonsense", {}))[0] == 404
    for nobody in (service.show, service.movie):
        with pytest.raises(KeyError):
            nobody(1)
    service.approve()
    service.expire_tokens()


async def test_a_big_library_is_served_quickly() -> None:
    service = make(shows=5000)
    async with service.serve() as base, aiohttp.ClientSession() as session:
        client = Client(session, base)
        path = user("progress/watched", "/all/activity/normal")
        rows = await client.get(path)
        begin = time.monotonic()
        await client.get(path)
        assert time.monotonic() - begin < 2
    assert len(rows) == service.state()["shows"] > 2900
