"""What writes do to a library before the service confirms them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, strategies as st
import pytest

from custom_components.up_next.account import Account, Capability
from custom_components.up_next.effects import (
    Effect,
    apply,
    apply_to_detail,
    marks,
    same,
)
from custom_components.up_next.library import (
    EpisodeDetail,
    Library,
    MovieState,
    Playback,
    PlaybackState,
    ShowDetail,
    ShowProgress,
    ShowStatus,
    overview,
)
from custom_components.up_next.media import Episode, Ids, MediaItem, Movie, Season, Show
from custom_components.up_next.writes import (
    CheckIn,
    ClearProgress,
    MarkUnwatched,
    MarkWatched,
    Outcome,
    Rate,
    Receipt,
    RemovePlays,
    Scrobble,
    ScrobbleAction,
    SetHidden,
    SetProgress,
    SetWatchlisted,
    Write,
)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SHOW = Show(title="Silo", ids=Ids.of(trakt=1, tvdb=2))
MOVIE = Movie(title="Heretic", year=2024, ids=Ids.of(tmdb=9), runtime=6600)


def episode(number: int, season: int = 1, *, show: Show = SHOW) -> Episode:
    aired = NOW - timedelta(days=100 - number - 20 * season)
    return Episode(
        show=show, season=season, number=number, first_aired=aired, runtime=3000
    )


def detail(*watched: tuple[int, int]) -> ShowDetail:
    rows = [
        EpisodeDetail(
            episode=episode(number, season), watched=(season, number) in watched
        )
        for season in (0, 1, 2)
        for number in (1, 2, 3)
    ]
    return ShowDetail(show=SHOW, key="1", episodes=tuple(rows))


def library(row: ShowProgress | None = None) -> Library:
    row = row or detail((1, 1), (1, 2)).progress(NOW)
    return Library(
        account=Account(id="1", name="Ada", can=Capability.NONE),
        read_at=NOW,
        shows={"1": row},
        movies={"5": MovieState(movie=MOVIE, watched=False)},
        playbacks=(
            Playback(
                item=MOVIE, state=PlaybackState.PAUSED, updated_at=NOW, progress=20
            ),
        ),
    )


def mark(item: MediaItem) -> MarkWatched:
    return MarkWatched(item=item, watched_at=NOW)


def after(write: Write, shelf: Library | None = None, **more: object) -> Library:
    return apply(shelf or library(), [Effect(write=write, **more)], NOW)  # type: ignore[arg-type]


def test_without_writes_the_library_is_itself() -> None:
    shelf = library()
    assert apply(shelf, [], NOW) is shelf


def test_marking_the_next_episode_lowers_the_count_by_one() -> None:
    unknown = replace(library().shows["1"], seen=None)
    for shelf in (library(), library(unknown)):
        changed = after(mark(episode(3)), shelf)
        assert overview(changed, NOW).unwatched == overview(shelf, NOW).unwatched - 1


def test_what_is_not_certain_is_left_to_the_service() -> None:
    shelf = library(replace(library().shows["1"], seen=None))
    for item in (episode(3, 2), episode(1, 0), Season(show=SHOW, number=1), SHOW):
        assert after(mark(item), shelf).shows["1"] == shelf.shows["1"]
    assert after(MarkUnwatched(item=episode(2)), shelf).shows["1"] == shelf.shows["1"]


def test_marking_twice_counts_once() -> None:
    effects = [Effect(write=mark(episode(3))), Effect(write=mark(episode(3)))]
    assert apply(library(), effects, NOW).shows["1"].watched == 3


@pytest.mark.parametrize(
    ("write", "watched", "following"),
    [
        (mark(episode(3)), 3, (2, 1)),
        (mark(episode(3, 2)), 3, (1, 3)),
        (mark(Season(show=SHOW, number=1)), 3, (2, 1)),
        (mark(SHOW), 6, None),
        (mark(episode(1, 0)), 2, (1, 3)),
        (MarkUnwatched(item=episode(2)), 1, (1, 2)),
        (MarkUnwatched(item=SHOW), 0, (1, 1)),
    ],
)
def test_with_the_episodes_known_the_effect_is_exact(
    write: Write, watched: int, following: tuple[int, int] | None
) -> None:
    row = after(write, detail=detail((1, 1), (1, 2))).shows["1"]
    assert row.watched == watched
    found = row.next_episode
    assert (found and (found.season, found.number)) == following


def test_a_receipt_tells_the_truth() -> None:
    truth = detail((1, 1)).progress(NOW)
    receipt = Receipt(outcome=Outcome.DONE, progress=truth)
    assert after(mark(episode(3)), receipt=receipt).shows["1"] == truth
    assert after(RemovePlays(item=episode(2)), receipt=receipt).shows["1"] == truth
    assert after(RemovePlays(item=episode(2))).shows == library().shows


def test_a_show_found_only_by_the_receipt() -> None:
    other = Show(title="Silo", ids=Ids.of(imdb="tt5"))
    receipt = Receipt(outcome=Outcome.DONE, progress=detail().progress(NOW))
    assert after(mark(episode(1, show=other)), receipt=receipt).shows["1"].watched == 0
    assert after(mark(episode(1, show=other))).shows == library().shows


def test_movies() -> None:
    seen = after(mark(MOVIE))
    assert seen.movies["5"] == MovieState(movie=MOVIE, watched=True, watched_at=NOW)
    assert seen.playbacks == ()
    assert after(MarkUnwatched(item=MOVIE), seen).movies["5"] == MovieState(
        movie=MOVIE, watched=False
    )
    assert after(mark(Movie(title="Other"))).movies == library().movies


def test_the_watchlist() -> None:
    listed = after(SetWatchlisted(item=MOVIE, listed=True))
    assert [entry.item for entry in listed.watchlist] == [MOVIE]
    assert (
        after(SetWatchlisted(item=MOVIE, listed=True), listed).watchlist
        == listed.watchlist
    )
    assert (
        after(
            SetWatchlisted(item=Movie(title="x", ids=Ids.of(tmdb=9)), listed=False),
            listed,
        ).watchlist
        == ()
    )


def test_resume_positions() -> None:
    by_percent = after(SetProgress(item=MOVIE, progress=50)).playbacks
    by_seconds = after(SetProgress(item=MOVIE, position=3300)).playbacks
    assert by_percent == by_seconds
    assert [(p.progress, p.position, p.duration) for p in by_percent] == [
        (50, 3300, 6600)
    ]
    assert after(ClearProgress(item=MOVIE)).playbacks == ()
    unknown = after(
        SetProgress(item=episode(1, show=Show(title="x")), progress=5)
    ).playbacks[0]
    assert unknown.progress == 5


def told(item: Movie | Episode, action: ScrobbleAction, **more: float) -> Scrobble:
    began = NOW - timedelta(hours=3)
    at = NOW - timedelta(hours=1)
    return Scrobble(
        item=item,
        action=action,
        at=at,
        viewing="v",
        started_at=began,
        **more,  # type: ignore[arg-type]
    )


def with_playbacks() -> Library:
    account = Account(id="1", name="Ada", can=Capability.PLAYBACKS)
    return replace(library(), account=account)


def test_what_a_player_leaves_behind() -> None:
    """Where one can go on watching; what plays now is not told by effects."""
    shelf = with_playbacks()
    started = after(told(MOVIE, ScrobbleAction.START, progress=30), shelf)
    assert (started.playbacks, started.watching) == ((), None)
    assert after(told(episode(1), ScrobbleAction.START), shelf).playbacks == (
        shelf.playbacks
    )
    for action in (ScrobbleAction.PAUSE, ScrobbleAction.STOP):
        [playback] = after(
            told(MOVIE, action, progress=50, position=3300), shelf
        ).playbacks
        assert playback == Playback(
            item=MOVIE,
            state=PlaybackState.PAUSED,
            updated_at=NOW - timedelta(hours=1),
            progress=50,
            position=3300,
            duration=6600,
        )
        [by_seconds] = after(told(MOVIE, action, position=3300), shelf).playbacks
        assert by_seconds == playback
        # where it stopped is not known: what was known stays
        assert after(told(MOVIE, action), shelf).playbacks == shelf.playbacks
        # nor is it kept by a service that keeps no positions
        assert after(told(MOVIE, action, progress=50)).playbacks == library().playbacks


def test_what_a_player_played_to_its_end_is_watched() -> None:
    seen = after(told(MOVIE, ScrobbleAction.WATCHED, progress=97), with_playbacks())
    assert (seen.movies["5"].watched, seen.playbacks) == (True, ())
    before = overview(library(), NOW).unwatched
    write = told(episode(3), ScrobbleAction.WATCHED, progress=97)
    assert overview(after(write), NOW).unwatched == before - 1
    row = after(write, detail=detail((1, 1), (1, 2))).shows["1"]
    assert row.next_episode is not None
    assert (row.next_episode.season, row.next_episode.number) == (2, 1)
    known = apply_to_detail(detail((1, 1)), [Effect(write=write)], NOW)
    assert [e.watched for e in known.episodes if e.episode.season == 1] == [
        True,
        False,
        True,
    ]
    paused = told(episode(3), ScrobbleAction.PAUSE, progress=97)
    assert apply_to_detail(detail((1, 1)), [Effect(write=paused)], NOW) == detail(
        (1, 1)
    )


def test_a_check_in_shows_nowhere() -> None:
    assert after(CheckIn(item=MOVIE)) == library()


@pytest.mark.parametrize(
    ("write", "watched"),
    [
        (MarkWatched(item=MOVIE, watched_at=NOW), True),
        (told(MOVIE, ScrobbleAction.WATCHED), True),
        (MarkUnwatched(item=MOVIE), False),
        (told(MOVIE, ScrobbleAction.STOP), None),
        (CheckIn(item=MOVIE), None),
        (Rate(item=MOVIE, rating=5), None),
    ],
)
def test_what_marks(write: Write, watched: bool | None) -> None:
    assert marks(write) is watched


def test_hiding_a_show_takes_it_out_of_the_count() -> None:
    hidden = after(SetHidden(show=SHOW, hidden=True))
    assert overview(hidden, NOW).unwatched == 0
    assert (
        after(SetHidden(show=SHOW, hidden=False), hidden).shows["1"].status
        is ShowStatus.WATCHING
    )
    assert after(SetHidden(show=Show(title="x"), hidden=True)).shows == library().shows


def test_a_rating_shows_nowhere() -> None:
    assert after(Rate(item=MOVIE, rating=8)).shows == library().shows


def test_sameness() -> None:
    assert same(episode(1), episode(1, show=Show(title="other", ids=Ids.of(tvdb=2))))
    assert not same(episode(1), episode(2))
    assert not same(SHOW, MOVIE)
    assert same(Season(show=SHOW, number=1), Season(show=SHOW, number=1))
    assert same(
        Movie(title="A", year=2000), Movie(title="A", year=2000, ids=Ids.of(tmdb=1))
    )
    assert not same(
        Movie(title="A", ids=Ids.of(tmdb=2)), Movie(title="A", ids=Ids.of(tmdb=1))
    )


ITEMS = (
    st.builds(episode, st.integers(1, 4), st.integers(0, 3))
    | st.just(SHOW)
    | st.builds(lambda number: Season(show=SHOW, number=number), st.integers(0, 3))
)
WRITES = st.builds(mark, ITEMS) | st.builds(
    lambda item: MarkUnwatched(item=item), ITEMS
)


@given(st.lists(st.tuples(WRITES, st.booleans()), max_size=12))
def test_no_sequence_of_marks_breaks_the_counts(
    writes: list[tuple[Write, bool]],
) -> None:
    known = detail((1, 1), (1, 2))
    effects = [
        Effect(write=write, detail=known if exact else None) for write, exact in writes
    ]
    row = apply(library(), effects, NOW).shows["1"]
    assert 0 <= row.watched <= row.aired + 12
    assert row.left >= 0
