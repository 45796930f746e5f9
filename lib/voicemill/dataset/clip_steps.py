"""The stages from utterances to clips with words, phones and pitch; what is unfit is left out and named."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from voicemill import files
from voicemill.audio import decode, device, fingerprints
from voicemill.audio.embedding import SpeakerModel
from voicemill.dataset import aligning, clips, judging, speakers, split, supplementary
from voicemill.dataset.judging import Fault
from voicemill.dataset.limits import QualityLimits
from voicemill.dataset.manifest import ManifestEntry, Quality
from voicemill.dataset.pool import ClipPool
from voicemill.dataset.report import Rejection, require_fitting
from voicemill.dataset.steps import Bench, tell_cached
from voicemill.dataset.utterances import Found, Heard, Utterance
from voicemill.text import normalise

REJECTED = "rejected"
"""Folder of the sounds that were left out, where they are kept."""


@dataclass(frozen=True)
class Clip:
    """An utterance that was written to a file, once aligned its words, and how near its speaker is to the voice's."""

    id: str
    path: Path
    utterance: Utterance
    cut: clips.CutClip
    aligned: aligning.AlignedClip | None = None
    similarity: float | None = None

    @property
    def words(self) -> str:
        """What it says, in one spelling."""
        return " ".join(normalise.words(self.utterance.normalized))


@dataclass
class Rejects:
    """Clips that were left out: their rows, and their sounds where `keep` says so."""

    staging: Path
    keep: bool
    rows: list[Rejection] = field(default_factory=list)

    def add(self, clip: Clip, reason: str, detail: str, fault: Fault | None = None) -> Rejection:
        """Leave a clip out: its file moves to `rejected/`, or goes."""
        changes: dict[str, object] = {"id": clip.id}
        if fault is not None:
            changes |= {"figure": fault.figure, "unit": fault.unit, "limit": fault.limit}
        if self.keep:
            (self.staging / REJECTED).mkdir(exist_ok=True)
            clip.path.rename(self.staging / REJECTED / clip.path.name)
            changes["audio"] = f"{REJECTED}/{clip.path.name}"
        else:
            clip.path.unlink()
        row = clip.utterance.rejected(reason, detail).model_copy(update=changes)
        self.rows.append(row)
        return row

    def sift(self, made: Sequence[Clip], faults: Sequence[Fault | None]) -> list[Clip]:
        """The clips without a fault, or kept by a person's word; the others are left out."""
        kept = []
        for clip, fault in zip(made, faults, strict=True):
            if fault is None or clip.utterance.verdict == "keep":
                kept.append(clip)
            else:
                self.add(clip, fault.reason, fault.detail, fault)
        return kept


def cut_clips(bench: Bench, found: Found, voice: str, sample_rate: int, gain_db: float) -> list[Clip]:
    """Stage `clips`: write and measure them all."""
    folder = bench.staging / "clips"
    folder.mkdir()
    factor = 10.0 ** (gain_db / 20.0)
    width = max(4, len(str(len(found.utterances))))
    names = [f"{voice}_{number:0{width}d}" for number in range(1, len(found.utterances) + 1)]
    tasks = [
        _task(said.heard, said.start, said.end, sample_rate, factor, folder / f"{name}.wav")
        for name, said in zip(names, found.utterances, strict=True)
    ]
    with bench.clock.stage("clips", len(tasks), sum(said.end - said.start for said in found.utterances)):
        results = bench.pool.map(clips.cut, tasks, bench.clock.observer)
    return [
        Clip(name, task.target, said, result)
        for name, task, said, result in zip(names, tasks, found.utterances, results, strict=True)
    ]


def keep_stretches(bench: Bench, found: Found, voice: str, sample_rate: int, gain_db: float) -> Found:
    """Write the sound of what became no clip at all to `rejected/` as well."""
    folder = bench.staging / REJECTED
    folder.mkdir(exist_ok=True)
    factor = 10.0 ** (gain_db / 20.0)
    rows, tasks = [], []
    for number, row in enumerate(found.rejected, start=1):
        heard = next((one for one in found.heard if _holds(one, row)), None)
        if heard is None or row.seconds <= 0.0:
            rows.append(row)
            continue
        name = f"{voice}_x{number:04d}"
        offset = heard.recording.offset
        target = folder / f"{name}.wav"
        tasks.append(_task(heard, row.start - offset, row.end - offset, sample_rate, factor, target))
        rows.append(row.model_copy(update={"id": name, "audio": f"{REJECTED}/{name}.wav"}))
    bench.pool.map(clips.cut, tasks)
    return dataclasses.replace(found, rejected=tuple(rows))


def _holds(heard: Heard, row: Rejection) -> bool:
    offset = heard.recording.offset
    inside = offset - 1e-3 <= row.start and row.end <= offset + heard.seconds + 1e-3
    return heard.recording.name == row.source and inside


def _task(heard: Heard, start: float, end: float, rate: int, factor: float, target: Path) -> clips.CutTask:
    return clips.CutTask(heard.decoded, round(start * rate), round(end * rate), factor, target)


def judge_sound(made: Sequence[Clip], rejects: Rejects, limits: QualityLimits) -> list[Clip]:
    """Leave out what a person dropped, and what is unfit whatever it says."""
    for clip in made:
        if clip.utterance.verdict == "drop":
            rejects.add(clip, "dropped_in_review", "left out by a person")
    made = [clip for clip in made if clip.utterance.verdict != "drop"]
    return rejects.sift(made, [judging.of_sound(clip.cut.quality, limits) for clip in made])


def align_clips(bench: Bench, made: Sequence[Clip], extra: Path | None, rejects: Rejects) -> list[Clip]:
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
    tell_cached(bench, "alignment", [result.cached for result in results])
    misfits, kept = [], []
    for clip, result in zip(made, results, strict=True):
        if result.fits or (clip.utterance.verdict == "keep" and result.score is not None):
            kept.append(dataclasses.replace(clip, aligned=result))
        elif result.score is None:
            misfits.append(rejects.add(clip, "alignment_failed", result.problem or ""))
        else:
            misfits.append(rejects.add(clip, "text_mismatch", f"alignment score {result.score:.1f}"))
            misfits[-1] = rejects.rows[-1] = misfits[-1].model_copy(update={"figure": result.score, "unit": "score"})
    require_fitting(misfits, len(made))
    return kept


def judge_speech(
    bench: Bench, made: Sequence[Clip], rejects: Rejects, limits: QualityLimits, model: SpeakerModel | str
) -> list[Clip]:
    """Leave out what was not said as the text has it, what somebody else says, and copies.

    `model` tells who speaks; where it is the reason why there is none, pitch and formants do.
    """
    faults = [
        judging.of_speech(clip.aligned.words if clip.aligned else [], clip.utterance.character_errors, limits)
        for clip in made
    ]
    kept = rejects.sift(made, faults)
    if isinstance(model, str):
        kept = rejects.sift(kept, judging.of_voices([clip.cut.voice for clip in kept], limits))
    else:
        kept = _compared(bench, kept, model)
        kept = rejects.sift(kept, judging.of_speakers([clip.similarity for clip in kept], limits, model.name))

    def print_of(index: int) -> fingerprints.Fingerprint:
        return fingerprints.fingerprint(*decode.read_mono(kept[index].path))

    copies = judging.of_copies([clip.words for clip in kept], [clip.cut.sha256 for clip in kept], print_of, limits)
    return rejects.sift(kept, copies)


def _compared(bench: Bench, made: Sequence[Clip], model: SpeakerModel) -> list[Clip]:
    tasks = [speakers.EmbedTask(clip.path, clip.cut.sha256, model, bench.cache) for clip in made]
    found = speakers.similarities(bench.pool.map(speakers.embed, tasks))
    return [dataclasses.replace(clip, similarity=one) for clip, one in zip(made, found, strict=True)]


def pitch_of_clips(
    bench: Bench, kept: Sequence[Clip], sample_rate: int, on: str
) -> tuple[supplementary.PitchSettings, list[supplementary.PitchResult]]:
    """Stage `pitch`: the speaker's range from a minute of clips, then every clip within it.

    `on` is the device that computes; a GPU does so from this process alone, each process would take memory of its own.
    """
    folder = bench.staging / "supplementary"
    folder.mkdir()
    with bench.clock.stage("pitch", len(kept), sum(clip.cut.seconds for clip in kept)):
        fmin, fmax = supplementary.range_of_clips([clip.path for clip in kept])
        settings = supplementary.PitchSettings(sample_rate, round(fmin, 2), round(fmax, 2), device=on)
        tasks = [
            supplementary.PitchTask(clip.path, clip.cut.sha256, settings, bench.cache, folder / f"{clip.id}.npz")
            for clip in kept
        ]
        pool = bench.pool if on == device.CPU else ClipPool(1)
        results = pool.map(supplementary.pitch_of, tasks, bench.clock.observer)
    tell_cached(bench, "pitch", [result.cached for result in results])
    return settings, results


def entries_of(kept: Sequence[Clip], seed: int) -> list[ManifestEntry]:
    """Manifest entries with their split, in the order of the input."""
    splits = split.assign([clip.cut.seconds for clip in kept], [clip.utterance.normalized for clip in kept], seed=seed)
    entries = []
    for clip, part in zip(kept, splits, strict=True):
        said = clip.utterance
        if clip.aligned is None:
            raise ValueError(f"clip {clip.id} was not aligned")
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
                separated=True if said.separated else None,
                text_source="recogniser" if said.recognised else None,
                alignment=clip.aligned.words,
                quality=_quality(clip, clip.aligned),
            )
        )
    return entries


def _quality(clip: Clip, aligned: aligning.AlignedClip) -> Quality:
    if aligned.score is None:
        raise ValueError(f"clip {clip.id} was not aligned")
    voice, errors = clip.cut.voice, clip.utterance.character_errors
    return Quality(
        **{name: round(value, 4) for name, value in dataclasses.asdict(clip.cut.quality).items()},
        alignment_score=aligned.score,
        phones_per_second=round(judging.phones_per_second(aligned.words), 3),
        character_errors=None if errors is None else round(errors, 4),
        pitch_hz=None if voice is None else round(voice.pitch_hz, 2),
        formant_hz=None if voice is None else round(voice.formant_hz, 1),
        speaker_similarity=None if clip.similarity is None else round(clip.similarity, 4),
    )
