"""Set-up by use, with the real pip and venv in a small checkout whose two packages are wheels made here."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest


def _wheel(folder: Path, name: str, version: str) -> str:
    """A package of one module; returns the wheel's sha256."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": "answer = 42\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(member, text)
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Checkout:
    """bootstrap.sh beside a lock of one package; torch is a stand-in of one module under its pinned version."""

    def __init__(self, root: Path, repository: Path) -> None:
        self.root, self.wheels = root, root / "wheels"
        for folder in ("scripts", "locks", "wheels"):
            (root / folder).mkdir(parents=True)
        for name in ("bootstrap.sh", "machine.sh"):
            shutil.copy(repository / "scripts" / name, root / "scripts")
        pin = shutil.copy(repository / "locks/torch.txt", root / "locks")
        _wheel(self.wheels, "torch", Path(pin).read_text().strip().split("==")[1])
        self.lock("1.0")
        (root / "locks/requirements-dev.txt").write_text("")
        self.site = root / "venv/lib/python3.11/site-packages"

    def lock(self, version: str) -> None:
        digest = _wheel(self.wheels, "tiny", version)
        (self.root / "locks/requirements.txt").write_text(f"tiny=={version} --hash=sha256:{digest}\n")

    def start(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", '. scripts/bootstrap.sh; bootstrap runtime && "$VOICEMILL_PYTHON" -c "import tiny, torch"'],
            cwd=self.root,
            env={
                **os.environ,
                "VOICEMILL_VENV": str(self.root / "venv"),
                "VOICEMILL_BASE_PYTHON": sys.executable,
                "PIP_NO_INDEX": "1",
                "PIP_FIND_LINKS": "wheels",  # the folder above has a space in its name, which pip would take for two
                "PIP_CONFIG_FILE": os.devnull,
            },
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Checkout:
    made = Checkout(tmp_path_factory.mktemp("set up"), repository)
    first = made.start()
    assert first.returncode == 0, first.stderr
    assert "[setup] Ready." in first.stderr
    assert first.stdout == ""
    return made


def test_a_second_start_says_nothing(checkout: Checkout) -> None:
    again = checkout.start()
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


def test_a_package_that_was_cut_off_is_installed_again(checkout: Checkout) -> None:
    (checkout.root / "venv/.voicemill-runtime").unlink()
    for name in ("tiny", "torch"):
        (checkout.site / f"{name}.py").write_text("this is no whole mod")
        next(checkout.site.glob(f"{name}-*.dist-info/RECORD")).unlink()
    mended = checkout.start()
    assert mended.returncode == 0, mended.stderr
    assert (checkout.site / "tiny.py").read_text() == "answer = 42\n"


@pytest.mark.slow
def test_an_environment_without_pip_is_made_again(checkout: Checkout) -> None:
    (checkout.root / "venv/.voicemill-runtime").unlink()
    shutil.rmtree(checkout.site / "pip")
    mended = checkout.start()
    assert mended.returncode == 0, mended.stderr


def test_a_failed_installation_says_where_the_log_is_and_leaves_no_stamp(checkout: Checkout) -> None:
    checkout.lock("1.1")
    next(checkout.wheels.glob("tiny-1.1*")).unlink()
    failed = checkout.start()
    assert failed.returncode != 0
    assert "The installation failed; the whole log is" in failed.stderr
    checkout.lock("1.1")
    assert checkout.start().returncode == 0
    assert list(checkout.site.glob("tiny-1.1.dist-info"))


def test_a_folder_that_cannot_be_written_is_named(checkout: Checkout) -> None:
    moved = checkout.root / "venv"
    moved.rename(checkout.root / "aside")
    moved.write_text("a file in its place")
    try:
        refused = checkout.start()
        assert refused.returncode != 0
        assert "choose another place with VOICEMILL_VENV" in refused.stderr
    finally:
        moved.unlink()
        (checkout.root / "aside").rename(moved)
