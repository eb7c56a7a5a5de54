"""The Letterboxd tracker against the simulated feed, over real HTTP and with the real archive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
import time
from typing import Any

from hypothesis import given, strategies as st
from mashumaro.codecs.orjson import ORJSONDecoder, ORJSONEncoder
import pytest

from custom_components.up_next.account import Capability
from custom_components.up_next.library import Library, newest
from custom_components.up_next.media import Ids, Movie, Show
from custom_components.up_next.storage import ArchiveTable, Database
from custom_components.up_next.trackers.errors import (
    AccessDenied,
    BadAnswer,
    RateLimited,
    Refused,
    SignInError,
    TrackerError,
    Unavailable,
)
from custom_components.up_next.trackers.letterboxd import (
    POLL,
    Letterboxd,
    read_feed,
    username_of,
)
from custom_components.up_next.trackers.tracker import (
    Fields,
    Query,
    QueuedWrite,
    TrackerContext,
)
from custom_components.up_next.trackers.transport import Transport
from custom_components.up_next.writes import MarkWatched, Outcome, Rate, Write
from simulators.letterboxd import Letterboxd as Simulator
from simulators.service import Fault

SAMPLE = """<?xml version='1.0' encoding='utf-8'?>
<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:letterboxd="https://letterboxd.com" xmlns:tmdb="https://themoviedb.org">
<channel>
  <title>Letterboxd - Someone</title>
  <link>https://letterboxd.com/someone/</link>
  <item>
    <title>Inception, 2010 - ★★★★½</title>
    <link>https://letterboxd.com/someone/film/inception/1/</link>
    <guid isPermaLink="false">letterboxd-watch-1285580267</guid>
    <pubDate>Tue, 15 Sep 2026 12:58:33 +1200</pubDate>
    <letterboxd:watchedDate>2026-09-14</letterboxd:watchedDate>
    <letterboxd:rewatch>Yes</letterboxd:rewatch>
    <letterboxd:filmTitle>Inception</letterboxd:filmTitle>
    <letterboxd:filmYear>2010</letterboxd:filmYear>
    <letterboxd:memberRating>4.5</letterboxd:memberRating>
    <letterboxd:memberLike>Yes</letterboxd:memberLike>
    <tmdb:movieId>27205</tmdb:movieId>
    <description><![CDATA[ <p><img src="https://a.ltrbxd.com/34015-inception.jpg?v=x&amp;w=6"/></p> ]]></description>
    <dc:creator>Someone</dc:creator>
  </item>
  <item>
    <title>Kamal Hassan Comedies</title>
    <link>https://letterboxd.com/someone/list/kamal-hassan-comedies/</link>
    <guid isPermaLink="false">letterboxd-list-87273387</guid>
    <pubDate>Thu, 3 Sep 2026 15:08:31 +1200</pubDate>
    <description><![CDATA[ <p>A list of films.</p> ]]></description>
  </item>
</channel></rss>
"""
BOMB = (
    '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;">]>'
    "<rss><channel><item><filmTitle>&c;</filmTitle></item></channel></rss>"
)
FEED = r"GET /someone/rss/"
TRACKED = ["If-None-Match", "If-Modified-Since"]


@dataclass(kw_only=True)
class Account:
    """The simulator, the tracker, and how to make the tracker anew."""

    sim: Simulator
    context: TrackerContext
    tracker: Letterboxd
    sleeps: list[float]

    async def refresh(self, previous: Library | None = None) -> Library:
        return (await self.tracker.refresh(previous)).library

    def restart(self) -> None:
        """Lose what the tracker had in memory."""
        self.tracker = Letterboxd(self.context)


type Open = Callable[..., Any]


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(tmp_path / "up_next.db")
    await database.open()
    yield database
    await database.close()


@pytest.fixture
async def account(
    serve: Callable[..., Any],
    make_context: Callable[..., TrackerContext],
    database: Database,
) -> Account:
    """Return an account whose member has logged 12 films."""
    return await opened(serve, make_context, database, movies=20, watched=60)


async def opened(
    serve: Callable[..., Any],
    make_context: Callable[..., TrackerContext],
    database: Database,
    **catalogue: int,
) -> Account:
    sim: Simulator = await serve(Simulator, shows=0, **catalogue)
    sleeps: list[float] = []

    async def sleep(seconds: float) -> None:
        sleeps.append(seconds)

    context = replace(
        make_context(sim.base_url, credentials={"username": "Someone"}),
        archive=ArchiveTable(database, "letterboxd:someone"),
        sleep=sleep,
    )
    return Account(sim=sim, context=context, tracker=Letterboxd(context), sleeps=sleeps)


# signing in ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("someone", "someone"),
        ("  Some_One9 ", "some_one9"),
        ("@Someone", "someone"),
        ("https://letterboxd.com/Someone/", "someone"),
        ("http://www.letterboxd.com/someone", "someone"),
        ("letterboxd.com/someone/rss/", "someone"),
        ("https://letterboxd.com/someone/films/diary/?page=2#x", "someone"),
        ("https://letterboxd.com/", ""),
        ("https://boxd.it/2a9q", ""),
        ("https://example.com/someone", ""),
        ("some one", ""),
        ("some/../one", ""),
        ("..", ""),
        ("me@example.com", ""),
        ("zoë", ""),
        ("x" * 65, ""),
        ("", ""),
    ],
)
def test_user_names(typed: str, name: str) -> None:
    assert username_of(typed) == name


def test_what_is_kept_of_the_form() -> None:
    kept = Letterboxd.keep({"username": "https://letterboxd.com/Someone/films/"})
    assert kept == {"username": "someone"}
    assert Letterboxd.keep(kept) == kept
    assert Letterboxd.keep({"username": "no name"}) == {"username": "no name"}


def test_the_form_is_one_field() -> None:
    (step,) = Letterboxd.sign_in
    assert isinstance(step, Fields)
    assert [field.name for field in step.fields] == ["username"]


async def test_account(account: Account) -> None:
    found = await account.tracker.account()
    assert (found.id, found.name, found.url) == (
        "someone",
        "Someone",
        "https://letterboxd.com/someone/",
    )
    assert found.can == Capability.HISTORY | Capability.TOTALS
    assert account.sim.count() == 1


async def test_signing_in_keeps_nothing(account: Account) -> None:
    tracker = Letterboxd(replace(account.context, archive=None))
    await tracker.account()
    with pytest.raises(RuntimeError, match="no archive"):
        await tracker.refresh(None)


@pytest.mark.parametrize("how", ["unknown", "private"])
async def test_a_feed_that_is_not_there(account: Account, how: str) -> None:
    if how == "private":
        account.sim.private = "404"
    else:
        account.sim.username = "renamed"
    with pytest.raises(SignInError) as signing_in:
        await account.tracker.account()
    assert signing_in.value.translation_key == "user_not_found"
    with pytest.raises(AccessDenied) as later:
        await account.tracker.refresh(None)
    assert later.value.translation_key == "user_not_found"
    assert "someone" not in str(later.value)


async def test_a_name_that_cannot_be_one_is_not_asked_for(account: Account) -> None:
    context = replace(account.context, credentials={"username": "no name"})
    with pytest.raises(SignInError) as error:
        await Letterboxd(context).account()
    assert error.value.translation_key == "invalid_username"
    assert account.sim.count() == 0


async def test_a_firewall_says_nothing_about_the_user(account: Account) -> None:
    account.sim.blocked = True
    for call in (account.tracker.account(), account.tracker.refresh(None)):
        with pytest.raises(AccessDenied) as error:
            await call
        assert error.value.translation_key == "blocked"


async def test_a_member_without_entries(account: Account) -> None:
    account.sim.entries.clear()
    account.sim.lists.clear()
    assert (await account.tracker.account()).name == "Someone"
    library = await account.refresh()
    assert (library.plays, library.totals.movies, library.complete) == ((), 0, True)


# reading ------------------------------------------------------------------------------------------------------


async def test_first_reading(account: Account) -> None:
    refresh = await account.tracker.refresh(None)
    library = refresh.library
    assert refresh.next_in == POLL == 45 * 60
    assert account.sim.count() == 1
    entries = account.sim.newest()
    assert [play.id for play in library.plays] == [entry.guid for entry in entries]
    assert library.totals.movies == len(entries) == 12
    first, entry = library.plays[0], entries[0]
    assert first is newest(library.plays)
    assert isinstance(first.item, Movie)
    assert first.item.label == f"{entry.title} ({entry.year})"
    assert first.item.ids == Ids.of(tmdb=entry.movie_id, letterboxd=entry.slug)
    assert first.watched_on == entry.watched_on
    assert first.watched_at is None
    assert first.rating == int((entry.rating or 0) * 2)
    assert first.item.picture
    assert account.tracker.can_picture(first.item.picture)
    assert {play.rewatch for play in library.plays} == {True, False}
    assert {play.liked for play in library.plays} == {True, False}


@pytest.mark.parametrize(
    "offered", [{"etag", "last_modified"}, {"etag"}, {"last_modified"}, set()]
)
async def test_an_idle_refresh_is_one_request_and_the_same_library(
    account: Account, offered: set[str]
) -> None:
    account.sim.validators = frozenset(offered)
    library = await account.refresh()
    for _ in range(3):
        account.sim.requests.clear()
        account.sim.clock.advance(POLL)
        assert await account.refresh(library) is library
        (request,) = account.sim.requests
        assert request.status == (304 if offered else 200)
        assert [h for h in TRACKED if h in request.headers] == [
            h for h, name in zip(TRACKED, ("etag", "last_modified"), strict=True)
            if name in offered
        ]  # fmt: skip


async def test_after_a_restart_the_feed_is_read_whole_once(account: Account) -> None:
    library = await account.refresh()
    stored = ORJSONEncoder(Library).encode(library)
    restored = ORJSONDecoder(Library).decode(stored)
    account.restart()
    account.sim.requests.clear()
    assert await account.refresh(restored) is restored
    assert await account.refresh(restored) is restored
    assert [r.status for r in account.sim.requests] == [200, 304]


async def test_a_new_entry(account: Account) -> None:
    library = await account.refresh()
    account.sim.requests.clear()
    account.sim.clock.advance(POLL)
    entry = account.sim.watch_movie(500_019)
    fresh = await account.refresh(library)
    assert account.sim.count() == 1
    assert [p.id for p in fresh.plays] == [entry.guid, *(p.id for p in library.plays)]
    assert fresh.totals.movies == 13
    assert newest(fresh.plays) is fresh.plays[0]


async def test_a_validator_that_changes_alone_changes_nothing(account: Account) -> None:
    library = await account.refresh()
    account.sim.requests.clear()
    account.sim.clock.advance(POLL)
    account.sim.publish("A new list")
    assert await account.refresh(library) is library
    assert await account.refresh(library) is library
    assert [r.status for r in account.sim.requests] == [200, 304]


async def test_validators_are_kept_only_of_what_was_archived(account: Account) -> None:
    library = await account.refresh()
    account.sim.clock.advance(POLL)
    entry = account.sim.watch_movie(500_019)
    account.sim.faults.append(Fault(kind="broken_json", match=FEED))
    with pytest.raises(BadAnswer):
        await account.refresh(library)
    assert (await account.refresh(library)).plays[0].id == entry.guid


async def test_new_display_name(account: Account) -> None:
    library = await account.refresh()
    account.sim.display_name = "Some & One"
    account.sim._touch()
    fresh = await account.refresh(library)
    assert (fresh.account.id, fresh.account.name) == ("someone", "Some & One")


async def test_odd_entries(account: Account) -> None:
    odd = account.sim.add_oddities()
    library = await account.refresh()
    plays = {play.id: play for play in library.plays}

    def item(name: str) -> Movie:
        found = plays[odd[name].guid].item
        assert isinstance(found, Movie)
        return found

    assert item("no_year").label == "Untitled"
    assert item("no_year").ids == Ids.of(letterboxd="untitled")
    assert plays[odd["no_rating"].guid].rating is None
    assert plays[odd["no_rating"].guid].liked is None
    assert item("tv").ids == Ids.of(tmdb_tv=114461, letterboxd="ahsoka")
    undated = library.plays[-1]
    assert (undated.id, undated.watched_on, undated.watched_at) == (
        odd["undated"].guid,
        None,
        None,
    )
    assert undated.rating == 9
    assert odd["first"].guid not in plays  # the same film on the same day
    assert item("again").title == "Crimes, Lies - ★"
    assert (plays[odd["again"].guid].rating, plays[odd["again"].guid].rewatch) == (
        10,
        True,
    )
    assert len(library.plays) == 12 + 5
    assert library.totals.movies == 12 + 5
    assert await account.refresh(library) is library


async def test_a_wrong_namespace_does_not_matter(account: Account) -> None:
    library = await account.refresh()
    account.sim.tmdb_namespace = "https://www.themoviedb.org"
    account.sim._touch()
    assert await account.refresh(library) is library


# the archive --------------------------------------------------------------------------------------------------


async def test_the_history_grows_beyond_the_feed(
    serve: Callable[..., Any],
    make_context: Callable[..., TrackerContext],
    database: Database,
) -> None:
    account = await opened(serve, make_context, database, movies=200, watched=25)
    library = await account.refresh()
    assert library.totals.movies == 50
    for number in range(50, 130):
        account.sim.clock.advance(3600)
        account.sim.watch_movie(500_000 + number)
        if number % 40 == 9:
            library = await account.refresh(library)
    account.sim.requests.clear()
    assert (len(library.plays), library.totals.movies) == (50, 130)
    page = await account.tracker.history()
    assert (len(page.items), page.total, page.cursor) == (100, 130, "100")
    assert page.items[:50] == library.plays
    last = await account.tracker.history(page.cursor)
    assert (len(last.items), last.cursor) == (30, None)
    ids = {play.id for play in page.items + last.items}
    assert ids == {entry.guid for entry in account.sim.entries}
    assert account.sim.count() == 0


async def test_the_history_survives_removing_and_adding_again(account: Account) -> None:
    library = await account.refresh()
    await account.tracker.sign_out()
    del account.sim.entries[:6]
    account.sim._touch()
    account.restart()
    again = await account.refresh(None)
    assert again.plays == library.plays
    assert again.totals.movies == 12


async def test_an_archive_that_was_lost_fills_again(
    account: Account, tmp_path: Path
) -> None:
    library = await account.refresh()
    other = Database(tmp_path / "other.db")
    await other.open()
    account.context = replace(
        account.context, archive=ArchiveTable(other, "letterboxd:someone")
    )
    account.restart()
    assert await account.refresh(library) is library
    assert (await account.tracker.history()).total == 12
    await other.close()


async def test_what_another_source_adds_is_seen_without_a_new_feed(
    account: Account,
) -> None:
    library = await account.refresh()
    old = replace(
        read_feed(SAMPLE.encode()).plays[0],
        play=replace(library.plays[-1], id=None, watched_on=date(1999, 1, 1)),
        title="letterboxd:older",
    )
    assert account.context.archive is not None
    await account.context.archive.put("export", [old])
    fresh = await account.refresh(library)
    assert account.sim.requests[-1].status == 304
    assert fresh.totals.movies == 13
    assert fresh.plays[-1].watched_on == date(1999, 1, 1)


async def test_a_rating_given_later(account: Account) -> None:
    library = await account.refresh()
    entry = account.sim.newest()[3]
    account.sim.clock.advance(60)
    account.sim.edit(entry, rating=5.0, like=True)
    fresh = await account.refresh(library)
    assert (fresh.plays[3].rating, fresh.plays[3].liked) == (10, True)
    assert len(fresh.plays) == len(library.plays)


async def test_a_review_written_later_is_no_second_play(account: Account) -> None:
    library = await account.refresh()
    entry = account.sim.newest()[3]
    account.sim.clock.advance(60)
    account.sim.edit(entry, review="Late thoughts.")
    fresh = await account.refresh(library)
    assert fresh.plays[3].id == entry.guid != library.plays[3].id
    assert len(fresh.plays) == len(library.plays)


async def test_a_date_put_right_moves_the_play(account: Account) -> None:
    library = await account.refresh()
    entry = account.sim.newest()[0]
    account.sim.clock.advance(60)
    account.sim.edit(entry, watched_on=date(2001, 1, 1))
    fresh = await account.refresh(library)
    assert fresh.plays[-1].id == entry.guid
    assert len(fresh.plays) == len(library.plays)


@pytest.mark.parametrize("order", ["logged", "watched"])
async def test_an_entry_taken_back_is_no_longer_the_last_film(
    account: Account, order: Any
) -> None:
    account.sim.order = order
    library = await account.refresh()
    account.sim.clock.advance(60)
    wrong = account.sim.watch_movie(500_019)
    mistaken = await account.refresh(library)
    assert mistaken.plays[0].id == wrong.guid
    account.sim.clock.advance(60)
    account.sim.remove(wrong)
    assert (await account.refresh(mistaken)).plays == library.plays


async def test_a_profile_that_goes_private_keeps_its_history(account: Account) -> None:
    library = await account.refresh()
    account.sim.private = "empty"
    account.sim._touch()
    assert await account.refresh(library) is library


async def test_plays_of_one_film(account: Account) -> None:
    entry = account.sim.newest()[2]
    again = account.sim.watch_movie(500_002)
    assert again.movie_id == entry.movie_id
    await account.refresh()

    async def of(item: Movie | Show) -> list[str | None]:
        return [p.id for p in (await account.tracker.history(item=item)).items]

    both = [again.guid, entry.guid]
    assert await of(Movie(title="", ids=Ids.of(tmdb=entry.movie_id))) == both
    assert (
        await of(Movie(title=entry.title, year=entry.year, ids=Ids.of(imdb=1))) == both
    )
    assert await of(Movie(title=entry.title, year=entry.year, ids=Ids.of(tmdb=1))) == []
    assert await of(Show(title=entry.title)) == []


# what it can't do ---------------------------------------------------------------------------------------------


async def test_read_only(account: Account) -> None:
    now = datetime.now(UTC)
    movie = Movie(title="Film")
    writes: list[Write] = [
        MarkWatched(item=movie, watched_at=now),
        Rate(item=movie, rating=3),
    ]
    assert account.tracker.combine(writes) == 2
    receipts = await account.tracker.send(
        [QueuedWrite(write=write, created_at=now) for write in writes]
    )
    assert {(r.outcome, r.reason) for r in receipts} == {
        (Outcome.REFUSED, "not_supported")
    }
    for call in (account.tracker.show(Ids()), account.tracker.search(Query(text="x"))):
        with pytest.raises(Refused) as error:
            await call
        assert error.value.translation_key == "not_supported"
    assert account.sim.count() == 0


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://a.ltrbxd.com/resized/x.jpg", True),
        ("http://a.ltrbxd.com/resized/x.jpg", False),
        ("https://letterboxd.com/x.jpg", False),
    ],
)
def test_pictures(
    make_context: Callable[..., TrackerContext], url: str, allowed: bool
) -> None:
    assert Letterboxd(make_context("http://127.0.0.1:1")).can_picture(url) is allowed


# faults -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "error", "key"),
    [
        (Fault(kind="status", status=403), AccessDenied, "blocked"),
        (Fault(kind="html", status=403), AccessDenied, "blocked"),
        (Fault(kind="status", status=404), AccessDenied, "user_not_found"),
        (Fault(kind="status", status=410), AccessDenied, "user_not_found"),
        (Fault(kind="status", status=301), BadAnswer, "bad_answer"),
        (Fault(kind="status", status=204), BadAnswer, "bad_answer"),
        (Fault(kind="status", status=400), BadAnswer, "bad_answer"),
        (Fault(kind="status", status=401), BadAnswer, "bad_answer"),
        (Fault(kind="html"), BadAnswer, "bad_answer"),
        (Fault(kind="empty"), BadAnswer, "bad_answer"),
        (Fault(kind="broken_json"), BadAnswer, "bad_answer"),
        (Fault(kind="status", status=200, body=BOMB), BadAnswer, "bad_answer"),
        (Fault(kind="status", status=200, body="<rss/>"), BadAnswer, "bad_answer"),
        (
            Fault(kind="status", status=200, body="<feed><channel/></feed>"),
            BadAnswer,
            "bad_answer",
        ),
        (
            Fault(kind="status", status=200, body="<?xml version='1.0' encoding='x'?>"),
            BadAnswer,
            "bad_answer",
        ),
        (Fault(kind="status", status=500, times=3), Unavailable, "unavailable"),
        (Fault(kind="status", status=503, times=3), Unavailable, "unavailable"),
        (Fault(kind="status", status=530), Unavailable, "unavailable"),
        (Fault(kind="drop", times=3), Unavailable, "unavailable"),
        (Fault(kind="reset", times=3), Unavailable, "unavailable"),
    ],
    ids=lambda value: (
        f"{value.kind}-{value.status}" if isinstance(value, Fault) else ""
    ),
)
async def test_faults(
    account: Account, fault: Fault, error: type[TrackerError], key: str
) -> None:
    account.sim.validators = frozenset()
    library = await account.refresh()
    account.sim.faults.append(replace(fault, match=FEED))
    with pytest.raises(error) as raised:
        await account.refresh(library)
    assert raised.value.translation_key == key
    assert "someone" not in str(raised.value)
    assert account.sim.faults == []
    assert await account.refresh(library) is library


async def test_passing_faults_are_repeated(account: Account) -> None:
    account.sim.faults.append(Fault(kind="status", status=502, match=FEED))
    assert (await account.refresh()).totals.movies == 12
    assert account.sleeps == [1.0]


@pytest.mark.parametrize(
    ("headers", "seconds"), [({}, 900), ({"Retry-After": "120"}, 120)]
)
async def test_too_many_requests(
    account: Account, headers: dict[str, str], seconds: float
) -> None:
    account.sim.faults.append(Fault(kind="status", status=429, headers=headers))
    with pytest.raises(RateLimited) as error:
        await account.refresh()
    assert error.value.retry_after == seconds
    assert account.sleeps == []


async def test_304_that_was_not_asked_for(account: Account) -> None:
    account.sim.faults.append(Fault(kind="status", status=304))
    with pytest.raises(BadAnswer):
        await account.refresh()


async def test_nobody_listens(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Transport, "retry_delays", ())
    context = replace(account.context, base_url="http://127.0.0.1:9")
    with pytest.raises(Unavailable):
        await Letterboxd(context).account()


async def test_a_big_feed_does_not_stall_the_loop(account: Account) -> None:
    for entry in account.sim.entries:
        account.sim.edit(entry, review="So many words. " * 30_000)
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.005)
            longest = max(longest, time.monotonic() - before)

    feed = account.sim.feed().encode()
    assert len(feed) > 5 * 1024**2
    account.sim.faults.append(
        Fault(kind="status", status=200, body=feed.decode(), match=FEED)
    )
    watching = asyncio.create_task(watch())
    library = await account.refresh()
    watching.cancel()
    assert library.totals.movies == 12
    assert longest < 0.5


async def test_a_feed_too_big_to_be_one_is_refused(account: Account) -> None:
    body = f"<rss><channel>{' ' * 8 * 1024**2}</channel></rss>"
    account.sim.faults.append(Fault(kind="status", status=200, body=body, match=FEED))
    with pytest.raises(BadAnswer, match="bytes"):
        await account.refresh()


# the parser ---------------------------------------------------------------------------------------------------


def test_the_sample() -> None:
    feed = read_feed(SAMPLE.encode())
    (archived,) = feed.plays
    assert feed.name == "Someone"
    assert archived.title == "tmdb:27205"
    assert archived.logged_at == datetime(2026, 9, 15, 0, 58, 33, tzinfo=UTC)
    play = archived.play
    assert play.item == Movie(
        title="Inception",
        year=2010,
        ids=Ids.of(tmdb=27205, letterboxd="inception"),
        url="https://letterboxd.com/someone/film/inception/1/",
        picture="https://a.ltrbxd.com/34015-inception.jpg?v=x&w=6",
    )
    assert (play.id, play.watched_on) == (
        "letterboxd-watch-1285580267",
        date(2026, 9, 14),
    )
    assert (play.rating, play.rewatch, play.liked) == (9, True, True)


@pytest.mark.parametrize(
    ("old", "new", "attribute", "value"),
    [
        ("4.5</", "0.5</", "rating", 1),
        ("4.5</", "5</", "rating", 10),
        ("4.5</", "0</", "rating", None),
        ("4.5</", "nan</", "rating", None),
        ("4.5</", "11</", "rating", None),
        ("4.5</", "good</", "rating", None),
        ("2026-09-14</", "14/09/2026</", "watched_on", None),
        ("2026-09-14</", " 2026-09-14 </", "watched_on", date(2026, 9, 14)),
        ("Yes</letterboxd:memberLike", "Maybe</letterboxd:memberLike", "liked", None),
        ("Yes</letterboxd:rewatch", "</letterboxd:rewatch", "rewatch", False),
        ("letterboxd-watch-1285580267", "", "id", None),
    ],
)
def test_odd_values(old: str, new: str, attribute: str, value: object) -> None:
    assert SAMPLE.count(old) == 1
    (archived,) = read_feed(SAMPLE.replace(old, new).encode()).plays
    assert getattr(archived.play, attribute) == value


@pytest.mark.parametrize(
    ("old", "new", "attribute", "value"),
    [
        (">2010</", ">MMX</", "year", None),
        (">2010</", ">0</", "year", None),
        (">27205</", f">{'9' * 5000}</", "ids", Ids.of(letterboxd="inception")),
        ("https://a.ltr", "javascript:x", "picture", None),
        ("<link>https://letterboxd.com/someone/film", "<link>javascript:", "url", None),
    ],
)
def test_odd_films(old: str, new: str, attribute: str, value: object) -> None:
    assert SAMPLE.count(old) == 1
    (archived,) = read_feed(SAMPLE.replace(old, new).encode()).plays
    assert getattr(archived.play.item, attribute) == value


@pytest.mark.parametrize("when", ["", "yesterday", "Tue, 99 Sep 2026 12:58:33 +1200"])
def test_odd_times_of_logging(when: str) -> None:
    feed = SAMPLE.replace("Tue, 15 Sep 2026 12:58:33 +1200", when)
    assert read_feed(feed.encode()).plays[0].logged_at is None


def test_a_time_without_a_zone_is_utc() -> None:
    feed = SAMPLE.replace("12:58:33 +1200", "12:58:33 -0000")
    logged_at = read_feed(feed.encode()).plays[0].logged_at
    assert logged_at == datetime(2026, 9, 15, 12, 58, 33, tzinfo=UTC)


def test_a_film_without_any_id() -> None:
    feed = SAMPLE.replace("movieId", "other").replace("/film/inception", "")
    (archived,) = read_feed(feed.encode()).plays
    assert archived.title == "letterboxd-watch-1285580267"
    feed = feed.replace("letterboxd-watch-1285580267", "")
    assert read_feed(feed.encode()).plays[0].title == "Inception"


def test_one_id_twice_is_one_play() -> None:
    item = SAMPLE[SAMPLE.index("<item>") : SAMPLE.index("</item>") + 7]
    twice = SAMPLE.replace(item, item + item.replace("2026-09-14", "2026-09-13"))
    assert len(read_feed(twice.encode()).plays) == 1


def parse(body: bytes) -> None:
    with suppress(SyntaxError, ValueError, LookupError):
        read_feed(body)


@given(st.data())
def test_mutilated_feeds_raise_only_what_is_expected(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(SAMPLE)))
    end = data.draw(st.integers(start, min(len(SAMPLE), start + 300)))
    text = data.draw(st.text(max_size=20))
    parse((SAMPLE[:start] + text + SAMPLE[end:]).encode(errors="replace"))


@given(
    st.sampled_from(
        [
            "letterboxd:watchedDate",
            "letterboxd:rewatch",
            "letterboxd:filmTitle",
            "letterboxd:filmYear",
            "letterboxd:memberRating",
            "letterboxd:memberLike",
            "tmdb:movieId",
            "pubDate",
            "guid",
            "link",
            "description",
        ]
    ),
    st.one_of(
        st.text(
            st.characters(exclude_characters="<&]", categories=["L", "N", "P", "Z"])
        ),
        st.integers().map(str),
        st.floats().map(str),
        st.datetimes().map(str),
    ),
)
def test_any_value_in_any_element_is_tolerated(tag: str, value: str) -> None:
    start = SAMPLE.index("<item>")
    opening = SAMPLE.index(f"<{tag}", start)
    inner = SAMPLE.index(">", opening) + 1
    closing = SAMPLE.index(f"</{tag}>", inner)
    feed = read_feed((SAMPLE[:inner] + value + SAMPLE[closing:]).encode())
    assert len(feed.plays) <= 1


@given(st.binary(max_size=200))
def test_noise_raises_only_what_is_expected(noise: bytes) -> None:
    parse(noise)


def test_hostile_descriptions_take_no_time() -> None:
    start = time.monotonic()
    for text in ("<img " * 200_000, '<img src="http://' * 60_000, "<img" + " " * 10**6):
        read_feed(SAMPLE.replace("<p><img src", f"{text}<p><img src").encode())
    assert time.monotonic() - start < 5


def test_deep_nesting() -> None:
    parse(b"<rss><channel>" + b"<a>" * 200_000)
    parse(
        b"<rss><channel>" + b"<a>" * 200_000 + b"</a>" * 200_000 + b"</channel></rss>"
    )
