"""Clips on their way into the dataset, and the rows of those that are rejected."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from voicemill.dataset.clip_results import AlignedClip, CutClip
from voicemill.dataset.report import Rejection
from voicemill.dataset.utterances import Utterance

if TYPE_CHECKING:
    from voicemill.align.text_check import WrongWords

REJECTED = "rejected"
"""Folder of the audio of rejected clips, where it is kept."""


@dataclass(frozen=True)
class CandidateClip:
    """An utterance that was written to a file; its alignment, doubtful words and its similarity to the speaker, once
    known.
    """

    id: str
    path: Path
    utterance: Utterance
    cut: CutClip
    aligned: AlignedClip | None = None
    similarity: float | None = None
    doubts: tuple[WrongWords, ...] = ()


@dataclass(frozen=True)
class Fault:
    """Why a clip is left out: a stable reason, the figure, its unit, the limit that it passed, and a sentence."""

    reason: str
    figure: float
    unit: str
    limit: float
    detail: str


@dataclass(frozen=True)
class RejectedClip:
    """A clip that is left out, and its row of the report."""

    clip: CandidateClip
    row: Rejection

    def discard(self, staging: Path, keep: bool) -> Rejection:
        """Delete the clip's file, or move it to `rejected/`; its row of the report."""
        if not keep:
            self.clip.path.unlink()
            return self.row
        (staging / REJECTED).mkdir(exist_ok=True)
        self.clip.path.rename(staging / REJECTED / self.clip.path.name)
        return self.row.model_copy(update={"audio": f"{REJECTED}/{self.clip.path.name}"})


def reject(clip: CandidateClip, reason: str, detail: str, fault: Fault | None = None) -> RejectedClip:
    """A rejected clip with the figure of its fault."""
    changes: dict[str, object] = {"id": clip.id}
    if fault is not None:
        changes |= {"figure": fault.figure, "unit": fault.unit, "limit": fault.limit}
    return RejectedClip(clip, clip.utterance.rejected(reason, detail).model_copy(update=changes))
