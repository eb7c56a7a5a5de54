"""The way out to the network, against a small server that misbehaves on request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta

from aiohttp import web
from aiohttp.test_utils import TestServer
import orjson
import pytest

from custom_components.up_next.trackers import transport as module
from custom_components.up_next.trackers.errors import (
    AccessDenied,
    BadAnswer,
    NotFound,
    RateLimited,
    SignInRequired,
    TrackerError,
    Unavailable,
    Unsure,
)
from custom_components.up_next.trackers.oauth import (
    MemoryTokenStore,
    TokenKeeper,
    Tokens,
)
from custom_components.up_next.trackers.tracker import TrackerContext
from custom_components.up_next.trackers.transport import Answer, Pace, Transport
from simulators.clock import Clock

from .conftest import MakeContext

type Step = Callable[[web.Request], web.StreamResponse]


class Server:
    """Answers each request with the next step, the last one for good."""

    def __init__(self) -> None:
        self.steps: list[web.StreamResponse | str | float] = []
        self.seen: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.active = self.most = 0
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        self.bodies.append(await request.read())
        self.active += 1
        self.most = max(self.most, self.active)
        try:
            step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
            if isinstance(step, float):
                await asyncio.sleep(step)
                return web.json_response([])
            if step == "reset":
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            if step == "cut":
                response = web.StreamResponse(headers={"Content-Length": "100"})
                await response.prepare(request)
                await response.write(b'{"a":')
                assert request.transport is not None
                request.transport.abort()
                return response
            assert isinstance(step, web.Response)
            return web.Response(
                status=step.status, body=step.body, headers=step.headers
            )
        finally:
            self.active -= 1


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    async with TestServer(app, host="127.0.0.1") as running:
        server.url = str(running.make_url("/"))
        yield server


def classify(answer: Answer) -> TrackerError | None:
    if answer.status == 429:
        return RateLimited(answer.retry_after or 60)
    if answer.status >= 500:
        return Unavailable(str(answer.status))
    if answer.status == 404:
        return NotFound()
    if answer.status == 403:
        return AccessDenied()
    return None if answer.status < 400 else TrackerError(str(answer.status))


class Naps:
    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.taken.append(round(seconds, 1))
        await asyncio.sleep(0)


@pytest.fixture
def naps() -> Naps:
    return Naps()


@pytest.fixture
def make(
    server: Server, make_context: MakeContext, naps: Naps
) -> Callable[..., Transport]:
    def make(**changes: object) -> Transport:
        context = replace(make_context(server.url), sleep=naps)
        options = {
            "classify": classify,
            "pace": Pace(),
            "headers": {"X-Own": "1"},
            "params": {"v": 2},
            **changes,
        }
        return Transport(context, server.url, **options)  # type: ignore[arg-type]

    return make


def json(data: object = (), status: int = 200, **headers: str) -> web.Response:
    return web.json_response(data, status=status, headers=headers)


async def test_every_request_carries_what_belongs_to_it(
    server: Server, make: Callable[..., Transport]
) -> None:
    server.steps = [json({"a": 1}, **{"X-Number": "7", "X-Word": "x"})]
    transport = make()
    answer = await transport.get("v1/things", {"page": 3}, headers={"X-More": "2"})
    await transport.request("POST", "/v1/things", json={"b": [1]})
    await transport.request("POST", "v1/things", form={"c": "d"})
    first = server.seen[0]
    assert first.path_qs == "/v1/things?v=2&page=3"
    assert (first.headers["X-Own"], first.headers["X-More"]) == ("1", "2")
    assert first.headers["User-Agent"] == "UpNext/0.0.0 (tests)"
    assert "Authorization" not in first.headers
    assert server.bodies[1:] == [b'{"b": [1]}', b"c=d"]
    assert await transport.decode(orjson.loads, answer) == {"a": 1}
    assert [answer.number(name) for name in ("X-Number", "X-Word", "X-None")] == [
        7,
        None,
        None,
    ]


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_nothing_is_repeated_behind_our_back(
    method: str, server: Server, make: Callable[..., Transport]
) -> None:
    """A toggle that is sent twice undoes itself."""
    server.steps = [json()]
    transport = make()
    await transport.request(method, "toggle", write=True)  # type: ignore[arg-type]
    server.steps = ["reset"]
    with pytest.raises(Unavailable):
        await transport.request(method, "toggle", write=True)  # type: ignore[arg-type]
    assert [request.method for request in server.seen] == [method, method]


async def test_a_base_url_may_have_a_path(make_context: MakeContext) -> None:
    context = make_context("https://mirror.example/api/")
    transport = Transport(
        context, "https://mirror.example/api/", classify=classify, pace=Pace()
    )
    assert str(transport.url("/v1/user")) == "https://mirror.example/api/v1/user"


@pytest.mark.parametrize("fault", ["reset", "cut", json(status=503)])
async def test_reads_are_repeated_through_passing_faults(
    fault: web.Response | str,
    server: Server,
    make: Callable[..., Transport],
    naps: Naps,
) -> None:
    server.steps = [fault, fault, json([1])]
    assert (await make().get("x")).body == b"[1]"
    assert naps.taken == [1.0, 3.0]


@pytest.mark.parametrize("fault", ["reset", "cut", json(status=502)])
async def test_reads_give_up_after_a_while(
    fault: web.Response | str, server: Server, make: Callable[..., Transport]
) -> None:
    server.steps = [fault]
    with pytest.raises(Unavailable) as caught:
        await make().get("x")
    assert len(server.seen) == 3
    assert caught.value.answered is not isinstance(fault, str)


@pytest.mark.parametrize("fault", ["reset", "cut", json(status=500), json(status=504)])
async def test_a_write_whose_answer_is_lost_is_unsure_and_not_repeated(
    fault: web.Response | str, server: Server, make: Callable[..., Transport]
) -> None:
    server.steps = [fault]
    with pytest.raises(Unsure):
        await make().request("POST", "x", json={})
    assert len(server.seen) == 1


async def test_an_idempotent_write_is_left_to_the_outbox(
    server: Server, make: Callable[..., Transport]
) -> None:
    server.steps = ["reset"]
    with pytest.raises(Unavailable) as caught:
        await make().request("GET", "toggle", write=True)
    assert not isinstance(caught.value, Unsure)
    assert len(server.seen) == 1


async def test_a_server_that_is_not_there(
    make_context: MakeContext, naps: Naps
) -> None:
    context = replace(make_context("http://127.0.0.1:9"), sleep=naps)
    transport = Transport(context, "http://127.0.0.1:9", classify=classify, pace=Pace())
    with pytest.raises(Unavailable) as caught:
        await transport.request("POST", "x", json={})
    # nothing was sent, so nothing is unsure
    assert not isinstance(caught.value, Unsure)


async def test_time_outs(
    server: Server, make: Callable[..., Transport], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUT", module.aiohttp.ClientTimeout(total=0.05))
    monkeypatch.setattr(Transport, "retry_delays", ())
    server.steps = [0.5]
    with pytest.raises(Unavailable):
        await make().get("x")
    with pytest.raises(Unsure):
        await make().request("POST", "x", json={})


async def test_a_short_rate_limit_is_waited_out_once(
    server: Server, make: Callable[..., Transport], naps: Naps
) -> None:
    server.steps = [json(status=429, **{"Retry-After": "2"}), json([1])]
    assert (await make().get("x")).status == 200
    assert naps.taken == [2.0]
    server.steps = [json(status=429, **{"Retry-After": "2"})]
    with pytest.raises(RateLimited) as caught:
        await make().get("x")
    assert caught.value.retry_after == 2
    assert caught.value.placeholders == {"seconds": "2"}


async def test_a_long_rate_limit_and_one_on_a_write_are_raised(
    server: Server, make: Callable[..., Transport], naps: Naps
) -> None:
    server.steps = [
        json(status=429, **{"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"})
    ]
    with pytest.raises(RateLimited):
        await make().get("x")
    server.steps = [json(status=429, **{"Retry-After": "1"})]
    with pytest.raises(RateLimited):
        await make().request("POST", "x", json={})
    assert naps.taken == []


@pytest.mark.parametrize(
    ("status", "error"), [(404, NotFound), (403, AccessDenied), (400, TrackerError)]
)
async def test_other_refusals_come_as_they_are(
    status: int,
    error: type[TrackerError],
    server: Server,
    make: Callable[..., Transport],
) -> None:
    server.steps = [json(status=status)]
    with pytest.raises(error):
        await make().get("x")
    assert len(server.seen) == 1


async def test_pace(server: Server, make: Callable[..., Transport], naps: Naps) -> None:
    server.steps = [0.02]
    transport = make(pace=Pace(parallel=2, read_gap=0, write_gap=1.1))
    await asyncio.gather(*(transport.get("x") for _ in range(6)))
    assert server.most == 2
    assert naps.taken == []
    await asyncio.gather(*(transport.request("POST", "x", json={}) for _ in range(2)))
    assert naps.taken == [1.1]


@pytest.mark.parametrize(
    "body",
    [b"", b"<!DOCTYPE html><p>hello", b"  <html>", b'{"a":', b"\xff\xfe", b"null"],
)
async def test_bodies_that_are_not_what_they_should_be(
    body: bytes, server: Server, make: Callable[..., Transport]
) -> None:
    server.steps = [web.Response(body=body)]
    transport = make()
    answer = await transport.get("x")
    with pytest.raises(BadAnswer):
        await transport.decode(lambda raw: orjson.loads(raw)["key"], answer)


async def test_a_page_for_people_is_known_by_its_type(
    server: Server, make: Callable[..., Transport]
) -> None:
    server.steps = [web.Response(text="Sorry", content_type="text/html")]
    assert (await make().get("x")).is_html


async def test_big_bodies_are_decoded_elsewhere_and_endless_ones_refused(
    server: Server, make: Callable[..., Transport], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.steps = [json(list(range(50_000)))]
    transport = make()
    answer = await transport.get("x")
    threads: list[bool] = []

    def decode(raw: bytes) -> int:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            threads.append(True)
        return len(orjson.loads(raw))

    assert await transport.decode(decode, answer) == 50_000
    assert threads == [True]
    monkeypatch.setattr(module, "MAX_BODY", 1000)
    with pytest.raises(BadAnswer):
        await transport.get("x")


def keeper(store: MemoryTokenStore, clock: Clock, renewed: list[str]) -> TokenKeeper:
    async def refresh(tokens: Tokens) -> Tokens:
        renewed.append(tokens.access)
        await asyncio.sleep(0.01)
        return Tokens(
            access=f"{tokens.access}+", expires_at=clock.now() + timedelta(days=7)
        )

    return TokenKeeper(store, refresh, margin=timedelta(minutes=10), now=clock.now)


async def test_a_refused_token_is_renewed_once_for_all_requests(
    server: Server,
    make: Callable[..., Transport],
    tokens: MemoryTokenStore,
    clock: Clock,
) -> None:
    await tokens.save(Tokens(access="one", expires_at=clock.now() + timedelta(days=7)))
    renewed: list[str] = []
    transport = make(tokens=keeper(tokens, clock, renewed))
    server.steps = [json(status=401), json(status=401), json([])]
    await asyncio.gather(transport.get("x"), transport.get("y"))
    assert renewed == ["one"]
    assert sorted(request.headers["Authorization"] for request in server.seen) == [
        "Bearer one",
        "Bearer one",
        "Bearer one+",
        "Bearer one+",
    ]
    await transport.get("open", auth=False)
    assert "Authorization" not in server.seen[-1].headers


async def test_a_fresh_token_that_is_refused_ends_the_grant(
    server: Server,
    make: Callable[..., Transport],
    tokens: MemoryTokenStore,
    clock: Clock,
) -> None:
    await tokens.save(Tokens(access="one", expires_at=clock.now() + timedelta(days=7)))
    transport = make(tokens=keeper(tokens, clock, []))
    server.steps = [json(status=401)]
    with pytest.raises(SignInRequired):
        await transport.get("x")
    assert len(server.seen) == 2


async def test_answers_are_observed(
    server: Server, make: Callable[..., Transport]
) -> None:
    seen: list[int] = []
    server.steps = [json(status=404)]
    with pytest.raises(NotFound):
        await make(observe=lambda answer: seen.append(answer.status)).get("x")
    assert seen == [404]


def test_nothing_secret_in_a_log(make_context: MakeContext) -> None:
    tokens = Tokens(access="secret", refresh="secret", expires_at=Clock().now())
    assert "secret" not in repr(tokens)
    context: TrackerContext = make_context("http://x")
    assert "client_secret" in context.credentials
