"""Hands a tracker what it needs from Home Assistant."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
import json
from pathlib import Path
from typing import Final

from aiohttp import ClientSession

from homeassistant.const import EVENT_HOMEASSISTANT_CLOSE
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers.aiohttp_client import async_create_clientsession
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from .const import CONF_BASE_URL, CONF_CREDENTIALS, DOMAIN
from .executor import async_run
from .trackers.oauth import TokenStore
from .trackers.tracker import PlayArchive, TrackerContext
from .trackers.transport import never_repeating

_MANIFEST: Final = json.loads(
    (Path(__file__).parent / "manifest.json").read_text(encoding="utf-8")
)
VERSION: Final[str] = _MANIFEST["version"]
USER_AGENT: Final = f"UpNext/{VERSION} (Home Assistant custom integration; +{_MANIFEST['documentation']})"
_SESSION: Final[HassKey[ClientSession]] = HassKey(f"{DOMAIN}_session")


@callback
def _session(hass: HomeAssistant) -> ClientSession:
    """Return the one session of the integration, on Home Assistant's shared connections."""
    if _SESSION not in hass.data:
        # with its automatic cleanup it would end with the account that happened to be set up first
        session = async_create_clientsession(hass, auto_cleanup=False)
        hass.data[_SESSION] = never_repeating(session)

        @callback
        def detach(_: Event) -> None:
            session.detach()

        hass.bus.async_listen_once(EVENT_HOMEASSISTANT_CLOSE, detach)
    return hass.data[_SESSION]


def make_context(
    hass: HomeAssistant,
    data: Mapping[str, object],
    options: Mapping[str, str | Sequence[str]],
    tokens: TokenStore,
    archive: PlayArchive | None = None,
) -> TrackerContext:
    """Return the context for a tracker set up with a config entry's `data` and `options`."""
    credentials = data.get(CONF_CREDENTIALS)
    base_url = data.get(CONF_BASE_URL)

    async def run[T](function: Callable[..., T], /, *args: object) -> T:
        return await async_run(hass, function, *args)

    return TrackerContext(
        session=_session(hass),
        user_agent=USER_AGENT,
        tokens=tokens,
        credentials={str(k): str(v) for k, v in credentials.items()}
        if isinstance(credentials, Mapping)
        else {},
        options=options,
        base_url=str(base_url) if base_url else None,
        now=dt_util.utcnow,
        run=run,
        archive=archive,
    )
