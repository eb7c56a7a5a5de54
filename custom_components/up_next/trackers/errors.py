"""The few errors the rest of the code knows. Each carries the translation key of its text for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class TrackerError(Exception):
    """Something went wrong with a tracker. Never holds a secret.

    `detail` is for the log (status, path, the service's own words). `placeholders` fill the translated text,
    whose key under "exceptions" is `key`.
    """

    key: ClassVar[str] = "tracker_error"

    def __init__(
        self,
        detail: str = "",
        *,
        key: str | None = None,
        placeholders: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.translation_key = key or self.key
        self.placeholders = dict(placeholders or {})


class Unavailable(TrackerError):
    """The service can't be reached or answers with an error of its own: try again later.

    `answered` tells the two apart: it is True when the service itself said so.
    """

    key = "unavailable"
    answered = False


class BadAnswer(Unavailable):
    """The answer can't be understood: HTML, an empty or broken body, the wrong shape."""

    key = "bad_answer"


class Unsure(Unavailable):
    """A write was sent and no answer came: it may have been carried out. Ask before repeating."""

    key = "unavailable"


class RateLimited(TrackerError):
    """Too many requests. `retry_after` is in seconds."""

    key = "rate_limited"

    def __init__(
        self, retry_after: float, detail: str = "", *, key: str | None = None
    ) -> None:
        super().__init__(
            detail, key=key, placeholders={"seconds": str(max(1, round(retry_after)))}
        )
        self.retry_after = retry_after


class QuotaExhausted(RateLimited):
    """The daily allowance is used up until `retry_after` seconds from now."""

    key = "quota_exhausted"


class SignInRequired(TrackerError):
    """The grant is dead (revoked, expired, rotated away): a person has to sign in again."""

    key = "sign_in_required"


class AccessDenied(TrackerError):
    """The service refuses the app, the address or the account, not the sign-in: a person has to act elsewhere.

    With `key` one of "app_rejected" (the API app is gone, blocked or was never approved), "blocked" (a firewall
    in front of the service), "account_locked", "plan_required", "api_disabled" (a server's own API is switched off),
    "user_not_found" (the user who is followed is gone, or no longer public).
    """

    key = "app_rejected"


class LimitReached(TrackerError):
    """An account limit (list size, history size): repeating will not help."""

    key = "limit_reached"


class Refused(TrackerError):
    """The service understood the request and will not do it."""

    key = "refused"


class NotFound(Refused):
    """The service does not know this item."""

    key = "not_found"


class SignInError(TrackerError):
    """Signing in failed; `key` says how: sign_in_denied, sign_in_expired, invalid_client, read_only_grant, ..."""

    key = "sign_in_failed"
