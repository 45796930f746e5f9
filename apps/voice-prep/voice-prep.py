"""voice-prep: from recordings and their text to a dataset that a voice can be trained on."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "lib"), str(Path(__file__).resolve().parent)]

import click
from asked import request_of
from model_options import model_options
from outcome import publish, rows
from registry_commands import COMMANDS
from review_command import review_command

from voicemill import console
from voicemill.commands import WithDefault

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
@click.option("--audio", help="Recording, folder of recordings, or web address of a recording (needs yt-dlp).")
@click.option("--start", help="Where to begin in one long recording: 90, 1:30 or 1:02:30.5.")
@click.option("--end", help="Where to stop in it.")
@click.option("--script", type=click.Path(path_type=Path), help="Text of the recording, in reading order.")
@click.option("--tier", help="Tier of a TextGrid that holds the words.  [default: see README.md]")
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
@click.option("--preset", default="standard", show_default=True, help="Cutting and quality: standard, studio, archive.")
@click.option("--min-seconds", type=click.FloatRange(0.5, 5.0), help="Shortest clip.  [default: the preset's, 1]")
@click.option("--max-seconds", type=click.FloatRange(5.0, 30.0), help="Longest clip.  [default: the preset's, 12]")
@click.option("--limit", "changes", multiple=True, metavar="NAME=VALUE", help="Change a quality limit (see README.md).")
@click.option("--keep-rejected", is_flag=True, help="Keep the sounds of what is left out, in rejected/.")
@model_options
@click.option("--explain", is_flag=True, help="Print why each cut was made; cuts.tsv has it in any case.")
@click.option("--workers", type=click.IntRange(1, 256), help="Processes that work on clips.  [default: one a core]")
@click.option(
    "--ray",
    is_flag=False,
    flag_value="auto",
    metavar="[HOST:PORT]",
    help="Let a Ray cluster work on recordings and clips.  [default: the one that runs on this machine]",
)
@click.option(
    "--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True, help="Computes the pitch."
)
@click.option("--consent", metavar="FILE|TEXT", help="Statement of consent of the speaker; carried into the bundle.")
@click.option("--licence", metavar="SPDX", help="Licence of the recordings, for instance CC-BY-4.0.")
@click.option("--report/--no-report", default=True, help="Write report.html into the dataset's folder.  [default: on]")
@click.option("--force", is_flag=True, help="Do everything again, also what the caches hold.")
def prepare_command(**options: object) -> int:
    """Decode, level, cut and align recordings; write NeMo manifests, pitch, and a report of what was left out."""
    from voicemill.settings import Settings

    settings = Settings.from_environment(os.environ)
    from voicemill.dataset import explain
    from voicemill.dataset.prepare import STAGES, prepare
    from voicemill.dataset.stages import ProgressLines
    from voicemill.protocol import Protocol

    request = request_of(options, settings)
    protocol = Protocol(sys.stdout)
    with console.Interrupts(), console.Terminal() as terminal:
        lines = ProgressLines(terminal, protocol, len(STAGES))
        prepared = prepare(request, settings.workspace, lines)
        extra = publish(prepared, settings.workspace, terminal, request.workers, bool(options["report"]))
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
    if options["explain"]:
        terminal.table("Cuts", explain.told(prepared.cuts))
    terminal.table("Dataset", [*rows(prepared), *extra])
    return 0


main = WithDefault("voice-prep", prepare_command)
for command in (review_command, *COMMANDS):
    main.add_command(command)


if __name__ == "__main__":
    raise SystemExit(console.run(main, program="voice-prep"))
