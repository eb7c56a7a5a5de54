"""How media items are named to Trakt, and recognized in its answers."""

from __future__ import annotations

import pytest

from custom_components.up_next.media import Episode, Ids, MediaItem, Movie, Season, Show
from custom_components.up_next.trackers.trakt.bodies import (
    Body,
    is_missing,
    named,
    once,
    same,
)
from custom_components.up_next.trackers.trakt.payloads import decode_write

SHOW = Show(title="Silo", year=2023, ids=Ids.of(trakt=1, tvdb=2))
OTHER = Show(title="Devs", ids=Ids.of(imdb="tt8134186", slug="devs"))
NAMELESS = Show(title="Devs", year=2020)
MOVIE = Movie(title="Heretic", year=2024, ids=Ids.of(tmdb=9))


def test_titles_are_named_by_the_best_there_is() -> None:
    assert named(SHOW) == {"ids": {"trakt": 1}}
    assert named(OTHER) == {
        "ids": {"imdb": "tt8134186", "slug": "devs"},
        "title": "Devs",
        "year": None,
    }
    assert named(MOVIE) == {"ids": {"tmdb": 9}, "title": "Heretic", "year": 2024}
    assert named(NAMELESS) == {"title": "Devs", "year": 2020}


@pytest.mark.parametrize(
    ("item", "body"),
    [
        (
            MOVIE,
            {
                "movies": [
                    {"ids": {"tmdb": 9}, "title": "Heretic", "year": 2024, "rating": 8}
                ]
            },
        ),
        (SHOW, {"shows": [{"ids": {"trakt": 1}, "rating": 8}]}),
        (
            Season(show=SHOW, number=0),
            {"shows": [{"ids": {"trakt": 1}, "seasons": [{"number": 0, "rating": 8}]}]},
        ),
        (
            Episode(show=SHOW, season=1, number=2, ids=Ids.of(trakt=5, imdb="tt7")),
            {"episodes": [{"ids": {"trakt": 5}, "rating": 8}]},
        ),
        (
            Episode(show=NAMELESS, season=1, number=2, ids=Ids.of(tvdb=6)),
            {"episodes": [{"ids": {"tvdb": 6}, "rating": 8}]},
        ),
        (
            Episode(show=SHOW, season=1, number=2, ids=Ids.of(tvdb=6)),
            {
                "shows": [
                    {
                        "ids": {"trakt": 1},
                        "seasons": [
                            {"number": 1, "episodes": [{"number": 2, "rating": 8}]}
                        ],
                    }
                ]
            },
        ),
    ],
)
def test_an_item_stands_where_it_belongs(
    item: MediaItem, body: dict[str, object]
) -> None:
    made = Body()
    assert not made
    made.add(item, rating=8)
    assert made
    assert made.json() == body


@pytest.mark.parametrize(
    ("item", "missing", "expected"),
    [
        (MOVIE, b'{"movies": [{"ids": {"tmdb": 9}}]}', True),
        (MOVIE, b'{"shows": [{"ids": {"tmdb": 9}}]}', False),
        (SHOW, b'{"shows": [{"ids": {"trakt": 1}}]}', True),
        (SHOW, b'{"shows": [{"ids": {"trakt": 3}}]}', False),
        (Season(show=SHOW, number=2), b'{"shows": [{"ids": {"trakt": 1}}]}', True),
        (Season(show=SHOW, number=2), b'{"seasons": [{"number": 2}]}', True),
        (Season(show=SHOW, number=2), b'{"seasons": [{"number": 3}]}', False),
        (
            Season(show=SHOW, number=2),
            b'{"seasons": [{"number": 2, "ids": {"trakt": 8}}]}',
            False,
        ),
        (
            Episode(show=SHOW, season=2, number=1),
            b'{"shows": [{"ids": {"trakt": 1}}]}',
            True,
        ),
        (Episode(show=SHOW, season=2, number=1), b'{"seasons": [{"number": 2}]}', True),
        (
            Episode(show=SHOW, season=2, number=1),
            b'{"episodes": [{"number": 1}]}',
            True,
        ),
        (
            Episode(show=SHOW, season=2, number=1, ids=Ids.of(trakt=5)),
            b'{"episodes": [{"ids": {"trakt": 6}}]}',
            False,
        ),
        (Episode(show=SHOW, season=2, number=1), b"{}", False),
    ],
)
def test_what_was_not_found(item: MediaItem, missing: bytes, expected: bool) -> None:
    answer = decode_write(b'{"not_found": ' + missing + b"}")
    assert is_missing(item, answer.not_found) is expected


def test_each_item_is_posted_once() -> None:
    posted: set[tuple[str, int, int]] = set()
    episode = Episode(show=SHOW, season=1, number=2)
    unknown = Episode(show=OTHER, season=1, number=2)
    assert [
        once(item, posted)
        for item in (episode, unknown, MOVIE, episode, unknown, MOVIE)
    ] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]


def test_the_same_item_by_ids_or_numbers() -> None:
    episode = Episode(show=SHOW, season=1, number=2, ids=Ids.of(trakt=5))
    assert same(episode, Episode(show=OTHER, season=9, number=9, ids=Ids.of(trakt=5)))
    assert same(
        episode, Episode(show=Show(title="x", ids=Ids.of(tvdb=2)), season=1, number=2)
    )
    assert not same(episode, Episode(show=SHOW, season=1, number=3))
    assert same(MOVIE, Movie(title="x", ids=Ids.of(tmdb=9)))
    assert not same(MOVIE, episode)
