"""Trakt v1: what a player plays, against the simulator over real HTTP."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
import json
from pathlib import Path
from typing import Any

import pytest

from custom_components.up_next.account import Capability
from custom_components.up_next.media import Episode, Ids, Movie, Playable
from custom_components.up_next.outbox import Outbox
from custom_components.up_next.storage import Database, OutboxTable
from custom_components.up_next.trackers.errors import (
    AccessDenied,
    RateLimited,
    SignInRequired,
    Unsure,
)
from custom_components.up_next.trackers.trakt_v1 import TraktV1
from custom_components.up_next.writes import (
    CheckIn,
    Outcome,
    Receipt,
    Scrobble,
    ScrobbleAction,
)
from simulators.service import Fault

from .trakt_v1_account import Account, episode_of, movie_of, open_account

START, PAUSE, STOP, WATCHED = ScrobbleAction
STRANGER = Movie(title="Nobody knows it", year=1999, ids=Ids.of(imdb="tt0000009"))
HOUR = timedelta(hours=1)
FILM = 500_150
"""Not watched yet."""


@pytest.fixture
async def account(serve: Any, make_context: Any, clock: Any) -> Account:
    clock.freeze(clock.now().replace(microsecond=0))
    return await open_account(serve, make_context, movies=160)


def told(
    account: Account,
    item: Playable,
    action: ScrobbleAction,
    progress: float | None = None,
    *,
    ago: timedelta = timedelta(),
    viewing: str = "v",
    position: float | None = None,
) -> Scrobble:
    at = account.sim.clock.now() - ago
    return Scrobble(
        item=item,
        action=action,
        at=at,
        viewing=viewing,
        started_at=at - HOUR,
        progress=progress,
        position=position,
    )


def posted(account: Account, path: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Return what was posted, as (method, body without the login)."""
    found = []
    for request in account.sim.requests:
        method = request.path.strip("/").rpartition("/")[0]
        if request.method == "POST" and path in method:
            body = json.loads(request.body)
            del body["username"], body["password"]
            found.append((method, body))
    return found


def plays(account: Account, movie: int) -> list[int]:
    return account.sim.movies.get(movie, [])


def begun(account: Account) -> tuple[Any, Episode]:
    """Return a show in progress and its next episode."""
    show = account.begun(left=2)
    return show, replace(episode_of(show, account.left(show)[0]), runtime=2700)


def test_what_it_can() -> None:
    assert Capability.SCROBBLE | Capability.HEARTBEAT in TraktV1.may
    assert Capability.CHECK_IN not in TraktV1.may
    assert not TraktV1.rhythm.seeks


async def test_a_start_is_watching(account: Account) -> None:
    show, item = begun(account)
    item = replace(item, ids=Ids.of(tvdb=77))
    [receipt] = await account.send(told(account, item, START, 25.9))
    assert receipt == Receipt(outcome=Outcome.DONE)
    today = account.sim.clock.now()
    assert posted(account) == [
        (
            "show/watching",
            {
                "imdb_id": show.ids["imdb"],
                "tvdb_id": show.ids["tvdb"],
                "title": show.title,
                "year": show.year,
                "season": item.season,
                "episode": item.number,
                "episode_tvdb_id": 77,
                "duration": 45,
                "progress": 25,
                "plugin_version": "0.0.0",
                "media_center_version": "0.0.0",
                "media_center_date": f"{today:%b} {today.day} {today.year}",
            },
        )
    ]
    library = await account.refresh()
    assert library.watching is not None
    # it has to be repeated, which may be done any number of times
    account.sim.clock.advance(15 * 60)
    assert (await account.refresh()).watching is None
    await account.send(told(account, item, START, 58))
    await account.send(told(account, item, START, 59))
    assert (await account.refresh()).watching is not None


@pytest.mark.parametrize(
    ("runtime", "progress", "position", "sent"),
    [
        (7200, 10.0, 720.0, (120, 10)),
        (None, 25.0, 1500.0, (100, 25)),
        (None, 50.0, 1800.0, (60, 50)),
        (None, None, None, (100, 0)),
        (None, 0.0, 3.0, (100, 0)),
        (20, 101.7, None, (100, 100)),
        (7200, -4.0, None, (120, 0)),
    ],
)
async def test_the_server_wants_a_length(
    account: Account,
    runtime: int | None,
    progress: float | None,
    position: float | None,
    sent: tuple[int, int],
) -> None:
    item = replace(movie_of(account, FILM), runtime=runtime)
    [receipt] = await account.send(
        told(account, item, START, progress, position=position)
    )
    assert receipt.outcome is Outcome.DONE
    [(method, body)] = posted(account)
    assert method == "movie/watching"
    assert (body["duration"], body["progress"]) == sent


@pytest.mark.parametrize("action", [PAUSE, STOP])
async def test_an_end_without_counting(
    account: Account, action: ScrobbleAction
) -> None:
    item = movie_of(account, FILM)
    for write in (told(account, item, START, 1), told(account, item, action, 97)):
        [receipt] = await account.send(write)
        assert receipt.outcome is Outcome.DONE
    assert posted(account, "cancel") == [("movie/cancelwatching", {})]
    assert account.sim.playing is None
    assert plays(account, FILM) == []


async def test_only_what_is_meant_is_cancelled(account: Account) -> None:
    """Cancelling names no title: in another room something else may have begun."""
    _, other = begun(account)
    item = movie_of(account, FILM)
    await account.send(told(account, item, START, 1))
    await account.send(told(account, other, START, 1, viewing="w"))
    [receipt] = await account.send(told(account, item, STOP, 50))
    assert receipt.outcome is Outcome.ALREADY
    assert account.sim.playing is not None
    [receipt] = await account.send(told(account, other, STOP, 50, viewing="w"))
    assert receipt.outcome is Outcome.DONE
    assert account.sim.playing is None
    # after a restart it is not known: what stopped last is cancelled
    await account.send(told(account, item, START, 1))
    account.tracker = TraktV1(account.context)
    await account.send(told(account, item, STOP, 50))
    assert account.sim.playing is None


async def test_what_was_watched_is_scrobbled(account: Account) -> None:
    show, item = begun(account)
    library = await account.settled()
    await account.send(told(account, item, START, 1))
    write = told(account, item, WATCHED, 62)
    [receipt] = await account.send(write)
    assert receipt.outcome is Outcome.DONE
    assert [(p.item, p.watched_at) for p in receipt.plays] == [(item, write.at)]
    assert posted(account, "scrobble")[0][1]["progress"] == 62
    assert len(account.plays(show, item.season, item.number)) == 1
    assert account.sim.playing is None
    after = await account.refresh(library)
    assert account.unwatched(after) == account.unwatched(library) - 1
    # the next one's stop has nothing to do with it
    await account.send(told(account, item, STOP, 5, viewing="w"))
    assert len(posted(account, "cancelwatching")) == 1


async def test_a_second_viewing_is_a_second_play(account: Account) -> None:
    item = replace(movie_of(account, FILM), runtime=6000)
    for _ in range(2):
        [receipt] = await account.send(told(account, item, WATCHED, 90))
        assert receipt.outcome is Outcome.DONE
        account.sim.clock.advance(7000)
    assert len(plays(account, FILM)) == 2


async def test_what_the_server_counted_already(account: Account) -> None:
    item = replace(movie_of(account, FILM), runtime=6000)
    await account.send(told(account, item, WATCHED, 90))
    [receipt] = await account.send(told(account, item, WATCHED, 90))
    assert receipt.outcome is Outcome.ALREADY
    # in whatever words: a look at what is settles it
    body = '{"status":"failure","error":"no, not again"}'
    account.sim.faults.append(Fault("status", "scrobble", status=200, body=body))
    [receipt] = await account.send(told(account, item, WATCHED, 90))
    assert receipt.outcome is Outcome.ALREADY
    assert len(plays(account, FILM)) == 1


@pytest.mark.parametrize("action", list(ScrobbleAction))
async def test_what_the_server_does_not_know(
    account: Account, action: ScrobbleAction
) -> None:
    _, item = begun(account)
    for strange in (STRANGER, replace(item, season=77)):
        for ago in (timedelta(), HOUR):
            [receipt] = await account.send(told(account, strange, action, 90, ago=ago))
            if action in (START, WATCHED):
                assert receipt.outcome is Outcome.NOT_FOUND
            else:
                # nothing is named
                assert receipt.outcome is Outcome.DONE


async def test_a_refused_start_is_no_matter(account: Account) -> None:
    item = replace(movie_of(account, FILM), year=None)
    [receipt] = await account.send(told(account, item, START, 1))
    assert (receipt.outcome, receipt.reason) == (Outcome.REFUSED, "refused")
    # what was watched is marked instead
    [receipt] = await account.send(told(account, item, WATCHED, 90))
    assert receipt.outcome is Outcome.DONE
    assert len(plays(account, FILM)) == 1


async def test_what_ended_a_while_ago_keeps_its_time(account: Account) -> None:
    show, item = begun(account)
    write = told(account, item, WATCHED, 97, ago=timedelta(minutes=16))
    film = told(account, movie_of(account, FILM), WATCHED, 97, ago=5 * HOUR)
    for each in (write, film):
        [receipt] = await account.send(each)
        assert receipt.outcome is Outcome.DONE
        assert [p.watched_at for p in receipt.plays] == [each.at]
    assert posted(account, "scrobble") == []
    assert account.plays(show, item.season, item.number) == [int(write.at.timestamp())]
    assert plays(account, FILM) == [int(film.at.timestamp())]
    for each in (write, film):
        [receipt] = await account.send(each)
        assert receipt.outcome is Outcome.ALREADY


async def test_a_key_that_may_not_scrobble(account: Account) -> None:
    account.sim.may_scrobble = False
    item = movie_of(account, FILM)
    reasons = []
    for action in ScrobbleAction:
        [receipt] = await account.send(told(account, item, action, 90))
        reasons.append(receipt.reason)
    assert reasons == ["no_scrobble_permission"] * 3 + [None]
    assert len(plays(account, FILM)) == 1


@pytest.mark.parametrize("action", list(ScrobbleAction))
@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("invalid API key", AccessDenied),
        ("failed authentication", SignInRequired),
        ("server is over capacity", RateLimited),
    ],
)
async def test_what_keeps_it_for_later(
    account: Account, action: ScrobbleAction, words: str, error: type[Exception]
) -> None:
    body = json.dumps({"status": "failure", "error": words})
    account.sim.faults.append(Fault("status", "POST", times=9, status=401, body=body))
    with pytest.raises(error):
        await account.send(told(account, movie_of(account, FILM), action, 90))


@pytest.mark.parametrize("kind", ["lost", "reset", "drop", "broken_json", "empty"])
async def test_a_lost_answer_makes_the_next_attempt_look(
    account: Account, kind: str
) -> None:
    show, item = begun(account)
    write = told(account, item, WATCHED, 90)
    account.sim.faults.append(Fault(kind, "scrobble"))
    with pytest.raises(Unsure):
        await account.send(write)
    [receipt] = await account.send(write, unsure=True)
    assert receipt.outcome is Outcome.DONE
    assert len(account.plays(show, item.season, item.number)) == 1


async def test_a_lost_answer_for_a_special(account: Account) -> None:
    """Whether one was seen can't be read; a server refuses to count the same viewing again."""
    show = next(
        s
        for s in account.sim.catalogue.shows
        if s.episode(0, 1) is not None and not account.plays(s, 0, 1)
    )
    special = show.episode(0, 1)
    assert special is not None
    item = replace(episode_of(show, special), runtime=2700)
    write = told(account, item, WATCHED, 90)
    account.sim.faults.append(Fault("lost", "scrobble"))
    with pytest.raises(Unsure):
        await account.send(write)
    [receipt] = await account.send(write, unsure=True)
    assert receipt.outcome is Outcome.ALREADY
    assert len(account.plays(show, 0, 1)) == 1


async def test_check_ins_are_not_known(account: Account) -> None:
    [receipt] = await account.send(CheckIn(item=movie_of(account, FILM)))
    assert (receipt.outcome, receipt.reason) == (Outcome.REFUSED, "not_supported")


class Ears:
    def settled(self, settled: Any) -> None:
        pass

    def changed(self) -> None:
        pass

    def halted(self, error: Any) -> None:
        raise AssertionError(error)


async def test_whatever_fails_each_film_is_counted_once(
    account: Account, tmp_path: Path
) -> None:
    database = Database(tmp_path / "up_next.db")
    await database.open()
    outbox = Outbox(
        account.tracker,
        OutboxTable(database, "entry"),
        Ears(),
        now=account.sim.clock.now,
    )
    fresh = [n for n in range(500_000, 500_160) if not plays(account, n)]
    kinds = ["lost", "reset", "drop", "broken_json", "empty", "500", "503"]
    for first in kinds:
        for second in kinds:
            film = fresh.pop()
            item = movie_of(account, film)
            end = told(account, item, WATCHED, 97, viewing=f"{film}")
            for kind, match in ((first, "scrobble"), (second, "movie/")):
                code = int(kind) if kind.isdigit() else 500
                account.sim.faults.append(
                    Fault("status" if kind.isdigit() else kind, match, status=code)
                )
            await outbox.put([told(account, item, PAUSE, 5, viewing=f"{film}"), end])
            while (pause := await outbox.flush()) is not None:
                account.sim.clock.advance(pause + 1)
            account.sim.faults.clear()
            assert len(plays(account, film)) == 1, (first, second)
    assert (outbox.pending, outbox.failed) == ((), ())
    await database.close()
