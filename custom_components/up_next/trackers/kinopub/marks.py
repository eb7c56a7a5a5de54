"""What a refresh passes on: the lists as read, the notes kept in the library, and what our own writes touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from .wire import Head, HistoryRow, SerialRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """What the three lists said; history newest first."""

    serials: Mapping[str, SerialRow]
    movies: Sequence[Head]
    history: Sequence[HistoryRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """The reader's own notes in `Library.markers`.

    `user_at` and `seen_at` (the youngest history row) are epoch seconds. `extra` tells how many more episodes
    (total, watched) a serial's row counts than there are regular ones: specials, where its details were read.
    `pending` are titles whose details are still to be read.
    """

    names: str = ""
    user_at: int = 0
    seen_at: int = 0
    folder: str = ""
    pending: tuple[int, ...] = ()
    extra: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def load(cls, markers: Mapping[str, str]) -> Marks:
        """Read them from a library."""
        extra: dict[str, tuple[int, int]] = {}
        for part in markers.get("extra", "").split():
            key, total, watched = part.split(":")
            extra[key] = int(total), int(watched)
        return cls(
            names=markers.get("names", ""),
            user_at=int(markers.get("user_at", "0")),
            seen_at=int(markers.get("seen_at", "0")),
            folder=markers.get("folder", ""),
            pending=tuple(int(key) for key in markers.get("pending", "").split()),
            extra=extra,
        )

    def dump(self) -> dict[str, str]:
        """Write them as a library keeps them."""
        return {
            "names": self.names,
            "user_at": str(self.user_at),
            "seen_at": str(self.seen_at),
            "folder": self.folder,
            "pending": " ".join(map(str, self.pending)),
            "extra": " ".join(f"{k}:{a}:{b}" for k, (a, b) in self.extra.items()),
        }


@dataclass(slots=True, kw_only=True)
class Own:
    """What this account's own writes touched since the last refresh; not kept over a restart.

    `titles` are items to look at again; `positions` are videos whose position was set by a write, and when: the
    service's history can't tell those from playing.
    """

    titles: set[int]
    positions: dict[tuple[int, int, int], datetime]

    def forget(self, titles: frozenset[int], before: datetime) -> None:
        """Drop the titles that were looked at, and positions that are too old to pass for playing."""
        self.titles -= titles
        self.positions = {k: at for k, at in self.positions.items() if at >= before}
