"""Reading: three requests when nothing moved, four with a bookmark folder (section 5).

The lists tell the counts; details (one request a title) are read only for titles that moved, a few per refresh,
newest first. What is known of a title stays in the library from refresh to refresh.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
import logging
from typing import Final

from ...account import Account, Capability
from ...library import Library, WatchlistEntry
from ...media import Movie
from ..errors import AccessDenied, NotFound, RateLimited, Unavailable
from ..tracker import Refresh, TrackerContext
from .assembly import PLAYING, Assembly
from .client import Client
from .marks import Marks, Own, Polled
from .shapes import Shapes, instant
from .wire import Folders, Head, Heads, History, Item, OneItem, OneUser, Serials

_LOGGER = logging.getLogger(__name__)

DETAILS: Final = 5
"""Titles whose details one refresh reads at most."""
FIRST_DETAILS: Final = 10
USER_EVERY: Final = 12 * 3600
"""Seconds between two looks at the account itself."""
HISTORY_ROWS: Final = 20
FIRST_HISTORY_ROWS: Final = 50
FOLDER_ROWS: Final = 50
BIG: Final = 200
"""Serials; larger libraries are put together off the event loop."""
WHILE_WATCHING: Final = 120.0
WHILE_ACTIVE: Final = 300.0
IDLE: Final = 600.0
"""Seconds until the next refresh: while something plays (or details are left to read), within six hours of the last
playback, and later."""
ACTIVE: Final = timedelta(hours=6)


class Reader:
    """Refreshes the library of one account."""

    def __init__(
        self,
        context: TrackerContext,
        client: Client,
        shapes: Shapes,
        *,
        folder: int,
        can: Capability,
    ) -> None:
        """Follow the bookmark folder with the id `folder`, none when 0."""
        self._context = context
        self._client = client
        self._shapes = shapes
        self._folder = folder
        self._can = can
        self.own = Own(titles=set(), positions={})

    async def account(self) -> Account:
        """Ask who signed in; the service has no number for an account, the user name is its id."""
        user = (await self._client.get(OneUser, "user")).user
        return Account(
            id=user.username,
            name=user.username,
            can=self._can,
            subscription_end=instant(user.subscription.end_time),
        )

    async def refresh(self, previous: Library | None) -> Refresh:
        """Read what moved; the account (for the end of its subscription) is read twice a day."""
        try:
            return await self._refresh(previous)
        except AccessDenied as error:
            end = previous.account.subscription_end if previous else None
            if end is not None and end < self._context.now():
                raise AccessDenied(str(error), key="plan_required") from error
            raise

    async def _refresh(self, previous: Library | None) -> Refresh:
        now = self._context.now()
        names = "local" if self._shapes.local else "original"
        known = (
            previous if previous and previous.markers.get("names") == names else None
        )
        marks = Marks.load(known.markers if known else {})
        if known is None or now.timestamp() - marks.user_at >= USER_EVERY:
            account = await self.account()
            marks = replace(marks, user_at=int(now.timestamp()))
        else:
            account = replace(known.account, can=self._can)
        polled = await self._poll(first=known is None)
        watchlist, folder_gate = await self._watchlist(known, marks)
        assembly = Assembly(
            shapes=self._shapes,
            known=known,
            marks=replace(marks, names=names, folder=folder_gate),
            polled=polled,
            now=now,
            own=dict(self.own.positions),
        )
        touched = frozenset(self.own.titles)
        wanted = await self._run(polled, assembly.wanted, touched)
        details, left, wait = await self._details(
            wanted, assembly, FIRST_DETAILS if known is None else DETAILS
        )
        if known is None and wait is None:
            # a large account is not read title by title; positions to continue from are
            begun = {head.id for head in polled.movies}
            left = tuple(item_id for item_id in left if item_id in begun)
        library = await self._run(
            polled, assembly.library, account, watchlist, details, left
        )
        self.own.forget(touched, now - 2 * PLAYING)
        return Refresh(library=library, next_in=self._next_in(library, now, wait))

    async def _run[T, *Ts](
        self, polled: Polled, function: Callable[[*Ts], T], *args: *Ts
    ) -> T:
        if len(polled.serials) > BIG:
            return await self._context.run(function, *args)
        return function(*args)

    def _next_in(self, library: Library, now: datetime, wait: float | None) -> float:
        marks = Marks.load(library.markers)
        if wait is not None:
            return max(wait, WHILE_WATCHING)
        if library.watching is not None or marks.pending:
            return WHILE_WATCHING
        seen_at = instant(marks.seen_at)
        return WHILE_ACTIVE if seen_at and now - seen_at < ACTIVE else IDLE

    async def _poll(self, *, first: bool) -> Polled:
        # no `subscribed` parameter: what counts is what was begun, not what is flagged
        serials = await self._client.get(Serials, "watching/serials")
        movies = await self._client.get(Heads, "watching/movies")
        history = await self._client.get(
            History,
            "history",
            page=1,
            perpage=FIRST_HISTORY_ROWS if first else HISTORY_ROWS,
        )
        return Polled(
            serials={str(row.id): row for row in serials.items if row.id > 0},
            movies=tuple(head for head in movies.items if head.id > 0),
            history=tuple(
                sorted(
                    (row for row in history.history if row.item.id > 0),
                    key=lambda row: -row.last_seen,
                )
            ),
        )

    # details --------------------------------------------------------------------------------------------------

    async def _details(
        self, wanted: Sequence[int], assembly: Assembly, budget: int
    ) -> tuple[dict[int, Item], tuple[int, ...], float | None]:
        """Read details within the budget: what was read, what is left, and how long the service wants to be left alone.

        A failure here does not spoil what the lists told; the titles are asked for again.
        """
        details: dict[int, Item] = {}
        for index, item_id in enumerate(wanted):
            if index >= budget:
                return details, tuple(wanted[index:]), None
            try:
                item = await self.detail(item_id, described=assembly.described(item_id))
            except NotFound:
                _LOGGER.debug("Item %s is not in the catalogue any more", item_id)
                continue
            except (RateLimited, Unavailable) as error:
                _LOGGER.debug("Details are left for later: %s", error)
                wait = error.retry_after if isinstance(error, RateLimited) else 0.0
                return details, tuple(wanted[index:]), wait
            details[item_id] = item
        return details, (), None

    async def detail(self, item_id: int, *, described: bool) -> Item:
        """Read one title: its description with the watching state, or the state alone where it is `described`.

        What left the catalogue has no description but still a state. Stream links are never asked for.
        """
        if not described:
            try:
                answer = await self._client.get(OneItem, f"items/{item_id}", nolinks=1)
            except NotFound:
                _LOGGER.debug("Item %s has no description any more", item_id)
            else:
                return answer.item
        return await self.state(item_id)

    async def state(self, item_id: int) -> Item:
        """Read the watching state of a title. Raises NotFound."""
        answer = await self._client.get(OneItem, "watching", id=item_id)
        return answer.item

    # watchlist ------------------------------------------------------------------------------------------------

    async def folders(self) -> Mapping[str, str]:
        """Return the bookmark folders: id -> title."""
        answer = await self._client.get(Folders, "bookmarks")
        return {str(row.id): row.title or str(row.id) for row in answer.items if row.id}

    async def _watchlist(
        self, known: Library | None, marks: Marks
    ) -> tuple[tuple[WatchlistEntry, ...], str]:
        """Return the movies of the chosen folder, and the gate that tells when to read them again."""
        if not self._folder:
            return (), ""
        folders = await self._client.get(Folders, "bookmarks")
        row = next((row for row in folders.items if row.id == self._folder), None)
        if row is None:
            return (), ""
        gate = f"{row.id}:{row.updated}:{row.count}"
        if known is not None and gate == marks.folder:
            return known.watchlist, gate
        heads = await self._folder_heads(row.count)
        old = {entry.item.ids: entry for entry in known.watchlist} if known else {}
        entries = (
            WatchlistEntry(item=self._shapes.movie(head))
            for head in heads
            if not head.series
        )
        return tuple(_kept(entries, old.values())), gate

    async def _folder_heads(self, count: int) -> list[Head]:
        heads: dict[int, Head] = {}
        page = pages = 1
        while page <= pages:
            answer = await self._client.get(
                Heads, f"bookmarks/{self._folder}", page=page, perpage=FOLDER_ROWS
            )
            before = len(heads)
            heads.update((head.id, head) for head in answer.items if head.id > 0)
            # a page past the end repeats the last one
            pages = answer.pagination.total if len(heads) > before else 0
            page += 1
        if len(heads) != count:
            _LOGGER.debug("The folder says %s titles, %s were read", count, len(heads))
        return list(heads.values())


def _kept(
    new: Iterable[WatchlistEntry], old: Iterable[WatchlistEntry]
) -> Iterable[WatchlistEntry]:
    """Prefer the entry that is known already where both say the same movie."""
    known = {entry.item: entry for entry in old if isinstance(entry.item, Movie)}
    for entry in new:
        yield known.get(entry.item, entry) if isinstance(entry.item, Movie) else entry
