"""The payload parsers never fail in an unexpected way, whatever a field holds."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
import json
import random
from typing import Any

from hypothesis import given, settings, strategies as st
import orjson
import pytest

from custom_components.up_next.trackers.trakt import payloads
from custom_components.up_next.trackers.trakt.convert import Converter, next_number
from custom_components.up_next.trackers.trakt.draft import Draft, parse
from custom_components.up_next.trackers.trakt.lookup import _numbers

NOW = datetime(2026, 11, 21, tzinfo=UTC)
SHOW = {
    "title": "Silo",
    "year": 2023,
    "ids": {"trakt": 180770, "slug": "silo", "tvdb": 403245, "imdb": "tt14688458"},
    "runtime": 50,
    "aired_episodes": 20,
    "genres": ["drama"],
    "images": {
        "poster": ["media.trakt.tv/images/shows/x.jpg.webp"],
        "thumb": [],
        "fanart": [],
    },
}
EPISODE = {
    "season": 2,
    "number": 1,
    "title": "The Engineer",
    "ids": {"trakt": 12105047, "tvdb": 10232256, "imdb": None, "tmdb": 5501094},
    "first_aired": "2024-11-15T02:00:00.000Z",
    "runtime": 46,
    "images": {"screenshot": ["media.trakt.tv/images/episodes/x.jpg.webp"]},
}
MOVIE = {"title": "Heretic", "year": 2024, "ids": {"trakt": 916302}, "runtime": 111}
SEEN = {"number": 1, "completed": True, "last_watched_at": "2026-11-09T20:31:00.000Z"}
PROGRESS = {
    "aired": 20,
    "completed": 11,
    "last_watched_at": "2026-11-20T20:31:00.000Z",
    "reset_at": None,
    "next_episode": EPISODE,
    "last_episode": EPISODE,
    "seasons": [{"number": 1, "aired": 1, "completed": 1, "episodes": [SEEN]}],
}
NOT_FOUND: dict[str, Any] = {
    "movies": [{"ids": {"imdb": "tt0000111"}}],
    "shows": [],
    "seasons": [{"number": 3}],
    "episodes": [{"number": 9}],
}
SAMPLES: list[tuple[Callable[[bytes], Any], Any]] = [
    (payloads.decode_activities, {"all": "x", "movies": {"watched_at": "y"}}),
    (payloads.decode_settings, {"user": {"username": "a", "ids": {"uuid": "b"}}}),
    (payloads.decode_stats, {"movies": {"watched": 5, "plays": 6}, "shows": None}),
    (
        payloads.decode_watching,
        {
            "started_at": "2026-11-20T20:31:00.000Z",
            "expires_at": "2026-11-20T21:13:00.000Z",
            "type": "episode",
            "episode": EPISODE,
            "show": SHOW,
        },
    ),
    (payloads.decode_progress, PROGRESS),
    (payloads.decode_title, SHOW),
    (payloads.decode_write, {"added": {"movies": 1}, "not_found": NOT_FOUND}),
    (payloads.decode_token, {"access_token": "a", "expires_in": 604800}),
    (payloads.decode_device, {"device_code": "a", "user_code": "b", "interval": 5}),
    (payloads.decode_oauth_error, {"error": "invalid_grant"}),
    (payloads.decode_up_next, [{"show": SHOW, "progress": PROGRESS}]),
    (
        payloads.decode_history,
        [
            {
                "id": 11923847561,
                "watched_at": "2026-11-20T20:31:00.000Z",
                "type": "episode",
                "episode": EPISODE,
                "show": SHOW,
            },
            {"id": 2, "watched_at": None, "type": "movie", "movie": MOVIE},
        ],
    ),
    (
        payloads.decode_watchlist,
        [
            {"listed_at": "2026-11-18T18:00:00.000Z", "type": "show", "show": SHOW},
            {"type": "season", "season": {"number": 2, "ids": {}}, "show": SHOW},
        ],
    ),
    (
        payloads.decode_playback,
        [{"id": 1, "progress": 41.5, "type": "movie", "movie": MOVIE}],
    ),
    (payloads.decode_hidden, [{"type": "show", "show": SHOW}]),
    (
        payloads.decode_calendar,
        [
            {
                "first_aired": "2026-11-22T02:00:00.000Z",
                "episode": EPISODE,
                "show": SHOW,
            }
        ],
    ),
    (
        payloads.decode_watched,
        [
            {
                "last_updated_at": "2026-11-20T20:31:00.000Z",
                "show": SHOW,
                "seasons": [{"number": 1, "episodes": [{"number": 1, "plays": 1}]}],
            }
        ],
    ),
    (payloads.decode_seasons, [{"number": 1, "ids": {}, "episodes": [EPISODE]}]),
    (payloads.decode_search, [{"type": "movie", "score": 1.5, "movie": MOVIE}]),
    (payloads.decode_minimal, {"1": {"2|1": {"1": ["x"]}}}),
]
ODD: list[Any] = [
    None,
    [],
    {},
    "",
    "7",
    "x",
    0,
    -1,
    3.5,
    True,
    [None],
    {"a": 1},
    "0001-01-01T00:00:00+14:00",
    1e308,
]


def mutate(value: Any, rng: random.Random, times: int) -> Any:
    """Drop keys and replace values anywhere in a payload."""
    value = json.loads(json.dumps(value))
    for _ in range(times):
        places: list[tuple[Any, Any]] = []
        _walk(value, places)
        if not places:
            return value
        holder, key = rng.choice(places)
        if isinstance(holder, dict) and rng.random() < 0.3:
            del holder[key]
        else:
            holder[key] = deepcopy(rng.choice(ODD))
    return value


def _walk(value: Any, places: list[tuple[Any, Any]]) -> None:
    items = (
        list(value.items())
        if isinstance(value, dict)
        else list(enumerate(value))
        if isinstance(value, list)
        else []
    )
    for key, inner in items:
        places.append((value, key))
        _walk(inner, places)


def convert(rows: Any) -> None:
    """Make media of whatever was decoded."""
    maker = Converter("http://127.0.0.1:1")
    for row in rows if isinstance(rows, list) else [rows]:
        match row:
            case payloads.HistoryRow():
                maker.play(row)
            case payloads.WatchlistRow():
                maker.entry(row)
            case payloads.PlaybackRow():
                maker.playback(row, NOW)
            case payloads.WatchingBody():
                maker.watching(row, NOW)
            case payloads.ProgressRow() if row.progress and row.show:
                show = maker.show(row.show)
                if show:
                    maker.listing(show, row.progress, NOW, {(1, 1): False})
            case payloads.CalendarRow():
                maker.episode(maker.show(row.show), row.episode, row.first_aired)
            case payloads.MediaBody():
                maker.item(row)


@pytest.mark.parametrize("index", range(len(SAMPLES)))
@given(seed=st.integers(0, 2**32), times=st.integers(0, 6))
@settings(max_examples=60, deadline=None)
def test_mutated_payloads(index: int, seed: int, times: int) -> None:
    decode, sample = SAMPLES[index]
    mutated = mutate(sample, random.Random(seed), times)
    convert(decode(json.dumps(mutated).encode()))


@given(st.recursive(st.none() | st.booleans() | st.text(), st.lists))
@settings(max_examples=50, deadline=None)
def test_other_documents_are_value_errors(document: Any) -> None:
    body = json.dumps(document).encode()
    for decode, sample in SAMPLES:
        if type(document) is type(sample) or document == []:
            continue
        with pytest.raises(ValueError, match="not a"):
            decode(body)


def test_strings_for_numbers_and_the_like() -> None:
    body = json.dumps(
        [
            {
                "show": SHOW,
                "progress": {"aired": "20", "completed": "11", "next_episode": []},
            }
        ]
    )
    [row] = payloads.decode_up_next(body.encode())
    assert (row.progress.aired, row.progress.completed) == (20, 11)
    maker = Converter(None)
    show = maker.show(row.show)
    assert show.runtime == 3000
    assert show.picture == "https://media.trakt.tv/images/shows/x.jpg.webp"
    assert list(show.ids.values) == ["trakt", "imdb", "tvdb", "slug"]
    assert maker.episode(show, row.progress.next_episode) is None
    assert maker.picture("https://x/y.png") == "https://x/y.png"


def test_the_epoch_is_an_unknown_time() -> None:
    maker = Converter(None)
    for at in ("1970-01-01T00:00:00.000Z", None, "unknown"):
        body = [{"id": 1, "watched_at": at, "movie": MOVIE, "type": "movie"}]
        [row] = payloads.decode_history(json.dumps(body).encode())
        assert maker.play(row).watched_at is None


def test_the_next_episode_is_after_the_furthest_watched_one_else_a_gap() -> None:
    regular = [(1, 1), (1, 2), (1, 3), (2, 1)]
    assert next_number(regular, set()) == (1, 1)
    assert next_number(regular, {(1, 1), (1, 3)}) == (2, 1)
    assert next_number(regular, {(1, 1), (2, 1)}) == (1, 2)
    assert next_number(regular, set(regular)) is None


def test_counters_without_episodes() -> None:
    maker = Converter(None)
    body = payloads.decode_progress(json.dumps({**PROGRESS, "seasons": None}).encode())
    row = maker.listing(
        maker.show(payloads.decode_title(json.dumps(SHOW).encode())), body, NOW, {}
    )
    assert (row.aired, row.watched, row.seen) == (20, 11, None)


def test_the_minimal_list() -> None:
    assert _numbers({"1": {"257490|2": {"3": []}}, "2": []}) == {
        "1": {(2, 3)},
        "2": set(),
    }
    assert _numbers({"1": {"257490": {"3": []}}}) is None
    assert _numbers({"1": {"257490|1": {"5165667": []}}}) is None
    assert payloads.decode_minimal(b"[]") == {}
    assert payloads.decode_minimal_keys(b"[]") == frozenset()


@given(
    st.dictionaries(
        st.integers(1, 10**9).map(str),
        st.dictionaries(
            st.text(max_size=5), st.lists(st.text(max_size=5), max_size=2), max_size=2
        ),
        max_size=4,
    )
)
def test_the_keys_of_a_minimal_list_are_those_of_the_whole(
    data: dict[str, object],
) -> None:
    body = orjson.dumps(data)
    assert payloads.decode_minimal_keys(body) == set(payloads.decode_minimal(body))
    for cut in (1, len(body) // 2, len(body) - 1):
        if 0 < cut < len(body):
            with pytest.raises(ValueError, match="whole"):
                payloads.decode_minimal_keys(body[:cut])


def test_a_minimal_list_that_is_something_else() -> None:
    for body in (b"", b"1", b'"x"', b"null"):
        with pytest.raises(ValueError, match="whole"):
            payloads.decode_minimal_keys(body)


def test_notes() -> None:
    assert parse("2026-11-21T00:00:00") is None
    assert parse("x") is None
    assert parse(None) is None
    draft = Draft.__new__(Draft)
    draft.markers = {}
    draft.note("settle.history", NOW)
    assert draft.settles() == NOW
    draft.note("settle.history", None)
    assert draft.settles() is None
