"""The reading half of the simulated Trakt API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from simulators.catalogue import CatalogueEpisode, CatalogueShow

from .base import TraktBase, extended, flag, paginate, reply
from .state import Play, activities, iso, season_id

SECTIONS = (
    "calendar",
    "progress_watched",
    "progress_watched_reset",
    "progress_collected",
    "recommendations",
    "comments",
    "dropped",
)
PLURAL = {
    "movies": "movie",
    "shows": "show",
    "seasons": "season",
    "episodes": "episode",
}
_FAR = datetime(9999, 1, 1, tzinfo=UTC)


class Reading(TraktBase):
    """GET routes."""

    def reads(self) -> list[web.RouteDef]:
        """Return the GET routes."""
        return [
            web.get("/users/settings", self._settings),
            web.get("/users/me/watching", self._watching),
            web.get("/users/me/stats", self._stats),
            web.get("/users/hidden/{section}", self._hidden),
            web.get("/sync/last_activities", self._activities),
            web.get("/sync/progress/up_next_nitro", self._nitro),
            web.get("/sync/progress/up_next", self._nitro),
            web.get("/sync/progress/watched", self._progress_watched),
            web.get("/sync/watched/movies", self._watched_movies),
            web.get("/sync/watched/shows", self._watched_shows),
            web.get("/sync/history", self._history),
            web.get("/sync/history/{type}", self._history),
            web.get("/sync/history/{type}/{id}", self._history),
            web.get("/sync/watchlist", self._watchlist),
            web.get("/sync/watchlist/{type}", self._watchlist),
            web.get("/sync/watchlist/{type}/{sort}", self._watchlist),
            web.get("/sync/watchlist/{type}/{sort}/{how}", self._watchlist),
            web.get("/sync/ratings", self._ratings),
            web.get("/sync/ratings/{type}", self._ratings),
            web.get("/sync/ratings/{type}/{rating}", self._ratings),
            web.get("/sync/playback", self._playback),
            web.get("/sync/playback/{type}", self._playback),
            web.get("/shows/{id}/progress/watched", self._show_progress),
        ]

    # the account ----------------------------------------------------------------------------------------------

    async def _settings(self, request: web.Request) -> web.StreamResponse:
        lists = {"count": self.limits["lists"], "item_count": self.limits["list_items"]}
        return reply(
            {
                "user": {
                    "username": self.username,
                    "private": False,
                    "name": "Demo Viewer",
                    "vip": self.vip,
                    "vip_ep": False,
                    "director": False,
                    "ids": {
                        "slug": self.username,
                        "trakt": 41152,
                        "uuid": self.uuid,
                    },
                    "joined_at": "2021-03-15T08:00:00.000Z",
                    "location": None,
                    "about": None,
                    "gender": None,
                    "age": None,
                    "images": {"avatar": {"full": self.picture("avatar")}},
                    "vip_og": False,
                    "vip_years": 0,
                    "vip_cover_image": None,
                    "dob": None,
                },
                "permissions": {"commenting": True, "liking": True, "following": True},
                "account": {
                    "timezone": "Europe/Amsterdam",
                    "date_format": "dmy",
                    "time_24hr": True,
                    "cover_image": None,
                    "token": None,
                    "display_ads": True,
                },
                "connections": {"facebook": False, "google": True},
                "sharing_text": {
                    "watching": "I'm watching [item]",
                    "watched": "I just watched [item]",
                    "rated": "[item] [stars]",
                },
                "limits": {
                    "list": lists,
                    "watchlist": {"item_count": self.limits["watchlist"]},
                    "favorites": {"item_count": self.limits["favorites"]},
                },
            }
        )

    async def _activities(self, request: web.Request) -> web.StreamResponse:
        return reply(activities(self.account))

    async def _watching(self, request: web.Request) -> web.StreamResponse:
        now = self.account.watching
        if now is None:
            return web.Response(status=204)
        kind = "movie" if now.episode is None else "episode"
        return reply(
            {
                "expires_at": iso(now.expires_at),
                "started_at": iso(now.started_at),
                "action": now.action,
                "type": kind,
            }
            | self.shapes.title(now.title, now.episode, extended(request))
        )

    async def _stats(self, request: web.Request) -> web.StreamResponse:
        account = self.account
        rated = [kind for kind, _ in account.ratings]
        distribution = dict.fromkeys((str(n) for n in range(1, 11)), 0)
        for rating, _ in account.ratings.values():
            distribution[str(rating)] += 1

        def part(kind: str) -> dict[str, int]:
            return {
                "plays": len(account.ordered[kind]),
                "watched": sum(1 for key, _ in account.by_media if key == kind),
                "minutes": account.minutes[kind],
                "ratings": rated.count(kind),
                "comments": 0,
            }

        return reply(
            {
                "movies": part("movie"),
                "shows": {
                    "watched": sum(1 for w in account.watched.values() if w.plays),
                    "ratings": rated.count("show"),
                    "comments": 0,
                },
                "seasons": {"ratings": rated.count("season"), "comments": 0},
                "episodes": part("episode"),
                "network": {"followers": 0, "following": 0},
                "ratings": {"total": len(rated), "distribution": distribution},
                "total_minutes": sum(account.minutes.values()),
                "total_plays": len(account.plays),
            }
        )

    async def _hidden(self, request: web.Request) -> web.StreamResponse:
        section = request.match_info["section"]
        if section not in SECTIONS:
            return web.Response(status=404)
        wanted = request.query.get("type")
        rows = sorted(
            (
                (key, at)
                for key, at in self.account.hidden.get(section, {}).items()
                if wanted in (None, key[0])
            ),
            key=lambda row: row[1],
            reverse=True,
        )
        page, headers = paginate(request, rows)
        return reply(
            [
                {"hidden_at": iso(at), "type": kind}
                | self.shapes.media(kind, number, extended(request))
                for (kind, number), at in page
            ],
            headers=headers,
        )

    # progress -------------------------------------------------------------------------------------------------

    async def _nitro(self, request: web.Request) -> web.StreamResponse:
        if self.nitro == "426":
            return self.needs_vip()
        if self.nitro.isdigit():
            return web.Response(status=int(self.nitro))
        intent = request.query.get("intent", "all")
        if intent not in ("all", "continue", "start", "completed"):
            return web.Response(status=422)
        account = self.account
        shows = [s for s in account.started() if not account.is_hidden(s)]
        begun = {int(s.ids["trakt"]) for s in shows}
        rows = [(show, account.progress(show)) for show in shows]
        if intent == "continue":
            rows = [r for r in rows if len(r[1].completed) < len(r[1].aired)]
        elif intent == "completed":
            rows = [r for r in rows if len(r[1].completed) >= len(r[1].aired)]
        if intent in ("start", "all"):
            if intent == "start":
                rows = []
            for kind, number in account.watchlist:
                if kind == "show" and number not in begun:
                    show = account.show(number)
                    progress = account.progress(show)
                    if progress.aired and not account.is_hidden(show):
                        rows.append((show, progress))
        if self.nitro == "empty":
            rows = []
        _sort(
            rows,
            request.query.get("sort_by", "activity"),
            request.query.get("sort_how"),
        )
        page, headers = paginate(request, rows)
        both = {"full", "images"}
        return reply(
            [
                {
                    "show": self.shapes.show(show, both),
                    "progress": self.shapes.progress(show, progress, both)
                    | {"hidden": progress.hidden},
                }
                for show, progress in page
            ],
            headers=headers,
        )

    async def _progress_watched(self, request: web.Request) -> web.StreamResponse:
        account = self.account
        rows = []
        for show in account.started():
            if account.is_hidden(show) and not flag(request, "hidden"):
                continue
            progress = account.progress(show)
            done = len(progress.completed) >= len(progress.aired)
            if (done and flag(request, "hide_completed")) or (
                not done and flag(request, "hide_not_completed")
            ):
                continue
            rows.append((show, progress))
        _sort(rows, "activity", None)
        page, headers = paginate(request, rows)
        wanted = extended(request)
        return reply(
            [
                {
                    "show": self.shapes.show(show, wanted),
                    "progress": self.shapes.progress(show, progress, wanted),
                }
                for show, progress in page
            ],
            headers=headers,
        )

    async def _show_progress(self, request: web.Request) -> web.StreamResponse:
        show = self.find_show(request.match_info["id"])
        account = self.account
        specials = flag(request, "specials")
        listed = account.progress(show, specials=specials)
        counted = listed
        if specials and not flag(request, "count_specials"):
            counted = account.progress(show)
        if request.query.get("last_activity") == "watched":
            counted = account.progress(show, by_activity=True)
        plays = account.visible(show)
        hidden = account.hidden_seasons(int(show.ids["trakt"]))
        seasons: dict[int, list[CatalogueEpisode]] = {}
        for episode in listed.aired:
            seasons.setdefault(episode.season, []).append(episode)
        return reply(
            self.shapes.progress(show, counted, extended(request))
            | {
                "seasons": [
                    _season_progress(number, episodes, plays)
                    for number, episodes in seasons.items()
                ],
                "hidden_seasons": [
                    {
                        "number": number,
                        "ids": {
                            "trakt": season_id(show, number),
                            "tvdb": None,
                            "tmdb": None,
                        },
                    }
                    for number in sorted(hidden)
                ],
            }
        )

    async def _watched_movies(self, request: web.Request) -> web.StreamResponse:
        account = self.account
        by_movie = [
            (key[1], plays)
            for key, plays in account.by_media.items()
            if key[0] == "movie"
        ]
        wanted = extended(request)
        if "min" in wanted:
            return reply({str(n): [p.iso for p in _newest(ps)] for n, ps in by_movie})
        by_movie.sort(key=lambda row: max(p.at for p in row[1]), reverse=True)
        page, headers = paginate(request, by_movie)
        return reply(
            [
                {
                    "plays": len(plays),
                    "last_watched_at": _newest(plays)[0].iso,
                    "last_updated_at": _newest(plays)[0].iso,
                    "movie": self.shapes.movie(account.movie(number), wanted),
                }
                for number, plays in page
            ],
            headers=headers,
        )

    async def _watched_shows(self, request: web.Request) -> web.StreamResponse:
        wanted = extended(request)
        if "min" in wanted:
            return self._minimal(request)
        account = self.account
        rows = [(n, w) for n, w in account.watched.items() if w.plays]
        rows.sort(
            key=lambda r: max(p.at for ps in r[1].plays.values() for p in ps),
            reverse=True,
        )
        with_seasons = "progress" in wanted
        page, headers = paginate(request, rows, cap=100 if with_seasons else 250)
        body = []
        for number, watched in page:
            show = account.show(number)
            plays = [p for ps in watched.plays.values() for p in ps]
            reset = account.reset_at.get(number)
            row: dict[str, Any] = {
                "plays": len(plays),
                "last_watched_at": _newest(plays)[0].iso,
                "last_updated_at": iso(watched.updated_at),
                "reset_at": iso(reset) if reset else None,
                "show": self.shapes.show(show, wanted)
                | {"aired_episodes": len(show.aired(self.clock.now()))},
            }
            if with_seasons:
                seasons: dict[int, list[dict[str, Any]]] = {}
                for (season, episode), rows_ in sorted(watched.plays.items()):
                    seasons.setdefault(season, []).append(
                        {
                            "number": episode,
                            "plays": len(rows_),
                            "last_watched_at": _newest(rows_)[0].iso,
                        }
                    )
                row["seasons"] = [
                    {"number": n, "episodes": episodes}
                    for n, episodes in seasons.items()
                ]
            body.append(row)
        return reply(body, headers=headers)

    def _minimal(self, request: web.Request) -> web.Response:
        specials = request.query.get("specials", "true").lower() != "false"
        numbers = flag(request, "season_numbers")
        body: dict[str, dict[str, dict[str, list[str]]]] = {}
        for number, watched in self.account.watched.items():
            show = self.account.show(number)
            seasons: dict[str, dict[str, list[str]]] = {}
            for (season, episode), plays in watched.plays.items():
                if season == 0 and not specials:
                    continue
                key = str(season_id(show, season))
                if numbers:
                    key, name = f"{key}|{season}", str(episode)
                else:
                    assert plays[0].episode is not None
                    name = str(plays[0].episode.ids["trakt"])
                seasons.setdefault(key, {})[name] = [p.iso for p in plays]
            if seasons:
                body[str(number)] = seasons
        return reply(body)

    # lists ----------------------------------------------------------------------------------------------------

    async def _history(self, request: web.Request) -> web.StreamResponse:
        kind = request.match_info.get("type", "all")
        number = request.match_info.get("id")
        if kind not in ("all", *PLURAL) or "sync_id" in request.query:
            return web.Response(status=403 if "sync_id" in request.query else 404)
        ordered = self.account.ordered
        plays: list[Play]
        if number is not None:
            plays = self._history_of(kind, int(number) if number.isdigit() else -1)
        elif kind == "movies":
            plays = [p for _, p in ordered["movie"]]
        elif kind == "all":
            both = [*ordered["movie"], *ordered["episode"]]
            plays = [p for _, p in sorted(both, key=lambda row: row[0])]
        else:
            plays = [p for _, p in ordered["episode"]]
        since, until = _moment(request, "start_at"), _moment(request, "end_at")
        if since or until:
            plays = [p for p in plays if (since or p.at) <= p.at <= (until or p.at)]
        page, headers = paginate(request, plays)
        wanted = extended(request)
        return reply(
            [
                {
                    "id": p.id,
                    "watched_at": p.iso,
                    "action": p.action,
                    "type": p.key[0],
                }
                | self.shapes.title(p.title, p.episode, wanted)
                for p in page
            ],
            headers=headers,
        )

    def _history_of(self, kind: str, number: int) -> list[Play]:
        account = self.account
        if kind in ("movies", "episodes"):
            return _newest(account.by_media.get((PLURAL[kind], number), []))
        if kind == "shows":
            show = self.catalogue.show("trakt", number)
            return account.plays_of(show) if show else []
        found = account.season(number)
        if kind != "seasons" or found is None:
            return []
        return [
            p
            for p in account.plays_of(found[0])
            if p.episode is not None and p.episode.season == found[1]
        ]

    async def _watchlist(self, request: web.Request) -> web.StreamResponse:
        wanted = request.match_info.get("type", "all")
        if wanted not in ("all", *PLURAL):
            return web.Response(status=404)
        rows = [
            (rank, key, item)
            for rank, (key, item) in enumerate(self.account.watchlist.items(), 1)
            if wanted == "all" or PLURAL[wanted] == key[0]
        ]
        sort = request.match_info.get("sort", "rank")
        if sort == "added":
            rows.sort(key=lambda row: (row[2].at, row[0]))
        if request.match_info.get("how", "asc") == "desc":
            rows.reverse()
        page, headers = paginate(request, rows)
        parts = extended(request)
        return reply(
            [
                {
                    "rank": rank,
                    "id": item.id,
                    "listed_at": iso(item.at),
                    "notes": item.notes,
                    "type": key[0],
                }
                | self.shapes.media(*key, parts)
                for rank, key, item in page
            ],
            headers=headers | {"X-Applied-Sort-By": sort},
        )

    async def _ratings(self, request: web.Request) -> web.StreamResponse:
        wanted = request.match_info.get("type", "all")
        exact = request.match_info.get("rating")
        if wanted not in ("all", *PLURAL):
            return web.Response(status=404)
        rows = [
            (key, rating, at)
            for key, (rating, at) in self.account.ratings.items()
            if wanted in ("all", f"{key[0]}s") and exact in (None, str(rating))
        ]
        rows.sort(key=lambda row: row[2], reverse=True)
        page, headers = paginate(request, rows)
        return reply(
            [
                {"rated_at": iso(at), "rating": rating, "type": key[0]}
                | self.shapes.media(*key, extended(request))
                for key, rating, at in page
            ],
            headers=headers,
        )

    async def _playback(self, request: web.Request) -> web.StreamResponse:
        kind = request.match_info.get("type")
        if kind not in (None, "movies", "episodes"):
            return web.Response(status=404)
        rows = self.account.saved(PLURAL[kind] if kind else None)
        page, headers = paginate(request, rows)
        return reply(
            [
                {
                    "progress": row.progress,
                    "paused_at": iso(row.at),
                    "id": row.id,
                    "type": row.key[0],
                }
                | self.shapes.media(*row.key, extended(request))
                for row in page
            ],
            headers=headers,
        )


def _newest(plays: list[Play]) -> list[Play]:
    return sorted(plays, key=lambda p: p.order)


def _season_progress(
    number: int,
    episodes: list[CatalogueEpisode],
    plays: dict[tuple[int, int], list[Play]],
) -> dict[str, Any]:
    rows = []
    for episode in episodes:
        seen = plays.get((number, episode.number), [])
        rows.append(
            {
                "number": episode.number,
                "completed": bool(seen),
                "last_watched_at": _newest(seen)[0].iso if seen else None,
            }
        )
    done = sum(bool(row["completed"]) for row in rows)
    return {
        "number": number,
        "title": f"Season {number}" if number else "Specials",
        "aired": len(rows),
        "completed": done,
        "stats": {
            "play_count": sum(len(plays.get((number, e.number), [])) for e in episodes),
            "minutes_watched": 0,
            "minutes_left": 0,
        },
        "episodes": rows,
    }


def _sort(rows: list[tuple[CatalogueShow, Any]], by: str, how: str | None) -> None:
    def activity(row: tuple[CatalogueShow, Any]) -> Any:
        at = row[1].last_watched_at
        return (at.timestamp() if at else 0.0, row[0].ids["trakt"])

    def remaining(row: tuple[CatalogueShow, Any]) -> Any:
        return (len(row[1].aired) - len(row[1].completed), row[0].ids["trakt"])

    def title(row: tuple[CatalogueShow, Any]) -> Any:
        return (row[0].title, row[0].ids["trakt"])

    def aired(row: tuple[CatalogueShow, Any]) -> Any:
        episode = row[1].next_episode
        return (episode.first_aired if episode else _FAR, row[0].ids["trakt"])

    keys: dict[str, Callable[[tuple[CatalogueShow, Any]], Any]] = {
        "remaining": remaining,
        "title": title,
        "aired": aired,
        "released": aired,
    }
    key = keys.get(by, activity)
    rows.sort(
        key=key, reverse=(how or ("desc" if key is activity else "asc")) == "desc"
    )


def _moment(request: web.Request, name: str) -> datetime | None:
    text = request.query.get(name)
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise web.HTTPBadRequest(text="") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)
