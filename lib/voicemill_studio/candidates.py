"""Trained voices that wait for a decision: a training puts its bundle here, and a person listens before it is promoted.

    work/candidates/<voice>/voice_bundle    a promoted bundle in every respect but its place, certificate beside it

The training runs as always, with this folder as its PROMOTED_BUNDLE_ROOT. To promote a candidate is to export it and to
import it, so its manifest stays the same, and with it the certificate and the answers of listeners.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from voicemill import files
from voicemill.bundle.manifest import MANIFEST
from voicemill.bundle.packing import export_bundle
from voicemill.errors import BundleError
from voicemill.workspace import Workspace, profile_id
from voicemill_studio import versions

SUFFIX = "new"
"""Names the candidate where a version has its name: `<voice>@new`."""


def folder(workspace: Workspace) -> Path:
    """Folder of all candidates."""
    return workspace.work / "candidates"


def root_of(workspace: Workspace, voice: str) -> Path | None:
    """The bundle of a voice that waits; None without one."""
    root = folder(workspace) / profile_id(voice) / "voice_bundle"
    return root if (root / MANIFEST).is_file() else None


def promote(workspace: Workspace, voice: str, bundles: Path) -> None:
    """Make the candidate of a voice the promoted bundle, with its certificate, signatures and answers.

    Raises:
        BundleError: there is none, or see `versions.replace`.
        StorageError: something cannot be written.
    """
    root = root_of(workspace, voice)
    if root is None:
        raise BundleError(f"No trained bundle of {voice} waits.", reason="manifest_missing", hint="Train the voice.")
    with tempfile.TemporaryDirectory(prefix=".promote-", dir=folder(workspace)) as place:
        archive = Path(place) / f"{voice}.tar"
        export_bundle(root, archive)
        versions.replace(archive, bundles, voice)
    remove(workspace, voice)


def remove(workspace: Workspace, voice: str) -> None:
    """Remove the candidate of a voice, if there is one.

    Raises:
        StorageError: it cannot be removed.
    """
    place = folder(workspace) / profile_id(voice)
    if place.is_dir():
        files.remove_directory(place)
