"""Scrobbling as a whole: what mapped players play is heard, identified, followed, told and shown."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
import logging
from time import monotonic
from typing import TypeIs

from homeassistant.config_entries import (
    SIGNAL_CONFIG_ENTRY_CHANGED,
    ConfigEntry,
    ConfigEntryChange,
)
from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.start import async_at_started
from homeassistant.util import dt as dt_util

from ..const import DOMAIN, PLAYER, SCROBBLING
from ..coordinator import AccountCoordinator, UpNextConfigEntry
from ..executor import async_run
from ..scrobbling.calls import Moment, PlayerSettings, Resolution, View
from ..scrobbling.identify import Identification, identify
from ..scrobbling.observation import Media, Observation, PlayerState
from ..scrobbling.saved import SavedSession
from .announcing import Announcer
from .audiences import Audience, Audiences, wanted_audiences
from .catalogue import Catalogue
from .delivery import Deliverer
from .events import PlayerEvent
from .history import ScrobblingHistory
from .identifying import Asked, Identifying
from .listening import ACTIVE, Listening
from .matches import Matches
from .media_servers import with_server_ids
from .player import Player
from .showing import Showing, listening
from .source_ids import enrich
from .store import CountedPlay, ScrobblingTables
from .view import NOT_FOR_US, PlayerView

_LOGGER = logging.getLogger(__name__)

type ScrobblingConfigEntry = ConfigEntry[Scrobbler]


@dataclass(slots=True, eq=False)
class _Followed:
    """A mapped player, and what it does."""

    player: Player
    settings: PlayerSettings
    seen: Observation | None = None
    shown: Media | None = None
    """What it showed last, of what may be scrobbled."""


class Scrobbler:
    """All mapped players."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ScrobblingConfigEntry,
        tables: ScrobblingTables,
    ) -> None:
        """Follow the players of `entry`; `async_start` begins to."""
        self.hass = hass
        self.config_entry = entry
        self.matches = Matches(hass, tables)
        self.delivery = Deliverer(hass, tables, self.matches.wait)
        self.history = ScrobblingHistory(
            changed=lambda plays: self.delivery.put(counted=plays),
            taken_back=self._uncounted,
        )
        self._tables = tables
        self._titles = Identifying(
            hass,
            self._identify,
            found=self._found,
            wanted=self._plays,
            spawn=self._spawn,
        )
        self._showing = Showing(hass, seen=self._seen, identified=self._titles.get)
        announcer = Announcer(
            hass,
            self.matches,
            self.history,
            self.delivery,
            identified=self._titles.get,
            happened=self._happened,
        )
        self._audiences = Audiences(
            hass,
            self.history,
            self.delivery,
            now=self._now,
            settings=self._settings,
            tell=announcer.tell,
            show=self._showing.show,
        )
        self._listening = Listening(hass, self._heard, now=self._now, spawn=self._spawn)
        self._followed: dict[str, _Followed] = {}
        self._known_accounts: list[AccountCoordinator] = []
        self._kept: Mapping[str, Sequence[SavedSession]] = {}
        """Viewings of the last run, until the players are followed again."""
        self._add: list[Callable[[Player], None]] = []
        self._runs = False
        self._ended = False

    # life -----------------------------------------------------------------------------------------------------

    async def async_start(self) -> None:
        """Take up what the last run left, and follow the players as soon as Home Assistant has started."""
        now = dt_util.utcnow()
        kept = await self._tables.load(now)
        await self.matches.async_load(kept.waiting, now)
        self.history.load(kept.counted)
        self._kept = kept.sessions
        entry = self.config_entry
        entry.async_on_unload(self._halt)
        self._spawn(self.delivery.run(), "Scrobbling delivery")
        self._follow_config()
        entry.async_on_unload(
            async_dispatcher_connect(
                self.hass, SIGNAL_CONFIG_ENTRY_CHANGED, self._config_changed
            )
        )
        # before the players go, as other integrations stop
        entry.async_on_unload(
            self.hass.async_add_shutdown_job(
                HassJob(self.async_stop, "Scrobbling shutdown")
            )
        )
        entry.async_on_unload(async_at_started(self.hass, self._begin))

    @callback
    def _begin(self, _: HomeAssistant) -> None:
        """Go on with what played before, and look at every player once."""
        self._runs = True
        self._audiences.start(self._kept)
        self._kept = {}
        self._listening.start()
        self._audiences.after(self._audiences.all)

    async def async_stop(self) -> None:
        """Follow nothing any more, and store what plays: the next run goes on with it."""
        if self._ended:
            return
        if self._runs:
            self._audiences.save()
        self._halt()
        try:
            await self.delivery.flush()
        except Exception:
            _LOGGER.exception("What plays could not be stored")
        fed = self.config_entry.disabled_by is None
        for account in self._accounts():
            account.async_show_playback(None, fed=account.fed and fed)

    @callback
    def _halt(self) -> None:
        self._ended, self._runs = True, False
        self._listening.stop()
        self._titles.stop()
        self._audiences.stop()
        self.history.detach()

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> None:
        self.config_entry.async_create_background_task(self.hass, work, name)

    def _now(self) -> Moment:
        return Moment(monotonic=monotonic(), at=dt_util.utcnow())

    # for entities and actions ---------------------------------------------------------------------------------

    @callback
    def async_follow_players(self, add: Callable[[Player], None]) -> CALLBACK_TYPE:
        """Call `add` for every player, now and whenever one is mapped. Returns what ends it."""
        for followed in self._followed.values():
            add(followed.player)
        return listening(self._add, add)

    @callback
    def async_listen(self, player: str, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call `listener` when what the player shows has changed. Returns what ends it."""
        return self._showing.listen(player, listener)

    @callback
    def async_listen_for_events(
        self, player: str, listener: Callable[[PlayerEvent], None]
    ) -> CALLBACK_TYPE:
        """Call `listener` with what happens at the player. Returns what ends it."""
        return self._showing.listen_for_events(player, listener)

    @property
    def players(self) -> Sequence[Player]:
        """Return the mapped players."""
        return [followed.player for followed in self._followed.values()]

    def view(self, player: str) -> PlayerView:
        """Return what the player shows."""
        return self._showing.view(player)

    def source(self, player: str) -> str:
        """Return the integration that a player belongs to; "" when nobody knows."""
        return self._listening.source(player)

    def accounts_of(self, player: str) -> Sequence[AccountCoordinator]:
        """Return the accounts that know titles for a player: its own, else any."""
        followed = self._followed.get(player)
        mine = followed.player.accounts if followed else ()
        accounts = self._accounts()
        return [a for a in accounts if _key(a) in mine] or accounts

    def player_named(self, name: str) -> str | None:
        """Return the player that is named by its own entity or device, or by one of those made for it here."""
        registry = er.async_get(self.hass)
        device = dr.async_get(self.hass).async_get(name)
        registered = registry.async_get(name)
        ours = registered is not None and registered.platform == DOMAIN
        for player in self._followed:
            mine, entity_id = (
                f"{SCROBBLING}_{player}",
                self._listening.entity_id(player),
            )
            if name in (player, entity_id):
                return player
            if registered and ours and registered.unique_id.startswith(f"{mine}_"):
                return player
            if device is None:
                continue
            own = registry.async_get(entity_id) if entity_id else None
            if (DOMAIN, mine) in device.identifiers:
                return player
            if own is not None and own.device_id == device.id:
                return player
        return None

    def media_of(self, player: str) -> Media | None:
        """Return what a player shows, or showed last, with what was learned since."""
        shown = self._followed[player].shown if player in self._followed else None
        if shown is None:
            return None
        found = self._titles.get(shown.signature)
        return found.media if found else shown

    def media_named(self, signature: str) -> Media | None:
        """Return what is known of a title by its signature."""
        if (found := self._titles.get(signature)) is not None:
            return found.media
        return self.matches.media_of(signature) or self.history.media_of(signature)

    # who is followed, and who is told -------------------------------------------------------------------------

    @callback
    def _config_changed(self, _: ConfigEntryChange, entry: ConfigEntry) -> None:
        """Follow changes of players, and of accounts, which come, go and are set up again."""
        if entry.domain == DOMAIN:
            self._follow_config()

    @callback
    def _follow_config(self) -> None:
        """Bring players and audiences in line with the configuration."""
        if self._ended:
            return
        players = {
            subentry.subentry_id: Player.of(subentry)
            for subentry in self.config_entry.subentries.values()
            if subentry.subentry_type == PLAYER
        }
        for gone in [known for known in self._followed if known not in players]:
            del self._followed[gone]
            self._showing.forget(gone)
        fresh = [
            player for player in players.values() if player.id not in self._followed
        ]
        for player in players.values():
            settings = PlayerSettings(thresholds=player.thresholds)
            known = self._followed.get(player.id)
            if known is None:
                self._followed[player.id] = _Followed(player, settings)
            else:
                known.player, known.settings = player, settings
        joined = self._audiences.follow(wanted_audiences(self.hass, players.values()))
        self._meet_accounts()
        self._listening.follow(players.values())
        for audience, joining in joined:
            self._introduce(audience, joining)
        for player in fresh:
            for add in tuple(self._add):
                add(player)
        self._audiences.after(self._audiences.all)

    @callback
    def _meet_accounts(self) -> None:
        """Hear what becomes of what accounts are told, and give those that have just come what waits for them."""
        accounts = self._accounts()
        fresh = [account for account in accounts if account not in self._known_accounts]
        self._known_accounts = accounts
        self.history.attach(accounts)
        for account in accounts:
            fed = _key(account) in self._audiences
            if fed != account.fed:
                account.async_show_playback(None, fed=fed)
        for account in fresh:
            self.delivery.welcome(account)
        if fresh:
            self._titles.ask_again()

    @callback
    def _introduce(self, audience: Audience, player: str) -> None:
        """Let an audience see what a player shows already."""
        seen = self._followed[player].seen
        if self._runs and seen is not None:
            now = self._now()
            seen = replace(seen, monotonic=now.monotonic, at=now.at)
            self._audiences.observe(audience, player, _visible(seen))
            self._resolve([audience], seen)

    def _settings(self, player: str) -> PlayerSettings:
        followed = self._followed.get(player)
        return followed.settings if followed else PlayerSettings()

    def _accounts(self) -> list[AccountCoordinator]:
        return [
            entry.runtime_data
            for entry in self.hass.config_entries.async_loaded_entries(DOMAIN)
            if isinstance(entry.runtime_data, AccountCoordinator)
        ]

    # what plays, and what that is -----------------------------------------------------------------------------

    @callback
    def _heard(self, player: str, seen: Observation) -> None:
        """Take in what a player reports."""
        followed = self._followed[player]
        if followed.seen and _is_hidden(followed.seen) and not _is_hidden(seen):
            self._audiences.rejoin(player)
        followed.seen = seen
        audiences = self._audiences.of(player)
        for audience in audiences:
            self._audiences.observe(audience, player, _visible(seen))
        if (media := _played(seen)) is not None:
            followed.shown = media
            self._resolve(audiences, seen)
            self._titles.mind(player, media, seen.duration)
        self._audiences.after(audiences)

    def _resolve(self, audiences: Sequence[Audience], seen: Observation) -> None:
        """Tell audiences what is known of what they see."""
        media = _played(seen)
        found = self._titles.get(media.signature) if media else None
        if found is not None:
            self._audiences.resolve(audiences, found.signature, _resolution(found))

    @callback
    def _found(self, found: Identification, players: frozenset[str]) -> None:
        """Take in what these players' title was found to be, also when it was something else before."""
        audiences = [
            audience
            for audience in self._audiences.all
            if not players.isdisjoint(audience.players)
        ]
        self._audiences.resolve(audiences, found.signature, _resolution(found))
        self._audiences.after(audiences)

    async def _identify(self, asked: Asked) -> Identification:
        found = await self._looked_up(asked)
        if self.matches.has_word_on(found):
            # it was said meanwhile
            found = await self._looked_up(asked)
        return found

    async def _looked_up(self, asked: Asked) -> Identification:
        media, player = asked.media, asked.player
        if (entity_id := self._listening.teller(player)) is not None:
            media = await enrich(self.hass, entity_id, media.source, media)
        media = await with_server_ids(self._accounts(), media)
        accounts = self.accounts_of(player)
        return await self.async_identify(media, asked.duration, accounts)

    async def async_identify(
        self,
        media: Media,
        duration: float | None,
        accounts: Sequence[AccountCoordinator],
    ) -> Identification:
        """Find out what a title is. Raises CatalogueUnavailable where that takes a service that can't be asked."""
        return await identify(
            media,
            duration,
            Catalogue(hass=self.hass, accounts=accounts),
            self.matches,
            self.async_run,
        )

    async def async_run[T](self, function: Callable[..., T], /, *args: object) -> T:
        """Call what takes its time off the event loop (`scrobbling.lookup.Run`)."""
        return await async_run(self.hass, function, *args)

    @callback
    def reconsider(self, signatures: Collection[str]) -> None:
        """Have titles identified anew that a person has decided about, by themselves or by their show."""
        stale = {*signatures, *self._titles.forget(signatures)}
        for player in self._followed:
            view = self._present(player)
            if (
                not view
                or not {view.media.signature, view.media.show_signature} & stale
            ):
                continue
            if self.matches.is_ignored(view.media):
                self._audiences.end(player)
                self._listening.look(player)
            self._titles.mind(player, view.media, view.duration)

    @callback
    def recount(self, audiences: Collection[str]) -> None:
        """Let audiences know what is counted now that viewings were taken back, moved or named."""
        self._audiences.recount(audiences)

    @callback
    def _uncounted(self, plays: Sequence[CountedPlay]) -> None:
        """Store that somebody took viewings back."""
        self.delivery.put(uncounted=plays)
        self.recount({play.audience for play in plays})

    def _present(self, player: str) -> View | None:
        """Return what a player shows, or may come back to."""
        for audience in self._audiences.of(player):
            if audience.player == player:
                return audience.viewings.view(player, self._now())
        return None

    def _plays(self, signature: str) -> bool:
        """Say whether a player shows a title, or may come back to it."""
        present = (self._present(player) for player in self._followed)
        return any(view and view.signature == signature for view in present)

    def _seen(self, player: str) -> Observation | None:
        """Return what a player reported last."""
        followed = self._followed.get(player)
        return followed.seen if followed else None

    @callback
    def _happened(self, player: str, event: PlayerEvent) -> None:
        """Tell whoever wants to know what happens at a player."""
        if (followed := self._followed.get(player)) is not None:
            entity_id = self._listening.entity_id(player)
            self._showing.tell(followed.player, entity_id, event)


def is_scrobbling(
    entry: UpNextConfigEntry | ScrobblingConfigEntry,
) -> TypeIs[ScrobblingConfigEntry]:
    """Say whether a config entry is the one that holds the players, and no account."""
    return entry.unique_id == SCROBBLING


def _is_hidden(seen: Observation) -> bool:
    """Say whether what plays is none of anybody's business here: it plays for others, or not now."""
    return seen.media is not None and seen.media.ignored in NOT_FOR_US


def _visible(seen: Observation) -> Observation:
    """Return what audiences see of a player: what is hidden from them could be anything, or nothing."""
    if not _is_hidden(seen):
        return seen
    return Observation(
        state=PlayerState.UNAVAILABLE, monotonic=seen.monotonic, at=seen.at
    )


def _played(seen: Observation) -> Media | None:
    """Return what plays, of what may be scrobbled."""
    media = seen.media
    if media is None or media.ignored is not None or seen.state not in ACTIVE:
        return None
    return media


def _resolution(found: Identification) -> Resolution:
    """Return what may be scrobbled of an identification: nothing that a person has to confirm first."""
    return Resolution(items=found.items if found.unasked else (), runtime=found.runtime)


def _key(account: AccountCoordinator) -> str:
    """Return the key of an account's audience."""
    return str(account.config_entry.unique_id)
