"""Print all figures: ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys

# the harness loads Home Assistant, which must come before anything that imports its libraries
from .instance import measure_instance, measure_memory
from .report import Report
from .requests import count_fallback, count_requests
from .scrobbling import measure_scrobbling
from .simulated import simulated

WHOLE = ("instance", "memory", "fallback")
"""What is measured with the largest library."""
PARTS = ("requests", *WHOLE, "scrobbling")
SIZES = ((50, 20), (500, 100), (5000, 1000))
"""Shows, and how many of them have something left to watch."""


async def main() -> int:
    """Measure everything; returns the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="leave out 5,000 shows, measure delays less often",
    )
    parser.add_argument(
        "--part", choices=PARTS, action="append", help="only this (can be repeated)"
    )
    options = parser.parse_args()
    parts = options.part or PARTS
    logging.basicConfig(level=logging.CRITICAL)
    sizes = SIZES[:-1] if options.quick else SIZES
    report = Report()
    for shows, in_progress in sizes if "requests" in parts else ():
        async with simulated(shows, in_progress) as services:
            report.heading(
                f"{shows:,} shows, {in_progress:,} of them in progress: requests"
            )
            await count_requests(report, services, shows)
    shows, in_progress = sizes[-1]
    if any(part in WHOLE for part in parts):
        async with simulated(shows, in_progress) as services:
            if "instance" in parts:
                report.heading(f"{shows:,} shows: the whole integration")
                await measure_instance(report, services)
            if "memory" in parts:
                report.heading(f"{shows:,} shows: memory")
                await measure_memory(report, services)
            if "fallback" in parts:
                report.heading(f"{shows:,} shows: Trakt without its fast route")
                await count_fallback(report, services)
    if "scrobbling" in parts:
        await measure_scrobbling(report, quick=options.quick)
    if report.over:
        report.heading("Over the limit:")
        for line in report.over:
            report.note(line)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
