from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voicemill import files
from voicemill.audio import pitch
from voicemill.dataset.clip_results import PitchSettings
from voicemill.dataset.pool import ClipPool
from voicemill.dataset.stages.pitch import PitchTask, pitch_of, range_of_clips

RATE = 22_050


@pytest.fixture
def task(tmp_path: Path) -> PitchTask:
    time = np.arange(RATE) / RATE
    wave = 0.2 * sum(np.sin(2 * np.pi * 120 * partial * time) / partial for partial in range(1, 8))
    clip = tmp_path / "clip.wav"
    soundfile.write(clip, wave, RATE, subtype="PCM_16")
    return PitchTask(
        clip, files.sha256_file(clip), PitchSettings(RATE, 80.0, 300.0), tmp_path / "cache", tmp_path / "out.npz"
    )


def test_pitch_of_a_tone(task: PitchTask) -> None:
    found = pitch_of(task)
    assert not found.cached
    assert found.frames == RATE // 256 + 1
    assert found.total / found.voiced == pytest.approx(120, rel=0.01)
    with np.load(task.target) as stored:
        samples, _ = soundfile.read(task.clip, dtype="float32")
        expected = pitch.pyin(samples, sample_rate=RATE, fmin=80.0, fmax=300.0).f0.astype(np.float32)
        np.testing.assert_array_equal(stored["pitch"], expected)
        assert {name: stored[name].item() for name in stored.files if name != "pitch"} == dataclasses.asdict(
            task.settings
        )


def test_the_cache_holds_the_same_bytes(task: PitchTask) -> None:
    first = pitch_of(task)
    again = pitch_of(dataclasses.replace(task, target=task.target.with_name("again.npz")))
    assert again == dataclasses.replace(first, cached=True)


@pytest.mark.parametrize("change", [{"fmin": 90.0}, {"fmax": 310.0}, {"hop_length": 128}])
def test_other_settings_are_other_entries(task: PitchTask, change: dict[str, float]) -> None:
    pitch_of(task)
    settings = dataclasses.replace(task.settings, **change)  # type: ignore[arg-type]
    assert not pitch_of(dataclasses.replace(task, settings=settings)).cached


def test_a_clip_of_another_rate_is_a_mistake(task: PitchTask) -> None:
    with pytest.raises(ValueError, match="22050"):
        pitch_of(dataclasses.replace(task, settings=PitchSettings(16_000, 80.0, 300.0)))
    assert not list(task.cache.rglob("*.npz"))


def test_the_range_holds_the_pitch(task: PitchTask) -> None:
    low, high = range_of_clips([task.clip] * 3, ClipPool(1))
    assert low < 120 < high
