#!/usr/bin/env python3
"""One step of the experimental lane, as `run_colab_train.py` starts it in a process of its own."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "lib"))

from voicemill.held_signals import hold_signals

hold_signals()

from voicemill.boundary import guarded, usage_checked
from voicemill_musicgen import lane


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=lane.STEPS)
    return lane.run_step(usage_checked(parser).step, os.environ, ROOT)


if __name__ == "__main__":
    raise SystemExit(guarded(main))
