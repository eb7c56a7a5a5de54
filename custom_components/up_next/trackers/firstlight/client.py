"""The door of a Firstlight server: its two services, and what their refusals mean (apis/kinopub_firstlight.md section 8)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
import re
from typing import Final
from urllib.parse import quote
from uuid import uuid4

import orjson

from ..errors import (
    AccessDenied,
    BadAnswer,
    NotFound,
    RateLimited,
    Refused,
    SignInRequired,
    TrackerError,
    Unavailable,
)
from ..tracker import TrackerContext
from ..transport import Answer, Pace, Transport
from .wire import Bookmark, Envelope, SeasonRow, Title, read_list, read_one

PAGE_SIZE: Final = 100
"""The service's default; whether it takes more is not known."""
_ENVELOPE: Final = 4096
"""Bytes; a failure is no longer."""
_NO_RECORDS: Final = frozenset({"0303", "0406"})
_BAD_ITEM: Final = "0302"
_BAD_USER_TOKEN: Final = "01"
_OWN_FAULTS: Final = frozenset({"90", "91"})
_CONTENT: Final[Mapping[float, type[Refused]]] = {1: Refused, 2: NotFound, 3: Refused}
"""Bad parameters, empty, forbidden; other codes are a gateway's."""


class NoRecords(NotFound):
    """The service says so in an error reply; where a list was asked for, it is empty."""


class UserTokenRefused(SignInRequired):
    """The user token is wrong or too old; another refusal is about the IAM token."""


class Client:
    """Requests of one account."""

    def __init__(self, context: TrackerContext) -> None:
        """Speak to the context's base URL: every operator has a server of its own."""
        iam = _token(context.credentials.get("iam_token", ""))
        user = _token(context.credentials.get("user_token", ""))
        self._secrets = tuple(filter(None, (iam, user)))
        self._login = {"Authorization": f"Bearer {iam}", "X-Authorization": user}
        self._api = Transport(
            context,
            context.base_url or "",
            classify=self._classify,
            pace=Pace(parallel=2),
        )

    async def page(self, number: int) -> Sequence[Bookmark]:
        """Read a page of the bookmarks, the newest first; an empty one after the last."""
        params: Mapping[str, str | int] = {
            "pageNumber": number,
            "pageSize": PAGE_SIZE,
            "sort": "timestamp",
            "order": "desc",
        }
        try:
            return await self._get(
                read_list(Bookmark), "user/bookmark/list", params, self._login
            )
        except NoRecords:
            return ()

    async def bookmark(self, item: str) -> Bookmark | None:
        """Read the bookmark of one movie or series; None when there is none. Raises NotFound for what is no id."""
        path = f"user/bookmark/lookup/{_segment(item)}"
        try:
            return await self._get(read_one(Bookmark), path, headers=self._login)
        except NoRecords:
            return None

    async def title(self, item: str) -> Title:
        """Read what an item is. Raises NotFound and Refused when the content service does not tell."""
        title = await self._get(read_one(Title), f"content/title/{_segment(item)}")
        if not (title.name or title.original):
            raise NotFound("a title without a name")
        return title

    async def seasons(self, item: str) -> Sequence[SeasonRow]:
        """Read the seasons of a series with their episodes."""
        return await self._get(
            read_list(SeasonRow), f"content/{_segment(item)}/seasons"
        )

    async def _get[T](
        self,
        decoder: Callable[[bytes], T],
        path: str,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        """Ask. The content service gets no login: none is listed for it."""
        tracked = {"X-Tracking-Id": str(uuid4()), **(headers or {})}
        answer = await self._api.get(path, params, headers=tracked)
        return await self._api.decode(decoder, answer)

    # what answers mean ----------------------------------------------------------------------------------------

    def _classify(self, answer: Answer) -> TrackerError | None:
        """Find the error of an answer: by the envelope, whatever its status, then by the status."""
        failure = _failure(answer)
        status = answer.status
        detail = f"{answer.path}: {status}{self._words(failure)}"
        if status == 429:
            after = answer.retry_after
            return RateLimited(60.0 if after is None else after, detail)
        if failure is not None and (told := _told(failure, detail)) is not None:
            return told
        if status in (401, 403):
            if answer.is_html:
                return AccessDenied(detail, key="blocked")
            return SignInRequired(detail)
        if status >= 500 or (status < 300 and failure is not None):
            return _own_fault(detail)
        if status < 300:
            return None
        if status < 400 or status in (404, 405):
            return BadAnswer(f"{detail}: no Firstlight server at this address?")
        return Refused(detail)

    def _words(self, failure: Envelope | None) -> str:
        """Return the service's own words, for the log, without secrets."""
        errors = failure.header.errors if failure and failure.header else ()
        words = "".join(f" {fault.code} {fault.description}" for fault in errors)
        for secret in self._secrets:
            words = words.replace(secret, "***")
        return words[:200]


def _failure(answer: Answer) -> Envelope | None:
    """Return the envelope of a failure; None for anything else."""
    if len(answer.body) > _ENVELOPE or answer.is_html:
        return None
    try:
        envelope = Envelope.from_dict(orjson.loads(answer.body))
    except (ValueError, TypeError, AttributeError):
        return None
    code = envelope.header.code if envelope.header else envelope.code
    failed = code not in (0, None) or bool(envelope.header and envelope.header.errors)
    return envelope if failed else None


def _told(failure: Envelope, detail: str) -> TrackerError | None:
    """Return the error that an envelope tells; None when it gives no reason, or none of the page's table.

    A sample has the number of another service in its code, so only operation and reason are looked at.
    """
    if failure.header is None:
        kind = _CONTENT.get(failure.code or 0)
        return kind(detail) if kind else None
    codes = {fault.code[-4:] for fault in failure.header.errors}
    reasons = {code[-2:] for code in codes}
    if _BAD_USER_TOKEN in reasons:
        return UserTokenRefused(detail)
    if reasons & _OWN_FAULTS:
        return _own_fault(detail)
    if codes & _NO_RECORDS:
        return NoRecords(detail)
    if _BAD_ITEM in codes:
        return NotFound(detail)
    if codes & {"0402", "0403", "0404", "0405"}:
        return Refused(detail)
    return None


def _own_fault(detail: str) -> Unavailable:
    error = Unavailable(detail)
    error.answered = True
    return error


def _token(text: str) -> str:
    """Return a token as it was meant: people copy whole headers, and over several lines."""
    return "".join(re.sub(r"^\s*bearer\s", "", text, flags=re.IGNORECASE).split())


def _segment(item: str) -> str:
    """Return an id as a part of a path. Raises NotFound for what can't be one."""
    if item.strip() in ("", ".", ".."):
        raise NotFound("not an id")
    return quote(item.strip(), safe="")
