"""Voice activity on recordings of people: no sound is cut off where a clip begins or ends, at any level."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile

from voicemill.audio import vad
from voicemill.audio.level_envelope import LevelEnvelope
from voicemill.audio.waveform import MemoryWaveform
from voicemill.dataset.stages.voice_activity import SpeechTask, speech_of

ROOT = Path(__file__).resolve().parents[4]
CLIPS = sorted((ROOT / "tests/data/people/lj").glob("*.flac"))


@pytest.fixture(scope="module")
def people() -> ModuleType:
    """The benchmark's construction of recordings whose first and last sound are known."""
    spec = importlib.util.spec_from_file_location("bench_people", ROOT / "scripts/bench/people.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "condition",
    ["at once", "0 dB", "-10 dB", "-20 dB", "-30 dB", "at once, -30 dB", "room 0.6 s", "noise 15 dB", "hum 50 Hz"],
)
def test_no_start_and_no_end_is_cut(people: ModuleType, condition: str) -> None:
    assert len(CLIPS) == 6
    cut = [one for one in people.measure(CLIPS, (condition,)) if max(one.start, one.end) > people.TOLERANCE]
    assert cut == []


@pytest.mark.parametrize("path", CLIPS, ids=lambda path: path.stem)
def test_clips_that_begin_on_a_sound_keep_it(path: Path, tmp_path: Path) -> None:
    samples, rate = soundfile.read(path, dtype="float32")
    for gain in (1.0, 10.0 ** (-30.0 / 20.0)):
        target = tmp_path / f"{gain:.3f}.wav"
        soundfile.write(target, samples * gain, rate, subtype="FLOAT")
        spans = speech_of(SpeechTask(target, tmp_path / "cache")).spans
        assert spans[0][0] <= 0.05
        assert spans[-1][1] >= len(samples) / rate - 0.2


def test_the_context_before_and_after_a_recording_is_not_part_of_it() -> None:
    samples, rate = soundfile.read(CLIPS[0], dtype="float32")
    spans = vad.detect_speech(MemoryWaveform(samples, rate))
    assert spans[0].start >= 0.0
    assert spans[-1].end <= len(samples) / rate + 1e-3
    assert vad.detect_speech(MemoryWaveform(np.zeros(rate, dtype=np.float32), rate)) == []


def test_the_gain_for_detection_follows_the_loud_parts() -> None:
    samples, rate = soundfile.read(CLIPS[0], dtype="float32")
    levels = [LevelEnvelope.of(samples * np.float32(factor), rate) for factor in (1.0, 0.1)]
    one, tenth = (vad.detection_gain(of) for of in levels)
    assert tenth == pytest.approx(10.0 * one, rel=1e-3)
    silence = LevelEnvelope.of(np.zeros(rate, dtype=np.float32), rate)
    assert vad.detection_gain(silence) == 1.0
