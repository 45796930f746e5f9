"""The gate that tries NeMo: once for an installation, and again when the installation changes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from voicemill.settings import REPOSITORY

PROGRAM = """
import sys
from pathlib import Path
from voicemill.errors import DependencyError
from voicemill.lane.gates import check_runtime

try:
    check_runtime(Path(sys.argv[1]))
except DependencyError as error:
    print(error.reason)
"""


@pytest.fixture
def nemo(tmp_path: Path) -> Path:
    """A package `nemo` that notes each import of its models."""
    models = tmp_path / "packages/nemo/collections/tts"
    models.mkdir(parents=True)
    for folder in (models, models.parent, models.parent.parent):
        (folder / "__init__.py").touch()
    (models / "models.py").write_text(
        f"from pathlib import Path\nwith Path({str(tmp_path / 'imports')!r}).open('a') as handle: handle.write('x')\n"
    )
    return tmp_path / "packages/nemo"


def check(tmp_path: Path) -> str:
    path = os.pathsep.join((str(tmp_path / "packages"), str(REPOSITORY / "lib")))
    argv = [sys.executable, "-c", PROGRAM, str(tmp_path / "cache")]
    done = subprocess.run(argv, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_an_installation_is_tried_once_and_again_when_it_changes(tmp_path: Path, nemo: Path) -> None:
    assert check(tmp_path) == check(tmp_path) == ""
    assert (tmp_path / "imports").read_text() == "x"
    (nemo / "another.py").touch()  # as an installer changes the folder
    assert check(tmp_path) == ""
    assert (tmp_path / "imports").read_text() == "xx"


def test_a_failure_is_not_remembered(tmp_path: Path, nemo: Path) -> None:
    models = nemo / "collections/tts/models.py"
    works = models.read_text()
    models.write_text("raise OSError('libcuda.so.1: cannot open shared object file')\n")
    assert check(tmp_path) == check(tmp_path) == "nemo_runtime_unavailable"
    models.write_text(works)
    assert check(tmp_path) == ""
