"""What is in the images, what a rebuild does again, and what a build says when it fails."""

from __future__ import annotations

import datetime
import json
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from .conftest import ROOT, Checkout, assignments, bash, give_up, step


def inspect(checkout: Checkout, image: str) -> dict[str, object]:
    shown = checkout.run("docker", "image", "inspect", "--format", "{{json .Config}}", image)
    assert shown.returncode == 0, shown.stderr
    config: dict[str, object] = json.loads(shown.stdout)
    return config


def inside(checkout: Checkout, image: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run something in the image as a user whom it does not know."""
    return checkout.run("docker", "run", "--rm", "--network", "none", "--user", "34567:34567", image, *command)


def test_labels_name_commit_and_time(checkout: Checkout, image: str) -> None:
    config = inspect(checkout, image)
    labels, environment = config["Labels"], config["Env"]
    assert isinstance(labels, dict)
    assert isinstance(environment, list)
    assert labels["org.opencontainers.image.revision"] == checkout.commit
    created = datetime.datetime.fromisoformat(labels["org.opencontainers.image.created"])
    assert created.tzinfo is not None
    digest = checkout.run("bash", "-c", '. docker/source.sh; source_digest "$PWD"').stdout.strip()
    assert (len(digest), labels["voicemill.source"]) == (64, digest)
    assert {
        f"VOICEMILL_COMMIT={checkout.commit}",
        "HF_HOME=/cache/huggingface",
        "TORCH_HOME=/cache/torch",
        "WORK_DIR=/work",
        "CACHE_DIR=/cache",
    } <= set(environment)


def test_an_unknown_user_finds_tools_and_packages_and_installs_nothing(checkout: Checkout, image: str) -> None:
    script = (
        "set -e; id -u; whoami 2>&1 | head -c 60; for tool in ffmpeg ffprobe sox tini; do command -v $tool; done;"
        ' touch "$HOME/a" /work/a /cache/a; ! touch /app/a 2>/dev/null;'
        ' python3 -c "import sys, torch, nemo; print(sys.prefix == sys.base_prefix, torch.__version__)";'
        " /app/run-direct voice-verify --help | head -1; ps -o comm= 1 2>/dev/null || cat /proc/1/comm"
    )
    done = inside(checkout, image, "bash", "-c", script)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "34567"
    pin = (ROOT / "locks/torch.txt").read_text().strip().partition("==")[2]
    assert f"True {pin}" in done.stdout.replace("+cpu", "")  # no virtual environment
    assert lines[-1] == "tini"
    assert "[setup]" not in done.stderr


def test_the_image_holds_what_the_lock_says(checkout: Checkout, image: str) -> None:
    frozen = inside(checkout, image, "python3", "-m", "pip", "list", "--format=json").stdout
    have = {re.sub("[-_.]+", "-", each["name"].lower()): each["version"] for each in json.loads(frozen)}
    lock = (ROOT / "locks/requirements.txt").read_text().splitlines()
    pins = dict(line.split(" ")[0].split("==") for line in lock if "==" in line and not line.startswith((" ", "#")))
    assert len(pins) > 100
    assert {name: have.get(name) for name in pins} == pins
    assert not [name for name in have if name.startswith("nvidia-")]  # the CPU image carries no CUDA


def test_the_image_is_small_and_has_nothing_that_no_program_reads(checkout: Checkout, image: str) -> None:
    size = int(checkout.run("docker", "image", "inspect", "--format", "{{.Size}}", image).stdout)
    build = inside(checkout, image, "python3", "-c", "import torch; print(torch.__version__)").stdout
    assert size <= (2.8e9 if "+cpu" in build else 3.6e9), f"{size / 1e9:.2f} GB"
    script = (
        "packages=$(python3 -c 'import sysconfig; print(sysconfig.get_path(\"purelib\"))');"
        " find $packages -type d -name tests -prune -o -name '*.a'; find $packages -name '*.original';"
        " find /usr/lib -name 'libLLVM*' -o -name '*_dri.so'; ls /var/cache/apt/archives/*.deb /var/lib/apt/lists/*_Packages;"
        " command -v gcc strip; find $packages -name __pycache__ | head -1 | wc -l"
    )
    shown = inside(checkout, image, "bash", "-c", script)
    found = [line for line in shown.stdout.splitlines() if not line.endswith("/tests")]
    assert found == ["1"], shown.stdout


def test_all_of_nemo_that_trains_and_every_tool_start_in_the_image(checkout: Checkout, image: str) -> None:
    script = (
        "set -e; ffmpeg -v error -f lavfi -i sine=d=1 /tmp/a.flac; sox /tmp/a.flac /tmp/a.wav;"
        " ffprobe -v error -show_entries format=duration -of csv=p=0 /tmp/a.wav;"
        " cd /app; python3 -W ignore -c 'from nemo.collections.tts.models import FastPitchModel, HifiGanModel;"
        " from faster_whisper import WhisperModel; import demucs.api, pocketsphinx, silero_vad, onnxruntime, c2pa, librosa;"
        ' print("all")\' 2>/dev/null'
    )
    shown = inside(checkout, image, "bash", "-c", script)
    assert shown.stdout.split() == ["1.000000", "all"], shown.stderr


def test_without_an_app_the_image_lists_them_and_an_unknown_one_is_refused(checkout: Checkout, image: str) -> None:
    listed = inside(checkout, image)
    assert "voice-train-prod" in listed.stdout
    refused = inside(checkout, image, "voice-nope")
    assert refused.returncode == 1
    assert "[run][error] bad_usage" in refused.stderr


def test_a_code_change_rebuilds_only_the_last_layers(checkout: Checkout, image: str, place: Path) -> None:
    changed = checkout.root / "lib/voicemill/__init__.py"
    before = changed.read_bytes()
    log = place / "rebuild.log"
    try:
        changed.write_bytes(before + b"\n# changed\n")
        built = checkout.run("docker/build.sh", "cpu", "--tag", "voicemill:changed", "--log", str(log))
    finally:
        changed.write_bytes(before)
    assert built.returncode == 0, built.stderr
    text = log.read_text()
    assert step(text, "apt-get install -y --no-install-recommends ca-certificates")
    assert step(text, "install-packages.sh /mnt/locks/requirements.txt")
    assert step(text, "bash /mnt/install-torch.sh")
    assert not step(text, "COPY . .")
    assert not step(text, "compileall")
    checkout.run("docker", "image", "rm", "voicemill:changed")


PLANTED = {
    "configs/.env": "TOKEN=planted-secret",
    "docker/id.pem": "planted-secret",
    "lib/voicemill/id_ed25519": "planted-secret",
    "data/recordings/private.txt": "planted-secret",
    "data/demo/private.wav": "planted-secret",
    "scripts/notes.mp3": "planted-secret",
}


@pytest.mark.parametrize("how", ["docker/build.sh", "the context of Compose and run.ps1"])
def test_no_secret_and_no_recording_gets_into_a_layer(
    checkout: Checkout, image: str, building: dict[str, str], place: Path, how: str
) -> None:
    tag, log = "voicemill:planted", place / "planted.log"
    try:
        for name, text in PLANTED.items():
            (checkout.root / name).parent.mkdir(exist_ok=True)
            (checkout.root / name).write_text(text)
        if how == "docker/build.sh":
            built = checkout.run("docker/build.sh", "cpu", "--tag", tag, "--log", str(log), GITHUB_TOKEN="planted-secret")
            assert built.returncode == 0, built.stderr
        else:
            base = building.get("VOICEMILL_BASE_IMAGE", "python:3.11-slim-bookworm")
            wheels = building.get("VOICEMILL_WHEELS_IMAGE", "scratch")
            by_hand = bash(
                ". docker/engine.sh; find_engine; find_builder; DOCKER_BUILDKIT=1 $BUILDER build -f docker/Dockerfile"
                f" --target runtime --build-arg BASE_IMAGE={base} --build-arg WHEELS_IMAGE={wheels} --tag {tag}"
                f" --network {building.get('VOICEMILL_NETWORK', 'default')} .",
                checkout.environment,
                checkout.root,
            )
            assert by_hand.returncode == 0, by_hand.stderr[-3000:]
        names = " -o ".join(f"-name {Path(name).name}" for name in PLANTED)
        script = f"find / -xdev \\( {names} \\) 2>/dev/null; grep -rl planted-secret /app; ls /app/data"
        assert inside(checkout, tag, "bash", "-c", script).stdout.split() == ["base", "construction", "demo"]
        history = checkout.run("docker", "history", "--no-trunc", tag).stdout
        assert "planted-secret" not in history + json.dumps(inspect(checkout, tag))
        # The layer of the code removes nothing that an earlier one has.
        assert not re.search(r"(?<!-)\brm\b", history.partition("compileall")[0])
    finally:
        for name in PLANTED:
            (checkout.root / name).unlink(missing_ok=True)
        (checkout.root / "data/recordings").rmdir()
        checkout.run("docker", "image", "rm", tag)


def test_the_same_code_makes_the_same_files(checkout: Checkout, building: dict[str, str], place: Path) -> None:
    """From two clones with files of other times, without the cache; a base of Debian stands for the gigabytes of CUDA.

    Bytes, modes and times of all files, bytecode too. BuildKit gives folders the time of the build.
    """
    base = building.get("VOICEMILL_BASE_IMAGE", "python:3.11-slim-bookworm")
    files, dates = [], []
    for number in range(2):
        clone = place / f"clone {number}"
        assert checkout.run("git", "clone", "--quiet", str(checkout.root), str(clone)).returncode == 0
        if number:
            for path in clone.rglob("*.py"):
                os.utime(path, (1_000_000_000, 1_000_000_000))
        tag = f"voicemill:again-{number}"
        command = ("docker/build.sh", "cuda", "--no-cache", "--tag", tag)
        built = checkout.run(*command, cwd=clone, VOICEMILL_CUDA_BASE_IMAGE=base)
        assert built.returncode == 0, built.stderr[-3000:]
        form = '{{index .Config.Labels "org.opencontainers.image.created"}}'
        dates.append(checkout.run("docker", "image", "inspect", "--format", form, tag).stdout.strip())
        script = "cd /app; find . -type f -printf '%p %m %U %T@\\n' | sort; find . -type f -print0 | sort -z | xargs -0 sha256sum"
        shown = checkout.run("docker", "run", "--rm", "--network", "none", "--entrypoint", "bash", tag, "-c", script)
        files.append(shown.stdout)
        checkout.run("docker", "image", "rm", tag)
    assert files[0] == files[1]
    assert len(re.findall(r"^[0-9a-f]{64} .*\.pyc$", files[0], re.M)) > 200
    committed = checkout.run("git", "log", "-1", "--format=%ct").stdout
    assert {datetime.datetime.fromisoformat(date).timestamp() for date in dates} == {float(committed)}


def stub_wheel(folder: Path, name: str, version: str) -> None:
    """A package of one empty module: enough to see which one a Dockerfile asks for."""
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", f"__version__ = {version!r}\nclass version:\n    cuda = '13.0'\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture(scope="module")
def cuda_wheels(checkout: Checkout, place: Path) -> str:
    """An image with stubs of what PyTorch's CUDA index would give."""
    folder = place / "wheels"
    folder.mkdir()
    pin = (ROOT / "locks/torch.txt").read_text().strip().partition("==")[2]
    stub_wheel(folder, "torch", f"{pin}+cu130")
    stub_wheel(folder, "torchaudio", "2.11.0+cu130")
    made = bash(f"tar -C '{folder}' -c . | docker import - voicemill-wheels:stub", checkout.environment)
    assert made.returncode == 0, made.stderr
    return "voicemill-wheels:stub"


def test_switching_the_device_rebuilds_only_the_torch_layer(
    checkout: Checkout, image: str, building: dict[str, str], cuda_wheels: str
) -> None:
    base = building.get("VOICEMILL_BASE_IMAGE", "python:3.11-slim-bookworm")
    built = bash(
        ". docker/engine.sh; find_engine; find_builder; DOCKER_BUILDKIT=1 $BUILDER build -f docker/Dockerfile"
        f" --target dependencies --build-arg COMPUTE=cu130 --build-arg BASE_IMAGE={base}"
        f" --build-arg WHEELS_IMAGE={cuda_wheels} --network {building.get('VOICEMILL_NETWORK', 'default')} .",
        checkout.environment,
        checkout.root,
    )
    assert built.returncode == 0, built.stderr[-3000:]
    assert step(built.stderr, "apt-get install -y --no-install-recommends ca-certificates")
    assert step(built.stderr, "install-packages.sh /mnt/locks/requirements.txt")
    assert not step(built.stderr, "bash /mnt/install-torch.sh")


def test_the_cuda_images_are_built_from_the_same_lock(
    checkout: Checkout, image: str, place: Path, cuda_wheels: str
) -> None:
    log = place / "cuda.log"
    base = checkout.run(
        *("docker/build.sh", "cuda-base", "--tag", "voicemill:cuda-base-stub", "--log", str(log)),
        VOICEMILL_WHEELS_IMAGE=cuda_wheels,
    )
    assert base.returncode == 0, log.read_text()[-3000:]
    # The very layers of the CPU image: the same tools, the same locked packages.
    assert step(log.read_text(), "apt-get install -y --no-install-recommends ca-certificates")
    assert step(log.read_text(), "install-packages.sh /mnt/locks/requirements.txt")
    assert not step(log.read_text(), "bash /mnt/install-torch.sh torchaudio")
    thin = checkout.run(
        *("docker/build.sh", "cuda", "--tag", "voicemill:cuda-stub", "--log", str(log)),
        VOICEMILL_CUDA_BASE_IMAGE="voicemill:cuda-base-stub",
    )
    assert thin.returncode == 0, log.read_text()[-3000:]
    config = inspect(checkout, "voicemill:cuda-stub")
    labels, environment = config["Labels"], config["Env"]
    assert isinstance(labels, dict)
    assert isinstance(environment, list)
    assert "TORCH_DEVICE=cuda" in environment
    assert labels["org.opencontainers.image.revision"] == checkout.commit
    locks = checkout.run("bash", "-c", '. docker/source.sh; locks_digest "$PWD"').stdout.strip()
    assert labels["voicemill.locks"] == locks
    shown = inside(
        checkout, "voicemill:cuda-stub", "python3", "-c", "import torch, torchaudio; print(torch.__version__)"
    )
    cpu = inside(checkout, image, "python3", "-c", "import torch; print(torch.__version__)")
    assert shown.stdout.strip().partition("+")[0] == cpu.stdout.strip().partition("+")[0]
    assert shown.stdout.strip().endswith("+cu130")
    helped = inside(checkout, "voicemill:cuda-stub", "voice-verify", "--help")
    assert helped.returncode == 0, helped.stderr
    checkout.run("docker", "image", "rm", "voicemill:cuda-stub", "voicemill:cuda-base-stub")


CUDA_DISK = 25e9
"""Bytes that the engine's disk needs for the CUDA image and for what its build keeps."""


@pytest.mark.exhaustive
def test_the_cuda_image_of_pypis_wheels_is_built_and_imported(checkout: Checkout, image: str, place: Path) -> None:
    """2.7 GB of downloads. Without a GPU the app refuses; torch, its libraries and NeMo load."""
    root = checkout.run("docker", "info", "--format", "{{.DockerRootDir}}").stdout.strip()
    if shutil.disk_usage(root).free < CUDA_DISK:
        give_up(f"{root} has less than {CUDA_DISK / 1e9:.0f} GB free")
    log, base, thin = place / "real-cuda.log", "voicemill:cuda-base-real", "voicemill:cuda-real"
    try:
        built = checkout.run(
            *("docker/build.sh", "cuda-base", "--tag", base, "--log", str(log)), timeout=3000, VOICEMILL_WHEELS_IMAGE="scratch"
        )
        assert built.returncode == 0, log.read_text()[-3000:]
        built = checkout.run(
            *("docker/build.sh", "cuda", "--tag", thin, "--log", str(log)), VOICEMILL_CUDA_BASE_IMAGE=base
        )
        assert built.returncode == 0, log.read_text()[-3000:]
        size = int(checkout.run("docker", "image", "inspect", "--format", "{{.Size}}", thin).stdout)
        assert size < 9e9, f"{size / 1e9:.2f} GB"
        script = (
            "import torch, torchaudio; from nemo.collections.tts.models import FastPitchModel, HifiGanModel;"
            " print(torch.version.cuda, torch.backends.cudnn.version() // 10000, torch.cuda.nccl.version()[0],"
            " torch.cuda.is_available(), 'sm_90' in torch.cuda.get_arch_list())"
        )
        shown = inside(checkout, thin, "python3", "-W", "ignore", "-c", script)
        assert shown.stdout.split() == ["13.0", "9", "2", "False", "True"], shown.stderr[-3000:]
        refused = inside(checkout, thin, "voice-train-prod", "--preset", "smoke", "--voice", "dora")
        assert refused.returncode == 2
        assert "[tts-prod][error] cuda_unavailable" in refused.stderr
    finally:
        checkout.run("docker", "image", "rm", thin, base)


def test_a_torch_of_another_cuda_than_was_asked_for_is_refused(checkout: Checkout, image: str, place: Path) -> None:
    folder = place / "wrong-wheels"
    folder.mkdir()
    pin = (ROOT / "locks/torch.txt").read_text().strip().partition("==")[2]
    stub_wheel(folder, "torch", f"{pin}+cu128")  # by its name; inside it says 13.0
    stub_wheel(folder, "torchaudio", "2.11.0+cu128")
    wheels, log = "voicemill-wheels:wrong", place / "wrong.log"
    assert bash(f"tar -C '{folder}' -c . | docker import - {wheels}", checkout.environment).returncode == 0
    built = checkout.run(
        *("docker/build.sh", "cuda-base", "--tag", "voicemill:wrong", "--log", str(log)),
        VOICEMILL_WHEELS_IMAGE=wheels,
        VOICEMILL_COMPUTE="cu128",
    )
    assert built.returncode != 0
    assert "torch was installed for cu130, not cu128: set VOICEMILL_TORCH_INDEX to PyTorch's index" in log.read_text()
    checkout.run("docker", "image", "rm", wheels)


def test_a_build_that_fails_says_so_and_keeps_the_engines_exit_code(
    checkout: Checkout, image: str, place: Path
) -> None:
    log = place / "failing.log"
    none = "voicemill-there-is-no-such-image:none"
    built = checkout.run("docker/build.sh", "cpu", "--log", str(log), "--tag", "voicemill:x", VOICEMILL_BASE_IMAGE=none)
    assert built.returncode not in (0, 2)
    assert "could not be built" in built.stderr
    assert str(log) in built.stderr
    assert none in log.read_text()
    # run builds because the checkout has changed; it does not start the old image instead.
    changed = checkout.root / "lib/voicemill/__init__.py"
    before = changed.read_bytes()
    try:
        changed.write_bytes(before + b"\n# changed\n")
        done = checkout.run("./run", "voice-verify", "--help", VOICEMILL_BASE_IMAGE=none)
    finally:
        changed.write_bytes(before)
    assert (done.returncode, done.stdout) == (1, "")
    assert "[run] Bringing the image voicemill:cpu up to date" in done.stderr
    assert "[run][error] docker_build_failed" in done.stderr


@pytest.mark.parametrize(
    ("environment", "advice"),
    [
        ({"VOICEMILL_NETWORK": "none"}, "Check the network"),
        ({"http_proxy": "http://me:planted-secret@127.0.0.1:9"}, "the proxy of http_proxy"),
    ],
)
def test_a_network_that_is_gone_during_the_build_is_named(
    checkout: Checkout, image: str, place: Path, environment: dict[str, str], advice: str
) -> None:
    log = place / "network.log"
    built = checkout.run("docker/build.sh", "cpu", "--no-cache", "--tag", "voicemill:x", "--log", str(log), **environment)
    assert built.returncode not in (0, 2)
    assert "a download failed" in built.stderr, log.read_text()[-3000:]
    assert advice in built.stderr
    assert len(built.stderr.splitlines()) == 1
    assert "planted-secret" not in built.stderr


def test_a_full_disk_during_the_build_is_named(checkout: Checkout, building: dict[str, str], place: Path) -> None:
    """A second daemon whose whole store is a memory disk, a little larger than the base image."""
    if os.getuid() != 0 or not shutil.which("dockerd"):
        give_up("a second daemon on a small disk needs root and dockerd")
    base = building.get("VOICEMILL_BASE_IMAGE", "python:3.11-slim-bookworm")
    store = place / "small"
    store.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=420m", "tmpfs", str(store)], check=True)
    own = {**building, "VOICEMILL_ENGINE_STORE": str(store)}
    try:
        started = bash("docker/own-engine.sh start", own)
        assert started.returncode == 0, started.stderr
        small = {**own, **assignments(started.stdout), "VOICEMILL_WHEELS_IMAGE": ""}
        # Exported and imported: one layer, which is written once.
        moved = bash(
            f"id=$(docker create {base} true) && docker export $id | DOCKER_HOST={small['DOCKER_HOST']} docker import - {base};"
            " code=$?; docker rm $id >/dev/null; exit $code",
            building,
        )
        assert moved.returncode == 0, moved.stderr
        small["VOICEMILL_BASE_IMAGE"] = base
        built = bash("docker/build.sh cpu --log small.log", small, checkout.root)
        log = (checkout.root / "small.log").read_text()
        assert built.returncode not in (0, 2), log[-2000:]
        assert "disk is full" in built.stderr, log[-2000:]
        assert len(built.stderr.strip().splitlines()) == 1
    finally:
        bash("docker/own-engine.sh stop", own)
        subprocess.run(["umount", "--recursive", str(store)], check=False)
        (checkout.root / "small.log").unlink(missing_ok=True)
