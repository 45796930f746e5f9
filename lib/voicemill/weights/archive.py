"""Structural inspection of a `.nemo` archive, before anything is loaded: nothing is unpacked, imported or executed.

A model archive is a plain tar of flat, regular files: `model_config.yaml`, `model_weights.ckpt` (a stored zip with
one pickle of a state dict) and text files such as the lexicon. Everything else is refused. Inspect the very bytes
that will be loaded: `private_copy` copies first and inspects the copy.
"""

from __future__ import annotations

import contextlib
import os
import pickletools
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from voicemill import files
from voicemill.errors import GateError, UsageError
from voicemill.weights import checkpoint, nemo_arguments, nemo_config, plain_tar, sentencepiece_model
from voicemill.weights.archive_bytes import Member, read_exact, unsafe
from voicemill.weights.nemo_config import ALLOWED_TARGETS, RECOGNITION_TARGETS

CONFIG = "model_config.yaml"
WEIGHTS = "model_weights.ckpt"
TOKENIZER = "tokenizer.model"
"""End of the name of the one binary member beside the weights, in a recogniser with word pieces."""
MAX_ARCHIVE_BYTES = 4 * 1024**3
_CALLS = frozenset(("REDUCE", "BUILD", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4"))
"""Opcodes of a pickle that call a function or a class."""
MAX_TEXT_BYTES = 64 * 1024**2
"""For lexicons and the like inside the archive; the CMU dictionary has 3 MB."""


@dataclass(frozen=True)
class ArchiveReport:
    """The contents of a safe archive.

    Attributes:
        target: the model class that its configuration names.
        tensors: number of tensors; `parameters` is their number of elements.
        members: name and size of each member.
    """

    bytes: int
    target: str
    tensors: int
    parameters: int
    members: tuple[tuple[str, int], ...]


def inspect_archive(path: Path, targets: frozenset[str] = ALLOWED_TARGETS) -> ArchiveReport:
    """Check a `.nemo` archive; `targets` are the classes that its configuration may name.

    Raises:
        GateError: `unsafe_archive:<why>`.
        UsageError: there is no such file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be opened: {error.strerror}.",
            reason=f"archive_missing:{path.as_posix()}",
            hint="Give the path of a .nemo file.",
        ) from error
    try:
        opened = files.regular_reader(descriptor, path)
    except OSError as error:
        raise _irregular() from error
    with opened as handle:
        return inspect_open(handle, targets)


def _irregular() -> GateError:
    return unsafe("not_a_regular_file", "The archive is not a regular file.")


def inspect_open(handle: BinaryIO, targets: frozenset[str] = ALLOWED_TARGETS) -> ArchiveReport:
    """`inspect_archive` of an archive that is already open.

    Raises:
        GateError: `unsafe_archive:<why>`.
    """
    status = os.fstat(handle.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise _irregular()
    size = status.st_size
    if size > MAX_ARCHIVE_BYTES:
        raise unsafe("too_large", f"The archive is larger than {MAX_ARCHIVE_BYTES} bytes.")
    members = plain_tar.members(handle, size)
    for name in (CONFIG, WEIGHTS):
        if name not in members:
            raise unsafe(f"missing_member:{name}", f"The archive has no {name}.")
    for member in members.values():
        if targets is RECOGNITION_TARGETS and member.name.endswith(TOKENIZER):
            sentencepiece_model.check(_read(handle, member.offset, min(member.size, MAX_TEXT_BYTES)))
        elif member.name != WEIGHTS:
            _check_text(handle, member)
    config = nemo_config.check_config(_read(handle, members[CONFIG].offset, members[CONFIG].size), targets)
    nemo_arguments.check_arguments(config, members)
    found = checkpoint.read(handle, members[WEIGHTS])
    tensors = found.tensors(found.value)
    nemo_arguments.check_sizes(config, tensors)
    nemo_arguments.check_types(config)
    return ArchiveReport(
        bytes=size,
        target=str(config.get("target", "")),
        tensors=len(tensors),
        parameters=sum(tensor.numel for tensor in tensors.values()),
        members=tuple(sorted((member.name, member.size) for member in members.values())),
    )


def _check_text(handle: BinaryIO, member: Member) -> None:
    """Besides the weights an archive holds only text: no second pickle, no nested archive."""
    if member.size > MAX_TEXT_BYTES:
        raise unsafe("too_large", f"The member {member.name!r} is larger than any lexicon.")
    data = _read(handle, member.offset, member.size)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text or is_pickle(data):
        raise unsafe("member_not_text", f"The member {member.name!r} is not text.")


def is_pickle(data: bytes) -> bool:
    """Whether unpickling would call something: protocol 0 consists of printable characters only."""
    calls = False
    try:
        for opcode, _, _ in pickletools.genops(data):
            calls = calls or opcode.name in _CALLS
            if opcode.name == "STOP":
                return calls
    except (ValueError, IndexError, OverflowError):
        pass
    return False


def _read(handle: BinaryIO, offset: int, size: int) -> bytes:
    return read_exact(handle, offset, size, "not_a_plain_tar")


def extract(path: Path, folder: Path) -> None:
    """Write the members of an inspected private copy into `folder`, read as the inspection read them."""
    with path.open("rb") as handle:
        for member in plain_tar.members(handle, os.fstat(handle.fileno()).st_size).values():
            (folder / member.name).write_bytes(_read(handle, member.offset, member.size))


def read_config(path: Path) -> str:
    """The text of the configuration in an inspected private copy."""
    with path.open("rb") as handle:
        member = plain_tar.members(handle, os.fstat(handle.fileno()).st_size)[CONFIG]
        return _read(handle, member.offset, member.size).decode("utf-8")


def load_weights(path: Path) -> dict[str, Any]:
    """The tensors of an inspected private copy, by name, on the CPU; see `checkpoint.load_tensors`."""
    with path.open("rb") as handle:
        member = plain_tar.members(handle, os.fstat(handle.fileno()).st_size)[WEIGHTS]
        found = checkpoint.read(handle, member)
        return checkpoint.load_tensors(handle, found.tensors(found.value), found.storages)


@contextlib.contextmanager
def private_copy(path: Path, targets: frozenset[str] = ALLOWED_TARGETS, sha256: str | None = None) -> Iterator[Path]:
    """Yield an inspected copy of an archive in a folder that only this user can reach; it is gone afterwards.

    Load models from here: the file under its first name could be swapped between inspection and use.

    Raises:
        GateError: `unsafe_archive:<why>`; `weights_checksum_mismatch:<name>`, its digest is not `sha256`.
        UsageError: there is no such file.
    """
    with tempfile.TemporaryDirectory(prefix="voicemill-archive-") as folder:
        copy = Path(folder) / "model.nemo"
        try:
            if not path.is_file():
                raise UsageError(
                    f"{path} is not a file.",
                    reason=f"archive_missing:{path.as_posix()}",
                    hint="Give the path of a .nemo file.",
                )
            shutil.copyfile(path, copy)
        except OSError as error:
            raise GateError(
                f"{path} cannot be copied for loading: {error.strerror}.",
                reason=f"weights_unavailable:{path.name}",
                hint="Check the file and the space for temporary files.",
            ) from error
        if sha256 is not None and files.sha256_file(copy) != sha256:
            raise GateError(
                f"{path} is not the file whose digest was checked.",
                reason=f"weights_checksum_mismatch:{path.name}",
                hint="Check the file, and start again.",
            )
        inspect_archive(copy, targets)
        yield copy
