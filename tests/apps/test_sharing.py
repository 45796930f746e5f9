"""Signing, export and import as programs; model-signing and openssl are the other side."""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUNDLE_APP = ROOT / "apps/voice-bundle/voice-bundle.py"
VERIFY_APP = ROOT / "apps/voice-verify/voice-verify.py"
needs_model_signing = pytest.mark.skipif(
    importlib.util.find_spec("model_signing") is None, reason="model-signing is not installed"
)
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
Done = subprocess.CompletedProcess[str]


def start(script: Path | str, *arguments: object, cwd: Path | None = None) -> Done:
    command = [sys.executable, str(script)] if isinstance(script, Path) else [script]
    return subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False, cwd=cwd
    )


class Keys:
    def __init__(self, folder: Path, name: str) -> None:
        self.private, self.public = folder / f"{name}.pem", folder / f"{name}.pub.pem"
        made = start(BUNDLE_APP, "keygen", "--private", self.private, "--public", self.public)
        assert made.returncode == 0, made.stderr


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path, "anna")


@pytest.fixture
def signed(certifiable: Callable[..., Path], keys: Keys) -> Path:
    root = certifiable("anna")
    done = start(BUNDLE_APP, "sign", root, "--key", keys.private)
    assert done.returncode == 0, done.stderr
    return root


def verify(root: Path, keys: Keys, *options: object) -> Done:
    return start(VERIFY_APP, "bundle", root, "--public-key", keys.public, *options)


def test_keys_are_private_and_never_overwritten(keys: Keys) -> None:
    assert stat.S_IMODE(keys.private.stat().st_mode) == 0o600
    before = keys.private.read_bytes()
    again = start(BUNDLE_APP, "keygen", "--private", keys.private, "--public", keys.public)
    assert again.returncode == 1
    assert "key_exists" in again.stderr
    assert keys.private.read_bytes() == before


def test_a_signed_bundle_verifies_wherever_it_lies(signed: Path, keys: Keys, tmp_path: Path) -> None:
    done = verify(signed, keys, "--require-signature")
    assert done.returncode == 0, done.stderr
    assert "GO     Signature" in done.stdout
    moved = tmp_path / "elsewhere"
    shutil.copytree(signed.parent, moved)
    assert verify(moved / signed.name, keys, "--require-signature").returncode == 0


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def _envelope(root: Path, change: Callable[[dict], None]) -> None:
    path = root.parent / "voice_bundle.sig"
    document = json.loads(path.read_text())
    change(document["dsseEnvelope"])
    path.write_text(json.dumps(document))


def _changed_payload(envelope: dict) -> None:
    envelope["payload"] = base64.b64encode(base64.b64decode(envelope["payload"]).replace(b"sample", b"simple")).decode()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda root: _flip(root / "sample.wav"), "signature_mismatch"),
        (lambda root: (root / "extra.txt").write_text("more"), "signature_mismatch"),
        (lambda root: (root / "sample.wav").unlink(), "signature_mismatch"),
        (lambda root: _envelope(root, lambda e: e.update(payloadType="text/plain")), "signature_payload_type"),
        (lambda root: _envelope(root, _changed_payload), "signature_invalid"),
        (lambda root: _envelope(root, lambda e: e.update(signatures=[])), "signature_malformed"),
        (lambda root: _envelope(root, lambda e: e.update(payload="***")), "signature_malformed"),
        (lambda root: _envelope(root, lambda e: e["signatures"][0].update(sig="")), "signature_invalid"),
        (lambda root: (root.parent / "voice_bundle.sig").write_text("{}"), "signature_malformed"),
        (lambda root: (root.parent / "voice_bundle.sig").write_bytes(b"\xff"), "signature_malformed"),
        (lambda root: (root.parent / "voice_bundle.sig").unlink(), "signature_missing"),
    ],
)
def test_a_signature_that_does_not_hold_is_refused(
    signed: Path, keys: Keys, damage: Callable[[Path], object], reason: str
) -> None:
    damage(signed)
    done = verify(signed, keys, "--require-signature")
    assert done.returncode == 3, done.stderr
    assert reason in done.stdout
    assert "Traceback" not in done.stderr


def test_another_key_is_refused_and_no_signature_may_be_forgiven(signed: Path, keys: Keys, tmp_path: Path) -> None:
    other = Keys(tmp_path, "other")
    wrong = verify(signed, other)
    assert wrong.returncode == 3
    assert "signature_invalid" in wrong.stdout
    (signed.parent / "voice_bundle.sig").unlink()
    stripped = verify(signed, keys)
    assert stripped.returncode == 3
    assert "signature_missing" in stripped.stdout
    assert start(VERIFY_APP, "bundle", signed, "--require-signature").returncode == 1


@pytest.mark.parametrize("content", ["", "no key", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_what_is_no_key_is_named(signed: Path, keys: Keys, content: str) -> None:
    keys.public.write_text(content)
    done = verify(signed, keys)
    assert done.returncode == 1
    assert "key_unreadable" in done.stderr
    assert start(BUNDLE_APP, "sign", signed, "--key", keys.public).returncode == 1


@needs_openssl
def test_keys_of_another_curve_are_refused(signed: Path, tmp_path: Path) -> None:
    key = tmp_path / "p384.pem"
    subprocess.run(["openssl", "ecparam", "-name", "secp384r1", "-genkey", "-noout", "-out", key], check=True)
    done = start(BUNDLE_APP, "sign", signed, "--key", key)
    assert done.returncode == 1
    assert "is not a P-256 key" in done.stderr


@needs_openssl
def test_openssl_verifies_our_signature(signed: Path, keys: Keys, tmp_path: Path) -> None:
    envelope = json.loads((signed.parent / "voice_bundle.sig").read_text())["dsseEnvelope"]
    payload = base64.b64decode(envelope["payload"])
    kind = envelope["payloadType"].encode()
    (tmp_path / "signed").write_bytes(b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload))
    (tmp_path / "sig").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
    done = start(
        "openssl", "dgst", "-sha256", "-verify", keys.public, "-signature", tmp_path / "sig", tmp_path / "signed"
    )
    assert done.returncode == 0, done.stderr


@needs_model_signing
def test_model_signing_verifies_ours_and_we_verify_theirs(signed: Path, keys: Keys, tmp_path: Path) -> None:
    tool = [sys.executable, "-m", "model_signing"]
    theirs = subprocess.run(
        [
            *tool,
            "verify",
            "key",
            signed,
            "--signature",
            signed.parent / "voice_bundle.sig",
            "--public_key",
            keys.public,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert theirs.returncode == 0, theirs.stderr
    made = tmp_path / "theirs.sig"
    (signed / "a-b").mkdir()
    (signed / "a-b/x").write_text("1")
    (signed / "a").mkdir()
    (signed / "a/x").write_text("2")
    subprocess.run(
        [*tool, "sign", "key", signed, "--signature", made, "--private_key", keys.private],
        capture_output=True,
        check=True,
    )
    from voicemill.bundle.signature_check import check_signature

    check_signature(signed, made, keys.public, {})
    (signed / "a/x").write_text("3")
    row = start(VERIFY_APP, "bundle", signed, "--public-key", keys.public, "--signature", made)
    assert "signature_mismatch: The bundle differs from the signed one: a/x." in row.stdout


def test_provenance_is_signed_and_names_what_went_in(signed: Path, keys: Keys) -> None:
    from voicemill.bundle.signing import read_public_key, verify_dsse

    statement = verify_dsse((signed.parent / "voice_bundle.provenance.sig").read_bytes(), read_public_key(keys.public))
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    named = {each["name"]: each for each in statement["predicate"]["buildDefinition"]["resolvedDependencies"]}
    assert named["dataset"]["digest"]["sha256"] == "b" * 64
    assert named["voicemill"]["digest"]["gitCommit"] == "c" * 40
    assert named["voicemill/from-scratch"]["annotations"]["weights_license"]
    assert {each["name"] for each in statement["subject"]} >= {"fastpitch.nemo", "manifest.json"}


def test_the_bill_of_materials_is_valid_cyclonedx(signed: Path) -> None:
    text = (signed.parent / "voice_bundle.cdx.json").read_text()
    document = json.loads(text)
    assert [each["name"] for each in document["components"] if each["type"] == "machine-learning-model"] == [
        "fastpitch.nemo"
    ]
    validation = pytest.importorskip("cyclonedx.validation.json", reason="cyclonedx-python-lib is not installed")
    from cyclonedx.schema import SchemaVersion

    assert validation.JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_an_export_is_the_same_bytes_and_comes_back_whole(signed: Path, keys: Keys, tmp_path: Path) -> None:
    assert start(VERIFY_APP, "certify", signed).returncode == 0
    one, two = tmp_path / "one.tar", tmp_path / "two.tar"
    for target in (one, two):
        done = start(BUNDLE_APP, "export", signed, target)
        assert done.returncode == 0, done.stderr
        (signed / "sample.wav").touch()
    assert one.read_bytes() == two.read_bytes()
    with tarfile.open(one) as tar:
        names = tar.getnames()
    assert names == sorted(names)
    assert {"anna/certificate.json", "anna/voice_bundle.sig", "anna/voice_bundle/manifest.json"} <= set(names)

    bundles = tmp_path / "other place"
    done = start(BUNDLE_APP, "import", one, "--output-root", bundles)
    assert done.returncode == 0, done.stderr
    checked = verify(bundles / "anna/voice_bundle", keys, "--require-signature", "--json")
    assert json.loads(checked.stdout)["certifiable"]
    assert start(BUNDLE_APP, "export", bundles / "anna/voice_bundle", two).returncode == 0
    assert one.read_bytes() == two.read_bytes()


def _tar(path: Path, members: list[tuple[tarfile.TarInfo, bytes]], mode: str = "w:") -> Path:
    with tarfile.open(path, mode) as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def _file(name: str) -> tarfile.TarInfo:
    return tarfile.TarInfo(name)


def _kind(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ([(_file("anna/voice_bundle/../../../evil"), b"x")], "unsafe_path"),
        ([(_file("/etc/passwd"), b"x")], "foreign_member"),
        ([(_file("anna/voice_bundle/a"), b"x"), (_file("bert/voice_bundle/a"), b"x")], "foreign_member"),
        ([(_file("anna/other"), b"x")], "foreign_member"),
        ([(_file("anna/voice_bundle/a"), b"x"), (_file("anna/voice_bundle/A"), b"x")], "unsafe_path"),
        ([(_file("anna/voice_bundle/a"), b"x"), (_file("anna/voice_bundle/a"), b"x")], "unsafe_path"),
        ([(_kind("anna/voice_bundle/a", tarfile.SYMTYPE, "/etc/passwd"), b"")], "not_a_regular_file"),
        ([(_kind("anna/voice_bundle/a", tarfile.LNKTYPE, "x"), b"")], "not_a_regular_file"),
        ([(_kind("anna/voice_bundle/a", tarfile.FIFOTYPE), b"")], "not_a_regular_file"),
        ([(_kind("anna/voice_bundle/a", tarfile.CHRTYPE), b"")], "not_a_regular_file"),
        ([], "not_a_tar"),
    ],
)
def test_a_hostile_archive_is_refused_and_leaves_nothing(
    tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]], why: str
) -> None:
    archive = _tar(tmp_path / "evil.tar", members)
    bundles = tmp_path / "bundles"
    done = start(BUNDLE_APP, "import", archive, "--output-root", bundles)
    assert done.returncode == 2, done.stderr
    assert f"import_unsafe:{why}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not bundles.exists() or list(bundles.iterdir()) == []
    assert not (tmp_path / "evil").exists()


def test_a_damaged_archive_never_replaces_a_good_voice(signed: Path, tmp_path: Path) -> None:
    archive = tmp_path / "anna.tar"
    assert start(BUNDLE_APP, "export", signed, archive).returncode == 0
    data = bytearray(archive.read_bytes())
    before = {path.name: path.read_bytes() for path in signed.iterdir()}
    at = data.index(b"RIFF....WAVE")
    data[at] ^= 1
    archive.write_bytes(bytes(data))
    changed = start(BUNDLE_APP, "import", archive, "--output-root", signed.parents[1])
    assert changed.returncode == 2
    assert "checksum_mismatch" in changed.stderr
    archive.write_bytes(bytes(data[: len(data) // 2]))
    assert start(BUNDLE_APP, "import", archive, "--output-root", signed.parents[1]).returncode == 2
    assert {path.name: path.read_bytes() for path in signed.iterdir()} == before


def test_an_import_replaces_voices_only(signed: Path, tmp_path: Path) -> None:
    archive = tmp_path / "anna.tar"
    assert start(BUNDLE_APP, "export", signed, archive).returncode == 0
    home = tmp_path / "home"
    (home / "anna").mkdir(parents=True)
    (home / "anna/thesis.txt").write_text("ten years of work")
    done = start(BUNDLE_APP, "import", archive, "--output-root", home)
    assert done.returncode == 2
    assert "[voice-bundle][error] output_not_a_bundle" in done.stderr
    assert (home / "anna/thesis.txt").read_text() == "ten years of work"


def test_an_imported_dry_run_does_not_replace_a_real_voice(signed: Path, tmp_path: Path) -> None:
    before = (signed / "manifest.json").read_bytes()
    dry = tmp_path / "dry"
    shutil.copytree(signed.parent, dry / "anna")
    manifest = json.loads(before)
    manifest["dry_run"] = True
    (dry / "anna/voice_bundle/manifest.json").write_text(json.dumps(manifest))
    archive = tmp_path / "dry.tar"
    assert start(BUNDLE_APP, "export", dry / "anna/voice_bundle", archive).returncode == 0
    done = start(BUNDLE_APP, "import", archive, "--output-root", signed.parents[1])
    assert done.returncode == 2
    assert "[voice-bundle][error] dry_run_would_replace_real:anna" in done.stderr
    assert (signed / "manifest.json").read_bytes() == before
    assert start(BUNDLE_APP, "import", archive, "--output-root", tmp_path / "elsewhere").returncode == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"created_at": "yesterday"}, "manifest_invalid"),
        ({"created_at": "2026-02-24"}, "manifest_invalid"),
        ({"voice_profile_id": "../../evil"}, "invalid_voice_profile_id"),
    ],
)
def test_a_foreign_manifest_that_makes_no_tar_is_refused(
    signed: Path, tmp_path: Path, changes: dict[str, str], reason: str
) -> None:
    path = signed / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    done = start(BUNDLE_APP, "export", signed, tmp_path / "x.tar")
    assert f"[voice-bundle][error] {reason}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "x.tar").exists()


def test_a_damaged_bundle_is_neither_signed_nor_exported(signed: Path, keys: Keys, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in signed.parent.iterdir() if path.is_file()}
    _flip(signed / "sample.wav")
    for command in (("sign", signed, "--key", keys.private), ("export", signed, tmp_path / "x.tar")):
        done = start(BUNDLE_APP, *command)
        assert done.returncode == 3
        assert "[voice-bundle][error] verification_failed" in done.stderr
        assert "sample.wav (checksum_mismatch)" in done.stderr
    assert {path.name: path.read_bytes() for path in signed.parent.iterdir() if path.is_file()} == before
    assert not (tmp_path / "x.tar").exists()


@pytest.mark.parametrize("name", ["voice_bundle.provenance.sig", "voice_bundle.cdx.json"])
def test_what_is_said_beside_the_signature_holds_too(signed: Path, keys: Keys, name: str) -> None:
    _flip(signed.parent / name)
    done = verify(signed, keys, "--require-signature")
    assert done.returncode == 3
    assert re.search("signature_(mismatch|malformed|invalid|payload_type)", done.stdout)
    (signed.parent / name).unlink()
    stripped = verify(signed, keys)
    assert stripped.returncode == 3
    assert f"signature_missing: {name} is missing" in stripped.stdout


def test_a_signature_that_is_a_pipe_makes_nobody_wait(signed: Path, keys: Keys) -> None:
    (signed.parent / "voice_bundle.sig").unlink()
    os.mkfifo(signed.parent / "voice_bundle.sig")
    done = verify(signed, keys, "--require-signature")
    assert done.returncode == 3
    assert "signature_malformed" in done.stdout


def test_half_a_pair_of_keys_is_no_pair(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    done = start(BUNDLE_APP, "keygen", "--private", tmp_path / "a.pem", "--public", tmp_path / "file/a.pub.pem")
    assert done.returncode == 2
    assert "[voice-bundle][error] not_writable" in done.stderr
    assert not (tmp_path / "a.pem").exists()


@pytest.mark.parametrize("content", [b"", b"no tar", b"\x1f\x8b\x08\x00"])
def test_what_is_no_tar_is_refused(tmp_path: Path, content: bytes) -> None:
    archive = tmp_path / "x.tar"
    archive.write_bytes(content)
    done = start(BUNDLE_APP, "import", archive, "--output-root", tmp_path / "bundles")
    assert done.returncode == 2
    assert "import_unsafe:not_a_tar" in done.stderr
    none = start(BUNDLE_APP, "import", tmp_path / "none.tar")
    assert none.returncode == 1
    assert "import_missing" in none.stderr
