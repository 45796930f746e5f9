"""Voice activity: the same spans as the package, without torch or files in the home folder."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soxr

from voicemill.audio import decode, vad
from voicemill.audio.level_envelope import LevelEnvelope
from voicemill.audio.vad import Span, speech_probabilities, speech_spans
from voicemill.audio.waveform import MemoryWaveform
from voicemill.errors import DependencyError

Samples = npt.NDArray[np.float32]
LIBRARY = str(Path(__file__).resolve().parents[3] / "lib")


@pytest.fixture(scope="module")
def speech(demo_speech: Samples) -> Samples:
    return soxr.resample(demo_speech, 22_050, 16_000).astype(np.float32)


def test_finds_the_sentences_of_the_demo(speech: Samples) -> None:
    spans = speech_spans(speech)
    assert len(spans) >= 4
    assert spans == sorted(spans)
    assert all(left.end <= right.start for left, right in pairwise(spans))
    level = np.abs(speech)
    inside = np.concatenate([level[int(span.start * 16_000) : int(span.end * 16_000)] for span in spans])
    outside = np.concatenate(
        [level[int(left.end * 16_000) : int(right.start * 16_000)] for left, right in pairwise(spans)]
    )
    assert inside.mean() > 20 * outside.mean()


@pytest.mark.filterwarnings("ignore:`torch.jit.load` is deprecated:DeprecationWarning")
def test_same_spans_as_the_package(speech: Samples) -> None:
    """The package's own way: its torch model, frame by frame."""
    silero = pytest.importorskip("silero_vad")
    torch = pytest.importorskip("torch")
    expected = silero.get_speech_timestamps(torch.from_numpy(speech), silero.load_silero_vad(), sampling_rate=16_000)
    found = [(round(span.start * 16_000), round(span.end * 16_000)) for span in speech_spans(speech)]
    assert found == [(span["start"], span["end"]) for span in expected]


@pytest.mark.parametrize("seed", range(20))
def test_same_hysteresis_as_the_package(seed: int) -> None:
    package = pytest.importorskip("silero_vad.utils_vad")
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 400))
    walk = np.clip(0.5 + np.cumsum(rng.normal(0, rng.choice([0.05, 0.2, 0.6]), count)) % 1.0 - 0.5, 0, 1).astype(
        np.float32
    )
    length = count * 512 - int(rng.integers(0, 512))
    expected = package.get_speech_timestamps_from_probs(walk.tolist(), 16_000, audio_length_samples=length)
    assert vad._spans(walk, length) == [(span["start"], span["end"]) for span in expected]


def test_blocks_make_no_difference(speech: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = speech_probabilities(speech)
    monkeypatch.setattr(vad, "BLOCK", 37)
    np.testing.assert_allclose(speech_probabilities(speech), whole, atol=1e-5)
    assert len(whole) == -(-len(speech) // 512)


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(0),
        np.zeros(100),
        np.zeros(512),
        np.zeros(48_000),
        np.random.default_rng(0).normal(0, 0.001, 48_000),
        np.ones(5),
    ],
)
def test_no_speech(samples: npt.NDArray[np.float64]) -> None:
    assert speech_spans(samples.astype(np.float32)) == []


def test_span() -> None:
    assert Span(1.0, 2.5).duration == 1.5
    with pytest.raises(AttributeError):
        Span(1.0, 2.0).start = 3.0  # type: ignore[misc]


def test_home_stays_empty_and_torch_is_not_imported(tmp_path: Path) -> None:
    code = (
        "import sys, numpy; from voicemill.audio.vad import speech_spans;"
        "speech_spans(numpy.zeros(32000, numpy.float32));"
        "print('torch' in sys.modules, 'silero_vad' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": LIBRARY, "HOME": str(tmp_path / "home"), "PATH": ""},
    )
    assert done.stdout.split() == ["False", "False"]
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_package_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DependencyError) as caught:
        vad.model_path()
    assert caught.value.reason == "runtime_dependency_missing:silero-vad"


def test_missed_onsets_after_a_long_pause_are_recovered(speech: Samples) -> None:
    """What memory made the model overlook is found; where speech follows speech nothing is asked."""
    quiet = np.random.default_rng(0).normal(0.0, 1e-4, 4 * 16_000).astype(np.float32)
    recording = np.concatenate((quiet, speech[: 8 * 16_000]))
    whole = speech_spans(recording)
    late = [Span(whole[0].start + 0.4, whole[0].end), *(Span(span.start + 0.1, span.end) for span in whole[1:])]
    found = vad.recover_missed_onsets(MemoryWaveform(recording, 16_000), late)
    assert found[0].start == pytest.approx(whole[0].start, abs=0.1)
    assert found[1:] == late[1:]


def test_the_first_words_in_a_room_are_found() -> None:
    """A clip that begins on its first sound, in a room of 0.6 s: the model's state knows no speech yet."""
    path = Path(__file__).parents[2] / "data/people/lj/LJ001-0006.flac"
    samples, rate = decode.read_mono(path)
    decay = np.exp(-6.9 * np.arange(round(0.6 * rate)) / (0.6 * rate))
    response = np.random.default_rng(0).standard_normal(len(decay)) * decay
    response *= 0.5 / float(np.sqrt(np.sum(np.square(response))))
    response[0] = 1.0
    size = 1 << (len(samples) + len(response)).bit_length()
    wet = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(response, size), size)[: len(samples)]
    room = MemoryWaveform((wet * 0.7 / np.abs(wet).max()).astype(np.float32), rate)
    gain = vad.detection_gain(LevelEnvelope.of(room.samples, rate))
    cold = vad.detect_speech(room, gain)
    warm = vad.recover_first_onset(room, cold, gain)
    assert cold[0].start > 0.3
    assert warm[0].start < 0.05
    assert warm[1:] == cold[1:]


@pytest.mark.parametrize("kind", ["silence", "noise", "tone"])
def test_what_is_no_speech_before_the_first_words_stays_out(kind: str) -> None:
    path = Path(__file__).parents[2] / "data/people/kathleen/arctic_a0144.flac"
    samples, rate = decode.read_mono(path)
    loud = float(np.sqrt(np.mean(np.square(samples))))
    times = np.arange(round(1.5 * rate)) / rate
    sound = {
        "silence": np.zeros(len(times)),
        "noise": np.random.default_rng(0).standard_normal(len(times)) * loud * 0.3,
        "tone": np.sin(2 * np.pi * 440.0 * times) * loud,
    }[kind]
    joined = MemoryWaveform(np.concatenate((sound, samples)).astype(np.float32), rate)
    gain = vad.detection_gain(LevelEnvelope.of(joined.samples, rate))
    found = vad.detect_speech(joined, gain)
    assert vad.recover_first_onset(joined, found, gain) == found
