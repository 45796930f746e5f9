#!/usr/bin/env python3
"""Train the embedded base vocoder (data/base/base-en-small-hifigan.nemo) on flite's voices, from random weights. With
--speakers half of each batch are recordings of people; with --init it starts from the weights of a finished one.

There are two phases, each with its budget of CPU minutes (--wall: of wall-clock minutes). First the generator alone is
trained to match spectra (a multi-resolution STFT loss and a mel loss), which is cheap and soon intelligible. Then NeMo's
discriminators are added with HiFi-GAN's own losses, which removes the buzz. The saved weights are a moving average. The
training can be stopped at any time and continued with --resume; --export writes the `.nemo` of the last checkpoint and
ends.

The same seed gives the same crops. The weights also depend on the number of steps in the time, so another machine gives
a different, similar vocoder.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "lib"), str(ROOT / "scripts"), str(Path(__file__).resolve().parent)]

import click

from voicemill.files import atomic_path
from voicemill.training.config import TrainingConfig, VocoderConfig

if TYPE_CHECKING:
    from learning import VocoderTraining

CONFIG = TrainingConfig(preset="base-vocoder", vocoder=VocoderConfig(learning_rate=2e-4, batch_size=8))


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True}, help=__doc__)
@click.option(
    "--text", type=click.Path(path_type=Path), default=ROOT / "data/base/corpus.txt", help="One sentence a line."
)
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="Corpus, checkpoint and log.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The .nemo to write.")
@click.option(
    "--speakers", type=click.Path(path_type=Path, exists=True), multiple=True, help="<speaker>/<clip>.flac below it."
)
@click.option("--init", type=click.Path(path_type=Path, exists=True), help="A base (.nemo) to start from.")
@click.option("--reconstruction-minutes", type=float, default=30.0)
@click.option("--adversarial-minutes", type=float, default=60.0)
@click.option("--shifted-part", type=float, default=0.6, help="Part of the crops at another pitch.")
@click.option("--threads", type=int, default=2)
@click.option("--wall", is_flag=True, help="Minutes are wall-clock time: for a GPU, which no processor time measures.")
@click.option("--seed", type=int, default=1)
@click.option("--resume", is_flag=True, help="Continue from the checkpoint in --folder.")
@click.option("--export", is_flag=True, help="Write the .nemo of the last checkpoint and end.")
def main(
    text: Path,
    folder: Path,
    out: Path,
    speakers: tuple[Path, ...],
    init: Path | None,
    reconstruction_minutes: float,
    adversarial_minutes: float,
    shifted_part: float,
    threads: int,
    wall: bool,
    seed: int,
    resume: bool,
    export: bool,
) -> None:
    """Render or read the corpus if it is missing, train, save."""
    from corpus import Crops, render
    from people import MixedCrops, PeopleCrops, read_speakers

    from voicemill.training.runtime import nemo_runtime

    corpus, people = folder / "corpus.npz", folder / "people.npz"
    rate = CONFIG.audio.sample_rate
    if not corpus.is_file():
        sentences = [line.strip() for line in text.read_text(encoding="utf-8").splitlines() if line.strip()]
        render(sentences, corpus, sample_rate=rate, seed=seed, jobs=threads)
    if speakers and not people.is_file():
        read_speakers(speakers, people, CONFIG.audio)
    flite = Crops(corpus, sample_rate=rate, seed=seed, shifted_part=shifted_part)
    crops: Crops | MixedCrops = flite
    if speakers:
        crops = MixedCrops(flite, PeopleCrops(people, CONFIG.audio, seed=seed), CONFIG.audio)
    with nemo_runtime():
        import torch
        from learning import VocoderTraining

        torch.set_num_threads(threads)
        torch.set_flush_denormal(True)
        torch.manual_seed(seed)
        training = VocoderTraining(CONFIG, crops)
        checkpoint = folder / "checkpoint.pt"
        if init and not resume:
            training.start_from(init)
        if resume or export:
            training.load(checkpoint)
        if not export:
            clock = time.monotonic if wall else time.process_time
            phases = (reconstruction_minutes * 60, adversarial_minutes * 60)
            _train(training, checkpoint, folder / "log.jsonl", phases, clock)
        with atomic_path(out, suffix=".nemo") as temporary:
            training.averaged_model().save_to(str(temporary))
    click.echo(f"{out} after {training.step} steps", err=True)


def _train(
    training: VocoderTraining, checkpoint: Path, log: Path, phases: tuple[float, float], clock: Callable[[], float]
) -> None:
    """Take steps until the seconds of both phases are used; saves a checkpoint and a line of the log every minute."""
    last_save = now = clock()
    reconstruction, adversarial_seconds = phases
    budget = reconstruction + adversarial_seconds
    while training.seconds < budget:
        adversarial = training.seconds >= reconstruction
        done = (training.seconds - reconstruction) / adversarial_seconds if adversarial else training.seconds / budget
        losses = training.take_step(adversarial=adversarial, done=done)
        then, now = now, clock()
        training.seconds += now - then
        if now - last_save > 60 or training.seconds >= budget:
            last_save = now
            training.save(checkpoint)
            line = {"minutes": round(training.seconds / 60, 2), "step": training.step} | {
                name: float(f"{value:.4g}") for name, value in losses.items()
            }
            with log.open("a", encoding="utf-8") as handle:
                handle.write(json.dumps(line) + "\n")
            click.echo(line, err=True)


if __name__ == "__main__":
    main()
