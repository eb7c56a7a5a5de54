"""Print what the integrations of a fresh Home Assistant need, so that one installer run fetches it all.

Home Assistant would install each at its first start, one after the other.
"""

from __future__ import annotations

import json
from pathlib import Path

USED = {"history", "logbook", "media_source", "recorder", "script", "template"}
"""What the demo's configuration names."""
LEFT_OUT = ("pymicro-vad", "pyspeex-noise")
"""Voice processing: it takes a C++ compiler and minutes to build. demo_modules/ stands in for it."""


def main() -> None:
    """Print one requirement a line."""
    from homeassistant import bootstrap

    components = Path(bootstrap.__file__).parent / "components"
    waiting = {*bootstrap.CORE_INTEGRATIONS, *bootstrap.DEFAULT_INTEGRATIONS, *USED}
    seen: set[str] = set()
    requirements: set[str] = set()
    while waiting:
        domain = waiting.pop()
        seen.add(domain)
        manifest = json.loads((components / domain / "manifest.json").read_text())
        requirements.update(manifest.get("requirements", ()))
        waiting.update({*manifest.get("dependencies", ())} - seen)
    for requirement in sorted(requirements):
        if requirement.partition("==")[0] not in LEFT_OUT:
            print(requirement)


if __name__ == "__main__":
    main()
