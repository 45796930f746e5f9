"""One utterance to one file: cut out of the decoded recording, brought to the common level, measured."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from voicemill import files
from voicemill.audio import quality, voice_traits
from voicemill.audio.quality import ClipQuality
from voicemill.audio.voice_traits import VoiceTraits


@dataclass(frozen=True)
class CutTask:
    """Samples `first` to `last` of `decoded`, times `factor`, to `target`."""

    decoded: Path
    first: int
    last: int
    factor: float
    target: Path


@dataclass(frozen=True)
class CutClip:
    """A written clip: digest of the file, length in seconds, figures; `voice` is None where nobody is heard."""

    sha256: str
    seconds: float
    quality: ClipQuality
    voice: VoiceTraits | None


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
    return CutClip(files.sha256_file(task.target), len(samples) / rate, figures, voice_traits.measure(samples, rate))
