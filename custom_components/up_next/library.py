"""The immutable snapshot of one account, and everything that follows from it and the time. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from itertools import groupby

from .account import Account
from .media import Episode, Ids, MediaItem, Movie, Playable, Show


class ShowStatus(StrEnum):
    """Where a show stands for this account."""

    WATCHING = "watching"
    PLANNED = "planned"
    COMPLETED = "completed"
    ON_HOLD = "on_hold"
    DROPPED = "dropped"
    HIDDEN = "hidden"


class PlaybackState(StrEnum):
    """Whether a playback is going on."""

    PLAYING = "playing"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowProgress:
    """How far the account is with one show.

    `aired` and `watched` count regular episodes (no specials) as the service counted them at `counted_at` (UTC);
    episodes that air later are in `Library.airings`. `caught_up` is the service's own word that nothing was left
    then, whatever the numbers say. `seen` tells which episodes were watched, in the form of `format_seen`, where
    the tracker knows; None where it does not.
    """

    show: Show
    aired: int
    watched: int
    counted_at: datetime
    next_episode: Episode | None = None
    last_watched_at: datetime | None = None
    status: ShowStatus = ShowStatus.WATCHING
    caught_up: bool = False
    seen: str | None = None

    @property
    def left(self) -> int:
        """Return how many aired regular episodes were unwatched at `counted_at`, by the project's word list."""
        if self.status is not ShowStatus.WATCHING or self.watched < 1 or self.caught_up:
            return 0
        return max(0, self.aired - self.watched)


@dataclass(frozen=True, slots=True, kw_only=True)
class MovieState:
    """A movie that the account watched or listed; `watched_at` is UTC, None when not watched or not known when."""

    movie: Movie
    watched: bool
    watched_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchlistEntry:
    """Something to watch later; `listed_at` is UTC."""

    item: MediaItem
    listed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Playback:
    """Something being watched, or paused and resumable.

    `progress` is a percentage 0-100, `position` and `duration` are seconds; all were true at `updated_at` (UTC)
    and do not tick. After `expires_at` (UTC) a playing playback is over. `id` is the service's.
    """

    item: Playable
    state: PlaybackState
    updated_at: datetime
    progress: float | None = None
    position: float | None = None
    duration: float | None = None
    started_at: datetime | None = None
    expires_at: datetime | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """One viewing: at an instant (`watched_at`, UTC), on a calendar date (`watched_on`), or unknown (both None).

    `rating` is 1-10 as given with this viewing, `liked` is None where the service does not tell.
    """

    item: Playable
    id: str | None = None
    watched_at: datetime | None = None
    watched_on: date | None = None
    rating: int | None = None
    rewatch: bool = False
    liked: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """How much was watched in all, where the service tells; distinct titles, not plays."""

    movies: int | None = None
    shows: int | None = None
    episodes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """What screens need of one account.

    `shows`, `movies` and `airings` are keyed by the tracker's own id of the title, as a string. `airings` holds
    the known regular episodes by time, upcoming and just aired. `started` names the shows with at least one play,
    where that is more than `shows` tells. `markers` are the tracker's own notes for its next refresh: change
    markers, cursors. `complete` is False while a bounded first reading goes on: counts are then not yet known.
    """

    account: Account
    read_at: datetime
    shows: Mapping[str, ShowProgress] = field(default_factory=dict)
    movies: Mapping[str, MovieState] = field(default_factory=dict)
    watchlist: tuple[WatchlistEntry, ...] = ()
    playbacks: tuple[Playback, ...] = ()
    watching: Playback | None = None
    plays: tuple[Play, ...] = ()
    airings: Mapping[str, tuple[Episode, ...]] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)
    started: frozenset[str] = frozenset()
    markers: Mapping[str, str] = field(default_factory=dict)
    complete: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeDetail:
    """An episode and whether it was watched; `plays` is 0 when not, `last_watched_at` UTC.

    `released` is the service's word that it is out, where the service knows no dates.
    """

    episode: Episode
    watched: bool
    last_watched_at: datetime | None = None
    plays: int = 0
    released: bool = False

    def aired(self, now: datetime) -> bool:
        """Say whether the episode is out. Without a date, or the service's word: it is not."""
        aired = self.episode.first_aired
        return self.released or (aired is not None and aired <= now)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowDetail:
    """All episodes of a show that the service knows, specials included, in order."""

    show: Show
    episodes: tuple[EpisodeDetail, ...]
    key: str
    """The show's key in `Library.shows`."""

    def find(self, season: int, number: int) -> EpisodeDetail | None:
        """Return the episode with these numbers."""
        return next(
            (
                e
                for e in self.episodes
                if (e.episode.season, e.episode.number) == (season, number)
            ),
            None,
        )

    def aired(self, now: datetime, season: int | None = None) -> list[EpisodeDetail]:
        """Return the aired episodes of one season, or of all regular seasons. Without a date: not aired."""
        return [
            detail
            for detail in self.episodes
            if (
                detail.episode.season == season
                if season is not None
                else detail.episode.season > 0
            )
            and detail.aired(now)
        ]

    def progress(
        self, now: datetime, status: ShowStatus = ShowStatus.WATCHING
    ) -> ShowProgress:
        """Count afresh. The next episode is the first unwatched one after the last watched, else the first gap."""
        aired = self.aired(now)
        watched = [detail for detail in aired if detail.watched]
        last = max(
            (index for index, detail in enumerate(aired) if detail.watched), default=-1
        )
        order = aired[last + 1 :] + aired[: last + 1]
        following = next(
            (detail.episode for detail in order if not detail.watched), None
        )
        return ShowProgress(
            show=self.show,
            aired=len(aired),
            watched=len(watched),
            counted_at=now,
            next_episode=following,
            last_watched_at=max(
                (d.last_watched_at for d in watched if d.last_watched_at), default=None
            ),
            status=status,
            seen=format_seen(
                (d.episode.season, d.episode.number) for d in self.episodes if d.watched
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowOverview:
    """A show with something to watch now."""

    key: str
    show: Show
    unwatched: int
    next_episode: Episode | None
    last_watched_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What a library says at one moment.

    `shows` are those with unwatched episodes, the most recently watched first. `changes_at` is when the next known
    episode airs (UTC) and the overview must be made anew; None when nothing is known.
    """

    unwatched: int
    shows: tuple[ShowOverview, ...]
    changes_at: datetime | None

    @property
    def next_episode(self) -> Episode | None:
        """Return the episode to watch next: that of the show watched last."""
        return next(
            (show.next_episode for show in self.shows if show.next_episode), None
        )


def overview(library: Library, now: datetime) -> Overview:
    """Count what is unwatched at `now`, with the episodes that have aired since the service counted."""
    shows: list[ShowOverview] = []
    changes: list[datetime] = []
    for key, progress in library.shows.items():
        if progress.status is not ShowStatus.WATCHING or (
            progress.watched < 1 and key not in library.started
        ):
            continue
        airings = library.airings.get(key, ())
        fresh: list[Episode] = []
        for episode in airings:
            if (
                episode.first_aired is None
                or episode.first_aired <= progress.counted_at
                or episode.season < 1
            ):
                continue
            if episode.first_aired > now:
                changes.append(episode.first_aired)
                break
            fresh.append(episode)
        if unwatched := progress.left + len(fresh):
            shows.append(
                ShowOverview(
                    key=key,
                    show=progress.show,
                    unwatched=unwatched,
                    next_episode=progress.next_episode or (fresh[0] if fresh else None),
                    last_watched_at=progress.last_watched_at,
                )
            )
    shows.sort(key=_last_watched, reverse=True)
    return Overview(
        unwatched=sum(show.unwatched for show in shows),
        shows=tuple(shows),
        changes_at=min(changes, default=None),
    )


def _last_watched(show: ShowOverview) -> float:
    return show.last_watched_at.timestamp() if show.last_watched_at else 0.0


def find_show(library: Library, ids: Ids) -> tuple[str, ShowProgress] | None:
    """Return the key and progress of the show with one of these ids."""
    if not ids:
        return None
    return next(
        ((key, row) for key, row in library.shows.items() if row.show.ids.shares(ids)),
        None,
    )


def known_as(library: Library, item: Playable) -> Playable:
    """Return an item in the library's own words, links and pictures, where it knows the title; else the item itself.

    A player's item comes from the tracker that recognized it, which may be another one.
    """
    if isinstance(item, Movie):
        titles = [state.movie for state in library.movies.values()]
        titles += [e.item for e in library.watchlist if isinstance(e.item, Movie)]
        own = next((movie for movie in titles if movie.ids.shares(item.ids)), None)
        return replace(own, ids=own.ids.merged(item.ids)) if own else item
    if (found := find_show(library, item.show.ids)) is None:
        return item
    row = found[1]
    if row.show.url == item.show.url:
        return item
    coming = row.next_episode
    if coming and (coming.season, coming.number) == (item.season, item.number):
        item = replace(coming, ids=coming.ids.merged(item.ids))
    else:
        # what the other tracker calls it, and where it is found there
        item = replace(item, url=None, picture=None)
    return replace(item, show=replace(row.show, ids=row.show.ids.merged(item.show.ids)))


def format_seen(episodes: Iterable[tuple[int, int]]) -> str:
    """Write (season, number) pairs compactly: "1:1-10 2:1,3"."""
    parts: list[str] = []
    for season, pairs in groupby(sorted(set(episodes)), key=lambda pair: pair[0]):
        runs: list[list[int]] = []
        for _, number in pairs:
            if runs and number == runs[-1][1] + 1:
                runs[-1][1] = number
            else:
                runs.append([number, number])
        parts.append(
            f"{season}:" + ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
        )
    return " ".join(parts)


def parse_seen(text: str | None) -> frozenset[tuple[int, int]]:
    """Read what `format_seen` wrote; None and "" are empty."""
    seen: set[tuple[int, int]] = set()
    for part in (text or "").split():
        season, _, runs = part.partition(":")
        for run in runs.split(","):
            first, _, last = run.partition("-")
            seen.update(
                (int(season), number)
                for number in range(int(first), int(last or first) + 1)
            )
    return frozenset(seen)


def newest(plays: Sequence[Play]) -> Play | None:
    """Return the play watched last; plays of unknown time come last."""
    return max(plays, key=_when, default=None)


def _when(play: Play) -> float:
    if play.watched_at:
        return play.watched_at.timestamp()
    if play.watched_on:
        return (play.watched_on - date(1970, 1, 1)).total_seconds()
    return float("-inf")
