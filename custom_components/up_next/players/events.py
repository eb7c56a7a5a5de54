"""What happens at a mapped player, as automations hear of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ..const import DOMAIN
from ..media import Episode, Movie
from ..scrobbling.calls import Call
from ..scrobbling.observation import Media
from ..writes import ScrobbleAction
from .matches import reported

EVENT_SCROBBLE: Final = f"{DOMAIN}_scrobble"
"""Fired on the bus with `action` (one of `EVENT_TYPES`), `player`, `entity_id` and what `PlayerEvent.data` holds."""
NEEDS_DECISION: Final = "needs_decision"
EVENT_TYPES: Final = (
    "started",
    "paused",
    "resumed",
    "stopped",
    "watched",
    NEEDS_DECISION,
)


@dataclass(frozen=True, slots=True)
class PlayerEvent:
    """Something that happened: one of `EVENT_TYPES`, and what it was about."""

    type: str
    data: Mapping[str, object]


def event_of(call: Call, media: Media | None) -> PlayerEvent:
    """Return what a call means to people. `media` is what the player said, where that is still known.

    What needs a decision goes by the `match` that the action resolve_match takes.
    """
    data: dict[str, object] = {"progress": _rounded(call.progress)}
    item = call.item
    if item is None:
        data["label"] = reported(media) if media else call.signature
        data["match"] = call.signature
        return PlayerEvent(NEEDS_DECISION, data)
    data |= {"label": item.label, "type": item.type.value, "title": item.title}
    data["ids"] = dict(item.ids.values)
    if isinstance(item, Episode):
        data |= {"show": item.show.title, "show_ids": dict(item.show.ids.values)}
        data |= {"season": item.season, "episode": item.number}
    elif isinstance(item, Movie):
        data["year"] = item.year
    return PlayerEvent(_type(call), data)


def _type(call: Call) -> str:
    match call.action:
        case ScrobbleAction.START:
            return "resumed" if call.resumed else "started"
        case ScrobbleAction.PAUSE:
            return "paused"
        case ScrobbleAction.STOP:
            return "stopped"
        case ScrobbleAction.WATCHED:
            return "watched"


def _rounded(progress: float | None) -> float | None:
    return None if progress is None else round(progress, 1)
