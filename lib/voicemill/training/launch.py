"""Training in several processes under torchrun: the processes of this machine, and the command for the others."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from voicemill import files
from voicemill.errors import TrainingError
from voicemill.training.checkpoint import StepReport, TrainingResult
from voicemill.training.hooks import Hooks
from voicemill.training.worker import Kind, RankMessages, TrainingJob

SCRIPT = Path(__file__).resolve().parents[3] / "scripts/voice/train_rank.py"
PORT = 29_500
"""On the first machine; the others connect to it."""
NAME = "work.json"
LOG = "ranks.log"


def torchrun_command(
    devices: int, nodes: int, job: Path = Path(NAME), *, node: str = "0", master: str = "FIRST_MACHINE"
) -> list[str]:
    """The torchrun command of one machine.

    Args:
        devices: processes on the machine.
        nodes: number of machines.
        job: JSON of a `TrainingJob`, at the same path on each machine.
        node: number of this machine, from 0.
        master: host name of the first machine.
    """
    argv = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(devices)]
    if nodes == 1:
        argv.append("--standalone")
    else:
        argv += ["--nnodes", str(nodes), "--node-rank", node, "--master-addr", master, "--master-port", str(PORT)]
    return [*argv, str(SCRIPT), str(job)]


def train(job: TrainingJob, hooks: Hooks) -> TrainingResult:
    """Train in `job.config.devices` processes here, and as many on each other machine.

    A rank that fails stops the others. When `hooks.should_stop` is true, the ranks write a checkpoint and end.

    Raises:
        VoicemillError: the error of the first rank that failed.
        TrainingError: `rank_died:exit_code=N`: a rank exited without an error message.
    """
    config = job.config
    path = job.out / NAME
    files.write_json(path, job.model_dump(mode="json"))
    if config.nodes > 1:
        other = torchrun_command(config.devices, config.nodes, path, node="N")
        hooks.note(
            "On each other machine, run this with its number for N and the name of this machine for FIRST_MACHINE: "
            f"{' '.join(other)}"
        )
    messages = RankMessages(hooks)
    argv = torchrun_command(config.devices, config.nodes, path, master=socket.gethostname())
    with hooks.taking_steps(), _running(argv, job.out) as child:
        for kind, value in _messages(child, hooks):
            messages.receive(kind, _parse(kind, value))
        code = child.wait()
    return messages.result(
        TrainingError(
            "A training process exited without an error message; the others were stopped.",
            reason=f"rank_died:exit_code={code}",
            hint=f"{job.out / LOG} may show more; start again with --resume.",
        )
    )


@contextlib.contextmanager
def _running(argv: Sequence[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The processes in a session of their own, which Ctrl-C does not reach; killed at the end of the context."""
    with (
        (folder / LOG).open("w", encoding="utf-8") as log,
        subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=log, start_new_session=True) as child,
    ):
        try:
            yield child
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)


def _messages(child: subprocess.Popen[bytes], hooks: Hooks) -> Iterator[tuple[Kind, Any]]:
    """The messages of the ranks, until they end; sends SIGTERM once when `hooks.should_stop` is true."""
    if child.stdout is None:
        return
    stopping, rest = False, b""
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while True:
            if not stopping and hooks.should_stop():
                stopping = True
                child.terminate()  # torchrun forwards it to every rank
            if not selector.select(timeout=0.5):
                continue
            block = os.read(child.stdout.fileno(), 1 << 16)
            if not block:
                return
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                with contextlib.suppress(ValueError, AttributeError):  # printed by a library
                    yield from json.loads(line).items()


def _parse(kind: Kind, value: Any) -> object:
    """The value of a message from its JSON."""
    if kind == "step":
        return StepReport(**value)
    if kind == "error":
        error = TrainingError(value["message"], reason=value["reason"], hint=value["hint"])
        error.exit_code = value["code"]
        return error
    if kind == "result":
        for name in ("nemo_path", "checkpoint_path"):
            value[name] = Path(value[name]) if value[name] else None
        value["loss_curve"] = tuple(tuple(point) for point in value["loss_curve"])
        return TrainingResult(**value)
    return value
