"""What follows from a library and the time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import given, strategies as st
from mashumaro.codecs.orjson import ORJSONDecoder, ORJSONEncoder
import pytest

from custom_components.up_next.account import Account, Capability
from custom_components.up_next.library import (
    EpisodeDetail,
    Library,
    MovieState,
    Play,
    Playback,
    PlaybackState,
    ShowDetail,
    ShowProgress,
    ShowStatus,
    WatchlistEntry,
    find_show,
    format_seen,
    known_as,
    newest,
    overview,
    parse_seen,
)
from custom_components.up_next.media import Episode, Ids, Movie, Season, Show

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ACCOUNT = Account(id="1", name="Ada", can=Capability.UNWATCHED | Capability.RATE)
SHOW = Show(title="Silo", ids=Ids.of(trakt=1, tvdb=403245))

PAIRS = st.frozensets(st.tuples(st.integers(0, 40), st.integers(1, 200)), max_size=60)


def progress(**changes: object) -> ShowProgress:
    row = ShowProgress(
        show=SHOW,
        aired=10,
        watched=4,
        counted_at=NOW,
        last_watched_at=NOW - timedelta(days=1),
    )
    return replace(row, **changes)  # type: ignore[arg-type]


def library(*rows: ShowProgress, **changes: object) -> Library:
    shows = {str(index): row for index, row in enumerate(rows, 1)}
    return Library(account=ACCOUNT, read_at=NOW, shows=shows, **changes)  # type: ignore[arg-type]


def airing(number: int, at: datetime, season: int = 2) -> Episode:
    return Episode(show=SHOW, season=season, number=number, first_aired=at)


@given(PAIRS)
def test_watched_episodes_survive_writing_and_reading(
    pairs: frozenset[tuple[int, int]],
) -> None:
    assert parse_seen(format_seen(pairs)) == pairs


def test_watched_episodes_are_written_compactly() -> None:
    assert format_seen([(2, 3), (1, 1), (1, 2), (1, 3), (2, 1)]) == "1:1-3 2:1,3"
    assert parse_seen(None) == parse_seen("") == frozenset()


@pytest.mark.parametrize(
    ("row", "unwatched"),
    [
        (progress(), 6),
        (progress(watched=10), 0),
        (progress(watched=12), 0),
        (progress(watched=0), 0),
        (progress(caught_up=True), 0),
        *(
            (progress(status=status), 0)
            for status in ShowStatus
            if status is not ShowStatus.WATCHING
        ),
    ],
)
def test_what_counts_as_unwatched(row: ShowProgress, unwatched: int) -> None:
    made = overview(library(row), NOW)
    assert made.unwatched == unwatched
    assert len(made.shows) == (1 if unwatched else 0)


def test_a_count_rises_when_an_episode_airs() -> None:
    row = progress(watched=10, caught_up=True)
    coming = (airing(1, NOW + timedelta(hours=1)), airing(2, NOW + timedelta(hours=3)))
    shelf = library(row, airings={"1": coming})
    before = overview(shelf, NOW)
    assert (before.unwatched, before.changes_at) == (0, coming[0].first_aired)
    after = overview(shelf, NOW + timedelta(hours=1))
    assert (after.unwatched, after.changes_at, after.next_episode) == (
        1,
        coming[1].first_aired,
        coming[0],
    )
    last = overview(shelf, NOW + timedelta(hours=4))
    assert (last.unwatched, last.changes_at) == (2, None)


def test_an_airing_that_the_service_has_counted_is_not_counted_twice() -> None:
    shelf = library(
        progress(),
        airings={"1": (airing(5, NOW - timedelta(minutes=1)), airing(6, NOW))},
    )
    assert overview(shelf, NOW + timedelta(hours=1)).unwatched == 6


def test_specials_and_unannounced_episodes_never_raise_a_count() -> None:
    coming = (
        airing(1, NOW + timedelta(hours=1), season=0),
        Episode(show=SHOW, season=3, number=1),
    )
    assert (
        overview(
            library(progress(), airings={"1": coming}), NOW + timedelta(days=1)
        ).unwatched
        == 6
    )


def test_a_started_show_counts_though_its_numbers_are_unknown() -> None:
    row = progress(aired=0, watched=0, caught_up=True)
    airings = {"1": (airing(1, NOW + timedelta(hours=1)),)}
    later = NOW + timedelta(hours=2)
    assert overview(library(row, airings=airings), later).unwatched == 0
    assert (
        overview(
            library(row, airings=airings, started=frozenset({"1"})), later
        ).unwatched
        == 1
    )


def test_the_next_episode_is_that_of_the_show_watched_last() -> None:
    old = progress(
        last_watched_at=NOW - timedelta(days=9),
        next_episode=airing(5, NOW - timedelta(days=30)),
    )
    new = progress(next_episode=airing(7, NOW - timedelta(days=20)))
    never = progress(last_watched_at=None, next_episode=airing(9, NOW))
    made = overview(library(old, new, never), NOW)
    assert made.next_episode == new.next_episode
    assert [show.key for show in made.shows] == ["2", "1", "3"]


DETAILS = st.lists(
    st.tuples(
        st.integers(0, 3), st.integers(1, 12), st.booleans(), st.integers(-500, 500)
    ),
    unique_by=lambda row: row[:2],
    max_size=40,
)


@given(DETAILS)
def test_counting_a_show_from_its_episodes(
    rows: list[tuple[int, int, bool, int]],
) -> None:
    episodes = tuple(
        EpisodeDetail(
            episode=airing(number, NOW + timedelta(hours=hours), season),
            watched=watched,
        )
        for season, number, watched, hours in sorted(rows)
    )
    detail = ShowDetail(show=SHOW, key="1", episodes=episodes)
    row = detail.progress(NOW)
    regular = [
        d for d in episodes if d.episode.season > 0 and d.episode.first_aired <= NOW
    ]  # type: ignore[operator]
    assert row.aired == len(regular)
    assert row.watched == sum(d.watched for d in regular)
    assert (row.next_episode is None) == (row.watched == row.aired)
    if row.next_episode is not None:
        found = detail.find(row.next_episode.season, row.next_episode.number)
        assert found is not None
        assert not found.watched
        assert found in regular
    assert parse_seen(row.seen) == {
        (d.episode.season, d.episode.number) for d in episodes if d.watched
    }


def test_the_next_episode_comes_after_the_last_watched_one_and_gaps_come_last() -> None:
    def detail(*watched: int) -> ShowDetail:
        rows = tuple(
            EpisodeDetail(
                episode=airing(number, NOW - timedelta(days=1)),
                watched=number in watched,
            )
            for number in range(1, 5)
        )
        return ShowDetail(show=SHOW, key="1", episodes=rows)

    numbers = [
        following.number
        if (following := detail(*watched).progress(NOW).next_episode)
        else None
        for watched in ((), (1,), (1, 3), (2, 4), (1, 2, 3, 4))
    ]
    assert numbers == [1, 2, 4, 1, None]


def test_finding_a_show_by_any_id() -> None:
    shelf = library(progress())
    found = find_show(shelf, Ids.of(tvdb=403245))
    assert found is not None
    assert found[0] == "1"
    assert find_show(shelf, Ids.of(tmdb=1)) is None
    assert find_show(shelf, Ids()) is None


def test_the_newest_play_is_the_one_watched_last() -> None:
    movie = Movie(title="Heretic")
    unknown = Play(item=movie)
    day = Play(item=movie, watched_on=date(2026, 11, 20))
    instant = Play(item=movie, watched_at=NOW - timedelta(days=3))
    assert newest([unknown, instant, day]) is day
    assert newest([unknown, instant]) is instant
    assert newest([unknown]) is unknown
    assert newest([]) is None


def test_a_library_survives_the_cache() -> None:
    episode = airing(5, NOW)
    shelf = library(
        progress(next_episode=episode, seen="1:1-4"),
        watchlist=(
            WatchlistEntry(item=Movie(title="Heretic")),
            WatchlistEntry(item=Season(show=SHOW, number=2)),
        ),
        watching=Playback(
            item=episode, state=PlaybackState.PLAYING, updated_at=NOW, position=61.5
        ),
        plays=(
            Play(item=episode, watched_on=date(2026, 1, 2)),
            Play(item=Movie(title="x"), watched_at=NOW),
        ),
        airings={"1": (episode,)},
        started=frozenset({"1"}),
    )
    assert ORJSONDecoder(Library).decode(ORJSONEncoder(Library).encode(shelf)) == shelf


# an item that another tracker recognized ------------------------------------------------------------------------------

OURS = replace(SHOW, url="https://ours/silo", picture="https://ours/silo.jpg")
THEIRS = Show(
    title="Silo (2023)",
    ids=Ids.of(tvdb=403245, simkl=7),
    url="https://theirs/silo",
    picture="https://theirs/silo.jpg",
)


def theirs(number: int = 3) -> Episode:
    return Episode(
        show=THEIRS,
        season=2,
        number=number,
        title="Solo",
        ids=Ids.of(imdb="tt1"),
        url="https://theirs/silo/2/3",
        picture="https://theirs/solo.jpg",
    )


def test_episode_of_a_known_show_is_shown_as_ours() -> None:
    found = known_as(library(progress(show=OURS)), theirs())
    merged = Ids.of(trakt=1, tvdb=403245, simkl=7)
    assert found == replace(
        theirs(), show=replace(OURS, ids=merged), url=None, picture=None
    )


def test_next_episode_is_known_itself() -> None:
    coming = replace(theirs(), show=OURS, title="Ours", url="https://ours/2/3")
    known = library(progress(show=OURS, next_episode=coming))
    found = known_as(known, theirs())
    assert isinstance(found, Episode)
    assert (found.title, found.url) == ("Ours", "https://ours/2/3")
    other = known_as(known, theirs(4))
    assert isinstance(other, Episode)
    assert (other.number, other.title, other.url) == (4, "Solo", None)


@pytest.mark.parametrize("watched", [True, False])
def test_known_movie_is_shown_as_ours(watched: bool) -> None:
    ours = Movie(title="Dune", ids=Ids.of(trakt=5, tmdb=1), picture="https://ours/d")
    item = Movie(title="Dune: One", ids=Ids.of(tmdb=1), picture="https://theirs/d")
    known = (
        library(movies={"5": MovieState(movie=ours, watched=True)})
        if watched
        else library(watchlist=(WatchlistEntry(item=ours),))
    )
    assert known_as(known, item) == ours
    assert known_as(library(), item) is item


def test_our_own_or_unknown_episode_stays_as_it_is() -> None:
    own = replace(theirs(), show=OURS)
    assert known_as(library(progress(show=OURS)), own) is own
    unknown = replace(theirs(), show=Show(title="Silo", ids=Ids.of(tvdb=9)))
    assert known_as(library(progress(show=OURS)), unknown) is unknown
