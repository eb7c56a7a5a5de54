"""Tautulli: whatever it sends is read, or refused as a bad answer; and which rows are one viewing."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
import json
from typing import Any

from hypothesis import given, strategies as st
import orjson
import pytest

from custom_components.up_next.media import Episode, Ids, Movie
from custom_components.up_next.trackers.tautulli.guids import collect, read_guid
from custom_components.up_next.trackers.tautulli.viewings import Watched, viewings
from custom_components.up_next.trackers.tautulli.wire import (
    ErrorResult,
    Metadata,
    Row,
    Session,
    decoder,
    instant,
    read_history,
    read_metadata,
    read_names,
    read_push,
    read_server,
    read_sessions,
)
from simulators.tautulli.items import TEMPLATES

BAD = (ValueError, TypeError, KeyError, AttributeError, LookupError)
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = 3600

# guids ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("guid", "namespace", "value"),
    [
        ("imdb://tt1375666", "imdb", "tt1375666"),
        ("tmdb://27205", "tmdb", "27205"),
        ("tvdb://121361", "tvdb", "121361"),
        ("plex://movie/5d776825880197001ec9038d", "plex", "5d776825880197001ec9038d"),
        ("plex://episode/5d9c1276e9d5a1001f4ff2fa", "plex", "5d9c1276e9d5a1001f4ff2fa"),
        ("com.plexapp.agents.imdb://tt0133093?lang=en", "imdb", "tt0133093"),
        ("com.plexapp.agents.themoviedb://603?lang=en", "tmdb", "603"),
        ("com.plexapp.agents.tmdb://603?lang=en", "tmdb", "603"),
        ("com.plexapp.agents.thetvdb://121361/6?lang=en", "tvdb", "121361"),
        ("com.plexapp.agents.thetvdb://121361/6/1?lang=en", "tvdb", "121361"),
        ("com.plexapp.agents.themoviedb://1399/6/1?lang=en", "tmdb", "1399"),
        ("com.plexapp.agents.thetvdbdvdorder://121361/6/1?lang=en", "tvdb", "121361"),
        ("com.plexapp.agents.hama://tvdb-81797/1/1?lang=en", "tvdb", "81797"),
        ("com.plexapp.agents.hama://tvdb4-81797/1/1?lang=en", "tvdb", "81797"),
        ("com.plexapp.agents.hama://anidb-69/1/1?lang=en", "anidb", "69"),
        ("com.plexapp.agents.hama://tsdb-1399?lang=en", "tmdb", "1399"),
        ("com.plexapp.agents.xbmcnfo://tt0133093?lang=en", "imdb", "tt0133093"),
        ("com.plexapp.agents.xbmcnfo://603?lang=en", "tmdb", "603"),
        ("com.plexapp.agents.xbmcnfotv://121361/6/1?lang=en", "tvdb", "121361"),
        ("tv.plex.agents.nfo.movie://movie/tmdb_383498", "tmdb", "383498"),
        ("tv.plex.agents.nfo.series://episode/tvdb_5469015", "tvdb", "5469015"),
        ("tt0112253", "imdb", "tt0112253"),
    ],
)
def test_guids(guid: str, namespace: str, value: str) -> None:
    found = read_guid(guid)
    assert found is not None
    assert (found.namespace, found.value) == (namespace, value)
    # old agents, and only they, name an episode by its show
    assert found.of_show is guid.startswith("com.plexapp.agents.")


@pytest.mark.parametrize(
    "guid",
    [
        "tv.plex.agents.nfo.movie://movie/858024",
        "local://12345",
        "com.plexapp.agents.none://abc?lang=xn",
        "com.plexapp.agents.hama://other-1",
        "tv.plex.agents.none://68178",
        "tv.plex.xmltv://123",
        "com.plexapp.agents.youtube://abc|def?lang=en",
        "library://x",
        "mbid://x",
        "",
    ],
)
def test_guids_that_say_nothing(guid: str) -> None:
    assert read_guid(guid) is None


def test_the_lower_of_two_ids() -> None:
    assert collect(["tmdb://100", "tmdb://99", "local://1"]) == Ids.of(tmdb=99)


# shapes --------------------------------------------------------------------------------------------------------


def envelope(data: object, result: str = "success") -> dict[str, Any]:
    return {"response": {"result": result, "message": None, "data": data}}


ROW = TEMPLATES["history_row"]
SAMPLES: dict[str, tuple[Callable[[object], object], dict[str, Any]]] = {
    "sessions": (
        read_sessions,
        envelope({"stream_count": "1", "sessions": [TEMPLATES["session"]]}),
    ),
    "history": (
        read_history,
        envelope({"data": [ROW, ROW], "recordsFiltered": 2, "recordsTotal": 6}),
    ),
    "metadata": (read_metadata, envelope(TEMPLATES["metadata"])),
    "names": (read_names, envelope([{"user_id": 0, "friendly_name": "Local"}])),
    "server": (read_server, envelope({"pms_identifier": "abc"})),
}

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(["", "12", "1e400", "nan", [], {}, [None], [[]], {"a": None}]),
)


@st.composite
def spoiled(draw: st.DrawFn, sample: dict[str, Any]) -> dict[str, Any]:
    """Return the sample with a few values replaced or keys dropped, anywhere."""
    whole = deepcopy(sample)
    for _ in range(draw(st.integers(1, 5))):
        place: Any = whole
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], (dict, list)) and draw(st.integers(0, 4)):
                place = place[key]
                continue
            if isinstance(place, dict) and draw(st.booleans()):
                del place[key]
            else:
                place[key] = deepcopy(draw(JUNK))
            break
    return whole


@pytest.mark.parametrize("name", SAMPLES)
@given(data=st.data())
def test_spoiled_answers(name: str, data: st.DataObject) -> None:
    parse, sample = SAMPLES[name]
    body = json.dumps(data.draw(spoiled(sample))).encode()
    try:
        found = decoder(parse)(body)
    except (*BAD, ErrorResult):
        return
    # what could be read can be used
    if name == "history":
        rows = found.rows  # type: ignore[attr-defined]
        made = viewings(rows)
        pairs = [(viewing, viewing.item) for viewing in made]
        Watched(movies={}, shows={}).with_more(pairs, NOW).totals()
        assert all(viewing.play().id for viewing in made)
    for title in found if isinstance(found, list) else [found]:
        if isinstance(title, (Session, Metadata)):
            item = title.item()
            assert item is None or item.label


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b'{"response": null}', b"1", b"null", b"{", b"\xff"]
)
def test_no_envelope(body: bytes) -> None:
    with pytest.raises(BAD):
        decoder(read_names)(body)


def test_error_result() -> None:
    with pytest.raises(ErrorResult):
        decoder(read_names)(orjson.dumps(envelope({}, "error")))


def test_the_captured_session() -> None:
    sessions = read_sessions({"sessions": [TEMPLATES["session"]]})
    assert sessions is not None
    (session,) = sessions
    assert session.user_id == "1001"
    assert (session.runtime, session.view_offset) == (2998, 600000)
    item = session.item()
    assert isinstance(item, Episode)
    assert (item.season, item.number) == (6, 1)
    assert item.show.year == 2011
    assert item.show.ids.values == {
        "imdb": "tt0944947",
        "tmdb": "1399",
        "tvdb": "121361",
        "plex": "5d9c086c46115600200aa2fe",
    }
    assert item.ids.get("tvdb") == "5469015"


@pytest.mark.parametrize(
    "change",
    [
        {"media_index": ""},
        {"parent_media_index": None},
        {"parent_media_index": "-1"},
        {"grandparent_title": ""},
        {"media_type": "track"},
        {"live": 1},
    ],
)
def test_titles_that_are_left_out(change: dict[str, object]) -> None:
    assert Row.from_dict({**ROW, **change}).item() is None


def test_specials_have_season_zero() -> None:
    item = Row.from_dict({**ROW, "parent_media_index": 0}).item()
    assert isinstance(item, Episode)
    assert item.season == 0


def test_instants() -> None:
    assert instant(0) is None
    assert instant(10**17) is None
    assert instant(1707321600) == datetime(2024, 2, 7, 16, tzinfo=UTC)


def test_running_rows_are_not_kept() -> None:
    page = read_history({"data": [{**ROW, "row_id": None}, ROW]})
    assert (page.sent, len(page.rows)) == (2, 1)


# viewings ------------------------------------------------------------------------------------------------------


def row(
    number: int,
    started: float,
    minutes: float,
    *,
    reference: int | None = None,
    watched: bool = True,
    **more: Any,
) -> Row:
    """Return a row of a movie; `started` in hours."""
    begin = 1_700_000_000 + int(started * HOUR)
    return Row.from_dict(
        {
            "media_type": "movie",
            "title": "Film",
            "guid": "plex://movie/5d776825880197001ec9038d",
            "rating_key": 101,
            "row_id": number,
            "reference_id": reference or number,
            "date": begin,
            "started": begin,
            "stopped": begin + int(minutes * 60),
            "play_duration": int(minutes * 60),
            "watched_status": 1 if watched else 0.75,
            **more,
        }
    )


def ids(*rows: Row) -> list[str | None]:
    return [viewing.play().id for viewing in viewings(rows)]


def test_parts_of_one_group() -> None:
    assert ids(row(1, 0, 60, watched=False), row(2, 9, 50, reference=1)) == ["2"]


def test_parts_in_any_order() -> None:
    assert ids(row(2, 9, 50, reference=1), row(1, 0, 60, watched=False)) == ["2"]


def test_the_rest_within_hours_is_the_same_viewing() -> None:
    assert ids(row(1, 0, 90), row(2, 7, 90)) == ["1"]


def test_a_long_film_has_more_time() -> None:
    assert ids(row(1, 0, 300), row(2, 14, 300)) == ["1"]


def test_the_rest_days_later_is_the_same_viewing() -> None:
    assert ids(row(1, 0, 90), row(2, 50, 10)) == ["1"]


def test_a_whole_viewing_days_later_is_another() -> None:
    assert ids(row(1, 0, 90), row(2, 50, 80)) == ["1", "2"]


def test_a_viewing_in_parts_days_later_is_another() -> None:
    later = (row(2, 50, 60, watched=False), row(3, 60, 30, reference=2))
    assert ids(row(1, 0, 90), *later) == ["1", "3"]


def test_the_rest_of_the_rest() -> None:
    assert ids(row(1, 0, 90), row(2, 5, 5), row(3, 11, 90)) == ["1"]


def test_unfinished_is_no_viewing() -> None:
    assert ids(row(1, 0, 90, watched=False)) == []


def test_other_items_with_the_same_number() -> None:
    """A database that was imported may give one reference to unrelated items."""
    other = row(2, 1, 90, reference=1, guid="plex://movie/000000000000000000000001")
    assert ids(row(1, 0, 90), other) == ["1", "2"]


def test_without_a_guid_the_rating_key_tells() -> None:
    first, second = row(1, 0, 90, guid=""), row(2, 1, 90, guid="", rating_key=102)
    assert len(viewings([first, second])) == 2


def test_watched_shows() -> None:
    place: dict[str, Any] = {
        "media_type": "episode",
        "grandparent_title": "Show",
        "grandparent_rating_key": 7,
    }
    rows = [
        row(
            n,
            100 * n,
            30,
            guid=f"local://{n}",
            media_index=n,
            parent_media_index=s,
            **place,
        )
        for n, s in ((1, 0), (2, 1), (3, 1))
    ]
    made = viewings(rows)
    pairs = [(viewing, viewing.item) for viewing in made]
    watched = Watched(movies={}, shows={}).with_more(pairs, NOW)
    show = watched.shows["7"]
    assert (show.aired, show.watched, show.left) == (2, 2, 0)
    assert show.seen == "0:1 1:2-3"
    assert show.last_watched_at == instant(rows[2].stopped)
    assert watched.totals().episodes == 3
    assert watched.knows(rows[0])
    assert not watched.knows(row(9, 0, 1))
    # an older viewing that comes late does not move the last one
    late = viewings(
        [row(9, 0, 30, guid="local://9", media_index=9, parent_media_index=1, **place)]
    )
    more = watched.with_more([(v, v.item) for v in late], NOW)
    assert more.shows["7"].last_watched_at == show.last_watched_at
    assert watched.shows["7"] is show


def test_a_movie_is_known_by_its_guid() -> None:
    made = viewings([row(1, 0, 90)])
    watched = Watched(movies={}, shows={}).with_more([(v, v.item) for v in made], NOW)
    assert isinstance(made[0].item, Movie)
    assert watched.knows(row(5, 0, 1, rating_key=999))


# pushes --------------------------------------------------------------------------------------------------------


@given(st.binary() | st.from_regex(r'\{"user_id": .{0,9}\}').map(str.encode))
def test_any_push_is_survived(body: bytes) -> None:
    user = read_push(body)
    assert user is None or user.isdecimal()


@given(st.integers(min_value=0, max_value=2**53))
def test_a_push_tells_its_user(user: int) -> None:
    for told in (user, str(user)):
        assert read_push(json.dumps({"user_id": told}).encode()) == str(user)
