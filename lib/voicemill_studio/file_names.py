"""Names of uploaded files as names on the disk, and random names of folders."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Collection
from pathlib import PurePosixPath

from voicemill import path_names

LONGEST = 100
"""Characters of a name on the disk, without its suffix."""
_UNSAFE = re.compile(r"[^A-Za-z0-9._ -]+")
_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")
_ID = re.compile(r"[0-9a-f]{16}")


def new_id() -> str:
    """A random name for a folder or file."""
    return secrets.token_hex(8)


def is_id(text: str) -> bool:
    """Whether a text has the form of `new_id`, so that it is safe as a name on the disk."""
    return _ID.fullmatch(text) is not None


def shown_name(name: str) -> str:
    """A client's file name for people: its last component, without control and formatting characters."""
    last = re.split(r"[\\/]", name)[-1]
    kept = "".join(letter if letter.isprintable() else "_" for letter in last).strip()
    return kept[:255] or "unnamed"


def safe_name(name: str, taken: Collection[str] = ()) -> str:
    """A client's file name as a name that every system stores: ASCII letters, digits, `.`, `_`, `-` and blanks.

    Args:
        name: as the client gave it, perhaps with a path.
        taken: names that are in use, compared without regard to case; a number is added to avoid them.
    """
    plain = unicodedata.normalize("NFKD", shown_name(name)).encode("ascii", "ignore").decode("ascii")
    path = PurePosixPath(_UNSAFE.sub("_", plain).strip(" ._-") or "file")
    suffix = path.suffix.lower() if _SUFFIX.fullmatch(path.suffix.lower()) else ""
    stem = path.name[: len(path.name) - len(suffix)].rstrip(" .")[:LONGEST].rstrip(" .") or "file"
    try:
        path_names.portable_relative(stem + suffix)
    except ValueError:  # the name of a device on Windows
        stem = f"file {stem}"
    used = {one.lower() for one in taken}
    found, number = stem + suffix, 2
    while found.lower() in used:
        found, number = f"{stem} {number}{suffix}", number + 1
    return found
