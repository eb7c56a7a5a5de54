"""Simkl's library: how it is read, kept up, and how few requests that takes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from mashumaro.codecs.orjson import ORJSONDecoder, ORJSONEncoder
import pytest

from custom_components.up_next.account import Capability
from custom_components.up_next.library import (
    Library,
    PlaybackState,
    ShowStatus,
    overview,
)
from custom_components.up_next.media import Episode, Ids, MediaType, Movie, Show
from custom_components.up_next.trackers.errors import (
    BadAnswer,
    NotFound,
    QuotaExhausted,
    TrackerError,
    Unavailable,
)
from custom_components.up_next.trackers.oauth import MemoryTokenStore
from custom_components.up_next.trackers.simkl import Simkl
from custom_components.up_next.trackers.simkl.api import next_reset
from custom_components.up_next.trackers.tracker import Query
from custom_components.up_next.writes import Rate
from simulators.catalogue import Viewer
from simulators.service import Fault
from simulators.simkl import Simkl as Service

from .simkl_account import Account, movie_item, show_item

type Open = Callable[..., Awaitable[Account]]


@pytest.fixture
def account(serve: Any, make_context: Any, tokens: MemoryTokenStore) -> Open:
    """Return a function that opens an account at a new simulated service."""

    async def start(
        *, options: Any = None, pacing: bool = False, **kwargs: Any
    ) -> Account:
        service: Service = await serve(Service, **kwargs)
        service.pacing = pacing
        return Account(service, make_context(service.base_url, options=options), tokens)

    return start


async def test_first_load(account: Open) -> None:
    a = await account()
    requests = await a.refresh()
    assert [r.path for r in requests] == [
        "/sync/activities",
        "/sync/all-items/shows",
        "/sync/all-items/movies",
        "/sync/all-items/anime",
        "/sync/playback",
        "/users/settings",
    ]
    for request in a.service.requests:
        assert request.query["client_id"] == "up-next-client"
        assert request.query["app-name"] == "up-next"
        assert request.query["app-version"] == "0.0.0"
        assert request.headers["User-Agent"].startswith("UpNext/")
        assert ("Authorization" in request.headers) == request.counted
    library = a.known
    state = a.service.state()
    assert a.unwatched == state["unwatched"] > 0
    assert (
        len(overview(library, a.service.clock.now()).shows) == state["unwatched_shows"]
    )
    assert len(library.watchlist) == state["watchlist"] > 0
    assert library.totals.episodes is not None and library.totals.movies is not None
    assert library.totals.episodes + library.totals.movies == state["plays"] - sum(
        1
        for e in a.service.shelf.entries.values()
        for s, _ in e.watched
        if e.kind != "movie" and s == 0
    )
    assert library.account.id == "12345"
    assert library.account.plan == "free"
    assert (
        Capability.UNWATCHED in library.account.can
        and Capability.REWATCH not in library.account.can
    )
    show = a.behind()
    row = library.shows[str(show.ids["simkl"])]
    assert (
        row.show.url
        == f"https://simkl.com/tv/{show.ids['simkl']}/{row.show.ids.get('slug')}"
    )
    assert row.show.picture is not None and row.show.picture.startswith(
        a.service.base_url + "/posters/"
    )
    assert a.tracker.can_picture(row.show.picture)
    assert (
        row.next_episode is not None
        and row.next_episode.title
        and row.next_episode.first_aired
    )
    assert row.seen
    assert library.plays[0].watched_at == max(
        p.watched_at for p in library.plays if p.watched_at
    )
    assert library.airings
    assert {library.shows[key].status for key in library.airings} == {
        ShowStatus.WATCHING
    }


async def test_anime_is_its_own_kind(account: Open) -> None:
    a = await account(shows=30, in_progress=30)
    await a.refresh()
    row = a.known.shows["701009"]
    assert row.show.anime and "/anime/701009/" in (row.show.url or "")
    assert row.next_episode is not None
    assert row.next_episode.code.startswith("E") and row.next_episode.season == 1


async def test_idle_is_one_request(account: Open) -> None:
    a = await account()
    await a.refresh()
    before = a.library
    refresh = await a.tracker.refresh(a.library)
    assert refresh.library is before
    assert refresh.next_in == 1800
    requests = await a.refresh()
    assert [r.path for r in requests] == ["/sync/activities"]
    assert len(a.service.requests) == 1
    a.service.clock.advance(6 * 3600 + 1)
    assert len(await a.refresh()) == 1
    assert a.service.count("calendar") == 2
    assert len(await a.refresh()) == 1
    assert a.service.count("calendar") == 0


async def test_a_restored_library_serves_a_new_tracker(account: Open) -> None:
    a = await account()
    await a.refresh()
    kept = ORJSONDecoder(Library).decode(ORJSONEncoder(Library).encode(a.known))
    assert kept == a.library
    a.tracker, a.library = Simkl(a.context), kept
    assert [r.path for r in await a.refresh()] == ["/sync/activities"]
    assert len(a.service.requests) == 1
    assert a.library is kept
    a.service.watch_movie(500009)
    assert len(await a.refresh()) == 2
    assert a.library is not kept


@pytest.mark.parametrize("shows", [50, 500, 5000])
async def test_one_newly_watched_episode(account: Open, shows: int) -> None:
    a = await account(shows=shows)
    first = await a.refresh()
    assert len(first) == 6
    count = a.unwatched
    assert count == a.service.state()["unwatched"]
    show = a.behind()
    entry = a.entry(show)
    following = a.service.shelf.count(entry).next
    assert following is not None
    untouched = (
        a.known.shows["701001"] if a.library and show.ids["trakt"] != 1001 else None
    )
    a.service.watch(int(show.ids["trakt"]), following.season, following.number)
    requests = await a.refresh()
    assert [r.path for r in requests] == ["/sync/activities", "/sync/all-items"]
    assert "date_from" in requests[1].query
    assert requests[1].sent < 20_000
    assert a.unwatched == count - 1 == a.service.state()["unwatched"]
    row = a.known.shows[str(show.ids["simkl"])]
    assert row.seen is not None and row.watched == len(
        [k for k in entry.watched if k[0]]
    )
    assert untouched is None or a.known.shows["701001"] is untouched
    play = a.known.plays[0]
    assert isinstance(play.item, Episode)
    assert (play.item.season, play.item.number) == (following.season, following.number)
    assert len(await a.refresh()) == 1


async def test_everything_at_once_takes_four(account: Open) -> None:
    a = await account()
    await a.refresh()
    show = a.behind()
    a.service.unwatch(int(show.ids["trakt"]), 1, 1)
    a.service.pause(40, movie=500009)
    a.service.watchlist_remove(movie=500000)
    a.service.rate(5, movie=500001)
    paths = [r.path for r in await a.refresh()]
    assert paths == [
        "/sync/activities",
        "/sync/all-items",
        "/sync/all-items",
        "/sync/playback",
    ]
    assert "1400000" not in a.known.movies
    assert a.unwatched == a.service.state()["unwatched"]
    playback = a.known.playbacks[0]
    assert (playback.state, playback.progress) == (PlaybackState.PAUSED, 40)
    assert isinstance(playback.item, Movie)


async def test_removals(account: Open) -> None:
    a = await account()
    await a.refresh()
    show = a.behind()
    planned = next(
        e
        for e in a.service.shelf.entries.values()
        if e.kind == "movie" and e.status == "plantowatch"
    )
    a.service.watchlist_remove(show=int(show.ids["trakt"]))
    a.service.watchlist_remove(movie=int(planned.title.ids["trakt"]))
    requests = await a.refresh()
    assert [r.query.get("extended") for r in requests] == [None, "simkl_ids_only"]
    assert str(show.ids["simkl"]) not in a.known.shows
    assert len(a.known.watchlist) == a.service.state()["watchlist"]
    assert a.unwatched == a.service.state()["unwatched"]
    # and it comes back with its history
    a.service.watchlist_add(show=int(show.ids["trakt"]))
    await a.refresh()
    assert a.known.shows[str(show.ids["simkl"])].status is ShowStatus.PLANNED


async def test_only_ratings_moved(account: Open) -> None:
    a = await account()
    await a.refresh()
    a.service.rate(9, show=1000)
    assert len(await a.refresh()) == 1
    assert len(await a.refresh()) == 1


async def test_settings_moved(account: Open) -> None:
    a = await account()
    await a.refresh()
    a.service.plan = "vip"
    a.service.shelf.settings = a.service.shelf.tick()
    assert [r.path for r in await a.refresh()] == [
        "/sync/activities",
        "/users/settings",
    ]
    assert a.known.account.plan == "vip"


async def test_statuses(account: Open) -> None:
    a = await account(in_progress=20)
    await a.refresh()
    show = a.behind()
    number = int(show.ids["trakt"])
    for status, expected in (
        ("hold", ShowStatus.ON_HOLD),
        ("dropped", ShowStatus.DROPPED),
        ("watching", ShowStatus.WATCHING),
    ):
        a.service.list_as(status, show=number)
        assert len(await a.refresh()) == 2
        assert a.known.shows[str(show.ids["simkl"])].status is expected
        assert a.unwatched == a.service.state()["unwatched"]
        assert (str(show.ids["simkl"]) in a.known.airings) <= (
            expected is ShowStatus.WATCHING
        )
    planned = next(
        s for s in a.service.catalogue.shows if a.entry(s).status == "plantowatch"
    )
    a.service.start_watching(int(planned.ids["trakt"]))
    await a.refresh()
    # watching, but nothing of it was watched: not counted
    assert a.unwatched == a.service.state()["unwatched"]
    a.service.drop(number)
    a.service.list_as("dropped", movie=500009)
    await a.refresh()
    assert len(a.known.watchlist) == a.service.state()["watchlist"]
    assert "1400009" in a.known.movies and not a.known.movies["1400009"].watched


async def test_airing_raises_the_count_without_a_request(account: Open) -> None:
    a = await account(airing_in=3600, in_progress=0)
    await a.refresh()
    assert a.unwatched == 0
    show = next(s for s in a.service.catalogue.shows if not s.ended and not s.anime)
    overall = overview(a.known, a.service.clock.now())
    assert overall.changes_at is not None
    a.service.requests.clear()
    a.service.clock.advance(3601)
    assert a.unwatched == 1
    assert a.service.requests == []
    assert overview(a.known, a.service.clock.now()).shows[0].key == str(
        show.ids["simkl"]
    )
    # a user who was caught up: Simkl's marker moves, and the count stays what it is
    assert len(await a.refresh()) == 2
    assert a.unwatched == 1 == a.service.state()["unwatched"]


async def test_airing_for_a_user_who_lags(account: Open) -> None:
    a = await account(airing_in=3600, in_progress=20)
    await a.refresh()
    before = a.unwatched
    lagging = next(s for s in a.service.catalogue.shows if not s.ended and not s.anime)
    assert a.service._left(a.entry(lagging)) > 0
    a.service.clock.advance(3601)
    assert a.unwatched == before + 1
    assert len(await a.refresh()) == 1
    assert a.unwatched == before + 1
    # what aired stays counted when the calendar has forgotten it
    a.service.clock.advance(3 * 86400)
    await a.refresh()
    assert a.unwatched >= before + 1
    due = a.service.state()["unwatched"]
    assert a.unwatched == due


async def test_a_caught_up_show_with_gaps_counts_nothing(account: Open) -> None:
    a = await account(in_progress=0)
    await a.refresh()
    show = next(s for s in a.service.catalogue.shows if not s.ended and not s.anime)
    a.service.unwatch(int(show.ids["trakt"]), 1, 1)
    await a.refresh()
    row = a.known.shows[str(show.ids["simkl"])]
    assert row.aired > row.watched and row.caught_up
    assert a.unwatched == 0


async def test_calendar_failures_do_no_harm(account: Open) -> None:
    a = await account()
    a.service.faults.append(
        Fault("status", "GET /calendar", times=99, status=404, body="Not Found")
    )
    await a.refresh()
    assert not a.known.airings
    a.service.faults.clear()
    assert len(await a.refresh()) == 1
    assert a.known.airings


async def test_nothing_is_kept_when_a_pull_fails(account: Open) -> None:
    a = await account()
    a.tracker._api._api.retry_delays = ()
    a.service.faults.append(Fault("status", "GET /sync/playback", times=1, status=503))
    with pytest.raises(Unavailable):
        await a.refresh()
    assert a.library is None
    await a.refresh()
    before = a.library
    a.service.watch_movie(500009)
    a.service.faults.append(Fault("status", "GET /sync/all-items", times=1, status=502))
    with pytest.raises(Unavailable):
        await a.refresh()
    assert a.library is before
    assert len(await a.refresh()) == 2
    assert a.known.movies["1400009"].watched


async def test_an_empty_account(account: Open) -> None:
    a = await account(viewer=Viewer())
    a.service.null_client = True
    await a.refresh()
    assert (a.known.shows, a.known.movies, a.known.watchlist, a.unwatched) == (
        {},
        {},
        (),
        0,
    )
    assert len(await a.refresh()) == 1
    a.service.watch(1000, 1, 1)
    assert len(await a.refresh()) == 2
    assert a.known.shows["701000"].watched == 1


async def test_a_library_too_large_for_episodes(account: Open) -> None:
    a = await account()
    a.service.max_episodes = 0
    requests = await a.refresh()
    assert len(requests) == 8
    assert a.unwatched == a.service.state()["unwatched"]
    show = a.behind()
    assert a.known.shows[str(show.ids["simkl"])].seen is None
    with pytest.raises(TrackerError):
        await a.tracker.show(show_item(show).ids)


async def test_lists_to_follow(account: Open) -> None:
    a = await account(options={"lists": ["movies"]})
    await a.refresh()
    assert a.known.watchlist
    assert {e.item.type for e in a.known.watchlist} == {MediaType.MOVIE}
    a.context = type(a.context)(
        **{f: getattr(a.context, f) for f in a.context.__slots__} | {"options": {}}
    )
    a.tracker = Simkl(a.context)
    requests = await a.refresh()
    assert [r.path for r in requests] == [
        "/sync/activities",
        "/sync/all-items/all/plantowatch",
    ]
    assert len(a.known.watchlist) == a.service.state()["watchlist"]
    assert len(await a.refresh()) == 1


async def test_quota(account: Open) -> None:
    a = await account()
    untold = a.tracker.quota
    assert untold is None
    await a.refresh()
    quota = a.tracker.quota
    assert quota is not None and (quota.remaining, quota.limit) == (494, 500)
    for used, wait in ((390, 1800), (410, 3600), (480, 7200)):
        a.service.used = used
        assert (await a.tracker.refresh(a.library)).next_in == wait
    a.service.used = 500
    with pytest.raises(QuotaExhausted) as caught:
        await a.refresh()
    midnight = next_reset(a.service.clock.now())
    assert caught.value.retry_after == pytest.approx(
        (midnight - a.service.clock.now()).total_seconds(), abs=5
    )
    assert a.tracker.quota is not None and a.tracker.quota.remaining == 0
    assert a.tracker.quota.resets_at == midnight
    # not asked again before midnight in New York
    with pytest.raises(QuotaExhausted):
        await a.refresh()
    assert a.service.requests == []
    a.service.clock.advance(caught.value.retry_after + 1)
    assert len(await a.refresh()) >= 1


def test_the_quota_starts_anew_at_midnight_in_new_york() -> None:
    for now, expected in (
        (datetime(2026, 11, 21, 12, tzinfo=UTC), datetime(2026, 11, 22, 5, tzinfo=UTC)),
        (datetime(2026, 7, 1, 3, 59, tzinfo=UTC), datetime(2026, 7, 1, 4, tzinfo=UTC)),
        # the day the clocks go back has 25 hours
        (
            datetime(2026, 11, 1, 4, 30, tzinfo=UTC),
            datetime(2026, 11, 2, 5, tzinfo=UTC),
        ),
    ):
        assert next_reset(now) == expected
        assert expected.astimezone(ZoneInfo("America/New_York")).hour == 0


# one show, history, search ----------------------------------------------------------------------------------


async def test_show(account: Open) -> None:
    a = await account(in_progress=20)
    with pytest.raises(Unavailable):
        await a.tracker.show(Ids.of(simkl=701000))
    await a.refresh()
    show = a.behind()
    for ids in (
        {"simkl": show.ids["simkl"]},
        {"tvdb": show.ids["tvdb"]},
        {"imdb": show.ids["imdb"]},
    ):
        a.service.requests.clear()
        detail = await a.tracker.show(Ids.of(ids))
        assert a.paths() == []
        assert detail.key == str(show.ids["simkl"])
        watched = {
            (d.episode.season, d.episode.number) for d in detail.episodes if d.watched
        }
        assert watched == {k for k in a.entry(show).watched if k[0]}
        now = a.service.clock.now()
        assert len(detail.aired(now)) == len(show.aired(now))
        assert detail.progress(now).left == a.service._left(a.entry(show))
    recent = [d for d in detail.episodes if d.last_watched_at]
    assert all(d.watched for d in recent)


async def test_show_completed_and_dropped(account: Open) -> None:
    a = await account(in_progress=0)
    ended = next(s for s in a.service.catalogue.shows if s.ended)
    dropped = a.service.catalogue.shows[0]
    a.service.unwatch(int(dropped.ids["trakt"]), 1, 2)
    a.service.drop(int(dropped.ids["trakt"]))
    await a.refresh()
    detail = await a.tracker.show(show_item(ended).ids)
    assert all(d.watched for d in detail.episodes) and detail.episodes
    a.service.requests.clear()
    for expected in (["GET /sync/activities", "GET /sync/all-items/shows"], []):
        a.service.requests.clear()
        detail = await a.tracker.show(show_item(dropped).ids)
        assert a.paths() == expected
        assert {
            (d.episode.season, d.episode.number) for d in detail.episodes if d.watched
        } == {k for k in a.entry(dropped).watched if k[0]}
    # after a minute: only what changed since
    a.service.watch(int(dropped.ids["trakt"]), 1, 2)
    a.service.drop(int(dropped.ids["trakt"]))
    a.service.clock.advance(61)
    a.service.requests.clear()
    detail = await a.tracker.show(show_item(dropped).ids)
    marked = detail.find(1, 2)
    assert marked is not None and marked.watched
    assert any("date_from" in r.query for r in a.service.requests)


async def test_show_not_in_the_library(account: Open) -> None:
    a = await account(viewer=Viewer(), shows=30)
    await a.refresh()
    show, anime = a.service.catalogue.shows[0], a.service.catalogue.shows[9]
    detail = await a.tracker.show(Ids.of(imdb=show.ids["imdb"]))
    assert detail.show.title == show.title and not any(
        d.watched for d in detail.episodes
    )
    detail = await a.tracker.show(Ids.of(tmdb=anime.ids["tmdb"]))
    assert detail.show.anime and detail.episodes[0].episode.code == "E01"
    for ids in (
        Ids.of(simkl=1),
        Ids.of(tvdb=4),
        Ids.of(trakt=1000),
        Ids.of(imdb=a.service.catalogue.movies[0].ids["imdb"]),
    ):
        with pytest.raises(NotFound):
            await a.tracker.show(ids)


async def test_history(account: Open) -> None:
    a = await account()
    a.service.watch_movie(500009, at=datetime(2019, 1, 1, tzinfo=UTC))
    await a.refresh()
    a.service.requests.clear()
    page = await a.tracker.history()
    assert a.paths() == ["GET /sync/activities", "GET /sync/all-items"]
    cut = a.service.clock.now() - timedelta(days=30)
    entries = a.service.shelf.entries.values()
    recent = [at for e in entries for at in e.watched.values() if at > cut]
    assert len(page.items) == len(recent)
    times = [p.watched_at for p in page.items if p.watched_at]
    assert times == sorted(times, reverse=True)
    plays = list(page.items)
    while page.cursor is not None:
        page = await a.tracker.history(page.cursor)
        plays += page.items
    assert len(plays) == a.service.state()["plays"]
    show = a.behind()
    of_show = (await a.tracker.history(item=show_item(show))).items
    assert len(of_show) == len(a.entry(show).watched)
    detail = await a.tracker.show(show_item(show).ids)
    first = detail.episodes[0].episode
    assert len((await a.tracker.history(item=first)).items) == 1
    movie = next(iter(a.known.movies.values())).movie
    assert len((await a.tracker.history(item=movie)).items) == 1
    unknown = Show(title="?", ids=Ids.of(simkl=4))
    assert (await a.tracker.history(item=unknown)).items == ()


async def test_search(account: Open) -> None:
    a = await account(shows=30)
    await a.refresh()
    show, anime = a.service.catalogue.shows[0], a.service.catalogue.shows[9]
    found = await a.tracker.search(Query(text=show.title))
    assert found[0].item.ids.get("simkl") == str(show.ids["simkl"])
    assert isinstance(found[0].item, Show) and found[0].item.url
    found = await a.tracker.search(
        Query(text=anime.title, types=frozenset({MediaType.SHOW}))
    )
    assert any(isinstance(c.item, Show) and c.item.anime for c in found)
    film = a.service.catalogue.movies[0]
    found = await a.tracker.search(
        Query(text=film.title, types=frozenset({MediaType.MOVIE}), year=film.year)
    )
    assert isinstance(found[0].item, Movie)
    assert await a.tracker.search(Query(text=" ")) == []
    for ids, title in (
        (Ids.of(imdb=show.ids["imdb"]), show.title),
        (Ids.of(simkl=film.ids["simkl"]), film.title),
        (Ids.of(tmdb=anime.ids["tmdb"]), anime.title),
    ):
        (candidate,) = await a.tracker.search(Query(ids=ids))
        assert candidate.item.label.startswith(title)
    assert await a.tracker.search(Query(ids=Ids.of(imdb="tt1"))) == []
    only_shows = frozenset({MediaType.SHOW})
    assert (
        await a.tracker.search(
            Query(ids=Ids.of(imdb=film.ids["imdb"]), types=only_shows)
        )
        == []
    )


async def test_account_without_an_id_is_a_bad_answer(account: Open) -> None:
    a = await account()
    for body in ("{}", '{"account": null}', "[]", "null", '{"account": {"id": "x"}}'):
        a.service.faults.append(Fault("status", "GET /users", status=200, body=body))
        with pytest.raises(BadAnswer):
            await a.tracker.account()
    a.service.faults.append(
        Fault(
            "status",
            "GET /users",
            status=200,
            body='{"account": {"id": "77"}, "user": []}',
        )
    )
    assert (await a.tracker.account()).name == "77"


async def test_at_the_real_pace(account: Open) -> None:
    """With Simkl's rates and lock enforced, and real waits, nothing is refused."""
    a = await account(pacing=True)
    a.context = replace(a.context, sleep=asyncio.sleep)
    a.tracker = Simkl(a.context)
    await a.refresh()
    for index in range(3):
        a.service.watch_movie(500000 + index)
        await a.refresh()
    statuses = {r.status for r in a.service.requests}
    assert statuses == {200}
    begun = asyncio.get_running_loop().time()
    for rating in (1, 2):
        movie = a.service.catalogue.movies[0]
        await a.send(Rate(item=movie_item(movie), rating=rating))
        assert {r.status for r in a.service.requests} == {201}
    assert asyncio.get_running_loop().time() - begun > 1
