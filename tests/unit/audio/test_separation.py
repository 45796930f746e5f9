from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from voicemill import files
from voicemill.audio.separation import DemucsSeparator, bounds, replace_windows, separate
from voicemill.audio.separation_model import SeparationModel
from voicemill.audio.vad import Span
from voicemill.audio.waveform import FileWaveform, MemoryWaveform
from voicemill.errors import DependencyError, GateError

pytestmark = pytest.mark.slow

Samples = NDArray[np.float32]
RATE = 22_050


@pytest.fixture(scope="session")
def model(separator_package: Path) -> SeparationModel:
    return SeparationModel(separator_package, "a/b", files.sha256_file(separator_package))


def sdr(wanted: Samples, found: Samples) -> float:
    """Signal-to-distortion ratio in dB."""
    return float(10.0 * np.log10(np.square(wanted).sum() / np.square(found - wanted).sum()))


def test_the_voice_is_separated_from_music(
    model: SeparationModel, demo_speech: Samples, chords: Callable[..., Samples]
) -> None:
    mixed = demo_speech + chords(20, RATE, seed=9)[: len(demo_speech)]
    voice = DemucsSeparator(model).voice(mixed, RATE)
    assert (voice.shape, voice.dtype) == (demo_speech.shape, np.float32)
    assert sdr(demo_speech, voice) > sdr(demo_speech, mixed) + 4.0
    assert np.array_equal(voice, DemucsSeparator(model).voice(mixed, RATE))


def test_a_window_keeps_its_position(model: SeparationModel, demo_speech: Samples) -> None:
    waveform, separator = MemoryWaveform(demo_speech, RATE), DemucsSeparator(model)
    window = Span(3.00001, 9.4)
    first, last = bounds(waveform, window)
    part = separate(waveform, window, separator)
    assert len(part) == last - first
    assert sdr(demo_speech[first:last], part) > 5.0
    beginning = separate(waveform, Span(0.0, 4.0), separator)
    assert len(beginning) == 4 * RATE
    assert sdr(demo_speech[: 4 * RATE], beginning) > 5.0
    assert separator.voice(np.zeros(0, dtype=np.float32), RATE).size == 0


@pytest.fixture
def mark(tmp_path: Path) -> Callable[[float, float], tuple[Span, Path]]:
    """A separated window of nothing but 0.25."""

    def make(start: float, end: float) -> tuple[Span, Path]:
        path = tmp_path / f"{start}.wav"
        soundfile.write(path, np.full(round(end * RATE) - round(start * RATE), 0.25, np.float32), RATE, subtype="FLOAT")
        return Span(start, end), path

    return make


def test_windows_are_replaced_and_the_rest_is_unchanged(
    demo_speech: Samples, tmp_path: Path, mark: Callable[[float, float], tuple[Span, Path]]
) -> None:
    replace_windows(
        MemoryWaveform(demo_speech, RATE), [mark(2.0, 5.0), mark(5.0, 6.0), mark(19.0, 20.0)], tmp_path / "new.wav"
    )
    found, rate = soundfile.read(tmp_path / "new.wav", dtype="float32")
    assert (len(found), rate) == (len(demo_speech), RATE)
    for start, end in ((0.0, 2.0), (6.0, 19.0)):
        assert np.array_equal(
            found[round(start * RATE) : round(end * RATE)], demo_speech[round(start * RATE) : round(end * RATE)]
        )
    assert (found[round(2.01 * RATE) : round(5.99 * RATE)] == 0.25).all()  # two windows side by side have no seam
    assert np.abs(np.diff(found[round(1.99 * RATE) : round(2.01 * RATE)])).max() < 0.05
    assert found[-1] == pytest.approx(demo_speech[-1], abs=2e-3)


def test_memory_does_not_grow_with_the_recording(
    tmp_path: Path, mark: Callable[[float, float], tuple[Span, Path]]
) -> None:
    long = tmp_path / "long.wav"
    with soundfile.SoundFile(long, "w", samplerate=RATE, channels=1, subtype="FLOAT") as out:
        for _ in range(60):
            out.write(np.full(10 * RATE, 0.5, dtype=np.float32))
    parts = [mark(float(start), start + 30.0) for start in range(0, 600, 60)]
    tracemalloc.start()
    try:
        replace_windows(FileWaveform((long,)), parts, tmp_path / "new.wav")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert soundfile.info(tmp_path / "new.wav").frames == 600 * RATE
    assert peak < 20e6  # the recording itself is 53 MB


def test_a_model_with_another_digest_is_not_loaded(model: SeparationModel) -> None:
    with pytest.raises(GateError) as caught:
        DemucsSeparator(SeparationModel(model.path, "a/b", model.sha256[:8] + "0" * 56))
    assert caught.value.reason == "weights_checksum_mismatch:a/b"


def test_missing_demucs(model: SeparationModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "demucs", None)
    with pytest.raises(DependencyError) as caught:
        DemucsSeparator(model)
    assert caught.value.reason == "extra_missing:demucs"
