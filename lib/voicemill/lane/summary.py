"""What a person gets to see at the end of a lane: the HTML report and the final table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from voicemill.bundle.promote import PromotedBundle
from voicemill.dataset.prepare import PreparedDataset
from voicemill.evaluation.evaluate import VoiceEvaluation
from voicemill.evaluation.report_charts import LossCurve
from voicemill.evaluation.report_sentences import ReportSounds
from voicemill.evaluation.voice_report import Licence, ReportData, write_report
from voicemill.lane import results
from voicemill.lane.evaluation import references
from voicemill.lane.training import Context, Models
from voicemill.lane.training_record import TrainingRecord
from voicemill.training_status import TrainingStatus
from voicemill.weights import allowlist, gate

Row = tuple[str, str]


def draw_report(
    context: Context,
    dataset: PreparedDataset,
    models: Models,
    measured: VoiceEvaluation,
    status: TrainingStatus,
    promoted: PromotedBundle | None,
) -> Path:
    """Write `reports/<voice>.html` and return its path; `promoted` is None where the voice was not good enough."""
    path = context.settings.workspace.reports / f"{context.request.voice}.html"
    sample_rate = context.cleared.config.audio.sample_rate
    write_report(
        path,
        ReportData(
            display_name=context.request.display_name,
            voice=context.request.voice,
            created_at=results.now(),
            evaluation=measured.evaluation,
            sounds=ReportSounds(
                sample_rate=sample_rate,
                references=references(dataset, sample_rate),
                spoken=measured.spoken,
                trials=measured.trials,
                pitch_range=(dataset.stats.pitch_fmin, dataset.stats.pitch_fmax),
            ),
            curves=[*_curves("FastPitch", models.acoustic_record), *_curves("HiFi-GAN", models.vocoder_record)],
            clip_seconds=[entry.duration for entry in dataset.entries],
            dataset=_dataset_rows(dataset),
            training=_training_rows(models, status),
            stage_seconds=[(stage.name, stage.seconds) for stage in (*dataset.stages, *context.clock.times)],
            licences=_licences(context, status),
            provenance=_provenance(status, promoted),
            notes=[
                f"{len(dataset.report.guessed_words)} words are in no dictionary; their pronunciation was guessed: "
                + ", ".join(dataset.report.guessed_words[:40])
            ]
            if dataset.report.guessed_words
            else [],
        ),
    )
    return path


def rows(
    context: Context,
    dataset: PreparedDataset,
    models: Models,
    measured: VoiceEvaluation,
    promoted: PromotedBundle,
    report: Path,
) -> list[Row]:
    """The table on the terminal."""
    evaluation = measured.evaluation
    stages = [*dataset.stages, *context.clock.times]
    return [
        ("voice", f"{context.request.display_name} ({context.request.voice})"),
        (
            "clips",
            f"{dataset.stats.train_clips} to train, {dataset.stats.validation_clips} held out, "
            f"{(dataset.stats.train_seconds + dataset.stats.validation_seconds) / 60:.1f} min",
        ),
        ("FastPitch", _run_words(models.acoustic_record)),
        ("HiFi-GAN", _run_words(models.vocoder_record) if models.vocoder_record else "base vocoder as it is"),
        ("vocoder", evaluation.vocoder_choice),
        (
            "character errors",
            f"{_shown(measured, 'cer')} synthesised, {_shown(measured, 'cer_real')} in the real recordings "
            f"({evaluation.recogniser})",
        ),
        ("own speaker nearest", {True: "yes", False: "no", None: "not measured"}[evaluation.own_speaker_nearest]),
        (
            "slowest stages",
            ", ".join(
                f"{stage.name} {stage.seconds:.0f} s" for stage in sorted(stages, key=lambda stage: -stage.seconds)[:4]
            ),
        ),
        ("bundle", f"{promoted.root} (verified)"),
        ("listen", str(report)),
    ]


def _run_words(record: TrainingRecord) -> str:
    loss = "no loss" if record.final_loss is None else f"loss {record.final_loss:.3f}"
    return f"{record.steps} steps in {record.seconds:.0f} s, {loss}"


def _shown(measured: VoiceEvaluation, name: str) -> str:
    figure = measured.evaluation.figures.get(name)
    return "not measured" if figure is None or figure.value is None else f"{100 * figure.value:.1f} %"


def _curves(group: str, record: TrainingRecord | None) -> list[LossCurve]:
    if record is None or not record.loss_curve:
        return []
    names = ("total", "mel")
    steps = [row[0] for row in record.loss_curve]
    return [
        LossCurve(group, name, steps, [row[index] for row in record.loss_curve])
        for index, name in enumerate(names, start=1)
    ]


def _dataset_rows(dataset: PreparedDataset) -> Sequence[Row]:
    stats, report = dataset.stats, dataset.report
    rejected = ", ".join(
        f"{reason} {total.seconds:.1f} s ({total.count})" for reason, total in report.by_reason.items()
    )
    return [
        ("recorded", f"{report.seconds_in:.1f} s"),
        ("kept", f"{report.seconds_kept:.1f} s"),
        ("pauses", f"{report.seconds_pause:.1f} s"),
        ("rejected", rejected or "nothing"),
        ("sentences not found", str(len(report.unspoken))),
        ("clips", f"{stats.train_clips} to train, {stats.validation_clips} held out"),
        ("words", str(stats.words)),
        (
            "pitch",
            f"{stats.pitch_mean:.0f} ± {stats.pitch_std:.0f} Hz, "
            f"searched {stats.pitch_fmin:.0f} to {stats.pitch_fmax:.0f} Hz",
        ),
        (
            "loudness",
            f"{dataset.description.loudness.integrated_lufs:.1f} LUFS, "
            f"gain {dataset.description.loudness.gain_db:+.1f} dB",
        ),
    ]


def _training_rows(models: Models, status: TrainingStatus) -> Sequence[Row]:
    memory = "not measured" if status.peak_memory_bytes is None else f"{status.peak_memory_bytes / 2**20:.0f} MiB"
    return [
        ("preset", str(status.settings.get("preset"))),
        ("FastPitch", _run_words(models.acoustic_record)),
        ("HiFi-GAN", _run_words(models.vocoder_record) if models.vocoder_record else "base vocoder as it is"),
        ("seed", str(status.seed)),
        ("device", status.device),
        ("peak memory", memory),
        ("versions", ", ".join(f"{name} {version}" for name, version in status.versions.items())),
    ]


def _licences(context: Context, status: TrainingStatus) -> list[Licence]:
    listed = allowlist.load_allowlist(context.settings.allowlist)
    ids = dict.fromkeys(
        [status.selected_weights_id, status.vocoder_weights_id or status.selected_weights_id, *status.weights_used]
    )
    return [
        Licence(
            name=entry.id,
            licence=entry.weights_license or "",
            attribution=entry.attribution,
            address=entry.license_url or "",
        )
        for entry in (gate.select(weights_id, listed).entry for weights_id in ids)
    ]


def _provenance(status: TrainingStatus, promoted: PromotedBundle | None) -> Sequence[Row]:
    return [
        ("commit", status.commit),
        ("config sha256", status.config_sha256),
        ("dataset sha256", status.dataset_sha256),
        ("weights sha256", str(status.metrics.model_dump().get("weights_sha256"))),
        (
            "bundle manifest sha256",
            promoted.manifest_sha256 if promoted else "no bundle: outside its limits",
        ),
    ]
