"""The simulated Tautulli refuses what section 3.2 says it refuses, and answers in the shapes of the captures."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from simulators.catalogue import Viewer, generate
from simulators.clock import Clock
from simulators.tautulli import API_KEY, SERVER_ID, Tautulli
from simulators.tautulli.items import TEMPLATES, episode_key

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MOVIE = 500000
LEGACY = 500006
EPISODE = episode_key(1000, 1, 2)


@pytest.fixture(autouse=True)
def _sockets(socket_enabled: None) -> None:
    """Allow loopback: the tests speak real HTTP."""


class Client:
    """Calls commands and returns (status, envelope)."""

    def __init__(self, session: aiohttp.ClientSession, service: Tautulli) -> None:
        self.session, self.service = session, service

    async def get(
        self, path: str = "/api/v2", /, **arguments: Any
    ) -> tuple[int, dict[str, Any]]:
        async with self.session.get(
            self.service.base_url + self.service.root + path, params=arguments
        ) as response:
            return response.status, await response.json()

    async def data(self, command: str, /, **arguments: Any) -> Any:
        status, body = await self.get(apikey=API_KEY, cmd=command, **arguments)
        assert (status, body["response"]["result"]) == (200, "success")
        return body["response"]["data"]


@pytest.fixture
def service() -> Tautulli:
    clock = Clock()
    clock.freeze(NOW)
    return Tautulli(generate(NOW, shows=10, movies=10), Viewer(), clock)


@pytest.fixture
async def client(service: Tautulli) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as session, service.serve():
        yield Client(session, service)


def types(row: dict[str, Any]) -> dict[str, type]:
    return {name: type(value) for name, value in row.items()}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"apikey": "0" * 32, "cmd": "status"}, "Invalid apikey"),
        ({"cmd": "status"}, "Parameter apikey is required"),
        (
            {"apikey": API_KEY},
            "Parameter cmd is required. Possible commands are: ...",
        ),
        (
            {"apikey": API_KEY, "cmd": "nope"},
            "Unknown command: nope. Possible commands are: ...",
        ),
    ],
)
async def test_refusals(
    client: Client, arguments: dict[str, str], message: str
) -> None:
    assert await client.get(**arguments) == (
        400,
        {"response": {"result": "error", "message": message, "data": {}}},
    )


async def test_api_switched_off(client: Client) -> None:
    client.service.api_enabled = False
    status, body = await client.get(apikey=API_KEY, cmd="status")
    assert (status, body["response"]["message"]) == (400, "API not enabled")


async def test_bad_number(client: Client) -> None:
    status, body = await client.get(apikey=API_KEY, cmd="get_history", length="abc")
    assert (status, body["response"]["message"]) == (500, "Check the logs for errors")


async def test_a_new_key_ends_the_old_one(client: Client) -> None:
    client.service.revoke_tokens()
    assert (await client.get(apikey=API_KEY, cmd="status"))[0] == 400


async def test_paths(client: Client) -> None:
    status, body = await client.get("/nope/api/v2", apikey=API_KEY, cmd="status")
    assert (status, body) == (
        404,
        {
            "status": "404 Not Found",
            "message": "The path '/nope/api/v2' was not found.",
            "error": True,
        },
    )
    status, body = await client.get("/api/v1")
    assert (status, body["response"]["result"]) == (200, "error")


async def test_lives_below_a_path(service: Tautulli) -> None:
    service.root = "/tautulli"
    async with aiohttp.ClientSession() as session, service.serve():
        assert await Client(session, service).data("status") == {}
        async with session.get(service.base_url, allow_redirects=False) as response:
            assert response.status == 303


async def test_takes_a_form(client: Client) -> None:
    form = {"apikey": API_KEY, "cmd": "status"}
    async with client.session.post(
        client.service.base_url + "/api/v2", data=form
    ) as response:
        assert (await response.json())["response"]["message"] == "Ok"


async def test_server_and_users(client: Client) -> None:
    assert (await client.data("get_server_info"))["pms_identifier"] == SERVER_ID
    identity = await client.data("get_server_identity")
    assert identity["machine_identifier"] == SERVER_ID
    assert await client.data("server_status") == {"connected": True}
    assert (await client.data("get_tautulli_info"))["tautulli_version"]
    names = await client.data("get_user_names")
    assert names[:2] == [
        {"user_id": 0, "friendly_name": "Local"},
        {"user_id": 1001, "friendly_name": "Avery"},
    ]
    users = await client.data("get_users")
    assert users[1].keys() == TEMPLATES["user"].keys()
    assert users[1]["username"] == "avery"


async def test_plex_down(client: Client) -> None:
    client.service.plex_down = True
    for command in ("get_activity", "get_server_identity"):
        assert await client.data(command) == {}
    assert await client.data("get_metadata", rating_key=MOVIE) == {}
    assert await client.data("server_status") == {"connected": False}
    assert (await client.data("get_history"))["data"] == []


async def test_metadata(client: Client) -> None:
    movie = await client.data("get_metadata", rating_key=MOVIE)
    episode = await client.data("get_metadata", rating_key=EPISODE)
    assert types(episode) == types(TEMPLATES["metadata"])
    assert movie["guid"].startswith("plex://movie/")
    assert movie["guids"] == ["imdb://tt7500000", "tmdb://700000"]
    assert episode["grandparent_guids"][2] == "tvdb://301000"
    legacy = await client.data("get_metadata", rating_key=LEGACY)
    assert legacy["guid"] == "com.plexapp.agents.imdb://tt7500006?lang=en"
    assert legacy["guids"] == []
    assert await client.data("get_metadata", rating_key=999999) == {}
    client.service.deleted.add(MOVIE)
    assert await client.data("get_metadata", rating_key=MOVIE) == {}


async def test_a_session_from_start_to_stop(client: Client) -> None:
    service = client.service
    assert (await client.data("get_activity"))["stream_count"] == "0"
    session = service.start(EPISODE, offset=60)
    service.clock.advance(240)
    activity = await client.data("get_activity")
    (shown,) = activity["sessions"]
    assert activity["stream_count"] == "1"
    assert types(shown) == types(TEMPLATES["session"])
    assert (shown["state"], shown["view_offset"]) == ("playing", "300000")
    service.set_state(session, "paused")
    service.clock.advance(100)
    (shown,) = (await client.data("get_activity"))["sessions"]
    assert (shown["state"], shown["view_offset"]) == ("paused", "300000")

    running = await client.data("get_history")
    assert running["data"][0]["row_id"] is None
    assert running["data"][0]["state"] == "paused"
    assert (await client.data("get_history", include_activity=0))["data"] == []

    service.set_state(session, "playing")
    service.clock.advance(session.item.runtime)
    service.stop(session)
    (row,) = (await client.data("get_history"))["data"]
    assert types(row) == types(TEMPLATES["history_row"])
    assert (row["watched_status"], row["percent_complete"]) == (1, 100)
    assert row["paused_counter"] == 100
    assert row["play_duration"] == session.item.runtime - 60


async def test_short_plays_are_not_stored(client: Client) -> None:
    session = client.service.start(MOVIE)
    client.service.clock.advance(100)
    assert client.service.stop(session) is None


async def test_groups(client: Client) -> None:
    service = client.service
    service.finish(MOVIE, (0, 40), (40, 98))
    (row,) = (await client.data("get_history"))["data"]
    assert (row["group_ids"], row["reference_id"], row["row_id"]) == ("1,2", 1, 2)
    assert (row["percent_complete"], row["watched_status"]) == (98, 1)
    single = await client.data("get_history", grouping=0, order_dir="asc")
    assert [r["watched_status"] for r in single["data"]] == [0.25, 1]
    assert [r["reference_id"] for r in single["data"]] == [1, 1]
    # behind the threshold a new group begins
    service.finish(MOVIE + 1, (0, 90), (90, 100))
    newest = (await client.data("get_history"))["data"][:2]
    assert [r["watched_status"] for r in newest] == [1, 1]
    assert newest[0]["reference_id"] != newest[1]["reference_id"]


async def test_filters_and_pages(client: Client) -> None:
    service = client.service
    service.finish(MOVIE, at=datetime(2026, 11, 10, 5, tzinfo=UTC))
    service.finish(EPISODE, at=datetime(2026, 11, 15, 20, tzinfo=UTC))
    service.finish(MOVIE, user=1002, at=datetime(2026, 11, 18, 20, tzinfo=UTC))

    async def ids(**arguments: Any) -> list[int]:
        page = await client.data("get_history", **arguments)
        assert page["recordsTotal"] == 3
        return [row["row_id"] for row in page["data"]]

    assert await ids() == [3, 2, 1]
    assert await ids(start=1, length=1) == [2]
    assert await ids(user_id=1001) == [2, 1]
    assert await ids(user="blake") == [3]
    assert await ids(rating_key=MOVIE) == [3, 1]
    assert await ids(media_type="episode") == [2]
    assert await ids(guid="plex://movie/") == [3, 1]
    # the server is eight hours behind: its row began on the 9th
    assert await ids(before="2026-11-09") == [1]
    assert await ids(after="2026-11-10") == [3, 2]
    assert await ids(after="rubbish") == [3, 2, 1]


async def test_control(client: Client) -> None:
    base = f"{client.service.base_url}/_control"

    async def post(what: str, **data: Any) -> tuple[int, Any]:
        async with client.session.post(f"{base}/{what}", json=data) as response:
            return response.status, await response.json()

    place = {"show": 1000, "season": 1, "number": 2}
    assert (await post("start", **place))[1]["sessions"] == 1
    assert (await post("pause"))[0] == (await post("resume"))[0] == 200
    assert (await post("stop"))[1]["sessions"] == 0
    assert (await post("stop"))[0] == 404
    watched = await post("watch", movie=MOVIE, parts=[[0, 90], [90, 100]])
    assert watched[1] == {
        "rows": 2,
        "plays": 2,
        "movies": 1,
        "episodes": 0,
        "sessions": 0,
    }
    assert (await post("watch", movie=1))[0] == 404
    await post("plex_down")
    await post("api_enabled", on=False)
    await post("delete_item", movie=MOVIE)
    assert client.service.plex_down and not client.service.api_enabled
    assert client.service.deleted == {MOVIE}
    assert (await post("nonsense"))[0] == 404


def test_convenience(service: Tautulli) -> None:
    service.watch(1000, 1, 1)
    service.watch_movie(MOVIE)
    assert service.state()["plays"] == 2
