"""How Simkl answers: JSON bodies, its error envelope, and the ways it reads times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aiohttp import web
import orjson

BUCKETS = ("plantowatch", "watching", "completed", "hold", "dropped")
KINDS = {"tv": "tv_shows", "anime": "anime", "movie": "movies"}
"""What the activities call the three kinds of titles."""


class Refused(Exception):
    """A request that Simkl refuses: status, error word, optional message (apis/simkl.md section 5)."""

    def __init__(self, status: int, error: str, message: str | None = None) -> None:
        """Take what the envelope says."""
        super().__init__(error)
        self.status = status
        self.error = error
        self.message = message


def answer(
    body: Any, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    """Answer with JSON; `None` as a body is the JSON word null."""
    return web.Response(
        status=status,
        body=orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS),
        content_type="application/json",
        headers=headers,
    )


def refusal(
    status: int,
    error: str,
    message: str | None = None,
    headers: dict[str, str] | None = None,
) -> web.Response:
    """Answer with the envelope of everything but /oauth2/*: {"error", "code", "message"?}."""
    body: dict[str, Any] = {"error": error, "code": status}
    if message is not None:
        body["message"] = message
    return answer(body, status, headers)


def stamp(at: datetime | None) -> str | None:
    """Write an instant as Simkl does: whole seconds, UTC, Z."""
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def instant(text: object, name: str) -> datetime:
    """Read a time that a client sent; only UTC with Z is taken (section 7)."""
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        raise Refused(400, "wrong_parameter", f'Wrong "{name}" parameter') from None
    if at.tzinfo is None:
        raise Refused(400, "wrong_parameter", f'Wrong "{name}" parameter')
    return at.astimezone(UTC)
