"""Web addresses: without yt-dlp a plain refusal; with it, a real download from a server on this machine."""

from __future__ import annotations

import gc
import http.server
import os
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from voicemill import files, locked_packages
from voicemill.audio import download, web_tool
from voicemill.audio.download import fetch, is_url, parse_source
from voicemill.errors import AudioError, DependencyError, UsageError
from voicemill.progress import SilentObserver


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder with yt-dlp as `set_up` installs it; it is importable from then on."""
    folder = tmp_path_factory.mktemp("web") / "tools"
    if not web_tool.set_up(folder, SilentObserver()):
        if os.environ.get("CI"):
            pytest.fail("yt-dlp could not be installed")
        pytest.skip("the package index is not in reach")
    return folder


def test_urls() -> None:
    assert parse_source("https://example.org/a?b=c//d") == (None, "https://example.org/a?b=c//d")
    assert parse_source("HTTP://example.org/a") == (None, "HTTP://example.org/a")
    for path in (
        "a.wav",
        "/tmp/a.wav",
        "file:///etc/passwd",
        "ftp://example.org/a.wav",
        "https:/one.wav",
        "concat:a|b",
    ):
        assert not is_url(path)
        assert parse_source(path) == (Path(path), None)
    assert parse_source(None) == (None, None)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/a.wav", "http://", "https:///a", "a.wav"])
def test_only_http(url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        fetch(url, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "yt_dlp", None)  # what an import of a missing package meets
    with pytest.raises(DependencyError) as caught:
        fetch("https://example.org/a", tmp_path)
    assert caught.value.reason == "extra_missing:yt-dlp"
    assert "pip install yt-dlp" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_it_is_set_up_once_from_the_pinned_package(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder,) = tools.iterdir()
    assert str(folder) in sys.path
    assert (folder / "yt_dlp/YoutubeDL.py").is_file()
    monkeypatch.setattr(locked_packages, "run_pip", None)  # a second set-up starts nothing
    assert web_tool.set_up(tools, SilentObserver())


def test_a_package_with_another_hash_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text(web_tool.LOCK.read_text().rpartition(":")[0] + ":" + "0" * 64 + "\n")
    monkeypatch.setattr(web_tool, "LOCK", lock)
    assert not web_tool.set_up(tmp_path / "tools", SilentObserver())
    assert list((tmp_path / "tools").iterdir()) == []


@pytest.fixture
def site(tmp_path: Path, wav: Callable[..., Path]) -> Iterator[tuple[str, list[str], Path]]:
    """A web server over a folder that holds `take.wav` and a page; it records who asks."""
    tone = 0.3 * np.sin(2 * np.pi * 220 * np.arange(44_100) / 22_050)
    root = tmp_path / "site"
    root.mkdir()
    wav("take.wav", tone.astype(np.float32), 22_050).rename(root / "take.wav")
    (root / "page.html").write_text("<html><title>No sound here</title></html>")
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            super().do_GET()

        def log_message(self, format: str, *args: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(root)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", asked, root
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.usefixtures("tools")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_download_is_made_once(site: tuple[str, list[str], Path], tmp_path: Path) -> None:
    address, asked, root = site
    cache = tmp_path / "cache"
    path = fetch(f"{address}/take.wav", cache)
    assert files.sha256_file(path) == files.sha256_file(root / "take.wav")
    record = download.Download.model_validate(files.read_json(path.parent / "source.json"))
    assert (record.url, record.file) == (f"{address}/take.wav", path.name)
    assert set(asked) == {"/take.wav"}
    count = len(asked)
    assert fetch(f"{address}/take.wav", cache) == path
    assert len(asked) == count
    path.write_bytes(b"cut off")
    assert files.sha256_file(fetch(f"{address}/take.wav", cache)) == record.sha256
    gc.collect()  # yt-dlp leaves sockets to the collector, whose warnings are this test's to ignore


@pytest.mark.usefixtures("tools")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("name", ["page.html", "none.wav"])
def test_a_url_without_a_recording(name: str, site: tuple[str, list[str], Path], tmp_path: Path) -> None:
    with pytest.raises(AudioError) as caught:
        fetch(f"{site[0]}/{name}", tmp_path / "cache")
    assert caught.value.reason == "url_unreadable"
    assert list((tmp_path / "cache").iterdir()) == []
    del caught
    gc.collect()
