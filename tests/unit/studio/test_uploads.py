"""Uploads in parts: offsets, limits, names, content, a full disk, two at once, and a server that was killed."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from voicemill import path_names
from voicemill.errors import StorageError, UsageError
from voicemill.settings import REPOSITORY
from voicemill_studio import upload_store
from voicemill_studio.file_names import is_id, safe_name, shown_name
from voicemill_studio.upload_store import UploadLimits, UploadOffsetError, UploadStore

PEOPLE = REPOSITORY / "tests/data/people"
PART = 50_000


@pytest.fixture
def store(tmp_path: Path) -> UploadStore:
    return UploadStore(tmp_path / "files")


def send(store: UploadStore, name: str, data: bytes, part: int = PART) -> str:
    upload = store.create(name, len(data), 1)
    for offset in range(upload.received, len(data), part):
        upload = store.append(upload.record.id, offset, data[offset : offset + part])
        upload = store.check(upload.record.id)
    assert upload.complete or upload.record.refused
    return upload.record.id


def test_a_recording_arrives_in_parts_and_is_checked_meanwhile(store: UploadStore, tmp_path: Path) -> None:
    source = tmp_path / "long.wav"
    flac = PEOPLE / "lj/LJ001-0006.flac"
    argv = ["ffmpeg", "-nostdin", "-loglevel", "error", "-stream_loop", "15", "-i", str(flac), str(source)]
    subprocess.run(argv, check=True)
    data = source.read_bytes()
    upload = store.create("long.wav", len(data), 1)
    seen = []
    for offset in range(0, len(data), 500_000):
        upload = store.append(upload.record.id, offset, data[offset : offset + 500_000])
        upload = store.check(upload.record.id)
        seen.append((upload.record.check.whole, len(upload.record.check.stretches)))
    assert seen[0] == (False, 1), "the first part is measured before the rest arrives"
    assert seen[-1][0]
    check = upload.record.check
    assert check.kind == "recording"
    assert check.described == "WAV 16 bit, 22,050 Hz, mono"
    assert check.seconds == pytest.approx(16 * 5.6, rel=0.2)
    assert len(check.stretches) >= 3
    assert all(one.speech_share > 0.5 and one.snr_db > 20 for one in check.stretches)
    assert check.warnings == ()
    assert store.data(upload.record.id).read_bytes() == data


@pytest.mark.parametrize(("kind", "options"), [("mp3", []), ("m4a", ["-c:a", "aac"]), ("ogg", []), ("webm", [])])
def test_other_formats_are_known_by_their_content(
    store: UploadStore, tmp_path: Path, kind: str, options: list[str]
) -> None:
    source = tmp_path / f"take.{kind}"
    argv = ["ffmpeg", "-nostdin", "-loglevel", "error", "-i", str(PEOPLE / "lj/LJ001-0006.flac"), *options, str(source)]
    subprocess.run(argv, check=True)
    upload = store.get(send(store, "without suffix", source.read_bytes(), 40_000))
    assert upload.record.refused is None
    assert upload.record.check.kind == "recording"
    assert upload.record.check.whole


@pytest.mark.parametrize("text", ["The words.\nTwo lines.", "naïve café £5 – “quoted”", "x" * 9_000])
def test_texts_are_known_by_their_content(store: UploadStore, text: str) -> None:
    check = store.get(send(store, "script.wav", text.encode(), 100)).record.check
    assert (check.kind, check.described) == ("text", f"text, {len(text.split())} words")


def test_a_text_of_an_old_code_page_says_so(store: UploadStore) -> None:
    check = store.get(send(store, "old.txt", "naïve café".encode("cp1252") * 3)).record.check
    assert [one.reason for one in check.warnings] == ["encoding"]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("take.wav", b"MZ\x90\x00" + b"\0\x01\x02\x03" * 4000),
        ("take.wav", b"\x7fELF" + bytes(range(256)) * 40),
        ("take.flac", b"fLaC" + b"\0" * 9000),
        ("page.wav", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40),
        ("list.m3u8", b"\x00#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n" + b"\0" * 100),
        ("script.txt", b"PK\x03\x04" + b"\x14\0\x06\0" * 2000),
    ],
)
def test_what_is_no_recording_and_no_text_is_refused_and_removed(store: UploadStore, name: str, data: bytes) -> None:
    upload = store.get(send(store, name, data, len(data)))
    assert upload.record.refused is not None
    assert upload.record.refused[0] in ("upload_type", "missing_transcript")
    assert name in upload.record.refused[1]
    assert upload.received == 0
    assert store.data(upload.record.id).stat().st_size == 0
    with pytest.raises(UsageError):
        store.append(upload.record.id, 0, b"x")


def test_warnings_of_a_loud_and_of_a_silent_recording(store: UploadStore, tmp_path: Path) -> None:
    loud, silent = tmp_path / "loud.wav", tmp_path / "silent.wav"
    flac = str(PEOPLE / "lj/LJ001-0006.flac")
    subprocess.run(
        ["ffmpeg", "-nostdin", "-loglevel", "error", "-i", flac, "-af", "volume=20dB", str(loud)], check=True
    )
    noise = ["-f", "lavfi", "-i", "anoisesrc=d=4:a=0.01:r=22050"]
    subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", *noise, str(silent)], check=True)
    found = store.get(send(store, "loud.wav", loud.read_bytes())).record.check
    assert [one.reason for one in found.warnings] == ["clipped"]
    slow = tmp_path / "slow.wav"
    options = ["-af", "volume=-35dB", "-ar", "8000"]
    subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", "-i", flac, *options, str(slow)], check=True)
    found = store.get(send(store, "slow.wav", slow.read_bytes())).record.check
    assert [one.reason for one in found.warnings] == ["too_quiet", "sample_rate_low"]
    found = store.get(send(store, "silent.wav", silent.read_bytes())).record.check
    assert [one.reason for one in found.warnings] == ["no_speech"]


def test_a_part_must_begin_where_the_file_ends(store: UploadStore) -> None:
    upload = store.create("a.txt", 10)
    store.append(upload.record.id, 0, b"01234")
    for offset in (0, 4, 6, 10):
        with pytest.raises(UploadOffsetError) as refused:
            store.append(upload.record.id, offset, b"x")
        assert (refused.value.code, refused.value.received) == ("upload_offset", 5)
    assert store.append(upload.record.id, 5, b"56789").complete
    assert store.data(upload.record.id).read_bytes() == b"0123456789"


def test_limits(tmp_path: Path) -> None:
    store = UploadStore(tmp_path / "files", UploadLimits(file_bytes=100, files=2, part_bytes=10))
    for total, reason in ((0, "upload_empty"), (-1, "upload_empty"), (101, "upload_too_large")):
        with pytest.raises(UsageError) as refused:
            store.create("a.txt", total)
        assert refused.value.code == reason
    upload = store.create("a.txt", 12)
    for part in (b"x" * 11, b"x" * 13):
        with pytest.raises(UsageError) as refused:
            store.append(upload.record.id, 0, part)
        assert refused.value.code == "upload_too_large"
    assert store.get(upload.record.id).received == 0
    store.create("b.txt", 12)
    with pytest.raises(UsageError) as refused:
        store.create("c.txt", 12)
    assert refused.value.code == "upload_too_many"


def test_the_same_file_goes_on_and_another_time_is_another_file(store: UploadStore) -> None:
    upload = store.create("a.txt", 10, 5)
    store.append(upload.record.id, 0, b"01234")
    again = store.create("a.txt", 10, 5)
    assert (again.record.id, again.received) == (upload.record.id, 5)
    assert store.create("a.txt", 10, 6).record.id != upload.record.id
    store.remove(upload.record.id)
    assert store.create("a.txt", 10, 5).received == 0


@pytest.mark.parametrize(
    "upload_id", ["", "..", "../../etc", "a" * 15, "A" * 16, "0" * 16, "0123456789abcde/", "é" * 16]
)
def test_only_ids_of_uploads_reach_the_disk(store: UploadStore, upload_id: str) -> None:
    for action in (store.get, store.check, store.remove, lambda one: store.append(one, 0, b"x")):
        with pytest.raises(UsageError) as refused:
            action(upload_id)
        assert refused.value.code == "upload_unknown"


def test_a_link_in_place_of_the_data_is_not_followed(store: UploadStore, tmp_path: Path) -> None:
    upload = store.create("a.txt", 10)
    victim = tmp_path / "victim"
    victim.write_bytes(b"")
    store.data(upload.record.id).unlink()
    store.data(upload.record.id).symlink_to(victim)
    with pytest.raises(StorageError):
        store.append(upload.record.id, 0, b"01234")
    assert victim.read_bytes() == b""


def test_a_full_disk_is_named_before_and_during_the_upload(store: UploadStore, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = store.create("a.txt", 10)
    store.append(upload.record.id, 0, b"01")
    real = os.pwrite

    def full(handle: int, data: bytes, offset: int) -> int:
        if offset > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(handle, bytes(data)[:1], offset)

    with monkeypatch.context() as patched:
        patched.setattr(upload_store.os, "pwrite", full)
        with pytest.raises(StorageError) as refused:
            store.append(upload.record.id, 2, b"2345")
    assert refused.value.code == "disk_full"
    assert store.get(upload.record.id).received == 2, "half a part does not stay"
    assert store.append(upload.record.id, 2, b"23456789").complete
    store_of_much = UploadStore(store._folder, UploadLimits(file_bytes=2**60))
    with pytest.raises(StorageError) as refused:
        store_of_much.create("huge.wav", 2**59)
    assert refused.value.code == "disk_full"


def test_a_file_that_another_request_adds_to_is_busy(store: UploadStore) -> None:
    upload = store.create("a.txt", 10)
    with store._open(upload.record.id), pytest.raises(StorageError) as refused:
        store.append(upload.record.id, 0, b"01234")
    assert refused.value.code == "upload_busy"
    assert store.append(upload.record.id, 0, b"01234").received == 5


def test_two_clients_send_one_file(store: UploadStore) -> None:
    data = os.urandom(400_000)
    upload = store.create("a.bin", len(data))
    failed: list[BaseException] = []

    def client() -> None:
        try:
            offset = store.get(upload.record.id).received
            while offset < len(data):
                try:
                    offset = store.append(upload.record.id, offset, data[offset : offset + 1_000]).received
                except UploadOffsetError as error:
                    offset = error.received
                except StorageError as error:
                    if error.code != "upload_busy":
                        raise
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert store.data(upload.record.id).read_bytes() == data


def test_an_upload_goes_on_after_its_process_was_killed(store: UploadStore) -> None:
    data = bytes(range(256)) * 4_000
    upload = store.create("a.bin", len(data))
    program = (
        "import sys; from pathlib import Path; from voicemill_studio.upload_store import UploadStore\n"
        "store = UploadStore(Path(sys.argv[1])); offset = 0\n"
        "while True:\n"
        "    part = (bytes(range(256)) * 4000)[offset : offset + 333]\n"
        "    offset = store.append(sys.argv[2], offset, part).received; print(offset, flush=True)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "lib")}
    argv = [sys.executable, "-c", program, str(store._folder), upload.record.id]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        for _ in range(20):
            process.stdout.readline()
        process.kill()
    received = store.get(upload.record.id).received
    assert 20 * 333 <= received < len(data)
    assert store.append(upload.record.id, received, data[received:]).complete
    assert store.data(upload.record.id).read_bytes() == data


def test_a_record_that_is_damaged_is_no_upload(store: UploadStore) -> None:
    upload = store.create("a.txt", 10)
    (store._folder / f"{upload.record.id}.json").write_text("{")
    assert store.all() == []


HOSTILE = [
    "../../etc/passwd",
    "..\\..\\windows\\system32\\take.wav",
    "<img src=x onerror=alert(1)>.wav",
    "\u202egnp.exe",
    "con.wav",
    "a\0b.wav",
    "....",
    "",
    " ",
    "take.wav ",
    "é" * 400 + ".wav",
    "-rf.wav",
    ".hidden.wav",
    "'; DROP TABLE voices; --.wav",
    "🎤.flac",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_become_plain_ones(name: str) -> None:
    found = safe_name(name)
    assert found.isascii()
    assert not set(found) & set("/\\<>:\"|?*'\0")
    assert not found.startswith((".", "-", " "))
    assert len(found) <= 110
    assert str(path_names.portable_relative(found)) == found
    shown = shown_name(name)
    assert shown.isprintable()
    assert "/" not in shown
    assert 0 < len(shown) <= 255


def test_names_stay_different() -> None:
    taken: list[str] = []
    for name in ("Take.wav", "take.WAV", "täke.wav", "take.wav", "take"):
        taken.append(safe_name(name, taken))
    assert taken == ["Take.wav", "take 2.wav", "take 3.wav", "take 4.wav", "take"]
    assert not is_id("../" + "0" * 13)


def test_the_first_check_of_a_large_part_is_fast(store: UploadStore) -> None:
    data = b"\0" * (8 * 1024 * 1024)
    upload = store.create("zeros.wav", len(data))
    started = time.process_time()
    store.append(upload.record.id, 0, data)
    store.check(upload.record.id)
    assert time.process_time() - started < 2.0
