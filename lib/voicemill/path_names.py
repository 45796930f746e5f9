"""Names and relative paths that are safe to use, and that every system can store."""

from __future__ import annotations

import errno
import re
import unicodedata
from pathlib import PurePosixPath

from voicemill.errors import UsageError

_SURROGATE = re.compile(r"[\ud800-\udfff]")
_INVISIBLE = frozenset(("Cc", "Cf", "Co", "Zl", "Zp"))
"""Unicode categories without a shape of their own, among them the marks that reverse the order of letters."""
_DEVICE = re.compile(r"con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3]", re.IGNORECASE)
_MAX_NAME_BYTES = 255


def check_utf8(name: str, where: str) -> None:
    """Refuse a name that no report, manifest or status could hold, because its bytes are not UTF-8.

    Args:
        name: of a file, an option or a setting, as Python decodes it.
        where: what it belongs to, the subject of the message.

    Raises:
        UsageError: `name_not_utf8`.
    """
    if _SURROGATE.search(name):
        shown = name.encode("unicode_escape").decode("ascii")[:200]
        raise UsageError(
            f"{where} holds a name that is not UTF-8: {shown}.",
            reason=f"name_not_utf8:{shown}",
            hint="Rename it, for instance with convmv, and start again.",
        )


def too_long(error: OSError) -> UsageError | None:
    """The refusal of a name that is longer than the file system allows; None for another error."""
    if error.errno != errno.ENAMETOOLONG:
        return None
    shown = str(error.filename)[:60].encode("unicode_escape").decode("ascii")
    return UsageError(
        f"A name is longer than the file system allows: {shown}…",
        reason=f"name_too_long:{shown}",
        hint="Give a shorter path; of a text, check that its option takes a text.",
    )


def safe_relative(path: str) -> PurePosixPath:
    """Accept a relative POSIX path that stays inside its folder on every system.

    Raises:
        ValueError: with the reason.
    """
    if not path or len(path) > 1024:
        raise ValueError("empty or too long")
    if _SURROGATE.search(path):
        raise ValueError("not UTF-8")
    if any(ord(character) < 32 or ord(character) == 127 for character in path):
        raise ValueError("control character")
    if "\\" in path or path.startswith("/") or (len(path) > 1 and path[1] == ":"):
        raise ValueError("not a relative POSIX path")
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise ValueError("empty, '.' or '..' component")
    if unicodedata.normalize("NFC", path) != path:
        raise ValueError("not in Unicode normal form C")
    return PurePosixPath(path)


def portable_relative(path: str) -> PurePosixPath:
    """`safe_relative` for files that travel: every system stores each name as it is, and shows it as it is.

    Raises:
        ValueError: with the reason.
    """
    accepted = safe_relative(path)
    for part in accepted.parts:
        if any(character in '<>:"|?*' or unicodedata.category(character) in _INVISIBLE for character in part):
            raise ValueError("a character that some systems do not store or show")
        if part != part.strip() or part.endswith("."):
            raise ValueError("a component that begins or ends with a blank, or ends with a dot")
        if _DEVICE.fullmatch(part.partition(".")[0].rstrip()):
            raise ValueError("the name of a device on Windows")
        if len(part.encode()) > _MAX_NAME_BYTES:
            raise ValueError("a component longer than a file name can be")
    return accepted
