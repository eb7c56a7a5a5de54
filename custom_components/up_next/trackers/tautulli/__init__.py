"""Tautulli, which records what is watched on a Plex server (apis/letterboxd_tvtime_tautulli_plex.md section 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import ClassVar, Final

from ...account import Account, Capability
from ...library import Library, Play, Playback, PlaybackState, ShowDetail
from ...media import Episode, Ids, MediaItem, Movie, Playable, Season, show_of
from ...writes import Outcome, Receipt, Write
from ..errors import Refused, SignInError, SignInRequired, Unavailable
from ..tracker import (
    Candidate,
    Choice,
    Field,
    FieldKind,
    Fields,
    Page,
    Push,
    Query,
    QueuedWrite,
    Refresh,
    SignInStep,
    Tracker,
    TrackerContext,
)
from .api import PAGE, Api
from .lookup import Lookup
from .viewings import Viewing, Watched, viewings
from .wire import (
    Row,
    Session,
    instant,
    read_names,
    read_push,
    read_server,
    read_sessions,
)

PLAYING: Final = 20.0
"""Seconds between two refreshes while something plays."""
PAUSED: Final = 30.0
IDLE: Final = 60.0
PUSHED: Final = 5.0
"""How many times slower that is while the server tells by itself."""
_PUSHES_LAST: Final = timedelta(hours=6)
_DEAD: Final = timedelta(minutes=5)
"""How long Plex keeps a player that no longer reports."""
_STEADY: Final = 15.0
"""Seconds; players report their position every ten."""
_RECENT: Final = 20
_HISTORY: Final = 100
"""Rows that a page of history gives; as many more are read to know which viewings began before."""


class Tautulli(Tracker):
    """One user of a Plex server, as its Tautulli sees them. It only tells: nothing can be written."""

    key: ClassVar[str] = "tautulli"
    name: ClassVar[str] = "Tautulli"
    may: ClassVar[Capability] = (
        Capability.NOW_WATCHING | Capability.HISTORY | Capability.TOTALS
    )
    sign_in: ClassVar[tuple[SignInStep, ...]] = (
        Fields(
            fields=(
                Field(name="base_url", kind=FieldKind.URL),
                Field(name="api_key", kind=FieldKind.SECRET),
                Field(name="self_signed", kind=FieldKind.SWITCH, required=False),
            )
        ),
        Choice(name="user"),
    )
    media_server: ClassVar[str | None] = "plex"
    push: ClassVar[Push | None] = Push(template='{"user_id": "{user_id}"}')

    def __init__(self, context: TrackerContext) -> None:
        """Open the account; nothing is asked of the server yet."""
        super().__init__(context)
        self._user = context.credentials.get("user", "")
        self._api = Api(context)
        self._lookup = Lookup(self._api, context)
        self._pushed_at: datetime | None = None

    # signing in -----------------------------------------------------------------------------------------------

    async def choices(self, name: str) -> Mapping[str, str]:
        try:
            return await self._api.ask("get_user_names", read_names)
        except SignInRequired as error:
            raise SignInError(str(error), key="invalid_api_key") from error

    async def account(self) -> Account:
        names = await self.choices("user")
        if self._user not in names:
            raise SignInError("Tautulli has no such user")
        return await self._account(names[self._user])

    async def _account(self, name: str) -> Account:
        """Return who is followed. A user's id is the same on every server: the server is part of it."""
        server = await self._api.ask("get_server_info", read_server)
        return Account(
            id=f"{server}:{self._user}",
            name=name,
            can=self.may,
            url=self.context.base_url,
        )

    # reading --------------------------------------------------------------------------------------------------

    def nudge(self, told: bytes = b"") -> bool:
        """Take note that the server told of something: for some hours asking may be rarer.

        What it tells of another user shows nothing of whether it tells of this one too.
        """
        if (user := read_push(told)) is not None and user != self._user:
            return False
        self._pushed_at = self.context.now()
        return True

    async def refresh(self, previous: Library | None) -> Refresh:
        """Bring the library up to date: what is playing, and the history of the last days."""
        sessions = await self._api.ask("get_activity", read_sessions)
        if sessions is None:
            down = Unavailable("Tautulli can't reach Plex")
            down.answered = True
            raise down
        now = self.context.now()
        if previous is None:
            names = await self._api.ask("get_user_names", read_names)
            account = await self._account(names.get(self._user, self._user))
            library = await self._read_all(Library(account=account, read_at=now), now)
        else:
            library = await self._read_new(previous, now)
        playbacks = self._playbacks(sessions, library.playbacks, now)
        if playbacks != library.playbacks:
            watching = playbacks[0] if playbacks else None
            library = replace(library, playbacks=playbacks, watching=watching)
        return Refresh(library=library, next_in=self._pause(library.watching, now))

    def _pause(self, watching: Playback | None, now: datetime) -> float:
        seconds = IDLE
        if watching is not None:
            seconds = PLAYING if watching.state is PlaybackState.PLAYING else PAUSED
        pushed = self._pushed_at is not None and now - self._pushed_at < _PUSHES_LAST
        return seconds * PUSHED if pushed else seconds

    def _playbacks(
        self, sessions: Sequence[Session], old: Sequence[Playback], now: datetime
    ) -> tuple[Playback, ...]:
        """Return all that this user plays; first what plays over what is paused, and of those the newest."""
        mine = [session for session in sessions if session.user_id == self._user]
        mine.sort(key=lambda s: (s.state != "paused", s.session_key), reverse=True)
        known = {playback.id: playback for playback in old}
        found = [
            _playback(session, item, known.get(str(session.session_key)), now)
            for session in mine
            if (item := session.item()) is not None
        ]
        return tuple(found)

    async def _read_all(self, old: Library, now: datetime) -> Library:
        """Read the whole history."""
        rows, total = await self._rows()
        found = await self.context.run(viewings, rows)
        recent = [(v, await self._lookup.fuller(v)) for v in found[-_RECENT:]]
        nothing = Watched(movies={}, shows={})
        watched = await self.context.run(
            nothing.with_more, [*((v, v.item) for v in found[:-_RECENT]), *recent], now
        )
        plays = tuple(viewing.play(item) for viewing, item in reversed(recent))
        markers = _markers(rows, total, now, newest=0)
        return _made(old, watched, plays, markers, now)

    async def _read_new(self, old: Library, now: datetime) -> Library:
        """Read the rows since the last ones; return `old` itself when there are none.

        When the server has fewer rows than before, some were deleted, or it began anew: all is read again then.
        """
        rows, total = await self._rows(after=old.markers.get("after", ""))
        if total < int(old.markers.get("total", 0)):
            return await self._read_all(old, now)
        newest = int(old.markers.get("row", 0))
        fresh = [row for row in rows if row.row_id > newest]
        if not fresh:
            if total == int(old.markers.get("total", 0)):
                return old
            return replace(old, markers={**old.markers, "total": str(total)})
        watched = Watched(movies=old.movies, shows=old.shows)
        found = [
            (viewing, await self._lookup.fuller(viewing))
            for viewing in await self._new_viewings(rows, fresh, watched)
        ]
        markers = _markers(rows, total, now, newest=newest)
        if not found:
            return replace(old, markers=markers)
        plays = tuple(viewing.play(item) for viewing, item in reversed(found))
        plays = (*plays, *old.plays)[:_RECENT]
        return _made(old, watched.with_more(found, now), plays, markers, now)

    async def _new_viewings(
        self, rows: Sequence[Row], fresh: Sequence[Row], watched: Watched
    ) -> list[Viewing]:
        """Return the viewings that reached their end in a fresh row.

        What was watched before may only have gone on: all rows of that item tell.
        """
        context = list(rows)
        again = {r.rating_key for r in fresh if r.watched and watched.knows(r)}
        for rating_key in sorted(again):
            of_item, _ = await self._rows(rating_key=rating_key)
            context += of_item
        unique = {row.row_id: row for row in context}
        numbers = {row.row_id for row in fresh}
        return [v for v in viewings(unique.values()) if v.row.row_id in numbers]

    async def _rows(self, **filters: str) -> tuple[list[Row], int]:
        """Read all rows of this user that fit, and how many rows all users have."""
        rows: dict[int, Row] = {}
        start = 0
        while True:
            page = await self._api.history(
                start,
                PAGE,
                user_id=self._user,
                **{k: v for k, v in filters.items() if v},
            )
            rows.update((row.row_id, row) for row in page.rows)
            start += page.sent
            if not page.sent or start >= page.filtered:
                return list(rows.values()), page.total

    async def history(
        self, cursor: str | None = None, item: MediaItem | None = None
    ) -> Page[Play]:
        if item is not None:
            kind = "movie" if isinstance(item, Movie) else "episode"
            rows, _ = await self._rows(media_type=kind)
            found = await self.context.run(viewings, rows)
            return await self._page([v for v in found if _is_of(v.item, item)])
        start, last = (int(part) for part in (cursor or "0.0").split("."))
        page = await self._api.history(
            start, 2 * _HISTORY, user_id=self._user, order_dir="desc"
        )
        # rows that were added since the last page have moved what that one gave into this one
        given = page.rows[:_HISTORY]
        repeated = next((n for n, r in enumerate(given, 1) if r.row_id == last), 0)
        numbers = {row.row_id for row in given[repeated:]}
        found = [v for v in viewings(page.rows) if v.row.row_id in numbers]
        more = start + _HISTORY < page.filtered and given
        following = f"{start + _HISTORY}.{given[-1].row_id}" if more else None
        return await self._page(found, following)

    async def _page(
        self, found: Sequence[Viewing], cursor: str | None = None
    ) -> Page[Play]:
        plays = [v.play(await self._lookup.fuller(v)) for v in reversed(found)]
        return Page(items=tuple(plays), cursor=cursor)

    async def item_of(self, content_id: str) -> Playable | None:
        return await self._lookup.item(content_id)

    # what it can't do -----------------------------------------------------------------------------------------

    async def show(self, show: Ids) -> ShowDetail:
        raise Refused("Tautulli does not list episodes", key="not_supported")

    async def search(self, query: Query) -> Sequence[Candidate]:
        raise Refused("no search", key="not_supported")

    def combine(self, writes: Sequence[Write]) -> int:
        return 1

    async def send(self, writes: Sequence[QueuedWrite]) -> Sequence[Receipt]:
        return [
            Receipt(outcome=Outcome.REFUSED, reason="not_supported") for _ in writes
        ]


def _playback(
    session: Session, item: Playable, old: Playback | None, now: datetime
) -> Playback:
    """Return what a session plays: `old` itself while it runs on as foreseen."""
    playing = session.state != "paused"
    position, duration = session.view_offset / 1000, session.runtime
    state = PlaybackState.PLAYING if playing else PlaybackState.PAUSED
    if old and old.duration and (old.item, old.state) == (item, state):
        passed = (now - old.updated_at).total_seconds() if playing else 0.0
        if abs((old.position or 0.0) + passed - position) <= _STEADY:
            return old
    rest = timedelta(seconds=max(0.0, (duration or 0) - position))
    return Playback(
        id=str(session.session_key),
        item=item,
        state=state,
        updated_at=now,
        progress=min(100.0, 100 * position / duration) if duration else None,
        position=position,
        duration=duration,
        expires_at=now + rest + _DEAD if playing else None,
    )


def _markers(
    rows: Sequence[Row], total: int, now: datetime, *, newest: int
) -> dict[str, str]:
    """Note where the next reading begins; `newest` is the highest row number known before.

    Two days back: days are the server's own, wherever it is, and what is stored last may have begun before others.
    """
    day = instant(max((row.date for row in rows), default=0)) or now
    return {
        "row": str(max(newest, *(row.row_id for row in rows), 0)),
        "after": (day - timedelta(days=2)).date().isoformat(),
        "total": str(total),
    }


def _made(
    old: Library,
    watched: Watched,
    plays: tuple[Play, ...],
    markers: Mapping[str, str],
    now: datetime,
) -> Library:
    return replace(
        old,
        read_at=now,
        movies=watched.movies,
        shows=watched.shows,
        totals=watched.totals(),
        plays=plays,
        markers=markers,
    )


def _is_of(item: Playable, wanted: MediaItem) -> bool:
    """Say whether a viewing of `item` is one of `wanted`, by ids or by title."""
    if isinstance(item, Movie) or isinstance(wanted, Movie):
        return (
            isinstance(item, Movie)
            and isinstance(wanted, Movie)
            and (item.ids.shares(wanted.ids) or item.label == wanted.label)
        )
    show = show_of(wanted)
    assert show is not None
    if not (item.show.ids.shares(show.ids) or item.show.title == show.title):
        return False
    match wanted:
        case Season():
            return item.season == wanted.number
        case Episode():
            return (item.season, item.number) == (wanted.season, wanted.number)
        case _:
            return True
