"""What is told of viewings: scrobbles to accounts, events to the entities of players and to automations."""

from __future__ import annotations

from collections.abc import Callable

from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.core import HomeAssistant, callback

from ..account import Capability
from ..const import CONF_TRACKER, DOMAIN
from ..media import Playable
from ..scrobbling.calls import Call
from ..scrobbling.identify import Identification
from ..trackers import TRACKERS
from ..writes import Scrobble, ScrobbleAction
from .audiences import Audience
from .delivery import Deliverer
from .events import PlayerEvent, event_of
from .history import ScrobblingHistory
from .matches import Matches, waiting_play
from .store import WaitingPlay

PASSING = frozenset({ScrobbleAction.START, ScrobbleAction.PAUSE})
"""What is worthless once it is late: an account that is not running never hears of it."""


class Announcer:
    """Turns calls into what is stored and told."""

    def __init__(
        self,
        hass: HomeAssistant,
        matches: Matches,
        history: ScrobblingHistory,
        delivery: Deliverer,
        *,
        identified: Callable[[str], Identification | None],
        happened: Callable[[str, PlayerEvent], None],
    ) -> None:
        """Ask `identified` what a title was found to be; tell `happened` what happens at a player."""
        self._hass = hass
        self._matches = matches
        self._history = history
        self._delivery = delivery
        self._identified = identified
        self._happened = happened

    @callback
    def tell(self, audience: Audience, call: Call) -> None:
        """Tell an audience, and count what was watched."""
        if (player := audience.player) is not None:
            self._tell_player(player, call)
        else:
            self._tell_account(audience.key, call)
        if call.counted is not None:
            found = self._identified(call.signature)
            media = found.media if found else call.media
            play = self._history.add(audience.key, call, call.counted, media)
            self._delivery.put(counted=[play])

    def _tell_account(self, account: str, call: Call) -> None:
        """Have an account told, or the play kept until somebody says what it was."""
        entry = self._hass.config_entries.async_entry_for_domain_unique_id(
            DOMAIN, account
        )
        if entry is None or not _may_be_told(entry, call.action):
            return
        if call.item is not None:
            write = scrobble_of(call, call.item)
            self._delivery.put(writes={entry.entry_id: [write]})
        elif (play := self._waiting_play(account, call)) is not None:
            self._delivery.put(waiting=[play])

    def _tell_player(self, player: str, call: Call) -> None:
        """Tell the entities of a player, and automations."""
        found = self._identified(call.signature)
        if call.item is None:
            play = self._waiting_play(player, call)
            if play is None or not play.looked_up:
                return
        self._happened(player, event_of(call, found.media if found else call.media))

    def _waiting_play(self, audience: str, call: Call) -> WaitingPlay | None:
        """Return what is kept of a viewing until somebody says what it was; None when it is nothing to be told."""
        found = self._identified(call.signature)
        if found is not None and found.ignored is not None:
            return None
        play = waiting_play(audience, call, found)
        return None if play is None or self._matches.is_ignored(play.media) else play


def _may_be_told(entry: ConfigEntry, action: ScrobbleAction) -> bool:
    if entry.state is ConfigEntryState.LOADED:
        if Capability.SCROBBLE not in entry.runtime_data.can:
            return False
    elif action in PASSING:
        return False
    tracker = TRACKERS[entry.data[CONF_TRACKER]]
    return tracker.rhythm.starts or action is not ScrobbleAction.START


def scrobble_of(call: Call, item: Playable) -> Scrobble:
    """Return what an account is told of a call."""
    return Scrobble(
        item=item,
        action=call.action,
        at=call.at,
        viewing=call.viewing,
        started_at=call.started_at,
        progress=call.progress,
        position=call.position,
        rewatch=call.rewatch,
    )
