"""KinoPub: signing in, tokens and signing out, against the simulator over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from custom_components.up_next.trackers.errors import (
    AccessDenied,
    BadAnswer,
    RateLimited,
    SignInError,
    SignInRequired,
    TrackerError,
    Unavailable,
)
from custom_components.up_next.trackers.kinopub import KinoPub
from custom_components.up_next.trackers.oauth import SlowDown, Tokens, wait_for_tokens
from simulators.service import Fault

from .kinopub_account import Account, sign_in

DEVICE, TOKEN = "POST /oauth2/device", "POST /oauth2/token"

type Start = Callable[..., Awaitable[Account]]


@pytest.fixture
async def account(serve: Any, make_context: Any, tokens: Any) -> Account:
    return await sign_in(serve, make_context, tokens)


# the device flow


async def test_signing_in(account: Account) -> None:
    account.store.tokens = None
    tracker = KinoPub(account.context)
    flow = tracker.device_sign_in()
    grant = await flow.start()
    assert grant.user_code
    assert grant.verification_url == f"{account.sim.base_url}/device"
    assert grant.link == grant.verification_url
    assert (grant.expires_in, grant.interval) == (8600, 5)
    assert "kpcode" not in repr(grant)
    assert await flow.poll(grant) is None
    account.sim.approve(grant.user_code)
    tokens = await flow.poll(grant)
    assert tokens is not None
    assert tokens.expires_at - account.sim.clock.now() > timedelta(minutes=59)
    await account.store.save(tokens)
    found = await tracker.account()
    assert (found.id, found.name) == ("example_user", "example_user")
    assert found.subscription_end is not None
    assert account.sim.state()["devices"][-1] == {
        "title": "Home Assistant",
        "hardware": "Home Assistant",
        "software": "UpNext/0.0.0",
    }
    sent = [r for r in account.sim.requests if b"device_token" in r.body]
    assert b"&code=" in sent[0].body or sent[0].body.startswith(b"code=")
    assert b"device_code=" not in sent[0].body


async def test_waiting_for_the_code(account: Account) -> None:
    account.sim.pacing = True
    flow = account.tracker.device_sign_in()
    grant = await flow.start()

    async def sleep(seconds: float) -> None:
        account.sim.clock.advance(seconds)
        if account.sim.count(DEVICE) == 3:
            account.sim.approve()

    tokens = await wait_for_tokens(flow, grant, sleep=sleep)
    assert tokens.access


@pytest.mark.parametrize(
    ("error", "key"),
    [
        ("code_expired", "sign_in_expired"),
        ("expired_token", "sign_in_expired"),
        ("expired_code", "sign_in_expired"),
        ("access_denied", "sign_in_denied"),
        ("invalid_client", "invalid_client"),
        ("something_new", "sign_in_failed"),
    ],
)
async def test_every_end_of_polling(account: Account, error: str, key: str) -> None:
    flow = account.tracker.device_sign_in()
    grant = await flow.start()
    body = f'{{"error":"{error}"}}'
    account.sim.faults.append(Fault("status", DEVICE, 1, 400, body))
    with pytest.raises(SignInError) as raised:
        await flow.poll(grant)
    assert raised.value.translation_key == key


async def test_what_the_simulator_says_while_polling(account: Account) -> None:
    account.sim.pacing = True
    flow = account.tracker.device_sign_in()
    grant = await flow.start()
    assert await flow.poll(grant) is None
    with pytest.raises(SlowDown):
        await flow.poll(grant)
    account.sim.approve(deny=True)
    account.sim.clock.advance(10)
    with pytest.raises(SignInError) as raised:
        await flow.poll(grant)
    assert raised.value.translation_key == "sign_in_denied"
    account.sim.clock.advance(8600)
    with pytest.raises(SignInError) as raised:
        await flow.poll(grant)
    assert raised.value.translation_key == "sign_in_expired"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("status", DEVICE, 1, 429), RateLimited),
        (Fault("html", DEVICE, 1, 403), AccessDenied),
        (Fault("status", DEVICE, 1, 500, "<html>"), Unavailable),
        (Fault("html", DEVICE, 1, 404), BadAnswer),
        (Fault("empty", DEVICE), BadAnswer),
        (Fault("broken_json", DEVICE), BadAnswer),
        (Fault("reset", DEVICE), Unavailable),
        (Fault("status", DEVICE, 1, 400, "[]"), BadAnswer),
    ],
)
async def test_failures_while_signing_in(
    account: Account, fault: Fault, error: type[TrackerError]
) -> None:
    flow = account.tracker.device_sign_in()
    grant = await flow.start()
    for call in (flow.start, lambda: flow.poll(grant)):
        account.sim.faults.append(replace(fault))
        with pytest.raises(error):
            await call()
    assert await flow.poll(grant) is None, "the code is still good"


async def test_a_new_code_while_polling_is_pending(account: Account) -> None:
    flow = account.tracker.device_sign_in()
    grant = await flow.start()
    body = '{"code":"x","user_code":"Y","verification_uri":"https://z/device","interval":"5"}'
    account.sim.faults.append(Fault("status", DEVICE, 1, 200, body))
    assert await flow.poll(grant) is None


async def test_odd_codes(account: Account) -> None:
    flow = account.tracker.device_sign_in()
    body = '{"code":"x","user_code":"Y","verification_uri":"https://z/d","interval":"7","expires_in":"90"}'
    account.sim.faults.append(Fault("status", DEVICE, 1, 200, body))
    grant = await flow.start()
    assert (grant.interval, grant.expires_in) == (7, 90)
    account.sim.faults.append(Fault("status", DEVICE, 1, 200, '{"status":200}'))
    with pytest.raises(BadAnswer):
        await flow.start()
    account.sim.faults.append(Fault("status", DEVICE, 1, 400, '{"status":400}'))
    with pytest.raises(SignInError):
        await flow.start()


async def test_an_absurd_life_is_cut(account: Account) -> None:
    account.sim.expire_tokens()
    body = '{"access_token":"a","refresh_token":"b","expires_in":9000000000000000}'
    account.sim.faults.append(Fault("status", TOKEN, 1, 200, body))
    with pytest.raises(SignInRequired):
        await account.refresh()
    assert account.store.tokens is not None
    assert account.store.tokens.access == "a"


async def test_wrong_credentials(account: Account) -> None:
    for credentials in ({}, {"client_id": "up-next-client", "client_secret": "no"}):
        tracker = KinoPub(replace(account.context, credentials=credentials))
        with pytest.raises(SignInError) as raised:
            await tracker.device_sign_in().start()
        assert raised.value.translation_key == "invalid_client"
        assert "up-next" not in str(raised.value)


async def test_naming_the_device_may_fail(account: Account) -> None:
    account.sim.faults.append(Fault("status", "/device/notify", 1, 500))
    assert (await account.tracker.account()).id == "example_user"


# tokens


async def test_a_pair_is_refreshed_a_minute_early_and_saved_first(
    account: Account,
) -> None:
    old = account.store.tokens
    assert old is not None
    account.sim.clock.advance(3600 - 61)
    await account.refresh()
    assert account.store.tokens is old
    account.sim.clock.advance(2)
    saved: list[int] = []
    save = account.store.save

    async def watch(tokens: Tokens) -> None:
        saved.append(len(account.sim.requests))
        await save(tokens)

    account.store.save = watch  # type: ignore[method-assign]
    before = len(account.sim.requests)
    await account.refresh()
    assert saved == [before + 1], "saved between the refresh and the next request"
    assert account.sim.count(TOKEN) == 1
    assert account.store.tokens.access != old.access
    assert account.store.tokens.refresh != old.refresh


async def test_401_refreshes_once_for_all(account: Account) -> None:
    account.sim.expire_tokens()
    await asyncio.gather(
        account.tracker.account(), account.tracker.history(), account.refresh()
    )
    assert account.sim.count(TOKEN) == 1


async def test_a_token_that_stays_refused(account: Account) -> None:
    body = '{"name":"Unauthorized","message":"...","code":0,"status":401}'
    account.sim.faults.append(Fault("status", "/v1/user", 9, 401, body))
    with pytest.raises(SignInRequired):
        await account.tracker.account()
    assert account.sim.count(TOKEN) == 1


async def test_a_revoked_grant(account: Account) -> None:
    account.sim.revoke_tokens()
    with pytest.raises(SignInRequired):
        await account.refresh()


async def test_a_grant_that_was_not_used_for_a_month(account: Account) -> None:
    account.sim.clock.advance(31 * 86400)
    with pytest.raises(SignInRequired):
        await account.refresh()


@pytest.mark.parametrize(
    "body",
    [
        '{"error":"authorization_expired"}',
        '{"error":"invalid_refresh_token"}',
        '{"error":"invalid_client"}',
        '{"error":"whatever"}',
        '{"status":400}',
        '{"access_token":""}',
    ],
)
async def test_a_dead_grant(account: Account, body: str) -> None:
    account.sim.expire_tokens()
    account.sim.faults.append(Fault("status", TOKEN, 1, 400, body))
    with pytest.raises(SignInRequired):
        await account.refresh()


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("html", TOKEN, 1, 403), AccessDenied),
        (Fault("status", TOKEN, 1, 429), RateLimited),
        (Fault("html", TOKEN, 1, 404), BadAnswer),
        (Fault("html", TOKEN), BadAnswer),
        (Fault("status", TOKEN, 9, 502), Unavailable),
        (Fault("reset", TOKEN, 9), Unavailable),
    ],
)
async def test_a_refresh_that_fails_for_now_is_tried_again(
    account: Account, fault: Fault, error: type[TrackerError]
) -> None:
    account.sim.expire_tokens()
    account.sim.faults.append(replace(fault))
    with pytest.raises(error) as raised:
        await account.refresh()
    assert not isinstance(raised.value, SignInRequired)
    account.sim.faults.clear()
    assert await account.refresh()


async def test_a_rotation_whose_answer_is_lost(account: Account) -> None:
    account.sim.expire_tokens()
    account.sim.faults.append(Fault("lost", TOKEN))
    old = account.store.tokens
    with pytest.raises(SignInRequired):  # asking again with the old pair finds it dead
        await account.refresh()
    assert account.store.tokens is old


async def test_without_tokens(account: Account) -> None:
    account.store.tokens = None
    with pytest.raises(SignInRequired):
        await KinoPub(account.context).refresh(None)
    account.store.tokens = Tokens(access="x", expires_at=account.sim.clock.now())
    with pytest.raises(SignInRequired):
        await KinoPub(account.context).refresh(None)


async def test_signing_out_frees_the_device(account: Account) -> None:
    await account.tracker.sign_out()
    assert account.sim.state()["devices"] == []
    with pytest.raises(SignInRequired):
        await KinoPub(account.context).refresh(None)


async def test_tokens_travel_in_the_header_only(account: Account) -> None:
    await account.refresh()
    assert account.sim.requests
    for request in account.sim.requests:
        assert request.headers["Authorization"].startswith("Bearer ")
        assert "access_token" not in request.query
