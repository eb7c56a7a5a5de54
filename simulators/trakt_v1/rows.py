"""Rows and envelopes as the legacy API v1 answers them, and how it reads what clients send."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
import json
from typing import Any

from aiohttp import web

from simulators.catalogue import CatalogueEpisode, CatalogueMovie, CatalogueShow

type Numbers = tuple[int, int]
type Body = dict[str, Any]
type Picture = Callable[[str], str]


class Failure(Exception):
    """A refusal: {"status": "failure", "error": ...}, often with status 200."""

    def __init__(self, error: str, status: int = 200) -> None:
        super().__init__(error)
        self.status = status


@dataclass(slots=True)
class Watched:
    """The plays of one show: epoch seconds by episode."""

    plays: dict[Numbers, list[int]] = field(default_factory=dict)
    last: int = 0
    row: str = ""
    valid: tuple[float, int] = (0.0, -1)
    """Until when `row` is right, and for how many episodes."""


def movie_row(movie: CatalogueMovie, picture: Picture) -> Body:
    """Return a movie as the watchlist shows it."""
    return {
        "title": movie.title,
        "year": movie.year,
        "released": epoch(movie.released),
        "url": url(movie),
        "runtime": movie.runtime // 60,
        "tagline": "",
        "overview": "",
        "certification": "",
        "imdb_id": movie.ids["imdb"],
        "tmdb_id": str(movie.ids["tmdb"]),
        "images": {
            "poster": picture(str(movie.ids["slug"])),
            "fanart": picture(f"{movie.ids['slug']}-fanart"),
        },
        "genres": ["Documentary"],
    }


def show_row(show: CatalogueShow, picture: Picture) -> Body:
    """Return a show as the watchlist shows it."""
    first = min(episode.first_aired for episode in show.episodes)
    return {
        "title": show.title,
        "year": show.year,
        "url": url(show),
        "first_aired": epoch(first),
        "country": "United States",
        "overview": "",
        "runtime": show.runtime // 60,
        "network": "NBC",
        "air_day": "Thursday",
        "air_time": "8:00pm",
        "certification": "TV-PG",
        "imdb_id": show.ids["imdb"],
        "tvdb_id": str(show.ids["tvdb"]),
        "tvrage_id": str(show.ids["trakt"]),
        "images": {"poster": picture(str(show.ids["slug"]))},
        "genres": ["Comedy"],
    }


def progress_row(
    show: CatalogueShow,
    watched: Watched,
    now: datetime,
    picture: Picture,
    *,
    bare_finished: bool,
) -> Body:
    """Return how far the user is with a show; without its seasons when finished and `bare_finished`."""
    aired = show.aired(now)
    seasons = [
        {
            "season": number,
            **counts([e for e in aired if e.season == number], watched),
            "episodes": {
                str(e.number): (e.season, e.number) in watched.plays
                for e in aired
                if e.season == number
            },
        }
        for number in sorted({e.season for e in aired})
    ]
    progress = counts(aired, watched)
    following = next_of(aired, watched)
    plays = sum(len(times) for times in watched.plays.values())
    return {
        "show": {
            "title": show.title,
            "year": show.year,
            "url": url(show),
            "imdb_id": show.ids["imdb"],
            "tvdb_id": show.ids["tvdb"],
            "tvrage_id": show.ids["trakt"],
            "images": {"poster": picture(str(show.ids["slug"]))},
        },
        "progress": progress,
        "seasons": []
        if bare_finished and not progress["left"]
        else list(reversed(seasons)),
        "hidden_seasons": [],
        "stats": {"plays": plays, "scrobbles": plays, "checkins": 0, "seen": 0},
        "next_episode": {
            "season": following.season,
            "number": following.number,
            "title": following.title,
            "first_aired": epoch(following.first_aired),
            "images": {
                "screen": picture(
                    f"{show.ids['slug']}-{following.season}-{following.number}"
                )
            },
        }
        if following
        else False,
    }


def epoch(at: datetime) -> int:
    """Return epoch seconds."""
    return int(at.timestamp())


def key_of(title: CatalogueShow | CatalogueMovie) -> int:
    """Return the key of a title in the state."""
    return int(title.ids["trakt"])


def url(title: CatalogueShow | CatalogueMovie) -> str:
    """Return a title's page."""
    kind = "show" if isinstance(title, CatalogueShow) else "movie"
    return f"http://trakt.tv/{kind}/{title.ids['slug']}"


def label(
    title: CatalogueShow | CatalogueMovie, episode: CatalogueEpisode | None
) -> str:
    """Return a title as messages name it."""
    if episode is None:
        return f"{title.title} ({title.year})"
    return f"{title.title} {episode.season}x{episode.number:02d}"


def named(show: CatalogueShow, names: Sequence[str]) -> bool:
    """Say whether a path names this show, by TVDB id or slug."""
    return str(show.ids["tvdb"]) in names or str(show.ids["slug"]) in names


def counts(aired: Sequence[CatalogueEpisode], watched: Watched) -> dict[str, int]:
    """Count episodes."""
    completed = sum(1 for e in aired if (e.season, e.number) in watched.plays)
    return {
        "percentage": round(100 * completed / len(aired)) if aired else 0,
        "aired": len(aired),
        "completed": completed,
        "left": len(aired) - completed,
    }


def next_of(
    aired: Iterable[CatalogueEpisode], watched: Watched
) -> CatalogueEpisode | None:
    """Return the first episode that was not watched."""
    return next((e for e in aired if (e.season, e.number) not in watched.plays), None)


def int_of(row: Body, name: str) -> int | None:
    """Read a number, which clients send as one or as a string."""
    text = str(row.get(name))
    return int(text) if text.isdecimal() else None


def need(row: Body, name: str) -> int:
    """Read a number that must be there. Raises Failure."""
    value = int_of(row, name)
    if value is None:
        raise Failure(f"missing {name}")
    return value


def list_of(body: Body, name: str) -> list[Body]:
    """Read a list that must be there. Raises Failure."""
    rows = body.get(name)
    if not isinstance(rows, list) or not rows:
        raise Failure(f"missing {name}")
    return rows


async def body_of(request: web.Request) -> Body:
    """Read the JSON body; anything else is as good as nothing."""
    try:
        body = json.loads(await request.read() or b"{}")
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def success(message: str) -> Body:
    """Return the envelope of a success."""
    return {"status": "success", "message": message}


def inserted(
    message: str, new: Sequence[Body], old: Sequence[Body], skipped: Sequence[Body]
) -> Body:
    """Return the envelope of an addition to a list."""
    return {
        **success(message),
        "inserted": len(new),
        "already_exist": len(old),
        "skipped": len(skipped),
        "skipped_movies": list(skipped),
        "already_exist_movies": list(old),
    }


def json_response(text: str, status: int = 200) -> web.Response:
    """Answer with JSON text."""
    return web.Response(status=status, text=text, content_type="application/json")


def failed(failure: Failure) -> web.Response:
    """Answer with a refusal."""
    return json_response(
        json.dumps({"status": "failure", "error": str(failure)}), failure.status
    )
