"""Rules of a voice agent about its own requests; they hold only where the operator switches them on."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from voicemill_serve.voice_api.authority import suppression
from voicemill_serve.voice_api.environment import VoiceEnvironment
from voicemill_serve.voice_api.requests import CERTAINTIES, VoiceRequest

COOLDOWN_MS = {"info": 60_000, "warn": 30_000, "critical": 10_000, "action": 5_000}
"""Time after a callout during which the same one is suppressed, by priority."""
RATE_MS = 15_000
RATE_CALLOUTS = 2
MOST_KEYS = 10_000
"""Missions, tenants and callouts that are counted; the oldest are dropped first."""


@dataclass(frozen=True)
class Denial:
    """Why a request gets no speech.

    Attributes:
        status: of the answer; 200 for a text that a rule suppresses.
        reason: the rule that suppresses it, or the error.
        extra: further fields of the answer, or the details of the error.
    """

    status: int
    reason: str
    message: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


class Policies:
    """The rules, with the requests of missions and tenants and the callouts that they count."""

    def __init__(self) -> None:
        self._missions: dict[str, list[int]] = defaultdict(list)
        self._callouts: dict[str, list[int]] = defaultdict(list)
        self._tenants: dict[str, tuple[str, int]] = {}
        self._until: dict[str, int] = {}

    def before_consent(self, request: VoiceRequest, now_ms: int) -> Denial | None:
        """Source, context and parity, in this order; a valid request always has the form of a callout."""
        if reason := suppression(request, now_ms):
            return Denial(200, reason)
        if request.mode == "callout" and not _in_context(request):
            return Denial(200, "voice_context_ineligible")
        return _parity(request)

    def after_provider(self, request: VoiceRequest, tenant: str, env: VoiceEnvironment, now_ms: int) -> Denial | None:
        """Budget, rate and repeated callouts, in this order; each request is counted."""
        for memory in (self._missions, self._callouts, self._tenants, self._until):
            _forget(memory)
        if refused := self._budget(request, tenant, env, now_ms):
            metering = {
                "requestCount": 1,
                "charCount": len(request.text),
                "durationMs": request.durationMs,
                "tenantId": tenant,
                "missionId": request.missionId,
            }
            known = {name: value for name, value in metering.items() if value is not None}
            details = {**refused, "tenantId": tenant, "metering": known}
            return Denial(429, "voice_budget_exceeded", "Voice request budget exceeded.", details)
        if request.mode != "callout":
            return None
        if request.missionId and not _within(self._callouts[request.missionId], RATE_MS, RATE_CALLOUTS, now_ms):
            details = {"windowSeconds": RATE_MS // 1000, "maxCallouts": RATE_CALLOUTS}
            return Denial(429, "voice_rate_limited", "Too many callouts for this mission.", details)
        if self._repeated(request, now_ms):
            names = ("traceId", "missionId", "eventId")
            return Denial(200, "dedupe_cooldown", extra={name: getattr(request, name) for name in names})
        return None

    def _budget(self, request: VoiceRequest, tenant: str, env: VoiceEnvironment, now_ms: int) -> dict[str, Any] | None:
        mission = request.missionId
        if mission and not _within(self._missions[mission], env.mission_window_ms, env.mission_requests, now_ms):
            return {"scope": "mission_window", "limit": env.mission_requests, "windowMs": env.mission_window_ms}
        today = datetime.fromtimestamp(now_ms / 1000, UTC).date().isoformat()
        day, count = self._tenants.get(tenant, (today, 0))
        count = count if day == today else 0
        if count >= env.tenant_requests:
            return {"scope": "tenant_day", "limit": env.tenant_requests}
        self._tenants[tenant] = (today, count + 1)
        return None

    def _repeated(self, request: VoiceRequest, now_ms: int) -> bool:
        key = request.dedupe_key or request.eventId
        if not key:
            return False
        if self._until.get(key, 0) > now_ms:
            return True
        self._until[key] = now_ms + COOLDOWN_MS[request.priority]
        return False


def _in_context(request: VoiceRequest) -> bool:
    if request.contextTier == "tier0" or request.sessionState not in (None, "active"):
        return False
    if request.voiceMode in ("off", "dnd"):
        return False
    return not (request.voiceMode == "critical_only" and request.priority in ("info", "warn"))


def _parity(request: VoiceRequest) -> Denial | None:
    text, voice = request.text_certainty, request.voice_certainty
    evidence = len(request.evidenceRefs or ())
    deterministic = request.deterministic is not False
    attributed = request.repoAttributed
    if attributed is None:
        attributed = bool(request.missionId) and request.mode == "callout"
    reason = ""
    if CERTAINTIES.index(voice) > CERTAINTIES.index(text) or (attributed and not deterministic):
        reason = "contract_violation"
    elif attributed and not evidence:
        reason = "missing_evidence"
    if reason:
        meta = {
            "textCertainty": text,
            "voiceCertainty": voice,
            "deterministic": deterministic,
            "evidenceRefCount": evidence,
        }
        return Denial(200, reason, extra={"replayMeta": meta})
    return None


def _within(times: list[int], window_ms: int, most: int, now_ms: int) -> bool:
    """Count a request in a sliding window; False if it is one too many."""
    times[:] = [time for time in times if time >= now_ms - window_ms]
    if len(times) >= most:
        return False
    times.append(now_ms)
    return True


def _forget(memory: dict[str, Any]) -> None:
    while len(memory) > MOST_KEYS:
        del memory[next(iter(memory))]
