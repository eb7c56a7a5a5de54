"""The examples of docs/actions.md, as scripts of a real Home Assistant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import re
from typing import Any

from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_mock_service,
)
import yaml

from custom_components.up_next.media import Episode, Ids, Movie, Show
from custom_components.up_next.players.deciding import scrobbler_of
from custom_components.up_next.players.store import WaitingPlay
from custom_components.up_next.scrobbling.observation import Media, MediaKind
from custom_components.up_next.services import ACTIONS
from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.script import Script
from simulators.trakt import Trakt

from ..accounts import House, coordinator_of, until
from ..home import Player, mapping, scrobble
from .conftest import left, next_episode

PAGE = (Path(__file__).parents[2] / "docs/actions.md").read_text(encoding="utf-8")


def examples() -> Iterator[Any]:
    """Yield the examples that are actions or sequences."""
    for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL):
        read = yaml.safe_load(block)
        if isinstance(read, dict) and ("action" in read or "sequence" in read):
            yield read.get("sequence", [read])


async def run(hass: HomeAssistant, steps: Any) -> None:
    """Run steps as a script does."""
    script = Script(hass, cv.SCRIPT_SCHEMA(steps), "Example", "test")
    await script.async_run(context=Context())


def test_all_actions_are_documented() -> None:
    documented = set(re.findall(r"`up_next\.([a-z_]+)`", PAGE))
    assert documented == set(ACTIONS)


async def test_examples_run(
    hass: HomeAssistant, account: MockConfigEntry, trakt: Trakt
) -> None:
    """Every example does what it says; names and ids are replaced by those of the simulator."""
    toggle, everything, cinema, undo, evening, position, *_ = examples()
    coordinator = coordinator_of(account)
    movie, show = trakt.catalogue.movies[-1], trakt.catalogue.shows[-1]
    episode = next_episode(account)
    hass.states.async_set(
        "sensor.anna_next_episode",
        "x",
        {
            "show": episode.show.title,
            "season": episode.season,
            "episode": episode.number,
        },
    )
    before = left(account, episode.show.title)
    await run(hass, toggle)
    assert left(account, episode.show.title) == before - 1

    text = yaml.safe_dump(everything).replace("9c41...", account.entry_id)
    single = [row for row in coordinator.data.overview.shows if row.unwatched == 1]
    assert single
    before_all = trakt.state()["unwatched"]
    await run(hass, yaml.safe_load(text.replace("3f2a...", account.entry_id)))
    assert trakt.state()["unwatched"] == before_all - len(single)

    plays = trakt.state()["movie_plays"]
    cinema[0]["data"] |= {"title": movie.title, "year": movie.year}
    await run(hass, cinema)
    assert trakt.state()["movie_plays"] == plays + 1

    plays = trakt.state()["plays"]
    undo[0]["data"] = {"title": show.title, "season": 1, "episode": 1}
    await run(hass, undo)
    assert trakt.state()["plays"] == plays
    assert trakt.count("POST /sync/history/remove") == 1

    told = async_mock_service(hass, "notify", "notify")
    await run(hass, evening)
    total = coordinator.data.overview.unwatched
    assert told[0].data["message"].startswith(f"{total} episodes of ")
    assert next_episode(account).label in told[0].data["message"]

    hass.states.async_set(
        "media_player.tv",
        "playing",
        {"media_title": movie.title, "media_position": 1200},
    )
    await run(hass, position)
    assert trakt.account.saved()[0].progress > 5


async def test_examples_of_scrobbling_run(
    hass: HomeAssistant, house: House, account: MockConfigEntry, trakt: Trakt
) -> None:
    """Those about what plays."""
    *_, shelf, now, living_room, guesses = examples()
    movie = trakt.catalogue.movies[-1]
    for example in (shelf, now):
        example[0]["data"] |= {"title": movie.title, "year": movie.year}
    await run(hass, shelf)
    assert trakt.account.watching is not None
    await run(hass, now)
    assert trakt.account.watching.action == "checkin"

    tv = Player(hass, house.clock, "living_room", "plex")
    await scrobble(hass, mapping(tv, account))
    scrobbler = scrobbler_of(hass)
    assert scrobbler is not None
    wrong, right = trakt.catalogue.shows[1:3]
    tv.play(Episode(show=Show(title=wrong.title), season=1, number=2, runtime=2700))
    await hass.async_block_till_done()
    living_room[0]["data"] |= {"title": right.title, "year": right.year}
    await run(hass, living_room)
    (word,) = scrobbler.matches.corrections.values()
    assert word.show is not None
    assert word.show.title == right.title

    media = Media(kind=MediaKind.MOVIE, title="Dune")
    known = Movie(title=movie.title, year=movie.year, ids=Ids.of(movie.ids))
    waiting = WaitingPlay(
        signature=media.signature,
        media=media,
        player="",
        account=str(account.unique_id),
        at=house.clock.now(),
        started_at=house.clock.now(),
        viewing="1",
        guess=(known,),
        candidates=(known,),
    )
    scrobbler.delivery.put(waiting=[waiting])
    await scrobbler.delivery.flush()
    assert scrobbler.matches.waiting
    plays = trakt.state()["movie_plays"]
    await run(hass, guesses)
    assert not scrobbler.matches.waiting
    await until(lambda: trakt.state()["movie_plays"] == plays + 1)
