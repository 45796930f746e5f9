"""Bytes of an untrusted archive: exact reads from an open file, and the refusal that every archive reader raises.

An inspection and the load that follows use the same open file, so that what is loaded is what was inspected.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from voicemill.errors import GateError
from voicemill.protocol import one_line


@dataclass(frozen=True)
class Member:
    """A range of an open file: `size` bytes from `offset` on."""

    name: str
    offset: int
    size: int


def read_exact(handle: BinaryIO, offset: int, size: int, code: str) -> bytes:
    """Exactly `size` bytes from `offset` on.

    Raises:
        GateError: `unsafe_archive:<code>`: the file ends before.
    """
    handle.seek(offset)
    data = handle.read(size)
    if len(data) != size:
        raise unsafe(code, "The archive is cut short.")
    return data


def unsafe(why: str, sentence: str) -> GateError:
    """A refusal with reason `unsafe_archive:<why>`.

    Args:
        why: stable `snake_case` code, optionally `:<detail>`.
        sentence: one plain sentence.
    """
    return GateError(
        one_line(sentence, 300),
        reason=f"unsafe_archive:{one_line(why, 300)}",
        hint="Do not load this archive; fetch it again from a source that you trust.",
    )
