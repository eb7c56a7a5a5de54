"""What Simkl is asked to change, in how many requests, and what the receipts say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
import json
from typing import Any

import pytest

from custom_components.up_next.media import Episode, Ids, Movie, Season, Show
from custom_components.up_next.trackers.errors import RateLimited, Unavailable
from custom_components.up_next.trackers.oauth import MemoryTokenStore
from custom_components.up_next.trackers.simkl.payloads import Reply
from custom_components.up_next.trackers.simkl.writing import Plan, receipts
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
from simulators.catalogue import CatalogueShow
from simulators.service import Fault
from simulators.simkl import Simkl as Service

from .simkl_account import Account, episode_item, movie_item, show_item

type Open = Callable[..., Awaitable[Account]]
AT = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)


@pytest.fixture
def account(serve: Any, make_context: Any, tokens: MemoryTokenStore) -> Open:
    """Return a function that opens an account whose library was read."""

    async def start(*, pacing: bool = False, **kwargs: Any) -> Account:
        service: Service = await serve(
            Service, **{"shows": 30, "in_progress": 30} | kwargs
        )
        service.pacing = pacing
        a = Account(service, make_context(service.base_url), tokens)
        await a.refresh()
        return a

    return start


def sent(a: Account, path: str) -> Any:
    """Return the body of the last request to a path."""
    return json.loads([r for r in a.service.requests if r.path == path][-1].body)


def title_with(a: Account, kind: str, status: str) -> Any:
    """Return a title that is on a list at the service."""
    entries = a.service.shelf.entries.values()
    return next(e.title for e in entries if (e.kind, e.status) == (kind, status))


def planned_movie(a: Account) -> Any:
    return title_with(a, "movie", "plantowatch")


# marking ----------------------------------------------------------------------------------------------------


async def test_mark_and_unmark_an_episode(account: Open) -> None:
    a = await account()
    show, count = a.behind(), a.unwatched
    following = a.service.shelf.count(a.entry(show)).next
    assert following is not None
    item = episode_item(show, following.season, following.number)
    (receipt,) = await a.send(MarkWatched(item=item, watched_at=AT))
    assert a.paths() == ["POST /sync/history"]
    body = sent(a, "/sync/history")["shows"][0]
    assert body["use_tvdb_anime_seasons"] is True
    assert body["ids"] == {
        "simkl": show.ids["simkl"],
        "imdb": show.ids["imdb"],
        "tvdb": str(show.ids["tvdb"]),
        "tmdb": str(show.ids["tmdb"]),
    }
    assert (body["title"], body["year"]) == (show.title, show.year)
    assert receipt.outcome is Outcome.DONE
    assert receipt.plays[0].watched_at == AT
    assert a.entry(show).watched[following.season, following.number] == AT
    # the receipt tells how the show stands, as the next refresh will
    assert receipt.progress is not None
    assert receipt.progress.left == a.service._left(a.entry(show))
    told = receipt.progress
    await a.refresh()
    assert a.unwatched == count - 1
    row = a.known.shows[str(show.ids["simkl"])]
    assert (row.left, row.seen, row.caught_up) == (told.left, told.seen, told.caught_up)
    assert (row.next_episode is None) == (told.next_episode is None)
    # once more: nothing to do
    (receipt,) = await a.send(MarkWatched(item=item, watched_at=AT))
    assert receipt.outcome is Outcome.ALREADY
    # and back, with what is needed to undo it
    (receipt,) = await a.send(MarkUnwatched(item=item))
    assert receipt.outcome is Outcome.DONE
    assert [p.watched_at for p in receipt.plays] == [AT]
    assert sent(a, "/sync/history/remove")["shows"][0]["seasons"] == [
        {"number": following.season, "episodes": [{"number": following.number}]}
    ]
    (receipt,) = await a.send(RemovePlays(item=item))
    assert receipt.outcome is Outcome.ALREADY
    await a.refresh()
    assert a.unwatched == count


async def test_unmarking_right_after_marking(account: Open) -> None:
    a = await account()
    show = a.behind()
    following = a.service.shelf.count(a.entry(show)).next
    assert following is not None
    item = episode_item(show, following.season, following.number)
    for _ in range(2):
        (done,) = await a.send(MarkWatched(item=item, watched_at=AT))
        (undone,) = await a.send(RemovePlays(item=item))
        assert (done.outcome, undone.outcome) == (Outcome.DONE, Outcome.DONE)
        assert [p.watched_at for p in undone.plays] == [AT]


async def test_ids_of_other_services_do(account: Open) -> None:
    a = await account(watched=0)
    show, movie = a.service.catalogue.shows[0], a.service.catalogue.movies[0]
    by_title = Show(title=show.title, year=show.year)
    answers = await a.send(
        MarkWatched(item=episode_item(show, 1, 1, "tvdb", "trakt"), watched_at=AT),
        MarkWatched(item=Episode(show=by_title, season=1, number=2), watched_at=AT),
        MarkWatched(item=movie_item(movie, "imdb"), watched_at="unknown"),
        MarkWatched(
            item=Episode(show=Show(title="Nothing"), season=1, number=2), watched_at=AT
        ),
        MarkWatched(item=Movie(title="Nothing", year=1900), watched_at=AT),
        MarkWatched(item=episode_item(show, 77, 1), watched_at=AT),
    )
    assert [r.outcome.value for r in answers] == [
        "done",
        "done",
        "done",
        "not_found",
        "not_found",
        "not_found",
    ]
    assert a.service.count("POST /sync/history") == 1
    assert set(a.entry(show).watched) == {(1, 1), (1, 2)}
    assert "trakt" not in sent(a, "/sync/history")["shows"][0]["ids"]
    await a.refresh()
    state = a.known.movies[str(movie.ids["simkl"])]
    # "a very long time ago" is unknown, not 1970
    assert state.watched and state.watched_at is None


async def test_a_season_is_one_batch_and_can_be_undone(account: Open) -> None:
    a = await account()
    show = a.behind()
    item = show_item(show)
    season = max(e.season for e in show.aired(a.service.clock.now()))
    aired = [e for e in show.aired(a.service.clock.now()) if e.season == season]
    before = dict(a.entry(show).watched)
    missing = [e for e in aired if (e.season, e.number) not in before]
    (receipt,) = await a.send(
        MarkWatched(item=Season(show=item, number=season), watched_at="released")
    )
    assert a.paths() == ["POST /sync/history"]
    assert len(receipt.plays) == len(missing) > 0
    now = set(a.entry(show).watched)
    assert now == set(before) | {(e.season, e.number) for e in aired}
    assert all(p.watched_at is not None for p in receipt.plays)
    again = await a.send(
        MarkWatched(item=Season(show=item, number=season), watched_at="released")
    )
    assert again[0].outcome is Outcome.ALREADY
    back = [RemovePlays(item=p.item) for p in receipt.plays]
    undone = await a.send(*back)
    assert {r.outcome for r in undone} == {Outcome.DONE}
    assert a.service.count("POST") == 1
    assert a.entry(show).watched == before


async def test_whole_shows(account: Open) -> None:
    a = await account(watched=50)
    show = next(
        s for s in a.service.catalogue.shows if not s.anime and a.entry(s) is None
    )
    (receipt,) = await a.send(
        MarkWatched(item=show_item(show, "imdb"), watched_at="released")
    )
    assert receipt.outcome is Outcome.DONE
    aired = show.aired(a.service.clock.now())
    assert set(a.entry(show).watched) == {(e.season, e.number) for e in aired}
    await a.refresh()
    rated = await a.send(Rate(item=show_item(show), rating=9))
    assert rated[0].outcome is Outcome.DONE
    (receipt,) = await a.send(
        MarkUnwatched(item=Season(show=show_item(show), number=1))
    )
    assert {k[0] for k in a.entry(show).watched} == {e.season for e in aired} - {1}
    (receipt,) = await a.send(MarkUnwatched(item=show_item(show)))
    # unmarked, not deleted: the title and its rating stay
    assert a.entry(show).watched == {} and a.entry(show).rating == 9
    assert receipt.progress is not None and receipt.progress.watched == 0
    (receipt,) = await a.send(MarkUnwatched(item=show_item(show)))
    assert receipt.outcome is Outcome.ALREADY
    (receipt,) = await a.send(
        MarkWatched(item=Season(show=show_item(show), number=50), watched_at=AT)
    )
    assert receipt.outcome is Outcome.NOT_FOUND
    unknown = Show(title="Nothing", ids=Ids.of(tvdb=4))
    (receipt,) = await a.send(MarkWatched(item=unknown, watched_at=AT))
    assert receipt.outcome is Outcome.NOT_FOUND
    (receipt,) = await a.send(MarkUnwatched(item=unknown))
    assert receipt.outcome is Outcome.ALREADY


async def test_a_show_by_title_is_filled_by_the_server(account: Open) -> None:
    a = await account(watched=0)
    show = a.service.catalogue.shows[0]
    item = Show(title=show.title, year=show.year)
    (receipt,) = await a.send(
        MarkWatched(item=Season(show=item, number=1), watched_at="unknown")
    )
    assert receipt.outcome is Outcome.DONE
    assert sent(a, "/sync/history")["shows"][0]["seasons"] == [{"number": 1}]
    assert {k[0] for k in a.entry(show).watched} == {1}
    (receipt,) = await a.send(MarkWatched(item=item, watched_at="released"))
    assert (receipt.outcome, receipt.reason) == (Outcome.REFUSED, "date_unknown")


async def test_thousands_of_plays_cost_tens_of_requests(account: Open) -> None:
    a = await account(shows=250, watched=0)
    writes = [
        MarkWatched(item=episode_item(s, e.season, e.number), watched_at=AT)
        for s in a.service.catalogue.shows
        for e in s.aired(a.service.clock.now())
    ][:5000]
    assert len(writes) > 4000
    a.service.requests.clear()
    queued = [QueuedWrite(write=w, created_at=AT) for w in writes]
    while queued:
        count = a.tracker.combine([q.write for q in queued])
        answers = await a.tracker.send(queued[:count])
        assert {r.outcome for r in answers} == {Outcome.DONE}
        queued = queued[count:]
    assert a.service.count("POST") <= 20
    assert a.service.state()["plays"] == len(writes)


async def test_anime_is_numbered_flat(account: Open) -> None:
    a = await account()
    anime = a.service.catalogue.shows[9]
    number = max(n for _, n in a.entry(anime).watched)
    (receipt,) = await a.send(MarkUnwatched(item=episode_item(anime, 1, number)))
    assert receipt.outcome is Outcome.DONE
    # anime among the shows: a top-level `anime` is ignored here
    assert set(sent(a, "/sync/history/remove")) == {"shows"}
    (receipt,) = await a.send(
        MarkWatched(item=episode_item(anime, 1, number), watched_at=AT)
    )
    assert receipt.outcome is Outcome.DONE
    body = sent(a, "/sync/history")
    assert set(body) == {"anime"}
    assert body["anime"][0]["episodes"][0]["number"] == number
    # one family of ids only (section 14)
    assert set(body["anime"][0]["ids"]) == {"simkl", "mal", "anidb", "anilist"}
    assert "use_tvdb_anime_seasons" not in body["anime"][0]
    # the same in another service's numbering
    other = episode_item(anime, 1, number, "tvdb")
    (receipt,) = await a.send(MarkUnwatched(item=other))
    assert receipt.outcome is Outcome.DONE
    (receipt,) = await a.send(MarkWatched(item=other, watched_at=AT))
    assert receipt.outcome is Outcome.DONE
    assert sent(a, "/sync/history")["shows"][0]["use_tvdb_anime_seasons"] is True
    (receipt,) = await a.send(
        MarkWatched(item=Season(show=other.show, number=1), watched_at=AT)
    )
    assert sent(a, "/sync/history")["shows"][0]["seasons"] == [{"number": 1}]
    (receipt,) = await a.send(MarkUnwatched(item=Season(show=other.show, number=1)))
    assert receipt.outcome is Outcome.DONE and a.entry(anime).watched == {}
    (receipt,) = await a.send(MarkUnwatched(item=other.show))
    assert (receipt.outcome, receipt.reason) == (Outcome.REFUSED, "not_supported")


async def test_an_anime_outside_the_library_by_another_numbering(account: Open) -> None:
    a = await account(watched=0)
    anime = a.service.catalogue.shows[29]
    (receipt,) = await a.send(
        MarkWatched(item=show_item(anime, "tvdb"), watched_at="unknown")
    )
    assert receipt.outcome is Outcome.DONE
    assert "seasons" not in sent(a, "/sync/history")["shows"][0]
    assert len(a.entry(anime).watched) == len(anime.aired(a.service.clock.now()))


async def test_movies(account: Open) -> None:
    a = await account()
    movie = planned_movie(a)
    (receipt,) = await a.send(
        MarkWatched(item=movie_item(movie), watched_at="released")
    )
    assert receipt.outcome is Outcome.DONE
    assert a.entry(movie).watched[0, 0].date() == movie.released.date()
    (receipt,) = await a.send(
        MarkWatched(item=movie_item(movie, "tmdb"), watched_at="released")
    )
    assert receipt.outcome is Outcome.ALREADY
    (receipt,) = await a.send(MarkUnwatched(item=movie_item(movie)))
    assert receipt.outcome is Outcome.DONE and len(receipt.plays) == 1
    assert a.entry(movie) is None
    (receipt,) = await a.send(MarkUnwatched(item=movie_item(movie)))
    assert receipt.outcome is Outcome.ALREADY
    unwatched = planned_movie(a)
    (receipt,) = await a.send(MarkUnwatched(item=movie_item(unwatched)))
    # it is on the watchlist: to unmark it would be to delete it
    assert receipt.outcome is Outcome.ALREADY and a.entry(unwatched) is not None
    (receipt,) = await a.send(
        MarkWatched(
            item=Movie(title="?", year=1, ids=Ids.of(imdb="tt3")), watched_at="released"
        )
    )
    assert receipt.outcome is Outcome.NOT_FOUND
    (receipt,) = await a.send(
        MarkWatched(item=movie_item(unwatched), watched_at=AT, rewatch=True)
    )
    assert (receipt.outcome, receipt.reason) == (Outcome.REFUSED, "not_supported")


async def test_release_dates_that_nobody_knows(account: Open) -> None:
    a = await account()
    movie = planned_movie(a)
    page = {"title": movie.title, "ids": {"simkl": movie.ids["simkl"]}}
    for released in ("", "soon", "2199-01-01"):
        body = json.dumps(page | {"released": released})
        a.service.faults.append(Fault("status", "GET /movies", status=200, body=body))
        (receipt,) = await a.send(
            MarkWatched(item=movie_item(movie, "imdb"), watched_at="released")
        )
        assert (receipt.outcome, receipt.reason) == (Outcome.REFUSED, "date_unknown")
    show = a.behind()
    (receipt,) = await a.send(
        MarkWatched(item=episode_item(show, 90, 1), watched_at="released")
    )
    assert receipt.reason == "date_unknown"
    undated = {"season": 1, "episode": 1, "type": "episode", "aired": True}
    unwatched = title_with(a, "tv", "plantowatch")
    for write in (
        MarkWatched(item=show_item(unwatched), watched_at="released"),
        MarkWatched(item=episode_item(unwatched, 1, 1), watched_at="released"),
    ):
        a.service.faults.append(
            Fault("status", "GET /tv/episodes", status=200, body=json.dumps([undated]))
        )
        (receipt,) = await a.send(write)
        assert (receipt.outcome, receipt.reason) == (Outcome.REFUSED, "date_unknown")
    assert a.service.count("POST") == 0


async def test_batches_touching_many_shows_are_remembered_without_counting(
    account: Open,
) -> None:
    a = await account()
    shelf = a.service.shelf
    nexts = [
        (e.title, shelf.count(e).next)
        for e in shelf.entries.values()
        if e.kind == "tv" and a.service._left(e)
    ]
    assert len(nexts) > 3
    items = [
        episode_item(title, following.season, following.number)
        for title, following in nexts
        if following is not None and isinstance(title, CatalogueShow)
    ]
    a.service.requests.clear()
    answers = await a.send(*(MarkWatched(item=i, watched_at=AT) for i in items))
    assert {(r.outcome, r.progress) for r in answers} == {(Outcome.DONE, None)}
    assert len(a.service.requests) == 1
    answers = await a.send(*(MarkUnwatched(item=i) for i in items))
    assert {r.outcome for r in answers} == {Outcome.DONE}
    assert all(r.plays[0].watched_at == AT for r in answers)


# lists and ratings ------------------------------------------------------------------------------------------


async def test_watchlist(account: Open) -> None:
    a = await account(watched=50)
    service = a.service
    show = next(s for s in service.catalogue.shows if a.entry(s) is None)
    movie = title_with(a, "movie", "completed")
    watched = a.behind()
    before = service.state()["watchlist"]
    answers = await a.send(
        SetWatchlisted(item=show_item(show), listed=True),
        SetWatchlisted(item=movie_item(movie), listed=True),
        SetWatchlisted(item=show_item(watched), listed=True),
        SetWatchlisted(item=movie_item(planned_movie(a)), listed=True),
        SetWatchlisted(item=episode_item(show, 1, 1), listed=True),
        SetWatchlisted(item=Show(title="?", year=3, ids=Ids.of(tvdb=3)), listed=True),
    )
    assert [(r.outcome.value, r.reason) for r in answers] == [
        ("done", None),
        ("refused", "watched_not_listed"),
        ("refused", "watched_not_listed"),
        ("already", None),
        ("refused", "not_supported"),
        ("not_found", "not_found"),
    ]
    assert service.state()["watchlist"] == before + 1
    assert sent(a, "/sync/add-to-list")["shows"][0]["to"] == "plantowatch"
    assert "use_tvdb_anime_seasons" not in sent(a, "/sync/add-to-list")["shows"][0]
    answers = await a.send(
        SetWatchlisted(item=show_item(show), listed=False),
        SetWatchlisted(item=movie_item(planned_movie(a)), listed=False),
        SetWatchlisted(item=movie_item(movie), listed=False),
        SetWatchlisted(item=show_item(watched), listed=False),
    )
    assert [r.outcome.value for r in answers] == ["done", "done", "already", "already"]
    assert a.entry(movie) is not None and a.entry(watched) is not None
    assert service.state()["watchlist"] == before - 1
    await a.refresh()
    assert len(a.known.watchlist) == before - 1


async def test_history_is_never_deleted_from_stale_knowledge(account: Open) -> None:
    a = await account()
    movie = planned_movie(a)
    show = title_with(a, "tv", "plantowatch")
    # meanwhile, elsewhere
    a.service.watch_movie(int(movie.ids["trakt"]))
    a.service.watch(int(show.ids["trakt"]), 1, 1)
    a.service.list_as("plantowatch", show=int(show.ids["trakt"]))
    answers = await a.send(
        SetWatchlisted(item=movie_item(movie), listed=False),
        SetWatchlisted(item=show_item(show), listed=False),
    )
    assert [(r.outcome.value, r.reason) for r in answers] == [
        ("already", None),
        ("refused", "watched_not_listed"),
    ]
    assert a.entry(movie).watched and a.entry(show).watched
    assert a.service.count("POST") == 0


async def test_a_dropped_movie_is_not_on_the_watchlist(account: Open) -> None:
    a = await account()
    movie = planned_movie(a)
    a.service.list_as("dropped", movie=int(movie.ids["trakt"]))
    (receipt,) = await a.send(SetWatchlisted(item=movie_item(movie), listed=False))
    assert receipt.outcome is Outcome.ALREADY
    (receipt,) = await a.send(SetWatchlisted(item=movie_item(movie), listed=True))
    assert receipt.outcome is Outcome.DONE and a.entry(movie).status == "plantowatch"


async def test_hiding_is_dropping(account: Open) -> None:
    a = await account()
    show = show_item(a.behind())
    entry = a.entry(a.behind())
    for hidden, status in ((True, "dropped"), (False, "watching")):
        (receipt,) = await a.send(SetHidden(show=show, hidden=hidden))
        assert receipt.outcome is Outcome.DONE and entry.status == status
        (receipt,) = await a.send(SetHidden(show=show, hidden=hidden))
        assert receipt.outcome is Outcome.ALREADY
    assert (
        a.tracker.combine(
            [SetHidden(show=show, hidden=True), SetHidden(show=show, hidden=False)]
        )
        == 1
    )


async def test_ratings(account: Open) -> None:
    a = await account()
    show, movie = a.behind(), planned_movie(a)
    answers = await a.send(
        Rate(item=show_item(show), rating=8),
        Rate(item=movie_item(movie), rating=3),
        Rate(item=episode_item(show, 1, 1), rating=3),
        Rate(item=Movie(title="?", ids=Ids.of(imdb="tt3")), rating=3),
        Rate(item=Movie(title="!", year=1, ids=Ids.of(imdb="tt4")), rating=11),
    )
    assert [r.outcome.value for r in answers] == [
        "done",
        "done",
        "refused",
        "not_found",
        "refused",
    ]
    assert (a.entry(show).rating, a.entry(movie).rating) == (8, 3)
    answers = await a.send(
        Rate(item=show_item(show), rating=None),
        Rate(item=movie_item(movie), rating=None),
    )
    assert [r.outcome.value for r in answers] == ["done", "done"]
    (receipt,) = await a.send(Rate(item=show_item(show), rating=None))
    assert receipt.outcome is Outcome.ALREADY and a.entry(show).rating is None
    twice = [Rate(item=show_item(show), rating=1), Rate(item=show_item(show), rating=2)]
    assert a.tracker.combine(twice) == 1


# positions --------------------------------------------------------------------------------------------------


async def test_progress(account: Open) -> None:
    a = await account()
    show, movie = a.behind(), planned_movie(a)
    anime = a.service.catalogue.shows[9]
    following = a.service.shelf.count(a.entry(show)).next
    assert following is not None
    item = episode_item(show, following.season, following.number, "tvdb")
    (receipt,) = await a.send(SetProgress(item=item, position=following.runtime / 4))
    assert receipt.outcome is Outcome.DONE
    (receipt,) = await a.send(
        SetProgress(item=movie_item(movie, "imdb"), position=movie.runtime / 2)
    )
    assert receipt.outcome is Outcome.DONE
    (receipt,) = await a.send(
        SetProgress(item=episode_item(anime, 1, 12), progress=33.333)
    )
    assert sent(a, "/scrobble/pause")["episode"] == {"number": 12}
    requests = await a.refresh()
    assert [r.path for r in requests] == ["/sync/activities", "/sync/playback"]
    assert sorted(p.progress or 0 for p in a.known.playbacks) == [25, 33.33, 50]
    for cleared in (item, movie_item(movie), episode_item(anime, 1, 12)):
        (receipt,) = await a.send(ClearProgress(item=cleared))
        assert receipt.outcome is Outcome.DONE
        (receipt,) = await a.send(ClearProgress(item=cleared))
        assert receipt.outcome is Outcome.ALREADY
    assert a.service.player.paused == {}
    (receipt,) = await a.send(SetProgress(item=episode_item(show, 90, 1), position=4))
    assert (receipt.outcome, receipt.reason) == (Outcome.REFUSED, "runtime_unknown")
    (receipt,) = await a.send(SetProgress(item=episode_item(show, 90, 1), progress=4))
    assert receipt.outcome is Outcome.NOT_FOUND
    a.service.faults.append(
        Fault(
            "status", "POST /scrobble", status=400, body='{"error":"wrong_parameter"}'
        )
    )
    (receipt,) = await a.send(SetProgress(item=item, progress=4))
    assert (receipt.outcome, receipt.reason) == (Outcome.REFUSED, "refused")
    a.service.faults.append(
        Fault(
            "status", "POST /scrobble", status=409, body='{"error":"already_watched"}'
        )
    )
    (receipt,) = await a.send(SetProgress(item=item, progress=4))
    assert receipt.outcome is Outcome.DONE


async def test_a_playback_that_goes_meanwhile(account: Open) -> None:
    a = await account()
    movie = planned_movie(a)
    a.service.pause(40, movie=int(movie.ids["trakt"]))
    a.service.faults.append(
        Fault("status", "DELETE", status=404, body='{"error":"empty","code":404}')
    )
    (receipt,) = await a.send(ClearProgress(item=movie_item(movie)))
    assert receipt.outcome is Outcome.ALREADY


# pace and failures ------------------------------------------------------------------------------------------


async def test_the_write_lock_is_waited_out_once(account: Open) -> None:
    a = await account()
    item = movie_item(planned_movie(a))
    locked = '{"error":"rate_limit","error_description":"Another sync is in progress"}'
    a.service.faults.append(Fault("status", "POST", status=400, body=locked))
    (receipt,) = await a.send(MarkWatched(item=item, watched_at=AT))
    assert receipt.outcome is Outcome.DONE
    assert 20 in a.waits.seconds
    a.service.faults.append(
        Fault(
            "status",
            "POST",
            times=2,
            status=400,
            body='{"error":"RATE_LIMIT","code":400}',
        )
    )
    with pytest.raises(RateLimited) as caught:
        await a.send(MarkUnwatched(item=item))
    assert caught.value.retry_after == 20


async def test_posts_keep_their_distance(account: Open) -> None:
    a = await account()
    for rating in (1, 2, 3):
        await a.send(Rate(item=movie_item(planned_movie(a)), rating=rating))
    assert len([s for s in a.waits.seconds if s > 0.9]) == 2


async def test_a_lost_answer_does_no_harm(account: Open) -> None:
    a = await account()
    show = a.behind()
    following = a.service.shelf.count(a.entry(show)).next
    assert following is not None
    write = MarkWatched(
        item=episode_item(show, following.season, following.number), watched_at=AT
    )
    plays = a.service.state()["plays"]
    for kind in ("lost", "drop"):
        a.service.faults.append(Fault(kind, "POST /sync/history"))
        with pytest.raises(Unavailable):
            await a.send(write)
    (receipt,) = await a.send(write)
    assert receipt.outcome is Outcome.ALREADY
    assert a.service.state()["plays"] == plays + 1


@pytest.mark.parametrize("kind", ["html", "empty", "broken_json", "reset"])
async def test_answers_to_writes_that_say_nothing(account: Open, kind: str) -> None:
    a = await account()
    write = MarkWatched(item=movie_item(planned_movie(a)), watched_at=AT)
    a.service.faults.append(Fault(kind, "POST /sync/history"))
    with pytest.raises(Unavailable):
        await a.send(write)
    (receipt,) = await a.send(write)
    # a broken answer is the answer to something that was carried out
    expected = Outcome.ALREADY if kind == "broken_json" else Outcome.DONE
    assert receipt.outcome is expected


async def test_a_refused_batch_is_split(account: Open) -> None:
    a = await account(watched=0)
    writes = [
        MarkWatched(item=movie_item(m), watched_at=AT)
        for m in a.service.catalogue.movies[:4]
    ]
    a.service.faults.append(
        Fault(
            "status",
            "POST",
            times=2,
            status=400,
            body='{"error":"max_items","code":400}',
        )
    )
    answers = await a.send(*writes)
    assert {r.outcome for r in answers} == {Outcome.DONE}
    assert a.service.state()["plays"] == 4
    a.service.faults.append(
        Fault("status", "POST", times=1, status=400, body='{"error":"wrong_parameter"}')
    )
    (receipt,) = await a.send(writes[0])
    assert (receipt.outcome, receipt.reason) == (Outcome.REFUSED, "refused")
    a.service.faults.append(
        Fault("status", "POST", times=1, status=404, body='{"error":"id_err"}')
    )
    (receipt,) = await a.send(writes[0])
    assert receipt.outcome is Outcome.NOT_FOUND


async def test_kinds_that_come_together_are_sent_apart(account: Open) -> None:
    a = await account()
    movie = planned_movie(a)
    writes: list[Write] = [
        Rate(item=movie_item(movie), rating=2),
        MarkWatched(item=movie_item(movie), watched_at=AT),
    ]
    assert a.tracker.combine(writes) == 1
    assert a.tracker.combine([SetProgress(item=movie_item(movie), progress=2)] * 2) == 1
    answers = await a.tracker.send(
        [QueuedWrite(write=w, created_at=AT) for w in writes]
    )
    assert [r.outcome for r in answers] == [Outcome.DONE] * 2
    with pytest.raises(TypeError):
        await a.tracker._sender._one(writes[0])


async def test_marking_goes_on_when_the_show_cannot_be_counted_afterwards(
    account: Open,
) -> None:
    a = await account()
    show = a.behind()
    following = a.service.shelf.count(a.entry(show)).next
    assert following is not None
    item = episode_item(show, following.season, following.number)
    a.tracker._api._free.retry_delays = ()
    a.service.faults.append(Fault("status", "GET /tv/episodes", status=503))
    (receipt,) = await a.send(MarkWatched(item=item, watched_at=AT))
    assert (receipt.outcome, receipt.progress) == (Outcome.DONE, None)
    (receipt,) = await a.send(MarkWatched(item=item, watched_at=AT))
    assert receipt.outcome is Outcome.ALREADY


async def test_unmarking_in_a_library_too_large_to_be_told(account: Open) -> None:
    a = await account()
    show = a.behind()
    a.service.max_episodes = 0
    season, number = max(k for k in a.entry(show).watched if k[0])
    (receipt,) = await a.send(MarkUnwatched(item=episode_item(show, season, number)))
    assert receipt.outcome is Outcome.DONE
    assert [p.watched_at for p in receipt.plays] == [None]


def test_not_found_as_it_may_come() -> None:
    show = Show(title="Futurama", ids=Ids.of(simkl=3407))
    one = Plan(
        write=MarkWatched(item=Episode(show=show, season=8, number=3), watched_at=AT),
        item=Episode(show=show, season=8, number=3),
        episodes={(8, 3): None},
    )
    two = Plan(write=one.write, item=show, episodes={(8, 3): None, (8, 4): None})
    film = Plan(write=one.write, item=Movie(title="Film", year=2000))
    echo = {"ids": {"simkl": 3407}, "type": "show"}
    third = {"seasons": [{"number": 8, "episodes": [{"number": 3}]}]}
    other = {"seasons": [{"number": 8, "episodes": [{"number": 9}]}]}

    def outcome(plan: Plan, **missing: Any) -> Outcome:
        return receipts(
            [plan], Reply.from_dict({"added": {"episodes": 1}, "not_found": missing})
        )[0].outcome

    assert outcome(one, shows=[echo]) is Outcome.NOT_FOUND
    assert outcome(one, anime=[echo]) is Outcome.NOT_FOUND
    assert outcome(one, episodes=[echo]) is Outcome.NOT_FOUND
    assert outcome(one, episodes=[echo | third]) is Outcome.NOT_FOUND
    assert outcome(one, episodes=[echo | other]) is Outcome.DONE
    assert outcome(two, episodes=[echo | third]) is Outcome.DONE
    assert outcome(two, episodes=[echo]) is Outcome.DONE
    assert outcome(film, movies=[{"title": "Film"}]) is Outcome.NOT_FOUND
    assert outcome(film, movies=[{"title": "Else"}]) is Outcome.DONE
    assert outcome(film) is Outcome.DONE
    assert receipts([one], Reply())[0].outcome is Outcome.ALREADY
