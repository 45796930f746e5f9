#!/usr/bin/env python3
"""Compare a bundle with its manifest, with the standard library only: `python scripts/voice/verify_voice_bundle.py DIR`.

One line per difference; exit 0 if there is none, 3 if there are some. `voice-verify bundle` judges more: licences,
roles, archives, signatures.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "lib"))

from voicemill.boundary import guarded, usage_checked
from voicemill.bundle.differences import compare
from voicemill.protocol import one_line


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="a promoted bundle, or a production bundle")
    found = compare(usage_checked(parser).folder)
    for each in found.differences:
        print(f"[voice-bundle] error={each.code} path={one_line(each.path)}")
    if found.loaded is None or found.differences:
        return 3
    manifest = found.loaded.manifest
    profile = getattr(manifest, "voice_profile_id", "none")
    print(f"[voice-bundle] status=ok profile={one_line(profile)} files={len(manifest.files)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(guarded(main, program="voice-bundle", resume=""))
