"""What Simkl is told of a playback, and that a viewing counts once whatever happens on the way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
import json
from pathlib import Path
from typing import Any

import pytest

from custom_components.up_next.account import Capability
from custom_components.up_next.library import ShowStatus
from custom_components.up_next.media import Episode, Ids, Movie, Playable, Show
from custom_components.up_next.outbox import Outbox, OutboxEntry
from custom_components.up_next.storage import Database, OutboxTable
from custom_components.up_next.trackers.errors import (
    QuotaExhausted,
    RateLimited,
    SignInRequired,
    Unavailable,
    Unsure,
)
from custom_components.up_next.trackers.oauth import MemoryTokenStore
from custom_components.up_next.trackers.simkl.echo import Echo
from custom_components.up_next.trackers.simkl.planning import last_watched, was_watched
from custom_components.up_next.trackers.simkl.tracker import FLOOR, POLL, WRITING
from custom_components.up_next.trackers.simkl.writing import NATIVE
from custom_components.up_next.writes import (
    CheckIn,
    MarkWatched,
    Outcome,
    Receipt,
    RemovePlays,
    Scrobble,
    ScrobbleAction,
)
from simulators.catalogue import CatalogueEpisode, CatalogueMovie, CatalogueShow
from simulators.service import Fault
from simulators.simkl import Simkl as Service
from simulators.simkl.grants import READ

from .simkl_account import Account, episode_item, movie_item

type Open = Callable[..., Awaitable[Account]]
START, PAUSE, STOP, WATCHED = ScrobbleAction
LOCK = 20
LOCKED = '{"error":"RATE_LIMIT","code":400}'


@pytest.fixture
def account(serve: Any, make_context: Any, tokens: MemoryTokenStore) -> Open:
    """Return a function that opens an account whose library was read."""

    async def start(
        *, pacing: bool = False, plan: str = "free", **kwargs: Any
    ) -> Account:
        service: Service = await serve(
            Service, **{"shows": 30, "in_progress": 30} | kwargs
        )
        service.pacing = pacing
        service.plan = plan
        a = Account(service, make_context(service.base_url), tokens)
        a.tracker._api._api.retry_delays = ()
        await a.refresh()
        return a

    return start


def scrobble(a: Account, item: Playable, action: ScrobbleAction, **more: Any) -> Any:
    """Return what a player did just now, in a viewing that began an hour ago."""
    now = a.service.clock.now().replace(microsecond=0)
    told = {
        "viewing": "one",
        "at": now,
        "started_at": now - timedelta(hours=1),
        "progress": 95.0 if action is WATCHED else 42.1234,
    }
    return Scrobble(item=item, action=action, **(told | more))


async def tell(
    a: Account, item: Playable, action: ScrobbleAction, **more: Any
) -> Receipt:
    """Tell of a playback; Simkl's write lock is open again."""
    a.service.clock.advance(LOCK)
    (receipt,) = await a.send(scrobble(a, item, action, **more))
    return receipt


def following(a: Account) -> tuple[CatalogueShow, CatalogueEpisode]:
    """Return a running show and what is to be watched of it next."""
    show = a.behind()
    episode = a.service.shelf.count(a.entry(show)).next
    assert episode is not None
    return show, episode


def next_item(a: Account) -> Episode:
    show, episode = following(a)
    return episode_item(show, episode.season, episode.number, "tvdb", "imdb")


def unwatched_movie(a: Account) -> CatalogueMovie:
    entries = a.service.shelf.entries.values()
    return next(
        e.title
        for e in entries
        if isinstance(e.title, CatalogueMovie) and not e.watched
    )


def seen_movie(a: Account) -> CatalogueMovie:
    entries = a.service.shelf.entries.values()
    return next(
        e.title for e in entries if isinstance(e.title, CatalogueMovie) and e.watched
    )


def body(a: Account, number: int = -1) -> Any:
    """Return the body of one of the requests made."""
    return json.loads(a.service.requests[number].body)


def plays(a: Account) -> int:
    count: int = a.service.state()["plays"]
    return count


# a viewing --------------------------------------------------------------------------------------------------


async def test_a_viewing_from_beginning_to_end(account: Open) -> None:
    a = await account()
    show, episode = following(a)
    item, before = next_item(a), plays(a)
    count = a.unwatched
    receipt = await tell(a, item, START, progress=0.6)
    assert receipt == Receipt(outcome=Outcome.DONE)
    assert a.paths() == ["POST /scrobble/start"]
    assert body(a) == {
        "progress": 0.6,
        "show": {
            "title": show.title,
            "year": show.year,
            "ids": {
                "simkl": show.ids["simkl"],
                "imdb": show.ids["imdb"],
                "tvdb": str(show.ids["tvdb"]),
                "tmdb": str(show.ids["tmdb"]),
            },
        },
        "episode": {"season": episode.season, "number": episode.number},
    }
    assert a.service.state()["watching"]
    receipt = await tell(a, item, PAUSE)
    assert receipt == Receipt(outcome=Outcome.DONE)
    assert a.paths() == ["POST /scrobble/pause"]
    assert body(a)["progress"] == 42.12
    assert not a.service.state()["watching"]
    await tell(a, item, START, progress=43)
    receipt = await tell(a, item, STOP, progress=60)
    assert (receipt.outcome, a.paths()) == (Outcome.DONE, ["POST /scrobble/stop"])
    assert [p.progress for p in a.service.player.paused.values()] == [60]
    assert plays(a) == before
    await tell(a, item, START, progress=60)
    write = scrobble(a, item, WATCHED)
    a.service.clock.advance(LOCK)
    (receipt,) = await a.send(write)
    assert receipt.outcome is Outcome.DONE
    # one request that counts; how the show stands is free to ask
    assert a.paths() == ["POST /scrobble/stop"] and body(a, 0)["progress"] == 95
    (play,) = receipt.plays
    assert (play.id, play.watched_at, play.item.type) == (None, write.at, item.type)
    assert plays(a) == before + 1
    assert a.service.player.paused == {}
    told = receipt.progress
    await a.refresh()
    assert a.unwatched == count - 1
    row = a.known.shows[str(show.ids["simkl"])]
    assert told is not None
    assert (row.left, row.seen, row.caught_up) == (told.left, told.seen, told.caught_up)


async def test_a_movie_can_be_taken_back_right_away(account: Open) -> None:
    a = await account()
    movie = unwatched_movie(a)
    (receipt,) = [await tell(a, movie_item(movie, "imdb"), WATCHED)]
    assert receipt.outcome is Outcome.DONE
    assert receipt.plays[0].item.ids.get("simkl") == str(movie.ids["simkl"])
    assert a.entry(movie).watched
    # before the next refresh: the tracker knows what it did
    (receipt,) = await a.send(RemovePlays(item=receipt.plays[0].item))
    assert receipt.outcome is Outcome.DONE
    assert a.entry(movie) is None


async def test_each_goes_alone_and_only_an_end_moves_the_next_refresh(
    account: Open,
) -> None:
    a = await account()
    item = next_item(a)
    writes = [scrobble(a, item, action) for action in ScrobbleAction]
    assert a.tracker.combine([*writes, CheckIn(item=item)]) == 1
    assert a.tracker.combine([CheckIn(item=item)] * 2) == 1
    assert (a.tracker.rhythm.pause_after, a.tracker.rhythm.seeks) == (60, False)
    assert a.tracker.may & Capability.SCROBBLE and a.tracker.may & Capability.CHECK_IN
    assert not a.tracker.may & Capability.NOW_WATCHING
    for action, pause in ((START, POLL), (STOP, FLOOR)):
        await a.refresh()
        await tell(a, item, action)
        assert (await a.tracker.refresh(a.library)).next_in == pause
    a.library = (await a.tracker.refresh(a.library)).library
    assert len(await a.refresh()) == 1, "idle: one small question"


async def test_anime_in_simkls_own_numbers_and_in_those_of_tvdb(account: Open) -> None:
    a = await account(watched=0)
    show = next(s for s in a.service.catalogue.shows if s.anime)
    own = episode_item(show, 1, 3)
    receipt = await tell(a, own, WATCHED)
    assert receipt.outcome is Outcome.DONE
    assert body(a, 0)["episode"] == {"number": 3}
    assert {"simkl"} <= set(body(a, 0)["anime"]["ids"]) <= NATIVE
    foreign = episode_item(show, 1, 4, "tvdb", "tmdb")
    receipt = await tell(a, foreign, WATCHED, viewing="two")
    assert receipt.outcome is Outcome.DONE
    assert body(a, 0)["episode"] == {"number": 4, "season": 1}
    assert "show" in body(a, 0)
    assert set(a.entry(show).watched) == {(1, 3), (1, 4)}


# what is known of the position ------------------------------------------------------------------------------


async def test_what_a_player_does_not_tell_is_reckoned(account: Open) -> None:
    a = await account()
    _, episode = following(a)
    item = replace(next_item(a), runtime=1000)
    unknown = replace(item, runtime=None)
    nothing: dict[str, Any] = {"progress": None, "position": None}
    for known, action, told, expected in (
        (item, START, {"position": 250.0}, 25),
        (item, START, {"position": 2500.0}, 100),
        (unknown, START, {"position": 250.0}, 0),
        (item, START, {}, 0),
        (item, PAUSE, {"position": 123.456}, 12.35),
        # Simkl's own length, which is free to ask
        (unknown, PAUSE, {"position": episode.runtime / 4}, 25),
        # nobody knows where it is: for how long it has been on
        (
            unknown,
            STOP,
            {"started_at": a.service.clock.now() + timedelta(seconds=0)},
            None,
        ),
    ):
        receipt = await tell(a, known, action, **nothing | told)
        assert receipt.outcome is Outcome.DONE
        assert len(a.paths()) == 1
        if expected is not None:
            assert body(a)["progress"] == pytest.approx(expected)
    at = a.service.clock.now()
    began = at - timedelta(seconds=episode.runtime / 2)
    await tell(a, unknown, STOP, at=at, started_at=began, **nothing)
    assert body(a)["progress"] == pytest.approx(50, abs=0.1)


async def test_lengths_that_nobody_knows(account: Open) -> None:
    a = await account(watched=0)
    movie = a.service.catalogue.movies[0]
    show = next(s for s in a.service.catalogue.shows if not s.anime)
    anime = next(s for s in a.service.catalogue.shows if s.anime)
    missing = {"progress": None, "position": 300.0}
    for title in (show, anime):
        for episode in title.episodes:
            episode.runtime = 0
        title.runtime = 0
    movie.runtime = 0
    a.library = None
    await a.refresh()
    for item, expected in (
        (movie_item(movie), 300 / 5400),
        (episode_item(show, 1, 1), 300 / 2700),
        (episode_item(anime, 1, 1), 300 / 1500),
    ):
        receipt = await tell(a, item, STOP, **missing)
        assert receipt.outcome is Outcome.DONE
        assert body(a)["progress"] == pytest.approx(expected * 100, abs=0.01)
    nowhere = Episode(show=Show(title="Nowhere", year=1999), season=1, number=1)
    receipt = await tell(a, nowhere, STOP, **missing)
    assert receipt.outcome is Outcome.NOT_FOUND


async def test_what_is_not_to_count_never_reaches_simkls_threshold(
    account: Open,
) -> None:
    a = await account()
    item, before = next_item(a), plays(a)
    # the user counts from 90 %
    for action in (PAUSE, STOP):
        receipt = await tell(a, item, action, progress=85)
        assert receipt.outcome is Outcome.DONE
        assert body(a)["progress"] == 79.9
    movie = movie_item(unwatched_movie(a))
    await tell(a, movie, START, progress=1, viewing="two")
    assert plays(a) == before


# when it counts ---------------------------------------------------------------------------------------------


async def test_a_lower_threshold_of_the_user_is_a_mark(account: Open) -> None:
    a = await account()
    show, episode = following(a)
    item = next_item(a)
    await tell(a, item, START)
    for progress in (60.0, 79.99):
        a.service.unwatch(int(show.ids["trakt"]), episode.season, episode.number)
        await a.refresh()
        write = scrobble(a, item, WATCHED, progress=progress)
        a.service.clock.advance(LOCK)
        (receipt,) = await a.send(write)
        assert receipt.outcome is Outcome.DONE
        assert a.paths() == ["POST /sync/history"]
        assert receipt.plays[0].watched_at == write.at
        assert receipt.progress is not None
        at = a.entry(show).watched[episode.season, episode.number]
        assert at == write.at.replace(microsecond=0)


@pytest.mark.parametrize("minutes", [14, 16, 60 * 24 * 20])
async def test_what_was_watched_long_ago_keeps_its_time(
    account: Open, minutes: int
) -> None:
    a = await account()
    show, episode = following(a)
    write = scrobble(a, next_item(a), WATCHED)
    a.service.clock.advance(minutes * 60)
    a.sign_in()
    (receipt,) = await a.send(write)
    assert receipt.outcome is Outcome.DONE
    assert receipt.plays[0].watched_at == write.at
    at = a.entry(show).watched[episode.season, episode.number]
    if minutes < 15:
        assert a.paths() == ["POST /scrobble/stop"]
    else:
        assert a.paths() == ["POST /sync/history"]
        assert at == write.at.replace(microsecond=0)


async def test_a_percentage_nobody_knows_is_a_mark(account: Open) -> None:
    a = await account()
    item, before = next_item(a), plays(a)
    receipt = await tell(a, item, WATCHED, progress=None)
    assert (receipt.outcome, a.paths()) == (Outcome.DONE, ["POST /sync/history"])
    assert plays(a) == before + 1


async def test_a_stop_that_did_not_count_is_made_up_for(account: Open) -> None:
    a = await account()
    item, before = next_item(a), plays(a)
    reply = {"id": 5, "action": "pause", "progress": 79, "show": {"ids": {}}}
    a.service.faults.append(
        Fault("status", "POST /scrobble/stop", status=201, body=json.dumps(reply))
    )
    receipt = await tell(a, item, WATCHED)
    assert receipt.outcome is Outcome.DONE
    assert a.paths() == ["POST /scrobble/stop", "POST /sync/history"]
    assert plays(a) == before + 1


async def test_counted_within_the_hour(account: Open) -> None:
    a = await account()
    item, before = next_item(a), plays(a)
    assert (await tell(a, item, WATCHED)).outcome is Outcome.DONE
    receipt = await tell(a, item, WATCHED)
    assert receipt == Receipt(outcome=Outcome.ALREADY)
    # one of the two descriptions has no error word
    for action in (START, PAUSE, STOP, WATCHED):
        a.service.faults.append(
            Fault("status", "POST /scrobble", status=409, body='{"watched_at":"?"}')
        )
        receipt = await tell(a, item, action)
        assert receipt == Receipt(outcome=Outcome.ALREADY)
    a.service.clock.advance(3600)
    receipt = await tell(a, item, WATCHED)
    assert receipt == Receipt(outcome=Outcome.ALREADY), "nothing that could be undone"
    assert plays(a) == before + 1


@pytest.mark.parametrize("plan", ["free", "pro"])
async def test_what_was_watched_before_stays_as_it_was(
    account: Open, plan: str
) -> None:
    a = await account(plan=plan)
    movie = seen_movie(a)
    before = dict(a.entry(movie).watched)
    for more in ({}, {"progress": 50}):
        receipt = await tell(a, movie_item(movie), WATCHED, **more)
        assert receipt == Receipt(outcome=Outcome.ALREADY)
        assert "allow_rewatch" not in a.service.requests[0].query
        a.service.clock.advance(3601)
    assert a.entry(movie).watched == before


# rewatching -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("late", [False, True])
async def test_another_viewing_where_the_plan_has_it(account: Open, late: bool) -> None:
    a = await account(plan="vip")
    show = a.behind()
    season, number = min(a.entry(show).watched)
    item = episode_item(show, season, number)
    write = scrobble(a, item, WATCHED, rewatch=True)
    a.service.clock.advance(3600 if late else 0)
    (receipt,) = await a.send(write)
    assert receipt.outcome is Outcome.DONE
    path = "POST /sync/history" if late else "POST /scrobble/stop"
    assert a.paths() == [path]
    assert a.service.requests[0].query["allow_rewatch"] == "yes"
    assert a.service.state()["rewatches"] == 1
    (play,) = receipt.plays
    assert play.rewatch and play.watched_at == write.at
    # taking it back would take the first viewing, too
    assert play.id is not None
    (receipt,) = await a.send(RemovePlays(item=play.item, play_ids=(play.id,)))
    assert (receipt.outcome, receipt.reason) == (Outcome.REFUSED, "not_supported")
    assert (season, number) in a.entry(show).watched
    # and once more on the same evening: Simkl records it once
    a.service.clock.advance(2 * 3600)
    receipt = await tell(a, item, WATCHED, rewatch=True)
    assert receipt == Receipt(outcome=Outcome.ALREADY)
    assert a.service.state()["rewatches"] == 1


async def test_another_viewing_where_the_plan_has_none(account: Open) -> None:
    a = await account()
    movie = seen_movie(a)
    receipt = await tell(a, movie_item(movie), WATCHED, rewatch=True)
    assert receipt == Receipt(outcome=Outcome.ALREADY)
    assert "allow_rewatch" not in a.service.requests[0].query
    assert a.service.state()["rewatches"] == 0


async def test_what_was_unmarked_meanwhile_is_no_rewatch(account: Open) -> None:
    a = await account(plan="pro")
    receipt = await tell(a, next_item(a), WATCHED, rewatch=True)
    assert receipt.outcome is Outcome.DONE and not receipt.plays[0].rewatch
    assert "allow_rewatch" not in a.service.requests[0].query


async def test_a_rewatch_whose_answer_was_lost_is_recorded_once(account: Open) -> None:
    a = await account(plan="pro")
    movie = seen_movie(a)
    write = scrobble(a, movie_item(movie), WATCHED, rewatch=True)
    a.service.faults.append(Fault("lost", "POST /scrobble/stop"))
    with pytest.raises(Unsure):
        await a.send(write)
    a.service.clock.advance(30)
    await a.send(write, unsure=True)
    assert a.service.state()["rewatches"] == 1


# what Simkl takes it for ------------------------------------------------------------------------------------


async def test_titles_simkl_does_not_know(account: Open) -> None:
    a = await account()
    show, _ = following(a)
    before = plays(a)
    stranger = Movie(title="?", year=1, ids=Ids.of(imdb="tt9999999"))
    for item in (
        stranger,
        Movie(title="Without year"),
        episode_item(show, 1, 99),
        Episode(show=Show(title="?", ids=Ids.of(tvdb=1)), season=1, number=1),
    ):
        for action in ScrobbleAction:
            receipt = await tell(a, item, action)
            assert receipt.outcome is Outcome.NOT_FOUND
        receipt = await tell(a, item, WATCHED, progress=50)
        assert receipt.outcome is Outcome.NOT_FOUND
        a.service.clock.advance(LOCK)
        (receipt,) = await a.send(CheckIn(item=item))
        assert receipt.outcome is Outcome.NOT_FOUND
    assert plays(a) == before


# namesakes -------------------------------------------------------------------------------------------------


def without_ids(item: Playable) -> Playable:
    """Return an item by its name alone."""
    if isinstance(item, Episode):
        return replace(item, ids=Ids(), show=replace(item.show, ids=Ids()))
    return replace(item, ids=Ids())


def stranger_of(a: Account) -> CatalogueMovie:
    """Return a movie that is in nobody's library."""
    return next(m for m in reversed(a.service.catalogue.movies) if not a.entry(m))


@pytest.mark.parametrize("started", [False, True])
@pytest.mark.parametrize(
    "ids", [Ids(), Ids.of(imdb="tt9999999"), Ids.of(letterboxd="x"), Ids.of(tmdb=9)]
)
async def test_a_namesake_is_never_counted(
    account: Open, ids: Ids, started: bool
) -> None:
    """By a name alone Simkl takes any title of that name: the remake, for one."""
    a = await account(movies=60, watched=20)
    remake = stranger_of(a)
    old = Movie(title=remake.title, year=remake.year - 30, ids=ids, runtime=5400)
    before = a.service.state()
    if started:
        await tell(a, old, START, progress=1)
    for progress in (95.0, 50.0):
        receipt = await tell(a, old, WATCHED, progress=progress)
        assert (receipt.outcome, receipt.reason) == (Outcome.NOT_FOUND, "not_found")
    late = timedelta(hours=3)
    receipt = await tell(a, old, WATCHED, at=a.service.clock.now() - late)
    assert receipt.outcome is Outcome.NOT_FOUND
    a.service.clock.advance(LOCK)
    (receipt,) = await a.send(CheckIn(item=old))
    assert receipt.outcome is Outcome.NOT_FOUND
    after = a.service.state()
    assert (after["plays"], after["watching"]) == (before["plays"], before["watching"])
    assert not a.entry(remake)


@pytest.mark.parametrize("started", [False, True])
async def test_a_name_that_one_title_has_is_looked_up_once(
    account: Open, started: bool
) -> None:
    a = await account(movies=60, watched=20)
    movie = stranger_of(a)
    item = without_ids(movie_item(movie))
    assert isinstance(item, Movie)
    item = replace(item, title=item.title.upper())
    paths: list[str] = []
    for action in (START, PAUSE, START, WATCHED) if started else (WATCHED,):
        receipt = await tell(a, item, action)
        assert receipt.outcome is Outcome.DONE
        paths += a.paths()
    assert paths.count("GET /search/movie") == 1
    assert a.entry(movie).watched
    assert a.service.count("/redirect") == 0


async def test_an_episode_by_its_names(account: Open) -> None:
    a = await account(shows=60)
    show = next(s for s in a.service.catalogue.shows if not s.anime and not a.entry(s))
    item = without_ids(episode_item(show, 1, 1))
    receipt = await tell(a, item, WATCHED)
    assert receipt.outcome is Outcome.DONE
    assert a.entry(show).watched
    twin = a.service.catalogue.shows[
        0 if a.service.catalogue.shows[0] is not show else 1
    ]
    twin.title, twin.year = "Twins", 1999
    another = next(s for s in a.service.catalogue.shows if s not in (show, twin))
    another.title, another.year = "Twins", 1999
    assert isinstance(item, Episode)
    either = replace(item, show=replace(item.show, title="Twins", year=1999))
    count = plays(a)
    receipt = await tell(a, either, WATCHED, viewing="two")
    assert receipt.outcome is Outcome.NOT_FOUND
    assert plays(a) == count


async def test_ids_that_simkl_confirmed_are_not_asked_about(account: Open) -> None:
    a = await account(movies=60, watched=20)
    movie = stranger_of(a)
    item = movie_item(movie, "imdb")
    paths: list[str] = []
    for action in (START, WATCHED):
        assert (await tell(a, item, action)).outcome is Outcome.DONE
        paths += a.paths()
    assert paths == ["POST /scrobble/start", "POST /scrobble/stop"]


async def test_ids_of_another_kind_of_title(account: Open) -> None:
    a = await account(movies=60, watched=20)
    show, episode = following(a)
    movie = stranger_of(a)
    wrong = Movie(title=show.title, year=show.year, ids=Ids.of(imdb=show.ids["imdb"]))
    receipt = await tell(a, wrong, WATCHED)
    assert receipt.outcome is Outcome.NOT_FOUND
    item = Episode(
        show=Show(
            title=movie.title, year=movie.year, ids=Ids.of(imdb=movie.ids["imdb"])
        ),
        season=episode.season,
        number=episode.number,
    )
    receipt = await tell(a, item, WATCHED, viewing="two")
    assert receipt.outcome is Outcome.NOT_FOUND


@pytest.mark.parametrize("reply", ["{}", "null", "[]", '{"action":"start","id":0}'])
async def test_a_success_that_names_nothing_is_none(account: Open, reply: str) -> None:
    a = await account()
    a.service.faults.append(
        Fault("status", "POST /scrobble", times=5, status=201, body=reply)
    )
    for number, action in enumerate(ScrobbleAction):
        receipt = await tell(a, next_item(a), action, viewing=str(number))
        assert receipt.outcome is Outcome.NOT_FOUND
    a.service.clock.advance(LOCK)
    (receipt,) = await a.send(CheckIn(item=next_item(a)))
    assert receipt.outcome is Outcome.NOT_FOUND


async def test_a_namesake_is_not_counted(account: Open) -> None:
    a = await account()
    namesake = unwatched_movie(a)
    item = Movie(title=namesake.title, year=namesake.year, ids=Ids.of(imdb="tt9999999"))
    receipt = await tell(a, item, START)
    assert receipt.outcome is Outcome.NOT_FOUND, "matched by name, the id is another"
    assert a.service.state()["watching"]
    (receipt,) = await a.send(scrobble(a, item, START))
    assert (receipt.outcome, a.paths()) == (Outcome.NOT_FOUND, [])
    with pytest.raises(RateLimited):
        await a.send(scrobble(a, item, WATCHED))
    receipt = await tell(a, item, WATCHED)
    assert receipt.outcome is Outcome.NOT_FOUND
    # left alone, Simkl would count it at the next start
    assert [p.rpartition("/")[0] for p in a.paths()] == [
        "POST /scrobble",
        "DELETE /sync/playback",
    ]
    assert body(a, 0)["progress"] == 0
    assert not a.service.state()["watching"] and not a.service.player.paused
    receipt = await tell(a, item, WATCHED)
    assert (receipt.outcome, a.paths()) == (Outcome.NOT_FOUND, [])
    assert not a.entry(namesake).watched
    # once the right title was chosen, it is sent
    receipt = await tell(a, movie_item(namesake), WATCHED)
    assert receipt.outcome is Outcome.DONE


async def test_a_namesake_that_ended_by_itself(account: Open) -> None:
    a = await account()
    namesake = seen_movie(a)
    item = Movie(title=namesake.title, year=namesake.year, ids=Ids.of(imdb="tt9999999"))
    await tell(a, item, START)
    a.service.faults.append(
        Fault("status", "POST", status=409, body='{"error":"already_watched"}')
    )
    receipt = await tell(a, item, STOP)
    assert (receipt.outcome, a.paths()) == (Outcome.NOT_FOUND, ["POST /scrobble/stop"])
    # without a start before it there is no warning: it is told, at least
    receipt = await tell(a, item, WATCHED, viewing="two")
    assert receipt.outcome is Outcome.NOT_FOUND


def test_what_a_reply_means() -> None:
    show = Show(title="Show", ids=Ids.of(tvdb=1, tmdb=2, imdb="tt3"))
    cour = Show(title="Cour", ids=Ids.of(simkl=7, tvdb=1), anime=True)
    film = Movie(title="Film", ids=Ids.of(imdb="tt5", tmdb=6))
    two = Episode(show=show, season=2, number=4)
    four = Episode(show=cour, season=1, number=4)

    def means(item: Playable, **reply: Any) -> bool:
        return Echo.from_dict(reply).means(item)

    def ids(**values: Any) -> dict[str, Any]:
        return {"ids": values}

    assert means(film, movie=ids(imdb="tt0000005"))
    assert means(film, movie=ids(simkl=1))
    assert means(film, movie=ids(imdb="tt5", tmdb="7"))
    assert means(film, anime=ids(simkl=1))
    assert not means(film, movie=ids(imdb="tt6"))
    assert not means(film, show=ids(imdb="tt5"))
    assert not means(film, anime=ids(simkl=1), episode={"number": 1})
    assert not means(film)
    assert means(two, show=ids(tvdb="1"), episode={"season": 2, "number": 4})
    assert means(two, show=ids(tvdb=1), episode={"season": "2", "episode": "4"})
    assert means(two, show=ids(tvdb=1))
    assert not means(two, show=ids(tvdb=1), episode={"season": 2, "number": 5})
    assert not means(two, show=ids(tvdb=9), episode={"season": 2, "number": 4})
    assert not means(two, movie=ids(tvdb=1))
    # an anime's own numbers begin anew with every cour, which has ids of its own
    mapped = {"season": 1, "number": 4, "tvdb_season": 2, "tvdb_number": 4}
    assert means(two, anime=ids(simkl=8, tvdb="99"), episode=mapped)
    other = mapped | {"tvdb_number": 5}
    assert not means(two, anime=ids(simkl=8), episode=other)
    assert means(two, anime=ids(simkl=8), episode={"season": 1, "number": 4})
    assert means(four, anime=ids(simkl=7), episode=mapped)
    assert means(four, anime=ids(simkl=7), episode={"title": "?"})
    assert not means(four, anime=ids(simkl=7), episode={"season": 1, "number": 5})
    assert not means(four, anime=ids(simkl=6), episode=mapped)


async def test_what_the_library_knows_as_watched(account: Open) -> None:
    a = await account()
    library = a.known
    key, row = next(
        (key, row)
        for key, row in library.shows.items()
        if row.seen is not None and row.watched and not row.show.anime
    )
    done = replace(row, seen=None, status=ShowStatus.COMPLETED, watched=row.aired)
    rows = {**library.shows, key: done}
    completed = replace(library, shows=rows)
    assert was_watched(completed, Episode(show=row.show, season=1, number=1))
    assert not was_watched(completed, Episode(show=row.show, season=0, number=1))
    half = replace(library, shows={key: replace(row, seen=None)})
    assert not was_watched(half, Episode(show=row.show, season=1, number=1))
    stranger = Show(title="?", ids=Ids.of(simkl=5))
    assert not was_watched(library, Episode(show=stranger, season=1, number=1))
    play = next(p for p in library.plays if isinstance(p.item, Episode))
    assert last_watched(library, play.item) == play.watched_at
    assert last_watched(library, Episode(show=stranger, season=1, number=1)) is None
    assert last_watched(library, Movie(title="?", ids=Ids.of(simkl=5))) is None


# pace -------------------------------------------------------------------------------------------------------


async def test_scrobbles_keep_their_distance_to_every_write(account: Open) -> None:
    a = await account(pacing=True)
    item, movie = next_item(a), movie_item(unwatched_movie(a))
    (receipt,) = await a.send(MarkWatched(item=movie, watched_at="unknown"))
    assert receipt.outcome is Outcome.DONE
    a.service.requests.clear()
    writes = [scrobble(a, item, action) for action in ScrobbleAction]
    for write in (*writes, CheckIn(item=item)):
        a.service.clock.advance(1)
        with pytest.raises(RateLimited) as caught:
            await a.send(write)
        assert a.paths() == [], "Simkl is not even asked"
    assert caught.value.retry_after == pytest.approx(15, abs=2)
    a.service.clock.advance(caught.value.retry_after)
    a.service._last_post = 0
    (receipt,) = await a.send(writes[0])
    assert receipt.outcome is Outcome.DONE
    with pytest.raises(RateLimited) as caught:
        await a.send(writes[-1])
    assert caught.value.retry_after == pytest.approx(LOCK, abs=2)
    a.service.clock.advance(caught.value.retry_after)
    a.service._last_post = 0
    (receipt,) = await a.send(writes[-1])
    assert receipt.outcome is Outcome.DONE, "delayed, never dropped"


async def test_a_clock_that_is_set_back_holds_nothing_up(account: Open) -> None:
    a = await account()
    await tell(a, next_item(a), START)
    a.service.clock.advance(-3600)
    (receipt,) = await a.send(scrobble(a, next_item(a), PAUSE))
    assert receipt.outcome is Outcome.DONE


async def test_somebody_elses_write_is_waited_for(account: Open) -> None:
    a = await account(pacing=True)
    item, before = next_item(a), plays(a)
    write = scrobble(a, item, WATCHED)
    for wait in (20, 60, 300, 300):
        a.service.lock(1000)
        a.service._last_post = 0
        with pytest.raises(RateLimited) as caught:
            await a.send(write)
        assert caught.value.retry_after == wait
        assert a.paths() == ["POST /scrobble/stop"]
        a.service.clock.advance(wait)
    a.service.lock(0)
    a.service._last_post = 0
    (receipt,) = await a.send(write)
    assert receipt.outcome is Outcome.DONE and plays(a) == before + 1
    a.service.clock.advance(LOCK)
    a.service.lock(1000)
    a.service._last_post = 0
    with pytest.raises(RateLimited) as caught:
        await a.send(scrobble(a, item, START))
    assert caught.value.retry_after == LOCK, "patience is short again after a success"


@pytest.mark.parametrize(("left", "limit"), [(49, None), (3, 40)])
async def test_the_rest_of_the_day_is_kept_for_what_counts(
    account: Open, left: int, limit: int | None
) -> None:
    a = await account()
    item = next_item(a)
    assert (await tell(a, item, START)).outcome is Outcome.DONE
    a.service.quota = limit
    a.service.used = (limit or 500) - left - 1
    await a.refresh()
    assert a.tracker.quota is not None and a.tracker.quota.remaining <= left
    other = {"viewing": "two"}
    for action in (START, PAUSE):
        receipt = await tell(a, item, action, **other)
        assert (receipt.outcome, receipt.reason) == (Outcome.REFUSED, "quota_low")
        assert a.paths() == []
    # what Simkl takes to be going on has to be ended: it would count at the next start
    receipt = await tell(a, item, PAUSE)
    assert (receipt.outcome, len(a.paths())) == (Outcome.DONE, 1)
    receipt = await tell(a, item, PAUSE)
    assert receipt.outcome is Outcome.REFUSED
    if limit is None:
        for action in (STOP, WATCHED):
            receipt = await tell(a, item, action, **other)
            assert receipt.outcome is Outcome.DONE
        a.service.clock.advance(LOCK)
        (receipt,) = await a.send(CheckIn(item=movie_item(unwatched_movie(a))))
        assert receipt.outcome is Outcome.DONE


async def test_a_quota_without_a_limit_told(account: Open) -> None:
    a = await account()
    assert a.tracker._api._quota is not None
    for remaining, outcome in ((49, Outcome.REFUSED), (50, Outcome.DONE)):
        a.tracker._api._quota = replace(
            a.tracker._api._quota, remaining=remaining, limit=None
        )
        assert (await tell(a, next_item(a), START)).outcome is outcome


async def test_a_day_that_is_used_up(account: Open) -> None:
    a = await account()
    item, before = next_item(a), plays(a)
    a.service.used = 500
    with pytest.raises(QuotaExhausted):
        await tell(a, item, WATCHED)
    receipt = await tell(a, item, START)
    assert (receipt.outcome, receipt.reason) == (Outcome.REFUSED, "quota_low")
    with pytest.raises(QuotaExhausted) as caught:
        await tell(a, item, WATCHED)
    assert a.paths() == []
    write = scrobble(a, item, WATCHED)
    a.service.clock.advance(caught.value.retry_after + 1)
    (receipt,) = await a.send(write)
    assert receipt.outcome is Outcome.DONE and plays(a) == before + 1
    assert receipt.plays[0].watched_at == write.at


# faults -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("later", [0, 3600])
@pytest.mark.parametrize(
    ("fault", "carried_out"),
    [
        (Fault("lost"), True),
        (Fault("drop"), True),
        (Fault("broken_json"), True),
        (Fault("reset"), False),
        (Fault("empty"), False),
        (Fault("html"), False),
        (Fault("html", status=503), False),
        (Fault("status", status=502), False),
        (Fault("status", status=500, body='{"error":"internal"}'), False),
    ],
)
async def test_one_play_in_the_end(
    account: Open, fault: Fault, carried_out: bool, later: int
) -> None:
    a = await account()
    show, episode = following(a)
    item, before = next_item(a), plays(a)
    write = scrobble(a, item, WATCHED)
    a.service.faults.append(replace(fault, match="POST /scrobble/stop"))
    with pytest.raises(Unsure):
        await a.send(write)
    assert (plays(a) == before + 1) is carried_out
    a.service.clock.advance(LOCK + later)
    (receipt,) = await a.send(write, unsure=True)
    assert a.paths() == ["POST /sync/history"]
    assert plays(a) == before + 1
    # done by the one or the other attempt, and it can be undone
    assert receipt.outcome is Outcome.DONE
    assert [p.watched_at for p in receipt.plays] == [write.at]
    assert (episode.season, episode.number) in a.entry(show).watched
    (receipt,) = await a.send(RemovePlays(item=receipt.plays[0].item))
    assert receipt.outcome is Outcome.DONE and plays(a) == before


class Heard:
    """A listener of an outbox that remembers receipts."""

    def __init__(self) -> None:
        self.receipts: list[Receipt] = []

    def settled(self, settled: Sequence[tuple[OutboxEntry, Receipt]]) -> None:
        self.receipts += [receipt for _, receipt in settled]

    def changed(self) -> None:
        pass

    def halted(self, error: Exception) -> None:
        raise error


async def test_an_evening_through_the_outbox(account: Open, tmp_path: Path) -> None:
    a = await account(pacing=True)
    item, before = next_item(a), plays(a)
    database = Database(tmp_path / "up_next.db")
    await database.open()
    heard, clock = Heard(), a.service.clock
    outbox = Outbox(a.tracker, OutboxTable(database, "a"), heard, now=clock.now)

    async def pass_on(seconds: float) -> float | None:
        clock.advance(seconds)
        a.service._last_post = 0
        return await outbox.flush()

    a.service.requests.clear()
    await outbox.put([scrobble(a, item, START, progress=1)])
    assert await pass_on(0) is None
    # paused and gone on within the lock: only what is true by then is told
    await outbox.put([scrobble(a, item, PAUSE), scrobble(a, item, START)])
    assert await pass_on(5) == pytest.approx(15, abs=2)
    assert await pass_on(20) is None
    write = scrobble(a, item, WATCHED)
    await outbox.put([write])
    a.service.faults.append(Fault("lost", "POST /scrobble/stop"))
    assert await pass_on(20) == pytest.approx(30, abs=7)
    assert await pass_on(40) is None
    assert a.paths() == [
        "POST /scrobble/start",
        "POST /scrobble/start",
        "POST /scrobble/stop",
        "POST /sync/history",
    ]
    assert plays(a) == before + 1
    assert [p.watched_at for p in heard.receipts[-1].plays] == [write.at]
    assert outbox.pending == () and outbox.failed == ()
    await database.close()


@pytest.mark.parametrize("kind", ["lost", "drop"])
async def test_a_lost_answer_that_a_refresh_has_made_up_for(
    account: Open, kind: str
) -> None:
    a = await account()
    movie = unwatched_movie(a)
    for item in (next_item(a), movie_item(movie)):
        write = scrobble(a, item, WATCHED)
        a.service.faults.append(Fault(kind, "POST /scrobble/stop"))
        with pytest.raises(Unsure):
            await a.send(write)
        await a.refresh()
        a.service.clock.advance(LOCK)
        (receipt,) = await a.send(write, unsure=True)
        assert (receipt.outcome, len(receipt.plays)) == (Outcome.DONE, 1)
        a.service.clock.advance(LOCK)
    # what was watched long before is not what the lost attempt did
    write = scrobble(a, movie_item(seen_movie(a)), WATCHED)
    later = a.service.clock.now() + timedelta(hours=5)
    write = replace(write, at=later, started_at=later)
    a.service.clock.advance(6 * 3600)
    (receipt,) = await a.send(write, unsure=True)
    assert receipt == Receipt(outcome=Outcome.ALREADY)


@pytest.mark.parametrize("action", [START, PAUSE, STOP])
@pytest.mark.parametrize("kind", ["lost", "drop", "reset", "html", "broken_json"])
async def test_positions_may_be_told_twice(
    account: Open, action: ScrobbleAction, kind: str
) -> None:
    a = await account()
    item, before = next_item(a), plays(a)
    a.service.faults.append(Fault(kind, "POST /scrobble"))
    with pytest.raises(Unavailable) as caught:
        await tell(a, item, action)
    assert not isinstance(caught.value, Unsure)
    assert (await tell(a, item, action)).outcome is Outcome.DONE
    assert plays(a) == before
    assert len(a.service.player.paused) == (action is not START)


async def test_a_token_that_expires_at_that_moment(account: Open) -> None:
    a = await account()
    item, before = next_item(a), plays(a)
    a.service.expire_tokens()
    receipt = await tell(a, item, WATCHED)
    assert receipt.outcome is Outcome.DONE and plays(a) == before + 1
    assert a.service.count("POST /oauth2/token") == 1
    a.service.revoke_tokens()
    with pytest.raises(SignInRequired):
        await tell(a, item, STOP)


@pytest.mark.parametrize(
    ("status", "word", "error"),
    [
        (429, "rate_limit", RateLimited),
        (429, "app_limit_exceeded", QuotaExhausted),
        (403, "insufficient_scope", SignInRequired),
        (412, "client_id_failed", RateLimited),
    ],
)
async def test_what_the_outbox_has_to_wait_for(
    account: Open, status: int, word: str, error: type[Exception]
) -> None:
    a = await account()
    reply = json.dumps({"error": word, "code": status})
    a.service.faults.append(Fault("status", "POST", status=status, body=reply))
    with pytest.raises(error):
        await tell(a, next_item(a), WATCHED)


async def test_refusals(account: Open) -> None:
    a = await account()
    for action in ScrobbleAction:
        a.service.faults.append(
            Fault("status", "POST", status=400, body='{"error":"wrong_parameter"}')
        )
        receipt = await tell(a, next_item(a), action)
        assert (receipt.outcome, receipt.reason) == (Outcome.REFUSED, "refused")
    # while the lock is reported without its name, it is a refusal; with it, never
    a.service.faults.append(Fault("status", "POST", status=400, body=LOCKED.lower()))
    with pytest.raises(RateLimited):
        await tell(a, next_item(a), WATCHED)


# checking in ------------------------------------------------------------------------------------------------


async def test_a_check_in_counts_by_itself(account: Open) -> None:
    a = await account()
    movie, before = unwatched_movie(a), plays(a)
    (receipt,) = await a.send(CheckIn(item=movie_item(movie, "imdb")))
    assert receipt == Receipt(outcome=Outcome.DONE)
    assert a.paths() == ["POST /scrobble/checkin"]
    assert set(body(a)) == {"movie"}
    a.service.clock.advance(movie.runtime - 60)
    await a.refresh()
    assert plays(a) == before
    a.service.clock.advance(120)
    await a.refresh()
    assert plays(a) == before + 1
    assert a.known.movies[str(movie.ids["simkl"])].watched


async def test_a_check_in_once_more(account: Open) -> None:
    a = await account()
    item, before = next_item(a), plays(a)
    a.service.faults.append(Fault("lost", "POST /scrobble/checkin"))
    with pytest.raises(Unavailable):
        await a.send(CheckIn(item=item))
    a.service.clock.advance(LOCK)
    (receipt,) = await a.send(CheckIn(item=item), unsure=True)
    assert receipt.outcome is Outcome.DONE
    a.service.faults.append(
        Fault("status", "POST", status=409, body='{"error":"already_watched"}')
    )
    a.service.clock.advance(LOCK)
    (receipt,) = await a.send(CheckIn(item=item))
    assert receipt.outcome is Outcome.ALREADY
    a.service.clock.advance(4 * 3600)
    assert plays(a) == before + 1


# what an account may ----------------------------------------------------------------------------------------


async def test_a_read_only_grant_can_only_read(account: Open) -> None:
    a = await account()
    assert a.known.account.can == a.tracker.may
    tokens = a.store.tokens
    assert tokens is not None
    a.store.tokens = replace(tokens, scope=READ)
    await a.refresh()
    can = a.known.account.can
    assert not can & WRITING and can & Capability.UNWATCHED
    assert len(a.service.requests) == 1
    assert (await a.tracker.account()).can == can
    # signed in again, it can again; unknown scopes are believed in
    for scope in (tokens.scope, None):
        a.store.tokens = replace(tokens, scope=scope)
        await a.refresh()
        assert a.known.account.can == a.tracker.may
        a.store.tokens = replace(tokens, scope=READ)
        await a.refresh()


async def test_an_account_of_an_older_version_learns_to_scrobble(account: Open) -> None:
    a = await account()
    old = a.known.account.can & ~(Capability.SCROBBLE | Capability.CHECK_IN)
    a.library = replace(a.known, account=replace(a.known.account, can=old))
    await a.refresh()
    assert a.known.account.can & Capability.SCROBBLE
    assert len(a.service.requests) == 1
    before = a.known
    await a.refresh()
    assert a.known is before
