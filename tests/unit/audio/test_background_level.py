from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from voicemill.audio import decode
from voicemill.audio.background_level import MAX_WINDOW, BackgroundLevel, background_level, pooled, speech_windows
from voicemill.audio.vad import Span, detect_speech
from voicemill.audio.waveform import MemoryWaveform
from voicemill.dataset.stages.separation import LIMIT_DB

Samples = NDArray[np.float32]
_PEOPLE = Path(__file__).parents[2] / "data/people"
CLIPS = sorted([*(_PEOPLE / "lj").glob("*.flac"), *(_PEOPLE / "austen").glob("*.flac")])
_STRETCHES = st.lists(st.tuples(st.floats(0.01, 8.0), st.floats(0.1, 70.0)), max_size=30)


@given(_STRETCHES, st.floats(0.0, 5.0))
def test_windows_contain_all_speech_once_and_are_short(stretches: list[tuple[float, float]], rest: float) -> None:
    spans, position = [], 0.0
    for pause, speech in stretches:
        spans.append(Span(position + pause, position + pause + speech))
        position = spans[-1].end
    seconds = position + rest
    found = speech_windows(spans, seconds)
    assert all(0.0 <= one.start < one.end <= seconds for one in found)
    assert all(one.duration <= MAX_WINDOW + 1e-6 for one in found)
    assert all(one.end <= two.start for one, two in itertools.pairwise(found))
    for span in spans:
        inside = sum(max(0.0, min(one.end, span.end) - max(one.start, span.start)) for one in found)
        assert inside == pytest.approx(span.duration, abs=1e-6)


def test_long_silence_is_in_no_window() -> None:
    assert speech_windows([Span(10.0, 12.0), Span(12.5, 14.0), Span(40.0, 41.0)], 60.0) == [
        Span(9.0, 15.0),
        Span(39.0, 42.0),
    ]
    assert speech_windows([], 60.0) == []


@pytest.mark.parametrize("level", [-30.0, -20.0, -10.0])
@pytest.mark.parametrize("kind", ["music", "noise"])
def test_the_level_is_that_of_the_added_background(
    demo_speech: Samples, chords: Callable[..., Samples], level: float, kind: str
) -> None:
    rate = 22_050
    spans = detect_speech(MemoryWaveform(demo_speech, rate))
    added = chords(20, rate) if kind == "music" else np.random.default_rng(0).normal(size=20 * rate)
    added = added[: len(demo_speech)]
    speech = np.concatenate([demo_speech[int(one.start * rate) : int(one.end * rate)] for one in spans])
    frames = np.sqrt(np.square(speech[: len(speech) // 441 * 441]).reshape(-1, 441).mean(axis=1))
    factor = np.percentile(frames, 90) / np.sqrt(np.square(added).mean()) * 10 ** (level / 20)
    mixed = MemoryWaveform((demo_speech + added * factor).astype(np.float32), rate)
    (window,) = speech_windows(spans, mixed.seconds)
    found = background_level(mixed, window, spans)
    assert found.level_db == pytest.approx(level, abs=1.5)
    assert found.measured


def test_a_quiet_room_and_speech_without_a_pause(demo_speech: Samples) -> None:
    waveform = MemoryWaveform(demo_speech, 22_050)
    spans = detect_speech(waveform)
    (window,) = speech_windows(spans, waveform.seconds)
    assert background_level(waveform, window, spans).level_db < -35.0
    everything = [Span(0.0, waveform.seconds)]
    without_pause = background_level(waveform, window, everything)
    assert without_pause.level_db < -30.0
    assert not without_pause.measured


def test_a_window_without_pauses_takes_at_most_the_level_of_the_others() -> None:
    quiet, unknown = BackgroundLevel(-45.0, measured=True), BackgroundLevel(-7.0, measured=False)
    noisy = BackgroundLevel(-18.0, measured=True)
    assert pooled([unknown]) == [None]
    assert pooled([noisy]) == [-18.0]
    assert pooled([quiet, unknown, quiet]) == [-45.0, -45.0, -45.0]
    assert pooled([noisy, unknown, noisy]) == [-18.0, -18.0, -18.0]
    assert pooled([quiet, quiet, noisy]) == [-45.0, -45.0, -18.0]
    assert pooled([]) == []


@pytest.mark.parametrize("path", CLIPS, ids=lambda path: path.stem)
def test_clean_people_are_below_the_limit_and_noise_is_above(path: Path) -> None:
    clip, rate = decode.read_mono(path)
    found = {}
    for noise_db in (None, -15.0):
        loud = float(np.sqrt(np.mean(np.square(clip))))
        factor = 0.0 if noise_db is None else loud * 10.0 ** (noise_db / 20.0)
        noise = np.random.default_rng(0).standard_normal(len(clip)) * factor
        recording = MemoryWaveform((clip + noise).astype(np.float32), rate)
        spans = detect_speech(recording)
        found[noise_db] = [
            background_level(recording, window, spans) for window in speech_windows(spans, recording.seconds)
        ]
    assert all(level.level_db < LIMIT_DB for level in found[None] if level.measured)
    assert max(level.level_db for level in found[-15.0]) > LIMIT_DB
