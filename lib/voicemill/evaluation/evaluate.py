"""Speak the held-out sentences, let a recogniser write them down, compare sound with sound."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from voicemill.errors import NotMeasurableError, UsageError
from voicemill.evaluation.comparison import Comparison, compare, copy_distances
from voicemill.evaluation.figures import error_figure, figure, mean_of, measured, missing
from voicemill.evaluation.listening import listen
from voicemill.evaluation.model import (
    MOS_NOT_MEASURED,
    Evaluation,
    Figure,
    SentenceResult,
    SpeakerResult,
    VocoderResult,
)
from voicemill.evaluation.vocoder import Choice, choose_vocoder
from voicemill.metrics.error_rate import ErrorRate, character_errors, pooled, word_errors
from voicemill.metrics.speaker import SpeakerProfile, speaker_distance, speaker_profile
from voicemill.progress import Observer, SilentObserver

if TYPE_CHECKING:
    from voicemill.text.recognition import Recogniser

Samples = NDArray[np.float32]
AUDIBLE = 1e-4
"""Peak below which a synthesised sound counts as silence (-80 dBFS)."""
OWN_SPEAKER = "own"


@dataclass(frozen=True)
class Reference:
    """A held-out sentence: normalised text and the real recording, mono at the voice's sample rate."""

    id: str
    text: str
    samples: Samples


@dataclass(frozen=True)
class Candidate:
    """A voice with one vocoder."""

    name: str
    speak: Callable[[str], Samples]
    """Normalised text -> mono samples at the voice's sample rate."""
    resynthesise: Callable[[Samples], Samples] | None = None
    """Copy synthesis: a recording through its mel spectrogram and back, samples in step with the input."""
    description: str = ""


@dataclass(frozen=True)
class VoiceEvaluation:
    """The figures, and the sound that they were measured on (for the report)."""

    evaluation: Evaluation
    spoken: Mapping[str, Mapping[str, Samples]]
    """Vocoder -> sentence id -> samples; usable candidates only."""


@dataclass
class _Spoken:
    """One candidate's work so far."""

    candidate: Candidate
    sounds: list[Samples] = field(default_factory=list)
    seconds: float = 0.0
    problem: str | None = None
    heard: list[str] = field(default_factory=list)
    characters: list[ErrorRate] = field(default_factory=list)
    figures: dict[str, Figure] = field(default_factory=dict)


def evaluate_voice(
    candidates: Sequence[Candidate],
    references: Sequence[Reference],
    recogniser: Recogniser,
    *,
    sample_rate: int,
    source_status: str,
    final_loss: float | None = None,
    own: Sequence[Samples] = (),
    others: Mapping[str, SpeakerProfile] | None = None,
    workers: int = 1,
    observer: Observer | None = None,
) -> VoiceEvaluation:
    """Measure a trained voice on sentences that it was not trained on, and choose the vocoder it ships with.

    Args:
        candidates: the voice with each vocoder in question; the first wins where no measurement decides.
        references: held-out sentences with their recordings.
        recogniser: writes down what it hears; the same for recordings and synthesised sound.
        sample_rate: of every sound in and out, Hz.
        source_status: `status` of the training status.
        final_loss: of the training status; copied, never used.
        own: recordings of the voice's own speaker (training clips); the held-out recordings when empty.
        others: profiles of other speakers, for the question whose voice this is.
        workers: processes that listen; more than one needs a recogniser that can be pickled.
        observer: hears of each sentence.

    Raises:
        UsageError: no candidate, no reference, or two of one name.
        NotAcceptableError: no candidate gave usable sound (`synthesis_unusable`).
    """
    _check(candidates, references)
    observer = observer or SilentObserver()
    observer.stage("evaluation", len(references) * (1 + 2 * len(candidates)))
    work = _Progress(observer)
    spoken = [_speak(candidate, references, sample_rate, work) for candidate in candidates]
    heard_real = _listen(recogniser, references, spoken, sample_rate, workers, work)
    texts = [reference.text for reference in references]
    real_characters, real_words = character_errors(texts, heard_real), word_errors(texts, heard_real)
    pitch_range = _pitch_range(references, sample_rate)
    for each in spoken:
        if each.problem is None:
            _measure(each, references, sample_rate, pitch_range, real_characters)
    results = [_result(each) for each in spoken]
    choice = choose_vocoder(results)
    chosen = next(each for each in spoken if each.candidate.name == choice.name)
    figures = {
        "cer_real": error_figure("cer", real_characters, detail=", real recordings"),
        "wer_real": error_figure("wer", real_words, detail=", real recordings"),
        **chosen.figures,
    }
    recorded = [each.samples for each in references]
    speakers = _speakers(chosen.sounds, list(own) or recorded, others or {}, sample_rate, figures)
    figures["speaker_distance_real"] = _recorded_distance(recorded, own, sample_rate)
    evaluation = _assemble(
        choice,
        figures,
        results,
        speakers,
        recogniser,
        source_status,
        final_loss,
        _sentences(references, heard_real, real_characters, spoken, sample_rate),
    )
    usable = {
        each.candidate.name: dict(zip((r.id for r in references), each.sounds, strict=True))
        for each in spoken
        if each.problem is None
    }
    return VoiceEvaluation(evaluation=evaluation, spoken=usable)


class _Progress:
    """Counts sentences spoken and heard."""

    def __init__(self, observer: Observer) -> None:
        self.observer, self.done = observer, 0

    def step(self, note: str) -> None:
        self.done += 1
        self.observer.advance(self.done, note)


def _check(candidates: Sequence[Candidate], references: Sequence[Reference]) -> None:
    if not candidates or not references:
        raise UsageError(
            "An evaluation needs at least one vocoder and one held-out sentence.",
            reason="nothing_to_evaluate",
            hint="Keep at least one clip in the validation manifest.",
        )
    for names in ([each.name for each in candidates], [each.id for each in references]):
        if len(set(names)) != len(names):
            raise UsageError(
                "Two vocoders or two sentences of an evaluation share a name.", reason="nothing_to_evaluate"
            )


def _speak(candidate: Candidate, references: Sequence[Reference], sample_rate: int, work: _Progress) -> _Spoken:
    """Speak every sentence; the first that gives no usable sound disqualifies the candidate, with its name."""
    spoken = _Spoken(candidate)
    for reference in references:
        work.step(f"speaking with {candidate.name}")
        if spoken.problem is not None:
            continue
        started = time.perf_counter()
        samples = np.asarray(candidate.speak(reference.text), dtype=np.float32).reshape(-1)
        spoken.seconds += time.perf_counter() - started
        if not len(samples) or not np.isfinite(samples).all():
            spoken.problem = f"sentence {reference.id} gave no sample, or samples that are not numbers"
        elif float(np.abs(samples).max()) < AUDIBLE:
            spoken.problem = f"sentence {reference.id} gave silence"
        else:
            spoken.sounds.append(np.clip(samples, -1.0, 1.0))
    if spoken.problem is None:
        total = sum(map(len, spoken.sounds)) / sample_rate
        spoken.figures["speed"] = figure("speed", total / max(spoken.seconds, 1e-9), samples=len(references))
    return spoken


def _listen(
    recogniser: Recogniser,
    references: Sequence[Reference],
    spoken: Sequence[_Spoken],
    sample_rate: int,
    workers: int,
    work: _Progress,
) -> list[str]:
    """Have the recordings and all usable sounds written down; returns what was heard in the recordings."""
    usable = [each for each in spoken if each.problem is None]
    sounds = [reference.samples for reference in references] + [sound for each in usable for sound in each.sounds]
    heard = listen(
        recogniser,
        sounds,
        sample_rate,
        workers=workers,
        heard_one=lambda: work.step(f"listening with {recogniser.name}"),
    )
    count = len(references)
    for index, each in enumerate(usable, start=1):
        each.heard = heard[index * count : (index + 1) * count]
    return heard[:count]


def _pitch_range(references: Sequence[Reference], sample_rate: int) -> tuple[float, float]:
    from voicemill.audio.pitch import range_of

    low, high = range_of(np.concatenate([each.samples for each in references]), sample_rate)
    return low, high


def _measure(
    spoken: _Spoken,
    references: Sequence[Reference],
    sample_rate: int,
    pitch_range: tuple[float, float],
    real: Sequence[ErrorRate],
) -> None:
    """Fill in a usable candidate's figures."""
    texts = [reference.text for reference in references]
    spoken.characters = character_errors(texts, spoken.heard)
    figures = spoken.figures
    figures["cer"] = error_figure("cer", spoken.characters, detail=", synthesised")
    figures["wer"] = error_figure("wer", word_errors(texts, spoken.heard), detail=", synthesised")
    figures["cer_ratio"] = measured(
        "cer_ratio", lambda: _ratio(pooled(spoken.characters), pooled(real)), samples=len(texts)
    )
    compared = [
        _compared(reference.samples, samples, sample_rate, pitch_range)
        for reference, samples in zip(references, spoken.sounds, strict=True)
    ]
    nothing = "No sentence has frames in both sounds that carry it."
    for kind in ("mcd", "f0_rmse", "gross_pitch_error", "voicing_error", "f0_frame_error"):
        figures[kind] = mean_of(kind, [getattr(each, kind) if each else None for each in compared], why=nothing)
    for name, whose in (("median_f0", "synthesised"), ("median_f0_real", "real recordings")):
        figures[name] = mean_of(
            "median_f0",
            [getattr(each, name) if each else None for each in compared],
            why="No frame is voiced.",
            detail=f", mean over sentences, {whose}",
        )
    recorded = sum(len(each.samples) for each in references)
    figures["duration_ratio"] = figure("duration_ratio", sum(map(len, spoken.sounds)) / recorded, samples=len(texts))
    figures.update(copy_distances(spoken.candidate.resynthesise, [each.samples for each in references], sample_rate))


def _ratio(synthesised: ErrorRate, real: ErrorRate) -> float:
    if not real.errors:
        raise NotMeasurableError("The recogniser made no error on the real recordings: there is nothing to divide by.")
    return synthesised.rate / real.rate


def _compared(real: Samples, made: Samples, sample_rate: int, pitch_range: tuple[float, float]) -> Comparison | None:
    try:
        return compare(real, made, sample_rate=sample_rate, pitch_range=pitch_range)
    except NotMeasurableError:
        return None  # the mean is over the sentences that can be measured, and the figure carries their number


def _result(spoken: _Spoken) -> VocoderResult:
    usable = spoken.problem is None
    return VocoderResult(
        name=spoken.candidate.name,
        description=spoken.candidate.description,
        usable=usable,
        problem=spoken.problem,
        figures=spoken.figures if usable else {},
    )


def _speakers(
    made: Sequence[Samples],
    own: Sequence[Samples],
    others: Mapping[str, SpeakerProfile],
    sample_rate: int,
    figures: dict[str, Figure],
) -> list[SpeakerResult]:
    """Distances to the own speaker and to the others; the own distance is also a figure."""
    try:
        voice = speaker_profile(made, sample_rate)
        mine = speaker_profile(own, sample_rate)
    except NotMeasurableError as error:
        figures["speaker_distance"] = missing("speaker_distance", str(error), detail=", to the own speaker")
        return []
    distance = speaker_distance(voice, mine)
    figures["speaker_distance"] = figure("speaker_distance", distance, samples=len(made), detail=", to the own speaker")
    found = [SpeakerResult(name=OWN_SPEAKER, own=True, distance=round(distance, 6))]
    return found + [
        SpeakerResult(name=name, own=False, distance=round(speaker_distance(voice, profile), 6))
        for name, profile in sorted(others.items())
    ]


def _recorded_distance(recorded: Sequence[Samples], own: Sequence[Samples], sample_rate: int) -> Figure:
    """How far the held-out recordings are from the speaker's other recordings: the distance of a perfect voice."""
    detail = ", held-out recordings to the speaker's other recordings"
    if not own:
        return missing("speaker_distance", "No other recordings of the speaker were given.", detail=detail)
    return measured(
        "speaker_distance",
        lambda: speaker_distance(speaker_profile(recorded, sample_rate), speaker_profile(own, sample_rate)),
        samples=len(recorded),
        detail=detail,
    )


def _sentences(
    references: Sequence[Reference],
    heard_real: Sequence[str],
    real: Sequence[ErrorRate],
    spoken: Sequence[_Spoken],
    sample_rate: int,
) -> list[SentenceResult]:
    usable = [each for each in spoken if each.problem is None]
    return [
        SentenceResult(
            id=reference.id,
            text=reference.text,
            real_seconds=round(len(reference.samples) / sample_rate, 3),
            heard_real=heard_real[index],
            synthesised_seconds={
                each.candidate.name: round(len(each.sounds[index]) / sample_rate, 3) for each in usable
            },
            heard_synthesised={each.candidate.name: each.heard[index] for each in usable},
            character_error_rate_real=round(real[index].rate, 6),
            character_error_rate_synthesised={
                each.candidate.name: round(each.characters[index].rate, 6) for each in usable
            },
        )
        for index, reference in enumerate(references)
    ]


def _assemble(
    choice: Choice,
    figures: dict[str, Figure],
    results: list[VocoderResult],
    speakers: list[SpeakerResult],
    recogniser: Recogniser,
    source_status: str,
    final_loss: float | None,
    sentences: list[SentenceResult],
) -> Evaluation:
    missing_figures = {"mos_proxy": MOS_NOT_MEASURED}
    if final_loss is None:
        missing_figures["final_loss"] = "The training status carries no final loss."
    return Evaluation(
        status="ok",
        root_cause="none",
        source_status=source_status,
        dry_run=False,
        final_loss=final_loss,
        mos_proxy=None,
        wer_proxy=figures["wer"].value,
        not_measured=missing_figures,
        chosen_vocoder=choice.name,
        vocoder_choice=choice.why,
        recogniser=recogniser.name,
        recogniser_version=recogniser.version,
        figures=figures,
        vocoders=results,
        speakers=speakers,
        sentences=sentences,
    )
