"""Training data of HiFi-GAN: pairs of a mel spectrogram and its samples, and random segments of them.

Frame t of the acoustic model's mel is centred on sample t * hop. Frame t of HiFi-GAN, and of its own front end
(`exact_pad`), covers samples [t * hop, (t + 1) * hop). Half a hop of silence before the clip aligns the two; NeMo's
VocoderDataset leaves them 5.8 ms apart, which fine-tuning would have to learn first.

Mel and samples are checked and cut to the same length, and short clips are padded: NeMo's dataset crashes on a clip
that is exactly as long as a segment.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from voicemill.errors import DatasetError
from voicemill.path_names import safe_relative
from voicemill.synthesis.mel import AudioConfig
from voicemill.training import ranks
from voicemill.training.data import TrainingClip, read_audio
from voicemill.training.examples import CACHE_SECONDS

if TYPE_CHECKING:
    import torch

FrontEnd = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Samples of shape (frames * hop,) -> log-mel of shape (mels, frames)."""


@dataclass(frozen=True)
class Pair:
    """Input and target of the vocoder.

    Attributes:
        mel: log-mel, float32 (mels, frames).
        samples: float32 (frames * hop,) in -1..1; frame t covers samples [t * hop, (t + 1) * hop).
    """

    mel: NDArray[np.float32]
    samples: NDArray[np.float32]


@dataclass
class PairSource:
    """Makes the pair of a clip on demand, and caches pairs of up to `CACHE_SECONDS` of audio.

    Attributes:
        clips: the training clips.
        audio: mel settings.
        gta_dir: folder of ground-truth-aligned mels `<id>.npy`, shape (mels, samples // hop) or one frame more. None
            pairs each clip with the mel of its recording.
        front_end: HiFi-GAN's own front end, for the mels of recordings.
        least_frames: shorter pairs are padded with silence to this length.
    """

    clips: tuple[TrainingClip, ...]
    audio: AudioConfig
    gta_dir: Path | None
    front_end: FrontEnd
    least_frames: int
    _cache: dict[int, Pair] = field(default_factory=dict, repr=False)
    _cached_seconds: float = 0.0

    def frames(self) -> NDArray[np.int64]:
        """Frames of each pair, shape (clips,). It reads headers only, and checks every pair.

        Raises:
            DatasetError: `mel_missing:<clip>` or `mel_length:<clip>`, or a clip cannot be read.
        """
        import soundfile

        counts = []
        for clip in self.clips:
            try:
                samples = soundfile.info(clip.audio).frames
            except (OSError, soundfile.SoundFileError) as error:
                raise DatasetError(
                    f"Clip {clip.id} cannot be read: {error}.", reason=f"clip_unreadable:{clip.id}"
                ) from error
            frames = samples // self.audio.hop_length if self.gta_dir is None else self._aligned(clip, samples).shape[1]
            counts.append(max(frames, self.least_frames))
        return np.asarray(counts, dtype=np.int64)

    def __getitem__(self, index: int) -> Pair:
        cached = self._cache.get(index)
        if cached is not None:
            return cached
        clip = self.clips[index]
        pair = self._make(clip)
        if self._cached_seconds + clip.seconds <= CACHE_SECONDS:
            self._cache[index] = pair
            self._cached_seconds += clip.seconds
        return pair

    def _make(self, clip: TrainingClip) -> Pair:
        samples = read_audio(clip.audio, self.audio.sample_rate)
        hop = self.audio.hop_length
        mel = None if self.gta_dir is None else np.asarray(self._aligned(clip, len(samples)), dtype=np.float32)
        if mel is not None and not np.isfinite(mel).all():
            raise DatasetError(
                f"The mel of clip {clip.id} is not finite.",
                reason=f"mel_not_finite:{clip.id}",
                hint="Train the acoustic model again.",
            )
        frames = len(samples) // hop if mel is None else mel.shape[1]
        shifted = _fit(np.concatenate([np.zeros(hop // 2, dtype=np.float32), samples]), frames * hop)
        if mel is None:
            mel = self.front_end(shifted) if frames else np.zeros((self.audio.n_mels, 0), dtype=np.float32)
        missing = max(0, self.least_frames - frames)
        silence = np.full((mel.shape[0], missing), math.log(self.audio.log_floor), dtype=np.float32)
        return Pair(np.concatenate([mel, silence], axis=1), _fit(shifted, (frames + missing) * hop))

    def _aligned(self, clip: TrainingClip, samples: int) -> NDArray[np.float32]:
        """The aligned mel of a clip, memory-mapped, after a check of its length."""
        path = (self.gta_dir or Path()) / safe_relative(f"{clip.id}.npy")
        try:
            mel: NDArray[np.float32] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise DatasetError(
                f"The aligned mel of clip {clip.id} cannot be read: {error}.",
                reason=f"mel_missing:{clip.id}",
                hint="Make the ground-truth-aligned mels again.",
            ) from error
        wanted = samples // self.audio.hop_length
        if mel.ndim != 2 or mel.shape[0] != self.audio.n_mels or not wanted <= mel.shape[1] <= wanted + 1:
            raise DatasetError(
                f"The aligned mel of clip {clip.id} has shape {mel.shape}, and its sound {wanted} frames.",
                reason=f"mel_length:{clip.id}",
                hint="Make the ground-truth-aligned mels again from the present clips.",
            )
        return mel


def _fit(samples: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """Cut or pad with silence at the end."""
    cut = samples[:length]
    return np.pad(cut, (0, length - len(cut)))


class SegmentBatches:
    """Random segments for some steps: a function of seed and step, so that a resumed run needs no sampler state.

    Every frame of the data is equally likely, so long clips are drawn more often. Each of several training processes
    gets its share of a larger batch.

    Args:
        source: makes the pairs.
        steps: numbers of the steps, from 0.
        batch_size: segments of a batch in one process.
        segment_frames: length of a segment, in mel frames.
        seed: of the drawing.
    """

    def __init__(self, source: PairSource, steps: range, *, batch_size: int, segment_frames: int, seed: int) -> None:
        self._source, self._steps = source, steps
        self._size, self._frames, self._seed = batch_size, segment_frames, seed
        self._starts = source.frames() - segment_frames + 1

    def __len__(self) -> int:
        return len(self._steps)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """Batches as HifiganModel takes precomputed mels: samples (B, S), lengths (B,), mels (B, n_mels, frames)."""
        for step in self._steps:
            yield self.batch(step)

    def batch(self, step: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The batch of one step: samples (B, S), lengths (B,), mels (B, n_mels, frames)."""
        import torch

        random = np.random.default_rng([self._seed, step, 0])
        hop, size = self._source.audio.hop_length, self._size * ranks.world()
        chosen = random.choice(len(self._starts), size=size, p=self._starts / self._starts.sum())
        starts = [int(random.integers(self._starts[index])) for index in chosen]
        samples, mels = [], []
        for index, start in ranks.share(list(zip(chosen, starts, strict=True))):
            pair = self._source[int(index)]
            mels.append(torch.from_numpy(pair.mel[:, start : start + self._frames]))
            samples.append(torch.from_numpy(pair.samples[start * hop : (start + self._frames) * hop]))
        lengths = torch.full((self._size,), self._frames * hop)
        return torch.stack(samples), lengths, torch.stack(mels)
