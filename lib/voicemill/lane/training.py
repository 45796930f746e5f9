"""Trains both models of a voice on a prepared dataset; a finished training run is found again by its content key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from voicemill import files
from voicemill.dataset.prepared import PreparedDataset
from voicemill.errors import TrainingError
from voicemill.lane.monitoring import StepDisplay, event_log, page_path, report_page
from voicemill.lane.run import TrainingContext
from voicemill.lane.trained_voice import RECORD, RUNTIME_VOCODER, VOCODER, Models, TrainingRecord
from voicemill.training import launch, rate_search
from voicemill.training.checkpoint import StepReport, TrainingResult
from voicemill.training.config import TrainingConfig, has_own_tokenizer
from voicemill.training.hooks import Hooks
from voicemill.training.store import commits
from voicemill.training.worker import TrainingJob

FASTPITCH = "FastPitch"
HIFIGAN = "HiFi-GAN"
TUNING = "vocoder tuning"


def stages(config: TrainingConfig) -> tuple[str, ...]:
    """The stages that `train_models` announces."""
    hifigan = (HIFIGAN,) if config.vocoder.max_steps else ()
    tuning = (TUNING,) if config.runtime_vocoder.base_weights and config.runtime_vocoder.max_steps else ()
    return (FASTPITCH, *hifigan, *tuning)


def train_models(context: TrainingContext, dataset: PreparedDataset) -> Models:
    """Train FastPitch, then the vocoders on its ground-truth-aligned mels; finished runs are reused unless `--force`.

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
        *_process_count(config),
        dataset.sha256,
        _digest(cleared.acoustic_base),
    )
    acoustic = _run(
        context,
        "acoustic",
        FASTPITCH,
        acoustic_key,
        config.acoustic.max_steps,
        lambda folder, resume, hooks: _train_acoustic(context, dataset, folder, resume, hooks),
    )
    nemo = context.folder / "acoustic" / acoustic.nemo
    if config.vocoder.max_steps == 0:
        context.run.reporter.note("The preset trains no vocoder: the base vocoder is evaluated as it is.")
        placed = _place_vocoder(context.folder, cleared.vocoder_base)
        return Models(nemo, acoustic, placed, None, _runtime_vocoder(context, dataset, nemo, acoustic_key))
    vocoder_key = files.content_key(
        "vocoder", acoustic_key, config.vocoder.model_dump(), *_process_count(config), _digest(cleared.vocoder_base)
    )
    vocoder = _run(
        context,
        "vocoder",
        HIFIGAN,
        vocoder_key,
        config.vocoder.max_steps,
        lambda folder, resume, hooks: _train_vocoder(context, dataset, nemo, folder, resume, hooks),
    )
    trained = _place_vocoder(context.folder, context.folder / "vocoder" / vocoder.nemo)
    return Models(nemo, acoustic, trained, vocoder, _runtime_vocoder(context, dataset, nemo, acoustic_key))


def _place_vocoder(folder: Path, vocoder: Path | None) -> Path | None:
    """Copy the vocoder to the name under which it is bundled; None removes an earlier one."""
    placed = folder / VOCODER
    if vocoder is None:
        placed.unlink(missing_ok=True)
        return None
    if vocoder.resolve() != placed.resolve():
        files.copy_file(vocoder, placed)
    return placed


def _runtime_vocoder(
    context: TrainingContext, dataset: PreparedDataset, acoustic: Path, acoustic_key: str
) -> Path | None:
    """The iSTFT vocoder, tuned to the speaker; an earlier tuning with the same inputs is reused unless `--force`."""
    base, placed = context.cleared.runtime_vocoder_base, context.folder / RUNTIME_VOCODER
    if base is None:
        placed.unlink(missing_ok=True)
        return None
    settings = context.cleared.config.runtime_vocoder
    if settings.max_steps == 0:
        files.copy_file(base, placed)
        return placed
    from voicemill.training import istft_weights, tune_vocoder

    key = files.content_key("runtime vocoder", acoustic_key, settings.model_dump(), _digest(base))
    run = context.run
    with run.clock.stage(TUNING, settings.max_steps):
        if not context.request.preparation.force and istft_weights.key_of(placed) == key:
            run.reporter.note("The vocoder is tuned already from the same data and settings; --force tunes it again.")
            return placed
        inputs = tune_vocoder.TuningInputs(base, acoustic, strict=has_own_tokenizer(context.cleared.acoustic_base))
        result = tune_vocoder.tune_vocoder(
            context.cleared.config, dataset.root, placed, inputs, key=key, on_step=run.reporter.advance
        )
    run.reporter.note(
        f"Vocoder tuned in {result.steps} steps: held-out loss {result.before:.3f} before, {result.after:.3f} after."
    )
    return placed


Train = Callable[[Path, bool, Hooks], TrainingResult]


def _run(context: TrainingContext, name: str, title: str, key: str, max_steps: int, train: Train) -> TrainingRecord:
    """One training run, or the record of an earlier one with the same key."""
    run, folder = context.run, context.folder / name
    record_path = folder / RECORD
    found = None if context.request.preparation.force else TrainingRecord.find(record_path, key)
    if found is not None:
        with run.clock.stage(title, max_steps):
            run.reporter.note(f"{title} is trained already from the same data and settings; --force trains it again.")
        return found
    resume = context.request.resume and bool(commits(folder))
    folder.mkdir(parents=True, exist_ok=True)
    display = StepDisplay(title, max_steps, run.reporter, here=not _in_processes(context))
    with run.clock.stage(title, max_steps), event_log(folder) as log:

        def on_step(report: StepReport) -> None:
            display.step(report)
            log(report)

        hooks = Hooks(
            on_step=on_step,
            should_stop=run.interrupts.should_stop,
            note=run.reporter.note,
            taking_steps=run.interrupts.cooperative,
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
    context: TrainingContext,
    dataset: PreparedDataset,
    folder: Path,
    resume: bool,
    hooks: Hooks,
) -> TrainingResult:
    config, base, request = context.cleared.config, context.cleared.acoustic_base, context.request
    if _in_processes(context):
        job = TrainingJob(model="acoustic", config=config, dataset=dataset.root, out=folder, base=base, resume=resume)
        return _train_in_processes(context, job, hooks)
    from voicemill.evaluation.training_page import TrainingPage
    from voicemill.lane.marked_sounds import MarkedPlayer
    from voicemill.training.train_fastpitch import train_acoustic

    page = TrainingPage(
        path=page_path(context.run.settings.workspace.reports, request.preparation.voice),
        display_name=request.display_name,
        voice=request.preparation.voice,
        audio=config.audio,
        pitch_range=(dataset.stats.pitch_fmin, dataset.stats.pitch_fmax),
        max_steps=config.acoustic.max_steps,
        synthetic_uri=MarkedPlayer.of_training(context.run.settings, request.preparation.voice),
        rate_search=folder / rate_search.NAME if config.acoustic.optimiser.find_learning_rate else None,
    )
    with report_page(hooks, page, config.training_pages) as hooks:
        return train_acoustic(
            config,
            dataset.root,
            folder,
            resume=resume,
            init_from=base,
            hooks=hooks,
        )


def _train_vocoder(
    context: TrainingContext,
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
    own_tokenizer = has_own_tokenizer(context.cleared.acoustic_base)
    speaker = load_speaker(acoustic)
    ground_truth_aligned_mels(speaker.fastpitch, read_dataset(dataset.root), aligned, strict=own_tokenizer)
    config, base = context.cleared.config, context.cleared.vocoder_base
    if _in_processes(context):
        job = TrainingJob(
            model="vocoder", config=config, dataset=dataset.root, out=folder, base=base, gta_dir=aligned, resume=resume
        )
        return _train_in_processes(context, job, hooks)
    return train_vocoder(config, dataset.root, folder, VocoderInputs(base, aligned), resume=resume, hooks=hooks)


def _in_processes(context: TrainingContext) -> bool:
    """Whether other processes train while this one waits."""
    return context.request.preparation.ray is not None or bool(_process_count(context.cleared.config))


def _train_in_processes(context: TrainingContext, job: TrainingJob, hooks: Hooks) -> TrainingResult:
    if context.request.preparation.ray is None:
        return launch.train(job, hooks)
    from voicemill.training import cluster

    return cluster.train(job, hooks, context.request.preparation.ray)


def _process_count(config: TrainingConfig) -> list[int]:
    """The number of training processes, if there are several: each takes a batch of its own in a step."""
    return [config.devices * config.nodes] if config.devices * config.nodes > 1 else []


def _digest(path: Path | None) -> str | None:
    return files.sha256_file(path) if path else None
