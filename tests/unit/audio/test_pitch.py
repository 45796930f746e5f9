"""The pitch frames are those of librosa.pyin: the same, not similar."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from voicemill.audio.pitch import Pitch, pyin, range_of

RATE = 22_050
Samples = npt.NDArray[np.float32]


def librosa_pyin(
    samples: Samples, rate: int, fmin: float, fmax: float, frame_length: int, hop_length: int | None = None
) -> Pitch:
    librosa = pytest.importorskip("librosa")
    return Pitch(
        *librosa.pyin(
            samples, sr=rate, fmin=fmin, fmax=fmax, frame_length=frame_length, hop_length=hop_length, fill_na=0.0
        )
    )


def assert_same(ours: Pitch, theirs: Pitch) -> None:
    assert ours.f0.shape == theirs.f0.shape
    np.testing.assert_array_equal(ours.voiced, theirs.voiced)
    np.testing.assert_array_equal(ours.f0, theirs.f0)
    np.testing.assert_allclose(ours.probability, theirs.probability, rtol=0, atol=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize(("fmin", "fmax"), [(65.40639132514966, 2093.004522404789), (80.0, 400.0)])
def test_same_frames_as_librosa_on_the_demo(fmin: float, fmax: float, demo_speech: Samples) -> None:
    speech = demo_speech[4 * RATE : 10 * RATE]
    ours = pyin(speech, sample_rate=RATE, fmin=fmin, fmax=fmax)
    assert 0.2 < ours.voiced.mean() < 0.9
    assert_same(ours, librosa_pyin(speech, RATE, fmin, fmax, 1024))


@pytest.mark.parametrize(
    ("rate", "frame_length", "hop", "fmin", "fmax", "seed"),
    [
        (22_050, 1024, None, 65.4, 2093.0, 1),
        (22_050, 1024, 128, 70.0, 500.0, 2),
        (16_000, 1024, 160, 60.0, 600.0, 3),
        (8_000, 512, None, 60.0, 900.0, 4),
        (44_100, 2048, None, 65.4, 700.0, 5),
    ],
)
def test_same_frames_as_librosa(
    rate: int, frame_length: int, hop: int | None, fmin: float, fmax: float, seed: int, babble: Callable[..., Samples]
) -> None:
    speech = babble(rate, 1.5, seed=seed, pitch=120.0 + 20 * seed)
    speech[rate // 3 : rate // 2] = 0.0  # digital silence in the middle
    ours = pyin(speech, sample_rate=rate, fmin=fmin, fmax=fmax, frame_length=frame_length, hop_length=hop)
    assert ours.voiced.any()
    assert_same(ours, librosa_pyin(speech, rate, fmin, fmax, frame_length, hop))


@pytest.mark.parametrize("kind", ["noise", "zeros", "click", "square", "tiny", "sine"])
def test_same_frames_as_librosa_without_speech(kind: str) -> None:
    time = np.arange(RATE) / RATE
    signal = {
        "noise": np.random.default_rng(3).normal(0, 0.3, RATE),
        "zeros": np.zeros(RATE),
        "click": np.where(np.arange(RATE) == 9_000, 1.0, 0.0),
        "square": np.sign(np.sin(2 * np.pi * 200 * time)),
        "tiny": 1e-20 * np.sin(2 * np.pi * 150 * time),
        "sine": 0.9 * np.sin(2 * np.pi * 441 * time),
    }[kind].astype(np.float32)
    assert_same(pyin(signal, sample_rate=RATE, fmin=65.4, fmax=1000.0), librosa_pyin(signal, RATE, 65.4, 1000.0, 1024))


@pytest.mark.parametrize("samples", [1, 255, 256, 1023, 5000])
def test_one_frame_per_hop(samples: int) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, samples).astype(np.float32)
    found = pyin(noise, sample_rate=RATE, fmin=80.0, fmax=400.0)
    assert len(found.f0) == len(found.voiced) == len(found.probability) == samples // 256 + 1
    assert_same(found, librosa_pyin(noise, RATE, 80.0, 400.0, 1024))


def test_pitch_of_a_known_tone() -> None:
    time = np.arange(2 * RATE) / RATE
    f0 = 220.0 * 2 ** (0.2 * np.sin(2 * np.pi * time))
    tone = (0.5 * np.sign(np.sin(2 * np.pi * np.cumsum(f0) / RATE))).astype(np.float32)
    found = pyin(tone, sample_rate=RATE, fmin=65.0, fmax=800.0)
    truth = f0[np.minimum(np.arange(len(found.f0)) * 256, len(f0) - 1)]
    cents = 1200 * np.log2(found.f0[2:-2] / truth[2:-2])
    assert found.voiced[2:-2].all()
    assert np.abs(cents).max() < 15.0


def test_unvoiced_frames_are_zero(babble: Callable[..., Samples]) -> None:
    found = pyin(babble(RATE, 2.0), sample_rate=RATE, fmin=65.0, fmax=800.0)
    assert found.voiced.any()
    assert not found.voiced.all()
    assert (found.f0[~found.voiced] == 0.0).all()
    assert (found.f0[found.voiced] >= 65.0).all()
    assert ((found.probability >= 0) & (found.probability <= 1)).all()


def test_blocks_make_no_difference(demo_speech: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = pyin(demo_speech, sample_rate=RATE, fmin=65.4, fmax=600.0)
    monkeypatch.setattr("voicemill.audio.pitch_viterbi._BLOCK", 333)
    monkeypatch.setattr("voicemill.audio.pitch._BLOCK", 100)
    assert_same(pyin(demo_speech, sample_rate=RATE, fmin=65.4, fmax=600.0), whole)


@pytest.mark.parametrize(
    "arguments",
    [
        {"fmin": 0.0, "fmax": 400.0},
        {"fmin": 400.0, "fmax": 80.0},
        {"fmin": 80.0, "fmax": 12_000.0},
        {"fmin": 20.0, "fmax": 400.0},
    ],
)
def test_invalid_range(arguments: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"fmin|period"):
        pyin(np.ones(4096, dtype=np.float32), sample_rate=RATE, **arguments)


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros((4, 2)), np.array([0.0, np.nan])])
def test_invalid_samples(samples: npt.NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="pitch needs"):
        pyin(samples.astype(np.float32), sample_rate=RATE, fmin=80.0, fmax=400.0)


@pytest.mark.parametrize(("pitch", "rate"), [(110.0, 22_050), (210.0, 22_050), (210.0, 16_000), (210.0, 44_100)])
def test_range_contains_the_pitch_of_the_speaker(pitch: float, rate: int, babble: Callable[..., Samples]) -> None:
    fmin, fmax = range_of(babble(rate, 6.0, seed=7, pitch=pitch), rate)
    assert 0.5 * pitch < fmin <= 0.8 * pitch
    assert 1.25 * pitch <= fmax < 2.1 * pitch
    pyin(np.ones(4096, dtype=np.float32), sample_rate=rate, fmin=fmin, fmax=fmax, frame_length=4096)


def test_range_of_the_demo_speaker(demo_speech: Samples) -> None:
    fmin, fmax = range_of(demo_speech, RATE)
    assert 70 < fmin < 140
    assert 230 < fmax < 420


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros(100), np.random.default_rng(1).normal(0, 0.1, RATE)])
def test_default_range_without_voiced_frames(samples: npt.NDArray[np.float64]) -> None:
    assert range_of(samples.astype(np.float32), RATE) == (65.0, 600.0)


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys, numpy; import voicemill.audio.pitch as p;"
        "p.pyin(numpy.ones(3000, numpy.float32), sample_rate=22050, fmin=80, fmax=400);"
        "print(sorted({'torch', 'numba', 'librosa', 'scipy.stats', 'soundfile'} & set(sys.modules)))"
    )
    library = str(Path(__file__).resolve().parents[3] / "lib")
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": library}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
