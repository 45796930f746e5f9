#!/usr/bin/env python3
"""Step 4 of 4: promote a production bundle to a voice profile; faults in its record are recorded, not refused."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "lib"))

from voicemill.held_signals import hold_signals

hold_signals()

from voicemill.boundary import guarded, usage_checked
from voicemill.lane.entry import promote_step


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input-manifest", type=Path, metavar="M", help="manifest.json of the production bundle")
    parser.add_argument("--output-root", type=Path, metavar="R", help="where promoted bundles live")
    parser.add_argument("--voice-profile-id", metavar="P", help="names the bundle's folder")
    parser.add_argument("--display-name", metavar="N", help="what people see")
    given = usage_checked(parser)
    return promote_step(
        os.environ,
        ROOT,
        manifest=given.input_manifest,
        root=given.output_root,
        voice=given.voice_profile_id,
        display_name=given.display_name,
    )


if __name__ == "__main__":
    raise SystemExit(guarded(main))
