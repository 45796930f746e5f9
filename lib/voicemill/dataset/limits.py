"""What a clip must be like to be trained on; every limit with its unit, in one model that a preset may override."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voicemill.errors import UsageError


class QualityLimits(BaseModel):
    """Limits of a clip. What lies beyond one is left out, with its figure, and named in the report."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    max_clipped_share: float = Field(
        default=0.005, ge=0, le=1, description="share of samples at full scale: more is audible, and would be learned"
    )
    min_snr_db: float = Field(default=10.0, description="dB of speech above its background")
    min_bandwidth_hz: float = Field(
        default=3000.0, ge=0, description="Hz up to which there is speech; a telephone gives about 3400"
    )
    max_edge_silence: float = Field(
        default=1.0, gt=0, description="seconds of silence before the first or after the last word"
    )
    min_phones_per_second: float = Field(
        default=4.0, ge=0, description="phones a second while words are spoken; slower than drawling is wrong text"
    )
    max_phones_per_second: float = Field(
        default=28.0, gt=0, description="phones a second; faster than anybody speaks is wrong text"
    )
    max_character_errors: float = Field(
        default=0.6, ge=0, description="errors / characters of a recogniser that knows the script, where one listened"
    )
    max_pitch_shift: float = Field(
        default=6.0,
        gt=0,
        description="semitones between a clip's median pitch and that of all clips; beyond it somebody else speaks, "
        "beyond half of it where the formants agree",
    )
    max_formant_shift: float = Field(
        default=0.12, gt=0, description="change of the formants, as a share, that seconds a change of pitch"
    )
    min_speaker_similarity: float = Field(
        default=0.4,
        ge=-1,
        le=1,
        description="cosine of a clip's embedding to the speaker's, where a speaker model is in the cache; less is "
        "somebody else (0.4 is where NeMo's `verify_speakers` draws its line)",
    )
    max_likeness: float = Field(
        default=0.9, ge=0, le=1, description="correlation of the sound of two clips of one text; more is a copy"
    )


def with_changes(limits: QualityLimits, changes: Iterable[str]) -> QualityLimits:
    """Limits with some replaced, as `--limit name=value` gives them.

    Raises:
        UsageError: no such limit, or a value that makes no sense.
    """
    values: dict[str, object] = limits.model_dump()
    for change in changes:
        name, equals, value = change.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or name not in values:
            raise UsageError(
                f"--limit {change[:60]!r} names no limit.",
                hint=f"Give name=value; the names are {', '.join(values)}.",
            )
        values[name] = value.strip()
    try:
        return QualityLimits.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise UsageError(
            f"--limit {name}={first['input']!s:.40} makes no sense: {first['msg']}.",
            hint=f"{name}: {QualityLimits.model_fields[name].description}.",
        ) from error
