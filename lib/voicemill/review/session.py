"""Decisions of a person about a dataset, saved at once as edits beside its manifest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from voicemill.dataset import description, edits
from voicemill.dataset.edits import MAX_TEXT, ClipEdit
from voicemill.dataset.manifest import ManifestEntry
from voicemill.dataset.prepared import PreparedDataset
from voicemill.dataset.report import Rejection
from voicemill.errors import UsageError
from voicemill.locks import folder_lock
from voicemill.review.rejections import restorable

SAME_EDGE = 0.005
"""Seconds; nearer edges are the same."""
_DECISIONS = {"text", "verdict", "moved_start", "moved_end", "pronunciations"}


class Decision(BaseModel):
    """A message of the page, about a clip by its id or about a rejected stretch by its number.

    Attributes:
        dataset: `dataset_sha256` of the dataset on the page.
        text: the correct text.
        verdict: `none` removes an earlier verdict.
        edges: start and end of the clip in seconds of the recording; those it had before remove an earlier decision.
        pronunciations: word -> its ARPABET phones in this clip; empty removes an earlier decision.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    dataset: str
    clip: str | None = None
    rejected: int | None = Field(default=None, ge=0)
    text: str | None = Field(default=None, max_length=MAX_TEXT)
    verdict: Literal["drop", "keep", "none"] | None = None
    edges: list[float] | None = Field(default=None, min_length=2, max_length=2)
    pronunciations: dict[str, str] | None = Field(default=None, max_length=edits.MAX_PRONUNCIATIONS)

    @model_validator(mode="after")
    def _about_one_thing(self) -> Decision:
        if (self.clip is None) == (self.rejected is None):
            raise ValueError("name either a clip or a rejected stretch")
        given = (self.text, self.verdict, self.edges, self.pronunciations)
        if sum(one is not None for one in given) != 1:
            raise ValueError("give either a text or a verdict or edges or pronunciations")
        if self.rejected is not None and self.verdict is None:
            raise ValueError("a rejected stretch takes a verdict and nothing else")
        return self


@dataclass(frozen=True)
class Stretch:
    """The stretch of a recording on one row of the page, with its text."""

    source: str
    sha256: str
    start: float
    end: float
    text: str


class RowState(BaseModel):
    """The edit of one row of the page, and whether the edits differ from those that the dataset includes.

    `stood` are the edges without a decision, in seconds of the recording, `edges` those with it.
    """

    model_config = ConfigDict(frozen=True)

    clip: str | None
    rejected: int | None
    text: str | None
    was: str
    verdict: Literal["drop", "keep"] | None
    stood: tuple[float, float]
    edges: tuple[float, float]
    pronunciations: dict[str, str]
    waiting: bool
    edits: int


def sound_paths(dataset: PreparedDataset) -> list[str]:
    """Paths of all sounds in a dataset: the clips, then the rejected stretches whose sound was kept."""
    left = [row.audio for row in dataset.report.rejected if row.audio]
    return [*(entry.audio_filepath for entry in dataset.entries), *left]


class ReviewSession:
    """One dataset under review. Its methods may be called from several threads.

    Every decision reads the edits from the disk and writes them again under the lock of the dataset's folder, so the
    decisions of several pages, servers and preparations are all kept.
    """

    def __init__(self, dataset: PreparedDataset) -> None:
        self.dataset = dataset
        self._sounds = frozenset(sound_paths(dataset))
        self._entries = {entry.id: entry for entry in dataset.entries}
        self._digests = edits.recordings(dataset.description.inputs)
        edits.read(dataset.root)  # an unreadable file is reported now, not at the first decision

    @property
    def root(self) -> Path:
        """The dataset's folder."""
        return self.dataset.root

    def sound_file(self, path: str) -> Path | None:
        """A sound of the dataset by its path in it; None for everything else."""
        return self.root / path if path in self._sounds else None

    def decide(self, decision: Decision) -> RowState:
        """Save one decision.

        Raises:
            UsageError: `dataset_changed`, `no_such_clip`, `invalid_edit`.
            DatasetError: `edits_invalid`, the file was damaged meanwhile.
            StorageError: it cannot be written (`folder_busy` while another process holds the folder).
        """
        with folder_lock(self.root):
            now = description.read(self.root)
            if now is None or not decision.dataset == now.dataset_sha256 == self.dataset.sha256:
                raise UsageError(
                    "The dataset was prepared again since this page was opened.",
                    reason="dataset_changed",
                    hint="Start voice-prep review again.",
                )
            stretch = self._stretch(decision)
            before = edits.read(self.root)
            known = edits.find(before, stretch.sha256, stretch.start, stretch.end)
            after = self._changed(decision, known, stretch)
            others = [edit for edit in before if edit != known]
            edits.write(self.root, [*others, after] if after else others)
        return next(row for row in self.states() if (row.clip, row.rejected) == (decision.clip, decision.rejected))

    def states(self) -> list[RowState]:
        """The state of every row of the page, clips first."""
        current = edits.read(self.root)
        applied = [source for source in self.dataset.description.inputs if source.role == "edits"]
        waiting = list(edits.source_file(current)) != applied

        def state(clip: str | None, rejected: int | None, source: str, start: float, end: float, text: str) -> RowState:
            edit = edits.find(current, self._digests.get(source, ""), start, end)
            return RowState(
                clip=clip,
                rejected=rejected,
                text=edit.text if edit else None,
                was=edit.was if edit else text,
                verdict=edit.verdict if edit else None,
                stood=(edit.start, edit.end) if edit else (start, end),
                edges=edit.stretch if edit else (start, end),
                pronunciations=(edit.pronunciations or {}) if edit else {},
                waiting=waiting,
                edits=len(current),
            )

        rows = [state(e.id, None, e.source, e.start, e.end, e.text) for e in self.dataset.entries]
        left = enumerate(self.dataset.report.rejected)
        return rows + [state(None, n, r.source, r.start, r.end, r.text) for n, r in left]

    def farewell(self) -> str:
        """The next step, in one sentence."""
        current = edits.read(self.root)
        applied = [source for source in self.dataset.description.inputs if source.role == "edits"]
        if list(edits.source_file(current)) == applied:
            return "The dataset includes all decisions."
        count = "1 decision" if len(current) == 1 else f"{len(current)} decisions"
        return f"{count} in {edits.NAME}; run the same voice-prep command again to apply them."

    def _stretch(self, decision: Decision) -> Stretch:
        row: ManifestEntry | Rejection | None = None
        if decision.clip is not None:
            row = self._entries.get(decision.clip)
        elif decision.rejected is not None and decision.rejected < len(self.dataset.report.rejected):
            left = self.dataset.report.rejected[decision.rejected]
            row = left if restorable(left) else None
        if row is None or row.source not in self._digests:
            raise UsageError(
                "The clip does not exist, or nothing can be decided about it.",
                reason="no_such_clip",
                hint="Reload the page.",
            )
        return Stretch(row.source, self._digests[row.source], row.start, row.end, row.text)

    @staticmethod
    def _changed(decision: Decision, known: ClipEdit | None, stretch: Stretch) -> ClipEdit | None:
        """The edit after a decision; None when it becomes empty."""
        was = known.was if known else stretch.text
        start, end = (known.start, known.end) if known else (stretch.start, stretch.end)
        kept: dict[str, object] = {} if known is None else known.model_dump(include=_DECISIONS)
        if decision.text is not None:
            clean = " ".join(decision.text.split())
            kept["text"] = None if clean == was else clean
        elif decision.edges is not None:
            first, last = (round(second, 3) for second in decision.edges)
            kept["moved_start"] = None if abs(first - start) < SAME_EDGE else first
            kept["moved_end"] = None if abs(last - end) < SAME_EDGE else last
        elif decision.pronunciations is not None:
            kept["pronunciations"] = decision.pronunciations or None
        else:
            kept["verdict"] = decision.verdict if decision.verdict in ("drop", "keep") else None
        if all(value is None for value in kept.values()):
            return None
        try:
            return ClipEdit.model_validate(
                {"source": stretch.source, "source_sha256": stretch.sha256, "start": start, "end": end, "was": was}
                | kept
            )
        except ValidationError as error:
            raise UsageError(
                f"This decision cannot be saved: {error.errors()[0]['msg']}.",
                reason="invalid_edit",
                hint="Enter the spoken words in one line.",
            ) from error
