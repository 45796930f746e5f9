"""OpenAI's interface of speech: `POST /v1/audio/speech`, `GET /v1/models`, `GET /v1/audio/voices`."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from voicemill_marks.signer import MarkSigner
from voicemill_runtime.voice import SPEEDS
from voicemill_serve import encoders
from voicemill_serve.guard import note
from voicemill_serve.refusals import RequestRefusedError, json_response
from voicemill_serve.services import Services, SpeechResponse, answering, speech_headers
from voicemill_serve.speech import SpeechRequest, SpeechStream, checked_text

MODEL = "voicemill"
ALIASES = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")
"""Models that programs ask for without a choice; every one speaks with the same engine."""
MODELS = (MODEL, *ALIASES)
WHOLE_BELOW = 200
"""Characters: WAV and MP3 of a shorter text are answered whole, with signed metadata and WAV's true length."""


class VoiceName(BaseModel):
    """A voice as an object with its id."""

    model_config = ConfigDict(extra="ignore")
    id: str


class SpeechBody(BaseModel):
    """Body of `POST /v1/audio/speech`; fields that are not listed are ignored, and so are `instructions`."""

    model_config = ConfigDict(extra="ignore")
    model: str
    input: str
    voice: str | VoiceName
    response_format: str = "mp3"
    speed: Annotated[float, Field(ge=SPEEDS[0], le=SPEEDS[1])] = 1.0
    stream_format: Literal["audio", "sse"] = "audio"
    instructions: str | None = None


def routes(services: Services) -> list[BaseRoute]:
    """The routes below `/v1`."""

    async def speech(request: Request) -> Response:
        body = _body(await request.body())
        _require_model(body.model)
        name = encoders.check_format(body.response_format)
        text = checked_text(body.input, services.settings.limits.characters)
        voice = body.voice if isinstance(body.voice, str) else body.voice.id
        note(request.state, voice=voice[:100], characters=len(text), format=name, text=text)
        spoken = await services.speech.speak(SpeechRequest(voice, text, body.speed))
        note(request.state, first_sound_seconds=round(spoken.first_sound, 4))
        try:
            origin = spoken.served.voice.origin
            streamed = name in encoders.STREAMED and (
                body.stream_format == "sse" or name not in encoders.WITH_CREDENTIALS or len(text) >= WHOLE_BELOW
            )
            headers = speech_headers(spoken, encoders.marks(name, origin, streamed=streamed))
            if body.stream_format == "sse":
                events = _events(spoken, name, len(text), services.signer)
                return SpeechResponse(spoken, events, media_type="text/event-stream", headers=headers)
            media_type = encoders.MEDIA_TYPES[name]
            if not streamed:
                samples = await spoken.whole(request.is_disconnected)
                spoken.close()
                data = encoders.whole(samples, spoken.sample_rate, name, origin, services.signer)
                return Response(data, media_type=media_type, headers=headers)
            parts = _encoded(spoken, name, services.signer)
            return SpeechResponse(spoken, parts, media_type=media_type, headers=headers)
        except BaseException:
            spoken.close()
            raise

    async def models(request: Request) -> Response:
        return json_response({"object": "list", "data": [_model(name) for name in MODELS]})

    async def model(request: Request) -> Response:
        name = request.path_params["name"]
        _require_model(name)
        return json_response(_model(name))

    async def voices(request: Request) -> Response:
        states = await services.voices.states()
        served = [
            {"id": state.voice_id, "name": state.display_name, "object": "voice", "certified": state.certified}
            for state in states
            if not state.reason
        ]
        refused = [
            {"id": state.voice_id, "name": state.display_name, "reason": state.reason, "message": state.detail}
            for state in states
            if state.reason
        ]
        return json_response({"object": "list", "voices": served, "not_served": refused})

    return [
        Route("/v1/audio/speech", answering(speech, services.metrics), methods=["POST"]),
        Route("/v1/audio/voices", answering(voices, services.metrics), methods=["GET"]),
        Route("/v1/models", answering(models, services.metrics), methods=["GET"]),
        Route("/v1/models/{name}", answering(model, services.metrics), methods=["GET"]),
    ]


def _body(data: bytes) -> SpeechBody:
    try:
        return SpeechBody.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][:1])
        raise RequestRefusedError(
            f"{where or 'The body'}: {first['msg']}.", reason="bad_usage", parameter=where
        ) from error


def _require_model(name: str) -> None:
    if name not in MODELS:
        raise RequestRefusedError(
            f"There is no model {name[:60]!r}. The models are: {', '.join(MODELS)}.",
            reason="model_not_found",
            parameter="model",
        )


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "voicemill"}


async def _parts(spoken: SpeechStream, name: str, signer: MarkSigner) -> AsyncIterator[bytes]:
    """The encoded sound in parts; formats that cannot be streamed as one part."""
    origin = spoken.served.voice.origin
    if name not in encoders.STREAMED:
        yield encoders.whole(await spoken.whole(), spoken.sample_rate, name, origin, signer)
        return
    encoder = encoders.StreamEncoder(name, spoken.sample_rate, origin)
    head = encoder.start()
    async for samples in spoken.samples():
        yield head + encoder.part(samples)
        head = b""
    if tail := encoder.end():
        yield tail


async def _encoded(spoken: SpeechStream, name: str, signer: MarkSigner) -> AsyncIterator[bytes]:
    async for data in _parts(spoken, name, signer):
        if data:
            yield data


async def _events(spoken: SpeechStream, name: str, characters: int, signer: MarkSigner) -> AsyncIterator[bytes]:
    """Server-sent events: one delta for each part, and one at the end."""
    async for data in _parts(spoken, name, signer):
        if data:
            yield _event({"type": "speech.audio.delta", "audio": base64.b64encode(data).decode("ascii")})
    tokens = round(spoken.seconds * 1000)
    usage = {"input_tokens": characters, "output_tokens": tokens, "total_tokens": characters + tokens}
    yield _event({"type": "speech.audio.done", "usage": usage})


def _event(body: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(body, separators=(",", ":")).encode("utf-8") + b"\n\n"
