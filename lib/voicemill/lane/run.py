"""One run of a lane, and a training within it: what its steps share."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from voicemill.boundary import Interrupts
from voicemill.dataset.stage_clock import StageClock
from voicemill.lane.reporter import LaneReporter
from voicemill.lane.request import LaneRequest
from voicemill.settings import Settings

if TYPE_CHECKING:
    from voicemill.dataset.prepared import PreparedDataset
    from voicemill.evaluation.evaluate import VoiceEvaluation
    from voicemill.lane.gates import Cleared


@dataclass
class LaneRun:
    """One run of a lane in this process.

    Attributes:
        job: names the lane's files.
        voice: profile id of the voice.
        clock: measures the stages after the preparation.
        measured: figures and sounds of the evaluation, once this process has made it.
        held: locks that end with the run.
    """

    settings: Settings
    reporter: LaneReporter
    interrupts: Interrupts
    job: str
    voice: str
    display_name: str
    clock: StageClock
    measured: VoiceEvaluation | None = None
    held: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def keep(self, dataset: PreparedDataset) -> None:
        """Keep others from replacing or removing the dataset until the run ends.

        Raises:
            RefusedError: `lane_busy:<name>`.
        """
        from voicemill.dataset.prepared import require_kept

        require_kept(dataset, self.held)


@dataclass(frozen=True)
class TrainingContext:
    """A training within a run of the lane.

    Attributes:
        folder: checkpoints of the voice.
    """

    request: LaneRequest
    cleared: Cleared
    run: LaneRun
    folder: Path
