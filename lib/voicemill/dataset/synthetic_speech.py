"""A warning about recordings that carry the watermark of a voice made here."""

from __future__ import annotations

from collections.abc import Sequence

from voicemill.dataset.context import PreparationContext
from voicemill.dataset.recordings import DecodedRecording
from voicemill_marks.detector import detect_in_file

WINDOWS, RECORDINGS = 10, 200
"""Windows of 6 s that are examined in a recording, spread over it, and the number of recordings, the first ones."""


def warn(context: PreparationContext, decoded: Sequence[DecodedRecording]) -> None:
    """Name the recordings that are synthetic speech: a voice trained on them is not the voice of a person."""
    marked, examined = [], decoded[:RECORDINGS]
    for recording in examined:
        found = detect_in_file(recording.path, speeds=False, most=WINDOWS)
        if found.marked:
            marked.append(f"{recording.source.path.name} ({found.payload.hex() if found.payload else 'unread'})")
    if marked:
        more = f" and {len(marked) - 3} more" if len(marked) > 3 else ""
        context.observer.note(
            f"WARNING: {len(marked)} of {len(examined)} recordings with the watermark of synthetic speech: "
            f"{', '.join(marked[:3])}{more}; voice-verify audio names the voice"
        )
