from __future__ import annotations

import csv
from pathlib import Path

import pytest

from voicemill.errors import RefusedError
from voicemill.launch.engine import ContainerRun, Engine, Mount, build_commands, find


@pytest.mark.parametrize("name", ["plain", "with: colon", "with, comma", 'with "quotes"', "mit Ümlaut", "a=b"])
def test_a_mount_names_its_path_whatever_is_in_it(name: str) -> None:
    (fields,) = csv.reader([Mount(Path("/data") / name, "/in/0").option])
    assert fields == ["type=bind", f"source=/data/{name}", "target=/in/0", "readonly"]
    assert not Mount(Path("/data"), "/out", writable=True).option.endswith("readonly")


def test_results_belong_to_the_caller_in_every_engine() -> None:
    run = ContainerRun("image", ["true"], environment={"B": "2", "A": "1 2"}, user="7:8", network="host")
    docker = run.argv(Engine("docker"))
    assert docker[:3] == ["docker", "run", "--rm"]
    assert docker[docker.index("--user") + 1] == "7:8"
    assert docker[docker.index("--network") + 1] == "host"
    assert docker[-6:] == ["--env", "A=1 2", "--env", "B=2", "image", "true"]
    rootless = run.argv(Engine("docker", rootless=True))
    assert rootless[rootless.index("--user") + 1] == "0:0"
    assert "--userns=keep-id" in run.argv(Engine("podman", rootless=True))
    of_root = run.argv(Engine("podman"))  # keep-id exists in rootless mode only
    assert "--userns=keep-id" not in of_root
    assert of_root[of_root.index("--user") + 1] == "7:8"


@pytest.mark.parametrize(
    ("engine", "disabled"),
    [
        (Engine("docker"), False),
        (Engine("docker", selinux=True), True),
        (Engine("docker", rootless=True, selinux=True), True),
        (Engine("podman"), True),
        (Engine("podman", rootless=True), True),
    ],
)
def test_selinux_does_not_keep_a_container_from_the_callers_folders(engine: Engine, disabled: bool) -> None:
    argv = ContainerRun("image", ["true"], user="7:8").argv(engine)
    assert ("label=disable" in argv) == disabled


@pytest.mark.parametrize("engine", [Engine("docker"), Engine("docker", rootless=True), Engine("podman")])
def test_nothing_is_written_where_it_would_be_lost(engine: Engine) -> None:
    argv = ContainerRun("image", ["true"], user="7:8").argv(engine)
    assert "--read-only" in argv
    assert "type=volume,target=/tmp" in argv


def test_gpus_by_engine() -> None:
    run = ContainerRun("image", [], gpus=True)
    assert run.argv(Engine("docker"))[-3:-1] == ["--gpus", "all"]
    assert run.argv(Engine("podman"))[-3:-1] == ["--device", "nvidia.com/gpu=all"]


def test_a_gpu_image_stands_on_its_base(tmp_path: Path) -> None:
    kinds = [command[2] for command in build_commands(tmp_path, "gpu", "t", tmp_path / "log", None)]
    assert kinds == ["cuda-base", "cuda"]
    (own,) = build_commands(tmp_path, "gpu", "t", tmp_path / "log", Path("My.Dockerfile"))
    assert own[-2:] == ["--file", "My.Dockerfile"]


def test_no_engine_is_one_sentence(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLBOX_RUNTIME", "direct")
    with pytest.raises(RefusedError) as caught:
        find(repository)
    assert caught.value.reason == "container_engine_unavailable"
    assert str(caught.value).count("\n") == 0
