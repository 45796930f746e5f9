"""Which stretch of which recording says which text."""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from voicemill.align.script import Script, ScriptMatch, match_script
from voicemill.audio import segmentation
from voicemill.audio.cuts import Cut, CutReason, Join
from voicemill.audio.level_envelope import LevelEnvelope
from voicemill.audio.segmentation import Segmentation
from voicemill.audio.vad import Span
from voicemill.audio.waveform import FileWaveform
from voicemill.dataset import captioned
from voicemill.dataset.listening import Memory
from voicemill.dataset.pool import TaskPool
from voicemill.dataset.recognising import Ears
from voicemill.dataset.recordings import Recording
from voicemill.dataset.report import Rejection
from voicemill.dataset.sources import ClipText
from voicemill.errors import DatasetError
from voicemill.progress import Observer, SilentObserver
from voicemill.text import normalise
from voicemill.text.lexicon import Lexicon
from voicemill.text.transcripts import split_sentences

_SLIVER = 0.01
_CAPTION: CutReason = "caption"
_DROPPED = {"too_short": "too_short", "no_pause": "too_long"}
GAP_SECONDS = 2.0
"""Silence put between recordings that share one script: longer than any pause that an utterance may hold."""


@dataclass(frozen=True)
class Heard:
    """A decoded recording: 32-bit float at the dataset's rate, its length, where somebody speaks, its digest, and where
    the voice was taken out of music or noise.
    """

    recording: Recording
    decoded: Path
    seconds: float
    spans: tuple[Span, ...]
    digest: str = ""
    separated: tuple[Span, ...] = ()


@dataclass(frozen=True)
class Utterance:
    """A stretch of a decoded recording (seconds in it) and what it says.

    Attributes:
        character_errors: what a recogniser heard in it against its text; None when nobody listened.
        cuts: why it begins and ends where it does; seconds in the recording, as `start` and `end`.
        joins: pauses inside it at which it was not parted.
        recognised: its text was made by a recogniser.
        verdict: of a person: `drop` leaves it out, `keep` takes it whatever it measures.
    """

    heard: Heard
    start: float
    end: float
    text: str
    normalized: str
    speaker: int | None = None
    character_errors: float | None = None
    cuts: tuple[Cut, ...] = ()
    joins: tuple[Join, ...] = ()
    recognised: bool = False
    verdict: Literal["drop", "keep"] | None = None

    @property
    def separated(self) -> bool:
        """Whether the voice was taken out of music or noise somewhere in it."""
        return any(window.start < self.end and self.start < window.end for window in self.heard.separated)

    def rejected(self, reason: str, detail: str = "") -> Rejection:
        """A row of the report that says why this utterance became no clip."""
        return rejection(self.heard, Span(self.start, self.end), reason, self.text, detail)


@dataclass(frozen=True)
class Found:
    """Utterances in reading order, what was left out, and the sentences of the script that nobody said; `heard` are
    the recordings.
    """

    utterances: tuple[Utterance, ...]
    rejected: tuple[Rejection, ...]
    unspoken: tuple[str, ...] = ()
    heard: tuple[Heard, ...] = ()


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
        pool: listens to a long recording.
        shared: a folder that all of the pool see.
        cache: where what was heard is kept.
        ears: a recogniser for recordings without text.
    """

    lexicon: Lexicon
    limits: Segmentation
    grammars: Path
    pool: TaskPool
    shared: Path
    cache: Path
    ears: Ears | None = None

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
    if said.captions:
        return _of_captions(heard, said, means)
    if not said.text and means.ears is not None:
        return _of_ears(heard, means, means.ears)
    voiced = Span(heard.spans[0].start, heard.spans[-1].end)
    if voiced.duration > limits.max_duration:
        found = from_script([heard], split_sentences(said.normalized or said.text), means, SilentObserver())
        return replace(found, utterances=tuple(replace(one, speaker=said.speaker) for one in found.utterances))
    normalized = means.spoken(said.normalized or said.text)
    # no pause of a clip parts it
    whole = replace(limits, min_pause=1e6, max_joined_pause=1e6)
    plan = segmentation.plan_by_levels([voiced], LevelEnvelope.of_waveform(FileWaveform((heard.decoded,))), whole)
    if len(plan.kept) == 1:
        span, cuts = plan.kept[0], plan.cuts[0]
        return Found((Utterance(heard, span.start, span.end, said.text, normalized, said.speaker, cuts=cuts),), ())
    reason = "too_short" if voiced.duration < limits.min_duration else "too_long"
    return Found((), (rejection(heard, voiced, reason, said.text),))


def _of_ears(heard: Heard, means: Means, ears: Ears) -> Found:
    """Utterances of a recording without text: cut in its pauses, and what a recogniser hears in each."""
    waveform = FileWaveform((heard.decoded,))
    plan = segmentation.plan_by_levels(list(heard.spans), LevelEnvelope.of_waveform(waveform), means.limits)
    rejected = [rejection(heard, one.span, _DROPPED[one.reason]) for one in plan.dropped]
    utterances = []
    texts = ears.hear(waveform, plan.kept)
    for span, text, cuts, joins in zip(plan.kept, texts, plan.cuts, plan.joins, strict=True):
        try:
            spoken = means.spoken(text) if text else ""
        except DatasetError as error:
            if error.code != "text_not_english":
                raise
            rejected.append(rejection(heard, span, error.code, text, str(error)))
            continue
        if not spoken:
            rejected.append(rejection(heard, span, "no_text", text, "the recogniser understood nothing"))
            continue
        utterances.append(Utterance(heard, span.start, span.end, text, spoken, cuts=cuts, joins=joins, recognised=True))
    return Found(tuple(utterances), tuple(rejected))


def _of_captions(heard: Heard, said: ClipText, means: Means) -> Found:
    """Utterances of a timed transcript; captions outside the part that was taken are passed over."""
    offset = heard.recording.offset
    captions = [replace(one, start=one.start - offset, end=one.end - offset) for one in said.captions]
    captions = [one for one in captions if one.start < heard.seconds and one.end > 0.0]
    groups = captioned.group(captions, heard.spans, heard.seconds, means.limits)
    rejected: list[Rejection] = []
    good: list[tuple[captioned.Group, str]] = []
    for one in groups:
        try:
            spoken = means.spoken(one.text)
        except DatasetError as error:
            if error.code != "text_not_english":
                raise
            one, spoken = replace(one, problem=error.code), ""
        if not one.problem:
            good.append((one, spoken))
    taken = [one.voiced for one, _ in good]
    others = [(part, "no_text", "") for span in heard.spans for part in outside(span, [one.voiced for one in groups])]
    levels = LevelEnvelope.of_waveform(FileWaveform((heard.decoded,)))
    spans = sorted(taken + [part for part, _, _ in others])
    padded = dict(zip((span.start for span in spans), segmentation.pad(spans, levels, means.limits), strict=True))
    utterances = []
    for one, spoken in good:
        span, (start, end) = padded[one.voiced.start]
        cuts = (replace(start, reason=_CAPTION), replace(end, reason=_CAPTION))
        utterances.append(
            Utterance(heard, span.start, span.end, one.text, spoken, said.speaker, cuts=cuts, joins=one.joins)
        )
    held = [Span(one.start, one.end) for one in utterances]
    faulty = [(one.voiced, one.problem, one.text) for one in groups if one.voiced not in taken]
    for claim, reason, text in faulty + others:
        for rest in outside(Span(max(0.0, claim.start), min(heard.seconds, claim.end)), held):
            rejected.append(rejection(heard, rest, reason or "text_not_english", text))
            held.append(rest)
    return Found(tuple(utterances), tuple(rejected))


def from_script(recordings: Sequence[Heard], script: Sequence[str], means: Means, observer: Observer) -> Found:
    """Utterances of recordings that read one script together, in order.

    Raises:
        DatasetError: `script_mismatch` when the recordings say something else, `no_speech`.
    """
    normalized = [means.spoken(sentence) for sentence in script]
    joined = FileWaveform(tuple(heard.decoded for heard in recordings), GAP_SECONDS)
    starts = joined.starts
    spans = [
        Span(start + span.start, start + span.end)
        for start, heard in zip(starts, recordings, strict=True)
        for span in heard.spans
    ]
    match = match_script(
        joined,
        spans,
        Script(tuple(normalized), means.lexicon),
        observer,
        limits=means.limits,
        recognise=Memory(
            tuple(heard.digest for heard in recordings), GAP_SECONDS, means.cache, means.pool, means.shared
        ),
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
        begin = starts[bisect.bisect_right(starts, (found.start + found.end) / 2) - 1]
        utterances.append(
            Utterance(
                heard,
                span.start,
                span.end,
                text,
                found.text,
                character_errors=found.character_errors,
                cuts=tuple(replace(cut, second=cut.second - begin) for cut in found.cuts),
                joins=tuple(replace(join, second=join.second - begin) for join in found.joins),
            )
        )
    claims = [(place(take.start, take.end), "repeated_take", script[take.sentence]) for take in match.repeats]
    claims += [(place(part.start, part.end), part.reason, part.text) for part in match.unusable]
    claims += [(place(span.start, span.end), "no_text", "") for span in match.unmatched]
    rejected = []
    taken: dict[Path, list[Span]] = defaultdict(list)  # each second counts once, or the report would not add up
    for utterance in utterances:
        taken[utterance.heard.decoded].append(Span(utterance.start, utterance.end))
    for (heard, span), reason, text in claims:
        for rest in outside(span, taken[heard.decoded]):
            rejected.append(rejection(heard, rest, reason, text))
            taken[heard.decoded].append(rest)
    return Found(tuple(utterances), tuple(rejected), tuple(script[index] for index in match.skipped))


def outside(span: Span, taken: Sequence[Span]) -> list[Span]:
    """The parts of a span that no other span holds, in the order of time; slivers of less than 10 ms are left out."""
    rest, position = [], span.start
    for other in sorted(taken):
        if other.end <= position or other.start >= span.end:
            continue
        rest.append(Span(position, other.start))
        position = other.end
    rest.append(Span(position, span.end))
    return [part for part in rest if part.duration >= _SLIVER]
