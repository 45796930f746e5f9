from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from voicemill import boundary
from voicemill.errors import InterruptedRunError, RefusedError

BARE = (
    "voicemill.launch.orchestrator",
    "voicemill.lane.entry",
    "voicemill.lane.colab_entry",
    "voicemill.lane.runner",
)


@pytest.mark.parametrize("module", BARE)
def test_what_starts_on_a_bare_host_imports_the_standard_library_only(module: str, repository: Path) -> None:
    code = f"import sys; sys.path.insert(0, {str(repository / 'lib')!r}); import {module}"
    done = subprocess.run([sys.executable, "-S", "-E", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nemo.collections.tts", "nemo_runtime_unavailable"),
        ("lightning", "nemo_runtime_unavailable"),
        (None, "nemo_runtime_unavailable"),
        ("torch._C", "runtime_dependency_missing:torch"),
        ("pydantic", "runtime_dependency_missing:pydantic"),
    ],
)
def test_an_import_that_fails_has_the_contracts_reason(name: str | None, reason: str) -> None:
    assert boundary.missing_module(ImportError("no", name=name)).reason == reason


def test_every_end_has_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    def raising(error: BaseException) -> int:
        def main() -> int:
            raise error

        return boundary.guarded(main)

    assert boundary.guarded(lambda: 3) == 3
    assert raising(KeyboardInterrupt()) == 130
    assert raising(ModuleNotFoundError("no", name="yaml")) == 2
    assert raising(PermissionError(13, "Permission denied", "x")) == 2
    assert raising(RefusedError("No.", reason="no_way", hint="Go.", details={"path": "a b", "code": 7})) == 1
    assert capsys.readouterr().err.endswith("[tts-prod][error] no_way path=a b code=7\nNo.\nGo.\n")


def test_bad_usage_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["tool", "--nonsense"])
    with pytest.raises(RefusedError) as caught:
        boundary.usage_checked(argparse.ArgumentParser("tool"))
    assert (caught.value.reason, caught.value.exit_code) == ("bad_usage", 1)


def test_an_import_that_a_signal_broke_is_the_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a compiled module does it: what is raised while it is loaded comes out as an ImportError."""
    lines = ("import os, signal", "try:", "    os.kill(os.getpid(), signal.SIGTERM)", "except Exception as error:")
    (tmp_path / "half_loaded.py").write_text(
        "\n".join((*lines, "    raise ImportError('initialization failed') from error"))
    )
    monkeypatch.syspath_prepend(tmp_path)
    for _ in range(2):
        with pytest.raises(InterruptedRunError) as caught, boundary.Interrupts() as interrupts, interrupts.unmasked():
            importlib.import_module("half_loaded")
        assert (caught.value.reason, caught.value.exit_code) == ("interrupted:sigterm", 143)
    with pytest.raises(ImportError), boundary.Interrupts() as interrupts, interrupts.unmasked():
        importlib.import_module("not_there_at_all")


def test_a_name_that_cannot_be_written_has_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> int:
        "caf\udce9".encode()
        return 0

    assert boundary.guarded(main) == 1
    assert capsys.readouterr().err.startswith("[tts-prod][error] name_not_utf8:")
