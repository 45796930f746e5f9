"""Exported voices from elsewhere: one way to read the tar, for us and for every other program."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voicemill.bundle.packing import export_bundle, import_bundle
from voicemill.errors import BundleError, UsageError, VoicemillError

Members = list[tuple[tarfile.TarInfo, bytes]]


@pytest.fixture
def exported(voice, tmp_path: Path) -> Path:
    """A promoted voice as a tar."""
    target = tmp_path / "voice.tar"
    export_bundle(voice.publish(), target)
    return target


def members(path: Path) -> Members:
    with tarfile.open(path) as tar:
        return [(info, tar.extractfile(info).read()) for info in tar]


def rewritten(path: Path, change: Callable[[Members], object], **options: object) -> Path:
    """The tar with its members changed, as Python's tarfile writes it."""
    found = members(path)
    change(found)
    with tarfile.open(path, "w:", **{"format": tarfile.PAX_FORMAT} | options) as tar:
        for info, data in found:
            tar.addfile(info, io.BytesIO(data))
    return path


def refused(path: Path) -> str:
    folder = path.parent / "imported"
    with pytest.raises(BundleError) as caught:
        import_bundle(path, folder)
    assert not folder.exists() or not any(folder.iterdir())
    return caught.value.reason


def test_the_tar_of_an_export_is_accepted_also_when_another_program_wrote_it(exported: Path, tmp_path: Path) -> None:
    rewritten(exported, lambda found: None, format=tarfile.GNU_FORMAT)
    root = import_bundle(exported, tmp_path / "imported").root
    name = f"{root.parent.name}/{root.name}/"
    assert {path.name: path.read_bytes() for path in root.iterdir()} == {
        info.name.removeprefix(name): data for info, data in members(exported)
    }


HEADERS = [
    {"path": "../evil"}, {"path": "/etc/passwd"}, {"path": "a/b\0c"}, {"path": ""}, {"linkpath": "x"}, {"size": "-1"},
    {"size": "0x10"}, {"size": "9" * 15}, {"size": "1e3"}, {"GNU.sparse.map": "0,1"}, {"GNU.sparse.name": "x"},
    {"GNU.sparse.realsize": "9"}, {"hdrcharset": "BINARY"}, {"SCHILY.realsize": "1"}, {"uid": "0"}, {"comment": "x"},
]  # fmt: skip


@pytest.mark.parametrize("headers", HEADERS)
def test_extended_headers_say_nothing_but_times_names_and_sizes(exported: Path, headers: dict[str, str]) -> None:
    rewritten(exported, lambda found: found[0][0].pax_headers.update(headers))
    assert refused(exported).startswith("import_unsafe:")


@pytest.mark.parametrize("headers", [{"mtime": "1"}, {"path": "x"}, {"comment": "x"}])
def test_headers_for_all_members_are_refused(exported: Path, headers: dict[str, str]) -> None:
    rewritten(exported, lambda found: None, pax_headers=headers)
    assert refused(exported).startswith("import_unsafe:")


@pytest.mark.parametrize(
    "pair",
    [("a.txt", "A.TXT"), ("stra\u00dfe.txt", "strasse.txt"), ("\ufb01le.txt", "file.txt"), ("a", "a/b"), ("K.txt", "\u212a.txt")],
)  # fmt: skip
def test_names_that_collide_somewhere_are_refused(exported: Path, pair: tuple[str, str]) -> None:
    def add(found: Members) -> None:
        for name in pair:
            info = tarfile.TarInfo(found[0][0].name.rpartition("/")[0] + f"/{name}")
            info.size = 1
            found.append((info, b"x"))

    rewritten(exported, add)
    assert refused(exported) == "import_unsafe:unsafe_path"


@pytest.mark.parametrize(
    "name", ["e\u0301.txt", "a\u202eb", "NUL", "con.txt", "a.", " a", "a:b", "a\\b", "x" * 300, "a//b", "./a", "a/../b"]
)
def test_names_that_some_system_stores_otherwise_are_refused(exported: Path, name: str) -> None:
    def add(found: Members) -> None:
        found.append((tarfile.TarInfo(found[0][0].name.rpartition("/")[0] + f"/{name}"), b""))

    rewritten(exported, add)
    assert refused(exported) == "import_unsafe:unsafe_path"


def test_a_name_with_a_slash_at_its_end_is_no_file(exported: Path) -> None:
    """Older tars mark a folder so, and tarfile takes it for one."""
    with tarfile.open(exported) as tar:
        info = tar.getmembers()[0]
    data = bytearray(exported.read_bytes())
    at = info.offset_data - 512
    data[at : at + 100] = (info.name.rpartition("/")[0] + "/x/").encode().ljust(100, b"\0")
    data[at + 156] = 0
    total = sum(data[at : at + 148]) + 8 * 32 + sum(data[at + 156 : at + 512])
    data[at + 148 : at + 156] = b"%06o\0 " % total
    exported.write_bytes(bytes(data))
    assert refused(exported) == "import_unsafe:unsafe_path"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_tar_is_refused_or_unpacked_as_others_would(
    exported: Path, tmp_path: Path, data: st.DataObject
) -> None:
    raw = bytearray(exported.read_bytes())
    with tarfile.open(exported) as tar:
        starts = [info.offset for info in tar] + [info.offset_data - 512 for info in tar.getmembers()]
    near = sorted({at for start in starts for at in range(start, start + 512)})
    for _ in range(data.draw(st.integers(1, 2))):
        raw[data.draw(st.sampled_from(near))] ^= data.draw(st.integers(1, 255))
    changed, folder = tmp_path / "changed.tar", tmp_path / "imported"
    changed.write_bytes(bytes(raw))
    shutil.rmtree(folder, ignore_errors=True)
    try:
        root = import_bundle(changed, folder).root
    except VoicemillError:
        return
    unpacked = {str(path.relative_to(folder)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert unpacked == {info.name: content for info, content in members(changed)}


def test_the_tar_of_an_export_has_nothing_of_the_machine(exported: Path, voice) -> None:
    with tarfile.open(exported) as tar:
        found = tar.getmembers()
    assert [info.name for info in found] == sorted(info.name for info in found)
    assert {info.name.partition("/")[0] for info in found} == {"anna"}
    moment = int(datetime(2026, 2, 24, tzinfo=UTC).timestamp())
    assert {(info.mtime, info.mode, info.uid, info.gid, info.uname, info.gname) for info in found} == {
        (moment, 0o644, 0, 0, "", "")
    }
    assert all(info.isreg() for info in found)
    again = exported.with_name("again.tar")
    assert export_bundle(voice.root / "bundles/anna/voice_bundle", again) == [info.name for info in found]
    assert again.read_bytes() == exported.read_bytes()
    with pytest.raises(BundleError) as caught:
        export_bundle(voice.root / "built", again)
    assert caught.value.reason.startswith("manifest_invalid")


def test_an_imported_voice_replaces_one_of_its_name_and_nothing_else(exported: Path, voice, tmp_path: Path) -> None:
    folder = tmp_path / "imported"
    first = import_bundle(exported, folder)
    assert (first.voice, first.root) == ("anna", folder / "anna/voice_bundle")
    (first.root / "sample.wav").write_bytes(b"changed")
    assert import_bundle(exported, folder).root.joinpath("sample.wav").read_bytes() == b"RIFF....WAVE"
    (folder / "anna/notes.txt").write_text("mine")
    with pytest.raises(BundleError) as caught:
        import_bundle(exported, folder)
    assert caught.value.reason == f"output_not_a_bundle:{folder / 'anna'}"
    assert (folder / "anna/notes.txt").read_text() == "mine"
    dry, other = tmp_path / "dry.tar", tmp_path / "other"
    shutil.rmtree(voice.root / "bundles")
    export_bundle(voice.publish(dry_run=True), dry)
    import_bundle(dry, other)
    import_bundle(dry, other)
    import_bundle(exported, other)  # a real one replaces a dry run
    with pytest.raises(BundleError) as caught:
        import_bundle(dry, other)
    assert caught.value.reason == "dry_run_would_replace_real:anna"
    with pytest.raises(UsageError) as missing:
        import_bundle(tmp_path / "none.tar", other)
    assert missing.value.reason == f"import_missing:{tmp_path / 'none.tar'}"


@pytest.mark.parametrize("name", ["aaa", "zzz"])
def test_a_voice_under_another_name_is_refused(exported: Path, name: str) -> None:
    def rename(found: Members) -> None:
        for info, _ in found:
            info.name = f"{name}/{info.name.partition('/')[2]}"

    assert refused(rewritten(exported, rename)) == "import_unsafe:foreign_member"


def test_a_large_member_is_unpacked_whole(voice, tmp_path: Path) -> None:
    (voice.root / "sample.wav").write_bytes(b"RIFF" + bytes(range(256)) * 10_000)
    target = tmp_path / "large.tar"
    root = voice.publish()
    export_bundle(root, target)
    found = import_bundle(target, tmp_path / "imported").root
    assert (found / "sample.wav").read_bytes() == (root / "sample.wav").read_bytes()
