"""What a player reports at one moment, as a plain value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Final

from ..media import Ids
from .attributes import moment, seconds, text
from .reading import Reading, read
from .sources import APP_NAMES_IGNORED, APPS_IGNORED, Source, Typed, source_of
from .titles import plain

SHORTEST: Final = 300.0
"""Seconds below which what has neither ids nor the numbers of an episode is a clip or a trailer."""


class PlayerState(StrEnum):
    """What a player does, with Home Assistant's many states folded into the few that matter."""

    PLAYING = "playing"
    PAUSED = "paused"
    BUFFERING = "buffering"
    IDLE = "idle"
    OFF = "off"
    UNAVAILABLE = "unavailable"


class MediaKind(StrEnum):
    """What a player says it plays, as far as that can be believed."""

    MOVIE = "movie"
    EPISODE = "episode"
    VIDEO = "video"
    """A movie or an episode: nothing tells which."""


class Rank(IntEnum):
    """How well a player knows what it plays: of several that show one viewing, the highest leads."""

    GROUP = 0
    """Repeats what another player reports."""
    TITLE = 1
    NUMBERS = 2
    """Series, season and episode."""
    LIBRARY = 3
    """A media library with external ids behind it."""


class Ignored(StrEnum):
    """Why something that plays is never scrobbled. The values are translation keys."""

    NOT_VIDEO = "not_video"
    """Music, a channel, an app, a game, a picture, a podcast, a trailer."""
    LIVE_TV = "live_tv"
    PREROLL = "preroll"
    NO_TITLE = "no_title"
    APP = "app"
    """An app whose titles are not those of movies or shows."""
    TOO_SHORT = "too_short"
    OTHER_PERSON = "other_person"
    CONDITION = "condition"
    NEVER = "never"
    """A person said so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """What a player says it plays.

    `ids` are those of the movie or the episode, `show_ids` those of the episode's show. `titles` are other names of
    the movie or show, as an original title. `last_episode` is that of a file with several episodes. `content_id` is
    the player's own name of it, as text. `library` is the name of the media library it is from. `titled_well` says
    that the player is known to report titles well enough to be believed without ids. `ignored` is why it is never
    scrobbled; None when it may be.
    """

    kind: MediaKind
    title: str = ""
    series: str = ""
    season: int | None = None
    episode: int | None = None
    last_episode: int | None = None
    year: int | None = None
    titles: tuple[str, ...] = ()
    ids: Ids = field(default_factory=Ids)
    show_ids: Ids = field(default_factory=Ids)
    content_id: str = ""
    source: str = ""
    """The integration that the player belongs to, as "plex"."""
    library: str | None = None
    app: str | None = None
    rank: Rank = Rank.TITLE
    titled_well: bool = False
    file: bool = False
    """The title is the name of a file, not yet read."""
    ignored: Ignored | None = None
    named: str = ""
    """The signature it had before more was learned about it."""
    show_named: str = ""

    @property
    def signature(self) -> str:
        """Return what names this title among all that players report, whichever player reports it.

        It stays the same when more is learned: see `learned`.
        """
        if self.named:
            return self.named
        parts: list[object] = [self.kind]
        if self.series and self.episode is not None:
            parts += (_name(self.series), self.year, self.season, self.episode)
        else:
            parts += (_name(self.series), _name(self.title), self.year)
            parts += (self.season, self.episode)
        if self.parts > 1:
            # the file with both episodes is not the one with the first alone
            parts.append(f"to {self.last_episode}")
        if self.content_id and source_of(self.source).library:
            # two movies of one name have no year on some of these players
            parts.append(f"{self.source}:{self.content_id}")
        else:
            # two shows of one name have no year on others
            parts += sorted(f"show.{n}:{v}" for n, v in self.show_ids.values.items())
            parts += sorted(f"{n}:{v}" for n, v in self.ids.values.items())
        return "|".join("" if part is None else str(part) for part in parts)

    @property
    def show_signature(self) -> str:
        """Return what names the show of an episode likewise; "" when the player names none."""
        if self.show_named or not self.series:
            return self.show_named
        return f"show|{_name(self.series)}|{self.year or ''}"

    def learned(self, more: Media) -> Media:
        """Return `more`, which says more of the same title, under the signatures of this."""
        return replace(more, named=self.signature, show_named=self.show_signature)

    @property
    def parts(self) -> int:
        """Return how many episodes it holds; 1 for a movie."""
        if self.episode is None or self.last_episode is None:
            return 1
        return max(1, self.last_episode - self.episode + 1)

    @property
    def numbered(self) -> bool:
        """Say whether it is an episode with series, season and number."""
        return (
            bool(self.series) and self.season is not None and self.episode is not None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A player at one moment.

    `position` and `duration` are seconds; the position was true at `position_at` (UTC, by the player's clock), None
    when the player does not say. `media` is None when nothing plays. `person` is whom the player says it plays for.
    `monotonic` (seconds) and `at` (UTC) are when this was seen.
    """

    state: PlayerState
    monotonic: float
    at: datetime
    media: Media | None = None
    position: float | None = None
    position_at: datetime | None = None
    duration: float | None = None
    person: str | None = None


# from a state to an observation ---------------------------------------------------------------------------------

_STATES: Final[Mapping[str, PlayerState]] = MappingProxyType(
    {
        "playing": PlayerState.PLAYING,
        "paused": PlayerState.PAUSED,
        "buffering": PlayerState.BUFFERING,
        "idle": PlayerState.IDLE,
        "on": PlayerState.IDLE,
        "off": PlayerState.OFF,
        "standby": PlayerState.OFF,
        "unavailable": PlayerState.UNAVAILABLE,
        "unknown": PlayerState.UNAVAILABLE,
    }
)
_ACTIVE: Final = frozenset(
    {PlayerState.PLAYING, PlayerState.PAUSED, PlayerState.BUFFERING}
)
_KINDS: Final[Mapping[Typed, MediaKind]] = MappingProxyType(
    {Typed.MOVIE: MediaKind.MOVIE, Typed.EPISODE: MediaKind.EPISODE}
)


def observe(
    state: str,
    attributes: Mapping[str, object],
    *,
    source: str,
    monotonic: float,
    at: datetime,
    zone: tzinfo,
) -> Observation:
    """Read a state of a media player that belongs to the integration `source`. Raises nothing, whatever is in it.

    `zone` is that of instants which name none. What a player that does not play still reports is of the past, and
    left out.
    """
    seen = _STATES.get(state, PlayerState.IDLE)
    known = source_of(source)
    person = text(attributes.get(known.person)) if known.person else ""
    if seen not in _ACTIVE:
        return Observation(
            state=seen, monotonic=monotonic, at=at, person=person or None
        )
    position = seconds(attributes.get("media_position"))
    duration = seconds(attributes.get("media_duration")) or None
    media: Media | None = _media(
        read(attributes, known), attributes, source, known, duration
    )
    if seen is not PlayerState.PLAYING and media and media.ignored is Ignored.NO_TITLE:
        # a player that waits for data may say nothing at all: that is no other item
        media = None
    return Observation(
        state=seen,
        monotonic=monotonic,
        at=at,
        media=media,
        position=position,
        position_at=None
        if position is None or known.undated
        else moment(attributes.get("media_position_updated_at"), zone),
        duration=duration,
        person=person or None,
    )


def _media(
    reading: Reading,
    attributes: Mapping[str, object],
    domain: str,
    source: Source,
    duration: float | None,
) -> Media:
    app = "" if source.person == "app_name" else text(attributes.get("app_name"))
    app_id = text(attributes.get("app_id"))
    library = text(attributes.get("media_library_title"))
    kind = _KINDS.get(reading.typed, MediaKind.VIDEO)
    return Media(
        kind=kind,
        title=reading.title,
        series=reading.series,
        season=reading.season,
        episode=reading.episode,
        last_episode=reading.last_episode,
        year=reading.year,
        titles=reading.titles,
        ids=reading.ids,
        show_ids=reading.show_ids,
        content_id=reading.content_id,
        source=domain,
        library=library or None,
        app=app or app_id or None,
        rank=_rank(reading, source),
        titled_well=app_id in source.titled_apps
        or (source.titled_well and kind is not MediaKind.VIDEO and not reading.file),
        file=reading.file,
        ignored=_ignored(
            reading,
            source,
            library=library.lower(),
            app=app,
            app_id=app_id,
            duration=duration,
        ),
    )


def _rank(reading: Reading, source: Source) -> Rank:
    if source.group:
        return Rank.GROUP
    if reading.ids or reading.show_ids or (source.library and reading.content_id):
        return Rank.LIBRARY
    if reading.series and reading.episode is not None:
        return Rank.NUMBERS
    return Rank.TITLE


def _ignored(
    reading: Reading,
    source: Source,
    *,
    library: str,
    app: str,
    app_id: str,
    duration: float | None,
) -> Ignored | None:
    typed = reading.typed
    if source.live or typed is Typed.CHANNEL or library in source.live_libraries:
        return Ignored.LIVE_TV
    if library in source.prerolls:
        return Ignored.PREROLL
    if typed is Typed.NO_VIDEO or (source.clips and typed is Typed.VIDEO):
        return Ignored.NOT_VIDEO
    if app_id.lower() in APPS_IGNORED or app.lower() in APP_NAMES_IGNORED:
        return Ignored.APP
    has_ids = bool(reading.ids or reading.show_ids)
    name = reading.series or reading.title
    if not has_ids and (not name or name.lower() in (app.lower(), app_id.lower())):
        return Ignored.NO_TITLE
    if typed is Typed.UNKNOWN and not has_ids and not source.untyped:
        return Ignored.NOT_VIDEO
    numbered = reading.series and reading.episode is not None
    if duration is not None and duration < SHORTEST and not has_ids and not numbered:
        return Ignored.TOO_SHORT
    return None


def _name(name: str) -> str:
    """Return a name as it stands in signatures."""
    return plain(name) or name.casefold()
