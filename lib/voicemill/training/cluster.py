"""Training on a Ray cluster: Ray Train places the processes and starts them again; what each does is a rank's work.

    train -> _fit: Ray Train -> _rank in each process -> worker.take_part, as under torchrun
      ^------------- Post -----------------v          an actor beside us: they tell, we ask them to stop

Checkpoints are our own store's, in the run's folder, which every node must see. When a process dies, Ray ends the
others and starts all of them again, and they go on from the last checkpoint that this run has committed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import voicemill
from voicemill import dataset, training, weights
from voicemill.dataset.cluster import connected, require_nodes
from voicemill.errors import BlockedError, TrainingError, VoicemillError
from voicemill.training import ranks
from voicemill.training.checkpoint import TrainingResult
from voicemill.training.config import TrainingConfig
from voicemill.training.hooks import Hooks
from voicemill.training.launch import LOG
from voicemill.training.store import commits
from voicemill.training.worker import Heard, Kind, Work, take_part

CODE = (voicemill, dataset, weights, training)
"""What the nodes must have like us."""
RESTARTS = 5
"""Times that the processes of one training are started again."""
PATIENCE = 10
"""Minutes that a restart waits for a node to come back; Ray asks for one each time."""
NOTES = ".ray"
"""Folder for what Ray Train writes down of a run, of no use after it."""
_BEAT = 0.5
"""Seconds between two looks into the post, on both sides."""


@dataclasses.dataclass(frozen=True)
class Share:
    """What each process gets of the cluster.

    Attributes:
        processes: how many there are.
        cpus: cores of each.
        gpu: whether each has a GPU of its own.
    """

    processes: int
    cpus: int
    gpu: bool

    @classmethod
    def of(cls, config: TrainingConfig, gpu: bool) -> Share:
        """A core for each thread that the settings name; one where they leave it open."""
        return cls(config.devices * config.nodes, max(1, config.threads), gpu)

    def __str__(self) -> str:
        cores = f"{self.cpus} CPU" if self.cpus == 1 else f"{self.cpus} CPUs"
        each = f"{cores} and a GPU" if self.gpu else cores
        return f"{self.processes} processes of {each}" if self.processes > 1 else f"one process of {each}"

    def places(self, nodes: list[dict[str, Any]]) -> int:
        """How many such processes fit on these nodes, as `ray.nodes` lists them."""
        free = [node["Resources"] for node in nodes if node["Alive"]]
        return sum(int(min(one.get("CPU", 0) // self.cpus, one.get("GPU", 0) if self.gpu else 1e9)) for one in free)


class Post:
    """What lies between the ranks and us; an actor on our machine."""

    def __init__(self) -> None:
        self._told: list[tuple[Kind | None, object]] = []
        self._stop = self._over = False

    def tell(self, kind: Kind | None, value: object) -> None:
        """A rank tells something; `None` is Ray, that ranks were lost. An error that will come again ends it all."""
        self._told.append((kind, value))
        self._over |= isinstance(value, VoicemillError) and value.reason != "rank_lost"

    def take(self) -> list[tuple[Kind | None, object]]:
        """What was told since the last time."""
        told, self._told = self._told, []
        return told

    def stop(self) -> None:
        """Ask the ranks to write a checkpoint and end."""
        self._stop = True

    def asked(self) -> tuple[bool, bool]:
        """Whether the ranks shall stop, and whether there is nothing more to do."""
        return self._stop, self._over


def train(work: Work, hooks: Hooks, address: str) -> TrainingResult:
    """Train in `devices * nodes` processes on a Ray cluster, which decides where; tell what happens.

    Args:
        work: what to train; every node must see its folders.
        hooks: as of `launch.train`. A stop before the first step finds on the disk what there is to go on from.
        address: `host:port` of the head node, or `dataset.cluster.RUNNING`; this machine must be part of the cluster.

    Raises:
        DependencyError: `extra_missing:ray`, `ray_unreachable:<address>`.
        BlockedError: `ray_node_unfit:<node>`, `ray_too_small:<places>`.
        VoicemillError: what the first rank that failed said.
        TrainingError: `rank_died:ray`: processes died again and again.
    """
    began = time.monotonic()
    heard = Heard(hooks)
    notes = work.out / NOTES
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, notes, ignore_errors=True)
        ray = stack.enter_context(connected(address))
        work = _absolute(work)
        share = _share(ray, work.config)
        require_nodes(ray, work.out, CODE, more=[work.dataset / "train.jsonl", *([work.base] if work.base else [])])
        hooks.note(f"Training on the Ray cluster at {address}: {share}.")
        shutil.rmtree(notes, ignore_errors=True)
        nodes = ray.util.scheduling_strategies
        here = nodes.NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        post = ray.remote(num_cpus=0, scheduling_strategy=here)(Post).remote()
        fit = ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=here)(_fit)
        with hooks.taking_steps():
            said = _follow(ray, fit.remote(post, work, share, commits(work.out)), post, heard)
        (work.out / LOG).write_text(said, encoding="utf-8")
    why = said.strip().partition("\n")[0].rstrip(".:") or "it ended without a result"
    result = heard.result(
        TrainingError(
            f"Ray Train gave up: {why}.",
            reason="rank_died:ray",
            hint=f"{work.out / LOG} says more; start again with --resume.",
        )
    )
    return dataclasses.replace(result, seconds=time.monotonic() - began)


def _absolute(work: Work) -> Work:
    """Ray's processes have working directories of their own."""
    paths = {name: path.absolute() for name, path in work if isinstance(path, Path)}
    return work.model_copy(update=paths)


def _share(ray: Any, config: TrainingConfig) -> Share:
    """Processes with a GPU each where the settings want one, or leave it open and there are enough.

    Raises:
        BlockedError: `ray_too_small:<places>`.
    """
    nodes = ray.nodes()
    with_gpu = Share.of(config, gpu=True)
    enough = with_gpu.places(nodes) >= with_gpu.processes
    share = Share.of(config, gpu=config.accelerator == "gpu" or (config.accelerator == "auto" and enough))
    places = share.places(nodes)
    if places < share.processes:
        raise BlockedError(
            f"The Ray cluster has room for {places} of {share}.",
            reason=f"ray_too_small:{places}",
            hint="Add nodes, or ask for fewer with --devices and --nodes.",
        )
    return share


def _follow(ray: Any, fit: Any, post: Any, heard: Heard) -> str:
    """Hear what the ranks tell until they have ended; ask them to stop, once, when it is time.

    Returns:
        What Ray said of it where it did not end well.
    """
    asked, learning, ended = False, False, False
    try:
        while not ended:
            ended = bool(ray.wait([fit], timeout=_BEAT)[0])
            for kind, value in ray.get(post.take.remote()):
                learning = kind == "step" or (learning and kind is not None)
                if kind is None:
                    heard.restarted()
                    heard.hooks.note(str(value))
                else:
                    heard.hear(kind, value)
            if heard.hooks.should_stop() and not ended:
                if not learning:
                    return ""  # nothing is newer than the disk
                if not asked:
                    asked = True
                    post.stop.remote()
        return str(ray.get(fit))
    except ray.exceptions.RayError as error:
        return f"{error}\n"


def _fit(post: Any, work: Work, share: Share, before: frozenset[str]) -> str:
    """Ray Train's own waiting, in a process of Ray's beside us: in ours it would take Ctrl-C for itself.

    Returns:
        What it said where it did not end well.
    """
    from ray.train import FailureConfig, RunConfig, ScalingConfig, UserCallback
    from ray.train.torch import TorchConfig, TorchTrainer

    class Losses(UserCallback):  # type: ignore[misc]  # Ray is untyped here
        def after_exception(self, run_context: object, worker_exceptions: dict[int, Exception]) -> None:
            who = ", ".join(str(rank) for rank in sorted(worker_exceptions))
            post.tell.remote(None, f"Warning: training process {who} was lost; all go on from the last checkpoint.")

    config = work.config.model_copy(update={"accelerator": "gpu" if share.gpu else "cpu"})
    trainer = TorchTrainer(
        partial(_rank, post, work.model_copy(update={"config": config}), before),
        torch_config=TorchConfig(
            backend="nccl" if share.gpu else "gloo", timeout_s=round(ranks.PATIENCE.total_seconds())
        ),
        scaling_config=ScalingConfig(
            num_workers=share.processes,
            use_gpu=share.gpu,
            resources_per_worker={"CPU": share.cpus} | ({"GPU": 1} if share.gpu else {}),
            placement_strategy="SPREAD" if work.config.devices == 1 else "PACK",
        ),
        run_config=RunConfig(
            name="run",
            storage_path=str(work.out / NOTES),
            failure_config=FailureConfig(max_failures=RESTARTS, controller_failure_limit=PATIENCE),
            callbacks=[Losses()],
        ),
    )
    try:
        trainer.fit()
    except Exception as error:
        return f"{error}\n"
    return ""


def _rank(post: Any, work: Work, before: frozenset[str]) -> None:
    """A rank's work in a process of Ray's.

    Args:
        post: handle of the `Post`.
        work: what to train.
        before: checkpoints that lay there before the run: a run that starts afresh does not go on from them.
    """
    import ray

    _, over = ray.get(post.asked.remote())
    resume, over = ranks.from_first((work.resume or bool(commits(work.out) - before), over))
    if over:
        return

    def tell(kind: Kind, value: object) -> None:
        sent = post.tell.remote(kind, value)
        if kind == "result":
            ray.get(sent)  # nobody waits for what is on its way when this process ends

    try:
        with _listening(ray, post) as asked:
            take_part(work.model_copy(update={"resume": resume}), tell, asked.is_set)
    except VoicemillError as error:
        ray.get(post.tell.remote("error", error))
        if error.reason == "rank_lost":
            raise  # Ray starts all of us again


@contextlib.contextmanager
def _listening(ray: Any, post: Any) -> Iterator[threading.Event]:
    """Within, an event that is set when we are asked to stop; no step waits for the network to know."""
    asked, done = threading.Event(), threading.Event()

    def listen() -> None:
        while not done.wait(_BEAT):
            if ray.get(post.asked.remote())[0]:
                asked.set()

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        yield asked
    finally:
        done.set()
        listener.join()
