"""A pack and its metrics -> verdict and certificate."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from voicemill.casimir.javascript import Value, stringify, utf8
from voicemill.casimir.judging import Entry, judge_constraint
from voicemill.casimir.packs import TIERS, Constraint, Pack, Tier
from voicemill.casimir.telemetry import Metrics, metrics_of
from voicemill.errors import UsageError

_REQUEST_KEYS = frozenset(
    {"id", "telemetry", "metrics", "policyOverride", "policyProfileId", "certificate", "proxy", "ladderTier", "notes"}
)
DROPPED = frozenset(
    {
        "autoTelemetry",
        "customerId",
        "deltas",
        "telemetryPath",
        "junitPath",
        "vitestPath",
        "jestPath",
        "eslintPath",
        "tscPath",
        "toolLogTraceId",
        "toolLogWindowMs",
        "toolLogLimit",
    }
)
"""Fields of a request with which an adapter collects telemetry itself; here they have no effect."""
_OVERRIDE_KEYS = frozenset({"packId", "policy", "certificate", "constraints", "proxies", "tenantId"})


@dataclass(frozen=True)
class Certificate:
    """The certificate of a verdict; a supplied one may lack fields."""

    status: str | None
    hash: str | None
    id: str | None
    integrity_ok: bool | None

    def as_value(self) -> dict[str, Value]:
        return {
            "status": self.status,
            "certificateHash": self.hash,
            "certificateId": self.id,
            "integrityOk": self.integrity_ok,
        }


@dataclass(frozen=True)
class PackOutcome:
    """The result of judging metrics by a pack.

    Attributes:
        pack: the pack as it was applied, overrides included.
        metrics: the judged metrics, in order.
        entries: the judged constraints, then the proxies.
        passed: the verdict.
        first_fail: what fails first, or None; a proxy only when no constraint fails.
        certificate: issued or given.
        facts: the JSON that the hash is taken over.
        certified: pass, hash, integrity, and not by proxies alone.
        tier: rung of the ladder, after a request to stay lower.
        proxy: the verdict rests on proxies; None when it does not and the request did not state it.
        notes: in the contract's order.
    """

    pack: Pack
    metrics: Metrics
    entries: tuple[Entry, ...]
    passed: bool
    first_fail: Entry | None
    certificate: Certificate
    facts: str
    certified: bool
    tier: Tier
    proxy: bool | None
    notes: tuple[str, ...]

    @property
    def recomputed(self) -> str:
        """sha256 of the facts, 64 hex digits: their true hash, independent of a supplied certificate."""
        return _sha256(self.facts)


def evaluate(request: Mapping[str, Value], packs: Mapping[str, Pack]) -> PackOutcome:
    """Judge a request: the `pack` object of casimir.md.

    Args:
        request: `id`, with `telemetry` or `metrics`, and perhaps `policyOverride`, `certificate`, `proxy`,
            `ladderTier` and `notes`.
        packs: the packs that are known, by id.

    Raises:
        UsageError: `constraint-pack-not-found`, `constraint-pack-telemetry-missing`, `policy-profile-not-supported`,
            `policy-override-pack-mismatch`, or `casimir_request_invalid:<where>`.
    """
    unknown = sorted(set(request) - _REQUEST_KEYS - DROPPED)
    if unknown:
        raise invalid_request(unknown[0], "is not a part of a request")
    name = request.get("id")
    if not isinstance(name, str) or name not in packs:
        raise UsageError(
            f"There is no constraint pack {name!r}.",
            reason="constraint-pack-not-found",
            hint=f"Known packs: {', '.join(sorted(packs))}.",
        )
    if request.get("policyProfileId") is not None:
        raise UsageError(
            "Policy profiles are kept by a remote adapter; the embedded evaluator has none.",
            reason="policy-profile-not-supported",
            hint="Leave policyProfileId out, or ask the adapter with --url.",
        )
    telemetry, metrics = _object(request, "telemetry"), _object(request, "metrics")
    if not telemetry and not metrics:
        raise UsageError(
            "The request holds neither telemetry nor metrics.",
            reason="constraint-pack-telemetry-missing",
            hint="Give pack.telemetry or pack.metrics.",
        )
    pack, notes = _apply(packs[name], _object(request, "policyOverride"))
    given_notes = request.get("notes")
    if given_notes is not None:
        if not isinstance(given_notes, list) or not all(isinstance(each, str) for each in given_notes):
            raise invalid_request("notes", "must be a list of strings")
        notes = [*map(str, given_notes), *notes]
    return _judge(pack, metrics_of(name, telemetry, metrics), request, [*pack.notes, *notes])


def _judge(pack: Pack, metrics: Metrics, request: Mapping[str, Value], notes: list[str]) -> PackOutcome:
    constraints = [judge_constraint(each, metrics) for each in pack.constraints]
    entries = (*constraints, *(judge_constraint(each, metrics) for each in pack.proxies))
    proxy = _proxy(request, entries)
    passed = _passes(pack, constraints)
    facts = _facts(pack, metrics, entries, proxy)
    digest = _sha256(facts)
    given = _given(request)
    intact = given is None or (bool(given.hash) and given.integrity_ok is True)
    certified = passed and intact and not proxy
    tier = _tier(request, certified, proxy)
    needed = pack.policy.min_ladder_tier
    if needed is not None and TIERS.index(needed) > TIERS.index(tier):
        passed = False
        notes = [*notes, f"ladder_min_tier={needed}", f"ladder_actual={tier}"]
    certificate = given or Certificate(
        status=("PROXY" if proxy else pack.certificate.admissible_status) if passed else "FAIL",
        hash=digest,
        id=f"constraint-pack:{pack.id}:{digest[:12]}",
        integrity_ok=True,
    )
    return PackOutcome(
        pack=pack,
        metrics=metrics,
        entries=entries,
        passed=passed,
        first_fail=_first_fail(constraints, entries),
        certificate=certificate,
        facts=facts,
        certified=certified,
        tier=tier,
        proxy=proxy,
        notes=tuple(notes),
    )


def _facts(pack: Pack, metrics: Metrics, entries: Sequence[Entry], proxy: bool | None) -> str:
    """The compact JSON of the judged facts, as JavaScript prints it."""
    facts: dict[str, Value] = {
        "packId": pack.id,
        "packVersion": pack.version,
        "metrics": metrics,
        "constraints": [entry.as_value() for entry in entries],
        "proxy": proxy,
    }
    return stringify(facts)


def _sha256(text: str) -> str:
    return hashlib.sha256(utf8(text)).hexdigest()


def _passes(pack: Pack, constraints: Sequence[Entry]) -> bool:
    deciding = [each for each in constraints if pack.policy.mode != "hard-only" or each.severity == "HARD"]
    if any(each.status == "fail" for each in deciding):
        return False
    return not (pack.policy.unknown_as_fail and any(each.status == "unknown" for each in deciding))


def _first_fail(constraints: Sequence[Entry], entries: Sequence[Entry]) -> Entry | None:
    failing = [each for each in constraints if each.status == "fail"]
    hard = [each for each in failing if each.severity == "HARD"]
    proxies = [each for each in entries[len(constraints) :] if each.status == "fail"]
    return next(iter([*hard, *failing, *proxies]), None)


def _proxy(request: Mapping[str, Value], entries: Sequence[Entry]) -> bool | None:
    given = request.get("proxy")
    if given is not None:
        if not isinstance(given, bool):
            raise invalid_request("proxy", "must be true or false")
        return given
    known = {bool(each.proxy) for each in entries if each.status != "unknown"}
    return True if known == {True} else None


def _tier(request: Mapping[str, Value], certified: bool, proxy: bool | None) -> Tier:
    reached: Tier = "certified" if certified else "reduced-order" if proxy else "diagnostic"
    asked = request.get("ladderTier")
    if asked is None:
        return reached
    if asked not in TIERS:
        raise invalid_request("ladderTier", f"must be one of {', '.join(TIERS)}")
    return min(reached, TIERS[TIERS.index(asked)], key=TIERS.index)


def _given(request: Mapping[str, Value]) -> Certificate | None:
    given = _object(request, "certificate")
    if not given:
        return None
    fields: dict[str, Any] = {}
    for name, key, kind in (
        ("status", "status", str),
        ("hash", "certificateHash", str),
        ("id", "certificateId", str),
        ("integrity_ok", "integrityOk", bool),
    ):
        value = given.get(key)
        if value is not None and not isinstance(value, kind):
            raise invalid_request(f"certificate.{key}", "has the wrong type")
        fields[name] = value
    return Certificate(**fields)


def _apply(pack: Pack, override: Mapping[str, Value]) -> tuple[Pack, list[str]]:
    """The pack with an inline override, and the notes about it."""
    if not override:
        return pack, []
    unknown = sorted(set(override) - _OVERRIDE_KEYS)
    if unknown:
        raise invalid_request(f"policyOverride.{unknown[0]}", "is not a part of an override")
    if override.get("packId") not in (None, pack.id):
        raise UsageError(
            f"The policy override is for the pack {override['packId']!r}, not for {pack.id!r}.",
            reason="policy-override-pack-mismatch",
            hint="Send the override with the pack that it belongs to.",
        )
    notes = ["policy_override=inline"]
    tree = pack.model_dump(by_alias=True, exclude_unset=True)
    for part in ("policy", "certificate"):
        tree[part] = {**tree[part], **_object(override, part)}
    for part, known in (("constraints", pack.constraints), ("proxies", pack.proxies)):
        changes = _changes(override, part)
        if part == "proxies" and changes and not known:
            notes.append("policy_proxy_overrides_ignored")
            continue
        ids = {each.id for each in known}
        kind = "constraint" if part == "constraints" else "proxy"
        notes += [f"policy_unknown_{kind}:{name}" for name in changes if name not in ids]
        tree[part] = [_changed(each, changes.get(each.id, {})) for each in known]
    try:
        return Pack.model_validate(tree), notes
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "policyOverride"
        raise invalid_request(f"policyOverride.{where}", first["msg"]) from error


def _changes(override: Mapping[str, Value], part: str) -> dict[str, dict[str, Value]]:
    listed = override.get(part)
    if listed is None:
        return {}
    if not isinstance(listed, list):
        raise invalid_request(f"policyOverride.{part}", "must be a list")
    changes: dict[str, dict[str, Value]] = {}
    for each in listed:
        name = each.get("id") if isinstance(each, dict) else None
        if not isinstance(each, dict) or not isinstance(name, str):
            raise invalid_request(f"policyOverride.{part}", "holds an entry without an id")
        changes[name] = each
    return changes


def _changed(constraint: Constraint, changes: Mapping[str, Value]) -> dict[str, Any]:
    kept = constraint.model_dump(by_alias=True, exclude_unset=True)
    return {**kept, **{name: value for name, value in changes.items() if name not in ("id", "metric")}}


def _object(source: Mapping[str, Value], name: str) -> dict[str, Value]:
    value = source.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid_request(name, "must be an object")
    return value


def invalid_request(where: str, why: str) -> UsageError:
    """A request that cannot be judged: `casimir_request_invalid:<where>`."""
    return UsageError(
        f"The Casimir request is not usable: {where} {why}.",
        reason=f"casimir_request_invalid:{where}",
        hint="See docs/casimir.md for the shape of a request.",
    )
