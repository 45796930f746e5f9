"""Signed metadata of a sound file: a C2PA manifest that says that the sound is synthetic and whose voice it is.

WAV, FLAC and MP3 hold the manifest themselves. Ogg cannot; its comments and the watermark remain.
"""

from __future__ import annotations

import functools
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voicemill import __version__
from voicemill_marks.origin import NOTICE, Origin
from voicemill_marks.signer import SELF_MADE, MarkSigner

if TYPE_CHECKING:
    import c2pa

MEDIA_TYPES = {".wav": "audio/wav", ".flac": "audio/flac", ".mp3": "audio/mpeg"}
CLAIMS = "org.voicemill.voice"
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
MAX_CLAIMS_CHARACTERS = 16_384


@dataclass(frozen=True)
class Credentials:
    """The signed metadata of a file.

    Attributes:
        state: `valid`: the signature holds and the sound is the one that was signed; `invalid`: it is not.
        faults: C2PA's codes of what does not hold.
        synthetic: whether the manifest states that a trained model made the sound.
        signer: common name of the certificate.
        self_made: whether the chain was made by voicemill itself, so that the name proves nothing.
        claims: `Origin.claims()`, empty for a file of another program.
    """

    state: str
    faults: tuple[str, ...]
    synthetic: bool
    signer: str
    self_made: bool
    claims: dict[str, Any]

    @property
    def valid(self) -> bool:
        return self.state == "valid"


def signed(data: bytes, suffix: str, origin: Origin, signer: MarkSigner) -> bytes:
    """A sound file with the signed manifest in it; the same bytes where the format holds none."""
    if suffix not in MEDIA_TYPES:
        return data
    import c2pa

    manifest = {
        "title": "speech",
        "claim_generator_info": [{"name": "voicemill", "version": __version__}],
        "assertions": [
            {
                "label": "c2pa.actions.v2",
                "data": {"actions": [{"action": "c2pa.created", "digitalSourceType": SOURCE_TYPE}]},
            },
            {"label": CLAIMS, "data": {"notice": NOTICE, **origin.claims()}},
        ],
    }
    target = io.BytesIO()
    with (
        c2pa.Builder(json.dumps(manifest), context=_offline()) as builder,
        c2pa.Signer.from_callback(signer.sign, c2pa.C2paSigningAlg.ES256, signer.chain) as signing,
    ):
        builder.sign(signing, MEDIA_TYPES[suffix], io.BytesIO(data), target)
    return target.getvalue()


def read_credentials(path: Path) -> Credentials | None:
    """The signed metadata of a WAV, FLAC or MP3 file by its content; None without any, or for another format."""
    import c2pa

    with path.open("rb") as handle:
        media = _media_type(handle.read(12))
        handle.seek(0)
        if media is None:
            return None
        try:
            with c2pa.Reader(media, handle, context=_offline()) as reader:
                state = str(reader.get_validation_state())
                store = json.loads(reader.json())
        except c2pa.C2paError as error:
            return None if "ManifestNotFound" in type(error).__name__ else _unreadable(error)
    return _credentials(store, state)


def _unreadable(error: Exception) -> Credentials:
    return Credentials("invalid", (type(error).__name__.lstrip("_"),), False, "", False, {})


def _credentials(store: dict[str, Any], state: str) -> Credentials:
    manifest = store["manifests"][store["active_manifest"]]
    found = {assertion["label"]: assertion.get("data") for assertion in manifest.get("assertions", [])}
    actions = (found.get("c2pa.actions.v2") or found.get("c2pa.actions") or {}).get("actions", [])
    signature = manifest.get("signature_info") or {}
    failures = ((store.get("validation_results") or {}).get("activeManifest") or {}).get("failure", [])
    faults = tuple(str(fault.get("code")) for fault in failures if fault.get("code") != "signingCredential.untrusted")
    claims = found.get(CLAIMS)
    if not isinstance(claims, dict) or len(json.dumps(claims)) > MAX_CLAIMS_CHARACTERS:
        claims = {}
    return Credentials(
        state="invalid" if faults or state == "Invalid" else "valid",
        faults=faults,
        synthetic=any(str(action.get("digitalSourceType", "")).endswith("AlgorithmicMedia") for action in actions),
        signer=str(signature.get("common_name") or ""),
        self_made=signature.get("issuer") == SELF_MADE,
        claims=claims,
    )


def _media_type(start: bytes) -> str | None:
    if start[:4] == b"RIFF" and start[8:12] == b"WAVE":
        return MEDIA_TYPES[".wav"]
    if start[:4] == b"fLaC":
        return MEDIA_TYPES[".flac"]
    if start[:3] == b"ID3" or (len(start) > 1 and start[0] == 0xFF and start[1] & 0xE0 == 0xE0):
        return MEDIA_TYPES[".mp3"]
    return None


@functools.lru_cache(maxsize=1)
def _offline() -> c2pa.Context:
    """C2PA asks no server: neither for revocation nor for remote manifests."""
    import c2pa

    return c2pa.Context.from_dict({"verify": {"ocsp_fetch": False, "remote_manifest_fetch": False}})
