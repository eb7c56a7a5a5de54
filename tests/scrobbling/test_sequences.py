"""Sequences of what players report, and what is to be told of them: data/sequences.json says how they are written."""

from __future__ import annotations

from collections.abc import Iterator
import json
from pathlib import Path
from typing import Any

import pytest

from custom_components.up_next.media import Episode, Ids, Movie, Show
from custom_components.up_next.scrobbling.observation import (
    Ignored,
    Media,
    MediaKind,
    PlayerState,
    Rank,
)
from custom_components.up_next.writes import ScrobbleAction

from .watching import Room, Title

CASES = json.loads((Path(__file__).parent / "data" / "sequences.json").read_text())
TOLERANCE = 1.6
AFTERWARDS = 400.0

ACTIONS = {
    "start": ScrobbleAction.START,
    "pause": ScrobbleAction.PAUSE,
    "stop": ScrobbleAction.STOP,
    "scrobble": ScrobbleAction.WATCHED,
}
KINDS = {"movie": MediaKind.MOVIE, "episode": MediaKind.EPISODE}
STATES = {state.value: state for state in PlayerState}
IGNORED = {
    "LIVE": Ignored.LIVE_TV,
    "PLIVE": Ignored.LIVE_TV,
    "PRE": Ignored.PREROLL,
    "MUS": Ignored.NOT_VIDEO,
    "APP": Ignored.NO_TITLE,
    "AD": Ignored.TOO_SHORT,
}
RANKS = {10: Rank.LIBRARY, 5: Rank.TITLE, None: Rank.LIBRARY}


def title(name: str) -> Title:
    """Return an item of the cases."""
    data = CASES["items"][name]
    attributes, key = data["ha"], data["key"]
    media = Media(
        kind=KINDS.get(data["type"], MediaKind.VIDEO),
        title=attributes.get("media_title", ""),
        series=attributes.get("media_series_title", ""),
        season=attributes.get("media_season"),
        episode=attributes.get("media_episode"),
        ids=Ids.of(test=name) if data.get("ids") else Ids(),
        library=data.get("library"),
        ignored=IGNORED.get(name),
    )
    ids = Ids.of(test=key)
    item = (
        Episode(show=Show(title=key), season=1, number=1, title=key, ids=ids)
        if media.kind is MediaKind.EPISODE
        else Movie(title=str(key), ids=ids)
    )
    return Title(
        name=str(key),
        media=media,
        items=(item,) if data.get("ids") else None,
        length=data["dur"],
        runtime=data.get("runtime"),
    )


def rooms(case: dict[str, Any], **more: Any) -> dict[str, Room | None]:
    """Return who watches which player; None for nobody."""
    players = {e[1] for e in case["events"] if e[0] not in ("restart", "clock")}
    users = case["users"] or {}
    by_user: dict[str | None, Room | None] = {None: None}
    watched: dict[str, Room | None] = {}
    for player in players:
        user = users.get(player, "me")
        watched[player] = by_user.setdefault(user, Room(**more)) if user else None
    return watched


def run(
    case: dict[str, Any], **more: Any
) -> list[tuple[float, str, str, float | None]]:
    """Let it all happen; return what is told: when, what, of which item, percent."""
    watched = rooms(case, **more)
    ranks = case["ranks"] or {}
    audiences = list({id(r): r for r in watched.values() if r is not None}.values())
    last = 0.0
    for event in case["events"]:
        if event[0] in ("restart", "clock"):
            last = event[1] + (event[2] if event[0] == "restart" else 0)
            for room in audiences:
                (room.restart if event[0] == "restart" else room.set_clock)(*event[1:])
            continue
        last, player, state, name, position, *rest = (*event, None)[
            : max(6, len(event))
        ]
        override = (rest[0] if rest else None) or {}
        if (room := watched[player]) is None:
            continue
        item = None if name is None else title(name)
        room.play(
            last,
            item,
            position,
            STATES[state],
            player=player,
            dated=override.get("upd"),
            length=override.get("dur", None if item is None else item.length) or None,
            rank=RANKS[ranks.get(player)],
        )
    told = []
    for room in audiences:
        room.wait(last + AFTERWARDS)
        if room.lazy:
            room.tick(last + AFTERWARDS)
        for heard in room.heard:
            call = heard.call
            assert call.item is not None
            assert call.item.title is not None
            told.append((heard.t, call.action.value, call.item.title, call.progress))
    return sorted(told, key=lambda one: one[0])


def matches(
    told: list[tuple[float, str, str, float | None]], case: dict[str, Any]
) -> bool:
    wanted = list(case["expect"])
    if len(told) != len(wanted):
        return False
    for (_, action, item, progress), (operation, name, percent) in zip(
        told, wanted, strict=True
    ):
        key = CASES["items"][name]["key"]
        if (action, item) != (ACTIONS[operation].value, key):
            return False
        if progress is None:
            # the cases write a start without a percentage as 0
            if percent:
                return False
        elif percent is None or abs(progress - percent) > TOLERANCE:
            return False
    return True


def cases() -> Iterator[Any]:
    for case in CASES["sequences"]:
        yield pytest.param(case, id=case["id"])


@pytest.mark.parametrize("case", cases())
def test_sequence(case: dict[str, Any]) -> None:
    """What is told is what the case expects."""
    told = run(case)
    assert matches(told, case), f"{case['why']}: {told} instead of {case['expect']}"


@pytest.mark.parametrize("case", cases())
def test_late_ticks(case: dict[str, Any]) -> None:
    """Nobody ticks: what is told is the same, only later."""
    told, late = run(case), run(case, lazy=True)
    assert sorted(str(one[1:]) for one in late) == sorted(str(one[1:]) for one in told)


def test_all_are_there() -> None:
    assert len(CASES["sequences"]) == 55
