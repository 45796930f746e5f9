"""A trained voice on its dataset's held-out sentences: it speaks, it is measured, and its preset's limits judge it."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace as with_changes
from pathlib import Path

from voicemill.audio import embedding
from voicemill.dataset.prepare import PreparedDataset
from voicemill.dataset.stages import StageClock
from voicemill.evaluation.candidates import Candidate, Reference, Samples
from voicemill.evaluation.evaluate import (
    SpeakerReferences,
    TestMaterial,
    TrainingSummary,
    VoiceEvaluation,
    evaluate_voice,
)
from voicemill.evaluation.judging import judged
from voicemill.evaluation.recogniser_pool import RecogniserPool
from voicemill.evaluation.trials import Trials, plan, shipped_sentences
from voicemill.metrics.limits import EvaluationSettings
from voicemill.metrics.speaker import SpeakerProfile, speaker_distance, speaker_profile
from voicemill.progress import Observer
from voicemill.settings import Settings
from voicemill.training.speaker import Speaker, load_speaker
from voicemill.weights.registry import WeightsRegistry

GRIFFIN_LIM = "griffin-lim"
HIFIGAN = "hifigan"
GRIFFIN_LIM_ITERATIONS = 60
"""More is hardly clearer (docs/benchmarks.md)."""
SAME_SPEAKER = 0.2
"""Distance below which two profiles are one speaker: the same speaker comes to at most 0.03, others to at least 0.8
(docs/evaluation.md)."""


@dataclass(frozen=True)
class Trained:
    """What evaluation has to know of a training.

    Attributes:
        acoustic: FastPitch archive.
        vocoder: HiFi-GAN archive in question; `None` leaves Griffin-Lim.
        vocoder_tuned: it learned this voice.
        sample_rate: of the voice, Hz.
        evaluation: tests and limits of the preset.
    """

    acoustic: Path
    vocoder: Path | None
    vocoder_tuned: bool
    final_loss: float | None
    sample_rate: int
    evaluation: EvaluationSettings


def evaluate(trained: Trained, dataset: PreparedDataset, settings: Settings, clock: StageClock) -> VoiceEvaluation:
    """Speak the held-out sentences with every vocoder in question and measure them beside the recordings.

    Args:
        trained: the models.
        dataset: what they learned from, with its held-out sentences.
        settings: where other speakers' profiles, test sentences, the allowlist and caches lie.
        clock: measures the stage; its observer hears of each sentence.

    Returns:
        The evaluation with its verdict: `blocked` where a limit of the preset does not hold.
    """
    candidates = [
        _candidate(
            GRIFFIN_LIM, trained.acoustic, None, f"Griffin-Lim, {GRIFFIN_LIM_ITERATIONS} iterations, no trained vocoder"
        )
    ]
    if trained.vocoder is not None:
        origin = "fine-tuned on this voice" if trained.vocoder_tuned else "the base vocoder as it is"
        candidates.insert(0, _candidate(HIFIGAN, trained.acoustic, trained.vocoder, f"HiFi-GAN, {origin}"))
    with clock.stage("evaluation"):
        trials = planned(settings, trained.evaluation, plain=False)
        measured = beside(
            candidates, dataset, settings, trials, clock.observer, trained.sample_rate, trained.final_loss
        )
    return with_changes(measured, evaluation=judged(measured.evaluation, trained.evaluation.limits))


def beside(
    candidates: Sequence[Candidate],
    dataset: PreparedDataset,
    settings: Settings,
    trials: Trials,
    observer: Observer,
    sample_rate: int,
    final_loss: float | None = None,
) -> VoiceEvaluation:
    """Measure candidates beside a dataset's held-out recordings; arguments as in `evaluate_voice`."""
    from voicemill.align.recognition import PocketSphinxRecogniser

    own = _recordings(dataset, "train", sample_rate)
    registry = WeightsRegistry(settings.allowlist, settings.workspace.weights_cache, settings.repository)
    speakers = SpeakerReferences(
        own=own,
        others=other_speakers(own, sample_rate, settings.repository),
        embedding=embedding.find_speaker_model(registry),
    )
    return evaluate_voice(
        candidates,
        TestMaterial(sample_rate, references(dataset, sample_rate), speakers, trials),
        RecogniserPool(PocketSphinxRecogniser(), workers=os.cpu_count() or 1),
        TrainingSummary(final_loss=final_loss),
        observer,
    )


def planned(settings: Settings, wanted: EvaluationSettings, *, plain: bool) -> Trials:
    """The shipped sentences that are to be spoken; numbers are read by the normaliser that `say` uses.

    Raises:
        ConfigError: `test_sentences_invalid`.
    """
    from voicemill.text.normalise import normalise

    grammars = functools.partial(normalise, cache_dir=settings.workspace.cache / "text-normaliser")
    return plan(shipped_sentences(settings.repository), wanted, grammars, plain=plain)


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
    return candidate_of(name, load_speaker(acoustic, vocoder, iterations=GRIFFIN_LIM_ITERATIONS), description)


def candidate_of(name: str, speaker: Speaker, description: str) -> Candidate:
    """A speaker as the evaluation takes it, with copy synthesis."""
    from voicemill.training.examples import log_mel
    from voicemill.training.runtime import nemo_runtime

    def copy(samples: Samples) -> Samples:
        with nemo_runtime():
            mel = log_mel(speaker.fastpitch, samples).cpu().numpy()
        return speaker.vocode(mel)

    return Candidate(name=name, speak=speaker.synthesise, resynthesise=copy, description=description)


def references(dataset: PreparedDataset, sample_rate: int) -> list[Reference]:
    """The held-out sentences with their recordings, at the voice's rate."""
    held_out = [entry for entry in dataset.entries if entry.split == "validation"]
    return [
        Reference(id=entry.id, text=entry.normalized_text, samples=samples)
        for entry, samples in zip(held_out, _recordings(dataset, "validation", sample_rate), strict=True)
    ]


def _recordings(dataset: PreparedDataset, split: str, sample_rate: int) -> list[Samples]:
    from voicemill.audio.decode import read_mono, resample

    read = (read_mono(dataset.root / entry.audio_filepath) for entry in dataset.entries if entry.split == split)
    return [samples if rate == sample_rate else resample(samples, rate, sample_rate) for samples, rate in read]
