"""Answers of `/api/voice/*`: refusals, suppressions, metadata without a sound, and sounds with their headers."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from voicemill_serve.guard import note
from voicemill_serve.refusals import CORS, json_response
from voicemill_serve.voice_api.cache import CachedSpeech
from voicemill_serve.voice_api.policies import Denial
from voicemill_serve.voice_api.requests import VoiceRequest


def without_voice(request: Request, asked: VoiceRequest, provider: str, why: dict[str, Any]) -> Response:
    """The answer where nothing can speak: metadata with which a page continues without sound."""
    note(request.state, reason="voice_unavailable")
    body: dict[str, Any] = {
        "ok": True,
        "suppressed": True,
        "dryRun": True,
        "reason": "voice_unavailable",
        "message": "Voice service is not configured.",
        "details": {"providerConfigured": False, "provider": provider, **why},
    }
    if asked.traceId:
        body["traceId"] = asked.traceId
    return json_response(body, 200, CORS)


def denied(request: Request, asked: VoiceRequest, denial: Denial) -> Response:
    note(request.state, reason=denial.reason)
    if denial.status != 200:
        return error_answer(denial.status, denial.reason, denial.message, denial.extra, asked.traceId)
    body = {
        "ok": True,
        "suppressed": True,
        "reason": denial.reason,
        "suppression_reason": denial.reason,
        "traceId": asked.traceId,
        **denial.extra,
    }
    return json_response(body, 200, CORS)


def error_answer(status: int, error: str, message: str, details: dict[str, Any], trace: str | None) -> Response:
    body: dict[str, Any] = {"error": error, "message": message}
    if details:
        body["details"] = details
    if trace:
        body["traceId"] = trace
    return json_response(body, status, CORS)


def sound_answer(asked: VoiceRequest, speech: CachedSpeech, cache: str) -> Response:
    return Response(speech.data, headers=sound_headers(asked, cache) | dict(speech.headers))


def sound_headers(asked: VoiceRequest, cache: str) -> dict[str, str]:
    """The headers of every answer with sound."""
    headers = {
        **CORS,
        "Cache-Control": "no-store",
        "x-voice-profile": header_value(asked.profile) or "default",
        "x-voice-cache": cache,
        "x-voice-meter-request-count": "1",
        "x-voice-meter-char-count": str(len(asked.text)),
    }
    if asked.watermark_mode:
        headers["x-watermark-mode"] = header_value(asked.watermark_mode)
    return headers


def header_value(text: str) -> str:
    """A text as the value of a header: printable ASCII."""
    return "".join(character if " " <= character <= "~" else "?" for character in text)
