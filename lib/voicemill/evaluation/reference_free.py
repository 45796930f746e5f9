"""A voice of which no recording is at hand: what needs none is measured on the shipped test sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voicemill.errors import NotAcceptableError
from voicemill.evaluation.candidates import Candidate, Progress
from voicemill.evaluation.evaluate import VoiceEvaluation, assemble
from voicemill.evaluation.figures import missing
from voicemill.evaluation.trials import Trials, run_trials
from voicemill.evaluation.vocoder import Choice
from voicemill.progress import Observer, SilentObserver

if TYPE_CHECKING:
    from voicemill.align.recognition import Recogniser

NO_RECORDING = "No recordings were given to compare with."
NEEDS_RECORDINGS = (
    *("cer_ratio", "cer_excess", "wer_excess", "mcd", "copy_mcd", "copy_stft", "f0_rmse", "f0_correlation"),
    *("gross_pitch_error", "voicing_error", "f0_frame_error", "duration_ratio", "duration_error"),
    *("median_f0", "speaker_distance", "speaker_similarity"),
)
"""Figures that compare with a recording."""


def evaluate_alone(
    candidate: Candidate,
    recogniser: Recogniser,
    trials: Trials,
    *,
    sample_rate: int,
    workers: int = 1,
    observer: Observer | None = None,
) -> VoiceEvaluation:
    """Measure a voice without a reference.

    Args:
        candidate: the voice with the vocoder that it ships with.
        recogniser: writes down what it hears.
        trials: with plain sentences, on which error rate and speed are measured.
        sample_rate: of what it speaks, Hz.
        workers: processes that listen.
        observer: hears of each sentence.

    Raises:
        NotAcceptableError: a sentence gave no usable sound (`synthesis_unusable`).
    """
    observer = observer or SilentObserver()
    observer.stage("evaluation", 2 * len(trials.trials))
    tried = run_trials(trials, candidate, recogniser, sample_rate, workers, Progress(observer))
    if tried.problem is not None:
        raise NotAcceptableError(
            f"The voice gave no usable sound: {tried.problem}.",
            reason="synthesis_unusable",
            hint="Train longer or with another preset.",
        )
    figures = {name: missing(name, NO_RECORDING) for name in NEEDS_RECORDINGS} | tried.figures
    choice = Choice(candidate.name, "The vocoder that the bundle ships with; no other was tried.")
    evaluation = assemble(choice, figures, [], recogniser, source_status="ok", trials=tried)
    return VoiceEvaluation(evaluation=evaluation, spoken={}, trials=tried.sounds)
