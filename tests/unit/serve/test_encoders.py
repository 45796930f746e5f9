from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voicemill_marks.signer import MarkSigner
from voicemill_serve import encoders
from voicemill_serve.refusals import RequestRefusedError, status_of

RATE = 22_050
TONE = (0.3 * np.sin(2 * np.pi * 220 * np.arange(RATE) / RATE)).astype(np.float32)


@pytest.mark.parametrize("name", ["mp3", "opus", "wav"])
def test_a_stream_in_parts_has_the_length_of_the_whole(name: str) -> None:
    encoder = encoders.StreamEncoder(name, RATE)
    parts = [encoder.start(), *(encoder.part(TONE) for _ in range(4)), encoder.end()]
    data = b"".join(parts)
    if name == "wav":
        assert data[40:44] == b"\xff" * 4
        data = encoders.wav_header(RATE, 4 * RATE) + data[44:]
    else:
        assert all(parts[1:5])
    samples, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    assert len(samples) / rate == pytest.approx(4.0, abs=0.15)
    assert np.abs(samples[:-2000]).max() == pytest.approx(0.3, abs=0.05)


def test_a_whole_wav_is_read_back_sample_by_sample() -> None:
    samples, rate = soundfile.read(io.BytesIO(encoders.wav_bytes(TONE, RATE)), dtype="float32")
    assert rate == RATE
    assert np.abs(samples - TONE).max() < 1e-4


def program(folder: Path, code: str) -> Path:
    (folder / "ffmpeg").write_text(f"#!/bin/sh\n{code}\n")
    (folder / "ffmpeg").chmod(0o755)
    return folder


def test_aac_without_ffmpeg_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RequestRefusedError, match="'aac' needs ffmpeg") as caught:
        encoders.check_format("aac")
    assert caught.value.reason == "sound_format:aac"


def test_an_ffmpeg_that_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(program(tmp_path, "exit 1")))
    assert encoders.check_format("aac") == "aac"
    with pytest.raises(RequestRefusedError) as caught:
        encoders.whole(TONE, RATE, "aac", None, MarkSigner.make())
    assert (caught.value.reason, status_of(caught.value)) == ("encoding_failed", 500)
