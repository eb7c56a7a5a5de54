"""Looking up where one title was stopped, by the service's own id."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
import json
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import voluptuous as vol

from homeassistant.core import HomeAssistant
from simulators.firstlight import Firstlight
from simulators.trakt import Trakt

from ..accounts import House
from ..conftest import AddAccount, Serve
from .conftest import Act, down

type Refusal = Callable[..., Awaitable[str]]


@pytest.fixture
async def service(house: House, serve: Serve) -> Firstlight:
    """Return a running operator's server."""
    found: Firstlight = await serve(Firstlight)
    return found


@pytest.fixture
async def account(service: Firstlight, add_account: AddAccount) -> MockConfigEntry:
    """Return an account there."""
    return await add_account(service)


async def looked_up(act: Act, item_id: object, **more: object) -> Any:
    """Return the only account's playback, after making sure that the answer is plain JSON."""
    answer = await act("get_playback", item_id=item_id, **more)
    assert json.loads(json.dumps(answer)) == answer
    (part,) = answer["accounts"]
    assert set(part) == {"account", "entry_id", "playback"}
    return part["playback"]


async def test_a_movie(account: MockConfigEntry, service: Firstlight, act: Act) -> None:
    movie = service.catalogue.movies[0]
    item = service.pause(movie=500_000, position=600.4)
    service.requests.clear()
    found = await looked_up(act, item, account=account.entry_id)
    assert [r.path for r in service.requests] == [
        f"/user/bookmark/lookup/{item}",
        f"/content/title/{item}",
    ]
    assert set(found) == {
        "item", "label", "link", "picture", "runtime", "playback", "state", "position",
        "duration", "progress", "updated_at",
    }  # fmt: skip
    assert found["label"] == movie.title
    assert found["item"]["type"] == "movie"
    assert found["item"]["ids"] == {"firstlight": item}
    assert found["picture"].startswith("/api/up_next/pictures/")
    assert (found["playback"], found["state"]) == (item, "paused")
    assert (found["position"], found["duration"]) == (600, movie.runtime)
    assert found["progress"] == round(600.4 / movie.runtime * 100, 1)
    at = datetime.fromisoformat(found["updated_at"])
    assert service.clock.now() - at < timedelta(minutes=1)


async def test_a_show(account: MockConfigEntry, service: Firstlight, act: Act) -> None:
    """Of a show, it is the episode that was watched last; the account may be left out when only one can."""
    show = service.catalogue.shows[0]
    item = service.pause(show=1000, season=1, number=2)
    found = await looked_up(act, item)
    assert found["item"]["type"] == "episode"
    assert found["item"]["title"] == show.title
    assert (found["item"]["season"], found["item"]["episode"]) == (1, 2)
    assert found["episode_title"]
    assert found["progress"] == pytest.approx(50, abs=0.1)


async def test_what_is_not_known_is_null(
    account: MockConfigEntry, service: Firstlight, act: Act
) -> None:
    item = service.pause(movie=500_000, position=600)
    service.has_content = False
    found = await looked_up(act, item)
    assert (found["label"], found["position"]) == (item, 600)
    assert [found[key] for key in ("duration", "progress", "picture", "link")] == [
        None
    ] * 4


async def test_what_was_not_stopped(
    account: MockConfigEntry, service: Firstlight, act: Act
) -> None:
    """No records: the service reports a failure, which is none."""
    service.forget(movie=500_000)
    item = service.item_id(service.catalogue.movies[0])
    for status in (200, 400, 500):
        service.error_status = status
        assert await looked_up(act, item) is None


async def test_numbers_and_blanks_around(
    account: MockConfigEntry, service: Firstlight, act: Act
) -> None:
    """Templates turn an id such as "123" into a number, and people copy blanks."""
    service.requests.clear()
    for given in (123, " 123 "):
        assert await looked_up(act, given) is None
    assert {r.path for r in service.requests} == {"/user/bookmark/lookup/123"}


@pytest.mark.parametrize("given", [None, "", " ", True, ["a"]])
async def test_no_id(account: MockConfigEntry, act: Act, given: object) -> None:
    with pytest.raises(vol.Invalid):
        await act("get_playback", item_id=given)
    with pytest.raises(vol.Invalid):
        await act("get_playback")


@pytest.mark.parametrize("given", ["..", "a b"])
async def test_what_can_be_no_id(
    account: MockConfigEntry, refusal: Refusal, given: str
) -> None:
    assert await refusal("get_playback", item_id=given) == (
        f"HomeAssistantError: {account.title} does not know it"
    )


async def test_errors(
    account: MockConfigEntry, service: Firstlight, refusal: Refusal
) -> None:
    item = service.pause(movie=500_000)
    down(service, "lookup", kind="html", status=200)
    assert await refusal("get_playback", item_id=item) == (
        f"HomeAssistantError: Something answered for {account.title} that can't be"
        " understood. Try again later"
    )
    service.faults.clear()
    service.failing = "90"
    assert "has a problem of its own" in await refusal("get_playback", item_id=item)
    service.failing = None
    service.revoke_tokens()
    assert "has to be signed in again" in await refusal("get_playback", item_id=item)


async def test_who_can(
    *,
    hass: HomeAssistant,
    account: MockConfigEntry,
    service: Firstlight,
    serve: Serve,
    add_account: AddAccount,
    act: Act,
    refusal: Refusal,
) -> None:
    """Another account does not stand in the way, and is refused when it is named."""
    trakt_service = await serve(Trakt)
    trakt_service.pacing = False
    trakt = await add_account(trakt_service)
    item = service.pause(movie=500_000)
    assert await looked_up(act, item)
    both = [account.entry_id, trakt.entry_id]
    assert await refusal("get_playback", item_id=item, account=both) == (
        f"ServiceValidationError: The action get_playback is not possible with {trakt.title}:"
        " the service or the account's plan does not allow it"
    )
    await hass.config_entries.async_remove(account.entry_id)
    assert "No account can do get_playback" in await refusal(
        "get_playback", item_id=item
    )
