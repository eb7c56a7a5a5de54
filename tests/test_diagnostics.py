"""Diagnostics tell enough for a bug report, and nothing about the person."""

from __future__ import annotations

from dataclasses import replace
import json

import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.up_next.account import Quota
from custom_components.up_next.diagnostics import async_get_config_entry_diagnostics
from custom_components.up_next.media import Ids, Movie
from custom_components.up_next.storage import TokensOnDisk
from custom_components.up_next.trackers.tracker import Option
from custom_components.up_next.writes import MarkWatched
from homeassistant.setup import async_setup_component
from simulators.firstlight import Firstlight
from simulators.letterboxd import Letterboxd
from simulators.service import Fault, Service
from simulators.tautulli import Tautulli
from simulators.tautulli.items import episode_key
from simulators.trakt import Trakt
from simulators.trakt_v1 import TraktV1

from .accounts import House, coordinator_of, typed_login, until
from .conftest import CREDENTIALS, AddAccount, Serve


async def test_diagnostics(
    house: House,
    serve: Serve,
    add_account: AddAccount,
    hass_client: ClientSessionGenerator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service = await serve(Trakt)
    service.play(movie=500_000)
    entry = await add_account(service)
    coordinator = coordinator_of(entry)
    kind = type(coordinator.tracker)
    fixed = Option(name="lists", choices=("movies", "shows"), multiple=True)
    free = Option(name="folder")
    monkeypatch.setattr(kind, "options", (fixed, free))
    monkeypatch.setattr(kind, "quota", property(lambda _: Quota(remaining=5, limit=10)))
    house.hass.config_entries.async_update_entry(
        entry, options={"lists": ["shows"], "folder": "private-folder"}
    )
    nowhere = Movie(title="Nowhere", ids=Ids.of(trakt=999_999))
    write = MarkWatched(item=nowhere, watched_at="unknown")
    await coordinator.async_write([write], 0)
    await until(lambda: coordinator.outbox.failed)
    service.faults.append(Fault(kind="reset", times=1000))
    await coordinator.async_write([write], 0)
    await coordinator.async_refresh()

    assert await async_setup_component(house.hass, "diagnostics", {})
    client = await hass_client()
    answer = await client.get(f"/api/diagnostics/config_entry/{entry.entry_id}")
    assert answer.status == 200
    told = (await answer.json())["data"]
    assert told["tracker"] == "trakt"
    assert told["own_base_url"] is True
    assert told["options"] == {"lists": ["shows"], "folder": True}
    assert "UNWATCHED" in told["account"]["can"]
    assert told["account"]["quota"] == {
        "remaining": 5,
        "limit": 10,
        "resets_at": None,
    }
    library = coordinator.data.library
    assert told["library"]["shows"] == len(library.shows)
    assert told["library"]["watching"] == "playing"
    assert told["library"]["markers"] == sorted(library.markers)
    assert sum(told["library"]["shows_by_status"].values()) == len(library.shows)
    assert told["overview"]["unwatched"] == coordinator.data.overview.unwatched
    assert told["refreshing"]["works"] is False
    assert told["refreshing"]["last_error"] == "unavailable"
    assert told["refreshing"]["last_error_kind"] == "Unavailable"
    assert told["refreshing"]["available"] is True
    assert told["refreshing"]["live"] is False
    assert told["outbox"]["pending_count"] == told["outbox"]["failed_count"] == 1
    assert told["outbox"]["failed"][0]["kind"] == "mark_watched"
    assert told["outbox"]["failed"][0]["reason"] == "not_found"

    tokens = await TokensOnDisk(house.hass, str(entry.unique_id)).load()
    assert tokens
    assert tokens.refresh
    told_all = json.dumps(told)
    secrets = [
        *CREDENTIALS.values(),
        tokens.access,
        tokens.refresh,
        entry.title,
        entry.entry_id,
        entry.data["account_id"],
        service.base_url,
        "127.0.0.1",
        "Nowhere",
        "private-folder",
        service.catalogue.shows[0].title,
        service.catalogue.movies[0].title,
    ]
    assert not [secret for secret in secrets if secret in told_all]


@pytest.mark.parametrize("service_class", [Tautulli, Letterboxd, TraktV1, Firstlight])
async def test_nothing_of_what_was_typed(
    house: House,
    serve: Serve,
    add_account: AddAccount,
    service_class: type[Service],
) -> None:
    service = await serve(service_class, movies=40)
    known: set[object] = set()
    if isinstance(service, Tautulli):
        service.start(episode_key(1000, 1, 2))
    if isinstance(service, Firstlight):
        service.has_content = False  # titles that are not told are noted by their ids
        known = set(service.bookmarks)
    entry = await add_account(service)
    library = coordinator_of(entry).data.library
    told = json.dumps(await async_get_config_entry_diagnostics(house.hass, entry))
    assert json.loads(told)["tracker"] == service.name
    assert all(name in told for name in ("markers", "playbacks", "totals"))
    login = {value for name, value in typed_login(service).items() if name != "user"}
    hidden = {
        *login,
        *entry.data["credentials"].values(),
        entry.data["account_id"],
        entry.title,
        library.account.name,
        service.base_url,
        "127.0.0.1",
        *(title.title for title in service.catalogue.shows),
        *(title.title for title in service.catalogue.movies),
        *known,
    }
    assert login
    assert not [text for text in hidden if str(text) in told]


async def test_when_all_is_well(
    house: House, serve: Serve, add_account: AddAccount
) -> None:
    entry = await add_account(await serve(Trakt))
    coordinator = coordinator_of(entry)
    told = await async_get_config_entry_diagnostics(house.hass, entry)
    assert told["refreshing"] == {
        "refreshed_at": coordinator.refreshed_at.isoformat(),  # type: ignore[union-attr]
        "interval": coordinator.update_interval.total_seconds(),  # type: ignore[union-attr]
        "works": True,
        "sign_in_required": False,
        "available": True,
        "live": True,
        "last_error": None,
        "last_error_kind": None,
    }
    assert told["outbox"]["pending"] == []  # type: ignore[index]

    # an error that is no tracker's is told by its kind
    coordinator.last_exception = ZeroDivisionError("secret")
    coordinator.update_interval = None
    coordinator.data = replace(
        coordinator.data, overview=replace(coordinator.data.overview, changes_at=None)
    )
    told = await async_get_config_entry_diagnostics(house.hass, entry)
    assert told["refreshing"]["last_error"] == "ZeroDivisionError"  # type: ignore[index]
    assert "secret" not in json.dumps(told)
