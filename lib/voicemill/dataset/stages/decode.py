"""Stage `decode`: recordings to mono WAV at the dataset's sample rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from voicemill.audio import decode
from voicemill.audio.channels import ChannelSelection
from voicemill.dataset.recordings import DecodedRecording, DecodedRecordings, Recording, Refusal
from voicemill.errors import AudioError, DatasetError
from voicemill.protocol import first_of

if TYPE_CHECKING:
    from voicemill.dataset.context import PreparationContext

NAME = "decode"
FOLDER = ".decoded"
"""Of the decoded recordings, in the staging folder, so that they go away with it."""
_OFFSET = 0.001
"""Mean of the samples (-60 dBFS) from which it is an offset of the sound card, not chance."""


@dataclass(frozen=True)
class DecodeTask:
    """Decode `recording` to `target`, 32-bit float at `sample_rate`, so that a gain later costs no resolution."""

    recording: Recording
    target: Path
    sample_rate: int
    selection: ChannelSelection = decode.MIXED


@dataclass(frozen=True)
class Decoded:
    """A decoded recording.

    Attributes:
        seconds: its length.
        rate: sample rate of the source (Hz).
        inverted: one of its two channels was turned.
        tracks: audio tracks of the file.
        channel: 1 for left and 2 for right where one channel was taken.
    """

    seconds: float
    rate: int
    inverted: bool = False
    tracks: int = 1
    channel: int = 0


def decode_one(task: DecodeTask) -> Decoded | Refusal:
    """Decode and check one recording; a constant offset is taken out of it."""
    part = task.recording
    try:
        info = decode.decode(
            part.path,
            task.target,
            sample_rate=task.sample_rate,
            start=part.start,
            end=part.end,
            subtype="FLOAT",
            selection=task.selection,
        )
    except AudioError as error:
        return Refusal.of(error)
    if abs(info.offset) > _OFFSET:
        _shift(task.target, -info.offset)
    return Decoded(info.duration, info.sample_rate, info.inverted, info.tracks, info.channel)


def _shift(path: Path, offset: float) -> None:
    """Add a constant to every sample of a mono float WAV, block by block."""
    import numpy as np
    import soundfile

    with soundfile.SoundFile(path, "r+") as target:
        position = 0
        while position < target.frames:
            target.seek(position)
            block = target.read(1 << 18, dtype="float32")
            target.seek(position)
            target.write(block + np.float32(offset))
            position += len(block)


def _note_channels(context: PreparationContext, results: Sequence[tuple[str, Decoded | Refusal]]) -> None:
    """Notes about inverted channels, further tracks, and the channel that was chosen."""
    decoded = [(name, result) for name, result in results if isinstance(result, Decoded)]
    if inverted := [name for name, result in decoded if result.inverted]:
        context.observer.note(
            f"one channel of {first_of(inverted, 1)} was inverted; it was turned before they were mixed"
        )
    several = [name for name, result in decoded if result.tracks > 1]
    if several and context.request.track is None:
        context.observer.note(
            f"{first_of(several, 1)} has several audio tracks; the first was taken (--track names another)"
        )
    if context.request.channel == "best":
        for side, label in ((1, "left"), (2, "right")):
            if chosen := [name for name, result in decoded if result.channel == side]:
                context.observer.note(
                    f"the {label} channel of {first_of(chosen, 1)} has the clearer voice and was taken"
                )


def run(context: PreparationContext, recordings: Sequence[Recording]) -> DecodedRecordings:
    """Decode every recording.

    Raises:
        AudioError: the only recording cannot be used.
        DatasetError: `dataset_no_valid_audio`, none of several can.
    """
    folder = context.staging / FOLDER
    folder.mkdir()
    selection = context.request.selection
    tasks = [
        DecodeTask(recording, folder / f"{number:06d}.wav", context.request.sample_rate, selection)
        for number, recording in enumerate(recordings)
    ]
    with context.clock.stage(NAME, len(tasks)):
        results = context.map(decode_one, tasks)
    _note_channels(context, [(task.recording.name, one) for task, one in zip(tasks, results, strict=True)])
    refused = [
        (task.recording, result) for task, result in zip(tasks, results, strict=True) if isinstance(result, Refusal)
    ]
    if refused and len(tasks) == 1:
        raise refused[0][1].error()
    if len(refused) == len(tasks):
        raise DatasetError(
            f"None of the {len(tasks)} recordings can be used; the first: {refused[0][1].message}",
            reason="dataset_no_valid_audio",
            hint=refused[0][1].hint,
        )
    usable = tuple(
        DecodedRecording(task.recording, task.target, result.seconds, index=index, source_rate=result.rate)
        for index, (task, result) in enumerate(zip(tasks, results, strict=True))
        if not isinstance(result, Refusal)
    )
    rejected = tuple(refusal.unusable(recording, 0.0) for recording, refusal in refused)
    return DecodedRecordings(usable, rejected, sum(one.seconds for one in usable))
