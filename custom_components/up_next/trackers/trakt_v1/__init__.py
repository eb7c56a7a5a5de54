"""Self-hosted servers that speak Trakt's legacy API v1 (apis/trakt.md section 14)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final

from yarl import URL

from ...account import Account, Capability
from ...library import (
    Library,
    Play,
    Playback,
    PlaybackState,
    ShowDetail,
    ShowProgress,
    Totals,
    WatchlistEntry,
)
from ...media import Ids, MediaItem, Show
from ...writes import Receipt, Scrobble, Write
from ..errors import AccessDenied, NotFound, Refused, SignInError, SignInRequired
from ..tracker import (
    Candidate,
    Field,
    FieldKind,
    Fields,
    Page,
    Query,
    QueuedWrite,
    Refresh,
    SignInStep,
    Tracker,
    TrackerContext,
)
from .client import Client, keep_digest
from .scrobbling import Scrobbler
from .wire import ProgressRow, Title, instant, read_list, read_marks, read_watching
from .writing import Writer

POLL: Final = 30.0
WHILE_FED: Final = 300.0
"""Seconds; what plays now was told by us."""
READ_ALL_AFTER: Final = timedelta(hours=6)
"""Nothing tells that an episode has aired: that is found out by reading everything again."""
_ALL: Final = frozenset({"progress", "movies", "shows"})
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


class TraktV1(Tracker):
    """One account of a server that speaks the legacy API.

    There are no ids of plays, no times of plays and no air dates but that of the next episode.
    """

    key: ClassVar[str] = "trakt_v1"
    name: ClassVar[str] = "Trakt v1"
    may: ClassVar[Capability] = (
        Capability.UNWATCHED
        | Capability.WATCHLIST
        | Capability.NOW_WATCHING
        | Capability.TOTALS
        | Capability.MARK_WATCHED
        | Capability.MARK_DATED
        | Capability.LIST_MOVIES
        | Capability.LIST_SHOWS
        | Capability.SCROBBLE
        | Capability.HEARTBEAT
    )
    sign_in: ClassVar[tuple[SignInStep, ...]] = (
        Fields(
            fields=(
                Field(name="base_url", kind=FieldKind.URL),
                Field(name="api_key", kind=FieldKind.SECRET),
                Field(name="username"),
                Field(name="password", kind=FieldKind.PASSWORD),
            )
        ),
    )
    settles_after: ClassVar[float] = 1.0

    def __init__(self, context: TrackerContext) -> None:
        """Open the account; nothing is asked of the server yet."""
        super().__init__(context)
        self._client = Client(context)
        self._writer = Writer(self._client, context.now)
        self._scrobbler = Scrobbler(self._client, self._writer, context)
        self._turn: str | None = None
        """What the next quiet refresh asks, "marks" or "watching"; None: both."""
        self._all_read_at = _LONG_AGO

    @classmethod
    def keep(cls, credentials: Mapping[str, str]) -> Mapping[str, str]:
        return keep_digest(credentials)

    async def account(self) -> Account:
        try:
            await self._client.post("account/test", repeat=True)
        except SignInRequired as error:
            raise SignInError(str(error), key="invalid_login") from error
        except AccessDenied as error:
            if error.translation_key != AccessDenied.key:
                raise
            raise SignInError(str(error), key="invalid_api_key") from error
        return self._account()

    def _account(self) -> Account:
        """Return who signed in. The server is part of it: another one may have a user of the same name."""
        server = URL(self.context.base_url or "")
        port = f":{server.explicit_port}" if server.explicit_port else ""
        place = f"{server.host}{port}{server.path.rstrip('/')}"
        name = self._client.username
        return Account(id=f"{name.casefold()}@{place}", name=name, can=self.may)

    # reading --------------------------------------------------------------------------------------------------

    async def refresh(self, previous: Library | None) -> Refresh:
        """Bring the library up to date; one request when nothing moved.

        Whether the change markers move when somebody starts watching is not known, so quiet refreshes ask for the
        one and the other by turns. While something is playing, and the first time, both are asked for.
        """
        now = self.context.now()
        old = previous or Library(account=self._account(), read_at=now)
        both = previous is None or self._turn is None or old.watching is not None
        marks: Mapping[str, str] | None = None
        watching = old.watching
        if both or self._turn == "marks":
            marks = await self._marks()
        moved = marks is not None and dict(old.markers) != marks
        asked = both or self._turn == "watching" or moved
        if asked:
            watching = await self._watching(watching, now)
        if marks is None and watching is not old.watching:
            marks = await self._marks()
        library = await self._read(old, watching, marks, now, first=previous is None)
        self._turn = "marks" if asked else "watching"
        return Refresh(library=library, next_in=POLL, while_fed=WHILE_FED)

    async def _marks(self) -> Mapping[str, str]:
        return await self._client.read(read_marks, "lastactivity.json/{key}/{user}")

    async def _read(
        self,
        old: Library,
        watching: Playback | None,
        marks: Mapping[str, str] | None,
        now: datetime,
        *,
        first: bool,
    ) -> Library:
        """Read the parts that moved, or all of them when that is due; return `old` itself when nothing changed."""
        due = now - max(self._all_read_at, old.read_at) >= READ_ALL_AFTER
        parts = frozenset(
            part for part in _ALL if marks and old.markers.get(part) != marks[part]
        )
        if first or due:
            parts = _ALL
        shows, watchlist = old.shows, old.watchlist
        if "progress" in parts:
            shows = await self._shows(old.shows, now)
        if "movies" in parts or "shows" in parts:
            watchlist = await self._watchlist(old.watchlist, parts)
        if parts == _ALL:
            self._all_read_at = now
        markers = {**old.markers, **marks} if marks else old.markers
        account = self._account()
        changed = (
            account != old.account
            or shows is not old.shows
            or watchlist is not old.watchlist
            or watching is not old.watching
            or markers != old.markers
        )
        if not changed and not first:
            return old
        return replace(
            old,
            account=account,
            read_at=now if parts == _ALL else old.read_at,
            shows=shows,
            watchlist=watchlist,
            watching=watching,
            totals=_totals(shows),
            markers=markers,
        )

    async def _watching(self, old: Playback | None, now: datetime) -> Playback | None:
        """Ask what is being watched. v1 tells neither since when nor how far."""
        item = await self._client.read(read_watching, "watching.json/{key}/{user}")
        if item is None:
            return None
        if old is not None and old.item == item:
            return old
        return Playback(item=item, state=PlaybackState.PLAYING, updated_at=now)

    async def _shows(
        self, old: Mapping[str, ShowProgress], now: datetime
    ) -> Mapping[str, ShowProgress]:
        """Read all shows, the most recently watched first; those that did not change stay the same objects."""
        rows = await self._client.progress_rows("all", "activity")
        shows = await self.context.run(_counted, rows, old, now)
        return old if list(shows.items()) == list(old.items()) else shows

    async def _watchlist(
        self, old: tuple[WatchlistEntry, ...], parts: frozenset[str]
    ) -> tuple[WatchlistEntry, ...]:
        """Read one watchlist or both, the newest entry first; the other one is kept."""
        entries: list[WatchlistEntry] = []
        for part in ("movies", "shows"):
            is_show = part == "shows"
            if part not in parts:
                entries += [e for e in old if isinstance(e.item, Show) is is_show]
                continue
            rows = await self._client.read(
                read_list(Title), f"watchlist/{part}.json/{{key}}/{{user}}"
            )
            entries += [
                WatchlistEntry(
                    item=row.show() if is_show else row.movie(),
                    listed_at=instant(row.inserted),
                )
                for row in rows
            ]
        entries.sort(key=lambda e: e.listed_at or _LONG_AGO, reverse=True)
        return old if tuple(entries) == old else tuple(entries)

    async def show(self, show: Ids) -> ShowDetail:
        row = await self._client.progress(Show(title="", ids=show))
        if row is None or not row.seasons:
            raise NotFound("not among the shows in progress", key="episodes_unknown")
        return row.detail()

    async def history(
        self, cursor: str | None = None, item: MediaItem | None = None
    ) -> Page[Play]:
        raise Refused("v1 tells no plays", key="not_supported")

    async def search(self, query: Query) -> Sequence[Candidate]:
        raise Refused("no search", key="not_supported")

    # writing --------------------------------------------------------------------------------------------------

    def combine(self, writes: Sequence[Write]) -> int:
        return self._writer.combine(writes)

    async def send(self, writes: Sequence[QueuedWrite]) -> Sequence[Receipt]:
        self._turn = None
        first = writes[0]
        if isinstance(first.write, Scrobble):
            return [await self._scrobbler.send(first, first.write)]
        return await self._writer.send(writes)


def _counted(
    rows: Sequence[ProgressRow], old: Mapping[str, ShowProgress], now: datetime
) -> dict[str, ShowProgress]:
    shows: dict[str, ShowProgress] = {}
    for row in rows:
        key, fresh = row.key, row.counted(now)
        known = old.get(key)
        if known is not None and replace(fresh, counted_at=known.counted_at) == known:
            fresh = known
        shows[key] = fresh
    return shows


def _totals(shows: Mapping[str, ShowProgress]) -> Totals:
    """Count what was watched; movies can't be counted."""
    watched = [row.watched for row in shows.values() if row.watched]
    return Totals(shows=len(watched), episodes=sum(watched))
