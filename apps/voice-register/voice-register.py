#!/usr/bin/env python3
"""voice-register: from a recording to a voice that speaks, in one command. See README.md."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "lib")]

import click

from voicemill import console
from voicemill.commands import WithDefault
from voicemill_cloning.app_options import folder_options, model_options, timeout_option
from voicemill_cloning.clone_options import new_voice_options
from voicemill_cloning.source_options import source_part_options

if TYPE_CHECKING:
    from voicemill_cloning.app_context import AppContext
    from voicemill_cloning.cloning import CloneRequest
    from voicemill_cloning.opening import ModelSettings
    from voicemill_cloning.source_recording import SourcePart


@click.command(
    "register",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    epilog="""\b
Examples:
  voice-register --audio interview.mp3 --voice-name anna --text "Good morning." --consent consent.txt
  voice-register --url https://example.org/talk --voice-name anna --text "Good morning." --start 1:30 --end 12:00
  voice-register --audio interview.mp3 --voice-name anna --text "Good morning." --skip-synth

\b
Exit codes: 0 done · 1 refused (bad usage, unusable recording) · 2 blocked (weights, engine, disk) · 130/143
interrupted.""",
)
@source_part_options
@new_voice_options
@click.option("--text", required=True, help="Text to speak as a test.")
@click.option("--clips", type=click.IntRange(1, 1000), default=3, show_default=True, help="Preview clips.")
@click.option("--length", type=float, default=30.0, show_default=True, help="Length of a clip, in seconds.")
@click.option("--language", default="Auto", show_default=True, help="Language of the text.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="Seed of the clips and of the test.")
@click.option("--max-new-tokens", type=click.IntRange(1, 8192), help="Longest generation, in codec frames.")
@click.option("--skip-synth", is_flag=True, help="Do not speak the test; the voice gets its prompt all the same.")
@timeout_option
@model_options
@folder_options
def register_command(
    part: SourcePart,
    interactive: bool,
    clone: CloneRequest,
    text: str,
    clips: int,
    length: float,
    language: str,
    seed: int | None,
    max_new_tokens: int | None,
    skip_synth: bool,
    timeout: float,
    engine: ModelSettings,
    context: AppContext,
) -> None:
    """Split a recording, take a reference, build the prompt of the voice, and speak a test with it."""
    import dataclasses

    from voicemill.protocol import Protocol
    from voicemill_cloning.clone_options import choose_candidate
    from voicemill_cloning.clone_run import CloneRun
    from voicemill_cloning.generation import GenerationOptions
    from voicemill_cloning.register_run import register_voice
    from voicemill_cloning.source_options import choose_clip
    from voicemill_cloning.speak_run import check_text
    from voicemill_cloning.splitting import SplitOptions

    choose = None
    if interactive and sys.stdin.isatty():
        clone, choose = dataclasses.replace(clone, choose=choose_candidate), choose_clip
    generation = GenerationOptions(max_new_tokens=max_new_tokens)
    run = CloneRun(clone, check_text(text), generation, language=language, seed=seed)
    options = SplitOptions(clips, length, seed=seed)
    opened = context.engine_options(engine, timeout)
    context.require_writable()
    with console.Interrupts(), console.Terminal() as terminal:
        made = register_voice(context, part, options, run, opened, terminal, choose=choose, speak=not skip_synth)
    protocol = Protocol(sys.stdout)
    protocol.stats(made.stats())
    for path in made.files:
        protocol.artifact(path)


main = WithDefault("voice-register", register_command)

if __name__ == "__main__":
    raise SystemExit(console.run(main, program="voice-register"))
