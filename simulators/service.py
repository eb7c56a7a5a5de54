"""What every simulated service shares: an aiohttp app, a record of requests, faults on demand, a control endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
import re
from typing import Any, ClassVar

from aiohttp import web

from .catalogue import Catalogue, Viewer
from .clock import Clock
from .pictures import poster

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HTML = "<!DOCTYPE html><html><head><title>Sorry</title></head><body><h1>Something else answers here</h1></body></html>"


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request as it was answered; `sent` is the number of body bytes in the answer."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    status: int
    sent: int
    at: datetime
    counted: bool = True


@dataclass(slots=True)
class Fault:
    """Something that goes wrong on purpose, for the next `times` requests whose "METHOD path" matches.

    kinds: status (answer `status` with `body` and `headers`), html, empty, broken_json (the real answer, cut),
    drop (connection closed in mid-body after the request was carried out), reset (closed before it was),
    lost (carried out, then closed without an answer), late (carried out, answered after `seconds`),
    hang (no answer for `seconds`, not carried out).
    """

    kind: str
    match: str = ""
    times: int = 1
    status: int = 500
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 30

    def matches(self, request: web.Request) -> bool:
        """Say whether this fault is for this request."""
        return (
            self.times > 0
            and re.search(self.match, f"{request.method} {request.path}") is not None
        )


class Service:
    """A simulated tracker. Subclasses add their routes in `routes` and their state in `seed`."""

    name: ClassVar[str]
    port: ClassVar[int]

    def __init__(self, catalogue: Catalogue, viewer: Viewer, clock: Clock) -> None:
        """Take over the viewer's state and get ready to serve."""
        self.catalogue = catalogue
        self.clock = clock
        self.requests: list[Recorded] = []
        self.faults: list[Fault] = []
        self.base_url = ""
        self.pacing = True
        """Whether rate limits are enforced; the quota always is."""
        self.auto_approve = False
        """Whether a device code counts as approved as soon as it is polled."""
        self.seed(viewer)

    # for subclasses -------------------------------------------------------------------------------------------

    def seed(self, viewer: Viewer) -> None:
        """Fill the service's own state from the viewer's."""
        raise NotImplementedError

    def routes(self) -> list[web.RouteDef]:
        """Return the service's own routes."""
        raise NotImplementedError

    def approve(self, code: str | None = None, *, deny: bool = False) -> None:
        """Let the user approve (or deny) the device code `code` (user code), or the newest one."""
        raise NotImplementedError

    def expire_tokens(self) -> None:
        """Make every access token stale; refresh tokens go on working."""
        raise NotImplementedError

    def revoke_tokens(self) -> None:
        """End every grant: access and refresh tokens stop working."""
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        """Return a summary of the state for the control endpoint and for assertions (JSON-able)."""
        raise NotImplementedError

    async def guard(self, request: web.Request) -> web.StreamResponse | None:
        """Return the refusal that this request earns before it is routed (headers, pace, quota), or None."""
        return None

    # serving --------------------------------------------------------------------------------------------------

    def app(self) -> web.Application:
        """Return the aiohttp application: the service's routes, pictures and the control endpoint."""
        app = web.Application(
            middlewares=[self._middleware], client_max_size=64 * 1024**2
        )
        app.add_routes(
            [
                web.get("/_control/state", self._control_state),
                web.get("/_control/requests", self._control_requests),
                web.delete("/_control/requests", self._control_forget),
                web.post("/_control/{what}", self._control),
                web.get("/_pictures/{name}", self._picture),
                *self.routes(),
            ]
        )
        return app

    @asynccontextmanager
    async def serve(self, port: int = 0) -> AsyncIterator[str]:
        """Serve on loopback and yield the base URL; port 0 takes any free one."""
        # a client that has gone is not answered any more, however late the answer
        runner = web.AppRunner(
            self.app(), access_log=None, shutdown_timeout=0.2, handler_cancellation=True
        )
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        self.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self.base_url
        finally:
            await runner.cleanup()

    def picture(self, name: str) -> str:
        """Return the absolute URL of a generated picture (PNG), served by this service itself."""
        return f"{self.base_url}/_pictures/{name}.png"

    @web.middleware
    async def _middleware(
        self, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        if request.path.startswith(("/_control/", "/_pictures/")):
            return await handler(request)
        body = await request.read()
        fault = next((f for f in self.faults if f.matches(request)), None)
        if fault is not None:
            fault.times -= 1
            if fault.times <= 0:
                self.faults.remove(fault)
        if fault is not None and fault.kind == "hang":
            self._record(request, body, 0, 0)
            await asyncio.sleep(fault.seconds)
        if fault is not None and fault.kind in ("hang", "reset"):
            if fault.kind == "reset":
                self._record(request, body, 0, 0)
            _close(request)
            return web.Response(status=444)
        if fault is not None and fault.kind in ("status", "html", "empty"):
            response: web.StreamResponse = _faulty(fault)
        else:
            response = await self._answer(request, handler)
        sent = (
            len(response.body)
            if isinstance(response, web.Response) and isinstance(response.body, bytes)
            else 0
        )
        self._record(
            request,
            body,
            response.status,
            sent,
            counted=response.headers.get("X-Uncounted") != "1",
        )
        response.headers.popall("X-Uncounted", None)
        if fault is not None and fault.kind == "late":
            await asyncio.sleep(fault.seconds)
        if fault is not None and fault.kind == "lost":
            _close(request)
        elif fault is not None and fault.kind == "drop":
            return await _cut(request, response)
        elif (
            fault is not None
            and fault.kind == "broken_json"
            and isinstance(response, web.Response)
        ):
            whole = response.body if isinstance(response.body, bytes) else b"{"
            response.body = whole[: max(1, len(whole) // 2)]
        return response

    async def _answer(
        self, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        try:
            if (refusal := await self.guard(request)) is not None:
                return refusal
            return await handler(request)
        except web.HTTPException as error:
            if error.status in (404, 405) and error.content_type == "text/plain":
                return self.unknown_route(request, error.status)
            return error

    def unknown_route(self, request: web.Request, status: int) -> web.StreamResponse:
        """Answer a path or method that the service does not have."""
        return web.Response(status=status)

    def _record(
        self,
        request: web.Request,
        body: bytes,
        status: int,
        sent: int,
        *,
        counted: bool = True,
    ) -> None:
        self.requests.append(
            Recorded(
                method=request.method,
                path=request.path,
                query=dict(request.query),
                headers=dict(request.headers),
                body=body,
                status=status,
                sent=sent,
                at=self.clock.now(),
                counted=counted,
            )
        )

    def count(self, match: str = "") -> int:
        """Count the recorded requests whose "METHOD path" matches the regular expression."""
        return sum(1 for r in self.requests if re.search(match, f"{r.method} {r.path}"))

    # control --------------------------------------------------------------------------------------------------

    async def _control_state(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self.state())

    async def _control_requests(self, request: web.Request) -> web.StreamResponse:
        rows = [
            {
                "method": r.method,
                "path": r.path,
                "query": r.query,
                "status": r.status,
                "bytes": r.sent,
                "counted": r.counted,
            }
            for r in self.requests
        ]
        return web.json_response(
            {
                "count": len(rows),
                "bytes": sum(r.sent for r in self.requests),
                "requests": rows,
            }
        )

    async def _control_forget(self, request: web.Request) -> web.StreamResponse:
        self.requests.clear()
        return web.json_response({})

    async def _control(self, request: web.Request) -> web.StreamResponse:
        data: dict[str, Any] = await request.json() if request.can_read_body else {}
        match request.match_info["what"]:
            case "advance":
                self.clock.advance(float(data["seconds"]))
            case "fail":
                self.faults.append(Fault(**data))
            case "recover":
                self.faults.clear()
            case "approve":
                self.approve(data.get("code"), deny=bool(data.get("deny")))
            case "expire_tokens":
                self.expire_tokens()
            case "revoke_tokens":
                self.revoke_tokens()
            case "add_episode":
                show = self.catalogue.show("trakt", data["show"])
                if show is None:
                    return web.json_response({"error": "no such show"}, status=404)
                aired = self.clock.now() + timedelta(
                    seconds=float(data.get("airs_in", 0))
                )
                episode = self.catalogue.add_episode(show, aired, data.get("season"))
                return web.json_response(
                    {"season": episode.season, "number": episode.number}
                )
            case "pacing":
                self.pacing = bool(data["on"])
            case other:
                return await self.control(other, data)
        return web.json_response({"now": self.clock.now().isoformat()})

    async def control(self, what: str, data: dict[str, Any]) -> web.StreamResponse:
        """Handle a control call that only this service knows."""
        return web.json_response({"error": f"unknown control {what}"}, status=404)

    async def _picture(self, request: web.Request) -> web.StreamResponse:
        return web.Response(
            body=poster(request.match_info["name"]), content_type="image/png"
        )


def _faulty(fault: Fault) -> web.Response:
    if fault.kind == "html":
        return web.Response(
            status=fault.status if fault.status != 500 else 200,
            text=HTML,
            content_type="text/html",
            headers=fault.headers,
        )
    if fault.kind == "empty":
        return web.Response(
            status=fault.status if fault.status != 500 else 200, headers=fault.headers
        )
    kind = "application/json" if fault.body.startswith(("{", "[")) else "text/plain"
    return web.Response(
        status=fault.status, text=fault.body, content_type=kind, headers=fault.headers
    )


def _close(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


async def _cut(
    request: web.Request, response: web.StreamResponse
) -> web.StreamResponse:
    """Send the head and half of the body, then close the connection."""
    whole = (
        response.body
        if isinstance(response, web.Response) and isinstance(response.body, bytes)
        else b"{}"
    )
    partial = web.StreamResponse(
        status=response.status,
        headers={
            "Content-Type": "application/json",
            "Content-Length": str(len(whole) + 2),
        },
    )
    await partial.prepare(request)
    await partial.write(whole[: len(whole) // 2])
    _close(request)
    return partial
