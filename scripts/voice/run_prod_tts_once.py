#!/usr/bin/env python3
"""Started by `colab_run_prod_tts_once.sh`: bootstrap, train, eval, bundle, promote, report (standard library)."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "lib"))

from voicemill.held_signals import hold_signals

hold_signals()

from voicemill.boundary import Interrupts, guarded, usage_checked
from voicemill.lane.colab_entry import run_reported
from voicemill.protocol import Protocol
from voicemill.settings import Settings


def main() -> int:
    usage_checked(argparse.ArgumentParser(description=f"{__doc__} Settings come from the environment."))
    settings = Settings.for_lane(os.environ, repository=ROOT, work_dir=Path.cwd())
    with Interrupts() as interrupts:
        return run_reported(settings, os.environ, Protocol(sys.stdout), interrupts)


if __name__ == "__main__":
    raise SystemExit(guarded(main))
