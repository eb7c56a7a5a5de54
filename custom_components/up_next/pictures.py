"""The authenticated, caching image view: posters reach a browser through Home Assistant, never from the service.

A picture's path holds a token, which alone opens it: an image tag can send no login. The token tells nothing of
the address, and is only good for an address that an account named since the start and whose tracker still allows it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
import contextlib
import hashlib
import hmac
from http import HTTPStatus
import logging
import os
from pathlib import Path
import secrets
import threading
from typing import Final, TypedDict

import aiohttp
from aiohttp import hdrs, web

from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.http import KEY_HASS, HomeAssistantView
from homeassistant.helpers.storage import Store
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN
from .context import USER_AGENT
from .coordinator import AccountCoordinator

_LOGGER = logging.getLogger(__name__)

URL: Final = "/api/up_next/pictures/{token}"
FOLDER: Final = (".cache", DOMAIN, "pictures")
"""Below the configuration folder; what newer versions keep out of backups."""
SECRET_VERSION: Final = 1

LARGEST: Final = 5 * 1024**2
"""Bytes of one picture."""
ROOM: Final = 100 * 1024**2
"""Bytes of all pictures on disk."""
FILES: Final = 5_000
NAMED: Final = 20_000
"""How many addresses are remembered; the longest unused are forgotten first."""
TIMEOUT: Final = aiohttp.ClientTimeout(total=20, connect=10)
PARALLEL: Final = 4
FAILED_FOR: Final = 300.0
"""Seconds for which a picture that could not be had is not asked for again."""
BROWSER_KEEPS: Final = 7 * 86400

_LOOKED_AT: Final = 32
_UNTOLD_TYPES: Final = frozenset(
    {"", "application/octet-stream", "binary/octet-stream"}
)


class Unobtainable(Exception):
    """A picture can't be had; `status` is what to answer: 404 (there is none) or 502."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


def content_type(body: bytes) -> str | None:
    """Return the type of a picture by its first bytes; None for anything but the five types that are served."""
    head = body[:_LOOKED_AT]
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "image/gif"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:12] in (b"ftypavif", b"ftypavis"):
        return "image/avif"
    return None


class Files:
    """Pictures on disk, the longest unused ones deleted when there is no more room. Blocking; safe in threads."""

    def __init__(self, folder: Path, *, room: int = ROOM, files: int = FILES) -> None:
        """Keep at most `files` pictures of `room` bytes in all in `folder`, which is made when needed."""
        self._folder = folder
        self._room = room
        self._most = files
        self._sizes: OrderedDict[str, int] | None = None
        self._lock = threading.Lock()

    def read(self, name: str) -> bytes | None:
        """Return a picture, which is then the last one used; None when there is none."""
        path = self._folder / name
        with self._lock:
            try:
                body = path.read_bytes()
                os.utime(path)
            except OSError:
                return None
            sizes = self._known()
            sizes[name] = len(body)
            sizes.move_to_end(name)
            return body

    def write(self, name: str, body: bytes) -> None:
        """Keep a picture. A full disk is no error: the picture is then not kept."""
        with self._lock:
            sizes = self._known()
            part = self._folder / f"{name}.part"
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                part.write_bytes(body)
                part.replace(self._folder / name)
            except OSError as error:
                _LOGGER.debug("A picture can't be kept: %s", error)
                _delete(part)
                return
            sizes[name] = len(body)
            sizes.move_to_end(name)
            for old in self._too_many(sizes):
                del sizes[old]
                _delete(self._folder / old)

    def _too_many(self, sizes: OrderedDict[str, int]) -> list[str]:
        excess = len(sizes) - self._most
        total = sum(sizes.values())
        unused: list[str] = []
        for name, size in sizes.items():
            if total <= self._room and len(unused) >= excess:
                break
            unused.append(name)
            total -= size
        return unused

    def _known(self) -> OrderedDict[str, int]:
        if self._sizes is None:
            rows = sorted(self._scan())
            self._sizes = OrderedDict((name, size) for _, name, size in rows)
        return self._sizes

    def _scan(self) -> Iterator[tuple[float, str, int]]:
        try:
            found = list(self._folder.iterdir())
        except OSError:
            return
        for path in found:
            if path.suffix == ".part":
                _delete(path)
            else:
                stat = path.stat()
                yield stat.st_mtime, path.name, stat.st_size


def _delete(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


class Pictures:
    """Which addresses were named by accounts, and what they show."""

    def __init__(self, hass: HomeAssistant, secret: bytes, files: Files) -> None:
        """Make tokens with `secret`, and keep pictures in `files`."""
        self._hass = hass
        self._secret = secret
        self._files = files
        self._named: OrderedDict[str, str] = OrderedDict()
        self._under_way: dict[str, asyncio.Task[bytes]] = {}
        self._failed: dict[str, tuple[float, HTTPStatus]] = {}
        self._slots = asyncio.Semaphore(PARALLEL)

    def path(self, coordinator: AccountCoordinator, url: str) -> str | None:
        """Return the path of a picture that an account names; None when its tracker does not allow the address."""
        if not _may(coordinator, url):
            return None
        digest = hmac.digest(self._secret, url.encode(), hashlib.sha256)
        token = digest[:16].hex()
        self._named[token] = url
        self._named.move_to_end(token)
        if len(self._named) > NAMED:
            self._named.popitem(last=False)
        return URL.format(token=token)

    async def get(self, token: str) -> bytes:
        """Return a picture, from disk or from the service. Raises Unobtainable."""
        url = self._named.get(token)
        if url is None or not any(_may(c, url) for c in _accounts(self._hass)):
            raise Unobtainable(HTTPStatus.NOT_FOUND, "nobody named it")
        if (task := self._under_way.get(token)) is None:
            now = self._hass.loop.time()
            failed_at, status = self._failed.get(token, (float("-inf"), HTTPStatus.OK))
            if now - failed_at < FAILED_FOR:
                raise Unobtainable(status, "it failed a while ago")
            task = self._hass.async_create_background_task(
                self._read(token, url), f"{DOMAIN} picture", eager_start=False
            )
            self._under_way[token] = task
            task.add_done_callback(lambda task: self._done(token, task))
        # one who goes away must not spoil it for the others who wait
        return await asyncio.shield(task)

    def _done(self, token: str, task: asyncio.Task[bytes]) -> None:
        del self._under_way[token]
        if not task.cancelled():
            # looked at, so that nobody is told of a failure that nobody waits for any more
            task.exception()

    async def _read(self, token: str, url: str) -> bytes:
        run = self._hass.async_add_executor_job
        if (body := await run(self._files.read, token)) is not None:
            return body
        try:
            async with self._slots:
                body = await self._fetch(url)
        except Unobtainable as error:
            self._failed = {
                other: (at, status)
                for other, (at, status) in self._failed.items()
                if self._hass.loop.time() - at < FAILED_FOR
            }
            self._failed[token] = (self._hass.loop.time(), error.status)
            _LOGGER.debug("A picture can't be had: %s", error)
            raise
        await run(self._files.write, token, body)
        return body

    async def _fetch(self, url: str) -> bytes:
        session = async_get_clientsession(self._hass)
        headers = {hdrs.USER_AGENT: USER_AGENT, hdrs.ACCEPT: "image/*"}
        try:
            async with session.get(
                url, headers=headers, timeout=TIMEOUT, allow_redirects=False
            ) as response:
                if response.status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
                    raise Unobtainable(HTTPStatus.NOT_FOUND, "the service has none")
                if response.status != HTTPStatus.OK:
                    raise _bad(f"status {response.status}")
                told = response.headers.get(hdrs.CONTENT_TYPE, "").lower()
                body = await _body(response)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _bad(type(error).__name__) from error
        plain = told.partition(";")[0].strip()
        if plain not in _UNTOLD_TYPES and not plain.startswith("image/"):
            raise _bad(f"it is said to be {plain}")
        if content_type(body) is None:
            raise _bad("it is no picture")
        return body


def _bad(why: str) -> Unobtainable:
    return Unobtainable(HTTPStatus.BAD_GATEWAY, why)


async def _body(response: aiohttp.ClientResponse) -> bytes:
    if (response.content_length or 0) > LARGEST:
        raise _bad("it is too big")
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_chunked(64 * 1024):
        size += len(chunk)
        if size > LARGEST:
            raise _bad("it is too big")
        chunks.append(chunk)
    return b"".join(chunks)


def _accounts(hass: HomeAssistant) -> Iterator[AccountCoordinator]:
    for entry in hass.config_entries.async_loaded_entries(DOMAIN):
        if isinstance(entry.runtime_data, AccountCoordinator):
            yield entry.runtime_data


def _may(coordinator: AccountCoordinator, url: str) -> bool:
    try:
        return coordinator.tracker.can_picture(url)
    except ValueError:
        return False


class _StoredSecret(TypedDict):
    secret: str


_PICTURES: HassKey[Pictures] = HassKey(f"{DOMAIN}_pictures")


class PictureView(HomeAssistantView):
    """Serves the pictures that accounts named."""

    url = URL
    name = "api:up_next:pictures"
    # the token in the path is what opens a picture, as an image tag sends nothing else
    requires_auth = False

    async def get(self, request: web.Request, token: str) -> web.Response:
        """Answer with a picture; 404 for a wrong token or where there is none, 502 where the service fails."""
        try:
            body = await request.app[KEY_HASS].data[_PICTURES].get(token)
        except Unobtainable as error:
            return web.Response(status=error.status)
        return web.Response(
            body=body,
            content_type=content_type(body) or "application/octet-stream",
            headers={
                hdrs.CACHE_CONTROL: f"private, max-age={BROWSER_KEEPS}, immutable",
                "X-Content-Type-Options": "nosniff",
                "Content-Security-Policy": "default-src 'none'",
            },
        )


async def async_setup_pictures(hass: HomeAssistant) -> None:
    """Register the view. The secret of the tokens is kept, so that a picture's path outlives a restart."""
    store: Store[_StoredSecret] = Store(
        hass, SECRET_VERSION, f"{DOMAIN}.pictures", private=True, atomic_writes=True
    )
    if (stored := await store.async_load()) is None:
        stored = {"secret": secrets.token_hex(32)}
        await store.async_save(stored)
    hass.data[_PICTURES] = Pictures(
        hass, bytes.fromhex(stored["secret"]), Files(Path(hass.config.path(*FOLDER)))
    )
    hass.http.register_view(PictureView())


def picture_path(
    hass: HomeAssistant, coordinator: AccountCoordinator, url: str | None
) -> str | None:
    """Return the path under which Home Assistant serves a picture; None when there is none it may fetch."""
    return hass.data[_PICTURES].path(coordinator, url) if url else None
