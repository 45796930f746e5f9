"""Sources of speech: this server's own voices, the backend that `TTS_BASE_URL` names, or a remote provider."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from voicemill.errors import VoicemillError
from voicemill_marks.origin import Origin
from voicemill_serve.encoders import wav_bytes
from voicemill_serve.services import Services
from voicemill_serve.speech import SpeechRequest, checked_text

TIMEOUT_MS = 15_000
ATTEMPTS = 2
RETRYABLE = (408, 429)
BREAKER_WINDOW_MS = 60_000
BREAKER_FAILURES = 3
BREAKER_OPEN_MS = 30_000
MAX_DETAIL = 400
PROXY = "proxy"
"""Name of the backend, and of this server's own voices, in answers."""
MAX_SOUND = 64 * 1024 * 1024


@dataclass(frozen=True)
class BackendSpeech:
    """A sound.

    Attributes:
        duration_ms: None where the backend does not report it.
        origin: of a voice of this server that is marked.
    """

    data: bytes
    content_type: str
    duration_ms: str | None
    origin: Origin | None = None


class BackendError(Exception):
    """The backend gave no sound.

    Attributes:
        status: of the answer to the client.
    """

    def __init__(self, status: int, error: str, message: str, details: dict[str, Any]) -> None:
        super().__init__(message)
        self.status, self.error, self.details = status, error, details


@dataclass
class CircuitBreaker:
    """Keeps requests from a backend that fails: three failures within a minute open it for half a minute."""

    failures: list[int] = field(default_factory=list)
    open_until: int = 0

    def failed(self, now_ms: int) -> None:
        """Count a failed request."""
        self.failures = [time for time in self.failures if time >= now_ms - BREAKER_WINDOW_MS] + [now_ms]
        if len(self.failures) >= BREAKER_FAILURES:
            self.open_until = now_ms + BREAKER_OPEN_MS

    def succeeded(self) -> None:
        """Forget the failures."""
        self.failures, self.open_until = [], 0


async def speak_here(services: Services, voice: str, text: str, gone: Callable[[], Awaitable[bool]]) -> BackendSpeech:
    """Speak with a voice of this server.

    Raises:
        BackendError: it cannot be spoken, or not in time.
        VoicemillError: the voice cannot speak at all, or the server is busy.
        ConnectionResetError: the client has gone away.
    """
    try:
        text = checked_text(text, services.settings.limits.characters)
        spoken = await services.speech.speak(SpeechRequest(voice, text))
        try:
            samples = await spoken.whole(gone)
        finally:
            spoken.close()
    except VoicemillError as error:
        if error.code in ("voice_unknown", "voice_not_served", "server_busy"):
            raise
        details = {"type": error.code, "reason": str(error)}
        if error.code == "speech_timeout":
            raise BackendError(504, "voice_backend_timeout", "The voice took too long.", details) from error
        raise BackendError(502, "voice_backend_error", "The text could not be spoken.", details) from error
    return BackendSpeech(
        data=wav_bytes(samples, spoken.sample_rate),
        content_type="audio/wav",
        duration_ms=str(round(spoken.seconds * 1000)),
        origin=spoken.served.voice.origin,
    )


@dataclass(frozen=True)
class BackendCall:
    """A request to a service outside of this server.

    Attributes:
        provider: as failed attempts name it.
        content_type: of an answer that names none.
    """

    url: str
    body: Mapping[str, Any]
    provider: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/octet-stream"


async def speak_there(call: BackendCall) -> BackendSpeech:
    """Ask a service, twice if it does not answer.

    Raises:
        BackendError: with every attempt.
    """
    attempts: list[dict[str, Any]] = []
    status = 502
    async with httpx.AsyncClient(timeout=TIMEOUT_MS / 1000, trust_env=False) as client:
        for number in range(ATTEMPTS):
            try:
                async with asyncio.timeout(TIMEOUT_MS / 1000):
                    answer = await _post(client, call)
            except (TimeoutError, httpx.TimeoutException):
                status, retry = 504, True
                attempts.append(_attempt(number, call.provider, status, retry, "timeout"))
            except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
                status, retry = 502, True
                attempts.append(_attempt(number, call.provider, status, retry, f"{type(error).__name__}: {error}"))
            else:
                if answer.is_success:
                    return BackendSpeech(
                        answer.content,
                        answer.headers.get("content-type", call.content_type),
                        answer.headers.get("x-audio-duration-ms"),
                    )
                status = answer.status_code if answer.status_code < 500 else 502
                retry = answer.status_code in RETRYABLE or answer.status_code >= 500
                attempts.append(_attempt(number, call.provider, status, retry, answer.text))
            if not retry:
                break
            if number + 1 < ATTEMPTS:
                await asyncio.sleep((80 + 70 * number + random.randrange(90)) / 1000)  # noqa: S311 - only a pause
    details = {"timeoutMs": TIMEOUT_MS, "attempts": attempts}
    if status == 504:
        raise BackendError(504, "voice_backend_timeout", "Voice backend timed out.", details)
    raise BackendError(status, "voice_backend_error", "Voice backend request failed.", details)


async def _post(client: httpx.AsyncClient, call: BackendCall) -> httpx.Response:
    async with client.stream("POST", call.url, json=call.body, headers=call.headers) as answer:
        parts, size = [], 0
        async for part in answer.aiter_bytes():
            size += len(part)
            if size > MAX_SOUND:
                raise ValueError("the answer is too large")
            parts.append(part)
    about_transfer = ("content-encoding", "content-length", "transfer-encoding")
    headers = {name: value for name, value in answer.headers.items() if name not in about_transfer}
    return httpx.Response(answer.status_code, headers=headers, content=b"".join(parts))


def _attempt(number: int, provider: str, status: int, retry: bool, text: str) -> dict[str, Any]:
    return {"attempt": number + 1, "provider": provider, "status": status, "retryable": retry, "body": one_line(text)}


def one_line(text: str) -> str:
    """A text without line breaks, at most `MAX_DETAIL` characters long."""
    line = " ".join(text.split())
    return line if len(line) <= MAX_DETAIL else f"{line[: MAX_DETAIL - 3]}..."
