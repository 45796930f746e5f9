"""The detector of the server: sounds of voices, of people, changed ones, and what is no sound."""

from __future__ import annotations

import io
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile
from tests.unit.serve.conftest import LONG, Server, Start

from voicemill.settings import REPOSITORY

pytestmark = pytest.mark.slow  # a server is started

ADDRESS = "/v1/audio/marks"


@pytest.fixture(scope="module")
def speech(server: Server) -> bytes:
    """Speech of the voice anna, with signed metadata."""
    return server.post("/speak", {"text": LONG}).content


def send(server: Server, data: bytes) -> httpx.Response:
    return httpx.post(server.url + ADDRESS, content=data, timeout=60)


def test_speech_of_a_voice_is_named(server: Server, speech: bytes) -> None:
    answer = send(server, speech)
    assert answer.status_code == 200, answer.text
    report = answer.json()
    assert report["marked"] is True
    assert report["watermark"]["found"] is True
    assert report["watermark"]["score"] >= report["watermark"]["threshold"]
    assert report["watermark"]["deviations_above_chance"] > 7
    assert report["credentials"]["signer_status"] == "claimed, signer not trusted"
    assert report["voices"] == [{"voice": "anna", "evidence": "claimed"}]
    assert str(REPOSITORY) not in answer.text
    assert "/tmp" not in answer.text


def test_without_its_metadata_the_watermark_names_the_voice(server: Server, speech: bytes) -> None:
    samples, rate = soundfile.read(io.BytesIO(speech), dtype="float32")
    encoded = io.BytesIO()
    soundfile.write(encoded, samples, rate, format="FLAC")
    report = httpx.post(server.url + ADDRESS, timeout=60, files={"file": ("a b.flac", encoded.getvalue())}).json()
    assert report["name"] == "a b.flac"
    assert report["credentials"] is None
    assert report["voices"] == [{"voice": "anna", "evidence": "watermark"}]


def test_a_person_is_not_marked(server: Server) -> None:
    recording = next((REPOSITORY / "tests/data/people/lj").glob("*.flac"))
    report = send(server, recording.read_bytes()).json()
    assert report["marked"] is False
    assert report["voices"] == []


@pytest.mark.parametrize("content", [b"", b"no sound", b"RIFF\x00\x00\x00\x00WAVE", bytes(5000)])
def test_what_is_no_sound_is_refused(content: bytes, server: Server) -> None:
    answer = send(server, content)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"].startswith(("audio_", "bad_usage"))


def test_a_form_without_its_file_and_another_method_are_refused(server: Server) -> None:
    assert httpx.post(server.url + ADDRESS, timeout=60, files={"other": b"x"}).status_code == 400
    assert server.get(ADDRESS).status_code == 405


def test_a_sound_may_be_larger_than_other_requests(server: Server) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, (48_000 * 3, 4)).astype(np.float32)
    encoded = io.BytesIO()
    soundfile.write(encoded, noise, 48_000, format="WAV", subtype="FLOAT")
    assert len(encoded.getvalue()) > 1024 * 1024
    assert send(server, encoded.getvalue()).status_code == 200


def test_it_needs_a_token_unless_it_is_opened(start: Start, certified: Path, tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("correct horse battery staple")
    recording = next((REPOSITORY / "tests/data/people/lj").glob("*.flac")).read_bytes()
    tokens = ("--token-file", str(tmp_path / "tokens"))
    assert send(start(certified, *tokens), recording).status_code == 401
    opened = start(certified, *tokens, "--open-detector")
    assert send(opened, recording).status_code == 200
    assert opened.get("/v1/audio/voices").status_code == 401
