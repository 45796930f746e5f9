"""Training data of the base FastPitch: prepared datasets of many speakers, and batches of their clips."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from unseen_speakers import JUDGES

from voicemill.synthesis.mel import AudioConfig
from voicemill.training.batches import Batch, BatchPlan, collate
from voicemill.training.data import PitchStatistics, TrainingClip, TrainingDataset, read_dataset, read_pitch
from voicemill.training.examples import ExampleSource, mean_log_mel

if TYPE_CHECKING:
    from nemo.collections.tts.models import FastPitchModel


@dataclass(frozen=True)
class SpeakerClips:
    """The clips of one speaker, with the pitch statistics of their voiced frames."""

    name: str
    clips: tuple[TrainingClip, ...]
    pitch: PitchStatistics


def read_speakers(folders: Sequence[Path]) -> list[SpeakerClips]:
    """The speakers of prepared datasets; LibriSpeech's file names, `<speaker>-<chapter>-<clip>`, tell them apart.

    Raises:
        ValueError: a dataset is of a speaker on whom voices are measured.
    """
    speakers = []
    for folder in folders:
        if any(judge in folder.name.lower() for judge in JUDGES):
            raise ValueError(f"{folder.name} is a speaker on whom voices are measured.")
        by_speaker: dict[str, list[TrainingClip]] = {}
        dataset, recordings = read_dataset(folder), _recordings(folder)
        for clip in (*dataset.train, *dataset.validation):
            name, dash, _ = recordings[clip.id].partition("-")
            by_speaker.setdefault(name if dash else folder.name, []).append(clip)
        speakers += [_speaker(name, clips, dataset) for name, clips in sorted(by_speaker.items())]
    return speakers


def _recordings(folder: Path) -> dict[str, str]:
    """The names of the files that clips were cut from, by the names of the clips."""
    lines = [
        json.loads(line)
        for name in ("train.jsonl", "validation.jsonl")
        for line in (folder / name).read_text(encoding="utf-8").splitlines()
    ]
    return {line["id"]: Path(line.get("source", "")).name for line in lines}


def _speaker(name: str, clips: list[TrainingClip], dataset: TrainingDataset) -> SpeakerClips:
    hertz = np.concatenate([read_pitch(clip) for clip in clips])
    voiced = hertz[hertz > 0]
    statistics = dataset.pitch_statistics.model_copy(
        update={"pitch_mean": float(voiced.mean()), "pitch_std": float(max(voiced.std(), 5.0))}
    )
    return SpeakerClips(name, tuple(clips), statistics)


def merged_lexicon(folders: Sequence[Path], target: Path) -> None:
    """Write the lexicons of datasets as one, a pronunciation a word."""
    entries: dict[str, str] = {}
    for folder in folders:
        for line in (folder / "lexicon.dict").read_text(encoding="utf-8").splitlines():
            entries.setdefault(line.partition(" ")[0], line)
    target.write_text("".join(f"{line}\n" for line in entries.values()), encoding="utf-8")


class SpeakerBatches:
    """Batches of clips of all speakers, of similar length, with the number of each clip's speaker."""

    def __init__(
        self, model: FastPitchModel, speakers: Sequence[SpeakerClips], audio: AudioConfig, *, size: int, seed: int
    ):
        self._sources = [
            ExampleSource(model, one.clips, one.pitch, audio, "durations", strict=True) for one in speakers
        ]
        self._pad = model.vocab.pad
        self._index = [(number, clip) for number, one in enumerate(speakers) for clip in range(len(one.clips))]
        seconds = [speakers[number].clips[clip].seconds for number, clip in self._index]
        self._plan = BatchPlan(seconds, size, seed, bucket=True)
        self.minutes = sum(seconds) / 60

    def batch(self, step: int) -> tuple[Batch, torch.Tensor]:
        """The batch of a step, and the speakers of its clips, shape (clips,)."""
        chosen = [self._index[index] for index in self._plan.batch(step)]
        batch = collate([self._sources[number][clip] for number, clip in chosen], self._pad)
        return batch, torch.tensor([number for number, _ in chosen])

    def mean_log_mel(self) -> torch.Tensor:
        """Mean of the speakers' mean log-mels, shape (mels,)."""
        return torch.stack([mean_log_mel(source) for source in self._sources]).mean(0)
