#!/usr/bin/env python3
"""The jobs `train` and `tts_voice_train` of a job server: the experimental lane on a prepared dataset."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "lib"))

from voicemill.held_signals import hold_signals

hold_signals()

from voicemill.boundary import Interrupts, guarded
from voicemill_musicgen import colab


def main() -> int:
    environ = {"RUN_PREPARE": "0", "CLEAR_PREVIOUS_ARTIFACTS": "0"} | os.environ
    with Interrupts() as interrupts:
        return colab.run(environ, ROOT, sys.stdout, interrupts)


if __name__ == "__main__":
    raise SystemExit(guarded(main))
