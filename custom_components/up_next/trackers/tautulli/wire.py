"""What Tautulli sends (apis/letterboxd_tvtime_tautulli_plex.md section 3), as typed values and as the project's media items.

Numbers come as strings in sessions and metadata and as numbers in history rows; "" and null stand for nothing. Inside
a row all of that is survived; a missing list is not: an unreadable answer must never pass for an empty one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from mashumaro import DataClassDictMixin, field_options
import orjson

from ...media import Episode, Movie, Playable, Show
from .guids import collect

_ABSURD: Final = 2**53


def _real(value: object) -> float | None:
    try:
        number = float(value) if isinstance(value, (int, float, str)) else None
    except (ValueError, OverflowError):
        return None
    return number if number is not None and abs(number) < _ABSURD else None


def _number(value: object) -> int:
    """Read a whole number from a number or a string; 0 for anything else."""
    number = _real(value)
    return int(number) if number is not None else 0


def _index(value: object) -> int | None:
    """Read the number of a season or an episode, which may be 0; None for anything else."""
    number = _real(value)
    return int(number) if number is not None and number >= 0 else None


def _text(value: object) -> str:
    return str(value).strip() if isinstance(value, (str, int)) else ""


def _texts(value: object) -> list[str]:
    return [t for t in value if isinstance(t, str)] if isinstance(value, list) else []


def _number_field() -> int:
    return field(default=0, metadata=field_options(deserialize=_number))


def _index_field() -> int | None:
    return field(default=None, metadata=field_options(deserialize=_index))


def _text_field() -> str:
    return field(default="", metadata=field_options(deserialize=_text))


def _texts_field() -> list[str]:
    return field(default_factory=list, metadata=field_options(deserialize=_texts))


@dataclass(slots=True, kw_only=True)
class Title(DataClassDictMixin):
    """What rows, sessions and metadata alike say of a movie or an episode."""

    media_type: str = _text_field()
    rating_key: str = _text_field()
    grandparent_rating_key: str = _text_field()
    title: str = _text_field()
    grandparent_title: str = _text_field()
    year: int = _number_field()
    grandparent_year: int = _number_field()
    media_index: int | None = _index_field()
    parent_media_index: int | None = _index_field()
    guid: str = _text_field()
    grandparent_guid: str = _text_field()
    guids: list[str] = _texts_field()
    grandparent_guids: list[str] = _texts_field()
    live: int = _number_field()

    @property
    def runtime(self) -> int | None:
        """Return the length in seconds, where it is told."""
        return None

    @property
    def key(self) -> str:
        """Return what tells two items apart: the guid, as rating keys are given out again after a rebuild."""
        return self.guid.partition("?")[0] or self.rating_key

    def item(self) -> Playable | None:
        """Return the movie or episode; None for anything else: music, trailers, live TV, no numbers."""
        if self.live:
            return None
        own = [self.guid, *self.guids]
        if self.media_type == "movie" and self.title:
            return Movie(
                title=self.title,
                ids=collect(own),
                year=self.year or None,
                runtime=self.runtime,
            )
        if (
            self.media_type != "episode"
            or not self.grandparent_title
            or self.parent_media_index is None
            or self.media_index is None
        ):
            return None
        of_show = collect([self.grandparent_guid, *self.grandparent_guids])
        show = Show(
            title=self.grandparent_title,
            ids=of_show.merged(collect(own, of_show=True)),
            year=self.grandparent_year or None,
        )
        return Episode(
            show=show,
            season=self.parent_media_index,
            number=self.media_index,
            title=self.title or None,
            ids=collect(own, of_show=False),
            runtime=self.runtime,
        )


@dataclass(slots=True, kw_only=True)
class Metadata(Title):
    """What Plex knows of an item; `duration` is in milliseconds."""

    duration: int = _number_field()

    @property
    def runtime(self) -> int | None:
        return self.duration // 1000 or None


@dataclass(slots=True, kw_only=True)
class Session(Metadata):
    """Something playing or paused; `view_offset` is in milliseconds, `session_key` grows with every session."""

    session_key: int = _number_field()
    user_id: str = _text_field()
    state: str = _text_field()
    view_offset: int = _number_field()


@dataclass(slots=True, kw_only=True)
class Row(Title):
    """One stretch of playing; times are epoch seconds, `play_duration` leaves pauses out.

    `row_id` is 0 while it goes on. Stretches of one viewing mostly share their `reference_id`.
    """

    row_id: int = _number_field()
    reference_id: int = _number_field()
    date: int = _number_field()
    started: int = _number_field()
    stopped: int = _number_field()
    play_duration: int = _number_field()
    watched_status: int = _number_field()
    """1 from the threshold on; the quarters before it read as 0."""

    @property
    def show_key(self) -> str:
        """Return the key of the show that it belongs to."""
        return self.grandparent_rating_key or self.grandparent_title

    @property
    def watched(self) -> bool:
        """Say whether it was watched to the end, or near it."""
        return self.watched_status == 1


@dataclass(frozen=True, slots=True)
class History:
    """A page of history: `sent` rows of `filtered`, those among them that are stored, and how many all users have."""

    rows: list[Row]
    sent: int
    filtered: int
    total: int


class ErrorResult(Exception):
    """Tautulli's own word that it did not do what was asked, whatever the status."""


def read_result(body: bytes) -> object:
    """Take the data out of the envelope. Raises ErrorResult; ValueError or TypeError where there is no envelope."""
    whole = orjson.loads(body)
    response = whole.get("response") if isinstance(whole, Mapping) else None
    if not isinstance(response, Mapping):
        raise TypeError("no envelope")
    if response.get("result") != "success":
        raise ErrorResult(_text(response.get("message"))[:200])
    return response.get("data")


def decoder[T](parse: Callable[[object], T]) -> Callable[[bytes], T]:
    """Return what decodes an answer whose data `parse` reads."""
    return lambda body: parse(read_result(body))


def _rows[T: Title](kind: type[T], value: object) -> list[T]:
    if not isinstance(value, list):
        raise TypeError("a list was expected")
    return [kind.from_dict(row) for row in value if isinstance(row, dict)]


def _object(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise TypeError("an object was expected")
    return value


def read_sessions(data: object) -> list[Session] | None:
    """Read `get_activity`; None when Tautulli can't reach Plex: it says so by leaving the sessions out."""
    activity = _object(data)
    if "sessions" not in activity:
        return None
    return _rows(Session, activity["sessions"])


def read_history(data: object) -> History:
    """Read `get_history`, without the rows of what is still playing."""
    page = _object(data)
    rows = _rows(Row, page.get("data"))
    return History(
        rows=[row for row in rows if row.row_id],
        sent=len(rows),
        filtered=_number(page.get("recordsFiltered")),
        total=_number(page.get("recordsTotal")),
    )


def read_metadata(data: object) -> Metadata | None:
    """Read `get_metadata`; None for what is deleted, or while Plex is down."""
    return Metadata.from_dict(dict(_object(data))) if data else None


def read_names(data: object) -> dict[str, str]:
    """Read `get_user_names`: user id -> name."""
    if not isinstance(data, list):
        raise TypeError("a list was expected")
    users = [user for user in data if isinstance(user, Mapping)]
    names = {_text(u.get("user_id")): _text(u.get("friendly_name")) for u in users}
    return {user: name or user for user, name in names.items() if user}


def read_server(data: object) -> str:
    """Read the Plex server's identifier from `get_server_info`."""
    if not (server := _text(_object(data).get("pms_identifier"))):
        raise ValueError("Tautulli has no Plex server")
    return server


def read_push(body: bytes) -> str | None:
    """Read the id of the user whom a push is about; None when it does not tell: what is sent is anybody's to set."""
    try:
        told = orjson.loads(body)
    except ValueError:
        return None
    user = _text(told.get("user_id")) if isinstance(told, Mapping) else ""
    return user if user.isascii() and user.isdecimal() else None


def instant(epoch: int) -> datetime | None:
    """Turn epoch seconds into UTC; None for 0 and for what no calendar has."""
    try:
        return datetime.fromtimestamp(epoch, UTC) if epoch > 0 else None
    except (OverflowError, ValueError, OSError):
        return None
