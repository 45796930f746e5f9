"""A promoted bundle with its companions as one deterministic tar, and the safe way back."""

from __future__ import annotations

import os
import tarfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from voicemill import files
from voicemill.bundle.contents import (
    CERTIFICATE,
    MAX_ENTRIES,
    OPINIONS,
    SAMPLE_CREDENTIALS,
    STABILITY,
    Digest,
    check_paths,
    open_regular,
    open_unchanged,
)
from voicemill.bundle.differences import check_bundle, compare
from voicemill.bundle.manifest import MANIFEST, PromotedManifest
from voicemill.bundle.promote import check_dry_run
from voicemill.errors import BundleError, BundleFileError, GateError, StorageError, UsageError
from voicemill.protocol import one_line
from voicemill.weights import plain_tar
from voicemill.weights.archive_bytes import Member
from voicemill.workspace import profile_id

BUNDLE = "voice_bundle"
COMPANIONS = (
    CERTIFICATE,
    OPINIONS,
    STABILITY,
    SAMPLE_CREDENTIALS,
    "voice_bundle.sig",
    "voice_bundle.provenance.sig",
    "voice_bundle.cdx.json",
)
"""Files beside the bundle's folder that are exported with it."""
MAX_BYTES = 8 * 1024**3
"""Largest sum of the files in a tar that is imported."""


@dataclass(frozen=True)
class Imported:
    """An imported voice and its bundle folder."""

    voice: str
    root: Path


def export_bundle(root: Path, target: Path) -> list[str]:
    """Write `<voice>/voice_bundle/…` and its companions as one tar; the same bundle gives the same bytes.

    Names are sorted, owners and modes fixed, and every time is the bundle's `created_at`.

    Returns:
        The names in the tar.

    Raises:
        NotAcceptableError: `verification_failed`: it differs from its manifest.
        BundleFileError: it is not a promoted bundle, or was changed while it was being written.
        StorageError: the tar cannot be written.
    """
    check = check_bundle(root)
    manifest = check.loaded.manifest if check.loaded else None
    if not isinstance(manifest, PromotedManifest):
        raise BundleFileError(
            f"{root} is not a promoted bundle.",
            reason="manifest_invalid",
            path=MANIFEST,
            hint="Promote it first: voice-bundle promote.",
        )
    voice, seconds = profile_id(manifest.voice_profile_id), _moment(manifest.created_at)
    beside = root.resolve().parent
    members: dict[str, str | Digest] = {f"{voice}/{BUNDLE}/{path}": digest for path, digest in check.digests.items()}
    members |= {f"{voice}/{name}": name for name in COMPANIONS if os.path.lexists(beside / name)}
    with (
        files.atomic_path(target, suffix=".tar") as temporary,
        tarfile.open(temporary, "w:", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, source in sorted(members.items()):
            opened = open_unchanged(root, source) if isinstance(source, Digest) else open_regular(beside, source)
            with opened as handle:
                _add(tar, name, handle, seconds)
    return sorted(members)


def _moment(created_at: str) -> int:
    """Seconds since 1970 of a manifest's `created_at`.

    Raises:
        BundleFileError: `manifest_invalid`.
    """
    try:
        moment = datetime.fromisoformat(created_at)
        if moment.tzinfo is None or moment.year < 1980:
            raise ValueError(created_at)
        return int(moment.timestamp())
    except ValueError as error:
        raise BundleFileError(
            f"The bundle's created_at is not a time: {one_line(created_at, 40)}.",
            reason="manifest_invalid",
            path=MANIFEST,
            hint="Promote the bundle again.",
        ) from error


def _add(tar: tarfile.TarFile, name: str, handle: BinaryIO, seconds: int) -> None:
    info = tarfile.TarInfo(name)
    info.size = handle.seek(0, 2)
    handle.seek(0)
    info.mtime, info.mode = seconds, 0o644
    tar.addfile(info, handle)


def import_bundle(archive: Path, bundles: Path) -> Imported:
    """Unpack an exported voice below `bundles`, in place of an older one of the same name, whole or not at all.

    Args:
        archive: an uncompressed tar as `export_bundle` writes it, from anywhere.
        bundles: folder of promoted voices.

    Raises:
        UsageError: there is no such file.
        BundleError: `import_unsafe:<why>`: it holds anything else than one voice's regular files;
            `output_not_a_bundle`: the folder of that name is not a voice; `dry_run_would_replace_real`.
        BundleFileError: the bundle inside differs from its manifest.
        StorageError: it cannot be written.
    """
    if not archive.is_file():
        raise UsageError(f"There is no file {archive}.", reason=f"import_missing:{archive.as_posix()}")
    try:
        with archive.open("rb") as handle:
            members = _members(handle)
            voice = members[0].name.partition("/")[0]
            _check_place(bundles / profile_id(voice))
            with files.atomic_directory(bundles / voice) as staging:
                for member in members:
                    _unpack(handle, member, staging / member.name.partition("/")[2])
                _check_inside(staging, bundles / voice)
    except GateError as error:
        raise _unsafe("not_a_tar", f"{archive.name} is not a plain tar of a voice: {error}") from error
    except OSError as error:
        raise StorageError.unreadable(error, archive) from error
    return Imported(voice, bundles / voice / BUNDLE)


def _members(handle: BinaryIO) -> list[Member]:
    """Every member of the tar, after all of them were judged; the tar is read strictly (`weights.plain_tar`)."""
    found: list[Member] = []
    total = 0
    for member, kind in plain_tar.walk(handle, os.fstat(handle.fileno()).st_size, folders=True):
        if kind != b"0":
            raise _unsafe("not_a_regular_file", f"The archive holds {member.name!r}, which is not a regular file")
        found.append(member)
        total += member.size
        voice, _, rest = member.name.partition("/")
        if voice != found[0].name.partition("/")[0] or not (rest in COMPANIONS or rest.startswith(f"{BUNDLE}/")):
            raise _unsafe("foreign_member", f"The archive holds {member.name!r}, which is not part of the voice")
        if len(found) > MAX_ENTRIES or total > MAX_BYTES:
            raise _unsafe("too_large", "The archive is larger than any voice")
    if not found:
        raise _unsafe("not_a_tar", "The archive is empty")
    # `manifest.json` may be listed here: inside the tar it is a file as the others are.
    own = f"{found[0].name.partition('/')[0]}/{BUNDLE}/{MANIFEST}"
    if sum(member.name == own for member in found) > 1:
        raise _unsafe("unsafe_path", f"The archive holds the path {own!r} twice")
    try:
        check_paths(member.name for member in found if member.name != own)
    except BundleFileError as error:
        raise _unsafe("unsafe_path", f"The archive holds the path {error.path!r}") from error
    return found


def _unpack(handle: BinaryIO, member: Member, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    handle.seek(member.offset)
    left = member.size
    with target.open("xb") as out:
        while block := handle.read(min(left, 1 << 20)):
            out.write(block)
            left -= len(block)
    if left:
        raise _unsafe("not_a_tar", "The archive is cut short")


def _check_inside(staging: Path, place: Path) -> None:
    """Before publication: it must be a promoted bundle of this name, with every file as listed."""
    check = compare(staging / BUNDLE)
    for difference in check.differences:
        raise difference.error()
    manifest = check.loaded.manifest if check.loaded else None
    if not isinstance(manifest, PromotedManifest) or manifest.voice_profile_id != place.name:
        raise _unsafe("foreign_member", "The bundle in the archive is another voice's")
    if manifest.dry_run:
        check_dry_run(place / BUNDLE, place.name)


def _check_place(place: Path) -> None:
    """A voice is replaced whole, so its folder may hold nothing else."""
    if not os.path.lexists(place):
        return
    known = {BUNDLE, *COMPANIONS}
    if place.is_symlink() or not place.is_dir() or any(path.name not in known for path in place.iterdir()):
        raise BundleError(
            f"{place} holds something other than a voice, so it is not replaced by one.",
            reason=f"output_not_a_bundle:{place.as_posix()}",
            hint="Choose another --output-root, or move it away yourself.",
        )


def _unsafe(why: str, sentence: str) -> BundleError:
    return BundleError(
        f"{sentence}.", reason=f"import_unsafe:{why}", hint="Ask its sender for one made with voice-bundle export."
    )
