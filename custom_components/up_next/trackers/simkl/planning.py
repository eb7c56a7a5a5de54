"""What a write means, given the library: pure decisions (apis/simkl.md sections 7 and 14)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from ...library import Library, MovieState, Play, ShowProgress, ShowStatus, parse_seen
from ...media import Episode, Ids, MediaItem, Movie, Season, Show
from ...writes import Rate
from .payloads import Paused
from .writing import ALREADY, NATIVE, Plan, refused


def plan_unwatch_unknown(plan: Plan, *, elsewhere: bool) -> None:
    """Plan for a show that is not in the library, or there under another numbering (`elsewhere`)."""
    match plan.item:
        case Episode(season=season, number=number):
            plan.episodes = {(season, number): None}
        case Season(number=number) if elsewhere:
            plan.seasons = (number,)
        case _ if elsewhere:
            plan.decided = refused("not_supported")
        case _:
            plan.decided = ALREADY


def row_of(library: Library, show: Show) -> ShowProgress | None:
    """Find a show that is numbered as the write is.

    Anime only by an id of their own: several of them share one TVDB id, whose seasons count otherwise (section 14).
    """
    key = show.ids.get("simkl")
    if key is not None and key in library.shows:
        return library.shows[key]
    native = Ids({n: v for n, v in show.ids.values.items() if n in NATIVE})
    for row in library.shows.values():
        if row.show.ids.shares(native if row.show.anime else show.ids):
            return row
    return None


def is_anime_elsewhere(library: Library, show: Show) -> bool:
    """Say whether an anime of the library is meant, in the numbering of TVDB or TMDB."""
    return any(
        r.show.anime and r.show.ids.shares(show.ids) for r in library.shows.values()
    )


def movie_of(library: Library, movie: Movie) -> MovieState | None:
    """Find a movie by its Simkl id, else by any other."""
    key = movie.ids.get("simkl")
    if key is not None and key in library.movies:
        return library.movies[key]
    return next(
        (s for s in library.movies.values() if s.movie.ids.shares(movie.ids)), None
    )


def as_known(item: MediaItem, library: Library) -> MediaItem:
    """Give an item the ids that the library has for it."""
    if isinstance(item, Movie):
        state = movie_of(library, item)
        return (
            item
            if state is None
            else replace(item, ids=item.ids.merged(state.movie.ids))
        )
    show = item if isinstance(item, Show) else item.show
    row = row_of(library, show)
    if row is None:
        return item
    known = replace(show, ids=show.ids.merged(row.show.ids), anime=row.show.anime)
    return known if isinstance(item, Show) else replace(item, show=known)


def was_watched(library: Library, item: Movie | Episode) -> bool:
    """Say whether the library knows this very movie or episode as watched."""
    if isinstance(item, Movie):
        state = movie_of(library, item)
        return state is not None and state.watched
    row = row_of(library, item.show)
    if row is None:
        return False
    if row.seen is not None:
        return (item.season, item.number) in parse_seen(row.seen)
    return (
        row.status is ShowStatus.COMPLETED
        and row.watched >= row.aired
        and item.season > 0
    )


def last_watched(library: Library, item: Movie | Episode) -> datetime | None:
    """Return when this very movie or episode was watched, as far as the library tells."""
    if isinstance(item, Movie):
        state = movie_of(library, item)
        return state.watched_at if state is not None else None
    times = (
        play.watched_at
        for play in library.plays
        if isinstance(play.item, Episode)
        and (play.item.season, play.item.number) == (item.season, item.number)
        and play.item.show.ids.shares(item.show.ids)
    )
    return max((at for at in times if at is not None), default=None)


def plays_of(
    viewings: Iterable[tuple[Movie | Episode, str | None]],
) -> tuple[Play, ...]:
    """Return the plays that came to be; a very long time ago is an unknown time."""
    plays: list[Play] = []
    for item, at in viewings:
        when = datetime.fromisoformat(at) if at else None
        plays.append(
            Play(item=item, watched_at=when if when and when.year > 1970 else None)
        )
    return tuple(plays)


def plan_listing(plan: Plan, library: Library, *, listed: bool) -> None:
    """Put on plantowatch or take off; taking off is deleting, so only what was never watched."""
    if isinstance(plan.item, (Season, Episode)):
        plan.decided = refused("not_supported")
        return
    if isinstance(plan.item, Movie):
        state = movie_of(library, plan.item)
        watched = state is not None and state.watched
        planned = (
            state is not None
            and not watched
            and state.movie.ids.get("simkl") not in dropped_movies(library)
        )
    else:
        row = row_of(library, plan.item)
        watched = row is not None and row.watched > 0
        planned = row is not None and row.status is ShowStatus.PLANNED
    if listed:
        plan.to = "plantowatch"
        if planned:
            plan.decided = ALREADY
        elif watched:
            plan.decided = refused("watched_not_listed")
        return
    if not planned:
        plan.decided = ALREADY
    elif watched:
        # the only way off the list is out of the library, and its history would go with it
        plan.decided = refused("watched_not_listed")


def dropped_movies(library: Library) -> frozenset[str]:
    """Return the Simkl ids of dropped movies: neither watched nor to be watched."""
    return frozenset(filter(None, library.markers.get("dropped", "").split(",")))


def plan_hiding(plan: Plan, library: Library, *, hidden: bool) -> None:
    """Drop a show, or take a dropped or held one up again."""
    show = plan.title
    row = row_of(library, show) if isinstance(show, Show) else None
    status = row.status if row else None
    if hidden:
        plan.to = "dropped"
        plan.known = status is ShowStatus.DROPPED
    else:
        plan.to = "watching"
        plan.known = status not in (ShowStatus.DROPPED, ShowStatus.ON_HOLD)
    if plan.known:
        plan.decided = ALREADY


def plan_rating(plan: Plan, write: Rate) -> None:
    """Rate whole titles only."""
    if isinstance(plan.item, (Season, Episode)) or (
        write.rating is not None and not 1 <= write.rating <= 10
    ):
        plan.decided = refused("not_supported")
    plan.rating = write.rating


def is_paused(row: Paused, item: MediaItem) -> bool:
    """Say whether a paused playback is of this very movie or episode."""
    if isinstance(item, Movie):
        return row.movie is not None and row.movie.ids.shares(item.ids)
    block = row.show or row.anime
    if not isinstance(item, Episode) or block is None or row.episode is None:
        return False
    number = (
        row.episode.episode if row.episode.episode is not None else row.episode.number
    )
    season = 1 if row.episode.season is None else row.episode.season
    return block.ids.shares(item.show.ids) and (season, number) == (
        item.season,
        item.number,
    )
