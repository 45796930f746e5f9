"""Inspection of a Demucs model package before Demucs loads it, which it does with `weights_only=False`.

A package is what `demucs.states.serialize_model` makes and `torch.save` writes: a dict with exactly `klass`, `args`,
`kwargs`, `state` and `training_args`. The one class that may be named is `HTDemucs`; arguments are plain values, of
which only `fractions.Fraction` is no literal; `state` holds tensors. Demucs itself compares eight hex digits of the
sha256, so whoever loads a package compares all of them first (`private_copy`).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from voicemill import files
from voicemill.errors import GateError
from voicemill.weights import checkpoint
from voicemill.weights.archive_bytes import Member, unsafe
from voicemill.weights.checkpoint import FRACTION, Named

HTDEMUCS = Named("demucs.htdemucs", "HTDemucs")
KEYS = frozenset({"klass", "args", "kwargs", "state", "training_args"})
MAX_VALUES = 20_000
"""Plain values of a package; Demucs's training configuration has some hundred."""
MAX_DEPTH = 20
VOICE = "vocals"
"""What Demucs calls a voice, sung or spoken."""
NAME = "model"
"""What the package is called in its private folder, for `demucs.pretrained.get_model`."""


@dataclass(frozen=True)
class PackageReport:
    """What a safe package holds."""

    sources: tuple[str, ...]
    tensors: int
    parameters: int


def inspect_package(path: Path) -> PackageReport:
    """Check a package; nothing in it is imported or called.

    Raises:
        GateError: `unsafe_archive:<why>`.
    """
    with path.open("rb") as handle:
        member = Member(path.name, 0, os.fstat(handle.fileno()).st_size)
        classes = frozenset({(HTDEMUCS.module, HTDEMUCS.name), FRACTION})
        package = checkpoint.read(handle, member, classes=classes, plain=True).value
    if not isinstance(package, dict) or set(package) != KEYS or package["klass"] != HTDEMUCS:
        raise unsafe("package_invalid", "The file is not a Demucs package of the model HTDemucs.")
    arguments, options = package["args"], package["kwargs"]
    if not isinstance(arguments, tuple) or not isinstance(options, dict):
        raise unsafe("package_invalid", "The package has no usable arguments.")
    _Plain().check([arguments, options, package["training_args"]])
    tensors = checkpoint.state_dict(package["state"])
    sources = options.get("sources", arguments[0] if arguments else None)
    if not isinstance(sources, list) or not all(isinstance(name, str) for name in sources) or VOICE not in sources:
        raise unsafe("package_invalid", f"The package does not state that it separates {VOICE}.")
    return PackageReport(tuple(sources), len(tensors), sum(tensor.numel for tensor in tensors.values()))


class _Plain:
    """Accepts plain values only; counts them, because one value may be referenced many times."""

    def __init__(self) -> None:
        self._seen = 0

    def check(self, value: Any, depth: int = 0) -> None:
        self._seen += 1
        if depth > MAX_DEPTH or self._seen > MAX_VALUES:
            raise unsafe("package_invalid", "The package's arguments are larger or deeper than any real ones.")
        if isinstance(value, dict):
            for inner in value.values():
                self.check(inner, depth + 1)
        elif isinstance(value, (list, tuple)):
            for inner in value:
                self.check(inner, depth + 1)
        elif not isinstance(value, (str, int, float, Fraction, type(None))):
            raise unsafe("package_invalid", f"The package's arguments hold a {type(value).__name__}.")


@contextlib.contextmanager
def private_copy(path: Path, weights_id: str, sha256: str) -> Iterator[Path]:
    """Yield a folder that only this user can reach with the inspected package in it, `model.th`; gone afterwards.

    The copy is hashed and inspected, not the file under its first name, which could be swapped in between.

    Args:
        path: the package.
        weights_id: its id on the allowlist.
        sha256: the pinned digest.

    Raises:
        GateError: `weights_checksum_mismatch:<id>`, `weights_unavailable:<id>`, `unsafe_archive:<why>`.
    """
    with tempfile.TemporaryDirectory(prefix="voicemill-package-") as folder:
        copy = Path(folder) / f"{NAME}.th"
        try:
            shutil.copyfile(path, copy)
        except OSError as error:
            raise GateError(
                f"{path} cannot be copied for loading: {error.strerror}.",
                reason=f"weights_unavailable:{weights_id}",
                hint="Check the file and the space for temporary files.",
            ) from error
        if files.sha256_file(copy) != sha256:
            raise GateError(
                f"{path} is not the file that the allowlist pins for {weights_id}.",
                reason=f"weights_checksum_mismatch:{weights_id}",
                hint="Remove the file and fetch it again from the source that the allowlist names.",
            )
        inspect_package(copy)
        yield Path(folder)
