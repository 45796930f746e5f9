"""The backend that the proxy of a voice agent calls: `POST /speak` and `GET /health`.

The bodies, statuses and headers are those that the proxy expects; fields may be added.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from voicemill import __version__, files
from voicemill.errors import VoicemillError
from voicemill_serve import encoders
from voicemill_serve.guard import note
from voicemill_serve.refusals import RequestRefusedError, json_response
from voicemill_serve.services import Services, answering, speech_headers
from voicemill_serve.speech import SpeechRequest, checked_text

SERVICE = "local_nemo_tts"
PROVIDER = "local-nemo"
FALLBACK_PROVIDER = "local-sample-fallback"
DEFAULT_RATE = 22_050
UNAVAILABLE = ("voice_unknown", "voice_not_served")
"""Reasons of a voice that cannot speak at all, as opposed to a text that cannot be spoken."""


@dataclass(frozen=True)
class BackendState:
    """Whether the default voice can speak.

    Attributes:
        mode: `nemo`, `sample_fallback` or `unavailable`.
        root: folder of the bundle.
        sample: the sound that answers in mode `sample_fallback`.
        error_code: why the voice cannot speak; empty if it can, and in mode `sample_fallback`.
    """

    voice: str
    mode: str
    rate: int
    root: Path
    sample: Path
    error_code: str = ""
    error_message: str = ""

    def fields(self, services: Services) -> dict[str, Any]:
        """The fields that the start-up line and `/health` share."""
        return {
            "mode": self.mode,
            "fastpitch_path": str(self.root / "fastpitch.nemo"),
            "hifigan_path": str(self.root / "hifigan.nemo"),
            "sample_path": str(self.sample),
            "allow_sample_fallback": services.settings.sample_fallback,
            "error_code": self.error_code or None,
            "error_message": self.error_message or None,
        }


async def backend_state(services: Services) -> BackendState:
    """Load the default voice and say whether it can speak."""
    voice = services.default_voice()
    missing = services.settings.bundles[0] / voice / "voice_bundle"
    root = services.voices.folders().get(voice, missing)
    sample = services.settings.sample or root / "sample.wav"
    try:
        served = await services.voices.get(voice)
        return BackendState(voice, "nemo", served.voice.sample_rate, root, sample)
    except VoicemillError as error:
        if services.settings.sample_fallback and sample.is_file():
            return BackendState(voice, "sample_fallback", DEFAULT_RATE, root, sample)
        code = "tts_bundle_missing" if error.code == "voice_unknown" else "nemo_runtime_unavailable"
        return BackendState(voice, "unavailable", DEFAULT_RATE, root, sample, code, f"{error} {error.hint}".strip())


def routes(services: Services) -> list[BaseRoute]:
    """`POST /speak` and `GET /health`."""

    async def health(request: Request) -> Response:
        if request.url.query:
            return json_response({"error": "not_found"}, 404)
        state = await backend_state(services)
        body = {"ok": True, "sample_rate_hz": state.rate, **state.fields(services)}
        for name in ("fastpitch", "hifigan", "sample"):
            body[f"{name}_exists"] = Path(body[f"{name}_path"]).is_file()
        body |= {
            "version": __version__,
            "engine": "onnxruntime",
            "voice": state.voice,
            "voices_loaded": services.voices.loaded,
            "active_requests": services.speech.active,
        }
        return json_response(body)

    async def speak(request: Request) -> Response:
        if request.url.query:
            return json_response({"error": "not_found"}, 404)
        try:
            payload = files.parse_json(await request.body() or b"{}")
            if not isinstance(payload, dict):
                raise ValueError("not an object")
        except ValueError:
            note(request.state, reason="voice_invalid_request")
            return _invalid("invalid json payload")
        trace = payload.get("traceId")
        text = payload.get("text")
        if not isinstance(text, str) or not text.strip():
            note(request.state, reason="voice_invalid_request")
            return _invalid("text is required")
        try:
            text = checked_text(text, services.settings.limits.characters)
        except RequestRefusedError as error:
            note(request.state, reason=error.code)
            return _invalid(str(error))
        note(request.state, text=text, characters=len(text))
        voice = payload.get("voiceProfile")
        if not isinstance(voice, str) or voice not in services.voices.folders():
            voice = services.default_voice()
        return await _spoken(services, request, SpeechRequest(voice, text), trace)

    return [
        Route("/health", health, methods=["GET"]),
        Route("/speak", answering(speak, services.metrics), methods=["POST"]),
    ]


async def _spoken(services: Services, request: Request, asked: SpeechRequest, trace: Any) -> Response:
    try:
        spoken = await services.speech.speak(asked)
        try:
            samples = await spoken.whole(request.is_disconnected)
        finally:
            spoken.close()
    except VoicemillError as error:
        note(request.state, reason=error.code, voice=asked.voice)
        if error.code in UNAVAILABLE:
            return await _unavailable(services, trace)
        if error.code == "server_busy":
            raise
        details = {"type": type(error).__name__, "reason": f"{error}"}
        body = {
            "error": "voice_backend_error",
            "message": "tts synthesis failed",
            "details": details,
            "traceId": trace,
        }
        return json_response(body, 502)
    note(request.state, voice=asked.voice, sound_seconds=round(spoken.seconds, 3))
    origin = spoken.served.voice.origin
    headers = speech_headers(spoken, encoders.marks("wav", origin, streamed=False)) | {
        "X-Voice-Provider": PROVIDER,
        "X-Audio-Sample-Rate": str(spoken.sample_rate),
        "X-Audio-Duration-Ms": str(round(spoken.seconds * 1000)),
    }
    data = encoders.whole(samples, spoken.sample_rate, "wav", origin, services.signer)
    return Response(data, media_type="audio/wav", headers=headers)


async def _unavailable(services: Services, trace: Any) -> Response:
    """The sample of the bundle where the operator wants it, else 503."""
    state = await backend_state(services)
    if state.mode == "sample_fallback":
        headers = {
            "Cache-Control": "no-store",
            "X-Voice-Provider": FALLBACK_PROVIDER,
            "X-Voice-Profile": state.voice,
            "X-Audio-Sample-Rate": str(state.rate),
        }
        return Response(state.sample.read_bytes(), media_type="audio/wav", headers=headers)
    body = {
        "error": "voice_unavailable",
        "message": "tts voice is unavailable",
        "details": {"code": state.error_code, "reason": state.error_message},
        "traceId": trace,
    }
    return json_response(body, 503)


def _invalid(message: str) -> Response:
    return json_response({"error": "voice_invalid_request", "message": message}, 400)
