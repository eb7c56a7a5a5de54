"""KinoPub's door: the transport's settings, what its statuses mean, and signing in (sections 2.1-2.5)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final, override

from aiohttp import ClientError
import orjson

from ..errors import (
    AccessDenied,
    BadAnswer,
    NotFound,
    RateLimited,
    Refused,
    SignInError,
    SignInRequired,
    TrackerError,
    Unavailable,
    Unsure,
)
from ..oauth import DeviceGrant, DeviceSignIn, SlowDown, TokenKeeper, Tokens
from ..tracker import TrackerContext
from ..transport import Answer, Json, Method, Pace, Transport, Values
from .wire import OAuthAnswer, Wire, read

HOST: Final = "https://api.service-kp.com"
PACE: Final = Pace(parallel=1, read_gap=0.3, write_gap=0.5)
"""Parallel calls earn 429; no figure is published (section 2.5)."""
REFRESH_EARLY: Final = timedelta(seconds=60)
THROTTLED: Final = (5.0, 15.0, 60.0)
"""Seconds to wait after the first, second and every further 429 in a row that names no time."""
_OAUTH: Final = "/oauth2/"
_OVER: Final = {
    "code_expired": "sign_in_expired",
    "expired_token": "sign_in_expired",
    "expired_code": "sign_in_expired",
    "access_denied": "sign_in_denied",
    "invalid_client": "invalid_client",
}
_DEFAULT_LIFE: Final = 3600
_LONGEST_LIFE: Final = 30 * 86400


class _Door(Transport):
    """Tells a host that can't be reached from one that answers with an error.

    Providers in several countries cut connections to KinoPub's hosts: the text for people suggests another base URL.
    """

    @override
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
        try:
            return await super().request(
                method,
                path,
                params=params,
                json=json,
                form=form,
                headers=headers,
                auth=auth,
                write=write,
                idempotent=idempotent,
            )
        except Unavailable as error:
            if isinstance(error.__cause__, (ClientError, TimeoutError, OSError)):
                raise type(error)(str(error), key="unreachable") from error
            raise


class Client:
    """Requests of one account, one at a time."""

    def __init__(self, context: TrackerContext) -> None:
        """Speak to the context's base URL; mirrors have the same paths below theirs."""
        self._context = context
        self._throttled = 0
        base_url = context.base_url or HOST
        self._api = _Door(
            context,
            base_url,
            classify=self._classify,
            pace=PACE,
            tokens=TokenKeeper(
                context.tokens, self._refresh, margin=REFRESH_EARLY, now=context.now
            ),
        )

    # calls ----------------------------------------------------------------------------------------------------

    async def get[T: Wire](self, shape: type[T], path: str, **params: str | int) -> T:
        """Read."""
        return await self._api.decode(
            read(shape), await self._api.get(f"v1/{path}", params)
        )

    async def change(self, path: str, **params: str | int) -> Answer:
        """Change something below /watching: a GET whose parameters are in the address. Safe to repeat."""
        return await self._api.request(
            "GET", f"v1/watching/{path}", params=params, write=True, idempotent=True
        )

    async def flip[T: Wire](self, shape: type[T], path: str, **params: str | int) -> T:
        """Change something that is looked at before it is repeated. Raises Unsure when the answer is lost."""
        answer = await self._api.request(
            "GET", f"v1/watching/{path}", params=params, write=True, idempotent=False
        )
        try:
            return await self.decode(shape, answer)
        except BadAnswer as error:
            raise Unsure(str(error), key=error.translation_key) from error

    async def post(self, path: str, **form: str | int) -> Answer:
        """Send a form. Safe to repeat."""
        return await self._api.request("POST", f"v1/{path}", form=form, idempotent=True)

    async def decode[T: Wire](self, shape: type[T], answer: Answer) -> T:
        """Read the answer of a change."""
        return await self._api.decode(read(shape), answer)

    # what answers mean ----------------------------------------------------------------------------------------

    def _classify(self, answer: Answer) -> TrackerError | None:
        """Apply the table of section 2.5."""
        detail = f"{answer.url.path}: {answer.status}"
        status = answer.status
        if status != 429:
            self._throttled = 0
        if status < 300:
            return None
        if status == 429:
            ladder = THROTTLED[min(self._throttled, len(THROTTLED) - 1)]
            self._throttled += 1
            wait = answer.retry_after
            return RateLimited(ladder if wait is None else wait, detail)
        if status == 403:
            return AccessDenied(detail, key="blocked")
        if status >= 500:
            return Unavailable(detail)
        if status < 400 or (answer.is_html and status != 400):
            return BadAnswer(f"{detail}, a page instead of JSON: a wrong address?")
        if _OAUTH in answer.url.path:
            return None
        if status == 404:
            return NotFound(f"{detail} {_error(answer)}")
        return Refused(f"{detail} {_error(answer)}")

    # tokens ---------------------------------------------------------------------------------------------------

    async def oauth(self, path: str, **form: str) -> OAuthAnswer:
        """Ask the sign-in; an OAuth error is in the answer. Never repeated by itself: a refresh rotates."""
        answer = await self._api.request(
            "POST",
            f"oauth2/{path}",
            form={
                **form,
                "client_id": self._context.credentials.get("client_id", ""),
                "client_secret": self._context.credentials.get("client_secret", ""),
            },
            auth=False,
            write=False,
        )
        found = await self._api.decode(read(OAuthAnswer), answer)
        if answer.status >= 400 and not found.error:
            found.error = str(answer.status)
        return found

    def tokens(self, answer: OAuthAnswer, scope: str | None = None) -> Tokens:
        """Make a grant of a pair."""
        seconds = max(answer.expires_in, 0) or _DEFAULT_LIFE
        life = timedelta(seconds=min(seconds, _LONGEST_LIFE))
        return Tokens(
            access=answer.access_token,
            refresh=answer.refresh_token or None,
            expires_at=self._context.now() + life,
            scope=scope,
        )

    async def _refresh(self, tokens: Tokens) -> Tokens:
        """Rotate the pair; both old tokens are dead from the moment of the answer."""
        if not tokens.refresh:
            raise SignInRequired("no refresh token")
        answer = await self.oauth(
            "token", grant_type="refresh_token", refresh_token=tokens.refresh
        )
        if answer.error or not answer.access_token:
            raise SignInRequired(f"refresh: {answer.error or 'no token'}")
        return self.tokens(answer)


class DeviceFlow(DeviceSignIn):
    """The device flow (section 2.4)."""

    def __init__(self, client: Client) -> None:
        """Sign in through this client."""
        self._client = client

    async def start(self) -> DeviceGrant:
        answer = await self._client.oauth("device", grant_type="device_code")
        if answer.error:
            raise SignInError(answer.error, key=_OVER.get(answer.error))
        if not (answer.code and answer.user_code and answer.verification_uri):
            raise BadAnswer("oauth2/device: no code")
        return DeviceGrant(
            user_code=answer.user_code,
            verification_url=answer.verification_uri,
            link=answer.verification_uri,
            expires_in=answer.expires_in or 600,
            interval=max(answer.interval, 1),
            device_code=answer.code,
        )

    async def poll(self, grant: DeviceGrant) -> Tokens | None:
        answer = await self._client.oauth(
            "device", grant_type="device_token", code=grant.device_code
        )
        if answer.error == "slow_down":
            raise SlowDown
        if answer.error and answer.error != "authorization_pending":
            raise SignInError(answer.error, key=_OVER.get(answer.error))
        # an answer in the shape of a new device code was seen while pending: neither a token nor an error
        return self._client.tokens(answer) if answer.access_token else None


def _error(answer: Answer) -> str:
    """Return the service's own words, for the log."""
    try:
        value = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return ""
    error = value.get("error") if isinstance(value, dict) else None
    return str(error)[:200] if isinstance(error, str) else ""
