"""Setting scrobbling up: its entry, and the players in it, as a person does."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.up_next.const import DOMAIN, PLAYER, SCROBBLING
from custom_components.up_next.players.deciding import scrobbler_of
from custom_components.up_next.players.player import Player as Mapped
from homeassistant.config_entries import SOURCE_RECONFIGURE, SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
from homeassistant.helpers import entity_registry as er
from simulators.letterboxd import Letterboxd
from simulators.simkl import Simkl
from simulators.trakt import Trakt

from ..accounts import House
from ..conftest import AddAccount, Serve
from ..flows import Driver, add, again
from ..home import Player, entity_of

ABORT, END, FORM = (
    FlowResultType.ABORT,
    FlowResultType.CREATE_ENTRY,
    FlowResultType.FORM,
)


@pytest.fixture
async def account(
    house: House, serve: Serve, add_account: AddAccount
) -> MockConfigEntry:
    """Return an account that can be told of what plays."""
    return await add_account(await serve(Trakt))


@pytest.fixture
async def scrobbling(
    hass: HomeAssistant, account: MockConfigEntry, enable_custom_integrations: None
) -> Any:
    """Return the entry that holds the players, set up as a person does."""
    driver = await add(hass)
    await driver.choose(SCROBBLING)
    assert driver.at["type"] is END
    await hass.async_block_till_done()
    return driver.at["result"]


async def add_player(hass: HomeAssistant, entry: Any) -> Driver:
    """Begin to add a player."""
    manager = hass.config_entries.subentries
    driver = Driver(hass, manager, f"config_subentries.{PLAYER}")
    driver.take(
        await manager.async_init(
            (entry.entry_id, PLAYER), context={"source": SOURCE_USER}
        )
    )
    return driver


async def change_player(hass: HomeAssistant, entry: Any, number: int = 0) -> Driver:
    """Begin to change a player."""
    manager = hass.config_entries.subentries
    driver = Driver(hass, manager, f"config_subentries.{PLAYER}")
    context = {
        "source": SOURCE_RECONFIGURE,
        "subentry_id": list(entry.subentries)[number],
    }
    driver.take(
        await manager.async_init((entry.entry_id, PLAYER), context=context)  # type: ignore[arg-type]
    )
    return driver


def mapped(entry: Any, number: int = 0) -> Mapped:
    """Return a player as it is mapped."""
    return Mapped.of(list(entry.subentries.values())[number])


def values(driver: Driver, field: str) -> list[str]:
    """Return what a field offers."""
    for marker, selector in driver.at["data_schema"].schema.items():
        if marker == field:
            return [
                option["value"] if isinstance(option, dict) else option
                for option in selector.config["options"]
            ]
    raise AssertionError(field)


@pytest.fixture
def tv(hass: HomeAssistant, house: House) -> Player:
    """Return a media player."""
    player = Player(hass, house.clock, "tv", "plex")
    player.report("idle", friendly_name="Living room")
    return player


# the entry --------------------------------------------------------------------------------------------------------


async def test_there_is_one(hass: HomeAssistant, scrobbling: Any) -> None:
    assert (scrobbling.title, scrobbling.unique_id) == ("Scrobbling", SCROBBLING)
    assert scrobbler_of(hass) is not None
    driver = await add(hass)
    assert SCROBBLING not in driver.at["menu_options"]


async def test_two_windows(hass: HomeAssistant, account: MockConfigEntry) -> None:
    one, other = await add(hass), await add(hass)
    await one.choose(SCROBBLING)
    assert one.at["type"] is END
    await other.choose(SCROBBLING)
    assert (other.at["type"], other.at["reason"]) == (ABORT, "scrobbling_known")


async def test_it_has_no_credentials(hass: HomeAssistant, scrobbling: Any) -> None:
    """Home Assistant offers to reconfigure every entry."""
    result = await hass.config_entries.flow.async_init(
        DOMAIN,
        context={"source": SOURCE_RECONFIGURE, "entry_id": scrobbling.entry_id},
    )
    driver = again(hass, result)
    assert (driver.at["type"], driver.at["reason"]) == (ABORT, "scrobbling_has_players")


async def test_accounts_have_no_players(
    hass: HomeAssistant, account: MockConfigEntry, scrobbling: Any
) -> None:
    assert account.supported_subentry_types == {}
    assert list(scrobbling.supported_subentry_types) == [PLAYER]


# adding -----------------------------------------------------------------------------------------------------------


async def test_adding_a_player(
    hass: HomeAssistant, account: MockConfigEntry, scrobbling: Any, tv: Player
) -> None:
    scrobbler = scrobbler_of(hass)
    driver = await add_player(hass, scrobbling)
    assert driver.at["type"] is FORM
    # the only account is chosen already
    assert driver.shown["accounts"] == [account.unique_id]
    await driver.send(
        {
            "entity": tv.entity_id,
            "accounts": [account.unique_id],
            "persons": ["Anna"],
            "condition": "person.anna",
            "movie_threshold": 85,
            "episode_threshold": 70,
            "observe_only": False,
        }
    )
    assert driver.at["type"] is END
    await hass.async_block_till_done()
    (subentry,) = scrobbling.subentries.values()
    assert subentry.title == "Living room"
    assert subentry.unique_id == tv.registered.id
    player = mapped(scrobbling)
    assert player.entity == tv.registered.id
    assert player.accounts == (account.unique_id,)
    assert player.persons == {"anna"}
    assert player.condition == "person.anna"
    assert (player.movie_threshold, player.episode_threshold) == (85, 70)
    assert player.observe_only is False
    # at once, without a reload
    assert scrobbler_of(hass) is scrobbler
    assert entity_of(hass, scrobbling).state == "idle"


async def test_usual_values(
    hass: HomeAssistant, account: MockConfigEntry, scrobbling: Any, tv: Player
) -> None:
    driver = await add_player(hass, scrobbling)
    await driver.send({"entity": tv.entity_id, "accounts": [account.unique_id]})
    assert driver.at["type"] is END
    player = mapped(scrobbling)
    assert (player.movie_threshold, player.episode_threshold) == (80, 80)
    assert (player.condition, player.persons) == (None, frozenset())
    assert player.fed == (account.unique_id,)


async def test_a_player_that_is_not_registered(
    hass: HomeAssistant, account: MockConfigEntry, scrobbling: Any
) -> None:
    """Players from YAML without a unique id keep their entity id."""
    driver = await add_player(hass, scrobbling)
    sent = {"entity": "media_player.den", "accounts": [account.unique_id]}
    await driver.send(sent)
    assert driver.at["type"] is END
    (subentry,) = scrobbling.subentries.values()
    assert (subentry.title, subentry.unique_id) == ("media_player.den",) * 2
    driver = await change_player(hass, scrobbling)
    assert driver.shown["entity"] == "media_player.den"
    # it is the same player once it has one
    er.async_get(hass).async_get_or_create(
        "media_player", "cast", "1", suggested_object_id="den"
    )
    driver = await add_player(hass, scrobbling)
    await driver.send(sent)
    assert driver.at["errors"] == {"entity": "player_known"}


async def test_what_can_not_be_saved(
    hass: HomeAssistant, account: MockConfigEntry, scrobbling: Any, tv: Player
) -> None:
    driver = await add_player(hass, scrobbling)
    await driver.send({"entity": tv.entity_id, "accounts": []})
    assert driver.at["errors"] == {"accounts": "account_missing"}
    assert driver.shown["entity"] == tv.entity_id
    for wrong in (
        {"movie_threshold": 49},
        {"episode_threshold": 96},
        {"entity": "light.x"},
    ):
        with pytest.raises(InvalidData):
            await driver.send(
                {"entity": tv.entity_id, "accounts": [account.unique_id], **wrong}
            )
    await driver.send({"entity": tv.entity_id, "observe_only": True})
    assert driver.at["type"] is END
    assert mapped(scrobbling).fed == ()
    driver = await add_player(hass, scrobbling)
    await driver.send({"entity": tv.entity_id, "accounts": [account.unique_id]})
    assert driver.at["errors"] == {"entity": "player_known"}
    other = Player(hass, tv.clock, "den", "kodi")
    await driver.send({"entity": other.entity_id, "accounts": [account.unique_id]})
    assert driver.at["type"] is END
    assert len(scrobbling.subentries) == 2


async def test_two_windows_add_one_player(
    hass: HomeAssistant, account: MockConfigEntry, scrobbling: Any, tv: Player
) -> None:
    one, other = await add_player(hass, scrobbling), await add_player(hass, scrobbling)
    sent = {"entity": tv.entity_id, "accounts": [account.unique_id]}
    await one.send(sent)
    await other.send(sent)
    assert other.at["errors"] == {"entity": "player_known"}


async def test_which_accounts_are_offered(
    hass: HomeAssistant,
    account: MockConfigEntry,
    scrobbling: Any,
    serve: Serve,
    add_account: AddAccount,
) -> None:
    """Those that can be told; with several none is chosen beforehand."""
    simkl = await add_account(await serve(Simkl))
    await add_account(await serve(Letterboxd))
    driver = await add_player(hass, scrobbling)
    assert values(driver, "accounts") == [account.unique_id, simkl.unique_id]
    assert "accounts" not in driver.shown


async def test_persons_are_suggested(
    hass: HomeAssistant, account: MockConfigEntry, scrobbling: Any, tv: Player
) -> None:
    """Those whom players name now, and those chosen before."""
    tv.report("playing", username="Anna", app_name="Plex")
    Player(hass, tv.clock, "den", "emby").report("paused", app_name=" Bert ")
    Player(hass, tv.clock, "box", "cast").report("playing", app_name="Netflix")
    Player(hass, tv.clock, "bed", "plex").report("playing", username="anna")
    hass.states.async_set("media_player.yaml", "playing", {"username": "Nobody"})
    driver = await add_player(hass, scrobbling)
    assert values(driver, "persons") == ["Anna", "Bert"]
    await driver.send(
        {
            "entity": tv.entity_id,
            "accounts": [account.unique_id],
            "persons": ["Bert", "Carla"],
        }
    )
    assert driver.at["type"] is END
    tv.report("idle")
    driver = await change_player(hass, scrobbling)
    assert values(driver, "persons") == ["anna", "Bert", "Carla"]
    assert driver.shown["persons"] == ["Bert", "Carla"]


# changing ---------------------------------------------------------------------------------------------------------


@pytest.fixture
async def living_room(
    hass: HomeAssistant, account: MockConfigEntry, scrobbling: Any, tv: Player
) -> Any:
    """Return the entry with one player."""
    driver = await add_player(hass, scrobbling)
    await driver.send(
        {
            "entity": tv.entity_id,
            "accounts": [account.unique_id],
            "condition": "input_boolean.party",
            "observe_only": True,
        }
    )
    await hass.async_block_till_done()
    return scrobbling


async def test_changing_a_player(
    hass: HomeAssistant, account: MockConfigEntry, living_room: Any, tv: Player
) -> None:
    scrobbler = scrobbler_of(hass)
    driver = await change_player(hass, living_room)
    assert driver.at["description_placeholders"] == {"name": "Living room"}
    assert driver.shown == {
        "entity": tv.entity_id,
        "accounts": [account.unique_id],
        "condition": "input_boolean.party",
        "observe_only": True,
    }
    await driver.send({"entity": tv.entity_id, "accounts": []})
    assert driver.at["errors"] == {"accounts": "account_missing"}
    await driver.send(
        {
            "entity": tv.entity_id,
            "accounts": [account.unique_id],
            "movie_threshold": 90,
            "episode_threshold": 80,
        }
    )
    assert (driver.at["type"], driver.at["reason"]) == (ABORT, "reconfigure_successful")
    await hass.async_block_till_done()
    player = mapped(living_room)
    assert (player.condition, player.movie_threshold) == (None, 90)
    assert player.fed == (account.unique_id,)
    assert scrobbler_of(hass) is scrobbler
    assert scrobbler is not None
    (followed,) = scrobbler.players
    assert followed.movie_threshold == 90


async def test_another_media_player(
    hass: HomeAssistant, account: MockConfigEntry, living_room: Any, tv: Player
) -> None:
    """The name follows, unless it was given by hand."""
    (subentry,) = living_room.subentries.values()
    den = Player(hass, tv.clock, "den", "kodi")
    den.report("idle", friendly_name="Den")
    sent = {"accounts": [account.unique_id]}
    driver = await change_player(hass, living_room)
    await driver.send({"entity": den.entity_id, **sent})
    (changed,) = living_room.subentries.values()
    assert (changed.subentry_id, changed.title) == (subentry.subentry_id, "Den")
    assert changed.unique_id == den.registered.id
    hass.config_entries.async_update_subentry(living_room, changed, title="My den")
    driver = await change_player(hass, living_room)
    await driver.send({"entity": den.entity_id, **sent})
    (changed,) = living_room.subentries.values()
    assert changed.title == "My den"
    # the first one is free again
    driver = await add_player(hass, living_room)
    await driver.send({"entity": tv.entity_id, **sent})
    assert driver.at["type"] is END
    driver = await change_player(hass, living_room, 1)
    await driver.send({"entity": den.entity_id, **sent})
    assert driver.at["errors"] == {"entity": "player_known"}


async def test_renamed_and_removed(
    hass: HomeAssistant, account: MockConfigEntry, living_room: Any, tv: Player
) -> None:
    registry = er.async_get(hass)
    party = registry.async_get_or_create("input_boolean", "test", "party")
    driver = await change_player(hass, living_room)
    await driver.send(
        {
            "entity": tv.entity_id,
            "accounts": [account.unique_id],
            "condition": party.entity_id,
        }
    )
    registry.async_update_entity(tv.entity_id, new_entity_id="media_player.big")
    registry.async_update_entity(party.entity_id, new_entity_id="input_boolean.fun")
    await hass.async_block_till_done()
    driver = await change_player(hass, living_room)
    assert driver.shown["entity"] == "media_player.big"
    assert driver.shown["condition"] == "input_boolean.fun"
    hass.states.async_set("input_boolean.fun", "on")
    assert mapped(living_room).condition_met(hass)
    registry.async_remove("media_player.big")
    registry.async_remove("input_boolean.fun")
    await hass.async_block_till_done()
    assert not mapped(living_room).condition_met(hass)
    driver = await change_player(hass, living_room)
    assert "entity" not in driver.shown
    assert "condition" not in driver.shown


async def test_an_account_that_was_removed(
    hass: HomeAssistant, account: MockConfigEntry, living_room: Any, tv: Player
) -> None:
    """It stays chosen: the same account may come back."""
    await hass.config_entries.async_remove(account.entry_id)
    driver = await change_player(hass, living_room)
    assert values(driver, "accounts") == [account.unique_id]
    await driver.send({"entity": tv.entity_id, "accounts": [account.unique_id]})
    assert driver.at["reason"] == "reconfigure_successful"
    driver = await add_player(hass, living_room)
    assert values(driver, "accounts") == []


async def test_removing_a_player(
    hass: HomeAssistant, living_room: Any, tv: Player
) -> None:
    """Its entities and its device go with it."""
    (subentry,) = living_room.subentries
    assert entity_of(hass, living_room)
    hass.config_entries.async_remove_subentry(living_room, subentry)
    await hass.async_block_till_done()
    registry = er.async_get(hass)
    assert not er.async_entries_for_config_entry(registry, living_room.entry_id)
    scrobbler = scrobbler_of(hass)
    assert scrobbler is not None
    assert list(scrobbler.players) == []


async def test_player_that_tells_nothing(
    hass: HomeAssistant, house: House, account: MockConfigEntry, scrobbling: Any
) -> None:
    """It is said before somebody waits in vain, once; whoever knows better may add it."""
    for name in ("roku", "sonos"):
        Player(hass, house.clock, name, name).report("idle", friendly_name=name)
    driver = await add_player(hass, scrobbling)
    answers = {"accounts": [account.unique_id]}
    await driver.send({"entity": "media_player.roku", **answers})
    assert driver.at["errors"] == {"entity": "tells_nothing"}
    await driver.send({"entity": "media_player.sonos", **answers})
    assert driver.at["errors"] == {"entity": "tells_nothing"}
    await driver.send({"entity": "media_player.sonos", **answers})
    assert driver.at["type"] is END
    driver = await change_player(hass, scrobbling)
    await driver.send({"entity": "media_player.sonos", **answers})
    assert driver.at["reason"] == "reconfigure_successful"
