"""Carrying out writes: what each means, one request for all of a kind, and what became of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from ...library import (
    Library,
    MovieState,
    Play,
    ShowDetail,
    ShowProgress,
    ShowStatus,
    format_seen,
    parse_seen,
)
from ...media import Episode, Movie, Season, Show
from ...writes import (
    ClearProgress,
    MarkUnwatched,
    MarkWatched,
    Outcome,
    Rate,
    Receipt,
    RemovePlays,
    SetHidden,
    SetProgress,
    SetWatchlisted,
    Write,
    subject,
)
from ..errors import NotFound, Refused, TrackerError
from ..tracker import QueuedWrite
from ..transport import Json, Values
from .api import Api
from .history import History
from .payloads import Paused, list_decoder
from .planning import (
    as_known,
    is_anime_elsewhere,
    is_paused,
    movie_of,
    plan_hiding,
    plan_listing,
    plan_rating,
    plan_unwatch_unknown,
    plays_of,
    row_of,
)
from .reading import Dates
from .writing import (
    ALONE,
    ALREADY,
    NOT_FOUND,
    REWATCH,
    Place,
    Plan,
    Unmatchable,
    body_of,
    family,
    is_native,
    receipts,
    reference,
    refused,
    scrobble_body,
    timestamp,
)

if TYPE_CHECKING:
    from .tracker import Simkl

COUNTED_AFRESH: Final = 3
"""Up to so many shows of a batch the receipt tells how they stand afterwards: one free request each."""
PATHS: Final = {
    "watch": "sync/history",
    "unwatch": "sync/history/remove",
    "unlist": "sync/history/remove",
    "list": "sync/add-to-list",
    "rate": "sync/ratings",
    "unrate": "sync/ratings/remove",
}
REMOVING: Final = frozenset({"unwatch", "unlist"})


class Sender:
    """Sends the writes of one account; what tells about a playback goes through `scrobbling`."""

    def __init__(self, tracker: Simkl, api: Api, history: History) -> None:
        self._tracker = tracker
        self._api = api
        self._history = history

    async def send(
        self,
        writes: Sequence[QueuedWrite],
        scrobble: Callable[[QueuedWrite], Awaitable[Receipt]],
    ) -> list[Receipt]:
        """Send writes in order, those of a kind together."""
        done: list[Receipt] = []
        while len(done) < len(writes):
            queued = writes[len(done)]
            rest = [q.write for q in writes[len(done) :]]
            kind = family(rest[0])
            count = next(
                (i for i, w in enumerate(rest) if family(w) != kind), len(rest)
            )
            if kind == "scrobble":
                done.append(await scrobble(queued))
            elif kind in ALONE:
                done.append(await self._one(rest[0]))
            else:
                done += await self._batch(kind, rest[:count])
        return done

    async def mark(self, write: MarkWatched, params: Values | None = None) -> Receipt:
        """Mark one thing as watched."""
        (receipt,) = await self._batch("watch", [write], params)
        return receipt

    async def take_in(self, plan: Plan) -> Receipt:
        """Remember a viewing that was counted already; returns its receipt, with how the show stands now."""
        self._history.forget()
        await self._count_afresh([plan], self._tracker.library, watched=True)
        self._remember([plan], watched=True)
        return plan.decided or ALREADY

    async def _one(self, write: Write) -> Receipt:
        try:
            if isinstance(write, SetProgress):
                return await self._pause(write)
            if isinstance(write, ClearProgress):
                return await self._clear(write)
        except (NotFound, Unmatchable):
            return NOT_FOUND
        except Refused:
            return refused("refused")
        raise TypeError(type(write).__name__)

    async def _batch(
        self, kind: str, writes: Sequence[Write], params: Values | None = None
    ) -> list[Receipt]:
        # what is deleted or moved must be known as it is now, not as it was half an hour ago
        careful = kind in ("unlist", "list") or (
            kind == "unwatch" and any(isinstance(subject(w), Movie) for w in writes)
        )
        library = await self._tracker.current() if careful else self._tracker.library
        plans = [await self._plan(write, library) for write in writes]
        open_plans = [plan for plan in plans if plan.decided is None]
        if open_plans:
            answered = await self._post(kind, open_plans, params)
            for plan, receipt in zip(open_plans, answered, strict=True):
                plan.decided = receipt
            self._history.forget()
            if kind in ("watch", "unwatch"):
                await self._count_afresh(open_plans, library, watched=kind == "watch")
                self._remember(open_plans, watched=kind == "watch")
        return [plan.decided or ALREADY for plan in plans]

    async def _post(
        self, kind: str, plans: Sequence[Plan], params: Values | None
    ) -> list[Receipt]:
        """Send one request; when it is refused as a whole, its halves, so that one bad item spoils nothing."""
        body: dict[str, Json] = {
            k: list(v) for k, v in body_of(plans, remove=kind in REMOVING).items()
        }
        try:
            reply = await self._api.write(PATHS[kind], body, params)
        except Refused as error:
            if len(plans) == 1:
                return [
                    NOT_FOUND if isinstance(error, NotFound) else refused("refused")
                ]
            half = len(plans) // 2
            return await self._post(kind, plans[:half], params) + await self._post(
                kind, plans[half:], params
            )
        return receipts(plans, reply)

    # planning -------------------------------------------------------------------------------------------------

    async def _plan(self, write: Write, library: Library) -> Plan:
        plan = Plan(write=write, item=subject(write))
        try:
            plan.item = as_known(plan.item, library)
            reference(plan.title)
            match write:
                case MarkWatched():
                    await self._watch(plan, write, library)
                case MarkUnwatched() | RemovePlays():
                    await self._unwatch(plan, library)
                case SetWatchlisted():
                    plan_listing(plan, library, listed=write.listed)
                case SetHidden():
                    plan_hiding(plan, library, hidden=write.hidden)
                case Rate():
                    plan_rating(plan, write)
        except (Unmatchable, NotFound):
            plan.decided = NOT_FOUND
        return plan

    async def _watch(self, plan: Plan, write: MarkWatched, library: Library) -> None:
        if write.rewatch:
            # PRO and VIP only, at least two days apart: left out (section 7)
            plan.decided = refused("not_supported")
            return
        item = plan.item
        if isinstance(item, Movie):
            state = movie_of(library, item)
            plan.known = state is not None and state.watched
            released = (
                await self._released(plan.title)
                if write.watched_at == "released"
                else None
            )
            plan.watched_at = timestamp(write.watched_at, released)
            plan.plays = plays_of([(item, plan.watched_at)])
        elif isinstance(item, Episode):
            row = row_of(library, item.show)
            plan.known = row is not None and (item.season, item.number) in parse_seen(
                row.seen
            )
            released = item.first_aired
            if write.watched_at == "released" and released is None:
                found = (await self._detail(item.show)).find(item.season, item.number)
                released = found.episode.first_aired if found else None
            at = timestamp(write.watched_at, released)
            plan.episodes = {(item.season, item.number): at}
            plan.watched_at = at
            plan.plays = plays_of([(item, at)])
        else:
            await self._watch_many(plan, write, library)
            return
        if plan.watched_at is None:
            plan.decided = refused("date_unknown")
        if isinstance(item, Episode):
            plan.watched_at = None

    async def _watch_many(
        self, plan: Plan, write: MarkWatched, library: Library
    ) -> None:
        """Spell out the aired, unwatched, regular episodes; where numbering differs, let the server do it."""
        item = plan.item
        show = plan.title
        assert isinstance(show, Show)
        if not show.ids or (is_anime_elsewhere(library, show) and not is_native(show)):
            self._watch_by_server(plan, write)
            return
        detail = await self._detail(show)
        if detail.show.anime and not is_native(show):
            self._watch_by_server(plan, write)
            return
        season = item.number if isinstance(item, Season) else None
        now = self._tracker.context.now()
        todo = [e.episode for e in detail.aired(now, season) if not e.watched]
        times = {
            (e.season, e.number): timestamp(write.watched_at, e.first_aired)
            for e in todo
        }
        plan.item = (
            replace(item, show=detail.show) if isinstance(item, Season) else detail.show
        )
        if None in times.values():
            plan.decided = refused("date_unknown")
        elif not times:
            known = season is None or any(
                e.episode.season == season for e in detail.episodes
            )
            plan.decided = ALREADY if known and detail.episodes else NOT_FOUND
        plan.episodes = dict(times)
        plan.plays = plays_of([(e, times[e.season, e.number]) for e in todo])

    def _watch_by_server(self, plan: Plan, write: MarkWatched) -> None:
        plan.watched_at = timestamp(write.watched_at, None)
        if plan.watched_at is None:
            plan.decided = refused("date_unknown")
        elif isinstance(plan.item, Season):
            plan.seasons = (plan.item.number,)

    async def _released(self, title: Movie | Show) -> datetime | None:
        """Return the day a movie came out, 0:00 UTC; None when nobody knows or it is still to come."""
        key = title.ids.get("simkl")
        if key is None:
            _, key = await self._tracker.titles.redirect(title.ids, "movie")
        _, page = await self._tracker.titles.page(key, ("movies", "anime"))
        try:
            at = datetime.fromisoformat(page.released or "").replace(tzinfo=UTC)
        except ValueError:
            return None
        return at if at <= self._tracker.context.now() else None

    async def _detail(self, show: Show) -> ShowDetail:
        key, row = await self._tracker.find(show.ids)
        return await self._tracker.detail(key, row)

    async def _unwatch(self, plan: Plan, library: Library) -> None:
        """Take episodes out one by one: naming a show without episodes would delete it with its rating."""
        item = plan.item
        if isinstance(plan.write, RemovePlays) and any(
            play_id.startswith(REWATCH) for play_id in plan.write.play_ids
        ):
            # taking out the item would take out its first viewing, too
            plan.decided = refused("not_supported")
            return
        if isinstance(item, Movie):
            state = movie_of(library, item)
            if state is None or not state.watched:
                plan.decided = ALREADY
            else:
                plan.item = state.movie
                plan.plays = (Play(item=state.movie, watched_at=state.watched_at),)
            return
        show = plan.title
        assert isinstance(show, Show)
        row = row_of(library, show)
        if row is None:
            plan_unwatch_unknown(plan, elsewhere=is_anime_elsewhere(library, show))
            return
        if isinstance(item, Episode):
            places = [(item.season, item.number)]
        else:
            detail = await self._tracker.detail(row.show.ids.get("simkl") or "", row)
            places = [
                (d.episode.season, d.episode.number)
                for d in detail.episodes
                if d.watched
                and (isinstance(item, Show) or d.episode.season == item.number)
            ]
        if not places:
            plan.decided = ALREADY
            return
        plan.episodes = dict.fromkeys(places)
        seen = parse_seen(row.seen)
        if isinstance(item, Episode) and row.seen is not None and places[0] not in seen:
            plan.known = True
            return
        plan.plays = await self._plays_removed(row, places)

    async def _plays_removed(
        self, row: ShowProgress, places: Iterable[Place]
    ) -> tuple[Play, ...]:
        """Look up when the episodes were watched, so that they can be put back as they were."""
        key = row.show.ids.get("simkl") or ""
        dates: Dates = {}
        try:
            dates = await self._history.dates(
                "anime" if row.show.anime else "shows", key
            )
        except Refused:
            # too large a library to be told at once: they can be put back, without their time
            dates = {}
        return tuple(
            Play(
                item=Episode(show=row.show, season=s, number=n),
                watched_at=dates.get((s, n)),
            )
            for s, n in places
        )

    # afterwards -----------------------------------------------------------------------------------------------

    async def _count_afresh(
        self, plans: Sequence[Plan], library: Library, *, watched: bool
    ) -> None:
        """Tell how each show stands now, where that costs at most a few free requests."""
        touched: dict[str, list[Plan]] = {}
        for plan in plans:
            done = plan.decided is not None and plan.decided.outcome is Outcome.DONE
            if done and plan.episodes and isinstance(plan.title, Show):
                row = row_of(library, plan.title)
                key = (row.show if row else plan.title).ids.get("simkl")
                if key is not None:
                    touched.setdefault(key, []).append(plan)
        if len(touched) > COUNTED_AFRESH:
            return
        for key, group in touched.items():
            row = library.shows.get(key)
            if (
                row is not None
                and row.show.anime
                and not all(
                    is_native(p.title) for p in group if isinstance(p.title, Show)
                )
            ):
                continue
            places = {place for plan in group for place in plan.episodes or {}}
            progress = await self._after(key, row, places, watched=watched)
            for plan in group:
                if progress is not None and plan.decided is not None:
                    plan.decided = replace(plan.decided, progress=progress)

    def _remember(self, plans: Sequence[Plan], *, watched: bool) -> None:
        """Let the next write before the next refresh know what this one did."""
        library = self._tracker.library
        shows: dict[str, ShowProgress] = {}
        movies: dict[str, MovieState] = {}
        for plan in plans:
            if plan.decided is None or plan.decided.outcome is not Outcome.DONE:
                continue
            title = plan.title
            if isinstance(title, Movie):
                state = movie_of(library, title)
                key = (state.movie if state else title).ids.get("simkl")
                if key is not None:
                    at = plan.plays[0].watched_at if plan.plays and watched else None
                    movies[key] = MovieState(
                        movie=state.movie if state else title,
                        watched=watched,
                        watched_at=at,
                    )
                continue
            row = row_of(library, title)
            key = row.show.ids.get("simkl") if row else None
            if row is None or key is None:
                continue
            row = shows.get(key, row)
            if plan.decided.progress is not None:
                shows[key] = plan.decided.progress
            elif row.seen is not None:
                seen, places = parse_seen(row.seen), frozenset(plan.episodes or ())
                shows[key] = replace(
                    row, seen=format_seen(seen | places if watched else seen - places)
                )
        self._tracker.adopt(shows, movies)

    async def _after(
        self, key: str, row: ShowProgress | None, places: set[Place], *, watched: bool
    ) -> ShowProgress | None:
        """Count a show with `places` changed. The write is done: a failure here only means a vaguer receipt."""
        try:
            detail = await self._tracker.detail(key, row)
        except TrackerError:
            return None
        changed = tuple(
            replace(d, watched=watched, plays=int(watched))
            if (d.episode.season, d.episode.number) in places
            else d
            for d in detail.episodes
        )
        now = self._tracker.context.now()
        status = ShowStatus.WATCHING
        after = replace(detail, episodes=changed).progress(now, status)
        last = max((i for i, d in enumerate(changed) if d.watched), default=-1)
        ahead = [
            d
            for d in changed[last + 1 :]
            if d.episode.first_aired and d.episode.first_aired <= now
        ]
        seen = format_seen(
            (d.episode.season, d.episode.number) for d in changed if d.watched
        )
        # as the service does: what was skipped before the last watched episode is not "next"
        return replace(
            after,
            caught_up=not ahead,
            next_episode=ahead[0].episode if ahead else None,
            last_watched_at=now if watched else (row.last_watched_at if row else None),
            seen=seen,
        )

    # playbacks ------------------------------------------------------------------------------------------------

    async def _pause(self, write: SetProgress) -> Receipt:
        item = as_known(write.item, self._tracker.library)
        assert isinstance(item, (Movie, Episode))
        progress = write.progress
        if progress is None and write.position is not None:
            runtime = await self.runtime(item)
            progress = write.position / runtime * 100 if runtime else None
        if progress is None:
            return refused("runtime_unknown")
        await self._api.write("scrobble/pause", scrobble_body(item, progress))
        return Receipt(outcome=Outcome.DONE)

    async def runtime(self, item: Movie | Episode) -> int | None:
        """Return the length in seconds."""
        if item.runtime:
            return item.runtime
        if isinstance(item, Movie):
            key = item.ids.get("simkl")
            if key is None:
                _, key = await self._tracker.titles.redirect(item.ids, "movie")
            _, page = await self._tracker.titles.page(key, ("movies", "anime"))
            return page.runtime * 60 if page.runtime else None
        found = (await self._detail(item.show)).find(item.season, item.number)
        return found.episode.runtime if found else None

    async def _clear(self, write: ClearProgress) -> Receipt:
        item = as_known(write.item, self._tracker.library)
        rows = await self._api.read(
            "sync/playback", list_decoder(Paused), {"hide_watched": "false"}
        )
        row = next((r for r in rows if r.id is not None and is_paused(r, item)), None)
        if row is None:
            return ALREADY
        try:
            await self._api.delete(f"sync/playback/{row.id}")
        except NotFound:
            return ALREADY
        return Receipt(outcome=Outcome.DONE)
