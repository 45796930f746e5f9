"""Text files of unknown origin, read with an error message for each defect."""

from __future__ import annotations

import codecs
from pathlib import Path

from voicemill import files
from voicemill.errors import DatasetError

_MAX_BYTES = 16 * 1024 * 1024


def read_text(path: Path, *, utf_16: bool = False) -> str:
    """The whole of a UTF-8 text file.

    Args:
        path: the file.
        utf_16: also accept UTF-16 with a byte-order mark, which Praat writes.

    Raises:
        DatasetError: `missing_transcript`, the file does not exist, is not text, or is larger than 16 MiB.
    """
    try:
        data = files.read_bounded(path, _MAX_BYTES)
    except OSError as error:
        raise missing(f"Cannot read the transcript {path}: {error.strerror or error}.") from error
    return decode_text(data, str(path), utf_16=utf_16)


def decode_text(data: bytes, name: str, *, utf_16: bool = False) -> str:
    """The text of a UTF-8 file.

    Args:
        data: its bytes.
        name: what messages call it.
        utf_16: also accept UTF-16 with a byte-order mark, which Praat writes.

    Raises:
        DatasetError: `missing_transcript`, this is not text, or is larger than 16 MiB.
    """
    if len(data) > _MAX_BYTES:
        raise missing(f"{name} is larger than 16 MiB, too large for a transcript.")
    marked = utf_16 and data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise missing(f"{name}:{line}: not UTF-8 text.", "Save the transcript as UTF-8 text.") from error
    if "\0" in text:
        raise missing(f"{name} is not a text file.", "Save the transcript as UTF-8 text.")
    return text


def missing(
    message: str, hint: str = "Write the text of the recording, or remove the recording; no text is invented."
) -> DatasetError:
    """The error for a missing text."""
    return DatasetError(message, reason="missing_transcript", hint=hint)
