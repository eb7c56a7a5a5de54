"""What writes will do to a library, shown at once and replaced by what the service says. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from .account import Capability
from .library import (
    EpisodeDetail,
    Library,
    MovieState,
    Playback,
    PlaybackState,
    ShowDetail,
    ShowProgress,
    ShowStatus,
    WatchlistEntry,
    format_seen,
    parse_seen,
)
from .media import Episode, Ids, MediaItem, Movie, Playable, Season, Show, show_of
from .writes import (
    CheckIn,
    ClearProgress,
    MarkUnwatched,
    MarkWatched,
    Rate,
    Receipt,
    RemovePlays,
    Scrobble,
    ScrobbleAction,
    SetHidden,
    SetProgress,
    SetWatchlisted,
    Write,
    subject,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A write that is on its way, with what was known of its show when it was asked for, and its receipt if any."""

    write: Write
    detail: ShowDetail | None = None
    receipt: Receipt | None = None


def same(one: MediaItem, other: MediaItem) -> bool:
    """Say whether two media items are the same: by ids, or by their show and numbers."""
    if one.type is not other.type:
        return False
    if one.ids and other.ids and one.ids.shares(other.ids):
        return True
    match one, other:
        case Episode(), Episode():
            return (one.season, one.number) == (other.season, other.number) and same(
                one.show, other.show
            )
        case Season(), Season():
            return one.number == other.number and same(one.show, other.show)
        case _:
            return not (one.ids and other.ids) and one.label == other.label


def apply(library: Library, effects: Iterable[Effect], now: datetime) -> Library:
    """Return the library as it will be when all these writes are confirmed; itself when there are none."""
    draft: _Draft | None = None
    for effect in effects:
        draft = draft or _Draft(library, now)
        draft.apply(effect)
    return draft.finished() if draft else library


def apply_to_detail(
    detail: ShowDetail, effects: Iterable[Effect], now: datetime
) -> ShowDetail:
    """Return the show's episodes as they will be when the (un)marking writes among these are confirmed."""
    for effect in effects:
        watched = marks(effect.write)
        item = subject(effect.write)
        if watched is None or isinstance(item, Movie):
            continue
        show = item if isinstance(item, Show) else item.show
        if same(show, detail.show):
            detail = _marked(detail, item, now, watched=watched)
    return detail


def marks(write: Write) -> bool | None:
    """Say whether a write makes its item watched or unwatched; None where it does neither."""
    match write:
        case MarkWatched() | Scrobble(action=ScrobbleAction.WATCHED):
            return True
        case MarkUnwatched():
            return False
        case _:
            return None


class _Draft:
    """A library being changed."""

    def __init__(self, library: Library, now: datetime) -> None:
        self._library = library
        self._now = now
        self._shows = dict(library.shows)
        self._movies = dict(library.movies)
        self._watchlist = library.watchlist
        self._playbacks = library.playbacks
        self._show_keys = _index(
            {key: row.show.ids for key, row in library.shows.items()}
        )
        self._movie_keys = _index(
            {key: row.movie.ids for key, row in library.movies.items()}
        )

    def finished(self) -> Library:
        return replace(
            self._library,
            shows=self._shows,
            movies=self._movies,
            watchlist=self._watchlist,
            playbacks=self._playbacks,
        )

    def apply(self, effect: Effect) -> None:
        write = effect.write
        match write:
            case MarkWatched():
                self._mark(effect, write.item, watched=True)
                self._forget_playback(write.item)
            case MarkUnwatched():
                self._mark(effect, write.item, watched=False)
            case RemovePlays():
                # whether another play remains is not known here: only the receipt tells
                self._take_progress(effect)
            case SetWatchlisted():
                self._list(write)
            case SetProgress():
                self._set_progress(
                    write.item, write.progress, write.position, self._now
                )
            case Scrobble():
                self._scrobble(effect, write)
            case ClearProgress():
                self._forget_playback(write.item)
            case SetHidden():
                self._hide(write)
            case Rate() | CheckIn():
                pass

    def _scrobble(self, effect: Effect, write: Scrobble) -> None:
        """Change what a playback leaves behind; what plays now is shown by who told of it."""
        match write.action:
            case ScrobbleAction.START:
                self._forget_playback(write.item)
            case ScrobbleAction.PAUSE | ScrobbleAction.STOP:
                told = (write.progress, write.position) != (None, None)
                if told and Capability.PLAYBACKS in self._library.account.can:
                    self._set_progress(
                        write.item, write.progress, write.position, write.at
                    )
            case ScrobbleAction.WATCHED:
                self._mark(effect, write.item, watched=True)
                self._forget_playback(write.item)

    def _mark(self, effect: Effect, item: MediaItem, *, watched: bool) -> None:
        if isinstance(item, Movie):
            if (key := _find(self._movie_keys, item.ids)) is not None:
                state = MovieState(
                    movie=self._movies[key].movie,
                    watched=watched,
                    watched_at=self._now if watched else None,
                )
                self._movies[key] = state
            return
        if self._take_progress(effect):
            return
        key = self._show_key(effect)
        row = self._shows.get(key) if key else None
        if effect.detail is not None:
            status = row.status if row else ShowStatus.WATCHING
            detail = _marked(effect.detail, item, self._now, watched=watched)
            self._shows[effect.detail.key] = detail.progress(self._now, status)
        elif (
            key is not None
            and row is not None
            and (guessed := _guess(row, item, watched=watched)) is not None
        ):
            self._shows[key] = guessed

    def _take_progress(self, effect: Effect) -> bool:
        """Take over the progress that a receipt tells."""
        if (
            effect.receipt is None
            or effect.receipt.progress is None
            or (key := self._show_key(effect)) is None
        ):
            return False
        self._shows[key] = effect.receipt.progress
        return True

    def _show_key(self, effect: Effect) -> str | None:
        if effect.detail is not None:
            return effect.detail.key
        show = show_of(subject(effect.write))
        key = _find(self._show_keys, show.ids) if show else None
        if (
            key is None
            and effect.receipt is not None
            and effect.receipt.progress is not None
        ):
            key = _find(self._show_keys, effect.receipt.progress.show.ids)
        return key

    def _list(self, write: SetWatchlisted) -> None:
        rest = tuple(
            entry for entry in self._watchlist if not same(entry.item, write.item)
        )
        if not write.listed:
            self._watchlist = rest
        elif len(rest) == len(self._watchlist):
            self._watchlist = (
                WatchlistEntry(item=write.item, listed_at=self._now),
                *rest,
            )

    def _set_progress(
        self,
        item: Playable,
        progress: float | None,
        position: float | None,
        at: datetime,
    ) -> None:
        self._forget_playback(item)
        duration = item.runtime
        if duration and progress is None and position is not None:
            progress = min(100.0, position / duration * 100)
        if duration and position is None and progress is not None:
            position = duration * progress / 100
        playback = Playback(
            item=item,
            state=PlaybackState.PAUSED,
            updated_at=at,
            progress=progress,
            position=position,
            duration=duration,
        )
        self._playbacks = (playback, *self._playbacks)

    def _forget_playback(self, item: MediaItem) -> None:
        if isinstance(item, (Movie, Episode)):
            self._playbacks = tuple(
                playback
                for playback in self._playbacks
                if not same(playback.item, item)
            )

    def _hide(self, write: SetHidden) -> None:
        if (key := _find(self._show_keys, write.show.ids)) is not None:
            status = ShowStatus.HIDDEN if write.hidden else ShowStatus.WATCHING
            self._shows[key] = replace(self._shows[key], status=status)


def _index(ids: Mapping[str, Ids]) -> dict[tuple[str, str], str]:
    return {pair: key for key, row in ids.items() for pair in row.values.items()}


def _find(index: Mapping[tuple[str, str], str], ids: Ids) -> str | None:
    return next(
        (
            index[pair]
            for pair in ids.values.items()
            if pair[0] != "slug" and pair in index
        ),
        None,
    )


def _marked(
    detail: ShowDetail, item: Show | Season | Episode, now: datetime, *, watched: bool
) -> ShowDetail:
    """Return the detail with the episodes of `item` (un)marked; a show or season means its aired episodes."""
    match item:
        case Episode():
            chosen = {(item.season, item.number)}
        case Season():
            chosen = {
                (row.episode.season, row.episode.number)
                for row in detail.aired(now, item.number)
            }
        case Show():
            chosen = {
                (row.episode.season, row.episode.number) for row in detail.aired(now)
            }
    episodes = tuple(
        _mark_episode(row, now, watched=watched)
        if (row.episode.season, row.episode.number) in chosen
        else row
        for row in detail.episodes
    )
    return replace(detail, episodes=episodes)


def _mark_episode(row: EpisodeDetail, now: datetime, *, watched: bool) -> EpisodeDetail:
    if not watched:
        return replace(row, watched=False, plays=0, last_watched_at=None)
    return replace(
        row,
        watched=True,
        plays=max(1, row.plays),
        last_watched_at=row.last_watched_at or now,
    )


def _guess(row: ShowProgress, item: MediaItem, *, watched: bool) -> ShowProgress | None:
    """Change a row without knowing all its episodes: only where that is certain."""
    if not isinstance(item, Episode) or item.season < 1:
        return None
    number = (item.season, item.number)
    following = row.next_episode
    is_next = following is not None and (following.season, following.number) == number
    if row.seen is not None:
        seen = parse_seen(row.seen)
        if (number in seen) == watched:
            return None
        return replace(
            row,
            watched=max(0, row.watched + (1 if watched else -1)),
            seen=format_seen(seen | {number} if watched else seen - {number}),
            caught_up=row.caught_up and watched,
            next_episode=None if is_next and watched else following,
        )
    if watched and is_next:
        return replace(row, watched=row.watched + 1, next_episode=None)
    return None
