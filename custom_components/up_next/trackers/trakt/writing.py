"""Carrying out writes: look first, post only what is missing, never post twice what was posted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from ...library import Play
from ...media import Episode, MediaItem, Movie, Playable, Season, Show
from ...writes import (
    CheckIn,
    ClearProgress,
    MarkUnwatched,
    MarkWatched,
    Outcome,
    Rate,
    Receipt,
    RemovePlays,
    Scrobble,
    SetHidden,
    SetProgress,
    SetWatchlisted,
    Write,
)
from ..errors import AccessDenied, BadAnswer, NotFound, Unsure
from ..tracker import QueuedWrite
from ..transport import Json
from .api import Api, Conflict, lacks_permission, needs_plan
from .bodies import Body, is_missing, once, playing, same, stamp, wanted
from .convert import Converter
from .lookup import Lookup, Seen
from .payloads import NotFoundBody, decode_playback, decode_write
from .receipts import ALREADY, DONE, NOT_FOUND, refused
from .scrobbling import STOP_PATH, WATCHED_FROM, Scrobbler

BATCH: Final = 100
"""Items in one POST (section 8: 50-100)."""
IDS_A_POST: Final = 500


def combine(writes: Sequence[Write]) -> int:
    """Return how many writes, from the first, go into one POST."""
    first = writes[0]
    count = 0
    for write in writes[:BATCH]:
        match first, write:
            case MarkWatched(), MarkWatched():
                pass
            case SetWatchlisted(), SetWatchlisted() if first.listed == write.listed:
                pass
            case Rate(), Rate() if (first.rating is None) == (write.rating is None):
                pass
            case _:
                break
        count += 1
    return max(1, count)


@dataclass(slots=True)
class Plan:
    """What one MarkWatched comes to: the items to post, and what is known of its show."""

    write: MarkWatched
    items: list[Playable] = field(default_factory=list)
    receipt: Receipt | None = None
    show: Seen | None = None
    uncertain: bool = False
    """Whether it names an episode that the service did not list: it may not exist."""


class Writer:
    """Carries out writes of one account."""

    def __init__(self, api: Api, convert: Converter, lookup: Lookup) -> None:
        """Look with `lookup`, post through `api`."""
        self._api = api
        self._convert = convert
        self._lookup = lookup
        self._scrobbler = Scrobbler(api, convert, lookup)
        self._removing: dict[str, str] = {}

    async def send(self, writes: Sequence[QueuedWrite]) -> Sequence[Receipt]:
        """Carry out what `combine` put together."""
        first = writes[0].write
        await self._lookup.prepare([], fresh=False)
        try:
            if isinstance(first, MarkWatched):
                return await self._mark(writes)
            if isinstance(first, SetWatchlisted):
                return await self._watchlist(writes)
            if isinstance(first, Rate):
                return await self._rate(writes)
            return [await self._single(each) for each in writes]
        except AccessDenied as error:
            if not needs_plan(error):
                raise
            return [refused("plan_required") for _ in writes]

    async def _single(self, queued: QueuedWrite) -> Receipt:
        match queued.write:
            case MarkUnwatched(item=item):
                return await self._unmark(item)
            case RemovePlays() as write:
                return await self._remove(write, unsure=queued.unsure)
            case SetProgress() as write:
                return await self._set_progress(write)
            case ClearProgress(item=item):
                return await self._clear_progress(item)
            case SetHidden() as write:
                return await self._hide(write)
            case Scrobble() | CheckIn():
                return await self._scrobbler.send(queued)
        return refused("not_supported")

    # watched --------------------------------------------------------------------------------------------------

    async def _mark(self, writes: Sequence[QueuedWrite]) -> Sequence[Receipt]:
        marks = [
            (each, each.write) for each in writes if isinstance(each.write, MarkWatched)
        ]
        unsure = any(each.unsure for each in writes)
        await self._lookup.prepare([write.item for _, write in marks], fresh=unsure)
        plans = [await self._plan(each, write) for each, write in marks]
        # two writes of one batch may name the same episode: once is enough, unless it is a rewatch
        posted: set[tuple[str, int, int]] = set()
        body = Body()
        for plan in plans:
            if plan.receipt is None and not plan.write.rewatch:
                plan.items = [i for i in plan.items if once(i, posted)]
                if not plan.items:
                    plan.receipt = ALREADY
            if plan.receipt is None:
                for item in plan.items:
                    body.add(item, watched_at=stamp(plan.write.watched_at))
        missing = NotFoundBody()
        if body:
            answer = await self._api.write("/sync/history", body.json())
            try:
                missing = (await self._api.http.decode(decode_write, answer)).not_found
            except BadAnswer as error:
                # it was carried out, at least in part: look before repeating
                raise Unsure(str(error)) from error
        return [self._marked(plan, missing) for plan in plans]

    async def _plan(self, queued: QueuedWrite, write: MarkWatched) -> Plan:
        if isinstance(write.item, Movie):
            return await self._plan_movie(queued, write, write.item)
        item = write.item
        plan = Plan(write)
        show = await self._lookup.show(item if isinstance(item, Show) else item.show)
        if show is None:
            plan.receipt = NOT_FOUND
            return plan
        whole = not isinstance(item, Episode)
        try:
            seen = await self._lookup.show_seen(
                show, listing=whole, fresh=queued.unsure
            )
        except NotFound:
            plan.receipt = NOT_FOUND
            return plan
        plan.show = seen
        plan.items = await self._missing(queued, write, show, seen)
        if not plan.items:
            plan.receipt = Receipt(outcome=Outcome.ALREADY, progress=seen.progress())
        if isinstance(item, Episode) and seen.listed is not None:
            plan.uncertain = (item.season, item.number) not in seen.listed
        return plan

    async def _missing(
        self, queued: QueuedWrite, write: MarkWatched, show: Show, seen: Seen
    ) -> list[Playable]:
        """Return the episodes to post."""
        episodes = wanted(write.item, show, seen)
        if not write.rewatch:
            episodes = [e for e in episodes if (e.season, e.number) not in seen.seen]
        if isinstance(write.item, Episode) and episodes:
            # an earlier attempt, or an episode that the progress leaves out (hidden season, not aired)
            unlisted = seen.listed is not None and not seen.listed & {
                (write.item.season, write.item.number)
            }
            if (queued.unsure and write.rewatch) or (unlisted and not write.rewatch):
                plays = await self._lookup.plays(episodes[0])
                made = self._lookup.match(plays, write.watched_at, episodes[0])
                if made is not None or (plays and not write.rewatch):
                    return []
        elif write.rewatch and queued.unsure and episodes:
            done = await self._lookup.same_minute(show, write)
            episodes = [e for e in episodes if (e.season, e.number) not in done]
        return list(episodes)

    async def _plan_movie(
        self, queued: QueuedWrite, write: MarkWatched, item: Movie
    ) -> Plan:
        plan = Plan(write)
        movie = await self._lookup.movie(item)
        if movie is None:
            plan.receipt = NOT_FOUND
            return plan
        plan.items = [movie]
        if write.rewatch:
            if queued.unsure:
                plays = await self._lookup.plays(movie)
                if self._lookup.match(plays, write.watched_at, movie):
                    plan.receipt = ALREADY
        elif await self._lookup.movie_seen(movie):
            plan.receipt = ALREADY
        return plan

    def _marked(self, plan: Plan, missing: NotFoundBody) -> Receipt:
        if plan.receipt is not None:
            return plan.receipt
        done: list[Playable] = []
        for item in plan.items:
            lost = is_missing(item, missing)
            if isinstance(item, Episode) and not plan.uncertain and not item.ids:
                # bare numbers in "not found" belong to the episodes that were not listed
                lost = is_missing(item.show, missing)
            if not lost:
                done.append(item)
        if not done:
            return NOT_FOUND
        self._lookup.wrote(done, watched=True)
        at = plan.write.watched_at
        plays = tuple(
            Play(item=item, watched_at=at if isinstance(at, datetime) else None)
            for item in done
        )
        progress = plan.show.progress() if plan.show else None
        return Receipt(outcome=Outcome.DONE, plays=plays, progress=progress)

    async def _unmark(self, item: MediaItem) -> Receipt:
        resolved = await self._lookup.resolve(item)
        if resolved is None:
            return NOT_FOUND
        plays = await self._lookup.plays(resolved)
        return await self._forget(resolved, plays)

    async def _remove(self, write: RemovePlays, *, unsure: bool) -> Receipt:
        resolved = await self._lookup.resolve(write.item)
        if resolved is None or isinstance(resolved, (Show, Season)):
            return NOT_FOUND
        plays = await self._lookup.plays(resolved)
        meant = set(write.play_ids)
        mark = f"{resolved.type}:{resolved.ids.get('trakt') or resolved.label}"
        if not meant:
            if unsure:
                # "the newest" may be another one by now: only the one tried before may go
                tried = self._removing.get(mark)
                if tried is None:
                    return refused()
                meant = {tried}
                if not any(play.id == tried for play in plays):
                    return DONE
            else:
                meant = {play.id or "" for play in plays[:1]}
                self._removing[mark] = next(iter(meant), "")
        chosen = [play for play in plays if play.id in meant]
        receipt = await self._forget(resolved, chosen, rest=len(plays) - len(chosen))
        self._removing.pop(mark, None)
        return receipt

    async def _forget(
        self, item: MediaItem, plays: Sequence[Play], rest: int = 0
    ) -> Receipt:
        """Remove plays by their history ids: removing by media could take more than was meant."""
        if not plays:
            return ALREADY
        numbers = [int(play.id) for play in plays if play.id and play.id.isdigit()]
        for start in range(0, len(numbers), IDS_A_POST):
            part: list[Json] = list(numbers[start : start + IDS_A_POST])
            # a removed id cannot be removed twice
            await self._api.write(
                "/sync/history/remove", {"ids": part}, idempotent=True
            )
        if not rest:
            self._lookup.wrote((play.item for play in plays), watched=False)
        return Receipt(
            outcome=Outcome.DONE,
            plays=tuple(plays),
            progress=await self._lookup.progress_of(item),
        )

    # lists ----------------------------------------------------------------------------------------------------

    async def _watchlist(self, writes: Sequence[QueuedWrite]) -> Sequence[Receipt]:
        items: list[MediaItem | None] = []
        body = Body()
        listed = False
        for each in writes:
            if isinstance(each.write, SetWatchlisted):
                listed = each.write.listed
                item = await self._lookup.named(each.write.item)
                items.append(item)
                if item is not None:
                    body.add(item)
        path = "/sync/watchlist" if listed else "/sync/watchlist/remove"
        if not body:
            return [NOT_FOUND for _ in items]
        answer = await self._api.write(path, body.json(), idempotent=True)
        told = await self._api.http.decode(decode_write, answer)
        changed = told.added if listed else told.deleted
        # the answer counts, it does not name: in a mixed batch all are called done
        outcome = ALREADY if changed is not None and changed.total == 0 else DONE
        return [
            NOT_FOUND if item is None or is_missing(item, told.not_found) else outcome
            for item in items
        ]

    async def _rate(self, writes: Sequence[QueuedWrite]) -> Sequence[Receipt]:
        items: list[MediaItem | None] = []
        body = Body()
        removing = False
        for each in writes:
            if isinstance(each.write, Rate):
                item = await self._lookup.named(each.write.item)
                items.append(item)
                removing = each.write.rating is None
                if item is not None and each.write.rating is not None:
                    body.add(item, rating=each.write.rating)
                elif item is not None:
                    body.add(item)
        path = "/sync/ratings/remove" if removing else "/sync/ratings"
        if not body:
            return [NOT_FOUND for _ in items]
        answer = await self._api.write(path, body.json(), idempotent=True)
        told = await self._api.http.decode(decode_write, answer)
        changed = told.deleted if removing else told.added
        outcome = ALREADY if changed is not None and changed.total == 0 else DONE
        return [
            NOT_FOUND if item is None or is_missing(item, told.not_found) else outcome
            for item in items
        ]

    async def _hide(self, write: SetHidden) -> Receipt:
        show = await self._lookup.show(write.show)
        if show is None:
            return NOT_FOUND
        body = Body()
        body.add(show)
        # a show can be hidden in two ways; bringing it back undoes both
        paths = (
            ("/users/hidden/dropped",)
            if write.hidden
            else (
                "/users/hidden/dropped/remove",
                "/users/hidden/progress_watched/remove",
            )
        )
        changed = 0
        for path in paths:
            answer = await self._api.write(path, body.json(), idempotent=True)
            told = await self._api.http.decode(decode_write, answer)
            if told.not_found.shows:
                return NOT_FOUND
            counts = told.added if write.hidden else told.deleted
            changed += 1 if counts is None else counts.total
        return DONE if changed else ALREADY

    # positions ------------------------------------------------------------------------------------------------

    async def _set_progress(self, write: SetProgress) -> Receipt:
        item, progress = write.item, write.progress
        if progress is None and write.position is not None and item.runtime:
            progress = write.position / item.runtime * 100
        if progress is None or not 1 <= progress < WATCHED_FROM:
            # below 1 % nothing is saved, from 80 % on it would count as watched
            return refused("not_supported")
        resolved = await self._lookup.resolve(item)
        if resolved is None or isinstance(resolved, (Show, Season)):
            return NOT_FOUND
        body = {**playing(resolved), "progress": round(progress, 2)}
        try:
            # a stop below 80 % is the documented way to save a position
            await self._api.write(STOP_PATH, body, idempotent=True)
        except Conflict:
            return ALREADY
        except NotFound:
            return NOT_FOUND
        except AccessDenied as error:
            if not lacks_permission(error):
                raise
            return refused("not_supported")
        return DONE

    async def _clear_progress(self, item: Playable) -> Receipt:
        kind = "movies" if isinstance(item, Movie) else "episodes"
        rows = await self._api.pages(decode_playback, f"/sync/playback/{kind}")
        done = False
        for row in rows:
            found = self._convert.playable(row)
            if found is None or row.id is None or not same(found, item):
                continue
            try:
                await self._api.delete(f"/sync/playback/{row.id}")
            except NotFound:
                continue
            done = True
        return DONE if done else ALREADY
