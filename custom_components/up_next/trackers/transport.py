"""The one way out to the network: pacing, retries of reads, 401 -> refresh, and the mapping of failures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
import logging
from typing import Final, Literal
from urllib.parse import quote

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from .errors import (
    BadAnswer,
    RateLimited,
    SignInRequired,
    TrackerError,
    Unavailable,
    Unsure,
)
from .oauth import TokenKeeper
from .tracker import TrackerContext

_LOGGER = logging.getLogger(__name__)

TIMEOUT: Final = aiohttp.ClientTimeout(total=60, connect=10, sock_read=30)
MAX_BODY: Final = 64 * 1024**2
"""Bytes; nothing a tracker sends is larger."""
BIG: Final = 64 * 1024
"""Bytes; larger bodies are decoded off the event loop."""
GATEWAY_ERRORS: Final = frozenset({500, 502, 503, 504, 520, 521, 522, 523, 524})
LONGEST_WAIT: Final = 10.0
"""Seconds; a longer Retry-After is not waited out inside a request, but raised."""

type Method = Literal["GET", "POST", "PUT", "DELETE"]
type Values = Mapping[str, str | int | float]
type Json = (
    Mapping[str, "Json"]
    | list["Json"]
    | tuple["Json", ...]
    | str
    | int
    | float
    | bool
    | None
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP answer, body read whole. `path` is what was asked for as a log may show it; `url` may hold secrets."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes
    url: URL
    path: str

    @property
    def is_html(self) -> bool:
        """Say whether this is a page for people: a firewall, a proxy's error, a captive portal."""
        return "html" in self.headers.get("Content-Type", "") or self.body[
            :15
        ].lstrip().lower().startswith(b"<")

    @property
    def retry_after(self) -> float | None:
        """Return the Retry-After header in seconds; None when absent or a date."""
        try:
            return max(0.0, float(self.headers["Retry-After"]))
        except (KeyError, ValueError):
            return None

    def number(self, header: str) -> int | None:
        """Return a header as a whole number; None when absent or something else."""
        try:
            return int(self.headers[header])
        except (KeyError, ValueError):
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast a service may be asked: requests side by side, and seconds between the starts of two."""

    parallel: int = 4
    read_gap: float = 0.0
    write_gap: float = 1.1


type Classify = Callable[[Answer], TrackerError | None]
"""Says which error an answer with a status of 400 or more (or an unwelcome 2xx) is; None when it is welcome.

A RateLimited for a read with a short `retry_after` is waited out once. 401 never reaches it when a token was sent
and could be renewed.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    method: Method
    path: str
    params: Values
    json: Json
    form: Values | None
    headers: Mapping[str, str]
    auth: bool
    write: bool
    idempotent: bool

    @property
    def repeatable(self) -> bool:
        """Reads are repeated here; writes by the outbox, which remembers them."""
        return self.idempotent and not self.write

    def __str__(self) -> str:
        """Return what a log may show: no parameters, which can hold secrets."""
        return f"{self.method} {self.path}"


class Transport:
    """Requests to one service for one account."""

    retry_delays: tuple[float, ...] = (1.0, 3.0)
    """Seconds before each repetition of a read that met a gateway error or a broken connection."""

    def __init__(
        self,
        context: TrackerContext,
        base_url: str,
        *,
        classify: Classify,
        pace: Pace,
        headers: Mapping[str, str] | None = None,
        params: Values | None = None,
        hidden: Mapping[str, str] | None = None,
        tokens: TokenKeeper | None = None,
        observe: Callable[[Answer], None] | None = None,
        verify_ssl: bool = True,
    ) -> None:
        """Send `headers` and `params` with every request; `observe` sees every answer (quota headers).

        Without `verify_ssl` any certificate will do: for a server of one's own, by its owner's choice.

        `hidden` are values that fill `{name}` in paths only on their way out: logs and errors show the name.
        """
        self._context = context
        self._base = URL(base_url)
        self._classify = classify
        self._pace = pace
        self._headers = {
            "User-Agent": context.user_agent,
            "Accept": "application/json",
            **(headers or {}),
        }
        self._params = dict(params or {})
        self._hidden = {
            f"{{{name}}}": quote(value, safe="")
            for name, value in (hidden or {}).items()
        }
        self.tokens = tokens
        self._observe = observe
        self._verify_ssl = verify_ssl
        self._slots = asyncio.Semaphore(pace.parallel)
        self._turn = {"read": asyncio.Lock(), "write": asyncio.Lock()}
        self._last = {"read": float("-inf"), "write": float("-inf")}

    def url(self, path: str) -> URL:
        """Return the address of a path, below whatever path the base URL has."""
        for name, value in self._hidden.items():
            path = path.replace(name, value)
        return URL(f"{str(self._base).rstrip('/')}/{path.lstrip('/')}")

    async def get(
        self,
        path: str,
        params: Values | None = None,
        *,
        auth: bool = True,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Read. Repeats by itself what a passing fault spoiled. Raises the errors of `errors`."""
        return await self.request(
            "GET", path, params=params, auth=auth, headers=headers
        )

    async def request(
        self,
        method: Method,
        path: str,
        *,
        params: Values | None = None,
        json: Json = None,
        form: Values | None = None,
        headers: Mapping[str, str] | None = None,
        auth: bool = True,
        write: bool | None = None,
        idempotent: bool | None = None,
    ) -> Answer:
        """Send one request.

        `write` (default: everything but GET) chooses the pace. What is not `idempotent` (default: GET only) is
        sent once; when its answer is lost, Unsure is raised. An `auth` request carries the access token.
        """
        request = _Request(
            method=method,
            path=path,
            params={**self._params, **(params or {})},
            json=json,
            form=form,
            headers={**self._headers, **(headers or {})},
            auth=auth and self.tokens is not None,
            write=method != "GET" if write is None else write,
            idempotent=method == "GET" if idempotent is None else idempotent,
        )
        delays = iter(self.retry_delays if request.repeatable else ())
        waited = False
        while True:
            try:
                answer = await self._authorised(request)
            except BadAnswer:
                raise
            except Unavailable as failure:
                if (delay := next(delays, None)) is None:
                    raise
                _LOGGER.debug("%s; again in %s s", failure, delay)
                await self._context.sleep(delay)
                continue
            error = self._classify(answer)
            if error is None:
                return answer
            if isinstance(error, RateLimited) and request.repeatable and not waited:
                if error.retry_after <= LONGEST_WAIT:
                    waited = True
                    await self._context.sleep(error.retry_after)
                    continue
            elif isinstance(error, Unavailable) and answer.status in GATEWAY_ERRORS:
                error.answered = True
                if (delay := next(delays, None)) is not None:
                    await self._context.sleep(delay)
                    continue
                if not request.idempotent:
                    unsure = Unsure(str(error))
                    unsure.answered = True
                    raise unsure from error
            raise error

    async def _authorised(self, request: _Request) -> Answer:
        if not request.auth or self.tokens is None:
            return await self._send(request, request.headers)
        token = await self.tokens.access_token()
        answer = await self._send(request, _bearer(request.headers, token))
        if answer.status == 401:
            fresh = await self.tokens.renew(token)
            answer = await self._send(request, _bearer(request.headers, fresh))
            if answer.status == 401:
                raise SignInRequired(f"{request}: 401 with a fresh token")
        return answer

    async def _send(self, request: _Request, headers: Mapping[str, str]) -> Answer:
        url = self.url(request.path)
        async with self._slots:
            await self._wait_turn("write" if request.write else "read")
            try:
                async with self._context.session.request(
                    request.method,
                    url,
                    params=request.params,
                    json=request.json,
                    data=request.form,
                    headers=headers,
                    timeout=TIMEOUT,
                    allow_redirects=False,
                    ssl=self._verify_ssl,
                ) as response:
                    answer = Answer(
                        status=response.status,
                        headers=response.headers,
                        body=await _read(response, request.path),
                        url=url,
                        path=request.path,
                    )
            except aiohttp.ClientConnectorCertificateError as error:
                raise Unavailable(
                    f"{request}: {type(error).__name__}", key="bad_certificate"
                ) from self._told(error)
            except (
                aiohttp.ClientConnectorError,
                aiohttp.ConnectionTimeoutError,
            ) as error:
                raise Unavailable(f"{request}: {type(error).__name__}") from (
                    self._told(error)
                )
            except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
                kind = Unavailable if request.idempotent else Unsure
                raise kind(f"{request}: {type(error).__name__}") from self._told(error)
            finally:
                if request.write:
                    # services count from the end of a write to the next
                    self._last["write"] = asyncio.get_running_loop().time()
        if self._observe is not None:
            self._observe(answer)
        return answer

    def _told(self, cause: Exception) -> Exception | None:
        """Return a cause that may be shown: aiohttp's errors name the whole address."""
        return None if self._hidden else cause

    async def _wait_turn(self, kind: Literal["read", "write"]) -> None:
        gap = self._pace.write_gap if kind == "write" else self._pace.read_gap
        async with self._turn[kind]:
            loop = asyncio.get_running_loop()
            if (pause := self._last[kind] + gap - loop.time()) > 0:
                await self._context.sleep(pause)
            self._last[kind] = loop.time()

    async def decode[T](self, decoder: Callable[[bytes], T], answer: Answer) -> T:
        """Decode a body, off the event loop when it is big. Raises BadAnswer for anything but the expected shape."""
        if answer.is_html or not answer.body:
            what = "a page" if answer.is_html else "nothing"
            raise BadAnswer(f"{answer.path}: {what} instead of JSON")
        try:
            if len(answer.body) > BIG:
                return await self._context.run(decoder, answer.body)
            return decoder(answer.body)
        except (ValueError, TypeError, KeyError, AttributeError, LookupError) as error:
            raise BadAnswer(f"{answer.path}: {type(error).__name__}") from error


def _bearer(headers: Mapping[str, str], token: str) -> dict[str, str]:
    return {**headers, "Authorization": f"Bearer {token}"}


def never_repeating(session: aiohttp.ClientSession) -> aiohttp.ClientSession:
    """Return the session, changed not to send a GET, PUT or DELETE again by itself when the connection breaks.

    Some services change things on GET (KinoPub's toggles): a repetition that nobody sees would undo them. aiohttp
    has no public setting for this; its own test client sets the same attribute.
    """
    session._retry_connection = False  # noqa: SLF001
    return session


async def _read(response: aiohttp.ClientResponse, path: str) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_chunked(256 * 1024):
        size += len(chunk)
        if size > MAX_BODY:
            raise BadAnswer(f"{path}: more than {MAX_BODY} bytes")
        chunks.append(chunk)
    return b"".join(chunks)
