"""Named timers: each fires once, and planning one replaces the former of its name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later, async_track_point_in_utc_time


class Timers:
    """The timers of one owner, which end with it."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Plan nothing yet."""
        self._hass = hass
        self._planned: dict[str, CALLBACK_TYPE] = {}
        self._stopped = False

    def __contains__(self, name: str) -> bool:
        """Say whether something is planned under this name."""
        return name in self._planned

    def after(self, name: str, seconds: float, action: Callable[[], None]) -> None:
        """Do `action` once, in so many seconds."""
        self.cancel(name)
        if not self._stopped:
            self._planned[name] = async_call_later(
                self._hass, seconds, self._run(name, action)
            )

    def at(self, name: str, when: datetime | None, action: Callable[[], None]) -> None:
        """Do `action` once, at this time by the clock (UTC); None: not at all."""
        self.cancel(name)
        if when is not None and not self._stopped:
            self._planned[name] = async_track_point_in_utc_time(
                self._hass, self._run(name, action), when
            )

    def cancel(self, name: str) -> None:
        """Take back what was planned under this name."""
        if cancel := self._planned.pop(name, None):
            cancel()

    def stop(self) -> None:
        """Take back everything, and plan nothing any more."""
        self._stopped = True
        for name in tuple(self._planned):
            self.cancel(name)

    def _run(self, name: str, action: Callable[[], None]) -> Callable[[datetime], None]:
        @callback
        def run(_: datetime) -> None:
            self._planned.pop(name, None)
            action()

        return run
