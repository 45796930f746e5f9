"""The end of a lane: statuses, evaluation, sample, production bundle, promotion, verification, report."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from voicemill import files
from voicemill.bundle.promote import PromotedBundle
from voicemill.casimir.packs import SHIPPED_PACKS
from voicemill.dataset.edits import recordings
from voicemill.dataset.prepare import PreparedDataset
from voicemill.errors import NotAcceptableError
from voicemill.evaluation.evaluate import VoiceEvaluation
from voicemill.evaluation.judging import require_limits
from voicemill.evaluation.model import write_evaluation
from voicemill.lane import publishing, results
from voicemill.lane.evaluation import GRIFFIN_LIM
from voicemill.lane.training import Context, Models
from voicemill.protocol import Scalar
from voicemill.settings import DEMO_AUDIO, Settings
from voicemill.training_status import (
    DatasetStats,
    SkippedExample,
    TrainingMetrics,
    TrainingStatus,
    read_training_status,
    write_training_status,
)
from voicemill.verify.certificate import casimir_row, certificate_path, certify
from voicemill.weights import gate
from voicemill.weights.allowlist import SHIPPED

if TYPE_CHECKING:
    from voicemill.verify.checklist import Verification

SAMPLE_NAME = "sample.wav"
CONFIG_NAME = "config.json"
VOCODER_NAME = "hifigan.nemo"


@dataclass(frozen=True)
class Published:
    """What the end of a lane shows: rows for the person, files and figures for programs."""

    rows: list[tuple[str, str]]
    artifacts: tuple[Path, ...]
    figures: dict[str, Scalar]


def record_training(context: Context, dataset: PreparedDataset, models: Models, started: datetime) -> TrainingStatus:
    """Lay the trained models out for the bundle and write the training status; evaluation completes it."""
    folder = context.checkpoints
    artifacts = [models.acoustic]
    vocoder = folder / VOCODER_NAME
    if models.vocoder is not None:
        if models.vocoder.resolve() != vocoder.resolve():
            files.copy_file(models.vocoder, vocoder)
        artifacts.append(vocoder)
    else:
        vocoder.unlink(missing_ok=True)
    status = _status(context, dataset, models, artifacts, started)
    write_training_status(results.status_path(context.settings), status)
    return status


def record_evaluation(
    settings: Settings, status: TrainingStatus, folder: Path, measured: VoiceEvaluation, sample_rate: int
) -> TrainingStatus:
    """Write the evaluation and a sample, and complete the training status with the vocoder that was chosen.

    Args:
        settings: the environment.
        status: as the training wrote it.
        folder: the voice's checkpoints; gets the sample.
        measured: the evaluation and its sounds.
        sample_rate: of the voice, Hz.
    """
    import soundfile

    chosen = measured.evaluation.chosen_vocoder or GRIFFIN_LIM
    sounds = measured.spoken[chosen]
    longest = max(sounds, key=lambda name: len(sounds[name]))
    sample = folder / SAMPLE_NAME
    with (
        files.atomic_path(sample, suffix=".wav") as temporary,
        files.library_writes(sample, soundfile.LibsndfileError),
    ):
        soundfile.write(temporary, sounds[longest], sample_rate, subtype="PCM_16")
    write_evaluation(results.eval_path(settings), measured.evaluation)
    ours = {SAMPLE_NAME, VOCODER_NAME}
    kept = [artifact for artifact in status.artifacts if Path(artifact).name not in ours]
    shipped = [folder / VOCODER_NAME, sample] if chosen != GRIFFIN_LIM else [sample]
    completed = status.model_copy(
        update={
            "vocoder": "griffin-lim" if chosen == GRIFFIN_LIM else "hifigan",
            "artifacts": (*kept, *(results.reachable(path, settings) for path in shipped)),
            "train_note": measured.evaluation.vocoder_choice,
        }
    )
    write_training_status(results.status_path(settings), completed)
    return completed


def require_quality(context: Context, dataset: PreparedDataset, models: Models, measured: VoiceEvaluation) -> None:
    """Go on only with a voice inside its preset's limits; of another one the report is drawn and nothing is bundled.

    Raises:
        NotAcceptableError: `quality_outside_limits:<figures>`.
    """
    from voicemill.lane.summary import draw_report

    try:
        require_limits(measured.evaluation)
    except NotAcceptableError:
        status = read_training_status(results.status_path(context.settings))
        context.reporter.artifact(results.eval_path(context.settings))
        context.reporter.artifact(draw_report(context, dataset, models, measured, status, None))
        raise


def publish(context: Context, dataset: PreparedDataset, models: Models, measured: VoiceEvaluation) -> Published:
    """Build and promote the bundle, verify it and draw the report.

    Raises:
        BundleError: the bundle cannot be built or promoted.
        NotAcceptableError: `verification_failed`: the promoted bundle is not what was promoted.
    """
    from voicemill.lane.summary import draw_report, rows

    settings, request = context.settings, context.request
    status = read_training_status(results.status_path(settings))
    with context.clock.stage("bundle"):
        bundle = publishing.build(settings)
    with context.clock.stage("promotion"):
        promoted = publishing.promote(settings, request.voice, request.display_name)
    with context.clock.stage("verification"):
        verification = verified(settings, promoted, status)
    with context.clock.stage("certification"):
        packs = settings.repository / SHIPPED_PACKS
        demands = verification.demands
        certify(verification.check, demands, packs, certificate_path(promoted.root))
        # Only this row can be another one now; the files were hashed a moment ago.
        row = casimir_row(verification.check, demands, packs)
        verification = dataclasses.replace(verification, rows=(*demands, row))
    report = draw_report(context, dataset, models, measured, status, promoted)
    return Published(
        rows=[
            *rows(context, dataset, models, measured, promoted, report),
            *((row.title, f"{row.verdict}: {row.detail}") for row in verification.rows),
        ],
        artifacts=(
            results.status_path(settings),
            results.eval_path(settings),
            bundle.manifest_path,
            promoted.manifest_path,
            promoted.root / SAMPLE_NAME,
            report,
        ),
        figures={
            "bundle_valid": True,
            "vocoder": measured.evaluation.chosen_vocoder,
            "cer": _figure(measured, "cer"),
            "cer_real": _figure(measured, "cer_real"),
        },
    )


def verified(settings: Settings, promoted: PromotedBundle, status: TrainingStatus) -> Verification:
    """The verification of a promoted bundle that passed.

    Raises:
        NotAcceptableError: `verification_failed`.
    """
    from voicemill.verify.checklist import verify_bundle

    verification = verify_bundle(promoted.root, settings.repository / SHIPPED, status=status)
    if not verification.ok:
        named = "; ".join(
            f"{row.title}: {row.detail}" for row in verification.rows if not row.go and not row.certification_only
        )
        raise NotAcceptableError(
            f"The promoted bundle does not pass verification: {named or 'files differ'}.",
            reason="verification_failed",
            hint="Look at it with voice-verify bundle; do not use it.",
        )
    return verification


def _status(
    context: Context, dataset: PreparedDataset, models: Models, artifacts: list[Path], started: datetime
) -> TrainingStatus:
    settings, cleared = context.settings, context.cleared
    acoustic, vocoder = models.acoustic_record, models.vocoder_record
    config, config_path = cleared.config, context.checkpoints / CONFIG_NAME
    if acoustic.learning_rate is not None:  # it was searched
        config = config.with_learning_rate(acoustic.learning_rate)
    files.write_json(config_path, config.model_dump(mode="json"))
    path = results.status_path(settings)
    return TrainingStatus(
        objective_status="ready_for_bundle",
        status="ok",
        gpu_available=_gpu(),
        status_json=results.shown(path, settings),
        selected_weights_id=cleared.acoustic.entry.id,
        selected_weights=results.weights(cleared.acoustic),
        vocoder_weights_id=cleared.vocoder.entry.id,
        vocoder_weights=results.weights(cleared.vocoder),
        weights_used=gate.TOOL_WEIGHTS,
        vocoder="hifigan" if models.vocoder else "griffin-lim",
        allowlist_path=results.shown(cleared.acoustic.allowlist_path, settings),
        allowlist_sha256=cleared.acoustic.allowlist_sha256,
        config_path=results.reachable(config_path, settings),
        config_sha256=files.sha256_file(config_path),
        dataset_manifest=results.reachable(dataset.manifest, settings),
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
        artifacts=tuple(results.reachable(artifact, settings) for artifact in artifacts),
        train_note="Trained; the evaluation chooses the vocoder.",
        commit=settings.commit,
        seed=cleared.config.seed,
        started_at=results.rfc3339(started),
        ended_at=results.now(),
        versions=results.versions(),
        device="cuda" if _gpu() else "cpu",
        peak_memory_bytes=max(record.peak_memory_bytes for record in (acoustic, vocoder) if record),
        settings=config.model_dump(mode="json"),
        demo_recording=_is_demo(dataset, settings),
        init_from=cleared.ancestor,
    )


def _is_demo(dataset: PreparedDataset, settings: Settings) -> bool:
    """Whether the bundled recording is among the recordings of a dataset."""
    demo = settings.repository / DEMO_AUDIO
    return demo.is_file() and files.sha256_file(demo) in recordings(dataset.description.inputs).values()


def _gpu() -> bool:
    import torch

    return bool(torch.cuda.is_available())


def _figure(measured: VoiceEvaluation, name: str) -> float | None:
    figure = measured.evaluation.figures.get(name)
    return None if figure is None or figure.value is None else round(figure.value, 5)
