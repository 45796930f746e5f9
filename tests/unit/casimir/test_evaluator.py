from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicemill.casimir.answer import answer_of, read_request, refusal, trace_line
from voicemill.casimir.evaluator import DROPPED, evaluate
from voicemill.casimir.gate import RemoteAdapter, ask
from voicemill.casimir.javascript import parse
from voicemill.casimir.judging import coerce, judge_constraint
from voicemill.casimir.packs import SHIPPED_PACKS, Constraint, Pack, load_packs
from voicemill.errors import ConfigError, UsageError
from voicemill.settings import REPOSITORY

PACKS = load_packs(REPOSITORY / SHIPPED_PACKS)
VECTORS = parse((Path(__file__).parent / "vectors.json").read_text(encoding="utf-8"))
BUDGET = {
    "steps.used": 1.0,
    "cost.usd": 1.0,
    "ops.forbidden.count": 0.0,
    "ops.approval_missing.count": 0.0,
    "provenance.missing.count": 0.0,
}


@pytest.mark.parametrize("vector", VECTORS, ids=lambda each: each["expect"]["certificate"]["certificateHash"][:12])
def test_the_contracts_vectors(vector) -> None:
    outcome = evaluate(vector["request"], PACKS)
    answer, expected = answer_of(outcome, "t"), vector["expect"]
    for name in ("verdict", "firstFail", "certificate"):
        assert answer[name] == expected[name]
    trace = json.loads(trace_line(outcome, answer))
    assert trace["signal"] == expected["signal"]
    assert list(trace["metrics"].items()) == list(expected["metrics"].items())
    assert trace.get("notes") == expected["notes"]
    if "certificate" not in vector["request"]:
        assert hashlib.sha256(outcome.facts.encode()).hexdigest() == expected["certificate"]["certificateHash"]


@pytest.mark.parametrize(
    ("value", "number", "issue"),
    [
        (3.0, 3.0, None),
        (float("inf"), None, "not-finite"),
        (True, 1.0, None),
        (" GREEN ", 1.0, None),
        ("Error", 0.0, None),
        ("0x10", 16.0, None),
        ("1e3", 1000.0, None),
        ("1_000", None, "unparseable"),
        ("1e999", None, "unparseable"),
        ("maybe", None, "unparseable"),
        ("", None, "missing"),
        ("  ", None, "missing"),
        (None, None, "missing"),
        ([1.0], None, "unparseable"),
        ({}, None, "unparseable"),
    ],
)
def test_coercion(value, number, issue) -> None:
    assert coerce(value) == (number, issue)


@pytest.mark.parametrize(
    ("definition", "value", "status", "limit", "note"),
    [
        ({"op": "eq", "limit": 1}, 1.0, "pass", "1", None),
        ({"op": "eq", "min": 2, "max": 3}, 2.0, "pass", "2", None),
        ({"op": "<=", "max": 1200000, "limit": 1}, 5.0, "pass", "<= 1200000", None),
        ({"op": "<", "limit": 0.5}, 0.5, "fail", "< 0.5", None),
        ({"op": ">=", "min": 2}, 2.0, "pass", ">= 2", None),
        ({"op": ">", "limit": 2}, 2.0, "fail", "> 2", None),
        ({"op": "<=", "max": None, "limit": 4}, 1.0, "unknown", None, "m_limit_missing"),
        ({"op": "eq"}, 1.0, "unknown", None, "m_limit_missing"),
        ({"min": 1, "max": 2.5}, 2.5, "pass", "[1, 2.5]", None),
        ({"min": 1, "max": 2.5}, 3.0, "fail", "[1, 2.5]", None),
        ({"min": 1}, 1.0, "pass", "1", None),
        ({"max": 1}, 2.0, "fail", "1", None),
        ({"limit": 1}, 1.0, "unknown", "1", None),
        ({"op": "~", "limit": 1}, 1.0, "unknown", "1", "m_unsupported_op"),
        ({"op": "~", "max": 1}, 2.0, "fail", "~ 1", None),
        ({"op": "eq", "limit": 1}, None, "unknown", None, "m_missing"),
        ({"op": "eq", "limit": 1}, "x", "unknown", None, "m_unparseable"),
    ],
)
def test_constraints(definition, value, status, limit, note) -> None:
    constraint = Constraint.model_validate({"id": "c", "severity": "HARD", "metric": "m", **definition})
    entry = judge_constraint(constraint, {"m": value})
    assert (entry.status, entry.limit, entry.note) == (status, limit, note)
    assert (entry.value is None) == (note in ("m_missing", "m_unparseable"))


def test_unknown_hard_metrics_fail_without_a_first_fail_unless_the_policy_forgives() -> None:
    request = {"id": "tool-use-budget", "metrics": {"steps.used": 1.0}}
    outcome = evaluate(request, PACKS)
    assert not outcome.passed
    assert outcome.first_fail is None
    assert evaluate({**request, "policyOverride": {"policy": {"unknownAsFail": False}}}, PACKS).passed


def test_soft_constraints_count_when_the_mode_is_all() -> None:
    request = {"id": "tool-use-budget", "metrics": {**BUDGET, "runtime.ms": 1e9, "tools.calls": 1.0}}
    assert evaluate(request, PACKS).passed
    strict = evaluate({**request, "policyOverride": {"policy": {"mode": "all"}}}, PACKS)
    assert not strict.passed
    assert strict.first_fail is not None
    assert strict.first_fail.id == "runtime_ms"


def test_the_first_failing_hard_constraint_is_named_before_a_soft_one() -> None:
    failing = {"runtime.ms": 1e9, "provenance.missing.count": 5.0}
    outcome = evaluate({"id": "tool-use-budget", "metrics": BUDGET | failing}, PACKS)
    failed = [each for each in outcome.entries if each.status == "fail"]
    assert {each.severity for each in failed} == {"HARD", "SOFT"}
    assert outcome.first_fail is not None
    assert outcome.first_fail.severity == "HARD"
    soft = evaluate({"id": "tool-use-budget", "metrics": BUDGET | {"runtime.ms": 1e9}}, PACKS).first_fail
    assert soft is not None
    assert soft.severity == "SOFT"


@pytest.mark.parametrize(
    ("microsecond", "shown"), [(0, ".000Z"), (999, ".000Z"), (1000, ".001Z"), (59_999, ".059Z"), (999_999, ".999Z")]
)
def test_the_time_of_a_trace_has_milliseconds(microsecond: int, shown: str) -> None:
    outcome = evaluate({"id": "tool-use-budget", "metrics": BUDGET}, PACKS)
    now = datetime(2026, 11, 30, 16, 5, 9, microsecond, tzinfo=timezone(timedelta(hours=1)))
    trace = json.loads(trace_line(outcome, answer_of(outcome, "t"), now))
    assert trace["ts"] == f"2026-11-30T15:05:09{shown}"


def test_the_ladder_is_lowered_on_request_and_can_be_demanded() -> None:
    request = {"id": "tool-use-budget", "metrics": BUDGET}
    assert evaluate({**request, "ladderTier": "certified"}, PACKS).tier == "certified"
    lowered = {**request, "ladderTier": "reduced-order"}
    assert evaluate(lowered, PACKS).tier == "reduced-order"
    demanded = evaluate({**lowered, "policyOverride": {"policy": {"minLadderTier": "diagnostic"}}}, PACKS)
    assert not demanded.passed
    assert demanded.notes == (
        "policy_override=inline",
        "ladder_min_tier=diagnostic",
        "ladder_actual=reduced-order",
    )


def test_notes_come_in_the_contracts_order() -> None:
    override = {"constraints": [{"id": "ghost"}], "proxies": [{"id": "spirit"}]}
    notes = evaluate(
        {"id": "repo-convergence", "metrics": {"a": 1.0}, "notes": ["mine"], "policyOverride": override}, PACKS
    ).notes
    assert notes == (
        "mine",
        "policy_override=inline",
        "policy_unknown_constraint:ghost",
        "policy_unknown_proxy:spirit",
    )
    ignored = evaluate({"id": "tool-use-budget", "metrics": BUDGET, "policyOverride": override}, PACKS).notes
    assert ignored[-1] == "policy_proxy_overrides_ignored"


def test_an_override_changes_no_id_and_no_metric() -> None:
    override = {"constraints": [{"id": "step_limit", "metric": "cost.usd", "max": 0}]}
    outcome = evaluate({"id": "tool-use-budget", "metrics": BUDGET, "policyOverride": override}, PACKS)
    assert outcome.entries[0].id == "step_limit"
    assert outcome.entries[0].value == BUDGET["steps.used"]


@pytest.mark.parametrize(
    ("telemetry", "metrics"),
    [
        ({"build": {"ok": True}, "tests": {"total": 3.0, "passed": 2.0}}, {"build.status": True, "tests.status": 0.0}),
        ({"build": {"status": None, "exitCode": 3.0}}, {"build.status": 0.0}),
        ({"build": {"status": None, "exitCode": "3"}}, {}),
        ({"tests": {"status": None}, "schema": {"contracts": None}}, {"tests.status": None}),
        ({"lint": {"status": None}, "deps": "broken"}, {"lint.status": None}),
        ({"build": {"ok": False}, "metrics": {"extra": 1.0, "build.status": 1.0}}, {"build.status": 1.0, "extra": 1.0}),
        ({"foo": 1.0}, {}),
    ],
)
def test_telemetry_of_a_repository(telemetry, metrics) -> None:
    outcome = evaluate({"id": "repo-convergence", "telemetry": telemetry}, PACKS)
    assert list(outcome.metrics.items()) == list(metrics.items())


def test_totals_stand_in_where_the_first_choice_is_absent() -> None:
    telemetry = {"steps": {"used": None, "total": 4.0}, "tools": {"total": 2.0}}
    assert evaluate({"id": "tool-use-budget", "telemetry": telemetry}, PACKS).metrics == {
        "steps.used": 4.0,
        "tools.calls": 2.0,
    }


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({}, "constraint-pack-not-found"),
        ({"id": "no-such-pack", "metrics": {"a": 1.0}}, "constraint-pack-not-found"),
        ({"id": "repo-convergence"}, "constraint-pack-telemetry-missing"),
        ({"id": "repo-convergence", "telemetry": {}, "metrics": {}}, "constraint-pack-telemetry-missing"),
        ({"id": "repo-convergence", "policyProfileId": "x"}, "policy-profile-not-supported"),
        (
            {"id": "repo-convergence", "metrics": {"a": 1.0}, "policyOverride": {"packId": "other"}},
            "policy-override-pack-mismatch",
        ),
        ({"id": "repo-convergence", "metrics": [1.0]}, "casimir_request_invalid:metrics"),
        *[
            (
                {"id": "repo-convergence", "metrics": {"a": 1.0}, "certificate": {name: value}},
                f"casimir_request_invalid:certificate.{name}",
            )
            for name, value in (
                ("status", 5.0),
                ("certificateHash", True),
                ("certificateId", []),
                ("integrityOk", "yes"),
            )
        ],
        ({"id": "repo-convergence", "metrics": {"a": 1.0}, "ladderTier": "top"}, "casimir_request_invalid:ladderTier"),
        ({"id": "repo-convergence", "metrics": {"a": 1.0}, "typo": 1.0}, "casimir_request_invalid:typo"),
        (
            {"id": "repo-convergence", "metrics": {"a": 1.0}, "policyOverride": {"policy": {"mode": "soft"}}},
            "casimir_request_invalid:policyOverride.policy.mode",
        ),
    ],
)
def test_requests_that_are_refused(request_, reason) -> None:
    with pytest.raises(UsageError) as caught:
        evaluate(request_, PACKS)
    assert caught.value.reason == reason
    assert caught.value.exit_code == 1


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"", "casimir_request_invalid:document"),
        (b"[]", "casimir_request_invalid:document"),
        (b'{"pack":{}, "pack":{}}', "casimir_request_invalid:document"),
        (b'{"mode":"agent","pack":{}}', "casimir_request_invalid:mode"),
        (b'{"traceId":"a\\nb","pack":{}}', "casimir_request_invalid:traceId"),
        (b"{}", "casimir_request_invalid:pack"),
        (b'{"tenantId":"b","pack":{}}', "tenant-mismatch"),
    ],
)
def test_documents_that_are_refused(document, reason) -> None:
    with pytest.raises(UsageError) as caught:
        read_request(document, tenant="a")
    assert caught.value.reason == reason


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.fixed_dictionaries(
        {"id": st.sampled_from(sorted(PACKS))},
        optional={
            name: JSON_VALUES
            for name in ("telemetry", "metrics", "policyOverride", "certificate", "proxy", "ladderTier", "notes")
        },
    )
)
def test_any_request_is_judged_or_refused(request_) -> None:
    try:
        outcome = evaluate(request_, PACKS)
    except UsageError:
        return
    assert outcome.recomputed == hashlib.sha256(outcome.facts.encode()).hexdigest()
    json.loads(trace_line(outcome, answer_of(outcome, None)))


def changed(answer: dict, **parts: object) -> dict:
    certificate = {**answer["certificate"], **parts.pop("certificate", {})}
    return {**answer, "certificate": certificate, **parts}


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({}, None),
        ({"firstFail": {"id": "x", "severity": "SOFT"}}, None),
        ({"firstFail": {"id": "x", "severity": "HARD"}}, "casimir_hard_fail_in_pass"),
        ({"firstFail": "x"}, "casimir_hard_fail_in_pass"),
        ({"verdict": "FAIL"}, "casimir_fail:unknown"),
        ({"pass": "true"}, "casimir_fail:unknown"),
        ({"traceId": "another"}, "casimir_wrong_trace"),
        ({"certificate": {"status": "PROXY"}}, "casimir_certificate_status"),
        ({"certificate": {"integrityOk": False}}, "casimir_integrity"),
        ({"certificate": {"integrityOk": 1.0}}, "casimir_integrity"),
        ({"certificate": {"certificateHash": "abc"}}, "casimir_certificate_hash"),
        ({"certificate": {"certificateHash": "A" * 64}}, "casimir_certificate_hash"),
        ({"certificate": {"certificateHash": "a" * 64}}, "casimir_hash_mismatch"),
    ],
)
def test_only_what_is_plainly_right_counts_as_a_pass(parts, reason) -> None:
    outcome = evaluate({"id": "tool-use-budget", "metrics": BUDGET}, PACKS)
    answer = changed(answer_of(outcome, "t"), **parts)
    found = refusal(answer, PACKS["tool-use-budget"], trace_id="t", expected_hash=outcome.recomputed)
    assert found == reason


def test_an_answer_without_a_certificate_is_no_pass() -> None:
    outcome = evaluate({"id": "tool-use-budget", "metrics": BUDGET}, PACKS)
    answer = {**answer_of(outcome, "t"), "certificate": None}
    pack = PACKS["tool-use-budget"]
    assert refusal(answer, pack, trace_id="t", expected_hash=outcome.recomputed) == "casimir_certificate_missing"


def test_a_verdict_by_proxy_does_not_count_even_with_a_certificate_that_recomputes(tmp_path: Path) -> None:
    request = {"id": "tool-use-budget", "metrics": BUDGET, "proxy": True}
    digest = evaluate(request, PACKS).recomputed
    given = {"status": "APPROVED", "certificateHash": digest, "certificateId": "x", "integrityOk": True}
    document = {"mode": "constraint-pack", "pack": {**request, "certificate": given}}
    verdict = ask(json.dumps(document).encode(), REPOSITORY, RemoteAdapter(), tmp_path / "trace.jsonl")
    assert verdict.answer["verdict"] == "PASS"
    assert verdict.refusal == "casimir_proxy"


def test_packs_that_are_missing_or_broken_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as missing:
        load_packs(tmp_path)
    assert missing.value.reason == f"config_missing:{tmp_path}/packs.json"
    (tmp_path / "packs.json").write_text('[{"id": "x"}]')
    with pytest.raises(ConfigError) as broken:
        load_packs(tmp_path)
    assert broken.value.reason == "config_invalid:packs.json"


@pytest.mark.parametrize("second", ["constraints", "proxies"])
def test_two_constraints_of_a_pack_do_not_share_an_id(second: str) -> None:
    pack = PACKS["repo-convergence"].model_dump(by_alias=True)
    first = pack["constraints"][0]
    with pytest.raises(ValueError, match="share an id"):
        Pack.model_validate(pack | {second: (*pack[second], first)})


GREEN = {
    "build.status": 1,
    "tests.status": "pass",
    "schema.contracts": 1,
    "deps.coherence": 1,
    "lint.status": "pass",
    "typecheck.status": "pass",
}


@pytest.mark.parametrize(
    ("proxy", "least", "passed", "status"),
    [
        (True, "certified", False, "FAIL"),
        (True, "reduced-order", True, "PROXY"),
        (True, None, True, "PROXY"),
        (False, "certified", True, "GREEN"),
    ],
)
def test_a_verdict_below_its_ladder_tier_gets_a_failed_certificate(proxy, least, passed, status) -> None:
    override = {"policyOverride": {"policy": {"minLadderTier": least}}} if least else {}
    request = {"id": "repo-convergence", "metrics": GREEN, "proxy": proxy, **override}
    outcome = evaluate(request, load_packs(REPOSITORY / SHIPPED_PACKS))
    assert (outcome.passed, outcome.certificate.status) == (passed, status)


@pytest.mark.parametrize("field", sorted(DROPPED))
def test_fields_with_which_an_adapter_collects_telemetry_have_no_effect(field) -> None:
    packs = load_packs(REPOSITORY / SHIPPED_PACKS)
    request = {"id": "repo-convergence", "metrics": GREEN}
    document = {"mode": "constraint-pack", "pack": request, field: "x"}
    assert read_request(json.dumps(document).encode())[1] == read_request(json.dumps({"pack": request}).encode())[1]
    plain, named = evaluate(request, packs), evaluate({**request, field: 1}, packs)
    assert named.certificate == plain.certificate
    with pytest.raises(UsageError):
        evaluate({**request, f"{field}X": 1}, packs)
