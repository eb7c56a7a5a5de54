"""The wire shapes of Trakt as typed dataclasses, tolerant of what apis/trakt.md section 12 tells about them.

Every key may be missing or null, numbers may come as strings, and an empty list may stand for an empty object:
what cannot be read becomes None. Times are UTC, runtimes are minutes here and seconds in `media`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
import math
import re
from typing import Any, Final

from mashumaro import field_options
from mashumaro.codecs import BasicDecoder
from mashumaro.dialect import Dialect
import orjson

from ...media import Ids

NAMESPACES: Final = ("trakt", "imdb", "tmdb", "tvdb", "slug")
"""The Trakt id comes first: it is the key of a show in the library."""


def whole(value: object) -> int | None:
    """Read a whole number."""
    number = real(value)
    return None if number is None else int(number)


def real(value: object) -> float | None:
    """Read a finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def text(value: object) -> str | None:
    """Read a text; an empty one is None."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return (value.strip() or None) if isinstance(value, str) else None


def moment(value: object) -> datetime | None:
    """Read an instant; a plain date is its midnight in UTC."""
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def to_ids(value: object) -> Ids:
    """Read an ids object."""
    if not isinstance(value, Mapping):
        return Ids()
    return Ids.of({name: value.get(name) for name in NAMESPACES})


def picture(value: object) -> str | None:
    """Read the first picture of a list; the addresses have no scheme."""
    if not isinstance(value, list):
        return None
    return next((item for item in value if isinstance(item, str) and item), None)


def _texts(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list) else ()
    return tuple(item for item in items if isinstance(item, str))


class Tolerant(Dialect):
    """Reads scalars without ever failing."""

    serialization_strategy = {  # noqa: RUF012
        int: {"deserialize": whole},
        float: {"deserialize": real},
        str: {"deserialize": text},
        datetime: {"deserialize": moment},
        Ids: {"deserialize": to_ids},
    }


class Body:
    """An object on the wire."""

    @classmethod
    def __pre_deserialize__(cls, body: object) -> dict[Any, Any]:
        """Take anything that is not an object for an empty one."""
        return body if isinstance(body, dict) else {}


def rows_of(value: object) -> list[object]:
    """Take anything that is not a list for an empty one."""
    return value if isinstance(value, list) else []


@dataclass(frozen=True, slots=True)
class Images(Body):
    """Pictures of a title, without scheme."""

    poster: str | None = field(
        default=None, metadata=field_options(deserialize=picture)
    )
    thumb: str | None = field(default=None, metadata=field_options(deserialize=picture))
    screenshot: str | None = field(
        default=None, metadata=field_options(deserialize=picture)
    )


@dataclass(frozen=True, slots=True)
class TitleBody(Body):
    """A show or a movie."""

    title: str | None = None
    year: int | None = None
    ids: Ids = field(default_factory=Ids)
    runtime: int | None = None
    genres: tuple[str, ...] = field(
        default=(), metadata=field_options(deserialize=_texts)
    )
    images: Images | None = None


@dataclass(frozen=True, slots=True)
class EpisodeBody(Body):
    """An episode."""

    season: int | None = None
    number: int | None = None
    title: str | None = None
    ids: Ids = field(default_factory=Ids)
    first_aired: datetime | None = None
    runtime: int | None = None
    images: Images | None = None


@dataclass(frozen=True, slots=True)
class SeasonBody(Body):
    """A season, with its episodes where they were asked for."""

    number: int | None = None
    ids: Ids = field(default_factory=Ids)
    episodes: list[EpisodeBody] = field(default_factory=list)

    @classmethod
    def __pre_deserialize__(cls, body: object) -> dict[Any, Any]:
        """Tolerate a missing list."""
        return _with_list(body, "episodes")


@dataclass(frozen=True, slots=True)
class MediaBody(Body):
    """What list rows share: the media item, told apart by which keys are there."""

    type: str | None = None
    movie: TitleBody | None = None
    show: TitleBody | None = None
    season: SeasonBody | None = None
    episode: EpisodeBody | None = None


@dataclass(frozen=True, slots=True)
class HistoryRow(MediaBody):
    """A play."""

    id: int | None = None
    watched_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class WatchlistRow(MediaBody):
    """A watchlist item."""

    listed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PlaybackRow(MediaBody):
    """A saved position in percent."""

    id: int | None = None
    progress: float | None = None
    paused_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class HiddenRow(MediaBody):
    """A hidden show or season."""


@dataclass(frozen=True, slots=True)
class WatchingBody(MediaBody):
    """What is playing now."""

    started_at: datetime | None = None
    expires_at: datetime | None = None
    action: str | None = None


@dataclass(frozen=True, slots=True)
class CalendarRow(MediaBody):
    """An airing."""

    first_aired: datetime | None = None


@dataclass(frozen=True, slots=True)
class SearchRow(MediaBody):
    """Something found."""


@dataclass(frozen=True, slots=True)
class SeenEpisode(Body):
    """An episode in a progress or watched answer."""

    number: int | None = None
    completed: bool = False
    plays: int | None = None
    last_watched_at: datetime | None = None

    @classmethod
    def __pre_deserialize__(cls, body: object) -> dict[Any, Any]:
        """Read `completed` strictly: only true is true."""
        found = body if isinstance(body, dict) else {}
        return {**found, "completed": found.get("completed") is True}


@dataclass(frozen=True, slots=True)
class SeenSeason(Body):
    """A season in a progress or watched answer; only aired episodes are listed in progress."""

    number: int | None = None
    episodes: list[SeenEpisode] = field(default_factory=list)

    @classmethod
    def __pre_deserialize__(cls, body: object) -> dict[Any, Any]:
        """Tolerate a missing list."""
        return _with_list(body, "episodes")


@dataclass(frozen=True, slots=True)
class ProgressBody(Body):
    """The counters of one show; `seasons` only in the answer about a single show."""

    aired: int | None = None
    completed: int | None = None
    last_watched_at: datetime | None = None
    reset_at: datetime | None = None
    next_episode: EpisodeBody | None = None
    seasons: list[SeenSeason] = field(default_factory=list)

    @classmethod
    def __pre_deserialize__(cls, body: object) -> dict[Any, Any]:
        """Tolerate a missing list."""
        return _with_list(body, "seasons")

    def listed(self) -> dict[tuple[int, int], SeenEpisode]:
        """Return the aired episodes by (season, number)."""
        return {
            (season.number, row.number): row
            for season in self.seasons
            for row in season.episodes
            if season.number is not None and row.number is not None
        }


@dataclass(frozen=True, slots=True)
class ProgressRow(Body):
    """A show and its counters, as up_next_nitro gives them."""

    show: TitleBody | None = None
    progress: ProgressBody | None = None


@dataclass(frozen=True, slots=True)
class WatchedRow(Body):
    """A watched show or movie."""

    last_updated_at: str | None = None
    last_watched_at: datetime | None = None
    reset_at: datetime | None = None
    aired_episodes: int | None = None
    show: TitleBody | None = None
    movie: TitleBody | None = None
    seasons: list[SeenSeason] = field(default_factory=list)

    @classmethod
    def __pre_deserialize__(cls, body: object) -> dict[Any, Any]:
        """Lift the number of aired episodes out of the show."""
        found = _with_list(body, "seasons")
        show = found.get("show")
        if isinstance(show, dict):
            found["aired_episodes"] = show.get("aired_episodes")
        return found


@dataclass(frozen=True, slots=True)
class UserBody(Body):
    """Who signed in."""

    username: str | None = None
    name: str | None = None
    vip: bool = False
    vip_ep: bool = False
    slug: str | None = None
    uuid: str | None = None
    trakt: str | None = None

    @classmethod
    def __pre_deserialize__(cls, body: object) -> dict[Any, Any]:
        """Lift the ids up, read flags strictly."""
        found = body if isinstance(body, dict) else {}
        ids = found.get("ids")
        flags = {name: found.get(name) is True for name in ("vip", "vip_ep")}
        return {**found, **(ids if isinstance(ids, dict) else {}), **flags}


@dataclass(frozen=True, slots=True)
class SettingsBody(Body):
    """/users/settings."""

    user: UserBody = field(default_factory=UserBody)


@dataclass(frozen=True, slots=True)
class StatsPart(Body):
    """How much of one kind was watched."""

    watched: int | None = None
    plays: int | None = None


@dataclass(frozen=True, slots=True)
class StatsBody(Body):
    """/users/me/stats: every key is optional."""

    movies: StatsPart | None = None
    shows: StatsPart | None = None
    episodes: StatsPart | None = None


@dataclass(frozen=True, slots=True)
class Counts(Body):
    """How many items of each kind a write touched."""

    movies: int | None = None
    shows: int | None = None
    seasons: int | None = None
    episodes: int | None = None

    @property
    def total(self) -> int:
        """Return the sum."""
        return sum(
            n or 0 for n in (self.movies, self.shows, self.seasons, self.episodes)
        )


@dataclass(frozen=True, slots=True)
class Missing(Body):
    """An item that the service did not find, as it was sent."""

    ids: Ids = field(default_factory=Ids)
    title: str | None = None
    year: int | None = None
    number: int | None = None


@dataclass(frozen=True, slots=True)
class NotFoundBody(Body):
    """The items that the service did not find."""

    movies: list[Missing] = field(default_factory=list)
    shows: list[Missing] = field(default_factory=list)
    seasons: list[Missing] = field(default_factory=list)
    episodes: list[Missing] = field(default_factory=list)

    @classmethod
    def __pre_deserialize__(cls, body: object) -> dict[Any, Any]:
        """Tolerate missing lists."""
        return _with_list(body, "movies", "shows", "seasons", "episodes")


@dataclass(frozen=True, slots=True)
class WriteBody(Body):
    """What the sync routes answer to a write."""

    added: Counts | None = None
    existing: Counts | None = None
    deleted: Counts | None = None
    not_found: NotFoundBody = field(default_factory=NotFoundBody)

    @classmethod
    def __pre_deserialize__(cls, body: object) -> dict[Any, Any]:
        """Tolerate a null."""
        found = body if isinstance(body, dict) else {}
        return {**found, "not_found": found.get("not_found")}


@dataclass(frozen=True, slots=True)
class ScrobbleBody(MediaBody):
    """What became of a scrobble; `id` is that of the play, 0 where none was made."""

    id: int | None = None
    action: str | None = None


@dataclass(frozen=True, slots=True)
class ConflictBody(Body):
    """Why something is not taken just now."""

    watched_at: datetime | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TokenBody(Body):
    """A token pair; lifetimes in seconds."""

    access_token: str | None = None
    refresh_token: str | None = None
    expires_in: int | None = None
    created_at: int | None = None
    scope: str | None = None


@dataclass(frozen=True, slots=True)
class DeviceBody(Body):
    """A device code; times in seconds."""

    device_code: str | None = None
    user_code: str | None = None
    verification_url: str | None = None
    expires_in: int | None = None
    interval: int | None = None


@dataclass(frozen=True, slots=True)
class OAuthError(Body):
    """Why a token was refused."""

    error: str | None = None


def _with_list(body: object, *names: str) -> dict[Any, Any]:
    found = dict(body) if isinstance(body, dict) else {}
    for name in names:
        found[name] = rows_of(found.get(name))
    return found


def one[T](shape: type[T]) -> Callable[[bytes], T]:
    """Return a decoder for one object; ValueError when the body holds something else."""
    decode = BasicDecoder(shape, default_dialect=Tolerant).decode

    def decoder(body: bytes) -> T:
        data = orjson.loads(body)
        if not isinstance(data, dict):
            raise ValueError("not an object")  # noqa: TRY004
        return decode(data)

    return decoder


def many[T](shape: type[T]) -> Callable[[bytes], list[T]]:
    """Return a decoder for a list of objects; ValueError when the body holds something else."""
    decode = BasicDecoder(shape, default_dialect=Tolerant).decode

    def decoder(body: bytes) -> list[T]:
        data = orjson.loads(body)
        if not isinstance(data, list):
            raise ValueError("not a list")  # noqa: TRY004
        return [decode(row) for row in data]

    return decoder


def _activities(body: bytes) -> dict[str, str]:
    data = orjson.loads(body)
    if not isinstance(data, dict):
        raise ValueError("not an object")  # noqa: TRY004
    return {
        f"{section}.{name}": at
        for section, keys in data.items()
        if isinstance(keys, dict)
        for name, at in keys.items()
        if isinstance(at, str)
    }


def _minimal(body: bytes) -> dict[str, object]:
    data = orjson.loads(body)
    # PHP-style empty maps come as lists
    if data == []:
        return {}
    if not isinstance(data, dict):
        raise ValueError("not an object")  # noqa: TRY004
    return data


_TOKEN: Final = re.compile(rb'[{}\[\]]|"(?:[^"\\]|\\.)*"')


def _minimal_keys(body: bytes) -> frozenset[str]:
    """Read the keys of the outermost object only.

    The whole list is megabytes for a big library: parsed in one go it would keep the event loop from running for
    longer than all the rest of a first reading, though that happens in another thread.
    """
    keys: set[str] = set()
    depth = 0
    for token in _TOKEN.finditer(body):
        text = token[0]
        if text in b"{[":
            depth += 1
        elif text in b"}]":
            depth -= 1
        elif depth == 1 and body[token.end() : token.end() + 1] == b":":
            keys.add(text[1:-1].decode())
    if depth or body.strip()[:1] not in (b"{", b"["):
        raise ValueError("not a whole object")
    return frozenset(keys)


decode_activities: Final = _activities
"""/sync/last_activities as "section.key" -> time, as it was sent."""
decode_minimal: Final = _minimal
"""/sync/watched/*?extended=min: Trakt id -> what was watched of it."""
decode_minimal_keys: Final = _minimal_keys
"""The same, its keys only: the Trakt ids of what was watched at all."""
decode_settings: Final = one(SettingsBody)
decode_stats: Final = one(StatsBody)
decode_watching: Final = one(WatchingBody)
decode_progress: Final = one(ProgressBody)
decode_title: Final = one(TitleBody)
decode_write: Final = one(WriteBody)
decode_scrobble: Final = one(ScrobbleBody)
decode_conflict: Final = one(ConflictBody)
decode_token: Final = one(TokenBody)
decode_device: Final = one(DeviceBody)
decode_oauth_error: Final = one(OAuthError)
decode_up_next: Final = many(ProgressRow)
decode_history: Final = many(HistoryRow)
decode_watchlist: Final = many(WatchlistRow)
decode_playback: Final = many(PlaybackRow)
decode_hidden: Final = many(HiddenRow)
decode_calendar: Final = many(CalendarRow)
decode_watched: Final = many(WatchedRow)
decode_seasons: Final = many(SeasonBody)
decode_search: Final = many(SearchRow)
