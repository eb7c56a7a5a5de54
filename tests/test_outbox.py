"""The outbox: stored first, in order, never lost, never sent twice where that matters.

The services here are scripted; the outbox stands on its real SQLite file.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.up_next.account import Account, Capability
from custom_components.up_next.library import Library, Play, ShowDetail
from custom_components.up_next.media import Ids, MediaItem, Movie
from custom_components.up_next.outbox import (
    ANSWERED_ATTEMPTS,
    KEEP,
    Outbox,
    OutboxEntry,
    State,
)
from custom_components.up_next.storage import Database, OutboxTable
from custom_components.up_next.trackers.errors import (
    AccessDenied,
    LimitReached,
    RateLimited,
    SignInRequired,
    TrackerError,
    Unavailable,
    Unsure,
)
from custom_components.up_next.trackers.tracker import (
    Candidate,
    Page,
    Query,
    QueuedWrite,
    Refresh,
    SignInStep,
    Tracker,
)
from custom_components.up_next.writes import (
    CheckIn,
    MarkWatched,
    Outcome,
    Receipt,
    RemovePlays,
    Scrobble,
    Write,
)

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
DONE = Receipt(outcome=Outcome.DONE)

type Script = Callable[[Sequence[QueuedWrite]], Sequence[Receipt]]


class Scripted(Tracker):
    """A service that does what its script says, and keeps what it was sent."""

    key = "scripted"
    name = "Scripted"
    may = Capability.MARK_WATCHED
    sign_in: ClassVar[tuple[SignInStep, ...]] = ()

    def __init__(
        self, *script: TrackerError | Exception | Script | None, batch: int = 1
    ) -> None:
        self.script = list(script)
        self.batch = batch
        self.sent: list[list[str]] = []
        self.unsure: list[bool] = []
        self.gate: asyncio.Event | None = None
        self.reached = asyncio.Event()

    def combine(self, writes: Sequence[Write]) -> int:
        return min(self.batch, len(writes))

    async def send(self, writes: Sequence[QueuedWrite]) -> Sequence[Receipt]:
        self.sent.append([title(queued.write) for queued in writes])
        self.unsure.extend(queued.unsure for queued in writes)
        self.reached.set()
        if self.gate is not None:
            await self.gate.wait()
        step = self.script.pop(0) if self.script else None
        if isinstance(step, Exception):
            raise step
        return step(writes) if step is not None else [DONE] * len(writes)

    async def account(self) -> Account:
        raise NotImplementedError

    async def refresh(self, previous: Library | None) -> Refresh:
        raise NotImplementedError

    async def show(self, show: Ids) -> ShowDetail:
        raise NotImplementedError

    async def history(
        self, cursor: str | None = None, item: MediaItem | None = None
    ) -> Page[Play]:
        raise NotImplementedError

    async def search(self, query: Query) -> Sequence[Candidate]:
        raise NotImplementedError

    async def choices(self, name: str) -> Mapping[str, str]:
        raise NotImplementedError


class Heard:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.settlements: list[tuple[str, Outcome]] = []
        self.halts: list[str] = []

    def settled(self, settled: Sequence[tuple[OutboxEntry, Receipt]]) -> None:
        self.settlements.extend(
            (title(entry.write), receipt.outcome) for entry, receipt in settled
        )

    def changed(self) -> None:
        pass

    def halted(self, error: SignInRequired | AccessDenied) -> None:
        self.halts.append(error.translation_key)


def title(write: Write) -> str:
    if isinstance(write, Scrobble):
        return f"{write.action} {write.viewing}"
    if isinstance(write, RemovePlays):
        return " ".join(["undo", *write.play_ids])
    if isinstance(write, (MarkWatched, CheckIn)) and isinstance(write.item, Movie):
        return write.item.title
    return write.kind


def mark(name: str) -> MarkWatched:
    return MarkWatched(item=Movie(title=name), watched_at=START)


def refuse(*names: str) -> Script:
    def answer(writes: Sequence[QueuedWrite]) -> Sequence[Receipt]:
        no = Receipt(outcome=Outcome.NOT_FOUND, reason="not_found")
        return [no if title(queued.write) in names else DONE for queued in writes]

    return answer


class Clock:
    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time


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


def make(tracker: Scripted, store: OutboxTable, now: Clock) -> tuple[Outbox, Heard]:
    heard = Heard()
    return Outbox(tracker, store, heard, now=now), heard


async def test_in_order_and_gone_when_done(store: OutboxTable, now: Clock) -> None:
    tracker = Scripted(batch=2)
    outbox, heard = make(tracker, store, now)
    entries = await outbox.put([mark("a"), mark("b"), mark("c")], waited_for=True)
    assert [entry.state for entry in await store.load()] == [State.PENDING] * 3
    waiting = asyncio.create_task(outbox.receipts(entries, 5))
    await asyncio.sleep(0)
    assert await outbox.flush() is None
    assert tracker.sent == [["a", "b"], ["c"]]
    assert await waiting == [DONE] * 3
    assert (await store.load(), outbox.pending, heard.settlements[0]) == (
        [],
        (),
        ("a", Outcome.DONE),
    )


async def test_a_caller_waits_so_long_and_no_longer(
    store: OutboxTable, now: Clock
) -> None:
    tracker = Scripted(refuse("a"))
    tracker.gate = asyncio.Event()
    outbox, _ = make(tracker, store, now)
    entries = await outbox.put([mark("a")], waited_for=True)
    flush = asyncio.create_task(outbox.flush())
    assert await outbox.receipts(entries, 0.01) == [None]
    tracker.gate.set()
    await flush
    # nobody was waiting any more: it is set aside for a person
    (failed,) = outbox.failed
    assert (failed.state, failed.reason) == (State.FAILED, "not_found")
    assert [entry.state for entry in await store.load()] == [State.FAILED]


async def test_a_refusal_that_is_heard_is_not_kept(
    store: OutboxTable, now: Clock
) -> None:
    outbox, heard = make(Scripted(refuse("a"), batch=5), store, now)
    entries = await outbox.put([mark("a"), mark("b")], waited_for=True)
    waiting = asyncio.create_task(outbox.receipts(entries, 5))
    await asyncio.sleep(0)
    await outbox.flush()
    refused, done = await waiting
    assert refused is not None
    assert (refused.outcome, done) == (Outcome.NOT_FOUND, DONE)
    assert (outbox.failed, await store.load()) == ((), [])
    assert heard.settlements == [("a", Outcome.NOT_FOUND), ("b", Outcome.DONE)]


async def test_a_refusal_before_somebody_asks_is_told_when_they_do(
    store: OutboxTable, now: Clock
) -> None:
    """With several accounts, the first may answer while the second is still being written to."""
    outbox, _ = make(Scripted(refuse("a")), store, now)
    entries = await outbox.put([mark("a")], waited_for=True)
    await outbox.flush()
    (receipt,) = await outbox.receipts(entries, 5)
    assert receipt is not None
    assert receipt.outcome is Outcome.NOT_FOUND
    assert (outbox.failed, await store.load()) == ((), [])


async def test_an_outage_is_waited_out_however_long(
    store: OutboxTable, now: Clock
) -> None:
    tracker = Scripted(*[Unavailable("connection refused")] * 12)
    outbox, _ = make(tracker, store, now)
    await outbox.put([mark("a"), mark("b")])
    pauses = []
    while (pause := await outbox.flush()) is not None:
        pauses.append(pause)
        now.time += timedelta(seconds=pause + 1)
    assert len(pauses) == 12
    assert 24 <= pauses[0] <= 36
    assert 21600 * 0.8 <= pauses[-1] <= 21600 * 1.2
    assert tracker.sent == [["a"]] * 13 + [["b"]]
    assert not any(tracker.unsure)


async def test_what_stays_undelivered_for_a_month_is_set_aside(
    store: OutboxTable, now: Clock
) -> None:
    outbox, _ = make(Scripted(Unavailable(), Unavailable()), store, now)
    await outbox.put([mark("a")])
    await outbox.flush()
    assert outbox.failed == ()
    now.time += KEEP + timedelta(hours=1)
    await outbox.flush()
    assert [entry.reason for entry in outbox.failed] == ["unavailable"]
    assert outbox.pending == ()


async def test_a_service_that_keeps_failing_on_one_write_does_not_hold_up_the_rest(
    store: OutboxTable, now: Clock
) -> None:
    def broken() -> Unavailable:
        error = Unavailable("500")
        error.answered = True
        return error

    tracker = Scripted(*[broken() for _ in range(ANSWERED_ATTEMPTS)], batch=2)
    outbox, _ = make(tracker, store, now)
    await outbox.put([mark("a"), mark("b")])
    for _ in range(ANSWERED_ATTEMPTS + 1):
        await outbox.flush()
        now.time += timedelta(days=1)
    # after the first failure the two are sent apart, so that only the poisoned one is set aside
    assert tracker.sent[0] == ["a", "b"]
    assert tracker.sent[1:] == [["a"]] * (ANSWERED_ATTEMPTS - 1) + [["b"]]
    assert [title(entry.write) for entry in outbox.failed] == ["a"]
    assert outbox.pending == ()


async def test_a_lost_answer_makes_the_next_attempt_look_first(
    store: OutboxTable, now: Clock
) -> None:
    tracker = Scripted(Unsure("timeout"), Unavailable("no route"), RateLimited(60))
    outbox, _ = make(tracker, store, now)
    await outbox.put([mark("a")])
    for _ in range(4):
        await outbox.flush()
        now.time += timedelta(hours=1)
    # once unsure, unsure until an answer settles it
    assert tracker.unsure == [False, True, True, True]
    assert outbox.pending == ()


async def test_rate_limits_are_kept_to_the_second(
    store: OutboxTable, now: Clock
) -> None:
    tracker = Scripted(RateLimited(90))
    outbox, _ = make(tracker, store, now)
    await outbox.put([mark("a")])
    assert await outbox.flush() == 90
    outbox.resume()
    assert await outbox.flush() == 90
    now.time += timedelta(seconds=90)
    assert await outbox.flush() is None
    assert len(tracker.sent) == 2


async def test_resuming_ends_the_wait_of_an_outage(
    store: OutboxTable, now: Clock
) -> None:
    tracker = Scripted(Unavailable("connection refused"))
    outbox, _ = make(tracker, store, now)
    await outbox.put([mark("a")])
    assert await outbox.flush() is not None
    outbox.resume()
    assert await outbox.flush() is None
    assert outbox.pending == ()


@pytest.mark.parametrize(
    "error", [SignInRequired("revoked"), AccessDenied(key="account_locked")]
)
async def test_the_queue_stops_until_a_person_has_acted(
    error: TrackerError, store: OutboxTable, now: Clock
) -> None:
    tracker = Scripted(error)
    outbox, heard = make(tracker, store, now)
    await outbox.put([mark("a"), mark("b")])
    assert await outbox.flush() is None
    await outbox.put([mark("c")])
    assert await outbox.flush() is None
    assert (len(tracker.sent), len(outbox.pending)) == (1, 3)
    assert heard.halts == [error.translation_key]
    outbox.resume()
    await outbox.flush()
    assert tracker.sent[1:] == [["a"], ["b"], ["c"]]


async def test_a_batch_that_is_refused_as_a_whole_is_sent_one_by_one(
    store: OutboxTable, now: Clock
) -> None:
    tracker = Scripted(LimitReached("420"), LimitReached("420"), batch=3)
    outbox, _ = make(tracker, store, now)
    await outbox.put([mark(name) for name in "abcdef"])
    await outbox.flush()
    assert tracker.sent == [["a", "b", "c"], ["a"], ["b"], ["c"], ["d", "e", "f"]]
    assert [(title(e.write), e.reason) for e in outbox.failed] == [
        ("a", "limit_reached")
    ]


async def test_a_defect_of_ours_loses_nothing(
    store: OutboxTable, now: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    tracker = Scripted(*[KeyError("x") for _ in range(ANSWERED_ATTEMPTS)])
    outbox, _ = make(tracker, store, now)
    await outbox.put([mark("a"), mark("b")])
    for _ in range(ANSWERED_ATTEMPTS + 1):
        await outbox.flush()
        now.time += timedelta(days=1)
    assert "failed unexpectedly" in caplog.text
    assert [(title(e.write), e.reason) for e in outbox.failed] == [("a", "unexpected")]
    assert tracker.sent[-1] == ["b"]


async def test_failed_writes_can_be_sent_again_changed_or_dropped(
    store: OutboxTable, now: Clock
) -> None:
    tracker = Scripted(refuse("a"), refuse("b"), refuse("c"))
    outbox, _ = make(tracker, store, now)
    outbox2, _ = make(tracker, store, now)
    entries = await outbox.put([mark("a"), mark("b"), mark("c")], waited_for=True)
    await outbox.receipts(entries, 0)
    await outbox.flush()
    await outbox2.load()
    first, second, third = outbox2.failed
    await outbox2.retry(first.id)
    await outbox2.retry(second.id, mark("other"))
    await outbox2.drop(third.id)
    await outbox2.flush()
    assert tracker.sent[3:] == [["a"], ["other"]]
    # an attempt before may have been carried out
    assert tracker.unsure[3:] == [True, True]
    assert (outbox2.failed, outbox2.pending, await store.load()) == ((), (), [])


async def test_an_end_between_request_and_answer_is_remembered(
    store: OutboxTable, now: Clock
) -> None:
    tracker = Scripted()
    tracker.gate = asyncio.Event()
    outbox, _ = make(tracker, store, now)
    await outbox.put([mark("a"), mark("b")])
    running = asyncio.create_task(outbox.run())
    await tracker.reached.wait()
    assert [entry.state for entry in await store.load()] == [
        State.SENDING,
        State.PENDING,
    ]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    again = Scripted()
    outbox, _ = make(again, store, now)
    await outbox.load()
    assert [entry.state for entry in outbox.pending] == [State.UNSURE, State.PENDING]
    await outbox.flush()
    assert (again.sent, again.unsure) == ([["a"], ["b"]], [True, False])


async def test_the_worker_wakes_up_for_new_writes(
    store: OutboxTable, now: Clock
) -> None:
    tracker = Scripted()
    outbox, _ = make(tracker, store, now)
    running = asyncio.create_task(outbox.run())
    await asyncio.sleep(0)
    for name in "ab":
        entries = await outbox.put([mark(name)], waited_for=True)
        assert await outbox.receipts(entries, 5) == [DONE]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert tracker.sent == [["a"], ["b"]]


async def test_the_worker_survives_a_full_disk(
    store: OutboxTable,
    now: Clock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("custom_components.up_next.outbox.BACK_OFF", (0.01,))
    tracker = Scripted()
    outbox, _ = make(tracker, store, now)
    entries = await outbox.put([mark("a")], waited_for=True)
    update = store.update

    async def full(entries: Sequence[OutboxEntry]) -> None:
        monkeypatch.setattr(store, "update", update)
        raise OSError("disk full")

    monkeypatch.setattr(store, "update", full)
    running = asyncio.create_task(outbox.run())
    assert await outbox.receipts(entries, 5) == [DONE]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert "stumbled" in caplog.text


async def test_accounts_do_not_see_each_others_writes(
    database: Database, now: Clock
) -> None:
    one, other = OutboxTable(database, "one"), OutboxTable(database, "other")
    await one.add([mark("a")], START)
    await other.add([mark("b")], START)
    assert [title(entry.write) for entry in await one.load()] == ["a"]
    await one.clear()
    assert (await one.load(), len(await other.load())) == ([], 1)


async def test_a_row_that_cannot_be_read_is_left_alone(
    database: Database, store: OutboxTable, caplog: pytest.LogCaptureFixture
) -> None:
    await store.add([mark("a"), mark("b")], START)
    await database.run(
        lambda c: c.execute("UPDATE outbox SET write = '{}' WHERE id = 1").rowcount
    )
    assert [title(entry.write) for entry in await store.load()] == ["b"]
    assert "can't be read" in caplog.text


async def test_a_file_of_a_newer_version_is_refused(
    database: Database, tmp_path: Path
) -> None:
    await database.run(lambda c: c.execute("PRAGMA user_version").fetchone())
    other = Database(tmp_path / "newer.db")
    await other.open()
    await other.run(lambda c: c.execute("PRAGMA user_version = 99").fetchone())
    await other.close()
    newer = Database(tmp_path / "newer.db")
    with pytest.raises(RuntimeError, match="newer version"):
        await newer.open()
    with pytest.raises(RuntimeError, match="closed"):
        await newer.run(lambda c: None)
    await newer.close()


async def test_a_failed_transaction_leaves_nothing_behind(
    database: Database, store: OutboxTable
) -> None:
    def work(connection: object) -> None:
        connection.execute("DELETE FROM outbox")  # type: ignore[attr-defined]
        raise ValueError("half-way")

    await store.add([mark("a")], START)
    with pytest.raises(ValueError, match="half-way"):
        await database.run(work)
    assert len(await store.load()) == 1


class Ledger(Scripted):
    """A service that keeps plays and does not de-duplicate; it fails as told, before or after keeping them."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__(batch=3)
        self.faults = faults
        self.plays: list[str] = []

    async def send(self, writes: Sequence[QueuedWrite]) -> Sequence[Receipt]:
        fault = self.faults.pop(0) if self.faults else "none"
        if fault == "before":
            raise Unavailable("connection refused")
        new = [
            title(q.write)
            for q in writes
            if not (q.unsure and title(q.write) in self.plays)
        ]
        self.plays.extend(new)
        if fault == "after":
            raise Unsure("connection lost")
        if fault == "killed":
            raise asyncio.CancelledError
        if fault == "slow":
            raise RateLimited(5)
        return [DONE] * len(writes)


@settings(max_examples=40)
@given(
    st.lists(st.sampled_from(["before", "after", "killed", "none"]), max_size=8),
    st.lists(st.integers(1, 4), min_size=1, max_size=4),
)
async def test_nothing_is_lost_and_nothing_is_sent_twice(
    tmp_path_factory: pytest.TempPathFactory, faults: list[str], groups: list[int]
) -> None:
    """Whatever fails or ends in between, the service holds each play once, in order."""
    database = Database(tmp_path_factory.mktemp("outbox") / "up_next.db")
    await database.open()
    now, ledger = Clock(), Ledger(faults)
    expected: list[str] = []
    outbox, _ = make(ledger, OutboxTable(database, "entry"), now)
    for group in groups:
        names = [f"{len(expected) + index}" for index in range(group)]
        expected += names
        await outbox.put([mark(name) for name in names])
        try:
            await outbox.flush()
        except asyncio.CancelledError:
            outbox, _ = make(ledger, OutboxTable(database, "entry"), now)
            await outbox.load()
    for _ in range(30):
        now.time += timedelta(hours=9)
        try:
            await outbox.flush()
        except asyncio.CancelledError:
            outbox, _ = make(ledger, OutboxTable(database, "entry"), now)
            await outbox.load()
    assert ledger.plays == expected
    assert await OutboxTable(database, "entry").load() == []
    await database.close()
