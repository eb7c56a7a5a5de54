"""Chooses the titles whose details are worth a request. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from ...library import Library, ShowProgress
from ...media import Movie
from .marks import Marks, Polled
from .shapes import Shapes
from .wire import Head, HistoryRow

MOVIES_AFTER: Final = 5
"""Started movies that the history does not show come after this many titles that were opened lately."""


@dataclass(slots=True, kw_only=True)
class Plan:
    """What was read and what was known, and which titles deserve a request of their own."""

    shapes: Shapes
    known: Library | None
    marks: Marks
    polled: Polled
    now: datetime
    _heads: dict[int, Head] = field(init=False)
    _newest: dict[int, HistoryRow] = field(init=False)

    def __post_init__(self) -> None:
        """Index the history by title: a row describes its title, and tells when it was opened last."""
        self._newest = {}
        for row in self.polled.history:
            self._newest.setdefault(row.item.id, row)
        self._heads = {item_id: row.item for item_id, row in self._newest.items()}

    # what to read ---------------------------------------------------------------------------------------------

    def described(self, item_id: int) -> bool:
        """Say whether year and ids of a title are known, so that its watching state is all there is to ask for."""
        if item_id in self._heads:
            return True
        if self.known is None:
            return False
        row = self.known.shows.get(str(item_id))
        if row is not None:
            return row.show.year is not None
        return any(
            isinstance(p.item, Movie)
            and p.item.ids.number("kinopub") == item_id
            and p.item.year is not None
            for p in self.known.playbacks
        )

    def wanted(self, touched: frozenset[int]) -> list[int]:
        """Return the titles whose details are worth a request, the most recently opened first."""
        begun = {head.id for head in self.polled.movies}
        chosen = {
            *self._wanted_serials(),
            *self._wanted_movies(begun),
            *self._wanted_gone(),
        }
        chosen |= {
            i for i in touched.union(self.marks.pending) if self._shown(i, begun)
        }
        order = {item_id: index for index, item_id in enumerate(self._newest)}
        last = len(order)
        return sorted(
            chosen,
            key=lambda i: (order.get(i, MOVIES_AFTER if i in begun else last), -i),
        )

    def _wanted_serials(self) -> Iterator[int]:
        for key, row in self.polled.serials.items():
            opened = self._newest.get(row.id)
            if self.known is None:
                if opened is not None:
                    yield row.id
                continue
            fresh = opened is not None and self._fresh(opened)
            old = self.known.shows.get(key)
            if old is None:
                if row.watched or fresh:
                    yield row.id
            elif fresh and old.seen is None:
                yield row.id
            elif self._counts(old, key) != (row.total, row.watched):
                same_watched = self._counts(old, key)[1] == row.watched
                if not same_watched or old.next_episode is None:
                    yield row.id

    def _wanted_gone(self) -> Iterator[int]:
        """Yield the shows that left the list with more than one episode unwatched: finished, or all unmarked."""
        for key, old in (self.known.shows if self.known else {}).items():
            if key not in self.polled.serials and old.left > 1:
                yield int(key)

    def _wanted_movies(self, begun: set[int]) -> Iterator[int]:
        shown = {p.id for p in self.known.playbacks} if self.known else set()
        for item_id in begun:
            if item_id not in self._newest and str(item_id) not in shown:
                yield item_id
        for item_id, row in self._newest.items():
            if not row.item.series and item_id not in begun and self._fresh(row):
                yield item_id

    def _shown(self, item_id: int, begun: set[int]) -> bool:
        """Say whether the library has a place for the details of a title."""
        if str(item_id) in self.polled.serials or item_id in begun:
            return True
        known = self.known
        if known and (str(item_id) in known.movies or str(item_id) in known.shows):
            return True
        opened = self._newest.get(item_id)
        return opened is not None and not opened.item.series

    def _fresh(self, row: HistoryRow) -> bool:
        return row.last_seen > self.marks.seen_at

    def _counts(self, old: ShowProgress, key: str) -> tuple[int, int]:
        """Return what the serial's row said when `old` was made."""
        total, watched = self.marks.extra.get(key, (0, 0))
        return old.aired + total, old.watched + watched
