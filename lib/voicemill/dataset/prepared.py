"""A finished dataset: found by folder or voice, read back with every file checked."""

from __future__ import annotations

import contextlib
import dataclasses
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from voicemill import files
from voicemill.dataset import description, explain
from voicemill.dataset.description import DatasetDescription
from voicemill.dataset.description_parts import Statistics
from voicemill.dataset.manifest import ManifestEntry, read_entries
from voicemill.dataset.report import Report
from voicemill.dataset.rights import Rights
from voicemill.dataset.stage_clock import StageTime
from voicemill.errors import DatasetError, RefusedError, UsageError
from voicemill.locks import folder_lock, in_use_unlocked
from voicemill.protocol import first_of
from voicemill.workspace import Workspace, profile_id

_TIMES = TypeAdapter(list[StageTime])


@dataclass(frozen=True)
class PreparedDataset:
    """A finished dataset below `root`.

    Attributes:
        entries: all clips, training and validation, in the order of the input.
        description: dataset.json.
        stages: seconds of each stage, of the run that made the dataset.
        cache_hit: the dataset existed already, prepared from the same inputs with the same settings.
    """

    root: Path
    entries: tuple[ManifestEntry, ...]
    description: DatasetDescription
    stages: tuple[StageTime, ...]
    cache_hit: bool

    @property
    def manifest(self) -> Path:
        """All clips; `sha256` is its digest."""
        return self.root / description.MANIFEST

    @property
    def train_manifest(self) -> Path:
        return self.root / description.TRAIN

    @property
    def validation_manifest(self) -> Path:
        return self.root / description.VALIDATION

    @property
    def lexicon(self) -> Path:
        return self.root / description.LEXICON

    @property
    def cuts(self) -> Path:
        """cuts.tsv: the reason for each cut."""
        return self.root / explain.NAME

    @property
    def stats(self) -> Statistics:
        return self.description.statistics

    @property
    def report(self) -> Report:
        return self.description.report

    @property
    def sha256(self) -> str:
        """`dataset_sha256` of status and bundle: the digest of `manifest`."""
        return self.description.dataset_sha256


def load(root: Path, key: str | None = None) -> PreparedDataset | None:
    """A finished dataset, every file checked against its digest; None when it is not there, changed, or of another key.

    Args:
        root: its folder.
        key: content key that it must have; None takes any.
    """
    described = description.read(root)
    if (
        described is None
        or (key is not None and described.content_key != key)
        or description.differences(root, described)
    ):
        return None
    try:
        entries = read_entries(root / description.MANIFEST)
    except DatasetError:
        return None
    try:
        stages = tuple(_TIMES.validate_json(files.read_whole(root / description.TIMINGS)))
    except (OSError, ValidationError):
        stages = ()
    return PreparedDataset(root, tuple(entries), described, stages, cache_hit=True)


def keep(known: PreparedDataset, held: contextlib.ExitStack) -> bool:
    """Keep others from replacing or removing a dataset that was read, until `held` ends.

    Returns:
        False if another process has replaced or removed it since it was read: then nothing is kept.
    """
    with folder_lock(known.root):
        now = description.read(known.root)
        if now is None or now.dataset_sha256 != known.sha256:
            return False
        held.enter_context(in_use_unlocked(known.root))
    return True


def require_kept(known: PreparedDataset, held: contextlib.ExitStack) -> PreparedDataset:
    """Keep a dataset that was read, as `keep` does, and return it.

    Raises:
        RefusedError: `lane_busy:<name>`, another process has replaced or removed it since it was read.
    """
    if not keep(known, held):
        raise RefusedError(
            f"Another process has replaced or removed the dataset at {known.root} meanwhile.",
            reason=f"lane_busy:{known.root.name}",
            hint="Start again when it has finished.",
        )
    return known


def find_dataset(name: str, workspace: Workspace) -> Path:
    """The folder of a dataset, given by path or by the name of a prepared voice.

    Raises:
        UsageError: `dataset_not_found`.
    """
    if Path(name).is_dir():
        return Path(name)
    if "/" not in name:
        root = workspace.dataset(profile_id(name))
        if root.is_dir():
            return root
    raise UsageError(
        f"There is no prepared dataset and no voice named {name}.",
        reason=f"dataset_not_found:{name}",
        hint="Give a folder such as work/datasets/<voice>, or a voice that voice-prep list shows.",
    )


def load_checked(root: Path) -> PreparedDataset:
    """Load a dataset after every file was checked against its digest.

    Raises:
        DatasetError: `dataset_incomplete`, it is not a dataset, or a file was changed other than by a review.
    """
    described = description.read(root)
    if described is None:
        raise _unusable(root, f"it has no {description.NAME} of this version")
    found = description.differences(root, described)
    if found:
        raise _unusable(root, first_of(found))
    loaded = load(root)
    if loaded is None:
        raise _unusable(root, "its manifest cannot be read")
    return loaded


def _unusable(root: Path, why: str) -> DatasetError:
    return DatasetError(
        f"{root} is not a complete prepared dataset: {why}.",
        reason=f"dataset_incomplete:{root.name}",
        hint="Prepare it again with voice-prep.",
    )


def with_rights(known: PreparedDataset, held: Rights | None) -> PreparedDataset:
    """A finished dataset with other rights; they are not in the content key, so no stage runs again."""
    if known.description.rights == held:
        return known
    described = known.description.model_copy(update={"rights": held})
    files.write_json(known.root / description.NAME, description.dump(described))
    return dataclasses.replace(known, description=described)
