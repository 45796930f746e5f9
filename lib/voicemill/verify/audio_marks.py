"""Detection of the marks of synthetic speech in a sound file, and of the voice that they name."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voicemill import files
from voicemill.audio.decode import decode
from voicemill.bundle.manifest import MANIFEST, MAX_MANIFEST_BYTES
from voicemill_marks.credentials import Credentials, read_credentials
from voicemill_marks.detector import Detection, detect_in_file
from voicemill_marks.origin import Origin

RATE = 16_000
"""Hz; the watermark ends below 8 kHz."""
SHORTEST = 0.05


@dataclass(frozen=True)
class MarkReport:
    """What marks a sound file.

    Attributes:
        credentials: its signed metadata, None without any.
        voices: the known voices whose watermark or metadata it carries, with their bundles.
    """

    path: Path
    credentials: Credentials | None
    watermark: Detection
    voices: tuple[tuple[Path, Origin], ...]

    @property
    def marked(self) -> bool:
        """Whether the file says that it is synthetic, in a way that holds."""
        return self.watermark.marked or bool(self.credentials and self.credentials.valid and self.credentials.synthetic)

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        held, found = self.credentials, self.watermark
        return {
            "path": self.path.as_posix(),
            "marked": self.marked,
            "watermark": {
                "found": found.marked,
                "payload": found.payload.hex() if found.payload else None,
                "score": round(found.score, 1),
                "tempo": round(found.speed.tempo, 3),
                "pitch": round(found.speed.pitch, 3),
                "spans": [
                    {"start": span.start, "end": span.end, "score": round(span.score, 1)} for span in found.spans
                ],
            },
            "credentials": None
            if held is None
            else {
                "state": held.state,
                "faults": list(held.faults),
                "synthetic": held.synthetic,
                "signer": held.signer,
                "self_made_chain": held.self_made,
                "claims": held.claims,
            },
            "voices": [{"voice": origin.voice, "bundle": root.as_posix()} for root, origin in self.voices],
        }


def inspect_audio(path: Path, bundles: Sequence[Path]) -> MarkReport:
    """Look for the marks of a file in any format that ffmpeg reads.

    Args:
        path: the sound file.
        bundles: folders of the voices that it is compared with.

    Raises:
        AudioError: the file cannot be decoded.
    """
    with tempfile.TemporaryDirectory(prefix="voicemill-audio-") as folder:
        wave = Path(folder) / "sound.wav"
        decode(path, wave, sample_rate=RATE, min_seconds=SHORTEST)
        watermark = detect_in_file(wave)
    credentials = read_credentials(path)
    claimed = credentials.claims if credentials is not None and credentials.valid else {}
    voices = tuple(
        (root, origin)
        for root, origin in _origins(bundles)
        if origin.payload == watermark.payload
        or (claimed.get("model_sha256") == origin.model_sha256 and claimed.get("voice") == origin.voice)
    )
    return MarkReport(path, credentials, watermark, voices)


def lines(report: MarkReport) -> Iterator[str]:
    """The report as text."""
    yield f"audio: {'marked as synthetic speech' if report.marked else 'not marked'}"
    found = report.watermark
    if found.marked:
        seconds = ", ".join(f"{start:.0f}-{end:.0f} s" for start, end in _merged(found))
        changed = "" if found.speed.tempo == 1 else f", played at {found.speed.tempo:.2f} of its speed"
        payload = found.payload.hex() if found.payload else "too weak to be read"
        yield f"watermark: {seconds}, payload {payload}{changed}"
    else:
        yield "watermark: none"
    held = report.credentials
    if held is None:
        yield "credentials: none"
    elif held.valid:
        chain = " (a self-made certificate: the name proves nothing)" if held.self_made else ""
        yield f"credentials: valid, signed by {held.signer}{chain}"
        yield from (f"  {name}: {value}" for name, value in sorted(held.claims.items()))
    else:
        yield f"credentials: invalid ({', '.join(held.faults) or held.state}): the sound or its metadata was changed"
    for root, origin in report.voices:
        yield f"voice: {origin.voice} of {root.as_posix()}"
    if report.marked and not report.voices:
        yield "voice: of no bundle that is here"


def _merged(found: Detection) -> list[tuple[float, float]]:
    """The spans of a detection, overlapping ones as one."""
    merged: list[tuple[float, float]] = []
    for span in found.spans:
        if merged and span.start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], span.end)
        else:
            merged.append((span.start, span.end))
    return merged


def _origins(bundles: Sequence[Path]) -> Iterator[tuple[Path, Origin]]:
    """The origins of the bundles whose manifest can be read."""
    for root in bundles:
        path = root / MANIFEST
        try:
            manifest = files.read_json(path, max_bytes=MAX_MANIFEST_BYTES)
            origin = Origin.of_manifest(manifest, files.sha256_file(path), root)
        except (OSError, files.InvalidJsonError, KeyError, TypeError, AttributeError, ValueError):
            continue
        if origin is not None:
            yield root, origin
