"""`/api/train/*`: training jobs for the panel of a voice agent, with cancel and server-sent events.

What a client sends decides which of a fixed list of scripts runs, and nothing else of the command.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sqlite3
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from voicemill import files
from voicemill.errors import VoicemillError
from voicemill.settings import REPOSITORY
from voicemill_serve.guard import note
from voicemill_serve.job_store import FINAL, ScriptJob
from voicemill_serve.jobs import JobRunner, JobsBusyError
from voicemill_serve.refusals import RequestRefusedError, json_response
from voicemill_serve.services import Endpoint, Services, answering

ADAPTER = Path("external/audiocraft/scripts/train_spectral_adapter.py")
SCRIPTS = {
    "tts_prod_train": Path("scripts/voice/train_production_tts.py"),
    "tts_prod_train_nemo": Path("scripts/voice/train_production_nemo.py"),
    "tts_voice_train": ADAPTER,
    "train": ADAPTER,
}
"""Script of each job type; every other type is `train`."""
DATASET_SCRIPT = Path("external/audiocraft/scripts/prepare_knowledge_audio.py")
STATUS = Path("external/audiocraft/checkpoints/train_status.json")
KNOWLEDGE_AUDIO = "external/audiocraft/data/knowledge_audio"
KNOWLEDGE_SOURCE = "data/knowledge_audio_source"
MAX_MODE = 120
RECENT = 100
ALIVE_SECONDS = 15.0


@dataclass(frozen=True)
class Training:
    """How jobs are started.

    Attributes:
        root: of the checkout with the scripts.
    """

    status: Path
    python: str
    environment: Mapping[str, str]
    work: Path
    root: Path = REPOSITORY

    @classmethod
    def read(cls, environ: Mapping[str, str], work: Path) -> Training:
        """From the variables that the scripts read too."""
        given = environ.get("TRAIN_STATUS_PATH")
        return cls(
            status=Path(given).absolute() if given else STATUS.absolute(),
            python=environ.get("TRAIN_PYTHON") or sys.executable,
            environment=environ,
            work=work,
        )


def routes(services: Services) -> list[BaseRoute]:
    """The routes below `/api/train`; 503 `training_unavailable` where this Python cannot train."""
    training = Training.read(os.environ, services.settings.work)
    try:
        runner = job_runner(services)
    except VoicemillError as error:
        return [Route("/api/train/{path:path}", answering(_refusing(error), services.metrics), methods=["GET", "POST"])]
    found = _Endpoints(services, training, runner)
    return [
        Route(path, answering(endpoint, services.metrics), methods=[method])
        for method, path, endpoint in (
            ("GET", "/api/train/status", found.status),
            ("POST", "/api/train/status/reset", found.reset),
            ("POST", "/api/train/dataset", found.dataset),
            ("POST", "/api/train/start", found.start),
            ("GET", "/api/train/jobs", found.jobs),
            ("GET", "/api/train/job/{id}", found.job),
            ("GET", "/api/train/job/{id}/events", found.events),
            ("POST", "/api/train/job/{id}/cancel", found.cancel),
        )
    ]


def job_runner(services: Services) -> JobRunner:
    """The runner of a server's jobs, which all of its routes share; the first call opens it.

    Raises:
        RequestRefusedError: `training_unavailable`.
        JobsBusyError: another server runs the jobs of this work folder.
    """
    if services.jobs is None:
        services.jobs = _open_runner(services)
    if isinstance(services.jobs, VoicemillError):
        raise services.jobs.with_traceback(None)
    return services.jobs


def _open_runner(services: Services) -> JobRunner | VoicemillError:
    settings = services.settings
    if not settings.training or importlib.util.find_spec("torch") is None:
        why = "it was started with --no-training" if not settings.training else "its Python has no torch"
        return RequestRefusedError(
            f"This server cannot train: {why}.",
            reason="training_unavailable",
            hint="Start it with ./run voice-serve, whose image can.",
        )
    try:
        runner = JobRunner(settings.work / "jobs", settings.parallel_jobs)
    except JobsBusyError as error:
        return error
    except (OSError, sqlite3.Error) as error:
        return RequestRefusedError(f"The jobs cannot be read: {error}.", reason="training_unavailable")
    services.background.append(runner.run)
    services.closing.append(runner.close)
    return runner


class _Endpoints:
    def __init__(self, services: Services, training: Training, runner: JobRunner) -> None:
        self._services, self._training, self._runner = services, training, runner

    async def status(self, request: Request) -> Response:
        path = self._training.status
        if not path.exists():
            return json_response({"error": "status_not_found"}, 404)
        try:
            return json_response(files.read_json(path))
        except (OSError, ValueError, VoicemillError) as error:
            return _failed(request, "status_read_failed", error)

    async def reset(self, request: Request) -> Response:
        try:
            self._training.status.unlink(missing_ok=True)
        except OSError as error:
            return _failed(request, "reset_failed", error)
        return json_response({"ok": True})

    async def dataset(self, request: Request) -> Response:
        given = (await _json_object(request)).get("mode")
        environ = self._training.environment
        mode = str(given if given is not None else environ.get("DATASET_PREP_MODE") or "knowledge_audio")
        if len(mode) > MAX_MODE or not mode.isprintable():
            raise RequestRefusedError("mode is no name.", reason="bad_usage", parameter="mode")
        variables = {
            "KNOWLEDGE_SOURCE_DIR": environ.get("KNOWLEDGE_SOURCE_DIR") or KNOWLEDGE_SOURCE,
            "KNOWLEDGE_AUDIO_DIR": environ.get("KNOWLEDGE_AUDIO_DIR") or KNOWLEDGE_AUDIO,
            "DATASET_PREP_MODE": mode,
        }
        facts = {"metadata": {"datasetMode": mode}, "progress": {"current": 0, "total": 0}}
        return await self._submit(request, "dataset", "Building dataset", DATASET_SCRIPT, variables, facts)

    async def start(self, request: Request) -> Response:
        asked = (await _json_object(request)).get("jobType")
        kind = asked if isinstance(asked, str) and asked in SCRIPTS else "train"
        variables = {
            "TRAIN_STATUS_PATH": str(self._training.status),
            "KNOWLEDGE_AUDIO_DIR": self._training.environment.get("KNOWLEDGE_AUDIO_DIR") or KNOWLEDGE_AUDIO,
            "TRAIN_JOB_TYPE": kind,
        }
        return await self._submit(request, kind, "Training started", SCRIPTS[kind], variables, {})

    async def _submit(
        self, request: Request, kind: str, message: str, script: Path, variables: dict[str, str], facts: dict[str, Any]
    ) -> Response:
        argv = [self._training.python, str(self._training.root / script)]
        variables |= {"WORK_DIR": str(self._training.work.absolute())}
        try:
            job = await self._runner.submit(kind, message, argv, variables, **facts)
        except (OSError, sqlite3.Error, VoicemillError) as error:
            return _failed(request, "dataset_start_failed" if kind == "dataset" else "train_start_failed", error)
        self._services.log.write("job", job=job.id, type=kind, state=job.state)
        return json_response({"ok": True, "started": True, "jobId": job.id})

    async def jobs(self, request: Request) -> Response:
        return json_response({"jobs": [_brief(job) for job in self._runner.store.recent(RECENT)]})

    async def job(self, request: Request) -> Response:
        found = self._runner.store.get(request.path_params["id"])
        return json_response(found.answer()) if found else json_response({"error": "job_not_found"}, 404)

    async def cancel(self, request: Request) -> Response:
        found = await self._runner.cancel(request.path_params["id"])
        return json_response(found.answer()) if found else json_response({"error": "job_not_found"}, 404)

    async def events(self, request: Request) -> Response:
        if self._runner.store.get(request.path_params["id"]) is None:
            return json_response({"error": "job_not_found"}, 404)
        headers = {"Cache-Control": "no-store"}
        return StreamingResponse(
            self._changes(request.path_params["id"]), media_type="text/event-stream", headers=headers
        )

    async def _changes(self, job_id: str) -> AsyncIterator[bytes]:
        """The job whenever it changes, without its log, until it has ended or the server stops."""
        last = b""
        while not self._services.stopping.is_set():
            job = self._runner.store.get(job_id)
            if job is None:
                return
            event = b"data: " + json.dumps(_brief(job), separators=(",", ":")).encode("utf-8") + b"\n\n"
            if event != last:
                last = event
                yield event
            if job.state in FINAL:
                return
            waited = await self._runner.wait(ALIVE_SECONDS)
            if not waited:
                yield b": alive\n\n"


def _brief(job: ScriptJob) -> dict[str, Any]:
    return {name: value for name, value in job.answer().items() if name != "logs"}


def _failed(request: Request, reason: str, error: Exception) -> Response:
    note(request.state, reason=reason)
    return json_response({"error": reason, "message": str(error)}, 500)


async def _json_object(request: Request) -> dict[str, Any]:
    try:
        found = files.parse_json(await request.body() or b"{}")
    except (ValueError, VoicemillError) as error:
        raise RequestRefusedError("The body is not JSON.", reason="bad_usage") from error
    return found if isinstance(found, dict) else {}


def _refusing(error: VoicemillError) -> Endpoint:
    async def refuse(request: Request) -> Response:
        raise error

    return refuse
