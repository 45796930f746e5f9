from __future__ import annotations

from pathlib import Path

import pytest
import soundfile

from voicemill.audio import decode, endpointing, vad
from voicemill.audio.level_envelope import LevelEnvelope
from voicemill.audio.loudness import Loudness, joint_loudness
from voicemill.audio.waveform import MemoryWaveform
from voicemill.dataset.recordings import Recording, Refusal
from voicemill.dataset.stages.decode import Decoded, DecodeTask, decode_one
from voicemill.dataset.stages.loudness import loudness_of
from voicemill.dataset.stages.voice_activity import SpeechTask, speech_of

END = 27.76


def test_decode_then_loudness_then_speech(piece_audio: Path, tmp_path: Path) -> None:
    target = tmp_path / "d.wav"
    assert decode_one(DecodeTask(Recording(piece_audio, "piece.flac"), target, 22_050)).seconds == pytest.approx(
        END, abs=1e-3
    )
    info = soundfile.info(target)
    assert (info.samplerate, info.channels, info.subtype) == (22_050, 1, "FLOAT")
    assert isinstance(loudness_of([target])[0], Loudness)
    task = SpeechTask(target, tmp_path / "cache")
    found = speech_of(task)
    assert len(found.spans) >= 7
    assert not found.cached
    samples, rate = decode.read_mono(target)
    levels = LevelEnvelope.of(samples, rate)
    whole = endpointing.refine(vad.detect_speech(MemoryWaveform(samples, rate), vad.detection_gain(levels)), levels)
    assert found.spans == tuple((span.start, span.end) for span in whole)  # in blocks as at once
    assert speech_of(task) == found.model_copy(update={"cached": True})


def test_a_constant_offset_is_taken_out(piece_audio: Path, tmp_path: Path) -> None:
    samples, rate = decode.read_mono(piece_audio)
    soundfile.write(tmp_path / "shifted.wav", 0.5 * samples[: 3 * rate] + 0.1, rate, subtype="FLOAT")
    task = DecodeTask(Recording(tmp_path / "shifted.wav", "shifted.wav"), tmp_path / "d.wav", rate)
    decode_one(task)
    written, _ = decode.read_mono(task.target)
    assert abs(float(written.mean())) < 1e-4
    assert len(written) == 3 * rate


def test_a_part_of_a_file(piece_audio: Path, tmp_path: Path) -> None:
    recording = Recording(piece_audio, "piece.flac", start=5.0, end=8.5)
    decoded = decode_one(DecodeTask(recording, tmp_path / "d.wav", 16_000))
    assert isinstance(decoded, Decoded)
    assert decoded.seconds == pytest.approx(3.5, abs=1e-3)
    assert recording.offset == 5.0


def test_what_cannot_be_used_is_a_value(tmp_path: Path) -> None:
    path = tmp_path / "text.wav"
    path.write_text("This is not sound, whatever its name says; it is long enough to be looked at.")
    refusal = decode_one(DecodeTask(Recording(path, "text.wav"), tmp_path / "d.wav", 22_050))
    assert isinstance(refusal, Refusal)
    assert refusal.error().reason == "audio_unreadable"
    assert not (tmp_path / "d.wav").exists()


def test_joint_loudness_weighs_energy_by_length() -> None:
    joint = joint_loudness([Loudness(-20.0, -3.0, 4.0), Loudness(-30.0, -9.0, 6.0)], [1.0, 1.0])
    assert joint.integrated_lufs == pytest.approx(-22.596, abs=1e-3)
    assert (joint.true_peak_dbfs, joint.range_lu) == (-3.0, 6.0)
