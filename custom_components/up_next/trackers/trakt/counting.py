"""What is unwatched: up next in a few pages, single shows after a play, and the way without up next."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
import json
import logging
from typing import Final

from ...library import ShowProgress, format_seen
from ...media import Show
from ..errors import AccessDenied, BadAnswer, NotFound, Refused, TrackerError
from .api import Api
from .convert import Converter
from .draft import Draft
from .payloads import (
    ProgressRow,
    WatchedRow,
    decode_minimal_keys,
    decode_progress,
    decode_up_next,
    decode_watched,
)

_LOGGER = logging.getLogger(__name__)

UP_NEXT: Final = "/sync/progress/up_next_nitro"
MOST_TOUCHED: Final = 8
"""More shows than this are read anew through up next, not one by one."""
RETRY_UP_NEXT: Final = timedelta(days=1)
"""How long a refusal of up next is remembered."""
PAGES_A_CYCLE: Final = 20
SHOWS_A_CYCLE: Final = 100
"""What the way without up next reads in one refresh; with a refresh a minute that is 600 of 1000 GETs."""

type Overlay = Mapping[tuple[int, int], bool]
"""Regular episodes by (season, number) that are known to be watched (True) or not, whatever progress reads say."""


@dataclass(slots=True)
class Fallback:
    """How far the way without up next has come: kept in the library's markers between refreshes.

    `page` is the next page of the watched shows, 0 when all were read. `pending` are the shows still to be asked
    for, newest first, `done` those asked for, and `cache` those of the former round: key -> last_updated_at.
    """

    page: int = 1
    pending: dict[str, str] = field(default_factory=dict)
    done: dict[str, str] = field(default_factory=dict)
    cache: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, text: str | None) -> Fallback | None:
        """Read what `dump` wrote."""
        if text is None:
            return None
        data = json.loads(text)
        return cls(data["page"], data["pending"], data["done"], data["cache"])

    def dump(self) -> str:
        """Write it into a marker."""
        return json.dumps(asdict(self))

    def busy(self) -> bool:
        """Say whether something is left to read."""
        return self.page > 0 or bool(self.pending)


class Counter:
    """Counts the shows of a draft."""

    def __init__(self, api: Api, convert: Converter) -> None:
        """Read through `api`."""
        self._api = api
        self._convert = convert

    async def all(self, draft: Draft, now: datetime, *, sure: bool) -> None:
        """Count every show afresh, through up next or without it.

        `sure` says that the counts so far still hold (only time has passed): they stay on display while the way
        without up next takes several refreshes.
        """
        rows = await self._up_next(draft, now)
        if rows is None:
            old = Fallback.load(draft.markers.get("fallback"))
            fresh = Fallback(cache={**old.cache, **old.done} if old else {})
            draft.markers["fallback"] = fresh.dump()
            draft.complete = draft.complete and sure
            await self.go_on(draft, now)
        else:
            draft.markers.pop("fallback", None)
            draft.complete = True
            concealed = draft.concealed()
            found = {key: draft.shows[key] for key in concealed}
            for row in rows:
                progress = self._row(row, now)
                key = progress and progress.show.ids.get("trakt")
                if progress and key and key not in concealed:
                    found[key] = progress
            draft.shows = found
        draft.note("counted", now)

    def _row(self, row: ProgressRow, now: datetime) -> ShowProgress | None:
        show = self._convert.show(row.show)
        body = row.progress
        if show is None or body is None or body.aired is None:
            return None
        return ShowProgress(
            show=show,
            aired=body.aired,
            watched=body.completed or 0,
            counted_at=now,
            next_episode=self._convert.episode(show, body.next_episode),
            last_watched_at=body.last_watched_at,
        )

    async def _up_next(self, draft: Draft, now: datetime) -> list[ProgressRow] | None:
        """Read up next; None when this app does not get it."""
        refused = draft.time("up_next_refused")
        if refused is not None and refused + RETRY_UP_NEXT > now:
            return None
        try:
            rows = await self._api.pages(
                decode_up_next, UP_NEXT, {"intent": "continue"}
            )
            if rows or not draft.started or await self._answers():
                draft.note("up_next_refused", None)
                return rows
        except TrackerError as error:
            if not _refuses(error):
                raise
            _LOGGER.debug("up next is refused: %s", error)
        draft.note("up_next_refused", now)
        return None

    async def _answers(self) -> bool:
        """Tell an account that is caught up from an app that gets nothing: ask for the completed shows."""
        rows, _, _ = await self._api.page(
            decode_up_next, UP_NEXT, {"intent": "completed"}, limit=1
        )
        return bool(rows)

    async def started(self) -> frozenset[str]:
        """Return the keys of all shows with a play of a regular episode."""
        path = "/sync/watched/shows"
        try:
            return await self._api.one(
                decode_minimal_keys, path, {"extended": "min", "specials": "false"}
            )
        except (Refused, BadAnswer) as error:
            _LOGGER.debug("no minimal list of watched shows: %s", error)
            rows = await self._api.pages(decode_watched, path)
            keys = (row.show.ids.get("trakt") for row in rows if row.show)
            return frozenset(key for key in keys if key)

    # single shows ---------------------------------------------------------------------------------------------

    async def touched(
        self, draft: Draft, shows: Mapping[str, Show], overlay: Mapping[str, Overlay]
    ) -> None:
        """Count single shows afresh. What progress still misses of `overlay` is read once more a little later."""
        stale: set[str] = set()
        rows = await asyncio.gather(
            *(self.one(show, overlay.get(key, {})) for key, show in shows.items()),
            return_exceptions=True,
        )
        for key, found in zip(shows, rows, strict=True):
            if isinstance(found, NotFound):
                # the show is gone from the catalogue
                draft.shows.pop(key, None)
                continue
            if isinstance(found, BaseException):
                raise found
            draft.shows[key], behind = found
            if behind:
                stale.add(key)
        if stale:
            draft.markers["stale"] = " ".join(sorted(stale))

    async def one(self, show: Show, overlay: Overlay) -> tuple[ShowProgress, bool]:
        """Count one show; the second value says whether the answer was behind `overlay`."""
        now = self._api.context.now()
        body = await self._api.one(
            decode_progress,
            f"/shows/{show.ids.get('trakt')}/progress/watched",
            {"extended": "full,images", "hidden": "false", "specials": "false"},
        )
        if body.reset_at is not None:
            # a rewatch: plays before it do not count, and the overlay does not know which those are
            overlay = {}
        listed = body.listed()
        behind = any(
            key in listed and listed[key].completed != watched
            for key, watched in overlay.items()
        )
        return self._convert.listing(show, body, now, overlay), behind

    # the way without up next ----------------------------------------------------------------------------------

    async def go_on(self, draft: Draft, now: datetime) -> None:
        """Read on from where the last refresh stopped (section 7, fallback)."""
        work = Fallback.load(draft.markers.get("fallback"))
        if work is None or not work.busy():
            return
        concealed = draft.concealed()
        for _ in range(PAGES_A_CYCLE):
            if not work.page:
                break
            rows, pages, _ = await self._api.page(
                decode_watched,
                "/sync/watched/shows",
                {"extended": "progress,full,images"},
                page=work.page,
                limit=100,
            )
            self._candidates(draft, work, rows, concealed, now)
            work.page = work.page + 1 if rows and work.page < pages else 0
        keys = list(work.pending)[:SHOWS_A_CYCLE]
        shows = {key: draft.shows[key].show for key in keys if key in draft.shows}
        await self.touched(draft, shows, {})
        for key in keys:
            work.done[key] = work.pending.pop(key)
        if not work.busy():
            draft.complete = True
            draft.shows = {
                key: row
                for key, row in draft.shows.items()
                if key in concealed or key in work.done
            }
            work.cache = {}
        draft.markers["fallback"] = work.dump()

    def _candidates(
        self,
        draft: Draft,
        work: Fallback,
        rows: Iterable[WatchedRow],
        concealed: Collection[str],
        now: datetime,
    ) -> None:
        """Take up the shows of one page that seem to have something left."""
        for row in rows:
            show = self._convert.show(row.show)
            key = show.ids.get("trakt") if show else None
            if show is None or key is None or key in concealed:
                continue
            since = row.reset_at
            seen = {
                (season.number, each.number)
                for season in row.seasons
                for each in season.episodes
                if season.number
                and each.number is not None
                and (
                    since is None
                    or each.last_watched_at is None
                    or each.last_watched_at >= since
                )
            }
            aired = row.aired_episodes or 0
            if not seen or len(seen) >= aired:
                draft.shows.pop(key, None)
                continue
            known = draft.shows.get(key)
            updated = row.last_updated_at or ""
            if (
                known is not None
                and known.aired == aired
                and work.cache.get(key) == updated
            ):
                draft.shows[key] = replace(known, counted_at=now)
                work.done[key] = updated
                continue
            draft.shows[key] = ShowProgress(
                show=show,
                aired=aired,
                watched=len(seen),
                counted_at=now,
                last_watched_at=row.last_watched_at,
                seen=format_seen(seen),
            )
            work.pending[key] = updated


def busy(draft: Draft) -> bool:
    """Say whether the way without up next has something left to read."""
    work = Fallback.load(draft.markers.get("fallback"))
    return work is not None and work.busy()


def _refuses(error: TrackerError) -> bool:
    """Say whether an error means that this app does not get up next, while the rest works."""
    if isinstance(error, AccessDenied):
        return error.translation_key in ("app_rejected", "plan_required")
    return isinstance(error, NotFound)
