"""The watermark on a person's speech: inaudibly weak, found after every single attack, and never found by another key."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

from voicemill.verify.audio_marks import inspect_audio
from voicemill_marks import detector
from voicemill_marks.code import CHIPS, PERIOD_FRAMES, SYMBOLS, checksum, code_of
from voicemill_marks.detector import SEARCHED_THRESHOLD, STEP_SECONDS, THRESHOLD, detect, detect_in_file
from voicemill_marks.features import Spectrogram, at_tempo
from voicemill_marks.matching import match, read_payload
from voicemill_marks.watermark import Watermark

Samples = NDArray[np.float32]
PAYLOAD = bytes.fromhex("8f03a1d4")
PEOPLE = Path(__file__).parents[2] / "data/people"


@pytest.fixture(scope="module")
def speech() -> tuple[Samples, int]:
    """Five seconds of a person."""
    parts = []
    for path in sorted(PEOPLE.glob("**/*.flac")):
        samples, rate = soundfile.read(path, dtype="float32")
        parts.append(soxr.resample(samples if samples.ndim == 1 else samples[:, 0], rate, 22_050))
        if sum(map(len, parts)) >= 5 * 22_050:
            break
    return np.concatenate(parts)[: 5 * 22_050].astype(np.float32), 22_050


@pytest.fixture(scope="module")
def marked(speech: tuple[Samples, int]) -> Samples:
    samples, rate = speech
    return Watermark(rate, PAYLOAD).mark(samples)


def through_codec(samples: Samples, rate: int, form: str, *options: str) -> Samples:
    """Samples through ffmpeg's encoder and back."""
    source = ["-f", "f32le", "-ar", str(rate), "-ac", "1", "-i", "-"]
    coded = subprocess.run(
        ["ffmpeg", "-v", "error", *source, *options, "-f", form, "-"],
        input=samples.astype("<f4").tobytes(), capture_output=True, check=True,
    ).stdout  # fmt: skip
    raw = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", "-", "-f", "f32le", "-ac", "1", "-ar", str(rate), "-"],
        input=coded, capture_output=True, check=True,
    ).stdout  # fmt: skip
    return np.frombuffer(raw, dtype="<f4")


def noise(samples: Samples, decibels: float) -> Samples:
    random = np.random.default_rng(1).standard_normal(samples.size)
    level = np.sqrt(np.mean(np.square(samples))) * 10 ** (-decibels / 20)
    return (samples + level * random).astype(np.float32)


ATTACKS: dict[str, Callable[[Samples, int], tuple[Samples, int]]] = {
    "nothing": lambda samples, rate: (samples, rate),
    "mp3 at 64 kbit/s": lambda samples, rate: (through_codec(samples, rate, "mp3", "-b:a", "64k"), rate),
    "opus at 24 kbit/s": lambda samples, rate: (through_codec(samples, rate, "ogg", "-c:a", "libopus", "-b:a", "24k"), rate),
    "8 kHz": lambda samples, rate: (soxr.resample(samples, rate, 8000), 8000),
    "gain": lambda samples, rate: (samples * np.float32(0.03), rate),
    "noise at 20 dB": lambda samples, rate: (noise(samples, 20), rate),
    "three seconds of it": lambda samples, rate: (samples[int(0.7 * rate) : int(3.7 * rate)], rate),
    "played slower": lambda samples, rate: (soxr.resample(samples, rate, rate / 0.913), rate),
    "played faster": lambda samples, rate: (soxr.resample(samples, rate, rate / 1.1), rate),
    "tempo": lambda samples, rate: (through_codec(samples, rate, "wav", "-filter:a", "atempo=1.07"), rate),
    "one bit of a sample in a thousand": lambda samples, rate: (np.where(np.arange(samples.size) % 1000, samples, -samples).astype(np.float32), rate),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
def test_the_payload_survives_every_single_attack(attack: str, marked: Samples, speech: tuple[Samples, int]) -> None:
    samples, rate = ATTACKS[attack](marked, speech[1])
    found = detect(samples, rate)
    assert found.marked
    assert found.payload == PAYLOAD


FORMATS = {
    "wav": ("-c:a", "pcm_s16le"),
    "w64": ("-c:a", "pcm_f32le"),
    "aiff": (),
    "au": (),
    "caf": (),
    "flac": (),
    "wv": (),
    "tta": (),
    "mp3": (),
    "ogg": ("-c:a", "libvorbis"),
    "opus": (),
    "aac": (),
    "m4a": (),
    "m4a with ALAC": ("-c:a", "alac"),
    "ac3": (),
    "eac3": (),
    "wma": (),
    "mka": ("-c:a", "libopus"),
    "webm": ("-c:a", "libopus"),
    "mp4": ("-c:a", "aac"),
    "mov": ("-c:a", "pcm_s16le"),
    "avi": ("-c:a", "mp3"),
    "ts": ("-c:a", "mp2"),
    "flv": ("-c:a", "aac"),
    "wav of A-law": ("-c:a", "pcm_alaw", "-ar", "8000"),
    "wav of ADPCM": ("-c:a", "adpcm_ms"),
    "wav in stereo": ("-ac", "2", "-ar", "48000"),
}
"""File formats, by the ending of the name, and how ffmpeg writes them."""


@pytest.mark.parametrize("form", FORMATS, ids=str)
def test_a_file_of_any_usual_format_is_read(
    form: str, marked: Samples, speech: tuple[Samples, int], tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "marked.wav", marked, speech[1])
    target = tmp_path / f"sound.{form.partition(' ')[0]}"
    argv = ["ffmpeg", "-v", "error", "-i", str(tmp_path / "marked.wav"), *FORMATS[form], str(target)]
    subprocess.run(argv, check=True, capture_output=True)
    found = inspect_audio(target, []).watermark
    assert found.marked
    assert found.payload == PAYLOAD


def test_the_mark_is_at_least_25_db_below_the_speech(marked: Samples, speech: tuple[Samples, int]) -> None:
    samples, rate = speech
    size = rate // 50
    count = samples.size // size
    speech_energy = np.square(samples[: count * size].reshape(count, size)).sum(axis=1)
    mark_energy = np.square((marked - samples)[: count * size].reshape(count, size)).sum(axis=1)
    active = speech_energy > speech_energy.max() * 1e-4
    assert np.mean(10 * np.log10(speech_energy[active] / mark_energy[active])) >= 25.0
    assert marked.shape == samples.shape
    assert marked.dtype == np.float32


def test_speech_without_a_mark_and_other_keys_are_not_marked(marked: Samples, speech: tuple[Samples, int]) -> None:
    samples, rate = speech
    assert not detect(samples, rate).marked
    features = Spectrogram.of(marked, rate).features()
    scores = [match(features, code_of(b"key %d" % number)).score for number in range(50)]
    assert max(scores) < THRESHOLD


def test_a_stream_in_parts_has_the_mark_of_the_whole(speech: tuple[Samples, int]) -> None:
    samples, rate = speech
    watermark = Watermark(rate, PAYLOAD)
    parts = [watermark.mark(samples[start : start + 31_000]) for start in range(0, samples.size, 31_000)]
    found = detect(np.concatenate(parts), rate)
    assert found.payload == PAYLOAD


def test_silence_stays_silence_and_advances_the_stream(speech: tuple[Samples, int]) -> None:
    samples, rate = speech
    watermark = Watermark(rate, PAYLOAD)
    silence = np.zeros(rate // 3, dtype=np.float32)
    assert not watermark.mark(silence).any()
    found = detect(np.concatenate((silence, watermark.mark(samples))), rate)
    assert found.payload == PAYLOAD


def test_the_same_speech_gets_the_same_mark(speech: tuple[Samples, int]) -> None:
    samples, rate = speech
    assert np.array_equal(Watermark(rate, PAYLOAD).mark(samples), Watermark(rate, PAYLOAD).mark(samples))


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.3])
def test_a_recording_that_is_too_short_is_not_marked(
    seconds: float, marked: Samples, speech: tuple[Samples, int]
) -> None:
    assert not detect(marked[: int(seconds * speech[1])], speech[1]).marked


def test_where_the_mark_is(marked: Samples, speech: tuple[Samples, int]) -> None:
    samples, rate = speech
    found = detect(np.concatenate((samples, samples, marked, samples, samples)), rate)
    assert found.spans
    assert all(span.end > 10.0 and span.start < 15.0 for span in found.spans)


def test_a_payload_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="5 bytes, not 4"):
        Watermark(22_050, b"12345")


def test_the_code_uses_every_cell_once() -> None:
    code = code_of(b"any")
    assert (code.symbol < 0).sum() == 15 * CHIPS
    counts = np.bincount(code.symbol[code.symbol >= 0])
    assert len(counts) == SYMBOLS
    assert counts.max() - counts.min() == 0
    first, second = code.pattern(bytes(4)), code.pattern(bytes([1, 0, 0, 0]))
    changed = (first != second).reshape(-1)
    assert changed.any()
    assert set(code.symbol[changed]) <= {0, SYMBOLS - 1}


def test_the_checksum_is_part_of_the_payload() -> None:
    assert len(checksum(PAYLOAD)) == 1
    assert checksum(PAYLOAD) != checksum(bytes(4))


def test_a_mark_that_the_original_speed_shows_and_cannot_read_is_read_at_its_speed(
    marked: Samples, speech: tuple[Samples, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    changed, rate = through_codec(marked, speech[1], "wav", "-filter:a", "atempo=1.07"), speech[1]
    monkeypatch.setattr(detector, "THRESHOLD", 20.0)  # so that the original speed is over it
    assert detect(changed, rate, speeds=False).marked
    assert detect(changed, rate, speeds=False).payload is None
    found = detect(changed, rate)
    assert found.payload == PAYLOAD
    assert found.speed.tempo == pytest.approx(1.07, abs=0.003)


def test_features_of_another_speed_line_up(marked: Samples, speech: tuple[Samples, int]) -> None:
    code = code_of(b"voicemill watermark 1")
    spectrogram = Spectrogram.of(soxr.resample(marked, speech[1], speech[1] / 1.08), speech[1])
    assert match(spectrogram.features(), code).score < THRESHOLD
    restored = at_tempo(spectrogram.features(1.08), 1.08)
    assert match(restored, code).score > THRESHOLD
    assert abs(restored.shape[1] - Spectrogram.of(marked, speech[1]).features().shape[1]) <= 8
    assert spectrogram.features().shape[1] < PERIOD_FRAMES * 2


@pytest.mark.parametrize("speed", [0.9, 0.953, 1.047, 1.1])
def test_the_speed_that_is_found_is_the_one_that_was_played(
    speed: float, marked: Samples, speech: tuple[Samples, int]
) -> None:
    found = detect(soxr.resample(marked, speech[1], speech[1] / speed), speech[1])
    assert found.speed.tempo == pytest.approx(speed, abs=0.005)
    assert found.speed.pitch == pytest.approx(speed, abs=0.02)
    assert found.threshold == SEARCHED_THRESHOLD


def test_speech_that_is_covered_by_noise_for_the_most_part_is_read(
    marked: Samples, speech: tuple[Samples, int]
) -> None:
    """A second of speech and four of noise at the level of 20 dB below the whole."""
    rate = speech[1]
    quiet = marked.copy()
    quiet[int(2.5 * rate) :] *= np.float32(0.001)
    found = detect(noise(quiet, 20), rate)
    assert found.marked
    assert found.payload == PAYLOAD


def test_a_symbol_that_is_second_best_is_read_by_the_checksum() -> None:
    values = (*PAYLOAD, *checksum(PAYLOAD))
    symbols = np.zeros((SYMBOLS, 256))
    symbols[np.arange(SYMBOLS), values] = 9.0
    assert read_payload(symbols) == PAYLOAD
    symbols[1, 7] = 9.5
    assert read_payload(symbols) == PAYLOAD
    symbols[2, 8] = 9.5
    assert read_payload(symbols) != PAYLOAD


def test_two_hours_are_examined_a_window_at_a_time(
    marked: Samples, speech: tuple[Samples, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two hours a quarter of a minute is marked speech; the windows are a minute apart here."""
    monkeypatch.setattr("voicemill_marks.detector.STEP_SECONDS", 20 * STEP_SECONDS)
    rate = 8000
    own = soxr.resample(np.tile(marked, 3), speech[1], rate)
    path = tmp_path / "two hours.wav"
    with soundfile.SoundFile(path, "w", rate, 1, "PCM_16") as file:
        for minute in range(120):
            part = np.zeros(60 * rate, dtype=np.float32)
            if minute == 71:
                part[: own.size] = own
            file.write(part)
    found = detect_in_file(path, speeds=False)
    assert found.payload == PAYLOAD
    assert {round(span.start) for span in found.spans} == {71 * 60}
    assert found.threshold > THRESHOLD, "a long recording must not be marked by chance"
