"""KinoPub: reading, against the simulator over real HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from mashumaro.codecs.orjson import ORJSONDecoder, ORJSONEncoder
import pytest

from custom_components.up_next.account import Capability
from custom_components.up_next.library import (
    Library,
    PlaybackState,
    overview,
    parse_seen,
)
from custom_components.up_next.media import MediaType
from custom_components.up_next.trackers.kinopub import KinoPub
from custom_components.up_next.trackers.oauth import Tokens
from simulators.catalogue import Viewer
from simulators.service import Fault

from .kinopub_account import FOLDER, Account, movie_of, sign_in

SERIALS, MOVIES, HISTORY = (
    "/v1/watching/serials",
    "/v1/watching/movies",
    "/v1/history",
)
IDLE = [SERIALS, MOVIES, HISTORY]

type Start = Callable[..., Awaitable[Account]]


@pytest.fixture
def start(serve: Any, make_context: Any, tokens: Any) -> Start:
    async def start(**arguments: Any) -> Account:
        return await sign_in(serve, make_context, tokens, **arguments)

    return start


@pytest.fixture
async def account(start: Start) -> Account:
    return await start(shows=40, movies=30)


# first load and idle


async def test_first_load_counts_what_the_service_counts(account: Account) -> None:
    library = await account.refresh()
    state = account.sim.state()
    assert library.complete
    assert account.unwatched(library) == state["unwatched_by_service"] > 0
    shown = overview(library, account.sim.clock.now())
    assert len(shown.shows) == state["shows_with_unwatched"]
    assert library.account.id == "example_user"
    assert library.account.subscription_end is not None
    assert account.sim.paths.links_served == 0


@pytest.mark.parametrize("shows", [50, 500, 5000])
async def test_an_idle_refresh_is_three_requests_at_any_size(
    start: Start, shows: int
) -> None:
    account = await start(shows=shows, movies=20, in_progress=min(shows, 1000))
    library = await account.refresh()
    assert len(account.asked()) <= 14
    assert await account.refresh(library) is library
    assert account.asked() == IDLE
    show = account.begun()
    episode = account.next_of(show)
    before = account.unwatched(library)
    account.sim.watch(int(show.ids["trakt"]), episode.season, episode.number)
    after = await account.refresh(library)
    assert account.asked() in ([*IDLE, "/v1/watching"], IDLE)
    assert account.unwatched(after) == before - 1
    assert await account.refresh(after) is after
    assert account.asked() == IDLE


async def test_the_serials_are_asked_unfiltered_and_one_after_the_other(
    account: Account,
) -> None:
    account.sim.pacing = True
    await account.refresh()
    asked = [r for r in account.sim.requests if r.path == SERIALS]
    assert [r.query for r in asked] == [{}]
    assert {r.status for r in account.sim.requests} == {200}


async def test_an_account_without_anything(start: Start) -> None:
    account = await start(viewer=Viewer())
    library = await account.refresh()
    assert not library.shows
    assert account.unwatched(library) == 0
    assert await account.refresh(library) is library


async def test_shows_only_flagged_do_not_count(account: Account) -> None:
    library = await account.refresh()
    flagged = account.sim.viewing.subscribed
    assert flagged
    assert all(library.shows[str(key)].watched == 0 for key in flagged)
    keys = {row.key for row in overview(library, account.sim.clock.now()).shows}
    assert not keys & {str(key) for key in flagged}


async def test_the_library_survives_being_stored(account: Account) -> None:
    library = await account.refresh()
    stored = ORJSONEncoder(Library).encode(library)
    restored = ORJSONDecoder(Library).decode(stored)
    tracker = KinoPub(account.context)
    account.sim.requests.clear()
    assert (await tracker.refresh(restored)).library is restored
    assert account.asked() == IDLE


# details


async def test_the_next_episode_is_the_started_one_else_after_the_last_watched(
    account: Account,
) -> None:
    show = account.begun(left=3)
    trakt, key = int(show.ids["trakt"]), str(show.ids["kinopub"])
    first = account.next_of(show)
    account.sim.watch(trakt, first.season, first.number)
    library = await account.refresh(await account.refresh())
    following = account.next_of(show)
    found = library.shows[key].next_episode
    assert found is not None
    assert (found.season, found.number) == (following.season, following.number)
    assert (first.season, first.number) in parse_seen(library.shows[key].seen)
    last = show.aired(account.sim.clock.now())[-1]
    account.sim.clock.advance(1)
    account.sim.start_watching(
        {"show": trakt, "season": last.season, "number": last.number}, 600
    )
    account.asked()
    moved = await account.refresh(library)
    assert account.asked() == IDLE, "the history tells the position"
    found = moved.shows[key].next_episode
    assert found is not None
    assert (found.season, found.number) == (last.season, last.number)
    playback = next(p for p in moved.playbacks if p.item == found)
    assert (playback.position, playback.duration) == (600, last.runtime)
    assert playback.state is PlaybackState.PAUSED
    fresh = await account.refresh()
    assert fresh.shows[key].next_episode is not None
    assert fresh.shows[key].next_episode.number == last.number


async def test_specials_do_not_count_once_the_details_are_known(start: Start) -> None:
    account = await start(shows=40, specials=True)
    item = next(i for i in account.sim.viewing.items.values() if i.specials)
    assert item.show is not None
    account.sim.watch(int(item.show.ids["trakt"]), 1, 1)
    library = await account.refresh()
    row = library.shows[str(item.id)]
    now = account.sim.clock.now()
    assert row.aired == len(item.show.aired(now))
    assert library.markers["extra"] == f"{item.id}:2:0"
    assert account.unwatched(library) == account.sim.state()["unwatched"]
    episode = account.next_of(item.show)
    account.sim.watch(int(item.show.ids["trakt"]), episode.season, episode.number)
    after = await account.refresh(library)
    assert after.shows[str(item.id)].left == row.left - 1


async def test_a_new_episode_counts_at_the_next_refresh(account: Account) -> None:
    library = await account.refresh()
    before = account.unwatched(library)
    show = account.begun()
    account.sim.catalogue.add_episode(
        show, account.sim.clock.now() + timedelta(minutes=5)
    )
    assert await account.refresh(library) is library
    account.sim.clock.advance(301)
    after = await account.refresh(library)
    assert account.unwatched(after) == before + 1


async def test_a_caught_up_show_stays_and_comes_back(account: Account) -> None:
    library = await account.refresh()
    show = account.begun()
    key = str(show.ids["kinopub"])
    for episode in show.aired(account.sim.clock.now()):
        account.sim.watch(int(show.ids["trakt"]), episode.season, episode.number)
    caught_up = await account.refresh(library)
    row = caught_up.shows[key]
    assert row.caught_up and row.left == 0 and row.next_episode is None
    assert await account.refresh(caught_up) is caught_up
    added = account.sim.catalogue.add_episode(show, account.sim.clock.now())
    back = await account.refresh(caught_up)
    assert back.shows[key].left == 1
    following = back.shows[key].next_episode
    assert following is not None
    assert (following.season, following.number) == (added.season, added.number)


async def test_a_show_that_was_only_flagged_leaves(account: Account) -> None:
    library = await account.refresh()
    flagged = account.sim.viewing.subscribed.pop()
    after = await account.refresh(library)
    assert str(flagged) in library.shows
    assert str(flagged) not in after.shows


async def test_many_changes_are_read_a_few_at_a_time(start: Start) -> None:
    account = await start(shows=60, in_progress=60)
    library = await account.refresh()
    rows = list(account.sim.viewing.unfinished())
    chosen = [
        i.show for i, total, seen in rows if seen and total > seen + 1 and i.show
    ][:12]
    for show in chosen:
        episode = account.next_of(show)
        account.sim.watch(int(show.ids["trakt"]), episode.season, episode.number)
    counts = []
    for _ in range(4):
        account.asked()
        library = await account.refresh(library)
        counts.append(len(account.asked()) - 3)
        assert account.unwatched(library) == account.sim.state()["unwatched_by_service"]
    assert counts[:2] == [5, 5]
    assert counts[3] == 0
    assert library.markers["pending"] == ""


async def test_unwatching_elsewhere_is_seen(account: Account) -> None:
    show = account.fresh()
    trakt, key = int(show.ids["trakt"]), str(show.ids["kinopub"])
    account.sim.viewing.subscribed.discard(int(key))
    account.sim.watch(trakt, 1, 1)
    library = await account.refresh()
    account.sim.unwatch(trakt, 1, 1)
    account.asked()
    after = await account.refresh(library)
    assert account.asked() == [*IDLE, "/v1/watching"]
    assert key not in after.shows, "nothing of it is watched any more"
    account.sim.watch(trakt, 1, 1)
    account.sim.watch(trakt, 1, 2)
    library = await account.refresh(after)
    account.sim.unwatch(trakt, 1, 1)
    after = await account.refresh(library)
    assert after.shows[key].watched == library.shows[key].watched - 1
    assert (1, 1) not in parse_seen(after.shows[key].seen)


async def test_details_that_fail_are_asked_again(account: Account) -> None:
    library = await account.refresh()
    show = account.begun(left=2)
    key = str(show.ids["kinopub"])
    episode = account.next_of(show)
    account.sim.watch(int(show.ids["trakt"]), episode.season, episode.number)
    account.sim.faults.append(Fault("status", r"/v1/watching$", 9, 429))
    refresh = await account.tracker.refresh(library)
    assert account.unwatched(refresh.library) == account.unwatched(library) - 1
    assert refresh.library.markers["pending"] == key
    assert refresh.next_in >= 60
    assert refresh.library.shows[key].next_episode is None
    account.sim.faults.clear()
    account.asked()
    after = await account.refresh(refresh.library)
    assert account.asked() == [*IDLE, "/v1/watching"]
    assert after.shows[key].next_episode is not None
    assert after.markers["pending"] == ""


async def test_what_left_the_catalogue_keeps_its_state(account: Account) -> None:
    show = account.begun(left=2)
    item = account.sim.item(show=int(show.ids["trakt"]))
    library = await account.refresh()
    item.withdrawn = True
    shows = {**library.shows}
    del shows[str(item.id)]
    account.sim.viewing.clear("item", item.id)
    account.asked()
    after = await account.refresh(replace(library, shows=shows))
    assert account.asked() == [*IDLE, f"/v1/items/{item.id}", "/v1/watching"]
    assert after.shows[str(item.id)].next_episode is not None


async def test_a_title_without_any_details_is_left_alone(account: Account) -> None:
    library = await account.refresh()
    show = account.begun(left=2)
    episode = account.next_of(show)
    account.sim.watch(int(show.ids["trakt"]), episode.season, episode.number)
    body = '{"status":404,"error":"Requested item not found."}'
    account.sim.faults.append(
        Fault("status", r"/v1/(watching|items/\d+)$", 9, 404, body)
    )
    after = await account.refresh(library)
    assert after.shows[str(show.ids["kinopub"])].next_episode is None
    assert after.markers["pending"] == ""


# continue watching and now watching


async def test_a_started_movie(account: Account) -> None:
    library = await account.refresh()
    movie = movie_of(account, 500_020)
    account.sim.start_watching({"movie": 500_020}, 900)
    after = await account.refresh(library)
    playback = after.playbacks[0]
    assert playback.item.ids == movie.ids.merged(playback.item.ids)
    assert playback.position == 900
    assert playback.progress == round(900 / (movie.runtime or 1) * 100, 1)
    watching = after.watching
    assert watching is not None
    assert watching.state is PlaybackState.PLAYING
    assert watching.expires_at == watching.updated_at + timedelta(minutes=3)
    account.asked()
    assert (await account.tracker.refresh(after)).next_in == 120
    assert account.asked() == IDLE
    account.sim.clock.advance(200)
    over = await account.refresh(after)
    assert over.watching is None
    assert over.playbacks == after.playbacks
    account.sim.watch_movie(500_020)
    account.asked()
    seen = await account.refresh(over)
    assert account.asked() == [*IDLE, "/v1/watching"]
    assert not seen.playbacks
    assert seen.watching is None, "the credits are rolling"
    state = seen.movies[movie.ids.get("kinopub") or ""]
    assert state.watched and state.watched_at is not None
    assert seen.plays[0].item == state.movie


async def test_an_old_started_movie_is_read_once(start: Start) -> None:
    account = await start(shows=40, movies=200)
    item = account.sim.item(movie=500_150)
    account.sim.viewing.mark_time((item.id, 0, 1), 1200, at=1_600_000_000)
    library = await account.refresh()
    assert f"/v1/items/{item.id}" in account.asked()
    playback = library.playbacks[0]
    assert playback.position == 1200
    assert playback.item.year == item.year
    assert await account.refresh(library) is library
    assert account.asked() == IDLE


async def test_a_movie_in_parts(account: Account) -> None:
    item = next(
        i
        for i in account.sim.viewing.items.values()
        if i.subtype == "multi" and i.id not in account.sim.viewing.marks
    )
    assert item.movie is not None
    half = item.movie.runtime // 2
    account.sim.viewing.play((item.id, 0, 1))
    account.sim.viewing.mark_time((item.id, 0, 2), 100)
    library = await account.refresh()
    playback = next(p for p in library.playbacks if p.id == str(item.id))
    assert playback.position is None, "a part's position is not the movie's"
    account.tracker._reader.own.titles.add(item.id)
    library = await account.refresh(library)
    playback = next(p for p in library.playbacks if p.id == str(item.id))
    assert (playback.position, playback.duration) == (half + 100, half * 2)


async def test_now_watching_an_episode(account: Account) -> None:
    show = account.begun(left=2)
    episode = account.next_of(show)
    numbers = {
        "show": show.ids["trakt"],
        "season": episode.season,
        "number": episode.number,
    }
    library = await account.refresh()
    account.sim.start_watching(numbers, 300)
    after = await account.refresh(library)
    watching = after.watching
    assert watching is not None
    assert watching.item.type is MediaType.EPISODE
    assert (watching.item.season, watching.item.number) == (
        episode.season,
        episode.number,
    )
    assert watching.item.show.ids.get("kinopub") == str(show.ids["kinopub"])
    assert watching.position == 300
    unknown = account.fresh()
    account.sim.start_watching(
        {"show": unknown.ids["trakt"], "season": 1, "number": 1}, 60
    )
    account.sim.clock.advance(1)
    account.sim.viewing.mark_time((int(unknown.ids["kinopub"]), 1, 1), 60)
    after = await account.refresh(after)
    assert after.watching is not None
    assert after.watching.item.show.title == unknown.title


async def test_polling_speed(account: Account) -> None:
    library = await account.refresh()
    account.sim.clock.advance(10 * 3600)
    tracker = KinoPub(account.context)
    await account.store.save(_tokens(account.sim.grants.new_pair(), account))
    assert (await tracker.refresh(library)).next_in == 600
    account.sim.watch_movie(500_000)
    account.sim.clock.advance(600)
    assert (await tracker.refresh(library)).next_in == 300


def _tokens(pair: Any, account: Account) -> Tokens:
    return Tokens(
        access=pair.access,
        refresh=pair.refresh,
        expires_at=account.sim.clock.now() + timedelta(hours=1),
    )


async def test_the_account_is_read_twice_a_day(account: Account) -> None:
    library = await account.refresh()
    account.sim.subscription_end += 86400 * 30
    account.sim.clock.advance(12 * 3600 - 60)
    await account.store.save(_tokens(account.sim.grants.new_pair(), account))
    tracker = KinoPub(account.context)
    same = (await tracker.refresh(library)).library
    assert same.account == library.account
    account.sim.clock.advance(120)
    after = (await tracker.refresh(same)).library
    assert account.asked()[-4] == "/v1/user"
    assert after.account.subscription_end is not None
    assert library.account.subscription_end is not None
    assert after.account.subscription_end > library.account.subscription_end


# watchlist


async def test_the_watchlist_is_a_folder_behind_a_gate(start: Start) -> None:
    account = await start(shows=20, movies=40, options={"folder": str(FOLDER)})
    library = await account.refresh()
    assert Capability.WATCHLIST in library.account.can
    assert len(library.watchlist) == account.sim.state()["watchlist"]
    account.asked()
    assert await account.refresh(library) is library
    assert account.asked() == [*IDLE, "/v1/bookmarks"]
    account.sim.watchlist({"movie": 500_000}, True)
    after = await account.refresh(library)
    assert account.asked() == [*IDLE, "/v1/bookmarks", f"/v1/bookmarks/{FOLDER}"]
    assert len(after.watchlist) == len(library.watchlist) + 1
    assert after.watchlist[0] is library.watchlist[0]
    assert await account.tracker.choices("folder") == {
        "161701": "Watchlist",
        "161702": "General",
    }
    with pytest.raises(NotImplementedError):
        await account.tracker.choices("names")


async def test_big_folders_have_pages_and_series_are_left_out(start: Start) -> None:
    account = await start(shows=20, movies=100, options={"folder": str(FOLDER)})
    account.sim.paths.folder_page_cap = 20
    folder = account.sim.viewing.folders[FOLDER]
    folder.items = list(account.sim.viewing.items)
    library = await account.refresh()
    assert account.sim.count(f"/v1/bookmarks/{FOLDER}") == 6
    assert len(library.watchlist) == 100
    del account.sim.viewing.folders[FOLDER]
    gone = await account.refresh(library)
    assert gone.watchlist == ()


async def test_a_folder_with_too_many_pages_comes_to_an_end(start: Start) -> None:
    account = await start(options={"folder": str(FOLDER)})
    body = '{"items":[{"id":5,"type":"movie","title":"x"}],"pagination":{"total":"99"}}'
    account.sim.faults.append(Fault("status", f"bookmarks/{FOLDER}", 99, 200, body))
    library = await account.refresh()
    assert len(library.watchlist) == 1
    assert account.sim.count(f"bookmarks/{FOLDER}") == 2


async def test_without_a_folder_there_is_no_watchlist(account: Account) -> None:
    library = await account.refresh()
    assert library.watchlist == ()
    assert Capability.WATCHLIST not in library.account.can
    assert account.sim.count("/v1/bookmarks") == 0


# names


async def test_local_names_are_an_option(start: Start) -> None:
    account = await start(shows=20, options={"names": "local"})
    library = await account.refresh()
    item = next(i for i in account.sim.viewing.items.values() if " / " in i.title)
    assert library.shows[str(item.id)].show.title == item.title.split(" / ")[0]
    other = KinoPub(replace(account.context, options={"names": "original"}))
    library = (await other.refresh(library)).library
    assert library.shows[str(item.id)].show.title == item.title.split(" / ")[1]
