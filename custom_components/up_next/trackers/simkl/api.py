"""Talking to Simkl: hosts, required parameters, tokens, quota, and which error each refusal is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
import re
from typing import Final
from zoneinfo import ZoneInfo

from ...account import Quota
from ..errors import (
    AccessDenied,
    BadAnswer,
    NotFound,
    QuotaExhausted,
    RateLimited,
    Refused,
    SignInError,
    SignInRequired,
    TrackerError,
    Unavailable,
)
from ..oauth import DeviceGrant, DeviceSignIn, SlowDown, TokenKeeper, Tokens
from ..tracker import TrackerContext
from ..transport import GATEWAY_ERRORS, Answer, Json, Pace, Transport, Values
from .echo import Echo
from .payloads import Reply, TokenAnswer, decoder

API: Final = "https://api.simkl.com"
DATA: Final = "https://data.simkl.in"
SITE: Final = "https://simkl.com"
WRITE_SCOPE: Final = "media:write"
SCOPE: Final = f"media:read {WRITE_SCOPE}"
DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
NEW_YORK: Final = ZoneInfo("America/New_York")
MARGIN: Final = timedelta(days=1)
"""A token is refreshed when it has this long to live (section 3.5)."""
LOCK_SECONDS: Final = 20.0
THROTTLED_SECONDS: Final = 900.0
LOCKED_AGAIN: Final = (LOCK_SECONDS, 60.0, 300.0)
"""Seconds to wait after the first, second and every further scrobble in a row that met the write lock."""
SUSPENDED_AFTER: Final = timedelta(hours=1)
"""A 412 that lasts longer than this is no passing throttle but a refused client id."""

_ERROR: Final = re.compile(rb'"error"\s*:\s*"([A-Za-z0-9_]+)"')
_VERSION: Final = re.compile(r"/([\w.+-]+)")


class WriteLocked(RateLimited):
    """Another write of this user is being carried out (20 s lock, section 4)."""


class TooMany(Refused):
    """The answer or the batch would be too large: ask for less at once."""


def error_word(answer: Answer) -> str:
    """Return the error identifier of an answer; never read its message (section 5)."""
    match = _ERROR.search(answer.body[:2000])
    return match[1].decode() if match else ""


def next_reset(now: datetime) -> datetime:
    """Return the next midnight in New York, in UTC: when the daily quota starts anew."""
    local = now.astimezone(NEW_YORK)
    midnight = datetime.combine(
        local.date() + timedelta(days=1), datetime.min.time(), NEW_YORK
    )
    return midnight.astimezone(UTC)


class Api:
    """The requests of one account."""

    def __init__(self, context: TrackerContext) -> None:
        """Address the real hosts, or the one base URL that stands in for them."""
        self._context = context
        self._quota: Quota | None = None
        self._exhausted_until: datetime | None = None
        self._refused_since: datetime | None = None
        self._wrote_at: datetime | None = None
        self._locked = 0
        """Scrobbles in a row that met the write lock."""
        version = _VERSION.search(context.user_agent)
        params: Values = {
            "client_id": context.credentials.get("client_id", ""),
            "app-name": "up-next",
            "app-version": version[1] if version else "0",
        }
        base = context.base_url or API
        self.tokens = TokenKeeper(
            context.tokens, self._renew, margin=MARGIN, now=context.now
        )
        self._api = Transport(
            context,
            base,
            classify=self.classify,
            # one request in flight, at most 10 reads and 1 write a second (section 4)
            pace=Pace(parallel=1, read_gap=0.11, write_gap=1.1),
            params=params,
            tokens=self.tokens,
            observe=self._observe,
        )
        # the cached catalogue must not see a token, and takes requests side by side
        self._free = Transport(
            context, base, classify=self.classify, pace=Pace(), params=params
        )
        self._cdn = Transport(
            context,
            context.base_url or DATA,
            classify=self.classify,
            pace=Pace(),
            params=params,
        )
        self._oauth = Transport(
            context,
            base,
            classify=self._classify_oauth,
            pace=Pace(parallel=1, write_gap=0),
            params=params,
        )

    # reading --------------------------------------------------------------------------------------------------

    async def read[T](
        self,
        path: str,
        decode: Callable[[bytes], T],
        params: Values | None = None,
    ) -> T:
        """Read something of the user's. Counts against the quota."""
        self._check_quota()
        answer = await self._api.get(path, params)
        return await self._api.decode(decode, answer)

    async def free[T](self, path: str, decode: Callable[[bytes], T]) -> T:
        """Read a title's page or episodes: no token, no quota."""
        answer = await self._free.get(path, auth=False)
        return await self._free.decode(decode, answer)

    async def data[T](self, path: str, decode: Callable[[bytes], T]) -> T:
        """Read a file of the CDN: no token, no quota."""
        answer = await self._cdn.get(path, auth=False)
        return await self._cdn.decode(decode, answer)

    async def location(self, params: Values) -> str:
        """Ask /redirect and return where it points."""
        self._check_quota()
        answer = await self._api.get("redirect", params)
        return answer.headers.get("Location", "")

    # writing --------------------------------------------------------------------------------------------------

    @property
    def locked_for(self) -> float:
        """Return for how many seconds our own last write may still hold the user's lock."""
        if self._wrote_at is None:
            return 0.0
        passed = (self._context.now() - self._wrote_at).total_seconds()
        # a clock that was set back tells nothing
        return LOCK_SECONDS - passed if 0 <= passed < LOCK_SECONDS else 0.0

    async def scrobble(
        self,
        action: str,
        body: Json,
        params: Values | None = None,
        *,
        counts: bool = False,
    ) -> Echo | None:
        """Tell about a playback; None when it was counted within the last hour.

        Does not wait for the write lock: meanwhile there may be something newer to tell. What `counts` a viewing
        raises Unsure when its answer is lost.
        """
        self._check_quota()
        try:
            answer = await self._post(
                f"scrobble/{action}", body, params, idempotent=not counts
            )
        except WriteLocked as error:
            wait = LOCKED_AGAIN[min(self._locked, len(LOCKED_AGAIN) - 1)]
            self._locked += 1
            raise WriteLocked(wait, str(error)) from error
        self._locked = 0
        if answer.status == HTTPStatus.CONFLICT:
            return None
        return await self._api.decode(decoder(Echo), answer)

    async def write(self, path: str, body: Json, params: Values | None = None) -> Reply:
        """Post a change that may be repeated; waits once for the user's write lock.

        Every write here leads to a state, not to one more play, so a lost answer is no reason to ask first. Of
        rewatches (`allow_rewatch`) Simkl records one in two days.
        """
        self._check_quota()
        try:
            answer = await self._post(path, body, params)
        except WriteLocked:
            await self._context.sleep(LOCK_SECONDS)
            answer = await self._post(path, body, params)
        return await self._api.decode(decoder(Reply), answer)

    async def _post(
        self,
        path: str,
        body: Json,
        params: Values | None = None,
        *,
        idempotent: bool = True,
    ) -> Answer:
        try:
            return await self._api.request(
                "POST", path, json=body, params=params, idempotent=idempotent
            )
        finally:
            self._wrote_at = self._context.now()

    async def delete(self, path: str) -> None:
        """Delete something that can be deleted twice without harm."""
        self._check_quota()
        await self._api.request("DELETE", path, idempotent=True)

    # quota and errors -----------------------------------------------------------------------------------------

    @property
    def quota(self) -> Quota | None:
        """Return the quota as last told; None before the first answer that told, and after midnight."""
        if self._quota is None or self._quota.resets_at is None:
            return self._quota
        return self._quota if self._quota.resets_at > self._context.now() else None

    def _observe(self, answer: Answer) -> None:
        remaining = answer.number("X-RateLimit-Remaining")
        # missing means not told, not zero
        if remaining is not None:
            self._quota = Quota(
                remaining=max(0, remaining),
                limit=answer.number("X-RateLimit-Limit"),
                resets_at=next_reset(self._context.now()),
            )
        if answer.status < 400:
            self._refused_since = None

    def _check_quota(self) -> None:
        """Do not even ask while the quota is used up: it does not come back before midnight."""
        if self._exhausted_until is None:
            return
        left = (self._exhausted_until - self._context.now()).total_seconds()
        if left > 0:
            raise QuotaExhausted(left)
        self._exhausted_until = None

    def classify(self, answer: Answer) -> TrackerError | None:
        """Map an answer to the errors the house knows (data/simkl/errors.json)."""
        word = (
            error_word(answer) if answer.status >= 300 or len(answer.body) < 512 else ""
        )
        detail = f"{answer.url.path}: {answer.status} {word}".rstrip()
        if answer.is_html and answer.status >= 400 and answer.status != 403:
            # not Simkl's own words: nothing was refused for good
            return Unavailable(detail)
        match answer.status:
            case 301 | 409:
                # where /redirect points; finished within the last hour, which is success
                return None
            case status if status < 300:
                return _inside_200(word, detail)
            case 400:
                if word.lower() == "rate_limit":
                    return WriteLocked(LOCK_SECONDS, detail)
                return TooMany(detail) if word == "max_items" else Refused(detail)
            case 401:
                # with a token the transport has renewed it already; without one the app forgot it
                return (
                    Refused(detail)
                    if word == "user_token_required"
                    else SignInRequired(detail)
                )
            case 403:
                return _forbidden(answer, word, detail)
            case 404:
                known = ("id_err", "empty", "user_id_failed")
                return NotFound(detail) if word in known else Refused(detail)
            case 412:
                return self._rejected(detail)
            case 429:
                return self._limited(word, detail)
            case status if status in GATEWAY_ERRORS:
                return Unavailable(detail)
            case status if status < 400:
                return BadAnswer(detail)
            case status if status < 500:
                return Refused(detail)
            case _:
                return Unavailable(detail)

    def _limited(self, word: str, detail: str) -> RateLimited:
        if word not in ("user_limit_exceeded", "app_limit_exceeded"):
            return RateLimited(1.0, detail)
        now = self._context.now()
        self._exhausted_until = next_reset(now)
        limit = self._quota.limit if self._quota else None
        self._quota = Quota(remaining=0, limit=limit, resets_at=self._exhausted_until)
        return QuotaExhausted((self._exhausted_until - now).total_seconds(), detail)

    def _rejected(self, detail: str) -> TrackerError:
        """Tell a throttle from a refused client id: the status is the same, a throttle passes."""
        now = self._context.now()
        self._refused_since = self._refused_since or now
        if now - self._refused_since >= SUSPENDED_AFTER:
            return AccessDenied(detail)
        return RateLimited(THROTTLED_SECONDS, detail)

    # tokens ---------------------------------------------------------------------------------------------------

    def _classify_oauth(self, answer: Answer) -> TrackerError | None:
        """Let the refusals of the token endpoint through to whoever asked; they carry the reason."""
        if answer.status in (400, 401) and error_word(answer):
            return None
        return self.classify(answer)

    async def token_request(self, path: str, form: Values) -> TokenAnswer:
        """Post to /oauth2/*; safe to repeat, since a refresh does not rotate the refresh token."""
        client = str(self._context.credentials.get("client_id", ""))
        answer = await self._oauth.request(
            "POST",
            path,
            form={"client_id": client, **form},
            auth=False,
            write=False,
            idempotent=True,
        )
        if not answer.body:
            return TokenAnswer()
        return await self._oauth.decode(decoder(TokenAnswer), answer)

    async def _renew(self, stale: Tokens) -> Tokens:
        if not stale.refresh:
            raise SignInRequired("no refresh token")
        form = {"grant_type": "refresh_token", "refresh_token": stale.refresh}
        answer = await self.token_request("oauth2/token", form)
        if answer.error == "invalid_client":
            raise AccessDenied("oauth2/token: invalid_client")
        if answer.error:
            raise SignInRequired(f"oauth2/token: {answer.error}")
        return self.tokens_of(answer, stale)

    def tokens_of(self, answer: TokenAnswer, stale: Tokens | None = None) -> Tokens:
        """Build tokens from an answer. Raises BadAnswer without an access token."""
        if not answer.access_token:
            raise BadAnswer("oauth2/token: no access token")
        lives = timedelta(seconds=answer.expires_in or 7 * 86400)
        return Tokens(
            access=answer.access_token,
            expires_at=self._context.now() + lives,
            refresh=answer.refresh_token or (stale.refresh if stale else None),
            scope=answer.scope or (stale.scope if stale else None),
        )

    async def revoke(self, tokens: Tokens) -> None:
        """End a grant; either of its tokens does (section 3.7)."""
        token = tokens.refresh or tokens.access
        await self.token_request("oauth2/revoke", {"token": token})


class SimklSignIn(DeviceSignIn):
    """The device flow of sign-in V2 (section 3.2)."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def start(self) -> DeviceGrant:
        answer = await self._api.token_request("oauth2/device", {"scope": SCOPE})
        if answer.error == "invalid_client":
            raise SignInError("oauth2/device: invalid_client", key="invalid_client")
        if not (answer.device_code and answer.user_code and answer.verification_uri):
            raise BadAnswer(f"oauth2/device: {answer.error or 'no code'}")
        return DeviceGrant(
            user_code=answer.user_code,
            verification_url=answer.verification_uri,
            link=answer.verification_uri_complete or answer.verification_uri,
            # the flow's own deadline: a declined code stays pending for ever
            expires_in=min(answer.expires_in or 900, 900),
            interval=max(1, answer.interval or 5),
            device_code=answer.device_code,
        )

    async def poll(self, grant: DeviceGrant) -> Tokens | None:
        form = {"grant_type": DEVICE_GRANT, "device_code": grant.device_code}
        answer = await self._api.token_request("oauth2/token", form)
        match answer.error:
            case None:
                pass
            case "authorization_pending":
                return None
            case "slow_down":
                raise SlowDown
            case "expired_token":
                raise SignInError("the code expired", key="sign_in_expired")
            case "access_denied":
                raise SignInError("the code was declined", key="sign_in_denied")
            case "invalid_client":
                raise SignInError("oauth2/token: invalid_client", key="invalid_client")
            case error:
                raise SignInError(f"oauth2/token: {error}")
        tokens = self._api.tokens_of(answer)
        if WRITE_SCOPE not in (tokens.scope or "").split():
            # read-only comes silently (section 3.6); nothing could be marked with it
            await self._api.revoke(tokens)
            raise SignInError("the grant is read-only", key="read_only_grant")
        return tokens


def _inside_200(word: str, detail: str) -> TrackerError | None:
    """Find the error that some 200s carry (section 5)."""
    if not word:
        return None
    if word == "premium_only":
        return AccessDenied(detail, key="plan_required")
    return NotFound(detail) if word == "not_found" else Refused(detail)


def _forbidden(answer: Answer, word: str, detail: str) -> TrackerError:
    if word in ("insufficient_scope", "oauth2_token_required"):
        return SignInRequired(detail)
    if answer.is_html or not word:
        return AccessDenied(detail, key="blocked")
    return Refused(detail)
