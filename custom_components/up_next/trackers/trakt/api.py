"""The way to Trakt: hosts, headers, status codes, pages, sign-in (apis/trakt.md sections 2 to 6)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from ..errors import (
    AccessDenied,
    BadAnswer,
    LimitReached,
    NotFound,
    RateLimited,
    Refused,
    SignInError,
    SignInRequired,
    TrackerError,
    Unavailable,
)
from ..oauth import DeviceGrant, DeviceSignIn, SlowDown, TokenKeeper, Tokens
from ..tracker import TrackerContext
from ..transport import Answer, Json, Method, Pace, Transport, Values
from .payloads import decode_conflict, decode_device, decode_oauth_error, decode_token

API_URL: Final = "https://api.trakt.tv"
AUTH_URL: Final = "https://auth.trakt.tv"
REDIRECT_URI: Final = "urn:ietf:wg:oauth:2.0:oob"
MARGIN: Final = timedelta(minutes=10)
"""A token is renewed this long before it expires (section 3)."""
PAGE_SIZE: Final = 250
"""The cap of most lists; the headers tell what the service made of it."""
MOST_PAGES: Final = 400
"""Nothing has more: 100,000 plays at 250 a page."""
PACE: Final = Pace(parallel=4, write_gap=1.1)
JSON_HEADERS: Final = {"Content-Type": "application/json"}
CHANGES: Final[Mapping[str, frozenset[str]]] = {
    "/sync/history": frozenset({"history"}),
    "/sync/watchlist": frozenset({"watchlist"}),
    "/sync/playback": frozenset({"playback"}),
    "/users/hidden": frozenset({"hidden"}),
    "/scrobble/stop": frozenset({"history", "playback"}),
}
"""Which parts of the library (`draft.SECTIONS`) a write changes, by the beginning of its path."""


class Conflict(Refused):
    """409: the same was counted at `watched_at`, or something else goes before; until `expires_at` (both UTC)."""

    watched_at: datetime | None = None
    expires_at: datetime | None = None


def classify(answer: Answer) -> TrackerError | None:
    """Map a status to an error (section 5)."""
    status, path = answer.status, answer.url.path
    if status < 300:
        return None
    detail = f"{path}: {status}"
    if reason := answer.headers.get("X-Error-Message"):
        detail += f" {reason}"
    match status:
        case 401:
            return SignInRequired(detail)
        case 403 if answer.is_html:
            # the token is not to blame: something in front of the service refuses
            ray = answer.headers.get("CF-RAY", "-")
            return AccessDenied(
                f"{detail}, ray {ray}", key="blocked", placeholders={"ray": ray}
            )
        case 403:
            return AccessDenied(detail, key="app_rejected")
        case 404:
            return NotFound(detail)
        case 409:
            return _conflict(answer, detail)
        case 420:
            limit = answer.headers.get("X-Account-Limit", "-")
            return LimitReached(detail, placeholders={"limit": limit})
        case 423:
            return AccessDenied(detail, key="account_locked")
        case 426:
            return AccessDenied(detail, key="plan_required")
        case 429:
            # Cloudflare's own limit comes as a page and may last long
            usual = 300.0 if answer.is_html else 60.0
            after = answer.retry_after
            return RateLimited(usual if after is None else after, detail)
        case _ if status >= 500:
            return Unavailable(detail)
        case _ if status < 400:
            return BadAnswer(f"{detail} redirect")
    return Refused(detail)


def _changed_by(path: str) -> frozenset[str]:
    """Return the parts of the library that a write may have changed."""
    return next(
        (parts for start, parts in CHANGES.items() if path.startswith(start)),
        frozenset(),
    )


def _conflict(answer: Answer, detail: str) -> Conflict:
    conflict = Conflict(detail)
    try:
        told = decode_conflict(answer.body)
    except ValueError:
        return conflict
    conflict.watched_at, conflict.expires_at = told.watched_at, told.expires_at
    return conflict


def lacks_permission(error: AccessDenied) -> bool:
    """Say whether a refused scrobble may mean only that: apps have their own permission for it.

    An app that is gone is refused in the same words, and with everything else it asks for.
    """
    return error.translation_key == "app_rejected"


def needs_plan(error: TrackerError) -> bool:
    """Say whether an error means that this one feature needs VIP."""
    return isinstance(error, AccessDenied) and error.translation_key == "plan_required"


class SignIn(DeviceSignIn):
    """The device flow, refreshing and revoking."""

    def __init__(self, context: TrackerContext) -> None:
        """Use the app that the user made: `client_id` and `client_secret` of the credentials."""
        self._context = context
        self._http = Transport(
            context,
            context.base_url or AUTH_URL,
            classify=_leave_to_caller,
            pace=Pace(parallel=2, write_gap=0.0),
            headers=JSON_HEADERS,
        )
        self._id = context.credentials.get("client_id", "")
        self._secret = context.credentials.get("client_secret", "")

    async def _post(
        self, path: str, body: Mapping[str, str], *, idempotent: bool = False
    ) -> Answer:
        return await self._http.request(
            "POST", path, json=dict(body), auth=False, idempotent=idempotent
        )

    async def start(self) -> DeviceGrant:
        answer = await self._post(
            "/oauth/device/code", {"client_id": self._id}, idempotent=True
        )
        if answer.status in (400, 401, 404) or (
            answer.status == 403 and not answer.is_html
        ):
            raise SignInError(
                f"/oauth/device/code: {answer.status}", key="invalid_client"
            )
        _raise(answer)
        body = await self._http.decode(decode_device, answer)
        if not (body.device_code and body.user_code and body.verification_url):
            raise BadAnswer("/oauth/device/code: no code")
        return DeviceGrant(
            user_code=body.user_code,
            verification_url=body.verification_url,
            link=body.verification_url,
            expires_in=body.expires_in or 600,
            interval=body.interval or 5,
            device_code=body.device_code,
        )

    async def poll(self, grant: DeviceGrant) -> Tokens | None:
        # asked again after a lost answer the service says 409: the pair is lost, a new code is needed
        answer = await self._post(
            "/oauth/device/token",
            {
                "code": grant.device_code,
                "client_id": self._id,
                "client_secret": self._secret,
            },
            idempotent=True,
        )
        match answer.status:
            case 400 if await self._error(answer) != "invalid_client":
                return None
            case 400 | 401:
                raise SignInError("the app was refused", key="invalid_client")
            case 403 if not answer.is_html:
                raise SignInError("the app was refused", key="invalid_client")
            case 404 | 409:
                raise SignInError(f"device code: {answer.status}")
            case 410:
                raise SignInError("the device code expired", key="sign_in_expired")
            case 418:
                raise SignInError("the user said no", key="sign_in_denied")
            case 429:
                raise SlowDown(answer.retry_after or 5)
        _raise(answer)
        return await self._tokens(answer)

    async def refresh(self, tokens: Tokens) -> Tokens:
        """Trade the single-use refresh token for a new pair. Raises SignInRequired when it is dead."""
        if tokens.refresh is None:
            raise SignInRequired("there is no refresh token")
        answer = await self._post(
            "/oauth/token",
            {
                "refresh_token": tokens.refresh,
                "client_id": self._id,
                "client_secret": self._secret,
                "redirect_uri": REDIRECT_URI,
                "grant_type": "refresh_token",
            },
        )
        if answer.status in (400, 401):
            error = await self._error(answer)
            if error == "invalid_client":
                raise AccessDenied("/oauth/token: invalid_client", key="app_rejected")
            if answer.is_html:
                raise BadAnswer("/oauth/token: a page")
            raise SignInRequired(f"/oauth/token: {error or answer.status}")
        _raise(answer)
        return await self._tokens(answer)

    async def revoke(self, tokens: Tokens) -> None:
        """End the grant; this frees the only slot that a free account has for apps."""
        answer = await self._post(
            "/oauth/revoke",
            {
                "token": tokens.access,
                "client_id": self._id,
                "client_secret": self._secret,
            },
            idempotent=True,
        )
        _raise(answer)

    async def _tokens(self, answer: Answer) -> Tokens:
        body = await self._http.decode(decode_token, answer)
        if not body.access_token:
            raise BadAnswer(f"{answer.url.path}: no token")
        # measured from our own clock: `created_at` is the server's, and the two may differ
        lifetime = timedelta(seconds=body.expires_in or 86400)
        return Tokens(
            access=body.access_token,
            refresh=body.refresh_token,
            expires_at=self._context.now() + lifetime,
            scope=body.scope,
        )

    async def _error(self, answer: Answer) -> str | None:
        if not answer.body or answer.is_html:
            return None
        try:
            return (await self._http.decode(decode_oauth_error, answer)).error
        except BadAnswer:
            return None


def _leave_to_caller(answer: Answer) -> TrackerError | None:
    """Let the sign-in read the statuses that mean something to it."""
    if answer.status >= 500:
        return classify(answer)
    return None


def _raise(answer: Answer) -> None:
    if (error := classify(answer)) is not None:
        raise error


class Api:
    """Requests to the API for one account."""

    def __init__(self, context: TrackerContext) -> None:
        """Connect the API with the tokens of the account."""
        self.context = context
        self.sign_in = SignIn(context)
        self.http = Transport(
            context,
            context.base_url or API_URL,
            classify=classify,
            pace=PACE,
            headers=JSON_HEADERS
            | {
                "trakt-api-version": "2",
                "trakt-api-key": context.credentials.get("client_id", ""),
            },
            tokens=TokenKeeper(
                context.tokens, self.sign_in.refresh, margin=MARGIN, now=context.now
            ),
        )
        self.wrote_at: datetime = datetime.min.replace(tzinfo=UTC)
        """When this account was last changed by us (UTC)."""
        self.changed: set[str] = set()
        """The parts of the library (`draft.SECTIONS`) that we changed since they were read."""
        self._writing = asyncio.Lock()
        self._answered = float("-inf")

    async def one[T](
        self, decoder: Callable[[bytes], T], path: str, params: Values | None = None
    ) -> T:
        """Read one object."""
        answer = await self.http.get(path, params)
        return await self.http.decode(decoder, answer)

    async def page[T](
        self,
        decoder: Callable[[bytes], list[T]],
        path: str,
        params: Values | None = None,
        *,
        page: int = 1,
        limit: int = PAGE_SIZE,
    ) -> tuple[list[T], int, int | None]:
        """Read one page: its rows, the number of pages, and the number of all items where it is told."""
        query: dict[str, str | int | float] = {**(params or {})}
        query |= {"page": page, "limit": limit}
        answer = await self.http.get(path, query)
        rows = await self.http.decode(decoder, answer)
        pages = answer.number("X-Pagination-Page-Count")
        return (
            rows,
            page if pages is None else pages,
            answer.number("X-Pagination-Item-Count"),
        )

    async def pages[T](
        self,
        decoder: Callable[[bytes], list[T]],
        path: str,
        params: Values | None = None,
        *,
        limit: int = PAGE_SIZE,
    ) -> list[T]:
        """Read all pages, one at a time. Raises BadAnswer when fewer items came than the service counted."""
        found: list[T] = []
        for number in range(1, MOST_PAGES + 1):
            rows, pages, total = await self.page(
                decoder, path, params, page=number, limit=limit
            )
            found += rows
            if not rows or number >= pages:
                break
        if total is not None and len(found) < total:
            raise BadAnswer(f"{path}: {len(found)} of {total} items")
        return found

    async def write(self, path: str, body: Json, *, idempotent: bool = False) -> Answer:
        """Change something. What is not idempotent is never repeated here; Unsure says that it may have been done."""
        return await self._write("POST", path, body, idempotent=idempotent)

    async def delete(self, path: str) -> None:
        """Remove something that cannot be removed twice."""
        await self._write("DELETE", path, None, idempotent=True)

    async def _write(
        self, method: Method, path: str, body: Json, *, idempotent: bool
    ) -> Answer:
        """Keep the distance from the last answer, not its request: the service counts when writes arrive."""
        loop = asyncio.get_running_loop()
        async with self._writing:
            if (pause := self._answered + PACE.write_gap - loop.time()) > 0:
                await self.context.sleep(pause)
            try:
                return await self.http.request(
                    method, path, json=body, idempotent=idempotent
                )
            finally:
                self._answered = loop.time()
                self.wrote_at = self.context.now()
                self.changed |= _changed_by(path)
