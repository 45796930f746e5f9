"""A voice with one vocoder on the held-out sentences: it speaks, the recogniser listens, its sounds are measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from voicemill.errors import NotMeasurableError
from voicemill.evaluation.comparison import Comparison, compare, copy_distances
from voicemill.evaluation.figures import error_figure, figure, mean_of, measured
from voicemill.evaluation.listening import listen
from voicemill.evaluation.model import Figure, VocoderResult
from voicemill.metrics.error_rate import ErrorRate, character_errors, pooled, word_errors
from voicemill.progress import Observer

if TYPE_CHECKING:
    from voicemill.align.recognition import Recogniser

Samples = NDArray[np.float32]
PAIRED = (
    "mcd",
    "f0_rmse",
    "f0_correlation",
    "gross_pitch_error",
    "voicing_error",
    "f0_frame_error",
    "duration_error",
)
"""Figures of a sentence beside its recording, as `Comparison` calls them."""
AUDIBLE = 1e-4
"""Peak below which a synthesised sound counts as silence (-80 dBFS)."""


class Sentence(Protocol):
    """Something to say: a normalised text and its name."""

    @property
    def id(self) -> str: ...
    @property
    def text(self) -> str: ...


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
class HeardErrors:
    """What the recogniser got wrong, sentence by sentence."""

    characters: list[ErrorRate]
    words: list[ErrorRate]

    @classmethod
    def of(cls, texts: Sequence[str], heard: Sequence[str]) -> HeardErrors:
        """Compare what was heard with what was spoken."""
        return cls(character_errors(texts, heard), word_errors(texts, heard))


@dataclass
class Spoken:
    """One candidate's work so far."""

    candidate: Candidate
    sounds: list[Samples] = field(default_factory=list)
    seconds: float = 0.0
    problem: str | None = None
    heard: list[str] = field(default_factory=list)
    characters: list[ErrorRate] = field(default_factory=list)
    figures: dict[str, Figure] = field(default_factory=dict)


class Progress:
    """Counts sentences spoken and heard."""

    def __init__(self, observer: Observer) -> None:
        self.observer, self.done = observer, 0

    def step(self, note: str) -> None:
        self.done += 1
        self.observer.advance(self.done, note)


def speak(candidate: Candidate, references: Sequence[Sentence], sample_rate: int, work: Progress) -> Spoken:
    """Speak every sentence; the first that gives no usable sound disqualifies the candidate, with its name."""
    spoken = Spoken(candidate)
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
        spoken.figures.update(speed_figures(spoken, sample_rate))
    return spoken


def speed_figures(spoken: Spoken, sample_rate: int) -> dict[str, Figure]:
    """How fast the candidate spoke what it has spoken, both ways round."""
    total, seconds = sum(map(len, spoken.sounds)) / sample_rate, max(spoken.seconds, 1e-9)
    count = len(spoken.sounds)
    return {
        "speed": figure("speed", total / seconds, samples=count),
        "real_time_factor": figure("real_time_factor", seconds / total, samples=count),
    }


def hear(
    recogniser: Recogniser,
    references: Sequence[Reference],
    spoken: Sequence[Spoken],
    sample_rate: int,
    workers: int,
    work: Progress,
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


def pitch_range_of(references: Sequence[Reference], sample_rate: int) -> tuple[float, float]:
    """Lowest and highest F0 of the recordings, in Hz."""
    from voicemill.audio.pitch import range_of

    low, high = range_of(np.concatenate([each.samples for each in references]), sample_rate)
    return low, high


def measure(
    spoken: Spoken,
    references: Sequence[Reference],
    sample_rate: int,
    pitch_range: tuple[float, float],
    real: HeardErrors,
) -> None:
    """Fill in a usable candidate's figures."""
    texts = [reference.text for reference in references]
    made, figures = HeardErrors.of(texts, spoken.heard), spoken.figures
    spoken.characters = made.characters
    for kind, ours, theirs in (("cer", made.characters, real.characters), ("wer", made.words, real.words)):
        figures[kind] = error_figure(kind, ours, detail=", synthesised")
        excess = pooled(ours).rate - pooled(theirs).rate
        figures[f"{kind}_excess"] = figure(f"{kind}_excess", excess, samples=len(texts))
    figures["cer_ratio"] = measured(
        "cer_ratio", lambda: _ratio(pooled(spoken.characters), pooled(real.characters)), samples=len(texts)
    )
    compared = [
        _compared(reference.samples, samples, sample_rate, pitch_range)
        for reference, samples in zip(references, spoken.sounds, strict=True)
    ]
    nothing = "No sentence has frames in both sounds that carry it."
    for kind in PAIRED:
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


def result_of(spoken: Spoken) -> VocoderResult:
    """What the evaluation file says of the candidate."""
    usable = spoken.problem is None
    return VocoderResult(
        name=spoken.candidate.name,
        description=spoken.candidate.description,
        usable=usable,
        problem=spoken.problem,
        figures=spoken.figures if usable else {},
    )
