"""Trakt v1: signing in, reading and failures, against the simulator over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
import hashlib
import json
import logging
import traceback
from typing import Any

from mashumaro.codecs.orjson import ORJSONDecoder, ORJSONEncoder
import pytest

from custom_components.up_next.account import Capability
from custom_components.up_next.library import Library, parse_seen
from custom_components.up_next.media import Episode, Ids, Movie, Show
from custom_components.up_next.trackers import transport
from custom_components.up_next.trackers.errors import (
    AccessDenied,
    BadAnswer,
    NotFound,
    RateLimited,
    Refused,
    SignInError,
    SignInRequired,
    TrackerError,
    Unavailable,
)
from custom_components.up_next.trackers.tracker import Field, FieldKind, Fields, Query
from custom_components.up_next.trackers.trakt_v1 import TraktV1
from custom_components.up_next.trackers.trakt_v1.wire import read_marks
from simulators.catalogue import Viewer
from simulators.service import Fault
from simulators.trakt_v1 import API_KEY, PASSWORD, USERNAME

from .trakt_v1_account import CREDENTIALS, Account, open_account, show_of

type Start = Callable[..., Awaitable[Account]]

SHA1 = hashlib.sha1(PASSWORD.encode()).hexdigest()
HUNG = 0.5
"""Seconds until the simulator has let go of the requests that it left hanging."""
MARKS = "GET /user/lastactivity.json"
WATCHING = "GET /user/watching.json"
PROGRESS = "GET /user/progress/watched.json/all/activity/normal"
MOVIES = "GET /user/watchlist/movies.json"
SHOWS = "GET /user/watchlist/shows.json"


@pytest.fixture
def start(serve: Any, make_context: Any) -> Start:
    async def start(**arguments: Any) -> Account:
        return await open_account(serve, make_context, **arguments)

    return start


@pytest.fixture
async def account(start: Start) -> Account:
    return await start()


# signing in


def test_the_form() -> None:
    (step,) = TraktV1.sign_in
    assert isinstance(step, Fields)
    assert step.fields[0] == Field(name="base_url", kind=FieldKind.URL, required=True)
    secret = {field.name: field.kind for field in step.fields if field.secret}
    assert secret == {"api_key": FieldKind.SECRET, "password": FieldKind.PASSWORD}


def test_only_the_digest_of_the_password_is_kept() -> None:
    kept = TraktV1.keep(CREDENTIALS)
    assert PASSWORD not in str(kept)
    assert kept["password"] == f"sha1:{SHA1}"
    assert TraktV1.keep(kept) == kept
    assert kept["api_key"] == API_KEY
    # what merely looks like a digest is a password like any other
    assert TraktV1.keep({"password": SHA1})["password"] != f"sha1:{SHA1}"
    assert TraktV1.keep({"username": "x"}) == {"username": "x"}


async def test_account(account: Account) -> None:
    found = await account.tracker.account()
    place = account.sim.base_url.removeprefix("http://")
    assert found.id == f"{USERNAME}@{place}"
    assert found.name == USERNAME
    assert Capability.HEARTBEAT in found.can
    assert Capability.SEARCH not in found.can
    (request,) = account.sim.requests
    assert json.loads(request.body) == {"username": USERNAME, "password": SHA1}
    # typed credentials work as well as kept ones
    typed = TraktV1(replace(account.context, credentials=CREDENTIALS))
    assert (await typed.account()) == found


@pytest.mark.parametrize(
    ("credentials", "key"),
    [
        ({"password": "wrong"}, "invalid_login"),
        ({"username": "somebody"}, "invalid_login"),
        ({"api_key": "wrong"}, "invalid_api_key"),
    ],
)
async def test_wrong_credentials(
    start: Start, credentials: dict[str, str], key: str
) -> None:
    account = await start(credentials=credentials)
    with pytest.raises(SignInError) as caught:
        await account.tracker.account()
    assert caught.value.translation_key == key


async def test_a_server_in_a_folder_and_a_firewall(start: Start) -> None:
    account = await start(path="/trakt/")
    with pytest.raises(BadAnswer):
        await account.tracker.account()
    assert account.sim.requests[0].path == f"/trakt/account/test/{API_KEY}"
    assert account.tracker._account().id.endswith("/trakt")
    account = await start()
    account.sim.faults.append(Fault("html", times=9, status=403))
    with pytest.raises(AccessDenied) as caught:
        await account.tracker.account()
    assert caught.value.translation_key == "blocked"


async def test_names_are_quoted_in_paths(start: Start) -> None:
    account = await start(credentials={"username": "a b/c?d"})
    with pytest.raises(TrackerError):
        await account.refresh()
    assert account.sim.requests[0].path.endswith("/a b/c?d")


# the first reading


async def test_first_load(account: Account) -> None:
    library = await account.refresh()
    assert account.asked() == [MARKS, WATCHING, PROGRESS, MOVIES, SHOWS]
    state = account.sim.state()
    assert account.unwatched(library) == state["unwatched"] > 0
    assert len(library.shows) == state["shows"]
    assert len(library.watchlist) == state["watchlist"]
    assert library.totals.episodes == state["watched_episodes"]
    assert library.totals.shows == state["shows"]
    assert library.totals.movies is None
    assert library.watching is None
    assert library.complete


async def test_what_is_known_of_a_show(account: Account) -> None:
    library = await account.refresh()
    show = account.begun(left=2)
    row = library.shows[str(show.ids["tvdb"])]
    left = account.left(show)
    assert row.left == len(left)
    assert row.next_episode is not None
    assert (row.next_episode.title, row.next_episode.first_aired) == (
        left[0].title,
        left[0].first_aired.replace(microsecond=0),
    )
    assert row.show.ids.get("imdb") == show.ids["imdb"]
    assert row.show.ids.get("slug") == show.ids["slug"]
    assert not parse_seen(row.seen) & {(e.season, e.number) for e in left}
    assert account.tracker.can_picture(row.show.picture or "")
    done = library.shows[str(account.finished().ids["tvdb"])]
    assert (done.left, done.next_episode) == (0, None)


async def test_the_most_recently_watched_show_comes_first(account: Account) -> None:
    show = account.begun(left=2)
    episode = account.left(show)[0]
    account.sim.watch(int(show.ids["trakt"]), episode.season, episode.number)
    library = await account.refresh()
    assert next(iter(library.shows)) == str(show.ids["tvdb"])


async def test_the_watchlist(account: Account) -> None:
    library = await account.refresh()
    movie = next(e.item for e in library.watchlist if isinstance(e.item, Movie))
    show = next(e.item for e in library.watchlist if isinstance(e.item, Show))
    assert movie.ids.get("tmdb")
    assert movie.runtime
    assert movie.runtime >= 3600
    assert show.ids.get("tvdb")
    assert all(entry.listed_at for entry in library.watchlist)


async def test_an_empty_account(start: Start) -> None:
    account = await start(viewer=Viewer())
    library = await account.refresh()
    assert (library.shows, library.watchlist) == ({}, ())
    assert library.totals.episodes == 0
    account.asked()
    assert await account.refresh(library) is library


async def test_a_private_profile(account: Account) -> None:
    account.sim.private = True
    library = await account.settled()
    assert await account.refresh(library) is library
    assert account.asked() == [MARKS]


async def test_a_private_profile_where_basic_is_not_known(account: Account) -> None:
    account.sim.private, account.sim.knows_basic = True, False
    library = await account.settled()
    assert await account.refresh(library) is library
    assert account.asked() == [MARKS.replace("GET", "POST")]
    account.sim.revoke_tokens()
    with pytest.raises(SignInRequired):
        await account.refresh(library)


async def test_finished_shows_without_seasons(account: Account) -> None:
    account.sim.bare_finished = True
    library = await account.refresh()
    done = library.shows[str(account.finished().ids["tvdb"])]
    assert (done.left, done.seen) == (0, None)
    assert done.watched == done.aired > 0
    assert account.unwatched(library) == account.sim.state()["unwatched"]


# refreshing


async def test_idle_is_one_request_and_the_same_library(account: Account) -> None:
    library = await account.settled()
    for _ in range(2):
        assert await account.refresh(library) is library
        assert account.asked() == [MARKS]
        assert await account.refresh(library) is library
        assert account.asked() == [WATCHING]
    assert (await account.tracker.refresh(library)).next_in == 30


async def test_activity_of_no_interest(account: Account) -> None:
    library = await account.settled()
    account.sim.clock.advance(60)
    account.sim.rate()
    assert await account.refresh(library) is library
    assert account.asked() == [MARKS]


async def test_a_watched_episode(account: Account) -> None:
    library = await account.settled()
    show = account.begun(left=2)
    episode = account.left(show)[0]
    account.sim.clock.advance(60)
    account.sim.watch(int(show.ids["trakt"]), episode.season, episode.number)
    after = await account.refresh(library)
    assert account.asked() == [MARKS, WATCHING, PROGRESS]
    key = str(show.ids["tvdb"])
    assert after.shows[key].left == library.shows[key].left - 1
    assert after.watchlist is library.watchlist
    same = [k for k in library.shows if after.shows[k] is library.shows[k]]
    assert len(same) == len(library.shows) - 1
    assert after.totals.episodes == account.sim.state()["watched_episodes"]
    account.sim.clock.advance(60)
    account.sim.unwatch(int(show.ids["trakt"]), episode.season, episode.number)
    again = await account.refresh(after)
    assert again.shows[key].left == library.shows[key].left


@pytest.mark.parametrize(("kind", "path"), [("movie", MOVIES), ("show", SHOWS)])
async def test_only_the_list_that_moved_is_read(
    account: Account, kind: str, path: str
) -> None:
    library = await account.settled()
    account.sim.clock.advance(60)
    title = {"movie": 500_000} if kind == "movie" else {"show": 1000}
    account.sim.watchlist(title, listed=True)
    after = await account.refresh(library)
    assert account.asked() == [MARKS, WATCHING, path]
    assert len(after.watchlist) == len(library.watchlist) + 1
    assert after.watchlist[0].item.type == kind
    assert after.shows is library.shows
    account.sim.clock.advance(60)
    account.sim.watchlist(title, listed=False)
    again = await account.refresh(after)
    assert again.watchlist == library.watchlist


async def test_an_episode_that_airs_is_found_in_time(start: Start) -> None:
    account = await start(airing_in=3600)
    show = next(s for s in account.sim.catalogue.shows if not s.ended and not s.anime)
    account.sim.watch(int(show.ids["trakt"]), 1, 1)
    library = await account.settled()
    account.sim.clock.advance(5 * 3600)
    assert await account.refresh(library) is library
    assert account.asked() == [MARKS]
    account.sim.clock.advance(3601)
    after = await account.refresh(library)
    assert account.asked() == [WATCHING, PROGRESS, MOVIES, SHOWS]
    assert account.unwatched(after) == account.unwatched(library) + 1
    assert account.unwatched(after) == account.sim.state()["unwatched"]
    # and not again for as long
    assert await account.refresh(after) is after
    assert account.asked() == [MARKS]


async def test_reading_everything_again_changes_nothing(start: Start) -> None:
    account = await start(shows=9)
    library = await account.settled()
    for show in account.sim.catalogue.shows:
        show.episodes = show.aired(account.sim.clock.now(), specials=True)
    account.sim.clock.advance(6 * 3600 + 1)
    assert await account.refresh(library) is library
    assert account.asked() == [MARKS, PROGRESS, MOVIES, SHOWS]
    assert await account.refresh(library) is library
    assert account.asked() == [WATCHING]


async def test_a_server_that_only_keeps_one_time(account: Account) -> None:
    body = [b'{"all": 1400000000}', b'{"all": "1400000060"}']
    marks = [read_marks(each) for each in body]
    assert all(marks[0][part] != marks[1][part] for part in ("progress", "movies"))
    library = await account.settled()
    account.sim.faults.append(
        Fault("status", "lastactivity", status=200, body=body[0].decode())
    )
    account.sim.clock.advance(60)
    assert (await account.refresh(library)).markers != library.markers
    assert account.asked() == [MARKS, WATCHING, PROGRESS, MOVIES, SHOWS]


async def test_after_a_restart_both_are_asked(account: Account) -> None:
    library = await account.settled()
    stored = ORJSONEncoder(Library).encode(library)
    restored = ORJSONDecoder(Library).decode(stored)
    assert list(restored.shows) == list(library.shows)
    account.tracker = TraktV1(account.context)
    assert await account.refresh(restored) is restored
    assert account.asked() == [MARKS, WATCHING]
    older = replace(restored, account=replace(restored.account, can=Capability.NONE))
    assert (await account.refresh(older)).account == library.account


# now watching


async def test_watching_is_found_though_no_marker_moves(account: Account) -> None:
    library = await account.settled()
    show = account.begun()
    episode = account.left(show)[0]
    data = {
        "show": show.ids["trakt"],
        "season": episode.season,
        "number": episode.number,
    }
    account.sim.start_watching(data)
    assert await account.refresh(library) is library
    playing = await account.refresh(library)
    assert account.asked() == [MARKS, WATCHING, MARKS]
    assert playing.watching is not None
    item = playing.watching.item
    assert isinstance(item, Episode)
    assert (item.season, item.number) == (episode.season, episode.number)
    assert item.show.ids.get("tvdb") == str(show.ids["tvdb"])
    assert playing.watching.progress is None
    # while it plays, both are asked, and nothing changes
    assert await account.refresh(playing) is playing
    assert account.asked() == [MARKS, WATCHING]
    account.sim.clock.advance(1)
    account.sim.watch(*data.values())
    after = await account.refresh(playing)
    assert after.watching is None
    assert account.unwatched(after) == account.unwatched(library) - 1
    assert account.asked() == [MARKS, WATCHING, PROGRESS]


async def test_a_check_in_to_a_movie(account: Account) -> None:
    library = await account.settled()
    account.sim.clock.advance(60)
    account.sim.start_watching({"movie": 500_030}, "checkin")
    await account.refresh(library)
    playing = await account.refresh(library)
    assert playing.watching is not None
    item = playing.watching.item
    assert isinstance(item, Movie)
    assert item.ids.get("tmdb") == str(account.sim.movie(500_030).ids["tmdb"])
    account.sim.stop_watching()
    assert (await account.refresh(playing)).watching is None


# on request


@pytest.mark.parametrize(
    ("names", "path"),
    [
        (("tvdb",), "/user/progress/watched.json/{tvdb}/title/normal"),
        (("imdb",), "/user/progress/watched.json/all/title/normal"),
    ],
)
async def test_show(account: Account, names: tuple[str, ...], path: str) -> None:
    show = account.begun(left=2)
    detail = await account.tracker.show(show_of(show, *names).ids)
    assert account.asked() == [f"GET {path.format(tvdb=show.ids['tvdb'])}"]
    now = account.sim.clock.now()
    assert detail.key == str(show.ids["tvdb"])
    assert len(detail.aired(now)) == len(show.aired(now))
    unwatched = [e for e in detail.episodes if not e.watched]
    assert len(unwatched) == len(account.left(show))
    assert unwatched[0].episode.title == account.left(show)[0].title
    library = await account.refresh()
    counted = detail.progress(now)
    row = library.shows[detail.key]
    assert (counted.aired, counted.watched, counted.seen) == (
        row.aired,
        row.watched,
        row.seen,
    )


async def test_shows_whose_episodes_are_not_told(account: Account) -> None:
    for ids in (show_of(account.fresh()).ids, Ids.of(imdb="tt0000009"), Ids()):
        with pytest.raises(NotFound) as caught:
            await account.tracker.show(ids)
        assert caught.value.translation_key == "episodes_unknown"


async def test_what_v1_can_not(account: Account) -> None:
    for call in (account.tracker.history(), account.tracker.search(Query(text="x"))):
        with pytest.raises(Refused) as caught:
            await call
        assert caught.value.translation_key == "not_supported"
    assert account.asked() == []
    await account.tracker.sign_out()


# failures


def failure(error: str) -> str:
    return json.dumps({"status": "failure", "error": error})


@pytest.mark.parametrize(
    ("status", "body", "error", "key"),
    [
        (401, failure("invalid API key"), AccessDenied, "app_rejected"),
        (401, failure("invalid development API key"), AccessDenied, "app_rejected"),
        (
            401,
            failure("invalid development API permission (scrobble)"),
            AccessDenied,
            "app_rejected",
        ),
        (401, failure("failed authentication"), SignInRequired, "sign_in_required"),
        (401, "", SignInRequired, "sign_in_required"),
        (401, "<html>", AccessDenied, "blocked"),
        (403, "", AccessDenied, "blocked"),
        (503, failure("server is over capacity"), RateLimited, "rate_limited"),
        (429, "", RateLimited, "rate_limited"),
        (503, "", Unavailable, "unavailable"),
        (500, "", Unavailable, "unavailable"),
        (501, "<html>", Unavailable, "unavailable"),
        (200, failure("failed authentication"), SignInRequired, "sign_in_required"),
        (200, failure("invalid API key"), AccessDenied, "app_rejected"),
        (200, failure("something else"), Refused, "refused"),
        (200, failure("user not found"), NotFound, "not_found"),
        (200, '{"status": "failure"}', Refused, "refused"),
        (404, failure("user not found"), NotFound, "not_found"),
        (404, "<html>", BadAnswer, "bad_answer"),
        (405, "", BadAnswer, "bad_answer"),
        (301, "", BadAnswer, "bad_answer"),
        (400, "", Refused, "refused"),
        (200, "[]]", BadAnswer, "bad_answer"),
        (200, "{", BadAnswer, "bad_answer"),
        (200, '{"nothing": 1}', BadAnswer, "bad_answer"),
        (200, "null", BadAnswer, "bad_answer"),
        (200, "7", BadAnswer, "bad_answer"),
    ],
)
async def test_every_refusal(
    account: Account, status: int, body: str, error: type[TrackerError], key: str
) -> None:
    library = await account.settled()
    account.sim.faults.append(Fault("status", times=99, status=status, body=body))
    with pytest.raises(error) as caught:
        await account.refresh(library)
    assert type(caught.value) is error
    assert caught.value.translation_key == key
    account.sim.faults.clear()
    assert await account.refresh(library) is library


@pytest.mark.parametrize("kind", ["html", "empty", "broken_json", "drop", "reset"])
@pytest.mark.parametrize("path", ["lastactivity", "progress", "watchlist/shows"])
async def test_what_networks_do(account: Account, kind: str, path: str) -> None:
    account.sim.faults.append(Fault(kind, path, times=99))
    with pytest.raises(Unavailable):
        await account.refresh()
    account.sim.faults.clear()
    library = await account.refresh()
    assert account.unwatched(library) == account.sim.state()["unwatched"]


async def test_an_empty_answer_of_another_shape_is_not_nothing(
    account: Account,
) -> None:
    for path in ("progress", "watchlist/movies"):
        account.sim.faults.append(Fault("status", path, status=200, body="{}"))
        with pytest.raises(BadAnswer):
            await account.refresh()
    account.sim.faults.append(Fault("status", "watching", status=200, body="{}"))
    assert (await account.refresh()).watching is None


async def test_a_time_out(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        transport, "TIMEOUT", transport.aiohttp.ClientTimeout(total=0.1)
    )
    account.sim.faults.append(Fault("hang", times=3, seconds=0.3))
    with pytest.raises(Unavailable):
        await account.refresh()
    await asyncio.sleep(HUNG)


async def test_over_capacity_is_waited_out_and_then_for_longer(
    account: Account,
) -> None:
    library = await account.settled()
    busy = failure("server is over capacity")
    account.sim.faults.append(Fault("status", status=503, body=busy))
    assert await account.refresh(library) is library
    assert account.sleeps == [10.0]
    account.sim.over_capacity = True
    waits = []
    for _ in range(4):
        account.sleeps.clear()
        with pytest.raises(RateLimited) as caught:
            await account.refresh(library)
        waits.append(caught.value.retry_after)
    assert waits == [30.0, 120.0, 600.0, 600.0]
    account.sim.over_capacity = False
    assert await account.refresh(library) is library
    # after a welcome answer the waits begin anew
    account.sim.faults.append(Fault("status", "POST", status=503, body=busy))
    with pytest.raises(RateLimited) as caught:
        await account.tracker._client.post("movie/seen")
    assert caught.value.retry_after == 10.0
    fault = Fault(
        "status", times=2, status=503, body=busy, headers={"Retry-After": "7"}
    )
    account.sim.faults.append(fault)
    account.sleeps.clear()
    with pytest.raises(RateLimited) as caught:
        await account.refresh(library)
    assert (account.sleeps, caught.value.retry_after) == ([7.0], 7.0)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("reset", times=99),
        Fault("drop", times=99),
        Fault("html", times=99),
        Fault("empty", times=99),
        Fault("hang", times=99, seconds=0.3),
        Fault("status", times=99, status=500),
        Fault("status", times=99, status=302, headers={"Location": "/x"}),
        Fault("status", times=99, status=400, body=failure(f"{API_KEY} {SHA1}")),
    ],
    ids=lambda fault: f"{fault.kind}{fault.status}",
)
async def test_secrets_are_in_no_error_and_no_log(
    account: Account,
    fault: Fault,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The key is in every path, so aiohttp's own errors must not be told either."""
    monkeypatch.setattr(
        transport, "TIMEOUT", transport.aiohttp.ClientTimeout(total=0.1)
    )
    caplog.set_level(logging.DEBUG)
    account.sim.faults.append(fault)
    for call in (account.refresh, account.tracker.account):
        with pytest.raises(TrackerError) as caught:
            await call()
        logging.getLogger("test").error("It failed", exc_info=caught.value)
        told = "".join(traceback.format_exception(caught.value)) + str(caught.value)
        assert "/{key}" in told
        for secret in (API_KEY, SHA1, USERNAME):
            assert secret not in told
            assert secret not in caplog.text
    if fault.kind == "hang":
        await asyncio.sleep(HUNG)


async def test_a_server_that_is_not_there(account: Account) -> None:
    tracker = TraktV1(replace(account.context, base_url="http://127.0.0.1:9"))
    with pytest.raises(Unavailable) as caught:
        await tracker.refresh(None)
    assert API_KEY not in "".join(traceback.format_exception(caught.value))


async def test_an_address_that_is_none(account: Account) -> None:
    """The error of aiohttp names the whole address."""
    for base_url in (None, "localhost", "ftp://127.0.0.1"):
        tracker = TraktV1(replace(account.context, base_url=base_url))
        with pytest.raises(Unavailable) as caught:
            await tracker.account()
        assert API_KEY not in "".join(traceback.format_exception(caught.value))


# size


@pytest.mark.parametrize("shows", [50, 500, 5000])
async def test_first_load_of_any_size_is_five_requests(
    start: Start, shows: int
) -> None:
    account = await start(shows=shows)
    library = await account.refresh()
    assert len(account.asked()) == 5
    assert account.unwatched(library) == account.sim.state()["unwatched"]
    await account.refresh(library)
    assert len(account.asked()) == 1
