"""Figures as people read them: what they are called, how they are rounded, one line each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from voicemill.evaluation.judging import outside_words
from voicemill.evaluation.model import Evaluation, Figure

NONE = "\N{EN DASH}"
TIMES = "\N{MULTIPLICATION SIGN}"
LABELS = {
    "cer_real": "Character error rate, recordings",
    "wer_real": "Word error rate, recordings",
    "cer": "Character error rate, synthesised",
    "wer": "Word error rate, synthesised",
    "cer_excess": "Character error rate above the recordings'",
    "wer_excess": "Word error rate above the recordings'",
    "cer_ratio": "Error rate, synthesised over recorded",
    "mcd": "Mel-cepstral distortion",
    "copy_mcd": "Distortion of the vocoder alone",
    "copy_stft": "STFT distance of the vocoder alone",
    "f0_rmse": "Pitch error",
    "f0_correlation": "Pitch correlation",
    "gross_pitch_error": "Gross pitch error",
    "voicing_error": "Voicing error",
    "f0_frame_error": "F0 frame error",
    "duration_ratio": "Length, synthesised over recorded",
    "duration_error": "Error of sentence lengths",
    "long_cer": "Character error rate, long sentences",
    "long_cer_excess": "Long sentences' error rate above their clauses'",
    "long_duration_ratio": "Length of long sentences over their clauses'",
    "number_cer": "Character error rate, numbers and dates",
    "number_wer": "Word error rate, numbers and dates",
    "number_reading": "Numbers read as a person would",
    "speed": "Speed",
    "real_time_factor": "Real-time factor",
    "median_f0": "Median pitch, synthesised",
    "median_f0_real": "Median pitch, recordings",
    "speaker_similarity": "Speaker similarity",
    "speaker_distance": "Distance to the own speaker",
    "speaker_distance_real": "Distance of the recordings to their speaker",
}
"""Figure -> what the report calls it."""


@dataclass(frozen=True)
class Row:
    """A figure in the full table."""

    label: str
    value: str
    interval: str
    samples: str
    method: str
    source: str


def shown(name: str, figure: Figure) -> str:
    """A figure's value and unit in one string; `not measured` for a null."""
    return " ".join(part for part in value_and_unit(name, figure) if part)


def value_and_unit(name: str, figure: Figure) -> tuple[str, str]:
    """A figure as a reader wants it: error rates in percent, the rest with few digits."""
    if figure.value is None:
        return "not measured", ""
    if name in ("cer_ratio", "duration_ratio", "long_duration_ratio"):
        return f"{figure.value:.2f}", TIMES
    if name == "real_time_factor":
        return f"{figure.value:.3f}", ""
    if figure.unit == "ratio":
        return f"{100 * figure.value:.1f}", "%"
    if figure.unit in ("distance", "correlation", "cosine"):
        return f"{figure.value:.3f}", ""
    digits = 0 if figure.unit in ("Hz", "cents") else 1
    return f"{figure.value:.{digits}f}", f"{TIMES} real time" if figure.unit == "x real time" else figure.unit


def row(name: str, figure: Figure) -> Row:
    """A figure's line in the full table; a null shows why."""
    spread = f"{100 * figure.interval[0]:.1f} to {100 * figure.interval[1]:.1f} %" if figure.interval else NONE
    method = figure.method if figure.value is not None else f"{figure.method} Not measured: {figure.not_measured}"
    return Row(
        label=LABELS.get(name, name),
        value=shown(name, figure),
        interval=spread,
        method=method,
        samples=NONE if figure.samples is None else f"{figure.samples:,}",
        source=f"{figure.library} {figure.version}",
    )


def in_order(evaluation: Evaluation) -> list[str]:
    """Names of the figures in the order of `LABELS`."""
    known = list(LABELS)
    return sorted(evaluation.figures, key=lambda name: (known.index(name) if name in known else len(known), name))


def lines(evaluation: Evaluation) -> Iterator[str]:
    """The evaluation as plain text, a figure a line; a null says why."""
    for name in in_order(evaluation):
        figure = evaluation.figures[name]
        rests = f"  ({figure.samples} sentences)" if figure.samples else f"  {figure.not_measured or ''}"
        yield f"{LABELS.get(name, name):<46}{shown(name, figure):>20}{rests}".rstrip()
    yield f"{'Predicted opinion score':<46}{'not measured':>20}  {evaluation.not_measured.get('mos_proxy', '')}"
    heard_by = f"{evaluation.recogniser} {evaluation.recogniser_version}"
    yield f"heard by {heard_by}, spoken through {evaluation.chosen_vocoder}"
    outside = [result for result in evaluation.limits if not result.holds]
    for result in outside:
        yield f"OUTSIDE  {outside_words(result)}"
    if evaluation.limits and not outside:
        yield f"inside all {len(evaluation.limits)} limits"
