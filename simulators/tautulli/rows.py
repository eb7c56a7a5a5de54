"""What Tautulli stores and shows: users, rows of history and sessions, and how they are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from .items import TEMPLATES, Item

_THRESHOLD: Final = 85


@dataclass(frozen=True, slots=True)
class User:
    """A Plex user."""

    id: int
    username: str
    friendly_name: str


USERS: Final = (
    User(0, "Local", "Local"),
    User(1001, "avery", "Avery"),
    User(1002, "blake", "blake"),
)


@dataclass(slots=True)
class Row:
    """One stored stretch of playing; times are epoch seconds, `percent` is where it ended."""

    id: int
    reference_id: int
    user: User
    item: Item
    started: int
    stopped: int
    paused: int
    percent: int
    live: bool = False

    @property
    def played(self) -> int:
        """Return for how many seconds it played."""
        return self.stopped - self.started - self.paused

    @property
    def status(self) -> float:
        """Return `watched_status`."""
        return status_of(self.percent)


@dataclass(slots=True)
class Session:
    """Something playing or paused now; `offset` in seconds was true at `since` (epoch)."""

    key: int
    user: User
    item: Item
    state: str
    offset: float
    since: float
    started: float
    media_type: str
    live: bool = False
    paused: float = 0.0
    begun_at: float = 0.0
    """The offset at which it started."""

    def at(self, now: float) -> float:
        """Return the position in seconds."""
        moved = now - self.since if self.state == "playing" else 0.0
        return min(self.offset + moved, self.item.runtime)


def session_object(session: Session, now: float) -> dict[str, Any]:
    """Write a session as `get_activity` does; `now` is epoch seconds."""
    position = session.at(now)
    length = session.item.runtime
    return (
        TEMPLATES["session"]
        | session.item.texts()
        | {
            "media_type": session.media_type,
            "live": int(session.live),
            "session_key": str(session.key),
            "session_id": f"sess{session.key}",
            "state": session.state,
            "view_offset": str(round(position * 1000)),
            "progress_percent": str(int(position / length * 100)),
            "stream_duration": str(length * 1000),
            "user": session.user.username,
            "username": session.user.username,
            "friendly_name": session.user.friendly_name,
            "user_id": session.user.id,
        }
    )


def running_row(session: Session, now: float) -> dict[str, Any]:
    """Write a session as `get_history` does while it goes on."""
    percent = int(session.at(now) / session.item.runtime * 100)
    seconds = round(now - session.started)
    return (
        TEMPLATES["history_row"]
        | session.item.numbers()
        | _person(session.user)
        | {
            "reference_id": None,
            "row_id": None,
            "id": None,
            "date": round(session.started),
            "started": round(session.started),
            "stopped": round(now),
            "duration": seconds,
            "play_duration": seconds,
            "paused_counter": 0,
            "live": int(session.live),
            "percent_complete": percent,
            "watched_status": status_of(percent),
            "group_count": None,
            "group_ids": None,
            "state": session.state,
            "session_key": session.key,
        }
    )


def history_row(group: Sequence[Row]) -> dict[str, Any]:
    """Write a row, or several of one viewing as one."""
    last = group[-1]
    played = sum(row.played for row in group)
    return (
        TEMPLATES["history_row"]
        | last.item.numbers()
        | _person(last.user)
        | {
            "reference_id": last.reference_id,
            "row_id": last.id,
            "id": last.id,
            "date": last.started,
            "started": group[0].started,
            "stopped": last.stopped,
            "duration": played,
            "play_duration": played,
            "paused_counter": sum(row.paused for row in group),
            "live": int(last.live),
            "percent_complete": max(row.percent for row in group),
            "watched_status": max(row.status for row in group),
            "group_count": len(group),
            "group_ids": ",".join(str(row.id) for row in group),
        }
    )


def _person(user: User) -> dict[str, Any]:
    return {
        "user_id": user.id,
        "user": user.username,
        "friendly_name": user.friendly_name,
    }


def status_of(percent: int) -> float:
    """Return how watched this is, in quarters; from 85 % on it is watched."""
    quarters = min(4, int(percent / _THRESHOLD * 4))
    return quarters // 4 if quarters in (0, 4) else quarters / 4
