"""Build dist/up_next.zip, what HACS unpacks into custom_components/up_next, from the files of a release."""

from __future__ import annotations

import json
from pathlib import Path
import re
import sys
from zipfile import ZIP_DEFLATED, ZipFile

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "custom_components" / "up_next"
LEFT_OUT = {"__pycache__"}


def build(version: str, target: Path) -> list[str]:
    """Write the archive with `version` ("1.2.3" or "v1.2.3") in its manifest; return the names in it."""
    version = version.removeprefix("v")
    if not re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", version):
        raise ValueError(f"{version} is not a version as 1.2.3 or 1.2.3b1")
    manifest = json.loads((SOURCE / "manifest.json").read_text(encoding="utf-8"))
    manifest["version"] = version
    files = sorted(
        path
        for path in SOURCE.rglob("*")
        if path.is_file() and not LEFT_OUT & set(path.parts)
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    with ZipFile(target, "w", ZIP_DEFLATED) as archive:
        for path in files:
            name = path.relative_to(SOURCE).as_posix()
            if name == "manifest.json":
                archive.writestr(name, json.dumps(manifest, indent=2) + "\n")
            else:
                archive.write(path, name)
        return archive.namelist()


if __name__ == "__main__":
    built = (
        ROOT
        / "dist"
        / json.loads((ROOT / "hacs.json").read_text(encoding="utf-8"))["filename"]
    )
    print(f"{built.relative_to(ROOT)}: {len(build(sys.argv[1], built))} files")
