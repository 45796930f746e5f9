"""Tones, hum, hiss and held chords at the edges of speech."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from voicemill.audio import decode, endpointing, steady_sound, vad
from voicemill.audio.level_envelope import LevelEnvelope
from voicemill.audio.vad import Span
from voicemill.audio.waveform import MemoryWaveform

Samples = npt.NDArray[np.float32]
PEOPLE = Path(__file__).parents[2] / "data/people"
CLIPS = sorted([*(PEOPLE / "lj").glob("*.flac"), *(PEOPLE / "austen").glob("*.flac")])


def spans_of(samples: Samples, rate: int) -> list[Span]:
    recording = MemoryWaveform(samples, rate)
    levels = LevelEnvelope.of_waveform(recording)
    gain = vad.detection_gain(levels)
    found = vad.recover_missed_onsets(recording, vad.detect_speech(recording, gain), gain)
    return steady_sound.trim(recording, endpointing.refine(found, levels), levels)


def harmonics(hertz: float, seconds: float, rate: int, count: int = 1) -> Samples:
    times = np.arange(round(seconds * rate)) / rate
    return np.sum([np.sin(2 * np.pi * hertz * n * times) / n for n in range(1, count + 1)], axis=0).astype(np.float32)


def sound(kind: str, seconds: float, rate: int) -> Samples:
    random = np.random.default_rng(1)
    name, _, value = kind.partition(" ")
    if name == "tone":
        return harmonics(float(value), seconds, rate)
    if name == "hum":
        return harmonics(float(value), seconds, rate, 6)
    if name == "chord":
        return sum(harmonics(hertz, seconds, rate, 4) for hertz in (196.0, 247.0, 294.0)) / 2
    if name == "dial":
        return (harmonics(770.0, seconds, rate) + harmonics(1336.0, seconds, rate)) / 1.4
    return random.standard_normal(round(seconds * rate)).astype(np.float32)


@pytest.mark.parametrize(
    "kind", ["tone 150", "tone 220", "tone 261", "hum 50", "hum 60", "hum 110", "chord", "dial", "hiss"]
)
@pytest.mark.parametrize(("seconds", "gap"), [(0.5, 0.0), (1.3, 0.4)])
@pytest.mark.parametrize("side", ["before", "after"])
def test_a_steady_sound_beside_speech_is_no_speech(kind: str, seconds: float, gap: float, side: str) -> None:
    clip, rate = decode.read_mono(CLIPS[0])
    loud = float(np.sqrt(np.mean(np.square(clip))))
    added = np.concatenate((sound(kind, seconds, rate) * loud * 1.2, np.zeros(round(gap * rate), dtype=np.float32)))
    parts = (added, clip) if side == "before" else (clip, added[::-1])
    noise = np.random.default_rng(0).standard_normal(len(added) + len(clip)) * loud * 10.0 ** (-50.0 / 20.0)
    mixed = (np.concatenate(parts) + noise).astype(np.float32)
    begin = len(added) / rate if side == "before" else 0.0
    end = begin + len(clip) / rate
    spans = spans_of(mixed, rate)
    wrong = sum(span.duration - max(0.0, min(span.end, end) - max(span.start, begin)) for span in spans)
    assert wrong <= 0.1
    own = spans_of(clip, rate)
    assert spans[0].start <= begin + own[0].start + 0.05
    assert spans[-1].end >= begin + own[-1].end - 0.05


@pytest.mark.parametrize("path", CLIPS, ids=lambda path: path.stem)
@pytest.mark.parametrize("noise_db", [-60.0, -20.0])
def test_no_speech_of_a_person_is_taken_for_a_steady_sound(path: Path, noise_db: float) -> None:
    clip, rate = decode.read_mono(path)
    loud = float(np.sqrt(np.mean(np.square(clip))))
    noise = np.random.default_rng(0).standard_normal(len(clip)) * loud * 10.0 ** (noise_db / 20.0)
    recording = MemoryWaveform((clip + noise).astype(np.float32), rate)
    levels = LevelEnvelope.of_waveform(recording)
    spans = endpointing.refine(vad.detect_speech(recording, vad.detection_gain(levels)), levels)
    assert steady_sound.trim(recording, spans, levels) == spans


def test_a_recording_of_nothing_but_a_tone_has_no_speech() -> None:
    assert spans_of(0.2 * harmonics(220.0, 3.0, 22_050), 22_050) == []


def test_runs_are_disjoint_and_cover_the_tone() -> None:
    clip, rate = decode.read_mono(CLIPS[0])
    clip = decode.resample(clip, rate, vad.SAMPLE_RATE)[: 2 * vad.SAMPLE_RATE]
    tone = 0.1 * harmonics(300.0, 1.0, vad.SAMPLE_RATE)
    runs = steady_sound.steady_runs(np.concatenate((tone, clip, tone)))
    assert all(one.end <= two.start for one, two in itertools.pairwise(runs))
    assert runs[0].start == pytest.approx(0.0, abs=0.02)
    assert runs[0].end == pytest.approx(1.0, abs=0.08)
    assert runs[-1].start == pytest.approx(3.0, abs=0.08)


def test_digital_silence_and_empty_samples() -> None:
    assert steady_sound.steady_runs(np.zeros(0, dtype=np.float32)) == []
    recording = MemoryWaveform(np.zeros(22_050, dtype=np.float32), 22_050)
    spans = [Span(0.2, 0.8)]
    assert steady_sound.trim(recording, spans, LevelEnvelope.of_waveform(recording)) == spans
