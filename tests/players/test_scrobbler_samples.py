"""Real players' states as they were recorded, through the state machine: what was watched is told, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import async_mock_service

from custom_components.up_next.coordinator import AccountCoordinator
from custom_components.up_next.media import Playable
from custom_components.up_next.players import scrobbler as scrobbler_module
from custom_components.up_next.players.view import PlayerPhase, PlayerView
from custom_components.up_next.trackers.tracker import QueuedWrite
from custom_components.up_next.writes import Outcome, Receipt, Scrobble, ScrobbleAction
from homeassistant.core import HomeAssistant
from simulators.trakt import Trakt

from ..accounts import House, coordinator_of
from ..conftest import AddAccount, Serve
from ..home import Player, mapping, scrobble
from ..scrobbling.test_samples import SAMPLES, catalogue, is_truth, name
from ..travel import Travel

AFTERWARDS = 400.0
BEHIND = 10.0
"""Seconds by which a position may be off: some recordings end a moment before the player did."""


@pytest.fixture(autouse=True)
def no_refreshing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what has nothing to do with it."""
    monkeypatch.setattr(AccountCoordinator, "_schedule_refresh", lambda self: None)


def moved(attributes: dict[str, Any], by: timedelta) -> dict[str, Any]:
    """Return attributes as if they were reported now."""
    at = attributes.get("media_position_updated_at")
    if at is None:
        return attributes
    stamp = datetime.fromisoformat(at) + by
    return {**attributes, "media_position_updated_at": stamp}


@dataclass
class Seen:
    """What was told of a sample, and where each title was when it was seen last (seconds)."""

    told: list[Scrobble] = field(default_factory=list)
    positions: dict[str, float] = field(default_factory=dict)
    waiting: int = 0


async def play(
    hass: HomeAssistant, travel: Travel, player: Player, sample: dict[str, Any]
) -> AsyncIterator[None]:
    """Let a player report what was recorded, when it was; yield before each report."""
    began = travel.now
    first = sample["states"][0]
    at = datetime.fromisoformat(first["last_updated"])
    by = travel.clock.now() - at + timedelta(seconds=first["t_seconds"])
    for row in sample["states"]:
        await travel.wait(began + max(0.0, row["t_seconds"]) - travel.now)
        yield
        player.report(row["state"], **moved(row["attributes"], by))
        await travel.settle()
    await travel.wait(AFTERWARDS)


def note(seen: Seen, view: PlayerView, now: datetime) -> None:
    """Note where the title is that plays now."""
    if view.item is None or view.position is None or view.updated_at is None:
        return
    position = view.position
    if view.phase in (PlayerPhase.PLAYING, PlayerPhase.WATCHED):
        position += (now - view.updated_at).total_seconds()
    seen.positions[view.item.title or ""] = position


type Watch = Callable[[dict[str, Any]], Awaitable[Seen]]


@pytest.fixture
def watch(
    hass: HomeAssistant,
    house: House,
    serve: Serve,
    add_account: AddAccount,
    monkeypatch: pytest.MonkeyPatch,
) -> Watch:
    """Return a function that lets a sample happen and returns what came of it."""

    async def watch(sample: dict[str, Any]) -> Seen:
        account = await add_account(await serve(Trakt, shows=1, movies=1, watched=1))
        seen = Seen()

        async def send(writes: Sequence[QueuedWrite]) -> list[Receipt]:
            for queued in writes:
                assert isinstance(queued.write, Scrobble)
                seen.told.append(queued.write)
            return [Receipt(outcome=Outcome.DONE) for _ in writes]

        coordinator_of(account).tracker.send = send  # type: ignore[method-assign]
        known = catalogue()
        monkeypatch.setattr(scrobbler_module, "Catalogue", lambda **_: known)
        async_mock_service(hass, "homeassistant", "update_entity")
        travel = Travel(hass, house.clock, monkeypatch)
        player = Player(hass, house.clock, "player", sample["integration"])
        entry = await scrobble(hass, mapping(player, account))
        (subentry,) = entry.subentries
        async for _ in play(hass, travel, player, sample):
            note(seen, entry.runtime_data.view(subentry), house.clock.now())
        seen.waiting = len(entry.runtime_data.matches.plays)
        return seen

    return watch


def key(sample: dict[str, Any]) -> tuple[str, str]:
    return sample["integration"], sample["scenario"]


def truth_of(item: Playable, sample: dict[str, Any]) -> dict[str, Any]:
    """Return what a sample says of an item that was told."""
    found = [one for one in sample["truth"]["items"] if is_truth(item, one)]
    assert found, f"{item.label} was not played"
    return found[0]


STREMIO = ("stremio", "hacs_stremio_series")
"""It never says when its position was true, and "plays" whatever was played lately."""
LONG = {
    ("plex", "episode_autoplay_next_same_session"): 1,
    ("plex", "episode_autoplay_next_new_session"): 2,
    ("plex", "episode_then_movie_same_session"): 1,
    ("jellyfin", "movie_poll10"): 1,
    # the second one is only known to the server
    ("jellyfin", "double_episode"): 1,
    ("apple_tv", "itunes_episode_full_metadata"): 1,
    STREMIO: 1,
}
"""Recordings in which so much was really played, on players that are believed: how many items count as watched.

The others jump to the end within seconds, which is no watching.
"""
ASKED = {
    ("apple_tv", "plex_app_episode"),
    ("cast", "default_receiver_movie"),
    ("dlna_dmr", "kodi_renderer_episode"),
}
"""Watched to the end on players whose titles are no proof: a person is asked."""
MISLED = {("kodi", "ep_end"), ("kodi", "movie"), ("kodi", "update_entity")}
"""Recorded without asking after the last seek: Kodi's state then says the position from before it."""


@pytest.mark.parametrize("sample", SAMPLES, ids=name)
async def test_sample(watch: Watch, sample: dict[str, Any]) -> None:
    """What was watched is told, and nothing else; every title was seen where it was."""
    seen = await watch(sample)
    for write in seen.told:
        truth = truth_of(write.item, sample)
        assert not truth.get("ignore")
        assert truth.get("resolvable") is not False
        if write.action is ScrobbleAction.WATCHED and key(sample) != STREMIO:
            assert truth["watched"]
    watched = [w for w in seen.told if w.action is ScrobbleAction.WATCHED]
    assert len(watched) == LONG.get(key(sample), 0)
    assert seen.waiting == (key(sample) in ASKED)
    if key(sample) not in MISLED:
        for truth in sample["truth"]["items"]:
            if truth.get("final_position") and truth["title"] in seen.positions:
                apart = abs(seen.positions[truth["title"]] - truth["final_position"])
                assert round(apart, 3) <= BEHIND, truth["title"]
    if sample["scenario"].startswith("polled_"):
        assert max(seen.positions.values()) > 2800
