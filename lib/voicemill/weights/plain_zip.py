"""A strict reader of the stored zip that `torch.save` writes; nothing is unpacked.

Every byte of the file is accounted for: the first entry begins at byte 0, each entry begins where the one before ends,
the only directory begins where the last entry ends, and the end record ends the file. Padding holds its fixed filler.
So there is one way to read the file, from its first byte or from its last.

Layout: PKWARE APPNOTE 6.3.10, sections 4.3.7 (local header), 4.3.9 (data descriptor), 4.3.12 (central directory),
4.3.14 to 4.3.16 (end records).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from voicemill.errors import GateError
from voicemill.weights.archive_bytes import Member, read_exact, unsafe

_LOCAL = struct.Struct("<4s5H3L2H")
_DESCRIPTOR = struct.Struct("<4s3L")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_END = struct.Struct("<4s4H2LH")
MAX_ENTRIES = 20_000
MAX_DIRECTORY_BYTES = 4 * 1024 * 1024
_SIZES_FOLLOW = 0x0008
_ALLOWED_FLAGS = 0x0800 | _SIZES_FOLLOW
"""Bit 3: sizes and checksum follow the data; bit 11: names are UTF-8. Encryption and patches are not allowed."""
_PADDING = b"FB"
"""Id of the extra field with which torch aligns the data of an entry; it is filled with `Z`."""


@dataclass(frozen=True)
class _Record:
    """An entry of the central directory."""

    name: str
    flags: int
    crc: int
    size: int
    local: int


def entries(handle: BinaryIO, member: Member) -> dict[str, Member]:
    """The entries of the zip that fills `member`, by name without their common top folder.

    Raises:
        GateError: `unsafe_archive:` with `weights_not_a_plain_zip`, `compressed_weights`, `duplicate_member`.
    """
    count, start, size = _end_record(handle, member)
    records = _records(_read(handle, member, start, size), count)
    found: dict[str, Member] = {}
    position, top = 0, ""
    for record in sorted(records, key=lambda each: each.local):
        folder, _, inner = record.name.partition("/")
        top = top or folder
        if folder != top or not folder or not inner or ".." in inner.split("/") or "\\" in inner:
            raise _not_plain(f"the entry {record.name!r} is outside the checkpoint's folder")
        if inner.casefold() in found:
            raise unsafe("duplicate_member", f"The checkpoint holds {inner!r} twice.")
        if record.local != position:
            raise _not_plain(f"the entry {record.name!r} does not begin where the one before ends")
        data = _local(handle, member, record)
        found[inner.casefold()] = Member(inner, member.offset + data, record.size)
        position = _end_of(handle, member, record, data)
    if position != start:
        raise _not_plain("its directory does not begin where the last entry ends")
    return {entry.name: entry for entry in found.values()}


def _end_record(handle: BinaryIO, member: Member) -> tuple[int, int, int]:
    """Number of entries, start and size of the directory. Comments and further disks are refused."""
    if member.size < _END.size:
        raise _not_plain("it is too short")
    signature, disk, first, here, count, size, start, comment = _END.unpack(
        _read(handle, member, member.size - _END.size, _END.size)
    )
    if signature != b"PK\x05\x06" or disk or first or here != count or comment:
        raise _not_plain("it does not end with a plain directory")
    if count > MAX_ENTRIES or size > MAX_DIRECTORY_BYTES:
        raise _not_plain("its directory is too large")
    end = start + size
    rest = member.size - _END.size - end
    if rest == _END64.size + _LOCATOR.size:
        # torch writes the 64-bit records always; they must repeat the plain one.
        held = _END64.unpack(_read(handle, member, end, _END64.size))
        located = _LOCATOR.unpack(_read(handle, member, end + _END64.size, _LOCATOR.size))
        if (held[0], held[1], held[4:]) != (b"PK\x06\x06", _END64.size - 12, (0, 0, count, count, size, start)):
            raise _not_plain("its two end records differ")
        if located != (b"PK\x06\x07", 0, end, 1):
            raise _not_plain("its two end records differ")
    elif rest != 0:
        raise _not_plain("there are bytes between its directory and its end")
    return count, start, size


def _records(directory: bytes, count: int) -> list[_Record]:
    found, position = [], 0
    for _ in range(count):
        record, position = _central(directory, position)
        found.append(record)
    if position != len(directory):
        raise _not_plain("its directory has a rest")
    return found


def _central(directory: bytes, position: int) -> tuple[_Record, int]:
    """A record of the directory, and the position of the next one."""
    if position + _CENTRAL.size > len(directory):
        raise _not_plain("its directory is cut short")
    fields = _CENTRAL.unpack_from(directory, position)
    signature, flags, method, (crc, packed, length) = fields[0], fields[3], fields[4], fields[7:10]
    (name_size, extra_size, comment_size, disk), local = fields[10:14], fields[16]
    if signature != b"PK\x01\x02" or flags & ~_ALLOWED_FLAGS or disk or comment_size or extra_size:
        raise _not_plain("its directory holds an unusual record")
    if method != 0 or packed != length:
        raise unsafe("compressed_weights", "The checkpoint inside the archive is compressed.")
    if length == 0xFFFFFFFF or local == 0xFFFFFFFF:
        raise _not_plain("it is larger than 4 GiB")
    begin = position + _CENTRAL.size
    if begin + name_size > len(directory):
        raise _not_plain("its directory is cut short")
    try:
        name = directory[begin : begin + name_size].decode("utf-8")
    except UnicodeDecodeError as error:
        raise _not_plain("an entry's name is not UTF-8") from error
    return _Record(name, flags, crc, length, local), begin + name_size


def _local(handle: BinaryIO, member: Member, record: _Record) -> int:
    """Offset of an entry's data, after checking that its local header agrees with the directory."""
    fields = _LOCAL.unpack(_read(handle, member, record.local, _LOCAL.size))
    signature, _, flags, method, _, _, crc, packed, length, name_size, extra_size = fields
    if signature != b"PK\x03\x04" or method != 0 or flags != record.flags:
        raise _not_plain(f"the entry {record.name!r} has an unusual header")
    known = (record.crc, record.size, record.size)
    if (crc, packed, length) != known and not (flags & _SIZES_FOLLOW and (crc, packed, length) == (0, 0, 0)):
        raise _not_plain(f"the entry {record.name!r} has another size in its header")
    begin = record.local + _LOCAL.size
    if _read(handle, member, begin, name_size) != record.name.encode("utf-8"):
        raise _not_plain(f"the entry {record.name!r} has another name in its header")
    extra = _read(handle, member, begin + name_size, extra_size)
    filler = _PADDING + max(0, extra_size - 4).to_bytes(2, "little") + b"Z" * (extra_size - 4)
    if extra and extra != filler:
        raise _not_plain(f"the entry {record.name!r} has an unusual header")
    return int(begin + name_size + extra_size)


def _end_of(handle: BinaryIO, member: Member, record: _Record, data: int) -> int:
    """Offset of the byte after an entry, after checking its descriptor."""
    end = data + record.size
    if not record.flags & _SIZES_FOLLOW:
        return end
    descriptor = _DESCRIPTOR.unpack(_read(handle, member, end, _DESCRIPTOR.size))
    if descriptor != (b"PK\x07\x08", record.crc, record.size, record.size):
        raise _not_plain(f"the entry {record.name!r} has another size in its descriptor")
    return end + _DESCRIPTOR.size


def _read(handle: BinaryIO, member: Member, offset: int, size: int) -> bytes:
    if offset + size > member.size:
        raise _not_plain("it is cut short")
    return read_exact(handle, member.offset + offset, size, "weights_not_a_plain_zip")


def _not_plain(why: str) -> GateError:
    return unsafe("weights_not_a_plain_zip", f"The checkpoint inside the archive is not a plain zip: {why}.")
