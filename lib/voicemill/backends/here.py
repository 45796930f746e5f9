"""The whole lane in this process: recordings in, a promoted and verified voice out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from voicemill.backends import dry_run, gates, results
from voicemill.backends.reporter import HUNDREDTHS, LaneReporter, Phase
from voicemill.backends.request import LaneRequest
from voicemill.console import Interrupts
from voicemill.errors import StorageError, VoicemillError
from voicemill.progress import Observer
from voicemill.protocol import Protocol, StatusFile
from voicemill.settings import Settings

JOB = "tts_prod_train"
BACKEND = "local"

GATES = Phase("gates", 1)
PREPARE = Phase("prepare", 20, stages=8)
TRAIN = Phase("train", 85, stages=2)
EVALUATE = Phase("evaluate", 95)
BUNDLE = Phase("bundle", 99, stages=3)


@dataclass(frozen=True)
class LaneResult:
    """What the lane came to, for the table at the end."""

    rows: list[tuple[str, str]]
    exit_code: int = 0


def run_lane(
    options: Mapping[str, object], settings: Settings, protocol: Protocol, observer: Observer, interrupts: Interrupts
) -> LaneResult:
    """Run the lane; the status file says `running` from the start and ends in a final state whatever happens.

    Args:
        options: command-line options by name, see `LaneRequest.from_options`.
        settings: the environment.
        protocol: the lines on stdout.
        observer: the person's display.
        interrupts: signals.

    Raises:
        VoicemillError: with its stable reason and exit code; the status files say the same.
    """
    job = settings.train_job_type or JOB
    protocol.head(settings.commit)
    status = StatusFile(settings.train_status_path or settings.workspace.lane_status(job), job)
    dry = bool(options.get("dry_run")) or settings.dry_run
    reporter = LaneReporter(protocol, status, observer, dry_run.STEPS if dry else HUNDREDTHS)
    with _final_state(reporter, protocol, settings):
        reporter.start()
        gates.check_head(settings)
        request = LaneRequest.from_options(settings, options)
        if request.dry_run:
            result = LaneResult(dry_run.run_dry(request, settings, reporter, job))
        else:
            result = LaneResult(_run(request, settings, reporter, interrupts, job))
    reporter.finish("completed")
    protocol.done(BACKEND)
    return result


@contextlib.contextmanager
def _final_state(reporter: LaneReporter, protocol: Protocol, settings: Settings) -> Iterator[None]:
    """Whatever ends the lane early is written down before it goes on its way."""
    try:
        yield
    except VoicemillError as error:
        blocked = error.exit_code == 2
        with contextlib.suppress(StorageError):  # the disk may be what failed: the first error is the one to tell
            reporter.finish("blocked" if blocked else "error", error.reason)
            results.write_blocked(settings, error.reason)
        if blocked:
            protocol.blocked(error.reason)
        raise
    except BaseException as error:  # a defect, or a second Ctrl-C: the record must not say `running` for ever
        with contextlib.suppress(StorageError):
            reporter.finish("error", f"internal_error:{type(error).__name__}")
        raise


def _run(
    request: LaneRequest, settings: Settings, reporter: LaneReporter, interrupts: Interrupts, job: str
) -> list[tuple[str, str]]:
    from voicemill.backends import outcome, steps
    from voicemill.dataset.lanefile import write_lane_manifest
    from voicemill.dataset.prepare import prepare
    from voicemill.dataset.stages import StageClock, write_timings

    started = datetime.now(UTC)
    with reporter.phase(GATES):
        cleared = gates.clear(request, settings)
    with reporter.phase(PREPARE):
        config = cleared.config
        wanted = request.preparation(config.audio.sample_rate, config.seed, config.quality)
        dataset = prepare(wanted, settings.workspace, reporter)
        lane_manifest = settings.workspace.dataset_manifest(job)
        write_lane_manifest(lane_manifest, dataset)
    reporter.stats(
        {
            "dataset_items": len(dataset.entries),
            "dataset_seconds": round(dataset.stats.train_seconds + dataset.stats.validation_seconds, 2),
        }
    )
    reporter.artifact(lane_manifest)
    context = steps.Context(
        request=request,
        settings=settings,
        cleared=cleared,
        reporter=reporter,
        interrupts=interrupts,
        clock=StageClock(reporter, list),
        checkpoints=settings.workspace.checkpoints / request.voice,
    )
    with reporter.phase(TRAIN):
        models = steps.train_models(context, dataset)
    with reporter.phase(EVALUATE):
        measured = steps.evaluate(context, dataset, models)
    with reporter.phase(BUNDLE):
        published = outcome.publish(context, dataset, models, measured, started)
    write_timings(settings.workspace.timings(job), [*dataset.stages, *context.clock.times])
    reporter.stats(published.figures)
    for path in published.artifacts:
        reporter.artifact(path)
    return published.rows
