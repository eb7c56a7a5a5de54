"""Players as their integrations really report them, from the state to what a tracker counts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_mock_service,
)

from custom_components.up_next.const import PLAYER
from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
from simulators.catalogue import CatalogueEpisode, CatalogueShow
from simulators.trakt import Trakt

from ..couch import Couch, Evening, choices, episode_of, movie_of, plays_of, twins
from ..home import Player, entity_of


def first_of(show: CatalogueShow) -> CatalogueEpisode:
    """Return the first episode of a show."""
    return next(e for e in show.episodes if (e.season, e.number) == (1, 1))


def in_stremio(show: CatalogueShow, episode: CatalogueEpisode) -> dict[str, Any]:
    """Return what the player of Stremio says of an episode beside its title."""
    return {
        "media_content_type": "tvshow",
        "media_title": show.title,
        "season": episode.season,
        "episode": episode.number,
        "imdb_id": show.ids["imdb"],
    }


def report(player: Player, length: float, **attributes: Any) -> None:
    """Report that something plays from its beginning."""
    player.report(
        "playing",
        media_duration=length,
        media_position=0,
        media_position_updated_at=player.clock.now(),
        **attributes,
    )


# Stremio --------------------------------------------------------------------------------------------------------------


async def test_two_shows_of_one_name_at_stremio(
    couch: Couch, trakt: Trakt, evening: Evening
) -> None:
    """Only the ids tell them apart, and they do."""
    old, new = trakt.catalogue.shows[-2:]
    old.title = new.title = "Zwillinge"
    old.year, new.year = 1981, 2021
    player = await couch.add("stremio", "stremio", evening.account)
    for show in (old, new):
        episode = first_of(show)
        counted = len(plays_of(trakt, episode))
        report(player, episode.runtime, **in_stremio(show, episode))
        await couch.look(episode.runtime * 0.98)
        player.stop()
        await couch.look(60)
        assert len(plays_of(trakt, episode)) == counted + 1, show.year


async def test_one_episode_after_another_at_stremio(
    couch: Couch, trakt: Trakt, evening: Evening
) -> None:
    """Its player says nothing while the name of the show stays the same, unless it is asked."""
    show = trakt.catalogue.shows[-1]
    one, two = show.episodes[:2]
    player = await couch.add("stremio", "stremio", evening.account)
    plays = one
    began = couch.travel.now

    async def answer(_: ServiceCall) -> None:
        player.report(
            "playing",
            media_duration=plays.runtime,
            media_position=int(couch.travel.now - began),
            **in_stremio(show, plays),
        )

    couch.hass.services.async_register("homeassistant", "update_entity", answer)
    await answer(ServiceCall(couch.hass, "", ""))
    await couch.look(one.runtime - 5)
    plays, began = two, couch.travel.now
    await couch.look(60)
    attributes = entity_of(couch.hass, couch.entry, index=1).attributes
    assert (attributes["season"], attributes["episode"]) == (two.season, two.number)
    assert plays_of(trakt, one)


# Jellyfin -------------------------------------------------------------------------------------------------------------


class Jellyfin:
    """The one session of a Jellyfin server, as its integration holds it."""

    def __init__(self, hass: HomeAssistant) -> None:
        self.sessions: dict[str, dict[str, Any]] = {"session": {}}
        self.entry = MockConfigEntry(domain="jellyfin")
        self.entry.add_to_hass(hass)
        self.entry.runtime_data = SimpleNamespace(server_id="s", data=self.sessions)

    def has(self, hass: HomeAssistant, player: Player) -> None:
        """Have the player be that of the session."""
        er.async_get(hass).async_update_entity(
            player.entity_id,
            new_unique_id="s-session",
            config_entry_id=self.entry.entry_id,
        )

    def show(self, **session: Any) -> None:
        """Have the server say this of the session."""
        self.sessions["session"] |= session


@pytest.fixture
def jellyfin(hass: HomeAssistant) -> Jellyfin:
    """Return a Jellyfin server with one player."""
    return Jellyfin(hass)


@pytest.mark.parametrize("restarted", [True, False])
async def test_what_was_put_right_at_the_media_server(
    couch: Couch, trakt: Trakt, evening: Evening, jellyfin: Jellyfin, restarted: bool
) -> None:
    """The ids that a server gives now count more than what its ids led to before."""
    wrong, right = twins(trakt.catalogue)
    player = await couch.add("jelly", "jellyfin", evening.account)
    jellyfin.has(couch.hass, player)
    item = movie_of(right, year=None)

    def named(movie: Any) -> dict[str, Any]:
        return {"Id": "1f", "ProviderIds": {"Imdb": movie.ids["imdb"]}}

    jellyfin.show(NowPlayingItem=named(wrong))
    await couch.watch(item, player=player, media_content_id="1f")
    await couch.until(lambda: plays_of(trakt, wrong), "as its ids say")
    jellyfin.show(NowPlayingItem=named(right))
    if restarted:
        await couch.restart()
    else:
        await couch.later(25 * 3600)
    await couch.watch(item, player=player, media_content_id="1f")
    await couch.until(lambda: plays_of(trakt, right), "as its ids say now")
    assert len(plays_of(trakt, wrong)) == 1


async def test_users_of_jellyfin_are_suggested(
    couch: Couch, jellyfin: Jellyfin
) -> None:
    player = Player(couch.hass, couch.house.clock, "jelly", "jellyfin")
    jellyfin.has(couch.hass, player)
    jellyfin.show(UserName="Anna")
    player.report("idle")
    result = await couch.hass.config_entries.subentries.async_init(
        (couch.entry.entry_id, PLAYER), context={"source": SOURCE_USER}
    )
    assert choices(result, "persons") == ["Anna"]


# Emby from HACS -------------------------------------------------------------------------------------------------------


async def test_whom_emby_plays_for(
    couch: Couch, trakt: Trakt, evening: Evening
) -> None:
    """The state does not say it; the sessions of the integration do."""
    hass, movie = couch.hass, movie_of(trakt.catalogue.movies[-1])
    player = Player(hass, couch.house.clock, "emby", "embymedia")
    server = MockConfigEntry(domain="embymedia")
    server.add_to_hass(hass)
    users = {"device": SimpleNamespace(user_name="Anna")}
    server.runtime_data = SimpleNamespace(
        session_coordinator=SimpleNamespace(server_id="s", get_session=users.get)
    )
    er.async_get(hass).async_update_entity(
        player.entity_id, new_unique_id="s_device", config_entry_id=server.entry_id
    )
    await couch.map(player, evening.account, persons=["anna"])
    player.play(movie, media_content_id="1")
    await couch.look(20)
    assert couch.phase(player) == "playing"
    users["device"].user_name = "Bert"
    player.play(movie, 20, media_content_id="1")
    await couch.look(1)
    assert couch.phase(player) == "ignored"
    users.clear()
    player.play(movie, 21, media_content_id="1")
    await couch.look(1)
    assert couch.phase(player) == "ignored", "nobody knows for whom"


# universal players ----------------------------------------------------------------------------------------------------


async def universal(
    couch: Couch, evening: Evening, platform: str, **data: Any
) -> Player:
    """Return a player of this integration that is not mapped, but a universal one that repeats it.

    That is Home Assistant's own, from YAML without a unique id: the registry does not know it.
    """
    hass = couch.hass
    child = Player(hass, couch.house.clock, "child", platform)
    child.report("idle")
    player = Player(hass, couch.house.clock, "group", "?")
    er.async_get(hass).async_remove(player.entity_id)
    group = {"platform": "universal", "name": "group", "children": [child.entity_id]}
    assert await async_setup_component(hass, "media_player", {"media_player": group})
    await hass.async_block_till_done()
    assert hass.states.get("media_player.group"), "it is there"
    await couch.map(player, evening.account, entity="media_player.group", **data)
    return child


async def test_live_television_behind_a_universal_player(
    couch: Couch, trakt: Trakt, evening: Evening
) -> None:
    """That it is live only the child says."""
    movie = trakt.catalogue.movies[-1]
    child = await universal(couch, evening, "plex")
    child.play(movie_of(movie), media_library_title="Live TV", media_content_id=7)
    await couch.look(30)
    state = entity_of(couch.hass, couch.entry, index=1)
    assert (state.state, state.attributes.get("reason")) == ("ignored", "live_tv")


async def test_whom_a_universal_player_plays_for(
    couch: Couch, trakt: Trakt, evening: Evening
) -> None:
    movie = trakt.catalogue.movies[-1]
    child = await universal(couch, evening, "plex", persons=["Anna"])
    child.play(movie_of(movie), username="Anna", media_content_id=7)
    await couch.look(30)
    assert couch.phase(couch.players[-1]) == "playing"
    child.play(movie_of(movie), 30, username="Bert", media_content_id=7)
    await couch.look(1)
    state = entity_of(couch.hass, couch.entry, index=1)
    assert (state.state, state.attributes.get("reason")) == ("ignored", "other_person")


async def test_stremio_behind_a_universal_player(
    couch: Couch, trakt: Trakt, evening: Evening
) -> None:
    show = trakt.catalogue.shows[-1]
    episode = first_of(show)
    child = await universal(couch, evening, "stremio")
    report(child, episode.runtime, **in_stremio(show, episode))
    await couch.look(30)
    attributes = entity_of(couch.hass, couch.entry, index=1).attributes
    assert attributes.get("match_method") == "ids"
    assert (attributes["season"], attributes["episode"]) == (1, 1)


async def test_the_child_is_asked_for_its_position(
    couch: Couch, trakt: Trakt, evening: Evening
) -> None:
    movie = trakt.catalogue.movies[-1]
    child = await universal(couch, evening, "kodi")
    asked = async_mock_service(couch.hass, "homeassistant", "update_entity")
    child.play(movie_of(movie))
    await couch.look(10)
    assert [call.data["entity_id"] for call in asked] == [child.entity_id]
    child.stop()
    await couch.look(60)
    assert len(asked) == 1


# lengths --------------------------------------------------------------------------------------------------------------


async def test_short_special_of_a_long_show(
    couch: Couch, trakt: Trakt, evening: Evening
) -> None:
    """How long the episodes of a show usually are says nothing of its specials."""
    show, special = next(
        (show, episode)
        for show in trakt.catalogue.shows
        for episode in show.episodes
        if episode.season == 0
    )
    said = episode_of(show, special, runtime=400)
    special.runtime = 0
    player = await couch.add("plex", "plex", evening.account)
    counted = len(plays_of(trakt, special))
    await couch.watch(said, player=player)
    await couch.look(60)
    assert len(plays_of(trakt, special)) == counted + 1
