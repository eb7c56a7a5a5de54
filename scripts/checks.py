"""What a scripted run prints: its steps, what was seen, and what was checked; and how it waits for that."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
import time

BEGAN = time.monotonic()


class Failed(Exception):
    """A check failed."""


def step(text: str) -> None:
    """Begin a step, and tell how many seconds the run has taken so far."""
    print(f"\n{text}  ({time.monotonic() - BEGAN:.0f} s)", flush=True)


def figure(text: str) -> None:
    """Print what was seen."""
    print(f"  {text}", flush=True)


def check(good: bool, text: str) -> None:
    """Print what was seen; raise when it is not as it must be."""
    print(f"  {'ok    ' if good else 'FAILED'} {text}", flush=True)
    if not good:
        raise Failed(text)


async def happens[T](
    look: Callable[[], Awaitable[T | None]], timeout: float = 45
) -> T | None:
    """Look again and again until there is something; None when nothing came in so many seconds."""
    end = time.monotonic() + timeout
    while not (found := await look()) and time.monotonic() < end:  # noqa: ASYNC110 (anything can be looked at)
        await asyncio.sleep(0.3)
    return found or None


async def until[T](
    otherwise: str, look: Callable[[], Awaitable[T | None]], timeout: float = 45
) -> T:
    """Look again and again until there is something. Raises Failed, with what is wrong `otherwise`."""
    if (found := await happens(look, timeout)) is None:
        raise Failed(f"After {timeout:.0f} s {otherwise}")
    return found
