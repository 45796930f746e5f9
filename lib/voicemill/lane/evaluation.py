"""Evaluates a voice within a lane, or a finished bundle, and judges it by a preset's limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from voicemill.dataset.prepared import PreparedDataset
from voicemill.dataset.stage_clock import StageClock
from voicemill.errors import UsageError
from voicemill.evaluation.candidates import Candidate, ReferenceSentence, Samples
from voicemill.evaluation.evaluate import (
    STAGE,
    SpeakerReferences,
    TestMaterial,
    TrainingSummary,
    VoiceEvaluation,
    evaluate_voice,
)
from voicemill.evaluation.limit_results import apply_limits
from voicemill.evaluation.other_speakers import other_people, other_speakers
from voicemill.evaluation.recogniser_pool import RecogniserPool
from voicemill.evaluation.trials import Trials, plan, shipped_sentences
from voicemill.metrics.figure_limits import EvaluationSettings, FigureLimits
from voicemill.metrics.judges import Judges, find_judges
from voicemill.progress import Observer, SilentObserver
from voicemill.settings import Settings
from voicemill.synthesis.vocoders import IstftVocoder
from voicemill.training.speaker import Speaker, load_speaker
from voicemill.weights.registry import WeightsRegistry
from voicemill.workers import usable_cores

if TYPE_CHECKING:
    from voicemill.evaluation.model import Evaluation
    from voicemill.lane.trained_voice import TrainedVoice

GRIFFIN_LIM = "griffin-lim"
HIFIGAN = "hifigan"
ISTFT = "istft"
GRIFFIN_LIM_ITERATIONS = 60
"""More iterations are hardly clearer (docs/benchmarks.md)."""


def load_speakers(voice: TrainedVoice) -> dict[str, Speaker]:
    """The voice with every available vocoder, by the vocoder's name."""
    plain = load_speaker(voice.acoustic, iterations=GRIFFIN_LIM_ITERATIONS)
    speakers = {}
    if voice.runtime_vocoder is not None:
        from voicemill.training.istft_weights import read_istft

        speakers[ISTFT] = replace(plain, vocoder=IstftVocoder(read_istft(voice.runtime_vocoder, plain.audio)))
    if voice.vocoder is not None:
        speakers[HIFIGAN] = load_speaker(voice.acoustic, voice.vocoder)
    return speakers | {GRIFFIN_LIM: plain}


def evaluate_trained(
    voice: TrainedVoice, speakers: dict[str, Speaker], settings: Settings, clock: StageClock
) -> VoiceEvaluation:
    """Synthesise the held-out sentences with every available vocoder and measure them against the recordings.

    Args:
        voice: the models, with the dataset they were trained on.
        speakers: the voice in memory, see `load_speakers`.
        settings: names the allowlist, the caches and the repository, which has test sentences and speaker profiles.
        clock: measures the stage; its observer is called for each sentence.

    Returns:
        The evaluation with its verdict: `blocked` if a limit of the preset does not hold.
    """
    origin = "the base vocoder as it is" if voice.vocoder_record is None else "fine-tuned on this voice"
    tuned = "tuned to this voice" if voice.config.runtime_vocoder.max_steps else "the base vocoder as it is"
    descriptions = {
        ISTFT: f"pulses and noise with an inverse STFT, {tuned}; for the runtime, not for NeMo",
        HIFIGAN: f"HiFi-GAN, {origin}",
        GRIFFIN_LIM: f"Griffin-Lim, {GRIFFIN_LIM_ITERATIONS} iterations, no trained vocoder",
    }
    candidates = [candidate_of(name, speaker, descriptions[name]) for name, speaker in speakers.items()]
    # The evaluation announces the stage itself, with the number of its sentences.
    with replace(clock, observer=SilentObserver()).stage(STAGE):
        measured = evaluate_against_dataset(
            candidates,
            voice.dataset,
            settings,
            plan_test_sentences(settings, voice.config.evaluation, plain=False),
            clock.observer,
            voice.config.audio.sample_rate,
            voice.status.metrics.final_loss,
        )
    return replace(measured, evaluation=apply_limits(measured.evaluation, voice.config.evaluation.limits))


def evaluate_against_dataset(
    candidates: Sequence[Candidate],
    dataset: PreparedDataset,
    settings: Settings,
    trials: Trials,
    observer: Observer,
    sample_rate: int,
    final_loss: float | None = None,
) -> VoiceEvaluation:
    """Measure candidates against a dataset's held-out recordings; arguments as in `evaluate_voice`."""
    from voicemill.align.recognition import PocketSphinxRecogniser

    own, sentences = _recordings(dataset, "train", sample_rate), references(dataset, sample_rate)
    judges = shipped_judges(settings)
    speakers = SpeakerReferences(
        own=own,
        others=other_speakers(own, sample_rate, settings.repository),
        people=other_people(judges, settings.repository),
    )
    return evaluate_voice(
        candidates,
        TestMaterial(sample_rate, sentences, speakers, trials, judges),
        RecogniserPool(PocketSphinxRecogniser(), workers=usable_cores()),
        TrainingSummary(final_loss=final_loss),
        observer,
    )


def shipped_judges(settings: Settings) -> Judges:
    """The judges of the allowlist, or the reason that one cannot be used."""
    return find_judges(
        WeightsRegistry(settings.weights.allowlist, settings.workspace.weights_cache, settings.repository)
    )


def plan_test_sentences(settings: Settings, wanted: EvaluationSettings, *, plain: bool) -> Trials:
    """The shipped test sentences that the preset asks for; numbers are read by the normaliser that `say` uses.

    Raises:
        ConfigError: `test_sentences_invalid`.
    """
    from voicemill.text.normalise import normalise

    return plan(shipped_sentences(settings.repository), wanted, normalise, plain=plain)


def candidate_of(name: str, speaker: Speaker, description: str) -> Candidate:
    """A speaker as a candidate of the evaluation, with copy synthesis."""
    from voicemill.training.examples import log_mel
    from voicemill.training.runtime import nemo_runtime

    def copy(samples: Samples) -> Samples:
        with nemo_runtime():
            mel = log_mel(speaker.fastpitch, samples).cpu().numpy()
        return speaker.vocode(mel)

    return Candidate(name, speaker.synthesise, copy, description, fallback=name == GRIFFIN_LIM, in_nemo=name != ISTFT)


def references(dataset: PreparedDataset, sample_rate: int) -> list[ReferenceSentence]:
    """The held-out sentences with their recordings, at the voice's rate."""
    held_out = [entry for entry in dataset.entries if entry.split == "validation"]
    return [
        ReferenceSentence(id=entry.id, text=entry.normalized_text, samples=samples)
        for entry, samples in zip(held_out, _recordings(dataset, "validation", sample_rate), strict=True)
    ]


def _recordings(dataset: PreparedDataset, split: str, sample_rate: int) -> list[Samples]:
    from voicemill.audio.decode import read_mono, resample

    read = (read_mono(dataset.root / entry.audio_filepath) for entry in dataset.entries if entry.split == split)
    return [samples if rate == sample_rate else resample(samples, rate, sample_rate) for samples, rate in read]


def evaluate_bundle(
    settings: Settings, voice: str, dataset: str | None, preset: str | None, observer: Observer
) -> Evaluation:
    """Measure a finished voice as it ships, against a dataset or with reference-free metrics only.

    The runtime's graph speaks, with the watermark; a bundle without a graph is measured through NeMo.

    Args:
        settings: the environment.
        voice: folder of a bundle, or id of a promoted voice.
        dataset: folder of a prepared dataset, or id of a prepared voice; None for reference-free metrics.
        preset: judge by its limits; None for no limits. Without a dataset, only limits of reference-free metrics count.
        observer: called for each sentence.

    Raises:
        UsageError: there is no such bundle, or no such dataset (`bundle_not_found`, `dataset_not_found`).
        NotAcceptableError: the bundle is not what its manifest says (`verification_failed`), or no sound is usable.
        ConfigError: `unknown_preset` and the like.
    """
    wanted = EvaluationSettings()
    if preset is not None:
        from voicemill.training.config import load_config

        wanted = load_config(settings.training.config, preset).evaluation
    found = _find_dataset(settings, dataset) if dataset is not None else None
    folder = Path(voice)
    named = folder if len(folder.parts) > 1 or folder.is_dir() else None
    candidate, rate = _shipped(settings, voice, named)
    trials = plan_test_sentences(settings, wanted, plain=found is None)
    if found is not None:
        measured = evaluate_against_dataset([candidate], found, settings, trials, observer, rate)
        return apply_limits(measured.evaluation, wanted.limits)
    from voicemill.align.recognition import PocketSphinxRecogniser
    from voicemill.evaluation.reference_free import NEEDS_RECORDINGS, evaluate_without_recordings

    pool = RecogniserPool(PocketSphinxRecogniser(), workers=usable_cores())
    material = TestMaterial(rate, trials=trials, judges=shipped_judges(settings))
    measured = evaluate_without_recordings(candidate, material, pool, observer)
    return apply_limits(measured.evaluation, _without(wanted.limits, NEEDS_RECORDINGS))


def _shipped(settings: Settings, voice: str, bundle: Path | None) -> tuple[Candidate, int]:
    """The voice of a checked bundle as a candidate, and its sample rate (Hz)."""
    from voicemill.bundle.contents import GRAPH
    from voicemill.bundle.differences import check_bundle
    from voicemill.lane.load_voice import load_checked_voice
    from voicemill_runtime.bundle import open_voice

    root = bundle or settings.paths.promoted(voice)
    check = check_bundle(root)
    if check.loaded is None or GRAPH not in {entry.path for entry in check.loaded.manifest.files}:
        speaker = load_checked_voice(root, check)
        name = GRIFFIN_LIM if speaker.vocoder.name == "griffin_lim" else HIFIGAN
        return candidate_of(name, speaker, "as the bundle ships it, through NeMo"), speaker.audio.sample_rate
    shipped = open_voice(root)

    def speak(text: str) -> Samples:
        import numpy as np

        return np.concatenate([chunk.samples for chunk in shipped.speak(text)])

    name = {"griffin_lim": GRIFFIN_LIM, "hifigan": HIFIGAN}.get(shipped.vocoder, ISTFT)
    described = f"as the bundle ships it, through {GRAPH}"
    return Candidate(name, speak, None, described, name == GRIFFIN_LIM, in_nemo=name != ISTFT), shipped.sample_rate


def _without(limits: FigureLimits, figures: tuple[str, ...]) -> FigureLimits:
    return limits.model_copy(update={limit.name: None for limit in limits.limits() if limit.figure in figures})


def _find_dataset(settings: Settings, named: str) -> PreparedDataset:
    from voicemill.dataset.prepared import load

    folder = Path(named)
    if len(folder.parts) < 2 and not folder.is_dir():
        folder = settings.workspace.dataset(named)
    found = load(folder)
    if found is None:
        raise UsageError(
            f"There is no complete prepared dataset at {folder}.",
            reason=f"dataset_not_found:{named}",
            hint="Prepare it with voice-prep, or name its folder.",
        )
    return found
