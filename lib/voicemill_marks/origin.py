"""The origin of synthetic speech: which voice spoke it, from which files, with which permission."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

NOTICE = "Synthetic speech, made by a trained model."


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
