"""Reading piece by piece gives the samples of reading at once."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from voicemill.audio import waveform
from voicemill.audio.decode import resample
from voicemill.audio.level_envelope import LevelEnvelope
from voicemill.audio.vad import blocks_at, detect_speech
from voicemill.audio.waveform import FileWaveform, MemoryWaveform, digest, excerpt

RATE = 22_050


@pytest.fixture
def parts(babble: Callable[..., np.ndarray], wav: Callable[..., Path]) -> tuple[FileWaveform, np.ndarray]:
    """Two files with a gap of half a second, and the same as one array."""
    first, second = babble(RATE, 12.3, 1), babble(RATE, 3.1, 2)
    paths = (wav("a.wav", first, RATE, subtype="FLOAT"), wav("b.wav", second, RATE, subtype="FLOAT"))
    whole = np.concatenate([first, np.zeros(RATE // 2, dtype=np.float32), second])
    return FileWaveform(paths, 0.5), whole


def test_two_files_and_the_silence_between_them(parts: tuple[FileWaveform, np.ndarray]) -> None:
    disk, whole = parts
    assert disk.seconds == pytest.approx(15.9)
    assert disk.starts == pytest.approx([0.0, 12.8])
    np.testing.assert_array_equal(np.concatenate(list(disk.blocks())), whole)
    memory = MemoryWaveform(whole, RATE)
    np.testing.assert_array_equal(np.concatenate(list(memory.blocks())), whole)
    assert max(map(len, memory.blocks())) == max(map(len, disk.blocks())) == 10 * RATE
    for start, end in (
        (0.0, 0.5),
        (11.9, 13.4),
        (12.35, 12.75),
        (12.5, 15.0),
        (14.0, 99.0),
        (-1.0, 1.0),
        (99.0, 100.0),
    ):
        np.testing.assert_array_equal(disk.read(start, end), memory.read(start, end))
    assert digest(disk) == digest(memory) != digest(MemoryWaveform(whole[:-1], RATE))
    assert digest(MemoryWaveform(whole, 16_000)) != digest(memory)


def test_files_of_different_rates(wav: Callable[..., Path]) -> None:
    silence = np.zeros(1000)
    with pytest.raises(ValueError, match=r"b\.wav is not mono at 22050 Hz"):
        _ = FileWaveform((wav("a.wav", silence, RATE), wav("b.wav", silence, 16_000))).rate


def test_another_rate(parts: tuple[FileWaveform, np.ndarray]) -> None:
    disk, whole = parts
    np.testing.assert_allclose(np.concatenate(list(blocks_at(disk, 16_000))), resample(whole, RATE, 16_000), atol=1e-5)
    assert len(excerpt(disk, 2.0, 3.5, 16_000)) == 24_000


def test_levels_and_speech_do_not_depend_on_the_blocks(
    parts: tuple[FileWaveform, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, whole = parts
    at_once = LevelEnvelope.of(whole, RATE)
    spans = detect_speech(disk)
    assert spans == detect_speech(MemoryWaveform(whole, RATE))
    monkeypatch.setattr(waveform, "BLOCK_SECONDS", 0.377)
    in_blocks = LevelEnvelope.of_waveform(disk)
    np.testing.assert_array_equal(in_blocks.values, at_once.values)
    assert (in_blocks.step, in_blocks.seconds) == (at_once.step, at_once.seconds)
    assert detect_speech(disk) == spans


class Endless:
    """Minutes of noise that are nowhere as a whole."""

    rate = RATE

    def __init__(self, minutes: float) -> None:
        self.seconds = 60.0 * minutes

    def read(self, start: float, end: float) -> np.ndarray:
        return np.zeros(round((end - start) * RATE), dtype=np.float32)

    def blocks(self) -> Iterator[np.ndarray]:
        noise = np.random.default_rng(0).normal(0, 0.1, 10 * RATE).astype(np.float32)
        for _ in range(round(self.seconds / 10)):
            yield noise.copy()


@pytest.mark.parametrize("work", [LevelEnvelope.of_waveform, digest, detect_speech])
def test_memory_does_not_grow_with_the_samples(work: Callable[[Endless], object]) -> None:
    """20 minutes are 106 MB of samples; what is kept of them is a level each 5 ms (2 MB) and a probability each 32 ms."""
    work(Endless(0.5))  # models and tables are loaded once
    tracemalloc.start()
    try:
        work(Endless(20.0))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 30e6
