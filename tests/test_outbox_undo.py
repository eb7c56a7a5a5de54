"""The outbox and plays that are taken back before they were sent: the service never hears of either."""

from __future__ import annotations

import pytest

from custom_components.up_next.media import Playable
from custom_components.up_next.storage import OutboxTable
from custom_components.up_next.trackers.errors import Unavailable, Unsure
from custom_components.up_next.writes import Outcome, Receipt, RemovePlays

from .test_outbox import Clock, Scripted, make, mark
from .test_outbox_scrobbles import (
    EPISODE,
    FILM,
    MINUTE,
    WATCHED,
    database,
    names,
    now,
    store,
    told,
)

__all__ = ["database", "now", "store"]

ALREADY = Receipt(outcome=Outcome.ALREADY)


def undo(item: Playable = FILM, *ids: str) -> RemovePlays:
    return RemovePlays(item=item, play_ids=ids)


@pytest.mark.parametrize("item", [FILM, EPISODE])
async def test_a_play_that_is_taken_back_before_it_was_sent_is_never_sent(
    store: OutboxTable, now: Clock, item: Playable
) -> None:
    """The service may hold one mark for all viewings of an item: an earlier one must not go with it."""
    tracker = Scripted(Unavailable("no route"))
    outbox, heard = make(tracker, store, now)
    await outbox.put([told(WATCHED, item=item), mark("x")])
    await outbox.flush()
    entries = await outbox.put([undo(item)], waited_for=True)
    now.time += MINUTE
    await outbox.flush()
    [receipt] = await outbox.receipts(entries, 0)
    assert receipt is not None
    assert receipt.outcome is Outcome.DONE
    assert tracker.sent == [["watched a"], ["x"]]
    assert ("watched a", Outcome.REFUSED) in heard.settlements
    assert (outbox.pending, outbox.failed, await store.load()) == ((), (), [])


async def test_the_newest_play_is_taken_back_and_no_other(
    store: OutboxTable, now: Clock
) -> None:
    tracker = Scripted(Unavailable("no route"))
    outbox, _ = make(tracker, store, now)
    await outbox.put([told(WATCHED, "a"), told(WATCHED, "b"), undo(), mark("y")])
    await outbox.flush()
    assert names(outbox.pending) == ["watched a", "y"]
    now.time += MINUTE
    await outbox.put([undo(FILM, "7"), undo(EPISODE)])
    await outbox.flush()
    # neither a play that has a name, nor another item
    assert tracker.sent[1:] == [["watched a"], ["y"], ["undo 7"], ["undo"]]


async def test_a_play_that_may_have_been_counted_is_taken_back_at_the_service(
    store: OutboxTable, now: Clock
) -> None:
    tracker = Scripted(Unsure("lost"))
    outbox, _ = make(tracker, store, now)
    await outbox.put([told(WATCHED)])
    await outbox.flush()
    await outbox.put([undo()])
    now.time += MINUTE
    await outbox.flush()
    assert tracker.sent == [["watched a"], ["watched a"], ["undo"]]


async def test_what_added_no_play_is_not_taken_back(
    store: OutboxTable, now: Clock
) -> None:
    """Its mark was there before."""
    tracker = Scripted(Unsure("lost"), lambda writes: [ALREADY])
    outbox, heard = make(tracker, store, now)
    await outbox.put([told(WATCHED)])
    await outbox.flush()
    await outbox.put([undo()])
    now.time += MINUTE
    await outbox.flush()
    assert tracker.sent == [["watched a"], ["watched a"]]
    assert heard.settlements[-2:] == [
        ("watched a", Outcome.ALREADY),
        ("undo", Outcome.ALREADY),
    ]
    assert (outbox.pending, outbox.failed, await store.load()) == ((), (), [])
