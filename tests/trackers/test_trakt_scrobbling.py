"""Telling Trakt what a player plays: one play in the end, never two, never none."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from custom_components.up_next.account import Capability
from custom_components.up_next.media import Episode, Ids, Movie, Playable, Show
from custom_components.up_next.outbox import Outbox, State
from custom_components.up_next.storage import Database, OutboxTable
from custom_components.up_next.trackers import transport
from custom_components.up_next.trackers.errors import (
    AccessDenied,
    LimitReached,
    RateLimited,
    Unsure,
)
from custom_components.up_next.trackers.trakt import Trakt, scrobbling
from custom_components.up_next.trackers.transport import Transport
from custom_components.up_next.writes import (
    CheckIn,
    Outcome,
    Receipt,
    RemovePlays,
    Scrobble,
    ScrobbleAction,
    SetProgress,
)
from simulators.service import Fault
from simulators.trakt import Trakt as Service

from .trakt_help import House, enter, episode, lagging, movie, show

START, PAUSE, STOP, WATCHED = ScrobbleAction
STRANGER = Movie(title="Nobody knows it", year=1999, ids=Ids.of(tmdb=1))
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Transport, "retry_delays", (0.0, 0.0))


@pytest.fixture
async def house(serve: Any, make_context: Any, clock: Any) -> House:
    service: Service = await serve(Service, shows=30, movies=150)
    # in mid-minute: Trakt cuts times to the minute
    clock.freeze(clock.now().replace(second=30, microsecond=0))
    service.pacing = False
    return enter(service, make_context(service.base_url))


def told(
    house: House,
    item: Playable,
    action: ScrobbleAction,
    progress: float | None = None,
    *,
    ago: timedelta = timedelta(),
    **more: Any,
) -> Scrobble:
    """Return what the scrobbler tells: true `ago`, of a viewing that began 50 minutes before."""
    at = house.service.clock.now() - ago
    values: dict[str, Any] = {
        "viewing": "v",
        "started_at": at - timedelta(minutes=50),
        **more,
    }
    return Scrobble(item=item, action=action, at=at, progress=progress, **values)


def posted(house: House, path: str = "/scrobble") -> list[tuple[str, Any]]:
    """Return what was posted, as (path, body)."""
    return [
        (r.path, json.loads(r.body))
        for r in house.service.requests
        if r.method == "POST" and r.path.startswith(path)
    ]


def film(house: House, index: int = -1) -> Movie:
    """Return a movie that was not watched yet."""
    fresh = [
        m
        for m in house.service.catalogue.movies
        if not house.service.account.by_media.get(("movie", m.ids["trakt"]))
    ]
    return movie(fresh[index], "tmdb", "imdb")


def number(house: House, item: Movie) -> int:
    found = house.service.catalogue.find_movie(dict(item.ids.values), None, None)
    assert found is not None
    return int(found.ids["trakt"])


def plays(house: House, item: Movie) -> list[datetime]:
    """Return the times of the plays that Trakt holds of a movie."""
    key = ("movie", number(house, item))
    return [p.at for p in house.service.account.by_media.get(key, [])]


def saved(house: House) -> list[float]:
    return [p.progress for p in house.service.account.saved()]


# while it plays


async def test_a_start_is_watching_and_clears_what_was_saved(house: House) -> None:
    which, left = lagging(house.service)
    item = episode(which, left[0], "tvdb")
    house.service.pause(
        show=which.ids["trakt"], season=left[0].season, number=left[0].number
    )
    [receipt] = await house.send(told(house, item, START, 33.3333))
    assert receipt == Receipt(outcome=Outcome.DONE)
    assert saved(house) == []
    library = await house.refresh()
    assert library.watching is not None
    assert library.watching.item.ids.get("trakt") == str(left[0].ids["trakt"])
    assert posted(house) == [
        (
            "/scrobble/start",
            {
                "show": {
                    "ids": {"tvdb": which.ids["tvdb"]},
                    "title": which.title,
                    "year": which.year,
                },
                "episode": {"season": left[0].season, "number": left[0].number},
                "progress": 33.33,
            },
        )
    ]


@pytest.mark.parametrize(
    ("progress", "sent"), [(None, 0.0), (0.004, 0.0), (101.7, 100.0), (-3, 0.0)]
)
async def test_the_progress_of_a_start(
    house: House, progress: float | None, sent: float
) -> None:
    await house.send(told(house, film(house), START, progress))
    [(_, body)] = posted(house)
    assert body["progress"] == sent


async def test_what_names_an_episode(house: House) -> None:
    which, left = lagging(house.service)
    by_own = episode(which, left[0], "tvdb", own=("trakt", "tvdb"))
    # some players tell ids of the episode only
    alone = replace(
        episode(which, left[0], own=("tvdb",)), show=Show(title="Whatever it is called")
    )
    nameless = replace(by_own, ids=Ids(), show=replace(by_own.show, ids=Ids()))
    for item in (by_own, alone, nameless):
        [receipt] = await house.send(told(house, item, START, 1))
        assert receipt.outcome is Outcome.DONE
    bodies = [body for _, body in posted(house)]
    assert bodies[0]["episode"] == {
        "ids": {"trakt": left[0].ids["trakt"], "tvdb": left[0].ids["tvdb"]}
    }
    assert bodies[1] == {
        "episode": {"ids": {"tvdb": left[0].ids["tvdb"]}},
        "progress": 1.0,
    }
    assert bodies[2]["show"] == {"ids": {"trakt": which.ids["trakt"]}}


@pytest.mark.parametrize("action", [PAUSE, STOP])
@pytest.mark.parametrize(
    ("progress", "sent"),
    [(45.678, 45.68), (99.0, 79.9), (79.96, 79.9), (0.2, 1.0), (None, 1.0)],
)
async def test_a_pause_and_a_stop_leave_a_position(
    house: House, action: ScrobbleAction, progress: float | None, sent: float
) -> None:
    item = film(house)
    [_, receipt] = await house.send(
        told(house, item, START, 1), told(house, item, action, progress)
    )
    assert receipt.outcome is Outcome.DONE
    assert [path for path, _ in posted(house)] == ["/scrobble/start", "/scrobble/stop"]
    assert saved(house) == [sent]
    assert house.service.account.watching is None
    assert plays(house, item) == []
    [playback] = (await house.refresh()).playbacks
    assert playback.progress == sent


async def test_one_constant_changes_how_a_pause_is_told(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scrobbling, "PAUSE_PATH", "/scrobble/pause")
    item = film(house)
    await house.send(told(house, item, PAUSE, 99), told(house, item, STOP, 20))
    assert [path for path, _ in posted(house)] == ["/scrobble/pause", "/scrobble/stop"]
    assert saved(house) == [20]


@pytest.mark.parametrize("action", list(ScrobbleAction))
@pytest.mark.parametrize("ago", [timedelta(), HOUR])
async def test_what_trakt_does_not_know(
    house: House, action: ScrobbleAction, ago: timedelta
) -> None:
    which, _ = lagging(house.service)
    for item in (
        STRANGER,
        Movie(title="No such title at all"),
        Episode(show=show(which), season=77, number=1),
    ):
        [receipt] = await house.send(told(house, item, action, 90, ago=ago))
        assert (receipt.outcome, receipt.reason) == ("not_found", "not_found")


# watched


async def test_an_end_is_one_play_that_can_be_undone(house: House) -> None:
    which, left = lagging(house.service, 3)
    library = await house.refresh()
    before = house.unwatched()
    item = episode(which, left[0], "tmdb")
    since = len(house.service.requests)
    _, receipt = await house.send(
        told(house, item, START, 1), told(house, item, WATCHED, 97.316)
    )
    assert receipt.outcome is Outcome.DONE
    [play] = house.service.account.by_media["episode", left[0].ids["trakt"]]
    assert play.action == "scrobble"
    assert [p.id for p in receipt.plays] == [str(play.id)]
    assert posted(house)[-1][1]["progress"] == 97.32
    # what is left of the show is known at once
    assert receipt.progress is not None
    assert receipt.progress.left == len(left) - 1
    following = receipt.progress.next_episode
    assert following is not None
    assert (following.season, following.number) == (left[1].season, left[1].number)
    assert house.paths(since) == [
        "POST /scrobble/start",
        "POST /scrobble/stop",
        f"GET /shows/{which.ids['trakt']}/progress/watched",
    ]
    # and the next refresh sees it
    assert await house.refresh() is not library
    assert house.unwatched() == before - 1
    play_ids = tuple(p.id for p in receipt.plays if p.id)
    [undone] = await house.send(RemovePlays(item=item, play_ids=play_ids))
    assert undone.outcome is Outcome.DONE
    assert not house.service.account.by_media.get(("episode", left[0].ids["trakt"]))


async def test_the_count_is_right_though_reads_are_stale(house: House) -> None:
    which, left = lagging(house.service, 3)
    house.service.account.stale = 9
    item = episode(which, left[0])
    [receipt] = await house.send(told(house, item, WATCHED, 90))
    assert receipt.progress is not None
    assert receipt.progress.left == len(left) - 1


async def test_a_play_is_kept_though_the_count_can_not_be_read(house: House) -> None:
    which, left = lagging(house.service)
    house.service.faults.append(Fault("status", match="progress", times=9, status=503))
    item = episode(which, left[0])
    [receipt] = await house.send(told(house, item, WATCHED, 90))
    assert (receipt.outcome, receipt.progress) == (Outcome.DONE, None)
    assert len(receipt.plays) == 1


@pytest.mark.parametrize(("progress", "sent"), [(80.0, 80.01), (100.4, 100.0)])
async def test_what_counts_is_told_so_that_it_counts(
    house: House, progress: float, sent: float
) -> None:
    item = film(house)
    [receipt] = await house.send(told(house, item, WATCHED, progress))
    assert receipt.outcome is Outcome.DONE
    assert posted(house)[0][1]["progress"] == sent
    assert len(plays(house, item)) == 1


@pytest.mark.parametrize(
    ("progress", "ago"),
    [(62.0, timedelta()), (None, timedelta()), (97.0, timedelta(minutes=16))],
)
async def test_what_a_stop_would_not_count_goes_into_the_history(
    house: House, progress: float | None, ago: timedelta
) -> None:
    """A lower threshold, no length known, told late: Trakt would not count it, or at the wrong time."""
    item = film(house)
    write = told(house, item, WATCHED, progress, ago=ago)
    [receipt] = await house.send(write)
    assert receipt.outcome is Outcome.DONE
    assert plays(house, item) == [write.at.replace(second=0, microsecond=0)]
    [play] = receipt.plays
    [kept] = house.service.account.by_media["movie", number(house, item)]
    assert play.id == str(kept.id)
    assert posted(house) == []
    # an hour later in the queue it is the same
    house.service.clock.advance(3600)
    [receipt] = await house.send(write)
    assert receipt.outcome is Outcome.ALREADY
    assert [p.id for p in receipt.plays] == [str(kept.id)]
    assert len(plays(house, item)) == 1


async def test_an_episode_goes_into_the_history_by_its_numbers(house: House) -> None:
    which, left = lagging(house.service, 3)
    item = episode(which, left[0], "imdb")
    [receipt] = await house.send(told(house, item, WATCHED, 97, ago=HOUR))
    assert receipt.outcome is Outcome.DONE
    assert receipt.progress is not None
    assert receipt.progress.left == len(left) - 1
    assert len(house.service.account.by_media["episode", left[0].ids["trakt"]]) == 1


async def test_a_play_stays_though_its_id_can_not_be_read(house: House) -> None:
    item = film(house)
    write = told(house, item, WATCHED, 97, ago=HOUR)
    # the look before passes, the one after does not
    service = house.service
    real = service.account.add_play

    def add_play(*args: Any) -> Any:
        service.faults.append(Fault("status", match="GET /sync/history", times=9))
        return real(*args)

    service.account.add_play = add_play  # type: ignore[method-assign]
    [receipt] = await house.send(write)
    assert receipt.outcome is Outcome.DONE
    assert [p.id for p in receipt.plays] == [None]
    assert len(plays(house, item)) == 1


async def test_answers_of_the_history_that_say_something_else(house: House) -> None:
    item = film(house)
    write = told(house, item, WATCHED, 97, ago=HOUR)
    house.service.faults.append(Fault("broken_json", match="POST /sync/history"))
    with pytest.raises(Unsure):
        await house.send(write)
    [receipt] = await house.send(write, unsure=True)
    assert (receipt.outcome, len(plays(house, item))) == (Outcome.ALREADY, 1)
    # accounts can be set to keep one play of a title
    body = json.dumps({"added": {"movies": 0, "episodes": 0}, "not_found": {}})
    house.service.faults.append(
        Fault("status", match="POST /sync/history", status=201, body=body)
    )
    [receipt] = await house.send(told(house, film(house), WATCHED, 97, ago=HOUR))
    assert receipt.outcome is Outcome.ALREADY


@pytest.mark.parametrize(
    ("apart", "made"),
    [
        (timedelta(minutes=-29), 1),
        (timedelta(minutes=29), 1),
        (timedelta(minutes=-95), 2),
        (timedelta(minutes=95), 2),
    ],
)
async def test_a_play_of_another_scrobbler_is_the_same_play(
    house: House, apart: timedelta, made: int
) -> None:
    item = replace(film(house), runtime=20 * 60)
    write = told(house, item, WATCHED, 97, ago=3 * HOUR)
    house.service.watch_movie(number(house, item), write.at + apart)
    await house.send(write)
    assert len(plays(house, item)) == made
    # a long title reaches further
    item = replace(film(house, 0), runtime=100 * 60)
    write = told(house, item, WATCHED, 97, ago=3 * HOUR)
    house.service.watch_movie(number(house, item), write.at + apart)
    [receipt] = await house.send(write)
    assert (receipt.outcome, len(plays(house, item))) == (Outcome.ALREADY, 1)


async def test_an_old_play_is_no_reason_to_drop_a_new_one(house: House) -> None:
    item = film(house)
    house.service.watch_movie(
        number(house, item), house.service.clock.now() - 400 * 24 * HOUR
    )
    for ago in (timedelta(), 5 * HOUR):
        [receipt] = await house.send(told(house, item, WATCHED, 97, ago=ago))
        assert receipt.outcome is Outcome.DONE
    assert len(plays(house, item)) == 3


async def test_what_was_counted_a_moment_ago_is_counted(house: House) -> None:
    item = film(house)
    house.service.finish(movie=number(house, item))
    receipts = await house.send(
        told(house, item, WATCHED, 97),
        told(house, item, STOP, 40),
        told(house, item, PAUSE, 40),
        SetProgress(item=item, progress=40),
    )
    assert [r.outcome for r in receipts] == [Outcome.ALREADY] * 4
    assert len(plays(house, item)) == 1
    assert saved(house) == []


@pytest.mark.parametrize("unsure", [False, True])
@pytest.mark.parametrize("late", [False, True])
async def test_a_second_viewing_right_after_the_first_is_a_second_play(
    house: House, unsure: bool, late: bool
) -> None:
    item = film(house)
    length = house.service.account.movie(number(house, item)).runtime
    item = replace(item, runtime=length)
    await house.send(told(house, item, WATCHED, 97))
    began = house.service.clock.now()
    house.service.clock.advance(length * 0.9)
    again = told(
        house, item, WATCHED, 90, rewatch=True, started_at=began, viewing="second"
    )
    if late:
        house.service.clock.advance(3600)
    [receipt] = await house.send(again, unsure=unsure)
    assert receipt.outcome is Outcome.DONE
    assert len(plays(house, item)) == 2
    # and that one is found
    [receipt] = await house.send(again, unsure=True)
    assert (receipt.outcome, len(plays(house, item))) == (Outcome.ALREADY, 2)


async def test_a_check_in_elsewhere_does_not_swallow_a_play(house: House) -> None:
    item, other = film(house), film(house, 0)
    house.service.check_in(movie=number(house, other))
    receipts = await house.send(
        told(house, item, START, 1),
        told(house, item, PAUSE, 30),
        told(house, item, WATCHED, 97),
    )
    # nothing to be loud about: Trakt shows the check-in until it is over
    assert [r.outcome for r in receipts] == [
        Outcome.ALREADY,
        Outcome.ALREADY,
        Outcome.DONE,
    ]
    assert len(plays(house, item)) == 1


async def test_a_check_in_to_the_same_title_counts_by_itself(house: House) -> None:
    item = film(house)
    house.service.check_in(movie=number(house, item))
    [receipt] = await house.send(told(house, item, WATCHED, 97))
    assert receipt.outcome is Outcome.ALREADY
    house.service.clock.advance(6 * 3600)
    await house.refresh()
    assert len(plays(house, item)) == 1


async def test_a_threshold_that_trakt_has_moved(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulators.trakt.scrobbling.WATCHED_FROM", 95.0)
    item = film(house)
    [receipt] = await house.send(told(house, item, WATCHED, 88))
    assert receipt.outcome is Outcome.DONE
    assert len(plays(house, item)) == 1
    assert saved(house) == []


async def test_an_app_that_may_not_scrobble(house: House) -> None:
    house.service.scrobble_permission = False
    item = film(house)
    receipts = await house.send(
        *(told(house, item, action, 90) for action in ScrobbleAction)
    )
    assert [r.reason for r in receipts] == ["no_scrobble_permission"] * 3 + [None]
    assert len(plays(house, item)) == 1
    # an app that is gone is another thing
    house.service.oauth.app_deleted = True
    with pytest.raises(AccessDenied) as caught:
        await house.send(told(house, film(house), WATCHED, 90))
    assert caught.value.translation_key == "app_rejected"


@pytest.mark.parametrize("action", list(ScrobbleAction))
async def test_a_locked_account_keeps_everything(
    house: House, action: ScrobbleAction
) -> None:
    house.service.locked = True
    with pytest.raises(AccessDenied) as caught:
        await house.send(told(house, film(house), action, 90))
    assert caught.value.translation_key == "account_locked"
    with pytest.raises(AccessDenied):
        await house.send(CheckIn(item=film(house)))


@pytest.mark.parametrize("ago", [timedelta(), HOUR])
async def test_a_full_history(house: House, ago: timedelta) -> None:
    house.service.limits["history"] = 1
    with pytest.raises(LimitReached) as caught:
        await house.send(told(house, film(house), WATCHED, 90, ago=ago))
    assert caught.value.placeholders == {"limit": "1"}


async def test_too_many_requests(house: House) -> None:
    for action in ScrobbleAction:
        house.service.faults.append(
            Fault("status", status=429, headers={"Retry-After": "7"})
        )
        with pytest.raises(RateLimited) as caught:
            await house.send(told(house, film(house), action, 90))
        assert caught.value.retry_after == 7


async def test_scrobbles_keep_their_distance(house: House) -> None:
    item = film(house)
    await house.send(
        told(house, item, START, 1),
        told(house, item, PAUSE, 30),
        told(house, item, WATCHED, 97),
    )
    assert house.paths() == [
        "POST /scrobble/start",
        "POST /scrobble/stop",
        "POST /scrobble/stop",
    ]
    assert len([nap for nap in house.naps if nap > 1.0]) >= 2


async def test_an_account_that_was_read_before_scrobbling_was_known(
    house: House,
) -> None:
    library = await house.refresh()
    assert Capability.SCROBBLE | Capability.CHECK_IN in library.account.can
    assert Trakt.rhythm.seeks
    old = replace(library.account, can=Capability.UNWATCHED)
    house.library = replace(library, account=old)
    assert (await house.refresh()).account == library.account


# check-ins


async def test_a_check_in_becomes_a_play_by_itself(house: House) -> None:
    item = film(house)
    [receipt] = await house.send(CheckIn(item=item))
    assert receipt == Receipt(outcome=Outcome.DONE)
    library = await house.refresh()
    assert library.watching is not None
    assert library.watching.item.ids.shares(item.ids)
    assert plays(house, item) == []
    house.service.clock.advance(6 * 3600)
    await house.refresh()
    assert len(plays(house, item)) == 1


async def test_one_check_in_at_a_time(house: House) -> None:
    item = film(house)
    await house.send(CheckIn(item=item))
    current = house.service.account.watching
    assert current is not None
    current.expires_at = house.service.clock.now() + timedelta(minutes=12.2)
    [receipt] = await house.send(CheckIn(item=film(house, 0)))
    assert (receipt.outcome, receipt.reason) == (Outcome.REFUSED, "check_in_active")
    assert receipt.placeholders == {"minutes": "13"}
    house.service.faults.append(Fault("status", status=409, body="not JSON"))
    [receipt] = await house.send(CheckIn(item=item))
    assert (receipt.outcome, receipt.reason) == (Outcome.REFUSED, "refused")


async def test_a_check_in_whose_answer_was_lost(house: House) -> None:
    which, left = lagging(house.service)
    item = episode(which, left[0], "tvdb")
    house.service.faults.append(Fault("lost", match="checkin"))
    with pytest.raises(Unsure):
        await house.send(CheckIn(item=item))
    [receipt] = await house.send(CheckIn(item=item), unsure=True)
    assert receipt.outcome is Outcome.ALREADY
    assert len(posted(house, "/checkin")) == 1
    # one that never arrived is sent
    house.service.stop_playing()
    [receipt] = await house.send(CheckIn(item=item), unsure=True)
    assert receipt.outcome is Outcome.DONE
    # and another one that is under way is not ours
    [receipt] = await house.send(CheckIn(item=film(house)), unsure=True)
    assert receipt.reason == "check_in_active"


async def test_check_ins_that_are_not_possible(house: House) -> None:
    [receipt] = await house.send(CheckIn(item=STRANGER))
    assert receipt.outcome is Outcome.NOT_FOUND
    house.service.checkin_permission = False
    [receipt] = await house.send(CheckIn(item=film(house)))
    assert receipt.reason == "no_scrobble_permission"


# through the outbox, whatever happens


class Ears:
    """A listener that remembers the receipts."""

    def __init__(self) -> None:
        self.receipts: list[Receipt] = []

    def settled(self, settled: Any) -> None:
        self.receipts += [receipt for _, receipt in settled]

    def changed(self) -> None:
        pass

    def halted(self, error: Any) -> None:
        raise AssertionError(error)


class Home:
    """An account with its outbox on disk; `restart` ends the process and starts another one."""

    def __init__(self, house: House, store: OutboxTable) -> None:
        self.house = house
        self.store = store
        self.ears = Ears()
        self.outbox = self._outbox()

    def _outbox(self) -> Outbox:
        now = self.house.service.clock.now
        tracker = Trakt(self.house.context)
        return Outbox(tracker, self.store, self.ears, now=now)

    async def restart(self) -> None:
        self.outbox = self._outbox()
        await self.outbox.load()

    async def deliver(self) -> None:
        """Let time pass until nothing is left."""
        for _ in range(30):
            if (pause := await self.outbox.flush()) is None:
                break
            self.house.service.clock.advance(pause + 1)
        assert self.outbox.pending == ()

    async def killed(self, path: str) -> None:
        """End the process between the request and its answer."""
        count = self.house.service.count(path)
        flush = asyncio.create_task(self.outbox.flush())
        async with asyncio.timeout(5):
            while self.house.service.count(path) == count:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        flush.cancel()
        await asyncio.gather(flush, return_exceptions=True)
        assert State.SENDING in [entry.state for entry in await self.store.load()]
        await self.restart()


@pytest.fixture
async def home(house: House, tmp_path: Path) -> Any:
    database = Database(tmp_path / "up_next.db")
    await database.open()
    yield Home(house, OutboxTable(database, "entry"))
    await database.close()


FAULTS = {
    "none": [],
    # carried out, the answer never came
    "cut": [Fault("lost", match="/scrobble/stop")],
    "cut in the answer": [Fault("drop", match="/scrobble/stop")],
    "too slow": [Fault("late", match="/scrobble/stop", seconds=60)],
    "garbled": [Fault("broken_json", match="/scrobble/stop")],
    "a page": [Fault("late", match="/scrobble/stop", seconds=60), Fault("html")],
    "cut twice": [
        Fault("lost", match="/scrobble/stop"),
        Fault("reset", match="/sync/history", times=3),
    ],
    "cut in the look": [
        Fault("lost", match="/scrobble/stop"),
        Fault("drop", match="GET /sync/history", times=4),
    ],
    # not carried out
    "unplugged": [Fault("reset", match="/scrobble/stop")],
    "hanging": [Fault("hang", match="/scrobble/stop", seconds=60)],
    "unplugged, then cut": [
        Fault("reset", match="/scrobble/stop"),
        Fault("lost", match="POST /sync/history"),
    ],
    "500": [Fault("status", match="/scrobble/stop", status=500)],
    "502 and more": [
        Fault("status", match="/scrobble/stop", status=502),
        Fault("status", match="/sync/history", status=503, times=5),
    ],
    "504": [Fault("status", match="/scrobble/stop", status=504)],
    "429": [
        Fault(
            "status", match="/scrobble/stop", status=429, headers={"Retry-After": "2"}
        )
    ],
    "429 for long": [
        Fault(
            "status",
            match="/scrobble/stop",
            status=429,
            headers={"Retry-After": "1800"},
        )
    ],
}


@pytest.mark.parametrize("name", FAULTS)
async def test_the_network_fails_at_the_end_of_a_film(
    home: Home, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        transport, "TIMEOUT", aiohttp.ClientTimeout(total=0.2, connect=0.2)
    )
    house = home.house
    item, following = film(house), film(house, 0)
    await home.outbox.put([told(house, item, START, 1)])
    await home.deliver()
    house.service.clock.advance(50 * 60)
    end = told(house, item, WATCHED, 97)
    house.service.faults += [replace(fault) for fault in FAULTS[name]]
    await home.outbox.put([end])
    await home.outbox.put([told(house, following, STOP, 12, viewing="next")])
    await home.deliver()
    house.service.faults.clear()
    [play] = plays(house, item)
    assert abs(play - end.at) <= timedelta(minutes=2)
    assert saved(house) == [12]
    assert home.outbox.failed == ()
    assert {receipt.outcome for receipt in home.ears.receipts} <= {
        Outcome.DONE,
        Outcome.ALREADY,
    }


@pytest.mark.parametrize("kind", ["late", "hang"])
@pytest.mark.parametrize("after", [timedelta(seconds=20), 5 * HOUR])
async def test_the_process_ends_between_request_and_answer(
    home: Home, kind: str, after: timedelta
) -> None:
    house = home.house
    item = film(house)
    end = told(house, item, WATCHED, 97)
    house.service.faults.append(Fault(kind, match="/scrobble/stop", seconds=60))
    await home.outbox.put([end])
    await home.killed("POST /scrobble/stop")
    house.service.clock.advance(after.total_seconds())
    await home.deliver()
    assert plays(house, item) == [end.at.replace(second=0, microsecond=0)]


@pytest.mark.parametrize("kind", ["late", "hang"])
async def test_the_process_ends_while_a_late_end_is_told(home: Home, kind: str) -> None:
    house = home.house
    item = film(house)
    end = told(house, item, WATCHED, 97, ago=HOUR)
    house.service.faults.append(Fault(kind, match="POST /sync/history", seconds=60))
    await home.outbox.put([end])
    await home.killed("POST /sync/history")
    await home.deliver()
    assert plays(house, item) == [end.at.replace(second=0, microsecond=0)]


async def test_the_token_expires_at_the_end_of_a_film(home: Home) -> None:
    house = home.house
    item = film(house)
    house.service.expire_tokens()
    await home.outbox.put([told(house, item, WATCHED, 97)])
    await home.deliver()
    assert len(plays(house, item)) == 1
    statuses = [r.status for r in house.service.requests if "scrobble" in r.path]
    assert statuses == [401, 201]


async def test_a_whole_evening_without_a_network(home: Home) -> None:
    """What was watched arrives with its time, where one stopped arrives, and nothing of what only began."""
    house = home.house
    first, second, third = film(house, 0), film(house, 1), film(house, 2)
    down = Fault("reset", match="POST", times=10**6)
    house.service.faults.append(down)
    ends = []
    for name, item in (("a", first), ("b", second)):
        await home.outbox.put([told(house, item, START, 1, viewing=name)])
        await home.outbox.flush()
        house.service.clock.advance(1200)
        await home.outbox.put([told(house, item, PAUSE, 20, viewing=name)])
        await home.outbox.flush()
        house.service.clock.advance(4800)
        ends.append(told(house, item, WATCHED, 98, viewing=name))
        await home.outbox.put([ends[-1]])
        await home.outbox.flush()
    await home.outbox.put([told(house, third, START, 1, viewing="c")])
    house.service.clock.advance(1200)
    await home.outbox.put([told(house, third, STOP, 21, viewing="c")])
    await home.outbox.flush()
    await home.restart()
    house.service.clock.advance(4 * 3600)
    house.service.faults.clear()
    since = len(house.service.requests)
    await home.deliver()
    assert plays(house, first) == [ends[0].at.replace(second=0, microsecond=0)]
    assert plays(house, second) == [ends[1].at.replace(second=0, microsecond=0)]
    assert saved(house) == [21]
    posts = [path for path in house.paths(since) if path.startswith("POST")]
    assert posts == ["POST /sync/history"] * 2 + ["POST /scrobble/stop"]
    assert home.outbox.failed == ()


@pytest.mark.parametrize("status", [400, 404, 420, 422])
async def test_what_trakt_refuses_waits_for_a_person_only_if_it_counts(
    home: Home, status: int
) -> None:
    house = home.house
    item = film(house)
    house.service.faults.append(
        Fault("status", match="/scrobble/", times=4, status=status)
    )
    writes = [told(house, item, action, 90) for action in ScrobbleAction]
    for write in writes:
        await home.outbox.put([write])
        await home.deliver()
    assert [entry.write for entry in home.outbox.failed] == [writes[-1]]
    assert len(home.ears.receipts) == 4
    if status == 404:
        assert {r.outcome for r in home.ears.receipts} == {Outcome.NOT_FOUND}
    # and once it is sent again, it is one play
    [entry] = home.outbox.failed
    await home.outbox.retry(entry.id)
    await home.deliver()
    assert len(plays(house, item)) == 1


async def test_every_pair_of_faults(home: Home) -> None:
    """Whatever fails first and then, each film is in the history once."""
    house = home.house
    service = house.service
    kinds = ["lost", "reset", "broken_json", "drop", "500", "killed", "unheard"]
    seconds = ["lost", "reset", "drop", "503", "killed"]

    def fault(kind: str, match: str) -> Fault:
        if kind.isdigit():
            return Fault("status", match=match, status=int(kind))
        if kind in ("killed", "unheard"):
            return Fault("late" if kind == "killed" else "hang", match, seconds=60)
        return Fault(kind, match=match)

    for first in kinds:
        for second in seconds:
            item = film(house)
            end = told(house, item, WATCHED, 97, viewing=f"{first} {second}")
            await home.outbox.put([end])
            service.faults.append(fault(first, "POST /scrobble/stop"))
            if first in ("killed", "unheard"):
                await home.killed("POST /scrobble/stop")
            else:
                await home.outbox.flush()
            service.faults.append(fault(second, "POST /sync/history"))
            service.clock.advance(60)
            if second == "killed" and not plays(house, item):
                await home.killed("POST /sync/history")
            await home.deliver()
            service.faults.clear()
            assert len(plays(house, item)) == 1, (first, second)
            service.clock.advance(7200)
