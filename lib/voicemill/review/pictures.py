"""Waveform, spectrogram and pitch of one clip, small enough for a page of hundreds, cached by content."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from voicemill import files
from voicemill.audio import decode
from voicemill.dataset import stage_cache
from voicemill.evaluation import charts
from voicemill.metrics import spectral

COLUMNS = 180
"""Width of both pictures, for a thumbnail 360 pixels wide; a clip of 4 s takes about 5 kB."""
BANDS = 40
HALF = 20
"""Units from the middle of the waveform's picture to its edge."""


@dataclass(frozen=True)
class PictureTask:
    """A clip with the digest `sha256`, the npz of its pitch, and the cache."""

    clip: Path
    sha256: str
    pitch: Path
    cache: Path


class ClipPictures(BaseModel):
    """Pictures of a clip for the pages.

    Attributes:
        wave: SVG path in a box of `COLUMNS` times `2 * HALF` units: the square root of the samples, full
            scale at the edges of the box.
        spectrogram: data URI of a PNG, low frequencies below, 0 to 8 kHz.
        pitch_hz: median over the voiced frames, None without any.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    wave: str
    spectrogram: str
    pitch_hz: float | None


def pictures_of(task: PictureTask) -> ClipPictures:
    """Draw one clip, or take the pictures from the cache; a damaged entry is drawn again."""
    code = stage_cache.code_digest(__name__)
    key = files.content_key(code, task.sha256, files.sha256_file(task.pitch))
    stored = stage_cache.entry(task.cache, "pictures", key, ".json")
    try:
        return ClipPictures.model_validate(files.read_json(stored))
    except (OSError, files.InvalidJsonError, ValidationError):
        samples, rate = decode.read_mono(task.clip)
    drawn = ClipPictures(
        wave=wave_path(samples), spectrogram=spectrogram(samples, rate), pitch_hz=_median_pitch(task.pitch)
    )
    files.write_json(stored, drawn.model_dump(mode="json"))
    return drawn


def wave_path(samples: NDArray[np.float32]) -> str:
    """The envelope as a closed SVG path: the highest sample of each column above, the lowest below.

    Args:
        samples: mono (n,), full scale 1.0.
    """
    if not len(samples):
        return ""
    edges = np.unique(np.linspace(0, len(samples), COLUMNS + 1).astype(int)[:-1])
    # square root: speech at -23 LUFS fills a third of the height, and full scale ends at the edge
    high = np.sqrt(np.clip(np.maximum.reduceat(samples, edges), 0.0, 1.0))
    low = -np.sqrt(np.clip(-np.minimum.reduceat(samples, edges), 0.0, 1.0))
    above = (HALF - HALF * np.maximum(high, 0.02)).round(1)
    below = (HALF - HALF * np.minimum(low, -0.02)).round(1)
    points = [f"{x} {y:g}" for x, y in enumerate(above.tolist())]
    points += [f"{len(below) - 1 - x} {y:g}" for x, y in enumerate(reversed(below.tolist()))]
    return "M" + "L".join(points) + "Z"


def spectrogram(samples: NDArray[np.float32], rate: int) -> str:
    """A small log-mel spectrogram as the data URI of a PNG."""
    hop = max(256, -(-len(samples) // COLUMNS))
    settings = spectral.MelSettings(sample_rate=rate, hop_length=hop, n_mels=BANDS, high_hz=min(8_000.0, rate / 2))
    return charts.mel_picture(spectral.log_mel(samples, settings))


def _median_pitch(path: Path) -> float | None:
    with np.load(path, allow_pickle=False) as loaded:
        hertz = loaded["pitch"]
    voiced = hertz[hertz > 0]
    return round(float(np.median(voiced)), 1) if len(voiced) else None
