"""Puts a library together from what was read and what was known before. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from ...account import Account
from ...library import (
    Library,
    MovieState,
    Play,
    Playback,
    PlaybackState,
    ShowProgress,
    WatchlistEntry,
    parse_seen,
)
from ...media import Movie, Playable, Show
from .planning import Plan
from .shapes import (
    enriched,
    instant,
    movie_runtime,
    movie_status,
    progress,
    started,
    watched_at,
)
from .wire import STARTED, WATCHED, Head, HistoryRow, Item, SerialRow

PLAYING: Final = timedelta(minutes=3)
"""Players report their position every 10 to 30 seconds: a position this young means that something is playing."""
CREDITS: Final = 90.0
"""Percent; past it a watched title counts as over, though its position is young."""
OWN_WRITE: Final = timedelta(seconds=30)
RECENT_MOVIES: Final = 100
RECENT_PLAYS: Final = 20


@dataclass(slots=True, kw_only=True)
class Assembly(Plan):
    """One refresh: first `wanted`, then `library` with the details that could be read.

    `own` are the positions that writes of this account set, and when.
    """

    own: Mapping[tuple[int, int, int], datetime]

    # the library ----------------------------------------------------------------------------------------------

    def library(
        self,
        account: Account,
        watchlist: tuple[WatchlistEntry, ...],
        details: Mapping[int, Item],
        pending: tuple[int, ...],
    ) -> Library:
        """Return the new library: the former one itself when nothing moved, sharing what did not."""
        extra: dict[str, tuple[int, int]] = {}
        shows = {
            key: self._show(key, row, details.get(row.id), extra)
            for key, row in self.polled.serials.items()
        }
        shows |= dict(self._caught_up(shows, details))
        movies = self._movies(details)
        playbacks = tuple(
            sorted(
                self._playbacks(shows, details),
                key=lambda p: p.updated_at,
                reverse=True,
            )
        )
        marks = replace(
            self.marks,
            seen_at=max(
                [self.marks.seen_at, *(row.last_seen for row in self.polled.history)]
            ),
            pending=pending,
            extra=extra,
        )
        made = Library(
            account=account,
            read_at=self.now,
            shows=shows,
            movies=movies,
            watchlist=watchlist,
            playbacks=playbacks,
            watching=self._watching(shows, movies),
            plays=tuple(self._plays(shows, movies)),
            markers=marks.dump(),
        )
        return self._shared(made)

    def _shared(self, made: Library) -> Library:
        known = self.known
        if known is None:
            return made
        if replace(made, read_at=known.read_at) == known:
            return known
        return replace(
            made,
            shows=known.shows if made.shows == known.shows else made.shows,
            movies=known.movies if made.movies == known.movies else made.movies,
            playbacks=known.playbacks
            if made.playbacks == known.playbacks
            else made.playbacks,
            plays=known.plays if made.plays == known.plays else made.plays,
        )

    def _show(
        self,
        key: str,
        row: SerialRow,
        item: Item | None,
        extra: dict[str, tuple[int, int]],
    ) -> ShowProgress:
        old = self.known.shows.get(key) if self.known else None
        show = self._described_show(row, item, old)
        opened = self._newest.get(row.id)
        if item is not None and item.seasons:
            counted = progress(self.shapes.detail(item, show), item, self.now)
            difference = row.total - counted.aired, row.watched - counted.watched
            if difference != (0, 0):
                extra[key] = difference
            return replace(
                counted,
                last_watched_at=self._last(counted.last_watched_at, old, opened),
            )
        more = self.marks.extra.get(key, (0, 0))
        if more != (0, 0):
            extra[key] = more
        if old is not None and self._counts(old, key) == (row.total, row.watched):
            return self._moved(old, show, opened)
        unmoved = old is not None and self._counts(old, key)[1] == row.watched
        return ShowProgress(
            show=show,
            aired=max(0, row.total - more[0]),
            watched=max(0, row.watched - more[1]),
            counted_at=self.now,
            next_episode=old.next_episode if old and unmoved else None,
            last_watched_at=self._last(None, old, opened),
            seen=old.seen if old and unmoved else None,
        )

    def _described_show(
        self, row: SerialRow, item: Item | None, old: ShowProgress | None
    ) -> Show:
        show = self.shapes.show(row)
        if head := self._heads.get(row.id):
            show = enriched(self.shapes.show(head), show)
        if item is not None:
            show = enriched(show, self.shapes.show(item))
        return enriched(show, old.show if old else None)

    def _moved(
        self, old: ShowProgress, show: Show, opened: HistoryRow | None
    ) -> ShowProgress:
        """Return a show whose counts stand still: the very same, unless something of it was opened meanwhile."""
        new = old if show is old.show else replace(old, show=show)
        if opened is None or not self._fresh(opened):
            return new
        new = replace(new, last_watched_at=self._last(None, old, opened))
        key = (opened.media.season, opened.media.number)
        if old.seen is not None and key[0] > 0 and key not in parse_seen(old.seen):
            episode = self.shapes.episode(show, key[0], opened.media)
            new = replace(new, next_episode=episode)
        return new

    def _last(
        self, read: datetime | None, old: ShowProgress | None, opened: HistoryRow | None
    ) -> datetime | None:
        """Return when a show was watched last; having been opened counts, the lists know nothing better."""
        times = (
            read,
            old.last_watched_at if old else None,
            instant(opened.last_seen) if opened else None,
        )
        return max((time for time in times if time), default=None)

    def _caught_up(
        self, shows: Mapping[str, ShowProgress], details: Mapping[int, Item]
    ) -> Iterator[tuple[str, ShowProgress]]:
        """Keep the shows that left the list: nothing of them is left to watch, but more may come."""
        for key, old in (self.known.shows if self.known else {}).items():
            if key in shows or not (old.watched or old.caught_up):
                continue
            item = details.get(int(key))
            if item is not None and item.seasons:
                counted = self.shapes.detail(item, old.show).progress(self.now)
                if counted.left or not counted.watched:
                    continue  # not finished: unmarked
            yield (
                key,
                old
                if old.caught_up
                else replace(
                    old,
                    watched=old.aired,
                    next_episode=None,
                    caught_up=True,
                    seen=None,
                    counted_at=self.now,
                ),
            )

    def _movies(self, details: Mapping[int, Item]) -> dict[str, MovieState]:
        """Keep the state of the movies that were opened lately, as far as it was read."""
        movies = dict(self.known.movies) if self.known else {}
        for item_id, item in details.items():
            if item.series or not item.videos:
                continue
            old = movies.pop(str(item_id), None)
            movie = self._movie(item_id, item, old.movie if old else None)
            watched = movie_status(item) == WATCHED
            times = [time for v in item.videos if (time := watched_at(v))]
            opened = self._newest.get(item_id)
            when = max(times, default=instant(opened.last_seen) if opened else None)
            movies[str(item_id)] = MovieState(
                movie=movie, watched=watched, watched_at=when if watched else None
            )
        return dict(list(movies.items())[-RECENT_MOVIES:])

    def _movie(self, item_id: int, item: Head, old: Movie | None = None) -> Movie:
        head = self._heads.get(item_id)
        runtime = movie_runtime(item) if isinstance(item, Item) else 0
        parts = [self.shapes.movie(item, runtime)]
        if head is not None:
            media = self._newest[item_id].media
            parts.append(self.shapes.movie(head, 0 if head.multi else media.duration))
        if old is not None:
            parts.append(old)
        movie = parts[0]
        for other in parts[1:]:
            movie = replace(
                movie,
                ids=movie.ids.merged(other.ids),
                year=movie.year or other.year,
                runtime=movie.runtime or other.runtime,
                picture=movie.picture or other.picture,
            )
        return movie

    # playbacks ------------------------------------------------------------------------------------------------

    def _playbacks(
        self, shows: Mapping[str, ShowProgress], details: Mapping[int, Item]
    ) -> Iterator[Playback]:
        before = {p.id: p for p in self.known.playbacks} if self.known else {}
        for head in self.polled.movies:
            old = before.get(str(head.id))
            yield self._movie_playback(head, details.get(head.id), old)
        yield from self._episode_playbacks(shows, details, before)

    def _movie_playback(
        self, head: Head, item: Item | None, old: Playback | None
    ) -> Playback:
        old_movie = old.item if old and isinstance(old.item, Movie) else None
        movie = self._movie(head.id, item or head, old_movie)
        opened = self._newest.get(head.id)
        position: float | None = old.position if old else None
        duration: float | None = old.duration if old else None
        at = old.updated_at if old else self.now
        if item is not None:
            done, at_part = _parts(item)
            position, duration = done + at_part, movie_runtime(item) or None
            at = (instant(opened.last_seen) if opened else None) or self.now
        elif opened is not None and not head.multi:
            position, duration = opened.time, opened.media.duration or None
            at = instant(opened.last_seen) or at
        return _paused(str(head.id), movie, position, duration, at)

    def _episode_playbacks(
        self,
        shows: Mapping[str, ShowProgress],
        details: Mapping[int, Item],
        before: Mapping[str | None, Playback],
    ) -> Iterator[Playback]:
        found: dict[str, Playback] = {}
        for playback_id, old in before.items():
            key, _, numbers = (playback_id or "").partition(":")
            if numbers and key in self.polled.serials and int(key) not in details:
                found[playback_id or ""] = old
        for item in details.values():
            show = shows.get(str(item.id))
            if show is None:
                continue
            for season, video in started(item):
                playback_id = f"{item.id}:{season}:{video.number}"
                found[playback_id] = _paused(
                    playback_id,
                    self.shapes.episode(show.show, season, video),
                    video.time,
                    video.duration or None,
                    self._opened_at(item.id, season, video.number)
                    or instant(video.updated)
                    or self.now,
                )
        for row in self.polled.history:
            self._follow(row, shows, details, found)
        yield from found.values()

    def _opened_at(self, item_id: int, season: int, number: int) -> datetime | None:
        for row in self.polled.history:
            if (row.item.id, row.media.season, row.media.number) == (
                item_id,
                season,
                number,
            ):
                return instant(row.last_seen)
        return None

    def _follow(
        self,
        row: HistoryRow,
        shows: Mapping[str, ShowProgress],
        details: Mapping[int, Item],
        found: dict[str, Playback],
    ) -> None:
        """Take a new position from the history: only details would tell more, and cost a request."""
        key = str(row.item.id)
        show = shows.get(key)
        numbers = (row.media.season, row.media.number)
        if (
            key not in self.polled.serials
            or row.item.id in details
            or show is None
            or show.seen is None
            or row.time < 1
            or not self._fresh(row)
            or numbers in parse_seen(show.seen)
        ):
            return
        playback_id = f"{key}:{numbers[0]}:{numbers[1]}"
        found[playback_id] = _paused(
            playback_id,
            self.shapes.episode(show.show, numbers[0], row.media),
            row.time,
            row.media.duration or None,
            instant(row.last_seen) or self.now,
        )

    def _watching(
        self, shows: Mapping[str, ShowProgress], movies: Mapping[str, MovieState]
    ) -> Playback | None:
        """Infer what is playing from the youngest history row; the service has no word of its own for it."""
        row = next(iter(self.polled.history), None)
        seen_at = instant(row.last_seen) if row else None
        if row is None or seen_at is None or abs(self.now - seen_at) > PLAYING:
            return None
        key = (row.item.id, row.media.season, row.media.number)
        written = self.own.get(key)
        if written is not None and abs(written - seen_at) < OWN_WRITE:
            return None
        duration = row.media.duration
        percent = min(100.0, row.time / duration * 100) if duration else 0.0
        if percent >= CREDITS and self._is_watched(row, shows, movies):
            return None
        item: Playable
        if row.item.series:
            show = shows.get(str(row.item.id))
            described = show.show if show else self.shapes.show(row.item)
            item = self.shapes.episode(described, row.media.season, row.media)
        else:
            item = self._movie(row.item.id, row.item)
        return Playback(
            id=":".join(map(str, key)),
            item=item,
            state=PlaybackState.PLAYING,
            updated_at=seen_at,
            progress=round(percent, 1) if duration else None,
            position=row.time,
            duration=duration or None,
            expires_at=seen_at + PLAYING,
        )

    # plays ----------------------------------------------------------------------------------------------------

    def _is_watched(
        self,
        row: HistoryRow,
        shows: Mapping[str, ShowProgress],
        movies: Mapping[str, MovieState],
    ) -> bool:
        """Say whether the video of a history row is known to be watched; having been opened is no proof."""
        if not row.item.series:
            state = movies.get(str(row.item.id))
            return state is not None and state.watched
        show = shows.get(str(row.item.id))
        if show is None:
            return False
        return show.caught_up or (row.media.season, row.media.number) in parse_seen(
            show.seen
        )

    def _plays(
        self, shows: Mapping[str, ShowProgress], movies: Mapping[str, MovieState]
    ) -> Iterator[Play]:
        for row in self.polled.history[:RECENT_PLAYS]:
            if not self._is_watched(row, shows, movies):
                continue
            at = instant(row.last_seen)
            if not row.item.series:
                yield Play(item=movies[str(row.item.id)].movie, watched_at=at)
                continue
            show = shows[str(row.item.id)].show
            episode = self.shapes.episode(show, row.media.season, row.media)
            yield Play(item=episode, watched_at=at)


def _parts(item: Item) -> tuple[int, int]:
    """Return the seconds of the watched parts of a movie, and the position in the started one."""
    done = sum(v.duration for v in item.videos if v.status == WATCHED)
    return done, next((v.time for v in item.videos if v.status == STARTED), 0)


def _paused(
    playback_id: str,
    item: Playable,
    position: float | None,
    duration: float | None,
    at: datetime,
) -> Playback:
    percent = (
        min(100.0, position / duration * 100)
        if duration and position is not None
        else None
    )
    return Playback(
        id=playback_id,
        item=item,
        state=PlaybackState.PAUSED,
        updated_at=at,
        progress=None if percent is None else round(percent, 1),
        position=position,
        duration=duration,
    )
