"""Pictures reach a browser through Home Assistant only, and only those that an account named."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
import os
from pathlib import Path
from typing import Any

from aiohttp import web
import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.up_next import pictures
from custom_components.up_next.pictures import (
    Files,
    async_setup_pictures,
    content_type,
    picture_path,
)
from homeassistant.core import HomeAssistant
from simulators.pictures import poster
from simulators.service import Fault
from simulators.trakt import Trakt

from .accounts import House, coordinator_of, linger, until
from .conftest import AddAccount, Serve

PNG = poster("somebody")
SAMPLES = {
    "image/jpeg": b"\xff\xd8\xff\xe0" + b"x" * 40,
    "image/png": PNG,
    "image/gif": b"GIF89a" + b"x" * 40,
    "image/webp": b"RIFF\x24\x00\x00\x00WEBPVP8 " + b"x" * 40,
    "image/avif": b"\x00\x00\x00\x20ftypavif" + b"x" * 40,
}


class Gallery(Trakt):
    """A service with pictures of every kind, good and bad, below /gallery/."""

    def routes(self) -> list[web.RouteDef]:
        self.hold = asyncio.Event()
        self.hold.set()
        return [*super().routes(), web.get("/gallery/{what}", self._gallery)]

    async def guard(self, request: web.Request) -> web.StreamResponse | None:
        if request.path.startswith("/gallery/"):
            return None
        return await super().guard(request)

    async def _gallery(self, request: web.Request) -> web.StreamResponse:
        await self.hold.wait()
        kind = "image/png"
        body = PNG
        headers: dict[str, str] = {}
        match request.match_info["what"]:
            case "redirect":
                raise web.HTTPFound(f"{self.base_url}/gallery/good")
            case "gone":
                return web.Response(status=410)
            case "missing":
                return web.Response(status=404)
            case "broken":
                return web.Response(status=500)
            case "page":
                body, kind = b"<html>", "text/html"
            case "page_as_picture":
                body = b"<html><script>alert(1)</script>"
            case "picture_as_page":
                kind = "text/html"
            case "svg":
                body, kind = (
                    b"<svg xmlns='http://www.w3.org/2000/svg'/>",
                    "image/svg+xml",
                )
            case "empty":
                body = b""
            case "untold":
                kind = "application/octet-stream"
            case "big":
                body = PNG + b"\0" * pictures.LARGEST
            case "big_in_pieces":
                answer = web.StreamResponse(headers={"Content-Type": kind})
                await answer.prepare(request)
                with_body = PNG + b"\0" * pictures.LARGEST
                for start in range(0, len(with_body), 2**18):
                    await answer.write(with_body[start : start + 2**18])
                return answer
            case what if f"image/{what}" in SAMPLES:
                kind = f"image/{what}"
                body = SAMPLES[kind]
            case _:
                pass
        return web.Response(body=body, content_type=kind, headers=headers)


class Visitor:
    """Somebody with a browser and no login."""

    def __init__(self, house: House, service: Gallery, entry: Any, client: Any) -> None:
        self.house = house
        self.service = service
        self.entry = entry
        self.client = client

    def path(self, what: str) -> str:
        """Let the account name one of the gallery's pictures."""
        url = f"{self.service.base_url}/gallery/{what}"
        found = picture_path(self.house.hass, coordinator_of(self.entry), url)
        assert found is not None
        return found

    async def get(self, path: str) -> tuple[int, bytes]:
        """Open a path of Home Assistant."""
        async with self.client.get(path) as answer:
            return answer.status, await answer.read()

    def asked(self, what: str) -> int:
        """Say how often the service was asked for a picture."""
        return self.service.count(f"/gallery/{what}$")


@pytest.fixture
async def visitor(
    house: House,
    serve: Serve,
    add_account: AddAccount,
    hass_client_no_auth: ClientSessionGenerator,
) -> Visitor:
    """Return a visitor to a Home Assistant with one account."""
    service = await serve(Gallery)
    entry = await add_account(service)
    return Visitor(house, service, entry, await hass_client_no_auth())


async def test_an_entity_shows_its_picture(visitor: Visitor) -> None:
    state = visitor.house.state(visitor.entry, "next_episode")
    async with visitor.client.get(state.attributes["entity_picture"]) as answer:
        assert answer.status == HTTPStatus.OK
        assert answer.content_type == "image/png"
        assert content_type(await answer.read()) == "image/png"
        assert answer.headers["Cache-Control"].startswith("private, max-age=")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("kind", SAMPLES)
async def test_the_five_types(visitor: Visitor, kind: str) -> None:
    path = visitor.path(kind.removeprefix("image/"))
    async with visitor.client.get(path) as answer:
        assert answer.content_type == kind
        assert await answer.read() == SAMPLES[kind]


async def test_asked_for_once_and_kept_on_disk(visitor: Visitor) -> None:
    path = visitor.path("good")
    for _ in range(3):
        assert await visitor.get(path) == (HTTPStatus.OK, PNG)
    assert visitor.asked("good") == 1
    request = next(r for r in visitor.service.requests if "gallery" in r.path)
    assert request.headers["User-Agent"].startswith("UpNext/")
    assert "Authorization" not in request.headers
    assert kept(visitor.house.hass) >= {path.rsplit("/", 1)[1]}


def kept(hass: HomeAssistant) -> set[str]:
    """Return the names of the pictures on disk."""
    return {f.name for f in Path(hass.config.path(*pictures.FOLDER)).iterdir()}


async def test_a_path_outlives_a_restart_and_tells_nothing(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = visitor.path("good")
    await visitor.get(path)
    hass = visitor.house.hass
    monkeypatch.setattr(hass.http, "register_view", lambda _: None)
    await async_setup_pictures(hass)
    # not an open door: nobody has named it since
    assert (await visitor.get(path))[0] == HTTPStatus.NOT_FOUND
    assert visitor.path("good") == path
    assert await visitor.get(path) == (HTTPStatus.OK, PNG)
    assert visitor.asked("good") == 1
    assert "gallery" not in path
    assert "127.0.0.1" not in path


@pytest.mark.parametrize(
    "token", ["0" * 32, "", "..%2F..%2Fup_next.db", "x", "%00", "a" * 5000]
)
async def test_a_wrong_token(visitor: Visitor, token: str) -> None:
    status, body = await visitor.get(f"/api/up_next/pictures/{token}")
    # Home Assistant itself turns away what looks like an attack
    assert status in (HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST)
    assert b"gallery" not in body


async def test_an_unloaded_account_shows_nothing(visitor: Visitor) -> None:
    path = visitor.path("good")
    entries = visitor.house.hass.config_entries
    assert await entries.async_unload(visitor.entry.entry_id)
    assert (await visitor.get(path))[0] == HTTPStatus.NOT_FOUND
    assert visitor.asked("good") == 0


@pytest.mark.parametrize(
    ("what", "status"),
    [
        ("redirect", HTTPStatus.BAD_GATEWAY),
        ("gone", HTTPStatus.NOT_FOUND),
        ("missing", HTTPStatus.NOT_FOUND),
        ("broken", HTTPStatus.BAD_GATEWAY),
        ("page", HTTPStatus.BAD_GATEWAY),
        ("page_as_picture", HTTPStatus.BAD_GATEWAY),
        ("picture_as_page", HTTPStatus.BAD_GATEWAY),
        ("svg", HTTPStatus.BAD_GATEWAY),
        ("empty", HTTPStatus.BAD_GATEWAY),
        ("big", HTTPStatus.BAD_GATEWAY),
        ("big_in_pieces", HTTPStatus.BAD_GATEWAY),
        ("untold", HTTPStatus.OK),
    ],
)
async def test_what_is_not_served(
    visitor: Visitor, what: str, status: HTTPStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = visitor.path(what)
    got, body = await visitor.get(path)
    assert got == status
    if status is HTTPStatus.OK:
        return
    assert body == b""
    assert visitor.asked("good") == 0
    # it is not asked for again and again
    assert (await visitor.get(path))[0] == status
    assert visitor.asked(what) == 1
    monkeypatch.setattr(pictures, "FAILED_FOR", 0.0)
    await visitor.get(path)
    assert visitor.asked(what) == 2


async def test_a_service_that_hangs_up(visitor: Visitor) -> None:
    visitor.service.faults.append(Fault(kind="reset", match="/gallery/", times=10))
    assert (await visitor.get(visitor.path("good")))[0] == HTTPStatus.BAD_GATEWAY


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "https://example.com/poster.png",
        "http://walter-r2.trakt.tv/poster.png",
        "http://127.0.0.1:1/poster.png",
        "file:///etc/passwd",
        "http://[bad",
        "poster.png",
    ],
)
async def test_what_an_account_may_not_name(visitor: Visitor, url: str | None) -> None:
    assert picture_path(visitor.house.hass, coordinator_of(visitor.entry), url) is None


async def test_many_at_once_are_one_request(visitor: Visitor) -> None:
    path = visitor.path("good")
    visitor.service.hold.clear()
    waiting = [asyncio.create_task(visitor.get(path)) for _ in range(6)]
    await linger(0.2)
    # one who goes away spoils nothing
    waiting[0].cancel()
    await linger(0.1)
    visitor.service.hold.set()
    answers = await asyncio.gather(*waiting[1:])
    assert answers == [(HTTPStatus.OK, PNG)] * 5
    assert visitor.asked("good") == 1


async def test_nobody_waits_for_a_failure(visitor: Visitor) -> None:
    path = visitor.path("broken")
    visitor.service.hold.clear()
    leaving = asyncio.create_task(visitor.get(path))
    await linger(0.2)
    leaving.cancel()
    visitor.service.hold.set()
    await until(lambda: visitor.asked("broken"))
    assert (await visitor.get(path))[0] == HTTPStatus.BAD_GATEWAY


async def test_only_so_many_are_remembered(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "NAMED", 3)
    first, *rest = [visitor.path(f"number{n}") for n in range(4)]
    assert (await visitor.get(first))[0] == HTTPStatus.NOT_FOUND
    for path in rest:
        assert (await visitor.get(path))[0] == HTTPStatus.OK


# on disk ------------------------------------------------------------------------------------------------------


def test_the_longest_unused_goes_first(tmp_path: Path) -> None:
    files = Files(tmp_path / "pictures", room=300, files=100)
    for name in "abc":
        files.write(name, b"x" * 100)
    assert files.read("a") == b"x" * 100
    files.write("d", b"x" * 100)
    assert files.read("b") is None
    assert {p.name for p in (tmp_path / "pictures").iterdir()} == {"a", "c", "d"}
    # the same one again takes no more room
    files.write("d", b"y" * 100)
    assert files.read("c") is not None
    assert files.read("d") == b"y" * 100


def test_no_more_than_so_many_files(tmp_path: Path) -> None:
    files = Files(tmp_path, room=10**6, files=2)
    for name in "abc":
        files.write(name, b"x")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b", "c"]


def test_what_an_earlier_run_kept_counts(tmp_path: Path) -> None:
    for age, name in enumerate("abc"):
        (tmp_path / name).write_bytes(b"x" * 100)
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    (tmp_path / "half.part").write_bytes(b"x")
    files = Files(tmp_path, room=300, files=100)
    files.write("d", b"x" * 100)
    # "c" was used longest ago
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b", "d"]

    # what was used in one run is known to the next
    assert files.read("b")
    again = Files(tmp_path, room=300, files=100)
    again.write("e", b"x" * 100)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b", "d", "e"]


def test_a_disk_that_takes_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    files = Files(tmp_path / "file" / "pictures")
    files.write("a", b"x")
    assert files.read("a") is None


@pytest.mark.parametrize("body", [b"", b"<svg>", b"RIFF1234WAVE", b"\0\0\0 ftypheic"])
def test_what_is_no_picture(body: bytes) -> None:
    assert content_type(body) is None
