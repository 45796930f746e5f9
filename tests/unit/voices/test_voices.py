"""Registry, rights and archives on a dataset that was really prepared."""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import pytest

from voicemill.dataset import description, edits
from voicemill.dataset.edits import ClipEdit
from voicemill.dataset.prepared import PreparedDataset, load
from voicemill.dataset.rights import Rights, licence_warning, parse_rights
from voicemill.errors import DatasetError, StorageError, UsageError, VoicemillError
from voicemill.locks import in_use
from voicemill.settings import REPOSITORY
from voicemill.voices import archive, record, registry
from voicemill.workspace import Workspace


@pytest.fixture
def home(prepared: PreparedDataset, tmp_path: Path) -> Workspace:
    """A workspace with one voice, `ann`."""
    made = Workspace(work=tmp_path / "work", cache=tmp_path / "cache")
    shutil.copytree(prepared.root, made.dataset("ann"))
    return made


def _edit(home: Workspace) -> ClipEdit:
    loaded = load(home.dataset("ann"))
    assert loaded is not None
    entry = loaded.entries[0]
    digest = edits.recordings(loaded.description.inputs)[entry.source]
    return ClipEdit(
        source=entry.source, source_sha256=digest, start=entry.start, end=entry.end, was=entry.text, verdict="drop"
    )


def _reason(caught: pytest.ExceptionInfo[VoicemillError]) -> str:
    return caught.value.reason


def test_a_voice_is_registered_and_its_file_is_valid(home: Workspace, prepared: PreparedDataset) -> None:
    made = registry.register(home.dataset("ann"), home)
    path = home.cache / "voices/ann/voice.json"
    assert record.read_record(path) == made
    schema = json.loads((REPOSITORY / "configs/voice/schemas/voice-1.schema.json").read_text("utf-8"))
    document = json.loads(path.read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(document)
    assert (document["slug"], document["prepared_as"]) == ("ann", "demo")
    assert document["dataset_sha256"] == prepared.sha256
    assert [source["role"] for source in document["source"]] == ["recording", "text"]
    assert document["clips"]["train"] + document["clips"]["validation"] == len(prepared.entries)
    before = path.stat().st_mtime_ns
    registry.register(home.dataset("ann"), home)
    assert path.stat().st_mtime_ns == before


def test_list_and_show(home: Workspace) -> None:
    assert [(voice.record.slug, voice.state) for voice in registry.known(home)] == [("ann", "ready")]
    shutil.rmtree(home.dataset("ann"))
    assert [(voice.record.slug, voice.state) for voice in registry.known(home)] == [("ann", "missing")]
    assert registry.get(home, "ann").as_dict()["state"] == "missing"
    assert ("consent", "not stated") in registry.get(home, "ann").rows()
    with pytest.raises(UsageError) as caught:
        registry.get(home, "eve")
    assert _reason(caught) == "voice_not_found:eve"


def test_a_cache_that_was_cleaned_is_filled_again(home: Workspace) -> None:
    known = registry.known(home)
    shutil.rmtree(home.cache)
    assert registry.known(home) == known


def test_a_broken_record_is_named(home: Workspace) -> None:
    shutil.rmtree(home.dataset("ann"))
    path = home.voices / "eve/voice.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"slug": "eve"}', "utf-8")
    with pytest.raises(DatasetError) as caught:
        registry.known(home)
    assert _reason(caught) == "voice_invalid:eve"


@pytest.mark.parametrize("damage", [b"\xff", b"{"])
def test_a_broken_record_of_a_voice_that_is_there_is_made_again(home: Workspace, damage: bytes) -> None:
    (known,) = registry.known(home)
    path = home.voices / "ann/voice.json"
    path.write_bytes(damage)
    assert registry.known(home) == [known]
    path.write_bytes(damage)
    assert registry.get(home, "ann") == known
    assert record.read_record(path) == known.record


def test_rename_and_delete(home: Workspace) -> None:
    registry.register(home.dataset("ann"), home)
    edits.write(home.dataset("ann"), [_edit(home)])
    renamed = registry.rename(home, "ann", "eve")
    assert (renamed.record.slug, renamed.state) == ("eve", "ready")
    assert [voice.record.slug for voice in registry.known(home)] == ["eve"]
    assert load(home.dataset("eve")) is not None
    assert edits.read(home.dataset("eve"))
    for old, new, reason in (
        ("ann", "bob", "voice_not_found:ann"),
        ("eve", "eve", "voice_exists:eve"),
        ("eve", "../up", "invalid_voice_profile_id"),
        ("eve", "a/b", "invalid_voice_profile_id"),
    ):
        with pytest.raises(UsageError) as caught:
            registry.rename(home, old, new)
        assert _reason(caught) == reason
    registry.delete(home, "eve")
    assert registry.known(home) == []
    assert not list((home.work / "datasets").iterdir())
    with pytest.raises(UsageError):
        registry.delete(home, "eve")


@pytest.mark.parametrize(
    ("licence", "stated", "warns"),
    [
        ("CC-BY-4.0", "CC-BY-4.0", False),
        ("cc0-1.0", "CC0-1.0", False),
        ("CC-BY-4.0 OR MIT", "CC-BY-4.0 OR MIT", False),
        ("CC-BY-NC-4.0", "CC-BY-NC-4.0", True),
        ("LicenseRef-Studio-Contract-7", "LicenseRef-Studio-Contract-7", False),
    ],
)
def test_licences_that_are_spdx(licence: str, stated: str, warns: bool) -> None:
    held = parse_rights(None, licence)
    assert held is not None
    assert held.licence == stated
    assert (licence_warning(held) is not None) is warns


@pytest.mark.parametrize(
    "licence", ["", "free for all", "CC-BY-99.0", "MIT AND", "()", "MIT\n", "x" * 600, "LicenseRef-"]
)
def test_licences_that_are_not(licence: str) -> None:
    if licence == "MIT\n":
        assert parse_rights(None, licence) == Rights(licence="MIT")
        return
    with pytest.raises(UsageError) as caught:
        parse_rights("I agree.", licence)
    assert _reason(caught) == "licence_invalid"


def test_an_export_is_deterministic_and_comes_back_whole(home: Workspace, tmp_path: Path) -> None:
    edits.write(home.dataset("ann"), [_edit(home)])
    (home.dataset("ann") / "report.html").write_text("<p>stays here</p>")
    first = archive.export(home, "ann", tmp_path / "one.zip")
    other = Workspace(work=tmp_path / "other/work", cache=tmp_path / "other/cache")
    shutil.copytree(home.dataset("ann"), other.dataset("ann"))
    (other.dataset("ann") / "timings.json").unlink()
    second = archive.export(other, "ann", tmp_path / "two.zip")
    assert first.sha256 == second.sha256
    with zipfile.ZipFile(first.path) as written:
        names = written.namelist()
        assert written.testzip() is None
    assert names == ["voice.json", *sorted(names[1:])]
    assert first.entries == len(names)
    assert not {"dataset/report.html", "dataset/timings.json"} & set(names)

    shutil.rmtree(other.work)
    shutil.rmtree(other.cache)
    taken = archive.import_voice(other, first.path)
    assert (taken.record.slug, taken.state) == ("ann", "ready")
    assert edits.read(other.dataset("ann")) == edits.read(home.dataset("ann"))
    one, two = load(home.dataset("ann")), load(other.dataset("ann"))
    assert one is not None
    assert two is not None
    assert one.description == two.description
    with pytest.raises(UsageError) as caught:
        archive.import_voice(other, first.path)
    assert _reason(caught) == "voice_exists:ann"
    assert archive.import_voice(other, first.path, "bea").record.slug == "bea"
    assert archive.export(other, "ann", tmp_path / "three.zip").sha256 == first.sha256


def test_a_changed_dataset_is_not_exported(home: Workspace, tmp_path: Path) -> None:
    (home.dataset("ann") / "lexicon.dict").write_text("a AH\n")
    with pytest.raises(DatasetError) as caught:
        archive.export(home, "ann", tmp_path / "one.zip")
    assert caught.value.code == "dataset_incomplete"
    assert not (tmp_path / "one.zip").exists()


Tamper = Callable[[zipfile.ZipFile], None]
LINK = zipfile.ZipInfo("dataset/link")
LINK.external_attr = (stat.S_IFLNK | 0o777) << 16


def _add(name: str, data: bytes = b"x", method: int = zipfile.ZIP_STORED) -> Tamper:
    return lambda target: target.writestr(name, data, compress_type=method)


HOSTILE: dict[str, tuple[Tamper, str]] = {
    "parent": (_add("dataset/../../../evil"), "voice_archive_unsafe:unsafe_path"),
    "absolute": (_add("/evil"), "voice_archive_unsafe:unsafe_path"),
    "drive": (_add("C:/evil"), "voice_archive_unsafe:unsafe_path"),
    "backslash": (_add("dataset\\..\\evil"), "voice_archive_unsafe:unsafe_path"),
    "stream": (_add("dataset/sample.wav:x"), "voice_archive_unsafe:unsafe_path"),
    "device": (_add("dataset/NUL"), "voice_archive_unsafe:unsafe_path"),
    "dot": (_add("dataset/a."), "voice_archive_unsafe:unsafe_path"),
    "blank": (_add("dataset/a "), "voice_archive_unsafe:unsafe_path"),
    "reversed": (_add("dataset/a\u202egpj.exe"), "voice_archive_unsafe:unsafe_path"),
    "folder": (_add("dataset/clips/"), "voice_archive_unsafe:unsafe_path"),
    "elsewhere": (_add("other/file"), "voice_archive_unsafe:unexpected_entry"),
    "top": (_add("README"), "voice_archive_unsafe:unexpected_entry"),
    "link": (lambda target: target.writestr(LINK, "/etc/passwd"), "voice_archive_unsafe:link_or_device"),
    "bomb": (_add("dataset/bomb", b"\0" * 5_000_000, zipfile.ZIP_DEFLATED), "voice_archive_unsafe:compressed"),
    "case": (_add("dataset/Manifest.jsonl"), "voice_archive_unsafe:duplicate"),
    "unlisted": (_add("dataset/extra.txt"), "voice_archive_mismatch:extra.txt"),
    "report": (_add("dataset/report.html", b"<script>"), "voice_archive_mismatch:report.html"),
    "edits": (_add("dataset/edits.jsonl", b"{}"), "edits_invalid:1"),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_hostile_archives_leave_nothing_behind(home: Workspace, tmp_path: Path, name: str) -> None:
    tamper, reason = HOSTILE[name]
    path = archive.export(home, "ann", tmp_path / "voice.zip").path
    with zipfile.ZipFile(path, "a") as target:
        tamper(target)
    _refused(path, reason, tmp_path)


def _refused(path: Path, reason: str, tmp_path: Path) -> None:
    other = Workspace(work=tmp_path / "in/work", cache=tmp_path / "in/cache")
    with pytest.raises((DatasetError, UsageError)) as caught:
        archive.import_voice(other, path)
    assert _reason(caught) == reason
    assert str(caught.value).endswith(".")
    assert [found for found in (tmp_path / "in").rglob("*") if found.is_file()] == []


def test_the_same_name_twice(home: Workspace, tmp_path: Path) -> None:
    path = archive.export(home, "ann", tmp_path / "voice.zip").path
    with zipfile.ZipFile(path, "a") as target, pytest.warns(UserWarning, match="Duplicate name"):
        target.writestr("dataset/manifest.jsonl", "{}")
    _refused(path, "voice_archive_unsafe:duplicate", tmp_path)


def test_a_voice_that_does_not_fit_says_that_the_disk_is_full(
    home: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = archive.export(home, "ann", tmp_path / "voice.zip").path
    monkeypatch.setattr(archive.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1000))
    with pytest.raises(StorageError) as caught:
        archive.import_voice(home, path, "eve")
    assert caught.value.code == "disk_full"
    assert not home.dataset("eve").exists()


def test_two_entries_over_the_same_bytes(home: Workspace, tmp_path: Path) -> None:
    """The central directory names one file twice at one place: the way of the overlapping zip bomb."""
    path = archive.export(home, "ann", tmp_path / "voice.zip").path
    with zipfile.ZipFile(path, "a") as target:
        target.writestr("dataset/zz", b"x" * 1000)
        target.writestr("dataset/zy", b"x" * 1000)
    data = path.read_bytes()
    offsets = [info.header_offset for info in zipfile.ZipFile(path).infolist()]
    last, before = struct.pack("<L", offsets[-1]), struct.pack("<L", offsets[-2])
    place = data.rindex(b"dataset/zy") - 4
    assert data[place : place + 4] == last
    path.write_bytes(data[:place] + before + data[place + 4 :])
    _refused(path, "voice_archive_unsafe:overlapping", tmp_path)


def test_sizes_that_are_a_lie(home: Workspace, tmp_path: Path) -> None:
    path = archive.export(home, "ann", tmp_path / "voice.zip").path
    data = bytearray(path.read_bytes())
    entry = data.rindex(b"PK\x01\x02")
    data[entry + 20 : entry + 28] = struct.pack("<LL", 4_000_000_000, 4_000_000_000)
    path.write_bytes(bytes(data))
    _refused(path, "voice_archive_unsafe:too_large", tmp_path)


def test_an_entry_that_claims_to_be_encrypted(home: Workspace, tmp_path: Path) -> None:
    path = archive.export(home, "ann", tmp_path / "voice.zip").path
    data = bytearray(path.read_bytes())
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(bytes(data))
    _refused(path, "voice_archive_unsafe:encrypted", tmp_path)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("clips/demo_0001.wav", "voice_archive_mismatch:clips/demo_0001.wav"),
        ("manifest.jsonl", "voice_archive_mismatch:manifest.jsonl"),
        ("dataset.json", "voice_archive_mismatch:dataset.json"),
    ],
)
def test_bytes_that_were_changed(home: Workspace, tmp_path: Path, name: str, reason: str) -> None:
    path = archive.export(home, "ann", tmp_path / "voice.zip").path
    _rewrite(path, {f"dataset/{name}": lambda data: data[:-3] + b"\0\0\0"})
    _refused(path, reason, tmp_path)


def test_a_record_that_says_other_things(home: Workspace, tmp_path: Path) -> None:
    path = archive.export(home, "ann", tmp_path / "voice.zip").path
    _rewrite(path, {"voice.json": lambda data: data.replace(b'"rights": null', b'"rights": {"licence": "MIT"}')})
    _refused(path, "voice_archive_mismatch:voice.json", tmp_path)


def test_what_is_no_archive(home: Workspace, tmp_path: Path) -> None:
    whole = archive.export(home, "ann", tmp_path / "voice.zip").path.read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.zip").write_text("hello")
    for name in ("cut.zip", "text.zip"):
        _refused(tmp_path / name, "voice_archive_unsafe:not_a_zip", tmp_path)
    _refused(tmp_path / "none.zip", "voice_archive_missing", tmp_path)
    empty = io.BytesIO()
    with zipfile.ZipFile(empty, "w"):
        pass
    (tmp_path / "empty.zip").write_bytes(empty.getvalue())
    _refused(tmp_path / "empty.zip", "voice_archive_unsafe:incomplete", tmp_path)


def test_rights_travel(home: Workspace, tmp_path: Path) -> None:
    root = home.dataset("ann")
    described = description.read(root)
    assert described is not None
    held = Rights(consent="I agree.", consent_sha256="0" * 64, licence="CC-BY-4.0", recordings=("a",))
    (root / "dataset.json").write_text(described.model_copy(update={"rights": held}).model_dump_json(), "utf-8")
    path = archive.export(home, "ann", tmp_path / "voice.zip").path
    other = Workspace(work=tmp_path / "in/work", cache=tmp_path / "in/cache")
    assert archive.import_voice(other, path).record.rights == held


def _rewrite(path: Path, changes: dict[str, Callable[[bytes], bytes]]) -> None:
    """The same archive with other contents, checksums of the zip included."""
    with zipfile.ZipFile(path) as source:
        entries = [(info, source.read(info)) for info in source.infolist()]
    with zipfile.ZipFile(path, "w") as target:
        for info, data in entries:
            changed = changes.get(info.filename, bytes)(data)
            assert (changed != data) == (info.filename in changes)
            target.writestr(zipfile.ZipInfo(info.filename, info.date_time), changed)


RENAME = """
import sys
from pathlib import Path
from voicemill.errors import VoicemillError
from voicemill.locks import in_use
from voicemill.voices import registry
from voicemill.workspace import Workspace

home = Workspace(work=Path(sys.argv[1]), cache=Path(sys.argv[2]))
print("ready", flush=True)
sys.stdin.readline()
try:
    print(registry.rename(home, "ann", sys.argv[3]).record.slug)
except VoicemillError as error:
    print(error.reason)
"""


def test_of_two_processes_that_rename_one_voice_one_wins(home: Workspace) -> None:
    registry.register(home.dataset("ann"), home)
    running = [
        subprocess.Popen(
            [sys.executable, "-c", RENAME, str(home.work), str(home.cache), name],
            env={"PYTHONPATH": str(REPOSITORY / "lib")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("bea", "cleo")
    ]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60)[0].strip() for process in running]
    assert sorted(answers) in (["bea", "voice_not_found:ann"], ["cleo", "voice_not_found:ann"])
    assert [(voice.record.slug, voice.state) for voice in registry.known(home)] == [(min(answers, key=len), "ready")]


def test_a_name_that_another_import_took_meanwhile_is_refused(
    home: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zipped = archive.export(home, "ann", tmp_path / "ann.zip").path
    check = archive._check

    def overtaken(staging: Path, stated: object) -> None:
        check(staging, stated)
        home.dataset("bea").mkdir()

    monkeypatch.setattr(archive, "_check", overtaken)
    with pytest.raises(UsageError) as caught:
        archive.import_voice(home, zipped, "bea")
    assert _reason(caught) == "voice_exists:bea"
    assert list(home.dataset("bea").iterdir()) == []


def test_a_consent_with_a_condition_is_listed_and_shown_in_full(home: Workspace) -> None:
    consent = "I agree [only for private, non-commercial use] [/b] \x1b[2J\x9b2J"
    path = home.dataset("ann") / description.NAME
    document = json.loads(path.read_text("utf-8"))
    document["rights"] = {"consent": consent}
    path.write_text(json.dumps(document), "utf-8")
    for command in (["list"], ["show", "ann"], ["list", "--json"]):
        done = subprocess.run(
            [sys.executable, str(REPOSITORY / "apps/voice-prep/voice-prep.py"), *command],
            env={
                "WORK_DIR": str(home.work),
                "CACHE_DIR": str(home.cache),
                "COLUMNS": "200",
                "PATH": os.environ["PATH"],
            },
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        shown = done.stdout + done.stderr
        assert not {"\x1b", "\x9b"} & set(shown)
        if command != ["list"]:
            assert "I agree [only for private, non-commercial use] [/b]" in shown


@pytest.mark.parametrize(
    "gap",
    [
        lambda data: b"x" * 10 + data,
        lambda data: b"\x80\x02." + data,
        lambda data: data + b"x",
        lambda data: data[: data.index(b"PK\x01\x02")] + b"x" + data[data.index(b"PK\x01\x02") :],
        lambda data: data[:-22] + b"x" + data[-22:],
        lambda data: data[:-2] + b"\x01\x00x",
    ],
)
def test_no_byte_of_an_archive_is_unaccounted_for(home: Workspace, tmp_path: Path, gap) -> None:
    path = archive.export(home, "ann", tmp_path / "voice.zip").path
    path.write_bytes(gap(path.read_bytes()))
    _refused(path, "voice_archive_unsafe:not_a_zip", tmp_path)


def _extra(data: bytes, extra: bytes) -> bytes:
    """The archive with an extra field in the local header of its last entry."""
    directory, at = struct.unpack("<L", data[-6:-2])[0], data.rindex(b"PK\x03\x04")
    name = struct.unpack_from("<H", data, at + 26)[0]
    header = data[at : at + 28] + struct.pack("<H", len(extra)) + data[at + 30 : at + 30 + name] + extra
    end = data[:-6] + struct.pack("<LH", directory + len(extra), 0)
    return data[:at] + header + end[at + 30 + name :]


def _wide_end(data: bytes) -> bytes:
    """The archive with the 64-bit end records that only large ones need."""
    count, size, start = struct.unpack("<HLL", data[-12:-2])
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, start)
    return data[:-22] + record + struct.pack("<4sLQL", b"PK\x06\x07", 0, start + size, 1) + data[-22:]


@pytest.mark.parametrize(
    "change",
    [lambda data: _extra(data, b""), _wide_end, lambda data: _extra(data, b"UT\x05\0\x01abcd")],
    ids=["plain", "64-bit end", "times"],
)
def test_what_other_programs_add_to_a_zip_is_accepted(home: Workspace, tmp_path: Path, change) -> None:
    path = archive.export(home, "ann", tmp_path / "voice.zip").path
    path.write_bytes(change(path.read_bytes()))
    assert archive.import_voice(home, path, "eve").record.slug == "eve"


@pytest.mark.parametrize(
    "change",
    [
        lambda data: _extra(data, b"ZZ\x04\0evil"),
        lambda data: _extra(data, b"UT\x24\0" + bytes(36)),
        lambda data: _extra(data, b"UT\x09\0short"),
        lambda data: _extra(data, b"\x01\0\x10\0" + bytes(16))[:-1] + b"\x01x",
        lambda data: data[:-22] + bytes(76) + data[-22:],
        *[lambda data, at=at: _flipped(_wide_end(data), len(_wide_end(data)) - 98 + at) for at in (0, 4, 24, 40, 48, 56, 64, 72)],
        *[lambda data, at=at: _flipped(data, at) for at in (0, 6, 8, 14, 18, 22, 30)],
    ],
)  # fmt: skip
def test_headers_of_a_zip_that_disagree_or_hold_more_are_refused(home: Workspace, tmp_path: Path, change) -> None:
    path = archive.export(home, "ann", tmp_path / "voice.zip").path
    path.write_bytes(change(path.read_bytes()))
    _refused(path, "voice_archive_unsafe:not_a_zip", tmp_path)


def _flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def test_the_data_of_an_entry_do_not_reach_into_the_directory(home: Workspace, tmp_path: Path) -> None:
    path = archive.export(home, "ann", tmp_path / "voice.zip").path
    data = path.read_bytes()
    start = struct.unpack("<L", data[-6:-2])[0]
    inner = data[start : start + 46]
    path.write_bytes(data[:start] + inner + data[start:-6] + struct.pack("<LH", start, 0))
    _refused(path, "voice_archive_unsafe:not_a_zip", tmp_path)


@pytest.mark.parametrize("place", ["/etc/passwd", "../../x.wav", "rejected/none.wav"])
def test_a_rejected_sound_is_a_file_of_the_dataset(prepared: PreparedDataset, place: str) -> None:
    from pydantic import ValidationError

    from voicemill.dataset.description import DatasetDescription
    from voicemill.dataset.report import Rejection

    row = Rejection(source="a", start=0.0, end=1.0, seconds=1.0, reason="noisy").model_dump() | {"audio": place}
    document = prepared.description.model_dump(mode="json")
    assert DatasetDescription.model_validate(document)
    document["report"]["rejected"] = [*document["report"]["rejected"], row]
    with pytest.raises(ValidationError):
        DatasetDescription.model_validate(document)


@pytest.mark.parametrize("name", ["../x", "a/b", "..", ""])
def test_the_id_of_a_clip_names_a_file(prepared: PreparedDataset, name: str) -> None:
    from pydantic import ValidationError

    with pytest.raises(ValidationError):
        type(prepared.entries[0]).model_validate(prepared.entries[0].model_dump() | {"id": name})


def test_a_voice_that_a_lane_trains_on_is_neither_renamed_nor_deleted(home: Workspace) -> None:
    registry.register(home.dataset("ann"), home)
    before = sorted(home.dataset("ann").rglob("*"))
    with in_use(home.dataset("ann")):
        for change in (lambda: registry.rename(home, "ann", "berta"), lambda: registry.delete(home, "ann")):
            with pytest.raises(VoicemillError) as caught:
                change()
            assert (caught.value.reason, caught.value.exit_code) == ("lane_busy:ann", 1)
    assert sorted(home.dataset("ann").rglob("*")) == before
    assert registry.rename(home, "ann", "berta").record.slug == "berta"
