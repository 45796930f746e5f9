"""Which stretch of which recording says which text."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from voicemill.audio import decode, segmentation, vad
from voicemill.audio.segmentation import Segmentation
from voicemill.audio.vad import Span
from voicemill.dataset.recordings import Recording
from voicemill.dataset.report import Rejection
from voicemill.dataset.sources import ClipText
from voicemill.errors import DatasetError
from voicemill.progress import Observer, SilentObserver
from voicemill.text import normalise
from voicemill.text.lexicon import Lexicon
from voicemill.text.script import ScriptMatch, match_script
from voicemill.text.transcripts import split_sentences

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
    """A stretch of a decoded recording (seconds in it) and what it says.

    Attributes:
        verdict: of a person: `drop` leaves it out, `keep` takes it whatever it measures.
    """

    heard: Heard
    start: float
    end: float
    text: str
    normalized: str
    speaker: int | None = None
    verdict: Literal["drop", "keep"] | None = None

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


@dataclass(frozen=True)
class Means:
    """What finding utterances needs beside recordings and text.

    Attributes:
        lexicon: pronunciations.
        limits: of an utterance.
        grammars: where the grammars for digits and symbols are kept; they are loaded only when a text needs them.
        processes: how many may listen to a long recording.
    """

    lexicon: Lexicon
    limits: Segmentation
    grammars: Path
    processes: int

    def spoken(self, text: str) -> str:
        """The normalised text."""
        return normalise.normalise(text, cache_dir=self.grammars)


def from_clips(clips: Sequence[Heard], texts: Sequence[ClipText], means: Means, observer: Observer) -> Found:
    """Utterances of recordings with a text each.

    A clip is one utterance: its speech with a little silence around it, pauses inside and all. A recording with more
    speech than an utterance may hold is taken apart with its text for a script. What fits neither way is left out and
    named.
    """
    parts = []
    for done, (heard, said) in enumerate(zip(clips, texts, strict=True), start=1):
        try:
            parts.append(_of_one(heard, said, means))
        except DatasetError as error:
            if error.code not in ("text_not_english", "script_mismatch", "missing_transcript"):
                raise
            row = rejection(heard, Span(0.0, heard.seconds), error.code, said.text[:200], str(error))
            parts.append(Found((), (row,)))
        observer.advance(done)
    return Found(
        tuple(utterance for part in parts for utterance in part.utterances),
        tuple(row for part in parts for row in part.rejected),
        tuple(sentence for part in parts for sentence in part.unspoken),
    )


def _of_one(heard: Heard, said: ClipText, means: Means) -> Found:
    limits = means.limits
    if not heard.spans:
        return Found((), (rejection(heard, Span(0.0, heard.seconds), "no_speech", said.text),))
    voiced = Span(heard.spans[0].start, heard.spans[-1].end)
    if voiced.duration > limits.max_duration:
        found = from_script([heard], split_sentences(said.normalized or said.text), means, SilentObserver())
        return replace(found, utterances=tuple(replace(one, speaker=said.speaker) for one in found.utterances))
    normalized = means.spoken(said.normalized or said.text)
    samples, rate = decode.read_mono(heard.decoded)
    # no pause of a clip parts it
    plan = segmentation.plan([voiced], samples, rate, replace(limits, min_pause=1e6, max_joined_pause=1e6))
    if len(plan.kept) == 1:
        span = plan.kept[0]
        return Found((Utterance(heard, span.start, span.end, said.text, normalized, said.speaker),), ())
    reason = "too_short" if voiced.duration < limits.min_duration else "too_long"
    return Found((), (rejection(heard, voiced, reason, said.text),))


def from_script(recordings: Sequence[Heard], script: Sequence[str], means: Means, observer: Observer) -> Found:
    """Utterances of recordings that read one script together, in order.

    Raises:
        DatasetError: `script_mismatch` when the recordings say something else, `no_speech`.
    """
    normalized = [means.spoken(sentence) for sentence in script]
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
    joined = np.concatenate(parts[:-1])
    match = match_script(
        joined, spans, normalized, means.lexicon, observer, limits=means.limits, processes=means.processes
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
