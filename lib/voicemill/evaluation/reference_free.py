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
from voicemill.evaluation.figures import figures_of, missing_figures
from voicemill.evaluation.recogniser_pool import RecogniserPool
from voicemill.evaluation.trials import run_trials
from voicemill.evaluation.vocoder_choice import VocoderChoice
from voicemill.metrics.catalogue import metrics_of
from voicemill.metrics.inputs import CopyPair, HeldOutSentences, JudgedPair, SentencePair, SpeakerSounds
from voicemill.progress import Observer

NO_RECORDING = "No recordings were given to compare with."
NEEDS_RECORDINGS = tuple(
    metric.name
    for metric in metrics_of(HeldOutSentences, SentencePair, CopyPair, SpeakerSounds, JudgedPair)
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
    plain = [index for index, trial in enumerate(material.trials.trials) if trial.kind == "plain"]
    panel = material.panel
    steps = 2 * len(material.trials.trials) + (len(plain) if panel.names else 0)
    progress = start_progress(observer, steps)
    tried = run_trials(material.trials, candidate, material.sample_rate, pool, progress)
    if tried.problem is not None:
        raise NotAcceptableError(
            f"The voice gave no usable sound: {tried.problem}.",
            reason="synthesis_unusable",
            hint="Train longer or with another preset.",
        )
    judged = panel.judge(
        [tried.sounds[index] for index in plain],
        [material.trials.trials[index].expected for index in plain],
        lambda: progress.step("judging"),
    )
    figures = missing_figures(NEEDS_RECORDINGS, NO_RECORDING) | tried.figures
    figures |= figures_of(judged.sentences, subject="shipped plain sentences, synthesised")
    measurements = Measurements(figures=figures, trials=tried.results, judges=panel.names)
    choice = VocoderChoice(candidate.name, "The vocoder that the bundle ships with; no other was tried.")
    evaluation = assemble(choice, measurements, pool.recogniser, TrainingSummary())
    return VoiceEvaluation(evaluation=evaluation, spoken={}, trials=tried.sounds)
