"""Recordings of people for the tests of splitting and of references (tests/data/people)."""

from __future__ import annotations

import functools
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from voicemill.audio.decode import resample

RATE = 22_050


def clip_of(people: Path, name: str) -> npt.NDArray[np.float32]:
    """A clip of a person at `RATE`."""
    samples, rate = soundfile.read(people / name, dtype="float32")
    return resample(samples, rate, RATE)


@pytest.fixture(scope="session")
def people(request: pytest.FixtureRequest) -> Path:
    """Folder of the recordings."""
    return request.config.rootpath / "tests/data/people"


@pytest.fixture(scope="session")
def interview(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of 52 s: six sentences of one reader, with pauses of 2 s and quiet noise."""
    drawn = np.random.default_rng(1)
    parts = []
    for name in ("0002", "0005", "0006", "0008", "0011", "0013"):
        parts += [clip_of(people, f"lj/LJ001-{name}.flac"), np.zeros(2 * RATE, dtype=np.float32)]
    samples = np.concatenate([np.zeros(3 * RATE, dtype=np.float32), *parts])
    samples = samples + drawn.standard_normal(len(samples), dtype=np.float32) * np.float32(1e-4)
    path = tmp_path_factory.mktemp("interview") / "The interview.wav"
    soundfile.write(path, samples, RATE, subtype="PCM_16")
    return path


@pytest.fixture(scope="session")
def speech(people: Path) -> Path:
    """Eight seconds of one reader."""
    return people / "lj/LJ001-0005.flac"


@pytest.fixture(scope="session")
def two_people(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight seconds: a woman, and then another one, without a pause."""
    parts = [
        clip_of(people, "lj/LJ001-0011.flac")[: 4 * RATE],
        clip_of(people, "kathleen/arctic_a0144.flac")[: 4 * RATE],
    ]
    path = tmp_path_factory.mktemp("two") / "two.wav"
    soundfile.write(path, np.concatenate(parts), RATE, subtype="PCM_16")
    return path


@pytest.fixture(scope="session")
def load_app(request: pytest.FixtureRequest) -> Callable[[str], ModuleType]:
    """Loads an app as a module, by its name."""

    @functools.cache
    def load(name: str) -> ModuleType:
        path = request.config.rootpath / "apps" / name / f"{name}.py"
        spec = importlib.util.spec_from_file_location(name.replace("-", "_"), path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        before = list(sys.path)
        spec.loader.exec_module(module)
        sys.path[:] = before
        return module

    return load
