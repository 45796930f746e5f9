#!/usr/bin/env python3
"""voice-split: clean clips of a recording, and a voice's source clip. See README.md."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "lib")]

import click

from voicemill import console
from voicemill.commands import WithDefault
from voicemill_cloning.app_options import folder_options, rights_options
from voicemill_cloning.source_options import choose_clip, source_part_options

if TYPE_CHECKING:
    from voicemill.dataset.description_parts import SeparationMode
    from voicemill.dataset.rights import Rights
    from voicemill_cloning.app_context import AppContext
    from voicemill_cloning.source_recording import SourcePart


@click.command(
    "split",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    epilog="""\b
Examples:
  voice-split --audio interview.mp3
  voice-split --url https://example.org/talk --start 1:30 --end 12:00 --clips 5 --length 15
  voice-split --audio interview.mp3 --voice-name anna --consent consent.txt

\b
Clips land in <out>/<name>/. Exit codes: 0 done · 1 refused (bad usage, unusable audio) · 2 blocked · 130/143
interrupted.""",
)
@source_part_options
@click.option("--clips", type=click.IntRange(1, 1000), default=10, show_default=True, help="Preview clips.")
@click.option("--length", type=float, default=30.0, show_default=True, help="Length of a clip, in seconds.")
@click.option(
    "--window-len", type=float, help="Length of the windows that are cleaned.  [default: four times the clip's]"
)
@click.option("--candidates", type=click.IntRange(1, 10_000), help="Windows.  [default: twice the number of clips]")
@click.option("--seed", type=int, help="Seed of the preview clips.")
@click.option(
    "--separate",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Take the voice out of music and noise: where they are measured, always, or never.",
)
@click.option("--separator", metavar="ID", help="Id of its weights.  [default: Demucs, else DeepFilterNet]")
@click.option("--voice-name", metavar="NAME", help="Register the best clip as the source of a voice.")
@rights_options
@folder_options
def split_command(
    part: SourcePart,
    interactive: bool,
    clips: int,
    length: float,
    window_len: float | None,
    candidates: int | None,
    seed: int | None,
    separate: SeparationMode,
    separator: str | None,
    voice_name: str | None,
    rights: Rights | None,
    context: AppContext,
) -> None:
    """Cut clean clips of speech out of a long recording; with --voice-name, register the best one."""
    from voicemill.protocol import Protocol
    from voicemill_cloning import splitting
    from voicemill_cloning.registration import register_source, require_cloneable
    from voicemill_cloning.source_recording import open_recording
    from voicemill_cloning.voice_file import voice_slug

    slug = None if voice_name is None else voice_slug(voice_name)
    if interactive and slug is None:
        raise click.UsageError("--interactive needs --voice-name.")
    if slug is not None:
        require_cloneable(context.voices, slug)
    options = splitting.SplitOptions(clips, length, window_len, candidates, seed, separate)
    context.require_writable()
    chosen = splitting.find_separator(separate, separator, context.weights)
    stages = context.workspace.stage_cache
    with console.Interrupts(), console.Terminal() as terminal:
        recording = open_recording(part, context.cache, stages, terminal)
        pool = splitting.clean_speech(recording, options, chosen, stages, terminal)
        folder = context.out / (slug or recording.name)
        made = splitting.cut_clips(recording, pool, options, folder, register=slug is not None)
    protocol = Protocol(sys.stdout)
    best = choose_clip(made) if interactive and sys.stdin.isatty() else made.reference
    if slug is not None and best is None:
        click.echo(f"WARNING: no stretch of speech has 5 seconds, so {slug} is not registered.", err=True)
    elif slug is not None and best is not None:
        source = recording.source.model_copy(update={"n_clips": len(made.clips)})
        register_source(context.voices, slug, best.path, source, rights)
    registered = slug if best is not None else None
    protocol.stats({"clips": len(made.clips), "registered": registered, "source": recording.name})
    for clip in (*made.clips, *([made.reference] if made.reference else [])):
        protocol.artifact(clip.path)
    if registered is not None:
        protocol.artifact(context.voices.folder(registered) / "voice.json")


main = WithDefault("voice-split", split_command)

if __name__ == "__main__":
    raise SystemExit(console.run(main, program="voice-split"))
