"""`scripts/voice/colab_run_once.sh` and `run_colab_train.py`: the experimental lane, always ending in a report.

The steps are `git_sync`, `bootstrap`, `prepare`, `train` and `artifacts`; prepare and train are separate processes.
Standard library only at import, so that the report can name missing packages.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import sys
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from voicemill import files
from voicemill.boundary import Interrupts, fail
from voicemill.errors import DependencyError, InterruptedRunError, StorageError, UsageError, VoicemillError
from voicemill.git import head_commit
from voicemill.launch import relay
from voicemill.launch.lanes import SCRIPTS, check_light, state_of
from voicemill.launch.preflight import check_head
from voicemill.locks import lane_lock, with_lock
from voicemill.protocol import Protocol, State
from voicemill_musicgen import git_sync, sources
from voicemill_musicgen.settings import AGAIN, LOGS, VoiceTrainSettings
from voicemill_musicgen.status import VoiceTrainStatusFile, check_outputs

HEADING = "=== COLAB TRAIN REPORT ==="
NONE = "none"
STEP_SCRIPT = "experimental_step.py"
RUNTIME = ("numpy", "soundfile", "torch", "transformers", "tokenizers", "safetensors")
PREPARED, TRAINED, TOTAL = 20, 99, 100
"""PROGRESS after each step, and its total."""
_LOG_LINES = 20_000
"""Lines kept of each stream; a run prints a few hundred."""


class StepFailedError(Exception):
    """A step's process exited with a code other than 0; it has printed the reason itself."""

    def __init__(self, reason: str, code: int) -> None:
        super().__init__(reason)
        self.reason, self.code = reason, code


@dataclass
class OutputRecorder:
    """A stream that passes on stdout and records both outputs for the logs of a failed run."""

    stream: IO[str]
    out: deque[str] = field(default_factory=lambda: deque(maxlen=_LOG_LINES))
    err: deque[str] = field(default_factory=lambda: deque(maxlen=_LOG_LINES))

    def write(self, text: str) -> int:
        self.out.append(text.rstrip("\n"))
        return self.stream.write(text)

    def flush(self) -> None:
        self.stream.flush()

    def isatty(self) -> bool:
        return self.stream.isatty()

    def save(self, folder: Path) -> None:
        """Write both logs."""
        for name, lines in zip(LOGS, (self.out, self.err), strict=True):
            files.write_text(folder / name, "\n".join(lines) + "\n")


@dataclass
class RunOutcome:
    """The state of the run; `step` is the current step, or the first that failed."""

    step: str = "bootstrap"
    code: int = 0
    reason: str = NONE

    def failed(self, reason: str, code: int) -> None:
        self.reason, self.code = reason, code


def run(environ: Mapping[str, str], repository: Path, stdout: IO[str], interrupts: Interrupts) -> int:
    """Run the lane, print its report and return the code of the step that failed, else 0."""
    recorder = OutputRecorder(stdout)
    protocol = Protocol(recorder)  # type: ignore[arg-type]  # it has the three stream methods that Protocol uses
    outcome = RunOutcome()
    settings = VoiceTrainSettings.for_lane(environ, repository=repository, work_dir=Path.cwd())
    common = settings.common
    with contextlib.ExitStack() as stack:
        try:
            lock = stack.enter_context(lane_lock(common.workspace.work, common.launch.lane_lock))
        except VoicemillError as error:
            protocol.head(common.head)
            outcome.failed(error.reason, error.exit_code)
            _report_error(error, recorder)
            protocol.result(state_of(error), error.reason, None)
            _print_report(protocol, outcome)
            return outcome.code
        _run(settings, with_lock(environ, lock), protocol, recorder, interrupts, outcome)
    return outcome.code


def _run(
    settings: VoiceTrainSettings,
    environ: Mapping[str, str],
    protocol: Protocol,
    recorder: OutputRecorder,
    interrupts: Interrupts,
    outcome: RunOutcome,
) -> None:
    """Run the steps with the work folder held; the outcome, the status and the report say how they ended."""
    try:
        interrupts.deliver()
        _steps(settings, environ, protocol, recorder, interrupts, outcome)
    except StepFailedError as error:
        outcome.failed(error.reason, error.code)
    except VoicemillError as error:
        outcome.failed(error.reason, error.exit_code)
        if isinstance(error, InterruptedRunError):
            error.hint = AGAIN
        _report_error(error, recorder)
    except OSError as error:
        problem = StorageError.from_os_error(error, error.filename or "a file")
        outcome.failed(problem.reason, problem.exit_code)
        _report_error(problem, recorder)
    except BaseException as error:  # a defect: print the report, then re-raise
        outcome.failed(f"internal_error:{type(error).__name__}", 1)
        raise
    finally:
        _close(settings, protocol, recorder, outcome)


def _steps(
    settings: VoiceTrainSettings,
    environ: Mapping[str, str],
    protocol: Protocol,
    recorder: OutputRecorder,
    interrupts: Interrupts,
    outcome: RunOutcome,
) -> None:
    if settings.common.fault is not None:
        protocol.head(settings.common.head)
        raise settings.common.fault
    if settings.clear_previous:
        _remove([settings.status_path, settings.checkpoint, *(settings.artifacts / name for name in LOGS)])
        if settings.run_prepare:
            _remove([settings.manifest])
    try:
        if settings.git_sync:
            outcome.step = "git_sync"
            git_sync.sync(settings.common.repository)
            head = head_commit(settings.common.repository)
            settings = dataclasses.replace(settings, common=dataclasses.replace(settings.common, head=head))
    finally:
        protocol.head(settings.common.head)
    outcome.step = "bootstrap"
    if settings.run_train:
        if settings.reset_outputs:
            _remove([settings.status_path, settings.checkpoint])
        VoiceTrainStatusFile(settings.status_path, settings.job)
    _bootstrap(settings)
    protocol.progress(0, TOTAL)
    for step, wanted, begun, until in (
        ("prepare", settings.run_prepare, 0, PREPARED),
        ("train", settings.run_train, PREPARED, TRAINED),
    ):
        if wanted:
            outcome.step = step
            _child(step, relay.StepLines(protocol, begun, until, TOTAL), environ, settings, recorder, interrupts)
    if settings.run_train:
        outcome.step = "artifacts"
        check_outputs(settings.status_path, settings.checkpoint)
    outcome.step = NONE
    protocol.progress(TOTAL, TOTAL)


def _bootstrap(settings: VoiceTrainSettings) -> None:
    """Run every gate before work begins, in the contract's order."""
    check_head(settings.common)
    if not (settings.run_prepare or settings.run_train or settings.git_sync):
        raise UsageError("RUN_PREPARE=0 and RUN_TRAIN=0 leave nothing to do.", hint="Unset one of them.")
    if settings.run_prepare:
        sources.find(settings)
    check_light()
    from voicemill_musicgen import dataset, weights

    if settings.run_train:
        weights.select(settings.common.weights.allowlist)
        if not settings.run_prepare:
            dataset.read(settings.manifest)
        missing = [name for name in RUNTIME if importlib.util.find_spec(name) is None]
        if missing:
            raise DependencyError(
                f"This lane needs {', '.join(missing)}, which this Python does not have.",
                reason=f"runtime_dependency_missing:{','.join(missing)}",
                hint="Run it with the Python of ./run-direct, which installs them.",
            )
        weights.resolve(settings)


def _child(
    step: str,
    lines: relay.StepLines,
    environ: Mapping[str, str],
    settings: VoiceTrainSettings,
    recorder: OutputRecorder,
    interrupts: Interrupts,
) -> None:
    def on_line(line: str) -> None:
        if not line.startswith(("PROGRESS ", "STATS ", "ARTIFACT ")):
            recorder.out.append(line)
        lines.out(line)

    def on_error_line(line: str) -> None:
        recorder.err.append(line)
        lines.error(line)

    code = relay.run(
        [sys.executable, str(settings.common.repository / SCRIPTS / STEP_SCRIPT), step],
        on_line=on_line,
        on_error_line=on_error_line,
        interrupts=interrupts,
        environment=environ,
    )
    if code != 0 and not lines.reason and interrupts.received is not None:  # before the step could handle the signal
        raise InterruptedRunError(interrupts.received)
    if code != 0:
        raise StepFailedError(lines.reason or f"lane_died:exit_code={code}", code)
    lines.finish()


def _remove(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _report_error(error: VoicemillError, recorder: OutputRecorder) -> None:
    recorder.err.extend(text for text in (f"[tts-prod][error] {error.line}", str(error), error.hint) if text)
    fail(error.line, str(error), error.hint, error.exit_code)


def _close(settings: VoiceTrainSettings, protocol: Protocol, recorder: OutputRecorder, outcome: RunOutcome) -> None:
    """Write the final status and the logs of a failure, and print the report, even on a full disk."""
    path, state = settings.status_path, "completed"
    if outcome.code:
        final: State = "blocked" if outcome.code == 2 else "error"
        state = final
        try:
            if not _status_has(path, outcome.reason):
                VoiceTrainStatusFile(path, settings.job).update(state=final, reason=outcome.reason)
            recorder.save(settings.artifacts)
        except StorageError as error:
            _report_error(error, recorder)
    trained = bool(outcome.code) or settings.run_train
    protocol.result(state, outcome.reason if outcome.code else None, path if trained else None)
    if state == "blocked":
        protocol.blocked(outcome.reason)
    if state == "completed":
        protocol.done("local")
    _print_report(protocol, outcome)


def _print_report(protocol: Protocol, outcome: RunOutcome) -> None:
    protocol.line(HEADING)
    protocol.line(f"objective_status: {'blocked' if outcome.code else 'completed'}")
    protocol.line(f"first_failed_step: {outcome.step}")
    protocol.line(f"root_cause: {outcome.reason}")


def _status_has(path: Path, reason: str) -> bool:
    """Whether the step's process has already written this reason to the status."""
    try:
        found = files.read_json(path)
    except (OSError, files.InvalidJsonError):
        return False
    return isinstance(found, dict) and found.get("reason") == reason and found.get("state") in ("blocked", "error")
