"""Metrics of the judges (`voicemill.metrics.judges`): Whisper's errors, likeness to the speaker, opinion scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from voicemill.errors import NotMeasurableError
from voicemill.metrics.error_rate import excess, pooled, rate
from voicemill.metrics.inputs import JudgedPair, JudgedRecordings, JudgedSentences
from voicemill.metrics.intervals import mean
from voicemill.metrics.metric import (
    ENOUGH_EXCESS,
    FACTOR,
    Better,
    Estimate,
    LimitRule,
    Metric,
)

if TYPE_CHECKING:
    from voicemill.metrics.inputs import Likeness
    from voicemill.metrics.opinion import OpinionScores

_Given = TypeVar("_Given")
WHISPER_WER = "Word error rate of Whisper tiny.en, digits and signs spelled out, all errors over all words"
SIMILARITY = "Cosine of speaker embeddings to the mean of the speaker's training clips, mean over sentences"
CONFUSION = "Share of sentences whose speaker embedding is nearer to one of the shipped other people"
OVERALL = "Overall quality that DNSMOS P.835 predicts, 1 to 5, mean over sentences"
P808 = "Opinion score that DNSMOS P.808 predicts, 1 to 5, mean over sentences"


def _known(given: Sequence[_Given] | str) -> Sequence[_Given]:
    """The values that a judge gave.

    Raises:
        NotMeasurableError: there are none; with the reason.
    """
    if isinstance(given, str):
        raise NotMeasurableError(given)
    return given


def _whisper_ratio(pair: JudgedPair) -> Estimate:
    made, real = pooled(_known(pair.synthesised.words)), pooled(_known(pair.recorded.words))
    if not real.errors:
        raise NotMeasurableError("Whisper made no error on the real recordings: there is nothing to divide by.")
    return Estimate(made.rate / real.rate, samples=len(pair.synthesised.words))


def _similarity(given: Sequence[Likeness] | str) -> Estimate:
    return mean([each.own for each in _known(given)])


def _confusion(given: Sequence[Likeness] | str) -> Estimate:
    likeness = _known(given)
    if any(each.nearest is None for each in likeness):
        raise NotMeasurableError("There are no other people to compare with.")
    return mean([float(each.confused) for each in likeness])


def _similarity_ratio(pair: JudgedPair) -> Estimate:
    made, real = _similarity(pair.synthesised.likeness), _similarity(pair.recorded.likeness)
    if made.value is None or real.value is None or real.value <= 0:
        raise NotMeasurableError("The recordings themselves are not like their speaker: there is nothing to divide by.")
    return Estimate(made.value / real.value, samples=made.samples)


def _overall(given: Sequence[OpinionScores] | str) -> Estimate:
    return mean([each.overall for each in _known(given)])


def _p808(given: Sequence[OpinionScores] | str) -> Estimate:
    return mean([each.p808 for each in _known(given)])


def _p808_drop(pair: JudgedPair) -> Estimate:
    both = zip(_known(pair.recorded.opinions), _known(pair.synthesised.opinions), strict=True)
    return mean([real.p808 - made.p808 for real, made in both])


JUDGED: tuple[Metric, ...] = (
    Metric(
        name="wer_whisper_real",
        label="Word error rate by Whisper, recordings",
        unit="ratio",
        library="faster-whisper",
        method=WHISPER_WER,
        subject="real recordings",
        needs=JudgedRecordings,
        measure=lambda judged: rate(_known(judged.words)),
        of_recordings=True,
    ),
    Metric(
        name="wer_whisper",
        label="Word error rate by Whisper, synthesised",
        unit="ratio",
        library="faster-whisper",
        method=WHISPER_WER,
        subject="synthesised",
        needs=JudgedSentences,
        measure=lambda judged: rate(_known(judged.words)),
    ),
    Metric(
        name="wer_whisper_excess",
        label="Word error rate by Whisper above the recordings'",
        unit="ratio",
        library="faster-whisper",
        method="Word error rate by Whisper of the synthesised sentences less that of the recordings",
        needs=JudgedPair,
        measure=lambda pair: excess(_known(pair.synthesised.words), _known(pair.recorded.words)),
        limit=LimitRule("Whisper's word error rate above that of the recordings", judge=True),
    ),
    Metric(
        name="wer_whisper_ratio",
        label="Word error rate by Whisper, synthesised over recorded",
        unit="ratio",
        library="faster-whisper",
        method="Word error rate by Whisper of the synthesised sentences over that of the recordings",
        needs=JudgedPair,
        measure=_whisper_ratio,
        limit=LimitRule(
            "Whisper's word error rate over that of the recordings; an excess of up to 0.02 keeps it, too",
            judge=True,
            or_excess=("wer_whisper_excess", ENOUGH_EXCESS),
        ),
        display=FACTOR,
    ),
    Metric(
        name="speaker_similarity",
        label="Speaker similarity",
        unit="cosine",
        library="onnxruntime",
        method=SIMILARITY,
        subject="synthesised",
        needs=JudgedSentences,
        measure=lambda judged: _similarity(judged.likeness),
        better=Better.HIGHER,
        limit=LimitRule("cosine of embeddings", lowest=-1, highest=1),
    ),
    Metric(
        name="speaker_similarity_real",
        label="Speaker similarity, recordings",
        unit="cosine",
        library="onnxruntime",
        method=SIMILARITY,
        subject="real recordings",
        needs=JudgedRecordings,
        measure=lambda judged: _similarity(judged.likeness),
        of_recordings=True,
    ),
    Metric(
        name="speaker_similarity_ratio",
        label="Speaker similarity, synthesised over recorded",
        unit="ratio",
        library="onnxruntime",
        method="Speaker similarity of the synthesised sentences over that of the recordings",
        needs=JudgedPair,
        measure=_similarity_ratio,
        better=Better.HIGHER,
        limit=LimitRule("speaker similarity over that of the recordings", judge=True),
        display=FACTOR,
    ),
    Metric(
        name="speaker_confusion",
        label="Sentences nearer to another person",
        unit="ratio",
        library="onnxruntime",
        method=CONFUSION,
        subject="synthesised",
        needs=JudgedSentences,
        measure=lambda judged: _confusion(judged.likeness),
        limit=LimitRule("share of sentences that are more like another person", highest=1, judge=True),
    ),
    Metric(
        name="speaker_confusion_real",
        label="Recordings nearer to another person",
        unit="ratio",
        library="onnxruntime",
        method=CONFUSION,
        subject="real recordings",
        needs=JudgedRecordings,
        measure=lambda judged: _confusion(judged.likeness),
        of_recordings=True,
    ),
    Metric(
        name="dnsmos_overall",
        label="Predicted overall quality",
        unit="score",
        library="speechmos",
        method=OVERALL,
        subject="synthesised",
        needs=JudgedSentences,
        measure=lambda judged: _overall(judged.opinions),
        better=Better.HIGHER,
        limit=LimitRule("DNSMOS P.835 overall", judge=True),
    ),
    Metric(
        name="dnsmos_overall_real",
        label="Predicted overall quality, recordings",
        unit="score",
        library="speechmos",
        method=OVERALL,
        subject="real recordings",
        needs=JudgedRecordings,
        measure=lambda judged: _overall(judged.opinions),
        of_recordings=True,
    ),
    Metric(
        name="dnsmos_p808",
        label="Predicted opinion score",
        unit="score",
        library="speechmos",
        method=P808,
        subject="synthesised",
        needs=JudgedSentences,
        measure=lambda judged: _p808(judged.opinions),
        better=Better.HIGHER,
        limit=LimitRule("DNSMOS P.808", judge=True),
    ),
    Metric(
        name="dnsmos_p808_real",
        label="Predicted opinion score, recordings",
        unit="score",
        library="speechmos",
        method=P808,
        subject="real recordings",
        needs=JudgedRecordings,
        measure=lambda judged: _p808(judged.opinions),
        of_recordings=True,
    ),
    Metric(
        name="dnsmos_p808_drop",
        label="Predicted opinion score below the recordings'",
        unit="score",
        library="speechmos",
        method="DNSMOS P.808 of a recording less that of the synthesised sentence, mean over sentences",
        needs=JudgedPair,
        measure=_p808_drop,
        limit=LimitRule("DNSMOS P.808 below that of the recordings", judge=True),
    ),
)
"""All of them, in the order of tables."""
