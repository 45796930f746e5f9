"""The process of Qwen3-TTS: messages, its end, and the errors of an environment that lacks it. Starts real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from voicemill.errors import BlockedError, DependencyError
from voicemill.settings import REPOSITORY
from voicemill_cloning.worker import messages
from voicemill_cloning.worker.environment import LOCK, QwenEnvironment
from voicemill_cloning.worker.process import QwenProcess

SELF = Path(sys.executable)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 60
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


def test_requests_survive_their_line() -> None:
    for request in (
        messages.LoadRequest("/m", "cuda:1", "bfloat16", 3),
        messages.PromptRequest("a.wav", "p", "Straße\n", metadata={"a": "b"}),
        messages.GenerateRequest("Hello.", "o.wav", options={"top_p": 0.5, "do_sample": False}),
        messages.StopRequest(),
    ):
        line = messages.encode(7, request)
        assert line.count("\n") == 1
        assert messages.decode(line) == (7, request)


@pytest.mark.parametrize("line", ["", "{}", '{"id": 1, "do": "reboot"}', '{"id": 1, "do": "stop", "more": 1}', "[]"])
def test_other_lines_are_no_requests(line: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        messages.decode(line)


def test_a_python_without_the_packages_is_one_sentence() -> None:
    with QwenProcess(SELF, os.environ) as process:
        with pytest.raises(DependencyError) as caught:
            process.load(messages.LoadRequest("/nowhere"))
        assert caught.value.reason == "runtime_dependency_missing:qwen-tts"
        pid = process.pid
    assert pid is not None
    assert gone(pid)


def test_a_python_that_does_not_exist_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BlockedError) as caught, QwenProcess(tmp_path / "python", {}) as process:
        process.load(messages.LoadRequest("/nowhere"))
    assert caught.value.reason == "engine_failed:qwen"


def test_a_process_that_the_system_ends_is_named(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nkill -9 $$\n")
    python.chmod(0o755)
    with pytest.raises(BlockedError) as caught, QwenProcess(python, os.environ) as process:
        process.load(messages.LoadRequest("/nowhere"))
    assert caught.value.reason == "worker_died"
    assert "memory" in caught.value.hint


def test_a_process_that_ends_by_itself_says_its_last_line(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nread line\necho 'no such library' >&2\nsleep 0.2\nexit 3\n")
    python.chmod(0o755)
    with pytest.raises(BlockedError, match="no such library") as caught, QwenProcess(python, os.environ) as process:
        process.load(messages.LoadRequest("/nowhere"))
    assert caught.value.reason == "engine_failed:qwen"


def test_the_process_ends_with_a_parent_that_is_killed() -> None:
    code = (
        "import os, sys; from pathlib import Path\n"
        "from voicemill_cloning.worker.process import QwenProcess\n"
        "process = QwenProcess(Path(sys.executable), os.environ); process.start()\n"
        "print(process.pid, flush=True); sys.stdin.read()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY / "lib")},
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert alive(pid)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert gone(pid)
    for pipe in (parent.stdin, parent.stdout):
        if pipe is not None:
            pipe.close()


def test_secrets_do_not_reach_the_process() -> None:
    process = QwenProcess(SELF, {"HF_TOKEN": "secret", "PATH": "/bin", "TORCH_HOME": "/t", "AWS_KEY": "x"})
    assert process.variables == {"PATH": "/bin", "TORCH_HOME": "/t"}


def test_a_given_python_is_used_and_an_image_installs_nothing(tmp_path: Path) -> None:
    given = QwenEnvironment.of({"VOICEMILL_QWEN_PYTHON": "/opt/python", "TORCH_DEVICE": "cuda"}, REPOSITORY, tmp_path)
    assert (given.python(), given.device) == (Path("/opt/python"), "cuda")
    bare = QwenEnvironment.of({"VOICEMILL_IN_IMAGE": "1"}, REPOSITORY, tmp_path)
    with pytest.raises(DependencyError) as caught:
        bare.python()
    assert caught.value.reason == "runtime_dependency_missing:qwen-tts"
    assert "./run" in caught.value.hint


def test_the_environment_is_named_after_its_lock(tmp_path: Path) -> None:
    (tmp_path / LOCK).parent.mkdir(parents=True)
    (tmp_path / LOCK).write_text("a==1\n")
    first = QwenEnvironment(tmp_path, tmp_path / "cache").folder
    (tmp_path / LOCK).write_text("a==2\n")
    assert QwenEnvironment(tmp_path, tmp_path / "cache").folder != first


def test_a_set_up_that_fails_is_one_sentence(tmp_path: Path) -> None:
    script = tmp_path / "scripts/qwen-environment.sh"
    script.parent.mkdir()
    script.write_text("echo no network >&2; exit 1\n")
    (tmp_path / LOCK).parent.mkdir(parents=True)
    (tmp_path / LOCK).write_text("")
    with pytest.raises(DependencyError) as caught:
        QwenEnvironment(tmp_path, tmp_path / "cache").python()
    assert caught.value.reason == "runtime_dependency_missing:qwen-tts"


def test_the_lock_pins_what_the_package_needs() -> None:
    lines = (REPOSITORY / LOCK).read_text().splitlines()
    pinned = dict(line.split(" ")[0].split("==") for line in lines if line and line[0].isalpha())
    assert (pinned["transformers"], pinned["accelerate"]) == ("4.57.3", "1.12.0")
    assert {"qwen-tts", "torchaudio", "safetensors", "soundfile"} <= set(pinned)
    assert not {"torch", "triton", "gradio"} & set(pinned)
    assert all(line.startswith(" ") == ("--hash=sha256:" in line) for line in lines)
