"""Takes as sound files with the marks of synthetic speech, and the origin that the marks state."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from voicemill import files
from voicemill.dataset.rights import Rights
from voicemill_cloning.engines.engine import EngineDescription
from voicemill_cloning.speaking import SynthesisedTake
from voicemill_marks.origin import Origin
from voicemill_marks.signer import MarkSigner
from voicemill_marks.watermark import Watermark
from voicemill_runtime.sound_files import marked_bytes

_SHA256 = re.compile(r"[0-9a-f]{64}")


def speech_origin(description: EngineDescription, voice: str, rights: Rights | None = None) -> Origin:
    """The origin of speech that was not made from a bundle.

    Args:
        description: what speaks.
        voice: name of the voice.
        rights: of the recording that it was cloned from.
    """
    digest = _SHA256.search(description.model)
    named = f"{description.engine} {description.version} {description.model}"
    licences = (description.licence, *([rights.licence] if rights and rights.licence else []))
    return Origin(
        voice=voice,
        model_sha256=digest.group() if digest else hashlib.sha256(named.encode("utf-8")).hexdigest(),
        licences=tuple(licence for licence in licences if licence != "NOASSERTION"),
        consent_sha256=rights.consent_sha256 if rights else None,
    )


def write_take(take: SynthesisedTake, path: Path, origin: Origin | None, signer: MarkSigner) -> None:
    """Write a take as WAV, with watermark and signed metadata; None leaves both out.

    Raises:
        StorageError: it cannot be written.
    """
    samples = take.samples
    if origin is not None and not take.marked:
        samples = Watermark(take.sample_rate, origin.payload).mark(samples)
    files.write_bytes(path, marked_bytes(samples, take.sample_rate, ".wav", origin, signer))
