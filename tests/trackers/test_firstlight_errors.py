"""Firstlight: every failure of the error table, and some more, against the simulator over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
import logging
from typing import Any

from aiohttp import ClientTimeout
import orjson
import pytest

from custom_components.up_next.trackers import transport
from custom_components.up_next.trackers.errors import (
    AccessDenied,
    BadAnswer,
    NotFound,
    RateLimited,
    Refused,
    SignInRequired,
    TrackerError,
    Unavailable,
)
from simulators.firstlight import IAM_TOKEN, USER_TOKEN
from simulators.service import Fault

from .firstlight_account import Account, open_account

type Start = Callable[..., Awaitable[Account]]


@pytest.fixture
def start(serve: Any, make_context: Any) -> Start:
    async def start(**arguments: Any) -> Account:
        return await open_account(serve, make_context, **arguments)

    return start


@pytest.fixture
async def account(start: Start) -> Account:
    return await start()


@pytest.mark.parametrize("status", [200, 400, 401, 403, 500])
@pytest.mark.parametrize("strings", [False, True])
@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("40080401", SignInRequired),
        ("40080402", Refused),
        ("40080403", Refused),
        ("40080404", Refused),
        ("40080405", Refused),
        ("40080490", Unavailable),
        ("40080491", Unavailable),
    ],
)
async def test_errors_of_the_list(
    account: Account, status: int, strings: bool, code: str, error: type[TrackerError]
) -> None:
    library = await account.settled()
    account.sim.faults.append(envelope("list", code, status, strings=strings))
    with pytest.raises(error) as caught:
        await account.refresh(library)
    if isinstance(caught.value, Unavailable):
        assert caught.value.answered
    else:
        assert account.sleeps == []


@pytest.mark.parametrize("status", [200, 400, 401, 403, 500])
@pytest.mark.parametrize("strings", [False, True])
@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("40080301", SignInRequired),
        ("40080302", NotFound),
        ("40080390", Unavailable),
        ("40080391", Unavailable),
    ],
)
async def test_errors_of_the_lookup(
    account: Account, status: int, strings: bool, code: str, error: type[TrackerError]
) -> None:
    account.sim.faults.append(envelope("lookup", code, status, strings=strings))
    with pytest.raises(error):
        await account.tracker.bookmark("content123")


@pytest.mark.parametrize(
    ("code", "error"),
    [(1, Refused), (2, NotFound), (3, Refused), (7, Unavailable)],
)
@pytest.mark.parametrize("strings", [False, True])
async def test_errors_of_the_content_service(
    account: Account, code: int, error: type[TrackerError], strings: bool
) -> None:
    told = str(code) if strings else code
    body = orjson.dumps({"message": "failure", "code": told}).decode()
    account.sim.faults.append(Fault("status", match="content", status=200, body=body))
    with pytest.raises(TrackerError) as caught:
        await account.tracker._client.title("content123")
    assert type(caught.value) is error


def envelope(match: str, code: str, status: int, *, strings: bool = False) -> Fault:
    header: dict[str, Any] = {
        "source": "008-04",
        "code": "-1" if strings else -1,
        "message": "Failure",
    }
    if code:
        header["errors"] = [
            {"code": code if strings else int(code), "description": "x"}
        ]
    body = orjson.dumps({"header": header}).decode()
    return Fault("status", match=match, times=9, status=status, body=body)


@pytest.mark.parametrize("code", ["", "40080499"])
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (200, Unavailable),
        (400, Refused),
        (401, SignInRequired),
        (403, SignInRequired),
        (500, Unavailable),
    ],
)
async def test_failures_of_an_unknown_kind_go_by_status(
    account: Account, code: str, status: int, error: type[TrackerError]
) -> None:
    account.sim.faults.append(envelope("list", code, status))
    with pytest.raises(error):
        await account.refresh()


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (301, "", BadAnswer),
        (400, "", Refused),
        (401, "", SignInRequired),
        (401, '{"code":401,"message":"Unauthorized"}', SignInRequired),
        (403, '{"message":"Forbidden"}', SignInRequired),
        (404, "", BadAnswer),
        (404, '{"code":404}', BadAnswer),
        (405, "", BadAnswer),
        (418, "[]", Refused),
        (429, "", RateLimited),
        (500, "", Unavailable),
        (502, "Bad gateway", Unavailable),
        (200, "{}", BadAnswer),
        (200, "[]", BadAnswer),
        (200, "null", BadAnswer),
        (200, '{"header":{"code":0}}', BadAnswer),
        (200, '{"header":{"code":0},"data":null}', BadAnswer),
        (200, '{"header":{"code":0},"data":{}}', BadAnswer),
        (200, '{"header":{"code":"?"},"data":[]}', BadAnswer),
        (200, '{"header":[],"data":[]}', BadAnswer),
        (200, '{"header":{"errors":[{"code":"40080401"}]}}', SignInRequired),
    ],
)
async def test_other_answers(
    account: Account, status: int, body: str, error: type[TrackerError]
) -> None:
    library = await account.settled()
    account.sim.faults.append(
        Fault("status", match="list", times=9, status=status, body=body)
    )
    with pytest.raises(error):
        await account.refresh(library)
    account.sim.faults.clear()
    assert await account.refresh(library) is library


async def test_an_empty_list_is_empty(account: Account) -> None:
    library = await account.settled()
    body = '{"header":{"code":"0"},"data":[]}'
    account.sim.faults.append(Fault("status", match="list", status=200, body=body))
    assert (await account.refresh(library)).playbacks == ()


@pytest.mark.parametrize(
    ("fault", "error", "key"),
    [
        (Fault("html"), BadAnswer, "bad_answer"),
        (Fault("html", status=403), AccessDenied, "blocked"),
        (Fault("html", status=401), AccessDenied, "blocked"),
        (Fault("html", status=503), Unavailable, "unavailable"),
        (Fault("empty"), BadAnswer, "bad_answer"),
        (Fault("broken_json"), BadAnswer, "bad_answer"),
        (Fault("drop"), Unavailable, "unavailable"),
        (Fault("reset"), Unavailable, "unavailable"),
        (Fault("lost"), Unavailable, "unavailable"),
    ],
    ids=lambda value: (
        f"{value.kind} {value.status}" if isinstance(value, Fault) else ""
    ),
)
async def test_faults(
    account: Account, fault: Fault, error: type[TrackerError], key: str
) -> None:
    account.sim.faults.append(replace(fault, times=9))
    with pytest.raises(error) as caught:
        await account.refresh()
    assert caught.value.translation_key == key


async def test_no_answer_in_time(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "TIMEOUT", ClientTimeout(total=0.1))
    account.sim.faults.append(Fault("hang", times=3, seconds=0.3))
    with pytest.raises(Unavailable):
        await account.refresh()
    # the simulator's side of it has to end too
    await asyncio.sleep(0.6)


async def test_passing_faults_are_sat_out(account: Account) -> None:
    library = await account.settled()
    account.sim.faults.append(envelope("list", "40080490", 500))
    account.sim.faults[0].times = 1
    assert await account.refresh(library) is library
    assert account.sleeps == [1.0]


async def test_too_many_requests(account: Account) -> None:
    fault = Fault("status", match="list", times=9, status=429)
    account.sim.faults.append(replace(fault, headers={"Retry-After": "120"}))
    with pytest.raises(RateLimited) as caught:
        await account.refresh()
    assert caught.value.retry_after == 120
    account.sim.faults[:] = [fault]
    with pytest.raises(RateLimited) as caught:
        await account.refresh()
    assert caught.value.retry_after == 60


async def test_dead_tokens(account: Account) -> None:
    library = await account.settled()
    account.sim.revoke_tokens()
    with pytest.raises(SignInRequired):
        await account.refresh(library)
    account.sim.user_token = USER_TOKEN
    assert await account.refresh(library) is library
    account.sim.expire_tokens()
    with pytest.raises(SignInRequired):
        await account.refresh(library)


async def test_secrets_stay_secret(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    words = f"no {IAM_TOKEN} and {USER_TOKEN}"
    header = {"code": -1, "errors": [{"code": "40080491", "description": words}]}
    body = orjson.dumps({"header": header}).decode()
    account.sim.faults.append(Fault("status", times=9, status=500, body=body))
    with pytest.raises(Unavailable) as caught:
        await account.refresh()
    assert "no *** and ***" in str(caught.value)
    for secret in (IAM_TOKEN, USER_TOKEN):
        assert secret not in caplog.text
        assert secret not in str(caught.value)
        assert all(secret not in r.path + str(r.query) for r in account.sim.requests)


async def test_a_server_in_a_folder(start: Start) -> None:
    account = await start(path="/api/v1/")
    with pytest.raises(BadAnswer):
        await account.refresh()
    assert account.sim.requests[0].path == "/api/v1/user/bookmark/list"
