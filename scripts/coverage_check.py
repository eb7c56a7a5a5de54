"""Print the coverage of each module from the newest run, and fail when one is below the minimum."""

from __future__ import annotations

import json
from pathlib import Path
import sys
import tempfile

from coverage import Coverage

MINIMUM = 95.0
"""Percent of lines and branches, for every module by itself."""


def main() -> int:
    """Read .coverage, print a table, and return the exit code."""
    coverage = Coverage()
    coverage.load()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "coverage.json"
        total = coverage.json_report(outfile=str(report))
        files = json.loads(report.read_text())["files"]
    short: list[str] = []
    for name, file in sorted(files.items()):
        summary = file["summary"]
        percent: float = summary["percent_covered"]
        missing = f"  missing {summary['missing_lines']} lines, {summary['missing_branches']} branches"
        print(f"{percent:6.1f} %  {name}{missing if percent < 100 else ''}")
        if percent < MINIMUM:
            short.append(f"{name}: lines {_runs(file['missing_lines'])}")
    print(f"{total:6.1f} %  in all, {len(files)} modules")
    if not files:
        print("No module was measured.")
        return 1
    if short:
        print(f"Below {MINIMUM:.0f} %:", *short, sep="\n  ")
        return 1
    return 0


def _runs(lines: list[int]) -> str:
    """Write line numbers compactly: "3-5, 9"."""
    runs: list[list[int]] = []
    for line in lines:
        if runs and line == runs[-1][1] + 1:
            runs[-1][1] = line
        else:
            runs.append([line, line])
    return ", ".join(f"{a}-{b}" if a != b else str(a) for a, b in runs)


if __name__ == "__main__":
    sys.exit(main())
