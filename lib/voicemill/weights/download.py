"""Bringing a pinned file here over HTTPS; what was broken off goes on where it stopped, in this run or the next.

Nothing here is trusted: the store compares the sha256 of what came with the pin before it gives the file its name.
"""

from __future__ import annotations

import fcntl
import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import urlsplit

from voicemill.errors import StorageError

TIMEOUT = 30.0
"""Seconds without an answer."""
HUB = "huggingface.co"
"""Its addresses are fetched by its own library, which knows its mirrors, its rate limits and its ways to fail."""
BLOCK = 1 << 20
_PAUSE = 1.0
"""Seconds before a broken connection is made again."""

Progress = Callable[[int, int | None], None]
"""(bytes that are here, bytes in all or None)."""


class DownloadError(Exception):
    """A download failed; the message says why."""


class Fetch(Protocol):
    """Brings a URL into a file, going on behind the bytes that the file already has.

    Raises `DownloadError` when it cannot; what came so far stays in the file.
    """

    def __call__(self, url: str, partial: Path, *, max_bytes: int, progress: Progress) -> None: ...


def fetch(url: str, partial: Path, *, max_bytes: int, progress: Progress) -> None:
    """Download into `partial`, never from another scheme than HTTPS, cut off at `max_bytes`; see `Fetch`.

    Raises:
        DownloadError: no answer, an error status, another scheme, too many bytes, or another process is at it.
        StorageError: the disk is full or cannot be written.
    """
    _https(url)
    try:
        out = partial.open("ab")
    except OSError as error:
        raise StorageError.from_os_error(error, partial) from error
    with out:
        try:
            fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DownloadError("another process is downloading it") from error
        guarded = _Guarded(out, partial, max_bytes, progress)
        if urlsplit(url).hostname == HUB:
            from_hub(url, guarded)
        else:
            from_web(url, guarded)


class _Guarded:
    """The file that a download goes into: counts, cuts off, and tells trouble with the disk from trouble with the net.

    Attributes:
        size: bytes that it has.
    """

    def __init__(self, out: BinaryIO, path: Path, max_bytes: int, progress: Progress) -> None:
        self._out, self._path, self._max, self._progress = out, path, max_bytes, progress
        self.size = os.fstat(out.fileno()).st_size
        self.total: int | None = None

    def write(self, block: bytes) -> int:
        """Append `block`."""
        if self.size + len(block) > self._max:
            raise DownloadError(f"more than {self._max} bytes")
        try:
            self._out.write(block)
            self._out.flush()
        except OSError as error:
            raise StorageError.from_os_error(error, self._path) from error
        self.size += len(block)
        self._progress(self.size, self.total)
        return len(block)

    def tell(self) -> int:
        """Where the next block goes."""
        return self.size

    def seek(self, offset: int) -> int:
        """Go back to `offset`; only `truncate` may follow."""
        self.size = offset
        return offset

    def truncate(self) -> int:
        """Drop what lies behind."""
        self._out.truncate(self.size)
        return self.size


def from_web(url: str, out: _Guarded) -> None:
    """Download by ranges; a connection that breaks is made again as long as each one brings something."""
    while True:
        before = out.size
        try:
            _receive(url, out)
        except (OSError, http.client.HTTPException) as error:
            refused = isinstance(error, urllib.error.HTTPError) or out.size == before
            if refused:
                raise DownloadError(str(error) or type(error).__name__) from error
            time.sleep(_PAUSE)
        else:
            return


def _receive(url: str, out: _Guarded) -> None:
    """One request for what is missing.

    Raises:
        OSError, HTTPException: the connection failed, or ended before its end.
    """
    asked = urllib.request.Request(url, headers={"Range": f"bytes={out.size}-"} if out.size else {})  # noqa: S310
    try:
        answer = urllib.request.urlopen(asked, timeout=TIMEOUT)  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        return  # everything is here, or something else is: the digest tells
    with answer:
        _https(answer.geturl())
        if answer.status != http.client.PARTIAL_CONTENT:
            if out.size:
                out.seek(0)
                out.truncate()
        elif not str(answer.headers.get("Content-Range", "")).startswith(f"bytes {out.size}-"):
            raise DownloadError("the server sent another part than it was asked for")
        out.total = None if answer.length is None else out.size + answer.length
        while block := answer.read(BLOCK):
            out.write(block)
    if out.total is not None and out.size < out.total:
        raise http.client.IncompleteRead(b"", out.total - out.size)


def from_hub(url: str, out: _Guarded) -> None:
    """Download with huggingface_hub, which makes a broken connection again itself. No token is sent."""
    from huggingface_hub.errors import HfHubHTTPError, HTTPError
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers, disable_progress_bars

    headers = build_hf_headers(token=False, library_name="voicemill")
    try:
        with disable_progress_bars():  # the progress is ours to show
            http_get(url, out, resume_size=out.size, headers=headers)
    except (HTTPError, OSError) as error:
        beyond = http.client.REQUESTED_RANGE_NOT_SATISFIABLE
        if isinstance(error, HfHubHTTPError) and error.response.status_code == beyond:
            return  # as in `_receive`
        raise DownloadError((str(error) or type(error).__name__).splitlines()[0]) from error


def _https(url: str) -> None:
    if urlsplit(url).scheme != "https":
        raise DownloadError("not an https address")
