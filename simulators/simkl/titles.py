"""Titles: search, look-up by id, pages, episodes, calendars, pictures."""

from __future__ import annotations

from aiohttp import web

from ..catalogue import CatalogueMovie, CatalogueShow
from ..pictures import poster
from ..service import Service
from .answers import answer, refusal
from .rows import Calendars, episodes, found, kind_of, page, path_of
from .shelf import Shelf


class Titles(Service):
    """The catalogue's endpoints. Pages, episodes, calendars and pictures are free of every limit."""

    shelf: Shelf
    calendars: Calendars

    def _search(self, request: web.Request) -> web.Response:
        kind = {"movie": "movie", "tv": "tv", "anime": "anime"}.get(
            request.match_info["type"]
        )
        words = request.query.get("q", "").lower()
        if kind is None:
            return answer(None)
        if not words:
            return answer([])
        titles: list[CatalogueShow | CatalogueMovie] = [
            *self.catalogue.shows,
            *self.catalogue.movies,
        ]
        hits = [t for t in titles if kind_of(t) == kind and words in t.title.lower()]
        limit = min(int(request.query.get("limit", "10")), 50)
        number = min(int(request.query.get("page", "1")), 20)
        shown = hits[(number - 1) * limit : number * limit]
        headers = {
            "X-Pagination-Page": str(number),
            "X-Pagination-Limit": str(limit),
            "X-Pagination-Page-Count": str(-(-len(hits) // limit)),
            "X-Pagination-Item-Count": str(len(hits)),
        }
        full = request.query.get("extended") == "full"
        return answer([found(t, full=full) for t in shown], headers=headers)

    def _search_id(self, request: web.Request) -> web.Response:
        title = self._by_query(request)
        if title is None:
            return answer([])
        body = found(title, full=False)
        kind = body.pop("endpoint_type")
        return answer(
            [
                body
                | {
                    "type": kind,
                    "ids": {"simkl": title.ids["simkl"], "slug": body["ids"]["slug"]},
                }
            ]
        )

    def _search_random(self, request: web.Request) -> web.Response:
        return answer({"error": "not_found"})

    def _redirect(self, request: web.Request) -> web.Response:
        title = self._by_query(request)
        place = "//simkl.com" + ("" if title is None else path_of(title))
        return web.Response(
            status=301, headers={"Location": place, "Cache-Control": "no-store"}
        )

    def _by_query(self, request: web.Request) -> CatalogueShow | CatalogueMovie | None:
        ids = dict(request.query)
        kind = ids.get("type")
        show = self.shelf.match({"ids": ids}, "show") if kind != "movie" else None
        if "tmdb" in ids and kind is None:
            return None
        return show or (
            self.shelf.match({"ids": ids}, "movie") if kind in (None, "movie") else None
        )

    async def _episodes(self, request: web.Request) -> web.Response:
        show = self.catalogue.show("simkl", request.match_info["id"])
        return self._free(
            request, answer([] if show is None else episodes(show, self.clock.now()))
        )

    async def _no_id(self, request: web.Request) -> web.Response:
        return self._free(request, refusal(400, "empty_id"))

    async def _page(self, request: web.Request) -> web.Response:
        number = request.match_info["id"]
        title = self.catalogue.show("simkl", number) or self.catalogue.movie(
            "simkl", number
        )
        return self._free(request, answer([] if title is None else page(title)))

    async def _calendar(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        body: dict[str, object] | None = None
        if name in ("tv", "anime", "movie_release"):
            if "year" in request.match_info:
                numbers = request.match_info["year"], request.match_info["month"]
                good = all(n.isdigit() and not n.startswith("0") for n in numbers)
                body = (
                    self.calendars.month(int(numbers[0]), int(numbers[1]), name)
                    if good
                    else None
                )
            else:
                body = self.calendars.rolling(name)
        if body is None:
            return web.Response(
                status=404, text="Not Found", headers={"X-Uncounted": "1"}
            )
        made = self.clock.now().replace(
            hour=self.clock.now().hour // 6 * 6, minute=0, second=0
        )
        response = answer(
            body, headers={"Last-Modified": made.strftime("%a, %d %b %Y %H:%M:%S GMT")}
        )
        return self._free(request, response)

    async def _poster(self, request: web.Request) -> web.Response:
        picture = poster(request.match_info["name"].split("_")[0])
        return self._free(request, web.Response(body=picture, content_type="image/png"))

    def _free(self, request: web.Request, response: web.Response) -> web.Response:
        if "Authorization" not in request.headers or request.path.startswith(
            ("/calendar/", "/posters/")
        ):
            response.headers["X-Uncounted"] = "1"
        return response
