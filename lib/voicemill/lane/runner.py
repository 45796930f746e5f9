"""Runs a lane's steps: in this process, each in a child process, or dry with placeholders.

Standard library only at import: the Colab entry point starts on a Python that has nothing else (docs/adr/0006).
"""

from __future__ import annotations

import dataclasses
import functools
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voicemill.boundary import Interrupts
from voicemill.errors import InterruptedRunError
from voicemill.lane import plan
from voicemill.lane.plan import LaneStep
from voicemill.lane.reporter import LaneReporter, TableRow
from voicemill.launch import preflight, relay
from voicemill.launch.lanes import MAIN, NEMO, SCRIPTS, Lane, check_settings, final_state, lane_state, step_lock
from voicemill.progress import Observer
from voicemill.protocol import Protocol
from voicemill.settings import Settings

if TYPE_CHECKING:
    from voicemill.lane.request import LaneOptions, LaneRequest
    from voicemill.lane.run import LaneRun

NONE = "none"


def run_lane(
    options: LaneOptions,
    settings: Settings,
    protocol: Protocol,
    observer: Observer,
    interrupts: Interrupts,
    lane: Lane = MAIN,
) -> list[TableRow]:
    """Run all steps in this process; the lane's status file is `running` from the start and always ends final.

    Args:
        options: of the command line.
        settings: the environment.
        protocol: the lines on stdout.
        observer: the person's display.
        interrupts: signals.
        lane: its name is the job's.

    Raises:
        VoicemillError: with its stable reason and exit code; the status files hold the same reason.
    """
    from voicemill.lane import statuses
    from voicemill.lane.request import LaneRequest

    job = lane.job(settings)
    settings = settings.with_base_weights(lane.base_weights)
    dry_run = options.dry_run or settings.dry_run
    on_error = functools.partial(statuses.write_blocked, settings)
    with lane_state(settings, job, protocol, interrupts, on_error) as (status, _), interrupts.unmasked():
        reporter = LaneReporter(protocol, status, observer, plan.lane_steps(dry_run=dry_run))
        reporter.start()
        preflight.check_head(settings)
        request = LaneRequest.from_options(settings, options)
        if request.note:
            reporter.note(request.note)
        if request.dry_run:
            _note_processes(request, reporter)
        run = _lane_run(settings, reporter, interrupts, job, request)
        with run.held:
            rows = [row for step in plan.PROCESSES for row in _take(step, run, request)]
        reporter.finish()
    protocol.result("completed", None, status.path)
    protocol.done(preflight.LOCAL if request.preparation.ray is None else preflight.RAY)
    return rows


def run_step(
    step: LaneStep, settings: Settings, protocol: Protocol, observer: Observer, interrupts: Interrupts
) -> list[TableRow]:
    """Run one process of the NeMo lane (`train`, `eval` or `bundle`) on what the process before it has written.

    Raises:
        VoicemillError: with its reason; the status or evaluation that the step writes holds the same reason.
    """
    from voicemill.lane import statuses
    from voicemill.lane.request import LaneOptions, LaneRequest

    settings = settings.with_base_weights(NEMO.base_weights)
    writers = {
        plan.TRAIN.name: (statuses.write_blocked, settings.paths.training_status),
        plan.EVALUATE.name: (statuses.write_unmeasured, settings.paths.evaluation),
    }
    write, result = writers.get(step.name, (None, None))
    steps = plan.steps_of(step, total=1 if step == plan.BUNDLE else plan.TOTAL)
    if step == plan.TRAIN and settings.dry_run:
        steps = (dataclasses.replace(step, until=plan.end(plan.DRY_STEPS)),)
    reporter = LaneReporter(protocol, None, observer, steps)
    with (
        step_lock(settings, protocol),
        final_state(None, protocol, functools.partial(write, settings) if write else None, result),
        interrupts.unmasked(),
    ):
        interrupts.deliver()
        check_settings(settings)
        reporter.start()
        request = LaneRequest.from_options(settings, LaneOptions()) if step == plan.TRAIN else None
        run = _lane_run(settings, reporter, interrupts, NEMO.job(settings), request)
        with run.held:
            return _take(step, run, request)


def _take(step: LaneStep, run: LaneRun, request: LaneRequest | None) -> list[TableRow]:
    """Take one step; `train` needs the request, and writes placeholders in a dry run."""
    from voicemill.lane import steps

    if request is None or step != plan.TRAIN:
        functions = {plan.EVALUATE: steps.evaluate, plan.BUNDLE: steps.bundle, plan.PROMOTE: steps.promote}
        return functions[step](run)
    if request.dry_run:
        from voicemill.lane import placeholders

        return placeholders.write_placeholders(request, run)
    return steps.train(request, run)


def _lane_run(
    settings: Settings, reporter: LaneReporter, interrupts: Interrupts, job: str, request: LaneRequest | None
) -> LaneRun:
    from voicemill.dataset.stage_clock import StageClock
    from voicemill.lane.run import LaneRun

    return LaneRun(
        settings=settings,
        reporter=reporter,
        interrupts=interrupts,
        job=job,
        voice=request.preparation.voice if request else settings.voice.profile_id,
        display_name=request.display_name if request else settings.voice.display_name,
        clock=StageClock(reporter, list),
    )


def _note_processes(request: LaneRequest, reporter: LaneReporter) -> None:
    """How a real run would start its training processes."""
    processes = request.devices * request.nodes
    if request.preparation.ray is not None:
        reporter.note(f"It would train on the Ray cluster at {request.preparation.ray}, in {processes} process(es).")
    elif processes > 1:
        from voicemill.training import launch

        reporter.note(f"It would train with: {shlex.join(launch.torchrun_command(request.devices, request.nodes))}")


@dataclass(frozen=True)
class LaneOutcome:
    """How a run ended: the first step that failed, its exit code and its reason."""

    failed_step: str = NONE
    code: int = 0
    reason: str = NONE


def run_in_children(
    settings: Settings, environ: Mapping[str, str], protocol: Protocol, interrupts: Interrupts, log: relay.Log
) -> LaneOutcome:
    """Run each step's script as a child process, up to the first that fails.

    Args:
        settings: the environment, parsed.
        environ: environment of the children.
        protocol: gets the children's lines; their PROGRESS becomes the lane's.
        interrupts: signals, passed on to the child that runs.
        log: gets the children's whole output.
    """
    steps = tuple(step for step in plan.lane_steps(dry_run=settings.dry_run) if step.script)
    total, begin = plan.end(steps), 0
    protocol.progress(0, total)
    for step in steps:
        lines = relay.StepLines(protocol, begin, step.until, total)
        code = relay.run(
            [sys.executable, str(settings.repository / SCRIPTS / str(step.script))],
            on_line=lines.out,
            on_error_line=lines.error,
            log=log,
            interrupts=interrupts,
            environment=environ,
        )
        if code != 0:
            reason = lines.reason or f"lane_died:exit_code={code}"
            if interrupts.received is not None and not lines.reason:  # before the child could handle the signal
                stopped = InterruptedRunError(interrupts.received)
                code, reason = stopped.exit_code, stopped.reason
            return LaneOutcome(step.name, code, reason)
        lines.finish()
        begin = step.until
    return LaneOutcome()
