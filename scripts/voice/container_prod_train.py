#!/usr/bin/env python3
"""Runs in the production container: the lane `tts_prod_train`, and a report block at the end (standard library)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "lib"))

from voicemill.held_signals import hold_signals

hold_signals()

from voicemill.boundary import Interrupts, guarded
from voicemill.launch.orchestrator import run_reported
from voicemill.protocol import Protocol
from voicemill.settings import Settings


def main() -> int:
    settings = Settings.for_lane(os.environ, repository=ROOT, work_dir=Path.cwd())
    with Interrupts() as interrupts:
        return run_reported(settings, os.environ, Protocol(sys.stdout), interrupts)


if __name__ == "__main__":
    raise SystemExit(guarded(main))
