"""The receipts that need nothing but their outcome."""

from __future__ import annotations

from typing import Final

from ...writes import Outcome, Receipt

DONE: Final = Receipt(outcome=Outcome.DONE)
ALREADY: Final = Receipt(outcome=Outcome.ALREADY)
NOT_FOUND: Final = Receipt(outcome=Outcome.NOT_FOUND, reason="not_found")


def refused(reason: str = "refused", **placeholders: str) -> Receipt:
    """Return a receipt for what will not be done."""
    return Receipt(outcome=Outcome.REFUSED, reason=reason, placeholders=placeholders)
