#!/usr/bin/env python3
"""The dataset job of a job server: the experimental lane's clips, from KNOWLEDGE_SOURCE_DIR to KNOWLEDGE_AUDIO_DIR."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "lib"))

from voicemill.held_signals import hold_signals

hold_signals()

from voicemill.boundary import guarded
from voicemill_musicgen import lane


def main() -> int:
    return lane.run_step("prepare", os.environ, ROOT)


if __name__ == "__main__":
    raise SystemExit(guarded(main))
