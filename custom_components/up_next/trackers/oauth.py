"""Tokens that live for a while: the device flow, and refreshing with one request in flight."""

from __future__ import annotations

from abc import ABC, abstractmethod
import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from .errors import RateLimited, SignInError, SignInRequired, Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """A grant. `expires_at` is UTC. Kept out of logs: the secrets do not show in its repr."""

    access: str = field(repr=False)
    expires_at: datetime
    refresh: str | None = field(default=None, repr=False)
    scope: str | None = None


class TokenStore(Protocol):
    """Where one account's tokens are kept.

    Whoever refreshes them holds `lock`, which is the same for all stores of the account.
    """

    @property
    def lock(self) -> asyncio.Lock:
        """Return the account's lock."""

    async def load(self) -> Tokens | None:
        """Return the tokens as last saved."""

    async def save(self, tokens: Tokens) -> None:
        """Keep the tokens; returns when they are on disk."""


class MemoryTokenStore:
    """Keeps tokens for the time of signing in, before there is an entry to keep them for."""

    def __init__(self, tokens: Tokens | None = None) -> None:
        self.tokens = tokens
        self.lock = asyncio.Lock()

    async def load(self) -> Tokens | None:
        """Return the tokens as last saved."""
        return self.tokens

    async def save(self, tokens: Tokens) -> None:
        """Keep the tokens in memory."""
        self.tokens = tokens


class TokenKeeper:
    """Hands out a valid access token; refreshes with a single request in flight.

    A new pair is saved before its first use, and neither the request nor the save is cancelled half-way: a pair
    that is lost between the server's answer and our save cannot be recovered (DESIGN.md, Storage).
    """

    def __init__(
        self,
        store: TokenStore,
        refresh: Callable[[Tokens], Awaitable[Tokens]],
        *,
        margin: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        """Refresh with `refresh`, which raises SignInRequired when the grant is dead, `margin` before the expiry."""
        self._store = store
        self._refresh = refresh
        self._margin = margin
        self._now = now
        self._tokens: Tokens | None = None

    async def access_token(self) -> str:
        """Return a token that is good for a while yet. Raises SignInRequired when there is none."""
        tokens = self._tokens or await self._load()
        if tokens.expires_at - self._now() > self._margin:
            return tokens.access
        return await self.renew(tokens.access)

    async def renew(self, stale: str) -> str:
        """Return a token other than `stale`, which was refused or is about to expire."""
        return await asyncio.shield(self._renew(stale))

    async def _renew(self, stale: str) -> str:
        async with self._store.lock:
            tokens = await self._load()
            if tokens.access == stale:
                tokens = await self._refresh(tokens)
                await self._store.save(tokens)
                self._tokens = tokens
            return tokens.access

    async def _load(self) -> Tokens:
        tokens = await self._store.load()
        if tokens is None:
            raise SignInRequired("no tokens are stored")
        self._tokens = tokens
        return tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceGrant:
    """A device code as the service returned it.

    `link` is what a person opens (with the code filled in, where the service gives that); `verification_url` is
    the plain address. `expires_in` and `interval` are seconds. `device_code` is a secret.
    """

    user_code: str
    verification_url: str
    link: str
    expires_in: float
    interval: float
    device_code: str = field(repr=False)


class SlowDown(Exception):
    """The service wants slower polling: by `seconds` more, or 5."""

    def __init__(self, seconds: float = 5) -> None:
        super().__init__()
        self.seconds = seconds


class DeviceSignIn(ABC):
    """One service's device flow."""

    @abstractmethod
    async def start(self) -> DeviceGrant:
        """Ask for a code. Raises SignInError (invalid_client), Unavailable, RateLimited, AccessDenied."""

    @abstractmethod
    async def poll(self, grant: DeviceGrant) -> Tokens | None:
        """Ask once whether the code was entered: the tokens, or None while pending.

        Raises SlowDown when asked too fast, SignInError when it is over (sign_in_denied, sign_in_expired, ...).
        """


async def wait_for_tokens(
    sign_in: DeviceSignIn,
    grant: DeviceGrant,
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    monotonic: Callable[[], float] | None = None,
) -> Tokens:
    """Poll until the code was entered, at the service's own pace; gives up when the code has expired.

    A network failure while waiting is survived: the code is still good. Raises SignInError.
    """
    clock = monotonic or asyncio.get_running_loop().time
    deadline = clock() + grant.expires_in
    interval = grant.interval
    while clock() + interval < deadline:
        await sleep(interval)
        try:
            tokens = await sign_in.poll(grant)
        except SlowDown as error:
            interval += error.seconds
        except RateLimited as error:
            interval = max(interval + 5, min(error.retry_after, 60))
        except Unavailable:
            continue
        else:
            if tokens is not None:
                return tokens
    raise SignInError("the device code expired", key="sign_in_expired")
