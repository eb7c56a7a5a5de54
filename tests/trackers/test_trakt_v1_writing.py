"""Trakt v1: writing, against the simulator over real HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
import json
from typing import Any

import pytest

from custom_components.up_next.media import Episode, Ids, Movie, Season, Show
from custom_components.up_next.trackers.errors import (
    AccessDenied,
    BadAnswer,
    NotFound,
    RateLimited,
    Refused,
    SignInRequired,
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
    Write,
)
from simulators.service import Fault

from .trakt_v1_account import Account, episode_of, movie_of, open_account, show_of

type Start = Callable[..., Awaitable[Account]]

AT = datetime(2026, 1, 2, 20, 15, tzinfo=UTC)
ALL = "GET /user/progress/watched.json/all/title/normal"
STRANGER = Movie(title="Nobody knows it", year=1999, ids=Ids.of(imdb="tt0000009"))


@pytest.fixture
def start(serve: Any, make_context: Any) -> Start:
    async def start(**arguments: Any) -> Account:
        return await open_account(serve, make_context, **arguments)

    return start


@pytest.fixture
async def account(start: Start) -> Account:
    return await start()


def watched(item: Any, at: Any = "unknown", **more: Any) -> MarkWatched:
    return MarkWatched(item=item, watched_at=at, **more)


def sent(account: Account, path: str) -> list[dict[str, Any]]:
    """Return the bodies posted to a path."""
    return [
        json.loads(r.body)
        for r in account.sim.requests
        if r.method == "POST" and r.path.startswith(f"/{path}/")
    ]


# episodes


async def test_an_episode(account: Account) -> None:
    show = account.begun(left=2)
    episode = account.left(show)[0]
    library = await account.settled()
    (receipt,) = await account.send(watched(episode_of(show, episode), AT))
    assert receipt.outcome is Outcome.DONE
    assert [play.watched_at for play in receipt.plays] == [AT]
    assert account.plays(show, episode.season, episode.number) == [int(AT.timestamp())]
    (body,) = sent(account, "show/episode/seen")
    assert body["tvdb_id"] == show.ids["tvdb"]
    assert body["episodes"] == [
        {
            "season": episode.season,
            "episode": episode.number,
            "last_played": int(AT.timestamp()),
        }
    ]
    assert account.asked() == [
        f"GET /user/progress/watched.json/{show.ids['tvdb']}/title/normal",
        "POST /show/episode/seen",
    ]
    after = await account.refresh(library)
    row = after.shows[str(show.ids["tvdb"])]
    assert receipt.progress is not None
    assert (receipt.progress.left, receipt.progress.seen) == (row.left, row.seen)
    assert row.left == library.shows[str(show.ids["tvdb"])].left - 1


async def test_an_unknown_time_is_not_sent(account: Account) -> None:
    show = account.begun(left=2)
    first, second = account.left(show)[:2]
    await account.send(watched(episode_of(show, first)))
    aired = replace(episode_of(show, second), first_aired=second.first_aired)
    (receipt,) = await account.send(watched(aired, "released"))
    assert [play.watched_at for play in receipt.plays] == [second.first_aired]
    unknown, released = sent(account, "show/episode/seen")
    assert "last_played" not in unknown["episodes"][0]
    assert released["episodes"][0]["last_played"] == int(second.first_aired.timestamp())


async def test_what_is_watched_is_not_marked_again(account: Account) -> None:
    show = account.begun()
    numbers = next(iter(account.sim.shows[int(show.ids["trakt"])].plays))
    episode = show.episode(*numbers)
    assert episode is not None
    before = account.sim.state()["plays"]
    (receipt,) = await account.send(watched(episode_of(show, episode), AT))
    assert receipt.outcome is Outcome.ALREADY
    assert account.sim.state()["plays"] == before
    assert sent(account, "show/episode/seen") == []


async def test_episodes_of_one_show_go_together(account: Account) -> None:
    show = account.begun(left=3)
    other = next(s for s in account.sim.catalogue.shows if s is not show)
    left = account.left(show)
    writes: list[Write] = [watched(episode_of(show, e), AT) for e in left]
    more = [
        watched(Episode(show=show_of(other), season=1, number=1)),
        MarkUnwatched(item=episode_of(show, left[0])),
        watched(show_of(show)),
        watched(movie_of(account, 500_000)),
        Rate(item=episode_of(show, left[0]), rating=3),
    ]
    for following in more:
        assert account.tracker.combine([*writes, following]) == len(left)
    assert account.tracker.combine(writes * 200) == 100
    receipts = await account.send(*writes, writes[0])
    assert {r.outcome for r in receipts} == {Outcome.DONE}
    (body,) = sent(account, "show/episode/seen")
    assert len(body["episodes"]) == len(left)
    assert len(account.asked()) == 2
    assert account.left(show) == []
    assert receipts[0].progress is not None
    assert receipts[0].progress.left == 0


@pytest.mark.parametrize("names", [("tvdb",), ("imdb",), ("tmdb",), ("trakt",)])
async def test_a_show_known_by_whatever_ids(
    account: Account, names: tuple[str, ...]
) -> None:
    """Where no id is common, title and year tell what was watched already."""
    show = account.begun(left=2)
    item = show_of(show, *names)
    (done,) = await account.send(watched(item))
    assert done.outcome is Outcome.DONE
    assert account.left(show) == []
    (again,) = await account.send(watched(item))
    assert again.outcome is Outcome.ALREADY
    assert all(
        len(times) == 1
        for times in account.sim.shows[int(show.ids["trakt"])].plays.values()
    )


async def test_a_whole_show_and_a_season(account: Account) -> None:
    show = account.begun(left=3)
    left = account.left(show)
    season = Season(show=show_of(show), number=left[0].season)
    (receipt,) = await account.send(watched(season, AT))
    own = [e for e in left if e.season == left[0].season]
    assert len(receipt.plays) == len(own)
    assert len(account.left(show)) == len(left) - len(own)
    await account.send(watched(show_of(show), AT))
    assert account.left(show) == []
    nowhere = Season(show=show_of(show), number=77)
    assert (await account.send(watched(nowhere)))[0].outcome is Outcome.NOT_FOUND
    (released,) = await account.send(watched(show_of(account.begun()), "released"))
    assert (released.outcome, released.reason) == (Outcome.REFUSED, "date_unknown")


async def test_a_show_nothing_of_which_was_watched(account: Account) -> None:
    show = account.fresh()
    for item in (show_of(show), Season(show=show_of(show), number=1)):
        (receipt,) = await account.send(watched(item))
        assert (receipt.outcome, receipt.reason) == (
            Outcome.REFUSED,
            "episodes_unknown",
        )
        (receipt,) = await account.send(MarkUnwatched(item=item))
        assert receipt.outcome is Outcome.ALREADY
    (receipt,) = await account.send(watched(episode_of(show, show.episodes[0])))
    assert receipt.outcome is Outcome.DONE
    assert receipt.progress is None
    (receipt,) = await account.send(watched(show_of(show)))
    assert receipt.outcome is Outcome.DONE
    assert account.left(show) == []


async def test_a_finished_show_without_its_seasons(account: Account) -> None:
    account.sim.bare_finished = True
    show = account.finished()
    item = show_of(show)
    already: list[Write] = [
        watched(item),
        watched(Season(show=item, number=1)),
        watched(Episode(show=item, season=1, number=1)),
    ]
    for write in already:
        assert (await account.send(write))[0].outcome is Outcome.ALREADY
    for unknown in (
        MarkUnwatched(item=item),
        watched(Season(show=item, number=0)),
        MarkUnwatched(item=Season(show=item, number=0)),
    ):
        (receipt,) = await account.send(unknown)
        assert receipt.reason == "episodes_unknown"
    (receipt,) = await account.send(
        MarkUnwatched(item=Episode(show=item, season=1, number=1))
    )
    assert receipt.outcome is Outcome.DONE
    assert len(account.left(show)) == 1


async def test_specials_go_out_unseen(account: Account) -> None:
    """The server does not tell whether a special was watched."""
    show = next(
        s
        for s in account.sim.catalogue.shows
        if 0 in s.seasons() and int(s.ids["trakt"]) in account.sim.shows
    )
    special = Episode(show=show_of(show), season=0, number=1)
    (receipt,) = await account.send(watched(special, AT))
    assert receipt.outcome is Outcome.DONE
    assert receipt.progress is None
    assert account.plays(show, 0, 1)
    (receipt,) = await account.send(MarkUnwatched(item=special))
    assert receipt.outcome is Outcome.DONE
    assert not account.plays(show, 0, 1)


async def test_neither_what_is_not_out_nor_hidden_seasons(account: Account) -> None:
    show = account.begun()
    row = {
        "show": {"title": show.title, "year": show.year, "tvdb_id": show.ids["tvdb"]},
        "seasons": [
            {"season": 1, "aired": 2, "episodes": {"1": True, "2": False, "3": False}},
            {"season": 2, "aired": 1, "episodes": {"1": False}},
        ],
        "hidden_seasons": [2],
    }
    body = json.dumps([row])
    account.sim.faults.append(Fault("status", "progress", 9, 200, body))
    item = show_of(show)
    (receipt,) = await account.send(watched(Season(show=item, number=1)))
    (request,) = sent(account, "show/episode/seen")
    assert request["episodes"] == [{"season": 1, "episode": 2}]
    assert receipt.progress is not None
    assert (receipt.progress.aired, receipt.progress.watched) == (2, 2)


async def test_unmarking(account: Account) -> None:
    show = account.begun()
    plays = account.sim.shows[int(show.ids["trakt"])].plays
    first = Episode(show=show_of(show), season=1, number=1)
    (receipt,) = await account.send(MarkUnwatched(item=first))
    assert receipt.outcome is Outcome.DONE
    # when it was watched is not known
    assert [play.watched_at for play in receipt.plays] == [None]
    assert (1, 1) not in plays
    (receipt,) = await account.send(MarkUnwatched(item=first))
    assert receipt.outcome is Outcome.ALREADY
    before = len(plays)
    (receipt,) = await account.send(MarkUnwatched(item=show_of(show)))
    assert len(receipt.plays) == before
    assert plays == {}
    library = await account.refresh()
    assert str(show.ids["tvdb"]) not in library.shows


async def test_unmarking_a_season_that_is_not_there(account: Account) -> None:
    season = Season(show=show_of(account.begun()), number=77)
    (receipt,) = await account.send(MarkUnwatched(item=season))
    assert receipt.outcome is Outcome.ALREADY


async def test_what_the_server_does_not_know(account: Account) -> None:
    show = account.begun()
    nothing = [
        watched(Episode(show=show_of(show), season=1, number=99)),
        watched(Episode(show=Show(title="Nobody knows it"), season=1, number=1)),
    ]
    for write in nothing:
        (receipt,) = await account.send(write)
        assert (receipt.outcome, receipt.reason) == (Outcome.NOT_FOUND, "not_found")
    with pytest.raises(NotFound):
        # of several, it does not tell which: they are sent one by one
        await account.send(nothing[0], replace(nothing[0]))
    released = watched(Episode(show=show_of(show), season=1, number=1), "released")
    assert (await account.send(released))[0].reason == "date_unknown"


# movies


async def test_movies_go_together_and_each_has_its_receipt(account: Account) -> None:
    new, old = movie_of(account, 500_030), movie_of(account, 500_000)
    writes = [
        watched(new, AT),
        watched(old),
        watched(STRANGER),
        watched(movie_of(account, 500_031), "released"),
    ]
    receipts = await account.send(*writes)
    assert [r.outcome for r in receipts] == [
        Outcome.DONE,
        Outcome.ALREADY,
        Outcome.NOT_FOUND,
        Outcome.REFUSED,
    ]
    assert receipts[3].reason == "date_unknown"
    assert [play.watched_at for play in receipts[0].plays] == [AT]
    assert account.sim.movies[500_030] == [int(AT.timestamp())]
    (body,) = sent(account, "movie/seen")
    assert len(body["movies"]) == 3
    assert account.tracker.combine([watched(new)] * 300) == 100
    listing = SetWatchlisted(item=new, listed=True)
    assert account.tracker.combine([watched(new), listing]) == 1
    assert len(account.asked()) == 1


async def test_one_movie(account: Account) -> None:
    for write, outcome in (
        (watched(movie_of(account, 500_000)), Outcome.ALREADY),
        (watched(STRANGER), Outcome.NOT_FOUND),
        (watched(movie_of(account, 500_030)), Outcome.DONE),
        (watched(movie_of(account, 500_031), "released"), Outcome.REFUSED),
        (MarkUnwatched(item=movie_of(account, 500_030)), Outcome.DONE),
    ):
        assert (await account.send(write))[0].outcome is outcome
    assert 500_030 not in account.sim.movies
    by_title = replace(movie_of(account, 500_030), ids=Ids())
    assert (await account.send(watched(by_title)))[0].outcome is Outcome.DONE
    assert 500_030 in account.sim.movies


# watchlist


async def test_movies_on_the_watchlist(account: Account) -> None:
    new, old = movie_of(account, 500_000), movie_of(account, 500_030)
    before = account.sim.state()["watchlist"]
    writes: list[Write] = [
        SetWatchlisted(item=item, listed=True) for item in (new, old, STRANGER)
    ]
    receipts = await account.send(*writes)
    assert [r.outcome for r in receipts] == [
        Outcome.DONE,
        Outcome.ALREADY,
        Outcome.NOT_FOUND,
    ]
    assert account.sim.state()["watchlist"] == before + 1
    assert account.asked() == [
        "GET /user/watchlist/movies.json",
        "POST /movie/watchlist",
    ]
    receipts = await account.send(
        SetWatchlisted(item=new, listed=False),
        SetWatchlisted(item=STRANGER, listed=False),
    )
    assert [r.outcome for r in receipts] == [Outcome.DONE, Outcome.ALREADY]
    assert account.sim.state()["watchlist"] == before
    off = SetWatchlisted(item=new, listed=False)
    assert account.tracker.combine([writes[0], off]) == 1


@pytest.mark.parametrize("counts", [True, False])
async def test_shows_on_the_watchlist_one_by_one(
    account: Account, counts: bool
) -> None:
    account.sim.counts_lists = counts
    show = show_of(account.begun())
    unknown = Show(title="Nobody knows it", year=1999)
    listing = SetWatchlisted(item=show, listed=True)
    assert account.tracker.combine([listing, listing]) == 1
    assert (await account.send(listing))[0].outcome is Outcome.DONE
    assert (await account.send(listing))[0].outcome is Outcome.ALREADY
    (receipt,) = await account.send(SetWatchlisted(item=unknown, listed=True))
    assert receipt.outcome is (Outcome.NOT_FOUND if counts else Outcome.DONE)
    off = SetWatchlisted(item=show, listed=False)
    assert (await account.send(off))[0].outcome is Outcome.DONE
    assert (await account.send(off))[0].outcome is Outcome.ALREADY


async def test_a_write_is_seen_by_the_next_refresh(account: Account) -> None:
    library = await account.settled()
    await account.refresh(library)
    account.sim.clock.advance(60)
    item = movie_of(account, 500_000)
    await account.send(SetWatchlisted(item=item, listed=True))
    after = await account.refresh(library)
    assert len(after.watchlist) == len(library.watchlist) + 1


async def test_taking_a_play_back_takes_the_mark(account: Account) -> None:
    """The server tells no plays apart."""
    show = account.begun()
    (episode, *_) = account.left(show)
    item = episode_of(show, episode)
    assert (await account.send(watched(item)))[0].outcome is Outcome.DONE
    assert account.plays(show, episode.season, episode.number)
    assert (await account.send(RemovePlays(item=item)))[0].outcome is Outcome.DONE
    assert not account.plays(show, episode.season, episode.number)
    assert (await account.send(RemovePlays(item=item)))[0].outcome is Outcome.ALREADY


async def test_what_v1_can_not_write(account: Account) -> None:
    movie = movie_of(account, 500_000)
    show = show_of(account.begun())
    writes: list[Write] = [
        RemovePlays(item=movie, play_ids=("7",)),
        Rate(item=movie, rating=7),
        SetProgress(item=movie, progress=50),
        ClearProgress(item=movie),
        SetHidden(show=show, hidden=True),
        SetWatchlisted(item=Season(show=show, number=1), listed=True),
    ]
    for write in writes:
        (receipt,) = await account.send(write)
        assert (receipt.outcome, receipt.reason) == (Outcome.REFUSED, "not_supported")
    assert account.asked() == []


# lost answers and failures


@pytest.mark.parametrize("kind", ["lost", "reset", "drop"])
async def test_a_lost_answer_never_makes_a_second_play(
    account: Account, kind: str
) -> None:
    show = account.begun(left=2)
    write = watched(episode_of(show, account.left(show)[0]), AT)
    numbers = (write.item.season, write.item.number)  # type: ignore[union-attr]
    account.sim.faults.append(Fault(kind, "POST"))
    with pytest.raises(Unsure):
        await account.send(write)
    (receipt,) = await account.send(write, unsure=True)
    assert receipt.outcome is Outcome.DONE
    assert [play.watched_at for play in receipt.plays] == [AT]
    assert account.plays(show, *numbers) == [int(AT.timestamp())]


async def test_lost_answers_of_movies_and_lists(account: Account) -> None:
    movie = movie_of(account, 500_031)
    for write in (
        watched(movie, AT),
        SetWatchlisted(item=movie_of(account, 500_001), listed=True),
        SetWatchlisted(item=movie_of(account, 500_001), listed=False),
        MarkUnwatched(item=movie),
    ):
        account.sim.faults.append(Fault("lost", "POST"))
        with pytest.raises(Unsure):
            await account.send(write)
        (receipt,) = await account.send(write, unsure=True)
        assert receipt.outcome is Outcome.DONE
    assert 500_031 not in account.sim.movies


async def test_a_failed_look_keeps_the_write_certain(account: Account) -> None:
    show = account.begun()
    write = watched(episode_of(show, account.left(show)[0]))
    account.sim.faults.append(Fault("reset", "progress", times=3))
    with pytest.raises(Unavailable) as caught:
        await account.send(write)
    assert not isinstance(caught.value, Unsure)
    assert sent(account, "show/episode/seen") == []


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, "failed authentication", SignInRequired),
        (401, "invalid API key", AccessDenied),
        (503, "server is over capacity", RateLimited),
        (500, "", Unsure),
        (404, "", BadAnswer),
    ],
)
async def test_failures_for_the_outbox(
    account: Account, status: int, body: str, error: type[Exception]
) -> None:
    text = json.dumps({"status": "failure", "error": body}) if body else ""
    account.sim.faults.append(Fault("status", "POST", status=status, body=text))
    with pytest.raises(error):
        await account.send(watched(movie_of(account, 500_031)))
    assert account.sleeps == []


async def test_a_failure_inside_200(account: Account) -> None:
    body = '{"status":"failure","error":"no"}'
    account.sim.faults.append(Fault("status", "POST", times=2, status=200, body=body))
    write = watched(movie_of(account, 500_031))
    (receipt,) = await account.send(write)
    assert (receipt.outcome, receipt.reason) == (Outcome.REFUSED, "refused")
    with pytest.raises(Refused):
        await account.send(write, write)
    account.sim.faults.append(Fault("status", "POST", status=200, body="{}"))
    with pytest.raises(BadAnswer):
        await account.send(write)


async def test_a_changed_password_parks_the_writes(account: Account) -> None:
    account.sim.revoke_tokens()
    with pytest.raises(SignInRequired):
        await account.send(watched(movie_of(account, 500_031)))
    # a public profile can still be read
    assert (await account.refresh()).shows


async def test_five_thousand_plays_cost_a_request_a_show(start: Start) -> None:
    account = await start(shows=200, movies=1000, watched=50)
    now = account.sim.clock.now()
    writes: list[Write] = [
        watched(movie_of(account, 500_000 + n), now - timedelta(hours=n))
        for n in range(500, 1000)
    ]
    for show in account.sim.catalogue.shows[:20]:
        writes += [watched(episode_of(show, e), now) for e in account.left(show)]
    queued = [QueuedWrite(write=w, created_at=now) for w in writes]
    account.sim.requests.clear()
    while queued:
        count = account.tracker.combine([q.write for q in queued])
        await account.tracker.send(queued[:count])
        del queued[:count]
    assert len(account.sim.requests) <= 5 + 2 * 20
    assert sum(not account.left(s) for s in account.sim.catalogue.shows[:20]) == 20
