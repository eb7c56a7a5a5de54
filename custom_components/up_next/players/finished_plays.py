"""Correcting plays that were counted already: taken back, or given to what was really watched."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

from homeassistant.config_entries import ConfigEntry, ConfigEntryState

from ..const import DOMAIN
from ..media import Playable
from ..scrobbling.ledger import tokens_of
from ..writes import RemovePlays, Scrobble, ScrobbleAction, Write
from .audiences import PLAYER_AUDIENCE
from .history import counted_as
from .scrobbler import Scrobbler
from .store import CountedPlay


async def async_move(
    scrobbler: Scrobbler, plays: Sequence[CountedPlay], items: Sequence[Playable]
) -> int:
    """Give finished plays to what was really watched, at the time they were; return at how many accounts.

    Without `items` they are taken back.

    All is stored in one go, behind what is still to be sent of these plays. An account that is not running hears of
    it later; one that was removed never does.
    """
    writes: dict[str, list[Write]] = {}
    uncounted: list[CountedPlay] = []
    counted: list[CountedPlay] = []
    for audience in dict.fromkeys(play.audience for play in plays):
        old = [play for play in plays if play.audience == audience]
        wrong = [play for play in old if not _is_one_of(play, items)]
        missing = [item for item in items if not _was_played(item, old)]
        uncounted += wrong
        new = [
            _moved(wrong[min(at, len(wrong) - 1)] if wrong else old[-1], item, items)
            for at, item in enumerate(missing)
        ]
        counted += new
        entry = _entry(scrobbler, audience)
        if entry is not None and (wrong or new):
            await _drop_failed(entry, wrong)
            writes[entry.entry_id] = [
                *(_removal(play) for play in wrong if play.added is not False),
                *(_told(play) for play in new),
            ]
    scrobbler.history.drop(uncounted)
    for play in counted:
        scrobbler.history.replace(play)
    scrobbler.delivery.put(writes=writes, uncounted=uncounted, counted=counted)
    scrobbler.recount({play.audience for play in plays})
    await scrobbler.delivery.flush()
    return len(writes)


def _is_one_of(play: CountedPlay, items: Sequence[Playable]) -> bool:
    return play.item is not None and any(
        tokens_of(play.item) & tokens_of(item) for item in items
    )


def _was_played(item: Playable, plays: Sequence[CountedPlay]) -> bool:
    return any(_is_one_of(play, [item]) for play in plays)


def _moved(play: CountedPlay, item: Playable, items: Sequence[Playable]) -> CountedPlay:
    return counted_as(
        play,
        item,
        audience=play.audience,
        viewing=uuid4().hex,
        at=play.at,
        alone=len(items) == 1,
    )


def _told(play: CountedPlay) -> Scrobble:
    """Return what tells an account of a play that was moved there; how far it came is not known any more."""
    assert play.item is not None
    return Scrobble(
        item=play.item,
        action=ScrobbleAction.WATCHED,
        at=play.at,
        viewing=play.viewing,
        started_at=play.at - timedelta(seconds=play.item.runtime or 0),
    )


def _removal(play: CountedPlay) -> Write:
    """Return what takes a play back: that play alone where the service tells plays apart, else the mark.

    What was not sent yet is not sent at all (`outbox.undone`).
    """
    assert play.item is not None
    return RemovePlays(item=play.item, play_ids=play.play_ids)


async def _drop_failed(entry: ConfigEntry, plays: Sequence[CountedPlay]) -> None:
    """Forget what the account refused of these plays: nobody needs to decide about that any more."""
    if entry.state is not ConfigEntryState.LOADED:
        return
    viewings = {play.viewing for play in plays}
    for failed in entry.runtime_data.outbox.failed:
        if isinstance(failed.write, Scrobble) and failed.write.viewing in viewings:
            await entry.runtime_data.outbox.drop(failed.id)


def _entry(scrobbler: Scrobbler, audience: str) -> ConfigEntry | None:
    """Return the account that an audience is; None for a player by itself, and for what was removed."""
    if audience.startswith(PLAYER_AUDIENCE):
        return None
    return scrobbler.hass.config_entries.async_entry_for_domain_unique_id(
        DOMAIN, audience
    )
