"""The steps of a lane. Each reads the files of the step before it, writes its own, and returns rows for people.

`train` writes the training status and the models it names, `evaluate` the evaluation and a sample, `bundle` the
production bundle, `promote` the promoted bundle and the report.
"""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from voicemill import files, machine
from voicemill.dataset.stage_clock import write_timings
from voicemill.dataset.stages import STAGES
from voicemill.errors import BlockedError, NotAcceptableError
from voicemill.lane import bundling, gates, notation, plan, statuses
from voicemill.lane.reporter import LaneReporter, TableRow
from voicemill.lane.request import LaneRequest
from voicemill.lane.run import LaneRun, TrainingContext
from voicemill.protocol import Scalar
from voicemill.settings import Settings
from voicemill.training_status import TrainingStatus, read_training_status, write_training_status
from voicemill.weights import gate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from voicemill.bundle.promote import PromotedBundle
    from voicemill.dataset.prepared import PreparedDataset
    from voicemill.evaluation.evaluate import VoiceEvaluation
    from voicemill.lane.trained_voice import TrainedVoice
    from voicemill.training.onnx_export import ExportedGraph

SHOWN_FIGURES = ("cer", "cer_real", "wer", "wer_real")
"""Figures of the evaluation in STATS."""


def train(request: LaneRequest, run: LaneRun) -> list[TableRow]:
    """Check the gates, prepare the dataset, train the models and write the training status.

    Raises:
        VoicemillError: a gate refused, the dataset cannot be prepared, or the training failed.
    """
    settings, reporter, started = run.settings, run.reporter, datetime.now(UTC)
    with reporter.step(plan.GATES):
        cleared = gates.clear(request, settings, reporter)
        if not request.dry_run:
            note_load(reporter)
    from voicemill.lane import training  # only the gates run without numpy and torch
    from voicemill.lane.trained_voice import run_summary

    dataset = _prepare(request, cleared, run)
    # The number of training steps depends on the length of the recordings.
    cleared = dataclasses.replace(cleared, config=cleared.config.for_audio(dataset.stats.train_seconds))
    folder = settings.paths.checkpoints / request.preparation.voice
    context = TrainingContext(request=request, cleared=cleared, run=run, folder=folder)
    with reporter.step(plan.TRAIN, training.stages(cleared.config)):
        models = training.train_models(context, dataset)
        status = statuses.training_status(context, dataset, models, started)
        write_training_status(settings.paths.training_status, status)
    reporter.checkpoint(models.acoustic)
    reporter.stats(
        {
            "dry_run": status.dry_run,
            "final_loss": status.metrics.final_loss,
            "objective_status": status.objective_status,
            "status": status.status,
        }
    )
    reporter.artifact(settings.paths.training_status)
    clips, seconds = dataset.stats, dataset.stats.train_seconds + dataset.stats.validation_seconds
    return [
        ("voice", f"{run.display_name} ({run.voice})"),
        ("clips", f"{clips.train_clips} to train, {clips.validation_clips} held out, {seconds / 60:.1f} min"),
        ("FastPitch", run_summary(models.acoustic_record)),
        ("HiFi-GAN", run_summary(models.vocoder_record)),
    ]


def note_load(reporter: LaneReporter) -> None:
    """Report a busy machine: the run takes longer, with the same results."""
    found = machine.load()
    if found is not None and found.busy():
        reporter.note(f"This machine is busy ({found.text}): the run takes longer than on quiet cores.")
        reporter.stats({"cores": found.cores, "load": round(found.processes, 1)})


def _prepare(request: LaneRequest, cleared: gates.Cleared, run: LaneRun) -> PreparedDataset:
    from voicemill.dataset.lanefile import write_lane_manifest
    from voicemill.dataset.prepare import prepare
    from voicemill.dataset.rights import licence_warning

    config, workspace = cleared.config, run.settings.workspace
    with run.reporter.step(plan.PREPARE, STAGES):
        preparation = request.preparation.for_training(config.audio.sample_rate, config.seed, config.quality)
        dataset = prepare(preparation, workspace, run.reporter, run.held)
        write_lane_manifest(workspace.dataset_manifest(run.job), dataset)
        caution = licence_warning(dataset.description.rights)
        if caution:
            run.reporter.note(caution)
    run.reporter.stats(
        {
            "dataset_items": len(dataset.entries),
            "dataset_seconds": round(dataset.stats.train_seconds + dataset.stats.validation_seconds, 2),
        }
    )
    run.reporter.artifact(workspace.dataset_manifest(run.job))
    return dataset


def evaluate(run: LaneRun) -> list[TableRow]:
    """Measure the trained voice, choose its vocoder and complete the training status with it.

    Raises:
        VoicemillError: there is no trained voice, or it cannot be measured.
        NotAcceptableError: `quality_outside_limits:<figures>`; the report is drawn, and nothing can be bundled.
    """
    settings, reporter = run.settings, run.reporter
    status = read_training_status(settings.paths.training_status)
    if status.status != "ok":
        raise BlockedError(
            "The training did not end well, so there is nothing to evaluate.",
            reason=status.root_cause if status.root_cause != "none" else "status_not_ready",
            hint="Run the training step until it ends with status ok.",
        )
    if status.dry_run:
        from voicemill.evaluation.model import dry_run_evaluation, write_evaluation

        with reporter.step(plan.EVALUATE):
            write_evaluation(settings.paths.evaluation, dry_run_evaluation(source_status="ok"))
        reporter.artifact(settings.paths.evaluation)
        return []
    return _evaluate(run)


def _evaluate(run: LaneRun) -> list[TableRow]:
    from voicemill.evaluation.evaluate import STAGE
    from voicemill.evaluation.limit_results import require_limits
    from voicemill.lane import evaluation
    from voicemill.lane.trained_voice import TrainedVoice
    from voicemill.training.onnx_export import export_graph

    settings, reporter = run.settings, run.reporter
    with reporter.step(plan.EVALUATE, [STAGE]):
        voice = TrainedVoice.read(settings)
        run.keep(voice.dataset)
        speakers = evaluation.load_speakers(voice)
        run.measured = measured = evaluation.evaluate_trained(voice, speakers, settings, run.clock)
        chosen = measured.evaluation.chosen_vocoder or evaluation.GRIFFIN_LIM
        exported = export_graph(
            speakers[chosen],
            voice.folder,
            (entry.normalized_text for entry in voice.dataset.entries if entry.split == "validation"),
        )
        _record(voice, measured, exported, settings)
    reporter.note(f"The voice's graph differs from NeMo by at most {exported.difference:.1g}.")
    found = measured.evaluation
    shown: dict[str, Scalar] = {"vocoder": found.chosen_vocoder}
    reporter.stats(shown | {name: found.figures[name].value for name in SHOWN_FIGURES if name in found.figures})
    reporter.artifact(settings.paths.evaluation)
    try:
        require_limits(found)
    except NotAcceptableError as error:
        from voicemill.lane.report import draw_report

        reporter.artifact(draw_report(run, voice, measured, None))
        statuses.write_blocked(settings, error.reason)  # the bundle step reads the training status
        raise
    return [
        ("vocoder", found.vocoder_choice),
        (
            "character errors",
            f"{_percent(measured, 'cer')} synthesised, {_percent(measured, 'cer_real')} in the real recordings "
            f"({found.recogniser})",
        ),
        ("own speaker nearest", {True: "yes", False: "no", None: "not measured"}[found.own_speaker_nearest]),
    ]


def _percent(measured: VoiceEvaluation, name: str) -> str:
    figure = measured.evaluation.figures.get(name)
    return "not measured" if figure is None or figure.value is None else f"{100 * figure.value:.1f} %"


def _record(voice: TrainedVoice, measured: VoiceEvaluation, exported: ExportedGraph, settings: Settings) -> None:
    """Write the evaluation and a sample, and complete the training status with the chosen vocoder and the graph."""
    from voicemill.bundle.contents import SAMPLE
    from voicemill.evaluation.model import write_evaluation
    from voicemill.lane.evaluation import GRIFFIN_LIM, HIFIGAN, ISTFT
    from voicemill.lane.trained_voice import VOCODER

    chosen = measured.evaluation.chosen_vocoder or GRIFFIN_LIM
    longest = max(measured.spoken[chosen].values(), key=len)
    sample = voice.folder / SAMPLE
    files.write_bytes(sample, _sample_bytes(longest, voice.config.audio.sample_rate, exported, settings))
    write_evaluation(settings.paths.evaluation, measured.evaluation)
    shipped = [exported.graph, exported.lexicon, sample]
    if measured.for_nemo == HIFIGAN:
        shipped.insert(0, voice.folder / VOCODER)
    replaced = {VOCODER, *(path.name for path in shipped)}
    kept = [artifact for artifact in voice.status.artifacts if Path(artifact).name not in replaced]
    istft = voice.config.runtime_vocoder.base_weights
    completed = voice.status.model_copy(
        update={
            "vocoder": HIFIGAN if measured.for_nemo == HIFIGAN else GRIFFIN_LIM,
            "weights_used": (*gate.TOOL_WEIGHTS, *([istft] if istft is not None and chosen == ISTFT else [])),
            "artifacts": (*kept, *(notation.reachable(path, settings) for path in shipped)),
            "train_note": measured.evaluation.vocoder_choice,
            "metrics": voice.status.metrics.model_copy(update={"onnx_difference": exported.difference}),
        }
    )
    write_training_status(settings.paths.training_status, completed)


def _sample_bytes(samples: NDArray[np.float32], rate: int, exported: ExportedGraph, settings: Settings) -> bytes:
    """`sample.wav` with the voice's watermark and comments; the same voice gives the same bytes."""
    from voicemill_marks.origin import Origin
    from voicemill_marks.watermark import Watermark
    from voicemill_runtime.sound_files import sound_bytes

    if settings.voice.unmarked:
        return sound_bytes(samples, rate, ".wav")
    origin = Origin(settings.voice.profile_id, files.sha256_file(exported.graph))
    return sound_bytes(Watermark(rate, origin.payload).mark(samples), rate, ".wav", origin)


def bundle(run: LaneRun) -> list[TableRow]:
    """Build the production bundle.

    Raises:
        BundleError, GateError, StorageError: see `bundling.build`.
    """
    with run.reporter.step(plan.BUNDLE, ["bundle"]), run.clock.stage("bundle"):
        built = bundling.build(run.settings)
    bundling.show_built(run.reporter, built)
    return []


def promote(run: LaneRun) -> list[TableRow]:
    """Promote the production bundle; a real one is also verified and certified, and the report is drawn.

    Raises:
        BundleError: the bundle cannot be promoted.
        NotAcceptableError: `verification_failed`.
    """
    settings = run.settings
    status = read_training_status(settings.paths.training_status)
    stages = ("promotion",) if status.dry_run else ("promotion", "verification", "certification")
    with run.reporter.step(plan.PROMOTE, stages):
        with run.clock.stage("promotion"):
            promoted = bundling.promote(settings, run.voice, run.display_name)
        values, manifest = promoted.stats, promoted.manifest_path
        if status.dry_run:
            rows = [
                ("dry run", "nothing was trained; the bundle holds placeholders and can never be certified"),
                ("bundle", str(promoted.root)),
            ]
            artifacts = [manifest]
        else:
            checks = _certify(run, promoted, status)
            rows, shown = _results(run, promoted)
            rows += checks
            artifacts = [manifest, *shown]
            bundling.sign_sample(settings, promoted)
    run.reporter.stats(values | ({} if status.dry_run else {"bundle_valid": True}))
    for path in artifacts:
        run.reporter.artifact(path)
    return rows


def _certify(run: LaneRun, promoted: PromotedBundle, status: TrainingStatus) -> list[TableRow]:
    """Verify and certify a promoted bundle; the rows of its checklist."""
    from voicemill.casimir.packs import SHIPPED_PACKS
    from voicemill.verify.certificate import casimir_row, certificate_path, certify
    from voicemill.verify.checklist import verify_bundle
    from voicemill.weights.allowlist import SHIPPED

    repository = run.settings.repository
    with run.clock.stage("verification"):
        verification = verify_bundle(promoted.root, repository / SHIPPED, status=status)
        if not verification.ok:
            failed = [row for row in verification.rows if not row.go and not row.certification_only]
            reasons = "; ".join(f"{row.title}: {row.detail}" for row in failed)
            raise NotAcceptableError(
                f"The promoted bundle does not pass verification: {reasons or 'files differ'}.",
                reason="verification_failed",
                hint="Inspect it with voice-verify bundle; do not use it.",
            )
    with run.clock.stage("certification"):
        packs, demands = repository / SHIPPED_PACKS, verification.demands
        certify(verification.check, demands, packs, certificate_path(promoted.root))
        # The certificate changes this row only, so the files are not hashed again.
        rows = (*demands, casimir_row(verification.check, demands, packs))
    return [(row.title, f"{row.verdict}: {row.detail}") for row in rows]


def _results(run: LaneRun, promoted: PromotedBundle) -> tuple[list[TableRow], list[Path]]:
    """Draw the report and write the stage times; the last rows of the table, and what a person listens to."""
    from voicemill.bundle.contents import SAMPLE
    from voicemill.lane.report import draw_report
    from voicemill.lane.trained_voice import TrainedVoice

    voice = TrainedVoice.read(run.settings)
    times = [*voice.dataset.stages, *run.clock.times]
    write_timings(run.settings.workspace.timings(run.job), times)
    slowest = sorted(times, key=lambda stage: -stage.seconds)[:4]
    rows = [
        ("slowest stages", ", ".join(f"{stage.name} {stage.seconds:.0f} s" for stage in slowest)),
        ("bundle", f"{promoted.root} (verified)"),
    ]
    artifacts = [promoted.root / SAMPLE]
    if run.measured is not None:
        report = draw_report(run, voice, run.measured, promoted)
        rows.append(("listen", str(report)))
        artifacts.append(report)
    return rows, artifacts
