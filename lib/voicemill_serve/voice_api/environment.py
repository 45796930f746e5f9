"""Variables that decide about `/api/voice/speak`, read at every request."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

LOCAL_PROVIDER = "local-chatterbox"
_NUMBER = re.compile(r"\s*[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})")


def leading_number(text: str, default: float) -> float:
    """The number that a text begins with, as in `50`, `-14dB` or `7.5 s`; without one the default."""
    found = _NUMBER.match(text)
    return float(found[0]) if found else default


@dataclass(frozen=True)
class LoudnessTargets:
    """Targets of the loudness of answers."""

    enabled: bool
    peak: float
    rms: float
    max_gain: float
    min_gain: float
    min_delta: float
    mp3: bool
    kbps: int
    ffmpeg: str

    @property
    def header(self) -> str:
        """The value of `x-voice-normalization-benchmark`."""
        return (
            f"mobile_voice_v1;enabled={self.enabled:d};peak={self.peak:.1f};rms={self.rms:.1f};"
            f"maxGain={self.max_gain:.1f};minGain={self.min_gain:.1f};minDelta={self.min_delta:.1f};"
            f"mp3={self.mp3:d};kbps={self.kbps}"
        )


@dataclass(frozen=True)
class VoiceEnvironment:
    """The variables of one request.

    Attributes:
        backend: `TTS_BASE_URL` without slashes at its end; empty for this server's own voices.
        mission_window_ms: see `policies`.
    """

    backend: str
    local_only: bool
    allowlist: tuple[str, ...]
    commercial: bool
    managed: bool
    local_missions: bool
    mission_window_ms: int
    mission_requests: int
    tenant_requests: int
    cache_ms: int
    replay_clock: bool
    loudness: LoudnessTargets

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> VoiceEnvironment:
        """From the environment; a value that is no number, and a count of 0 or less, is the default."""

        def flag(name: str, default: bool) -> bool:
            return {"1": True, "true": True, "0": False, "false": False}.get(
                environ.get(name, "").strip().lower(), default
            )

        def number(name: str, default: float, low: float, high: float) -> float:
            return min(max(leading_number(environ.get(name, ""), default), low), high)

        def count(name: str, default: int, low: int = 1, high: int = 10**12) -> int:
            found = int(leading_number(environ.get(name, ""), default))
            return min(max(found, low), high) if found > 0 else default

        only = environ.get("VOICE_PROVIDER_MODE", "").strip().lower() == "local_only"
        prefix, listed = "VOICE_SPEAK_", environ.get("VOICE_PROVIDER_ALLOWLIST", "")
        return cls(
            backend=environ.get("TTS_BASE_URL", "").strip().rstrip("/"),
            local_only=only,
            allowlist=tuple(filter(None, (name.strip().lower() for name in listed.split(",")))),
            commercial=flag("VOICE_COMMERCIAL_MODE", False),
            managed=flag("VOICE_MANAGED_PROVIDERS_ENABLED", True),
            local_missions=only or flag("VOICE_LOCAL_ONLY_MISSION_MODE", True),
            mission_window_ms=count("VOICE_BUDGET_MISSION_WINDOW_MS", 60_000),
            mission_requests=count("VOICE_BUDGET_MISSION_MAX_REQUESTS", 12),
            tenant_requests=count("VOICE_BUDGET_TENANT_DAILY_MAX_REQUESTS", 500),
            cache_ms=count("VOICE_CHUNK_CACHE_TTL_MS", 30_000, low=1000),
            replay_clock=flag("VOICE_REPLAY_CLOCK_TRUSTED", False),
            loudness=LoudnessTargets(
                enabled=flag(f"{prefix}NORMALIZE_ENABLED", True),
                peak=number(f"{prefix}TARGET_PEAK_DBFS", -1.0, -12.0, -0.1),
                rms=number(f"{prefix}TARGET_RMS_DBFS", -14.0, -30.0, -8.0),
                max_gain=number(f"{prefix}MAX_GAIN_DB", 20.0, 0.0, 24.0),
                min_gain=number(f"{prefix}MIN_GAIN_DB", -14.0, -24.0, 0.0),
                min_delta=number(f"{prefix}MIN_DELTA_DB", 0.3, 0.0, 6.0),
                mp3=flag(f"{prefix}MP3_NORMALIZE_ENABLED", True),
                kbps=count(f"{prefix}MP3_BITRATE_KBPS", 192, 48, 320),
                ffmpeg=environ.get(f"{prefix}MP3_FFMPEG_PATH", "").strip() or "ffmpeg",
            ),
        )
