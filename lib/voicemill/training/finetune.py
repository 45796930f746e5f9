"""Fine-tuning of a base FastPitch: its own configuration, with data, optimiser and pitch statistics replaced.

Tokenizer, dictionary and embeddings are kept, because they must match: the usual failure is a `word_emb` of another
size.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from voicemill.errors import TrainingError
from voicemill.training.config import TrainingConfig
from voicemill.training.data import PitchStatistics
from voicemill.training.fastpitch_model import dataset_tree, mel_settings, optimiser_tree
from voicemill.training.runtime import read_fastpitch_config, restore_fastpitch

if TYPE_CHECKING:
    from nemo.collections.tts.models import FastPitchModel
    from omegaconf import DictConfig

_DROPPED = ("validation_ds", "test_ds", "text_normalizer", "text_normalizer_call_kwargs", "log_config")
"""Entries to remove. Text is normalised in preparation; building NeMo's normaliser would take 40 s at every start."""


def base_fastpitch(config: TrainingConfig, pitch_statistics: PitchStatistics, path: Path) -> FastPitchModel:
    """The base model, ready for fine-tuning. Call within `nemo_runtime()`.

    Raises:
        TrainingError: `base_unusable:<setting>`: a model without a tokenizer of its own, with several speakers, or with
            other mel settings; `shape_mismatch:<weight>`: weights that do not match the archive's configuration.
    """
    tree = read_fastpitch_config(path)
    _check_base(tree, config, path)
    return restore_fastpitch(path, override=_adapted(tree, config, pitch_statistics))


def _check_base(tree: DictConfig, config: TrainingConfig, path: Path) -> None:
    if not tree.get("learn_alignment", False):
        raise _unusable(
            path, "learn_alignment", "it was trained without a tokenizer of its own (learn_alignment: false)"
        )
    if tree.get("n_speakers", 1) > 1:
        raise _unusable(path, "n_speakers", f"it has {tree.n_speakers} speakers, and a voice has one")
    preprocessor = tree.get("preprocessor", {})
    for name, wanted in mel_settings(config.audio).items():
        found = preprocessor.get(name)
        if found != wanted:
            raise _unusable(path, name, f"its mel setting {name} is {found}, and ours is {wanted}")


def _adapted(tree: DictConfig, config: TrainingConfig, pitch_statistics: PitchStatistics) -> DictConfig:
    from omegaconf import OmegaConf, open_dict

    adapted = tree.copy()
    with open_dict(adapted):
        for name in _DROPPED:
            adapted.pop(name, None)
        adapted.train_ds = OmegaConf.create(dataset_tree(config, pitch_statistics))
        adapted.optim = OmegaConf.create(optimiser_tree(config.acoustic))
        adapted.pitch_mean, adapted.pitch_std = pitch_statistics.pitch_mean, pitch_statistics.pitch_std
        adapted.pitch_fmin, adapted.pitch_fmax = pitch_statistics.pitch_fmin, pitch_statistics.pitch_fmax
    return adapted


def _unusable(path: Path, what: str, detail: str) -> TrainingError:
    return TrainingError(
        f"The base checkpoint {path.name} cannot be fine-tuned: {detail}.",
        reason=f"base_unusable:{what}",
        hint="Choose another base checkpoint, or train with the preset scratch.",
    )
