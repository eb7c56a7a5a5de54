"""How the simulated Trakt writes media down: the shapes of data/trakt/*.json."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simulators.catalogue import CatalogueEpisode, CatalogueMovie, CatalogueShow

from .state import Progress, State, iso, season_id

type Json = dict[str, Any]


class Shapes:
    """Renders media with what `extended` asked for. `picture` makes the absolute URL of a picture."""

    def __init__(self, state: State, picture: Callable[[str], str]) -> None:
        """Remember where titles and pictures come from."""
        self.state = state
        self._picture = picture

    def _image(self, name: str) -> list[str]:
        """Return one scheme-less picture address, as Trakt gives them."""
        return [self._picture(name).split("://", 1)[-1]]

    def show(self, show: CatalogueShow, extended: set[str]) -> Json:
        """Render a show."""
        now = self.state.clock.now()
        number = int(show.ids["trakt"])
        body: Json = {
            "title": show.title,
            "year": show.year,
            "ids": {
                key: show.ids.get(key)
                for key in ("trakt", "slug", "tvdb", "imdb", "tmdb")
            },
        }
        if "full" in extended:
            aired = show.aired(now)
            body |= {
                "original_title": show.title,
                "aired_episodes": len(aired),
                "tagline": "",
                "overview": f"A made-up story about {show.title}.",
                "first_aired": iso(min(e.first_aired for e in show.episodes)),
                "airs": {
                    "day": "Thursday",
                    "time": "21:00",
                    "timezone": "America/New_York",
                },
                "runtime": show.runtime // 60,
                "total_runtime": show.runtime // 60 * len(aired),
                "certification": "TV-MA",
                "network": "Example Channel",
                "country": "us",
                "trailer": None,
                "homepage": None,
                "status": "ended" if show.ended else "returning series",
                "rating": 8.16,
                "votes": 6953,
                "comment_count": 99,
                "updated_at": "2026-08-15T15:36:02.000Z",
                "language": "en",
                "languages": ["en"],
                "available_translations": ["de", "en", "fr", "ru"],
                "genres": ["anime"] if show.anime else ["drama"],
                "subgenres": [],
            }
        if "images" in extended:
            body["images"] = {
                "fanart": self._image(f"show-{number}-fanart"),
                "poster": self._image(f"show-{number}-poster"),
                "logo": self._image(f"show-{number}-logo"),
                "clearart": [],
                "banner": self._image(f"show-{number}-banner"),
                "thumb": self._image(f"show-{number}-thumb"),
            }
        return body

    def episode(
        self, show: CatalogueShow, episode: CatalogueEpisode, extended: set[str]
    ) -> Json:
        """Render an episode. Episodes far ahead have no title yet."""
        far = episode.first_aired.timestamp() - self.state.clock.now().timestamp()
        title = None if far > 28 * 86400 else episode.title
        body: Json = {
            "season": episode.season,
            "number": episode.number,
            "title": title,
            "ids": {
                "trakt": episode.ids["trakt"],
                "tvdb": episode.ids["tvdb"],
                "imdb": None,
                "tmdb": episode.ids["tmdb"],
            },
        }
        if "full" in extended:
            regular = [e for e in show.episodes if e.season > 0]
            body |= {
                "number_abs": regular.index(episode) + 1
                if show.anime and episode.season
                else None,
                "overview": "Example overview text.",
                "rating": 7.45,
                "votes": 1838,
                "comment_count": 21,
                "first_aired": iso(episode.first_aired),
                "released": iso(episode.first_aired),
                "effective_release_date": iso(episode.first_aired),
                "updated_at": "2026-01-20T03:49:10.000Z",
                "available_translations": ["de", "en", "fr"],
                "runtime": episode.runtime // 60,
                "episode_type": self.episode_type(show, episode),
                "original_title": title,
                "after_credits": False,
                "during_credits": False,
            }
        if "images" in extended:
            body["images"] = {
                "screenshot": self._image(f"episode-{episode.ids['trakt']}")
            }
        return body

    @staticmethod
    def episode_type(show: CatalogueShow, episode: CatalogueEpisode) -> str:
        """Say what an episode is within its season."""
        last = max(e.number for e in show.episodes if e.season == episode.season)
        if episode.number == 1:
            return "series_premiere" if episode.season == 1 else "season_premiere"
        if episode.number == last and show.ended:
            final = max(show.seasons())
            return "series_finale" if episode.season == final else "season_finale"
        return "standard"

    def season(self, show: CatalogueShow, number: int, extended: set[str]) -> Json:
        """Render a season; `episodes` adds its episodes, aired or not."""
        now = self.state.clock.now()
        key = season_id(show, number)
        episodes = [e for e in show.episodes if e.season == number]
        body: Json = {
            "number": number,
            "ids": {"trakt": key, "tvdb": key + 1_000_000, "tmdb": None},
        }
        if "full" in extended:
            body |= {
                "title": f"Season {number}" if number else "Specials",
                "aired_episodes": sum(e.first_aired <= now for e in episodes),
                "episode_count": len(episodes),
                "first_aired": iso(episodes[0].first_aired) if episodes else None,
            }
        if "images" in extended:
            body["images"] = {
                "poster": self._image(f"season-{key}-poster"),
                "thumb": [],
            }
        if "episodes" in extended:
            body["episodes"] = [self.episode(show, e, extended) for e in episodes]
        return body

    def movie(self, movie: CatalogueMovie, extended: set[str]) -> Json:
        """Render a movie."""
        number = int(movie.ids["trakt"])
        body: Json = {
            "title": movie.title,
            "year": movie.year,
            "ids": {
                key: movie.ids.get(key) for key in ("trakt", "slug", "imdb", "tmdb")
            },
        }
        if "full" in extended:
            body |= {
                "original_title": movie.title,
                "tagline": "",
                "overview": f"A made-up film called {movie.title}.",
                "released": movie.released.date().isoformat(),
                "runtime": movie.runtime // 60,
                "country": "us",
                "trailer": None,
                "homepage": None,
                "status": "released",
                "rating": 7.21,
                "votes": 2083,
                "comment_count": 44,
                "updated_at": "2026-06-15T08:05:20.000Z",
                "language": "en",
                "languages": ["en"],
                "available_translations": ["de", "en", "fr"],
                "genres": ["thriller"],
                "subgenres": [],
                "certification": "R",
                "after_credits": False,
                "during_credits": False,
            }
        if "images" in extended:
            body["images"] = {
                "fanart": self._image(f"movie-{number}-fanart"),
                "poster": self._image(f"movie-{number}-poster"),
                "logo": [],
                "clearart": [],
                "banner": [],
                "thumb": [],
            }
        return body

    def media(self, kind: str, number: int, extended: set[str]) -> Json:
        """Render what a list item points at: {"show": ...}, {"episode": ..., "show": ...} and so on."""
        if kind == "movie":
            return {"movie": self.movie(self.state.movie(number), extended)}
        if kind == "show":
            return {"show": self.show(self.state.show(number), extended)}
        if kind == "season":
            found = self.state.season(number)
            assert found is not None
            return {
                "season": self.season(*found, extended),
                "show": self.show(found[0], extended),
            }
        pair = self.state.episode("trakt", number)
        assert pair is not None
        return {
            "episode": self.episode(*pair, extended),
            "show": self.show(pair[0], extended),
        }

    def title(
        self,
        title: CatalogueShow | CatalogueMovie,
        episode: CatalogueEpisode | None,
        extended: set[str],
    ) -> Json:
        """Render a movie, or an episode with its show."""
        if isinstance(title, CatalogueMovie):
            return {"movie": self.movie(title, extended)}
        if episode is None:
            return {"show": self.show(title, extended)}
        return {
            "episode": self.episode(title, episode, extended),
            "show": self.show(title, extended),
        }

    def progress(
        self, show: CatalogueShow, progress: Progress, extended: set[str]
    ) -> Json:
        """Render the counters that all progress routes share."""

        def one(episode: CatalogueEpisode | None) -> Json | None:
            return None if episode is None else self.episode(show, episode, extended)

        at = progress.last_watched_at
        reset = self.state.reset_at.get(int(show.ids["trakt"]))
        left = len(progress.aired) - len(progress.completed)
        return {
            "aired": len(progress.aired),
            "completed": len(progress.completed),
            "last_watched_at": iso(at) if at else None,
            "reset_at": iso(reset) if reset else None,
            "next_episode": one(progress.next_episode),
            "last_episode": one(progress.last_episode),
            "stats": {
                "play_count": progress.plays,
                "minutes_watched": progress.plays * show.runtime // 60,
                "minutes_left": left * show.runtime // 60,
            },
        }
