"""Acoustic training: a prepared dataset -> a FastPitch `.nemo`. A run can be interrupted and resumed."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

from voicemill.files import content_key, sha256_file
from voicemill.training import ranks, rate_search, speedups
from voicemill.training.batches import BatchPlan
from voicemill.training.checkpoint import TrainingResult, save_nemo
from voicemill.training.config import TrainingConfig, has_own_tokenizer
from voicemill.training.data import TrainingDataset, read_dataset
from voicemill.training.examples import ExampleSource, aligned_text
from voicemill.training.fastpitch_weights import load_base, load_discriminator
from voicemill.training.fitting import TrainingRun, fit, new_trainer
from voicemill.training.hooks import Hooks, with_previews
from voicemill.training.memory import MemoryEstimate, estimate_acoustic
from voicemill.training.store import CheckpointStore

if TYPE_CHECKING:
    import torch
    from nemo.collections.tts.models import FastPitchModel

    from voicemill.training.fastpitch_module import AcousticModule
    from voicemill.training.mel_adversary import MelAdversary
    from voicemill.training.selection import Selection

MODEL = "fastpitch"
NEMO_NAME = f"{MODEL}.nemo"
TEMPO_SENTENCES = 40
"""Held-out sentences at most whose tempo the voice gets."""


def train_acoustic(
    config: TrainingConfig,
    dataset_dir: Path,
    out_dir: Path,
    *,
    resume: bool = False,
    init_from: Path | None = None,
    hooks: Hooks | None = None,
) -> TrainingResult:
    """Train FastPitch on a prepared dataset and save `out_dir/fastpitch.nemo`.

    Args:
        config: settings; `config.acoustic` holds the model's and its number of steps.
        dataset_dir: a prepared dataset, see `voicemill.training.data`.
        out_dir: for the `.nemo`, the lexicon in NeMo's format, and the checkpoints to resume from.
        resume: continue from the newest good checkpoint in `out_dir`, which must be of the same settings and data.
        init_from: start from its weights instead of random ones: a FastPitch `.nemo`, whose sizes, tokenizer and
            lexicon stay, or a base of weights alone (`training.fastpitch_weights`).
        hooks: callbacks of the caller.

    Raises:
        DatasetError: the dataset cannot be used.
        TrainingError: `non_finite_loss:step=N`: the loss does not recover; `out_of_memory`: one clip does not fit in
            memory; the base checkpoint is not usable; there is nothing to resume.
        StorageError: something cannot be written.
    """
    from voicemill.training.runtime import nemo_runtime, seeded, weights_sha256

    started = time.monotonic()
    dataset = read_dataset(dataset_dir)
    store = CheckpointStore(out_dir, MODEL, fingerprint(config, dataset, init_from))
    run = TrainingRun(config, store, hooks or Hooks(), started)
    with nemo_runtime(), seeded(config.seed, config.threads):
        from voicemill.training.fastpitch_module import AcousticModule
        from voicemill.training.tempo import SpeakerTempo

        model, base_mean = prepare_model(config, dataset, out_dir, init_from)
        strict = has_own_tokenizer(init_from)
        source, held_out = (
            ExampleSource(model, clips, dataset.pitch_statistics, config.audio, config.acoustic.alignment, strict)
            for clips in (dataset.train, dataset.validation[:TEMPO_SENTENCES])
        )
        start_from_data(config, dataset, source, base_mean)
        tempo = SpeakerTempo(model, [held_out[index] for index in range(len(held_out))])
        if config.acoustic.optimiser.find_learning_rate:
            _find_rate(run, source, resume=resume)
        module = AcousticModule(model, run.config.acoustic, seed=config.seed)
        if config.acoustic.adversarial and config.acoustic.alignment == "durations" and ranks.world() == 1:
            module.adversary = _adversary(config.seed, init_from)
        run.hooks = with_previews(run.hooks, module, dataset)
        selection = _selection(run, dataset, module)
        with selection.worker_running() if selection else contextlib.nullcontext():
            if resume:
                run.restore(module, selection)
            (finished,) = ranks.any_rank(selection is not None and selection.finished)
            if module.step < module.max_steps and not finished:
                _fit(run, module, source, selection)
        nemo_path = None
        if not run.interrupted:
            module.use_average()
            if selection:
                selection.use_best()
            tempo.match(model.eval())
            nemo_path = save_nemo(model, out_dir / NEMO_NAME) if ranks.rank() == 0 else None
        return run.result(module.step, nemo_path, weights_sha256(model))


def prepare_model(
    config: TrainingConfig, dataset: TrainingDataset, out_dir: Path, init_from: Path | None
) -> tuple[FastPitchModel, torch.Tensor | None]:
    """The model to train, and the mean log-mel of a base of weights alone, shape (mels,)."""
    from voicemill.training.fastpitch_model import LEXICON_NAME, base_fastpitch, build_fastpitch, write_nemo_lexicon

    if init_from is not None and not has_own_tokenizer(init_from):
        return base_fastpitch(config, dataset.pitch_statistics, init_from), None
    lexicon = out_dir / LEXICON_NAME
    if ranks.rank() == 0:
        write_nemo_lexicon(dataset.lexicon, lexicon)
    ranks.broadcast(None)  # all ranks wait until it is written
    model = build_fastpitch(config, dataset.pitch_statistics, lexicon)
    if init_from is not None:
        return model, load_base(model, config.acoustic, config.audio, init_from)
    return model, None


def start_from_data(
    config: TrainingConfig, dataset: TrainingDataset, source: ExampleSource, base_mean: torch.Tensor | None
) -> None:
    """Set the model's pitch statistics and output bias from the dataset; makes, and so checks, the examples."""
    import torch

    from voicemill.training.examples import mean_log_mel

    model = source.model.eval()
    with torch.no_grad():
        model.fastpitch.pitch_mean.fill_(dataset.pitch_statistics.pitch_mean)
        model.fastpitch.pitch_std.fill_(dataset.pitch_statistics.pitch_std)
        mean = mean_log_mel(source)
        if config.acoustic.bias_from_data and source.strict:
            # Log-mels average about -5; from a bias of zero the first 150 steps would be spent on it.
            bias = model.fastpitch.proj.bias
            bias.copy_(mean if base_mean is None else bias + mean - base_mean)


def _adversary(seed: int, init_from: Path | None) -> MelAdversary:
    """A discriminator of mels, that of the base if it holds one."""
    from voicemill.training.mel_adversary import MelAdversary

    adversary = MelAdversary(seed)
    if init_from is not None and has_own_tokenizer(init_from):
        load_discriminator(adversary.discriminator, init_from)
    return adversary


def _find_rate(run: TrainingRun, source: ExampleSource, *, resume: bool) -> None:
    """Set the run's highest learning rate to that of a range test, or of the interrupted run that is resumed."""
    from omegaconf import open_dict

    from voicemill.training.fastpitch_module import AcousticModule, StepBatches

    search = rate_search.of_interrupted_run(run.store) if resume else None
    if search is None:
        run.hooks.note(f"The learning rate is searched with {rate_search.STEPS} steps before the training.")
        module = AcousticModule(source.model, run.config.acoustic, seed=run.config.seed)
        plan = _plan(run.config, source)
        batches = StepBatches(source, plan, range(rate_search.STEPS))
        estimate = _memory_estimate(module, source, plan)
        search = rate_search.search(run.config, module, estimate, batches, run.store)
    run.hooks.note(search.sentence)
    with open_dict(source.model.cfg):
        source.model.cfg.optim.lr = search.learning_rate
    run.learning_rate = search.learning_rate
    run.config = run.config.with_learning_rate(search.learning_rate)


def _plan(config: TrainingConfig, source: ExampleSource) -> BatchPlan:
    size = config.acoustic.batch_size * ranks.world()
    return BatchPlan([clip.seconds for clip in source.clips], size, config.seed, config.acoustic.bucket)


def _fit(run: TrainingRun, module: AcousticModule, source: ExampleSource, selection: Selection | None) -> None:
    from voicemill.training.fastpitch_module import StepBatches

    trainer = new_trainer(run, module, selection)
    plan, device = _plan(run.config, source), speedups.device_of(run.config)
    module.split_to_fit(_memory_estimate(module, source, plan), trainer.strategy.root_device, run.hooks.note)
    if speedups.compiles(run.config, device):
        module.forward_pass = speedups.compiled(module.forward_pass, device, run.hooks.note)
    steps = range(module.step, module.max_steps)
    fit(trainer, module, StepBatches(source, plan, steps), run.hooks)


def _selection(run: TrainingRun, dataset: TrainingDataset, module: AcousticModule) -> Selection | None:
    """The selection of the best weights; None without validation, and on all ranks except the first."""
    from voicemill.synthesis.out_of_vocabulary import default_pronunciation
    from voicemill.synthesis.vocoders import GriffinLimVocoder
    from voicemill.training.selection import Selection
    from voicemill.training.speaker import Speaker
    from voicemill.training.validation import Mel, ValidationWorker, read_sentence

    audio, validation = run.config.audio, run.config.acoustic.validation
    clips = dataset.validation[: validation.sentences]
    if not validation.interval or not clips or ranks.rank():
        return None
    speaker = Speaker(module.model, GriffinLimVocoder(audio), audio, default_pronunciation)

    def predict() -> list[Mel]:
        module.model.eval()
        try:
            return [speaker.predict_mel(aligned_text(module.model, clip, strict=False)) for clip in clips]
        finally:
            module.train()

    worker = ValidationWorker([read_sentence(clip, audio) for clip in clips], audio, dataset.pitch_statistics)
    return Selection(validation, module, worker, predict, run.hooks.note)


def _memory_estimate(module: AcousticModule, source: ExampleSource, plan: BatchPlan) -> MemoryEstimate:
    """Memory of this process's largest batch in the first pass over the data."""
    first_pass = [ranks.share(plan.batch(step)) for step in range(plan.batches_per_pass)]
    largest = max(first_pass, key=lambda batch: len(batch) * max(source.clips[index].seconds for index in batch))
    examples = [source[index] for index in largest]
    return estimate_acoustic(
        module.acoustic,
        sum(weight.numel() for weight in module.parameters()),
        len(largest),
        max(example.mel.shape[1] for example in examples),
        max(len(example.tokens) for example in examples),
    )


def fingerprint(config: TrainingConfig, dataset: TrainingDataset, init_from: Path | None) -> str:
    """Digest of everything that determines an acoustic training: settings, number of processes, data and base.

    A run may be resumed with other settings of the names excluded here.
    """
    excluded = {
        "vocoder",
        "threads",
        "checkpoint_interval",
        "accelerator",
        "precision",
        "preset",
        "evaluation",
        "training_pages",
        "devices",
        "nodes",
    }
    settings = config.model_dump(mode="json", exclude=excluded)
    manifest = sha256_file(dataset.root / "train.jsonl")
    return content_key(
        "acoustic",
        settings,
        ranks.world(),
        manifest,
        dataset.pitch_statistics.model_dump(mode="json"),
        sha256_file(init_from) if init_from else None,
    )
