#!/usr/bin/env python3
"""voice-clone: the reference and prompt of a voice, and speech with it. See README.md."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "lib"), str(Path(__file__).resolve().parent)]

import click
from clone_commands import prepare_command, self_test_command, synth_command

from voicemill import console


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    epilog="""\b
Examples:
  voice-clone prepare-ref --voice anna
  voice-clone synth --voice anna --text "Good morning."
  voice-clone synth --ref-audio anna.wav --voice-name anna --text "Good morning." --consent consent.txt
  voice-clone synth --voice anna --tone calm --ref-start 12 --ref-end 20 --text "Good morning."
  voice-clone self-test

\b
Exit codes: 0 done · 1 refused (bad usage, unusable reference) · 2 blocked (weights, engine, disk) · 130/143
interrupted.""",
)
def main() -> None:
    """Clone a voice from 3 to 12 seconds of a recording."""


for command in (synth_command, prepare_command, self_test_command):
    main.add_command(command)

if __name__ == "__main__":
    raise SystemExit(console.run(main, program="voice-clone"))
