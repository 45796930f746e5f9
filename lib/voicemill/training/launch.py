"""Training in several processes: torchrun on this machine, and the command that the other machines need."""

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
from voicemill.training.worker import Heard, Kind, Work

SCRIPT = Path(__file__).resolve().parents[3] / "scripts/voice/train_rank.py"
PORT = 29_500
"""Where the machines of one training meet, on the first one."""
NAME = "work.json"
LOG = "ranks.log"


def command(
    devices: int, nodes: int, work: Path = Path(NAME), *, node: str = "0", meeting: str = "FIRST_MACHINE"
) -> list[str]:
    """The torchrun command of one machine.

    Args:
        devices: processes on it.
        nodes: machines.
        work: JSON of a `Work`, at the same place on each machine.
        node: number of this one, from 0.
        meeting: name of the first one.
    """
    argv = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(devices)]
    if nodes == 1:
        argv.append("--standalone")
    else:
        argv += ["--nnodes", str(nodes), "--node-rank", node, "--master-addr", meeting, "--master-port", str(PORT)]
    return [*argv, str(SCRIPT), str(work)]


def train(work: Work, hooks: Hooks) -> TrainingResult:
    """Train in `work.config.devices` processes here, and as many on each other machine; tell what happens.

    A rank that ends early ends the others. A stop is handed to all: they write one checkpoint and end.

    Raises:
        VoicemillError: what the first rank that failed said.
        TrainingError: `rank_died:exit_code=N`: one ended without a word.
    """
    config = work.config
    path = work.out / NAME
    files.write_json(path, work.model_dump(mode="json"))
    if config.nodes > 1:
        other = command(config.devices, config.nodes, path, node="N")
        hooks.note(f"On each other machine, with its number N and this one's name: {' '.join(other)}")
    heard = Heard(hooks)
    argv = command(config.devices, config.nodes, path, meeting=socket.gethostname())
    with hooks.taking_steps(), _running(argv, work.out) as child:
        for kind, value in _lines(child, hooks):
            heard.hear(kind, _read(kind, value))
        code = child.wait()
    return heard.result(
        TrainingError(
            "A training process ended without a word, and so all of them.",
            reason=f"rank_died:exit_code={code}",
            hint=f"{work.out / LOG} may say more; start again with --resume.",
        )
    )


@contextlib.contextmanager
def _running(argv: Sequence[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The processes in a session of their own, so that Ctrl-C reaches them through us alone; none outlives this."""
    with (
        (folder / LOG).open("w", encoding="utf-8") as log,
        subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=log, start_new_session=True) as child,
    ):
        try:
            yield child
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)


def _lines(child: subprocess.Popen[bytes], hooks: Hooks) -> Iterator[tuple[Kind, Any]]:
    """What the ranks tell; asks them to stop, once, when it is time."""
    if child.stdout is None:
        return
    asked, rest = False, b""
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while True:
            if not asked and hooks.should_stop():
                asked = True
                child.terminate()  # torchrun hands it on to every rank
            if not selector.select(timeout=0.5):
                continue
            block = os.read(child.stdout.fileno(), 1 << 16)
            if not block:
                return
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                with contextlib.suppress(ValueError, AttributeError):  # a library's own words are no news
                    yield from json.loads(line).items()


def _read(kind: Kind, value: Any) -> object:
    """What a line's JSON stands for."""
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
