"""What a Firstlight server sends (apis/kinopub_firstlight.md section 8), as typed values and as media items.

Numbers come as strings in places, keys come and go. Inside a row all of that is survived; a missing top-level list is
not: an unreadable answer must never pass for an empty one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite
import re
from typing import Final

from mashumaro import DataClassDictMixin, field_options
import orjson

from ...media import Episode, Ids, Movie, Show

_SECONDS_BELOW: Final = 1e11
"""Epochs below are in seconds, all others in milliseconds."""
_TOO_MUCH: Final = 2**53


def _number(value: object) -> float | None:
    """Read a number from a number or a string; None for anything else."""
    try:
        number = float(value) if isinstance(value, (int, float, str)) else None
    except (ValueError, OverflowError):
        return None
    return number if number is not None and isfinite(number) else None


def _positive(value: object) -> float | None:
    number = _number(value)
    return number if number is not None and number >= 0 else None


def _whole(value: object) -> int:
    number = _number(value)
    return int(number) if number is not None and abs(number) < _TOO_MUCH else 0


def _text(value: object) -> str:
    return str(value).strip() if isinstance(value, (str, int)) else ""


def _id(value: object) -> str:
    """Read an id that `Ids` takes; "" for any other."""
    return Ids.of(firstlight=value).get("firstlight") or ""


def _address(value: object) -> str:
    text = _text(value)
    return text if text.startswith(("http://", "https://")) else ""


@dataclass(slots=True, kw_only=True)
class Wire(DataClassDictMixin):
    """An object of the service: null is the same as missing."""

    @classmethod
    def __pre_deserialize__(cls, d: dict[object, object]) -> dict[object, object]:
        return {key: value for key, value in d.items() if value is not None}


def _field[T](read: Callable[[object], T], default: T, alias: str | None = None) -> T:
    return field(default=default, metadata=field_options(alias=alias, deserialize=read))


def _rows[T: Wire](shape: type[T]) -> Callable[[object], tuple[T, ...]]:
    """Read a list; what is no object counts as an empty one."""

    def read(value: object) -> tuple[T, ...]:
        rows = value if isinstance(value, list) else []
        return tuple(shape.from_dict(r if isinstance(r, dict) else {}) for r in rows)

    return read


@dataclass(slots=True, kw_only=True)
class Fault(Wire):
    """An error of the envelope: "4", service (3 digits), operation (2), reason (2)."""

    code: str = _field(_text, "")
    description: str = _field(_text, "")


@dataclass(slots=True, kw_only=True)
class Header(Wire):
    """The header of the `/user` services; `code` is 0 for success, sometimes as a string."""

    code: float | None = _field(_number, None)
    errors: tuple[Fault, ...] = _field(_rows(Fault), ())


def _header(value: object) -> Header | None:
    return Header.from_dict(value) if isinstance(value, dict) else None


@dataclass(slots=True, kw_only=True)
class Envelope(Wire):
    """What "data" comes in; the content service has no header, but a code of its own."""

    header: Header | None = _field(_header, None)
    code: float | None = _field(_number, None)


def key_of(item: str, episode: str) -> str:
    """Return what tells one movie, or one episode of a series, from all others."""
    return f"{item}/{episode}" if episode else item


@dataclass(slots=True, kw_only=True)
class Bookmark(Wire):
    """Where the user stopped. `offset` and `at` are in units that differ; a movie has no episode."""

    item: str = _field(_text, "", "itemId")
    episode: str = _field(_id, "", "episodeId")
    offset: float | None = _field(_positive, None)
    at: float | None = _field(_positive, None, "ut")

    @property
    def key(self) -> str:
        """What the bookmark is of: this movie, or this episode of that series."""
        return key_of(self.item, self.episode)

    @property
    def updated_at(self) -> datetime | None:
        """When the bookmark was set, in UTC; None where that is missing, or in no calendar."""
        if not self.at:
            return None
        epoch = self.at if self.at < _SECONDS_BELOW else self.at / 1000
        try:
            return datetime.fromtimestamp(epoch, UTC)
        except (OverflowError, ValueError, OSError):
            return None


@dataclass(slots=True, kw_only=True)
class EpisodeRow(Wire):
    """An episode; its length is in seconds."""

    id: str = _field(_text, "")
    number: int = _field(_whole, 0, "episodeNumber")
    title: str = _field(_text, "")
    runtime: int = _field(_whole, 0, "playDuration")
    picture: str = _field(_address, "", "previewUrl")
    url: str = _field(_address, "", "deeplink")


@dataclass(slots=True, kw_only=True)
class SeasonRow(Wire):
    """A season and its episodes."""

    number: int = _field(_whole, 0, "seasonNumber")
    episodes: tuple[EpisodeRow, ...] = _field(_rows(EpisodeRow), ())


@dataclass(slots=True, kw_only=True)
class Title(Wire):
    """A movie or a series; a movie's length is in seconds."""

    name: str = _field(_text, "", "title")
    original: str = _field(_text, "", "originalTitle")
    kind: str = _field(_text, "", "titleType")
    released: str = _field(_text, "", "releaseDate")
    runtime: int = _field(_whole, 0)
    upright: str = _field(_address, "", "vrPosterUrl")
    wide: str = _field(_address, "", "hrPosterUrl")
    url: str = _field(_address, "", "deeplink")
    seasons: tuple[SeasonRow, ...] = _field(_rows(SeasonRow), ())

    def movie(self, item: str) -> Movie:
        """Make a movie; `item` is the service's id."""
        return Movie(
            title=self.name or self.original or item,
            ids=Ids.of(firstlight=item),
            year=self._year,
            runtime=max(0, self.runtime) or None,
            url=self.url or None,
            picture=self.upright or self.wide or None,
        )

    def episode(self, item: str, episode: str) -> Episode:
        """Make an episode of this series; number 0 of season 0 where the service does not tell which it is."""
        show = Show(
            title=self.name or self.original or item,
            ids=Ids.of(firstlight=item),
            year=self._year,
            url=self.url or None,
            picture=self.upright or self.wide or None,
        )
        season, row = self.find(episode) or (0, EpisodeRow())
        return Episode(
            show=show,
            season=season,
            number=max(0, row.number),
            title=row.title or None,
            ids=Ids.of(firstlight=episode),
            runtime=max(0, row.runtime) or None,
            url=row.url or None,
            picture=row.picture or None,
        )

    def find(self, episode: str) -> tuple[int, EpisodeRow] | None:
        """Return an episode and the number of its season. Ids come in capitals in one place and small in another."""
        return next(
            (
                (max(0, season.number), row)
                for season in self.seasons
                for row in season.episodes
                if row.id.casefold() == episode.casefold()
            ),
            None,
        )

    @property
    def _year(self) -> int | None:
        match = re.match(r"(?:19|20)\d\d(?!\d)", self.released, re.ASCII)
        return int(match[0]) if match else None


def _data(body: bytes) -> object:
    """Return what an envelope holds. Raises ValueError when it does not say that all is well."""
    whole = orjson.loads(body)
    envelope = Envelope.from_dict(whole)
    if (envelope.header.code if envelope.header else envelope.code) != 0:
        raise ValueError("no word of success")
    return whole.get("data")


def read_list[T: Wire](shape: type[T]) -> Callable[[bytes], Sequence[T]]:
    """Return a decoder of a list; no list is not an empty one."""

    def read(body: bytes) -> Sequence[T]:
        data = _data(body)
        if not isinstance(data, list):
            raise TypeError("a list was expected")
        return _rows(shape)(data)

    return read


def read_one[T: Wire](shape: type[T]) -> Callable[[bytes], T]:
    """Return a decoder of one object."""

    def read(body: bytes) -> T:
        data = _data(body)
        if not isinstance(data, dict):
            raise TypeError("an object was expected")
        return shape.from_dict(data)

    return read
