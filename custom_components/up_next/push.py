"""What a service tells by itself: each account can have a webhook, and what comes there makes it be read at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
import logging
from typing import Final, Self

from aiohttp.hdrs import METH_HEAD, METH_POST
from aiohttp.web import Request, Response

from homeassistant.components import webhook
from homeassistant.const import CONF_WEBHOOK_ID
from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util

from .const import CONF_LOCAL_ONLY, CONF_PUSH, DOMAIN
from .coordinator import AccountCoordinator, UpNextConfigEntry
from .trackers.errors import RateLimited

_LOGGER = logging.getLogger(__name__)

LARGEST: Final = 16 * 1024
"""Bytes; what a service has to tell takes a few hundred."""
PATIENCE: Final = 10.0
"""Seconds that a body may take to arrive."""
REST: Final = 1.0
"""Seconds between two readings that pushes ask for, however many come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Where an account's service reaches Home Assistant. The id is secret: whoever knows it can post there."""

    id: str = field(repr=False)
    local_only: bool

    @classmethod
    def of(cls, options: Mapping[str, object]) -> Self | None:
        """Return the webhook that an account's options name; None while push is off."""
        kept = options.get(CONF_PUSH)
        if not isinstance(kept, Mapping):
            return None
        return cls(
            id=str(kept[CONF_WEBHOOK_ID]), local_only=bool(kept[CONF_LOCAL_ONLY])
        )

    @classmethod
    def changed(
        cls, options: Mapping[str, object], *, on: bool, local_only: bool
    ) -> dict[str, object]:
        """Return an account's options with push switched on or off.

        The id stays as long as push is on. Off forgets it: on again means a new one, so a leaked address can be ended.
        """
        changed = {name: options[name] for name in options if name != CONF_PUSH}
        if on:
            known = cls.of(options)
            changed[CONF_PUSH] = {
                CONF_WEBHOOK_ID: known.id if known else webhook.async_generate_id(),
                CONF_LOCAL_ONLY: local_only,
            }
        return changed

    @property
    def path(self) -> str:
        """Return the part of the address after Home Assistant's own."""
        return webhook.async_generate_path(self.id)

    def url(self, hass: HomeAssistant) -> str:
        """Return the whole address. Raises NoURLAvailableError when Home Assistant does not know its own."""
        return webhook.async_generate_url(
            hass, self.id, prefer_external=not self.local_only
        )


@callback
def async_setup_push(hass: HomeAssistant, entry: UpNextConfigEntry) -> None:
    """Listen to an account's service until the account is unloaded, if push is on."""
    coordinator = entry.runtime_data
    hook = Webhook.of(entry.options)
    if hook is None or coordinator.tracker.push is None:
        return
    webhook.async_register(
        hass,
        DOMAIN,
        entry.title,
        hook.id,
        PushReceiver(coordinator).async_receive,
        local_only=hook.local_only,
        # what Home Assistant refuses itself, it logs with the secret id
        allowed_methods=webhook.SUPPORTED_METHODS,
    )
    entry.async_on_unload(partial(webhook.async_unregister, hass, hook.id))


class PushReceiver:
    """Takes what comes to an account's webhook as a hint to read the account, and believes nothing of it."""

    def __init__(self, coordinator: AccountCoordinator) -> None:
        """Receive for the account of `coordinator`."""
        self._coordinator = coordinator
        self._wanted = False
        self._reading: asyncio.Task[None] | None = None

    async def async_receive(
        self, hass: HomeAssistant, webhook_id: str, request: Request
    ) -> Response:
        """Answer at once; what is to be read is read afterwards."""
        try:
            return await self._receive(request)
        except Exception:  # Home Assistant would log it with the secret id
            _LOGGER.debug("Lost a push for %s", self._coordinator.name, exc_info=True)
            return Response(status=HTTPStatus.BAD_REQUEST)

    async def _receive(self, request: Request) -> Response:
        if request.method == METH_HEAD:
            return Response()
        if request.method != METH_POST:
            return Response(
                status=HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": METH_POST}
            )
        async with asyncio.timeout(PATIENCE):
            told = await _read(request)
        if told is None:
            return Response(status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        self._coordinator.pushed_at = dt_util.utcnow()
        if self._coordinator.tracker.nudge(told):
            self._read_soon()
        return Response()

    def _read_soon(self) -> None:
        """Read the account now, or once more after the reading that is under way."""
        self._wanted = True
        if self._reading is None or self._reading.done():
            coordinator = self._coordinator
            self._reading = coordinator.config_entry.async_create_background_task(
                coordinator.hass, self._read(), f"{coordinator.name} push"
            )

    async def _read(self) -> None:
        while self._wanted:
            self._wanted = False
            if not self._must_wait:
                await self._coordinator.async_refresh()
            await asyncio.sleep(REST)

    @property
    def _must_wait(self) -> bool:
        """Say whether the service has told when to ask again: then the account is read at that time."""
        error = self._coordinator.last_exception
        return (
            not self._coordinator.last_update_success
            and error is not None
            and isinstance(error.__cause__, RateLimited)
        )


async def _read(request: Request) -> bytes | None:
    """Read what was sent; None when it is too big."""
    content = request.content
    told = b""
    while part := await content.read(LARGEST + 1 - len(told)):
        told += part
        if len(told) > LARGEST:
            return None
    return told
