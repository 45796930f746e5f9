"""Runs in a build, in the layer that installs packages: removes what no program of the image reads.

    trim-packages.py FOLDER [PACKAGE...]

FOLDER holds installed packages; all are trimmed, or those that are named. Removed are the packages' tests, static
libraries, and the files of `UNUSED`. Large shared libraries lose their symbols for debuggers. Each is loaded before and
after that; one that no longer loads is put back, because `strip` breaks some of the libraries in wheels. Files then
differ from the packages' RECORD. Only the standard library is used.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

UNUSED = (
    "wandb/bin/wandb-core",  # the service of Weights & Biases; NeMo imports the package and never logs in
    "torch/include",  # headers of extensions; the image has no compiler
)
TORCH_TOOLS = "torch/bin"
"""PyTorch's tests and protobuf's compiler lie here, beside the one program that PyTorch starts."""
TORCH_PROGRAM = "torch_shm_manager"
FROM_BYTES = 4_000_000
"""Smaller libraries have too few symbols to be worth the check."""


def unused(root: Path, start: Path) -> Iterator[Path]:
    """Folders and files below `start` to remove; no path lies inside another. `UNUSED` is relative to `root`."""
    for folder, folders, files in os.walk(start):
        here = Path(folder)
        for name in [*folders, *files]:  # a copy: folders shrinks below
            path = here / name
            relative = path.relative_to(root).as_posix()
            tool = relative.startswith(f"{TORCH_TOOLS}/") and name != TORCH_PROGRAM
            useless = name in ("tests", "test") if name in folders else path.suffix in (".a", ".rlib")
            if relative in UNUSED or tool or useless:
                yield path
                if name in folders:
                    folders.remove(name)


def loads(library: Path) -> bool:
    """Whether a new process can load the library."""
    child = os.fork()
    if child == 0:
        with open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), 2)
        try:
            ctypes.CDLL(str(library))
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def strip(library: Path) -> int:
    """Remove the symbols that loading does not need; returns the bytes saved, 0 if the library was left as it was."""
    if not loads(library):
        return 0
    before, kept = library.stat(), library.with_name(library.name + ".original")
    shutil.copy2(library, kept)
    done = subprocess.run(["strip", "--strip-unneeded", str(library)], capture_output=True, check=False)
    if done.returncode != 0 or not loads(library):
        os.replace(kept, library)
        return 0
    kept.unlink()
    os.utime(library, ns=(before.st_atime_ns, before.st_mtime_ns))
    return before.st_size - library.stat().st_size


def trim(root: Path, start: Path) -> None:
    """Trim the packages below `start`, which is `root` or one package of it."""
    for path in list(unused(root, start)):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    libraries = [
        path
        for path in start.rglob("*.so*")
        if path.is_file() and not path.is_symlink() and path.stat().st_size >= FROM_BYTES
    ]
    saved = sum(strip(path) for path in sorted(libraries))
    print(f"{start.name}: {saved / 1e6:.0f} MB of symbols removed from {len(libraries)} libraries")


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for each in [folder / name for name in sys.argv[2:]] or [folder]:
        trim(folder, each)
