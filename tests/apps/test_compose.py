"""Compose: what its files ask for, and what the image's entry point does in a checkout. The real engine is in tests/docker."""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
LAUNCHER = """#!/usr/bin/env bash
printf '%s\\n' "$0" "$WORK_DIR" "$CACHE_DIR" "$HF_HOME" "$VOICEMILL_COMMIT" "$*"
touch "$WORK_DIR/result"
"""


@dataclass
class Mounted:
    """A checkout as a container of Compose has it, beside the files of an image."""

    root: Path
    image: Path

    def start(self, *argv: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.environ["PATH"], "VOICEMILL_IMAGE_ROOT": str(self.image), "WORK_DIR": "/work"}
        environment |= {"VOICEMILL_COMMIT": "f" * 40}  # the image's own, of another day
        return subprocess.run(
            [str(self.root / "docker/entrypoint.sh"), *argv], cwd=self.root, env=environment, capture_output=True,
            text=True, check=False,
        )  # fmt: skip

    def git(self, command: str) -> str:
        script = f"git -c user.name=t -c user.email=t@example.org {command}"
        return subprocess.run(["bash", "-c", script], cwd=self.root, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def mounted() -> Iterator[Mounted]:
    place = Path(tempfile.mkdtemp(prefix="voicemill-compose-", dir="/var/tmp"))  # another user can reach it
    place.chmod(0o755)
    made = Mounted(place / "a check: out", place / "image")
    for name in ("docker/entrypoint.sh", "locks/requirements.txt", "locks/torch.txt"):
        for target in (made.root, made.image):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    (made.root / "run-direct").write_text(LAUNCHER)
    (made.root / "run-direct").chmod(0o755)
    made.git("init -q . && git add -A && git -c user.name=t -c user.email=t@example.org commit -qm first")
    yield made
    shutil.rmtree(place)


def test_the_checkouts_code_commit_and_folders_are_used(mounted: Mounted) -> None:
    done = mounted.start("voice-prep", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    root, head = str(mounted.root), mounted.git("rev-parse HEAD").strip()
    assert done.stdout.splitlines() == [
        f"{root}/run-direct", f"{root}/work", f"{root}/cache", f"{root}/cache/huggingface", head, "voice-prep --help",
    ]  # fmt: skip
    assert (mounted.root / "work/result").exists()


@pytest.mark.parametrize("change", ["pack-refs --all", "checkout -q --detach", "commit -qm more --allow-empty"])
def test_the_commit_is_read_wherever_git_keeps_it(mounted: Mounted, change: str) -> None:
    mounted.git(change)
    assert mounted.git("rev-parse HEAD").strip() in mounted.start("voice-prep").stdout.splitlines()


def test_an_unreadable_commit_is_unknown_and_not_that_of_the_image(mounted: Mounted) -> None:
    shutil.rmtree(mounted.root / ".git")
    (mounted.root / ".git").write_text("gitdir: /somewhere/else\n")
    done = mounted.start("voice-train-prod")
    assert "unknown" in done.stdout.splitlines()
    (sentence,) = done.stderr.splitlines()
    assert "cannot be certified" in sentence


def test_packages_of_another_lock_are_refused(mounted: Mounted) -> None:
    (mounted.root / "locks/torch.txt").write_text("torch==0.1\n")
    done = mounted.start("voice-prep", "--help")
    assert (done.returncode, done.stdout) == (1, "")
    reason, sentence = done.stderr.splitlines()
    assert reason == "[run][error] image_outdated"
    assert "docker compose build" in sentence


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_results_belong_to_the_owner_of_the_checkout(mounted: Mounted) -> None:
    (mounted.root / "work").mkdir()
    for path in (mounted.root, *mounted.root.rglob("*")):
        if path.name != "work":  # as an engine makes it
            os.lchown(path, 23456, 23456)
    done = mounted.start("voice-prep")
    assert done.returncode == 0, done.stderr
    for name in ("work", "work/result", "cache"):
        assert (mounted.root / name).stat().st_uid == 23456


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("given", [{}, {"VOICEMILL_CWD": ""}])
def test_a_plain_docker_run_gives_results_to_the_owner_of_the_work_folder(
    mounted: Mounted, given: dict[str, str]
) -> None:
    """In the image itself, with two mounted folders; the second was made by the engine. ./run names the caller instead."""
    launcher = mounted.image / "run-direct"
    launcher.write_text('#!/bin/sh\ntouch "$WORK_DIR/result" "$CACHE_DIR/result"\n')
    launcher.chmod(0o755)
    work, cache = mounted.root / "work", mounted.root / "cache"
    for folder in (work, cache):
        folder.mkdir()
    os.chown(work, 23456, 23457)
    done = subprocess.run(
        [str(mounted.image / "docker/entrypoint.sh"), "voice-prep"], capture_output=True, text=True, check=False,
        env={"PATH": os.environ["PATH"], "VOICEMILL_IMAGE_ROOT": str(mounted.image), "WORK_DIR": str(work),
             "CACHE_DIR": str(cache), **given},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    owners = {(path.stat().st_uid, path.stat().st_gid) for path in (work / "result", cache / "result")}
    assert owners == ({(0, 0)} if given else {(23456, 23457)})


def test_both_services_have_the_same_image_which_is_built_from_the_checkout() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    assert services["voice-serve"]["build"] == services["voicemill"]["build"]
    for service in services.values():
        assert service["image"] == "voicemill:cpu"
        assert service["read_only"]  # what is written elsewhere would be lost
        assert service["volumes"][0] == {"type": "bind", "source": ".", "target": "/checkout"}
        assert {each["target"] for each in service["volumes"][1:]} == {"/tmp", "/home/voicemill"}
        assert service["entrypoint"][-1] == "/checkout/docker/entrypoint.sh"


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="docker-compose is not installed")
def test_compose_reads_the_service_of_the_server(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "VOICEMILL_SERVE_PORT": "6000"}
    shown = subprocess.run(
        ["docker-compose", "config"], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout
    service = yaml.safe_load(shown)["services"]["voice-serve"]
    assert service["ports"] == ["127.0.0.1:6000:5051/tcp"]
    assert service["volumes"][0] == {"type": "bind", "source": str(ROOT), "target": "/checkout"}
    assert service["command"][:3] == ["voice-serve", "--host", "0.0.0.0"]
    assert "network_mode" not in service  # a network of the host would ignore the ports


LAUNCHERS_OWN = {
    "DOCKERFILE", "IMAGE_TAG", "LOG_PATH", "TOOLBOX_RUNTIME", "TOOLBOX_VARIANT", "VOICEMILL_LANE_LOCK", "VOICEMILL_VENV",
    "WORK_DIR", "CACHE_DIR", "HF_HOME", "TORCH_HOME",
}  # fmt: skip
"""Variables that decide what is started, or that a launcher sets in a container."""
OF_SCRIPTS = {
    "TRAIN_BACKEND",
    "TRAIN_LANE",
    "TRAIN_PYTHON",
    "KNOWLEDGE_SOURCE_DIR",
    "KNOWLEDGE_AUDIO_DIR",
    "DATASET_PREP_MODE",
}
"""Of programs that Compose does not start; the address of the server is that of its service."""


def contract_variables() -> list[str]:
    page = (ROOT / "docs/operator-contract.md").read_text(encoding="utf-8")
    rows = page.partition("## 5. Environment")[2].partition("\n## ")[0].splitlines()
    found = [
        name for row in rows for name in re.findall(r"`([A-Z][A-Z0-9_*]+)`", row.split("|")[1] if "|" in row else "")
    ]
    assert len(found) > 40
    return found


def test_every_variable_of_the_contract_reaches_the_container_of_run() -> None:
    script = (ROOT / "run").read_text(encoding="utf-8")
    listed = script[script.index("/PROD_TTS_*|") : script.index(') MAPPED="${!name}"')].replace("\\\n", "")
    patterns = [each.strip().lstrip("/") for each in listed.split("|")]
    table = (ROOT / "lib/voicemill/launch/paths.tsv").read_text(encoding="utf-8").splitlines()
    patterns += [row.split("\t")[2] for row in table if row.startswith("environment\t")]
    missing = [
        name
        for name in contract_variables()
        if name not in LAUNCHERS_OWN and not any(fnmatch.fnmatchcase(name, each) for each in patterns)
    ]
    assert missing == []


def test_every_variable_of_the_contract_reaches_the_containers_of_compose() -> None:
    """Compose has no patterns: of a family such as VOICE_SPEAK_*, those that the server reads."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    passed = {name for service in services.values() for name in service["environment"]}
    wanted = {name for name in contract_variables() if "*" not in name and not name.startswith("PROD_TTS_PIP_")}
    wanted |= {"HF_TOKEN", "HF_ENDPOINT", "HF_HUB_OFFLINE", "QWEN3_ENABLE_CUSTOMVOICE", "OMP_NUM_THREADS"}
    wanted |= {each for name in ("http_proxy", "https_proxy", "no_proxy") for each in (name, name.upper())}
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "lib/voicemill_serve").rglob("*.py"))
    wanted |= set(re.findall(r'"((?:VOICE|ELEVENLABS)_[A-Z_]+[A-Z])"', sources))
    wanted |= {f"VOICE_SPEAK_{name}" for name in re.findall(r'f"\{prefix\}([A-Z0-9_]+)"', sources)}
    assert wanted - passed - LAUNCHERS_OWN - OF_SCRIPTS - {"LOCAL_TTS_HOST", "LOCAL_TTS_PORT"} == set()
