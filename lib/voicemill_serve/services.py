"""Objects that the routes of one application share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from voicemill.errors import VoicemillError
from voicemill_marks.signer import MarkSigner
from voicemill_serve.areas import PageArea, PathRule
from voicemill_serve.detector import Detector
from voicemill_serve.guard import AccessLog, note
from voicemill_serve.jobs import JobRunner
from voicemill_serve.metrics import Metrics
from voicemill_serve.refusals import refusal
from voicemill_serve.settings import ServeSettings
from voicemill_serve.speech import SpeechService, SpeechStream
from voicemill_serve.voice_store import VoiceStore


@dataclass
class Services:
    """Shared by the routes.

    Attributes:
        pool: threads that speak, verify and load.
        signer: of the metadata of whole files.
        background: coroutine functions that run as long as the application does.
        closing: called when the application stops.
        rules: of single paths, by path; a set of routes adds its own.
        detector: of synthetic speech, set by `detector_routes`.
        areas: pages for people, see `areas`; a set of routes adds its own.
        jobs: the runner of this work folder's jobs, or why there is none; see `train_routes.job_runner`.
        stopping: set when the server is asked to stop; streams without an end of their own end then.
    """

    settings: ServeSettings
    pool: ThreadPoolExecutor
    voices: VoiceStore
    speech: SpeechService
    metrics: Metrics
    log: AccessLog
    signer: MarkSigner
    background: list[Callable[[], Coroutine[Any, Any, None]]] = field(default_factory=list)
    closing: list[Callable[[], None]] = field(default_factory=list)
    areas: list[PageArea] = field(default_factory=list)
    rules: dict[str, PathRule] = field(default_factory=dict)
    detector: Detector | None = None
    jobs: JobRunner | VoicemillError | None = None
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def default_voice(self) -> str:
        """The voice for requests that name none: the one of the settings, or the only one that there is."""
        folders = self.voices.folders()
        if self.settings.default_voice not in folders and len(folders) == 1:
            return next(iter(folders))
        return self.settings.default_voice


class Router(Protocol):
    """A set of routes that is added to the application: `def routes(services) -> list of routes`."""

    def __call__(self, services: Services) -> Sequence[BaseRoute]: ...


Endpoint = Callable[[Request], Awaitable[Response]]


def answering(endpoint: Endpoint, metrics: Metrics) -> Endpoint:
    """An endpoint whose library errors become answers in the shape of its path."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except VoicemillError as error:
            note(request.state, reason=error.code)
            return refusal(request.url.path, error)
        except ConnectionResetError:
            note(request.state, reason="client_gone")
            return Response(status_code=499)

    return answer


class SpeechResponse(StreamingResponse):
    """A stream of speech; its place in the queue is freed however the stream ends."""

    def __init__(self, spoken: SpeechStream, content: Any, *, media_type: str, headers: dict[str, str]) -> None:
        super().__init__(content, media_type=media_type, headers=headers)
        self._spoken = spoken

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._spoken.close()


def speech_headers(spoken: SpeechStream, marks: str) -> dict[str, str]:
    """Headers of an answer with speech; `marks` is that of `encoders.marks`."""
    state = spoken.served.state
    return {
        "Cache-Control": "no-store",
        "X-Voice-Profile": state.voice_id,
        "X-Voice-Certified": "true" if state.certified else "false",
        "X-Voice-Marks": marks,
    }
