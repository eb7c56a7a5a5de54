"""From decided writes to what became of them: into the outbox of every account, receipts, an answer or an error."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from homeassistant.exceptions import HomeAssistantError
from homeassistant.util.json import JsonValueType

from .. import const
from ..coordinator import AccountCoordinator
from ..library import ShowDetail
from ..media import Episode, MediaItem, Movie, Season, Show, show_of
from ..outbox import OutboxEntry
from ..trackers.errors import TrackerError
from ..writes import Outcome, Receipt, Write, subject
from . import answers
from .texts import failed, invalid, text
from .wanted import name_ids

DETAIL_TIMEOUT = 3.0
"""Seconds that a write waits for the episodes of its show: they make the count exact at once, no more."""

QUEUED = "queued"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A write for one account, and the episodes of its show where they are known."""

    account: AccountCoordinator
    write: Write
    detail: ShowDetail | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A write that is in the outbox."""

    planned: Planned
    entries: Sequence[OutboxEntry]

    async def receipt(self) -> Receipt | None:
        """Wait for what becomes of it; None when it is still on its way."""
        account = self.planned.account
        # nothing is sent until somebody signs in again: there is nothing to wait for
        timeout = 0.0 if account.sign_in_required else const.RECEIPT_TIMEOUT
        (receipt,) = await account.outbox.receipts(self.entries, timeout)
        return receipt


async def detail_for(account: AccountCoordinator, item: MediaItem) -> ShowDetail | None:
    """Return the episodes of an item's show, where they can be had quickly. Never fails."""
    show = show_of(item)
    if show is None or not show.ids or not account.last_update_success:
        return None
    try:
        async with asyncio.timeout(DETAIL_TIMEOUT):
            return await account.async_detail(show.ids)
    except (TrackerError, TimeoutError):
        return None


async def put(planned: Sequence[Planned]) -> list[Sent]:
    """Put writes into the outboxes of their accounts."""
    return [
        Sent(planned=one, entries=await one.account.async_put([one.write], one.detail))
        for one in planned
    ]


async def receipts(sent: Sequence[Sent]) -> list[Receipt | None]:
    """Wait for what becomes of writes, each at most ten seconds; None for those still on their way. Once only."""
    return await asyncio.gather(*(one.receipt() for one in sent))


async def answer(
    sent: Sequence[Sent], came: Sequence[Receipt | None]
) -> list[JsonValueType]:
    """Return each account's part of the answer.

    Raises ServiceValidationError or HomeAssistantError when a service said no.
    """
    if any(receipt is not None and not _well(receipt) for receipt in came):
        raise await _refusal(sent, came)
    return [
        answers.of(
            one.planned.account,
            result=receipt.outcome.value if receipt else QUEUED,
            plays=[answers.changed_play(play) for play in receipt.plays]
            if receipt
            else [],
        )
        for one, receipt in zip(sent, came, strict=True)
    ]


def name(item: MediaItem) -> str:
    """Return how to call a media item in a message; one that is known by its ids only, by these."""
    match item:
        case Movie() if not item.title:
            return name_ids(item.ids)
        case Show() if not item.title:
            return name_ids(item.ids)
        case Season() if not item.show.title:
            return f"{name_ids(item.show.ids)} season {item.number}"
        case Episode() if not item.show.title:
            return f"{name_ids(item.show.ids)} {item.code}"
        case _:
            return item.label


def _well(receipt: Receipt) -> bool:
    return receipt.outcome in (Outcome.DONE, Outcome.ALREADY)


async def _refusal(
    sent: Sequence[Sent], came: Sequence[Receipt | None]
) -> HomeAssistantError:
    """Return the error that tells what each account did."""
    title = name(subject(sent[0].planned.write))
    if len(sent) == 1 and (receipt := came[0]) is not None:
        account = sent[0].planned.account
        error = invalid if receipt.outcome is Outcome.NOT_FOUND else failed
        return error(
            "write_refused",
            title=title,
            account=account.config_entry.title,
            reason=await _reason(account, title, receipt),
        )
    outcomes: list[str] = []
    for one, receipt in zip(sent, came, strict=True):
        account = one.planned.account
        if receipt is None:
            outcome = await text(account, "outcome_queued")
        elif _well(receipt):
            outcome = await text(account, f"outcome_{receipt.outcome.value}")
        else:
            outcome = await _reason(account, title, receipt)
        outcomes.append(f"{account.config_entry.title}: {outcome}")
    return failed("write_refused_by_some", title=title, outcomes=" | ".join(outcomes))


async def _reason(account: AccountCoordinator, title: str, receipt: Receipt) -> str:
    key = receipt.reason or receipt.outcome.value
    return await text(account, key, **{"title": title, **receipt.placeholders})
