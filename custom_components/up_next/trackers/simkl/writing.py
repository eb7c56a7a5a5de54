"""From writes to request bodies and from replies to receipts: pure (apis/simkl.md section 7)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from ...library import Play
from ...media import Episode, Ids, MediaItem, Movie, Season, Show
from ...writes import (
    CheckIn,
    ClearProgress,
    MarkUnwatched,
    MarkWatched,
    Outcome,
    Rate,
    Receipt,
    RemovePlays,
    Scrobble,
    SetHidden,
    SetProgress,
    SetWatchlisted,
    Write,
    subject,
)
from ..transport import Json
from .payloads import LONG_AGO, Lost, Reply

MATCHED: Final = ("simkl", "imdb", "tmdb", "tvdb", "mal", "anidb", "anilist", "kitsu")
"""The namespaces that requests take; the order is Simkl's own."""
NATIVE: Final = frozenset({"simkl", "mal", "anidb", "anilist", "kitsu"})
"""Those that go with an anime's own flat numbering; TVDB and TMDB number it by seasons (section 14)."""
AT_ONCE: Final = 250
"""How many writes one request carries. No limit is documented."""
ALONE: Final = frozenset({"pause", "clear", "scrobble"})
"""The families whose requests carry one write."""
REWATCH: Final = "rewatch-"
"""Begins the id of a play that is one more viewing of what was watched before; no other play has an id."""

type Place = tuple[int, int]


class Unmatchable(Exception):
    """An item that Simkl could only guess."""


@dataclass(slots=True)
class Plan:
    """What one write means at Simkl.

    `episodes` are the places and times to mark, None for the whole title; `seasons` are seasons to be filled by
    the server. `decided` is the receipt when nothing has to be sent. `plays` go into the receipt when it is done.
    """

    write: Write
    item: MediaItem
    episodes: dict[Place, str | None] | None = None
    seasons: tuple[int, ...] = ()
    watched_at: str | None = None
    rating: int | None = None
    to: str | None = None
    known: bool = False
    """Whether the library says that nothing will change."""
    decided: Receipt | None = None
    plays: tuple[Play, ...] = ()
    lost: list[Lost] = field(default_factory=list)

    @property
    def title(self) -> Movie | Show:
        """Return the movie or the show."""
        return self.item.show if isinstance(self.item, (Season, Episode)) else self.item


def family(write: Write) -> str:
    """Return the request that a write belongs to: writes of one family can share it."""
    match write:
        case MarkWatched():
            return "watch"
        case MarkUnwatched() | RemovePlays():
            return "unwatch"
        case SetWatchlisted(listed=False):
            return "unlist"
        case SetWatchlisted() | SetHidden():
            return "list"
        case Rate(rating=None):
            return "unrate"
        case Rate():
            return "rate"
        case SetProgress():
            return "pause"
        case ClearProgress():
            return "clear"
        case Scrobble() | CheckIn():
            return "scrobble"


def combined(writes: Sequence[Write]) -> int:
    """Return how many of these, from the first, share a request. One title is moved or rated only once in it."""
    kind = family(writes[0])
    if kind in ALONE:
        return 1
    touched: set[MediaItem] = set()
    for index, write in enumerate(writes[:AT_ONCE]):
        item = subject(write)
        if family(write) != kind or (kind in ("list", "rate") and item in touched):
            return index
        touched.add(item)
    return min(len(writes), AT_ONCE)


def is_native(show: Show) -> bool:
    """Say whether a show is numbered as Simkl numbers anime: flat, one title a cour."""
    return show.anime and show.ids.get("simkl") is not None


def reference(title: Movie | Show) -> dict[str, Json]:
    """Return what Simkl matches a title by: every id it knows, title and year. Raises Unmatchable."""
    native = isinstance(title, Show) and is_native(title)
    ids: dict[str, Json] = {}
    for namespace in MATCHED:
        value = title.ids.get(namespace)
        if value is not None and (not native or namespace in NATIVE):
            number = title.ids.number(namespace)
            ids[namespace] = (
                number if namespace == "simkl" and number is not None else value
            )
    if not ids and not (title.title and title.year):
        # by title alone it matches anything (section 15: an episode became a film of 1978)
        raise Unmatchable(title.title)
    body: dict[str, Json] = {"title": title.title, "ids": ids}
    if title.year:
        body["year"] = title.year
    return body


def stamp(at: datetime) -> str:
    """Write an instant: UTC with Z, whole seconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def timestamp(watched_at: datetime | str, released: datetime | None) -> str | None:
    """Return the time to send for a viewing; None when it should be the release and nobody knows that."""
    if isinstance(watched_at, datetime):
        return stamp(watched_at)
    if watched_at == "unknown":
        return LONG_AGO
    # an aired episode whose date nobody knows stands in 1970
    return stamp(released) if released is not None and released.year > 1970 else None


def body_of(plans: Iterable[Plan], *, remove: bool = False) -> dict[str, list[Json]]:
    """Merge plans into one body: each title once, each season once, each episode once.

    For removals anime go among the shows: a top-level `anime` is silently ignored there.
    """
    titles: dict[tuple[str, str], dict[str, Json]] = {}
    places: dict[tuple[str, str], dict[Place, str | None]] = {}
    seasons: dict[tuple[str, str], set[int]] = {}
    for plan in plans:
        title = plan.title
        native = isinstance(title, Show) and is_native(title)
        bucket = "movies" if isinstance(title, Movie) else "shows"
        if native and not remove:
            bucket = "anime"
        key = bucket, _identity(title)
        item = titles.setdefault(key, reference(title))
        if (
            bucket == "shows"
            and not native
            and family(plan.write) in ("watch", "unwatch")
        ):
            item["use_tvdb_anime_seasons"] = True
        for name, value in (
            ("watched_at", plan.watched_at),
            ("rating", plan.rating),
            ("to", plan.to),
        ):
            if value is not None:
                item[name] = value
        places.setdefault(key, {}).update(plan.episodes or {})
        seasons.setdefault(key, set()).update(plan.seasons)
    body: dict[str, list[Json]] = {}
    for key, item in titles.items():
        if rows := _seasons(places[key], seasons[key]):
            flat = key[0] == "anime" and len(rows) == 1
            item |= (
                {"episodes": rows[0]["episodes"]}
                if flat
                else {"seasons": list[Json](rows)}
            )
        body.setdefault(key[0], []).append(item)
    return body


def _identity(title: Movie | Show) -> str:
    return (
        title.ids.get("simkl")
        or str(sorted(title.ids.values.items())) + f"{title.title}/{title.year}"
    )


def _seasons(places: dict[Place, str | None], whole: set[int]) -> list[dict[str, Json]]:
    rows: dict[int, list[Json]] = {}
    for (season, number), at in sorted(places.items()):
        episode: dict[str, Json] = {"number": number}
        if at is not None:
            episode["watched_at"] = at
        rows.setdefault(season, []).append(episode)
    found: list[dict[str, Json]] = [
        {"number": n} for n in sorted(whole) if n not in rows
    ]
    return found + [{"number": n, "episodes": e} for n, e in rows.items()]


def scrobble_body(
    item: Movie | Episode, progress: float | None = None
) -> dict[str, Json]:
    """Return the body of /scrobble/*; the key of an episode is `number`. Raises Unmatchable.

    Only a check-in goes without `progress` (percent).
    """
    body: dict[str, Json] = {}
    if progress is not None:
        body["progress"] = round(min(100.0, max(0.0, progress)), 2)
    if isinstance(item, Movie):
        return body | {"movie": reference(item)}
    native = is_native(item.show)
    episode: dict[str, Json] = {"number": item.number}
    if not native:
        episode["season"] = item.season
    return body | {
        "anime" if native else "show": reference(item.show),
        "episode": episode,
    }


# receipts -------------------------------------------------------------------------------------------------------


def refused(reason: str) -> Receipt:
    """Return a refusal."""
    return Receipt(outcome=Outcome.REFUSED, reason=reason)


NOT_FOUND: Final = Receipt(outcome=Outcome.NOT_FOUND, reason="not_found")
ALREADY: Final = Receipt(outcome=Outcome.ALREADY)


def receipts(plans: Sequence[Plan], reply: Reply) -> list[Receipt]:
    """Tell what became of each plan: a 2xx says nothing, `not_found` and the counters do.

    The counters are sums. When they are 0, nothing had to be done for anything that was found; else the library
    tells which plans were in vain.
    """
    alone = len(plans) == 1
    return [_receipt(plan, reply, alone=alone) for plan in plans]


def _receipt(plan: Plan, reply: Reply, *, alone: bool) -> Receipt:
    if _is_lost(plan, reply):
        return NOT_FOUND
    if reply.changed == 0 or (plan.known and not alone):
        return ALREADY
    return Receipt(outcome=Outcome.DONE, plays=plan.plays)


def _is_lost(plan: Plan, reply: Reply) -> bool:
    missing = reply.not_found
    if missing is None:
        return False
    titles = (
        missing.movies
        if isinstance(plan.title, Movie)
        else missing.shows + missing.anime
    )
    if any(_same(plan.title, lost) for lost in titles):
        return True
    if not plan.episodes:
        return False
    for lost in missing.episodes:
        if _same(plan.title, lost):
            gone = {(s.number, e.number) for s in lost.seasons for e in s.episodes}
            if not gone or gone >= set(plan.episodes):
                return len(plan.episodes) == 1 or bool(gone)
    return False


def _same(title: Movie | Show, lost: Lost) -> bool:
    if lost.ids and title.ids:
        return title.ids.shares(Ids(lost.ids.values))
    return lost.title is not None and lost.title == title.title
