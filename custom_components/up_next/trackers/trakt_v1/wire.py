"""What a Trakt v1 server sends (apis/trakt.md section 14), as typed values and as the project's media items.

Numbers come as strings in places, "nothing" is [] or false, keys come and go. Inside a row all of that is survived;
a missing top-level list is not: an unreadable answer must never pass for an empty one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from mashumaro import DataClassDictMixin, field_options
import orjson

from ...library import EpisodeDetail, ShowDetail, ShowProgress, format_seen
from ...media import Episode, Ids, Movie, Show

type Numbers = tuple[int, int]

_KINDS: Final = ("movie", "show", "episode")
_TOO_MUCH: Final = 2**53
_WATCHED: Final = ("watched", "scrobble", "seen", "checkin")


def _number(value: object) -> int:
    """Read a whole number from a number or a string; 0 for anything else."""
    try:
        number = float(value) if isinstance(value, (int, float, str)) else 0.0
    except (ValueError, OverflowError):
        return 0
    return int(number) if abs(number) < _TOO_MUCH else 0


def _text(value: object) -> str:
    return str(value).strip() if isinstance(value, (str, int)) else ""


def _picture(value: object) -> str | None:
    images = value if isinstance(value, Mapping) else {}
    return _text(images.get("poster") or images.get("screen")) or None


def _episodes(value: object) -> dict[int, bool]:
    """Read {"1": true}; PHP writes a map whose keys count from 0 as a list."""
    pairs: Iterable[tuple[object, object]] = ()
    if isinstance(value, (list, dict)):
        pairs = enumerate(value) if isinstance(value, list) else value.items()
    return {_number(k): _number(flag) == 1 for k, flag in pairs if _number(k) >= 0}


def _seasons_hidden(value: object) -> list[int]:
    """Read season numbers, bare or in objects: no filled sample is known."""
    rows = value if isinstance(value, list) else []
    return [_number(r.get("season") if isinstance(r, Mapping) else r) for r in rows]


@dataclass(slots=True, kw_only=True)
class Wire(DataClassDictMixin):
    """An object of the service: null is the same as missing."""

    @classmethod
    def __pre_deserialize__(cls, d: dict[object, object]) -> dict[object, object]:
        return {key: value for key, value in d.items() if value is not None}


def _one[T: Wire](shape: type[T]) -> Callable[[object], T | None]:
    return lambda value: (
        shape.from_dict(value) if isinstance(value, dict) and value else None
    )


def _rows[T: Wire](shape: type[T]) -> Callable[[object], list[T]]:
    """Read a list, leaving out what is no object."""

    def read(value: object) -> list[T]:
        rows = value if isinstance(value, list) else []
        return [shape.from_dict(row) for row in rows if isinstance(row, dict)]

    return read


def _number_field() -> int:
    return field(default=0, metadata=field_options(deserialize=_number))


def _text_field() -> str:
    return field(default="", metadata=field_options(deserialize=_text))


@dataclass(slots=True, kw_only=True)
class Title(Wire):
    """A movie or a show; `runtime` is in minutes, `inserted` (on the watchlist) in epoch seconds."""

    title: str = _text_field()
    year: int = _number_field()
    runtime: int = _number_field()
    url: str = _text_field()
    imdb_id: str = _text_field()
    tmdb_id: str = _text_field()
    tvdb_id: str = _text_field()
    inserted: int = _number_field()
    picture: str | None = field(
        default=None, metadata=field_options(alias="images", deserialize=_picture)
    )

    @property
    def ids(self) -> Ids:
        """The ids; v1 knows no ids of Trakt's own but the slug."""
        slug = self.url.rstrip("/").rpartition("/")[2]
        return Ids.of(
            tvdb=self.tvdb_id, imdb=self.imdb_id, tmdb=self.tmdb_id, slug=slug
        )

    def means(self, item: Movie | Show) -> bool:
        """Say whether this is that movie or show: by ids, else by exact title and year."""
        ids = self.ids
        if ids.values.keys() & item.ids.values.keys() - {"slug"}:
            return ids.shares(item.ids)
        same = bool(item.title) and self.title == item.title
        return same and item.year in (None, self.year)

    def movie(self) -> Movie:
        """Make a movie."""
        return Movie(
            title=self.title,
            ids=self.ids,
            year=self.year or None,
            runtime=self.runtime * 60 or None,
            url=self.url or None,
            picture=self.picture,
        )

    def show(self) -> Show:
        """Make a show."""
        return Show(
            title=self.title,
            ids=self.ids,
            year=self.year or None,
            runtime=self.runtime * 60 or None,
            url=self.url or None,
            picture=self.picture,
        )


@dataclass(slots=True, kw_only=True)
class EpisodeRow(Wire):
    """An episode; `first_aired` in epoch seconds."""

    season: int = _number_field()
    number: int = _number_field()
    title: str = _text_field()
    url: str = _text_field()
    first_aired: int = _number_field()
    picture: str | None = field(
        default=None, metadata=field_options(alias="images", deserialize=_picture)
    )

    def episode(self, show: Show) -> Episode:
        """Make an episode; v1 tells no ids of episodes."""
        return Episode(
            show=show,
            season=self.season,
            number=self.number,
            title=self.title or None,
            first_aired=instant(self.first_aired),
            url=self.url or None,
            picture=self.picture,
        )


@dataclass(slots=True, kw_only=True)
class SeasonRow(Wire):
    """A season's counts, and which of its episodes were watched."""

    season: int = field(default=-1, metadata=field_options(deserialize=_number))
    aired: int = _number_field()
    completed: int = _number_field()
    episodes: dict[int, bool] = field(
        default_factory=dict, metadata=field_options(deserialize=_episodes)
    )

    def out(self) -> Iterator[tuple[int, bool]]:
        """Yield (number, watched) of what is out: as many as have aired, and whatever was watched."""
        known = sorted(self.episodes.items())
        for index, (number, watched) in enumerate(known):
            if watched or index < (self.aired or len(known)):
                yield number, watched


@dataclass(slots=True, kw_only=True)
class Counts(Wire):
    """Episodes that have aired, and of these the watched ones."""

    aired: int = _number_field()
    completed: int = _number_field()


@dataclass(slots=True, kw_only=True)
class ProgressRow(Wire):
    """How far the user is with one show; `next_episode` is JSON false when nothing is left."""

    show: Title = field(metadata=field_options(deserialize=Title.from_dict))
    progress: Counts | None = field(
        default=None, metadata=field_options(deserialize=_one(Counts))
    )
    seasons: list[SeasonRow] = field(
        default_factory=list, metadata=field_options(deserialize=_rows(SeasonRow))
    )
    hidden_seasons: list[int] = field(
        default_factory=list, metadata=field_options(deserialize=_seasons_hidden)
    )
    next_episode: EpisodeRow | None = field(
        default=None, metadata=field_options(deserialize=_one(EpisodeRow))
    )

    @property
    def key(self) -> str:
        """The show's key in `Library.shows`."""
        ids = self.show.ids
        found = (ids.get(name) for name in ("tvdb", "imdb", "tmdb", "slug"))
        return next((value for value in found if value), self.show.title)

    def _regular(self) -> list[SeasonRow]:
        return [
            s
            for s in self.seasons
            if s.season > 0 and s.season not in self.hidden_seasons
        ]

    def watched(self, numbers: Numbers) -> bool | None:
        """Say whether an episode was watched; None where the server does not tell (specials, shows without seasons)."""
        season = next((s for s in self.seasons if s.season == numbers[0]), None)
        if season is not None:
            return season.episodes.get(numbers[1], False)
        if numbers[0] < 1:
            return None
        if self.seasons:
            return False
        counts = self.progress or Counts()
        return True if counts.completed >= counts.aired > 0 else None

    def counted(self, now: datetime) -> ShowProgress:
        """Count regular episodes outside of hidden seasons, by the seasons where they are told."""
        counts = self.progress or Counts()
        aired, watched = counts.aired, counts.completed
        if self.seasons:
            rows = [(s, list(s.out())) for s in self._regular()]
            aired = sum(len(out) if out else s.aired for s, out in rows)
            watched = sum(
                sum(flag for _, flag in out) if out else s.completed for s, out in rows
            )
        show = self.show.show()
        following = self.next_episode
        return ShowProgress(
            show=show,
            aired=aired,
            watched=watched,
            counted_at=now,
            next_episode=following.episode(show)
            if following and following.season > 0
            else None,
            seen=format_seen(
                (s.season, number)
                for s in self.seasons
                for number, flag in s.episodes.items()
                if flag and s.season >= 0
            )
            if self.seasons or not watched
            else None,
        )

    def detail(self) -> ShowDetail:
        """Return all episodes that the server tells of. There are no dates: what it counts as aired is out."""
        show = self.show.show()
        following = self.next_episode
        episodes = []
        for season in sorted(self.seasons, key=lambda s: s.season):
            out = {number for number, _ in season.out()}
            for number, flag in sorted(season.episodes.items()):
                row = EpisodeRow(season=season.season, number=number)
                if following and (following.season, following.number) == (
                    season.season,
                    number,
                ):
                    row = following
                if season.season >= 0:
                    episodes.append(
                        EpisodeDetail(
                            episode=row.episode(show),
                            watched=flag,
                            plays=int(flag),
                            released=number in out,
                        )
                    )
        return ShowDetail(show=show, episodes=tuple(episodes), key=self.key)


@dataclass(slots=True, kw_only=True)
class Watching(Wire):
    """What is being watched now: a movie, or an episode of a show."""

    movie: Title | None = field(
        default=None, metadata=field_options(deserialize=_one(Title))
    )
    show: Title | None = field(
        default=None, metadata=field_options(deserialize=_one(Title))
    )
    episode: EpisodeRow | None = field(
        default=None, metadata=field_options(deserialize=_one(EpisodeRow))
    )

    def item(self) -> Movie | Episode:
        """Make the media item. Raises ValueError when there is none."""
        if self.movie is not None:
            return self.movie.movie()
        if self.show is None or self.episode is None:
            raise ValueError("neither a movie nor an episode")
        return self.episode.episode(self.show.show())


@dataclass(slots=True, kw_only=True)
class Reply(Wire):
    """The envelope of a POST, or of a refusal."""

    status: str = _text_field()
    message: str = _text_field()
    error: str = _text_field()
    already_exist: int = _number_field()
    skipped: int = _number_field()
    skipped_movies: list[Title] = field(
        default_factory=list, metadata=field_options(deserialize=_rows(Title))
    )
    already_exist_movies: list[Title] = field(
        default_factory=list, metadata=field_options(deserialize=_rows(Title))
    )


def instant(epoch: int) -> datetime | None:
    """Turn epoch seconds into UTC; None for 0 and for what no calendar has."""
    try:
        return datetime.fromtimestamp(epoch, UTC) if epoch > 0 else None
    except (OverflowError, ValueError, OSError):
        return None


def read_list[T: Wire](shape: type[T]) -> Callable[[bytes], Sequence[T]]:
    """Return the decoder of a list."""
    read = _rows(shape)

    def decode(body: bytes) -> Sequence[T]:
        value = orjson.loads(body)
        if not isinstance(value, list):
            raise TypeError("a list was expected")
        return read(value)

    return decode


def read_watching(body: bytes) -> Movie | Episode | None:
    """Decode user/watching: [] or {} when nobody is watching."""
    value = orjson.loads(body)
    if value in ([], {}):
        return None
    return Watching.from_dict(value).item()


def read_reply(body: bytes) -> Reply:
    """Decode an envelope."""
    value = orjson.loads(body)
    if not isinstance(value, dict):
        raise TypeError("an object was expected")
    return Reply.from_dict(value)


def read_marks(body: bytes) -> dict[str, str]:
    """Decode user/lastactivity into one note for each part that is read: "progress", "movies", "shows".

    A note differs when its part may have moved. A newer `all` that none of the single times explains may be
    anything, so it goes into every note: a server may keep no more than that.
    """
    value = orjson.loads(body)
    if value == []:
        value = {"all": 0}
    if not isinstance(value, dict) or not value.keys() & {"all", *_KINDS}:
        raise TypeError("not an activity")
    times: dict[str, dict[str, int]] = {}
    for kind in _KINDS:
        row = value.get(kind)
        pairs = row.items() if isinstance(row, dict) else ()
        times[kind] = {str(name): _number(at) for name, at in pairs}
    newest = max((at for row in times.values() for at in row.values()), default=0)
    rest = _number(value.get("all"))
    unexplained = f"/{rest}" if rest > newest else ""
    watched = [
        times[kind].get(name, 0) for kind in ("show", "episode") for name in _WATCHED
    ]
    return {
        "progress": "-".join(map(str, watched)) + unexplained,
        "movies": f"{times['movie'].get('watchlist', 0)}{unexplained}",
        "shows": f"{times['show'].get('watchlist', 0)}{unexplained}",
    }
