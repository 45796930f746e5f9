"""voice-verify casimir and certify as programs; the remote adapter is a real server on loopback that also misbehaves."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "apps/voice-verify/voice-verify.py"
GOLDEN = {
    "build.status": 1,
    "tests.status": "pass",
    "schema.contracts": 1,
    "deps.coherence": 1,
    "lint.status": "pass",
    "typecheck.status": "pass",
}
GOLDEN_HASH = "6e84f965957f63aad452981d2ede72e62f706d32e0a5b6b469899884e12a4e45"
RUN, EXPORT = "/api/agi/adapter/run", "/api/agi/training-trace/export"


def document(**parts: object) -> str:
    pack = {"id": "repo-convergence", "metrics": GOLDEN, **parts.pop("pack", {})}  # type: ignore[dict-item]
    return json.dumps({"mode": "constraint-pack", "pack": pack, **parts})


def ask(tmp_path: Path, request: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(APP), "casimir", "--request", "-", *options],
        input=request,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "WORK_DIR": str(tmp_path / "work"), **environment},
    )


def test_the_embedded_gate_answers_and_writes_one_trace_line(tmp_path: Path) -> None:
    done = ask(tmp_path, document(traceId="trace-1"), "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["traceId"], answer["runId"], answer["verdict"], answer["pass"]) == (
        "trace-1",
        "trace-1",
        "PASS",
        True,
    )
    assert answer["certificate"]["certificateHash"] == GOLDEN_HASH
    lines = (tmp_path / "work/artifacts/training-trace.jsonl").read_text().splitlines()
    assert len(lines) == 1
    assert json.loads(lines[0])["kind"] == "training-trace"
    ask(tmp_path, document(), "--json")
    assert len((tmp_path / "work/artifacts/training-trace.jsonl").read_text().splitlines()) == 1


def test_a_file_and_a_chosen_trace_path(tmp_path: Path) -> None:
    (tmp_path / "ask me.json").write_text(document())
    done = subprocess.run(
        [sys.executable, str(APP), "casimir", "--request", "ask me.json", "--trace-out", "out/trace.jsonl"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert f"certificate: GREEN {GOLDEN_HASH} integrityOk=True" in done.stdout
    assert (tmp_path / "out/trace.jsonl").is_file()


@pytest.mark.parametrize(
    ("request_", "code", "reason"),
    [
        (document(pack={"metrics": {**GOLDEN, "build.status": 0}}), 3, "casimir_fail:build_passed"),
        (document(pack={"metrics": {"lint.status": "pass"}}), 3, "casimir_fail:unknown"),
        (document(pack={"proxy": True}), 3, "casimir_certificate_status"),
        (
            document(pack={"certificate": {"status": "GREEN", "certificateHash": "aaaa", "integrityOk": True}}),
            3,
            "casimir_",
        ),
        (
            document(pack={"certificate": {"status": "GREEN", "certificateHash": "a" * 64, "integrityOk": True}}),
            3,
            "casimir_hash_mismatch",
        ),
        (
            document(pack={"certificate": {"status": "GREEN", "certificateHash": GOLDEN_HASH, "integrityOk": False}}),
            3,
            "casimir_integrity",
        ),
        (
            document(pack={"policyOverride": {"certificate": {"admissibleStatus": "ANYTHING"}}}),
            3,
            "casimir_certificate_status",
        ),
        (document(pack={"id": "nope"}), 1, "constraint-pack-not-found"),
        (document(pack={"metrics": {}}), 1, "constraint-pack-telemetry-missing"),
        ("{", 1, "casimir_request_invalid"),
        ("[" * 100_000, 1, "casimir_request_invalid"),
    ],
)
def test_what_is_no_pass_exits_with_its_reason(tmp_path: Path, request_: str, code: int, reason: str) -> None:
    done = ask(tmp_path, request_, "--json")
    assert done.returncode == code, done.stderr
    assert f"[voice-verify][error] {reason}" in done.stderr
    assert "Traceback" not in done.stderr
    if code == 3:
        assert "certificate" in json.loads(done.stdout)  # the answer is printed as it is
    else:
        assert done.stdout == ""


def test_a_missing_request_file_is_named(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(APP), "casimir", "--request", str(tmp_path / "none.json")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "casimir_request_missing" in done.stderr


def test_the_ledger_block(tmp_path: Path) -> None:
    options = ("--report", "--prompt-id", "7", "--files-changed", "a.py", "--files-changed", "b: c.py")
    done = ask(
        tmp_path, document(traceId="t"), *options, "--behavior-delta", "none", "--tests-or-checks-run", "make test"
    )
    assert done.returncode == 0, done.stderr
    block = yaml.safe_load(done.stdout)
    assert block["casimir_verdict"] == "PASS"
    assert block["casimir_firstFail"] == "none"
    assert block["casimir_certificateHash"] == GOLDEN_HASH
    assert block["casimir_integrityOk"] is True
    assert (block["casimir_traceId"], block["casimir_runId"]) == ("t", "t")
    assert (block["status"], block["blocker_reason"]) == ("done", "none")
    assert block["files_changed"] == ["a.py", "b: c.py"]
    assert (block["prompt_id"], block["tests_or_checks_run"]) == ("7", ["make test"])


class Adapter:
    """An adapter on loopback: `reply` makes the answer to a request, `seen` holds what came."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, dict[str, str], Any]] = []
        self.reply: Callable[[http.server.BaseHTTPRequestHandler, Any], None] = self.honest
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.seen.append(("POST", self.path, dict(self.headers), body))
                outer.reply(self, body)

            def do_GET(self) -> None:
                outer.seen.append(("GET", self.path, dict(self.headers), None))
                outer.reply(self, None)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @staticmethod
    def send(handler: http.server.BaseHTTPRequestHandler, data: bytes, code: int = 200, **headers: str) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the client has heard enough
            handler.wfile.write(data)

    @staticmethod
    def answer(body: Any, **changes: Any) -> dict[str, Any]:
        certificate = {"status": "GREEN", "certificateHash": GOLDEN_HASH, "certificateId": "x", "integrityOk": True}
        return {
            "traceId": body["traceId"],
            "runId": "1",
            "verdict": "PASS",
            "pass": True,
            "firstFail": None,
            "certificate": {**certificate, **changes.pop("certificate", {})},
            **changes,
        }

    def honest(self, handler: http.server.BaseHTTPRequestHandler, body: Any) -> None:
        if body is None:
            self.send(handler, b'{"kind":"training-trace","seq":1}\n\n{"kind":"training-trace","seq":2}')
        else:
            self.send(handler, json.dumps(self.answer(body)).encode())


@pytest.fixture
def adapter() -> Iterator[Adapter]:
    made = Adapter()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_a_remote_pass_counts_when_its_hash_is_what_we_recompute(tmp_path: Path, adapter: Adapter) -> None:
    telemetry = {"build": {"exitCode": 0}, "metrics": {}}
    request = document(pack={"telemetry": telemetry})
    done = ask(
        tmp_path,
        request,
        "--url",
        adapter.url,
        "--token",
        "s3cret",
        "--tenant",
        "acme",
        "--traceparent",
        "00-a",
        "--json",
    )
    assert done.returncode == 0, done.stderr
    method, path, headers, body = adapter.seen[0]
    assert (method, path) == ("POST", RUN)
    assert headers["Authorization"] == "Bearer s3cret"
    assert (headers["X-Tenant-Id"], headers["traceparent"]) == ("acme", "00-a")
    assert body["pack"]["metrics"] == GOLDEN
    assert "telemetry" not in body["pack"]
    assert len(body["traceId"]) > 20
    assert "s3cret" not in done.stdout + done.stderr


def test_the_environment_names_the_adapter_and_ci_wants_it_named(tmp_path: Path, adapter: Adapter) -> None:
    assert ask(tmp_path, document(), CASIMIR_PUBLIC_BASE_URL=adapter.url + "/").returncode == 0
    assert ask(tmp_path, document(), CASIMIR_VERIFY_URL=adapter.url + "/my/api/ask").returncode == 0
    assert [path for _, path, _, _ in adapter.seen] == [RUN, "/my/api/ask"]
    refused = ask(tmp_path, document(), "--ci", CASIMIR_VERIFY_URL=adapter.url)
    assert refused.returncode == 1
    assert "--ci needs an explicit --url" in refused.stderr


def test_ci_exports_the_traces_or_fails(tmp_path: Path, adapter: Adapter) -> None:
    options = ("--url", adapter.url, "--ci", "--trace-out", "trace.jsonl", "--trace-limit", "7")
    assert ask(tmp_path, document(), *options).returncode == 0
    assert adapter.seen[-1][1] == f"{EXPORT}?limit=7"
    assert len((tmp_path / "trace.jsonl").read_text().splitlines()) == 2

    def no_export(handler: http.server.BaseHTTPRequestHandler, body: Any) -> None:
        adapter.honest(handler, body) if body else adapter.send(handler, b"<html>", 200)

    adapter.reply = no_export
    failed = ask(tmp_path, document(), *options)
    assert failed.returncode == 3
    assert "casimir_malformed" in failed.stderr


def _late(handler: http.server.BaseHTTPRequestHandler, body: Any) -> None:
    time.sleep(3)
    Adapter.send(handler, json.dumps(Adapter.answer(body)).encode())


def _dripping(handler: http.server.BaseHTTPRequestHandler, body: Any) -> None:
    handler.send_response(200)
    handler.end_headers()
    try:
        for _ in range(1200):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.1)
    except (BrokenPipeError, ConnectionResetError):
        pass


def _endless(handler: http.server.BaseHTTPRequestHandler, body: Any) -> None:
    handler.send_response(200)
    handler.end_headers()
    try:
        for _ in range(100):
            handler.wfile.write(b" " * 1_000_000)
    except (BrokenPipeError, ConnectionResetError):
        pass


def _gzipped(handler: http.server.BaseHTTPRequestHandler, body: Any) -> None:
    """An honest answer, but compressed; so would a bomb be."""
    Adapter.send(handler, gzip.compress(json.dumps(Adapter.answer(body)).encode()), **{"Content-Encoding": "gzip"})


def _says(data: bytes, code: int = 200, **headers: str) -> Callable[[http.server.BaseHTTPRequestHandler, Any], None]:
    return lambda handler, body: Adapter.send(handler, data, code, **headers)


def _changed(**changes: Any) -> Callable[[http.server.BaseHTTPRequestHandler, Any], None]:
    return lambda handler, body: Adapter.send(handler, json.dumps(Adapter.answer(body, **changes)).encode())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (_late, "casimir_timeout"),
        (_dripping, "casimir_timeout"),
        (_endless, "casimir_oversized"),
        (_gzipped, "casimir_malformed"),
        (_says(b"", 302, Location="http://127.0.0.1:1/"), "casimir_redirect"),
        (_says(b"{}", 500), "casimir_status:500"),
        (_says(b"{}", 404), "casimir_status:404"),
        (_says(b'{"verdict":"PASS","pa'), "casimir_malformed"),
        (_says(b'{"verdict":"FAIL","verdict":"PASS"}'), "casimir_malformed"),
        (_says(b"\xff\xfe"), "casimir_malformed"),
        (_says(b"[]"), "casimir_malformed"),
        (_says(b"{}"), "casimir_wrong_trace"),
        (_changed(certificate={"integrityOk": False}), "casimir_integrity"),
        (_changed(certificate={"integrityOk": "true"}), "casimir_integrity"),
        (_changed(traceId="another-run"), "casimir_wrong_trace"),
        (_changed(certificate={"certificateHash": "b" * 64}), "casimir_hash_mismatch"),
        (_changed(certificate={"status": "PROXY"}), "casimir_certificate_status"),
        (_changed(verdict="FAIL", firstFail={"id": "build_passed", "severity": "HARD"}), "casimir_fail:build_passed"),
        (_changed(firstFail={"id": "build_passed", "severity": "HARD"}), "casimir_hard_fail_in_pass"),
        (_changed(**{"pass": 1}), "casimir_fail"),
    ],
)
def test_a_misbehaving_adapter_is_never_a_pass(
    tmp_path: Path, adapter: Adapter, reply: Callable[..., None], reason: str
) -> None:
    adapter.reply = reply
    done = ask(tmp_path, document(), "--url", adapter.url, "--timeout", "0.5")
    assert done.returncode == 3, done.stderr
    assert f"[voice-verify][error] {reason}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("url", "code", "reason"),
    [
        ("http://127.0.0.1:1", 3, "casimir_unreachable"),
        ("ftp://somewhere", 1, "bad_usage"),
        ("http://[", 1, "bad_usage"),
        ("nonsense", 1, "bad_usage"),
    ],
)
def test_an_address_where_nobody_answers(tmp_path: Path, url: str, code: int, reason: str) -> None:
    done = ask(tmp_path, document(), "--url", url)
    assert done.returncode == code, done.stderr
    assert f"[voice-verify][error] {reason}" in done.stderr


def verify(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(APP), *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
    )


def test_a_certificate_is_bound_to_its_bundle(certifiable: Callable[..., Path]) -> None:
    root = certifiable("anna")
    assert "not certified" in verify("bundle", root).stdout
    done = verify("certify", root)
    assert done.returncode == 0, done.stderr
    record = json.loads((root.parent / "certificate.json").read_text())
    shown = record["answer"]["certificate"]
    assert shown["status"] == "CERTIFIED"
    assert hashlib.sha256(record["facts"].encode()).hexdigest() == shown["certificateHash"]
    assert json.loads(record["facts"])["metrics"]["bundle.manifest_sha256"] == record["bundle_manifest_sha256"]
    checked = json.loads(verify("bundle", root, "--json").stdout)
    assert (checked["ok"], checked["certifiable"]) == (True, True)

    moved = root.parent.parent / "elsewhere"
    shutil.copytree(root.parent, moved)
    assert json.loads(verify("bundle", moved / "voice_bundle", "--json").stdout)["certifiable"]

    other = certifiable("bert")
    record["bundle_manifest_sha256"] = hashlib.sha256((other / "manifest.json").read_bytes()).hexdigest()
    (other.parent / "certificate.json").write_text(json.dumps(record))
    relabelled = verify("bundle", other)
    assert relabelled.returncode == 0
    assert "casimir_hash_mismatch" in relabelled.stdout
    assert "certification: NO-GO" in relabelled.stdout


def test_a_voice_that_cannot_be_understood_is_not_certified(certifiable: Callable[..., Path]) -> None:
    root = certifiable("carl", cer=0.6)
    (root.parent / "certificate.json").write_text("{}")
    done = verify("certify", root, "--json")
    assert done.returncode == 3
    assert "[voice-verify][error] casimir_fail:intelligible" in done.stderr
    assert json.loads(done.stdout)["firstFail"]["id"] == "intelligible"
    assert not (root.parent / "certificate.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("figures", "failing"),
    [
        ({"likeness": 0.85}, "own_likeness"),
        ({"likeness": None}, "own_likeness"),
        ({"pitch_shift": 420.0}, "own_pitch"),
    ],
    ids=["unlike", "not measured", "pitch"],
)
def test_a_voice_that_is_not_its_owner_is_not_certified(
    certifiable: Callable[..., Path], figures: dict[str, float | None], failing: str
) -> None:
    done = verify("certify", certifiable("dora", **figures))
    assert done.returncode == 3
    assert failing in done.stderr


def test_a_bundle_with_an_evaluation_of_version_1_is_judged_as_then(certifiable: Callable[..., Path]) -> None:
    root = certifiable("emma", version=1)
    assert verify("certify", root).returncode == 0
    assert json.loads((root.parent / "certificate.json").read_text())["pack_version"] == 1
    assert json.loads(verify("bundle", root, "--json").stdout)["certifiable"]
    assert verify("certify", certifiable("fred", version=1, cer=0.6)).returncode == 3


def test_a_certificate_that_says_more_than_was_found_does_not_hold(certifiable: Callable[..., Path]) -> None:
    root = certifiable("emil")
    assert verify("certify", root).returncode == 0
    path = root.parent / "certificate.json"
    honest = json.loads(path.read_text())
    for change in (
        {"facts": honest["facts"].replace("0.12", "0.01")},
        {"pack_version": 3},
        {"pack": "repo-convergence"},
        {"answer": {**honest["answer"], "deltas": [{"id": "x"}]}},
        {"answer": {**honest["answer"], "runId": "another"}},
    ):
        path.write_text(json.dumps({**honest, **change}))
        done = verify("bundle", root)
        assert done.returncode == 0
        assert "does not hold: casimir_integrity" in done.stdout
        assert "certification: NO-GO" in done.stdout


@pytest.mark.parametrize("content", ["", "{}", '{"a":1,"a":2}', "[1]", "\x00"])
def test_a_certificate_that_cannot_be_read_certifies_nothing(certifiable: Callable[..., Path], content: str) -> None:
    root = certifiable("dora")
    (root.parent / "certificate.json").write_text(content)
    done = verify("bundle", root)
    assert done.returncode == 0
    assert "certificate.json cannot be used" in done.stdout
    assert "certification: NO-GO" in done.stdout


def test_certifying_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    assert verify("certify", tmp_path / "none").returncode == 1
    tmp_path.joinpath("empty").mkdir()
    done = verify("certify", tmp_path / "empty")
    assert done.returncode == 3
    assert not (tmp_path / "certificate.json").exists()
