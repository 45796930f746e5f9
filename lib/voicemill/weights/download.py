"""Download of a pinned file over HTTPS by ranges; an interrupted download resumes, in this run or the next.

Nothing here is trusted: the store compares the sha256 of the received file with the pin before it publishes the file.
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
BLOCK = 1 << 20
_PAUSE = 1.0
"""Seconds before the next attempt after a broken connection; a busy server may ask for up to `_LONGEST_PAUSE`."""
_LONGEST_PAUSE = 60.0
_BUSY = (http.client.TOO_MANY_REQUESTS, http.client.BAD_GATEWAY, http.client.SERVICE_UNAVAILABLE)
_BUSY_ATTEMPTS = 5
"""Answers in a row that say that the server is busy, before the download fails."""

Progress = Callable[[int, int | None], None]
"""Called with the bytes received so far and the bytes in total (None where unknown)."""


class DownloadError(Exception):
    """A download failed; the message says why."""


class Fetch(Protocol):
    """Downloads a URL into a file, resuming after the bytes that the file already has.

    Raises `DownloadError` when it cannot; the bytes received so far stay in the file.
    """

    def __call__(self, url: str, partial: Path, *, max_bytes: int, progress: Progress) -> None: ...


def fetch(url: str, partial: Path, *, max_bytes: int, progress: Progress) -> None:
    """Download into `partial`, never from another scheme than HTTPS, cut off at `max_bytes`; see `Fetch`.

    Raises:
        DownloadError: no answer, an error status, another scheme, too many bytes, or another process is downloading.
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
        _download(url, PartialFile(out, partial, max_bytes, progress))


class PartialFile:
    """The target of a download. It enforces the size limit and reports disk errors apart from network errors.

    Attributes:
        size: bytes in the file.
        total: bytes that the server announced, None where unknown.
    """

    def __init__(self, out: BinaryIO, path: Path, max_bytes: int, progress: Progress) -> None:
        self._out, self._path, self._max, self._progress = out, path, max_bytes, progress
        self.size = os.fstat(out.fileno()).st_size
        self.total: int | None = None

    def write(self, block: bytes) -> None:
        """Append `block`.

        Raises:
            DownloadError: the file would exceed its limit.
            StorageError: the disk is full or cannot be written.
        """
        if self.size + len(block) > self._max:
            raise DownloadError(f"more than {self._max} bytes")
        try:
            self._out.write(block)
            self._out.flush()
        except OSError as error:
            raise StorageError.from_os_error(error, self._path) from error
        self.size += len(block)
        self._progress(self.size, self.total)

    def restart(self) -> None:
        """Drop everything received so far."""
        self._out.truncate(0)
        self.size = 0


def _download(url: str, out: PartialFile) -> None:
    """Request the missing bytes until the file is complete, as long as each connection brings some."""
    busy = 0
    while True:
        before = out.size
        try:
            _receive(url, out)
        except urllib.error.HTTPError as error:
            busy += 1
            if error.code not in _BUSY or busy > _BUSY_ATTEMPTS:
                raise DownloadError(str(error)) from error
            time.sleep(_requested_pause(error))
        except (OSError, http.client.HTTPException) as error:
            if out.size == before:
                raise DownloadError(str(error) or type(error).__name__) from error
            time.sleep(_PAUSE)
        else:
            return
        busy = busy if out.size == before else 0


def _requested_pause(error: urllib.error.HTTPError) -> float:
    """Seconds that a busy server asks for in `Retry-After`, within bounds."""
    asked = str(error.headers.get("Retry-After", ""))
    return min(float(asked), _LONGEST_PAUSE) if asked.isascii() and asked.isdigit() else _PAUSE


def _receive(url: str, out: PartialFile) -> None:
    """Send one request for the missing bytes.

    Raises:
        OSError, HTTPException: the connection failed or ended early.
    """
    asked = urllib.request.Request(url, headers={"Range": f"bytes={out.size}-"} if out.size else {})  # noqa: S310
    try:
        answer = urllib.request.urlopen(asked, timeout=TIMEOUT)  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        return  # the file is complete or wrong: its digest decides
    with answer:
        _https(answer.geturl())
        if answer.status != http.client.PARTIAL_CONTENT:
            if out.size:
                out.restart()
        elif not str(answer.headers.get("Content-Range", "")).startswith(f"bytes {out.size}-"):
            raise DownloadError("the server sent a different range than requested")
        out.total = None if answer.length is None else out.size + answer.length
        while block := answer.read(BLOCK):
            out.write(block)
    if out.total is not None and out.size < out.total:
        raise http.client.IncompleteRead(b"", out.total - out.size)


def _https(url: str) -> None:
    if urlsplit(url).scheme != "https":
        raise DownloadError("not an https address")
