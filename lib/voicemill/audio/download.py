"""Recordings from a URL, downloaded with yt-dlp, which is set up at its first use.

Only http and https URLs are accepted, for a single recording and not a list, and nothing is post-processed. The
downloaded file is as untrusted as any other and goes through `decode`.
"""

from __future__ import annotations

import importlib
import io
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from voicemill import files, path_names
from voicemill.audio import web_tool
from voicemill.errors import AudioError, DependencyError, UsageError
from voicemill.progress import Observer, SilentObserver

_RECORD = "source.json"
_TIMEOUT = 30.0
_MESSAGE = 300
_MAX_COOKIES = 1 << 20
_COOKIE_HEADERS = (["#", "Netscape", "HTTP"], ["#", "HTTP", "Cookie"])
"""First words of a cookie file."""


class Download(BaseModel):
    """`source.json` beside a downloaded recording: its URL, file and digest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    file: str
    sha256: str
    title: str = ""
    video_id: str = ""
    tool: str


def is_url(source: str) -> bool:
    """Whether a source is a URL and not a path."""
    return source.lower().startswith(("http://", "https://"))


def parse_source(given: object) -> tuple[Path | None, str | None]:
    """The value of `--audio` as (path, None) or (None, URL)."""
    text = str(given) if given else ""
    if is_url(text):
        return None, text
    return (Path(text) if text else None), None


def fetch(
    url: str, cache: Path, observer: Observer | None = None, *, force: bool = False, cookies: Path | None = None
) -> Path:
    """Download the recording at a URL; later calls return it from the cache.

    Args:
        url: http or https.
        cache: folder of downloads, with one folder for each URL.
        observer: gets notes about the progress.
        force: download again.
        cookies: Netscape cookie file of a browser, for recordings that need a login; it is not changed.

    Raises:
        UsageError: not a URL; `cookies_unreadable:<name>`.
        DependencyError: `extra_missing:yt-dlp`.
        AudioError: `url_unreadable`, there is no recording at the URL, or it cannot be downloaded.
        StorageError: the cache cannot be written.
    """
    observer = observer or SilentObserver()
    if not is_url(url) or not urlsplit(url).hostname:
        raise UsageError(f"{url[:200]!r} is not a URL.", hint="Give an http or https URL, or a path.")
    folder = cache / files.content_key("download", url)
    known = None if force else _known(folder, url)
    if known is not None:
        observer.note(f"{url}: already downloaded")
        return known
    jar = None if cookies is None else _checked_cookies(cookies)
    tool = _tool(cache.parent / "tools", observer)
    observer.note(f"downloading {url}")
    with files.atomic_directory(folder) as staging:
        got, info = _download(tool, url, staging, jar)
        record = Download(
            url=url,
            file=got.name,
            sha256=files.sha256_file(got),
            title=str(info.get("title") or "")[:_MESSAGE],
            video_id=str(info.get("id") or "")[:_MESSAGE],
            tool=f"yt-dlp {tool.version.__version__}",
        )
        files.write_json(staging / _RECORD, record.model_dump())
    return folder / record.file


def described(url: str, cache: Path) -> Download | None:
    """What is known of a recording that was downloaded; None where it was not."""
    try:
        return Download.model_validate(files.read_json(cache / files.content_key("download", url) / _RECORD))
    except (OSError, ValueError, ValidationError):
        return None


def _checked_cookies(path: Path) -> str:
    """The text of a cookie file, so that yt-dlp, which writes such files, gets a copy.

    Raises:
        UsageError: `cookies_unreadable:<name>`.
    """
    try:
        text = files.read_whole(path, _MAX_COOKIES).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror or str(error) if isinstance(error, OSError) else "it is not text"
    else:
        if any(line.split(maxsplit=3)[:3] in _COOKIE_HEADERS for line in text.splitlines()[:1]):
            return text
        why = "it does not begin as a Netscape cookie file does"
    raise UsageError(
        f"The cookies in {path} cannot be used: {why}.",
        reason=f"cookies_unreadable:{path.name}",
        hint="Export the cookies of your browser in Netscape's format (cookies.txt).",
    )


def _known(folder: Path, url: str) -> Path | None:
    try:
        record = Download.model_validate(files.read_json(folder / _RECORD))
        path = folder / path_names.safe_relative(record.file)
        return path if record.url == url and files.sha256_file(path) == record.sha256 else None
    except (OSError, ValueError, ValidationError):
        return None  # missing or incomplete: downloaded again


def _tool(tools: Path, observer: Observer) -> Any:
    """yt-dlp, set up where it is not installed.

    Raises:
        DependencyError: `extra_missing:yt-dlp`.
        StorageError: the cache cannot be written.
    """
    try:
        return _yt_dlp()
    except DependencyError:
        if "yt_dlp" in sys.modules or not web_tool.set_up(tools, observer):  # an import that was ruled out stays so
            raise
    return _yt_dlp()


def _yt_dlp() -> Any:
    try:
        return importlib.import_module("yt_dlp")
    except ImportError as error:
        raise DependencyError(
            "A recording from a URL needs yt-dlp, which is not installed and could not be fetched.",
            reason="extra_missing:yt-dlp",
            hint="Check the network, or install it (pip install yt-dlp), or download the recording and give its path.",
        ) from error


def _download(tool: Any, url: str, folder: Path, cookies: str | None = None) -> tuple[Path, dict[str, Any]]:
    options: dict[str, Any] = {
        "format": "bestaudio/best",
        "outtmpl": str(folder / "recording.%(ext)s"),
        "noplaylist": True,
        "playlist_items": "1:2",  # enough to tell a list from a recording
        "fixup": "never",  # would run ffmpeg on the untrusted file without the precautions of `voicemill.audio.ffmpeg`
        "hls_prefer_native": True,
        "cachedir": False,
        "quiet": True,
        "noprogress": True,
        "logger": _Quiet(),
        "socket_timeout": _TIMEOUT,
        "retries": 3,
    }
    if cookies is not None:
        options["cookiefile"] = io.StringIO(cookies)
    try:
        with tool.YoutubeDL(options) as downloader:
            info = downloader.extract_info(url, download=False)
            if info is None or info.get("_type", "video") != "video":
                raise _unreadable(url, "it is a list of recordings")
            info = downloader.process_ie_result(info, download=True)
    except tool.utils.YoutubeDLError as error:
        raise _unreadable(url, str(error).partition("\n")[0][:_MESSAGE]) from error
    found = [Path(item["filepath"]) for item in info.get("requested_downloads") or () if item.get("filepath")]
    if len(found) != 1 or not found[0].is_file() or found[0].parent != folder:
        raise _unreadable(url, "nothing was downloaded")
    return found[0], info


class _Quiet:
    """yt-dlp's logger; errors are raised as exceptions."""

    def debug(self, message: str) -> None: ...

    def info(self, message: str) -> None: ...

    def warning(self, message: str) -> None: ...

    def error(self, message: str) -> None: ...


def _unreadable(url: str, why: str) -> AudioError:
    return AudioError(
        f"No recording can be downloaded from {url}: {why}.",
        reason="url_unreadable",
        hint="Check the URL in a browser, or download the recording yourself and give its path.",
    )


__all__ = ["Download", "fetch", "is_url", "parse_source"]
