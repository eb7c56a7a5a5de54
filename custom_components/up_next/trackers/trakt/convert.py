"""From wire shapes to the project's media items."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from yarl import URL

from ...library import (
    Play,
    Playback,
    PlaybackState,
    ShowProgress,
    WatchlistEntry,
    format_seen,
)
from ...media import Episode, MediaItem, Movie, Playable, Season, Show
from .payloads import (
    EpisodeBody,
    HistoryRow,
    MediaBody,
    PlaybackRow,
    ProgressBody,
    TitleBody,
    WatchingBody,
    WatchlistRow,
)

WEB = "https://app.trakt.tv"
_UNKNOWN_DATE = datetime(1970, 1, 2, tzinfo=UTC)
"""Plays without a known date read back as the epoch."""


class Converter:
    """Makes media items; knows how to complete the scheme-less addresses of pictures."""

    def __init__(self, base_url: str | None) -> None:
        """Pictures of the host of `base_url` are fetched with its scheme, all others with https."""
        self._base = URL(base_url) if base_url else None

    def picture(self, address: str | None) -> str | None:
        """Return an address with its scheme."""
        if not address or "://" in address:
            return address
        if self._base is not None and address.startswith(f"{self._base.authority}/"):
            return f"{self._base.scheme}://{address}"
        return f"https://{address}"

    def show(self, body: TitleBody | None) -> Show | None:
        """Make a show; None without a title or a Trakt id."""
        if body is None or not body.title or not body.ids.get("trakt"):
            return None
        slug = body.ids.get("slug")
        return Show(
            title=body.title,
            ids=body.ids,
            year=body.year,
            runtime=_seconds(body.runtime),
            url=f"{WEB}/shows/{slug}" if slug else None,
            picture=self.picture(body.images.poster if body.images else None),
            anime="anime" in body.genres,
        )

    def movie(self, body: TitleBody | None) -> Movie | None:
        """Make a movie; None without a title or a Trakt id."""
        if body is None or not body.title or not body.ids.get("trakt"):
            return None
        slug = body.ids.get("slug")
        return Movie(
            title=body.title,
            ids=body.ids,
            year=body.year,
            runtime=_seconds(body.runtime),
            url=f"{WEB}/movies/{slug}" if slug else None,
            picture=self.picture(body.images.poster if body.images else None),
        )

    def episode(
        self, show: Show | None, body: EpisodeBody | None, aired: datetime | None = None
    ) -> Episode | None:
        """Make an episode; None without its numbers."""
        if (
            show is None
            or body is None
            or body.season is None
            or body.number is None
            or body.season < 0
        ):
            return None
        slug = show.ids.get("slug")
        where = f"seasons/{body.season}/episodes/{body.number}"
        return Episode(
            show=show,
            season=body.season,
            number=body.number,
            title=body.title,
            ids=body.ids,
            first_aired=body.first_aired or aired,
            runtime=_seconds(body.runtime) or show.runtime,
            url=f"{WEB}/shows/{slug}/{where}" if slug else None,
            picture=self.picture(body.images.screenshot if body.images else None),
        )

    def playable(self, row: MediaBody) -> Playable | None:
        """Return the movie or episode of a row."""
        if row.episode is not None:
            return self.episode(self.show(row.show), row.episode)
        return self.movie(row.movie)

    def item(self, row: MediaBody) -> MediaItem | None:
        """Return what a list row is about."""
        if row.season is not None:
            show = self.show(row.show)
            if show is None or row.season.number is None:
                return None
            return Season(show=show, number=row.season.number, ids=row.season.ids)
        if row.movie is not None or row.episode is not None:
            return self.playable(row)
        return self.show(row.show)

    def play(self, row: HistoryRow) -> Play | None:
        """Make a play."""
        item = self.playable(row)
        if item is None:
            return None
        at = row.watched_at
        return Play(
            item=item,
            id=None if row.id is None else str(row.id),
            watched_at=None if at is None or at < _UNKNOWN_DATE else at,
        )

    def entry(self, row: WatchlistRow) -> WatchlistEntry | None:
        """Make a watchlist entry."""
        item = self.item(row)
        return (
            None if item is None else WatchlistEntry(item=item, listed_at=row.listed_at)
        )

    def playback(self, row: PlaybackRow, now: datetime) -> Playback | None:
        """Make a paused playback."""
        item = self.playable(row)
        if item is None or row.progress is None:
            return None
        progress = min(100.0, max(0.0, row.progress))
        duration = item.runtime
        return Playback(
            item=item,
            state=PlaybackState.PAUSED,
            updated_at=row.paused_at or now,
            progress=progress,
            position=duration * progress / 100 if duration else None,
            duration=duration,
            id=None if row.id is None else str(row.id),
        )

    def watching(self, body: WatchingBody, now: datetime) -> Playback | None:
        """Make the current playback. Trakt tells no position: it follows from when it started and will end."""
        item = self.playable(body)
        if item is None:
            return None
        start, end = body.started_at, body.expires_at
        duration = position = progress = None
        if start is not None and end is not None and end > start:
            duration = (end - start).total_seconds()
            position = min(duration, max(0.0, (now - start).total_seconds()))
            progress = position / duration * 100
        return Playback(
            item=item,
            state=PlaybackState.PLAYING,
            updated_at=now,
            progress=progress,
            position=position,
            duration=duration,
            started_at=start,
            expires_at=end,
        )

    def listing(
        self,
        show: Show,
        body: ProgressBody,
        now: datetime,
        overlay: Mapping[tuple[int, int], bool],
    ) -> ShowProgress:
        """Count one show from the answer about it, corrected by `overlay`: what is known to be (un)watched.

        Progress can be stale for some seconds after a change (trakt-api #773). The next episode is the service's,
        or the first gap, which it does not go back to.
        """
        listed = body.listed()
        regular = sorted(key for key in listed if key[0] > 0)
        done = {key for key in regular if overlay.get(key, listed[key].completed)}
        following = self.episode(show, body.next_episode)
        number = next_number(regular, done)
        if following is not None and (following.season, following.number) in done:
            following = None
        if following is None and number is not None:
            following = Episode(show=show, season=number[0], number=number[1])
        aired, watched = len(regular), len(done)
        if not listed:
            aired, watched = body.aired or 0, body.completed or 0
        return ShowProgress(
            show=show,
            aired=aired,
            watched=watched,
            counted_at=now,
            next_episode=following if watched < aired else None,
            last_watched_at=body.last_watched_at,
            seen=format_seen(done) if listed else None,
        )


def next_number(
    regular: list[tuple[int, int]], done: set[tuple[int, int]]
) -> tuple[int, int] | None:
    """Return what comes after the furthest watched episode, else the first gap; `regular` is in order."""
    last = max(done, default=(0, 0))
    open_ = [key for key in regular if key not in done]
    later = [key for key in open_ if key > last]
    return next(iter(later or open_), None)


def _seconds(minutes: int | None) -> int | None:
    return minutes * 60 if minutes and minutes > 0 else None
