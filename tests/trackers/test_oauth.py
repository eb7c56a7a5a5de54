"""Refreshing tokens with one request in flight, and waiting for a device code."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from custom_components.up_next.trackers.errors import (
    RateLimited,
    SignInError,
    SignInRequired,
    Unavailable,
)
from custom_components.up_next.trackers.oauth import (
    DeviceGrant,
    DeviceSignIn,
    MemoryTokenStore,
    SlowDown,
    TokenKeeper,
    Tokens,
    wait_for_tokens,
)
from simulators.clock import Clock

GRANT = DeviceGrant(
    user_code="ABCD",
    verification_url="https://x",
    link="https://x",
    expires_in=120,
    interval=5,
    device_code="secret",
)


class Issuer:
    """Hands out numbered tokens, each refresh killing the pair before."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.count = 0
        self.gate: asyncio.Event | None = None
        self.error: Exception | None = None

    async def __call__(self, tokens: Tokens) -> Tokens:
        self.count += 1
        if self.gate:
            await self.gate.wait()
        if self.error:
            raise self.error
        return Tokens(
            access=f"a{self.count}",
            refresh=f"r{self.count}",
            expires_at=self.clock.now() + timedelta(days=7),
        )


@pytest.fixture
def issuer(clock: Clock) -> Issuer:
    return Issuer(clock)


def keeper(store: MemoryTokenStore, issuer: Issuer, clock: Clock) -> TokenKeeper:
    return TokenKeeper(store, issuer, margin=timedelta(minutes=10), now=clock.now)


def first(clock: Clock, **life: float) -> Tokens:
    return Tokens(
        access="a0",
        refresh="r0",
        expires_at=clock.now() + timedelta(**(life or {"days": 7})),
    )


async def test_a_token_is_used_until_shortly_before_it_expires(
    tokens: MemoryTokenStore, issuer: Issuer, clock: Clock
) -> None:
    await tokens.save(first(clock))
    kept = keeper(tokens, issuer, clock)
    assert await kept.access_token() == "a0"
    clock.advance(7 * 86400 - 700)
    assert await kept.access_token() == "a0"
    clock.advance(200)
    assert await asyncio.gather(*(kept.access_token() for _ in range(5))) == ["a1"] * 5
    assert issuer.count == 1
    assert tokens.tokens is not None
    assert tokens.tokens.refresh == "r1"


async def test_tokens_that_another_refresh_has_replaced_are_taken_from_the_store(
    tokens: MemoryTokenStore, issuer: Issuer, clock: Clock
) -> None:
    await tokens.save(first(clock))
    kept = keeper(tokens, issuer, clock)
    stale = await kept.access_token()
    await tokens.save(
        Tokens(access="fresh", expires_at=clock.now() + timedelta(days=7))
    )
    assert await kept.renew(stale) == "fresh"
    assert issuer.count == 0


async def test_a_new_pair_is_saved_though_nobody_waits_any_more(
    tokens: MemoryTokenStore, issuer: Issuer, clock: Clock
) -> None:
    await tokens.save(first(clock))
    issuer.gate = asyncio.Event()
    waiting = asyncio.create_task(keeper(tokens, issuer, clock).renew("a0"))
    await asyncio.sleep(0.01)
    waiting.cancel()
    issuer.gate.set()
    await asyncio.sleep(0.01)
    assert tokens.tokens is not None
    assert tokens.tokens.access == "a1"


@pytest.mark.parametrize(
    "error", [SignInRequired("invalid_grant"), Unavailable("no route")]
)
async def test_a_refresh_that_fails_changes_nothing(
    error: Exception, tokens: MemoryTokenStore, issuer: Issuer, clock: Clock
) -> None:
    await tokens.save(first(clock, minutes=1))
    issuer.error = error
    kept = keeper(tokens, issuer, clock)
    with pytest.raises(type(error)):
        await kept.access_token()
    issuer.error = None
    assert await kept.access_token() == "a2"


async def test_two_keepers_of_one_account_refresh_once(
    tokens: MemoryTokenStore, issuer: Issuer, clock: Clock
) -> None:
    """The account's own tracker, and one that a flow has made for it."""
    await tokens.save(first(clock, minutes=1))
    one, other = keeper(tokens, issuer, clock), keeper(tokens, issuer, clock)
    asked = await asyncio.gather(one.access_token(), other.access_token())
    assert asked == ["a1", "a1"]
    assert issuer.count == 1


async def test_without_tokens_one_has_to_sign_in(
    tokens: MemoryTokenStore, issuer: Issuer, clock: Clock
) -> None:
    with pytest.raises(SignInRequired):
        await keeper(tokens, issuer, clock).access_token()


class Device(DeviceSignIn):
    """A device flow that answers as told."""

    def __init__(self, *answers: Tokens | Exception | None) -> None:
        self.answers = list(answers)
        self.waits: list[float] = []
        self.time = 0.0

    async def start(self) -> DeviceGrant:
        return GRANT

    async def poll(self, grant: DeviceGrant) -> Tokens | None:
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.time += seconds

    async def wait(self) -> Tokens:
        return await wait_for_tokens(
            self, GRANT, sleep=self.sleep, monotonic=lambda: self.time
        )


async def test_polling_keeps_the_services_pace(clock: Clock) -> None:
    device = Device(
        None, SlowDown(), SlowDown(3), RateLimited(20), Unavailable(), first(clock)
    )
    assert (await device.wait()).access == "a0"
    assert device.waits[:3] == [5, 5, 10]
    assert device.waits[3] == 13
    assert device.waits[4] == 20


async def test_polling_ends_when_the_code_has_expired() -> None:
    device = Device()
    with pytest.raises(SignInError) as caught:
        await device.wait()
    assert caught.value.translation_key == "sign_in_expired"
    assert sum(device.waits) <= 120


async def test_a_refusal_ends_polling_at_once() -> None:
    device = Device(SignInError("no", key="sign_in_denied"))
    with pytest.raises(SignInError):
        await device.wait()
    assert len(device.waits) == 1
