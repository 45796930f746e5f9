"""Figures with their method, library and version: the one place that says how each number came about."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from importlib import metadata

from voicemill import __version__
from voicemill.errors import NotMeasurableError
from voicemill.evaluation.model import Figure
from voicemill.metrics.error_rate import ErrorRate, interval, pooled

DIGITS = 6
"""Figures are rounded to this many decimals: far below what any of them can resolve, and short enough to read."""

METHODS: dict[str, tuple[str, str, str]] = {
    "cer": ("ratio", "jiwer", "Character error rate of the recogniser's text, all errors over all characters"),
    "wer": ("ratio", "jiwer", "Word error rate of the recogniser's text, all errors over all words"),
    "cer_ratio": ("ratio", "jiwer", "Character error rate of the synthesised sentences over that of the recordings"),
    "cer_excess": ("ratio", "jiwer", "Character error rate of the synthesised sentences less that of the recordings"),
    "wer_excess": ("ratio", "jiwer", "Word error rate of the synthesised sentences less that of the recordings"),
    "mcd": (
        "dB",
        "voicemill",
        "Mel-cepstral distortion, coefficients 1 to 13, speech frames paired by dynamic time "
        "warping, mean over sentences",
    ),
    "copy_mcd": (
        "dB",
        "voicemill",
        "Mel-cepstral distortion of copy synthesis (the vocoder given the recording's mel "
        "spectrogram), mean over sentences",
    ),
    "copy_stft": ("distance", "voicemill", "Multi-resolution STFT distance of copy synthesis, mean over sentences"),
    "f0_rmse": (
        "cents",
        "voicemill",
        "Root mean square F0 difference over paired frames voiced in both without a gross error, mean over sentences",
    ),
    "f0_correlation": (
        "correlation",
        "numpy",
        "Pearson's correlation of F0 over paired frames voiced in both, mean over sentences",
    ),
    "gross_pitch_error": (
        "ratio",
        "voicemill",
        "Share of paired frames voiced in both whose F0 is more than 20% off, mean over sentences",
    ),
    "voicing_error": (
        "ratio",
        "voicemill",
        "Share of paired frames voiced in one and unvoiced in the other, mean over sentences",
    ),
    "f0_frame_error": (
        "ratio",
        "voicemill",
        "Share of paired frames with a gross pitch or a voicing error, mean over sentences",
    ),
    "duration_ratio": ("ratio", "voicemill", "Seconds synthesised over seconds recorded for the same sentences"),
    "duration_error": (
        "ratio",
        "voicemill",
        "Difference of the synthesised sentence's length from the recording's, as a share of it, mean over sentences",
    ),
    "speed": ("x real time", "python", "Seconds of sound over seconds of computing, text to samples, on this machine"),
    "real_time_factor": ("ratio", "python", "Seconds of computing over seconds of sound, the inverse of the speed"),
    "long_cer": ("ratio", "jiwer", "Character error rate of the shipped long sentences, each spoken at once"),
    "long_cer_excess": ("ratio", "jiwer", "That of long sentences less that of their clauses, spoken one by one"),
    "long_duration_ratio": (
        "ratio",
        "voicemill",
        "Seconds of the long sentences, each spoken at once, over those of their clauses, spoken one by one",
    ),
    "number_cer": (
        "ratio",
        "jiwer",
        "Character error rate of the shipped sentences with digits, against how a person would read them",
    ),
    "number_wer": (
        "ratio",
        "jiwer",
        "Word error rate of the shipped sentences with digits, against how a person would read them",
    ),
    "number_reading": (
        "ratio",
        "nemo_text_processing",
        "Share of the shipped sentences with digits that the normaliser reads as a person would",
    ),
    "speaker_similarity": (
        "cosine",
        "onnxruntime",
        "Cosine similarity of speaker embeddings, mean over sentences, to the mean of the speaker's own recordings",
    ),
    "median_f0": ("Hz", "voicemill", "Median F0 of voiced frames"),
    "speaker_distance": (
        "distance",
        "voicemill",
        "Bhattacharyya distance of Gaussians over mel cepstra 1 to 12, 80 to 3800 Hz, speech frames",
    ),
}
"""Kind of figure -> unit, library, method."""


def library_version(name: str) -> str:
    """Version of an installed library; our own and Python's for the names that are not packages."""
    if name == "voicemill":
        return __version__
    if name == "python":
        return platform.python_version()
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "unknown"


def figure(
    kind: str,
    value: float,
    *,
    samples: int | None = None,
    interval: tuple[float, float] | None = None,
    detail: str = "",
) -> Figure:
    """A measured figure of a known kind; `detail` is added to the method."""
    unit, library, method = METHODS[kind]
    spread = (round(interval[0], DIGITS), round(interval[1], DIGITS)) if interval else None
    return Figure(
        value=round(float(value), DIGITS),
        unit=unit,
        method=f"{method}{detail}.",
        library=library,
        version=library_version(library),
        samples=samples,
        interval=spread,
    )


def missing(kind: str, why: str, *, detail: str = "") -> Figure:
    """A figure that was not measured, and why."""
    unit, library, method = METHODS[kind]
    return Figure(
        value=None,
        unit=unit,
        method=f"{method}{detail}.",
        library=library,
        version=library_version(library),
        not_measured=why,
    )


def measured(kind: str, measure: Callable[[], float], *, samples: int | None = None, detail: str = "") -> Figure:
    """Call `measure`; an input that it has no meaning for becomes a null with the error's sentence."""
    try:
        return figure(kind, measure(), samples=samples, detail=detail)
    except NotMeasurableError as error:
        return missing(kind, str(error), detail=detail)


def mean_of(kind: str, values: Sequence[float | None], *, why: str, detail: str = "") -> Figure:
    """Mean over the sentences that carry the figure; null with `why` where none does."""
    present = [value for value in values if value is not None]
    if not present:
        return missing(kind, why, detail=detail)
    return figure(kind, sum(present) / len(present), samples=len(present), detail=detail)


def error_figure(kind: str, sentences: Sequence[ErrorRate], *, detail: str = "") -> Figure:
    """Error rate of a set of sentences with its 95% interval (of two sentences and more)."""
    spread = interval(sentences) if len(sentences) > 1 else None
    return figure(kind, pooled(sentences).rate, samples=len(sentences), interval=spread, detail=detail)
