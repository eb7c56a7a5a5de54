"""The paths below /v1 that show and change what was watched: payload shapes and refusals (section 3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web

from simulators.clock import Clock

from .items import Item, Video, list_row, posters
from .viewing import NEVER, STARTED, WATCHED, Folder, Key, Row, Viewing

NO_ITEM = "Requested item not found."
NO_VIDEO = "Requested item or video not found."
HISTORY_CAP = 50


class Paths:
    """The handlers. Who asks was settled before."""

    def __init__(
        self, viewing: Viewing, clock: Clock, base_url: Callable[[], str]
    ) -> None:
        """Answer from this state; pictures are served below `base_url`."""
        self._viewing = viewing
        self._clock = clock
        self._base_url = base_url
        self.folder_page_cap = 50
        self.links_served = 0
        """How often signed stream links were handed out, because `nolinks=1` was missing."""

    # watching -------------------------------------------------------------------------------------------------

    async def watching(self, request: web.Request) -> web.StreamResponse:
        """Answer GET /v1/watching."""
        item = self._viewing.items.get(_int(request.query.get("id")))
        if item is None:
            return _missing(NO_ITEM)
        only = [
            int(request.query[k]) if k in request.query else None
            for k in ("season", "video")
        ]
        videos = [
            v
            for v in item.videos(self._clock.now())
            if (only[0] is None or v.season == only[0] or not item.series)
            and (only[1] is None or v.number == only[1])
        ]
        if not videos:
            return _missing(NO_VIDEO)
        head: dict[str, Any] = {"id": item.id, "title": item.title, "type": item.kind}
        if not item.series:
            head |= {"status": self._viewing.status(item)}
            head["videos"] = [self._state_row(item, v) for v in videos]
            return web.json_response({"status": 200, "item": head})
        head["seasons"] = seasons = [
            self._season_row(item, season, [v for v in videos if v.season == season])
            for season in sorted({v.season for v in videos})
        ]
        head["watched"] = sum(s["status"] == WATCHED for s in seasons)
        return web.json_response({"status": 200, "item": head})

    def _season_row(
        self, item: Item, season: int, videos: list[Video]
    ) -> dict[str, Any]:
        rows = [self._state_row(item, v) for v in videos]
        watched = sum(r["status"] == WATCHED for r in rows)
        begun = any(r["status"] != NEVER for r in rows)
        status = WATCHED if watched == len(rows) else STARTED if begun else NEVER
        return {
            "id": item.season_id(season),
            "number": season,
            "watched": watched,
            "status": status,
            "episodes": rows,
        }

    def _state_row(self, item: Item, video: Video) -> dict[str, Any]:
        mark = self._viewing.mark(item.id, video.season, video.number)
        return {
            "id": video.id,
            "number": video.number,
            "title": video.title,
            "duration": video.duration,
            "time": mark.time,
            "status": mark.status,
            "updated": mark.updated,
        }

    def _short_row(self, item: Item) -> dict[str, Any]:
        return {
            "id": item.id,
            "type": item.kind,
            "title": item.title,
            "subtype": item.subtype,
            "posters": posters(item.id, self._base_url(), wide=False),
        }

    async def serials(self, request: web.Request) -> web.StreamResponse:
        """Answer GET /v1/watching/serials."""
        only = request.query.get("subscribed") == "1"
        rows = [
            self._short_row(item)
            | {"total": str(total), "watched": watched, "new": total - watched}
            for item, total, watched in self._viewing.unfinished()
            if not only or item.id in self._viewing.subscribed
        ]
        return web.json_response({"status": 200, "items": rows})

    async def movies(self, request: web.Request) -> web.StreamResponse:
        """Answer GET /v1/watching/movies."""
        rows = [self._short_row(item) for item in self._viewing.started_movies()]
        return web.json_response({"status": 200, "items": rows})

    def _targets(self, request: web.Request, *, season: bool) -> list[Key]:
        """Return the videos that id, season NUMBER and video NUMBER mean; none when they mean nothing.

        `season` allows a whole season (video absent). A serial without season means nothing.
        """
        item = self._viewing.items.get(_int(request.query.get("id")))
        if item is None:
            return []
        number = _int(request.query.get("season")) if item.series else 0
        if item.series and "season" not in request.query:
            return []
        if "video" in request.query:
            key = (item.id, number, _int(request.query["video"]))
            return [key] if self._viewing.video(key) else []
        if not season or not item.series:
            return []
        videos = item.videos(self._clock.now())
        return [(item.id, number, v.number) for v in videos if v.season == number]

    async def marktime(self, request: web.Request) -> web.StreamResponse:
        """Answer GET /v1/watching/marktime."""
        if await _has_form(request) or not request.query.get("time", "").isdecimal():
            return web.Response(status=400)
        targets = self._targets(request, season=False)
        if not targets:
            return _missing(NO_VIDEO)
        self._viewing.mark_time(targets[0], int(request.query["time"]))
        return web.json_response({"status": 200})

    async def toggle(self, request: web.Request) -> web.StreamResponse:
        """Answer GET /v1/watching/toggle."""
        wanted = request.query.get("status")
        if (
            await _has_form(request)
            or "id" not in request.query
            or wanted not in (None, "0", "1")
        ):
            return web.Response(status=400)
        targets = self._targets(request, season=True)
        if not targets:
            return _missing(NO_VIDEO)
        all_watched = all(self._viewing.mark(*t).status == WATCHED for t in targets)
        watched = not all_watched if wanted is None else wanted == "1"
        for key in targets:
            self._viewing.set_watched(key, watched)
        reply: dict[str, Any] = {"status": 200, "watched": int(watched)}
        if "video" in request.query:
            reply["watching"] = {"status": WATCHED if watched else NEVER}
        return web.json_response(reply)

    async def togglewatchlist(self, request: web.Request) -> web.StreamResponse:
        """Answer GET /v1/watching/togglewatchlist."""
        if await _has_form(request) or "id" not in request.query:
            return web.Response(status=400)
        item = self._viewing.items.get(_int(request.query["id"]))
        if item is None or not item.series:
            return _missing(NO_ITEM)
        self._viewing.subscribed ^= {item.id}
        watching = item.id in self._viewing.subscribed
        return web.json_response({"status": 200, "watching": watching})

    # history --------------------------------------------------------------------------------------------------

    async def history(self, request: web.Request) -> web.StreamResponse:
        """Answer GET /v1/history."""
        rows, pagination = _page(request, self._viewing.history(), 20, HISTORY_CAP)
        history = [self._history_row(row) for row in rows]
        return web.json_response(
            {"status": 200, "history": history, "pagination": pagination}
        )

    def _history_row(self, row: Row) -> dict[str, Any]:
        item, video = row.item, row.video
        return {
            "time": row.time,
            "counter": row.counter,
            "first_seen": row.first_seen,
            "last_seen": row.last_seen,
            "deleted": item.withdrawn,
            "item": {
                "id": item.id,
                "title": item.title,
                "type": item.kind,
                "subtype": item.subtype,
                "year": item.year,
                "imdb": item.imdb,
                "kinopoisk": item.kinopoisk,
                "posters": posters(item.id, self._base_url(), wide=True),
            },
            "media": {
                "id": video.id,
                "number": video.number,
                "snumber": video.season,
                "title": video.title,
                "thumbnail": f"{self._base_url()}/_pictures/kp-thumb-{video.id}.png",
                "duration": video.duration,
                "tracks": 2,
            },
        }

    async def clear(self, request: web.Request) -> web.StreamResponse:
        """Answer POST (and GET) /v1/history/clear-for-*."""
        if "id" not in request.query:
            return web.Response(status=400)
        self._viewing.clear(request.match_info["what"], _int(request.query["id"]))
        return web.json_response(None)

    # bookmarks ------------------------------------------------------------------------------------------------

    async def folders(self, request: web.Request) -> web.StreamResponse:
        """Answer GET /v1/bookmarks."""
        rows = [
            _folder_row(f) | {"count": str(len(f.items))}
            for f in self._viewing.folders.values()
        ]
        return web.json_response({"status": 200, "items": rows})

    async def folder(self, request: web.Request) -> web.StreamResponse:
        """Answer GET /v1/bookmarks/{folder}."""
        folder = self._viewing.folders.get(int(request.match_info["folder"]))
        if folder is None:
            return _missing(NO_ITEM)
        ids, pagination = _page(request, folder.items, 20, self.folder_page_cap)
        del pagination["total_items"]
        rows = [self._list_row(self._viewing.items[i]) for i in ids]
        return web.json_response(
            {
                "status": 200,
                "folder": _folder_row(folder),
                "items": rows,
                "pagination": pagination,
            }
        )

    async def item_folders(self, request: web.Request) -> web.StreamResponse:
        """Answer GET /v1/bookmarks/get-item-folders."""
        item = _int(request.query.get("item"))
        rows = [
            _folder_row(f)
            | {
                "user_id": 462634,
                "count": len(f.items),
                "created_at": f.created,
                "updated_at": f.updated,
            }
            for f in self._viewing.folders.values()
            if item in f.items
        ]
        return web.json_response({"status": 200, "folders": rows})

    async def change_bookmarks(self, request: web.Request) -> web.StreamResponse:
        """Answer POST /v1/bookmarks/*."""
        if not await _has_form(request):
            return web.Response(status=400)
        form = {k: str(v) for k, v in (await request.post()).items()}
        what, viewing = request.match_info["what"], self._viewing
        if what == "create":
            if not form.get("title"):
                return web.Response(status=400)
            row = _folder_row(viewing.create_folder(form["title"]))
            return web.json_response({"status": 200, "folder": row})
        folder = viewing.folders.get(_int(form.get("folder")))
        if what == "remove-folder":
            if folder is None:
                return _missing(NO_ITEM)
            del viewing.folders[folder.id]
            return web.json_response({"status": 200})
        item = viewing.items.get(_int(form.get("item")))
        if item is None or (folder is None and ("folder" in form or what != "remove-item")):  # fmt: skip
            return _missing(NO_ITEM)
        reply: dict[str, Any] = {"status": 200}
        for target in [folder] if folder else list(viewing.folders.values()):
            inside = item.id in target.items
            wanted = what == "add" or (what == "toggle-item" and not inside)
            if not viewing.bookmark(target, item.id, wanted) and what == "add":
                reply["exists"] = True
        return web.json_response(reply)

    # items ----------------------------------------------------------------------------------------------------

    def _list_row(self, item: Item) -> dict[str, Any]:
        subscribed = item.id in self._viewing.subscribed
        return list_row(
            item, self._base_url(), self._clock.now(), subscribed=subscribed
        )

    async def item(self, request: web.Request) -> web.StreamResponse:
        """Answer GET /v1/items/{id}."""
        item = self._viewing.items.get(int(request.match_info["id"]))
        if item is None or item.withdrawn:
            return _missing(NO_ITEM)
        links = request.query.get("nolinks") != "1"
        self.links_served += links
        body = self._list_row(item)
        body["bookmarks"] = [
            _folder_row(f) for f in self._viewing.folders.values() if item.id in f.items
        ]
        videos = item.videos(self._clock.now())
        if not item.series:
            body["videos"] = [self._media_row(item, v, links=links) for v in videos]
            return web.json_response({"status": 200, "item": body})
        body["seasons"] = [
            {
                "id": item.season_id(season),
                "title": "",
                "number": season,
                "watching": {
                    "status": self._season_row(
                        item, season, [v for v in videos if v.season == season]
                    )["status"]
                },
                "episodes": [
                    self._media_row(item, v, links=links)
                    for v in videos
                    if v.season == season
                ],
            }
            for season in sorted({v.season for v in videos})
        ]
        return web.json_response({"status": 200, "item": body})

    def _media_row(self, item: Item, video: Video, *, links: bool) -> dict[str, Any]:
        mark = self._viewing.mark(item.id, video.season, video.number)
        row: dict[str, Any] = {
            "id": video.id,
            "number": video.number,
            "snumber": video.season,
            "thumbnail": f"{self._base_url()}/_pictures/kp-thumb-{video.id}.png",
            "title": video.title,
            "tracks": 2,
            "duration": video.duration,
            "ac3": 0,
            "audios": [],
            "subtitles": [],
            "watched": mark.status,
            "watching": {"status": mark.status, "time": mark.time},
        }
        if links:
            row["files"] = [{"url": {"http": "https://stream.invalid/signed"}}]
        return row

    async def search(self, request: web.Request) -> web.StreamResponse:
        """Answer GET /v1/items/search."""
        words = request.query.get("q", "").lower().split()
        if not words:
            return web.Response(status=400)
        return self._found(
            request, lambda i: all(w in i.title.lower() for w in words), 40
        )

    async def browse(self, request: web.Request) -> web.StreamResponse:
        """Answer GET /v1/items. `conditions[]` is accepted and ignored: nobody has seen a lookup by imdb id work."""
        part = request.query.get("title", "").lower()
        if part and len(part) < 3:
            return web.Response(status=400)
        return self._found(request, lambda i: part in i.title.lower(), 20)

    def _found(
        self, request: web.Request, test: Callable[[Item], bool], default: int
    ) -> web.StreamResponse:
        kind, years = request.query.get("type"), request.query.get("year", "")
        first, _, last = years.partition("-")
        found = [
            item
            for item in self._viewing.items.values()
            if not item.withdrawn
            and kind in (None, item.kind)
            and (not years or int(first) <= item.year <= int(last or first))
            and test(item)
        ]
        chosen, pagination = _page(request, found, default, 50)
        rows: Any = [self._list_row(i) for i in chosen]
        if request.query.get("sectioned") == "1":
            rows = {
                kind: {
                    "items": [r for r in rows if r["type"] == kind],
                    "pagination": pagination,
                }
                for kind in {r["type"] for r in rows}
            }
            return web.json_response({"status": 200, "items": rows})
        return web.json_response(
            {"status": 200, "items": rows, "pagination": pagination}
        )


def _int(value: str | None) -> int:
    """Read a number; anything else is 0, which no id is."""
    return int(value) if value and value.removeprefix("-").isdecimal() else 0


async def _has_form(request: web.Request) -> bool:
    return bool(await request.post())


def _missing(message: str) -> web.Response:
    return web.json_response({"status": 404, "error": message}, status=404)


def _folder_row(folder: Folder) -> dict[str, Any]:
    return {
        "id": folder.id,
        "title": folder.title,
        "views": folder.views,
        "created": folder.created,
        "updated": folder.updated,
    }


def _page[T](
    request: web.Request, rows: list[T], default: int, cap: int
) -> tuple[list[T], dict[str, int]]:
    """Cut one page out; a page past the end is the last one, a size above the cap is the cap."""
    size = min(max(1, _int(request.query.get("perpage")) or default), cap)
    pages = max(1, -(-len(rows) // size))
    current = min(max(1, _int(request.query.get("page"))), pages)
    chosen = rows[(current - 1) * size : current * size]
    return chosen, {
        "total": pages,
        "current": current,
        "perpage": size,
        "total_items": len(rows),
    }
