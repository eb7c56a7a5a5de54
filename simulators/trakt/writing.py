"""The writing half of the simulated Trakt API: history, lists, ratings, hidden items."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from simulators.catalogue import CatalogueEpisode, CatalogueMovie, CatalogueShow

from .base import TraktBase, reply
from .reading import SECTIONS
from .state import EPOCH, MediaKey, iso, season_id

KINDS = ("movies", "shows", "seasons", "episodes")
EPISODE_IDS = ("trakt", "tvdb")
"""The only ids the contract lets an episode be found by."""


@dataclass(slots=True)
class Target:
    """One media item that a body asked for, and the options that came with it."""

    kind: str
    title: CatalogueShow | CatalogueMovie
    season: int | None
    episode: CatalogueEpisode | None
    options: dict[str, Any]

    @property
    def key(self) -> MediaKey:
        """Return the list key of the item."""
        if self.episode is not None:
            return ("episode", int(self.episode.ids["trakt"]))
        if self.season is not None and isinstance(self.title, CatalogueShow):
            return ("season", season_id(self.title, self.season))
        kind = "movie" if isinstance(self.title, CatalogueMovie) else "show"
        return (kind, int(self.title.ids["trakt"]))


class Writing(TraktBase):
    """POST and DELETE routes of /sync and /users."""

    def writes(self) -> list[web.RouteDef]:
        """Return the routes that change the account's lists."""
        return [
            web.post("/sync/history", self._add_history),
            web.post("/sync/history/remove", self._remove_history),
            web.post("/sync/watchlist", self._add_watchlist),
            web.post("/sync/watchlist/remove", self._remove_watchlist),
            web.post("/sync/ratings", self._add_ratings),
            web.post("/sync/ratings/remove", self._remove_ratings),
            web.delete("/sync/playback/{id}", self._delete_playback),
            web.post("/users/hidden/{section}", self._hide),
            web.post("/users/hidden/{section}/remove", self._unhide),
            web.post("/shows/{id}/progress/watched/reset", self._reset),
            web.delete("/shows/{id}/progress/watched/reset", self._undo_reset),
        ]

    # finding what a body names ---------------------------------------------------------------------------------

    def _targets(
        self, body: dict[str, Any], missing: dict[str, list[Any]]
    ) -> Iterator[Target]:
        """Find every item of a body; what is not found is put into `missing`, as it was sent."""
        for kind in KINDS:
            rows = body.get(kind, [])
            if not isinstance(rows, list) or any(not isinstance(r, dict) for r in rows):
                raise web.HTTPUnprocessableEntity(text="")
            for row in rows:
                found = list(self._resolve(kind, row, missing))
                if not found:
                    missing.setdefault(kind, []).append(row)
                yield from found

    def _resolve(
        self, kind: str, row: dict[str, Any], missing: dict[str, list[Any]]
    ) -> Iterator[Target]:
        ids = row.get("ids") or {}
        if kind == "movies":
            movie = self.catalogue.find_movie(
                known(ids, "trakt", "imdb", "tmdb", "slug"),
                row.get("title"),
                row.get("year"),
            )
            if movie is not None:
                yield Target("movie", movie, None, None, row)
        elif kind == "shows":
            show = self.catalogue.find_show(
                known(ids, "trakt", "imdb", "tmdb", "tvdb", "slug"),
                row.get("title"),
                row.get("year"),
            )
            if show is not None:
                yield from self._inside(show, row, missing)
        elif kind == "seasons":
            number = ids.get("trakt")
            found = self.account.season(number) if isinstance(number, int) else None
            if found is not None:
                yield Target("season", found[0], found[1], None, row)
        else:
            pair = self.find_episode(ids)
            if pair is not None:
                yield Target("episode", pair[0], None, pair[1], row)

    def _inside(
        self, show: CatalogueShow, row: dict[str, Any], missing: dict[str, list[Any]]
    ) -> Iterator[Target]:
        seasons = row.get("seasons")
        if not seasons:
            yield Target("show", show, None, None, row)
            return
        for season in seasons:
            number = season.get("number")
            options = {k: v for k, v in row.items() if k != "seasons"} | season
            if number not in show.seasons():
                missing.setdefault("seasons", []).append(
                    {"ids": row.get("ids"), **season}
                )
                continue
            if not season.get("episodes"):
                yield Target("season", show, number, None, options)
            for wanted in season.get("episodes") or []:
                episode = show.episode(number, wanted.get("number"))
                if episode is None:
                    missing.setdefault("episodes", []).append(wanted)
                    continue
                merged = {k: v for k, v in options.items() if k != "episodes"}
                yield Target("episode", show, None, episode, merged | wanted)
        # an item with seasons counts as found, whatever became of its parts
        yield Target("nothing", show, None, None, row)

    def find_episode(
        self, ids: dict[str, Any]
    ) -> tuple[CatalogueShow, CatalogueEpisode] | None:
        """Find an episode by its own ids."""
        for namespace in EPISODE_IDS:
            value = ids.get(namespace)
            if value is not None and str(value).isdigit():
                pair = self.account.episode(namespace, int(value))
                if pair is not None:
                    return pair
        return None

    def _episodes(self, target: Target, *, aired: bool) -> list[CatalogueEpisode]:
        """Return the episodes a target stands for: a show or season means what has aired of it."""
        if target.episode is not None:
            return [target.episode]
        if not isinstance(target.title, CatalogueShow):
            return []
        now = self.clock.now()
        return [
            e
            for e in target.title.episodes
            if (
                e.season == target.season
                if target.season is not None
                else e.season > 0 or not aired
            )
            and (e.first_aired <= now or not aired)
        ]

    # history --------------------------------------------------------------------------------------------------

    async def _add_history(self, request: web.Request) -> web.StreamResponse:
        missing: dict[str, list[Any]] = {}
        planned: list[
            tuple[CatalogueShow | CatalogueMovie, CatalogueEpisode | None, datetime]
        ] = []
        for target in self._targets(await self.body(request), missing):
            when = target.options.get("watched_at")
            if target.kind == "movie" and isinstance(target.title, CatalogueMovie):
                planned.append(
                    (target.title, None, self._when(when, target.title.released))
                )
            elif target.kind != "nothing":
                planned += [
                    (target.title, episode, self._when(when, episode.first_aired))
                    for episode in self._episodes(target, aired=True)
                ]
        if len(self.account.plays) + len(planned) > self.limits["history"]:
            return self.over_limit(self.limits["history"])
        for title, watched, at in planned:
            self.account.add_play(title, watched, at)
        movies = sum(1 for _, watched, _ in planned if watched is None)
        return reply(
            {
                "added": {"movies": movies, "episodes": len(planned) - movies},
                "updated": {"movies": 0, "episodes": 0},
                "not_found": _not_found(missing),
            },
            201,
        )

    def _when(self, value: object, released: datetime) -> datetime:
        if value is None:
            return self.clock.now()
        if value == "released":
            return released
        if value == "unknown":
            return EPOCH
        try:
            at = datetime.fromisoformat(str(value))
        except ValueError as error:
            raise web.HTTPUnprocessableEntity(text="") from error
        return at if at.tzinfo else at.replace(tzinfo=UTC)

    async def _remove_history(self, request: web.Request) -> web.StreamResponse:
        body = await self.body(request)
        missing: dict[str, list[Any]] = {}
        numbers: list[int] = []
        unknown: list[Any] = []
        for number in body.get("ids", []):
            (numbers if number in self.account.plays else unknown).append(number)
        for target in self._targets(body, missing):
            if target.kind == "movie":
                keys: list[MediaKey] = [target.key]
            elif target.kind == "nothing":
                continue
            else:
                keys = [
                    ("episode", int(e.ids["trakt"]))
                    for e in self._episodes(target, aired=False)
                ]
            for key in keys:
                numbers += [p.id for p in self.account.by_media.get(key, [])]
        removed = [p for n in numbers if (p := self.account.remove_play(n)) is not None]
        movies = sum(p.episode is None for p in removed)
        not_found = _not_found(missing)
        if "ids" in body:
            not_found["ids"] = unknown
        return reply(
            {
                "deleted": {"movies": movies, "episodes": len(removed) - movies},
                "not_found": not_found,
            }
        )

    # watchlist, ratings ---------------------------------------------------------------------------------------

    async def _add_watchlist(self, request: web.Request) -> web.StreamResponse:
        missing: dict[str, list[Any]] = {}
        targets = [
            t
            for t in self._targets(await self.body(request), missing)
            if t.kind != "nothing"
        ]
        fresh = {t.key for t in targets} - set(self.account.watchlist)
        if len(self.account.watchlist) + len(fresh) > self.limits["watchlist"]:
            return self.over_limit(self.limits["watchlist"])
        added, existing = _counts(), _counts()
        for target in targets:
            notes = target.options.get("notes") if self.vip else None
            done = self.account.enlist(target.key, notes)
            (added if done else existing)[f"{target.key[0]}s"] += 1
        return reply(
            {
                "added": added,
                "existing": existing,
                "not_found": _not_found(missing),
                "list": self._list(),
            },
            201,
        )

    async def _remove_watchlist(self, request: web.Request) -> web.StreamResponse:
        missing: dict[str, list[Any]] = {}
        deleted = _counts()
        for target in self._targets(await self.body(request), missing):
            if target.kind != "nothing":
                deleted[f"{target.key[0]}s"] += self.account.unlist(target.key)
        return reply(
            {"deleted": deleted, "not_found": _not_found(missing), "list": self._list()}
        )

    def _list(self) -> dict[str, Any]:
        return {
            "updated_at": iso(self.account.markers["watchlist"]["updated_at"]),
            "item_count": len(self.account.watchlist),
        }

    async def _add_ratings(self, request: web.Request) -> web.StreamResponse:
        missing: dict[str, list[Any]] = {}
        targets = [
            t
            for t in self._targets(await self.body(request), missing)
            if t.kind != "nothing"
        ]
        for target in targets:
            rating = target.options.get("rating")
            if (
                isinstance(rating, bool)
                or not isinstance(rating, int)
                or not 1 <= rating <= 10
            ):
                return web.Response(status=422)
        fresh = {t.key for t in targets} - set(self.account.ratings)
        if len(self.account.ratings) + len(fresh) > self.limits["ratings"]:
            return self.over_limit(self.limits["ratings"])
        added = _counts()
        for target in targets:
            at = self._when(target.options.get("rated_at"), self.clock.now())
            self.account.rate(target.key, target.options["rating"], at)
            added[f"{target.key[0]}s"] += 1
        return reply(
            {"added": added, "not_found": {k: missing.get(k, []) for k in KINDS}}, 201
        )

    async def _remove_ratings(self, request: web.Request) -> web.StreamResponse:
        missing: dict[str, list[Any]] = {}
        deleted = _counts()
        for target in self._targets(await self.body(request), missing):
            if target.kind != "nothing":
                done = self.account.rate(target.key, None, self.clock.now())
                deleted[f"{target.key[0]}s"] += done
        return reply(
            {"deleted": deleted, "not_found": {k: missing.get(k, []) for k in KINDS}}
        )

    # playback, hidden, reset ----------------------------------------------------------------------------------

    async def _delete_playback(self, request: web.Request) -> web.StreamResponse:
        text = request.match_info["id"]
        done = text.isdigit() and self.account.clear_playback(int(text))
        return web.Response(status=204 if done else 404)

    async def _hide(self, request: web.Request) -> web.StreamResponse:
        return await self._set_hidden(request, on=True)

    async def _unhide(self, request: web.Request) -> web.StreamResponse:
        return await self._set_hidden(request, on=False)

    async def _set_hidden(
        self, request: web.Request, *, on: bool
    ) -> web.StreamResponse:
        section = request.match_info["section"]
        if section not in SECTIONS:
            return web.Response(status=404)
        missing: dict[str, list[Any]] = {}
        counts = _counts()
        for target in self._targets(await self.body(request), missing):
            if target.kind != "nothing":
                done = self.account.hide(section, target.key, on=on)
                counts[f"{target.key[0]}s"] += done
        not_found = _not_found(missing)
        if not on:
            return reply({"deleted": counts, "not_found": not_found})
        added = {
            "movies": counts["movies"],
            "shows": counts["shows"],
            "season": counts["seasons"],
        }
        return reply({"added": added, "not_found": not_found}, 201)

    async def _reset(self, request: web.Request) -> web.StreamResponse:
        if not self.vip:
            return self.needs_vip()
        number = int(request.match_info["id"])
        self.account.reset_at[number] = self.clock.now()
        self.account.watched[number].version += 1
        return web.Response(status=200)

    async def _undo_reset(self, request: web.Request) -> web.StreamResponse:
        number = int(request.match_info["id"])
        if self.account.reset_at.pop(number, None) is None:
            return web.Response(status=404)
        self.account.watched[number].version += 1
        return web.Response(status=204)


def known(ids: dict[str, Any], *namespaces: str) -> dict[str, object]:
    """Keep the ids this kind of title is matched by, in Trakt's order."""
    return {name: ids[name] for name in namespaces if ids.get(name)}


def _counts() -> dict[str, int]:
    return dict.fromkeys(KINDS, 0)


def _not_found(missing: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return {kind: missing.get(kind, []) for kind in (*KINDS, "people", "users")}
