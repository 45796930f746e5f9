"""Where a lane's results go and how its files speak of paths, times and versions; needs no torch, so dry runs share
it.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
from datetime import UTC, datetime
from pathlib import Path

from voicemill.errors import BundleError
from voicemill.evaluation.model import not_evaluated, read_evaluation, write_evaluation
from voicemill.settings import Settings
from voicemill.training_status import SelectedWeights, TrainingStatus, write_training_status
from voicemill.weights import gate

STATUS_NAME = "prod_tts_train_status.json"
EVAL_NAME = "prod_tts_eval.json"


def status_path(settings: Settings) -> Path:
    """Where the training status goes."""
    return settings.status_path or (settings.artifacts_dir or settings.workspace.artifacts) / STATUS_NAME


def eval_path(settings: Settings) -> Path:
    """Where the evaluation goes."""
    return settings.eval_path or (settings.artifacts_dir or settings.workspace.artifacts) / EVAL_NAME


def write_blocked(settings: Settings, reason: str) -> None:
    """Say in the training status and the evaluation that this run came to nothing, so that no older result stands for
    it.
    """
    path = status_path(settings)
    write_training_status(
        path,
        TrainingStatus(
            objective_status="blocked",
            status="blocked",
            root_cause=reason,
            dry_run=settings.dry_run,
            status_json=shown(path, settings),
            selected_weights_id=settings.base_weights_id or "",
            commit=settings.commit,
            ended_at=now(),
        ),
    )
    write_blocked_evaluation(settings, reason, f"The training was blocked: {reason}.")


def write_blocked_evaluation(settings: Settings, reason: str, why: str) -> None:
    """Say in the evaluation why nothing stands in it; one that was measured and is itself the reason is kept."""
    path = eval_path(settings)
    with contextlib.suppress(BundleError):
        found = read_evaluation(path)
        if found.limits and found.root_cause == reason:
            return
    write_evaluation(
        path,
        not_evaluated(status="blocked", root_cause=reason, source_status="blocked", why=why, dry_run=settings.dry_run),
    )


def versions() -> dict[str, str | None]:
    found: dict[str, str | None] = {"python": platform.python_version()}
    for package, distribution in (
        ("torch", "torch"),
        ("nemo", "nemo-toolkit"),
        ("lightning", "lightning"),
        ("numpy", "numpy"),
    ):
        try:
            found[package] = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def weights(selection: gate.SelectedWeights) -> SelectedWeights:
    """The allowlist entry as a status records it."""
    return SelectedWeights.model_validate(selection.entry.model_dump(mode="json"))


def shown(path: Path, settings: Settings) -> str:
    """A path as a file may state it: relative to the work directory, else to the repository, else its last two
    names.
    """
    from voicemill.bundle.build import portable

    absolute = path.absolute()
    base = settings.work_dir if absolute.is_relative_to(settings.work_dir.absolute()) else settings.repository
    return portable(path, base)


def reachable(path: Path, settings: Settings) -> str:
    """A path that a later step finds again from the work directory: relative to it, `..` where it lies elsewhere."""
    return Path(os.path.relpath(path.absolute(), settings.work_dir.absolute())).as_posix()


def now() -> str:
    return rfc3339(datetime.now(UTC))


def rfc3339(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
