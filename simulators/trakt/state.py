"""What the simulated Trakt account holds, with the indexes that keep big libraries quick."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Literal

from simulators.catalogue import (
    Catalogue,
    CatalogueEpisode,
    CatalogueMovie,
    CatalogueShow,
    Viewer,
)
from simulators.clock import Clock

type MediaKey = tuple[str, int]
"""("movie" | "show" | "season" | "episode", trakt id)."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""How a play with an unknown date reads back (inferred: apis/trakt.md does not say)."""

SEASON_BASE = 30_000_000
PLAYBACK_KEPT = timedelta(days=183)


def iso(at: datetime) -> str:
    """Write an instant the way Trakt does: UTC, milliseconds, Z."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def minute(at: datetime) -> datetime:
    """Cut an instant to the minute, as Trakt stores them since 2026."""
    return at.astimezone(UTC).replace(second=0, microsecond=0)


def season_id(show: CatalogueShow, number: int) -> int:
    """Return the Trakt id of a season; seasons have no ids in the catalogue."""
    return SEASON_BASE + int(show.ids["trakt"]) * 100 + number


@dataclass(slots=True)
class Play:
    """One viewing. `at` is the epoch when the date is unknown."""

    id: int
    at: datetime
    action: Literal["scrobble", "checkin", "watch"]
    title: CatalogueShow | CatalogueMovie
    episode: CatalogueEpisode | None
    iso: str = ""

    @property
    def order(self) -> tuple[float, int]:
        """Sort key: newest first."""
        return (-self.at.timestamp(), -self.id)

    @property
    def key(self) -> MediaKey:
        """Return the movie or episode that was watched."""
        if self.episode is not None:
            return ("episode", int(self.episode.ids["trakt"]))
        return ("movie", int(self.title.ids["trakt"]))


@dataclass(slots=True)
class Listed:
    """One watchlist item."""

    id: int
    at: datetime
    notes: str | None = None


@dataclass(slots=True)
class Paused:
    """A saved position; `progress` is in percent."""

    id: int
    key: MediaKey
    progress: float
    at: datetime


@dataclass(slots=True)
class Watching:
    """What is playing now, as /users/me/watching tells it."""

    title: CatalogueShow | CatalogueMovie
    episode: CatalogueEpisode | None
    started_at: datetime
    expires_at: datetime
    action: Literal["scrobble", "checkin"]


@dataclass(slots=True)
class Progress:
    """How far one show was watched, as the progress routes count it (specials and hidden seasons left out)."""

    aired: list[CatalogueEpisode]
    completed: list[CatalogueEpisode]
    last_watched_at: datetime | None
    next_episode: CatalogueEpisode | None
    last_episode: CatalogueEpisode | None
    plays: int
    hidden: int
    valid_until: datetime
    stamp: tuple[int, int]


@dataclass(slots=True)
class Watched:
    """The plays of one show by (season, number)."""

    plays: dict[tuple[int, int], list[Play]] = field(default_factory=dict)
    version: int = 0
    updated_at: datetime = EPOCH
    frozen: dict[tuple[int, int], list[Play]] | None = None
    frozen_until: datetime = EPOCH


class State:
    """One account. Changing methods move the activity markers exactly as the service does."""

    def __init__(self, catalogue: Catalogue, viewer: Viewer, clock: Clock) -> None:
        """Take over what the viewer has watched."""
        self.catalogue = catalogue
        self.clock = clock
        self.stale = 0.0
        """Seconds for which progress reads miss a change of the history (trakt-api #773)."""
        self._ids = count(11_000_000_000)
        self._small_ids = count(1_337_001)
        self.plays: dict[int, Play] = {}
        self.ordered: dict[str, list[tuple[tuple[float, int], Play]]] = {
            "movie": [],
            "episode": [],
        }
        self.by_media: dict[MediaKey, list[Play]] = {}
        self.watched: dict[int, Watched] = {}
        self.minutes = {"movie": 0, "episode": 0}
        self.watchlist: dict[MediaKey, Listed] = {}
        self.ratings: dict[MediaKey, tuple[int, datetime]] = {}
        self.playback: dict[int, Paused] = {}
        self.hidden: dict[str, dict[MediaKey, datetime]] = {}
        self.reset_at: dict[int, datetime] = {}
        self.watching: Watching | None = None
        self.scrobbled: dict[MediaKey, tuple[datetime, datetime]] = {}
        self.markers = _markers(minute(clock.now() - timedelta(days=400)))
        self._progress: dict[tuple[int, bool], Progress] = {}
        self._episodes: dict[str, dict[int, tuple[CatalogueShow, CatalogueEpisode]]] = {
            "trakt": {},
            "tvdb": {},
        }
        self._indexed: dict[int, int] = {}
        for show in catalogue.shows:
            self._index(show)
        self._seed(viewer)

    def _seed(self, viewer: Viewer) -> None:
        rows: list[
            tuple[datetime, CatalogueShow | CatalogueMovie, CatalogueEpisode | None]
        ]
        rows = [(at, show, episode) for show, episode, at in viewer.episodes]
        rows += [(at, movie, None) for movie, at in viewer.movies]
        rows.sort(key=lambda row: row[0])
        for at, title, episode in rows:
            play = Play(next(self._ids), minute(at), "watch", title, episode)
            self._file(play)
            kind = "episode" if episode is not None else "movie"
            self.ordered[kind].append((play.order, play))
            self.markers[f"{kind}s"]["watched_at"] = minute(at)
        for ordered in self.ordered.values():
            ordered.sort(key=lambda row: row[0])
        for watched in self.watched.values():
            watched.updated_at = max(p[-1].at for p in watched.plays.values())
        at = minute(self.clock.now() - timedelta(days=30))
        keys = [("show", int(s.ids["trakt"])) for s in viewer.show_watchlist]
        keys += [("movie", int(m.ids["trakt"])) for m in viewer.movie_watchlist]
        for position, key in enumerate(keys):
            self.watchlist[key] = Listed(
                next(self._small_ids), at + timedelta(minutes=position)
            )

    # finding --------------------------------------------------------------------------------------------------

    def _index(self, show: CatalogueShow) -> None:
        number = int(show.ids["trakt"])
        if self._indexed.get(number) == len(show.episodes):
            return
        self._indexed[number] = len(show.episodes)
        for episode in show.episodes:
            for namespace, index in self._episodes.items():
                index[int(episode.ids[namespace])] = (show, episode)

    def show(self, number: int) -> CatalogueShow:
        """Return a show by Trakt id; KeyError when there is none."""
        found = self.catalogue.show("trakt", number)
        if found is None:
            raise KeyError(number)
        return found

    def movie(self, number: int) -> CatalogueMovie:
        """Return a movie by Trakt id; KeyError when there is none."""
        found = self.catalogue.movie("trakt", number)
        if found is None:
            raise KeyError(number)
        return found

    def episode(
        self, namespace: str, value: int
    ) -> tuple[CatalogueShow, CatalogueEpisode] | None:
        """Find an episode by its own id (trakt or tvdb: the only ones the contract lets episodes use)."""
        index = self._episodes.get(namespace)
        if index is None:
            return None
        if value not in index:
            for show in self.catalogue.shows:
                self._index(show)
        return index.get(value)

    def season(self, value: int) -> tuple[CatalogueShow, int] | None:
        """Find a season by its Trakt id."""
        show = self.catalogue.show("trakt", (value - SEASON_BASE) // 100)
        number = (value - SEASON_BASE) % 100
        if show is None or number not in show.seasons():
            return None
        return show, number

    # plays ----------------------------------------------------------------------------------------------------

    def _file(self, play: Play) -> None:
        play.iso = iso(play.at)
        self.plays[play.id] = play
        self.by_media.setdefault(play.key, []).append(play)
        kind = "movie" if play.episode is None else "episode"
        self.minutes[kind] += _runtime(play) // 60
        if play.episode is not None:
            watched = self.watched.setdefault(int(play.title.ids["trakt"]), Watched())
            key = (play.episode.season, play.episode.number)
            watched.plays.setdefault(key, []).append(play)
            watched.version += 1

    def _freeze(self, title: CatalogueShow | CatalogueMovie) -> None:
        """Keep what progress reads go on answering while they are stale."""
        if self.stale <= 0 or not isinstance(title, CatalogueShow):
            return
        now = self.clock.now()
        watched = self.watched.setdefault(int(title.ids["trakt"]), Watched())
        if watched.frozen is None or watched.frozen_until <= now:
            watched.frozen = {key: list(plays) for key, plays in watched.plays.items()}
        watched.frozen_until = now + timedelta(seconds=self.stale)
        watched.version += 1

    def add_play(
        self,
        title: CatalogueShow | CatalogueMovie,
        episode: CatalogueEpisode | None,
        at: datetime,
        action: Literal["scrobble", "checkin", "watch"] = "watch",
    ) -> Play:
        """Add one play: never de-duplicated; takes the title off the watchlist."""
        self._freeze(title)
        play = Play(next(self._ids), minute(at), action, title, episode)
        self._file(play)
        kind = "movie" if episode is None else "episode"
        insort(self.ordered[kind], (play.order, play), key=lambda row: row[0])
        self.touch(f"{kind}s", "watched_at")
        number = int(title.ids["trakt"])
        if episode is None:
            self.unlist(("movie", number))
        else:
            self.watched[number].updated_at = minute(self.clock.now())
            for key in (
                ("show", number),
                ("season", season_id(self.show(number), episode.season)),
                play.key,
            ):
                self.unlist(key)
        for paused in [p for p in self.playback.values() if p.key == play.key]:
            self.clear_playback(paused.id)
        return play

    def remove_play(self, number: int) -> Play | None:
        """Remove one play by its history id."""
        play = self.plays.get(number)
        if play is None:
            return None
        self._freeze(play.title)
        del self.plays[number]
        siblings = self.by_media[play.key]
        siblings.remove(play)
        if not siblings:
            del self.by_media[play.key]
        kind = "movie" if play.episode is None else "episode"
        ordered = self.ordered[kind]
        del ordered[bisect_left(ordered, play.order, key=lambda row: row[0])]
        self.minutes[kind] -= _runtime(play) // 60
        if play.episode is not None:
            watched = self.watched[int(play.title.ids["trakt"])]
            key = (play.episode.season, play.episode.number)
            watched.plays[key].remove(play)
            if not watched.plays[key]:
                del watched.plays[key]
            watched.version += 1
            watched.updated_at = minute(self.clock.now())
        self.touch(f"{kind}s", "watched_at")
        return play

    def plays_of(self, show: CatalogueShow) -> list[Play]:
        """Return every play of a show, newest first."""
        watched = self.watched.get(int(show.ids["trakt"]), Watched())
        return sorted(
            (play for plays in watched.plays.values() for play in plays),
            key=lambda play: play.order,
        )

    # progress -------------------------------------------------------------------------------------------------

    def visible(self, show: CatalogueShow) -> dict[tuple[int, int], list[Play]]:
        """Return the plays that progress reads see: those before the last reset and stale ones left out."""
        number = int(show.ids["trakt"])
        watched = self.watched.get(number)
        if watched is None:
            return {}
        plays = watched.plays
        if watched.frozen is not None:
            if watched.frozen_until > self.clock.now():
                plays = watched.frozen
            else:
                watched.frozen = None
                watched.version += 1
        since = self.reset_at.get(number)
        if since is None:
            return plays
        cut = {k: [p for p in v if p.at >= since] for k, v in plays.items()}
        return {k: v for k, v in cut.items() if v}

    def progress(
        self, show: CatalogueShow, *, by_activity: bool = False, specials: bool = False
    ) -> Progress:
        """Count one show.

        The next episode follows the furthest aired episode watched; gaps are not gone back to, unless
        `by_activity` (last_activity=watched), which continues after the latest play.
        """
        now = self.clock.now()
        number = int(show.ids["trakt"])
        plays = self.visible(show)
        version = self.watched[number].version if number in self.watched else -1
        stamp = (version, len(show.episodes))
        cached = self._progress.get((number, specials))
        if (
            cached is not None
            and not by_activity
            and cached.stamp == stamp
            and cached.valid_until > now
        ):
            return cached
        concealed = self.hidden_seasons(number)
        listed = [e for e in show.episodes if specials or e.season > 0]
        aired = [
            e for e in listed if e.first_aired <= now and e.season not in concealed
        ]
        completed = [e for e in aired if (e.season, e.number) in plays]
        upcoming = [e.first_aired for e in listed if e.first_aired > now]
        last = completed[-1] if completed else None
        start = last
        if by_activity and completed:
            start = max(
                completed, key=lambda e: max(p.at for p in plays[e.season, e.number])
            )
        following = [
            e
            for e in aired
            if (e.season, e.number) not in plays
            and (start is None or (e.season, e.number) > (start.season, start.number))
        ]
        seen = [p for e in completed for p in plays[e.season, e.number]]
        watched = self.watched.get(number)
        until = min(upcoming, default=now + timedelta(days=3650))
        if watched is not None and watched.frozen is not None:
            until = min(until, watched.frozen_until)
        result = Progress(
            aired=aired,
            completed=completed,
            last_watched_at=max((p.at for p in seen), default=None),
            next_episode=following[0] if following else None,
            last_episode=last,
            plays=len(seen),
            hidden=sum(
                e.first_aired <= now and e.season in concealed for e in show.episodes
            ),
            valid_until=until,
            stamp=stamp,
        )
        if not by_activity:
            self._progress[number, specials] = result
        return result

    def hidden_seasons(self, number: int) -> set[int]:
        """Return the season numbers of a show that are hidden from progress."""
        section = self.hidden.get("progress_watched", {})
        base = SEASON_BASE + number * 100
        return {
            key - base
            for kind, key in section
            if kind == "season" and (key - SEASON_BASE) // 100 == number
        }

    def is_hidden(self, show: CatalogueShow) -> bool:
        """Say whether a show is dropped or hidden from progress."""
        key = ("show", int(show.ids["trakt"]))
        return key in self.hidden.get("dropped", {}) or key in self.hidden.get(
            "progress_watched", {}
        )

    def started(self) -> list[CatalogueShow]:
        """Return every show with a play of a regular episode that progress reads see."""
        shows = map(self.show, self.watched)
        return [s for s in shows if any(key[0] > 0 for key in self.visible(s))]

    # the rest -------------------------------------------------------------------------------------------------

    def touch(self, section: str, *keys: str) -> None:
        """Move markers to the present minute."""
        now = minute(self.clock.now())
        for key in keys:
            self.markers[section][key] = now

    def enlist(self, key: MediaKey, notes: str | None = None) -> bool:
        """Put something on the watchlist; False when it is there already."""
        if key in self.watchlist:
            return False
        self.watchlist[key] = Listed(
            next(self._small_ids), minute(self.clock.now()), notes
        )
        self.touch(f"{key[0]}s", "watchlisted_at")
        self.touch("watchlist", "updated_at")
        return True

    def unlist(self, key: MediaKey) -> bool:
        """Take something off the watchlist; False when it was not there."""
        if self.watchlist.pop(key, None) is None:
            return False
        self.touch(f"{key[0]}s", "watchlisted_at")
        self.touch("watchlist", "updated_at")
        return True

    def rate(self, key: MediaKey, rating: int | None, at: datetime) -> bool:
        """Set or (None) remove a rating; False when there was nothing to remove."""
        if rating is None:
            if self.ratings.pop(key, None) is None:
                return False
        else:
            self.ratings[key] = (rating, minute(at))
        self.touch(f"{key[0]}s", "rated_at")
        return True

    def save_playback(self, key: MediaKey, progress: float) -> Paused:
        """Save a position, replacing an earlier one of the same item."""
        for old in [p.id for p in self.playback.values() if p.key == key]:
            del self.playback[old]
        paused = Paused(next(self._small_ids), key, progress, minute(self.clock.now()))
        self.playback[paused.id] = paused
        self.touch(f"{key[0]}s", "paused_at")
        return paused

    def clear_playback(self, number: int) -> bool:
        """Remove a saved position; False when it is unknown."""
        paused = self.playback.pop(number, None)
        if paused is None:
            return False
        self.touch(f"{paused.key[0]}s", "paused_at")
        return True

    def saved(self, kind: str | None = None) -> list[Paused]:
        """Return saved positions of the last six months, newest first."""
        since = self.clock.now() - PLAYBACK_KEPT
        rows = [
            p
            for p in self.playback.values()
            if p.at >= since and kind in (None, p.key[0])
        ]
        return sorted(rows, key=lambda p: (p.at, p.id), reverse=True)

    def hide(self, section: str, key: MediaKey, *, on: bool) -> bool:
        """Hide or show again in one section; False when nothing changed."""
        items = self.hidden.setdefault(section, {})
        if on == (key in items):
            return False
        if on:
            items[key] = minute(self.clock.now())
        else:
            del items[key]
        if section == "dropped":
            self.touch("shows", "dropped_at")
        elif key[0] in ("movie", "show", "season"):
            self.touch(f"{key[0]}s", "hidden_at")
        if key[0] == "season":
            number = (key[1] - SEASON_BASE) // 100
            self.watched.setdefault(number, Watched()).version += 1
        return True

    def tick(self) -> None:
        """Let what is playing end by itself; a check-in then becomes a play."""
        current = self.watching
        if current is None or current.expires_at > self.clock.now():
            return
        self.watching = None
        if current.action == "checkin":
            self.add_play(current.title, current.episode, current.expires_at, "checkin")


def _runtime(play: Play) -> int:
    if play.episode is not None:
        return play.episode.runtime
    return play.title.runtime


def _markers(at: datetime) -> dict[str, dict[str, datetime]]:
    sections: dict[str, Iterable[str]] = {
        "movies": (
            "watched_at",
            "collected_at",
            "rated_at",
            "watchlisted_at",
            "favorited_at",
            "commented_at",
            "paused_at",
            "hidden_at",
        ),
        "episodes": (
            "watched_at",
            "collected_at",
            "rated_at",
            "watchlisted_at",
            "commented_at",
            "paused_at",
        ),
        "shows": (
            "rated_at",
            "watchlisted_at",
            "favorited_at",
            "commented_at",
            "hidden_at",
            "dropped_at",
        ),
        "seasons": ("rated_at", "watchlisted_at", "commented_at", "hidden_at"),
        "comments": ("liked_at", "reacted_at", "blocked_at"),
        "lists": ("liked_at", "reacted_at", "updated_at", "commented_at"),
        "watchlist": ("updated_at",),
        "favorites": ("updated_at",),
        "collaborations": ("updated_at",),
        "account": (
            "settings_at",
            "followed_at",
            "following_at",
            "pending_at",
            "requested_at",
        ),
        "saved_filters": ("updated_at",),
        "notes": ("updated_at",),
    }
    return {section: dict.fromkeys(keys, at) for section, keys in sections.items()}


def activities(state: State) -> dict[str, Any]:
    """Render /sync/last_activities."""
    latest = max(at for keys in state.markers.values() for at in keys.values())
    return {"all": iso(latest)} | {
        section: {key: iso(at) for key, at in keys.items()}
        for section, keys in state.markers.items()
    }
