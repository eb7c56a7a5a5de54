"""What is to be seen of players: their views for their own entities, and what accounts show as being watched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import ATTR_ENTITY_ID
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback

from ..const import DOMAIN
from ..coordinator import AccountCoordinator
from ..scrobbling.calls import Moment, View
from ..scrobbling.identify import Identification
from ..scrobbling.observation import Observation
from .audiences import Audience
from .events import EVENT_SCROBBLE, PlayerEvent
from .player import Player
from .view import PlayerView, player_view


@dataclass(slots=True, eq=False)
class _Screen:
    """What a player shows, and who wants to know."""

    view: PlayerView = field(default_factory=PlayerView)
    listeners: list[CALLBACK_TYPE] = field(default_factory=list)
    event_listeners: list[Callable[[PlayerEvent], None]] = field(default_factory=list)


class Showing:
    """The views of all players."""

    def __init__(
        self,
        hass: HomeAssistant,
        *,
        seen: Callable[[str], Observation | None],
        identified: Callable[[str], Identification | None],
    ) -> None:
        """Ask `seen` what a player reported last, and `identified` what a title was found to be."""
        self._hass = hass
        self._seen = seen
        self._identified = identified
        self._screens: dict[str, _Screen] = {}

    def view(self, player: str) -> PlayerView:
        """Return what a player shows."""
        screen = self._screens.get(player)
        return screen.view if screen else PlayerView()

    @callback
    def listen(self, player: str, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call `listener` when what a player shows has changed. Returns what ends it."""
        return listening(self._screen(player).listeners, listener)

    @callback
    def listen_for_events(
        self, player: str, listener: Callable[[PlayerEvent], None]
    ) -> CALLBACK_TYPE:
        """Call `listener` with what happens at a player. Returns what ends it."""
        return listening(self._screen(player).event_listeners, listener)

    @callback
    def forget(self, player: str) -> None:
        """Show nothing of a player any more."""
        self._screens.pop(player, None)

    @callback
    def tell(self, player: Player, entity_id: str | None, event: PlayerEvent) -> None:
        """Tell a player's entities, and automations, that something happened."""
        for listener in tuple(self._screen(player.id).event_listeners):
            listener(event)
        self._hass.bus.async_fire(
            EVENT_SCROBBLE,
            {
                "action": event.type,
                "player": player.name,
                ATTR_ENTITY_ID: entity_id,
                **event.data,
            },
        )

    @callback
    def show(
        self, audience: Audience, views: Mapping[str, View | None], now: Moment
    ) -> None:
        """Show what an audience sees of these of its players; the others show what they did."""
        if (player := audience.player) is not None:
            self._show_player(player, views.get(player), now)
        else:
            self._show_account(audience, views, now)

    def _show_player(self, player: str, view: View | None, now: Moment) -> None:
        screen = self._screen(player)
        found = self._identified(view.signature) if view else None
        shown = player_view(screen.view, self._seen(player), view, found, now)
        if shown != screen.view:
            screen.view = shown
            for listener in tuple(screen.listeners):
                listener()

    def _show_account(
        self, audience: Audience, views: Mapping[str, View | None], now: Moment
    ) -> None:
        for player, view in views.items():
            place = audience.players.get(player, 0)
            audience.screen.note(player, place, view, self._seen(player))
        entry = self._hass.config_entries.async_entry_for_domain_unique_id(
            DOMAIN, audience.key
        )
        if entry is None or entry.state is not ConfigEntryState.LOADED:
            return
        account: AccountCoordinator = entry.runtime_data

        def look(player: str) -> tuple[View | None, Observation | None]:
            view = views.get(player) or audience.viewings.view(player, now)
            return view, self._seen(player)

        playback = audience.screen.playback(account.playback, look, now)
        account.async_show_playback(playback, fed=True)

    def _screen(self, player: str) -> _Screen:
        return self._screens.setdefault(player, _Screen())


def listening[T](listeners: list[T], listener: T) -> CALLBACK_TYPE:
    """Add a listener. Returns what takes it away again."""
    listeners.append(listener)
    return lambda: listeners.remove(listener)
