from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from voicemill.audio.decode import read_mono, resample
from voicemill.metrics.judges import Judges, find_judges
from voicemill.metrics.spectral import MelSettings, log_mel
from voicemill.settings import REPOSITORY
from voicemill.synthesis.vocoders import GriffinLimVocoder
from voicemill.training.config import AudioConfig
from voicemill.weights.allowlist import SHIPPED
from voicemill.weights.registry import WeightsRegistry

PEOPLE = REPOSITORY / "tests/data/people"
RATE = 22_050


@dataclass(frozen=True)
class Spoken:
    """A recording of a person at 22.05 kHz, and its text."""

    samples: NDArray[np.float32]
    text: str

    def copy(self, iterations: int = 60) -> NDArray[np.float32]:
        """Through the mel spectrogram and Griffin-Lim."""
        return GriffinLimVocoder(AudioConfig(), iterations)(log_mel(self.samples, MelSettings()))

    def noisy(self, decibels: float) -> NDArray[np.float32]:
        """With white noise so far below the speech."""
        level = float(np.sqrt(np.mean(self.samples**2))) * 10 ** (-decibels / 20)
        noise = np.random.default_rng(1).standard_normal(len(self.samples))
        return (self.samples + level * noise).astype(np.float32)


def _read(path: Path) -> NDArray[np.float32]:
    samples, rate = read_mono(path)
    return resample(samples, rate, RATE)


@pytest.fixture(scope="session")
def lj() -> list[Spoken]:
    """Six sentences of one woman."""
    with (PEOPLE / "lj/metadata.csv").open(encoding="utf-8") as handle:
        rows = list(csv.reader(handle, delimiter="|", quoting=csv.QUOTE_NONE))
    return [Spoken(_read(PEOPLE / f"lj/{name}.flac"), text) for name, _, text in rows]


@pytest.fixture(scope="session")
def austen() -> list[Spoken]:
    """Three sentences of another."""
    found = sorted((PEOPLE / "austen").glob("*.flac"))
    return [Spoken(_read(path), path.with_suffix(".txt").read_text(encoding="utf-8")) for path in found]


@pytest.fixture(scope="session")
def judges(tmp_path_factory: pytest.TempPathFactory) -> Judges:
    """The judges that ship."""
    registry = WeightsRegistry(REPOSITORY / SHIPPED, tmp_path_factory.mktemp("weights"), REPOSITORY)
    return find_judges(registry)
