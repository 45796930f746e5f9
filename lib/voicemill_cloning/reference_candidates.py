"""Stretches of a recording that may become the reference of a voice, and how good each would be."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from voicemill.align.features import SAMPLE_RATE
from voicemill.align.transcription import ScoredText
from voicemill.audio import quality
from voicemill.audio.level_envelope import frame_levels
from voicemill.audio.vad import Span
from voicemill.audio.waveform import FileWaveform, excerpt
from voicemill.errors import AudioError, UsageError
from voicemill_cloning.source_recording import merged

GAP, LEAST = 0.2, 0.3
"""Pause inside a stretch of speech, and the shortest stretch, in seconds."""
SHORTEST, LONGEST, BEST = 3.0, 12.0, 8.5
"""Seconds of a reference: limits, and the length that is aimed at."""
CANDIDATES = 3
_REPETITIVE = 6
"""Words of a transcript from which its repetitions are judged."""


class ScoringRecogniser(Protocol):
    """Recognises (n,) mono samples at 16 kHz, and says how sure it is."""

    def scored(self, samples: npt.NDArray[np.float32]) -> ScoredText: ...


class ReferenceCandidate(BaseModel):
    """A stretch that may become the reference.

    Attributes:
        start: seconds in the recording; `end` likewise.
        score: 0 to 1, by which the best is chosen.
        transcript: as recognised; empty without a recogniser.
        log_probability: mean of the transcript's tokens; None without a recogniser.
        language: ISO code of the transcript; `language_probability` how sure the recogniser is of it, None where it
            was stated.
        clipping, noise, continuity: 0 (bad) to 1 (good).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: float
    end: float
    score: float
    transcript: str
    log_probability: float | None
    language: str | None = None
    language_probability: float | None = None
    clipping: float
    noise: float
    continuity: float

    @property
    def seconds(self) -> float:
        """Length."""
        return self.end - self.start


def score(candidate: ReferenceCandidate) -> float:
    """The score of a candidate, 0 to 1: words 0.45, length 0.20, sound 0.35; without a recogniser the last two."""
    length = 1.0 - abs(candidate.seconds - BEST) / LONGEST
    sound = 0.40 * candidate.clipping + 0.30 * candidate.noise + 0.30 * candidate.continuity
    if candidate.log_probability is None:
        return round((0.20 * length + 0.35 * sound) / 0.55, 4)
    words = min(1.0, max(0.0, (candidate.log_probability + 2.0) / 2.0)) if candidate.transcript else 0.0
    return round(0.45 * words + 0.20 * length + 0.35 * sound, 4)


def candidate_spans(spans: Sequence[Span], seconds: float) -> list[Span]:
    """Stretches that may become the reference: at most three, those with lengths nearest to 8.5 s."""
    speech = merged(list(spans), GAP, LEAST)
    fitting = _long_enough(speech)
    if not fitting:  # many short stretches: some of them with the pauses between them
        fitting = _long_enough(merged(list(spans), 1.5, LEAST))
    if not fitting and speech:
        start = speech[0].start
        inside = sum(max(0.0, min(span.end, start + LONGEST) - span.start) for span in speech)
        if inside >= SHORTEST:
            fitting = [Span(start, min(seconds, start + LONGEST))]
    return sorted(sorted(fitting, key=lambda span: (abs(span.duration - BEST), span.start))[:CANDIDATES])


def _long_enough(speech: Sequence[Span]) -> list[Span]:
    return [Span(span.start, min(span.end, span.start + LONGEST)) for span in speech if span.duration >= SHORTEST]


def given_part(name: str, start: float, end: float, seconds: float, speech: Sequence[Span]) -> Span:
    """The part that `--ref-start` and `--ref-end` name.

    Raises:
        UsageError: `reference_outside`.
        AudioError: `reference_silent`, nothing is spoken in it.
    """
    if end > seconds + 0.5:
        raise UsageError(
            f"--ref-end lies behind the end of {name}, which has {seconds:.1f} seconds.",
            reason="reference_outside",
            hint="Give a time inside the recording.",
        )
    part = Span(start, min(end, seconds))
    if not any(min(span.end, part.end) - max(span.start, part.start) >= LEAST for span in speech):
        raise AudioError(
            f"Nothing is spoken in {name} between {part.start:.1f} and {part.end:.1f} seconds.",
            reason="reference_silent",
            hint="Move --ref-start and --ref-end to a part with speech.",
        )
    return part


def candidate_of(waveform: FileWaveform, span: Span, model: ScoringRecogniser | None) -> ReferenceCandidate:
    """A stretch with its words, its measurements and its score; without a recogniser the words are empty."""
    samples = waveform.read(span.start, span.end)
    measured = quality.measure(samples, waveform.rate)
    found = model.scored(excerpt(waveform, span.start, span.end, SAMPLE_RATE)) if model is not None else None
    candidate = ReferenceCandidate(
        start=round(span.start, 3),
        end=round(span.end, 3),
        score=0.0,
        transcript=found.text if found and not repetitive(found.text) else "",
        log_probability=round(found.log_probability, 4) if found else None,
        language=found.language if found else None,
        language_probability=found.language_probability if found else None,
        clipping=round(1.0 - min(1.0, measured.clipped_share / 0.01), 4),
        noise=round(min(1.0, max(0.0, (measured.snr_db - 10.0) / 30.0)), 4),
        continuity=round(_continuity(samples, waveform.rate), 4),
    )
    return candidate.model_copy(update={"score": score(candidate)})


def repetitive(text: str) -> bool:
    """Whether most of a transcript is one word again and again, as recognisers write of what they do not know."""
    words = re.findall(r"[^\W_]+", text.casefold())
    return len(words) >= _REPETITIVE and 2 * max(map(words.count, words)) > len(words)


def _continuity(samples: npt.NDArray[np.float32], rate: int) -> float:
    """1 minus the share of frames that change between speech and pause."""
    levels = frame_levels(samples, rate, 0.03)
    if levels.size < 2:
        return 0.0
    spoken = levels > float(np.percentile(levels, 10.0)) + 10.0
    return 1.0 - float(np.mean(spoken[1:] != spoken[:-1]))
