#!/usr/bin/env python3
"""voice-synth: speak with any voice, and manage voices that need no training. See README.md."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "lib"), str(Path(__file__).resolve().parent)]

import click
from speak_command import speak_command
from speaker_commands import SPEAKER_COMMANDS
from teach_command import teach_command
from voice_commands import COMMANDS

from voicemill import console


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    epilog="""\b
Examples:
  voice-synth list-voices
  voice-synth speak --voice anna --text "Good morning."
  voice-synth speak --voice anna --text-file chapter.txt --chunk --variants 3 --select-best
  voice-synth speak --speaker flite:slt --text "Good morning."
  voice-synth teach --voice anna --minutes 8
  voice-synth export-voice anna --dest anna.zip

\b
Exit codes: 0 done · 1 refused (bad usage, unknown voice) · 2 blocked (weights, engine, disk) · 130/143 interrupted.""",
)
def main() -> None:
    """Speak with cloned, built-in, designed and trained voices, and manage them."""


for command in (speak_command, teach_command, *COMMANDS, *SPEAKER_COMMANDS):
    main.add_command(command)

if __name__ == "__main__":
    raise SystemExit(console.run(main, program="voice-synth"))
