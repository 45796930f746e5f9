"""Text files of unknown origin, read with an error message for each defect."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from pathlib import Path

from voicemill import files
from voicemill.errors import DatasetError

_MAX_BYTES = 16 * 1024 * 1024
_DOCUMENTS = {
    b"PK\x03\x04": "a document of a word processor or a spreadsheet (.docx, .odt, .xlsx)",
    b"{\\rtf": "a Rich Text document",
    b"\xd0\xcf\x11\xe0": "a document of Microsoft Office",
    b"%PDF-": "a PDF document",
}
"""First bytes of documents that are often given in place of a text file."""


def read_text(path: Path, *, utf_16: bool = False, note: Callable[[str], None] | None = None) -> str:
    """The whole of a UTF-8 text file.

    Args:
        path: the file.
        utf_16: also accept UTF-16 with a byte-order mark, which Praat writes.
        note: is given a sentence where the encoding is another one: UTF-16 with a byte-order mark, or Windows-1252,
            which is guessed. Without it both are refused.

    Raises:
        DatasetError: `missing_transcript`, the file does not exist, is not text, or is larger than 16 MiB.
    """
    try:
        data = files.read_bounded(path, _MAX_BYTES)
    except OSError as error:
        raise missing(f"Cannot read the transcript {path}: {error.strerror or error}.") from error
    for start, kind in _DOCUMENTS.items():
        if data.startswith(start):
            raise missing(f"{path} is {kind}, not plain text.", "Save it as plain text (UTF-8) and give that file.")
    other = None if note is None or len(data) > _MAX_BYTES else _other_encoding(data)
    if note is None or other is None:
        return decode_text(data, str(path), utf_16=utf_16)
    note(f"{path.name}: read as {other[0]}; save it as UTF-8 if characters look wrong")
    return decode_text(other[1].encode(), str(path))


def _other_encoding(data: bytes) -> tuple[str, str] | None:
    """The name of another encoding than UTF-8, and the text; None if it is UTF-8 or no text."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "UTF-16", data.decode("utf-16", "replace")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        if any(byte < 9 or 13 < byte < 32 for byte in data):
            return None
        try:
            return "Windows-1252", data.decode("cp1252")
        except UnicodeDecodeError:
            return None
    return None


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
