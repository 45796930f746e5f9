"""`POST /speak` and `GET /health`, as the proxy of a voice agent calls them, against a process on loopback."""

from __future__ import annotations

import io
import shutil
import wave
from pathlib import Path

import httpx
import pytest
from tests.unit.serve.conftest import TEXT, Server, Start

pytestmark = pytest.mark.slow  # a server is started


def test_the_first_line_says_what_is_served(server: Server) -> None:
    line = server.started
    assert line["service"] == "local_nemo_tts"
    assert (line["host"], line["mode"], line["error_code"], line["error_message"]) == ("127.0.0.1", "nemo", None, None)
    assert line["allow_sample_fallback"] is False
    for name in ("fastpitch", "hifigan"):
        assert Path(str(line[f"{name}_path"])).name == f"{name}.nemo"


def test_health(server: Server) -> None:
    answer = server.get("/health")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body["ok"] is True
    assert (body["mode"], body["sample_rate_hz"], body["voice"]) == ("nemo", 22_050, "anna")
    assert body["fastpitch_exists"] is body["hifigan_exists"] is body["sample_exists"] is True
    assert server.get("/health?deep=1").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"text": TEXT},
        {"text": f"  {TEXT}\n", "traceId": "t", "voiceProfile": "somebody else", "provider": "local-chatterbox"},
    ],
)
def test_speech_is_a_whole_wav(server: Server, body: dict[str, str]) -> None:
    answer = server.post("/speak", body)
    assert answer.status_code == 200
    headers = answer.headers
    assert headers["content-type"] == "audio/wav"
    assert headers["cache-control"] == "no-store"
    assert int(headers["content-length"]) == len(answer.content)
    assert (headers["x-voice-provider"], headers["x-voice-profile"]) == ("local-nemo", "anna")
    with wave.open(io.BytesIO(answer.content)) as sound:
        assert (sound.getnchannels(), sound.getsampwidth()) == (1, 2)
        assert str(sound.getframerate()) == headers["x-audio-sample-rate"]
        seconds = sound.getnframes() / sound.getframerate()
    assert int(headers["x-audio-duration-ms"]) == pytest.approx(seconds * 1000, abs=1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "invalid json payload"),
        (b"[1]", "invalid json payload"),
        (b"\xff", "invalid json payload"),
        (b'{"traceId":NaN}', "invalid json payload"),
        (b'{"text":"\\u2603","traceId":"\\ud800"}', "invalid json payload"),
        (b"", "text is required"),
        (b"{}", "text is required"),
        (b'{"text":" "}', "text is required"),
        (b'{"text":5}', "text is required"),
    ],
)
def test_what_is_no_request(server: Server, content: bytes, message: str) -> None:
    answer = httpx.post(f"{server.url}/speak", content=content, headers={"Content-Type": "text/plain"})
    assert answer.status_code == 400
    assert answer.content == b'{"error":"voice_invalid_request","message":"' + message.encode() + b'"}'


def test_other_paths_and_methods(server: Server) -> None:
    answers = [server.get(path) for path in ("/speak", "/", "/health/", "/health?a=1")]
    answers += [server.post(path, {"text": TEXT}) for path in ("/other", "/speak/", "/speak?a=1", "/health")]
    for answer in answers:
        assert (answer.status_code, answer.content) == (404, b'{"error":"not_found"}')


def test_what_cannot_be_spoken_is_a_failure_of_the_synthesis(server: Server) -> None:
    answer = server.post("/speak", {"text": "...", "traceId": "t-1"})
    assert answer.status_code == 502
    body = answer.json()
    assert (body["error"], body["message"], body["traceId"]) == ("voice_backend_error", "tts synthesis failed", "t-1")
    assert set(body["details"]) == {"type", "reason"}


def test_without_a_bundle_it_starts_and_says_why(start: Start, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    server = start(tmp_path / "none")
    assert (server.started["mode"], server.started["error_code"]) == ("unavailable", "tts_bundle_missing")
    answer = server.post("/speak", {"text": TEXT})
    assert answer.status_code == 503
    body = answer.json()
    assert (body["error"], body["traceId"]) == ("voice_unavailable", None)
    assert body["details"]["code"] == "tts_bundle_missing"
    assert server.get("/ready").status_code == 503


def test_the_sample_speaks_where_the_operator_wants_it(start: Start, bundles: Path) -> None:
    bundle = bundles / "anna/voice_bundle"
    (bundle / "voice.onnx").write_bytes(b"damaged")
    sample = (bundle / "sample.wav").read_bytes()
    server = start(bundles, LOCAL_TTS_ENABLE_SAMPLE_FALLBACK="yes")
    assert (server.started["mode"], server.started["error_code"]) == ("sample_fallback", None)
    answer = server.post("/speak", {"text": TEXT})
    assert answer.headers["x-voice-provider"] == "local-sample-fallback"
    assert answer.content == sample
    other = bundles / "other.wav"
    other.write_bytes(sample[:-2])
    variables = {"LOCAL_TTS_ENABLE_SAMPLE_FALLBACK": " On ", "LOCAL_TTS_SAMPLE_PATH": str(other)}
    second = start(bundles, **variables)
    assert second.get("/health").json()["sample_path"] == str(other)
    assert second.post("/speak", {"text": TEXT}).content == other.read_bytes()
    shutil.rmtree(bundles)
    assert server.post("/speak", {"text": TEXT}).status_code == 503
