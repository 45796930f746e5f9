"""`voice_dataset_manifest.json` and its clips: pieces of equal length at MusicGen's sample rate.

No text is involved: the adapter is trained on audio alone, and no transcript is invented.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from voicemill import files, path_names
from voicemill.audio.decode import SILENCE_PEAK, decode
from voicemill.errors import DatasetError
from voicemill.progress import Observer
from voicemill_musicgen.status import VoiceTrainStatus, VoiceTrainStatusV1

SAMPLE_RATE = 32_000
"""Hz; that of MusicGen's EnCodec (facebook/encodec_32khz). A model with another rate resamples."""
CLIP_SECONDS = 10
"""A third of MusicGen's training length (30 s), so that a step fits into a small machine's memory."""
CLIPS = "tts_voice_train_clips"
"""Folder of the clips beside the manifest; replaced as a whole."""


class Clip(BaseModel):
    """One piece; `path` is relative to the manifest's folder, `start` and `duration` are seconds of its source."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    path: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    source: str
    start: Annotated[float, Field(ge=0)]
    duration: Annotated[float, Field(gt=0)]

    @field_validator("path")
    @classmethod
    def _path_is_safe(cls, value: str) -> str:
        path_names.safe_relative(value)
        return value


class Source(BaseModel):
    """A recording by its file's name, so that the file contains no path of this machine."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    name: str
    sha256: str
    duration: float


class VoiceDataset(BaseModel):
    """The manifest; `silent` pieces and the remainder of each source that fills no piece are left out."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    version: Literal["tts_voice_train_dataset/1"] = "tts_voice_train_dataset/1"
    mode: Literal["voice_dataset"] = "voice_dataset"
    sample_rate: int
    clip_seconds: int
    sources: tuple[Source, ...]
    entries: tuple[Clip, ...]
    silent: int
    total_seconds: float


def prepare(sources: Sequence[Path], manifest: Path, observer: Observer) -> VoiceDataset:
    """Cut the recordings into clips and write the manifest; earlier results stay until everything is written.

    Raises:
        AudioError: a recording cannot be used.
        DatasetError: `dataset_no_valid_audio`.
        StorageError: the disk is full or cannot be written.
    """
    observer.stage("clips", len(sources))
    entries: list[Clip] = []
    facts: list[Source] = []
    silent = 0
    with files.atomic_directory(manifest.parent / CLIPS) as staging:
        for number, source in enumerate(sources):
            whole = staging / "whole.wav"
            info = decode(source, whole, sample_rate=SAMPLE_RATE)
            found, quiet = _cut(whole, staging, number, source.name)
            whole.unlink()
            entries, silent = entries + found, silent + quiet
            facts.append(Source(name=source.name, sha256=files.sha256_file(source), duration=round(info.duration, 3)))
            observer.advance(number + 1, f"{len(entries)} clips")
        if not entries:
            raise DatasetError(
                f"No recording has {CLIP_SECONDS} seconds of sound.",
                reason="dataset_no_valid_audio",
                hint="Give a longer recording.",
            )
    dataset = VoiceDataset(
        sample_rate=SAMPLE_RATE,
        clip_seconds=CLIP_SECONDS,
        sources=tuple(facts),
        entries=tuple(entries),
        silent=silent,
        total_seconds=float(CLIP_SECONDS * len(entries)),
    )
    files.write_json(manifest, dataset.model_dump(mode="json"))
    return dataset


def _cut(whole: Path, folder: Path, number: int, source: str) -> tuple[list[Clip], int]:
    """Write the full-length pieces of a decoded recording to `folder`; silent ones are skipped and counted."""
    import numpy as np
    import soundfile

    size, found, silent = SAMPLE_RATE * CLIP_SECONDS, [], 0
    for index, piece in enumerate(soundfile.blocks(str(whole), blocksize=size, dtype="int16")):
        if len(piece) < size:
            break
        if int(np.abs(piece.astype(np.int32)).max()) < SILENCE_PEAK * 32768:
            silent += 1
            continue
        path = folder / f"{number:03d}-{index:05d}.wav"
        with files.library_writes(path, soundfile.LibsndfileError):
            soundfile.write(path, piece, SAMPLE_RATE, subtype="PCM_16")
        found.append(
            Clip(
                path=f"{CLIPS}/{path.name}",
                sha256=files.sha256_file(path),
                source=source,
                start=float(index * CLIP_SECONDS),
                duration=float(CLIP_SECONDS),
            )
        )
    return found, silent


def read(manifest: Path) -> tuple[VoiceDataset, list[Path]]:
    """Read the manifest and verify the hash of every clip.

    Raises:
        DatasetError: `dataset_manifest_missing:<path>`, `dataset_manifest_invalid:<why>`, `dataset_no_valid_audio`,
            `missing_clip:<path>`, `dataset_invalid`.
    """
    hint = "Run it with RUN_PREPARE=1, or correct KNOWLEDGE_AUDIO_DIR."
    if not manifest.is_file():
        raise DatasetError(
            f"There is no dataset manifest at {manifest}.",
            reason=f"dataset_manifest_missing:{manifest.as_posix()}",
            hint=hint,
        )
    try:
        dataset = VoiceDataset.model_validate(files.read_json(manifest))
    except (files.InvalidJsonError, ValidationError) as error:
        where = "json"
        if isinstance(error, ValidationError):
            where = ".".join(map(str, error.errors()[0]["loc"])) or "top_level"
        raise DatasetError(
            f"{manifest} is not a valid manifest of this lane: see {where}.",
            reason=f"dataset_manifest_invalid:{where}",
            hint=hint,
        ) from error
    if not dataset.entries:
        raise DatasetError(f"{manifest} lists no clip.", reason="dataset_no_valid_audio", hint=hint)
    paths = [manifest.parent / clip.path for clip in dataset.entries]
    for clip, path in zip(dataset.entries, paths, strict=True):
        if not path.is_file():
            raise DatasetError(f"The clip {clip.path} is missing.", reason=f"missing_clip:{clip.path}", hint=hint)
        if files.sha256_file(path) != clip.sha256:
            raise DatasetError(
                f"The clip {clip.path} differs from its hash in {manifest.name}.", reason="dataset_invalid", hint=hint
            )
    return dataset, paths


SCHEMA_MODELS = {
    "tts-voice-train-status": (VoiceTrainStatusV1, VoiceTrainStatus),
    "voice-dataset-manifest": (VoiceDataset,),
}
"""Name of the schema -> the models of that file, from version 1. This package must not import `voicemill.verify`."""
