"""The device's arithmetic against numpy's: on CPU tensors everywhere, on a GPU where there is one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from voicemill.audio import decode, device, pitch
from voicemill.errors import DependencyError


def _cuda() -> bool:
    import torch

    return bool(torch.cuda.is_available())


@pytest.fixture(scope="module")
def speech(demo_audio: Path) -> np.ndarray:
    samples, rate = decode.read_mono(demo_audio)
    return decode.resample(samples[: 30 * rate], rate, 22_050)


@pytest.fixture(scope="module", params=["cpu", "cuda"])
def there(request: pytest.FixtureRequest) -> str:
    if request.param == "cuda" and not _cuda():
        pytest.skip("no CUDA device on this machine")
    return str(request.param)


def test_the_same_difference_function(speech: np.ndarray, there: str) -> None:
    frames = np.lib.stride_tricks.sliding_window_view(speech, 1024)[::256][:1000]
    loud = np.square(frames).mean(axis=1) > 1e-6  # in silence rounding is all there is
    ours = pitch.difference(frames[loud], 50, 300)
    theirs = device.difference(frames[loud], 50, 300, there)
    assert theirs.dtype == np.float32
    assert theirs.shape == ours.shape
    np.testing.assert_allclose(theirs, ours, rtol=1e-2, atol=2e-3)


def test_the_same_pitch(speech: np.ndarray, there: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = pitch.pyin(speech, sample_rate=22_050, fmin=80.0, fmax=400.0)
    monkeypatch.setattr(device, "CPU", "numpy")  # or the CPU's own way would be taken
    theirs = pitch.pyin(speech, sample_rate=22_050, fmin=80.0, fmax=400.0, on=there)
    same = np.isclose(ours.f0, theirs.f0, rtol=1e-6)
    assert ours.voiced.any()
    assert same.mean() > 0.995
    assert (ours.voiced == theirs.voiced).mean() > 0.995


def test_a_missing_gpu_is_an_error() -> None:
    device.require("cpu")
    if _cuda():
        device.require("cuda")
        return
    with pytest.raises(DependencyError) as caught:
        device.require("cuda")
    assert caught.value.reason == "cuda_unavailable"
