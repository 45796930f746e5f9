"""Training on a Ray cluster: Ray Train places the ranks and restarts them; each rank works as under torchrun.

    train -> _fit: Ray Train -> _rank in each process -> worker.run_rank
      ^------------ Mailbox --------------v            an actor on this machine

Checkpoints are in the run's folder, which every node must see. When a process dies, Ray stops the others and restarts
all of them from the last checkpoint that this run has committed.
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
from voicemill.training.worker import Kind, RankMessages, TrainingJob, run_rank

CODE = (voicemill, dataset, weights, training)
"""Packages that must be the same on all nodes."""
RESTARTS = 5
"""Times that the processes of one training are restarted."""
CONTROLLER_FAILURES = 10
"""Failed attempts to restart, for example because a node is missing; Ray makes one a minute."""
NOTES = ".ray"
"""Folder for Ray Train's own records of a run; it is deleted afterwards."""
_POLL_SECONDS = 0.5
"""Interval at which both sides poll the mailbox."""


@dataclasses.dataclass(frozen=True)
class Share:
    """The resources of the training processes.

    Attributes:
        processes: number of processes.
        cpus: cores of each.
        gpu: whether each has a GPU of its own.
    """

    processes: int
    cpus: int
    gpu: bool

    @classmethod
    def of(cls, config: TrainingConfig, gpu: bool) -> Share:
        """A core for each thread of the settings; one core if they leave the number of threads open."""
        return cls(config.devices * config.nodes, max(1, config.threads), gpu)

    def __str__(self) -> str:
        cores = f"{self.cpus} CPU" if self.cpus == 1 else f"{self.cpus} CPUs"
        each = f"{cores} and a GPU" if self.gpu else cores
        return f"{self.processes} processes of {each}" if self.processes > 1 else f"one process of {each}"

    def places(self, nodes: list[dict[str, Any]]) -> int:
        """Number of such processes that fit on these nodes, as `ray.nodes` lists them."""
        free = [node["Resources"] for node in nodes if node["Alive"]]
        return sum(int(min(one.get("CPU", 0) // self.cpus, one.get("GPU", 0) if self.gpu else 1e9)) for one in free)


class Mailbox:
    """Mailbox actor between the ranks and this process, on this machine.

    Ranks send messages and poll for a request to stop; this process receives the messages.
    """

    def __init__(self) -> None:
        self._messages: list[tuple[Kind | None, object]] = []
        self._stop = self._failed = False

    def send(self, kind: Kind | None, value: object) -> None:
        """Add a message of a rank, or with None a message of Ray that ranks were lost.

        An error other than `rank_lost` would come again after a restart: it ends the training.
        """
        self._messages.append((kind, value))
        self._failed |= isinstance(value, VoicemillError) and value.reason != "rank_lost"

    def receive(self) -> list[tuple[Kind | None, object]]:
        """The messages since the last call."""
        messages, self._messages = self._messages, []
        return messages

    def request_stop(self) -> None:
        """Ask the ranks to write a checkpoint and end."""
        self._stop = True

    def poll(self) -> tuple[bool, bool]:
        """Whether the ranks should stop, and whether the training has failed finally."""
        return self._stop, self._failed


def train(job: TrainingJob, hooks: Hooks, address: str) -> TrainingResult:
    """Train in `devices * nodes` processes on a Ray cluster, which places them.

    Args:
        job: every node must see its folders.
        hooks: as for `launch.train`. A stop before the first step leaves the checkpoints on disk as they are.
        address: `host:port` of the head node, or `dataset.cluster.RUNNING`; this machine must be part of the cluster.

    Raises:
        DependencyError: `extra_missing:ray`, `ray_unreachable:<address>`.
        BlockedError: `ray_node_unfit:<node>`, `ray_too_small:<places>`.
        VoicemillError: the error of the first rank that failed.
        TrainingError: `rank_died:ray`: processes died more often than they are restarted.
    """
    began = time.monotonic()
    messages = RankMessages(hooks)
    notes = job.out / NOTES
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, notes, ignore_errors=True)
        ray = stack.enter_context(connected(address))
        job = _absolute(job)
        share = _share(ray, job.config)
        require_nodes(ray, job.out, CODE, more=[job.dataset / "train.jsonl", *([job.base] if job.base else [])])
        hooks.note(f"Training on the Ray cluster at {address}: {share}.")
        shutil.rmtree(notes, ignore_errors=True)
        nodes = ray.util.scheduling_strategies
        here = nodes.NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        mailbox = ray.remote(num_cpus=0, scheduling_strategy=here)(Mailbox).remote()
        fit = ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=here)(_fit)
        with hooks.taking_steps():
            output = _follow(ray, fit.remote(mailbox, job, share, commits(job.out)), mailbox, messages)
        (job.out / LOG).write_text(output, encoding="utf-8")
    why = output.strip().partition("\n")[0].rstrip(".:") or "it ended without a result"
    result = messages.result(
        TrainingError(
            f"Ray Train gave up: {why}.",
            reason="rank_died:ray",
            hint=f"{job.out / LOG} shows more; start again with --resume.",
        )
    )
    return dataclasses.replace(result, seconds=time.monotonic() - began)


def _absolute(job: TrainingJob) -> TrainingJob:
    """The job with absolute paths: Ray's processes have other working directories."""
    paths = {name: path.absolute() for name, path in job if isinstance(path, Path)}
    return job.model_copy(update=paths)


def _share(ray: Any, config: TrainingConfig) -> Share:
    """The processes; each has a GPU if the settings ask for one, or if they leave it open and there are enough.

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
            f"The Ray cluster has resources for {places} of {share}.",
            reason=f"ray_too_small:{places}",
            hint="Add nodes, or ask for fewer with --devices and --nodes.",
        )
    return share


def _follow(ray: Any, fit: Any, mailbox: Any, messages: RankMessages) -> str:
    """Receive the messages of the ranks until they end; request a stop once when `should_stop` is true.

    Returns:
        Ray's error message; empty after a good end.
    """
    stopping, stepping, ended = False, False, False
    try:
        while not ended:
            ended = bool(ray.wait([fit], timeout=_POLL_SECONDS)[0])
            for kind, value in ray.get(mailbox.receive.remote()):
                stepping = kind == "step" or (stepping and kind is not None)
                if kind is None:
                    messages.restarted()
                    messages.hooks.note(str(value))
                else:
                    messages.receive(kind, value)
            if messages.hooks.should_stop() and not ended:
                if not stepping:
                    return ""  # there is nothing newer than the last checkpoint
                if not stopping:
                    stopping = True
                    mailbox.request_stop.remote()
        return str(ray.get(fit))
    except ray.exceptions.RayError as error:
        return f"{error}\n"


def _fit(mailbox: Any, job: TrainingJob, share: Share, before: frozenset[str]) -> str:
    """Run Ray Train, in a process of Ray's on this machine: in this process it would handle Ctrl-C itself.

    Returns:
        Its error message; empty after a good end.
    """
    from ray.train import FailureConfig, RunConfig, ScalingConfig, UserCallback
    from ray.train.torch import TorchConfig, TorchTrainer

    class LostRanks(UserCallback):  # type: ignore[misc]  # Ray is untyped here
        def after_exception(self, run_context: object, worker_exceptions: dict[int, Exception]) -> None:
            lost = ", ".join(str(rank) for rank in sorted(worker_exceptions))
            mailbox.send.remote(
                None, f"Warning: training process {lost} was lost; all processes restart from the last checkpoint."
            )

    config = job.config.model_copy(update={"accelerator": "gpu" if share.gpu else "cpu"})
    trainer = TorchTrainer(
        partial(_rank, mailbox, job.model_copy(update={"config": config}), before),
        torch_config=TorchConfig(
            backend="nccl" if share.gpu else "gloo", timeout_s=round(ranks.TIMEOUT.total_seconds())
        ),
        scaling_config=ScalingConfig(
            num_workers=share.processes,
            use_gpu=share.gpu,
            resources_per_worker={"CPU": share.cpus} | ({"GPU": 1} if share.gpu else {}),
            placement_strategy="SPREAD" if job.config.devices == 1 else "PACK",
        ),
        run_config=RunConfig(
            name="run",
            storage_path=str(job.out / NOTES),
            failure_config=FailureConfig(max_failures=RESTARTS, controller_failure_limit=CONTROLLER_FAILURES),
            callbacks=[LostRanks()],
        ),
    )
    try:
        trainer.fit()
    except Exception as error:
        return f"{error}\n"
    return ""


def _rank(mailbox: Any, job: TrainingJob, before: frozenset[str]) -> None:
    """Run a rank in a process of Ray's.

    Args:
        mailbox: handle of the `Mailbox`.
        job: the training.
        before: names of checkpoints from before the run; a run without `resume` does not start from them.
    """
    import ray

    _, failed = ray.get(mailbox.poll.remote())
    resume, failed = ranks.broadcast((job.resume or bool(commits(job.out) - before), failed))
    if failed:
        return

    def send(kind: Kind, value: object) -> None:
        sent = mailbox.send.remote(kind, value)
        if kind == "result":
            ray.get(sent)  # messages in flight are lost when this process ends

    try:
        with _polling(ray, mailbox) as stop:
            run_rank(job.model_copy(update={"resume": resume}), send, stop.is_set)
    except VoicemillError as error:
        ray.get(mailbox.send.remote("error", error))
        if error.reason == "rank_lost":
            raise  # Ray restarts all ranks


@contextlib.contextmanager
def _polling(ray: Any, mailbox: Any) -> Iterator[threading.Event]:
    """An event that is set when a stop is requested; a thread polls, so that no step waits for the network."""
    stop, done = threading.Event(), threading.Event()

    def poll() -> None:
        while not done.wait(_POLL_SECONDS):
            if ray.get(mailbox.poll.remote())[0]:
                stop.set()

    poller = threading.Thread(target=poll, daemon=True)
    poller.start()
    try:
        yield stop
    finally:
        done.set()
        poller.join()
