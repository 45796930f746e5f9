#!/usr/bin/env python3
"""The experimental lane `tts_voice_train` and its report (docs/experimental.md); settings come from the environment."""

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
from voicemill_musicgen import colab


def main() -> int:
    usage_checked(argparse.ArgumentParser(description=__doc__))
    with Interrupts() as interrupts:
        return colab.run(os.environ, ROOT, sys.stdout, interrupts)


if __name__ == "__main__":
    raise SystemExit(guarded(main))
