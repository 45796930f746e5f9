#!/usr/bin/env python3
"""Step 2 of 4: the trained voice measured on held-out sentences; writes prod_tts_eval.json."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "lib"))

from voicemill.held_signals import hold_signals

hold_signals()

from voicemill.boundary import guarded
from voicemill.lane.entry import run_step
from voicemill.lane.plan import EVALUATE


def main() -> int:
    return run_step(EVALUATE, os.environ, ROOT)


if __name__ == "__main__":
    raise SystemExit(guarded(main))
