"""What players do, from their states to what accounts are told: scrobbling/data/sequences.json says how it is written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
import json
from pathlib import Path
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.up_next.coordinator import AccountCoordinator
from custom_components.up_next.media import Episode, Ids, Movie, Playable, Show
from custom_components.up_next.players import scrobbler as scrobbler_module
from custom_components.up_next.scrobbling.identify import (
    Certainty,
    Identification,
    Method,
)
from custom_components.up_next.scrobbling.observation import Media
from custom_components.up_next.trackers.tracker import QueuedWrite
from custom_components.up_next.writes import Outcome, Receipt, Scrobble, ScrobbleAction
from homeassistant.core import HomeAssistant
from simulators.trakt import Trakt

from ..accounts import coordinator_of
from ..conftest import AddAccount, Serve
from ..home import Player, mapping, scrobble
from ..travel import Travel

CASES = json.loads(
    (Path(__file__).parents[1] / "scrobbling" / "data" / "sequences.json").read_text()
)
TOLERANCE = 1.6
AFTERWARDS = 400.0
"""Seconds after which everything that was held is over."""
PLATFORMS = {10: "plex", 5: "cast", None: "plex"}
"""The integration of a player, by the rank that the cases give it."""
ACTIONS = {
    "start": ScrobbleAction.START,
    "pause": ScrobbleAction.PAUSE,
    "stop": ScrobbleAction.STOP,
    "scrobble": ScrobbleAction.WATCHED,
}


@pytest.fixture(autouse=True)
def no_refreshing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what has nothing to do with it: accounts that are asked for news for hours."""
    monkeypatch.setattr(AccountCoordinator, "_schedule_refresh", lambda self: None)


def reported(name: str) -> dict[str, Any]:
    """Return what a player says of an item."""
    data = CASES["items"][name]
    attributes = dict(data["ha"])
    attributes.pop("note", None)
    if data.get("ids"):
        # what players with a library say: the key of the item, here that of the case
        attributes["media_content_id"] = sum(map(ord, name))
    return attributes


def item_of(name: str) -> Playable:
    """Return what an item of the cases is."""
    data = CASES["items"][name]
    ids = Ids.of(test=data["key"])
    if data["type"] == "episode":
        show = Show(title=data["key"])
        return Episode(show=show, season=1, number=1, title=data["key"], ids=ids)
    return Movie(title=data["key"], ids=ids)


async def identify(media: Media, duration: float | None, *_: object) -> Identification:
    """Know every item of the cases by what players say of it."""
    for name, data in CASES["items"].items():
        said = data["ha"]
        about = (said.get("media_season"), said.get("media_episode"))
        if not data.get("ids") or about != (media.season, media.episode):
            continue
        if media.series:
            same = said.get("media_series_title") == media.series
        else:
            same = said.get("media_title", "").startswith(media.title)
        if same and name != "AB":
            return Identification(
                media=media,
                duration=duration,
                items=(item_of(name),),
                certainty=Certainty.SURE,
                method=Method.IDS,
                runtime=data.get("runtime"),
                unasked=True,
            )
    return Identification(media=media, duration=duration)


@dataclass
class Service:
    """An account, and what all of them were told."""

    entry: MockConfigEntry
    told: list[Scrobble]

    async def send(self, writes: Sequence[QueuedWrite]) -> list[Receipt]:
        for queued in writes:
            assert isinstance(queued.write, Scrobble)
            self.told.append(queued.write)
        return [Receipt(outcome=Outcome.DONE) for _ in writes]


type Accounts = Callable[[int], Awaitable[list[Service]]]


@pytest.fixture
def accounts(serve: Serve, add_account: AddAccount) -> Accounts:
    """Return a function that makes accounts of a tracker that is told of everything."""

    async def make(count: int) -> list[Service]:
        services: list[Service] = []
        told: list[Scrobble] = []
        for number in range(count):
            simulator = await serve(Trakt, shows=1, movies=1, watched=1)
            simulator.uuid = f"viewer-{number}"
            entry = await add_account(simulator)
            service = Service(entry, told)
            coordinator_of(entry).tracker.send = service.send  # type: ignore[method-assign]
            services.append(service)
        return services

    return make


class Evening:
    """A case as it happens."""

    def __init__(
        self, hass: HomeAssistant, travel: Travel, case: dict[str, Any]
    ) -> None:
        self.hass = hass
        self.travel = travel
        self.case = case
        self.began = travel.now
        self.jumped = 0.0
        self.start = travel.clock.now()
        events = [e for e in case["events"] if e[0] not in ("restart", "clock")]
        ranks = case["ranks"] or {}
        self.players = {
            name: Player(hass, travel.clock, name, PLATFORMS[ranks.get(name)])
            for name in dict.fromkeys(event[1] for event in events)
        }

    async def go_to(self, second: float) -> None:
        await self.travel.wait(self.began + second - self.travel.now)

    async def happen(self, entry: MockConfigEntry) -> None:
        for event in self.case["events"]:
            match event[0]:
                case "restart":
                    await self.go_to(event[1])
                    await self.restart(entry, event[2])
                case "clock":
                    await self.go_to(event[1])
                    self.travel.jump(event[2])
                    self.jumped += event[2]
                case second:
                    await self.go_to(second)
                    self.report(second, event[1], event[2], event[3:])
                    await self.travel.settle()
        await self.travel.wait(AFTERWARDS)

    async def restart(self, entry: MockConfigEntry, down: float) -> None:
        assert await self.hass.config_entries.async_unload(entry.entry_id)
        for player in self.players.values():
            self.hass.states.async_remove(player.entity_id)
        await self.travel.wait(down)
        assert await self.hass.config_entries.async_setup(entry.entry_id)
        await self.travel.settle()

    def report(
        self, second: float, player: str, state: str, rest: Sequence[Any]
    ) -> None:
        name, position, override = (*rest, None, None)[:3]
        attributes: dict[str, Any] = {}
        override = override or {}
        if name is not None:
            attributes = reported(name)
            duration = override.get("dur", CASES["items"][name]["dur"])
            if duration is not None:
                attributes["media_duration"] = duration
            if library := CASES["items"][name].get("library"):
                attributes["media_library_title"] = library
        if position is not None:
            updated = override.get("upd")
            updated = second if updated is None else updated
            attributes["media_position"] = position
            at = self.start + timedelta(seconds=updated + self.jumped)
            attributes["media_position_updated_at"] = at
        self.players[player].report(state, **attributes)


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case["id"]) for case in CASES["sequences"]]
)
async def test_sequence(
    hass: HomeAssistant,
    travel: Travel,
    accounts: Accounts,
    monkeypatch: pytest.MonkeyPatch,
    case: dict[str, Any],
) -> None:
    """What happened is stored, and sent by the outbox of everybody whose player it was."""
    monkeypatch.setattr(scrobbler_module, "identify", identify)
    users = case["users"] or {}
    people = sorted({user for user in users.values() if user}) or ["me"]
    services = await accounts(len(people))
    evening = Evening(hass, travel, case)
    mapped = []
    for name, player in evening.players.items():
        user = users.get(name, "me")
        whose = [services[people.index(user)].entry] if user else []
        mapped.append(mapping(player, *whose))
    entry = await scrobble(hass, *mapped)
    await evening.happen(entry)
    assert_told(services[0].told, case)
    for service in services:
        outbox = coordinator_of(service.entry).outbox
        assert not outbox.pending
        assert not outbox.failed


def assert_told(told: Sequence[Scrobble], case: dict[str, Any]) -> None:
    """Check what was told against what the case expects."""
    said = [(write.action, write.item.title, write.progress) for write in told]
    assert len(told) == len(case["expect"]), f"{case['why']}: {said}"
    for write, (operation, name, percent) in zip(told, case["expect"], strict=True):
        key = CASES["items"][name]["key"]
        assert (write.action, write.item.title) == (ACTIONS[operation], key), said
        if write.progress is None:
            # the cases write a start without a percentage as 0
            assert not percent, said
        else:
            assert percent is not None, said
            assert abs(write.progress - percent) <= TOLERANCE, said


def test_all_are_there() -> None:
    assert len(CASES["sequences"]) == 55
