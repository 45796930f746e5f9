"""The stand-alone weights manifest (docs/formats.md, section 5): weights, their licences and the evidence for them.

The answer is one line and one exit code, both fixed by the contract. The first fault in the contract's order is
reported. Standard library only.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from voicemill import files, records
from voicemill.protocol import one_line
from voicemill.records import RecordError, Rule
from voicemill.weights import licence

MAX_BYTES = 1 << 20
RFC3339 = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-5][0-9])$"

Text = Annotated[str, Rule(least=1, most=4096, pattern=r"\S")]


def _is_url(value: str) -> str:
    parts = urlsplit(value)  # raises ValueError for a malformed host
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError("not a web address")
    return value


def _is_rfc3339(value: str) -> str:
    if not value.isascii():
        raise ValueError("not a date and time")
    # RFC 3339 knows the leap second, datetime does not.
    seconds = value.upper()[:17] + value[17:19].replace("60", "59") + value.upper()[19:]
    datetime.fromisoformat(seconds.replace("Z", "+00:00"))
    return value


@dataclass(frozen=True)
class WeightsManifest:
    """Every field is required and nothing else is allowed."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid", "title": "Weights manifest"}

    model_id: Text
    source_url: Annotated[str, Rule(least=1, most=4096, pattern=r"^https?://[^\s/]", check=_is_url)]
    code_license: Text
    weights_license: Text
    commercial_use_allowed: Annotated[bool, Rule(schema={"const": True})]
    attribution_required: bool
    evidence_links: Annotated[list[Text], Rule(least=1)]
    checksum: Annotated[str, Rule(pattern=r"^sha256:[0-9a-f]{64}\Z", schema={"pattern": "^sha256:[0-9a-f]{64}$"})]
    created_at: Annotated[str, Rule(pattern=RFC3339, check=_is_rfc3339, schema={"format": "date-time"})]


EXPECTED = {
    "model_id": "non_empty_string",
    "source_url": "http_url",
    "code_license": "non_empty_string",
    "weights_license": "non_empty_string",
    "evidence_links": "array_of_non_empty_strings",
    "checksum": "sha256:<64_hex>",
}


@dataclass(frozen=True)
class ManifestVerdict:
    """The validator's answer.

    Attributes:
        line: the bracketed line for stdout.
        exit_code: 0, or the contract's code of the fault.
        manifest: the manifest when it is valid.
    """

    line: str
    exit_code: int
    manifest: WeightsManifest | None = None

    @property
    def ok(self) -> bool:
        return self.exit_code == 0


def validate_file(path: Path) -> ManifestVerdict:
    """Validate a weights manifest file; never raises for what the file holds."""
    try:
        if not path.is_file():
            return _fault(2, "manifest_not_found", path=path.as_posix())
        payload = files.read_json(path, max_bytes=MAX_BYTES)
    except OSError:
        return _fault(2, "manifest_not_found", path=path.as_posix())
    except files.InvalidJsonError as error:
        return _fault(3, "invalid_json", detail=str(error))
    return validate(payload)


def validate(payload: Any) -> ManifestVerdict:
    """Validate a parsed weights manifest."""
    if not isinstance(payload, dict):
        return _fault(3, "invalid_json", detail="not an object")
    for name in (each.name for each in dataclasses.fields(WeightsManifest)):
        if name not in payload:
            return _fault(4, "missing_field", field=name)
    fault = _named_faults(payload) or _other_faults(payload)
    if fault:
        return fault
    for name, refused in (("weights_license", ("forbidden", "unclear")), ("code_license", ("forbidden",))):
        if licence.judge(payload[name]).verdict in refused:
            return _fault(11, "license_not_commercial", field=name)
    return ManifestVerdict("[weights-manifest] status=ok", 0, records.read(WeightsManifest, payload))


def _named_faults(payload: dict[str, Any]) -> ManifestVerdict | None:
    """Faults that have a code of their own, in the contract's order."""
    for code, name in ((5, "commercial_use_allowed"), (6, "attribution_required")):
        if not isinstance(payload[name], bool):
            return _fault(code, "invalid_type", field=name, expected="bool")
    links = payload["evidence_links"]
    if not isinstance(links, list) or not links:
        return _fault(7, "invalid_field", field="evidence_links", expected="non_empty_array")
    if not _valid_time(payload["created_at"]):
        return _fault(8, "invalid_field", field="created_at", expected="rfc3339")
    if payload["commercial_use_allowed"] is not True:
        return _fault(9, "commercial_use_required", field="commercial_use_allowed", expected="true")
    return None


def _valid_time(value: object) -> bool:
    if not isinstance(value, str) or not re.fullmatch(RFC3339, value):
        return False
    try:
        _is_rfc3339(value)
    except ValueError:
        return False
    return True


def _other_faults(payload: dict[str, Any]) -> ManifestVerdict | None:
    try:
        records.read(WeightsManifest, payload)
    except RecordError as error:
        name = str(error.path[0])
        return _fault(10, "invalid_field", field=name, expected=EXPECTED.get(name, "no_such_property"))
    return None


ErrorCode = Literal[
    "manifest_not_found",
    "invalid_json",
    "missing_field",
    "invalid_type",
    "invalid_field",
    "commercial_use_required",
    "license_not_commercial",
]


def _fault(code: int, error: ErrorCode, **details: str) -> ManifestVerdict:
    shown = " ".join(f"{key}={one_line(value, 300)}" for key, value in details.items())
    return ManifestVerdict(f"[weights-manifest] error={error} {shown}", code)
