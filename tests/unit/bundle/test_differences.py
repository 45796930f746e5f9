from __future__ import annotations

import json
import os
import shutil

import pytest

from voicemill.bundle.differences import KINDS, check_bundle, compare
from voicemill.errors import NotAcceptableError, UsageError


def codes(root) -> list[tuple[str, str, str]]:
    return [(each.path, each.code, each.kind) for each in compare(root).differences]


def test_an_untouched_bundle_has_none_here_or_elsewhere(voice, tmp_path):
    root = voice.publish()
    assert codes(root) == []
    assert check_bundle(root).ok
    moved = tmp_path / "elsewhere"
    shutil.copytree(root, moved)
    shutil.rmtree(root)
    assert codes(moved) == []
    assert codes(voice.root / "built") == []


def test_every_difference_is_named_and_sorted(voice):
    root = voice.publish()
    (root / "hifigan.nemo").unlink()
    (root / "sample.wav").write_bytes(b"RIFF,,,,WAVE")
    (root / "prod_tts_eval.json").write_text("{}")
    (root / "zz.txt").write_text("extra")
    (root / "empty").mkdir()
    (root / "fastpitch.nemo").rename(root / "real.nemo")
    (root / "fastpitch.nemo").symlink_to("real.nemo")
    os.mkfifo(root / "pipe")
    assert [row for row in codes(root) if row[0] != "fastpitch.nemo"] == [
        ("empty/", "unlisted_file", "extra"),
        ("hifigan.nemo", "required_file_missing", "missing"),
        ("pipe", "not_a_regular_file", "unsafe"),
        ("prod_tts_eval.json", "bytes_mismatch", "changed"),
        ("real.nemo", "unlisted_file", "extra"),
        ("sample.wav", "checksum_mismatch", "changed"),
        ("zz.txt", "unlisted_file", "extra"),
    ]
    assert {row[1] for row in codes(root) if row[0] == "fastpitch.nemo"} == {"not_a_regular_file"}
    with pytest.raises(NotAcceptableError) as caught:
        check_bundle(root)
    assert (caught.value.reason, caught.value.exit_code) == ("verification_failed", 3)
    assert "hifigan.nemo" in str(caught.value)


def test_one_flipped_bit_in_each_file_in_turn(voice):
    root = voice.publish()
    for path in sorted(root.iterdir()):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(bytes(data))
        found = codes(root)
        if path.name != "manifest.json":
            assert found == [(path.name, "checksum_mismatch", "changed")]
        data[len(data) // 2] ^= 1
        path.write_bytes(bytes(data))
    assert codes(root) == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (None, "manifest_missing"),
        ("{", "manifest_invalid"),
        ('{"bundle_version": "voice_bundle/1"}', "manifest_invalid"),
        ('{"bundle_version": "x"}', "manifest_invalid"),
    ],
)
def test_manifests_that_cannot_be_read(voice, text, code):
    root = voice.publish()
    (root / "manifest.json").unlink()
    if text is not None:
        (root / "manifest.json").write_text(text)
    assert [row[:2] for row in codes(root)] == [("manifest.json", code)]


def test_a_manifest_that_is_a_link_or_lists_unsafe_paths(voice):
    root = voice.publish()
    manifest = json.loads((root / "manifest.json").read_text())
    manifest["files"][0]["path"] = "../../etc/passwd"
    (root / "manifest.json").write_text(json.dumps(manifest))
    assert [row[1] for row in codes(root)] == ["unsafe_path"]
    (root / "manifest.json").rename(voice.root / "real.json")
    (root / "manifest.json").symlink_to(voice.root / "real.json")
    assert [row[:2] for row in codes(root)] == [("manifest.json", "not_a_regular_file")]


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(UsageError) as caught:
        compare(tmp_path / "none")
    assert caught.value.reason.startswith("bundle_not_found:")


def test_every_code_of_the_contract_has_a_kind():
    assert set(KINDS) == {
        "manifest_missing",
        "manifest_invalid",
        "required_file_missing",
        "bytes_mismatch",
        "checksum_mismatch",
        "unlisted_file",
        "unsafe_path",
        "not_a_regular_file",
    }


def test_a_file_of_another_size_is_never_hashed(training, monkeypatch):
    from voicemill.bundle import contents
    from voicemill.bundle.differences import compare

    root = training.build().root
    with (root / "sample.wav").open("ab") as handle:
        handle.truncate(1 << 40)  # sparse
    hashed = []
    digest = contents.hashlib.file_digest
    monkeypatch.setattr(
        contents.hashlib, "file_digest", lambda handle, name: hashed.append(handle) or digest(handle, name)
    )
    assert [(each.path, each.code) for each in compare(root).differences] == [("sample.wav", "bytes_mismatch")]
    assert len(hashed) == len(list(root.iterdir())) - 1


def test_an_exported_voice_is_read_strictly(training, tmp_path):
    import tarfile

    from voicemill.bundle.packing import export_bundle, import_bundle
    from voicemill.errors import BundleError

    training.build(extra_files=())
    root = training.promote().root
    long = "x" * 150 + ".txt"
    export_bundle(root, tmp_path / "anna.tar")
    data = (tmp_path / "anna.tar").read_bytes()
    import_bundle(tmp_path / "anna.tar", tmp_path / "there")

    huge = tarfile.TarInfo("anna/voice_bundle/a")
    huge.type, huge.size = tarfile.XHDTYPE, 3 << 30
    pax = tarfile.TarInfo(f"anna/{long}").tobuf(tarfile.PAX_FORMAT)[:1024]
    for hostile in (
        data + b"x" * 512,
        data + data,
        b"PK\x03\x04" + data,
        huge.tobuf(tarfile.USTAR_FORMAT) + data,
        pax + pax + data,
        data[: len(data) // 2],
    ):
        (tmp_path / "evil.tar").write_bytes(hostile)
        with pytest.raises(BundleError) as caught:
            import_bundle(tmp_path / "evil.tar", tmp_path / "other")
        assert caught.value.reason == "import_unsafe:not_a_tar"
    assert not list((tmp_path / "other").glob("*"))
