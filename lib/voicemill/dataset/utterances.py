"""Which stretch of which recording says which text."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from voicemill.audio import decode, segmentation, vad
from voicemill.audio.segmentation import Segmentation
from voicemill.audio.vad import Span
from voicemill.dataset.recordings import Recording
from voicemill.dataset.report import Rejection
from voicemill.dataset.sources import ClipText
from voicemill.errors import DatasetError
from voicemill.progress import Observer
from voicemill.text import normalise
from voicemill.text.lexicon import Lexicon
from voicemill.text.script import ScriptMatch, match_script

GAP_SECONDS = 2.0
"""Silence put between recordings that share one script: longer than any pause that an utterance may hold."""


@dataclass(frozen=True)
class Heard:
    """A decoded recording: 32-bit float at the dataset's rate, its length, where somebody speaks."""

    recording: Recording
    decoded: Path
    seconds: float
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class Utterance:
    """A stretch of a decoded recording (seconds in it) and what it says."""

    heard: Heard
    start: float
    end: float
    text: str
    normalized: str
    speaker: int | None = None

    def rejected(self, reason: str, detail: str = "") -> Rejection:
        """A row of the report that says why this utterance became no clip."""
        return rejection(self.heard, Span(self.start, self.end), reason, self.text, detail)


@dataclass(frozen=True)
class Found:
    """Utterances in reading order, what was left out, and the sentences of the script that nobody said."""

    utterances: tuple[Utterance, ...]
    rejected: tuple[Rejection, ...]
    unspoken: tuple[str, ...] = ()


def rejection(heard: Heard, span: Span, reason: str, text: str = "", detail: str = "") -> Rejection:
    """A row of the report, with times in the source file."""
    offset = heard.recording.offset
    return Rejection(
        source=heard.recording.name,
        start=round(offset + span.start, 3),
        end=round(offset + span.end, 3),
        seconds=round(span.duration, 3),
        reason=reason,
        text=text,
        detail=detail,
    )


def from_clips(
    clips: Sequence[Heard], texts: Sequence[ClipText], limits: Segmentation, cache: Path, observer: Observer
) -> Found:
    """One utterance a recording: its speech with a little silence around it. Its pauses stay inside.

    A clip with no speech, or one too long or too short, is left out and named.
    """
    whole = Segmentation(
        min_duration=limits.min_duration,
        max_duration=limits.max_duration,
        min_pause=1e6,
        max_joined_pause=1e6,
        min_padding=limits.min_padding,
        max_padding=limits.max_padding,
    )
    utterances: list[Utterance] = []
    rejected: list[Rejection] = []
    for done, (heard, said) in enumerate(zip(clips, texts, strict=True), start=1):
        full = Span(0.0, heard.seconds)
        try:
            normalized = spoken(said.normalized or said.text, cache)
        except DatasetError as error:
            if error.code != "text_not_english":
                raise
            rejected.append(rejection(heard, full, error.code, said.text, str(error)))
            continue
        if not heard.spans:
            rejected.append(rejection(heard, full, "no_speech", said.text))
            continue
        voiced = Span(heard.spans[0].start, heard.spans[-1].end)
        samples, rate = decode.read_mono(heard.decoded)
        plan = segmentation.plan([voiced], samples, rate, whole)
        if len(plan.kept) == 1:
            utterances.append(
                Utterance(heard, plan.kept[0].start, plan.kept[0].end, said.text, normalized, said.speaker)
            )
        else:
            reason = "too_short" if voiced.duration < limits.min_duration else "too_long"
            rejected.append(rejection(heard, voiced, reason, said.text))
        observer.advance(done)
    return Found(tuple(utterances), tuple(rejected))


def from_script(
    recordings: Sequence[Heard],
    script: Sequence[str],
    lexicon: Lexicon,
    limits: Segmentation,
    cache: Path,
    observer: Observer,
    *,
    processes: int,
) -> Found:
    """Utterances of recordings that read one script together, in order.

    Raises:
        DatasetError: `script_mismatch` when the recordings say something else, `no_speech`.
    """
    normalized = [spoken(sentence, cache) for sentence in script]
    starts: list[float] = []
    parts: list[np.ndarray[tuple[int], np.dtype[np.float32]]] = []
    spans: list[Span] = []
    length = 0
    for heard in recordings:
        samples, rate = decode.read_mono(heard.decoded)
        part = decode.resample(samples, rate, vad.SAMPLE_RATE)
        start = length / vad.SAMPLE_RATE
        starts.append(start)
        spans += [Span(start + span.start, start + span.end) for span in heard.spans]
        parts += [part, np.zeros(round(GAP_SECONDS * vad.SAMPLE_RATE), dtype=np.float32)]
        length += len(part) + len(parts[-1])
    match = match_script(
        np.concatenate(parts[:-1]), spans, normalized, lexicon, observer, limits=limits, processes=processes
    )
    return _placed(match, recordings, starts, script, normalized)


def _placed(
    match: ScriptMatch,
    recordings: Sequence[Heard],
    starts: Sequence[float],
    script: Sequence[str],
    normalized: Sequence[str],
) -> Found:
    """Times of the joined recordings back to times in each of them."""

    def place(start: float, end: float) -> tuple[Heard, Span]:
        index = bisect.bisect_right(starts, (start + end) / 2) - 1
        heard = recordings[index]
        return heard, Span(max(0.0, start - starts[index]), min(heard.seconds, end - starts[index]))

    utterances = []
    for found in match.utterances:
        heard, span = place(found.start, found.end)
        whole = " ".join(normalized[index] for index in found.sentences) == found.text
        text = " ".join(script[index] for index in found.sentences) if whole else found.text
        utterances.append(Utterance(heard, span.start, span.end, text, found.text))
    rejected = [
        rejection(*place(take.start, take.end), "repeated_take", script[take.sentence]) for take in match.repeats
    ]
    rejected += [rejection(*place(part.start, part.end), part.reason, part.text) for part in match.unusable]
    rejected += [rejection(*place(span.start, span.end), "no_text") for span in match.unmatched]
    return Found(tuple(utterances), tuple(rejected), tuple(script[index] for index in match.skipped))


def spoken(text: str, cache: Path) -> str:
    """The normalised text; grammars for digits and symbols are kept below `cache`, and loaded only when needed."""
    return normalise.normalise(text, cache_dir=cache / "text-normaliser")
