"""Blocking work off the event loop."""

from __future__ import annotations

from collections.abc import Callable
import gc

from homeassistant.core import HomeAssistant


async def async_run[T](
    hass: HomeAssistant, function: Callable[..., T], /, *args: object
) -> T:
    """Call `function` in Home Assistant's executor, with the cyclic garbage collector at rest.

    Decoding a big library makes so many objects that a full collection would fall in the middle of it, and stop the
    event loop of a grown Home Assistant for longer than everything else together.
    """
    return await hass.async_add_executor_job(_without_collecting, function, *args)


def _without_collecting[T](function: Callable[..., T], /, *args: object) -> T:
    enabled = gc.isenabled()
    gc.disable()
    try:
        return function(*args)
    finally:
        if enabled:
            gc.enable()
