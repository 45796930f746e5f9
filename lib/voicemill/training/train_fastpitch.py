"""Acoustic training: a prepared dataset becomes a FastPitch `.nemo`, under Lightning's Trainer, interruptible and
resumable.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

from voicemill.training import ranks, rate_search, speedups
from voicemill.training.checkpoint import Run, TrainingResult, fingerprint, result_of, save_nemo
from voicemill.training.config import TrainingConfig
from voicemill.training.data import BatchPlan, PreparedDataset, read_dataset
from voicemill.training.examples import ExampleSource
from voicemill.training.fitting import fit, new_trainer, restore
from voicemill.training.hooks import Hooks
from voicemill.training.memory import Need, acoustic_need, split_to_fit
from voicemill.training.previews import previewing
from voicemill.training.store import CheckpointStore

if TYPE_CHECKING:
    from nemo.collections.tts.models import FastPitchModel

    from voicemill.training.fastpitch_module import AcousticTask
    from voicemill.training.selection import Selection

MODEL = "fastpitch"
NEMO_NAME = f"{MODEL}.nemo"


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
        config: settings; `config.acoustic` decides, and steps, not minutes, end the run.
        dataset_dir: a prepared dataset, see `voicemill.training.data`.
        out_dir: gets the `.nemo`, the lexicon in NeMo's spelling, and the checkpoints to resume from.
        resume: go on from the newest good checkpoint in `out_dir`; there must be one, of the same settings and data.
        init_from: a FastPitch `.nemo` to start from instead of random weights; its sizes, tokenizer and lexicon stay.
        hooks: what the caller hears and decides.

    Raises:
        DatasetError: the dataset cannot be used.
        TrainingError: the loss is not finite and does not recover (reason `non_finite_loss:step=N`), memory does not
            suffice for one clip (`out_of_memory`), the base checkpoint does not fit, or there is nothing to resume.
        StorageError: something cannot be written.
    """
    from voicemill.training.runtime import nemo_runtime, seeded, weights_sha256

    run, hooks = Run(time.monotonic()), hooks or Hooks()
    dataset = read_dataset(dataset_dir)
    store = CheckpointStore(out_dir, MODEL, fingerprint(config, dataset, init_from))
    with nemo_runtime(), seeded(config.seed, config.threads):
        from voicemill.training.fastpitch_module import AcousticTask

        model, strict = _prepare_model(config, dataset, out_dir, init_from)
        source = ExampleSource(model, dataset.train, dataset.facts, config.audio, config.acoustic.alignment, strict)
        _start_from_data(config, dataset, source, from_base=init_from is not None)
        if config.acoustic.optimiser.find_learning_rate:
            config = _find_rate(config, source, store, hooks, resume=resume)
            run.learning_rate = config.acoustic.optimiser.learning_rate
        task = AcousticTask(model, config.acoustic, seed=config.seed)
        hooks = previewing(hooks, task, dataset)
        selection = _selection(config, dataset, task, hooks)
        with selection.listening() if selection else contextlib.nullcontext():
            if resume:
                restore(store, task, run, hooks, selection)
            (finished,) = ranks.any_of(selection is not None and selection.finished)
            if task.step < task.max_steps and not finished:
                _learn(config, task, source, run, store, hooks, selection)
        nemo_path = None
        if not run.interrupted:
            task.use_average()
            if selection:
                selection.use_best()
            model.eval()
            nemo_path = save_nemo(model, out_dir / NEMO_NAME) if ranks.rank() == 0 else None
        return result_of(run, task.step, nemo_path, store.newest(), weights_sha256(model))


def _prepare_model(
    config: TrainingConfig, dataset: PreparedDataset, out_dir: Path, init_from: Path | None
) -> tuple[FastPitchModel, bool]:
    """The model to train, and whether its tokens are our aligner's phones one to one."""
    from voicemill.training.fastpitch_model import LEXICON_NAME, build_fastpitch, write_nemo_lexicon
    from voicemill.training.finetune import base_fastpitch

    if init_from is not None:
        return base_fastpitch(config, dataset.facts, init_from), False
    lexicon = out_dir / LEXICON_NAME
    if ranks.rank() == 0:
        write_nemo_lexicon(dataset.lexicon, lexicon)
    ranks.from_first(None)  # it is there
    return build_fastpitch(config, dataset.facts, lexicon), True


def _start_from_data(config: TrainingConfig, dataset: PreparedDataset, source: ExampleSource, from_base: bool) -> None:
    """Give the model the speaker's pitch and the mean log-mel; makes, and so checks, the examples."""
    import torch

    from voicemill.training.examples import mean_log_mel

    model = source.model.eval()
    with torch.no_grad():
        model.fastpitch.pitch_mean.fill_(dataset.facts.pitch_mean)
        model.fastpitch.pitch_std.fill_(dataset.facts.pitch_std)
        mean = mean_log_mel(source)
        if config.acoustic.bias_from_data and not from_base:
            # Log-mels average about -5: from a bias of zero the first 150 steps would go into learning that.
            model.fastpitch.proj.bias.copy_(mean)


def _find_rate(
    config: TrainingConfig, source: ExampleSource, store: CheckpointStore, hooks: Hooks, *, resume: bool
) -> TrainingConfig:
    """The settings with the highest rate that a range test finds, or that the run that is resumed found."""
    from omegaconf import open_dict

    from voicemill.training.fastpitch_module import AcousticTask, StepBatches

    found = rate_search.kept(store) if resume else None
    if found is None:
        hooks.note(f"The learning rate is searched with {rate_search.STEPS} steps before the training.")
        task, plan = AcousticTask(source.model, config.acoustic, seed=config.seed), _plan(config, source)
        batches = StepBatches(source, plan, 0, rate_search.STEPS, source.model.vocab.pad)
        found = rate_search.search(config, task, _need(task, source, plan), batches, store)
    hooks.note(found.sentence)
    with open_dict(source.model.cfg):
        source.model.cfg.optim.lr = found.learning_rate
    return config.with_learning_rate(found.learning_rate)


def _plan(config: TrainingConfig, source: ExampleSource) -> BatchPlan:
    size = config.acoustic.batch_size * ranks.world()
    return BatchPlan([clip.seconds for clip in source.clips], size, config.seed, config.acoustic.bucket)


def _learn(
    config: TrainingConfig,
    task: AcousticTask,
    source: ExampleSource,
    run: Run,
    store: CheckpointStore,
    hooks: Hooks,
    selection: Selection | None,
) -> None:
    from voicemill.training.fastpitch_module import StepBatches

    trainer = new_trainer(config, task, run, store, hooks, selection)
    plan, device = _plan(config, source), speedups.device_of(config)
    split_to_fit(task, _need(task, source, plan), trainer.strategy.root_device, hooks.note)
    if speedups.compiles(config, device):
        task.forward_pass = speedups.compiled(task.forward_pass, device, hooks.note)
    batches = StepBatches(source, plan, task.step, task.max_steps, task.model.vocab.pad, ranks.rank(), ranks.world())
    fit(trainer, task, batches, hooks)


def _selection(config: TrainingConfig, dataset: PreparedDataset, task: AcousticTask, hooks: Hooks) -> Selection | None:
    """Where the settings and the dataset have validation: what measures the voice on its held-out sentences."""
    from voicemill.synthesis.out_of_vocabulary import default_pronunciation
    from voicemill.synthesis.vocoders import GriffinLimVocoder
    from voicemill.training.selection import Selection
    from voicemill.training.speaker import Speaker
    from voicemill.training.validation import Listener, Mel, held_out

    wanted = config.acoustic.validation
    clips = dataset.validation[: wanted.sentences]
    if not wanted.interval or not clips or ranks.rank():
        return None
    speaker = Speaker(task.model, GriffinLimVocoder(config.audio), config.audio, default_pronunciation)

    def predict() -> list[Mel]:
        task.model.eval()
        try:
            return [speaker.predict_mel(clip.text) for clip in clips]
        finally:
            task.train()

    listener = Listener([held_out(clip, config.audio) for clip in clips], config.audio, dataset.facts)
    return Selection(wanted, task, listener, predict, hooks.note)


def _need(task: AcousticTask, source: ExampleSource, plan: BatchPlan) -> Need:
    """Memory of this process's largest batch of the first pass."""
    batches = (plan.batch(step) for step in range(plan.batches_per_pass))
    first_pass = [batch[ranks.rank() :: ranks.world()] or batch[:1] for batch in batches]
    largest = max(first_pass, key=lambda batch: len(batch) * max(source.clips[index].seconds for index in batch))
    examples = [source[index] for index in largest]
    return acoustic_need(
        task.acoustic,
        sum(weight.numel() for weight in task.parameters()),
        len(largest),
        max(example.mel.shape[1] for example in examples),
        max(len(example.tokens) for example in examples),
    )
