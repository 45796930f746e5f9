"""One constraint on one metric: coercion, comparison, and the entry that the certificate hashes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from voicemill.casimir.javascript import Value, number_of, number_text, trim
from voicemill.casimir.packs import Constraint, Severity

_YES = frozenset({"1", "true", "yes", "ok", "pass", "passed", "green", "success"})
_NO = frozenset({"0", "false", "no", "fail", "failed", "red", "error"})
_OPERATORS = ("eq", "<=", "<", ">=", ">")
_SOURCES = {
    "eq": ("limit", "min", "max"),
    "<=": ("max", "limit"),
    "<": ("max", "limit"),
    ">=": ("min", "limit"),
    ">": ("min", "limit"),
}
"""The fields that hold an operator's threshold; the first field that the definition gives counts, also when null."""


@dataclass(frozen=True)
class Entry:
    """A judged constraint."""

    id: str
    severity: Severity
    status: Literal["pass", "fail", "unknown"]
    value: float | None
    limit: str | None
    proxy: bool | None
    note: str | None

    def as_value(self) -> dict[str, Value]:
        """All keys in the certificate's order, null where there is nothing."""
        return {
            "id": self.id,
            "severity": self.severity,
            "status": self.status,
            "value": self.value,
            "limit": self.limit,
            "proxy": self.proxy,
            "note": self.note,
        }

    def as_first_fail(self) -> dict[str, Value]:
        """As answers show it: no `proxy`, and `note` only where there is one."""
        shown: dict[str, Value] = {
            "id": self.id,
            "severity": self.severity,
            "status": self.status,
            "value": self.value,
            "limit": self.limit,
        }
        return shown | ({"note": self.note} if self.note is not None else {})


def coerce(value: Value) -> tuple[float | None, str | None]:
    """A metric as a number, or None and the issue: `missing`, `not-finite` or `unparseable`."""
    if value is None:
        return None, "missing"
    if isinstance(value, bool):
        return float(value), None
    if isinstance(value, (int, float)):
        return (float(value), None) if math.isfinite(value) else (None, "not-finite")
    if not isinstance(value, str):
        return None, "unparseable"
    text = trim(value).lower()
    if not text:
        return None, "missing"
    if text in _YES or text in _NO:
        return float(text in _YES), None
    number = number_of(text)
    return (number, None) if math.isfinite(number) else (None, "unparseable")


def judge_constraint(constraint: Constraint, metrics: Mapping[str, Value]) -> Entry:
    """Judge one constraint."""
    value, issue = coerce(metrics.get(constraint.metric))
    if value is None:
        return _entry(constraint, "unknown", None, None, issue)
    operator = constraint.op
    if operator not in _OPERATORS:
        low, high = constraint.has("min"), constraint.has("max")
        if low and high:
            return _in_band(constraint, value)
        if not low and not high:
            limit = number_text(constraint.limit) if constraint.limit is not None else None
            return _entry(constraint, "unknown", value, limit, "unsupported_op" if operator else None)
        operator = ">=" if low else "<="
    given = next((name for name in _SOURCES[operator] if constraint.has(name)), None)
    threshold: float | None = getattr(constraint, given) if given else None
    if threshold is None:
        return _entry(constraint, "unknown", value, None, "limit_missing")
    plain = constraint.op is None or constraint.op == "eq"
    limit = number_text(threshold) if plain else f"{constraint.op} {number_text(threshold)}"
    return _entry(constraint, _compare(operator, value, threshold), value, limit, None)


def _in_band(constraint: Constraint, value: float) -> Entry:
    low, high = constraint.min, constraint.max
    if low is None or high is None:
        return _entry(constraint, "unknown", value, None, "limit_missing")
    status: Literal["pass", "fail"] = "pass" if low <= value <= high else "fail"
    return _entry(constraint, status, value, f"[{number_text(low)}, {number_text(high)}]", None)


def _compare(operator: str, value: float, threshold: float) -> Literal["pass", "fail"]:
    met = {
        "eq": value == threshold,
        "<=": value <= threshold,
        "<": value < threshold,
        ">=": value >= threshold,
        ">": value > threshold,
    }[operator]
    return "pass" if met else "fail"


def _entry(
    constraint: Constraint,
    status: Literal["pass", "fail", "unknown"],
    value: float | None,
    limit: str | None,
    issue: str | None,
) -> Entry:
    note = f"{constraint.metric}_{issue}" if issue else None
    return Entry(constraint.id, constraint.severity, status, value, limit, constraint.proxy, note)
