"""The simulated sign-in of Trakt: device codes and single-use refresh tokens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
import secrets

from aiohttp import web

from simulators.clock import Clock

CLIENT_ID = "up-next-client"
CLIENT_SECRET = "up-next-secret"

REFUSED = (
    "The provided authorization grant is invalid, expired, revoked, does not match the redirection URI used in "
    "the authorization request, or was issued to another client."
)


@dataclass(slots=True)
class Device:
    """A device code on its way to a grant."""

    code: str
    user_code: str
    expires_at: datetime
    status: str = "pending"
    polled_at: datetime | None = None


@dataclass(slots=True)
class Grant:
    """One access and refresh token pair."""

    access: str
    refresh: str
    expires_at: datetime
    created_at: datetime


class OAuth:
    """Grants and device codes of one account."""

    def __init__(self, clock: Clock) -> None:
        """Start without any grant."""
        self.clock = clock
        self.lifetime = 604800
        """Seconds an access token lives."""
        self.interval = 5
        """Seconds between polls of a device code."""
        self.expires_in = 600
        self.app_deleted = False
        self.devices: dict[str, Device] = {}
        self.grants: dict[str, Grant] = {}

    def issue(self) -> Grant:
        """Make a new pair of tokens."""
        now = self.clock.now()
        grant = Grant(
            secrets.token_hex(32),
            secrets.token_hex(32),
            now + timedelta(seconds=self.lifetime),
            now,
        )
        self.grants[grant.access] = grant
        return grant

    def accepts(self, access: str) -> bool:
        """Say whether an access token is good now."""
        grant = self.grants.get(access)
        return grant is not None and grant.expires_at > self.clock.now()

    def expire(self) -> None:
        """Make every access token stale."""
        for grant in self.grants.values():
            grant.expires_at = self.clock.now()

    def approve(self, code: str | None, *, deny: bool) -> None:
        """Answer the page at the verification address."""
        device = next(
            d for d in reversed(self.devices.values()) if code in (None, d.user_code)
        )
        device.status = "denied" if deny else "approved"

    # routes ---------------------------------------------------------------------------------------------------

    def start_device(self, body: dict[str, object], base_url: str) -> web.Response:
        """POST /oauth/device/code."""
        if (refusal := self._client(body, secret=False)) is not None:
            return refusal
        device = Device(
            secrets.token_hex(32),
            secrets.token_hex(4).upper(),
            self.clock.now() + timedelta(seconds=self.expires_in),
        )
        self.devices[device.code] = device
        return web.json_response(
            {
                "device_code": device.code,
                "user_code": device.user_code,
                "verification_url": f"{base_url}/activate",
                "expires_in": self.expires_in,
                "interval": self.interval,
            }
        )

    def poll_device(
        self, body: dict[str, object], *, auto: bool, pacing: bool
    ) -> web.Response:
        """POST /oauth/device/token: the status alone tells how it stands, the body is empty."""
        if (refusal := self._client(body)) is not None:
            return refusal
        device = self.devices.get(str(body.get("code")))
        if device is None:
            return web.Response(status=404)
        now, last = self.clock.now(), device.polled_at
        device.polled_at = now
        if device.status == "used":
            return web.Response(status=409)
        if device.expires_at <= now:
            return web.Response(status=410)
        if device.status == "denied":
            return web.Response(status=418)
        early = last is not None and (now - last).total_seconds() < self.interval * 0.9
        if pacing and early:
            return web.Response(status=429, headers={"Retry-After": str(self.interval)})
        if device.status == "pending" and not auto:
            return web.Response(status=400)
        device.status = "used"
        return self._pair(self.issue())

    def token(self, body: dict[str, object]) -> web.Response:
        """POST /oauth/token with grant_type refresh_token."""
        if (refusal := self._client(body)) is not None:
            return refusal
        if body.get("grant_type") != "refresh_token" or not body.get("redirect_uri"):
            return _error("invalid_request", "unsupported grant_type or redirect_uri")
        refresh = body.get("refresh_token")
        old = next((g for g in self.grants.values() if g.refresh == refresh), None)
        if old is None:
            return _error("invalid_grant", REFUSED)
        del self.grants[old.access]
        return self._pair(self.issue())

    def revoke(self, body: dict[str, object]) -> web.Response:
        """POST /oauth/revoke."""
        if (refusal := self._client(body)) is not None:
            return refusal
        token = body.get("token")
        for grant in [
            g for g in self.grants.values() if token in (g.access, g.refresh)
        ]:
            del self.grants[grant.access]
        return web.Response(status=200)

    def _client(
        self, body: dict[str, object], *, secret: bool = True
    ) -> web.Response | None:
        if self.app_deleted or not body.get("client_id"):
            return _error("invalid_client", "client_id is required")
        if body["client_id"] != CLIENT_ID or (
            secret and body.get("client_secret") != CLIENT_SECRET
        ):
            return _error("invalid_client", "Client authentication failed", status=401)
        return None

    def _pair(self, grant: Grant) -> web.Response:
        return web.json_response(
            {
                "access_token": grant.access,
                "token_type": "bearer",
                "expires_in": self.lifetime,
                "refresh_token": grant.refresh,
                "scope": "public",
                "created_at": int(grant.created_at.timestamp()),
            }
        )


def _error(error: str, description: str, *, status: int = 400) -> web.Response:
    return web.json_response(
        {"error": error, "error_description": description}, status=status
    )
