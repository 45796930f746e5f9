"""Task files as `make batch` runs them: real processes, real kills."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Apps run on this Python, results land in a folder of the test's own."""
    base = {name: value for name, value in os.environ.items() if not name.startswith(("TOOLBOX_", "VOICEMILL_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return base | {
        "PATH": path,
        "WORK_DIR": str(tmp_path / "work"),
        "CACHE_DIR": str(tmp_path / "cache"),
        "TOOLBOX_RUNTIME": "direct",
        "VOICEMILL_IN_IMAGE": "1",
        "VOICEMILL_PYTHON": sys.executable,
    }


@pytest.fixture
def batch(environment: dict[str, str], tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(text: str, *options: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "jobs.txt").write_text(text, encoding="utf-8")
        return subprocess.run(
            ["bash", str(ROOT / "scripts/batch.sh"), "jobs.txt", *options],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


def summary(tmp_path: Path) -> dict[str, object]:
    (path,) = tmp_path.glob("work/batches/jobs-*/summary.json")
    found: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return found


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


Run = Callable[..., subprocess.CompletedProcess[str]]


def test_apps_and_shell_lines_run_in_order_with_logs_artifacts_and_a_summary(batch: Run, tmp_path: Path) -> None:
    done = batch(
        "\ufeff# a batch\r\nvoice-verify --help\r\n"
        "!echo one > 'a b.txt'; echo 'ARTIFACT a b.txt'; echo 'ARTIFACT no' >&2; pwd\r\n!cat 'a b.txt' # after it\r\n"
    )
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), done.stderr
    assert done.stdout.splitlines()[:4] == [f"PROGRESS {n} 3" for n in range(4)]
    found = summary(tmp_path)
    assert (found["ok"], found["failed"], found["not_run"]) == (3, 0, 0)
    rows = found["tasks"]
    assert isinstance(rows, list)
    assert [(row["line"], row["exit_code"], row["artifacts"]) for row in rows] == [
        (2, 0, []),
        (3, 0, ["a b.txt"]),
        (4, 0, []),
    ]
    assert "Usage: voice-verify" in (tmp_path / rows[0]["log"]).read_text()
    assert str(tmp_path) in (tmp_path / rows[1]["log"]).read_text()
    assert "[4] one" in done.stderr
    assert all(row["seconds"] >= 0 for row in rows)


def test_a_failed_line_is_named_and_only_what_did_not_end_well_runs_again(batch: Run, tmp_path: Path) -> None:
    text = "!echo x >> first\n!test -e mended\n!echo x >> third\n"
    done = batch(text)
    assert done.returncode == 3
    assert "[batch][error] batch_failed" in done.stderr
    assert "line 2" in done.stderr
    (tmp_path / "mended").touch()
    again = batch(f"# a new line above\n{text}")
    assert again.returncode == 0, again.stderr
    assert "2 of 3 tasks are already finished" in again.stderr
    assert ((tmp_path / "first").read_text(), (tmp_path / "third").read_text()) == ("x\n", "x\n")
    assert batch(text, "--force").returncode == 0
    assert (tmp_path / "first").read_text() == "x\nx\n"


def test_fail_fast_begins_nothing_new(batch: Run, tmp_path: Path) -> None:
    done = batch("!exit 7\n!touch never\n", "--fail-fast")
    assert done.returncode == 3
    assert not (tmp_path / "never").exists()
    rows = summary(tmp_path)["tasks"]
    assert isinstance(rows, list)
    assert [(row["state"], row["exit_code"]) for row in rows] == [("failed", 7), ("not_run", None)]


def test_several_at_once(batch: Run, tmp_path: Path) -> None:
    """Two lines that wait for each other end only where both run."""
    done = batch(
        "!touch a; until [ -e b ]; do sleep 0.01; done\n!touch b; until [ -e a ]; do sleep 0.01; done\n",
        "--parallel",
        "2",
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("text", ["voice-verify --help\nvoice-nothing\n", "!touch begun\nvoice-prep 'open\n"])
def test_nothing_runs_when_one_line_is_wrong(batch: Run, tmp_path: Path, text: str) -> None:
    done = batch(text)
    assert done.returncode == 1
    assert done.stderr.startswith("[batch][error] tasks_invalid:jobs.txt:2\n"), done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["jobs.txt"]


def test_bad_usage(batch: Run) -> None:
    for options in (["--parallel", "0"], ["--parallel", "many"], ["--loud"]):
        done = batch("!true\n", *options)
        assert done.returncode == 1
        assert done.stderr.startswith("[batch][error] bad_usage\n")


def test_a_task_file_may_be_a_pipe(environment: dict[str, str], tmp_path: Path) -> None:
    """It is read once: a second look at a pipe would find nothing."""
    text = b"!true\n"
    done = subprocess.run(
        ["bash", str(ROOT / "scripts/batch.sh"), "/dev/stdin"],
        cwd=tmp_path,
        env=environment,
        input=text,
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob("work/batches/*/summary.json")
    assert json.loads(path.read_text(encoding="utf-8"))["sha256"] == hashlib.sha256(text).hexdigest()


def start(environment: dict[str, str], folder: Path, *options: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["bash", str(ROOT / "scripts/batch.sh"), "jobs.txt", *options],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


WAITS = (
    "!echo x >> first\n"
    "!test -e checkpoint && exit; trap 'echo x > checkpoint; exit 143' TERM; touch ready; while :; do sleep 0.01; done\n"
    "!echo x >> third\n"
)


def test_a_batch_that_was_killed_goes_on_where_it_was(batch: Run, environment: dict[str, str], tmp_path: Path) -> None:
    """kill -9 of the batch: its task stops with a checkpoint, is run again, and what had ended is not repeated."""
    (tmp_path / "jobs.txt").write_text(WAITS)
    running = start(environment, tmp_path)
    until((tmp_path / "ready").exists)
    running.kill()
    running.wait()
    again = batch(WAITS)
    assert again.returncode == 0, again.stderr
    assert ((tmp_path / "first").read_text(), (tmp_path / "third").read_text()) == ("x\n", "x\n")
    assert "1 of 3 tasks are already finished" in again.stderr


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_reaches_the_task_once_and_the_batch_says_how_to_go_on(
    environment: dict[str, str], tmp_path: Path, signum: int, code: int
) -> None:
    line = "!trap 'echo x >> got; exit 9' INT TERM; touch ready; while :; do sleep 0.01; done"
    (tmp_path / "jobs.txt").write_text(f"{line}\n!touch never\n")
    running = start(environment, tmp_path, "--parallel", "2")
    until((tmp_path / "ready").exists)
    running.send_signal(signum)
    assert running.wait(60) == code
    assert (tmp_path / "got").read_text() == "x\n"
    rows = summary(tmp_path)["tasks"]
    assert isinstance(rows, list)
    assert rows[0]["state"] == "stopped"


def test_two_batches_of_one_file_do_not_meet(batch: Run, environment: dict[str, str], tmp_path: Path) -> None:
    text = "!touch ready; until [ -e go ]; do sleep 0.01; done\n"
    (tmp_path / "jobs.txt").write_text(text)
    running = start(environment, tmp_path)
    until((tmp_path / "ready").exists)
    second = batch(text)
    (tmp_path / "go").touch()
    assert running.wait(60) == 0
    assert (second.returncode, "[batch][error] batch_busy" in second.stderr) == (1, True)
