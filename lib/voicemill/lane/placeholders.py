"""The results of a training that did not happen: placeholders for a dry run.

Needs neither torch nor audio. The files are byte-identical from run to run, timestamps excepted (operator contract,
section 7).
"""

from __future__ import annotations

import json
from pathlib import Path

from voicemill import files
from voicemill.bundle.contents import GRAPH, LEXICON
from voicemill.dataset.lanefile import write_dry_lane_manifest
from voicemill.dataset.request import ManifestSource
from voicemill.lane import gates, notation, plan, statuses
from voicemill.lane.reporter import TableRow
from voicemill.lane.request import LaneRequest
from voicemill.lane.run import LaneRun
from voicemill.settings import Settings
from voicemill.training_status import TrainingMetrics, TrainingStatus, write_training_status

PLACEHOLDER = "voicemill dry-run placeholder: this is not a model. Nothing was trained.\n"
MODELS = ("fastpitch.nemo", "hifigan.nemo", GRAPH, LEXICON)
DATASET_NAME = "prod_tts_dataset_dry_run.jsonl"
NOTE = "Dry run: nothing was trained."


def write_placeholders(request: LaneRequest, run: LaneRun) -> list[TableRow]:
    """Check the gates; write a dataset, models and a training status that say what they are.

    Raises:
        BlockedError: a gate refuses a dry run exactly as it refuses a real one.
    """
    settings, reporter = run.settings, run.reporter
    with reporter.step(plan.TRAIN):
        cleared = gates.clear(request, settings)
        reporter.part(1, 4)
        dataset = _dataset(request, settings)
        reporter.part(2, 4)
        models = [settings.paths.checkpoints / "dry_run" / name for name in MODELS]
        for model in models:
            files.write_text(model, PLACEHOLDER)
        reporter.part(3, 4)
        write_training_status(settings.paths.training_status, _status(cleared, settings, dataset, models))
        write_dry_lane_manifest(settings.workspace.dataset_manifest(run.job), dataset)
    reporter.stats({"dry_run": True, "final_loss": 0.0, "objective_status": "ready_for_bundle", "status": "ok"})
    reporter.artifact(settings.paths.training_status)
    return []


def _dataset(request: LaneRequest, settings: Settings) -> Path:
    """The manifest of the request, or one of a single line."""
    source = request.preparation.source
    if isinstance(source, ManifestSource) and source.manifest.is_file():
        return source.manifest
    path = settings.paths.artifacts / DATASET_NAME
    line = {
        "audio_filepath": "dry_run.wav",
        "duration": 1.0,
        "text": "This line stands for a dataset in a dry run.",
    }
    files.write_text(path, json.dumps(line, sort_keys=True) + "\n")
    return path


def _status(cleared: gates.Cleared, settings: Settings, dataset: Path, models: list[Path]) -> TrainingStatus:
    config_path = settings.paths.artifacts / "prod_tts_config.json"
    files.write_json(config_path, cleared.config.model_dump(mode="json"))
    return TrainingStatus(
        objective_status="ready_for_bundle",
        status="ok",
        dry_run=True,
        config_path=notation.reachable(config_path, settings),
        config_sha256=files.sha256_file(config_path),
        dataset_manifest=notation.reachable(dataset, settings),
        dataset_sha256=files.sha256_file(dataset),
        metrics=TrainingMetrics(final_loss=0),
        artifacts=tuple(notation.reachable(model, settings) for model in models),
        train_note=NOTE,
        commit=settings.commit,
        seed=cleared.config.seed,
        started_at=notation.now(),
        ended_at=notation.now(),
        **statuses.weights_fields(cleared, settings),
    )
