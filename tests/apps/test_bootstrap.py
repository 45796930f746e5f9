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
        pin = Path(shutil.copy(repository / "locks/torch.txt", root / "locks")).read_text().strip()
        shutil.copy(repository / "locks/torch-index.txt", root / "locks")
        digest = _wheel(self.wheels, "torch", pin.split("==")[1])
        (root / "locks/torch-cpu.txt").write_text(f"{pin} --hash=sha256:{digest}\n")
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


PIP = """#!/usr/bin/env bash
case "$1" in
  -c) exit {responds} ;;
  -m) echo "$*" >> "{log}"; for last; do :; done; [ ! -f "$last" ] || grep -o '^[a-z0-9-]*==[^ ]*' "$last" >> "{log}"
      case "$*" in *torch-cpu.txt*) case "$*" in *--index-url*) ;; *) exit {local} ;; esac ;; esac ;;
esac
"""
CPU, CUDA = "--require-hashes -r ./locks/torch-cpu.txt", "--require-hashes -r setup.log.torch"


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="this machine has a GPU")
@pytest.mark.parametrize(
    ("machine", "responds", "local", "environment", "asked"),
    [
        ("x86_64", 1, 0, {}, [CPU]),
        ("x86_64", 0, 1, {}, [CPU, f"--index-url INDEX --no-deps {CPU}"]),
        ("x86_64", 1, 1, {}, [CPU, CUDA]),
        ("x86_64", 0, 1, {"gpu": "1"}, [CUDA]),
        ("x86_64", 0, 1, {"VOICEMILL_TORCH_INDEX": "https://mirror"}, ["--index-url https://mirror PIN"]),
        ("aarch64", 0, 1, {}, ["--index-url INDEX PIN"]),
        ("aarch64", 1, 1, {}, ["PIN"]),
    ],
)
def test_torch_is_installed_with_hashes_where_they_are_known(
    tmp_path: Path, repository: Path, machine: str, responds: int, local: int, environment: dict[str, str], asked: list[str]
) -> None:
    """With a stand-in for pip that records its arguments; `local` is the answer of pip's find-links."""
    for folder in ("scripts", "locks", "bin"):
        (tmp_path / folder).mkdir()
    for name in ("scripts/bootstrap.sh", "scripts/machine.sh", *(f"locks/{each.name}" for each in (repository / "locks").glob("torch*.txt"))):
        shutil.copy(repository / name, tmp_path / name)
    log = tmp_path / "pip.log"
    programs = {"python": PIP.format(responds=responds, local=local, log=log), "uname": f"#!/bin/sh\necho {machine}\n"}
    if environment.pop("gpu", ""):
        programs["nvidia-smi"] = "#!/bin/sh\n"
    for name, text in programs.items():
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    script = "set -euo pipefail; voicemill_root=.; . scripts/bootstrap.sh; voicemill_root=.; VOICEMILL_PYTHON=python; install_torch setup.log"
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = log.read_text().splitlines()
    pin = (repository / "locks/torch.txt").read_text().strip()
    index = (repository / "locks/torch-index.txt").read_text().strip()
    calls = [line for line in lines if line.startswith("-m pip install")]
    assert len(calls) == len(asked)
    for call, end in zip(calls, asked, strict=True):
        assert call.endswith(" " + end.replace("PIN", pin).replace("INDEX", index))
    if asked[-1] == CUDA:
        assert {pin, "nvidia-nccl-cu13"} <= {line if line == pin else line.partition("==")[0] for line in lines}
        assert not [line for line in lines if line.startswith("torchaudio")]
        assert ("several gigabytes more" in done.stderr) == (machine == "x86_64" and "nvidia-smi" not in programs)


def test_a_build_of_torch_with_another_hash_is_not_installed(tmp_path: Path, repository: Path) -> None:
    made = Checkout(tmp_path / "other", repository)
    (made.root / "locks/torch-pypi.txt").write_text("")
    pin = (made.root / "locks/torch-cpu.txt").read_text().partition(" ")[0]
    (made.root / "locks/torch-cpu.txt").write_text(f"{pin} --hash=sha256:{'0' * 64}\n")
    done = made.start()
    assert done.returncode != 0
    assert not list(made.site.glob("torch*"))
