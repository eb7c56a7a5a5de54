"""The simulated services of the demo: where they listen, and what signs in to each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from simulators.__main__ import SERVICES
from simulators.logins import APP, LOGINS

PORTS: Mapping[str, int] = {service.name: service.port for service in SERVICES}
"""Tracker -> the port its simulator listens on, before the offset; in the order of the dashboard."""
SETTINGS: Mapping[str, tuple[str, str]] = {"kinopub": ("folder", "watchlist")}
"""Tracker -> a setting that has no value at first and gets its first choice, and the entity that comes with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedService:
    """One service while it runs, at `url`."""

    tracker: str
    url: str

    @property
    def lasting(self) -> bool:
        """Say whether a sign-in still holds after the service was started anew: it forgets the grants it gave."""
        return self.tracker in LOGINS

    @property
    def answers(self) -> dict[str, str]:
        """Return what is typed in and chosen when an account is added, by the name of its field."""
        return {**LOGINS.get(self.tracker, APP), "base_url": self.url}


def simulated_services(offset: int) -> list[SimulatedService]:
    """Return all services, with their ports moved by `offset`."""
    return [
        SimulatedService(tracker=tracker, url=f"http://127.0.0.1:{port + offset}")
        for tracker, port in PORTS.items()
    ]
