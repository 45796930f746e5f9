"""The four steps of a lane alone, each in its own process: train, evaluate, bundle, promote.

They hand on through files: training status, evaluation, production bundle. A dry run takes the same steps with
placeholders. Settings come from the environment; each step writes protocol lines of its own.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from voicemill import files
from voicemill.boundary import Interrupts
from voicemill.errors import BlockedError, DatasetError, NotAcceptableError
from voicemill.evaluation.judging import require_limits
from voicemill.lane import dry_run, publishing, results, runner
from voicemill.lane.reporter import HUNDREDTHS, LaneReporter, Phase
from voicemill.lane.request import LaneOptions, LaneRequest
from voicemill.launch.lanes import NEMO, final_state
from voicemill.progress import Observer
from voicemill.protocol import Protocol, Scalar
from voicemill.settings import Settings
from voicemill.training_status import TrainingStatus, read_training_status

if TYPE_CHECKING:
    from voicemill.dataset.prepare import PreparedDataset
    from voicemill.lane.evaluation import Trained


def train(settings: Settings, protocol: Protocol, observer: Observer, interrupts: Interrupts) -> None:
    """Gates, preparation and training: `prod_tts_train_status.json` and the checkpoints that it names.

    Raises:
        VoicemillError: with its reason, which the training status says too.
    """
    job = NEMO.job(settings)
    settings = dataclasses.replace(settings, base_weights_id=settings.base_weights_id or NEMO.base_weights)
    reporter = LaneReporter(protocol, None, observer, dry_run.STEPS if settings.dry_run else HUNDREDTHS)
    with final_state(None, protocol, lambda reason: results.write_blocked(settings, reason)), interrupts.unmasked():
        reporter.start()
        request = LaneRequest.from_options(settings, LaneOptions())
        if request.dry_run:
            dry_run.pretend(request, settings, job, reporter.reached)
        else:
            lane_manifest = settings.workspace.dataset_manifest(job)
            runner.train(request, settings, reporter, interrupts, lane_manifest, HUNDREDTHS)
        status = read_training_status(results.status_path(settings))
    reporter.finish()
    reporter.stats(
        {
            "dry_run": status.dry_run,
            "final_loss": status.metrics.final_loss,
            "objective_status": status.objective_status,
            "status": status.status,
        }
    )
    reporter.artifact(results.status_path(settings))


def evaluate(settings: Settings, protocol: Protocol, observer: Observer) -> None:
    """Measure what the last training made: `prod_tts_eval.json`; the training status learns of the chosen vocoder.

    Raises:
        VoicemillError: nothing was trained, or it cannot be measured; the evaluation says so too.
    """
    path = results.eval_path(settings)
    reporter = LaneReporter(protocol, None, observer, HUNDREDTHS)

    def refused(reason: str) -> None:
        results.write_blocked_evaluation(settings, reason, f"Nothing could be measured: {reason}.")

    with final_state(None, protocol, refused):
        reporter.start()
        status = read_training_status(results.status_path(settings))
        if status.status != "ok":
            raise BlockedError(
                "The training did not end well, so there is nothing to evaluate.",
                reason=status.root_cause if status.root_cause != "none" else "status_not_ready",
                hint="Run the training step until it ends with status ok.",
            )
        if status.dry_run:
            dry_run.evaluate(settings)
        else:
            _measure(settings, status, reporter)
    reporter.finish()
    reporter.artifact(path)


def _measure(settings: Settings, status: TrainingStatus, reporter: LaneReporter) -> None:
    from voicemill.dataset.stages import StageClock
    from voicemill.lane import evaluation, publish

    with reporter.phase(Phase("eval", HUNDREDTHS)):
        trained, folder = _trained(settings, status)
        dataset = _dataset(settings, status)
        measured = evaluation.evaluate(trained, dataset, settings, StageClock(reporter, list))
        publish.record_evaluation(settings, status, folder, measured, trained.sample_rate)
    figures = measured.evaluation.figures
    shown: dict[str, Scalar] = {"vocoder": measured.evaluation.chosen_vocoder}
    for name in ("cer", "cer_real", "wer", "wer_real"):
        if name in figures:
            shown[name] = figures[name].value
    reporter.stats(shown)
    try:
        require_limits(measured.evaluation)
    except NotAcceptableError as error:
        results.write_blocked(settings, error.reason)  # the bundle step goes by the training status
        raise


def _trained(settings: Settings, status: TrainingStatus) -> tuple[Trained, Path]:
    """The models that a training status speaks of, and their folder."""
    from voicemill.lane.evaluation import Trained
    from voicemill.lane.publish import VOCODER_NAME
    from voicemill.training.config import TrainingConfig

    config_path = settings.work_dir / status.config_path
    acoustic = [settings.work_dir / path for path in status.artifacts if Path(path).name == "fastpitch.nemo"]
    if not acoustic or not acoustic[0].is_file() or not config_path.is_file():
        missing = acoustic[0] if acoustic and not acoustic[0].is_file() else status.config_path
        raise BlockedError(
            "What the training status names is not there.",
            reason=f"bundle_artifact_missing:{results.shown(Path(missing), settings)}",
            hint="Run the training step again.",
        )
    try:
        config = TrainingConfig.model_validate(files.read_json(config_path))
    except (files.InvalidJsonError, ValidationError) as error:
        raise BlockedError(
            f"{config_path} is not the configuration of a training.",
            reason=f"config_invalid:{config_path.name}",
            hint="Run the training step again.",
        ) from error
    vocoder = config_path.parent / VOCODER_NAME
    tuned = bool(status.metrics.model_dump().get("vocoder_steps"))
    return (
        Trained(
            acoustic=acoustic[0],
            vocoder=vocoder if vocoder.is_file() else None,
            vocoder_tuned=tuned,
            final_loss=status.metrics.final_loss,
            sample_rate=config.audio.sample_rate,
            evaluation=config.evaluation,
        ),
        config_path.parent,
    )


def _dataset(settings: Settings, status: TrainingStatus) -> PreparedDataset:
    from voicemill.dataset.prepare import load

    dataset = load((settings.work_dir / status.dataset_manifest).parent)
    if dataset is None or dataset.sha256 != status.dataset_sha256:
        raise DatasetError(
            f"The dataset {status.dataset_manifest} is not the one that the voice learned from.",
            reason="dataset_invalid",
            hint="Run the training step again.",
        )
    return dataset


def bundle(settings: Settings, protocol: Protocol) -> None:
    """Build the production bundle of the last training.

    Raises:
        VoicemillError: see `publishing.build`.
    """
    protocol.progress(0, 1)
    with final_state(None, protocol):
        built = publishing.build(settings)
    protocol.progress(1, 1)
    publishing.show_built(protocol, built)


def promote(
    settings: Settings,
    protocol: Protocol,
    *,
    manifest: Path | None,
    root: Path | None,
    voice: str | None,
    display_name: str | None,
) -> None:
    """Promote a production bundle; what an older producer left out is recorded, not refused (formats, section 8).

    Raises:
        VoicemillError: see `publishing.promote`.
    """
    protocol.progress(0, 1)
    with final_state(None, protocol):
        promoted = publishing.promote(settings, voice, display_name, manifest=manifest, root=root, strict=False)
    protocol.progress(1, 1)
    publishing.show_promoted(protocol, promoted)
