"""The door of a Tautulli server: where the key goes, and what its refusals mean (section 3.2 of the page)."""

from __future__ import annotations

from collections.abc import Callable
import re
from typing import Final

from ..errors import (
    AccessDenied,
    BadAnswer,
    RateLimited,
    Refused,
    SignInRequired,
    TrackerError,
    Unavailable,
)
from ..tracker import TrackerContext
from ..transport import Answer, Pace, Transport
from .wire import ErrorResult, History, decoder, read_history, read_result

PAGE: Final = 2000
"""Rows a page. Tautulli reads its whole table for each one, so few large pages are the gentle way."""
_PACE: Final = Pace(parallel=2)


class Api:
    """Commands to one server."""

    def __init__(self, context: TrackerContext) -> None:
        """Speak to the context's base URL: there is no server of everybody's."""
        self._key = context.credentials.get("api_key", "")
        self._transport = Transport(
            context,
            context.base_url or "",
            classify=_classify,
            pace=_PACE,
            verify_ssl=not context.credentials.get("self_signed"),
        )

    async def ask[T](
        self, command: str, parse: Callable[[object], T], **arguments: str
    ) -> T:
        """Ask for something; nothing is ever changed.

        The key goes in a form, not in the address, which proxies log and error messages quote.
        """
        answer = await self._transport.request(
            "POST",
            "api/v2",
            form={"apikey": self._key, "cmd": command, **arguments},
            write=False,
            idempotent=True,
        )
        try:
            return await self._transport.decode(decoder(parse), answer)
        except ErrorResult as result:
            raise _refusal(str(result)) from None

    async def history(self, start: int, length: int, **filters: str) -> History:
        """Read a page of single stretches, oldest first unless told otherwise, without what is playing now."""
        return await self.ask(
            "get_history",
            read_history,
            **{
                "grouping": "0",
                "include_activity": "0",
                "order_column": "date",
                "order_dir": "asc",
                **filters,
                "start": str(start),
                "length": str(length),
            },
        )


def _refusal(message: str) -> TrackerError:
    """Find the error of an error result by its words: older servers send them with a status of 200."""
    if re.match(r"(invalid|parameter) apikey", message, re.IGNORECASE):
        return SignInRequired(message)
    if message.startswith(("API not enabled", "API key not generated")):
        return AccessDenied(message, key="api_disabled")
    return Refused(message)


def _classify(answer: Answer) -> TrackerError | None:
    """Find the error of an answer by its status, where it has no error result to tell."""
    status = answer.status
    if status < 300:
        return None
    detail = f"{answer.path}: {status}"
    if status == 429:
        return RateLimited(answer.retry_after or 60.0, detail)
    if status >= 500:
        return Unavailable(detail)
    try:
        read_result(answer.body)
    except ErrorResult as result:
        return _refusal(str(result))
    except (ValueError, TypeError):
        pass
    if status in (401, 403):
        return AccessDenied(detail, key="blocked")
    wrong = BadAnswer(f"{detail}: no Tautulli at this address?")
    wrong.answered = True
    return wrong
