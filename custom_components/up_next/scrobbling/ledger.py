"""The viewings counted already: one viewing counts once, whatever restarts, pauses and returns to the last minutes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from ..media import Episode, Ids, Playable, Show

WINDOW: Final = timedelta(days=7)
"""Within it, a second viewing of an item counts only if half of it was really played again."""
AGAIN: Final = 0.5
"""The share of an item's length that makes a second viewing."""
_SIGNATURE: Final = "signature:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A viewing that was counted, at `at` (UTC).

    `tokens` name the item. `played_since` are the seconds of the item played after that, without being counted.
    `again` says that it was begun anew from the start since.
    """

    viewing: str
    tokens: frozenset[str]
    at: datetime
    played_since: float = 0.0
    again: bool = False


class Ledger:
    """The newest counted viewing of every item."""

    def __init__(self, entries: Iterable[Counted] = ()) -> None:
        self._entries: dict[str, Counted] = {}
        self._by_token: dict[str, str] = {}
        self.changed: set[str] = set()
        """Names of the items of which more was counted, or played, since this was emptied."""
        self.reload(entries)

    def reload(self, entries: Iterable[Counted]) -> None:
        """Know these viewings, and no others: some were taken back, or turned out to be of something else."""
        self._entries.clear()
        self._by_token.clear()
        for entry in sorted(entries, key=lambda entry: entry.at):
            self.add(entry)

    @property
    def entries(self) -> tuple[Counted, ...]:
        """Return all that is known, oldest first."""
        return tuple(self._entries.values())

    def __contains__(self, viewing: str) -> bool:
        """Say whether this viewing was counted."""
        return viewing in self._entries

    def add(self, entry: Counted) -> Counted:
        """Add a viewing, in place of earlier ones of the item, whose names it takes over. Returns it as it is kept."""
        for earlier in self._sharing(entry.tokens):
            shared = earlier.tokens & entry.tokens
            if earlier.tokens == shared or not all(map(_is_signature, shared)):
                del self._entries[earlier.viewing]
                entry = replace(entry, tokens=entry.tokens | earlier.tokens)
        self._entries[entry.viewing] = entry
        self._by_token.update(dict.fromkeys(entry.tokens, entry.viewing))
        self.changed |= entry.tokens
        return entry

    def earlier(self, tokens: Iterable[str]) -> Counted | None:
        """Return the newest counted viewing of an item; None when there is none."""
        found = self._sharing(tokens)
        return max(found, key=lambda entry: entry.at, default=None)

    def recent(self, tokens: Iterable[str], now: datetime) -> Counted | None:
        """Return the newest counted viewing of an item if it is so recent that another has to prove itself."""
        entry = self.earlier(tokens)
        return entry if entry is not None and now - entry.at < WINDOW else None

    def played(self, entry: Counted, seconds: float, *, again: bool) -> None:
        """Note that a counted item was played once more without being counted; `again` when from its start on."""
        if entry.viewing in self._entries and (seconds > 0 or again):
            self._entries[entry.viewing] = replace(
                entry,
                played_since=entry.played_since + seconds,
                again=entry.again or again,
            )
            self.changed |= entry.tokens

    def _sharing(self, tokens: Iterable[str]) -> list[Counted]:
        viewings = dict.fromkeys(
            self._by_token[token] for token in tokens if token in self._by_token
        )
        return [self._entries[viewing] for viewing in viewings if viewing in self]


def signature_token(signature: str) -> str:
    """Return the name of what was not identified: what the player said of it."""
    return f"{_SIGNATURE}{signature}"


def _is_signature(token: str) -> bool:
    return token.startswith(_SIGNATURE)


def tokens_of(item: Playable) -> frozenset[str]:
    """Return the names of an item: two items that share one are the same."""
    if isinstance(item, Episode):
        tokens = {*_of_ids("episode", item.ids)}
        tokens |= {
            f"{token}:{item.season}:{item.number}"
            for token in _of_ids("show", item.show.ids)
        }
        return frozenset(tokens) or frozenset(
            {f"title:{_titled(item.show)}:{item.season}:{item.number}"}
        )
    return frozenset(_of_ids("movie", item.ids)) or frozenset(
        {f"title:movie:{_plain(item.title)}:{item.year or ''}"}
    )


def _of_ids(kind: str, ids: Ids) -> set[str]:
    return {
        f"{namespace}:{kind}:{value}"
        for namespace, value in ids.values.items()
        if namespace != "slug"
    }


def _titled(show: Show) -> str:
    return f"show:{_plain(show.title)}:{show.year or ''}"


def _plain(title: str) -> str:
    return " ".join(title.casefold().split())
