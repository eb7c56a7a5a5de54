"""Simkl as a tracker: what it can do, a show's episodes, and the history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from ...account import Account, Capability, Quota
from ...library import (
    Library,
    MovieState,
    Play,
    ShowDetail,
    ShowProgress,
    ShowStatus,
    parse_seen,
)
from ...media import Episode, Ids, MediaItem, Movie, Season, Show
from ...writes import Receipt, Scrobble, ScrobbleAction, Write
from ..errors import BadAnswer, NotFound, Unavailable
from ..oauth import DeviceSignIn
from ..tracker import (
    Candidate,
    DeviceCode,
    Field,
    Fields,
    Option,
    Page,
    Query,
    QueuedWrite,
    Refresh,
    ScrobbleRhythm,
    Tracker,
    TrackerContext,
)
from .api import SITE, WRITE_SCOPE, Api, SimklSignIn
from .history import History, all_plays
from .payloads import ListedEpisode, Settings, decoder, list_decoder
from .reading import Builder, Dates, details, title_key
from .refreshing import Refresher
from .scrobbling import Scrobbler
from .sending import Sender
from .titles import Titles
from .writing import combined

POLL: Final = 1800.0
"""Seconds; 48 requests a day of 500, which the user's other apps share (section 6.5)."""
FLOOR: Final = 900.0
RECENT: Final = timedelta(days=30)
PAGE: Final = 1000
KINDS: Final = ("shows", "movies", "anime")
WRITING: Final = (
    Capability.MARK_WATCHED
    | Capability.MARK_DATED
    | Capability.REMOVE_PLAY
    | Capability.LIST_MOVIES
    | Capability.LIST_SHOWS
    | Capability.RATE
    | Capability.SET_PROGRESS
    | Capability.CLEAR_PROGRESS
    | Capability.HIDE_SHOW
    | Capability.SCROBBLE
    | Capability.CHECK_IN
)
"""What a grant must allow writing for."""


class Simkl(Tracker):
    """One Simkl account."""

    key = "simkl"
    name = "Simkl"
    may = (
        Capability.UNWATCHED
        | Capability.WATCHLIST
        | Capability.PLAYBACKS
        | Capability.HISTORY
        | Capability.TOTALS
        | Capability.AIRINGS
        | Capability.QUOTA
        | Capability.SEARCH
        | Capability.MARK_WATCHED
        | Capability.MARK_DATED
        | Capability.REMOVE_PLAY
        | Capability.LIST_MOVIES
        | Capability.LIST_SHOWS
        | Capability.RATE
        | Capability.SET_PROGRESS
        | Capability.CLEAR_PROGRESS
        | Capability.HIDE_SHOW
        | Capability.SCROBBLE
        | Capability.CHECK_IN
    )
    sign_in = (
        Fields(
            fields=(Field(name="client_id"),),
            links={"apps_url": "https://simkl.com/settings/developer/"},
        ),
        DeviceCode(),
    )
    options = (Option(name="lists", choices=KINDS, multiple=True, default=KINDS),)
    image_hosts = frozenset({"wsrv.nl"})
    rhythm = ScrobbleRhythm(pause_after=60.0)
    attribution = "Data by Simkl"

    def __init__(self, context: TrackerContext) -> None:
        super().__init__(context)
        self._api = Api(context)
        self._builder = Builder(context.base_url)
        self.titles = Titles(self._api, self._builder)
        self._history = History(context, self._api, self._builder)
        self._sender = Sender(self, self._api, self._history)
        self._scrobbler = Scrobbler(self, self._api, self._sender)
        self._refresher = Refresher(
            context,
            self._api,
            self._builder,
            self._history,
            account=self.account,
            lists=",".join(sorted(context.chosen(self.options[0]))),
        )
        self._library: Library | None = None
        self._wrote = False

    @property
    def quota(self) -> Quota | None:
        return self._api.quota

    @property
    def library(self) -> Library:
        """Return the library as last read. Raises Unavailable before the first refresh."""
        if self._library is None:
            raise Unavailable("the library was not read yet")
        return self._library

    def device_sign_in(self) -> DeviceSignIn:
        return SimklSignIn(self._api)

    async def sign_out(self) -> None:
        tokens = await self.context.tokens.load()
        if tokens is not None:
            await self._api.revoke(tokens)

    async def account(self) -> Account:
        settings = await self._api.read("users/settings", decoder(Settings))
        if settings.account is None or settings.account.id is None:
            raise BadAnswer("users/settings: no account id")
        number = str(settings.account.id)
        name = settings.user.name if settings.user else None
        return Account(
            id=number,
            name=name or number,
            can=await self._can(),
            plan=settings.account.type,
            url=f"{SITE}/{number}/",
        )

    async def _can(self) -> Capability:
        """Return what the grant allows: a read-only one can't change anything (section 3.6)."""
        tokens = await self.context.tokens.load()
        if tokens is None or tokens.scope is None:
            return self.may
        return self.may if WRITE_SCOPE in tokens.scope.split() else self.may & ~WRITING

    # refreshing -----------------------------------------------------------------------------------------------

    async def refresh(self, previous: Library | None) -> Refresh:
        self._library = previous
        library = await self._refresher.refresh(previous)
        if (can := await self._can()) != library.account.can:
            library = replace(library, account=replace(library.account, can=can))
        moved = library is not previous or self._wrote
        self._library, self._wrote = library, False
        return Refresh(library=library, next_in=self._next_in(moved=moved))

    def _next_in(self, *, moved: bool) -> float:
        quota = self.quota
        if quota is not None and quota.limit:
            if quota.remaining < quota.limit * 0.05:
                return POLL * 4
            if quota.remaining < quota.limit * 0.2:
                return POLL * 2
        return FLOOR if moved else POLL

    # one show -------------------------------------------------------------------------------------------------

    async def show(self, show: Ids) -> ShowDetail:
        key, row = await self.find(show)
        return await self.detail(key, row)

    async def find(self, ids: Ids) -> tuple[str, ShowProgress | None]:
        """Return a show's Simkl id and its row; asks /redirect for a show that is not in the library."""
        library = self.library
        key = ids.get("simkl")
        if key is None:
            # the cours of an anime share their TVDB and TMDB ids: the one watched last is meant
            same = [row for row in library.shows.items() if row[1].show.ids.shares(ids)]
            if same:
                return max(same, key=_last_watched)
            word, key = await self.titles.redirect(ids, "tv")
            if word == "movies":
                raise NotFound("a movie, not a show")
        return key, library.shows.get(key)

    async def detail(self, key: str, row: ShowProgress | None) -> ShowDetail:
        """Read a show's episodes, which is free, and put what was watched beside them."""
        if row is not None:
            show = row.show
        else:
            word, page = await self.titles.page(key, ("tv", "anime"))
            anime = word == "anime" or page.type == "anime"
            show = self._builder.show(page, anime=anime)
        word = "anime" if show.anime else "tv"
        listed = await self._api.free(
            f"{word}/episodes/{key}", list_decoder(ListedEpisode)
        )
        now = self.context.now()
        known = {
            (e.season, e.number): e.first_aired
            for e in self.library.airings.get(key, ())
            if e.first_aired is not None
        }
        seen, everything, dates = await self._seen(key, row)
        episodes = details(
            listed,
            show,
            lambda place, aired: place in seen or (everything and aired),
            dates=dates,
            known=known,
            now=now,
        )
        return ShowDetail(show=show, episodes=episodes, key=key)

    async def _seen(
        self, key: str, row: ShowProgress | None
    ) -> tuple[frozenset[tuple[int, int]], bool, Dates]:
        """Return which episodes were watched, whether all aired ones were, and when, where that is known."""
        if row is None or row.watched == 0:
            return frozenset(), False, {}
        dates = {
            (p.item.season, p.item.number): p.watched_at
            for p in self.library.plays
            if isinstance(p.item, Episode) and title_key(p.item) == key
        }
        if row.seen is not None:
            return parse_seen(row.seen), False, dates
        if row.status is ShowStatus.COMPLETED and row.watched >= row.aired:
            return frozenset(), True, dates
        # dropped shows come without episodes
        pulled = await self._history.dates("anime" if row.show.anime else "shows", key)
        return frozenset(pulled), False, pulled

    # history and search ---------------------------------------------------------------------------------------

    async def history(
        self, cursor: str | None = None, item: MediaItem | None = None
    ) -> Page[Play]:
        if item is not None:
            return Page(items=tuple(await self._plays_of(item)))
        if cursor is None:
            cut = self.context.now().replace(microsecond=0) - RECENT
            return Page(
                items=tuple(await self._history.since(cut)),
                cursor=f"{cut.isoformat()}|0",
            )
        text, _, offset = cursor.partition("|")
        before = datetime.fromisoformat(text)
        plays: list[Play] = []
        for kind in KINDS:
            plays += all_plays(await self._history.kind(kind))
        older = [p for p in plays if p.watched_at is None or p.watched_at <= before]
        older.sort(
            key=lambda p: p.watched_at.timestamp() if p.watched_at else 0.0,
            reverse=True,
        )
        end = int(offset) + PAGE
        more = f"{text}|{end}" if end < len(older) else None
        return Page(items=tuple(older[int(offset) : end]), cursor=more)

    async def _plays_of(self, item: MediaItem) -> list[Play]:
        if isinstance(item, Movie):
            return [
                Play(item=state.movie, watched_at=state.watched_at)
                for state in self.library.movies.values()
                if state.watched and state.movie.ids.shares(item.ids)
            ]
        show = item if isinstance(item, Show) else item.show
        key, row = await self.find(show.ids)
        if row is None:
            return []
        rows = await self._history.kind("anime" if row.show.anime else "shows")
        plays = all_plays(rows, key)
        match item:
            case Season():
                return [
                    p
                    for p in plays
                    if isinstance(p.item, Episode) and p.item.season == item.number
                ]
            case Episode():
                place = (item.season, item.number)
                return [
                    p
                    for p in plays
                    if isinstance(p.item, Episode)
                    and (p.item.season, p.item.number) == place
                ]
            case _:
                return plays

    async def search(self, query: Query) -> Sequence[Candidate]:
        return await self.titles.search(query)

    # writing --------------------------------------------------------------------------------------------------

    def combine(self, writes: Sequence[Write]) -> int:
        return combined(writes)

    async def send(self, writes: Sequence[QueuedWrite]) -> Sequence[Receipt]:
        self._wrote = self._wrote or any(not _passes(q.write) for q in writes)
        return await self._sender.send(writes, self._scrobbler.send)

    async def current(self) -> Library:
        """Return the library as it is at this moment: before something is deleted or moved. 1 request at least."""
        return (await self.refresh(self.library)).library

    def adopt(
        self, shows: Mapping[str, ShowProgress], movies: Mapping[str, MovieState]
    ) -> None:
        """Remember what writes changed, until the next refresh tells it."""
        library = self.library
        self._library = replace(
            library,
            shows={**library.shows, **shows},
            movies={**library.movies, **movies},
        )


def _passes(write: Write) -> bool:
    """Say whether a write changes nothing that the next refresh would read."""
    return isinstance(write, Scrobble) and write.action is ScrobbleAction.START


def _last_watched(item: tuple[str, ShowProgress]) -> float:
    at = item[1].last_watched_at
    return at.timestamp() if at else 0.0
