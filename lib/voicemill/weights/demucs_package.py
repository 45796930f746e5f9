"""Inspection and loading of a Demucs model package, which Demucs itself would load with `weights_only=False`.

A package is what `demucs.states.serialize_model` makes and `torch.save` writes: a dict with exactly `klass`, `args`,
`kwargs`, `state` and `training_args`. The one class that may be named is `HTDemucs`; arguments are plain values, of
which only `fractions.Fraction` is not a literal; `state` holds tensors. Demucs compares eight hex digits of the sha256
and unpickles the file; `load_package` compares all digits and builds the package from the inspected bytes.
"""

from __future__ import annotations

import io
import os
import warnings
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from voicemill import files
from voicemill.errors import GateError
from voicemill.weights import checkpoint
from voicemill.weights.archive_bytes import Member, unsafe
from voicemill.weights.build_limits import build_limits
from voicemill.weights.checkpoint import FRACTION, Checkpoint, Named

if TYPE_CHECKING:
    import torch

HTDEMUCS = Named("demucs.htdemucs", "HTDemucs")
KEYS = frozenset({"klass", "args", "kwargs", "state", "training_args"})
MAX_VALUES = 20_000
"""Plain values of a package; Demucs's training configuration has some hundred."""
MAX_DEPTH = 20
MAX_NUMBER = 1_000_000
"""Largest number among the arguments of the model; its sizes decide how much memory building it takes."""
VOICE = "vocals"
"""What Demucs calls a voice, sung or spoken."""
MAX_PACKAGE_BYTES = 1 << 30
"""The published HTDemucs packages have 84 MB."""


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
        return _inspect(handle, Member(path.name, 0, os.fstat(handle.fileno()).st_size))[1]


def _inspect(handle: BinaryIO, member: Member) -> tuple[Checkpoint, PackageReport]:
    found = checkpoint.read(handle, member, classes=frozenset({(HTDEMUCS.module, HTDEMUCS.name), FRACTION}), plain=True)
    package = found.value
    if not isinstance(package, dict) or set(package) != KEYS or package["klass"] != HTDEMUCS:
        raise unsafe("package_invalid", "The file is not a Demucs package of the model HTDemucs.")
    arguments, options = package["args"], package["kwargs"]
    if not isinstance(arguments, tuple) or not isinstance(options, dict):
        raise unsafe("package_invalid", "The package has no usable arguments.")
    _Plain(MAX_NUMBER).check([arguments, options])
    _Plain().check(package["training_args"])
    tensors = found.tensors(package["state"])
    sources = options.get("sources", arguments[0] if arguments else None)
    if not isinstance(sources, list) or not all(isinstance(name, str) for name in sources) or VOICE not in sources:
        raise unsafe("package_invalid", f"The package does not state that it separates {VOICE}.")
    report = PackageReport(tuple(sources), len(tensors), sum(tensor.numel for tensor in tensors.values()))
    return found, report


class _Plain:
    """Accepts plain values only; counts them, because one value may be referenced many times."""

    def __init__(self, largest: float = float("inf")) -> None:
        self._seen = 0
        self._largest = largest

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
        elif isinstance(value, (int, float, Fraction)) and abs(float(value)) > self._largest:
            raise unsafe("package_invalid", "The package's arguments hold a number that no model needs.")


def load_package(path: Path, weights_id: str, sha256: str) -> dict[str, Any]:
    """An inspected package as `demucs.states.load_model` takes it: the class, its arguments and its tensors.

    The file is read once into memory. These bytes are hashed, inspected and turned into tensors; Demucs opens no file.

    Args:
        path: the package.
        weights_id: its id on the allowlist.
        sha256: the pinned digest.

    Raises:
        GateError: `weights_checksum_mismatch:<id>`, `weights_unavailable:<id>`, `unsafe_archive:<why>`.
    """
    try:
        data = files.read_bounded(path, MAX_PACKAGE_BYTES)
    except OSError as error:
        raise GateError(
            f"{path} cannot be read: {error.strerror}.",
            reason=f"weights_unavailable:{weights_id}",
            hint="Check the file and its permissions.",
        ) from error
    if files.sha256_bytes(data) != sha256:
        raise GateError(
            f"{path} is not the file that the allowlist pins for {weights_id}.",
            reason=f"weights_checksum_mismatch:{weights_id}",
            hint="Remove the file and fetch it again from the source that the allowlist names.",
        )
    handle = io.BytesIO(data)
    found, _ = _inspect(handle, Member(path.name, 0, len(data)))
    from demucs.htdemucs import HTDemucs

    tensors = checkpoint.load_tensors(handle, found.tensors(found.value["state"]), found.storages)
    return {**found.value, "klass": HTDemucs, "state": tensors}


def build_model(path: Path, weights_id: str, sha256: str) -> torch.nn.Module:
    """The model of a package, built on the CPU within bounds of time and memory; arguments as in `load_package`.

    Raises:
        GateError: see `load_package`; `unsafe_archive:package_invalid`: the arguments build no model, or the tensors do
            not fit it; `unsafe_archive:build_time`, `unsafe_archive:build_memory`.
    """
    package = load_package(path, weights_id, sha256)
    from demucs.states import load_model

    try:
        with build_limits(path, "cpu"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model: torch.nn.Module = load_model(package, strict=True).eval()
    except (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        why = (str(error) or repr(error)).splitlines()[0]
        raise unsafe("package_invalid", f"The package's arguments and tensors make no model: {why}.") from error
    return model
