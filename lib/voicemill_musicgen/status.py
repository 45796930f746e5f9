"""`artifacts/train_status.tts_voice_train.json`: a lane's status, with loss and checkpoint. Standard library only.

Invariant: the status is `completed` only with a finite loss and the digest of an existing checkpoint.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from voicemill import files
from voicemill.errors import TrainingError
from voicemill.lane_status import LaneStatus, LaneStatusV1, StatusFile
from voicemill.protocol import Scalar


@dataclass(frozen=True)
class VoiceTrainStatus(LaneStatus):
    """Fields of every lane (formats contract, section 1), and this one's.

    Attributes:
        loss: of the last step; a number only where a training was completed.
        checkpoint: the adapter, relative to the working directory where it lies below it.
        promotable: never; it stands here for whoever looks.
    """

    loss: float | None = None
    checkpoint: str | None = None
    checkpoint_sha256: str | None = None
    base_weights_id: str = ""
    weights_license: str = ""
    promotable: Literal[False] = False


@dataclass(frozen=True)
class VoiceTrainStatusV1(LaneStatusV1):
    """Version 1 of the status, which older commits wrote."""

    loss: float | None = None
    checkpoint: str | None = None
    checkpoint_sha256: str | None = None
    base_weights_id: str = ""
    weights_license: str = ""
    promotable: Literal[False] = False


class VoiceTrainStatusFile(StatusFile):
    """The status on disk."""

    def _first(self, job_type: str) -> VoiceTrainStatus:
        return VoiceTrainStatus(job_type=job_type, status="running", state="running")

    def _figures(self, stats: dict[str, Scalar]) -> dict[str, Scalar]:
        """Without the loss, which only a completed training has."""
        return {"step": stats["step"]} if "step" in stats else {}

    def take_over(self) -> None:
        """Do nothing: no other process writes this file."""

    def based_on(self, weights_id: str, licence: str) -> None:
        """Record the base weights and their licence."""
        self._change(base_weights_id=weights_id, weights_license=licence)

    def complete(self, *, loss: float, checkpoint: str, checkpoint_sha256: str) -> None:
        """Write the final state of a completed training.

        Raises:
            ValueError: the loss is not finite.
        """
        if not math.isfinite(loss):
            raise ValueError(f"a training with the loss {loss} is not completed")
        self._change(
            state="completed",
            status="completed",
            loss=loss,
            checkpoint=checkpoint,
            checkpoint_sha256=checkpoint_sha256,
        )


def check_outputs(status_path: Path, checkpoint: Path) -> None:
    """Check the results of a training: a completed status with a finite loss, and its checkpoint.

    Python's JSON reader accepts `NaN`, which is refused here.

    Raises:
        TrainingError: `training_incomplete`.
    """
    problem = ""
    try:
        found = json.loads(files.read_whole(status_path))
        loss = found["loss"]
        if found["status"] != "completed" or found["state"] != "completed":
            problem = f"its status says {found['status']}"
        elif not isinstance(loss, int | float) or isinstance(loss, bool) or not math.isfinite(loss):
            problem = f"its status says completed with the loss {loss}"
        elif files.sha256_file(checkpoint) != found["checkpoint_sha256"]:
            problem = f"{checkpoint.name} is not the checkpoint that its status names"
    except (OSError, ValueError, KeyError, TypeError) as error:
        problem = f"its status or checkpoint cannot be read ({type(error).__name__})"
    if problem:
        raise TrainingError(
            f"The training ended without a usable result: {problem}.",
            reason="training_incomplete",
            hint="Run it again; the logs are in artifacts/.",
        )
