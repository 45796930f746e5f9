"""The tasks of a preparation on a Ray cluster, through the same `map` as on the processes of one machine.

Recordings and clips stay files: every node must see the folders of the work, the cache and the sources under the same
paths (a shared file system) and run the same code. Each node is asked before the first task. A task whose worker or
node dies is done again elsewhere; it writes the same bytes to the same place, and its result is counted once.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, TypeVar

import voicemill
from voicemill import audio, dataset, text
from voicemill.dataset import stage_cache
from voicemill.errors import BlockedError, DependencyError, UsageError
from voicemill.progress import Observer
from voicemill.workers import run_task

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")

RUNNING = "auto"
"""Address of the cluster that runs on this machine."""
CODE = (voicemill, audio, text, dataset)
"""Packages that a preparation runs."""
RETRIES = 3
"""Times that a task is done again when its worker or node dies."""
_CONNECT_TIMEOUT = 10.0
"""Seconds in which a cluster has to answer."""


class RayPool:
    """A context in which `map` runs tasks on a Ray cluster."""

    def __init__(self, address: str, shared: Path) -> None:
        """
        Args:
            address: `host:port` of the head node, or `RUNNING`; this machine must be part of the cluster.
            shared: a folder that every node must see.
        """
        self._address, self._shared = address, shared
        self._stack = contextlib.ExitStack()
        self._remote: Any = None

    def __enter__(self) -> RayPool:
        with contextlib.ExitStack() as stack:
            ray = stack.enter_context(connected(self._address))
            require_nodes(ray, self._shared, CODE)
            self._remote = ray.remote(max_retries=RETRIES, num_cpus=1)(_at)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def map(
        self, function: Callable[[_Task], _Result], tasks: Sequence[_Task], observer: Observer | None = None
    ) -> list[_Result]:
        """`[function(task) for task in tasks]`, reporting to the observer how many are done.

        Raises:
            BlockedError: `worker_died`, when a task ended every worker that tried it.
        """
        import ray

        order = {self._remote.remote(Path.cwd(), function, task): index for index, task in enumerate(tasks)}
        results: dict[int, _Result] = {}
        waiting = list(order)
        try:
            while waiting:
                ready, waiting = ray.wait(waiting, num_returns=1)
                for one in ready:
                    results[order[one]] = _result(ray, one)
                if observer is not None:
                    observer.advance(len(results))
        finally:
            for one in waiting:
                ray.cancel(one, force=True)
        return [results[index] for index in range(len(tasks))]

    def worker_ids(self) -> list[int]:
        """None of the cluster's processes are ours to measure."""
        return []


def _result(ray: Any, reference: Any) -> Any:
    try:
        done, value = ray.get(reference)
    except ray.exceptions.RayError as error:
        raise BlockedError(
            "Workers of the Ray cluster ended again and again.",
            reason="worker_died",
            hint="This usually means too little memory on its nodes: give each fewer CPUs.",
        ) from error
    if not done:
        raise value
    return value


@contextlib.contextmanager
def connected(address: str) -> Iterator[Any]:
    """Ray, joined to a cluster; quiet, and without its statistics of use.

    Args:
        address: see `RayPool`.

    Raises:
        DependencyError: `extra_missing:ray`, `ray_unreachable:<address>`.
        UsageError: the address is none.
    """
    try:
        import ray
    except ModuleNotFoundError as error:
        raise DependencyError(
            "Work on a cluster needs Ray, which is not installed.",
            reason="extra_missing:ray",
            hint="Install it (pip install ray), or do without a cluster.",
        ) from error
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # Ray has no other switch
    handler = signal.getsignal(signal.SIGTERM)
    _check_address(address)
    library = ray.job_config.JobConfig(code_search_path=[str(Path(voicemill.__file__).parents[1])])
    # Ray's threads print what they have to say of its nodes, until its end; stdout is for our lines alone
    with contextlib.redirect_stdout(sys.stderr), contextlib.ExitStack() as stack:
        stack.callback(ray.shutdown)
        try:
            ray.init(address=address, job_config=library, log_to_driver=False, logging_level="ERROR")
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise _unreachable(address, str(error).splitlines()[0][:200]) from error
        signal.signal(signal.SIGTERM, handler)  # Ray put its own there
        yield ray


def _check_address(address: str) -> None:
    """Check that the address answers; Ray itself would try for half a minute."""
    host, colon, port = address.rpartition(":")
    if address == RUNNING:
        return
    if not colon or not port.isdecimal():
        raise UsageError(f"{address[:80]!r} is no address of a Ray cluster.", hint="Give it as host:port.")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_TIMEOUT).close()
    except (OSError, OverflowError) as error:
        raise _unreachable(address, str(error)) from error


def _unreachable(address: str, why: str) -> DependencyError:
    return DependencyError(
        f"No Ray cluster answers at {address}: {why.rstrip('.')}.",
        reason=f"ray_unreachable:{address}",
        hint="Start one (ray start --head) and give host:port of its head, on a machine that is part of it.",
    )


def require_nodes(ray: Any, shared: Path, code: Sequence[ModuleType], more: Sequence[Path] = ()) -> None:
    """Let every node look for a file that we write, and say which code it runs.

    Args:
        ray: a cluster that we are connected to.
        shared: a folder that every node must see.
        code: packages that must be the same everywhere.
        more: files that every node must see too.

    Raises:
        BlockedError: `ray_node_unfit:<node>`.
    """
    names = [module.__name__ for module in code]
    with tempfile.NamedTemporaryFile(dir=shared, prefix=".seen-from-here-") as token:
        wanted = {os.path.abspath(token.name): shared} | {os.path.abspath(path): path for path in more}
        for node in ray.nodes():
            if not node["Alive"] or not node["Resources"].get("CPU"):
                continue
            here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            ask = ray.remote(num_cpus=1, scheduling_strategy=here)(_look)
            try:
                missing, theirs = ray.get(ask.remote(list(wanted), names))
            except ray.exceptions.RayError:
                missing, theirs = [], ""
            why = "" if theirs == _digest(names) else "it runs other code, or cannot import voicemill"
            if why or missing:
                where = node["NodeManagerHostname"]
                raise BlockedError(
                    f"The node {where} of the Ray cluster cannot work on this: "
                    f"{why or f'it does not see {wanted[missing[0]]}'}.",
                    reason=f"ray_node_unfit:{where}",
                    hint="All nodes need the work, cache and source folders and this checkout under the same paths.",
                )


def _at(folder: Path, function: Callable[[Any], object], task: object) -> tuple[bool, object]:
    """A task on a node, in our working directory: paths may be relative to it."""
    os.chdir(folder)
    return run_task(function, task)


def _look(wanted: Sequence[str], names: Sequence[str]) -> tuple[list[str], str]:
    return [path for path in wanted if not Path(path).is_file()], _digest(names)


def _digest(names: Sequence[str]) -> str:
    return stage_cache.package_digest(*(importlib.import_module(name) for name in names))
