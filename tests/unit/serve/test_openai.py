"""OpenAI's interface with the real `openai` client, against a server in a process of its own."""

from __future__ import annotations

import base64
import io
import json
import shutil
import subprocess
import threading
import wave
from collections.abc import Iterator

import httpx
import numpy as np
import openai
import pytest
import soundfile
from tests.unit.serve.conftest import LONG, TEXT, Server

pytestmark = pytest.mark.slow  # a server is started


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="not needed here", max_retries=0) as found:
        yield found


def test_models_and_voices(client: openai.OpenAI, server: Server) -> None:
    names = [model.id for model in client.models.list()]
    assert names[0] == "voicemill"
    assert "tts-1" in names
    assert client.models.retrieve("tts-1").owned_by == "voicemill"
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("gpt-5")
    assert caught.value.code == "model_not_found"
    voices = server.get("/v1/audio/voices").json()
    assert voices["voices"] == [{"id": "anna", "name": "Anna", "object": "voice", "certified": True}]
    assert voices["not_served"] == []


@pytest.mark.parametrize(
    ("name", "media_type", "rate"),
    [
        ("wav", "audio/wav", 22_050),
        ("mp3", "audio/mpeg", 22_050),
        ("opus", "audio/ogg; codecs=opus", 24_000),
        ("flac", "audio/flac", 22_050),
    ],
)
def test_every_format_holds_the_same_speech(client: openai.OpenAI, name: str, media_type: str, rate: int) -> None:
    speech = client.audio.speech.create(model="tts-1", voice="anna", input=TEXT, response_format=name)
    assert speech.response.headers["content-type"] == media_type
    assert speech.response.headers["x-voice-profile"] == "anna"
    assert speech.response.headers["x-voice-certified"] == "true"
    assert "x-voicemill-uncertified" not in speech.response.headers
    samples, found = soundfile.read(io.BytesIO(speech.content), dtype="float32")
    reference, _ = soundfile.read(io.BytesIO(wav(client, TEXT)), dtype="float32")
    assert found == rate
    assert len(samples) / found == pytest.approx(len(reference) / 22_050, abs=0.2)
    assert np.sqrt(np.mean(samples**2)) == pytest.approx(np.sqrt(np.mean(reference**2)), rel=0.2)


def wav(client: openai.OpenAI, text: str, **options: object) -> bytes:
    return client.audio.speech.create(
        model="voicemill", voice="anna", input=text, response_format="wav", **options
    ).content


def sound(data: bytes) -> bytes:
    """A WAV up to the end of its samples: without the signed metadata, which differs each time."""
    return data[8 : 44 + int.from_bytes(data[40:44], "little")]


def test_pcm_is_what_clients_of_the_interface_play(client: openai.OpenAI) -> None:
    raw = client.audio.speech.create(model="tts-1", voice="anna", input=TEXT, response_format="pcm").content
    with wave.open(io.BytesIO(wav(client, TEXT))) as reference:
        seconds = reference.getnframes() / reference.getframerate()
    assert len(raw) / 2 / 24_000 == pytest.approx(seconds, abs=0.01)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="AAC needs ffmpeg")
def test_aac_through_ffmpeg(client: openai.OpenAI) -> None:
    data = client.audio.speech.create(model="tts-1", voice="anna", input=TEXT, response_format="aac").content
    argv = ["ffmpeg", "-v", "error", "-f", "aac", "-i", "pipe:0", "-f", "s16le", "pipe:1"]
    assert len(subprocess.run(argv, input=data, capture_output=True, check=True).stdout) > 22_050


def test_speed(client: openai.OpenAI) -> None:
    plain = len(wav(client, TEXT))
    assert len(wav(client, TEXT, speed=2.0)) < 0.7 * plain
    assert len(wav(client, TEXT, speed=4.0)) < 0.5 * plain
    assert len(wav(client, TEXT, speed=0.25)) > 2 * plain
    with pytest.raises(openai.BadRequestError) as caught:
        wav(client, TEXT, speed=4.1)
    assert caught.value.param == "speed"


@pytest.mark.parametrize("name", ["wav", "mp3", "opus", "pcm"])
def test_a_stream_begins_before_it_ends_and_decodes_to_the_whole(client: openai.OpenAI, name: str) -> None:
    with client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="anna", input=LONG, response_format=name
    ) as response:
        assert "content-length" not in response.headers
        parts = list(response.iter_bytes())
    assert len(parts) > 2
    data = b"".join(parts)
    whole = client.audio.speech.create(model="tts-1", voice="anna", input=LONG, response_format="flac").content
    reference, _ = soundfile.read(io.BytesIO(whole))
    seconds = len(reference) / 22_050
    if name == "pcm":
        assert len(data) / 48_000 == pytest.approx(seconds, abs=0.01)
        return
    if name == "wav":
        samples = np.frombuffer(data[44:], dtype="<i2") / 32_767
        assert len(samples) == len(reference)
        assert np.abs(samples - reference).max() < 1e-3
        return
    samples, rate = soundfile.read(io.BytesIO(data))
    assert len(samples) / rate == pytest.approx(seconds, abs=0.2)


def test_server_sent_events(client: openai.OpenAI) -> None:
    with client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="anna", input=LONG, response_format="pcm", stream_format="sse"
    ) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in response.iter_lines() if line]
    events = [json.loads(line.removeprefix("data: ")) for line in lines]
    assert [event["type"] for event in events[:-1]] == ["speech.audio.delta"] * (len(events) - 1)
    assert len(events) > 8
    assert events[-1]["type"] == "speech.audio.done"
    assert events[-1]["usage"]["input_tokens"] == len(LONG)
    whole = client.audio.speech.create(model="tts-1", voice="anna", input=LONG, response_format="pcm").content
    assert b"".join(base64.b64decode(event["audio"]) for event in events[:-1]) == whole


def test_a_voice_as_an_object(client: openai.OpenAI, server: Server) -> None:
    body = {"model": "tts-1", "voice": {"id": "anna"}, "input": TEXT, "response_format": "wav", "instructions": "calm"}
    assert sound(server.post("/v1/audio/speech", body).content) == sound(wav(client, TEXT))


@pytest.mark.parametrize(
    ("change", "status", "code", "parameter"),
    [
        ({"voice": "alloy"}, 404, "voice_unknown", "voice"),
        ({"voice": "../bundles/anna"}, 404, "voice_unknown", "voice"),
        ({"model": "other"}, 404, "model_not_found", "model"),
        ({"response_format": "au"}, 400, "sound_format", "response_format"),
        ({"input": ""}, 400, "nothing_to_say", "input"),
        ({"input": " \n"}, 400, "nothing_to_say", "input"),
        ({"input": "..."}, 400, "nothing_to_say", None),
        ({"input": "a" * 4097}, 400, "text_too_long", "input"),
        ({"input": "a\x00b"}, 400, "text_invalid", "input"),
        ({"input": "a\x1b[31m"}, 400, "text_invalid", "input"),
        ({"input": "<speak><audio src='x'/></speak>"}, 400, "markup_unsupported", None),
        ({"input": "<!DOCTYPE x [<!ENTITY a 'b'>]><speak>&a;</speak>"}, 400, "markup_invalid", None),
        ({"input": 5}, 400, "bad_usage", "input"),
        ({"speed": 0.1}, 400, "bad_usage", "speed"),
        ({"stream_format": "video"}, 400, "bad_usage", "stream_format"),
    ],
)
def test_errors_have_the_clients_form(
    server: Server, change: dict[str, object], status: int, code: str, parameter: str | None
) -> None:
    body = {"model": "tts-1", "voice": "anna", "input": TEXT} | change
    answer = server.post("/v1/audio/speech", body)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert (error["code"], error["param"]) == (code, parameter)
    assert error["type"] == "invalid_request_error"
    assert error["message"]


def test_the_client_raises_its_own_errors(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="The voices are: anna"):
        client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT)


def test_what_is_no_request(server: Server) -> None:
    for body in (b"", b"[]", b"{", b'{"model":"tts-1","voice":"anna","input":"\\ud800"}'):
        answer = httpx.post(f"{server.url}/v1/audio/speech", content=body)
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] in ("bad_usage", "text_invalid")
    assert server.post("/v1/audio/speech", {"input": "a" * 2_000_000}).status_code == 413
    assert server.get("/v1/audio/speech").json()["error"]["code"] == "method_not_allowed"


def test_clients_at_the_same_time_get_their_own_speech(client: openai.OpenAI) -> None:
    texts = [f"Number {number} is mine, and no other." for number in range(8)]
    alone = [sound(wav(client, text)) for text in texts]
    found: dict[int, bytes] = {}
    threads = [
        threading.Thread(target=lambda n=n: found.__setitem__(n, sound(wav(client, texts[n])))) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [found[number] for number in range(8)] == alone
