"""A finished voice measured again: beside a dataset's held-out recordings, or alone with what needs none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from voicemill.errors import UsageError
from voicemill.evaluation.judging import judged
from voicemill.metrics.limits import EvaluationSettings, FigureLimits
from voicemill.progress import Observer
from voicemill.settings import Settings

if TYPE_CHECKING:
    from voicemill.dataset.prepare import PreparedDataset
    from voicemill.evaluation.model import Evaluation


def measure_quality(
    settings: Settings, voice: str, dataset: str | None, preset: str | None, observer: Observer
) -> Evaluation:
    """Measure a bundle through the vocoder that it ships with.

    Args:
        settings: the environment.
        voice: folder of a bundle, or id of a promoted voice.
        dataset: folder of a prepared dataset, or id of a prepared voice; None measures without recordings.
        preset: judge by its limits; None judges by none. Without a dataset only the limits of figures that need none
            count.
        observer: hears of each sentence.

    Raises:
        UsageError: there is no such bundle, or no such dataset (`bundle_not_found`, `dataset_not_found`).
        NotAcceptableError: the bundle is not what its manifest says (`verification_failed`), or gives no sound.
        ConfigError: `unknown_preset` and the like.
    """
    from voicemill.lane import evaluation
    from voicemill.lane.load_voice import speaker_of

    wanted = EvaluationSettings()
    if preset is not None:
        from voicemill.training.config import load_config

        wanted = load_config(settings.config, preset).evaluation
    found = _dataset(settings, dataset) if dataset is not None else None
    folder = Path(voice)
    named = folder if len(folder.parts) > 1 or folder.is_dir() else None
    speaker = speaker_of(settings, voice, named)
    name = evaluation.GRIFFIN_LIM if speaker.vocoder.name == "griffin_lim" else evaluation.HIFIGAN
    candidate = evaluation.candidate_of(name, speaker, "as the bundle ships it")
    trials = evaluation.planned(settings, wanted, plain=found is None)
    rate = speaker.audio.sample_rate
    if found is not None:
        measured = evaluation.beside([candidate], found, settings, trials, observer, rate)
        return judged(measured.evaluation, wanted.limits)
    from voicemill.align.recognition import PocketSphinxRecogniser
    from voicemill.evaluation.evaluate import TestMaterial
    from voicemill.evaluation.recogniser_pool import RecogniserPool
    from voicemill.evaluation.reference_free import NEEDS_RECORDINGS, evaluate_without_recordings

    pool = RecogniserPool(PocketSphinxRecogniser(), workers=os.cpu_count() or 1)
    measured = evaluate_without_recordings(candidate, TestMaterial(rate, trials=trials), pool, observer)
    return judged(measured.evaluation, _without(wanted.limits, NEEDS_RECORDINGS))


def _without(limits: FigureLimits, figures: tuple[str, ...]) -> FigureLimits:
    return limits.model_copy(update={limit.name: None for limit in limits.limits() if limit.figure in figures})


def _dataset(settings: Settings, named: str) -> PreparedDataset:
    from voicemill.dataset.prepare import load

    folder = Path(named)
    if len(folder.parts) < 2 and not folder.is_dir():
        folder = settings.workspace.dataset(named)
    found = load(folder)
    if found is None:
        raise UsageError(
            f"There is no whole prepared dataset at {folder}.",
            reason=f"dataset_not_found:{named}",
            hint="Prepare it with voice-prep, or name its folder.",
        )
    return found
