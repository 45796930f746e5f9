from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path

import pytest

from voicemill import atomic
from voicemill.errors import GateError
from voicemill.settings import REPOSITORY
from voicemill.weights import gate
from voicemill.weights.allowlist import SHIPPED, AllowlistEntry, WeightsFile
from voicemill.weights.download import DownloadError, Progress
from voicemill.weights.store import WeightsStore

DATA = b"weights"
SHA = hashlib.sha256(DATA).hexdigest()


def entry(**file: object) -> AllowlistEntry:
    return AllowlistEntry(
        id="a/b",
        weights_license="MIT",
        code_license="MIT",
        commercial_use_allowed=True,
        license_url="https://a.example",
        files=(WeightsFile(**({"path": "m.nemo"} | file)),),
    )


def reason(store: WeightsStore, item: AllowlistEntry) -> str:
    with pytest.raises(GateError) as caught:
        store.resolve(item)
    return caught.value.reason


class Fetcher:
    """Gives what it is told to; counts calls."""

    def __init__(self, data: bytes | None) -> None:
        self.data, self.calls = data, 0

    def __call__(self, url: str, partial: Path, *, max_bytes: int, progress: Progress) -> None:
        self.calls += 1
        if self.data is None:
            raise DownloadError("no network")
        partial.write_bytes(self.data)


def test_a_cached_file_is_hashed_before_it_is_handed_out(tmp_path):
    store = WeightsStore(tmp_path / "cache", tmp_path)
    item = entry(sha256=SHA)
    assert reason(store, item) == "weights_unavailable:a/b"
    path = tmp_path / "cache/a/b/m.nemo"
    path.parent.mkdir(parents=True)
    path.write_bytes(DATA)
    assert store.resolve(item).main == path
    path.write_bytes(b"swapped")
    assert reason(store, item) == "weights_checksum_mismatch:a/b"


def test_repository_and_unpinned_files(tmp_path):
    (tmp_path / "m.nemo").write_bytes(DATA)
    store = WeightsStore(tmp_path / "cache", tmp_path)
    assert store.resolve(entry(sha256=SHA, location="repository")).main == tmp_path / "m.nemo"
    assert reason(store, entry(location="repository")) == "weights_unavailable:a/b"


def test_nothing_is_resolved_that_the_gate_refuses(tmp_path):
    fetch = Fetcher(DATA)
    refused = dataclasses.replace(entry(sha256=SHA, url="https://x.example/m"), weights_license="CC-BY-NC-4.0")
    assert reason(WeightsStore(tmp_path, tmp_path, fetch=fetch), refused) == "allowlist_commercial_rejected"
    assert fetch.calls == 0


def test_download_is_checked_and_kept(tmp_path):
    item = entry(sha256=SHA, url="https://x.example/m")
    assert reason(WeightsStore(tmp_path, tmp_path, fetch=Fetcher(None)), item) == "weights_unavailable:a/b"
    assert reason(WeightsStore(tmp_path, tmp_path, fetch=Fetcher(b"evil")), item) == "weights_checksum_mismatch:a/b"
    assert not (tmp_path / "a/b/m.nemo").exists()
    assert list((tmp_path / "a/b").iterdir()) == []
    fetch = Fetcher(DATA)
    store = WeightsStore(tmp_path, tmp_path, fetch=fetch)
    assert store.resolve(item).main.read_bytes() == DATA
    store.resolve(item)
    assert fetch.calls == 1


def test_a_download_survives_the_sweep_of_another_process(tmp_path, monkeypatch):
    """Another file of the same entry is fetched by a second process, whose first write sweeps the folder."""
    flush, swept = os.fsync, []

    def fsync(descriptor):
        flush(descriptor)
        atomic.sweep(tmp_path / "a/b")
        swept.append(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    store = WeightsStore(tmp_path, tmp_path, fetch=Fetcher(DATA))
    path = store.resolve(entry(sha256=SHA, url="https://x.example/m")).main
    assert path.read_bytes() == DATA
    assert swept
    assert [each.name for each in path.parent.iterdir()] == ["m.nemo"]


@pytest.mark.parametrize("weights_id", gate.TOOL_WEIGHTS)
def test_the_models_in_the_wheels_are_the_pinned_ones(weights_id, tmp_path):
    selection = gate.select(weights_id, REPOSITORY / SHIPPED)
    resolved = WeightsStore(tmp_path, REPOSITORY).resolve(selection.entry)
    assert all(path.is_file() for path in resolved.paths.values())


def test_a_package_that_is_not_installed_is_unavailable(tmp_path):
    item = entry(sha256=SHA, location="package", package="no-such-distribution-here")
    assert reason(WeightsStore(tmp_path, tmp_path), item) == "weights_unavailable:a/b"
