"""The registry of trackers: one line each, in the order in which people choose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .firstlight import Firstlight
from .kinopub import KinoPub
from .letterboxd import Letterboxd
from .simkl import Simkl
from .tautulli import Tautulli
from .tracker import Tracker
from .trakt import Trakt
from .trakt_v1 import TraktV1

TRACKERS: Final[Mapping[str, type[Tracker]]] = {
    tracker.key: tracker
    for tracker in (
        Trakt,
        Simkl,
        KinoPub,
        Tautulli,
        Letterboxd,
        TraktV1,
        Firstlight,
    )
}
