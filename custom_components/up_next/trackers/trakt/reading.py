"""Keeping the library up to date: two requests when nothing moved, a few when something did.

The order of business and its price are told in docs/trackers/trakt.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
import logging
from typing import Final

from ...account import Account, Capability
from ...library import Library, Play, Playback, ShowProgress, ShowStatus, Totals
from ...media import Episode, Show
from ..errors import BadAnswer, NotFound, TrackerError
from ..tracker import Refresh
from .api import Api, needs_plan
from .convert import Converter
from .counting import MOST_TOUCHED, Counter, Overlay
from .draft import VERSION, Draft
from .payloads import (
    CalendarRow,
    HiddenRow,
    SettingsBody,
    StatsBody,
    WatchlistRow,
    decode_activities,
    decode_calendar,
    decode_hidden,
    decode_history,
    decode_playback,
    decode_settings,
    decode_stats,
    decode_watching,
    decode_watchlist,
)
from .rhythm import next_in, while_fed

_LOGGER = logging.getLogger(__name__)

FULL: Final = {"extended": "full,images"}
RECENT: Final = 30
"""Plays in the library."""
CALENDAR_EVERY: Final = timedelta(hours=6)
COUNT_EVERY: Final = timedelta(days=1)
DAYS_AHEAD: Final = 33
MANY_SHOWS: Final = 1000
"""From so many started shows on, the calendar is read without pictures and texts: it would be tens of megabytes."""
REST_AFTER_WRITE: Final = 8.0
"""Seconds; progress reads are stale for a while after a write (trakt-api #773)."""
LOOK_AGAIN: Final = timedelta(seconds=15)
GAPS_A_TURN: Final = 5


@dataclass(slots=True)
class Delta:
    """What a look at the history showed. `everything` means that it cannot be told what changed."""

    changed: bool = False
    everything: bool = False
    shows: dict[str, Show] = field(default_factory=dict)
    overlay: dict[str, dict[tuple[int, int], bool]] = field(default_factory=dict)


class Reader:
    """Refreshes the library of one account."""

    def __init__(
        self, api: Api, convert: Converter, may: Capability, lists: tuple[str, ...]
    ) -> None:
        """Read through `api`; `lists` are the kinds of watchlist items to follow ("movies", "shows", ...)."""
        self._api = api
        self._convert = convert
        self._may = may
        self._lists = frozenset(lists)
        self._counter = Counter(api, convert)

    def account(self, body: SettingsBody) -> Account:
        """Make the account. Raises BadAnswer when the answer does not say who it is."""
        user = body.user
        identity = user.uuid or user.trakt
        if not identity:
            raise BadAnswer("/users/settings: no user")
        vip = user.vip or user.vip_ep
        return Account(
            id=identity,
            name=user.username or user.name or identity,
            can=self._may,
            plan="vip" if vip else "free",
            url=f"https://app.trakt.tv/users/{user.slug}" if user.slug else None,
        )

    async def read_account(self) -> Account:
        """Ask who signed in."""
        return self.account(await self._api.one(decode_settings, "/users/settings"))

    async def refresh(self, previous: Library | None) -> Refresh:
        """Bring the library up to date."""
        if previous is not None and previous.markers.get("version") != VERSION:
            previous = None
        await self._rest()
        now = self._api.context.now()
        activities, watching = await asyncio.gather(
            self._api.one(decode_activities, "/sync/last_activities"),
            self._watching(previous, now),
        )
        if not activities:
            raise BadAnswer("/sync/last_activities: no markers")
        if previous is None:
            draft = Draft(account=await self.read_account())
            draft.markers["version"] = VERSION
            draft.read("settings", activities, now)
        else:
            draft = Draft.of(previous)
            # what was cached by an older version knows less of what can be done
            draft.account = replace(draft.account, can=self._may)
        draft.watching = watching
        # of a second change within a minute the markers say nothing
        changed, self._api.changed = self._api.changed, set()
        try:
            await self._update(draft, activities, now, changed)
        except BaseException:
            self._api.changed |= changed
            raise
        library = draft.finish(previous, now)
        return Refresh(
            library=library,
            next_in=next_in(draft, activities, now),
            while_fed=while_fed(draft, now),
            settled=draft.settled,
        )

    async def _rest(self) -> None:
        since = (self._api.context.now() - self._api.wrote_at).total_seconds()
        if 0 <= since < REST_AFTER_WRITE:
            await self._api.context.sleep(REST_AFTER_WRITE - since)

    async def _update(
        self,
        draft: Draft,
        activities: Mapping[str, str],
        now: datetime,
        changed: Collection[str],
    ) -> None:
        """Read what moved, and what we `changed` ourselves."""
        if draft.due("settings", activities, now):
            draft.account = await self.read_account()
            draft.read("settings", activities, now)
            # another plan may allow what was refused
            draft.markers.pop("vip_only", None)
            draft.note("up_next_refused", None)
        hidden_moved = False
        if "hidden" in changed or draft.due("hidden", activities, now):
            hidden_moved = await self._hidden(draft, now)
            draft.read("hidden", activities, now)
        delta = Delta()
        if "history" in changed or draft.due("history", activities, now):
            delta = await self._history(draft, moved=draft.moved("history", activities))
            draft.read("history", activities, now)
        first = draft.time("counted") is None
        calendar = draft.time("calendar")
        turn = first or calendar is None or now - calendar >= CALENDAR_EVERY
        everything = await self._count(
            draft, delta, now, first=first, turn=turn, again=hidden_moved
        )
        if everything and (
            (delta.changed and draft.fresh("history", activities, now))
            or (hidden_moved and draft.fresh("hidden", activities, now))
        ):
            # up next may not have heard of it yet (trakt-api #773)
            draft.note("settle.count", now + LOOK_AGAIN)
        if delta.changed:
            await self._totals(draft)
        if turn or hidden_moved:
            await self._calendar(draft, now)
        _add_caught_up(draft, now)
        await self._lists_of(draft, activities, now, changed)

    async def _lists_of(
        self,
        draft: Draft,
        activities: Mapping[str, str],
        now: datetime,
        changed: Collection[str],
    ) -> None:
        lists = " ".join(sorted(self._lists))
        if (
            "watchlist" in changed
            or draft.due("watchlist", activities, now)
            or draft.markers.get("lists") != lists
        ):
            await self._watchlist(draft)
            draft.read("watchlist", activities, now)
            draft.markers["lists"] = lists
        if "playback" in changed or draft.due("playback", activities, now):
            await self._playback(draft, now)
            draft.read("playback", activities, now)

    # counting -------------------------------------------------------------------------------------------------

    async def _count(
        self,
        draft: Draft,
        delta: Delta,
        now: datetime,
        *,
        first: bool,
        turn: bool,
        again: bool,
    ) -> bool:
        """Count the shows that something happened to, or everything; say whether it was everything."""
        counted = draft.time("counted") or now
        recount = draft.time("settle.count")
        settled = recount is not None and recount <= now
        if first or delta.everything:
            draft.started = await self._counter.started()
        draft.started = draft.started.union(delta.overlay)
        shows = {
            key: show
            for key, show in delta.shows.items()
            if key not in draft.concealed()
        }
        if stale := draft.markers.pop("stale", ""):
            shows |= _shows(draft, stale.split())
        overlay: dict[str, Overlay] = {**delta.overlay}
        if turn and not first:
            shows |= _shows(draft, _aired_since(draft, now))
            gaps = [k for k, row in draft.shows.items() if _lost(row)]
            shows |= _shows(draft, gaps[:GAPS_A_TURN])
        everything = first or again or settled or delta.everything
        daily = turn and now - counted >= COUNT_EVERY
        if everything or daily or len(shows) > MOST_TOUCHED:
            await self._counter.all(draft, now, sure=not everything)
            draft.note("settle.count", None)
            return True
        await self._counter.go_on(draft, now)
        if shows:
            await self._counter.touched(draft, shows, overlay)
        return False

    async def _history(self, draft: Draft, *, moved: bool) -> Delta:
        """Look at the newest plays and tell what changed.

        The number of all plays is the proof: when it grew by exactly the new ones on this page and the rest of the
        page is as it was, nothing was removed, edited or back-dated.
        """
        rows, _, total = await self._api.page(
            decode_history, "/sync/history", FULL, limit=RECENT
        )
        plays = tuple(
            play for row in rows if (play := self._convert.play(row)) and play.id
        )
        known = {play.id for play in draft.plays}
        fresh = [play for play in plays if play.id not in known]
        rest = [play for play in plays if play.id in known]
        before = int(draft.markers.get("plays", "-1"))
        proven = (
            total is not None
            and total == before + len(fresh)
            and [_trace(p) for p in rest]
            == [_trace(p) for p in draft.plays[: len(rest)]]
            and (bool(rest) or before == 0)
        )
        draft.markers["plays"] = str(-1 if total is None else total)
        if not proven:
            draft.plays = plays
            return Delta(changed=True, everything=True)
        if not fresh:
            # the markers moved, but nothing is to be seen here: it happened further back
            return Delta(changed=moved, everything=moved)
        draft.plays = plays
        delta = Delta(changed=True)
        for play in fresh:
            if isinstance(play.item, Episode) and play.item.season > 0:
                key = play.item.show.ids.values["trakt"]
                delta.shows[key] = play.item.show
                numbers = (play.item.season, play.item.number)
                delta.overlay.setdefault(key, {})[numbers] = True
        return delta

    # parts ----------------------------------------------------------------------------------------------------

    async def _watching(
        self, previous: Library | None, now: datetime
    ) -> Playback | None:
        answer = await self._api.http.get("/users/me/watching", FULL)
        if answer.status == 204 or not answer.body:
            return None
        body = await self._api.http.decode(decode_watching, answer)
        playback = self._convert.watching(body, now)
        before = previous.watching if previous else None
        if playback is None or before is None:
            return playback
        kept = replace(
            playback,
            updated_at=before.updated_at,
            progress=before.progress,
            position=before.position,
        )
        return before if kept == before else playback

    async def _hidden(self, draft: Draft, now: datetime) -> bool:
        """Read the dropped and hidden shows; say whether they changed since an earlier reading."""
        rows: dict[str, ShowProgress] = {}
        seasons: set[str] = set()
        sections = (
            ("progress_watched", ShowStatus.HIDDEN),
            ("dropped", ShowStatus.DROPPED),
        )
        for section, status in sections:
            for hidden in await self._hidden_section(draft, section):
                show = self._convert.show(hidden.show)
                key = show.ids.get("trakt") if show else None
                if show is None or key is None:
                    continue
                if hidden.season is not None:
                    if hidden.season.number is not None:
                        seasons.add(f"{key}:{hidden.season.number}")
                    continue
                rows[key] = ShowProgress(
                    show=show, aired=0, watched=0, counted_at=now, status=status
                )
        before = {key: draft.shows[key].status for key in draft.concealed()}
        noted = " ".join(sorted(seasons))
        changed = draft.markers.get("hidden_seasons", "") != noted or before != {
            key: row.status for key, row in rows.items()
        }
        if not changed and draft.time("counted") is not None:
            return False
        draft.markers["hidden_seasons"] = noted
        visible = {k: row for k, row in draft.shows.items() if k not in before}
        draft.shows = visible | rows
        return draft.time("counted") is not None

    async def _hidden_section(self, draft: Draft, section: str) -> list[HiddenRow]:
        return await self._optional(
            draft,
            f"hidden_{section}",
            lambda: self._api.pages(decode_hidden, f"/users/hidden/{section}"),
            [],
        )

    async def _totals(self, draft: Draft) -> None:
        body = await self._optional(
            draft,
            "stats",
            lambda: self._api.one(decode_stats, "/users/me/stats"),
            StatsBody(),
        )
        draft.totals = Totals(
            movies=body.movies.watched if body.movies else None,
            shows=body.shows.watched if body.shows else None,
            episodes=body.episodes.watched if body.episodes else None,
        )

    async def _watchlist(self, draft: Draft) -> None:
        rows: list[WatchlistRow] = await self._optional(
            draft,
            "watchlist",
            lambda: self._api.pages(decode_watchlist, "/sync/watchlist", FULL),
            [],
        )
        entries = (self._convert.entry(row) for row in rows)
        draft.watchlist = tuple(
            entry for entry in entries if entry and f"{entry.item.type}s" in self._lists
        )

    async def _playback(self, draft: Draft, now: datetime) -> None:
        path = "/sync/playback"
        try:
            rows = await self._api.pages(decode_playback, path, FULL)
        except NotFound:
            # the route without a type is documented in older texts only
            rows = await self._api.pages(decode_playback, f"{path}/movies", FULL)
            rows += await self._api.pages(decode_playback, f"{path}/episodes", FULL)
        except TrackerError as error:
            if not needs_plan(error):
                raise
            rows = []
        found = (self._convert.playback(row, now) for row in rows)
        playbacks = [playback for playback in found if playback is not None]
        playbacks.sort(key=lambda playback: playback.updated_at, reverse=True)
        draft.playbacks = tuple(playbacks)

    async def _calendar(self, draft: Draft, now: datetime) -> None:
        start = (now - timedelta(days=1)).date()
        path = f"/calendars/my/shows/{start}/{DAYS_AHEAD}"
        params = FULL if len(draft.started) < MANY_SHOWS else {}
        rows: list[CalendarRow] = await self._optional(
            draft,
            "calendar",
            lambda: self._api.one(decode_calendar, path, params),
            [],
        )
        draft.airings = await self._api.context.run(
            self._airings,
            rows,
            frozenset(draft.concealed()),
            frozenset(draft.hidden_seasons()),
            dict(draft.shows),
        )
        draft.note("calendar", now)

    def _airings(
        self,
        rows: list[CalendarRow],
        concealed: frozenset[str],
        seasons: frozenset[tuple[str, int]],
        shows: Mapping[str, ShowProgress],
    ) -> Mapping[str, tuple[Episode, ...]]:
        found: dict[str, list[Episode]] = {}
        made: dict[str, Show] = {}
        for row in rows:
            key = row.show.ids.get("trakt") if row.show else None
            if key is None or key in concealed:
                continue
            if key not in made:
                show = self._convert.show(row.show)
                if show is None:
                    continue
                known = shows.get(key)
                # a plain calendar has no pictures and no runtimes
                made[key] = known.show if known and show.picture is None else show
            episode = self._convert.episode(made[key], row.episode, row.first_aired)
            if (
                episode is not None
                and episode.season > 0
                and episode.first_aired is not None
                and (key, episode.season) not in seasons
            ):
                found.setdefault(key, []).append(episode)
        for episodes in found.values():
            episodes.sort(key=_airing)
        return {key: tuple(episodes) for key, episodes in found.items()}

    async def _optional[T](
        self, draft: Draft, name: str, read: Callable[[], Awaitable[T]], default: T
    ) -> T:
        """Read something an account can do without: VIP only (426) or not there (404) gives `default`."""
        refused = draft.markers.get("vip_only", "").split()
        if name in refused:
            return default
        try:
            return await read()
        except NotFound as error:
            _LOGGER.debug("%s is not there: %s", name, error)
        except TrackerError as error:
            if not needs_plan(error):
                raise
            draft.markers["vip_only"] = " ".join([*refused, name])
        return default


def _trace(play: Play) -> tuple[str | None, datetime | None]:
    return play.id, play.watched_at


def _airing(episode: Episode) -> float:
    return episode.first_aired.timestamp() if episode.first_aired else 0.0


def _lost(row: ShowProgress) -> bool:
    """Say whether a show has only gaps left: up next then names no next episode."""
    return row.left > 0 and row.next_episode is None


def _shows(draft: Draft, keys: list[str]) -> dict[str, Show]:
    concealed = draft.concealed()
    return {
        key: draft.shows[key].show
        for key in keys
        if key in draft.shows and key not in concealed
    }


def _aired_since(draft: Draft, now: datetime) -> list[str]:
    """Return the shows of which something has aired since they were counted."""
    return [
        key
        for key, episodes in draft.airings.items()
        if (row := draft.shows.get(key)) is not None
        and any(
            e.first_aired is not None and row.counted_at < e.first_aired <= now
            for e in episodes
        )
    ]


def _add_caught_up(draft: Draft, now: datetime) -> None:
    """Give started shows with known airings a row: they were caught up when everything was counted."""
    counted = draft.time("counted") or now
    for key, episodes in draft.airings.items():
        if key in draft.started and key not in draft.shows:
            draft.shows[key] = ShowProgress(
                show=episodes[0].show, aired=0, watched=0, counted_at=counted
            )
