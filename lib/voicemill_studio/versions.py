"""Versions of a promoted voice: kept as exports before another one takes its place, spoken with, and put back.

`work/versions/<voice>/<time>-<digest>.tar` is what `voice-bundle export` writes: the bundle with its certificate and
signatures. To be compared with the current voice, a version is unpacked below `cache/versions`.
"""

from __future__ import annotations

import re
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from voicemill import files
from voicemill.bundle.build import EVALUATION
from voicemill.bundle.differences import compare
from voicemill.bundle.manifest import load_manifest
from voicemill.bundle.packing import Imported, export_bundle, import_bundle
from voicemill.errors import VoicemillError
from voicemill.evaluation.model import Evaluation, parse_evaluation
from voicemill.verify import opinions
from voicemill.workspace import Workspace, profile_id
from voicemill_serve.refusals import RequestRefusedError

_NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{12}")
SEPARATOR = "@"
"""Between voice and version in the name of a version that is spoken with."""


@dataclass(frozen=True)
class Version:
    """A kept version.

    Attributes:
        voice: profile id.
        name: `<time of promotion>-<first digits of the manifest's sha256>`.
        path: of the tar.
        evaluation: of this version; None where it cannot be read.
    """

    voice: str
    name: str
    path: Path
    evaluation: Evaluation | None

    @property
    def promoted_at(self) -> str:
        """RFC 3339."""
        time = self.name.partition("-")[0]
        return f"{time[:4]}-{time[4:6]}-{time[6:11]}:{time[11:13]}:{time[13:15]}Z"


def folder(workspace: Workspace, voice: str) -> Path:
    """Folder of a voice's versions."""
    return workspace.work / "versions" / profile_id(voice)


def unpacked(workspace: Workspace) -> Path:
    """Folder of the versions that are unpacked, `<voice>@<version>/voice_bundle`."""
    return workspace.cache / "versions"


def kept(workspace: Workspace, voice: str) -> list[Version]:
    """The versions of a voice, newest first."""
    paths = sorted(folder(workspace, voice).glob("*.tar"), reverse=True)
    return [Version(voice, path.stem, path, _evaluation(path)) for path in paths if _NAME.fullmatch(path.stem)]


def get(workspace: Workspace, voice: str, name: str) -> Version:
    """One version.

    Raises:
        RequestRefusedError: `version_unknown`.
    """
    path = folder(workspace, voice) / f"{name}.tar"
    if not _NAME.fullmatch(name) or not path.is_file():
        raise RequestRefusedError(f"{voice} has no version {name[:60]!r}.", reason="version_unknown")
    return Version(voice, name, path, _evaluation(path))


def name_of(root: Path) -> str:
    """The name that a bundle has as a version.

    Raises:
        BundleFileError: its manifest cannot be read.
    """
    loaded = load_manifest(root)
    stamp = re.sub(r"[-:]", "", str(getattr(loaded.manifest, "created_at", "")))
    return f"{stamp}-{loaded.sha256[:12]}"


def digest_of(root: Path) -> str:
    """The sha256 of a bundle's manifest, which names it in records beside it."""
    return load_manifest(root).sha256


def keep(workspace: Workspace, voice: str, root: Path) -> Version:
    """Keep a promoted bundle as it is now; keeping it again changes nothing.

    Raises:
        BundleError: it differs from its manifest.
        StorageError: it cannot be written.
    """
    name = name_of(root)
    if not _NAME.fullmatch(name):
        raise RequestRefusedError(
            f"The bundle of {voice} states no time of promotion, so it cannot be kept as a version.",
            reason="version_unknown",
        )
    path = folder(workspace, voice) / f"{name}.tar"
    path.parent.mkdir(parents=True, exist_ok=True)
    export_bundle(root, path)  # again each time: a certificate or signature may have been added
    return Version(voice, name, path, _evaluation(path))


def keep_whole(workspace: Workspace, voice: str, root: Path) -> Version | None:
    """Keep a bundle that something else is about to replace; None for a damaged one, which is no version.

    Raises:
        StorageError: it cannot be written.
    """
    return keep(workspace, voice, root) if compare(root).ok else None


def put_back(version: Version, bundles: Path) -> Imported:
    """Make a version the promoted voice again, with its certificate and signatures.

    Raises:
        BundleError, StorageError: see `replace`.
    """
    return replace(version.path, bundles, version.voice)


def replace(archive: Path, bundles: Path, voice: str) -> Imported:
    """Import an exported bundle in place of the promoted one of a voice; no answer of a listener is lost.

    Raises:
        BundleError, StorageError: see `voicemill.bundle.packing.import_bundle`; `opinions_invalid`.
    """
    before = opinions.read(bundles / voice / "voice_bundle").answers
    imported = import_bundle(archive, bundles)
    known = set(opinions.read(imported.root).answers)
    missing = [answer for answer in before if answer not in known]
    if missing:
        opinions.add(imported.root, missing)
    return imported


def unpack(workspace: Workspace, version: Version) -> str:
    """Unpack a version to speak with it; returns its name among the unpacked voices.

    Raises:
        BundleError, StorageError: as for `put_back`.
    """
    name = f"{version.voice}{SEPARATOR}{version.name}"
    target = unpacked(workspace) / name
    if not target.is_dir():
        unpacked(workspace).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=unpacked(workspace)) as place:
            imported = import_bundle(version.path, Path(place))
            try:
                imported.root.parent.rename(target)
            except OSError:
                if not target.is_dir():  # another request has unpacked it meanwhile
                    raise
    return name


def _evaluation(path: Path) -> Evaluation | None:
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                if member.isreg() and member.name.endswith(f"/{EVALUATION}") and (found := tar.extractfile(member)):
                    return parse_evaluation(files.parse_json(found.read(files.MAX_JSON_BYTES)))
    except (OSError, tarfile.TarError, ValueError, ValidationError, VoicemillError):
        return None
    return None
