"""The registry of trackers: one line each, in the order in which people choose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .kinopub import KinoPub
from .simkl import Simkl
from .tracker import Tracker
from .trakt import Trakt

TRACKERS: Final[Mapping[str, type[Tracker]]] = {
    tracker.key: tracker
    for tracker in (
        Trakt,
        Simkl,
        KinoPub,
    )
}
