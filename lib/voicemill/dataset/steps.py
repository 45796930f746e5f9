"""The stages from recordings to utterances; `clip_steps` has those from there on, `prepare` runs them in order."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from voicemill.audio.loudness import Loudness, gain_to
from voicemill.audio.vad import Span
from voicemill.dataset.description import LoudnessFigures
from voicemill.dataset.pool import TaskPool
from voicemill.dataset.recordings import (
    DecodeTask,
    Recording,
    Refusal,
    SpeechTask,
    decode_one,
    joint_loudness,
    loudness_of,
    speech_of,
)
from voicemill.dataset.report import Rejection
from voicemill.dataset.sources import Sources
from voicemill.dataset.stages import StageClock
from voicemill.dataset.utterances import Found, Heard, Means, from_clips, from_script
from voicemill.errors import DatasetError


@dataclass(frozen=True)
class Bench:
    """Where a preparation works and with what: its pool and clock, the staging folder, the stage cache.

    Attributes:
        staging: becomes the dataset; `decoded` lies inside it so that whatever happens it goes away with it.
        cache: results that outlive a run.
    """

    pool: TaskPool
    clock: StageClock
    staging: Path
    cache: Path

    @property
    def decoded(self) -> Path:
        """Folder of the decoded recordings."""
        return self.staging / ".decoded"


@dataclass(frozen=True)
class Decoded:
    """Recordings that could be decoded (with their place among all), those that could not, and the length of all."""

    heard: tuple[tuple[int, Heard], ...]
    rejected: tuple[Rejection, ...]
    seconds: float


def decode_all(bench: Bench, recordings: Sequence[Recording], sample_rate: int) -> Decoded:
    """Stage `decode`.

    Raises:
        AudioError: the only recording cannot be used.
        DatasetError: `dataset_no_valid_audio`, none of several can.
    """
    bench.decoded.mkdir()
    tasks = [
        DecodeTask(recording, bench.decoded / f"{number:06d}.wav", sample_rate)
        for number, recording in enumerate(recordings)
    ]
    with bench.clock.stage("decode", len(tasks)):
        results = bench.pool.map(decode_one, tasks, bench.clock.observer)
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
    heard = tuple(
        (index, Heard(task.recording, task.target, result, ()))
        for index, (task, result) in enumerate(zip(tasks, results, strict=True))
        if not isinstance(result, Refusal)
    )
    rejected = tuple(_unusable(recording, refusal, 0.0) for recording, refusal in refused)
    return Decoded(heard, rejected, sum(found.seconds for _, found in heard))


def level(
    bench: Bench, decoded: Decoded, target_lufs: float, peak_limit_dbfs: float
) -> tuple[Decoded, LoudnessFigures]:
    """Stage `loudness`: one gain for all; a silent one of several recordings is left out.

    Raises:
        AudioError: `audio_silent`, when there is nothing but silence.
    """
    with bench.clock.stage("loudness", len(decoded.heard), decoded.seconds):
        results = bench.pool.map(loudness_of, [heard.decoded for _, heard in decoded.heard], bench.clock.observer)
    pairs = list(zip(decoded.heard, results, strict=True))
    good = [(pair, figure) for pair, figure in pairs if isinstance(figure, Loudness)]
    silent = [(heard, figure) for (_, heard), figure in pairs if isinstance(figure, Refusal)]
    if not good:
        raise silent[0][1].error()
    joint = joint_loudness([figure for _, figure in good], [heard.seconds for (_, heard), _ in good])
    figures = LoudnessFigures(
        integrated_lufs=round(joint.integrated_lufs, 2),
        true_peak_dbfs=round(joint.true_peak_dbfs, 2),
        gain_db=round(gain_to(joint, target_lufs, peak_limit_dbfs), 2),
    )
    rejected = tuple(_unusable(heard.recording, refusal, heard.seconds) for heard, refusal in silent)
    return Decoded(tuple(pair for pair, _ in good), decoded.rejected + rejected, decoded.seconds), figures


def find_speech(bench: Bench, decoded: Decoded) -> Decoded:
    """Stage `voice-activity`: where somebody speaks in each recording."""
    with bench.clock.stage("voice-activity", len(decoded.heard), decoded.seconds):
        tasks = [SpeechTask(heard.decoded, bench.cache) for _, heard in decoded.heard]
        speech = bench.pool.map(speech_of, tasks, bench.clock.observer)
    tell_cached(bench, "voice-activity", [found.cached for found in speech], "recordings")
    heard = tuple(
        (index, dataclasses.replace(one, spans=tuple(Span(*span) for span in found.spans), digest=found.digest))
        for (index, one), found in zip(decoded.heard, speech, strict=True)
    )
    return dataclasses.replace(decoded, heard=heard)


def find_utterances(bench: Bench, sources: Sources, decoded: Decoded, means: Means) -> Found:
    """Stage `segmentation`.

    Raises:
        DatasetError: `script_mismatch`, `no_speech`, or `dataset_no_valid_audio` when no utterance is left.
    """
    heard = [one for _, one in decoded.heard]
    steps = sum(len(one.spans) for one in heard) if sources.script else len(heard)
    with bench.clock.stage("segmentation", steps, decoded.seconds):
        if sources.script:
            found = from_script(heard, sources.script, means, bench.clock.observer)
        else:
            texts = [sources.texts[index] for index, _ in decoded.heard]
            found = from_clips(heard, texts, means, bench.clock.observer)
    if not found.utterances:
        _nothing(found, sources)
    return dataclasses.replace(found, heard=tuple(heard))


def _nothing(found: Found, sources: Sources) -> NoReturn:
    reasons = {row.reason for row in found.rejected}
    if sources.script and not reasons & {"too_long", "too_short"}:
        raise DatasetError(
            "No sentence of the script was found in the recording.",
            reason="script_mismatch",
            hint="Give the script of this recording, in the order in which it is read.",
        )
    raise DatasetError(
        f"No clip can be made of the recording: {', '.join(sorted(reasons)) or 'no speech'}.",
        reason="dataset_no_valid_audio",
        hint="Give recordings of sentences of 1 to 12 seconds with pauses between them.",
    )


def _unusable(recording: Recording, refusal: Refusal, seconds: float) -> Rejection:
    offset = recording.offset
    whole = Span(offset, offset + seconds)
    return Rejection(
        source=recording.name,
        start=whole.start,
        end=round(whole.end, 3),
        seconds=round(seconds, 3),
        reason=refusal.reason.partition(":")[0],
        detail=refusal.message,
    )


def tell_cached(bench: Bench, stage: str, cached: Sequence[bool], what: str = "clips") -> None:
    """Say what the stage cache made unnecessary."""
    if any(cached):
        bench.clock.observer.note(f"{stage}: {sum(cached)} of {len(cached)} {what} from the cache")
