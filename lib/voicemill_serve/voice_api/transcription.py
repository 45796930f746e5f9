"""`POST /api/voice/transcribe`: this server recognises no speech, and answers as an agent whose recognition is off."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from voicemill_serve.guard import note
from voicemill_serve.voice_api.answers import error_answer

_LIMITS = (
    ("heap_used_limit", "maxHeapUsedMiB", "VOICE_TRANSCRIBE_MAX_HEAP_USED_MB"),
    ("rss_limit", "maxRssMiB", "VOICE_TRANSCRIBE_MAX_RSS_MB"),
)
_PAUSED = "Voice transcription is temporarily paused because the server is under memory pressure."
_DISABLED = "Voice transcription is disabled."


async def transcribe(request: Request) -> Response:
    """503: `voice_memory_pressure` above a limit of memory, else `voice_unavailable`."""
    pressure = memory_pressure(os.environ)
    reason = "voice_unavailable" if pressure is None else "voice_memory_pressure"
    note(request.state, reason=reason)
    if pressure is None:
        return error_answer(503, reason, _DISABLED, {"transcriptionEnabled": False}, None)
    return error_answer(503, reason, _PAUSED, pressure, None)


def memory_pressure(environ: Mapping[str, str]) -> dict[str, Any] | None:
    """The limit that this process exceeds; None within all limits.

    Python has no figure of its own heap, so both limits are compared with the resident memory.

    Args:
        environ: `VOICE_TRANSCRIBE_MEMORY_GUARD` (`0` or `false` turns the check off), `..._MAX_HEAP_USED_MB` and
            `..._MAX_RSS_MB`; an unset limit, or one that is no number above 0, is none.
    """
    if environ.get("VOICE_TRANSCRIBE_MEMORY_GUARD", "").strip().lower() in ("0", "false"):
        return None
    used = _resident_mib()
    for reason, field, variable in _LIMITS:
        try:
            limit = float(environ.get(variable, ""))
        except ValueError:
            continue
        if 0 < limit < used:
            return {"reason": reason, field: limit, "rssMiB": round(used, 1)}
    return None


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
