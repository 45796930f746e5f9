"""What the files below `scripts/voice/` start: a lane or one of its steps, with settings from the environment.

Standard library only at import: without the library's light dependencies, an entry point writes blocked statuses and
names what is missing.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

from voicemill import files
from voicemill.boundary import Interrupts
from voicemill.errors import DependencyError
from voicemill.lane import bare_gates, bundling, plan, runner
from voicemill.lane.plan import LaneStep
from voicemill.launch.lanes import NEMO, Lane, check_light, check_settings, final_state, lane_state, step_lock
from voicemill.protocol import Protocol
from voicemill.settings import Settings
from voicemill.terminal import Terminal


def run_lane(lane: Lane, environ: Mapping[str, str], repository: Path) -> int:
    """Run a whole lane in this process; results go below the current directory, or WORK_DIR.

    Raises:
        VoicemillError: with its reason, which the status files hold too.
    """
    settings = Settings.for_lane(environ, repository=repository, work_dir=Path.cwd())
    protocol = Protocol(sys.stdout)
    _require_light(settings, environ, protocol, lane)
    from voicemill.lane.request import LaneOptions

    with Interrupts() as interrupts, Terminal() as terminal:
        rows = runner.run_lane(LaneOptions(), settings, protocol, terminal, interrupts, lane)
    terminal.table("Voice", rows)
    return 0


def run_step(step: LaneStep, environ: Mapping[str, str], repository: Path) -> int:
    """Run one step of the NeMo lane alone: train, eval or bundle.

    Raises:
        VoicemillError: with its reason, which the result file of the step holds too.
    """
    settings = Settings.for_lane(environ, repository=repository, work_dir=Path.cwd())
    protocol = Protocol(sys.stdout)
    _require_light(settings, environ, protocol, None, training=step == plan.TRAIN)
    with Interrupts() as interrupts, Terminal() as terminal:
        runner.run_step(step, settings, protocol, terminal, interrupts)
    return 0


def promote_step(
    environ: Mapping[str, str],
    repository: Path,
    *,
    manifest: Path | None = None,
    root: Path | None = None,
    voice: str | None = None,
    display_name: str | None = None,
) -> int:
    """Promote a production bundle; a path or name that is not given is the one of the environment.

    Faults in the record of the source are recorded, not refused (formats, section 8).

    Raises:
        VoicemillError: with its reason; nothing was published.
    """
    settings = Settings.for_lane(environ, repository=repository, work_dir=Path.cwd())
    protocol = Protocol(sys.stdout)
    with Interrupts() as interrupts, step_lock(settings, protocol), final_state(None, protocol):
        interrupts.deliver()
        check_settings(settings)
        protocol.progress(0, 1)
        promoted = bundling.promote(settings, voice, display_name, manifest=manifest, root=root, strict=False)
    protocol.progress(1, 1)
    bundling.show_promoted(protocol, promoted)
    return 0


def _require_light(
    settings: Settings, environ: Mapping[str, str], protocol: Protocol, lane: Lane | None, *, training: bool = True
) -> None:
    """Go on in the project's environment if the light dependencies are missing; without one, block with every status
    file written.
    """
    try:
        check_light(dry_run=settings.dry_run)
        return
    except DependencyError as error:
        missing = error
    bare_gates.start_in_environment(environ, settings.repository)
    settings = settings.with_base_weights(lane.base_weights if lane else NEMO.base_weights)
    on_error = functools.partial(write_blocked_without_models, settings) if training else None
    if lane is not None:
        with Interrupts() as interrupts, lane_state(settings, lane.job(settings), protocol, interrupts, on_error):
            bare_gates.check(settings)
            raise missing
    result = settings.paths.training_status if training else None
    with step_lock(settings, protocol), final_state(None, protocol, on_error, result):
        if training:
            bare_gates.check(settings)
        raise missing


def write_blocked_without_models(settings: Settings, reason: str) -> None:
    """Write a blocked training status with the contract's fields; the typed model cannot be imported."""
    path, given = settings.paths.training_status, settings.paths.training_status_given
    files.write_json(
        path,
        {
            "lane": "prod_tts_nemo",
            "objective_status": "blocked",
            "status": "blocked",
            "root_cause": reason,
            "dry_run": settings.dry_run,
            "gpu_available": False,
            "status_json": given.as_posix() if given else path.name if path.is_absolute() else path.as_posix(),
            "selected_weights_id": settings.weights.base_id or "",
            "selected_weights": None,
            "config_path": "",
            "config_sha256": "missing",
            "dataset_manifest": "",
            "dataset_sha256": "missing",
            "metrics": {"avg_loss": None, "final_loss": None, "steps": None},
            "dataset_stats": {"entry_count": 0, "skipped": [], "used_examples": 0},
            "artifacts": [],
            "train_note": "",
            "commit": settings.commit,
            "ended_at": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),  # noqa: UP017 - Python 3.10 too
        },
    )
