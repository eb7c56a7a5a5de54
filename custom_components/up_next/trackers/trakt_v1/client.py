"""The door of a Trakt v1 server: where the login goes, and what its refusals mean (apis/trakt.md section 14)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha1
import re
from typing import Final

from ...media import Show
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
from ..transport import Answer, Json, Pace, Transport
from .wire import ProgressRow, Reply, read_list, read_reply

PACE: Final = Pace(parallel=2, write_gap=1.0)
"""No limit is known; the server is somebody's own."""
OVER_CAPACITY: Final = (10.0, 30.0, 120.0, 600.0)
"""Seconds to wait after the first, second, ... "over capacity" in a row: the first figure is the page's."""
_ENVELOPE: Final = 4096
"""Bytes; a refusal is no longer."""
_KEPT: Final = "sha1:"


def keep_digest(credentials: Mapping[str, str]) -> dict[str, str]:
    """Return the credentials with the password as its SHA-1, which is all that v1 ever takes."""
    kept = dict(credentials)
    password = kept.get("password", "")
    if password and not re.fullmatch(rf"{_KEPT}[0-9a-f]{{40}}", password):
        kept["password"] = _KEPT + sha1(password.encode()).hexdigest()  # noqa: S324
    return kept


class Client:
    """Requests of one account."""

    def __init__(self, context: TrackerContext) -> None:
        """Speak to the context's base URL: there is no server of everybody's."""
        credentials = keep_digest(context.credentials)
        self.username = credentials.get("username", "")
        self._key = credentials.get("api_key", "")
        self._password = credentials.get("password", "").removeprefix(_KEPT)
        self._by_body = False
        """Whether reading takes the login in a body: found out by the first refusal."""
        self._refusals = 0
        self._api = Transport(
            context,
            context.base_url or "",
            classify=self._classify,
            pace=PACE,
            hidden={"key": self._key, "user": self.username},
        )

    # calls ----------------------------------------------------------------------------------------------------

    async def read[T](self, decoder: Callable[[bytes], T], method: str) -> T:
        """Read `user/<method>`; a {user} in it is filled in.

        The login goes with it, as a profile may be private: by HTTP Basic, or in the body of a POST where the
        server does not know that. Both are ways that clients of v1 used.
        """
        path = f"user/{method}"
        if not self._by_body:
            login = b64encode(f"{self.username}:{self._password}".encode()).decode()
            try:
                answer = await self._api.get(
                    path, headers={"Authorization": f"Basic {login}"}
                )
                return await self._api.decode(decoder, answer)
            except SignInRequired as refusal:
                try:
                    answer = await self._posted(path, repeat=True)
                except TrackerError:
                    raise refusal from None
                self._by_body = True
                return await self._api.decode(decoder, answer)
        return await self._api.decode(decoder, await self._posted(path, repeat=True))

    async def post(
        self,
        method: str,
        body: Mapping[str, Json] | None = None,
        *,
        repeat: bool = False,
    ) -> Reply:
        """Write, or `repeat` what changes nothing. Raises Unsure when the answer of a write is lost."""
        answer = await self._posted(f"{method}/{{key}}", body, repeat=repeat)
        reply = await self._api.decode(read_reply, answer)
        if reply.status != "success":
            raise BadAnswer(f"{method}: no word of success")
        return reply

    async def progress(self, show: Show) -> ProgressRow | None:
        """Read how far the user is with one show; None when nothing of it was watched.

        A path names a show by its TVDB id: without that one, all shows are read.
        """
        tvdb = show.ids.number("tvdb")
        rows = await self.progress_rows(str(tvdb or "all"), "title")
        return next((row for row in rows if row.show.means(show)), None)

    async def progress_rows(self, which: str, order: str) -> Sequence[ProgressRow]:
        """Read the progress of all shows, or of one."""
        return await self.read(
            read_list(ProgressRow),
            f"progress/watched.json/{{key}}/{{user}}/{which}/{order}/normal",
        )

    async def _posted(
        self, path: str, body: Mapping[str, Json] | None = None, *, repeat: bool
    ) -> Answer:
        login: Mapping[str, Json] = {
            "username": self.username,
            "password": self._password,
        }
        return await self._api.request(
            "POST",
            path,
            json={**login, **(body or {})},
            write=not repeat,
            idempotent=repeat,
        )

    # what answers mean ----------------------------------------------------------------------------------------

    def _classify(self, answer: Answer) -> TrackerError | None:
        """Find the error of an answer, by its words before its status: some failures come with 200."""
        failed, words = self._failure(answer)
        detail = f"{answer.path}: {answer.status} {words}".rstrip()
        status = answer.status
        if status == 429 or "over capacity" in words:
            wait = OVER_CAPACITY[min(self._refusals, len(OVER_CAPACITY) - 1)]
            self._refusals += 1
            after = answer.retry_after
            return RateLimited(wait if after is None else after, detail)
        self._refusals = 0
        if "failed authentication" in words:
            return SignInRequired(detail)
        if re.search(r"\bapi (key|permission)", words):
            return AccessDenied(detail)
        if status == 401 and not answer.is_html:
            return SignInRequired(detail)
        if status in (401, 403):
            return AccessDenied(detail, key="blocked")
        if status >= 500:
            return Unavailable(detail)
        if failed:
            return NotFound(detail) if "not found" in words else Refused(detail)
        if status < 300:
            return None
        if status < 400 or status in (404, 405):
            wrong = BadAnswer(f"{detail}: no Trakt v1 server at this address?")
            wrong.answered = True
            return wrong
        return Refused(detail)

    def _failure(self, answer: Answer) -> tuple[bool, str]:
        """Say whether the envelope tells of a failure, and return the server's own words, small and without secrets."""
        body = answer.body
        maybe = answer.status >= 300 or body[:1] == b"{"
        if not maybe or len(body) > _ENVELOPE or answer.is_html:
            return False, ""
        try:
            reply = read_reply(body)
        except (ValueError, TypeError):
            return False, ""
        words = reply.error
        for secret in filter(None, (self._key, self._password)):
            words = words.replace(secret, "***")
        return reply.status == "failure", words.lower()[:200]


def lacks_permission(error: AccessDenied) -> bool:
    """Say whether the key is good but may not do this one thing: scrobbling takes a developer's key."""
    return "api permission" in str(error)
