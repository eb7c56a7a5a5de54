"""KinoPub's catalogue: items with local titles, seasons and videos, and the rows the API shows of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from simulators.catalogue import CatalogueEpisode, CatalogueMovie, CatalogueShow

SERIES = ("serial", "docuserial", "tvshow")
_LATIN = "abcdefghijklmnopqrstuvwxyz"
_LOCAL = "абцдефгхийклмнопкрстувуксыз"


def local(title: str) -> str:
    """Spell an English title in Cyrillic letters: every title needs a local name."""
    table = {ord(a): b for a, b in zip(_LATIN, _LOCAL, strict=False)}
    return title.lower().translate(table).capitalize()


@dataclass(slots=True)
class Video:
    """One episode, or one part of a movie (season 0 there); `id` is global, `number` counts from 1."""

    id: int
    season: int
    number: int
    title: str
    duration: int
    released: datetime


@dataclass(slots=True)
class Item:
    """One item; KinoPub knows an episode only once it is out."""

    id: int
    kind: str
    title: str
    year: int
    imdb: int | None
    kinopoisk: int | None
    show: CatalogueShow | None = None
    movie: CatalogueMovie | None = None
    subtype: str = ""
    finished: bool = False
    withdrawn: bool = False
    specials: bool = False
    """Whether KinoPub has a season 0 of it; it seldom does."""
    _videos: list[Video] = field(default_factory=list)
    _released: list[datetime] = field(default_factory=list)
    _known: int = -1

    @property
    def series(self) -> bool:
        """Whether the item has seasons."""
        return self.kind in SERIES

    def total(self, now: datetime) -> int:
        """Return the number of episodes (specials included) or parts that are out."""
        self._index()
        return bisect_right(self._released, now)

    def videos(self, now: datetime) -> list[Video]:
        """Return what is out, in order of season and number."""
        self._index()
        return [v for v in self._videos if v.released <= now]

    def video(self, season: int, number: int, now: datetime) -> Video | None:
        """Find one that is out by its numbers; the season of a movie's part is 0."""
        self._index()
        return next(
            (
                v
                for v in self._videos
                if v.number == number and v.season == season and v.released <= now
            ),
            None,
        )

    def season_id(self, season: int) -> int:
        """Return the global id of a season."""
        return self.id * 100 + season

    def _index(self) -> None:
        if self.show is None:
            if self._known < 0:
                self._videos = list(self._parts())
                self._known = len(self._videos)
        elif self._known != len(self.show.episodes):
            self._videos = [
                _episode(e) for e in self.show.episodes if e.season or self.specials
            ]
            self._known = len(self.show.episodes)
        else:
            return
        self._released = sorted(v.released for v in self._videos)

    def _parts(self) -> Iterator[Video]:
        assert self.movie is not None
        count = 2 if self.subtype == "multi" else 1
        for number in range(1, count + 1):
            yield Video(
                id=9_000_000 + self.id * 10 + number,
                season=0,
                number=number,
                title=f"Part {number}" if count > 1 else "",
                duration=self.movie.runtime // count,
                released=self.movie.released,
            )


def _episode(episode: CatalogueEpisode) -> Video:
    titles = (
        f"{local(episode.title)} / {episode.title}",
        local(episode.title),
        f"S{episode.season:02d}E{episode.number:02d}",
        "",
    )
    return Video(
        id=int(episode.ids["kinopub"]),
        season=episode.season,
        number=episode.number,
        title=titles[episode.number % 4],
        duration=episode.runtime,
        released=episode.first_aired,
    )


def show_item(show: CatalogueShow, index: int) -> Item:
    """Make the item of a show. Every eighth is a docuserial, every 11th a tvshow; every 19th lacks its imdb id."""
    kind = (
        "docuserial" if index % 8 == 7 else "tvshow" if index % 11 == 10 else "serial"
    )
    return Item(
        id=int(show.ids["kinopub"]),
        kind=kind,
        title=show.title if index % 6 == 5 else f"{local(show.title)} / {show.title}",
        year=show.year,
        imdb=None if index % 19 == 18 else int(str(show.ids["imdb"])[2:]),
        kinopoisk=None if index % 7 == 6 else 400_000 + index,
        show=show,
        finished=show.ended,
        specials=index % 25 == 10,
    )


def movie_item(movie: CatalogueMovie, index: int) -> Item:
    """Make the item of a movie. Every 13th has two parts; every 17th has 0 for its imdb id."""
    kind = "documovie" if index % 7 == 6 else "3d" if index % 23 == 22 else "movie"
    return Item(
        id=int(movie.ids["kinopub"]),
        kind=kind,
        title=movie.title
        if index % 6 == 5
        else f"{local(movie.title)} / {movie.title}",
        year=movie.year,
        imdb=0 if index % 17 == 16 else int(str(movie.ids["imdb"])[2:]),
        kinopoisk=None if index % 7 == 6 else 800_000 + index,
        movie=movie,
        subtype="multi" if index % 13 == 12 else "",
    )


def posters(item_id: int, base: str, *, wide: bool) -> dict[str, str | None]:
    """Return the poster URLs; `wide` may be null in item payloads and is missing in watching lists."""
    sizes: dict[str, str | None] = {
        size: f"{base}/_pictures/kp-{item_id}-{size}.png"
        for size in ("small", "medium", "big")
    }
    if wide:
        sizes["wide"] = (
            f"{base}/_pictures/kp-{item_id}-wide.png" if item_id % 5 else None
        )
    return sizes


def list_row(
    item: Item, base: str, now: datetime, *, subscribed: bool
) -> dict[str, Any]:
    """Return the full list row of an item (items_list.json)."""
    videos = item.videos(now)
    total = sum(v.duration for v in videos)
    return {
        "id": item.id,
        "type": item.kind,
        "subtype": item.subtype,
        "title": item.title,
        "year": item.year,
        "cast": "Actor One, Actor Two",
        "director": "Director One",
        "genres": [{"id": 2, "title": "Боевик"}],
        "countries": [{"id": 1, "title": "США"}],
        "voice": "Дубляж",
        "duration": {"average": total / len(videos) if videos else 0, "total": total},
        "ac3": 0,
        "langs": 2,
        "quality": 1080,
        "plot": "...",
        "tracklist": [],
        "imdb": item.imdb,
        "imdb_rating": 8.1,
        "imdb_votes": 1200,
        "kinopoisk": item.kinopoisk,
        "kinopoisk_rating": 7.9 if item.kinopoisk else None,
        "kinopoisk_votes": 300 if item.kinopoisk else None,
        "rating": 762,
        "rating_votes": 780,
        "rating_percentage": 98,
        "views": 65688,
        "comments": 40,
        "posters": posters(item.id, base, wide=True),
        "trailer": None,
        "finished": item.finished,
        "advert": False,
        "poor_quality": False,
        "created_at": 1276552527,
        "updated_at": 1610017990,
        "subscribed": subscribed,
        "in_watchlist": subscribed,
    }
