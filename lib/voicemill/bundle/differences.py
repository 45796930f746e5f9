"""Differences between a bundle's manifest and its folder.

Verification, signing, export, import and synthesis all compare through this module and reuse its digests.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from voicemill.bundle.contents import Digest, Listing, check_paths, digest_file, for_each, walk
from voicemill.bundle.manifest import MANIFEST, FileEntry, LoadedManifest, load_manifest
from voicemill.errors import BundleFileError, NotAcceptableError, UsageError
from voicemill.protocol import one_line

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
"""Failure codes of docs/formats.md, section 8, and the kind of difference that each means."""
_SHOWN = 300
"""Characters of a name or sentence that are shown."""


@dataclass(frozen=True, order=True)
class Difference:
    """One difference from the manifest; sorts by path, then code."""

    path: str
    code: str
    detail: str = ""

    @property
    def kind(self) -> Kind:
        return KINDS[self.code]

    def error(self) -> BundleFileError:
        """The difference as a refusal."""
        return BundleFileError(
            self.detail or f"{self.path} is in the bundle but not listed.",
            reason=self.code,
            path=self.path,
            hint="Build the bundle again; do not use it as it is.",
        )


@dataclass(frozen=True)
class BundleCheck:
    """A bundle's manifest, where it could be read, and all differences, sorted.

    Attributes:
        digests: of the manifest and of every listed file that could be hashed, by path.
    """

    root: Path
    loaded: LoadedManifest | None
    differences: tuple[Difference, ...]
    digests: Mapping[str, Digest] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return not self.differences


def compare(root: Path) -> BundleCheck:
    """Compare a bundle folder with its manifest; every listed file is hashed, in parallel.

    Raises:
        UsageError: `bundle_not_found:<path>`: there is no such folder.
        StorageError: `not_readable`: a file cannot be read.
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
        manifest = digest_file(root, MANIFEST)
        check_digest(FileEntry(path=MANIFEST, bytes=manifest.bytes, sha256=loaded.sha256), manifest)
    except BundleFileError as error:
        return BundleCheck(root, None, (_difference(error),))
    entries = loaded.manifest.files
    digests = {MANIFEST: manifest}
    found = set(unexpected(listing, entries))
    for entry, digest in zip(entries, for_each(entries, lambda entry: _digest(root, entry)), strict=True):
        if isinstance(digest, BundleFileError):
            found.add(_difference(digest))
            continue
        digests[entry.path] = digest
        try:
            check_digest(entry, digest)
        except BundleFileError as error:
            found.add(_difference(error))
    return BundleCheck(root, loaded, tuple(sorted(found)), digests)


def unexpected(listing: Listing, entries: Iterable[FileEntry]) -> Iterator[Difference]:
    """Entries of a folder that are not listed, or are neither file nor folder."""
    listed = {entry.path for entry in entries}
    parents = {str(parent) for path in listed for parent in PurePosixPath(path).parents}
    for path in listing.irregular:
        yield Difference(one_line(path, _SHOWN), "not_a_regular_file", "a link, pipe or device")
    for path in listing.regular:
        if path not in listed and path != MANIFEST:
            yield Difference(one_line(path, _SHOWN), "unlisted_file")
    for path in listing.folders:
        if path not in parents:
            yield Difference(f"{one_line(path, _SHOWN)}/", "unlisted_file", "a folder without listed files")


def check_digest(entry: FileEntry, found: Digest) -> None:
    """Compare a file with its entry.

    Raises:
        BundleFileError: `bytes_mismatch`, `checksum_mismatch`.
    """
    if found.bytes != entry.bytes:
        raise BundleFileError(
            f"{entry.path} has {found.bytes} bytes; the manifest lists {entry.bytes}.",
            reason="bytes_mismatch",
            path=entry.path,
            hint="Build the bundle again; do not use this one.",
        )
    if found.sha256 != entry.sha256:
        raise BundleFileError(
            f"{entry.path} does not have the sha256 of the manifest.",
            reason="checksum_mismatch",
            path=entry.path,
            hint="Build the bundle again; do not use this one.",
        )


def check_bundle(root: Path) -> BundleCheck:
    """`compare`, for callers that need the bundle to be right.

    Raises:
        NotAcceptableError: `verification_failed`, naming the files.
        UsageError: there is no such folder.
        StorageError: `not_readable`: a file cannot be read.
    """
    check = compare(root)
    if not check.ok:
        named = ", ".join(f"{each.path} ({each.code})" for each in check.differences[:10])
        raise NotAcceptableError(
            f"The bundle {root} differs from its manifest: {named}.",
            reason="verification_failed",
            hint="Build or promote it again; do not use it.",
        )
    return check


def _digest(root: Path, entry: FileEntry) -> Digest | BundleFileError:
    try:
        return digest_file(root, entry.path, entry.bytes)
    except BundleFileError as error:
        return error


def _difference(error: BundleFileError) -> Difference:
    return Difference(one_line(error.path, _SHOWN) or MANIFEST, error.code, one_line(str(error), _SHOWN))
