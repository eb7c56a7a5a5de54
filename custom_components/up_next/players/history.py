"""The viewings that scrobbling counted: known to the ledger, and found again to be undone or moved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
import logging
from typing import Final

from homeassistant.core import CALLBACK_TYPE, callback

from ..coordinator import AccountCoordinator
from ..effects import same
from ..media import Episode, MediaItem, Playable, Season, Show
from ..outbox import OutboxEntry
from ..scrobbling.calls import Call
from ..scrobbling.ledger import Counted, signature_token, tokens_of
from ..scrobbling.observation import Media
from ..writes import (
    MarkUnwatched,
    Outcome,
    Receipt,
    RemovePlays,
    Scrobble,
    ScrobbleAction,
    Write,
)
from .store import CountedPlay, WaitingPlay

_LOGGER = logging.getLogger(__name__)

PARTS_WITHIN: Final = timedelta(hours=6)
"""Different episodes counted under one name within this time are the parts of one file."""
ONE_VIEWING: Final = timedelta(minutes=5)
"""So near to each other, an account and the player itself counted the same viewing."""


class ScrobblingHistory:
    """What was counted, by audience and viewing."""

    def __init__(
        self,
        *,
        changed: Callable[[Sequence[CountedPlay]], None],
        taken_back: Callable[[Sequence[CountedPlay]], None],
    ) -> None:
        """Have stored by `changed` what services say of plays; tell `taken_back` of those that somebody takes back."""
        self._changed = changed
        self._taken_back = taken_back
        self._plays: dict[str, dict[str, CountedPlay]] = {}
        self._attached: dict[str, tuple[AccountCoordinator, CALLBACK_TYPE]] = {}

    def load(self, counted: Mapping[str, Sequence[CountedPlay]]) -> None:
        """Take up what was counted before."""
        self._plays = {
            audience: {play.viewing: play for play in plays}
            for audience, plays in counted.items()
        }

    def ledger(self, audience: str) -> list[Counted]:
        """Return what an audience has counted."""
        return [play.counted for play in self._plays.get(audience, {}).values()]

    def plays(self, audience: str) -> list[CountedPlay]:
        """Return the counted viewings of an audience, oldest first."""
        return sorted(self._plays.get(audience, {}).values(), key=lambda play: play.at)

    def of_signature(self, signature: str) -> list[CountedPlay]:
        """Return the last viewing of a title that each audience counted, in order; the parts of a file are one each."""
        found: list[CountedPlay] = []
        for audience in self._plays:
            parts: list[CountedPlay] = []
            for play in reversed(self.plays(audience)):
                if play.signature != signature or play.item is None:
                    continue
                if parts and not _is_another_part(play, parts):
                    break
                parts.insert(0, play)
            found += parts
        return found

    def counted(self, audience: str, item: Playable) -> Iterator[CountedPlay]:
        """Go through the counted viewings of an item, newest first."""
        tokens = tokens_of(item)
        for play in reversed(self.plays(audience)):
            if play.item is not None and tokens & tokens_of(play.item):
                yield play

    def newest(self) -> list[CountedPlay]:
        """Return the viewings of all audiences, newest first."""
        every = [play for plays in self._plays.values() for play in plays.values()]
        return sorted(every, key=lambda play: play.at, reverse=True)

    def media_of(self, signature: str) -> Media | None:
        """Return what a player said of a title that was counted."""
        for plays in self._plays.values():
            for play in plays.values():
                if play.signature == signature and play.media is not None:
                    return play.media
        return None

    def add(
        self,
        audience: str,
        call: Call,
        counted: Counted,
        media: Media | None = None,
    ) -> CountedPlay:
        """Count a viewing of what the player called `media`; what is returned has to be stored."""
        play = CountedPlay(
            audience=audience,
            viewing=call.viewing,
            signature=call.signature,
            player=call.player,
            item=call.item,
            at=call.at,
            counted=counted,
            media=media or call.media,
        )
        self._plays.setdefault(audience, {})[call.viewing] = play
        return play

    def replace(self, play: CountedPlay) -> CountedPlay:
        """Take a changed viewing in; it has to be stored."""
        self._plays.setdefault(play.audience, {})[play.viewing] = play
        return play

    def drop(self, plays: Sequence[CountedPlay]) -> None:
        """Count viewings no more; that has to be stored."""
        for play in plays:
            self._plays.get(play.audience, {}).pop(play.viewing, None)

    def waited(self, play: WaitingPlay) -> list[CountedPlay]:
        """Return the counted viewing of a play that waits, which has no item yet."""
        known = self._plays.get(play.account, {}).get(play.viewing)
        return [known] if known is not None else []

    def update(self, audience: str, ledger: Sequence[Counted]) -> list[CountedPlay]:
        """Bring what was counted up to date with an audience's ledger; what is returned has to be stored."""
        known = self._plays.get(audience, {})
        changed = [
            replace(play, counted=counted)
            for counted in ledger
            if (play := known.get(counted.viewing)) and play.counted != counted
        ]
        known.update((play.viewing, play) for play in changed)
        return changed

    @callback
    def attach(self, accounts: Sequence[AccountCoordinator]) -> None:
        """Hear what becomes of the scrobbles of these accounts, whose services name the plays, and what is taken back."""
        present = {str(account.config_entry.unique_id): account for account in accounts}
        for key, (known, stop) in list(self._attached.items()):
            if present.get(key) is not known:
                stop()
                del self._attached[key]
        for key, account in present.items():
            if key not in self._attached:
                self._attached[key] = (account, self._follow(key, account))

    def _follow(self, key: str, account: AccountCoordinator) -> CALLBACK_TYPE:
        @callback
        def settled(receipts: Sequence[tuple[OutboxEntry, Receipt]]) -> None:
            self._settled(key, receipts)

        @callback
        def written(writes: Sequence[Write]) -> None:
            self._written(key, writes)

        stops = (
            account.async_listen_for_receipts(settled),
            account.async_listen_for_writes(written),
        )

        @callback
        def stop() -> None:
            for end in stops:
                end()

        return stop

    @callback
    def detach(self) -> None:
        """Hear nothing any more."""
        self.attach(())

    @callback
    def _settled(
        self, account: str, receipts: Sequence[tuple[OutboxEntry, Receipt]]
    ) -> None:
        known = self._plays.get(account, {})
        named: list[CountedPlay] = []
        for entry, receipt in receipts:
            write = entry.write
            if (
                isinstance(write, Scrobble)
                and write.action is ScrobbleAction.WATCHED
                and (play := known.get(write.viewing)) is not None
            ):
                ids = tuple(p.id for p in receipt.plays if p.id)
                added = receipt.outcome is Outcome.DONE or bool(ids)
                named.append(replace(play, play_ids=ids, added=added))
        if named:
            known.update((play.viewing, play) for play in named)
            self._changed(named)

    @callback
    def _written(self, account: str, writes: Sequence[Write]) -> None:
        """Count no more what a person takes back: watched again, it counts again."""
        gone = [play for write in writes for play in self._undone(account, write)]
        if gone:
            gone += [play for one in gone for play in self._shown(one)]
            self.drop(gone)
            self._taken_back(gone)

    def _undone(self, account: str, write: Write) -> list[CountedPlay]:
        if isinstance(write, MarkUnwatched):
            return [
                play
                for play in self.plays(account)
                if play.item is not None and _covers(write.item, play.item)
            ]
        if not isinstance(write, RemovePlays):
            return []
        plays = list(self.counted(account, write.item))
        if not write.play_ids:
            return plays[:1]
        named = [play for play in plays if set(play.play_ids) & set(write.play_ids)]
        return named or [play for play in plays if not play.play_ids][:1]

    def _shown(self, play: CountedPlay) -> list[CountedPlay]:
        """Return the same viewing as the player itself counted it."""
        return [
            other
            for audience in self._plays
            if audience.endswith(f":{play.player}") and audience != play.audience
            for other in self.plays(audience)
            if other.signature == play.signature
            and abs(other.at - play.at) <= ONE_VIEWING
        ]


def _is_another_part(play: CountedPlay, parts: Sequence[CountedPlay]) -> bool:
    """Say whether a viewing is of another episode of the file whose viewings `parts` are."""
    item, last = play.item, parts[-1].item
    if not isinstance(item, Episode) or not isinstance(last, Episode):
        return False
    if parts[-1].at - play.at > PARTS_WITHIN or not same(item.show, last.show):
        return False
    tokens = tokens_of(item)
    return not any(part.item and tokens & tokens_of(part.item) for part in parts)


def _covers(item: MediaItem, played: Playable) -> bool:
    """Say whether an item is what was played, or its show or season."""
    if isinstance(item, Show):
        return isinstance(played, Episode) and same(played.show, item)
    if isinstance(item, Season):
        return (
            isinstance(played, Episode)
            and played.season == item.number
            and same(played.show, item.show)
        )
    return bool(tokens_of(item) & tokens_of(played))


def counted_as(
    play: WaitingPlay | CountedPlay,
    item: Playable,
    *,
    audience: str,
    viewing: str,
    at: datetime,
    alone: bool,
    added: bool | None = None,
) -> CountedPlay:
    """Return a viewing under the item that it turned out to be of.

    If that is `alone` in its file, it also goes by the file's name.
    """
    tokens = tokens_of(item)
    if alone:
        tokens |= {signature_token(play.signature)}
    return CountedPlay(
        audience=audience,
        viewing=viewing,
        signature=play.signature,
        player=play.player,
        item=item,
        at=at,
        counted=Counted(viewing=viewing, tokens=tokens, at=at),
        added=added,
        media=play.media,
    )
