"""Examines sounds for the marks of synthetic speech, one at a time."""

from __future__ import annotations

import asyncio
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.datastructures import UploadFile
from starlette.requests import Request

from voicemill_marks.anchors import anchors_of_environment
from voicemill_serve.guard import note
from voicemill_serve.refusals import RequestRefusedError
from voicemill_serve.voice_store import VoiceStore

if TYPE_CHECKING:
    from voicemill.verify.audio_marks import MarkReport

MOST_BYTES = 64 * 1024 * 1024
MOST_SECONDS = 2 * 3600.0
"""Of a sound; what follows is not examined."""
MOST_WAITING = 8


class Detector:
    """Examines one sound at a time, beside the threads that speak."""

    def __init__(self, voices: VoiceStore) -> None:
        """
        Args:
            voices: whose marks are looked up.

        Raises:
            UsageError: `trust_unreadable:<path>`.
        """
        self._voices, self._anchors = voices, anchors_of_environment()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="detector")
        self._waiting = 0

    def close(self) -> None:
        """Take no more sounds; the one that is examined is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def examine(self, request: Request) -> MarkReport:
        """Examine the sound of a request: its body, or the field `file` of a form.

        Raises:
            RequestRefusedError: `bad_usage`, `server_busy`.
            AudioError: it is no sound that can be decoded.
        """
        name, data = await _sound(request)
        if self._waiting >= MOST_WAITING:
            raise RequestRefusedError("Too many sounds wait to be examined.", reason="server_busy", hint="Try again.")
        self._waiting += 1
        try:
            report = await asyncio.get_running_loop().run_in_executor(self._pool, self._examine, data)
        finally:
            self._waiting -= 1
        note(request.state, bytes=len(data), marked=report.marked)
        return replace(report, path=Path(name))

    def _examine(self, data: bytes) -> MarkReport:
        from voicemill.verify.audio_marks import inspect_audio

        bundles = tuple(self._voices.folders().values())
        with tempfile.TemporaryDirectory(prefix="voicemill-detector-") as folder:
            path = Path(folder) / "sound"
            path.write_bytes(data)
            return inspect_audio(path, bundles, self._anchors, most_seconds=MOST_SECONDS)


def public(report: MarkReport) -> dict[str, Any]:
    """A report for clients: without the paths of this machine, and with its sentences."""
    from voicemill.verify.audio_marks import lines

    found = report.as_dict()
    found["name"] = found.pop("path")
    for voice in found["voices"]:
        del voice["bundle"]
    return found | {"sentences": list(lines(report, with_paths=False))}


async def _sound(request: Request) -> tuple[str, bytes]:
    """The name of a sound, as the client gives it, and its bytes."""
    name, data = "sound", b""
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        try:
            form = await request.form(max_files=1, max_fields=4)
        except Exception as error:  # the parsers raise classes of three packages
            raise RequestRefusedError("The form cannot be read.", reason="bad_usage", parameter="file") from error
        file = form.get("file")
        if isinstance(file, UploadFile):
            name, data = Path(file.filename or name).name[:100], await file.read()
        await form.close()
    else:
        data = await request.body()
    if not data:
        raise RequestRefusedError("There is no sound in the request.", reason="bad_usage", parameter="file")
    return name, data
