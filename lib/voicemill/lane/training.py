"""The training of a lane on a prepared dataset: both models.

Each step is a function of a context and the results before it; a finished training run is found again by its content
key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from voicemill import files
from voicemill.boundary import Interrupts
from voicemill.dataset.prepare import PreparedDataset
from voicemill.dataset.stages import StageClock
from voicemill.errors import TrainingError
from voicemill.lane.evaluation import Trained
from voicemill.lane.events import event_log
from voicemill.lane.gates import Cleared
from voicemill.lane.live import StepDisplay
from voicemill.lane.reporter import LaneReporter
from voicemill.lane.request import LaneRequest
from voicemill.lane.training_record import TrainingRecord
from voicemill.lane.watching import page_path, watched
from voicemill.settings import Settings
from voicemill.training import launch, rate_search
from voicemill.training.checkpoint import StepReport, TrainingResult
from voicemill.training.config import TrainingConfig
from voicemill.training.hooks import Hooks
from voicemill.training.store import commits
from voicemill.training.worker import TrainingJob


@dataclass(frozen=True)
class Models:
    """Both trained models; the vocoder may be missing where the preset trains none."""

    acoustic: Path
    acoustic_record: TrainingRecord
    vocoder: Path | None
    vocoder_record: TrainingRecord | None


@dataclass(frozen=True)
class Context:
    """What every step needs to know."""

    request: LaneRequest
    settings: Settings
    cleared: Cleared
    reporter: LaneReporter
    interrupts: Interrupts
    clock: StageClock
    checkpoints: Path

    def trained(self, models: Models) -> Trained:
        """What evaluation has to know of these models."""
        return Trained(
            acoustic=models.acoustic,
            vocoder=models.vocoder,
            vocoder_tuned=models.vocoder_record is not None,
            final_loss=models.acoustic_record.final_loss,
            sample_rate=self.cleared.config.audio.sample_rate,
            evaluation=self.cleared.config.evaluation,
        )


def train_models(context: Context, dataset: PreparedDataset) -> Models:
    """Train FastPitch, then HiFi-GAN on its ground-truth-aligned mels; finished runs are reused unless `--force`.

    Raises:
        TrainingError: `non_finite_loss:step=N` and the like.
        InterruptedRunError: a signal came; the checkpoint is written.
    """
    config, cleared = context.cleared.config, context.cleared
    acoustic_key = files.content_key(
        "acoustic",
        config.audio.model_dump(),
        config.acoustic.model_dump(),
        config.seed,
        *_together(config),
        dataset.sha256,
        _digest(cleared.acoustic_base),
    )
    acoustic = _run(
        context,
        "acoustic",
        "FastPitch",
        acoustic_key,
        config.acoustic.max_steps,
        lambda folder, resume, hooks: _train_acoustic(context, dataset, folder, resume, hooks),
    )
    nemo = context.checkpoints / "acoustic" / acoustic.nemo
    if config.vocoder.max_steps == 0:
        context.reporter.note("The preset trains no vocoder: the base vocoder is offered as it is.")
        return Models(nemo, acoustic, cleared.vocoder_base, None)
    vocoder_key = files.content_key(
        "vocoder", acoustic_key, config.vocoder.model_dump(), *_together(config), _digest(cleared.vocoder_base)
    )
    vocoder = _run(
        context,
        "vocoder",
        "HiFi-GAN",
        vocoder_key,
        config.vocoder.max_steps,
        lambda folder, resume, hooks: _train_vocoder(context, dataset, nemo, folder, resume, hooks),
    )
    return Models(nemo, acoustic, context.checkpoints / "vocoder" / vocoder.nemo, vocoder)


Train = Callable[[Path, bool, Hooks], TrainingResult]


def _run(context: Context, name: str, title: str, key: str, max_steps: int, train: Train) -> TrainingRecord:
    """One training run, or its record from an earlier time."""
    folder = context.checkpoints / name
    record_path = folder / "record.json"
    found = None if context.request.force else TrainingRecord.find(record_path, key)
    if found is not None:
        with context.clock.stage(title, max_steps):
            context.reporter.note(
                f"{title} is trained already from the same data and settings; --force trains it again."
            )
        return found
    resume = context.request.resume and bool(commits(folder))
    folder.mkdir(parents=True, exist_ok=True)
    display = StepDisplay(title, max_steps, context.reporter)
    with context.clock.stage(title, max_steps), event_log(folder) as log:

        def on_step(report: StepReport) -> None:
            display.step(report)
            log(report)

        hooks = Hooks(
            on_step=on_step,
            should_stop=context.interrupts.should_stop,
            note=context.reporter.note,
            taking_steps=context.interrupts.cooperative,
        )
        result = train(folder, resume, hooks)
    if result.nemo_path is None:  # only an interrupt ends a run without a model, and cooperative() raises for that
        raise TrainingError(
            f"{title} ended without a model.", reason="training_incomplete", hint="Run it again with --resume."
        )
    record = TrainingRecord.of(key, result.nemo_path, result)
    record.save(record_path)
    return record


def _train_acoustic(
    context: Context,
    dataset: PreparedDataset,
    folder: Path,
    resume: bool,
    hooks: Hooks,
) -> TrainingResult:
    config, base, request = context.cleared.config, context.cleared.acoustic_base, context.request
    if _apart(context):
        job = TrainingJob(model="acoustic", config=config, dataset=dataset.root, out=folder, base=base, resume=resume)
        return _train_apart(context, job, hooks)
    from voicemill.evaluation.training_page import TrainingPage
    from voicemill.training.train_fastpitch import train_acoustic

    page = TrainingPage(
        path=page_path(context.settings.workspace.reports, request.voice),
        display_name=request.display_name,
        voice=request.voice,
        audio=config.audio,
        pitch_range=(dataset.stats.pitch_fmin, dataset.stats.pitch_fmax),
        max_steps=config.acoustic.max_steps,
        rate_search=folder / rate_search.NAME if config.acoustic.optimiser.find_learning_rate else None,
    )
    with watched(hooks, page, config.training_pages) as watching:
        return train_acoustic(
            config,
            dataset.root,
            folder,
            resume=resume,
            init_from=base,
            hooks=watching,
        )


def _train_vocoder(
    context: Context,
    dataset: PreparedDataset,
    acoustic: Path,
    folder: Path,
    resume: bool,
    hooks: Hooks,
) -> TrainingResult:
    from voicemill.training.aligned_mels import ground_truth_aligned_mels
    from voicemill.training.data import read_dataset
    from voicemill.training.speaker import load_speaker
    from voicemill.training.train_hifigan import VocoderInputs, train_vocoder

    aligned = folder / "aligned_mels"
    own_tokenizer = context.cleared.acoustic_base is None  # a base's dictionary and phones may be others
    speaker = load_speaker(acoustic)
    ground_truth_aligned_mels(speaker.fastpitch, read_dataset(dataset.root), aligned, strict=own_tokenizer)
    config, base = context.cleared.config, context.cleared.vocoder_base
    if _apart(context):
        job = TrainingJob(
            model="vocoder", config=config, dataset=dataset.root, out=folder, base=base, gta_dir=aligned, resume=resume
        )
        return _train_apart(context, job, hooks)
    return train_vocoder(config, dataset.root, folder, VocoderInputs(base, aligned), resume=resume, hooks=hooks)


def _apart(context: Context) -> bool:
    """Whether other processes train, and this one waits."""
    return context.request.ray is not None or bool(_together(context.cleared.config))


def _train_apart(context: Context, job: TrainingJob, hooks: Hooks) -> TrainingResult:
    if context.request.ray is None:
        return launch.train(job, hooks)
    from voicemill.training import cluster

    return cluster.train(job, hooks, context.request.ray)


def _together(config: TrainingConfig) -> list[int]:
    """Where several processes train, their number belongs to what a run is: each learns a batch of its own a step."""
    return [config.devices * config.nodes] if config.devices * config.nodes > 1 else []


def _digest(path: Path | None) -> str | None:
    return files.sha256_file(path) if path else None
