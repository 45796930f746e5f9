"""Acoustic training: a prepared dataset becomes a FastPitch `.nemo`, under Lightning's Trainer, interruptible and
resumable.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from voicemill.training.checkpoint import (
    Run,
    StepReport,
    TrainingResult,
    fingerprint,
    load_checkpoint,
    result_of,
    save_checkpoint,
    save_nemo,
)
from voicemill.training.config import TrainingConfig
from voicemill.training.data import BatchPlan, PreparedDataset, read_dataset
from voicemill.training.examples import ExampleSource
from voicemill.training.fitting import Learning, new_trainer

if TYPE_CHECKING:
    from lightning.pytorch import Trainer
    from nemo.collections.tts.models import FastPitchModel

    from voicemill.training.task import AcousticTask

NEMO_NAME = "fastpitch.nemo"
CHECKPOINT_NAME = "fastpitch.checkpoint"


def train_acoustic(
    config: TrainingConfig,
    dataset_dir: Path,
    out_dir: Path,
    *,
    resume: bool = False,
    init_from: Path | None = None,
    on_step: Callable[[StepReport], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> TrainingResult:
    """Train FastPitch on a prepared dataset and save `out_dir/fastpitch.nemo`.

    Args:
        config: settings; `config.acoustic` decides, and steps, not minutes, end the run.
        dataset_dir: a prepared dataset, see `voicemill.training.data`.
        out_dir: gets the `.nemo`, the lexicon in NeMo's spelling, and the checkpoint to resume from.
        resume: go on from the checkpoint in `out_dir`; there must be one, of the same settings and data.
        init_from: a FastPitch `.nemo` to start from instead of random weights; its sizes, tokenizer and lexicon stay.
        on_step: called after each step.
        should_stop: asked after each step; true writes a checkpoint and returns an interrupted result. Signals are the
            caller's: Lightning's own SIGTERM handler, which ends a run without a checkpoint, is kept out.

    Raises:
        DatasetError: the dataset cannot be used.
        TrainingError: the loss is not finite (reason `non_finite_loss:step=N`), the base checkpoint does not fit, or
            there is nothing to resume.
        StorageError: something cannot be written.
    """
    from voicemill.training.runtime import guests, seeded, weights_sha256

    started = time.monotonic()
    dataset = read_dataset(dataset_dir)
    with guests(), seeded(config.seed, config.threads):
        model, strict = _prepare_model(config, dataset, out_dir, init_from)
        source = ExampleSource(model, dataset.train, dataset.facts, config.audio, config.acoustic.alignment, strict)
        task, run = _prepare_task(config, dataset, model, source, out_dir, init_from, resume, started)
        _fit(
            config,
            task,
            source,
            run,
            out_dir / CHECKPOINT_NAME,
            fingerprint(config, dataset, init_from),
            on_step,
            should_stop,
        )
        nemo_path = None
        if not run.interrupted:
            task.use_average()
            model.eval()
            nemo_path = save_nemo(model, out_dir / NEMO_NAME)
        return result_of(run, task.step, nemo_path, out_dir / CHECKPOINT_NAME, weights_sha256(model))


def _prepare_model(
    config: TrainingConfig, dataset: PreparedDataset, out_dir: Path, init_from: Path | None
) -> tuple[FastPitchModel, bool]:
    """The model to train, and whether its tokens are our aligner's phones one to one."""
    from voicemill.training.fastpitch import LEXICON_NAME, build_fastpitch, write_nemo_lexicon
    from voicemill.training.finetune import base_fastpitch

    if init_from is not None:
        return base_fastpitch(config, dataset.facts, init_from), False
    lexicon = out_dir / LEXICON_NAME
    write_nemo_lexicon(dataset.lexicon, lexicon)
    return build_fastpitch(config, dataset.facts, lexicon), True


def _prepare_task(
    config: TrainingConfig,
    dataset: PreparedDataset,
    model: FastPitchModel,
    source: ExampleSource,
    out_dir: Path,
    init_from: Path | None,
    resume: bool,
    started: float,
) -> tuple[AcousticTask, Run]:
    import torch

    from voicemill.training.examples import mean_log_mel
    from voicemill.training.task import AcousticTask

    model.eval()
    facts = dataset.facts
    with torch.no_grad():
        model.fastpitch.pitch_mean.fill_(facts.pitch_mean)
        model.fastpitch.pitch_std.fill_(facts.pitch_std)
        mean = mean_log_mel(source)  # makes, and so checks, the examples
        if config.acoustic.bias_from_data and init_from is None:
            # Log-mels average about -5: from a bias of zero the first 150 steps would go into learning that.
            model.fastpitch.proj.bias.copy_(mean)
    task = AcousticTask(model, config.acoustic, seed=config.seed, first_step=0)
    run = Run(started)
    if resume:
        load_checkpoint(out_dir / CHECKPOINT_NAME, task, run, fingerprint(config, dataset, init_from))
    return task, run


def _fit(
    config: TrainingConfig,
    task: AcousticTask,
    source: ExampleSource,
    run: Run,
    checkpoint: Path,
    belongs_to: str,
    on_step: Callable[[StepReport], None] | None,
    should_stop: Callable[[], bool] | None,
) -> None:
    from voicemill.training.task import StepBatches, learning_rate

    max_steps = config.acoustic.max_steps
    if task.step >= max_steps:
        return

    def count(trainer: Trainer, seconds: float) -> StepReport:
        rate = learning_rate(config.acoustic.optimiser, task.step, max_steps)
        losses = task.after_step()
        return StepReport(
            step=task.step,
            max_steps=max_steps,
            loss=float(losses.total),
            mel_loss=float(losses.mel),
            duration_loss=float(losses.duration),
            pitch_loss=float(losses.pitch),
            learning_rate=rate,
            seconds=seconds,
        )

    def save(trainer: Trainer) -> None:
        save_checkpoint(checkpoint, task, run, belongs_to)

    trainer = new_trainer(
        config,
        Learning(max_steps, count, save),
        run,
        checkpoint.parent,
        on_step,
        should_stop,
        max_steps=max_steps - task.step,
        gradient_clip=config.acoustic.optimiser.gradient_clip or None,
    )
    plan = BatchPlan(
        [clip.seconds for clip in source.clips], config.acoustic.batch_size, config.seed, config.acoustic.bucket
    )
    batches = StepBatches(
        source, plan, task.step, max_steps, task.model.vocab.pad, trainer.global_rank, trainer.world_size
    )
    task.train()  # Lightning leaves the modes of modules alone since 2.2, and the examples were made in evaluation mode
    trainer.fit(task, train_dataloaders=batches)
