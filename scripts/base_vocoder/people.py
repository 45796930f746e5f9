"""Training data of the iSTFT base vocoder: a folder of people's recordings, and random augmented crops of them."""

from __future__ import annotations

import multiprocessing
import re
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from unseen_speakers import JUDGES

from voicemill.files import atomic_path
from voicemill.synthesis.mel import AudioConfig

if TYPE_CHECKING:
    from corpus import Crops

PEAK = 0.6
PITCH_LIMITS = (60.0, 600.0)
SHIFT = (0.82, 1.38)
"""Range of the resampling ratio, log-uniform. At 1.38 a recording of 16 kHz fills the band of 22.05 kHz."""
SHIFTED_PART = 0.7
LEVEL_DB = (-16.0, 4.0)
ROOM_PART, ROOM_SECONDS = 0.25, (0.05, 0.35)
"""Part of the crops with a reverberant room; its reverberation time (-60 dB)."""
MICROPHONE_PART, MICROPHONE_DB = 0.5, 6.0
"""Part of the crops with a coloured microphone; standard deviation of its response at six frequencies."""
NOISE_PART, NOISE_DBFS = 0.3, (-75.0, -50.0)


@dataclass(frozen=True)
class Batch:
    """Crops and what is known about them.

    Attributes:
        samples: (B, frames * hop), float32.
        hertz: pitch (B, frames), interpolated where unvoiced.
        voiced: (B, frames), float32 of 0 or 1.
        cutoff: (B,), Hz up to which the recording has content.
    """

    samples: NDArray[np.float32]
    hertz: NDArray[np.float32]
    voiced: NDArray[np.float32]
    cutoff: NDArray[np.float32]


def read_speakers(folders: Sequence[Path], target: Path, audio: AudioConfig) -> None:
    """Read every FLAC or WAV below `folders/<speaker>/` and write samples, pitch and bandwidth to `target` (.npz).

    Raises:
        ValueError: a folder belongs to a speaker whom the vocoder is measured on.
    """
    import soundfile
    import soxr

    from voicemill.audio.pitch import pyin

    pieces: list[NDArray[np.int16]] = []
    pitches: list[NDArray[np.float32]] = []
    cutoffs: list[float] = []
    speakers: list[str] = []
    paths = sorted(path for folder in folders for path in folder.glob("*/*") if path.suffix in (".flac", ".wav"))
    check_unseen([*folders, *paths])
    for path in paths:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        mono = soxr.resample(samples.mean(1), rate, audio.sample_rate).astype(np.float32)
        mono = mono / max(1e-3, float(np.abs(mono).max())) * PEAK
        pitch = pyin(
            mono, sample_rate=audio.sample_rate, fmin=PITCH_LIMITS[0], fmax=PITCH_LIMITS[1],
            frame_length=audio.n_fft, hop_length=audio.hop_length,
        )  # fmt: skip
        pieces.append((mono * 32767).astype(np.int16))
        pitches.append(np.where(pitch.voiced, pitch.f0, 0).astype(np.float32))
        cutoffs.append(min(rate, audio.sample_rate) / 2 * 0.97)
        speakers.append(path.parent.name)
    with atomic_path(target, suffix=".npz") as temporary:
        np.savez(
            temporary,
            samples=np.concatenate(pieces),
            sample_bounds=np.cumsum([0, *map(len, pieces)]),
            pitch=np.concatenate(pitches),
            pitch_bounds=np.cumsum([0, *map(len, pitches)]),
            cutoffs=np.asarray(cutoffs),
            speakers=np.asarray(speakers),
        )


def check_unseen(paths: Sequence[Path]) -> None:
    """Refuse the recordings of speakers whom the vocoder is measured on.

    Raises:
        ValueError: names the first such path.
    """
    for path in paths:
        names = {word for part in path.parts for word in re.split(r"[-_.]", part.lower())}
        if names & set(JUDGES) or any(name.startswith(("lj0", "ljspeech")) for name in names):
            raise ValueError(f"{path} belongs to a speaker whom the vocoder is measured on; leave it out")


class PeopleCrops:
    """Random crops; those of step n depend on the seed and n only."""

    def __init__(self, path: Path, audio: AudioConfig, *, seed: int) -> None:
        with np.load(path) as stored:
            self._samples, self._sample_bounds = stored["samples"], stored["sample_bounds"]
            self._pitch, self._pitch_bounds = stored["pitch"], stored["pitch_bounds"]
            self._cutoffs = stored["cutoffs"]
            self.speakers = sorted(set(stored["speakers"].tolist()))
        lengths = np.diff(self._sample_bounds)
        self._weights = np.sqrt(lengths) / np.sqrt(lengths).sum()
        self._audio, self._seed = audio, seed

    @property
    def seconds(self) -> float:
        return len(self._samples) / self._audio.sample_rate

    def batch(self, step: int, size: int, frames: int) -> Batch:
        """`size` crops of `frames` frames at random pitch, level, room, microphone and noise."""
        random = np.random.default_rng([self._seed, step])
        crops = [self._crop(random, frames) for _ in range(size)]
        return Batch(*(np.stack(each).astype(np.float32) for each in zip(*crops, strict=True)))

    def _crop(
        self, random: np.random.Generator, frames: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        import soxr

        hop, rate = self._audio.hop_length, self._audio.sample_rate
        ratio = float(np.exp(random.uniform(*np.log(SHIFT)))) if random.random() < SHIFTED_PART else 1.0
        length = frames * hop
        needed = int(length * ratio) + 64
        while True:
            clip = random.choice(len(self._weights), p=self._weights)
            first, last = self._sample_bounds[clip : clip + 2]
            if last - first > needed:
                break
        start = int(random.integers(0, last - first - needed))
        crop = self._samples[first + start : first + start + needed].astype(np.float32) / 32768
        if ratio != 1.0:
            crop = soxr.resample(crop, rate * ratio, rate, quality="MQ")
        crop = np.pad(crop[:length], (0, max(0, length - len(crop))))
        crop = _coloured(crop, random, rate)
        if random.random() < NOISE_PART:
            crop = crop + random.standard_normal(length, dtype=np.float32) * 10 ** (random.uniform(*NOISE_DBFS) / 20)
        crop = crop * 10 ** (random.uniform(*LEVEL_DB) / 20)
        crop = crop / max(1.0, float(np.abs(crop).max()))
        track = self._pitch[self._pitch_bounds[clip] : self._pitch_bounds[clip + 1]]
        at = (start + np.arange(frames) * hop * ratio) / hop
        voiced = (track[np.minimum(np.round(at).astype(int), len(track) - 1)] > 0).astype(np.float32)
        known = np.flatnonzero(track > 0)
        hertz = np.interp(at, known, track[known]) if len(known) else np.full(frames, 150.0)
        cutoff = min(self._cutoffs[clip] * ratio, rate / 2 + 1)
        return crop, (hertz * ratio).astype(np.float32), voiced, np.asarray(cutoff, np.float32)


class MixedCrops:
    """Crops of flite's voices and of people, half of each batch: what HiFi-GAN's training takes."""

    def __init__(self, flite: Crops, people: PeopleCrops, audio: AudioConfig) -> None:
        self._flite, self._people, self._hop = flite, people, audio.hop_length

    def batch(self, step: int, size: int, length: int) -> NDArray[np.float32]:
        """Float32 (size, length) in -1..1; the length is whole frames."""
        half = size // 2
        people = self._people.batch(step, size - half, length // self._hop).samples
        return np.concatenate((self._flite.batch(step, half, length), people))


class PreparedCrops:
    """Batches of `PeopleCrops`, made by other processes ahead of their steps: a GPU takes them faster than one core."""

    def __init__(self, path: Path, audio: AudioConfig, *, seed: int, processes: int) -> None:
        self._pool = ProcessPoolExecutor(
            processes, multiprocessing.get_context("spawn"), initializer=_open_crops, initargs=(path, audio, seed)
        )
        self._ahead = 4 * processes
        self._made: dict[int, Future[Batch]] = {}

    def batch(self, step: int, size: int, frames: int) -> Batch:
        """As `PeopleCrops.batch`; the next steps' batches are begun."""
        for later in range(step, step + self._ahead):
            if later not in self._made:
                self._made[later] = self._pool.submit(_batch_of_process, later, size, frames)
        return self._made.pop(step).result()

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown(cancel_futures=True)


_process_crops: PeopleCrops | None = None


def _open_crops(path: Path, audio: AudioConfig, seed: int) -> None:
    global _process_crops
    _process_crops = PeopleCrops(path, audio, seed=seed)


def _batch_of_process(step: int, size: int, frames: int) -> Batch:
    if _process_crops is None:
        raise RuntimeError("the process has no recordings")
    return _process_crops.batch(step, size, frames)


def _coloured(crop: NDArray[np.float32], random: np.random.Generator, rate: int) -> NDArray[np.float32]:
    """The crop with a random room and microphone, at the same level."""
    room, microphone = random.random() < ROOM_PART, random.random() < MICROPHONE_PART
    if not room and not microphone:
        return crop
    size = 1 << (len(crop) + int(ROOM_SECONDS[1] * rate)).bit_length()
    spectrum = np.fft.rfft(crop, size)
    if room:
        seconds = random.uniform(*ROOM_SECONDS)
        decay = np.exp(-6.9 * np.arange(int(seconds * rate)) / (seconds * rate))
        response = random.standard_normal(len(decay)) * decay
        response *= random.uniform(0.1, 0.7) / np.sqrt((response**2).sum())
        response[0] += 1.0
        spectrum = spectrum * np.fft.rfft(response, size)
    if microphone:
        points = np.linspace(0, 1, 6)
        decibels = np.interp(np.linspace(0, 1, len(spectrum)) ** 0.5, points, random.normal(0, MICROPHONE_DB, 6))
        spectrum = spectrum * 10 ** (decibels / 20)
    result = np.fft.irfft(spectrum, size)[: len(crop)]
    scale = np.sqrt((crop**2).mean() / max(1e-12, (result**2).mean()))
    coloured: NDArray[np.float32] = (result * scale).astype(np.float32)
    return coloured
