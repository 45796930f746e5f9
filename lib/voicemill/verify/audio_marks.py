"""Detection of the marks of synthetic speech in a sound file, and of the voice that they name."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voicemill.audio.decode import decode
from voicemill.bundle.manifest import MANIFEST
from voicemill.bundle.origins import known_origins
from voicemill.errors import AudioError
from voicemill_marks.credentials import Credentials, read_credentials, sidecar_path
from voicemill_marks.detector import Detection, detect_in_file
from voicemill_marks.evidence import UNTRUSTED, Evidence, evidence
from voicemill_marks.origin import Origin

RATE = 16_000
"""Hz; the watermark ends below 8 kHz."""
SHORTEST = 0.05
_BLOCK = 1 << 18


@dataclass(frozen=True)
class NamedVoice:
    """A known voice that the marks of a sound name, and by what evidence."""

    root: Path
    origin: Origin
    evidence: Evidence


@dataclass(frozen=True)
class MarkReport:
    """What marks a sound file.

    Attributes:
        path: the file, or its name where a client sent it.
        credentials: its signed metadata, None without any.
        voices: the known voices that its watermark or metadata name.
    """

    path: Path
    credentials: Credentials | None
    watermark: Detection
    voices: tuple[NamedVoice, ...]

    @property
    def marked(self) -> bool:
        """Whether the file says that it is synthetic, in a way that holds."""
        return self.watermark.marked or bool(self.credentials and self.credentials.valid and self.credentials.synthetic)

    @property
    def signer_status(self) -> str:
        """`none`, `invalid`, `claimed, signer not trusted` or `verified`."""
        if self.credentials is None:
            return "none"
        if not self.credentials.valid:
            return "invalid"
        return "verified" if self.credentials.trusted else UNTRUSTED

    def as_dict(self) -> dict[str, Any]:
        """For `--json` and the page of the server."""
        held, found = self.credentials, self.watermark
        return {
            "path": self.path.as_posix(),
            "marked": self.marked,
            "watermark": {
                "found": found.marked,
                "payload": found.payload.hex() if found.payload else None,
                "score": round(found.score, 1),
                "threshold": found.threshold,
                "deviations_above_chance": round(found.deviations, 1),
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
                "signer_status": self.signer_status,
                "signer_trusted": held.trusted,
                "self_made_chain": held.self_made,
                "claims": held.claims,
            },
            "voices": [
                {"voice": each.origin.voice, "bundle": each.root.as_posix(), "evidence": each.evidence}
                for each in self.voices
            ],
        }


def inspect_audio(
    path: Path, bundles: Sequence[Path], anchors: str | None = None, *, most_seconds: float | None = None
) -> MarkReport:
    """Look for the marks of a file in any format that ffmpeg reads; without ffmpeg, in one that libsndfile reads.

    Args:
        path: the sound file.
        bundles: folders of the voices that it is compared with.
        anchors: certificates in PEM, under which a signer is trusted.
        most_seconds: of the sound that are examined; by default all.

    Raises:
        AudioError: the file cannot be decoded.
    """
    with tempfile.TemporaryDirectory(prefix="voicemill-audio-") as folder:
        wave = Path(folder) / "sound.wav"
        if shutil.which("ffmpeg") is not None:
            decode(path, wave, sample_rate=RATE, end=most_seconds, min_seconds=SHORTEST)
        else:
            _decode_without_ffmpeg(path, wave, most_seconds)
        watermark = detect_in_file(wave)
    credentials = read_credentials(path, anchors, _beside_bundle(path))
    named = ((root, origin, evidence(origin, watermark, credentials)) for root, origin in known_origins(bundles))
    voices = tuple(NamedVoice(root, origin, found) for root, origin, found in named if found is not None)
    return MarkReport(path, credentials, watermark, voices)


def _decode_without_ffmpeg(path: Path, wave: Path, most_seconds: float | None) -> None:
    """Write the mean of the channels as WAV at the file's own rate."""
    import soundfile

    try:
        with soundfile.SoundFile(path) as source:
            left = source.frames
            if most_seconds is not None:
                left = min(left, round(most_seconds * source.samplerate))
            with soundfile.SoundFile(wave, "w", source.samplerate, 1, "PCM_16") as target:
                while left > 0 and len(block := source.read(min(left, _BLOCK), dtype="float32", always_2d=True)):
                    target.write(block.mean(axis=1))
                    left -= len(block)
    except soundfile.LibsndfileError as error:
        raise AudioError(
            f"{path.name} cannot be decoded without ffmpeg.",
            reason="audio_unreadable",
            hint="Convert it to WAV, FLAC, MP3 or Ogg, or install ffmpeg.",
        ) from error


def _beside_bundle(path: Path) -> Path | None:
    """The manifest of a sound inside a bundle, which lies beside the folder: the folder holds listed files only."""
    beside = sidecar_path(path.parent.parent / path.name)
    return beside if (path.parent / MANIFEST).is_file() and beside.is_file() else None


def lines(report: MarkReport, *, with_paths: bool = True) -> Iterator[str]:
    """The report as text; `with_paths` tells where the bundles are."""
    yield f"audio: {'marked as synthetic speech' if report.marked else 'not marked'}"
    found = report.watermark
    if found.marked:
        seconds = ", ".join(f"{start:.0f}-{end:.0f} s" for start, end in _merged(found))
        changed = "" if found.speed.tempo == 1 else f", played at {found.speed.tempo:.2f} of its speed"
        payload = found.payload.hex() if found.payload else "too weak to be read"
        score = f"score {found.score:.0f}, {found.threshold:.0f} needed"
        yield f"watermark: {seconds}, payload {payload}{changed} ({score})"
    else:
        yield "watermark: none"
    held = report.credentials
    if held is None:
        yield "credentials: none"
    elif held.valid:
        yield f"credentials: valid, signer: {held.signer} ({report.signer_status})"
        yield from (f"  {name}: {value}" for name, value in sorted(held.claims.items()))
    else:
        yield f"credentials: invalid ({', '.join(held.faults) or held.state}): the sound or its metadata was changed"
    for each in report.voices:
        where = f" of {each.root.as_posix()}" if with_paths else ""
        yield f"voice: {each.origin.voice}{where} ({_EVIDENCE[each.evidence]})"
    if report.marked and not report.voices:
        yield "voice: of no bundle that is here"


_EVIDENCE: dict[Evidence, str] = {
    "watermark": "named by the watermark, which anyone can write",
    "claimed": UNTRUSTED,
    "verified": "verified",
}


def _merged(found: Detection) -> list[tuple[float, float]]:
    """The spans of a detection, overlapping ones as one."""
    merged: list[tuple[float, float]] = []
    for span in found.spans:
        if merged and span.start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], span.end)
        else:
            merged.append((span.start, span.end))
    return merged
