#!/usr/bin/env python3
"""Train the iSTFT base vocoder on recordings of people, from random weights or from the checkpoint in --folder.

The learning rate is constant until the last --decay-minutes of --minutes, then it falls to a twentieth. Discriminators
take part after --reconstruction-minutes. Minutes are processor time of this process, or wall-clock time with --wall. The
training can be stopped at any time (a checkpoint is written every two minutes) and continued with --resume and more
--minutes. --init starts from a finished base instead, with new optimisers. --export writes the averaged weights of the checkpoint as a base and ends.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "lib"), str(ROOT / "scripts"), str(Path(__file__).resolve().parent)]

import click

from voicemill.synthesis.mel import AudioConfig

if TYPE_CHECKING:
    from istft_learning import IstftTraining
    from people import PeopleCrops

AUDIO = AudioConfig()
SAVE_SECONDS = 120.0


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True}, help=__doc__)
@click.option(
    "--speakers", type=click.Path(path_type=Path, exists=True), multiple=True, help="<folder>/<speaker>/*.flac"
)
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="Corpus, checkpoints and log.")
@click.option("--minutes", type=float, default=60.0, help="CPU minutes in all, earlier runs included.")
@click.option("--reconstruction-minutes", type=float, default=15.0, help="CPU minutes without discriminators.")
@click.option("--decay-minutes", type=float, default=10.0, help="CPU minutes of falling learning rate at the end.")
@click.option("--marks", default="", help="CPU minutes after which a checkpoint is kept under its own name: 5,10,20")
@click.option("--batch", type=int, default=8, help="Crops in a step.")
@click.option("--frames", type=int, default=48, help="Frames of a crop.")
@click.option("--threads", type=int, default=1)
@click.option("--loaders", type=int, default=0, help="Processes that make the crops; 0: this one.")
@click.option("--wall", is_flag=True, help="Minutes are wall-clock time: for a GPU, which no processor time measures.")
@click.option("--seed", type=int, default=1)
@click.option("--init", type=click.Path(path_type=Path, exists=True), help="Start from a base (.safetensors).")
@click.option("--export", "target", type=click.Path(path_type=Path), help="Write the base (.safetensors) and end.")
@click.option("--resume", is_flag=True, help="Continue from the checkpoint in --folder.")
def main(
    speakers: tuple[Path, ...],
    folder: Path,
    minutes: float,
    reconstruction_minutes: float,
    decay_minutes: float,
    marks: str,
    batch: int,
    frames: int,
    threads: int,
    loaders: int,
    wall: bool,
    seed: int,
    init: Path | None,
    target: Path | None,
    resume: bool,
) -> None:
    """Read the recordings if the corpus is missing, train, save."""
    import torch
    from istft_learning import IstftTraining
    from people import PeopleCrops, PreparedCrops, read_speakers

    from voicemill.training.istft_network import IstftConfig

    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    corpus, checkpoint = folder / "people.npz", folder / "checkpoint.pt"
    if not corpus.is_file():
        read_speakers(speakers, corpus, AUDIO)
    crops = PeopleCrops(corpus, AUDIO, seed=seed)
    click.echo(f"{len(crops.speakers)} speakers, {crops.seconds / 60:.1f} min", err=True)
    source = PreparedCrops(corpus, AUDIO, seed=seed, processes=loaders) if loaders else crops
    training = IstftTraining(IstftConfig(), AUDIO, source, batch=batch, frames=frames)
    if init and not resume and not target:
        from voicemill.training.istft_weights import read_istft

        training.start_from(read_istft(init, AUDIO))
    if resume or target:
        training.load(checkpoint)
    if target:
        _export(training, crops, target)
        return
    kept = sorted(float(mark) for mark in marks.split(",") if mark)
    clock = time.monotonic if wall else time.process_time
    begun = clock() - training.seconds
    last_save = time.monotonic()
    while training.seconds < minutes * 60:
        left = minutes - training.seconds / 60
        decay = max(0.05, min(1.0, left / decay_minutes)) if decay_minutes else 1.0
        figures = training.take_step(adversarial=training.seconds >= reconstruction_minutes * 60, decay=decay)
        training.seconds = clock() - begun
        reached = [mark for mark in kept if training.seconds >= mark * 60]
        if reached or time.monotonic() - last_save > SAVE_SECONDS or training.seconds >= minutes * 60:
            last_save, kept = time.monotonic(), kept[len(reached) :]
            _save(training, checkpoint, folder / "log.jsonl", figures)
            for mark in reached:
                training.save(folder / f"checkpoint-{mark:g}min.pt")
    if isinstance(source, PreparedCrops):
        source.close()


def _export(training: IstftTraining, crops: PeopleCrops, target: Path) -> None:
    """Write the averaged weights and the discriminators, with what they learned from."""
    from voicemill.training.istft_weights import write_istft

    origin = {
        "speakers": " ".join(crops.speakers),
        "recordings": "LibriSpeech train-clean-100, CC BY 4.0, (c) 2014 by Vassil Panayotov",
        "minutes_of_audio": f"{crops.seconds / 60:.1f}",
        "steps": str(training.step),
        "adversarial_steps": str(training.adversary.steps),
        "cpu_minutes": f"{training.seconds / 60:.1f}",
    }
    write_istft(training.averaged_model(), target, origin, training.adversary.discriminators)
    click.echo(f"{target} after {training.step} steps", err=True)


def _save(training: IstftTraining, checkpoint: Path, log: Path, figures: dict[str, float]) -> None:
    training.save(checkpoint)
    line = {"minutes": round(training.seconds / 60, 2), "step": training.step}
    line |= {name: float(f"{value:.4g}") for name, value in figures.items()}
    with log.open("a", encoding="utf-8") as handle:
        handle.write(json.dumps(line) + "\n")
    click.echo(line, err=True)


if __name__ == "__main__":
    main()
