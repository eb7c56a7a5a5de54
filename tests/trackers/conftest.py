"""Fixtures for trackers without Home Assistant: a session, a token store, a context."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence

import aiohttp
import pytest

from custom_components.up_next.trackers.oauth import MemoryTokenStore
from custom_components.up_next.trackers.tracker import TrackerContext
from custom_components.up_next.trackers.transport import never_repeating
from simulators.clock import Clock

CREDENTIALS = {"client_id": "up-next-client", "client_secret": "up-next-secret"}

type MakeContext = Callable[..., TrackerContext]


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Return a client session that is closed afterwards."""
    async with aiohttp.ClientSession() as session:
        yield never_repeating(session)


@pytest.fixture
def tokens() -> MemoryTokenStore:
    """Return an empty token store."""
    return MemoryTokenStore()


@pytest.fixture
def make_context(
    session: aiohttp.ClientSession, tokens: MemoryTokenStore, clock: Clock
) -> MakeContext:
    """Return a function that makes the context for a tracker at `base_url`."""

    def make(
        base_url: str,
        *,
        credentials: Mapping[str, str] = CREDENTIALS,
        options: Mapping[str, str | Sequence[str]] | None = None,
    ) -> TrackerContext:
        return TrackerContext(
            session=session,
            user_agent="UpNext/0.0.0 (tests)",
            tokens=tokens,
            credentials=credentials,
            options=options or {},
            base_url=base_url,
            now=clock.now,
        )

    return make
