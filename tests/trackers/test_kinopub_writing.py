"""KinoPub: writing, against the simulator over real HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from custom_components.up_next.media import Episode, Ids, Movie, Season, Show
from custom_components.up_next.trackers.errors import (
    AccessDenied,
    RateLimited,
    Unavailable,
    Unsure,
)
from custom_components.up_next.trackers.tracker import QueuedWrite
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

from .kinopub_account import FOLDER, Account, episode_of, movie_of, show_of, sign_in

type Start = Callable[..., Awaitable[Account]]


@pytest.fixture
def start(serve: Any, make_context: Any, tokens: Any) -> Start:
    async def start(**arguments: Any) -> Account:
        return await sign_in(serve, make_context, tokens, **arguments)

    return start


@pytest.fixture
async def account(start: Start) -> Account:
    return await start(shows=40, movies=40, options={"folder": str(FOLDER)})


def watched(item: Any, at: Any = "unknown", **more: Any) -> MarkWatched:
    return MarkWatched(item=item, watched_at=at, **more)


def toggles(account: Account) -> list[dict[str, str]]:
    return [r.query for r in account.sim.requests if r.path.endswith("/toggle")]


# marks


async def test_an_episode_is_marked_with_numbers_and_status(account: Account) -> None:
    show = account.begun(left=2)
    episode = account.next_of(show)
    write = watched(episode_of(show, episode), account.sim.clock.now())
    (receipt,) = await account.send(write)
    assert receipt.outcome is Outcome.DONE
    assert [play.item.ids.get("kinopub") for play in receipt.plays] == [
        str(episode.ids["kinopub"])
    ]
    assert account.status(show, episode.season, episode.number) == 1
    assert toggles(account) == [
        {
            "id": str(show.ids["kinopub"]),
            "season": str(episode.season),
            "video": str(episode.number),
            "status": "1",
        }
    ]
    library = await account.refresh()
    assert receipt.progress is not None
    row = library.shows[str(show.ids["kinopub"])]
    assert (row.aired, row.watched, row.seen) == (
        receipt.progress.aired,
        receipt.progress.watched,
        receipt.progress.seen,
    )
    assert next(iter(receipt.progress.show.ids.values)) == "kinopub"


async def test_what_is_watched_is_not_marked_again(account: Account) -> None:
    show = account.begun()
    write = watched(Episode(show=show_of(show), season=1, number=1), rewatch=True)
    await account.send(write)
    account.sim.requests.clear()
    (receipt,) = await account.send(write)
    assert receipt.outcome is Outcome.ALREADY
    assert not toggles(account), "a second mark would overwrite the date"


async def test_unmarking_returns_what_it_removed_and_can_be_undone(
    account: Account,
) -> None:
    show = account.begun()
    at = datetime(2026, 1, 2, 3, tzinfo=UTC)
    key = (int(show.ids["kinopub"]), 1, 1)
    account.sim.viewing.play(key, at=at)
    item = Episode(show=show_of(show), season=1, number=1)
    (receipt,) = await account.send(MarkUnwatched(item=item))
    assert receipt.outcome is Outcome.DONE
    assert [p.watched_at for p in receipt.plays] == [at]
    assert account.status(show, 1, 1) == -1
    (receipt,) = await account.send(RemovePlays(item=item))
    assert receipt.outcome is Outcome.ALREADY
    await account.send(watched(receipt.plays[0].item if receipt.plays else item))
    (receipt,) = await account.send(RemovePlays(item=item))
    assert receipt.outcome is Outcome.DONE
    (receipt,) = await account.send(RemovePlays(item=item, play_ids=("1",)))
    assert (receipt.outcome, receipt.reason) == (Outcome.REFUSED, "not_supported")


async def test_a_whole_season_is_one_call_each_way(account: Account) -> None:
    show = account.fresh()
    season = Season(show=show_of(show), number=1)
    size = sum(e.season == 1 for e in show.episodes)
    (receipt,) = await account.send(watched(season))
    assert len(receipt.plays) == size
    assert [t.get("video") for t in toggles(account)] == [None]
    assert receipt.progress is not None
    assert receipt.progress.watched == size
    assert receipt.progress.next_episode is not None
    assert receipt.progress.next_episode.season == 2
    account.sim.requests.clear()
    (receipt,) = await account.send(MarkUnwatched(item=season))
    assert len(receipt.plays) == size
    assert len(toggles(account)) == 1
    assert all(account.status(show, 1, n + 1) == -1 for n in range(size))


async def test_the_rest_of_a_season_keeps_the_dates_of_what_was_watched(
    account: Account,
) -> None:
    show = account.fresh()
    key = (int(show.ids["kinopub"]), 1, 2)
    account.sim.viewing.play(key, at=datetime(2020, 1, 1, tzinfo=UTC))
    before = account.sim.viewing.mark(*key).updated
    (receipt,) = await account.send(watched(Season(show=show_of(show), number=1)))
    assert receipt.outcome is Outcome.DONE
    assert account.sim.viewing.mark(*key).updated == before
    assert "2" not in {t["video"] for t in toggles(account)}
    # and unmarking leaves what was only started
    account.sim.viewing.set_watched((key[0], 2, 1), watched=False)
    account.sim.viewing.mark_time((key[0], 2, 1), 300)
    account.sim.viewing.play((key[0], 2, 2))
    account.sim.viewing.play((key[0], 2, 3))
    await account.send(MarkUnwatched(item=Season(show=show_of(show), number=2)))
    assert account.status(show, 2, 1) == 0
    assert account.status(show, 2, 2) == account.status(show, 2, 3) == -1


async def test_a_show_loops_over_seasons_by_their_numbers(account: Account) -> None:
    show = account.fresh()
    # a hole: the second season's number is no list position
    for episode in show.episodes:
        if episode.season == 2:
            episode.season = 7
    item = account.sim.item(show=int(show.ids["trakt"]))
    item._known = -1
    seasons = [s for s in show.seasons() if s]
    (receipt,) = await account.send(watched(show_of(show)))
    assert receipt.outcome is Outcome.DONE
    assert [int(t["season"]) for t in toggles(account)] == seasons
    assert len(receipt.plays) == len(show.episodes)
    (receipt,) = await account.send(watched(show_of(show)))
    assert receipt.outcome is Outcome.ALREADY
    (receipt,) = await account.send(MarkUnwatched(item=show_of(show)))
    assert len(receipt.plays) == len(show.episodes)
    assert account.sim.viewing.watched[item.id] == 0


async def test_specials_are_marked_only_when_they_are_meant(start: Start) -> None:
    account = await start(shows=40, specials=True)
    item = next(i for i in account.sim.viewing.items.values() if i.specials)
    show = item.show
    assert show is not None
    await account.send(watched(show_of(show)))
    assert account.status(show, 0, 1) == -1
    await account.send(watched(Season(show=show_of(show), number=0)))
    assert account.status(show, 0, 1) == 1
    await account.send(MarkUnwatched(item=show_of(show)))
    assert account.status(show, 0, 1) == -1


async def test_a_batch_of_one_show_reads_its_state_once(account: Account) -> None:
    show = account.fresh()
    first = [e for e in show.episodes if e.season == 1]
    writes = [watched(episode_of(show, e)) for e in first]
    missing = watched(Episode(show=show_of(show), season=1, number=99))
    receipts = await account.send(*writes, missing)
    assert [r.outcome for r in receipts] == [
        *[Outcome.DONE] * len(first),
        Outcome.NOT_FOUND,
    ]
    assert len(account.sim.requests) == 2
    again = await account.send(*writes)
    assert {r.outcome for r in again} == {Outcome.ALREADY}


async def test_combining(account: Account) -> None:
    tracker = account.tracker
    one, two = account.begun(), account.fresh()
    a, b = episode_of(one, one.episodes[0]), episode_of(two, two.episodes[0])
    named = Show(title="Named only")
    c = Episode(show=named, season=1, number=1)
    assert tracker.combine([watched(a), watched(a), watched(b)]) == 2
    assert tracker.combine([watched(a), MarkUnwatched(item=a)]) == 1
    assert tracker.combine([MarkUnwatched(item=a), MarkUnwatched(item=a)]) == 2
    assert tracker.combine([watched(c), watched(c), watched(a)]) == 2
    assert tracker.combine([Rate(item=a, rating=5), Rate(item=a, rating=5)]) == 1
    assert tracker.combine([watched(one_season(a)), watched(a)]) == 1
    assert tracker.combine([watched(a)] * 300) == 100


def one_season(episode: Episode) -> Season:
    return Season(show=episode.show, number=episode.season)


async def test_a_movie_and_all_its_parts(account: Account) -> None:
    item = next(i for i in account.sim.viewing.items.values() if i.subtype == "multi")
    assert item.movie is not None
    for number in (1, 2):
        account.sim.viewing.set_watched((item.id, 0, number), watched=False)
    movie = movie_of(account, int(item.movie.ids["trakt"]))
    (receipt,) = await account.send(watched(movie, account.sim.clock.now()))
    assert receipt.outcome is Outcome.DONE
    assert len(receipt.plays) == 1
    assert [(t["video"], "season" in t) for t in toggles(account)] == [
        ("1", False),
        ("2", False),
    ]
    (receipt,) = await account.send(watched(movie))
    assert receipt.outcome is Outcome.ALREADY
    (receipt,) = await account.send(MarkUnwatched(item=movie))
    assert receipt.plays[0].watched_at is not None
    assert account.sim.viewing.status(item) == -1


async def test_only_now_and_unknown_are_taken_as_times(account: Account) -> None:
    show = account.fresh()
    item = episode_of(show, show.episodes[0])
    now = account.sim.clock.now()
    for at in (now - timedelta(days=3), "released"):
        (receipt,) = await account.send(watched(item, at))
        assert (receipt.outcome, receipt.reason) == (Outcome.REFUSED, "date_not_kept")
    assert not account.sim.requests
    other = episode_of(show, show.episodes[1])
    receipts = await account.send(watched(item, "released"), watched(other, now))
    assert [r.outcome for r in receipts] == [Outcome.REFUSED, Outcome.DONE]
    # asked for at that time, sent hours later: still the time of the wish
    queued = QueuedWrite(write=watched(item, now), created_at=now)
    account.sim.clock.advance(1800)
    (receipt,) = await account.tracker.send([queued])
    assert receipt.outcome is Outcome.DONE


# lost answers


async def test_a_lost_answer_does_no_harm(account: Account) -> None:
    show = account.begun(left=2)
    episode = account.next_of(show)
    write = watched(episode_of(show, episode), account.sim.clock.now())
    account.sim.faults.append(Fault("lost", "/toggle"))
    with pytest.raises(Unavailable) as raised:
        await account.send(write)
    assert raised.value.translation_key == "unreachable"
    (receipt,) = await account.send(write, unsure=True)
    assert receipt.outcome is Outcome.DONE, "the first attempt did it"
    assert len(receipt.plays) == 1
    assert account.sim.count("/toggle") == 1
    movie = movie_of(account, 500_039)
    account.sim.faults.append(Fault("lost", "/toggle"))
    with pytest.raises(Unavailable):
        await account.send(watched(movie))
    (receipt,) = await account.send(watched(movie), unsure=True)
    assert (receipt.outcome, len(receipt.plays)) == (Outcome.DONE, 1)


async def test_a_lost_flip_is_looked_at_before_it_is_repeated(account: Account) -> None:
    show = account.begun()
    key = int(show.ids["kinopub"])
    write = SetWatchlisted(item=show_of(show), listed=True)
    account.sim.faults.append(Fault("lost", "/togglewatchlist"))
    with pytest.raises(Unsure):
        await account.send(write)
    assert key in account.sim.viewing.subscribed
    (receipt,) = await account.send(write, unsure=True)
    assert receipt.outcome is Outcome.ALREADY
    assert account.sim.count("/togglewatchlist") == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("status", "/toggle", 1, 429), RateLimited),
        (Fault("html", "/toggle", 1, 403), AccessDenied),
        (Fault("status", "/toggle", 1, 502), Unavailable),
        (Fault("broken_json", "/toggle"), Unavailable),
        (Fault("empty", "/toggle"), Unavailable),
    ],
)
async def test_failures_leave_the_write_to_the_outbox(
    account: Account, fault: Fault, error: type[Exception]
) -> None:
    show = account.begun(left=1)
    write = watched(episode_of(show, account.next_of(show)))
    account.sim.faults.append(replace(fault))
    with pytest.raises(error):
        await account.send(write)
    (receipt,) = await account.send(write, unsure=True)
    assert receipt.outcome in (Outcome.DONE, Outcome.ALREADY)


async def test_refusals(account: Account) -> None:
    show = account.begun(left=1)
    write = watched(episode_of(show, account.next_of(show)))
    account.sim.faults.append(Fault("status", "/toggle", 1, 400))
    (receipt,) = await account.send(write)
    assert (receipt.outcome, receipt.reason) == (Outcome.REFUSED, "refused")
    body = '{"status":200,"watched":0}'
    account.sim.faults.append(Fault("status", "/toggle", 1, 200, body))
    (receipt,) = await account.send(write)
    assert receipt.outcome is Outcome.REFUSED
    account.sim.faults.append(Fault("status", "/toggle", 1, 200, '{"status":200}'))
    (receipt,) = await account.send(write)
    assert receipt.outcome is Outcome.DONE, "silent about the state: believed"
    body = '{"status":404,"error":"Requested item or video not found."}'
    account.sim.faults.append(Fault("status", "/toggle", 1, 404, body))
    (receipt,) = await account.send(write)
    assert receipt.outcome is Outcome.NOT_FOUND
    movie = movie_of(account, 500_000)
    for item in (Show(title="", ids=movie.ids), replace(movie, ids=show_of(show).ids)):
        (receipt,) = await account.send(watched(item))
        assert receipt.outcome is Outcome.NOT_FOUND, "movies have no seasons"
    for other in (
        Rate(item=movie, rating=7),
        SetHidden(show=show_of(show), hidden=True),
        SetWatchlisted(item=one_season(write.item), listed=True),  # type: ignore[arg-type]
    ):
        (receipt,) = await account.send(other)
        assert (receipt.outcome, receipt.reason) == (Outcome.REFUSED, "not_supported")


# finding


async def test_titles_are_found_by_imdb_through_their_name(account: Account) -> None:
    show = account.begun(left=1)
    episode = account.next_of(show)
    item = replace(episode_of(show, episode), show=show_of(show, native=False))
    (receipt,) = await account.send(watched(item))
    assert receipt.outcome is Outcome.DONE
    assert account.sim.count("/items/search") == 1
    await account.send(watched(item))
    assert account.sim.count("/items/search") == 1, "remembered"
    wrong = replace(show_of(show), ids=Ids.of(imdb="tt0000001"))
    (receipt,) = await account.send(watched(wrong))
    assert receipt.outcome is Outcome.NOT_FOUND, "the name agrees, the id does not"
    named = Show(title=show.title, year=show.year)
    (receipt,) = await account.send(watched(named))
    assert receipt.outcome is Outcome.DONE
    (receipt,) = await account.send(watched(replace(named, year=1900)))
    assert receipt.outcome is Outcome.NOT_FOUND
    (receipt,) = await account.send(watched(Show(title="", ids=Ids.of(imdb="tt1"))))
    assert receipt.outcome is Outcome.NOT_FOUND


async def test_titles_without_imdb_are_found_by_name_and_year(account: Account) -> None:
    item = next(i for i in account.sim.viewing.items.values() if i.movie and not i.imdb)
    assert item.movie is not None
    movie = movie_of(account, int(item.movie.ids["trakt"]), native=False)
    (receipt,) = await account.send(SetWatchlisted(item=movie, listed=True))
    assert receipt.outcome in (Outcome.DONE, Outcome.ALREADY)
    twin = next(i for i in account.sim.viewing.items.values() if i.movie and i.imdb)
    twin.title, twin.year, twin.imdb = item.title, item.year, None
    other = Movie(title=movie.title, year=movie.year)
    (receipt,) = await account.send(SetWatchlisted(item=other, listed=True))
    assert receipt.outcome is Outcome.NOT_FOUND, "ambiguous"
    twin.kind = "3d"
    (receipt,) = await account.send(SetWatchlisted(item=other, listed=True))
    assert receipt.outcome is Outcome.ALREADY, "the flat one is meant"


async def test_what_the_library_holds_needs_no_search(account: Account) -> None:
    library = await account.refresh()
    entry = library.watchlist[0].item
    foreign = Movie(title="Elsewhere", ids=Ids.of(imdb=entry.ids.get("imdb")))
    (receipt,) = await account.send(SetWatchlisted(item=foreign, listed=True))
    assert receipt.outcome is Outcome.ALREADY
    row = next(r for r in library.shows.values() if r.show.ids.get("imdb"))
    show = Show(title="Elsewhere", ids=Ids.of(imdb=row.show.ids.get("imdb")))
    (receipt,) = await account.send(SetWatchlisted(item=show, listed=True))
    assert receipt.outcome in (Outcome.DONE, Outcome.ALREADY)
    assert account.sim.count("/items/search") == 0


# watchlist


async def test_movies_go_into_the_folder(account: Account) -> None:
    movie = movie_of(account, 500_000)
    size = account.sim.state()["watchlist"]
    for outcome in (Outcome.DONE, Outcome.ALREADY):
        (receipt,) = await account.send(SetWatchlisted(item=movie, listed=True))
        assert receipt.outcome is outcome
    assert account.sim.state()["watchlist"] == size + 1
    other = account.sim.viewing.folders[161702]
    other.items.append(int(movie.ids.get("kinopub") or 0))
    for outcome in (Outcome.DONE, Outcome.ALREADY):
        (receipt,) = await account.send(SetWatchlisted(item=movie, listed=False))
        assert receipt.outcome is outcome
    assert account.sim.state()["watchlist"] == size
    assert other.items, "other folders are the user's own business"
    posts = [r for r in account.sim.requests if r.method == "POST"]
    assert all(b"item=" in r.body for r in posts)


async def test_movies_without_a_folder(start: Start) -> None:
    account = await start()
    (receipt,) = await account.send(
        SetWatchlisted(item=movie_of(account, 500_000), listed=True)
    )
    assert (receipt.outcome, receipt.reason) == (Outcome.REFUSED, "no_folder")


async def test_shows_are_flipped_only_when_they_differ(account: Account) -> None:
    show = account.begun()
    key = int(show.ids["kinopub"])
    for listed in (True, False):
        for outcome in (Outcome.DONE, Outcome.ALREADY):
            write = SetWatchlisted(item=show_of(show), listed=listed)
            (receipt,) = await account.send(write)
            assert receipt.outcome is outcome
        assert (key in account.sim.viewing.subscribed) == listed
    assert account.sim.paths.links_served == 0
    movie = movie_of(account, 500_000)
    write = SetWatchlisted(item=Show(title="x", ids=movie.ids), listed=True)
    (receipt,) = await account.send(write)
    assert receipt.outcome is Outcome.NOT_FOUND


async def test_a_flip_that_met_another_is_flipped_back(account: Account) -> None:
    show = account.begun()
    body = '{"status":200,"watching":false}'
    account.sim.faults.append(Fault("status", "/togglewatchlist", 1, 200, body))
    write = SetWatchlisted(item=show_of(show), listed=True)
    (receipt,) = await account.send(write)
    assert receipt.outcome is Outcome.DONE
    account.sim.faults.append(Fault("status", "/togglewatchlist", 2, 200, body))
    account.sim.viewing.subscribed.clear()
    (receipt,) = await account.send(write)
    assert receipt.outcome is Outcome.REFUSED


# progress


async def test_a_position_in_seconds(account: Account) -> None:
    show = account.begun(left=1)
    episode = account.next_of(show)
    item = episode_of(show, episode)
    mark = account.sim.viewing.mark
    key = (int(show.ids["kinopub"]), episode.season, episode.number)
    (receipt,) = await account.send(SetProgress(item=item, position=1320.7))
    assert receipt.outcome is Outcome.DONE
    assert (mark(*key).time, mark(*key).status) == (1320, 0)
    assert len(account.sim.requests) == 1
    (receipt,) = await account.send(SetProgress(item=item, progress=50))
    assert mark(*key).time == episode.runtime // 2
    (receipt,) = await account.send(
        SetProgress(item=replace(item, runtime=1000), progress=50)
    )
    assert mark(*key).time == 500
    for write in (
        SetProgress(item=item, position=0.5),
        SetProgress(item=replace(item, number=99), progress=50),
    ):
        (receipt,) = await account.send(write)
        assert (receipt.outcome, receipt.reason) == (
            Outcome.REFUSED,
            "position_too_short",
        )
    missing = SetProgress(item=replace(item, number=99), position=60)
    (receipt,) = await account.send(missing)
    assert receipt.outcome is Outcome.NOT_FOUND


async def test_a_position_that_was_set_is_not_taken_for_playing(
    account: Account,
) -> None:
    library = await account.refresh()
    movie = movie_of(account, 500_035)
    await account.send(SetProgress(item=movie, position=900))
    after = await account.refresh(library)
    assert after.watching is None
    assert after.playbacks[0].position == 900
    account.sim.clock.advance(60)
    account.sim.start_watching({"movie": 500_035}, 960)
    assert (await account.refresh(after)).watching is not None


async def test_clearing_a_position(account: Account) -> None:
    library = await account.refresh()
    movie = movie_of(account, 500_036)
    key = (int(movie.ids.get("kinopub") or 0), 0, 1)
    account.sim.start_watching({"movie": 500_036}, 900)
    library = await account.refresh(library)
    assert library.playbacks
    (receipt,) = await account.send(ClearProgress(item=movie))
    assert receipt.outcome is Outcome.DONE
    assert account.sim.viewing.mark(*key).status == -1
    (receipt,) = await account.send(ClearProgress(item=movie))
    assert receipt.outcome is Outcome.ALREADY
    assert not (await account.refresh(library)).playbacks
    account.sim.watch_movie(500_036)
    (receipt,) = await account.send(ClearProgress(item=movie))
    assert receipt.outcome is Outcome.DONE
    assert account.sim.viewing.mark(*key).status == 1, "it stays watched"
    assert account.sim.viewing.mark(*key).time == 0
    show = account.begun()
    missing = Episode(show=show_of(show), season=1, number=99)
    (receipt,) = await account.send(ClearProgress(item=missing))
    assert receipt.outcome is Outcome.NOT_FOUND


async def test_clearing_an_episodes_position_is_read_back(account: Account) -> None:
    show = account.begun(left=2)
    episode = account.next_of(show)
    numbers = {
        "show": show.ids["trakt"],
        "season": episode.season,
        "number": episode.number,
    }
    account.sim.start_watching(numbers, 300)
    library = await account.refresh()
    assert len(library.playbacks) == 1
    await account.send(ClearProgress(item=episode_of(show, episode)))
    account.asked()
    after = await account.refresh(library)
    assert not after.playbacks
    assert len(account.asked()) == 5
    assert (await account.refresh(after)).playbacks == ()
    assert len(account.asked()) == 4
