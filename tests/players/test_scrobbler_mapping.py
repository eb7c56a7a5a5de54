"""Which player feeds whom, and on what conditions: what is changed applies at once."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
)

from custom_components.up_next.const import DOMAIN, SCROBBLING
from custom_components.up_next.players.events import EVENT_SCROBBLE
from homeassistant.config_entries import ConfigEntryDisabler, ConfigSubentry
from homeassistant.const import STATE_OFF, STATE_ON
from homeassistant.helpers import device_registry as dr, entity_registry as er
from simulators.simkl import Simkl
from simulators.trakt import Trakt

from ..home import Home, Player, mapping, next_episode, scrobble, told, unseen_movie

MINUTE = 60.0


def change(home: Home, entry: MockConfigEntry, **data: Any) -> None:
    """Change what the subentry of the only player says, as its flow does."""
    (subentry,) = entry.subentries.values()
    changed = home.hass.config_entries.async_update_subentry(
        entry, subentry, data={**subentry.data, **data}
    )
    assert changed


def feeding(*accounts: MockConfigEntry) -> Mapping[str, list[str]]:
    return {"accounts": [str(account.unique_id) for account in accounts]}


# who is meant ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("persons", "reported", "meant"),
    [
        (["anna"], {"username": "Anna"}, True),
        (["Bert", " ANNA "], {"username": " anna "}, True),
        (["Bert"], {"username": "Anna"}, False),
        (["Bert"], {}, False),
        ([], {"username": "Anna"}, True),
        ([], {}, True),
    ],
)
async def test_person(
    home: Home, persons: list[str], reported: dict[str, str], meant: bool
) -> None:
    """With a name to be met, what plays for others, or for nobody known, is left alone."""
    service, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    tv, entry = await home.feed(account, persons=persons)
    tv.play(movie, **reported)
    await home.wait(20)
    state = home.playback(entry)
    if meant:
        assert told(service) == [("start", 0)]
        assert state.state == "playing"
    else:
        assert told(service) == []
        assert state.state == "ignored"
        assert state.attributes["reason"] == "other_person"
        assert home.shows(account) == ("nothing", STATE_OFF)


async def test_person_takes_over(home: Home) -> None:
    """Somebody else goes on with the same film on the same player: the first viewing ends."""
    service, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    tv, entry = await home.feed(account, persons=["Anna"])
    tv.play(movie, username="Anna")
    await home.wait(10 * MINUTE)
    tv.play(movie, 10 * MINUTE, username="Bert")
    await home.settle()
    assert home.playback(entry).state == "ignored"
    assert home.shows(account) == ("nothing", STATE_OFF)
    await home.wait(90 * MINUTE)
    tv.stop()
    await home.wait(MINUTE)
    assert [what for what, _ in told(service)] == ["start", "stop"]
    share = round(100 * 10 * MINUTE / (movie.runtime or 1))
    assert told(service)[-1][1] == share


async def test_person_known_to_the_integration_only(home: Home) -> None:
    """Jellyfin's state does not say who watches; its sessions do."""
    service, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    server = MockConfigEntry(domain="jellyfin")
    server.add_to_hass(home.hass)
    sessions: dict[str, dict[str, Any]] = {"session": {"UserName": "Anna"}}
    server.runtime_data = SimpleNamespace(server_id="server", data=sessions)
    registered = er.async_get(home.hass).async_get_or_create(
        "media_player", "jellyfin", "server-session", config_entry=server
    )
    tv = home.player("jelly", "jellyfin")
    tv.entity_id, tv.registered = registered.entity_id, registered
    await scrobble(home.hass, mapping(tv, account, persons=["anna"]))
    tv.play(movie, media_content_id="a")
    await home.wait(20)
    assert told(service) == [("start", 0)]
    sessions["session"]["UserName"] = "Bert"
    tv.play(movie, 1000, media_content_id="a")
    await home.wait(5 * MINUTE)
    assert [what for what, _ in told(service)] == ["start", "stop"]


@pytest.mark.parametrize(
    ("entity", "met", "not_met"),
    [
        ("person.anna", "home", "not_home"),
        ("input_boolean.scrobble", "on", "off"),
        ("input_boolean.scrobble", "on", "unavailable"),
    ],
)
async def test_condition(home: Home, entity: str, met: str, not_met: str) -> None:
    service, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    home.hass.states.async_set(entity, not_met)
    tv, entry = await home.feed(account, condition=entity)
    began = house_time(home)
    tv.play(movie)
    await home.wait(20)
    assert home.playback(entry).state == "ignored"
    assert home.playback(entry).attributes["reason"] == "condition"
    assert told(service) == []
    # it counts from now on, without a word from the player
    home.hass.states.async_set(entity, met)
    await home.wait(20)
    assert home.playback(entry).state == "playing"
    assert told(service) == [("start", 0)]
    # what else changes about it is nobody's business
    before = home.playback(entry)
    home.hass.states.async_set(entity, met, {"latitude": 1.0})
    await home.settle()
    assert home.playback(entry) is before
    home.hass.states.async_set(entity, not_met)
    await home.settle()
    assert home.shows(account) == ("nothing", STATE_OFF)
    assert home.playback(entry).state == "ignored"
    await home.wait(50)
    # it may only have been for a moment
    home.hass.states.async_set(entity, met)
    await home.wait(MINUTE)
    assert home.shows(account) == (movie.label, STATE_ON)
    assert told(service) == [("start", 0)]
    home.hass.states.async_set(entity, not_met)
    await home.wait(61)
    assert [what for what, _ in told(service)] == ["start", "stop"]
    # the player has not said a word meanwhile, and played on
    await home.wait(30 * MINUTE)
    home.hass.states.async_set(entity, met)
    await home.wait(15)
    share = round(100 * (house_time(home) - began) / (movie.runtime or 1))
    assert told(service)[2:] == [("start", share)]
    assert home.playback(entry).attributes["label"] == movie.label


def house_time(home: Home) -> float:
    return home.clock.now().timestamp()


async def test_condition_that_is_gone(home: Home) -> None:
    """A condition that can't be read does not hold; renamed, it is followed."""
    service, account = await home.sign_in(Trakt)
    registry = er.async_get(home.hass)
    switch = registry.async_get_or_create(
        "switch", "demo", "1", suggested_object_id="a"
    )
    home.hass.states.async_set("switch.a", "on")
    tv, entry = await home.feed(account, condition=switch.id)
    tv.play(unseen_movie(account))
    await home.settle()
    assert home.playback(entry).state == "playing"
    registry.async_update_entity("switch.a", new_entity_id="switch.b")
    home.hass.states.async_remove("switch.a")
    await home.settle()
    assert home.playback(entry).state == "ignored"
    home.hass.states.async_set("switch.b", "on")
    await home.settle()
    assert home.playback(entry).state == "playing"
    registry.async_remove("switch.b")
    home.hass.states.async_remove("switch.b")
    await home.settle()
    assert home.playback(entry).state == "ignored"
    assert told(service) == []


async def test_observe_only(home: Home) -> None:
    """Everything is shown, nobody is told."""
    service, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    tv, entry = await home.feed(account, observe_only=True)
    events = async_capture_events(home.hass, EVENT_SCROBBLE)
    tv.play(movie)
    assert movie.runtime is not None
    await home.wait(movie.runtime - 30)
    assert home.playback(entry).state == "watched"
    assert home.playback(entry).attributes["label"] == movie.label
    tv.stop()
    await home.wait(MINUTE)
    assert [event.data["action"] for event in events] == ["started", "watched"]
    assert told(service) == []
    assert home.shows(account) == ("nothing", STATE_OFF)


async def test_unmapped_player_is_nobodys_business(home: Home) -> None:
    service, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    _, entry = await home.feed(account)
    events = async_capture_events(home.hass, EVENT_SCROBBLE)
    kids = home.player("kids", "plex")
    kids.play(movie)
    await home.wait(20 * MINUTE)
    kids.stop()
    await home.wait(MINUTE)
    assert told(service) == []
    assert not events
    assert home.playback(entry).state == "idle"


@pytest.mark.parametrize(
    ("kind", "share", "watched"),
    [
        ("movie", 0.68, False),
        ("movie", 0.72, True),
        ("episode", 0.88, False),
        ("episode", 0.92, True),
    ],
)
async def test_thresholds(home: Home, kind: str, share: float, watched: bool) -> None:
    """A movie counts from 70 % on, an episode from 90 %; the service would count from 80 %."""
    service, account = await home.sign_in(Trakt)
    item = unseen_movie(account) if kind == "movie" else next_episode(account)
    tv, _ = await home.feed(account, movie_threshold=70, episode_threshold=90)
    plays = len(service.account.plays)
    tv.play(item)
    assert item.runtime is not None
    await home.wait(item.runtime * share)
    tv.stop()
    await home.wait(2 * MINUTE)
    assert len(service.account.plays) == plays + watched


async def test_threshold_changed_while_playing(home: Home) -> None:
    service, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    tv, entry = await home.feed(account)
    plays = len(service.account.plays)
    tv.play(movie)
    assert movie.runtime is not None
    await home.wait(movie.runtime * 0.6)
    assert home.playback(entry).state == "playing"
    change(home, entry, movie_threshold=50)
    await home.settle()
    tv.stop()
    await home.wait(2 * MINUTE)
    assert len(service.account.plays) == plays + 1


# mapped otherwise while something plays -------------------------------------------------------------------------------


async def test_account_is_added(home: Home) -> None:
    """It hears of what plays already."""
    trakt, first = await home.sign_in(Trakt)
    simkl, second = await home.sign_in(Simkl)
    movie = unseen_movie(first)
    tv, entry = await home.feed(first)
    tv.play(movie)
    await home.wait(10 * MINUTE)
    assert told(simkl) == []
    change(home, entry, **feeding(first, second))
    await home.settle()
    assert home.house.value(second, "now_watching") == movie.label
    await home.wait(20)
    share = round(100 * 10 * MINUTE / (movie.runtime or 1))
    assert told(trakt) == [("start", 0)]
    assert told(simkl) == [("start", share)]


async def test_account_is_taken_away(home: Home) -> None:
    trakt, first = await home.sign_in(Trakt)
    simkl, second = await home.sign_in(Simkl)
    movie = unseen_movie(first)
    tv, entry = await home.feed(first, second)
    tv.play(movie)
    await home.wait(10 * MINUTE)
    change(home, entry, **feeding(second))
    await home.wait(20)
    assert [what for what, _ in told(trakt)] == ["start", "stop"]
    assert told(simkl) == [("start", 0)]
    assert home.house.value(first, "watching") == STATE_OFF
    assert home.house.value(second, "watching") == STATE_ON
    change(home, entry, observe_only=True)
    await home.wait(20)
    assert [what for what, _ in told(simkl)] == ["start", "stop"]
    assert home.playback(entry).state == "playing"


async def test_player_is_removed(home: Home) -> None:
    """What it plays ends, and its device goes with its entities."""
    service, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    tv, entry = await home.feed(account)
    tv.play(movie)
    await home.wait(10 * MINUTE)
    (subentry,) = entry.subentries
    registry = er.async_get(home.hass)
    ours = er.async_entries_for_config_entry(registry, entry.entry_id)
    assert {one.config_subentry_id for one in ours} == {subentry}
    assert len(ours) == 2
    home.hass.config_entries.async_remove_subentry(entry, subentry)
    await home.wait(20)
    assert [what for what, _ in told(service)] == ["start", "stop"]
    assert home.shows(account)[1] == STATE_OFF
    assert not er.async_entries_for_config_entry(registry, entry.entry_id)
    assert not dr.async_entries_for_config_entry(
        dr.async_get(home.hass), entry.entry_id
    )
    tv.play(movie, 1000)
    await home.wait(20 * MINUTE)
    assert [what for what, _ in told(service)] == ["start", "stop"]


async def test_player_is_added(home: Home) -> None:
    """Its entities come at once, and what it plays is taken up where it stands."""
    service, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    tv = home.player()
    tv.play(movie, 600)
    entry = await scrobble(home.hass)
    await home.wait(10 * MINUTE)
    data = mapping(tv, account)
    home.hass.config_entries.async_add_subentry(
        entry,
        ConfigSubentry(
            data=MappingProxyType(dict(data["data"])),
            subentry_type=data["subentry_type"],
            title=data["title"],
            unique_id=data["unique_id"],
        ),
    )
    await home.settle()
    assert home.playback(entry).state == "playing"
    assert home.playback(entry).attributes["position"] == 1200
    assert home.shows(account) == (movie.label, STATE_ON)
    await home.wait(20)
    assert told(service) == [("start", round(100 * 1215 / (movie.runtime or 1)))]


async def test_other_player_is_chosen(home: Home) -> None:
    """The mapping stays, the entity behind it changes."""
    service, account = await home.sign_in(Trakt)
    movie, episode = unseen_movie(account), next_episode(account)
    tv, entry = await home.feed(account)
    bed = home.player("bed", "plex")
    tv.play(movie)
    bed.play(episode)
    await home.wait(20)
    assert home.shows(account) == (movie.label, STATE_ON)
    change(home, entry, entity=bed.registered.id)
    await home.wait(20)
    assert home.shows(account) == (episode.label, STATE_ON)
    tv.play(movie, 3000)
    await home.wait(20)
    assert home.shows(account) == (episode.label, STATE_ON)
    assert [what for what, _ in told(service)] == ["start", "stop", "start"]


# entities that come and go --------------------------------------------------------------------------------------------


async def test_entity_is_renamed(home: Home) -> None:
    service, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    tv, entry = await home.feed(account)
    tv.play(movie)
    await home.wait(10 * MINUTE)
    er.async_get(home.hass).async_update_entity(
        tv.entity_id, new_entity_id="media_player.telly"
    )
    home.hass.states.async_remove(tv.entity_id)
    tv.entity_id = "media_player.telly"
    await home.wait(1)
    tv.play(movie, 10 * MINUTE)
    await home.wait(20)
    assert home.playback(entry).state == "playing"
    assert told(service) == [("start", 0)]
    events = async_capture_events(home.hass, EVENT_SCROBBLE)
    tv.report("off")
    await home.wait(20)
    assert [what for what, _ in told(service)] == ["start", "stop"]
    assert events[0].data["entity_id"] == "media_player.telly"


async def test_entity_is_removed_and_comes_back(home: Home) -> None:
    service, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    tv, entry = await home.feed(account)
    tv.play(movie)
    await home.wait(10 * MINUTE)
    registry = er.async_get(home.hass)
    registry.async_remove(tv.entity_id)
    home.hass.states.async_remove(tv.entity_id)
    await home.settle()
    assert home.playback(entry).state == "playing"
    await home.wait(2 * MINUTE)
    assert home.playback(entry).state == "idle"
    assert [what for what, _ in told(service)] == ["start", "stop"]
    # a deleted entity is registered under its old id when it comes back
    back = registry.async_get_or_create(
        "media_player", "plex", "tv", suggested_object_id="tv"
    )
    assert back.id == tv.registered.id
    tv.play(movie, 10 * MINUTE)
    await home.wait(20)
    assert home.playback(entry).state == "playing"
    assert [what for what, _ in told(service)] == ["start", "stop", "start"]


async def test_player_without_registry(home: Home) -> None:
    """A player from YAML has no entry in the registry: it is known by its entity id, and not believed."""
    service, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    tv = home.player()
    er.async_get(home.hass).async_remove(tv.entity_id)
    data = mapping(tv, account, entity=tv.entity_id)
    entry = await scrobble(home.hass, data)
    tv.play(movie)
    await home.wait(20)
    assert home.playback(entry).state == "needs_decision"
    assert told(service) == []


@pytest.mark.parametrize("gone", ["unavailable", "unknown", None])
async def test_player_is_gone(home: Home, gone: str | None) -> None:
    """For a moment it is only out of sight; then what it played is over where it was seen last."""
    service, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    tv, entry = await home.feed(account)

    def vanish() -> None:
        if gone is None:
            home.hass.states.async_remove(tv.entity_id)
        else:
            tv.report(gone)

    tv.play(movie)
    await home.wait(10 * MINUTE)
    vanish()
    await home.wait(30)
    tv.play(movie, 10 * MINUTE + 30)
    await home.wait(MINUTE)
    assert told(service) == [("start", 0)]
    assert home.shows(account) == (movie.label, STATE_ON)
    vanish()
    await home.wait(2 * MINUTE)
    share = round(100 * 11.5 * MINUTE / (movie.runtime or 1))
    assert told(service) == [("start", 0), ("stop", share)]
    assert home.shows(account) == ("nothing", STATE_OFF)
    assert home.playback(entry).state == "idle"


# accounts that come and go --------------------------------------------------------------------------------------------


async def watch_to_the_end(home: Home, tv: Player, account: MockConfigEntry) -> None:
    movie = unseen_movie(account)
    tv.play(movie)
    assert movie.runtime is not None
    await home.wait(movie.runtime - 30)
    tv.stop()
    await home.wait(MINUTE)


async def test_account_is_not_running(home: Home) -> None:
    """What was watched waits for it; that something began does not."""
    service, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    plays = len(service.account.plays)
    tv, _ = await home.feed(account)
    tv.play(movie)
    await home.wait(20)
    assert told(service) == [("start", 0)]
    assert await home.hass.config_entries.async_unload(account.entry_id)
    assert movie.runtime is not None
    tv.pause(movie, 20)
    await home.wait(MINUTE)
    tv.play(movie, 20)
    await home.wait(movie.runtime - 60)
    tv.stop()
    await home.wait(30 * MINUTE)
    assert told(service) == [("start", 0)]
    assert await home.hass.config_entries.async_setup(account.entry_id)
    await home.wait(MINUTE)
    # it ended too long ago to be told as the present
    assert told(service) == [("start", 0), ("history", None)]
    assert len(service.account.plays) == plays + 1


async def test_account_is_reloaded(home: Home) -> None:
    service, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    plays = len(service.account.plays)
    tv, _ = await home.feed(account)
    tv.play(movie)
    await home.wait(10 * MINUTE)
    assert await home.hass.config_entries.async_reload(account.entry_id)
    await home.settle()
    assert home.shows(account) == (movie.label, STATE_ON)
    assert movie.runtime is not None
    await home.wait(movie.runtime - 11 * MINUTE)
    tv.stop()
    await home.wait(MINUTE)
    assert told(service) == [("start", 0), ("stop", 99)]
    assert len(service.account.plays) == plays + 1
    # what its service says of that play is heard of the new one
    (counted,) = home.hass.config_entries.async_entry_for_domain_unique_id(  # type: ignore[union-attr]
        DOMAIN, SCROBBLING
    ).runtime_data.history.plays(account.unique_id)
    assert counted.play_ids == (str(max(service.account.plays)),)


async def test_account_is_removed_and_added_again(home: Home) -> None:
    service, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    tv, entry = await home.feed(account)
    tv.play(movie)
    await home.wait(10 * MINUTE)
    await home.hass.config_entries.async_remove(account.entry_id)
    began = home.travel.now
    await home.wait(10 * MINUTE)
    assert home.playback(entry).state == "playing"
    again = await home.sign_in_again(service)
    assert again.unique_id == account.unique_id
    await home.wait(20)
    assert home.shows(again) == (movie.label, STATE_ON)
    share = round(
        100 * (10 * MINUTE + 15 + home.travel.now - began - 20) / (movie.runtime or 1)
    )
    assert told(service) == [("start", share)]


async def test_account_that_can_not_be_told(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its plan may not let it: nothing is told, nothing is wrong."""
    from custom_components.up_next.account import Capability
    from custom_components.up_next.coordinator import AccountCoordinator

    service, account = await home.sign_in(Trakt)
    tv, entry = await home.feed(account)
    can = AccountCoordinator.can.fget
    assert can is not None
    monkeypatch.setattr(
        AccountCoordinator,
        "can",
        property(lambda self: can(self) & ~Capability.SCROBBLE),
    )
    await watch_to_the_end(home, tv, account)
    assert told(service) == []
    assert home.playback(entry).state == "idle"


async def test_disabled_scrobbling_shows_nothing(home: Home) -> None:
    """Without it, nobody knows what plays at Simkl."""
    _, account = await home.sign_in(Simkl)
    tv, entry = await home.feed(account)
    tv.play(next_episode(account))
    await home.settle()
    assert home.house.value(account, "watching") == STATE_ON
    await home.hass.config_entries.async_set_disabled_by(
        entry.entry_id, ConfigEntryDisabler.USER
    )
    await home.settle()
    assert home.house.find(account, "watching") is None
    assert await home.hass.config_entries.async_reload(account.entry_id)
    await home.settle()
    assert home.house.find(account, "watching") is None
    await home.hass.config_entries.async_set_disabled_by(entry.entry_id, None)
    await home.settle()
    assert home.house.value(account, "watching") == STATE_ON
