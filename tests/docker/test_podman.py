"""Podman as root, for real: what `./run` gives it is accepted, and results belong to the caller.

Rootless Podman needs subordinate ids of the system (/etc/subuid, newuidmap); its options are tested with a stand-in in
tests/apps/test_run.py. The image is a base with a small program, so that nothing is copied between the stores of two engines.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import ROOT, Checkout, bash, give_up

PODMAN = """set -eu
# Debian 12's packages of Podman, unpacked into the folder $1; this system's packages stay as they are.
[ ! -x "$1/root/usr/bin/podman" ] || exit 0
mkdir -p "$1/apt/lists/partial" "$1/apt/archives/partial"
options="-qq -o Dir::State::lists=$1/apt/lists -o Dir::Cache=$1/apt -o APT::Sandbox::User=root"
apt-get $options update
cd "$1/apt"
apt-get $options download podman conmon netavark golang-github-containers-common libgpgme11 libsubid4 libassuan0
for package in *.deb; do dpkg -x "$package" "$1/root"; done
cd / && rm -r "$1/apt"
"""
CLIENT = """#!/bin/sh
export HOME='{folder}/home' LD_LIBRARY_PATH='{packages}/usr/lib/x86_64-linux-gnu' CONTAINERS_CONF='{folder}/containers.conf'
exec '{packages}/usr/bin/podman' --root '{folder}/store' --runroot '{folder}/run' --conmon '{packages}/usr/bin/conmon' \\
  --runtime "$(command -v runc)" --cgroup-manager cgroupfs "$@"
"""
SETTINGS = """[containers]
# A session without CAP_SYS_RESOURCE cannot raise its limits, which Podman does by default.
default_ulimits = ["nofile=1024:1024", "nproc=2048:2048"]
[engine]
events_logger = "file"
"""
APP = """case "$1" in voice-verify) touch "$WORK_DIR/result" /tmp/x ~/x; touch /usr/x 2>/dev/null || echo "read-only"; id -u;; esac"""


@pytest.fixture(scope="module")
def podman(building: dict[str, str], place: Path) -> Iterator[dict[str, str]]:
    """An environment in which podman is on PATH, with an image voicemill:podman in a store of its own."""
    if os.getuid() != 0:
        pytest.skip("Podman as root needs root")
    folder = place / "podman"
    (folder / "home/.config/containers").mkdir(parents=True)
    (folder / "home/.config/containers/policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    (folder / "home/.config/containers/registries.conf").write_text("unqualified-search-registries = []\n")
    (folder / "containers.conf").write_text(SETTINGS)
    (folder / "bin").mkdir()
    environment = building | {"PATH": f"{folder / 'bin'}{os.pathsep}{building['PATH']}", "TOOLBOX_RUNTIME": "podman"}
    environment |= {"VOICEMILL_NETWORK": "host"}  # a network of its own needs the plugins of another package
    own = bash("podman info", building).returncode != 0
    if own:
        packages = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "voicemill/podman"
        fetched = subprocess.run(["sh", "-c", PODMAN, "sh", packages], capture_output=True, text=True, check=False)
        if fetched.returncode != 0:
            give_up(f"no Podman: {fetched.stderr.strip()[-300:]}")
        (folder / "bin/podman").write_text(CLIENT.format(folder=folder, packages=packages / "root"))
        (folder / "bin/podman").chmod(0o755)
    base = building.get("VOICEMILL_BASE_IMAGE", "python:3.11-slim-bookworm")
    entry = f'ENTRYPOINT ["sh", "-c", {APP!r}, "entry"]'.replace("'", '"').replace(APP, APP.replace('"', '\\"'))
    moved = bash(
        f"id=$(docker create {base} true); docker export $id | podman import --change '{entry}' - voicemill:podman;"
        " code=$?; docker rm $id >/dev/null; exit $code",
        environment,
    )
    if moved.returncode != 0:
        give_up(f"Podman does not work here: {moved.stderr.strip()[-300:]}")
    yield environment
    # The store of a Podman that was installed is not ours to reset.
    bash("podman system reset --force" if own else "podman image rm --force voicemill:podman", environment)


def test_podman_as_root_runs_with_the_callers_ids(checkout: Checkout, podman: dict[str, str], place: Path) -> None:
    work = place / "podman-work, ü"
    done = subprocess.run(
        ["./run", "voice-verify", "status"], cwd=checkout.root, capture_output=True, text=True, check=False, timeout=200,
        env=podman | {"VOICEMILL_IMAGE": "voicemill:podman", "WORK_DIR": str(work), "CACHE_DIR": str(work / "cache")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["read-only", "0"]
    assert (work / "result").stat().st_uid == 0
    assert bash("podman volume ls --quiet", podman).stdout == ""  # /tmp went with its container


def test_podman_is_told_to_build_with_its_own_options(podman: dict[str, str], place: Path) -> None:
    """A Dockerfile of one step in place of the project's: the engine accepts every option of docker/build.sh."""
    small = place / "small.Dockerfile"
    small.write_text("FROM voicemill:podman\nARG SOURCE_DIGEST\nLABEL voicemill.source=${SOURCE_DIGEST}\n")
    tag = "voicemill:podman-built"
    built = bash(f"docker/build.sh cpu --file '{small}' --tag {tag}", podman, ROOT)
    assert built.returncode == 0, built.stderr
    digest = bash(". docker/source.sh; source_digest .", podman, ROOT).stdout
    label = bash(f"podman image inspect --format '{{{{index .Config.Labels \"voicemill.source\"}}}}' {tag}", podman)
    assert label.stdout == digest
