"""Judging a voice's zip before anything is unpacked: names, kinds, sizes, no stray bytes."""

from __future__ import annotations

import itertools
import stat
import struct
import unicodedata
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO

from voicemill import path_names
from voicemill.errors import DatasetError

_LOCAL, _END64, _LOCATOR = struct.Struct("<4s5H3L2H"), struct.Struct("<4sQ2H2L4Q"), struct.Struct("<4sLQL")
"""PKWARE APPNOTE 6.3.10: a local header (4.3.7), the 64-bit end record (4.3.14) and its locator (4.3.15)."""
_END = 22
"""Bytes of the end record (4.3.16) without a comment."""
_WIDE, _ELSEWHERE = 1, 0xFFFFFFFF
"""Id of the extra field with 64-bit sizes (4.5.3), and what stands in place of a size that is there."""
_KNOWN_EXTRA = frozenset({_WIDE, 0x5455, 0x7875})
"""64-bit sizes; times and owner, which other programs add."""
_MOST_EXTRA = 32
"""Bytes of one extra field."""
_MAX_INFLATION, _SMALL = 50, 32 * 1024**2
"""Bytes that an archive may claim for each of its own, unless it claims few. Recordings have two to four."""
_UTF8, _LEVEL = 0x0800, 0x0006
"""Flags: UTF-8 names; the level of a compression. Encryption and sizes that follow the data are refused."""


@dataclass(frozen=True)
class ArchiveRules:
    """What an archive may hold.

    Attributes:
        allowed: whether a name has a place in it.
        max_entries: number of entries.
        max_bytes: of all entries together, unpacked.
        compressed: entries may be deflated, and folders may have entries of their own.
    """

    allowed: Callable[[str], bool]
    max_entries: int
    max_bytes: int
    compressed: bool = False


def judged(archive: zipfile.ZipFile, size: int, rules: ArchiveRules) -> dict[str, zipfile.ZipInfo]:
    """Every file of an archive by name, after all entries were found harmless; nothing has been unpacked yet.

    Args:
        archive: open for reading.
        size: bytes of the whole file.
        rules: what it may hold.

    Raises:
        DatasetError: `voice_archive_unsafe:` with `unsafe_path`, `link_or_device`, `duplicate`, `compressed`,
            `encrypted`, `too_large`, `too_many`, `overlapping`, `unexpected_entry`, `not_a_zip`.
    """
    infos = archive.infolist()
    if len(infos) > rules.max_entries:
        raise unsafe("too_many", f"it holds more than {rules.max_entries:,} entries")
    found: dict[str, zipfile.ZipInfo] = {}
    seen: set[str] = set()
    for info in infos:
        _judge(info, rules)
        key = unicodedata.normalize("NFKC", info.filename).casefold()
        if key in seen:
            raise unsafe("duplicate", f"it holds {info.filename!r} twice")
        seen.add(key)
        if not info.is_dir():
            found[info.filename] = info
    claimed = sum(info.file_size for info in infos)
    if claimed > rules.max_bytes or (claimed > size and not rules.compressed):
        most = f"{rules.max_bytes // 1024**2:,} MiB" if rules.compressed else f"{rules.max_bytes // 1024**3} GiB"
        raise unsafe("too_large", f"its entries claim more bytes than it has, or more than {most}")
    if claimed > max(_MAX_INFLATION * size, _SMALL):
        raise unsafe("too_large", f"its entries claim more than {_MAX_INFLATION} times the bytes that it has")
    ordered = sorted(infos, key=lambda info: info.header_offset)
    for one, other in itertools.pairwise(ordered):
        if one.header_offset + _LOCAL.size + len(one.filename.encode()) + one.compress_size > other.header_offset:
            raise unsafe("overlapping", f"{one.filename!r} and {other.filename!r} share bytes")
    _check_every_byte(archive, infos, size)
    return found


def _check_every_byte(archive: zipfile.ZipFile, infos: Sequence[zipfile.ZipInfo], size: int) -> None:
    """Entries, directory and end record follow each other without a gap, from byte 0 to the last, and agree."""
    handle = archive.fp
    if handle is None or archive.comment or any(info.comment for info in infos):
        raise unsafe("not_a_zip", "it holds a comment")
    position = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset > position:
            raise unsafe("not_a_zip", f"there are bytes before '{info.filename}' that belong to no entry")
        position = max(position, _check_local(handle, info))
    directory = sum(46 + len(info.orig_filename.encode()) + len(info.extra) + len(info.comment) for info in infos)
    rest = size - archive.start_dir - directory
    if archive.start_dir != position or rest not in (_END, _END64.size + _LOCATOR.size + _END):
        raise unsafe("not_a_zip", "there are bytes that belong to no entry")
    if rest != _END:
        handle.seek(archive.start_dir + directory)
        held = _END64.unpack(handle.read(_END64.size))
        located = _LOCATOR.unpack(handle.read(_LOCATOR.size))
        wanted = (0, 0, len(infos), len(infos), directory, archive.start_dir)
        if (held[0], held[1], held[4:]) != (b"PK\x06\x06", _END64.size - 12, wanted):
            raise unsafe("not_a_zip", "its two end records differ")
        if located != (b"PK\x06\x07", 0, archive.start_dir + directory, 1):
            raise unsafe("not_a_zip", "its two end records differ")


def _check_local(handle: IO[bytes], info: zipfile.ZipInfo) -> int:
    """Offset of the byte after an entry, after checking that its own header says what the directory says."""
    shown = info.filename
    handle.seek(info.header_offset)
    fields = _LOCAL.unpack(handle.read(_LOCAL.size).ljust(_LOCAL.size, b"\0"))
    signature, _, flags, method, _, _, crc, packed, unpacked, name_size, extra_size = fields
    name, extra = handle.read(name_size), handle.read(extra_size)
    wide = _extra_fields(extra, shown).get(_WIDE)
    _extra_fields(info.extra, shown)
    if wide is not None and (packed, unpacked) == (_ELSEWHERE, _ELSEWHERE) and len(wide) == 16:
        unpacked, packed = struct.unpack("<2Q", wide)
    found = (signature, flags, method, crc, packed, unpacked, name)
    known = (info.flag_bits, info.compress_type, info.CRC, info.compress_size, info.file_size)
    if found != (b"PK\x03\x04", *known, info.orig_filename.encode()):
        raise unsafe("not_a_zip", f"the header of '{shown}' differs from the directory")
    return int(info.header_offset + _LOCAL.size + name_size + extra_size + info.compress_size)


def _extra_fields(data: bytes, shown: str) -> dict[int, bytes]:
    """The extra fields of a header by their ids, if they are of known kinds and fill it."""
    found: dict[int, bytes] = {}
    position = 0
    while position + 4 <= len(data):
        number, size = struct.unpack_from("<2H", data, position)
        found[number] = data[position + 4 : position + 4 + size]
        if number not in _KNOWN_EXTRA or len(found[number]) != size or size > _MOST_EXTRA:
            break
        position += 4 + size
    if position != len(data):
        raise unsafe("not_a_zip", f"the header of '{shown}' holds unknown fields")
    return found


def _judge(info: zipfile.ZipInfo, rules: ArchiveRules) -> None:
    shown = info.filename.encode("unicode_escape").decode("ascii")[:100]
    original = getattr(info, "orig_filename", info.filename)
    name = info.filename.removesuffix("/") if rules.compressed and info.file_size == 0 else info.filename
    try:
        path_names.portable_relative(name)
        inside = rules.allowed(info.filename)
    except ValueError as error:
        raise unsafe("unsafe_path", f"the entry '{shown}' would leave its folder: {error}") from error
    if original != info.filename:  # zipfile cuts a name at a NUL byte
        raise unsafe("unsafe_path", f"the entry '{shown}' has a hidden end")
    if not inside:
        raise unsafe("unexpected_entry", f"'{shown}' has no place in it")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFDIR if info.is_dir() else stat.S_IFREG):
        raise unsafe("link_or_device", f"'{shown}' is a link or a device")
    if info.flag_bits & ~(_UTF8 | (_LEVEL if rules.compressed else 0)):
        raise unsafe("encrypted", f"'{shown}' is encrypted or of unknown size")
    stored = info.compress_type == zipfile.ZIP_STORED and info.compress_size == info.file_size
    if not stored and not (rules.compressed and info.compress_type == zipfile.ZIP_DEFLATED):
        raise unsafe("compressed", f"'{shown}' is compressed, which an exported voice never is")


def unsafe(code: str, why: str) -> DatasetError:
    """The refusal of an archive."""
    return DatasetError(
        f"The archive is refused: {why}.",
        reason=f"voice_archive_unsafe:{code}",
        hint="Take only archives that an export wrote, from people you know.",
    )
