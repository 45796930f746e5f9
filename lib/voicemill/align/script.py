"""A long recording and its script, in reading order: utterances of 1 to 12 s, cut in pauses.

1. `script_recognition` recognises the speech with a language model of the script.
2. `script_matching` finds takes of the script's sentences among the recognised words.
3. `utterance_boundaries` cuts utterances in the pauses around the takes; `long_utterances` splits the long ones.

Sentences may be skipped or repeated, and other speech may come between them. A script of another recording is refused.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from voicemill.align.forced_alignment import Aligner
from voicemill.align.long_utterances import split_long_utterance
from voicemill.align.script_matching import choose_takes, find_takes
from voicemill.align.script_recognition import HypothesisWord, Script, recognise_script, require_words_and_speech
from voicemill.align.utterance_boundaries import SpeechRegions, UtteranceDraft, draft_utterances
from voicemill.audio.cuts import Cut, Join
from voicemill.audio.level_envelope import LevelEnvelope
from voicemill.audio.segmentation import Segmentation, pad
from voicemill.audio.vad import Span
from voicemill.audio.waveform import Waveform
from voicemill.errors import DatasetError
from voicemill.progress import SilentObserver
from voicemill.text.normalise import words as words_of

MIN_SHARE = 0.5
"""If less than this share of the speech and of the script is matched, the script belongs to another recording."""
_MERGE_SECONDS = 0.5
"""Unmatched spans with a shorter pause between them are reported as one."""


@dataclass(frozen=True)
class ScriptUtterance:
    """An utterance of a recording with the part of the script that it reads.

    Attributes:
        start: seconds, in a pause.
        end: seconds, in a pause.
        text: normalised sentences of the script, or the part of a sentence that is read here.
        sentences: indices of these sentences in the script.
        similarity: 1 - word errors / words, where errors compare the recogniser's hypothesis with the text.
        character_errors: character error rate of the hypothesis against the text; None if not measured.
        cuts: position of its start and end, with the reason for each.
        joins: pauses inside it at which it was not split.
    """

    start: float
    end: float
    text: str
    sentences: tuple[int, ...]
    similarity: float
    character_errors: float | None = None
    cuts: tuple[Cut, ...] = ()
    joins: tuple[Join, ...] = ()

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.end - self.start


@dataclass(frozen=True)
class RepeatedTake:
    """A take of a sentence that is not used, because a later good take of the sentence is."""

    start: float
    end: float
    sentence: int


@dataclass(frozen=True)
class Unusable:
    """Speech with known text that cannot be a clip.

    The reason is `too_long` (no pause to split at), `too_short` or `extra_speech` (contains speech that is not in the
    script).
    """

    start: float
    end: float
    text: str
    reason: str


@dataclass(frozen=True)
class ScriptMatch:
    """The result; every speech span is in an utterance, a repeated take, an unusable part or an unmatched span.

    Attributes:
        utterances: ascending, disjoint, within the limits.
        skipped: indices of the sentences that were not found.
        repeats: unused takes of sentences that were found.
        unusable: speech with known text that cannot be cut to the limits.
        unmatched: speech without text.
        speech_seconds: length of all speech.
        matched_seconds: length of the speech in utterances, repeated takes and unusable parts.
    """

    utterances: tuple[ScriptUtterance, ...]
    skipped: tuple[int, ...]
    repeats: tuple[RepeatedTake, ...]
    unusable: tuple[Unusable, ...]
    unmatched: tuple[Span, ...]
    speech_seconds: float
    matched_seconds: float


def match_script(
    waveform: Waveform,
    spans: Sequence[Span],
    script: Script,
    hypothesis: Sequence[HypothesisWord] | None = None,
    *,
    limits: Segmentation | None = None,
) -> ScriptMatch:
    """Find the sentences of a script in a recording.

    Args:
        waveform: the recording.
        spans: speech from `vad.speech_spans`, ascending and disjoint.
        script: normalised sentences in reading order, and their lexicon.
        hypothesis: the words that were recognised in the spans; None recognises them here.
        limits: durations and padding of utterances.

    Raises:
        DatasetError: see `require_words_and_speech`; `script_mismatch`, the recording reads another text (the message
            names the first spans without text).
    """
    limits = limits or Segmentation()
    require_words_and_speech(script, spans)
    if hypothesis is None:
        hypothesis = recognise_script(waveform, spans, script, SilentObserver())
    takes, repeated = choose_takes(find_takes(script.words, [word.text for word in hypothesis]), script.words)
    regions = SpeechRegions(spans, hypothesis)
    drafts = _draft(draft_utterances(takes, regions, script.sentences, limits), waveform, script, limits)
    repeats = [
        RepeatedTake(hypothesis[take.first].start, hypothesis[take.last - 1].end, take.sentence) for take in repeated
    ]
    covered = sorted([draft.span for draft in drafts] + [Span(take.start, take.end) for take in repeats])
    unmatched = _uncovered(regions.spans, covered)
    speech = sum(span.duration for span in spans)
    matched = speech - sum(span.duration for span in unmatched)
    found = {take.sentence for take in takes}
    skipped = [index for index, words in enumerate(script.words) if words and index not in found]
    _check(matched / speech, 1.0 - len(skipped) / sum(map(bool, script.words)), unmatched)
    utterances = _pad([draft for draft in drafts if not draft.problem], unmatched, waveform, limits)
    return ScriptMatch(
        utterances=tuple(_with_character_errors(utterances, hypothesis)),
        skipped=tuple(skipped),
        repeats=tuple(repeats),
        unusable=tuple(
            Unusable(draft.span.start, draft.span.end, draft.text, draft.problem) for draft in drafts if draft.problem
        ),
        unmatched=tuple(_merge(unmatched)),
        speech_seconds=speech,
        matched_seconds=matched,
    )


def _draft(
    drafts: Sequence[UtteranceDraft], waveform: Waveform, script: Script, limits: Segmentation
) -> list[UtteranceDraft]:
    """The drafts, those that are too long split by forced alignment where possible."""
    if not any(draft.problem == "too_long" for draft in drafts):
        return list(drafts)
    aligner = Aligner(script.lexicon)
    return [
        part
        for draft in drafts
        for part in (
            split_long_utterance(draft, waveform, script.sentences, aligner, limits)
            if draft.problem == "too_long"
            else [draft]
        )
    ]


def _uncovered(spans: Sequence[Span], covered: Sequence[Span]) -> list[Span]:
    """The spans with less than half of their length inside `covered` (in ascending order)."""
    starts = [span.start for span in covered]
    ends = list(itertools.accumulate((span.end for span in covered), max))
    found = []
    for span in spans:
        near = covered[bisect.bisect_right(ends, span.start) : bisect.bisect_left(starts, span.end)]
        inside = sum(max(0.0, min(span.end, other.end) - max(span.start, other.start)) for other in near)
        if inside < 0.5 * span.duration:
            found.append(span)
    return found


def _with_character_errors(
    utterances: Sequence[ScriptUtterance], hypothesis: Sequence[HypothesisWord]
) -> list[ScriptUtterance]:
    """The utterances with the character error rate of the hypothesis inside each of them."""
    import jiwer

    middles = [(word.start + word.end) / 2 for word in hypothesis]
    compared = []
    for one in utterances:
        words = hypothesis[bisect.bisect_left(middles, one.start) : bisect.bisect_right(middles, one.end)]
        rate = jiwer.cer(" ".join(words_of(one.text)), " ".join(word.text for word in words))
        compared.append(replace(one, character_errors=float(rate)))
    return compared


def _merge(spans: Sequence[Span]) -> list[Span]:
    """Spans with only a short pause between them, as one span for a report."""
    merged: list[Span] = []
    for span in spans:
        if merged and span.start - merged[-1].end < _MERGE_SECONDS:
            merged[-1] = Span(merged[-1].start, span.end)
        else:
            merged.append(span)
    return merged


def _check(speech_share: float, script_share: float, unmatched: Sequence[Span]) -> None:
    if speech_share >= MIN_SHARE or script_share >= MIN_SHARE:
        return
    where = ", ".join(f"{span.start:.1f}-{span.end:.1f} s" for span in _merge(unmatched)[:5])
    raise DatasetError(
        f"The script does not match the recording: {speech_share:.0%} of the speech has text in the script, and "
        f"{script_share:.0%} of the sentences were found; no text for {where}, ...",
        reason="script_mismatch",
        hint="Give the script of this recording, in the order in which it is read. Recording and script must be in "
        "English.",
    )


def _pad(
    drafts: Sequence[UtteranceDraft], others: Sequence[Span], waveform: Waveform, limits: Segmentation
) -> list[ScriptUtterance]:
    """Utterances with silence on both sides, cut at the quietest point of each pause.

    `others` is the speech outside the drafts: pauses beside it are shared with it.
    """
    spans = sorted([draft.span for draft in drafts] + list(others))
    levels = LevelEnvelope.of_waveform(waveform)
    padded = dict(zip((span.start for span in spans), pad(spans, levels, limits), strict=True))
    found = []
    for draft in drafts:
        span, (start, end) = padded[draft.span.start]
        found.append(
            ScriptUtterance(
                start=span.start,
                end=span.end,
                text=draft.text,
                sentences=draft.sentences,
                similarity=draft.similarity,
                cuts=(replace(start, reason=draft.before), replace(end, reason=draft.after)),
                joins=draft.joins,
            )
        )
    return found


__all__ = [
    "HypothesisWord",
    "RepeatedTake",
    "Script",
    "ScriptMatch",
    "ScriptUtterance",
    "Unusable",
    "match_script",
]
