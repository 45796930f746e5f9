"""What the server answers carries the marks that its header names, read by C2PA's own reader."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import c2pa
import httpx
import pytest
import soundfile
from tests.unit.serve.conftest import APP, LONG, TEXT, Server, Start

from voicemill.verify.audio_marks import inspect_audio
from voicemill_marks.signer import MarkSigner

pytestmark = pytest.mark.slow  # a server is started


def speak(server: Server, text: str, form: str, **more: object) -> httpx.Response:
    body = {"model": "tts-1", "voice": "anna", "input": text, "response_format": form, **more}
    answer = server.post("/v1/audio/speech", body)
    assert answer.status_code == 200, answer.text
    return answer


def claims(data: bytes, media_type: str) -> dict[str, object]:
    """The claims of signed metadata that holds."""
    with c2pa.Reader(media_type, io.BytesIO(data)) as reader:
        store = json.loads(reader.json())
        assert reader.get_validation_state() == "Valid"
    manifest = store["manifests"][store["active_manifest"]]
    found = {each["label"]: each["data"] for each in manifest["assertions"]}
    return dict(found["org.voicemill.voice"])


@pytest.mark.parametrize(("form", "media_type"), [("wav", "audio/wav"), ("mp3", "audio/mpeg"), ("flac", "audio/flac")])
def test_a_whole_file_has_signed_metadata(form: str, media_type: str, server: Server, certified: Path) -> None:
    answer = speak(server, TEXT, form)
    assert answer.headers["x-voice-marks"].split(", ")[:2] == ["watermark", "c2pa"]
    found = claims(answer.content, media_type)
    assert found["voice"] == "anna"
    certificate = json.loads((certified / "anna/certificate.json").read_text())
    assert found["bundle_manifest_sha256"] == certificate["bundle_manifest_sha256"]
    assert found["certificate_hash"] == certificate["answer"]["certificate"]["certificateHash"]


def test_a_whole_wav_has_its_samples_after_44_bytes(server: Server) -> None:
    data = speak(server, TEXT, "wav").content
    assert data[36:40] == b"data"
    samples, _ = soundfile.read(io.BytesIO(data), dtype="int16")
    assert samples.tobytes() == data[44 : 44 + 2 * len(samples)]


@pytest.mark.parametrize(
    ("form", "expected"), [("wav", "watermark"), ("pcm", "watermark"), ("mp3", "watermark, comments")]
)
def test_a_stream_names_the_marks_that_it_has(form: str, expected: str, server: Server) -> None:
    answer = speak(server, LONG, form)
    assert answer.headers["x-voice-marks"] == expected
    if form == "mp3":
        with soundfile.SoundFile(io.BytesIO(answer.content)) as file:
            assert file.artist == "anna"
            assert "Synthetic" in file.comment
            assert file.frames > 22_050


@pytest.mark.parametrize("form", ["wav", "mp3", "opus", "aac"])
def test_every_stream_has_the_watermark(form: str, server: Server, tmp_path: Path) -> None:
    path = tmp_path / f"speech.{form}"
    path.write_bytes(speak(server, f"{LONG} {LONG}", form).content)
    assert inspect_audio(path, []).watermark.marked


def test_the_voice_api_signs_and_has_the_watermark(server: Server, tmp_path: Path) -> None:
    answer = server.post("/api/voice/speak", {"text": LONG, "voiceProfile": "anna", "format": "mp3"})
    assert answer.status_code == 200, answer.text
    assert claims(answer.content, "audio/mpeg")["voice"] == "anna"
    path = tmp_path / "speech.mp3"
    path.write_bytes(answer.content)
    assert inspect_audio(path, []).watermark.marked


def test_opus_has_comments_and_events_have_no_signed_metadata(server: Server) -> None:
    answer = speak(server, TEXT, "opus")
    assert answer.headers["x-voice-marks"] == "watermark, comments"
    with soundfile.SoundFile(io.BytesIO(answer.content)) as file:
        assert file.artist == "anna"
    events = speak(server, TEXT, "wav", stream_format="sse")
    assert events.headers["x-voice-marks"] == "watermark"


def test_the_backend_of_a_voice_agent_signs_too(server: Server) -> None:
    answer = server.post("/speak", {"text": TEXT})
    assert answer.headers["x-voice-marks"] == "watermark, c2pa"
    assert claims(answer.content, "audio/wav")["voice"] == "anna"


@pytest.mark.parametrize(("form", "media_type"), [("wav", "audio/wav"), ("mp3", "audio/mpeg")])
def test_speech_is_signed_after_its_loudness_was_changed(form: str, media_type: str, server: Server) -> None:
    body = {"text": TEXT, "voiceProfile": "anna", "voice_profile_id": "anna", "mode": "briefing", "format": form}
    answer = server.post("/api/voice/speak", body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == media_type
    assert "c2pa" in answer.headers["x-voice-marks"]
    assert claims(answer.content, media_type)["voice"] == "anna"
    again = server.post("/api/voice/speak", body)
    assert again.headers["x-voice-cache"] == "hit"
    assert again.content == answer.content


def test_the_operators_key_signs(start: Start, certified: Path, tmp_path: Path) -> None:
    key, chain = tmp_path / "key.pem", tmp_path / "chain.pem"
    MarkSigner.make("Studio Anna").save(key, chain)
    server = start(certified, VOICEMILL_MARKS_KEY=str(key), VOICEMILL_MARKS_CHAIN=str(chain))
    data = speak(server, TEXT, "wav").content
    with c2pa.Reader("audio/wav", io.BytesIO(data)) as reader:
        assert "Studio Anna" in reader.json()


def test_a_key_that_cannot_be_used_is_refused_at_the_start(certified: Path, tmp_path: Path) -> None:
    unusable = {"VOICEMILL_MARKS_KEY": str(tmp_path / "none.pem"), "VOICEMILL_MARKS_CHAIN": str(tmp_path / "c.pem")}
    argv = [sys.executable, str(APP), "--port", "0", "--bundles", str(certified)]
    environ = {**os.environ, "WORK_DIR": str(tmp_path / "work"), **unusable}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, env=environ, check=False)
    assert done.returncode == 1
    assert f"key_unreadable:{tmp_path / 'none.pem'}" in done.stderr
    assert not done.stdout
