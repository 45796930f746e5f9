"""Files of a bundle beside its models: of a known kind, and in fact of that kind."""

from __future__ import annotations

import re
import struct
from pathlib import PurePosixPath
from typing import BinaryIO

from voicemill.weights.archive import is_pickle

MAX_TEXT_BYTES = 1 << 26
# fmt: off
CODE_SUFFIXES = frozenset({
    ".nemo", ".ckpt", ".pt", ".pth", ".th", ".pkl", ".pickle", ".joblib", ".npz", ".npy", ".bin", ".h5", ".tar",
    ".zip", ".gz", ".7z", ".whl", ".egg", ".so", ".py", ".pyc", ".sh", ".exe", ".onnx", ".safetensors", ".gguf",
})
# fmt: on
"""Files, in any letter case, that loaders execute, unpack or take for a model, also before another suffix."""
TEXTS = frozenset({"", ".txt", ".md", ".json", ".jsonl", ".csv", ".tsv", ".yaml", ".yml", ".dict", ".srt", ".vtt"})
STARTS = {
    ".wav": (b"RIFF",),
    ".flac": (b"fLaC",),
    ".ogg": (b"OggS",),
    ".opus": (b"OggS",),
    ".mp3": (b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"),
    ".png": (b"\x89PNG\r\n\x1a\n",),
}
"""Kinds of files that are no text, and how each begins."""
_END_RECORD = struct.Struct("<4s4H2LH")
"""PKWARE APPNOTE 6.3.10, section 4.3.16; the last number is the length of the comment that ends the file."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
"""Characters that no text has and every archive or program does."""


def fault(path: str, handle: BinaryIO) -> str:
    """Why a file does not belong in a bundle, in plain words; nothing if it may.

    Args:
        path: in the bundle.
        handle: the file, open for reading.
    """
    name = PurePosixPath(path)
    suffix = name.suffix.casefold()
    if {each.casefold() for each in name.suffixes} & CODE_SUFFIXES or suffix not in TEXTS | STARTS.keys():
        return "a file of this kind does not belong in a bundle"
    if suffix in STARTS:
        if not handle.read(16).startswith(STARTS[suffix]):
            return f"it is no {suffix[1:].upper()} file"
        return "it is a zip when read from its end" if _ends_as_zip(handle) else ""
    data = handle.read(MAX_TEXT_BYTES + 1)
    if len(data) > MAX_TEXT_BYTES:
        return "it is larger than any text of a voice"
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return "its content is code or an archive: it is not text"
    if _CONTROL.search(text) or text.lstrip("\ufeff").startswith("#!") or is_pickle(data):
        return "its content is code or an archive"
    return ""


def _ends_as_zip(handle: BinaryIO) -> bool:
    """Whether a file ends with the end record of a zip, so that readers of zips find another file in it."""
    size = handle.seek(0, 2)
    handle.seek(max(0, size - _END_RECORD.size - 0xFFFF))
    end = handle.read()
    at = end.find(b"PK\x05\x06")
    while at >= 0:
        record = end[at : at + _END_RECORD.size]
        if len(record) == _END_RECORD.size and _END_RECORD.unpack(record)[-1] == len(end) - at - _END_RECORD.size:
            return True
        at = end.find(b"PK\x05\x06", at + 1)
    return False
