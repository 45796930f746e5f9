"""The entry points of the main job: on the host, and inside the production container. Standard library only.

`scripts/voice/train_production_voice.sh`: the gates, then the lane on TRAIN_BACKEND.
`scripts/voice/container_prod_train.py`: the lane as a child process, then the report block.

Protocol: `[tts-prod] head=` first, the lane's lines, `[tts-prod] status=done backend=` last. A status file exists from
the start and always ends in a final state; the log has the complete output.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping

from voicemill.boundary import Interrupts
from voicemill.errors import InterruptedRunError, RefusedError, VoicemillError
from voicemill.lane_status import StatusFile
from voicemill.launch import local_docker, managed_job, preflight, relay
from voicemill.launch.lanes import LANES, MAIN, SCRIPTS, Lane, lane_state, step_lock
from voicemill.locks import with_lock
from voicemill.protocol import Protocol
from voicemill.settings import Settings

REPORT_HEADING = "=== DOCKER PROD TRAIN REPORT ==="
CONTAINER_LOG = "voice_train_prod.container.log"
FROM_THE_LOG = ("docker_build_failed", "docker_run_failed")


def orchestrate(settings: Settings, environ: Mapping[str, str], protocol: Protocol, interrupts: Interrupts) -> int:
    """Run a lane and return the exit code.

    Args:
        settings: the environment as settings.
        environ: the environment itself, for the child.
        protocol: the lines on stdout.
        interrupts: signals, forwarded to a running child.

    Raises:
        VoicemillError: a gate refused, or the engine failed; the status file has the same reason.
    """
    known = LANES.get(settings.launch.lane, MAIN)
    log_path = settings.paths.orchestrator_log
    with (
        lane_state(settings, known.job(settings), protocol, interrupts) as (status, lock),
        relay.open_log(log_path) as log,
        _tail_on_failure(log),
    ):
        preflight.check_head(settings)
        preflight.check_audio(settings)
        preflight.check_weights_manifest(settings, protocol)
        lane = preflight.check_lane(settings)
        backend = preflight.check_backend(settings)
        preflight.check_voice(settings)
        if lane is MAIN and backend == preflight.LOCAL_DOCKER:
            local_docker.run_lane(settings, environ, protocol, interrupts, log)
            status.take_over()
            if status.status.state != "completed":
                raise local_docker.run_failed(0, log)
            protocol.result("completed", None, status.path)
            protocol.done(backend)
            return 0
        if backend == preflight.MANAGED_JOB:
            task = managed_job.run_lane(lane, settings, environ, protocol, interrupts, log)
            status.update(
                state="completed", progress=(protocol.current, protocol.total), artifact=protocol.artifact(task)
            )
            protocol.result("completed", None, status.path)
            protocol.done(backend)
            return 0
        return _run_here(lane, settings, with_lock(environ, lock), protocol, interrupts, log, status)


def run_reported(settings: Settings, environ: Mapping[str, str], protocol: Protocol, interrupts: Interrupts) -> int:
    """Run the main lane inside the production container and always print the report block; returns its exit code.

    Raises:
        StorageError: the log cannot be written.
        RefusedError: `lane_busy:<work folder>`.
    """
    status = settings.paths.lane_status(MAIN.job(settings))
    script = settings.repository / SCRIPTS / MAIN.script
    with step_lock(settings, protocol) as lock, relay.open_log(settings.workspace.artifacts / CONTAINER_LOG) as log:
        interrupts.deliver()
        code = relay.run(
            [sys.executable, str(script)],
            on_line=protocol.line,
            log=log,
            interrupts=interrupts,
            environment=with_lock(environ, lock),
        )
    protocol.line(REPORT_HEADING)
    protocol.line(f"outcome={'success' if code == 0 else 'failed'}")
    protocol.line(f"exit_code={code}")
    protocol.line(f"train_status_path={protocol.shown(status)}")
    protocol.line(f"log_path={protocol.shown(log.path)}")
    protocol.line(f"train_status_present={'true' if status.is_file() else 'false'}")
    return code


def _run_here(
    lane: Lane,
    settings: Settings,
    environ: Mapping[str, str],
    protocol: Protocol,
    interrupts: Interrupts,
    log: relay.Log,
    status: StatusFile,
) -> int:
    """Run the lane's entry point on this Python; it prints its own result, and its exit code is returned."""

    def on_line(line: str) -> None:
        if not line.startswith("[tts-prod] head="):
            protocol.line(line)

    script = settings.repository / SCRIPTS / lane.script
    code = relay.run(
        [sys.executable, str(script)], on_line=on_line, log=log, interrupts=interrupts, environment=environ
    )
    status.take_over()
    if status.status.state == "running":
        if interrupts.received is not None:  # before the lane could handle the signal
            raise InterruptedRunError(interrupts.received)
        raise RefusedError(
            f"The lane exited with code {code} and left no result.",
            reason=f"lane_died:exit_code={code}",
            hint=f"A killed process usually ran out of memory; the log is {log.path}.",
        )
    return code


@contextlib.contextmanager
def _tail_on_failure(log: relay.Log) -> Iterator[None]:
    """Print the last lines of the log to stderr if the engine failed."""
    try:
        yield
    except VoicemillError as error:
        if error.code in FROM_THE_LOG:
            sys.stderr.write(f"--- the last lines of {log.path} ---\n{log.tail()}\n---\n")
            sys.stderr.flush()
        raise
