"""HiFi-GAN: NeMo's own HifiGanModel, from a base vocoder or from nothing, learning the voice's mels under Lightning.

The same promises as around FastPitch: everything random in step n depends on the seed and n, checkpoints are atomic, an
interrupted run goes on where it was, and the archive is NeMo's own.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from voicemill.files import content_key, sha256_file
from voicemill.training import ranks
from voicemill.training.checkpoint import Run, TrainingResult, result_of, save_nemo
from voicemill.training.config import TrainingConfig
from voicemill.training.data import PreparedDataset, read_dataset
from voicemill.training.fitting import fit, new_trainer, restore
from voicemill.training.hifigan_data import FrontEnd, PairSource, SegmentBatches
from voicemill.training.hifigan_model import adapt_base, build_hifigan
from voicemill.training.hooks import Hooks
from voicemill.training.memory import split_to_fit
from voicemill.training.store import CheckpointStore

if TYPE_CHECKING:
    from nemo.collections.tts.models import HifiGanModel

    from voicemill.training.hifigan_module import VocoderTask

MODEL = "hifigan"
NEMO_NAME = f"{MODEL}.nemo"


def train_vocoder(
    config: TrainingConfig,
    dataset_dir: Path,
    out_dir: Path,
    *,
    base: Path | None,
    gta_dir: Path | None,
    resume: bool = False,
    hooks: Hooks | None = None,
) -> TrainingResult:
    """Train HiFi-GAN on a prepared dataset and save `out_dir/hifigan.nemo`.

    Args:
        config: settings; `config.vocoder` decides, and steps end the run. Zero steps save the base as it is.
        dataset_dir: a prepared dataset, see `voicemill.training.data`.
        out_dir: gets the `.nemo` and the checkpoints to resume from.
        base: a HiFi-GAN `.nemo` to start from; its sizes stay. None starts from random weights of the configured sizes.
        gta_dir: ground-truth-aligned mels, `<id>.npy` a clip: what the acoustic model will give the vocoder. None
            learns from the recordings' own mels; such a vocoder sounds noisy behind an acoustic model.
        resume: go on from the newest good checkpoint in `out_dir`; there must be one, of the same settings and data.
        hooks: what the caller hears and decides; duration and pitch loss are 0, `mel_loss` is the L1 distance of
            log-mels.

    Raises:
        DatasetError: the dataset cannot be used, or mels and clips do not fit (`mel_length:<clip>`,
            `mel_missing:<clip>`).
        TrainingError: the loss is not finite and does not recover (reason `non_finite_loss:step=N`), memory does not
            suffice for one segment (`out_of_memory`), the base does not fit, or there is nothing to resume.
        StorageError: something cannot be written.
    """
    from voicemill.training.runtime import nemo_runtime, restore_hifigan, seeded, weights_sha256

    run, hooks = Run(time.monotonic()), hooks or Hooks()
    if config.acoustic.optimiser.find_learning_rate and config.vocoder.max_steps:
        hooks.note(
            "The learning-rate finder does not apply to HiFi-GAN, whose generator and discriminators work against each "
            f"other, so that no loss falls with a good rate; it learns at {config.vocoder.learning_rate:.0e}."
        )
    dataset = read_dataset(dataset_dir)
    store = CheckpointStore(out_dir, MODEL, _fingerprint(config, dataset, base, gta_dir))
    with nemo_runtime(), seeded(config.seed, config.threads):
        from voicemill.training.hifigan_module import VocoderTask

        model = build_hifigan(config) if base is None else restore_hifigan(base)
        if base is not None:
            adapt_base(model, config, base)
        task = VocoderTask(model, config.vocoder, seed=config.seed)
        source = PairSource(dataset.train, config.audio, gta_dir, _front_end(model), config.vocoder.segment_frames)
        if resume:
            restore(store, task, run, hooks)
        if task.step < task.max_steps:
            _learn(config, task, source, run, store, hooks)
        nemo_path = None
        if not run.interrupted and ranks.rank() == 0:
            nemo_path = save_nemo(model.cpu().eval(), out_dir / NEMO_NAME)
        return result_of(run, task.step, nemo_path, store.newest(), weights_sha256(model))


def _front_end(model: HifiGanModel) -> FrontEnd:
    import torch

    def mel_of(samples: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.no_grad():
            mel, _ = model.audio_to_melspec_precessor(torch.from_numpy(samples)[None], torch.tensor([len(samples)]))
        return np.asarray(mel[0].numpy())

    return mel_of


def _learn(
    config: TrainingConfig, task: VocoderTask, source: PairSource, run: Run, store: CheckpointStore, hooks: Hooks
) -> None:
    trainer = new_trainer(config, task, run, store, hooks)
    batches = SegmentBatches(
        source,
        first=task.step,
        last=task.max_steps,
        batch_size=config.vocoder.batch_size,
        segment_frames=config.vocoder.segment_frames,
        seed=config.seed,
        rank=ranks.rank(),
        world=ranks.world(),
    )
    split_to_fit(task, task.need(batches.batch(task.step)), trainer.strategy.root_device, hooks.note)
    fit(trainer, task, batches, hooks)


def _fingerprint(config: TrainingConfig, dataset: PreparedDataset, base: Path | None, gta_dir: Path | None) -> str:
    """What a checkpoint belongs to: settings that matter, clips, mels and base."""
    settings = [config.audio.model_dump(mode="json"), config.vocoder.model_dump(mode="json"), config.seed]
    mels = [sha256_file(path) for clip in dataset.train if gta_dir and (path := gta_dir / f"{clip.id}.npy").is_file()]
    manifest = sha256_file(dataset.root / "train.jsonl")
    return content_key("vocoder", settings, ranks.world(), manifest, mels, sha256_file(base) if base else None)
