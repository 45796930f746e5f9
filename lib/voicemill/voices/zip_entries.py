"""Judging a voice's zip before anything is unpacked: names, kinds, sizes, no stray bytes."""

from __future__ import annotations

import itertools
import stat
import struct
import unicodedata
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from voicemill import path_names
from voicemill.errors import DatasetError

_LOCAL_HEADER = 30
"""Bytes of a local file header before its name (APPNOTE 4.3.7)."""
_END_SIZES = (22, 22 + 56 + 20)
"""Bytes after the directory: the end record, with or without the 64-bit records before it."""
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
    ordered = sorted(infos, key=lambda info: info.header_offset)
    for one, other in itertools.pairwise(ordered):
        if one.header_offset + _LOCAL_HEADER + len(one.filename.encode()) + one.compress_size > other.header_offset:
            raise unsafe("overlapping", f"{one.filename!r} and {other.filename!r} share bytes")
    _check_every_byte(archive, infos, size)
    return found


def _check_every_byte(archive: zipfile.ZipFile, infos: Sequence[zipfile.ZipInfo], size: int) -> None:
    """Entries, directory and end record follow each other without a gap, from byte 0 to the last."""
    if archive.fp is None or archive.comment:
        raise unsafe("not_a_zip", "it holds a comment")
    position = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        archive.fp.seek(info.header_offset + 26)
        name, extra = struct.unpack("<2H", archive.fp.read(4).ljust(4, b"\0"))
        end = info.header_offset + _LOCAL_HEADER + name + extra + info.compress_size
        if info.header_offset > position:
            raise unsafe("not_a_zip", f"there are bytes before '{info.filename}' that belong to no entry")
        position = max(position, end)
    directory = sum(46 + len(info.orig_filename.encode()) + len(info.extra) + len(info.comment) for info in infos)
    if archive.start_dir > position or size - archive.start_dir - directory not in _END_SIZES:
        raise unsafe("not_a_zip", "there are bytes that belong to no entry")


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
