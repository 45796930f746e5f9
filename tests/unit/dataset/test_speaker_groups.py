"""Two groups of clips that differ as two speakers do."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr

from voicemill.dataset import recording_warnings, speaker_groups
from voicemill.dataset.speaker_groups import ClipSums
from voicemill.metrics.speaker import ORDER


def clip(seed: int, shift: float = 0.0, frames: int = 400) -> ClipSums:
    """A clip whose cepstra have the standard deviation 1 and the mean `shift`."""
    cepstra = np.random.default_rng(seed).normal(shift, 1.0, (frames, ORDER))
    return ClipSums(
        frames=frames,
        first=tuple(cepstra.sum(axis=0).tolist()),
        second=tuple(tuple(row) for row in (cepstra.T @ cepstra).tolist()),
    )


def test_two_speakers() -> None:
    clips = [*(clip(seed) for seed in range(12)), *(clip(seed, 0.6) for seed in range(12, 20))]
    found = speaker_groups.find(clips)
    assert found is not None
    assert found.smaller == tuple(range(12, 20))
    assert found.distance == pytest.approx(12 * 0.6**2 / 8, abs=0.1)


def test_one_speaker() -> None:
    assert speaker_groups.find([clip(seed) for seed in range(20)]) is None


def test_too_few_clips_and_clips_without_speech() -> None:
    empty = ClipSums(frames=0, first=(), second=())
    assert speaker_groups.find([]) is None
    assert speaker_groups.find([clip(0), clip(1), empty, clip(2, 2.0), clip(3, 2.0), empty]) is None


def test_one_odd_clip_is_no_speaker() -> None:
    assert speaker_groups.find([*(clip(seed) for seed in range(12)), clip(12, 1.0)]) is None


PEOPLE = Path(__file__).parents[2] / "data" / "people"


def people(folder: Path, *, lj: int, austen: int) -> list[Any]:
    """Clips of 4 s at 22.05 kHz: so many of LJ, so many of the reader of Austen."""
    rows = []
    for name, count in (("lj", lj), ("austen", austen)):
        parts = []
        for path in sorted((PEOPLE / name).glob("*.flac")):
            samples, rate = soundfile.read(path, dtype="float32")
            parts.append(soxr.resample(samples, rate, 22_050))
        whole = np.concatenate(parts)
        for index in range(count):
            target = folder / f"{name}{index}.wav"
            soundfile.write(target, whole[index * 88_200 : (index + 1) * 88_200], 22_050)
            rows.append(
                SimpleNamespace(
                    id=target.stem,
                    path=target,
                    cut=SimpleNamespace(sha256=hashlib.sha256(target.read_bytes()).hexdigest()),
                    utterance=SimpleNamespace(recording=SimpleNamespace(source=SimpleNamespace(name=target.name))),
                )
            )
    return rows


def warnings(folder: Path, clips: list[Any]) -> list[str]:
    notes: list[str] = []
    pool = SimpleNamespace(map=lambda function, tasks: [function(task) for task in tasks])
    context: Any = SimpleNamespace(cache=folder / "cache", pool=pool, observer=SimpleNamespace(note=notes.append))
    recording_warnings.of_second_speaker(context, clips)
    return notes


def test_a_second_woman_is_found(tmp_path: Path) -> None:
    [note] = warnings(tmp_path, people(tmp_path, lj=3, austen=4))
    assert note.startswith("WARNING: 3 of 7 clips differ from the others as a second speaker does")
    assert all(f"lj{index} (lj{index}.wav)" in note for index in range(3))
