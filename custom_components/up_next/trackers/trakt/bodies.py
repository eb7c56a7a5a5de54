"""How writes name media items on the wire, and how answers are matched with them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from ...media import Episode, MediaItem, Movie, Playable, Season, Show
from ...writes import WatchedAt
from ..transport import Json
from .lookup import Seen, utc
from .payloads import NotFoundBody


@dataclass(slots=True)
class Body:
    """The arrays of a sync POST."""

    movies: list[Json] = field(default_factory=list)
    shows: list[Json] = field(default_factory=list)
    episodes: list[Json] = field(default_factory=list)

    def add(self, item: MediaItem, **options: str | int) -> None:
        """Name an item by the best ids it has. An episode's ids never stand where a show's belong."""
        match item:
            case Movie():
                self.movies.append({**named(item), **options})
            case Show():
                self.shows.append({**named(item), **options})
            case Season():
                part: Json = {"number": item.number, **options}
                self.shows.append({**named(item.show), "seasons": [part]})
            case Episode():
                if own := _own(item):
                    self.episodes.append({"ids": own, **options})
                    return
                episode: Json = {"number": item.number, **options}
                season: Json = {"number": item.season, "episodes": [episode]}
                self.shows.append({**named(item.show), "seasons": [season]})

    def __bool__(self) -> bool:
        """Say whether there is anything to post."""
        return bool(self.movies or self.shows or self.episodes)

    def json(self) -> dict[str, Json]:
        """Return the body without empty arrays."""
        parts: dict[str, Json] = {
            "movies": self.movies,
            "shows": self.shows,
            "episodes": self.episodes,
        }
        return {name: rows for name, rows in parts.items() if rows}


def _own(episode: Episode) -> dict[str, Json]:
    """Return the episode's own ids where it is best named by them; Trakt finds episodes by these two only."""
    own: dict[str, Json] = {
        name: episode.ids.number(name)
        for name in ("trakt", "tvdb")
        if episode.ids.number(name)
    }
    return own if "trakt" in own or not episode.show.ids else {}


def playing(item: Playable) -> dict[str, Json]:
    """Name the one item that a scrobble or check-in is about."""
    if isinstance(item, Movie):
        return {"movie": named(item)}
    if own := _own(item):
        return {"episode": {"ids": own}}
    numbers: dict[str, Json] = {"season": item.season, "number": item.number}
    return {"show": named(item.show), "episode": numbers}


def named(title: Movie | Show) -> dict[str, Json]:
    """Name a title: its Trakt id alone when known, else every id there is, else title and year."""
    if number := title.ids.number("trakt"):
        return {"ids": {"trakt": number}}
    ids: dict[str, Json] = {
        name: title.ids.number(name) or title.ids.get(name)
        for name in ("imdb", "tmdb", "tvdb", "slug")
        if title.ids.get(name)
    }
    if ids:
        return {"ids": ids, "title": title.title, "year": title.year}
    return {"title": title.title, "year": title.year}


def is_missing(item: MediaItem, missing: NotFoundBody) -> bool:
    """Say whether an item is among those that the service did not find."""
    match item:
        case Movie():
            return any(m.ids.shares(item.ids) for m in missing.movies)
        case Show():
            return any(m.ids.shares(item.ids) for m in missing.shows)
        case Season():
            return is_missing(item.show, missing) or any(
                m.number == item.number and (not m.ids or m.ids.shares(item.show.ids))
                for m in missing.seasons
            )
        case Episode():
            if is_missing(item.show, missing):
                return True
            return any(
                m.ids.shares(item.ids) if m.ids else m.number == item.number
                for m in missing.episodes
            ) or any(m.number == item.season for m in missing.seasons)


def wanted(item: MediaItem, show: Show, seen: Seen) -> list[Episode]:
    """Return the episodes a mark stands for: itself, or what has aired of the season or the regular seasons."""
    if isinstance(item, Episode):
        return [item if item.show == show else replace(item, show=show)]
    keys = sorted(seen.listed or ())
    return [
        Episode(show=show, season=season, number=number)
        for season, number in keys
        if (season == item.number if isinstance(item, Season) else season > 0)
    ]


def once(item: Playable, posted: set[tuple[str, int, int]]) -> bool:
    """Note an item; say whether it was not noted before."""
    if isinstance(item, Episode):
        name = item.show.ids.get("trakt") or repr(item.show.ids)
        key = (name, item.season, item.number)
    else:
        key = (f"movie {item.ids.get('trakt') or item.ids!r}", 0, 0)
    if key in posted:
        return False
    posted.add(key)
    return True


def same(one: Playable, other: Playable) -> bool:
    """Say whether two are the same, by ids or by show and numbers."""
    if isinstance(one, Episode) and isinstance(other, Episode):
        if one.ids.shares(other.ids):
            return True
        return (one.season, one.number) == (
            other.season,
            other.number,
        ) and one.show.ids.shares(other.show.ids)
    return type(one) is type(other) and one.ids.shares(other.ids)


def stamp(at: WatchedAt) -> str:
    """Write a time the way Trakt takes it."""
    return utc(at) if isinstance(at, datetime) else at
