"""Another start in the environment that `./run-direct` set up, for a Python that lacks the packages."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from voicemill.launch.lanes import LIGHT

PROGRAM = """
import json, sys
from pathlib import Path
from voicemill.lane import bare_gates
bare_gates.start_in_environment(json.loads(sys.argv[1]), Path(sys.argv[2]))
print("not started")
"""


def environment(folder: Path, packages: tuple[str, ...] = LIGHT) -> Path:
    """An environment whose Python prints its arguments and who started it."""
    (folder / "bin").mkdir(parents=True)
    python = folder / "bin/python"
    python.write_text('#!/bin/sh\necho "started $1 by $VOICEMILL_STARTED_BY"\n')
    python.chmod(0o755)
    for name in packages:
        (folder / f"lib/python3.11/site-packages/{name}").mkdir(parents=True)
    return folder


@pytest.fixture
def start(repository: Path, tmp_path: Path):
    def run(**environ: str) -> str:
        argv = [sys.executable, "-c", PROGRAM, json.dumps(environ), str(tmp_path / "checkout")]
        lib = {"PYTHONPATH": str(repository / "lib")}
        return subprocess.run(argv, env=lib, capture_output=True, text=True, check=True).stdout.strip()

    return run


def test_the_environment_of_the_checkout_or_of_the_variable(start, tmp_path: Path) -> None:
    assert start() == "not started"
    environment(tmp_path / "checkout/.venv")
    assert start() == f"started -E by {sys.executable}"
    assert start(VOICEMILL_VENV=" ") == f"started -E by {sys.executable}"
    assert start(VOICEMILL_VENV=str(tmp_path / "none")) == "not started"
    assert start(VOICEMILL_STARTED_BY="x") == "not started", "once is enough"


def test_an_environment_without_the_packages_is_none(start, tmp_path: Path) -> None:
    other = environment(tmp_path / "other", LIGHT[:-1])
    assert start(VOICEMILL_VENV=str(other)) == "not started"
    (other / f"lib/python3.11/site-packages/{LIGHT[-1]}").mkdir()
    assert start(VOICEMILL_VENV=str(other)) == f"started -E by {sys.executable}"
    (other / "bin/python").chmod(0o644)
    assert start(VOICEMILL_VENV=str(other)) == "not started"
