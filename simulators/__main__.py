"""Run the simulated services on loopback until interrupted: ``python -m simulators --shows 5000``."""

from __future__ import annotations

import argparse
import asyncio
from contextlib import AsyncExitStack
import signal

from .catalogue import generate, watch
from .clock import Clock
from .firstlight import Firstlight
from .kinopub import KinoPub
from .letterboxd import Letterboxd
from .service import Service
from .simkl import Simkl
from .tautulli import Tautulli
from .trakt import Trakt
from .trakt_v1 import TraktV1

SERVICES: tuple[type[Service], ...] = (
    Trakt,
    Simkl,
    KinoPub,
    TraktV1,
    Tautulli,
    Letterboxd,
    Firstlight,
)


async def main() -> None:
    """Start every service on its own port and wait for a signal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shows", type=int, default=50)
    parser.add_argument("--movies", type=int, default=40)
    parser.add_argument(
        "--watched",
        type=int,
        default=60,
        help="percent of the titles that were watched",
    )
    parser.add_argument(
        "--in-progress",
        type=int,
        default=None,
        help="watched shows with something left",
    )
    parser.add_argument(
        "--airing-in",
        type=float,
        default=None,
        help="seconds until one show airs its next episode",
    )
    parser.add_argument(
        "--port-offset", type=int, default=0, help="added to every service's port"
    )
    parser.add_argument(
        "--auto-approve", action="store_true", help="device codes approve themselves"
    )
    arguments = parser.parse_args()
    clock = Clock()
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with AsyncExitStack() as stack:
        for number, service_class in enumerate(SERVICES):
            catalogue = generate(
                clock.now(),
                shows=arguments.shows,
                movies=arguments.movies,
                airing_in=arguments.airing_in,
            )
            viewer = watch(
                catalogue,
                clock.now(),
                watched=arguments.watched,
                in_progress=arguments.in_progress,
                seed=number + 2,
            )
            service = service_class(catalogue, viewer, clock)
            service.auto_approve = arguments.auto_approve
            url = await stack.enter_async_context(
                service.serve(service.port + arguments.port_offset)
            )
            print(f"{service.name}: {url}", flush=True)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main())
