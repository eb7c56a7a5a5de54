"""Sign-in V2: device codes, grants, tokens (apis/simkl.md section 3). /oauth2/* errors carry no `code`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
import secrets
from typing import Any

from aiohttp import web

from ..clock import Clock
from .answers import answer

CLIENT_ID = "up-next-client"
READ, WRITE = "media:read", "media:read media:write"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
CODE_LIFE = timedelta(minutes=15)
ACCESS_LIFE = timedelta(days=7)
REFRESH_LIFE = timedelta(days=180)
_ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"


@dataclass(slots=True)
class Device:
    """One device code and what became of it; `interval` and `polled` are seconds."""

    code: str
    user_code: str
    scope: str
    expires: datetime
    interval: float = 5
    polled: datetime | None = None
    approved: bool = False
    used: bool = False


@dataclass(slots=True)
class Grant:
    """One authorization: a refresh token that stays and the one access token that is alive."""

    scope: str
    access: str
    refresh: str
    access_until: datetime
    refresh_until: datetime
    fresh: bool = True
    """No counted request was made yet: the quota headers are missing once (section 4)."""

    @property
    def may_write(self) -> bool:
        """Say whether the scope lets this grant send anything but a GET without a body."""
        return self.scope == WRITE


class Grants:
    """The token endpoints and who is signed in."""

    def __init__(self, clock: Clock) -> None:
        """Start without any grant."""
        self.clock = clock
        self.devices: list[Device] = []
        self.grants: list[Grant] = []
        self.auto_approve = False
        self.pace_polls = True

    def routes(self) -> list[web.RouteDef]:
        """Return the token endpoints, and those of sign-in V1, which refuse a V2 client."""
        return [
            web.post("/oauth2/device", self._device),
            web.post("/oauth2/token", self._token),
            web.post("/oauth2/revoke", self._revoke),
            web.get("/oauth/pin", self._old),
            web.get("/oauth/pin/{code}", self._old),
            web.post("/oauth/token", self._old),
            web.get("/.well-known/oauth-authorization-server", self._metadata),
        ]

    def approve(self, code: str | None = None, *, deny: bool = False) -> None:
        """Let the user enter `code` (or the newest); entry is forgiving about case and the hyphen.

        A declined code simply stays pending until it expires: there is no deny signal.
        """
        wanted = None if code is None else code.replace("-", "").upper()
        for device in reversed(self.devices):
            if wanted in (None, device.user_code.replace("-", "")):
                device.approved = not deny
                return

    def find(self, access: str) -> Grant | None:
        """Return the grant whose living access token this is."""
        now = self.clock.now()
        return next(
            (g for g in self.grants if g.access == access and g.access_until > now),
            None,
        )

    def issue(self, scope: str = WRITE) -> Grant:
        """Make a new, independent grant."""
        now = self.clock.now()
        grant = Grant(
            scope=scope,
            access=f"simkl_at_{secrets.token_hex(17)}",
            refresh=f"simkl_rt_{secrets.token_hex(17)}",
            access_until=now + ACCESS_LIFE,
            refresh_until=now + REFRESH_LIFE,
        )
        self.grants.append(grant)
        return grant

    # endpoints ------------------------------------------------------------------------------------------------

    async def _device(self, request: web.Request) -> web.Response:
        form = await _form(request)
        if form.get("client_id") != CLIENT_ID:
            return _invalid_client()
        user_code = "".join(secrets.choice(_ALPHABET) for _ in range(8))
        device = Device(
            code=secrets.token_urlsafe(32),
            user_code=f"{user_code[:4]}-{user_code[4:]}",
            # omitted or misspelled: silently read-only (section 3.6)
            scope=WRITE
            if set(str(form.get("scope", "")).split()) == set(WRITE.split())
            else READ,
            expires=self.clock.now() + CODE_LIFE,
        )
        self.devices.append(device)
        place = f"{request.url.origin()}/pin"
        return answer(
            {
                "device_code": device.code,
                "user_code": device.user_code,
                "verification_uri": place,
                "verification_uri_complete": f"{place}?user_code={device.user_code}",
                "expires_in": int(CODE_LIFE.total_seconds()),
                "interval": int(device.interval),
            },
            headers={"Cache-Control": "no-store"},
        )

    async def _token(self, request: web.Request) -> web.Response:
        form = await _form(request)
        if form.get("client_id") != CLIENT_ID:
            return _invalid_client()
        match form.get("grant_type"):
            case "urn:ietf:params:oauth:grant-type:device_code":
                return self._poll(str(form.get("device_code", "")))
            case "refresh_token":
                return self._refresh(form)
            case "authorization_code":
                return answer({"error": "invalid_request"}, 400)
            case None:
                return answer({"error": "invalid_request"}, 400)
            case _:
                return answer({"error": "unsupported_grant_type"}, 400)

    def _poll(self, code: str) -> web.Response:
        now = self.clock.now()
        device = next((d for d in self.devices if d.code == code), None)
        if device is None or device.used or device.expires <= now:
            return answer({"error": "expired_token"}, 400)
        too_fast = (
            device.polled is not None
            and (now - device.polled).total_seconds() < device.interval * 0.9
        )
        device.polled = now
        if too_fast and self.pace_polls:
            device.interval += 5
            return answer({"error": "slow_down"}, 400)
        if not (device.approved or self.auto_approve):
            return answer({"error": "authorization_pending"}, 400)
        device.used = True
        return self._tokens(self.issue(device.scope))

    def _refresh(self, form: dict[str, Any]) -> web.Response:
        now = self.clock.now()
        grant = next(
            (g for g in self.grants if g.refresh == form.get("refresh_token")), None
        )
        if grant is None or grant.refresh_until <= now:
            return answer({"error": "invalid_grant"}, 400)
        asked = set(str(form.get("scope") or grant.scope).split())
        if not asked <= set(grant.scope.split()):
            return answer({"error": "invalid_scope"}, 400)
        # the previous access token dies at once; the refresh token stays and its 180 days slide
        grant.access = f"simkl_at_{secrets.token_hex(17)}"
        grant.access_until = now + ACCESS_LIFE
        grant.refresh_until = now + REFRESH_LIFE
        grant.fresh = True
        return self._tokens(grant)

    def _tokens(self, grant: Grant) -> web.Response:
        return answer(
            {
                "access_token": grant.access,
                "token_type": "Bearer",
                "expires_in": int(
                    (grant.access_until - self.clock.now()).total_seconds() + 0.5
                ),
                "refresh_token": grant.refresh,
                "scope": grant.scope,
            },
            headers={"Cache-Control": "no-store"},
        )

    async def _revoke(self, request: web.Request) -> web.Response:
        form = await _form(request)
        if form.get("client_id") != CLIENT_ID:
            return _invalid_client()
        self.grants = [
            g for g in self.grants if form.get("token") not in (g.access, g.refresh)
        ]
        return web.Response()

    async def _old(self, request: web.Request) -> web.Response:
        return answer(
            {
                "error": "unauthorized_client",
                "code": 400,
                "message": "This client_id is an OAuth 2.0 app: use POST /oauth2/token",
            },
            400,
        )

    async def _metadata(self, request: web.Request) -> web.Response:
        origin = str(request.url.origin())
        return answer(
            {
                "issuer": origin,
                "authorization_endpoint": f"{origin}/oauth2/authorize",
                "token_endpoint": f"{origin}/oauth2/token",
                "device_authorization_endpoint": f"{origin}/oauth2/device",
                "revocation_endpoint": f"{origin}/oauth2/revoke",
                "scopes_supported": WRITE.split(),
                "code_challenge_methods_supported": ["S256"],
                "grant_types_supported": [
                    "authorization_code",
                    "refresh_token",
                    DEVICE_GRANT,
                ],
            }
        )


async def _form(request: web.Request) -> dict[str, Any]:
    """Read form or JSON; parameters are plain strings."""
    if request.content_type == "application/json":
        try:
            data = await request.json()
        except ValueError:
            return {}
        return data if isinstance(data, dict) else {}
    return dict(await request.post())


def _invalid_client() -> web.Response:
    return answer(
        {
            "error": "invalid_client",
            "error_description": "This client_id is not enabled for OAuth 2.0",
        },
        401,
    )
