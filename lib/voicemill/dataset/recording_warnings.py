"""Warnings about recordings that do not suit a voice: marked synthetic speech, a telephone's, a second speaker's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from voicemill.dataset import speaker_groups
from voicemill.dataset.candidates import CandidateClip
from voicemill.dataset.recordings import DecodedRecording
from voicemill.protocol import first_of, one_line
from voicemill_marks.credentials import Credentials, read_credentials
from voicemill_marks.detector import Detection, detect_in_file
from voicemill_marks.evidence import UNTRUSTED, evidence
from voicemill_marks.origin import Origin

if TYPE_CHECKING:
    from voicemill.dataset.context import PreparationContext

TELEPHONE_HZ = 4500.0
"""Bandwidth up to which a clip counts as a telephone's: telephones end at 3400 Hz, files of 8 kHz at 4000."""
TELEPHONE_SHARE = 0.1
"""Share of the seconds in such clips from which there is a warning."""
WINDOWS, RECORDINGS = 10, 200
"""Windows of 6 s that are examined in a recording, spread over it, and the number of recordings, the first ones."""
_LONGEST_NAME = 64
"""Characters of a name that anyone can have written into a file."""


@dataclass(frozen=True)
class MarksTask:
    """The marks of a recording: of the sound in `decoded` and of its file, `source`."""

    decoded: Path
    source: Path
    trusted_signers: str | None


@dataclass(frozen=True)
class Marks:
    """Watermark of a recording, and the credentials that say that it is synthetic speech."""

    watermark: Detection
    credentials: Credentials | None


def of_synthetic_speech(context: PreparationContext, decoded: Sequence[DecodedRecording]) -> None:
    """Name the recordings that are synthetic speech, and whose: a voice trained on them is not a person's."""
    examined = decoded[:RECORDINGS]
    request = context.request
    tasks = [MarksTask(one.path, one.source.path, request.trusted_signers) for one in examined]
    marked = []
    for recording, marks in zip(examined, context.pool.map(marks_of, tasks), strict=True):
        if whose := _voice(marks, request.known_voices):
            marked.append(f"{recording.source.path.name} ({whose})")
    if marked:
        context.observer.note(
            f"WARNING: {len(marked)} of {len(examined)} recordings are marked as synthetic speech: "
            f"{first_of(marked, separator='; ')}. A voice trained on them is not the voice of a person"
        )


def marks_of(task: MarksTask) -> Marks:
    """Look for the marks of synthetic speech in one recording."""
    watermark = detect_in_file(task.decoded, speeds=False, most=WINDOWS)
    held = read_credentials(task.source, task.trusted_signers)
    return Marks(watermark, held if held is not None and held.valid and held.synthetic else None)


def _voice(marks: Marks, known: Iterable[Origin]) -> str | None:
    """Whose synthetic speech a recording is, and by which marks; None for one that is not marked."""
    held = marks.credentials
    found = "; ".join((*_of_credentials(held), *_of_watermark(marks.watermark, held, known)))
    return one_line(found) if found else None


def _of_credentials(held: Credentials | None) -> Iterator[str]:
    if held is not None:
        voice = str(held.claims.get("voice") or "unnamed")[:_LONGEST_NAME]
        status = "verified" if held.trusted else UNTRUSTED
        yield f"voice {voice}, signed by {held.signer[:_LONGEST_NAME]}, {status}"


def _of_watermark(found: Detection, held: Credentials | None, known: Iterable[Origin]) -> Iterator[str]:
    """The voices that only the watermark names; its digits where no known voice has them."""
    if not found.marked:
        return
    if found.payload is None:
        if held is None:
            yield "with a watermark that is too weak to be read"
        return
    names = {origin.voice for origin in known if evidence(origin, found, held) == "watermark"}
    if names:
        yield f"voice {' or '.join(sorted(names))}, named by the watermark"
    elif held is None:
        yield f"watermark {found.payload.hex()} of no voice that is promoted here"


def of_telephone(context: PreparationContext, clips: Sequence[CandidateClip]) -> None:
    """Name the clips with a telephone's bandwidth, and the sample rate of their files if that is the reason."""
    narrow = [clip for clip in clips if clip.cut.quality.bandwidth_hz <= TELEPHONE_HZ]
    seconds = sum(clip.cut.seconds for clip in narrow)
    if not narrow or seconds < TELEPHONE_SHARE * sum(clip.cut.seconds for clip in clips):
        return
    rates = sorted({clip.utterance.recording.source_rate for clip in narrow} - {0})
    bandwidth = float(np.median([clip.cut.quality.bandwidth_hz for clip in narrow]))
    why = f" (sample rate {rates[0]} Hz)" if len(rates) == 1 and rates[0] <= 2 * TELEPHONE_HZ else ""
    context.observer.note(
        f"WARNING: the sound of {len(narrow)} of {len(clips)} clips ends near {bandwidth:.0f} Hz{why}, as on a "
        "telephone; a voice that is trained on them sounds like a telephone. Use recordings of 22050 Hz or more"
    )


def of_second_speaker(context: PreparationContext, clips: Sequence[CandidateClip]) -> None:
    """Warn if the clips fall into two groups that differ as two speakers do."""
    tasks = [speaker_groups.SumsTask(clip.path, clip.cut.sha256, context.cache) for clip in clips]
    found = speaker_groups.find(context.pool.map(speaker_groups.sums_of, tasks))
    if found is None:
        return
    names = [f"{clips[index].id} ({clips[index].utterance.recording.source.name})" for index in found.smaller]
    context.observer.note(
        f"WARNING: {len(names)} of {len(clips)} clips differ from the others as a second speaker does (distance "
        f"{found.distance:.2f}; one speaker in one room: up to 0.15): {first_of(names)}. Another room, "
        "microphone or noise differs so, too: listen to them, and leave out another person's clips"
    )
