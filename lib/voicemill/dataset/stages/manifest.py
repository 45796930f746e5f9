"""Stage `manifest`: NeMo manifests, lexicon, cuts, report, statistics and dataset.json."""

from __future__ import annotations

import dataclasses
import math
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from voicemill import files
from voicemill.dataset import description, doubts, explain, judging
from voicemill.dataset.candidates import CandidateClip, RejectedClip
from voicemill.dataset.clip_results import AlignedClip, PitchResult, PitchSettings
from voicemill.dataset.description import DatasetDescription
from voicemill.dataset.description_parts import LoudnessFigures, SeparationFigures, SourceFile, Statistics
from voicemill.dataset.manifest import ManifestEntry, Quality, Split, write_manifest
from voicemill.dataset.recordings import DecodedRecordings
from voicemill.dataset.report import make_report
from voicemill.dataset.utterances import SegmentationResult
from voicemill.errors import DatasetError

if TYPE_CHECKING:
    from voicemill.dataset.context import PreparationContext

NAME = "manifest"
VALIDATION_SHARE = 0.1
"""Share of the clips held out for validation: enough for a stable figure, and little even of a few minutes."""
MOST_VALIDATION_CLIPS = 12
"""More than a dozen clips make validation slower, not better."""


@dataclass(frozen=True)
class Identity:
    """The content key of a dataset and its parts."""

    key: str
    inputs: tuple[SourceFile, ...]
    tools: Mapping[str, str]


@dataclass(frozen=True)
class StageResults:
    """The results of the stages before.

    Attributes:
        decoded: recordings.
        loudness: their loudness and gain.
        separation: their background.
        segmented: utterances and rejected stretches.
        cut: all clips.
        rejected: those that are left out.
        clips: those that are kept.
        pitch_settings: range of the search.
        pitch: of each kept clip.
    """

    decoded: DecodedRecordings
    loudness: LoudnessFigures
    separation: SeparationFigures
    segmented: SegmentationResult
    cut: Sequence[CandidateClip]
    rejected: Sequence[RejectedClip]
    clips: Sequence[CandidateClip]
    pitch_settings: PitchSettings
    pitch: Sequence[PitchResult]


def run(
    context: PreparationContext, results: StageResults, entries: Sequence[ManifestEntry], identity: Identity
) -> None:
    """Write the files that describe the dataset, dataset.json last."""
    staging, keep = context.staging, context.request.keep_rejected
    with context.clock.stage(NAME):
        shutil.rmtree(staging / ".fresh", ignore_errors=True)
        rows = [one.discard(staging, keep) for one in results.rejected]
        words = [row[0] for entry in entries for row in entry.alignment]
        guessed = context.lexicon.write(staging / description.LEXICON, words)
        write_manifest(staging / description.MANIFEST, entries)
        for name, part in ((description.TRAIN, "train"), (description.VALIDATION, "validation")):
            write_manifest(staging / name, [entry for entry in entries if entry.split == part])
        explain.write(staging / explain.NAME, explain.rows(results.cut, {row.id: row.reason for row in rows}))
        doubts.write(staging, [doubts.doubtful(clip.id, clip.doubts) for clip in results.clips if clip.doubts])
        report = make_report(
            results.decoded.seconds,
            sum(clip.cut.seconds for clip in results.clips),
            [*results.decoded.rejected, *results.segmented.rejected, *rows],
            results.segmented.unspoken,
            {word: " ".join(context.lexicon.pronounce(word).phones) for word in guessed},
        )
        stats = summarise(entries, results.pitch, results.pitch_settings)
        described = DatasetDescription(
            content_key=identity.key,
            dataset_sha256=files.sha256_file(staging / description.MANIFEST),
            pitch_mean=stats.pitch_mean,
            pitch_std=stats.pitch_std,
            pitch_fmin=stats.pitch_fmin,
            pitch_fmax=stats.pitch_fmax,
            settings=context.request.settings,
            inputs=identity.inputs,
            loudness=results.loudness,
            separation=results.separation,
            statistics=stats,
            report=report,
            tools=dict(identity.tools),
            rights=context.request.rights,
            files=description.file_digests(staging),
        )
        files.write_json(staging / description.NAME, description.dump(described))


def entries_of(clips: Sequence[CandidateClip], seed: int) -> list[ManifestEntry]:
    """Manifest entries with their split, in the order of the input."""
    splits = assign_splits(
        [clip.cut.seconds for clip in clips], [clip.utterance.normalized for clip in clips], seed=seed
    )
    entries = []
    for clip, part in zip(clips, splits, strict=True):
        utterance = clip.utterance
        if clip.aligned is None:
            raise ValueError(f"clip {clip.id} was not aligned")
        offset = utterance.recording.source.offset
        entries.append(
            ManifestEntry(
                id=clip.id,
                audio_filepath=f"clips/{clip.id}.wav",
                text=utterance.text,
                normalized_text=utterance.normalized,
                duration=round(clip.cut.seconds, 6),
                sha256=clip.cut.sha256,
                speaker=utterance.speaker,
                split=part,
                source=utterance.recording.source.name,
                start=round(offset + utterance.start, 4),
                end=round(offset + utterance.end, 4),
                separated=True if utterance.separated else None,
                text_source="recogniser" if utterance.recognised else None,
                alignment=clip.aligned.words,
                quality=_quality(clip, clip.aligned),
            )
        )
    return entries


def _quality(clip: CandidateClip, aligned: AlignedClip) -> Quality:
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


def summarise(entries: Sequence[ManifestEntry], pitches: Sequence[PitchResult], settings: PitchSettings) -> Statistics:
    """Statistics of clips and their pitch, in the same order.

    Raises:
        DatasetError: `no_pitch`, when no training clip has voiced speech.
    """
    train = [found for entry, found in zip(entries, pitches, strict=True) if entry.split == "train"]
    voiced = sum(found.voiced for found in train)
    mean = sum(found.total for found in train) / max(voiced, 1)
    variance = sum(found.squares for found in train) / max(voiced, 1) - mean * mean
    if voiced == 0 or variance <= 0:
        raise DatasetError(
            "No pitch was found in the clips: they hold no voiced speech.",
            reason="no_pitch",
            hint="Check that the recording is of voiced speech, not of whispering.",
        )
    seconds = {
        split: sum(entry.duration for entry in entries if entry.split == split) for split in ("train", "validation")
    }
    lengths = [entry.duration for entry in entries]
    return Statistics(
        pitch_mean=round(mean, 4),
        pitch_std=round(math.sqrt(variance), 4),
        pitch_fmin=settings.fmin,
        pitch_fmax=settings.fmax,
        voiced_share=round(voiced / sum(found.frames for found in train), 4),
        train_clips=len(train),
        validation_clips=len(entries) - len(train),
        train_seconds=round(seconds["train"], 3),
        validation_seconds=round(seconds["validation"], 3),
        shortest_seconds=round(min(lengths), 3),
        longest_seconds=round(max(lengths), 3),
        words=sum(len(entry.alignment) for entry in entries),
    )


def assign_splits(seconds: Sequence[float], texts: Sequence[str], *, seed: int) -> list[Split]:
    """Choose about a tenth of the clips for validation, at least 1 and at most 12, one from each stratum of lengths.

    All takes of a text that is spoken more than once stay in training: validation must not use a text of training.

    Args:
        seconds: length of each clip.
        texts: the text of each clip.
        seed: the same seed and clips give the same choice.

    Returns:
        The split of each clip, in their order.

    Raises:
        DatasetError: `dataset_too_small`, fewer than two clips or a single text throughout.
    """
    takes = Counter(texts)
    unique = [index for index, text in enumerate(texts) if takes[text] == 1]
    if len(seconds) < 2 or not unique:
        raise DatasetError(
            f"{len(seconds)} clips with {len(takes)} different texts are too few to train and to validate on.",
            reason="dataset_too_small",
            hint="Record more sentences; a few minutes are a good start.",
        )
    wanted = min(MOST_VALIDATION_CLIPS, max(1, round(VALIDATION_SHARE * len(seconds))), len(unique), len(seconds) - 1)
    by_length = sorted(unique, key=lambda index: (seconds[index], index))
    generator = np.random.default_rng(seed)
    chosen = {
        by_length[int(generator.choice(stratum))] for stratum in np.array_split(np.arange(len(by_length)), wanted)
    }
    return ["validation" if index in chosen else "train" for index in range(len(seconds))]
