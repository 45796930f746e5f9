"""Telemetry -> metrics: an ordered map of names to values, in the order that the contract fixes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from voicemill.casimir.javascript import Value, ordered

Metrics = dict[str, Value]
_ABSENT: object = object()
"""What JavaScript calls undefined."""


def metrics_of(pack: str, telemetry: Value, metrics: Value) -> Metrics:
    """The metrics of a request.

    Args:
        pack: id of the pack; it selects the telemetry fields that are read.
        telemetry: a report, or anything else for none. Its own `metrics` override the other fields.
        metrics: the request's explicit metrics, which override both.
    """
    read = _READERS.get(pack)
    found = list(read(telemetry)) if read and isinstance(telemetry, dict) else []
    for more in (_at(telemetry, "metrics"), metrics):
        if isinstance(more, dict):
            found.extend(more.items())
    return ordered(found)


def _at(value: object, *path: str) -> object:
    """`value?.a?.b`."""
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return _ABSENT
        value = value[name]
    return value


def _first(*values: object) -> object:
    """`a ?? b ?? c`: the first that is neither absent nor null; else the last."""
    for value in values[:-1]:
        if value is not _ABSENT and value is not None:
            return value
    return values[-1]


def _finite(value: object) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _present(pairs: list[tuple[str, object]]) -> Iterator[tuple[str, Value]]:
    for name, value in pairs:
        if value is not _ABSENT:
            yield name, value  # type: ignore[misc]  # it came out of a parsed document


def _repository(telemetry: Value) -> Iterator[tuple[str, Value]]:
    code = _at(telemetry, "build", "exitCode")
    ended = (1.0 if code == 0 else 0.0) if _finite(code) else _ABSENT
    yield from _present(
        [
            ("build.status", _first(_at(telemetry, "build", "status"), _at(telemetry, "build", "ok"), ended)),
            ("tests.status", _tests(telemetry)),
            ("schema.contracts", _first(_at(telemetry, "schema", "contracts"), _at(telemetry, "schema", "ok"))),
            ("deps.coherence", _at(telemetry, "deps", "coherence")),
            ("time_to_green_ms", _at(telemetry, "timeToGreenMs")),
            ("lint.status", _at(telemetry, "lint", "status")),
            ("typecheck.status", _at(telemetry, "typecheck", "status")),
        ]
    )


def _tests(telemetry: Value) -> object:
    failed, total, passed = (_at(telemetry, "tests", name) for name in ("failed", "total", "passed"))
    if isinstance(failed, float) and _finite(failed):
        return 0.0 if failed > 0 else 1.0
    if _finite(total) and _finite(passed):
        return 1.0 if passed == total else 0.0
    return _at(telemetry, "tests", "status")


def _budget(telemetry: Value) -> Iterator[tuple[str, Value]]:
    yield from _present(
        [
            ("steps.used", _first(_at(telemetry, "steps", "used"), _at(telemetry, "steps", "total"))),
            ("cost.usd", _at(telemetry, "cost", "usd")),
            ("ops.forbidden.count", _at(telemetry, "ops", "forbidden")),
            ("ops.approval_missing.count", _at(telemetry, "ops", "approvalMissing")),
            ("provenance.missing.count", _at(telemetry, "provenance", "missing")),
            ("runtime.ms", _at(telemetry, "runtime", "ms")),
            ("tools.calls", _first(_at(telemetry, "tools", "calls"), _at(telemetry, "tools", "total"))),
        ]
    )


def _audit(telemetry: Value) -> Iterator[tuple[str, Value]]:
    yield from _present(
        [
            ("audit.files.total", _at(telemetry, "audit", "files", "total")),
            ("audit.tagged.count", _at(telemetry, "audit", "files", "tagged")),
            ("audit.untagged.count", _at(telemetry, "audit", "files", "untagged")),
            ("audit.unknown_tags.count", _at(telemetry, "audit", "tags", "unknown")),
            ("audit.violations.count", _at(telemetry, "audit", "violations", "count")),
            ("audit.risk.files", _at(telemetry, "audit", "risk", "files")),
            ("audit.provenance.files", _at(telemetry, "audit", "provenance", "files")),
            ("audit.provenance.coverage", _at(telemetry, "audit", "provenance", "coverage")),
            ("audit.safety.files", _at(telemetry, "audit", "safety", "files")),
            ("audit.safety.coverage", _at(telemetry, "audit", "safety", "coverage")),
            ("audit.critical.files", _at(telemetry, "audit", "critical", "files")),
        ]
    )


_READERS: dict[str, Callable[[Value], Iterator[tuple[str, Value]]]] = {
    "repo-convergence": _repository,
    "tool-use-budget": _budget,
    "provenance-safety": _audit,
}
