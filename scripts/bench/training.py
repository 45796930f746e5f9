"""Speed of training steps, stock NeMo beside ours, in turns on the same clips: `bench.py training`.

The sides differ in data loading and losses, not in the size of the model:

    stock                   TTSDataset (sound, pitch and prior from disk and by computation at each use), mels computed
                            in each step, NeMo's aligner under a beta-binomial prior, shuffled batches
    voicemill, same batches mels, tokens, pitch and prior kept in memory; the same batches as the stock side
    voicemill, buckets      the same clips in batches of similar length

each with NeMo's aligner (`forced_prior`) and with supervised durations (the preset).
"""

from __future__ import annotations

import contextlib
import multiprocessing
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voicemill.training.batches import BatchPlan
from voicemill.training.config import TrainingConfig
from voicemill.training.data import TrainingDataset

if TYPE_CHECKING:
    import torch
    from lightning.pytorch import Callback

WARM_UP_STEPS = 2
"""Not counted: they compile and allocate."""
LONG_WARM_UP = 12
"""The same for torch.compile, which compiles again for the first batches of different lengths."""


@dataclass
class Clocked:
    """Time of some steps: wall and CPU seconds, CPU seconds of forward pass (with losses) and backward pass, frames.

    The CPU seconds of the warm-up are separate.
    """

    steps: int = 0
    wall: float = 0.0
    cpu: float = 0.0
    model_cpu: float = 0.0
    real_frames: int = 0
    padded_frames: int = 0
    warm_up_cpu: float = 0.0

    def add(self, other: Clocked) -> None:
        """Add another turn."""
        for name in vars(self):
            setattr(self, name, getattr(self, name) + getattr(other, name))


def cpu_seconds() -> float:
    """CPU seconds of this process and of its child processes that have ended, for example compilers."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def clock(model: torch.nn.Module | None, clocked: Clocked) -> Callback:
    """A Lightning callback that measures a fit; the same for all sides.

    Without a model, forward and backward are not measured: the hook would trigger another compilation.
    """
    import lightning.pytorch as lightning

    class Clock(lightning.Callback):
        def __init__(self) -> None:
            self.hook: Any = None
            self.at = 0.0

        def on_train_start(self, *_: object) -> None:
            if model is not None:
                self.hook = model.register_forward_pre_hook(self._forward, with_kwargs=True)
            self.wall, self.cpu = time.perf_counter(), cpu_seconds()

        def _forward(self, module: object, args: object, inputs: dict[str, Any]) -> None:
            self.at = time.process_time()

        def on_after_backward(self, *_: object) -> None:
            clocked.model_cpu += time.process_time() - self.at

        def on_train_batch_end(self, *_: object) -> None:
            clocked.steps += 1

        def on_train_end(self, *_: object) -> None:
            if self.hook is not None:
                self.hook.remove()
            clocked.wall += time.perf_counter() - self.wall
            clocked.cpu += cpu_seconds() - self.cpu

    return Clock()


class Side:
    """One way of training, in a process of its own, which waits while the others have their turn.

    In one process the sides affect each other: numba, which the aligner of stock NeMo starts, changes the number of
    threads of torch.
    """

    def __init__(self, name: str, plan: BatchPlan, make: Callable[..., Any], *arguments: object) -> None:
        context = multiprocessing.get_context("spawn")
        self.name, self.plan = name, plan
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, make, plan, *arguments), daemon=True)
        self._process.start()
        theirs.close()

    def run(self, first: int, last: int) -> Clocked:
        """Take the steps `first`..`last - 1` of the plan; the model goes on where it stopped."""
        self._pipe.send((first, last))
        clocked: Clocked = self._pipe.recv()
        return clocked


def _serve(pipe: Any, make: Callable[..., Any], plan: BatchPlan, *arguments: object) -> None:
    from voicemill.training.runtime import nemo_runtime

    with nemo_runtime():
        side = make(plan, *arguments)
        with contextlib.suppress(EOFError):  # the bench is done
            while True:
                pipe.send(side.run(*pipe.recv()))


class Stock:
    """NeMo's recipe on the plan's batches."""

    def __init__(self, plan: BatchPlan, prepared: TrainingDataset, config: TrainingConfig, out: Path) -> None:
        import torch
        from stock import PlannedBatches, stock_model

        self._model = stock_model(prepared, config, out, normaliser=False, own_pitch=False)
        data = self._model._train_dl.dataset
        self._batches = PlannedBatches(plan)
        self._loader = torch.utils.data.DataLoader(data, batch_sampler=self._batches, collate_fn=data.collate_fn)
        self._model._train_dl = self._loader

    def run(self, first: int, last: int) -> Clocked:
        from stock import stock_trainer

        self._batches.steps, clocked = range(first, last), Clocked()
        self._model.train()
        trainer = stock_trainer(max_epochs=1, callbacks=[clock(self._model, clocked)])
        trainer.fit(self._model, train_dataloaders=self._loader)
        return clocked


class Ours:
    """Our loop, as `train_acoustic` runs it, without the checkpoint at the end."""

    def __init__(self, plan: BatchPlan, prepared: TrainingDataset, config: TrainingConfig, out: Path) -> None:
        import torch._inductor.config

        from voicemill.training import speedups as speedups_of
        from voicemill.training import train_fastpitch
        from voicemill.training.examples import ExampleSource
        from voicemill.training.fastpitch_module import AcousticModule
        from voicemill.training.store import CheckpointStore

        self.plan, self._config = plan, config
        out.mkdir(parents=True)
        model, _ = train_fastpitch.prepare_model(config, prepared, out, None)
        self._source = ExampleSource(
            model, prepared.train, prepared.pitch_statistics, config.audio, config.acoustic.alignment, strict=True
        )
        train_fastpitch.start_from_data(config, prepared, self._source, None)
        self._module = AcousticModule(model, config.acoustic, seed=config.seed)
        self._watched = model
        device = speedups_of.device_of(config)
        if speedups_of.compiles(config, device):
            # In this process and its children, so that their CPU time is included.
            torch._inductor.config.compile_threads = 1
            self._watched = None
            self._module.forward_pass = speedups_of.compiled(self._module.forward_pass, device, print)
        self._store = CheckpointStore(out, "fastpitch", "bench")

    def run(self, first: int, last: int) -> Clocked:
        from voicemill.training.fastpitch_module import StepBatches
        from voicemill.training.fitting import TrainingRun, fit, new_trainer
        from voicemill.training.hooks import Hooks
        from voicemill.training.runtime import seeded

        clocked, module = Clocked(), self._module
        run = TrainingRun(self._config, self._store, Hooks())
        with seeded(self._config.seed, self._config.threads):
            trainer = new_trainer(run, module)
            trainer.callbacks.append(clock(self._watched, clocked))
            fit(trainer, module, StepBatches(self._source, self.plan, range(first, last)), run.hooks)
        return clocked


def sides(prepared: TrainingDataset, config: TrainingConfig, out: Path, *, same_batches: bool) -> list[Side]:
    """All sides with fresh models of the same sizes; with `same_batches` ours also on the batches of the stock side."""
    lengths = [clip.seconds for clip in prepared.train]
    size, seed = config.acoustic.batch_size, config.seed
    shuffled, bucketed = (BatchPlan(lengths, size, seed, bucket) for bucket in (False, True))
    plans = [(shuffled, "same batches")] * same_batches + [(bucketed, "buckets")]
    found = [Side("stock NeMo", shuffled, Stock, prepared, config, out / "stock")]
    for alignment, description in (("forced_prior", "NeMo's aligner"), ("durations", "supervised durations")):
        settings = config.acoustic.model_copy(update={"alignment": alignment})
        one = config.model_copy(update={"acoustic": settings})
        for plan, batches in plans:
            found.append(
                Side(f"voicemill, {description}, {batches}", plan, Ours, prepared, one, out / f"ours-{len(found)}")
            )
    return found


def speedups(prepared: TrainingDataset, config: TrainingConfig, out: Path, *, compiling: bool) -> list[Side]:
    """Our side as it is, in bfloat16, and with `compiling` also compiled."""
    lengths = [clip.seconds for clip in prepared.train]
    plan = BatchPlan(lengths, config.acoustic.batch_size, config.seed, config.acoustic.bucket)
    found: list[Side] = []
    wanted = [("float32", "float32", False), ("bfloat16", "bfloat16", False)]
    for name, precision, compiled in wanted + [("float32, compiled", "float32", True)] * compiling:
        acoustic = config.acoustic.model_copy(update={"compile": compiled})
        one = config.model_copy(update={"acoustic": acoustic, "precision": precision})
        found.append(Side(name, plan, Ours, prepared, one, out / f"ours-{len(found)}"))
    return found


@contextlib.contextmanager
def other_work(count: int) -> Iterator[None]:
    """Run `count` processes that compute without end, until the end of the context."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def take_turns(
    taking: list[Side], frames: list[int], steps: int, rounds: int, warm_up: int = WARM_UP_STEPS
) -> list[Clocked]:
    """`rounds` times `steps` steps of each side, one after the other; the time of each.

    Args:
        taking: the sides.
        frames: mel frames of each clip.
        steps: of a turn; a whole pass gives each side the same clips.
        rounds: turns of each side.
        warm_up: steps before them, which do not count.
    """
    totals = [Clocked() for _ in taking]
    for side, total in zip(taking, totals, strict=True):
        total.warm_up_cpu = side.run(0, warm_up).cpu
    for round_ in range(rounds):
        first = round_ * steps
        for side, total in zip(taking, totals, strict=True):
            turn = side.run(first, first + steps)
            for step in range(first, first + steps):
                lengths = [frames[index] for index in side.plan.batch(step)]
                turn.real_frames += sum(lengths)
                turn.padded_frames += max(lengths) * len(lengths)
            total.add(turn)
    return totals
