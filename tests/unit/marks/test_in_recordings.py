"""Preparation warns about recordings that carry the watermark."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import soundfile

from voicemill.dataset import synthetic_speech
from voicemill_marks.detector import detect_in_file
from voicemill_marks.watermark import Watermark

LJ = Path(__file__).parents[2] / "data/people/lj"


def test_marked_recordings_are_named_and_others_are_not(tmp_path: Path) -> None:
    notes: list[str] = []
    context = SimpleNamespace(observer=SimpleNamespace(note=notes.append))
    recordings = []
    for index, source in enumerate(sorted(LJ.glob("*.flac"))[:3]):
        samples, rate = soundfile.read(source, dtype="float32")
        samples = np.tile(samples, 2)
        if index == 1:
            samples = Watermark(rate, b"\x01\x02\x03\x04").mark(samples)
        path = tmp_path / f"{index}.wav"
        soundfile.write(path, samples, rate, subtype="FLOAT")
        recordings.append(SimpleNamespace(path=path, source=SimpleNamespace(path=Path(f"take-{index}.flac"))))
    synthetic_speech.warn(context, recordings)  # type: ignore[arg-type]
    assert len(notes) == 1
    assert "take-1.flac (01020304)" in notes[0]
    synthetic_speech.warn(context, [recordings[0], recordings[2]])  # type: ignore[arg-type, list-item]
    assert len(notes) == 1


def test_a_long_file_is_looked_at_in_places(tmp_path: Path) -> None:
    samples, rate = soundfile.read(sorted(LJ.glob("*.flac"))[0], dtype="float32")
    path = tmp_path / "long.wav"
    soundfile.write(path, Watermark(rate, b"abcd").mark(np.tile(samples, 20)), rate)
    found = detect_in_file(path, most=4)
    assert 1 <= len(found.spans) <= 4
    assert found.payload == b"abcd"
