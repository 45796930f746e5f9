"""What docker/trim-packages.py removes from the packages of an image."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "docker/trim-packages.py"
PADDING = 4_100_000


def trim(root: Path, *packages: str, strip: str = "exit 1") -> str:
    """Run the script with a stand-in for `strip`, whose argument $2 is the library."""
    tools = root.parent / "tools"
    tools.mkdir(exist_ok=True)
    (tools / "strip").write_text(f"#!/bin/sh\n{strip}\n")
    (tools / "strip").chmod(0o755)
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-I", str(SCRIPT), str(root), *packages],
        env={"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def files(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    root = tmp_path / "packages"
    root.mkdir()
    return root


def test_what_no_program_reads_is_removed_and_everything_else_stays(packages: Path) -> None:
    kept = {
        "numpy/testing/__init__.py",
        "numpy/test.py",
        "pandas/core/latest/a.py",
        "torch/bin/torch_shm_manager",
        "torch/lib/libtorch.so",
        "other/include/a.h",
        "other/bin/tool",
        "wandb/bin/other",
    }
    removed = {
        "tests/a.py",
        "numpy/tests/deep/tests/a.py",
        "onnx/backend/test/data/model.onnx",
        "torch/bin/protoc",
        "torch/bin/test_api",
        "torch/include/ATen/a.h",
        "wandb/bin/wandb-core",
        "numpy/random/lib/libnpyrandom.a",
        "c2pa/libs/libc2pa_c.rlib",
    }
    write(packages, *kept, *removed)
    trim(packages)
    assert files(packages) == kept


def test_only_the_named_packages_are_trimmed(packages: Path) -> None:
    write(packages, "torch/include/a.h", "torch/a.py", "numpy/tests/a.py", "torchgen/tests/a.py")
    trim(packages, "torch", "torchgen")
    assert files(packages) == {"torch/a.py", "numpy/tests/a.py"}


@pytest.fixture
def library(packages: Path) -> Path:
    """A shared library of this Python, made large by bytes that loading ignores."""
    found = next(Path(sysconfig.get_config_var("DESTSHARED")).glob("*.so"))
    target = packages / "some/liba.so.1"
    target.parent.mkdir()
    shutil.copy2(found, target)
    with target.open("ab") as stream:
        stream.write(bytes(PADDING))
    os.utime(target, (1_000_000_000, 1_000_000_000))
    return target


def test_a_library_that_still_loads_keeps_the_smaller_form_and_its_time(packages: Path, library: Path) -> None:
    size = library.stat().st_size
    said = trim(packages, strip=f'truncate -s -{PADDING} "$2"')
    assert library.stat().st_size == size - PADDING
    assert library.stat().st_mtime == 1_000_000_000
    assert said == "packages: 4 MB of symbols removed from 1 libraries\n"
    assert files(packages) == {"some/liba.so.1"}


@pytest.mark.parametrize("strip", ['truncate -s 3000 "$2"', 'truncate -s 3000 "$2"; exit 1', 'echo x > "$2"'])
def test_a_library_that_strip_breaks_is_put_back(packages: Path, library: Path, strip: str) -> None:
    before = library.read_bytes()
    said = trim(packages, strip=strip)
    assert library.read_bytes() == before
    assert library.stat().st_mtime == 1_000_000_000
    assert "0 MB" in said
    assert files(packages) == {"some/liba.so.1"}


def test_a_library_that_did_not_load_before_is_left_alone(packages: Path) -> None:
    broken = packages / "some/libb.so"
    broken.parent.mkdir()
    broken.write_bytes(bytes(PADDING))
    trim(packages, strip='truncate -s 10 "$2"')
    assert broken.stat().st_size == PADDING
