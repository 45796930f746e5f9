"""The origins that bundles state: what the marks of their voices' speech name."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voicemill import files
from voicemill.bundle.contents import CERTIFICATE, GRAPH
from voicemill.bundle.manifest import MANIFEST, MAX_MANIFEST_BYTES, consent, is_recorded, unmarked
from voicemill_marks.origin import Origin

ACOUSTIC_MODEL = "fastpitch.nemo"
_MAX_CERTIFICATE_BYTES = 4 * 1024 * 1024


def manifest_origin(manifest: Mapping[str, Any], sha256: str, root: Path) -> Origin | None:
    """The origin that a bundle's manifest states; None for a voice that is unmarked by decision.

    Args:
        manifest: parsed, of a production or promoted bundle.
        sha256: of the manifest's file.
        root: the bundle's folder; a certificate lies beside it.
    """
    if unmarked(manifest) is not None:
        return None
    digests = {entry["path"]: entry["sha256"] for entry in manifest["files"]}
    model = digests.get(GRAPH) or digests.get(ACOUSTIC_MODEL)
    if model is None:
        return None
    return Origin(
        voice=str(manifest.get("voice_profile_id") or "unnamed"),
        model_sha256=model,
        manifest_sha256=sha256,
        certificate=_certificate(root, sha256),
        licences=_licences(manifest),
        consent_sha256=_consent(manifest),
    )


def known_origins(bundles: Sequence[Path]) -> Iterator[tuple[Path, Origin]]:
    """The folders and origins of the bundles whose manifest can be read."""
    for root in bundles:
        path = root / MANIFEST
        try:
            manifest = files.read_json(path, max_bytes=MAX_MANIFEST_BYTES)
            origin = manifest_origin(manifest, files.sha256_file(path), root)
        except (OSError, files.InvalidJsonError, KeyError, TypeError, AttributeError, ValueError):
            continue
        if origin is not None:
            yield root, origin


@dataclass(frozen=True)
class PromotedOrigins:
    """The origins of all promoted voices; the first iteration reads their manifests.

    Attributes:
        promoted: has a folder for each voice, with its bundle.
    """

    promoted: Path

    def __iter__(self) -> Iterator[Origin]:
        return iter(self._origins)

    @functools.cached_property
    def _origins(self) -> tuple[Origin, ...]:
        roots = sorted(path.parent for path in self.promoted.glob(f"*/voice_bundle/{MANIFEST}"))
        return tuple(origin for _, origin in known_origins(roots))


def _certificate(root: Path, manifest_sha256: str) -> str | None:
    """The hash of the certificate beside a bundle, if it is for this manifest; `voice-verify` checks it."""
    path = root.resolve().parent / CERTIFICATE
    try:
        if path.is_symlink() or path.stat().st_size > _MAX_CERTIFICATE_BYTES:
            return None
        document = files.parse_json(path.read_bytes())
        if document["bundle_manifest_sha256"] != manifest_sha256:
            return None
        return str(document["answer"]["certificate"]["certificateHash"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _consent(manifest: Mapping[str, Any]) -> str | None:
    stated = consent(manifest) or {}
    return stated.get("recording_sha256" if is_recorded(stated) else "statement_sha256")


def _licences(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    provenance = manifest.get("provenance") or {}
    references = manifest.get("weights_refs") or provenance.get("source_weights_refs") or {}
    parts = (references, *(references.get(name) or {} for name in ("vocoder", "runtime_vocoder")))
    found = [part.get("weights_license") for part in parts]
    return tuple(dict.fromkeys(licence for licence in found if isinstance(licence, str)))
