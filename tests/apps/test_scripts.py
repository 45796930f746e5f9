"""Shell scripts, Dockerfiles and what has to agree between them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILES = sorted((ROOT / "docker").glob("Dockerfile*"))


def tool(name: str) -> str:
    """The linter of the development lock, beside this Python or on PATH."""
    found = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is missing: CI installs the development lock")
        pytest.skip(f"{name} is not installed (make test installs the development lock)")
    return found


def scripts() -> list[Path]:
    """Every file of the checkout that bash or sh runs or sources."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0:
        paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    else:  # an unpacked archive
        folders = ("docker", "scripts", "tests", ".ci")
        paths = [*ROOT.glob("*"), *(path for folder in folders for path in (ROOT / folder).rglob("*"))]
    found = []
    for path in paths:
        if path.is_file() and path.suffix in ("", ".sh"):
            with path.open("rb") as file:
                first = file.readline(200)
            if path.suffix == ".sh" or re.match(rb"#!.*\b(ba)?sh\b", first):
                found.append(path)
    return found


@pytest.mark.slow
def test_shellcheck_is_clean_on_every_script() -> None:
    found = scripts()
    assert {"run", "run-direct", "bootstrap.sh", "entrypoint.sh"} <= {path.name for path in found}
    done = subprocess.run([tool("shellcheck"), *map(str, found)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


ON_MACOS = ("run", "docker/engine.sh", "docker/mounts.sh", "docker/source.sh", "docker/build.sh", "scripts/publish.sh", "scripts/shell.sh")
"""What a user of macOS starts, and what that sources; everything else needs Linux."""
FILLED = {"mounts", "USER_OPTIONS", "WRITE_OPTIONS", "GPU_OPTIONS", "patterns"}
"""Arrays that are made empty and always filled before they are used."""


def test_the_launchers_run_in_the_bash_of_macos() -> None:
    """Version 3.2, in which an empty array is an unset variable. It cannot be installed here, so the text is searched."""
    texts = {name: re.sub(r"(?m)^\s*#.*", "", (ROOT / name).read_text(encoding="utf-8")) for name in ON_MACOS}
    later = r"declare -A|\bmapfile\b|\breadarray\b|\$\{\w+(?:,|\^)|printf '?%\(|local -n|;;&|\|&|wait -n|\bcoproc\b|\[-1\]|&>>|\{\w+\}>"
    found = {name: re.findall(later, text) for name, text in texts.items()}
    assert found == {name: [] for name in ON_MACOS}
    everything = "\n".join(texts.values())
    empty = set(re.findall(r"\b(\w+)=\(\)", everything)) - FILLED
    assert len(empty) > 4
    unguarded = set(re.findall(r'(?<!\+)"\$\{(\w+)\[@\]\}"', everything))
    assert empty & unguarded == set()


def test_hadolint_is_clean_on_every_dockerfile() -> None:
    assert {"Dockerfile", "Dockerfile.cuda", "Dockerfile.cuda-base", "Dockerfile.qwen", "Dockerfile.speak"} == {
        path.name for path in DOCKERFILES
    }
    done = subprocess.run(
        [tool("hadolint"), *map(str, DOCKERFILES)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_torch_is_pinned_in_one_place_that_agrees_with_what_was_resolved() -> None:
    pin = (ROOT / "locks/torch.txt").read_text().strip()
    name, version = pin.split("==")
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert f"{name} (=={version})" in declared
    for path in (*DOCKERFILES, *scripts()):
        assert version not in path.read_text(encoding="utf-8"), f"{path} repeats the pin"


def test_the_lock_of_the_image_speak_has_the_versions_of_the_whole_lock() -> None:
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^([a-z0-9_.-]+==[^ ;\\]+)", (ROOT / "locks" / name).read_text(), flags=re.M))

    assert pins("speak/requirements.txt") <= pins("requirements.txt")
    names = {pin.partition("==")[0] for pin in pins("speak/requirements.txt")}
    assert {"numpy", "onnxruntime", "soundfile", "cryptography", "click", "starlette", "uvicorn", "wyoming"} <= names
    assert not {"torch", "nemo-toolkit", "scipy", "librosa"} & names


def steps(name: str) -> list[str]:
    """The instructions of a Dockerfile, one line each, without comments."""
    text = re.sub(r"^#.*\n", "", (ROOT / "docker" / name).read_text(encoding="utf-8"), flags=re.M)
    return [line for line in text.replace("\\\n", " ").splitlines() if line]


def test_both_images_make_the_same_steps_from_the_same_lock() -> None:
    cpu, cuda = steps("Dockerfile"), steps("Dockerfile.cuda-base")
    until = cpu.index("ARG COMPUTE=cpu")
    assert cpu[:until] == cuda[: cuda.index("ARG COMPUTE=cu130")]
    assert any("requirements.txt" in line for line in cpu[:until])
    torch = next(line for line in cpu if "install-torch.sh" in line)
    assert f"{torch} torchaudio" in cuda
    ours = steps("Dockerfile.cuda")
    assert cpu[cpu.index("WORKDIR /app") :] == ours[ours.index("WORKDIR /app") :]


def test_no_dockerfile_needs_a_frontend_from_a_registry() -> None:
    for path in DOCKERFILES:
        assert "syntax=" not in path.read_text(encoding="utf-8")


def test_the_context_is_what_the_digest_covers() -> None:
    def listed(array: str) -> list[str]:
        script = f'set -f; . docker/source.sh; printf "%s\\n" "${{{array}[@]}}"'
        return subprocess.run(
            ["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.split()

    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8")
    assert sorted(listed("image_sources") + listed("demo")) == sorted(re.findall(r"^!(.*)$", ignored, re.M))
    patterns = re.findall(r"^\*\*/(.*)$", ignored, re.M)
    assert set(listed("secrets") + listed("recordings")) == set(patterns) - {"__pycache__", "*.pyc"}
    listed_by_windows = re.search(r"^\$sources = (.*)$", (ROOT / "run.ps1").read_text(encoding="utf-8"), re.M)
    assert listed_by_windows
    assert re.findall("'(.*?)'", listed_by_windows[1]) == listed("image_sources")
    assert all((ROOT / name).exists() for name in listed("image_sources") + listed("demo"))


def test_the_cuda_image_names_the_driver_that_it_needs() -> None:
    """NVIDIA_REQUIRE_CUDA is the version of COMPUTE, also where docker/build.sh is given another."""
    text = (ROOT / "docker/Dockerfile.cuda-base").read_text(encoding="utf-8")
    major, minor = re.search(r"^ARG COMPUTE=cu(\d+)(\d)$", text, re.M).groups()  # type: ignore[union-attr]
    assert f"ARG CUDA_REQUIRED={major}.{minor}\n" in text
    assert 'NVIDIA_REQUIRE_CUDA="cuda>=${CUDA_REQUIRED}"' in text


@pytest.mark.parametrize(
    ("responds", "environment", "wheel", "index"),
    [
        (True, {"COMPUTE": "cpu"}, False, "the CPU index"),
        (False, {"COMPUTE": "cpu"}, False, None),
        (True, {"COMPUTE": "cpu", "TORCH_INDEX": "https://mirror"}, False, "https://mirror"),
        (True, {"COMPUTE": "cpu"}, True, "wheels"),
        (True, {"COMPUTE": "cu130"}, False, None),
    ],
)
def test_a_cpu_image_takes_the_small_build_of_torch(
    tmp_path: Path, responds: bool, environment: dict[str, str], wheel: bool, index: str | None
) -> None:
    """With a stand-in for Python that records pip's arguments and answers for the index."""
    if wheel:
        (tmp_path / "wheels").mkdir()
        (tmp_path / "wheels/torch-1+cpu-cp311.whl").touch()
    pip, stderr = install_torch(tmp_path, environment, responds=responds)
    small = (ROOT / "locks/torch-index.txt").read_text(encoding="utf-8").strip()
    pin = (ROOT / "locks/torch.txt").read_text(encoding="utf-8").strip()
    expected = {
        "the CPU index": f"--index-url {small} --no-deps --require-hashes -r {tmp_path}/locks/torch-cpu.txt",
        "wheels": f"--no-index --find-links {tmp_path}/wheels {pin}",
        "https://mirror": f"--index-url https://mirror {pin}",
    }
    asked = re.sub(r"(?<= -r )\S*/tmp\.\w+$", "FILE", pip.splitlines()[0])
    assert asked == f"-m pip install --no-compile {expected.get(index or '', '--no-deps --require-hashes -r FILE')}"
    assert ("0.5 GB larger" in stderr) == (not responds)


def install_torch(folder: Path, environment: dict[str, str], *extra: str, responds: bool = False) -> tuple[str, str]:
    """What docker/install-torch.sh gives pip, with the requirements of a file below each call, and its stderr."""
    shutil.copytree(ROOT / "locks", folder / "locks")
    (folder / "wheels").mkdir(exist_ok=True)
    script = (ROOT / "docker/install-torch.sh").read_text(encoding="utf-8").replace("/mnt/", f"{folder}/")
    (folder / "python3").write_text(
        '#!/bin/sh\ncase "$1/$2" in\n-m/pip) echo "$@"; for last in "$@"; do :; done; [ ! -f "$last" ] || cat "$last" ;;\n'
        "*urlopen*) exit " + str(int(not responds)) + " ;;\n*cuda*) echo cu130 ;;\nesac\n"
    )
    (folder / "apt-get").write_text("#!/bin/sh\n")
    for name in ("python3", "apt-get"):
        (folder / name).chmod(0o755)
    path = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", script, "install-torch.sh", *extra], env=path | environment, capture_output=True, text=True, check=True
    )  # fmt: skip
    return done.stdout, done.stderr


def test_the_cpu_build_of_torch_is_pinned_by_its_hash() -> None:
    pin = (ROOT / "locks/torch.txt").read_text(encoding="utf-8").strip()
    lines = [line for line in (ROOT / "locks/torch-cpu.txt").read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    assert lines[0].split() == [f"{pin}+cpu", "\\"]
    assert re.fullmatch("--hash=sha256:[0-9a-f]{64}", lines[1].strip())


def test_torch_of_pypi_is_pinned_by_hashes_with_the_libraries_that_it_loads(tmp_path: Path) -> None:
    def pins(text: str) -> dict[str, str]:
        blocks = re.findall(
            r"^([a-z0-9-]+)==(\S+) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", text, flags=re.M
        )
        return {name: version for name, version, hashes in blocks if hashes}

    locked = (ROOT / "locks/torch-pypi.txt").read_text(encoding="utf-8")
    whole = pins(locked)
    assert len(whole) == locked.count("==")  # each has a hash
    assert f"torch=={whole['torch']}" == (ROOT / "locks/torch.txt").read_text(encoding="utf-8").strip()
    lock = {each["name"]: each["version"] for each in tomllib.loads((ROOT / "poetry.lock").read_text())["package"]}
    assert {name for name in whole if name in lock and lock[name].split(".")[0] != whole[name].split(".")[0]} == set()
    on_cpu = pins(install_torch(tmp_path / "cpu", {"COMPUTE": "cpu"})[0])
    assert set(on_cpu) == {"torch", "nvidia-cuda-runtime", "nvidia-cuda-cupti"}  # the rest are stubs
    on_gpu = pins(install_torch(tmp_path / "gpu", {"COMPUTE": "cu130"}, "torchaudio")[0])
    assert on_gpu == whole
    assert set(whole) - set(pins(install_torch(tmp_path / "none", {"COMPUTE": "cu130"})[0])) == {"torchaudio"}


@pytest.mark.parametrize(
    "name", ["docker/trim-packages.py", "docker/stub-cuda.py", "docker/dpkg-excludes", "locks/torch-pypi.txt"]
)
def test_the_tag_of_the_cuda_base_changes_with_everything_that_makes_it(tmp_path: Path, name: str) -> None:
    def digest() -> str:
        script = f". '{ROOT}/docker/source.sh'; locks_digest '{tmp_path}'"
        return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout

    for folder in ("docker", "locks"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    before = digest()
    with (tmp_path / name).open("a") as stream:
        stream.write("\n")
    assert digest() != before


@pytest.mark.parametrize(
    ("target", "first", "last", "required"),
    [
        ("synth-test", 20, 39, False),
        ("qwen-check", 20, 39, True),
        ("test-local-cli", 20, 20, False),
        ("test-local-synth", 22, 28, False),
        ("test-local-cv", 29, 34, False),
    ],
)
def test_the_targets_of_the_shell_suites_name_suites_that_exist(
    target: str, first: int, last: int, required: bool
) -> None:
    shown = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    numbers = re.findall(r"\d+", re.search(r'ONLY="?([\d ]+)', shown)[1])  # type: ignore[index]
    assert numbers == [str(number) for number in range(first, last + 1)]
    assert ("QWEN_REQUIRED=1" in shown) is required
    for number in numbers:
        assert len(list((ROOT / "tests/local").glob(f"{number}-*.sh"))) == 1
