"""Device codes and token pairs as KinoPub hands them out (section 2.4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from simulators.clock import Clock

CLIENT_ID = "up-next-client"
CLIENT_SECRET = "up-next-secret"
ACCESS_LIFE = timedelta(seconds=3600)
REFRESH_LIFE = timedelta(days=30)
CODE_LIFE = timedelta(seconds=8600)
INTERVAL = 5


class OAuthError(Exception):
    """A 400 of the OAuth endpoints; `args[0]` is the value of `error`."""


@dataclass(slots=True)
class DeviceCode:
    """One device code on its way to approval."""

    code: str
    user_code: str
    expires: datetime
    polled: datetime | None = None
    approved: bool = False
    denied: bool = False
    used: bool = False


@dataclass(slots=True)
class Pair:
    """One token pair; a refresh ends it at once."""

    access: str
    refresh: str
    access_expires: datetime
    refresh_expires: datetime
    device: dict[str, str] = field(default_factory=dict)


class Grants:
    """All codes and pairs of the one simulated account."""

    def __init__(self, clock: Clock) -> None:
        """Start without any grant."""
        self._clock = clock
        self._serial = count(1)
        self.codes: dict[str, DeviceCode] = {}
        self._by_access: dict[str, Pair] = {}
        self._by_refresh: dict[str, Pair] = {}

    def new_code(self) -> DeviceCode:
        """Mint a device code."""
        number = next(self._serial)
        code = DeviceCode(
            code=f"kpcode{number:020d}",
            user_code=f"KP{number:04d}",
            expires=self._clock.now() + CODE_LIFE,
        )
        self.codes[code.code] = code
        return code

    def poll(self, value: str, *, pacing: bool, auto_approve: bool) -> Pair:
        """Exchange an approved code for a pair, or raise OAuthError with what stands against it."""
        code = self.codes.get(value)
        now = self._clock.now()
        if code is None or code.used or now >= code.expires:
            raise OAuthError("code_expired")
        soon = code.polled is not None and now - code.polled < timedelta(
            seconds=INTERVAL - 0.5
        )
        code.polled = now
        if soon and pacing:
            raise OAuthError("slow_down")
        if code.denied:
            raise OAuthError("access_denied")
        if not code.approved and not auto_approve:
            raise OAuthError("authorization_pending")
        code.used = True
        return self.new_pair()

    def approve(self, user_code: str | None, *, deny: bool) -> None:
        """Approve or deny a code; raises KeyError when there is none."""
        waiting = [c for c in self.codes.values() if user_code in (None, c.user_code)]
        if not waiting:
            raise KeyError(user_code)
        waiting[-1].denied = deny
        waiting[-1].approved = not deny

    def new_pair(self) -> Pair:
        """Hand out a pair."""
        number, now = next(self._serial), self._clock.now()
        pair = Pair(
            f"kpaccess{number}",
            f"kprefresh{number}",
            now + ACCESS_LIFE,
            now + REFRESH_LIFE,
        )
        self._by_access[pair.access] = pair
        self._by_refresh[pair.refresh] = pair
        return pair

    def refresh(self, token: str) -> Pair:
        """Rotate: the old pair is dead from here on, both halves of it."""
        old = self._by_refresh.get(token)
        if old is None:
            raise OAuthError("invalid_refresh_token")
        self.end(old)
        if self._clock.now() >= old.refresh_expires:
            raise OAuthError("authorization_expired")
        pair = self.new_pair()
        pair.device = old.device
        return pair

    def valid(self, access: str) -> Pair | None:
        """Return the pair of a living access token."""
        pair = self._by_access.get(access)
        return pair if pair and self._clock.now() < pair.access_expires else None

    def end(self, pair: Pair) -> None:
        """Kill one pair."""
        self._by_access.pop(pair.access, None)
        self._by_refresh.pop(pair.refresh, None)

    def expire_access(self) -> None:
        """Make every access token stale."""
        for pair in self._by_access.values():
            pair.access_expires = self._clock.now()

    def revoke(self) -> None:
        """End every grant."""
        self._by_access.clear()
        self._by_refresh.clear()

    @property
    def pairs(self) -> list[Pair]:
        """All living pairs, oldest first."""
        return list(self._by_access.values())
