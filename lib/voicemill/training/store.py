"""The checkpoints of a run: the last two, each committed atomically.

    fastpitch-0007.checkpoint        the state, written to a temporary file, fsynced and renamed
    fastpitch-0007.checkpoint.json   its commit marker: sha256, bytes, step; written after it in the same way

Invariant: a checkpoint is loaded only if it has a marker and its bytes match the marker. An older one is deleted after
the newer one is committed, so a kill or a full disk at any moment leaves a good one. Numbers increase across runs: a
run without `resume` replaces the checkpoints of an earlier one with its first checkpoint, not before.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from voicemill import files
from voicemill.errors import TrainingError

KEPT = 2
SUFFIX = ".checkpoint"
_NUMBERED = re.compile(r"-(\d{4,})\.checkpoint")


class Marker(BaseModel):
    """Commit marker of a checkpoint."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    sha256: str
    bytes: int
    step: int


@dataclass(frozen=True)
class CheckpointStore:
    """The checkpoints of one model in a folder.

    Attributes:
        folder: their folder; it may also hold those of other models.
        name: of the model, the first part of the file names.
        belongs_to: fingerprint of settings, data and base; a checkpoint of another run is refused.
    """

    folder: Path
    name: str
    belongs_to: str

    def committed(self) -> list[Path]:
        """Checkpoints that have their marker, newest first."""
        found = {_number(path): path for path in self.folder.glob(f"{self.name}-*{SUFFIX}") if _marker(path).is_file()}
        return [found[number] for number in sorted(found, reverse=True)]

    def newest(self) -> Path | None:
        """The last committed checkpoint; None if there is none."""
        return next(iter(self.committed()), None)

    def save(self, step: int, state: dict[str, object]) -> Path:
        """Write and commit a checkpoint, then remove all but the last two.

        Raises:
            StorageError: the disk is full or cannot be written; the checkpoints before are as they were.
        """
        import torch

        before = self.committed()
        path = self.folder / f"{self.name}-{_number(before[0]) + 1 if before else 1:04}{SUFFIX}"
        with files.atomic_path(path) as temporary, files.library_writes(path, RuntimeError):
            torch.save({**state, "fingerprint": self.belongs_to}, temporary)
            marker = Marker(sha256=files.sha256_file(temporary), bytes=temporary.stat().st_size, step=step)
        try:
            files.write_json(_marker(path), marker.model_dump(mode="json"))
        except BaseException:
            path.unlink(missing_ok=True)  # useless without its marker
            raise
        self._sweep(keep=[path, *before[: KEPT - 1]])
        return path

    def _sweep(self, keep: list[Path]) -> None:
        for path in self.folder.glob(f"{self.name}-*{SUFFIX}"):
            if path not in keep:
                _remove(path)

    def load(self, restore: Callable[[dict[str, Any]], None], note: Callable[[str], None]) -> Path:
        """Restore the newest checkpoint that can be read, and return its path.

        Args:
            restore: takes the state; its errors count as an unreadable checkpoint.
            note: takes a message for each checkpoint that cannot be read.

        Raises:
            TrainingError: `no_checkpoint`; `checkpoint_unreadable` when all of them are broken; `checkpoint_mismatch`
                when it belongs to other settings, another base or other data.
        """
        candidates = self.committed()
        if not candidates:
            raise TrainingError(
                f"There is no checkpoint in {self.folder} to resume from.",
                reason="no_checkpoint",
                hint="Start without --resume.",
            )
        problems: list[str] = []
        for path in candidates:
            try:
                restore(self._read(path))
            except (OSError, RuntimeError, KeyError, ValueError, UnpicklingError, EOFError) as error:
                problems.append(f"{path.name}: {str(error).splitlines()[0] if str(error) else repr(error)}")
                continue
            for problem, broken in zip(problems, candidates, strict=False):
                note(f"Warning: a checkpoint cannot be used ({problem}); continuing from {path.name} before it.")
                _remove(broken)  # or the next save would keep it instead of this one
            return path
        raise TrainingError(
            f"No checkpoint can be read ({'; '.join(problems)}).",
            reason=f"checkpoint_unreadable:{candidates[0].name}",
            hint="Start without --resume.",
        )

    def _read(self, path: Path) -> dict[str, Any]:
        """The state of a checkpoint whose bytes match its marker.

        Raises:
            TrainingError: `checkpoint_mismatch`.
            ValueError: the bytes are not the committed ones.
        """
        import torch

        try:
            marker = Marker.model_validate(files.read_json(_marker(path)))
        except ValidationError as error:
            raise ValueError("its commit marker is not valid") from error
        if path.stat().st_size != marker.bytes:
            raise ValueError(f"it has {path.stat().st_size} bytes instead of {marker.bytes}")
        if files.sha256_file(path) != marker.sha256:
            raise ValueError("its bytes are not those that were committed")
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if state["fingerprint"] != self.belongs_to:
            raise TrainingError(
                f"The checkpoint {path.name} belongs to other settings, another base or another dataset.",
                reason="checkpoint_mismatch",
                hint="Start without --resume, or with the settings, base and data of the interrupted run.",
            )
        return state


def commits(folder: Path) -> frozenset[str]:
    """Names of the committed checkpoints in a folder."""
    return frozenset(path.name for path in folder.glob(f"*{SUFFIX}") if _marker(path).is_file())


def _remove(path: Path) -> None:
    _marker(path).unlink(missing_ok=True)  # first: a checkpoint with a marker is complete
    path.unlink(missing_ok=True)


def _marker(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _number(path: Path) -> int:
    found = _NUMBERED.search(path.name)
    return int(found[1]) if found else 0
