"""`scripts/voice/colab_run_prod_tts_once.sh`: bootstrap, train, eval, bundle, promote, and a report whatever happens.

Each step is a process of its own, so that the report is written even when one is killed. Standard library only: the
report also says what a Python lacks.
"""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voicemill import files
from voicemill.boundary import Interrupts, fail
from voicemill.errors import DependencyError, StorageError, VoicemillError
from voicemill.lane.entry import write_blocked_plainly
from voicemill.launch import relay
from voicemill.launch.lanes import SCRIPTS, check_light
from voicemill.protocol import Protocol
from voicemill.settings import Settings

HEADING = "=== PROD TTS TRAIN REPORT ==="
LOG = "prod_tts_once.log"
MISSING = "missing"
NONE = "none"
GPU = Path("/dev/nvidia0")
DRY_TOTAL = 4
REAL_TOTAL = 100


@dataclass(frozen=True)
class Step:
    """A step: its name in the report, its script, and where PROGRESS stands after it, dry and real."""

    name: str
    script: str
    dry_until: int
    until: int


STEPS = (
    Step("train", "prod/train_nemo_tts.py", 1, 85),
    Step("eval", "prod/eval_nemo_tts.py", 2, 95),
    Step("bundle", "prod/build_voice_bundle.py", 3, 98),
    Step("promote", "prod/promote_voice_bundle.py", 4, 100),
)


@dataclass(frozen=True)
class Outcome:
    """How the pipeline ended."""

    failed_step: str = NONE
    code: int = 0
    reason: str = NONE


@dataclass(frozen=True)
class Places:
    """Where the steps write."""

    status: Path
    evaluation: Path
    bundle: Path
    promoted: Path

    @classmethod
    def of(cls, settings: Settings) -> Places:
        """The places that the settings come to."""
        artifacts = settings.artifacts_dir or settings.workspace.artifacts
        return cls(
            status=settings.status_path or artifacts / "prod_tts_train_status.json",
            evaluation=settings.eval_path or artifacts / "prod_tts_eval.json",
            bundle=settings.bundle_dir or settings.workspace.production_bundle,
            promoted=(settings.promoted_bundle_root or settings.workspace.bundles)
            / settings.voice_profile_id
            / "voice_bundle",
        )


def run_once(settings: Settings, environ: Mapping[str, str], protocol: Protocol, interrupts: Interrupts) -> int:
    """Run the pipeline, print its report and return the code of the step that failed, else 0."""
    protocol.head(settings.head)
    places = Places.of(settings)
    try:
        with relay.open_log((settings.artifacts_dir or settings.workspace.artifacts) / LOG) as log:
            outcome = _pipeline(settings, environ, protocol, interrupts, log, places)
    except VoicemillError as error:  # the disk, before any step could start
        fail(error.line, str(error), error.hint, error.exit_code)
        outcome = Outcome("bootstrap", error.exit_code, error.reason)
    protocol.line(HEADING)
    for name, value in _report(outcome, places, protocol).items():
        protocol.line(f"{name}={value}")
    return outcome.code


def _pipeline(
    settings: Settings,
    environ: Mapping[str, str],
    protocol: Protocol,
    interrupts: Interrupts,
    log: relay.Log,
    places: Places,
) -> Outcome:
    _remove_stale(places)
    try:
        bootstrap(settings, log, interrupts)
    except VoicemillError as error:
        fail(error.line, str(error), error.hint, error.exit_code)
        write_blocked_plainly(settings, error.reason)
        return Outcome("bootstrap", error.exit_code, error.reason)
    total, begun = (DRY_TOTAL if settings.dry_run else REAL_TOTAL), 0
    protocol.progress(0, total)
    for step in STEPS:
        until = step.dry_until if settings.dry_run else step.until
        lines = relay.StepLines(protocol, begun, until, total)
        code = relay.run(
            [sys.executable, str(settings.repository / SCRIPTS / step.script)],
            on_line=lines.out,
            on_error_line=lines.error,
            log=log,
            interrupts=interrupts,
            environment=environ,
        )
        if code != 0:
            return Outcome(step.name, code, lines.reason or f"lane_died:exit_code={code}")
        lines.finish()
        begun = until
    return Outcome()


def bootstrap(settings: Settings, log: relay.Log, interrupts: Interrupts) -> None:
    """Install what PROD_TTS_PIP_*_SPECS name (nothing in a dry run) and check the light dependencies.

    Raises:
        DependencyError: `pip_install_failed:<core|tts|optional>`, `runtime_dependency_missing:<a,b>`.
    """
    specs = settings.pip_specs
    wanted = () if settings.dry_run else (("core", specs.core), ("tts", specs.tts), ("optional", specs.optional))
    for name, packages in wanted:
        if not packages:
            continue
        command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", *packages]
        code = relay.run(command, on_line=_quiet, log=log, interrupts=interrupts)
        if code != 0 and (name != "optional" or specs.optional_strict):
            raise DependencyError(
                f"pip could not install the {name} packages: {' '.join(packages)}.",
                reason=f"pip_install_failed:{name}",
                hint=f"The log is {log.path}; correct PROD_TTS_PIP_{name.upper()}_SPECS, or install them yourself.",
            )
    importlib.invalidate_caches()
    check_light()


def _quiet(line: str) -> None:
    """What pip says is in the log."""


def _remove_stale(places: Places) -> None:
    """No file of an earlier run can be taken for one of this run.

    A promoted bundle stays: it may be a voice in use. The report names it only when this run has promoted it.
    """
    try:
        for path in (places.status, places.evaluation):
            path.unlink(missing_ok=True)
        if (places.bundle / "manifest.json").is_file() and not places.bundle.is_symlink():
            shutil.rmtree(places.bundle)
    except OSError as error:
        raise StorageError.from_os_error(error, error.filename) from error


def _report(outcome: Outcome, places: Places, protocol: Protocol) -> dict[str, str]:
    """The report's keys, always all of them and in the contract's order."""
    status = _read(places.status)
    bundle, promoted = _sha256(places.bundle), MISSING
    if outcome.code == 0:
        promoted = _sha256(places.promoted)
    return {
        "objective_status": str(status.get("objective_status", "blocked")),
        "root_cause": outcome.reason,
        "gpu_available": "true" if status.get("gpu_available") is True or GPU.exists() else "false",
        "status_json": protocol.shown(places.status),
        "status_json_content": json.dumps(status, sort_keys=True, separators=(",", ":"), ensure_ascii=False),
        "bundle_path": protocol.shown(places.bundle) if bundle != MISSING else MISSING,
        "promoted_bundle_path": protocol.shown(places.promoted) if promoted != MISSING else MISSING,
        "pipeline_rc": str(outcome.code),
        "failed_step": outcome.failed_step,
        "bundle_hash": bundle,
        "promoted_bundle_hash": promoted,
        "next_unblock_action": _next(outcome, status),
    }


def _next(outcome: Outcome, status: Mapping[str, object]) -> str:
    if outcome.code == 0:
        return "run_without_PROD_TTS_DRY_RUN" if status.get("dry_run") is True else "voice_verify_the_promoted_bundle"
    return f"see_docs/runbook.md#{outcome.reason.partition(':')[0]}"


def _read(path: Path) -> dict[str, Any]:
    try:
        found = files.read_json(path)
    except (OSError, files.InvalidJsonError):
        return {}
    return found if isinstance(found, dict) else {}


def _sha256(folder: Path) -> str:
    manifest = folder / "manifest.json"
    return files.sha256_bytes(manifest.read_bytes()) if manifest.is_file() else MISSING
