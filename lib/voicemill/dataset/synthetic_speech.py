"""A warning about recordings that are marked as synthetic speech, with the voice that their marks name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from voicemill.dataset.context import PreparationContext
from voicemill.dataset.recordings import DecodedRecording
from voicemill.protocol import first_of, one_line
from voicemill_marks.credentials import Credentials, read_credentials
from voicemill_marks.detector import Detection, detect_in_file
from voicemill_marks.evidence import UNTRUSTED, evidence
from voicemill_marks.origin import Origin

WINDOWS, RECORDINGS = 10, 200
"""Windows of 6 s that are examined in a recording, spread over it, and the number of recordings, the first ones."""
_LONGEST_NAME = 64
"""Characters of a name that anyone can have written into a file."""


def warn(context: PreparationContext, decoded: Sequence[DecodedRecording]) -> None:
    """Name the recordings that are synthetic speech, and whose: a voice trained on them is not a person's."""
    examined = decoded[:RECORDINGS]
    request = context.request
    marked = []
    for recording in examined:
        if whose := _voice(recording, request.known_voices, request.trusted_signers):
            marked.append(f"{recording.source.path.name} ({whose})")
    if marked:
        context.observer.note(
            f"WARNING: {len(marked)} of {len(examined)} recordings are marked as synthetic speech: "
            f"{first_of(marked, separator='; ')}. A voice trained on them is not the voice of a person"
        )


def _voice(recording: DecodedRecording, known: Iterable[Origin], anchors: str | None) -> str | None:
    """Whose synthetic speech a recording is, and by which marks; None for one that is not marked."""
    watermark = detect_in_file(recording.path, speeds=False, most=WINDOWS)
    held = read_credentials(recording.source.path, anchors)
    if held is not None and not (held.valid and held.synthetic):
        held = None
    marks = "; ".join((*_of_credentials(held), *_of_watermark(watermark, held, known)))
    return one_line(marks) if marks else None


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
