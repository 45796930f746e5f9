"""The training status and the evaluation as a lane writes them.

Needs no torch at import: a dry run writes a training status too.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
from datetime import datetime
from typing import TYPE_CHECKING, Any

from voicemill import files, records
from voicemill.dataset.edits import recordings
from voicemill.errors import BundleError
from voicemill.evaluation.model import not_evaluated, read_evaluation, write_evaluation
from voicemill.lane import notation
from voicemill.settings import DEMO_AUDIO, Settings
from voicemill.training_status import (
    DatasetStats,
    RecordedWeights,
    SkippedExample,
    TrainingMetrics,
    TrainingStatus,
    write_training_status,
)
from voicemill.weights import gate

if TYPE_CHECKING:
    from voicemill.dataset.prepared import PreparedDataset
    from voicemill.lane.gates import Cleared
    from voicemill.lane.run import TrainingContext
    from voicemill.lane.trained_voice import Models


def training_status(
    context: TrainingContext, dataset: PreparedDataset, models: Models, started: datetime
) -> TrainingStatus:
    """The training status of a finished training; the evaluation completes it.

    Also writes the configuration that the status names.
    """
    settings, cleared = context.run.settings, context.cleared
    acoustic, vocoder = models.acoustic_record, models.vocoder_record
    config, config_path = cleared.config, context.folder / "config.json"
    if acoustic.learning_rate is not None:  # it was searched
        config = config.with_learning_rate(acoustic.learning_rate)
    files.write_json(config_path, config.model_dump(mode="json"))
    gpu = _gpu_available()
    return TrainingStatus(
        objective_status="ready_for_bundle",
        status="ok",
        gpu_available=gpu,
        weights_used=gate.TOOL_WEIGHTS,
        vocoder="hifigan" if models.vocoder else "griffin-lim",
        config_path=notation.reachable(config_path, settings),
        config_sha256=files.sha256_file(config_path),
        dataset_manifest=notation.reachable(dataset.manifest, settings),
        dataset_sha256=dataset.sha256,
        metrics=TrainingMetrics.model_validate(
            {
                "final_loss": acoustic.final_loss,
                "avg_loss": acoustic.average_loss,
                "steps": acoustic.steps,
                "seconds": acoustic.seconds,
                "seconds_to_first_step": acoustic.seconds_to_first_step,
                "weights_sha256": acoustic.weights_sha256,
                "vocoder_final_loss": vocoder.final_loss if vocoder else None,
                "vocoder_steps": vocoder.steps if vocoder else 0,
                "vocoder_seconds": vocoder.seconds if vocoder else 0.0,
            }
        ),
        dataset_stats=DatasetStats(
            entry_count=len(dataset.entries) + len(dataset.report.rejected),
            used_examples=sum(entry.split == "train" for entry in dataset.entries),
            skipped=tuple(
                SkippedExample(entry=f"{row.source} {row.start:.2f}-{row.end:.2f} s", reason=row.reason)
                for row in dataset.report.rejected
            ),
        ),
        artifacts=tuple(notation.reachable(path, settings) for path in (models.acoustic, models.vocoder) if path),
        train_note="Trained; the evaluation chooses the vocoder.",
        commit=settings.commit,
        seed=config.seed,
        started_at=notation.rfc3339(started),
        ended_at=notation.now(),
        versions=_versions(),
        device="cuda" if gpu else "cpu",
        peak_memory_bytes=max(record.peak_memory_bytes for record in (acoustic, vocoder) if record),
        settings=config.model_dump(mode="json"),
        demo_recording=_is_demo(dataset, settings),
        init_from=cleared.ancestor,
        **weights_fields(cleared, settings),
    )


def _is_demo(dataset: PreparedDataset, settings: Settings) -> bool:
    """Whether the demo recording is one of the recordings of a dataset."""
    demo = settings.repository / DEMO_AUDIO
    return demo.is_file() and files.sha256_file(demo) in recordings(dataset.description.inputs).values()


def weights_fields(cleared: Cleared, settings: Settings) -> dict[str, Any]:
    """The fields of a training status that record its path, the selected weights and the allowlist."""
    return {
        "status_json": _own_path(settings),
        "selected_weights_id": cleared.acoustic.entry.id,
        "selected_weights": _recorded(cleared.acoustic),
        "vocoder_weights_id": cleared.vocoder.entry.id,
        "vocoder_weights": _recorded(cleared.vocoder),
        "allowlist_path": notation.shown(cleared.acoustic.allowlist_path, settings),
        "allowlist_sha256": cleared.acoustic.allowlist_sha256,
    }


def _own_path(settings: Settings) -> str:
    """The path of the training status as it was given, or relative to the work directory."""
    given = settings.paths.training_status_given
    return notation.shown(settings.paths.training_status, settings) if given is None else given.as_posix()


def _versions() -> dict[str, str | None]:
    """Versions of Python and of the packages that train."""
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


def _recorded(selection: gate.SelectedWeights) -> RecordedWeights:
    """The allowlist entry as a status records it."""
    return RecordedWeights.model_validate(records.dump(selection.entry))


def _gpu_available() -> bool:
    import torch

    return bool(torch.cuda.is_available())


def write_blocked(settings: Settings, reason: str) -> None:
    """Write a blocked training status and evaluation, so that no older result is taken for this run's."""
    path = settings.paths.training_status
    write_training_status(
        path,
        TrainingStatus(
            objective_status="blocked",
            status="blocked",
            root_cause=reason,
            dry_run=settings.dry_run,
            status_json=_own_path(settings),
            selected_weights_id=settings.weights.base_id or "",
            commit=settings.commit,
            ended_at=notation.now(),
        ),
    )
    _write_blocked_evaluation(settings, reason, f"The training was blocked: {reason}.")


def write_unmeasured(settings: Settings, reason: str) -> None:
    """Write a blocked evaluation of a voice that could not be measured."""
    _write_blocked_evaluation(settings, reason, f"Nothing could be measured: {reason}.")


def _write_blocked_evaluation(settings: Settings, reason: str, why: str) -> None:
    """Write an evaluation without figures; a measured one that is itself the reason is kept."""
    path = settings.paths.evaluation
    with contextlib.suppress(BundleError):
        found = read_evaluation(path)
        if found.limits and found.root_cause == reason:
            return
    write_evaluation(
        path,
        not_evaluated(status="blocked", root_cause=reason, source_status="blocked", why=why, dry_run=settings.dry_run),
    )
