"""A strict reader of plain tars. It refuses everything that `tarfile` would skip, guess or repair.

Every byte of the file belongs to a header, a member, zero padding or the zeros at the end. A `.nemo` archive and an
exported voice are POSIX tars (`ustar`, with pax headers for times and, where allowed, for names). Layout: IEEE Std
1003.1-2017, pax, "ustar Interchange Format".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from voicemill.weights.archive_bytes import Member, read_exact, unsafe

BLOCK = 512
RECORD = 20 * BLOCK
"""Writers pad the end to a whole record."""
MAX_MEMBERS = 64
MAX_PAX_BYTES = 4096
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_PAX_LINE = re.compile(rb"(\d{1,4}) (mtime|atime|ctime|path|size)=([^\n]*)\n")
_TIME = re.compile(rb"-?\d{1,20}(?:\.\d{1,20})?")
_USTAR = b"ustar\x0000"
_GNU = b"ustar  \x00"
_OWNER = re.compile(rb"[ -~]*\x00*")


def members(handle: BinaryIO, total: int) -> dict[str, Member]:
    """The regular members of a model archive of `total` bytes, by flat name (a leading `./` is dropped).

    Raises:
        GateError: `unsafe_archive:` with `not_a_plain_tar`, `unsafe_name`, `link_or_special_member`,
            `duplicate_member`, `too_many_members`, `trailing_data`.
    """
    found: dict[str, Member] = {}
    taken: set[str] = set()
    for member, kind in walk(handle, total, folders=False):
        flat = _flat_name(member.name, kind, member.size)
        if flat.casefold() in taken:
            raise unsafe("duplicate_member", f"The archive holds {flat!r} twice.")
        taken.add(flat.casefold())
        if kind != b"5":
            found[flat] = Member(flat, member.offset, member.size)
        if len(taken) > MAX_MEMBERS:
            raise unsafe("too_many_members", f"The archive holds more than {MAX_MEMBERS} members.")
    return found


def walk(handle: BinaryIO, total: int, *, folders: bool) -> Iterator[tuple[Member, bytes]]:
    """Every member in order, with its type flag (`b"0"` for a regular file); names are not judged.

    Args:
        handle: the open file.
        total: its size in bytes.
        folders: whether names may hold folders, in the header's prefix and in pax headers.

    Raises:
        GateError: `unsafe_archive:` with `not_a_plain_tar`, `unsafe_name`, `trailing_data`.
    """
    position, pax = 0, None
    while True:
        header = _read(handle, position, BLOCK)
        if header == bytes(BLOCK):
            _check_end(handle, position, total, pax is not None)
            return
        name, size, kind = _parse(header, folders)
        data = position + BLOCK
        if kind == b"x":
            if pax is not None or size > MAX_PAX_BYTES:
                raise unsafe("not_a_plain_tar", "The archive has extended headers that are too long or follow another.")
            pax = _parse_pax(_read(handle, data, size), folders)
        else:
            name, size = _with_pax(name, size, pax or {})
            pax = None
        end = data + size
        position = data + -(-size // BLOCK) * BLOCK
        if position > total:
            raise unsafe("not_a_plain_tar", f"The archive ends inside its member {name!r}.")
        if _read(handle, end, position - end).strip(b"\x00"):
            raise unsafe("not_a_plain_tar", f"The padding after the member {name!r} holds data.")
        if kind != b"x":
            yield Member(name, data, size), kind


def _read(handle: BinaryIO, offset: int, size: int) -> bytes:
    return read_exact(handle, offset, size, "not_a_plain_tar")


def _parse(header: bytes, folders: bool) -> tuple[str, int, bytes]:
    """Name, size and type of one header block."""
    magic = header[257:265]
    if magic not in (_USTAR, _GNU) or _octal(header[148:156]) != sum(header[:148]) + 8 * 32 + sum(header[156:]):
        raise unsafe("not_a_plain_tar", "The archive is not a plain, uncompressed tar.")
    prefix = header[345:500].rstrip(b"\x00")
    if prefix and not (folders and magic == _USTAR):
        raise unsafe("unsafe_name", "A member of the archive lies in a folder.")
    kind = header[156:157].replace(b"\x00", b"0")
    owners = (header[265:297], header[297:329])
    numbers = (header[100:124], header[136:148], header[329:345])  # mode and owner, time, device
    unused = (header[500:512], header[157:257] if kind in (b"0", b"x") else b"")
    if (
        any(not _OWNER.fullmatch(field) for field in owners)
        or any(field.strip(b"01234567 \x00") for field in numbers)
        or any(field.strip(b"\x00") for field in unused)
    ):
        raise unsafe("not_a_plain_tar", "A header of the archive holds data in an unused field.")
    name = header[:100].rstrip(b"\x00")
    try:
        whole = (prefix + b"/" + name if prefix else name).decode("ascii")
    except UnicodeDecodeError as error:
        raise unsafe("unsafe_name", "A member of the archive has a name beyond ASCII.") from error
    return whole, _octal(header[124:136]), kind


def _octal(field: bytes) -> int:
    digits = field.rstrip(b"\x00 ").lstrip(b" ")
    if not re.fullmatch(rb"[0-7]{1,12}", digits):
        raise unsafe("not_a_plain_tar", "A header of the archive holds something else than octal numbers.")
    return int(digits, 8)


def _parse_pax(data: bytes, folders: bool) -> dict[bytes, bytes]:
    """The records of an extended header: times, and where folders are allowed the member's path and size."""
    found: dict[bytes, bytes] = {}
    position = 0
    while position < len(data):
        match = _PAX_LINE.match(data, position)
        if match is None or int(match[1]) != len(match[0]) or match[2] in found:
            break
        if match[2] in (b"path", b"size") and not folders:
            break
        if match[2] not in (b"path", b"size") and not _TIME.fullmatch(match[3]):
            break
        found[match[2]] = match[3]
        position = match.end()
    if not data or position != len(data):
        raise unsafe("not_a_plain_tar", "The archive has extended headers that hold more than times.")
    return found


def _with_pax(name: str, size: int, pax: dict[bytes, bytes]) -> tuple[str, int]:
    try:
        name = pax[b"path"].decode("utf-8") if b"path" in pax else name
        if b"size" in pax:
            if not re.fullmatch(rb"[0-9]{1,15}", pax[b"size"]):
                raise ValueError("not a size")
            size = int(pax[b"size"])
    except ValueError as error:
        raise unsafe("not_a_plain_tar", "An extended header of the archive holds an invalid value.") from error
    return name, size


def _flat_name(name: str, kind: bytes, size: int) -> str:
    if kind == b"5" and name in (".", "./") and size == 0:
        return "."
    if kind != b"0":
        raise unsafe("link_or_special_member", f"The member {name!r} is not a regular file.")
    flat = name.removeprefix("./")
    if not _NAME.fullmatch(flat) or ".." in flat:
        raise unsafe("unsafe_name", f"The member name {name!r} is not a plain file name.")
    return flat


def _check_end(handle: BinaryIO, position: int, total: int, after_pax: bool) -> None:
    rest = total - position
    if after_pax or rest < 2 * BLOCK or rest > RECORD + BLOCK or _read(handle, position, rest).strip(b"\x00"):
        raise unsafe("trailing_data", "The archive does not end where its tar ends.")
