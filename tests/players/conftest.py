"""What stands around the couch."""

from __future__ import annotations

import pytest

from simulators.trakt import Trakt

from ..couch import Evening
from ..home import Player


@pytest.fixture
def trakt(evening: Evening) -> Trakt:
    """Return the Trakt that the couch feeds."""
    return evening.trakt


@pytest.fixture
async def plex(evening: Evening) -> Player:
    """Return a player whose titles are believed."""
    return await evening.couch.add("plex", "plex", evening.account)
