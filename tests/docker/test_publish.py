"""scripts/publish.sh against a real registry on loopback (Debian's docker-registry): tags, digests, and the bytes that come back."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from .conftest import Checkout, give_up

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True)
class Registry:
    """A registry and what lies in its repository `v`, asked without the engine."""

    host: str

    @property
    def repository(self) -> str:
        return f"{self.host}/v"

    def get(self, path: str) -> tuple[bytes, dict[str, str]]:
        request = urllib.request.Request(f"http://{self.host}/v2/{path}", headers={"Accept": MANIFEST})
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return answer.read(), {name.lower(): value for name, value in answer.headers.items()}

    def tags(self) -> set[str]:
        try:
            return set(json.loads(self.get("v/tags/list")[0])["tags"] or ())
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return set()
            raise

    def digest(self, tag: str) -> str:
        body, headers = self.get(f"v/manifests/{tag}")
        assert headers["docker-content-digest"] == f"sha256:{hashlib.sha256(body).hexdigest()}"
        return headers["docker-content-digest"]


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Registry]:
    """An ordinary process with a store of its own, ended by its id."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    folder.mkdir()
    config = folder / "config.yml"
    config.write_text(
        "version: 0.1\nlog: {level: warn}\n"
        f"storage: {{filesystem: {{rootdirectory: {json.dumps(str(folder / 'store'))}}}}}\nhttp: {{addr: '{host}'}}\n"
    )
    with (folder / "log").open("wb") as log:
        child = subprocess.Popen(["docker-registry", "serve", str(config)], stdout=log, stderr=log)
    try:
        registry = Registry(host)
        for _ in range(100):
            assert child.poll() is None, (folder / "log").read_text()
            with contextlib.suppress(urllib.error.URLError):
                registry.get("")
                break
            time.sleep(0.1)
        yield registry
    finally:
        child.terminate()
        child.wait(timeout=30)


@pytest.fixture(scope="module")
def registry(checkout: Checkout, place: Path) -> Iterator[Registry]:
    if not shutil.which("docker-registry"):
        give_up("docker-registry is not installed (Debian: sudo apt-get install docker-registry)")
    with serving(place / "registry") as running:
        yield running
    forget(checkout, running)


def forget(checkout: Checkout, registry: Registry) -> None:
    """Remove the engine's images of a registry that is gone; the engine outlives the tests."""
    names = ["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", registry.repository]
    for name in checkout.run(*names).stdout.split():
        checkout.run("docker", "image", "rm", name)


@pytest.fixture(scope="module")
def base_tag(checkout: Checkout) -> str:
    locks = checkout.run("bash", "-c", '. docker/source.sh; locks_digest "$PWD"').stdout.strip()
    assert re.fullmatch("[0-9a-f]{64}", locks)
    return f"cuda-base-{locks[:8]}"


def publish(checkout: Checkout, registry: str, *argv: str) -> subprocess.CompletedProcess[str]:
    return checkout.run("bash", "scripts/publish.sh", *argv, "--registry", registry)


def said(done: subprocess.CompletedProcess[str]) -> list[str]:
    lines = done.stdout.splitlines()
    return [line.removeprefix("[publish] ") for line in lines if line.startswith("[publish] ")]


@pytest.fixture(scope="module")
def published(
    checkout: Checkout, building: dict[str, str], registry: Registry, base_tag: str
) -> subprocess.CompletedProcess[str]:
    """The thin image on a base that only the registry has under this name: a base of Debian stands for the gigabytes of CUDA."""
    missing = publish(checkout, registry.repository, "cuda")
    assert missing.returncode == 1
    assert missing.stderr.startswith("[publish][error] cuda_base_missing\n"), missing.stderr
    assert registry.tags() == set()
    stand_in = building.get("VOICEMILL_BASE_IMAGE", "python:3.11-slim-bookworm")
    for command in (
        ("tag", stand_in, f"{registry.repository}:{base_tag}"),
        ("push", f"{registry.repository}:{base_tag}"),
        ("image", "rm", f"{registry.repository}:{base_tag}"),
    ):
        assert checkout.run("docker", *command).returncode == 0
    done = publish(checkout, registry.repository, "cuda")
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def test_every_tag_names_the_same_bytes_and_they_come_back(
    checkout: Checkout, registry: Registry, published: subprocess.CompletedProcess[str], base_tag: str
) -> None:
    sha = checkout.commit[:8]
    assert registry.tags() == {base_tag, f"cuda-{sha}", "cuda", "cuda130"}
    digest = registry.digest(f"cuda-{sha}")
    assert {registry.digest(tag) for tag in ("cuda", "cuda130")} == {digest}
    assert said(published)[-1] == f"published {registry.repository}@{digest}"
    manifest = json.loads(registry.get(f"v/manifests/{digest}")[0])
    for blob in (manifest["config"], *manifest["layers"]):
        body, _ = registry.get(f"v/blobs/{blob['digest']}")
        assert (len(body), f"sha256:{hashlib.sha256(body).hexdigest()}") == (blob["size"], blob["digest"])
    config = json.loads(registry.get(f"v/blobs/{manifest['config']['digest']}")[0])
    assert config["config"]["Labels"]["org.opencontainers.image.revision"] == checkout.commit
    # Gone here, pulled by its digest, it is the image that was built, and holds the checkout's files.
    image = f"{registry.repository}:cuda-{sha}"
    identity = checkout.run("docker", "image", "inspect", "--format", "{{.Id}}", image).stdout
    for tag in (f"cuda-{sha}", "cuda", "cuda130"):
        checkout.run("docker", "image", "rm", f"{registry.repository}:{tag}")
    pinned = f"{registry.repository}@{digest}"
    assert checkout.run("docker", "image", "inspect", pinned).returncode != 0
    assert checkout.run("docker", "pull", "--quiet", pinned).returncode == 0
    assert checkout.run("docker", "image", "inspect", "--format", "{{.Id}}", pinned).stdout == identity
    script = 'cd /app && . docker/source.sh && find "${image_sources[@]}" -type f ! -name "*.pyc" | LC_ALL=C sort | xargs -d "\\n" sha256sum'
    inside = checkout.run(*("docker", "run", "--rm", "--network", "none", "--entrypoint", "bash", pinned, "-c", script))
    outside = checkout.run("bash", "-c", script.replace("cd /app && ", ""))
    assert len(outside.stdout.splitlines()) > 200
    assert inside.stdout == outside.stdout, inside.stderr


def test_a_commits_tag_is_pushed_once_and_its_bytes_stay(
    checkout: Checkout, registry: Registry, published: subprocess.CompletedProcess[str]
) -> None:
    tag = f"cuda-{checkout.commit[:8]}"
    before = registry.digest(tag)
    again = publish(checkout, registry.repository, "cuda")
    assert again.returncode == 0, again.stderr
    assert said(again)[0] == f"{registry.repository}:{tag} is already published and is not replaced"
    assert not [
        line for line in said(again) if "build.sh" in line or line.endswith(f"push {registry.repository}:{tag}")
    ]
    assert {registry.digest(name) for name in (tag, "cuda", "cuda130")} == {before}


def test_a_base_of_the_same_locks_is_not_built_again_whatever_else_changed(
    checkout: Checkout, registry: Registry, published: subprocess.CompletedProcess[str], base_tag: str
) -> None:
    before = registry.digest(base_tag)
    stray = checkout.root / "stray"
    try:
        stray.touch()
        dirty = publish(checkout, registry.repository, "cuda-base", "--allow-dirty")
        assert dirty.returncode == 0, dirty.stderr
        assert "cuda-base" not in registry.tags()  # no moving tag from a dirty tree
    finally:
        stray.unlink()
    clean = publish(checkout, registry.repository, "cuda-base")
    assert clean.returncode == 0, clean.stderr
    for done in (dirty, clean):
        assert said(done)[0] == f"{registry.repository}:{base_tag} is already published and is not replaced"
        assert "build.sh" not in done.stdout
    assert registry.digest(base_tag) == registry.digest("cuda-base") == before


def test_a_new_commit_moves_the_moving_tags_and_a_dirty_tree_moves_none(
    checkout: Checkout, registry: Registry, published: subprocess.CompletedProcess[str]
) -> None:
    changed = checkout.root / "lib/voicemill/__init__.py"
    text, tags = changed.read_bytes(), registry.tags()
    before = registry.digest("cuda")
    commit = "git -c user.name=t -c user.email=t@example.org commit -qam changed && git rev-parse HEAD"
    try:
        changed.write_bytes(text + b"\n# changed\n")
        refused = publish(checkout, registry.repository, "cuda")
        assert (refused.returncode, registry.tags()) == (1, tags)
        assert refused.stderr.startswith("[publish][error] dirty_tree\n")
        dirty = publish(checkout, registry.repository, "cuda", "--allow-dirty")
        assert dirty.returncode == 0, dirty.stderr[-3000:]
        assert registry.tags() == tags | {f"cuda-{checkout.commit[:8]}-dirty"}
        assert registry.digest("cuda") == before
        sha = checkout.run("bash", "-c", commit).stdout.strip()[:8]
        clean = publish(checkout, registry.repository, "cuda")
        assert clean.returncode == 0, clean.stderr[-3000:]
        assert registry.digest(f"cuda-{sha}") == registry.digest("cuda") == registry.digest("cuda130") != before
        assert registry.digest(f"cuda-{checkout.commit[:8]}") == before
    finally:
        checkout.run("git", "reset", "--quiet", "--hard", checkout.commit)


def test_a_registry_that_is_gone_is_one_sentence(checkout: Checkout, image: str, place: Path) -> None:
    with serving(place / "gone") as gone:
        pass
    done = publish(checkout, gone.repository, "cpu")
    forget(checkout, gone)
    assert done.returncode == 1
    reason, sentence = done.stderr.strip().splitlines()[-2:]
    assert reason == "[publish][error] push_failed"
    assert sentence.startswith(f"{gone.repository}:{checkout.commit[:8]} could not be pushed")
    assert not [line for line in said(done) if line.endswith("latest")]
