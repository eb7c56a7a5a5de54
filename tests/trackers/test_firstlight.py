"""Firstlight: signing in, reading and looking up, against the simulator over real HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from mashumaro.codecs.orjson import ORJSONDecoder, ORJSONEncoder
import orjson
import pytest

from custom_components.up_next.account import Capability
from custom_components.up_next.library import Library, PlaybackState
from custom_components.up_next.media import Episode, Ids, Movie
from custom_components.up_next.trackers.errors import NotFound, Refused, SignInError
from custom_components.up_next.trackers.firstlight import Firstlight
from custom_components.up_next.trackers.firstlight.client import PAGE_SIZE
from custom_components.up_next.trackers.tracker import (
    Field,
    FieldKind,
    Fields,
    Query,
    QueuedWrite,
)
from custom_components.up_next.writes import ClearProgress, MarkWatched, Outcome, Write
from simulators.catalogue import Viewer
from simulators.firstlight import IAM_TOKEN, USER_TOKEN
from simulators.service import Fault

from .firstlight_account import CREDENTIALS, LIST, Account, open_account, trakt

type Start = Callable[..., Awaitable[Account]]


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
    (step,) = Firstlight.sign_in
    assert isinstance(step, Fields)
    assert step.fields[0] == Field(name="base_url", kind=FieldKind.URL, required=True)
    secret = {field.name for field in step.fields if field.kind is FieldKind.SECRET}
    assert secret == {"iam_token", "user_token"}
    assert step.fields[-1] == Field(name="profile", required=False)
    assert Firstlight.may == Capability.PLAYBACKS | Capability.LOOK_UP_PLAYBACK


async def test_account(account: Account) -> None:
    found = await account.tracker.account()
    place = account.sim.base_url.removeprefix("http://")
    assert (found.id, found.name, found.can) == (place, place, Firstlight.may)
    (request,) = account.sim.requests
    assert request.headers["Authorization"] == f"Bearer {IAM_TOKEN}"
    assert request.headers["X-Authorization"] == USER_TOKEN
    assert str(UUID(request.headers["X-Tracking-Id"]))
    assert request.headers["User-Agent"].startswith("UpNext/")
    assert request.query == {
        "pageNumber": "1",
        "pageSize": "100",
        "sort": "timestamp",
        "order": "desc",
    }
    await account.tracker.account()
    first, second = (r.headers["X-Tracking-Id"] for r in account.sim.requests)
    assert first != second


async def test_an_account_without_bookmarks(start: Start) -> None:
    account = await start(viewer=Viewer())
    assert (await account.tracker.account()).id


@pytest.mark.parametrize(
    ("base_url", "profile", "expected"),
    [
        ("https://OTT.example.com", "", "ott.example.com"),
        ("https://ott.example.com:443/", "", "ott.example.com"),
        ("http://ott.example.com", "", "ott.example.com"),
        ("https://ott.example.com:8443/api/", "", "ott.example.com:8443/api"),
        ("https://ott.example.com", " Anna ", "anna@ott.example.com"),
    ],
)
async def test_the_account_is_the_server_and_a_name(
    make_context: Any, base_url: str, profile: str, expected: str
) -> None:
    credentials = CREDENTIALS | {"profile": profile}
    found = Firstlight(make_context(base_url, credentials=credentials))._account()
    assert found.id == expected
    # a token that was renewed leaves the account what it was
    other = credentials | {"user_token": "another", "iam_token": "another"}
    assert Firstlight(make_context(base_url, credentials=other))._account() == found


@pytest.mark.parametrize(
    ("credentials", "key"),
    [
        ({"iam_token": "wrong"}, "invalid_iam_token"),
        ({"user_token": "wrong"}, "invalid_user_token"),
        ({"user_token": ""}, "invalid_user_token"),
    ],
)
@pytest.mark.parametrize("status", [200, 400, 401, 403, 500])
async def test_wrong_tokens(
    start: Start, credentials: dict[str, str], key: str, status: int
) -> None:
    account = await start(credentials=credentials)
    account.sim.error_status = status
    with pytest.raises(SignInError) as caught:
        await account.tracker.account()
    assert caught.value.translation_key == key
    assert len(account.sim.requests) == 1


@pytest.mark.parametrize(
    ("iam", "user"),
    [
        (f"Bearer {IAM_TOKEN}", USER_TOKEN),
        (f" bearer  {IAM_TOKEN}\n", f"Bearer {USER_TOKEN}"),
        (f"{IAM_TOKEN[:6]}\r\n{IAM_TOKEN[6:]}", f"{USER_TOKEN[:4]} {USER_TOKEN[4:]}"),
    ],
)
async def test_tokens_as_people_copy_them(start: Start, iam: str, user: str) -> None:
    account = await start(credentials={"iam_token": iam, "user_token": user})
    assert (await account.tracker.account()).id


# the first reading


async def test_first_load(account: Account) -> None:
    refresh = await account.tracker.refresh(None)
    library = refresh.library
    count = account.sim.state()["bookmarks"]
    assert account.asked() == [LIST] + ["title"] * count
    assert len(library.playbacks) == count > 4
    times = [playback.updated_at for playback in library.playbacks]
    assert times == sorted(times, reverse=True)
    assert all(p.state is PlaybackState.PAUSED for p in library.playbacks)
    assert library.watching is None
    assert library.complete
    assert refresh.next_in == 300


async def test_what_is_known_of_a_movie(account: Account) -> None:
    movie = account.movie()
    item = account.sim.pause(movie=trakt(movie), position=movie.runtime / 4)
    playback = account.of(await account.refresh(), movie)
    assert isinstance(playback.item, Movie)
    assert playback.item.title == movie.title
    assert playback.item.runtime == movie.runtime
    assert playback.item.year is None
    assert playback.item.ids == Ids.of(firstlight=item)
    assert account.tracker.can_picture(playback.item.picture or "")
    assert playback.position == movie.runtime / 4
    assert playback.duration == movie.runtime
    assert playback.progress == 25
    now = account.sim.clock.now()
    assert now - playback.updated_at < timedelta(minutes=1)


async def test_what_is_known_of_an_episode(account: Account) -> None:
    show = account.show()
    mark = account.sim.bookmarks[account.sim.item_id(show)]
    assert mark.episode is not None
    playback = account.of(await account.refresh(), show)
    assert isinstance(playback.item, Episode)
    assert playback.item.show.title == show.title
    assert (playback.item.season, playback.item.number, playback.item.title) == (
        mark.episode.season,
        mark.episode.number,
        mark.episode.title,
    )
    assert playback.item.runtime == mark.episode.runtime
    assert playback.progress == pytest.approx(40, abs=0.1)


async def test_the_content_service_gets_no_tokens(account: Account) -> None:
    await account.refresh()
    for request in account.sim.requests:
        assert str(UUID(request.headers["X-Tracking-Id"]))
        if request.path.startswith("/content/"):
            assert not {"Authorization", "X-Authorization"} & request.headers.keys()
            assert USER_TOKEN not in str(request)


async def test_titles_without_seasons(account: Account) -> None:
    account.sim.bare_titles = True
    show = account.show()
    playback = account.of(await account.refresh(), show)
    assert isinstance(playback.item, Episode)
    assert playback.item.number > 0
    state = account.sim.state()
    asked = account.asked()
    assert asked.count("title") == state["bookmarks"]
    assert asked.count("seasons") == state["shows"]


async def test_no_records(start: Start) -> None:
    account = await start(viewer=Viewer())
    library = await account.refresh()
    assert library.playbacks == ()
    for status in (200, 400, 500):
        account.sim.error_status = status
        for foreign in (False, True):
            account.sim.foreign_empty = foreign
            assert await account.refresh(library) is library
    assert set(account.asked()) == {LIST}
    account.sim.pause(movie=500_000)
    library = await account.refresh(library)
    assert len(library.playbacks) == 1
    account.sim.forget(movie=500_000)
    assert (await account.refresh(library)).playbacks == ()


# refreshing


async def test_idle_is_one_request_and_the_same_library(account: Account) -> None:
    library = await account.settled()
    for _ in range(3):
        account.sim.clock.advance(300)
        refresh = await account.tracker.refresh(library)
        assert refresh.library is library
        assert refresh.next_in == 300
        assert account.asked() == [LIST]


async def test_a_restored_library(account: Account) -> None:
    library = await account.settled()
    kept = ORJSONEncoder(Library).encode(library)
    restored = ORJSONDecoder(Library).decode(kept)
    account.another()
    assert restored == library
    assert await account.refresh(restored) is restored
    assert account.asked() == [LIST]


async def test_a_movie_goes_on(account: Account) -> None:
    movie = account.movie()
    account.sim.pause(movie=trakt(movie), position=60)
    library = await account.settled()
    account.sim.clock.advance(60)
    account.sim.pause(movie=trakt(movie), position=120)
    after = await account.refresh(library)
    assert account.asked() == [LIST]
    playback = account.of(after, movie)
    assert after.playbacks[0] is playback
    assert playback.position == 120
    assert playback.item is account.of(library, movie).item
    # what did not move stays the same object
    assert after.playbacks[1:] == library.playbacks[1:]
    assert all(
        a is b for a, b in zip(after.playbacks[1:], library.playbacks[1:], strict=True)
    )


async def test_the_next_episode_costs_one_title(account: Account) -> None:
    show = account.show()
    mark = account.sim.bookmarks[account.sim.item_id(show)]
    aired = show.aired(account.sim.clock.now())
    library = await account.settled()
    assert mark.episode is not None
    following = aired[aired.index(mark.episode) + 1]
    account.sim.clock.advance(60)
    account.sim.pause(
        show=trakt(show), season=following.season, number=following.number
    )
    after = await account.refresh(library)
    assert account.asked() == [LIST, "title"]
    assert len(after.playbacks) == len(library.playbacks)
    item = after.playbacks[0].item
    assert isinstance(item, Episode)
    assert (item.season, item.number) == (following.season, following.number)


async def test_removed(account: Account) -> None:
    show = account.show()
    library = await account.settled()
    account.sim.forget(show=trakt(show))
    after = await account.refresh(library)
    assert len(after.playbacks) == len(library.playbacks) - 1
    assert account.asked() == [LIST]


async def test_the_same_bookmark_twice(account: Account) -> None:
    """A list that moves while its pages are read can tell an item twice."""
    body = orjson.dumps({"header": {"code": 0}, "data": [
        {"itemId": "a", "offset": 1, "ut": 2}, {"itemId": "a", "offset": 2, "ut": 1},
        "nonsense", {"offset": 3},
    ]}).decode()  # fmt: skip
    account.sim.faults.append(Fault("status", match="list", status=200, body=body))
    (playback,) = (await account.refresh()).playbacks
    assert (playback.id, playback.position) == ("a", 0.001)


async def test_the_newest_come_first_whatever_the_server_does(account: Account) -> None:
    rows = [{"itemId": f"i{n}", "offset": 1, "ut": 1000 + n} for n in range(3)]
    body = orjson.dumps({"header": {"code": 0}, "data": rows}).decode()
    account.sim.faults.append(Fault("status", match="list", status=200, body=body))
    library = await account.refresh()
    assert [p.id for p in library.playbacks] == ["i2", "i1", "i0"]


# pages


async def many(start: Start, count: int) -> Account:
    account = await start(movies=count, shows=1, viewer=Viewer())
    for movie in account.sim.catalogue.movies:
        account.sim.clock.advance(1)
        account.sim.pause(movie=trakt(movie))
    return account


@pytest.mark.parametrize(
    ("count", "pages"), [(PAGE_SIZE - 1, 1), (PAGE_SIZE, 2), (250, 3)]
)
async def test_pages(start: Start, count: int, pages: int) -> None:
    account = await many(start, count)
    library = await account.refresh()
    assert len({p.id for p in library.playbacks}) == count
    assert account.asked().count(LIST) == pages


async def test_many_are_titled_little_by_little(start: Start) -> None:
    account = await many(start, 250)
    library: Library | None = None
    asked: list[int] = []
    while True:
        refresh = await account.tracker.refresh(library)
        library = refresh.library
        requests = account.asked()
        assert requests.count(LIST) == (1 if asked else 3)
        asked.append(requests.count("title"))
        if refresh.next_in == 300:
            break
        assert refresh.next_in == 60
    assert asked == [40] * 6 + [10]
    assert all(p.duration for p in library.playbacks)
    assert await account.refresh(library) is library
    assert account.asked() == [LIST]


async def test_what_vanishes_from_a_later_page(start: Start) -> None:
    account = await many(start, 120)
    library = await account.refresh()
    while not all(p.duration for p in library.playbacks):
        library = await account.refresh(library)
    account.sim.forget(movie=trakt(account.movie(0)))
    account.asked()
    assert await account.refresh(library) is library
    assert account.asked() == [LIST]
    account.sim.clock.advance(6 * 3600)
    after = await account.refresh(library)
    assert len(after.playbacks) == 119
    assert after.read_at - library.read_at >= timedelta(hours=6)
    assert account.asked() == [LIST, LIST]
    # all was read and nothing had changed: that is not repeated before six hours are over
    account.sim.clock.advance(6 * 3600)
    assert await account.refresh(after) is after
    assert await account.refresh(after) is after
    assert account.asked() == [LIST, LIST, LIST]


async def test_a_server_that_ignores_the_page_number(account: Account) -> None:
    rows = [{"itemId": f"i{n}", "offset": 1, "ut": 1000 - n} for n in range(PAGE_SIZE)]
    body = orjson.dumps({"header": {"code": 0}, "data": rows}).decode()
    account.sim.faults.append(
        Fault("status", match="list", times=99, status=200, body=body)
    )
    library = await account.refresh()
    assert len(library.playbacks) == PAGE_SIZE
    assert account.asked().count(LIST) == 2


# looking up one bookmark


async def test_lookup(account: Account) -> None:
    movie, show = account.movie(), account.show()
    item = account.sim.pause(movie=trakt(movie), position=600)
    found = await account.tracker.bookmark(item)
    assert found == account.of(await account.refresh(), movie)
    assert account.asked()[:2] == [f"GET /user/bookmark/lookup/{item}", "title"]
    of_show = await account.tracker.bookmark(account.sim.item_id(show))
    assert of_show is not None
    assert isinstance(of_show.item, Episode)
    assert of_show.item.number > 0


async def test_lookup_of_nothing(account: Account) -> None:
    account.sim.forget(movie=500_000)
    free = account.sim.item_id(account.movie())
    for status in (200, 400, 500):
        account.sim.error_status = status
        assert await account.tracker.bookmark(free) is None


@pytest.mark.parametrize("item", ["a b", "a/b", "a?b#c"])
async def test_lookup_of_what_the_server_takes_for_no_id(
    account: Account, item: str
) -> None:
    with pytest.raises(NotFound):
        await account.tracker.bookmark(item)
    assert account.sim.requests[0].path == f"/user/bookmark/lookup/{item}"


@pytest.mark.parametrize("item", ["", " ", ".", ".."])
async def test_lookup_of_no_id(account: Account, item: str) -> None:
    with pytest.raises(NotFound):
        await account.tracker.bookmark(item)
    assert account.asked() == []


async def test_lookup_that_does_not_repeat_the_id(account: Account) -> None:
    item = account.sim.pause(movie=500_000)
    body = '{"header":{"code":0},"data":{"offset":600000}}'
    account.sim.faults.append(Fault("status", match="lookup", status=200, body=body))
    found = await account.tracker.bookmark(item)
    assert found is not None
    assert (found.id, found.position) == (item, 600)
    assert found.item.title == account.movie().title
    assert account.sim.clock.now() - found.updated_at < timedelta(minutes=1)


async def test_lookup_without_a_title(account: Account) -> None:
    item = account.sim.pause(movie=500_000, position=600)
    account.sim.has_content = False
    found = await account.tracker.bookmark(item)
    assert found is not None
    assert (found.item.ids, found.position) == (Ids.of(firstlight=item), 600)


# what bookmarks can't do


async def test_nothing_is_written(account: Account) -> None:
    movie = Movie(title="Dune", year=2021)
    now = account.sim.clock.now()
    writes: list[Write] = [
        MarkWatched(item=movie, watched_at=now),
        ClearProgress(item=movie),
    ]
    assert account.tracker.combine(writes) == 1
    receipts = await account.tracker.send(
        [QueuedWrite(write=write, created_at=now) for write in writes]
    )
    assert [(r.outcome, r.reason) for r in receipts] == [
        (Outcome.REFUSED, "not_supported")
    ] * 2
    for call in (
        account.tracker.show(Ids.of(firstlight="x")),
        account.tracker.history(),
        account.tracker.search(Query(text="Dune")),
    ):
        with pytest.raises(Refused) as caught:
            await call
        assert caught.value.translation_key == "not_supported"
    await account.tracker.sign_out()
    assert account.asked() == []
