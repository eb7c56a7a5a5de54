"""What titles that players report were taken for: answers found, a person's corrections, and plays that wait for one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
import logging
from typing import Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.util import dt as dt_util

from ..actions.lookup import distinct
from ..issues import update_waiting_issue
from ..media import Episode, Movie, Playable, Show
from ..scrobbling.calls import Call
from ..scrobbling.identify import Decision, Identification, Method, word_on_show
from ..scrobbling.observation import Media
from ..writes import ScrobbleAction
from .store import WAITS, ScrobblingTables, WaitingPlay

_LOGGER = logging.getLogger(__name__)

MOST_WAITING: Final = 100
"""So many plays wait at most, those of every account counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingTitle:
    """A title that a person has to decide about, and the plays that wait for that, oldest first."""

    media: Media
    plays: tuple[WaitingPlay, ...]

    @property
    def signature(self) -> str:
        """Return what names it."""
        return self.plays[-1].signature

    @property
    def label(self) -> str:
        """Return what the player says, for people."""
        return reported(self.media)

    @property
    def player(self) -> str:
        """Return the id of the player that played it last."""
        return self.plays[-1].player

    @property
    def guess(self) -> tuple[Playable, ...]:
        """Return what it most likely is; nothing where that is open."""
        return self.plays[-1].guess

    @property
    def candidates(self) -> tuple[Movie | Show, ...]:
        """Return the titles to choose from, best first."""
        return self.plays[-1].candidates

    @property
    def viewings(self) -> int:
        """Return how often it was watched: every account keeps a play of its own."""
        accounts = [play.account for play in self.plays]
        return max(accounts.count(account) for account in set(accounts))


class Matches:
    """All decisions about titles (`scrobbling.identify.Decisions`), in memory and stored."""

    def __init__(self, hass: HomeAssistant, tables: ScrobblingTables) -> None:
        """Keep what `tables` hold."""
        self._hass = hass
        self._tables = tables
        self._decisions: dict[str, tuple[Decision, datetime | None]] = {}
        self._waiting: dict[int, WaitingPlay] = {}
        self._listeners: list[CALLBACK_TYPE] = []
        self.deciding = asyncio.Lock()
        """Held while a person's word is carried out: said twice, it must not be done twice."""

    async def async_load(self, waiting: Sequence[WaitingPlay], now: datetime) -> None:
        """Take up what was decided before, and what waits."""
        self._decisions = dict(await self._tables.decisions(now))
        self._waiting = {play.id: play for play in waiting}
        self._tell()

    # decisions ------------------------------------------------------------------------------------------------

    def get(self, signature: str) -> Decision | None:
        """Return the decision under a signature; none that has expired."""
        decision, expires_at = self._decisions.get(signature, (None, None))
        if expires_at is not None and expires_at <= dt_util.utcnow():
            del self._decisions[signature]
            return None
        return decision

    async def remember(
        self, signature: str, decision: Decision, lasts: timedelta
    ) -> None:
        """Keep an answer that was found; a person's word is not replaced by it."""
        known = self.get(signature)
        if known is None or not known.by_person:
            await self._put(signature, decision, dt_util.utcnow() + lasts)

    async def correct(self, signature: str, decision: Decision) -> None:
        """Keep a person's word, for good."""
        await self._put(signature, replace(decision, by_person=True), None)

    async def forget(self, signature: str) -> bool:
        """Forget a decision; say whether there was one."""
        known = self._decisions.pop(signature, None)
        await self._tables.forget_decision(signature)
        return known is not None

    @property
    def corrections(self) -> Mapping[str, Decision]:
        """Return what persons have said, by signature of a title or of a whole show, the latest last."""
        return {
            signature: decision
            for signature, (decision, _) in self._decisions.items()
            if decision.by_person
        }

    @property
    def count(self) -> int:
        """Return how many decisions are remembered, found ones too."""
        return len(self._decisions)

    def is_ignored(self, media: Media) -> bool:
        """Say whether a person said that this is nothing to be scrobbled, or its show."""
        word = self.get(media.signature)
        if word is None or not word.by_person:
            word = word_on_show(media, self)
        return word is not None and word.never

    def has_word_on(self, found: Identification) -> bool:
        """Say whether a person decided otherwise than what was found."""
        if found.method is Method.CORRECTION:
            return False
        return self.is_decided(found.media)

    def is_decided(self, media: Media) -> bool:
        """Say whether a person said what this title is, or its show."""
        known = (self.get(media.signature), self.get(media.show_signature))
        return any(decision is not None and decision.by_person for decision in known)

    def media_of(self, signature: str) -> Media | None:
        """Return what a player said of a title that waits or was corrected."""
        for play in self._waiting.values():
            if play.signature == signature:
                return play.media
        decision = self.get(signature)
        return decision.media if decision else None

    async def _put(
        self, signature: str, decision: Decision, expires_at: datetime | None
    ) -> None:
        self._decisions.pop(signature, None)
        self._decisions[signature] = (decision, expires_at)
        await self._tables.decide(signature, decision, expires_at)

    # plays that wait ------------------------------------------------------------------------------------------

    @property
    def plays(self) -> Sequence[WaitingPlay]:
        """Return every play that waits, oldest first."""
        return sorted(self._waiting.values(), key=lambda play: (play.at, play.id))

    @property
    def waiting(self) -> list[WaitingTitle]:
        """Return the titles that wait for a person, the longest waiting first."""
        plays: dict[str, list[WaitingPlay]] = {}
        for play in self.plays:
            if play.looked_up:
                plays.setdefault(play.signature, []).append(play)
        return [
            WaitingTitle(media=waiting[-1].media, plays=tuple(waiting))
            for waiting in plays.values()
        ]

    def waits(self, play: WaitingPlay) -> bool:
        """Say whether a play still waits."""
        return play.id in self._waiting

    @callback
    def wait(self, plays: Iterable[WaitingPlay]) -> None:
        """Take in plays that were stored to wait."""
        self._waiting.update((play.id, play) for play in plays)
        self._tell()

    @callback
    def settle(self, plays: Iterable[WaitingPlay]) -> None:
        """Have plays wait no longer."""
        for play in plays:
            self._waiting.pop(play.id, None)
        self._tell()

    def overdue(self, now: datetime) -> list[WaitingPlay]:
        """Return the plays that have waited too long, and the oldest of too many."""
        plays = self.plays
        late = [play for play in plays if now - play.at >= WAITS]
        rest = [play for play in plays if now - play.at < WAITS]
        return late + rest[: max(0, len(rest) - MOST_WAITING)]

    @callback
    def async_listen(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call `listener` when other plays wait than before. Returns what ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    @callback
    def _tell(self) -> None:
        update_waiting_issue(self._hass, len(self.waiting))
        for listener in tuple(self._listeners):
            listener()


def waiting_play(
    account: str, call: Call, found: Identification | None
) -> WaitingPlay | None:
    """Return a play that has to wait, of a call without an item, with what its title may be.

    None when nothing of it was watched to its end. Without `found` no service could be asked yet.
    """
    media = found.media if found else call.media
    if call.action is not ScrobbleAction.WATCHED or media is None:
        return None
    return WaitingPlay(
        signature=call.signature,
        media=media,
        player=call.player,
        account=account,
        at=call.at,
        started_at=call.started_at,
        viewing=call.viewing,
        progress=call.progress,
        position=call.position,
        duration=call.duration,
        guess=found.items if found else (),
        candidates=offered(found) if found else (),
        looked_up=found is not None,
    )


def offered(found: Identification) -> tuple[Movie | Show, ...]:
    """Return the titles to choose from, what was found likely first."""
    titles = [item.show if isinstance(item, Episode) else item for item in found.items]
    return tuple(distinct([*titles[:1], *found.candidates]))


def reported(media: Media) -> str:
    """Return what a player says of a title, for people: "Silo S01E02 - Holston's Pick"."""
    numbers = ""
    if media.episode is not None:
        season = "" if media.season is None else f"S{media.season:02d}"
        numbers = f"{season}E{media.episode:02d}"
        if media.last_episode is not None and media.last_episode > media.episode:
            numbers = f"{numbers}-E{media.last_episode:02d}"
    show = " ".join(part for part in (media.series, numbers) if part)
    title = f"{media.title} ({media.year})" if media.year else media.title
    return " - ".join(part for part in (show, title) if part) or media.signature
