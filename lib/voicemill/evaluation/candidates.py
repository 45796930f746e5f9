"""A voice with one vocoder on the held-out sentences: synthesis, recognition, and the metrics of its sound."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from voicemill.errors import NotMeasurableError
from voicemill.evaluation.figures import figures_of, mean_figures, missing_figures
from voicemill.evaluation.judging import Judged, Panel
from voicemill.evaluation.model import Figure, VocoderResult
from voicemill.evaluation.recogniser_pool import RecogniserPool
from voicemill.metrics.catalogue import metrics_of
from voicemill.metrics.inputs import (
    CopyPair,
    HeldOutSentences,
    JudgedPair,
    JudgedRecordings,
    RecognisedSentences,
    SentencePair,
    SynthesisTime,
)
from voicemill.progress import Observer

Samples = NDArray[np.float32]
AUDIBLE = 1e-4
"""Peak below which a synthesised sound counts as silence (-80 dBFS)."""


class Sentence(Protocol):
    """A normalised text and its name."""

    @property
    def id(self) -> str: ...
    @property
    def text(self) -> str: ...


@dataclass(frozen=True)
class ReferenceSentence:
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
    fallback: bool = False
    """It ships only where it is better than every other by more than chance."""
    in_nemo: bool = True
    """NeMo knows its vocoder; otherwise only the graph can speak with it."""


@dataclass
class CandidateRun:
    """Results of one candidate so far."""

    candidate: Candidate
    sounds: list[Samples] = field(default_factory=list)
    seconds: float = 0.0
    """Of computing."""
    problem: str | None = None
    """Why the candidate is not usable, with the sentence; None for a usable one."""
    recognised: list[str] = field(default_factory=list)
    errors: RecognisedSentences = field(default_factory=lambda: RecognisedSentences((), ()))
    judged: Judged | None = None
    """None before it was judged."""
    figures: dict[str, Figure] = field(default_factory=dict)

    @property
    def samples(self) -> int:
        """Length of all sounds together."""
        return sum(map(len, self.sounds))

    def result(self) -> VocoderResult:
        """The candidate's entry in the evaluation file."""
        usable = self.problem is None
        return VocoderResult(
            name=self.candidate.name,
            description=self.candidate.description,
            usable=usable,
            problem=self.problem,
            figures=self.figures if usable else {},
        )


class SentenceProgress:
    """Counts sentences synthesised and recognised."""

    def __init__(self, observer: Observer) -> None:
        self.observer, self.done = observer, 0

    def step(self, note: str) -> None:
        self.done += 1
        self.observer.advance(self.done, note)


def synthesise(
    candidate: Candidate, sentences: Sequence[Sentence], sample_rate: int, progress: SentenceProgress
) -> CandidateRun:
    """Synthesise every sentence; the first that gives no usable sound disqualifies the candidate."""
    run = CandidateRun(candidate)
    for sentence in sentences:
        progress.step(f"synthesising with {candidate.name}")
        if run.problem is not None:
            continue
        started = time.perf_counter()
        samples = np.asarray(candidate.speak(sentence.text), dtype=np.float32).reshape(-1)
        run.seconds += time.perf_counter() - started
        if not len(samples) or not np.isfinite(samples).all():
            run.problem = f"sentence {sentence.id} gave no sample, or samples that are not numbers"
        elif float(np.abs(samples).max()) < AUDIBLE:
            run.problem = f"sentence {sentence.id} gave silence"
        else:
            run.sounds.append(np.clip(samples, -1.0, 1.0))
    if run.problem is None:
        run.figures.update(speed_figures(run, sample_rate))
    return run


def speed_figures(run: CandidateRun, sample_rate: int) -> dict[str, Figure]:
    """Speed and real-time factor of the sentences synthesised so far."""
    return figures_of(SynthesisTime(run.samples / sample_rate, max(run.seconds, 1e-9), len(run.sounds)))


def recognise(
    pool: RecogniserPool,
    references: Sequence[ReferenceSentence],
    runs: Sequence[CandidateRun],
    sample_rate: int,
    progress: SentenceProgress,
) -> list[str]:
    """Recognise the recordings and the sounds of all usable candidates; returns the texts of the recordings."""
    usable = [run for run in runs if run.problem is None]
    sounds = [reference.samples for reference in references] + [sound for run in usable for sound in run.sounds]
    note = f"recognising with {pool.recogniser.name}"
    texts = pool.transcribe(sounds, sample_rate, lambda: progress.step(note))
    count = len(references)
    for index, run in enumerate(usable, start=1):
        run.recognised = texts[index * count : (index + 1) * count]
    return texts[:count]


def judge(
    panel: Panel, references: Sequence[ReferenceSentence], runs: Sequence[CandidateRun], progress: SentenceProgress
) -> tuple[JudgedRecordings, Judged]:
    """Let the judges judge the recordings, and the sounds of all usable candidates, whose figures they add to."""
    texts = [reference.text for reference in references]

    def advance() -> None:
        progress.step("judging")

    recorded, records = panel.judge_recordings([reference.samples for reference in references], texts, advance)
    for run in runs:
        if run.problem is None:
            run.judged = panel.judge(run.sounds, texts, advance)
            run.figures |= figures_of(run.judged.sentences)
            run.figures |= figures_of(JudgedPair(run.judged.sentences, recorded))
    return recorded, records


def measure_candidate(
    run: CandidateRun,
    references: Sequence[ReferenceSentence],
    sample_rate: int,
    pitch_range: tuple[float, float],
    recorded: RecognisedSentences,
) -> None:
    """Fill in a usable candidate's figures."""
    run.errors = RecognisedSentences.compare([reference.text for reference in references], run.recognised)
    recorded_samples = sum(len(reference.samples) for reference in references)
    run.figures |= figures_of(run.errors)
    run.figures |= figures_of(HeldOutSentences(run.errors, recorded, run.samples, recorded_samples))
    run.figures |= mean_figures(SentencePair, _pairs(run, references, sample_rate, pitch_range))
    run.figures |= copy_figures(run.candidate, [reference.samples for reference in references], sample_rate)


def _pairs(
    run: CandidateRun, references: Sequence[ReferenceSentence], sample_rate: int, pitch_range: tuple[float, float]
) -> Iterator[SentencePair]:
    """The sentences that can be compared with their recordings."""
    for reference, samples in zip(references, run.sounds, strict=True):
        try:
            yield SentencePair.align(reference.samples, samples, sample_rate=sample_rate, pitch_range=pitch_range)
        except NotMeasurableError:
            continue  # the figures have the number of sentences that they rest on


def copy_figures(candidate: Candidate, recordings: Sequence[Samples], sample_rate: int) -> dict[str, Figure]:
    """Losses of the vocoder alone: recordings beside their copy synthesis."""
    resynthesise = candidate.resynthesise
    if resynthesise is None:
        names = [metric.name for metric in metrics_of(CopyPair)]
        return missing_figures(names, "No copy synthesis was offered for this vocoder.")

    def copies() -> Iterator[CopyPair]:
        for recording in recordings:
            copy = np.asarray(resynthesise(recording), dtype=np.float32).reshape(-1)
            yield CopyPair(recording, copy, sample_rate)

    return mean_figures(CopyPair, copies())
