"""Evaluation of a voice without recordings: the shipped test sentences, and the metrics that need no reference."""

from __future__ import annotations

from voicemill.errors import NotAcceptableError
from voicemill.evaluation.candidates import Candidate
from voicemill.evaluation.evaluate import (
    Measurements,
    TestMaterial,
    TrainingSummary,
    VoiceEvaluation,
    assemble,
    start_progress,
)
from voicemill.evaluation.figures import missing_figures
from voicemill.evaluation.recogniser_pool import RecogniserPool
from voicemill.evaluation.trials import run_trials
from voicemill.evaluation.vocoder_choice import VocoderChoice
from voicemill.metrics.catalogue import metrics_of
from voicemill.metrics.inputs import CopyPair, HeldOutSentences, SentencePair, SpeakerSounds
from voicemill.progress import Observer

NO_RECORDING = "No recordings were given to compare with."
NEEDS_RECORDINGS = tuple(
    metric.name
    for metric in metrics_of(HeldOutSentences, SentencePair, CopyPair, SpeakerSounds)
    if not metric.of_recordings
)
"""Figures that compare the voice with a recording."""


def evaluate_without_recordings(
    candidate: Candidate, material: TestMaterial, pool: RecogniserPool, observer: Observer | None = None
) -> VoiceEvaluation:
    """Measure a voice without a reference.

    Args:
        candidate: the voice with the vocoder that it ships with.
        material: its trials are spoken; the plain ones give error rate and speed.
        pool: recognises the sounds.
        observer: receives the progress, sentence by sentence.

    Raises:
        NotAcceptableError: a sentence gave no usable sound (`synthesis_unusable`).
    """
    progress = start_progress(observer, 2 * len(material.trials.trials))
    tried = run_trials(material.trials, candidate, material.sample_rate, pool, progress)
    if tried.problem is not None:
        raise NotAcceptableError(
            f"The voice gave no usable sound: {tried.problem}.",
            reason="synthesis_unusable",
            hint="Train longer or with another preset.",
        )
    measurements = Measurements(
        figures=missing_figures(NEEDS_RECORDINGS, NO_RECORDING) | tried.figures, trials=tried.results
    )
    choice = VocoderChoice(candidate.name, "The vocoder that the bundle ships with; no other was tried.")
    evaluation = assemble(choice, measurements, pool.recogniser, TrainingSummary())
    return VoiceEvaluation(evaluation=evaluation, spoken={}, trials=tried.sounds)
