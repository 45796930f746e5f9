"""HiFi-GAN: NeMo's own HifiGanModel, from a base vocoder or from nothing, learning the voice's mels under Lightning.

The model's own `training_step` does the learning: manual optimisation of discriminators and generator in turn. Around
it lie the same promises as around FastPitch: everything random in step n depends on the seed and n, checkpoints are
atomic, an interrupted run goes on where it was, and the archive is NeMo's own.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from voicemill.errors import TrainingError
from voicemill.files import content_key, sha256_file
from voicemill.training.checkpoint import (
    Run,
    StepReport,
    TrainingResult,
    read_state,
    result_of,
    save_nemo,
    write_state,
)
from voicemill.training.config import TrainingConfig
from voicemill.training.data import PreparedDataset, read_dataset
from voicemill.training.fitting import Learning, new_trainer
from voicemill.training.vocoder_data import FrontEnd, PairSource, SegmentBatches
from voicemill.training.vocoder_model import adapt_base, build_hifigan

if TYPE_CHECKING:
    from lightning.pytorch import Trainer
    from nemo.collections.tts.models import HifiGanModel

NEMO_NAME = "hifigan.nemo"
CHECKPOINT_NAME = "hifigan.checkpoint"


@dataclass
class _Task:
    """The model, where it stands, and optimiser states to put back when Lightning has made the optimisers."""

    model: HifiGanModel
    step: int = 0
    optimiser_states: list[dict[str, object]] | None = None


def train_vocoder(
    config: TrainingConfig,
    dataset_dir: Path,
    out_dir: Path,
    *,
    base: Path | None,
    gta_dir: Path | None,
    resume: bool = False,
    on_step: Callable[[StepReport], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> TrainingResult:
    """Train HiFi-GAN on a prepared dataset and save `out_dir/hifigan.nemo`.

    Args:
        config: settings; `config.vocoder` decides, and steps end the run. Zero steps save the base as it is.
        dataset_dir: a prepared dataset, see `voicemill.training.data`.
        out_dir: gets the `.nemo` and the checkpoint to resume from.
        base: a HiFi-GAN `.nemo` to start from; its sizes stay. None starts from random weights of the configured sizes.
        gta_dir: ground-truth-aligned mels, `<id>.npy` a clip: what the acoustic model will give the vocoder. None
            learns from the recordings' own mels; such a vocoder sounds noisy behind an acoustic model.
        resume: go on from the checkpoint in `out_dir`; there must be one, of the same settings and data.
        on_step: called after each step; duration and pitch loss are 0, `mel_loss` is the L1 distance of log-mels.
        should_stop: asked after each step; true writes a checkpoint and returns an interrupted result.

    Raises:
        DatasetError: the dataset cannot be used, or mels and clips do not fit (`mel_length:<clip>`,
            `mel_missing:<clip>`).
        TrainingError: the loss is not finite (reason `non_finite_loss:step=N`), the base does not fit, or there is
            nothing to resume.
        StorageError: something cannot be written.
    """
    from voicemill.training.runtime import guests, restore_hifigan, seeded, weights_sha256

    run = Run(time.monotonic())
    dataset = read_dataset(dataset_dir)
    checkpoint = out_dir / CHECKPOINT_NAME
    with guests(), seeded(config.seed, config.threads):
        model = build_hifigan(config) if base is None else restore_hifigan(base)
        if base is not None:
            adapt_base(model, config, base)
        task = _Task(model)
        source = PairSource(dataset.train, config.audio, gta_dir, _front_end(model), config.vocoder.segment_frames)
        belongs_to = _fingerprint(config, dataset, base, gta_dir)
        if resume:
            _load(checkpoint, task, run, belongs_to)
        if task.step < config.vocoder.max_steps:
            _fit(config, task, source, run, checkpoint, belongs_to, on_step, should_stop)
        nemo_path = None if run.interrupted else save_nemo(model.cpu().eval(), out_dir / NEMO_NAME)
        return result_of(run, task.step, nemo_path, checkpoint, weights_sha256(model))


def _front_end(model: HifiGanModel) -> FrontEnd:
    import torch

    def mel_of(samples: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.no_grad():
            mel, _ = model.audio_to_melspec_precessor(torch.from_numpy(samples)[None], torch.tensor([len(samples)]))
        return np.asarray(mel[0].numpy())

    return mel_of


def _fit(
    config: TrainingConfig,
    task: _Task,
    source: PairSource,
    run: Run,
    checkpoint: Path,
    belongs_to: str,
    on_step: Callable[[StepReport], None] | None,
    should_stop: Callable[[], bool] | None,
) -> None:
    vocoder, max_steps = config.vocoder, config.vocoder.max_steps

    def begin(trainer: Trainer) -> None:
        for optimiser, state in zip(trainer.optimizers, task.optimiser_states or (), strict=False):
            optimiser.load_state_dict(state)

    def count(trainer: Trainer, seconds: float) -> StepReport:
        task.step += 1
        loss, mel_loss = (float(trainer.callback_metrics[name]) for name in ("g_loss", "g_l1_loss"))
        _check_finite(loss + float(trainer.callback_metrics["d_loss"]), task.step)
        return StepReport(task.step, max_steps, loss, mel_loss, 0.0, 0.0, vocoder.learning_rate, seconds)

    def save(trainer: Trainer) -> None:
        _save(checkpoint, task, trainer, run, belongs_to)

    # The model counts two optimiser steps a batch, so the batches end the fit.
    trainer = new_trainer(config, Learning(max_steps, count, save, begin), run, checkpoint.parent, on_step, should_stop)
    batches = SegmentBatches(
        source,
        first=task.step,
        last=max_steps,
        batch_size=vocoder.batch_size,
        segment_frames=vocoder.segment_frames,
        seed=config.seed,
        rank=trainer.global_rank,
    )
    model = task.model.train()
    model.set_trainer(trainer)
    model._train_dl = batches  # or NeMo would open the files that the configuration names
    model.input_as_mel = True
    trainer.fit(model, train_dataloaders=batches)


def _check_finite(loss: float, step: int) -> None:
    if not math.isfinite(loss):
        raise TrainingError(
            f"The loss became {loss} at step {step}.",
            reason=f"non_finite_loss:step={step}",
            hint="Lower vocoder.learning_rate, or look for broken clips.",
        )


def _fingerprint(config: TrainingConfig, dataset: PreparedDataset, base: Path | None, gta_dir: Path | None) -> str:
    """What a checkpoint belongs to: settings that matter, clips, mels and base."""
    settings = [config.audio.model_dump(mode="json"), config.vocoder.model_dump(mode="json"), config.seed]
    mels = [sha256_file(path) for clip in dataset.train if gta_dir and (path := gta_dir / f"{clip.id}.npy").is_file()]
    manifest = sha256_file(dataset.root / "train.jsonl")
    return content_key("vocoder", settings, manifest, mels, sha256_file(base) if base else None)


def _save(path: Path, task: _Task, trainer: Trainer, run: Run, belongs_to: str) -> None:
    optimisers = [optimiser.state_dict() for optimiser in trainer.optimizers]
    write_state(path, run, belongs_to, {"step": task.step, "model": task.model.state_dict(), "optimisers": optimisers})


def _load(path: Path, task: _Task, run: Run, belongs_to: str) -> None:
    def restore(state: dict[str, Any]) -> None:
        task.model.load_state_dict(state["model"])
        task.step, task.optimiser_states = int(state["step"]), list(state["optimisers"])

    read_state(path, run, belongs_to, restore)
