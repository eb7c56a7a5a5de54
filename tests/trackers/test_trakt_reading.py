"""Reading Trakt: what a refresh costs, and that its counts are true."""

from __future__ import annotations

from datetime import timedelta
import json
from typing import Any

from mashumaro.codecs.orjson import ORJSONDecoder, ORJSONEncoder
import pytest

from custom_components.up_next.library import (
    Library,
    PlaybackState,
    ShowStatus,
    overview,
)
from custom_components.up_next.media import Episode, Movie
from custom_components.up_next.trackers.errors import (
    AccessDenied,
    BadAnswer,
    Unavailable,
)
from custom_components.up_next.trackers.transport import Transport
from custom_components.up_next.writes import MarkUnwatched, MarkWatched
from simulators.service import Fault
from simulators.trakt import Trakt as Service

from .trakt_help import House, caught_up, enter, episode, lagging


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Transport, "retry_delays", (0.0, 0.0))


@pytest.fixture
def build(serve: Any, make_context: Any, clock: Any) -> Any:
    async def make(**numbers: Any) -> House:
        service: Service = await serve(Service, **numbers)
        clock.freeze()
        service.pacing = False
        return enter(service, make_context(service.base_url))

    return make


@pytest.fixture
async def house(build: Any) -> House:
    return await build(shows=40, airing_in=3600)


def advance(house: House, **time: float) -> None:
    house.service.clock.advance(timedelta(**time).total_seconds())


# what it costs


@pytest.mark.parametrize(
    ("shows", "in_progress", "most"), [(50, None, 12), (500, 100, 12), (5000, 1000, 15)]
)
async def test_costs(
    build: Any, shows: int, in_progress: int | None, most: int
) -> None:
    house = await build(shows=shows, in_progress=in_progress)
    assert await house.counted(house.refresh) <= most
    assert house.unwatched() == house.service.state()["unwatched"]
    assert (
        len(overview(house.library, house.service.clock.now()).shows)
        == (house.service.state()["shows_in_progress"])
    )
    library = house.library
    assert await house.counted(house.refresh) == 2
    assert house.library is library
    which, left = lagging(house.service)
    advance(house, minutes=5)
    house.service.watch(which.ids["trakt"], left[0].season, left[0].number)
    assert await house.counted(house.refresh) == 5
    assert house.unwatched() == house.service.state()["unwatched"]
    advance(house, minutes=5)
    # one look more, since a marker does not move twice in a minute
    assert await house.counted(house.refresh) == 3
    assert await house.counted(house.refresh) == 2


async def test_one_request_more_when_the_watchlist_changed_by_itself(
    house: House,
) -> None:
    which = house.service.catalogue.shows[-1]
    house.service.watchlist_add(show=which.ids["trakt"])
    advance(house, minutes=5)
    await house.refresh()
    listed = len(house.library.watchlist)
    first = which.aired(house.service.clock.now())[0]
    house.service.watch(which.ids["trakt"], first.season, first.number)
    assert await house.counted(house.refresh) == 2 + 4
    assert len(house.library.watchlist) == listed - 1
    assert house.unwatched() == house.service.state()["unwatched"]


async def test_a_restored_library_goes_on_without_reading_anew(house: House) -> None:
    await house.refresh()
    stored = ORJSONEncoder(Library).encode(house.library)
    restored = ORJSONDecoder(Library).decode(stored)
    assert restored == house.library
    fresh = enter(house.service, house.context)
    fresh.library = restored
    assert await fresh.counted(fresh.refresh) == 2
    assert fresh.library is restored


# what changes


async def test_removed_edited_and_back_dated_plays_are_noticed(house: House) -> None:
    await house.refresh()
    which, left = lagging(house.service)
    number = which.ids["trakt"]
    for change in (
        lambda: house.service.unwatch(number, *_first(house, which)),
        lambda: house.service.watch(
            number,
            left[0].season,
            left[0].number,
            house.service.clock.now() - timedelta(days=3000),
        ),
    ):
        advance(house, minutes=5)
        change()
        await house.refresh()
        assert house.unwatched() == house.service.state()["unwatched"]


def _first(house: House, which: Any) -> tuple[int, int]:
    first = house.service.account.progress(which).completed[0]
    return first.season, first.number


async def test_a_removal_is_counted_once_more_since_up_next_may_be_stale(
    house: House,
) -> None:
    await house.refresh()
    which, _ = lagging(house.service)
    advance(house, minutes=5)
    before = house.unwatched()
    house.service.account.stale = 9
    house.service.unwatch(which.ids["trakt"], *_first(house, which))
    await house.refresh()
    assert house.unwatched() == before
    advance(house, seconds=20)
    await house.refresh()
    assert house.unwatched() == before + 1


async def test_stale_progress_is_corrected_by_the_history(house: House) -> None:
    await house.refresh()
    which, left = lagging(house.service)
    advance(house, minutes=5)
    house.service.account.stale = 9
    before = house.unwatched()
    house.service.watch(which.ids["trakt"], left[0].season, left[0].number)
    await house.refresh()
    assert house.unwatched() == before - 1
    row = house.library.shows[str(which.ids["trakt"])]
    assert (row.next_episode.season, row.next_episode.number) == (
        left[1].season,
        left[1].number,
    )
    assert row.next_episode.title is None
    advance(house, seconds=30)
    await house.refresh()
    row = house.library.shows[str(which.ids["trakt"])]
    assert row.next_episode.title == left[1].title
    assert house.unwatched() == before - 1


async def test_two_plays_in_one_minute_are_both_seen(house: House) -> None:
    await house.refresh()
    which, left = lagging(house.service)
    advance(house, minutes=5)
    second = house.service.clock.now().second
    advance(house, seconds=60 - second + 5)
    house.service.watch(which.ids["trakt"], left[0].season, left[0].number)
    await house.refresh()
    advance(house, seconds=20)
    house.service.watch(which.ids["trakt"], left[1].season, left[1].number)
    advance(house, seconds=70)
    await house.refresh()
    assert house.unwatched() == house.service.state()["unwatched"]


async def test_what_we_changed_is_read_though_no_marker_moved(house: House) -> None:
    """Two of our own writes in one minute look like one to the markers."""
    await house.refresh()
    which, left = lagging(house.service)
    advance(house, minutes=5)
    advance(house, seconds=65 - house.service.clock.now().second)
    before = house.unwatched()
    mark = MarkWatched(
        item=episode(which, left[0]), watched_at=house.service.clock.now()
    )
    await house.send(mark)
    await house.refresh()
    assert house.unwatched() == before - 1
    advance(house, seconds=10)
    await house.send(MarkUnwatched(item=mark.item))
    # a refresh that fails leaves it to the next
    house.service.faults = [Fault(kind="status", status=503, match="history", times=9)]
    with pytest.raises(Unavailable):
        await house.refresh()
    house.service.faults.clear()
    await house.refresh()
    assert house.unwatched() == before
    since = len(house.service.requests)
    await house.refresh()
    assert "GET /sync/history" not in house.paths(since)


async def test_what_was_read_is_settled_when_progress_caught_up(house: House) -> None:
    """Until then nobody can be sure that a count knows of what was just written."""
    first = await house.tracker.refresh(None)
    assert first.settled
    which, left = lagging(house.service)
    advance(house, minutes=5)
    house.service.account.stale = 9
    house.service.watch(which.ids["trakt"], left[0].season, left[0].number)
    second = await house.tracker.refresh(first.library)
    assert not second.settled
    assert second.while_fed is not None
    assert 30 <= second.while_fed <= 65
    advance(house, seconds=20)
    third = await house.tracker.refresh(second.library)
    assert third.settled
    advance(house, minutes=2)
    fourth = await house.tracker.refresh(third.library)
    # something was watched lately, so more may be soon; by our own players that would be known
    assert (fourth.next_in, fourth.while_fed) == (60, 300)


async def test_many_plays_at_once_are_read_through_up_next(house: House) -> None:
    await house.refresh()
    advance(house, minutes=5)
    shows = list(house.service.account.started())[:12]
    for which in shows:
        house.service.watch(which.ids["trakt"], which.episodes[-1].season, 1)
    since = len(house.service.requests)
    await house.refresh()
    assert not any("/progress/watched" in p for p in house.paths(since))
    assert house.unwatched() == house.service.state()["unwatched"]


async def test_a_newly_started_show_counts(house: House) -> None:
    await house.refresh()
    which = house.service.catalogue.shows[-1]
    first = which.aired(house.service.clock.now())[0]
    before = house.unwatched()
    advance(house, minutes=5)
    house.service.watch(which.ids["trakt"], first.season, first.number)
    await house.refresh()
    assert house.unwatched() == house.service.state()["unwatched"] > before
    assert str(which.ids["trakt"]) in house.library.started


async def test_specials_and_movies_do_not_count(house: House) -> None:
    await house.refresh()
    before = house.unwatched()
    which = next(s for s in house.service.account.started() if 0 in s.seasons())
    advance(house, minutes=5)
    house.service.watch(which.ids["trakt"], 0, 1)
    house.service.watch_movie(500009)
    assert await house.counted(house.refresh) <= 2 + 3
    assert house.unwatched() == before == house.service.state()["unwatched"]
    assert isinstance(house.library.plays[0].item, Movie)
    totals = house.library.totals
    assert totals.movies == 7
    assert totals.episodes == sum(
        kind == "episode" for kind, _ in house.service.account.by_media
    )


async def test_an_airing_counts_by_time_alone(house: House) -> None:
    await house.refresh()
    before = house.unwatched()
    library = house.library
    changes = overview(library, house.service.clock.now()).changes_at
    assert changes is not None
    advance(house, minutes=61)
    assert house.unwatched() == before + 1 == house.service.state()["unwatched"]
    assert await house.counted(house.refresh) == 2
    assert house.library is library


async def test_an_airing_counts_for_a_show_that_was_caught_up(house: House) -> None:
    which = caught_up(house.service)
    house.service.catalogue.add_episode(
        which, house.service.clock.now() + timedelta(hours=2)
    )
    await house.refresh()
    row = house.library.shows[str(which.ids["trakt"])]
    assert row.left == 0
    before = house.unwatched()
    advance(house, hours=2, seconds=1)
    assert house.unwatched() == house.service.state()["unwatched"] > before
    shown = overview(house.library, house.service.clock.now()).shows
    assert str(which.ids["trakt"]) in {s.key for s in shown}
    # the calendar's turn reads the show itself, and nothing is counted twice
    advance(house, hours=5)
    await house.refresh()
    assert house.unwatched() == house.service.state()["unwatched"]
    advance(house, hours=30)
    await house.refresh()
    assert house.unwatched() == house.service.state()["unwatched"]


async def test_the_calendar_is_read_every_six_hours(house: House) -> None:
    await house.refresh()
    for hours, count in ((3, 1), (2.9, 1), (0.2, 2), (5.9, 2), (0.2, 3)):
        advance(house, hours=hours)
        await house.refresh()
        assert house.service.count("/calendars/") == count


async def test_everything_is_counted_once_a_day(house: House) -> None:
    await house.refresh()
    which = next(s for s in house.service.account.started() if not s.ended)
    # a whole season appears in the past: no marker moves and no calendar tells
    for _ in range(3):
        house.service.catalogue.add_episode(
            which, house.service.clock.now() - timedelta(days=40)
        )
    assert house.unwatched() != house.service.state()["unwatched"]
    advance(house, hours=25)
    await house.refresh()
    assert house.unwatched() == house.service.state()["unwatched"]


async def test_gaps_count_and_get_a_next_episode(house: House) -> None:
    which, left = lagging(house.service)
    for each in left[1:]:
        house.service.watch(which.ids["trakt"], each.season, each.number)
    advance(house, hours=2)
    await house.refresh()
    row = house.library.shows[str(which.ids["trakt"])]
    assert (row.left, row.next_episode) == (1, None)
    advance(house, hours=7)
    await house.refresh()
    row = house.library.shows[str(which.ids["trakt"])]
    assert (row.next_episode.season, row.next_episode.number) == (
        left[0].season,
        left[0].number,
    )


# hidden


async def test_dropped_and_hidden_shows_never_count(house: House) -> None:
    which, left = lagging(house.service)
    number = which.ids["trakt"]
    await house.refresh()
    before = house.unwatched()
    advance(house, minutes=5)
    house.service.drop(number)
    await house.refresh()
    assert house.unwatched() == before - len(left)
    assert house.library.shows[str(number)].status is ShowStatus.DROPPED
    assert str(number) not in house.library.airings
    house.service.watch(number, left[0].season, left[0].number)
    advance(house, minutes=5)
    await house.refresh()
    assert house.library.shows[str(number)].status is ShowStatus.DROPPED
    house.service.drop(number, on=False)
    house.service.hide("progress_watched", number)
    advance(house, minutes=5)
    await house.refresh()
    assert house.library.shows[str(number)].status is ShowStatus.HIDDEN
    house.service.hide("progress_watched", number, on=False)
    advance(house, minutes=5)
    await house.refresh()
    assert house.unwatched() == before - 1 == house.service.state()["unwatched"]


async def test_hidden_seasons_do_not_count(house: House) -> None:
    which, _ = lagging(house.service)
    running = next(
        s
        for s in house.service.account.started()
        if not s.ended and s.episodes[-1].first_aired > house.service.clock.now()
    )
    await house.refresh()
    advance(house, minutes=5)
    house.service.hide("progress_watched", running.ids["trakt"], max(running.seasons()))
    house.service.hide("progress_watched", which.ids["trakt"], max(which.seasons()))
    await house.refresh()
    assert house.unwatched() == house.service.state()["unwatched"]
    advance(house, days=3)
    assert house.unwatched() == house.service.state()["unwatched"]


# the other parts


async def test_now_watching(house: House) -> None:
    await house.refresh()
    which, left = lagging(house.service)
    house.service.play(
        show=which.ids["trakt"],
        season=left[0].season,
        number=left[0].number,
        progress=25,
    )
    result = await house.tracker.refresh(house.library)
    assert result.next_in == 30
    watching = result.library.watching
    assert isinstance(watching.item, Episode)
    assert watching.state is PlaybackState.PLAYING
    assert watching.progress == pytest.approx(25, abs=0.01)
    assert watching.position == pytest.approx(watching.duration / 4, abs=1)
    assert watching.item.picture.startswith(house.service.base_url)
    assert house.tracker.can_picture(watching.item.picture)
    advance(house, minutes=1)
    assert (await house.tracker.refresh(result.library)).library is result.library
    house.service.play(movie=500001)
    house.library = result.library
    await house.refresh()
    assert isinstance(house.library.watching.item, Movie)
    house.service.stop_playing()
    await house.refresh()
    assert house.library.watching is None


async def test_playbacks_and_watchlist(house: House) -> None:
    which, left = lagging(house.service)
    house.service.pause(
        show=which.ids["trakt"], season=left[0].season, number=left[0].number
    )
    house.service.pause(movie=500002, progress=60)
    advance(house, minutes=5)
    await house.refresh()
    assert {p.progress for p in house.library.playbacks} == {40, 60}
    first = house.library.playbacks[0]
    assert first.position == pytest.approx(first.duration * first.progress / 100)
    assert len(house.library.watchlist) == house.service.state()["watchlist"]
    assert all(entry.listed_at for entry in house.library.watchlist)
    house.service.account.enlist(("season", 30_100_001))
    house.service.account.enlist(("episode", left[0].ids["trakt"]))
    house.service.account.clear_playback(int(first.id))
    advance(house, minutes=5)
    assert await house.counted(house.refresh) == 4
    assert len(house.library.playbacks) == 1
    kinds = {entry.item.type for entry in house.library.watchlist}
    assert kinds == {"movie", "show", "season", "episode"}


async def test_the_followed_lists_are_an_option(
    house: House, make_context: Any
) -> None:
    await house.refresh()
    only = enter(
        house.service,
        make_context(house.service.base_url, options={"lists": ["movies"]}),
    )
    only.library = house.library
    await only.refresh()
    assert {e.item.type for e in only.library.watchlist} == {"movie"}


async def test_long_lists_are_read_to_the_end(house: House) -> None:
    account = house.service.account
    for number in range(1000, 1040):
        account.enlist(("show", number))
    for which in house.service.catalogue.shows:
        for each in which.episodes:
            account.enlist(("episode", each.ids["trakt"]))
    assert len(account.watchlist) > 500
    await house.refresh()
    assert len(house.library.watchlist) == len(account.watchlist)


async def test_settings_are_read_again_when_they_moved(house: House) -> None:
    await house.refresh()
    assert house.library.account.plan == "free"
    house.service.vip = True
    house.service.account.touch("account", "settings_at")
    assert await house.counted(house.refresh) == 3
    assert house.library.account.plan == "vip"
    account = await house.tracker.account()
    assert (account.id, account.name) == (house.service.uuid, "demo-viewer")


async def test_an_empty_account(build: Any) -> None:
    house = await build(watched=0)
    await house.refresh()
    assert house.unwatched() == 0
    assert house.library.plays == ()
    which = house.service.catalogue.shows[0]
    advance(house, minutes=5)
    house.service.watch(which.ids["trakt"], which.episodes[-1].season or 1, 1)
    await house.refresh()
    assert house.unwatched() == house.service.state()["unwatched"] > 0


async def test_when_to_ask_again(house: House) -> None:
    first = await house.tracker.refresh(None)
    assert first.next_in == 300
    which, left = lagging(house.service)
    house.service.watch(which.ids["trakt"], left[0].season, left[0].number)
    second = await house.tracker.refresh(first.library)
    assert 30 <= second.next_in <= 60
    advance(house, minutes=5)
    third = await house.tracker.refresh(second.library)
    assert third.next_in == 60
    advance(house, minutes=70)
    assert (await house.tracker.refresh(third.library)).next_in == 300


# when up next is refused


@pytest.mark.parametrize("refusal", ["404", "403", "426", "empty"])
async def test_without_up_next(build: Any, refusal: str) -> None:
    house = await build(shows=60)
    house.service.nitro = refusal
    await house.refresh()
    assert house.library.complete
    assert house.unwatched() == house.service.state()["unwatched"]
    which, left = lagging(house.service)
    advance(house, minutes=5)
    house.service.watch(which.ids["trakt"], left[0].season, left[0].number)
    assert await house.counted(house.refresh) == 5
    assert house.unwatched() == house.service.state()["unwatched"]
    advance(house, minutes=5)
    house.service.unwatch(which.ids["trakt"], left[0].season, left[0].number)
    since = len(house.service.requests)
    await house.refresh()
    assert not any("up_next" in p for p in house.paths(since))
    assert house.unwatched() == house.service.state()["unwatched"]
    house.service.nitro = "on"
    advance(house, hours=25)
    since = len(house.service.requests)
    await house.refresh()
    assert any("up_next" in p for p in house.paths(since))
    assert house.unwatched() == house.service.state()["unwatched"]


async def test_without_up_next_a_big_library_takes_several_refreshes(
    build: Any,
) -> None:
    house = await build(shows=500, in_progress=250)
    house.service.nitro = "404"
    await house.refresh()
    assert not house.library.complete
    turns = 1
    while not house.library.complete:
        result = await house.tracker.refresh(house.library)
        assert result.library.complete or result.next_in <= 60
        house.library = result.library
        turns += 1
    assert turns == 3
    assert house.unwatched() == house.service.state()["unwatched"]
    # once known, only what changed is asked for again
    advance(house, hours=25)
    before = house.service.count("/progress/watched")
    await house.refresh()
    assert house.library.complete
    assert house.service.count("/progress/watched") - before < 60
    assert house.unwatched() == house.service.state()["unwatched"]


async def test_without_up_next_hidden_and_removed_shows_stay_out(build: Any) -> None:
    house = await build(shows=60)
    house.service.nitro = "404"
    hidden, _ = lagging(house.service)
    house.service.drop(hidden.ids["trakt"])
    await house.refresh()
    assert house.library.shows[str(hidden.ids["trakt"])].status is ShowStatus.DROPPED
    which, _ = lagging(house.service)
    while house.service.account.is_hidden(which):
        which = next(s for s in house.service.account.started() if s is not hidden)
    for play in house.service.account.plays_of(which):
        house.service.account.remove_play(play.id)
    advance(house, minutes=5)
    await house.refresh()
    assert str(which.ids["trakt"]) not in house.library.shows
    assert house.unwatched() == house.service.state()["unwatched"]


async def test_the_long_way_keeps_within_the_allowance(build: Any) -> None:
    house = await build(shows=500, in_progress=250)
    house.service.nitro = "404"
    house.service.play(movie=500001)
    result = await house.tracker.refresh(None)
    assert not result.library.complete
    assert result.next_in == 60


async def test_what_up_next_misses_just_after_many_plays_is_counted_again(
    house: House,
) -> None:
    await house.refresh()
    advance(house, minutes=5)
    house.service.account.stale = 9
    shows = house.service.account.started()[:20]
    for which in shows:
        last = house.service.account.progress(which).aired[-1]
        house.service.watch(which.ids["trakt"], last.season, last.number)
    await house.refresh()
    advance(house, seconds=20)
    await house.refresh()
    assert house.unwatched() == house.service.state()["unwatched"]


async def test_rewatching_counts_only_what_was_seen_since(house: House) -> None:
    which = caught_up(house.service)
    number = which.ids["trakt"]
    house.service.account.reset_at[number] = house.service.clock.now()
    house.service.account.watched[number].version += 1
    await house.refresh()
    advance(house, minutes=5)
    first = which.aired(house.service.clock.now())[0]
    house.service.watch(number, first.season, first.number)
    await house.refresh()
    aired = len(which.aired(house.service.clock.now()))
    assert house.library.shows[str(number)].left == aired - 1
    assert house.unwatched() == house.service.state()["unwatched"]


async def test_an_account_that_is_caught_up_is_no_refusal(build: Any) -> None:
    house = await build(shows=20, in_progress=0)
    await house.refresh()
    assert house.library.complete
    assert house.service.count("/sync/watched/shows") == 1
    assert house.unwatched() == house.service.state()["unwatched"] == 0


# what goes wrong


async def test_vip_only_parts_are_left_out(house: House) -> None:
    house.service.vip_only = {
        "GET /users/me/stats",
        "GET /sync/playback",
        "GET /calendars",
        "GET /sync/watchlist",
        "GET /users/hidden",
    }
    await house.refresh()
    assert house.library.totals.movies is None
    assert house.unwatched() == house.service.state()["unwatched"]
    which, left = lagging(house.service)
    advance(house, minutes=5)
    house.service.watch(which.ids["trakt"], left[0].season, left[0].number)
    before = house.service.count("/users/me/stats")
    await house.refresh()
    assert house.service.count("/users/me/stats") == before
    house.service.vip_only = set()
    house.service.account.touch("account", "settings_at")
    house.service.watch(which.ids["trakt"], left[1].season, left[1].number)
    advance(house, minutes=5)
    await house.refresh()
    assert house.library.totals.movies is not None


async def test_missing_routes(house: House) -> None:
    house.service.faults = [
        Fault(kind="status", status=404, match="GET /sync/playback$"),
        Fault(kind="status", status=404, match="GET /users/me/stats"),
        Fault(kind="status", status=404, match="GET /sync/watched/shows"),
    ]
    house.service.pause(movie=500002, progress=60)
    await house.refresh()
    assert len(house.library.playbacks) == 1
    assert house.library.totals.episodes is None
    assert len(house.library.started) == house.service.state()["shows_started"]


async def test_a_show_that_is_gone_from_the_catalogue(house: House) -> None:
    await house.refresh()
    which, left = lagging(house.service)
    advance(house, minutes=5)
    house.service.watch(which.ids["trakt"], left[0].season, left[0].number)
    house.service.faults = [
        Fault(kind="status", status=404, match=f"/shows/{which.ids['trakt']}/progress")
    ]
    await house.refresh()
    assert str(which.ids["trakt"]) not in house.library.shows


@pytest.mark.parametrize(
    "path",
    [
        "last_activities",
        "watching",
        "settings",
        "up_next",
        "history",
        "watchlist",
        "playback",
        "hidden",
        "calendars",
        "stats",
        "watched/shows",
    ],
)
@pytest.mark.parametrize("kind", ["html", "broken_json", "status", "reset", "drop"])
async def test_a_failed_part_fails_the_refresh_and_the_next_one_heals(
    house: House, path: str, kind: str
) -> None:
    if path == "watching":
        house.service.play(movie=500001)
    house.service.faults = [Fault(kind=kind, status=503, match=path, times=9)]
    if kind == "html":
        house.service.faults[0].status = 500
    with pytest.raises(Unavailable):
        await house.tracker.refresh(None)
    house.service.faults.clear()
    await house.refresh()
    assert house.unwatched() == house.service.state()["unwatched"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("last_activities", "[]"),
        ("last_activities", "{}"),
        ("settings", "{}"),
        ("up_next", '{"error": "x"}'),
        ("history", "{}"),
        ("stats", "[]"),
        ("watched/shows", '"x"'),
    ],
)
async def test_the_wrong_shape_is_a_bad_answer(
    house: House, path: str, body: str
) -> None:
    house.service.faults = [
        Fault(kind="status", status=200, body=body, match=path, times=9)
    ]
    with pytest.raises(BadAnswer):
        await house.tracker.refresh(None)


async def test_a_short_list_is_not_believed(house: House) -> None:
    house.service.faults = [
        Fault(
            kind="status",
            status=200,
            body="[]",
            match="up_next",
            headers={"X-Pagination-Item-Count": "7", "X-Pagination-Page-Count": "1"},
        )
    ]
    with pytest.raises(BadAnswer, match="0 of 7"):
        await house.tracker.refresh(None)


async def test_a_locked_account_is_not_taken_for_a_refused_part(house: House) -> None:
    await house.refresh()
    house.service.locked = True
    with pytest.raises(AccessDenied) as caught:
        await house.refresh()
    assert caught.value.translation_key == "account_locked"


async def test_activities_may_lack_sections(house: House) -> None:
    some = {"episodes": {"watched_at": None}, "movies": None, "account": {"x": "y"}}
    house.service.faults = [
        Fault(kind="status", status=200, body=json.dumps(some), match="last_activities")
    ]
    result = await house.tracker.refresh(None)
    assert result.next_in == 300
    assert result.library.complete


async def test_a_library_of_another_version_is_read_anew(house: House) -> None:
    await house.refresh()
    house.library.markers["version"] = "0"
    since = len(house.service.requests)
    await house.refresh()
    assert len(house.paths(since)) > 8
