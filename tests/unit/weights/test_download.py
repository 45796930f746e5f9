"""Downloads from a real HTTPS server that breaks off."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.weights_server import FileServer, serving

from voicemill import records
from voicemill.errors import GateError
from voicemill.progress import SilentObserver
from voicemill.weights import download
from voicemill.weights.allowlist import AllowlistEntry
from voicemill.weights.download import DownloadError, fetch
from voicemill.weights.store import WeightsStore

DATA = hashlib.shake_256(b"weights").digest(25_000_000)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setattr(download, "_PAUSE", 0.0)
    with serving(tmp_path, DATA) as running:
        monkeypatch.setenv("SSL_CERT_FILE", str(running.certificate))
        yield running


def entry(server: FileServer, **file: object) -> AllowlistEntry:
    return records.read(
        AllowlistEntry,
        {
            "id": "a/b",
            "weights_license": "MIT",
            "code_license": "MIT",
            "commercial_use_allowed": True,
            "license_url": "https://a.example",
            "files": [{"path": "m.nemo", "url": server.url, "sha256": hashlib.sha256(DATA).hexdigest()} | file],
        },
    )


class Watcher(SilentObserver):
    """Records stages and progress."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.notes: list[tuple[int, str]] = []

    def stage(self, name: str, total: int | None = None) -> None:
        self.stages.append(name)

    def advance(self, done: int, note: str = "") -> None:
        self.notes.append((done, note))


def into(path: Path, url: str, most: int = 1 << 30) -> None:
    fetch(url, path, max_bytes=most, progress=lambda done, total: None)


def test_a_broken_connection_is_made_again_for_what_is_missing(server: FileServer, tmp_path: Path) -> None:
    server.breaks = [12_000_000, 11_000_000]
    into(tmp_path / "part", server.url)
    assert (tmp_path / "part").read_bytes() == DATA
    assert len(server.ranges) == 3
    assert server.ranges[0] is None
    starts = [int(str(asked).removeprefix("bytes=").removesuffix("-")) for asked in server.ranges[1:]]
    assert 0 < starts[0] <= 12_000_000
    assert starts[0] < starts[1] <= 23_000_000


def test_a_busy_server_is_asked_again_a_few_times(server: FileServer, tmp_path: Path) -> None:
    server.refusals = [429, 503]
    into(tmp_path / "part", server.url)
    assert (tmp_path / "part").read_bytes() == DATA
    server.refusals = [503] * 20
    with pytest.raises(DownloadError, match="503"):
        into(tmp_path / "other", server.url)
    assert len(server.refusals) == 20 - 6
    server.refusals = [404]
    with pytest.raises(DownloadError, match="404"):
        into(tmp_path / "third", server.url)


def test_a_length_that_makes_no_sense_is_no_length(server: FileServer, tmp_path: Path) -> None:
    server.length = "many"
    into(tmp_path / "part", server.url)
    assert (tmp_path / "part").read_bytes() == DATA


def test_the_next_run_goes_on_where_this_one_stopped(server: FileServer, tmp_path: Path) -> None:
    part = tmp_path / "part"
    part.write_bytes(DATA[:700_000])
    into(part, server.url)
    assert (part.read_bytes(), server.ranges) == (DATA, ["bytes=700000-"])
    into(part, server.url)  # killed between the last byte and the new name
    assert part.read_bytes() == DATA
    server.knows_ranges = False
    part.write_bytes(DATA[:700_000])
    into(part, server.url)
    assert part.read_bytes() == DATA


def test_more_than_was_pinned_is_cut_off(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="more than 1000 bytes"):
        into(tmp_path / "part", server.url, 1000)


def test_the_store_keeps_what_came_tells_how_far_it_is_and_goes_on(server: FileServer, tmp_path: Path) -> None:
    watcher, cache = Watcher(), tmp_path / "cache"
    store = WeightsStore(cache, tmp_path, fetch=fetch, observer=watcher)
    server.breaks = [1_000_000, 0]  # the second connection brings nothing: the run gives up
    with pytest.raises(GateError) as caught:
        store.resolve(entry(server))
    assert caught.value.reason == "weights_unavailable:a/b"
    (part,) = (cache / "a/b").iterdir()
    assert 0 < part.stat().st_size <= 1_000_000
    assert store.resolve(entry(server)).main.read_bytes() == DATA
    assert [path.name for path in (cache / "a/b").iterdir()] == ["m.nemo"]
    assert server.ranges[-1] is not None
    assert watcher.stages == ["download a/b"] * 2
    assert watcher.notes[-1] == (100, "25.0 of 25.0 MB")
    assert sorted(done for done, _ in watcher.notes) == [done for done, _ in watcher.notes]


def test_other_bytes_than_the_pinned_ones_are_not_kept(server: FileServer, tmp_path: Path) -> None:
    store = WeightsStore(tmp_path / "cache", tmp_path, fetch=fetch)
    with pytest.raises(GateError) as caught:
        store.resolve(entry(server, sha256="0" * 64))
    assert caught.value.reason == "weights_checksum_mismatch:a/b"
    assert list((tmp_path / "cache/a/b").iterdir()) == []


def test_a_server_that_is_not_trusted_gives_nothing(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(DownloadError, match="CERTIFICATE"):
        into(tmp_path / "part", server.url)
    assert server.ranges == []


@pytest.mark.parametrize("url", ["http://x.example/m", "file:///etc/passwd", "ftp://x.example/m"])
def test_only_https_is_fetched(tmp_path: Path, url: str) -> None:
    with pytest.raises(DownloadError):
        fetch(url, tmp_path / "m", max_bytes=10, progress=lambda done, total: None)
    assert not (tmp_path / "m").exists()


def test_two_processes_do_not_write_the_same_file(server: FileServer, tmp_path: Path) -> None:
    import fcntl

    part = tmp_path / "part"
    with part.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(DownloadError, match="another process"):
            fetch(server.url, part, max_bytes=1 << 30, progress=lambda done, total: None)


def test_a_full_disk_is_named(server: FileServer) -> None:
    from voicemill.errors import StorageError

    full = Path("/dev/full")
    if not full.exists() or not os.access(full, os.W_OK):
        pytest.skip("no /dev/full on this system")
    with pytest.raises(StorageError) as caught:
        into(full, server.url)
    assert caught.value.reason == "disk_full:/dev/full"
