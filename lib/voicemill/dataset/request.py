"""What a preparation is asked for."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from voicemill.audio import device
from voicemill.audio.segmentation import Segmentation
from voicemill.dataset import separating, supplementary
from voicemill.dataset.description import PreparationSettings, SeparationMode
from voicemill.dataset.edits import ClipEdit
from voicemill.dataset.limits import QualityLimits
from voicemill.dataset.rights import Rights
from voicemill.workspace import profile_id

PEAK_LIMIT_DBFS = -1.0
"""True peak that the gain never passes: headroom for what resampling and lossy players add."""


@dataclass(frozen=True)
class PrepareRequest:
    """What to prepare.

    Attributes:
        audio: a recording, or a folder of recordings.
        url: a web address of a recording, instead of `audio`.
        start: first second of one long recording that is wanted.
        end: second of it to stop before.
        script: its text in reading order.
        tier: of a TextGrid, the one with the words.
        metadata: LJSpeech's metadata.csv.
        dataset: a NeMo manifest instead of all others.
        voice: names the dataset's folder and its clips.
        seed: of the split.
        sample_rate: of the clips (Hz).
        limits: of an utterance.
        target_lufs: loudness of the whole.
        quality: limits of a clip's figures.
        keep_rejected: keep the sounds of what is left out, in `rejected/`.
        separate: take the voice out of music and noise: where they are measured, always, or never.
        separator: id of the separator's weights on the allowlist.
        recognise: `nemo:<id>` or `faster-whisper:<id>` for recordings without text.
        allowlist: of weights; the one that ships with us by default.
        lexicon: pronunciations that come before the dictionary's.
        force: do everything again, also what the cache holds.
        workers: processes; one a core by default.
        ray: address of a Ray cluster that works on the recordings and clips instead; see `cluster`.
        device: computes the pitch, `cpu` or `cuda`.
        rights: consent and licence of the recordings; None leaves what was stated for the same recordings before.
        edits: decisions of a review; None takes those that lie in the dataset's folder.
    """

    voice: str
    audio: Path | None = None
    url: str | None = None
    start: float | None = None
    end: float | None = None
    script: Path | None = None
    tier: str | None = None
    metadata: Path | None = None
    dataset: Path | None = None
    lexicon: Path | None = None
    seed: int = 0
    sample_rate: int = 22_050
    limits: Segmentation = dataclasses.field(default_factory=Segmentation)
    target_lufs: float = -23.0
    quality: QualityLimits = dataclasses.field(default_factory=QualityLimits)
    keep_rejected: bool = False
    separate: SeparationMode = "auto"
    separator: str = separating.WEIGHTS
    recognise: str | None = None
    allowlist: Path | None = None
    force: bool = False
    workers: int | None = None
    ray: str | None = None
    device: str = device.CPU
    rights: Rights | None = None
    edits: tuple[ClipEdit, ...] | None = None

    @property
    def settings(self) -> PreparationSettings:
        """What goes into the content key and into dataset.json."""
        return PreparationSettings(
            voice=profile_id(self.voice),
            seed=self.seed,
            sample_rate=self.sample_rate,
            frame_length=supplementary.FRAME_LENGTH,
            hop_length=supplementary.HOP_LENGTH,
            target_lufs=self.target_lufs,
            peak_limit_dbfs=PEAK_LIMIT_DBFS,
            start=self.start,
            end=self.end,
            tier=self.tier,
            quality=self.quality,
            keep_rejected=self.keep_rejected,
            device=self.device,
            separate=self.separate,
            recognise=self.recognise,
            **dataclasses.asdict(self.limits),
        )
