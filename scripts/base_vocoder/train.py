#!/usr/bin/env python3
"""Train the embedded base vocoder (data/base/base-en-small-hifigan.nemo) on flite's voices, from nothing.

Two phases share one budget of wall-clock minutes. First the generator alone learns to match spectra (a multi-resolution
STFT loss and a mel loss), which is cheap and soon intelligible; then NeMo's discriminators join with HiFi-GAN's own
losses, and the buzz goes. The saved weights are a moving average. Stop at any moment and start again with --resume;
--export writes the `.nemo` of the last checkpoint while the training goes on elsewhere.

The same seed gives the same crops; the weights also depend on how many steps the machine makes in the time, so another
machine gives another, similar vocoder.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "lib"), str(Path(__file__).resolve().parent)]

import click

from voicemill.files import atomic_path
from voicemill.training.config import TrainingConfig, VocoderConfig

if TYPE_CHECKING:
    from learning import Learner

CONFIG = TrainingConfig(preset="base-vocoder", vocoder=VocoderConfig(learning_rate=2e-4, batch_size=8))


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True}, help=__doc__)
@click.option(
    "--text", type=click.Path(path_type=Path), default=ROOT / "data/base/corpus.txt", help="One sentence a line."
)
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="Corpus, checkpoint and log.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The .nemo to write.")
@click.option("--reconstruction-minutes", type=float, default=30.0)
@click.option("--adversarial-minutes", type=float, default=60.0)
@click.option("--shifted-part", type=float, default=0.6, help="Part of the crops at another pitch.")
@click.option("--threads", type=int, default=2)
@click.option("--seed", type=int, default=1)
@click.option("--resume", is_flag=True, help="Go on from the checkpoint in --folder.")
@click.option("--export", is_flag=True, help="Write the .nemo of the last checkpoint and end.")
def main(
    text: Path,
    folder: Path,
    out: Path,
    reconstruction_minutes: float,
    adversarial_minutes: float,
    shifted_part: float,
    threads: int,
    seed: int,
    resume: bool,
    export: bool,
) -> None:
    """Render the corpus if it is not there, train, save."""
    from corpus import Crops, render

    from voicemill.training.runtime import nemo_runtime

    corpus = folder / "corpus.npz"
    rate = CONFIG.audio.sample_rate
    if not corpus.is_file():
        sentences = [line.strip() for line in text.read_text(encoding="utf-8").splitlines() if line.strip()]
        render(sentences, corpus, sample_rate=rate, seed=seed, jobs=threads)
    with nemo_runtime():
        import torch
        from learning import Learner

        torch.set_num_threads(threads)
        torch.set_flush_denormal(True)
        torch.manual_seed(seed)
        learner = Learner(CONFIG, Crops(corpus, sample_rate=rate, seed=seed, shifted_part=shifted_part))
        checkpoint = folder / "checkpoint.pt"
        if resume or export:
            learner.load(checkpoint)
        if not export:
            _learn(learner, checkpoint, folder / "log.jsonl", reconstruction_minutes * 60, adversarial_minutes * 60)
        with atomic_path(out, suffix=".nemo") as temporary:
            learner.averaged_model().save_to(str(temporary))
    click.echo(f"{out} after {learner.step} steps", err=True)


def _learn(learner: Learner, checkpoint: Path, log: Path, reconstruction: float, adversarial_seconds: float) -> None:
    """Step until the seconds are used; a checkpoint and a line of the log every minute."""
    last_save = now = time.monotonic()
    budget = reconstruction + adversarial_seconds
    while learner.seconds < budget:
        adversarial = learner.seconds >= reconstruction
        done = (learner.seconds - reconstruction) / adversarial_seconds if adversarial else learner.seconds / budget
        losses = learner.learn(adversarial=adversarial, done=done)
        then, now = now, time.monotonic()
        learner.seconds += now - then
        if now - last_save > 60 or learner.seconds >= budget:
            last_save = now
            learner.save(checkpoint)
            line = {"minutes": round(learner.seconds / 60, 2), "step": learner.step} | {
                name: float(f"{value:.4g}") for name, value in losses.items()
            }
            with log.open("a", encoding="utf-8") as handle:
                handle.write(json.dumps(line) + "\n")
            click.echo(line, err=True)


if __name__ == "__main__":
    main()
