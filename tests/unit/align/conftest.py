"""The demo recording at 16 kHz, its sentences, and where the first of them lie in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from voicemill.align.script import Script, ScriptUtterance, match_script
from voicemill.audio.vad import speech_spans
from voicemill.audio.waveform import MemoryWaveform
from voicemill.text.lexicon import Lexicon
from voicemill.text.normalise import normalise
from voicemill.text.transcripts import read_script

Samples = npt.NDArray[np.float32]
RATE = 16_000
FIRST = 14
"""Sentences that lie in the first minute of the demo."""


@pytest.fixture(scope="session")
def lexicon() -> Lexicon:
    return Lexicon.load()


@pytest.fixture(scope="session")
def demo(demo_audio: Path) -> Samples:
    import soundfile
    import soxr

    samples, rate = soundfile.read(demo_audio, dtype="float32", always_2d=True)
    return np.asarray(soxr.resample(samples.mean(axis=1), rate, RATE), dtype=np.float32)


@pytest.fixture(scope="session")
def sentences(demo_script: Path) -> list[str]:
    return [normalise(sentence) for sentence in read_script(demo_script)]


@pytest.fixture(scope="session")
def clips(demo: Samples, sentences: list[str], lexicon: Lexicon) -> list[tuple[Samples, str]]:
    """The first sentences as clips with their texts."""
    minute = demo[: 58 * RATE]
    found = match_script(MemoryWaveform(minute, RATE), speech_spans(minute), Script(tuple(sentences[:FIRST]), lexicon))
    assert [utterance.text for utterance in found.utterances] == sentences[:FIRST]
    return [(cut(minute, utterance), utterance.text) for utterance in found.utterances]


def cut(samples: Samples, utterance: ScriptUtterance) -> Samples:
    return samples[round(utterance.start * RATE) : round(utterance.end * RATE)]


@pytest.fixture(scope="session")
def assemble(clips: list[tuple[Samples, str]]) -> Callable[..., Samples]:
    """Recordings made of clips, by index, or of other sounds, with room noise at -80 dBFS between them."""
    noise = np.random.default_rng(1).standard_normal(20 * RATE).astype(np.float32) * np.float32(1e-4)

    def make(*parts: int | Samples, gap: float = 0.7) -> Samples:
        sounds = [noise[:RATE]]
        for part in parts:
            sounds += [clips[part][0] if isinstance(part, int) else part, noise[: round(gap * RATE)]]
        return np.concatenate(sounds)

    return make
