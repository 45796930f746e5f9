"""The provider `elevenlabs`, called as its service's clients call it, and the answers of `/api/voice/transcribe`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.serve.voice_api_client import Backend, Client

KEY = "a-test-key"
SOUND = b"ID3 not a real sound"
ASKED = {"text": "Hello.", "provider": "elevenlabs", "mode": "briefing"}


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """Without a voice, a backend and a key."""
    for name in ("API_KEY", "VOICE_ID", "API_BASE", "MODEL_ID", "OUTPUT_FORMAT"):
        monkeypatch.delenv(f"ELEVENLABS_{name}", raising=False)
    for name in ("VOICE_ELEVENLABS_API_KEY", "TTS_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    made = Client(tmp_path, tmp_path)
    yield made
    made.close()


@pytest.fixture
def service(client: Client, monkeypatch: pytest.MonkeyPatch) -> Iterator[Backend]:
    """A service that answers with `SOUND`, and the operator's access to it."""
    with Backend() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        server.answers = [(200, "audio/mpeg", SOUND)]
        monkeypatch.setenv("ELEVENLABS_API_BASE", f"http://127.0.0.1:{server.server_address[1]}/")
        monkeypatch.setenv("ELEVENLABS_API_KEY", KEY)
        monkeypatch.setenv("ELEVENLABS_VOICE_ID", "voice-default")
        yield server
        server.shutdown()


def test_the_service_speaks_with_the_operators_key(client: Client, service: Backend) -> None:
    answer = client.ask(ASKED | {"voice_profile_id": "voice-own", "durationMs": 7})
    path, headers = service.calls[0]
    assert (path, headers["xi-api-key"], headers["accept"]) == ("/v1/text-to-speech/voice-own", KEY, "audio/mpeg")
    assert service.bodies == [
        {"text": "Hello.", "model_id": "eleven_multilingual_v2", "output_format": "mp3_44100_128"}
    ]
    assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/mpeg")
    assert (answer.headers["x-voice-provider"], answer.headers["x-voice-profile"]) == ("elevenlabs", "voice-own")
    assert (answer.headers["x-voice-cache"], answer.headers["x-voice-meter-duration-ms"]) == ("miss", "1000")
    assert "x-voice-marks" not in answer.headers, "this server knows nothing about the marks of other services"
    again = client.ask(ASKED | {"voice_profile_id": "voice-own"})
    assert (again.headers["x-voice-cache"], again.content, len(service.calls)) == ("hit", answer.content, 1)


def test_a_stream_is_passed_on_unchanged(client: Client, service: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELEVENLABS_MODEL_ID", "eleven_flash_v2_5")
    answer = client.ask(ASKED | {"streaming": True})
    assert service.calls[0][0] == "/v1/text-to-speech/voice-default/stream"
    assert service.bodies[0]["model_id"] == "eleven_flash_v2_5"
    assert answer.content == SOUND
    assert (answer.headers["x-voice-cache"], answer.headers["x-voice-streaming"]) == ("stream", "1")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "x-voice-normalization" not in answer.headers


@pytest.mark.parametrize(("status", "expected"), [(401, 401), (500, 502)])
@pytest.mark.parametrize("streaming", [False, True])
def test_a_service_that_refuses(client: Client, service: Backend, status: int, expected: int, streaming: bool) -> None:
    service.answers = [(status, "text/plain", b"no")] * 2
    answer = client.ask(ASKED | {"streaming": streaming, "traceId": "t"})
    assert (answer.status_code, answer.json()["error"]) == (expected, "voice_backend_error")
    assert answer.json()["traceId"] == "t"
    assert KEY not in answer.text


def test_a_service_that_cannot_be_reached(client: Client, service: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELEVENLABS_API_BASE", "http://127.0.0.1:9")
    for streaming in (False, True):
        answer = client.ask(ASKED | {"streaming": streaming})
        assert (answer.status_code, answer.json()["error"]) == (502, "voice_backend_error")


@pytest.mark.parametrize("missing", ["ELEVENLABS_API_KEY", "ELEVENLABS_VOICE_ID"])
def test_without_access_nothing_is_sent(
    client: Client, service: Backend, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.delenv(missing)
    body: dict[str, Any] = client.ask(ASKED).json()
    assert (body["suppressed"], body["reason"]) == (True, "voice_unavailable")
    assert body["details"]["requiredEnv"] == ["ELEVENLABS_API_KEY", "ELEVENLABS_VOICE_ID|voice_profile_id"]
    assert service.calls == []


@pytest.mark.parametrize("voice", ["..", "a/b", "a?b", "a b"])
def test_a_voice_id_is_no_path(client: Client, service: Backend, voice: str) -> None:
    answer = client.ask(ASKED | {"voice_profile_id": voice})
    assert (answer.status_code, answer.json()["error"], service.calls) == (400, "voice_invalid_request", [])


def test_transcription_is_disabled(client: Client) -> None:
    answer = client.ask(path="transcribe", files={"audio": ("a.webm", b"voice", "audio/webm")})
    assert (answer.status_code, answer.json()["error"]) == (503, "voice_unavailable")
    assert answer.json()["details"] == {"transcriptionEnabled": False}
    assert answer.headers["access-control-allow-origin"] == "*"


def test_a_server_with_little_memory_says_so_first(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, reason in (("RSS", "rss_limit"), ("HEAP_USED", "heap_used_limit")):
        monkeypatch.setenv(f"VOICE_TRANSCRIBE_MAX_{name}_MB", "1")
        answer = client.ask(path="transcribe")
        assert (answer.status_code, answer.json()["error"]) == (503, "voice_memory_pressure")
        assert answer.json()["details"]["reason"] == reason
    for name, value in (("VOICE_TRANSCRIBE_MEMORY_GUARD", "0"), ("VOICE_TRANSCRIBE_MAX_RSS_MB", "none")):
        monkeypatch.setenv(name, value)
        monkeypatch.setenv("VOICE_TRANSCRIBE_MAX_HEAP_USED_MB", "1000000")
        assert client.ask(path="transcribe").json()["error"] == "voice_unavailable"
        monkeypatch.delenv("VOICE_TRANSCRIBE_MEMORY_GUARD", raising=False)
