"""Looking after the plays that wait: what can be recognized by now is sent, what can't matter any more is dropped."""

from __future__ import annotations

from datetime import datetime, timedelta
import logging
from typing import Final

from homeassistant.config_entries import (
    SIGNAL_CONFIG_ENTRY_CHANGED,
    ConfigEntry,
    ConfigEntryChange,
)
from homeassistant.core import callback
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.util import dt as dt_util

from ..const import DOMAIN
from .deciding import account_entry, async_review
from .scrobbler import Scrobbler
from .store import WaitingPlay

_LOGGER = logging.getLogger(__name__)

REVIEW_EVERY: Final = timedelta(minutes=10)
"""How often services are asked again about plays of which none could be asked."""


@callback
def async_look_after_waiting_plays(scrobbler: Scrobbler) -> None:
    """Keep the plays that wait few and recent, as long as `scrobbler` is set up, and send those that need nobody."""
    keeper = _Keeper(scrobbler)
    entry = scrobbler.config_entry
    entry.async_on_unload(scrobbler.matches.async_listen(keeper.tidy))
    entry.async_on_unload(
        async_track_time_interval(scrobbler.hass, keeper.again, REVIEW_EVERY)
    )
    entry.async_on_unload(
        async_dispatcher_connect(
            scrobbler.hass, SIGNAL_CONFIG_ENTRY_CHANGED, keeper.account_changed
        )
    )
    keeper.tidy()


class _Keeper:
    """Looks after the waiting plays of one scrobbler."""

    def __init__(self, scrobbler: Scrobbler) -> None:
        self._scrobbler = scrobbler
        self._seen: set[int] = set()
        """Plays that were looked at: what they wait for is a person."""
        self._reviewing = False

    @callback
    def tidy(self) -> None:
        """Drop what waits too long, is too much, or would tell an account that was removed."""
        scrobbler = self._scrobbler
        overdue = scrobbler.matches.overdue(dt_util.utcnow())
        if overdue:
            _LOGGER.warning(
                "%d play(s) that nobody named are dropped: they waited too long, or there are too many",
                len(overdue),
            )
        orphaned = [
            play
            for play in scrobbler.matches.plays
            if play not in overdue
            and account_entry(scrobbler.hass, play.account) is None
        ]
        if dropped := overdue + orphaned:
            scrobbler.delivery.put(settled=[play.id for play in dropped])
            scrobbler.matches.settle(dropped)
            return  # which led here once more
        self._review()

    @callback
    def again(self, _: datetime) -> None:
        """Look once more."""
        self.tidy()

    @callback
    def account_changed(self, change: ConfigEntryChange, entry: ConfigEntry) -> None:
        """Look once more when an account was removed, or may be asked again."""
        if entry.domain == DOMAIN:
            self.tidy()

    @callback
    def _review(self) -> None:
        """Have the plays identified that may need nobody: never looked up, or decided about before they came."""
        matches = self._scrobbler.matches
        open_plays = [
            play
            for play in matches.plays
            if play.id not in self._seen
            and (not play.looked_up or matches.is_decided(play.media))
        ]
        if open_plays and not self._reviewing:
            self._reviewing = True
            self._scrobbler.config_entry.async_create_background_task(
                self._scrobbler.hass, self._run(open_plays), "Scrobbling review"
            )

    async def _run(self, plays: list[WaitingPlay]) -> None:
        try:
            unknown = await async_review(self._scrobbler, plays)
            self._seen |= {play.id for play in plays if play not in unknown}
        except Exception:
            _LOGGER.exception("Plays that wait could not be looked at")
        finally:
            self._reviewing = False
