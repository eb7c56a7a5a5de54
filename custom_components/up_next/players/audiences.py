"""Who follows what plays: every account that is fed, and every player by itself for its own entities."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from typing import Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later

from ..account import Capability
from ..const import CONF_TRACKER, DOMAIN
from ..scrobbling.calls import Call, Moment, PlayerSettings, Resolution, Rhythm, View
from ..scrobbling.observation import Observation
from ..scrobbling.saved import SavedSession
from ..scrobbling.viewings import Viewings
from ..trackers import TRACKERS
from .delivery import Deliverer
from .history import ScrobblingHistory
from .player import Player
from .view import AccountView

PLAYER_AUDIENCE: Final = "player:"
"""What the audience of a player by itself is called; other audiences are accounts, by unique id."""
SAVE_EVERY: Final = 60.0
"""Seconds between two savings of what plays."""
HEARTBEAT: Final = 900.0
"""Seconds after which a start is repeated for services that want that."""


@dataclass(slots=True, eq=False)
class Audience:
    """An account (by its unique id), or the entities of a player."""

    key: str
    viewings: Viewings
    players: Mapping[str, int] = field(default_factory=dict)
    """Whom it follows, and at which place each stands."""
    screen: AccountView = field(default_factory=AccountView)
    stored: dict[str, object] = field(default_factory=dict)
    """What its players showed, and in which phase, when that was stored last; without those that showed nothing."""
    stale: bool = False
    """Something was told since."""

    @property
    def player(self) -> str | None:
        """Return the player whose entities these are; None for an account."""
        if not self.key.startswith(PLAYER_AUDIENCE):
            return None
        return self.key.removeprefix(PLAYER_AUDIENCE)

    @property
    def busy(self) -> bool:
        """Say whether something played when it was looked at last."""
        return bool(self.stored)

    def stands_anew(self, views: Mapping[str, View | None]) -> bool:
        """Note what players show, and say whether that is something else than before, or in another phase."""
        anew = False
        for player, view in views.items():
            stands = view and (view.viewing, view.phase, view.resolved)
            if stands == self.stored.get(player):
                continue
            anew = True
            if stands is None:
                del self.stored[player]
            else:
                self.stored[player] = stands
        return anew


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An audience that there should be."""

    rhythm: Rhythm
    players: list[str] = field(default_factory=list)


type Tell = Callable[[Audience, Call], None]
type Show = Callable[[Audience, Mapping[str, View | None], Moment], None]


class Audiences:
    """All audiences. What is told of a viewing and how it stands then are stored together."""

    def __init__(
        self,
        hass: HomeAssistant,
        history: ScrobblingHistory,
        delivery: Deliverer,
        *,
        now: Callable[[], Moment],
        settings: Callable[[str], PlayerSettings],
        tell: Tell,
        show: Show,
    ) -> None:
        """Have told by `tell` what there is to tell, and shown by `show` what players of an audience show now."""
        self._hass = hass
        self._history = history
        self._delivery = delivery
        self._now = now
        self._settings = settings
        self._tell = tell
        self._show = show
        self._audiences: dict[str, Audience] = {}
        self._by_player: dict[str, list[Audience]] = {}
        self._runs = False
        self._due: dict[str, float] = {}
        """When something is to be done for each audience (monotonic), and when the timer is to fire."""
        self._timer_at = inf
        self._stop_timer: CALLBACK_TYPE | None = None
        self._stop_saving: CALLBACK_TYPE | None = None

    def __contains__(self, key: str) -> bool:
        """Say whether there is this audience."""
        return key in self._audiences

    @property
    def all(self) -> list[Audience]:
        """Return every audience."""
        return list(self._audiences.values())

    def of(self, player: str) -> Sequence[Audience]:
        """Return who follows a player."""
        return self._by_player.get(player, ())

    # who there is ---------------------------------------------------------------------------------------------

    @callback
    def follow(self, wanted: Mapping[str, Wanted]) -> list[tuple[Audience, str]]:
        """Have these audiences and no others. Returns who follows a player that it did not follow before."""
        for key in [key for key in self._audiences if key not in wanted]:
            audience = self._audiences.pop(key)
            self._part(audience, audience.players)
            self._due.pop(key, None)
            self._delivery.put(sessions={key: ()})
        joined: list[tuple[Audience, str]] = []
        for key, one in wanted.items():
            known = self._audiences.get(key)
            audience = known or self._made(key, one.rhythm)
            before = audience.players
            audience.players = {player: n for n, player in enumerate(one.players)}
            self._part(audience, before.keys() - audience.players)
            audience.viewings.look_again()
            joined += [(audience, p) for p in one.players if p not in before]
        self._by_player = {}
        for audience in self._audiences.values():
            for player in audience.players:
                self._by_player.setdefault(player, []).append(audience)
        return joined

    def _made(self, key: str, rhythm: Rhythm) -> Audience:
        viewings = Viewings(
            rhythm=rhythm, ledger=self._history.ledger(key), settings=self._settings
        )
        audience = self._audiences[key] = Audience(key=key, viewings=viewings)
        return audience

    def _part(self, audience: Audience, players: Iterable[str]) -> None:
        """Have an audience follow players no more: what they play ends here for it."""
        for player in players:
            self._take(audience, audience.viewings.forget_player(player, self._now()))

    @callback
    def recount(self, keys: Collection[str]) -> None:
        """Let audiences know what is counted now that viewings were taken back, moved or named."""
        changed = [self._audiences[key] for key in keys if key in self._audiences]
        for audience in changed:
            audience.viewings.recount(self._history.ledger(audience.key))
        self.after(changed)

    # life -----------------------------------------------------------------------------------------------------

    @callback
    def start(self, kept: Mapping[str, Sequence[SavedSession]]) -> None:
        """Go on with what was kept from the last run. What nobody follows any more is forgotten."""
        self._runs = True
        for key, sessions in kept.items():
            if (audience := self._audiences.get(key)) is not None:
                audience.viewings.restore(sessions, self._now())
                self._note_due(audience)
            else:
                self._delivery.put(sessions={key: ()})

    @callback
    def stop(self) -> None:
        """Do nothing any more by itself."""
        self._runs = False
        for stop in (self._stop_timer, self._stop_saving):
            if stop is not None:
                stop()
        self._stop_timer = self._stop_saving = None

    @callback
    def save(self) -> None:
        """Have everything stored as it stands now."""
        self._store(self.all, self._now(), anew=True)

    @callback
    def rejoin(self, player: str) -> None:
        """Let a player that was out of sight be seen as for the first time, by those for whom it has ended."""
        now = self._now()
        for audience in self.of(player):
            if audience.viewings.view(player, now) is None:
                self._part(audience, [player])

    @callback
    def end(self, player: str) -> None:
        """End what a player shows, for everybody who follows it."""
        for audience in self.of(player):
            self._part(audience, [player])

    # what they hear -------------------------------------------------------------------------------------------

    @callback
    def observe(self, audience: Audience, player: str, seen: Observation) -> None:
        """Let an audience see what a player reports."""
        self._take(audience, audience.viewings.observe(player, seen))

    @callback
    def resolve(
        self, audiences: Iterable[Audience], signature: str, resolution: Resolution
    ) -> None:
        """Let audiences know what a title was found to be."""
        now = self._now()
        for audience in audiences:
            self._take(audience, audience.viewings.resolve(signature, resolution, now))

    def _take(self, audience: Audience, calls: Sequence[Call]) -> None:
        self._note_due(audience)
        for call in calls:
            audience.stale = True
            self._tell(audience, call)

    def _note_due(self, audience: Audience) -> None:
        due = audience.viewings.due()
        self._due[audience.key] = inf if due is None else due

    @callback
    def after(
        self, audiences: Iterable[Audience], *, all_players: bool = False
    ) -> None:
        """Show, store and plan what follows from what these audiences just saw.

        Of an account's players only those are looked at of which there is news, or `all_players`.
        """
        if not self._runs:
            return
        now = self._now()
        stale: list[Audience] = []
        for audience in audiences:
            views = self._views(audience, now, all_players=all_players)
            self._show(audience, views, now)
            if audience.stands_anew(views) or audience.stale:
                stale.append(audience)
        self._store(stale, now, anew=all_players)
        self._plan_tick(now)
        self._plan_saving()

    def _views(
        self, audience: Audience, now: Moment, *, all_players: bool
    ) -> dict[str, View | None]:
        """Return what players show of which there is news; those that it follows no more show nothing."""
        players = audience.viewings.changed()
        if all_players or audience.player is not None:
            players |= audience.players.keys()
        known, view = audience.players, audience.viewings.view
        return {p: view(p, now) if p in known else None for p in players}

    def _store(self, audiences: Iterable[Audience], now: Moment, *, anew: bool) -> None:
        for audience in audiences:
            audience.stale = False
            key, viewings = audience.key, audience.viewings
            self._delivery.put(
                sessions={key: viewings.save(now, anew=anew)},
                counted=self._history.update(key, viewings.ledger),
            )

    # timers ---------------------------------------------------------------------------------------------------

    @callback
    def _plan_tick(self, now: Moment) -> None:
        due = min(self._due.values(), default=inf)
        if self._stop_timer is not None:
            if due == self._timer_at and due > now.monotonic:
                return
            self._stop_timer()
            self._stop_timer = None
        if due < inf:
            self._timer_at = due
            delay = max(0.0, due - now.monotonic)
            self._stop_timer = async_call_later(self._hass, delay, self._tick)

    @callback
    def _tick(self, _: datetime) -> None:
        self._stop_timer = None
        now = self._now()
        due: list[Audience] = []
        for audience in self.all:
            at = audience.viewings.due()
            if at is not None and at <= now.monotonic:
                due.append(audience)
                self._take(audience, audience.viewings.tick(now))
        self.after(due)

    @callback
    def _plan_saving(self) -> None:
        """Have what plays stored once a minute: so much is known after a power cut."""
        if self._stop_saving is None and any(one.busy for one in self.all):
            self._stop_saving = async_call_later(self._hass, SAVE_EVERY, self._save)

    @callback
    def _save(self, _: datetime) -> None:
        """Have what plays stored, and shown as it stands."""
        self._stop_saving = None
        busy = [audience for audience in self.all if audience.busy]
        for audience in busy:
            audience.stale = True
        self.after(busy, all_players=True)


def wanted_audiences(
    hass: HomeAssistant, players: Iterable[Player]
) -> dict[str, Wanted]:
    """Return the audiences that these players need, by key."""
    wanted: dict[str, Wanted] = {}
    for player in players:
        for key in (PLAYER_AUDIENCE + player.id, *player.fed):
            if key in wanted:
                wanted[key].players.append(player.id)
            elif (rhythm := _rhythm(hass, key)) is not None:
                wanted[key] = Wanted(rhythm=rhythm, players=[player.id])
    return wanted


def _rhythm(hass: HomeAssistant, key: str) -> Rhythm | None:
    """Return what an audience wants to hear; None for an account that was removed or can hear nothing."""
    if key.startswith(PLAYER_AUDIENCE):
        return Rhythm()
    entry = hass.config_entries.async_entry_for_domain_unique_id(DOMAIN, key)
    tracker = TRACKERS.get(entry.data[CONF_TRACKER]) if entry else None
    if tracker is None or Capability.SCROBBLE not in tracker.may:
        return None
    return Rhythm(
        pause_after=tracker.rhythm.pause_after,
        seeks=tracker.rhythm.seeks,
        heartbeat=HEARTBEAT if Capability.HEARTBEAT in tracker.may else None,
    )
