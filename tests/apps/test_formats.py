"""docs/formats.md is enough to verify a bundle: a verifier in another language agrees with ours."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from voicemill.bundle.differences import compare

NODE = shutil.which("node") or shutil.which("nodejs")
pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed")
VERIFIER = Path(__file__).with_name("verify_bundle.mjs")


def foreign(root: Path) -> tuple[int, list[str]]:
    done = subprocess.run([str(NODE), str(VERIFIER), str(root)], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def ours(root: Path) -> list[str]:
    return [f"{each.path} {each.code}" for each in compare(root).differences]


def test_a_sound_bundle_of_either_kind(certifiable: Callable[..., Path]) -> None:
    root = certifiable("anna")
    assert foreign(root) == (0, [])
    assert foreign(root.parents[2] / "make-anna/built") == (0, [])


def _resize(root: Path) -> None:
    (root / "sample.wav").write_bytes(b"short")


def _change(root: Path) -> None:
    data = (root / "fastpitch.nemo").read_bytes()
    (root / "fastpitch.nemo").write_bytes(data[:-1] + b"x")


@pytest.mark.parametrize(
    "damage",
    [
        _resize,
        _change,
        lambda root: (root / "sample.wav").unlink(),
        lambda root: (root / "more.txt").write_text("x"),
        lambda root: (root / "link").symlink_to("sample.wav"),
        lambda root: [_resize(root), _change(root), (root / "z").write_text("x")],
    ],
)
def test_both_name_the_same_differences(certifiable: Callable[..., Path], damage: Callable[[Path], object]) -> None:
    root = certifiable("anna")
    damage(root)
    code, lines = foreign(root)
    assert code == 1
    assert lines == ours(root)


def test_a_manifest_that_was_edited_does_not_recompute(certifiable: Callable[..., Path]) -> None:
    root = certifiable("anna")
    manifest = json.loads((root / "manifest.json").read_text())
    manifest["provenance"]["source_commit"] = "d" * 40
    (root / "manifest.json").write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")
    assert foreign(root) == (1, ["manifest.json artifact_sha256_mismatch"])
    checked = compare(root).loaded
    assert checked is not None
    assert not checked.artifact_sha256_ok
