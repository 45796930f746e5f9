"""The heavy steps of a lane on a prepared dataset: train both models, let the voice speak, measure it.

Each step is a function of a context and the results before it; a finished training run is found again by its content
key.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from voicemill import files
from voicemill.backends.gates import Cleared
from voicemill.backends.records import TrainingRecord
from voicemill.backends.reporter import LaneReporter
from voicemill.backends.request import LaneRequest
from voicemill.boundary import Interrupts
from voicemill.dataset.prepare import PreparedDataset
from voicemill.dataset.stages import StageClock
from voicemill.errors import TrainingError
from voicemill.evaluation.candidates import Candidate, Reference, Samples
from voicemill.evaluation.evaluate import VoiceEvaluation, evaluate_voice
from voicemill.metrics.speaker import SpeakerProfile, speaker_distance, speaker_profile
from voicemill.settings import Settings
from voicemill.training.checkpoint import StepReport, TrainingResult

GRIFFIN_LIM = "griffin-lim"
HIFIGAN = "hifigan"
GRIFFIN_LIM_ITERATIONS = 60
"""More is hardly clearer (docs/benchmarks.md)."""
SAME_SPEAKER = 0.2
"""Distance below which two profiles are one speaker: the same speaker comes to at most 0.03, others to at least 0.8
(docs/evaluation.md)."""


@dataclass(frozen=True)
class Models:
    """Both trained models; the vocoder may be missing where the preset trains none."""

    acoustic: Path
    acoustic_record: TrainingRecord
    vocoder: Path | None
    vocoder_record: TrainingRecord | None


@dataclass(frozen=True)
class Trained:
    """What evaluation has to know of a training.

    Attributes:
        acoustic: FastPitch archive.
        vocoder: HiFi-GAN archive in question; `None` leaves Griffin-Lim.
        vocoder_tuned: it learned this voice.
        sample_rate: of the voice, Hz.
    """

    acoustic: Path
    vocoder: Path | None
    vocoder_tuned: bool
    final_loss: float | None
    sample_rate: int


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
        dataset.sha256,
        _digest(cleared.acoustic_base),
    )
    acoustic = _run(
        context,
        "acoustic",
        "FastPitch",
        acoustic_key,
        config.acoustic.max_steps,
        lambda folder, resume, on_step, stop: _train_acoustic(context, dataset, folder, resume, on_step, stop),
    )
    nemo = context.checkpoints / "acoustic" / acoustic.nemo
    if config.vocoder.max_steps == 0:
        context.reporter.note("The preset trains no vocoder: the base vocoder is offered as it is.")
        return Models(nemo, acoustic, cleared.vocoder_base, None)
    vocoder_key = files.content_key("vocoder", acoustic_key, config.vocoder.model_dump(), _digest(cleared.vocoder_base))
    vocoder = _run(
        context,
        "vocoder",
        "HiFi-GAN",
        vocoder_key,
        config.vocoder.max_steps,
        lambda folder, resume, on_step, stop: _train_vocoder(context, dataset, nemo, folder, resume, on_step, stop),
    )
    return Models(nemo, acoustic, context.checkpoints / "vocoder" / vocoder.nemo, vocoder)


Train = Callable[[Path, bool, Callable[[StepReport], None], Callable[[], bool]], TrainingResult]


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
    resume = context.request.resume and any(folder.glob("*.checkpoint"))
    every = max(1, max_steps // 20)

    def on_step(report: StepReport) -> None:
        context.reporter.advance(report.step, f"loss {report.loss:.3f}")
        if report.step == 1 or report.step % every == 0 or report.step == max_steps:
            context.reporter.stats(
                {"model": title, "step": report.step, "max_steps": max_steps, "loss": round(report.loss, 5)}
            )

    folder.mkdir(parents=True, exist_ok=True)
    with context.clock.stage(title, max_steps), context.interrupts.cooperative():
        result = train(folder, resume, on_step, context.interrupts.should_stop)
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
    on_step: Callable[[StepReport], None],
    stop: Callable[[], bool],
) -> TrainingResult:
    from voicemill.training.loop import train_acoustic

    return train_acoustic(
        context.cleared.config,
        dataset.root,
        folder,
        resume=resume,
        init_from=context.cleared.acoustic_base,
        on_step=on_step,
        should_stop=stop,
    )


def _train_vocoder(
    context: Context,
    dataset: PreparedDataset,
    acoustic: Path,
    folder: Path,
    resume: bool,
    on_step: Callable[[StepReport], None],
    stop: Callable[[], bool],
) -> TrainingResult:
    from voicemill.training.data import read_dataset
    from voicemill.training.hifigan import train_vocoder
    from voicemill.training.synthesis import ground_truth_aligned_mels, load_speaker

    aligned = folder / "aligned_mels"
    ground_truth_aligned_mels(load_speaker(acoustic).fastpitch, read_dataset(dataset.root), aligned)
    return train_vocoder(
        context.cleared.config,
        dataset.root,
        folder,
        base=context.cleared.vocoder_base,
        gta_dir=aligned,
        resume=resume,
        on_step=on_step,
        should_stop=stop,
    )


def evaluate(trained: Trained, dataset: PreparedDataset, repository: Path, clock: StageClock) -> VoiceEvaluation:
    """Speak the held-out sentences with every vocoder in question and measure them beside the recordings.

    Args:
        trained: the models.
        dataset: what they learned from, with its held-out sentences.
        repository: where other speakers' profiles lie.
        clock: measures the stage; its observer hears of each sentence.
    """
    from voicemill.text.recognition import PocketSphinxRecogniser

    own, rate = _recordings(dataset, "train"), trained.sample_rate
    candidates = [
        _candidate(
            GRIFFIN_LIM, trained.acoustic, None, f"Griffin-Lim, {GRIFFIN_LIM_ITERATIONS} iterations, no trained vocoder"
        )
    ]
    if trained.vocoder is not None:
        origin = "fine-tuned on this voice" if trained.vocoder_tuned else "the base vocoder as it is"
        candidates.insert(0, _candidate(HIFIGAN, trained.acoustic, trained.vocoder, f"HiFi-GAN, {origin}"))
    with clock.stage("evaluation"):
        return evaluate_voice(
            candidates,
            references(dataset),
            PocketSphinxRecogniser(),
            sample_rate=rate,
            source_status="ok",
            final_loss=trained.final_loss,
            own=own,
            others=other_speakers(own, rate, repository),
            workers=os.cpu_count() or 1,
            observer=clock.observer,
        )


def other_speakers(own: Sequence[Samples], sample_rate: int, repository: Path) -> dict[str, SpeakerProfile]:
    """The shipped speakers without the one who speaks here: a voice cannot be nearer to itself than to itself."""
    from voicemill.evaluation.speakers import shipped_profiles

    mine = speaker_profile(own, sample_rate)
    return {
        name: profile
        for name, profile in shipped_profiles(repository).items()
        if speaker_distance(mine, profile) > SAME_SPEAKER
    }


def _candidate(name: str, acoustic: Path, vocoder: Path | None, description: str) -> Candidate:
    from voicemill.training.examples import log_mel
    from voicemill.training.runtime import guests
    from voicemill.training.synthesis import load_speaker

    speaker = load_speaker(acoustic, vocoder, iterations=GRIFFIN_LIM_ITERATIONS)

    def copy(samples: Samples) -> Samples:
        with guests():
            mel = log_mel(speaker.fastpitch, samples).cpu().numpy()
        return speaker.sound_of(mel)

    return Candidate(name=name, speak=speaker.speak, resynthesise=copy, description=description)


def references(dataset: PreparedDataset) -> list[Reference]:
    """The held-out sentences with their recordings."""
    held_out = [entry for entry in dataset.entries if entry.split == "validation"]
    return [
        Reference(id=entry.id, text=entry.normalized_text, samples=samples)
        for entry, samples in zip(held_out, _recordings(dataset, "validation"), strict=True)
    ]


def _recordings(dataset: PreparedDataset, split: str) -> list[Samples]:
    from voicemill.audio.decode import read_mono

    return [read_mono(dataset.root / entry.audio_filepath)[0] for entry in dataset.entries if entry.split == split]


def _digest(path: Path | None) -> str | None:
    return files.sha256_file(path) if path else None
