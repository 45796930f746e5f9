"""Preparations as jobs: started from a draft or a recording session, and the page that follows one."""

from __future__ import annotations

import re
import sqlite3
import sys
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from voicemill.errors import StorageError, UsageError
from voicemill.settings import REPOSITORY
from voicemill_serve.job_store import ScriptJob
from voicemill_serve.refusals import RequestRefusedError, json_response
from voicemill_studio.frame import API, Studio
from voicemill_studio.preparation_source import SourceFolder, arguments

KIND = "voice-prep"
APP = REPOSITORY / "apps/voice-prep/voice-prep.py"
PAGE = "/studio/preparation/{job}"
STEPS = {
    "decode": "Reading the recordings",
    "voice-activity": "Finding the speech",
    "separation": "Looking for music and noise",
    "loudness": "Measuring the loudness",
    "segmentation": "Cutting in the pauses",
    "clips": "Writing the clips",
    "alignment": "Finding each word",
    "text-check": "Checking the words",
    "pitch": "Measuring the pitch",
    "manifest": "Writing the dataset",
    "report": "Drawing the report",
}
"""Stages of voice-prep, for people."""
_STAGE = re.compile(r"([a-z-]+)(?: (?:…|\d+/\d+))")
LOG_LINES = 60


def routes(studio: Studio) -> list[BaseRoute]:
    """`/studio/preparation/<job>` and what its script calls."""

    async def show(request: Request) -> Response:
        job = _job(studio, request)
        return studio.page("preparation.html.j2", active="new", job=job, state=state_of(job))

    async def state(request: Request) -> Response:
        return json_response(state_of(_job(studio, request)))

    async def cancel(request: Request) -> Response:
        job = await studio.jobs.cancel(_job(studio, request).id)
        return json_response(state_of(job) if job else {})

    address = f"{API}preparations/{{job}}"
    return [
        Route(PAGE, studio.endpoint(show), methods=["GET"]),
        Route(address, studio.endpoint(state), methods=["GET"]),
        Route(f"{address}/cancel", studio.endpoint(cancel), methods=["POST"]),
    ]


async def start(studio: Studio, voice: str, source: SourceFolder, more: Sequence[str] = ()) -> str:
    """Prepare a voice from its recordings; see `submit`.

    Args:
        studio: shared by the pages.
        voice: profile id.
        source: the recordings.
        more: further options of voice-prep.
    """
    return await submit(studio, voice, arguments(voice, source, ("--keep-rejected", *more)))


async def submit(studio: Studio, voice: str, options: Sequence[str], done: str = "") -> str:
    """Start voice-prep as a job of the server.

    Args:
        studio: shared by the pages.
        voice: profile id.
        options: of voice-prep.
        done: the sentence at its end, where it is no preparation.

    Returns:
        The id of the job.

    Raises:
        VoicemillError: `training_unavailable`, `jobs_busy`; `not_writable`, the job cannot be kept.
    """
    argv = [sys.executable, str(APP), *options]
    folders = {"WORK_DIR": studio.workspace.work, "CACHE_DIR": studio.workspace.cache}
    environment = {name: str(path.absolute()) for name, path in folders.items()}
    runner = studio.jobs
    try:
        job = await runner.submit(KIND, "Preparing", argv, environment, metadata={"voice": voice, "done": done})
    except OSError as error:
        raise StorageError.from_os_error(error, studio.workspace.work / "jobs") from error
    except sqlite3.Error as error:
        raise RequestRefusedError(f"The job cannot be kept: {error}.", reason="training_unavailable") from error
    return job.id


def address_of(job_id: str) -> str:
    """The page of a preparation."""
    return PAGE.format(job=job_id)


def state_of(job: ScriptJob) -> dict[str, Any]:
    """What the page shows: state, share done, the stage in words, the result, and the last lines of the log."""
    lines = [line.rstrip("\n") for line in job.logs]
    progress = job.progress or {}
    total = progress.get("total") or 0
    done = progress.get("current", 0) / total if total else 0.0
    facts = job.metadata or {}
    found: dict[str, Any] = {
        "id": job.id,
        "voice": facts.get("voice", ""),
        "state": job.state,
        "message": _message(job, lines),
        "done": round(1.0 if job.state == "done" else done, 3),
        "log": [line.removeprefix("[ERR] ") for line in lines[-LOG_LINES:]],
        "sentence": "",
    }
    if job.state == "done" and facts.get("done"):
        found["sentence"] = facts["done"]
    elif job.state == "done":
        clips = _number(facts.get("train")) + _number(facts.get("validation"))
        found["sentence"] = (
            f"{clips} clips with {_number(facts.get('seconds')) / 60:.1f} minutes of speech; "
            f"{_number(facts.get('rejected'))} stretches were left out."
        )
    if job.state == "error":
        found["sentence"] = _refusal(lines) or job.message
    return found


def _number(value: object) -> int:
    return round(value) if isinstance(value, int | float) else 0


def _message(job: ScriptJob, lines: Sequence[str]) -> str:
    if job.state == "pending":
        return "Waiting until the jobs before it have ended"
    if (job.metadata or {}).get("done"):
        return {"running": "Checking the consent", "done": "The consent is accepted"}.get(job.state, "Not accepted")
    return _stage(lines) if job.state == "running" else job.message


def _stage(lines: Sequence[str]) -> str:
    for line in reversed(lines):
        found = _STAGE.match(line.removeprefix("[ERR] "))
        if found and found[1] in STEPS:
            return STEPS[found[1]]
    return "Starting"


def _refusal(lines: Sequence[str]) -> str:
    """The sentences with which voice-prep ended: they follow the line with the reason."""
    text = [line.removeprefix("[ERR] ").strip() for line in lines]
    last = max((number for number, line in enumerate(text) if line.startswith("[voice-prep][error]")), default=None)
    if last is None:
        return ""
    return " ".join(line for line in text[last + 1 : last + 3] if not line.startswith(("PROGRESS", "STATS", "[")))


def _job(studio: Studio, request: Request) -> ScriptJob:
    job = studio.jobs.store.get(request.path_params["job"])
    if job is None or job.type != KIND:
        raise UsageError("There is no such preparation.", reason="not_found")
    return job
