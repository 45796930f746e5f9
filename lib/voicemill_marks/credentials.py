"""Signed metadata of a sound file: a C2PA manifest that says that the sound is synthetic and whose voice it is.

WAV, FLAC and MP3 hold the manifest themselves. For Ogg, and for files that must not change, it is a file of its own,
`<name>.c2pa`.
"""

from __future__ import annotations

import functools
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from voicemill import __version__
from voicemill_marks.origin import NOTICE, Origin
from voicemill_marks.signer import SELF_MADE, MarkSigner

if TYPE_CHECKING:
    import c2pa

MEDIA_TYPES = {".wav": "audio/wav", ".flac": "audio/flac", ".mp3": "audio/mpeg"}
SIDECAR = ".c2pa"
"""Ending of a manifest in a file of its own."""
CLAIMS = "org.voicemill.voice"
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
MAX_CLAIMS_CHARACTERS = 16_384
MAX_SIDECAR_BYTES = 4 * 1024 * 1024
_ANY_MEDIA_TYPE = "audio/ogg"
"""For sounds whose manifest is a file of its own: the library hashes the whole sound, in any format."""


@dataclass(frozen=True)
class Credentials:
    """The signed metadata of a file.

    Attributes:
        state: `valid`: the signature holds and the sound is the one that was signed; `invalid`: it is not.
        faults: C2PA's codes of what does not hold.
        synthetic: whether the manifest states that a trained model made the sound.
        signer: common name of the certificate, which anyone can choose.
        trusted: whether a trusted anchor issued the certificate, so that the name is verified.
        self_made: whether the chain says that voicemill made it.
        claims: `Origin.claims()`, empty for a file of another program.
    """

    state: str
    faults: tuple[str, ...]
    synthetic: bool
    signer: str
    trusted: bool
    self_made: bool
    claims: dict[str, Any]

    @property
    def valid(self) -> bool:
        return self.state == "valid"


def signed(data: bytes, suffix: str, origin: Origin, signer: MarkSigner) -> bytes:
    """A sound file with the signed manifest in it; the same bytes where the format holds none."""
    if suffix not in MEDIA_TYPES:
        return data
    target = io.BytesIO()
    _sign(data, MEDIA_TYPES[suffix], origin, signer, target)
    return target.getvalue()


def sidecar(data: bytes, origin: Origin, signer: MarkSigner) -> bytes:
    """The signed manifest of a sound file as a file of its own; the sound stays as it is."""
    return _sign(data, _ANY_MEDIA_TYPE, origin, signer, io.BytesIO(), embed=False)


def sidecar_path(path: Path) -> Path:
    """Where the signed manifest of a sound is looked for if the sound has none: `<name>.c2pa` beside it."""
    return path.with_suffix(SIDECAR)


def _sign(
    data: bytes, media_type: str, origin: Origin, signer: MarkSigner, target: io.BytesIO, *, embed: bool = True
) -> bytes:
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
    with (
        c2pa.Builder(json.dumps(manifest), context=_context(None)) as builder,
        c2pa.Signer.from_callback(signer.sign, c2pa.C2paSigningAlg.ES256, signer.chain) as signing,
    ):
        if not embed:
            builder.set_no_embed()
        return bytes(builder.sign(signing, media_type, io.BytesIO(data), target))


def read_credentials(path: Path, anchors: str | None = None, beside: Path | None = None) -> Credentials | None:
    """The signed metadata of a file: in a WAV, FLAC or MP3 by its content, else in the file beside it.

    Args:
        path: the sound.
        anchors: certificates in PEM, under which a signer is trusted; without them none is.
        beside: the manifest of a sound that has none itself; by default `sidecar_path(path)`, if it is there.

    Returns:
        None without signed metadata.
    """
    with path.open("rb") as handle:
        media = _media_type(handle.read(12))
        handle.seek(0)
        if media is not None and (found := _read(media, handle, anchors, None)) is not None:
            return found
        beside = beside or sidecar_path(path)
        if beside == path or not beside.is_file():
            return None
        with beside.open("rb") as manifest:
            data = manifest.read(MAX_SIDECAR_BYTES + 1)
        handle.seek(0)
        return _read(_ANY_MEDIA_TYPE, handle, anchors, data)


def _read(media: str, handle: BinaryIO, anchors: str | None, manifest: bytes | None) -> Credentials | None:
    import c2pa

    try:
        with c2pa.Reader(media, handle, manifest_data=manifest, context=_context(anchors)) as reader:
            state = str(reader.get_validation_state())
            store = json.loads(reader.json())
    except c2pa.C2paError as error:
        return None if "ManifestNotFound" in type(error).__name__ else _unreadable(error)
    return _credentials(store, state)


def _unreadable(error: Exception) -> Credentials:
    return Credentials("invalid", (type(error).__name__.lstrip("_"),), False, "", False, False, {})


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
        trusted=state == "Trusted" and not faults,
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


@functools.lru_cache(maxsize=4)
def _context(anchors: str | None) -> c2pa.Context:
    """C2PA with these anchors and no others; it asks no server, neither for revocation nor for remote manifests."""
    import c2pa

    settings: dict[str, Any] = {"verify": {"ocsp_fetch": False, "remote_manifest_fetch": False}}
    if anchors:
        settings["trust"] = {"user_anchors": anchors}
    return c2pa.Context.from_dict(settings)
