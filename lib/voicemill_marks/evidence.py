"""Whether the marks of a sound name a voice, and how strongly."""

from __future__ import annotations

from typing import Literal

from voicemill_marks.credentials import Credentials
from voicemill_marks.detector import Detection
from voicemill_marks.origin import Origin

UNTRUSTED = "claimed, signer not trusted"
Evidence = Literal["watermark", "claimed", "verified"]
"""`watermark`: the payload is the voice's, which anyone can write; `claimed`: valid metadata names the voice, by a
signer who is not trusted; `verified`: the same by a trusted signer."""


def evidence(origin: Origin, watermark: Detection, held: Credentials | None) -> Evidence | None:
    """The strongest evidence that names the voice of an origin, None without any."""
    if held is not None and held.valid:
        claims = held.claims
        if (claims.get("voice"), claims.get("model_sha256")) == (origin.voice, origin.model_sha256):
            return "verified" if held.trusted else "claimed"
    return "watermark" if origin.payload == watermark.payload else None
