"""A lane without training: gates, statuses, evaluation, bundle and promotion with placeholders that say what they are.

Needs no torch and no audio; byte-identical from run to run but for timestamps (operator contract, section 7).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from voicemill import files
from voicemill.dataset.lanefile import write_dry_lane_manifest
from voicemill.dataset.request import ManifestSource
from voicemill.evaluation.model import dry_run_evaluation, write_evaluation
from voicemill.lane import gates, publishing, results
from voicemill.lane.reporter import LaneReporter, Phase
from voicemill.lane.request import LaneRequest
from voicemill.settings import Settings
from voicemill.training_status import TrainingMetrics, TrainingStatus, write_training_status

STEPS = 4
"""PROGRESS of a dry run counts train, eval, bundle, promote."""
PLACEHOLDER = "voicemill dry-run placeholder: this is not a model. Nothing was trained.\n"
DATASET_NAME = "prod_tts_dataset_dry_run.jsonl"
NOTE = "Dry run: nothing was trained."


def run_dry(request: LaneRequest, settings: Settings, reporter: LaneReporter, job: str) -> list[tuple[str, str]]:
    """Write every artifact of a lane without training, and return the rows of the final table.

    Raises:
        BlockedError: a gate refuses a dry run exactly as it refuses a real one.
    """
    with reporter.phase(Phase("train", 1)):
        status_path = pretend(request, settings, job)
    reporter.stats({"dry_run": True})
    reporter.artifact(status_path)
    with reporter.phase(Phase("eval", 2)):
        eval_path = evaluate(settings)
    reporter.artifact(eval_path)
    with reporter.phase(Phase("bundle", 3)):
        bundle = publishing.build(settings)
    reporter.artifact(bundle.manifest_path)
    with reporter.phase(Phase("promote", 4)):
        promoted = publishing.promote(settings, request.voice, request.display_name)
    reporter.artifact(promoted.manifest_path)
    return [
        ("dry run", "nothing was trained; the bundle holds placeholders and can never be certified"),
        ("bundle", str(promoted.root)),
    ]


def evaluate(settings: Settings) -> Path:
    """The evaluation of a dry run: nothing measured; its path."""
    path = results.eval_path(settings)
    write_evaluation(path, dry_run_evaluation(source_status="ok"))
    return path


def pretend(
    request: LaneRequest, settings: Settings, job: str, reached: Callable[[int], None] = lambda done: None
) -> Path:
    """Gates, then dataset, models and training status of a run that trained nothing; returns the status's path.

    Args:
        request: the voice.
        settings: the environment.
        job: name of the job in the lane's dataset manifest.
        reached: hears 1 when the gates are passed, 2 when there is a dataset, 3 when there are models.
    """
    cleared = gates.clear(request, settings)
    reached(1)
    artifacts = settings.artifacts_dir or settings.workspace.artifacts
    source = request.source
    dataset = source.manifest if isinstance(source, ManifestSource) else None
    if dataset is None or not dataset.is_file():
        dataset = artifacts / DATASET_NAME
        line = {
            "audio_filepath": "dry_run.wav",
            "duration": 1.0,
            "text": "This line stands for a dataset in a dry run.",
        }
        files.write_text(dataset, json.dumps(line, sort_keys=True) + "\n")
    reached(2)
    config_path = artifacts / "prod_tts_config.json"
    files.write_json(config_path, cleared.config.model_dump(mode="json"))
    checkpoints = settings.checkpoints_dir or settings.workspace.checkpoints
    models = [checkpoints / "dry_run" / name for name in ("fastpitch.nemo", "hifigan.nemo")]
    for model in models:
        files.write_text(model, PLACEHOLDER)
    reached(3)
    status_path = results.status_path(settings)
    write_training_status(
        status_path,
        TrainingStatus(
            objective_status="ready_for_bundle",
            status="ok",
            dry_run=True,
            status_json=results.shown(status_path, settings),
            selected_weights_id=cleared.acoustic.entry.id,
            selected_weights=results.weights(cleared.acoustic),
            vocoder_weights_id=cleared.vocoder.entry.id,
            vocoder_weights=results.weights(cleared.vocoder),
            allowlist_path=results.shown(cleared.acoustic.allowlist_path, settings),
            allowlist_sha256=cleared.acoustic.allowlist_sha256,
            config_path=results.reachable(config_path, settings),
            config_sha256=files.sha256_file(config_path),
            dataset_manifest=results.reachable(dataset, settings),
            dataset_sha256=files.sha256_file(dataset),
            metrics=TrainingMetrics(final_loss=0),
            artifacts=tuple(results.reachable(model, settings) for model in models),
            train_note=NOTE,
            commit=settings.commit,
            seed=cleared.config.seed,
            started_at=results.now(),
            ended_at=results.now(),
        ),
    )
    write_dry_lane_manifest(settings.workspace.dataset_manifest(job), dataset)
    return status_path
