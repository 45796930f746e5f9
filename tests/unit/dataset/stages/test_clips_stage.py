from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from voicemill import files
from voicemill.dataset import judging
from voicemill.dataset.limits import QualityLimits
from voicemill.dataset.stages.clips import CutTask, cut

RATE = 22_050


def _tone(level: float, *, quiet: float = 1e-4) -> np.ndarray:
    time = np.arange(2 * RATE) / RATE
    tone = level * np.sin(2 * np.pi * 200 * time)
    tone[: RATE // 4] *= quiet / level
    tone[-RATE // 4 :] *= quiet / level
    return tone.astype(np.float32)


def _cut(tmp_path: Path, samples: np.ndarray, **changes: object) -> tuple[Path, object]:
    soundfile.write(tmp_path / "decoded.wav", samples, RATE, subtype="FLOAT")
    values = {"first": 0, "last": len(samples), "factor": 1.0} | changes
    task = CutTask(decoded=tmp_path / "decoded.wav", target=tmp_path / "clip.wav", **values)  # type: ignore[arg-type]
    return task.target, cut(task)


def test_exact_samples_gain_and_digest(tmp_path: Path) -> None:
    samples = _tone(0.25)
    path, clip = _cut(tmp_path, samples, first=1000, last=31_000, factor=2.0)
    written, rate = soundfile.read(path, dtype="float32")
    assert (rate, len(written), soundfile.info(path).subtype) == (RATE, 30_000, "PCM_16")
    np.testing.assert_allclose(written, 2.0 * samples[1000:31_000], atol=1 / 32_000)
    assert clip.sha256 == files.sha256_file(path)  # type: ignore[attr-defined]
    assert judging.of_sound(clip.quality, QualityLimits(min_snr_db=0, min_bandwidth_hz=0)) is None  # type: ignore[attr-defined]


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    first, _ = _cut(tmp_path, _tone(0.25))
    before = first.read_bytes()
    again, _ = _cut(tmp_path, _tone(0.25))
    assert again.read_bytes() == before


@pytest.mark.parametrize("factor", [1.0, 0.25])
def test_clipping_is_seen_whatever_the_gain(tmp_path: Path, factor: float) -> None:
    _, clip = _cut(tmp_path, np.clip(_tone(3.0), -1.0, 1.0), factor=factor)
    fault = judging.of_sound(clip.quality, QualityLimits())  # type: ignore[attr-defined]
    assert fault is not None
    assert (fault.reason, fault.unit, fault.limit) == ("clipped", "share", 0.005)
    assert fault.figure > 0.1


def test_noise_is_seen(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, 2 * RATE).astype(np.float32)
    _, clip = _cut(tmp_path, noise)
    fault = judging.of_sound(clip.quality, QualityLimits())  # type: ignore[attr-defined]
    assert fault is not None
    assert (fault.reason, fault.unit) == ("noisy", "dB")
    assert fault.figure < 10


def test_the_bandwidth_ends_at_half_of_the_sample_rate_of_the_source(tmp_path: Path) -> None:
    clip = Path(__file__).parents[3] / "data/people/lj/LJ001-0002.flac"
    samples, rate = soundfile.read(clip, dtype="float32")
    assert rate == RATE
    for source_rate, expected in ((0, RATE / 2), (8_000, 4_000), (44_100, RATE / 2)):
        _, made = _cut(tmp_path, samples, source_rate=source_rate)
        assert made.quality.bandwidth_hz == pytest.approx(expected, rel=0.05)  # type: ignore[attr-defined]
