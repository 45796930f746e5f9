"""A strict reader of plain tars. It refuses everything that `tarfile` would skip, guess or repair.

A `.nemo` archive is a POSIX tar (`ustar`, with pax headers that only carry times). Layout: IEEE Std 1003.1-2017, pax,
"ustar Interchange Format".
"""

from __future__ import annotations

import re
from typing import BinaryIO

from voicemill.weights.archive_bytes import Member, read_exact, unsafe

BLOCK = 512
RECORD = 20 * BLOCK
"""Writers pad the end to a whole record."""
MAX_MEMBERS = 64
MAX_PAX_BYTES = 4096
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_PAX_LINE = re.compile(rb"\d{1,4} (?:mtime|atime|ctime)=-?\d{1,20}(?:\.\d{1,20})?\n")
_MAGICS = (b"ustar\x0000", b"ustar  \x00")


def members(handle: BinaryIO, total: int) -> dict[str, Member]:
    """The regular members of a tar of `total` bytes, by flat name (a leading `./` is dropped).

    Raises:
        GateError: `unsafe_archive:` with `not_a_plain_tar`, `unsafe_name`, `link_or_special_member`,
            `duplicate_member`, `too_many_members`, `trailing_data`.
    """
    found: dict[str, Member] = {}
    taken: set[str] = set()
    position, after_pax = 0, False
    while True:
        header = _read(handle, position, BLOCK)
        if header == bytes(BLOCK):
            _check_end(handle, position, total, after_pax)
            return found
        name, size, kind = _parse(header)
        data = position + BLOCK
        if data + size > total:
            raise unsafe("not_a_plain_tar", f"The archive ends inside its member {name!r}.")
        position = data + -(-size // BLOCK) * BLOCK
        if kind == b"x":
            _check_pax(_read(handle, data, size) if size <= MAX_PAX_BYTES and not after_pax else b"")
            after_pax = True
            continue
        after_pax = False
        flat = _flat_name(name, kind, size)
        if flat.casefold() in taken:
            raise unsafe("duplicate_member", f"The archive holds {flat!r} twice.")
        taken.add(flat.casefold())
        if kind != b"5":
            found[flat] = Member(flat, data, size)
        if len(taken) > MAX_MEMBERS:
            raise unsafe("too_many_members", f"The archive holds more than {MAX_MEMBERS} members.")


def _read(handle: BinaryIO, offset: int, size: int) -> bytes:
    return read_exact(handle, offset, size, "not_a_plain_tar")


def _parse(header: bytes) -> tuple[str, int, bytes]:
    """Name, size and type of one header block."""
    if header[257:265] not in _MAGICS or _octal(header[148:156]) != sum(header[:148]) + 8 * 32 + sum(header[156:]):
        raise unsafe("not_a_plain_tar", "The archive is not a plain, uncompressed tar.")
    if header[345:500].strip(b"\x00"):
        raise unsafe("unsafe_name", "A member of the archive lies in a folder.")
    name = header[:100].rstrip(b"\x00")
    try:
        return name.decode("ascii"), _octal(header[124:136]), header[156:157].replace(b"\x00", b"0")
    except UnicodeDecodeError as error:
        raise unsafe("unsafe_name", "A member of the archive has a name beyond ASCII.") from error


def _octal(field: bytes) -> int:
    digits = field.rstrip(b"\x00 ").lstrip(b" ")
    if not re.fullmatch(rb"[0-7]{1,12}", digits):
        raise unsafe("not_a_plain_tar", "A header of the archive holds something else than octal numbers.")
    return int(digits, 8)


def _check_pax(data: bytes) -> None:
    position = 0
    while position < len(data):
        match = _PAX_LINE.match(data, position)
        if match is None or int(match[0].split(b" ", 1)[0]) != len(match[0]):
            break
        position = match.end()
    if not data or position != len(data):
        raise unsafe("not_a_plain_tar", "The archive has extended headers that say more than times.")


def _flat_name(name: str, kind: bytes, size: int) -> str:
    if kind == b"5" and name in (".", "./") and size == 0:
        return "."
    if kind != b"0":
        raise unsafe("link_or_special_member", f"The member {name!r} is no regular file.")
    flat = name.removeprefix("./")
    if not _NAME.fullmatch(flat) or ".." in flat:
        raise unsafe("unsafe_name", f"The member name {name!r} is not a plain file name.")
    return flat


def _check_end(handle: BinaryIO, position: int, total: int, after_pax: bool) -> None:
    rest = total - position
    if after_pax or rest < 2 * BLOCK or rest > RECORD + BLOCK or _read(handle, position, rest).strip(b"\x00"):
        raise unsafe("trailing_data", "The archive does not end where its tar ends.")
