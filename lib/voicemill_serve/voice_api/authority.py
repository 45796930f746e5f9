"""Which texts of a voice agent may be spoken: its server has to vouch for them.

A status needs the statement of a finished answer (`terminal_answer_authority`), a callout an accepted candidate
(`accepted_arbitration_candidate`); both name the sha256 of the text.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from voicemill_serve.voice_api.requests import CERTAINTIES, VoiceRequest

TERMINAL_SCHEMA = "helix.turn_terminal_authority.v1"
CANDIDATE_SCHEMA = "helix.accepted_arbitration_candidate.v1"
SPEAKABLE = ("answer", "request_user_input", "workspace_action_receipt", "tool_evaluation", "failure")
CANDIDATE_SOURCES = ("operator_callout_v1", "terminal_answer_authority", "solver_public_commentary")
RECEIPTS = ("tool_receipt", "translation_relay", "narrator_read", "panel_narration")
NARRATION = ("narrator_read", "panel_narration")
_LEGACY = "legacy_context_pack_not_speakable"
_RAW = {
    "raw_transcript": "raw_transcript_not_speakable",
    "raw_observation": "raw_observation_not_speakable",
    "live_voice_observation": "raw_observation_not_speakable",
    "process_graph_summary": "process_graph_summary_not_speakable",
    "field_hypothesis": "field_hypothesis_not_speakable",
    "legacy_context_pack": _LEGACY,
    "compact_context_pack": _LEGACY,
    "situation_context_pack": _LEGACY,
    "live_answer_environment": _LEGACY,
}
"""Kinds of sources that are never spoken, in the order in which they decide."""
_RAW_SOURCES = {
    **{kind: why for kind, why in _RAW.items() if kind not in ("situation_context_pack", "live_answer_environment")},
    "ui_projection": _LEGACY,
}
_AGENT_PROFILE = re.compile(r"\b(?:dot|dottie)\b|(?:^|[_-])(?:dot|dottie)(?:[_-]|$)", re.IGNORECASE)
_AGENT_TRACE = re.compile(r"(?:^|[:_-])(?:helix|dot|dottie)(?:[:_-]|$)|^ask:", re.IGNORECASE)
_NARRATOR = re.compile(r"narrator[:_-]", re.IGNORECASE)
_RECEIPT = re.compile(r"helix_interim_voice_callout_receipt:|translation_obs:", re.IGNORECASE)
_ROUTE = re.compile(r"/(?:api/)?ask(?:/|$)")


def suppression(request: VoiceRequest, now_ms: int) -> str:
    """Why a text must not be spoken; empty if it may."""
    if not _is_of_agent(request) or _is_receipt(request):
        return ""
    if raw := _RAW_SOURCES.get(_plain(request.sourceKind).lower()):
        return raw
    state = request.voiceAuthorityState or ("callout_voice" if request.mode == "callout" else "status_voice")
    if state == "transcribe_only":
        return "transcribe_only"
    if state in ("command_execute", "command_confirm"):
        return "command_execute_not_voice"
    return _of_terminal(request) if state == "status_voice" else _of_candidate(request, now_ms)


def is_narration(request: VoiceRequest) -> bool:
    """Whether a narrator reads."""
    identities = (request.eventId, request.utteranceId)
    return request.chunkKind in NARRATION or any(_NARRATOR.match(_plain(name)) for name in identities)


def text_hash(text: str) -> str:
    """The digest by which statements name a text."""
    return hashlib.sha256(text.strip().encode("utf-8")).hexdigest()


def _is_of_agent(request: VoiceRequest) -> bool:
    if request.chunkKind == "manual_read_aloud":
        return False
    stated = (
        request.voiceAuthorityState,
        request.terminal_answer_authority,
        request.accepted_arbitration_candidate,
        request.sourceKind,
        request.sourceTextHash,
        request.terminal_voice_text_hash,
    )
    profiles = (request.voiceProfile, request.voice_profile_id)
    if any(stated) or any(_AGENT_PROFILE.search(_plain(name)) for name in profiles):
        return True
    if request.mode == "callout" and (request.missionId or request.eventId):
        return True
    traces = (request.traceId, request.missionId, request.eventId, request.utteranceId, request.turnKey)
    return any(_AGENT_TRACE.search(_plain(trace)) for trace in traces)


def _is_receipt(request: VoiceRequest) -> bool:
    """Interim receipts name the event that they report."""
    if request.chunkKind not in RECEIPTS:
        return False
    event, utterance = _plain(request.eventId), _plain(request.utteranceId)
    named = bool(event) and (event in utterance or any(event in reference for reference in request.evidenceRefs or ()))
    if request.chunkKind in NARRATION and named and _NARRATOR.match(utterance):
        return True
    return bool(_RECEIPT.match(event) and utterance and _plain(request.traceId) and named)


def _of_terminal(request: VoiceRequest) -> str:
    stated = request.terminal_answer_authority
    if not isinstance(stated, dict):
        return "missing_terminal_authority"
    kind, artifact, source = (
        _plain(stated.get(name)) for name in ("terminal_kind", "terminal_artifact_kind", "final_answer_source")
    )
    sources = "|".join((_plain(stated.get("source_kind")), kind, artifact, source)).lower()
    for raw, reason in _RAW.items():
        if re.search(rf"\b{raw}\b", sources):
            return reason
    thread, turn = stated.get("thread_id"), stated.get("turn_id")
    checks: tuple[Callable[[], bool], ...] = (
        lambda: stated.get("schema") == TERMINAL_SCHEMA and stated.get("server_authoritative") is True,
        lambda: bool(_plain(thread)) and (not request.threadId or thread == request.threadId),
        lambda: not (request.turnId and turn and turn != request.turnId),
        lambda: bool(_ROUTE.match(_plain(stated.get("route")))),
    )
    if not all(check() for check in checks):
        return "invalid_terminal_authority"
    if kind not in SPEAKABLE:
        return "terminal_kind_not_speakable"
    if artifact in ("", "unknown") or (source in ("", "unknown") and kind != "failure"):
        return "invalid_terminal_authority"
    digest = text_hash(request.text)
    hashes = [request.sourceTextHash or digest, request.terminal_voice_text_hash or digest]
    if any(_plain(given) != digest for given in (*hashes, stated.get("terminal_text_hash"))):
        return "terminal_text_hash_mismatch"
    return ""


def _of_candidate(request: VoiceRequest, now_ms: int) -> str:
    stated = request.accepted_arbitration_candidate
    if not isinstance(stated, dict):
        return "missing_accepted_arbitration_candidate"
    source = _plain(stated.get("source_kind")).lower()
    if raw := _RAW_SOURCES.get(source):
        return raw
    invalid = "invalid_accepted_arbitration_candidate"
    if source not in CANDIDATE_SOURCES:
        return invalid
    text, voice = _plain(stated.get("text_certainty")), _plain(stated.get("voice_certainty"))
    if "hypothesis" in (text, voice):
        return "field_hypothesis_not_speakable"
    authority = (stated.get("schema"), stated.get("server_authoritative"), stated.get("voice_authority_state"))
    if authority != (CANDIDATE_SCHEMA, True, "callout_voice"):
        return invalid
    if stated.get("status") != "accepted":
        return "candidate_not_accepted"
    if _is_past(_plain(stated.get("expires_at")), now_ms):
        return "candidate_expired"
    if text not in ("reasoned", "confirmed"):
        return "field_hypothesis_not_speakable"
    if voice not in CERTAINTIES or CERTAINTIES.index(voice) > CERTAINTIES.index(text):
        return invalid
    if not _names(stated.get("source_event_ids")) or not _names(stated.get("evidence_refs")):
        return "candidate_evidence_missing"
    digest = text_hash(request.text)
    if any(_plain(given) != digest for given in (request.sourceTextHash or digest, stated.get("text_hash"))):
        return "candidate_text_hash_mismatch"
    return ""


def _is_past(stamp: str, now_ms: int) -> bool:
    if not stamp:
        return False
    try:
        when = datetime.fromisoformat(stamp)
    except ValueError:
        return False
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000 <= now_ms


def _names(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(entry, str) and entry.strip() for entry in value)


def _plain(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""
