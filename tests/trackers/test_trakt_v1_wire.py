"""Trakt v1: whatever a server sends is read, or refused as a bad answer; nothing else happens."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, strategies as st
from mashumaro.codecs.orjson import ORJSONEncoder
import orjson
import pytest

from custom_components.up_next.library import ShowProgress, parse_seen
from custom_components.up_next.media import Episode, Ids, Movie, Show
from custom_components.up_next.trackers.trakt_v1.wire import (
    ProgressRow,
    Title,
    instant,
    read_list,
    read_marks,
    read_reply,
    read_watching,
)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ENCODER = ORJSONEncoder(ShowProgress)
BAD = (ValueError, TypeError, KeyError, AttributeError, LookupError)

# the recorded shapes of apis/trakt.md, appendix A
ACTIVITY: dict[str, Any] = {
    "all": 1400003600,
    "movie": {"watched": 1400000000, "seen": 1390000000, "watchlist": 1390000003},
    "show": {"rating": 1390000002, "watchlist": 1390000003},
    "episode": {
        "watched": 1400003600,
        "scrobble": 1400003600,
        "seen": 1390000000,
        "checkin": 1380000000,
        "collection": 1390000001,
        "rating": 1390000002,
        "watchlist": 1390000003,
    },
}
PROGRESS: list[Any] = [
    {
        "show": {
            "title": "The Walking Dead",
            "year": 2010,
            "url": "http://trakt.tv/show/the-walking-dead",
            "imdb_id": "tt1520211",
            "tvdb_id": 153021,
            "tvrage_id": 25056,
            "images": {"poster": "http://trakt.us/images/posters/124.jpg"},
        },
        "progress": {"percentage": 50, "aired": 6, "completed": 3, "left": 3},
        "seasons": [
            {
                "season": 1,
                "percentage": 50,
                "aired": 6,
                "completed": 3,
                "left": 3,
                "episodes": {
                    "1": True,
                    "2": True,
                    "3": True,
                    "4": False,
                    "5": False,
                    "6": False,
                },
            }
        ],
        "hidden_seasons": [],
        "stats": {"plays": 3, "scrobbles": 2, "checkins": 1, "seen": 0},
        "next_episode": {
            "season": 1,
            "number": 4,
            "title": "Vatos",
            "first_aired": 1290319200,
            "images": {"screen": "http://trakt.us/images/episodes/124-1-4.jpg"},
        },
    },
    {
        "show": {
            "title": "Community",
            "year": 2009,
            "imdb_id": "tt1439629",
            "tvdb_id": 94571,
            "tvrage_id": 22589,
        },
        "progress": {"percentage": 100, "aired": 97, "completed": 97, "left": 0},
        "seasons": [],
        "hidden_seasons": [],
        "stats": {"plays": 97, "scrobbles": 97, "checkins": 0, "seen": 0},
        "next_episode": False,
    },
]
WATCHING: dict[str, Any] = {
    "type": "episode",
    "action": "checkin",
    "show": {
        "title": "Community",
        "url": "http://trakt.tv/show/community",
        "imdb_id": "tt1439629",
        "tvdb_id": "94571",
        "tvrage_id": "1234",
    },
    "episode": {
        "season": 2,
        "number": 7,
        "title": "Aerodynamics of Gender",
        "url": "http://trakt.tv/show/community/season/2/episode/7",
        "first_aired": 1288854000,
    },
}
WATCHING_MOVIE: dict[str, Any] = {
    "type": "movie",
    "action": "watching",
    "movie": {
        "title": "Dinner for Schmucks",
        "year": 2010,
        "url": "http://trakt.tv/movie/dinner-for-schmucks-2010",
        "imdb_id": "tt0427152",
        "tmdb_id": "38778",
    },
}
LISTED: list[Any] = [
    {
        "title": "GasLand",
        "year": 2010,
        "released": 1264320000,
        "url": "http://trakt.tv/movie/gasland-2010",
        "runtime": 107,
        "imdb_id": "tt1558250",
        "tmdb_id": "40663",
        "inserted": 1301130302,
        "images": {"poster": "http://trakt.us/images/posters_movies/1683.jpg"},
        "genres": ["Documentary"],
    }
]
SEEN: dict[str, Any] = {
    "status": "success",
    "message": "1 movies inserted",
    "inserted": 1,
    "already_exist": 0,
    "skipped": 0,
    "skipped_movies": [],
    "already_exist_movies": [{"imdb_id": "tt0372784", "title": "Batman Begins"}],
}


def rows(value: object) -> list[ProgressRow]:
    return list(read_list(ProgressRow)(orjson.dumps(value)))


def all_of_progress(body: bytes) -> object:
    return [
        (
            row.counted(NOW),
            row.detail().progress(NOW),
            row.key,
            row.watched((1, 1)),
            row.watched((0, 1)),
            parse_seen(row.counted(NOW).seen),
            ENCODER.encode(row.counted(NOW)),
        )
        for row in read_list(ProgressRow)(body)
    ]


def all_of_titles(body: bytes) -> object:
    return [
        (row.movie(), row.show(), row.means(Movie(title="x")), instant(row.inserted))
        for row in read_list(Title)(body)
    ]


PARSERS: list[tuple[Any, Callable[[bytes], object]]] = [
    (ACTIVITY, read_marks),
    (PROGRESS, all_of_progress),
    (WATCHING, read_watching),
    (WATCHING_MOVIE, read_watching),
    (LISTED, all_of_titles),
    (SEEN, read_reply),
]
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.sampled_from(["", "7", "1e999", "tt0", "x" * 50, "-1", "1.5", "٣"]),
    st.just([]),
    st.just({}),
    st.just([None, 1, "a", {}]),
    st.just({"a": None, "1": "true", "-3": 1, "-4": True}),
)


def places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    pairs: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list):
        pairs = list(enumerate(value))
    return [path, *(p for key, each in pairs for p in places(each, (*path, key)))]


@given(data=st.data())
@pytest.mark.parametrize(("sample", "parse"), PARSERS)
def test_mutated_samples(
    sample: Any, parse: Callable[[bytes], object], data: st.DataObject
) -> None:
    whole = {"root": deepcopy(sample)}
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from([p for p in places(whole) if p]))
        parent: Any = whole
        for key in path[:-1]:
            parent = parent[key]
        if isinstance(parent, dict) and len(path) > 1 and data.draw(st.booleans()):
            del parent[path[-1]]
        else:
            parent[path[-1]] = deepcopy(data.draw(ODD))
    try:
        body = orjson.dumps(whole["root"])
    except orjson.JSONEncodeError:  # more than 64 bits
        return
    with suppress(*BAD):
        parse(body)


@given(st.binary(max_size=40))
@pytest.mark.parametrize(("_", "parse"), PARSERS)
def test_anything(_: Any, parse: Callable[[bytes], object], body: bytes) -> None:
    with suppress(*BAD):
        parse(body)


def test_the_samples_as_they_are() -> None:
    walking, community = rows(PROGRESS)
    counted = walking.counted(NOW)
    assert (counted.aired, counted.watched, counted.left) == (6, 3, 3)
    assert counted.next_episode is not None
    assert counted.next_episode.label == "The Walking Dead S01E04 Vatos"
    assert counted.show.ids == Ids.of(
        tvdb=153021, imdb="tt1520211", slug="the-walking-dead"
    )
    assert parse_seen(counted.seen) == {(1, 1), (1, 2), (1, 3)}
    finished = community.counted(NOW)
    assert (finished.left, finished.watched, finished.seen) == (0, 97, None)
    assert community.watched((3, 1)) is True
    assert community.watched((0, 1)) is None
    watching = read_watching(orjson.dumps(WATCHING))
    assert isinstance(watching, Episode)
    assert watching.label == "Community S02E07 Aerodynamics of Gender"
    movie = read_watching(orjson.dumps(WATCHING_MOVIE))
    assert isinstance(movie, Movie)
    assert movie.ids.get("tmdb") == "38778"
    (gasland,) = read_list(Title)(orjson.dumps(LISTED))
    assert gasland.movie().runtime == 107 * 60


def test_nothing_is_playing() -> None:
    assert read_watching(b"[]") is read_watching(b"{}") is None
    with pytest.raises(ValueError, match="neither"):
        read_watching(b'{"type":"show"}')


def test_marks() -> None:
    def marks(**changed: dict[str, int]) -> dict[str, str]:
        value = {
            kind: {**ACTIVITY[kind], **changed.get(kind, {})}
            for kind in ("movie", "show", "episode")
        }
        return read_marks(orjson.dumps({"all": 1400003600, **value}))

    def moved(**changed: dict[str, int]) -> set[str]:
        return {k for k, v in marks(**changed).items() if v != marks()[k]}

    assert moved(episode={"rating": 1400000001}) == set()
    for name in ("watched", "scrobble", "seen", "checkin"):
        assert moved(episode={name: 1400000001}) == {"progress"}
    assert moved(movie={"watched": 1400000001}) == set()
    assert moved(movie={"watchlist": 1400000001}) == {"movies"}
    assert moved(show={"watchlist": 1400000001}) == {"shows"}
    assert read_marks(b"[]") == read_marks(b'{"all":0}')
    for bad in (b"{}", b'{"status":"success"}', b"[1]", b"null"):
        with pytest.raises(TypeError):
            read_marks(bad)


def test_seasons_that_do_not_count() -> None:
    first = deepcopy(PROGRESS[0])
    first["seasons"] += [
        {"season": 0, "aired": 2, "completed": 1, "episodes": [False, True]},
        {"season": 2, "aired": 3, "completed": 1, "episodes": {"1": True}},
        {"season": 3, "aired": 1, "completed": 1},
        {
            "season": "4",
            "aired": "1",
            "episodes": {"1": False, "2": False, "3": True},
        },
    ]
    first["hidden_seasons"] = [2, {"season": "9"}]
    first["next_episode"]["season"] = 0
    (row,) = rows([first])
    counted = row.counted(NOW)
    # 6 of the first season, one of the third, of the fourth what has aired or was watched
    assert (counted.aired, counted.watched) == (6 + 1 + 2, 3 + 1 + 1)
    assert counted.next_episode is None
    assert parse_seen(counted.seen) >= {(0, 1), (4, 3)}
    released = {
        (d.episode.season, d.episode.number): d.released for d in row.detail().episodes
    }
    assert released[4, 1]
    assert released[4, 3]
    assert not released[4, 2]
    assert row.watched((5, 1)) is False


def test_numbers_that_can_be_none() -> None:
    season = {"season": 1, "aired": 1e300, "episodes": {"-1": True, "2": "1", "x": 0}}
    show = {"title": "Odd", "year": "1e999", "runtime": -(2**60)}
    (row,) = rows([{"show": show, "seasons": [season]}])
    assert parse_seen(row.counted(NOW).seen) == {(1, 2)}
    assert (row.show.year, row.show.runtime, row.seasons[0].aired) == (0, 0, 0)


def test_means() -> None:
    (title,) = read_list(Title)(orjson.dumps(LISTED))
    assert title.means(Movie(title="Other", ids=Ids.of(imdb="tt1558250")))
    assert not title.means(Movie(title="GasLand", ids=Ids.of(imdb="tt1")))
    assert title.means(Movie(title="GasLand", ids=Ids.of(trakt=5)))
    assert title.means(Movie(title="GasLand", year=2010))
    assert not title.means(Movie(title="GasLand", year=2011))
    assert not title.means(Show(title="", ids=Ids.of(trakt=5)))


def test_a_show_without_ids_has_a_key() -> None:
    (row,) = rows([{"show": {"title": "Nameless"}}])
    assert row.key == "Nameless"
    assert row.counted(NOW).left == 0
    assert instant(10**20) is None
