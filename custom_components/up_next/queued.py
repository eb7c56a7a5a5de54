"""Writes in an outbox: what is kept of each, which need not be sent, and which may be sent out of turn. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from .effects import same
from .media import MediaItem, Movie, Show, show_of
from .writes import (
    CheckIn,
    ClearProgress,
    MarkWatched,
    RemovePlays,
    Scrobble,
    ScrobbleAction,
    SetProgress,
    Write,
    subject,
    supersedes,
)


class State(StrEnum):
    """Where a write stands. `SENDING` found at start-up means that the process ended in between: unsure."""

    PENDING = "pending"
    SENDING = "sending"
    UNSURE = "unsure"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxEntry:
    """A stored write. `reason` and `placeholders` (a translation key under "exceptions") tell why it failed."""

    id: int
    write: Write
    created_at: datetime
    state: State = State.PENDING
    attempts: int = 0
    reason: str | None = None
    placeholders: Mapping[str, str] = field(default_factory=dict)


def superseded(pending: Sequence[OutboxEntry]) -> list[OutboxEntry]:
    """Return what need not be sent any more, as a later write tells all there is to tell."""
    playing = [entry for entry in pending if isinstance(entry.write, Scrobble)]
    return [
        entry
        for index, entry in enumerate(playing)
        if any(supersedes(e.write, entry.write) for e in playing[index + 1 :])
    ]


def undoes(write: Write, earlier: Write) -> bool:
    """Say whether a write takes back the play that an earlier one adds."""
    if not isinstance(write, RemovePlays) or write.play_ids:
        return False
    match earlier:
        case MarkWatched() | Scrobble(action=ScrobbleAction.WATCHED):
            return same(write.item, earlier.item)
        case _:
            return False


def undone(pending: Sequence[OutboxEntry]) -> list[tuple[OutboxEntry, OutboxEntry]]:
    """Return the plays that were surely never sent, each with the later write that takes it back.

    Neither has to be sent, and they must not be: where a service holds one mark for all viewings of an item, the mark
    may be of an earlier one.
    """
    pairs: list[tuple[OutboxEntry, OutboxEntry]] = []
    plays: list[OutboxEntry] = []
    for entry in pending:
        newest = next(
            (play for play in reversed(plays) if undoes(entry.write, play.write)), None
        )
        if newest is None:
            plays.append(entry)
            continue
        plays.remove(newest)
        if newest.state is entry.state is State.PENDING:
            pairs.append((newest, entry))
    return pairs


def hasty(pending: Sequence[OutboxEntry]) -> OutboxEntry | None:
    """Return what may be sent before all that was put in earlier, which fails: it tells of now, and once only.

    That is the first that tells of a playback, as long as nothing before it is about the same title or is taken for
    playing by a service: to tell that later would change what plays now.
    """
    for index, entry in enumerate(pending):
        if isinstance(entry.write, Scrobble | CheckIn):
            title = _title(subject(entry.write))
            fresh = entry.state is State.PENDING and not entry.attempts
            free = all(
                not isinstance(earlier.write, SetProgress | ClearProgress)
                and not same(_title(subject(earlier.write)), title)
                for earlier in pending[:index]
            )
            return entry if index and fresh and free else None
    return None


def _title(item: MediaItem) -> Movie | Show:
    if isinstance(item, Movie):
        return item
    show = show_of(item)
    assert show is not None
    return show
