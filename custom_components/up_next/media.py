"""Media items and their external identifiers: plain values, shared by every room of the house."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
import re
from typing import Final, Literal

_IMDB: Final = re.compile(r"(?:tt)?(\d+)", re.ASCII)
_NOT_IDENTIFYING: Final = frozenset({"slug"})


class MediaType(StrEnum):
    """What kind of thing a media item is."""

    MOVIE = "movie"
    SHOW = "show"
    SEASON = "season"
    EPISODE = "episode"


@dataclass(frozen=True, slots=True)
class Ids:
    """External identifiers of one media item, by namespace ("imdb", "tmdb", "tvdb", "trakt", "simkl", ...).

    All values are strings; make them with `of`, which normalises. An episode's ids never stand in for its show's.
    """

    values: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, ids: Mapping[str, object] | None = None, /, **more: object) -> Ids:
        """Build from loose values: None, "", 0 and negative numbers are left out, IMDb ids get their "tt" form."""
        values: dict[str, str] = {}
        for namespace, value in {**(ids or {}), **more}.items():
            text = str(value).strip() if isinstance(value, (str, int)) else ""
            if namespace == "imdb":
                match = _IMDB.fullmatch(text.lower())
                text = f"tt{match[1]:0>7}" if match and int(match[1]) else ""
            if text and text != "0" and not text.startswith("-"):
                values[namespace] = text
        return cls(values)

    def get(self, namespace: str) -> str | None:
        """Return the identifier in this namespace."""
        return self.values.get(namespace)

    def number(self, namespace: str) -> int | None:
        """Return the identifier in this namespace as a number, None when absent or not a number."""
        value = self.values.get(namespace, "")
        return int(value) if value.isascii() and value.isdigit() else None

    def shares(self, other: Ids) -> bool:
        """Say whether both name the same thing in at least one namespace (slugs are no proof)."""
        return any(
            other.values.get(namespace) == value
            for namespace, value in self.values.items()
            if namespace not in _NOT_IDENTIFYING
        )

    def merged(self, other: Ids) -> Ids:
        """Return the ids of both; where they disagree, this one's."""
        return Ids({**other.values, **self.values})

    def __bool__(self) -> bool:
        """Say whether there is any identifier that identifies."""
        return any(namespace not in _NOT_IDENTIFYING for namespace in self.values)

    def __hash__(self) -> int:
        return hash(frozenset(self.values.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Movie:
    """A movie. `runtime` is in seconds; `picture` is a poster's address at the service, never shown directly."""

    title: str
    ids: Ids = field(default_factory=Ids)
    year: int | None = None
    runtime: int | None = None
    url: str | None = None
    picture: str | None = None
    type: Literal[MediaType.MOVIE] = MediaType.MOVIE

    @property
    def label(self) -> str:
        """Return the title as people write it: "Heretic (2024)"."""
        return f"{self.title} ({self.year})" if self.year else self.title


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    """A show. `runtime` is an episode's usual length in seconds."""

    title: str
    ids: Ids = field(default_factory=Ids)
    year: int | None = None
    runtime: int | None = None
    url: str | None = None
    picture: str | None = None
    anime: bool = False
    type: Literal[MediaType.SHOW] = MediaType.SHOW

    @property
    def label(self) -> str:
        """Return the title."""
        return self.title


@dataclass(frozen=True, slots=True, kw_only=True)
class Season:
    """A season of a show; number 0 holds the specials. `ids` are the season's own."""

    show: Show
    number: int
    ids: Ids = field(default_factory=Ids)
    type: Literal[MediaType.SEASON] = MediaType.SEASON

    @property
    def label(self) -> str:
        """Return "Silo season 2"."""
        return f"{self.show.title} season {self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """An episode of a show; season 0 holds the specials.

    `first_aired` is an instant in UTC, None when not announced. `runtime` is in seconds.
    `ids` are the episode's own.
    """

    show: Show
    season: int
    number: int
    title: str | None = None
    ids: Ids = field(default_factory=Ids)
    first_aired: datetime | None = None
    runtime: int | None = None
    url: str | None = None
    picture: str | None = None
    type: Literal[MediaType.EPISODE] = MediaType.EPISODE

    @property
    def code(self) -> str:
        """Return "S02E03"; anime without seasons reads "E03"."""
        if self.show.anime and self.season == 1:
            return f"E{self.number:02d}"
        return f"S{self.season:02d}E{self.number:02d}"

    @property
    def label(self) -> str:
        """Return "Silo S02E03 Solo", without the title when it is not known."""
        return " ".join(
            part for part in (self.show.title, self.code, self.title) if part
        )


type MediaItem = Movie | Show | Season | Episode
type Playable = Movie | Episode


def show_of(item: MediaItem) -> Show | None:
    """Return the show that a media item is or belongs to; None for a movie."""
    match item:
        case Show():
            return item
        case Season() | Episode():
            return item.show
        case Movie():
            return None
