"""Vocoder training: a prepared dataset and aligned mels -> a HiFi-GAN `.nemo`, from a base or from random weights.

A run can be interrupted and resumed; everything random in step n depends on the seed and n.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from voicemill.files import content_key, sha256_file
from voicemill.training import ranks
from voicemill.training.checkpoint import TrainingResult, save_nemo
from voicemill.training.config import TrainingConfig
from voicemill.training.data import TrainingDataset, read_dataset
from voicemill.training.fitting import TrainingRun, fit, new_trainer
from voicemill.training.hifigan_data import FrontEnd, PairSource, SegmentBatches
from voicemill.training.hifigan_model import adapt_base, build_hifigan
from voicemill.training.hooks import Hooks
from voicemill.training.store import CheckpointStore

if TYPE_CHECKING:
    from nemo.collections.tts.models import HifiGanModel

    from voicemill.training.hifigan_module import VocoderModule

MODEL = "hifigan"
NEMO_NAME = f"{MODEL}.nemo"


@dataclass(frozen=True)
class VocoderInputs:
    """The files that a vocoder training starts from.

    Attributes:
        base: a HiFi-GAN `.nemo`; its sizes are kept. None starts from random weights of the configured sizes.
        gta_dir: ground-truth-aligned mels, `<id>.npy` a clip: mels as the acoustic model predicts them. None trains on
            the mels of the recordings; such a vocoder sounds noisy behind an acoustic model.
    """

    base: Path | None = None
    gta_dir: Path | None = None


def train_vocoder(
    config: TrainingConfig,
    dataset_dir: Path,
    out_dir: Path,
    inputs: VocoderInputs,
    *,
    resume: bool = False,
    hooks: Hooks | None = None,
) -> TrainingResult:
    """Train HiFi-GAN on a prepared dataset and save `out_dir/hifigan.nemo`.

    Args:
        config: settings; `config.vocoder` holds the model's and its number of steps. Zero steps save the base as it is.
        dataset_dir: a prepared dataset, see `voicemill.training.data`.
        out_dir: for the `.nemo` and the checkpoints to resume from.
        inputs: base and aligned mels.
        resume: continue from the newest good checkpoint in `out_dir`, which must be of the same settings and data.
        hooks: callbacks of the caller. Duration and pitch loss are 0; `mel_loss` is the L1 distance of log-mels.

    Raises:
        DatasetError: the dataset is not usable; `mel_missing:<clip>`, `mel_length:<clip>`: mels and clips do not match.
        TrainingError: `non_finite_loss:step=N`: the loss does not recover; `out_of_memory`: one segment does not fit in
            memory; the base is not usable; there is nothing to resume.
        StorageError: something cannot be written.
    """
    from voicemill.training.runtime import nemo_runtime, restore_hifigan, seeded, weights_sha256

    started, hooks = time.monotonic(), hooks or Hooks()
    if config.acoustic.optimiser.find_learning_rate and config.vocoder.max_steps:
        hooks.note(
            "The learning-rate finder does not apply to HiFi-GAN: its two losses work against each other, so neither "
            f"shows a good rate. It is trained at {config.vocoder.learning_rate:.0e}."
        )
    dataset = read_dataset(dataset_dir)
    run = TrainingRun(config, CheckpointStore(out_dir, MODEL, _fingerprint(config, dataset, inputs)), hooks, started)
    with nemo_runtime(), seeded(config.seed, config.threads):
        from voicemill.training.hifigan_module import VocoderModule

        model = build_hifigan(config) if inputs.base is None else restore_hifigan(inputs.base)
        if inputs.base is not None:
            adapt_base(model, config, inputs.base)
        module = VocoderModule(model, config.vocoder, seed=config.seed)
        source = PairSource(
            dataset.train, config.audio, inputs.gta_dir, _front_end(model), config.vocoder.segment_frames
        )
        if resume:
            run.restore(module)
        if module.step < module.max_steps:
            _fit(run, module, source)
        nemo_path = None
        if not run.interrupted and ranks.rank() == 0:
            nemo_path = save_nemo(model.cpu().eval(), out_dir / NEMO_NAME)
        return run.result(module.step, nemo_path, weights_sha256(model))


def _front_end(model: HifiGanModel) -> FrontEnd:
    """HiFi-GAN's own mel front end."""
    import torch

    def mel_of(samples: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.no_grad():
            mel, _ = model.audio_to_melspec_precessor(torch.from_numpy(samples)[None], torch.tensor([len(samples)]))
        return np.asarray(mel[0].numpy())

    return mel_of


def _fit(run: TrainingRun, module: VocoderModule, source: PairSource) -> None:
    vocoder = run.config.vocoder
    trainer = new_trainer(run, module)
    batches = SegmentBatches(
        source,
        range(module.step, module.max_steps),
        batch_size=vocoder.batch_size,
        segment_frames=vocoder.segment_frames,
        seed=run.config.seed,
    )
    estimate = module.memory_estimate(batches.batch(module.step))
    module.split_to_fit(estimate, trainer.strategy.root_device, run.hooks.note)
    fit(trainer, module, batches, run.hooks)


def _fingerprint(config: TrainingConfig, dataset: TrainingDataset, inputs: VocoderInputs) -> str:
    """Digest of everything that determines a vocoder training: settings, number of processes, clips, mels and base."""
    settings = [config.audio.model_dump(mode="json"), config.vocoder.model_dump(mode="json"), config.seed]
    aligned = [inputs.gta_dir / f"{clip.id}.npy" for clip in dataset.train] if inputs.gta_dir else []
    mels = [sha256_file(path) for path in aligned if path.is_file()]
    manifest = sha256_file(dataset.root / "train.jsonl")
    base = sha256_file(inputs.base) if inputs.base else None
    return content_key("vocoder", settings, ranks.world(), manifest, mels, base)
