"""Signing in to Simkl, tokens, and what becomes of everything the service may answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
import json
from typing import Any

import pytest

from custom_components.up_next.trackers.errors import (
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
from custom_components.up_next.trackers.oauth import (
    DeviceGrant,
    MemoryTokenStore,
    SlowDown,
    wait_for_tokens,
)
from custom_components.up_next.trackers.simkl import Simkl
from custom_components.up_next.trackers.simkl.api import (
    SCOPE,
    Api,
    TooMany,
    WriteLocked,
)
from simulators.service import Fault
from simulators.simkl import Simkl as Service
from simulators.simkl.grants import READ

from .simkl_account import Account

type Open = Callable[..., Awaitable[Account]]


@pytest.fixture
def account(serve: Any, make_context: Any, tokens: MemoryTokenStore) -> Open:
    """Return a function that opens an account."""

    async def start(*, pacing: bool = False, **context: Any) -> Account:
        service: Service = await serve(Service)
        service.pacing = pacing
        a = Account(service, make_context(service.base_url, **context), tokens)
        for transport in (
            a.tracker._api._api,
            a.tracker._api._oauth,
            a.tracker._api._free,
        ):
            transport.retry_delays = ()
        return a

    return start


# signing in -------------------------------------------------------------------------------------------------


async def test_device_flow(account: Open) -> None:
    a = await account(pacing=True)
    sign_in = a.tracker.device_sign_in()
    grant = await sign_in.start()
    assert grant.verification_url == f"{a.service.base_url}/pin"
    assert grant.link == f"{a.service.base_url}/pin?user_code={grant.user_code}"
    assert (grant.expires_in, grant.interval) == (900, 5)
    assert grant.device_code not in repr(grant)
    assert await sign_in.poll(grant) is None
    with pytest.raises(SlowDown):
        await sign_in.poll(grant)
    a.service.clock.advance(20)
    # a declined code stays pending: there is no other sign
    a.service.approve(deny=True)
    assert await sign_in.poll(grant) is None
    a.service.clock.advance(20)
    a.service.approve(grant.user_code)
    tokens = await sign_in.poll(grant)
    assert tokens is not None and tokens.scope == SCOPE and tokens.refresh
    assert tokens.access not in repr(tokens)
    a.store.tokens = tokens
    assert (await a.tracker.account()).name == "example_user"
    with pytest.raises(SignInError) as caught:
        await sign_in.poll(grant)
    assert caught.value.translation_key == "sign_in_expired"
    assert "Authorization" not in a.service.requests[0].headers
    assert (
        a.service.requests[0].headers["Content-Type"]
        == "application/x-www-form-urlencoded"
    )


async def test_waiting_until_the_code_is_entered(account: Open) -> None:
    a = await account()
    sign_in = a.tracker.device_sign_in()
    grant = await sign_in.start()
    a.service.faults.append(Fault("status", "POST /oauth2/token", status=503))
    a.service.faults.append(Fault("html", "POST /oauth2/token", status=502))
    a.service.auto_approve = True
    tokens = await wait_for_tokens(sign_in, grant, sleep=a.waits, monotonic=lambda: 0)
    assert tokens.scope == SCOPE
    assert a.waits.seconds.count(5) == 3


async def test_a_wrong_client_id(account: Open) -> None:
    a = await account(credentials={"client_id": "old"})
    with pytest.raises(SignInError) as caught:
        await a.tracker.device_sign_in().start()
    assert caught.value.translation_key == "invalid_client"


async def test_a_read_only_grant_is_refused_and_ended(account: Open) -> None:
    a = await account()
    sign_in = a.tracker.device_sign_in()
    grant = await sign_in.start()
    a.service.grants.devices[-1].scope = READ
    a.service.approve()
    before = len(a.service.grants.grants)
    with pytest.raises(SignInError) as caught:
        await sign_in.poll(grant)
    assert caught.value.translation_key == "read_only_grant"
    assert len(a.service.grants.grants) == before


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ('{"error":"expired_token"}', "sign_in_expired"),
        ('{"error":"access_denied"}', "sign_in_denied"),
        ('{"error":"invalid_client"}', "invalid_client"),
        ('{"error":"unsupported_grant_type"}', "sign_in_failed"),
    ],
)
async def test_the_end_of_a_device_code(account: Open, body: str, key: str) -> None:
    a = await account()
    sign_in = a.tracker.device_sign_in()
    grant = await sign_in.start()
    a.service.faults.append(
        Fault("status", "POST /oauth2/token", status=400, body=body)
    )
    with pytest.raises(SignInError) as caught:
        await sign_in.poll(grant)
    assert caught.value.translation_key == key


async def test_odd_answers_while_signing_in(account: Open) -> None:
    a = await account()
    sign_in = a.tracker.device_sign_in()
    for fault in (
        Fault("status", "device", status=200, body="{}"),
        Fault("empty", "device"),
        Fault("html", "device"),
        Fault("broken_json", "device"),
        Fault(
            "status", "device", status=200, body='{"device_code":"x","user_code":"y"}'
        ),
    ):
        a.service.faults.append(fault)
        with pytest.raises(BadAnswer):
            await sign_in.start()
    for fault in (
        Fault("reset", "device"),
        Fault("status", "device", status=500, body='{"error":"internal"}'),
    ):
        a.service.faults.append(fault)
        with pytest.raises(Unavailable):
            await sign_in.start()
    a.service.faults.append(
        Fault("status", "device", times=2, status=429, body='{"error":"rate_limit"}')
    )
    with pytest.raises(RateLimited):
        await sign_in.start()
    plain = (
        '{"device_code":"x","user_code":"y","verification_uri":"https://simkl.com/pin"}'
    )
    a.service.faults.append(Fault("status", "device", status=200, body=plain))
    grant = await sign_in.start()
    assert (grant.link, grant.expires_in, grant.interval) == (
        "https://simkl.com/pin",
        900,
        5,
    )
    a.service.faults.append(
        Fault("status", "token", status=200, body='{"token_type":"Bearer"}')
    )
    with pytest.raises(BadAnswer):
        await sign_in.poll(
            DeviceGrant(
                user_code="",
                verification_url="",
                link="",
                expires_in=1,
                interval=1,
                device_code="x",
            )
        )


# tokens -----------------------------------------------------------------------------------------------------


async def test_an_expired_token_is_renewed_once(account: Open) -> None:
    a = await account()
    old = a.store.tokens
    a.service.expire_tokens()
    await asyncio.gather(*(a.tracker.account() for _ in range(4)))
    assert a.service.count("POST /oauth2/token") == 1
    new = a.store.tokens
    assert old is not None and new is not None
    # the refresh token is not rotated
    assert new.access != old.access and new.refresh == old.refresh


async def test_a_token_with_a_day_to_live_is_renewed_before_it_is_used(
    account: Open,
) -> None:
    a = await account()
    a.service.clock.advance(timedelta(days=6, minutes=1).total_seconds())
    await a.tracker.account()
    assert [r.path for r in a.service.requests] == ["/oauth2/token", "/users/settings"]


async def test_the_stored_token_is_read_again_before_a_renewal(account: Open) -> None:
    a = await account()
    await a.tracker.account()
    # another process of the same grant renewed meanwhile: that killed our token
    a.service.revoke_tokens()
    a.sign_in()
    await a.tracker.account()
    assert a.service.count("POST /oauth2/token") == 0


async def test_a_lost_renewal_is_repeated(account: Open) -> None:
    a = await account()
    a.service.expire_tokens()
    a.service.lose_refresh()
    with pytest.raises(Unavailable):
        await a.tracker.account()
    await a.tracker.account()
    assert a.service.count("POST /oauth2/token") == 2


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, '{"error":"invalid_grant"}', SignInRequired),
        (400, '{"error":"invalid_scope"}', SignInRequired),
        (401, '{"error":"invalid_client"}', AccessDenied),
        (500, "", Unavailable),
        (429, '{"error":"rate_limit"}', RateLimited),
        (200, "{}", BadAnswer),
    ],
)
async def test_renewals_that_fail(
    account: Open, status: int, body: str, error: type[TrackerError]
) -> None:
    a = await account()
    a.service.expire_tokens()
    kept = a.store.tokens
    a.service.faults.append(
        Fault("status", "/oauth2/token", times=2, status=status, body=body)
    )
    with pytest.raises(error):
        await a.tracker.account()
    assert a.store.tokens == kept


async def test_revoked(account: Open) -> None:
    a = await account()
    a.service.revoke_tokens()
    with pytest.raises(SignInRequired):
        await a.refresh()
    a.store.tokens = None
    with pytest.raises(SignInRequired):
        await Simkl(a.context).account()


async def test_a_grant_without_a_refresh_token(account: Open) -> None:
    a = await account()
    tokens = a.store.tokens
    assert tokens is not None
    a.store.tokens = type(tokens)(access=tokens.access, expires_at=tokens.expires_at)
    a.service.expire_tokens()
    with pytest.raises(SignInRequired):
        await Simkl(a.context).account()


async def test_signing_out_ends_the_grant(account: Open) -> None:
    a = await account()
    await a.tracker.sign_out()
    assert a.service.grants.grants == []
    a.store.tokens = None
    await a.tracker.sign_out()
    assert a.service.count("POST /oauth2/revoke") == 1


# every row of the page's error table --------------------------------------------------------------------------

TABLE: list[tuple[int, str | None, type[TrackerError], str]] = [
    (400, "empty_field", Refused, "refused"),
    (400, "wrong_parameter", Refused, "refused"),
    (400, "unauthorized_client", Refused, "refused"),
    (400, "RATE_LIMIT", WriteLocked, "rate_limited"),
    (400, "rate_limit", WriteLocked, "rate_limited"),
    (400, "max_items", TooMany, "refused"),
    (401, "user_token_failed", SignInRequired, "sign_in_required"),
    (401, "invalid_token", SignInRequired, "sign_in_required"),
    (401, "user_token_required", SignInRequired, "sign_in_required"),
    (403, "insufficient_scope", SignInRequired, "sign_in_required"),
    (403, "oauth2_token_required", SignInRequired, "sign_in_required"),
    (403, "private_list", Refused, "refused"),
    (403, "redirect_failed", Refused, "refused"),
    (403, "forbidden", Refused, "refused"),
    (403, "private_profile", Refused, "refused"),
    (403, None, AccessDenied, "blocked"),
    (404, "id_err", NotFound, "not_found"),
    (404, "url_failed", Refused, "refused"),
    (404, "empty", NotFound, "not_found"),
    (404, "user_id_failed", NotFound, "not_found"),
    (410, None, Refused, "refused"),
    (412, "client_id_failed", RateLimited, "rate_limited"),
    (429, "rate_limit", RateLimited, "rate_limited"),
    (429, "user_limit_exceeded", QuotaExhausted, "quota_exhausted"),
    (429, "app_limit_exceeded", QuotaExhausted, "quota_exhausted"),
    (500, "internal", Unavailable, "unavailable"),
    (502, None, Unavailable, "unavailable"),
    (503, None, Unavailable, "unavailable"),
    (505, None, Unavailable, "unavailable"),
    (302, None, BadAnswer, "bad_answer"),
    (200, "premium_only", AccessDenied, "plan_required"),
    (200, "not_found", NotFound, "not_found"),
    (200, "something", Refused, "refused"),
]


@pytest.mark.parametrize(("status", "word", "error", "key"), TABLE)
async def test_error_table(
    account: Open, status: int, word: str | None, error: type[TrackerError], key: str
) -> None:
    a = await account()
    body = "" if word is None else json.dumps({"error": word, "code": status})
    a.service.faults.append(
        Fault("status", "GET /users", times=3, status=status, body=body)
    )
    with pytest.raises(TrackerError) as caught:
        await a.tracker.account()
    assert type(caught.value) is error
    assert caught.value.translation_key == key
    for secret in (a.store.tokens.access, a.store.tokens.refresh, "up-next-client"):  # type: ignore[union-attr]
        assert str(secret) not in str(caught.value)


async def test_a_forgotten_token_is_no_reason_to_sign_in_again(account: Open) -> None:
    a = await account()
    body = '{"error":"user_token_required","code":401}'
    a.service.faults.append(Fault("status", "GET /tv", status=401, body=body))
    with pytest.raises(Refused):
        await a.tracker.titles.page("701000", ("tv",))


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
async def test_pages_for_people_refuse_nothing(account: Open, status: int) -> None:
    a = await account()
    a.service.faults.append(Fault("html", "GET /tv", times=2, status=status))
    with pytest.raises(Unavailable):
        await a.tracker.titles.page("701000", ("tv",))


async def test_a_firewall(account: Open) -> None:
    a = await account()
    a.service.faults.append(Fault("html", "GET /users", status=403))
    with pytest.raises(AccessDenied) as caught:
        await a.tracker.account()
    assert caught.value.translation_key == "blocked"


async def test_a_throttle_passes_and_a_suspension_stays(account: Open) -> None:
    a = await account()
    a.service.suspended = True
    with pytest.raises(RateLimited) as caught:
        await a.refresh()
    assert caught.value.retry_after == 900
    a.service.clock.advance(3601)
    with pytest.raises(AccessDenied):
        await a.refresh()
    a.service.suspended = False
    await a.refresh()
    a.service.suspended = True
    with pytest.raises(RateLimited):
        await a.refresh()


async def test_too_many_reads_are_waited_for(account: Open) -> None:
    a = await account()
    a.service.faults.append(
        Fault("status", "GET /users", status=429, body='{"error":"rate_limit"}')
    )
    await a.tracker.account()
    assert 1 in a.waits.seconds


@pytest.mark.parametrize(
    "kind", ["html", "empty", "broken_json", "drop", "reset", "lost"]
)
async def test_broken_answers(account: Open, kind: str) -> None:
    a = await account()
    await a.refresh()
    before = a.library
    a.service.watch_movie(500009)
    for path in ("GET /sync/activities", "GET /sync/all-items"):
        a.service.faults.append(Fault(kind, path))
        with pytest.raises(Unavailable):
            await a.refresh()
        assert a.library is before
    await a.refresh()
    assert a.library is not before


async def test_a_gateway_error_is_ridden_out(account: Open) -> None:
    a = await account()
    a.tracker._api._api.retry_delays = (1.0, 3.0)
    a.service.faults.append(Fault("status", "GET /users", times=2, status=502))
    assert (await a.tracker.account()).id == "12345"
    assert a.waits.seconds[-2:] == [1.0, 3.0] or {1.0, 3.0} <= set(a.waits.seconds)


async def test_without_a_base_url_the_real_hosts_are_asked(account: Open) -> None:
    a = await account()
    plain = type(a.context)(
        **{n: getattr(a.context, n) for n in a.context.__slots__}
        | {"base_url": None, "user_agent": "x"}
    )
    api = Api(plain)
    assert (
        str(api._api.url("sync/activities")) == "https://api.simkl.com/sync/activities"
    )
    assert (
        str(api._cdn.url("calendar/v2/tv.json"))
        == "https://data.simkl.in/calendar/v2/tv.json"
    )
    assert api._api._params["app-version"] == "0"
    tracker = Simkl(plain)
    picture = tracker._builder.picture("57/5742576cd8f59fcb0")
    assert (
        picture
        == "https://wsrv.nl/?url=https://simkl.in/posters/57/5742576cd8f59fcb0_m.webp&q=90"
    )
    assert tracker.can_picture(picture) and tracker._builder.picture(None) is None
    assert not tracker.can_picture(
        "https://simkl.in/posters/57/5742576cd8f59fcb0_m.webp"
    )
