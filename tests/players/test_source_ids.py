"""Ids that the integrations behind players know: asked of stand-ins for them, which may fail in any way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
import logging
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.up_next.media import Ids
from custom_components.up_next.players import source_ids
from custom_components.up_next.players.source_ids import (
    TruePosition,
    enrich,
    person_of,
    true_position,
)
from custom_components.up_next.scrobbling.observation import Ignored, Media, MediaKind
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er

PLAYER = "media_player.living_room"
SERVER = "f00d"
FILM = Media(kind=MediaKind.MOVIE, title="Heat")
EPISODE = Media(
    kind=MediaKind.EPISODE,
    title="Cat's in the Bag...",
    series="Breaking Bad",
    season=1,
    episode=2,
)
LOGGER = "custom_components.up_next.players.source_ids"


def register(
    hass: HomeAssistant,
    platform: str,
    unique_id: str,
    entry: MockConfigEntry | None = None,
) -> None:
    """Register the player's entity."""
    er.async_get(hass).async_get_or_create(
        "media_player",
        platform,
        unique_id,
        suggested_object_id="living_room",
        config_entry=entry,
    )


async def refused(
    hass: HomeAssistant,
    caplog: pytest.LogCaptureFixture,
    source: str,
    media: Media,
) -> None:
    """Check that a title stays as it is, with one line in the log."""
    caplog.clear()
    with caplog.at_level(logging.DEBUG, LOGGER):
        assert await enrich(hass, PLAYER, source, media) is media
    rows = [record for record in caplog.records if record.name == LOGGER]
    assert [record.levelno for record in rows] == [logging.DEBUG]
    assert PLAYER in rows[0].getMessage()


async def test_others_are_not_asked(hass: HomeAssistant) -> None:
    assert await enrich(hass, PLAYER, "cast", FILM) is FILM
    assert await true_position(hass, PLAYER, "cast") is None
    assert person_of(hass, PLAYER, "plex") is None


@pytest.mark.parametrize("source", ["kodi", "plex", "jellyfin"])
async def test_ignored_media_are_not_looked_up(
    hass: HomeAssistant, caplog: pytest.LogCaptureFixture, source: str
) -> None:
    song = replace(FILM, ignored=Ignored.NOT_VIDEO)
    with caplog.at_level(logging.DEBUG, LOGGER):
        assert await enrich(hass, PLAYER, source, song) is song
    assert LOGGER not in {record.name for record in caplog.records}


@pytest.mark.parametrize("source", ["kodi", "plex", "jellyfin"])
async def test_integrations_that_are_not_there(
    hass: HomeAssistant, caplog: pytest.LogCaptureFixture, source: str
) -> None:
    await refused(hass, caplog, source, replace(FILM, content_id="9"))
    register(hass, source, f"{SERVER}:9")
    await refused(hass, caplog, source, replace(FILM, content_id="9"))


# Kodi -------------------------------------------------------------------------------------------------------------


@dataclass
class Kodi:
    """Answers the action `kodi.call_method` by events, as Kodi's integration does."""

    hass: HomeAssistant
    answers: dict[str, object] = field(default_factory=dict)
    calls: list[dict[str, Any]] = field(default_factory=list)
    entity_id: str = PLAYER
    ok: bool = True

    async def call(self, call: ServiceCall) -> None:
        """Fire the event with the answer; what is no dict has none."""
        params = dict(call.data)
        params.pop("entity_id")
        method = params.pop("method")
        self.calls.append({"method": method, **params})
        answer = self.answers.get(method)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, dict):
            self.hass.bus.async_fire(
                "kodi_call_method_result",
                {
                    "entity_id": self.entity_id,
                    "result": answer,
                    "result_ok": self.ok,
                    "input": {"method": method, "params": params},
                },
            )


@pytest.fixture
def kodi(hass: HomeAssistant) -> Kodi:
    kodi = Kodi(hass)
    kodi.answers = {
        "Player.GetItem": {
            "item": {
                "uniqueid": {"imdb": "tt1054724", "tvdb": "349235"},
                "tvshowid": 7,
                "season": 1,
                "episode": 2,
                "year": 2008,
                "title": "Cat's in the Bag...",
                "file": "smb://nas/bb.mkv",
                "type": "episode",
            }
        },
        "VideoLibrary.GetTVShowDetails": {
            "tvshowdetails": {
                "uniqueid": {"imdb": "tt0903747", "tmdb": "1396", "tvdb": "81189"},
                "year": 2008,
            }
        },
        "VideoLibrary.GetEpisodes": {
            "episodes": [{"episode": 2, "file": "smb://nas/bb.mkv"}]
        },
        "Player.GetProperties": {
            "time": {"hours": 1, "minutes": 2, "seconds": 3, "milliseconds": 500},
            "totaltime": {
                "hours": 2, "minutes": 50, "seconds": 12, "milliseconds": 0
            },
        },
    }  # fmt: skip
    hass.services.async_register("kodi", "call_method", kodi.call)
    return kodi


async def test_kodi_episode(hass: HomeAssistant, kodi: Kodi) -> None:
    media = replace(EPISODE, source="kodi", ids=Ids.of(imdb="tt1054724"))
    found = await enrich(hass, PLAYER, "kodi", media)
    assert found.ids == Ids.of(imdb="tt1054724", tvdb=349235)
    assert found.show_ids == Ids.of(imdb="tt0903747", tmdb=1396, tvdb=81189)
    assert found.year == 2008
    assert found.last_episode is None
    assert found.signature == media.signature
    assert found.show_signature == media.show_signature
    assert [call["method"] for call in kodi.calls] == [
        "Player.GetItem",
        "VideoLibrary.GetTVShowDetails",
        "VideoLibrary.GetEpisodes",
    ]
    assert kodi.calls[1]["tvshowid"] == 7


async def test_kodi_file_with_two_episodes(hass: HomeAssistant, kodi: Kodi) -> None:
    kodi.answers["VideoLibrary.GetEpisodes"] = {
        "episodes": [
            {"episode": 2, "file": "smb://nas/bb.mkv"},
            {"episode": 3, "file": "smb://nas/bb.mkv"},
            {"episode": 4, "file": "smb://nas/other.mkv"},
            "nonsense",
        ]
    }
    assert (await enrich(hass, PLAYER, "kodi", EPISODE)).last_episode == 3
    kodi.answers["VideoLibrary.GetEpisodes"] = ["a list has no event"]
    found = await enrich(hass, PLAYER, "kodi", EPISODE)
    assert found.last_episode is None
    assert found.show_ids, "what was learned before is kept"


async def test_kodi_movie(hass: HomeAssistant, kodi: Kodi) -> None:
    kodi.answers["Player.GetItem"] = {
        "item": {"uniqueid": {"tmdb": "949"}, "tvshowid": -1, "season": -1, "episode": -1, "year": 1995, "title": "Heat"}
    }  # fmt: skip
    found = await enrich(hass, PLAYER, "kodi", FILM)
    assert found.ids == Ids.of(tmdb=949)
    assert found.year == 1995
    assert found.signature == FILM.signature
    assert len(kodi.calls) == 1


async def test_kodi_add_on(hass: HomeAssistant, kodi: Kodi) -> None:
    """What is not in Kodi's library has no show there."""
    kodi.answers["Player.GetItem"] = {
        "item": {"uniqueid": {"tvshow.tmdb": "1396"}, "tvshowid": -1, "season": 1, "episode": 2, "year": 0}
    }  # fmt: skip
    found = await enrich(hass, PLAYER, "kodi", EPISODE)
    assert found.show_ids == Ids.of(tmdb=1396)
    assert not found.ids
    assert len(kodi.calls) == 1


@pytest.mark.parametrize(
    "item",
    [
        {"season": 1, "episode": 3, "uniqueid": {"tvdb": "349238"}},
        {"season": -1, "episode": -1, "title": "Heat", "uniqueid": {"tmdb": "949"}},
        {},
        None,
    ],
)
async def test_kodi_plays_something_else_by_now(
    hass: HomeAssistant, kodi: Kodi, item: dict[str, Any] | None
) -> None:
    kodi.answers["Player.GetItem"] = {"item": item}
    assert await enrich(hass, PLAYER, "kodi", EPISODE) is EPISODE


async def test_kodi_does_not_answer(
    hass: HomeAssistant, kodi: Kodi, caplog: pytest.LogCaptureFixture
) -> None:
    kodi.answers["VideoLibrary.GetTVShowDetails"] = HomeAssistantError("gone")
    await refused(hass, caplog, "kodi", EPISODE)
    kodi.ok = False
    await refused(hass, caplog, "kodi", EPISODE)
    kodi.ok, kodi.entity_id = True, "media_player.bedroom"
    await refused(hass, caplog, "kodi", EPISODE)
    kodi.answers.clear()
    await refused(hass, caplog, "kodi", EPISODE)
    assert await true_position(hass, PLAYER, "kodi") is None
    assert "kodi_call_method_result" not in hass.bus.async_listeners()


async def test_kodi_is_not_waited_for(
    hass: HomeAssistant,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(source_ids, "TIMEOUT", 0.01)
    never = asyncio.Event()

    async def hang(call: ServiceCall) -> None:
        await never.wait()

    hass.services.async_register("kodi", "call_method", hang)
    await refused(hass, caplog, "kodi", EPISODE)
    never.set()
    await hass.async_block_till_done()


async def test_kodi_position(hass: HomeAssistant, kodi: Kodi) -> None:
    assert await true_position(hass, PLAYER, "kodi") == TruePosition(
        position=3723.5, duration=10212
    )
    kodi.answers["Player.GetProperties"] = {
        "time": {"seconds": 5},
        "totaltime": {"hours": 0},
    }
    assert await true_position(hass, PLAYER, "kodi") == TruePosition(position=5)
    kodi.answers["Player.GetProperties"] = {"time": None}
    assert await true_position(hass, PLAYER, "kodi") is None


# Plex -------------------------------------------------------------------------------------------------------------


@dataclass
class PlexServer:
    """The object that Plex's integration keeps of a server."""

    items: dict[int, object]
    threads: set[int] = field(default_factory=set)

    def fetch_item(self, key: int) -> object:
        """Ask the server, which blocks."""
        self.threads.add(threading.get_ident())
        return self.items[key]


def plex_item(*guids: str, **attributes: object) -> SimpleNamespace:
    return SimpleNamespace(
        guids=[SimpleNamespace(id=guid) for guid in guids], **attributes
    )


@pytest.fixture
def plex(hass: HomeAssistant) -> PlexServer:
    server = PlexServer(
        {
            4711: plex_item(
                "imdb://tt0113277",
                "tmdb://949",
                "tvdb://222",
                "other://1",
                guid="plex://movie/5d77",
                year=1995,
                originalTitle="Heat (original)",
            ),
            9002: plex_item(
                "tvdb://349235",
                guid="plex://episode/1",
                year=2009,
                grandparentRatingKey=9000,
            ),
            9000: plex_item("imdb://tt0903747", guid="plex://show/1", year=2008),
        }
    )
    hass.data["plex"] = {"servers": {SERVER: server}}
    register(hass, "plex", f"{SERVER}:client")
    return server


async def test_plex_movie(hass: HomeAssistant, plex: PlexServer) -> None:
    media = replace(FILM, source="plex", content_id="4711")
    found = await enrich(hass, PLAYER, "plex", media)
    assert found.ids == Ids.of(imdb="tt0113277", tmdb=949, tvdb=222)
    assert found.year == 1995
    assert found.titles == ("Heat (original)",)
    assert found.signature == media.signature
    assert threading.get_ident() not in plex.threads, "it blocks"


async def test_plex_episode(hass: HomeAssistant, plex: PlexServer) -> None:
    """The year is the show's, not the episode's."""
    found = await enrich(hass, PLAYER, "plex", replace(EPISODE, content_id="9002"))
    assert found.ids == Ids.of(tvdb=349235)
    assert found.show_ids == Ids.of(imdb="tt0903747")
    assert found.year == 2008
    plex.items[9002] = plex_item("tvdb://349235")
    found = await enrich(hass, PLAYER, "plex", replace(EPISODE, content_id="9002"))
    assert found.ids
    assert not found.show_ids


@pytest.mark.parametrize(
    ("guid", "ids", "show_ids"),
    [
        ("com.plexapp.agents.imdb://tt0113277?lang=en", {"imdb": "tt0113277"}, {}),
        ("com.plexapp.agents.themoviedb://949?lang=en", {"tmdb": "949"}, {}),
        ("com.plexapp.agents.thetvdb://81189/1/2?lang=en", {}, {"tvdb": "81189"}),
        ("com.plexapp.agents.none://5?lang=xn", {}, {}),
        ("local://5", {}, {}),
        (None, {}, {}),
    ],
)
async def test_plex_with_an_old_agent(
    hass: HomeAssistant,
    plex: PlexServer,
    guid: str | None,
    ids: dict[str, str],
    show_ids: dict[str, str],
) -> None:
    plex.items[1] = SimpleNamespace(guid=guid)
    media = replace(EPISODE, content_id="1")
    found = await enrich(hass, PLAYER, "plex", media)
    assert found.ids.values == ids
    assert found.show_ids.values == show_ids
    assert (found is media) is (not ids and not show_ids)


async def test_plex_fails(
    hass: HomeAssistant, plex: PlexServer, caplog: pytest.LogCaptureFixture
) -> None:
    await refused(hass, caplog, "plex", replace(FILM, content_id="5"))
    await refused(hass, caplog, "plex", replace(FILM, content_id=""))
    hass.data["plex"] = {"servers": {}}
    await refused(hass, caplog, "plex", replace(FILM, content_id="4711"))


# Jellyfin ---------------------------------------------------------------------------------------------------------


@dataclass
class Jellyfin:
    """The coordinator of Jellyfin's integration: `runtime_data` of its entry."""

    data: dict[str, dict[str, Any]]
    get_item: Callable[[str], object]
    server_id: str = SERVER

    @property
    def api_client(self) -> SimpleNamespace:
        """Return the client."""
        return SimpleNamespace(jellyfin=SimpleNamespace(get_item=self.get_item))


@pytest.fixture
def jellyfin(hass: HomeAssistant) -> Jellyfin:
    items = {
        "series": {
            "ProviderIds": {"Imdb": "tt0903747", "Tvdb": "81189"},
            "ProductionYear": 2008,
        }
    }
    session = {
        "UserName": "alice",
        "NowPlayingItem": {
            "Id": "ep2",
            "ProviderIds": {"Tvdb": "349235", "Imdb": "", "TvRage": "5"},
            "ProductionYear": 2009,
            "IndexNumber": 2,
            "IndexNumberEnd": 3,
            "SeriesId": "series",
        },
    }
    coordinator = Jellyfin({"session-1": session}, items.__getitem__)
    entry = MockConfigEntry(domain="jellyfin")
    entry.add_to_hass(hass)
    entry.runtime_data = coordinator
    register(hass, "jellyfin", f"{SERVER}-session-1", entry)
    return coordinator


async def test_jellyfin_episode(hass: HomeAssistant, jellyfin: Jellyfin) -> None:
    """A file with two episodes is one to its entity; the server knows both."""
    media = replace(EPISODE, source="jellyfin", content_id="ep2")
    found = await enrich(hass, PLAYER, "jellyfin", media)
    assert found.ids == Ids.of(tvdb=349235)
    assert found.show_ids == Ids.of(imdb="tt0903747", tvdb=81189)
    assert found.last_episode == 3
    assert found.year == 2008
    assert found.signature == media.signature


async def test_jellyfin_movie(hass: HomeAssistant, jellyfin: Jellyfin) -> None:
    jellyfin.data["session-1"]["NowPlayingItem"] = {
        "Id": "film",
        "ProviderIds": {"Tmdb": "949"},
        "ProductionYear": 1995,
        "OriginalTitle": "Heat",
    }
    found = await enrich(hass, PLAYER, "jellyfin", replace(FILM, content_id="film"))
    assert found.ids == Ids.of(tmdb=949)
    assert found.year == 1995
    assert found.titles == ("Heat",)


async def test_jellyfin_without_the_show(
    hass: HomeAssistant, jellyfin: Jellyfin
) -> None:
    """What the session itself tells is kept when the server can't be asked."""
    media = replace(EPISODE, content_id="ep2")
    jellyfin.get_item = {}.__getitem__
    found = await enrich(hass, PLAYER, "jellyfin", media)
    assert found.ids == Ids.of(tvdb=349235)
    assert not found.show_ids
    item = jellyfin.data["session-1"]["NowPlayingItem"]
    item |= {"SeriesId": None, "IndexNumberEnd": 2}
    found = await enrich(hass, PLAYER, "jellyfin", media)
    assert found.ids == Ids.of(tvdb=349235)
    assert found.last_episode is None


async def test_jellyfin_fails(
    hass: HomeAssistant, jellyfin: Jellyfin, caplog: pytest.LogCaptureFixture
) -> None:
    other = replace(EPISODE, content_id="something else")
    assert await enrich(hass, PLAYER, "jellyfin", other) is other
    jellyfin.data["session-1"]["NowPlayingItem"] = None
    assert await enrich(hass, PLAYER, "jellyfin", other) is other
    jellyfin.data.clear()
    await refused(hass, caplog, "jellyfin", EPISODE)
    assert person_of(hass, PLAYER, "jellyfin") is None


async def test_jellyfin_person(hass: HomeAssistant, jellyfin: Jellyfin) -> None:
    assert person_of(hass, PLAYER, "jellyfin") == "alice"
    del jellyfin.data["session-1"]["UserName"]
    assert person_of(hass, PLAYER, "jellyfin") is None
