"""What KinoPub sends (apis/kinopub_firstlight.md section 3), as typed values.

Numbers come as strings in places, keys come and go, null stands for nothing. Inside a row all of that is survived;
a missing top-level list is not: an unreadable answer must never pass for an empty one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Final, Self

from mashumaro import DataClassDictMixin, field_options
import orjson

SERIES: Final = frozenset({"serial", "docuserial", "tvshow"})
WATCHED: Final = 1
STARTED: Final = 0
NEVER: Final = -1
_ABSURD: Final = 2**53
"""No id, time or count is this large; what is can't be stored either."""
_SIZES: Final = ("big", "medium", "small")


def _number(value: object) -> int:
    """Read a whole number from a number or a string; 0 for anything else."""
    try:
        number = float(value) if isinstance(value, (int, float, str)) else 0.0
    except (ValueError, OverflowError):
        return 0
    return int(number) if isfinite(number) and abs(number) < _ABSURD else 0


def _status(value: object) -> int:
    """Read a watching status: 1 watched, 0 started, -1 never; whatever is unclear was never watched."""
    text = str(value).strip()
    return int(text) if text in ("0", "1") else NEVER


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _name(value: object) -> str:
    name = str(value).strip() if isinstance(value, (str, int)) else ""
    if not name:
        raise ValueError("a name was expected")
    return name


def _flag(value: object) -> bool:
    return _number(value) == 1


def _poster(value: object) -> str | None:
    """Choose the largest upright poster."""
    sizes = value if isinstance(value, Mapping) else {}
    return next((sizes[size] for size in _SIZES if _text(sizes.get(size))), None)


def _average(value: object) -> int:
    return _number(value.get("average")) if isinstance(value, Mapping) else 0


def _inner_status(value: object) -> int:
    return _status(value.get("status")) if isinstance(value, Mapping) else NEVER


def _inner_time(value: object) -> int:
    return _number(value.get("time")) if isinstance(value, Mapping) else 0


def _rows[T: Wire](row: type[T]) -> Callable[[object], list[T]]:
    """Read a list, leaving out what is no object."""

    def read(value: object) -> list[T]:
        rows = value if isinstance(value, list) else []
        return [row.from_dict(each) for each in rows if isinstance(each, dict)]

    return read


def _one[T: Wire](row: type[T]) -> Callable[[object], T]:
    return lambda value: row.from_dict(value if isinstance(value, dict) else {})


@dataclass(slots=True, kw_only=True)
class Wire(DataClassDictMixin):
    """An object of the service: null is the same as missing."""

    @classmethod
    def __pre_deserialize__(cls, d: dict[object, object]) -> dict[object, object]:
        return {key: value for key, value in d.items() if value is not None}


def _required[T: Wire](row: type[T]) -> Callable[[object], list[T]]:
    read_rows = _rows(row)

    def strict(value: object) -> list[T]:
        if not isinstance(value, list):
            raise TypeError("a list was expected")
        return read_rows(value)

    return strict


def _number_field(default: int = 0) -> int:
    return field(default=default, metadata=field_options(deserialize=_number))


def _status_field() -> int:
    return field(default=NEVER, metadata=field_options(deserialize=_status))


def _text_field() -> str:
    return field(default="", metadata=field_options(deserialize=_text))


def _flag_field() -> bool:
    return field(
        default=False,
        metadata=field_options(deserialize=_flag),
    )


def _poster_field() -> str | None:
    return field(
        default=None, metadata=field_options(alias="posters", deserialize=_poster)
    )


def _rows_field[T: Wire](row: type[T]) -> list[T]:
    return field(default_factory=list, metadata=field_options(deserialize=_rows(row)))


def _required_rows[T: Wire](row: type[T]) -> list[T]:
    required: list[T] = field(metadata=field_options(deserialize=_required(row)))
    return required


def _one_field[T: Wire](row: type[T]) -> T:
    return field(default_factory=row, metadata=field_options(deserialize=_one(row)))


@dataclass(slots=True, kw_only=True)
class Head(Wire):
    """What every kind of item row begins with; `imdb` and `kinopoisk` are 0 where unknown."""

    id: int = _number_field()
    type: str = _text_field()
    subtype: str = _text_field()
    title: str = _text_field()
    year: int = _number_field()
    imdb: int = _number_field()
    kinopoisk: int = _number_field()
    poster: str | None = _poster_field()

    @property
    def series(self) -> bool:
        """Whether the item has seasons."""
        return self.type in SERIES

    @property
    def multi(self) -> bool:
        """Whether the movie comes in several parts."""
        return self.subtype == "multi"


@dataclass(slots=True, kw_only=True)
class Video(Wire):
    """An episode or a part of a movie, and how far it was watched.

    `number` counts from 1; `duration` and `time` are seconds; `updated` is in epoch seconds, 0 when never touched,
    and the time of watching only when the status is "watched".
    """

    id: int = _number_field()
    number: int = _number_field()
    title: str = _text_field()
    thumbnail: str = _text_field()
    duration: int = _number_field()
    time: int = _number_field()
    status: int = _status_field()
    updated: int = _number_field()

    @classmethod
    def __pre_deserialize__(cls, d: dict[object, object]) -> dict[object, object]:
        """Lift what /v1/items keeps in `watching` to where /v1/watching has it."""
        inner = d.get("watching")
        lifted = {**d, **inner} if isinstance(inner, dict) else d
        return {key: value for key, value in lifted.items() if value is not None}


@dataclass(slots=True, kw_only=True)
class Season(Wire):
    """A season; `number` is what the service is asked by, not the position in the list."""

    id: int = _number_field()
    number: int = _number_field(-1)
    episodes: list[Video] = _rows_field(Video)

    @classmethod
    def __post_deserialize__(cls, obj: Self) -> Self:
        """Leave out what has no number to ask for it by."""
        obj.episodes = [video for video in obj.episodes if video.number >= 0]
        return obj


@dataclass(slots=True, kw_only=True)
class Item(Head):
    """An item with its videos or seasons, from /v1/items/{id} or /v1/watching.

    The latter has no year, no ids and no poster. `duration` is the average length in seconds.
    """

    duration: int = field(default=0, metadata=field_options(deserialize=_average))
    in_watchlist: bool = _flag_field()
    videos: list[Video] = _rows_field(Video)
    seasons: list[Season] = _rows_field(Season)

    @classmethod
    def __post_deserialize__(cls, obj: Self) -> Self:
        """Leave out what has no number to ask for it by."""
        obj.seasons = [season for season in obj.seasons if season.number >= 0]
        return obj


@dataclass(slots=True, kw_only=True)
class SerialRow(Head):
    """A serial with something left; `total` comes as a string."""

    total: int = _number_field()
    watched: int = _number_field()


@dataclass(slots=True, kw_only=True)
class Media(Wire):
    """The video of a history row; `season` is 0 for movies."""

    id: int = _number_field()
    number: int = _number_field()
    season: int = field(
        default=0, metadata=field_options(alias="snumber", deserialize=_number)
    )
    title: str = _text_field()
    thumbnail: str = _text_field()
    duration: int = _number_field()


@dataclass(slots=True, kw_only=True)
class HistoryRow(Wire):
    """A video that was opened (not: finished); `last_seen` in epoch seconds, `time` in seconds."""

    time: int = _number_field()
    last_seen: int = _number_field()
    item: Head = _one_field(Head)
    media: Media = _one_field(Media)


@dataclass(slots=True, kw_only=True)
class Pagination(Wire):
    """`total` is the number of pages."""

    total: int = _number_field(1)
    current: int = _number_field(1)
    total_items: int = _number_field(-1)


@dataclass(slots=True, kw_only=True)
class Serials(Wire):
    """GET /v1/watching/serials."""

    items: list[SerialRow] = _required_rows(SerialRow)


@dataclass(slots=True, kw_only=True)
class Heads(Wire):
    """GET /v1/watching/movies, /v1/items/search, /v1/bookmarks/{id}."""

    items: list[Head] = _required_rows(Head)
    pagination: Pagination = _one_field(Pagination)


@dataclass(slots=True, kw_only=True)
class History(Wire):
    """GET /v1/history."""

    history: list[HistoryRow] = _required_rows(HistoryRow)
    pagination: Pagination = _one_field(Pagination)


@dataclass(slots=True, kw_only=True)
class OneItem(Wire):
    """GET /v1/items/{id} and /v1/watching?id=."""

    item: Item


@dataclass(slots=True, kw_only=True)
class FolderRow(Wire):
    """A bookmark folder; `count` comes as a string, `updated` moves when the content does."""

    id: int = _number_field()
    title: str = _text_field()
    count: int = _number_field()
    updated: int = _number_field()


@dataclass(slots=True, kw_only=True)
class Folders(Wire):
    """GET /v1/bookmarks."""

    items: list[FolderRow] = _required_rows(FolderRow)


@dataclass(slots=True, kw_only=True)
class ItemFolders(Wire):
    """GET /v1/bookmarks/get-item-folders."""

    folders: list[FolderRow] = _required_rows(FolderRow)


@dataclass(slots=True, kw_only=True)
class Subscription(Wire):
    """The paid subscription; `end_time` in epoch seconds."""

    end_time: int = _number_field()


@dataclass(slots=True, kw_only=True)
class User(Wire):
    """Who signed in."""

    username: str = field(metadata=field_options(deserialize=_name))
    subscription: Subscription = _one_field(Subscription)


@dataclass(slots=True, kw_only=True)
class OneUser(Wire):
    """GET /v1/user."""

    user: User


@dataclass(slots=True, kw_only=True)
class Toggled(Wire):
    """GET /v1/watching/toggle: 1 watched, 0 not; -1 when it does not say."""

    watched: int = _number_field(-1)


@dataclass(slots=True, kw_only=True)
class Flipped(Wire):
    """GET /v1/watching/togglewatchlist."""

    watching: bool = field(metadata=field_options(deserialize=_flag))


@dataclass(slots=True, kw_only=True)
class Added(Wire):
    """POST /v1/bookmarks/add."""

    exists: bool = _flag_field()


@dataclass(slots=True, kw_only=True)
class OAuthAnswer(Wire):
    """Any answer of /oauth2/*: an error, a device code, or a pair of tokens (times in seconds)."""

    error: str = _text_field()
    code: str = field(default="", metadata=field_options(deserialize=_text), repr=False)
    user_code: str = _text_field()
    verification_uri: str = _text_field()
    interval: int = _number_field(5)
    expires_in: int = _number_field()
    access_token: str = field(
        default="", metadata=field_options(deserialize=_text), repr=False
    )
    refresh_token: str = field(
        default="", metadata=field_options(deserialize=_text), repr=False
    )


def read[T: Wire](shape: type[T]) -> Callable[[bytes], T]:
    """Return the decoder of an answer. It raises ValueError, TypeError or LookupError for another shape."""

    def decode(body: bytes) -> T:
        value = orjson.loads(body)
        if not isinstance(value, dict):
            raise TypeError("an object was expected")
        return shape.from_dict(value)

    return decode
