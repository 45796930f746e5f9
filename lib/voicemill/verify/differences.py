"""Every difference between a bundle's manifest and what really lies in its folder."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from voicemill.bundle.contents import check_paths, digest_file, walk
from voicemill.bundle.manifest import MANIFEST, FileEntry, LoadedManifest, load_manifest
from voicemill.bundle.promote import check_digest
from voicemill.errors import BundleFileError, NotAcceptableError, UsageError

Kind = Literal["missing", "changed", "extra", "unsafe", "invalid"]

KINDS: dict[str, Kind] = {
    "manifest_missing": "missing",
    "manifest_invalid": "invalid",
    "required_file_missing": "missing",
    "bytes_mismatch": "changed",
    "checksum_mismatch": "changed",
    "unlisted_file": "extra",
    "unsafe_path": "unsafe",
    "not_a_regular_file": "unsafe",
}
"""Failure codes of the formats contract, section 8, and what each means for a person."""


@dataclass(frozen=True, order=True)
class Difference:
    """One thing that is not as the manifest says; sorts by path, then code."""

    path: str
    code: str
    detail: str = ""

    @property
    def kind(self) -> Kind:
        return KINDS[self.code]


@dataclass(frozen=True)
class BundleCheck:
    """A bundle's manifest, where it could be read, and all differences, sorted."""

    root: Path
    loaded: LoadedManifest | None
    differences: tuple[Difference, ...]

    @property
    def ok(self) -> bool:
        return not self.differences


def compare(root: Path) -> BundleCheck:
    """Compare a bundle folder with its manifest; every file is hashed, in parallel.

    Raises:
        UsageError: `bundle_not_found:<path>`: there is no such folder.
    """
    if not root.is_dir():
        raise UsageError(
            f"There is no folder {root}.",
            reason=f"bundle_not_found:{root.as_posix()}",
            hint="Give the folder of a bundle, for example bundles/<voice>/voice_bundle.",
        )
    try:
        loaded = load_manifest(root)
        check_paths(entry.path for entry in loaded.manifest.files)
        listing = walk(root)
    except BundleFileError as error:
        return BundleCheck(root, None, (_difference(error),))
    entries = {entry.path: entry for entry in loaded.manifest.files}
    found = [Difference(path, "not_a_regular_file", "a link, pipe or device") for path in listing.irregular]
    found += [Difference(path, "unlisted_file") for path in listing.regular if path not in entries and path != MANIFEST]
    parents = {str(parent) for path in entries for parent in PurePosixPath(path).parents}
    found += [
        Difference(f"{folder}/", "unlisted_file", "a folder without listed files")
        for folder in listing.folders
        if folder not in parents
    ]
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        checked = pool.map(lambda entry: _check(root, entry), entries.values())
        found += [difference for difference in checked if difference is not None]
    return BundleCheck(root, loaded, tuple(sorted(set(found))))


def _check(root: Path, entry: FileEntry) -> Difference | None:
    try:
        check_digest(entry, digest_file(root, entry.path))
    except BundleFileError as error:
        return _difference(error)
    return None


def _difference(error: BundleFileError) -> Difference:
    return Difference(_one_line(error.path) or MANIFEST, error.code, _one_line(str(error)))


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode("ascii") for c in text[:300])


def check_bundle(root: Path) -> BundleCheck:
    """`compare`, for callers that need the bundle to be right.

    Raises:
        NotAcceptableError: `verification_failed`, naming the files.
        UsageError: there is no such folder.
    """
    check = compare(root)
    if not check.ok:
        named = ", ".join(f"{each.path} ({each.code})" for each in check.differences[:10])
        raise NotAcceptableError(
            f"The bundle {root} is not what its manifest says: {named}.",
            reason="verification_failed",
            hint="Build or promote it again; do not use it.",
        )
    return check
