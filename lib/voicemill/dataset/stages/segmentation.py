"""Stage `segmentation`: recordings and their text to utterances."""

from __future__ import annotations

import bisect
import dataclasses
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from voicemill.align.script import Script, ScriptMatch, match_script
from voicemill.align.script_recognition import require_words_and_speech
from voicemill.audio import segmentation
from voicemill.audio.cuts import CutReason
from voicemill.audio.level_envelope import LevelEnvelope
from voicemill.audio.vad import Span
from voicemill.audio.waveform import FileWaveform
from voicemill.dataset import captioned
from voicemill.dataset.cached_recognition import CachedScriptRecogniser, CachedTranscriber
from voicemill.dataset.recordings import DecodedRecording, DecodedRecordings
from voicemill.dataset.report import Rejection
from voicemill.dataset.sources import ClipText, Sources
from voicemill.dataset.utterances import SegmentationResult, Utterance, outside, rejection
from voicemill.errors import DatasetError
from voicemill.progress import Observer, SilentObserver
from voicemill.text.frontend.sentences import split_sentences
from voicemill.text.lexicon import default_lexicon
from voicemill.text.normalise import normalise

if TYPE_CHECKING:
    from voicemill.dataset.context import PreparationContext

NAME = "segmentation"
GAP_SECONDS = 2.0
"""Silence put between recordings that share one script: longer than any pause that an utterance may hold."""
_CAPTION: CutReason = "caption"
_DROPPED = {"too_short": "too_short", "no_pause": "too_long"}


def run(context: PreparationContext, sources: Sources, decoded: DecodedRecordings) -> SegmentationResult:
    """Find the utterances of all recordings.

    Raises:
        DatasetError: `script_mismatch`, `no_speech`, or `dataset_no_valid_audio` when no utterance is left.
    """
    recordings = decoded.usable
    steps = sum(len(one.spans) for one in recordings) if sources.script else len(recordings)
    with context.clock.stage(NAME, steps, decoded.seconds):
        if sources.script:
            found = from_script(recordings, sources.script, context, context.observer)
        else:
            texts = [sources.texts[one.index] for one in recordings]
            found = from_clips(recordings, texts, context, context.observer)
    if not found.utterances:
        _refuse(found, sources)
    return dataclasses.replace(found, recordings=recordings)


def _refuse(found: SegmentationResult, sources: Sources) -> NoReturn:
    reasons = {row.reason for row in found.rejected}
    if sources.script and not reasons & {"too_long", "too_short"}:
        raise DatasetError(
            "No sentence of the script was found in the recording.",
            reason="script_mismatch",
            hint="Give the script of this recording, in the order in which it is read. Recording and script must be in "
            "English.",
        )
    raise DatasetError(
        f"No clip can be made of the recording: {', '.join(sorted(reasons)) or 'no speech'}.",
        reason="dataset_no_valid_audio",
        hint="Give recordings of sentences of 1 to 12 seconds with pauses between them.",
    )


def from_clips(
    clips: Sequence[DecodedRecording], texts: Sequence[ClipText], context: PreparationContext, observer: Observer
) -> SegmentationResult:
    """Utterances of recordings with a text each.

    A clip is one utterance: its speech with a little silence around it and all pauses inside. A recording with more
    speech than an utterance may hold is cut with its text as the script. A clip that fits neither way is rejected.
    """
    parts = []
    for done, (recording, given) in enumerate(zip(clips, texts, strict=True), start=1):
        try:
            parts.append(_one_clip(recording, given, context))
        except DatasetError as error:
            if error.code not in ("text_not_english", "script_mismatch", "missing_transcript"):
                raise
            row = rejection(recording, Span(0.0, recording.seconds), error.code, given.text[:200], str(error))
            parts.append(SegmentationResult((), (row,)))
        observer.advance(done)
    return SegmentationResult(
        tuple(utterance for part in parts for utterance in part.utterances),
        tuple(row for part in parts for row in part.rejected),
        tuple(sentence for part in parts for sentence in part.unspoken),
    )


def _one_clip(recording: DecodedRecording, given: ClipText, context: PreparationContext) -> SegmentationResult:
    limits = context.request.segmentation
    if not recording.spans:
        return SegmentationResult((), (rejection(recording, Span(0.0, recording.seconds), "no_speech", given.text),))
    if given.captions:
        return _with_captions(recording, given, context)
    if not given.text and context.transcriber is not None:
        return _without_text(recording, context, context.transcriber)
    voiced = Span(recording.spans[0].start, recording.spans[-1].end)
    if voiced.duration <= limits.max_duration:
        # a clip is not cut at its pauses
        whole = replace(limits, min_pause=1e6, max_joined_pause=1e6)
        plan = segmentation.plan_by_levels([voiced], LevelEnvelope.of_waveform(FileWaveform((recording.path,))), whole)
        if len(plan.kept) == 1:
            span, cuts = plan.kept[0], plan.cuts[0]
            spoken = normalise(given.normalized or given.text)
            one = Utterance(recording, span.start, span.end, given.text, spoken, given.speaker, cuts=cuts)
            return SegmentationResult((one,), ())
        if voiced.duration < limits.min_duration:
            return SegmentationResult((), (rejection(recording, voiced, reason="too_short", text=given.text),))
    # longer than a clip may be, or too long with the silence at its ends
    sentences = split_sentences(given.normalized or given.text, default_lexicon())
    found = from_script([recording], sentences, context, SilentObserver())
    return replace(found, utterances=tuple(replace(one, speaker=given.speaker) for one in found.utterances))


def _without_text(
    recording: DecodedRecording, context: PreparationContext, transcriber: CachedTranscriber
) -> SegmentationResult:
    """Utterances of a recording without text: cut at its pauses, with the recogniser's text of each."""
    waveform = FileWaveform((recording.path,))
    plan = segmentation.plan_by_levels(
        list(recording.spans), LevelEnvelope.of_waveform(waveform), context.request.segmentation
    )
    rejected = [rejection(recording, one.span, _DROPPED[one.reason]) for one in plan.dropped]
    utterances = []
    texts = transcriber.transcribe(waveform, plan.kept)
    for span, text, cuts, joins in zip(plan.kept, texts, plan.cuts, plan.joins, strict=True):
        try:
            spoken = normalise(text) if text else ""
        except DatasetError as error:
            if error.code != "text_not_english":
                raise
            rejected.append(rejection(recording, span, error.code, text, str(error)))
            continue
        if not spoken:
            rejected.append(rejection(recording, span, "no_text", text, "the recogniser understood nothing"))
            continue
        utterances.append(
            Utterance(recording, span.start, span.end, text, spoken, cuts=cuts, joins=joins, recognised=True)
        )
    return SegmentationResult(tuple(utterances), tuple(rejected))


def _with_captions(recording: DecodedRecording, given: ClipText, context: PreparationContext) -> SegmentationResult:
    """Utterances of a timed transcript; captions outside the part that was taken are passed over."""
    offset = recording.source.offset
    captions = [replace(one, start=one.start - offset, end=one.end - offset) for one in given.captions]
    captions = [one for one in captions if one.start < recording.seconds and one.end > 0.0]
    groups = captioned.group(captions, recording.spans, recording.seconds, context.request.segmentation)
    rejected: list[Rejection] = []
    good: list[tuple[captioned.Group, str]] = []
    for one in groups:
        try:
            spoken = normalise(one.text)
        except DatasetError as error:
            if error.code != "text_not_english":
                raise
            one, spoken = replace(one, problem=error.code), ""
        if not one.problem:
            good.append((one, spoken))
    taken = [one.voiced for one, _ in good]
    others = [
        (part, "no_text", "") for span in recording.spans for part in outside(span, [one.voiced for one in groups])
    ]
    levels = LevelEnvelope.of_waveform(FileWaveform((recording.path,)))
    spans = sorted(taken + [part for part, _, _ in others])
    padded = dict(
        zip((span.start for span in spans), segmentation.pad(spans, levels, context.request.segmentation), strict=True)
    )
    utterances = []
    for one, spoken in good:
        span, (start, end) = padded[one.voiced.start]
        cuts = (replace(start, reason=_CAPTION), replace(end, reason=_CAPTION))
        utterances.append(
            Utterance(recording, span.start, span.end, one.text, spoken, given.speaker, cuts=cuts, joins=one.joins)
        )
    held = [Span(one.start, one.end) for one in utterances]
    faulty = [(one.voiced, one.problem, one.text) for one in groups if one.voiced not in taken]
    for claim, reason, text in faulty + others:
        for rest in outside(Span(max(0.0, claim.start), min(recording.seconds, claim.end)), held):
            rejected.append(rejection(recording, rest, reason or "text_not_english", text))
            held.append(rest)
    return SegmentationResult(tuple(utterances), tuple(rejected))


def from_script(
    recordings: Sequence[DecodedRecording], script: Sequence[str], context: PreparationContext, observer: Observer
) -> SegmentationResult:
    """Utterances of recordings that read one script together, in order.

    Raises:
        DatasetError: `script_mismatch` when the recordings do not read the script, `no_speech`.
    """
    normalized = [normalise(sentence) for sentence in script]
    joined = FileWaveform(tuple(recording.path for recording in recordings), GAP_SECONDS)
    starts = joined.starts
    spans = [
        Span(start + span.start, start + span.end)
        for start, recording in zip(starts, recordings, strict=True)
        for span in recording.spans
    ]
    read = Script(tuple(normalized), context.lexicon)
    require_words_and_speech(read, spans)
    digests = tuple(recording.digest for recording in recordings)
    recogniser = CachedScriptRecogniser(digests, GAP_SECONDS, context.cache, context.pool, context.staging)
    hypothesis = recogniser.recognise(joined, spans, read, observer)
    match = match_script(joined, spans, read, hypothesis, limits=context.request.segmentation)
    return _placed(match, recordings, starts, script, normalized)


def _placed(
    match: ScriptMatch,
    recordings: Sequence[DecodedRecording],
    starts: Sequence[float],
    script: Sequence[str],
    normalized: Sequence[str],
) -> SegmentationResult:
    """Times of the joined recordings back to times in each of them."""

    def place(start: float, end: float) -> tuple[DecodedRecording, Span]:
        index = bisect.bisect_right(starts, (start + end) / 2) - 1
        recording = recordings[index]
        return recording, Span(max(0.0, start - starts[index]), min(recording.seconds, end - starts[index]))

    utterances = []
    for found in match.utterances:
        recording, span = place(found.start, found.end)
        whole = " ".join(normalized[index] for index in found.sentences) == found.text
        text = " ".join(script[index] for index in found.sentences) if whole else found.text
        begin = starts[bisect.bisect_right(starts, (found.start + found.end) / 2) - 1]
        utterances.append(
            Utterance(
                recording,
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
    taken: dict[Path, list[Span]] = defaultdict(list)  # each second counts once
    for utterance in utterances:
        taken[utterance.recording.path].append(Span(utterance.start, utterance.end))
    for (recording, span), reason, text in claims:
        for rest in outside(span, taken[recording.path]):
            rejected.append(rejection(recording, rest, reason, text))
            taken[recording.path].append(rest)
    return SegmentationResult(tuple(utterances), tuple(rejected), tuple(script[index] for index in match.skipped))
