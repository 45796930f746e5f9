"""`artifacts/dataset_manifest.<job>.json`: the dataset that a lane trained on (docs/formats.md, section 3)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from voicemill import files
from voicemill.dataset.description import MANIFEST, PreparationSettings
from voicemill.dataset.description_parts import SourceFile
from voicemill.dataset.manifest import Split, read_manifest
from voicemill.dataset.report import ReasonTotal, Rejection

if TYPE_CHECKING:
    from voicemill.dataset.prepared import PreparedDataset


class LaneEntry(BaseModel):
    """One clip: `path` is POSIX, relative to the work directory (in a dry run, as the manifest has it)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    text: str
    id: str | None = None
    split: Split | None = None
    duration: float | None = None
    sha256: str | None = None


class LaneCounts(BaseModel):
    """Clips by what became of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    entries: int
    train: int
    validation: int
    rejected: int


class LaneDataset(BaseModel):
    """The file.

    Attributes:
        dataset_manifest: NeMo manifest of all clips, relative to the work directory.
        dataset_sha256: its digest; each of its lines carries the digest of a clip.
        total_seconds: of all entries; None in a dry run whose manifest does not say.
        rejected: each stretch of the input that became no clip, and why.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["voice_dataset"] = "voice_dataset"
    dry_run: bool = False
    dataset_manifest: str
    dataset_sha256: str
    settings: PreparationSettings | None = None
    inputs: tuple[SourceFile, ...]
    counts: LaneCounts
    total_seconds: float | None
    rejected: tuple[Rejection, ...] = ()
    rejected_by_reason: dict[str, ReasonTotal] = {}
    unspoken: tuple[str, ...] = ()
    entries: tuple[LaneEntry, ...]


def write_lane_manifest(path: Path, dataset: PreparedDataset) -> None:
    """Write the lane's dataset manifest of a prepared dataset, atomically."""
    work = dataset.root.parent.parent
    report = dataset.report
    entries = tuple(
        LaneEntry(
            path=(dataset.root / entry.audio_filepath).relative_to(work).as_posix(),
            text=entry.text,
            id=entry.id,
            split=entry.split,
            duration=entry.duration,
            sha256=entry.sha256,
        )
        for entry in dataset.entries
    )
    counts = LaneCounts(
        entries=len(entries),
        train=dataset.stats.train_clips,
        validation=dataset.stats.validation_clips,
        rejected=len(report.rejected),
    )
    _write(
        path,
        LaneDataset(
            dataset_manifest=(dataset.root / MANIFEST).relative_to(work).as_posix(),
            dataset_sha256=dataset.sha256,
            settings=dataset.description.settings,
            inputs=dataset.description.inputs,
            counts=counts,
            total_seconds=report.seconds_kept,
            rejected=report.rejected,
            rejected_by_reason=report.by_reason,
            unspoken=report.unspoken,
            entries=entries,
        ),
    )


def write_dry_lane_manifest(path: Path, manifest: Path) -> None:
    """The same for a dry run, which looks at no audio: the entries are the lines of a NeMo manifest as they stand.

    Raises:
        DatasetError: the manifest is missing or has a line that is not valid.
    """
    lines = read_manifest(manifest)
    digest = files.sha256_file(manifest)
    durations = [line.duration for line in lines if line.duration is not None]
    entries = tuple(
        LaneEntry(path=line.audio_filepath, text=line.text, split=line.split, duration=line.duration) for line in lines
    )
    counts = LaneCounts(
        entries=len(entries),
        train=sum(line.split == "train" for line in lines),
        validation=sum(line.split == "validation" for line in lines),
        rejected=0,
    )
    _write(
        path,
        LaneDataset(
            dry_run=True,
            dataset_manifest=manifest.name,
            dataset_sha256=digest,
            counts=counts,
            entries=entries,
            inputs=(SourceFile(name=manifest.name, role="manifest", bytes=manifest.stat().st_size, sha256=digest),),
            total_seconds=round(sum(durations), 3) if len(durations) == len(lines) else None,
        ),
    )


def _write(path: Path, lane: LaneDataset) -> None:
    files.write_json(path, lane.model_dump(mode="json", exclude_none=lane.dry_run))
