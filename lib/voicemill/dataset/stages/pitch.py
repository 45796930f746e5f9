"""Stage `pitch`: fundamental frequency of each frame, as NeMo's `TTSDataset` would compute it on first use.

NeMo caches its own under a name alone, so that other audio or other limits silently reuse stale files. Here the key is
the clip's sha256 and every setting, and each file holds the settings that it was computed with.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from voicemill import files
from voicemill.audio import decode, device, pitch
from voicemill.dataset import stage_cache
from voicemill.dataset.candidates import CandidateClip
from voicemill.dataset.clip_results import PitchResult, PitchSettings
from voicemill.dataset.pool import ClipPool, TaskPool

if TYPE_CHECKING:
    from voicemill.dataset.context import PreparationContext

NAME = "pitch"
RANGE_SECONDS = 60.0
"""Speech from which a speaker's pitch range is taken."""


@dataclass(frozen=True)
class PitchTask:
    """Pitch of `clip` (whose digest is `sha256`) to `target`, by way of the cache."""

    clip: Path
    sha256: str
    settings: PitchSettings
    cache: Path
    target: Path


def range_of_clips(clips: Sequence[Path], pool: TaskPool) -> tuple[float, float]:
    """The speaker's pitch range (Hz) from clips spread evenly over the recording, about a minute in all."""
    chosen: list[npt.NDArray[np.float32]] = []
    seconds, rate = 0.0, 0
    step = max(1, len(clips) // 16)
    for clip in [*clips[::step], *clips]:
        samples, rate = decode.read_mono(clip)
        chosen.append(samples)
        seconds += len(samples) / rate
        if seconds >= RANGE_SECONDS:
            break
    return pitch.range_of(np.concatenate(chosen), rate, run=pool.map)


def pitch_of(task: PitchTask) -> PitchResult:
    """Compute the pitch of one clip, or take it from the cache.

    The npz holds `pitch`: float32 Hz, unvoiced 0, shape (samples // hop + 1,), and the settings.
    """
    key = files.content_key(stage_cache.code_digest(__name__), task.sha256, asdict(task.settings))
    stored = stage_cache.entry(task.cache, "pitch", key, ".npz")
    cached = stage_cache.cached_file(stored, lambda path: _compute(task, path))
    shutil.copyfile(stored, task.target)
    with np.load(task.target, allow_pickle=False) as loaded:
        hertz = loaded["pitch"].astype(np.float64)
    voiced = hertz[hertz > 0]
    return PitchResult(
        len(voiced),
        float(voiced.sum()),
        float(np.square(voiced).sum()),
        len(hertz),
        files.sha256_file(task.target),
        cached,
    )


def _compute(task: PitchTask, path: Path) -> None:
    samples, rate = decode.read_mono(task.clip)
    if rate != task.settings.sample_rate:
        raise ValueError(f"{task.clip.name} has {rate} Hz, not {task.settings.sample_rate}")
    found = pitch.pyin(
        samples,
        sample_rate=rate,
        fmin=task.settings.fmin,
        fmax=task.settings.fmax,
        frame_length=task.settings.frame_length,
        hop_length=task.settings.hop_length,
        on=task.settings.device,
    )
    with path.open("wb") as handle:
        np.savez(
            handle,
            pitch=found.f0.astype(np.float32),
            sample_rate=np.int64(task.settings.sample_rate),
            fmin=np.float64(task.settings.fmin),
            fmax=np.float64(task.settings.fmax),
            frame_length=np.int64(task.settings.frame_length),
            hop_length=np.int64(task.settings.hop_length),
            device=np.str_(task.settings.device),
        )


def run(context: PreparationContext, clips: Sequence[CandidateClip]) -> tuple[PitchSettings, list[PitchResult]]:
    """Find the speaker's range in a minute of clips, then the pitch of every clip within it.

    A GPU computes from this process alone, because each process would take GPU memory of its own.
    """
    folder = context.staging / "supplementary"
    folder.mkdir()
    chosen = context.request.device
    with context.clock.stage(NAME, len(clips), sum(clip.cut.seconds for clip in clips)):
        fmin, fmax = range_of_clips([clip.path for clip in clips], context.pool)
        settings = PitchSettings(context.request.sample_rate, round(fmin, 2), round(fmax, 2), device=chosen)
        tasks = [
            PitchTask(clip.path, clip.cut.sha256, settings, context.cache, folder / f"{clip.id}.npz") for clip in clips
        ]
        pool = context.pool if chosen == device.CPU else ClipPool(1)
        results = pool.map(pitch_of, tasks, context.observer)
    context.note_cached(NAME, [result.cached for result in results])
    return settings, results
