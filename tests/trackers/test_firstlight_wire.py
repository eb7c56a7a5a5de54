"""What a Firstlight server sends, mangled: nothing but the expected errors, and no wrong values."""

from __future__ import annotations

from collections.abc import Callable
import copy
from datetime import UTC, datetime
import json
from typing import Any

from hypothesis import given, strategies as st
import orjson
import pytest

from custom_components.up_next.media import Episode, Movie
from custom_components.up_next.trackers.firstlight.wire import (
    Bookmark,
    Envelope,
    SeasonRow,
    Title,
    read_list,
    read_one,
)

ROWS = [
    {"itemId": "content123", "offset": 100, "ut": 1633092707736},
    {
        "episodeId": "episode36",
        "itemId": "itemid-36",
        "offset": 120,
        "seasonId": "season36",
        "ut": 1631686767623,
    },
]
SEASONS = [
    {
        "id": "BE8EC421",
        "title": "Season 1",
        "seasonNumber": 1,
        "numEpisodes": 10,
        "episodes": [
            {
                "id": "73E59650",
                "seasonId": "BE8EC421",
                "episodeNumber": 1,
                "title": "Episode 1",
                "playDuration": 1457,
                "previewUrl": "https://image-resizer.example/image/EP/0-16x9.jpg",
                "deeplink": "https://www.example/player/1",
            }
        ],
    }
]
TITLE = {
    "id": "EB6068D9",
    "title": "Example Series",
    "originalTitle": "Example Series",
    "titleType": "series",
    "hrPosterUrl": "https://image-resizer.example/image/ID/0-16x9.jpg",
    "vrPosterUrl": "https://image-resizer.example/image/ID/0-2x3.jpg",
    "releaseDate": "",
    "runtime": 0,
    "deeplink": "https://www.example/player/2",
    "seasons": SEASONS,
}
HEADER = {"source": "008-04", "code": 0, "message": "Success", "start": 1, "rows": 10}
ERROR = {"code": "40080406", "description": "Item not found / No record found"}
FAILURE = {"header": {"code": "-1", "errors": [ERROR]}}

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        ["0", "-1", "1e999", "nan", "9" * 400, [], {}, [None], [[]], 1e308]
    ),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    pairs = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in pairs:
        found += places(inner, (*path, key))
    return found


def mangled(payload: Any) -> st.SearchStrategy[bytes]:
    """Replace or drop some values anywhere in a payload."""

    @st.composite
    def build(draw: st.DrawFn) -> bytes:
        made = copy.deepcopy(payload)
        for path in draw(st.lists(st.sampled_from(places(payload)), max_size=4)):
            inner = made
            try:
                for key in path[:-1]:
                    inner = inner[key]
                if draw(st.booleans()):
                    inner[path[-1]] = draw(JUNK)
                else:
                    del inner[path[-1]]
            except (KeyError, IndexError, TypeError):
                continue
        # unlike orjson, this writes numbers of any size
        return json.dumps(made).encode()

    return build()


def read[T](decoder: Callable[[bytes], T], body: bytes) -> T | None:
    try:
        return decoder(body)
    except (ValueError, TypeError, AttributeError):
        return None


@given(mangled({"header": HEADER, "data": ROWS}))
def test_bookmarks(body: bytes) -> None:
    for row in read(read_list(Bookmark), body) or ():
        assert row.key.startswith(row.item)
        assert row.offset is None or row.offset >= 0
        when = row.updated_at
        assert when is None or when.tzinfo is UTC
    read(read_one(Bookmark), body)


@given(mangled({"code": 0, "message": "success", "data": TITLE}))
def test_titles(body: bytes) -> None:
    if (title := read(read_one(Title), body)) is None:
        return
    assert isinstance(title.movie("x"), Movie)
    episode = title.episode("x", "73e59650")
    assert isinstance(episode, Episode)
    for item in (title.movie("x"), episode):
        assert item.runtime is None or item.runtime > 0
        assert item.picture is None or item.picture.startswith("http")
    assert (episode.season, episode.number) >= (0, 0)


@given(mangled({"code": 0, "message": "success", "data": SEASONS}))
def test_seasons(body: bytes) -> None:
    seasons = read(read_list(SeasonRow), body)
    if seasons is not None:
        Title(seasons=tuple(seasons)).find("x")


@given(mangled(FAILURE))
def test_failures(body: bytes) -> None:
    envelope = read(lambda raw: Envelope.from_dict(orjson.loads(raw)), body)
    if envelope is not None and envelope.header is not None:
        assert all(isinstance(fault.code, str) for fault in envelope.header.errors)
    assert read(read_list(Bookmark), body) is None


@given(st.binary(max_size=60))
def test_noise(body: bytes) -> None:
    assert read(read_list(Bookmark), body) is None


def test_the_samples() -> None:
    body = orjson.dumps({"header": HEADER | {"code": "0"}, "data": ROWS})
    movie, episode = read_list(Bookmark)(body)
    assert (movie.key, movie.offset) == ("content123", 100)
    assert movie.updated_at == datetime(2021, 10, 1, 12, 51, 47, 736000, UTC)
    assert episode.key == "itemid-36/episode36"
    title = read_one(Title)(orjson.dumps({"code": "0", "data": TITLE}))
    item = title.episode("eb6068d9", "73e59650")
    assert item.label == "Example Series S01E01 Episode 1"
    assert item.runtime == 1457
    assert item.show.picture == TITLE["vrPosterUrl"]
    assert title.movie("x").picture == TITLE["vrPosterUrl"]


@pytest.mark.parametrize(
    ("ut", "year"),
    [(1564394891, 2019), (1564394891000, 2019), ("1564394891000", 2019), (0, None),
     (-5, None), (1e300, None), ("soon", None), (None, None), (True, 1970)],
)  # fmt: skip
def test_times(ut: object, year: int | None) -> None:
    when = Bookmark.from_dict({"itemId": "x", "ut": ut}).updated_at
    assert (when.year if when else None) == year


@pytest.mark.parametrize(
    ("released", "year"),
    [("", None), ("2019", 2019), ("2019-03-02", 2019), ("1998/01", 1998),
     ("20190302", None), ("02.03.2019", None), (1564394891, None), ("3019", None)],
)  # fmt: skip
def test_years(released: object, year: int | None) -> None:
    title = Title.from_dict({"title": "x", "releaseDate": released})
    assert title.movie("x").year == year


@pytest.mark.parametrize(
    ("offset", "expected"),
    [(0, 0), ("12000", 12000), (1.5, 1.5), (-1, None), ("", None), ([], None)],
)
def test_offsets(offset: object, expected: float | None) -> None:
    row = Bookmark.from_dict({"itemId": "x", "offset": offset})
    assert row.offset == expected


def test_addresses_are_addresses() -> None:
    title = Title.from_dict({
        "title": "x", "vrPosterUrl": "javascript:alert(1)",
        "hrPosterUrl": "https://pictures.example/1.jpg", "deeplink": "app://x",
    })  # fmt: skip
    movie = title.movie("x")
    assert (movie.picture, movie.url) == ("https://pictures.example/1.jpg", None)
