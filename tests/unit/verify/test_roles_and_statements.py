"""What an adversary can do to a bundle: every change of one file or two is refused under a public key."""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from voicemill.bundle.manifest import artifact_sha256
from voicemill.bundle.signing import generate_keys
from voicemill.bundle.statements import COMPANIONS, sign_bundle
from voicemill.verify.checklist import Verification, verify_bundle
from voicemill.verify.rows import Demand

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
        (lambda root: ((root / "ATTRIBUTION.txt").write_bytes(b"\xff"), reseal(root)), "complete"),
        (lambda root: (shutil.copy(root / "fastpitch.nemo", root / "hifigan.nemo"), reseal(root)), "archives"),
        (lambda root: (shutil.copy(root / "hifigan.nemo", root / "fastpitch.nemo"), reseal(root)), "archives"),
        (lambda root: ((root / "hifigan.nemo").unlink(), reseal(root)), "complete"),
    ],
)  # fmt: skip
def test_each_role_demands_its_licence_its_notice_and_its_class(voice, built: Path, change: Change, row: str) -> None:
    assert verify_bundle(built, voice.shipped).ok
    change(built)
    found = verify_bundle(built, voice.shipped)
    assert found.check.ok
    assert not found.ok
    assert [key for key, go in rows(found).items() if not go] == [row, "casimir"]


@pytest.mark.parametrize("name", ["x.NEMO", "weights.ckpt", "Model.PTH", "data.PkL", "a.tar.gz", "fastpitch.nemo.txt"])
def test_listed_files_that_loaders_execute_are_refused(voice, built: Path, name: str) -> None:
    (built / name).write_bytes(b"harmless")
    reseal(built)
    assert not rows(verify_bundle(built, voice.shipped))["archives"]


@pytest.mark.parametrize("content", [b"\x80\x04N.", b"PK\x03\x04rest", b"\x1f\x8b\x08", b"#!/bin/sh\n"])
def test_listed_content_that_is_code_is_refused_under_any_name(voice, built: Path, content: bytes) -> None:
    (built / "notes.txt").write_bytes(content)
    reseal(built)
    assert not rows(verify_bundle(built, voice.shipped))["archives"]


@pytest.fixture
def signed(voice, tmp_path: Path) -> tuple[Path, Path]:
    """A promoted bundle with signature, provenance and bill of materials; and the public key."""
    root = voice.publish()
    generate_keys(tmp_path / "key.pem", tmp_path / "key.pub.pem")
    sign_bundle(root, tmp_path / "key.pem")
    return root, tmp_path / "key.pub.pem"


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def attacks(root: Path) -> dict[str, Change]:
    """Every change, removal and addition of one file of the bundle or beside it."""
    places = [*(f"{root.name}/{each.name}" for each in root.iterdir()), *(
        each.name for each in root.parent.iterdir() if each.is_file()
    )]  # fmt: skip
    found: dict[str, Change] = {}
    for place in places:
        found[f"change {place}"] = lambda folder, place=place: flip(folder / place)
        found[f"empty {place}"] = lambda folder, place=place: (folder / place).write_bytes(b"")
        found[f"remove {place}"] = lambda folder, place=place: (folder / place).unlink()
    for name in ("x.NEMO", "notes.txt", "voice_bundle.sig"):
        found[f"add {name}"] = lambda folder, name=name: (folder / root.name / name).write_text("{}")
    return found


@pytest.mark.slow
def test_no_change_of_one_file_or_two_passes_under_a_public_key(
    voice, signed: tuple[Path, Path], tmp_path: Path
) -> None:
    root, key = signed
    demand = Demand(key)
    assert verify_bundle(root, voice.shipped, signature=demand).ok
    single = attacks(root)
    assert len(single) == 3 * 9 + 3
    passed = []
    for chosen in [*((each,) for each in single), *itertools.combinations(single, 2)]:
        folder = tmp_path / "attacked"
        shutil.copytree(root.parent, folder)
        try:
            for name in chosen:
                single[name](folder)
        except FileNotFoundError:  # one of the two has removed it
            pass
        if verify_bundle(folder / root.name, voice.shipped, signature=demand).ok:
            passed.append(chosen)
        shutil.rmtree(folder)
    assert passed == []


def test_a_signature_before_companions_were_recorded_still_holds(
    voice, signed: tuple[Path, Path], tmp_path: Path
) -> None:
    from voicemill import files
    from voicemill.bundle.differences import check_bundle
    from voicemill.bundle.signing import read_private_key, sign_dsse
    from voicemill.bundle.statements import model_statement

    root, key = signed
    statement = model_statement(root.name, sorted(check_bundle(root).digests.values()), {})
    del statement["predicate"][COMPANIONS]
    files.write_json(root.parent / "voice_bundle.sig", sign_dsse(statement, read_private_key(tmp_path / "key.pem")))
    demand = Demand(key)
    assert verify_bundle(root, voice.shipped, signature=demand).ok
    (root.parent / "voice_bundle.provenance.sig").unlink()
    assert not verify_bundle(root, voice.shipped, signature=demand).ok  # nothing vouches for the bill of materials
    (root.parent / "voice_bundle.cdx.json").unlink()
    assert verify_bundle(root, voice.shipped, signature=demand).ok
