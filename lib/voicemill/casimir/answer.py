"""The answer, the training trace, and the test whether an answer counts as a PASS."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from voicemill import files
from voicemill.casimir.evaluator import DROPPED, PackOutcome, invalid_request
from voicemill.casimir.javascript import Value, parse, stringify
from voicemill.casimir.packs import Pack
from voicemill.errors import UsageError

MAX_REQUEST_BYTES = 4 * 1024 * 1024
_HASH = re.compile(r"[0-9a-f]{64}")
_REQUEST_KEYS = frozenset({"mode", "traceId", "pack", "policy", "tenantId"})


def read_request(data: bytes, *, tenant: str | None = None) -> tuple[str | None, dict[str, Value]]:
    """The trace id and the `pack` object of a request document.

    Args:
        data: JSON, UTF-8.
        tenant: who asks; a request for another tenant is refused.

    Raises:
        UsageError: `casimir_request_invalid:<where>`, `tenant-mismatch`, `policy-profile-not-supported`.
    """
    if len(data) > MAX_REQUEST_BYTES:
        raise invalid_request("document", f"is larger than {MAX_REQUEST_BYTES} bytes")
    try:
        document = parse(data.decode("utf-8-sig"))
    except (UnicodeDecodeError, files.InvalidJsonError) as error:
        raise invalid_request("document", f"is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise invalid_request("document", "must be an object")
    unknown = sorted(set(document) - _REQUEST_KEYS - DROPPED)
    if unknown:
        raise invalid_request(unknown[0], "is not a part of a request")
    if document.get("mode", "constraint-pack") != "constraint-pack":
        raise invalid_request("mode", "must be constraint-pack")
    trace, pack = document.get("traceId"), document.get("pack")
    if not isinstance(pack, dict):
        raise invalid_request("pack", "must be an object")
    if trace is not None and (not isinstance(trace, str) or not trace.isprintable() or not 0 < len(trace) <= 200):
        raise invalid_request("traceId", "must be a short printable string")
    override = pack.get("policyOverride")
    named = [document.get("tenantId"), override.get("tenantId") if isinstance(override, dict) else None]
    if any(each not in (None, tenant) for each in named):
        raise UsageError(
            "The request belongs to another tenant.", reason="tenant-mismatch", hint="Give its tenant with --tenant."
        )
    policy = document.get("policy")
    if isinstance(policy, dict) and policy.get("policyProfileId") is not None:
        pack = {**pack, "policyProfileId": policy["policyProfileId"]}
    return trace, pack


def answer_of(outcome: PackOutcome, trace_id: str | None) -> dict[str, Value]:
    """The answer of casimir.md; without a trace id of the caller's, `local:<uuid4>` is used for both ids."""
    identity = trace_id or f"local:{uuid.uuid4()}"
    return {
        "traceId": identity,
        "runId": identity,
        "verdict": "PASS" if outcome.passed else "FAIL",
        "pass": outcome.passed,
        "firstFail": outcome.first_fail.as_first_fail() if outcome.first_fail else None,
        "deltas": [],
        "certificate": outcome.certificate.as_value(),
        "artifacts": [
            {"kind": "constraint-pack", "ref": outcome.pack.id},
            {"kind": "training-trace-id", "ref": identity},
        ],
    }


def trace_line(outcome: PackOutcome, answer: Mapping[str, Value], now: datetime | None = None) -> str:
    """The training trace: one line of JSON, ending in a newline."""
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    pack = outcome.pack
    kinds = pack.signal_kinds
    signal: dict[str, Value] = {
        "kind": kinds.certified if outcome.certified else kinds.diagnostic,
        "ladder": {"tier": outcome.tier, "policy": pack.id, "policyVersion": str(pack.version)},
    }
    if outcome.proxy is not None:
        signal["proxy"] = outcome.proxy
    trace: dict[str, Value] = {
        "kind": "training-trace",
        "version": 1.0,
        "id": answer["runId"],
        "seq": 1.0,
        "ts": moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z",
        "traceId": answer["traceId"],
        "source": {
            "system": "constraint-pack",
            "component": "voicemill",
            "tool": pack.id,
            "version": str(pack.version),
        },
        "signal": signal,
        "pass": answer["pass"],
        "deltas": [],
        "metrics": outcome.metrics,
        "firstFail": answer["firstFail"],
        "certificate": answer["certificate"],
    }
    if outcome.notes:
        trace["notes"] = list(outcome.notes)
    return stringify(trace) + "\n"


def write_trace(path: Path, outcome: PackOutcome, answer: Mapping[str, Value]) -> None:
    """Write the trace line atomically, in place of an earlier one."""
    files.write_text(path, trace_line(outcome, answer))


def refusal(answer: Mapping[str, Value], pack: Pack, *, trace_id: str | None, expected_hash: str | None) -> str | None:
    """Why an answer does not count as a PASS, or None when it does. Any doubt is a refusal.

    Args:
        answer: of the embedded evaluator or of an adapter.
        pack: as it ships, without overrides: its own admissible status is demanded.
        trace_id: the one that was sent; None where none was.
        expected_hash: what these facts hash to; None where we do not know them.

    Returns:
        A reason in `snake_case`, perhaps with a detail after a colon.
    """
    certificate, first = answer.get("certificate"), answer.get("firstFail")
    if trace_id is not None and answer.get("traceId") != trace_id:
        return "casimir_wrong_trace"
    if answer.get("verdict") != "PASS" or answer.get("pass") is not True:
        failed = first.get("id") if isinstance(first, dict) else None
        return f"casimir_fail:{failed or 'unknown'}"
    if first is not None and not (isinstance(first, dict) and first.get("severity") == "SOFT"):
        return "casimir_hard_fail_in_pass"
    if not isinstance(certificate, dict):
        return "casimir_certificate_missing"
    if certificate.get("status") != pack.certificate.admissible_status:
        return "casimir_certificate_status"
    given = certificate.get("certificateHash")
    if not isinstance(given, str) or not _HASH.fullmatch(given):
        return "casimir_certificate_hash"
    if certificate.get("integrityOk") is not True:
        return "casimir_integrity"
    if expected_hash is not None and given != expected_hash:
        return "casimir_hash_mismatch"
    return None
