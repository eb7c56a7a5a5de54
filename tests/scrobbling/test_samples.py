"""What players really reported: what can be known is found, and nothing else is scrobbled unasked."""

from __future__ import annotations

from datetime import UTC, datetime
import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from custom_components.up_next.media import Episode, Ids, Movie, Playable, Show
from custom_components.up_next.scrobbling.identify import (
    Certainty,
    Identification,
    identify,
)
from custom_components.up_next.scrobbling.observation import (
    Media,
    Observation,
    PlayerState,
    observe,
)

from .catalogues import (
    BREAKING_BAD,
    HEAT,
    THE_HEAT,
    FakeCatalogue,
    FakeDecisions,
    breaking_bad,
    detail_of,
    run,
)

SAMPLES: Any = json.loads(
    (Path(__file__).parent / "data" / "samples.json").read_text(encoding="utf-8")
)
NOW = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Berlin")

BOYS = Show(title="Слово пацана. Кровь на асфальте", year=2023, ids=Ids.of(tmdb=220102))
SEVERANCE = Show(
    title="Severance", year=2022, ids=Ids.of(tmdb=95396, imdb="tt11280740", tvdb=371980)
)
STRANGER_THINGS = Show(title="Stranger Things", year=2016, ids=Ids.of(tmdb=66732))
# titles that must not be taken for what is playing
SONG_ONE = Movie(title="Song One", year=2014, runtime=5160, ids=Ids.of(tmdb=1001))
BAD_BREAK = Show(title="Breaking Bed", year=2012, ids=Ids.of(tmdb=1002))
BREAKING_BAD_FILM = Movie(
    title="Breaking Bad", year=2018, runtime=900, ids=Ids.of(tmdb=1003)
)
HEAT_SHOW = Show(title="Heat", year=2021, ids=Ids.of(tmdb=1004))
EVENING_NEWS = Show(title="Evening News", year=2001, ids=Ids.of(tmdb=1005))
CLOCK = Movie(title="How a clock works", year=2001, runtime=731, ids=Ids.of(tmdb=1006))
NETFLIX = Movie(title="Netflix", year=2019, runtime=5000, ids=Ids.of(tmdb=1007))
RED_2 = Movie(title="RED 2", year=2013, runtime=6960, ids=Ids.of(tmdb=146216))
PERPETUITY = Movie(
    title="In Perpetuity", year=2011, runtime=2900, ids=Ids.of(tmdb=1008)
)
HEAT_1986 = Movie(title="Heat", year=1986, runtime=6060, ids=Ids.of(tmdb=31650))

BEYOND_REACH = {
    ("apple_tv", "plex_app_episode"): "only the title of the episode",
    ("androidtv", "kodi_app_on_shield"): "only the name of the app",
}
"""Viewings that the player's own state can't tell, though another one might."""


def catalogue() -> FakeCatalogue:
    """Return the titles of the samples, among others."""
    titles: list[Movie | Show] = [
        THE_HEAT, HEAT_1986, HEAT, HEAT_SHOW, BAD_BREAK, BREAKING_BAD_FILM, BREAKING_BAD, BOYS, SEVERANCE,
        STRANGER_THINGS, SONG_ONE, EVENING_NEWS, CLOCK, NETFLIX, RED_2, PERPETUITY,
    ]  # fmt: skip
    return FakeCatalogue(
        all=titles,
        details={
            BREAKING_BAD: breaking_bad(),
            BOYS: detail_of(BOYS, {1: 8}),
            SEVERANCE: detail_of(SEVERANCE, {1: 9, 2: 10}),
            STRANGER_THINGS: detail_of(STRANGER_THINGS, {1: 8}),
            BAD_BREAK: detail_of(BAD_BREAK, {1: 6}),
            HEAT_SHOW: detail_of(HEAT_SHOW, {1: 4}),
            EVENING_NEWS: detail_of(EVENING_NEWS, {1: 200}),
        },
    )


def name(sample: dict[str, Any]) -> str:
    return f"{sample['integration']} {sample['scenario']}"


def played(sample: dict[str, Any]) -> list[tuple[Media, Observation]]:
    """Return the titles that a sample's player reported, each with the last it said of it."""
    found: dict[str, tuple[Media, Observation]] = {}
    for row in sample["states"]:
        seen = observe(
            row["state"],
            row["attributes"],
            source=sample["integration"],
            monotonic=row["t_seconds"],
            at=NOW,
            zone=ZONE,
        )
        if seen.media is not None:
            found[seen.media.signature] = (seen.media, seen)
    return list(found.values())


def is_truth(item: Playable, truth: dict[str, Any]) -> bool:
    """Say whether an item is the one that was played."""
    if isinstance(item, Episode):
        return (
            truth["type"] == "episode"
            and (item.season, item.number) == (truth["season"], truth["episode"])
            and (
                item.show.title == truth["show"]
                or item.ids.shares(Ids.of(truth.get("ids", {})))
            )
        )
    return truth["type"] == "movie" and item.ids.shares(Ids.of(truth["ids"]))


async def identified(sample: dict[str, Any]) -> list[Identification]:
    """Identify everything that may be scrobbled at all."""
    known, decisions = catalogue(), FakeDecisions()
    return [
        await identify(media, seen.duration, known, decisions, run)
        for media, seen in played(sample)
        if media.ignored is None
    ]


@pytest.mark.parametrize("sample", SAMPLES, ids=name)
async def test_what_can_be_known_is_found(sample: dict[str, Any]) -> None:
    """Every title that the state tells is found, in the order in which it was played."""
    wanted = [
        truth
        for truth in sample["truth"]["items"]
        if not truth.get("ignore") and truth.get("resolvable", True)
    ]
    if (sample["integration"], sample["scenario"]) in BEYOND_REACH:
        wanted = []
    if any(truth.get("resolvable") is False for truth in sample["truth"]["items"]):
        pytest.skip("nobody can know what this is")
    found = await identified(sample)
    items = [item for one in found for item in one.items]
    if sample["scenario"] == "plug_mr":
        # the recording's dummy file lasts 48 minutes, the film 170: it is no more than offered
        assert not items
        assert HEAT in found[0].candidates
        return
    if sample["scenario"] == "double_episode":
        # the second one is only known to the server: see test_player_ids.py
        wanted.pop()
    assert len(items) == len(wanted)
    assert all(is_truth(*pair) for pair in zip(items, wanted, strict=True))


@pytest.mark.parametrize("sample", SAMPLES, ids=name)
async def test_nothing_else_is_scrobbled_unasked(sample: dict[str, Any]) -> None:
    for one in await identified(sample):
        if one.unasked:
            assert one.certainty is Certainty.SURE
            assert all(
                any(is_truth(item, truth) for truth in sample["truth"]["items"])
                for item in one.items
            )


# players with a media library: none of them needs to ask
UNASKED = {
    "kodi": {"plug_mr", "plug_none", "trailer", "music"},
    "plex": set[str](),
    "jellyfin": {"music"},
    "stremio": set[str](),
}
"""The scenarios of an integration that are not scrobbled unasked; all others are."""


@pytest.mark.parametrize(
    "sample", [s for s in SAMPLES if s["integration"] in UNASKED], ids=name
)
async def test_libraries_need_no_asking(sample: dict[str, Any]) -> None:
    found = await identified(sample)
    if sample["scenario"] in UNASKED[sample["integration"]]:
        assert not any(one.unasked for one in found)
    else:
        assert found
        assert all(one.unasked for one in found)


@pytest.mark.parametrize("sample", SAMPLES, ids=name)
def test_past_is_not_present(sample: dict[str, Any]) -> None:
    """What a player that does not play still shows is left out."""
    for row in sample["states"]:
        for state in ("idle", "off", "standby", "on", "unavailable", "unknown"):
            seen = observe(
                state,
                row["attributes"],
                source=sample["integration"],
                monotonic=0.0,
                at=NOW,
                zone=ZONE,
            )
            assert seen.media is None
            assert seen.position is seen.duration is None
            assert seen.state not in (PlayerState.PLAYING, PlayerState.PAUSED)


@pytest.mark.parametrize("sample", SAMPLES, ids=name)
def test_ignored(sample: dict[str, Any]) -> None:
    """What must never be scrobbled is known as such, or can't be found."""
    never = all(truth.get("ignore") for truth in sample["truth"]["items"])
    if never and sample["scenario"] != "live_tv":
        assert all(media.ignored is not None for media, _ in played(sample))
