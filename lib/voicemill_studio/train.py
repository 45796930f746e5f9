"""Train: start a training of a prepared voice, follow it, stop it and go on; the queue of jobs."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from voicemill import workspace
from voicemill.errors import RefusedError, StorageError
from voicemill.evaluation.charts import Series, line_chart
from voicemill.evaluation.pages import Chart
from voicemill.settings import REPOSITORY
from voicemill_serve import supervisor
from voicemill_serve.job_store import FINAL, ScriptJob
from voicemill_serve.refusals import RequestRefusedError, json_response
from voicemill_studio import candidates, overview, reports, versions
from voicemill_studio.estimates import PRESETS, length, presets_for
from voicemill_studio.frame import Link, Studio, form, redirect
from voicemill_studio.overview import TRAINING

ADDRESS = "/studio/train"
APP = REPOSITORY / "apps/voice-train-prod/voice-train-prod.py"
SHOWN_JOBS = 50
LOG_LINES = 200
MOST_STEPS = 10_000_000


@dataclass(frozen=True)
class TrainingRequest:
    """What a job trains.

    Attributes:
        voice: a prepared one.
        display_name: for people; empty for the app's default.
        preset: of the training.
        max_steps: cap on the steps of each model.
        resume: go on from the checkpoint of an interrupted training.
        promote: at its end; otherwise the trained bundle waits for a decision.
    """

    voice: str
    display_name: str
    preset: str
    max_steps: int | None = None
    resume: bool = False
    promote: bool = True

    @classmethod
    def of(cls, fields: Mapping[str, str]) -> TrainingRequest:
        """From a form.

        Raises:
            UsageError: `invalid_voice_profile_id`, `invalid_display_name`.
            RequestRefusedError: `bad_usage`.
        """
        preset, steps = fields.get("preset", ""), fields.get("max_steps", "")
        if preset not in PRESETS:
            raise RequestRefusedError(f"There is no preset {preset[:40]!r}.", reason="bad_usage")
        if steps and not (steps.isascii() and steps.isdigit() and 0 < int(steps[:9]) <= MOST_STEPS):
            raise RequestRefusedError("The number of steps must be a whole number above 0.", reason="bad_usage")
        name = fields.get("display_name", "")
        return cls(
            voice=workspace.profile_id(fields.get("voice", "")),
            display_name=workspace.display_name(name) if name else "",
            preset=preset,
            max_steps=int(steps) if steps else None,
            promote=fields.get("promote", "now") != "later",
        )

    @property
    def arguments(self) -> list[str]:
        """Of voice-train-prod."""
        found = ["--voice", self.voice, "--preset", self.preset]
        found += ["--display-name", self.display_name] if self.display_name else []
        found += ["--max-steps", str(self.max_steps)] if self.max_steps else []
        return [*found, "--resume"] if self.resume else found


@dataclass(frozen=True)
class Following:
    """A training as its page shows it.

    Attributes:
        request: None of a job that the studio did not start.
        model: that is trained now, with its step; before and after, the last line of the log.
        left: time left of that model, in words; empty where it is not known.
        curves: losses so far.
        log: the last lines.
        why: of a failure; empty without one.
    """

    job: ScriptJob
    request: TrainingRequest | None
    model: str
    left: str
    curves: list[Chart]
    log: list[str]
    why: str

    @property
    def progress(self) -> tuple[float, float]:
        """Done, and in all."""
        found = self.job.progress or {}
        return found.get("current", 0.0), found.get("total") or 100.0

    @property
    def headline(self) -> str:
        """How far it is, in a few words."""
        progress = self.job.progress
        if self.state == "stopping":
            return "Stopping"
        if self.job.state != "running" or not progress or not progress.get("total"):
            return self.job.message
        return f"{100 * progress['current'] / progress['total']:.0f} %"

    @property
    def is_over(self) -> bool:
        """Whether the job has ended."""
        return self.job.state in FINAL

    @property
    def state(self) -> str:
        """In one word for people."""
        if self.job.state == "running" and self.job.cancelled:
            return "stopping"
        words = {"pending": "in the queue", "running": "running", "done": "finished"}
        return words.get(self.job.state, "stopped" if self.job.cancelled else "failed")


def routes(studio: Studio) -> list[BaseRoute]:
    """`/studio/train` and below, and what its script asks for."""
    studio.links.append(Link("train", "Train", ADDRESS))
    found = _Pages(studio)
    return [
        Route(ADDRESS, studio.endpoint(found.choose), methods=["GET"]),
        Route(ADDRESS, studio.endpoint(found.start), methods=["POST"]),
        Route(ADDRESS + "/{job}", studio.endpoint(found.follow), methods=["GET"]),
        Route(ADDRESS + "/{job}/stop", studio.endpoint(found.stop), methods=["POST"]),
        Route(ADDRESS + "/{job}/resume", studio.endpoint(found.resume), methods=["POST"]),
        Route("/studio/api/train/{job}", studio.endpoint(found.state), methods=["GET"]),
    ]


class _Pages:
    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    async def choose(self, request: Request) -> Response:
        jobs = self._jobs()
        prepared = [voice for voice in await overview.every_voice(self._studio) if voice.prepared is not None]
        ready = [voice for voice in prepared if voice.prepared and voice.prepared.state == "ready"]
        asked = request.query_params.get("voice", "")
        chosen = next((voice for voice in ready if voice.id == asked), ready[0] if ready else None)
        return self._studio.page(
            "train.html.j2",
            active="train",
            voices=ready,
            chosen=chosen,
            presets=presets_for(chosen.minutes if chosen else None, jobs),
            jobs=[self._following(job, brief=True) for job in jobs[:SHOWN_JOBS]],
            ago=overview.ago,
            length=length,
        )

    async def start(self, request: Request) -> Response:
        wanted = TrainingRequest.of(await form(request))
        voice = await overview.one_voice(self._studio, wanted.voice)
        if voice is None or voice.prepared is None or voice.prepared.state != "ready":
            raise RequestRefusedError(f"There is no prepared voice {wanted.voice!r}.", reason="voice_unknown")
        return redirect(f"{ADDRESS}/{(await self._submit(wanted)).id}")

    async def _submit(self, wanted: TrainingRequest) -> ScriptJob:
        """Put a training into the queue; the promoted bundle is kept as a version before another one replaces it.

        Raises:
            RefusedError: `voice_in_training:<voice>`.
        """
        voice = await overview.one_voice(self._studio, wanted.voice)
        if voice is not None and voice.training is not None:
            raise RefusedError(
                f"{wanted.voice} is being trained already.",
                reason=f"voice_in_training:{wanted.voice}",
                hint="Stop that job first, or wait for it.",
            )
        if wanted.promote and voice is not None and voice.promoted is not None and voice.promoted.verified:
            versions.keep(self._studio.workspace, voice.id, voice.promoted.root)
        place = self._studio.workspace
        variables = {"WORK_DIR": str(place.work.absolute()), "CACHE_DIR": str(place.cache.absolute())}
        if not wanted.promote:
            variables["PROMOTED_BUNDLE_ROOT"] = str(candidates.folder(place).absolute())
        facts = {"voice": wanted.voice, "request": asdict(wanted)}
        try:
            job = await self._studio.jobs.submit(
                TRAINING, "In the queue", [sys.executable, str(APP), *wanted.arguments], variables, metadata=facts
            )
        except OSError as error:
            raise StorageError.from_os_error(error, place.work) from error
        except sqlite3.Error as error:
            raise StorageError(f"The job could not be written: {error}.", reason="disk_full") from error
        self._studio.services.log.write("job", job=job.id, type=TRAINING, state=job.state)
        return job

    async def follow(self, request: Request) -> Response:
        job = self._job(request)
        following = self._following(job)
        voice = str((job.metadata or {}).get("voice", ""))
        return self._studio.page(
            "training.html.j2",
            active="train",
            it=following,
            voice=voice,
            written=self._training_report(job),
            waits=bool(voice) and candidates.root_of(self._studio.workspace, voice) is not None,
            reports={report.kind: report for report in reports.of_voice(self._studio.workspace, voice)}
            if voice
            else {},
            ago=overview.ago,
            length=length,
        )

    async def state(self, request: Request) -> Response:
        job = self._job(request)
        following = self._following(job)
        charts = self._studio.environment.from_string(
            '{% from "parts.html.j2" import chart %}{% for each in curves %}{{ chart(each) }}{% endfor %}'
        )
        return json_response(
            {
                "state": following.state,
                "over": following.is_over,
                "message": following.headline,
                "progress": job.progress,
                "model": following.model,
                "left": following.left,
                "charts": charts.render(curves=following.curves),
                "log": following.log,
                "report": self._training_report(job),
            }
        )

    async def stop(self, request: Request) -> Response:
        job = self._job(request)
        await self._studio.jobs.cancel(job.id)
        return redirect(f"{ADDRESS}/{job.id}")

    async def resume(self, request: Request) -> Response:
        job = self._job(request)
        wanted = _request_of(job)
        if wanted is None or job.state not in FINAL or job.state == "done":
            raise RequestRefusedError("This training cannot go on.", reason="bad_usage", hint="Start a new one.")
        again = replace(wanted, resume=True)
        return redirect(f"{ADDRESS}/{(await self._submit(again)).id}")

    def _job(self, request: Request) -> ScriptJob:
        job = self._studio.jobs.store.get(request.path_params["job"])
        if job is None or job.type != TRAINING:
            raise RequestRefusedError("There is no such training.", reason="not_found")
        return job

    def _jobs(self) -> list[ScriptJob]:
        return [job for job in self._studio.jobs.store.recent(500) if job.type == TRAINING]

    def _training_report(self, job: ScriptJob) -> int:
        """When the training report of this job was written, in milliseconds; 0 without one, for an older one is of
        another training.
        """
        path = self._studio.workspace.reports / f"{(job.metadata or {}).get('voice', '')}.training.html"
        try:
            written = round(path.stat().st_mtime * 1000)
        except OSError:
            return 0
        return written if written >= job.startedAt else 0

    def _following(self, job: ScriptJob, *, brief: bool = False) -> Following:
        rows = [] if brief else [row for row in self._studio.jobs.stats(job.id) if isinstance(row.get("model"), str)]
        last = rows[-1] if rows and job.state == "running" else {}
        left, lines = last.get("seconds_left"), lines_for_people(job.logs)
        model = f"{last['model']}, step {last.get('step')} of {last.get('max_steps')}" if last else ""
        if job.state == "running" and lines and last.get("step") == last.get("max_steps"):
            model = lines[-1].strip()
        return Following(
            job=job,
            request=_request_of(job),
            model=model,
            left=length(left) if isinstance(left, (int, float)) and left > 0 else "",
            curves=curves_of(rows),
            log=lines[-LOG_LINES:],
            why=why_of(job),
        )


def _request_of(job: ScriptJob) -> TrainingRequest | None:
    request = (job.metadata or {}).get("request")
    try:
        return TrainingRequest(**request) if isinstance(request, dict) else None
    except TypeError:
        return None


def curves_of(rows: Sequence[Mapping[str, Any]]) -> list[Chart]:
    """A chart of the loss of each model, from the figures that the training printed."""
    by_model: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        step, loss = row.get("step"), row.get("loss")
        if isinstance(step, (int, float)) and isinstance(loss, (int, float)):
            by_model.setdefault(str(row["model"]), []).append((float(step), float(loss)))
    found = []
    for model, points in by_model.items():
        if len(points) < 2:
            continue
        caption = f"From {points[0][1]:.3g} to {points[-1][1]:.3g} at step {points[-1][0]:.0f}."
        svg = line_chart(
            [Series("loss", [step for step, _ in points], [loss for _, loss in points], "c0")],
            title=f"Loss of {model}",
            description=caption,
            labels=("training step", "loss"),
            logarithmic=True,
        )
        found.append(Chart(model, svg, caption, [("loss", "c0")]))
    return found


def lines_for_people(logs: Sequence[str]) -> list[str]:
    """Lines of a log without those for programs, and without the mark of the error stream."""
    lines = [line.rstrip("\n") for line in logs]
    return [line.removeprefix("[ERR] ") for line in lines if not line.startswith(supervisor.RESULTS)]


def why_of(job: ScriptJob) -> str:
    """The sentence with which a failed job ended; empty where there is none."""
    if job.state != "error" or job.cancelled:
        return ""
    lines = [line.removeprefix("[ERR] ").strip() for line in job.logs if line.startswith("[ERR] ")]
    spoken = [line for line in lines if line]
    return " ".join(spoken[-2:])[:600]
