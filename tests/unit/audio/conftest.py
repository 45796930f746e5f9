"""Signals made of numpy: no voice program is needed to test the first room."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

Samples = npt.NDArray[np.float32]


def _resonate(signal: npt.NDArray[np.float64], rate: int, centre: float, width: float) -> npt.NDArray[np.float64]:
    """A formant: one two-pole resonance, made in the frequency domain."""
    spectrum = np.fft.rfft(signal)
    z = np.exp(-2j * np.pi * np.fft.rfftfreq(len(signal), 1 / rate) / rate)
    radius, angle = math.exp(-math.pi * width / rate), 2 * math.pi * centre / rate
    spectrum *= (1 - radius) / (1 - 2 * radius * math.cos(angle) * z + radius**2 * z**2)
    return np.fft.irfft(spectrum, len(signal))


def _babble(rate: int, seconds: float, seed: int = 0, pitch: float = 160.0) -> Samples:
    """Something like speech: pulses with a moving pitch through changing formants, syllables, some of them noise."""
    rng = np.random.default_rng(seed)
    count = round(rate * seconds)
    time = np.arange(count) / rate
    f0 = pitch * np.exp(
        0.25 * np.sin(2 * np.pi * 0.7 * time + rng.uniform(0, 6)) + 0.08 * np.sin(2 * np.pi * 2.3 * time)
    )
    phase = np.cumsum(f0 / rate)
    pulses = np.diff(np.floor(phase), prepend=0.0)
    result = np.zeros(count)
    position = 0
    while position < count:
        length = round(rate * rng.uniform(0.12, 0.28))
        part = slice(position, min(count, position + length))
        source = pulses[part].copy() if rng.random() < 0.75 else rng.normal(0, 0.05, len(pulses[part]))
        first, second = rng.uniform(300, 800), rng.uniform(1000, 2300)
        voiced = _resonate(source, rate, first, 80) + 0.5 * _resonate(source, rate, second, 120)
        result[part] = voiced * np.hanning(len(source) + 2)[1:-1]
        position += length
    result *= 0.4 / max(1e-9, float(np.abs(result).max()))
    return (result + rng.normal(0, 1e-3, count)).astype(np.float32)


@pytest.fixture(scope="session")
def babble() -> Callable[..., Samples]:
    """Make speech-like samples: `babble(rate, seconds, seed, pitch)`."""
    return _babble


@pytest.fixture
def wav(tmp_path: Path) -> Callable[..., Path]:
    """Write samples to a sound file: `wav("name.wav", samples, rate, subtype=...)`."""

    def write(name: str, samples: npt.NDArray[np.floating], rate: int, subtype: str = "PCM_16") -> Path:
        path = tmp_path / name
        soundfile.write(path, samples, rate, subtype=subtype)
        return path

    return write


DEMO = Path(__file__).resolve().parents[3] / "data" / "demo"


@pytest.fixture(scope="session")
def demo_speech() -> Samples:
    """20 s of the bundled demo recording, mono, 22,050 Hz."""
    import soxr

    path = DEMO / "demo.flac"
    if not path.is_file():
        pytest.skip("the demo recording is not in this checkout")
    with soundfile.SoundFile(path) as source:
        rate = source.samplerate
        samples = source.read(20 * rate, dtype="float32", always_2d=True).mean(axis=1)
    return soxr.resample(samples, rate, 22_050).astype(np.float32)
