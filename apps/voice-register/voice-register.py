#!/usr/bin/env python3
"""voice-register: from a recording to a voice that speaks, in one command. See README.md."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "lib")]

import click

from voicemill import console
from voicemill.commands import WithDefault
from voicemill_cloning.app_options import cache_option, engine_options, out_option, rights_options
from voicemill_cloning.source_options import source_part_options


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
@click.option("--voice-name", required=True, metavar="NAME", help="Of the voice.")
@click.option("--text", required=True, help="Text to speak as a test.")
@click.option("--clips", type=click.IntRange(1, 1000), default=3, show_default=True, help="Preview clips.")
@click.option("--length", type=float, default=30.0, show_default=True, help="Of a clip, in seconds.")
@click.option("--language", default="Auto", show_default=True, help="Of the text.")
@click.option("--tone", metavar="NAME", help="The prompt is for this tone of the voice.")
@click.option("--ref-text", metavar="TEXT", help="Words of the reference.  [default: recognised]")
@click.option("--ref-language", default="Auto", show_default=True, help="Of the reference.")
@click.option("--whisper-model", default="tiny.en", show_default=True, metavar="NAME", help="Recogniser.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="Of the clips and of the test.")
@click.option("--max-new-tokens", type=click.IntRange(1, 8192), help="Longest generation, in codec frames.")
@click.option("--timeout", type=click.FloatRange(0.0), default=0.0, show_default=True, help="Seconds; 0 for no limit.")
@click.option("--force-bad-ref", is_flag=True, help="Take a reference that is judged bad.")
@click.option("--force", is_flag=True, help="Build the prompt again.")
@click.option("--skip-synth", is_flag=True, help="Do not speak the test; the voice gets its prompt all the same.")
@rights_options
@engine_options
@out_option
@cache_option
def register_command(
    url: str | None,
    audio: Path | None,
    start: str | None,
    end: str | None,
    cookies: Path | None,
    max_scan_seconds: float | None,
    interactive: bool,
    voice_name: str,
    text: str,
    clips: int,
    length: float,
    language: str,
    tone: str | None,
    ref_text: str | None,
    ref_language: str,
    whisper_model: str,
    seed: int | None,
    max_new_tokens: int | None,
    timeout: float,
    force_bad_ref: bool,
    force: bool,
    skip_synth: bool,
    consent: str | None,
    licence: str | None,
    model: str | None,
    threads: int | None,
    dtype: str,
    out: Path | None,
    cache: Path | None,
) -> None:
    """Split a recording, take a reference, build the prompt of the voice, and speak a test with it."""
    from voicemill.audio.timestamps import parse_time_range
    from voicemill.dataset.rights import parse_rights
    from voicemill.protocol import Protocol
    from voicemill_cloning.app_context import AppContext
    from voicemill_cloning.clone_options import choose_candidate
    from voicemill_cloning.clone_run import CloneRun
    from voicemill_cloning.cloning import CloneRequest
    from voicemill_cloning.generation import GenerationOptions
    from voicemill_cloning.register_run import register_voice
    from voicemill_cloning.source_recording import SourcePart
    from voicemill_cloning.speak_run import check_text
    from voicemill_cloning.splitting import SplitOptions
    from voicemill_cloning.voice_file import voice_slug

    context = AppContext.read(os.environ, cache, out)
    slug = voice_slug(voice_name)
    clone = CloneRequest(
        voice=slug,
        text=ref_text,
        language=ref_language,
        recogniser=whisper_model,
        tone=tone,
        force_bad=force_bad_ref,
        rights=parse_rights(consent, licence),
        choose=choose_candidate if interactive and sys.stdin.isatty() else None,
        again=force,
    )
    generation = GenerationOptions(max_new_tokens=max_new_tokens)
    run = CloneRun(clone, check_text(text), generation, language=language, seed=seed)
    part = SourcePart(audio, url, *parse_time_range(start, end), max_scan_seconds, cookies)
    options = SplitOptions(clips, length, seed=seed)
    engine = context.engine_options(model, threads, dtype, timeout)
    with console.Interrupts(), console.Terminal() as terminal:
        made = register_voice(context, part, options, run, engine, terminal, speak=not skip_synth)
    protocol = Protocol(sys.stdout)
    protocol.stats(made.stats())
    for path in made.files:
        protocol.artifact(path)


main = WithDefault("voice-register", register_command)

if __name__ == "__main__":
    raise SystemExit(console.run(main, program="voice-register"))
