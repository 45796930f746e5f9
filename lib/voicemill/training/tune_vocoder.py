"""Tunes the runtime's vocoder on a prepared dataset: from the base's file to the voice's."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from voicemill.training.config import TrainingConfig
from voicemill.training.data import TrainingClip, read_audio, read_dataset

if TYPE_CHECKING:
    from voicemill.training.istft_tuning import TuningResult

HELD_OUT = 6
"""Validation clips, at most, whose loss ends the tuning."""


@dataclass(frozen=True)
class TuningInputs:
    """The files that a tuning starts from.

    Attributes:
        base: weights of an iSTFT vocoder.
        acoustic: the voice's FastPitch, whose mels the vocoder gets.
        strict: see `aligned_mels.ground_truth_aligned_mels`.
    """

    base: Path
    acoustic: Path
    strict: bool = True


def tune_vocoder(
    config: TrainingConfig,
    dataset_dir: Path,
    target: Path,
    inputs: TuningInputs,
    *,
    key: str = "",
    on_step: Callable[[int, str], None] = lambda step, note: None,
) -> TuningResult:
    """Tune the base to the dataset's speaker and write the result.

    Args:
        config: settings; `config.runtime_vocoder` has the steps.
        dataset_dir: a prepared dataset, see `voicemill.training.data`.
        target: file to write.
        inputs: base and acoustic model.
        key: content key that the file gets.
        on_step: called with the step, from 1, and a note for people.

    Raises:
        DatasetError: the dataset is not usable.
        TrainingError: the base or the acoustic model is not usable.
        StorageError: the file cannot be written.
    """
    from voicemill.training.aligned_mels import ground_truth_aligned_mels
    from voicemill.training.istft_adversary import Adversary
    from voicemill.training.istft_tuning import TuningClip, tune_istft
    from voicemill.training.istft_weights import read_discriminators, read_istft, write_istft
    from voicemill.training.runtime import nemo_runtime, restore_fastpitch, seeded

    settings, dataset = config.runtime_vocoder, read_dataset(dataset_dir)
    train = _spread(dataset.train, settings.clips)
    held_out = _spread(dataset.validation, HELD_OUT) or train[:1]
    with nemo_runtime(), seeded(config.seed, config.threads), tempfile.TemporaryDirectory() as folder:
        network = read_istft(inputs.base, config.audio)
        ground_truth_aligned_mels(
            restore_fastpitch(inputs.acoustic),
            dataset,
            Path(folder),
            clips={clip.id: clip for clip in (*train, *held_out)}.values(),
            strict=inputs.strict,
        )

        def read(clip: TrainingClip) -> TuningClip:
            mel = np.load(Path(folder) / f"{clip.id}.npy", allow_pickle=False)
            return TuningClip(read_audio(clip.audio, config.audio.sample_rate), mel)

        adversary = Adversary(config.audio.sample_rate, ramp=settings.adversarial_ramp)
        known = settings.adversarial and read_discriminators(inputs.base, adversary.discriminators)
        result = tune_istft(
            network,
            [read(clip) for clip in train],
            [read(clip) for clip in held_out],
            settings,
            seed=config.seed,
            adversary=adversary if known else None,
            on_step=lambda step, loss: on_step(step, f"loss {loss:.3f}"),
        )
        write_istft(network, target, {"key": key})
    return result


def _spread(clips: Sequence[TrainingClip], most: int) -> list[TrainingClip]:
    """At most so many clips, evenly from the whole."""
    if len(clips) <= most:
        return list(clips)
    return [clips[round(index)] for index in np.linspace(0, len(clips) - 1, most)]
