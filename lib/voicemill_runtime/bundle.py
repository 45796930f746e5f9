"""A voice from a bundle, loaded from the bytes whose digests the manifest lists.

Only the graph and the dictionary are read; `voice-verify bundle` checks a whole bundle.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import mmap
import os
import sys
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from voicemill import files
from voicemill.bundle.contents import GRAPH, LEXICON, open_regular
from voicemill.bundle.manifest import MANIFEST, MAX_MANIFEST_BYTES
from voicemill.bundle.origins import manifest_origin
from voicemill.errors import BundleFileError, UsageError
from voicemill.text.lexicon import Lexicon, Phones, read_own
from voicemill.weights.onnx_bytes import metadata_of_graph
from voicemill_marks.origin import Origin
from voicemill_runtime.graph import VoiceGraph
from voicemill_runtime.packed_lexicon import PackedEntries
from voicemill_runtime.voice import Voice

MAX_FILE_BYTES = 2 * 1024 * 1024 * 1024
_PART_BYTES = 1024 * 1024


def open_voice(root: Path, threads: int = 1, lexicon: Path | None = None) -> Voice:
    """Load the voice of a bundle.

    Args:
        root: the bundle's folder.
        threads: of onnxruntime; 0 lets it choose.
        lexicon: the user's dictionary, which overrides the voice's.

    Raises:
        DatasetError: `lexicon_missing` or `lexicon_invalid`.
        UsageError: `dry_run_cannot_speak`; `bundle_without_graph`, a bundle made before graphs were part of it.
        BundleFileError: `manifest_invalid`, `checksum_mismatch`, `required_file_missing` and other faults of files.
        GateError: `unsafe_graph:<why>`.
        BundleError: `graph_invalid`.
    """
    own = read_own(lexicon) if lexicon is not None else {}
    manifest, manifest_sha256 = _manifest(root)
    if manifest.get("dry_run"):
        raise UsageError(
            f"The bundle {root} comes from a dry run and cannot speak.",
            reason="dry_run_cannot_speak",
            hint="Train the voice first.",
        )
    entries = {entry["path"]: entry for entry in manifest["files"]}
    if GRAPH not in entries or LEXICON not in entries:
        raise UsageError(
            f"The bundle {root} has no {GRAPH}.",
            reason="bundle_without_graph",
            hint="Build the voice again: voice-train-prod with the same options exports it without training.",
        )
    with _graph(root, entries[GRAPH]) as (content, model):
        metadata_of_graph(content)
        graph = VoiceGraph(model, threads)
    origin = manifest_origin(manifest, manifest_sha256, root)
    return Voice(graph, Lexicon(_with_own(_entries(_listed(root, entries[LEXICON])), own)), origin)


def bundle_origin(root: Path) -> Origin | None:
    """The origin of a bundle's speech, for programs that speak with its other models.

    Raises:
        BundleFileError: `manifest_invalid` and other faults of the manifest.
    """
    manifest, sha256 = _manifest(root)
    return manifest_origin(manifest, sha256, root)


def _manifest(root: Path) -> tuple[dict[str, Any], str]:
    """The parsed manifest and the sha256 of its bytes."""
    with open_regular(root, MANIFEST) as handle:
        data = handle.read(MAX_MANIFEST_BYTES + 1)
    try:
        manifest = files.parse_json(data, max_bytes=MAX_MANIFEST_BYTES)
        for entry in manifest["files"]:
            if not (isinstance(entry["path"], str) and isinstance(entry["sha256"], str)):
                raise TypeError("an entry of files has no path or digest")
            if not 0 <= int(entry["bytes"]) <= MAX_FILE_BYTES:
                raise ValueError(f"{entry['path']} is too large")
    except (ValueError, KeyError, TypeError) as error:
        raise BundleFileError(
            f"The manifest of {root} cannot be read: {error}.",
            reason="manifest_invalid",
            path=MANIFEST,
            hint="Copy the bundle again, whole.",
        ) from error
    return manifest, hashlib.sha256(data).hexdigest()


@contextlib.contextmanager
def _graph(root: Path, entry: dict[str, Any]) -> Iterator[tuple[bytes | mmap.mmap, bytes | str]]:
    """The content of the listed graph, and what a session is made of: the path of a file in memory with that content.

    The content is whole in memory only there and in the session. Where the system has no files in memory, both are its
    bytes.
    """
    try:
        number = os.memfd_create(GRAPH, os.MFD_CLOEXEC) if int(entry["bytes"]) else -1
    except (AttributeError, OSError):
        number = -1
    if number < 0:
        data = _listed(root, entry)
        yield data, data
        return
    with open(number, "w+b") as file:
        _copy_listed(root, entry, file.write)
        file.flush()
        yield mmap.mmap(number, 0, access=mmap.ACCESS_READ), f"/proc/self/fd/{number}"


def _listed(root: Path, entry: dict[str, Any]) -> bytes:
    """The content of a listed file, if it is the content that the manifest lists."""
    parts: list[bytes] = []
    _copy_listed(root, entry, parts.append)
    return b"".join(parts)


def _copy_listed(root: Path, entry: dict[str, Any], write: Callable[[bytes], object]) -> None:
    """Pass the content of a listed file on in parts; what was written counts only if nothing is raised.

    Raises:
        BundleFileError: `checksum_mismatch`: it is not the content that the manifest lists.
    """
    left, digest = int(entry["bytes"]) + 1, hashlib.sha256()
    with open_regular(root, entry["path"]) as handle:
        while left and (part := handle.read(min(left, _PART_BYTES))):
            left -= len(part)
            digest.update(part)
            write(part)
    if left != 1 or digest.hexdigest() != entry["sha256"]:
        raise BundleFileError(
            f"{entry['path']} is not the file that the manifest lists.",
            reason="checksum_mismatch",
            path=entry["path"],
            hint="Copy the bundle again, whole.",
        )


def _entries(data: bytes) -> Mapping[str, Phones]:
    """The dictionary: a word and its phones a line, sorted in every bundle that this toolbox makes."""
    try:
        return PackedEntries(data)
    except ValueError:
        lines = (line.decode("utf-8").split() for line in io.BytesIO(data))
        return {word: tuple(map(sys.intern, phones)) for word, *phones in lines}


def _with_own(entries: Mapping[str, Phones], own: dict[str, Phones]) -> Mapping[str, Phones]:
    """The user's entries before those of the voice."""
    return ChainMap(own, entries) if own else entries  # type: ignore[arg-type]  # nothing writes into the second
