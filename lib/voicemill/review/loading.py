"""Find a prepared dataset by folder or by voice, and check every file."""

from __future__ import annotations

from pathlib import Path

from voicemill.dataset import description
from voicemill.dataset.prepared import PreparedDataset, load
from voicemill.errors import DatasetError, UsageError
from voicemill.protocol import first_of
from voicemill.workspace import Workspace, profile_id


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
