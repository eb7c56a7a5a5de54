"""What plays now does not wait behind a change of something else that the service fails to carry out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from custom_components.up_next.media import Ids, Season, Show
from custom_components.up_next.outbox import ANSWERED_ATTEMPTS
from custom_components.up_next.storage import OutboxTable
from custom_components.up_next.trackers.errors import (
    RateLimited,
    SignInRequired,
    TrackerError,
    Unavailable,
)
from custom_components.up_next.trackers.tracker import QueuedWrite
from custom_components.up_next.writes import (
    CheckIn,
    MarkUnwatched,
    MarkWatched,
    Receipt,
    RemovePlays,
    SetProgress,
    Write,
)

from .test_outbox import Clock, Scripted, make, mark
from .test_outbox_scrobbles import (
    EPISODE,
    FILM,
    MINUTE,
    PAUSE,
    START,
    STOP,
    WATCHED,
    broken,
    database,
    names,
    now,
    store,
    told,
)

__all__ = ["database", "now", "store"]


class Poisoned(Scripted):
    """A service that answers everything about one title with an error of its own."""

    def __init__(self, title: str = "x", *script: TrackerError | None) -> None:
        super().__init__(*script)
        self.title = title

    async def send(self, writes: Sequence[QueuedWrite]) -> Sequence[Receipt]:
        item = writes[0].write.item  # type: ignore[union-attr]
        if getattr(item, "title", None) == self.title:
            self.script.insert(0, broken())
        return await super().send(writes)


@pytest.mark.parametrize(
    "write",
    [*(told(action) for action in (START, PAUSE, STOP, WATCHED)), CheckIn(item=FILM)],
)
async def test_what_plays_is_told_at_once(
    store: OutboxTable, now: Clock, write: Write
) -> None:
    tracker = Poisoned()
    outbox, _ = make(tracker, store, now)
    await outbox.put([mark("x"), mark("y")])
    pause = await outbox.flush()
    now.time += timedelta(seconds=10)
    await outbox.put([write])
    left = await outbox.flush()
    assert tracker.sent[1:] == [names([replace(outbox.pending[0], write=write)])]
    # the others go on waiting, in order
    assert names(outbox.pending) == ["x", "y"]
    assert pause is not None
    assert left == pytest.approx(pause - 10)
    assert [e.write for e in await store.load()] == [e.write for e in outbox.pending]


async def test_playbacks_keep_their_order(store: OutboxTable, now: Clock) -> None:
    """The end of one viewing, told after the beginning of the next, would end that one."""
    tracker = Poisoned()
    outbox, _ = make(tracker, store, now)
    await outbox.put([mark("x")])
    await outbox.flush()
    later = replace(told(START, "b", item=EPISODE), at=Clock().time + MINUTE)
    await outbox.put([told(WATCHED), later])
    await outbox.flush()
    assert tracker.sent == [["x"], ["watched a"], ["start b"]]

    failing = Poisoned(FILM.title)
    outbox, _ = make(failing, store, now)
    await outbox.put([told(WATCHED), later])
    await outbox.flush()
    assert failing.sent == [["watched a"]]


OTHER = Show(title="Silo", ids=Ids.of(tvdb=1))


@pytest.mark.parametrize(
    "earlier",
    [
        MarkWatched(item=EPISODE, watched_at="unknown"),
        MarkUnwatched(item=Season(show=OTHER, number=1)),
        MarkUnwatched(item=OTHER),
        RemovePlays(item=EPISODE, play_ids=("1",)),
        SetProgress(item=FILM, progress=50),
        CheckIn(item=FILM),
    ],
)
async def test_what_is_not_overtaken(
    store: OutboxTable, now: Clock, earlier: Write
) -> None:
    """The same title, and what a service takes for playing."""
    tracker = Scripted(broken())
    outbox, _ = make(tracker, store, now)
    await outbox.put([earlier])
    await outbox.flush()
    await outbox.put([told(START, item=EPISODE)])
    await outbox.flush()
    assert len(tracker.sent) == 1


@pytest.mark.parametrize(
    "error", [Unavailable("no route"), RateLimited(600), SignInRequired("revoked")]
)
async def test_nothing_is_overtaken_where_the_service_is_not_to_be_had(
    store: OutboxTable, now: Clock, error: TrackerError
) -> None:
    tracker = Scripted(error)
    outbox, _ = make(tracker, store, now)
    await outbox.put([mark("x")])
    await outbox.flush()
    await outbox.put([told(START)])
    await outbox.flush()
    assert len(tracker.sent) == 1


@pytest.mark.parametrize("error", [broken(), RateLimited(20), Unavailable("no route")])
async def test_a_service_that_is_ill_is_not_pressed(
    store: OutboxTable, now: Clock, error: TrackerError
) -> None:
    """Whatever the one that hurries meets, the others are not tried more often for it."""
    tracker = Poisoned()
    outbox, _ = make(tracker, store, now)
    await outbox.put([mark("x")])
    for _ in range(ANSWERED_ATTEMPTS - 1):
        pause = await outbox.flush()
        assert pause is not None
        tracker.script = [error]
        await outbox.put([told(START, f"{now.time}")])
        for _ in range(4):
            await outbox.flush()
            now.time += timedelta(seconds=pause / 5)
        now.time += timedelta(seconds=pause / 5 + 1)
    assert tracker.sent.count(["x"]) < ANSWERED_ATTEMPTS + 1
    assert not outbox.failed


async def test_a_service_that_asks_for_patience_gets_it(
    store: OutboxTable, now: Clock
) -> None:
    """One write at a time, for example."""
    tracker = Poisoned()
    outbox, _ = make(tracker, store, now)
    await outbox.put([mark("x")])
    pause = await outbox.flush()
    assert pause is not None
    tracker.script = [RateLimited(10)]
    await outbox.put([told(START)])
    assert await outbox.flush() == pytest.approx(10)
    assert await outbox.flush() == pytest.approx(10)
    assert tracker.sent == [["x"], ["start a"]]
    now.time += timedelta(seconds=10)
    assert await outbox.flush() == pytest.approx(pause - 10)
    assert tracker.sent == [["x"], ["start a"], ["start a"]]
    assert names(outbox.pending) == ["x"]


async def test_it_is_tried_out_of_turn_once(store: OutboxTable, now: Clock) -> None:
    tracker = Poisoned()
    outbox, _ = make(tracker, store, now)
    await outbox.put([mark("x")])
    await outbox.flush()
    tracker.script = [broken()]
    await outbox.put([told(START)])
    for _ in range(3):
        await outbox.flush()
        now.time += timedelta(seconds=5)
    assert tracker.sent == [["x"], ["start a"]]
    # a newer one takes its place, and is tried when the service had half a minute
    tracker.script = []
    await outbox.put([replace(told(PAUSE), at=Clock().time + MINUTE)])
    now.time += MINUTE / 2
    await outbox.flush()
    assert tracker.sent[2:] == [["x"], ["pause a"]]
    assert names(outbox.pending) == ["x"]


async def test_killed_while_it_overtook(store: OutboxTable, now: Clock) -> None:
    """It is known to the next run that it may have been sent; what it overtook was not."""
    tracker = Poisoned()
    outbox, _ = make(tracker, store, now)
    await outbox.put([mark("x")])
    await outbox.flush()
    await outbox.put([told(WATCHED)])
    await store.update([replace(outbox.pending[1], state="sending")])  # type: ignore[arg-type]
    again = Scripted()
    outbox, _ = make(again, store, now)
    await outbox.load()
    await outbox.flush()
    assert (again.sent, again.unsure) == ([["x"], ["watched a"]], [False, True])
