"""What a bug report may tell of scrobbling: how many and of which kind, never what was watched or by whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ..context import VERSION
from .scrobbler import Scrobbler


def describe_scrobbling(scrobbler: Scrobbler) -> dict[str, object]:
    """Describe the players. No titles, names or ids get out."""
    players = scrobbler.players
    matches = scrobbler.matches
    return {
        "version": VERSION,
        "players": {
            "count": len(players),
            "by_integration": _counted(
                scrobbler.source(player.id) or "unknown" for player in players
            ),
            "by_phase": _counted(
                scrobbler.view(player.id).phase.value for player in players
            ),
            "observe_only": sum(player.observe_only for player in players),
            "with_condition": sum(player.condition is not None for player in players),
            "with_persons": sum(bool(player.persons) for player in players),
        },
        "accounts_fed": len({key for player in players for key in player.fed}),
        "recognized_by": _counted(
            view.method.value
            for player in players
            if (view := scrobbler.view(player.id)).method is not None
        ),
        "waiting_titles": len(matches.waiting),
        "waiting_plays": len(matches.plays),
        "decisions": matches.count,
        "corrections": len(matches.corrections),
        "counted": len(scrobbler.history.newest()),
    }


def _counted(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))
