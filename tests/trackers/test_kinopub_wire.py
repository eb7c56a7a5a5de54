"""KinoPub: whatever the service sends is read, or refused as a bad answer; nothing else happens."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, strategies as st
from mashumaro.codecs.orjson import ORJSONDecoder, ORJSONEncoder
import orjson
import pytest

from custom_components.up_next.account import Account, Capability
from custom_components.up_next.library import Library, overview
from custom_components.up_next.trackers.kinopub.assembly import Assembly
from custom_components.up_next.trackers.kinopub.marks import Marks, Polled
from custom_components.up_next.trackers.kinopub.shapes import (
    Shapes,
    instant,
    movie_status,
    names,
    picture,
    progress,
)
from custom_components.up_next.trackers.kinopub.wire import (
    Flipped,
    Folders,
    Heads,
    History,
    Item,
    OAuthAnswer,
    OneItem,
    OneUser,
    Serials,
    Wire,
    read,
)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ACCOUNT = Account(id="x", name="x", can=Capability.UNWATCHED)
BAD = (ValueError, TypeError, KeyError, AttributeError, LookupError)
POSTERS = {size: f"http://m.pushbr.com/{size}/1.jpg" for size in ("small", "big")}

# the recorded shapes, shortened
SERIALS = {
    "status": 200,
    "items": [
        {
            "id": 8743,
            "type": "serial",
            "title": "Бесстыжие / Shameless",
            "subtype": "",
            "posters": POSTERS,
            "total": "128",
            "watched": 122,
            "new": 6,
        }
    ],
}
MOVIES = {
    "status": 200,
    "items": [
        {
            "id": 18422,
            "type": "documovie",
            "subtype": "",
            "title": "Невидимый Рим / Rome's Invisible City",
            "posters": POSTERS,
        }
    ],
}
HISTORY = {
    "status": 200,
    "history": [
        {
            "time": 2644,
            "counter": 3,
            "first_seen": 1704067200,
            "last_seen": 1704153600,
            "deleted": False,
            "item": {
                "id": 8743,
                "title": "Бесстыжие / Shameless",
                "type": "serial",
                "year": 2011,
                "imdb": 2085059,
                "kinopoisk": 655800,
                "posters": POSTERS,
            },
            "media": {
                "id": 82468,
                "number": 1,
                "snumber": 1,
                "title": "Национальный гимн",
                "thumbnail": "https://m.pushbr.com/thumb/1/480x270.jpg",
                "duration": 2675,
            },
        }
    ],
    "pagination": {"total": 1, "current": 1, "perpage": 50, "total_items": 1},
}
WATCHING = {
    "status": 200,
    "item": {
        "id": 8743,
        "title": "Бесстыжие / Shameless",
        "type": "serial",
        "seasons": [
            {
                "id": 5379,
                "number": 2,
                "watched": 1,
                "status": 0,
                "episodes": [
                    {
                        "id": 320386,
                        "number": 1,
                        "title": "Сейф / Safe",
                        "duration": 2972,
                        "time": 0,
                        "status": 1,
                        "updated": 1507128174,
                    },
                    {
                        "id": 320884,
                        "number": 2,
                        "title": "S02E02",
                        "duration": 2700,
                        "time": 640,
                        "status": 0,
                        "updated": 1579278235,
                    },
                ],
            }
        ],
        "watched": 0,
    },
}
ITEM = {
    "status": 200,
    "item": {
        "id": 18422,
        "type": "documovie",
        "subtype": "",
        "title": "Невидимый Рим / Rome's Invisible City",
        "year": 2015,
        "duration": {"average": 3119.5, "total": 3119},
        "imdb": 5304248,
        "kinopoisk": None,
        "posters": POSTERS,
        "trailer": None,
        "in_watchlist": False,
        "videos": [
            {
                "id": 48967,
                "number": 1,
                "title": "",
                "duration": 3119,
                "watched": 0,
                "watching": {"status": 0, "time": 884},
            }
        ],
    },
}
FOLDERS = {"status": 200, "items": [{"id": 1, "title": "General", "count": "17"}]}
USER = {"status": 200, "user": {"username": "x", "subscription": {"end_time": 16}}}
PAIR = {"access_token": "a", "refresh_token": "b", "expires_in": "3600", "scope": None}
SAMPLES: tuple[tuple[type[Wire], dict[str, Any]], ...] = (
    (Serials, SERIALS),
    (Heads, MOVIES),
    (History, HISTORY),
    (OneItem, WATCHING),
    (OneItem, ITEM),
    (Folders, FOLDERS),
    (OneUser, USER),
    (OAuthAnswer, PAIR),
)

STORE, STORED = ORJSONEncoder(Library), ORJSONDecoder(Library)

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        ["", "0", "-1", "1e999", "nan", " 7 ", "x", [], {}, [None], [[]], "1.5"]
    ),
    st.text(max_size=5),
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(value, Mapping):
        for key in value:
            found += paths(value[key], (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            found += paths(each, (*path, index))
    return found


@st.composite
def mutated(draw: st.DrawFn, sample: dict[str, Any]) -> bytes:
    """Drop or replace a few values of a sample."""
    value = deepcopy(sample)
    for _ in range(draw(st.integers(1, 5))):
        *parents, last = draw(st.sampled_from(paths(value) or [("x",)]))
        target = value
        for key in parents:
            target = target[key]
        if draw(st.booleans()) and isinstance(target, dict):
            target.pop(last, None)
        else:
            target[last] = deepcopy(draw(ODD))
    return orjson.dumps(value)


def read_or_refuse[T: Wire](shape: type[T], body: bytes) -> T | None:
    try:
        return read(shape)(body)
    except BAD:
        return None


@pytest.mark.parametrize(("shape", "sample"), SAMPLES)
def test_samples_are_read(shape: type[Wire], sample: dict[str, Any]) -> None:
    assert read(shape)(orjson.dumps(sample))


@pytest.mark.parametrize("shape", [shape for shape, _ in SAMPLES])
@given(body=st.one_of(ODD.map(orjson.dumps), st.binary(max_size=20)))
def test_anything_else_is_refused(shape: type[Wire], body: bytes) -> None:
    found = read_or_refuse(shape, body)
    assert found is None or isinstance(found, OAuthAnswer)


@given(body=mutated(USER))
def test_users(body: bytes) -> None:
    found = read_or_refuse(OneUser, body)
    if found is not None:
        assert found.user.username
        instant(found.user.subscription.end_time)


@given(body=mutated(PAIR))
def test_pairs(body: bytes) -> None:
    found = read_or_refuse(OAuthAnswer, body)
    if found is not None:
        assert isinstance(found.access_token, str)
        assert isinstance(found.expires_in, int)


@given(body=mutated(FOLDERS))
def test_folders(body: bytes) -> None:
    found = read_or_refuse(Folders, body)
    if found is not None:
        assert all(isinstance(row.count, int) for row in found.items)


@given(
    serials=mutated(SERIALS),
    movies=mutated(MOVIES),
    history=mutated(HISTORY),
    serial=mutated(WATCHING),
    movie=mutated(ITEM),
)
def test_a_library_comes_of_whatever_can_be_read(
    serials: bytes, movies: bytes, history: bytes, serial: bytes, movie: bytes
) -> None:
    rows = read_or_refuse(Serials, serials)
    heads = read_or_refuse(Heads, movies)
    opened = read_or_refuse(History, history)
    if rows is None or heads is None or opened is None:
        return
    details = [read_or_refuse(OneItem, serial), read_or_refuse(OneItem, movie)]
    polled = Polled(
        serials={str(row.id): row for row in rows.items if row.id > 0},
        movies=[head for head in heads.items if head.id > 0],
        history=[row for row in opened.history if row.item.id > 0],
    )
    library = None
    for _ in range(2):
        assembly = Assembly(
            shapes=Shapes(),
            known=library,
            marks=Marks.load(library.markers if library else {}),
            polled=polled,
            now=NOW,
            own={},
        )
        assembly.wanted(frozenset({1, 8743}))
        library = assembly.library(
            ACCOUNT, (), {d.item.id: d.item for d in details if d}, ()
        )
        assert overview(library, NOW).unwatched >= 0
        assert Marks.load(library.markers).dump() == library.markers
        assert STORED.decode(STORE.encode(library)).shows == library.shows


@given(body=st.one_of(mutated(WATCHING), mutated(ITEM)))
def test_details(body: bytes) -> None:
    found = read_or_refuse(OneItem, body)
    if found is None:
        return
    shapes = Shapes(local=True)
    detail = shapes.detail(found.item, shapes.show(found.item))
    assert progress(detail, found.item, NOW).left >= 0
    assert movie_status(found.item) in (-1, 0, 1)
    shapes.movie(found.item)


# rules


def test_a_missing_list_is_not_an_empty_one() -> None:
    for body in (b"{}", b'{"items":null}', b'{"items":{}}', b'{"items":"x"}'):
        with pytest.raises(BAD):
            read(Serials)(body)
    assert read(Serials)(b'{"items":[]}').items == []


def test_numbers_come_in_any_dress() -> None:
    row = {"id": "5", "total": "128", "watched": 12.0, "year": "x", "imdb": None}
    (found,) = read(Serials)(orjson.dumps({"items": [row, 3]})).items
    assert (found.id, found.total, found.watched, found.year) == (5, 128, 12, 0)
    assert read(Flipped)(b'{"watching":"0"}').watching is False
    assert read(Flipped)(b'{"watching":true}').watching is True


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Матрица / The Matrix", ("Матрица", "The Matrix")),
        ("Серебряные коньки", ("Серебряные коньки", "Серебряные коньки")),
        ("Без лица / Face / Off", ("Без лица", "Face / Off")),
        ("AC/DC", ("AC/DC", "AC/DC")),
        ("Одно / ", ("Одно /", "Одно /")),
        ("", ("", "")),
    ],
)
def test_names(title: str, expected: tuple[str, str]) -> None:
    assert names(title.strip()) == expected


def test_pictures_are_asked_over_https() -> None:
    assert picture("http://m.pushbr.com/a.jpg") == "https://m.pushbr.com/a.jpg"
    assert picture("http://127.0.0.1:1/a.png") == "http://127.0.0.1:1/a.png"
    assert picture("http://[") is None
    assert picture(None) is None


def test_times_no_calendar_has() -> None:
    assert instant(0) is None
    assert instant(2**62) is None
    assert instant(1_600_000_000) == datetime(2020, 9, 13, 12, 26, 40, tzinfo=UTC)


def test_status_of_movies() -> None:
    def status(*states: int) -> int:
        videos = [{"number": n, "status": s} for n, s in enumerate(states, 1)]
        return movie_status(Item.from_dict({"id": 1, "videos": videos}))

    assert [status(), status(1, 1), status(-1), status(0), status(1, -1)] == [
        -1,
        1,
        -1,
        0,
        0,
    ]


def test_watched_is_never_made_of_time() -> None:
    video = {"number": 1, "status": -1, "time": 2437, "duration": 2373, "updated": 5}
    item = Item.from_dict({"id": 1, "seasons": [{"number": 1, "episodes": [video]}]})
    shapes = Shapes()
    (row,) = shapes.detail(item, shapes.show(item)).episodes
    assert not row.watched
    assert row.last_watched_at is None, "kept after un-watching"
