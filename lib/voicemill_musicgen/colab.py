"""`scripts/voice/colab_run_once.sh` and `run_colab_train.py`: the experimental lane, always ending in a report.

The steps are `git_sync`, `bootstrap`, `prepare`, `train` and `artifacts`; prepare and train are separate processes.
Standard library only at import, so that the report can name missing packages.
"""

from __future__ import annotations

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
from voicemill.errors import DependencyError, InterruptedRunError, StorageError, VoicemillError
from voicemill.launch import relay
from voicemill.launch.lanes import SCRIPTS, check_light
from voicemill.launch.preflight import check_head
from voicemill.protocol import Protocol, State
from voicemill.settings import head_commit
from voicemill_musicgen import git_sync, sources
from voicemill_musicgen.settings import AGAIN, JOB, LOGS, VoiceTrainSettings
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
    outcome, artifacts = RunOutcome(), Path.cwd() / "artifacts"
    settings: VoiceTrainSettings | None = None
    try:
        settings = VoiceTrainSettings.from_environment(environ, repository=repository, work_dir=Path.cwd())
        artifacts = settings.artifacts
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
        _close(settings, artifacts, protocol, recorder, outcome)
    return outcome.code


def _steps(
    settings: VoiceTrainSettings,
    environ: Mapping[str, str],
    protocol: Protocol,
    recorder: OutputRecorder,
    interrupts: Interrupts,
    outcome: RunOutcome,
) -> None:
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
    protocol.done("local")


def _bootstrap(settings: VoiceTrainSettings) -> None:
    """Run every gate before work begins, in the contract's order."""
    check_head(settings.common)
    if settings.run_prepare:
        sources.find(settings)
    check_light()
    from voicemill_musicgen import dataset, weights

    if settings.run_train:
        weights.select(settings.common.allowlist)
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
    if code != 0:
        raise StepFailedError(lines.reason or f"lane_died:exit_code={code}", code)
    lines.finish()


def _remove(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _report_error(error: VoicemillError, recorder: OutputRecorder) -> None:
    recorder.err.extend(text for text in (f"[tts-prod][error] {error.line}", str(error), error.hint) if text)
    fail(error.line, str(error), error.hint, error.exit_code)


def _close(
    settings: VoiceTrainSettings | None,
    artifacts: Path,
    protocol: Protocol,
    recorder: OutputRecorder,
    outcome: RunOutcome,
) -> None:
    """Write the final status and the logs of a failure, and print the report, even on a full disk."""
    job = settings.job if settings else JOB
    path = settings.status_path if settings else artifacts / f"train_status.{JOB}.json"
    if outcome.code:
        state: State = "blocked" if outcome.code == 2 else "error"
        if state == "blocked":
            protocol.blocked(outcome.reason)
        try:
            if not _status_has(path, outcome.reason):
                VoiceTrainStatusFile(path, job).update(state=state, reason=outcome.reason)
            recorder.save(artifacts)
        except StorageError as error:
            _report_error(error, recorder)
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
