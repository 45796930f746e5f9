"""What docker/stub-cuda.py puts in place of CUDA's libraries, with libraries that are compiled here."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "docker/stub-cuda.py"
CALLER = """
extern int cublasCreate(void), ncclInit(void);
int (*table[])(void) = {cublasCreate, ncclInit};  /* looked up when the library is loaded */
int answer(void) { return 42; }
int call(int which) { return table[which](); }
"""


def compile_library(target: Path, source: str, *options: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    argv = ["gcc", "-shared", "-fPIC", "-Wl,-z,now", f"-Wl,-soname,{target.name}", "-x", "c", "-", "-o", str(target)]
    subprocess.run([*argv, "-x", "none", *options], input=source, text=True, check=True)


def in_python(root: Path, code: str) -> subprocess.CompletedProcess[str]:
    script = f"import ctypes; library = ctypes.CDLL({str(root / 'torch/lib/libtorch.so')!r}); {code}"
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A package that is linked with a library of versioned functions, with one without versions, and with a driver."""
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc")
    (tmp_path / "map").write_text("libcublas.so.13 { global: *; };\n")
    libraries = tmp_path / "torch/lib"
    script = f"-Wl,--version-script={tmp_path / 'map'}"
    compile_library(libraries / "libcublas.so.13", "int cublasCreate(void) { return 1; }", script)
    compile_library(libraries / "libnccl.so.2", "int ncclInit(void) { return 2; }")
    compile_library(
        libraries / "libtorch.so", CALLER, "-Wl,-rpath,$ORIGIN", *(str(libraries / f"lib{name}") for name in ("cublas.so.13", "nccl.so.2"))
    )  # fmt: skip
    assert in_python(tmp_path, "print(library.call(0), library.call(1))").stdout == "1 2\n"
    return tmp_path


def stub(root: Path) -> str:
    argv = [sys.executable, "-I", str(SCRIPT), str(root)]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def test_a_library_loads_with_stubs_and_runs_what_needs_none(root: Path) -> None:
    for name in ("libcublas.so.13", "libnccl.so.2"):
        (root / "torch/lib" / name).unlink()
    assert in_python(root, "print(library.answer())").returncode != 0
    assert stub(root) == "libcublas.so.13: a stub with 1 functions\nlibnccl.so.2: a stub with 1 functions\n"
    done = in_python(root, "print(library.answer())")
    assert (done.stdout, done.stderr) == ("42\n", "")
    for which in (0, 1):
        assert in_python(root, f"library.call({which})").returncode == -signal.SIGILL


def test_a_library_that_is_there_is_kept(root: Path) -> None:
    (root / "nvidia/cu13/lib").mkdir(parents=True)
    (root / "torch/lib/libcublas.so.13").rename(root / "nvidia/cu13/lib/libcublas.so.13")
    (root / "torch/lib/libnccl.so.2").unlink()
    assert stub(root) == "libnccl.so.2: a stub with 1 functions\n"
    assert not (root / "torch/lib/libcublas.so.13").exists()


def test_the_drivers_library_is_never_made(root: Path) -> None:
    libraries = root / "torch/lib"
    compile_library(libraries / "libcuda.so.1", "int cuInit(void) { return 3; }")
    compile_library(
        libraries / "libtorch.so", "extern int cuInit(void); int call(void) { return cuInit(); }", "-Wl,-rpath,$ORIGIN",
        str(libraries / "libcuda.so.1"),
    )  # fmt: skip
    (libraries / "libcuda.so.1").unlink()
    assert stub(root) == ""
    assert not (libraries / "libcuda.so.1").exists()
