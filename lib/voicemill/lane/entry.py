"""What the files below `scripts/voice/` start: a lane or one of its steps, with settings from the environment.

Standard library only at import: a Python without the light dependencies is told so in one sentence, with the status
files that the contract asks for, and never meets a traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

from voicemill import files
from voicemill.boundary import Interrupts
from voicemill.errors import DependencyError
from voicemill.launch.lanes import Lane, check_light, final_state, status_path
from voicemill.protocol import Protocol, StatusFile
from voicemill.settings import Settings
from voicemill.terminal import Terminal

Step = Literal["train", "eval", "bundle"]


def run_lane(lane: Lane, environ: Mapping[str, str], repository: Path) -> int:
    """A whole lane in this process; results land below the current directory unless WORK_DIR says otherwise.

    Raises:
        VoicemillError: with its reason; the status files say the same.
    """
    settings = Settings.from_environment(environ, repository=repository, work_dir=Path.cwd())
    protocol = Protocol(sys.stdout)
    _require_light(settings, protocol, lane)
    from voicemill.lane import runner
    from voicemill.lane.request import LaneOptions

    with Interrupts() as interrupts, Terminal() as terminal:
        result = runner.run_lane(LaneOptions(), settings, protocol, terminal, interrupts, lane)
    terminal.table("Voice", result.rows)
    return result.exit_code


def run_step(step: Step, environ: Mapping[str, str], repository: Path) -> int:
    """One step of the NeMo lane alone.

    Raises:
        VoicemillError: with its reason; the step's own result file says the same.
    """
    settings = Settings.from_environment(environ, repository=repository, work_dir=Path.cwd())
    protocol = Protocol(sys.stdout)
    _require_light(settings, protocol, None, training=step == "train")
    from voicemill.lane import pipeline

    with Interrupts() as interrupts, Terminal() as terminal:
        if step == "train":
            pipeline.train(settings, protocol, terminal, interrupts)
        elif step == "eval":
            pipeline.evaluate(settings, protocol, terminal)
        else:
            pipeline.bundle(settings, protocol)
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
    """The last step alone; what is not given is where the environment says, else the default.

    Raises:
        VoicemillError: with its reason; nothing was published.
    """
    settings = Settings.from_environment(environ, repository=repository, work_dir=Path.cwd())
    protocol = Protocol(sys.stdout)
    with final_state(None, protocol):
        check_light()
    from voicemill.lane import pipeline

    pipeline.promote(settings, protocol, manifest=manifest, root=root, voice=voice, display_name=display_name)
    return 0


def _require_light(settings: Settings, protocol: Protocol, lane: Lane | None, *, training: bool = True) -> None:
    """Block where the light dependencies are missing, with every status file written all the same."""
    try:
        check_light()
        return
    except DependencyError as error:
        missing = error
    status = None
    if lane is not None:
        protocol.head(settings.head)
        job = lane.job(settings)
        status = StatusFile(status_path(settings, job), job)
    with final_state(status, protocol, (lambda reason: write_blocked_plainly(settings, reason)) if training else None):
        raise missing


def write_blocked_plainly(settings: Settings, reason: str) -> None:
    """A blocked training status, with the contract's fields, where the typed model cannot be imported."""
    folder = settings.artifacts_dir or settings.workspace.artifacts
    path = settings.status_path or folder / "prod_tts_train_status.json"
    files.write_json(
        path,
        {
            "lane": "prod_tts_nemo",
            "objective_status": "blocked",
            "status": "blocked",
            "root_cause": reason,
            "dry_run": settings.dry_run,
            "gpu_available": False,
            "status_json": path.name if path.is_absolute() else path.as_posix(),
            "selected_weights_id": settings.base_weights_id or "",
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
