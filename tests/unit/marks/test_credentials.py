"""Signed metadata: read by C2PA's own reader, tampered with, with other chains, and absent."""

from __future__ import annotations

import io
import json
from pathlib import Path

import c2pa
import numpy as np
import pytest
import soundfile

from voicemill.errors import UsageError
from voicemill_marks.anchors import read_anchors
from voicemill_marks.credentials import CLAIMS, SOURCE_TYPE, read_credentials, sidecar, signed
from voicemill_marks.origin import Origin
from voicemill_marks.signer import CHAIN_VARIABLE, KEY_VARIABLE, MarkSigner, self_made_chain
from voicemill_runtime.sound_files import marked_bytes, sound_bytes

ORIGIN = Origin("anna", "ab" * 32, "cd" * 32, "ef" * 32, ("CC-BY-4.0",))
RATE = 22_050
SOUND = (0.1 * np.sin(np.arange(RATE) / 9)).astype(np.float32)


@pytest.fixture(scope="module")
def signer() -> MarkSigner:
    return MarkSigner.make("studio of Anna")


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3"])
def test_c2pas_own_reader_finds_the_claims(suffix: str, signer: MarkSigner, tmp_path: Path) -> None:
    path = write(tmp_path / f"speech{suffix}", marked_bytes(SOUND, RATE, suffix, ORIGIN, signer))
    with c2pa.Reader(str(path)) as reader:
        store = json.loads(reader.json())
        assert reader.get_validation_state() == "Valid"
    manifest = store["manifests"][store["active_manifest"]]
    assertions = {each["label"]: each["data"] for each in manifest["assertions"]}
    assert assertions["c2pa.actions.v2"]["actions"][0]["digitalSourceType"] == SOURCE_TYPE
    assert assertions[CLAIMS]["voice"] == "anna"
    assert assertions[CLAIMS]["bundle_manifest_sha256"] == "cd" * 32
    assert manifest["signature_info"]["common_name"] == "studio of Anna"
    samples, _ = soundfile.read(path)
    assert np.abs(samples[: SOUND.size] - SOUND).max() < (2e-4 if suffix != ".mp3" else 1.0)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".ogg", ".opus"])
def test_comments_for_players(suffix: str, signer: MarkSigner) -> None:
    with soundfile.SoundFile(io.BytesIO(marked_bytes(SOUND, RATE, suffix, ORIGIN, signer))) as file:
        assert file.artist == "anna"
        assert "Synthetic speech" in file.comment


def test_our_reader_says_who_signed_and_what(signer: MarkSigner, tmp_path: Path) -> None:
    found = read_credentials(write(tmp_path / "a.wav", marked_bytes(SOUND, RATE, ".wav", ORIGIN, signer)))
    assert found is not None
    assert found.valid
    assert found.synthetic
    assert found.self_made
    assert found.signer == "studio of Anna"
    assert found.claims["certificate_hash"] == "ef" * 32
    assert found.claims["licences"] == ["CC-BY-4.0"]


@pytest.mark.parametrize("where", [0.2, 0.5, 0.9])
def test_one_changed_bit_of_the_sound_is_noticed(where: float, signer: MarkSigner, tmp_path: Path) -> None:
    data = bytearray(marked_bytes(SOUND, RATE, ".wav", ORIGIN, signer))
    start = data.index(b"data") + 8
    data[start + int(where * SOUND.size * 2)] ^= 1
    found = read_credentials(write(tmp_path / "a.wav", bytes(data)))
    assert found is not None
    assert not found.valid
    assert found.faults


def test_claims_of_another_sound_are_noticed(signer: MarkSigner, tmp_path: Path) -> None:
    one = marked_bytes(SOUND, RATE, ".wav", ORIGIN, signer)
    other = sound_bytes(SOUND * np.float32(0.5), RATE, ".wav", ORIGIN)
    start, size = one.index(b"data") + 8, SOUND.size * 2
    swapped = one[:start] + other[other.index(b"data") + 8 :][:size] + one[start + size :]
    assert len(swapped) == len(one)
    found = read_credentials(write(tmp_path / "a.wav", swapped))
    assert found is not None
    assert not found.valid


def test_the_manifest_of_another_sound_is_noticed(signer: MarkSigner, tmp_path: Path) -> None:
    """The signed chunk of one file in place of the other's: both signatures are genuine."""
    one = marked_bytes(SOUND, RATE, ".wav", ORIGIN, signer)
    other = marked_bytes(SOUND[::-1].copy(), RATE, ".wav", ORIGIN, signer)
    swapped = without_chunk(one, b"C2PA") + chunk(other, b"C2PA")
    swapped = swapped[:4] + (len(swapped) - 8).to_bytes(4, "little") + swapped[8:]
    found = read_credentials(write(tmp_path / "a.wav", swapped))
    assert found is not None
    assert not found.valid
    write(tmp_path / "b.ogg", sound_bytes(SOUND, RATE, ".ogg", ORIGIN))
    write(tmp_path / "b.c2pa", sidecar(sound_bytes(SOUND[::-1].copy(), RATE, ".ogg", ORIGIN), ORIGIN, signer))
    beside = read_credentials(tmp_path / "b.ogg")
    assert beside is not None
    assert not beside.valid


def chunk(data: bytes, name: bytes) -> bytes:
    """A chunk of a RIFF file, with its header."""
    start = data.index(name)
    size = int.from_bytes(data[start + 4 : start + 8], "little")
    return data[start : start + 8 + size + size % 2]


def without_chunk(data: bytes, name: bytes) -> bytes:
    """A RIFF file without a chunk."""
    return data.replace(chunk(data, name), b"")


def test_stripped_metadata_leaves_nothing_to_read(signer: MarkSigner, tmp_path: Path) -> None:
    stripped = without_chunk(marked_bytes(SOUND, RATE, ".wav", ORIGIN, signer), b"C2PA")
    stripped = stripped[:4] + (len(stripped) - 8).to_bytes(4, "little") + stripped[8:]
    path = write(tmp_path / "a.wav", stripped)
    assert read_credentials(path) is None
    samples, _ = soundfile.read(path)
    assert samples.size == SOUND.size


def test_a_signature_of_an_expired_certificate_does_not_become_verified(tmp_path: Path, signer: MarkSigner) -> None:
    """What another program signed with an expired certificate, for which our signer refuses to open."""
    late = MarkSigner(signer.key, self_made_chain(signer.key.public_key(), "late", days=-1))
    try:
        data = marked_bytes(SOUND, RATE, ".wav", ORIGIN, late)
    except c2pa.C2paError:
        return  # the library refuses it as well
    found = read_credentials(write(tmp_path / "a.wav", data), root_of(late))
    assert found is not None
    assert not found.trusted


def test_a_file_without_metadata_has_none(signer: MarkSigner, tmp_path: Path) -> None:
    assert read_credentials(write(tmp_path / "a.wav", sound_bytes(SOUND, RATE, ".wav"))) is None
    assert read_credentials(write(tmp_path / "a.ogg", marked_bytes(SOUND, RATE, ".ogg", ORIGIN, signer))) is None
    assert read_credentials(write(tmp_path / "empty.wav", b"")) is None
    assert read_credentials(write(tmp_path / "notes.txt", b"no sound")) is None


def test_a_damaged_manifest_is_invalid_or_absent(signer: MarkSigner, tmp_path: Path) -> None:
    data = bytearray(marked_bytes(SOUND, RATE, ".wav", ORIGIN, signer))
    start = data.index(b"C2PA") + 40
    data[start : start + 200] = bytes(200)
    found = read_credentials(write(tmp_path / "a.wav", bytes(data)))
    assert found is None or not found.valid


def test_an_expired_certificate_is_refused_by_name(tmp_path: Path, signer: MarkSigner) -> None:
    key, chain = tmp_path / "key.pem", tmp_path / "chain.pem"
    MarkSigner(signer.key, self_made_chain(signer.key.public_key(), "late", days=-1)).save(key, chain)
    with pytest.raises(UsageError, match="has expired") as caught:
        MarkSigner.open(key, chain)
    assert caught.value.reason == f"chain_expired:{chain}"


def test_a_chain_of_another_key_is_refused(tmp_path: Path, signer: MarkSigner) -> None:
    other = MarkSigner.make()
    MarkSigner(signer.key, other.chain).save(tmp_path / "key.pem", tmp_path / "chain.pem")
    with pytest.raises(UsageError, match="another key") as caught:
        MarkSigner.open(tmp_path / "key.pem", tmp_path / "chain.pem")
    assert caught.value.reason.startswith("chain_of_another_key:")


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_key_is_refused(content: bytes, tmp_path: Path, signer: MarkSigner) -> None:
    signer.save(tmp_path / "key.pem", tmp_path / "chain.pem")
    (tmp_path / "key.pem").write_bytes(content)
    with pytest.raises(UsageError, match="not a private key"):
        MarkSigner.open(tmp_path / "key.pem", tmp_path / "chain.pem")


@pytest.mark.parametrize("content", [b"", b"no certificates", "Zertifikat für Anna".encode()])
def test_a_chain_without_certificates_is_refused(content: bytes, tmp_path: Path, signer: MarkSigner) -> None:
    signer.save(tmp_path / "key.pem", tmp_path / "chain.pem")
    (tmp_path / "chain.pem").write_bytes(content)
    with pytest.raises(UsageError, match="holds no certificates") as caught:
        MarkSigner.open(tmp_path / "key.pem", tmp_path / "chain.pem")
    assert caught.value.reason.startswith("chain_unreadable:")


def test_the_self_made_signer_is_kept_and_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    monkeypatch.delenv(CHAIN_VARIABLE, raising=False)
    first = MarkSigner.find(tmp_path / "marks")
    assert MarkSigner.find(tmp_path / "marks").chain == first.chain
    assert first.chain.count("BEGIN CERTIFICATE") == 2
    assert (tmp_path / "marks/marks.key.pem").stat().st_mode & 0o777 == 0o600


def test_a_key_without_its_chain_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, str(tmp_path / "key.pem"))
    monkeypatch.delenv(CHAIN_VARIABLE, raising=False)
    with pytest.raises(UsageError) as caught:
        MarkSigner.find(tmp_path)
    assert caught.value.code == "marks_key_without_chain"


def test_an_operators_chain_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signer: MarkSigner) -> None:
    signer.save(tmp_path / "key.pem", tmp_path / "chain.pem")
    monkeypatch.setenv(KEY_VARIABLE, str(tmp_path / "key.pem"))
    monkeypatch.setenv(CHAIN_VARIABLE, str(tmp_path / "chain.pem"))
    assert MarkSigner.find(tmp_path / "unused").chain == signer.chain
    assert not (tmp_path / "unused").exists()


def test_ogg_is_returned_as_it_is(signer: MarkSigner) -> None:
    assert signed(b"OggS", ".ogg", ORIGIN, signer) == b"OggS"


def root_of(signer: MarkSigner) -> str:
    """The certificate of the issuer."""
    return signer.chain[signer.chain.rindex("-----BEGIN CERTIFICATE-----") :]


def test_only_a_chain_under_a_trusted_anchor_is_verified(signer: MarkSigner, tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", marked_bytes(SOUND, RATE, ".wav", ORIGIN, signer))
    impostor = write(tmp_path / "b.wav", marked_bytes(SOUND, RATE, ".wav", ORIGIN, MarkSigner.make("studio of Anna")))
    anchors = root_of(signer)
    for file, trusted in ((path, True), (impostor, False)):
        found = read_credentials(file, anchors)
        assert found is not None
        assert found.valid
        assert (found.signer, found.trusted) == ("studio of Anna", trusted)
        without = read_credentials(file)
        assert without is not None
        assert without.valid
        assert not without.trusted


def test_a_chain_that_does_not_say_who_made_it_is_not_trusted_either(tmp_path: Path, signer: MarkSigner) -> None:
    chain = chain_of(signer, organisation="DigiCert Inc")
    path = write(tmp_path / "a.wav", marked_bytes(SOUND, RATE, ".wav", ORIGIN, MarkSigner(signer.key, chain)))
    found = read_credentials(path, root_of(signer))
    assert found is not None
    assert not found.self_made
    assert not found.trusted


def chain_of(signer: MarkSigner, organisation: str) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("voicemill_marks.signer.SELF_MADE", organisation)
        return self_made_chain(signer.key.public_key(), "studio of Anna")


def test_a_trusted_signature_of_a_changed_sound_does_not_hold(tmp_path: Path, signer: MarkSigner) -> None:
    data = bytearray(marked_bytes(SOUND, RATE, ".wav", ORIGIN, signer))
    data[data.index(b"data") + 1000] ^= 1
    found = read_credentials(write(tmp_path / "a.wav", bytes(data)), root_of(signer))
    assert found is not None
    assert not found.valid
    assert not found.trusted


def test_a_chain_whose_certificates_do_not_belong_together_is_refused(tmp_path: Path, signer: MarkSigner) -> None:
    own = signer.chain[: signer.chain.index("-----BEGIN", 10)]
    MarkSigner(signer.key, own + root_of(MarkSigner.make("studio of Anna"))).save(
        tmp_path / "k.pem", tmp_path / "c.pem"
    )
    with pytest.raises(UsageError, match="did not issue") as caught:
        MarkSigner.open(tmp_path / "k.pem", tmp_path / "c.pem")
    assert caught.value.reason == f"chain_broken:{tmp_path / 'c.pem'}"


@pytest.mark.parametrize("content", [b"", b"no certificates", b"\xff\xfe"])
def test_anchors_without_certificates_are_refused(content: bytes, tmp_path: Path) -> None:
    path = write(tmp_path / "trust.pem", content)
    with pytest.raises(UsageError, match="no trusted certificates") as caught:
        read_anchors(path)
    assert caught.value.reason == f"trust_unreadable:{path}"


@pytest.mark.parametrize("suffix", [".ogg", ".opus", ".wav"])
def test_a_manifest_beside_the_sound(suffix: str, signer: MarkSigner, tmp_path: Path) -> None:
    data = sound_bytes(SOUND, RATE, suffix, ORIGIN)
    path = write(tmp_path / f"speech{suffix}", data)
    write(tmp_path / "speech.c2pa", sidecar(data, ORIGIN, signer))
    found = read_credentials(path, root_of(signer))
    assert found is not None
    assert found.valid
    assert found.trusted
    assert found.claims["voice"] == "anna"
    write(path, data[:-20] + bytes(20))
    changed = read_credentials(path)
    assert changed is not None
    assert not changed.valid


@pytest.mark.parametrize("content", [b"", b"no manifest", bytes(5000)])
def test_what_is_no_manifest_beside_the_sound_is_invalid_or_absent(content: bytes, tmp_path: Path) -> None:
    path = write(tmp_path / "speech.ogg", sound_bytes(SOUND, RATE, ".ogg"))
    write(tmp_path / "speech.c2pa", content)
    found = read_credentials(path)
    assert found is None or not found.valid
