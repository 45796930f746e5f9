"""voice-prep: from recordings and their text to a dataset that a voice can be trained on."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "lib"), str(Path(__file__).resolve().parent)]

import click
from outcome import publish, rows
from read_command import read_command
from registry_commands import COMMANDS
from review_command import review_command

from voicemill import console
from voicemill.commands import WithDefault
from voicemill.source_options import source_options

if TYPE_CHECKING:
    from voicemill.dataset.description_parts import SeparationMode
    from voicemill.dataset.request import Source, SourceOptions

EXAMPLES = """\b
Examples:
  voice-prep --voice ann --audio take.flac --script take.txt    one long recording and its text in reading order
  voice-prep --voice ann --audio chapters/ --script book.txt    several recordings that read one text, by name
  voice-prep --voice ann --audio clips/                         short clips with a .txt or .lab beside each
  voice-prep --voice lj --metadata LJSpeech/metadata.csv        LJSpeech's layout, clips in wavs/
  voice-prep --voice ann --dataset old/train.jsonl              an existing NeMo manifest
  voice-prep --voice ann                                        the same recordings again, with the review's decisions
  voice-prep --voice ann --audio take.flac --script take.txt --lexicon names.dict

\b
The dataset lands in work/datasets/<voice>/ (WORK_DIR): manifest.jsonl, train.jsonl, validation.jsonl, clips/,
supplementary/ (pitch), lexicon.dict and dataset.json with every figure and every rejected clip. A second run with the
same input takes it from there. voice-train-prod --voice ann trains it.

\b
Quality limits for --limit:
  max_clipped_share, min_snr_db, min_bandwidth_hz, max_edge_silence, min_phones_per_second, max_phones_per_second,
  max_character_errors, max_pitch_shift, max_formant_shift, min_speaker_similarity, max_likeness

\b
Exit codes: 0 done, 1 refused (bad usage, unusable audio), 2 blocked (text or dataset), 130/143 interrupted."""


@click.command(
    "prepare", context_settings={"max_content_width": 120, "help_option_names": ["-h", "--help"]}, epilog=EXAMPLES
)
@source_options
@click.option(
    "--voice", help="Profile id of the voice: names its folder.  [default: VOICE_PROFILE_ID or dottie_default]"
)
@click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=1, show_default=True, help="Seed of the validation split."
)
@click.option(
    "--sample-rate",
    type=click.IntRange(8_000, 48_000),
    default=22_050,
    show_default=True,
    help="Rate of the clips, in Hz.",
)
@click.option(
    "--loudness", type=click.FloatRange(-40.0, -10.0), default=-23.0, show_default=True, help="Target in LUFS."
)
@click.option("--preset", default="standard", show_default=True, help="Cutting and quality: standard, studio, archive.")
@click.option("--min-seconds", type=click.FloatRange(0.5, 5.0), help="Shortest clip.  [default: the preset's, 1]")
@click.option("--max-seconds", type=click.FloatRange(5.0, 30.0), help="Longest clip.  [default: the preset's, 12]")
@click.option(
    "--limit", "changes", multiple=True, metavar="NAME=VALUE", help="Change a quality limit, see the list below."
)
@click.option("--keep-rejected", is_flag=True, help="Keep the audio of rejected clips in rejected/.")
@click.option("--no-check-words", is_flag=True, help="Do not look for single wrong words with a second recogniser.")
@click.option(
    "--separate",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Take the voice out of music and noise (Demucs): where they are measured, always, or never.",
)
@click.option("--separator", metavar="ID", help="Its weights on the allowlist.  [default: adefossez/htdemucs]")
@click.option(
    "--recognise",
    metavar="ENGINE:ID",
    help="Let nemo:ID or faster-whisper:ID of the allowlist write the text that recordings lack.",
)
@click.option("--explain", is_flag=True, help="Print the reason for each cut; cuts.tsv always has it.")
@click.option("--workers", type=click.IntRange(1, 256), help="Worker processes.  [default: one a core]")
@click.option(
    "--ray",
    is_flag=False,
    flag_value="auto",
    metavar="[HOST:PORT]",
    help="Let a Ray cluster work on recordings and clips.  [default: the one that runs on this machine]",
)
@click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    default="cpu",
    show_default=True,
    help="Device for pitch extraction.",
)
@click.option("--report/--no-report", default=True, help="Write report.html into the dataset's folder.  [default: on]")
@click.option("--force", is_flag=True, help="Run every stage again, without the caches.")
def prepare_command(
    source: SourceOptions,
    voice: str | None,
    seed: int,
    sample_rate: int,
    loudness: float,
    preset: str,
    min_seconds: float | None,
    max_seconds: float | None,
    changes: tuple[str, ...],
    keep_rejected: bool,
    no_check_words: bool,
    separate: SeparationMode,
    separator: str | None,
    recognise: str | None,
    explain: bool,
    workers: int | None,
    ray: str | None,
    device: str,
    report: bool,
    force: bool,
) -> int:
    """Decode, level, cut and align recordings; write NeMo manifests, pitch, and a report of the rejected clips."""
    from voicemill.bundle.origins import PromotedOrigins
    from voicemill.dataset.description import read as read_description
    from voicemill.dataset.explain import as_rows
    from voicemill.dataset.limits import with_changes
    from voicemill.dataset.prepare import prepare
    from voicemill.dataset.presets import SHIPPED, load_preset
    from voicemill.dataset.request import DEFAULT_SEPARATOR, PreparationRequest, PreparedVoiceSource
    from voicemill.dataset.stage_clock import ProgressLines
    from voicemill.dataset.stages import STAGES
    from voicemill.errors import UsageError
    from voicemill.protocol import Protocol
    from voicemill.settings import Settings
    from voicemill_marks.anchors import anchors_of_environment

    settings = Settings.from_environment(os.environ)
    lengths = {"min_duration": min_seconds, "max_duration": max_seconds}
    chosen = load_preset(
        settings.repository / SHIPPED,
        preset,
        {name: value for name, value in lengths.items() if value is not None},
    )
    quality = with_changes(chosen.quality, changes)
    named: Source | None = source.source()
    if named is None and voice is not None and read_description(settings.workspace.dataset(voice)) is not None:
        source.require_alone(voice)
        named = PreparedVoiceSource(voice)
    if named is None:
        raise UsageError(
            "There is nothing to prepare.", hint="Name a recording with --audio, or a NeMo manifest with --dataset."
        )
    request = PreparationRequest(
        voice=voice or settings.voice.profile_id,
        source=named,
        track=source.track,
        channel=source.channel,
        lexicon=source.lexicon,
        recognise=recognise,
        sample_rate=sample_rate,
        segmentation=chosen.segmentation,
        target_lufs=loudness,
        quality=quality,
        keep_rejected=keep_rejected,
        check_words=not no_check_words,
        seed=seed,
        separate=separate,
        separator=separator or DEFAULT_SEPARATOR,
        known_voices=PromotedOrigins(settings.paths.promoted_bundles),
        trusted_signers=anchors_of_environment(),
        rights=source.rights(),
        allowlist=settings.weights.allowlist,
        device=device,
        workers=workers,
        ray=ray,
        force=force,
        replace_reviewed=source.replace_reviewed,
    )
    protocol = Protocol(sys.stdout)
    with console.Interrupts(), console.Terminal() as terminal:
        lines = ProgressLines(terminal, protocol, len(STAGES))
        prepared = prepare(request, settings.workspace, lines)
        extra = publish(prepared, settings.workspace, terminal, workers, report)
    lines.finish()
    stats = prepared.stats
    protocol.stats(
        {
            "cache_hit": prepared.cache_hit,
            "dataset_sha256": prepared.sha256,
            "rejected": len(prepared.report.rejected),
            "seconds": prepared.report.seconds_kept,
            "train": stats.train_clips,
            "validation": stats.validation_clips,
        }
    )
    for path in (
        prepared.manifest,
        prepared.train_manifest,
        prepared.validation_manifest,
        prepared.root / "dataset.json",
    ):
        protocol.artifact(path)
    if explain:
        terminal.table("Cuts", as_rows(prepared.cuts))
    terminal.table("Dataset", [*rows(prepared), *extra])
    return 0


main = WithDefault("voice-prep", prepare_command)
for command in (review_command, read_command, *COMMANDS):
    main.add_command(command)


if __name__ == "__main__":
    raise SystemExit(console.run(main, program="voice-prep"))
