"""The whole lane in this process: recordings in, a promoted and verified voice out."""

from __future__ import annotations

import dataclasses
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from voicemill.boundary import Interrupts
from voicemill.dataset.stages import STAGES
from voicemill.lane import dry_run, gates, results
from voicemill.lane.reporter import HUNDREDTHS, LaneReporter, Phase
from voicemill.lane.request import LaneOptions, LaneRequest
from voicemill.launch import preflight
from voicemill.launch.lanes import MAIN, Lane, final_state, status_path
from voicemill.progress import Observer
from voicemill.protocol import Protocol, StatusFile
from voicemill.settings import Settings
from voicemill.training import launch

if TYPE_CHECKING:
    from voicemill.dataset.prepare import PreparedDataset
    from voicemill.lane import training

GATES = Phase("gates", 1)
PREPARE = Phase("prepare", 20, stages=len(STAGES))
TRAIN = Phase("train", 85, stages=2)
EVALUATE = Phase("evaluate", 95)
BUNDLE = Phase("bundle", 99, stages=4)


@dataclass(frozen=True)
class LaneResult:
    """What the lane came to, for the table at the end."""

    rows: list[tuple[str, str]]
    exit_code: int = 0


def run_lane(
    options: LaneOptions,
    settings: Settings,
    protocol: Protocol,
    observer: Observer,
    interrupts: Interrupts,
    lane: Lane = MAIN,
) -> LaneResult:
    """Run the lane; the status file says `running` from the start and ends in a final state whatever happens.

    Args:
        options: of the command line.
        settings: the environment.
        protocol: the lines on stdout.
        observer: the person's display.
        interrupts: signals.
        lane: which lane; its name is the job's.

    Raises:
        VoicemillError: with its stable reason and exit code; the status files say the same.
    """
    job = lane.job(settings)
    settings = dataclasses.replace(settings, base_weights_id=settings.base_weights_id or lane.base_weights)
    protocol.head(settings.head)
    status = StatusFile(status_path(settings, job), job)
    dry = options.dry_run or settings.dry_run
    reporter = LaneReporter(protocol, status, observer, dry_run.STEPS if dry else HUNDREDTHS)
    with final_state(status, protocol, lambda reason: results.write_blocked(settings, reason)), interrupts.unmasked():
        reporter.start()
        preflight.check_head(settings)
        request = LaneRequest.from_options(settings, options)
        if request.note:
            reporter.note(request.note)
        if request.dry_run:
            if request.ray is not None:
                processes = request.devices * request.nodes
                reporter.note(f"It would train on the Ray cluster at {request.ray}, in {processes} process(es).")
            elif request.devices * request.nodes > 1:
                command = launch.torchrun_command(request.devices, request.nodes)
                reporter.note(f"It would train with: {shlex.join(command)}")
            result = LaneResult(dry_run.run_dry(request, settings, reporter, job))
        else:
            result = LaneResult(_run(request, settings, reporter, interrupts, job))
    reporter.finish("completed")
    protocol.done(preflight.LOCAL if request.ray is None else preflight.RAY)
    return result


def _run(
    request: LaneRequest, settings: Settings, reporter: LaneReporter, interrupts: Interrupts, job: str
) -> list[tuple[str, str]]:
    from voicemill.dataset.stages import write_timings
    from voicemill.lane import evaluation, publish
    from voicemill.training_status import read_training_status

    lane_manifest = settings.workspace.dataset_manifest(job)
    context, dataset, models = train(request, settings, reporter, interrupts, lane_manifest, TRAIN.until)
    trained = context.trained(models)
    with reporter.phase(EVALUATE):
        measured = evaluation.evaluate(trained, dataset, settings, context.clock)
        status = read_training_status(results.status_path(settings))
        publish.record_evaluation(settings, status, context.checkpoints, measured, trained.sample_rate)
        publish.require_quality(context, dataset, models, measured)
    with reporter.phase(BUNDLE):
        published = publish.publish(context, dataset, models, measured)
    write_timings(settings.workspace.timings(job), [*dataset.stages, *context.clock.times])
    reporter.stats(published.figures)
    for path in published.artifacts:
        reporter.artifact(path)
    return published.rows


def train(
    request: LaneRequest,
    settings: Settings,
    reporter: LaneReporter,
    interrupts: Interrupts,
    lane_manifest: Path,
    until: int,
) -> tuple[training.Context, PreparedDataset, training.Models]:
    """Gates, preparation and training; writes the training status.

    Args:
        request: the voice to make.
        settings: the environment.
        reporter: hears of phases.
        interrupts: signals.
        lane_manifest: gets the lane's dataset manifest.
        until: where PROGRESS stands when the models are trained.

    Raises:
        VoicemillError: a gate refused, or a step cannot go on.
    """
    from voicemill.dataset.lanefile import write_lane_manifest
    from voicemill.dataset.prepare import prepare
    from voicemill.dataset.stages import StageClock
    from voicemill.lane import publish, training
    from voicemill.voices.rights import warning

    started = datetime.now(UTC)
    with reporter.phase(GATES):
        cleared = gates.clear(request, settings, reporter)
    with reporter.phase(PREPARE):
        config = cleared.config
        preparation = request.preparation.for_training(config.audio.sample_rate, config.seed, config.quality)
        dataset = prepare(preparation, settings.workspace, reporter)
        write_lane_manifest(lane_manifest, dataset)
        caution = warning(dataset.description.rights)
        if caution:
            reporter.note(caution)
    reporter.stats(
        {
            "dataset_items": len(dataset.entries),
            "dataset_seconds": round(dataset.stats.train_seconds + dataset.stats.validation_seconds, 2),
        }
    )
    reporter.artifact(lane_manifest)
    # Only now is it known how much there is to learn from.
    cleared = dataclasses.replace(cleared, config=config.for_audio(dataset.stats.train_seconds))
    context = training.Context(
        request=request,
        settings=settings,
        cleared=cleared,
        reporter=reporter,
        interrupts=interrupts,
        clock=StageClock(reporter, list),
        checkpoints=(settings.checkpoints_dir or settings.workspace.checkpoints) / request.voice,
    )
    with reporter.phase(Phase(TRAIN.name, until, TRAIN.stages)):
        models = training.train_models(context, dataset)
        publish.record_training(context, dataset, models, started)
    return context, dataset, models
