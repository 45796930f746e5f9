"""voice-train-prod: from recordings to a promoted, verified voice, in one command."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "lib"), str(Path(__file__).resolve().parent)]

from voicemill.held_signals import hold_signals

hold_signals()

import click
from say_command import say_command

from voicemill import console
from voicemill.commands import WithDefault, consent_option
from voicemill.settings import Settings
from voicemill.source_options import source_options
from voicemill.variables import RequiredConsent

if TYPE_CHECKING:
    from voicemill.dataset.request import SourceOptions

EXAMPLES = """\b
Examples:
  voice-train-prod                                        the bundled demo recording
  voice-train-prod --voice ann                            the dataset that voice-prep prepared under this name
  voice-train-prod --audio take.flac --script take.txt    one long recording and its text in reading order
  voice-train-prod --audio clips/                         short clips with a .txt or .lab beside each
  voice-train-prod --audio LJSpeech/wavs --metadata LJSpeech/metadata.csv
  voice-train-prod --dataset train.jsonl                  an existing NeMo manifest
  voice-train-prod --preset smoke                         prove the whole path in a minute or two
  voice-train-prod --resume                               continue after an interrupted run
  voice-train-prod say --voice anna --text "Good morning." --out morning.wav

\b
Results land below work/ (WORK_DIR): artifacts/, datasets/<voice>/, checkpoints/, bundles/<voice>/voice_bundle/ with
sample.wav, and reports/<voice>.html. Exit codes: 0 done, 1 refused, 2 blocked (the reason is in the status file),
3 not acceptable, 130/143 interrupted (use --resume)."""


@click.command(
    "train", context_settings={"max_content_width": 120, "help_option_names": ["-h", "--help"]}, epilog=EXAMPLES
)
@source_options
@click.option(
    "--voice",
    help="Profile id of the voice: names its folders. Without a source, the dataset prepared under this name is "
    "trained.  [default: dottie_default]",
)
@click.option("--display-name", help="Name of the voice for people.  [default: Dottie, or the profile id]")
@click.option(
    "--preset",
    help="smoke, cpu, fine, gpu, finetune or scratch.  [default: cpu; on a GPU gpu, or finetune once its checkpoints "
    "are pinned]",
)
@click.option("--max-steps", type=click.IntRange(min=1), help="Cap on the training steps of each model.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31 - 1),
    help="Seed of initial weights, batches and a new validation split.  [default: the preset's, 1]",
)
@click.option("--base-weights", help="Checkpoint of the allowlist to start from.  [default: the preset's]")
@click.option(
    "--init-from", type=click.Path(path_type=Path), help="fastpitch.nemo of an earlier voice's bundle to start from."
)
@click.option(
    "--find-learning-rate", is_flag=True, help="Search FastPitch's learning rate in 100 steps before the training."
)
@click.option("--devices", type=click.IntRange(1, 64), help="Training processes, one for each GPU.  [default: 1]")
@click.option("--nodes", type=click.IntRange(1, 1024), help="Machines that train together.  [default: 1]")
@click.option(
    "--ray", is_flag=False, flag_value="auto", metavar="[HOST:PORT]", help="Prepare and train on a Ray cluster."
)
@click.option("--force", is_flag=True, help="Run finished steps again instead of reusing their results.")
@click.option("--resume", is_flag=True, help="Continue from the checkpoint of an interrupted run.")
@consent_option
@click.option(
    "--dry-run",
    is_flag=True,
    help="Check the gates and write placeholder artifacts, without training and without torch.",
)
def train_command(
    source: SourceOptions,
    voice: str | None,
    display_name: str | None,
    preset: str | None,
    max_steps: int | None,
    seed: int | None,
    base_weights: str | None,
    init_from: Path | None,
    find_learning_rate: bool,
    devices: int | None,
    nodes: int | None,
    ray: str | None,
    force: bool,
    resume: bool,
    require_consent: RequiredConsent | None,
    dry_run: bool,
) -> None:
    """Prepare recordings, train FastPitch and HiFi-GAN with NVIDIA NeMo, measure the voice, bundle, promote and
    verify it.
    """
    if require_consent is not None:
        os.environ["VOICEMILL_REQUIRE_CONSENT"] = require_consent  # for the processes of the steps too
    settings = Settings.for_lane(os.environ)
    from voicemill.lane import runner
    from voicemill.lane.request import LaneOptions
    from voicemill.protocol import Protocol

    options = LaneOptions(
        source=source,
        voice=voice,
        display_name=display_name,
        preset=preset,
        max_steps=max_steps,
        seed=seed,
        base_weights=base_weights,
        init_from=init_from,
        find_learning_rate=find_learning_rate,
        devices=devices,
        nodes=nodes,
        ray=ray,
        force=force,
        resume=resume,
        dry_run=dry_run,
    )
    with console.Interrupts() as interrupts, console.Terminal() as terminal:
        rows = runner.run_lane(options, settings, Protocol(sys.stdout), terminal, interrupts)
    terminal.table("Voice", rows)


main = WithDefault("voice-train-prod", train_command)
main.add_command(say_command)

if __name__ == "__main__":
    raise SystemExit(console.run(main))
