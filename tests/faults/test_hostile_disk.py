"""Files that change, cannot be read or do not fit, while a bundle is checked or published."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from voicemill.bundle.differences import compare
from voicemill.bundle.statements import sign_bundle

from .conftest import APPS, EPOCH, FAIL_FROM, OPEN, READ, SWAP, Driver, Fault, litter

BUNDLE = APPS / "voice-bundle/voice-bundle.py"
VERIFY = APPS / "voice-verify/voice-verify.py"
PROMOTED = Path("bundles/anna/voice_bundle")
Fresh = Callable[[], Path]
SWAPPED = {
    "promote": ((BUNDLE, "promote", "--voice", "bert", "--display-name", "Bert"), "checkpoints/prod_tts_voice_bundle"),
    "export": ((BUNDLE, "export", PROMOTED, "anna.tar"), str(PROMOTED)),
    "certify": ((VERIFY, "certify", PROMOTED), str(PROMOTED)),
    "verify": ((VERIFY, "bundle", PROMOTED), str(PROMOTED)),
    "sign": ((BUNDLE, "sign", PROMOTED, "--key", "anna.pem"), str(PROMOTED)),
}


@pytest.mark.parametrize("name", ["manifest.json", "prod_tts_eval.json", "fastpitch.nemo", "sample.wav"])
@pytest.mark.parametrize("what", sorted(SWAPPED))
def test_a_file_that_is_swapped_between_two_looks_at_it_is_never_used(
    driver: Driver, work: Fresh, what: str, name: str
) -> None:
    """At each opening in turn another file takes its place; what is accepted then is only the first one."""
    argv, folder = SWAPPED[what]
    root = work()
    honest = driver(root, *argv, fault=Fault(OPEN, suffix=f"{folder}/{name}"), SOURCE_DATE_EPOCH=EPOCH)
    assert honest.code == 0, honest.stderr
    assert honest.seen >= 1, "nothing opens it, so nothing is tested"
    # Before its first opening a manifest is simply another bundle's, which may be right in itself.
    for at in range(2 if name == "manifest.json" else 1, honest.seen + 1):
        root = work()
        decoy = root / "decoy"
        # as long as the real one, and for the JSON files as valid
        data = bytearray((root / folder / name).read_bytes())
        at_byte = data.rindex(b"0.5") + 2 if name == "prod_tts_eval.json" else len(data) // 2
        data[at_byte] = ord("4") if data[at_byte] != ord("4") else ord("3")
        decoy.write_bytes(bytes(data))
        fault = Fault(OPEN, SWAP, at, suffix=f"{folder}/{name}", decoy=str(decoy))
        done = driver(root, *argv, fault=fault, SOURCE_DATE_EPOCH=EPOCH)
        assert not decoy.exists(), "the swap took place"
        assert done.code in (2, 3), (at, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        assert not (root / "anna.tar").exists()
        assert not (root / "bundles/anna/certificate.json").exists()
        assert not (root / "bundles/anna/voice_bundle.sig").exists()
        assert not (root / "bundles/bert/voice_bundle").exists()


@pytest.mark.slow
def test_a_file_that_cannot_be_read_is_named_and_never_counts_as_right(driver: Driver, work: Fresh) -> None:
    root = work()
    for argv in ((VERIFY, "bundle", PROMOTED), (BUNDLE, "export", PROMOTED, "x.tar"), (BUNDLE, "import", "d.tar")):
        calls = driver(root, *argv, fault=Fault(READ)).seen
        assert calls > 3
        for at in range(1, calls + 1):
            root = work()
            done = driver(root, *argv, fault=Fault(READ, FAIL_FROM, at))
            assert done.code in (2, 3), (argv, at, done.stdout, done.stderr)
            assert "Traceback" not in done.stderr
            assert not (root / "x.tar").exists()
            assert compare(root / PROMOTED).ok
            assert litter(root) == []
    done = driver(root, VERIFY, "bundle", PROMOTED, fault=Fault(READ, FAIL_FROM, 1, suffix="sample.wav"))
    assert done.code == 2
    assert done.stderr.startswith("[voice-verify][error] not_readable:")
    assert f"Cannot read {PROMOTED}/sample.wav: Input/output error." in done.stderr


@pytest.mark.slow
def test_one_flipped_bit_in_each_file_of_a_voice_is_found(driver: Driver, work: Fresh) -> None:
    """The bundle's files and what lies beside them; when a certificate was issued, and by whom, are remarks."""
    root = work()
    assert driver(root, VERIFY, "certify", PROMOTED).code == 0
    sign_bundle(root / PROMOTED, root / "anna.pem")
    check = (VERIFY, "bundle", PROMOTED, "--public-key", "anna.pub.pem", "--require-signature", "--json")
    honest = driver(root, *check)
    assert (honest.code, json.loads(honest.stdout)["certifiable"]) == (0, True)
    voice = root / "bundles/anna"
    names = {path.name for path in voice.rglob("*") if path.is_file()}
    assert names >= {"certificate.json", "voice_bundle.cdx.json", "voice_bundle.provenance.sig", "manifest.json"}
    for path in sorted(path for path in voice.rglob("*") if path.is_file()):
        whole = path.read_bytes()
        remarks = [whole.find(word) for word in (b'"issued_at"', b'"issued_by"')]
        for position in sorted({0, len(whole) // 3, len(whole) // 2, len(whole) * 2 // 3, len(whole) - 1}):
            if any(0 <= position - start < 60 for start in remarks if start >= 0):
                continue
            data = bytearray(whole)
            data[position] ^= 1
            path.write_bytes(bytes(data))
            found = driver(root, *check)
            assert found.stdout == "" or not json.loads(found.stdout)["certifiable"], (path, position)
            assert "Traceback" not in found.stderr
            path.write_bytes(whole)
    assert driver(root, *check).stdout == honest.stdout


def _may_mount() -> bool:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    trial = ["unshare", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]
    return subprocess.run(trial, capture_output=True, check=False).returncode == 0


def limited(root: Path, script: str, *argv: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in `root` as `"$@"` of a shell script that sets its limits."""
    return subprocess.run(
        ["bash", "-c", script, "_", sys.executable, *map(str, argv)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=root,
        env={**os.environ, "WORK_DIR": str(root), **environment},
    )


@pytest.mark.skipif(not _may_mount(), reason="needs root and the right to mount")
@pytest.mark.parametrize(
    "size", [*(pytest.param(size, marks=pytest.mark.slow) for size in ("4k", "8k", "12k", "16k")), "20k"]
)
def test_a_small_disk_gets_a_whole_bundle_or_none(work: Fresh, tmp_path: Path, size: str) -> None:
    root = work()
    disk, left = tmp_path / "disk", tmp_path / "left"
    disk.mkdir()
    script = (
        f'mount -t tmpfs -o size={size} tmpfs "{disk}" && "$@"; code=$?; cp -a "{disk}" "{left}" || true; exit $code'
    )
    namespace = f"unshare --mount bash -c '{script}' _ \"$@\""
    done = limited(root, namespace, BUNDLE, "import", "d.tar", "--output-root", disk)
    if done.returncode == 0:
        assert compare(left / "anna/voice_bundle").ok
    else:
        assert done.returncode == 2, done.stderr
        assert "[voice-bundle][error] disk_full" in done.stderr
        assert "Traceback" not in done.stderr
        assert [path for path in left.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ('ulimit -f 1; exec "$@"', "not_writable"),
        ('exec prlimit --fsize=1000 "$@"', "not_writable"),
        ('exec prlimit --nofile=6 "$@"', "not_"),
    ],
)
def test_a_limit_of_the_process_is_named_and_the_old_bundle_stays(work: Fresh, script: str, reason: str) -> None:
    root = work()
    before = (root / PROMOTED / "manifest.json").read_bytes()
    done = limited(root, script, BUNDLE, "import", "d.tar")
    assert done.returncode == 2, done.stderr
    assert f"[voice-bundle][error] {reason}" in done.stderr
    assert "Traceback" not in done.stderr
    assert (root / PROMOTED / "manifest.json").read_bytes() == before
    assert compare(root / PROMOTED).ok
    again = limited(root, 'exec "$@"', BUNDLE, "import", "d.tar")
    assert again.returncode == 0, again.stderr
    assert litter(root) == []
