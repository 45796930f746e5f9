"""The catalogue of metrics. Figures, limits, wording and reports are derived from it (docs/extending.md).

The order is that of the limits and of the tables in reports.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from voicemill.errors import NotMeasurableError
from voicemill.metrics.error_rate import excess, pooled, rate
from voicemill.metrics.inputs import (
    CopyPair,
    HeldOutSentences,
    LongSentences,
    NumberSentences,
    RecognisedRecordings,
    RecognisedSentences,
    SentencePair,
    SpeakerSounds,
    SynthesisTime,
    duration_error,
)
from voicemill.metrics.judged import JUDGED
from voicemill.metrics.metric import (
    ENOUGH_EXCESS,
    FACTOR,
    PLAIN,
    Better,
    Estimate,
    LimitRule,
    Metric,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray


CER = "Character error rate of the recogniser's text, all errors over all characters"
WER = "Word error rate of the recogniser's text, all errors over all words"
SPEAKER_DISTANCE = "Bhattacharyya distance of Gaussians over mel cepstra 1 to 12, 80 to 3800 Hz, speech frames"


def _error_ratio(held_out: HeldOutSentences) -> Estimate:
    synthesised, recorded = pooled(held_out.synthesised.characters), pooled(held_out.recorded.characters)
    if not recorded.errors:
        raise NotMeasurableError("The recogniser made no error on the real recordings: there is nothing to divide by.")
    return Estimate(synthesised.rate / recorded.rate, samples=len(held_out.synthesised.characters))


def _copy_mcd(pair: CopyPair) -> float:
    from voicemill.metrics.spectral import MelSettings, log_mel, mel_cepstral_distortion

    settings = MelSettings(sample_rate=pair.sample_rate)
    return mel_cepstral_distortion(log_mel(pair.real, settings), log_mel(pair.copy, settings)).decibels


def _copy_stft(pair: CopyPair) -> float:
    from voicemill.metrics.spectral import stft_distance

    return stft_distance(pair.real, pair.copy)


def _median_f0(contour: NDArray) -> float | None:  # type: ignore[type-arg]
    import numpy as np

    voiced = contour[contour > 0]
    return float(np.median(voiced)) if len(voiced) else None


def _speaker_distance(speaker: SpeakerSounds) -> Estimate:
    from voicemill.metrics.speaker import speaker_distance

    distance = speaker_distance(speaker.synthesised_profile, speaker.own_profile)
    return Estimate(distance, samples=len(speaker.synthesised))


def _recorded_distance(speaker: SpeakerSounds) -> Estimate:
    from voicemill.metrics.speaker import speaker_distance

    if not speaker.own:
        raise NotMeasurableError("No other recordings of the speaker were given.")
    distance = speaker_distance(speaker.recorded_profile, speaker.own_profile)
    return Estimate(distance, samples=len(speaker.recorded))


def _pitch_shift(pair: SentencePair) -> float | None:
    import math

    made, real = _median_f0(pair.synthesised_f0), _median_f0(pair.real_f0)
    return None if made is None or real is None else abs(1200 * math.log2(made / real))


METRICS: tuple[Metric, ...] = (
    Metric(
        name="cer_real",
        label="Character error rate, recordings",
        unit="ratio",
        library="jiwer",
        method=CER,
        subject="real recordings",
        needs=RecognisedRecordings,
        measure=lambda recorded: rate(recorded.characters),
        of_recordings=True,
    ),
    Metric(
        name="wer_real",
        label="Word error rate, recordings",
        unit="ratio",
        library="jiwer",
        method=WER,
        subject="real recordings",
        needs=RecognisedRecordings,
        measure=lambda recorded: rate(recorded.words),
        of_recordings=True,
    ),
    Metric(
        name="cer",
        label="Character error rate, synthesised",
        unit="ratio",
        library="jiwer",
        method=CER,
        subject="synthesised",
        needs=RecognisedSentences,
        measure=lambda synthesised: rate(synthesised.characters),
    ),
    Metric(
        name="wer",
        label="Word error rate, synthesised",
        unit="ratio",
        library="jiwer",
        method=WER,
        subject="synthesised",
        needs=RecognisedSentences,
        measure=lambda synthesised: rate(synthesised.words),
    ),
    Metric(
        name="cer_excess",
        label="Character error rate above the recordings'",
        unit="ratio",
        library="jiwer",
        method="Character error rate of the synthesised sentences less that of the recordings",
        needs=HeldOutSentences,
        measure=lambda held_out: excess(held_out.synthesised.characters, held_out.recorded.characters),
        limit=LimitRule("character error rate above that of the recordings"),
    ),
    Metric(
        name="wer_excess",
        label="Word error rate above the recordings'",
        unit="ratio",
        library="jiwer",
        method="Word error rate of the synthesised sentences less that of the recordings",
        needs=HeldOutSentences,
        measure=lambda held_out: excess(held_out.synthesised.words, held_out.recorded.words),
        limit=LimitRule("word error rate above that of the recordings"),
    ),
    Metric(
        name="cer_ratio",
        label="Error rate, synthesised over recorded",
        unit="ratio",
        library="jiwer",
        method="Character error rate of the synthesised sentences over that of the recordings",
        needs=HeldOutSentences,
        measure=_error_ratio,
        limit=LimitRule(
            "character error rate over that of the recordings; an excess of up to 0.02 keeps it, too",
            or_excess=("cer_excess", ENOUGH_EXCESS),
        ),
        display=FACTOR,
    ),
    Metric(
        name="mcd",
        label="Mel-cepstral distortion",
        unit="dB",
        library="voicemill",
        method="Mel-cepstral distortion, coefficients 1 to 13, speech frames paired by dynamic time warping, "
        "mean over sentences",
        needs=SentencePair,
        measure=lambda pair: pair.distortion.decibels,
        limit=LimitRule("dB of mel-cepstral distortion"),
    ),
    Metric(
        name="copy_mcd",
        label="Distortion of the vocoder alone",
        unit="dB",
        library="voicemill",
        method="Mel-cepstral distortion of copy synthesis (the vocoder given the recording's mel spectrogram), "
        "mean over sentences",
        needs=CopyPair,
        measure=_copy_mcd,
    ),
    Metric(
        name="copy_stft",
        label="STFT distance of the vocoder alone",
        unit="distance",
        library="voicemill",
        method="Multi-resolution STFT distance of copy synthesis, mean over sentences",
        needs=CopyPair,
        measure=_copy_stft,
    ),
    Metric(
        name="f0_rmse",
        label="Pitch error",
        unit="cents",
        library="voicemill",
        method="Root mean square F0 difference over paired frames voiced in both without a gross error, "
        "mean over sentences",
        needs=SentencePair,
        measure=lambda pair: pair.pitch.f0_rmse_cents,
        limit=LimitRule("cents of pitch error"),
    ),
    Metric(
        name="f0_correlation",
        label="Pitch correlation",
        unit="correlation",
        library="numpy",
        method="Pearson's correlation of F0 over paired frames voiced in both, mean over sentences",
        needs=SentencePair,
        measure=lambda pair: pair.pitch.f0_correlation,
        better=Better.HIGHER,
        limit=LimitRule("correlation of the two melodies", lowest=-1, highest=1),
    ),
    Metric(
        name="median_f0_shift",
        label="Shift of the median pitch",
        unit="cents",
        library="voicemill",
        method="Difference of the median F0 of a synthesised sentence from its recording's, mean over sentences",
        needs=SentencePair,
        measure=_pitch_shift,
        limit=LimitRule("cents between the median pitches"),
        unmeasured="No frame is voiced.",
    ),
    Metric(
        name="gross_pitch_error",
        label="Gross pitch error",
        unit="ratio",
        library="voicemill",
        method="Share of paired frames voiced in both whose F0 is more than 20% off, mean over sentences",
        needs=SentencePair,
        measure=lambda pair: pair.pitch.gross_pitch_error,
        limit=LimitRule("share of frames, 0 to 1", highest=1),
    ),
    Metric(
        name="voicing_error",
        label="Voicing error",
        unit="ratio",
        library="voicemill",
        method="Share of paired frames voiced in one and unvoiced in the other, mean over sentences",
        needs=SentencePair,
        measure=lambda pair: pair.pitch.voicing_decision_error,
        limit=LimitRule("share of frames, 0 to 1", highest=1),
    ),
    Metric(
        name="f0_frame_error",
        label="F0 frame error",
        unit="ratio",
        library="voicemill",
        method="Share of paired frames with a gross pitch or a voicing error, mean over sentences",
        needs=SentencePair,
        measure=lambda pair: pair.pitch.f0_frame_error,
    ),
    Metric(
        name="duration_ratio",
        label="Length, synthesised over recorded",
        unit="ratio",
        library="voicemill",
        method="Seconds synthesised over seconds recorded for the same sentences",
        needs=HeldOutSentences,
        measure=lambda held_out: Estimate(
            held_out.samples / held_out.recorded_samples, samples=len(held_out.synthesised.characters)
        ),
        better=Better.NEAR_ONE,
        display=FACTOR,
    ),
    Metric(
        name="duration_error",
        label="Error of sentence lengths",
        unit="ratio",
        library="voicemill",
        method="Difference of the synthesised sentence's length from the recording's, as a share of it, "
        "mean over sentences",
        needs=SentencePair,
        measure=lambda pair: duration_error(
            len(pair.real) / pair.sample_rate, len(pair.synthesised) / pair.sample_rate
        ),
        limit=LimitRule("mean relative error of sentence lengths"),
    ),
    Metric(
        name="median_f0",
        label="Median pitch, synthesised",
        unit="Hz",
        library="voicemill",
        method="Median F0 of voiced frames",
        subject="mean over sentences, synthesised",
        needs=SentencePair,
        measure=lambda pair: _median_f0(pair.synthesised_f0),
        unmeasured="No frame is voiced.",
    ),
    Metric(
        name="median_f0_real",
        label="Median pitch, recordings",
        unit="Hz",
        library="voicemill",
        method="Median F0 of voiced frames",
        subject="mean over sentences, real recordings",
        needs=SentencePair,
        measure=lambda pair: _median_f0(pair.real_f0),
        unmeasured="No frame is voiced.",
        of_recordings=True,
    ),
    Metric(
        name="speaker_distance",
        label="Distance to the own speaker",
        unit="distance",
        library="voicemill",
        method=SPEAKER_DISTANCE,
        subject="to the own speaker",
        needs=SpeakerSounds,
        measure=_speaker_distance,
        limit=LimitRule("distance to the voice's own speaker"),
    ),
    Metric(
        name="speaker_distance_real",
        label="Distance of the recordings to their speaker",
        unit="distance",
        library="voicemill",
        method=SPEAKER_DISTANCE,
        subject="held-out recordings to the speaker's other recordings",
        needs=SpeakerSounds,
        measure=_recorded_distance,
        of_recordings=True,
    ),
    *JUDGED,
    Metric(
        name="speed",
        label="Speed",
        unit="x real time",
        library="python",
        method="Seconds of sound over seconds of computing, text to samples, on this machine",
        needs=SynthesisTime,
        measure=lambda time: Estimate(time.sound / time.computing, samples=time.sentences),
        better=Better.HIGHER,
        limit=LimitRule("seconds of sound in a second of computing"),
    ),
    Metric(
        name="real_time_factor",
        label="Real-time factor",
        unit="ratio",
        library="python",
        method="Seconds of computing over seconds of sound, the inverse of the speed",
        needs=SynthesisTime,
        measure=lambda time: Estimate(time.computing / time.sound, samples=time.sentences),
        display=PLAIN,
    ),
    Metric(
        name="long_cer",
        label="Character error rate, long sentences",
        unit="ratio",
        library="jiwer",
        method="Character error rate of the shipped long sentences, each spoken at once",
        needs=LongSentences,
        measure=lambda long: rate(long.characters),
    ),
    Metric(
        name="long_cer_excess",
        label="Long sentences' error rate above their clauses'",
        unit="ratio",
        library="jiwer",
        method="That of long sentences less that of their clauses, spoken one by one",
        needs=LongSentences,
        measure=lambda long: excess(long.characters, long.clause_characters),
        limit=LimitRule("character error rate of long sentences above that of their clauses"),
    ),
    Metric(
        name="long_duration_ratio",
        label="Length of long sentences over their clauses'",
        unit="ratio",
        library="voicemill",
        method="Seconds of the long sentences, each spoken at once, over those of their clauses, spoken one by one",
        needs=LongSentences,
        measure=lambda long: Estimate(long.samples / long.clause_samples, samples=len(long.characters)),
        better=Better.NEAR_ONE,
        limit=LimitRule("seconds of long sentences over those of their clauses"),
        display=FACTOR,
    ),
    Metric(
        name="number_cer",
        label="Character error rate, numbers and dates",
        unit="ratio",
        library="jiwer",
        method="Character error rate of the shipped sentences with digits, against how a person would read them",
        needs=NumberSentences,
        measure=lambda numbers: rate(numbers.recognised.characters),
        limit=LimitRule("character error rate of sentences with numbers and dates"),
    ),
    Metric(
        name="number_wer",
        label="Word error rate, numbers and dates",
        unit="ratio",
        library="jiwer",
        method="Word error rate of the shipped sentences with digits, against how a person would read them",
        needs=NumberSentences,
        measure=lambda numbers: rate(numbers.recognised.words),
    ),
    Metric(
        name="number_reading",
        label="Numbers read as a person would",
        unit="ratio",
        library="voicemill",
        method="Share of the shipped sentences with digits that the normaliser reads as a person would",
        needs=NumberSentences,
        measure=lambda numbers: Estimate(
            sum(numbers.read_well) / len(numbers.read_well), samples=len(numbers.read_well)
        ),
        better=Better.HIGHER,
        limit=LimitRule("share of such sentences that the normaliser reads as a person would", highest=1),
    ),
)
"""All metrics."""

BY_NAME = {metric.name: metric for metric in METRICS}
"""Name -> metric."""


def metrics_of(*inputs: type) -> Iterator[Metric]:
    """The metrics that are computed from one of these inputs."""
    return (metric for metric in METRICS if metric.needs in inputs)
