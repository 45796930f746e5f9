"""Training data of the base vocoder: flite's male voices reading data/base/corpus.txt, and random crops of it."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voicemill.files import atomic_path

VOICES = ("awb", "rms", "kal16", "kal")
"""Without `slt`, the voice of the demo: the vocoder is measured on it as an unseen speaker."""
DURATION_STRETCH = (0.85, 1.2)
"""Range of flite's `duration_stretch`; the same sentence has another speaking rate with each voice."""
KAL_PITCH = (85.0, 200.0)
"""Hz, range of the diphone voices' mean pitch (the other voices' pitch is part of the voice)."""
PEAK = 0.9
SHIFTED_PART = 0.6
"""Part of the crops that is resampled, for pitch and formants of other speakers."""
SHIFT = (0.9, 1.55)
"""Range of the resampling ratio, log-uniform: 100 Hz becomes 90 to 155 Hz, and a man's formants a woman's or a
child's."""
LEVEL_DB = (-20.0, 0.0)
NOISE_DBFS = (-80.0, -55.0)
"""White noise, as a quiet room or a recorder adds."""


def render(sentences: Sequence[str], target: Path, *, sample_rate: int, seed: int, jobs: int) -> None:
    """Synthesise every sentence with every voice; `target` (.npz) gets int16 samples and the bounds of the clips."""
    import soundfile
    import soxr

    random = np.random.default_rng(seed)
    tasks: list[tuple[str, str, list[str]]] = []
    for sentence in sentences:
        for voice in VOICES:
            settings = [f"duration_stretch={random.uniform(*DURATION_STRETCH):.3f}"]
            if voice.startswith("kal"):
                settings.append(f"int_f0_target_mean={random.uniform(*KAL_PITCH):.1f}")
            tasks.append((sentence, voice, [part for setting in settings for part in ("--setf", setting)]))

    def synthesise(task: tuple[str, str, list[str]]) -> NDArray[np.int16]:
        sentence, voice, settings = task
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "clip.wav"
            subprocess.run(
                ["flite", "-voice", voice, *settings, "-t", sentence, str(path)], check=True, capture_output=True
            )
            samples, rate = soundfile.read(path, dtype="float32")
        samples = soxr.resample(samples, rate, sample_rate)
        scaled = samples / max(1e-3, float(np.abs(samples).max())) * PEAK * 32767
        return np.asarray(scaled, dtype=np.int16)

    with ThreadPoolExecutor(jobs) as pool:
        clips = list(pool.map(synthesise, tasks))
    bounds = np.cumsum([0, *(len(clip) for clip in clips)])
    with atomic_path(target, suffix=".npz") as temporary:
        np.savez(temporary, samples=np.concatenate(clips), bounds=bounds)


class Crops:
    """Random crops of the corpus; the crops of step n depend on the seed and n only."""

    def __init__(self, path: Path, *, sample_rate: int, seed: int, shifted_part: float = SHIFTED_PART) -> None:
        with np.load(path) as stored:
            self._samples: NDArray[np.int16] = stored["samples"]
            self._bounds: NDArray[np.int64] = stored["bounds"]
        self._rate, self._seed, self._shifted_part = sample_rate, seed, shifted_part

    @property
    def seconds(self) -> float:
        return len(self._samples) / self._rate

    def batch(self, step: int, size: int, length: int) -> NDArray[np.float32]:
        """Float32 (size, length) in [-1, 1], from anywhere in the corpus, at random pitch, level and noise."""
        random = np.random.default_rng([self._seed, step])
        return np.stack([self._crop(random, length) for _ in range(size)])

    def _crop(self, random: np.random.Generator, length: int) -> NDArray[np.float32]:
        import soxr

        shifted = random.random() < self._shifted_part
        ratio = float(np.exp(random.uniform(*np.log(SHIFT)))) if shifted else 1.0
        needed = int(length * ratio) + 64  # the resampler's edges are cut off
        while True:
            clip = random.integers(len(self._bounds) - 1)
            first, last = self._bounds[clip : clip + 2]
            if last - first > needed:
                break
        start = random.integers(first, last - needed)
        crop = self._samples[start : start + needed].astype(np.float32) / 32768
        if ratio != 1.0:
            crop = soxr.resample(crop, self._rate * ratio, self._rate, quality="MQ")[16:]
        crop = np.pad(crop[:length], (0, max(0, length - len(crop))))
        crop = crop * 10 ** (random.uniform(*LEVEL_DB) / 20)
        noise = random.standard_normal(length, dtype=np.float32) * 10 ** (random.uniform(*NOISE_DBFS) / 20)
        return np.asarray(crop + noise, dtype=np.float32)
