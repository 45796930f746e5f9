"""Fixtures that several rooms share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

Talk = Callable[..., NDArray[np.float32]]


@pytest.fixture(scope="session")
def talk() -> Talk:
    """A buzzing 'speaker': pulses at f0 through resonances, in syllables, with noise between them; float32 mono."""
    from scipy.signal import lfilter

    def make(
        f0: float = 120.0,
        formants: tuple[float, ...] = (600.0, 1300.0, 2500.0),
        seconds: float = 4.0,
        seed: int = 0,
        rate: int = 22_050,
    ) -> NDArray[np.float32]:
        rng = np.random.default_rng(seed)
        time = np.arange(int(seconds * rate)) / rate
        phase = np.cumsum(f0 * (1.0 + 0.1 * np.sin(2 * np.pi * 1.3 * time + seed))) / rate
        sound = (np.diff(np.floor(phase), prepend=0.0) > 0).astype(np.float64) + 0.01 * rng.standard_normal(len(time))
        sway = 1.0 + 0.03 * rng.uniform(-1.0, 1.0)
        for formant in formants:
            radius, angle = np.exp(-np.pi * 90.0 / rate), 2 * np.pi * formant * sway / rate
            sound = lfilter([1.0 - radius], [1.0, -2.0 * radius * np.cos(angle), radius**2], sound)
        envelope = np.clip(np.sin(2 * np.pi * 3.0 * time) + 0.6, 0.0, 1.0)
        sound = sound / np.abs(sound).max() * envelope * 0.5 + 1e-4 * rng.standard_normal(len(time))
        return sound.astype(np.float32)

    return make
