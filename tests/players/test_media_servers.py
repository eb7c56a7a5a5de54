"""Ids of what a Plex player plays, from an account of the Tautulli that watches the Plex server."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.up_next.players.media_servers import with_server_ids
from custom_components.up_next.scrobbling.observation import Media, MediaKind
from simulators.tautulli import Tautulli
from simulators.tautulli.items import movie_key

from ..accounts import House, coordinator_of
from ..conftest import AddAccount, Serve
from ..trackers.test_tautulli import EPISODE, MOVIE


@pytest.fixture
async def sim(serve: Serve) -> Tautulli:
    """Return a Tautulli."""
    service: Tautulli = await serve(Tautulli)
    return service


@pytest.fixture
async def account(
    house: House, sim: Tautulli, add_account: AddAccount
) -> MockConfigEntry:
    """Return an account of it."""
    return await add_account(sim)


def film(sim: Tautulli, **more: Any) -> Media:
    """Return what a Plex player says of a film."""
    title = sim.catalogue.movies[0]
    said = {
        "kind": MediaKind.MOVIE,
        "title": title.title,
        "source": "plex",
        "content_id": str(MOVIE),
    }
    return Media(**{**said, **more})


def episode(sim: Tautulli, **more: Any) -> Media:
    """Return what a Plex player says of an episode."""
    show = sim.catalogue.shows[0]
    said = {
        "kind": MediaKind.EPISODE,
        "series": show.title,
        "season": 1,
        "episode": 1,
        "source": "plex",
        "content_id": str(EPISODE),
    }
    return Media(**{**said, **more})


async def test_a_film(sim: Tautulli, account: MockConfigEntry) -> None:
    said = film(sim)
    found = await with_server_ids([coordinator_of(account)], said)
    assert found.ids.get("imdb") == sim.catalogue.movies[0].ids["imdb"]
    assert found.signature == said.signature


async def test_an_episode(sim: Tautulli, account: MockConfigEntry) -> None:
    item = await coordinator_of(account).tracker.item_of(str(EPISODE))
    assert item is not None
    said = episode(sim, season=item.season, episode=item.number)
    found = await with_server_ids([coordinator_of(account)], said)
    assert found.show_ids.get("tvdb") == str(sim.catalogue.shows[0].ids["tvdb"])
    assert (found.signature, found.show_signature) == (
        said.signature,
        said.show_signature,
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": "Something else"},
        {"source": "jellyfin"},
        {"content_id": ""},
        {"content_id": "99999999"},
    ],
)
async def test_another_item(
    sim: Tautulli, account: MockConfigEntry, wrong: dict[str, str]
) -> None:
    """A rating key is that of one server; the player's may be another one."""
    said = film(sim, **wrong)
    assert await with_server_ids([coordinator_of(account)], said) is said


async def test_another_episode(sim: Tautulli, account: MockConfigEntry) -> None:
    said = episode(sim, season=7, episode=77)
    assert await with_server_ids([coordinator_of(account)], said) is said
    said = episode(sim, content_id=str(MOVIE))
    assert await with_server_ids([coordinator_of(account)], said) is said


async def test_a_server_that_is_down(sim: Tautulli, account: MockConfigEntry) -> None:
    title = sim.catalogue.movies[-1]
    said = film(
        sim, title=title.title, content_id=str(movie_key(int(title.ids["trakt"])))
    )
    sim.plex_down = True
    assert await with_server_ids([coordinator_of(account)], said) is said
    sim.plex_down = False
    sim.api_key = "another key than before"
    assert await with_server_ids([coordinator_of(account)], said) is said
