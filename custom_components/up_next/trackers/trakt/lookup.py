"""What has to be known before a write: Trakt's own ids, and what was watched already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
import re
from typing import Final

from ...library import Play, ShowProgress
from ...media import Episode, Ids, MediaItem, Movie, Playable, Season, Show, show_of
from ...writes import MarkWatched, WatchedAt
from ..errors import BadAnswer, NotFound, Refused, TrackerError
from .api import Api
from .convert import Converter
from .payloads import (
    ProgressBody,
    SearchRow,
    decode_history,
    decode_minimal,
    decode_progress,
    decode_search,
    decode_watched,
)

FEW: Final = 3
"""Up to so many titles of a batch are looked up one by one; more cost one reading of everything watched."""
INDEX_KEPT: Final = timedelta(minutes=2)
STALE_FOR: Final = timedelta(seconds=30)
"""Progress reads can miss a write for several seconds (trakt-api #773): ours are remembered that long."""
MINUTE: Final = timedelta(minutes=1)
BIGGEST_NUMBER: Final = 5000
"""Episode numbers are below this, Trakt's episode ids above."""

type Number = tuple[int, int]


@dataclass(slots=True)
class Seen:
    """What was watched of one show.

    `listed` are the aired episodes the service told of; None where only the plays are known.
    """

    show: Show
    convert: Converter
    now: datetime
    overlay: dict[Number, bool]
    body: ProgressBody | None = None
    plays: set[Number] = field(default_factory=set)

    @property
    def listed(self) -> set[Number] | None:
        """Return the aired episodes, where they are known."""
        return None if self.body is None else set(self.body.listed())

    @property
    def seen(self) -> set[Number]:
        """Return the watched episodes."""
        found = set(self.plays)
        if self.body is not None:
            found |= {n for n, row in self.body.listed().items() if row.completed}
        found |= {n for n, watched in self.overlay.items() if watched}
        return found - {n for n, watched in self.overlay.items() if not watched}

    def progress(self) -> ShowProgress | None:
        """Count the show, with our own writes since; None where its episodes are not known."""
        if self.body is None:
            return None
        known = {**dict.fromkeys(self.plays, True), **self.overlay}
        return self.convert.listing(self.show, self.body, self.now, known)


@dataclass(slots=True)
class Index:
    """Everything watched, for big batches: shows and movies by Trakt id, and the Trakt ids of watched titles."""

    at: datetime
    shows: dict[str, set[Number]] | None = None
    movies: set[str] | None = None
    ids: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """("show" | "movie", namespace, id) -> Trakt id, of what was watched."""
    posted: dict[tuple[str, str, str], set[Number]] = field(default_factory=dict)
    """("show" | "movie", namespace, id) -> what we marked of titles whose Trakt id is not known; (0, 0) for a movie."""
    named: set[str] = field(default_factory=set)
    """Of which kinds ("show", "movie") `ids` is complete."""


class Lookup:
    """Looks things up for one account, and remembers for a while what we wrote ourselves."""

    def __init__(self, api: Api, convert: Converter) -> None:
        """Read through `api`."""
        self._api = api
        self._convert = convert
        self._found: dict[tuple[str, str, str], str] = {}
        self._named: dict[tuple[str, str, int | None], Ids | None] = {}
        self._batch: dict[str, Seen] = {}
        self._index: Index | None = None
        self._overlay: dict[str, dict[Number, bool]] = {}
        self._overlay_until: dict[str, datetime] = {}
        self.big: frozenset[str] = frozenset()
        """The kinds ("show", "movie") that the present batch looks up in the index."""

    # whole batches --------------------------------------------------------------------------------------------

    async def prepare(self, items: Sequence[MediaItem], *, fresh: bool) -> None:
        """Get ready for a batch: where it names many titles, read everything watched at once."""
        self._batch.clear()
        # what was not found by name today may be added tomorrow
        self._named.clear()
        now = self._api.context.now()
        shows = {i.show.ids: i.show for i in items if isinstance(i, Episode)}
        movies = {i.ids: i for i in items if isinstance(i, Movie)}
        big = {"show"} if len(shows) > FEW else set()
        if len(movies) > FEW:
            big.add("movie")
        self.big = frozenset(big)
        if not big:
            return
        index = self._index
        if index is None or fresh or now - index.at > INDEX_KEPT:
            index = self._index = Index(at=now)
        if "show" in big:
            await self._index_shows(index, complete=_have_trakt(shows))
        if "movie" in big:
            await self._index_movies(index, complete=_have_trakt(movies))

    async def _index_shows(self, index: Index, *, complete: bool) -> None:
        path = "/sync/watched/shows"
        if index.shows is None and complete:
            params = {"extended": "min", "season_numbers": "true"}
            try:
                index.shows = _numbers(
                    await self._api.one(decode_minimal, path, params)
                )
            except (Refused, BadAnswer):
                index.shows = None
        if index.shows is not None and (complete or "show" in index.named):
            return
        rows = await self._api.pages(
            decode_watched, path, {"extended": "progress"}, limit=100
        )
        index.shows = {}
        for row in rows:
            if row.show is None or not (key := row.show.ids.get("trakt")):
                continue
            index.shows[key] = {
                (season.number, each.number)
                for season in row.seasons
                for each in season.episodes
                if season.number is not None and each.number is not None
            }
            _name(index.ids, "show", row.show.ids)
        index.named.add("show")

    async def _index_movies(self, index: Index, *, complete: bool) -> None:
        path = "/sync/watched/movies"
        if index.movies is None and complete:
            try:
                index.movies = set(
                    await self._api.one(decode_minimal, path, {"extended": "min"})
                )
            except (Refused, BadAnswer):
                index.movies = None
        if index.movies is not None and (complete or "movie" in index.named):
            return
        index.movies = set()
        for row in await self._api.pages(decode_watched, path):
            if row.movie is not None and (key := row.movie.ids.get("trakt")):
                index.movies.add(key)
                _name(index.ids, "movie", row.movie.ids)
        index.named.add("movie")

    # finding titles -------------------------------------------------------------------------------------------

    async def show(self, show: Show) -> Show | None:
        """Return the show with its Trakt id; None when Trakt does not know it.

        In a big batch a show that is not among the watched ones comes back as it is: posting tells whether it exists.
        """
        ids = await self._identify("show", show.ids, show.title, show.year)
        return None if ids is None else replace(show, ids=ids)

    async def movie(self, movie: Movie) -> Movie | None:
        """Return the movie with its Trakt id; None when Trakt does not know it."""
        ids = await self._identify("movie", movie.ids, movie.title, movie.year)
        return None if ids is None else replace(movie, ids=ids)

    async def resolve(self, item: MediaItem) -> MediaItem | None:
        """Return the item with Trakt's id for its title."""
        match item:
            case Movie():
                return await self.movie(item)
            case Show():
                return await self.show(item)
            case Season() | Episode():
                show = await self.show(item.show)
                return None if show is None else replace(item, show=show)

    async def named(self, item: MediaItem) -> MediaItem | None:
        """Return the item so that a write can name it: as it is when it has any id, else looked up by title."""
        title = item.show if isinstance(item, (Season, Episode)) else item
        own = isinstance(item, Episode) and (
            item.ids.get("trakt") or item.ids.get("tvdb")
        )
        if title.ids or own:
            return item
        return await self.resolve(item)

    async def _identify(
        self, kind: str, ids: Ids, title: str, year: int | None
    ) -> Ids | None:
        if ids.get("trakt"):
            return ids
        pairs = [
            (name, ids.get(name) or "")
            for name in ("imdb", "tmdb", "tvdb")
            if ids.get(name) and not (kind == "movie" and name == "tvdb")
        ]
        known: Mapping[tuple[str, str, str], str] = self._found
        if self._index is not None and kind in self.big:
            known = {**self._index.ids, **known}
        for name, value in pairs:
            if number := known.get((kind, name, value)):
                return Ids.of(trakt=number).merged(ids)
        if pairs and kind in self.big:
            return ids
        for name, value in pairs:
            rows = await self._search(f"/search/{name}/{value}", {"type": kind})
            found = [i for i in self._titles(rows, kind) if i.ids.get(name) == value]
            if found:
                return self._remember(kind, ids, found[0].ids)
        if pairs or not title:
            return None
        return await self._by_title(kind, title, year)

    async def _by_title(self, kind: str, title: str, year: int | None) -> Ids | None:
        """Return the ids of the only title of this exact name (and year)."""
        name = (kind, title.casefold(), year)
        if name not in self._named:
            rows = await self._search(
                f"/search/{kind}",
                {"query": escape(title), "fields": "title", "limit": 20},
            )
            same = {
                found.ids
                for found in self._titles(rows, kind)
                if found.title.casefold() == name[1] and year in (None, found.year)
            }
            self._named[name] = next(iter(same)) if len(same) == 1 else None
        return self._named[name]

    async def _search(
        self, path: str, params: Mapping[str, str | int | float]
    ) -> list[SearchRow]:
        try:
            return await self._api.one(decode_search, path, params)
        except NotFound:
            return []

    def _titles(self, rows: Iterable[SearchRow], kind: str) -> list[Movie | Show]:
        found = (
            self._convert.movie(row.movie)
            if kind == "movie"
            else self._convert.show(row.show)
            for row in rows
            if row.type == kind
        )
        return [title for title in found if title is not None]

    def _remember(self, kind: str, ids: Ids, found: Ids) -> Ids:
        number = found.values["trakt"]
        for name, value in ids.values.items():
            self._found[kind, name, value] = number
        return Ids.of(trakt=number).merged(ids)

    # what was watched -----------------------------------------------------------------------------------------

    async def movie_seen(self, movie: Movie) -> bool:
        """Say whether a movie was watched."""
        number = movie.ids.get("trakt")
        index = self._index
        if index is not None and index.movies is not None and "movie" in self.big:
            return number in index.movies or bool(_posted(index, "movie", movie.ids))
        return bool(await self.plays(movie))

    async def show_seen(self, show: Show, *, listing: bool, fresh: bool) -> Seen:
        """Return what was watched of a show; once per show in a batch.

        `listing` asks for its aired episodes too. `fresh` adds the plays themselves, which are never stale.
        """
        key = show.ids.get("trakt")
        seen = Seen(show, self._convert, self._api.context.now(), self._written(key))
        index = self._index
        if index is not None and index.shows is not None and "show" in self.big:
            seen.plays = index.shows.get(key or "", set()) | _posted(
                index, "show", show.ids
            )
            if not listing or key is None:
                return seen
        if key is None:
            return seen
        if (known := self._batch.get(key)) is not None:
            return known
        seen.body = await self._api.one(
            decode_progress,
            f"/shows/{key}/progress/watched",
            {
                "extended": "full,images",
                "hidden": "false",
                "specials": "true",
                "count_specials": "false",
            },
        )
        if fresh:
            seen.plays = {
                (play.item.season, play.item.number)
                for play in await self.plays(show)
                if isinstance(play.item, Episode)
            }
        self._batch[key] = seen
        return seen

    async def plays(
        self, item: MediaItem, between: tuple[datetime, datetime] | None = None
    ) -> list[Play]:
        """Return all plays of an item with a Trakt id, or those `between` two times, newest first."""
        path = history_path(item)
        if path is None:
            return []
        params: dict[str, str] = {}
        if between is not None:
            names = ("start_at", "end_at")
            params = {n: utc(at) for n, at in zip(names, between, strict=True)}
        try:
            rows = await self._api.pages(decode_history, path, params)
        except NotFound:
            return []
        plays = [play for row in rows if (play := self._convert.play(row))]
        return [play for play in plays if belongs(play.item, item)]

    def match(
        self, plays: Iterable[Play], at: WatchedAt, item: Playable
    ) -> Play | None:
        """Return the play that a mark with this time has made, as far as can be told (minute precision)."""
        if at == "released":
            at = item.first_aired or "unknown" if isinstance(item, Episode) else at
        for play in plays:
            when = play.watched_at
            if not isinstance(at, datetime):
                # a release date that is not known here: any play will do, rather none too many
                if when is None or at == "released":
                    return play
            elif when is not None and abs(when - at) <= MINUTE:
                return play
        return None

    async def same_minute(self, show: Show, write: MarkWatched) -> set[Number]:
        """Return the episodes of a show with a play that this mark may have made."""
        found: set[Number] = set()
        for play in await self.plays(show):
            item = play.item
            if isinstance(item, Episode) and self.match([play], write.watched_at, item):
                found.add((item.season, item.number))
        return found

    async def progress_of(self, item: MediaItem) -> ShowProgress | None:
        """Return how far its show is now, with our own writes; None for a movie, and where that can't be read."""
        show = show_of(item)
        if show is None:
            return None
        try:
            seen = await self.show_seen(show, listing=True, fresh=False)
        except TrackerError:
            # asked after a write that is done: not knowing the count is no reason to fail it
            return None
        return seen.progress()

    # our own writes -------------------------------------------------------------------------------------------

    def wrote(self, items: Iterable[Playable], *, watched: bool) -> None:
        """Remember what we marked or unmarked, for as long as reads may be stale."""
        until = self._api.context.now() + STALE_FOR
        for item in items:
            title = item.show if isinstance(item, Episode) else item
            key = (item.season, item.number) if isinstance(item, Episode) else (0, 0)
            number = title.ids.get("trakt")
            if isinstance(item, Episode) and number is not None:
                self._written(number)[key] = watched
                self._overlay_until[number] = until
            if self._index is not None:
                _note(self._index, title, key, watched=watched)

    def _written(self, number: str | None) -> dict[Number, bool]:
        if number is None:
            return {}
        until = self._overlay_until.get(number)
        if until is not None and until <= self._api.context.now():
            del self._overlay[number], self._overlay_until[number]
        return self._overlay.setdefault(number, {})


def utc(at: datetime) -> str:
    """Write an instant the way Trakt does."""
    text = at.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def escape(text: str) -> str:
    """Escape what means something to Trakt's search."""
    return re.sub(r'([+\-&|!(){}\[\]^"~*?:/\\])', r"\\\1", text)


def history_path(item: MediaItem) -> str | None:
    """Return the route of an item's plays; None when its Trakt id is not known."""
    match item:
        case Movie():
            number, kind = item.ids.number("trakt"), "movies"
        case Show():
            number, kind = item.ids.number("trakt"), "shows"
        case Season():
            number, kind = item.show.ids.number("trakt"), "shows"
        case Episode():
            number, kind = item.ids.number("trakt"), "episodes"
            if number is None:
                number, kind = item.show.ids.number("trakt"), "shows"
    return None if number is None else f"/sync/history/{kind}/{number}"


def belongs(play: Playable, item: MediaItem) -> bool:
    """Say whether a play found by `history_path` is of this item."""
    match item, play:
        case Season(), Episode():
            return play.season == item.number
        case Episode(), Episode() if item.ids.number("trakt") is None:
            return (play.season, play.number) == (item.season, item.number)
    return True


def _posted(index: Index, kind: str, ids: Ids) -> set[Number]:
    """Return what we marked of a title under any of its ids."""
    found: set[Number] = set()
    for name, value in ids.values.items():
        found |= index.posted.get((kind, name, value), set())
    return found


def _note(index: Index, title: Movie | Show, key: Number, *, watched: bool) -> None:
    """Keep the index true to what we wrote."""
    number = title.ids.get("trakt")
    kind = str(title.type)
    if number is None:
        for name, value in title.ids.values.items():
            index.posted.setdefault((kind, name, value), set()).add(key)
    elif isinstance(title, Movie) and index.movies is not None:
        (index.movies.add if watched else index.movies.discard)(number)
    elif index.shows is not None:
        plays = index.shows.setdefault(number, set())
        (plays.add if watched else plays.discard)(key)


def _have_trakt(titles: Iterable[Ids]) -> bool:
    return all(ids.get("trakt") for ids in titles)


def _name(known: dict[tuple[str, str, str], str], kind: str, ids: Ids) -> None:
    for name, value in ids.values.items():
        known[kind, name, value] = ids.values["trakt"]


def _numbers(body: Mapping[str, object]) -> dict[str, set[Number]] | None:
    """Read {show: {"season id|number": {episode number: [...]}}}; None when the keys are not of that form."""
    found: dict[str, set[Number]] = {}
    for show, seasons in body.items():
        numbers: set[Number] = set()
        for key, episodes in (seasons if isinstance(seasons, dict) else {}).items():
            _, bar, season = str(key).partition("|")
            if not bar or not season.isdigit():
                return None
            for number in episodes if isinstance(episodes, dict) else ():
                if not str(number).isdigit() or int(number) >= BIGGEST_NUMBER:
                    return None
                numbers.add((int(season), int(number)))
        found[show] = numbers
    return found
