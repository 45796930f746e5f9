"""A strict reader of the stored zip that `torch.save` writes; nothing is unpacked.

Layout: PKWARE APPNOTE 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory), 4.3.16 (end record).
"""

from __future__ import annotations

import itertools
import struct
from typing import BinaryIO

from voicemill.errors import GateError
from voicemill.weights.archive_bytes import Member, read_exact, unsafe

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
MAX_ENTRIES = 20_000
MAX_DIRECTORY_BYTES = 4 * 1024 * 1024
_ALLOWED_FLAGS = 0x0808
"""Bit 3: sizes also follow the data; bit 11: names are UTF-8. Encryption and patches are not among them."""


def entries(handle: BinaryIO, member: Member) -> dict[str, Member]:
    """The entries of the zip that fills `member`, by name without their common top folder.

    Raises:
        GateError: `unsafe_archive:` with `weights_not_a_plain_zip`, `compressed_weights`, `duplicate_member`.
    """
    count, start, size = _end_record(handle, member)
    directory = _read(handle, member, start, size)
    found: dict[str, Member] = {}
    spans: list[tuple[int, int]] = []
    position, top = 0, ""
    for _ in range(count):
        name, local, length, position = _central(directory, position)
        folder, _, inner = name.partition("/")
        top = top or folder
        if folder != top or not folder or not inner or ".." in inner.split("/") or "\\" in inner:
            raise _not_plain(f"the entry {name!r} lies outside the checkpoint's folder")
        if inner.casefold() in found:
            raise unsafe("duplicate_member", f"The checkpoint holds {inner!r} twice.")
        data = _local(handle, member, local, name)
        if data + length > start:
            raise _not_plain("an entry overlaps the directory")
        spans.append((local, data + length))
        found[inner.casefold()] = Member(inner, member.offset + data, length)
    if position != len(directory):
        raise _not_plain("its directory has a rest")
    spans.sort()
    if any(end > begin for (_, end), (begin, _) in itertools.pairwise(spans)):
        raise _not_plain("entries overlap")
    return {entry.name: entry for entry in found.values()}


def _end_record(handle: BinaryIO, member: Member) -> tuple[int, int, int]:
    """Number of entries, start and size of the directory. A comment, a second disk or zip64 is refused."""
    if member.size < _END.size:
        raise _not_plain("it is too short")
    signature, disk, first, here, count, size, start, comment = _END.unpack(
        _read(handle, member, member.size - _END.size, _END.size)
    )
    if signature != b"PK\x05\x06" or disk or first or here != count or comment:
        raise _not_plain("it does not end with a plain directory")
    if count > MAX_ENTRIES or size > MAX_DIRECTORY_BYTES or start + size > member.size - _END.size:
        raise _not_plain("its directory is too large or lies outside")
    return count, start, size


def _central(directory: bytes, position: int) -> tuple[str, int, int, int]:
    """Name, offset of the local header, size, and the position of the next record."""
    if position + _CENTRAL.size > len(directory):
        raise _not_plain("its directory is cut short")
    (
        signature,
        _,
        _,
        flags,
        method,
        _,
        _,
        _,
        packed,
        length,
        name_size,
        extra_size,
        comment_size,
        disk,
        _,
        _,
        local,
    ) = _CENTRAL.unpack_from(directory, position)
    if signature != b"PK\x01\x02" or flags & ~_ALLOWED_FLAGS or disk or comment_size:
        raise _not_plain("its directory holds an unusual record")
    if method != 0 or packed != length:
        raise unsafe("compressed_weights", "The checkpoint inside the archive is compressed.")
    if length == 0xFFFFFFFF or local == 0xFFFFFFFF:
        raise _not_plain("it is larger than 4 GiB")
    begin = position + _CENTRAL.size
    try:
        name = directory[begin : begin + name_size].decode("utf-8")
    except UnicodeDecodeError as error:
        raise _not_plain("an entry's name is not UTF-8") from error
    return name, local, length, begin + name_size + extra_size


def _local(handle: BinaryIO, member: Member, offset: int, name: str) -> int:
    """Offset of an entry's data, after checking that its local header agrees with the directory."""
    signature, _, flags, method, _, _, _, _, _, name_size, extra_size = _LOCAL.unpack(
        _read(handle, member, offset, _LOCAL.size)
    )
    if signature != b"PK\x03\x04" or method != 0 or flags & ~_ALLOWED_FLAGS:
        raise _not_plain(f"the entry {name!r} has an unusual header")
    if _read(handle, member, offset + _LOCAL.size, name_size) != name.encode("utf-8"):
        raise _not_plain(f"the entry {name!r} has another name in its header")
    return offset + int(_LOCAL.size + name_size + extra_size)


def _read(handle: BinaryIO, member: Member, offset: int, size: int) -> bytes:
    if offset + size > member.size:
        raise _not_plain("it is cut short")
    return read_exact(handle, member.offset + offset, size, "weights_not_a_plain_zip")


def _not_plain(why: str) -> GateError:
    return unsafe("weights_not_a_plain_zip", f"The checkpoint inside the archive is not a plain zip: {why}.")
