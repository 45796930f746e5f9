"""The origin of synthetic speech: which voice spoke it, from which files, with which permission."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voicemill import files
from voicemill.bundle.contents import GRAPH
from voicemill.bundle.manifest import consent, is_recorded, unmarked

ACOUSTIC_MODEL = "fastpitch.nemo"
NOTICE = "Synthetic speech, made by a trained model."
_MAX_CERTIFICATE_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Origin:
    """The voice that spoke a sound, as its marks state it.

    Attributes:
        voice: id of the voice.
        model_sha256: of `voice.onnx`, or of `fastpitch.nemo` in a bundle without a graph.
        manifest_sha256: of the bundle's manifest; None for sounds that are themselves files of the bundle.
        certificate: hash of the voice's certificate, if it has one for this manifest.
        licences: SPDX expressions of the weights that the voice was made from.
        consent_sha256: of the speaker's consent: of its recording where it was recorded, else of its text.
    """

    voice: str
    model_sha256: str
    manifest_sha256: str | None = None
    certificate: str | None = None
    licences: tuple[str, ...] = ()
    consent_sha256: str | None = None

    @property
    def payload(self) -> bytes:
        """The four bytes of the watermark: two of the sha256 of the voice's id, two of the model's sha256."""
        return hashlib.sha256(self.voice.encode("utf-8")).digest()[:2] + bytes.fromhex(self.model_sha256[:4])

    def claims(self) -> dict[str, Any]:
        """For the signed metadata; names that have no value are left out."""
        values = {
            "voice": self.voice,
            "model_sha256": self.model_sha256,
            "bundle_manifest_sha256": self.manifest_sha256,
            "certificate_hash": self.certificate,
            "licences": list(self.licences),
            "consent_sha256": self.consent_sha256,
        }
        return {name: value for name, value in values.items() if value}

    @classmethod
    def of_manifest(cls, manifest: Mapping[str, Any], sha256: str, root: Path) -> Origin | None:
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
        return cls(
            voice=str(manifest.get("voice_profile_id") or "unnamed"),
            model_sha256=model,
            manifest_sha256=sha256,
            certificate=_certificate(root, sha256),
            licences=_licences(manifest),
            consent_sha256=_consent(manifest),
        )


def _certificate(root: Path, manifest_sha256: str) -> str | None:
    """The hash of the certificate beside a bundle, if it is for this manifest; `voice-verify` checks it."""
    path = root.resolve().parent / "certificate.json"
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
