"""The outbox and what players tell: the latest is sent, what is over is forgotten, and what counts is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
import sqlite3

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.up_next.media import Episode, Ids, Movie, Playable, Show
from custom_components.up_next.outbox import (
    ANSWERED_ATTEMPTS,
    KEEP,
    Outbox,
    OutboxEntry,
    State,
)
from custom_components.up_next.storage import Database, OutboxTable, insert_writes
from custom_components.up_next.trackers.errors import (
    LimitReached,
    NotFound,
    RateLimited,
    Refused,
    SignInRequired,
    TrackerError,
    Unavailable,
    Unsure,
)
from custom_components.up_next.trackers.tracker import QueuedWrite
from custom_components.up_next.writes import (
    CheckIn,
    Outcome,
    Receipt,
    Scrobble,
    ScrobbleAction,
    Write,
    keeps,
    supersedes,
)

from .test_outbox import DONE, Clock, Heard, Scripted, make, mark, title

START, PAUSE, STOP, WATCHED = ScrobbleAction
FILM = Movie(title="Heretic", year=2024, ids=Ids.of(tmdb=9), runtime=6600)
EPISODE = Episode(
    show=Show(title="Silo", ids=Ids.of(tvdb=1)), season=1, number=2, ids=Ids.of(tvdb=7)
)
MINUTE = timedelta(minutes=1)


def told(
    action: ScrobbleAction, viewing: str = "a", *, item: Playable = FILM
) -> Scrobble:
    at = Clock().time
    return Scrobble(
        item=item,
        action=action,
        at=at,
        viewing=viewing,
        started_at=at - 40 * MINUTE,
        progress=33.3,
        position=2000.5,
    )


@pytest.fixture
def now() -> Clock:
    return Clock()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(tmp_path / "up_next.db")
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def store(database: Database) -> OutboxTable:
    return OutboxTable(database, "entry")


def names(entries: Sequence[OutboxEntry]) -> list[str]:
    return [title(entry.write) for entry in entries]


def broken() -> Unavailable:
    error = Unavailable("503")
    error.answered = True
    return error


# kept


@pytest.mark.parametrize("item", [FILM, EPISODE])
async def test_they_are_stored_whole(store: OutboxTable, item: Playable) -> None:
    writes: list[Write] = [told(action, item=item) for action in ScrobbleAction]
    writes.append(CheckIn(item=item))
    await store.add(writes, Clock().time)
    assert [entry.write for entry in await store.load()] == writes


@pytest.mark.parametrize(
    ("action", "kept"),
    [(START, 5 * MINUTE), (PAUSE, 5 * MINUTE), (STOP, timedelta(days=1))],
)
async def test_what_is_over_is_forgotten_unsent(
    store: OutboxTable, now: Clock, action: ScrobbleAction, kept: timedelta
) -> None:
    tracker = Scripted(Unavailable("no route"))
    outbox, heard = make(tracker, store, now)
    await outbox.put([told(action)])
    await outbox.flush()
    now.time += kept
    await outbox.flush()
    assert len(tracker.sent) == 2
    tracker.script = [Unavailable("no route")]
    await outbox.put([told(action)])
    await outbox.flush()
    now.time += kept + timedelta(seconds=1)
    await outbox.flush()
    # nobody is bothered, but the listener takes back what it showed
    assert len(tracker.sent) == 3
    assert (outbox.pending, outbox.failed, await store.load()) == ((), (), [])
    assert heard.settlements[-1] == (f"{action} a", Outcome.REFUSED)


async def test_what_was_watched_is_worth_a_try_after_a_month_and_then_a_person(
    store: OutboxTable, now: Clock
) -> None:
    tracker = Scripted(SignInRequired("revoked"), Unavailable("no route"))
    outbox, _ = make(tracker, store, now)
    await outbox.put([told(WATCHED)])
    await outbox.flush()
    now.time += KEEP + MINUTE
    outbox.resume()
    await outbox.flush()
    assert names(outbox.failed) == ["watched a"]
    assert [e.state for e in await store.load()] == [State.FAILED]
    assert len(tracker.sent) == 2


async def test_a_check_in_is_for_now(store: OutboxTable, now: Clock) -> None:
    tracker = Scripted(RateLimited(600))
    outbox, _ = make(tracker, store, now)
    await outbox.put([CheckIn(item=FILM)])
    await outbox.flush()
    now.time += 6 * MINUTE
    await outbox.flush()
    assert len(tracker.sent) == 1
    [entry] = outbox.failed
    assert entry.reason == "too_late"
    # asked for once more, it is for that moment
    await outbox.retry(entry.id)
    now.time += 5 * MINUTE
    await outbox.flush()
    assert (len(tracker.sent), tracker.unsure[-1], outbox.failed) == (2, True, ())


async def test_what_is_over_does_not_pile_up_while_nothing_can_be_sent(
    store: OutboxTable, now: Clock
) -> None:
    tracker = Scripted(SignInRequired("revoked"))
    outbox, _ = make(tracker, store, now)
    await outbox.put([mark("x")])
    await outbox.flush()
    for number in range(5):
        await outbox.put([told(START, f"{number}")])
        await outbox.flush()
        now.time += MINUTE
    assert names(outbox.pending) == ["x", "start 4"]
    now.time += 10 * MINUTE
    await outbox.flush()
    assert names(outbox.pending) == ["x"]


# superseded


async def test_only_the_latest_is_told(store: OutboxTable, now: Clock) -> None:
    tracker = Scripted()
    outbox, heard = make(tracker, store, now)
    await outbox.put([told(START), told(PAUSE), told(START)])
    await outbox.flush()
    assert tracker.sent == [["start a"]]
    assert heard.settlements == [
        ("start a", Outcome.REFUSED),
        ("pause a", Outcome.REFUSED),
        ("start a", Outcome.DONE),
    ]
    await outbox.put([told(START, "b"), told(STOP, "b"), told(START, "c")])
    await outbox.flush()
    # where one stopped is not told by what another plays
    assert tracker.sent[1:] == [["stop b"], ["start c"]]
    await outbox.put([told(STOP, "c"), told(WATCHED, "c"), told(START, "d")])
    await outbox.flush()
    assert tracker.sent[3:] == [["watched c"], ["start d"]]
    assert (outbox.failed, await store.load()) == ((), [])


async def test_what_is_being_sent_is_left_alone(store: OutboxTable, now: Clock) -> None:
    tracker = Scripted()
    tracker.gate = asyncio.Event()
    outbox, heard = make(tracker, store, now)
    await outbox.put([told(START)])
    flush = asyncio.create_task(outbox.flush())
    await tracker.reached.wait()
    await outbox.put([told(PAUSE)])
    await asyncio.sleep(0)
    assert heard.settlements == []
    tracker.gate.set()
    await flush
    assert tracker.sent == [["start a"], ["pause a"]]
    assert [outcome for _, outcome in heard.settlements] == [Outcome.DONE] * 2


async def test_an_unsure_start_is_repeated_unless_something_newer_says_it_all(
    store: OutboxTable, now: Clock
) -> None:
    tracker = Scripted(Unsure("timeout"), None, Unsure("timeout"))
    outbox, _ = make(tracker, store, now)
    await outbox.put([told(START)])
    await outbox.flush()
    now.time += MINUTE
    await outbox.flush()
    assert (tracker.sent, tracker.unsure) == ([["start a"]] * 2, [False, True])
    await outbox.put([told(START, "b")])
    await outbox.flush()
    await outbox.put([told(WATCHED, "b")])
    now.time += MINUTE
    await outbox.flush()
    assert tracker.sent[2:] == [["start b"], ["watched b"]]


async def test_a_start_that_the_end_of_the_process_interrupted(
    store: OutboxTable, now: Clock
) -> None:
    tracker = Scripted()
    tracker.gate = asyncio.Event()
    outbox, _ = make(tracker, store, now)
    await outbox.put([told(START)])
    flush = asyncio.create_task(outbox.flush())
    await tracker.reached.wait()
    flush.cancel()
    await asyncio.gather(flush, return_exceptions=True)
    again = Scripted()
    outbox, _ = make(again, store, now)
    await outbox.load()
    await outbox.put([told(STOP)])
    await outbox.flush()
    assert again.sent == [["stop a"]]


async def test_marks_are_not_touched(store: OutboxTable, now: Clock) -> None:
    tracker = Scripted()
    outbox, _ = make(tracker, store, now)
    await outbox.put([told(START), mark("x"), CheckIn(item=FILM), told(PAUSE)])
    await outbox.flush()
    assert tracker.sent == [["x"], ["Heretic"], ["pause a"]]


# refused


@pytest.mark.parametrize(
    "error", [Refused("422"), NotFound("404"), LimitReached("420")]
)
@pytest.mark.parametrize("action", list(ScrobbleAction))
async def test_a_person_hears_only_of_what_counts(
    store: OutboxTable,
    now: Clock,
    action: ScrobbleAction,
    error: TrackerError,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG", "custom_components.up_next.outbox")
    no = Receipt(outcome=Outcome.NOT_FOUND, reason="not_found")
    outbox, heard = make(Scripted(error, lambda _: [no]), store, now)
    await outbox.put([told(action)])
    await outbox.flush()
    await outbox.put([told(action)])
    await outbox.flush()
    counts = action is WATCHED
    assert len(outbox.failed) == len(await store.load()) == (2 if counts else 0)
    assert [outcome for _, outcome in heard.settlements] == ["refused", "not_found"]
    assert ("Forgotten by Scripted: not_found" in caplog.text) is not counts


@pytest.mark.parametrize("action", [START, PAUSE, STOP])
async def test_who_waits_hears_why(
    store: OutboxTable, now: Clock, action: ScrobbleAction
) -> None:
    outbox, _ = make(Scripted(NotFound("404")), store, now)
    entries = await outbox.put([told(action)], waited_for=True)
    await outbox.flush()
    [receipt] = await outbox.receipts(entries, 1)
    assert receipt is not None
    assert (receipt.outcome, receipt.reason) == (Outcome.REFUSED, "not_found")


async def test_a_stop_that_the_service_chokes_on_is_given_up(
    store: OutboxTable, now: Clock
) -> None:
    tracker = Scripted(*[broken() for _ in range(ANSWERED_ATTEMPTS)])
    outbox, _ = make(tracker, store, now)
    await outbox.put([told(STOP), told(WATCHED, "b")])
    for _ in range(ANSWERED_ATTEMPTS):
        pause = await outbox.flush()
        assert pause is not None
        now.time += timedelta(seconds=pause)
    # its long wait ended with it
    assert pause <= 30
    assert await outbox.flush() is None
    assert tracker.sent == [["stop a"]] * ANSWERED_ATTEMPTS + [["watched b"]]
    assert outbox.failed == ()


# no needless waiting


async def test_what_has_just_begun_does_not_wait_behind_an_old_outage(
    store: OutboxTable, now: Clock
) -> None:
    tracker = Scripted(*[Unavailable("no route")] * 6)
    outbox, _ = make(tracker, store, now)
    await outbox.put([told(WATCHED)])
    for _ in range(6):
        now.time += timedelta(seconds=await outbox.flush() or 0)
    # the network is back, hours before the next try
    now.time -= timedelta(hours=4)
    await outbox.put([told(START, "b")])
    pause = await outbox.flush()
    assert pause is None or pause <= 30
    now.time += timedelta(seconds=31)
    assert await outbox.flush() is None
    assert tracker.sent[-2:] == [["watched a"], ["start b"]]


async def test_but_not_at_once_and_not_against_a_rate_limit(
    store: OutboxTable, now: Clock
) -> None:
    tracker = Scripted(Unavailable("no route"), RateLimited(900))
    outbox, _ = make(tracker, store, now)
    await outbox.put([told(WATCHED)])
    assert await outbox.flush() is not None
    await outbox.put([told(START, "b")])
    assert len(tracker.sent) == 1
    pause = await outbox.flush()
    assert pause is not None
    assert 20 < pause <= 30
    now.time += timedelta(seconds=31)
    assert await outbox.flush() == 900
    await outbox.put([told(START, "c")])
    outbox.resume()
    assert await outbox.flush() == 900


async def test_an_outage_does_not_count_against_a_write(
    store: OutboxTable, now: Clock
) -> None:
    """A service that comes back with an error of its own has not failed five times on this write."""
    tracker = Scripted(*[Unavailable("no route")] * 8, broken(), broken())
    outbox, _ = make(tracker, store, now)
    await outbox.put([told(WATCHED)])
    for _ in range(11):
        now.time += timedelta(seconds=await outbox.flush() or 0)
    assert (outbox.failed, outbox.pending) == ((), ())
    assert len(tracker.sent) == 11


# adopted


async def insert(database: Database, *writes: Write) -> list[OutboxEntry]:
    """Store writes in one transaction with something else."""

    def work(connection: sqlite3.Connection) -> list[OutboxEntry]:
        entries = insert_writes(connection, "entry", writes, Clock().time)
        connection.execute("CREATE TABLE IF NOT EXISTS other (x)")
        return entries

    return await database.run(work)


async def test_what_somebody_else_stored_is_sent_once(
    database: Database, store: OutboxTable, now: Clock
) -> None:
    tracker = Scripted()
    outbox, heard = make(tracker, store, now)
    entries = await insert(database, told(WATCHED), told(START, "b"))
    assert await store.load() == entries
    outbox.adopt(entries)
    outbox.adopt(entries)
    assert list(outbox.pending) == entries
    await outbox.flush()
    # nor when it is settled
    outbox.adopt(entries)
    await outbox.load()
    assert await outbox.flush() is None
    assert tracker.sent == [["watched a"], ["start b"]]
    assert len(heard.settlements) == 2
    assert (outbox.pending, await store.load()) == ((), [])


async def test_adopting_what_was_loaded_in_between(
    database: Database, store: OutboxTable, now: Clock
) -> None:
    tracker = Scripted()
    outbox, _ = make(tracker, store, now)
    entries = await insert(database, told(WATCHED))
    await outbox.load()
    await outbox.flush()
    outbox.adopt(entries)
    later = await insert(database, told(WATCHED, "b"))
    outbox.adopt(later)
    await outbox.load()
    await outbox.flush()
    assert tracker.sent == [["watched a"], ["watched b"]]
    # a failed one is known as well
    tracker.script = [NotFound("404")]
    failing = await insert(database, told(WATCHED, "c"))
    outbox.adopt(failing)
    await outbox.flush()
    again, _ = make(Scripted(), store, now)
    await again.load()
    again.adopt(failing)
    assert (names(again.failed), again.pending) == (["watched c"], ())


async def test_the_order_is_that_of_storing(
    database: Database, store: OutboxTable, now: Clock
) -> None:
    tracker = Scripted()
    outbox, _ = make(tracker, store, now)
    first = await insert(database, told(WATCHED))
    await outbox.put([mark("x")])
    outbox.adopt(first)
    await outbox.flush()
    assert tracker.sent == [["watched a"], ["x"]]


async def test_the_worker_wakes_up_for_what_was_adopted(
    database: Database, store: OutboxTable, now: Clock
) -> None:
    tracker = Scripted()
    outbox, _ = make(tracker, store, now)
    running = asyncio.create_task(outbox.run())
    await asyncio.sleep(0)
    outbox.adopt(await insert(database, told(START)))
    async with asyncio.timeout(5):
        await tracker.reached.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert tracker.sent == [["start a"]]


# all together


class Player(Scripted):
    """A service that keeps what it was told, and fails as told before or after that."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__()
        self.faults = faults
        self.plays: list[str] = []
        self.state = ""

    async def send(self, writes: Sequence[QueuedWrite]) -> Sequence[Receipt]:
        fault = self.faults.pop(0) if self.faults else "none"
        if fault == "before":
            raise Unavailable("connection refused")
        for queued in writes:
            assert isinstance(queued.write, Scrobble)
            self.state = title(queued.write)
            known = queued.unsure and queued.write.viewing in self.plays
            if queued.write.action is WATCHED and not known:
                self.plays.append(queued.write.viewing)
        if fault == "after":
            raise Unsure("connection lost")
        if fault == "killed":
            raise asyncio.CancelledError
        return [DONE] * len(writes)


@settings(max_examples=40)
@given(
    st.lists(st.sampled_from(["before", "after", "killed", "none"]), max_size=6),
    st.lists(
        st.tuples(st.sampled_from([START, PAUSE, STOP, WATCHED]), st.integers(0, 400)),
        min_size=1,
        max_size=12,
    ),
)
async def test_every_viewing_is_counted_once_and_the_last_word_arrives(
    tmp_path_factory: pytest.TempPathFactory,
    faults: list[str],
    evening: list[tuple[ScrobbleAction, int]],
) -> None:
    database = Database(tmp_path_factory.mktemp("outbox") / "up_next.db")
    await database.open()
    store, now, service = OutboxTable(database, "entry"), Clock(), Player(faults)
    outbox = Outbox(service, store, Heard(), now=now)

    async def flush() -> None:
        nonlocal outbox
        try:
            await outbox.flush()
        except asyncio.CancelledError:
            outbox = Outbox(service, store, Heard(), now=now)
            await outbox.load()

    watched = []
    for number, (action, pause) in enumerate(evening):
        if action is WATCHED:
            watched.append(f"{number}")
        await outbox.put([told(action, f"{number}")])
        await flush()
        now.time += timedelta(seconds=pause)
    ended = now.time
    while outbox.pending:
        now.time += MINUTE
        await flush()
        # six failures in a row take less than a day
        assert now.time - ended < timedelta(days=1)
    assert service.plays == watched
    if evening[-1][0] in (STOP, WATCHED):
        assert service.state == f"{evening[-1][0]} {len(evening) - 1}"
    assert await store.load() == []
    await database.close()


@pytest.mark.parametrize("action", list(ScrobbleAction))
def test_what_is_kept_and_superseded_follows_from_the_write(
    action: ScrobbleAction,
) -> None:
    assert keeps(told(action)) <= KEEP
    assert not supersedes(told(action), told(WATCHED))
    assert not supersedes(mark("x"), told(action))
    assert not supersedes(CheckIn(item=FILM), told(action))
