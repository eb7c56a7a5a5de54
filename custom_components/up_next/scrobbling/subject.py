"""What a viewing is of: as its player names it, and as it was identified."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ..media import Playable
from .calls import Resolution
from .ledger import signature_token, tokens_of
from .observation import Media, Rank
from .position import BACK

CLIP: Final = 0.4
"""The share of the known running time below which something is a clip or a trailer."""
SHORT: Final = 120.0
"""Seconds below which only a known running time makes something an item,"""
SHORT_NAMELESS: Final = 300.0
"""and below which it does where neither ids nor numbers name it."""


@dataclass(slots=True, kw_only=True)
class Subject:
    """One item of what a player shows; a file may hold several.

    `signature` and `media` are the leading player's, `signatures` what all players call it. `duration` (seconds) is
    that of the whole file as reported.
    """

    media: Media
    signature: str
    signatures: set[str] = field(default_factory=set)
    resolution: Resolution | None = None
    part: int = 0
    """Which of the items of one file, from 0."""
    duration: float | None = None
    _tokens: tuple[Resolution, int, frozenset[str]] | None = field(
        default=None, init=False, repr=False, compare=False
    )
    """The names of the item, as long as that is what it was identified as."""

    @property
    def item(self) -> Playable | None:
        """Return what it was identified as."""
        if self.resolution is None or not self.resolution.items:
            return None
        return self.resolution.items[self.part]

    @property
    def parts(self) -> int:
        """Return how many items the file holds."""
        return max(1, len(self.resolution.items)) if self.resolution else 1

    @property
    def tokens(self) -> frozenset[str]:
        """Return the names of the item; none while it is not identified."""
        resolution, known = self.resolution, self._tokens
        if resolution is None or (item := self.item) is None:
            return frozenset()
        if known is None or known[0] is not resolution or known[1] != self.part:
            names = tokens_of(item)
            if self.parts == 1:
                names |= resolution.tokens
            known = self._tokens = (resolution, self.part, names)
        return known[2]

    @property
    def all_tokens(self) -> frozenset[str]:
        """Return the names of the item, and those it had before it was identified."""
        return self.tokens | {signature_token(name) for name in self.signatures}

    @property
    def whole(self) -> float | None:
        """Return the length of the whole file in seconds."""
        return self.duration or self.runtime or None

    @property
    def length(self) -> float | None:
        """Return the length of the item in seconds: the items of a file are taken to be of equal length."""
        return self.whole / self.parts if self.whole else None

    @property
    def offset(self) -> float:
        """Return where in the file the item begins, in seconds."""
        return self.part * (self.length or 0.0)

    @property
    def runtime(self) -> float | None:
        """Return how long the whole file is known to be, in seconds, whatever is reported."""
        return self.resolution.runtime if self.resolution else None

    @property
    def clip(self) -> bool:
        """Say whether it is too short for what it names itself: the trailer, perhaps."""
        if self.duration is None or self.runtime is None:
            return False
        return self.duration < CLIP * self.runtime

    @property
    def eligible(self) -> bool:
        """Say whether, by its length, it may be an item at all."""
        if self.duration is None or self.runtime:
            return not self.clip
        media = self.media
        named = media.ids or media.show_ids or media.episode is not None
        return self.duration >= (SHORT if named else SHORT_NAMELESS)

    @property
    def vague(self) -> bool:
        """Say whether it is named too poorly to tell what it is."""
        media = self.media
        named = media.episode is not None or media.ids or media.rank > Rank.TITLE
        return self.item is None and not named

    def part_at(self, position: float) -> int:
        """Return which of the items plays at a position in the file."""
        if not self.whole or self.parts == 1:
            return 0
        if self.offset - BACK <= position < self.offset:
            return self.part  # the estimate was a little ahead
        return max(0, min(self.parts - 1, int(position * self.parts / self.whole)))

    def part_of(self, resolution: Resolution) -> int | None:
        """Return which of the items of another file is this one; None for none of them."""
        for part, item in enumerate(resolution.items):
            if self.item is None or self.tokens & (tokens_of(item) | resolution.tokens):
                return part
        return None


class Resolutions:
    """What signatures were identified as, for titles that come back."""

    def __init__(self, size: int) -> None:
        """Remember so many."""
        self._size = size
        self._known: dict[str, tuple[Resolution, frozenset[str]]] = {}

    def get(self, signature: str) -> Resolution | None:
        """Return what a signature was identified as."""
        known = self._known.get(signature)
        return known[0] if known else None

    def tokens(self, signature: str) -> frozenset[str]:
        """Return the names of the item; none of a file with several."""
        known = self._known.get(signature)
        return known[1] if known else frozenset()

    def remember(self, signature: str, resolution: Resolution) -> None:
        """Remember what a signature was identified as, in place of what was known, and forget the oldest."""
        tokens: frozenset[str] = frozenset()
        if len(resolution.items) == 1:
            tokens = resolution.tokens | tokens_of(resolution.items[0])
        self._known.pop(signature, None)
        self._known[signature] = resolution, tokens
        if len(self._known) > self._size:
            del self._known[next(iter(self._known))]
