"""Envelopes, keys and statements, and a folder compared with what was signed: real keys, no programs."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from voicemill.bundle import packing, signature_check, signing, statements
from voicemill.bundle.contents import Digest
from voicemill.bundle.places import check_replaceable, portable
from voicemill.errors import BundleError, BundleFileError, NotAcceptableError, UsageError

Change = Callable[[dict[str, Any]], object]
FILES = {"a.nemo": "a1" * 32, "b/c.txt": "c2" * 32}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("keys")
    signing.generate_keys(folder / "key.pem", folder / "key.pub.pem")
    return folder / "key.pem", folder / "key.pub.pem"


@pytest.fixture
def digests() -> list[Digest]:
    return [Digest(path, 1, sha256) for path, sha256 in FILES.items()]


def refusal(run: Callable[[], object]) -> str:
    with pytest.raises(NotAcceptableError) as caught:
        run()
    assert caught.value.exit_code == 3
    return caught.value.reason


def test_a_private_key_is_for_its_owner_and_never_overwritten(keys: tuple[Path, Path], tmp_path: Path) -> None:
    private, public = keys
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    for existing in ((private, tmp_path / "p"), (tmp_path / "k", public), (tmp_path / "k", tmp_path / "p", private)):
        with pytest.raises(UsageError) as caught:
            signing.generate_keys(*existing)
        assert caught.value.reason.startswith("key_exists:")
        assert list(tmp_path.iterdir()) == []
    (tmp_path / "dangling").symlink_to("nowhere")
    with pytest.raises(UsageError):
        signing.generate_keys(tmp_path / "dangling", tmp_path / "p")
    with pytest.raises(UsageError) as caught:
        signing.read_private_key(public)
    assert caught.value.reason == f"key_unreadable:{public}"
    with pytest.raises(UsageError):
        signing.read_public_key(private)


def test_only_keys_of_the_one_curve_are_read(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    for other in (ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()):
        (tmp_path / "k").write_bytes(other.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
        (tmp_path / "p").write_bytes(
            other.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
        with pytest.raises(UsageError, match="is not a P-256 key"):
            signing.read_private_key(tmp_path / "k")
        with pytest.raises(UsageError, match="is not a P-256 key"):
            signing.read_public_key(tmp_path / "p")


def signed(keys: tuple[Path, Path], statement: object) -> dict[str, Any]:
    return signing.sign_dsse(statement, signing.read_private_key(keys[0]))  # type: ignore[arg-type]


def test_an_envelope_is_what_it_says(keys: tuple[Path, Path]) -> None:
    public = signing.read_public_key(keys[1])
    made = signed(keys, {"b": 1, "a": "ä"})
    assert signing.verify_dsse(json.dumps(made).encode(), public) == {"a": "ä", "b": 1}
    assert made["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    assert made["verificationMaterial"]["publicKey"]["hint"] == hashlib.sha256(keys[1].read_bytes()).hexdigest()
    assert signing.encoded("ab", b"xyz") == b"DSSEv1 2 ab 3 xyz"
    assert signing.encoded("é", b"") == b"DSSEv1 2 \xc3\xa9 0 "


def edited(made: dict[str, Any], change: Change) -> bytes:
    again = copy.deepcopy(made)
    change(again["dsseEnvelope"])
    return json.dumps(again).encode()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda e: e.update(payloadType="application/a"), "signature_payload_type"),
        (lambda e: e.update(payloadType="text/plain"), "signature_payload_type"),
        (lambda e: e.update(payloadType=None), "signature_payload_type"),
        (lambda e: e.update(signatures=[]), "signature_malformed"),
        (lambda e: e.update(signatures=e["signatures"] * 2), "signature_malformed"),
        (lambda e: e.update(signatures=None), "signature_malformed"),
        (lambda e: e.pop("payload"), "signature_malformed"),
        (lambda e: e.update(payload=e["payload"][:8] + "\n" + e["payload"][8:]), "signature_malformed"),
        (lambda e: e["signatures"][0].update(sig=" " + e["signatures"][0]["sig"]), "signature_malformed"),
        (lambda e: e.update(payload=base64.b64encode(b'{"a": 2}').decode()), "signature_invalid"),
        (lambda e: e["signatures"][0].update(sig=base64.b64encode(b"x").decode()), "signature_invalid"),
    ],
)
def test_a_changed_envelope_is_refused(keys: tuple[Path, Path], change: Change, reason: str) -> None:
    data = edited(signed(keys, {"a": 1}), change)
    assert refusal(lambda: signing.verify_dsse(data, signing.read_public_key(keys[1]))) == reason


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b'{"dsseEnvelope": []}', b"\xff"])
def test_what_is_no_envelope(keys: tuple[Path, Path], data: bytes) -> None:
    assert refusal(lambda: signing.verify_dsse(data, signing.read_public_key(keys[1]))) == "signature_malformed"


def test_another_key_and_another_document(keys: tuple[Path, Path], tmp_path: Path) -> None:
    signing.generate_keys(tmp_path / "k", tmp_path / "p")
    data = json.dumps(signed(keys, {"a": 1})).encode()
    assert refusal(lambda: signing.verify_dsse(data, signing.read_public_key(tmp_path / "p"))) == "signature_invalid"
    listed = json.dumps(signed(keys, [1])).encode()
    assert refusal(lambda: signing.verify_dsse(listed, signing.read_public_key(keys[1]))) == "signature_malformed"


def statement(digests: list[Digest]) -> dict[str, Any]:
    return copy.deepcopy(statements.model_statement("voice_bundle", digests, {}, {}))


def test_a_statement_lists_exactly_the_files(digests: list[Digest]) -> None:
    made = statement(digests)
    signature_check.check_model_statement(made, FILES)
    for present in (
        {**FILES, "new": "0" * 64},
        {"a.nemo": FILES["a.nemo"]},
        {**FILES, "a.nemo": "0" * 64},
        {**FILES, "a.nemo": "f" * 64},
        {},
    ):
        assert refusal(lambda present=present: signature_check.check_model_statement(made, present)) == (
            "signature_mismatch"
        )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda s: s.update(_type="https://in-toto.io/Statement/v0"), "signature_malformed"),
        (lambda s: s.update(predicateType="https://slsa.dev/provenance/v1"), "signature_malformed"),
        (lambda s: s["predicate"]["serialization"].update(method="shards"), "signature_malformed"),
        (lambda s: s["predicate"]["serialization"].update(hash_type="blake2b"), "signature_malformed"),
        (lambda s: s["predicate"]["serialization"].update(allow_symlinks=True), "signature_malformed"),
        (lambda s: s["predicate"]["resources"][0].update(algorithm="sha1"), "signature_mismatch"),
        (lambda s: s["predicate"]["resources"].append(dict(s["predicate"]["resources"][0])), "signature_mismatch"),
        (lambda s: s["predicate"]["resources"].reverse(), "signature_mismatch"),
        (lambda s: s["predicate"].update(resources={}), "signature_mismatch"),
        (lambda s: s["predicate"].update(resources=[1]), "signature_malformed"),
        (lambda s: s["predicate"]["resources"][0].update(digest="zz"), "signature_malformed"),
        (lambda s: s["subject"][0]["digest"].update(sha256="0" * 64), "signature_mismatch"),
        (lambda s: s["subject"].append(s["subject"][0]), "signature_mismatch"),
        (lambda s: s.update(subject=[]), "signature_mismatch"),
        (lambda s: s.pop("subject"), "signature_malformed"),
    ],
)
def test_a_statement_of_another_kind_is_refused(digests: list[Digest], change: Change, reason: str) -> None:
    made = statement(digests)
    change(made)
    assert refusal(lambda: signature_check.check_model_statement(made, FILES)) == reason


def test_files_beside_the_bundle_are_as_they_were(tmp_path: Path) -> None:
    def check(named: object) -> None:
        signature_check._check_beside({"predicate": {statements.BESIDE: named}}, tmp_path)

    (tmp_path / "stability.json").write_bytes(b"x")
    digest = hashlib.sha256(b"x").hexdigest()
    check({})
    check({"stability.json": digest, "certificate.json": None})
    assert refusal(lambda: check({"stability.json": "0" * 64})) == "signature_mismatch"
    assert refusal(lambda: check({"stability.json": "f" * 64})) == "signature_mismatch"
    assert refusal(lambda: check({"stability.json": None})) == "signature_mismatch"
    assert refusal(lambda: check({"certificate.json": digest})) == "signature_missing"
    for unknown in ({"opinions.json": digest}, {"stability.json": digest, "x": None}, [], "stability.json"):
        assert refusal(lambda unknown=unknown: check(unknown)) == "signature_malformed"


def test_provenance_is_of_this_bundle(tmp_path: Path) -> None:
    materials = tmp_path / "voice_bundle.cdx.json"
    materials.write_bytes(b"bom")
    made = {
        "subject": [{"name": path, "digest": {"sha256": sha256}} for path, sha256 in FILES.items()],
        "predicateType": statements.PROVENANCE_PREDICATE,
        "predicate": {
            "runDetails": {
                "byproducts": [{"name": materials.name, "digest": {"sha256": hashlib.sha256(b"bom").hexdigest()}}]
            }
        },
    }

    def check(change: Change = lambda s: None, present: dict[str, str] = FILES) -> None:
        again = copy.deepcopy(made)
        change(again)
        signature_check._check_provenance(again, present, materials)

    check()
    for kind in ("https://slsa.dev/provenance/v0", "https://slsa.dev/provenance/v2"):
        assert refusal(lambda kind=kind: check(lambda s: s.update(predicateType=kind))) == "signature_mismatch"
    assert refusal(lambda: check(present={**FILES, "new": "0" * 64})) == "signature_mismatch"
    assert refusal(lambda: check(lambda s: s["subject"].pop())) == "signature_mismatch"
    assert refusal(lambda: check(lambda s: s.pop("predicate"))) == "signature_malformed"
    materials.write_bytes(b"another")
    assert refusal(check) == "signature_mismatch"
    materials.unlink()
    assert refusal(check) == "signature_missing"
    check(lambda s: s["predicate"]["runDetails"].update(byproducts=[]))


def test_the_time_of_a_bundle() -> None:
    first = datetime(1980, 1, 1, tzinfo=UTC)
    assert packing._moment(first.isoformat()) == int(first.timestamp())
    assert packing._moment("2026-02-24T00:00:00Z") == int(datetime(2026, 2, 24, tzinfo=UTC).timestamp())
    for text in ("1979-12-31T23:59:59+00:00", "2026-02-24T00:00:00", "yesterday", ""):
        with pytest.raises(BundleFileError) as caught:
            packing._moment(text)
        assert caught.value.code == "manifest_invalid"


def test_paths_that_files_may_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert portable(tmp_path / "a/b/c", tmp_path) == "a/b/c"
    assert portable(Path("a/b/c"), tmp_path) == "a/b/c"
    assert portable(Path("a/b/c"), tmp_path / "work") == "a/b/c"
    assert portable(Path("../x/y/z"), tmp_path / "work") == "y/z"
    assert portable(Path("/one/two/three"), tmp_path) == "two/three"


def test_what_may_be_replaced(tmp_path: Path) -> None:
    target = tmp_path / "b"
    check_replaceable(target)
    target.mkdir()
    check_replaceable(target)
    (target / "inner").mkdir()
    check_replaceable(target)
    (target / "inner/other").write_text("")
    refused = [target]
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("b")
    (tmp_path / "dangling").symlink_to("none")
    (tmp_path / "piped").mkdir()
    (tmp_path / "piped/link").symlink_to("none")
    refused += [tmp_path / name for name in ("file", "link", "dangling", "piped")]
    for each in refused:
        with pytest.raises(BundleError) as caught:
            check_replaceable(each)
        assert caught.value.reason == f"output_not_a_bundle:{each.as_posix()}"
    for name in ("manifest.json", "manifest.json.stale"):
        (target / name).write_text("{}")
        check_replaceable(target)
        (target / name).unlink()
