"""What the simulated user does elsewhere, on simkl.com or in another app, and the control calls for it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aiohttp import web

from ..catalogue import CatalogueMovie, CatalogueShow
from ..service import Fault, Service
from .player import Player, Playing
from .shelf import Shelf

LIMITS = (
    "plan",
    "quota",
    "used",
    "gated",
    "suspended",
    "max_episodes",
    "lock_seconds",
    "null_client",
)
"""The limits of the account that a control call may set."""


class User(Service):
    """The user's own hands. Shows and movies are named by the catalogue's trakt ids."""

    shelf: Shelf
    player: Player

    def lock(self, seconds: float) -> None:
        """Hold the write lock for so many seconds, as a write from elsewhere would."""
        raise NotImplementedError

    def _title(
        self, show: int | None, movie: int | None = None
    ) -> CatalogueShow | CatalogueMovie:
        found_ = (
            self.catalogue.show("trakt", show)
            if show is not None
            else self.catalogue.movie("trakt", movie or 0)
        )
        if found_ is None:
            raise LookupError(f"no show {show} or movie {movie}")
        return found_

    def watch(
        self, show: int, season: int, number: int, at: datetime | None = None
    ) -> None:
        """Mark an episode watched on simkl.com; `show` is the catalogue's trakt id."""
        entry = self.shelf.file(self._title(show))
        self.shelf.mark_watched(entry, [(season, number)], at, self.shelf.tick())

    def watch_movie(self, movie: int, at: datetime | None = None) -> None:
        """Mark a movie watched on simkl.com."""
        self.shelf.mark_watched(
            self.shelf.file(self._title(None, movie)), [(0, 0)], at, self.shelf.tick()
        )

    def unwatch(self, show: int, season: int, number: int) -> None:
        """Take an episode out of the history on simkl.com."""
        self.shelf.unmark(
            self.shelf.file(self._title(show)), [(season, number)], self.shelf.tick()
        )

    def watchlist_add(
        self, *, show: int | None = None, movie: int | None = None
    ) -> None:
        """Put a title on plantowatch."""
        self.list_as("plantowatch", show=show, movie=movie)

    def list_as(
        self, status: str, *, show: int | None = None, movie: int | None = None
    ) -> None:
        """Move a title to a list."""
        self.shelf.move(
            self.shelf.file(self._title(show, movie)), status, self.shelf.tick()
        )

    def watchlist_remove(
        self, *, show: int | None = None, movie: int | None = None
    ) -> None:
        """Delete a title from the library: Simkl knows no other way off a list."""
        entry = self.shelf.entries.get(int(self._title(show, movie).ids["simkl"]))
        if entry is not None:
            self.shelf.remove(entry, self.shelf.tick())

    def drop(self, show: int) -> None:
        """Drop a show."""
        self.list_as("dropped", show=show)

    def hold(self, show: int) -> None:
        """Put a show on hold."""
        self.list_as("hold", show=show)

    def start_watching(self, show: int) -> None:
        """Move a show to watching without a watched episode."""
        self.list_as("watching", show=show)

    def rate(
        self, rating: int | None, *, show: int | None = None, movie: int | None = None
    ) -> None:
        """Rate a title, or take the rating away with None."""
        self.shelf.rate(
            self.shelf.file(self._title(show, movie)), rating, self.shelf.tick()
        )

    def pause(
        self,
        progress: float,
        *,
        show: int | None = None,
        season: int = 1,
        number: int = 1,
        movie: int | None = None,
    ) -> None:
        """Pause something elsewhere; progress in percent."""
        title = self._title(show, movie)
        episode = (
            title.episode(season, number) if isinstance(title, CatalogueShow) else None
        )
        self.player.pause(Playing(title, episode, progress, self.clock.now()))

    async def control(self, what: str, data: dict[str, Any]) -> web.StreamResponse:
        """Let the user act elsewhere, or change a limit of the account."""
        title = {k: data[k] for k in ("show", "movie") if k in data}
        place = {k: data[k] for k in ("season", "number") if k in data}
        at = datetime.fromisoformat(data["at"]) if data.get("at") else None
        try:
            match what:
                case "watch":
                    self.watch(**title, **place, at=at)
                case "watch_movie":
                    self.watch_movie(**title, at=at)
                case "unwatch":
                    self.unwatch(**title, **place)
                case "watchlist_add":
                    self.watchlist_add(**title)
                case "watchlist_remove":
                    self.watchlist_remove(**title)
                case "drop" | "hold" | "start_watching":
                    getattr(self, what)(**title)
                case "rate":
                    self.rate(data.get("rating"), **title)
                case "pause":
                    self.pause(float(data.get("progress", 50)), **title, **place)
                case "limits":
                    for name in LIMITS:
                        if name in data:
                            setattr(self, name, data[name])
                case "lock":
                    self.lock(float(data["seconds"]))
                case "settings":
                    self.shelf.settings = self.shelf.tick()
                case "lose_refresh":
                    self.lose_refresh()
                case _:
                    return await super().control(what, data)
        except (LookupError, TypeError) as error:
            return web.json_response({"error": str(error)}, status=404)
        return web.json_response(self.state())

    def lose_refresh(self) -> None:
        """Let the next answer of the token endpoint get lost after it was carried out."""
        self.faults.append(Fault("lost", "POST /oauth2/token"))
