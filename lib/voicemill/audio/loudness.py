"""Loudness after EBU R 128, measured by ffmpeg's `ebur128` filter, and the gain that brings a recording to a target."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

from voicemill.audio import decode
from voicemill.errors import AudioError

SILENCE_LUFS = -70.0
"""The absolute gate of ITU-R BS.1770: what never rises above it has no loudness."""

_INTEGRATED = re.compile(r"^\s+I:\s+(\S+) LUFS", re.MULTILINE)
_RANGE = re.compile(r"^\s+LRA:\s+(\S+) LU$", re.MULTILINE)
_PEAK = re.compile(r"True peak:\s+Peak:\s+(\S+) dBFS")


@dataclass(frozen=True)
class Loudness:
    """Figures of one recording.

    Attributes:
        integrated_lufs: gated loudness of the whole (LUFS).
        true_peak_dbfs: highest peak between the samples, of the loudest channel (dBFS); -inf for digital silence.
        range_lu: loudness range (LU).
    """

    integrated_lufs: float
    true_peak_dbfs: float
    range_lu: float


def measure(path: Path) -> Loudness:
    """Measure a file in one pass.

    Raises:
        AudioError: `audio_unreadable` when ffmpeg cannot decode it, `audio_silent` when nothing is louder than -70
            LUFS, and what `probing.locate` refuses.
        DependencyError: ffmpeg is not installed.
    """
    log = decode.analyse(path, "ebur128=peak=true:framelog=verbose")
    summary = log[log.rfind("Summary:") :] if "Summary:" in log else ""
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


def gain_to(loudness: Loudness, target_lufs: float = -23.0, peak_limit_dbfs: float = -1.0) -> float:
    """The one constant gain that brings a recording to `target_lufs` without its true peak passing `peak_limit_dbfs`.

    A constant gain keeps the dynamics of the voice; a compressor would teach them wrongly to the model.

    Args:
        loudness: figures of `measure`.
        target_lufs: wished loudness; -23 is EBU R 128's for broadcast and leaves headroom for speech peaks.
        peak_limit_dbfs: never exceeded; the recording stays below the target loudness instead.

    Returns:
        Gain in dB, to be applied as a factor `10 ** (gain / 20)`.
    """
    wished = target_lufs - loudness.integrated_lufs
    headroom = peak_limit_dbfs - loudness.true_peak_dbfs
    return min(wished, headroom)
