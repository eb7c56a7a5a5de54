"""What a player's attributes say it plays, with the player's quirks undone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..media import Ids
from .attributes import library_ids, named_ids, number, text
from .parts import looks_like_file, read_name, split_ids, split_numbers, without_path
from .sources import OWN, TYPES, Shape, Source, Typed, Types


@dataclass(slots=True, kw_only=True)
class Reading:
    """What plays, as far as a player says. `show_ids` are those of the episode's show."""

    typed: Typed
    title: str
    series: str
    season: int | None
    episode: int | None
    last_episode: int | None = None
    year: int | None = None
    titles: tuple[str, ...] = ()
    ids: Ids = field(default_factory=Ids)
    show_ids: Ids = field(default_factory=Ids)
    content_id: str = ""
    file: bool = False
    """The title is the name of a file."""


def read(attributes: Mapping[str, object], source: Source) -> Reading:
    """Read the attributes of a player that plays something."""
    reading = Reading(
        typed=TYPES.get(
            text(attributes.get("media_content_type")).lower(), Typed.UNKNOWN
        ),
        title=text(attributes.get("media_title")),
        series=text(attributes.get("media_series_title")),
        season=number(attributes.get("media_season")),
        episode=number(attributes.get("media_episode")),
    )
    if source.types is Types.USELESS:
        _type_by_itself(reading, attributes)
    if source.shape is Shape.SWAPPED and reading.series:
        reading.title, reading.series = reading.series, reading.title
        reading.typed = Typed.EPISODE
    elif source.shape is Shape.OWN:
        _read_own(reading, attributes)
    if source.file and (path := text(attributes.get(source.file))):
        reading.title = without_path(path) or reading.title
    _read_content(reading, attributes.get("media_content_id"))
    if reading.typed is Typed.MOVIE and source.types is Types.TRUE:
        _read_movie(reading)
    else:
        _read_names(reading)
    return reading


def _type_by_itself(reading: Reading, attributes: Mapping[str, object]) -> None:
    """Tell songs from videos where the type is the same for both."""
    song = text(attributes.get("media_artist")) or text(
        attributes.get("media_album_name")
    )
    reading.typed = Typed.NO_VIDEO if song else Typed.VIDEO


def _read_own(reading: Reading, attributes: Mapping[str, object]) -> None:
    """Read attributes of the player's own."""
    reading.season = number(attributes.get(OWN.season))
    reading.episode = number(attributes.get(OWN.episode))
    reading.year = number(attributes.get(OWN.year))
    ids = Ids.of(imdb=text(attributes.get(OWN.imdb)))
    if reading.typed is Typed.EPISODE or reading.episode is not None:
        reading.typed = Typed.EPISODE
        reading.show_ids = ids
        reading.series = text(attributes.get(OWN.series)) or reading.title
        reading.title = text(attributes.get(OWN.episode_title))
    else:
        reading.ids = ids


def _read_content(reading: Reading, content: object) -> None:
    """Read the content id, and what ids are in it."""
    if isinstance(content, Mapping):
        ids, shows = library_ids(content)
        reading.ids, reading.show_ids = ids, shows.merged(reading.show_ids)
        reading.content_id = " ".join(
            f"{name}:{value}" for name, value in sorted(ids.values.items())
        )
        return
    reading.content_id = name = text(content)
    if name in ("", "0"):
        reading.content_id = ""
        return
    ids, season, episode = named_ids(name)
    if not ids and ("{" in name or "[" in name):
        _, ids = split_ids(name)
        if _is_episode(reading):
            reading.show_ids = reading.show_ids.merged(ids)
            return
    if season is not None and episode is not None:
        reading.show_ids = reading.show_ids.merged(ids)
        reading.season, reading.episode = season, episode
        reading.typed = Typed.EPISODE
    elif ids:
        reading.ids = ids


def _is_episode(reading: Reading) -> bool:
    return reading.typed is Typed.EPISODE or reading.episode is not None


def _read_movie(reading: Reading) -> None:
    """Read a title that is surely a movie's: what is said of an episode is left over from before."""
    reading.series, reading.season, reading.episode = "", None, None
    reading.show_ids = Ids()
    named = read_name(reading.title)
    reading.title, reading.titles = named.name, named.others
    reading.year = named.year or reading.year
    reading.ids = reading.ids.merged(named.ids)


def _read_names(reading: Reading) -> None:
    """Read title and series of anything; what the texts tell beside a name goes where it belongs."""
    if reading.typed is Typed.MOVIE:
        reading.series, reading.season, reading.episode = "", None, None
    reading.file = not reading.series and looks_like_file(reading.title)
    if reading.file:
        return
    _read_numbers(reading)
    if reading.series and (
        reading.typed is Typed.EPISODE or reading.episode is not None
    ):
        if reading.typed in (Typed.VIDEO, Typed.MOVIE, Typed.UNKNOWN):
            reading.typed = Typed.EPISODE
        named = read_name(reading.series)
        reading.series, reading.titles = named.name, named.others
        reading.show_ids = reading.show_ids.merged(named.ids)
    elif reading.typed is not Typed.EPISODE:
        named = read_name(reading.title)
        reading.title, reading.titles = named.name, named.others
        reading.ids = reading.ids.merged(named.ids)
    else:
        return
    reading.year = named.year or reading.year


def _read_numbers(reading: Reading) -> None:
    """Read "Show S01E02 Title" out of the title, or "Show S01E02" out of the series."""
    if reading.episode is not None and reading.series:
        return
    if reading.typed is Typed.NO_VIDEO or reading.typed is Typed.CHANNEL:
        return
    if found := split_numbers(reading.series):
        reading.series = found.series or reading.series
    elif found := split_numbers(reading.title):
        reading.series = reading.series or found.series
        reading.title = found.title
    if found and reading.series:
        if reading.episode is None:
            reading.season, reading.episode = found.season, found.episode
            reading.last_episode = found.last_episode
        reading.typed = Typed.EPISODE
