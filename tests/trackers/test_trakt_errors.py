"""Signing in to Trakt, and what becomes of every status of its error table (apis/trakt.md section 5)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
import json
from typing import Any

import pytest

from custom_components.up_next.trackers.errors import (
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
from custom_components.up_next.trackers.oauth import (
    MemoryTokenStore,
    SlowDown,
    Tokens,
    wait_for_tokens,
)
from custom_components.up_next.trackers.tracker import DeviceCode, Fields
from custom_components.up_next.trackers.trakt import Trakt
from custom_components.up_next.trackers.transport import Transport
from simulators.service import Fault
from simulators.trakt import Trakt as Service

from .trakt_help import House, enter


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Transport, "retry_delays", (0.0, 0.0))


@pytest.fixture
async def house(serve: Any, make_context: Any, clock: Any) -> House:
    service: Service = await serve(Service, shows=5)
    clock.freeze()
    service.pacing = False
    return enter(service, make_context(service.base_url))


# the error table


@pytest.mark.parametrize(
    ("status", "error", "key"),
    [
        (400, Refused, "refused"),
        (403, AccessDenied, "app_rejected"),
        (404, NotFound, "not_found"),
        (405, Refused, "refused"),
        (409, Refused, "refused"),
        (412, Refused, "refused"),
        (418, Refused, "refused"),
        (420, LimitReached, "limit_reached"),
        (422, Refused, "refused"),
        (423, AccessDenied, "account_locked"),
        (426, AccessDenied, "plan_required"),
        (429, RateLimited, "rate_limited"),
        (302, BadAnswer, "bad_answer"),
        (500, Unavailable, "unavailable"),
        (502, Unavailable, "unavailable"),
        (503, Unavailable, "unavailable"),
        (504, Unavailable, "unavailable"),
        (520, Unavailable, "unavailable"),
        (521, Unavailable, "unavailable"),
        (522, Unavailable, "unavailable"),
        (523, Unavailable, "unavailable"),
        (524, Unavailable, "unavailable"),
    ],
)
async def test_every_status(
    house: House, status: int, error: type[TrackerError], key: str
) -> None:
    house.service.faults = [Fault(kind="status", status=status, times=9)]
    with pytest.raises(error) as caught:
        await house.tracker.account()
    assert caught.value.translation_key == key
    assert str(status) in str(caught.value)
    assert isinstance(caught.value, error)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520, 521, 522, 523, 524])
async def test_passing_faults_are_survived(house: House, status: int) -> None:
    house.service.faults = [Fault(kind="status", status=status, times=2)]
    assert (await house.tracker.account()).id == house.service.uuid
    assert len(house.service.requests) == 3


async def test_the_firewall_is_not_the_app(house: House) -> None:
    house.service.faults = [
        Fault(kind="html", status=403, headers={"CF-RAY": "a061-MIA"})
    ]
    with pytest.raises(AccessDenied) as caught:
        await house.tracker.account()
    assert caught.value.translation_key == "blocked"
    assert caught.value.placeholders == {"ray": "a061-MIA"}
    assert house.tokens.tokens is not None


async def test_limits_tell_their_number_and_the_service_its_reason(
    house: House,
) -> None:
    house.service.faults = [
        Fault(kind="status", status=420, headers={"X-Account-Limit": "250"}),
        Fault(
            kind="status",
            status=500,
            headers={"X-Error-Message": "out of coffee"},
            times=3,
        ),
    ]
    with pytest.raises(LimitReached) as caught:
        await house.tracker.account()
    assert caught.value.placeholders == {"limit": "250"}
    with pytest.raises(Unavailable, match="out of coffee"):
        await house.tracker.account()


async def test_rate_limits(house: House) -> None:
    house.service.faults = [
        Fault(kind="status", status=429, headers={"Retry-After": "3"})
    ]
    await house.tracker.account()
    assert house.naps == [3]
    house.service.faults = [
        Fault(kind="status", status=429, headers={"Retry-After": "900"})
    ]
    with pytest.raises(RateLimited) as caught:
        await house.tracker.account()
    assert caught.value.retry_after == 900
    # Cloudflare's own limit names no time
    house.service.faults = [Fault(kind="html", status=429)]
    with pytest.raises(RateLimited) as caught:
        await house.tracker.account()
    assert caught.value.retry_after == 300


@pytest.mark.parametrize("kind", ["html", "empty", "broken_json"])
async def test_bodies_that_cannot_be_read(house: House, kind: str) -> None:
    house.service.faults = [Fault(kind=kind, times=9)]
    with pytest.raises(BadAnswer):
        await house.tracker.account()


@pytest.mark.parametrize("kind", ["drop", "reset", "lost"])
async def test_broken_connections(house: House, kind: str) -> None:
    house.service.faults = [Fault(kind=kind, times=9)]
    with pytest.raises(Unavailable):
        await house.tracker.account()
    house.service.faults.clear()
    await house.tracker.account()


async def test_timeouts(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    import aiohttp

    from custom_components.up_next.trackers import transport

    monkeypatch.setattr(transport, "TIMEOUT", aiohttp.ClientTimeout(total=0.2))
    house.service.faults = [Fault(kind="hang", seconds=0.4, times=3)]
    with pytest.raises(Unavailable):
        await house.tracker.account()
    await asyncio.sleep(0.5)


async def test_nobody_is_not_an_account(house: House) -> None:
    house.service.faults = [
        Fault(kind="status", status=200, body='{"user": {"username": "x"}}')
    ]
    with pytest.raises(BadAnswer):
        await house.tracker.account()


async def test_every_request_carries_what_trakt_asks_for(house: House) -> None:
    await house.refresh()
    for request in house.service.requests:
        assert request.headers["User-Agent"] == "UpNext/0.0.0 (tests)"
        assert request.headers["Content-Type"] == "application/json"
        assert request.headers["trakt-api-version"] == "2"
        assert request.headers["trakt-api-key"] == "up-next-client"
        assert request.headers["Authorization"].startswith("Bearer ")


async def test_secrets_stay_out_of_errors_and_addresses(house: House) -> None:
    secrets = [house.tokens.tokens.access, house.tokens.tokens.refresh]
    secrets += ["up-next-secret"]
    house.service.revoke_tokens()
    with pytest.raises(SignInRequired) as caught:
        await house.tracker.account()
    text = repr(caught.value) + str(caught.value) + repr(house.tokens.tokens)
    assert not any(secret in text for secret in secrets)
    for request in house.service.requests:
        assert not any(secret in json.dumps(request.query) for secret in secrets)


# tokens


async def test_a_token_is_renewed_before_it_expires(house: House) -> None:
    first = house.tokens.tokens
    house.service.clock.advance(timedelta(days=6, hours=23, minutes=49).total_seconds())
    await house.tracker.account()
    assert house.tokens.tokens is first
    house.service.clock.advance(120)
    await house.tracker.account()
    assert house.tokens.tokens.access != first.access
    assert house.service.count("/oauth/token") == 1


async def test_a_refused_token_is_renewed_once_for_all(house: House) -> None:
    house.service.expire_tokens()
    await asyncio.gather(*(house.tracker.account() for _ in range(5)))
    assert house.service.count("POST /oauth/token") == 1


async def test_a_dead_grant_asks_for_a_person(house: House) -> None:
    house.service.revoke_tokens()
    with pytest.raises(SignInRequired):
        await house.tracker.account()
    for status in (400, 401):
        house.service.faults = [
            Fault(kind="status", status=401, match="/users/settings"),
            Fault(
                kind="status",
                status=status,
                match="/oauth/token",
                body='{"error":"invalid_grant","error_description":"session not found"}',
            ),
        ]
        with pytest.raises(SignInRequired):
            await house.tracker.account()
    nobody = Trakt(_without_tokens(house))
    with pytest.raises(SignInRequired):
        await nobody.account()


def _without_tokens(house: House) -> Any:
    from dataclasses import replace

    return replace(house.context, tokens=MemoryTokenStore())


async def test_a_token_that_stays_refused(house: House) -> None:
    house.service.faults = [
        Fault(kind="status", status=401, match="/users/settings", times=2)
    ]
    with pytest.raises(SignInRequired):
        await house.tracker.account()
    assert house.service.count("/oauth/token") == 1


async def test_no_refresh_token(house: House) -> None:
    tokens = house.tokens.tokens
    house.tokens.tokens = Tokens(access=tokens.access, expires_at=tokens.expires_at)
    await house.tracker.account()
    house.service.expire_tokens()
    with pytest.raises(SignInRequired):
        await house.tracker.account()


async def test_a_deleted_app_is_not_a_dead_grant(house: House) -> None:
    house.service.oauth.app_deleted = True
    with pytest.raises(AccessDenied) as caught:
        await house.tracker.account()
    assert caught.value.translation_key == "app_rejected"
    house.service.clock.advance(timedelta(days=8).total_seconds())
    with pytest.raises(AccessDenied) as caught:
        await house.tracker.account()
    assert caught.value.translation_key == "app_rejected"
    with pytest.raises(SignInError):
        await house.tracker.device_sign_in().start()


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(kind="reset", match="/oauth/token", times=9), Unavailable),
        (Fault(kind="status", status=503, match="/oauth/token", times=9), Unavailable),
        (Fault(kind="html", match="/oauth/token"), BadAnswer),
        (Fault(kind="html", status=400, match="/oauth/token"), BadAnswer),
        (Fault(kind="html", status=403, match="/oauth/token"), AccessDenied),
        (Fault(kind="empty", match="/oauth/token"), BadAnswer),
        (Fault(kind="status", status=200, body="{}", match="/oauth/token"), BadAnswer),
        (Fault(kind="status", status=429, match="/oauth/token"), RateLimited),
    ],
)
async def test_a_failed_renewal_is_no_reason_to_sign_in_again(
    house: House, fault: Fault, error: type[TrackerError]
) -> None:
    house.service.expire_tokens()
    house.service.faults = [fault]
    with pytest.raises(error):
        await house.tracker.account()
    house.service.faults.clear()
    if fault.kind in ("reset", "status") and fault.status != 200:
        # the server had not rotated: the same pair still works
        await house.tracker.account()


async def test_a_rotation_that_was_lost_on_the_way(house: House) -> None:
    house.service.expire_tokens()
    house.service.faults = [Fault(kind="lost", match="/oauth/token")]
    # the read is repeated, and the second refresh finds its token used up: nothing can bring the pair back
    with pytest.raises(SignInRequired):
        await house.tracker.account()
    assert house.service.count("/oauth/token") == 2


async def test_refreshing_without_a_readable_reason(house: House) -> None:
    house.service.expire_tokens()
    for body in ("", "{", "[]"):
        house.service.faults = [
            Fault(kind="status", status=401, body=body, match="/oauth/token")
        ]
        with pytest.raises(SignInRequired):
            await house.tracker.account()


async def test_sign_out_ends_the_grant(house: House) -> None:
    await house.tracker.sign_out()
    assert house.service.state()["tokens"] == 0
    await Trakt(_without_tokens(house)).sign_out()
    house.service.faults = [Fault(kind="status", status=503, match="revoke")]
    with pytest.raises(Unavailable):
        await house.tracker.sign_out()


# signing in


async def test_sign_in(house: House) -> None:
    assert [type(step) for step in Trakt.sign_in] == [Fields, DeviceCode]
    sign_in = house.tracker.device_sign_in()
    grant = await sign_in.start()
    assert grant.verification_url == f"{house.service.base_url}/activate"
    assert grant.device_code not in repr(grant)
    assert (grant.interval, grant.expires_in) == (5, 600)
    assert await sign_in.poll(grant) is None
    house.service.approve()
    tokens = await sign_in.poll(grant)
    assert tokens.expires_at == house.service.clock.now() + timedelta(days=7)
    house.tokens.tokens = tokens
    assert (await house.tracker.account()).name == "demo-viewer"
    with pytest.raises(SignInError) as caught:
        await sign_in.poll(grant)
    assert caught.value.translation_key == "sign_in_failed"


async def test_waiting_for_the_code(house: House) -> None:
    house.service.pacing = True
    sign_in = house.tracker.device_sign_in()
    grant = await sign_in.start()
    house.service.faults = [
        Fault(kind="status", status=429, headers={"Retry-After": "7"}, match="token"),
        Fault(kind="status", status=503, match="token"),
    ]
    times = 0

    async def sleep(seconds: float) -> None:
        nonlocal times
        times += 1
        house.service.clock.advance(seconds)
        if times == 4:
            house.service.approve()

    tokens = await wait_for_tokens(sign_in, grant, sleep=sleep)
    assert house.service.oauth.accepts(tokens.access)
    assert times == 4


@pytest.mark.parametrize(
    ("status", "key"),
    [
        (404, "sign_in_failed"),
        (409, "sign_in_failed"),
        (410, "sign_in_expired"),
        (418, "sign_in_denied"),
        (401, "invalid_client"),
        (403, "invalid_client"),
    ],
)
async def test_how_a_device_code_ends(house: House, status: int, key: str) -> None:
    sign_in = house.tracker.device_sign_in()
    grant = await sign_in.start()
    house.service.faults = [Fault(kind="status", status=status)]
    with pytest.raises(SignInError) as caught:
        await sign_in.poll(grant)
    assert caught.value.translation_key == key


async def test_denied_and_expired_for_real(house: House) -> None:
    sign_in = house.tracker.device_sign_in()
    grant = await sign_in.start()
    house.service.approve(deny=True)
    with pytest.raises(SignInError) as caught:
        await sign_in.poll(grant)
    assert caught.value.translation_key == "sign_in_denied"
    grant = await sign_in.start()
    house.service.clock.advance(700)
    with pytest.raises(SignInError) as caught:
        await sign_in.poll(grant)
    assert caught.value.translation_key == "sign_in_expired"


async def test_other_answers_while_waiting(house: House) -> None:
    sign_in = house.tracker.device_sign_in()
    grant = await sign_in.start()
    for fault, error in (
        (Fault(kind="status", status=429), SlowDown),
        (Fault(kind="status", status=503), Unavailable),
        (Fault(kind="html", status=403), AccessDenied),
        (Fault(kind="html"), BadAnswer),
        (Fault(kind="status", status=423), AccessDenied),
        (Fault(kind="reset"), Unavailable),
    ):
        house.service.faults = [fault]
        with pytest.raises(error):
            await sign_in.poll(grant)
    house.service.oauth.app_deleted = True
    with pytest.raises(SignInError) as caught:
        await sign_in.poll(grant)
    assert caught.value.translation_key == "invalid_client"


async def test_credentials_that_are_wrong(house: House, make_context: Any) -> None:
    wrong = {"client_id": "x", "client_secret": "y"}
    tracker = Trakt(make_context(house.service.base_url, credentials=wrong))
    with pytest.raises(SignInError) as caught:
        await tracker.device_sign_in().start()
    assert caught.value.translation_key == "invalid_client"
    half = {"client_id": "up-next-client", "client_secret": "y"}
    sign_in = Trakt(
        make_context(house.service.base_url, credentials=half)
    ).device_sign_in()
    grant = await sign_in.start()
    with pytest.raises(SignInError) as caught:
        await sign_in.poll(grant)
    assert caught.value.translation_key == "invalid_client"


async def test_starting_may_fail(house: House) -> None:
    sign_in = house.tracker.device_sign_in()
    for fault, error in (
        (Fault(kind="status", status=503), Unavailable),
        (Fault(kind="status", status=200, body="{}"), BadAnswer),
        (Fault(kind="html", status=403), AccessDenied),
        (Fault(kind="status", status=429), RateLimited),
    ):
        house.service.faults = [fault]
        with pytest.raises(error):
            await sign_in.start()


def test_hosts(make_context: Any) -> None:
    from dataclasses import replace

    context = replace(make_context("http://x"), base_url=None)
    tracker = Trakt(context)
    assert str(tracker._api.http.url("/a")) == "https://api.trakt.tv/a"
    assert str(tracker._api.sign_in._http.url("/a")) == "https://auth.trakt.tv/a"
    assert tracker.can_picture("https://media.trakt.tv/images/x.webp")
    assert not tracker.can_picture("https://example.com/x.webp")
