"""Simkl's payloads as documented, and as nobody documented them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
import copy
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings, strategies as st
import orjson
import pytest

from custom_components.up_next.library import ShowProgress, ShowStatus
from custom_components.up_next.media import Episode, Movie, Show
from custom_components.up_next.trackers.simkl.history import since
from custom_components.up_next.trackers.simkl.payloads import (
    Airing,
    Found,
    ListedEpisode,
    Paused,
    Reply,
    Settings,
    Title,
    TokenAnswer,
    activities,
    decoder,
    elements,
    external_ids,
    list_decoder,
    marker,
    moment,
    number,
)
from custom_components.up_next.trackers.simkl.reading import (
    Builder,
    Rows,
    airings_of,
    calendar_index,
    details,
    playbacks,
    with_former,
)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
BUILDER = Builder(None)

# the shapes of data/simkl/*.json, shortened
SHOW_ROW: dict[str, Any] = {
    "added_to_watchlist_at": "2014-11-12T18:42:53Z",
    "last_watched_at": "2026-11-04T19:40:59Z",
    "user_rated_at": None,
    "user_rating": None,
    "status": "watching",
    "last_watched": "S08E02",
    "next_to_watch": "S08E03",
    "watched_episodes_count": 126,
    "total_episodes_count": 165,
    "not_aired_episodes_count": 11,
    "show": {
        "title": "Futurama",
        "poster": "18/18421459bbf0f06beb",
        "year": 1999,
        "ids": {
            "simkl": 3407,
            "slug": "futurama",
            "imdb": "tt0149460",
            "tvdb": "73871",
        },
        "runtime": 22,
    },
    "seasons": [
        {"number": 1, "episodes": [{"number": 2, "watched_at": "2026-05-15T00:32:20Z"}]}
    ],
    "next_to_watch_info": {
        "title": "How the West Was 1010001",
        "season": 8,
        "episode": 3,
        "date": "2023-08-07T00:00:00-05:00",
    },
}
ANIME_ROW: dict[str, Any] = SHOW_ROW | {
    "last_watched": "E04",
    "next_to_watch": "E05",
    "watched_episodes_count": "4",
    "total_episodes_count": 12,
    "not_aired_episodes_count": 0,
    "show": {
        "title": "Shingeki no Kyojin Season 2",
        "poster": None,
        "year": 2017,
        "ids": {
            "simkl": 439744,
            "slug": "shingeki-no-kyojin-season-2",
            "mal": "25777",
            "tvdb": "267440",
        },
    },
    "anime_type": "tv",
    "seasons": [{"number": 1, "episodes": [{"number": n} for n in (1, 2, 3, 4)]}],
}
MOVIE_ROW: dict[str, Any] = {
    "added_to_watchlist_at": "2026-04-10T20:13:02Z",
    "last_watched_at": "1994-09-01T16:00:00Z",
    "status": "completed",
    "watched_episodes_count": 0,
    "movie": {
        "title": "The Godfather",
        "year": 1972,
        "ids": {"simkl": 53434, "imdb": "tt0068646", "tmdb": "238"},
    },
}
ITEMS = {"shows": [SHOW_ROW], "anime": [ANIME_ROW], "movies": [MOVIE_ROW]}
ACTIVITIES = {
    "all": "2026-11-20T21:14:50Z",
    "settings": {"all": None},
    "tv_shows": {
        "all": "2026-11-20T21:14:50Z",
        "watching": "2026-11-20T21:10:58Z",
        "hold": None,
    },
    "movies": {"all": None, "notinteresting": "2026-05-14T06:49:56Z"},
    "custom_lists": {"lists": {"all": None}},
}
PLAYBACK = [
    {
        "id": 10916891,
        "progress": 45.5,
        "paused_at": "2026-11-20T21:14:50Z",
        "type": "episode",
        "episode": {
            "season": 8,
            "episode": 3,
            "title": "How the West Was 1010001",
            "tvdb_season": 8,
        },
        "show": {"title": "Futurama", "year": 1999, "ids": {"simkl": 3407}},
    },
    {
        "id": 1,
        "progress": "30",
        "watched_at": "2026-11-19T20:01:00Z",
        "type": "movie",
        "movie": MOVIE_ROW["movie"],
    },
    {"id": 2, "anime": ANIME_ROW["show"], "episode": {"number": 4}},
    {"id": 3, "show": SHOW_ROW["show"], "episode": {}},
    {"id": 4},
]
EPISODES = [
    {
        "title": "Days Gone Bye",
        "season": 1,
        "episode": 1,
        "type": "episode",
        "date": "2010-10-31T00:00:00-05:00",
        "aired": True,
        "runtime": 67,
        "ids": {"simkl_id": 310766},
    },
    {
        "title": "Behind The Dead",
        "type": "special",
        "date": "2017-10-19T00:00:00-05:00",
        "aired": True,
        "ids": {"simkl_id": 2527432},
    },
]
CALENDAR = {
    "calendar": [
        {
            "simkl_id": 3437,
            "date": "2026-11-30T04:00:00Z",
            "finale_type": 2,
            "episode": {
                "season": 15,
                "episode": 10,
                "title": "Propane Recall",
                "runtime": 24,
            },
        },
        {
            "simkl_id": 3437,
            "date": "2026-11-23T04:00:00Z",
            "episode": {"season": 15, "episode": 9, "title": "Episode 9"},
        },
        {
            "simkl_id": 38636,
            "date": "2026-11-22T14:15:00Z",
            "episode": {"episode": 1170},
        },
        {"simkl_id": 1, "date": "2026-11-22T14:15:00Z"},
        {"simkl_id": 2, "episode": {"episode": 1}},
    ],
    "metadata": {"3437": {"title": "King of the Hill"}},
}
REPLY = {
    "added": {
        "movies": 1,
        "shows": 0,
        "episodes": 1,
        "statuses": [
            {"request": {"ids": {"simkl": 3407}}, "response": {"status": "watching"}}
        ],
    },
    "not_found": {
        "movies": [{"ids": {"simkl": 9}, "type": "movie"}],
        "shows": [],
        "episodes": [],
    },
}
SETTINGS = {
    "user": {"name": "example_user", "age": 28},
    "account": {"id": 12345, "type": "free"},
    "connections": {"facebook": False},
}
TOKENS = {
    "access_token": "simkl_at_x",
    "token_type": "Bearer",
    "expires_in": 604800,
    "refresh_token": "simkl_rt_x",
    "scope": "media:read media:write",
}
FOUND = [
    {
        "title": "Futurama",
        "year": 1999,
        "poster": "18/18",
        "endpoint_type": "tv",
        "ids": {"simkl_id": 3407, "slug": "futurama"},
    }
]


def rows_of(items: Any) -> Rows:
    return BUILDER.rows(NOW)(orjson.dumps(items))


def test_rows() -> None:
    rows = rows_of(ITEMS)
    futurama = rows.shows["3407"]
    assert (futurama.aired, futurama.watched, futurama.left) == (154, 126, 28)
    assert futurama.show.runtime == 1320
    assert futurama.next_episode is not None
    assert (futurama.next_episode.code, futurama.next_episode.title) == (
        "S08E03",
        "How the West Was 1010001",
    )
    assert futurama.next_episode.first_aired == datetime(2023, 8, 7, 5, tzinfo=UTC)
    # 1 of 126 episodes listed: not the whole truth
    assert futurama.seen is None
    titan = rows.shows["439744"]
    assert titan.show.anime and titan.seen == "1:1-4" and titan.left == 8
    assert (
        titan.show.url == "https://simkl.com/anime/439744/shingeki-no-kyojin-season-2"
    )
    assert titan.show.picture is None
    godfather = rows.movies["53434"]
    assert godfather.watched and godfather.movie.url == "https://simkl.com/movies/53434"
    assert [p.watched_at for p in rows.plays()] == [
        datetime(2026, 5, 15, 0, 32, 20, tzinfo=UTC),
        datetime(1994, 9, 1, 16, tzinfo=UTC),
    ]


def test_caught_up_is_the_service_s_word() -> None:
    walking = SHOW_ROW | {
        "next_to_watch": None,
        "watched_episodes_count": 164,
        "total_episodes_count": 177,
        "not_aired_episodes_count": 0,
    }
    row = rows_of({"shows": [walking]}).shows["3407"]
    assert (row.caught_up, row.left, row.aired - row.watched) == (True, 0, 13)
    # and that something is left weighs more than its own counters
    stale = SHOW_ROW | {"watched_episodes_count": 165}
    assert rows_of({"shows": [stale]}).shows["3407"].left == 1


def test_specials_do_not_count_whether_the_counter_holds_them_or_not() -> None:
    seasons = [
        {"number": 0, "episodes": [{"number": 1}]},
        {"number": 1, "episodes": [{"number": 1}, {"number": 2}]},
    ]
    for count in (2, 3):
        row = SHOW_ROW | {
            "seasons": seasons,
            "watched_episodes_count": count,
            "total_episodes_count": 10,
            "not_aired_episodes_count": 0,
        }
        found = rows_of({"shows": [row]}).shows["3407"]
        assert (found.watched, found.left, found.seen) == (2, 8, "0:1 1:1-2")


def test_a_delta_that_lists_only_what_changed() -> None:
    former = rows_of({"anime": [ANIME_ROW]}).shows["439744"]
    fifth = ANIME_ROW | {
        "watched_episodes_count": 5,
        "seasons": [{"number": 1, "episodes": [{"number": 5}]}],
    }
    fresh = rows_of({"anime": [fifth]})
    row = fresh.shows["439744"]
    assert row.seen is None
    assert with_former(row, frozenset(fresh.dates["439744"]), former).seen == "1:1-5"
    # with something unmarked meanwhile, nobody knows
    wrong = rows_of({"anime": [fifth | {"watched_episodes_count": 3}]}).shows["439744"]
    assert with_former(wrong, frozenset({(1, 5)}), former).seen is None
    assert with_former(row, frozenset({(1, 5)}), None).seen is None


def test_anime_movies_and_other_kinds_of_rows() -> None:
    film = ANIME_ROW | {"anime_type": "movie", "status": "plantowatch"}
    rows = rows_of(
        {
            "anime": [film],
            "shows": [{"show": {"ids": {"simkl": 5, "slug": "x"}}}, {}],
            "movies": [{"movie": {"ids": {"simkl": 6}}}, {}],
        }
    )
    assert isinstance(rows.listed["439744"].item, Movie)
    assert (
        rows.movies["439744"].movie.url
        == "https://simkl.com/anime/439744/shingeki-no-kyojin-season-2"
    )
    assert rows.keys == {"439744", "5", "6"}
    assert not rows.shows
    odd = rows_of(
        {
            "shows": [SHOW_ROW | {"status": "notinteresting"}],
            "movies": [MOVIE_ROW | {"status": "notinteresting"}],
        }
    )
    assert odd.shows["3407"].status is ShowStatus.DROPPED and odd.dropped == {"53434"}
    assert (
        rows_of({"shows": [SHOW_ROW | {"status": "new word"}]}).shows["3407"].status
        is ShowStatus.HIDDEN
    )


@pytest.mark.parametrize(
    "empty", [None, [], {}, {"shows": []}, {"shows": None, "anime": {}}]
)
def test_five_ways_to_be_empty(empty: Any) -> None:
    assert rows_of(empty) == Rows()


def test_lists_are_read_one_element_at_a_time() -> None:
    body = b' {"a" : [1, {"b": [2]} , "x"],"n":null, "c":{"d":[1]},"e":[ ] } '
    assert list(elements(body)) == [("a", 1), ("a", {"b": [2]}), ("a", "x")]
    assert [list(elements(b)) for b in (b"null", b"[]", b"{}", b" { } ")] == [[]] * 4
    for broken in (
        b"",
        b"{",
        b'{"a":[1',
        b'{"a":[1 2]}',
        b'{"a":[1,]}',
        b'{"a":[1]} x',
        b'{"a":[1]',
        b'{"a" [1]}',
        b"{1:[]}",
        b'{"a":1,}',
        b'{"a":"\xff"}',
        b'{"a":[' + b"[" * 200_000 + b"]}",
        b"[1]",
        b"7",
    ):
        with pytest.raises((ValueError, TypeError)):
            list(elements(broken))


def test_activities() -> None:
    flat = activities(orjson.dumps(ACTIVITIES))
    assert flat["all"] == flat["tv_shows.all"] == "2026-11-20T21:14:50Z"
    assert (
        flat["tv_shows.hold"] == "" and flat["movies.dropped"] == "2026-05-14T06:49:56Z"
    )
    for body in (b"null", b"[]", b"{}", b'"all"'):
        with pytest.raises(ValueError, match="activities"):
            activities(body)
    assert since("2026-11-20T21:14:50Z") == "2026-11-20T21:14:49Z"
    assert since("") == "1970-01-01T00:00:00Z"


def test_small_values() -> None:
    assert [number(v) for v in ("12", 12, 12.0)] == [12] * 3
    strange: list[object] = [True, None, "", "x", float("nan"), float("inf"), []]
    assert [number(v) for v in strange] == [None] * len(strange)
    assert (
        marker("S08E03") == (8, 3)
        and marker("E148") == (1, 148)
        and marker("E2") == (1, 2)
    )
    assert [marker(v) for v in ("S08", "", None, 4, "S1E1x")] == [None] * 5
    assert moment("1970-01-01T00:00:01Z") is None
    assert moment("2026-11-20T21:14:50") == datetime(
        2026, 11, 20, 21, 14, 50, tzinfo=UTC
    )
    assert [
        moment(v)
        for v in (
            "2026-11-20",
            None,
            "no time at all, really",
            "0001-01-01T00:00:00+14:00",
        )
    ] == [None] * 4
    assert external_ids({"simkl_id": 3, "slug": "x", "tmdb": None}).values == {
        "simkl": "3",
        "slug": "x",
    }
    assert not external_ids([])


def test_playbacks() -> None:
    found = playbacks(list_decoder(Paused)(orjson.dumps(PLAYBACK)), BUILDER, NOW)
    assert [p.id for p in found] == ["10916891", "1", "2"]
    first, second, third = found
    assert isinstance(first.item, Episode) and (
        first.item.season,
        first.item.number,
    ) == (8, 3)
    assert first.progress == 45.5
    assert second.progress == 30 and second.updated_at == datetime(
        2026, 11, 19, 20, 1, tzinfo=UTC
    )
    assert (
        isinstance(third.item, Episode)
        and third.item.code == "E04"
        and third.updated_at == NOW
    )


def test_calendar() -> None:
    index = calendar_index(orjson.dumps(CALENDAR))
    assert set(index) == {"3437", "38636"}
    show = Show(title="King of the Hill")
    row = ShowProgress(
        show=show, aired=1, watched=1, counted_at=NOW - timedelta(days=10)
    )
    episodes = airings_of(row, (), index["3437"], NOW)
    assert [e.number for e in episodes] == [9, 10]
    assert episodes[1].runtime == 1440
    later = NOW + timedelta(days=9)
    # two days after it aired the calendar has forgotten it; it stays until the show is counted anew
    assert [e.number for e in airings_of(row, episodes, index["3437"][1:], later)] == [
        9,
        10,
    ]
    assert [e.number for e in airings_of(row, episodes, None, later)] == [9, 10]
    counted = ShowProgress(show=show, aired=2, watched=1, counted_at=later)
    assert airings_of(counted, episodes, [], later) == ()
    # what was to come and is in the calendar no more will not come
    assert airings_of(row, episodes, [], NOW) == ()
    assert calendar_index(b'{"metadata": [1], "calendar": [4, null]}') == {}
    with pytest.raises(TypeError):
        calendar_index(b'"Not Found"')


def test_when_an_episode_airs() -> None:
    show = Show(title="x")

    def aired_at(exact: datetime | None = None, **row: Any) -> datetime | None:
        listed = [ListedEpisode.from_dict({"season": 1, "episode": 1} | row)]
        known = {} if exact is None else {(1, 1): exact}
        (detail,) = details(
            listed, show, lambda place, aired: aired, dates={}, known=known, now=NOW
        )
        assert detail.watched is (
            detail.episode.first_aired is not None and detail.episode.first_aired <= NOW
        )
        return detail.episode.first_aired

    assert aired_at(exact=NOW, aired=False) == NOW
    assert aired_at(aired=True, date="2026-11-21T00:00:00-05:00") == datetime(
        2026, 11, 21, 5, tzinfo=UTC
    )
    assert aired_at(aired=True, date="2026-12-21T00:00:00-05:00") == NOW
    assert aired_at(aired=True) is not None
    assert aired_at(aired=False) is None
    assert aired_at(aired=False, date="2026-12-21T00:00:00-05:00") == datetime(
        2026, 12, 21, 5, tzinfo=UTC
    )
    today = aired_at(aired=False, date="2026-11-21T00:00:00-05:00")
    assert today is not None and NOW < today < NOW + timedelta(days=1)
    listed = list_decoder(ListedEpisode)(orjson.dumps(EPISODES))
    # specials have no numbers
    assert (
        len(
            details(
                listed, show, lambda place, aired: False, dates={}, known={}, now=NOW
            )
        )
        == 1
    )


# mutations ----------------------------------------------------------------------------------------------------

ODDITIES = st.one_of(
    st.none(),
    st.just([]),
    st.just({}),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.integers().map(str),
    st.sampled_from(
        [
            "E0",
            "S99999E1",
            "-1",
            "1e400",
            "0000-00-00T00:00:00Z",
            "9999-12-31T23:59:59-23:59",
            "S01E01",
        ]
    ),
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(value, dict):
        for key in value:
            found += _places(value[key], (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found += _places(item, (*path, index))
    return found


def _mutated(data: st.DataObject, sample: Any) -> tuple[bytes, bool]:
    """Return a mutated payload, and whether its outermost object was touched."""
    changed, outer = copy.deepcopy(sample), False
    for _ in range(data.draw(st.integers(1, 4))):
        places = _places(changed)
        if not places:
            break
        path = data.draw(st.sampled_from(places))
        outer = outer or len(path) == 1
        holder = changed
        for key in path[:-1]:
            holder = holder[key]
        if isinstance(holder, dict) and data.draw(st.booleans()):
            del holder[path[-1]]
        else:
            holder[path[-1]] = data.draw(ODDITIES)
    try:
        return orjson.dumps(changed), outer
    except TypeError:
        # integers beyond 64 bits
        return orjson.dumps(sample), False


def _read_playback(body: bytes) -> object:
    return playbacks(list_decoder(Paused)(body), BUILDER, NOW)


def _read_rows(body: bytes) -> object:
    rows = BUILDER.rows(NOW)(body)
    return rows.plays(), [
        with_former(row, frozenset(), row) for row in rows.shows.values()
    ]


def _read_calendar(body: bytes) -> object:
    row = ShowProgress(show=Show(title="x"), aired=1, watched=1, counted_at=NOW)
    return [airings_of(row, (), found, NOW) for found in calendar_index(body).values()]


def _read_episodes(body: bytes) -> object:
    listed = list_decoder(ListedEpisode)(body)
    return details(
        listed, Show(title="x"), lambda place, aired: aired, dates={}, known={}, now=NOW
    )


READERS: list[tuple[Any, Callable[[bytes], object]]] = [
    (ITEMS, _read_rows),
    (ACTIVITIES, activities),
    (PLAYBACK, _read_playback),
    (EPISODES, _read_episodes),
    (CALENDAR, _read_calendar),
    (REPLY, decoder(Reply)),
    (SETTINGS, decoder(Settings)),
    (TOKENS, decoder(TokenAnswer)),
    (FOUND, list_decoder(Found)),
    (SHOW_ROW["show"], decoder(Title)),
    (CALENDAR["calendar"], list_decoder(Airing)),
]


@pytest.mark.parametrize("which", range(len(READERS)))
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_odd_payloads_are_read_or_refused(which: int, data: st.DataObject) -> None:
    sample, read = READERS[which]
    body, outer = _mutated(data, sample)
    if outer:
        # the few shapes that mean nothing at all are what Transport.decode calls a bad answer
        with suppress(ValueError, TypeError):
            read(body)
    else:
        read(body)
