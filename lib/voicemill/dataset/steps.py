"""The stages between recordings and a folder that can be published; `prepare` runs them in order."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from voicemill import files
from voicemill.audio.loudness import Loudness, gain_to
from voicemill.audio.vad import Span
from voicemill.dataset import aligning, clips, split, supplementary
from voicemill.dataset.description import LoudnessFigures
from voicemill.dataset.manifest import ManifestEntry, Quality
from voicemill.dataset.pool import ClipPool
from voicemill.dataset.recordings import (
    DecodeTask,
    Recording,
    Refusal,
    decode_one,
    joint_loudness,
    loudness_of,
    speech_of,
)
from voicemill.dataset.report import Rejection, require_fitting
from voicemill.dataset.sources import Sources
from voicemill.dataset.stages import StageClock
from voicemill.dataset.utterances import Found, Heard, Means, Utterance, from_clips, from_script
from voicemill.errors import DatasetError


@dataclass(frozen=True)
class Bench:
    """Where a preparation works and with what: its pool and clock, the staging folder, the stage cache.

    Attributes:
        staging: becomes the dataset; `decoded` lies inside it so that whatever happens it goes away with it.
        cache: results that outlive a run.
    """

    pool: ClipPool
    clock: StageClock
    staging: Path
    cache: Path

    @property
    def decoded(self) -> Path:
        """Folder of the decoded recordings."""
        return self.staging / ".decoded"


@dataclass(frozen=True)
class Clip:
    """An utterance that was written to a file, and, once aligned, its words."""

    id: str
    path: Path
    utterance: Utterance
    cut: clips.CutClip
    aligned: aligning.AlignedClip | None = None

    @property
    def fault(self) -> str | None:
        """Why it is left out: what it measures, unless a person decided."""
        if self.utterance.verdict is None:
            return self.cut.fault
        return "dropped_in_review" if self.utterance.verdict == "drop" else None


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


def find_utterances(bench: Bench, sources: Sources, decoded: Decoded, means: Means) -> Found:
    """Stages `voice-activity` and `segmentation`.

    Raises:
        DatasetError: `script_mismatch`, `no_speech`, or `dataset_no_valid_audio` when no utterance is left.
    """
    with bench.clock.stage("voice-activity", len(decoded.heard), decoded.seconds):
        spans = bench.pool.map(speech_of, [heard.decoded for _, heard in decoded.heard], bench.clock.observer)
    heard = [dataclasses.replace(one, spans=tuple(found)) for (_, one), found in zip(decoded.heard, spans, strict=True)]
    steps = sum(len(one.spans) for one in heard) if sources.script else len(heard)
    with bench.clock.stage("segmentation", steps, decoded.seconds):
        if sources.script:
            found = from_script(heard, sources.script, means, bench.clock.observer)
        else:
            texts = [sources.texts[index] for index, _ in decoded.heard]
            found = from_clips(heard, texts, means, bench.clock.observer)
    if not found.utterances:
        _nothing(found, sources)
    return found


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


def cut_clips(
    bench: Bench, found: Found, voice: str, sample_rate: int, gain_db: float
) -> tuple[list[Clip], list[Rejection]]:
    """Stage `clips`: write them, leave out what is clipped or noisy."""
    folder = bench.staging / "clips"
    folder.mkdir()
    factor = 10.0 ** (gain_db / 20.0)
    width = max(4, len(str(len(found.utterances))))
    names = [f"{voice}_{number:0{width}d}" for number in range(1, len(found.utterances) + 1)]
    tasks = [
        clips.CutTask(
            said.heard.decoded,
            round(said.start * sample_rate),
            round(said.end * sample_rate),
            factor,
            folder / f"{name}.wav",
        )
        for name, said in zip(names, found.utterances, strict=True)
    ]
    with bench.clock.stage("clips", len(tasks), sum(said.end - said.start for said in found.utterances)):
        results = bench.pool.map(clips.cut, tasks, bench.clock.observer)
    made = [
        Clip(name, task.target, said, result)
        for name, task, said, result in zip(names, tasks, found.utterances, results, strict=True)
    ]
    rejected = []
    for clip in made:
        if clip.fault:
            figures = clip.cut.quality
            detail = f"clipped share {figures.clipped_share:.4f}, signal-to-noise ratio {figures.snr_db:.1f} dB"
            rejected.append(clip.utterance.rejected(clip.fault, detail))
            clip.path.unlink()
    return [clip for clip in made if not clip.fault], rejected


def align_clips(bench: Bench, made: Sequence[Clip], extra: Path | None) -> tuple[list[Clip], list[Rejection]]:
    """Stage `alignment`: words and phones; clips that do not sound like their text are left out.

    Raises:
        DatasetError: `text_mismatch`, when these are too many.
    """
    digest = None if extra is None else files.sha256_file(extra)
    tasks = [
        aligning.AlignTask(clip.path, clip.cut.sha256, clip.utterance.normalized, extra, digest, bench.cache)
        for clip in made
    ]
    with bench.clock.stage("alignment", len(tasks), sum(clip.cut.seconds for clip in made)):
        results = bench.pool.map(aligning.align, tasks, bench.clock.observer)
    _tell_cached(bench, "alignment", [result.cached for result in results])
    rejected, kept = [], []
    for clip, result in zip(made, results, strict=True):
        if result.fits or (clip.utterance.verdict == "keep" and result.score is not None):
            kept.append(dataclasses.replace(clip, aligned=result))
            continue
        reason = "alignment_failed" if result.score is None else "text_mismatch"
        rejected.append(clip.utterance.rejected(reason, result.problem or f"alignment score {result.score:.1f}"))
        clip.path.unlink()
    require_fitting(rejected, len(made))
    return kept, rejected


def pitch_of_clips(
    bench: Bench, kept: Sequence[Clip], sample_rate: int
) -> tuple[supplementary.PitchSettings, list[supplementary.PitchResult]]:
    """Stage `pitch`: the speaker's range from a minute of clips, then every clip within it."""
    folder = bench.staging / "supplementary"
    folder.mkdir()
    with bench.clock.stage("pitch", len(kept), sum(clip.cut.seconds for clip in kept)):
        fmin, fmax = supplementary.range_of_clips([clip.path for clip in kept])
        settings = supplementary.PitchSettings(sample_rate, round(fmin, 2), round(fmax, 2))
        tasks = [
            supplementary.PitchTask(clip.path, clip.cut.sha256, settings, bench.cache, folder / f"{clip.id}.npz")
            for clip in kept
        ]
        results = bench.pool.map(supplementary.pitch_of, tasks, bench.clock.observer)
    _tell_cached(bench, "pitch", [result.cached for result in results])
    return settings, results


def entries_of(kept: Sequence[Clip], seed: int) -> list[ManifestEntry]:
    """Manifest entries with their split, in the order of the input."""
    splits = split.assign([clip.cut.seconds for clip in kept], [clip.utterance.normalized for clip in kept], seed=seed)
    entries = []
    for clip, part in zip(kept, splits, strict=True):
        said, aligned = clip.utterance, clip.aligned
        if aligned is None or aligned.score is None:
            raise ValueError(f"clip {clip.id} was not aligned")
        figures = {name: round(value, 4) for name, value in dataclasses.asdict(clip.cut.quality).items()}
        offset = said.heard.recording.offset
        entries.append(
            ManifestEntry(
                id=clip.id,
                audio_filepath=f"clips/{clip.id}.wav",
                text=said.text,
                normalized_text=said.normalized,
                duration=round(clip.cut.seconds, 6),
                sha256=clip.cut.sha256,
                speaker=said.speaker,
                split=part,
                source=said.heard.recording.name,
                start=round(offset + said.start, 4),
                end=round(offset + said.end, 4),
                alignment=aligned.words,
                quality=Quality(**figures, alignment_score=aligned.score),
            )
        )
    return entries


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


def _tell_cached(bench: Bench, stage: str, cached: Sequence[bool]) -> None:
    if any(cached):
        bench.clock.observer.note(f"{stage}: {sum(cached)} of {len(cached)} clips from the cache")
