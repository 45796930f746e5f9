"""The HTML report of a trained voice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from voicemill.bundle.promote import PromotedBundle
from voicemill.dataset.prepared import PreparedDataset
from voicemill.evaluation.evaluate import VoiceEvaluation
from voicemill.evaluation.report_charts import LossCurve
from voicemill.evaluation.report_sentences import ReportSounds
from voicemill.evaluation.voice_report import Licence, ReportData, write_report
from voicemill.lane import notation
from voicemill.lane.evaluation import references
from voicemill.lane.marked_sounds import MarkedPlayer
from voicemill.lane.reporter import TableRow
from voicemill.lane.run import LaneRun
from voicemill.lane.trained_voice import TrainedVoice, TrainingRecord, run_summary
from voicemill.settings import Settings
from voicemill.training_status import TrainingStatus, read_training_status
from voicemill.weights import allowlist, gate


def draw_report(run: LaneRun, voice: TrainedVoice, measured: VoiceEvaluation, promoted: PromotedBundle | None) -> Path:
    """Write `reports/<voice>.html`.

    Args:
        run: names the voice and has the times of its stages.
        voice: as trained.
        measured: its evaluation, with the sounds.
        promoted: None if the voice is outside its preset's limits.

    Returns:
        The path of the report.
    """
    path, dataset = run.settings.workspace.reports / f"{run.voice}.html", voice.dataset
    status = read_training_status(run.settings.paths.training_status)
    rate, guessed = voice.config.audio.sample_rate, dataset.report.guessed_words
    write_report(
        path,
        ReportData(
            display_name=run.display_name,
            voice=run.voice,
            created_at=notation.now(),
            evaluation=measured.evaluation,
            sounds=ReportSounds(
                sample_rate=rate,
                references=references(dataset, rate),
                spoken=measured.spoken,
                trials=measured.trials,
                synthetic_uri=MarkedPlayer.of_voice(run.settings, run.voice, voice.folder, promoted),
                pitch_range=(dataset.stats.pitch_fmin, dataset.stats.pitch_fmax),
            ),
            curves=[*_curves("FastPitch", voice.acoustic_record), *_curves("HiFi-GAN", voice.vocoder_record)],
            clip_seconds=[entry.duration for entry in dataset.entries],
            dataset=_dataset_rows(dataset),
            training=_training_rows(voice, status),
            stage_seconds=[(stage.name, stage.seconds) for stage in (*dataset.stages, *run.clock.times)],
            licences=_licences(run.settings, status),
            provenance=_provenance(status, promoted),
            notes=[
                f"{len(guessed)} words are in no dictionary; their pronunciation was guessed: "
                + ", ".join(guessed[:40])
            ]
            if guessed
            else [],
        ),
    )
    return path


def _curves(group: str, record: TrainingRecord | None) -> list[LossCurve]:
    if record is None or not record.loss_curve:
        return []
    names = ("total", "mel")
    steps = [row[0] for row in record.loss_curve]
    return [
        LossCurve(group, name, steps, [row[index] for row in record.loss_curve])
        for index, name in enumerate(names, start=1)
    ]


def _dataset_rows(dataset: PreparedDataset) -> Sequence[TableRow]:
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


def _training_rows(voice: TrainedVoice, status: TrainingStatus) -> Sequence[TableRow]:
    memory = "not measured" if status.peak_memory_bytes is None else f"{status.peak_memory_bytes / 2**20:.0f} MiB"
    return [
        ("preset", str(status.settings.get("preset"))),
        ("FastPitch", run_summary(voice.acoustic_record)),
        ("HiFi-GAN", run_summary(voice.vocoder_record)),
        ("seed", str(status.seed)),
        ("device", status.device),
        ("peak memory", memory),
        ("versions", ", ".join(f"{name} {version}" for name, version in status.versions.items())),
    ]


def _licences(settings: Settings, status: TrainingStatus) -> list[Licence]:
    listed = allowlist.load_allowlist(settings.weights.allowlist)
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


def _provenance(status: TrainingStatus, promoted: PromotedBundle | None) -> Sequence[TableRow]:
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
