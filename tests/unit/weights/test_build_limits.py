from __future__ import annotations

import contextlib
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from voicemill.errors import GateError
from voicemill.weights.build_limits import MEMORY_FACTOR, build_limits


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "model.nemo"
    path.write_bytes(bytes(1000))
    return path


def state() -> tuple[object, ...]:
    return (
        resource.getrlimit(resource.RLIMIT_AS),
        signal.getsignal(signal.SIGPROF),
        signal.getitimer(signal.ITIMER_PROF),
    )


def burn() -> None:
    while True:
        with contextlib.suppress(Exception):  # as a library would
            sum(range(1000))


def allocate() -> None:
    import torch

    torch.empty(1 << 40, dtype=torch.uint8)


def allocate_in_a_library() -> None:
    try:
        allocate()
    except RuntimeError as error:
        raise ValueError(f"Error in call to target: {error}") from error


@pytest.mark.parametrize(
    ("build", "why"),
    [
        (burn, "build_time"),
        (allocate, "build_memory"),
        (allocate_in_a_library, "build_memory"),
        (lambda: bytearray(1 << 40), "build_memory"),
    ],
)
def test_a_build_without_end_is_refused_and_the_process_goes_on(
    archive: Path, build: Callable[[], object], why: str
) -> None:
    pytest.importorskip("torch")  # imported before the bounds hold, as NeMo is
    before = state()
    with pytest.raises(GateError) as caught, build_limits(archive, "cpu", cpu_seconds=0.2, memory_bytes=1 << 30):
        build()
    assert caught.value.reason == f"unsafe_archive:{why}"
    assert state() == before
    assert len(bytearray(1 << 28)) == 1 << 28


def test_an_honest_build_has_what_it_needs_and_its_errors_are_its_own(archive: Path) -> None:
    before = state()
    with build_limits(archive, "cpu", cpu_seconds=30):
        assert sum(range(100_000))
        assert resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY
    with pytest.raises(ValueError, match="as it was"), build_limits(archive, "cpu"):
        raise ValueError("as it was")
    assert state() == before


def test_the_memory_grows_with_the_archive_and_never_beyond_a_limit_of_the_caller(archive: Path) -> None:
    def allowed() -> int:
        with build_limits(archive, "cpu", memory_bytes=1 << 30):
            return resource.getrlimit(resource.RLIMIT_AS)[0]

    small = allowed()
    with archive.open("r+b") as stream:
        stream.truncate(1 << 30)
    assert allowed() - small == pytest.approx(MEMORY_FACTOR << 30, abs=1 << 28)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    own = 40 << 30
    resource.setrlimit(resource.RLIMIT_AS, (own, hard))
    try:
        with archive.open("r+b") as stream:
            stream.truncate(1 << 34)
        assert allowed() == own
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def test_a_graphics_card_and_a_thread_have_no_bound_that_they_could_not_keep(archive: Path) -> None:
    limits: list[object] = []

    def look() -> None:
        with build_limits(archive, "cuda:0"):
            limits.append((resource.getrlimit(resource.RLIMIT_AS), signal.getitimer(signal.ITIMER_PROF)[0]))

    unbounded = resource.getrlimit(resource.RLIMIT_AS)
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert limits == [(unbounded, 0.0)]


def test_a_profiler_keeps_its_timer(archive: Path) -> None:
    code = (
        "import signal, sys; from pathlib import Path; from voicemill.weights.build_limits import build_limits\n"
        "signal.signal(signal.SIGPROF, signal.SIG_IGN); signal.setitimer(signal.ITIMER_PROF, 50)\n"
        "with build_limits(Path(sys.argv[1]), 'cpu', cpu_seconds=1): pass\n"
        "print(signal.getitimer(signal.ITIMER_PROF)[0] > 40, signal.getsignal(signal.SIGPROF) is signal.SIG_IGN)\n"
    )
    lib = Path(__file__).resolve().parents[3] / "lib"
    done = subprocess.run(
        [sys.executable, "-c", code, str(archive)], env={"PYTHONPATH": str(lib)}, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("True True\n", "")


def test_the_loader_of_nemo_archives_keeps_these_bounds(
    tmp_path: Path, model: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    from voicemill.weights import nemo_runtime

    class Endless:
        @staticmethod
        def restore_from(*_: object, **__: object) -> None:
            burn()

    path = tmp_path / "model.nemo"
    path.write_bytes(model)
    monkeypatch.setattr(nemo_runtime, "_inspected", lambda *_: None)
    limits = lambda archive, device: build_limits(archive, device, cpu_seconds=0.2)  # noqa: E731
    monkeypatch.setattr(nemo_runtime, "build_limits", limits)
    with pytest.raises(GateError) as caught:
        nemo_runtime.restore(path, Endless, "cpu")  # type: ignore[type-var]
    assert caught.value.reason == "unsafe_archive:build_time"


def test_a_model_of_a_hundred_megabytes_is_built_within_the_usual_limits(archive: Path) -> None:
    """The libraries that build it need address space too."""
    import torch

    with build_limits(archive, "cpu"):
        assert torch.zeros(25_000_000).nbytes == 100_000_000
