#!/usr/bin/env python3
"""The lane `tts_prod_train` as a job server starts it: no arguments, settings from the environment."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "lib"))

from voicemill.held_signals import hold_signals

hold_signals()

from voicemill.boundary import guarded
from voicemill.lane.entry import run_lane
from voicemill.launch.lanes import MAIN


def main() -> int:
    return run_lane(MAIN, os.environ, ROOT)


if __name__ == "__main__":
    raise SystemExit(guarded(main))
