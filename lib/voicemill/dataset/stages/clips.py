"""Stage `clips`: one WAV for each utterance, brought to the common level, with its quality figures."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from voicemill import files
from voicemill.audio import quality, voice_traits
from voicemill.dataset.candidates import REJECTED, CandidateClip
from voicemill.dataset.clip_results import CutClip
from voicemill.dataset.recordings import DecodedRecording
from voicemill.dataset.report import Rejection
from voicemill.dataset.utterances import SegmentationResult

if TYPE_CHECKING:
    from voicemill.dataset.context import PreparationContext

NAME = "clips"


@dataclass(frozen=True)
class CutTask:
    """Samples `first` to `last` of `decoded`, times `factor`, to `target`.

    The bandwidth is at most half of `source_rate`, where that is known.
    """

    decoded: Path
    first: int
    last: int
    factor: float
    target: Path
    source_rate: int = 0


def cut(task: CutTask) -> CutClip:
    """Write one clip as mono PCM16 at the decoded recording's rate, and measure it.

    Clipping is looked for before the gain, which would hide a wave that was cut off at full scale.
    """
    import numpy as np
    import soundfile

    with soundfile.SoundFile(task.decoded) as source:
        rate = int(source.samplerate)
        source.seek(task.first)
        samples = source.read(task.last - task.first, dtype="float32")
    scaled = samples * np.float32(task.factor)
    # the folder that holds the target is published as a whole by files.atomic_directory
    with files.library_writes(task.target, soundfile.LibsndfileError):
        soundfile.write(task.target, scaled, rate, subtype="PCM_16", format="WAV")
    figures = dataclasses.replace(quality.measure(scaled, rate), clipped_share=quality.clipped_share(samples))
    if task.source_rate:
        figures = dataclasses.replace(figures, bandwidth_hz=min(figures.bandwidth_hz, task.source_rate / 2))
    return CutClip(files.sha256_file(task.target), len(samples) / rate, figures, voice_traits.measure(samples, rate))


def run(context: PreparationContext, found: SegmentationResult, gain_db: float) -> list[CandidateClip]:
    """Write and measure a clip for every utterance."""
    folder = context.staging / "clips"
    folder.mkdir()
    width = max(4, len(str(len(found.utterances))))
    names = [f"{context.request.voice}_{number:0{width}d}" for number in range(1, len(found.utterances) + 1)]
    tasks = [
        _task(context, one.recording, one.start, one.end, gain_db, folder / f"{name}.wav")
        for name, one in zip(names, found.utterances, strict=True)
    ]
    with context.clock.stage(NAME, len(tasks), sum(one.end - one.start for one in found.utterances)):
        results = context.map(cut, tasks)
    return [
        CandidateClip(name, task.target, utterance, result)
        for name, task, utterance, result in zip(names, tasks, found.utterances, results, strict=True)
    ]


def keep_rejected(context: PreparationContext, found: SegmentationResult, gain_db: float) -> SegmentationResult:
    """Write the audio of the stretches that became no utterance to `rejected/`."""
    folder = context.staging / REJECTED
    folder.mkdir(exist_ok=True)
    rows, tasks = [], []
    for number, row in enumerate(found.rejected, start=1):
        recording = next((one for one in found.recordings if _contains(one, row)), None)
        if recording is None or row.seconds <= 0.0:
            rows.append(row)
            continue
        name, offset = f"{context.request.voice}_x{number:04d}", recording.source.offset
        target = folder / f"{name}.wav"
        tasks.append(_task(context, recording, row.start - offset, row.end - offset, gain_db, target))
        rows.append(row.model_copy(update={"id": name, "audio": f"{REJECTED}/{name}.wav"}))
    context.pool.map(cut, tasks)
    return dataclasses.replace(found, rejected=tuple(rows))


def _contains(recording: DecodedRecording, row: Rejection) -> bool:
    offset = recording.source.offset
    inside = offset - 1e-3 <= row.start and row.end <= offset + recording.seconds + 1e-3
    return recording.source.name == row.source and inside


def _task(
    context: PreparationContext, recording: DecodedRecording, start: float, end: float, gain_db: float, target: Path
) -> CutTask:
    rate, factor = context.request.sample_rate, 10.0 ** (gain_db / 20.0)
    first, last = round(start * rate), round(end * rate)
    return CutTask(recording.path, first, last, factor, target, recording.source_rate)
