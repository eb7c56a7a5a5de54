"""The fields of a media item in an action's data, as a plain value, and the refusal of what contradicts itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
import re
from typing import Any, Final

import voluptuous as vol

from ..media import Ids, MediaType
from .texts import invalid

ATTR_TYPE: Final = "type"
ATTR_TITLE: Final = "title"
ATTR_YEAR: Final = "year"
ATTR_IDS: Final = "ids"
ATTR_SEASON: Final = "season"
ATTR_EPISODE: Final = "episode"
ATTR_EPISODE_IDS: Final = "episode_ids"

_NAMESPACE: Final = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)


def is_blank(value: object) -> bool:
    """Say whether a value is what a template without a result leaves behind."""
    return value is None or (isinstance(value, str) and not value.strip())


def whole(low: int, high: int) -> Callable[[object], int]:
    """Return a validator for a whole number, which a template may deliver as text or as 3.0; booleans are none."""

    def validate(value: object) -> int:
        number = _number(value)
        if number is None or number != int(number):
            raise vol.Invalid("expected a whole number")
        if not low <= number <= high:
            raise vol.Invalid(f"expected a whole number from {low} to {high}")
        return int(number)

    return validate


def decimal(low: float, high: float) -> Callable[[object], float]:
    """Return a validator for a number, which a template may deliver as text; booleans are none."""

    def validate(value: object) -> float:
        number = _number(value)
        if number is None or not low <= number <= high:
            raise vol.Invalid(f"expected a number from {low:g} to {high:g}")
        return number

    return validate


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if abs(number) < 1e15 else None


def words(value: object) -> str:
    """Validate a text. Templates turn titles such as "1917" into numbers: they are turned back."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise vol.Invalid("expected a text")
    if isinstance(value, str):
        return value.strip()
    return str(int(value)) if value == int(value) else str(value)


def external_ids(value: object) -> Ids:
    """Validate a mapping from namespace to identifier; blank ones are left out."""
    if is_blank(value):
        return Ids()
    if not isinstance(value, Mapping):
        raise vol.Invalid("expected a mapping such as {imdb: tt1160419}")
    given: dict[str, object] = {}
    for name, identifier in value.items():
        if is_blank(identifier):
            continue
        namespace = str(name).strip().lower()
        if not _NAMESPACE.fullmatch(namespace):
            raise vol.Invalid(f"{name} is not the name of a kind of id")
        given[namespace] = words(identifier)
        if namespace not in Ids.of(given).values:
            raise vol.Invalid(f"{identifier} is no {namespace} id")
    return Ids.of(given)


def optional(validate: Callable[[object], Any]) -> Callable[[object], Any]:
    """Let a blank value through as None."""
    return lambda value: None if is_blank(value) else validate(value)


def media_type(*types: MediaType) -> Callable[[object], MediaType]:
    """Return a validator for the name of one of these types."""

    def validate(value: object) -> MediaType:
        name = str(value).strip().lower()
        if name not in types:
            raise vol.Invalid(f"expected one of {', '.join(types)}")
        return MediaType(name)

    return validate


MEDIA_ITEM_FIELDS: Final = {
    vol.Optional(ATTR_TYPE): optional(media_type(*MediaType)),
    vol.Optional(ATTR_TITLE): optional(words),
    vol.Optional(ATTR_YEAR): optional(whole(1870, 2200)),
    vol.Optional(ATTR_IDS): external_ids,
    vol.Optional(ATTR_SEASON): optional(whole(0, 9999)),
    vol.Optional(ATTR_EPISODE): optional(whole(0, 99999)),
    vol.Optional(ATTR_EPISODE_IDS): external_ids,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an action's data says about a media item. `ids`, `title` and `year` are those of the movie or show.

    `type` is None where the data leaves it open whether a movie or a show is meant. `unnumbered` is True when
    season or episode were given but blank: then a whole show must not be meant by accident.
    """

    type: MediaType | None
    title: str = ""
    year: int | None = None
    ids: Ids = field(default_factory=Ids)
    season: int | None = None
    episode: int | None = None
    episode_ids: Ids = field(default_factory=Ids)
    unnumbered: bool = False

    @property
    def title_types(self) -> frozenset[MediaType]:
        """Return what the title may be: a movie, a show, or either."""
        if self.type is None:
            return frozenset({MediaType.MOVIE, MediaType.SHOW})
        movie = self.type is MediaType.MOVIE
        return frozenset({MediaType.MOVIE if movie else MediaType.SHOW})

    @property
    def name(self) -> str:
        """Return how to call it in a message."""
        if self.title:
            return f"{self.title} ({self.year})" if self.year else self.title
        return name_ids(self.ids or self.episode_ids)


def name_ids(ids: Ids) -> str:
    """Return ids as people write them: "imdb tt1160419, tmdb 438631"."""
    rest = [(name, value) for name, value in ids.values.items() if name != "slug"]
    return ", ".join(f"{name} {value}" for name, value in rest[:3])


def wanted(data: Mapping[str, Any]) -> Wanted | None:
    """Read the media item of an action's (validated) data; None when there is none.

    Raises ServiceValidationError where the fields contradict each other or do not suffice.
    """
    given = {key: data[key] for key in _FIELDS if data.get(key) not in (None, Ids())}
    if not given:
        return None
    kind = _resolved_type(given, data)
    title, year = given.get(ATTR_TITLE, ""), given.get(ATTR_YEAR)
    ids, episode_ids = given.get(ATTR_IDS, Ids()), given.get(ATTR_EPISODE_IDS, Ids())
    if not title and not ids and not episode_ids:
        raise invalid("item_missing")
    return Wanted(
        type=kind,
        title=title,
        year=year,
        ids=ids,
        season=given.get(ATTR_SEASON),
        episode=given.get(ATTR_EPISODE),
        episode_ids=episode_ids,
        unnumbered=any(
            key in data and key not in given for key in (ATTR_SEASON, ATTR_EPISODE)
        ),
    )


_FIELDS: Final = (
    ATTR_TYPE,
    ATTR_TITLE,
    ATTR_YEAR,
    ATTR_IDS,
    ATTR_SEASON,
    ATTR_EPISODE,
    ATTR_EPISODE_IDS,
)


def _resolved_type(
    given: Mapping[str, Any], data: Mapping[str, Any]
) -> MediaType | None:
    """Return the type that the fields make clear."""
    kind: MediaType | None = given.get(ATTR_TYPE)
    season, episode = ATTR_SEASON in given, ATTR_EPISODE in given
    episode_ids = ATTR_EPISODE_IDS in given
    if episode and not season:
        raise invalid("season_missing")
    fits = {
        MediaType.MOVIE: not season and not episode_ids,
        MediaType.SHOW: not season and not episode_ids,
        MediaType.SEASON: season and not episode and not episode_ids,
        MediaType.EPISODE: episode or (episode_ids and not season),
    }
    if kind is not None:
        if not fits[kind]:
            raise invalid(f"fields_for_{kind}")
        return kind
    if episode_ids and season and not episode:
        raise invalid("fields_for_episode")
    if episode or episode_ids:
        return MediaType.EPISODE
    if season:
        if ATTR_EPISODE in data:  # given, but blank: one episode was meant
            raise invalid("fields_for_episode")
        return MediaType.SEASON
    return None
