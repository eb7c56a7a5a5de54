"""Repair issues, and the flow that pages through failed writes, as the frontend drives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.up_next import repairs
from custom_components.up_next.account import Capability
from custom_components.up_next.const import DOMAIN
from custom_components.up_next.issues import (
    forget_issues,
    update_access_issue,
    update_failed_writes_issue,
)
from custom_components.up_next.media import Episode, Ids, Movie, Season, Show
from custom_components.up_next.outbox import OutboxEntry
from custom_components.up_next.trackers.errors import AccessDenied, RateLimited
from custom_components.up_next.writes import (
    ClearProgress,
    MarkWatched,
    Rate,
    SetHidden,
    SetWatchlisted,
    Write,
)
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
from simulators.service import Fault
from simulators.trakt import Trakt

from .accounts import House, coordinator_of, until
from .conftest import AddAccount, Serve

UNKNOWN_MOVIE = Movie(title="Velvet Harbor", ids=Ids.of(trakt=999_999), year=2001)


class Desk:
    """A person with failed writes of one account, and the frontend to decide about them."""

    def __init__(
        self, house: House, service: Trakt, entry: MockConfigEntry, client: Any
    ) -> None:
        self.house = house
        self.service = service
        self.entry = entry
        self.client = client
        self.flow: dict[str, Any] = {}

    @property
    def failed(self) -> Sequence[OutboxEntry]:
        """Return the failed writes."""
        return coordinator_of(self.entry).outbox.failed

    @property
    def issue(self) -> ir.IssueEntry | None:
        """Return the account's issue."""
        return ir.async_get(self.house.hass).async_get_issue(
            DOMAIN, f"failed_writes_{self.entry.entry_id}"
        )

    async def fail(self, writes: Sequence[Write]) -> None:
        """Let writes fail when nobody waits for them any more."""
        before = len(self.failed)
        for write in writes:
            await coordinator_of(self.entry).async_write([write], 0)
        await until(lambda: len(self.failed) == before + len(writes))

    async def open(self) -> dict[str, Any]:
        """Open the issue."""
        answer = await self.client.post(
            "/api/repairs/issues/fix",
            json={
                "handler": DOMAIN,
                "issue_id": f"failed_writes_{self.entry.entry_id}",
            },
        )
        assert answer.status == HTTPStatus.OK, await answer.text()
        self.flow = await answer.json()
        return self.flow

    async def send(self, **data: str) -> dict[str, Any]:
        """Answer what is on screen."""
        flow_id = self.flow["flow_id"]
        answer = await self.client.post(f"/api/repairs/issues/fix/{flow_id}", json=data)
        assert answer.status == HTTPStatus.OK, await answer.text()
        self.flow = await answer.json()
        return self.flow

    async def pick(self, option: str) -> dict[str, Any]:
        """Choose from the menu."""
        return await self.send(next_step_id=option)


@pytest.fixture
async def desk(
    house: House,
    serve: Serve,
    add_account: AddAccount,
    hass_client: ClientSessionGenerator,
) -> Desk:
    """Return a person in front of a Home Assistant with one account."""
    assert await async_setup_component(house.hass, "repairs", {})
    service = await serve(Trakt)
    service.pacing = False
    entry = await add_account(service)
    return Desk(house, service, entry, await hass_client())


def movie(number: int) -> MarkWatched:
    """Return a write for a movie that the service does not know."""
    item = Movie(title=f"Nowhere {number}", ids=Ids.of(trakt=900_000 + number))
    return MarkWatched(item=item, watched_at="unknown")


# issues -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "key"),
    [
        (AccessDenied("x"), "app_rejected"),
        (AccessDenied("x", key="blocked"), "blocked"),
        (AccessDenied("x", key="account_locked"), "account_locked"),
        (AccessDenied("x", key="plan_required"), "plan_required"),
        (AccessDenied("x", key="api_disabled"), "api_disabled"),
        (AccessDenied("x", key="user_not_found"), "user_not_found"),
        (AccessDenied("x", key="something_new"), "app_rejected"),
        (RateLimited(5), "app_rejected"),
    ],
)
async def test_refused_access(desk: Desk, error: AccessDenied, key: str) -> None:
    hass, entry = desk.house.hass, desk.entry
    update_access_issue(hass, entry, error)
    registry = ir.async_get(hass)
    issue = registry.async_get_issue(DOMAIN, f"access_denied_{entry.entry_id}")
    assert issue is not None
    assert issue.translation_key == key
    assert issue.severity is ir.IssueSeverity.ERROR
    assert not issue.is_fixable
    assert issue.translation_placeholders is not None
    assert issue.translation_placeholders["account"] == entry.title
    assert issue.learn_more_url is not None
    assert issue.learn_more_url.endswith("/docs/trackers/trakt.md")
    update_access_issue(hass, entry, None)
    assert not registry.async_get_issue(DOMAIN, f"access_denied_{entry.entry_id}")


async def test_one_issue_per_account_and_kind(desk: Desk) -> None:
    hass, entry = desk.house.hass, desk.entry
    for count in (1, 3):
        update_failed_writes_issue(hass, entry, count)
        assert desk.issue is not None
        assert desk.issue.translation_placeholders == {
            "account": entry.title,
            "count": str(count),
        }
        assert desk.issue.is_fixable
    update_access_issue(hass, entry, AccessDenied("x"))
    forget_issues(hass, entry)
    assert not [key for key in ir.async_get(hass).issues if key[0] == DOMAIN]


# the flow -----------------------------------------------------------------------------------------------------


async def test_what_when_and_why(desk: Desk) -> None:
    asked_at = desk.house.clock.now()
    await desk.fail([MarkWatched(item=UNKNOWN_MOVIE, watched_at="unknown")])
    step = await desk.open()
    assert step["type"] == "menu"
    assert step["step_id"] == "write"
    told = step["description_placeholders"]
    assert told["change"] == "Mark as watched"
    assert told["title"] == "Velvet Harbor (2001)"
    assert told["count"] == "1"
    assert told["account"] == desk.entry.title
    assert told["reason"] == f"{desk.entry.title} does not know it."
    local = {repairs._local(asked_at), repairs._local(asked_at + timedelta(minutes=1))}
    assert told["created_at"] in local
    assert step["menu_options"] == ["choose", "retry", "drop", "later"]


async def test_trying_again_what_works_now(desk: Desk) -> None:
    episode = coordinator_of(desk.entry).data.overview.next_episode
    assert episode
    plays = desk.service.state()["plays"]
    desk.service.faults.append(
        Fault(kind="status", match="POST /sync/history", status=422)
    )
    await desk.fail([MarkWatched(item=episode, watched_at=desk.house.clock.now())])
    step = await desk.open()
    assert "choose" not in step["menu_options"]
    step = await desk.pick("retry")
    assert step["type"] == "create_entry"
    assert desk.issue is None
    assert desk.service.state()["plays"] == plays + 1


async def test_trying_again_what_fails_again(desk: Desk) -> None:
    await desk.fail([movie(1)])
    first = desk.failed[0].id
    await desk.open()
    step = await desk.pick("retry")
    assert step["step_id"] == "write"
    assert desk.failed[0].id != first
    assert desk.issue is not None
    step = await desk.pick("drop")
    assert step["type"] == "create_entry"
    assert not desk.failed
    assert desk.issue is None


async def test_not_waiting_for_ever(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repairs, "RECEIPT_TIMEOUT", 0.1)
    await desk.fail([movie(1)])
    desk.service.faults.append(Fault(kind="reset", match="POST /sync", times=100))
    await desk.open()
    step = await desk.pick("retry")
    assert step["type"] == "create_entry"
    assert len(coordinator_of(desk.entry).outbox.pending) == 1


async def test_choosing_another_title(desk: Desk) -> None:
    meant = desk.service.catalogue.movies[-1]
    plays = desk.service.state()["plays"]
    await desk.fail([MarkWatched(item=UNKNOWN_MOVIE, watched_at="unknown")])
    await desk.open()
    step = await desk.pick("choose")
    assert step["type"] == "form"
    assert step["step_id"] == "choose"
    assert step["data_schema"][0]["default"] == UNKNOWN_MOVIE.label

    step = await desk.send(text="no such thing at all")
    assert step["errors"] == {"base": "nothing_found"}
    desk.service.faults.append(
        Fault(kind="status", match="/search", status=503, times=9)
    )
    step = await desk.send(text=meant.title)
    assert step["errors"] == {"base": "search_failed"}
    desk.service.faults.clear()

    step = await desk.send(text=meant.title)
    assert step["step_id"] == "pick"
    options = step["data_schema"][0]["selector"]["select"]["options"]
    (right,) = [o for o in options if o["label"] == f"{meant.title} ({meant.year})"]
    step = await desk.send(choice=right["value"])
    assert step["type"] == "create_entry"
    assert desk.service.state()["plays"] == plays + 1
    assert desk.issue is None


async def test_choosing_the_show_of_an_episode(desk: Desk) -> None:
    show = desk.service.catalogue.shows[-1]
    wrong = Show(title=show.title, ids=Ids.of(trakt=888_888))
    episode = Episode(show=wrong, season=1, number=1, ids=Ids.of(trakt=777_777))
    plays = desk.service.state()["plays"]
    await desk.fail([MarkWatched(item=episode, watched_at="unknown")])
    await desk.open()
    await desk.pick("choose")
    step = await desk.send(text=show.title)
    options = step["data_schema"][0]["selector"]["select"]["options"]
    value = next(o["value"] for o in options if o["label"].startswith(show.title))
    step = await desk.send(choice=value)
    assert step["type"] == "create_entry"
    assert desk.service.state()["plays"] == plays + 1


async def test_paging(desk: Desk) -> None:
    await desk.fail([movie(n) for n in range(3)])
    step = await desk.open()
    assert step["description_placeholders"]["count"] == "3"
    assert step["menu_options"][-2:] == ["retry_all", "drop_all"]
    step = await desk.pick("later")
    assert step["description_placeholders"]["title"] == "Nowhere 1"
    assert step["description_placeholders"]["count"] == "2"
    step = await desk.pick("drop")
    assert step["description_placeholders"]["title"] == "Nowhere 2"
    step = await desk.pick("drop")
    assert step["type"] == "abort"
    assert step["reason"] == "left_for_later"
    assert [e.write for e in desk.failed] == [movie(0)]
    assert desk.issue is not None


async def test_all_at_once(desk: Desk) -> None:
    await desk.fail([movie(n) for n in range(4)])
    await desk.open()
    await desk.pick("later")
    # they fail again, and are shown again; the one left for later is not touched
    step = await desk.pick("retry_all")
    assert step["step_id"] == "write"
    assert len(desk.failed) == 4
    step = await desk.pick("drop_all")
    assert step["reason"] == "left_for_later"
    assert [e.write for e in desk.failed] == [movie(0)]


@pytest.mark.parametrize(
    "option", ["retry", "choose", "drop", "later", "retry_all", "drop_all"]
)
async def test_an_account_that_vanishes(desk: Desk, option: str) -> None:
    await desk.fail([movie(1), movie(2)])
    await desk.open()
    await desk.house.hass.config_entries.async_unload(desk.entry.entry_id)
    step = await desk.pick(option)
    assert step["type"] == "abort"
    assert step["reason"] == "not_loaded"
    await desk.house.hass.config_entries.async_remove(desk.entry.entry_id)


@pytest.mark.parametrize("option", ["retry", "choose", "drop"])
async def test_a_write_that_was_settled_elsewhere(desk: Desk, option: str) -> None:
    await desk.fail([movie(1)])
    await desk.open()
    await coordinator_of(desk.entry).outbox.drop(desk.failed[0].id)
    step = await desk.pick(option)
    assert step["type"] == "create_entry"


async def test_a_write_that_was_settled_while_choosing(desk: Desk) -> None:
    meant = desk.service.catalogue.movies[-1]
    await desk.fail([movie(1)])
    await desk.open()
    await desk.pick("choose")
    await desk.send(text=meant.title)
    await coordinator_of(desk.entry).outbox.drop(desk.failed[0].id)
    step = await desk.send(choice="0")
    assert step["type"] == "create_entry"


async def test_without_a_search_there_is_no_choice(desk: Desk) -> None:
    await desk.fail([movie(1)])
    coordinator = coordinator_of(desk.entry)
    library = coordinator.data.library
    account = replace(library.account, can=library.account.can & ~Capability.SEARCH)
    coordinator.data = replace(
        coordinator.data, library=replace(library, account=account)
    )
    step = await desk.open()
    assert step["menu_options"] == ["retry", "drop", "later"]


# texts --------------------------------------------------------------------------------------------------------


def test_what_a_change_is_called() -> None:
    item = UNKNOWN_MOVIE
    show = Show(title="Silo")
    keys = {
        repairs._change(write)
        for write in (
            SetWatchlisted(item=item, listed=True),
            SetWatchlisted(item=item, listed=False),
            Rate(item=item, rating=3),
            Rate(item=item, rating=None),
            SetHidden(show=show, hidden=True),
            SetHidden(show=show, hidden=False),
            ClearProgress(item=item),
        )
    }
    assert keys == {
        "set_watchlisted", "unlist", "rate", "unrate", "set_hidden", "unhide",
        "clear_progress",
    }  # fmt: skip


def test_what_a_write_is_about_after_a_choice() -> None:
    old, new = Show(title="Old"), Show(title="New", ids=Ids.of(trakt=1), year=2020)
    season = Season(show=old, number=2, ids=Ids.of(trakt=5))
    assert repairs._about(MarkWatched(item=season, watched_at="unknown"), new) == (
        MarkWatched(item=Season(show=new, number=2), watched_at="unknown")
    )
    assert repairs._about(SetHidden(show=old, hidden=True), new) == SetHidden(
        show=new, hidden=True
    )
    assert repairs._about(Rate(item=old, rating=3), new) == Rate(item=new, rating=3)
    assert repairs._described_title(new) == "New (2020)"
    assert repairs._described_title(old) == "Old"
