"""`scripts/voice/colab_run_prod_tts_once.sh`: bootstrap, train, eval, bundle, promote, and always a report.

Each step is a child process, so the report is written even if one is killed. Standard library only: the report also
names the packages that are missing.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voicemill import files
from voicemill.boundary import Interrupts, fail
from voicemill.errors import DependencyError, StorageError, UsageError, VoicemillError
from voicemill.lane import plan
from voicemill.lane.entry import write_blocked_without_models
from voicemill.lane.runner import LaneOutcome, run_in_children
from voicemill.launch import relay
from voicemill.launch.lanes import LIGHT, RUNTIME, check_light, check_settings
from voicemill.locks import lane_lock, with_lock
from voicemill.protocol import Protocol
from voicemill.settings import Settings
from voicemill.workspace import Paths

HEADING = "=== PROD TTS TRAIN REPORT ==="
LOG = "prod_tts_once.log"
MISSING = "missing"
BOOTSTRAP = "bootstrap"
MANIFEST, STALE_MANIFEST = "manifest.json", "manifest.json.stale"
GPU = Path("/dev/nvidia0")


def run_reported(settings: Settings, environ: Mapping[str, str], protocol: Protocol, interrupts: Interrupts) -> int:
    """Run the lane, print its report and return the exit code of the step that failed, or 0."""
    protocol.head(settings.head)
    try:
        with (
            lane_lock(settings.workspace.work, settings.launch.lane_lock) as lock,
            relay.open_log(settings.paths.artifacts / LOG) as log,
        ):
            outcome = _run(settings, with_lock(environ, lock), protocol, interrupts, log)
    except VoicemillError as error:  # another lane, or the disk, before any step could start
        fail(error.line, str(error), error.hint, error.exit_code)
        outcome = LaneOutcome(BOOTSTRAP, error.exit_code, error.reason)
    busy = outcome.reason.startswith("lane_busy:")
    report = _report(outcome, settings, protocol, {} if busy else _read(settings.paths.training_status))
    state = "completed" if outcome.code == 0 else "blocked" if outcome.code == 2 else "error"
    reason = None if outcome.code == 0 else outcome.reason
    protocol.result(state, reason, None if busy else settings.paths.training_status)
    if outcome.code == 2:
        protocol.blocked(outcome.reason)
    protocol.line(HEADING)
    for name, value in report.items():
        protocol.line(f"{name}={value}")
    return outcome.code


def _run(
    settings: Settings, environ: Mapping[str, str], protocol: Protocol, interrupts: Interrupts, log: relay.Log
) -> LaneOutcome:
    try:
        interrupts.deliver()
        check_settings(settings)
        bootstrap(settings, log, interrupts)
    except VoicemillError as error:
        fail(error.line, str(error), error.hint, error.exit_code)
        write_blocked_without_models(settings, error.reason)
        return LaneOutcome(BOOTSTRAP, error.exit_code, error.reason)
    _remove_stale(settings.paths)
    return run_in_children(settings, environ, protocol, interrupts, log)


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
        code = relay.run(command, on_line=_ignore, log=log, interrupts=interrupts)
        if code != 0 and (name != "optional" or specs.optional_strict):
            raise DependencyError(
                f"pip could not install the {name} packages: {' '.join(packages)}.",
                reason=f"pip_install_failed:{name}",
                hint=f"The log is {log.path}; correct PROD_TTS_PIP_{name.upper()}_SPECS, or install them yourself.",
            )
    importlib.invalidate_caches()
    if not settings.dry_run and not (specs.core or specs.tts or specs.optional):
        _install_lock(settings, log, interrupts)
    check_light(dry_run=settings.dry_run)


def _install_lock(settings: Settings, log: relay.Log, interrupts: Interrupts) -> None:
    """Install the pinned packages into a Python that lacks one of them; torch first (docs/adr/0002).

    Raises:
        DependencyError: `pip_install_failed:lock`.
    """
    missing = [name for name in (*LIGHT, *RUNTIME, "nemo") if importlib.util.find_spec(name) is None]
    if not missing:
        return
    locks = settings.repository / "locks"
    sys.stderr.write(
        f"[setup] This Python lacks {', '.join(missing)} and no PROD_TTS_PIP_*_SPECS are given: "
        f"installing torch and {locks / 'requirements.txt'}; the log is {log.path}.\n"
    )
    sys.stderr.flush()
    pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    for what in ((locks / "torch.txt").read_text(encoding="utf-8").split(), ["-r", str(locks / "requirements.txt")]):
        if relay.run([*pip, *what], on_line=_ignore, log=log, interrupts=interrupts) != 0:
            raise DependencyError(
                f"pip could not install {what[-1]}.",
                reason="pip_install_failed:lock",
                hint=f"The log is {log.path}; or name other packages in PROD_TTS_PIP_CORE_SPECS.",
            )
    importlib.invalidate_caches()


def _ignore(line: str) -> None:
    """Pip's output goes to the log only."""


def _remove_stale(paths: Paths) -> None:
    """Remove the statuses of an earlier run, and set the manifest of its production bundle aside.

    The bundle's files stay until its successor replaces them, and so does a promoted bundle: it may be a voice in use.
    """
    try:
        for path in (paths.training_status, paths.evaluation):
            path.unlink(missing_ok=True)
        manifest = paths.production_bundle / MANIFEST
        if manifest.is_file() and not paths.production_bundle.is_symlink():
            manifest.replace(manifest.with_name(STALE_MANIFEST))
    except OSError as error:
        raise StorageError.from_os_error(error, error.filename) from error


def _report(
    outcome: LaneOutcome, settings: Settings, protocol: Protocol, status: Mapping[str, object]
) -> dict[str, str]:
    """The report's keys, always all of them and in the contract's order."""
    paths, promoted = settings.paths, MISSING
    built = outcome.code == 0 or outcome.failed_step == plan.PROMOTE.name
    bundle = _sha256(paths.production_bundle) if built else MISSING
    try:
        folder = paths.promoted(settings.voice.profile_id)
        promoted_path = protocol.shown(folder)
        promoted = _sha256(folder) if outcome.code == 0 else MISSING
    except UsageError:  # the voice's name cannot be a folder
        promoted_path = MISSING
    return {
        "objective_status": str(status.get("objective_status", "blocked")),
        "root_cause": outcome.reason,
        "gpu_available": "true" if status.get("gpu_available") is True or GPU.exists() else "false",
        "status_json": protocol.shown(paths.training_status),
        "status_json_content": json.dumps(status, sort_keys=True, separators=(",", ":"), ensure_ascii=False),
        "bundle_path": protocol.shown(paths.production_bundle),
        "promoted_bundle_path": promoted_path,
        "pipeline_rc": str(outcome.code),
        "failed_step": outcome.failed_step,
        "bundle_hash": bundle,
        "promoted_bundle_hash": promoted,
        "next_unblock_action": _next_action(outcome, status),
    }


def _next_action(outcome: LaneOutcome, status: Mapping[str, object]) -> str:
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
    return files.sha256_file(manifest) if manifest.is_file() else MISSING
