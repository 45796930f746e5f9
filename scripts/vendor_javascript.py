#!/usr/bin/env python3
"""Copies the JavaScript that the repository holds out of its npm packages, as tests/vendor/javascript.json locks it.

    scripts/vendor_javascript.py            fetch, check, write
    scripts/vendor_javascript.py --check    only check the files that are here

Needs npm to fetch. A package whose digest differs from the lock is refused.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "tests/vendor/javascript.json"


def fetch(package: dict[str, Any], folder: Path) -> None:
    """Write the files of one package."""
    wanted = f"{package['name']}@{package['version']}"
    subprocess.run(["npm", "pack", "--silent", "--pack-destination", str(folder), wanted], check=True, cwd=folder)
    archive = next(folder.glob("*.tgz"))
    digest = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if digest != package["integrity"]:
        raise SystemExit(f"{wanted} has the digest {digest}, not the locked one.")
    target = ROOT / package["folder"]
    target.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as tar:
        for name in package["files"]:
            member = tar.extractfile(f"package/{name}")
            if member is None:
                raise SystemExit(f"{wanted} has no {name}.")
            (target / Path(name).name).write_bytes(member.read())
    archive.unlink()


def differing(package: dict[str, Any]) -> list[str]:
    """Files that are missing or differ from the lock."""
    found = []
    for name, digest in package["files"].items():
        path = ROOT / package["folder"] / Path(name).name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            found.append(path.relative_to(ROOT).as_posix())
    return found


def main(arguments: list[str]) -> int:
    """Fetch, unless only a check is wanted, and check."""
    packages = json.loads(LOCK.read_text("utf-8"))["packages"]
    if "--check" not in arguments:
        with tempfile.TemporaryDirectory() as folder:
            for package in packages:
                fetch(package, Path(folder))
    wrong = [path for package in packages for path in differing(package)]
    for path in wrong:
        print(f"{path} differs from {LOCK.relative_to(ROOT)}.", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
