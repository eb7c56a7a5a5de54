"""What the simulated Plex server has: the catalogue's titles with their rating keys, guids and metadata."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
import json
from pathlib import Path
from typing import Any, Final

from ..catalogue import Catalogue, CatalogueEpisode, CatalogueMovie, CatalogueShow

TEMPLATES: Final[dict[str, dict[str, Any]]] = json.loads(
    (Path(__file__).parent / "templates.json").read_text(encoding="utf-8")
)
"""One captured object of each kind: every key that a real server sends, in its type."""

_SHOWS: Final = 5_000_000
_EPISODES: Final = 10_000_000


def movie_key(movie: int) -> int:
    """Return the rating key of the movie with this trakt id."""
    return movie


def show_key(show: int) -> int:
    """Return the rating key of the show with this trakt id."""
    return _SHOWS + show


def episode_key(show: int, season: int, number: int) -> int:
    """Return the rating key of an episode; number 0 stands for the season itself."""
    return _EPISODES + show * 10_000 + season * 100 + number


@dataclass(frozen=True, slots=True)
class Item:
    """A movie or an episode in Plex."""

    title: CatalogueMovie | CatalogueShow
    episode: CatalogueEpisode | None = None

    @property
    def legacy(self) -> bool:
        """Say whether an old agent matched it: every seventh title; it has no external ids but those in its guid."""
        return int(self.title.ids["trakt"]) % 7 == 3

    @property
    def key(self) -> int:
        """Return its rating key."""
        trakt = int(self.title.ids["trakt"])
        if self.episode is None:
            return movie_key(trakt)
        return episode_key(trakt, self.episode.season, self.episode.number)

    @property
    def kind(self) -> str:
        """Return its media type."""
        return "movie" if self.episode is None else "episode"

    @property
    def runtime(self) -> int:
        """Return its length in seconds."""
        if self.episode is not None:
            return self.episode.runtime
        assert isinstance(self.title, CatalogueMovie)
        return self.title.runtime

    @property
    def full_title(self) -> str:
        """Return the title as Tautulli writes it."""
        show = self.title.title
        return show if self.episode is None else f"{show} - {self.episode.title}"

    @property
    def released(self) -> datetime:
        """Return when it came out."""
        if self.episode is not None:
            return self.episode.first_aired
        assert isinstance(self.title, CatalogueMovie)
        return self.title.released

    def guid(self, level: str | None = None) -> str:
        """Return the guid of the item, or of its season or show."""
        level = level or self.kind
        ids = self.title.ids
        if level == "movie":
            if self.legacy:
                return f"com.plexapp.agents.imdb://{ids['imdb']}?lang=en"
            return f"plex://movie/{self.key:024x}"
        assert self.episode is not None
        season, number = self.episode.season, self.episode.number
        trakt = int(ids["trakt"])
        if self.legacy:
            place = {"show": "", "season": f"/{season}"}.get(
                level, f"/{season}/{number}"
            )
            return f"com.plexapp.agents.thetvdb://{ids['tvdb']}{place}?lang=en"
        key = {
            "show": show_key(trakt),
            "season": episode_key(trakt, season, 0),
            "episode": self.key,
        }[level]
        return f"plex://{level}/{key:024x}"

    def guids(self, ids: dict[str, int | str]) -> list[str]:
        """Return external ids as Plex lists them."""
        if self.legacy:
            return []
        return [
            f"{name}://{ids[name]}" for name in ("imdb", "tmdb", "tvdb") if name in ids
        ]

    def numbers(self) -> dict[str, Any]:
        """Return what a history row says of the item: numbers as numbers, "" for what is missing."""
        place: dict[str, Any] = {
            "parent_rating_key": "",
            "grandparent_rating_key": "",
            "parent_title": "",
            "grandparent_title": "",
            "media_index": "",
            "parent_media_index": "",
        }
        title, year = self.title.title, self.title.year
        if self.episode is not None:
            trakt, season = int(self.title.ids["trakt"]), self.episode.season
            title, year = self.episode.title, self.episode.first_aired.year
            place = {
                "parent_rating_key": episode_key(trakt, season, 0),
                "grandparent_rating_key": show_key(trakt),
                "parent_title": f"Season {season}",
                "grandparent_title": self.title.title,
                "media_index": self.episode.number,
                "parent_media_index": season,
            }
        return {
            "media_type": self.kind,
            "rating_key": self.key,
            "full_title": self.full_title,
            "title": title,
            "year": year,
            "thumb": f"/library/metadata/{self.key}/thumb/1",
            "originally_available_at": self.released.date().isoformat(),
            "guid": self.guid(),
            **place,
        }

    def texts(self) -> dict[str, Any]:
        """Return what metadata and sessions say of the item: all numbers are strings."""
        episode = self.episode
        own = self.title.ids if episode is None else episode.ids
        return {
            **{name: str(value) for name, value in self.numbers().items()},
            "section_id": "1" if episode is None else "2",
            "library_name": "Movies" if episode is None else "TV Shows",
            "duration": str(self.runtime * 1000),
            "grandparent_year": "" if episode is None else str(self.title.year),
            "parent_guid": "" if episode is None else self.guid("season"),
            "grandparent_guid": "" if episode is None else self.guid("show"),
            "parent_thumb": "",
            "grandparent_thumb": "",
            "guids": self.guids(own),
            "parent_guids": [],
            "grandparent_guids": [] if episode is None else self.guids(self.title.ids),
        }


def find(catalogue: Catalogue, key: int) -> Item | None:
    """Return the movie or episode with this rating key."""
    if key < _SHOWS:
        movie = catalogue.movie("trakt", key)
        return Item(movie) if movie else None
    trakt, place = divmod(key - _EPISODES, 10_000)
    show = catalogue.show("trakt", trakt)
    episode = show.episode(*divmod(place, 100)) if show else None
    return Item(show, episode) if show and episode else None
