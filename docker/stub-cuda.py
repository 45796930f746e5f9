"""Runs in a build of a CPU image: stubs in place of CUDA's libraries, without which PyPI's torch does not load.

    stub-cuda.py FOLDER

FOLDER has the package torch. Its build on PyPI is linked with CUDA's libraries and calls none of them on a machine
without a GPU. Libraries that FOLDER/nvidia has stay as they are. The others are made by GNU as and ld, under
the names and versions that torch asks for; their functions stop the process when they are called.
"""

from __future__ import annotations

import platform
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

CUDA = re.compile(r"lib(cu|nccl|nv)[A-Za-z_]*\.so\.\d+")
DRIVER = "libcuda.so.1"
"""Belongs to NVIDIA's driver and is looked for when a program uses a GPU; it must not be found here."""
TRAP = "ud2" if platform.machine() == "x86_64" else "udf #0"


def wanted(folder: Path) -> dict[str, dict[str, set[str]]]:
    """CUDA's libraries that the libraries in `folder` are linked with.

    Returns:
        For each library the functions of each version; those without a version are below `""`.
    """
    needed: set[str] = set()
    versions: dict[str, str] = {}
    functions: dict[str, set[str]] = defaultdict(set)
    for library in sorted(folder.glob("*.so*")):
        argv = ["readelf", "--dynamic", "--version-info", "--dyn-syms", "--wide", str(library)]
        shown = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        needed |= {
            name for name in re.findall(r"\(NEEDED\).*\[(.*)\]", shown) if CUDA.fullmatch(name) and name != DRIVER
        }
        for name, block in re.findall(r"File: (\S+) .*\n((?:.*Name: .*\n?)*)", shown):
            versions |= {version: name for version in re.findall(r"Name: (\S+)", block)}
        for name, version in re.findall(r" UND (\w+)(?:@(\S+))?", shown):
            functions[version].add(name)
    found: dict[str, dict[str, set[str]]] = {name: {} for name in needed}
    for version, name in versions.items():
        if name in found:
            found[name][version] = functions[version]
    for name, by_version in found.items():
        if not by_version:
            stem = name.partition(".")[0].removeprefix("lib").lower()
            by_version[""] = {each for each in functions[""] if each.lower().startswith(stem)}
    return found


def make(library: Path, versions: dict[str, set[str]]) -> None:
    """Write a library whose functions stop the process."""
    names = sorted(set().union(*versions.values()))
    with tempfile.TemporaryDirectory() as scratch:
        source, compiled, script = (Path(scratch, name) for name in ("stub.s", "stub.o", "versions"))
        source.write_text("".join(f".globl {name}\n.type {name}, @function\n{name}: {TRAP}\n" for name in names))
        subprocess.run(["as", "-o", compiled, source], check=True)
        script.write_text(
            "".join(
                f"{version} {{ {''.join(f'{name}; ' for name in sorted(functions))}}};\n"
                for version, functions in sorted(versions.items())
            )
        )
        with_versions = [] if "" in versions else [f"--version-script={script}"]
        subprocess.run(
            ["ld", "-shared", f"-soname={library.name}", *with_versions, "-o", library, compiled], check=True
        )


def main(root: Path) -> None:
    there = {path.name for path in root.glob("nvidia/**/*.so*")}
    libraries = root / "torch/lib"
    for name, versions in sorted(wanted(libraries).items()):
        if name not in there:
            make(libraries / name, versions)
            print(f"{name}: a stub with {len(set().union(*versions.values()))} functions")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
