"""The request of `POST /api/voice/speak`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StringConstraints, ValidationError

from voicemill import files
from voicemill.errors import VoicemillError
from voicemill_serve.voice_api.environment import LOCAL_PROVIDER

Certainty = Literal["unknown", "hypothesis", "reasoned", "confirmed"]
CERTAINTIES: tuple[Certainty, ...] = ("unknown", "hypothesis", "reasoned", "confirmed")
"""From low to high."""
_BY_PRIORITY: dict[str, Certainty] = {
    "info": "unknown",
    "warn": "hypothesis",
    "action": "reasoned",
    "critical": "confirmed",
}
_MAY_BE_NULL = ("referenceAudioHash", "terminal_answer_authority", "accepted_arbitration_candidate")


def _whole(value: object) -> object:
    """Whole numbers, written as 5 or 5.0; never true or "5"."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise ValueError("Expected a whole number")
    return int(value)


def _text(least: int, most: int) -> Any:
    return Annotated[str, StringConstraints(strip_whitespace=True, strict=True, min_length=least, max_length=most)]


Count = Annotated[int, BeforeValidator(_whole), Field(ge=0)]
Name = _text(1, 120)
Reference = _text(0, 200)


class VoiceRequest(BaseModel):
    """A text, who asks for it, and what is known of it; unknown fields are dropped."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    text: _text(1, 600)  # type: ignore[valid-type]
    mode: Literal["callout", "briefing", "debrief"] = "callout"
    priority: Literal["info", "warn", "critical", "action"] = "info"
    voiceProfile: Name | None = None  # type: ignore[valid-type]  # noqa: N815
    voice_profile_id: Name | None = None  # type: ignore[valid-type]
    format: Literal["wav", "mp3"] = "wav"
    consent_asserted: StrictBool | None = None
    watermark_mode: _text(0, 120) | None = None  # type: ignore[valid-type]
    traceId: Reference | None = None  # type: ignore[valid-type]  # noqa: N815
    missionId: Reference | None = None  # type: ignore[valid-type]  # noqa: N815
    eventId: Reference | None = None  # type: ignore[valid-type]  # noqa: N815
    referenceAudioHash: _text(0, 256) | None = None  # type: ignore[valid-type]  # noqa: N815
    dedupe_key: _text(0, 240) | None = None  # type: ignore[valid-type]
    provider: Name | None = None  # type: ignore[valid-type]
    durationMs: Annotated[Count, Field(le=600_000)] | None = None  # noqa: N815
    contextTier: Literal["tier0", "tier1"] | None = None  # noqa: N815
    sessionState: Literal["idle", "requesting", "active", "stopping", "error"] | None = None  # noqa: N815
    voiceMode: Literal["off", "critical_only", "normal", "dnd"] | None = None  # noqa: N815
    utteranceId: Reference | None = None  # type: ignore[valid-type]  # noqa: N815
    chunkIndex: Annotated[Count, Field(le=4096)] | None = None  # noqa: N815
    chunkCount: Annotated[Count, Field(ge=1, le=4096)] | None = None  # noqa: N815
    chunkKind: (  # noqa: N815
        Literal[
            "brief",
            "final",
            "tool_receipt",
            "manual_read_aloud",
            "translation_relay",
            "narrator_read",
            "panel_narration",
        ]
        | None
    ) = None
    turnKey: Reference | None = None  # type: ignore[valid-type]  # noqa: N815
    textCertainty: Certainty | None = None  # noqa: N815
    voiceCertainty: Certainty | None = None  # noqa: N815
    deterministic: StrictBool | None = None
    evidenceRefs: Annotated[list[_text(1, 500)], Field(max_length=32)] | None = None  # type: ignore[valid-type]  # noqa: N815
    repoAttributed: StrictBool | None = None  # noqa: N815
    replayMode: StrictBool | None = None  # noqa: N815
    streaming: StrictBool | None = None
    policyTsMs: Count | None = None  # noqa: N815
    tsMs: Count | None = None  # noqa: N815
    voiceAuthorityState: (  # noqa: N815
        Literal["transcribe_only", "status_voice", "callout_voice", "command_confirm", "command_execute"] | None
    ) = None
    terminal_answer_authority: Any = None
    accepted_arbitration_candidate: Any = None
    sourceKind: _text(1, 120) | None = None  # type: ignore[valid-type]  # noqa: N815
    sourceTextHash: _text(1, 256) | None = None  # type: ignore[valid-type]  # noqa: N815
    terminal_voice_text_hash: _text(1, 256) | None = None  # type: ignore[valid-type]
    threadId: _text(1, 200) | None = None  # type: ignore[valid-type]  # noqa: N815
    turnId: _text(1, 200) | None = None  # type: ignore[valid-type]  # noqa: N815

    @property
    def profile(self) -> str:
        """The voice that is asked for; empty for none."""
        return str(self.voiceProfile or self.voice_profile_id or "")

    @property
    def asked_provider(self) -> str:
        return str(self.provider or LOCAL_PROVIDER)

    @property
    def text_certainty(self) -> Certainty:
        return self.textCertainty or _BY_PRIORITY[self.priority]

    @property
    def voice_certainty(self) -> Certainty:
        return self.voiceCertainty or _BY_PRIORITY[self.priority]

    def forwarded(self, provider: str) -> dict[str, Any]:
        """The body for a backend: the request with its defaults, the provider and the voice."""
        body = self.model_dump(exclude_unset=True) | {
            "mode": self.mode,
            "priority": self.priority,
            "format": self.format,
            "provider": provider,
        }
        return body | ({"voiceProfile": self.profile} if self.profile else {})


class InvalidVoiceRequestError(ValueError):
    """A body that is no request.

    Attributes:
        issues: `formErrors` and `fieldErrors`.
    """

    def __init__(self, form: list[str], fields: dict[str, list[str]]) -> None:
        super().__init__("invalid voice request")
        self.issues: dict[str, Any] = {"formErrors": form, "fieldErrors": fields}


def read_request(data: bytes) -> VoiceRequest:
    """A body as a request; an empty one counts as `{}`.

    Raises:
        InvalidVoiceRequestError: with every field that is wrong.
    """
    try:
        body = files.parse_json(data or b"{}")
    except (ValueError, VoicemillError) as error:
        raise InvalidVoiceRequestError([f"Invalid JSON: {error}"], {}) from error
    if not isinstance(body, dict):
        raise InvalidVoiceRequestError(["Expected an object"], {})
    fields: dict[str, list[str]] = {
        name: ["Must not be null"] for name in VoiceRequest.model_fields if _is_null(body, name)
    }
    try:
        request = VoiceRequest.model_validate(body)
    except ValidationError as error:
        for issue in error.errors():
            fields.setdefault(str(issue["loc"][0]), []).append(issue["msg"])
        raise InvalidVoiceRequestError([], fields) from error
    if fields:
        raise InvalidVoiceRequestError([], fields)
    return request


def _is_null(body: dict[str, Any], name: str) -> bool:
    return name in body and body[name] is None and name not in _MAY_BE_NULL
