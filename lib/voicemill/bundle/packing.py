"""A promoted bundle with its companions as one deterministic tar, and the safe way back."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from voicemill import files
from voicemill.bundle.contents import MAX_ENTRIES, check_paths, digest_file, open_regular, walk
from voicemill.bundle.manifest import MANIFEST, PromotedManifest, load_manifest
from voicemill.bundle.promote import check_digest
from voicemill.errors import BundleError, BundleFileError, UsageError
from voicemill.workspace import profile_id

BUNDLE = "voice_bundle"
COMPANIONS = (
    "certificate.json",
    "voice_bundle.sig",
    "voice_bundle.provenance.sig",
    "voice_bundle.cdx.json",
)
"""What may lie beside the bundle's folder and travels with it."""
MAX_BYTES = 8 * 1024**3
"""Largest sum of the files in a tar that is imported."""


@dataclass(frozen=True)
class Imported:
    """Where an imported voice lies."""

    voice: str
    root: Path


def export_bundle(root: Path, target: Path) -> list[str]:
    """Write `<voice>/voice_bundle/…` and its companions as one tar; the same bundle gives the same bytes.

    Names are sorted, owners and modes fixed, and every time is the bundle's `created_at`.

    Returns:
        The names in the tar.

    Raises:
        BundleFileError: the folder is not a promoted bundle, or something in it cannot be read.
        StorageError: the tar cannot be written.
    """
    loaded = load_manifest(root)
    if not isinstance(loaded.manifest, PromotedManifest):
        raise BundleFileError(
            f"{root} is not a promoted bundle.",
            reason="manifest_invalid",
            path=MANIFEST,
            hint="Promote it first: voice-bundle promote.",
        )
    voice = loaded.manifest.voice_profile_id
    seconds = int(datetime.fromisoformat(loaded.manifest.created_at).timestamp())
    members = [(f"{voice}/{BUNDLE}/{path}", root, path) for path in walk(root).regular]
    beside = root.resolve().parent
    members += [(f"{voice}/{name}", beside, name) for name in COMPANIONS if (beside / name).is_file()]
    members.sort()
    with (
        files.atomic_path(target, suffix=".tar") as temporary,
        tarfile.open(temporary, "w:", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, folder, path in members:
            _add(tar, name, folder, path, seconds)
    return [name for name, _, _ in members]


def _add(tar: tarfile.TarFile, name: str, folder: Path, path: str, seconds: int) -> None:
    with open_regular(folder, path) as handle:
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
        BundleError: `import_unsafe:<why>`: it holds anything else than one voice's regular files.
        BundleFileError: the bundle inside is not what its manifest says.
    """
    if not archive.is_file():
        raise UsageError(f"There is no file {archive}.", reason=f"import_missing:{archive.as_posix()}")
    try:
        with tarfile.open(archive, "r:") as tar:
            members = list(_members(tar))
            voice = members[0].name.partition("/")[0]
            profile_id(voice)
            with files.atomic_directory(bundles / voice) as staging:
                for member in members:
                    _unpack(tar, member, staging / member.name.partition("/")[2])
                _check_inside(staging, voice)
    except (tarfile.TarError, EOFError, UnicodeError, ValueError) as error:
        raise _unsafe("not_a_tar", f"{archive.name} is not a plain tar of a voice") from error
    return Imported(voice, bundles / voice / BUNDLE)


def _members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    names: list[str] = []
    total = 0
    for member in tar:
        if not member.isreg() or member.sparse is not None:
            raise _unsafe("not_a_regular_file", f"The archive holds {member.name!r}, which is no regular file")
        names.append(member.name)
        total += member.size
        voice, _, rest = member.name.partition("/")
        if voice != names[0].partition("/")[0] or not (rest in COMPANIONS or rest.startswith(f"{BUNDLE}/")):
            raise _unsafe("foreign_member", f"The archive holds {member.name!r}, which is no part of one voice")
        if len(names) > MAX_ENTRIES or total > MAX_BYTES:
            raise _unsafe("too_large", "The archive holds more than a voice does")
        yield member
    if not names:
        raise _unsafe("not_a_tar", "The archive is empty")
    # `manifest.json` may be listed here: inside the tar it is a file as the others are.
    try:
        check_paths(name for name in names if name != f"{names[0].partition('/')[0]}/{BUNDLE}/{MANIFEST}")
    except BundleFileError as error:
        raise _unsafe("unsafe_path", f"The archive holds the path {error.path!r}") from error


def _unpack(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    source = tar.extractfile(member)
    if source is None:
        raise _unsafe("not_a_regular_file", f"The archive holds {member.name!r}, which is no regular file")
    target.parent.mkdir(parents=True, exist_ok=True)
    left = member.size
    with target.open("xb") as out:
        while block := source.read(min(left, 1 << 20)):
            out.write(block)
            left -= len(block)
    if left:
        raise _unsafe("not_a_tar", "The archive is cut short")


def _check_inside(staging: Path, voice: str) -> None:
    """Before it is published: a promoted bundle of this name, every file as its manifest says."""
    root = staging / BUNDLE
    loaded = load_manifest(root)
    if not isinstance(loaded.manifest, PromotedManifest) or loaded.manifest.voice_profile_id != voice:
        raise _unsafe("foreign_member", "The bundle in the archive is another voice's")
    listed = {entry.path: entry for entry in loaded.manifest.files}
    for path in walk(root).regular:
        if path != MANIFEST and path not in listed:
            raise BundleFileError(f"{path} is not listed.", reason="unlisted_file", path=path)
    for entry in listed.values():
        check_digest(entry, digest_file(root, entry.path))


def _unsafe(why: str, sentence: str) -> BundleError:
    return BundleError(
        f"{sentence}.", reason=f"import_unsafe:{why}", hint="Ask its sender for one made with voice-bundle export."
    )
