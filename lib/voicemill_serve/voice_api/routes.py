"""`POST /api/voice/speak` and `GET /api/voice/debug/recent`, in the order of decisions that clients know."""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from dataclasses import dataclass
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from voicemill.errors import VoicemillError
from voicemill_marks.credentials import signed
from voicemill_marks.signer import MarkSigner
from voicemill_runtime.sound_files import marked_bytes
from voicemill_serve.encoders import marks
from voicemill_serve.guard import note
from voicemill_serve.refusals import CORS, json_response
from voicemill_serve.services import Services
from voicemill_serve.voice_api.answers import (
    denied,
    error_answer,
    sound_answer,
    sound_headers,
    without_voice,
)
from voicemill_serve.voice_api.authority import is_narration
from voicemill_serve.voice_api.backend import (
    PROXY,
    BackendCall,
    BackendError,
    BackendSpeech,
    CircuitBreaker,
    speak_here,
    speak_there,
)
from voicemill_serve.voice_api.cache import CachedSpeech, RecentEvents, SpeechCache
from voicemill_serve.voice_api.environment import LOCAL_PROVIDER, VoiceEnvironment, leading_number
from voicemill_serve.voice_api.loudness import normalise
from voicemill_serve.voice_api.policies import Denial, Policies
from voicemill_serve.voice_api.remote import (
    REMOTE_PROVIDER,
    REQUIRED_VARIABLES,
    RemoteStream,
    RemoteVoice,
    is_remote,
    open_stream,
)
from voicemill_serve.voice_api.requests import InvalidVoiceRequestError, VoiceRequest, read_request
from voicemill_serve.voice_api.transcription import transcribe

CONSENT = "consent_asserted must be true where reference audio is given."
_WAV_HEADER = 44
_FALSE_FLAGS = {"assistant_answer": False, "terminal_eligible": False, "raw_content_included": False}


def routes(services: Services) -> list[BaseRoute]:
    """The routes below `/api/voice`."""
    found = _VoiceApi(services)
    return [
        Route("/api/voice/speak", found.options, methods=["OPTIONS"]),
        Route("/api/voice/debug/recent", found.options, methods=["OPTIONS"]),
        Route("/api/voice/transcribe", found.options, methods=["OPTIONS"]),
        Route("/api/voice/speak", found.speak, methods=["POST"]),
        Route("/api/voice/debug/recent", found.recent, methods=["GET"]),
        Route("/api/voice/transcribe", transcribe, methods=["POST"]),
    ]


@dataclass(frozen=True)
class _Source:
    """Who speaks a request.

    Attributes:
        voice: its id there.
        call: of a backend or a remote service; None for a voice of this server.
        remote: the remote service's voice.
        stamp: changes with the bundle of a voice of this server.
    """

    voice: str
    call: BackendCall | None = None
    remote: RemoteVoice | None = None
    stamp: str = ""


class _VoiceApi:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._policies, self._breaker = Policies(), CircuitBreaker()
        self._cache, self._events = SpeechCache(), RecentEvents()

    async def options(self, request: Request) -> Response:
        return Response(status_code=200, headers={**CORS, "Cache-Control": "no-store"})

    async def speak(self, request: Request) -> Response:
        started = _now()
        try:
            asked = read_request(await request.body())
        except InvalidVoiceRequestError as error:
            note(request.state, reason="voice_invalid_request")
            message = "Invalid voice request payload."
            return error_answer(400, "voice_invalid_request", message, {"issues": error.issues}, None)
        note(request.state, characters=len(asked.text), text=asked.text, voice=asked.profile or None)
        response = await self._decide(request, asked)
        self._record(asked, response, started)
        return response

    async def _decide(self, request: Request, asked: VoiceRequest) -> Response:
        """The first decision that applies answers."""
        env, now = VoiceEnvironment.read(), _now()
        if asked.replayMode and env.replay_clock:
            given = asked.policyTsMs if asked.policyTsMs is not None else asked.tsMs
            now = now if given is None else int(given)
        strict = self._services.settings.agent_policies
        if strict and (denial := self._policies.before_consent(asked, now)):
            return denied(request, asked, denial)
        if asked.referenceAudioHash and asked.consent_asserted is not True:
            denial = Denial(400, "voice_consent_required", CONSENT, {"referenceAudioHash": True})
            return denied(request, asked, denial)
        provider = _provider(asked, env)
        if denial := _forbidden(provider, env):
            return denied(request, asked, denial)
        if strict:
            tenant = request.headers.get("x-tenant-id") or request.headers.get("x-customer-id") or ""
            tenant = tenant.strip().lower() or "single-tenant"
            if denial := self._policies.after_provider(asked, tenant, env, now):
                return denied(request, asked, denial)
        return await self._answer(request, asked, provider, env, now)

    async def _answer(
        self, request: Request, asked: VoiceRequest, provider: str, env: VoiceEnvironment, now: int
    ) -> Response:
        """A sound: from the cache, a backend, a remote service or a voice of this server."""
        source = await self._source(request, asked, provider, env)
        if isinstance(source, Response):
            return source
        if self._breaker.open_until > now:
            details = {"circuitBreakerOpen": True, "retryAfterMs": self._breaker.open_until - now}
            return denied(request, asked, Denial(503, "voice_backend_error", "Voice backend is paused.", details))
        if asked.streaming:
            return await self._stream(request, asked, source, provider, now)
        key = SpeechCache.key(provider, source.voice, asked.format, asked.mode, asked.text, source.stamp)
        hit = self._cache.get(key, _now())
        self._services.metrics.cache.add("hit" if hit else "miss")
        if hit is not None:
            return sound_answer(asked, hit, "hit")
        try:
            if source.call is not None:
                speech = await speak_there(source.call)
            else:
                speech = await speak_here(self._services, source.voice, asked.text, request.is_disconnected)
        except BackendError as error:
            self._breaker.failed(now)
            return denied(request, asked, Denial(error.status, error.error, str(error), error.details))
        except VoicemillError as error:
            return denied(request, asked, Denial(503, error.code, str(error)))
        except ConnectionResetError:
            note(request.state, reason="client_gone")
            return Response(status_code=499)
        self._breaker.succeeded()
        cached = await asyncio.get_running_loop().run_in_executor(
            self._services.pool, _finished, speech, asked, env, source, None if source.call else self._services.signer
        )
        self._cache.put(key, cached)
        return sound_answer(asked, cached, "miss")

    async def _source(
        self, request: Request, asked: VoiceRequest, provider: str, env: VoiceEnvironment
    ) -> _Source | Response:
        """Who speaks a request, or the answer where nothing can."""
        if is_remote(provider):
            try:
                remote = RemoteVoice.find(asked.profile)
            except ValueError as error:
                denial = Denial(400, "voice_invalid_request", f"{error}.".capitalize(), {"provider": provider})
                return denied(request, asked, denial)
            if remote is None:
                return without_voice(request, asked, provider, {"requiredEnv": REQUIRED_VARIABLES})
            return _Source(remote.voice, remote.call(asked.text), remote)
        if env.backend:
            return _Source(asked.profile, BackendCall(f"{env.backend}/speak", asked.forwarded(provider), PROXY))
        voice = asked.profile or self._services.default_voice()
        try:
            stamp = str((await self._services.voices.get(voice)).state.stamp)
        except VoicemillError as error:
            if self._services.voices.folders() and error.code == "voice_unknown":
                return denied(request, asked, Denial(404, error.code, str(error)))
            return without_voice(request, asked, provider, {"reason": str(error)})
        return _Source(voice, stamp=stamp)

    async def _stream(
        self, request: Request, asked: VoiceRequest, source: _Source, provider: str, now: int
    ) -> Response:
        """A stream of the remote service, passed on unchanged: it is neither cached nor brought to a loudness."""
        if source.remote is None:
            message = "Only remote providers stream."
            return denied(request, asked, Denial(400, "voice_invalid_request", message, {"provider": provider}))
        try:
            opened = await open_stream(source.remote.call(asked.text, stream=True))
        except BackendError as error:
            self._breaker.failed(now)
            return denied(request, asked, Denial(error.status, error.error, str(error), error.details))
        self._breaker.succeeded()
        headers = {
            **sound_headers(asked, "stream"),
            "x-voice-provider": REMOTE_PROVIDER,
            "x-voice-profile": source.remote.voice,
            "x-voice-streaming": "1",
        }
        duration = opened.answer.headers.get("x-audio-duration-ms") or asked.durationMs
        if duration:
            headers["x-voice-meter-duration-ms"] = str(duration)
        return RemoteStream(opened, headers)

    def _record(self, asked: VoiceRequest, response: Response, started: int) -> None:
        content_type = response.headers.get("content-type")
        outcome = "metadata_response"
        if response.status_code >= 400:
            outcome = "error_response"
        elif (content_type or "").startswith("audio/"):
            outcome = "audio_response"
        names = ("traceId", "missionId", "eventId", "utteranceId", "turnKey", "chunkKind")
        self._events.add(
            {
                "schema": "helix.voice_speak_debug_event.v1",
                "observedAtMs": _now(),
                "breadcrumbId": f"voice_speak:{uuid.uuid4().hex}",
                **{name: getattr(asked, name) for name in names},
                "narrator": is_narration(asked),
                "textHash": f"sha256:{hashlib.sha256(asked.text.encode('utf-8')).hexdigest()}",
                "textLength": len(asked.text),
                "evidenceRefCount": len(asked.evidenceRefs or ()),
                "statusCode": response.status_code,
                "outcome": outcome,
                "provider": response.headers.get("x-voice-provider"),
                "cache": response.headers.get("x-voice-cache"),
                "contentType": content_type,
                "durationMs": max(0, _now() - started),
                **_FALSE_FLAGS,
                "output_authority": "voice_transport_observation",
            }
        )

    async def recent(self, request: Request) -> Response:
        """The last requests, without their texts."""
        query = request.query_params
        limit = min(max(int(leading_number(query.get("limit", ""), 50)), 1), 200)
        narrator = query.get("narrator", query.get("narratorOnly", "")).strip().lower() in ("1", "true")
        kind = query.get("chunkKind", "").strip() or None
        events = self._events.newest(limit, narrator_only=narrator, chunk_kind=kind)
        body = {
            "schema": "helix.voice_speak_debug_recent.v1",
            "generatedAtMs": _now(),
            "count": len(events),
            "limit": limit,
            "filters": {"chunkKind": kind, "narratorOnly": narrator},
            "events": events,
            **_FALSE_FLAGS,
        }
        return json_response(body, 200, CORS)


def _provider(asked: VoiceRequest, env: VoiceEnvironment) -> str:
    urgent = asked.priority in ("critical", "action")
    return LOCAL_PROVIDER if urgent and env.local_missions else asked.asked_provider


def _forbidden(provider: str, env: VoiceEnvironment) -> Denial | None:
    local, reason = provider.lower().startswith("local"), "voice_provider_not_allowed"
    if not local and not env.managed:
        details: dict[str, Any] = {"provider": provider, "managedProvidersEnabled": False}
        return Denial(403, reason, "Managed voice providers are switched off.", details)
    if not local and env.local_only:
        details = {"provider": provider, "providerMode": "local_only"}
        return Denial(403, reason, "Remote voice providers are switched off.", details)
    if env.commercial and env.allowlist and provider.lower() not in env.allowlist:
        details = {"provider": provider, "commercialMode": True}
        return Denial(403, reason, "This provider is not on the list for commercial use.", details)
    return None


def _finished(
    speech: BackendSpeech, asked: VoiceRequest, env: VoiceEnvironment, source: _Source, signer: MarkSigner | None
) -> CachedSpeech:
    """The sound at its loudness, with the headers that are stored with it; runs in the pool.

    Args:
        speech: of a backend, or of a voice of this server.
        asked: the request.
        env: the environment.
        source: who spoke it.
        signer: None for the sound of a backend, which is not encoded or signed here.
    """
    made = normalise(speech.data, speech.content_type, env.loudness)
    data, content_type = made.data, speech.content_type
    if signer is not None and asked.format == "mp3":
        rate = int.from_bytes(data[24:28], "little")
        samples = np.frombuffer(data[_WAV_HEADER:], dtype="<i2").astype(np.float32) / np.float32(32_768)
        data, content_type = marked_bytes(samples, rate, ".mp3", speech.origin, signer), "audio/mpeg"
    elif signer is not None and speech.origin is not None:
        data = signed(data, ".wav", speech.origin, signer)
    headers = {
        "content-type": content_type,
        "x-voice-provider": REMOTE_PROVIDER if source.remote else PROXY,
        "x-voice-normalization": made.applied,
        "x-voice-normalization-benchmark": env.loudness.header,
    }
    if source.remote is not None:
        headers["x-voice-profile"] = source.remote.voice
    if signer is not None:
        name = "mp3" if asked.format == "mp3" else "wav"
        headers["x-voice-marks"] = marks(name, speech.origin, streamed=False)
    if made.gain_db is not None:
        headers["x-voice-normalization-gain-db"] = f"{made.gain_db:.2f}"
    if duration := speech.duration_ms or asked.durationMs:
        headers["x-voice-meter-duration-ms"] = str(duration)
    return CachedSpeech(data, headers, _now() + env.cache_ms)


def _now() -> int:
    return int(time.time() * 1000)
