"""What Simkl shows: library rows, title pages, episode lists, calendars, search results."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from ..catalogue import CatalogueEpisode, CatalogueMovie, CatalogueShow
from .answers import stamp
from .shelf import KNOWN_IDS, Entry, Shelf

WORDS = {"tv": "tv", "anime": "anime", "movie": "movies"}


def kind_of(title: CatalogueShow | CatalogueMovie) -> str:
    """Return tv, anime or movie."""
    if isinstance(title, CatalogueMovie):
        return "movie"
    return "anime" if title.anime else "tv"


def slug(title: CatalogueShow | CatalogueMovie) -> str:
    """Return the last part of the title's address; not unique."""
    return title.title.lower().replace(" ", "-")


def poster_path(title: CatalogueShow | CatalogueMovie) -> str:
    """Return the path Simkl gives for a poster: two digits and a hash."""
    number = int(title.ids["simkl"])
    return f"{number % 90 + 10}/{number % 90 + 10}{number * 2654435761 % 2**40:010x}"


def full_ids(title: CatalogueShow | CatalogueMovie) -> dict[str, Any]:
    """Return `ids` as library rows carry them: simkl an integer, everything else a string."""
    ids: dict[str, Any] = {"simkl": int(title.ids["simkl"]), "slug": slug(title)}
    return ids | {n: str(title.ids[n]) for n in KNOWN_IDS[1:] if n in title.ids}


def cdn_ids(title: CatalogueShow | CatalogueMovie) -> dict[str, Any]:
    """Return `ids` as search, calendar and episodes carry them: `simkl_id`."""
    ids = full_ids(title)
    return {"simkl_id": ids.pop("simkl"), **ids}


def path_of(title: CatalogueShow | CatalogueMovie) -> str:
    """Return the title's page on simkl.com, without the host."""
    return f"/{WORDS[kind_of(title)]}/{title.ids['simkl']}/{slug(title)}"


def label(kind: str, episode: CatalogueEpisode | None) -> str | None:
    """Write `S08E03` on TV and `E04` on anime."""
    if episode is None:
        return None
    if kind == "anime":
        return f"E{episode.number:02d}"
    return f"S{episode.season:02d}E{episode.number:02d}"


def row(shelf: Shelf, entry: Entry, query: dict[str, str]) -> dict[str, Any]:
    """Render one row of /sync/all-items and /sync/ratings for the given query parameters."""
    movie = entry.kind == "movie"
    extended = query.get("extended", "")
    if extended == "simkl_ids_only":
        ids = {"simkl": entry.simkl, "slug": slug(entry.title)}
        return {"movie" if movie else "show": {"ids": ids}}
    if extended == "ids_only":
        return {"movie" if movie else "show": {"ids": full_ids(entry.title)}}
    count = shelf.count(entry)
    body: dict[str, Any] = {
        "added_to_watchlist_at": stamp(entry.added),
        "last_watched_at": stamp(entry.last_watched_at),
        "user_rated_at": stamp(entry.rated_at),
        "user_rating": entry.rating,
        "status": entry.status,
    }
    if not movie:
        body["last_watched"] = label(entry.kind, count.last)
        body["next_to_watch"] = label(entry.kind, count.next)
    body |= {
        "watched_episodes_count": count.watched,
        "total_episodes_count": count.total,
        "not_aired_episodes_count": count.not_aired,
    }
    block: dict[str, Any] = {
        "title": entry.title.title,
        "poster": poster_path(entry.title),
        "year": entry.title.year,
        "ids": full_ids(entry.title),
    }
    if extended.startswith("full"):
        block["runtime"] = entry.title.runtime // 60
    body["movie" if movie else "show"] = block
    if entry.kind == "anime":
        body["anime_type"] = "tv"
    if (
        query.get("next_watch_info") == "yes"
        and entry.status == "watching"
        and count.next
    ):
        body["next_to_watch_info"] = _next_info(entry.kind, count.next)
    if query.get("memos") == "yes":
        body["memo"] = entry.memo
    if extended.startswith("full") and not movie:
        _add_seasons(body, entry, query)
    return body


def _next_info(kind: str, episode: CatalogueEpisode) -> dict[str, Any]:
    info: dict[str, Any] = {"title": episode.title}
    if kind != "anime":
        info["season"] = episode.season
    return info | {
        "episode": episode.number,
        "date": network_date(kind, episode.first_aired),
    }


def _add_seasons(body: dict[str, Any], entry: Entry, query: dict[str, str]) -> None:
    every = query.get("include_all_episodes") in ("yes", "original")
    if entry.status in ("completed", "dropped") and not every:
        return
    seasons: dict[int, list[dict[str, Any]]] = {}
    for (season, number), at in sorted(entry.watched.items()):
        episode: dict[str, Any] = {"number": number}
        if query.get("episode_watched_at") == "yes":
            episode["watched_at"] = stamp(at)
        if query.get("extended") == "full_anime_seasons" and entry.kind == "anime":
            episode["tvdb"] = {"season": season, "episode": number}
        seasons.setdefault(season, []).append(episode)
    if seasons:
        body["seasons"] = [{"number": n, "episodes": e} for n, e in seasons.items()]
        if query.get("extended") == "full_anime_seasons" and entry.kind == "anime":
            body["mapped_tvdb_seasons"] = sorted(seasons)


def network_date(kind: str, at: datetime) -> str:
    """Write a date as the episode lists do: midnight at a network's offset, not the instant of airing."""
    hours = 9 if kind == "anime" else -5
    local = at.astimezone(timezone(timedelta(hours=hours)))
    return local.replace(hour=0, minute=0, second=0, microsecond=0).isoformat()


def episodes(show: CatalogueShow, now: datetime) -> list[dict[str, Any]]:
    """Return /tv/episodes/{id} or /anime/episodes/{id}; specials have neither season nor episode."""
    kind = kind_of(show)
    answer: list[dict[str, Any]] = []
    for episode in sorted(
        show.episodes, key=lambda e: (e.season == 0, e.season, e.number)
    ):
        body: dict[str, Any] = {"title": episode.title, "description": None}
        if episode.season > 0:
            if kind == "tv":
                body["season"] = episode.season
            body["episode"] = episode.number
        body |= {
            "type": "episode" if episode.season else "special",
            "aired": episode.first_aired <= now,
            "img": None,
            "date": network_date(kind, episode.first_aired),
            "runtime": episode.runtime // 60 if episode.season else None,
            "ids": {"simkl_id": episode.ids["simkl"]},
        }
        answer.append(body)
    return answer


def page(title: CatalogueShow | CatalogueMovie) -> dict[str, Any]:
    """Return /tv/{id}, /anime/{id} or /movies/{id}."""
    kind = kind_of(title)
    ratings = {
        "simkl": {"rating": 8.1, "votes": 900},
        "imdb": {"rating": 8.0, "votes": 9000},
    }
    body: dict[str, Any] = {
        "title": title.title,
        "year": title.year,
        "type": {"tv": "show"}.get(kind, kind),
        "ids": full_ids(title),
        "rank": 1,
        "poster": poster_path(title),
        "fanart": None,
        "runtime": title.runtime // 60,
        "overview": "…",
        "genres": ["Drama"],
        "country": "US",
        "ratings": ratings,
        "trailers": None,
    }
    if isinstance(title, CatalogueMovie):
        return body | {
            "released": title.released.date().isoformat(),
            "release_dates": [],
        }
    if title.anime:
        body["anime_type"] = "tv"
    return body | {
        "first_aired": stamp(min(e.first_aired for e in title.episodes)),
        "total_episodes": sum(1 for e in title.episodes if e.season),
        "status": "ended" if title.ended else "airing",
        "network": "Example",
    }


def found(title: CatalogueShow | CatalogueMovie, *, full: bool) -> dict[str, Any]:
    """Return one search result."""
    kind = kind_of(title)
    ids = {
        "simkl_id": int(title.ids["simkl"]),
        "slug": slug(title),
        "tmdb": str(title.ids["tmdb"]),
    }
    body: dict[str, Any] = {
        "title": title.title,
        "year": title.year,
        "poster": poster_path(title),
        "endpoint_type": WORDS[kind],
        "ids": ids,
    }
    if kind == "anime":
        body |= {"title_en": title.title, "title_romaji": title.title, "type": "tv"}
    if full:
        body |= {
            "all_titles": [title.title],
            "url": path_of(title),
            "rank": 1,
            "status": "airing",
        }
        if isinstance(title, CatalogueShow):
            body["ep_count"] = sum(1 for e in title.episodes if e.season)
    return body


class Calendars:
    """calendar/v2: precomputed per file, again when an hour has passed or the catalogue grew."""

    def __init__(self, shelf: Shelf) -> None:
        """Serve the calendars of the shelf's catalogue."""
        self.shelf = shelf
        self._kept: dict[str, tuple[tuple[int, int], dict[str, Any]]] = {}

    def rolling(self, name: str) -> dict[str, Any]:
        """Return yesterday and the 33 days after it."""
        start = self.shelf.clock.now().replace(
            hour=0, minute=0, second=0, microsecond=0
        ) - timedelta(days=1)
        return self._file(name, name, start, start + timedelta(days=34))

    def month(self, year: int, month: int, name: str) -> dict[str, Any] | None:
        """Return one month, or None beyond three months ahead."""
        now = self.shelf.clock.now()
        if (
            not 1 <= month <= 12
            or (year * 12 + month) - (now.year * 12 + now.month) > 3
        ):
            return None
        following = date(year + month // 12, month % 12 + 1, 1)
        start = datetime(year, month, 1, tzinfo=UTC)
        end = datetime(following.year, following.month, 1, tzinfo=UTC)
        return self._file(f"{year}/{month}/{name}", name, start, end)

    def _file(
        self, key: str, name: str, start: datetime, end: datetime
    ) -> dict[str, Any]:
        shows = self.shelf.catalogue.shows
        mark = (int(start.timestamp()), sum(len(s.episodes) for s in shows))
        kept = self._kept.get(key)
        if kept is None or kept[0] != mark:
            kept = self._kept[key] = (mark, self._build(name, start, end))
        return kept[1]

    def _build(self, name: str, start: datetime, end: datetime) -> dict[str, Any]:
        calendar: list[dict[str, Any]] = []
        metadata: dict[str, Any] = {}
        if name == "movie_release":
            for movie in self.shelf.catalogue.movies:
                if start <= movie.released < end:
                    calendar.append(_airing(movie, movie.released, None))
                    metadata[str(movie.ids["simkl"])] = _metadata(movie)
        else:
            for show in self.shelf.catalogue.shows:
                if show.anime != (name == "anime"):
                    continue
                due = [
                    e
                    for e in show.episodes
                    if e.season and start <= e.first_aired < end
                ]
                calendar += [_airing(show, e.first_aired, e) for e in due]
                if due:
                    metadata[str(show.ids["simkl"])] = _metadata(show)
        calendar.sort(key=lambda record: str(record["date"]))
        return {"calendar": calendar, "metadata": metadata}


def _airing(
    title: CatalogueShow | CatalogueMovie,
    at: datetime,
    episode: CatalogueEpisode | None,
) -> dict[str, Any]:
    record: dict[str, Any] = {
        "simkl_id": int(title.ids["simkl"]),
        "date": stamp(at),
        "finale_type": None,
    }
    if episode is not None:
        block: dict[str, Any] = (
            {} if kind_of(title) == "anime" else {"season": episode.season}
        )
        record["episode"] = block | {
            "episode": episode.number,
            "title": episode.title,
            "runtime": episode.runtime // 60,
            "url": f"https://simkl.com{path_of(title)}/",
        }
    return record


def _metadata(title: CatalogueShow | CatalogueMovie) -> dict[str, Any]:
    nothing = {"rating": None, "votes": None}
    body: dict[str, Any] = {
        "title": title.title,
        "url": path_of(title),
        "poster": poster_path(title),
        "fanart": None,
        "ids": cdn_ids(title),
        "rank": 0,
        "ratings": {"simkl": nothing, "imdb": nothing},
        "runtime": f"{title.runtime // 60}m",
    }
    if isinstance(title, CatalogueShow):
        body |= {
            "alt_titles": [],
            "status": "ongoing",
            "total_episodes": len(title.episodes),
            "genres": [],
        }
    return body
