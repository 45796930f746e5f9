"""The end of a lane: statuses, evaluation, sample, production bundle, promotion, verification, report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from voicemill import files
from voicemill.backends import results
from voicemill.backends.steps import GRIFFIN_LIM, Context, Models
from voicemill.bundle.build import build_bundle
from voicemill.bundle.promote import promote
from voicemill.dataset.prepare import PreparedDataset
from voicemill.errors import NotAcceptableError
from voicemill.evaluation.evaluate import VoiceEvaluation
from voicemill.evaluation.model import write_evaluation
from voicemill.protocol import Scalar
from voicemill.training_status import (
    DatasetStats,
    SkippedExample,
    TrainingMetrics,
    TrainingStatus,
    write_training_status,
)
from voicemill.weights import gate
from voicemill.weights.allowlist import SHIPPED

SAMPLE_NAME = "sample.wav"
DEMO_NOTICE = Path("data/demo/LICENSE.flite.txt")


@dataclass(frozen=True)
class Published:
    """What the end of a lane shows: rows for the person, files and figures for programs."""

    rows: list[tuple[str, str]]
    artifacts: tuple[Path, ...]
    figures: dict[str, Scalar]


def publish(
    context: Context, dataset: PreparedDataset, models: Models, measured: VoiceEvaluation, started: datetime
) -> Published:
    """Write the results down, build and promote the bundle, verify it and draw the report.

    Raises:
        BundleError: the bundle cannot be built or promoted.
        NotAcceptableError: `verification_failed`: the promoted bundle is not what was promoted.
    """
    from voicemill.backends.summary import draw_report, rows
    from voicemill.verify.checklist import verify_bundle

    settings, request = context.settings, context.request
    with context.clock.stage("bundle"):
        artifacts = _collect(context, models, measured)
        write_evaluation(results.eval_path(settings), measured.evaluation)
        status = _status(context, dataset, models, measured, artifacts, started)
        write_training_status(results.status_path(settings), status)
        notice = recordings_notice(dataset, settings.repository / DEMO_NOTICE if _is_demo(context) else None)
        bundle = build_bundle(
            results.status_path(settings),
            results.eval_path(settings),
            settings.bundle_dir or settings.workspace.production_bundle,
            allowlist=settings.allowlist,
            base=settings.work_dir,
            data_notice=notice,
        )
    with context.clock.stage("promotion"):
        promoted = promote(
            bundle.manifest_path,
            settings.promoted_bundle_root or settings.workspace.bundles,
            request.voice,
            request.display_name,
            allowlist=settings.allowlist,
            base=settings.work_dir,
        )
    with context.clock.stage("verification"):
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


def _collect(context: Context, models: Models, measured: VoiceEvaluation) -> list[Path]:
    """The files of the bundle under the names that the contract gives them."""
    import soundfile

    folder = context.checkpoints
    chosen = measured.evaluation.chosen_vocoder or GRIFFIN_LIM
    collected = [models.acoustic]
    if chosen != GRIFFIN_LIM and models.vocoder is not None:
        vocoder = folder / "hifigan.nemo"
        if models.vocoder.resolve() != vocoder.resolve():
            files.copy_file(models.vocoder, vocoder)
        collected.append(vocoder)
    sounds = measured.spoken[chosen]
    longest = max(sounds, key=lambda name: len(sounds[name]))
    sample = folder / SAMPLE_NAME
    with (
        files.atomic_path(sample, suffix=".wav") as temporary,
        files.library_writes(sample, soundfile.LibsndfileError),
    ):
        soundfile.write(temporary, sounds[longest], context.cleared.config.audio.sample_rate, subtype="PCM_16")
    return [*collected, sample]


def _status(
    context: Context,
    dataset: PreparedDataset,
    models: Models,
    measured: VoiceEvaluation,
    artifacts: list[Path],
    started: datetime,
) -> TrainingStatus:
    settings, cleared = context.settings, context.cleared
    config_path = context.checkpoints / "config.json"
    files.write_json(config_path, cleared.config.model_dump(mode="json"))
    acoustic, vocoder = models.acoustic_record, models.vocoder_record
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
        vocoder="griffin-lim" if measured.evaluation.chosen_vocoder == GRIFFIN_LIM else "hifigan",
        allowlist_path=results.shown(cleared.acoustic.allowlist_path, settings),
        allowlist_sha256=cleared.acoustic.allowlist_sha256,
        config_path=results.shown(config_path, settings),
        config_sha256=files.sha256_file(config_path),
        dataset_manifest=results.shown(dataset.manifest, settings),
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
        artifacts=tuple(results.shown(artifact, settings) for artifact in artifacts),
        train_note=measured.evaluation.vocoder_choice,
        commit=settings.commit,
        seed=cleared.config.seed,
        started_at=results.rfc3339(started),
        ended_at=results.now(),
        versions=results.versions(),
        device="cuda" if _gpu() else "cpu",
        peak_memory_bytes=max(record.peak_memory_bytes for record in (acoustic, vocoder) if record),
        settings=cleared.config.model_dump(mode="json"),
    )


def _gpu() -> bool:
    import torch

    return bool(torch.cuda.is_available())


def recordings_notice(dataset: PreparedDataset, shipped: Path | None) -> str:
    """What ATTRIBUTION.txt says of the recordings: the notice of the bundled ones, licence and consent as stated."""
    held = dataset.description.rights
    parts = [shipped.read_text(encoding="utf-8").strip() if shipped else "", held.notice if held else ""]
    return "\n\n".join(part for part in parts if part)


def _figure(measured: VoiceEvaluation, name: str) -> float | None:
    figure = measured.evaluation.figures.get(name)
    return None if figure is None or figure.value is None else round(figure.value, 5)


def _is_demo(context: Context) -> bool:
    from voicemill.backends.request import DEMO_AUDIO

    demo, audio = context.settings.repository / DEMO_AUDIO, context.request.audio
    return audio is not None and audio.exists() and demo.exists() and audio.samefile(demo)
