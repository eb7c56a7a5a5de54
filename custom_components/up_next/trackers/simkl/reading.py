"""From rows to the library: pure functions, run off the event loop when there is much to build."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote

from ...library import (
    EpisodeDetail,
    MovieState,
    Play,
    Playback,
    PlaybackState,
    ShowProgress,
    ShowStatus,
    Totals,
    WatchlistEntry,
    format_seen,
    parse_seen,
)
from ...media import Episode, Movie, Show
from .api import SITE
from .payloads import Airing, ListedEpisode, Paused, Row, Title, elements

STATUS: Final = {
    "watching": ShowStatus.WATCHING,
    "plantowatch": ShowStatus.PLANNED,
    "completed": ShowStatus.COMPLETED,
    "hold": ShowStatus.ON_HOLD,
    "dropped": ShowStatus.DROPPED,
    "notinteresting": ShowStatus.DROPPED,
}
KEPT_PLAYS: Final = 50
"""How many of the newest plays a library keeps."""

type Places = frozenset[tuple[int, int]]
type Dates = dict[tuple[int, int], datetime | None]
type Due = tuple[datetime, int, int, str | None, int | None, str | None]
"""An airing: when, season, number, title, minutes, address. Plain tuples: there are thousands of them."""
type Calendar = Mapping[str, Sequence[Due]]


@dataclass(slots=True)
class Rows:
    """What one answer of /sync/all-items says, keyed by Simkl id; `dates` are the episodes it lists per show."""

    shows: dict[str, ShowProgress] = field(default_factory=dict)
    movies: dict[str, MovieState] = field(default_factory=dict)
    listed: dict[str, WatchlistEntry] = field(default_factory=dict)
    dates: dict[str, Dates] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    dropped: set[str] = field(default_factory=set)
    """Dropped movies: neither watched nor to be watched."""

    def update(self, other: Rows) -> None:
        """Take in another answer."""
        self.shows |= other.shows
        self.movies |= other.movies
        self.listed |= other.listed
        self.dates |= other.dates
        self.keys |= other.keys
        self.dropped |= other.dropped

    def plays(self) -> list[Play]:
        """Return the viewings with a known time."""
        found = [
            Play(item=state.movie, watched_at=state.watched_at)
            for state in self.movies.values()
            if state.watched and state.watched_at
        ]
        for key, dates in self.dates.items():
            show = self.shows[key].show
            found += [
                Play(item=Episode(show=show, season=s, number=n), watched_at=at)
                for (s, n), at in dates.items()
                if at is not None
            ]
        return newest_plays(found)


def newest_plays(plays: Iterable[Play]) -> list[Play]:
    """Return the newest plays, the newest first."""
    dated = [play for play in plays if play.watched_at is not None]
    dated.sort(key=_watched_at, reverse=True)
    return dated[:KEPT_PLAYS]


def _watched_at(play: Play) -> float:
    return play.watched_at.timestamp() if play.watched_at else 0.0


class Builder:
    """Builds media items with their addresses; with a custom base URL, pictures are served from there."""

    def __init__(self, base_url: str | None) -> None:
        self._base = base_url.rstrip("/") if base_url else None

    def picture(self, poster: str | None) -> str | None:
        """Return a poster's address, 340 pixels wide (section 13)."""
        if not poster:
            return None
        path = f"posters/{quote(poster)}_m.webp"
        if self._base:
            return f"{self._base}/{path}"
        return f"https://wsrv.nl/?url=https://simkl.in/{path}&q=90"

    @staticmethod
    def page(word: str, title: Title) -> str | None:
        """Return the title's page, which has to be linked wherever its data shows (section 17)."""
        key, slug = title.ids.get("simkl"), title.ids.get("slug")
        if key is None:
            return None
        return f"{SITE}/{word}/{key}" + (f"/{quote(slug)}" if slug else "")

    def show(self, title: Title, *, anime: bool) -> Show:
        """Build a show; `runtime` comes in minutes."""
        return Show(
            title=title.title or "?",
            ids=title.ids,
            year=title.year,
            runtime=title.runtime * 60 if title.runtime else None,
            url=self.page("anime" if anime else "tv", title),
            picture=self.picture(title.poster),
            anime=anime,
        )

    def movie(self, title: Title, *, anime: bool = False) -> Movie:
        """Build a movie; an anime movie lives among the anime."""
        return Movie(
            title=title.title or "?",
            ids=title.ids,
            year=title.year,
            runtime=title.runtime * 60 if title.runtime else None,
            url=self.page("anime" if anime else "movies", title),
            picture=self.picture(title.poster),
        )

    def rows(self, now: datetime) -> Callable[[bytes], Rows]:
        """Return a decoder of /sync/all-items as of `now`."""

        def decode(body: bytes) -> Rows:
            rows = Rows()
            for kind, value in elements(body):
                if not isinstance(value, dict):
                    continue
                if kind == "shows":
                    self._add_show(rows, Row.from_dict(value), now, anime=False)
                elif kind == "movies":
                    self._add_movie(rows, Row.from_dict(value))
                elif kind == "anime":
                    row = Row.from_dict(value)
                    if row.anime_type == "movie":
                        self._add_movie(rows, row, anime=True)
                    else:
                        self._add_show(rows, row, now, anime=True)
            return rows

        return decode

    def _add_movie(self, rows: Rows, row: Row, *, anime: bool = False) -> None:
        key = row.block.ids.get("simkl")
        if key is None:
            return
        rows.keys.add(key)
        if row.status is None:
            return
        movie = self.movie(row.block, anime=anime)
        watched = row.status == "completed"
        if row.status in ("dropped", "notinteresting"):
            rows.dropped.add(key)
        rows.movies[key] = MovieState(
            movie=movie,
            watched=watched,
            watched_at=row.last_watched_at if watched else None,
        )
        if row.status == "plantowatch":
            rows.listed[key] = WatchlistEntry(
                item=movie, listed_at=row.added_to_watchlist_at
            )

    def _add_show(self, rows: Rows, row: Row, now: datetime, *, anime: bool) -> None:
        key = row.block.ids.get("simkl")
        if key is None:
            return
        rows.keys.add(key)
        if row.status is None:
            return
        show = self.show(row.block, anime=anime)
        dates = {
            (season.number, episode.number): episode.watched_at
            for season in row.seasons
            if season.number is not None
            for episode in season.episodes
            if episode.number is not None
        }
        rows.shows[key] = _progress(row, show, frozenset(dates), now)
        if dates:
            rows.dates[key] = dates
        if row.status == "plantowatch":
            rows.listed[key] = WatchlistEntry(
                item=show, listed_at=row.added_to_watchlist_at
            )


def _progress(row: Row, show: Show, given: Places, now: datetime) -> ShowProgress:
    status = STATUS.get(row.status or "", ShowStatus.HIDDEN)
    watched = max(0, row.watched_episodes_count or 0)
    seen = _proven(given, watched)
    if seen is not None:
        # whether the counter holds specials is not documented: the list of episodes knows
        watched = sum(1 for season, _ in seen if season > 0)
    aired = (row.total_episodes_count or 0) - (row.not_aired_episodes_count or 0)
    following: Episode | None = None
    if row.next_to_watch is not None:
        info = row.next_to_watch_info
        following = Episode(
            show=show,
            season=row.next_to_watch[0],
            number=row.next_to_watch[1],
            title=info.title if info else None,
            first_aired=info.date if info else None,
        )
        if status is ShowStatus.WATCHING:
            # the service's word that there is something to watch weighs more than its counters
            aired = max(aired, watched + 1)
    return ShowProgress(
        show=show,
        aired=max(aired, watched),
        watched=watched,
        counted_at=now,
        next_episode=following,
        last_watched_at=row.last_watched_at,
        status=status,
        caught_up=following is None,
        seen=None if seen is None else format_seen(seen),
    )


def _proven(given: Places, watched: int) -> Places | None:
    """Return the watched episodes if the list is whole, which the documentation leaves open for deltas."""
    regular = sum(1 for season, _ in given if season > 0)
    return given if watched in (len(given), regular) else None


def with_former(
    row: ShowProgress, given: Places, former: ShowProgress | None
) -> ShowProgress:
    """Complete a row whose list of episodes is partial with what was known before."""
    if row.seen is not None or former is None or former.seen is None:
        return row
    seen = _proven(given | parse_seen(former.seen), row.watched)
    return row if seen is None else replace(row, seen=format_seen(seen))


def totals(
    shows: Mapping[str, ShowProgress], movies: Mapping[str, MovieState]
) -> Totals:
    """Count distinct titles and episodes."""
    return Totals(
        movies=sum(1 for state in movies.values() if state.watched),
        shows=sum(1 for row in shows.values() if row.watched),
        episodes=sum(row.watched for row in shows.values()),
    )


def watchlist(
    entries: Iterable[WatchlistEntry], follow: Iterable[str]
) -> tuple[WatchlistEntry, ...]:
    """Return the followed kinds (movies, shows, anime), the newest first."""
    wanted = frozenset(follow)
    kept = [entry for entry in entries if _list_of(entry) in wanted]
    kept.sort(key=_listed_at, reverse=True)
    return tuple(kept)


def _list_of(entry: WatchlistEntry) -> str:
    if isinstance(entry.item, Show):
        return "anime" if entry.item.anime else "shows"
    return "movies"


def _listed_at(entry: WatchlistEntry) -> float:
    return entry.listed_at.timestamp() if entry.listed_at else 0.0


def playbacks(
    rows: Iterable[Paused], builder: Builder, now: datetime
) -> tuple[Playback, ...]:
    """Build the paused playbacks, newest first; `position` only where the length is known."""
    found: list[Playback] = []
    for row in rows:
        item: Movie | Episode
        if row.movie is not None:
            item = builder.movie(row.movie)
        elif (block := row.show or row.anime) is not None and row.episode is not None:
            number = (
                row.episode.episode
                if row.episode.episode is not None
                else row.episode.number
            )
            if number is None:
                continue
            season = 1 if row.episode.season is None else row.episode.season
            show = builder.show(block, anime=row.anime is not None)
            item = Episode(
                show=show, season=season, number=number, title=row.episode.title
            )
        else:
            continue
        found.append(
            Playback(
                item=item,
                state=PlaybackState.PAUSED,
                updated_at=row.paused_at or row.watched_at or now,
                progress=row.progress,
                id=None if row.id is None else str(row.id),
            )
        )
    return tuple(found)


# airings --------------------------------------------------------------------------------------------------------


def calendar_index(body: bytes) -> dict[str, list[Due]]:
    """Decode a calendar file to airings by Simkl id, in order of time; records without a date are left out."""
    index: dict[str, list[Due]] = {}
    found = False
    for name, value in elements(body):
        if name != "calendar":
            if found:
                # the titles that follow are not needed
                break
            continue
        found = True
        airing = Airing.from_dict(value) if isinstance(value, dict) else Airing()
        block = airing.episode
        if (
            airing.simkl_id is None
            or airing.date is None
            or block is None
            or block.episode is None
        ):
            continue
        season = 1 if block.season is None else block.season
        due = (
            airing.date,
            season,
            block.episode,
            block.title,
            block.runtime,
            block.url,
        )
        index.setdefault(str(airing.simkl_id), []).append(due)
    for dues in index.values():
        dues.sort(key=_date)
    return index


def _date(due: Due) -> datetime:
    return due[0]


def airings_of(
    row: ShowProgress,
    former: Sequence[Episode],
    index: Sequence[Due] | None,
    now: datetime,
) -> tuple[Episode, ...]:
    """Return a show's known airings: the calendar's, and those that aired since the row was counted.

    The calendar begins yesterday; what aired before is kept until the service counts the show anew.
    """
    kept = [
        e
        for e in former
        if e.first_aired is not None and e.first_aired > row.counted_at
    ]
    if index is None:
        return tuple(kept)
    upcoming = [_episode(row.show, due) for due in index]
    known = {(e.season, e.number) for e in upcoming}
    yesterday = now - timedelta(days=1)
    past = [
        e
        for e in kept
        if (e.season, e.number) not in known
        and e.first_aired is not None
        and e.first_aired < yesterday
    ]
    return tuple(past + upcoming)


def _episode(show: Show, due: Due) -> Episode:
    at, season, number, title, runtime, url = due
    return Episode(
        show=show,
        season=season,
        number=number,
        title=title,
        first_aired=at,
        runtime=runtime * 60 if runtime else None,
        url=url,
    )


def airings(
    shows: Mapping[str, ShowProgress],
    former: Mapping[str, Sequence[Episode]],
    index: Calendar | None,
    now: datetime,
) -> dict[str, tuple[Episode, ...]]:
    """Return the airings of all shows that are being watched."""
    found: dict[str, tuple[Episode, ...]] = {}
    for key, row in shows.items():
        if row.status is ShowStatus.WATCHING:
            own = None if index is None else index.get(key, ())
            if episodes := airings_of(row, former.get(key, ()), own, now):
                found[key] = episodes
    return found


# one show -------------------------------------------------------------------------------------------------------


def details(
    listed: Iterable[ListedEpisode],
    show: Show,
    seen: Callable[[tuple[int, int], bool], bool],
    *,
    dates: Dates,
    known: Mapping[tuple[int, int], datetime],
    now: datetime,
) -> tuple[EpisodeDetail, ...]:
    """Build the episodes of a show.

    `seen` is asked with the place and whether it has aired. `known` are exact airing times from the calendar; the
    episode list itself only knows days, and a flag. Specials have no numbers at Simkl: they are left out.
    """
    found: list[EpisodeDetail] = []
    for row in listed:
        if row.episode is None or (row.type or "episode") != "episode":
            continue
        place = (1 if row.season is None else row.season, row.episode)
        aired_at = _first_aired(row, known.get(place), now)
        watched = seen(place, aired_at is not None and aired_at <= now)
        found.append(
            EpisodeDetail(
                episode=Episode(
                    show=show,
                    season=place[0],
                    number=place[1],
                    title=row.title,
                    ids=row.ids,
                    first_aired=aired_at,
                    runtime=row.runtime * 60 if row.runtime else show.runtime,
                ),
                watched=watched,
                last_watched_at=dates.get(place) if watched else None,
                plays=int(watched),
            )
        )
    found.sort(key=lambda detail: (detail.episode.season, detail.episode.number))
    return tuple(found)


def _first_aired(
    row: ListedEpisode, exact: datetime | None, now: datetime
) -> datetime | None:
    if exact is not None:
        return exact
    if row.aired:
        return min(row.date or datetime(1970, 1, 2, tzinfo=UTC), now)
    if row.date is None or row.date > now:
        return row.date
    # the day has begun, the episode has not aired yet: within the day, nobody says when
    return max(row.date + timedelta(days=1), now + timedelta(minutes=1))


def title_key(item: Movie | Episode) -> str | None:
    """Return the Simkl id of the movie, or of the show."""
    ids = item.show.ids if isinstance(item, Episode) else item.ids
    return ids.get("simkl")
