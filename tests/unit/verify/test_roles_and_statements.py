"""What an adversary can do to a bundle: every change of one file or two is refused under a public key."""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import json
import shutil
import struct
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests.unit.verify.conftest import Signed, certify, write_stability

from voicemill.bundle.manifest import artifact_sha256
from voicemill.bundle.signing import generate_keys, read_public_key
from voicemill.bundle.statements import BESIDE, COMPANIONS, sign_bundle
from voicemill.verify import plain_files
from voicemill.verify.checklist import Verification, verify_bundle
from voicemill.verify.rows import MAX_ATTRIBUTION_BYTES, Demand
from voicemill.weights.allowlist import load_allowlist

Change = Callable[[Path], object]


def reseal(root: Path, change: Callable[[dict], object] = lambda manifest: None) -> None:
    """Bring a production manifest in line with the folder, as an adversary would who knows the format."""
    path = root / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"] = [
        {"path": each.name, "bytes": each.stat().st_size, "sha256": hashlib.sha256(each.read_bytes()).hexdigest()}
        for each in sorted(root.iterdir())
        if each != path
    ]
    change(manifest)
    manifest["artifact_sha256"] = artifact_sha256(manifest)
    path.write_text(json.dumps(manifest, indent=2, sort_keys=True))


def rows(verification: Verification) -> dict[str, bool]:
    return {row.key: row.go for row in verification.rows}


@pytest.fixture
def built(voice) -> Path:
    voice.publish()
    return voice.root / "built"


@pytest.mark.parametrize(
    ("change", "row"),
    [
        (lambda root: reseal(root, lambda m: m["weights_refs"].update(vocoder=None)), "allowlist"),
        (lambda root: reseal(root, lambda m: m["weights_refs"].pop("vocoder")), "allowlist"),
        (lambda root: reseal(root, lambda m: m["weights_refs"]["vocoder"].update(license_url=None)), "allowlist"),
        (
            lambda root: reseal(root, lambda m: m["weights_refs"].update(vocoder={
                name: m["weights_refs"][name] for name in ("id", "weights_license", "code_license", "license_url")
            })),
            "allowlist",
        ),
        (lambda root: ((root / "ATTRIBUTION.txt").write_text(""), reseal(root)), "complete"),
        (lambda root: ((root / "ATTRIBUTION.txt").write_text("Made by us alone."), reseal(root)), "complete"),
        (lambda root: ((root / "ATTRIBUTION.txt").write_bytes(b"\xff"), reseal(root)), "complete archives"),
        (lambda root: (shutil.copy(root / "fastpitch.nemo", root / "hifigan.nemo"), reseal(root)), "archives"),
        (lambda root: (shutil.copy(root / "hifigan.nemo", root / "fastpitch.nemo"), reseal(root)), "archives"),
        (lambda root: ((root / "hifigan.nemo").unlink(), reseal(root)), "complete"),
        (lambda root: reseal(root, lambda m: m.update(vocoder="griffin-lim")), "allowlist"),
        (lambda root: reseal(root, lambda m: (m.update(vocoder="griffin-lim"), m["weights_refs"].pop("vocoder"))),
         "allowlist"),
        (lambda root: reseal(root, lambda m: m.update(commit=" ")), "reproducibility"),
    ],
)  # fmt: skip
def test_each_role_demands_its_licence_its_notice_and_its_class(voice, built: Path, change: Change, row: str) -> None:
    assert verify_bundle(built, voice.shipped).ok
    change(built)
    found = verify_bundle(built, voice.shipped)
    assert found.check.ok
    assert not found.ok
    assert [key for key, go in rows(found).items() if not go] == [*row.split(), "casimir"]


def test_the_notice_that_weights_demand_is_in_the_attribution(voice, built: Path) -> None:
    path = built / "ATTRIBUTION.txt"
    text = " ".join(path.read_text().split())
    entries = [each for each in load_allowlist(voice.shipped).allowlist.weights if each.id in text]
    demanded = [" ".join(each.attribution.split()) for each in entries if each.attribution_required]
    assert demanded
    for notice in ("", *demanded):
        path.write_text(text.replace(notice, "") if notice else text)
        reseal(built)
        assert rows(verify_bundle(built, voice.shipped))["complete"] == (not notice), notice


@pytest.mark.parametrize(("more", "go"), [(0, True), (1, False)])
def test_an_attribution_has_a_bound(voice, built: Path, more: int, go: bool) -> None:
    path = built / "ATTRIBUTION.txt"
    path.write_bytes(path.read_bytes().ljust(MAX_ATTRIBUTION_BYTES + more, b" "))
    reseal(built)
    assert rows(verify_bundle(built, voice.shipped))["complete"] == go


@pytest.mark.parametrize(
    "name",
    [
        "x.NEMO", "weights.ckpt", "Model.PTH", "data.PkL", "a.tar.gz", "fastpitch.nemo.txt", "second.onnx",
        "w.SafeTensors", "m.gguf", "a.bat", "page.html", "data.xyz", "Voice.ONNX.txt",
    ],
)  # fmt: skip
def test_listed_files_that_loaders_execute_are_refused(voice, built: Path, name: str) -> None:
    (built / name).write_bytes(b"harmless")
    reseal(built)
    assert not rows(verify_bundle(built, voice.shipped))["archives"]


CODE = (
    b"\x80\x04N.", b"PK\x03\x04rest", b"\x1f\x8b\x08", b"#!/bin/sh\n", b"\xef\xbb\xbf#!/bin/sh\n",
    b"cos\nsystem\n(S'id'\ntR.", b"MZ\x90\x00", b"\x7fELF", b"\x89HDF\r\n\x1a\n", b"\x93NUMPY\x01\x00",
    b"\xcf\xfa\xed\xfe", b"\xfd7zXZ\x00", b"name" + b"\0" * 508, b"GGUF\x03\0\0\0",
)  # fmt: skip


@pytest.mark.parametrize("content", CODE)
@pytest.mark.parametrize("name", ["notes.txt", "LICENSE", "notes.json", "take.wav", "take.flac"])
def test_listed_content_that_is_code_is_refused_under_any_name(voice, built: Path, name: str, content: bytes) -> None:
    (built / name).write_bytes(content)
    reseal(built)
    assert not rows(verify_bundle(built, voice.shipped))["archives"]


@pytest.mark.parametrize("comment", [b"", b"of any length", bytes(0xFFFF)])
@pytest.mark.parametrize(
    ("name", "start"),
    [("take.wav", b"RIFF....WAVE"), ("t.flac", b"fLaC"), ("t.ogg", b"OggS"), ("t.mp3", b"ID3"), ("t.png", b"\x89PNG\r\n\x1a\n")],
)  # fmt: skip
def test_a_sound_or_picture_that_is_a_zip_too_is_refused(
    voice, built: Path, name: str, start: bytes, comment: bytes
) -> None:
    with zipfile.ZipFile(built / name, "w") as other:
        other.writestr("data.pkl", b"cos\nsystem\n(S'id'\ntR.")
        other.comment = comment
    (built / name).write_bytes(start + bytes(100) + (built / name).read_bytes())
    assert zipfile.is_zipfile(built / name)
    reseal(built)
    assert not rows(verify_bundle(built, voice.shipped))["archives"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("NOTICE", "Anna – née Müller\n".encode()), ("notes.TXT", b""), ("a.wav", b"RIFF....WAVE"),
        ("b.wav", b"RIFF....WAVE" + b"PK\x05\x06" * 9 + bytes(16)), ("a.flac", b"fLaC...."), ("a.ogg", b"OggS"), ("notes.md", b"\xef\xbb\xbf# Notes"), ("a.json", b"{}"),
        ("v1.2.txt", b"cos and sin are functions.\n"),
    ],
)  # fmt: skip
def test_plain_files_may_be_added(voice, built: Path, name: str, content: bytes) -> None:
    (built / name).write_bytes(content)
    reseal(built)
    assert verify_bundle(built, voice.shipped).ok


SEALED = {
    "voice_bundle/manifest.json", "voice_bundle/fastpitch.nemo", "voice_bundle/hifigan.nemo", "voice_bundle/voice.onnx",
    "voice_bundle/lexicon.txt", "voice_bundle/sample.wav", "voice_bundle/prod_tts_eval.json",
    "voice_bundle/ATTRIBUTION.txt", "voice_bundle/README.md", "sample.c2pa", "stability.json", "certificate.json", "voice_bundle.cdx.json",
    "voice_bundle.provenance.sig", "voice_bundle.sig",
}  # fmt: skip
"""Every file of a signed bundle and beside it."""
STATEMENTS = {place for place in SEALED if "/" not in place} | {"voice_bundle/manifest.json"}
"""Those that vouch for others: what one of them states could be forged together with another."""


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def attacks(folder: Path, other: Path) -> dict[str, Change]:
    """Every change, removal and addition of one file below `folder`; and the same file of another signed bundle."""
    places = [str(path.relative_to(folder)) for path in sorted(folder.rglob("*")) if path.is_file()]
    found: dict[str, Change] = {}
    for place in places:
        found[f"change {place}"] = lambda root, place=place: flip(root / place)
        found[f"remove {place}"] = lambda root, place=place: (root / place).unlink()
        if (content := (other / place).read_bytes()) != (folder / place).read_bytes():
            found[f"replace {place}"] = lambda root, place=place, content=content: (root / place).write_bytes(content)
    for name in ("x.NEMO", "notes.txt", ".hidden", "voice_bundle.sig", "sample.c2pa", "folder/notes.txt"):

        def add(root: Path, name: str = name) -> None:
            path = root / "voice_bundle" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text("{}")

        found[f"add {name}"] = add
    return found


@pytest.fixture
def attempts(voice, signed: Signed, tmp_path: Path) -> Callable[[Sequence[Change]], Verification]:
    """Verifies a copy of the bundle after some changes."""

    def attempt(changes: Sequence[Change]) -> Verification:
        folder = tmp_path / "attacked"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(signed.root.parent, folder)
        for change in changes:
            with contextlib.suppress(FileNotFoundError):  # another change has removed it
                change(folder)
        return verify_bundle(folder / signed.root.name, voice.shipped, signature=Demand(signed.public_key))

    return attempt


@pytest.fixture
def other(voice, signed: Signed, tmp_path: Path) -> Path:
    """What the same signer made of another training of the same voice."""
    folder = tmp_path / "other"
    shutil.copytree(signed.root.parent, folder)
    root = folder / signed.root.name
    status = voice.status.model_copy(update={"dataset_sha256": "d" * 64})
    kept = signed.root.rename(tmp_path / "kept")
    (voice.root / "sample.wav").write_bytes(b"RIFF.... WAVE")
    shutil.rmtree(root)
    voice.publish(**status.model_dump(include={"artifacts", "weights_used", "dataset_sha256"})).rename(root)
    kept.rename(signed.root)
    for name in ("sample.c2pa", "stability.json", "certificate.json"):
        (folder / name).unlink()
    (folder / "sample.c2pa").write_bytes(b"of another sample")
    write_stability(root, failed=1)
    certify(root)
    sign_bundle(root, signed.key)
    assert verify_bundle(root, voice.shipped, signature=Demand(signed.public_key)).certifiable
    return folder


def test_no_change_of_one_file_passes_under_a_public_key(attempts, signed: Signed, other: Path) -> None:
    assert attempts([]).certifiable
    folder = signed.root.parent
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == SEALED
    single = attacks(folder, other)
    assert len(single) == 2 * len(SEALED) + len(STATEMENTS | {"voice_bundle/sample.wav"}) + 6
    assert [name for name, change in single.items() if attempts([change]).ok] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "several", [STATEMENTS, pytest.param(SEALED, marks=[pytest.mark.exhaustive, pytest.mark.timeout(3600)])],
    ids=["statements", "all files"],
)  # fmt: skip
def test_no_change_of_two_files_passes_under_a_public_key(
    attempts, signed: Signed, other: Path, several: set[str]
) -> None:
    single = {
        name: change
        for name, change in attacks(signed.root.parent, other).items()
        if name.partition(" ")[2] in several or (name.startswith("add ") and several == SEALED)
    }
    assert {name.partition(" ")[2] for name in single} >= several
    tried = itertools.combinations(single, 2)
    assert [chosen for chosen in tried if attempts([single[name] for name in chosen]).ok] == []


def test_what_was_not_there_when_a_bundle_was_signed_is_noticed(voice, speaking_bundle: Path, tmp_path: Path) -> None:
    root, demand = speaking_bundle, Demand(tmp_path / "key.pub.pem")
    generate_keys(tmp_path / "key.pem", tmp_path / "key.pub.pem")
    sign_bundle(root, tmp_path / "key.pem")
    certify(root)
    assert verify_bundle(root, voice.shipped, signature=demand).certifiable, "a certificate is measured again"
    write_stability(root)
    certify(root)
    assert not verify_bundle(root, voice.shipped, signature=demand).ok, "figures that the signer did not see"
    (root.parent / "stability.json").unlink()
    (root.parent / "sample.c2pa").write_bytes(b"of somebody else")
    assert not verify_bundle(root, voice.shipped, signature=demand).ok


@pytest.mark.parametrize("kept", ["both", "companions", "none"])
def test_a_signature_of_an_earlier_version_still_holds(voice, signed: Signed, kept: str) -> None:
    """Earlier versions recorded no files beside the bundle, and at first no companions either."""
    from voicemill import files
    from voicemill.bundle.differences import check_bundle
    from voicemill.bundle.signing import read_private_key, sign_dsse, verify_dsse
    from voicemill.bundle.statements import model_statement

    root, demand, beside = signed.root, Demand(signed.public_key), signed.root.parent
    statement = model_statement(root.name, sorted(check_bundle(root).digests.values()), {})
    present = verify_dsse((beside / "voice_bundle.sig").read_bytes(), read_public_key(signed.public_key))
    for name, of in ((COMPANIONS, ("both", "companions")), (BESIDE, ("both",))):
        statement["predicate"].pop(name, None)
        if kept in of:
            statement["predicate"][name] = present["predicate"][name]
    files.write_json(beside / "voice_bundle.sig", sign_dsse(statement, read_private_key(signed.key)))
    assert verify_bundle(root, voice.shipped, signature=demand).ok
    (beside / "sample.c2pa").unlink()
    assert verify_bundle(root, voice.shipped, signature=demand).ok == (kept != "both")
    (beside / "voice_bundle.provenance.sig").unlink()
    assert not verify_bundle(root, voice.shipped, signature=demand).ok  # nothing covers the bill of materials
    (beside / "voice_bundle.cdx.json").unlink()
    assert verify_bundle(root, voice.shipped, signature=demand).ok == (kept == "none")


def test_a_zip_at_the_end_is_found_whatever_its_comment_is() -> None:
    """The end record may be followed by a comment of up to 65,535 bytes, and begin at the file's first byte."""
    for before in (b"fLaC" + bytes(1000), b"fLaC"):
        for comment in (0, 1, 0xFFFF):
            record = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0, 0, 0, 0, comment)
            found = plain_files.fault("a.flac", io.BytesIO(before + record + bytes(comment)))
            assert found == "it is a zip when read from its end", (len(before), comment)
            assert plain_files.fault("a.flac", io.BytesIO(before + record + bytes(comment + 1))) == ""
    record = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0, 0, 0, 0, 0xFFFF)
    assert plain_files._ends_as_zip(io.BytesIO(record + bytes(0xFFFF)))


def test_a_text_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_files, "MAX_TEXT_BYTES", 1000)
    assert plain_files.fault("a.txt", io.BytesIO(b"x" * 1000)) == ""
    assert plain_files.fault("a.txt", io.BytesIO(b"x" * 1001)) == "it is larger than any text of a voice"
