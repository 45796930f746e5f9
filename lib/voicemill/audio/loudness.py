"""Loudness by EBU R 128, measured with ffmpeg's `ebur128` filter, and the gain to a target."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from voicemill.audio import decode, ffmpeg
from voicemill.errors import AudioError

SILENCE_LUFS = -70.0
"""The absolute gate of ITU-R BS.1770: quieter audio has no loudness."""

_FILTER = "ebur128=peak=true:framelog=verbose"
_INTEGRATED = re.compile(r"^\s+I:\s+(\S+) LUFS", re.MULTILINE)
_RANGE = re.compile(r"^\s+LRA:\s+(\S+) LU$", re.MULTILINE)
_PEAK = re.compile(r"True peak:\s+Peak:\s+(\S+) dBFS")


@dataclass(frozen=True)
class Loudness:
    """Loudness of one recording.

    Attributes:
        integrated_lufs: gated loudness of the whole recording (LUFS).
        true_peak_dbfs: highest peak between the samples, of the loudest channel (dBFS); -inf for digital silence.
        range_lu: loudness range (LU).
    """

    integrated_lufs: float
    true_peak_dbfs: float
    range_lu: float


def measure(path: Path) -> Loudness:
    """Measure a file in one pass.

    Raises:
        AudioError: `audio_unreadable`, ffmpeg cannot decode it; `audio_silent`, nothing is louder than -70 LUFS; and
            the errors of `probing.locate`.
        DependencyError: ffmpeg is not installed.
    """
    log = decode.analyse(path, _FILTER)
    return _parsed(path, log[log.rfind("Summary:") :] if "Summary:" in log else "", log)


def measure_all(paths: Sequence[Path]) -> list[Loudness | AudioError]:
    """Measure files that this toolbox wrote, several in one process; the same figures and errors as `measure`.

    Raises:
        DependencyError: ffmpeg is not installed.
    """
    found: list[Loudness | AudioError] = []
    for path, summary in zip(paths, ffmpeg.measure(paths, _FILTER), strict=True):
        try:
            found.append(_parsed(path, summary, summary) if summary else measure(path))
        except AudioError as error:
            found.append(error)
    return found


def _parsed(path: Path, summary: str, log: str) -> Loudness:
    found = [pattern.search(summary) for pattern in (_INTEGRATED, _PEAK, _RANGE)]
    if not all(found):
        raise AudioError(
            f"ffmpeg gave no loudness for {path.name}: {log.strip()[-200:]}",
            reason="audio_unreadable",
            hint="Check that the file plays, or convert it to WAV or FLAC.",
        )
    integrated, peak, span = (float(match.group(1)) if match else math.nan for match in found)
    if not integrated > SILENCE_LUFS:
        raise AudioError(
            f"{path.name} is silent: nothing in it is louder than {SILENCE_LUFS:.0f} LUFS.",
            reason="audio_silent",
            hint="Check the microphone and its level, and record again.",
        )
    return Loudness(integrated_lufs=integrated, true_peak_dbfs=peak, range_lu=span)


def joint_loudness(figures: Sequence[Loudness], seconds: Sequence[float]) -> Loudness:
    """Loudness of several recordings as one: energies averaged by length, the highest peak.

    All clips of a voice get one gain, so that a soft sentence stays softer than a loud one. The gating of EBU R 128
    works on each recording alone, so this differs a little from the figure of the recordings joined.
    """
    energy = sum(
        length * 10.0 ** (figure.integrated_lufs / 10.0) for figure, length in zip(figures, seconds, strict=True)
    )
    return Loudness(
        integrated_lufs=10.0 * math.log10(energy / sum(seconds)),
        true_peak_dbfs=max(figure.true_peak_dbfs for figure in figures),
        range_lu=max(figure.range_lu for figure in figures),
    )


def gain_to(loudness: Loudness, target_lufs: float = -23.0, peak_limit_dbfs: float = -1.0) -> float:
    """The constant gain to `target_lufs`, limited so that the true peak stays at or below `peak_limit_dbfs`.

    A constant gain keeps the dynamics of the voice, which a compressor would distort.

    Args:
        loudness: from `measure`.
        target_lufs: -23 is the broadcast level of EBU R 128, with headroom for speech peaks.
        peak_limit_dbfs: the recording stays below the target if its peaks would exceed this limit.

    Returns:
        Gain in dB; the factor is `10 ** (gain / 20)`.
    """
    wanted = target_lufs - loudness.integrated_lufs
    headroom = peak_limit_dbfs - loudness.true_peak_dbfs
    return min(wanted, headroom)
