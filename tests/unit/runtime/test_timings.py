from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voicemill.audio.loudness import measure
from voicemill.errors import UsageError
from voicemill.text import captions
from voicemill_runtime.loudness import integrated
from voicemill_runtime.timings import render
from voicemill_runtime.voice import TimedPhone, TimedWord


def word(text: str, start: float, end: float) -> TimedWord:
    middle = (start + end) / 2
    return TimedWord(text, start, end, (TimedPhone("AA", start, middle), TimedPhone("B", middle, end)))


WORDS = [word("good", 0.1, 0.4), word("morning", 0.4, 0.9), word("you", 3_661.5, 3_661.7505)]


def test_json() -> None:
    rows = json.loads(render(WORDS, "times.json"))["words"]
    assert [row["word"] for row in rows] == ["good", "morning", "you"]
    assert rows[0]["phones"][1] == {"phone": "B", "start": 0.25, "end": 0.4}


@pytest.mark.parametrize("ending", [".srt", ".vtt"])
def test_captions_are_read_back(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"times{ending}"
    path.write_text(render(WORDS, path.name), encoding="utf-8")
    found = captions.read_captions(path)
    assert [(one.text, round(one.start, 3), round(one.end, 3)) for one in found] == [
        ("good morning", 0.1, 0.9),
        ("you", 3661.5, 3661.75),
    ]


def test_textgrid_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "times.TextGrid"
    path.write_text(render(WORDS, path.name), encoding="utf-8")
    text = path.read_text()
    assert '"phones"' in text
    assert [one.text for one in captions.read_captions(path, "words")] == ["good", "morning", "you"]


def test_other_endings_are_refused() -> None:
    with pytest.raises(UsageError) as caught:
        render(WORDS, "times.txt")
    assert caught.value.reason == "timings_format:txt"


@pytest.mark.parametrize("rate", [16_000, 22_050, 48_000])
def test_loudness_is_that_of_ffmpeg(rate: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    seconds = np.arange(8 * rate) / rate
    sound = 0.2 * np.sin(2 * np.pi * 440 * seconds) * (np.sin(2 * np.pi * 0.4 * seconds) > -0.3)
    sound = (sound + 0.02 * rng.standard_normal(len(seconds))).astype(np.float32)
    path = tmp_path / "sound.wav"
    soundfile.write(path, sound, rate, subtype="FLOAT")
    assert integrated(sound, rate) == pytest.approx(measure(path).integrated_lufs, abs=0.15)


def test_silence_has_no_loudness() -> None:
    assert integrated(np.zeros(22_050, np.float32), 22_050) == -np.inf
    assert integrated(np.zeros(0, np.float32), 22_050) == -np.inf
