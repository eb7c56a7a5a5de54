"""The shapes Simkl sends (apis/simkl.md), read with forgiveness: missing keys, null, [], strings for numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
import json
import re
from typing import Final

from mashumaro import DataClassDictMixin, field_options
import orjson

from ...media import Ids

LONG_AGO: Final = "1970-01-01T00:00:01Z"
"""What Simkl writes for "a very long time ago": it is nobody's viewing time (section 7)."""
_MARKER: Final = re.compile(r"(?:S(\d{1,4}))?E(\d{1,5})", re.ASCII)
_JSON: Final = json.JSONDecoder()
_SPACE: Final = frozenset(" \t\n\r")
_NUMBER: Final = re.compile(r"-?\d{1,18}", re.ASCII)


def number(value: object) -> int | None:
    """Read a whole number that may come as text."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and abs(value) < 1e15:  # false for nan, too
        return int(value)
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return int(value)
    return None


def decimal(value: object) -> float | None:
    """Read a percentage that may come as text or as a whole number."""
    try:
        found = float(value) if isinstance(value, (int, float, str)) else None
    except ValueError:
        return None
    return found if found is not None and 0 <= found <= 100 else None


def text(value: object) -> str | None:
    """Read a text; anything else and "" are None."""
    return value if isinstance(value, str) and value else None


def moment(value: object) -> datetime | None:
    """Read an instant as UTC; a date alone, "a long time ago" and rubbish are None."""
    if not isinstance(value, str) or len(value) < 16:
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return None
    try:
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError:
        return None
    return at if at.year > 1970 else None


def external_ids(value: object) -> Ids:
    """Read ids; `simkl_id` (search, calendar, episodes) is `simkl` elsewhere (section 6.3)."""
    if not isinstance(value, Mapping):
        return Ids()
    ids = {str(key): item for key, item in value.items()}
    if "simkl_id" in ids:
        ids["simkl"] = ids.pop("simkl_id")
    return Ids.of(ids)


def marker(value: object) -> tuple[int, int] | None:
    """Read `S08E03`, or `E04` on anime, as season and number; anime count as season 1."""
    match = _MARKER.fullmatch(value) if isinstance(value, str) else None
    return None if match is None else (int(match[1] or 1), int(match[2]))


def listed[T: DataClassDictMixin](kind: type[T]) -> Callable[[object], list[T]]:
    """Read a list of objects; what is no object is left out, what is no list is empty."""

    def read(value: object) -> list[T]:
        if not isinstance(value, list):
            return []
        return [kind.from_dict(item) for item in value if isinstance(item, dict)]

    return read


def one[T: DataClassDictMixin](kind: type[T]) -> Callable[[object], T | None]:
    """Read an object; anything else is None."""

    def read(value: object) -> T | None:
        return kind.from_dict(value) if isinstance(value, dict) else None

    return read


_INT = field_options(deserialize=number)
_TEXT = field_options(deserialize=text)
_TIME = field_options(deserialize=moment)
_IDS = field_options(deserialize=external_ids)


@dataclass(kw_only=True)
class Title(DataClassDictMixin):
    """The `show`, `anime` or `movie` block of a row; `runtime` is in minutes."""

    title: str | None = field(default=None, metadata=_TEXT)
    year: int | None = field(default=None, metadata=_INT)
    poster: str | None = field(default=None, metadata=_TEXT)
    runtime: int | None = field(default=None, metadata=_INT)
    type: str | None = field(default=None, metadata=_TEXT)
    anime_type: str | None = field(default=None, metadata=_TEXT)
    released: str | None = field(default=None, metadata=_TEXT)
    ids: Ids = field(default_factory=Ids, metadata=_IDS)


@dataclass(kw_only=True)
class WatchedEpisode(DataClassDictMixin):
    """An episode that was watched."""

    number: int | None = field(default=None, metadata=_INT)
    watched_at: datetime | None = field(default=None, metadata=_TIME)


@dataclass(kw_only=True)
class WatchedSeason(DataClassDictMixin):
    """The watched episodes of one season."""

    number: int | None = field(default=None, metadata=_INT)
    episodes: list[WatchedEpisode] = field(
        default_factory=list,
        metadata=field_options(deserialize=listed(WatchedEpisode)),
    )


@dataclass(kw_only=True)
class NextInfo(DataClassDictMixin):
    """What `next_watch_info=yes` adds; `date` is a day at the network's offset."""

    title: str | None = field(default=None, metadata=_TEXT)
    date: datetime | None = field(default=None, metadata=_TIME)


@dataclass(kw_only=True)
class Row(DataClassDictMixin):
    """A row of /sync/all-items. Anime have their title under `show`, too."""

    status: str | None = field(default=None, metadata=_TEXT)
    added_to_watchlist_at: datetime | None = field(default=None, metadata=_TIME)
    last_watched_at: datetime | None = field(default=None, metadata=_TIME)
    last_watched: tuple[int, int] | None = field(
        default=None, metadata=field_options(deserialize=marker)
    )
    next_to_watch: tuple[int, int] | None = field(
        default=None, metadata=field_options(deserialize=marker)
    )
    watched_episodes_count: int | None = field(default=None, metadata=_INT)
    total_episodes_count: int | None = field(default=None, metadata=_INT)
    not_aired_episodes_count: int | None = field(default=None, metadata=_INT)
    anime_type: str | None = field(default=None, metadata=_TEXT)
    show: Title | None = field(
        default=None, metadata=field_options(deserialize=one(Title))
    )
    anime: Title | None = field(
        default=None, metadata=field_options(deserialize=one(Title))
    )
    movie: Title | None = field(
        default=None, metadata=field_options(deserialize=one(Title))
    )
    seasons: list[WatchedSeason] = field(
        default_factory=list, metadata=field_options(deserialize=listed(WatchedSeason))
    )
    next_to_watch_info: NextInfo | None = field(
        default=None, metadata=field_options(deserialize=one(NextInfo))
    )

    @property
    def block(self) -> Title:
        """Return the title, under whatever name it came."""
        return self.show or self.movie or self.anime or Title()


@dataclass(kw_only=True)
class PausedEpisode(DataClassDictMixin):
    """The episode of a paused playback; the number is `episode` here and `number` in scrobbles: accept both."""

    season: int | None = field(default=None, metadata=_INT)
    episode: int | None = field(default=None, metadata=_INT)
    number: int | None = field(default=None, metadata=_INT)
    title: str | None = field(default=None, metadata=_TEXT)


@dataclass(kw_only=True)
class Paused(DataClassDictMixin):
    """A row of /sync/playback; the time of the pause has two names in the documentation."""

    id: int | None = field(default=None, metadata=_INT)
    progress: float | None = field(
        default=None, metadata=field_options(deserialize=decimal)
    )
    paused_at: datetime | None = field(default=None, metadata=_TIME)
    watched_at: datetime | None = field(default=None, metadata=_TIME)
    show: Title | None = field(
        default=None, metadata=field_options(deserialize=one(Title))
    )
    anime: Title | None = field(
        default=None, metadata=field_options(deserialize=one(Title))
    )
    movie: Title | None = field(
        default=None, metadata=field_options(deserialize=one(Title))
    )
    episode: PausedEpisode | None = field(
        default=None, metadata=field_options(deserialize=one(PausedEpisode))
    )


@dataclass(kw_only=True)
class ListedEpisode(DataClassDictMixin):
    """A row of /tv/episodes or /anime/episodes: anime have no season, specials neither season nor episode."""

    title: str | None = field(default=None, metadata=_TEXT)
    season: int | None = field(default=None, metadata=_INT)
    episode: int | None = field(default=None, metadata=_INT)
    type: str | None = field(default=None, metadata=_TEXT)
    aired: bool | None = field(
        default=None,
        metadata=field_options(deserialize=lambda value: value is True or value == 1),
    )
    date: datetime | None = field(default=None, metadata=_TIME)
    runtime: int | None = field(default=None, metadata=_INT)
    ids: Ids = field(default_factory=Ids, metadata=_IDS)


@dataclass(kw_only=True)
class AiringEpisode(DataClassDictMixin):
    """The episode of a calendar record; `runtime` is in minutes, anime have no season."""

    season: int | None = field(default=None, metadata=_INT)
    episode: int | None = field(default=None, metadata=_INT)
    title: str | None = field(default=None, metadata=_TEXT)
    runtime: int | None = field(default=None, metadata=_INT)
    url: str | None = field(default=None, metadata=_TEXT)


@dataclass(kw_only=True)
class Airing(DataClassDictMixin):
    """A calendar record; `date` is the instant of airing."""

    simkl_id: int | None = field(default=None, metadata=_INT)
    date: datetime | None = field(default=None, metadata=_TIME)
    episode: AiringEpisode | None = field(
        default=None, metadata=field_options(deserialize=one(AiringEpisode))
    )


@dataclass(kw_only=True)
class User(DataClassDictMixin):
    """The `user` block of the settings."""

    name: str | None = field(default=None, metadata=_TEXT)


@dataclass(kw_only=True)
class AccountBlock(DataClassDictMixin):
    """The `account` block of the settings."""

    id: int | None = field(default=None, metadata=_INT)
    type: str | None = field(default=None, metadata=_TEXT)


@dataclass(kw_only=True)
class Settings(DataClassDictMixin):
    """The answer of /users/settings."""

    user: User | None = field(
        default=None, metadata=field_options(deserialize=one(User))
    )
    account: AccountBlock | None = field(
        default=None, metadata=field_options(deserialize=one(AccountBlock))
    )


@dataclass(kw_only=True)
class Found(DataClassDictMixin):
    """A search result."""

    title: str | None = field(default=None, metadata=_TEXT)
    title_en: str | None = field(default=None, metadata=_TEXT)
    year: int | None = field(default=None, metadata=_INT)
    poster: str | None = field(default=None, metadata=_TEXT)
    type: str | None = field(default=None, metadata=_TEXT)
    ids: Ids = field(default_factory=Ids, metadata=_IDS)


@dataclass(kw_only=True)
class Lost(DataClassDictMixin):
    """An item of `not_found`: what was sent, echoed."""

    title: str | None = field(default=None, metadata=_TEXT)
    ids: Ids = field(default_factory=Ids, metadata=_IDS)
    seasons: list[WatchedSeason] = field(
        default_factory=list, metadata=field_options(deserialize=listed(WatchedSeason))
    )


@dataclass(kw_only=True)
class NotFoundLists(DataClassDictMixin):
    """The `not_found` block; not every endpoint has all three lists."""

    movies: list[Lost] = field(
        default_factory=list, metadata=field_options(deserialize=listed(Lost))
    )
    shows: list[Lost] = field(
        default_factory=list, metadata=field_options(deserialize=listed(Lost))
    )
    anime: list[Lost] = field(
        default_factory=list, metadata=field_options(deserialize=listed(Lost))
    )
    episodes: list[Lost] = field(
        default_factory=list, metadata=field_options(deserialize=listed(Lost))
    )


def _count(value: object) -> int:
    """Read a counter; /sync/add-to-list answers with lists where the others count."""
    return len(value) if isinstance(value, list) else number(value) or 0


@dataclass(kw_only=True)
class Counts(DataClassDictMixin):
    """The `added` or `deleted` block."""

    movies: int = field(default=0, metadata=field_options(deserialize=_count))
    shows: int = field(default=0, metadata=field_options(deserialize=_count))
    episodes: int = field(default=0, metadata=field_options(deserialize=_count))

    @property
    def total(self) -> int:
        """Return how much was changed in all."""
        return self.movies + self.shows + self.episodes


@dataclass(kw_only=True)
class Reply(DataClassDictMixin):
    """The reply to a write: a 2xx even when nothing matched."""

    added: Counts | None = field(
        default=None, metadata=field_options(deserialize=one(Counts))
    )
    deleted: Counts | None = field(
        default=None, metadata=field_options(deserialize=one(Counts))
    )
    not_found: NotFoundLists | None = field(
        default=None, metadata=field_options(deserialize=one(NotFoundLists))
    )

    @property
    def changed(self) -> int:
        """Return how much was changed in all."""
        return sum(block.total for block in (self.added, self.deleted) if block)


@dataclass(kw_only=True)
class TokenAnswer(DataClassDictMixin):
    """What /oauth2/token and /oauth2/device answer, errors included."""

    access_token: str | None = field(default=None, metadata=_TEXT)
    refresh_token: str | None = field(default=None, metadata=_TEXT)
    scope: str | None = field(default=None, metadata=_TEXT)
    expires_in: int | None = field(default=None, metadata=_INT)
    error: str | None = field(default=None, metadata=_TEXT)
    device_code: str | None = field(default=None, metadata=_TEXT)
    user_code: str | None = field(default=None, metadata=_TEXT)
    verification_uri: str | None = field(default=None, metadata=_TEXT)
    verification_uri_complete: str | None = field(default=None, metadata=_TEXT)
    interval: int | None = field(default=None, metadata=_INT)


def activities(body: bytes) -> dict[str, str]:
    """Read /sync/activities as flat markers: "all", "tv_shows.watching", ... A time that is null is "".

    Older client ids have `notinteresting` for `dropped`. Raises ValueError when there is no `all` at all.
    """
    data = orjson.loads(body)
    if not isinstance(data, dict) or "all" not in data:
        raise ValueError("no activities")
    flat: dict[str, str] = {"all": text(data["all"]) or ""}
    for block, values in data.items():
        if isinstance(values, dict):
            for key, value in values.items():
                name = "dropped" if key == "notinteresting" else key
                if value is None or isinstance(value, str):
                    flat[f"{block}.{name}"] = value or ""
    return flat


def decoder[T: DataClassDictMixin](kind: type[T]) -> Callable[[bytes], T]:
    """Return a function that reads an object; null, [] and {} all mean an empty one (section 5)."""

    def read(body: bytes) -> T:
        data = orjson.loads(body)
        if data is None or data == []:
            data = {}
        if not isinstance(data, dict):
            raise TypeError(f"{type(data).__name__} instead of an object")
        return kind.from_dict(data)

    return read


def list_decoder[T: DataClassDictMixin](kind: type[T]) -> Callable[[bytes], list[T]]:
    """Return a function that reads a list; null and {} mean an empty one."""

    def read(body: bytes) -> list[T]:
        data = orjson.loads(body)
        if data is None or data == {}:
            data = []
        if not isinstance(data, list):
            raise TypeError(f"{type(data).__name__} instead of a list")
        return listed(kind)(data)

    return read


def elements(body: bytes) -> Iterator[tuple[str, object]]:
    """Yield the elements of the lists of an object, each with its list's name, one at a time.

    A library of 5,000 shows is megabytes in one answer: parsed whole, even in another thread, it would hold up the
    event loop for as long as that takes. null and [] mean an empty object. Raises ValueError, TypeError.
    """
    content = body.decode()
    at = _skip(content, 0)
    if content[at : at + 1] != "{":
        if orjson.loads(body) in (None, []):
            return
        raise TypeError("no object")
    at = _skip(content, at + 1)
    while content[at : at + 1] != "}":
        key, at = _parse(content, at)
        at = _skip(content, at)
        if not isinstance(key, str) or content[at : at + 1] != ":":
            raise ValueError(f"no key at {at}")
        at = _skip(content, at + 1)
        if content[at : at + 1] == "[":
            at = _skip(content, at + 1)
            while content[at : at + 1] != "]":
                element, at = _parse(content, at)
                yield key, element
                at = _next(content, at, "]")
            at += 1
        else:
            _, at = _parse(content, at)
        at = _next(content, at, "}")
    if _skip(content, at + 1) != len(content):
        raise ValueError("more after the end")


def _parse(content: str, at: int) -> tuple[object, int]:
    try:
        found: tuple[object, int] = _JSON.raw_decode(content, at)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return found


def _skip(content: str, at: int) -> int:
    """Return the place of the next thing that is no white space."""
    while content[at : at + 1] in _SPACE:
        at += 1
    return at


def _next(content: str, at: int, end: str) -> int:
    """Return the place after the comma, or that of the `end`. Raises ValueError where neither is."""
    at = _skip(content, at)
    if content[at : at + 1] == end:
        return at
    following = _skip(content, at + 1)
    if content[at : at + 1] != "," or content[following : following + 1] == end:
        raise ValueError(f"no comma at {at}")
    return following
