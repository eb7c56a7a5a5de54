"""The rule that gets a client id suspended: all-items on a timer (apis/simkl.md section 6.5)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ..clock import Clock

ANCHOR_LIFE = timedelta(minutes=10)
FULL_PULLS = 2
"""How often one kind of pull without `date_from` is let through in a day: the first load, and one again."""


@dataclass(slots=True)
class Asked:
    """What one grant asked so far."""

    activities_at: datetime | None = None
    removed: str = ""
    """The markers of removals as last told."""
    pulls: dict[str, list[datetime]] = field(default_factory=dict)


class Gate:
    """Tells a two-phase client (section 6.4) from one that pulls on a timer.

    Every pull needs activities no older than ten minutes before it. Without `date_from`, the same pull may be
    made twice a day; an ids-only pull once for every time that something was removed, and twice more.
    """

    def __init__(self, clock: Clock) -> None:
        """Start without any request."""
        self.clock = clock
        self._asked: dict[str, Asked] = {}

    def asked(self, who: str, activities: dict[str, Any]) -> None:
        """Remember that the activities were read."""
        asked = self._asked.setdefault(who, Asked())
        asked.activities_at = self.clock.now()
        kinds = ("tv_shows", "anime", "movies")
        asked.removed = "/".join(str(activities[k]["removed_from_list"]) for k in kinds)

    def pulled(self, who: str) -> bool:
        """Say whether a library was pulled already."""
        asked = self._asked.get(who)
        return asked is not None and bool(asked.pulls)

    def allows(self, who: str, kind: str, status: str, query: dict[str, str]) -> bool:
        """Count a pull and say whether it is one that the documentation allows."""
        now = self.clock.now()
        asked = self._asked.setdefault(who, Asked())
        if asked.activities_at is None or now - asked.activities_at > ANCHOR_LIFE:
            return False
        if query.get("date_from"):
            return True
        shape = "&".join(
            f"{k}={query[k]}"
            for k in sorted(query)
            if k.startswith(("ext", "inc", "epi"))
        )
        key = f"{kind}/{status}?{shape}"
        if "ids_only" in query.get("extended", ""):
            key += asked.removed
        made = [at for at in asked.pulls.get(key, []) if now - at < timedelta(days=1)]
        asked.pulls[key] = [*made, now]
        return len(made) < FULL_PULLS
