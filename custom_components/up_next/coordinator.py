"""One account in Home Assistant: its library on screen, kept right by refreshing and by what is being written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
import logging

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryAuthFailed, HomeAssistantError
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util import dt as dt_util

from .account import Capability
from .const import DOMAIN, STALE_AFTER
from .effects import Effect, apply, apply_to_detail, same
from .issues import update_access_issue, update_failed_writes_issue
from .library import Library, Overview, Playback, ShowDetail, known_as, overview
from .media import Ids, Playable
from .outbox import Outbox, OutboxEntry, OutboxStore
from .storage import CACHE_DELAY, LibraryCache
from .timers import Timers
from .trackers.errors import AccessDenied, RateLimited, SignInRequired, TrackerError
from .trackers.tracker import Refresh, Tracker
from .writes import Outcome, Receipt, Scrobble, ScrobbleAction, Write

_LOGGER = logging.getLogger(__name__)

FIRST_INTERVAL = timedelta(minutes=1)
LONGEST_INTERVAL = timedelta(minutes=30)
ASK_AFTER_END = 30.0
"""Seconds after the end of what our own players play until the service is asked what plays now."""
CONFIRMED_AFTER = 3
"""After so many refreshes that changed nothing, what the service says is believed over what we wrote."""
DETAIL_LIFE = 30.0
"""Seconds for which a show that was just read need not be read again."""
SAVE_EVERY = timedelta(hours=1)
"""How far the cached time of the last refresh may lag behind: a restart must not make an idle account look stale."""

PASSING = frozenset({ScrobbleAction.START, ScrobbleAction.PAUSE})
"""Scrobbles that change nothing a refresh would have to confirm."""

type UpNextConfigEntry = ConfigEntry[AccountCoordinator]
type ReceiptListener = Callable[[Sequence[tuple[OutboxEntry, Receipt]]], None]
type WriteListener = Callable[[Sequence[Write]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountData:
    """What entities show: the library with the writes on their way applied, and what it says right now."""

    library: Library
    overview: Overview


class AccountCoordinator(DataUpdateCoordinator[AccountData]):
    """Refreshes one account, and listens to its outbox."""

    config_entry: UpNextConfigEntry

    def __init__(
        self,
        hass: HomeAssistant,
        entry: UpNextConfigEntry,
        tracker: Tracker,
        store: OutboxStore,
    ) -> None:
        """Bring the account of `entry` to life; `async_start` begins to work."""
        super().__init__(
            hass,
            _LOGGER,
            config_entry=entry,
            name=entry.title,
            update_interval=FIRST_INTERVAL,
        )
        self.tracker = tracker
        self.outbox = Outbox(tracker, store, self, now=dt_util.utcnow)
        self.refreshed_at: datetime | None = None
        """When the last successful refresh ended (UTC)."""
        self.pushed_at: datetime | None = None
        """When something came to the account's webhook last (UTC), since it was set up."""
        self.deciding = asyncio.Lock()
        """Held while what a toggle means is decided, until its write is in the outbox."""
        self.sign_in_required = False
        self.fed = False
        """Whether a player scrobbles to this account."""
        self.playback: Playback | None = None
        """What a player is known to play for this account, without having asked the service."""
        self._ended: Playback | None = None
        self._known: tuple[Library, Playable, Playable] | None = None
        """A library, what plays, and what that is called in this library."""
        """What a player played last, and (`updated_at`) when that ended, until the service knows that too."""
        self._receipt_listeners: list[ReceiptListener] = []
        self._write_listeners: list[WriteListener] = []
        self._cache = LibraryCache(hass, entry.entry_id)
        self._confirmed: Library | None = None
        self._effects: dict[int, Effect] = {}
        self._unconfirmed: dict[int, int] = {}
        """How many refreshes have not yet shown a write that was carried out."""
        self._details: dict[str, tuple[float, ShowDetail]] = {}
        self._settles_at = float("-inf")
        self._asking = asyncio.Lock()
        self._reading = asyncio.Lock()
        self._read_began = float("-inf")
        self._read = False
        """Whether the last refresh of this run succeeded: what was cached says nothing about now."""
        self._saved: datetime | None = None
        """The `refreshed_at` that is in the cache."""
        self._timers = Timers(hass)

    # life -----------------------------------------------------------------------------------------------------

    async def async_start(self) -> None:
        """Show the last known library, or read the first one; then keep refreshing and sending.

        Raises ConfigEntryNotReady and ConfigEntryAuthFailed only where nothing is cached.
        """
        if (cached := await self._cache.load()) is not None:
            self._confirmed = cached.library
            self.refreshed_at = self._saved = cached.refreshed_at
            self._timers.at(
                "stale", self.refreshed_at + STALE_AFTER, self.async_update_listeners
            )
            await self._load_outbox()
            self.config_entry.async_create_background_task(
                self.hass, self.async_refresh(), f"{self.name} refresh"
            )
        else:
            await self.async_config_entry_first_refresh()
            await self._load_outbox()
        self.config_entry.async_on_unload(
            self.hass.bus.async_listen(EVENT_HOMEASSISTANT_FINAL_WRITE, self._save_last)
        )
        self.config_entry.async_create_background_task(
            self.hass, self.outbox.run(), f"{self.name} outbox"
        )

    async def _load_outbox(self) -> None:
        await self.outbox.load()
        self._expect(self.outbox.pending, None)

    async def async_stop(self) -> None:
        """Stop timers and keep the library; the outbox is stopped with its task."""
        await self.async_shutdown()
        await self._save()

    async def async_shutdown(self) -> None:
        """Refresh no more."""
        self._timers.stop()
        await super().async_shutdown()

    # reading --------------------------------------------------------------------------------------------------

    async def async_refresh(self) -> None:
        """Refresh now, after a refresh that is under way; several who ask meanwhile share one."""
        asked_at = self.hass.loop.time()
        async with self._asking:
            if not self.live or self._read_began <= asked_at:
                await super().async_refresh()

    async def _async_update_data(self) -> AccountData:
        # one at a time: what a slow refresh read must not replace what a later one read
        async with self._reading:
            early = self._settles_at - self.hass.loop.time()
            if early > 0 and self.data is not None:
                # just after a write the service may still answer with what was before it
                self._timers.after("settle", early, self._refresh_now)
                return self.data
            self._read_began = self.hass.loop.time()
            return await self._read_library()

    async def _read_library(self) -> AccountData:
        carried_out = [
            entry_id for entry_id, effect in self._effects.items() if effect.receipt
        ]
        try:
            refresh = await self.tracker.refresh(self._confirmed)
        except TrackerError as error:
            raise self._failed(error) from error
        self._confirm(carried_out, refresh)
        if refresh.library.watching is None:
            self._ended = None
        self._read = True
        self.sign_in_required = False
        self.refreshed_at = dt_util.utcnow()
        self._timers.at(
            "stale", self.refreshed_at + STALE_AFTER, self.async_update_listeners
        )
        if self._saved is None or self.refreshed_at - self._saved > SAVE_EVERY:
            self._plan_save()
        self.update_interval = timedelta(seconds=self._pause_after(refresh))
        update_access_issue(self.hass, self.config_entry, None)
        self.outbox.resume()
        return self._made()

    def _pause_after(self, refresh: Refresh) -> float:
        """Return the seconds until the next refresh."""
        if self.playback is not None and refresh.while_fed is not None:
            return refresh.while_fed
        self._timers.cancel("ended")
        return refresh.next_in

    def _confirm(self, carried_out: Sequence[int], refresh: Refresh) -> None:
        """Take over what was read, and stop showing on our own the writes that were carried out before it."""
        library = refresh.library
        changed = library is not self._confirmed
        for entry_id in carried_out:
            seen = (
                CONFIRMED_AFTER if changed else self._unconfirmed.get(entry_id, 0) + 1
            )
            self._unconfirmed[entry_id] = seen
            if refresh.settled and seen >= CONFIRMED_AFTER:
                self._unconfirmed.pop(entry_id)
                self._effects.pop(entry_id, None)
        if changed:
            self._confirmed = library
            self._details.clear()
            self._plan_save()

    def _failed(self, error: TrackerError) -> HomeAssistantError:
        """Map a tracker's error to Home Assistant's, with its translated text, and decide when to ask again."""
        _LOGGER.debug(
            "Refreshing %s failed: %s (%s)", self.name, error.translation_key, error
        )
        self._read = False
        kind: type[UpdateFailed | ConfigEntryAuthFailed] = UpdateFailed
        if isinstance(error, SignInRequired):
            self.sign_in_required = True
            kind = ConfigEntryAuthFailed
            if not self.last_update_success:
                # nobody is told of a second failure in a row; this one ends what the first left on screen
                self.async_update_listeners()
        elif isinstance(error, AccessDenied):
            update_access_issue(self.hass, self.config_entry, error)
        interval = self.update_interval or FIRST_INTERVAL
        if isinstance(error, RateLimited):
            self.update_interval = timedelta(seconds=max(error.retry_after, 30))
        else:
            self.update_interval = min(interval * 2, max(interval, LONGEST_INTERVAL))
        return kind(
            translation_domain=DOMAIN,
            translation_key=error.translation_key,
            translation_placeholders={
                "account": self.config_entry.title,
                **error.placeholders,
            },
        )

    async def async_detail(self, show: Ids) -> ShowDetail:
        """Read all episodes of one show, with the writes on their way applied. Raises TrackerError.

        What was just read is not asked again.
        """
        now = self.hass.loop.time()
        for read_at, known in self._details.values():
            if now - read_at < DETAIL_LIFE and known.show.ids.shares(show):
                detail = known
                break
        else:
            detail = await self.tracker.show(show)
            self._details[detail.key] = (now, detail)
        return apply_to_detail(detail, self._effects.values(), dt_util.utcnow())

    # showing --------------------------------------------------------------------------------------------------

    @property
    def available(self) -> bool:
        """Say whether counts and lists may be shown: read within a day, and signed in."""
        if self.sign_in_required or self.refreshed_at is None or self.data is None:
            return False
        return dt_util.utcnow() - self.refreshed_at < STALE_AFTER

    @property
    def can(self) -> Capability:
        """Return what the account can now; what a player plays for it is known without asking the service."""
        can = self.data.library.account.can & self.tracker.may
        if self.fed and Capability.SCROBBLE in can:
            can |= Capability.NOW_WATCHING
        return can

    @callback
    def async_show_playback(self, playback: Playback | None, *, fed: bool) -> None:
        """Show what the players that feed this account play, at once; None: nothing, so the service's word counts.

        But that it still plays what they have just ended is only what the service was told before.
        """
        if (playback, fed) == (self.playback, self.fed):
            return
        if playback is not None:
            self._timers.cancel("ended")
        elif self.playback is not None:
            self._ended = replace(self.playback, updated_at=dt_util.utcnow())
            if Capability.NOW_WATCHING in self.tracker.may:
                # there may be nothing to tell, and so no refresh after that
                self._timers.after("ended", ASK_AFTER_END, self._refresh_now)
        self.playback, self.fed = playback, fed
        self.async_update_listeners()

    @property
    def watching(self) -> Playback | None:
        """Return what is playing or paused now; over when it has expired."""
        if self.playback is not None:
            return self._in_own_words(self.playback)
        watching = self.data.library.watching
        if watching is None or (
            watching.expires_at and watching.expires_at <= dt_util.utcnow()
        ):
            return None
        return None if self._has_ended(watching) else watching

    def _in_own_words(self, playback: Playback) -> Playback:
        """Return what a player plays as the account's own library names it."""
        library, item = self.data.library, playback.item
        known = self._known
        if known is None or known[0] is not library or known[1] is not item:
            known = self._known = (library, item, known_as(library, item))
        return replace(playback, item=known[2])

    def _has_ended(self, watching: Playback) -> bool:
        """Say whether what a service tells is what a player told it, and has ended since."""
        ended = self._ended
        if ended is None or not same(ended.item, watching.item):
            return False
        began = watching.started_at
        return began is None or began <= ended.updated_at

    @property
    def live(self) -> bool:
        """Say whether refreshing works."""
        return self._read and self.last_update_success and not self.sign_in_required

    @property
    def knows_watching(self) -> bool:
        """Say whether it is known what plays now: by our own players, else only while refreshing works."""
        if self.playback is not None:
            return True
        if self.fed and Capability.NOW_WATCHING not in self.tracker.may:
            return True
        return self.live

    def _made(self) -> AccountData:
        """Make the data afresh, and have it made again when time changes it."""
        assert self._confirmed is not None
        now = dt_util.utcnow()
        library = apply(self._confirmed, self._effects.values(), now)
        data: AccountData | None = self.data
        if (
            data is None
            or data.library is not library
            or _passed(data.overview.changes_at, now)
        ):
            data = AccountData(library=library, overview=overview(library, now))
        self._timers.at("airing", data.overview.changes_at, self._show)
        expires = library.watching.expires_at if library.watching else None
        self._timers.at(
            "watching", None if _passed(expires, now) else expires, self._show
        )
        return data

    @callback
    def _show(self) -> None:
        """Show what is known now, without asking the service."""
        if self._confirmed is not None:
            self.data = self._made()
            self.async_update_listeners()

    # writing (outbox.Listener) --------------------------------------------------------------------------------

    async def async_write(
        self, writes: Sequence[Write], timeout: float, detail: ShowDetail | None = None
    ) -> list[Receipt | None]:
        """Put writes into the outbox and wait up to `timeout` seconds; None for those still on their way.

        `detail` is the show they are about, when its episodes are known: the count on screen is then exact at once.
        """
        return await self.outbox.receipts(await self.async_put(writes, detail), timeout)

    async def async_put(
        self, writes: Sequence[Write], detail: ShowDetail | None = None
    ) -> Sequence[OutboxEntry]:
        """Put writes into the outbox; `outbox.receipts` has to be awaited for them next."""
        entries = await self.outbox.put(writes, waited_for=True)
        self._expect(entries, detail)
        self._asked_for(writes)
        return entries

    async def async_enqueue(self, writes: Sequence[Write]) -> None:
        """Put writes into the outbox without waiting: what is refused waits for a person."""
        self._expect(await self.outbox.put(writes), None)
        self._asked_for(writes)

    def _asked_for(self, writes: Sequence[Write]) -> None:
        for listener in tuple(self._write_listeners):
            listener(writes)

    @callback
    def async_adopt(self, entries: Sequence[OutboxEntry]) -> None:
        """Take up writes that were stored together with something else, and show what they will do."""
        self.outbox.adopt(entries)
        self._expect(entries, None)

    @callback
    def async_listen_for_writes(self, listener: WriteListener) -> CALLBACK_TYPE:
        """Call `listener` with what is asked of the account, once it is stored. Returns what ends it."""
        self._write_listeners.append(listener)
        return lambda: self._write_listeners.remove(listener)

    @callback
    def async_listen_for_receipts(self, listener: ReceiptListener) -> CALLBACK_TYPE:
        """Call `listener` with the writes that got their receipts. Returns what ends it."""
        self._receipt_listeners.append(listener)
        return lambda: self._receipt_listeners.remove(listener)

    @property
    def unconfirmed(self) -> Sequence[Write]:
        """Return the writes that no refresh has confirmed yet, in order: pending ones, and those just carried out."""
        return [self._effects[entry_id].write for entry_id in sorted(self._effects)]

    async def async_retry(self, entry_id: int, write: Write | None = None) -> None:
        """Send a failed write once more, changed to `write` when given."""
        self._expect([await self.outbox.retry(entry_id, write)], None)

    def _expect(
        self, entries: Sequence[OutboxEntry], detail: ShowDetail | None
    ) -> None:
        """Show at once what writes will do."""
        for entry in entries:
            self._effects[entry.id] = Effect(write=entry.write, detail=detail)
        self._details.clear()
        self._show()

    @callback
    def settled(self, settled: Sequence[tuple[OutboxEntry, Receipt]]) -> None:
        """Keep showing what was done until a refresh has confirmed it; take back what was refused."""
        for entry, receipt in settled:
            if isinstance(entry.write, Scrobble) and entry.write.action in PASSING:
                self._effects.pop(entry.id, None)
            elif receipt.outcome in (Outcome.DONE, Outcome.ALREADY):
                effect = self._effects.get(entry.id) or Effect(write=entry.write)
                self._effects[entry.id] = replace(effect, receipt=receipt)
                self._settles_at = self.hass.loop.time() + self.tracker.settles_after
                self._timers.after(
                    "settle", self.tracker.settles_after + 0.1, self._refresh_now
                )
            else:
                self._effects.pop(entry.id, None)
        self._show()
        for listener in tuple(self._receipt_listeners):
            listener(settled)

    @callback
    def changed(self) -> None:
        """Tell how many writes are pending, and whether some wait for a person."""
        update_failed_writes_issue(
            self.hass, self.config_entry, len(self.outbox.failed)
        )
        self.async_update_listeners()

    @callback
    def halted(self, error: SignInRequired | AccessDenied) -> None:
        """Ask for what sending needs; the writes stay."""
        if isinstance(error, SignInRequired):
            self.sign_in_required = True
            self.config_entry.async_start_reauth(self.hass)
        else:
            update_access_issue(self.hass, self.config_entry, error)
        self.async_update_listeners()

    # in the background ----------------------------------------------------------------------------------------

    @callback
    def _refresh_now(self) -> None:
        self.config_entry.async_create_background_task(
            self.hass, self.async_refresh(), f"{self.name} refresh"
        )

    def _plan_save(self) -> None:
        # not put off by what changes meanwhile: something that plays changes all the time
        if "cache" not in self._timers:
            self._timers.after("cache", CACHE_DELAY, self._save_soon)

    @callback
    def _save_soon(self) -> None:
        self.config_entry.async_create_background_task(
            self.hass, self._save(), f"{self.name} cache"
        )

    async def _save_last(self, _: Event) -> None:
        await self._save()

    async def _save(self) -> None:
        """Keep the library and when it was last read, unless that is kept already."""
        refreshed_at = self.refreshed_at
        if self._confirmed is not None and refreshed_at not in (None, self._saved):
            await self._cache.save(self._confirmed, refreshed_at)
            self._saved = refreshed_at


def _passed(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and moment <= now
