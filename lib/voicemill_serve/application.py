"""The application: shared services, the routes, and what runs beside them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from voicemill.workers import usable_cores
from voicemill_marks.signer import MarkSigner
from voicemill_serve import backend_routes, detector_routes, openai_routes, operation_routes, train_routes
from voicemill_serve.areas import refused
from voicemill_serve.guard import AccessLog, Guard, note
from voicemill_serve.metrics import Gauge, Metrics
from voicemill_serve.refusals import RequestRefusedError
from voicemill_serve.services import Router, Services
from voicemill_serve.settings import ServeSettings
from voicemill_serve.speech import SpeechService
from voicemill_serve.voice_api import routes as voice_api
from voicemill_serve.voice_store import VoiceStore

ROUTERS: tuple[Router, ...] = (
    backend_routes.routes,
    openai_routes.routes,
    operation_routes.routes,
    detector_routes.routes,
    train_routes.routes,
    voice_api.routes,
)
"""Every set of routes of a server."""
HOUSEKEEPING_SECONDS = 10.0


def create_services(settings: ServeSettings, log: AccessLog | None = None) -> Services:
    """The objects that the routes of one server share.

    Raises:
        UsageError: the key of the marks cannot be used, see `MarkSigner.find`.
    """
    signer = MarkSigner.find(settings.marks) if settings.marks is not None else MarkSigner.make()
    log = log or AccessLog()
    metrics = Metrics()
    pool = ThreadPoolExecutor(usable_cores(), thread_name_prefix="speech")

    def on_load(state: object) -> None:
        metrics.loads.add()
        log.write("voice_loaded", voice=getattr(state, "voice_id", None), certified=getattr(state, "certified", None))

    voices = VoiceStore(
        settings.bundles,
        pool,
        uncertified=settings.uncertified,
        idle_seconds=settings.limits.idle_seconds,
        loudness_lufs=settings.loudness_lufs,
        on_load=on_load,
    )
    speech = SpeechService(voices, pool, metrics, settings.limits)
    metrics.add(Gauge("voicemill_voices_loaded", "Voices in memory.", lambda: float(voices.loaded)))
    metrics.add(Gauge("voicemill_active_requests", "Texts that are spoken or wait.", lambda: float(speech.active)))
    return Services(settings, pool, voices, speech, metrics, log, signer)


def create_application(services: Services, routers: Sequence[Router] = ROUTERS) -> ASGIApp:
    """The application of a server.

    Args:
        services: shared by the routes.
        routers: sets of routes; the first that matches a path answers.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(run()) for run in services.background]
        tasks.append(asyncio.create_task(_housekeeping(services)))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for close in services.closing:
                close()
            services.pool.shutdown(wait=True, cancel_futures=True)

    application = Starlette(
        routes=[route for router in routers for route in router(services)],
        exception_handlers={HTTPException: _http_error(services), Exception: _defect(services)},
        lifespan=lifespan,
    )
    application.router.redirect_slashes = False
    return Guard(application, services.settings, services.metrics, services.log, services.areas, services.rules)


async def _housekeeping(services: Services) -> None:
    while True:
        await asyncio.sleep(HOUSEKEEPING_SECONDS)
        for voice in services.voices.drop_idle():
            services.log.write("voice_dropped", voice=voice)


Handler = Callable[[Request, Exception], Awaitable[Response]]


def _http_error(services: Services) -> Handler:
    """Answers an unknown path or method."""

    async def answer(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
        path = request.url.path
        known = RequestRefusedError(f"There is no {request.method} {path[:200]}.", reason="not_found")
        if error.status_code == 405 and path.startswith("/v1/"):
            known = RequestRefusedError(f"{request.method} is not for this path.", reason="method_not_allowed")
        note(request.state, reason=known.code)
        return refused(services.areas, path, known)

    return answer


def _defect(services: Services) -> Handler:
    """Answers a defect: the type of the exception, without its message."""

    async def answer(request: Request, error: Exception) -> Response:
        note(request.state, reason="internal_error")
        failure = RequestRefusedError(f"The server failed with {type(error).__name__}.", reason="internal_error")
        return refused(services.areas, request.url.path, failure)

    return answer
