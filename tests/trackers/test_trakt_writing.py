"""Writing to Trakt: look first, post what is missing, never twice."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
import json
from typing import Any

import pytest

from custom_components.up_next.media import Episode, Ids, Movie, Season, Show
from custom_components.up_next.trackers.errors import (
    AccessDenied,
    LimitReached,
    NotFound,
    RateLimited,
    Unavailable,
    Unsure,
)
from custom_components.up_next.trackers.tracker import Query, QueuedWrite
from custom_components.up_next.trackers.trakt import Trakt
from custom_components.up_next.trackers.transport import Transport
from custom_components.up_next.writes import (
    ClearProgress,
    MarkUnwatched,
    MarkWatched,
    Outcome,
    Rate,
    RemovePlays,
    SetHidden,
    SetProgress,
    SetWatchlisted,
)
from simulators.service import Fault
from simulators.trakt import Trakt as Service

from .trakt_help import House, caught_up, enter, episode, lagging, movie, show

AT = datetime(2026, 11, 1, 20, 15, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Transport, "retry_delays", (0.0, 0.0))


@pytest.fixture
async def house(serve: Any, make_context: Any, clock: Any) -> House:
    service: Service = await serve(Service, shows=30, airing_in=3600)
    clock.freeze()
    service.pacing = False
    return enter(service, make_context(service.base_url))


def posts(house: House) -> list[tuple[str, Any]]:
    """Return what was posted, as (path, body)."""
    return [
        (r.path, json.loads(r.body or b"null"))
        for r in house.service.requests
        if r.method == "POST"
    ]


def plays_of(house: House, item: Any) -> int:
    return len(house.service.account.by_media.get(item, []))


def key(which: Any) -> tuple[str, int]:
    return ("episode", int(which.ids["trakt"]))


# marking


async def test_mark_an_episode(house: House) -> None:
    which, left = lagging(house.service)
    item = episode(which, left[0])
    [receipt] = await house.send(MarkWatched(item=item, watched_at=AT))
    assert receipt.outcome is Outcome.DONE
    assert [p.watched_at for p in receipt.plays] == [AT]
    play = house.service.account.by_media[key(left[0])][0]
    assert play.at == AT.replace(second=0)
    after = house.service.account.progress(which)
    assert receipt.progress.watched == len(after.completed)
    assert receipt.progress.left == len(left) - 1
    following = receipt.progress.next_episode
    assert (following.season, following.number) == (left[1].season, left[1].number)
    assert house.paths() == [
        f"GET /shows/{which.ids['trakt']}/progress/watched",
        "POST /sync/history",
    ]


async def test_what_is_watched_is_not_posted_again(house: House) -> None:
    which = caught_up(house.service)
    done = house.service.account.progress(which).completed[0]
    item = episode(which, done)
    [receipt] = await house.send(MarkWatched(item=item, watched_at=AT))
    assert receipt.outcome is Outcome.ALREADY
    assert posts(house) == []
    [receipt] = await house.send(MarkWatched(item=item, watched_at=AT, rewatch=True))
    assert receipt.outcome is Outcome.DONE
    assert plays_of(house, key(done)) == 2


async def test_marking_twice_in_a_row_does_not_trust_stale_reads(house: House) -> None:
    which, left = lagging(house.service)
    house.service.account.stale = 9
    mark = MarkWatched(item=episode(which, left[0]), watched_at=AT)
    assert [r.outcome for r in await house.send(mark)] == ["done"]
    assert [r.outcome for r in await house.send(mark)] == ["already"]
    assert [r.outcome for r in await house.send(mark, mark)] == ["already"] * 2
    [receipt] = await house.send(MarkUnwatched(item=episode(which, left[0])))
    assert receipt.progress.left == len(left)
    assert [r.outcome for r in await house.send(mark)] == ["done"]
    assert plays_of(house, key(left[0])) == 1


async def test_one_batch_names_an_episode_twice(house: House) -> None:
    which, left = lagging(house.service)
    mark = MarkWatched(item=episode(which, left[0]), watched_at=AT)
    outcomes = [r.outcome for r in await house.send(mark, mark)]
    assert outcomes == ["done", "already"]
    assert plays_of(house, key(left[0])) == 1


async def test_shows_and_seasons_expand_to_what_is_missing(house: House) -> None:
    which, left = lagging(house.service, 3)
    season = Season(show=show(which), number=left[-1].season)
    inside = [e for e in left if e.season == left[-1].season]
    [receipt] = await house.send(MarkWatched(item=season, watched_at="released"))
    assert len(receipt.plays) == len(inside)
    for each in inside:
        [play] = house.service.account.by_media[key(each)]
        assert play.at == each.first_aired.replace(second=0, microsecond=0)
    [receipt] = await house.send(MarkWatched(item=show(which), watched_at="unknown"))
    assert receipt.progress.left == 0
    [receipt] = await house.send(MarkWatched(item=show(which), watched_at="unknown"))
    assert receipt.outcome is Outcome.ALREADY
    progress = house.service.account.progress(which)
    assert len(progress.completed) == len(progress.aired)
    assert all(
        plays_of(house, key(e)) == 0 for e in which.episodes if e not in progress.aired
    )
    [receipt] = await house.send(
        MarkWatched(item=show(which), watched_at=AT, rewatch=True)
    )
    assert len(receipt.plays) == len(progress.aired)


async def test_an_unknown_time_stays_unknown(house: House) -> None:
    which, left = lagging(house.service)
    item = episode(which, left[0])
    [receipt] = await house.send(MarkWatched(item=item, watched_at="unknown"))
    assert receipt.plays[0].watched_at is None
    page = await house.tracker.history(item=item)
    assert page.items[0].watched_at is None


async def test_specials_and_unaired_episodes(house: House) -> None:
    which = next(s for s in house.service.catalogue.shows if 0 in s.seasons())
    special = which.episodes[0]
    mark = MarkWatched(item=episode(which, special), watched_at=AT)
    assert [r.outcome for r in await house.send(mark)] == ["done"]
    advance = house.service.clock.advance
    advance(60)
    assert [r.outcome for r in await house.send(mark)] == ["already"]
    running = next(
        s
        for s in house.service.catalogue.shows
        if s.episodes[-1].first_aired > house.service.clock.now()
    )
    ahead = running.episodes[-1]
    mark = MarkWatched(item=episode(running, ahead, own=("trakt",)), watched_at=AT)
    assert [r.outcome for r in await house.send(mark)] == ["done"]
    advance(60)
    # progress does not list what has not aired: the history tells
    assert [r.outcome for r in await house.send(mark)] == ["already"]
    assert plays_of(house, key(ahead)) == 1


async def test_movies(house: House) -> None:
    fresh, old = house.service.catalogue.movies[-1], house.service.catalogue.movies[0]
    receipts = await house.send(
        MarkWatched(item=movie(fresh), watched_at=AT),
        MarkWatched(item=movie(old, "imdb"), watched_at=AT),
        MarkWatched(item=movie(old, "tmdb"), watched_at=AT, rewatch=True),
        MarkWatched(
            item=Movie(title="Nothing", ids=Ids.of(imdb="tt0000111")), watched_at=AT
        ),
        MarkWatched(item=Movie(title="Nothing at all"), watched_at=AT),
    )
    assert [r.outcome for r in receipts] == [
        "done",
        "already",
        "done",
        "not_found",
        "not_found",
    ]
    assert receipts[3].reason == "not_found"
    assert plays_of(house, ("movie", int(old.ids["trakt"]))) == 2


async def test_items_are_found_by_any_id_and_by_title(house: House) -> None:
    which, left = lagging(house.service, 2)
    by_tvdb = episode(which, left[0], "tvdb")
    named = Episode(
        show=Show(title=which.title, year=which.year),
        season=left[1].season,
        number=left[1].number,
    )
    receipts = await house.send(
        MarkWatched(item=by_tvdb, watched_at=AT), MarkWatched(item=named, watched_at=AT)
    )
    assert [r.outcome for r in receipts] == ["done", "done"]
    nowhere = Episode(show=Show(title="No such show"), season=1, number=1)
    absent = Episode(show=Show(title="x", ids=Ids.of(trakt=424242)), season=1, number=1)
    receipts = await house.send(
        MarkWatched(item=nowhere, watched_at=AT),
        MarkWatched(item=absent, watched_at=AT),
        MarkWatched(item=Show(title="No such show"), watched_at=AT),
    )
    assert {r.outcome for r in receipts} == {"not_found"}


async def test_a_number_that_does_not_exist(house: House) -> None:
    which, left = lagging(house.service)
    real = MarkWatched(item=episode(which, left[0]), watched_at=AT)
    wrong = MarkWatched(
        item=Episode(show=show(which), season=left[0].season, number=77), watched_at=AT
    )
    season = MarkWatched(
        item=Episode(show=show(which), season=66, number=1), watched_at=AT
    )
    receipts = await house.send(real, wrong, season)
    assert [r.outcome for r in receipts] == ["done", "not_found", "not_found"]


async def test_episode_ids_never_stand_in_a_show(house: House) -> None:
    which, left = lagging(house.service, 2)
    own = episode(which, left[0], own=("trakt", "tvdb"))
    bare = episode(which, left[1])
    await house.send(
        MarkWatched(item=own, watched_at=AT), MarkWatched(item=bare, watched_at=AT)
    )
    [(_, body)] = posts(house)
    assert body["episodes"] == [
        {
            "ids": {"trakt": left[0].ids["trakt"], "tvdb": left[0].ids["tvdb"]},
            "watched_at": "2026-11-01T20:15:30.000Z",
        }
    ]
    assert body["shows"][0]["ids"] == {"trakt": which.ids["trakt"]}


# batches


async def test_a_big_batch_is_one_post_and_few_reads(house: House) -> None:
    shows = house.service.catalogue.shows
    marks = [
        MarkWatched(item=episode(s, e, "tvdb", "imdb"), watched_at=AT)
        for s in shows
        for e in s.aired(house.service.clock.now())[:3]
    ]
    movies = [
        MarkWatched(item=movie(m), watched_at=AT)
        for m in house.service.catalogue.movies
    ]
    assert len(marks) == 90
    before = house.service.state()
    cost = await house.counted(lambda: house.send(*marks, *movies))
    assert cost <= 4
    body = posts(house)[0][1]
    assert len(body["shows"]) + len(body.get("movies", [])) <= 100
    after = house.service.state()
    assert after["movie_plays"] == before["movie_plays"] + 4
    assert after["shows_started"] == len(shows)
    again = await house.send(*marks, *movies)
    assert {r.outcome for r in again} == {"already"}
    assert house.service.state()["plays"] == after["plays"]


async def test_five_thousand_plays_cost_tens_of_requests(
    serve: Any, make_context: Any, clock: Any
) -> None:
    service: Service = await serve(Service, shows=300, watched=0)
    clock.freeze()
    service.pacing = False
    service.limits["history"] = 100_000
    house = enter(service, make_context(service.base_url))
    marks = [
        MarkWatched(item=episode(s, e, "trakt"), watched_at=AT)
        for s in service.catalogue.shows
        for e in s.aired(clock.now())
    ][:5000]
    cost = await house.counted(lambda: house.send(*marks))
    assert service.state()["plays"] == len(marks)
    assert cost <= len(marks) / 100 * 5


async def test_the_minimal_list_may_come_in_another_form(house: House) -> None:
    shows = house.service.account.started()[:5]
    marks = [
        MarkWatched(
            item=episode(s, house.service.account.progress(s).completed[0]),
            watched_at=AT,
        )
        for s in shows
    ]
    by_ids = {"1000": {"257490": {"5165667": ["2026-11-20T20:31:00.000Z"]}}}
    big_keys = {"1000": {"257490|1": {"5165667": ["2026-11-20T20:31:00.000Z"]}}}
    for body in (by_ids, big_keys):
        house.service.faults = [
            Fault(
                kind="status", status=200, body=json.dumps(body), match="watched/shows"
            )
        ]
        fresh = enter(house.service, house.context)
        assert {r.outcome for r in await fresh.send(*marks)} == {"already"}
    house.service.faults = [
        Fault(kind="status", status=404, match="watched/shows"),
        Fault(kind="status", status=404, match="watched/movies"),
    ]
    movies = [
        MarkWatched(item=movie(m), watched_at=AT)
        for m in house.service.catalogue.movies[:5]
    ]
    fresh = enter(house.service, house.context)
    outcomes = {r.outcome for r in await fresh.send(*marks, *movies)}
    assert outcomes == {"already"}


async def test_what_combines(house: House) -> None:
    which, left = lagging(house.service)
    item = episode(which, left[0])
    mark = MarkWatched(item=item, watched_at=AT)
    unmark = MarkUnwatched(item=item)
    on = SetWatchlisted(item=show(which), listed=True)
    off = SetWatchlisted(item=show(which), listed=False)
    rate, unrate = Rate(item=item, rating=5), Rate(item=item, rating=None)
    combine = house.tracker.combine
    assert combine([mark] * 250) == 100
    assert combine([mark, unmark, mark]) == 1
    assert combine([on, on, off]) == 2
    assert combine([rate, rate, unrate]) == 2
    assert combine([unmark, unmark]) == 1


async def test_writes_keep_their_distance(house: House) -> None:
    house.service.pacing = True
    item = show(house.service.catalogue.shows[0])
    real = Trakt(replace(house.context, sleep=asyncio.sleep))
    for hidden in (True, False):
        # bringing back posts twice
        write = QueuedWrite(write=SetHidden(show=item, hidden=hidden), created_at=AT)
        [receipt] = await real.send([write])
        assert receipt.outcome is Outcome.DONE
    assert [r.status for r in house.service.requests] == [201, 200, 200]


# lost answers


@pytest.mark.parametrize("rewatch", [False, True])
@pytest.mark.parametrize("kind", ["lost", "reset"])
async def test_a_lost_answer_never_makes_a_second_play(
    house: House, kind: str, rewatch: bool
) -> None:
    house.service.account.stale = 9
    which, left = lagging(house.service, 2)
    film = house.service.catalogue.movies[-1]
    marks = [
        MarkWatched(item=episode(which, left[0]), watched_at=AT, rewatch=rewatch),
        MarkWatched(
            item=episode(which, left[1], own=("trakt",)),
            watched_at="released",
            rewatch=rewatch,
        ),
        MarkWatched(item=movie(film), watched_at=AT, rewatch=rewatch),
    ]
    house.service.faults = [Fault(kind=kind, match="POST /sync/history")]
    with pytest.raises(Unsure):
        await house.send(*marks)
    fresh = enter(house.service, house.context)
    receipts = await fresh.send(*marks, unsure=True)
    expected = {"already"} if kind == "lost" else {"done"}
    assert {r.outcome for r in receipts} == expected
    for item in (key(left[0]), key(left[1]), ("movie", int(film.ids["trakt"]))):
        assert plays_of(house, item) == 1


@pytest.mark.parametrize("kind", ["broken_json", "html", "empty"])
async def test_an_answer_that_cannot_be_read_is_as_good_as_lost(
    house: House, kind: str
) -> None:
    film = house.service.catalogue.movies[-1]
    mark = MarkWatched(item=movie(film), watched_at=AT, rewatch=True)
    house.service.faults = [Fault(kind=kind, match="POST /sync/history")]
    with pytest.raises(Unsure):
        await house.send(mark)
    await house.send(mark, unsure=True)
    assert plays_of(house, ("movie", int(film.ids["trakt"]))) == 1


@pytest.mark.parametrize("rewatch", [False, True])
async def test_a_lost_answer_for_a_whole_show(house: House, rewatch: bool) -> None:
    which = house.service.catalogue.shows[-1]
    mark = MarkWatched(item=show(which), watched_at=AT, rewatch=rewatch)
    house.service.account.stale = 9
    house.service.faults = [Fault(kind="lost", match="POST /sync/history")]
    with pytest.raises(Unsure):
        await house.send(mark)
    fresh = enter(house.service, house.context)
    [receipt] = await fresh.send(mark, unsure=True)
    assert receipt.outcome is Outcome.ALREADY
    aired = which.aired(house.service.clock.now())
    assert [plays_of(house, key(e)) for e in aired] == [1] * len(aired)


async def test_a_lost_answer_in_a_big_batch(house: House) -> None:
    marks = [
        MarkWatched(item=episode(s, s.episodes[2]), watched_at=AT)
        for s in house.service.catalogue.shows
    ]
    before = house.service.state()["plays"]
    house.service.faults = [Fault(kind="lost", match="POST /sync/history")]
    with pytest.raises(Unsure):
        await house.send(*marks)
    after = house.service.state()["plays"]
    assert after > before
    await house.send(*marks, unsure=True)
    assert house.service.state()["plays"] == after


# unmarking


async def test_unmark_removes_every_play_and_returns_them(house: House) -> None:
    which = caught_up(house.service)
    done = house.service.account.progress(which).completed[-1]
    house.service.watch(which.ids["trakt"], done.season, done.number)
    [receipt] = await house.send(MarkUnwatched(item=episode(which, done)))
    assert receipt.outcome is Outcome.DONE
    assert len(receipt.plays) == 2
    assert all(p.id and p.watched_at for p in receipt.plays)
    assert receipt.progress.left == 1
    path, body = posts(house)[-1]
    assert path == "/sync/history/remove"
    assert sorted(map(str, body["ids"])) == sorted(p.id for p in receipt.plays)
    [receipt] = await house.send(MarkUnwatched(item=episode(which, done)))
    assert receipt.outcome is Outcome.ALREADY


async def test_unmark_a_season_a_show_a_movie(house: House) -> None:
    which = next(s for s in house.service.account.started() if max(s.seasons()) > 1)
    plays = len(house.service.account.plays_of(which))
    [receipt] = await house.send(MarkUnwatched(item=Season(show=show(which), number=1)))
    assert {p.item.season for p in receipt.plays} == {1}
    assert (
        len(house.service.account.plays_of(which)) == plays - len(receipt.plays) < plays
    )
    await house.send(MarkUnwatched(item=show(which, "tmdb")))
    assert house.service.account.plays_of(which) == []
    film = house.service.catalogue.movies[0]
    [receipt] = await house.send(MarkUnwatched(item=movie(film)))
    assert (receipt.outcome, receipt.progress) == ("done", None)
    [receipt] = await house.send(MarkUnwatched(item=Movie(title="Nothing")))
    assert receipt.outcome is Outcome.NOT_FOUND
    unknown = Movie(title="Nothing", ids=Ids.of(trakt=1))
    [receipt] = await house.send(MarkUnwatched(item=unknown))
    assert receipt.outcome is Outcome.ALREADY


async def test_single_plays(house: House) -> None:
    film = house.service.catalogue.movies[0]
    item, entry = movie(film), ("movie", int(film.ids["trakt"]))
    newest = house.service.watch_movie(film.ids["trakt"])
    [receipt] = await house.send(RemovePlays(item=item))
    assert [p.id for p in receipt.plays] == [str(newest.id)]
    assert plays_of(house, entry) == 1
    [play] = house.service.account.by_media[entry]
    [receipt] = await house.send(RemovePlays(item=item, play_ids=(str(play.id), "7")))
    assert (receipt.outcome, plays_of(house, entry)) == ("done", 0)
    [receipt] = await house.send(RemovePlays(item=item, play_ids=(str(play.id),)))
    assert receipt.outcome is Outcome.ALREADY
    [receipt] = await house.send(RemovePlays(item=Movie(title="Nothing")))
    assert receipt.outcome is Outcome.NOT_FOUND


async def test_removing_the_newest_is_not_repeated_on_another_one(house: House) -> None:
    film = house.service.catalogue.movies[0]
    item, entry = movie(film), ("movie", int(film.ids["trakt"]))
    house.service.watch_movie(film.ids["trakt"])
    house.service.faults = [Fault(kind="lost", match="history/remove")]
    with pytest.raises(Unavailable):
        await house.send(RemovePlays(item=item))
    [receipt] = await house.send(RemovePlays(item=item), unsure=True)
    assert (receipt.outcome, plays_of(house, entry)) == ("done", 1)
    # after a restart nobody knows which one was meant
    fresh = enter(house.service, house.context)
    [receipt] = await fresh.send(RemovePlays(item=item), unsure=True)
    assert (receipt.outcome, plays_of(house, entry)) == ("refused", 1)
    # and when the first attempt did not arrive, the same one goes now
    house.service.faults = [Fault(kind="reset", match="history/remove")]
    with pytest.raises(Unavailable):
        await house.send(RemovePlays(item=item))
    [receipt] = await house.send(RemovePlays(item=item), unsure=True)
    assert (receipt.outcome, plays_of(house, entry)) == ("done", 0)


# lists


async def test_watchlist(house: House) -> None:
    started, new = house.service.catalogue.shows[0], house.service.catalogue.shows[-1]
    house.service.account.watchlist.clear()
    on = [
        SetWatchlisted(item=show(new, "tvdb"), listed=True),
        SetWatchlisted(
            item=movie(house.service.catalogue.movies[0], "tmdb"), listed=True
        ),
        SetWatchlisted(
            item=Movie(title="x", ids=Ids.of(imdb="tt0000111")), listed=True
        ),
        SetWatchlisted(item=Movie(title="Nothing"), listed=True),
        SetWatchlisted(item=Season(show=show(started), number=1), listed=True),
        SetWatchlisted(item=episode(started, started.episodes[-1]), listed=True),
        SetWatchlisted(item=Show(title=started.title, year=started.year), listed=True),
    ]
    receipts = await house.send(*on)
    assert [r.outcome for r in receipts] == [
        "done",
        "done",
        "not_found",
        "not_found",
        "done",
        "done",
        "done",
    ]
    assert house.service.state()["watchlist"] == 5
    again = await house.send(on[0])
    assert again[0].outcome is Outcome.ALREADY
    off = SetWatchlisted(item=show(new), listed=False)
    assert [r.outcome for r in await house.send(off)] == ["done"]
    assert [r.outcome for r in await house.send(off)] == ["already"]
    [receipt] = await house.send(
        SetWatchlisted(item=Movie(title="Nothing"), listed=True)
    )
    assert receipt.outcome is Outcome.NOT_FOUND


async def test_ratings(house: House) -> None:
    which = house.service.catalogue.shows[0]
    items = [
        show(which),
        movie(house.service.catalogue.movies[0]),
        episode(which, which.episodes[-1]),
        Season(show=show(which), number=1),
    ]
    receipts = await house.send(*(Rate(item=item, rating=8) for item in items))
    assert {r.outcome for r in receipts} == {"done"}
    assert house.service.state()["ratings"] == 4
    receipts = await house.send(*(Rate(item=item, rating=None) for item in items))
    assert {r.outcome for r in receipts} == {"done"}
    receipts = await house.send(*(Rate(item=item, rating=None) for item in items))
    assert {r.outcome for r in receipts} == {"already"}
    [receipt] = await house.send(Rate(item=Movie(title="Nothing"), rating=3))
    assert receipt.outcome is Outcome.NOT_FOUND


async def test_hiding(house: House) -> None:
    which = house.service.catalogue.shows[0]
    item = show(which, "imdb")
    hide, back = SetHidden(show=item, hidden=True), SetHidden(show=item, hidden=False)
    house.service.hide("progress_watched", which.ids["trakt"])
    outcomes = [
        (await house.send(write))[0].outcome for write in (hide, hide, back, back)
    ]
    assert outcomes == ["done", "already", "done", "already"]
    assert not house.service.account.is_hidden(which)
    for nothing in (
        Show(title="Nothing"),
        Show(title="x", ids=Ids.of(trakt=1)),
    ):
        [receipt] = await house.send(SetHidden(show=nothing, hidden=True))
        assert receipt.outcome is Outcome.NOT_FOUND


# positions


async def test_positions(house: House) -> None:
    which, left = lagging(house.service)
    film = house.service.catalogue.movies[-1]
    items = [
        episode(which, left[0], "tvdb"),
        episode(which, left[1], own=("trakt",)),
        movie(film),
    ]
    for item in items:
        [receipt] = await house.send(SetProgress(item=item, progress=42.126))
        assert receipt.outcome is Outcome.DONE
    saved = house.service.account.saved()
    assert [p.progress for p in saved] == [42.13] * 3
    by_position = Movie(title="x", ids=items[2].ids, runtime=1000)
    await house.send(SetProgress(item=by_position, position=500))
    assert house.service.account.saved("movie")[0].progress == 50
    for item in items:
        [receipt] = await house.send(ClearProgress(item=item))
        assert receipt.outcome is Outcome.DONE
        [receipt] = await house.send(ClearProgress(item=item))
        assert receipt.outcome is Outcome.ALREADY
    assert house.service.account.saved() == []


async def test_positions_that_trakt_would_take_for_something_else(house: House) -> None:
    item = movie(house.service.catalogue.movies[-1])
    for write in (
        SetProgress(item=item, progress=85),
        SetProgress(item=item, progress=0.4),
        SetProgress(item=item, position=500),
    ):
        [receipt] = await house.send(write)
        assert (receipt.outcome, receipt.reason) == ("refused", "not_supported")
    assert house.service.requests == []
    nothing = Movie(title="x", ids=Ids.of(trakt=1))
    for item in (nothing, Movie(title="Nothing")):
        [receipt] = await house.send(SetProgress(item=item, progress=30))
        assert receipt.outcome is Outcome.NOT_FOUND


async def test_positions_without_permission_or_just_after_a_scrobble(
    house: House,
) -> None:
    film = house.service.catalogue.movies[-1]
    write = SetProgress(item=movie(film), progress=30)
    house.service.faults = [
        Fault(kind="status", status=409, body="{}", match="scrobble")
    ]
    assert (await house.send(write))[0].outcome is Outcome.ALREADY
    house.service.scrobble_permission = False
    assert (await house.send(write))[0].reason == "not_supported"
    house.service.scrobble_permission = True
    house.service.faults = [Fault(kind="html", status=403, match="scrobble")]
    with pytest.raises(AccessDenied):
        await house.send(write)


async def test_a_position_that_is_gone_meanwhile(house: House) -> None:
    film = house.service.catalogue.movies[-1]
    house.service.pause(movie=film.ids["trakt"])
    house.service.faults = [Fault(kind="status", status=404, match="DELETE")]
    [receipt] = await house.send(ClearProgress(item=movie(film)))
    assert receipt.outcome is Outcome.ALREADY


# refusals


async def test_refusals_of_writes(house: House) -> None:
    film = movie(house.service.catalogue.movies[-1])
    mark = MarkWatched(item=film, watched_at=AT)
    for status, error in (
        (420, LimitReached),
        (429, RateLimited),
        (500, Unsure),
        (503, Unsure),
        (403, AccessDenied),
        (423, AccessDenied),
    ):
        house.service.faults = [
            Fault(kind="status", status=status, match="POST /sync/history")
        ]
        with pytest.raises(error):
            await house.send(mark)
    house.service.vip_only = {"POST /sync/history"}
    receipts = await house.send(mark, mark)
    assert {(r.outcome, r.reason) for r in receipts} == {("refused", "plan_required")}


async def test_an_account_limit_names_its_number(house: House) -> None:
    house.service.limits["watchlist"] = house.service.state()["watchlist"]
    item = show(house.service.catalogue.shows[0])
    with pytest.raises(LimitReached) as caught:
        await house.send(SetWatchlisted(item=item, listed=True))
    assert caught.value.placeholders == {
        "limit": str(house.service.limits["watchlist"])
    }


async def test_a_removal_is_done_even_when_the_count_after_it_fails(
    house: House,
) -> None:
    which = caught_up(house.service)
    done = house.service.account.progress(which).completed[-1]
    item = episode(which, done, own=("trakt",))
    house.service.faults = [
        Fault(kind="status", status=404, match="/progress/watched", times=9)
    ]
    [receipt] = await house.send(MarkUnwatched(item=item))
    assert (receipt.outcome, receipt.progress) == ("done", None)


async def test_the_next_refresh_waits_until_reads_are_fresh(house: House) -> None:
    await house.refresh()
    which, left = lagging(house.service)
    house.service.clock.advance(600)
    house.service.account.stale = 7
    await house.send(MarkWatched(item=episode(which, left[0]), watched_at=AT))
    house.naps.clear()
    await house.refresh()
    assert house.naps == [8]
    assert house.unwatched() == house.service.state()["unwatched"]


# reading on request


async def test_show(house: House) -> None:
    which, left = lagging(house.service)
    for name in ("trakt", "tvdb", "imdb"):
        detail = await house.tracker.show(Ids.of({name: which.ids[name]}))
        assert len(detail.episodes) == len(which.episodes)
    progress = detail.progress(house.service.clock.now())
    truth = house.service.account.progress(which)
    assert (progress.aired, progress.watched) == (
        len(truth.aired),
        len(truth.completed),
    )
    assert detail.key == str(which.ids["trakt"])
    assert detail.find(left[0].season, left[0].number).episode.title == left[0].title
    for ids in (Ids(), Ids.of(tvdb=1), Ids.of(trakt=1)):
        with pytest.raises(NotFound):
            await house.tracker.show(ids)


async def test_history(house: House) -> None:
    total = house.service.state()["plays"]
    cursor, found = None, []
    while True:
        page = await house.tracker.history(cursor)
        found += page.items
        assert page.total == total
        cursor = page.cursor
        if cursor is None:
            break
    assert len({p.id for p in found}) == total
    which = house.service.account.started()[0]
    page = await house.tracker.history(item=show(which, "tmdb"))
    assert page.total == len(house.service.account.plays_of(which))
    done = house.service.account.progress(which).completed[0]
    page = await house.tracker.history(item=episode(which, done))
    assert [(p.item.season, p.item.number) for p in page.items] == [
        (done.season, done.number)
    ]
    with pytest.raises(NotFound):
        await house.tracker.history(item=Movie(title="Nothing"))


async def test_search(house: House) -> None:
    which = house.service.catalogue.shows[3]
    found = await house.tracker.search(Query(text=which.title))
    assert found[0].item.ids.get("trakt") == str(which.ids["trakt"])
    found = await house.tracker.search(Query(text=which.title, year=1901))
    assert found == []
    found = await house.tracker.search(Query(ids=Ids.of(tvdb=which.ids["tvdb"])))
    assert [c.item.title for c in found] == [which.title]
    assert await house.tracker.search(Query(ids=Ids.of(tvdb=1))) == []
    assert await house.tracker.search(Query(text=" ")) == []
    assert await house.tracker.search(Query(text="x", types=frozenset())) == []
    await house.tracker.search(Query(text="What? (No!): 1/2"))
    assert house.service.requests[-1].query["query"] == "What\\? \\(No\\!\\)\\: 1\\/2"


async def test_a_show_known_by_foreign_ids_only(house: House) -> None:
    with pytest.raises(NotFound):
        await house.tracker.show(Ids.of(simkl=5))
    assert house.service.requests == []


async def test_history_of_a_season(house: House) -> None:
    which = next(s for s in house.service.account.started() if max(s.seasons()) > 1)
    page = await house.tracker.history(item=Season(show=show(which), number=1))
    assert page.items
    assert {p.item.season for p in page.items} == {1}


async def test_unmarked_titles_can_be_marked_again_in_a_big_batch(
    house: House,
) -> None:
    films = house.service.catalogue.movies[:5]
    shows = house.service.account.started()[:5]
    done = [(s, house.service.account.progress(s).completed[0]) for s in shows]
    marks = [MarkWatched(item=movie(m), watched_at=AT) for m in films]
    marks += [MarkWatched(item=episode(s, e), watched_at=AT) for s, e in done]
    assert {r.outcome for r in await house.send(*marks)} == {"already"}
    house.service.account.stale = 9
    await house.send(MarkUnwatched(item=movie(films[0])))
    await house.send(MarkUnwatched(item=episode(*done[0])))
    outcomes = [r.outcome for r in await house.send(*marks)]
    assert outcomes == ["done", *["already"] * 4, "done", *["already"] * 4]
    # a show in a big batch still needs its list of episodes
    lags, left = lagging(house.service)
    house.service.clock.advance(60)
    whole = MarkWatched(item=show(lags), watched_at=AT)
    receipts = await house.send(*marks, whole)
    assert receipts[-1].outcome is Outcome.DONE
    assert [plays_of(house, key(e)) for e in left] == [1] * len(left)


async def test_ids_win_over_titles_and_titles_are_asked_for_once(house: House) -> None:
    which, left = lagging(house.service, 2)
    named = Show(title=which.title, year=which.year)
    marks = [
        MarkWatched(
            item=Episode(show=named, season=e.season, number=e.number), watched_at=AT
        )
        for e in left[:2]
    ]
    assert {r.outcome for r in await house.send(*marks)} == {"done"}
    assert house.service.count("/search/") == 1


async def test_ambiguous_titles_are_not_guessed(house: House) -> None:
    shows = house.service.catalogue.shows
    shows[1].title = shows[0].title
    shows[1].year = shows[0].year
    item = Show(title=shows[0].title, year=shows[0].year)
    [receipt] = await house.send(MarkWatched(item=item, watched_at=AT))
    assert receipt.outcome is Outcome.NOT_FOUND
