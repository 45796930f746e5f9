"""A prepared dataset for review: found by folder or by voice, every file checked."""

from __future__ import annotations

from pathlib import Path

from voicemill.dataset import description, prepare
from voicemill.dataset.prepare import PreparedDataset
from voicemill.errors import DatasetError, UsageError
from voicemill.workspace import Workspace, profile_id


def find(name: str, workspace: Workspace) -> Path:
    """The folder that a person means: a path, or the name of a voice that was prepared.

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
        f"There is no prepared dataset at {name}, nor a voice of that name.",
        reason=f"dataset_not_found:{name}",
        hint="Name a folder such as work/datasets/<voice>; voice-prep list shows the voices.",
    )


def load(root: Path) -> PreparedDataset:
    """The dataset in a folder.

    Raises:
        DatasetError: `dataset_incomplete`, it is none, or it was changed by something else than a review.
    """
    described = description.read(root)
    if described is None:
        raise _unusable(root, f"it has no {description.NAME} of this version")
    found = description.differences(root, described)
    if found:
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise _unusable(root, f"{', '.join(found[:3])}{more}")
    loaded = prepare.load(root)
    if loaded is None:
        raise _unusable(root, "its manifest cannot be read")
    return loaded


def _unusable(root: Path, why: str) -> DatasetError:
    return DatasetError(
        f"{root} is no prepared dataset as voice-prep wrote it: {why}.",
        reason=f"dataset_incomplete:{root.name}",
        hint="Prepare it again with voice-prep.",
    )
