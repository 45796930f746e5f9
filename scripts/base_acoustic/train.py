#!/usr/bin/env python3
"""Train the base FastPitch on prepared datasets of many speakers, from random weights or from the checkpoint in --folder.

A speaker has two vectors: one is added to the embeddings of the symbols, one to the embedding of the pitch. In the
exported base, the mean of each is part of those embeddings, so that it is a FastPitch of one speaker, who is none of
them. The learning rate falls along a cosine over --minutes of processor time (--wall: of wall-clock time). A checkpoint
is written every two minutes; --resume continues from it, --export writes its averaged weights as a base and ends.
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

from voicemill.training.config import load_config

if TYPE_CHECKING:
    from multi_speaker import BaseTraining

SAVE_SECONDS = 120.0


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True}, help=__doc__)
@click.option("--dataset", "datasets", type=click.Path(path_type=Path, exists=True), multiple=True, required=True)
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="Lexicon, checkpoint and log.")
@click.option("--preset", default="cpu", help="Its sizes, batch size and learning rate.")
@click.option("--minutes", type=float, default=40.0, help="In all, earlier runs included.")
@click.option("--threads", type=int, default=1)
@click.option("--wall", is_flag=True, help="Minutes are wall-clock time: for a GPU, which no processor time measures.")
@click.option("--seed", type=int, default=1)
@click.option("--export", "target", type=click.Path(path_type=Path), help="Write the base (.safetensors) and end.")
@click.option("--resume", is_flag=True, help="Continue from the checkpoint in --folder.")
def main(
    datasets: tuple[Path, ...],
    folder: Path,
    preset: str,
    minutes: float,
    threads: int,
    wall: bool,
    seed: int,
    target: Path | None,
    resume: bool,
) -> None:
    """Read the datasets, train, save."""
    from speakers import merged_lexicon, read_speakers

    from voicemill.training.runtime import nemo_runtime, seeded

    config = load_config(ROOT / "configs/voice/prod_tts/nemo_fastpitch_hifigan.yaml", preset, {"seed": seed})
    folder.mkdir(parents=True, exist_ok=True)
    speakers = read_speakers(datasets)
    merged_lexicon(datasets, folder / "lexicon.dict")
    with nemo_runtime(), seeded(seed, threads):
        from multi_speaker import BaseTraining

        training = BaseTraining(config, speakers, folder)
        click.echo(f"{len(speakers)} speakers, {training.batches.minutes:.1f} min", err=True)
        if resume or target:
            training.load(folder / "checkpoint.pt")
        if target:
            training.export(target)
            click.echo(f"{target} after {training.step} steps", err=True)
            return
        clock = time.monotonic if wall else time.process_time
        begun, last_save = clock() - training.seconds, time.monotonic()
        while training.seconds < minutes * 60:
            training.take_step(min(1.0, training.seconds / (minutes * 60)))
            training.seconds = clock() - begun
            if time.monotonic() - last_save > SAVE_SECONDS or training.seconds >= minutes * 60:
                last_save = time.monotonic()
                _save(training, folder)


def _save(training: BaseTraining, folder: Path) -> None:
    training.save(folder / "checkpoint.pt")
    line = {"minutes": round(training.seconds / 60, 2), "step": training.step} | training.mean_losses()
    with (folder / "log.jsonl").open("a", encoding="utf-8") as handle:
        handle.write(json.dumps(line) + "\n")
    click.echo(line, err=True)


if __name__ == "__main__":
    main()
