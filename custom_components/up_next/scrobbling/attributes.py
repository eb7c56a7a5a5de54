"""Attributes of a state as plain values, whatever form a player gives them: nothing here raises on any value."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from math import isfinite
import re
from typing import Final
import unicodedata

from ..media import Ids
from .sources import ID_NAMESPACES, SHOW_ID_PREFIX

LONGEST_TEXT: Final = 300
"""Characters of a text that are kept."""
LONGEST_TIME: Final = 100 * 3600.0
"""Seconds beyond which a position or a duration is nonsense: a clock time, or that of an endless stream."""
LARGEST_NUMBER: Final = 99_999
"""The largest number that a season or an episode can have."""

LONGEST_NUMBER: Final = 10**20
"""Beyond it a number is the name of nothing."""

_DIGIT: Final = re.compile(r"\d")
_JOINERS: Final = frozenset("\u200c\u200d")
_IMDB: Final = re.compile(r"(tt\d{5,10})(?::(\d{1,5}):(\d{1,5}))?", re.ASCII)
_PREFIXED: Final = re.compile(
    r"(?:com\.plexapp\.agents\.)?(imdb|tmdb|themoviedb|tvdb|thetvdb)(?::|://|-)(tt\d+|\d+)(?:\?.*)?",
    re.ASCII | re.IGNORECASE,
)


def text(value: object) -> str:
    """Return a text or number on one line, without what can't be printed or stored; "" for anything else."""
    if value is None:
        return ""
    if not isinstance(value, str):
        if type(value) is int and -LONGEST_NUMBER < value < LONGEST_NUMBER:
            return str(value)
        return ""
    value = value[:LONGEST_TEXT]
    if not value.isprintable():
        value = "".join(map(_printable, value))
    return " ".join(value.split())


def _printable(letter: str) -> str:
    if letter.isprintable() or letter in _JOINERS:
        return letter
    return "" if unicodedata.category(letter) in ("Cf", "Cs") else " "


def number(value: object) -> int | None:
    """Return the number of a season or an episode: 1, "1", 1.0; None when there is none, as -1 says."""
    if type(value) is not int:
        if isinstance(value, str):
            value = value[:20].strip()
        elif type(value) is not float:
            return None
        try:
            value = float(value)
            if not value.is_integer():
                return None
            value = int(value)
        except (ValueError, OverflowError):
            return None
    return value if 0 <= value <= LARGEST_NUMBER else None


def seconds(value: object) -> float | None:
    """Return a position in seconds; None when there is none or it can't be one."""
    if type(value) is not float:
        if isinstance(value, str):
            value = value[:30]
        elif type(value) is not int:
            return None
        try:
            value = float(value)
        except (ValueError, OverflowError):
            return None
    return value if isfinite(value) and 0 <= value <= LONGEST_TIME else None


def moment(value: object, zone: tzinfo) -> datetime | None:
    """Return an instant in UTC; what names no zone is meant in the given one."""
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value[:40])
        if not isinstance(value, datetime):
            return None
        if value.tzinfo is UTC:
            return value
        if value.utcoffset() is None:
            value = value.replace(tzinfo=zone)
        return value.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def library_ids(value: Mapping[object, object]) -> tuple[Ids, Ids]:
    """Read ids by name, as Kodi gives them: those of the item, and those marked as its show's."""
    return _library_ids(
        tuple((key, text(one)) for key, one in value.items() if isinstance(key, str))
    )


@lru_cache(maxsize=256)
def _library_ids(pairs: tuple[tuple[str, str], ...]) -> tuple[Ids, Ids]:
    own: dict[str, object] = {}
    shows: dict[str, object] = {}
    for key, value in pairs:
        name = key.lower()
        target = shows if name.startswith(SHOW_ID_PREFIX) else own
        namespace = ID_NAMESPACES.get(name.removeprefix(SHOW_ID_PREFIX))
        # an id without any digit is a slug or a mistake
        if namespace and _DIGIT.search(value):
            target[namespace] = value
    return Ids.of(own), Ids.of(shows)


def named_ids(content: str) -> tuple[Ids, int | None, int | None]:
    """Read ids out of a content id: "tt0113277", "tmdb:949", "tt0903747:1:2" with season and episode."""
    if match := _IMDB.fullmatch(content):
        return Ids.of(imdb=match[1]), number(match[2]), number(match[3])
    if match := _PREFIXED.fullmatch(content):
        return Ids.of({ID_NAMESPACES[match[1].lower()]: match[2]}), None, None
    return Ids(), None, None
