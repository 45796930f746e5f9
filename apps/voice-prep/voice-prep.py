"""voice-prep: from recordings and their text to a dataset that a voice can be trained on."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "lib"), str(Path(__file__).resolve().parent)]

import click
from review_command import review_command
from subcommands import WithDefault

from voicemill import console

if TYPE_CHECKING:
    from voicemill.dataset.prepare import PreparedDataset

EXAMPLES = """\b
Examples:
  voice-prep --voice ann --audio take.flac --script take.txt    one long recording and its text in reading order
  voice-prep --voice ann --audio chapters/ --script book.txt    several recordings that read one text, by name
  voice-prep --voice ann --audio clips/                         short clips with a .txt or .lab beside each
  voice-prep --voice lj --metadata LJSpeech/metadata.csv        LJSpeech's layout, clips in wavs/
  voice-prep --voice ann --dataset old/train.jsonl              an existing NeMo manifest
  voice-prep --voice ann --audio take.flac --script take.txt --lexicon names.dict

\b
The dataset lands in work/datasets/<voice>/ (WORK_DIR): manifest.jsonl, train.jsonl, validation.jsonl, clips/,
supplementary/ (pitch), lexicon.dict and dataset.json with every figure and everything that was left out. A second run
with the same input finds it there.

\b
Exit codes: 0 done, 1 refused (bad usage, unusable audio), 2 blocked (text or dataset), 130/143 interrupted."""


@click.command(
    "prepare", context_settings={"max_content_width": 120, "help_option_names": ["-h", "--help"]}, epilog=EXAMPLES
)
@click.option("--audio", type=click.Path(path_type=Path), help="Recording, or folder of recordings.")
@click.option("--script", type=click.Path(path_type=Path), help="Text of the recording, in reading order.")
@click.option(
    "--metadata", type=click.Path(path_type=Path), help="LJSpeech-style metadata.csv: id|text|normalized text."
)
@click.option("--dataset", type=click.Path(path_type=Path), help="NeMo manifest (JSON Lines) instead of --audio.")
@click.option(
    "--lexicon", type=click.Path(path_type=Path), help="Pronunciations that add to or override the dictionary."
)
@click.option(
    "--voice", help="Profile id of the voice: names its folder.  [default: VOICE_PROFILE_ID or dottie_default]"
)
@click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Seed of the validation split."
)
@click.option(
    "--sample-rate", type=click.IntRange(8_000, 48_000), default=22_050, show_default=True, help="Of the clips, in Hz."
)
@click.option(
    "--loudness", type=click.FloatRange(-40.0, -10.0), default=-23.0, show_default=True, help="Target in LUFS."
)
@click.option("--min-seconds", type=click.FloatRange(0.5, 5.0), default=1.0, show_default=True, help="Shortest clip.")
@click.option("--max-seconds", type=click.FloatRange(5.0, 30.0), default=12.0, show_default=True, help="Longest clip.")
@click.option("--jobs", type=click.IntRange(1, 256), help="Processes that work on clips.  [default: one a core]")
@click.option("--force", is_flag=True, help="Do everything again, also what the caches hold.")
def prepare_command(**options: object) -> int:
    """Decode, level, cut and align recordings; write NeMo manifests, pitch, and a report of what was left out."""
    from voicemill.settings import Settings

    settings = Settings.from_environment(os.environ)
    from voicemill.audio.segmentation import Segmentation
    from voicemill.dataset.prepare import STAGES, PrepareRequest, prepare
    from voicemill.dataset.stages import ProgressLines
    from voicemill.protocol import Protocol

    limits = Segmentation(
        min_duration=cast(float, options["min_seconds"]), max_duration=cast(float, options["max_seconds"])
    )
    request = PrepareRequest(
        **{name: cast("Path | None", options[name]) for name in ("audio", "script", "metadata", "dataset", "lexicon")},
        voice=str(options["voice"] or settings.voice_profile_id),
        seed=cast(int, options["seed"]),
        sample_rate=cast(int, options["sample_rate"]),
        limits=limits,
        target_lufs=cast(float, options["loudness"]),
        force=bool(options["force"]),
        jobs=cast("int | None", options["jobs"]),
    )
    protocol = Protocol(sys.stdout)
    with console.Interrupts(), console.Terminal() as terminal:
        lines = ProgressLines(terminal, protocol, len(STAGES))
        prepared = prepare(request, settings.workspace, lines)
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
    terminal.table("Dataset", rows(prepared))
    return 0


def rows(prepared: PreparedDataset) -> list[tuple[str, str]]:
    """What a person wants to know, as rows of a table."""
    stats, report = prepared.stats, prepared.report
    shown = [
        ("folder", str(prepared.root)),
        ("clips", f"{stats.train_clips} to train on, {stats.validation_clips} to validate"),
        (
            "speech",
            f"{report.seconds_kept:.1f} s of {report.seconds_in:.1f} s; {report.seconds_pause:.1f} s are pauses",
        ),
        (
            "pitch",
            f"{stats.pitch_mean:.0f} ± {stats.pitch_std:.0f} Hz, in {stats.pitch_fmin:.0f} to {stats.pitch_fmax:.0f}",
        ),
    ]
    shown += [
        (f"left out: {reason}", f"{total.count} ({total.seconds:.1f} s)") for reason, total in report.by_reason.items()
    ]
    if report.unspoken:
        shown.append(
            (
                "not spoken",
                "\n".join(report.unspoken[:5])
                + (f"\nand {len(report.unspoken) - 5} more" if len(report.unspoken) > 5 else ""),
            )
        )
    if report.guessed_words:
        shown.append(("guessed words", ", ".join(report.guessed_words[:20])))
    shown += [
        ("seconds", ", ".join(f"{stage.name} {stage.seconds:.1f}" for stage in prepared.stages) or "not measured")
    ]
    return [*shown, ("sha256", prepared.sha256)]


main = WithDefault(prepare_command)
main.add_command(review_command)

if __name__ == "__main__":
    raise SystemExit(console.run(main))
