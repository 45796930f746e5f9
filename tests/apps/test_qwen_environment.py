"""scripts/qwen-environment.sh: the environment of Qwen3-TTS, set up by use. Its lock is empty here, its packages are stubs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = ("scripts/qwen-environment.sh", "scripts/bootstrap.sh", "scripts/machine.sh", "locks/torch.txt")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    for name in FILES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    (root / "locks/qwen").mkdir()
    (root / "locks/qwen/requirements.txt").write_text("")
    return root


def set_up(checkout: Path, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(checkout / FILES[0]), str(folder), sys.executable],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env=os.environ | more,
    )


@pytest.mark.slow
def test_it_is_set_up_once_with_the_torch_of_the_apps(checkout: Path, tmp_path: Path) -> None:
    folder, stubs = tmp_path / "env", tmp_path / "stubs"
    stubs.mkdir()
    (stubs / "qwen_tts.py").write_text("")
    failed = set_up(checkout, folder)
    assert failed.returncode == 1
    assert "torchaudio does not work here" in failed.stderr
    assert not (folder / ".voicemill-qwen").exists(), "a set-up that failed is done again"
    (stubs / "torchaudio.py").write_text("")
    done = set_up(checkout, folder, PYTHONPATH=str(stubs))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "Ready." in done.stderr
    (packages,) = folder.glob("lib/python3*/site-packages")
    link = packages / "torch"
    assert link.is_symlink()
    assert (link / "__init__.py").is_file()
    again = set_up(checkout, folder, PYTHONPATH=str(stubs))
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    (checkout / "locks/qwen/requirements.txt").write_text("# another lock\n")
    assert "Setting up Qwen3-TTS" in set_up(checkout, folder, PYTHONPATH=str(stubs)).stderr


@pytest.mark.exhaustive
def test_a_lock_that_cannot_be_installed_names_the_log(checkout: Path, tmp_path: Path) -> None:
    (checkout / "locks/qwen/requirements.txt").write_text("no-such-package==1\n")
    done = set_up(checkout, tmp_path / "env", PIP_NO_INDEX="1")
    assert done.returncode == 1
    assert f"the whole log is {tmp_path / 'env'}/setup.log" in done.stderr


def test_a_folder_that_cannot_be_written_is_one_sentence(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = set_up(checkout, tmp_path / "file/env")
    assert done.returncode == 1
    assert "choose another cache folder with CACHE_DIR" in done.stderr
