"""NeMo's stock recipe on the clips of a prepared dataset: `TTSDataset`, its aligner and beta-binomial prior, Lightning.

What a user of NeMo 3.0 gets who writes a manifest and takes the settings of its own FastPitch example. Sizes are those
of one of our presets, so that both sides train the same model; nothing else of voicemill takes part.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nemo.collections.tts.models import FastPitchModel

    from voicemill.training.batches import BatchPlan
    from voicemill.training.config import TrainingConfig
    from voicemill.training.data import TrainingDataset

LOWEST, HIGHEST = 65.40639132514966, 2093.004522404789
"""Hz: NeMo's own range of pitch, librosa's C2 and C7."""
NORMALISER = {
    "_target_": "nemo_text_processing.text_normalization.normalize.Normalizer",
    "lang": "en",
    "input_case": "cased",
}
NORMALISER_CALL = {"verbose": False, "punct_pre_process": True, "punct_post_process": True}
OPTIMISER = {
    "name": "adamw",
    "lr": 1e-3,
    "betas": [0.9, 0.999],
    "weight_decay": 1e-6,
    "sched": {"name": "NoamAnnealing", "warmup_steps": 1000, "last_epoch": -1, "d_model": 1},
}
"""Of NeMo's examples/tts/conf/fastpitch_align_v1.05.yaml; the warm-up of a thousand steps is theirs."""
GRADIENT_CLIP = 1000.0
"""From the same file."""
BIN_LOSS_WARMUP = 100
"""Epochs, from the same file."""


def stock_model(
    prepared: TrainingDataset, config: TrainingConfig, out: Path, *, normaliser: bool, own_pitch: bool
) -> FastPitchModel:
    """FastPitchModel with its own training data set up.

    Args:
        prepared: whose training clips and texts it learns from.
        config: sizes, batch size and audio settings.
        out: folder for the manifest, the lexicon and the supplementary data.
        normaliser: build NeMo's text normaliser, as its example does; the texts are normalised already.
        own_pitch: leave pitch to `TTSDataset` (librosa's pyin, at first use); otherwise give it ours, which has the
            same frames, so that nothing waits for it.
    """
    from nemo.collections.tts.models import FastPitchModel
    from omegaconf import OmegaConf

    from voicemill.training.fastpitch_model import model_tree, write_nemo_lexicon

    out.mkdir(parents=True, exist_ok=True)
    manifest, lexicon = out / "train.jsonl", out / "lexicon.cmudict"
    lines = [
        {"audio_filepath": str(clip.audio.resolve()), "text": clip.text, "duration": clip.seconds}
        for clip in prepared.train
    ]
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    write_nemo_lexicon(prepared.lexicon, lexicon)
    tree = OmegaConf.create(model_tree(config, prepared.pitch_statistics, lexicon))
    tree.optim, tree.bin_loss_warmup_epochs = OPTIMISER, BIN_LOSS_WARMUP
    if normaliser:
        tree.text_normalizer, tree.text_normalizer_call_kwargs = NORMALISER, NORMALISER_CALL
    data = tree.train_ds.dataset
    data.manifest_filepath, data.sup_data_path = str(manifest), str(out / "supplementary")
    if own_pitch:
        data.pitch_fmin, data.pitch_fmax = LOWEST, HIGHEST
    else:
        _give_pitch(prepared, out / "supplementary/pitch")
    tree.train_ds.pop("defer_setup")
    return FastPitchModel(cfg=tree, trainer=None)


def stock_trainer(**settings: Any) -> Any:
    """Lightning's Trainer as NeMo's example sets it, without logs and checkpoints."""
    from lightning.pytorch import Trainer

    return Trainer(
        accelerator="cpu",
        gradient_clip_val=GRADIENT_CLIP,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        num_sanity_val_steps=0,
        **settings,
    )


class PlannedBatches:
    """A batch sampler: the plan's batches of some steps, so that both sides see the same clips together."""

    def __init__(self, plan: BatchPlan) -> None:
        self._plan, self.steps = plan, range(0)
        self.micro_batch_size = plan.batch_size  # where NeMo's scheduler looks for it

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[list[int]]:
        return (self._plan.batch(step) for step in self.steps)


def _give_pitch(prepared: TrainingDataset, folder: Path) -> None:
    import torch

    from voicemill.training.data import read_pitch

    folder.mkdir(parents=True, exist_ok=True)
    for clip in prepared.train:
        torch.save(torch.from_numpy(read_pitch(clip)), folder / f"{clip.audio.stem}.pt")
