"""The steps of a lane in their order, with their shares of PROGRESS (standard library only)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

TOTAL = 100
"""PROGRESS of a finished lane."""


@dataclass(frozen=True)
class LaneStep:
    """One step of a lane.

    Attributes:
        name: as in `failed_step` of the report.
        until: PROGRESS at the end of the step; it begins where the step before it ends.
        script: below `scripts/voice/`; runs the step, and the steps before it that have no script, as one process.
    """

    name: str
    until: int
    script: str | None = None


GATES = LaneStep("gates", 1)
PREPARE = LaneStep("prepare", 20)
TRAIN = LaneStep("train", 85, "prod/train_nemo_tts.py")
EVALUATE = LaneStep("eval", 95, "prod/eval_nemo_tts.py")
BUNDLE = LaneStep("bundle", 98, "prod/build_voice_bundle.py")
PROMOTE = LaneStep("promote", TOTAL, "prod/promote_voice_bundle.py")

STEPS = (GATES, PREPARE, TRAIN, EVALUATE, BUNDLE, PROMOTE)
PROCESSES = tuple(step for step in STEPS if step.script)
"""The steps that run as processes of their own; the contract's report names them."""
DRY_STEPS = tuple(replace(step, until=number) for number, step in enumerate(PROCESSES, start=1))
"""A dry run counts the processes: `PROGRESS 0 4` to `PROGRESS 4 4`."""


def lane_steps(*, dry_run: bool) -> tuple[LaneStep, ...]:
    """The whole lane."""
    return DRY_STEPS if dry_run else STEPS


def steps_of(process: LaneStep, total: int = TOTAL) -> tuple[LaneStep, ...]:
    """The steps that one process runs, with their shares scaled so that PROGRESS goes from 0 to `total`."""
    before = next((step for step in reversed(PROCESSES) if step.until < process.until), None)
    begin = before.until if before else 0
    return tuple(
        replace(step, until=total * (step.until - begin) // (process.until - begin))
        for step in STEPS
        if begin < step.until <= process.until
    )


def end(steps: Sequence[LaneStep]) -> int:
    """PROGRESS at the end of these steps."""
    return steps[-1].until
